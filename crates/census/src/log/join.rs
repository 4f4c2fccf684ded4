//! Joins the lines of each session: where it came from, who it is, how it was encrypted, when it ended.
//!
//! Memory is bounded: sessions are held in two generations, and the older is settled when the younger is full.

use super::message::{Authorized, ConnectionOrigin, Encryption, Parting};
use super::prefix::SessionKey;
use crate::seed::SeededHash;
use crate::{Backend, Census, Coverage, Doubt, Millis, SessionId, SessionTls, Sighting};
use std::collections::{HashMap, HashSet};

/// Sessions of one generation. PostgreSQL's `max_connections` is some thousands at most.
const MOST_OPEN: usize = 32 << 10;
/// Sessions of one generation that are remembered as counted, so that a file that is read twice counts once.
const MOST_COUNTED: usize = 512 << 10;
/// `authentication_timeout` is ten minutes at most: what was received longer ago is another session of the same process
/// id.
const LONGEST_LOGIN: Millis = 11 * 60 * 1_000;
/// The server accepts a session at once when it is authenticated. What is nearer to the end of the log may be cut off by it.
const AT_ONCE: Millis = 60 * 1_000;
/// The longest application name that a field has: `NAMEDATALEN` less one, 63 bytes.
const LONGEST_FIELD: usize = 63;
/// The longest text that is kept of a name. PostgreSQL's have up to 63 bytes; an application name of the wire is
/// longer.
const LONGEST_NAME: usize = 256;

/// What a line says beside its message.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct LineFacts<'a> {
    pub(super) at: Option<Millis>,
    pub(super) key: Option<SessionKey>,
    /// Where the session comes from, from the prefix or a field.
    pub(super) origin: Option<ConnectionOrigin<'a>>,
    /// The application name of now, from a field.
    pub(super) application: Option<&'a [u8]>,
    /// The line has another reading.
    pub(super) is_ambiguous: bool,
    /// The format has fields of their own for names.
    pub(super) has_fields: bool,
    /// The file, as a source of the census.
    pub(super) source: usize,
}

/// How many connections there were, in words of lines.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct ConnectionTally {
    pub(super) received: u64,
    pub(super) authorized: u64,
    pub(super) disconnected: u64,
    /// Messages that look like one of those, in a language that is not known.
    pub(super) foreign: u64,
    /// Network sessions without an address, because *received* was not logged.
    pub(super) without_origin: u64,
    /// Lines without a key.
    pub(super) without_key: u64,
}

#[derive(Debug, Default)]
pub(super) struct Joiner {
    young: HashMap<SessionKey, Session, SeededHash>,
    old: HashMap<SessionKey, Session, SeededHash>,
    counted: HashSet<SessionKey, SeededHash>,
    counted_before: HashSet<SessionKey, SeededHash>,
    pub(super) tally: ConnectionTally,
    /// When connections were authorized.
    pub(super) logged: Coverage,
    /// The newest line of a session.
    newest: Option<Millis>,
}

#[derive(Debug, Default)]
struct Session {
    /// That it came in was logged.
    is_received: bool,
    received_at: Option<Millis>,
    origin: Option<Place>,
    /// The file in which it was authenticated, and when.
    authenticated: Option<(usize, Option<Millis>)>,
    seen: Option<Box<Seen>>,
}

/// Where a session comes from.
#[derive(Debug)]
enum Place {
    Local,
    Host(Box<[u8]>),
}

/// A session that was authorized.
#[derive(Debug)]
struct Seen {
    source: usize,
    at: Option<Millis>,
    is_replication: bool,
    user: Option<String>,
    database: Option<String>,
    application: Option<String>,
    encryption: Kind,
    doubt: Option<Doubt>,
    /// The application name with what follows it, where it must be compared with the field of a later line.
    claimed: Option<Box<[u8]>>,
}

#[derive(Debug)]
enum Kind {
    None,
    Tls(String, String),
    Gss,
    Unreadable,
}

impl From<ConnectionOrigin<'_>> for Place {
    fn from(origin: ConnectionOrigin<'_>) -> Self {
        match origin {
            ConnectionOrigin::Local => Self::Local,
            ConnectionOrigin::Host(host) => Self::Host(host.into()),
        }
    }
}

