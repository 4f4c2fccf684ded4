//! What targets may be, and that a password in one goes nowhere.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test may stop at the first surprise")]
#![allow(unreachable_pub, missing_docs, dead_code, reason = "a module of this test, shared with others")]

mod common;

use common::{hostssl, run, start};
use serde_json::Value;

/// A peer that refuses TLS, and keeps whatever is said to it.
fn listener() -> (u16, std::sync::Arc<std::sync::Mutex<Vec<u8>>>) {
    use std::io::{Read as _, Write as _};
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let heard = std::sync::Arc::<std::sync::Mutex<Vec<u8>>>::default();
    let kept = heard.clone();
    std::thread::spawn(move || {
        for mut stream in listener.incoming().map_while(Result::ok) {
            let kept = kept.clone();
            std::thread::spawn(move || {
                let mut bytes = [0; 4096];
                while let Ok(count @ 1..) = stream.read(&mut bytes) {
                    kept.lock().unwrap().extend(&bytes[..count]);
                    // A request without anything behind it: SSLRequest or GSSENCRequest.
                    if count != 8 || stream.write_all(b"N").is_err() {
                        return;
                    }
                }
            });
        }
    });
    (port, heard)
}

#[test]
fn a_password_in_a_target_goes_nowhere() {
    let (port, heard) = listener();
    let state = tempfile::tempdir().unwrap();
    let state = state.path().to_str().unwrap();
    let forms = [
        format!("postgresql://app:hunter2@127.0.0.1:{port}/shop?password=hunter2"),
        format!("jdbc:postgresql://127.0.0.1:{port}/shop?user=app&password=hunter2"),
        format!("postgresql+psycopg2://app:hunter2@127.0.0.1:{port}/shop"),
        format!("Server=127.0.0.1;Port={port};Database=shop;User Id=app;Password=hunter2;"),
        format!("DATABASE_URL=postgres://app:hunter2@127.0.0.1:{port}/shop"),
        format!("host=127.0.0.1 port={port} user=app dbname=shop password=hunter2"),
        format!("app:hunter2@127.0.0.1:{port}/shop"),
    ];
    let good: Vec<_> = forms.iter().map(String::as_str).collect();
    let refused = [
        format!("postgresql://127.0.0.1:{port}/shop&passwd=hunter2"),
        format!("postgresql://app%3Ahunter2@127.0.0.1:{port}/shop"),
        format!("host=127.0.0.1 port={port} user='app password = hunter2'"),
        format!("host=127.0.0.1 port={port} user=app/hunter2"),
        format!("host=127.0.0.1 port={port} dbname='user=app passwd=hunter2'"),
    ];
    let mut said = String::new();
    for output in [&["-o", "table", "--transcript"][..], &["-o", "json", "--transcript"], &["-o", "tsv"]] {
        let done = run(&[&["probe", "--state", state], output, &good].concat());
        assert!(done.stdout.contains("127.0.0.1"), "{} {}", done.stdout, done.stderr);
        said += &(done.stdout + &done.stderr);
    }
    for text in &refused {
        let done = run(&["probe", "--state", state, text]);
        assert_eq!(done.code, 2, "{text}");
        said += &(done.stdout + &done.stderr);
    }
    let list = format!("{state}/targets");
    std::fs::write(&list, [good.join("\n"), refused.join("\n")].join("\n")).unwrap();
    let done = run(&["probe", "--state", state, "--targets", &list, "-o", "json"]);
    said += &(done.stdout + &done.stderr);
    std::fs::remove_file(&list).unwrap();
    for run_id in run(&["runs", "--state", state, "-o", "tsv", "--query", "[].id"]).stdout.lines() {
        let done = run(&["runs", "show", run_id, "--state", state, "-o", "json"]);
        said += &(done.stdout + &done.stderr);
    }
    assert!(!said.contains("hunter2"), "{said}");
    assert!(said.contains("shop"), "the outputs are not empty");
    let heard = String::from_utf8_lossy(&heard.lock().unwrap()).into_owned();
    assert!(heard.contains("shop") && !heard.contains("hunter2"));
    for file in std::fs::read_dir(state).unwrap() {
        let bytes = std::fs::read(file.unwrap().path()).unwrap_or_default();
        assert!(!String::from_utf8_lossy(&bytes).contains("hunter2"));
    }
}

