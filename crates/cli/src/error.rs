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
}

impl CliError {
    /// The user's mistake.
    pub(crate) fn usage(message: impl Into<String>, hint: impl Into<Hint>) -> Self {
        Self { exit: Exit::Usage, message: message.into(), hint: hint.into() }
    }

    /// Something else that keeps the program from its work, where the error does not know what to do.
    pub(crate) fn failed(error: &dyn Error, hint: impl Into<Hint>) -> Self {
        Self { exit: Exit::Failed, message: chain(error), hint: hint.into() }
    }

    /// Nothing was written, and nothing is broken: something stands in the way, or someone said no.
    pub(crate) fn refused(message: impl Into<String>, hint: impl Into<Hint>) -> Self {
        Self { exit: Exit::Failed, message: message.into(), hint: hint.into() }
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
        Self { exit, message, hint: left_out.reason.advice(server.name()) }
    }

    /// The run was stopped before anyone was signed in, so there is nothing to report.
    pub(crate) fn stopped_while_signing_in() -> Self {
        let hint = "check that the sign-in address can be reached, and that --deadline leaves enough time";
        Self { exit: Exit::Failed, message: "the run was stopped while signing in".to_owned(), hint: hint.into() }
    }

    /// The command was stopped while it waited for an answer.
    pub(crate) fn stopped_at_a_question() -> Self {
        let message = "stopped at the question, so nothing was done".to_owned();
        Self { exit: Exit::Interrupted, message, hint: "run it again to answer".into() }
    }

    /// The same about what stands in a file.
    pub(crate) fn of_file(self, path: &Path) -> Self {
        Self { message: format!("{}: {}", path.display(), self.message), ..self }
    }

    /// The same with something else to do.
    pub(crate) fn with_hint(self, hint: impl Into<Hint>) -> Self {
        Self { hint: hint.into(), ..self }
    }

    /// What happened, and what to do.
    pub(crate) fn parts(&self) -> (String, Hint) {
        (one_line(&self.message), self.hint.clone())
    }

    /// Writes the error to stderr. Commands in the hint get the options that they need to work as printed.
    pub(crate) fn report(&self, again: &Again) -> Exit {
        let message = one_line(&self.message);
        stderr!("error: {message}");
        stderr!("hint: {}", again.hint(self.hint.clone()));
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
        Self { exit, message: chain(&error), hint: error.advice() }
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
