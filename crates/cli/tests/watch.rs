//! `hostssl watch`: what changed between audits reaches the terminal and a webhook, and nothing of it is lost.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test may stop at the first surprise")]
#![allow(unreachable_pub, missing_docs, dead_code, reason = "a module of this test, shared with others")]

mod common;

use common::{hostssl, run, start};
use serde_json::Value;
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::mpsc::{Receiver, channel};

/// A receiver that answers these codes, one after the other, and hands on what it was sent.
fn receiver(codes: &'static [u16]) -> (String, Receiver<(String, String)>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/s3cret-path", listener.local_addr().unwrap());
    let (send, received) = channel();
    std::thread::spawn(move || {
        for code in codes {
            let (mut stream, _) = listener.accept().unwrap();
            let mut text = String::new();
            let body = loop {
                let mut bytes = [0; 4096];
                let read = stream.read(&mut bytes).unwrap();
                text.push_str(std::str::from_utf8(&bytes[..read]).unwrap());
                let Some((head, body)) = text.split_once("\r\n\r\n") else { continue };
                let length = head
                    .lines()
                    .find_map(|line| line.to_ascii_lowercase().strip_prefix("content-length: ")?.parse().ok());
                if body.len() >= length.unwrap() {
                    break body.to_owned();
                }
            };
            let _ = write!(stream, "HTTP/1.1 {code} x\r\ncontent-length: 0\r\nconnection: close\r\n\r\n");
            let head = text.split("\r\n\r\n").next().unwrap().to_ascii_lowercase();
            send.send((head, body)).unwrap();
        }
    });
    (url, received)
}

fn switch(state: &str, to: &str) {
    switch_server(state, "pg-directory", to);
}

fn switch_server(state: &str, name: &str, to: &str) {
    let done = run(&[
        "server",
        "update",
        "--simulate",
        "--state",
        state,
        "--name",
        name,
        "-g",
        "rg-identity",
        "--ssl-enforcement",
        to,
        "-q",
        "--reason",
        "a test",
    ]);
    assert_eq!(done.code, 0, "{}", done.stderr);
}

#[test]
fn what_changed_is_told_once_and_in_the_words_of_the_receiver() {
    let folder = tempfile::tempdir().unwrap();
    let state = folder.path().join("state").display().to_string();
    let secret = folder.path().join("secret");
    std::fs::write(&secret, "0123456789abcdef0123\n").unwrap();
    let watch = |more: &[&str]| run(&[&["watch", "--once", "--simulate", "--state", &state], more].concat());
    let first = watch(&[]);
    assert!(first.code == 3 && first.stderr.contains("the first audit"), "{}", first.stderr);
    switch(&state, "Disabled");
    let (url, received) = receiver(&[503, 200]);
    let told = watch(&["--webhook", &url, "--webhook-secret", secret.to_str().unwrap(), "-o", "json"]);
    assert_eq!(told.code, 3, "{}", told.stderr);
    assert!(!told.stderr.contains("s3cret"), "{}", told.stderr);
    let (refused, _) = received.recv().unwrap();
    let (head, body) = received.recv().unwrap();
    assert!(refused.contains("hostssl-signature: t=") && head.contains("v1="), "{head}");
    let (posted, shown): (Value, Value) =
        (serde_json::from_str(&body).unwrap(), serde_json::from_str(&told.stdout).unwrap());
    assert_eq!(posted, shown, "the webhook is sent what the terminal shows");
    assert_eq!((&posted["schema"], &posted["changes"][0]["name"]), (&"hostssl/diff/v1".into(), &"pg-directory".into()));
    assert_eq!(told.stdout.lines().count(), 1, "a line for each audit");
    // Nothing new: nothing is sent.
    let quiet = watch(&["--webhook", "http://127.0.0.1:1/x"]);
    assert!(quiet.code == 0 && quiet.stdout.contains("no change"), "{}{}", quiet.stdout, quiet.stderr);
    switch(&state, "Enabled");
    // What cannot be told is not lost, and neither an audit of some controls nor one of another cloud stands in its way.
    let (url, received) = receiver(&[404, 200]);
    assert_eq!(watch(&["--webhook", &url]).code, 1);
    received.recv().unwrap();
    run(&["audit", "--simulate", "--state", &state, "--control", "pending-restart", "-q"]);
    run(&["audit", "--simulate", "enforced", "--state", &state, "-q"]);
    assert_eq!(watch(&["--webhook", &url, "--webhook-kind", "slack"]).code, 0);
    let slack: Value = serde_json::from_str(&received.recv().unwrap().1).unwrap();
    let text = slack["text"].as_str().unwrap();
    assert!(text.contains("do not enforce TLS*") && text.contains("• fixed pg-directory (rg-identity)"), "{text}");
}

