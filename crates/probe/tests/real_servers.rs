//! The prober against real servers. Each expectation stands in the table before the probe runs.
//!
//! `scripts/install-wire-servers` installs what is needed; what is missing is skipped with a line, unless CI is set.

#![expect(clippy::unwrap_used, reason = "a test that cannot be set up has failed")]

mod common;

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use hostssl_probe::certificate::RootStore;
use hostssl_probe::report::{
    ClientCertificate as Client, EndpointReport, ProtocolVersion, ReplicationMode, SslRequestOutcome as Ssl,
    StartupOutcome, Support, Weakness, WireVerdict,
};
use hostssl_probe::{ProbeOptions, Replication, StartupNames};
use hostssl_test_support::pki::{WantedCertificate, root, rsa_key};
use hostssl_test_support::postgres::skipped as skip;
use hostssl_test_support::wire_servers::{ServerIdentity, ServerVersion, WireServer, program};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

/// Patient: the machine may be busy, and no expectation rests on a time-out.
fn options() -> ProbeOptions {
    ProbeOptions { retry_delay: Duration::from_millis(50), ..ProbeOptions::default() }
}

async fn probe(address: SocketAddr, options: ProbeOptions) -> EndpointReport {
    common::probe(address, options).await
}

/// An ECDSA certificate for the address that the tests use.
fn identity() -> ServerIdentity {
    WantedCertificate::new("127.0.0.1").ip("127.0.0.1").by(&root("Test root"))
}

fn pg15() -> Option<std::path::PathBuf> {
    let bin = ServerVersion::Pg15.bin();
    if bin.is_none() {
        skip("PostgreSQL 15");
    }
    bin
}

struct Case {
    name: &'static str,
    hba: &'static str,
    tls: bool,
    verdict: WireVerdict,
    weaknesses: &'static [Weakness],
}

/// Rules that let nobody in, for servers that get theirs later.
const NOBODY: &str = "host all all all reject\n";

const REPLICATION_TLS: &str = "hostssl replication all all scram-sha-256\n";

#[tokio::test]
async fn rules_of_pg_hba_conf() {
    let Some(bin) = pg15() else { return };
    let with_tls = WireServer::postgres(&bin, NOBODY, &[], Some(&identity()));
    let without = WireServer::postgres(&bin, NOBODY, &[], None);
    for case in [
        Case {
            name: "no TLS",
            hba: "host all all all scram-sha-256",
            tls: false,
            verdict: WireVerdict::PlaintextOnly,
            weaknesses: &[Weakness::PlaintextAccepted],
        },
        Case {
            name: "no TLS, all rejected",
            hba: "host all all all reject",
            tls: false,
            verdict: WireVerdict::Inconclusive,
            weaknesses: &[],
        },
        Case {
            name: "TLS optional",
            hba: "host all all all scram-sha-256\nhost replication all all scram-sha-256",
            tls: true,
            verdict: WireVerdict::Optional,
            weaknesses: &[Weakness::PlaintextAccepted, Weakness::PlaintextReplicationAccepted],
        },
        Case {
            name: "hostssl only",
            hba: "hostssl all all all scram-sha-256",
            tls: true,
            verdict: WireVerdict::Enforced,
            weaknesses: &[],
        },
        Case {
            name: "hostssl and a reject of the rest",
            hba: "hostnossl all all all reject\nhost all all all scram-sha-256",
            tls: true,
            verdict: WireVerdict::Enforced,
            weaknesses: &[],
        },
        Case {
            name: "a hole for replication",
            hba: "hostssl all all all scram-sha-256\nhost replication all all trust",
            tls: true,
            verdict: WireVerdict::Optional,
            weaknesses: &[Weakness::PlaintextReplicationAccepted, Weakness::PlaintextTrust],
        },
        Case {
            name: "plaintext only by rule",
            hba: "hostnossl all all all scram-sha-256",
            tls: true,
            verdict: WireVerdict::PlaintextOnly,
            weaknesses: &[Weakness::PlaintextAccepted],
        },
        Case {
            name: "nobody is let in",
            hba: "host all all all reject",
            tls: true,
            verdict: WireVerdict::Inconclusive,
            weaknesses: &[],
        },
        Case {
            name: "trust for all",
            hba: "host all all all trust",
            tls: true,
            verdict: WireVerdict::Optional,
            weaknesses: &[Weakness::PlaintextAccepted, Weakness::PlaintextTrust],
        },
        Case {
            name: "a password in plaintext",
            hba: "host all all all password",
            tls: true,
            verdict: WireVerdict::Optional,
            weaknesses: &[Weakness::PlaintextAccepted, Weakness::PlaintextPassword],
        },
    ] {
        let server = if case.tls { &with_tls } else { &without };
        server.reload(case.hba, None);
        let report = probe(server.address, options()).await;
        assert_eq!(report.verdict, case.verdict, "{}: {}", case.name, report.reason);
        assert_eq!(report.ssl_request, if case.tls { Ssl::S } else { Ssl::N }, "{}", case.name);
        assert_eq!(report.weaknesses, case.weaknesses, "{}", case.name);
        if case.verdict == WireVerdict::Enforced {
            assert_eq!(report.tls.unwrap().channel_binding, Some(true), "{}", case.name);
        }
    }
}

