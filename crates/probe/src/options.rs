//! What to ask an endpoint, and how much it may cost.

use std::sync::Arc;
use std::time::Duration;

use hostssl_pgwire::frontend::Replication;
use hostssl_pgwire::own_names::{REPLICATION_USERS, WELL_KNOWN};

use crate::dial::{Dial, Network};
use crate::offer::Startup;
use crate::root_files::RootFiles;
use crate::target::ProbeTarget;
use hostssl_certificate::RootStore;

/// What to ask and within which bounds. The default asks what a verdict needs, the TLS versions, direct TLS, and
/// nothing that a server might log as an attack.
#[derive(Clone, Debug)]
pub struct ProbeOptions {
    /// Users to name, beside that of the target and those of `names`.
    pub users: Vec<String>,
    /// Databases to name, beside that of the target and those of `names`.
    pub databases: Vec<String>,
    /// What to name beside the names that were given.
    pub names: StartupNames,
    /// Kinds of replication to ask for.
    pub replication: Vec<Replication>,
    /// How often to send each startup in plaintext. More than once finds an open server among several behind one
    /// address.
    pub repeat: u16,
    /// The most connections open at once to one address and port, in all probes that share a [`crate::Prober`].
    pub connections_per_server: usize,
    /// The most endpoints to talk to at once, in all probes that share a [`crate::Prober`]. One that is being connected
    /// to does not count.
    pub conversations: usize,
    /// How long to wait for a connection, and for a name to resolve.
    pub connect_timeout: Duration,
    /// How long one connection may take from its opening to its answer.
    pub job_timeout: Duration,
    /// How long all questions to one endpoint may take.
    pub endpoint_timeout: Duration,
    /// How long to wait before the one retry when a server is busy or starting (53300, 57P03).
    pub retry_delay: Duration,
    /// Whether to ask about each TLS version.
    pub versions: bool,
    /// Whether to ask for direct TLS (PostgreSQL 17 and later).
    pub direct_tls: bool,
    /// Whether to ask for direct TLS even where the server is a PostgreSQL that cannot have it.
    pub direct_tls_always: bool,
    /// Whether to ask for direct TLS without ALPN, which a PostgreSQL refuses.
    pub direct_tls_without_alpn: bool,
    /// Whether to send a `GSSENCRequest`.
    pub gss_encryption: bool,
    /// Whether to stuff a startup behind the `SSLRequest` (CVE-2021-23214). Servers log this as a protocol violation.
    pub startup_stuffing: bool,
    /// Whether to enumerate cipher suites: one connection each.
    pub cipher_suites: bool,
    /// Whether to enumerate groups: one connection each.
    pub groups: bool,
    /// Whether to ask for a key exchange that withstands a quantum computer: one connection where there is none.
    pub post_quantum: bool,
    /// Whether to keep the exchange message by message.
    pub transcript: bool,
    /// The roots to judge certificates by.
    pub roots: Arc<[RootStore]>,
    /// The roots of targets that name a file of their own; they replace `roots` for those targets, as in libpq.
    pub root_files: RootFiles,
    /// Days within which the end of a certificate's validity is a weakness; not checked when absent.
    pub expiry_days: Option<u32>,
    /// How hosts are found and reached.
    pub dialer: Arc<dyn Dial>,
    /// The time to judge certificates at, in seconds since 1970; the clock's when absent.
    pub now: Option<i64>,
}

impl Default for ProbeOptions {
    fn default() -> Self {
        Self {
            users: Vec::new(),
            databases: Vec::new(),
            names: StartupNames::WellKnown,
            replication: vec![Replication::Physical],
            repeat: 1,
            connections_per_server: 4,
            conversations: 64,
            connect_timeout: Duration::from_secs(5),
            job_timeout: Duration::from_secs(10),
            endpoint_timeout: Duration::from_secs(60),
            retry_delay: Duration::from_millis(500),
            versions: true,
            direct_tls: true,
            direct_tls_always: false,
            direct_tls_without_alpn: false,
            gss_encryption: false,
            startup_stuffing: false,
            cipher_suites: false,
            groups: false,
            post_quantum: false,
            transcript: false,
            roots: Arc::default(),
            root_files: RootFiles::default(),
            expiry_days: None,
            dialer: Arc::new(Network),
            now: None,
        }
    }
}

impl ProbeOptions {
    /// All questions.
    #[must_use]
    pub fn thorough() -> Self {
        Self {
            direct_tls_always: true,
            direct_tls_without_alpn: true,
            gss_encryption: true,
            startup_stuffing: true,
            cipher_suites: true,
            groups: true,
            post_quantum: true,
            ..Self::default()
        }
    }

