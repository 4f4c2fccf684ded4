//! Servers are counted alike everywhere: by the newest evidence of each kind, with its age.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test may stop at the first surprise")]
#![allow(unreachable_pub, missing_docs, dead_code, reason = "a module of this test, shared with others")]

mod common;

use common::{Done, run};
use hostssl_model::{Standing, Standings};
use hostssl_store::AuditStore;
use serde_json::Value;
use std::path::PathBuf;

/// A directory that goes with the test.
struct State(PathBuf);

impl State {
    fn new(name: &str) -> Self {
        let path = std::env::temp_dir().join(format!("hostssl-counting-{}-{name}", std::process::id()));
        std::fs::create_dir(&path).unwrap();
        Self(path)
    }

    fn run(&self, arguments: &[&str]) -> Done {
        run(&[arguments, &["--simulate", "--state", self.0.to_str().unwrap()]].concat())
    }

    /// Plans and applies that a server enforces TLS.
    fn enforce(&self, server: &str, more: &[&str]) {
        let plan = self.0.join("plan.json");
        let plan = plan.to_str().unwrap();
        let planned = self.json(&["plan", "--server", server, "--accept-breakage", "*=a test", "--out", plan]);
        let hash = planned["hash"].as_str().unwrap();
        assert_eq!(self.run(&[&["apply", plan, "--approve", hash], more].concat()).code, 0);
    }

    fn json(&self, arguments: &[&str]) -> Value {
        let done = self.run(&[arguments, &["-o", "json"]].concat());
        serde_json::from_str(&done.stdout).unwrap_or_else(|error| panic!("{error}: {}", done.stderr))
    }

    /// What the console counts.
    fn present(&self) -> Standings {
        let store = AuditStore::open(self.0.join("simulated")).unwrap();
        store.latest().unwrap().unwrap().standings
    }
}

