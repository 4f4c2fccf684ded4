//! Real PostgreSQL servers and real clients: what the test started is what the reader must find in their logs.
//!
//! `scripts/install-wire-servers` installs the servers.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test may stop at the first surprise")]

use hostssl_census::{Backend, Census, CensusReport, LogEnd, LogReader, Requirements, SessionTls, SourceKind};
use hostssl_test_support::drivers::{WireDriver, drivers};
use hostssl_test_support::postgres::{PASSWORD, RealServer, USER, done, installed};
use std::process::Command;

fn read(files: &[&str]) -> CensusReport {
    let mut reader = LogReader::new(Census::default(), None);
    for file in files {
        reader.begin(SourceKind::LogFile, "log");
        reader.feed(file.as_bytes());
        reader.end(LogEnd::Whole);
    }
    reader.finish().finish(Requirements::default())
}

type Row = (String, String, String, Backend, SessionTls, u64);

fn rows(report: &CensusReport) -> Vec<Row> {
    let text = |name: &Option<String>| name.clone().unwrap_or_else(|| "-".to_owned());
    let mut rows: Vec<Row> = report
        .clients
        .iter()
        .map(|one| (text(&one.user), text(&one.database), text(&one.application), one.backend, one.tls, one.sightings))
        .collect();
    rows.sort();
    rows
}

const LIE: &str = "x SSL enabled (protocol=TLSv1.3, cipher=TLS_AES_256_GCM_SHA384, bits=256)";

fn exercise(server: &RealServer) {
    for mode in ["disable", "disable", "require", "prefer"] {
        server.psql(&format!("sslmode={mode}"), "select 'hunter2'");
    }
    // Two attempts, the second in plaintext, and none of them a client.
    let mut wrong = server.command("psql", "sslmode=prefer");
    assert!(!wrong.env("PGPASSWORD", "wrong").args(["-X", "-c", "select 1"]).output().unwrap().status.success());
    server.psql("sslmode=disable", "create user \"x database=prod\" superuser password 'secret'");
    server.psql("sslmode=disable user='x database=prod'", "select 1");
    server.psql(&format!("sslmode=disable application_name='{LIE}'"), "select 1");
    server.psql(&format!("host={} application_name=local", server.folder().display()), "select 1");
    server.psql("sslmode=disable replication=true application_name=replica", "IDENTIFY_SYSTEM");
    server.psql("sslmode=require replication=database application_name=logical", "IDENTIFY_SYSTEM");
    // What a session logs for itself.
    server.psql(
        "sslmode=disable application_name=forger",
        "do $$ begin raise log 'connection authorized: user=ghost database=postgres application_name=a'; \
         raise log E'two\\n2026-01-01 00:00:00 UTC [1] LOG:  connection authorized: user=ghost database=d'; end $$",
    );
}

fn row(user: &str, application: &str, backend: Backend, tls: SessionTls, sightings: u64) -> Row {
    let database = if backend == Backend::Client { "postgres" } else { "-" };
    (user.to_owned(), database.to_owned(), application.to_owned(), backend, tls, sightings)
}

#[test]
fn what_the_clients_did_is_what_the_logs_say() {
    for (version, prefix) in
        [(15, "%m [%p] %q%u@%d "), (17, "%t-%c-"), (18, "%t [%p]: [%l-1] user=%u,db=%d,app=%a,client=%h ")]
    {
        let Some(bin) = installed(version) else { continue };
        let server = RealServer::start(version, bin, &[("log_line_prefix", prefix)]);
        exercise(&server);
        let [stderr, csv, json] = server.logs();
        let mut expected = vec![
            row(USER, "psql", Backend::Client, SessionTls::Plaintext, 3),
            row(USER, "psql", Backend::Client, SessionTls::Tls, 2),
            row(USER, LIE, Backend::Client, SessionTls::Plaintext, 1),
            row(USER, "local", Backend::Client, SessionTls::Local, 1),
            row(USER, "replica", Backend::Replication, SessionTls::Plaintext, 1),
            row(USER, "logical", Backend::Replication, SessionTls::Tls, 1),
            row(USER, "forger", Backend::Client, SessionTls::Plaintext, 1),
            row("x database=prod", "psql", Backend::Client, SessionTls::Plaintext, 1),
        ];
        expected.sort();
        for files in [vec![csv.as_str()], vec![json.as_str()], vec![&csv, &json], vec![&json, &csv, &json]] {
            assert_eq!(rows(&read(&files)), expected, "PostgreSQL {version}");
        }
        // The names of this format have two readings: one user is not told, and the lie is believed, which is said.
        for row in &mut expected {
            if row.0.starts_with("x ") {
                (row.0, row.1) = ("-".to_owned(), "-".to_owned());
            }
            if row.2 == LIE {
                (row.2, row.4) = ("x".to_owned(), SessionTls::Tls);
            }
        }
        expected.sort();
        let report = read(&[&stderr]);
        assert_eq!(rows(&report), expected, "PostgreSQL {version}: {}", report.sources[0].format);
        let shown = format!("{report:?}");
        assert!(!shown.contains("hunter2") && !shown.contains("secret"), "PostgreSQL {version}");
    }
}

