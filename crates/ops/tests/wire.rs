//! The audit with a look at the wire, through every way in which a listener can stay unseen.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test may stop at the first surprise")]

mod common;

use common::{limits, scenario, tenant};
use futures::future::{BoxFuture, FutureExt};
use hostssl_audit::Profile;
use hostssl_azure_sim::{Fault, FaultRule, Kind as SimKind, Operation, Server, Simulation, Wire, WireQuirk};
use hostssl_model::Stop;
use hostssl_model::{AuditReport, Outcome, Reading, Reason, Scope, WireTransport};
use hostssl_ops::{AuditRequest, Discovery, ListenerProbe, RunContext, audit_and_probe};
use hostssl_probe::certificate::RootStore;
use hostssl_probe::dial::{Dial, Stream};
use hostssl_probe::{ProbeOptions, Prober};
use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::watch;

/// The simulated listeners, with something in between.
#[derive(Debug)]
struct Through {
    wire: Wire,
    between: Between,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Between {
    Nothing,
    /// Connections to 6432 find no answer, as behind a firewall that drops.
    SilentPooler,
    /// Connections to 6432 are refused, as by a firewall that answers.
    RefusedPooler,
    /// No connection is ever answered.
    BlackHole,
}

impl Dial for Through {
    fn resolve<'a>(&'a self, host: &'a str, port: u16) -> BoxFuture<'a, io::Result<Vec<SocketAddr>>> {
        let found = self.wire.resolve(host).map(|ip| vec![SocketAddr::new(ip, port)]);
        std::future::ready(found.ok_or_else(|| io::ErrorKind::NotFound.into())).boxed()
    }

