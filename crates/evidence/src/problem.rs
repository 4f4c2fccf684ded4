//! What can be wrong with a pack.

use hostssl_model::{Advice, Fault, Hint};
use std::fmt;

/// A file that cannot be checked at all.
#[derive(Debug, thiserror::Error)]
pub enum InvalidPack {
    /// It has no directory of a ZIP file at its end.
    #[error("it is not a ZIP file, or its end is missing")]
    NotAnArchive,
    /// Its directory cannot be read.
    #[error("its list of files cannot be read: {0}")]
    Damaged(&'static str),
    /// The disk.
    #[error("it cannot be read")]
    Unreadable(#[from] std::io::Error),
}

impl Advice for InvalidPack {
    fn advice(&self) -> Hint {
        "name a file that `hostssl evidence --out FILE` wrote; if it is one, it was damaged: ask for it again".into()
    }

    fn fault(&self) -> Fault {
        Fault::Request
    }
}

/// Something that is not as it was when the pack was written.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum PackProblem {
    /// A file has another content than the manifest says.
    Changed(String),
    /// A file of the manifest is not there.
    Missing(String),
    /// A file is there that is not in the manifest.
    Extra(String),
    /// A file is there several times, so that programs disagree on what it contains.
    Repeated(String),
    /// A file that could not be read, and why.
    Unreadable(String, &'static str),
    /// A line of the manifest that is none.
    Manifest(usize),
    /// The statement cannot be read.
    Statement,
    /// The signature is not valid, and why.
    Signature(&'static str),
    /// Not a file, but the archive around them.
    Archive,
}

impl PackProblem {
    /// One word, and what it is about.
    #[must_use]
    pub fn parts(&self) -> (&'static str, String) {
        match self {
            Self::Changed(name) => ("changed", name.clone()),
            Self::Missing(name) => ("missing", name.clone()),
            Self::Extra(name) => ("extra", name.clone()),
            Self::Repeated(name) => ("repeated", name.clone()),
            Self::Unreadable(name, why) => ("unreadable", format!("{name}: {why}")),
            Self::Manifest(line) => {
                ("changed", format!("{}: line {line} is not a SHA-256 and a name", crate::MANIFEST))
            }
            Self::Statement => ("changed", format!("{}: it is not the statement of a pack", crate::STATEMENT)),
            Self::Signature(why) => ("invalid", format!("{}: {why}", crate::SIGNATURE)),
            Self::Archive => {
                ("changed", "the archive: its bytes are not as hostssl wrote them, whatever the files are".to_owned())
            }
        }
    }
}

impl fmt::Display for PackProblem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (word, what) = self.parts();
        write!(f, "{word}: {what}")
    }
}
