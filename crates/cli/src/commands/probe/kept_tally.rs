//! What a probe that is kept ended with.

use super::Tally;
use super::exit_rules::{Policy, ProbeFinding};
use crate::exit::Exit;
use hostssl_formats::probe_json::{ProbeAsked, ProbeExit};
use hostssl_model::Outcome;
use hostssl_probe::report::EndpointReport;

/// Counts the endpoints of a kept probe by the rules that it was made with.
pub(crate) struct KeptTally {
    policy: Policy,
    tally: Tally,
}

impl KeptTally {
    /// Begins with what the probe asked, as it is kept, and whether everything that was asked for was done.
    pub(crate) fn new(asked: &str, complete: bool) -> Self {
        let asked = ProbeAsked::read(asked).unwrap_or_default();
        // Words of a newer version are not known here; each endpoint has what counted.
        let read = |words: &[String]| words.iter().filter_map(|word| word.parse().ok()).collect::<Vec<ProbeFinding>>();
        let policy = Policy::new(&read(&asked.fail_on), &read(&asked.allow));
        Self { policy, tally: Tally { incomplete: !complete, ..Tally::default() } }
    }

    /// Counts an endpoint. What counted when it was probed stands in its report, except in those of earlier versions.
    pub(crate) fn count(&mut self, report: &EndpointReport) {
        let (found, failures) = self.policy.judge(report);
        match &report.failures {
            None => self.tally.count(found, &failures),
            Some(kept) if !kept.is_empty() => self.tally.count(Outcome::Fail, kept),
            Some(_) if found == Outcome::Fail => self.tally.count(Outcome::Pass, &[]),
            Some(_) => self.tally.count(found, &[]),
        }
    }

    /// The exit code, and what decided it.
    pub(crate) fn end(&self) -> (Exit, ProbeExit) {
        (self.tally.exit(), self.tally.in_json())
    }

    /// Says which findings make the exit code.
    pub(crate) fn print(&self) {
        self.tally.print();
    }
}

#[cfg(test)]
mod tests {
    use super::super::exit_rules::tests::report;
    use super::*;
    use hostssl_probe::report::{Weakness, WireVerdict};

    fn code(asked: &str, complete: bool, failures: Option<&[&str]>, certificate: Option<bool>) -> u8 {
        let mut tally = KeptTally::new(asked, complete);
        let failures = failures.map(|all| all.iter().map(|one| (*one).to_owned()).collect());
        tally.count(&EndpointReport { failures, ..report(WireVerdict::Enforced, certificate, &[Weakness::NoTls13]) });
        tally.end().0.code()
    }

    #[test]
    fn it_ends_as_the_probe_did() {
        assert_eq!(code("{}", true, Some(&["no-tls13"]), Some(true)), 3);
        // It was not asked for, by a version that does not keep that.
        assert_eq!(code("{}", true, Some(&[]), Some(true)), 0);
        assert_eq!(code("{}", true, None, Some(true)), 3);
        assert_eq!(code("{}", false, Some(&[]), Some(true)), 4);
        let allowed = r#"{"allow": ["no-tls13", "verify-full", "a-newer-word"]}"#;
        assert_eq!(code(allowed, true, Some(&[]), None), 0);
        assert_eq!(code(r#"{"allow": ["no-tls13"]}"#, true, Some(&[]), None), 4);
        assert_eq!(code(r#"{"failOn": ["not-enforced"]}"#, true, Some(&[]), None), 0);
    }
}
