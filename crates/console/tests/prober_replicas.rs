//! Two consoles of one store, with their ports for probers behind one address.

#![allow(clippy::unwrap_used, reason = "a test may stop at the first surprise")]

use futures::FutureExt as _;
use futures::future::BoxFuture;
use hostssl_azure_sim::{
    Fleet, FleetSource, Kind, Scenario, Server, Simulation, Subscription, Tenant as SimTenant, Wire,
};
use hostssl_console::{Console, ConsoleOptions, ZoneFiles, ZoneSource};
use hostssl_ops::read_zones;
use hostssl_probe::dial::{Dial, Stream};
use hostssl_prober::{
    ConsoleError, FencedDial, JoinString, ProberFence, ProberKey, ProberNews, ProberRunError, ProberRunOptions,
    RoundTally, run_prober,
};
use hostssl_store::{AuditStore, StateDirectory};
use hostssl_store_postgres::PostgresLog;
use hostssl_test_support::postgres::{RealServer, USER, installed};
use hostssl_test_support::real_login::login_to;
use hostssl_test_support::served_console::{connector, options};
use hostssl_test_support::simulated_listeners::prober_of;
use jiff::{SignedDuration, Timestamp};
use std::io;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;
use tempfile::TempDir;

const RULES: &str = "[[rule]]\nzone = \"hub-weu\"\nvirtual-network = \"vnet-data\"\n";

/// A server that only its network reaches.
fn simulation() -> Simulation {
    let subscription = Subscription {
        id: "20000000-0000-4000-8000-000000000001".into(),
        name: "Alpha".into(),
        servers: vec![Server { private: true, ..Server::new(Kind::Flexible, "rg-a", "pg-ledger") }],
        ..Subscription::default()
    };
    let tenant = SimTenant {
        id: "10000000-0000-4000-8000-000000000001".into(),
        name: "Contoso".into(),
        groups: Vec::new(),
        subscriptions: vec![subscription],
    };
    Simulation::new(Scenario::of(FleetSource::Listed(Fleet { tenants: vec![tenant] })))
}

fn with_zones() -> ConsoleOptions {
    let read = |_: &Path| Ok(ZoneFiles { rules: Some(read_zones(RULES).unwrap()), looks: Vec::new() });
    let zones = ZoneSource {
        read: Arc::new(read),
        stamp: Arc::new(|_| Some(1)),
        given: true,
        longest: SignedDuration::from_hours(24),
    };
    ConsoleOptions { zones: Some(zones), ..options() }
}

/// A fence in front of a network that is not asked.
#[derive(Debug)]
struct Nowhere;

impl Dial for Nowhere {
    fn resolve<'a>(&'a self, _: &'a str, _: u16) -> BoxFuture<'a, io::Result<Vec<SocketAddr>>> {
        std::future::ready(Err(io::ErrorKind::NotFound.into())).boxed()
    }

    fn connect<'a>(&'a self, _: &'a str, _: SocketAddr) -> BoxFuture<'a, io::Result<Stream>> {
        std::future::ready(Err(io::ErrorKind::NotFound.into())).boxed()
    }
}

/// A console on a machine of its own, with its copy of a store; its port for probers has this key, or one of its own.
struct Replica {
    address: SocketAddr,
    directory: TempDir,
    _task: tokio::task::JoinHandle<()>,
}

impl Replica {
    async fn start(server: &RealServer, simulation: &Simulation, key: Option<&Path>) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let listen = || Console::listen("127.0.0.1:0".parse().unwrap());
        let state = Self::state(server, directory.path());
        let console = Console::new(with_zones(), listen().await.unwrap(), state, connector(simulation.clone()));
        let console = console.unwrap().with_probers(listen().await.unwrap(), key).unwrap();
        let address = console.prober_address().unwrap();
        Self { address, directory, _task: tokio::spawn(console.run(std::future::pending())) }
    }

    fn state(server: &RealServer, directory: &Path) -> StateDirectory {
        let log = Arc::new(PostgresLog::new(vec![login_to(server, "postgres", USER)], directory));
        StateDirectory::copy_of(directory.to_owned(), log)
    }

    /// The join string, with the address of this console.
    fn reached_by(&self, join: &JoinString) -> JoinString {
        let text = join.to_string();
        let (_, rest) = text.split_once('#').unwrap();
        format!("https://{}#{rest}", self.address).parse().unwrap()
    }
}

/// One round, and where it was told that the console has moved from.
async fn round(
    simulation: &Simulation,
    state: &Path,
    join: JoinString,
) -> (Result<RoundTally, ProberRunError>, Vec<String>) {
    let ports = vec![5432, 6432, 8432];
    let options = ProberRunOptions {
        join: Some(join),
        state: state.to_owned(),
        every: None,
        patience: Duration::ZERO,
        prober: Arc::new(prober_of(Wire::inside(simulation).unwrap())),
        fence: Arc::new(FencedDial::new(ProberFence::new(ports, vec!["*".into()], Vec::new()), Arc::new(Nowhere))),
        at_once: 4,
        version: "0".into(),
    };
    let mut moved = Vec::new();
    let mut tell = |news| {
        if let ProberNews::Moved { from } = news {
            moved.push(from);
        }
    };
    let done = run_prober(&options, &mut tell).await;
    (done, moved)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_prober_that_is_moved_to_the_other_replica_is_known_there() {
    let Some(binaries) = installed(15) else { return };
    let server = RealServer::start(15, binaries, &[("fsync", "on"), ("log_statement", "none")]);
    let (simulation, folder) = (simulation(), tempfile::tempdir().unwrap());
    let file = folder.path().join("key.pem");
    let pin = ProberKey::load_or_make(&file).unwrap().pin();
    let one = Replica::start(&server, &simulation, Some(&file)).await;
    let two = Replica::start(&server, &simulation, Some(&file)).await;
    let other = Replica::start(&server, &simulation, None).await;
    for replica in [&one, &two] {
        assert!(!replica.directory.path().join("prober-port-key.pem").exists());
    }

    let join = JoinString::new(&format!("https://{}", one.address), pin).unwrap().unwrap();
    let store = AuditStore::open(Replica::state(&server, one.directory.path())).unwrap();
    let expires_ms = Timestamp::now().as_millisecond() + 3_600_000;
    store.add_join_secret(&join.secret_sha256(), "hub-weu", expires_ms).unwrap();
    let (state, probers) = (folder.path().join("prober"), || store.probers().unwrap().probers);
    let (first, _) = round(&simulation, &state, join.clone()).await;
    let looked = first.unwrap().looked;
    assert!(looked > 0);
    let seen_ms = probers()[0].seen_ms;

    let (second, moved) = round(&simulation, &state, two.reached_by(&join)).await;
    assert_eq!((second.unwrap().looked, moved.len()), (looked, 1));
    store.follow().unwrap();
    assert!(probers().len() == 1 && probers()[0].seen_ms > seen_ms, "the same prober, at the other console");

    let (third, _) = round(&simulation, &state, other.reached_by(&join)).await;
    assert!(matches!(third, Err(ProberRunError::Console(ConsoleError::Stranger { .. }))), "{third:?}");
}
