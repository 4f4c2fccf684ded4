//! An estate to change, and the way from *Save* to the end of a run.

#![allow(dead_code, reason = "each test binary uses what it needs of this")]

use futures::FutureExt as _;
use hostssl_azure::{Arm, Cloud, RequestLimits};
use hostssl_azure_sim::{
    Fleet, FleetSource, Kind, Scenario, Server, SimCredential, SimTransport, Simulation, Subscription,
    Tenant as SimTenant,
};
use hostssl_console::{Connect, ConsoleOptions, Trouble};
use hostssl_model::Principal;
use hostssl_ops::Tenant;
use hostssl_test_support::served_console::{HttpAnswer, Visitor, options};
use std::sync::Arc;

pub(crate) const TENANT: &str = "10000000-0000-4000-8000-000000000001";
pub(crate) const OFF: &str = "/subscriptions/20000000-0000-4000-8000-000000000001/resourceGroups/rg-a/providers/Microsoft.DBforPostgreSQL/flexibleServers/pg-off";
pub(crate) const OLD: &str = "/subscriptions/20000000-0000-4000-8000-000000000001/resourceGroups/rg-a/providers/Microsoft.DBforPostgreSQL/servers/pg-old";

pub(crate) fn allowed() -> ConsoleOptions {
    ConsoleOptions { allow_changes: true, ..options() }
}

/// Both generations, and a server for each trap of a bulk plan.
pub(crate) fn estate() -> Simulation {
    let off = |name: &str| Server::new(Kind::Flexible, "rg-a", name).with("require_secure_transport", "off");
    let old = Server::new(Kind::Single, "rg-a", "pg-old")
        .with("sslEnforcement", "Disabled")
        .with("minimalTlsVersion", "TLSEnforcementDisabled");
    let subscription = Subscription {
        id: "20000000-0000-4000-8000-000000000001".into(),
        name: "Alpha".into(),
        servers: vec![off("pg-off"), off("pg-off-2"), old, Server::new(Kind::Flexible, "rg-a", "pg-on")],
        ..Subscription::default()
    };
    let tenant =
        SimTenant { id: TENANT.into(), name: "Contoso".into(), groups: Vec::new(), subscriptions: vec![subscription] };
    Simulation::new(Scenario::of(FleetSource::Listed(Fleet { tenants: vec![tenant] })))
}

/// So many servers that do not enforce.
pub(crate) fn large_estate(servers: usize) -> Simulation {
    let server = |number: usize| {
        Server::new(Kind::Flexible, "rg-a", format!("pg-{number:03}")).with("require_secure_transport", "off")
    };
    let subscription = Subscription {
        id: "20000000-0000-4000-8000-000000000001".into(),
        name: "Alpha".into(),
        servers: (0..servers).map(server).collect(),
        ..Subscription::default()
    };
    let tenant =
        SimTenant { id: TENANT.into(), name: "Contoso".into(), groups: Vec::new(), subscriptions: vec![subscription] };
    Simulation::new(Scenario::of(FleetSource::Listed(Fleet { tenants: vec![tenant] })))
}

pub(crate) fn connector(simulation: &Simulation) -> Connect {
    let simulation = simulation.clone();
    Arc::new(move |stop| {
        let simulation = simulation.clone();
        async move {
            let credential = Arc::new(SimCredential::new(&simulation, TENANT));
            let transport = azure_core::http::Transport::new(Arc::new(SimTransport::new(&simulation)));
            let cloud = Cloud::named("AzureCloud").map_err(|_| Trouble::new("no cloud", "none"))?;
            let arm = Arm::new(cloud, credential, transport, RequestLimits::default(), stop);
            let principal = Principal {
                name: "reader@contoso.example".into(),
                object_id: Some("30000000-0000-4000-8000-000000000001".into()),
                tenant: Some(TENANT.into()),
                method: "simulated".into(),
            };
            Ok(vec![Tenant { arm, principal }])
        }
        .boxed_local()
    })
}

pub(crate) async fn key(visitor: &Visitor<'_>, name: &str) -> String {
    let list = visitor.get(&format!("/resources?q={name}&sort=name")).await.body;
    list.split("href=\"/servers/").nth(1).unwrap().split('"').next().unwrap().to_owned()
}

/// Waits until what was asked for is made or done: events end then.
pub(crate) async fn ended(visitor: &Visitor<'_>, answer: &HttpAnswer) -> (String, HttpAnswer) {
    assert_eq!(answer.status, 303, "{}", answer.body);
    let address = answer.header("location").to_owned();
    let events = visitor.get(&format!("{address}/events")).await;
    assert!(events.body.contains("event: end"), "{}", events.body);
    let page = visitor.get(&address).await;
    (address, page)
}

pub(crate) fn field(page: &str, name: &str) -> String {
    let behind = page.split_once(&format!("name=\"{name}\" value=\"")).unwrap().1;
    behind.split('"').next().unwrap().to_owned()
}

pub(crate) async fn save(visitor: &Visitor<'_>, server: &str, fields: &str) -> (String, HttpAnswer) {
    let key = key(visitor, server).await;
    let fields = with_shown(visitor, &key, fields).await;
    let asked = visitor.post(&format!("/servers/{key}/plan"), &fields).await;
    ended(visitor, &asked).await
}

/// The fields as a browser posts them: with what the page shows now.
pub(crate) async fn with_shown(visitor: &Visitor<'_>, key: &str, fields: &str) -> String {
    let page = visitor.get(&format!("/servers/{key}/connection-security")).await.body;
    let enforcement = field(&page, "shown-enforcement");
    let minimum = if fields.contains("minimum=") { field(&page, "shown-minimum") } else { String::new() };
    format!("{fields}&shown-enforcement={enforcement}&shown-minimum={minimum}")
}

pub(crate) async fn apply(visitor: &Visitor<'_>, plan: &(String, HttpAnswer)) -> HttpAnswer {
    let hash = field(&plan.1.body, "hash");
    visitor.post(&format!("{}/apply", plan.0), &format!("&hash={hash}")).await
}

/// What the page of a plan shows of its first wave.
pub(crate) fn first_wave(page: &str) -> &str {
    page.split_once("id=\"wave-1\"").unwrap().1.split_once("</details>").unwrap().0
}
