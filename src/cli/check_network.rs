//! What `muxtray check` adds to a master's answer, which speaks for its process alone: the network behind it.

use tr::tr;

use crate::model::finding::Finding;
use crate::model::network::Judgement;
use crate::model::socket::Socket;

use super::actions::Told;
use super::outcome::Outcome;

/// The answer with the verdict on the network; a doubtful one is told as an error, with its remedy.
pub(super) fn judged(socket: &Socket, answer: String) -> Told {
    let Some(verdict) = &socket.network else {
        return Ok(answer);
    };
    let name = verdict.judgement.name();
    match verdict.judgement {
        Judgement::Well => Ok(tr!(
            "{answer}, network {state}: {verdict}",
            answer,
            state = verdict.judgement.word(),
            verdict
        )),
        Judgement::Suspect(_) | Judgement::Stranded(_) => {
            let evidence = verdict.evidence().unwrap_or_default();
            let is_its_own = |finding: &&Finding| finding.id.as_str() == name;
            let remedy = socket.findings.iter().find(is_its_own);
            let remedy = remedy.map_or_else(String::new, |finding| format!("; {}", finding.remedy));
            let line = tr!(
                "{answer}, but its network is {state}: {evidence}",
                answer,
                state = verdict.judgement.word(),
                evidence
            );
            let line = format!("{line}{remedy}");
            Err((line, Outcome::Wrong))
        }
    }
}