impl Joiner {
    /// A connection came in.
    pub(super) fn received(&mut self, line: LineFacts<'_>, origin: ConnectionOrigin<'_>, census: &mut Census) {
        self.tally.received += 1;
        self.newest = self.newest.max(line.at);
        let Some(key) = line.key else {
            self.tally.without_key += 1;
            return;
        };
        if self.is_over(key) {
            return;
        }
        if let Some(session) = self.get(key) {
            let continues = match (&session.seen, session.origin.is_some()) {
                // Files may come in any order: the line that was missing.
                (Some(seen), false) => !key.is_reused() || is_login(line.at, seen.at),
                // The same line once more, or words that a session had logged for itself.
                (Some(_), true) => !key.is_reused(),
                (None, _) => false,
            };
            if continues {
                session.is_received = true;
                if session.origin.is_none() {
                    session.origin = Some(origin.into());
                }
                return;
            }
            self.settle(key, census);
        }
        let origin = Some(origin.into());
        let session = Session { is_received: true, received_at: line.at, origin, ..Session::default() };
        self.insert(key, session, census);
    }

    /// Who it is was proven.
    pub(super) fn authenticated(&mut self, line: LineFacts<'_>, census: &mut Census) {
        self.newest = self.newest.max(line.at);
        let Some(key) = line.key.filter(|key| !self.is_over(*key)) else { return };
        let authenticated = Some((line.source, line.at));
        if let Some(session) = self.get(key) {
            let is_new = key.is_reused() && !is_login(session.received_at, line.at);
            if !is_new || session.seen.is_some() {
                session.authenticated = authenticated;
                return;
            }
            self.settle(key, census);
        }
        let origin = line.origin.map(Place::from);
        self.insert(key, Session { received_at: line.at, origin, authenticated, ..Session::default() }, census);
    }

    /// It was accepted.
    pub(super) fn authorized(&mut self, line: LineFacts<'_>, authorized: &Authorized<'_>, census: &mut Census) {
        self.tally.authorized += 1;
        if let Some(at) = line.at {
            self.logged.observe(at);
        }
        self.newest = self.newest.max(line.at);
        let seen = Box::new(Seen::new(line, authorized));
        let Some(key) = line.key else {
            self.tally.without_key += 1;
            let session = Session { origin: line.origin.map(Place::from), seen: Some(seen), ..Session::default() };
            return self.emit(None, session, census);
        };
        if self.is_over(key) {
            return;
        }
        let mut origin = line.origin.map(Place::from);
        let mut is_received = false;
        if let Some(session) = self.get(key) {
            match &session.seen {
                // A session is authorized once. What looks like a second time is the same line of another file, or
                // words that the session had logged for itself (`RAISE LOG`).
                Some(known) if known.doubt == Some(Doubt::BeganBefore) && !key.is_reused() => {
                    origin = session.origin.take();
                    session.seen = None;
                    session.authenticated = None;
                }
                // A process id comes again: without lines of what came in, another time is another session.
                Some(known) if !key.is_reused() || known.at == seen.at || session.is_received => return,
                Some(_) => {}
                None if !key.is_reused() || is_login(session.received_at, seen.at) => {
                    origin = session.origin.take().or(origin);
                    is_received = session.is_received;
                    session.authenticated = None;
                }
                None => {}
            }
            self.settle(key, census);
        }
        self.insert(key, Session { is_received, origin, seen: Some(seen), ..Session::default() }, census);
    }

    /// It ended.
    pub(super) fn disconnected(&mut self, line: LineFacts<'_>, parting: Option<&Parting<'_>>, census: &mut Census) {
        self.tally.disconnected += 1;
        let Some(key) = line.key else {
            self.tally.without_key += 1;
            return;
        };
        if self.is_over(key) {
            return;
        }
        match self.get(key) {
            Some(session) if session.seen.is_some() => {
                if session.origin.is_none() {
                    session.origin = parting.map(|parting| parting.origin.into()).or(line.origin.map(Place::from));
                }
                if let (Some(seen), Some(application)) = (&mut session.seen, line.application) {
                    seen.compare(application);
                }
            }
            // Its beginning was before the log's. A session that was refused has no such line unless it was authorized.
            known => {
                let origin = known.and_then(|session| session.origin.take());
                let Some(parting) = parting else { return };
                let seen = Seen {
                    source: line.source,
                    at: line.at,
                    is_replication: false,
                    user: parting.user.map(text),
                    database: parting.database.map(text),
                    application: line.application.filter(|name| !name.is_empty()).map(text),
                    encryption: Kind::Unreadable,
                    doubt: Some(Doubt::BeganBefore),
                    claimed: None,
                };
                let origin = origin.unwrap_or_else(|| parting.origin.into());
                let session = Session { origin: Some(origin), seen: Some(Box::new(seen)), ..Session::default() };
                self.insert(key, session, census);
            }
        }
        // A process id may come again at any time. The line of another file that belongs to it can be of this session
        // only if the key is never used again.
        if key.is_reused() || self.get(key).is_some_and(|session| session.is_settled()) {
            self.settle(key, census);
        }
    }

