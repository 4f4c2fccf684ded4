//! How fast the audit is, how much memory it takes and how many requests it sends, against a simulator in a process of
//! its own. Run `cargo bench -p hostssl --bench audit`; a word after `--` chooses the cases whose name holds it.
//!
//! Figures of one run can be compared with each other, not with those of another machine or day. With the Azure SDK for
//! Python installed by `scripts/test`, the same reads by 16 threads of Python are measured in the same run.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::print_stdout, reason = "a benchmark, run by hand")]

mod common;

use common::{Azure, Figures, Simulator, median, serve_case};
use std::path::Path;

struct Case {
    name: &'static str,
    subscriptions: usize,
    servers: usize,
    latency: u64,
    throttle: Option<(u32, f64)>,
    arguments: &'static [&'static str],
    runs: usize,
}

const ENFORCEMENT: &[&str] = &["audit", "-q", "--no-save", "-o", "none", "--control", "require-secure-transport"];
const DECLARED: &[&str] = &["audit", "-q", "--no-save", "-o", "none"];
const JSON: &[&str] = &["audit", "-q", "--no-save", "-o", "json"];

const CASES: &[Case] = &[
    Case {
        name: "start-up",
        subscriptions: 1,
        servers: 0,
        latency: 0,
        throttle: None,
        arguments: &["--version"],
        runs: 20,
    },
    case("2000 in 100, one control", 100, 2000, 50, ENFORCEMENT, 5),
    case("2000 in 100, declared profile", 100, 2000, 50, DECLARED, 5),
    case("2000 in 1, one control", 1, 2000, 50, ENFORCEMENT, 5),
    case("10000 in 500, declared profile, json", 500, 10_000, 0, JSON, 3),
    case("100000 in 5000, declared profile, json", 5000, 100_000, 0, JSON, 1),
    Case {
        name: "throttled to 20 and 4/s: 60 in 1, declared profile",
        subscriptions: 1,
        servers: 60,
        latency: 50,
        throttle: Some((20, 4.0)),
        arguments: DECLARED,
        runs: 1,
    },
];

const fn case(
    name: &'static str,
    subscriptions: usize,
    servers: usize,
    latency: u64,
    arguments: &'static [&'static str],
    runs: usize,
) -> Case {
    Case { name, subscriptions, servers, latency, throttle: None, arguments, runs }
}

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).filter(|argument| argument != "--bench").collect();
    if arguments.first().is_some_and(|first| first == "serve") {
        return serve_case(&arguments[1..]);
    }
    let wanted = arguments.first().map_or("", String::as_str);
    println!(
        "{:<50} {:>9} {:>9} {:>9} {:>8} {:>6}",
        "case (median of runs)", "wall s", "cpu s", "peak MB", "requests", "429"
    );
    for case in CASES.iter().filter(|case| case.name.contains(wanted)) {
        measure(case);
    }
}

fn measure(case: &Case) {
    let simulator = Simulator::start(&Azure {
        subscriptions: case.subscriptions,
        servers: case.servers,
        latency: case.latency,
        throttle: case.throttle,
        ..Azure::default()
    });
    let hostssl = |arguments: &[&str]| simulator.command(env!("CARGO_BIN_EXE_hostssl").as_ref(), arguments);
    let runs: Vec<Figures> = (0..case.runs).map(|_| Figures::of(hostssl(case.arguments))).collect();
    let figures = median(runs);
    let (requests, refused) = simulator.requests();
    let runs = case.runs as u64;
    figures.print(case.name, requests / runs, refused / runs);
    if let Some((capacity, per_second)) = case.throttle {
        let ideal = (requests as f64 - f64::from(capacity)) / per_second;
        println!("{:<50} {:>9.2} ratio {:.2}", "  what the bucket dictates", ideal, figures.wall / ideal);
    }
    let python = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../target/venv-azure-sdk/bin/python");
    if case.name.contains("2000 in 100, one") && python.exists() {
        let script = concat!(env!("CARGO_MANIFEST_DIR"), "/benches/peer.py");
        let peer = median((0..3).map(|_| Figures::of(simulator.command(&python, &[script]))).collect());
        peer.print("  Azure SDK for Python, 16 threads", 0, 0);
        println!(
            "{:<50} {:>9.1} times the wall, {:.1} times the memory",
            "  it takes",
            peer.wall / figures.wall,
            peer.peak / figures.peak
        );
    }
}