#[tokio::test]
async fn holes_that_the_default_names_meet() {
    let Some(bin) = pg15() else { return };
    let server = WireServer::postgres(&bin, NOBODY, &[], Some(&identity()));
    for (name, hba, hole) in [
        (
            "every database but the maintenance one",
            "hostnossl postgres all all reject\nhostnossl replication all all reject\nhost all all all md5",
            "user \"hostssl_",
        ),
        (
            "every user but the maintenance one",
            "hostnossl all postgres all reject\nhost all all all md5",
            "user \"hostssl_",
        ),
        (
            "the maintenance database for all but its user",
            "hostnossl all postgres all reject\nhost postgres all all md5\nhostssl all all all md5",
            "\", database \"postgres\"",
        ),
        (
            "the maintenance user but in its own database",
            "hostnossl postgres all all reject\nhost all postgres all md5\nhostssl all all all md5",
            "user \"postgres\", database \"hostssl_",
        ),
        ("the maintenance user", "host all postgres all md5\nhostssl all all all md5", "user \"postgres\""),
        (
            "a replication user",
            "host replication replicator all md5\nhostssl all all all md5\nhostssl replication all all md5",
            "replication as user \"replicator\"",
        ),
        (
            "another replication user",
            "host replication standby all md5\nhostssl all all all md5",
            "replication as user \"standby\"",
        ),
    ] {
        server.reload(hba, None);
        for users in [vec![], vec!["app".to_owned()]] {
            let defaults = users.is_empty();
            let report = probe(server.address, ProbeOptions { users, ..options() }).await;
            assert_eq!(report.verdict, WireVerdict::Optional, "{name}: {}", report.reason);
            assert!(!defaults || report.reason.contains(hole), "{name}: {}", report.reason);
        }
    }
}

/// What makes fourteen connections of seven: each name meets a rule that no other name of the defaults meets, so that leaving one
/// out would call a server `enforced` that is not.
#[tokio::test]
async fn each_startup_in_plaintext_finds_what_no_other_finds() {
    let Some(bin) = pg15() else { return };
    let server = WireServer::postgres(&bin, NOBODY, &[], Some(&identity()));
    let of = |user: &str, database: Option<&str>, replication: bool| {
        (user.to_owned(), database.map(str::to_owned), replication)
    };
    let replication = |user: &str| (format!("host replication {user} all md5"), of(user, None, true));
    let mut holes = vec![
        ("host postgres postgres all md5".to_owned(), of("postgres", Some("postgres"), false)),
        (
            "hostnossl postgres all all reject\nhostnossl all postgres all reject\nhost all all all md5".to_owned(),
            of("", Some(""), false),
        ),
        ("hostnossl postgres all all reject\nhost all postgres all md5".to_owned(), of("postgres", Some(""), false)),
        ("hostnossl all postgres all reject\nhost postgres all all md5".to_owned(), of("", Some("postgres"), false)),
    ];
    holes.extend(["postgres", "replicator", "repl", "replication", "repmgr", "standby"].map(replication));
    let known = "postgres,replicator,repl,replication,repmgr,standby";
    holes.push((format!("hostnossl replication {known} all reject\nhost replication all all md5"), of("", None, true)));
    for (rule, expected) in &holes {
        server.reload(&format!("{rule}\nhostssl all all all md5\nhostssl replication all all md5"), None);
        let report = probe(server.address, options()).await;
        assert_eq!(report.verdict, WireVerdict::Optional, "{rule}: {}", report.reason);
        // A name that cannot exist is another one in each probe.
        let made_up = |name: &str| if name.starts_with("hostssl_") { String::new() } else { name.to_owned() };
        let allowed: Vec<_> = report
            .startups
            .iter()
            .filter(|one| one.plaintext.outcome == StartupOutcome::Allowed)
            .map(|one| {
                (made_up(&one.user), one.database.as_deref().map(made_up), one.replication != ReplicationMode::None)
            })
            .collect();
        assert_eq!(allowed, std::slice::from_ref(expected), "{rule}");
    }
    // Together they are all that is asked in plaintext; the three other connections are the first one and the two of TLS 1.2 and 1.1.
    server.reload("hostssl all all all scram-sha-256", None);
    let asked = probe(server.address, options()).await.startups.len();
    assert_eq!(asked, holes.len());
}

