//! What `muxtray check` adds to a master's answer, which speaks for its process alone: the network behind it.

use crate::core::finding::Finding;
use crate::core::network::Judgement;
use crate::core::socket::Socket;

use super::Outcome;
use super::act::Told;

/// The answer with the verdict on the network; a doubtful one is told as an error, with its remedy.
pub(super) fn judged(socket: &Socket, answer: String) -> Told {
    let Some(verdict) = &socket.network else {
        return Ok(answer);
    };
    let name = verdict.judgement.name();
    match verdict.judgement {
        Judgement::Well => Ok(format!("{answer}, network {name}: {verdict}")),
        Judgement::Suspect(_) | Judgement::Stranded(_) => {
            let evidence = verdict.evidence().unwrap_or_default();
            let is_its_own = |finding: &&Finding| finding.id.as_str() == name;
            let remedy = socket.findings.iter().find(is_its_own);
            let remedy = remedy.map_or_else(String::new, |finding| format!("; {}", finding.remedy));
            let line = format!("{answer}, but its network is {name}: {evidence}{remedy}");
            Err((line, Outcome::Wrong))
        }
    }
}
