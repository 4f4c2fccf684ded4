//! Who is signed in: sessions that links began, which every console of the state knows, and those of people whom a proxy signs
//! in, which this process knows.

use super::session::{IDLE, LIFETIME, Session, SessionUser, now_ms, plain};
use super::session_error::SessionStoreError;
use hostssl_model::hex;
use hostssl_store::{AuditStore, KeptLink, KeptSession, SignInLimits};
use sha2::{Digest, Sha256};
use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// How long a one-time link can be used.
const LINK_LIFETIME: Duration = Duration::from_secs(3600);
/// Sessions at once; beyond, the person's oldest ends, or else the oldest.
const MAX_SESSIONS: usize = 2000;
/// Unused links at once; beyond, the oldest ends.
const MAX_LINKS: u32 = 1000;
/// How often it is kept that a session is used: seldom, so that a look at a page writes nothing.
const USED_EVERY: Duration = Duration::from_secs(300);
/// How often a shared store is asked for a session that this console does not know.
const ASKED_EVERY: Duration = Duration::from_millis(100);

/// Sessions and links, each under the SHA-256 of its secret: neither the state nor the memory of this process holds one that
/// could be used. Most of what is asked waits for the disk.
#[derive(Debug)]
pub(crate) struct SessionStore {
    store: Arc<AuditStore>,
    /// With when they began, more exactly than the session tells.
    proxied: Mutex<HashMap<String, (Instant, Session)>>,
    /// Sessions that the state had when it was asked last.
    remembered: Mutex<HashMap<String, Session>>,
    /// When a shared store was last asked for what this console does not know.
    asked: Mutex<Option<Instant>>,
}

impl SessionStore {
    pub(crate) fn new(store: Arc<AuditStore>) -> Self {
        Self { store, proxied: Mutex::default(), remembered: Mutex::default(), asked: Mutex::default() }
    }

    /// A new one-time token that signs in this person, made by a session or on the terminal.
    pub(crate) fn new_link(&self, identity: SessionUser, maker: Option<&Session>) -> Result<String, SessionStoreError> {
        let token = secret()?;
        let link = KeptLink {
            token: digest(&token),
            person: identity.name,
            role: identity.role.to_string(),
            maker: maker.map(|maker| maker.id().to_owned()),
            made_ms: now_ms(),
        };
        self.store.keep_link(&link, &limits())?;
        Ok(token)
    }

    /// Whom a one-time token signs in, if it is unused and still holds.
    pub(crate) fn whose(&self, token: &str) -> Result<Option<SessionUser>, SessionStoreError> {
        let find = || self.store.sign_in_link(&digest(token), &limits());
        let link = match find()? {
            None if self.is_brought_up_to_date() => find()?,
            found => found,
        };
        Ok(link.and_then(|link| user(link.person, &link.role)))
    }

    /// Signs in by a one-time token, which is used up; returns the secret for the cookie.
    pub(crate) fn sign_in(&self, token: &str) -> Result<Option<(String, Session)>, SessionStoreError> {
        let (secret, id, now) = (secret()?, new_id()?, now_ms());
        let begun =
            KeptSession { secret: digest(&secret), id, person: None, role: String::new(), began_ms: now, used_ms: now };
        let begun = self.store.sign_in(&digest(token), begun, &limits())?;
        Ok(begun.and_then(|begun| session(begun, Some(&secret))).map(|session| (secret, session)))
    }

    /// Begins a session of someone whom a proxy signs in, with a secret that the browser has already or with a new one.
    pub(super) fn begin_proxied(
        &self,
        identity: SessionUser,
        held: Option<&str>,
    ) -> Result<(String, Session), SessionStoreError> {
        let secret = held.map_or_else(secret, |held| Ok(held.to_owned()))?;
        let now = now_ms();
        let session = Session::new(new_id()?, identity, true, Some(&secret), (now, now));
        let mut sessions = lock(&self.proxied);
        sessions.retain(|_, (_, session)| is_live(session, &limits()));
        if sessions.len() >= MAX_SESSIONS {
            // A client without cookies, such as a check of health behind the proxy, pushes out no one else.
            let oldest = sessions
                .iter()
                .min_by_key(|(_, (began, other))| (other.person() != session.person(), *began))
                .map(|(key, _)| key.clone());
            oldest.map(|key| sessions.remove(&key));
        }
        sessions.insert(digest(&secret), (Instant::now(), session.clone()));
        Ok((secret, session))
    }