#[tokio::test]
async fn holes_for_names_that_only_the_caller_knows() {
    let Some(bin) = pg15() else { return };
    let hba = "host shop all all scram-sha-256\nhost all app all md5\nhostssl all all all scram-sha-256\n".to_owned();
    // For a user without a password, as "app" is here, this setting decides what the method "md5" asks for.
    let settings = ["password_encryption=md5"];
    let server = WireServer::postgres(&bin, &(hba + REPLICATION_TLS), &settings, Some(&identity()));
    // The proof covers what was probed, and no more.
    let report = probe(server.address, options()).await;
    assert_eq!(report.verdict, WireVerdict::Enforced, "{}", report.reason);

    let shop = ProbeOptions { databases: vec!["shop".into()], ..options() };
    let report = probe(server.address, shop).await;
    assert_eq!(report.verdict, WireVerdict::Optional);
    let mut holes = report.startups.iter().filter(|startup| startup.plaintext.outcome == StartupOutcome::Allowed);
    assert!(holes.all(|startup| startup.database.as_deref() == Some("shop")));

    let app = ProbeOptions { users: vec!["app".into()], ..options() };
    let report = probe(server.address, app).await;
    assert_eq!(report.verdict, WireVerdict::Optional);
    assert_eq!(report.weaknesses, [Weakness::PlaintextAccepted, Weakness::PlaintextMd5]);
    assert_eq!(report.reason, "accepted in plaintext: user \"app\", database \"postgres\"");

    let only = ProbeOptions { users: vec!["other".into()], names: StartupNames::Given, ..options() };
    let report = probe(server.address, only).await;
    assert_eq!((report.verdict, report.startups.len()), (WireVerdict::Enforced, 3), "{}", report.reason);
}

/// libpq, pgJDBC and Npgsql connect to the database of the user's name where none is given.
#[tokio::test]
async fn a_user_without_a_database_is_asked_for_with_that_of_its_name() {
    let Some(bin) = pg15() else { return };
    let rules = "host app app all scram-sha-256\nhostssl all all all scram-sha-256\n".to_owned() + REPLICATION_TLS;
    let server = WireServer::postgres(&bin, &rules, &[], Some(&identity()));
    for names in [StartupNames::Given, StartupNames::Fewest, StartupNames::WellKnown] {
        let options = ProbeOptions { names, users: vec!["app".into()], ..options() };
        let report = probe(server.address, options).await;
        assert_eq!(report.verdict, WireVerdict::Optional, "{names:?}: {}", report.reason);
        assert_eq!(report.reason, "accepted in plaintext: user \"app\", database \"app\"");
    }
}

/// Rules that reject the usual names for replication do not hide the line for all others behind them.
#[tokio::test]
async fn replication_is_asked_for_as_a_user_that_cannot_exist() {
    let Some(bin) = pg15() else { return };
    let rules = "host replication postgres all reject\nhost replication all all scram-sha-256\nhostssl all all all scram-sha-256";
    let server = WireServer::postgres(&bin, rules, &[], Some(&identity()));
    for options in [ProbeOptions::quick(), ProbeOptions::lean(), options()] {
        let report = probe(server.address, options).await;
        assert_eq!(report.verdict, WireVerdict::Optional, "{}", report.reason);
        assert!(report.reason.contains("replication as user \"hostssl_"), "{}", report.reason);
    }
}

/// Each connection costs the server a process, and a line in its log.
#[tokio::test]
async fn no_more_connections_than_the_facts_need() {
    for (version, name) in [
        (ServerVersion::Pg15, "PostgreSQL 15"),
        (ServerVersion::Pg17, "PostgreSQL 17"),
        (ServerVersion::Pg18, "PostgreSQL 18"),
    ] {
        let Some(bin) = version.bin() else {
            skip(name);
            continue;
        };
        let server = WireServer::postgres(&bin, "hostssl all all all scram-sha-256", &[], Some(&identity()));
        for (options, connections) in [(ProbeOptions { names: StartupNames::Fewest, ..options() }, 7), (options(), 14)]
        {
            let counted = common::Peer::balancer(vec![server.address]).await;
            let report = probe(counted.address, options).await;
            assert_eq!(report.verdict, WireVerdict::Enforced, "{name}: {}", report.reason);
            let tls = report.tls.unwrap();
            let seen: Vec<_> = tls.versions.iter().map(|version| version.support).collect();
            use Support::{Accepted as Yes, Refused as No};
            assert_eq!(seen, [No, No, No, Yes, Yes], "{name}");
            assert_ne!(tls.direct_tls, Support::Unknown, "{name}");
            assert_eq!(tls.channel_binding, Some(true), "{name}");
            assert_eq!(counted.count(), connections, "{name}");
        }
    }
}

#[tokio::test]
async fn several_servers_behind_one_address() {
    let Some(bin) = pg15() else { return };
    let start = |hba| WireServer::postgres(&bin, hba, &[], Some(&identity()));
    let (one, other) = (start("hostssl all all all scram-sha-256"), start("hostssl all all all scram-sha-256"));
    let open = start("host all all all scram-sha-256");
    let ask = async |servers: Vec<SocketAddr>, options: ProbeOptions| {
        let balancer = common::Peer::balancer(servers).await;
        probe(balancer.address, options).await
    };
    let report = ask(vec![one.address, other.address], options()).await;
    assert_eq!(report.verdict, WireVerdict::Inconclusive, "{}", report.reason);
    assert!(
        report.reason.contains("at least 2 servers answer here, which differ in: certificate"),
        "{}",
        report.reason
    );
    let report = ask(vec![one.address, other.address], ProbeOptions { repeat: 3, ..options() }).await;
    assert_eq!(report.verdict, WireVerdict::Enforced, "{}", report.reason);
    for options in
        [options(), ProbeOptions { names: StartupNames::Fewest, ..options() }, ProbeOptions { repeat: 2, ..options() }]
    {
        for servers in [vec![one.address, open.address], vec![one.address, one.address, open.address, other.address]] {
            let report = ask(servers, options.clone()).await;
            assert_ne!(report.verdict, WireVerdict::Enforced, "{}", report.reason);
        }
    }
}