    /// The questions of the default with the fewest names: seven connections to a PostgreSQL that enforces TLS.
    #[must_use]
    pub fn quick() -> Self {
        Self { names: StartupNames::Fewest, ..Self::default() }
    }

    /// No more than a verdict needs: five connections to a server that enforces TLS. For wide sweeps.
    #[must_use]
    pub fn lean() -> Self {
        Self { versions: false, direct_tls: false, ..Self::quick() }
    }

    /// The startups for `target`, each once, its own user and database first. `unknown` is a name that no server knows.
    pub(crate) fn startups(&self, target: &ProbeTarget, unknown: &str) -> Startups {
        let given =
            |own: &Option<String>, others: &[String]| -> Vec<String> { own.iter().chain(others).cloned().collect() };
        let users = given(&target.user, &self.users);
        let known = [&target.databases[..], &self.databases].concat();
        let databases = given(&target.database, &known);
        let or = |given: &[String], other: &str| if given.is_empty() { vec![other.to_owned()] } else { given.to_vec() };
        let named_databases = or(&databases, WELL_KNOWN);
        let mut list = Startups::default();
        if self.names == StartupNames::Given {
            let named_users = or(&users, unknown);
            list.add_pairs(&named_users, &named_databases);
            self.add_own_databases(&mut list, target);
            list.add_replication(&self.replication, &named_users, &named_databases);
            list.first = list.all.len();
            return list;
        }
        // The names that were given meet the lines written for them; the well-known ones those of the maintenance user
        // and database; and a user and a database that cannot exist meet only lines that say `all`.
        let named_users = or(&users, WELL_KNOWN);
        let (well_known, unknown) = ([WELL_KNOWN.to_owned()], [unknown.to_owned()]);
        list.add_pairs(&named_users, &named_databases);
        self.add_own_databases(&mut list, target);
        list.add_pairs(&well_known, &well_known);
        list.add_pairs(&unknown, &unknown);
        list.add_replication(&self.replication, &named_users, &named_databases);
        list.add_replication(&self.replication, &well_known, &named_databases);
        // Logical replication meets the lines of a database, as the pair of unknown names does.
        let physical: Vec<_> = self.replication.iter().copied().filter(|kind| *kind == Replication::Physical).collect();
        list.add_replication(&physical, &unknown, &named_databases);
        list.first = list.all.len();
        if self.names == StartupNames::WellKnown {
            let all = |given: &[String]| [given, &well_known[..], &unknown[..]].concat();
            list.add_pairs(&all(&users), &all(&databases));
            list.add_replication(&physical, &REPLICATION_USERS.map(str::to_owned), &named_databases);
        }
        list
    }

    /// A client that names no database connects to that of its user's name (libpq's PQconnectdb, pgJDBC, Npgsql).
    fn add_own_databases(&self, list: &mut Startups, target: &ProbeTarget) {
        let has_databases = target.database.is_some() || !target.databases.is_empty();
        let own = target.user.iter().filter(|_| !has_databases);
        let others = self.users.iter().filter(|_| !has_databases && self.databases.is_empty());
        for user in own.chain(others) {
            list.add(user, Some(user), Replication::None);
        }
    }
}

/// Which names to use in startups, beside those that were given.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StartupNames {
    /// None.
    Given,
    /// The user and database `postgres`, and a user and a database that cannot exist.
    Fewest,
    /// The same, each user with each database, and for replication its usual users.
    WellKnown,
}

/// Startups to send.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Startups {
    /// All of them, the most telling first.
    pub(crate) all: Vec<Startup>,
    /// How many of them are sent at first. The others are sent only where those found no hole.
    pub(crate) first: usize,
}

impl Startups {
    fn add(&mut self, user: &str, database: Option<&str>, replication: Replication) {
        let startup = Startup { user: user.to_owned(), database: database.map(str::to_owned), replication };
        if !self.all.contains(&startup) {
            self.all.push(startup);
        }
    }

    fn add_pairs(&mut self, users: &[String], databases: &[String]) {
        for user in users {
            for database in databases {
                self.add(user, Some(database), Replication::None);
            }
        }
    }

