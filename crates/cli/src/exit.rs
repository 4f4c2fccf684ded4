//! How the program ends. These codes are an interface: scripts and pipelines decide by them.

use hostssl_census::CensusVerdict;
use hostssl_model::{AuditEnd, AuditReport};
use hostssl_remediation::{Report, RunOutcome};
use std::process::ExitCode;

/// How a command ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Exit {
    /// Everything was checked, and everything passes.
    AllPass,
    /// The program could not do its work: no sign-in, no Azure, no disk.
    Failed,
    /// The command line asks for what cannot be.
    Usage,
    /// Something fails a control.
    Findings,
    /// Nothing fails, but not everything could be checked. Never 0 when something is unchecked.
    Incomplete,
    /// An undo could not restore a value: manual intervention is needed.
    Stuck,
    /// The reader of standard output went away before the end, so that nothing is known of the whole.
    ReaderGone,
    /// A second interrupt ended the process at once. What it had done is in the state, and there is no result.
    Interrupted,
}

impl Exit {
    /// The code of the process.
    pub(crate) fn code(self) -> u8 {
        match self {
            Self::AllPass => 0,
            Self::Failed => 1,
            Self::Usage => 2,
            Self::Findings => 3,
            Self::Incomplete => 4,
            Self::Stuck => 5,
            // What shells make of SIGPIPE, and of SIGINT.
            Self::ReaderGone => 141,
            Self::Interrupted => 130,
        }
    }

    /// How an audit ended.
    pub(crate) fn of_audit(report: &AuditReport) -> Self {
        Self::of_audit_end(report.end())
    }

    /// How something that ends as an audit does ended.
    pub(crate) fn of_audit_end(end: AuditEnd) -> Self {
        match end {
            AuditEnd::Pass => Self::AllPass,
            AuditEnd::Findings => Self::Findings,
            AuditEnd::Incomplete => Self::Incomplete,
        }
    }
}

impl Exit {
    /// How a census ended: the worst verdict, or none where no server was checked.
    pub(crate) fn of_census(worst: Option<CensusVerdict>) -> Self {
        match worst {
            Some(CensusVerdict::Breaks) => Self::Findings,
            Some(CensusVerdict::Safe) => Self::AllPass,
            Some(CensusVerdict::NeedsObservation) | None => Self::Incomplete,
        }
    }

    /// How a run that changes servers ended.
    pub(crate) fn of_run(report: &Report) -> Self {
        match report.outcome {
            // The plan says what hostssl does not write; a run that did all the rest has done its work.
            _ if report.is_manual_only() => Self::AllPass,
            RunOutcome::Done => Self::AllPass,
            RunOutcome::Failed => Self::Findings,
            RunOutcome::Incomplete | RunOutcome::Open => Self::Incomplete,
            RunOutcome::Stuck => Self::Stuck,
        }
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit.code())
    }
}

/// The codes in the help of the program: what they mean everywhere.
pub(crate) const ALL_HELP: &str = "Exit codes:
  0  done, and nothing is wrong
  1  the tool failed (no sign-in, no Azure, no disk), or refused before the first write
  2  wrong usage: a bad option, or a selector that matches nothing
  3  something is wrong with a server
  4  not everything could be checked or done
  5  an undo could not restore a value: manual intervention is needed
130  ended at once by a second interrupt, without a result
141  the reader of standard output ended first
Each command's own --help says what its codes mean.";

/// For `audit`, where the command line can say what counts.
pub(crate) const AUDIT_HELP: &str = "Exit codes:
  0  everything was checked, and no finding counts (--fail-on)
  1  the tool failed (no sign-in, no Azure)
  2  wrong usage, or a selector that matches nothing
  3  at least one control that counts fails
  4  no finding counts, but not everything could be checked and compared";

/// For commands that read from Azure and judge nothing.
pub(crate) const READ_HELP: &str = "Exit codes:
  0  everything was read
  1  the tool failed (no sign-in, no Azure)
  2  wrong usage, or a name that matches nothing
  4  not everything could be read; the rest was written";

/// For `runs show`: what judged servers ends as it did.
pub(crate) const SHOW_HELP: &str = "Exit codes:
  0  the run is shown; if it is an audit or a probe, everything was checked and passes
  1  the tool failed (nothing kept, or the state cannot be read)
  2  wrong usage, or no such run
  3  a control fails in the audit, or an endpoint in the probe by what counted then
  4  nothing fails in the audit or the probe, but not everything could be checked";

