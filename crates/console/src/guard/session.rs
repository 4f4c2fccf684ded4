//! Who is signed in: sessions, one-time links, and the cookie.

use crate::options::ConsoleOptions;
use crate::user_role::Role;
use axum::http::header::COOKIE;
use axum::http::{HeaderMap, HeaderValue};
use hostssl_model::untrusted::is_harmful;
use sha2::{Digest, Sha256};
use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// How long a session lasts: a working day.
const LIFETIME: Duration = Duration::from_secs(12 * 3600);
/// How long an unused session lasts.
const IDLE: Duration = Duration::from_secs(4 * 3600);
/// How long a one-time link can be used.
const LINK_LIFETIME: Duration = Duration::from_secs(3600);
/// Sessions at once; beyond, the person's oldest ends, or else the oldest.
const MAX_SESSIONS: usize = 2000;
/// Unused links at once; beyond, the oldest ends.
const MAX_LINKS: usize = 1000;
/// The longest name of a person, in bytes.
const MAX_NAME: usize = 200;

/// Who signs in, and what they may do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct SessionUser {
    /// How pages, approvals and the journal call the person; `None` for the holder of the first link of a console that names
    /// no one.
    pub(crate) name: Option<String>,
    pub(crate) role: Role,
}

impl SessionUser {
    /// Someone with a name.
    pub(crate) fn named(name: &str, role: Role) -> Self {
        Self { name: Some(name.to_owned()), role }
    }

    /// The person who starts the console without names.
    pub(crate) fn local() -> Self {
        Self { name: None, role: Role::Approver }
    }

    /// The name for pages and records.
    pub(crate) fn person(&self) -> &str {
        self.name.as_deref().unwrap_or("local user")
    }
}

/// Whether a person can be called so: not empty, up to 200 bytes, nothing invisible.
#[must_use]
pub fn is_name(name: &str) -> bool {
    !name.trim().is_empty() && name.len() <= MAX_NAME && !name.contains(is_harmful)
}

/// Someone who is signed in.
#[derive(Debug, Clone)]
pub(crate) struct Session(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    /// Its name on pages, which opens nothing.
    id: String,
    identity: SessionUser,
    /// Whether a proxy signs this person in, with every request.
    by_proxy: bool,
    token: String,
    began: Instant,
    /// Seconds from its beginning to its last request.
    used: AtomicU64,
}

impl Session {
    /// Its name on pages.
    pub(crate) fn id(&self) -> &str {
        &self.0.id
    }

    /// Who it is.
    pub(crate) fn identity(&self) -> &SessionUser {
        &self.0.identity
    }

    /// How pages and approvals call the person.
    pub(crate) fn person(&self) -> &str {
        self.0.identity.person()
    }

    /// The person's own name, for the journal, beside the identity that writes to Azure.
    pub(crate) fn name(&self) -> Option<&str> {
        self.0.identity.name.as_deref()
    }

    /// What the person may do.
    pub(crate) fn role(&self) -> Role {
        self.0.identity.role
    }

    /// Whether a proxy signs this person in.
    pub(crate) fn by_proxy(&self) -> bool {
        self.0.by_proxy
    }

    /// The token that forms carry.
    pub(crate) fn token(&self) -> &str {
        &self.0.token
    }

    /// Whether this is the token, told without a comparison whose time depends on it.
    pub(crate) fn is_token(&self, token: &str) -> bool {
        digest(token) == digest(&self.0.token)
    }

    /// How long ago it began.
    pub(crate) fn age(&self) -> Duration {
        self.0.began.elapsed()
    }

    /// How long it has not been used.
    pub(crate) fn idle(&self) -> Duration {
        self.age().saturating_sub(Duration::from_secs(self.0.used.load(Ordering::Relaxed)))
    }

    fn is_live(&self) -> bool {
        self.age() < LIFETIME && self.idle() < IDLE
    }
}

/// A one-time link.
#[derive(Debug)]
struct Link {
    made: Instant,
    /// The session that made it; none made those of the terminal.
    maker: Option<String>,
    identity: SessionUser,
}