/// What TLS decides cannot be seen where no one gets in, and the reason says no more than that.
#[tokio::test]
async fn a_server_that_rejects_everyone() {
    let Some(bin) = pg15() else { return };
    let server = WireServer::postgres(&bin, NOBODY, &[], Some(&identity()));
    for hba in [
        NOBODY,
        "host all all all reject\nhost replication all all reject\n",
        "hostnossl all all all reject\n",
        "hostssl all all all reject\n",
        "local all all trust\n",
    ] {
        server.reload(hba, None);
        for (options, counts) in [(options(), (11, 4)), (ProbeOptions::quick(), (4, 4))] {
            let report = probe(server.address, options).await;
            assert_eq!(report.verdict, WireVerdict::Inconclusive, "{hba}: {}", report.reason);
            let (plaintext, encrypted) = counts;
            let beginning = format!(
                "no one gets in from here: all {plaintext} startups probed are refused in plaintext, and all {encrypted} tried over TLS."
            );
            assert!(report.reason.starts_with(&beginning), "{hba}: {}", report.reason);
            for startup in report.startups.iter().skip(encrypted) {
                assert_eq!(
                    startup.encrypted.note.as_deref(),
                    Some("not tried: those that were sent first were not accepted over TLS"),
                    "{hba}"
                );
            }
        }
    }
}

#[tokio::test]
async fn replication_that_nobody_can_have() {
    let Some(bin) = pg15() else { return };
    let settings = ["max_wal_senders=0", "wal_level=minimal"];
    let server = WireServer::postgres(&bin, "hostssl all all all scram-sha-256", &settings, Some(&identity()));
    let report = probe(server.address, options()).await;
    assert_eq!(report.verdict, WireVerdict::Enforced, "{}", report.reason);
    assert!(report.reason.contains("no free WAL sender"), "{}", report.reason);
    assert_eq!(report.plaintext.outcome, StartupOutcome::Refused);
    server.reload("host all all all scram-sha-256", None);
    assert_eq!(probe(server.address, options()).await.verdict, WireVerdict::Optional);
}

#[tokio::test]
async fn logical_replication_meets_ordinary_rules() {
    let Some(bin) = pg15() else { return };
    let server = WireServer::postgres(&bin, "hostssl all all all scram-sha-256", &[], Some(&identity()));
    let both = ProbeOptions { replication: vec![Replication::Physical, Replication::Logical], ..options() };
    let report = probe(server.address, both).await;
    assert_eq!(report.verdict, WireVerdict::Enforced, "{}", report.reason);
    let logical = report.startups.iter().find(|startup| startup.replication == ReplicationMode::Logical).unwrap();
    assert_eq!(logical.plaintext.outcome, StartupOutcome::Refused);
    server.reload("host postgres all all scram-sha-256\nhostssl all all all scram-sha-256", None);
    let logical = ProbeOptions { replication: vec![Replication::Logical], names: StartupNames::Given, ..options() };
    let report = probe(server.address, logical).await;
    assert_eq!(report.verdict, WireVerdict::Optional, "{}", report.reason);
}

#[tokio::test]
async fn client_certificates() {
    let Some(bin) = pg15() else { return };
    let demanded = ServerIdentity { client_roots: Some(root("Clients").pem()), ..identity() };
    let server = WireServer::postgres(&bin, NOBODY, &[], Some(&demanded));
    for (name, hba, expected) in [
        ("by a rule", "hostssl all all all scram-sha-256 clientcert=verify-ca", Client::Required),
        ("as the method", "hostssl all all all cert", Client::Required),
        ("asked for only", "hostssl all all all scram-sha-256", Client::Requested),
    ] {
        server.reload(hba, None);
        let report = probe(server.address, options()).await;
        assert_eq!(report.verdict, WireVerdict::Enforced, "{name}: {}", report.reason);
        assert_eq!(report.tls.unwrap().client_certificate, expected, "{name}");
    }
}