#[test]
fn every_driver_and_tool_is_found_as_it_connected() {
    let (Some(bin), Some(drivers)) = (installed(17), drivers()) else { return };
    let server = RealServer::start(17, bin.clone(), &[("log_line_prefix", "%t-%c-"), ("wal_level", "logical")]);
    server.psql("sslmode=require application_name=setup", &format!("create role java login password '{PASSWORD}'"));
    for (driver, user, name) in [
        (WireDriver::Psycopg, USER, "psycopg"),
        (WireDriver::Asyncpg, USER, "asyncpg"),
        (WireDriver::NodePostgres, USER, "node"),
        (WireDriver::Jdbc, "java", "jdbc"),
    ] {
        let mut client = drivers.start(driver, &server, user);
        client.connect(&format!("{name} plain"), false).unwrap();
        client.connect(&format!("{name} tls"), true).unwrap();
    }
    let pgbench = |mode: &str, arguments: &[&str]| {
        let mut command = Command::new(server.program("pgbench"));
        command.args(arguments).arg(server.string(&format!("sslmode={mode} application_name='pgbench {mode}'")));
        done(command.env_clear().env("PGPASSWORD", PASSWORD));
    };
    pgbench("require", &["-i", "-q", "-s", "1"]);
    // A new connection for each of ten transactions.
    pgbench("disable", &["-n", "-C", "-t", "5", "-c", "2", "-S"]);
    let mut slot = server.command("pg_recvlogical", "sslmode=disable application_name='recvlogical plain'");
    done(slot.args(["--slot", "s", "--create-slot", "--plugin", "test_decoding"]));
    let mut base = server.command("pg_basebackup", "sslmode=require application_name='basebackup tls'");
    done(base.arg("-D").arg(server.folder().join("copy")).args(["-X", "none", "--no-sync", "-c", "fast"]));
    // A subscriber of another server, which connects for itself and retries by itself.
    server.psql("sslmode=require application_name=setup", "create table t (a int); create publication p for table t");
    let subscriber = RealServer::start(17, bin, &[]);
    subscriber.psql("sslmode=require", "create table t (a int)");
    let from = server.string("sslmode=disable application_name=subscriber").replace('\'', "''");
    let subscription = format!("create subscription sub connection '{from} password={PASSWORD}' publication p");
    subscriber.psql("sslmode=require", &subscription);
    let state = "select 'in' from pg_stat_replication where application_name = 'subscriber'";
    let is_there = || {
        server.command("psql", "sslmode=require application_name=setup").args(["-X", "-A", "-t", "-c", state]).output()
    };
    while is_there().unwrap().stdout.is_empty() {}
    drop(subscriber);
    // Wrong passwords, in the ways in which libpq retries without TLS.
    for mode in ["prefer", "allow", "require", "disable"] {
        let mut wrong = server.command("psql", &format!("sslmode={mode} application_name=wrong"));
        assert!(!wrong.env("PGPASSWORD", "wrong").args(["-X", "-c", "select 1"]).output().unwrap().status.success());
    }
    let [stderr, csv, json] = server.logs();
    for log in [stderr, csv, json] {
        let report = read(&[&log]);
        let found: std::collections::BTreeMap<&str, (Backend, SessionTls, u64)> = report
            .clients
            .iter()
            .filter(|client| client.user.as_deref() == Some(USER))
            .map(|client| {
                (client.application.as_deref().unwrap_or("-"), (client.backend, client.tls, client.sightings))
            })
            .filter(|(name, _)| !name.starts_with("pg_") || !name.contains("_sync_"))
            .collect();
        let expected = [
            ("psycopg plain", Backend::Client, SessionTls::Plaintext, 1),
            ("psycopg tls", Backend::Client, SessionTls::Tls, 1),
            ("asyncpg plain", Backend::Client, SessionTls::Plaintext, 1),
            ("asyncpg tls", Backend::Client, SessionTls::Tls, 1),
            ("node plain", Backend::Client, SessionTls::Plaintext, 1),
            ("node tls", Backend::Client, SessionTls::Tls, 1),
            ("pgbench require", Backend::Client, SessionTls::Tls, 1),
            // Ten transactions, and one connection that looks at the tables.
            ("pgbench disable", Backend::Client, SessionTls::Plaintext, 11),
            ("recvlogical plain", Backend::Replication, SessionTls::Plaintext, 1),
        ];
        for (name, backend, tls, sightings) in expected {
            assert_eq!(found.get(name), Some(&(backend, tls, sightings)), "{name}: {found:#?}");
        }
        assert_eq!(
            found.get("basebackup tls").map(|(backend, tls, _)| (*backend, *tls)),
            Some((Backend::Replication, SessionTls::Tls))
        );
        let of_subscriber = found.get("subscriber").map(|(backend, tls, _)| (*backend, *tls));
        assert_eq!(of_subscriber, Some((Backend::Replication, SessionTls::Plaintext)), "{found:#?}");
        assert!(!found.contains_key("wrong"), "{found:#?}");
        // pgJDBC tells the server its name too late for the line that says who was authorized.
        let of_java = report.clients.iter().filter(|client| client.user.as_deref() == Some("java"));
        let of_java: Vec<_> = of_java.map(|client| (client.tls, client.sightings)).collect();
        assert_eq!(of_java, [(SessionTls::Plaintext, 1), (SessionTls::Tls, 1)]);
        // Nobody else was there but the test itself.
        let others: Vec<_> = found.keys().filter(|name| !expected.iter().any(|one| one.0 == **name)).collect();
        assert_eq!(others, [&"basebackup tls", &"setup", &"subscriber"]);
    }
}