/// Sessions and links, each under the SHA-256 of its secret: the memory of this process holds none that could be used.
#[derive(Debug, Default)]
pub(crate) struct SessionStore {
    sessions: Mutex<HashMap<[u8; 32], Session>>,
    links: Mutex<HashMap<[u8; 32], Link>>,
}

impl SessionStore {
    /// A new one-time token that signs in this person, made by a session or on the terminal.
    ///
    /// # Errors
    ///
    /// When the system gives no random bytes.
    pub(crate) fn new_link(&self, identity: SessionUser, maker: Option<&Session>) -> Result<String, getrandom::Error> {
        let token = secret()?;
        let mut links = lock(&self.links);
        links.retain(|_, link| link.made.elapsed() < LINK_LIFETIME);
        if links.len() >= MAX_LINKS {
            let oldest = links.iter().min_by_key(|(_, link)| link.made).map(|(key, _)| *key);
            oldest.map(|key| links.remove(&key));
        }
        links.insert(
            digest(&token),
            Link { made: Instant::now(), maker: maker.map(|maker| maker.id().to_owned()), identity },
        );
        Ok(token)
    }

    /// Whom a one-time token signs in, if it is unused and still holds.
    pub(crate) fn whose(&self, token: &str) -> Option<SessionUser> {
        let links = lock(&self.links);
        links.get(&digest(token)).filter(|link| link.made.elapsed() < LINK_LIFETIME).map(|link| link.identity.clone())
    }

    /// Signs in by a one-time token, which is used up; returns the secret for the cookie.
    pub(crate) fn sign_in(&self, token: &str) -> Option<(String, Session)> {
        let link = lock(&self.links).remove(&digest(token))?;
        if link.made.elapsed() >= LINK_LIFETIME {
            return None;
        }
        self.begin(link.identity, false)
    }

    /// Begins a session.
    pub(super) fn begin(&self, identity: SessionUser, by_proxy: bool) -> Option<(String, Session)> {
        let (secret, token, id) = (secret().ok()?, secret().ok()?, secret().ok()?);
        let id = id.get(..16)?.to_owned();
        let (began, used) = (Instant::now(), AtomicU64::new(0));
        let session = Session(Arc::new(Inner { id, identity, by_proxy, token, began, used }));
        let mut sessions = lock(&self.sessions);
        sessions.retain(|_, session| session.is_live());
        if sessions.len() >= MAX_SESSIONS {
            // A client without cookies, such as a check of health behind the proxy, pushes out no one else.
            let oldest = sessions
                .iter()
                .min_by_key(|(_, other)| (other.person() != session.person(), other.0.began))
                .map(|(key, _)| *key);
            oldest.map(|key| sessions.remove(&key));
        }
        sessions.insert(digest(&secret), session.clone());
        Some((secret, session))
    }

    /// The session of a secret, which is used now.
    pub(super) fn find(&self, secret: &str) -> Option<Session> {
        let session = lock(&self.sessions).get(&digest(secret)).filter(|session| session.is_live()).cloned()?;
        session.0.used.store(session.age().as_secs(), Ordering::Relaxed);
        Some(session)
    }

    /// Every session, the one that was used last first.
    pub(crate) fn all(&self) -> Vec<Session> {
        let mut all: Vec<Session> =
            lock(&self.sessions).values().filter(|session| session.is_live()).cloned().collect();
        all.sort_by_key(|session| (session.idle(), session.age()));
        all
    }

    /// What the person of a name may do, where someone is called so already: the roles of their sessions and links.
    pub(crate) fn roles_of(&self, name: &str) -> Vec<Role> {
        let name = plain(name);
        let is_named = |user: &&SessionUser| user.name.as_deref().is_some_and(|other| plain(other) == name);
        let sessions = self.all();
        let links = lock(&self.links);
        let held = links.values().filter(|link| link.made.elapsed() < LINK_LIFETIME).map(|link| &link.identity);
        sessions.iter().map(Session::identity).chain(held).filter(is_named).map(|user| user.role).collect()
    }