#[tokio::test]
async fn versions_of_tls() {
    let Some(bin) = pg15() else { return };
    let identity =
        ServerIdentity::clone(&WantedCertificate::new("x").ip("127.0.0.1").key(rsa_key(2048)).by(&root("Test root")));
    use Support::{Accepted as Yes, Refused as No};
    for (min, max, expected, verdict) in [
        ("TLSv1", "", [No, Yes, Yes, Yes, Yes], WireVerdict::Enforced),
        ("TLSv1", "TLSv1", [No, Yes, No, No, No], WireVerdict::BrokenTls),
        ("TLSv1", "TLSv1.1", [No, Yes, Yes, No, No], WireVerdict::BrokenTls),
        ("TLSv1.1", "TLSv1.2", [No, No, Yes, Yes, No], WireVerdict::Enforced),
        ("TLSv1.2", "TLSv1.2", [No, No, No, Yes, No], WireVerdict::Enforced),
        ("TLSv1.2", "", [No, No, No, Yes, Yes], WireVerdict::Enforced),
        ("TLSv1.3", "", [No, No, No, No, Yes], WireVerdict::Enforced),
    ] {
        let min_setting = format!("ssl_min_protocol_version={min}");
        let max_setting = format!("ssl_max_protocol_version={max}");
        // OpenSSL has old versions at security level 0 only.
        let settings = [min_setting.as_str(), &max_setting, "ssl_ciphers=DEFAULT@SECLEVEL=0"];
        let server = WireServer::postgres(&bin, "hostssl all all all scram-sha-256", &settings, Some(&identity));
        let report = probe(server.address, options()).await;
        assert_eq!(report.verdict, verdict, "{min}..{max}: {}", report.reason);
        let found: Vec<_> = report.tls.unwrap().versions.iter().map(|version| version.support).collect();
        assert_eq!(found, expected, "{min}..{max}");
        let old = expected[..3].contains(&Yes);
        assert_eq!(report.weaknesses.contains(&Weakness::DeprecatedTlsVersion), old, "{min}..{max}");
        assert!(report.certificate.is_some(), "{min}..{max}: shown even where only our own hello can see it");
    }
}

#[tokio::test]
async fn suites_and_groups() {
    let Some(bin) = pg15() else { return };
    let identity = WantedCertificate::new("x").ip("127.0.0.1").key(rsa_key(2048)).by(&root("Test root"));
    let settings = ["ssl_ciphers=ECDHE-RSA-AES256-GCM-SHA384:AES128-SHA", "ssl_prefer_server_ciphers=on"];
    let server = WireServer::postgres(&bin, "hostssl all all all scram-sha-256", &settings, Some(&identity));
    let all = ProbeOptions { cipher_suites: true, groups: true, ..options() };
    let report = probe(server.address, all).await;
    let tls = report.tls.unwrap();
    let suites = tls.cipher_suites.unwrap();
    assert_eq!(suites[0].version, ProtocolVersion::Tls12);
    assert_eq!(suites[0].names, ["TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384", "TLS_RSA_WITH_AES_128_CBC_SHA"]);
    assert_eq!(suites[1].version, ProtocolVersion::Tls13);
    assert!(suites.iter().all(|list| list.complete));
    for groups in tls.groups.unwrap() {
        assert_eq!((groups.names.as_slice(), groups.complete), (&["secp256r1".to_owned()][..], true));
    }
    assert!(report.weaknesses.contains(&Weakness::NoForwardSecrecy));
}

#[tokio::test]
async fn a_suite_that_our_client_does_not_have() {
    let Some(bin) = pg15() else { return };
    let identity = WantedCertificate::new("x").ip("127.0.0.1").key(rsa_key(2048)).by(&root("Test root"));
    let settings = ["ssl_ciphers=AES128-SHA", "ssl_max_protocol_version=TLSv1.2"];
    let server = WireServer::postgres(&bin, "hostssl all all all scram-sha-256", &settings, Some(&identity));
    let report = probe(server.address, options()).await;
    assert_eq!(report.verdict, WireVerdict::Enforced, "{}", report.reason);
    assert!(report.reason.contains("TLS was not completed"), "{}", report.reason);
    assert!(report.weaknesses.contains(&Weakness::NoForwardSecrecy), "{:?}", report.weaknesses);
    assert_eq!(report.encrypted.outcome, StartupOutcome::Unknown);
    let tls = report.tls.unwrap();
    assert!(tls.negotiated.is_none());
    assert_eq!(tls.versions[3].support, Support::Accepted);
    // A server without encryption in its TLS protects nobody.
    let settings = ["ssl_ciphers=NULL-SHA256@SECLEVEL=0", "ssl_max_protocol_version=TLSv1.2"];
    let server = WireServer::postgres(&bin, "hostssl all all all scram-sha-256", &settings, Some(&identity));
    let report = probe(server.address, options()).await;
    assert_eq!(report.verdict, WireVerdict::Inconclusive, "{}", report.reason);
    assert!(report.weaknesses.contains(&Weakness::WeakCipherSuite), "{:?}", report.weaknesses);
}

#[tokio::test]
async fn a_server_without_a_free_slot() {
    let Some(bin) = pg15() else { return };
    let settings = ["max_connections=1", "superuser_reserved_connections=0", "max_wal_senders=0"];
    let server =
        WireServer::postgres(&bin, "hostssl all all all md5\nhost all all all trust", &settings, Some(&identity()));
    let mut holder = tokio::net::TcpStream::connect(server.address).await.unwrap();
    let startup = b"\0\0\0\x29\0\x03\0\0user\0postgres\0database\0postgres\0\0";
    holder.write_all(startup).await.unwrap();
    assert_eq!(holder.read_u8().await.unwrap(), b'R');
    let report = probe(server.address, options()).await;
    assert_eq!(report.verdict, WireVerdict::Inconclusive, "{}", report.reason);
    assert_eq!(report.plaintext.sqlstate.as_deref(), Some("53300"));
}

