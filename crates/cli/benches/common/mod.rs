//! Processes that are measured, and a simulated Azure in a process of its own.

#![allow(dead_code, reason = "every benchmark uses its own part")]
#![allow(unreachable_pub, missing_docs, reason = "a module of a benchmark")]
#![allow(clippy::unwrap_used, clippy::print_stdout, reason = "a benchmark, run by hand")]

use hostssl_azure_sim::{
    FleetSize, FleetSource, Mix, Rate, Scenario, ServeOptions, Simulation, Throttle, environment, serve, write_files,
};
use serde::{Deserialize, Serialize};
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// A simulated Azure to measure against.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct Azure {
    pub subscriptions: usize,
    pub servers: usize,
    /// Time before each answer, in milliseconds.
    pub latency: u64,
    /// Reads at once, and a second, for each subscription.
    pub throttle: Option<(u32, f64)>,
    /// Whether the buckets are those that Azure documents.
    pub documented_buckets: bool,
    /// Time that a write takes, in milliseconds.
    pub operation: u64,
    /// Whether every server lets clients connect in plaintext.
    pub open: bool,
    /// Whether the servers are of every kind, with replicas, and some need a second change.
    pub mixed: bool,
}

/// Figures of one process.
pub struct Figures {
    pub wall: f64,
    pub cpu: f64,
    pub peak: f64,
}

impl Figures {
    pub fn of(mut command: Command) -> Self {
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

    pub fn print(&self, name: &str, requests: u64, refused: u64) {
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

pub fn median(mut runs: Vec<Figures>) -> Figures {
    runs.sort_by(|a, b| a.wall.total_cmp(&b.wall));
    let middle = runs.len() / 2;
    runs.swap_remove(middle)
}

/// The simulator in a process of its own.
pub struct Simulator {
    child: Child,
    folder: PathBuf,
    variables: Vec<(String, String)>,
}

impl Simulator {
    pub fn start(azure: &Azure) -> Self {
        let folder = std::env::temp_dir().join(format!("hostssl-bench-{}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        let mut child = Command::new(std::env::current_exe().unwrap())
            .arg("serve")
            .arg(&folder)
            .arg(serde_json::to_string(azure).unwrap())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(child.stdout.as_mut().unwrap()).lines().map(Result::unwrap);
        let variables = lines.by_ref().take_while(|line| line != "ready");
        let variables = variables.map(|line| line.split_once('=').map(|(n, v)| (n.to_owned(), v.to_owned())).unwrap());
        Self { variables: variables.collect(), child, folder }
    }

    /// A folder that lives as long as it does.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    pub fn command(&self, program: &Path, arguments: &[&str]) -> Command {
        let mut command = Command::new(program);
        command.args(arguments).envs(self.variables.iter().cloned());
        command
    }

    /// What it counted: requests to Resource Manager, and those that it refused with 429.
    pub fn requests(&self) -> (u64, u64) {
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
pub fn serve_case(arguments: &[String]) {
    let folder = PathBuf::from(&arguments[0]);
    let azure: Azure = serde_json::from_str(&arguments[1]).unwrap();
    let size = FleetSize {
        subscriptions_per_tenant: azure.subscriptions,
        servers: azure.servers,
        mix: if azure.mixed { Mix::default() } else { Mix::FLEXIBLE_ONLY },
        ..FleetSize::default()
    };
    let mut scenario = Scenario::of(FleetSource::Generated(size));
    scenario.latency = Duration::from_millis(azure.latency);
    scenario.writes.duration = Duration::from_millis(azure.operation);
    if azure.documented_buckets {
        scenario.throttle = Some(Throttle::default());
    }
    if let Some((capacity, per_second)) = azure.throttle {
        scenario.throttle = Some(Throttle { reads: Rate { capacity, per_second }, ..Throttle::default() });
    }
    let simulation = Simulation::new(scenario);
    if azure.open {
        for server in simulation.server_ids() {
            // Not every kind of server has the parameter.
            let set = simulation.set_parameter(&server, "require_secure_transport", "off");
            assert!(set.is_ok() || azure.mixed, "{server}");
        }
    }
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    runtime.block_on(async {
        let server = serve(simulation, ServeOptions::default()).await.unwrap();
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