    /// Ends the session that pages call so; its person has left, and the links that they made for others still hold.
    pub(crate) fn sign_out(&self, id: &str) {
        lock(&self.sessions).retain(|_, other| other.id() != id);
    }

    /// Takes the access of a session away: ends it, and with it the unused links that it made and those for its person, which
    /// would bring the person back.
    pub(crate) fn end(&self, id: &str) {
        let ended = lock(&self.sessions).values().find(|session| session.id() == id).cloned();
        self.sign_out(id);
        if let Some(ended) = ended {
            let called = |user: &SessionUser| user.name.as_deref().map(plain);
            let name = called(ended.identity());
            lock(&self.links).retain(|_, link| link.maker.as_deref() != Some(id) && called(&link.identity) != name);
        }
    }
}

/// Names that people take for one are one here.
fn plain(name: &str) -> String {
    name.trim().to_lowercase()
}

/// The cookie's name. Cookies do not tell ports apart, so the port is part of it: two consoles on one machine do not sign
/// each other out. `__Host-` makes browsers hold to Secure, this host, and the whole path (RFC 6265bis, 4.1.3.2).
pub(crate) fn cookie_name(options: &ConsoleOptions, port: u16) -> String {
    if options.is_secure() { format!("__Host-hostssl-{port}") } else { format!("hostssl-{port}") }
}

/// The header that gives the browser its session; an empty secret takes it away.
pub(crate) fn session_cookie(options: &ConsoleOptions, port: u16, secret: &str) -> Option<HeaderValue> {
    let name = cookie_name(options, port);
    let secure = if options.is_secure() { "; Secure" } else { "" };
    let age = if secret.is_empty() { 0 } else { LIFETIME.as_secs() };
    HeaderValue::from_str(&format!("{name}={secret}; Path=/; Max-Age={age}; HttpOnly; SameSite=Strict{secure}")).ok()
}

/// Every cookie of this name: another program on this host can set one that stands before the console's own.
pub(crate) fn cookies<'a>(headers: &'a HeaderMap, name: &'a str) -> impl Iterator<Item = &'a str> {
    let lines = headers.get_all(COOKIE).iter().filter_map(|line| line.to_str().ok());
    let pairs = lines.flat_map(|line| line.split(';')).filter_map(|pair| pair.trim().split_once('='));
    // More of them than any browser keeps for one host are someone's attempt at guessing.
    pairs.filter(move |(key, _)| *key == name).map(|(_, value)| value).take(8)
}

fn secret() -> Result<String, getrandom::Error> {
    let mut bytes = [0_u8; 32];
    getrandom::fill(&mut bytes)?;
    Ok(hostssl_model::hex(&bytes))
}