    /// The session of a person whom a proxy signs in. Does not wait.
    pub(super) fn find_proxied(&self, secret: &str) -> Option<Session> {
        let (_, session) = lock(&self.proxied).get(&digest(secret)).cloned()?;
        let is_live = is_live(&session, &limits());
        session.is_used();
        is_live.then_some(session)
    }

    /// The first session of these secrets that a link began, which is used now.
    pub(super) fn find(&self, secrets: &[String]) -> Result<Option<Session>, SessionStoreError> {
        let find = || {
            let found = secrets.iter().map(|secret| self.find_one(secret).transpose());
            found.flatten().next().transpose()
        };
        match find()? {
            // A moment ago it may have begun at another console.
            None if self.is_brought_up_to_date() => find(),
            found => Ok(found),
        }
    }

    /// Whether there may be more now than a moment ago: a shared store was asked, which happens only so often, however many ask.
    fn is_brought_up_to_date(&self) -> bool {
        if self.store.directory().shared().is_none() {
            return false;
        }
        let mut asked = lock(&self.asked);
        let is_soon = asked.is_some_and(|asked| asked.elapsed() < ASKED_EVERY);
        if !is_soon {
            *asked = Some(Instant::now());
        }
        drop(asked);
        !is_soon && self.store.follow().is_ok()
    }

    fn find_one(&self, secret: &str) -> Result<Option<Session>, SessionStoreError> {
        let (key, limits) = (digest(secret), limits());
        let kept = match self.store.session(&key, &limits) {
            Ok(kept) => kept,
            // Who is signed in sees what is wrong with the state.
            Err(error) => {
                let remembered = lock(&self.remembered).get(&key).filter(|session| is_live(session, &limits)).cloned();
                return remembered.map(Some).ok_or(error.into());
            }
        };
        let found = kept.and_then(|kept| session(kept, Some(secret)));
        let mut remembered = lock(&self.remembered);
        remembered.retain(|other, session| *other != key && is_live(session, &limits));
        remembered.extend(found.clone().map(|session| (key, session)));
        drop(remembered);
        if let Some(session) = &found
            && now_ms().saturating_sub(session.used_ms()) > millis(USED_EVERY)
            && let Err(error) = self.store.use_session(session.id(), now_ms())
        {
            tracing::warn!(%error, "it could not be kept that a session is used");
        }
        Ok(found)
    }

    /// Every session, the one that was used last first.
    pub(crate) fn all(&self) -> Result<Vec<Session>, SessionStoreError> {
        Ok(self.sessions_and_links()?.0)
    }

    /// What the person of a name may do, where someone is called so already: the roles of their sessions and links.
    pub(crate) fn roles_of(&self, name: &str) -> Result<Vec<crate::user_role::Role>, SessionStoreError> {
        let name = plain(name);
        let is_named = |user: &SessionUser| user.name.as_deref().is_some_and(|other| plain(other) == name);
        let (sessions, links) = self.sessions_and_links()?;
        let held = links.into_iter().filter_map(|link| user(link.person, &link.role));
        let users = sessions.iter().map(|session| session.identity().clone()).chain(held);
        Ok(users.filter(is_named).map(|user| user.role).collect())
    }

    /// Ends the session that pages call so; its person has left, and the links that they made for others still hold.
    pub(crate) fn sign_out(&self, id: &str) -> Result<(), SessionStoreError> {
        lock(&self.proxied).retain(|_, (_, other)| other.id() != id);
        Ok(self.store.end_session(id, &[])?)
    }

