//! Joins the lines of each session: where it came from, who it is, how it was encrypted, when it ended.
//!
//! Memory is bounded: sessions are held in two generations, and the older is settled when the younger is full.

use super::joined_session::{
    JoinedSession, LoggedEncryption, Said, Seen, SessionOrigin, is_login, session_id, shown, text,
};
use super::line_facts::LineFacts;
use super::lost::LostLines;
use super::message::{ConnectionOrigin, Parting};
use super::prefix::SessionKey;
use super::read_lines::ReadLines;
use super::side_by_side::SideBySide;
use super::startup_failure::StartupFailure;
use super::unlogged::UnloggedTimes;
use crate::client_key::KeyRef;
use crate::client_sightings::Look;
use crate::seed::SeededHash;
use crate::{Backend, Census, Coverage, Doubt, Millis, SessionTls};
use std::collections::{HashMap, HashSet};
use std::sync::Arc;

/// Sessions of one generation. PostgreSQL's `max_connections` is some thousands at most.
const MOST_OPEN: usize = 32 << 10;
/// Sessions of one generation that are remembered as counted, so that a file that is read twice counts once.
const MOST_COUNTED: usize = 512 << 10;
/// The server accepts a session at once when it is authenticated. What is nearer to the end of the log may be cut off by it.
const AT_ONCE: Millis = 60 * 1_000;
/// The server ends a session that cannot begin at once. A process id may belong to another one soon.
const ENDS_AT_ONCE: Millis = 5 * 1_000;
/// Sessions that are held with the process id of another.
const MOST_RIVALS: usize = 8;

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
    /// Sessions that have the process id of another one that had not ended, as when an address is taken for it.
    pub(super) torn: u64,
}

#[derive(Debug, Default)]
pub(super) struct Joiner {
    young: HashMap<SessionKey, JoinedSession, SeededHash>,
    old: HashMap<SessionKey, JoinedSession, SeededHash>,
    counted: HashSet<SessionKey, SeededHash>,
    counted_before: HashSet<SessionKey, SeededHash>,
    /// The lines of what was authorized: each is counted once.
    lines: ReadLines,
    pub(super) lost: LostLines,
    pub(super) side_by_side: SideBySide,
    pub(super) unlogged: UnloggedTimes,
    pub(super) tally: ConnectionTally,
    /// When connections were authorized.
    pub(super) logged: Coverage,
    /// The newest line of a session.
    newest: Option<Millis>,
}

