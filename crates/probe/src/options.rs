//! What to ask an endpoint, and how much it may cost.

use std::sync::Arc;
use std::time::Duration;

use hostssl_pgwire::frontend::Replication;

use crate::dial::{Dial, Network};
use crate::facts::Startup;
use crate::root_files::RootFiles;
use crate::target::Target;
use hostssl_certificate::RootStore;

/// What to ask and within which bounds. The default asks what a verdict needs, the TLS versions, direct TLS, and nothing
/// that a server might log as an attack.
#[derive(Clone, Debug)]
pub struct Options {
    /// Users to name, beside that of the target.
    pub users: Vec<String>,
    /// Whether to name a user that no server can know, too: it meets only lines of `pg_hba.conf` that say `all`.
    pub random_user: bool,
    /// Databases to name, each with each user, beside that of the target.
    pub databases: Vec<String>,
    /// Kinds of replication to ask for, each as the first user.
    pub replication: Vec<Replication>,
    /// The most connections open at once to one address and port, in all probes that share a [`crate::Prober`].
    pub connections_per_server: usize,
    /// How long to wait for a connection, and for a name to resolve.
    pub connect_timeout: Duration,
    /// How long one connection may take from its opening to its answer.
    pub job_timeout: Duration,
    /// How long all questions to one endpoint may take.
    pub endpoint_timeout: Duration,
    /// How long to wait before the one retry when a server is busy or starting (53300, 57P03).
    pub retry_delay: Duration,
    /// Whether to send every startup over TLS too. Otherwise only the first is, as long as it is let in: the others tell no
    /// more about the verdict then, and stay `unknown` over TLS in the report, for half the load on the server.
    pub every_startup_over_tls: bool,
    /// Whether to ask about each TLS version.
    pub versions: bool,
    /// Whether to ask for direct TLS (PostgreSQL 17 and later).
    pub direct_tls: bool,
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
    /// Whether to keep the exchange message by message.
    pub transcript: bool,
    /// The roots to judge certificates by.
    pub roots: Arc<[RootStore]>,
    /// The roots of targets that name a file of their own; they replace `roots` for those targets, as in libpq.
    pub root_files: RootFiles,
    /// Days within which the end of a certificate's validity is a weakness; not looked at when absent.
    pub expiry_days: Option<u32>,
    /// How hosts are found and reached.
    pub dialer: Arc<dyn Dial>,
    /// The time to judge certificates at, in seconds since 1970; the clock's when absent.
    pub now: Option<i64>,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            users: vec!["postgres".to_owned()],
            random_user: true,
            databases: vec!["postgres".to_owned()],
            replication: vec![Replication::Physical],
            connections_per_server: 4,
            connect_timeout: Duration::from_secs(5),
            job_timeout: Duration::from_secs(10),
            endpoint_timeout: Duration::from_secs(60),
            retry_delay: Duration::from_millis(500),
            every_startup_over_tls: true,
            versions: true,
            direct_tls: true,
            direct_tls_without_alpn: false,
            gss_encryption: false,
            startup_stuffing: false,
            cipher_suites: false,
            groups: false,
            transcript: false,
            roots: Arc::default(),
            root_files: RootFiles::default(),
            expiry_days: None,
            dialer: Arc::new(Network),
            now: None,
        }
    }
}

impl Options {
    /// All questions.
    #[must_use]
    pub fn thorough() -> Self {
        Self {
            direct_tls_without_alpn: true,
            gss_encryption: true,
            startup_stuffing: true,
            cipher_suites: true,
            groups: true,
            ..Self::default()
        }
    }

    /// No more than a verdict needs: four connections to a server that enforces TLS. For wide sweeps.
    #[must_use]
    pub fn lean() -> Self {
        Self { every_startup_over_tls: false, versions: false, direct_tls: false, ..Self::default() }
    }

    /// The startups for `target`: its own user and database first, each pair once.
    pub(crate) fn startups(&self, target: &Target, random_user: &str) -> Vec<Startup> {
        let mut users: Vec<&str> = target.user.iter().chain(&self.users).map(String::as_str).collect();
        if self.random_user || users.is_empty() {
            users.push(random_user);
        }
        let mut databases: Vec<&str> = target.database.iter().chain(&self.databases).map(String::as_str).collect();
        if databases.is_empty() {
            databases.push("postgres");
        }
        let mut startups = Vec::new();
        let mut add = |user: &str, database: Option<&str>, replication| {
            let startup = Startup { user: user.to_owned(), database: database.map(str::to_owned), replication };
            if !startups.contains(&startup) {
                startups.push(startup);
            }
        };
        for user in &users {
            for database in &databases {
                add(user, Some(database), Replication::None);
            }
        }
        // Every user that was named, because a line for replication is often one user's; by default the well-known one.
        let named = target.user.iter().chain(&self.users).count().max(1);
        for replication in &self.replication {
            for user in users.iter().take(named) {
                match replication {
                    Replication::None => {}
                    Replication::Physical => add(user, None, Replication::Physical),
                    Replication::Logical => add(user, databases.first().copied(), Replication::Logical),
                }
            }
        }
        startups
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn described(options: &Options, target: &Target) -> Vec<String> {
        options.startups(target, "nobody").iter().map(Startup::describe).collect()
    }

    #[test]
    fn the_default_is_a_well_known_a_random_and_a_replication_startup() {
        assert_eq!(
            described(&Options::default(), &Target::new("db", 5432)),
            [
                "user \"postgres\", database \"postgres\"",
                "user \"nobody\", database \"postgres\"",
                "replication user \"postgres\""
            ]
        );
    }

    #[test]
    fn the_targets_own_come_first_and_none_twice() {
        let mut target = Target::new("db", 5432);
        target.user = Some("postgres".into());
        target.database = Some("shop".into());
        let options = Options { replication: vec![Replication::Logical], random_user: false, ..Options::default() };
        assert_eq!(
            described(&options, &target),
            [
                "user \"postgres\", database \"shop\"",
                "user \"postgres\", database \"postgres\"",
                "logical replication user \"postgres\", database \"shop\""
            ]
        );
    }

    #[test]
    fn there_is_always_something_to_ask() {
        let options =
            Options { users: vec![], databases: vec![], random_user: false, replication: vec![], ..Options::default() };
        assert_eq!(described(&options, &Target::new("db", 5432)), ["user \"nobody\", database \"postgres\""]);
    }
}