    /// Settles whatever is left.
    pub(super) fn finish(&mut self, census: &mut Census) {
        for generation in [std::mem::take(&mut self.old), std::mem::take(&mut self.young)] {
            for (key, session) in generation {
                self.emit(Some(key), session, census);
            }
        }
    }

    fn get(&mut self, key: SessionKey) -> Option<&mut Session> {
        // Asked twice because the borrow checker does not see that the first is left when it is `None`.
        if self.young.contains_key(&key) { self.young.get_mut(&key) } else { self.old.get_mut(&key) }
    }

    fn insert(&mut self, key: SessionKey, session: Session, census: &mut Census) {
        if self.young.len() >= MOST_OPEN {
            let old = std::mem::replace(&mut self.old, std::mem::take(&mut self.young));
            for (key, session) in old {
                self.count(key, &session);
                self.emit(Some(key), session, census);
            }
        }
        self.young.insert(key, session);
    }

    fn settle(&mut self, key: SessionKey, census: &mut Census) {
        if let Some(session) = self.young.remove(&key).or_else(|| self.old.remove(&key)) {
            self.count(key, &session);
            self.emit(Some(key), session, census);
        }
    }

    /// Remembers a session as counted.
    fn count(&mut self, key: SessionKey, session: &Session) {
        if key.is_reused() || session.seen.is_none() {
            return;
        }
        if self.counted.len() >= MOST_COUNTED {
            self.counted_before = std::mem::take(&mut self.counted);
        }
        self.counted.insert(key);
    }

    /// Whether nothing more can be said of a session. One that is held was not counted, and is found faster: the sets of those
    /// that were are far larger than a processor's cache.
    fn is_over(&self, key: SessionKey) -> bool {
        let is_held = self.young.contains_key(&key) || self.old.contains_key(&key);
        !is_held && self.is_counted(key)
    }

    fn is_counted(&self, key: SessionKey) -> bool {
        !key.is_reused() && (self.counted.contains(&key) || self.counted_before.contains(&key))
    }

    /// A session that was authenticated, and not authorized at once: its end was not logged either, so nothing says how it was
    /// encrypted. The last one may be cut off by the end of the log.
    fn never_authorized(&self, authenticated: Option<(usize, Option<Millis>)>) -> Option<Seen> {
        let (source, at) = authenticated?;
        let is_cut = at.zip(self.newest).is_some_and(|(at, newest)| newest - at < AT_ONCE);
        (!is_cut).then_some(Seen {
            source,
            at,
            is_replication: false,
            user: None,
            database: None,
            application: None,
            encryption: Kind::Unreadable,
            doubt: Some(Doubt::NeverAuthorized),
            claimed: None,
        })
    }

