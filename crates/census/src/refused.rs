//! Who tried in vain: clients that wanted to connect in plaintext, and that the server refused.
//!
//! A refused client is not a client of the census, so that it changes no verdict: a client that was refused is not broken by what comes.
//! It is listed by itself, because that is what someone wants to know in the days after enforcement.

use crate::log_time::{DAY, earliest};
use crate::sessions::DailySessions;
use crate::{Backend, Client, Millis, SessionId, SessionTls};
use hostssl_pgwire::own_names::{REPLICATION_USERS, WELL_KNOWN, is_unknown_name};
use std::collections::BTreeMap;

/// Days of one client whose attempts are counted: the newest.
const MOST_DAYS: usize = 64;

/// A client that was refused because it did not use TLS.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RefusedClient {
    /// The user, if it can be told.
    pub user: Option<String>,
    /// The database, if there is one and it can be told.
    pub database: Option<String>,
    /// The address or host name.
    pub address: Option<String>,
    /// The kind of backend that was asked for.
    pub backend: Backend,
    /// When it was first refused.
    pub first_seen: Option<Millis>,
    /// When it was last refused.
    pub last_seen: Option<Millis>,
    /// How often it was refused.
    pub attempts: u64,
    /// Whether that number is an estimate, because there were more in a day than are counted one by one.
    pub is_estimate: bool,
    /// Whether the same user has connected from there with TLS since: a client that tries both ways (`sslmode=allow`), or
    /// one that was fixed.
    pub has_connected_since: bool,
}

/// Who was refused.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct RefusedKey {
    pub(crate) user: Option<String>,
    pub(crate) database: Option<String>,
    pub(crate) address: Option<String>,
    pub(crate) backend: Backend,
}

/// What was seen of one of them.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Attempts {
    pub(crate) first: Option<Millis>,
    pub(crate) last: Option<Millis>,
    /// The attempts of each day since 1970.
    pub(crate) days: BTreeMap<Option<i64>, DailySessions>,
}

/// Attempts of one look that are held until it is known whether they are a probe's.
const MOST_SUSPECTS: usize = 4_096;
/// A probe of one server takes seconds.
const PROBE_TIME: Millis = 60 * 1_000;

/// An attempt with a name that a probe uses too.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Suspect {
    key: RefusedKey,
    id: SessionId,
    at: Option<Millis>,
}

/// Everyone who was refused.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Refusals {
    /// From where, and when, this program asked with a name that no server can know.
    probes: Vec<(Option<String>, Option<Millis>)>,
    suspects: Vec<Suspect>,
    pub(crate) clients: BTreeMap<RefusedKey, Attempts>,
    /// Attempts of others: at least so many. Anyone who reaches the server can make up names.
    pub(crate) unlisted: u64,
}

impl Refusals {
    /// Counts an attempt, of `most` clients at most. Those of this program's own probes are left out.
    pub(crate) fn add(&mut self, key: RefusedKey, id: SessionId, at: Option<Millis>, most: usize) {
        if key.is_of_a_probe() {
            if key.is_once_in_a_probe() && self.probes.len() < MOST_SUSPECTS {
                self.probes.push((key.address, at));
            }
        } else if key.may_be_of_a_probe() && self.suspects.len() < MOST_SUSPECTS {
            self.suspects.push(Suspect { key, id, at });
        } else {
            self.list(key, id, at, most);
        }
    }

    /// Decides which attempts with an everyday name were a probe's: those from the same address within a minute, and no more of
    /// each name than there were probes near. Every probe asks once with both of its own names, and explains one attempt of
    /// each other name.
    pub(crate) fn settle(&mut self, most: usize) {
        let probes = std::mem::take(&mut self.probes);
        let mut explains: BTreeMap<RefusedKey, Vec<bool>> = BTreeMap::new();
        let mut suspects = std::mem::take(&mut self.suspects);
        // In their order in time: the earliest one takes the earliest probe that it can, so that none is wasted.
        suspects.sort_by_key(|suspect| suspect.at);
        for Suspect { key, id, at } in suspects {
            let is_near =
                |when: Option<Millis>| when.zip(at).is_some_and(|(one, other)| (one - other).abs() <= PROBE_TIME);
            let used = explains.entry(key.clone()).or_insert_with(|| vec![false; probes.len()]);
            let free = probes
                .iter()
                .zip(used)
                .find(|((address, when), used)| !**used && *address == key.address && is_near(*when));
            match free {
                Some((_, used)) => *used = true,
                None => self.list(key, id, at, most),
            }
        }
    }

