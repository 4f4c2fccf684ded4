//! Planning and changing, as users and scripts meet it, across processes that share a served simulated Azure.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test may stop at the first surprise")]
#![allow(unreachable_pub, missing_docs, dead_code, reason = "a module of this test, shared with others")]

mod common;

use common::{Done, Simulator, run, simulator};
use hostssl_remediation::PlanHash;
use hostssl_store::{AuditStore, KeptPlan, KeptPlanEntry, ListedRole};
use serde_json::Value;
use std::path::PathBuf;
use std::time::Duration;

/// A simulated Azure, a state directory and plan files.
struct Site {
    simulator: Simulator,
}

impl Site {
    fn new(arguments: &[&str]) -> Self {
        Self { simulator: simulator(arguments) }
    }

    fn path(&self, name: &str) -> String {
        self.simulator.folder().join(name).display().to_string()
    }

    fn run(&self, arguments: &[&str]) -> Done {
        self.simulator.run_with(arguments, &[("HOSTSSL_STATE", &self.path("state"))])
    }

    fn start(&self, arguments: &[&str]) -> common::Running {
        let state = self.path("state");
        let with_state: Vec<&str> = arguments.iter().copied().chain(["--state", &state]).collect();
        self.simulator.start(&with_state)
    }

    /// Plans, and returns the plan's file and hash.
    fn plan(&self, name: &str, more: &[&str]) -> (String, String) {
        let file = self.path(name);
        let accept = ["--accept-breakage", "*=a test"];
        let done = self.run(&[&["plan", "--out", &file, "-o", "json"][..], &accept, more].concat());
        assert!(matches!(done.code, 0 | 4), "{}", done.stderr);
        let plan: Value = serde_json::from_str(&done.stdout).unwrap();
        assert_eq!(done.stdout, std::fs::read_to_string(&file).unwrap(), "what is printed is what is written");
        (file, plan["hash"].as_str().unwrap().to_owned())
    }

    fn outcome(&self, server: &str) -> String {
        let done = self.run(&["audit", "--server", server, "-o", "tsv", "--query", "servers[0].sslEnforcement"]);
        done.stdout.trim().to_owned()
    }

    fn runs(&self) -> Vec<Value> {
        let all: Vec<Value> = serde_json::from_str(&self.run(&["runs", "-o", "json"]).stdout).unwrap();
        all.into_iter().filter(|run| run["kind"] == "apply").collect()
    }
}

fn json(done: &Done) -> Value {
    serde_json::from_str(&done.stdout).unwrap_or_else(|error| panic!("{error}: {} {}", done.stdout, done.stderr))
}

#[test]
fn plan_apply_verify_undo() {
    let site = Site::new(&["demo"]);
    let (file, hash) = site.plan("plan.json", &[]);
    assert_eq!(site.run(&["plan", "check", &file]).code, 0);
    let shown = site.run(&["plan", "show", &file, "-o", "json"]);
    assert_eq!(shown.stdout, std::fs::read_to_string(&file).unwrap());
    // Planning wrote nothing.
    assert_eq!(site.outcome("pg-catalog-prod"), "Disabled");

    let applied = site.run(&["apply", &file, "--approve", &hash, "-o", "json"]);
    assert_eq!(applied.code, 0, "the one step that is left is manual: {}", applied.stderr);
    let report = json(&applied);
    assert_eq!(report["plan"], hash.as_str());
    let accepted = &report["steps"][0]["accepted"];
    assert_eq!(accepted["reason"], "a test", "{report}");
    assert!(accepted["by"].as_str().is_some_and(|by| !by.is_empty()), "{report}");
    assert_eq!((&report["summary"]["failed"], &report["summary"]["notStarted"]), (&0.into(), &1.into()));
    assert_eq!(site.outcome("pg-catalog-prod"), "Enabled");
    let again = site.run(&["plan", "-o", "json"]);
    let again = json(&again);
    assert!(again["waves"].as_array().unwrap().is_empty(), "{again}");

    let run = report["run"].as_str().unwrap();
    let shown = json(&site.run(&["runs", "show", run, "-o", "json"]));
    assert_eq!(shown["steps"], report["steps"]);
    let receipts = shown["receipts"].as_array().unwrap();
    assert_eq!(receipts.len() as u64, report["summary"]["applied"].as_u64().unwrap());
    assert!(receipts.iter().all(|receipt| receipt["requestId"].is_string() && receipt["after"].is_string()));
    assert_eq!(&receipts[0]["accepted"], accepted, "who said it stands in the receipts");
    let told = site.run(&["runs", "show", run]).stdout;
    assert!(told.contains("clients may be refused: accepted by ") && told.contains(": a test ("), "{told}");

    assert_eq!(site.run(&["undo", run]).code, 2, "nobody can be asked");
    // An audit afterwards is the latest run of all, and not the latest that changed servers.
    site.run(&["audit", "--no-progress"]);
    for name in [&run[..run.len() - 1], "latest"] {
        let named = site.run(&["undo", name]);
        assert_eq!(named.code, 2);
        assert!(named.stderr.contains(&format!("run {run}")), "{name}: {}", named.stderr);
    }
    let undone = site.run(&["undo", "latest", "--yes", "--reason", "incident 42: job a/b", "-o", "json"]);
    assert_eq!(undone.code, 0, "{}", undone.stderr);
    assert_eq!(json(&undone)["undoReason"], "incident 42: job a/b");
    let shown = site.run(&["runs", "show", run]).stdout;
    assert!(shown.contains("reason of the undo: incident 42: job a/b"), "{shown}");
    assert_eq!(json(&undone)["summary"]["undone"], report["summary"]["applied"]);
    assert_eq!(site.outcome("pg-catalog-prod"), "Disabled");
    assert_eq!(site.runs()[0]["phase"], "undo-finished");
    let listed = site.run(&["runs"]).stdout;
    assert!(listed.contains("undone, "), "the table says how it ended: {listed}");
    assert_eq!(site.run(&["resume", run]).code, 2);
}

