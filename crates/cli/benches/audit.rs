//! How fast the audit is, how much memory it takes and how many requests it sends, against a simulator in a process of
//! its own. Run `cargo bench -p hostssl --bench audit`; a word after `--` chooses the cases whose name holds it.
//!
//! Figures of one run can be compared with each other, not with those of another machine or day. With the Azure SDK for
//! Python installed by `scripts/test`, the same reads by 16 threads of Python are measured in the same run.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::print_stdout, reason = "a benchmark, run by hand")]

use hostssl_azure_sim::{
    FleetSize, FleetSource, Mix, Rate, Scenario, ServeOptions, Simulation, Throttle, environment, serve, write_files,
};
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

struct Case {
    name: &'static str,
    subscriptions: usize,
    servers: usize,
    latency: u64,
    throttle: Option<(u32, f64)>,
    arguments: &'static [&'static str],
    runs: usize,
}

const ENFORCEMENT: &[&str] = &["audit", "-q", "-o", "none", "--control", "require-secure-transport"];
const DECLARED: &[&str] = &["audit", "-q", "-o", "none"];
const JSON: &[&str] = &["audit", "-q", "-o", "json"];

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
    let simulator = Simulator::start(case);
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

/// Figures of one process.
struct Figures {
    wall: f64,
    cpu: f64,
    peak: f64,
}

impl Figures {
    fn of(mut command: Command) -> Self {
        let start = Instant::now();
        let mut child = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        let (mut peak, mut cpu) = (0.0, 0.0);
        // The kernel's figures vanish with the process: the last look before the end counts.
        while child.try_wait().unwrap().is_none() {
            let of = |file: &str| std::fs::read_to_string(format!("/proc/{}/{file}", child.id())).unwrap_or_default();
            peak = memory(&of("status")).unwrap_or(peak);
            cpu = processor(&of("stat")).unwrap_or(cpu);
            std::thread::sleep(Duration::from_millis(2));
        }
        Self { wall: start.elapsed().as_secs_f64(), cpu, peak }
    }

    fn print(&self, name: &str, requests: u64, refused: u64) {
        println!("{name:<50} {:>9.3} {:>9.2} {:>9.1} {requests:>8} {refused:>6}", self.wall, self.cpu, self.peak);
    }
}

fn memory(status: &str) -> Option<f64> {
    let line = status.lines().find(|line| line.starts_with("VmHWM:"))?;
    Some(line.split_whitespace().nth(1)?.parse::<f64>().ok()? / 1024.0)
}

/// User and system time: the 14th and 15th field, in hundredths of a second.
fn processor(stat: &str) -> Option<f64> {
    let mut fields = stat.rsplit_once(')')?.1.split_whitespace().skip(11);
    let (user, system): (f64, f64) = (fields.next()?.parse().ok()?, fields.next()?.parse().ok()?);
    Some((user + system) / 100.0)
}

fn median(mut runs: Vec<Figures>) -> Figures {
    runs.sort_by(|a, b| a.wall.total_cmp(&b.wall));
    let middle = runs.len() / 2;
    runs.swap_remove(middle)
}

/// The simulator in a process of its own.
struct Simulator {
    child: Child,
    folder: PathBuf,
    variables: Vec<(String, String)>,
}

impl Simulator {
    fn start(case: &Case) -> Self {
        let folder = std::env::temp_dir().join(format!("hostssl-bench-{}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        let (capacity, per_second) = case.throttle.unwrap_or((0, 0.0));
        let numbers = [case.subscriptions, case.servers, case.latency as usize, capacity as usize];
        let mut child = Command::new(std::env::current_exe().unwrap())
            .arg("serve")
            .arg(&folder)
            .args(numbers.map(|number| number.to_string()))
            .arg(per_second.to_string())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(child.stdout.as_mut().unwrap()).lines().map(Result::unwrap);
        let variables = lines.by_ref().take_while(|line| line != "ready");
        let variables = variables.map(|line| line.split_once('=').map(|(n, v)| (n.to_owned(), v.to_owned())).unwrap());
        Self { variables: variables.collect(), child, folder }
    }

    fn command(&self, program: &Path, arguments: &[&str]) -> Command {
        let mut command = Command::new(program);
        command.args(arguments).envs(self.variables.iter().cloned());
        command
    }

    /// What it counted: requests to Resource Manager, and those that it refused with 429.
    fn requests(&self) -> (u64, u64) {
        std::fs::write(self.folder.join("count"), "").unwrap();
        let counted = self.folder.join("counted");
        while !counted.exists() {
            std::thread::sleep(Duration::from_millis(5));
        }
        let text = std::fs::read_to_string(&counted).unwrap();
        std::fs::remove_file(counted).unwrap();
        let (all, refused) = text.split_once(' ').unwrap();
        (all.parse().unwrap(), refused.parse().unwrap())
    }
}

impl Drop for Simulator {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        let _ = std::fs::remove_dir_all(&self.folder);
    }
}

/// The simulator's side: serves one case until it is ended.
fn serve_case(arguments: &[String]) {
    let folder = PathBuf::from(&arguments[0]);
    let number = |index: usize| arguments[index].parse::<usize>().unwrap();
    let size = FleetSize {
        subscriptions_per_tenant: number(1),
        servers: number(2),
        mix: Mix::FLEXIBLE_ONLY,
        ..FleetSize::default()
    };
    let mut scenario = Scenario::of(FleetSource::Generated(size));
    scenario.latency = Duration::from_millis(number(3) as u64);
    if number(4) > 0 {
        let reads = Rate { capacity: number(4) as u32, per_second: arguments[5].parse().unwrap() };
        scenario.throttle = Some(Throttle { reads, ..Throttle::default() });
    }
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    runtime.block_on(async {
        let server = serve(Simulation::new(scenario), ServeOptions::default()).await.unwrap();
        let files = write_files(&server, &folder).unwrap();
        for (name, value) in environment(&server, &files) {
            println!("{name}={value}");
        }
        println!("ready");
        loop {
            tokio::time::sleep(Duration::from_millis(5)).await;
            if std::fs::remove_file(folder.join("count")).is_ok() {
                let requests = server.simulation().requests();
                let sign_in = requests.of(hostssl_azure_sim::Operation::SignIn);
                let text = format!("{} {}", requests.total() - sign_in, requests.with_status(429));
                let part = folder.join("counted.part");
                std::fs::write(&part, text).unwrap();
                std::fs::rename(part, folder.join("counted")).unwrap();
            }
        }
    });
}
