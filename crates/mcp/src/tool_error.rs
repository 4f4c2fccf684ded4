//! Why a tool has no answer.

use hostssl_model::Hint;
use std::error::Error;

/// Why there is no answer, and what to do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ToolTrouble {
    /// What happened.
    pub what: String,
    /// What to do; empty when it is not known.
    pub hint: Hint,
}

impl ToolTrouble {
    /// Something that keeps a tool from its work.
    pub fn new(what: impl Into<String>, hint: impl Into<Hint>) -> Self {
        Self { what: what.into(), hint: hint.into() }
    }

    /// Something that only a wrong program can bring about.
    pub(crate) fn defect(error: &dyn Error) -> Self {
        Self::new(error.to_string(), hostssl_model::REPORT_DEFECT)
    }
}