#[test]
fn only_a_census_or_a_word_with_a_reason_gets_a_server_into_a_plan() {
    let site = Site::new(&["demo"]);
    let plan = |more: &[&str]| {
        let done = site.run(&[&["plan", "-o", "json"], more].concat());
        assert_eq!(done.code, 4, "{}", done.stderr);
        (json(&done), done.stderr)
    };
    let reason_of = |plan: &Value, name: &str| {
        let left = plan["leftOut"].as_array().unwrap().iter();
        let mut found = left.filter(|one| {
            one["server"].as_str().unwrap().ends_with(name) && one["control"] == "require-secure-transport"
        });
        found.next().map(|one| one["reason"].as_str().unwrap().to_owned())
    };
    let planned = |plan: &Value, name: &str| {
        let steps = plan["steps"].as_array().unwrap().iter();
        let mut found = steps.filter(|step| step["server"].as_str().unwrap().ends_with(name));
        found.next().cloned()
    };
    // Nobody has looked.
    let (before, stderr) = plan(&[]);
    assert!(planned(&before, "pg-keycloak").is_none(), "{before}");
    for name in ["pg-keycloak", "pg-catalog-prod", "pg-archive-legacy"] {
        assert_eq!(reason_of(&before, name).as_deref(), Some("needs-observation"), "{name}");
    }
    assert!(
        stderr.contains("hint: `hostssl clients") && stderr.contains("finds the clients and keeps the result"),
        "{stderr}"
    );

    assert_eq!(site.run(&["clients", "-q", "-o", "none"]).code, 3);
    let (after, stderr) = plan(&[]);
    let safe = planned(&after, "pg-keycloak").unwrap();
    assert_eq!((safe["disposition"].as_str(), &safe["accepted"]), (Some("online-safe"), &Value::Null));
    assert_eq!(reason_of(&after, "pg-catalog-prod").as_deref(), Some("breaks-clients"));
    assert_eq!(reason_of(&after, "pg-orders-stage").as_deref(), Some("needs-observation"));
    assert!(stderr.contains("because clients would be refused"), "{stderr}");
    let left = after["leftOut"].as_array().unwrap();
    let catalog = left.iter().find(|one| one["reason"] == "breaks-clients" && one["clients"]["listed"][0].is_object());
    let users: Vec<&str> = catalog.unwrap()["clients"]["listed"]
        .as_array()
        .unwrap()
        .iter()
        .map(|client| client["user"].as_str().unwrap())
        .collect();
    assert_eq!(users, ["export", "report"]);

    // A word of someone, by name, pattern or tag.
    for accept in ["pg-catalog-prod=the shop team agrees", "*catalog-pr?d=agreed", "tag:environment=production=agreed"]
    {
        let (accepted, _) = plan(&["--accept-breakage", accept]);
        let step = planned(&accepted, "pg-catalog-prod").unwrap();
        assert_eq!(step["disposition"], "breaks-clients", "{accept}");
        assert!(accept.ends_with(step["accepted"]["reason"].as_str().unwrap()), "{accept}");
    }
    for wrong in ["pg-catalog-pord=agreed", "pg-catalog-prod=", "pg-catalog-prod"] {
        let done = site.run(&["plan", "--accept-breakage", wrong]);
        assert_eq!((done.code, done.stdout.as_str()), (2, ""), "{wrong}: {}", done.stderr);
    }
    let mistaken = site.run(&["plan", "--accept-breakage", "pg-catalog-pord=agreed"]).stderr;
    assert!(mistaken.contains("--accept-breakage pg-catalog-pord matches no server"), "{mistaken}");
    assert!(mistaken.contains("did you mean pg-catalog-prod?"), "{mistaken}");
    // The floor of a server is another matter: a client with an old version is refused, one in plaintext is not.
    assert!(site.runs().is_empty());
}