#[test]
fn a_watch_that_is_stopped_before_it_told_says_so() {
    let folder = tempfile::tempdir().unwrap();
    let state = folder.path().join("state").display().to_string();
    run(&["watch", "--once", "--simulate", "--state", &state, "-q"]);
    switch(&state, "Disabled");
    // It takes the connection and never answers.
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/x", listener.local_addr().unwrap());
    let once = ["watch", "--once", "--simulate", "--state", &state];
    let watching = start(hostssl().args(once).args(["--webhook", &url]));
    let _connection = listener.accept().unwrap();
    watching.signal("TERM");
    let done = watching.finish();
    assert!(done.code == 1 && done.stderr.contains("did not accept the changes since"), "{}", done.stderr);
    let again = run(&once);
    assert!(again.code == 3 && again.stdout.contains("1 new failure"), "{}", again.stdout);
}

#[test]
fn a_webhook_that_is_down_is_told_with_the_next_audit() {
    let folder = tempfile::tempdir().unwrap();
    let state = folder.path().join("state").display().to_string();
    run(&["watch", "--once", "--simulate", "--state", &state, "-q"]);
    switch(&state, "Disabled");
    // It refuses the first message for good, and takes the second.
    let (url, received) = receiver(&[404, 200]);
    let mut watching = start(hostssl().env("HOSTSSL_WEBHOOK", &url).args([
        "watch",
        "--every",
        "1s",
        "--simulate",
        "--state",
        &state,
        "--webhook-kind",
        "teams",
    ]));
    let warning = watching.wait_for_stderr("warning: the webhook at 127.0.0.1");
    assert!(warning.contains("404") && !warning.contains("s3cret"), "{warning}");
    let (first, second) = (received.recv().unwrap().1, received.recv().unwrap().1);
    for message in [first, second] {
        let message: Value = serde_json::from_str(&message).unwrap();
        let card = &message["attachments"][0]["content"];
        assert_eq!((&card["type"], &card["body"][2]["type"]), (&"AdaptiveCard".into(), &"FactSet".into()));
        assert!(card["body"][2]["facts"][0]["title"].as_str().unwrap().contains("directory"), "{card}");
    }
    // An audit is kept when its changes have been told: one that is stopped before the answer comes has not told them.
    let kept = || run(&["runs", "--simulate", "--state", &state, "-o", "json", "--query", "[?kind=='audit'].run"]);
    while serde_json::from_str::<Vec<String>>(&kept().stdout).unwrap().len() < 3 {}
    watching.signal("TERM");
    let done = watching.finish();
    assert_eq!(done.code, 0, "{}", done.stderr);
    assert_eq!(done.stderr.matches("signed in as").count(), 1, "{}", done.stderr);
}

#[test]
fn what_cannot_be_a_receiver_is_refused_before_anything_is_asked() {
    for url in ["http://hooks.example/x", "hooks", "https://u:p@hooks.example/"] {
        let done = run(&["watch", "--once", "--simulate", "--webhook", url]);
        assert!(done.code == 2 && done.stderr.contains("--webhook"), "{}", done.stderr);
    }
    let done = run(&["watch", "--once", "--simulate", "--webhook-secret", "/no/such/file"]);
    assert_eq!(done.code, 2, "{}", done.stderr);
}

