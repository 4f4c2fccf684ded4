//! Who is signed in: sessions, one-time links, and the cookie.

use crate::options::Options;
use axum::http::header::COOKIE;
use axum::http::{HeaderMap, HeaderValue};
use sha2::{Digest, Sha256};
use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// How long a session lasts: a working day.
const LIFETIME: Duration = Duration::from_secs(12 * 3600);
/// How long a one-time link can be used.
const LINK_LIFETIME: Duration = Duration::from_secs(3600);
/// Sessions at once; beyond, the person's oldest ends, or else the oldest.
const MAX_SESSIONS: usize = 2000;

/// Somebody who is signed in.
#[derive(Debug, Clone)]
pub(crate) struct Session(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    person: String,
    /// Whether a proxy signs this person in, with every request.
    by_proxy: bool,
    token: String,
    began: Instant,
}

impl Session {
    /// How pages, approvals and the journal call the person.
    pub(crate) fn person(&self) -> &str {
        &self.0.person
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
}

/// Sessions and links, each under the SHA-256 of its secret: the memory of this process holds none that could be used.
#[derive(Debug, Default)]
pub(crate) struct Sessions {
    sessions: Mutex<HashMap<[u8; 32], Session>>,
    links: Mutex<HashMap<[u8; 32], Instant>>,
}

impl Sessions {
    /// A new one-time token for signing in.
    ///
    /// # Errors
    ///
    /// When the system gives no random bytes.
    pub(crate) fn new_link(&self) -> Result<String, getrandom::Error> {
        let token = secret()?;
        let mut links = lock(&self.links);
        links.retain(|_, made| made.elapsed() < LINK_LIFETIME);
        links.insert(digest(&token), Instant::now());
        Ok(token)
    }

    /// Whether this is a one-time token that nobody has used and that still holds.
    pub(crate) fn is_open(&self, token: &str) -> bool {
        lock(&self.links).get(&digest(token)).is_some_and(|made| made.elapsed() < LINK_LIFETIME)
    }

    /// Signs in by a one-time token, which is used up; returns the secret for the cookie.
    pub(crate) fn sign_in(&self, token: &str) -> Option<String> {
        let made = lock(&self.links).remove(&digest(token))?;
        if made.elapsed() >= LINK_LIFETIME {
            return None;
        }
        self.begin("local user", false).map(|(secret, _)| secret)
    }

    /// Begins a session.
    pub(super) fn begin(&self, person: &str, by_proxy: bool) -> Option<(String, Session)> {
        let (secret, token) = (secret().ok()?, secret().ok()?);
        let session = Session(Arc::new(Inner { person: person.to_owned(), by_proxy, token, began: Instant::now() }));
        let mut sessions = lock(&self.sessions);
        sessions.retain(|_, session| session.0.began.elapsed() < LIFETIME);
        if sessions.len() >= MAX_SESSIONS {
            // Whoever keeps no cookie, such as a check of health behind the proxy, pushes out nobody else.
            let oldest = sessions
                .iter()
                .min_by_key(|(_, session)| (session.person() != person, session.0.began))
                .map(|(key, _)| *key);
            oldest.map(|key| sessions.remove(&key));
        }
        sessions.insert(digest(&secret), session.clone());
        Some((secret, session))
    }

    pub(super) fn find(&self, secret: &str) -> Option<Session> {
        lock(&self.sessions).get(&digest(secret)).filter(|session| session.0.began.elapsed() < LIFETIME).cloned()
    }

    /// Ends a session.
    pub(crate) fn end(&self, session: &Session) {
        lock(&self.sessions).retain(|_, other| !Arc::ptr_eq(&other.0, &session.0));
    }
}

/// The cookie's name. Cookies do not tell ports apart, so the port is part of it: two consoles on one machine do not sign
/// each other out. `__Host-` makes browsers hold to Secure, this host, and the whole path (RFC 6265bis, 4.1.3.2).
pub(crate) fn cookie_name(options: &Options, port: u16) -> String {
    if options.is_secure() { format!("__Host-hostssl-{port}") } else { format!("hostssl-{port}") }
}

/// The header that gives the browser its session; an empty secret takes it away.
pub(crate) fn session_cookie(options: &Options, port: u16, secret: &str) -> Option<HeaderValue> {
    let name = cookie_name(options, port);
    let secure = if options.is_secure() { "; Secure" } else { "" };
    let age = if secret.is_empty() { 0 } else { LIFETIME.as_secs() };
    HeaderValue::from_str(&format!("{name}={secret}; Path=/; Max-Age={age}; HttpOnly; SameSite=Strict{secure}")).ok()
}

/// A cookie of a request.
pub(crate) fn cookie<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    let lines = headers.get_all(COOKIE).iter().filter_map(|line| line.to_str().ok());
    let mut pairs = lines.flat_map(|line| line.split(';')).filter_map(|pair| pair.trim().split_once('='));
    pairs.find(|(key, _)| *key == name).map(|(_, value)| value)
}

fn secret() -> Result<String, getrandom::Error> {
    let mut bytes = [0_u8; 32];
    getrandom::fill(&mut bytes)?;
    Ok(bytes.iter().map(|byte| format!("{byte:02x}")).collect())
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
    fn a_link_signs_in_once() {
        let sessions = Sessions::default();
        let token = sessions.new_link().unwrap();
        assert!(sessions.sign_in("something else").is_none());
        let secret = sessions.sign_in(&token).unwrap();
        assert!(sessions.sign_in(&token).is_none());
        let session = sessions.find(&secret).unwrap();
        assert!(session.is_token(session.token()) && !session.is_token(&secret));
        sessions.end(&session);
        assert!(sessions.find(&secret).is_none());
    }

    #[test]
    fn there_are_never_too_many_sessions_and_nobody_pushes_out_others() {
        let sessions = Sessions::default();
        let (first, _) = sessions.begin("first", false).unwrap();
        let (own, _) = sessions.begin("another", true).unwrap();
        for _ in 0..MAX_SESSIONS {
            sessions.begin("another", true).unwrap();
        }
        assert_eq!(lock(&sessions.sessions).len(), MAX_SESSIONS);
        assert!(sessions.find(&first).is_some() && sessions.find(&own).is_none());
        // Where everybody is somebody else, the oldest ends.
        for n in 0..MAX_SESSIONS {
            sessions.begin(&format!("person {n}"), true).unwrap();
        }
        assert_eq!(lock(&sessions.sessions).len(), MAX_SESSIONS);
        assert!(sessions.find(&first).is_none());
    }
}
