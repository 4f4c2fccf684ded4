//! What the wire shows: `audit --probe` and `probe`, against the listeners of the simulated Azure.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test may stop at the first surprise")]
#![allow(unreachable_pub, missing_docs, dead_code, reason = "a module shared by the tests")]

mod common;

use common::{hostssl, run, simulator, start};
use hostssl_test_support::schema::Schema;
use serde_json::Value;
use std::io::Write as _;

fn audit(arguments: &[&str]) -> Value {
    let done = run(&[&["audit", "--probe", "-o", "json", "--simulate"], arguments].concat());
    serde_json::from_str(&done.stdout).unwrap_or_else(|error| panic!("{error}: {}{}", done.stdout, done.stderr))
}

fn server<'a>(report: &'a Value, name: &str) -> &'a Value {
    report["servers"].as_array().unwrap().iter().find(|server| server["name"] == name).unwrap()
}

fn finding<'a>(report: &'a Value, name: &str, control: &str) -> &'a Value {
    let findings = server(report, name)["findings"].as_array().unwrap();
    findings.iter().find(|finding| finding["control"] == control).unwrap()
}

#[test]
fn the_demonstration_with_the_wire() {
    let done = run(&["audit", "--simulate", "--probe"]);
    assert_eq!(done.code, 3, "{}", done.stderr);
    insta::assert_snapshot!(done.stdout);
}

#[test]
fn declared_and_wire_are_compared_and_raise_confidence() {
    let report = audit(&[]);
    Schema::committed("audit-v1").assert_accepts(&report);
    assert_eq!(report["run"]["profile"], "baseline@2");
    for (name, control, outcome) in [
        ("pg-orders-prod", "declared-matches-wire", "pass"),
        ("pg-orders-prod", "plaintext-refused", "pass"),
        ("pg-search-prod", "require-secure-transport", "pass"),
        ("pg-search-prod", "declared-matches-wire", "fail"),
        ("pg-invoices-prod", "declared-matches-wire", "fail"),
        ("pg-catalog-prod", "declared-matches-wire", "pass"),
        ("pg-catalog-prod", "plaintext-refused", "fail"),
        ("pg-archive-legacy", "legacy-tls-refused", "fail"),
        ("pg-audit-trail", "legacy-tls-refused", "pass"),
        ("pg-audit-trail", "plaintext-refused", "pass"),
        ("pg-grafana", "certificate-expiry", "fail"),
        ("pg-grafana", "certificate-valid", "pass"),
        ("pg-search-stage", "certificate-valid", "fail"),
        ("citus-telemetry", "declared-matches-wire", "pass"),
        ("horizon-sandbox", "declared-matches-wire", "pass"),
    ] {
        assert_eq!(finding(&report, name, control)["outcome"], outcome, "{name} {control}");
    }
    for (name, reason) in
        [("pg-ledger-prod", "no-vantage"), ("pg-catalog-stage", "stopped"), ("pg-returns-stage", "creating")]
    {
        assert_eq!(finding(&report, name, "plaintext-refused")["reason"], reason, "{name}");
    }
    let confidence = |name| &finding(&report, name, "require-secure-transport")["confidence"];
    assert_eq!(confidence("pg-orders-prod"), "wire-confirmed");
    assert_eq!(confidence("pg-catalog-prod"), "wire-confirmed");
    assert_eq!(confidence("pg-search-prod"), "declared");
    let looks = server(&report, "pg-orders-prod")["wire"].as_array().unwrap();
    assert_eq!(looks.iter().map(|look| look["port"].as_u64().unwrap()).collect::<Vec<_>>(), [5432, 6432]);
    assert!(looks[0]["certificate"]["root"].as_str().unwrap().contains("Simulated Azure"));
    // Without a look there is no word of it.
    let declared: Value = serde_json::from_str(&run(&["audit", "--simulate", "-o", "json"]).stdout).unwrap();
    assert_eq!(declared["run"]["profile"], "baseline@1");
    assert!(server(&declared, "pg-orders-prod")["wire"].is_null());
    assert_eq!(finding(&declared, "pg-orders-prod", "require-secure-transport")["confidence"], "declared");
}