#[test]
fn one_server_is_updated_as_the_procedure_says_for_both_generations() {
    let site = Site::new(&["demo"]);
    for (name, group) in [("pg-archive-legacy", "rg-finance-prod"), ("pg-catalog-prod", "rg-shop-prod")] {
        let update = ["server", "update", "--name", name, "--resource-group", group, "--ssl-enforcement"];
        let done = site.run(&[&update[..], &["Enabled"]].concat());
        assert_eq!(done.code, 0, "{}", done.stderr);
        let printed = json(&done);
        assert_eq!((&printed["name"], &printed["sslEnforcement"]), (&name.into(), &"Enabled".into()));
        let shown = json(&site.run(&["server", "show", "-n", name, "-g", group]));
        assert_eq!(printed, shown, "it prints what show prints");
        let again = site.run(&[&update[..], &["enabled"]].concat());
        assert_eq!((again.code, again.stderr.contains("nothing was written")), (0, true), "{}", again.stderr);
        // Less strict is a decision that someone explains.
        for unexplained in [&["Disabled"][..], &["Disabled", "--no-loosening"]] {
            let refused = site.run(&[&update[..], unexplained].concat());
            assert_eq!(refused.code, 2, "{}", refused.stderr);
            assert!(refused.stderr.contains("in plaintext"), "{}", refused.stderr);
            assert_eq!(site.outcome(name), "Enabled");
        }
        assert_eq!(site.run(&[&update[..], &["Disabled", "--reason", "incident 42"]].concat()).code, 0);
        assert_eq!(site.outcome(name), "Disabled");
    }
    assert_eq!(site.runs().len(), 4);
    let refused = [
        (["pg-ledger-prod", "rg-finance-prod"], "TLS1_3", 3, "locked"),
        (["pg-catalog-stage", "rg-shop-stage"], "TLS1_2", 3, "stopped"),
        (["pg-archive-legacy", "rg-finance-prod"], "TLS1_3", 2, "cannot be TLS 1.3"),
        (["pg-payroll-prod", "rg-finance-prod"], "TLS1_3", 4, "permission"),
        (["no-such-server", "rg-finance-prod"], "TLS1_2", 2, "there is no PostgreSQL server"),
    ];
    for ([name, group], version, code, why) in refused {
        let done = site.run(&["server", "update", "-n", name, "-g", group, "--minimal-tls-version", version]);
        assert_eq!((done.code, done.stdout.as_str()), (code, ""), "{name}: {}", done.stderr);
        assert!(done.stderr.contains(why) && done.stderr.contains("hint: "), "{name}: {}", done.stderr);
    }
    assert_eq!(site.runs().len(), 4, "what is refused begins no run");
}

/// Waits until the servers of a plan were read longer ago than this, by the clock that the program uses.
fn wait_until_older(plan: &str, age: Duration) {
    let plan: Value = serde_json::from_str(plan).unwrap();
    let observed: jiff::Timestamp = plan["observedAt"].as_str().unwrap().parse().unwrap();
    while jiff::Timestamp::now().duration_since(observed).unsigned_abs() <= age {
        std::thread::sleep(Duration::from_millis(20));
    }
}

#[test]
fn a_value_that_waits_for_a_restart_is_not_called_done() {
    let site = Site::new(&["demo"]);
    let update =
        ["server", "update", "-n", "pg-shipping-stage", "-g", "rg-shop-stage", "--minimal-tls-version", "TLS1_3"];
    let waits = site.run(&update);
    assert_eq!(waits.code, 4, "{}", waits.stderr);
    let restart = "next: az postgres flexible-server restart -n pg-shipping-stage -g rg-shop-stage --subscription ";
    assert!(waits.stderr.contains("pg-shipping-stage is waits-for-restart: "), "{}", waits.stderr);
    assert!(waits.stderr.contains(restart) && !waits.stderr.contains("has this value already"), "{}", waits.stderr);
    assert!(site.runs().is_empty(), "nothing is written");
    // The other value of the server is changed, and the one that waits still counts.
    let both = site.run(&[&update[..], &["--ssl-enforcement", "Disabled", "--reason", "a test"]].concat());
    assert_eq!(both.code, 4, "{}", both.stderr);
    assert!(both.stderr.contains("restores the previous value") && both.stderr.contains(restart), "{}", both.stderr);
    let done = site.run(&[
        "server",
        "update",
        "-n",
        "pg-shipping-stage",
        "-g",
        "rg-shop-stage",
        "--ssl-enforcement",
        "Disabled",
    ]);
    assert_eq!(done.code, 0, "{}", done.stderr);
    assert!(done.stderr.contains("has this value already"), "{}", done.stderr);
}

