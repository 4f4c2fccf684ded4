//! Errors as people read them: one line of what and where, one line of what to do.

use crate::exit::Exit;
use hostssl_azure::{InvalidCaFile, InvalidCloud, SignInError};
use hostssl_model::ResourceId;
use hostssl_ops::{PlanError, RemediationError, ScopeError, ShowError};
use hostssl_remediation::{ExecuteError, InvalidPlan, JournalError, LeftOut, LeftOutReason, NotApproved};
use hostssl_store::StoreError;
use std::error::Error;
use std::path::Path;

/// An error that ends the command.
#[derive(Debug)]
pub(crate) struct CliError {
    exit: Exit,
    message: String,
    hint: Option<String>,
}

impl CliError {
    /// The user's mistake.
    pub(crate) fn usage(message: impl Into<String>, hint: impl Into<String>) -> Self {
        Self { exit: Exit::Usage, message: message.into(), hint: Some(hint.into()) }
    }

    /// Something else that keeps the program from its work.
    pub(crate) fn failed(error: &dyn Error, hint: impl Into<String>) -> Self {
        Self { exit: Exit::Failed, message: chain(error), hint: Some(hint.into()) }
    }

    /// Nothing was written, and nothing is broken: something stands in the way, or somebody said no.
    pub(crate) fn refused(message: impl Into<String>, hint: impl Into<String>) -> Self {
        Self { exit: Exit::Failed, message: message.into(), hint: Some(hint.into()) }
    }

    /// A file that is no plan, or not one that may be applied.
    pub(crate) fn invalid_plan(path: &Path, error: &InvalidPlan) -> Self {
        let hint = match error {
            InvalidPlan::Edited { .. } => "a plan is never edited: make it again with `hostssl plan`",
            InvalidPlan::OtherVersion(_) => "make it again with this hostssl",
            _ => "make it again with `hostssl plan`",
        };
        Self::usage(format!("{}: {}", path.display(), chain(error)), hint)
    }

    /// A server whose update was left out of its plan.
    pub(crate) fn left_out(server: &ResourceId, left_out: &LeftOut) -> Self {
        let message = format!("{} is not changed: {}: {}", server.name(), left_out.reason.as_str(), left_out.detail);
        let (exit, hint) = match left_out.reason {
            LeftOutReason::NotSupported => (Exit::Usage, "choose a value that this kind of server offers"),
            LeftOutReason::Unknown => (Exit::Incomplete, "`hostssl audit --server NAME` says what could not be seen"),
            LeftOutReason::Locked => (Exit::Findings, "remove the lock, or ask who set it"),
            _ => (Exit::Findings, "mend that first"),
        };
        Self { exit, message, hint: Some(hint.to_owned()) }
    }

    /// The run was stopped before anybody was signed in, so there is nothing to report.
    pub(crate) fn stopped_while_signing_in() -> Self {
        let hint = "check that the sign-in authority can be reached, and --deadline";
        Self {
            exit: Exit::Failed,
            message: "the run was stopped while signing in".to_owned(),
            hint: Some(hint.to_owned()),
        }
    }

    /// What happened, and what to do.
    pub(crate) fn parts(&self) -> (String, String) {
        (one_line(&self.message), self.hint.clone().unwrap_or_default())
    }

    /// Tells the error on stderr.
    pub(crate) fn tell(&self) -> Exit {
        let message = one_line(&self.message);
        say!("error: {message}");
        if let Some(hint) = &self.hint {
            say!("hint: {hint}");
        }
        self.exit
    }
}

/// An error with its causes, each said once.
fn chain(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        let part = error.to_string();
        if !text.contains(&part) {
            text = format!("{text}: {part}");
        }
        cause = error.source();
    }
    text
}

fn one_line(text: &str) -> String {
    hostssl_model::untrusted::one_line(text)
}

impl From<ScopeError> for CliError {
    fn from(error: ScopeError) -> Self {
        let ScopeError::UnknownSubscription { .. } = &error;
        Self::usage(error.to_string(), "give an id or a display name; `az account list -o table` shows them")
    }
}

impl From<ShowError> for CliError {
    fn from(error: ShowError) -> Self {
        match error {
            ShowError::Scope(error) => error.into(),
            ShowError::NotFound { .. } => {
                Self::usage(error.to_string(), "`hostssl server list -o table` shows the names and groups")
            }
            ShowError::Ambiguous { .. } => Self::usage(error.to_string(), "choose one with --subscription"),
            ShowError::Unseen { .. } => Self {
                exit: Exit::Incomplete,
                message: error.to_string(),
                hint: Some("narrow the search with --subscription, or ask for the role of `hostssl role audit`".into()),
            },
        }
    }
}