#[test]
fn a_kept_probe_is_shown_with_the_exit_code_that_it_had() {
    let folder = tempfile::tempdir().unwrap();
    let state = folder.path().to_str().unwrap();
    let probed = run(&["probe", "127.0.0.1:1", "--state", state, "-o", "json"]);
    let shown = run(&["runs", "show", "latest", "--state", state, "-o", "json"]);
    assert_eq!((probed.code, shown.code), (4, 4), "{}{}", probed.stderr, shown.stderr);
    let exit = |done: &common::Done| serde_json::from_str::<Value>(&done.stdout).unwrap()["exit"].clone();
    assert_eq!(exit(&probed), exit(&shown));
    let table = |done: &common::Done| done.stdout.lines().take(2).map(ToOwned::to_owned).collect::<Vec<_>>();
    let (probed, shown) = (
        run(&["probe", "postgres://127.0.0.2:1/x?host=127.0.0.1", "--state", state]),
        run(&["runs", "show", "latest", "--state", state]),
    );
    assert!(probed.stderr.contains("that of the query is probed, as libpq connects to it"), "{}", probed.stderr);
    assert_eq!(table(&probed), table(&shown));
    assert!(shown.stdout.contains("127.0.0.1:1") && !shown.stdout.contains("127.0.0.2"), "{}", shown.stdout);
}

#[test]
fn a_probe_takes_what_libpq_takes_from_the_environment() {
    let home = tempfile::tempdir().unwrap();
    std::fs::write(home.path().join(".pg_service.conf"), "[mine]\nhost=127.0.0.1\nport=1\nuser=svc\n").unwrap();
    let probe = |arguments: &[&str], variables: &[(&str, &str)]| {
        let mut command = hostssl();
        command.args(["probe", "--no-save", "-o", "json"]).args(arguments);
        command.env("HOME", home.path()).envs(variables.iter().copied());
        start(&mut command).finish()
    };
    for (arguments, variables, target) in [
        (&[][..], &[("PGHOST", "127.0.0.1"), ("PGPORT", "1")][..], "127.0.0.1:1"),
        (&[], &[("PGSERVICE", "mine")], "127.0.0.1:1"),
        (&["service=mine port=2"], &[], "127.0.0.1:2"),
        (&["127.0.0.1"], &[("PGPORT", "3")], "127.0.0.1:3"),
    ] {
        let done = probe(arguments, variables);
        let report: Value = serde_json::from_str(&done.stdout).unwrap_or_else(|_| panic!("{}", done.stderr));
        assert_eq!(report["endpoints"][0]["target"], target);
    }
    assert_eq!(probe(&["service=none"], &[]).code, 2);
    let secret = probe(&["127.0.0.1"], &[("PGUSER", "app:hunter2")]);
    assert!(secret.code == 2 && secret.stderr.contains("PGUSER") && !secret.stderr.contains("hunter2"));
    // The roots of the home folder replace those of the system, as in libpq.
    std::fs::create_dir(home.path().join(".postgresql")).unwrap();
    std::fs::write(home.path().join(".postgresql/root.crt"), "nothing").unwrap();
    let broken = probe(&["127.0.0.1:1"], &[]);
    assert!(broken.code == 2 && broken.stderr.contains("root.crt"), "{}", broken.stderr);
}

/// Metrics replace a file, and never one that is read or that something else is written to.
#[test]
fn metrics_go_to_a_file_of_their_own() {
    let folder = tempfile::tempdir().unwrap();
    let targets = folder.path().join("targets");
    std::fs::write(&targets, "127.0.0.1:1\n").unwrap();
    let targets = targets.to_str().unwrap();
    for (file, format) in [(targets, "none"), ("-", "none"), ("/dev/stdout", "json"), ("/no/such/folder/x", "none")] {
        let done = run(&["probe", "--targets", targets, "--metrics", file, "-o", format, "--no-save"]);
        assert_eq!((done.code, done.stdout.as_str()), (2, ""), "{file}: {}", done.stderr);
    }
    assert_eq!(std::fs::read_to_string(targets).unwrap(), "127.0.0.1:1\n");
    let done = run(&["probe", "--targets", targets, "--metrics", "/dev/stdout", "-o", "none", "--no-save", "-q"]);
    assert_eq!(done.code, 4, "{}", done.stderr);
    assert!(done.stdout.starts_with("# HELP hostssl_probe_verdict "), "{}", done.stdout);
}
