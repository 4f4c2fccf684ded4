//! Errors as people read them: one line of what and where, one line of what to do.

use crate::again::Again;
use crate::exit::Exit;
use hostssl_model::{Advice, Fault, Hint, REPORT_DEFECT, ResourceId, chain};
use hostssl_remediation::{InvalidPlan, LeftOut, LeftOutReason};
use std::error::Error;
use std::path::Path;

/// An error that ends the command.
#[derive(Debug)]
pub(crate) struct CliError {
    exit: Exit,
    message: String,
    hint: Hint,
    /// What its commands need, where that is not what the command line says.
    again: Option<Box<Again>>,
}

impl CliError {
    fn new(exit: Exit, message: impl Into<String>, hint: impl Into<Hint>) -> Self {
        Self { exit, message: message.into(), hint: hint.into(), again: None }
    }

    /// The user's mistake.
    pub(crate) fn usage(message: impl Into<String>, hint: impl Into<Hint>) -> Self {
        Self::new(Exit::Usage, message, hint)
    }

    /// Something else that keeps the program from its work, where the error does not know what to do.
    pub(crate) fn failed(error: &dyn Error, hint: impl Into<Hint>) -> Self {
        Self::new(Exit::Failed, chain(error), hint)
    }

    /// Nothing was written, and nothing is broken: something stands in the way, or someone said no.
    pub(crate) fn refused(message: impl Into<String>, hint: impl Into<Hint>) -> Self {
        Self::new(Exit::Failed, message, hint)
    }

    /// A file that is not a plan, or not one that may be applied.
    pub(crate) fn invalid_plan(path: &Path, error: &InvalidPlan) -> Self {
        Self::usage(format!("{}: {}", path.display(), chain(error)), error.advice())
    }

    /// Something that only a wrong program can bring about.
    pub(crate) fn defect(error: &dyn Error) -> Self {
        Self::failed(error, REPORT_DEFECT)
    }

    /// A server whose update was left out of its plan.
    pub(crate) fn left_out(server: &ResourceId, left_out: &LeftOut) -> Self {
        let message = format!("{} is not changed: {}: {}", server.name(), left_out.reason.as_str(), left_out.detail);
        let exit = match left_out.reason {
            LeftOutReason::NotSupported => Exit::Usage,
            LeftOutReason::Unknown => Exit::Incomplete,
            _ => Exit::Findings,
        };
        Self::new(exit, message, left_out.reason.advice(server.name()))
    }

    /// The run was stopped before anyone was signed in, so there is nothing to report.
    pub(crate) fn stopped_while_signing_in() -> Self {
        let hint = "check that the sign-in address can be reached, and that --deadline leaves enough time";
        Self::new(Exit::Failed, "the run was stopped while signing in", hint)
    }

    /// The command was stopped while it waited for an answer.
    pub(crate) fn stopped_at_a_question() -> Self {
        Self::new(Exit::Interrupted, "stopped at the question, so nothing was done", "run it again to answer")
    }

    /// The same about what stands in a file.
    pub(crate) fn of_file(self, path: &Path) -> Self {
        Self { message: format!("{}: {}", path.display(), self.message), ..self }
    }

    /// The same with something else to do.
    pub(crate) fn with_hint(self, hint: impl Into<Hint>) -> Self {
        Self { hint: hint.into(), ..self }
    }

    /// The same about a plan or a run: its commands are for the servers of that, and for where it was made.
    pub(crate) fn about(self, again: &Again) -> Self {
        Self { again: self.again.or_else(|| Some(Box::new(again.clone()))), ..self }
    }

    /// What happened, and what to do.
    pub(crate) fn parts(&self) -> (String, Hint) {
        (one_line(&self.message), self.hint.clone())
    }

    /// Writes the error to stderr. Commands in the hint get the options that they need to work as printed.
    pub(crate) fn report(&self, again: &Again) -> Exit {
        let message = one_line(&self.message);
        stderr!("error: {message}");
        stderr!("hint: {}", self.again.as_deref().unwrap_or(again).hint(self.hint.clone()));
        self.exit
    }
}

fn one_line(text: &str) -> String {
    hostssl_model::untrusted::one_line(text)
}

/// What to do about an error stands on its type; here it only gets its exit code.
impl<E: Advice> From<E> for CliError {
    fn from(error: E) -> Self {
        let exit = match error.fault() {
            Fault::Request => Exit::Usage,
            Fault::Environment => Exit::Failed,
            Fault::Coverage => Exit::Incomplete,
        };
        Self::new(exit, chain(&error), error.advice())
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