#[test]
fn a_message_that_is_too_long_is_shortened_and_says_so() {
    let folder = tempfile::tempdir().unwrap();
    let state = folder.path().join("state").display().to_string();
    let watch = |more: &[&str]| run(&[&["watch", "--once", "--simulate", "--state", &state], more].concat());
    watch(&["-q"]);
    switch(&state, "Disabled");
    switch_server(&state, "pg-audit-trail", "Disabled");
    let (url, received) = receiver(&[413, 413, 413, 200]);
    let refused = watch(&["--webhook", &url, "-o", "none"]);
    assert!(refused.code == 1 && refused.stderr.contains("413 Payload Too Large"), "{}", refused.stderr);
    assert_eq!(received.iter().take(2).map(|(_, body)| body.matches("\"fingerprint\"").count()).last(), Some(1));
    let done = watch(&["--webhook", &url, "-o", "none"]);
    assert_eq!(done.code, 3, "{}", done.stderr);
    let (whole, short) = (received.recv().unwrap().1, received.recv().unwrap().1);
    let [whole, short]: [Value; 2] = [whole, short].map(|text| serde_json::from_str(&text).unwrap());
    let count = |message: &Value| message["changes"].as_array().unwrap().len() as u64;
    assert!(count(&short) < count(&whole) && whole.get("omitted").is_none(), "{short}");
    assert_eq!(short["omitted"], count(&whole) - count(&short));
    assert_eq!(short["summary"], whole["summary"], "the counts are of all");
    assert!(done.stderr.contains(&format!("got {} of {} changes", count(&short), count(&whole))), "{}", done.stderr);
}

#[test]
fn webhooks_of_one_host_are_told_apart() {
    let folder = tempfile::tempdir().unwrap();
    let state = folder.path().join("state").display().to_string();
    run(&["watch", "--once", "--simulate", "--state", &state, "-q"]);
    switch(&state, "Disabled");
    let ((one, _one), (other, _other)) = (receiver(&[404]), receiver(&[404]));
    let done = run(&["watch", "--once", "--simulate", "--state", &state, "--webhook", &one, "--webhook", &other]);
    for (url, place) in [(&one, "(number 1 of 2)"), (&other, "(number 2 of 2)")] {
        let port = url.split([':', '/']).nth(4).unwrap();
        let told = format!("the webhook at 127.0.0.1:{port} {place} did not accept");
        assert!(done.code == 1 && done.stderr.contains(&told), "{told}: {}", done.stderr);
    }
}

/// A pipe that is full: a write to it waits until someone reads.
#[cfg(unix)]
fn full_pipe() -> (std::io::PipeReader, std::io::PipeWriter) {
    let (reader, mut writer) = std::io::pipe().unwrap();
    rustix::io::ioctl_fionbio(&writer, true).unwrap();
    while writer.write(&[0; 4096]).is_ok() {}
    while writer.write(&[0]).is_ok() {}
    rustix::io::ioctl_fionbio(&writer, false).unwrap();
    (reader, writer)
}

#[cfg(unix)]
#[test]
fn a_reader_that_does_not_read_keeps_no_watch_from_ending() {
    let folder = tempfile::tempdir().unwrap();
    let state = folder.path().join("state").display().to_string();
    run(&["watch", "--once", "--simulate", "--state", &state, "-q"]);
    switch(&state, "Disabled");
    let (_reader, writer) = full_pipe();
    let (url, received) = receiver(&[200]);
    let arguments = ["watch", "--every", "1h", "--simulate", "--state", &state, "--webhook", &url];
    let mut child = hostssl().args(arguments).stdout(writer).stderr(std::process::Stdio::null()).spawn().unwrap();
    // Webhooks are told first, then the audit is kept; what is next is the write that waits.
    received.recv().unwrap();
    let kept =
        || run(&["runs", "--simulate", "--state", &state, "-o", "tsv", "--query", "[?kind=='audit'].run"]).stdout;
    while kept().lines().count() < 2 {}
    let pid = child.id().to_string();
    assert!(std::process::Command::new("kill").args(["-s", "TERM", &pid]).status().unwrap().success());
    assert_eq!(child.wait().unwrap().code(), Some(0));
}

#[cfg(unix)]
#[test]
fn a_watch_that_is_stopped_while_it_signs_in_has_not_failed() {
    // It takes connections and never answers.
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let endpoint = format!("https://{}", listener.local_addr().unwrap());
    let mut command = hostssl();
    command.args([
        "watch",
        "--auth",
        "secret",
        "--no-save",
        "--arm-endpoint",
        &endpoint,
        "--authority-host",
        &endpoint,
    ]);
    for name in ["AZURE_TENANT_ID", "AZURE_CLIENT_ID"] {
        command.env(name, "10000000-0000-4000-8000-000000000001");
    }
    let watching = start(command.env("AZURE_CLIENT_SECRET", "not a secret"));
    let _connection = listener.accept().unwrap();
    watching.signal("TERM");
    let done = watching.finish();
    assert_eq!(done.code, 0, "{}", done.stderr);
}

