//! Real PostgreSQL servers and real clients: what the test started is what the reader must find in their logs.
//!
//! `scripts/install-wire-servers` installs the servers.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test may stop at the first surprise")]

use hostssl_census::{Backend, Census, CensusReport, LogEnd, LogReader, Requirements, SourceKind, Tls};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

const USER: &str = "postgres";

struct Server {
    child: Child,
    port: u16,
    folder: PathBuf,
    bin: PathBuf,
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        let _ = fs::remove_dir_all(&self.folder);
    }
}

fn bin(version: u8) -> Option<PathBuf> {
    let wheels = std::env::var_os("HOSTSSL_WIRE_SERVERS").unwrap_or_else(|| "/opt/hostssl-wire-servers".into());
    let bin = match version {
        15 => PathBuf::from("/usr/lib/postgresql/15/bin"),
        other => PathBuf::from(wheels).join(format!("pg{other}/bin")),
    };
    if bin.join("postgres").exists() {
        return Some(bin);
    }
    assert!(std::env::var_os("CI").is_none(), "PostgreSQL {version} is not installed: scripts/install-wire-servers");
    say_skipped(version);
    None
}

fn say_skipped(version: u8) {
    let line = format!("skipped: PostgreSQL {version} is not installed (scripts/install-wire-servers)\n");
    let _ = std::io::Write::write_all(&mut std::io::stderr(), line.as_bytes());
}

/// PostgreSQL refuses to run as root.
fn unprivileged(program: &Path) -> Command {
    let id = Command::new("id").arg("-u").output().unwrap();
    if id.stdout != b"0\n" {
        return Command::new(program);
    }
    let mut command = Command::new("setpriv");
    command.args(["--reuid", USER, "--regid", USER, "--clear-groups"]).arg(program);
    command
}

fn done(command: &mut Command) -> Output {
    let output = command.output().unwrap();
    assert!(output.status.success(), "{command:?}: {}", String::from_utf8_lossy(&output.stderr));
    output
}

impl Server {
    fn start(version: u8, bin: PathBuf, prefix: &str) -> Self {
        let folder = std::env::temp_dir().join(format!("hostssl-census-{}-{version}", std::process::id()));
        let _ = fs::remove_dir_all(&folder);
        fs::create_dir(&folder).unwrap();
        let data = folder.join("data");
        fs::write(folder.join("password"), "secret\n").unwrap();
        let own = |path: &Path| {
            let _ = Command::new("chown").arg("-R").arg(USER).arg(path).status();
        };
        own(&folder);
        let password = format!("--pwfile={}", folder.join("password").display());
        done(unprivileged(&bin.join("initdb")).arg("-D").arg(&data).args([
            "-A",
            "scram-sha-256",
            "-U",
            USER,
            "--no-sync",
            &password,
        ]));
        let key = data.join("server.key");
        done(
            Command::new("openssl")
                .args([
                    "req",
                    "-x509",
                    "-newkey",
                    "rsa:2048",
                    "-nodes",
                    "-days",
                    "9",
                    "-subj",
                    "/CN=localhost",
                    "-keyout",
                ])
                .arg(&key)
                .arg("-out")
                .arg(data.join("server.crt")),
        );
        done(Command::new("chmod").arg("600").arg(&key));
        own(&data);
        let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let connections = if version >= 18 { "receipt,authentication,authorization" } else { "on" };
        let settings = [
            ("port", port.to_string()),
            ("listen_addresses", "127.0.0.1".to_owned()),
            ("unix_socket_directories", folder.display().to_string()),
            ("ssl", "on".to_owned()),
            ("fsync", "off".to_owned()),
            ("logging_collector", "on".to_owned()),
            ("log_destination", if version >= 15 { "stderr,csvlog,jsonlog" } else { "stderr,csvlog" }.to_owned()),
            ("log_directory", folder.join("log").display().to_string()),
            ("log_filename", "postgresql.log".to_owned()),
            ("log_connections", connections.to_owned()),
            ("log_disconnections", "on".to_owned()),
            ("log_statement", "all".to_owned()),
            ("log_timezone", "UTC".to_owned()),
            ("log_line_prefix", prefix.to_owned()),
        ];
        let mut command = unprivileged(&bin.join("postgres"));
        command.arg("-D").arg(&data);
        for (name, value) in settings {
            command.arg("-c").arg(format!("{name}={value}"));
        }
        let child = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        let server = Self { child, port, folder, bin };
        let start = Instant::now();
        // Without a password it learns that the server answers, and is no client.
        while !server
            .command("pg_isready", "sslmode=disable")
            .env_remove("PGPASSWORD")
            .output()
            .unwrap()
            .status
            .success()
        {
            assert!(start.elapsed() < Duration::from_secs(60), "PostgreSQL {version} did not start");
            std::thread::sleep(Duration::from_millis(50));
        }
        server
    }

