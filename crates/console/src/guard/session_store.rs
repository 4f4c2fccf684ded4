//! Who is signed in: sessions that links began, which every console of the state knows, and those of people whom a proxy signs
//! in, which this process knows.

use super::listed_people::ListedPeople;
use super::session::{IDLE, LIFETIME, Session, SessionUser, SignInWay, now_ms};
use super::session_error::SessionStoreError;
use crate::user_role::Role;
use hostssl_model::hex;
use hostssl_remediation::{is_same_person, plain_name};
use hostssl_store::{AuditStore, KeptLink, KeptSession, ProxiedRole, SignInLimits};
use sha2::{Digest, Sha256};
use std::collections::{BTreeSet, HashMap};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// How long a one-time link can be used.
const LINK_LIFETIME: Duration = Duration::from_secs(3600);
/// Sessions at once; beyond, the person's oldest ends, or else the oldest.
const MAX_SESSIONS: usize = 2000;
/// Unused links at once; beyond, the oldest ends.
const MAX_LINKS: u32 = 1000;
/// Of them, those that one session made.
const MAX_OWN_LINKS: u32 = 20;
/// How often a shared store is asked for a session that this console does not know.
const ASKED_EVERY: Duration = Duration::from_millis(100);

/// Sessions and links, each under the SHA-256 of its secret: neither the state nor the memory of this process holds one that
/// could be used. Most of what is asked waits for the disk.
#[derive(Debug)]
pub(crate) struct SessionStore {
    store: Arc<AuditStore>,
    /// Whose sign-in holds here.
    listed: ListedPeople,
    /// Sessions that this process alone knows, with when they began, more exactly than the session tells.
    here: Mutex<HashMap<String, (Instant, Session)>>,
    /// Links that the state could not take.
    links_here: Mutex<HashMap<String, KeptLink>>,
    /// Sessions that the state had when it was asked last, with when they were used here, more exactly than the state tells.
    remembered: Mutex<HashMap<String, Session>>,
    /// The ids of sessions that were ended here, whatever the state says.
    ended: Mutex<BTreeSet<String>>,
    /// When a shared store was last asked for what this console does not know.
    asked: Mutex<Option<Instant>>,
}

impl SessionStore {
    pub(crate) fn new(store: Arc<AuditStore>, listed: ListedPeople) -> Self {
        Self {
            store,
            listed,
            here: Mutex::default(),
            links_here: Mutex::default(),
            remembered: Mutex::default(),
            ended: Mutex::default(),
            asked: Mutex::default(),
        }
    }

    /// A new one-time token that signs in this person, made by a session or on the terminal.
    pub(crate) fn new_link(&self, identity: SessionUser, maker: Option<&Session>) -> Result<String, SessionStoreError> {
        let token = secret()?;
        let is_own = |maker: &Session| *maker.identity() == identity && maker.way() != SignInWay::Invited;
        let is_listed = identity.name.as_deref().is_some_and(|name| self.listed.has(name));
        let is_invited = !is_listed && maker.is_some_and(|maker| !is_own(maker));
        let link = KeptLink {
            token: digest(&token),
            person: identity.name,
            role: identity.role.to_string(),
            maker: maker.map(|maker| maker.id().to_owned()),
            made_ms: now_ms(),
            is_invited,
        };
        if let Err(error) = self.store.keep_link(&link, &limits()) {
            // On a full disk people still see what was kept.
            tracing::warn!(%error, "a sign-in link could not be kept: it is known to this console alone");
            let mut links = lock(&self.links_here);
            links.retain(|_, link| link.made_ms >= limits().made_after_ms);
            if links.len() < MAX_LINKS as usize {
                links.insert(link.token.clone(), link);
            }
        }
        Ok(token)
    }

    /// Whom a one-time token signs in, if it is unused and still holds.
    pub(crate) fn whose(&self, token: &str) -> Result<Option<SessionUser>, SessionStoreError> {
        Ok(self.link(token)?.map(|(identity, _)| identity))
    }

