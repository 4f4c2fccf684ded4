//! What a long history costs: 1,000 audits of 10,000 servers, of which one in a hundred changes from each audit to the next.
//! Run `cargo bench -p hostssl --bench history`; `-- 100 2000` makes 100 audits of 2,000 servers instead.
//!
//! Every command is measured with two audits in the state and with all of them: the ratio is what the history costs. What an
//! audit takes on the disk is compared with its report as JSON. The states are made by another process, in the folder for
//! temporary files.
#![allow(clippy::unwrap_used, clippy::print_stdout, reason = "a benchmark, run by hand")]

mod common;

use common::{Figures, median};
use hostssl_store::AuditStore;
use hostssl_test_support::audited::AuditedFleet;
use std::path::Path;
use std::process::Command;
use std::time::Instant;

const AUDITS: u64 = 1_000;
const SERVERS: u64 = 10_000;
/// One in so many servers changes between two audits.
const ONE_IN: usize = 100;
/// Each command is run so many times.
const RUNS: usize = 5;

/// A state directory with audits in it.
struct State {
    directory: tempfile::TempDir,
    audits: u64,
}

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).filter(|argument| argument != "--bench").collect();
    if let [word, directory, audits, servers] = arguments.as_slice()
        && word == "make"
    {
        return make(Path::new(directory), audits.parse().unwrap(), servers.parse().unwrap());
    }
    let number = |place: usize, usual| arguments.get(place).map_or(usual, |text: &String| text.parse().unwrap());
    let (audits, servers) = (number(0, AUDITS).max(3), number(1, SERVERS));
    let two = State::made(2, servers);
    let start = Instant::now();
    let all = State::made(audits, servers);
    let seconds = start.elapsed().as_secs_f64();
    println!("{servers} servers in {audits} audits, each kept in {:.2} s", seconds / audits as f64);
    print_sizes(&two, &all);
    println!("{:<26} {:>9} {:>9} {:>7} {:>9}", "command (median of runs)", "s of two", "s of all", "ratio", "peak MB");
    for (name, arguments) in [
        ("diff", &["diff"][..]),
        ("diff -o json", &["diff", "-o", "json"]),
        ("diff FIRST LAST", &["diff", "FIRST", "LAST"]),
        ("trend", &["trend"]),
        ("trend --last 1000", &["trend", "--last", "1000"]),
        ("runs", &["runs"]),
        ("runs --all", &["runs", "--all"]),
        ("runs show latest", &["runs", "show", "latest"]),
    ] {
        let [few, many] =
            [&two, &all].map(|state| median((0..RUNS).map(|_| Figures::of(state.command(arguments))).collect()));
        println!("{name:<26} {:>9.3} {:>9.3} {:>7.2} {:>9.1}", few.wall, many.wall, many.wall / few.wall, many.peak);
    }
}

fn print_sizes(two: &State, all: &State) {
    let json = two.command(&["runs", "show", "latest", "-o", "json"]).output().unwrap().stdout.len() as f64;
    let (few, many) = (two.size(), all.size());
    let each = (many - few) / (all.audits - two.audits) as f64;
    println!(
        "{:.1} MB with two audits, {:.1} MB with all: {:.0} kB for each, {:.2} % of its report of {:.1} MB as JSON",
        few / 1e6,
        many / 1e6,
        each / 1e3,
        each / json * 100.0,
        json / 1e6
    );
}

fn make(directory: &Path, audits: u64, servers: usize) {
    let store = AuditStore::open(directory).unwrap();
    let mut fleet = AuditedFleet::large(servers);
    for audit in 0..audits {
        fleet.flip(usize::try_from(audit).unwrap() % ONE_IN, ONE_IN);
        store.save(&fleet.report(audit)).unwrap();
    }
}

impl State {
    fn made(audits: u64, servers: u64) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let mut make = Command::new(std::env::current_exe().unwrap());
        make.arg("make").arg(directory.path()).args([audits, servers].map(|number| number.to_string()));
        assert!(make.status().unwrap().success());
        Self { directory, audits }
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_hostssl"));
        let id = |audit: u64| AuditedFleet::run_id(audit);
        command.args(arguments.iter().map(|argument| match *argument {
            "FIRST" => id(0),
            "LAST" => id(self.audits - 1),
            other => other.to_owned(),
        }));
        command.arg("--state").arg(self.directory.path());
        command
    }

    /// All that is on the disk.
    fn size(&self) -> f64 {
        let files = std::fs::read_dir(self.directory.path()).unwrap();
        files.map(|file| file.unwrap().metadata().unwrap().len()).sum::<u64>() as f64
    }
}