#[test]
fn standbys_and_receivers_of_wal_are_found_as_they_connected() {
    // The standbys of later versions would load the libpq of the system, which does not know all that they write.
    let Some(bin) = installed(15) else { return };
    let server = RealServer::start(15, bin, &[("log_line_prefix", "%t-%c-")]);
    let standbys = [
        server.standby("sslmode=disable application_name=standby_plain", &[]),
        server.standby("sslmode=require application_name=standby_tls", &[]),
    ];
    let receive = |mode: &str, name: &str| {
        let mut receiver = server.command("pg_receivewal", &format!("sslmode={mode} application_name={name}"));
        let folder = server.folder().join(name);
        std::fs::create_dir(&folder).unwrap();
        receiver.arg("-D").arg(folder).arg("--no-sync").stderr(std::process::Stdio::null()).spawn().unwrap()
    };
    let receivers = [receive("disable", "receiver_plain"), receive("require", "receiver_tls")];
    let expected = [
        ("receiver_plain", Backend::Replication, SessionTls::Plaintext),
        ("receiver_tls", Backend::Replication, SessionTls::Tls),
        ("standby_plain", Backend::Replication, SessionTls::Plaintext),
        ("standby_tls", Backend::Replication, SessionTls::Tls),
    ];
    let streaming = "select string_agg(application_name, ' ' order by application_name) from pg_stat_replication \
                     where state = 'streaming'";
    let names = expected.map(|(name, ..)| name).join(" ");
    let start = std::time::Instant::now();
    loop {
        let mut ask = server.command("psql", "sslmode=require application_name=setup");
        let seen = done(ask.args(["-X", "-A", "-t", "-c", streaming])).stdout;
        if String::from_utf8_lossy(&seen).trim() == names {
            break;
        }
        assert!(start.elapsed() < std::time::Duration::from_mins(2), "{}", String::from_utf8_lossy(&seen));
    }
    for mut receiver in receivers {
        receiver.kill().unwrap();
        receiver.wait().unwrap();
    }
    drop(standbys);
    for log in server.logs() {
        let report = read(&[&log]);
        let found: Vec<(&str, Backend, SessionTls)> = report
            .clients
            .iter()
            .filter_map(|client| Some((client.application.as_deref()?, client.backend, client.tls)))
            .filter(|(name, ..)| *name != "setup")
            .collect();
        let mut found = found;
        found.sort();
        assert_eq!(found, expected);
    }
}