#[test]
fn what_is_not_this_plan_here_and_now_is_refused_with_what_to_do() {
    let site = Site::new(&["demo"]);
    let (file, hash) = site.plan("plan.json", &[]);
    let text = std::fs::read_to_string(&file).unwrap();
    let write = |name: &str, text: &str| {
        let path = site.path(name);
        std::fs::write(&path, text).unwrap();
        path
    };
    let edited = write("edited.json", &text.replacen("\"after\": \"on\"", "\"after\": \"off\"", 1));
    let truncated = write("truncated.json", &text[..text.len() / 2]);
    let newer = write("newer.json", &text.replace("hostssl/plan/v1", "hostssl/plan/v9"));
    let binary = site.path("binary.json");
    std::fs::write(&binary, [0xff, 0x00, 0x80]).unwrap();
    let cases: Vec<(Vec<&str>, &str)> = vec![
        (vec!["apply", &edited, "--approve", &hash], "changed after it was made"),
        (vec!["apply", &truncated, "--approve", &hash], "truncated"),
        (vec!["apply", &newer, "--approve", &hash], "this hostssl supports hostssl/plan/v1"),
        (vec!["apply", &binary, "--approve", &hash], "binary.json"),
        (vec!["apply", "no-such-file.json", "--approve", &hash], "no-such-file.json"),
        (vec!["apply", &file, "--approve", "abc"], "not the hash of a plan"),
        (vec!["apply", &file], "no terminal to ask"),
        (vec!["apply", &file, "--approve", &hash, "--max-age", "1s"], "plan again"),
        (vec!["apply", &file, "--approve", &hash, "--simulate"], "the plan is for custom, this is simulated:demo"),
        (vec!["plan", "check", &edited], "changed after it was made"),
        (vec!["plan", "--control", "replica-parity"], "not a control of baseline@1 that hostssl can fix"),
        (vec!["plan", "--canary-size", "9", "--wave-size", "3"], "--canary-size is more"),
        (vec!["plan", "--wave-by", "tag:enviroment"], "did you mean tag:environment?"),
        (
            vec!["plan", "--canary", "pg-keycloack"],
            "--canary pg-keycloack matches no server in scope (did you mean pg-keycloak?)",
        ),
        (vec!["plan", "--canary", "pg-grafana"], "the canary `pg-grafana` is right already"),
        (vec!["plan", "--simulate", "--cloud", "AzureChinaCloud"], "--cloud cannot be used with --simulate"),
        (vec!["plan", "--wave-size", "-1"], "invalid value '-1'"),
        (vec!["role", "audit", "--subscription", "Contoso Platform"], "is not the id of a subscription"),
        (vec!["clients", "--log-file", "x.log", "--server", "pg-keycloak"], "cannot be used with"),
        (vec!["probe", "host=db sslmoed=require"], "did you mean sslmode?"),
        (
            vec!["serve", "--simulate", "--listen", "127.0.0.1:0", "--subscription", "Contoso Platfrom"],
            "did you mean Contoso Platform?",
        ),
        (vec!["serve", "--simulate", "--listen", "127.0.0.1:0", "-g", "rg-identty"], "did you mean rg-identity?"),
        (vec!["plan", "--out", &file], "never overwritten"),
        (vec!["undo", "no-such-run", "--yes"], "no run no-such-run"),
        (vec!["undo", "No Run", "--yes"], "`No Run`"),
        (vec!["resume", "no-such-run"], "no run no-such-run"),
        (vec!["resume", "latest"], "no run has changed servers"),
        (vec!["undo", "latest", "--yes"], "no run has changed servers"),
        (vec!["runs", "show", "no-such-run"], "no run no-such-run"),
    ];
    // The one case that is about time: what the plan rests on is older than a second.
    wait_until_older(&text, Duration::from_secs(1));
    for (arguments, why) in cases {
        let done = site.run(&arguments);
        assert_eq!(done.code, 2, "{arguments:?}: {}", done.stderr);
        assert!(done.stderr.contains(why) && done.stderr.contains("hint: "), "{arguments:?}: {}", done.stderr);
    }
    let other = hash.chars().rev().collect::<String>();
    assert_eq!(site.run(&["apply", &file, "--approve", &other]).code, 2);
    assert!(site.runs().is_empty(), "no run began");
    assert_eq!(site.outcome("pg-catalog-prod"), "Disabled");
}

#[test]
fn a_state_directory_that_cannot_be_trusted_is_refused_before_the_first_write() {
    let site = Site::new(&["demo"]);
    let (file, hash) = site.plan("plan.json", &[]);
    let bad = |name: &str, make: &dyn Fn(&PathBuf)| {
        let path = site.simulator.folder().join(name);
        make(&path);
        path.display().to_string()
    };
    let cases = [
        (bad("a-file", &|path| std::fs::write(path, "x").unwrap()), "a-file cannot be used"),
        (
            bad("foreign", &|path| {
                std::fs::create_dir(path).unwrap();
                std::fs::write(
                    path.join("hostssl.db"),
                    "this is not a database, and it is long enough to look like one",
                )
                .unwrap();
            }),
            "damaged",
        ),
        (
            bad("exposed", &|path| {
                std::fs::create_dir(path).unwrap();
                let mode = std::os::unix::fs::PermissionsExt::from_mode(0o777);
                std::fs::set_permissions(path, mode).unwrap();
            }),
            "other users can write",
        ),
        ("/proc/hostssl".to_owned(), "cannot be used"),
    ];
    for (state, why) in cases {
        let done = site.run(&["apply", &file, "--approve", &hash, "--state", &state]);
        assert_eq!(done.code, 1, "{state}: {}", done.stderr);
        assert!(done.stderr.contains(why) && done.stderr.contains("hint: "), "{state}: {}", done.stderr);
    }
    assert_eq!(site.outcome("pg-catalog-prod"), "Disabled");
}