#[tokio::test]
async fn direct_tls_and_stuffing_by_version() {
    for (version, name, direct) in [
        (ServerVersion::Pg15, "PostgreSQL 15", Support::Refused),
        (ServerVersion::Pg17, "PostgreSQL 17", Support::Accepted),
        (ServerVersion::Pg18, "PostgreSQL 18", Support::Accepted),
    ] {
        let Some(bin) = version.bin() else {
            skip(name);
            continue;
        };
        let server = WireServer::postgres(&bin, "hostssl all all all scram-sha-256", &[], Some(&identity()));
        let all =
            ProbeOptions { direct_tls_without_alpn: true, startup_stuffing: true, gss_encryption: true, ..options() };
        let report = probe(server.address, all).await;
        assert_eq!(report.verdict, WireVerdict::Enforced, "{name}: {}", report.reason);
        let tls = report.tls.unwrap();
        assert_eq!(tls.direct_tls, direct, "{name}");
        let without = if direct == Support::Accepted { Support::Refused } else { Support::Unknown };
        assert_eq!(tls.direct_tls_without_alpn.unwrap_or_default(), without, "{name}");
        assert_eq!(tls.startup_stuffing, Some(Support::Refused), "{name}");
        assert_eq!(tls.gss_encryption, Some(Support::Accepted), "{name}");
        assert_eq!(tls.negotiated.unwrap().group.as_deref(), Some("secp256r1"), "{name}");
    }
}

#[tokio::test]
async fn a_target_that_asks_for_direct_tls() {
    let Some(bin) = ServerVersion::Pg17.bin() else {
        return skip("PostgreSQL 17");
    };
    let server = WireServer::postgres(&bin, "hostssl all all all scram-sha-256", &[], Some(&identity()));
    let text = format!("host=127.0.0.1 port={} sslnegotiation=direct", server.address.port());
    let target = hostssl_probe::target::ProbeTarget::parse(&text).unwrap().remove(0);
    let report = hostssl_probe::Prober::new(options()).unwrap().probe(&target).await.remove(0);
    assert_eq!((report.verdict, report.ssl_request), (WireVerdict::Enforced, Ssl::NotSent), "{}", report.reason);
    assert_eq!(report.tls.unwrap().negotiated.unwrap().alpn.as_deref(), Some("postgresql"));
}

#[tokio::test]
async fn pgbouncer() {
    let identity = identity();
    let clients = ServerIdentity { client_roots: Some(root("Clients").pem()), ..identity.clone() };
    for (mode, identity, verdict, ssl, client) in [
        ("disable", &identity, WireVerdict::PlaintextOnly, Ssl::N, None),
        ("allow", &identity, WireVerdict::Optional, Ssl::S, Some(Client::Requested)),
        ("require", &identity, WireVerdict::Enforced, Ssl::S, Some(Client::Requested)),
        ("verify-full", &clients, WireVerdict::Enforced, Ssl::S, Some(Client::Required)),
    ] {
        let Some(server) = WireServer::pgbouncer(&format!("client_tls_sslmode = {mode}"), identity) else {
            return skip("pgbouncer");
        };
        // pgbouncer 1.18 has no replication connections, and looks at TLS before it says so.
        let report = probe(server.address, options()).await;
        assert_eq!((report.verdict, report.ssl_request), (verdict, ssl), "{mode}: {}", report.reason);
        assert_eq!(report.tls.map(|tls| tls.client_certificate), client, "{mode}");
    }
}

#[tokio::test]
async fn a_rule_of_pgbouncer_for_names_that_it_does_not_know_is_seen() {
    let open = "hostssl postgres all 0.0.0.0/0 md5\nhostnossl postgres all 0.0.0.0/0 reject\n\
                host all postgres 0.0.0.0/0 trust\nhostssl all all 0.0.0.0/0 md5\n";
    let anyone =
        "hostssl postgres all 0.0.0.0/0 md5\nhostnossl postgres all 0.0.0.0/0 reject\nhost all all 0.0.0.0/0 trust\n";
    let closed = "hostssl all all 0.0.0.0/0 md5\n";
    for (hba, verdict) in
        [(open, WireVerdict::Optional), (anyone, WireVerdict::Optional), (closed, WireVerdict::Enforced)]
    {
        let settings = "client_tls_sslmode = allow";
        let Some(server) = WireServer::pgbouncer_with_rules(settings, Some(hba), &identity()) else {
            return skip("pgbouncer");
        };
        let report = probe(server.address, options()).await;
        assert_eq!(report.verdict, verdict, "{hba}: {}", report.reason);
    }
}

#[tokio::test]
async fn stunnel() {
    let Some(bin) = pg15() else { return };
    let behind =
        WireServer::postgres(&bin, "host all all all scram-sha-256\nhost replication all all scram-sha-256", &[], None);
    let Some(server) = WireServer::stunnel(behind.address, &identity()) else {
        return skip("stunnel");
    };
    let report = probe(server.address, options()).await;
    assert_eq!((report.verdict, report.ssl_request), (WireVerdict::Enforced, Ssl::S), "{}", report.reason);
    assert_eq!(report.tls.unwrap().channel_binding, Some(false), "TLS ends before the server");
    assert_eq!(report.weaknesses, [Weakness::NoChannelBinding]);
}