#[test]
fn profiles_days_and_exit_codes_of_a_probed_audit() {
    let code = |arguments: &[&str]| run(&[&["audit", "-q", "-o", "none", "--simulate"], arguments].concat()).code;
    let one = ["enforced", "--server", "pg-orders-prod", "--probe"];
    assert_eq!(code(&one), 0);
    assert_eq!(code(&[&one[..], &["--profile", "strict"]].concat()), 3, "TLS 1.2 is accepted");
    assert_eq!(code(&[&one[..], &["--expiry-days", "400"]].concat()), 3, "180 days are left");
    assert_eq!(code(&[&one[..], &["--profile", "baseline@1"]].concat()), 0);
    assert_eq!(code(&["enforced", "--probe"]), 0, "everything is as it should be, and proven");
    let report =
        audit(&["enforced", "--server", "pg-grafana", "--control", "certificate-expiry", "--expiry-days", "7"]);
    assert_eq!(report["servers"][0]["findings"].as_array().unwrap().len(), 1);
    assert_eq!(report["servers"][0]["outcome"], "pass");
    for mistake in [
        &["--profile", "baseline@2"][..],
        &["--control", "plaintext-refused"],
        &["--expiry-days", "7"],
        &["--probe", "--ca-file", "/no/such/file"],
    ] {
        let done = run(&[&["audit", "--simulate", "enforced"], mistake].concat());
        assert_eq!((done.code, done.stdout.as_str()), (2, ""), "{mistake:?}: {}", done.stderr);
        assert!(done.stderr.contains("hint: "), "{mistake:?}: {}", done.stderr);
    }
}

#[test]
fn a_deadline_leaves_the_rest_of_the_wire_unknown() {
    let report = audit(&["fleet", "--deadline", "1500ms"]);
    Schema::committed("audit-v1").assert_accepts(&report);
    assert_eq!(report["run"]["complete"], false);
    let reasons: Vec<&Value> = report["gaps"].as_array().unwrap().iter().map(|gap| &gap["reason"]).collect();
    assert!(reasons.iter().any(|reason| *reason == "deadline"), "{reasons:?}");
}

#[test]
fn the_served_listeners_answer_the_prober_by_their_names() {
    let simulator = simulator(&["demo"]);
    let list = simulator.folder().join("servers.txt");
    let list = list.to_str().unwrap();
    let done = simulator.run(&["probe", "--targets", list, "-o", "json"]);
    assert_eq!(done.code, 3, "{}", done.stderr);
    let report: Value = serde_json::from_str(&done.stdout).unwrap();
    Schema::committed("probe-v1").assert_accepts(&report);
    let endpoints = report["endpoints"].as_array().unwrap();
    let of = |name: &'static str| {
        endpoints.iter().filter(move |endpoint| endpoint["host"].as_str().unwrap().starts_with(name))
    };
    let verdicts =
        |name: &'static str| of(name).map(|endpoint| endpoint["verdict"].as_str().unwrap()).collect::<Vec<_>>();
    assert_eq!(verdicts("pg-orders-prod.").len(), 2, "the server and its pooler");
    assert!(verdicts("pg-orders-prod.").iter().all(|verdict| *verdict == "enforced"));
    assert!(verdicts("pg-search-prod.").contains(&"optional") && verdicts("pg-search-prod.").contains(&"enforced"));
    assert_eq!(verdicts("pg-archive-legacy."), ["optional"]);
    let orders = of("pg-orders-prod.").next().unwrap();
    assert_eq!(orders["certificate"]["verifyFull"]["ok"], true, "{orders}");
    assert_eq!(orders["tls"]["negotiated"]["version"], "TLSv1.3");
    // A server that is stopped closes the connection.
    assert_eq!(verdicts("pg-catalog-stage."), ["inconclusive"]);
}