    /// Takes the access of a session away: ends it, and with it the unused links that it made and those for its person, which
    /// would bring the person back.
    pub(crate) fn end(&self, id: &str) -> Result<(), SessionStoreError> {
        let (sessions, links) = self.sessions_and_links()?;
        let ended = sessions.iter().find(|session| session.id() == id);
        let name = ended.map(|ended| ended.identity().name.as_deref().map(plain));
        let is_its = |link: &KeptLink| {
            link.maker.as_deref() == Some(id) || name.as_ref() == Some(&link.person.as_deref().map(plain))
        };
        lock(&self.proxied).retain(|_, (_, other)| other.id() != id);
        let links: Vec<KeptLink> = links.into_iter().filter(is_its).collect();
        Ok(self.store.end_session(id, &links)?)
    }

    fn sessions_and_links(&self) -> Result<(Vec<Session>, Vec<KeptLink>), SessionStoreError> {
        let limits = limits();
        let (kept, links) = self.store.signed_in(&limits)?;
        let mut all: Vec<Session> = kept.into_iter().filter_map(|kept| session(kept, None)).collect();
        let proxied = lock(&self.proxied);
        all.extend(proxied.values().map(|(_, session)| session).filter(|session| is_live(session, &limits)).cloned());
        drop(proxied);
        all.sort_by_key(|session| std::cmp::Reverse((session.used_ms(), session.began_ms())));
        Ok((all, links))
    }
}

/// What holds now.
fn limits() -> SignInLimits {
    let ago = |age| now_ms().saturating_sub(millis(age));
    SignInLimits {
        began_after_ms: ago(LIFETIME),
        used_after_ms: ago(IDLE),
        made_after_ms: ago(LINK_LIFETIME),
        sessions: u32::try_from(MAX_SESSIONS).unwrap_or(u32::MAX),
        links: MAX_LINKS,
    }
}

fn millis(time: Duration) -> i64 {
    i64::try_from(time.as_millis()).unwrap_or(i64::MAX)
}

fn is_live(session: &Session, limits: &SignInLimits) -> bool {
    session.began_ms() >= limits.began_after_ms && session.used_ms() >= limits.used_after_ms
}

/// `None` for someone with a role that this version does not know.
fn user(person: Option<String>, role: &str) -> Option<SessionUser> {
    Some(SessionUser { name: person, role: role.parse().ok()? })
}

fn session(kept: KeptSession, secret: Option<&str>) -> Option<Session> {
    let KeptSession { id, person, role, began_ms, used_ms, .. } = kept;
    Some(Session::new(id, user(person, &role)?, false, secret, (began_ms, used_ms)))
}

fn secret() -> Result<String, SessionStoreError> {
    let mut bytes = [0_u8; 32];
    getrandom::fill(&mut bytes).map_err(SessionStoreError::Random)?;
    Ok(hex(&bytes))
}

fn new_id() -> Result<String, SessionStoreError> {
    let mut id = secret()?;
    id.truncate(16);
    Ok(id)
}

