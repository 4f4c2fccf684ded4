//! The files of roots that targets name (libpq's `sslrootcert`), as their reader has read them.

use std::collections::HashMap;
use std::sync::{Arc, PoisonError, RwLock};

use hostssl_certificate::RootStore;

/// Roots by the name that connection strings give them. Clones share them: reading targets adds what they name while
/// a prober is at work. This crate reads no files.
#[derive(Clone, Debug, Default)]
pub struct RootFiles(Arc<RwLock<HashMap<String, Arc<[RootStore]>>>>);

impl RootFiles {
    /// Makes `roots` those of the targets whose `sslrootcert` is `name`.
    pub fn insert(&self, name: impl Into<String>, roots: Arc<[RootStore]>) {
        self.0.write().unwrap_or_else(PoisonError::into_inner).insert(name.into(), roots);
    }

    /// The roots that `name` stands for.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<Arc<[RootStore]>> {
        self.0.read().unwrap_or_else(PoisonError::into_inner).get(name).cloned()
    }
}
