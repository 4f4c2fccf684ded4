//! A simulated Azure whose servers are real: each has a PostgreSQL behind it, whose log files it lists and serves, and which
//! follows its switch.

use crate::common::{Done, hostssl, start};
use hostssl_azure_sim::{
    Fleet, FleetSource, Kind, Operation, RunningServer, Scenario, ServeOptions, Server, Simulation, Subscription,
    Tenant, environment, serve, write_files,
};
use hostssl_test_support::postgres::{PASSWORD, RealServer, USER};
use serde_json::Value;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

const SWITCH: &str = "require_secure_transport";
const TENANT: &str = "10000000-0000-4000-8000-000000000009";
const SUBSCRIPTION: &str = "20000000-0000-4000-8000-000000000009";
/// Lines that admit TLS alone, as Azure's servers have while the switch is on.
const ENFORCED: &str = "local all all scram-sha-256\nhostssl all all 127.0.0.1/32 scram-sha-256\n\
                        hostssl replication all 127.0.0.1/32 scram-sha-256\n";

/// A simulated Azure that is served on loopback, and its servers.
pub struct RealAzure {
    _runtime: tokio::runtime::Runtime,
    served: RunningServer,
    folder: PathBuf,
    variables: Vec<(String, String)>,
    rules: Vec<String>,
    agent: Agent,
}

/// The name of the server in this place.
pub fn server_name(place: usize) -> String {
    format!("pg-drill-{:02}", place + 1)
}

fn host(place: usize) -> String {
    format!("{}.postgres.database.azure.com.invalid", server_name(place))
}

fn scenario(servers: &[Arc<RealServer>]) -> Scenario {
    let server = |(place, real): (usize, &Arc<RealServer>)| {
        let server = Server::new(Kind::Flexible, "rg-drill", server_name(place)).with(SWITCH, "off");
        Server { version: real.version, ..server }
    };
    let servers = servers.iter().enumerate().map(server).collect();
    let subscription =
        Subscription { id: SUBSCRIPTION.to_owned(), name: "Drill".to_owned(), servers, ..Subscription::default() };
    let tenant = Tenant {
        id: TENANT.to_owned(),
        name: "drill.example".to_owned(),
        subscriptions: vec![subscription],
        ..Tenant::default()
    };
    Scenario::of(FleetSource::Listed(Fleet { tenants: vec![tenant] }))
}

impl RealAzure {
    /// Serves one, with these behind its servers. Nothing is enforced, and no log file is offered.
    pub fn start(servers: &[Arc<RealServer>]) -> Self {
        let simulation = Simulation::new(scenario(servers));
        let ids = simulation.server_ids();
        let id = |place| ids.iter().find(|id| id.ends_with(&server_name(place))).unwrap().clone();
        let mut followers = Vec::new();
        for (place, real) in servers.iter().enumerate() {
            simulation.set_real_logs(&id(place), real.folder().join("log")).unwrap();
            followers.push(Follower::new(id(place), Arc::clone(real)));
        }
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        let served = runtime.block_on(serve(simulation.clone(), ServeOptions::default())).unwrap();
        let folder = std::env::temp_dir().join(format!("hostssl-drill-{}", std::process::id()));
        let _ = std::fs::remove_dir_all(&folder);
        let files = write_files(&served, &folder).unwrap();
        let roots = servers.iter().map(|server| std::fs::read_to_string(server.root()).unwrap());
        std::fs::write(&files.ca, served.ca_pem.clone() + &roots.collect::<String>()).unwrap();
        let mut variables = environment(&served, &files);
        variables.push(("HOSTSSL_STATE".to_owned(), folder.join("state").display().to_string()));
        let rules = servers.iter().enumerate();
        let rules = rules.map(|(place, real)| format!("{}:5432:127.0.0.1:{}", host(place), real.port)).collect();
        let agent = Agent::start(simulation, followers);
        Self { _runtime: runtime, served, folder, variables, rules, agent }
    }

    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// Runs the program against it.
    pub fn run(&self, arguments: &[&str]) -> Done {
        let mut command = hostssl();
        command.args(arguments).envs(self.variables.iter().cloned()).env("PGPASSWORD", PASSWORD);
        start(&mut command).finish()
    }

    /// The same, for a command that connects to the servers by the names that they have in Azure.
    pub fn run_connected(&self, arguments: &[&str]) -> Done {
        let ways = self.rules.iter().flat_map(|rule| ["--connect-to", rule]);
        self.run(&arguments.iter().copied().chain(ways).collect::<Vec<_>>())
    }