fn digest(text: &str) -> String {
    hex(&Sha256::digest(text))
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::user_role::Role;

    fn two_consoles() -> (tempfile::TempDir, SessionStore, SessionStore) {
        let directory = tempfile::tempdir().unwrap();
        let open = || SessionStore::new(Arc::new(AuditStore::open(directory.path()).unwrap()));
        let (one, two) = (open(), open());
        (directory, one, two)
    }

    fn find(sessions: &SessionStore, secret: &str) -> Option<Session> {
        sessions.find(&["other".to_owned(), secret.to_owned()]).unwrap()
    }

    #[test]
    fn a_link_signs_in_once_and_as_whom_it_was_made_for() {
        let (_directory, sessions, beside) = two_consoles();
        let ada = SessionUser::named("ada", Role::Planner);
        let token = sessions.new_link(ada.clone(), None).unwrap();
        assert!(sessions.sign_in("something else").unwrap().is_none());
        assert_eq!(beside.whose(&token).unwrap(), Some(ada.clone()));
        let (secret, _) = sessions.sign_in(&token).unwrap().unwrap();
        assert!(sessions.whose(&token).unwrap().is_none() && beside.sign_in(&token).unwrap().is_none());
        for console in [&sessions, &beside] {
            let session = find(console, &secret).unwrap();
            assert_eq!((session.identity(), session.name(), session.role()), (&ada, Some("ada"), Role::Planner));
            assert!(session.is_token(session.token()) && !session.is_token(&secret));
            assert_eq!(console.all().unwrap().len(), 1);
            // What pages call it opens nothing.
            assert!(find(console, session.id()).is_none());
        }
        beside.end(find(&sessions, &secret).unwrap().id()).unwrap();
        assert!(find(&sessions, &secret).is_none() && sessions.all().unwrap().is_empty());
    }

    #[test]
    fn whoever_is_put_out_has_no_link_to_come_back_by() {
        let (_directory, sessions, _) = two_consoles();
        let [vera, ada] = ["vera", "ada"].map(|name| SessionUser::named(name, Role::Viewer));
        let link = |identity: &SessionUser, maker| sessions.new_link(identity.clone(), maker).unwrap();
        let begin = |identity: &SessionUser| sessions.sign_in(&link(identity, None)).unwrap().unwrap().1;
        let holds = |token: &String| sessions.whose(token).unwrap().is_some();
        let (mine, hers) = (begin(&vera), begin(&ada));
        let (elsewhere, for_another) =
            (link(&vera, Some(&mine)), link(&SessionUser::named("eve", Role::Viewer), Some(&mine)));
        let (from_the_terminal, of_ada) = (link(&vera, None), link(&ada, Some(&hers)));
        sessions.sign_out(mine.id()).unwrap();
        assert!([&elsewhere, &for_another, &from_the_terminal].into_iter().all(holds));
        let mine = begin(&vera);
        let (elsewhere, for_another) =
            (link(&vera, Some(&mine)), link(&SessionUser::named("eve", Role::Viewer), Some(&mine)));
        sessions.end(mine.id()).unwrap();
        assert!(![&elsewhere, &for_another, &from_the_terminal].into_iter().any(holds));
        assert_eq!(sessions.whose(&of_ada).unwrap(), Some(ada));
    }

    #[test]
    fn a_name_has_the_roles_of_its_sessions_and_links() {
        let (_directory, sessions, _) = two_consoles();
        assert!(sessions.roles_of("ada").unwrap().is_empty());
        let token = sessions.new_link(SessionUser::named("Ada ", Role::Viewer), None).unwrap();
        assert_eq!(sessions.roles_of("ada").unwrap(), [Role::Viewer]);
        sessions.sign_in(&token).unwrap();
        assert_eq!(sessions.roles_of(" ADA").unwrap(), [Role::Viewer]);
        sessions.new_link(SessionUser::local(), None).unwrap();
        assert!(sessions.roles_of("local user").unwrap().is_empty());
    }

    #[test]
    fn a_proxys_sessions_are_never_too_many_and_nobody_pushes_out_others() {
        let (_directory, sessions, beside) = two_consoles();
        let begin = |name: &str| sessions.begin_proxied(SessionUser::named(name, Role::Viewer), None).unwrap();
        let (first, session) = begin("first");
        let (own, _) = begin("another");
        for _ in 0..MAX_SESSIONS {
            begin("another");
        }
        assert_eq!(lock(&sessions.proxied).len(), MAX_SESSIONS);
        assert!(sessions.find_proxied(&first).is_some() && sessions.find_proxied(&own).is_none());
        // Where everyone is someone else, the oldest ends.
        for n in 0..MAX_SESSIONS {
            begin(&format!("person {n}"));
        }
        assert_eq!(lock(&sessions.proxied).len(), MAX_SESSIONS);
        assert!(sessions.find_proxied(&first).is_none());
        // Another console, to which the proxy says the same, takes what the browser has.
        let (held, there) = beside.begin_proxied(session.identity().clone(), Some(&first)).unwrap();
        assert_eq!((held.as_str(), there.token()), (first.as_str(), session.token()));
    }
}