#[test]
fn the_next_is_compared_only_with_an_audit_that_is_kept() {
    let folder = tempfile::tempdir().unwrap();
    let state = folder.path().join("state").display().to_string();
    let first = |more: &[&str]| run(&[&["watch", "--once", "--simulate"], more].concat()).stderr;
    let said = first(&["--state", &state, "--no-save"]);
    assert!(said.contains("it is not kept, so that the next has nothing to compare with; without --no-save it is"));
    assert!(first(&[]).contains("nothing to compare with; --state DIR keeps it"));
    let kept = first(&["--state", &state]);
    assert!(kept.contains("the next is compared with it"), "{kept}");
}

#[test]
fn what_changed_is_appended_to_a_file_and_counted_for_prometheus() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name).display().to_string();
    let (state, changes, metrics) = (path("state"), path("changes.jsonl"), path("hostssl.prom"));
    let watch = |more: &[&str]| run(&[&["watch", "--once", "--simulate", "--state", &state], more].concat());
    let files = ["--append", &*changes, "--metrics", &*metrics];
    assert_eq!(watch(&files).code, 3, "the first audit fails");
    assert_eq!(std::fs::read_to_string(&changes).unwrap(), "", "nothing has changed yet");
    let measured = std::fs::read_to_string(&metrics).unwrap();
    assert!(measured.contains("hostssl_servers{status=\"not-enforced\"}"), "{measured}");
    for to in ["Disabled", "Enabled"] {
        switch(&state, to);
        watch(&files);
    }
    let text = std::fs::read_to_string(&changes).unwrap();
    let differences: Vec<Value> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let of = |line: &Value| line["changes"][0]["difference"].clone();
    assert_eq!(differences.iter().map(of).collect::<Vec<_>>(), ["new", "fixed"], "{text}");
    // A file that takes nothing keeps no other from being told.
    switch(&state, "Disabled");
    if std::path::Path::new("/dev/full").exists() {
        let full = watch(&["--append", "/dev/full"]);
        assert!(full.code == 1 && full.stderr.contains("the file /dev/full did not accept"), "{}", full.stderr);
    }
    assert_eq!(watch(&files).code, 3, "the file was not told yet");
    assert_eq!(std::fs::read_to_string(&changes).unwrap().lines().count(), 3);
    let both = path("both");
    for (wrong, why) in [
        (vec!["watch", "--simulate", "--once", "--metrics", &*metrics], "keeps nothing"),
        (vec!["watch", "--simulate", "--waivers", "-"], "can be read once"),
        (vec!["watch", "--simulate", "--once", "--append", "/no/such/folder/x"], "cannot be appended to"),
        (vec!["watch", "--simulate", "--once", "--append", "-"], "- is not a file"),
        (vec!["watch", "--simulate", "--once", "--append", &*both, "--metrics", &*both], "name the same file"),
    ] {
        let refused = run(&wrong);
        assert!(refused.code == 2 && refused.stderr.contains(why), "{}", refused.stderr);
    }
    assert!(!std::path::Path::new(&both).exists(), "what is refused leaves no file");
}

