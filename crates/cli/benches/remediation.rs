//! How fast servers are changed, journal and verification included, against a simulator in a process of its own. Run
//! `cargo bench -p hostssl --bench remediation`; a word after `--` chooses the cases whose name holds it.
//!
//! Figures of one run can be compared with each other, not with those of another machine or day.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::print_stdout, reason = "a benchmark, run by hand")]
#![allow(clippy::panic, reason = "a benchmark, run by hand")]

mod common;

use common::{Azure, Figures, Simulator, serve_case};
use serde_json::Value;

struct Case {
    name: &'static str,
    azure: Azure,
    /// Options of `plan` and of `apply`.
    plan: &'static [&'static str],
    apply: &'static [&'static str],
}

/// One canary, then everything else at once.
const PARALLEL: (&[&str], &[&str]) = (&["--wave-size", "100"], &["--max-parallel", "100"]);
const LARGE: (&[&str], &[&str]) = (&["--wave-size", "1000"], &["--max-parallel", "64"]);

fn cases() -> Vec<Case> {
    let sixty_two = || Azure {
        subscriptions: 1,
        servers: 62,
        documented_buckets: true,
        operation: 2000,
        open: true,
        ..Azure::default()
    };
    let large = |servers| Azure {
        subscriptions: servers / 20,
        servers,
        documented_buckets: true,
        open: true,
        ..Azure::default()
    };
    let slow = |servers, subscriptions| Azure { subscriptions, latency: 20, operation: 2000, ..large(servers) };
    let case = |name, azure, (plan, apply)| Case { name, azure, plan, apply };
    vec![
        case("62 writes of 2 s, canary and one wave", sixty_two(), PARALLEL),
        case("62 writes of 2 s, the defaults", sixty_two(), (&[], &[])),
        case("62 writes of 2 s, one at a time", sixty_two(), (&["--wave-size", "100"], &["--max-parallel", "1"])),
        case("62 writes of 2 s in 20, the defaults", slow(62, 20), (&[], &[])),
        case("1041 writes of 2 s in 52, the defaults", slow(1041, 52), (&[], &[])),
        case("1041 servers of all kinds in 52, the defaults", Azure { mixed: true, ..slow(1041, 52) }, (&[], &[])),
        case("1000 writes in 50", large(1000), LARGE),
        case("10000 writes in 500", large(10_000), LARGE),
    ]
}

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).filter(|argument| argument != "--bench").collect();
    if arguments.first().is_some_and(|first| first == "serve") {
        return serve_case(&arguments[1..]);
    }
    let wanted = arguments.first().map_or("", String::as_str);
    println!("{:<50} {:>9} {:>9} {:>9} {:>8} {:>6}", "case", "wall s", "cpu s", "peak MB", "requests", "429");
    for case in cases().iter().filter(|case| case.name.contains(wanted)) {
        measure(case);
    }
}

fn measure(case: &Case) {
    let simulator = Simulator::start(&case.azure);
    let hostssl = |arguments: &[&str]| simulator.command(env!("CARGO_BIN_EXE_hostssl").as_ref(), arguments);
    let path = |name: &str| simulator.folder().join(name).display().to_string();
    let (plan, state) = (path("plan.json"), path("state"));
    // No census is kept of the simulated servers.
    let planned = ["plan", "-q", "-o", "none", "--out", &plan, "--accept-breakage", "*=a benchmark"];
    let planning = Figures::of(hostssl(&[&planned[..], case.plan].concat()));
    planning.print(&format!("{}: plan", case.name), simulator.requests().0, 0);
    let planned: Value = serde_json::from_str(&std::fs::read_to_string(&plan).unwrap()).unwrap();
    let hash = planned["hash"].as_str().unwrap();
    let (before, _) = simulator.requests();
    let apply = ["apply", "-q", "-o", "none", &plan, "--approve", hash, "--state", &state];
    let applying = Figures::of(hostssl(&[&apply[..], case.apply].concat()));
    let (after, refused) = simulator.requests();
    applying.print(&format!("{}: apply", case.name), after - before, refused);
    let show = hostssl(&["runs", "-q", "-o", "json", "--state", &state]).output().unwrap();
    let runs: Value = serde_json::from_slice(&show.stdout).unwrap();
    let run = runs[0]["run"].as_str().unwrap();
    let show = hostssl(&["runs", "show", run, "-q", "-o", "json", "--state", &state]).output().unwrap();
    let report: Value = serde_json::from_slice(&show.stdout).unwrap();
    let applied = report["summary"]["applied"].as_u64().unwrap();
    // Some of a fleet's servers are stopped, and left out of the plan; some have steps for people, in wave 0.
    let writes = planned["steps"].as_array().unwrap().iter().filter(|step| step["wave"] != 0);
    assert_eq!(applied, writes.count() as u64, "every write was verified");
}