impl From<InvalidCloud> for CliError {
    fn from(error: InvalidCloud) -> Self {
        Self::usage(error.to_string(), "endpoints look like https://management.azure.com")
    }
}

impl From<InvalidCaFile> for CliError {
    fn from(error: InvalidCaFile) -> Self {
        if matches!(error, InvalidCaFile::Client(_)) {
            return Self::failed(&error, "install the system's CA certificates, or name some with --ca-file");
        }
        let hint = "--ca-file takes a file of PEM certificates, as `-----BEGIN CERTIFICATE-----` begins";
        Self { exit: Exit::Usage, message: chain(&error), hint: Some(hint.to_owned()) }
    }
}

impl From<SignInError> for CliError {
    fn from(error: SignInError) -> Self {
        let hint = match &error {
            SignInError::MissingVariable { .. } => "set the variable, or choose another way with --auth".to_owned(),
            SignInError::WrongTenant { .. } => "leave --tenant out, or sign in where that tenant is reached".to_owned(),
            SignInError::Refused { method: "cli", .. } => {
                "run `az login`, choose another way with --auth, or try it without an account: --simulate".to_owned()
            }
            _ => "check the identity, the tenant, and that the sign-in address can be reached; or choose another way with --auth".to_owned(),
        };
        Self::failed(&error, hint)
    }
}

impl From<PlanError> for CliError {
    fn from(error: PlanError) -> Self {
        match error {
            PlanError::Scope(error) => error.into(),
            PlanError::Invalid(error) => Self::usage(chain(&error), "choose other bounds"),
        }
    }
}

impl From<NotApproved> for CliError {
    fn from(error: NotApproved) -> Self {
        Self::usage(chain(&error), "review this plan with `hostssl plan show` and approve its own hash")
    }
}

impl From<StoreError> for CliError {
    fn from(error: StoreError) -> Self {
        let hint = error.hint();
        let exit = if matches!(error, StoreError::NoSuchRun(_)) { Exit::Usage } else { Exit::Failed };
        Self { exit, message: chain(&error), hint: Some(hint.to_owned()) }
    }
}

impl From<RemediationError> for CliError {
    fn from(error: RemediationError) -> Self {
        match error {
            RemediationError::Mismatch(_) => {
                Self::usage(error.to_string(), "make the plan again here and now, with `hostssl plan`")
            }
            RemediationError::OtherPlace(_) => Self::usage(
                error.to_string(),
                "sign in where the run was made, with --tenant and --cloud, or add --simulate",
            ),
            RemediationError::NotPermitted(_) => Self::refused(
                error.to_string(),
                "ask for the role that `hostssl role remediate` prints, or plan without them: --except NAME",
            ),
            RemediationError::Execute(error) => error.into(),
        }
    }
}

impl From<ExecuteError> for CliError {
    fn from(error: ExecuteError) -> Self {
        let hint = match &error {
            ExecuteError::Journal { source: JournalError::NoSuchRun(_), .. } => {
                return Self::usage(chain(&error), "`hostssl runs` lists the runs");
            }
            ExecuteError::Journal { source: JournalError::Unfinished(run), .. } => format!("hostssl resume {run}"),
            ExecuteError::Journal { source: JournalError::Full(_), .. } => {
                "make room; then `hostssl resume` settles what was under way".to_owned()
            }
            ExecuteError::Journal { source: JournalError::Busy(_), .. } => {
                "wait until the other process has ended; `hostssl runs` shows a run that must then be resumed"
                    .to_owned()
            }
            ExecuteError::Journal { .. } => {
                "fix the state directory; `hostssl runs` shows a run that must then be resumed".to_owned()
            }
            ExecuteError::Damaged(_) => {
                "keep a copy of the state directory, and look at the servers by hand".to_owned()
            }
            ExecuteError::NothingToResume(run) => {
                return Self::usage(chain(&error), format!("hostssl runs show {run}"));
            }
            ExecuteError::NotEnded(run) => return Self::usage(chain(&error), format!("hostssl resume {run}")),
            ExecuteError::Defect(_) => "please report it with the command that you ran".to_owned(),
        };
        Self::failed(&error, hint)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use hostssl_model::untrusted::{HARMFUL, is_harmful};

    #[test]
    fn errors_are_one_line_without_harmful_characters_and_secrets() {
        let ranges = HARMFUL.iter();
        for c in ranges.flat_map(|&(first, last)| first..=last) {
            let (message, _) = CliError::usage(format!("a{c}b"), "").parts();
            assert!(!message.contains(is_harmful), "U+{:04X}", u32::from(c));
        }
        let (message, _) = CliError::usage("refused: https://login.example/x?sig=abc\npassword=hunter2", "").parts();
        assert_eq!(message, "refused: https://login.example/… password=[removed]");
    }
}
