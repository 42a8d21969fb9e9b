//! Findings as text for a bug report.

use crate::model::finding::Finding;

/// `home` is the home directory, which is written `~`.
pub fn bug_report<'a>(
    findings: impl Iterator<Item = &'a Finding>,
    version: &str,
    ssh_version: Option<&str>,
    home: &str,
) -> String {
    let ssh = ssh_version.unwrap_or("ssh: version unknown");
    let mut report = format!("muxtray {version}, {ssh}\n");
    for finding in findings {
        // In English, as maintainers read it; evidence and remedy are in the language of the user.
        report += &format!(
            "\n{} ({}): {}\nevidence: {}\nremedy: {}\n",
            finding.id.as_str(),
            finding.severity.as_str(),
            finding.subject,
            finding.evidence,
            finding.remedy
        );
    }
    with_tilde(&report, home)
}

/// Only whole names are replaced: `/home/u` is no part of `/home/u2` and `/mnt/home/u`.
fn with_tilde(text: &str, home: &str) -> String {
    let home = home.trim_end_matches('/');
    if home.is_empty() {
        return text.to_owned();
    }
    let mut parts = text.split(home);
    let mut shown = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let is_part = |it: char| it.is_ascii_alphanumeric() || "._-".contains(it);
        let is_whole = !shown.ends_with(is_part) && !part.starts_with(is_part);
        shown += if is_whole { "~" } else { home };
        shown += part;
    }
    shown
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::finding::FindingId;

    #[test]
    fn a_report_has_versions_and_no_home() {
        let findings = [
            Finding::new(
                FindingId::Stale,
                "web",
                "refused at /home/u/.ssh/s/web",
                "clean it",
            ),
            Finding::new(
                FindingId::DirectoryMissing,
                "/home/u",
                "not in /home/u2 or /mnt/home/u",
                "mkdir /home/u",
            ),
        ];
        let report = bug_report(findings.iter(), "0.1", Some("OpenSSH_9.2p1"), "/home/u");
        let version = "muxtray 0.1, OpenSSH_9.2p1";
        assert_eq!(
            report,
            format!(
                "{version}\n\nstale (warning): web\nevidence: refused at ~/.ssh/s/web\nremedy: clean it\n\n\
                 directory-missing (error): ~\nevidence: not in /home/u2 or /mnt/home/u\nremedy: mkdir ~\n"
            )
        );
        for home in ["", "/"] {
            let report = bug_report(findings.iter(), "0.1", None, home);
            assert!(report.contains("version unknown") && report.contains("/home/u/.ssh"));
        }
    }
}