    /// The census of every server, through Resource Manager and the sessions of the moment: one report.
    pub fn census(&self) -> Value {
        let done = self.run_connected(&["clients", "-o", "json", "--sessions", "--user", USER]);
        serde_json::from_str(&done.stdout).unwrap_or_else(|error| panic!("{error}: {}", done.stderr))
    }

    /// What the wire says of every server, by the names that they have in Azure.
    pub fn verdicts(&self) -> Vec<String> {
        // With the port, so that no pooler is looked for.
        let targets: Vec<String> = (0..self.rules.len()).map(|place| format!("{}:5432", host(place))).collect();
        let mut arguments = vec!["probe", "-o", "json", "--no-save"];
        arguments.extend(targets.iter().map(String::as_str));
        let done = self.run_connected(&arguments);
        let report: Value =
            serde_json::from_str(&done.stdout).unwrap_or_else(|error| panic!("{error}: {}", done.stderr));
        let endpoints = report["endpoints"].as_array().unwrap();
        endpoints.iter().map(|endpoint| endpoint["verdict"].as_str().unwrap().to_owned()).collect()
    }

    /// Makes a plan in a file of this name and applies it. Returns the plan.
    pub fn plan_and_apply(&self, name: &str, options: &[&str]) -> Value {
        let file = self.folder.join(format!("{name}.json")).display().to_string();
        let done = self.run(&[&["plan", "-o", "json", "--out", &file], options].concat());
        let plan: Value = serde_json::from_str(&done.stdout).unwrap_or_else(|error| panic!("{error}: {}", done.stderr));
        assert_eq!(done.code, 0, "{}", done.stderr);
        let done = self.run(&["apply", &file, "--approve", plan["hash"].as_str().unwrap(), "-o", "json"]);
        assert_eq!(done.code, 0, "{}", done.stderr);
        plan
    }

    /// Waits until every real server has taken on what its simulated one has.
    pub fn wait_until_enforced(&self) {
        let start = Instant::now();
        while !self.agent.enforced.lock().unwrap().iter().all(|is_enforced| *is_enforced) {
            assert!(start.elapsed() < Duration::from_mins(2), "the agent enforces");
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// How many log files were downloaded, and how many writes were accepted.
    pub fn counts(&self) -> (u64, usize) {
        let requests = self.served.simulation().requests();
        (requests.of(Operation::DownloadLogFile), requests.writes.len())
    }
}

impl Drop for RealAzure {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.folder);
    }
}

/// One real server, and the value that it follows.
struct Follower {
    id: String,
    server: Arc<RealServer>,
    open: String,
    is_enforced: bool,
}

impl Follower {
    fn new(id: String, server: Arc<RealServer>) -> Self {
        let open = std::fs::read_to_string(server.folder().join("data/pg_hba.conf")).unwrap();
        Self { id, server, open, is_enforced: false }
    }

    fn follow(&mut self, simulation: &Simulation) {
        let is_wanted = simulation.parameter(&self.id, SWITCH).unwrap().eq_ignore_ascii_case("on");
        if is_wanted != self.is_enforced {
            let lines = if is_wanted { ENFORCED } else { &self.open };
            std::fs::write(self.server.folder().join("data/pg_hba.conf"), lines).unwrap();
            self.server.psql("sslmode=require application_name=azure", "select pg_reload_conf()");
            self.is_enforced = is_wanted;
        }
    }
}

/// Does to the real servers what Azure does to its own.
struct Agent {
    is_over: Arc<AtomicBool>,
    enforced: Arc<Mutex<Vec<bool>>>,
    thread: Option<JoinHandle<()>>,
}

impl Agent {
    fn start(simulation: Simulation, mut followers: Vec<Follower>) -> Self {
        let is_over = Arc::new(AtomicBool::new(false));
        let enforced = Arc::new(Mutex::new(vec![false; followers.len()]));
        let (over, shown) = (Arc::clone(&is_over), Arc::clone(&enforced));
        let thread = std::thread::spawn(move || {
            while !over.load(Ordering::SeqCst) {
                followers.iter_mut().for_each(|follower| follower.follow(&simulation));
                *shown.lock().unwrap() = followers.iter().map(|follower| follower.is_enforced).collect();
                std::thread::sleep(Duration::from_millis(50));
            }
        });
        Self { is_over, enforced, thread: Some(thread) }
    }
}

impl Drop for Agent {
    fn drop(&mut self) {
        self.is_over.store(true, Ordering::SeqCst);
        if let Some(thread) = self.thread.take() {
            // Whether it failed or not shows in what it has done.
            let _ = thread.join();
        }
    }
}