    fn link(&self, token: &str) -> Result<Option<(SessionUser, KeptLink)>, SessionStoreError> {
        let with_user = |link: KeptLink| Some((user(link.person.clone(), &link.role)?, link));
        let here = lock(&self.links_here).get(&digest(token)).cloned();
        if let Some(link) = here.filter(|link| link.made_ms >= limits().made_after_ms) {
            return Ok(with_user(link));
        }
        let find = || self.store.sign_in_link(&digest(token), &limits());
        let link = match find()? {
            None if self.is_brought_up_to_date() => find()?,
            found => found,
        };
        let found = link.and_then(with_user);
        Ok(found.filter(|(identity, link)| self.listed.admits(identity, link.is_invited)))
    }

    /// Signs in by a one-time token, which is used up; returns the secret for the cookie.
    pub(crate) fn sign_in(&self, token: &str) -> Result<Option<(String, Session)>, SessionStoreError> {
        let Some((identity, link)) = self.link(token)? else { return Ok(None) };
        if lock(&self.links_here).remove(&digest(token)).is_some() {
            return self.begin_here(identity, way(link.is_invited), None).map(Some);
        }
        let (secret, id) = (secret()?, new_id()?);
        let began_ms = now_ms();
        let (person, role, is_invited) = (link.person, link.role, link.is_invited);
        let begun = KeptSession { secret: digest(&secret), id, person, role, began_ms, used_ms: None, is_invited };
        let begun = self.store.sign_in(&digest(token), begun, &limits())?;
        Ok(begun.and_then(|begun| session(begun, Some(&secret))).map(|session| (secret, session)))
    }

    /// Begins a session of someone whom a proxy signs in, with a secret that the browser has already or with a new one.
    pub(super) fn begin_proxied(
        &self,
        identity: SessionUser,
        held: Option<&str>,
    ) -> Result<(String, Session), SessionStoreError> {
        self.begin_here(identity, SignInWay::Proxy, held)
    }

