//! Errors as people read them: one line of what and where, one line of what to do.

use crate::exit::Exit;
use hostssl_azure::{InvalidCaFile, InvalidCloud, SignInError};
use hostssl_engine::{ScopeError, ShowError};
use std::error::Error;

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

    /// The run was stopped before anybody was signed in, so there is nothing to report.
    pub(crate) fn stopped_while_signing_in() -> Self {
        let hint = "check that the sign-in authority can be reached, and --deadline";
        Self {
            exit: Exit::Failed,
            message: "the run was stopped while signing in".to_owned(),
            hint: Some(hint.to_owned()),
        }
    }

    /// What happened and what to do, on one line.
    pub(crate) fn on_one_line(&self) -> String {
        let message = one_line(&self.message);
        self.hint.as_ref().map_or_else(|| message.clone(), |hint| format!("{message} ({hint})"))
    }

    /// What happened, and what to do.
    pub(crate) fn parts(&self) -> (String, String) {
        (one_line(&self.message), self.hint.clone().unwrap_or_default())
    }

    /// Tells the error on stderr.
    pub(crate) fn tell(&self) -> Exit {
        let message = one_line(&self.message);
        anstream::eprintln!("error: {message}");
        if let Some(hint) = &self.hint {
            anstream::eprintln!("hint: {hint}");
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
    let words: Vec<&str> = text.split_whitespace().collect();
    hostssl_report::safe(&words.join(" ")).into_owned()
}

impl From<hostssl_store::StoreError> for CliError {
    fn from(error: hostssl_store::StoreError) -> Self {
        let hint = error.hint();
        Self::failed(&error, hint)
    }
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
            _ => "check the identity and the tenant, or choose another way with --auth".to_owned(),
        };
        Self::failed(&error, hint)
    }
}
