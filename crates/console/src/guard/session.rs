//! Someone who is signed in, and the cookie.

use crate::options::{ConsoleOptions, PublicUrl};
use crate::user_role::Role;
use axum::http::header::COOKIE;
use axum::http::{HeaderMap, HeaderValue};
use hostssl_model::hex;
use hostssl_model::untrusted::is_harmful;
use jiff::Timestamp;
use sha2::{Digest, Sha256};
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

/// How long a session lasts: a working day.
pub(super) const LIFETIME: Duration = Duration::from_secs(12 * 3600);
/// How long an unused session lasts.
pub(super) const IDLE: Duration = Duration::from_secs(4 * 3600);
/// How often it is kept, for the other consoles, that a session is used.
const USE_KEPT_EVERY: Duration = Duration::from_mins(1);
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

/// How someone is signed in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum SignInWay {
    /// A proxy says so, with every request.
    Proxy,
    /// By a link that a console printed for the people of its `--link`, or that such a person made for themselves.
    Listed,
    /// By a link that someone made for another person.
    Invited,
}

/// Someone who is signed in.
#[derive(Debug, Clone)]
pub(crate) struct Session(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    /// Its name on pages, which opens nothing.
    id: String,
    identity: SessionUser,
    way: SignInWay,
    token: String,
    /// In milliseconds since 1970-01-01T00:00:00Z.
    began_ms: i64,
    used_ms: AtomicI64,
    /// The last use that is kept in the state, or is being kept.
    use_kept_ms: AtomicI64,
}

impl Session {
    /// The session of a secret. Without the secret, as on the list of sessions, its forms have no token.
    pub(super) fn new(
        id: String,
        identity: SessionUser,
        way: SignInWay,
        secret: Option<&str>,
        (began_ms, used_ms): (i64, i64),
    ) -> Self {
        let token = secret.map(token_of).unwrap_or_default();
        let [used_ms, use_kept_ms] = [used_ms; 2].map(AtomicI64::new);
        Self(Arc::new(Inner { id, identity, way, token, began_ms, used_ms, use_kept_ms }))
    }

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
        self.0.way == SignInWay::Proxy
    }

    /// How this person signed in.
    pub(crate) fn way(&self) -> SignInWay {
        self.0.way
    }

    /// The token that forms carry.
    pub(crate) fn token(&self) -> &str {
        &self.0.token
    }

    /// Whether this is the token, told without a comparison whose time depends on it.
    pub(crate) fn is_token(&self, token: &str) -> bool {
        !self.0.token.is_empty() && Sha256::digest(token) == Sha256::digest(&self.0.token)
    }

    /// When it began, in milliseconds since 1970-01-01T00:00:00Z.
    pub(crate) fn began_ms(&self) -> i64 {
        self.0.began_ms
    }

    /// When it was used here last.
    pub(crate) fn used_ms(&self) -> i64 {
        self.0.used_ms.load(Ordering::Relaxed)
    }

    /// Notes that it is used now.
    pub(super) fn is_used(&self) {
        self.was_used(now_ms());
    }

    /// Notes that it was used then, here or in another console.
    pub(super) fn was_used(&self, at_ms: i64) {
        self.0.used_ms.fetch_max(at_ms, Ordering::Relaxed);
    }

    /// When it was used last, if that is to be kept now. To whom this is said, it is not said again for a minute.
    pub(super) fn use_to_keep(&self) -> Option<i64> {
        let every = i64::try_from(USE_KEPT_EVERY.as_millis()).unwrap_or(i64::MAX);
        let (used_ms, kept_ms) = (self.used_ms(), self.0.use_kept_ms.load(Ordering::Relaxed));
        let is_due = !self.by_proxy() && used_ms.saturating_sub(kept_ms) >= every;
        let swap = || self.0.use_kept_ms.compare_exchange(kept_ms, used_ms, Ordering::Relaxed, Ordering::Relaxed);
        (is_due && swap().is_ok()).then_some(used_ms)
    }
}

pub(super) fn now_ms() -> i64 {
    Timestamp::now().as_millisecond()
}

/// The token of the forms of a session: every console of a state knows it from the secret in the cookie, and it does not tell
/// the secret.
fn token_of(secret: &str) -> String {
    hex(&Sha256::digest(format!("hostssl forms {secret}")))
}

/// Whether a cookie can be the secret of a session: 32 bytes in hexadecimal.
pub(super) fn is_secret(text: &str) -> bool {
    text.len() == 64 && text.bytes().all(|byte| byte.is_ascii_hexdigit())
}

/// The cookie's name. Cookies do not tell ports apart, so the port in the browser's address is part of it: two consoles on one
/// machine do not sign each other out, and those behind one address share it. `__Host-` makes browsers hold to Secure, this
/// host, and the whole path (RFC 6265bis, 4.1.3.2).
pub(crate) fn cookie_name(options: &ConsoleOptions, port: u16) -> String {
    let port = options.public.as_ref().map_or(port, PublicUrl::port);
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_of_one_secret_and_without_one_there_is_none() {
        let of = |secret| Session::new("id".into(), SessionUser::local(), SignInWay::Listed, secret, (0, 0));
        let (one, two, none) = (of(Some("one")), of(Some("two")), of(None));
        assert!(one.is_token(one.token()) && !one.is_token(two.token()) && !one.is_token("one"));
        assert_eq!(one.token(), of(Some("one")).token());
        assert!(!none.is_token(none.token()));
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
