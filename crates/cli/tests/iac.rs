//! `hostssl iac` as pipelines meet it.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test may stop at the first surprise")]
#![allow(unreachable_pub, missing_docs, dead_code, reason = "a module of this test, shared with others")]

mod common;

use common::{hostssl, run, start};
use serde_json::{Value, json};
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::Stdio;

fn fixture(name: &str) -> String {
    format!("{}/../iac/tests/fixtures/{name}", env!("CARGO_MANIFEST_DIR"))
}

fn file(folder: &Path, name: &str, text: &str) -> PathBuf {
    let path = folder.join(name);
    std::fs::write(&path, text).unwrap();
    path
}

#[test]
fn exit_codes_are_those_of_the_help() {
    let folder = tempfile::tempdir().unwrap();
    let code = |text: &str| {
        let path = file(folder.path(), "f.json", text);
        run(&["iac", "check", path.to_str().unwrap()]).code
    };
    assert_eq!(run(&["iac", "check", &fixture("plan-change.json")]).code, 3);
    assert_eq!(run(&["iac", "check", &fixture("template.json")]).code, 3);
    assert_eq!(run(&["iac", "check", &fixture("plan-destroy.json")]).code, 0);
    assert_eq!(code(r#"{"format_version": "1.2", "resource_changes": []}"#), 0);
    assert_eq!(code(r#"{"format_version": "1.2", "complete": false, "resource_changes": []}"#), 4);
    for wrong in ["", "x", "{}", r#"{"format_version": "2.0"}"#, r#"{"format_version": "1.2", "resource_changes": 1}"#]
    {
        assert_eq!(code(wrong), 2, "{wrong}");
    }
    assert_eq!(run(&["iac", "check", "no-such-file.json"]).code, 2);
    let done = run(&["iac", "check", &fixture("plan-change.json"), "--profile", "baseline@2"]);
    assert!(done.code == 2 && done.stderr.contains("needs a probe"), "{}", done.stderr);
    let done = run(&["iac", "check", &fixture("plan-change.json"), "--simulate"]);
    assert!(done.code == 2 && done.stderr.contains("--live"), "{}", done.stderr);
}

#[test]
fn a_file_without_servers_says_so() {
    let folder = tempfile::tempdir().unwrap();
    let path = file(folder.path(), "f.json", r#"{"format_version": "1.2", "resource_changes": []}"#);
    let path = path.to_str().unwrap();
    let said = "no flexible or single server of Azure Database for PostgreSQL in this Terraform plan";
    assert!(run(&["iac", "check", path]).stdout.contains(said));
    assert!(
        run(&["iac", "check", path, "-o", "json"]).stderr.contains(said),
        "no pipeline takes it for a pass in silence"
    );
}

#[test]
fn every_output_at_once_and_without_secrets() {
    let folder = tempfile::tempdir().unwrap();
    let to = |name: &str| format!("{name}={}", folder.path().join(name).display());
    let done = run(&[
        "iac",
        "check",
        &fixture("plan-change.json"),
        "-o",
        &to("sarif"),
        "-o",
        &to("json"),
        "-o",
        &to("table"),
        "-o",
        "yaml",
    ]);
    assert_eq!(done.code, 3, "{}", done.stderr);
    let mut all = vec![done.stdout, done.stderr];
    for name in ["sarif", "json", "table"] {
        all.push(std::fs::read_to_string(folder.path().join(name)).unwrap());
    }
    for text in &all {
        assert!(!text.is_empty() && !text.contains("S3cret"), "{text}");
    }
    for format in ["table", "wide", "json", "jsonc", "yaml", "yamlc", "tsv", "sarif", "junit", "markdown", "none"] {
        let done = run(&["iac", "check", &fixture("template.json"), "-o", format]);
        assert_eq!(done.code, 3, "{format}: {}", done.stderr);
        assert!(!done.stdout.contains("S3cret") && !done.stderr.contains("S3cret"));
    }
    let names =
        run(&["iac", "check", &fixture("state.json"), "-o", "json", "--query", "servers[?outcome=='fail'].name"]);
    assert_eq!(serde_json::from_str::<Value>(&names.stdout).unwrap(), json!(["pg-deleted", "pg-forgotten"]));
}

#[test]
fn a_baseline_and_waivers_decide_what_counts() {
    let folder = tempfile::tempdir().unwrap();
    let plan = fixture("template.json");
    let check = |more: &[&str]| run(&[&["iac", "check", &plan][..], more].concat());
    let old = folder.path().join("old.json");
    assert_eq!(check(&["-o", &format!("json={}", old.display())]).code, 3);
    let done = check(&["--baseline", old.to_str().unwrap(), "-o", "csv"]);
    // Nothing is new, and what was not known is not known now either.
    assert_eq!(done.code, 4, "{}", done.stderr);
    assert!(done.stdout.starts_with("file,server,"), "{}", done.stdout);
    assert!(done.stderr.contains("known failures: "), "{}", done.stderr);
    let done = check(&["--baseline", &plan]);
    assert!(done.code == 2 && done.stderr.contains("and not `hostssl/iac/v1`"), "{}", done.stderr);
    for wrong in [&["--fail-on", "new"][..], &["--baseline", old.to_str().unwrap(), "--fail-on", "high"]] {
        assert_eq!(check(wrong).code, 2, "{wrong:?}");
    }
    let waivers = file(folder.path(), "w.toml", "[[waiver]]\ncontrol = 'no-such-control'\n");
    let done = check(&["--waivers", waivers.to_str().unwrap()]);
    assert!(done.code == 2 && done.stderr.contains("w.toml"), "{}", done.stderr);
}

#[test]
fn rows_that_are_asked_for() {
    let plan = fixture("plan-change.json");
    let done = run(&["iac", "check", &plan, "--only", "unknown", "--columns", "server,outcome"]);
    assert_eq!(done.code, 3, "{}", done.stderr);
    assert!(done.stdout.contains("pg-late") && !done.stdout.contains("pg-legacy"), "{}", done.stdout);
    let done = run(&["iac", "check", &plan, "-o", "json", "--sort", "server"]);
    assert!(done.code == 2 && done.stderr.contains("--sort applies only to table output"), "{}", done.stderr);
    let partial = r#"{"format_version": "1.2", "complete": false, "resource_changes": []}"#;
    let folder = tempfile::tempdir().unwrap();
    let path = file(folder.path(), "partial.json", partial);
    let done = run(&["iac", "check", path.to_str().unwrap(), "-o", "csv", "--quiet"]);
    assert!(done.code == 4 && done.stderr.contains("not checked: "), "a list must not look complete: {}", done.stderr);
}

#[test]
fn a_plan_from_standard_input() {
    let mut command = hostssl();
    command
        .args(["iac", "check", "-", "-q", "-o", "json"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    child.stdin.take().unwrap().write_all(&std::fs::read(fixture("plan-create.json")).unwrap()).unwrap();
    let done = child.wait_with_output().unwrap();
    let report: Value = serde_json::from_slice(&done.stdout).unwrap();
    assert_eq!((&report["file"]["name"], done.status.code()), (&json!("-"), Some(3)));
    assert_eq!(report["exit"]["code"], 3);
}

/// A plan that has every server of an audit, keeps them, and believes this of their switches.
fn plan_that_believes(audit: &Value, value: &str) -> String {
    let servers = audit["servers"].as_array().unwrap().iter().filter(|server| server["kind"] == "flexible");
    let changes: Vec<Value> = servers
        .map(|server| {
            let values = json!({"name": "require_secure_transport", "server_id": server["id"], "value": value});
            json!({"address": format!("azurerm_postgresql_flexible_server_configuration.{}", server["name"].as_str().unwrap()),
                   "mode": "managed", "type": "azurerm_postgresql_flexible_server_configuration", "name": "x",
                   "change": {"actions": ["no-op"], "before": values, "after": values, "after_unknown": {}}})
        })
        .collect();
    assert!(changes.len() > 3);
    json!({"format_version": "1.2", "resource_changes": changes}).to_string()
}

#[test]
fn a_plan_is_compared_with_servers_of_now_and_of_a_kept_audit() {
    let folder = tempfile::tempdir().unwrap();
    let (state, audit) = (folder.path().join("state"), folder.path().join("audit.json"));
    let (state, audit) = (state.to_str().unwrap(), audit.to_str().unwrap());
    let kept = run(&["audit", "--simulate", "--state", state, "-o", &format!("json={audit}")]);
    assert_eq!(kept.code, 3, "{}", kept.stderr);
    let found: Value = serde_json::from_str(&std::fs::read_to_string(audit).unwrap()).unwrap();
    let plan = file(folder.path(), "plan.json", &plan_that_believes(&found, "on"));
    let plan = plan.to_str().unwrap();
    assert_eq!(run(&["iac", "check", plan]).code, 0, "the plan alone believes that all is well");
    let of_now = ["--live", "--simulate", "--state", state];
    let of_kept = ["--live=latest", "--simulate", "--state", state];
    let of_file = [&format!("--live={audit}"), "--state", state, "-q"];
    let reports = [of_now, of_kept, of_file].map(|live| {
        let done = run(&[&["iac", "check", plan, "-o", "json"], &live[..]].concat());
        assert_eq!(done.code, 3, "{}", done.stderr);
        serde_json::from_str::<Value>(&done.stdout).unwrap()
    });
    for report in &reports {
        assert!(report["live"]["run"].is_string(), "{report}");
        for server in report["servers"].as_array().unwrap() {
            let of_audit = found["servers"].as_array().unwrap().iter().find(|one| one["id"] == server["id"]).unwrap();
            let expected = match of_audit["sslEnforcement"].as_str().unwrap() {
                "Enabled" => "pass",
                "Disabled" => "fail",
                _ => "unknown",
            };
            assert_eq!(server["findings"][0]["outcome"], expected, "{server}");
        }
    }
    assert_eq!(reports[0]["servers"], reports[1]["servers"]);
    assert_eq!(reports[1]["servers"], reports[2]["servers"]);
    let none = run(&["iac", "check", plan, "--live=latest", "--state", &format!("{state}-of-another")]);
    assert!(none.code == 2 && none.stderr.contains("no audit is kept"), "{}", none.stderr);
}

#[test]
fn a_snippet_of_an_id_and_of_a_name() {
    let id = "/subscriptions/s/resourceGroups/g/providers/Microsoft.DBforPostgreSQL/flexibleServers/pg-a";
    let both = run(&["iac", "snippet", id]).stdout;
    let one = |language| run(&["iac", "snippet", id, "-o", language]).stdout;
    assert_eq!(both, format!("{}\n{}", one("terraform"), one("bicep")));
    assert!(both.contains("value     = \"on\"") && both.contains("value: 'on'") && !both.contains("TLSv1.3"), "{both}");
    assert!(run(&["iac", "snippet", id, "--profile", "strict"]).stdout.contains("TLSv1.3"));
    let folder = tempfile::tempdir().unwrap();
    let state = folder.path().to_str().unwrap();
    let none = run(&["iac", "snippet", "pg-keycloak", "--simulate", "--state", state]);
    assert!(none.code == 2 && none.stderr.contains("no audit is kept"), "{}", none.stderr);
    run(&["audit", "--simulate", "--state", state, "-o", "none"]);
    let named = run(&["iac", "snippet", "pg-keycloak", "--simulate", "--state", state]);
    assert!(
        named.code == 0 && named.stdout.contains("flexibleServers/pg-keycloak\""),
        "{}{}",
        named.stdout,
        named.stderr
    );
    for wrong in ["nosuch", "/subscriptions/s", &format!("{id}/configurations/x")] {
        let done = run(&["iac", "snippet", wrong, "--simulate", "--state", state]);
        assert!(done.code == 2 && done.stderr.contains("\nhint: "), "{wrong}: {}", done.stderr);
    }
}

#[test]
fn a_snippet_weakens_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let state = folder.path().to_str().unwrap();
    let kept = run(&["audit", "--simulate", "--state", state, "-o", "json"]);
    let kept: Value = serde_json::from_str(&kept.stdout).unwrap();
    let mut higher = 0;
    for server in kept["servers"].as_array().unwrap().iter().filter(|server| server["minimalTlsVersion"] == "TLS1_3") {
        let name = server["name"].as_str().unwrap();
        let done = run(&["iac", "snippet", name, "--simulate", "--state", state]);
        assert!(
            done.code == 0 && done.stdout.contains("TLSv1.3") && !done.stdout.contains("TLSv1.2"),
            "{}",
            done.stdout
        );
        assert!(!done.stderr.contains("not known here"), "{}", done.stderr);
        higher += 1;
    }
    assert!(higher > 0, "the simulated estate has such a server");
    let id = "/subscriptions/s/resourceGroups/g/providers/Microsoft.DBforPostgreSQL/flexibleServers/pg-a";
    let said = "note: which minimum version pg-a has is not known here";
    assert!(run(&["iac", "snippet", id]).stderr.contains(said));
    assert!(!run(&["iac", "snippet", id, "--profile", "strict"]).stderr.contains(said), "nothing is above it");
    assert_eq!(run(&["iac", "snippet", id, "-q"]).stderr, "");
}

#[test]
fn an_output_replaces_no_input() {
    let folder = tempfile::tempdir().unwrap();
    let plan = file(folder.path(), "plan.json", &std::fs::read_to_string(fixture("plan-change.json")).unwrap());
    let (plan, earlier) = (plan.to_str().unwrap(), folder.path().join("earlier.json"));
    let earlier = earlier.to_str().unwrap();
    assert_eq!(run(&["iac", "check", plan, "-o", &format!("json={earlier}"), "-q"]).code, 3);
    let waivers = file(folder.path(), "waivers.toml", "");
    let audit = folder.path().join("audit.json");
    let audit = audit.to_str().unwrap();
    let state = folder.path().join("state");
    let state = ["--simulate", "--state", state.to_str().unwrap()];
    run(&[&["audit", "-o", &format!("json={audit}")], &state[..]].concat());
    let waivers = waivers.to_str().unwrap();
    std::os::unix::fs::symlink(plan, folder.path().join("link.json")).unwrap();
    let link = folder.path().join("link.json");
    let link = link.to_str().unwrap();
    for (arguments, output) in [
        (vec!["iac", "check", plan], plan),
        (vec!["iac", "check", plan], link),
        (vec!["iac", "check", plan, "--baseline", earlier], earlier),
        (vec!["iac", "check", plan, "--waivers", waivers], waivers),
        (vec!["iac", "check", plan, &format!("--live={audit}")], audit),
        ([&["audit", "--baseline", audit], &state[..]].concat(), audit),
        ([&["audit", "--waivers", waivers], &state[..]].concat(), waivers),
    ] {
        let before = std::fs::read(output).unwrap();
        let done = run(&[&arguments[..], &["-o", &format!("json={output}")]].concat());
        assert!(
            done.code == 2 && done.stderr.contains("is read, so it cannot be written"),
            "{arguments:?}: {}",
            done.stderr
        );
        assert_eq!(std::fs::read(output).unwrap(), before, "{arguments:?}");
    }
    let before = std::fs::read(plan).unwrap();
    let mut redirected = hostssl();
    redirected.args(["iac", "check", "-", "-o", &format!("json={plan}")]).stdin(std::fs::File::open(plan).unwrap());
    let done = start(&mut redirected).finish();
    assert!(done.code == 2 && done.stderr.contains("is read, so it cannot be written"), "{}", done.stderr);
    assert_eq!(std::fs::read(plan).unwrap(), before);
}

#[test]
fn a_scope_without_an_audit_of_now_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let plan = fixture("plan-change.json");
    let audit = format!("--live={}", folder.path().join("audit.json").display());
    for option in ["--subscription", "--tenant", "--resource-group", "--management-group", "-g"] {
        for live in [None, Some(audit.as_str()), Some("--live=latest")] {
            let arguments: Vec<&str> = ["iac", "check", &plan, option, "x"].into_iter().chain(live).collect();
            let done = run(&arguments);
            assert!(done.code == 2 && done.stderr.contains("does nothing with"), "{arguments:?}: {}", done.stderr);
        }
    }
    // A configuration file is for many commands.
    let config = file(folder.path(), "hostssl.toml", "subscription = \"x\"\n");
    let done = run(&["iac", "check", &plan, "--config", config.to_str().unwrap()]);
    assert_eq!(done.code, 3, "{}", done.stderr);
}

#[test]
fn no_audit_is_kept_is_said_with_what_helps() {
    let folder = tempfile::tempdir().unwrap();
    let state = folder.path().join("none");
    let none =
        run(&["iac", "check", &fixture("plan-change.json"), "--live=latest", "--state", state.to_str().unwrap()]);
    assert!(none.code == 2 && !none.stderr.contains("that could be the audit"), "{}", none.stderr);
    let none = run(&["diff", "--simulate"]);
    assert!(none.code == 2 && none.stderr.contains("--state DIR"), "{}", none.stderr);
}

#[test]
fn a_gate_chooses_what_fails_and_a_page_of_a_pipeline_shows_it() {
    let change = fixture("plan-change.json");
    let code = |options: &[&str]| run(&[&["iac", "check", &change, "-o", "none"], options].concat()).code;
    assert_eq!(code(&["--fail-on", "fail"]), 3);
    assert_eq!(code(&["--fail-on", "never"]), 4, "not every value of this plan is known");
    assert_eq!(code(&["--fail-on", "never,fail"]), 2);
    assert_eq!(code(&["--fail-on", "new"]), 2, "there is no earlier check");
    let written = run(&["iac", "check", &change, "-o", "junit", "--fail-on", "high,unknown"]);
    assert!(written.code == 3 && written.stdout.starts_with("<?xml"), "{}", written.stdout);
    let written = run(&["iac", "check", &change, "-o", "markdown"]);
    assert!(written.stdout.contains("| pg-forgotten |"), "{}", written.stdout);
    let json = run(&["iac", "check", &change, "-o", "json", "--query", "exit", "--fail-on", "never"]).stdout;
    let exit: Value = serde_json::from_str(&json).unwrap();
    assert_eq!(exit, json!({"code": 4, "reason": "incomplete", "failOn": ["never"]}));
}