#[test]
fn an_identity_that_may_not_write_is_refused_before_the_first_write() {
    let site = Site::new(&["readonly"]);
    let done = site.run(&["plan", "-o", "json", "-q", "--accept-breakage", "*=a test"]);
    let plan = json(&done);
    assert_eq!(plan["steps"].as_array().unwrap().iter().filter(|step| step["disposition"] != "manual").count(), 0);
    let left_out = plan["leftOut"].as_array().unwrap();
    let refused: Vec<_> = left_out.iter().filter(|one| one["reason"] == "not-permitted").collect();
    assert!(!refused.is_empty(), "{plan}");
    assert!(refused.iter().all(|one| one["detail"].as_str().unwrap().contains("/write")), "{refused:?}");
    assert!(site.runs().is_empty());
}

#[test]
fn the_role_for_changing_adds_only_what_changing_needs() {
    let actions = |command: &str| {
        let role = json(&run(&["role", command, "--subscription", "20000000-0000-4000-8000-000000000001"]));
        role["Actions"].as_array().unwrap().iter().map(|one| one.as_str().unwrap().to_owned()).collect::<Vec<_>>()
    };
    let (audit, remediate) = (actions("audit"), actions("remediate"));
    assert!(audit.iter().all(|action| action.ends_with("/read") && remediate.contains(action)));
    let writes: Vec<&String> = remediate.iter().filter(|action| !action.ends_with("/read")).collect();
    assert_eq!(writes.len(), 4, "{writes:?}");
    assert!(writes.iter().all(|action| action.ends_with("/write")));
}

/// Long enough that everything below happens while the writes are under way.
const SLOW: [&str; 3] = ["demo", "--operation-time", "4000"];

#[test]
fn a_run_that_was_killed_is_resumed_and_nothing_is_written_twice() {
    let site = Site::new(&SLOW);
    let (file, hash) = site.plan("plan.json", &["--server", "pg-catalog-prod"]);
    let mut running = site.start(&["apply", &file, "--approve", &hash]);
    running.wait_for_stderr("wave 1");
    // A write that is killed before it was sent is sent by the resume.
    let is_accepted = |run: &Value| receipts(&site, run).iter().any(|receipt| receipt["acceptedAt"].is_string());
    while !site.runs().first().is_some_and(is_accepted) {
        std::thread::sleep(Duration::from_millis(50));
    }
    running.signal("KILL");
    running.wait_for_signalled_end();

    let run = site.runs()[0]["run"].as_str().unwrap().to_owned();
    let blocked = site.run(&["apply", &file, "--approve", &hash]);
    assert_eq!(blocked.code, 1);
    assert!(blocked.stderr.contains(&format!("`hostssl resume {run}`")), "{}", blocked.stderr);
    assert_eq!(site.run(&["undo", &run, "--yes", "--reason", "a test"]).code, 2, "it must be settled first");

    let resumed = site.run(&["resume", &run, "-o", "json"]);
    assert_eq!(resumed.code, 0, "{}", resumed.stderr);
    assert_eq!(json(&resumed)["steps"][0]["status"], "applied");
    assert_eq!(site.outcome("pg-catalog-prod"), "Enabled");
    let run = &site.runs()[0];
    assert_eq!(run["phase"], "finished");
    assert_eq!(receipts(&site, run).len(), 1, "one write, one receipt");
}

fn receipts(site: &Site, run: &Value) -> Vec<Value> {
    let shown = site.run(&["runs", "show", run["run"].as_str().unwrap(), "-o", "json"]);
    json(&shown)["receipts"].as_array().unwrap().clone()
}

#[test]
fn an_interrupt_settles_what_is_under_way_and_begins_nothing_new() {
    settles_and_resumes("INT");
}

/// A lost connection to the terminal, and the end of a session, are no reason to leave writes unsettled.
#[cfg(unix)]
#[test]
fn a_hangup_and_a_termination_settle_as_an_interrupt_does() {
    std::thread::scope(|threads| {
        threads.spawn(|| settles_and_resumes("HUP"));
        threads.spawn(|| settles_and_resumes("TERM"));
    });
}

fn settles_and_resumes(signal: &str) {
    let site = Site::new(&SLOW);
    let (file, hash) = site.plan("plan.json", &["--wave-size", "1"]);
    let mut running = site.start(&["apply", &file, "--approve", &hash, "-o", "json"]);
    running.wait_for_stderr("wave 1");
    while site.runs().first().is_none_or(|run| receipts(&site, run).is_empty()) {
        std::thread::sleep(Duration::from_millis(50));
    }
    running.signal(signal);
    let done = running.finish();
    assert_eq!(done.code, 4, "{}", done.stderr);
    let report = json(&done);
    assert_eq!((&report["summary"]["applied"], &report["summary"]["open"]), (&1.into(), &0.into()), "{report}");
    assert_eq!(report["steps"][1]["status"], "not-started");
    // As after a kill, resume goes on with all the rest.
    let run = site.runs()[0].clone();
    assert_eq!(run["phase"], "applying");
    let resumed = site.run(&["resume", run["run"].as_str().unwrap(), "-o", "json"]);
    let report = json(&resumed);
    let left = |step: &Value| step["reason"].as_str().is_some_and(|reason| reason.contains("not started yet"));
    assert!(!report["steps"].as_array().unwrap().iter().any(left), "{report}");
    assert!(report["summary"]["applied"].as_u64() > Some(1), "{report}");
    assert_eq!(site.runs()[0]["phase"], "finished");
}

