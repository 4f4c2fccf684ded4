//! How the program ends. These codes are an interface: scripts and pipelines decide by them.

use hostssl_model::AuditReport;
use std::process::ExitCode;

/// How a command ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Exit {
    /// Everything was seen, and everything passes.
    AllPass,
    /// The program could not do its work: no sign-in, no Azure, no disk.
    Failed,
    /// The command line asks for what cannot be.
    Usage,
    /// Something fails a control.
    Findings,
    /// Nothing that was seen fails, but not everything was seen. Never 0 when blind.
    Incomplete,
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
        }
    }

    /// How an audit ended.
    pub(crate) fn of_audit(report: &AuditReport) -> Self {
        if report.summary.fail > 0 {
            Self::Findings
        } else if report.summary.unknown > 0 || !report.run.complete {
            Self::Incomplete
        } else {
            Self::AllPass
        }
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit.code())
    }
}

/// What is said of the codes in the help.
pub(crate) const HELP: &str = "Exit codes:
  0  everything was seen and passes
  1  the tool failed (no sign-in, no Azure)
  2  wrong usage
  3  something fails a control
  4  nothing seen fails, but not everything was seen";