    fn connect<'a>(&'a self, _: &'a str, address: SocketAddr) -> BoxFuture<'a, io::Result<Stream>> {
        match self.between {
            Between::SilentPooler if address.port() == 6432 => {
                std::future::ready(Err(io::ErrorKind::TimedOut.into())).boxed()
            }
            Between::RefusedPooler if address.port() == 6432 => {
                std::future::ready(Err(io::ErrorKind::ConnectionRefused.into())).boxed()
            }
            Between::BlackHole => std::future::pending().boxed(),
            _ => {
                let connected = self.wire.connect(address, IpAddr::V4(Ipv4Addr::LOCALHOST));
                std::future::ready(connected.map(Stream::Memory)).boxed()
            }
        }
    }
}

async fn run(servers: Vec<Server>, between: Between, faults: &[FaultRule], stop: Option<Stop>) -> AuditReport {
    let simulation = Simulation::new(scenario(servers));
    for fault in faults {
        simulation.inject(fault.clone()).unwrap();
    }
    let (give, signal) = watch::channel(None);
    let tenants = [tenant(&simulation, limits(), signal.clone())];
    let wire = Wire::new(&simulation).unwrap();
    let roots: Vec<_> =
        wire.roots().iter().map(|root| RootStore::from_der(root.name, vec![root.der.clone()]).unwrap()).collect();
    let options = ProbeOptions {
        roots: roots.into(),
        dialer: Arc::new(Through { wire, between }),
        connect_timeout: Duration::from_secs(60),
        job_timeout: Duration::from_secs(60),
        ..ProbeOptions::quick()
    };
    let clock = || "2026-11-24T00:00:00Z".parse().unwrap();
    let probe = ListenerProbe::new(Prober::new(options).unwrap(), 8, signal, clock);
    let profile = Profile::find_for("baseline", true).unwrap();
    let request = AuditRequest { scope: Scope::default(), profile, discovery: Discovery::Lists };
    let clock = || "2026-11-24T00:00:00Z".parse().unwrap();
    let context = RunContext::begin("run", &clock, "0");
    if let Some(stop) = stop {
        tokio::spawn(async move {
            tokio::time::sleep(Duration::from_millis(200)).await;
            give.send_replace(Some(stop));
            // The word stays given.
            std::future::pending::<()>().await;
        });
    }
    audit_and_probe(&tenants, &request, Some(&probe), context, &mut |_| {}).await.unwrap()
}

fn orders() -> Server {
    Server::new(SimKind::Flexible, "rg", "orders")
}

/// Ports that were seen, and why others were not.
fn looks(report: &AuditReport) -> Vec<(u16, Result<WireTransport, Reason>)> {
    let looks = report.servers[0].wire.iter();
    looks
        .map(|look| match &look.listener {
            Reading::Known(listener) => (look.port, Ok(listener.transport)),
            Reading::Unknown(unchecked) => (look.port, Err(unchecked.reason)),
        })
        .collect()
}

#[tokio::test]
async fn a_server_without_a_pooler_passes_whole() {
    let report = run(vec![orders()], Between::Nothing, &[], None).await;
    assert_eq!(looks(&report), [(5432, Ok(WireTransport::Enforced))]);
    assert_eq!((report.servers[0].outcome, report.run.complete), (Outcome::Pass, true));
}

#[tokio::test]
async fn a_pooler_is_looked_at_too() {
    let server = orders().with("pgbouncer.enabled", "true").quirky(WireQuirk::PoolerPlaintextAccepted);
    let report = run(vec![server], Between::Nothing, &[], None).await;
    assert_eq!(looks(&report), [(5432, Ok(WireTransport::Enforced)), (6432, Ok(WireTransport::Optional))]);
    assert_eq!(report.servers[0].outcome, Outcome::Fail);
}

#[tokio::test]
async fn a_pooler_that_cannot_be_reached_is_unknown_unless_azure_says_that_there_is_none() {
    for between in [Between::SilentPooler, Between::RefusedPooler] {
        let report = run(vec![orders()], between, &[], None).await;
        assert_eq!(looks(&report), [(5432, Ok(WireTransport::Enforced))]);
        let there = orders().with("pgbouncer.enabled", "true");
        let report = run(vec![there], between, &[], None).await;
        assert_eq!(looks(&report)[1], (6432, Err(Reason::Unreachable)));
        assert_eq!((report.servers[0].outcome, report.run.complete), (Outcome::Unknown, false));
        // Azure does not say: it stays unknown.
        let forbidden = FaultRule::new(hostssl_azure_sim::FaultScope::Everywhere, Fault::Forbidden)
            .during([Operation::GetConfiguration]);
        let report = run(vec![orders()], between, &[forbidden], None).await;
        assert_eq!(looks(&report)[1], (6432, Err(Reason::Unreachable)));
    }
}

#[tokio::test]
async fn the_administrator_that_azure_names_is_asked_for_too() {
    let report = run(vec![orders()], Between::Nothing, &[], None).await;
    assert_eq!(report.servers[0].server.administrator.as_deref(), Some("pgadmin"));
    let Reading::Known(listener) = &report.servers[0].wire[0].listener else { panic!("it was seen") };
    // The administrator with each of the four databases, postgres with its own, names that cannot exist, and three that replicate.
    assert!(listener.why.starts_with("all 9 plaintext startups probed are refused"), "{}", listener.why);
}

#[tokio::test]
async fn the_databases_that_azure_names_are_asked_for_too() {
    let server = orders().quirky(WireQuirk::DatabasePlaintextAccepted);
    let report = run(vec![server.clone()], Between::Nothing, &[], None).await;
    assert_eq!(looks(&report), [(5432, Ok(WireTransport::Optional))]);
    assert_eq!(report.servers[0].outcome, Outcome::Fail);
    // Where they cannot be listed, the run says so, with the permission that is missing.
    let forbidden =
        FaultRule::new(hostssl_azure_sim::FaultScope::Everywhere, Fault::Forbidden).during([Operation::ListDatabases]);
    let report = run(vec![orders()], Between::Nothing, &[forbidden], None).await;
    assert_eq!(looks(&report), [(5432, Ok(WireTransport::Enforced))]);
    assert!(!report.run.complete);
    let [gap] = &report.gaps[..] else { panic!("{:?}", report.gaps) };
    let needed = "Microsoft.DBforPostgreSQL/flexibleServers/databases/read";
    assert_eq!((gap.unchecked.reason, gap.unchecked.missing_permission.as_deref()), (Reason::Permission, Some(needed)));
}

/// Of these kinds Azure does not say whether they have a pooler, so that a port that refuses says nothing.
#[tokio::test]
async fn a_port_that_refuses_is_no_proof_that_there_is_no_pooler() {
    for kind in [SimKind::Cosmos, SimKind::Horizon] {
        let mut servers = vec![Server::new(kind, "rg", "orders")];
        if kind == SimKind::Horizon {
            servers[0].parameter_group = Some("strict".to_owned());
            servers.push(Server::new(SimKind::ParameterGroup, "rg", "strict"));
        }
        let report = run(servers.clone(), Between::Nothing, &[], None).await;
        assert_eq!(looks(&report), [(5432, Ok(WireTransport::Enforced)), (6432, Ok(WireTransport::Enforced))]);
        let report = run(servers, Between::RefusedPooler, &[], None).await;
        assert_eq!(looks(&report)[1], (6432, Err(Reason::Unreachable)));
        assert_eq!((report.servers[0].outcome, report.run.complete), (Outcome::Unknown, false));
    }
}

#[tokio::test]
async fn a_stop_leaves_the_wire_unknown_with_its_reason() {
    for (stop, reason) in [(Stop::Deadline, Reason::Deadline), (Stop::Interrupted, Reason::Interrupted)] {
        let report = run(vec![orders()], Between::BlackHole, &[], Some(stop)).await;
        assert_eq!(looks(&report), [(5432, Err(reason)), (6432, Err(reason))]);
        assert_eq!((report.servers[0].outcome, report.run.complete), (Outcome::Unknown, false));
    }
}

#[tokio::test]
async fn a_server_in_a_virtual_network_has_no_vantage_here() {
    let report = run(vec![Server { private: true, ..orders() }], Between::Nothing, &[], None).await;
    assert_eq!(looks(&report), [(5432, Err(Reason::NoVantage)), (6432, Err(Reason::NoVantage))]);
    assert_eq!(report.servers[0].outcome, Outcome::Unknown);
}
