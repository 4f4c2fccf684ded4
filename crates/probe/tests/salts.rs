//! Clusters of PostgreSQL behind one address that are alike in everything but their secrets.

#![expect(clippy::unwrap_used, reason = "a test that cannot be set up has failed")]

mod common;

use std::net::SocketAddr;
use std::path::PathBuf;

use hostssl_probe::report::{EndpointReport, WireVerdict};
use hostssl_probe::{ProbeOptions, StartupNames};
use hostssl_test_support::postgres::{RealPooler, RealServer, USER, installed};
use hostssl_test_support::wire_servers::{ServerVersion, WireServer};

const ENFORCING: &str = "hostssl all all all scram-sha-256\nhostssl replication all all scram-sha-256\n";
const OPEN: &str = "host all all all scram-sha-256\nhost replication all all scram-sha-256\n";
const BY_MD5: &str = "hostssl all all all md5\nhostssl replication all all md5\n";

/// A folder with what clusters share: rules, and the certificate of the first of them.
struct Clusters {
    version: u8,
    bin: PathBuf,
    folder: tempfile::TempDir,
    first: RealServer,
}

impl Clusters {
    fn start(version: u8) -> Option<Self> {
        let bin = installed(version)?;
        let folder = tempfile::tempdir().unwrap();
        std::fs::set_permissions(folder.path(), std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
        for (name, rules) in [("enforcing", ENFORCING), ("open", OPEN), ("md5", BY_MD5)] {
            std::fs::write(folder.path().join(name), rules).unwrap();
        }
        let rules = folder.path().join("enforcing").display().to_string();
        let first = RealServer::start(version, bin.clone(), &[("hba_file", rules.as_str())]);
        Some(Self { version, bin, folder, first })
    }

    /// Another cluster with the same certificate.
    fn another(&self, rules: &str, settings: &[(&str, &str)]) -> RealServer {
        let certificate = self.first.root();
        let key = certificate.with_file_name("server.key").display().to_string();
        let (certificate, rules) = (certificate.display().to_string(), self.folder.path().join(rules));
        let rules = rules.display().to_string();
        let shared = [("hba_file", rules.as_str()), ("ssl_cert_file", &certificate), ("ssl_key_file", &key)];
        RealServer::start(self.version, self.bin.clone(), &[&shared, settings].concat())
    }
}

fn address(server: &RealServer) -> SocketAddr {
    SocketAddr::from(([127, 0, 0, 1], server.port))
}

async fn ask(servers: &[&RealServer], options: ProbeOptions) -> (EndpointReport, usize) {
    let balancer = common::Peer::balancer(servers.iter().map(|server| address(server)).collect()).await;
    let report = common::probe(balancer.address, options).await;
    (report, balancer.count())
}

fn fewest() -> ProbeOptions {
    ProbeOptions { names: StartupNames::Fewest, ..ProbeOptions::default() }
}

fn differences(report: &EndpointReport) -> Vec<String> {
    report.several_servers.iter().flat_map(|several| several.differences.clone()).collect()
}

#[tokio::test]
async fn clusters_with_one_certificate_are_told_apart_by_their_salts() {
    for version in [15, 17, 18] {
        let Some(clusters) = Clusters::start(version) else { continue };
        let second = clusters.another("enforcing", &[]);
        let both = [&clusters.first, &second];
        // The first round shows both salts: the connections of it are handed out in turn.
        for options in [ProbeOptions::default(), fewest()] {
            let (report, _) = ask(&both, options).await;
            assert_eq!(report.verdict, WireVerdict::Inconclusive, "{version}: {}", report.reason);
            assert_eq!(differences(&report), ["salt of the same user"], "{version}: {}", report.reason);
        }
        let (report, _) = ask(&both, ProbeOptions { repeat: 3, ..ProbeOptions::default() }).await;
        assert_eq!(report.verdict, WireVerdict::Enforced, "{version}: {}", report.reason);
        let open = clusters.another("open", &[]);
        for options in [ProbeOptions::default(), fewest()] {
            let (report, _) = ask(&[&clusters.first, &second, &second, &second, &open], options).await;
            assert_ne!(report.verdict, WireVerdict::Enforced, "{version}: {}", report.reason);
        }
    }
}

/// The salts cost no connection, and a client that leaves with one has not failed to log in.
#[tokio::test]
async fn one_cluster_has_one_salt_for_each_user_and_logs_no_failed_login() {
    for version in [15, 17, 18] {
        let Some(clusters) = Clusters::start(version) else { continue };
        clusters.first.psql("sslmode=require", "create role app login password 'x'");
        clusters.first.psql("sslmode=require", "create role passwordless login");
        for users in [vec![], vec!["app".to_owned()], vec!["passwordless".to_owned()], vec!["nobody".to_owned()]] {
            let connections = if users.is_empty() { 7 } else { 10 };
            let (report, count) = ask(&[&clusters.first], ProbeOptions { users: users.clone(), ..fewest() }).await;
            assert_eq!(report.verdict, WireVerdict::Enforced, "{version} {users:?}: {}", report.reason);
            assert_eq!(report.several_servers, None, "{version} {users:?}");
            assert_eq!(count, connections, "{version} {users:?}");
        }
        let [log, csv, json] = clusters.first.logs();
        assert!(log.contains("no pg_hba.conf entry"), "{version}: the log is the right one");
        for log in [log, csv, json] {
            for trace in ["password authentication failed", "28P01", "SCRAM"] {
                assert!(!log.contains(trace), "{version}: {trace}: {log}");
            }
        }
    }
}

#[tokio::test]
async fn replicas_have_the_salts_of_their_primary() {
    let Some(clusters) = Clusters::start(15) else { return };
    let standby = clusters.first.standby("sslmode=require", &[]);
    // It has the data directory of its primary, and the rules that are in it.
    let (report, _) = ask(&[&clusters.first, &standby], fewest()).await;
    assert!(!differences(&report).contains(&"salt of the same user".to_owned()), "{}", report.reason);
}

/// The salt of MD5 is another one for every connection.
#[tokio::test]
async fn md5_says_nothing_about_the_server() {
    let Some(clusters) = Clusters::start(15) else { return };
    let md5 = clusters.another("md5", &[("password_encryption", "md5")]);
    md5.psql("sslmode=require", &format!("alter role {USER} password 'secret'"));
    let (report, _) = ask(&[&md5], ProbeOptions::default()).await;
    assert_eq!(report.verdict, WireVerdict::Enforced, "{}", report.reason);
    assert_eq!(report.encrypted.authentication.as_deref(), Some("md5"), "{}", report.reason);
    assert_eq!(report.several_servers, None);
}

/// Where TLS 1.3 is all that there is, no second login shows a salt, and none is tried in vain.
#[tokio::test]
async fn a_server_with_tls_13_alone_costs_no_more() {
    let Some(bin) = ServerVersion::Pg15.bin() else { return };
    let identity = hostssl_test_support::pki::WantedCertificate::new("127.0.0.1")
        .ip("127.0.0.1")
        .by(&hostssl_test_support::pki::root("Test root"));
    let settings = ["ssl_min_protocol_version=TLSv1.3"];
    let server = WireServer::postgres(&bin, ENFORCING, &settings, Some(&identity));
    let counted = common::Peer::balancer(vec![server.address]).await;
    let report = common::probe(counted.address, fewest()).await;
    assert_eq!((report.verdict, counted.count()), (WireVerdict::Enforced, 6), "{}", report.reason);
}

/// PgBouncer makes a salt up for every connection of a user whose password it has as it is. Neither an error of
/// PostgreSQL nor another salt says that two of them answer.
#[tokio::test]
async fn a_pooler_that_makes_salts_up_is_one_server() {
    let Some(clusters) = Clusters::start(15) else { return };
    let settings = "client_tls_sslmode = require\nauth_type = scram-sha-256";
    let Some(pooler) = RealPooler::start(&clusters.first, settings) else { return };
    let report = common::probe(SocketAddr::from(([127, 0, 0, 1], pooler.port)), ProbeOptions::default()).await;
    assert_eq!(report.verdict, WireVerdict::Enforced, "{}", report.reason);
    assert!(report.encrypted.authentication.as_deref().is_some_and(|name| name.contains("SCRAM")));
    assert_eq!(report.several_servers, None);
}
