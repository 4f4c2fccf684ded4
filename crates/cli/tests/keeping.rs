//! Audits are kept, by whoever looks: the command line and the console share a state directory.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test may stop at the first surprise")]
#![allow(unreachable_pub, missing_docs, dead_code, reason = "a module of this test, shared with others")]

mod common;

use common::visitor::{get, post, sign_in};
use common::{hostssl, run, start};
use hostssl_store::{AuditStore, Page, ServerFilter};
use std::path::PathBuf;

const ALL: Page = Page { number: 0, size: 100 };

/// A directory that goes with the test.
struct State(PathBuf);

impl State {
    fn new(name: &str) -> Self {
        let path = std::env::temp_dir().join(format!("hostssl-keeping-{}-{name}", std::process::id()));
        std::fs::create_dir(&path).unwrap();
        Self(path)
    }

    fn path(&self) -> &str {
        self.0.to_str().unwrap()
    }

    /// What was simulated is kept apart.
    fn store(&self) -> AuditStore {
        AuditStore::open(self.0.join("simulated")).unwrap()
    }
}

impl Drop for State {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

#[test]
fn an_audit_is_kept_as_it_was_reported() {
    let state = State::new("kept");
    let done = run(&["audit", "--simulate", "--state", state.path(), "-o", "json", "-q"]);
    assert_eq!((done.code, done.stderr.as_str()), (3, ""));
    let store = state.store();
    let audit = store.latest().unwrap().unwrap();
    assert!(done.stdout.contains(&audit.id));
    let mut again = Vec::new();
    hostssl_formats::audit_json::write(&mut again, &store.report(&audit, &ServerFilter::default()).unwrap()).unwrap();
    assert_eq!(String::from_utf8(again).unwrap(), done.stdout);
}

#[test]
fn a_run_is_found_by_its_kind_however_many_others_are_newer() {
    let state = State::new("found");
    let kept = |arguments: &[&str]| run(&[arguments, &["--state", state.path()]].concat());
    let plan = state.0.join("plan.json");
    let plan = plan.to_str().unwrap();
    kept(&["plan", "--simulate", "--server", "pg-catalog-prod", "--accept-breakage", "*=test", "--out", plan]);
    let text: serde_json::Value = serde_json::from_str(&std::fs::read_to_string(plan).unwrap()).unwrap();
    let applied = kept(&["apply", plan, "--simulate", "--approve", text["hash"].as_str().unwrap()]);
    assert_eq!(applied.code, 0, "{}", applied.stderr);
    for _ in 0..2 {
        kept(&["audit", "--simulate", "-o", "none", "-q"]);
    }
    let listed = kept(&["runs", "--simulate", "--only", "apply", "--limit", "1"]);
    assert_eq!(listed.stdout.lines().count(), 2, "{}", listed.stdout);
    assert!(listed.stdout.contains("apply") && !listed.stderr.contains("older"), "{} {}", listed.stdout, listed.stderr);
    // Without the scenario it is not found among real runs, and the hint says where it is.
    let undone = kept(&["undo", "latest", "--yes"]);
    assert!(undone.code == 2 && undone.stderr.contains("hint: add --simulate demo"), "{}", undone.stderr);
    let undone = kept(&["undo", "latest", "--yes", "--reason", "a test", "--simulate"]);
    assert_eq!(undone.code, 0, "{}", undone.stderr);
    let refuses = format!("{}{}", undone.stdout, undone.stderr).contains("clients may be refused");
    assert!(!refuses, "what was restored refuses no one");
}

#[test]
fn two_audits_are_compared_and_a_change_between_them_is_said() {
    let state = State::new("compared");
    let kept = |arguments: &[&str]| run(&[arguments, &["--state", state.path(), "-q"]].concat());
    let nothing = kept(&["diff", "--simulate"]);
    assert_eq!(nothing.code, 2, "{}", nothing.stderr);
    kept(&["audit", "--simulate"]);
    let alone = kept(&["diff", "--simulate"]);
    assert_eq!(alone.code, 2, "{}", alone.stderr);
    assert!(alone.stderr.contains("no audit of the same scope before"), "{}", alone.stderr);
    kept(&["audit", "--simulate"]);
    let same = kept(&["diff", "--simulate"]);
    assert_eq!(same.code, 0, "{}{}", same.stdout, same.stderr);
    assert!(same.stdout.contains("no change; "), "{}", same.stdout);
    let itself = kept(&["diff", "latest", "--simulate"]);
    assert_eq!(itself.code, 2, "{}{}", itself.stdout, itself.stderr);

    let plan = state.0.join("plan.json").display().to_string();
    let planned = kept(&[
        "plan",
        "--simulate",
        "--server",
        "pg-catalog-prod",
        "-o",
        "json",
        "--out",
        &plan,
        "--accept-breakage",
        "*=a test",
    ]);
    let hash = planned.stdout.split("\"hash\": \"").nth(1).unwrap().split('"').next().unwrap();
    assert_eq!(kept(&["apply", &plan, "--approve", hash, "--simulate"]).code, 0);
    kept(&["audit", "--simulate"]);
    let fixed = kept(&["diff", "--simulate"]);
    assert_eq!(fixed.code, 0, "{}{}", fixed.stdout, fixed.stderr);
    assert!(fixed.stdout.contains("fixed") && fixed.stdout.contains("pg-catalog-prod"), "{}", fixed.stdout);

    let trend = kept(&["trend", "--simulate", "-o", "json", "--query", "audits[].standings.notEnforced"]).stdout;
    let open: Vec<u64> = serde_json::from_str(&trend).unwrap();
    assert!(open.len() == 3 && open[0] == open[1] && open[2] + 1 == open[1], "{open:?}");
    let chart = kept(&["trend", "--simulate", "--last", "2"]);
    assert!(chart.stdout.contains(&format!("not enforced: {} then, {} of", open[1], open[2])), "{}", chart.stdout);
    assert_eq!(kept(&["trend", "--simulate", "-o", "csv"]).stdout.lines().count(), 4);

    let runs = kept(&["runs", "--simulate", "-o", "json", "--query", "[?kind=='audit'].run"]).stdout;
    let runs: Vec<String> = serde_json::from_str(&runs).unwrap();
    let back = kept(&["diff", &runs[0], &runs[2], "-o", "json"]);
    assert_eq!(back.code, 3, "{}", back.stderr);
    let back: serde_json::Value = serde_json::from_str(&back.stdout).unwrap();
    assert_eq!((&back["summary"]["new"], &back["changes"][0]["name"]), (&1.into(), &"pg-catalog-prod".into()));
}

#[test]
fn what_was_not_compared_is_no_all_clear() {
    let state = State::new("narrowed");
    let kept = |arguments: &[&str]| run(&[arguments, &["--simulate", "--state", state.path(), "-q"]].concat());
    let narrowed = kept(&["audit", "--server", "pg-keycloak", "--control", "pending-restart"]);
    assert!(narrowed.stdout.contains("0 fail"), "{}", narrowed.stdout);
    assert_eq!(kept(&["audit", "--server", "pg-keycloak"]).code, 3);
    let done = kept(&["diff"]);
    assert_eq!(done.code, 4, "{}{}", done.stdout, done.stderr);
    assert_eq!(kept(&["diff", "latest", "latest"]).code, 2);
    // What failed and was not asked about again has not been fixed, as far as anyone knows.
    kept(&["audit", "--server", "pg-keycloak", "--control", "pending-restart"]);
    assert_eq!(kept(&["diff"]).code, 4);
    let none = run(&["audit", "--simulate", "enforced", "--except", "*", "--state", state.path(), "-q"]);
    assert_eq!(none.code, 2, "{}{}", none.stdout, none.stderr);
}

#[test]
fn an_audit_of_one_control_does_not_count_as_one_of_everything() {
    let state = State::new("one-control");
    let kept = |arguments: &[&str]| run(&[arguments, &["--simulate", "--state", state.path()]].concat());
    for _ in 0..2 {
        kept(&["audit", "-q"]);
    }
    let json = kept(&["audit", "--control", "minimum-tls-version", "-o", "json"]);
    assert!(
        json.stderr.contains(" fail minimum-tls-version, ") && !json.stderr.contains("not enforced"),
        "{}",
        json.stderr
    );
    let report: serde_json::Value = serde_json::from_str(&json.stdout).unwrap();
    assert_eq!(report["run"]["controls"], serde_json::json!(["minimum-tls-version"]));
    let compared = kept(&["diff"]);
    assert_eq!(compared.code, 0, "{}", compared.stdout);
    assert!(compared.stderr.contains("which is newer: it checked only minimum-tls-version"), "{}", compared.stderr);
    let trend = kept(&["trend", "-o", "csv"]);
    assert_eq!(trend.stdout.lines().count(), 3);
    let warned = trend.stderr.contains("in the newer audit ")
        && trend.stderr.contains("which checked only minimum-tls-version and is not shown");
    assert!(warned, "{}", trend.stderr);
    let listed = kept(&["runs", "-o", "wide"]).stdout;
    assert_eq!(listed.matches("baseline@1, only minimum-tls-version").count(), 1, "{listed}");
    // A file of it says what it is as well as the state does.
    let file = state.0.join("audit.json");
    std::fs::write(&file, json.stdout).unwrap();
    let kept = hostssl_formats::audit_json::read(std::fs::File::open(&file).unwrap()).unwrap();
    assert_eq!(kept.run.asked.only_words(), "minimum-tls-version");
}

#[test]
fn what_is_printed_leads_to_the_scenario_of_the_run() {
    let state = State::new("scenario");
    let plan = state.0.join("plan.json").display().to_string();
    let kept = |arguments: &[&str]| run(&[arguments, &["--state", state.path()]].concat());
    let planned = ["plan", "--simulate", "readonly", "-o", "json", "--out", &plan, "--accept-breakage", "*=a test"];
    let planned = kept(&planned).stdout;
    let hash = planned.split("\"hash\": \"").nth(1).unwrap().split('"').next().unwrap();
    // To confirm is not to approve, and a plan of a simulation needs one.
    let confirmed = kept(&["apply", &plan, "--simulate", "readonly", "--yes"]);
    assert!(confirmed.code == 2 && confirmed.stderr.contains(&format!("--approve {hash}")), "{}", confirmed.stderr);
    let real = kept(&["apply", &plan, "--approve", hash]);
    assert!(real.code == 2 && real.stderr.contains("add --simulate readonly"), "{}", real.stderr);
    // A run of that scenario that has not ended, as after a crash.
    let store = hostssl_store::Store::open(state.0.join("simulated")).unwrap();
    let parsed = hostssl_remediation::Plan::parse(&std::fs::read_to_string(&plan).unwrap()).unwrap();
    let id = hostssl_remediation::RunId::new("broken-off").unwrap();
    let first = hostssl_remediation::JournalRecord {
        at_ms: 1,
        event: hostssl_remediation::JournalEvent::RunStarted { reason: None, pace: None },
    };
    let new = hostssl_remediation::NewRun {
        id: &id,
        plan: &parsed,
        principal: parsed.principal(),
        first: &first,
        approvals: None,
    };
    futures::executor::block_on(hostssl_remediation::Journal::begin(&store, &new)).unwrap();
    drop(store);
    let listed = kept(&["runs", "--simulate"]);
    assert!(listed.stderr.contains("resume broken-off --simulate readonly"), "{}", listed.stderr);
}

#[test]
fn a_pipeline_fails_for_what_is_new_alone() {
    let state = State::new("gated");
    let audit = |arguments: &[&str]| {
        run(&[&["audit", "--simulate", "--state", state.path(), "-q", "-o", "none"], arguments].concat())
    };
    let early = audit(&["--baseline", "latest"]);
    assert_eq!(early.code, 2, "{}", early.stderr);
    assert!(early.stderr.contains("no audit is kept"), "{}", early.stderr);
    for wrong in [
        &["--fail-on", "new"][..],
        &["--fail-on", "never,high"],
        &["--fail-on", "high", "--baseline", "latest"],
        &["--baseline", "no/such.json"],
    ] {
        assert_eq!(audit(wrong).code, 2, "{wrong:?}");
    }
    let file = state.0.join("audit.json").display().to_string();
    assert_eq!(audit(&["-o", &format!("json={file}")]).code, 3);
    // The demonstration has servers that cannot be read, so it never ends with 0.
    for known in ["latest", file.as_str()] {
        let same = audit(&["--fail-on", "new", "--baseline", known]);
        assert_eq!((same.code, same.stderr.contains("baseline has another")), (4, false), "{}", same.stderr);
    }
    assert_eq!(audit(&["--fail-on", "unknown"]).code, 3);
    // What is new is known to a retry: said, with what compares as before.
    let narrow = audit(&["--profile", "strict", "--control", "require-secure-transport"]);
    assert_eq!(narrow.code, 3, "{}", narrow.stderr);
    let new = audit(&["--profile", "strict", "--baseline", "latest"]);
    assert_eq!(new.code, 3, "{}", new.stderr);
    assert!(new.stderr.contains("is the latest from now on") && new.stderr.contains("--baseline "), "{}", new.stderr);
    assert!(!audit(&["--profile", "strict", "--baseline", "latest", "--no-save"]).stderr.contains("from now on"));
    let one = ["--subscription", "Contoso Production", "--server", "pg-catalog-prod"];
    assert_eq!(audit(&[&one[..], &["--fail-on", "never"]].concat()).code, 0);
    // All that fails there is known, but by an audit of something else.
    let other = audit(&[&one[..], &["--baseline", file.as_str()]].concat());
    assert_eq!(other.code, 4, "{}", other.stderr);
    assert!(other.stderr.contains("the baseline has another scope"), "{}", other.stderr);
    audit(&[&one[..], &["-o", &format!("json={file}")]].concat());
    let json = format!("json={}", state.0.join("gated.json").display());
    assert_eq!(audit(&[&one[..], &["--baseline", file.as_str(), "-o", &json]].concat()).code, 0);
    let gated: serde_json::Value = serde_json::from_str(&std::fs::read_to_string(&json[5..]).unwrap()).unwrap();
    assert_eq!(gated["exit"]["code"], 0);
    let known = gated["exit"]["gate"]["baseline"]["known"].as_u64().unwrap();
    assert_eq!(
        Some(known),
        gated["servers"][0]["findings"]
            .as_array()
            .map(|all| { all.iter().filter(|finding| finding["outcome"] == "fail").count() as u64 })
    );
    assert!(known > 0);
}

#[test]
fn what_is_waived_is_reported_and_does_not_count() {
    let state = State::new("waived");
    let file = state.0.join("hostssl-waivers.toml").display().to_string();
    let audit = |arguments: &[&str]| {
        let of = [
            "audit",
            "--simulate",
            "--state",
            state.path(),
            "--subscription",
            "Contoso Production",
            "--server",
            "pg-catalog-prod",
            "-o",
            "json",
        ];
        run(&[&of[..], arguments].concat())
    };
    let before: serde_json::Value = serde_json::from_str(&audit(&[]).stdout).unwrap();
    let server = &before["servers"][0];
    let failed = server["findings"].as_array().unwrap().iter().filter(|finding| finding["outcome"] == "fail");
    let failed: Vec<&str> = failed.map(|finding| finding["control"].as_str().unwrap()).collect();
    assert!(!failed.is_empty());
    let soon = (jiff::Timestamp::now() + jiff::Span::new().hours(24 * 30)).to_string();
    let add = |control: &str, approver: &str, expires: &str| {
        let of = ["waivers", "add", file.as_str(), "--control", control, "--scope", server["id"].as_str().unwrap()];
        run(&[&of[..], &["--owner", "shop", "--approver", approver, "--reason", "agreed", "--expires", expires]]
            .concat())
    };
    assert_eq!(add(failed[0], "Shop", &soon[..10]).code, 2, "an owner cannot approve alone");
    assert_eq!(add(failed[0], "security", "2020-01-01").code, 2);
    assert!(!std::path::Path::new(&file).exists(), "what is refused is not written");
    for control in &failed {
        let added = add(control, "security", &soon[..10]);
        assert_eq!(added.code, 0, "{}", added.stderr);
    }
    assert_eq!(run(&["waivers", "check", &file]).code, 0);
    let listed: serde_json::Value =
        serde_json::from_str(&run(&["waivers", "list", &file, "-o", "json"]).stdout).unwrap();
    assert_eq!(listed.as_array().unwrap().len(), failed.len());
    let waived = audit(&["--waivers", &file]);
    assert_eq!(waived.code, 0, "{}", waived.stderr);
    let waived: serde_json::Value = serde_json::from_str(&waived.stdout).unwrap();
    assert_eq!((&waived["servers"][0]["outcome"], &waived["summary"]["fail"]), (&"fail".into(), &1.into()));
    // Without the waiver it is not known for good, whether the baseline is a kept audit or its file.
    assert_eq!(audit(&["--no-save", "--baseline", "latest"]).code, 3);
    assert_eq!(audit(&["--no-save", "--baseline", "latest", "--waivers", &file]).code, 0);
    // Over, it fails again and says where it stands.
    let text = std::fs::read_to_string(&file).unwrap();
    std::fs::write(&file, [b"# of M\xfcnchen\n", text.as_bytes()].concat()).unwrap();
    let latin = run(&["waivers", "check", &file]);
    let told = format!("{file}: line 1, column 7: the byte 0xfc is not UTF-8");
    assert_eq!((latin.code, latin.stderr.contains(&told)), (2, true), "{}", latin.stderr);
    std::fs::write(&file, text.replace(&soon[..10], "2020-01-01")).unwrap();
    let over = audit(&["--waivers", &file, "-q"]);
    assert_eq!(over.code, 3);
    assert!(
        over.stderr.contains("hostssl-waivers.toml:1: ") && over.stderr.contains("the waiver has expired"),
        "{}",
        over.stderr
    );
    assert_eq!(run(&["waivers", "check", &file]).code, 3);
    std::fs::write(&file, text.replace("reason", "raeson")).unwrap();
    let typo = audit(&["--waivers", &file]);
    assert_eq!((typo.code, typo.stdout.as_str()), (2, ""));
    assert!(typo.stderr.contains("line 5, column 1: unknown field `raeson`"), "{}", typo.stderr);
}

#[test]
fn a_probe_is_kept_as_it_was_reported() {
    let state = State::new("probed");
    let state = state.path();
    let targets = ["postgresql://me:hunter2@127.0.0.1:1/shop", "127.0.0.1:2"];
    let probed = run(&[&["probe", "-o", "json", "--state", state][..], &targets].concat());
    assert_eq!(probed.code, 4, "{}", probed.stderr);
    let kept = |arguments: &[&str]| run(&[&["runs"], arguments, &["--state", state, "-q"]].concat());
    let listed: serde_json::Value = serde_json::from_str(&kept(&["-o", "json"]).stdout).unwrap();
    let run = &listed[0];
    assert_eq!((&run["kind"], &run["endpoints"], &run["unknown"]), (&"probe".into(), &2.into(), &2.into()));
    assert_eq!(run["coverage"], "complete");
    let shown = kept(&["show", run["run"].as_str().unwrap(), "-o", "json"]);
    let json = |text: &str| serde_json::from_str::<serde_json::Value>(text).unwrap();
    let reported = json(&probed.stdout);
    let exit = r#"{"code": 4, "reason": "incomplete", "decidedBy": [], "undecided": 2, "complete": true}"#;
    assert_eq!((&reported["exit"], &json(&shown.stdout)), (&json(exit), &reported));
    let table = kept(&["show", run["run"].as_str().unwrap()]).stdout;
    assert!(table.contains("unreachable") && table.contains("2 endpoints"), "{table}");
    assert!(!shown.stdout.contains("hunter2"));

    // What was asked for wrongly saw nothing, and is not a run.
    let empty = std::path::Path::new(state).join("empty.txt");
    std::fs::write(&empty, "# no target\n").unwrap();
    let wrong = common::run(&["probe", "--targets", empty.to_str().unwrap(), "--state", state]);
    assert_eq!(wrong.code, 2, "{}", wrong.stderr);
    let listed: serde_json::Value = serde_json::from_str(&kept(&["-o", "json"]).stdout).unwrap();
    assert_eq!(listed.as_array().unwrap().len(), 1, "{listed}");

    // What cannot be kept is said, however quiet it is to be.
    let unwritable = common::run(&["probe", "127.0.0.1:1", "-q", "-o", "none", "--state", "/proc/hostssl"]);
    assert!(unwritable.stderr.contains("this probe was not kept"), "{}", unwritable.stderr);

    let unkept = common::run(&["probe", "127.0.0.1:1", "--no-save", "--state", state]);
    assert_eq!(unkept.code, 4);
    let pruned = common::run(&["probe", "127.0.0.1:1", "--retain", "1", "--state", state]);
    assert_eq!((pruned.code, pruned.stderr.as_str()), (4, ""));
    let listed: serde_json::Value = serde_json::from_str(&kept(&["-o", "json"]).stdout).unwrap();
    assert_eq!((listed.as_array().unwrap().len(), &listed[0]["endpoints"]), (1, &1.into()));
}

#[test]
fn what_a_probe_saw_of_a_known_server_is_told_by_an_audit_that_does_not_probe() {
    let simulator = common::simulator(&["demo"]);
    let state = State::new("fed");
    let run = |arguments: &[&str]| simulator.run(&[arguments, &["--state", state.path()]].concat());
    let audit = || run(&["audit", "--server", "pg-invoices-prod", "-o", "none"]);
    assert!(!audit().stderr.contains("did not probe"), "nothing was probed yet");
    let listed = std::fs::read_to_string(simulator.folder().join("servers.txt")).unwrap();
    let target = listed.lines().find(|line| line.contains("pg-invoices-prod.")).unwrap();
    let probed = run(&["probe", target, "-o", "none"]);
    assert_eq!(probed.code, 3, "{}", probed.stderr);
    let told = audit().stderr;
    assert!(told.contains("plaintext accepted although Azure declares otherwise: pg-invoices-prod"), "{told}");
    let other = run(&["audit", "--server", "pg-orders-prod", "-o", "none"]);
    assert!(
        !other.stderr.contains("did not probe"),
        "a probe of another server says nothing of this one: {}",
        other.stderr
    );
}

#[test]
fn a_kept_audit_is_listed_shown_and_judged_again() {
    let state = State::new("judged");
    let state = state.path();
    let audited = run(&["audit", "--simulate", "--state", state, "-o", "json", "-q"]);
    let kept = |arguments: &[&str]| run(&[&["runs"], arguments, &["--simulate", "--state", state, "-q"]].concat());
    let listed: serde_json::Value = serde_json::from_str(&kept(&["-o", "json"]).stdout).unwrap();
    let (id, first) = (listed[0]["run"].as_str().unwrap(), &listed[0]);
    assert_eq!((&first["kind"], &first["servers"]), (&"audit".into(), &24.into()), "{listed}");
    let table = kept(&[]).stdout;
    assert!(table.starts_with("RUN ") && table.contains(" KIND ") && table.contains("24 servers: "), "{table}");
    assert_eq!(kept(&["show", id, "-o", "json"]).stdout, audited.stdout);
    let text = run(&["audit", "--simulate", "--no-save", "-q"]).stdout;
    // What to do next with the clients of today is not part of what is kept.
    let same = text.lines().filter(|line| !line.contains("hostssl clients"));
    assert_eq!(kept(&["show", id]).stdout.lines().count(), same.count());
    let csv = kept(&["show", id, "-o", "csv"]);
    assert!(csv.stdout.starts_with("subscription,subscriptionId,"));
    assert!(csv.stderr.contains("warning: could not be checked: "), "its rows do not say it: {}", csv.stderr);

    // By the same rules, nothing changes; by others, only the judgement does, and the exit code follows it.
    let same = kept(&["judge", id, "--profile", "baseline@1", "-o", "json"]);
    assert_eq!((same.code, same.stdout), (3, audited.stdout));
    let strict = kept(&["judge", id, "--profile", "strict", "-o", "json"]);
    let strict: serde_json::Value = serde_json::from_str(&strict.stdout).unwrap();
    assert_eq!(strict["run"]["profile"], "strict@1", "it did not look at the wire");
    assert!(strict["summary"]["fail"].as_u64() > first["fail"].as_u64(), "{}", strict["summary"]);
    for (arguments, words) in [
        (&["judge", id, "--profile", "lax"][..], "profiles are"),
        (&["judge", "no-such-run", "--profile", "strict"], "no run no-such-run"),
        (&["judge", id], "--profile"),
        (&["show", id, "-o", "csv", "--query", "run"], "--query cannot be used with"),
    ] {
        let done = kept(arguments);
        assert_eq!(done.code, 2, "{arguments:?}: {}", done.stderr);
        assert!(done.stderr.contains(words), "{arguments:?}: {}", done.stderr);
    }
}

#[test]
fn a_list_of_runs_is_bounded_and_says_what_it_leaves_out() {
    let state = State::new("limit");
    for _ in 0..3 {
        run(&["audit", "--simulate", "enforced", "--state", state.path(), "-q"]);
    }
    let list = |more: &[&str]| run(&[&["runs", "--simulate", "--state", state.path()], more].concat());
    let bounded = list(&["--limit", "2"]);
    assert_eq!(bounded.stdout.lines().count(), 3, "{}", bounded.stdout);
    assert!(bounded.stderr.contains("the newest 2 of 3; 1 older run is not listed: --all"), "{}", bounded.stderr);
    for whole in [list(&["--all"]), list(&[])] {
        assert_eq!((whole.stdout.lines().count(), whole.stderr.as_str()), (4, ""));
    }
    assert_eq!(list(&["--limit", "0"]).code, 2);
    assert_eq!(list(&["--all", "--limit", "2"]).code, 2);
}

#[test]
fn so_many_audits_are_kept_and_none_where_it_is_said_so() {
    let state = State::new("retain");
    let audit =
        |more: &[&str]| run(&[&["audit", "--simulate", "enforced", "--state", state.path(), "-q"], more].concat());
    for _ in 0..3 {
        assert_eq!(audit(&["--retain", "2"]).code, 0);
    }
    assert_eq!(audit(&["--no-save"]).code, 0);
    assert_eq!(state.store().audits(ALL).unwrap().1, 2);
    assert_eq!(audit(&["--retain", "0"]).code, 2);
}

#[test]
fn an_audit_that_cannot_be_kept_is_reported_all_the_same() {
    let state = State::new("file");
    let file = state.0.join("file");
    std::fs::write(&file, "no directory").unwrap();
    let done = run(&["audit", "--simulate", "--state", file.to_str().unwrap(), "-o", "csv"]);
    assert_eq!(done.code, 3);
    assert!(done.stdout.contains("pg-orders-prod"));
    assert!(done.stderr.contains("warning: this audit was not kept: "), "{}", done.stderr);
    assert!(done.stderr.contains("--state"), "{}", done.stderr);
}

#[test]
fn the_console_shows_a_past_and_signs_in_by_its_link() {
    let mut console = start(hostssl().args(["serve", "--simulate", "--listen", "127.0.0.1:0"]));
    let told = console.wait_for_stderr("sign in, once");
    let link = told.split_whitespace().last().unwrap();
    let (host, path) = link.strip_prefix("http://").unwrap().split_once('/').unwrap();
    let cookie = &sign_in(host, path);
    let overview = get(host, "/", cookie);
    assert!(overview.contains("24 servers in 4 subscriptions") && overview.contains("Simulated."));
    // The newest of the 14 stands as the present.
    assert_eq!(overview.matches("<tr><td><a href=\"/runs/").count(), 13, "the past");
    assert_eq!(overview.matches("<tr><td>now, audited <a href=\"/runs/").count(), 1);
    // What a plan would write is worked out beside the pages; the page asks the reader to load it again.
    let mut ready = overview;
    while ready.contains("Finding out which of the") {
        ready = get(host, "/", cookie);
    }
    assert!(ready.contains("Ready to enforce") && ready.contains("1 of the 7 that are off"), "{ready}");
    // The past has looks at the wire, a plan that was applied, and one that was taken back.
    assert!(get(host, "/resources", cookie).contains("accepts plaintext"));
    let runs = get(host, "/runs", cookie);
    let changes: Vec<&str> = runs.split("href=\"/applies/").skip(1).map(|row| row.split('"').next().unwrap()).collect();
    let titles = changes.iter().map(|run| {
        let page = get(host, &format!("/applies/{run}"), cookie);
        page.split("<h1>").nth(1).unwrap().split([' ', '<']).next().unwrap().to_owned()
    });
    assert_eq!(titles.collect::<Vec<_>>(), ["Undone", "Verified"]);
    console.signal("TERM");
    assert_eq!(console.finish().code, 0);
}

#[test]
fn what_changed_servers_is_among_the_runs_of_the_console() {
    let state = State::new("applies");
    let plan = state.0.join("plan.json").display().to_string();
    let accept = ["--accept-breakage", "*=a test"];
    let planned =
        run(&[&["plan", "--simulate", "--server", "pg-catalog-prod", "-q", "-o", "json", "--out", &plan][..], &accept]
            .concat());
    let hash = planned.stdout.split("\"hash\": \"").nth(1).unwrap().split('"').next().unwrap().to_owned();
    let applied = run(&["apply", &plan, "--approve", &hash, "--simulate", "--state", state.path(), "-q"]);
    assert_eq!(applied.code, 0, "{}", applied.stderr);
    let id = applied.stdout.split("run ").nth(1).unwrap().split(':').next().unwrap();
    let mut console =
        start(hostssl().args(["serve", "--simulate", "--listen", "127.0.0.1:0", "--state", state.path()]));
    let told = console.wait_for_stderr("sign in, once");
    let link = told.split_whitespace().last().unwrap();
    let (host, path) = link.strip_prefix("http://").unwrap().split_once('/').unwrap();
    let cookie = &sign_in(host, path);
    assert!(get(host, "/runs", cookie).contains(&format!("href=\"/applies/{id}\"")));
    let shown = get(host, &format!("/applies/{id}"), cookie);
    assert!(shown.contains("pg-catalog-prod") && shown.contains("applied") && shown.contains("receipts"), "{shown}");
    assert!(get(host, "/applies/no-such-run", cookie).starts_with("HTTP/1.1 404"));
    console.signal("TERM");
    assert_eq!(console.finish().code, 0);
}

/// The port is there before the past is, in every scenario, and nothing stays behind when the console is ended meanwhile.
#[test]
fn a_simulated_console_answers_at_once_and_leaves_nothing_behind() {
    for scenario in ["readonly", "faults", "throttled", "fleet"] {
        let temporary = State::new(&format!("tmp-{scenario}"));
        let mut command = hostssl();
        command.args(["serve", "--simulate", scenario, "--listen", "127.0.0.1:0"]).env("TMPDIR", &temporary.0);
        let mut console = start(&mut command);
        let told = console.wait_for_stderr("sign in, once");
        let link = told.split_whitespace().last().unwrap();
        let host = link.strip_prefix("http://").unwrap().split('/').next().unwrap();
        assert!(get(host, "/healthz", "").starts_with("HTTP/1.1 200"), "{scenario}");
        if scenario != "fleet" {
            sign_in(host, link.split_once(host).unwrap().1.trim_start_matches('/'));
        }
        console.signal("TERM");
        let done = console.finish();
        assert_eq!(done.code, 0, "{scenario}: {}", done.stderr);
        assert!(!done.stderr.contains("simulated history is missing"), "{scenario}: {}", done.stderr);
        let left: Vec<_> = std::fs::read_dir(&temporary.0).unwrap().map(|one| one.unwrap().file_name()).collect();
        assert!(left.is_empty(), "{scenario} left {left:?}");
    }
}

#[test]
fn what_cannot_be_served_is_one_line_and_a_hint() {
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    for (arguments, code, words) in [
        (&["--listen", &address][..], 1, "cannot listen on"),
        (&["--tls-cert", "missing.pem", "--tls-key", "missing.pem"], 1, "missing.pem cannot be used as a PEM file"),
        (&["--tls-cert", "missing.pem"], 2, "--tls-key"),
        (&["--trusted-user-header", "x-user"], 2, "--trusted-proxy"),
        (&["--trusted-user-header", "bad header", "--trusted-proxy", "127.0.0.1"], 2, "letters, digits"),
        (&["--profile", "lax"], 2, "there is no profile"),
        (&["--listen", "nowhere"], 2, "--listen"),
        // Nobody may make a directory there, and no file is one.
        (
            &["--state", "/proc/hostssl"],
            1,
            "give this user the right to read and write the directory, or name another with --state",
        ),
        (&["--state", "/dev/null"], 1, "name another with --state"),
    ] {
        let done = run(&[&["serve", "-q", "--simulate"], arguments].concat());
        assert_eq!(done.code, code, "{arguments:?}: {}", done.stderr);
        assert!(done.stderr.contains(words), "{arguments:?}: {}", done.stderr);
    }
}

/// The size of files that a process may write is bounded: what a full disk is like. The signal for it is ignored, so that
/// the write fails instead.
#[test]
fn a_disk_that_takes_no_more_is_told_and_what_was_kept_stays() {
    let state = State::new("full");
    run(&["audit", "--simulate", "--state", state.path(), "-q"]);
    let before = state.store().audits(ALL).unwrap().1;
    let full = "trap '' XFSZ; ulimit -f 66; exec \"$0\" \"$@\"";
    let mut command = std::process::Command::new("sh");
    command.args(["-c", full]).arg(env!("CARGO_BIN_EXE_hostssl"));
    command.args(["serve", "--simulate", "--listen", "127.0.0.1:0", "--state", state.path()]);
    command.env_clear().env("PATH", std::env::var_os("PATH").unwrap());
    let mut console = start(&mut command);
    let told = console.wait_for_stderr("sign in, once");
    let link = told.split_whitespace().last().unwrap();
    let (host, path) = link.strip_prefix("http://").unwrap().split_once('/').unwrap();
    let cookie = &sign_in(host, path);
    let csrf = get(host, "/runs", cookie).split("name=\"csrf\" value=\"").nth(1).unwrap()[..64].to_owned();
    let started = post(host, "/runs", cookie, &format!("csrf={csrf}"));
    let run = started.split("location: ").nth(1).unwrap().split_whitespace().next().unwrap();
    get(host, &format!("{run}/events"), cookie);
    let page = get(host, run, cookie);
    assert!(page.starts_with("HTTP/1.1 503"), "{page}");
    assert!(page.contains("This audit was not kept") && page.contains("could not be kept"), "{page}");
    assert!(get(host, "/", cookie).contains("24 servers in 4 subscriptions"), "what was kept is shown");
    console.signal("TERM");
    assert_eq!(console.finish().code, 0);
    assert_eq!(state.store().audits(ALL).unwrap().1, before);
}

/// The arguments of a command are any bytes, and a mistake is told in words whatever they are.
#[cfg(target_os = "linux")]
#[test]
fn an_argument_that_is_no_text_is_a_mistake() {
    use std::os::unix::ffi::OsStrExt as _;
    let bytes = std::ffi::OsStr::from_bytes(b"\xff");
    let done = std::process::Command::new(env!("CARGO_BIN_EXE_hostssl"))
        .args(["audit", "--simulate", "--server"])
        .arg(bytes)
        .output()
        .unwrap();
    assert_eq!(done.status.code(), Some(2), "{}", String::from_utf8_lossy(&done.stderr));
    assert!(String::from_utf8_lossy(&done.stderr).contains("hint:"));
}

#[test]
fn a_kind_of_run_of_which_none_is_kept_is_told_apart_from_no_runs() {
    let directory = tempfile::tempdir().unwrap();
    let state = directory.path().display().to_string();
    run(&["audit", "--simulate", "--state", &state, "-q"]);
    let listed = |kind: &str| run(&["runs", "--simulate", "--state", &state, "--only", kind]).stdout;
    assert_eq!(listed("apply"), "none of 1 row is apply\n");
    assert!(listed("audit").contains("24 servers"), "{}", listed("audit"));
}

#[test]
fn what_one_scenario_showed_does_not_count_in_another() {
    let state = State::new("scenarios");
    let audit = |more: &[&str]| run(&[&["audit", "--state", state.path(), "-o", "none", "--simulate"], more].concat());
    assert_eq!(audit(&["enforced", "--probe"]).code, 0);
    for scenario in ["demo", "readonly"] {
        let other = audit(&[scenario]).stderr;
        assert!(other.contains("enforced, not probed"), "{scenario}: {other}");
        assert!(!other.contains("proven"), "{scenario}: {other}");
    }
    let own = audit(&["enforced"]).stderr;
    assert!(own.contains("25 enforced and proven"), "{own}");
}
