//! Live sessions of real PostgreSQL servers and of a real PgBouncer: what the test started is what must be seen.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test may stop at the first surprise")]

use std::time::Duration;

use hostssl_census::{
    Backend, Census, CensusLimits, CensusReport, CensusVerdict, Client, MissingReason, Requirements, SessionTls,
    SourceKind,
};
use hostssl_probe::target::ProbeTarget;
use hostssl_sessions::{
    LeftoverSession, LeftoverSessions, Login, LoginError, MissingRights, Observer, Password, PoolerConsole, Schedule,
    ServerSessions,
};
use hostssl_test_support::postgres::{PASSWORD, RealPooler, RealServer, USER, installed};
use hostssl_test_support::real_login::login_to;
use std::collections::HashSet;

const ONCE: Schedule = Schedule { interval: None, now: || 1_000 };

fn login(server: &RealServer, host: &str, port: u16, user: &str) -> Login {
    Login { target: ProbeTarget::new(host, port), ..login_to(server, "postgres", user) }
}

fn census() -> Census {
    Census::new(CensusLimits::default(), None)
}

async fn seen(observer: Observer) -> CensusReport {
    let never = std::future::pending();
    observer.observe(census(), ONCE, never).await.finish(Requirements::default())
}

fn of(server: ServerSessions) -> Observer {
    Observer { server: Some(server), poolers: Vec::new() }
}

fn named<'a>(report: &'a CensusReport, application: &str) -> Option<&'a Client> {
    let mut found = report.clients.iter().filter(|client| client.application.as_deref() == Some(application));
    let one = found.next();
    assert!(found.next().is_none(), "{application} twice: {:#?}", report.clients);
    one
}

fn lacks(report: &CensusReport, reason: MissingReason) -> Option<&str> {
    let missing = report.sources.iter().flat_map(|source| &source.missing);
    missing.filter(|missing| missing.reason == reason).map(|missing| missing.detail.as_str()).next()
}