/// For what judges an audit that is kept.
pub(crate) const JUDGE_HELP: &str = "Exit codes:
  0  everything was checked and passes
  1  the tool failed (nothing kept, or the state cannot be read)
  2  wrong usage, or no such audit
  3  at least one control fails
  4  nothing fails, but not everything could be checked";

/// For commands that call nothing outside.
pub(crate) const LOCAL_HELP: &str = "Exit codes:
  0  done
  1  the tool failed
  2  wrong usage, or a name that does not exist";

/// For commands that listen.
pub(crate) const LISTEN_HELP: &str = "Exit codes:
  0  done
  1  the tool failed (no disk, no port)
  2  wrong usage, or a name that does not exist";

/// For the check of a plan.
pub(crate) const CHECK_HELP: &str = "Exit codes:
  0  no objections; warnings do not count
  1  the tool failed
  2  wrong usage, or the file is not a plan
  3  objections";

/// For `probe`.
pub(crate) const PROBE_HELP: &str = "Exit codes:
  0  every endpoint is proven to enforce TLS, its certificate passes verify-full, and nothing weakens it
  1  the tool failed
  2  wrong usage
  3  an endpoint accepts plaintext or has broken TLS, its certificate fails verify-full, or something weakens it;
     --fail-on and --allow choose what counts; `failures` in JSON lists what did
  4  nothing that counts fails, but not everything could be checked: a name, a connection, a verdict, a certificate";

/// The same for commands that plan.
pub(crate) const PLAN_HELP: &str = "Exit codes:
  0  everything was checked, and the plan covers all that fails and is not waived, even if it is empty;
     only controls that hostssl can fix are planned, not the others that `audit` checks
  1  the tool failed (no sign-in, no Azure, no disk)
  2  wrong usage, or a selector that matches nothing
  4  the plan is made, but not everything could be checked, a failing server is left out without a waiver, or a step
     is manual";

/// The same for commands that change servers.
pub(crate) const CHANGE_HELP: &str = "Exit codes:
  0  every step that hostssl writes has the planned value, confirmed by reading it back; manual steps are listed
  1  the tool failed (`hostssl runs` shows what was done before that), or refused before the first write
  2  wrong usage, or a plan that is too old or for another cloud, tenant or identity
  3  a step was refused, failed or timed out
  4  a step was not started, was skipped because the value had changed, waits for a restart, or must be settled with `hostssl resume`
  5  an undo could not restore a value: manual intervention is needed";

#[cfg(test)]
mod tests {
    use super::*;
    use hostssl_remediation::{RunSummary, StepReport, StepStatus};

    #[test]
    fn a_run_that_needs_a_person_has_a_code_of_its_own() {
        let outcomes =
            [RunOutcome::Done, RunOutcome::Incomplete, RunOutcome::Failed, RunOutcome::Open, RunOutcome::Stuck];
        let codes = outcomes.map(|outcome| Exit::of_run(&report(outcome, [false, false])).code());
        assert_eq!(codes, [0, 4, 3, 4, 5]);
    }

    #[test]
    fn a_manual_step_does_not_make_a_run_fail() {
        assert_eq!(Exit::of_run(&report(RunOutcome::Incomplete, [false, true])), Exit::Incomplete);
        assert_eq!(Exit::of_run(&report(RunOutcome::Incomplete, [true, true])), Exit::AllPass);
        assert_eq!(Exit::of_run(&report(RunOutcome::Open, [true, true])), Exit::Incomplete);
    }

    /// A run with two steps that were not started, where these are manual.
    fn report(outcome: RunOutcome, manual: [bool; 2]) -> Report {
        let step = |manual| StepReport {
            id: 1,
            server: String::new(),
            parameter: hostssl_model::ParameterName::RequireSecureTransport,
            before: String::new(),
            after: String::new(),
            status: StepStatus::NotStarted,
            reason: None,
            request_id: None,
            undoing: false,
            open: false,
            not_read_again: false,
            vanished: false,
            manual,
            accepted: None,
        };
        let steps = manual.map(step).into();
        let (run, plan) = ("run".to_owned(), "plan".to_owned());
        Report { run, plan, summary: RunSummary::default(), steps, outcome, reason: None, undo_reason: None }
    }
}