#[tokio::test]
async fn pgpool() {
    let Some(bin) = pg15() else { return };
    let behind = WireServer::postgres(&bin, "host all all all password", &[], None);
    for (hba, verdict) in [
        ("hostssl all all 0.0.0.0/0 password\n", WireVerdict::Enforced),
        ("host all all 0.0.0.0/0 password\n", WireVerdict::Optional),
        ("hostnossl all all 0.0.0.0/0 password\n", WireVerdict::PlaintextOnly),
    ] {
        let Some(server) = WireServer::pgpool(behind.address, hba, &identity()) else {
            return skip("pgpool");
        };
        let report = probe(server.address, options()).await;
        assert_eq!((report.verdict, report.ssl_request), (verdict, Ssl::S), "{hba}: {}", report.reason);
    }
}

/// The judgement of certificates, beside what psql says of the same server.
mod certificates {
    use super::*;
    use hostssl_probe::Prober;
    use hostssl_probe::target::ProbeTarget;
    use hostssl_test_support::pki::{by_openssl, intermediate, intermediate_for_clients};

    struct Case {
        name: &'static str,
        identity: ServerIdentity,
        host: &'static str,
        roots: String,
        /// libpq's verdict, RFC 9525's verdict.
        expected: (bool, bool),
        weaknesses: &'static [Weakness],
    }

    /// Whether psql with `sslmode=verify-full` accepts the certificate: it then goes on to miss a password.
    fn psql_accepts(psql: &std::path::Path, case: &Case, port: u16) -> bool {
        let file = std::env::temp_dir().join(format!("hostssl-wire-roots-{}-{port}.pem", std::process::id()));
        std::fs::write(&file, &case.roots).unwrap();
        let dsn = format!(
            "host={} hostaddr=127.0.0.1 port={port} user=postgres dbname=postgres sslmode=verify-full sslrootcert={}",
            case.host,
            file.display()
        );
        let output = std::process::Command::new(psql).args(["-w", "-X", &dsn]).env("LC_ALL", "C").output().unwrap();
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        std::fs::remove_file(&file).unwrap();
        let accepted = said.contains("no password supplied");
        let refused = ["certificate", "SSL error"].iter().any(|part| said.contains(part));
        assert!(accepted != refused, "{}: {said}", case.name);
        accepted
    }

    fn cases() -> Vec<Case> {
        let (mine, other) = (root("Mine"), root("Other"));
        let middle = intermediate("Middle", &mine);
        let of_clients = intermediate_for_clients("Of clients", &mine);
        let good = || WantedCertificate::new("db.example").dns("db.example");
        let itself = good().self_signed();
        let case = |name, identity, host, expected, weaknesses| Case {
            name,
            identity,
            host,
            roots: mine.pem(),
            expected,
            weaknesses,
        };
        vec![
            case("good, ECDSA", good().by(&mine), "db.example", (true, true), &[]),
            case("good, RSA", good().key(rsa_key(2048)).by(&mine), "db.example", (true, true), &[]),
            case("good, RSA 3072", good().key(rsa_key(3072)).by(&mine), "db.example", (true, true), &[]),
            case("through an intermediate", good().by_with(&middle, &[&middle]), "db.example", (true, true), &[]),
            case(
                "missing intermediate",
                good().by(&middle),
                "db.example",
                (false, false),
                &[Weakness::CertificateUntrusted, Weakness::CertificateChainIncomplete],
            ),
            case(
                "another root",
                good().by_with(&other, &[&other]),
                "db.example",
                (false, false),
                &[Weakness::CertificateUntrusted],
            ),
            case("expired", good().expired().by(&mine), "db.example", (false, false), &[Weakness::CertificateExpired]),
            case(
                "not yet valid",
                good().not_yet_valid().by(&mine),
                "db.example",
                (false, false),
                &[Weakness::CertificateNotYetValid],
            ),
            case("wrong host", good().by(&mine), "other.example", (false, false), &[Weakness::CertificateHostMismatch]),
            case(
                "self-signed",
                itself.clone(),
                "db.example",
                (false, false),
                &[Weakness::CertificateSelfSigned, Weakness::CertificateUntrusted],
            ),
            Case {
                name: "self-signed and trusted",
                roots: itself.chain.clone(),
                identity: itself,
                host: "db.example",
                expected: (true, false),
                weaknesses: &[Weakness::CertificateSelfSigned],
            },
            case(
                "common name only",
                WantedCertificate::new("db.example").by(&mine),
                "db.example",
                (true, false),
                &[Weakness::CertificateLegacyName],
            ),
            case(
                "common name beside an address",
                WantedCertificate::new("db.example").ip("192.0.2.1").by(&mine),
                "db.example",
                (true, false),
                &[Weakness::CertificateLegacyName],
            ),
            case(
                "common name beside another name",
                WantedCertificate::new("db.example").dns("other.example").by(&mine),
                "db.example",
                (false, false),
                &[Weakness::CertificateHostMismatch],
            ),
            case("address", WantedCertificate::new("x").ip("127.0.0.1").by(&mine), "127.0.0.1", (true, true), &[]),
            case(
                "another address",
                WantedCertificate::new("x").ip("192.0.2.1").by(&mine),
                "127.0.0.1",
                (false, false),
                &[Weakness::CertificateHostMismatch],
            ),
            case(
                "for clients alone",
                good().for_clients().by(&mine),
                "db.example",
                (false, false),
                &[Weakness::CertificateUntrusted],
            ),
            case(
                "for any purpose",
                good().for_anything().by(&mine),
                "db.example",
                (false, false),
                &[Weakness::CertificateUntrusted],
            ),
            // webpki, which stands for RFC 9525 here, does not look at the key usage of a server's certificate.
            case(
                "a key usage without handshakes",
                good().for_signing_lists().by(&mine),
                "db.example",
                (false, true),
                &[Weakness::CertificateUntrusted],
            ),
            case(
                "an issuer for clients alone",
                good().by_with(&of_clients, &[&of_clients]),
                "db.example",
                (false, false),
                &[Weakness::CertificateUntrusted],
            ),
            case(
                "wildcard",
                WantedCertificate::new("x").dns("*.eu.example").by(&mine),
                "db.eu.example",
                (true, true),
                &[],
            ),
            case(
                "wildcard over two labels",
                WantedCertificate::new("x").dns("*.eu.example").by(&mine),
                "a.b.eu.example",
                (false, false),
                &[Weakness::CertificateHostMismatch],
            ),
            case(
                "wildcard before one label",
                WantedCertificate::new("x").dns("*.example").by(&mine),
                "db.example",
                (true, false),
                &[Weakness::CertificateLegacyName],
            ),
        ]
    }

