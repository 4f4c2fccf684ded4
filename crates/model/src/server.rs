//! A PostgreSQL server as discovery returned it.

use crate::{Kind, NetworkAccess, ResourceId, SubscriptionId, Tags, coded};
use std::sync::Arc;

coded! {
    /// The part that a server plays in replication.
    #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
    pub enum ReplicationRole {
        /// It neither has nor is a read replica.
        None = "none",
        /// Azure calls it a primary. Newer api-versions say so of any server that is not a replica.
        Primary = "primary",
        /// It is a read replica. Its parameters are its own: a change on the primary does not reach it.
        Replica = "replica",
    }
}

/// The state of a server as Azure names it, such as `Ready` or `Stopped`.
///
/// Azure adds words over time, so a word is kept as it came; only those that change what can be read are asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ServerState(Arc<str>);

impl ServerState {
    /// Takes Azure's word as it came.
    #[must_use]
    pub fn new(word: &str) -> Self {
        Self(word.into())
    }

    /// Azure's word.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether the server is stopped, so that its parameters cannot be read (`ServerStoppedError`).
    #[must_use]
    pub fn is_stopped(&self) -> bool {
        self.0.eq_ignore_ascii_case("Stopped")
    }

    /// Whether the server is still being created, so that it has no parameters yet.
    #[must_use]
    pub fn is_being_created(&self) -> bool {
        self.0.eq_ignore_ascii_case("Provisioning") || self.0.eq_ignore_ascii_case("Creating")
    }
}

/// One server as discovery returned it: facts of the list, no verdict.
#[derive(Debug, Clone)]
pub struct Server {
    /// The full resource id.
    pub id: ResourceId,
    /// What kind of service it is.
    pub kind: Kind,
    /// Azure's location, as spelled: `West Europe` or `westeurope`.
    pub location: Arc<str>,
    /// The state, or `None` where Azure did not say.
    pub state: Option<ServerState>,
    /// The name that clients connect to, or `None` where Azure did not say.
    pub fqdn: Option<Box<str>>,
    /// The part that it plays in replication.
    pub role: ReplicationRole,
    /// The server that it replicates, when it is a replica and Azure says which.
    pub primary: Option<ResourceId>,
    /// Its tags.
    pub tags: Tags,
    /// The name of its administrator in PostgreSQL, where Azure said; a probe of its listeners names that user too.
    pub administrator: Option<Box<str>>,
    /// When Azure made it, as Azure spells it, where Azure said: another server of the same id was made at another
    /// time.
    pub created_at: Option<Box<str>>,
    /// From where it can be reached, as Azure declares it.
    pub network: NetworkAccess,
}

impl Server {
    /// The server's name.
    #[must_use]
    pub fn name(&self) -> &str {
        self.id.name()
    }

    /// The subscription that holds the server.
    #[must_use]
    pub fn subscription(&self) -> SubscriptionId {
        self.id.subscription()
    }
}