    /// Physical replication names no database; logical replication meets the lines of one.
    fn add_replication(&mut self, kinds: &[Replication], users: &[String], databases: &[String]) {
        for kind in kinds {
            for user in users {
                match kind {
                    Replication::None => {}
                    Replication::Physical => self.add(user, None, Replication::Physical),
                    Replication::Logical => {
                        self.add(user, databases.first().map(String::as_str), Replication::Logical);
                    }
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn described(options: &ProbeOptions, target: &ProbeTarget) -> Vec<String> {
        let startups = options.startups(target, "nobody");
        let mark = |index| if index < startups.first { "" } else { "then " };
        startups
            .all
            .iter()
            .enumerate()
            .map(|(index, startup)| format!("{}{}", mark(index), startup.describe()))
            .collect()
    }

    #[test]
    fn the_default_names_the_well_known_the_impossible_and_those_who_replicate() {
        assert_eq!(
            described(&ProbeOptions::default(), &ProbeTarget::new("db", 5432)),
            [
                "user \"postgres\", database \"postgres\"",
                "user \"nobody\", database \"nobody\"",
                "replication user \"postgres\"",
                "replication user \"nobody\"",
                "then user \"postgres\", database \"nobody\"",
                "then user \"nobody\", database \"postgres\"",
                "then replication user \"replicator\"",
                "then replication user \"repl\"",
                "then replication user \"replication\"",
                "then replication user \"repmgr\"",
                "then replication user \"standby\"",
            ]
        );
        assert_eq!(described(&ProbeOptions::quick(), &ProbeTarget::new("db", 5432)).len(), 4);
    }

    #[test]
    fn names_that_are_given_come_first_and_add_to_the_defaults() {
        let mut target = ProbeTarget::new("db", 5432);
        target.database = Some("shop".into());
        let options = ProbeOptions { users: vec!["app".into()], ..ProbeOptions::quick() };
        assert_eq!(
            described(&options, &target),
            [
                "user \"app\", database \"shop\"",
                "user \"postgres\", database \"postgres\"",
                "user \"nobody\", database \"nobody\"",
                "replication user \"app\"",
                "replication user \"postgres\"",
                "replication user \"nobody\"",
            ]
        );
        let all = described(&ProbeOptions { names: StartupNames::WellKnown, ..options }, &target);
        for pair in ["app\", database \"postgres", "app\", database \"nobody", "nobody\", database \"shop"] {
            assert!(all.iter().any(|startup| startup.contains(pair)), "{pair}: {all:?}");
        }
    }

    #[test]
    fn a_user_without_a_database_meets_that_of_its_own_name() {
        let mut target = ProbeTarget::new("db", 5432);
        target.user = Some("app".into());
        let own = "user \"app\", database \"app\"".to_owned();
        let other = "user \"etl\", database \"etl\"".to_owned();
        for names in [StartupNames::Given, StartupNames::Fewest, StartupNames::WellKnown] {
            let options = ProbeOptions { names, users: vec!["etl".into()], ..ProbeOptions::default() };
            let all = described(&options, &target);
            assert!(all.contains(&own) && all.contains(&other), "{all:?}");
            // A database that is given on its own is not that of the target: its client still takes the user's name.
            let options = ProbeOptions { databases: vec!["shop".into()], ..options };
            let all = described(&options, &target);
            assert!(all.contains(&own) && !all.contains(&other), "{all:?}");
            target.database = Some("shop".into());
            let all = described(&options, &target);
            assert!(!all.contains(&own) && !all.contains(&other), "{all:?}");
            target.database = None;
        }
    }

    #[test]
    fn databases_that_are_known_to_be_there_are_each_named_once() {
        let mut target = ProbeTarget::new("db", 5432);
        target.user = Some("admin".into());
        target.databases = vec!["shop".into(), "postgres".into()];
        let all = described(&ProbeOptions::quick(), &target);
        for database in ["shop", "postgres"] {
            let startup = format!("user \"admin\", database \"{database}\"");
            assert_eq!(all.iter().filter(|one| **one == startup).count(), 1, "{all:?}");
        }
        assert_eq!(all.iter().filter(|one| one.contains("replication user \"admin\"")).count(), 1, "{all:?}");
    }

    #[test]
    fn only_the_names_that_are_given() {
        let mut target = ProbeTarget::new("db", 5432);
        target.user = Some("postgres".into());
        target.database = Some("shop".into());
        let options = ProbeOptions {
            replication: vec![Replication::Logical],
            names: StartupNames::Given,
            ..ProbeOptions::default()
        };
        assert_eq!(
            described(&options, &target),
            ["user \"postgres\", database \"shop\"", "logical replication user \"postgres\", database \"shop\""]
        );
    }

    #[test]
    fn there_is_always_something_to_ask() {
        let options = ProbeOptions { names: StartupNames::Given, replication: vec![], ..ProbeOptions::default() };
        assert_eq!(described(&options, &ProbeTarget::new("db", 5432)), ["user \"nobody\", database \"postgres\""]);
    }
}
