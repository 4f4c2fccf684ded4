//! Several servers behind one address, each with a certificate and versions of TLS of its own: none speaks for the others.

#![expect(clippy::unwrap_used, reason = "a test that cannot be set up has failed")]

mod common;

use hostssl_probe::certificate::RootStore;
use hostssl_probe::report::{EndpointReport, Weakness, WireVerdict};
use hostssl_probe::{ProbeOptions, StartupNames};
use hostssl_test_support::pki::{TestIssuer, WantedCertificate, root};
use hostssl_test_support::postgres::skipped as skip;
use hostssl_test_support::wire_servers::{ServerIdentity, ServerVersion, WireServer};

const ENFORCING: &str = "hostssl all all all scram-sha-256\n";

fn wanted() -> WantedCertificate {
    WantedCertificate::new("127.0.0.1").ip("127.0.0.1")
}

struct Servers {
    bin: std::path::PathBuf,
    root: TestIssuer,
}

impl Servers {
    fn new() -> Option<Self> {
        let bin = ServerVersion::Pg15.bin();
        if bin.is_none() {
            skip("PostgreSQL 15");
        }
        Some(Self { bin: bin?, root: root("Test root") })
    }

    fn start(&self, identity: &ServerIdentity, settings: &[&str]) -> WireServer {
        WireServer::postgres(&self.bin, ENFORCING, settings, Some(identity))
    }

    /// Probes servers that are taken in turn.
    async fn probe(&self, servers: &[&WireServer], repeat: u16, names: StartupNames) -> EndpointReport {
        let store = RootStore::from_pem("test", self.root.pem().as_bytes()).unwrap();
        let options = ProbeOptions { roots: vec![store].into(), repeat, names, ..ProbeOptions::default() };
        let balancer = common::Peer::balancer(servers.iter().map(|server| server.address).collect()).await;
        common::probe(balancer.address, options).await
    }
}

#[tokio::test]
async fn the_worst_certificate_counts() {
    let Some(servers) = Servers::new() else { return };
    let good = servers.start(&wanted().by(&servers.root), &[]);
    let stale = servers.start(&wanted().self_signed(), &[]);
    for (list, repeat) in [
        (vec![&good, &stale], 1),
        (vec![&stale, &good], 1),
        (vec![&good, &good, &good, &stale], 12),
        (vec![&stale, &good, &good, &good], 12),
    ] {
        let report = servers.probe(&list, repeat, StartupNames::Fewest).await;
        let certificate = report.certificate.unwrap();
        assert_eq!(certificate.verify_full.ok, Some(false), "{repeat}: {:?}", certificate.verify_full);
        assert!(certificate.self_signed, "{repeat}: the one that is refused is shown");
        for weakness in [Weakness::CertificateSelfSigned, Weakness::CertificateUntrusted] {
            assert!(report.weaknesses.contains(&weakness), "{repeat}: {:?}", report.weaknesses);
        }
        let several = report.several_servers.unwrap();
        assert!(several.differences.iter().any(|difference| difference == "certificate"), "{several:?}");
    }
}

/// What was not seen of one server is not good.
#[tokio::test]
async fn good_certificates_are_enough_where_all_were_seen() {
    let Some(servers) = Servers::new() else { return };
    let (one, other) = (wanted().by(&servers.root), wanted().by(&servers.root));
    let (one, other) = (servers.start(&one, &[]), servers.start(&other, &[]));
    for (list, repeat, ok) in
        [(vec![&one, &other], 1, None), (vec![&one, &other], 12, Some(true)), (vec![&one], 1, Some(true))]
    {
        let report = servers.probe(&list, repeat, StartupNames::WellKnown).await;
        let certificate = report.certificate.unwrap();
        assert_eq!(certificate.verify_full.ok, ok, "{repeat}: {:?}", certificate.verify_full);
        assert_eq!(certificate.rfc9525.ok, ok, "{repeat}: {:?}", certificate.rfc9525);
        let said = certificate.verify_full.reason.unwrap_or_default();
        assert_eq!(said.contains("at least 2 servers answer here"), ok.is_none(), "{said}");
        if repeat == 12 {
            assert_eq!(report.verdict, WireVerdict::Enforced, "{}", report.reason);
        }
    }
}

#[tokio::test]
async fn the_oldest_versions_of_any_server_count() {
    let Some(servers) = Servers::new() else { return };
    let identity = wanted().by(&servers.root);
    let settings = ["ssl_min_protocol_version=TLSv1", "ssl_max_protocol_version=TLSv1.2", "ssl_ciphers=ALL@SECLEVEL=0"];
    let (new, old) = (servers.start(&identity, &[]), servers.start(&identity, &settings));
    for list in [vec![&new, &new, &new, &old], vec![&old, &new, &new, &new]] {
        let report = servers.probe(&list, 12, StartupNames::Fewest).await;
        for weakness in [Weakness::DeprecatedTlsVersion, Weakness::NoTls13] {
            assert!(report.weaknesses.contains(&weakness), "{:?} {}", report.weaknesses, report.reason);
        }
    }
    let report = servers.probe(&[&new], 3, StartupNames::Fewest).await;
    assert_eq!((report.weaknesses, report.several_servers), (vec![], None));
}
