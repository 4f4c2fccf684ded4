//! `hostssl clients` with log files.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test may stop at the first surprise")]
#![allow(unreachable_pub, missing_docs, dead_code, reason = "a module of this test, shared with others")]

mod common;

use common::{hostssl, run, start};
use serde_json::Value;
use std::collections::BTreeSet;
use std::io::Write;
use std::process::Stdio;

const LOG: &str = "\
2026-09-16 19:02:12 UTC-6aaae7b4.1-LOG:  connection received: host=10.0.0.4 port=5\n\
2026-09-16 19:02:12 UTC-6aaae7b4.1-LOG:  connection authorized: user=app database=shop application_name=psql\n\
2026-09-16 19:02:13 UTC-6aaae7b4.1-LOG:  statement: ALTER USER app PASSWORD 'hunter2'\n\
2026-09-16 19:02:14 UTC-6aaae7b5.2-LOG:  connection received: host=10.0.0.5 port=5\n\
2026-09-16 19:02:14 UTC-6aaae7b5.2-LOG:  connection authorized: user=web database=shop SSL enabled (protocol=TLSv1.3, cipher=TLS_AES_256_GCM_SHA384, bits=256)\n";

fn folder(name: &str) -> std::path::PathBuf {
    let folder = std::path::Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("clients-{name}"));
    let _ = std::fs::remove_dir_all(&folder);
    std::fs::create_dir_all(&folder).unwrap();
    folder
}

