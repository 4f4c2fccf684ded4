//! What a server exposes once it is less strict, in the same words wherever someone decides about it.

use super::{Step, StepEffect};
use crate::Direction;
use hostssl_model::{Floor, Meaning, TlsVersion};

/// What a server exposes once a setting of it is less strict, the worst first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Exposure {
    /// It accepts clients without TLS.
    Plaintext,
    /// It accepts a TLS version with known weaknesses.
    WeakTls,
    /// It accepts an older TLS version, without known weaknesses.
    OlderTls,
    /// The value is none that this program knows.
    Unknown,
}

impl Exposure {
    /// What a setting that means this exposes, when it is less strict than before.
    pub(crate) fn of(after: Option<Meaning>) -> Self {
        match after {
            Some(Meaning::Enforced(_)) => Self::Plaintext,
            Some(Meaning::Floor(Floor::At(version))) if version >= TlsVersion::Tls1_2 => Self::OlderTls,
            Some(Meaning::Floor(_)) => Self::WeakTls,
            Some(_) => Self::OlderTls,
            None => Self::Unknown,
        }
    }

    /// What the server does then: it comes after "will".
    #[must_use]
    pub fn effect(self) -> &'static str {
        match self {
            Self::Plaintext => "accept connections without TLS",
            Self::WeakTls | Self::OlderTls => "accept older TLS versions",
            Self::Unknown => "have a value that this version of hostssl does not know",
        }
    }

    /// What that means for clients and data.
    #[must_use]
    pub fn consequence(self) -> &'static str {
        match self {
            Self::Plaintext => "passwords, statements and rows of clients without TLS cross the network in plaintext",
            Self::WeakTls => "clients may use a TLS version with known weaknesses",
            Self::OlderTls => "clients may use an older TLS version than today",
            Self::Unknown => "clients may be accepted that are refused today",
        }
    }
}

impl Step {
    /// What its server exposes after it, or after its undo; `None` where that makes it no less strict.
    #[must_use]
    pub fn exposes(&self, direction: Direction) -> Option<Exposure> {
        let (before, after) = self.values(direction);
        let may_loosen = StepEffect::of(self.parameter, before, after).may_loosen();
        may_loosen.then(|| Exposure::of(self.parameter.meaning(after)))
    }
}
