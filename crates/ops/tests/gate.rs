//! The simulated Azure, its clients and the gate: what a census says is what the listeners do.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test may stop at the first surprise")]
#![allow(unreachable_pub, missing_docs, dead_code, reason = "a module of this test, shared with others")]

mod common;

use common::{limits, tenant};
use hostssl_azure_sim::{Scenario, Simulation, Wire};
use hostssl_census::{CensusVerdict, Client, KeptCensus, Millis, Requirements, Restriction, SessionTls};
use hostssl_model::Scope;
use hostssl_ops::{Tenant, take_census};
use std::net::SocketAddr;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::sync::watch;

const DAY: Millis = 86_400_000;

/// Looks at the clients of a server of the demonstration, as they were so many days ago.
async fn look(simulation: &Simulation, tenant: &Tenant, server: &str, days: u32, now: Millis) -> KeptCensus {
    simulation.set_log_age(days);
    let scope = Scope { servers: vec![server.to_owned()], ..Scope::default() };
    let looked_at = now - Millis::from(days) * DAY;
    let mut seen = take_census(std::slice::from_ref(tenant), &scope, looked_at, &[]).await.unwrap();
    simulation.set_log_age(0);
    seen.servers.remove(0).look
}

fn demo() -> (Simulation, Tenant) {
    let simulation = Simulation::new(Scenario::named("demo").unwrap());
    let tenant = tenant(&simulation, limits(), watch::channel(None).1);
    (simulation, tenant)
}

#[tokio::test]
async fn a_nightly_job_is_in_a_census_of_two_weeks_and_not_forgotten_in_one_of_a_week() {
    let (simulation, tenant) = demo();
    let now = jiff::Timestamp::now().as_millisecond();
    let judge = |kept: &KeptCensus, days: Millis| {
        let report = kept.judge(Requirements { window: days * DAY, now: Some(now) }, None);
        (report.verdict, report.reason)
    };
    let today = look(&simulation, &tenant, "pg-keycloak", 0, now).await;
    assert_eq!(judge(&today, 7).0, CensusVerdict::Safe, "{}", judge(&today, 7).1);
    assert_eq!(judge(&today, 14).0, CensusVerdict::NeedsObservation, "Azure keeps a week: {}", judge(&today, 14).1);
    let mut kept = KeptCensus::default();
    for days in [14, 7, 0] {
        kept.merge(look(&simulation, &tenant, "pg-keycloak", days, now).await);
    }
    let (verdict, reason) = judge(&kept, 7);
    assert_eq!(verdict, CensusVerdict::NeedsObservation, "{reason}");
    assert!(reason.contains("has not been observed since"), "{reason}");
    assert_eq!(judge(&kept, 14).0, CensusVerdict::Breaks, "{}", judge(&kept, 14).1);
    let report = kept.judge(Requirements { window: 14 * DAY, now: Some(now) }, None);
    assert_eq!(report.clients[0].user.as_deref(), Some("billing"));
    // The newest of the kept looks has nothing on the job, and takes nothing away either.
    kept.merge(today);
    assert_eq!(judge(&kept, 14).0, CensusVerdict::Breaks);
}

/// What a client of the census gets: the first byte of the answer to its startup, in plaintext or to its request for TLS.
async fn answer(wire: &Wire, server: &str, client: &Client) -> u8 {
    let host = format!("{server}.postgres.database.azure.com.invalid");
    let from = client.address.as_deref().unwrap().parse().unwrap();
    let mut stream = wire.connect(SocketAddr::new(wire.resolve(&host).unwrap(), 5432), from).unwrap();
    let (user, database) = (client.user.as_deref().unwrap(), client.database.as_deref().unwrap());
    let body = format!("\0\x03\0\0user\0{user}\0database\0{database}\0\0");
    let startup = [&u32::try_from(body.len() + 4).unwrap().to_be_bytes()[..], body.as_bytes()].concat();
    let ssl_request = [0, 0, 0, 8, 4, 0xd2, 0x16, 0x2f];
    let first: &[u8] = if client.tls == SessionTls::Tls { &ssl_request } else { &startup };
    stream.write_all(first).await.unwrap();
    stream.read_u8().await.unwrap()
}

#[tokio::test]
async fn enforcement_refuses_exactly_the_clients_that_the_census_named() {
    let (simulation, tenant) = demo();
    let wire = Wire::new(&simulation).unwrap();
    let now = jiff::Timestamp::now().as_millisecond();
    let server = "pg-catalog-prod";
    let kept = look(&simulation, &tenant, server, 0, now).await;
    let report = kept.judge(Requirements { now: Some(now), ..Requirements::default() }, None);
    let named = kept.impact(Restriction::RequireTls, Requirements { now: Some(now), ..Requirements::default() }, None);
    assert_eq!((report.clients.len(), named.clients.len()), (3, 2), "{}", report.reason);
    for client in &report.clients {
        // R: the server asks for the password, S: it goes on with TLS.
        let expected = if client.tls == SessionTls::Tls { b'S' } else { b'R' };
        assert_eq!(answer(&wire, server, client).await, expected, "before: {client:?}");
    }
    let id = simulation.server_ids().into_iter().find(|id| id.ends_with(&format!("/{server}"))).unwrap();
    simulation.set_parameter(&id, "require_secure_transport", "on").unwrap();
    for client in &report.clients {
        let is_named = named.clients.iter().any(|one| one.user == client.user);
        let is_refused = answer(&wire, server, client).await == b'E';
        assert_eq!(is_refused, is_named, "after: {client:?}");
    }
}
