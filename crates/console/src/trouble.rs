//! What kept a piece of work from its end, in the words that pages show.

use hostssl_model::{Advice, Hint, chain};

/// What happened, and what to do about it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Trouble {
    /// What happened, as a lowercase fragment.
    pub what: String,
    /// What to do next, as a lowercase fragment.
    pub hint: Hint,
}

impl Trouble {
    /// From the two fragments.
    pub fn new(what: impl Into<String>, hint: impl Into<Hint>) -> Self {
        Self { what: what.into(), hint: hint.into() }
    }
}

impl<E: Advice> From<E> for Trouble {
    fn from(error: E) -> Self {
        Self { what: chain(&error), hint: error.advice() }
    }
}
