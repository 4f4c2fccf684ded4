//! A session as its lines describe it, while they are joined.

use super::line_facts::LineFacts;
use super::lost::LONGEST_LOGIN;
use super::message::{Authorized, ConnectionOrigin, Encryption, Parting};
use super::prefix::SessionKey;
use super::wording::WORDINGS;
use crate::{Doubt, Millis, SessionId};
use std::borrow::Cow;
use std::hash::Hash;
use std::sync::Arc;

/// The longest application name that a field has: `NAMEDATALEN` less one, 63 bytes.
const LONGEST_FIELD: usize = 63;
/// The longest text that is kept of a name. PostgreSQL's have up to 63 bytes; an application name of the wire is
/// longer.
const LONGEST_NAME: usize = 256;

#[derive(Debug, Default)]
pub(super) struct JoinedSession {
    /// That it came in was logged.
    pub(super) is_received: bool,
    pub(super) received_at: Option<Millis>,
    pub(super) origin: Option<SessionOrigin>,
    /// The file in which it was authenticated, and when.
    pub(super) authenticated: Option<(usize, Option<Millis>)>,
    pub(super) seen: Option<Box<Seen>>,
    /// How many more were received just before with the same process id, and not authorized.
    pub(super) unanswered: u8,
    /// What was authorized with the same process id before this one ended, and from where.
    pub(super) rivals: Vec<(Box<Seen>, Option<SessionOrigin>)>,
    /// Its line was read before, in another file.
    pub(super) is_known: bool,
}

/// Where a session comes from.
#[derive(Debug, PartialEq, Eq, Hash)]
pub(super) enum SessionOrigin {
    Local,
    Host(Box<[u8]>),
}

/// A session that was authorized.
#[derive(Debug)]
pub(super) struct Seen {
    /// When it began, where only its end is known.
    pub(super) began: Option<Millis>,
    pub(super) source: usize,
    pub(super) at: Option<Millis>,
    /// What its message says, which is the same for many sessions.
    pub(super) said: Arc<Said>,
    pub(super) doubt: Option<Doubt>,
    /// The application name with what follows it, where it must be compared with the field of a later line. Where only the end of the
    /// session is known, that field.
    pub(super) claimed: Option<Box<[u8]>>,
}

/// What the message of an authorized session says.
#[derive(Debug, Clone)]
pub(super) struct Said {
    pub(super) is_replication: bool,
    pub(super) user: Option<String>,
    pub(super) database: Option<String>,
    pub(super) application: Option<String>,
    pub(super) encryption: LoggedEncryption,
    pub(super) doubt: Option<Doubt>,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) enum LoggedEncryption {
    None,
    Tls(String, String),
    Gss,
    Unreadable,
}

impl From<ConnectionOrigin<'_>> for SessionOrigin {
    fn from(origin: ConnectionOrigin<'_>) -> Self {
        match origin {
            ConnectionOrigin::Local => Self::Local,
            ConnectionOrigin::Host(host) => Self::Host(host.into()),
        }
    }
}

impl JoinedSession {
    /// Nothing that is still to come says more about it.
    pub(super) fn is_settled(&self) -> bool {
        self.origin.is_some() && self.seen.as_ref().is_some_and(|seen| seen.doubt != Some(Doubt::BeganBefore))
    }
}

impl Said {
    pub(super) fn new(authorized: &Authorized<'_>) -> Self {
        let encryption = match authorized.encryption {
            Encryption::None => LoggedEncryption::None,
            Encryption::Tls { protocol, cipher } => LoggedEncryption::Tls(text(protocol), text(cipher)),
            Encryption::Gss => LoggedEncryption::Gss,
            Encryption::Unreadable => LoggedEncryption::Unreadable,
        };
        Self {
            is_replication: authorized.is_replication,
            user: authorized.user.map(text),
            database: authorized.database.map(text),
            application: authorized.application.filter(|name| !name.is_empty()).map(text),
            encryption,
            doubt: authorized.doubt,
        }
    }

    /// All that it says, without what is in doubt of it.
    pub(super) fn parts(&self) -> impl Hash + PartialEq + '_ {
        (&self.user, &self.database, &self.application, &self.encryption, self.is_replication)
    }
}