#[test]
fn targets_come_from_files_and_pipes_and_bad_lines_are_told() {
    let simulator = simulator(&["enforced"]);
    let all = std::fs::read_to_string(simulator.folder().join("servers.txt")).unwrap();
    let line = all.lines().find(|line| line.contains("pg-orders-prod.")).unwrap();
    let ca = simulator.variable("HOSTSSL_CA_FILE");
    let probe = |text: &str, more: &[&str]| {
        let mut command = hostssl();
        command.args(["probe", "--targets", "-"]).args(more).stdin(std::process::Stdio::piped());
        let mut child =
            command.stdout(std::process::Stdio::piped()).stderr(std::process::Stdio::piped()).spawn().unwrap();
        child.stdin.take().unwrap().write_all(text.as_bytes()).unwrap();
        let done = child.wait_with_output().unwrap();
        let text = |bytes| String::from_utf8(bytes).unwrap();
        (done.status.code().unwrap(), text(done.stdout), text(done.stderr))
    };
    // Whom nobody told to trust the simulated roots finds a certificate that fails verify-full, and says by what it fails.
    let (code, document, said) = probe(line, &["-o", "json"]);
    assert_eq!(code, 3, "{said}");
    let document: Value = serde_json::from_str(&document).unwrap();
    Schema::committed("probe-v1").assert_accepts(&document);
    let failures = &document["endpoints"][0]["failures"];
    assert_eq!(*failures, serde_json::json!(["verify-full", "certificate-untrusted", "certificate-chain-incomplete"]));
    assert!(
        said.contains(
            "exit code 3 because of certificate-chain-incomplete (1), certificate-untrusted (1), verify-full (1)"
        ),
        "{said}"
    );
    let decided = ["certificate-chain-incomplete", "certificate-untrusted", "verify-full"]
        .map(|finding| serde_json::json!({"finding": finding, "endpoints": 1}));
    let exit = |code: u8, reason: &str, decided: &[Value]| serde_json::json!({"code": code, "reason": reason, "decidedBy": decided, "undecided": 0, "complete": true});
    assert_eq!(document["exit"], exit(3, "findings", &decided));
    let (code, document, said) = probe(line, &["--fail-on", "not-enforced", "-o", "json", "--query", "exit"]);
    assert_eq!((code, serde_json::from_str(&document).unwrap()), (0, exit(0, "pass", &[])), "{said}");
    assert_eq!(probe(line, &["--allow", "verify-full,certificate-untrusted,certificate-chain-incomplete"]).0, 0);
    assert_eq!(probe(line, &["--allow", "verify-full"]).0, 3);
    assert_eq!(probe(line, &["--allow", "everything"]).0, 2);
    let trusted = ["--ca-file", ca.as_str()];
    let (code, rows, said) = probe(line, &[&trusted[..], &["-o", "tsv"]].concat());
    assert_eq!((code, rows.lines().count()), (0, 1), "{said}");
    let (code, _, said) = probe(&format!("host=/tmp password=hunter2\n{line}\n"), &trusted);
    assert_eq!(code, 4);
    assert!(said.contains("standard input, line 1: a Unix-domain socket") && !said.contains("hunter2"), "{said}");
    assert_eq!(probe("# nothing\n\n", &[]).0, 2);
    // The roots that a connection string names replace the others.
    let verified = |line: &str, more: &[&str]| {
        let report: Value = serde_json::from_str(&probe(line, &[&["-o", "json"], more].concat()).1).unwrap();
        report["endpoints"][0]["certificate"]["verifyFull"]["ok"].clone()
    };
    assert_eq!(verified(line, &[]), false);
    assert_eq!(verified(&format!("{line} sslrootcert={ca}"), &[]), true);
    assert_eq!(verified(&format!("{line} sslrootcert=system"), &["--ca-file", &ca]), false);
    assert_eq!(verified(line, &["--ca-file", &ca]), true);
    let missing = run(&["probe", &format!("{line} sslrootcert=/no/such/file")]);
    assert_eq!(missing.code, 2, "{}", missing.stderr);
    // Days left are looked at when they are asked for.
    assert_eq!(probe(line, &[&trusted[..], &["--expiry-days", "30"]].concat()).0, 0);
    let (code, table, _) = probe(line, &[&trusted[..], &["--expiry-days", "365"]].concat());
    assert_eq!(code, 3);
    assert!(table.contains("weakness: certificate-expires-soon"), "{table}");
}

/// `sslrootcert=system` stands for what OpenSSL finds, as psql does.
#[test]
fn the_roots_of_the_system_are_those_that_openssl_finds() {
    let simulator = simulator(&["enforced"]);
    let all = std::fs::read_to_string(simulator.folder().join("servers.txt")).unwrap();
    let line = all.lines().find(|line| line.contains("pg-orders-prod.")).unwrap();
    let ca = simulator.variable("HOSTSSL_CA_FILE");
    let folder = simulator.folder().join("roots");
    std::fs::create_dir(&folder).unwrap();
    std::fs::copy(&ca, folder.join("root.crt")).unwrap();
    let damaged = simulator.folder().join("damaged.pem");
    std::fs::write(&damaged, std::fs::read_to_string(&ca).unwrap().replacen("-----END", "\n-----END", 1)).unwrap();
    let probe = |variable: &str, path: &std::path::Path| {
        let mut command = hostssl();
        command.args(["probe", "-o", "json", &format!("{line} sslrootcert=system")]);
        // An empty variable is a file or a list of folders too: one that is not there.
        command.env("SSL_CERT_FILE", "").env("SSL_CERT_DIR", "").env(variable, path);
        let done = command.output().unwrap();
        let report = serde_json::from_slice(&done.stdout).unwrap_or(Value::Null);
        let ok = report["endpoints"][0]["certificate"]["verifyFull"]["ok"].clone();
        (done.status.code().unwrap(), ok, String::from_utf8(done.stderr).unwrap())
    };
    let (code, ok, said) = probe("SSL_CERT_FILE", std::path::Path::new(&ca));
    assert_eq!((code, ok), (0, Value::Bool(true)), "{said}");
    for (variable, path, why) in
        [("SSL_CERT_FILE", &damaged, "the roots"), ("SSL_CERT_DIR", &folder, "has no file with a name such as")]
    {
        let (code, ok, said) = probe(variable, path);
        assert_eq!((code, ok), (2, Value::Null), "{said}");
        assert!(said.contains("no root certificates for sslrootcert=system") && said.contains(why), "{said}");
    }
    std::fs::copy(&ca, folder.join("0a1b2c3d.0")).unwrap();
    let (code, ok, said) = probe("SSL_CERT_DIR", &folder);
    assert_eq!((code, ok), (0, Value::Bool(true)), "{said}");
}