    fn list(&mut self, key: RefusedKey, id: SessionId, at: Option<Millis>, most: usize) {
        if !self.clients.contains_key(&key) && self.clients.len() >= most {
            self.unlisted += 1;
            return;
        }
        let attempts = self.clients.entry(key).or_default();
        attempts.first = earliest(attempts.first, at);
        attempts.last = attempts.last.max(at);
        attempts.days.entry(at.map(|at| at.div_euclid(DAY))).or_default().add(id);
    }

    /// Adds what another look has found, or the same look once more.
    pub(crate) fn merge(&mut self, other: Self) {
        for (key, attempts) in other.clients {
            let mine = self.clients.entry(key).or_default();
            mine.first = earliest(mine.first, attempts.first);
            mine.last = mine.last.max(attempts.last);
            for (day, sessions) in attempts.days {
                mine.days.entry(day).or_default().merge(&sessions);
            }
        }
        self.unlisted = self.unlisted.max(other.unlisted);
    }

    /// Keeps those that were refused last, `most` of them.
    pub(crate) fn bound(&mut self, most: usize) {
        let beyond = self.clients.len().saturating_sub(most);
        let mut oldest: Vec<_> = self.clients.iter().map(|(key, attempts)| (attempts.last, key.clone())).collect();
        oldest.sort_unstable();
        for (_, key) in oldest.into_iter().take(beyond) {
            self.clients.remove(&key);
        }
        self.unlisted = self.unlisted.max(beyond as u64);
        for attempts in self.clients.values_mut() {
            let days = attempts.days.len().saturating_sub(MOST_DAYS);
            for _ in 0..days {
                attempts.days.pop_first();
            }
        }
    }

    /// Those that were refused since then, the last one first; `clients` tells which of them have connected since.
    pub(crate) fn shown(&self, from: Option<Millis>, clients: &[Client]) -> Vec<RefusedClient> {
        let first_day = from.map(|from| from.div_euclid(DAY));
        let counts = |attempts: &Attempts| attempts.last.is_none() || from.is_none() || attempts.last >= from;
        let shown = self.clients.iter().filter(|(key, attempts)| counts(attempts) && !key.is_of_a_probe()).map(
            |(key, attempts)| {
                let days: Vec<&DailySessions> = attempts
                    .days
                    .iter()
                    .filter(|(day, _)| day.is_none() || first_day.is_none() || **day >= first_day)
                    .map(|(_, sessions)| sessions)
                    .collect();
                RefusedClient {
                    user: key.user.clone(),
                    database: key.database.clone(),
                    address: key.address.clone(),
                    backend: key.backend,
                    first_seen: attempts.first,
                    last_seen: attempts.last,
                    attempts: days.iter().map(|sessions| sessions.count()).sum(),
                    is_estimate: days.iter().any(|sessions| !sessions.is_exact()),
                    has_connected_since: clients
                        .iter()
                        .any(|client| key.is_of(client) && client.last_seen >= attempts.last),
                }
            },
        );
        let mut shown: Vec<RefusedClient> = shown.collect();
        shown.sort_by_key(|one| std::cmp::Reverse(one.last_seen));
        shown
    }
}

impl RefusedKey {
    /// Whether only a probe of this program asks with these names.
    fn is_of_a_probe(&self) -> bool {
        [&self.user, &self.database].into_iter().flatten().any(|name| is_unknown_name(name))
    }

    /// Whether a probe asks with these names once: with a user and a database that cannot exist.
    fn is_once_in_a_probe(&self) -> bool {
        [&self.user, &self.database].into_iter().all(|name| name.as_deref().is_some_and(is_unknown_name))
    }

    /// Whether a probe asks with this name, as others may.
    fn may_be_of_a_probe(&self) -> bool {
        let user = self.user.as_deref();
        user == Some(WELL_KNOWN) || REPLICATION_USERS.into_iter().any(|one| user == Some(one))
    }

