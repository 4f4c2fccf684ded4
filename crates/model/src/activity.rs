//! Who did what to a server, by Azure's Activity Log.

use crate::ResourceId;
use std::fmt;
use std::sync::Arc;

/// One operation on a server that the Activity Log has.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Activity {
    /// The server that it was on, or above what it was on.
    pub server: ResourceId,
    /// When it began: RFC 3339 in UTC, with microseconds, so that texts sort by time.
    pub at: Arc<str>,
    /// What was done.
    pub act: Act,
    /// The operation as Azure's roles name it, such as `Microsoft.DBforPostgreSQL/flexibleServers/configurations/write`.
    pub operation: Arc<str>,
    /// How it ended.
    pub end: ActivityEnd,
    /// Who asked for it.
    pub caller: Caller,
    /// The ids that Azure gave the request: that of the answer to it, and that of all that belongs together.
    pub requests: Vec<Arc<str>>,
}

impl Activity {
    /// Whether Azure gave the request this id.
    #[must_use]
    pub fn is_request(&self, id: &str) -> bool {
        self.requests.iter().any(|request| request.eq_ignore_ascii_case(id))
    }
}

/// What was done to a server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Act {
    /// A setting was written, by its name.
    Setting(Arc<str>),
    /// The server was made or changed. The log does not tell a restore from a creation.
    Write,
    /// The server was deleted.
    Delete,
    /// Something else was done with the server itself, such as `stop`.
    Action(Arc<str>),
    /// Something that belongs to the server was written or deleted, such as `firewallRules/office`.
    Part(Arc<str>),
}

impl fmt::Display for Act {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Setting(name) | Self::Action(name) | Self::Part(name) => f.write_str(name),
            Self::Write => f.write_str("server created or changed"),
            Self::Delete => f.write_str("server deleted"),
        }
    }
}

/// How an operation ended, as far as the log says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ActivityEnd {
    /// It succeeded.
    Succeeded,
    /// It was refused or failed.
    Failed,
    /// The log has its beginning alone: it is in progress, or its end is not in the log yet.
    Unknown,
}

impl ActivityEnd {
    /// The word in formats.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Succeeded => "succeeded",
            Self::Failed => "failed",
            Self::Unknown => "unknown",
        }
    }
}

/// Who asked for an operation, as the event names them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Caller {
    /// What they are.
    pub kind: CallerKind,
    /// A user principal name, the name of a managed identity, or the id of an application; empty where the event has none.
    pub name: Arc<str>,
    /// The object id in Microsoft Entra ID.
    pub object_id: Option<Arc<str>>,
    /// What a person used, where that is known.
    pub tool: Option<&'static str>,
}

/// What a caller is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CallerKind {
    /// A person.
    Person,
    /// A service principal, such as that of a pipeline.
    Application,
    /// A managed identity, such as that of a policy assignment.
    ManagedIdentity,
    /// The event does not say.
    Unknown,
}

impl CallerKind {
    /// The word in formats.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Person => "person",
            Self::Application => "application",
            Self::ManagedIdentity => "managed-identity",
            Self::Unknown => "unknown",
        }
    }
}

impl fmt::Display for Caller {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.kind {
            _ if self.name.is_empty() => f.write_str("a caller that the event does not name"),
            CallerKind::Person | CallerKind::Unknown => f.write_str(&self.name),
            CallerKind::Application => write!(f, "application {}", self.name),
            CallerKind::ManagedIdentity => write!(f, "managed identity {}", self.name),
        }?;
        self.tool.map_or(Ok(()), |tool| write!(f, " ({tool})"))
    }
}