/// What decides an exit code is the choice of who asks; whether an endpoint enforces TLS is not.
#[test]
fn a_list_of_runs_counts_endpoints_by_their_verdicts() {
    let simulator = simulator(&["enforced"]);
    let all = std::fs::read_to_string(simulator.folder().join("servers.txt")).unwrap();
    let line = all.lines().find(|line| line.contains("pg-orders-prod.")).unwrap();
    let state = simulator.folder().join("kept");
    let state = state.to_str().unwrap();
    // Without the simulated roots, the certificate is not trusted.
    let done = run(&["probe", line, "--state", state, "-o", "json"]);
    let probed: Value = serde_json::from_str(&done.stdout).unwrap();
    assert_eq!((done.code, &probed["endpoints"][0]["verdict"]), (3, &"enforced".into()), "{}", done.stderr);
    let listed = run(&["runs", "--state", state, "-o", "json"]).stdout;
    let listed: Value = serde_json::from_str(&listed).unwrap();
    let counts = ["enforced", "notEnforced", "unknown"].map(|name| listed[0][name].as_u64());
    assert_eq!(counts, [Some(1), Some(0), Some(0)], "{listed:#}");
    let table = run(&["runs", "--state", state]).stdout;
    assert!(table.contains("1 endpoint: 0 not enforced, 0 unknown, 1 enforced"), "{table}");
}

#[test]
fn an_interrupted_probe_ends_in_a_valid_document() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let silent = listener.local_addr().unwrap();
    let refused = "127.0.0.1:1";
    let probe = start(hostssl().args(["probe", refused, &silent.to_string(), "-o", "json", "--parallel", "1"]));
    // The second target is being probed when its connection arrives.
    drop(listener.accept().unwrap());
    let held = listener.accept().unwrap();
    probe.signal("INT");
    let done = probe.finish();
    drop(held);
    assert_eq!(done.code, 4, "{}", done.stderr);
    let report: Value = serde_json::from_str(&done.stdout).unwrap();
    Schema::committed("probe-v1").assert_accepts(&report);
    assert_eq!(report["endpoints"].as_array().unwrap().len(), 1);
    assert!(done.stderr.contains("interrupted: 1 of 2 targets done, 1 not probed"), "{}", done.stderr);
}

#[test]
fn a_tunnel_and_what_is_no_proxy() {
    let simulator = simulator(&["enforced"]);
    let all = std::fs::read_to_string(simulator.folder().join("servers.txt")).unwrap();
    let line = all.lines().find(|line| line.contains("pg-orders-prod.")).unwrap();
    let word = |key: &str| {
        line.split_whitespace()
            .find_map(|word| word.strip_prefix(key))
            .unwrap_or_else(|| panic!("{key}: {line}"))
            .to_owned()
    };
    let (host, address, port) = (word("host="), word("hostaddr="), word("port="));
    let rule = format!("{host}:5432:{address}:{port}");
    let ca = simulator.variable("HOSTSSL_CA_FILE");
    let done = run(&["probe", &format!("{host}:5432"), "--connect-to", &rule, "--ca-file", &ca, "-o", "json"]);
    assert_eq!(done.code, 0, "{}{}", done.stdout, done.stderr);
    for mistake in [
        &["probe", "db", "--proxy", "http://me:hunter2@h"][..],
        &["probe", "db", "--proxy", "socks5://me:hunter2@h"],
        &["probe", "db", "--connect-to", "nonsense"],
        &["audit", "--simulate", "--probe", "--proxy", "socks5h://me:hunter2@h"],
    ] {
        let done = run(mistake);
        assert_eq!(done.code, 2, "{mistake:?}: {}", done.stderr);
        assert!(!done.stderr.contains("hunter2") && done.stderr.contains("hint: "), "{}", done.stderr);
    }
}