    /// Whether a client with TLS is the same one.
    fn is_of(&self, client: &Client) -> bool {
        let has_names = self.user.is_some() && self.address.is_some();
        has_names
            && client.tls == SessionTls::Tls
            && client.user == self.user
            && client.address == self.address
            // The message of a replication connection has no database.
            && (client.database == self.database || self.backend == Backend::Replication)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(user: &str) -> RefusedKey {
        let text = |text: &str| Some(text.to_owned());
        RefusedKey { user: text(user), database: text("d"), address: text("10.0.0.4"), backend: Backend::Client }
    }

    fn of(attempts: &[(&str, Millis)], most: usize) -> Refusals {
        let mut refusals = Refusals::default();
        for (user, at) in attempts {
            refusals.add(key(user), SessionId::of_process(1, Some(*at)), Some(*at), most);
        }
        refusals
    }

    #[test]
    fn what_is_read_again_counts_once_in_any_order() {
        let (one, two) = (of(&[("a", 1), ("a", 2), ("b", 3)], 9), of(&[("a", 2), ("a", DAY + 5)], 9));
        let (mut forth, mut back) = (one.clone(), two.clone());
        forth.merge(two);
        forth.merge(one.clone());
        back.merge(one);
        assert_eq!(forth, back);
        let shown = forth.shown(None, &[]);
        let seen: Vec<_> = shown.iter().map(|one| (one.user.as_deref(), one.attempts, one.first_seen)).collect();
        assert_eq!(seen, [(Some("a"), 3, Some(1)), (Some("b"), 1, Some(3))]);
        assert_eq!(forth.shown(Some(DAY), &[]).len(), 1);
    }

    #[test]
    fn names_that_someone_makes_up_are_counted_and_not_kept() {
        let mut refusals = of(&[("a", 1), ("b", 2), ("c", 3), ("a", 4)], 2);
        assert_eq!((refusals.clients.len(), refusals.unlisted), (2, 1));
        refusals.bound(1);
        assert_eq!(refusals.clients.keys().next(), Some(&key("a")), "it was refused last");
    }

    #[test]
    fn a_probe_is_not_listed_and_whoever_has_its_everyday_names_is() {
        let of = |user: &str, database: &str, address: &str| RefusedKey {
            user: Some(user.to_owned()),
            database: Some(database.to_owned()),
            address: Some(address.to_owned()),
            backend: Backend::Client,
        };
        let own = "hostssl_0123456789ab";
        let (here, there) = ("10.0.0.4", "10.0.0.5");
        let mut refusals = Refusals::default();
        let attempts = [
            // The order in a log is not that of the questions.
            (of("repmgr", "postgres", here), 1_000),
            (of("postgres", own, here), 2_000),
            (of(own, own, here), 3_000),
            (of("postgres", "postgres", here), 4_000),
            // From elsewhere, at another time, and twice too often.
            (of("repmgr", "postgres", there), 4_000),
            (of("standby", "postgres", here), DAY),
            (of("postgres", "postgres", here), 5_000),
            (of("postgres", "postgres", here), 6_000),
            (of("app", "shop", here), 4_000),
        ];
        for (key, at) in attempts {
            refusals.add(key, SessionId::of_process(1, Some(at)), Some(at), 9);
        }
        refusals.settle(9);
        let shown = refusals.shown(None, &[]);
        let mut users: Vec<_> = shown.iter().map(|one| (one.user.as_deref().unwrap(), one.attempts)).collect();
        users.sort_unstable();
        assert_eq!(users, [("app", 1), ("postgres", 2), ("repmgr", 1), ("standby", 1)]);
    }

    /// Names of a probe beside the unknown ones, as of `postgres` in the unknown database, are no further probe.
    #[test]
    fn a_probe_explains_one_attempt_of_each_name_near_it() {
        let own = "hostssl_0123456789ab";
        let of = |user: &str, database: &str| RefusedKey { database: Some(database.to_owned()), ..key(user) };
        let minute = |minute: i64| minute * PROBE_TIME;
        let mut refusals = Refusals::default();
        let mut add = |user: &str, database: &str, at: Millis| {
            refusals.add(of(user, database), SessionId::of_process(1, Some(at)), Some(at), 9);
        };
        // Twelve probes, hours apart, each with four questions with one of its own names.
        for probe in 0..12 {
            for (user, database) in [(own, own), ("postgres", own), (own, "postgres"), (own, "shop")] {
                add(user, database, minute(probe * 60));
            }
            add("postgres", "postgres", minute(probe * 60) + 1_000);
        }
        // Beside one of them, and far from all.
        for at in [minute(60), minute(60) + 5_000, minute(60) + 9_000, minute(30), minute(90)] {
            add("postgres", "postgres", at);
        }
        refusals.settle(9);
        let shown: Vec<_> = refusals.shown(None, &[]).into_iter().map(|one| (one.user, one.attempts)).collect();
        assert_eq!(shown, [(Some("postgres".to_owned()), 5)]);
    }
}
