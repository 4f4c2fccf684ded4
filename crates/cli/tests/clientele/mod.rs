//! Clients of five drivers, each of which connects to a server again and again until it is stopped.

use hostssl_test_support::drivers::{DriverClient, WireDriver};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// How long a round may take on a machine that does much else.
const PATIENCE: Duration = Duration::from_mins(10);
/// What the change of the sheet has in it; a client that is fixed does exactly that.
pub fn change(driver: WireDriver) -> &'static str {
    match driver {
        WireDriver::Psql | WireDriver::Psycopg | WireDriver::Jdbc => "sslmode=require",
        WireDriver::Asyncpg => "ssl='require'",
        WireDriver::NodePostgres => "rejectUnauthorized: false",
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
    pub driver: WireDriver,
    /// Its role on the server.
    pub user: &'static str,
    state: Arc<State>,
    thread: Option<JoinHandle<()>>,
}

impl Worker {
    /// Starts one, which calls itself `application`, and rests for `pause` between two connections.
    pub fn start(
        driver: WireDriver,
        user: &'static str,
        application: &'static str,
        mut client: DriverClient,
        is_tls: bool,
        pause: Duration,
    ) -> Self {
        let state = Arc::new(State { is_tls: AtomicBool::new(is_tls), ..State::default() });
        let shared = Arc::clone(&state);
        let thread = std::thread::spawn(move || {
            while !shared.is_over.load(Ordering::SeqCst) {
                shared.began.fetch_add(1, Ordering::SeqCst);
                if let Err(error) = client.connect(application, shared.is_tls.load(Ordering::SeqCst)) {
                    shared.errors.lock().unwrap().push(error);
                }
                shared.rounds.fetch_add(1, Ordering::SeqCst);
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

    /// Tells it to connect no more.
    pub fn end(&self) {
        self.state.is_over.store(true, Ordering::SeqCst);
    }

    /// Waits for its end, and says how often it connected or tried to.
    pub fn stop(&mut self) -> usize {
        self.end();
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
        self.end();
    }
}