#[test]
fn two_processes_cannot_apply_with_one_state_directory_or_one_plan() {
    let site = Site::new(&SLOW);
    let (file, hash) = site.plan("plan.json", &["--server", "pg-catalog-prod"]);
    let (other, other_hash) = site.plan("other.json", &["--server", "pg-keycloak"]);
    let mut first = site.start(&["apply", &file, "--approve", &hash]);
    first.wait_for_stderr("wave 1");
    let same_state = site.run(&["apply", &other, "--approve", &other_hash]);
    assert_eq!(same_state.code, 1);
    assert!(same_state.stderr.contains("another hostssl (process "), "{}", same_state.stderr);
    let same_plan = site.run(&["apply", &file, "--approve", &hash, "--state", &site.path("other-state")]);
    assert_eq!(same_plan.code, 1);
    assert!(same_plan.stderr.contains("another hostssl is applying"), "{}", same_plan.stderr);
    let done = first.finish();
    assert_eq!(done.code, 0, "{}", done.stderr);
    assert_eq!(site.outcome("pg-keycloak"), "Disabled");
}

#[test]
fn a_plan_that_leaves_a_failing_server_out_is_not_the_whole_way() {
    let site = Site::new(&["demo"]);
    // It is locked. The scope is one subscription of which everything can be seen, so that nothing else is incomplete.
    let audit = json(&site.run(&["audit", "--server", "pg-ledger-prod", "-o", "json"]));
    let id = audit["servers"][0]["id"].as_str().unwrap();
    let subscription = id.split('/').nth(2).unwrap();
    let scope = ["plan", "--server", "pg-ledger-prod", "--subscription", subscription, "-o", "json"];
    let left_out = site.run(&scope);
    assert_eq!(left_out.code, 4, "{}", left_out.stderr);
    assert!(left_out.stderr.contains("1 server fails and is not in the plan"), "{}", left_out.stderr);
    // To leave it out on request accepts nothing.
    let excepted = site.run(&[&scope[..], &["--except", "pg-ledger-prod"]].concat());
    assert_eq!(excepted.code, 4, "{}", excepted.stderr);
    assert_eq!(json(&excepted)["leftOut"][0]["reason"], "excepted");
    // Whoever accepts the finding may call the plan whole.
    let waivers = site.path("w.toml");
    let add = ["waivers", "add", &waivers, "--control", "require-secure-transport", "--scope", id, "--owner", "shop"];
    let expires = jiff::Timestamp::now() + jiff::SignedDuration::from_hours(24 * 30);
    let expires = expires.to_string()[..10].to_owned();
    let add = [&add[..], &["--approver", "security", "--reason", "an importer", "--expires", &expires]].concat();
    assert_eq!(run(&add).code, 0);
    let (plan, waived) = (site.path("waived.json"), [&scope[..], &["--waivers", &waivers]].concat());
    let accepted = site.run(&[&waived[..], &["--out", &plan]].concat());
    assert_eq!(accepted.code, 0, "{}", accepted.stderr);
    assert!(!accepted.stderr.contains("not in the plan"), "{}", accepted.stderr);
    let left = &json(&accepted)["leftOut"][0];
    let words = format!("until {expires}: an importer; owner shop, approved by security ({waivers}:1)");
    assert_eq!((left["reason"].as_str(), left["detail"].as_str()), (Some("waived"), Some(words.as_str())));
    let checked = site.run(&["plan", "check", &plan]);
    let told = format!("waived: pg-ledger-prod require-secure-transport {words}");
    assert!(checked.stdout.contains(&told), "{}", checked.stdout);
    let included = site.run(&[&waived[..], &["--include-waived"]].concat());
    assert_eq!(included.code, 4, "it is locked: {}", included.stderr);
    // What has expired waives nothing, and says so.
    let text = std::fs::read_to_string(&waivers).unwrap().replace(&expires, "2026-01-01");
    std::fs::write(&waivers, text).unwrap();
    let expired = site.run(&waived);
    assert_eq!((expired.code, expired.stderr.contains("the waiver has expired")), (4, true), "{}", expired.stderr);
}

#[test]
fn a_server_that_failed_is_not_the_canary_of_the_next_plan() {
    let site = Site::new(&["faults"]);
    let canary = |more: &[&str]| {
        let done = site.run(&[&["plan", "--accept-breakage", "*=a test", "-o", "json"], more].concat());
        let first = json(&done)["steps"][0]["server"].as_str().unwrap().to_owned();
        (first.rsplit('/').next().unwrap().to_owned(), done.stderr)
    };
    let servers = ["--subscription", "traps-writes", "--server", "policy-denied", "--server", "immediate"];
    let chosen = [&servers[..], &["--canary", "policy-denied"]].concat();
    let (file, hash) = site.plan("plan.json", &chosen);
    let applied = site.run(&["apply", &file, "--approve", &hash, "-o", "json"]);
    assert_eq!(applied.code, 3, "{}", applied.stderr);
    assert_eq!(json(&applied)["summary"]["notStarted"], 1, "the canary stops the rest");
    // Whoever plans again tries the other one first, and is told why.
    let (next, said) = canary(&servers);
    assert_eq!(next, "immediate", "{said}");
    assert!(said.contains("policy-denied did not succeed in run "), "{said}");
    // Where there is no other one, it is told all the same, and a person may choose it.
    let (alone, said) = canary(&servers[..4]);
    assert_eq!(alone, "policy-denied");
    assert!(said.contains("warning: the canary policy-denied did not succeed in run "), "{said}");
    let (chosen, said) = canary(&chosen);
    assert_eq!(chosen, "policy-denied");
    assert!(!said.contains("warning: the canary"), "{said}");
}