    fn emit(&mut self, key: Option<SessionKey>, session: Session, census: &mut Census) {
        let Some(seen) = session.seen.map_or_else(|| self.never_authorized(session.authenticated), |seen| Some(*seen))
        else {
            return;
        };
        let (tls, mut doubt) = match (&seen.encryption, &session.origin, seen.doubt) {
            (_, _, Some(doubt @ (Doubt::ImitatedTls | Doubt::AmbiguousLine))) => (SessionTls::Unknown, Some(doubt)),
            (_, Some(Place::Local), Some(Doubt::BeganBefore | Doubt::NeverAuthorized)) => (SessionTls::Local, None),
            (_, _, Some(Doubt::BeganBefore | Doubt::NeverAuthorized)) => (SessionTls::Unknown, seen.doubt),
            (Kind::Tls(..), _, doubt) => (SessionTls::Tls, doubt),
            (Kind::Gss, _, _) => (SessionTls::Unknown, Some(Doubt::GssEncrypted)),
            (Kind::Unreadable, _, _) => (SessionTls::Unknown, Some(Doubt::UnknownWording)),
            (Kind::None, Some(Place::Local), doubt) => (SessionTls::Local, doubt),
            (Kind::None, Some(Place::Host(_)), doubt) => (SessionTls::Plaintext, doubt),
            (Kind::None, None, _) => (SessionTls::Unknown, Some(Doubt::NoAddress)),
        };
        if tls == SessionTls::Local {
            doubt = None;
        }
        if session.origin.is_none() {
            self.tally.without_origin += 1;
        }
        let (protocol, cipher) = match seen.encryption {
            Kind::Tls(protocol, cipher) if tls == SessionTls::Tls => (Some(protocol), Some(cipher)),
            _ => (None, None),
        };
        census.add_session(
            seen.source,
            session_id(key, seen.at),
            Sighting {
                user: seen.user,
                database: seen.database,
                application: seen.application,
                address: match session.origin {
                    Some(Place::Host(host)) => Some(text(&host)),
                    Some(Place::Local) | None => None,
                },
                backend: if seen.is_replication { Backend::Replication } else { Backend::Client },
                tls,
                protocol,
                cipher,
                at: seen.at,
                doubt,
            },
        );
    }
}

impl Session {
    /// Nothing that is still to come says more about it.
    fn is_settled(&self) -> bool {
        self.origin.is_some() && self.seen.as_ref().is_some_and(|seen| seen.doubt != Some(Doubt::BeganBefore))
    }
}

impl Seen {
    fn new(line: LineFacts<'_>, authorized: &Authorized<'_>) -> Self {
        let encryption = match authorized.encryption {
            Encryption::None => Kind::None,
            Encryption::Tls { protocol, cipher } => Kind::Tls(text(protocol), text(cipher)),
            Encryption::Gss => Kind::Gss,
            Encryption::Unreadable => Kind::Unreadable,
        };
        let must_compare = line.has_fields && !matches!(encryption, Kind::None);
        Self {
            source: line.source,
            at: line.at,
            is_replication: authorized.is_replication,
            user: authorized.user.map(text),
            database: authorized.database.map(text),
            application: authorized.application.filter(|name| !name.is_empty()).map(text),
            encryption,
            doubt: if line.is_ambiguous { Some(Doubt::AmbiguousLine) } else { authorized.doubt },
            claimed: authorized.application_and_rest.filter(|_| must_compare).map(Into::into),
        }
    }

    /// Compares the application name with the field of a later line of the session, which has its first 63 bytes.
    fn compare(&mut self, field: &[u8]) {
        let (Some(claimed), Some(application)) = (&self.claimed, &self.application) else { return };
        let name = application.as_bytes();
        // The field may end where the name went on into the words.
        if name.len() >= LONGEST_FIELD {
            self.doubt = Some(Doubt::ImitatedTls);
        } else if field == name && self.doubt == Some(Doubt::ImitatedTls) {
            self.doubt = None;
        } else if field.len() > name.len() && claimed.starts_with(field) {
            // The name goes on into the words about TLS: it is the client that wrote them.
            self.doubt = None;
            self.encryption = Kind::None;
            self.application = Some(text(claimed));
        }
    }
}

/// What tells a session from every other.
pub(super) fn session_id(key: Option<SessionKey>, at: Option<Millis>) -> SessionId {
    match key {
        Some(key) if !key.is_reused() => SessionId::of_backend(key.start, key.pid),
        // Sessions without a key that began in one millisecond count as one.
        key => SessionId::of_process(key.map_or(0, |key| key.pid), at),
    }
}

/// Whether something that was received at one time can have been authorized at another.
fn is_login(received: Option<Millis>, authorized: Option<Millis>) -> bool {
    match (received, authorized) {
        (Some(received), Some(authorized)) => (0..=LONGEST_LOGIN).contains(&(authorized - received)),
        // Without times the order of the lines must do.
        _ => true,
    }
}

/// A name as text, with a bound.
pub(super) fn text(bytes: &[u8]) -> String {
    let end = bytes.len().min(LONGEST_NAME);
    String::from_utf8_lossy(bytes.get(..end).unwrap_or_default()).into_owned()
}
