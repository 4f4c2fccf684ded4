//! `hostssl clients --sessions` and `hostssl ca-bundle check` with real servers.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test may stop at the first surprise")]
#![allow(unreachable_pub, missing_docs, dead_code, reason = "a module of this test, shared with others")]

mod common;

use common::{Done, hostssl, start};
use hostssl_test_support::postgres::{PASSWORD, RealPooler, RealServer, USER, installed};
use serde_json::Value;
use std::os::unix::fs::PermissionsExt;

fn clients(server: &RealServer, target: &str, more: &[&str], set: &[(&str, &str)]) -> Done {
    let mut command = hostssl();
    command.args(["clients", "-o", "json", "--ca-file", server.root().to_str().unwrap(), "--sessions", target]);
    command.args(more).envs(set.iter().copied()).env("HOME", server.folder());
    let done = start(&mut command).finish();
    assert!(!done.stdout.contains(PASSWORD) && !done.stderr.contains(PASSWORD), "{done:?}");
    done
}

fn report(done: &Done) -> Value {
    serde_json::from_str(&done.stdout).unwrap_or_else(|_| panic!("{}", done.stderr))
}

#[test]
fn sessions_logs_and_poolers_are_one_report() {
    let Some(bin) = installed(17) else { return };
    let server = RealServer::start(17, bin, &[]);
    let Some(pooler) = RealPooler::start(&server, "") else { return };
    let _held = [
        server.hold("sslmode=disable application_name=now"),
        pooler.hold(&server, "sslmode=disable application_name=behind"),
    ];
    server.psql("sslmode=disable application_name=gone", "select 1");
    let target = format!("host=localhost port={} user={USER}", server.port);
    let console = format!("host=localhost port={} user={USER}", pooler.port);
    let log = server.folder().join("log/postgresql.csv");
    let more = ["--log-file", log.to_str().unwrap(), "--pgbouncer", &console];
    let done = clients(&server, &target, &more, &[("PGPASSWORD", PASSWORD)]);
    assert_eq!(done.code, 3, "{}", done.stderr);
    let report = report(&done);
    let [entry] = report["servers"].as_array().unwrap().as_slice() else { panic!("{report:#}") };
    let kinds: Vec<&str> = entry["sources"].as_array().unwrap().iter().map(|s| s["kind"].as_str().unwrap()).collect();
    assert_eq!(kinds, ["log-file", "sessions", "pgbouncer"]);
    let clients = entry["clients"].as_array().unwrap();
    let of = |application: &str, source: &str| {
        let is_it = |client: &&Value| {
            let sources: Vec<&str> = client["sources"].as_array().unwrap().iter().filter_map(Value::as_str).collect();
            client["application"] == application && sources.iter().any(|name| name.contains(source))
        };
        clients.iter().find(is_it).map(|client| client["tls"].as_str().unwrap().to_owned())
    };
    let server_name = format!("localhost:{}", server.port);
    assert_eq!(of("now", &server_name).as_deref(), Some("plaintext"));
    assert_eq!(of("gone", "postgresql.csv").as_deref(), Some("plaintext"));
    assert_eq!(of("gone", &server_name), None);
    assert_eq!(of("behind", &format!("localhost:{}", pooler.port)).as_deref(), Some("plaintext"));
}