fn digest(text: &str) -> [u8; 32] {
    Sha256::digest(text).into()
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_link_signs_in_once_and_as_whom_it_was_made_for() {
        let sessions = SessionStore::default();
        let ada = SessionUser::named("ada", Role::Planner);
        let token = sessions.new_link(ada.clone(), None).unwrap();
        assert!(sessions.sign_in("something else").is_none());
        assert_eq!(sessions.whose(&token), Some(ada.clone()));
        let (secret, _) = sessions.sign_in(&token).unwrap();
        assert!(sessions.whose(&token).is_none() && sessions.sign_in(&token).is_none());
        let session = sessions.find(&secret).unwrap();
        assert_eq!((session.identity(), session.name(), session.role()), (&ada, Some("ada"), Role::Planner));
        assert!(session.is_token(session.token()) && !session.is_token(&secret));
        assert_eq!(sessions.all().len(), 1);
        // What pages call it opens nothing.
        assert!(sessions.find(session.id()).is_none());
        sessions.end(session.id());
        assert!(sessions.find(&secret).is_none() && sessions.all().is_empty());
    }

    #[test]
    fn whoever_is_put_out_has_no_link_to_come_back_by() {
        let sessions = SessionStore::default();
        let [vera, ada] = ["vera", "ada"].map(|name| SessionUser::named(name, Role::Viewer));
        let begin = |identity: &SessionUser| sessions.begin(identity.clone(), false).unwrap().1;
        let link = |identity: &SessionUser, maker| sessions.new_link(identity.clone(), maker).unwrap();
        let (mine, hers) = (begin(&vera), begin(&ada));
        let (elsewhere, for_another) =
            (link(&vera, Some(&mine)), link(&SessionUser::named("eve", Role::Viewer), Some(&mine)));
        let (from_the_terminal, of_ada) = (link(&vera, None), link(&ada, Some(&hers)));
        sessions.sign_out(mine.id());
        assert!([&elsewhere, &for_another, &from_the_terminal].iter().all(|token| sessions.whose(token).is_some()));
        let mine = begin(&vera);
        let (elsewhere, for_another) =
            (link(&vera, Some(&mine)), link(&SessionUser::named("eve", Role::Viewer), Some(&mine)));
        sessions.end(mine.id());
        assert!([&elsewhere, &for_another, &from_the_terminal].iter().all(|token| sessions.whose(token).is_none()));
        assert_eq!(sessions.whose(&of_ada), Some(ada));
    }

    #[test]
    fn a_name_has_the_roles_of_its_sessions_and_links() {
        let sessions = SessionStore::default();
        assert!(sessions.roles_of("ada").is_empty());
        let token = sessions.new_link(SessionUser::named("Ada ", Role::Viewer), None).unwrap();
        assert_eq!(sessions.roles_of("ada"), [Role::Viewer]);
        sessions.sign_in(&token).unwrap();
        assert_eq!(sessions.roles_of(" ADA"), [Role::Viewer]);
        sessions.new_link(SessionUser::local(), None).unwrap();
        assert!(sessions.roles_of("local user").is_empty());
    }

    #[test]
    fn there_are_never_too_many_sessions_and_nobody_pushes_out_others() {
        let sessions = SessionStore::default();
        let begin = |name: &str, by_proxy| sessions.begin(SessionUser::named(name, Role::Viewer), by_proxy).unwrap();
        let (first, _) = begin("first", false);
        let (own, _) = begin("another", true);
        for _ in 0..MAX_SESSIONS {
            begin("another", true);
        }
        assert_eq!(lock(&sessions.sessions).len(), MAX_SESSIONS);
        assert!(sessions.find(&first).is_some() && sessions.find(&own).is_none());
        // Where everyone is someone else, the oldest ends.
        for n in 0..MAX_SESSIONS {
            begin(&format!("person {n}"), true);
        }
        assert_eq!(lock(&sessions.sessions).len(), MAX_SESSIONS);
        assert!(sessions.find(&first).is_none());
    }

    #[test]
    fn links_that_nobody_uses_do_not_pile_up() {
        let sessions = SessionStore::default();
        let first = sessions.new_link(SessionUser::local(), None).unwrap();
        for _ in 0..MAX_LINKS {
            sessions.new_link(SessionUser::local(), None).unwrap();
        }
        assert_eq!(lock(&sessions.links).len(), MAX_LINKS);
        assert!(sessions.whose(&first).is_none());
    }

    #[test]
    fn a_cookie_of_another_program_hides_none() {
        let mut headers = HeaderMap::new();
        headers.append(COOKIE, HeaderValue::from_static("hostssl-1=theirs; other=x"));
        headers.append(COOKIE, HeaderValue::from_static("hostssl-1=ours"));
        assert_eq!(cookies(&headers, "hostssl-1").collect::<Vec<_>>(), ["theirs", "ours"]);
    }

    #[test]
    fn names_are_short_and_visible() {
        assert!(is_name("Ada Lovelace") && is_name("ada@contoso.example"));
        for name in ["", "  ", "a\u{202e}b", "a\nb", &"a".repeat(MAX_NAME + 1)] {
            assert!(!is_name(name), "{name:?}");
        }
    }
}