    /// A client with a connection string beside the server's own settings.
    fn command(&self, program: &str, string: &str) -> Command {
        let mut command = Command::new(self.bin.join(program));
        let host = if string.contains("host=") { "" } else { "host=127.0.0.1 " };
        command.arg("-d").arg(format!(
            "{host}port={} user={USER} {}{string}",
            self.port,
            if string.contains("dbname=") { "" } else { "dbname=postgres " }
        ));
        command.env_clear().env("PGPASSWORD", "secret").env("HOME", &self.folder);
        command
    }

    fn psql(&self, string: &str, sql: &str) {
        done(self.command("psql", string).args(["-X", "-q", "-c", sql]));
    }

    /// Ends the server and waits, so that its logs are whole.
    fn logs(mut self) -> [String; 3] {
        let log = self.folder.join("log");
        let pid = self.child.id().to_string();
        assert!(Command::new("kill").args(["-INT", &pid]).status().unwrap().success());
        self.child.wait().unwrap();
        let read = |name: &str| fs::read_to_string(log.join(name)).unwrap_or_default();
        [read("postgresql.log"), read("postgresql.csv"), read("postgresql.json")]
    }
}

fn read(files: &[&str]) -> CensusReport {
    let mut reader = LogReader::new(Census::default(), None);
    for file in files {
        reader.begin(SourceKind::LogFile, "log");
        reader.feed(file.as_bytes());
        reader.end(LogEnd::Whole);
    }
    reader.finish().finish(Requirements::default())
}

type Row = (String, String, String, Backend, Tls, u64);

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

fn exercise(server: &Server) {
    for mode in ["disable", "disable", "require", "prefer"] {
        server.psql(&format!("sslmode={mode}"), "select 'hunter2'");
    }
    // Two attempts, the second in plaintext, and none of them a client.
    let mut wrong = server.command("psql", "sslmode=prefer");
    assert!(!wrong.env("PGPASSWORD", "wrong").args(["-X", "-c", "select 1"]).output().unwrap().status.success());
    server.psql("sslmode=disable", "create user \"x database=prod\" superuser password 'secret'");
    server.psql("sslmode=disable user='x database=prod'", "select 1");
    server.psql(&format!("sslmode=disable application_name='{LIE}'"), "select 1");
    server.psql(&format!("host={} application_name=local", server.folder.display()), "select 1");
    server.psql("sslmode=disable replication=true application_name=replica", "IDENTIFY_SYSTEM");
    server.psql("sslmode=require replication=database application_name=logical", "IDENTIFY_SYSTEM");
    // What a session logs for itself.
    server.psql(
        "sslmode=disable application_name=forger",
        "do $$ begin raise log 'connection authorized: user=ghost database=postgres application_name=a'; \
         raise log E'two\\n2026-01-01 00:00:00 UTC [1] LOG:  connection authorized: user=ghost database=d'; end $$",
    );
}

fn row(user: &str, application: &str, backend: Backend, tls: Tls, sightings: u64) -> Row {
    let database = if backend == Backend::Client { "postgres" } else { "-" };
    (user.to_owned(), database.to_owned(), application.to_owned(), backend, tls, sightings)
}

#[test]
fn what_the_clients_did_is_what_the_logs_say() {
    for (version, prefix) in
        [(15, "%m [%p] %q%u@%d "), (17, "%t-%c-"), (18, "%t [%p]: [%l-1] user=%u,db=%d,app=%a,client=%h ")]
    {
        let Some(bin) = bin(version) else { continue };
        let server = Server::start(version, bin, prefix);
        exercise(&server);
        let [stderr, csv, json] = server.logs();
        let mut expected = vec![
            row(USER, "psql", Backend::Client, Tls::Plaintext, 3),
            row(USER, "psql", Backend::Client, Tls::Tls, 2),
            row(USER, LIE, Backend::Client, Tls::Plaintext, 1),
            row(USER, "local", Backend::Client, Tls::Local, 1),
            row(USER, "replica", Backend::Replication, Tls::Plaintext, 1),
            row(USER, "logical", Backend::Replication, Tls::Tls, 1),
            row(USER, "forger", Backend::Client, Tls::Plaintext, 1),
            row("x database=prod", "psql", Backend::Client, Tls::Plaintext, 1),
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
                (row.2, row.4) = ("x".to_owned(), Tls::Tls);
            }
        }
        expected.sort();
        let report = read(&[&stderr]);
        assert_eq!(rows(&report), expected, "PostgreSQL {version}: {}", report.sources[0].format);
        let shown = format!("{report:?}");
        assert!(!shown.contains("hunter2") && !shown.contains("secret"), "PostgreSQL {version}");
    }
}