#[cfg(unix)]
#[test]
fn a_watch_answers_metrics_on_a_port() {
    let folder = tempfile::tempdir().unwrap();
    let state = folder.path().join("state").display().to_string();
    let arguments = ["watch", "--simulate", "--state", &state, "--metrics-listen", "127.0.0.1:0", "-o", "none"];
    let mut watching = start(hostssl().args(arguments));
    let line = watching.wait_for_stderr("metrics on http://");
    let address = line.trim().strip_prefix("metrics on http://").unwrap().strip_suffix("/metrics").unwrap();
    let get = |path: &str| {
        let mut stream = TcpStream::connect(address).unwrap();
        write!(stream, "GET {path} HTTP/1.1\r\nHost: prometheus.invalid\r\nConnection: close\r\n\r\n").unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        answer
    };
    // The time of the first audit, which is kept by then.
    watching.wait_for_stderr("20");
    let answer = get("/metrics");
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    assert!(answer.contains("hostssl_servers{status=\"not-enforced\"} 7"), "{answer}");
    assert!(get("/").starts_with("HTTP/1.1 404"));
    let taken = run(&["watch", "--simulate", "--state", &state, "--metrics-listen", address]);
    assert!(taken.code == 1 && taken.stderr.contains("cannot listen on"), "{}", taken.stderr);
    watching.signal("TERM");
    assert_eq!(watching.finish().code, 0);
    let nameless = run(&["watch", "--simulate", "--state", &state, "--metrics-listen", "localhost:9188"]);
    assert!(nameless.code == 2 && nameless.stderr.contains("such as 127.0.0.1:9188"), "{}", nameless.stderr);
    let unkept = run(&["watch", "--simulate", "--metrics-listen", "127.0.0.1:0"]);
    assert!(unkept.code == 2 && unkept.stderr.contains("keeps nothing"), "{}", unkept.stderr);
}

#[test]
fn a_policy_that_would_refuse_known_clients_is_told() {
    let folder = tempfile::tempdir().unwrap();
    let state = folder.path().join("state").display().to_string();
    let audit = |command: &[&str]| run(&[command, &["--simulate", "--state", &state, "-q"]].concat()).stderr;
    let warning = "warning: Azure Policy (Simulated policy that enforces TLS) turns enforcement on for pg-catalog-prod at its next \
                   remediation, which refuses 2 clients that connect in plaintext";
    let first = audit(&["audit"]);
    assert!(!first.contains("Azure Policy"), "no client is known: {first}");
    run(&["clients", "--simulate", "--state", &state]);
    for command in [&["audit"][..], &["watch", "--once"]] {
        let told = audit(command);
        assert!(told.contains(warning), "{told}");
        assert!(!told.contains("for pg-keycloak"), "its clients use TLS: {told}");
    }
    // The hint names the clients of this state, and not of another one.
    let told = run(&["audit", "--simulate", "--state", &state]).stderr;
    let hint = told.lines().find(|line| line.starts_with("hint: `hostssl clients")).unwrap_or_default();
    let command = hint.split('`').nth(1).unwrap_or_default();
    let words: Vec<&str> = command.split(' ').skip(1).collect();
    let sheet = run(&words);
    assert!(sheet.stdout.contains("pg-catalog-prod"), "{hint}: {}", sheet.stderr);
    assert!(words.contains(&state.as_str()), "{hint}");
}

/// Lets the audits that are kept have been made by a clock that was an hour ahead.
fn set_ahead(state: &str) {
    let database = rusqlite::Connection::open(std::path::Path::new(state).join("simulated/hostssl.db")).unwrap();
    let hour = "2099-01-01T00:00:0";
    database
        .execute(
            "UPDATE audits SET started_ms = 4070908800000, run = json_set(run, '$.startedAt', ?1 || '0Z', '$.finishedAt', ?1 || '2Z')",
            [hour],
        )
        .unwrap();
    database.execute("UPDATE current SET at_ms = 4070908800000", []).unwrap();
}

#[test]
fn a_change_is_told_once_though_the_clock_was_set_back() {
    let folder = tempfile::tempdir().unwrap();
    let state = folder.path().join("state").display().to_string();
    let watch = || run(&["watch", "--once", "--simulate", "--state", &state, "-o", "json"]);
    assert_eq!(watch().code, 3);
    set_ahead(&state);
    switch(&state, "Disabled");
    let told = watch();
    assert_eq!(told.code, 3, "{}", told.stderr);
    let told: Value = serde_json::from_str(told.stdout.trim()).unwrap();
    assert_eq!((&told["summary"]["new"], &told["timesGoBack"]), (&Value::from(1), &Value::from(true)), "{told}");
    let again = watch();
    let again: Value = serde_json::from_str(again.stdout.trim()).unwrap();
    assert_eq!((&again["summary"]["new"], again.get("timesGoBack")), (&Value::from(0), None), "{again}");
    // What is compared where no audit is named are the two that were kept last; the first of all says when it says it was.
    let newest = run(&["diff", "--simulate", "--state", &state, "-o", "json"]);
    let newest: Value = serde_json::from_str(&newest.stdout).unwrap();
    assert_eq!([&newest["before"]["run"], &newest["after"]["run"]], [&again["before"]["run"], &again["after"]["run"]]);
    let runs = run(&["runs", "--simulate", "--state", &state, "-o", "json"]);
    assert!(runs.stdout.contains("2099-01-01T00:00:00"), "{} {}", runs.stdout, runs.stderr);
    let before = told["before"]["run"].as_str().unwrap();
    let named = run(&["diff", "--simulate", "--state", &state, before, "latest"]);
    assert!(named.stdout.contains("began before the earlier one"), "{}{}", named.stdout, named.stderr);
}

