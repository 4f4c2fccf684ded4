//! Where what is kept is: a directory of this machine, which may be a copy of a store that several machines share.

use crate::SharedLog;
use std::ops::Deref;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// A state directory, and the shared store that it is a copy of, if it is one.
#[derive(Debug, Clone)]
pub struct StateDirectory {
    path: PathBuf,
    shared: Option<Arc<dyn SharedLog>>,
}

impl StateDirectory {
    /// A directory that is a copy of a shared store, or is to become one.
    #[must_use]
    pub fn copy_of(path: PathBuf, log: Arc<dyn SharedLog>) -> Self {
        Self { path, shared: Some(log) }
    }

    /// The directory.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The store that it is a copy of.
    #[must_use]
    pub fn shared(&self) -> Option<&Arc<dyn SharedLog>> {
        self.shared.as_ref()
    }
}

impl Deref for StateDirectory {
    type Target = Path;

    fn deref(&self) -> &Path {
        &self.path
    }
}

impl From<PathBuf> for StateDirectory {
    fn from(path: PathBuf) -> Self {
        Self { path, shared: None }
    }
}

impl From<&Path> for StateDirectory {
    fn from(path: &Path) -> Self {
        path.to_path_buf().into()
    }
}

impl From<&PathBuf> for StateDirectory {
    fn from(path: &PathBuf) -> Self {
        path.clone().into()
    }
}

impl From<&Self> for StateDirectory {
    fn from(directory: &Self) -> Self {
        directory.clone()
    }
}