#[test]
fn a_plan_is_checked_against_what_a_kept_audit_found() {
    let site = Site::new(&["demo"]);
    let (file, hash) = site.plan("plan.json", &[]);
    let audit = || json(&site.run(&["audit", "-o", "json"]))["run"]["id"].as_str().unwrap().to_owned();
    let check = |run: &str| site.run(&["plan", "check", &file, "--audit", run, "-o", "json"]);
    let before = check(&audit());
    assert_eq!(before.code, 0, "{} {}", before.stdout, before.stderr);
    site.run(&["apply", &file, "--approve", &hash, "-o", "json"]);
    let after = check(&audit());
    assert_eq!(after.code, 3, "{}", after.stderr);
    let complaints = json(&after);
    let codes: Vec<&str> = complaints.as_array().unwrap().iter().map(|one| one["code"].as_str().unwrap()).collect();
    assert!(!codes.is_empty() && codes.iter().all(|code| *code == "not-needed"), "{codes:?}");
    assert_eq!(check("no-such-run").code, 2);
    // The newest audit, whatever was run since.
    site.run(&["probe", "127.0.0.1:1", "-q"]);
    assert_eq!(check("latest").stdout, after.stdout);
}

#[test]
fn the_listeners_are_reached_the_way_that_is_given() {
    let site = Site::new(&["demo"]);
    let (file, hash) = site.plan("plan.json", &["--server", "pg-catalog-prod"]);
    let listed = std::fs::read_to_string(site.simulator.folder().join("servers.txt")).unwrap();
    let line = listed.lines().find(|line| line.contains("pg-catalog-prod.")).unwrap();
    let host = line.split_whitespace().find_map(|word| word.strip_prefix("host=")).unwrap();
    // Behind the tunnel is a server that has no TLS and takes everyone, whatever Azure says.
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let rule = format!("{host}:5432:127.0.0.1:{}", listener.local_addr().unwrap().port());
    let (ask, asked) = std::sync::mpsc::channel();
    std::thread::spawn(move || {
        use std::io::{Read as _, Write as _};
        for mut stream in listener.incoming().map_while(Result::ok) {
            let ask = ask.clone();
            std::thread::spawn(move || {
                let mut bytes = [0; 1024];
                while let Ok(count @ 1..) = stream.read(&mut bytes) {
                    let _ = ask.send(());
                    // A request without anything behind it, such as SSLRequest, or a startup: AuthenticationOk.
                    let answer: &[u8] = if count == 8 { b"N" } else { b"R\0\0\0\x08\0\0\0\0" };
                    if stream.write_all(answer).is_err() {
                        return;
                    }
                }
            });
        }
    });
    let apply = ["apply", &file, "--approve", &hash, "--connect-to", &rule, "-o", "json"];
    // An option that would do nothing is a mistake, told before anything is written.
    let refused = site.run(&apply);
    assert_eq!((refused.code, refused.stdout.as_str()), (2, ""), "{}", refused.stderr);
    assert!(refused.stderr.contains("hint: add --probe"), "{}", refused.stderr);
    assert!(site.runs().is_empty());
    // What stands behind the tunnel is asked, and contradicts the setting. How long it may do so is tested in virtual
    // time.
    let running = site.start(&[&apply[..], &["--probe"]].concat());
    asked.recv_timeout(Duration::from_secs(60)).expect("the tunnel is used");
    running.signal("KILL");
    running.wait_for_signalled_end();
    let run = site.runs()[0].clone();
    assert_eq!(run["phase"], "applying", "nothing is called applied that the wire has not confirmed");
}

#[test]
fn ways_to_the_listeners_that_do_nothing_or_lead_nowhere_are_mistakes() {
    let way = ["--connect-to", "db:5432:127.0.0.1:1"];
    let proxy = ["--proxy", "socks5h://me:hunter2@127.0.0.1:1"];
    for command in [
        &["apply", "plan.json"][..],
        &["resume", "0198"],
        &["enforce", "--server", "pg-orders-prod", "--simulate"],
        &["server", "update", "-n", "pg", "-g", "rg", "--ssl-enforcement", "Enabled", "--simulate"],
        &["audit", "--simulate"],
    ] {
        for options in [&way[..], &proxy] {
            let done = run(&[command, options].concat());
            assert_eq!(done.code, 2, "{command:?}: {}", done.stderr);
            assert!(done.stderr.contains("hint: add --probe"), "{command:?}: {}", done.stderr);
            assert!(!done.stderr.contains("hunter2"), "{}", done.stderr);
        }
        let malformed = run(&[command, &["--probe", "--connect-to", "nonsense"]].concat());
        assert_eq!(malformed.code, 2, "{command:?}: {}", malformed.stderr);
        assert!(malformed.stderr.contains("--connect-to: "), "{command:?}: {}", malformed.stderr);
    }
    // The variable may be set for other commands.
    let mut audit = common::hostssl();
    audit.args(["audit", "--simulate", "enforced", "-q", "-o", "none"]).env("HOSTSSL_PROXY", "socks5h://127.0.0.1:1");
    assert_eq!(common::start(&mut audit).finish().code, 0);
    // A console always probes, when it is asked to.
    let served = run(&[&["serve", "--simulate", "--listen", "127.0.0.1:0"], &way[..]].concat());
    assert_eq!(served.code, 2, "{}", served.stderr);
    assert!(served.stderr.contains("cannot be used with --simulate"), "{}", served.stderr);
}