    fn begin_here(
        &self,
        identity: SessionUser,
        way: SignInWay,
        held: Option<&str>,
    ) -> Result<(String, Session), SessionStoreError> {
        let secret = held.map_or_else(secret, |held| Ok(held.to_owned()))?;
        let now = now_ms();
        let session = Session::new(new_id()?, identity, way, Some(&secret), (now, now));
        let mut sessions = lock(&self.here);
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

    /// A session that this process alone knows. Does not wait.
    pub(super) fn find_here(&self, secret: &str) -> Option<Session> {
        let (_, session) = lock(&self.here).get(&digest(secret)).cloned()?;
        let is_live = is_live(&session, &limits());
        if is_live {
            session.is_used();
        }
        is_live.then_some(session)
    }

    /// The first session of these secrets that a link began, which is used now.
    pub(super) fn find(&self, secrets: &[String]) -> Result<Option<Session>, SessionStoreError> {
        let find = || {
            let mut unread = Ok(None);
            for secret in secrets {
                match self.find_one(secret) {
                    Ok(None) => {}
                    Ok(found) => return Ok(found),
                    Err(error) => unread = Err(error),
                }
            }
            unread
        };
        match find()? {
            // A moment ago it may have begun at another console.
            None if self.is_brought_up_to_date() => find(),
            found => Ok(found),
        }
    }

    /// Keeps when a session was used last, so that the other consoles know.
    pub(super) fn keep_use(&self, session: &Session, used_ms: i64) {
        if let Err(error) = self.store.keep_session_use(session.id(), used_ms) {
            tracing::debug!(%error, "when a session was used last could not be kept");
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
        let known = lock(&self.remembered).get(&key).cloned();
        let found = match self.store.session(&key, &limits) {
            Ok(None) => None,
            Ok(Some(kept)) => match known {
                Some(known) => {
                    kept.used_ms.into_iter().for_each(|at_ms| known.was_used(at_ms));
                    Some(known)
                }
                None => session(kept, Some(secret)),
            },
            // Who is signed in sees what is wrong with the state. Pages need it, so that this opens none of them.
            Err(error) => Some(known.ok_or(error)?),
        };
        let is_ended = |session: &Session| lock(&self.ended).contains(session.id());
        let holds = |session: &Session| is_live(session, &limits) && !is_ended(session) && self.holds(session);
        let found = found.filter(holds);
        let mut remembered = lock(&self.remembered);
        remembered.retain(|other, session| *other != key && is_live(session, &limits));
        if let Some(session) = &found {
            session.is_used();
            remembered.insert(key, session.clone());
        }
        Ok(found)
    }

    /// Whether its person may be here: a console with other names may have begun it.
    pub(crate) fn holds(&self, session: &Session) -> bool {
        session.by_proxy() || self.listed.admits(session.identity(), session.way() == SignInWay::Invited)
    }

    /// Whether a session that was found here has ended meanwhile, wherever that was done. To ask is no use of it.
    pub(crate) fn has_ended(&self, session: &Session) -> bool {
        let (id, limits) = (session.id(), limits());
        if !is_live(session, &limits) || lock(&self.ended).contains(id) {
            return true;
        }
        if lock(&self.here).values().any(|(_, other)| other.id() == id) {
            return false;
        }
        // Where the state cannot be read, who was signed in still is.
        session.by_proxy() || self.store.has_session(id, &limits).is_ok_and(|has| !has)
    }

    /// Every session, the one that was used last first.
    pub(crate) fn all(&self) -> Result<Vec<Session>, SessionStoreError> {
        Ok(self.sessions_and_links()?.0)
    }

    /// What the person of a name may do, where someone is called so already: the roles of their sessions and links.
    pub(crate) fn roles_of(&self, name: &str) -> Result<Vec<Role>, SessionStoreError> {
        let is_named = |user: &SessionUser| user.name.as_deref().is_some_and(|other| is_same_person(other, name));
        let (sessions, links) = self.sessions_and_links()?;
        let held = links.into_iter().filter_map(|link| user(link.person, &link.role));
        let users = sessions.iter().map(|session| session.identity().clone()).chain(held);
        Ok(users.filter(is_named).map(|user| user.role).collect())
    }

    /// Keeps what a proxy says of a person, so that it is known when no session of theirs is left.
    pub(crate) fn keep_proxied_role(&self, session: &Session) -> Result<(), SessionStoreError> {
        let (person, role) = (session.person(), session.role());
        let may_approve = role >= Role::Approver;
        Ok(self.store.keep_proxied_role(&ProxiedRole { person, role: role.as_str(), may_approve, at_ms: now_ms() })?)
    }

    /// Ends the session that pages call so; its person has left, and the links that they made for others still hold.
    pub(crate) fn sign_out(&self, id: &str) -> Result<(), SessionStoreError> {
        self.forget(id);
        Ok(self.store.end_sessions(&[id], &[])?)
    }

    /// It is over here, even if the state cannot be written.
    fn forget(&self, id: &str) {
        lock(&self.here).retain(|_, (_, other)| other.id() != id);
        lock(&self.ended).insert(id.to_owned());
    }

    /// Takes the access of a session away: ends it, and with it the unused links that it made and those for its person, which
    /// would bring the person back.
    pub(crate) fn end(&self, id: &str) -> Result<(), SessionStoreError> {
        self.forget(id);
        let (sessions, links) = self.sessions_and_links()?;
        let ended = sessions.iter().find(|session| session.id() == id);
        let name = ended.map(|ended| ended.identity().name.as_deref().map(plain_name));
        let is_its = |link: &KeptLink| {
            link.maker.as_deref() == Some(id) || name.as_ref() == Some(&link.person.as_deref().map(plain_name))
        };
        let links: Vec<KeptLink> = links.into_iter().filter(is_its).collect();
        Ok(self.store.end_sessions(&[id], &links)?)
    }

    fn sessions_and_links(&self) -> Result<(Vec<Session>, Vec<KeptLink>), SessionStoreError> {
        let limits = limits();
        let (kept, links) = self.store.signed_in(&limits)?;
        let remembered = lock(&self.remembered);
        let used_here = |kept: &KeptSession| remembered.get(&kept.secret).map(|session| session.used_ms());
        let listed = kept.into_iter().filter_map(|kept| {
            let used_ms = used_here(&kept).max(kept.used_ms).unwrap_or(kept.began_ms);
            session_used(kept, None, used_ms)
        });
        let mut all: Vec<Session> = listed.collect();
        drop(remembered);
        let here = lock(&self.here);
        all.extend(here.values().map(|(_, session)| session).filter(|session| is_live(session, &limits)).cloned());
        drop(here);
        all.sort_by_key(|session| std::cmp::Reverse((session.used_ms(), session.began_ms())));
        Ok((all, links))
    }
}

/// What holds now.
fn limits() -> SignInLimits {
    let ago = |age| now_ms().saturating_sub(millis(age));
    SignInLimits {
        began_after_ms: ago(LIFETIME),
        made_after_ms: ago(LINK_LIFETIME),
        sessions: u32::try_from(MAX_SESSIONS).unwrap_or(u32::MAX),
        links: MAX_LINKS,
        links_of_one: MAX_OWN_LINKS,
    }
}

fn millis(time: Duration) -> i64 {
    i64::try_from(time.as_millis()).unwrap_or(i64::MAX)
}

fn is_live(session: &Session, limits: &SignInLimits) -> bool {
    session.began_ms() >= limits.began_after_ms && session.used_ms() >= now_ms().saturating_sub(millis(IDLE))
}

/// `None` for someone with a role that this version does not know.
fn user(person: Option<String>, role: &str) -> Option<SessionUser> {
    Some(SessionUser { name: person, role: role.parse().ok()? })
}

/// A session that this console sees for the first time, with its secret.
fn session(kept: KeptSession, secret: Option<&str>) -> Option<Session> {
    let used_ms = kept.used_ms.unwrap_or_else(now_ms);
    session_used(kept, secret, used_ms)
}

fn session_used(kept: KeptSession, secret: Option<&str>, used_ms: i64) -> Option<Session> {
    let KeptSession { id, person, role, began_ms, is_invited, .. } = kept;
    Some(Session::new(id, user(person, &role)?, way(is_invited), secret, (began_ms, used_ms)))
}

fn way(is_invited: bool) -> SignInWay {
    if is_invited { SignInWay::Invited } else { SignInWay::Listed }
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
    use crate::options::ConsoleOptions;

    const LISTED: [(&str, Role); 2] = [("ada", Role::Planner), ("vera", Role::Viewer)];

    /// Two consoles of a state, for these people.
    fn two_consoles(people: [&[(&str, Role)]; 2]) -> (tempfile::TempDir, SessionStore, SessionStore) {
        let directory = tempfile::tempdir().unwrap();
        let [one, two] = people.map(|people| {
            let people = people.iter().map(|(name, role)| ((*name).to_owned(), *role)).collect();
            let listed = ListedPeople::of(&ConsoleOptions { people, ..ConsoleOptions::for_tests() });
            SessionStore::new(Arc::new(AuditStore::open(directory.path()).unwrap()), listed)
        });
        (directory, one, two)
    }

    fn find(sessions: &SessionStore, secret: &str) -> Option<Session> {
        sessions.find(&["other".to_owned(), secret.to_owned()]).unwrap()
    }

    #[test]
    fn a_link_signs_in_once_and_as_whom_it_was_made_for() {
        let (_directory, sessions, beside) = two_consoles([&LISTED, &LISTED]);
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
    fn the_use_of_a_session_is_kept_at_most_once_a_minute_and_counts_elsewhere() {
        let (_directory, sessions, beside) = two_consoles([&LISTED, &LISTED]);
        let token = sessions.new_link(SessionUser::named("ada", Role::Planner), None).unwrap();
        let (secret, begun) = sessions.sign_in(&token).unwrap().unwrap();
        assert_eq!(begun.use_to_keep(), None);
        // Used two minutes later.
        let later = begun.used_ms() + 120_000;
        begun.was_used(later);
        let kept_ms = begun.use_to_keep().unwrap();
        assert_eq!((kept_ms, begun.use_to_keep()), (later, None));
        sessions.keep_use(&begun, kept_ms);
        assert_eq!(beside.all().unwrap()[0].used_ms(), later);
        // One that was not used for long has ended, wherever it is asked for.
        let store = &beside.store;
        store.end_sessions(&[begun.id()], &[]).unwrap();
        let used_ms = now_ms() - millis(IDLE) - 1;
        let token = sessions.new_link(SessionUser::named("ada", Role::Planner), None).unwrap();
        let (idle, begun) = sessions.sign_in(&token).unwrap().unwrap();
        store.keep_session_use(begun.id(), used_ms).unwrap();
        assert!(find(&beside, &idle).is_none() && find(&beside, &secret).is_none());
        store.keep_session_use(begun.id(), now_ms()).unwrap();
        assert!(find(&beside, &idle).is_some());
    }

    #[test]
    fn whoever_is_put_out_has_no_link_to_come_back_by() {
        const VIEWERS: [(&str, Role); 2] = [("ada", Role::Viewer), ("vera", Role::Viewer)];
        let (_directory, sessions, _) = two_consoles([&VIEWERS, &VIEWERS]);
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
        let (_directory, sessions, _) = two_consoles([&LISTED, &LISTED]);
        assert!(sessions.roles_of("ada").unwrap().is_empty());
        let token = sessions.new_link(SessionUser::named("Vera ", Role::Viewer), None).unwrap();
        assert_eq!(sessions.roles_of("vera").unwrap(), [Role::Viewer]);
        sessions.sign_in(&token).unwrap().unwrap();
        assert_eq!(sessions.roles_of(" VERA").unwrap(), [Role::Viewer]);
        sessions.new_link(SessionUser::local(), None).unwrap();
        assert!(sessions.roles_of("local user").unwrap().is_empty());
    }

    #[test]
    fn a_proxys_sessions_are_never_too_many_and_nobody_pushes_out_others() {
        let (_directory, sessions, beside) = two_consoles([&LISTED, &LISTED]);
        let begin = |name: &str| sessions.begin_proxied(SessionUser::named(name, Role::Viewer), None).unwrap();
        let (first, session) = begin("first");
        let (own, _) = begin("another");
        for _ in 0..MAX_SESSIONS {
            begin("another");
        }
        assert_eq!(lock(&sessions.here).len(), MAX_SESSIONS);
        assert!(sessions.find_here(&first).is_some() && sessions.find_here(&own).is_none());
        // Where everyone is someone else, the oldest ends.
        for n in 0..MAX_SESSIONS {
            begin(&format!("person {n}"));
        }
        assert_eq!(lock(&sessions.here).len(), MAX_SESSIONS);
        assert!(sessions.find_here(&first).is_none());
        // Another console, to which the proxy says the same, takes what the browser has.
        let (held, there) = beside.begin_proxied(session.identity().clone(), Some(&first)).unwrap();
        assert_eq!((held.as_str(), there.token()), (first.as_str(), session.token()));
    }

    #[test]
    fn a_console_admits_whom_it_lists_and_who_was_invited() {
        let before = [("bob", Role::Approver), ("ada", Role::Approver), ("eve", Role::Approver)];
        let now = [("Bob", Role::Viewer), ("ada", Role::Approver)];
        let (_directory, old, new) = two_consoles([&before, &now]);
        let sign_in = |identity: SessionUser, maker: Option<&Session>| {
            let token = old.new_link(identity, maker).unwrap();
            old.sign_in(&token).unwrap().unwrap()
        };
        let named = SessionUser::named;
        let [(bob, _), (ada, of_ada), (eve, of_eve)] =
            before.map(|(name, role)| sign_in(SessionUser::named(name, role), None));
        let (zoe, of_zoe) = sign_in(named("zoe", Role::Planner), Some(&of_ada));
        let (elsewhere, _) = sign_in(named("zoe", Role::Planner), Some(&of_zoe));
        // A link that someone makes for themselves, or for a listed name, is no invitation.
        let (again, _) = sign_in(named("eve", Role::Approver), Some(&of_eve));
        let (by_ada, _) = sign_in(named("EVE", Role::Approver), Some(&of_ada));
        for secret in [&ada, &zoe, &elsewhere] {
            assert!(find(&old, secret).is_some() && find(&new, secret).is_some());
        }
        // They stay where they are listed: consoles that are restarted in turn end no session of each other.
        for secret in [&bob, &eve, &again, &by_ada] {
            assert!(find(&new, secret).is_none() && find(&old, secret).is_some());
        }
        let listed = new.all().unwrap();
        let refused = listed.iter().filter(|session| !new.holds(session)).count();
        assert_eq!((listed.len(), refused), (7, 4));
        let unused = old.new_link(named("bob", Role::Approver), None).unwrap();
        assert!(old.whose(&unused).unwrap().is_some() && new.sign_in(&unused).unwrap().is_none());
    }

    #[test]
    fn a_session_has_ended_wherever_it_was_ended_and_when_it_is_over() {
        let (_directory, sessions, beside) = two_consoles([&LISTED, &LISTED]);
        let sign_in = || {
            let token = sessions.new_link(SessionUser::named("ada", Role::Planner), None).unwrap();
            sessions.sign_in(&token).unwrap().unwrap().1
        };
        let (here, there) = (sign_in(), sign_in());
        assert!([&here, &there].into_iter().all(|session| !sessions.has_ended(session)));
        sessions.sign_out(here.id()).unwrap();
        beside.end(there.id()).unwrap();
        assert!([&here, &there].into_iter().all(|session| sessions.has_ended(session)));
        let (_, proxied) = sessions.begin_proxied(SessionUser::named("eve", Role::Viewer), None).unwrap();
        assert!(!sessions.has_ended(&proxied));
        sessions.end(proxied.id()).unwrap();
        assert!(sessions.has_ended(&proxied));
        let of_age = |began: Duration, used: Duration| {
            let (began_ms, used_ms) = (now_ms() - millis(began), now_ms() - millis(used));
            let kept = sign_in();
            let (id, identity) = (kept.id().to_owned(), kept.identity().clone());
            Session::new(id, identity, kept.way(), None, (began_ms, used_ms))
        };
        let minute = Duration::from_mins(1);
        assert!(!sessions.has_ended(&of_age(LIFETIME - minute, IDLE - minute)));
        assert!(sessions.has_ended(&of_age(LIFETIME + minute, Duration::ZERO)));
        assert!(sessions.has_ended(&of_age(IDLE + minute, IDLE + minute)));
    }

    #[test]
    fn what_the_state_does_not_take_holds_here_and_what_ended_here_stays_so() {
        let (directory, sessions, beside) = two_consoles([&[], &[]]);
        let token = sessions.new_link(SessionUser::local(), None).unwrap();
        let (secret, session) = sessions.sign_in(&token).unwrap().unwrap();
        assert!(find(&sessions, &secret).is_some());
        let moved = directory.path().with_extension("moved");
        std::fs::rename(directory.path(), &moved).unwrap();
        // Who was seen before is known, so that their page says what is wrong. No one else is.
        assert!(find(&sessions, &secret).is_some());
        assert!(beside.find(std::slice::from_ref(&secret)).is_err());
        let token = beside.new_link(SessionUser::local(), None).unwrap();
        assert_eq!(beside.whose(&token).unwrap(), Some(SessionUser::local()));
        let (here, _) = beside.sign_in(&token).unwrap().unwrap();
        assert!(beside.sign_in(&token).is_err() && beside.find_here(&here).is_some_and(|session| !session.by_proxy()));
        // An end is an end, though it cannot be written down.
        assert!(sessions.sign_out(session.id()).is_err());
        assert!(sessions.find(&[secret]).unwrap().is_none());
        std::fs::rename(&moved, directory.path()).unwrap();
    }
}