#[test]
fn files_folders_gzip_and_standard_input_say_the_same() {
    let folder = folder("ways");
    let plain = folder.join("postgresql.log");
    std::fs::write(&plain, LOG).unwrap();
    let packed = folder.join("packed.log.gz");
    let mut gzip = flate2::write::GzEncoder::new(std::fs::File::create(&packed).unwrap(), flate2::Compression::fast());
    gzip.write_all(LOG.as_bytes()).unwrap();
    gzip.finish().unwrap();
    let json = |arguments: &[&str]| -> Value {
        let done = run(&[&["clients", "-o", "json"], arguments].concat());
        assert_eq!(done.code, 3, "{}", done.stderr);
        for secret in ["hunter2", "ALTER USER"] {
            assert!(!done.stdout.contains(secret) && !done.stderr.contains(secret));
        }
        serde_json::from_str(&done.stdout).unwrap()
    };
    let of_file = json(&["--log-file", plain.to_str().unwrap()]);
    assert_eq!(of_file["schema"], "hostssl/clients/v1");
    assert_eq!(of_file["servers"][0]["name"], plain.to_str().unwrap());
    let clients = |report: &Value| {
        let mut clients = report["servers"][0]["clients"].clone();
        clients.as_array_mut().unwrap().iter_mut().for_each(|client| client["sources"] = Value::Null);
        clients
    };
    assert_eq!(clients(&of_file)[0]["tls"], "plaintext");
    assert_eq!(clients(&of_file)[0]["fix"]["driver"], "libpq");
    let of_gzip = json(&["--log-file", packed.to_str().unwrap()]);
    // Both files of the folder are the same log, and nothing is counted twice.
    let of_folder = json(&["--log-file", folder.to_str().unwrap()]);
    let mut command = hostssl();
    let mut child = command
        .args(["clients", "--log-file", "-", "-o", "json"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all(LOG.as_bytes()).unwrap();
    let piped: Value = serde_json::from_slice(&child.wait_with_output().unwrap().stdout).unwrap();
    for other in [of_gzip, of_folder, piped] {
        assert_eq!(clients(&other), clients(&of_file));
    }
    let only = json(&["--log-file", plain.to_str().unwrap(), "--only", "tls"]);
    assert_eq!(only["servers"][0]["clients"].as_array().unwrap().len(), 1);
    assert_eq!(only["servers"][0]["verdict"], "breaks");
    let done = run(&["clients", "--log-file", plain.to_str().unwrap(), "--since", "2026-09-17"]);
    assert_eq!(done.code, 4, "{}", done.stdout);
}

#[test]
fn what_cannot_be_read_is_never_an_all_clear() {
    let folder = folder("trouble");
    let file = folder.join("cut.log.gz");
    let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    gzip.write_all(LOG.repeat(50).as_bytes()).unwrap();
    let bytes = gzip.finish().unwrap();
    std::fs::write(&file, &bytes[..bytes.len() - 20]).unwrap();
    let done = run(&["clients", "--log-file", file.to_str().unwrap(), "-o", "json"]);
    let report: Value = serde_json::from_str(&done.stdout).unwrap();
    assert_eq!(report["servers"][0]["sources"][0]["complete"], false);
    assert_eq!(report["servers"][0]["sources"][0]["missing"][0]["reason"], "truncated");
    let done = run(&["clients", "--log-file", folder.join("none.log").to_str().unwrap()]);
    assert_eq!((done.code, done.stdout.as_str()), (2, ""));
    assert!(done.stderr.contains("none.log"));
    std::fs::write(folder.join("page.log"), "<html>\n").unwrap();
    let done = run(&["clients", "--log-file", folder.join("page.log").to_str().unwrap()]);
    assert_eq!(done.code, 4);
    assert!(done.stdout.contains("not-a-log"));
    let done = run(&["clients", "--log-file", "-", "--log-prefix", "%y"]);
    assert_eq!(done.code, 2);
    // Nothing at all.
    let done = start(hostssl().args(["clients", "--log-file", "-"])).finish();
    assert_eq!(done.code, 4);
}

#[test]
fn the_simulated_estate_has_all_three_verdicts() {
    let state = folder("simulated").display().to_string();
    let run = |arguments: &[&str]| run(&[arguments, &["--state", &state]].concat());
    let done = run(&["clients", "--simulate", "-o", "json"]);
    assert_eq!(done.code, 3, "{}", done.stderr);
    let report: Value = serde_json::from_str(&done.stdout).unwrap();
    let server = |name: &str| -> Value {
        let servers = report["servers"].as_array().unwrap();
        servers.iter().find(|server| server["name"] == name).unwrap().clone()
    };
    for (name, verdict) in [
        ("pg-orders-prod", "safe"),
        ("pg-catalog-prod", "breaks"),
        ("pg-ledger-prod", "breaks"),
        ("pg-keycloak", "safe"),
        ("pg-orders-stage", "needs-observation"),
        ("pg-payroll-prod", "needs-observation"),
        // Kinds without log files are in the report too.
        ("pg-archive-legacy", "needs-observation"),
    ] {
        assert_eq!(server(name)["verdict"], verdict, "{name}: {}", server(name)["reason"]);
    }
    let catalog = server("pg-catalog-prod");
    let weekly = catalog["clients"].as_array().unwrap().iter().find(|client| client["user"] == "export").unwrap();
    assert_eq!((weekly["tls"].as_str(), weekly["fix"]["driver"].as_str()), (Some("plaintext"), Some("libpq")));
    assert_eq!(catalog["sources"][0]["kind"], "arm-log-file");
    let done_verbose = run(&["clients", "--simulate", "-v", "--server", "pg-catalog-prod"]);
    for secret in ["simulated-signature", "sig=", "file.core.windows.net"] {
        assert!(!done.stdout.contains(secret) && !done.stderr.contains(secret), "{secret}");
    }
    // The log of the SDK shows addresses with their signatures taken out.
    assert!(
        !done_verbose.stdout.contains("simulated-signature") && !done_verbose.stderr.contains("simulated-signature")
    );
    let done = run(&["clients", "--simulate", "--server", "pg-catalog-pord"]);
    assert_eq!(done.code, 2);
    assert!(done.stderr.contains("pg-catalog-pord"));
}

#[test]
fn logs_that_cannot_be_downloaded_are_said_and_turned_on_by_a_plan() {
    let folder = folder("download");
    let state = folder.display().to_string();
    let run = |arguments: &[&str]| run(&[arguments, &["--simulate", "--state", &state]].concat());
    let server = |name: &str| -> Value {
        let done = run(&["clients", "-o", "json", "--server", name]);
        serde_json::from_str::<Value>(&done.stdout).unwrap_or_else(|_| panic!("{}", done.stderr))["servers"][0].clone()
    };
    let said = |server: &Value, reason: &str| -> Option<String> {
        let sources = server["sources"].as_array().unwrap().iter();
        let missing = sources.flat_map(|source| source["missing"].as_array().unwrap());
        missing.filter(|one| one["reason"] == reason).find_map(|one| Some(one["detail"].as_str()?.to_owned()))
    };
    let off = server("pg-grafana");
    assert!(off["clients"].as_array().unwrap().is_empty());
    let detail = said(&off, "disabled").unwrap();
    assert!(detail.starts_with("logfiles.download_enable is off") && detail.contains("plan --enable-log-download"));
    let short = said(&server("pg-orders-stage"), "short-retention").unwrap();
    assert!(short.starts_with("logfiles.retention_days is 3 days, of 7 at most"), "{short}");
    assert_eq!(said(&server("pg-orders-prod"), "short-retention"), None);
    let file = folder.join("plan.json").display().to_string();
    let done = run(&["plan", "--enable-log-download", "--server", "pg-grafana", "-o", "json", "--out", &file]);
    let plan: Value = serde_json::from_str(&done.stdout).unwrap_or_else(|_| panic!("{}", done.stderr));
    let steps = plan["steps"].as_array().unwrap();
    assert_eq!((steps.len(), &steps[0]["control"]), (2, &Value::from("log-download")), "{plan:#}");
    let checked = common::run(&["plan", "check", &file, "--state", &state]);
    assert_eq!(checked.code, 0, "{}{}", checked.stdout, checked.stderr);
    let done = run(&["apply", &file, "--approve", plan["hash"].as_str().unwrap()]);
    assert_eq!(done.code, 0, "{}{}", done.stdout, done.stderr);
    let on = server("pg-grafana");
    assert_eq!((on["clients"].as_array().unwrap().len(), said(&on, "disabled")), (1, None), "{on:#}");
    let done = run(&["undo", "latest", "--yes", "--reason", "a test"]);
    assert_eq!(done.code, 0, "{}{}", done.stdout, done.stderr);
    assert!(said(&server("pg-grafana"), "disabled").is_some());
}

#[test]
fn log_analytics_goes_back_further_than_the_log_files() {
    let workspace = "11111111-2222-3333-4444-555555555555";
    let server = |arguments: &[&str]| -> Value {
        let done = run(&[&["clients", "--simulate", "--no-save", "-o", "json"], arguments].concat());
        let report: Value = serde_json::from_str(&done.stdout).unwrap_or_else(|_| panic!("{}", done.stderr));
        report["servers"][0].clone()
    };
    // Downloads of this server were turned on the day before yesterday.
    let stage = ["--server", "pg-orders-stage", "--window", "28d"];
    assert_eq!(server(&stage)["verdict"], "needs-observation");
    let with = server(&[&stage[..], &["--log-analytics", workspace]].concat());
    assert_eq!(with["verdict"], "safe", "{with:#}");
    assert!(with["observedSeconds"].as_i64().unwrap() > 27 * 86_400, "{with:#}");
    assert_eq!(with["sources"].as_array().unwrap().last().unwrap()["kind"], "log-analytics");
    // What both sources saw counts once.
    let client = |server: &Value, user: &str| {
        server["clients"].as_array().unwrap().iter().find(|client| client["user"] == user).unwrap().clone()
    };
    let of_files = server(&["--server", "pg-catalog-prod"]);
    let of_both = server(&["--server", "pg-catalog-prod", "--log-analytics", workspace]);
    let (one, both) = (client(&of_files, "report"), client(&of_both, "report"));
    assert_eq!(both["sources"].as_array().unwrap().len(), 2, "{both:#}");
    assert_eq!(one["sightings"], both["sightings"]);
    // A server that sends nothing there, and a workspace that is not there.
    let silent = server(&["--server", "pg-payroll-prod", "--log-analytics", workspace]);
    assert_eq!(silent["verdict"], "needs-observation");
    let last = silent["sources"].as_array().unwrap().last().unwrap().clone();
    assert_eq!(last["missing"][0]["reason"], "disabled", "{last:#}");
    let nowhere = server(&[&stage[..], &["--log-analytics", "99999999-2222-3333-4444-555555555555"]].concat());
    let last = nowhere["sources"].as_array().unwrap().last().unwrap().clone();
    assert_eq!(last["missing"][0]["reason"], "unreachable", "{last:#}");
    assert_eq!(nowhere["verdict"], "needs-observation");
    assert_eq!(run(&["clients", "--simulate", "--log-analytics", "x"]).code, 2);
    assert_eq!(run(&["clients", "--log-file", "-", "--log-analytics", workspace]).code, 2);
}

#[test]
fn what_is_seen_is_kept_and_seen_once() {
    let state = folder("kept");
    let at = state.display().to_string();
    let clients = |more: &[&str]| {
        let done =
            run(&[&["clients", "--simulate", "-o", "json", "--server", "pg-keycloak", "--state", &at], more].concat());
        let report: Value = serde_json::from_str(&done.stdout).unwrap_or_else(|_| panic!("{}", done.stderr));
        (report["servers"][0].clone(), done.code)
    };
    let (alone, code) = clients(&["--no-save"]);
    assert!(!state.join("simulated").exists(), "nothing is kept where that is said");
    // One subscription cannot be listed: no server is missed in silence.
    assert_eq!((code, alone["verdict"].as_str()), (4, Some("safe")), "{alone}");
    let (first, _) = clients(&[]);
    let (second, _) = clients(&[]);
    let sightings = |server: &Value| -> u64 {
        server["clients"].as_array().unwrap().iter().map(|one| one["sightings"].as_u64().unwrap()).sum()
    };
    // A full hour between two looks is a session more of each client.
    let few = first["clients"].as_array().unwrap().len() as u64;
    assert!(sightings(&alone) > 100 && sightings(&first) <= sightings(&alone) + few);
    assert!(sightings(&second) <= sightings(&first) + few, "the same logs once more are no more sessions");
    // A week of logs is not enough for two.
    let (fortnight, code) = clients(&["--window", "14d"]);
    assert_eq!((code, fortnight["verdict"].as_str()), (4, Some("needs-observation")), "{fortnight}");
    for entry in std::fs::read_dir(state.join("simulated")).unwrap() {
        let bytes = std::fs::read(entry.unwrap().path()).unwrap();
        for secret in [&b"simulated-signature"[..], b"sig=", b"eyJ"] {
            assert!(!bytes.windows(secret.len()).any(|window| window == secret));
        }
    }
}

#[test]
fn the_sessions_of_simulated_servers_are_read_with_a_token() {
    let state = folder("simulated-sessions").display().to_string();
    let mut command = hostssl();
    command.args(["clients", "--simulate", "--sessions", "--no-save", "-o", "json", "--state", &state]);
    // What is for real servers is not sent to those.
    command.args(["--server", "pg-catalog-prod", "--server", "pg-orders-prod", "--server", "pg-ledger-prod"]);
    command.envs([("PGPASSWORD", "hunter2"), ("PGUSER", "someone")]);
    let done = start(&mut command).finish();
    let report: Value = serde_json::from_str(&done.stdout).unwrap_or_else(|_| panic!("{}", done.stderr));
    let server = |name: &str| report["servers"].as_array().unwrap().iter().find(|one| one["name"] == name).unwrap();
    let sessions = |name: &str| {
        let of = |source: &&Value| source["kind"] == "sessions";
        server(name)["sources"].as_array().unwrap().iter().find(of).unwrap()
    };
    let catalog = sessions("pg-catalog-prod");
    assert!(catalog["from"].is_string(), "{catalog:#}");
    let shown = |user: &str| {
        let clients = server("pg-catalog-prod")["clients"].as_array().unwrap();
        let client = clients.iter().find(|client| client["user"] == user).unwrap();
        (client["tls"].as_str().unwrap(), client["sources"].as_array().unwrap().contains(&catalog["name"]))
    };
    // A job is not there at the moment; and no login of our own is a client.
    assert_eq!(
        ["catalog_web", "report", "export"].map(shown),
        [("tls", true), ("plaintext", true), ("plaintext", false)]
    );
    assert!(
        !done.stdout.contains("simulated-app\"") || report["run"]["principal"] == "simulated-app",
        "{}",
        done.stdout
    );
    assert!(!done.stdout.contains("eyJ") && !done.stderr.contains("eyJ"), "a token is no part of a report");
    // The pooler does not know the identity, and a private server is not reached from here.
    let pooler = server("pg-orders-prod")["sources"].as_array().unwrap().iter().find(|one| one["kind"] == "pgbouncer");
    assert!(pooler.unwrap()["missing"].to_string().contains("password authentication failed"), "{pooler:?}");
    assert!(sessions("pg-ledger-prod")["from"].is_null());
}

#[test]
fn after_enforcement_the_simulated_servers_refuse_exactly_those_that_the_census_named() {
    let folder = folder("enforced");
    let state = folder.display().to_string();
    let run = |arguments: &[&str]| run(&[arguments, &["--simulate", "--state", &state]].concat());
    let server = || -> Value {
        let done = run(&["clients", "pg-catalog-prod", "-o", "json"]);
        serde_json::from_str::<Value>(&done.stdout).unwrap_or_else(|_| panic!("{}", done.stderr))["servers"][0].clone()
    };
    let users = |of: &Value, is_one: &dyn Fn(&Value) -> bool| -> BTreeSet<String> {
        let all = of.as_array().cloned().unwrap_or_default();
        all.iter().filter(|one| is_one(one)).map(|one| one["user"].as_str().unwrap().to_owned()).collect()
    };
    let before = server();
    let named = users(&before["clients"], &|client| client["tls"] == "plaintext");
    assert_eq!(named, ["export", "report"].map(str::to_owned).into());
    assert!(users(&before["refused"], &|_| true).is_empty(), "{before:#}");
    let file = folder.join("plan.json").display().to_string();
    let options =
        ["--server", "pg-catalog-prod", "--control", "require-secure-transport", "-o", "json", "--out", &file];
    let done = run(&[&["plan", "--accept-breakage", "*=they were told"][..], &options].concat());
    let plan: Value = serde_json::from_str(&done.stdout).unwrap_or_else(|_| panic!("{}", done.stderr));
    assert_eq!(users(&plan["steps"][0]["clients"]["listed"], &|_| true), named);
    let done = run(&["apply", &file, "--approve", plan["hash"].as_str().unwrap()]);
    assert_eq!(done.code, 0, "{}{}", done.stdout, done.stderr);
    // Who is refused tries again, so they are in the log of the time after the run, at the latest some seconds later.
    let since = || -> Value {
        let report = server();
        assert!(users(&report["refused"], &|_| true).is_subset(&named), "{report:#}");
        let shown = run(&["runs", "show", "latest", "-o", "json"]);
        let shown: Value = serde_json::from_str(&shown.stdout).unwrap_or_else(|_| panic!("{}", shown.stderr));
        shown["refused"][0]["clients"].clone()
    };
    let start = std::time::Instant::now();
    while users(&since(), &|_| true) != named {
        assert!(start.elapsed() < std::time::Duration::from_mins(2), "they try again");
        std::thread::sleep(std::time::Duration::from_millis(200));
    }
    let after = server();
    assert_eq!(users(&after["refused"], &|_| true), named, "{after:#}");
    let with_tls = |report: &Value| users(&report["clients"], &|client| client["tls"] == "tls");
    assert_eq!(with_tls(&after), with_tls(&before), "the others connect as before");
}

#[test]
fn a_state_that_cannot_be_read_makes_no_server_safe() {
    let folder = folder("unread-state");
    let (log, state) = (folder.join("tls.log"), folder.join("state"));
    let now = jiff::Timestamp::now().as_second();
    let hours = (0..192).rev().map(|hour| {
        let at = now - hour * 3_600;
        let time = jiff::Timestamp::from_second(at).unwrap().strftime("%Y-%m-%d %H:%M:%S UTC");
        let tls = "SSL enabled (protocol=TLSv1.3, cipher=TLS_AES_256_GCM_SHA384, bits=256)";
        format!(
            "{time}-{at:08x}.1-LOG:  connection received: host=10.0.0.5 port=5\n\
             {time}-{at:08x}.1-LOG:  connection authorized: user=web database=shop {tls}\n"
        )
    });
    std::fs::write(&log, hours.collect::<String>()).unwrap();
    let arguments =
        ["clients", "shop-db", "--log-file", log.to_str().unwrap(), "--state", state.to_str().unwrap(), "-o", "json"];
    let done = run(&arguments);
    assert_eq!(done.code, 0, "{}{}", done.stdout, done.stderr);
    std::fs::write(state.join("hostssl.db"), "no database").unwrap();
    for side in ["hostssl.db-wal", "hostssl.db-shm"] {
        let _ = std::fs::remove_file(state.join(side));
    }
    let done = run(&arguments);
    assert_eq!(done.code, 4, "{}{}", done.stdout, done.stderr);
    assert!(done.stderr.contains("were not read"), "{}", done.stderr);
    assert!(done.stdout.contains("earlier clients are unknown"), "{}", done.stdout);
}

#[test]
fn logs_are_kept_under_the_name_that_their_server_is_given() {
    let folder = folder("named");
    let state = folder.join("state").display().to_string();
    let later = LOG.replace("2026-09-16", "2026-09-17").replace("user=app", "user=batch").replace("6aaae7b", "6aab07b");
    let (first, second) = (folder.join("first.log"), folder.join("second.log"));
    std::fs::write(&first, LOG).unwrap();
    std::fs::write(&second, later).unwrap();
    let run = |arguments: &[&str], log: &std::path::Path| -> Value {
        let log = log.to_str().unwrap();
        let done = run(&[&["clients", "-o", "json", "--log-file", log, "--state", &state], arguments].concat());
        assert_eq!(done.code, 3, "{}", done.stderr);
        serde_json::from_str::<Value>(&done.stdout).unwrap()["servers"][0].clone()
    };
    let users = |server: &Value| -> Vec<String> {
        let clients = server["clients"].as_array().unwrap().iter();
        let mut users: Vec<String> = clients.map(|one| one["user"].as_str().unwrap().to_owned()).collect();
        users.sort();
        users
    };
    let sightings = |server: &Value| -> u64 {
        server["clients"].as_array().unwrap().iter().map(|one| one["sightings"].as_u64().unwrap()).sum()
    };
    let alone = run(&["shop-db"], &first);
    assert_eq!((alone["name"].as_str(), alone["id"].as_str()), (Some("shop-db"), None), "{alone:#}");
    assert_eq!((users(&alone), sightings(&alone)), (vec!["app".to_owned(), "web".to_owned()], 2));
    // The next log adds to it, and the same log once more does not; names are the same in any letter case.
    let both = run(&["Shop-DB"], &second);
    assert_eq!((users(&both), sightings(&both)), (["app", "batch", "web"].map(str::to_owned).to_vec(), 4));
    assert_eq!(sightings(&run(&["shop-db"], &second)), 4);
    // What is not kept, has no name, or has another one stays apart.
    assert_eq!(sightings(&run(&["shop-db", "--no-save"], &first)), 2);
    assert_eq!(sightings(&run(&[], &first)), 2);
    assert_eq!(sightings(&run(&["pg-keycloak"], &first)), 2);
    // A log on disk says nothing of a server in Azure, even if someone gives it its name.
    let done = common::run(&["clients", "pg-keycloak", "--simulate", "--state", &state, "-o", "json"]);
    let azure: Value = serde_json::from_str(&done.stdout).unwrap();
    assert_eq!(users(&azure["servers"][0]), ["backup", "keycloak"]);
    // It is forgotten by whoever says so, once.
    let forget = |more: &[&str]| common::run(&[&["clients", "forget", "--state", &state], more].concat());
    let unasked = forget(&["SHOP-db"]);
    assert_eq!((unasked.code, unasked.stderr.contains("add --yes")), (2, true), "{}", unasked.stderr);
    let gone = forget(&["SHOP-db", "--yes"]);
    assert_eq!(gone.code, 0, "{}", gone.stderr);
    assert!(gone.stderr.contains("removed 3 clients kept under the name shop-db, last observed "), "{}", gone.stderr);
    let again = forget(&["shop-db", "--yes"]);
    assert_eq!((again.code, again.stderr.contains("nothing is kept")), (2, true), "{}", again.stderr);
    assert_eq!(sightings(&run(&["shop-db"], &first)), 2);
    for more in [&["a", "b"][..], &["a/b"], &[""]] {
        let log = first.to_str().unwrap();
        assert_eq!(common::run(&[&["clients", "--log-file", log], more].concat()).code, 2, "{more:?}");
    }
}

#[test]
fn servers_are_named_with_and_without_the_option() {
    let names = |arguments: &[&str]| -> (i32, Vec<String>) {
        let done = run(&[&["clients", "--simulate", "--no-save", "-o", "json"], arguments].concat());
        let report: Value = serde_json::from_str(&done.stdout).unwrap_or_default();
        let servers = report["servers"].as_array().cloned().unwrap_or_default();
        (done.code, servers.iter().map(|server| server["name"].as_str().unwrap().to_owned()).collect())
    };
    let with_option = names(&["--server", "pg-keycloak", "--server", "pg-orders-*"]);
    assert_eq!(with_option.1.len(), 4, "{with_option:?}");
    assert_eq!(names(&["pg-keycloak", "pg-orders-*"]), with_option);
    assert_eq!(names(&["pg-orders-*", "--server", "pg-keycloak"]), with_option);
    assert_eq!(names(&["pg-kaycloak"]).0, 2);
}