impl Joiner {
    /// A connection came in.
    pub(super) fn received(&mut self, line: LineFacts<'_>, origin: ConnectionOrigin<'_>, census: &mut Census) {
        self.tally.received += 1;
        self.lost.received(line, origin);
        self.newest = self.newest.max(line.at);
        let Some(key) = line.key else {
            self.tally.without_key += 1;
            return;
        };
        if self.is_over(key) {
            return;
        }
        let mut is_torn = false;
        let mut unanswered = 0;
        if let Some(session) = self.get(key) {
            if session.seen.is_none() && !session.is_known && key.is_reused() && is_login(session.received_at, line.at)
            {
                unanswered = session.unanswered.saturating_add(1);
            }
            // One from the machine itself and one from the network at once: what is authorized next may be either.
            is_torn = session.seen.is_none()
                && !session.is_known
                && key.is_reused()
                && session
                    .origin
                    .as_ref()
                    .is_some_and(|known| (*known == SessionOrigin::Local) != (origin == ConnectionOrigin::Local))
                && session.received_at.zip(line.at).is_none_or(|(known, at)| (0..=AT_ONCE).contains(&(at - known)));
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
        let origin = Some(SessionOrigin::from(origin)).filter(|_| !is_torn);
        let session =
            JoinedSession { is_received: true, received_at: line.at, unanswered, origin, ..JoinedSession::default() };
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
        let origin = line.origin.map(SessionOrigin::from);
        self.insert(
            key,
            JoinedSession { received_at: line.at, origin, authenticated, ..JoinedSession::default() },
            census,
        );
    }

    /// It was accepted.
    pub(super) fn authorized(&mut self, line: LineFacts<'_>, mut seen: Seen, census: &mut Census) {
        self.tally.authorized += 1;
        if let Some(at) = line.at {
            self.logged.observe(at);
        }
        self.newest = self.newest.max(line.at);
        self.lost.authorized(line.key, line.at);
        self.side_by_side.add(line.source, line.at, line.key.map(|key| key.pid));
        let Some(key) = line.key else {
            self.tally.without_key += 1;
            let session = JoinedSession {
                origin: line.origin.map(SessionOrigin::from),
                seen: Some(Box::new(seen)),
                ..JoinedSession::default()
            };
            return self.emit(None, session, census);
        };
        if self.is_over(key) {
            return;
        }
        let mut origin = line.origin.map(SessionOrigin::from);
        let mut received_at = None;
        let mut is_received = false;
        let mut is_rival = false;
        let mut unanswered = 0;
        if let Some(session) = self.get(key) {
            match &session.seen {
                Some(known) if known.doubt == Some(Doubt::BeganBefore) && !key.is_reused() => {
                    origin = session.origin.take();
                    // Files may come in any order: the end of the session has the name that it took.
                    if let Some(field) = session.seen.take().and_then(|known| known.claimed) {
                        seen.compare(&field);
                    }
                    session.authenticated = None;
                }
                // A session is authorized once. What looks like a second time is the same line of another file, or
                // words that the session had logged for itself (`RAISE LOG`).
                Some(_) if !key.is_reused() => return,
                // Another session has this process id, or the key is none, or the session had these words logged for itself: its
                // end tells.
                Some(known) => {
                    is_rival = session.is_received && !known.says_as(&seen) && session.rivals.len() < MOST_RIVALS
                }
                None if !key.is_reused() || is_login(session.received_at, seen.at) => {
                    origin = session.origin.take().or(origin);
                    is_received = session.is_received;
                    received_at = session.received_at;
                    unanswered = session.unanswered;
                    session.authenticated = None;
                }
                None => {}
            }
        }
        if !self.lines.is_new(key.pid, &seen, origin.as_ref()) && key.is_reused() {
            return self.repeated(key, seen, origin, census);
        }
        if let Some(session) = self.get(key).filter(|_| is_rival) {
            return session.rivals.push((Box::new(seen), origin));
        }
        self.settle(key, census);
        self.insert(
            key,
            JoinedSession {
                is_received,
                received_at,
                unanswered,
                origin,
                seen: Some(Box::new(seen)),
                ..JoinedSession::default()
            },
            census,
        );
    }

    /// It was accepted in a line that another file has too: what else the session has logged, and its end, are those of one that
    /// was counted.
    fn repeated(&mut self, key: SessionKey, seen: Seen, origin: Option<SessionOrigin>, census: &mut Census) {
        let seen = Some(Box::new(seen));
        match self.get(key) {
            Some(session) if session.seen.is_some() => {}
            Some(session) => (session.is_known, session.seen) = (true, seen),
            None => {
                self.insert(key, JoinedSession { is_known: true, origin, seen, ..JoinedSession::default() }, census);
            }
        }
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
        let Self { young, old, lines, .. } = self;
        match young.get_mut(&key).or_else(|| old.get_mut(&key)) {
            Some(session) if session.seen.is_some() => {
                if session.origin.is_none() {
                    session.origin =
                        parting.map(|parting| parting.origin.into()).or(line.origin.map(SessionOrigin::from));
                    if let (Some(seen), Some(origin)) = (&session.seen, &session.origin) {
                        lines.learn(key.pid, seen, origin);
                    }
                }
                let seen = session.seen.as_mut().filter(|seen| seen.doubt != Some(Doubt::BeganBefore));
                if let (Some(seen), Some(application)) = (seen, line.application) {
                    seen.compare(application);
                }
                if let (Some(seen), Some(parting), 0) = (&session.seen, parting, session.unanswered)
                    && seen.has_names(parting)
                {
                    session.rivals.retain(|(rival, _)| rival.has_names(parting));
                }
            }
            // Its beginning was before the log's. A session that was refused has no such line unless it was authorized.
            known => {
                let origin = known.and_then(|session| session.origin.take());
                let Some(parting) = parting else { return };
                let seen = Seen {
                    began: line.at.zip(parting.length).map(|(at, length)| at - length),
                    source: line.source,
                    at: line.at,
                    said: Arc::new(Said {
                        is_replication: false,
                        user: parting.user.map(text),
                        database: parting.database.map(text),
                        application: line.application.filter(|name| !name.is_empty()).map(text),
                        encryption: LoggedEncryption::Unreadable,
                        doubt: None,
                    }),
                    doubt: Some(Doubt::BeganBefore),
                    claimed: line.application.map(Into::into),
                };
                let origin = origin.unwrap_or_else(|| parting.origin.into());
                let session =
                    JoinedSession { origin: Some(origin), seen: Some(Box::new(seen)), ..JoinedSession::default() };
                self.insert(key, session, census);
            }
        }
        // A process id may come again at any time. The line of another file that belongs to it can be of this session
        // only if the key is never used again.
        if key.is_reused() || self.get(key).is_some_and(|session| session.is_settled()) {
            self.settle(key, census);
        }
    }

    /// The server ended it right after it was authorized: a failed attempt, like one with a wrong password, and no client. Only
    /// what is certainly the same session is dropped.
    pub(super) fn not_begun(&mut self, line: LineFacts<'_>, failure: StartupFailure<'_>) {
        let Some(key) = line.key else { return };
        let Some(session) = self.get(key) else { return };
        let Some(seen) = session.seen.as_ref().filter(|_| session.rivals.is_empty()) else { return };
        let is_its_name = match failure {
            StartupFailure::Database(name) => seen.said.database == Some(text(name)),
            StartupFailure::User(name) => seen.said.user == Some(text(name)),
            StartupFailure::Unnamed => true,
        };
        let patience = if key.is_reused() { ENDS_AT_ONCE } else { AT_ONCE };
        let is_at_once = seen.at.zip(line.at).is_some_and(|(began, ended)| (0..=patience).contains(&(ended - began)));
        if !is_its_name || !is_at_once || seen.doubt == Some(Doubt::BeganBefore) {
            return;
        }
        // Anyone may have written this line, so that it hides no client that has to change.
        if line.has_names && !matches!(seen.said.encryption, LoggedEncryption::Tls(..)) {
            return;
        }
        if let Some(session) = self.young.remove(&key).or_else(|| self.old.remove(&key)) {
            self.count(key, &session);
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

    fn get(&mut self, key: SessionKey) -> Option<&mut JoinedSession> {
        // Asked twice because the borrow checker does not see that the first is left when it is `None`.
        if self.young.contains_key(&key) { self.young.get_mut(&key) } else { self.old.get_mut(&key) }
    }

    fn insert(&mut self, key: SessionKey, session: JoinedSession, census: &mut Census) {
        if self.young.len() >= MOST_OPEN {
            let old = std::mem::replace(&mut self.old, std::mem::take(&mut self.young));
            for (key, session) in old {
                if session.seen.is_some() && key.is_reused() {
                    self.lost.forget();
                }
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
    fn count(&mut self, key: SessionKey, session: &JoinedSession) {
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
            began: None,
            source,
            at,
            said: Arc::new(Said {
                is_replication: false,
                user: None,
                database: None,
                application: None,
                encryption: LoggedEncryption::Unreadable,
                doubt: None,
            }),
            doubt: Some(Doubt::NeverAuthorized),
            claimed: None,
        })
    }

    fn emit(&mut self, key: Option<SessionKey>, mut session: JoinedSession, census: &mut Census) {
        let began = session.seen.as_ref().and_then(|seen| seen.at);
        for (rival, origin) in std::mem::take(&mut session.rivals) {
            self.tally.torn += u64::from(is_login(began, rival.at));
            self.emit(key, JoinedSession { origin, seen: Some(rival), ..JoinedSession::default() }, census);
        }
        if session.is_known {
            return;
        }
        let Some(seen) = session.seen.map_or_else(|| self.never_authorized(session.authenticated), |seen| Some(*seen))
        else {
            return;
        };
        let (tls, mut doubt) = match (&seen.said.encryption, &session.origin, seen.doubt) {
            (_, _, Some(doubt @ (Doubt::ImitatedTls | Doubt::AmbiguousLine))) => (SessionTls::Unknown, Some(doubt)),
            (_, Some(SessionOrigin::Local), Some(Doubt::BeganBefore | Doubt::NeverAuthorized)) => {
                (SessionTls::Local, None)
            }
            (_, _, Some(Doubt::BeganBefore | Doubt::NeverAuthorized)) => (SessionTls::Unknown, seen.doubt),
            (LoggedEncryption::Tls(..), _, doubt) => (SessionTls::Tls, doubt),
            (LoggedEncryption::Gss, _, _) => (SessionTls::Unknown, Some(Doubt::GssEncrypted)),
            (LoggedEncryption::Unreadable, _, _) => (SessionTls::Unknown, Some(Doubt::UnknownWording)),
            (LoggedEncryption::None, Some(SessionOrigin::Local), doubt) => (SessionTls::Local, doubt),
            (LoggedEncryption::None, Some(SessionOrigin::Host(_)), doubt) => (SessionTls::Plaintext, doubt),
            (LoggedEncryption::None, None, _) => (SessionTls::Unknown, Some(Doubt::NoAddress)),
        };
        if tls == SessionTls::Local {
            doubt = None;
        }
        match (&session.origin, seen.doubt) {
            (None, _) => self.tally.without_origin += 1,
            (_, Some(Doubt::BeganBefore)) => {
                if let Some((key, began)) = key.zip(seen.began) {
                    self.lost.ended(key, began, seen.source);
                }
            }
            (Some(SessionOrigin::Host(host)), doubt) if doubt != Some(Doubt::NeverAuthorized) => {
                self.lost.answered(host)
            }
            _ => {}
        }
        let (protocol, cipher) = match &seen.said.encryption {
            LoggedEncryption::Tls(protocol, cipher) if tls == SessionTls::Tls => {
                (Some(protocol.as_str()), Some(cipher.as_str()))
            }
            _ => (None, None),
        };
        let Said { is_replication, user, database, application, .. } = &*seen.said;
        let [user, database, application] = [user, database, application].map(|name| name.as_deref());
        let address = match &session.origin {
            Some(SessionOrigin::Host(host)) => Some(shown(host)),
            Some(SessionOrigin::Local) | None => None,
        };
        let backend = if *is_replication { Backend::Replication } else { Backend::Client };
        let id = session_id(key, session.received_at.or(seen.at), doubt == Some(Doubt::NoAddress));
        census.add_look(
            KeyRef { user, database, application, address: address.as_deref(), backend, tls },
            Look { source: seen.source, id, at: seen.at, protocol, cipher, doubt },
        );
    }
}
