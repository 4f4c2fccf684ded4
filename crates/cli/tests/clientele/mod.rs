//! Clients of five drivers, each of which connects to a server again and again until it is stopped.

use hostssl_test_support::drivers::{ASYNCPG, JdbcProgram, NODE, PSYCOPG};
use hostssl_test_support::postgres::{PASSWORD, RealServer};
use std::path::PathBuf;
use std::process::Command;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// A round is a new process, on a machine that has many of them.
const PATIENCE: Duration = Duration::from_mins(10);

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Driver {
    Psql,
    Psycopg,
    Asyncpg,
    Node,
    Jdbc,
}

impl Driver {
    /// How many there are.
    pub const COUNT: usize = 5;

    /// What the change of the sheet has in it; a client that is fixed does exactly that.
    pub fn change(self) -> &'static str {
        match self {
            Self::Psql | Self::Psycopg | Self::Jdbc => "sslmode=require",
            Self::Asyncpg => "ssl='require'",
            Self::Node => "rejectUnauthorized: false",
        }
    }
}

/// Where the programs of the drivers are.
#[derive(Debug)]
pub struct Programs {
    pub folder: PathBuf,
    pub jdbc: JdbcProgram,
}

/// How one client connects once.
pub struct Dialer {
    pub driver: Driver,
    /// Its role on the server.
    pub user: &'static str,
    /// What it calls itself.
    pub application: &'static str,
    pub server: Arc<RealServer>,
    pub programs: Arc<Programs>,
}

impl Dialer {
    fn command(&self, is_tls: bool) -> Command {
        let mode = if is_tls { "require" } else { "disable" };
        let Self { user, application, server, programs, .. } = self;
        let string = server.string(&format!("user={user} sslmode={mode} application_name='{application}'"));
        let port = server.port.to_string();
        let python = |program: &str, arguments: &[&str]| {
            let mut command = Command::new(programs.folder.join("venv/bin/python"));
            command.args(["-c", program]).args(arguments);
            command
        };
        let mut command = match self.driver {
            Driver::Psql => {
                let mut command = Command::new(server.program("psql"));
                command.args(["-X", "-q", "-c", "select 1", "-d", &string]);
                command
            }
            Driver::Psycopg => python(PSYCOPG, &[&string]),
            Driver::Asyncpg => python(ASYNCPG, &[&port, application, mode]),
            Driver::Node => {
                let mut command = Command::new("node");
                command.args(["-e", NODE]).arg(&programs.folder);
                command.args([port.as_str(), application, if is_tls { "tls" } else { "plain" }]);
                command
            }
            Driver::Jdbc => programs.jdbc.command(&port, application, mode),
        };
        command.env("PGUSER", user).env("PGPASSWORD", PASSWORD);
        command
    }
}

#[derive(Default)]
struct State {
    is_tls: AtomicBool,
    is_over: AtomicBool,
    /// How often it began to connect, and how often it was done.
    began: AtomicUsize,
    rounds: AtomicUsize,
    errors: Mutex<Vec<String>>,
}

/// A client that connects again and again.
pub struct Worker {
    pub driver: Driver,
    pub user: &'static str,
    state: Arc<State>,
    thread: Option<JoinHandle<()>>,
}

impl Worker {
    pub fn start(dialer: Dialer, is_tls: bool, pause: Duration) -> Self {
        let state = Arc::new(State { is_tls: AtomicBool::new(is_tls), ..State::default() });
        let (driver, user, shared) = (dialer.driver, dialer.user, Arc::clone(&state));
        let thread = std::thread::spawn(move || {
            while !shared.is_over.load(Ordering::SeqCst) {
                shared.began.fetch_add(1, Ordering::SeqCst);
                let output = dialer.command(shared.is_tls.load(Ordering::SeqCst)).output().unwrap();
                if !output.status.success() {
                    let text = String::from_utf8_lossy(&output.stderr).into_owned();
                    shared.errors.lock().unwrap().push(text);
                }
                shared.rounds.fetch_add(1, Ordering::SeqCst);
                // Processes that start all the time would leave the servers no room.
                std::thread::sleep(pause);
            }
        });
        Self { driver, user, state, thread: Some(thread) }
    }

    /// Uses TLS from its next connection on.
    pub fn fix(&self) {
        self.state.is_tls.store(true, Ordering::SeqCst);
    }

    /// Waits until a connection has failed.
    pub fn wait_for_an_error(&self) {
        self.wait_until("an error", || !self.errors().is_empty());
    }

    fn wait_until(&self, what: &str, is_done: impl Fn() -> bool) {
        let start = Instant::now();
        while !is_done() {
            assert!(start.elapsed() < PATIENCE, "{what} of {}", self.user);
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    pub fn errors(&self) -> Vec<String> {
        self.state.errors.lock().unwrap().clone()
    }

    /// Ends it, and says how often it connected or tried to.
    pub fn stop(&mut self) -> usize {
        self.state.is_over.store(true, Ordering::SeqCst);
        if let Some(thread) = self.thread.take() {
            thread.join().unwrap();
        }
        self.state.rounds.load(Ordering::SeqCst)
    }
}

/// Waits until each has connected, or tried to, once more from the beginning, whatever it was doing.
pub fn wait_for_rounds<'a>(workers: impl Iterator<Item = &'a Worker>) {
    let begun: Vec<_> = workers.map(|worker| (worker, worker.state.began.load(Ordering::SeqCst))).collect();
    for (worker, begun) in begun {
        worker.wait_until("a round", || worker.state.rounds.load(Ordering::SeqCst) > begun);
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        self.state.is_over.store(true, Ordering::SeqCst);
    }
}