    #[tokio::test]
    async fn as_psql_judges_them() {
        let Some(bin) = pg15() else { return };
        let psql = program("psql");
        let server = WireServer::postgres(&bin, NOBODY, &[], Some(&identity()));
        for case in cases() {
            server.reload("hostssl all all all scram-sha-256", Some(&case.identity));
            let store = RootStore::from_pem("test", case.roots.as_bytes()).unwrap();
            let target = ProbeTarget {
                address: Some(server.address.ip()),
                ..ProbeTarget::new(case.host, server.address.port())
            };
            let prober = Prober::new(ProbeOptions { roots: Arc::from([store]), ..options() }).unwrap();
            let report = prober.probe(&target).await.remove(0);
            assert_eq!(report.verdict, WireVerdict::Enforced, "{}: {}", case.name, report.reason);
            let certificate = report.certificate.unwrap();
            let found = (certificate.verify_full.ok, certificate.rfc9525.ok);
            assert_eq!(found, (Some(case.expected.0), Some(case.expected.1)), "{}: {certificate:?}", case.name);
            assert_eq!(report.weaknesses, case.weaknesses, "{}", case.name);
            match &psql {
                Some(psql) => {
                    let accepted = psql_accepts(psql, &case, server.address.port());
                    assert_eq!(accepted, case.expected.0, "{}: psql judges otherwise", case.name);
                }
                None => skip("psql"),
            }
        }
    }

    /// What only OpenSSL can check is neither good nor bad to us.
    #[tokio::test]
    async fn algorithms_that_we_do_not_have() {
        let Some(bin) = pg15() else { return };
        let psql = program("psql");
        let server = WireServer::postgres(&bin, NOBODY, &[], Some(&identity()));
        let (rsa, ed448) = (["-newkey", "rsa:2048"], ["-newkey", "ed448"]);
        let p521 = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-521"];
        let p256 = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256"];
        for (name, issuer, leaf) in [
            ("issued by P-521", &p521[..], &p256[..]),
            ("issued by Ed448", &ed448[..], &rsa[..]),
            ("a key on P-521", &p256[..], &p521[..]),
        ] {
            let (roots, identity) = by_openssl(issuer, leaf);
            server.reload("hostssl all all all scram-sha-256", Some(&identity));
            let store = RootStore::from_pem("test", roots.as_bytes()).unwrap();
            let target = ProbeTarget {
                address: Some(server.address.ip()),
                ..ProbeTarget::new("db.example", server.address.port())
            };
            let prober = Prober::new(ProbeOptions { roots: Arc::from([store]), ..options() }).unwrap();
            let report = prober.probe(&target).await.remove(0);
            assert_eq!(report.verdict, WireVerdict::Enforced, "{name}: {}", report.reason);
            let certificate = report.certificate.unwrap();
            assert_eq!((certificate.verify_full.ok, certificate.rfc9525.ok), (None, None), "{name}: {certificate:?}");
            let case = Case { name, identity, host: "db.example", roots, expected: (true, true), weaknesses: &[] };
            match &psql {
                Some(psql) => {
                    assert!(psql_accepts(psql, &case, server.address.port()), "{name}: psql judges otherwise")
                }
                None => skip("psql"),
            }
        }
    }
}
