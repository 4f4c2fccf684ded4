//! What to do about an error: said once, beside the error's type, and only rendered by the command line and the
//! console.

use crate::Hint;
use std::error::Error;

/// Whose turn it is after an error.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// What was asked for cannot be: another request may succeed.
    Request,
    /// Something that the request needs is missing, broken or refused.
    Environment,
    /// Not everything could be checked, so that the answer is not known.
    Coverage,
}

/// An error that knows what to do next.
pub trait Advice: Error {
    /// What to do next.
    fn advice(&self) -> Hint;

    /// Whose turn it is.
    fn fault(&self) -> Fault {
        Fault::Environment
    }
}

/// What to do about something that only a wrong program can bring about.
pub const REPORT_DEFECT: &str =
    "this is a bug in hostssl: report it with the command that you ran and what was printed";

/// An error with its causes, each said once.
#[must_use]
pub fn chain(error: &dyn Error) -> String {
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

#[cfg(test)]
mod tests {
    use super::*;
    use std::fmt;

    #[derive(Debug)]
    struct Link(&'static str, Option<Box<Link>>);

    impl fmt::Display for Link {
        fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str(self.0)
        }
    }

    impl Error for Link {
        fn source(&self) -> Option<&(dyn Error + 'static)> {
            self.1.as_deref().map(|link| link as &dyn Error)
        }
    }

    #[test]
    fn a_cause_that_is_said_already_is_not_said_again() {
        let link = |text, cause| Link(text, cause).into();
        let error = Link("no file: denied", Some(link("denied", Some(link("by root", None)))));
        assert_eq!(chain(&error), "no file: denied: by root");
    }
}