impl Drop for State {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// The figures of a JSON document.
fn figures(counts: &Value) -> Standings {
    let count = |name: &str| counts[name].as_u64().unwrap_or_else(|| panic!("no {name} in {counts}"));
    Standings {
        accepts_plaintext: count("acceptsPlaintext"),
        not_enforced: count("notEnforced"),
        unknown: count("unknown"),
        unproven: count("unproven"),
        not_probed: count("notProbed"),
        proven: count("proven"),
    }
}

/// Whether a table for people has a line with each figure and its words.
fn has_figures(text: &str, standings: &Standings) -> bool {
    Standing::ALL.into_iter().filter(|standing| standings.count(*standing) > 0).all(|standing| {
        let figure = standings.count(standing).to_string();
        let is_line = |line: &str| line.split_whitespace().next() == Some(&figure) && line.contains(standing.words());
        text.lines().any(is_line)
    })
}

#[test]
fn an_audit_that_did_not_probe_counts_what_earlier_probes_saw() {
    let state = State::new("earlier");
    let probed = state.json(&["audit", "--probe"]);
    assert!(probed["summary"].get("knownStandings").is_none(), "it saw all that is known: {}", probed["summary"]);
    let seen = figures(&probed["summary"]["standings"]);
    assert!(seen.accepts_plaintext > 0 && seen.proven > 0, "{seen:?}");

    let declared = state.json(&["audit"]);
    let (own, known) = (&declared["summary"]["standings"], &declared["summary"]["knownStandings"]);
    assert_eq!((figures(own).accepts_plaintext, figures(own).proven), (0, 0), "what the audit itself saw stays: {own}");
    assert_eq!(figures(known), seen);
    assert_eq!(state.present(), seen, "the console counts the same");
    let server =
        declared["servers"].as_array().unwrap().iter().find(|one| one["known"]["standing"] == "accepts-plaintext");
    let server = server.expect("a server with its earlier look");
    assert_eq!((&server["standing"], &server["known"]["wire"]), (&"not-probed".into(), &"optional".into()));
    assert_eq!(server["known"]["probedAt"].as_str().unwrap().len(), "2026-11-29T09:00:00Z".len());

    let trend = state.json(&["trend"]);
    assert_eq!(figures(&trend["audits"][1]["standings"]), seen);
    assert_eq!(figures(&trend["now"]["standings"]), seen);

    for arguments in [&["audit"][..], &["runs", "show", "latest"]] {
        let table = state.run(arguments).stdout;
        assert!(has_figures(&table, &seen), "{arguments:?}: {table}");
        assert!(table.contains("count by earlier probes, the oldest of them"), "{arguments:?}: {table}");
        assert!(table.contains("an earlier probe connected without TLS"), "{arguments:?}: {table}");
        let markdown = state.run(&[arguments, &["-o", "markdown"]].concat()).stdout;
        let row = format!("| {} | {} |", seen.accepts_plaintext, Standing::AcceptsPlaintext.words());
        assert!(markdown.contains(&row) && markdown.contains("count by earlier probes"), "{markdown}");
        let html = state.run(&[arguments, &["-o", "html"]].concat()).stdout;
        let figure =
            format!("<b>{}</b><strong>{}</strong>", seen.accepts_plaintext, Standing::AcceptsPlaintext.words());
        assert!(html.contains(&figure) && html.contains("count by earlier probes"), "no {figure}");
        let junit = state.run(&[arguments, &["-o", "junit"]].concat()).stdout;
        assert!(junit.contains("an earlier probe connected without TLS"), "{junit}");
        let rows = state.run(&[arguments, &["-o", "tsv"]].concat()).stdout;
        assert!(!rows.contains("accepts-plaintext"), "a row of TSV has the columns that it always had: {rows}");
    }
    // What an earlier probe saw is no finding of an audit that did not probe, and no pass either.
    let one = [
        "audit",
        "--simulate",
        "--server",
        "pg-invoices-prod",
        "-o",
        "json",
        "-q",
        "--state",
        state.0.to_str().unwrap(),
    ];
    let baseline = state.0.join("one.json").display().to_string();
    let none = state.0.join("none.toml").display().to_string();
    std::fs::write(&none, "").unwrap();
    let open = run(&[&one[..], &["--no-save", "-o", &format!("json={baseline}")]].concat());
    let document: Value = serde_json::from_str(&open.stdout).unwrap();
    assert_eq!((open.code, &document["exit"]["reason"]), (4, &"incomplete".into()), "{document:#}");
    // No rule of a gate makes a pass of it.
    for (gate, code) in [
        (&["--fail-on", "fail"][..], 4),
        (&["--fail-on", "high"], 4),
        (&["--fail-on", "never"], 4),
        (&["--fail-on", "unknown"], 3),
        (&["--baseline", &baseline], 4),
        (&["--baseline", &baseline, "--fail-on", "never"], 4),
        (&["--waivers", &none], 4),
    ] {
        let gated = run(&[&one[..], &["--no-save"], gate].concat());
        assert_eq!(gated.code, code, "{gate:?}: {}", gated.stderr);
    }
}

#[test]
fn a_watch_that_did_not_probe_counts_what_earlier_probes_saw() {
    let state = State::new("watched");
    let scope = ["--server", "pg-invoices-prod"];
    assert_eq!(state.run(&[&["audit", "--probe", "-q"][..], &scope].concat()).code, 3);
    let metrics = state.0.join("hostssl.prom").display().to_string();
    let watch =
        |more: &[&str]| state.run(&[&["watch", "--once", "-q", "--metrics", &metrics][..], &scope, more].concat());
    assert_eq!(watch(&[]).code, 4, "it ends as an audit does");
    let failing = |control: &str| {
        let text = std::fs::read_to_string(&metrics).unwrap();
        let line = text.lines().find(|line| {
            line.starts_with("hostssl_control_servers{")
                && line.contains(&format!("\"{control}\""))
                && line.contains("\"fail\"")
        });
        line.and_then(|line| line.rsplit(' ').next()).map(ToOwned::to_owned)
    };
    assert_eq!(
        failing("plaintext-refused").as_deref(),
        Some("1"),
        "what a probe found fails until one finds otherwise"
    );
}

#[test]
fn without_a_state_an_audit_that_did_not_probe_knows_of_no_probe() {
    let none = run(&["audit", "--simulate"]).stdout;
    assert!(none.contains("this audit did not probe, and no earlier probe of its servers is known"), "{none}");
    let state = State::new("none");
    let declared = state.json(&["audit"]);
    assert!(declared["summary"].get("knownStandings").is_none(), "{}", declared["summary"]);
    let table = state.run(&["runs", "show", "latest"]).stdout;
    assert!(table.contains("no earlier probe of its servers is known"), "{table}");
}

#[test]
fn the_trend_ends_with_what_a_run_has_changed_since() {
    let state = State::new("changed");
    state.run(&["audit"]);
    state.enforce("pg-catalog-prod", &[]);
    let trend = state.json(&["trend"]);
    let (last, now) = (figures(&trend["audits"][0]["standings"]), figures(&trend["now"]["standings"]));
    assert_eq!(now.not_enforced + 1, last.not_enforced, "{trend}");
    assert_eq!((&trend["now"]["changedByRuns"], now), (&1.into(), state.present()), "as the console counts");
    let chart = state.run(&["trend"]).stdout;
    assert!(chart.lines().any(|line| line.starts_with("now ")), "{chart}");
    assert!(chart.contains("a run has changed 1 server"), "{chart}");
    let words = format!("not enforced: {} then, {} of", last.not_enforced, now.not_enforced);
    assert!(chart.contains(&words), "no {words:?} in {chart}");
    // An audit before the newest has no present.
    let run = trend["audits"][0]["run"].as_str().unwrap();
    assert!(state.json(&["trend", run]).get("now").is_none());
}

#[test]
fn what_a_run_has_proven_on_the_wire_counts_in_later_audits() {
    let state = State::new("proven");
    state.run(&["audit"]);
    state.enforce("pg-catalog-prod", &["--probe"]);
    let audited = state.json(&["audit", "--server", "pg-catalog-prod"]);
    let known = figures(&audited["summary"]["knownStandings"]);
    assert_eq!((known.proven, known.not_probed), (1, 0), "{audited}");
}

#[test]
fn a_plan_is_no_success_where_a_kept_probe_saw_plaintext_accepted() {
    let state = State::new("plan");
    state.run(&["audit", "--probe"]);
    let asked = ["plan", "--subscription", "Contoso Production", "--server", "pg-invoices-prod"];
    let planned = state.run(&asked);
    assert_eq!(planned.code, 4, "{}", planned.stderr);
    let warned = "warning: earlier probes connected without TLS although Azure declares it enforced, which no plan changes: \
                  pg-invoices-prod";
    assert!(planned.stderr.contains(warned), "{}", planned.stderr);
    let plan = state.json(&[&asked[..], &["--out", state.0.join("plan.json").to_str().unwrap()]].concat());
    let rows = plan["leftOut"].as_array().unwrap();
    let switch = rows.iter().find(|row| row["control"] == "require-secure-transport").unwrap();
    assert!(
        switch["detail"].as_str().unwrap().contains(", but an earlier probe connected without TLS (20"),
        "{switch}"
    );
    // Without a probe, nothing speaks against it.
    assert_eq!(State::new("plan-unprobed").run(&asked).code, 0);
}