impl Seen {
    pub(super) fn new(line: LineFacts<'_>, authorized: &Authorized<'_>) -> Self {
        let must_compare = line.has_fields && !matches!(authorized.encryption, Encryption::None);
        let claimed = authorized.application_and_rest.filter(|_| must_compare).map(Into::into);
        Self { claimed, ..Self::of(line, Arc::new(Said::new(authorized))) }
    }

    /// A session whose message says this, in a log without fields of their own for names.
    pub(super) fn of(line: LineFacts<'_>, said: Arc<Said>) -> Self {
        let doubt = if line.is_ambiguous { Some(Doubt::AmbiguousLine) } else { said.doubt };
        Self { began: None, source: line.source, at: line.at, said, doubt, claimed: None }
    }

    /// Whether the names of the session's end are its own.
    pub(super) fn has_names(&self, parting: &Parting<'_>) -> bool {
        parting.user.is_some()
            && is_name(self.said.user.as_deref(), parting.user)
            && (self.said.is_replication || is_name(self.said.database.as_deref(), parting.database))
    }

    /// Whether both lines say the same.
    pub(super) fn says_as(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.said, &other.said) || self.said.parts() == other.said.parts()
    }

    /// Compares the application name with the field of a later line of the session, which has its first 63 bytes.
    pub(super) fn compare(&mut self, field: &[u8]) {
        let Some(claimed) = &self.claimed else { return };
        // The words may be the whole name.
        let name = self.said.application.as_deref().unwrap_or_default().as_bytes();
        // The field may end where the name went on into the words.
        if name.len() >= LONGEST_FIELD {
            self.doubt = Some(Doubt::ImitatedTls);
        } else if field == name && self.doubt == Some(Doubt::ImitatedTls) {
            self.doubt = None;
        } else if field.len() > name.len() && claimed.starts_with(field) {
            // The name goes on into the words about TLS: it is the client that wrote them.
            self.doubt = None;
            let said = Arc::make_mut(&mut self.said);
            said.encryption = LoggedEncryption::None;
            said.application = Some(text(claimed));
        }
    }
}

/// Whether an application name is another with the server's words about TLS behind it, of which the field may have the beginning.
pub(crate) fn speaks_of_tls_behind(name: &str, field: &str) -> bool {
    let Some(rest) = field.strip_prefix(name).filter(|rest| !rest.is_empty()) else { return false };
    let is_cut = field.len() >= LONGEST_FIELD;
    WORDINGS.iter().any(|wording| {
        let words = wording.ssl[0];
        rest.starts_with(words) || (is_cut && words.starts_with(rest))
    })
}

/// What tells a session from every other. One with a process id alone began in the second in which it came in: so a file of
/// another format, or of another run, that has the whole key says the same.
pub(super) fn session_id(key: Option<SessionKey>, came_in: Option<Millis>, is_without_address: bool) -> SessionId {
    let second = came_in.and_then(|at| u64::try_from(at.div_euclid(1_000)).ok());
    match (key, second) {
        (Some(key), _) if !key.is_reused() => SessionId::of_backend(key.start, key.pid),
        (Some(key), Some(second)) => SessionId::of_backend(second, key.pid),
        // Sessions without a key that began in one millisecond count as one. But one without an address is not taken for another
        // that has one, which would explain it.
        (key, _) => {
            let apart = u32::from(is_without_address) << 31;
            SessionId::of_process(key.map_or(0, |key| key.pid) ^ apart, came_in)
        }
    }
}

/// Whether something that was received at one time can have been authorized at another.
pub(super) fn is_login(received: Option<Millis>, authorized: Option<Millis>) -> bool {
    match (received, authorized) {
        (Some(received), Some(authorized)) => (0..=LONGEST_LOGIN).contains(&(authorized - received)),
        // Without times the order of the lines must do.
        _ => true,
    }
}

/// A name as text, with a bound.
pub(super) fn text(bytes: &[u8]) -> String {
    shown(bytes).into_owned()
}

/// The same where it lies.
pub(super) fn shown(bytes: &[u8]) -> Cow<'_, str> {
    let end = bytes.len().min(LONGEST_NAME);
    String::from_utf8_lossy(bytes.get(..end).unwrap_or_default())
}

/// Whether a name is the one of a message.
fn is_name(name: Option<&str>, said: Option<&[u8]>) -> bool {
    name == said.map(shown).as_deref()
}