#[test]
fn a_plan_of_a_console_is_applied_when_enough_people_have_approved_it() {
    let site = Site::new(&[]);
    let (file, hash) = site.plan("plan.json", &["--server", "pg-catalog-prod"]);
    let apply = || site.run(&["apply", &file, "--approve", &hash]);
    let plan = PlanHash::new(&hash).unwrap();
    let store = AuditStore::open(PathBuf::from(site.path("state"))).unwrap();
    let entry = KeptPlanEntry {
        id: "1".into(),
        made_ms: 1,
        made_by: "paul".into(),
        hash: plan.clone(),
        title: "Enforce TLS".into(),
        writes: 1,
        observed_ms: 1,
        approvals: 2,
    };
    store.keep_plan(&KeptPlan { entry, plan: "{}".into(), review: "{}".into() }).unwrap();
    let refused = |given: &str| {
        let done = apply();
        assert_eq!(done.code, 1, "{}", done.stderr);
        let words = format!("has {given} of 2 approvals, so nothing was written");
        assert!(done.stderr.contains(&words) && done.stderr.contains("on its page in the console"), "{}", done.stderr);
        assert!(site.runs().is_empty());
    };
    refused("0");
    // Who made it does not approve it.
    for (person, at_ms) in [("Paul", 2), ("ada", 3), ("bob", 4)] {
        store.approve_plan(&plan, person, at_ms).unwrap();
    }
    assert!(store.withdraw_approval(&plan, "bob", 5).unwrap());
    refused("1");
    store.approve_plan(&plan, "bob", 6).unwrap();
    // By the roles that the console gives people by --link, which is started anew with others.
    let listed = |role: &str| {
        let one = |person: &str, role: &str| ListedRole {
            person: person.into(),
            role: role.into(),
            may_approve: role == "approver",
        };
        store.keep_listed_roles(&[one("ada", "approver"), one("bob", role)], false).unwrap();
    };
    listed("viewer");
    refused("1");
    let why = "that of bob does not count, because --link of the console gives this name the role viewer";
    assert!(apply().stderr.contains(why));
    listed("approver");
    let done = apply();
    assert_eq!((done.code, site.runs().len()), (0, 1), "{}", done.stderr);
    let shown = site.run(&["runs", "show", "latest"]).stdout;
    let told = "approved by ada, 1970-01-01T00:00:00Z\n        and bob, 1970-01-01T00:00:00Z\n";
    assert!(shown.contains(told), "{shown}");
    let shown: Value = serde_json::from_str(&site.run(&["runs", "show", "latest", "-o", "json"]).stdout).unwrap();
    assert_eq!((&shown["approvals"][0]["person"], &shown["approvals"][1]["person"]), (&"ada".into(), &"bob".into()));
    // The approvals were for that run, and end with it.
    assert!(!store.withdraw_approval(&plan, "bob", 7).unwrap());
    assert_eq!(site.run(&["undo", "latest", "--yes", "--reason", "a test"]).code, 0);
    let again = apply();
    assert!(again.code == 1 && again.stderr.contains("its approvals were for that run"), "{}", again.stderr);
    assert_eq!(site.runs().len(), 1);
}

/// A plan is read where its subscriptions cannot be asked for their names, and before any audit is kept.
#[test]
fn a_plan_has_the_names_of_its_subscriptions() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name).display().to_string();
    let (plan, state, other) = (path("plan.json"), path("state"), path("other"));
    let made = run(&["plan", "--simulate", "--server", "pg-ledger-prod", "--state", &state, "--out", &plan, "-q"]);
    assert!(std::path::Path::new(&plan).exists(), "{}", made.stderr);
    let shown = run(&["plan", "show", &plan, "--state", &other]);
    assert!(shown.stdout.contains("Contoso Production"), "{}{}", shown.stdout, shown.stderr);
    let why = shown.stdout.lines().find(|line| line.contains("pg-ledger-prod")).unwrap();
    assert!(!why.contains("20000000-") && why.contains("on the server"), "{why}");
    let refused = run(&["apply", &plan, "--simulate", "--state", &state, "--sessions"]);
    assert!(refused.code == 2 && refused.stderr.contains("their sessions cannot be listed"), "{}", refused.stderr);
    assert!(refused.stderr.contains("leave --sessions out; `hostssl clients --simulate demo --state "));
}