#[test]
fn passwords_come_from_where_libpq_finds_them() {
    let Some(bin) = installed(17) else { return };
    let server = RealServer::start(17, bin, &[]);
    let target = format!("host=localhost port={} user={USER}", server.port);
    let looked = |done: &Done| report(done)["servers"][0]["sources"][0]["from"].is_string();
    let write = |name: &str, text: String, mode: u32| {
        let path = server.folder().join(name);
        std::fs::write(&path, text).unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(mode)).unwrap();
        path.to_str().unwrap().to_owned()
    };
    let line = format!("*:{}:*:{USER}:{PASSWORD}\n", server.port);
    let file = write("passfile", line.clone(), 0o600);
    let done = clients(&server, &target, &[], &[("PGPASSFILE", &file)]);
    assert_eq!((done.code, looked(&done)), (4, true), "{}", done.stdout);
    // A password in a target is on the command line, where every user of the machine can read it: it does not count.
    let done = clients(&server, &format!("{target} password=wrong"), &[], &[("PGPASSFILE", &file)]);
    assert!(looked(&done), "{}", done.stdout);
    let open = write("open", line, 0o644);
    let done = clients(&server, &target, &[], &[("PGPASSFILE", &open)]);
    assert_eq!(done.code, 2);
    assert!(done.stderr.contains(&format!("hint: chmod 600 {open}")), "{}", done.stderr);
    let service = format!("[db]\nhost=localhost\nport={}\nuser={USER}\npassword={PASSWORD}\n", server.port);
    let service = write("service", service, 0o600);
    let done = clients(&server, "service=db", &[], &[("PGSERVICEFILE", &service)]);
    assert!(looked(&done), "{}", done.stdout);
    let done = clients(&server, &target, &[], &[]);
    assert_eq!((done.code, looked(&done)), (4, false));
    assert!(done.stdout.contains("requires a password for user postgres"), "{}", done.stdout);
    let done = clients(&server, &target, &[], &[("PGPASSWORD", "wrong")]);
    assert_eq!(done.code, 4);
    assert!(done.stdout.contains("password authentication failed"), "{}", done.stdout);
}

#[test]
fn options_that_do_nothing_are_refused() {
    for arguments in [
        &["clients", "--watch"][..],
        &["clients", "--sessions", "a", "--sessions", "b", "--log-file", "-"],
        &["clients", "--sessions", "a", "--sessions", "b", "--pgbouncer", "c"],
        &["clients", "--sessions", "--log-file", "-"],
        &["clients", "--interval", "5s"],
        &["clients", "--sessions", "host=/tmp"],
    ] {
        let done = start(hostssl().args(arguments).env("USER", "x")).finish();
        assert_eq!(done.code, 2, "{arguments:?}: {}", done.stderr);
        assert!(done.stdout.is_empty());
    }
}

#[test]
fn a_file_of_roots_is_checked_against_a_server() {
    let bundle = start(hostssl().args(["ca-bundle"])).finish();
    assert_eq!((bundle.code, bundle.stdout.matches("BEGIN CERTIFICATE").count()), (0, 2));
    let folder = tempfile::tempdir().unwrap();
    let azure = folder.path().join("azure.pem");
    std::fs::write(&azure, &bundle.stdout).unwrap();
    let check = |file: &std::path::Path, servers: &[&str]| {
        let mut command = hostssl();
        command.args(["ca-bundle", "check"]).arg(file);
        for server in servers {
            command.args(["--server", server]);
        }
        start(&mut command).finish()
    };
    let done = check(&azure, &[]);
    assert_eq!((done.code, done.stdout.matches("present:").count()), (0, 2), "{}", done.stdout);
    let done = check(&folder.path().join("none.pem"), &[]);
    assert_eq!(done.code, 2);
    // Nothing listens on the port of discard.
    let done = check(&azure, &["127.0.0.1:9"]);
    assert_eq!(done.code, 4, "{}", done.stdout);
    assert!(done.stdout.contains("today: could not be checked"));
    let Some(bin) = installed(17) else { return };
    let server = RealServer::start(17, bin, &[]);
    let place = format!("localhost:{}", server.port);
    let done = check(&server.root(), &[&place]);
    assert_eq!(done.code, 0, "{}", done.stdout);
    assert!(done.stdout.contains("today: accepted") && done.stdout.contains("no rotation is announced"));
    let done = check(&azure, &[&place]);
    assert_eq!(done.code, 3, "{}", done.stdout);
    assert!(done.stdout.contains("today: refused: "));
}