/// Whoever kept an audit in between, and however the watch before ended.
#[test]
fn each_receiver_is_told_what_it_was_not_told_yet() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name).display().to_string();
    let (state, changes) = (path("state"), path("changes.jsonl"));
    let watch = |more: &[&str]| run(&[&["watch", "--once", "--simulate", "--state", &state], more].concat());
    let audit = |more: &[&str]| run(&[&["audit", "--simulate", "--state", &state, "-q"], more].concat());
    let lines = || std::fs::read_to_string(&changes).unwrap().lines().count();
    let file = ["--append", &*changes];
    watch(&file);
    switch(&state, "Disabled");
    audit(&[]);
    let told = watch(&file);
    assert_eq!((told.code, lines()), (3, 1), "{}{}", told.stdout, told.stderr);
    assert!(told.stdout.contains("new failure"), "{}", told.stdout);
    let again = watch(&file);
    assert!(again.stdout.contains("no change") && lines() == 1, "{}", again.stdout);
    // One that was never told begins with the newest audit.
    let (url, received) = receiver(&[404, 200]);
    assert!(!watch(&["--webhook", &url]).stderr.contains("did not accept"));
    // What it does not accept before the watch ends, the next watch tells.
    switch(&state, "Enabled");
    let every = ["watch", "--every", "1h", "--simulate", "--state", &state, "--webhook", &url];
    let mut watching = start(hostssl().args(every));
    watching.wait_for_stderr("warning: the webhook at 127.0.0.1");
    watching.signal("TERM");
    assert_eq!(watching.finish().code, 1);
    assert_eq!(watch(&["--webhook", &url]).code, 0);
    let messages = [received.recv().unwrap().1, received.recv().unwrap().1];
    for message in messages.map(|message| serde_json::from_str::<Value>(&message).unwrap()) {
        assert_eq!(message["changes"][0]["difference"], "fixed", "{message}");
    }
    // What is deleted cannot be compared with, and that is said once.
    audit(&["--retain", "1"]);
    let late = watch(&file);
    assert!(late.stderr.contains("was told of last is deleted, so that changes before"), "{}", late.stderr);
    assert!(!watch(&file).stderr.contains("is deleted"));
}

/// One that is down is told later, and no other is told again.
#[test]
fn a_receiver_that_is_down_lets_no_other_be_told_twice() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name).display().to_string();
    let (state, changes) = (path("state"), path("changes.jsonl"));
    // Nothing answers a second message to the one that takes the first.
    let ((up, of_up), (down, of_down)) = (receiver(&[200]), receiver(&[404, 200]));
    let all = ["--webhook", &*up, "--webhook", &*down, "--append", &*changes];
    let watch = || run(&[&["watch", "--once", "--simulate", "--state", &state][..], &all].concat());
    watch();
    switch(&state, "Disabled");
    let first = watch();
    assert!(first.code == 1 && first.stdout.contains("1 new failure"), "{}{}", first.stdout, first.stderr);
    let second = watch();
    assert_eq!(second.code, 3, "what it tells is new to one: {}", second.stderr);
    assert!(second.stdout.contains("no change") && !second.stderr.contains("did not accept"), "{}", second.stdout);
    assert_eq!(std::fs::read_to_string(&changes).unwrap().lines().count(), 1);
    let messages = |all: Receiver<(String, String)>| all.iter().map(|(_, body)| body).collect::<Vec<_>>();
    let (up, down) = (messages(of_up), messages(of_down));
    assert_eq!((up.len(), down.len()), (1, 2));
    assert!(down.iter().all(|message| message.contains("\"new\"")), "{down:?}");
    assert_eq!(watch().code, 0);
}