#[tokio::test(flavor = "multi_thread")]
async fn every_session_is_seen_as_it_is() {
    for version in [15, 17, 18] {
        let Some(bin) = installed(version) else { continue };
        let server = RealServer::start(version, bin, &[]);
        let _held = [
            server.hold("sslmode=disable application_name=plain"),
            server.hold("sslmode=require application_name=encrypted"),
            server.hold(&format!("host={} application_name=local", server.folder().display())),
            // The name of this program hides nobody.
            server.hold("sslmode=disable application_name=hostssl"),
        ];
        let mut receiver = server.command("pg_receivewal", "sslmode=disable application_name=receiver");
        receiver.arg("-D").arg(server.folder()).arg("-v");
        let receiver = receiver.stderr(std::process::Stdio::null()).spawn().unwrap();
        let receiver = Ended(receiver);
        let is_there = "select 'in' from pg_stat_replication where application_name = 'receiver'";
        while server
            .command("psql", "sslmode=require")
            .args(["-X", "-A", "-t", "-c", is_there])
            .output()
            .unwrap()
            .stdout
            .is_empty()
        {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        let report = seen(of(ServerSessions::new(login(&server, "localhost", server.port, USER)))).await;
        let of = |application: &str| named(&report, application).map(|client| (client.tls, client.backend));
        assert_eq!(of("plain"), Some((SessionTls::Plaintext, Backend::Client)), "{version}: {report:#?}");
        assert_eq!(of("encrypted"), Some((SessionTls::Tls, Backend::Client)));
        assert_eq!(of("local"), Some((SessionTls::Local, Backend::Client)));
        assert_eq!(of("hostssl"), Some((SessionTls::Plaintext, Backend::Client)));
        assert_eq!(of("receiver"), Some((SessionTls::Plaintext, Backend::Replication)));
        // Our own session is the sixth.
        assert_eq!(report.clients.len(), 5, "{:#?}", report.clients);
        assert_eq!(named(&report, "encrypted").unwrap().protocol.as_deref(), Some("TLSv1.3"));
        assert_eq!(named(&report, "plain").unwrap().address.as_deref(), Some("127.0.0.1"));
        assert_eq!((report.verdict, report.sources[0].kind), (CensusVerdict::Breaks, SourceKind::Sessions));
        drop(receiver);
        let [log, ..] = server.logs();
        assert!(!log.contains("ERROR") && log.contains("BEGIN TRANSACTION READ ONLY"), "{version}");
    }
}

struct Ended(std::process::Child);

impl Drop for Ended {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_role_without_rights_sees_no_all_clear_and_is_told_the_grant() {
    let Some(bin) = installed(17) else { return };
    let server = RealServer::start(17, bin, &[]);
    server.psql("sslmode=require", &format!("create role \"odd \"\"one\" login password '{PASSWORD}'"));
    let _held = [
        server.hold("sslmode=disable application_name=hidden"),
        server.hold("sslmode=require user='odd \"one' application_name=own"),
    ];
    let look = || seen(of(ServerSessions::new(login(&server, "localhost", server.port, "odd \"one"))));
    let report = look().await;
    assert_eq!(report.verdict, CensusVerdict::NeedsObservation);
    assert_eq!(report.clients.len(), 1, "{:#?}", report.clients);
    let missing = lacks(&report, MissingReason::Privilege).unwrap();
    let grant = "GRANT pg_read_all_stats TO \"odd \"\"one\";";
    assert!(missing.ends_with(grant), "{missing}");
    // The statement can be run as it is printed.
    server.psql("sslmode=require", grant);
    let report = look().await;
    assert_eq!((report.verdict, lacks(&report, MissingReason::Privilege)), (CensusVerdict::Breaks, None));
    assert!(named(&report, "hidden").is_some());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_password_goes_to_a_server_that_verify_full_accepts_and_to_no_other() {
    let Some(bin) = installed(17) else { return };
    let server = RealServer::start(17, bin.clone(), &[]);
    let good = login(&server, "localhost", server.port, USER);
    let failed = async |login: Login| ServerSessions::new(login).look(&HashSet::new()).await.unwrap_err();
    // Another name than that of the certificate.
    let mut other_name = good.clone();
    other_name.target =
        ProbeTarget { address: Some([127, 0, 0, 1].into()), ..ProbeTarget::new("db.example", server.port) };
    // Another root.
    let other = RealServer::start(17, bin, &[("ssl", "off")]);
    let other_root = Login { roots: login(&other, "localhost", 1, USER).roots, ..good.clone() };
    for login in [other_name.clone(), other_root] {
        let error = failed(login).await;
        assert!(matches!(error, LoginError::Certificate { .. }), "{error}");
        assert!(error.is_lasting());
    }
    let without_tls = login(&other, "localhost", other.port, USER);
    let error = failed(without_tls.clone()).await;
    assert!(matches!(error, LoginError::NoTls { .. }), "{error}");
    // On this machine, and if someone says so.
    let allowed = Login { plaintext_on_loopback: true, ..without_tls };
    assert!(ServerSessions::new(allowed).look(&HashSet::new()).await.is_ok());
    let error = failed(Login { password: Some(Password::new("wrong")), ..good.clone() }).await;
    assert!(matches!(&error, LoginError::Refused { code: Some(code), .. } if code == "28P01"), "{error:?}");
    assert!(error.is_lasting() && !error.to_string().contains("wrong\""));
    let error = failed(Login { password: None, ..good.clone() }).await;
    assert!(matches!(error, LoginError::NoPassword { .. }), "{error:?}");
    let [log, ..] = server.logs();
    // The certificates that were refused left no attempt to log in.
    assert_eq!(log.matches("password authentication failed").count(), 1, "{log}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_drops_is_a_gap_and_is_asked_again() {
    let Some(bin) = installed(17) else { return };
    let mut server = RealServer::start(17, bin, &[]);
    let held = server.hold("sslmode=disable application_name=plain");
    let mut sessions = ServerSessions::new(login(&server, "localhost", server.port, USER));
    let none = HashSet::new();
    assert_eq!(sessions.look(&none).await.unwrap().sessions.len(), 1);
    // The same connection.
    let key = |look: hostssl_sessions::ServerLook| look.sessions.first().map(|session| session.id);
    let first = key(sessions.look(&none).await.unwrap());
    assert_eq!(key(sessions.look(&none).await.unwrap()), first);
    server.psql(
        "sslmode=require",
        "select pg_terminate_backend(pid) from pg_stat_activity where application_name = 'hostssl'",
    );
    assert!(!sessions.look(&none).await.unwrap_err().is_lasting());
    assert!(sessions.look(&none).await.is_ok());
    drop(held);
    server.stop();
    for _ in 0..2 {
        let error = sessions.look(&none).await.unwrap_err();
        assert!(!error.is_lasting(), "{error:?}");
    }
    let report = seen(of(sessions)).await;
    assert_eq!(report.verdict, CensusVerdict::NeedsObservation);
    assert!(lacks(&report, MissingReason::Unreachable).is_some() && report.clients.is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn the_clients_of_a_pooler_are_told_from_its_legs() {
    let Some(bin) = installed(17) else { return };
    let server = RealServer::start(17, bin, &[]);
    let Some(pooler) = RealPooler::start(&server, "server_tls_sslmode = require") else { return };
    let _held = [
        pooler.hold(&server, "sslmode=disable application_name=plain"),
        pooler.hold(&server, "sslmode=require application_name=encrypted"),
        server.hold("sslmode=require application_name=direct"),
    ];
    let console = |user: &str| PoolerConsole::new(login(&server, "localhost", pooler.port, user));
    for user in [USER, "watcher"] {
        let observer = Observer {
            server: Some(ServerSessions::new(login(&server, "localhost", server.port, USER))),
            poolers: vec![console(user)],
        };
        let report = seen(observer).await;
        let clients: Vec<_> = report
            .clients
            .iter()
            .map(|client| {
                let kind = report.sources[client.sources[0]].kind;
                (client.application.as_deref().unwrap_or("-"), kind, client.backend, client.tls)
            })
            .collect();
        // What the server sees are legs, whatever name they pass on; the pooler knows who uses TLS.
        let with =
            |application: &str, tls| clients.contains(&(application, SourceKind::Pgbouncer, Backend::Client, tls));
        assert!(with("plain", SessionTls::Plaintext) && with("encrypted", SessionTls::Tls), "{clients:#?}");
        assert!(clients.contains(&("direct", SourceKind::Sessions, Backend::Client, SessionTls::Tls)), "{clients:#?}");
        let legs: Vec<_> = clients.iter().filter(|(_, _, backend, _)| *backend == Backend::Pooler).collect();
        assert!(
            !legs.is_empty()
                && legs.iter().all(|(_, kind, _, tls)| (*kind, *tls) == (SourceKind::Sessions, SessionTls::Tls)),
            "{clients:#?}"
        );
        assert_eq!(clients.len(), 3 + legs.len(), "{clients:#?}");
        assert_eq!(report.verdict, CensusVerdict::Breaks);
    }
    let report = seen(Observer { server: None, poolers: vec![console("other")] }).await;
    assert!(report.clients.is_empty());
    assert_eq!(report.verdict, CensusVerdict::NeedsObservation);
    assert!(lacks(&report, MissingReason::Unreachable).is_some(), "{report:#?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_watch_goes_on_until_it_is_stopped() {
    let Some(bin) = installed(17) else { return };
    let server = RealServer::start(17, bin, &[]);
    let schedule = Schedule { interval: Some(Duration::from_millis(20)), now: || 0 };
    let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
    let observer = of(ServerSessions::new(login(&server, "localhost", server.port, USER)));
    let watching = tokio::spawn(async move {
        let stopped = async { drop(stopped.await) };
        observer.observe(census(), schedule, stopped).await.finish(Requirements::default())
    });
    let held = server.hold("sslmode=disable application_name=late");
    // Two looks that began after it came: the first of them was taken in before the second began.
    let looks = "select query_start from pg_stat_activity where application_name = 'hostssl' and query_start > \
                 (select backend_start from pg_stat_activity where application_name = 'late')";
    let mut began = HashSet::new();
    while began.len() < 2 {
        let output = server.command("psql", "sslmode=require").args(["-X", "-A", "-t", "-c", looks]).output().unwrap();
        began.extend(Some(output.stdout).filter(|text| !text.is_empty()));
    }
    drop(held);
    stop.send(()).unwrap();
    let report = watching.await.unwrap();
    assert_eq!(named(&report, "late").map(|client| (client.tls, client.sightings)), Some((SessionTls::Plaintext, 1)));
    assert!(lacks(&report, MissingReason::Sampling).unwrap().starts_with("sampled "));
}

#[tokio::test(flavor = "multi_thread")]
async fn only_clients_in_plaintext_are_ended_and_only_by_who_may() {
    for version in [15, 17, 18] {
        let Some(bin) = installed(version) else { continue };
        let server = RealServer::start(version, bin, &[]);
        let roles = format!(
            "create role app login password '{PASSWORD}'; create role watcher login password '{PASSWORD}'; \
             grant pg_read_all_stats to watcher; create role ender login password '{PASSWORD}'; \
             grant pg_read_all_stats, pg_signal_backend to ender; create role leaver login password '{PASSWORD}'"
        );
        server.psql("sslmode=require", &roles);
        let local = format!("host={} application_name=local", server.folder().display());
        let _held = [
            server.hold("sslmode=disable user=app application_name=one"),
            server.hold("sslmode=disable user=app application_name=two"),
            server.hold("sslmode=require user=app application_name=encrypted"),
            server.hold("sslmode=disable application_name=superuser"),
            server.hold("sslmode=disable user=leaver application_name=orphan"),
            server.hold(&local),
        ];
        // PostgreSQL drops a role that is connected.
        server.psql("sslmode=require", "drop role leaver");
        let as_user = |user: &str| login(&server, "localhost", server.port, user);
        let names = |sessions: &[LeftoverSession]| {
            let mut names: Vec<String> = sessions.iter().filter_map(|one| one.application.clone()).collect();
            names.sort();
            names
        };
        let watcher = LeftoverSessions::connect(&as_user("watcher")).await.unwrap();
        let grant = Some("GRANT pg_signal_backend TO watcher;".to_owned());
        assert_eq!(*watcher.missing(), MissingRights { to_see: None, to_end: grant });
        let seen = watcher.look().await.unwrap();
        assert_eq!(names(&seen), ["one", "orphan", "superuser", "two"], "{version}");
        assert!(seen.iter().all(|one| !one.may_be_ended));
        assert_eq!(watcher.end(&seen).await.unwrap(), [false; 4], "who may not end them ends none");
        let ender = LeftoverSessions::connect(&as_user("ender")).await.unwrap();
        assert_eq!(*ender.missing(), MissingRights::default());
        let seen = ender.look().await.unwrap();
        // One was not chosen, and one is a superuser's.
        let chosen: Vec<LeftoverSession> =
            seen.iter().filter(|one| one.application.as_deref() != Some("two")).cloned().collect();
        let gone = ender.end(&chosen).await.unwrap();
        let told: Vec<_> =
            chosen.iter().zip(gone).map(|(one, gone)| (one.application.as_deref().unwrap(), gone)).collect();
        assert!(told.contains(&("one", true)) && told.contains(&("superuser", false)), "{version}: {told:?}");
        assert!(told.contains(&("orphan", true)), "{version}: {told:?}");
        assert_eq!(names(&ender.look().await.unwrap()), ["superuser", "two"]);
        // Those that use TLS, and those of the server's own machine, are there still.
        let report = seen_by_all(&server).await;
        assert!(named(&report, "encrypted").is_some() && named(&report, "local").is_some(), "{report:#?}");
        // A session that is gone is not someone else's.
        assert_eq!(ender.end(&chosen[..1]).await.unwrap().len(), 1);
    }
}

async fn seen_by_all(server: &RealServer) -> CensusReport {
    seen(of(ServerSessions::new(login(server, "localhost", server.port, USER)))).await
}
