//! The audit against everything that can go wrong in the simulated Azure: nothing is dropped, nothing passes unchecked.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test may stop at the first surprise")]

mod common;

use azure_core::http::Transport;
use common::{limits, scenario, tenant};
use hostssl_audit::Profile;
use hostssl_azure::{Arm, Cloud, RequestLimits};
use hostssl_azure_sim::{
    Fault, FaultRule, FaultScope, FleetSize, FleetSource, Kind as SimKind, Operation, ProviderState, Scenario, Server,
    SimCredential, SimTransport, Simulation,
};
use hostssl_model::Stop;
use hostssl_model::{AuditReport, ControlId, Gap, Kind, Outcome, Principal, Reason, Scope, SslEnforcement};
use hostssl_ops::{AuditRequest, Discovery, RunContext, ScopeError, Tenant, audit};
use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::watch;

const ID: &str = "/subscriptions/20000000-0000-4000-8000-0000000000aa/resourceGroups/rg/providers/Microsoft.DBforPostgreSQL/flexibleServers/orders";

fn two_servers() -> Scenario {
    scenario(vec![Server::new(SimKind::Flexible, "rg", "orders"), Server::new(SimKind::Flexible, "rg", "billing")])
}

async fn run(simulation: &Simulation, request: &AuditRequest) -> AuditReport {
    try_run(simulation, request).await.unwrap()
}

async fn try_run(simulation: &Simulation, request: &AuditRequest) -> Result<AuditReport, ScopeError> {
    let stop = watch::channel(None);
    let tenants = [tenant(simulation, limits(), stop.1)];
    let clock = || "2026-11-24T00:00:00Z".parse().unwrap();
    let context = RunContext::begin("run", &clock, "0");
    audit(&tenants, request, context, &mut |_| {}).await
}

fn everything() -> AuditRequest {
    AuditRequest { scope: Scope::default(), profile: Profile::find("baseline").unwrap(), discovery: Discovery::Lists }
}

/// The outcome of the named server, and the reasons of its unknown controls.
fn of_server(report: &AuditReport, name: &str) -> (Outcome, BTreeSet<Reason>) {
    let server =
        report.servers.iter().find(|s| s.server.name() == name).unwrap_or_else(|| panic!("{name} was dropped"));
    let reasons =
        server.findings.iter().filter_map(|finding| finding.unchecked.as_ref()).map(|unchecked| unchecked.reason);
    (server.outcome, reasons.collect())
}

#[tokio::test(start_paused = true)]
async fn a_server_that_cannot_be_read_is_unknown_with_the_reason_and_the_other_one_passes() {
    let cases: Vec<(Fault, Reason)> = vec![
        (Fault::Stopped, Reason::Stopped),
        (Fault::Forbidden, Reason::Permission),
        (Fault::Vanished, Reason::Vanished),
        (Fault::InternalError, Reason::AzureError),
        (Fault::Throttled { retry_after: Some(2) }, Reason::Throttled),
        (Fault::Throttled { retry_after: None }, Reason::Throttled),
        (Fault::Unavailable { status: 503 }, Reason::AzureError),
        (Fault::Html { status: 200 }, Reason::MalformedAnswer),
        (Fault::Html { status: 502 }, Reason::AzureError),
        (Fault::ConnectionReset, Reason::Network),
        (Fault::TruncatedBody, Reason::Network),
        (Fault::TruncatedJson, Reason::MalformedAnswer),
        (Fault::HugeBody { bytes: 5 << 20 }, Reason::MalformedAnswer),
        (Fault::NeverAnswer, Reason::Network),
        (Fault::Drip { pause: Duration::from_secs(1) }, Reason::Network),
        (Fault::MissingValue, Reason::NotReturned),
        (Fault::TokenRejected, Reason::SignIn),
    ];
    for (fault, reason) in cases {
        let simulation = Simulation::new(two_servers());
        let rule = FaultRule::on_server(ID, fault.clone()).during([Operation::GetConfiguration]);
        simulation.inject(rule).unwrap();
        let report = run(&simulation, &everything()).await;
        assert_eq!(of_server(&report, "orders"), (Outcome::Unknown, BTreeSet::from([reason])), "{fault:?}");
        assert_eq!(of_server(&report, "billing").0, Outcome::Pass, "{fault:?}");
        assert!(!report.run.complete, "{fault:?}");
        let gap = report.gaps.iter().find(|gap| gap.scope.to_string() == ID).unwrap();
        let permission = "Microsoft.DBforPostgreSQL/flexibleServers/configurations/read";
        let missing = (reason == Reason::Permission).then_some(permission);
        assert_eq!(gap.unchecked.missing_permission.as_deref(), missing, "{fault:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_fault_that_passes_leaves_no_trace() {
    for fault in [
        Fault::Unavailable { status: 503 },
        Fault::ConnectionReset,
        Fault::TruncatedBody,
        Fault::Throttled { retry_after: Some(3) },
        Fault::InternalError,
    ] {
        let simulation = Simulation::new(two_servers());
        let rule = FaultRule::on_server(ID, fault.clone()).during([Operation::GetConfiguration]).times(2);
        simulation.inject(rule).unwrap();
        let report = run(&simulation, &everything()).await;
        assert_eq!(of_server(&report, "orders").0, Outcome::Pass, "{fault:?}");
        assert!(report.run.complete, "{fault:?}");
    }
    let simulation = Simulation::new(two_servers());
    simulation.inject(FaultRule::new(FaultScope::Everywhere, Fault::TokenRejected).times(1)).unwrap();
    assert!(run(&simulation, &everything()).await.run.complete, "a token that is refused once is renewed");
}

#[tokio::test(start_paused = true)]
async fn values_are_understood_in_any_spelling() {
    for fault in [Fault::UpperCaseValue, Fault::WrongTypes] {
        let simulation = Simulation::new(two_servers());
        simulation.inject(FaultRule::new(FaultScope::Everywhere, fault.clone())).unwrap();
        let report = run(&simulation, &everything()).await;
        assert_eq!(of_server(&report, "orders").0, Outcome::Pass, "{fault:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_list_that_cannot_be_read_is_a_gap_and_never_complete() {
    let cases: Vec<(Fault, Reason)> = vec![
        (Fault::Forbidden, Reason::Permission),
        (Fault::Throttled { retry_after: Some(1) }, Reason::Throttled),
        (Fault::Unavailable { status: 503 }, Reason::AzureError),
        (Fault::Html { status: 200 }, Reason::MalformedAnswer),
        (Fault::ConnectionReset, Reason::Network),
        (Fault::TruncatedJson, Reason::MalformedAnswer),
        (Fault::EndlessNextLink, Reason::MalformedAnswer),
        (Fault::NextLinkLoop, Reason::MalformedAnswer),
        (Fault::NextLinkElsewhere { host: "elsewhere.example".into() }, Reason::MalformedAnswer),
        (Fault::HugeBody { bytes: 5 << 20 }, Reason::MalformedAnswer),
        (Fault::NeverAnswer, Reason::Network),
        (Fault::MissingValue, Reason::MalformedAnswer),
        (Fault::TokenRejected, Reason::SignIn),
    ];
    for operation in [Operation::ListServers, Operation::ListSubscriptions] {
        for (fault, reason) in &cases {
            let simulation = Simulation::new(two_servers());
            let rule = FaultRule::new(FaultScope::Everywhere, fault.clone()).during([operation]);
            simulation.inject(rule).unwrap();
            let report = run(&simulation, &everything()).await;
            assert!(!report.run.complete, "{operation:?} {fault:?}");
            let reasons: BTreeSet<Reason> = report.gaps.iter().map(|gap| gap.unchecked.reason).collect();
            assert!(reasons.contains(reason), "{operation:?} {fault:?}: {:?}", report.gaps);
        }
    }
}

#[tokio::test(start_paused = true)]
async fn servers_before_a_broken_page_are_kept_and_counted_once() {
    let simulation = Simulation::new(two_servers());
    let rule = FaultRule::new(FaultScope::Everywhere, Fault::EndlessNextLink).during([Operation::ListServers]);
    simulation.inject(rule).unwrap();
    let report = run(&simulation, &everything()).await;
    assert_eq!(report.summary.servers, 2);
    assert_eq!(report.summary.pass, 2);
    assert!(!report.run.complete);
}

#[tokio::test(start_paused = true)]
async fn the_token_is_sent_to_nobody_else() {
    // The simulator answers whatever host is asked for: had the client followed the link, it would have been counted.
    let simulation = Simulation::new(two_servers());
    let elsewhere = Fault::NextLinkElsewhere { host: "elsewhere.example".into() };
    let rule = FaultRule::new(FaultScope::Everywhere, elsewhere).during([Operation::ListServers]);
    simulation.inject(rule).unwrap();
    run(&simulation, &everything()).await;
    let lists: u64 = simulation.requests().of(Operation::ListServers);
    assert_eq!(lists, 4, "one page of each of the four lists");
}

#[tokio::test(start_paused = true)]
async fn a_provider_that_is_not_there_is_told_and_is_no_gap() {
    for state in [ProviderState::NotRegistered, ProviderState::Unsupported] {
        let mut fleet = two_servers();
        if let FleetSource::Listed(fleet) = &mut fleet.fleet {
            fleet.tenants[0].subscriptions[0].horizon = state;
        }
        let report = run(&Simulation::new(fleet), &everything()).await;
        assert!(report.run.complete, "{state:?}: {:?}", report.gaps);
        assert_eq!(report.gaps[0].unchecked.reason, Reason::NotOffered, "{state:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn an_identity_that_sees_nothing_is_not_told_that_all_is_well() {
    let mut fleet = two_servers();
    if let FleetSource::Listed(fleet) = &mut fleet.fleet {
        fleet.tenants[0].subscriptions.clear();
    }
    let report = run(&Simulation::new(fleet), &everything()).await;
    assert!(!report.run.complete);
    assert_eq!(report.gaps[0].unchecked.reason, Reason::NoSubscription);
}

#[tokio::test(start_paused = true)]
async fn no_server_of_any_scenario_is_dropped() {
    for name in ["demo", "enforced", "readonly", "faults"] {
        let simulation = Simulation::new(Scenario::named(name).unwrap());
        let report = run(&simulation, &everything()).await;
        let seen: BTreeSet<String> = report.servers.iter().map(|s| s.server.id.to_lowercase()).collect();
        let id = |gap: &Gap| gap.scope.to_string().split('/').nth(2).map(str::to_owned);
        let unlisted: BTreeSet<String> = report.gaps.iter().filter_map(id).collect();
        for id in simulation.server_ids() {
            let listed = seen.contains(&id.to_lowercase());
            let told = id.split('/').nth(2).is_some_and(|subscription| unlisted.contains(subscription));
            let group = id.to_lowercase().contains("/parametergroups/");
            assert!(listed || told || group, "{name}: {id}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn every_kind_of_the_demonstration_is_judged() {
    let simulation = Simulation::new(Scenario::named("demo").unwrap());
    let report = run(&simulation, &everything()).await;
    let kinds: BTreeSet<Kind> = report.servers.iter().map(|server| server.server.kind).collect();
    assert_eq!(kinds, BTreeSet::from(Kind::ALL));
    let of = |name: &str| report.servers.iter().find(|s| s.server.name() == name).unwrap();
    assert_eq!(of("pg-catalog-prod").ssl_enforcement, SslEnforcement::Disabled);
    assert_eq!(of("citus-telemetry").ssl_enforcement, SslEnforcement::Enabled);
    assert_eq!(of("pg-archive-legacy").outcome, Outcome::Fail);
    let replica = of("pg-orders-prod-replica");
    let parity = replica.findings.iter().find(|finding| finding.control == ControlId::ReplicaParity).unwrap();
    assert_eq!(parity.outcome, Outcome::Fail);
    assert_eq!(of_server(&report, "pg-catalog-stage").1, BTreeSet::from([Reason::Stopped]));
    assert_eq!(of_server(&report, "pg-returns-stage").1, BTreeSet::from([Reason::Creating]));
}

#[tokio::test(start_paused = true)]
async fn only_what_the_verdict_needs_is_asked_for_and_nothing_is_written() {
    let size = FleetSize {
        subscriptions_per_tenant: 3,
        servers: 30,
        mix: hostssl_azure_sim::Mix::FLEXIBLE_ONLY,
        ..FleetSize::default()
    };
    let simulation = Simulation::new(Scenario::of(FleetSource::Generated(size)));
    let profile = Profile::find("baseline").unwrap().narrowed(&["require-secure-transport".into()]).unwrap();
    let report = run(&simulation, &AuditRequest { profile, ..everything() }).await;
    assert_eq!(report.summary.servers, 30);
    let requests = simulation.requests();
    assert_eq!(requests.of(Operation::ListSubscriptions), 1);
    assert_eq!(requests.of(Operation::ListServers), 3 * 4);
    let is_ready = |s: &&hostssl_model::ServerReport| s.server.state.as_ref().unwrap().as_str() == "Ready";
    let ready = report.servers.iter().filter(is_ready).count() as u64;
    assert!(ready > 20, "{ready}");
    assert_eq!(requests.of(Operation::GetConfiguration), ready, "those that are stopped are not asked");
    assert_eq!(requests.total(), 1 + 12 + ready);
    assert!(requests.writes.is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_stopped_run_ends_at_once_with_what_was_seen() {
    for stop in [Stop::Interrupted, Stop::Deadline] {
        let simulation = Simulation::new(two_servers());
        simulation.inject(FaultRule::on_server(ID, Fault::NeverAnswer).during([Operation::GetConfiguration])).unwrap();
        let (give, signal) = watch::channel(None);
        let tenants = [tenant(&simulation, RequestLimits::default(), signal)];
        let clock = || "2026-11-24T00:00:00Z".parse().unwrap();
        let context = RunContext::begin("run", &clock, "0");
        let request = everything();
        let give_later = async {
            tokio::time::sleep(Duration::from_secs(1)).await;
            give.send(Some(stop)).unwrap();
        };
        let mut ignore = |_: hostssl_ops::AuditEvent<'_>| {};
        let (report, ()) = tokio::join!(audit(&tenants, &request, context, &mut ignore), give_later);
        let report = report.unwrap();
        let reason = if stop == Stop::Deadline { Reason::Deadline } else { Reason::Interrupted };
        assert_eq!(of_server(&report, "orders"), (Outcome::Unknown, BTreeSet::from([reason])));
        assert_eq!(of_server(&report, "billing").0, Outcome::Pass);
        assert!(!report.run.complete);
    }
}

#[tokio::test(start_paused = true)]
async fn a_scope_narrows_and_a_name_that_is_nowhere_is_told() {
    let simulation = Simulation::new(Scenario::named("demo").unwrap());
    let with = |scope| AuditRequest { scope, ..everything() };
    let by_name = Scope { subscriptions: vec!["contoso staging".into()], ..Scope::default() };
    let report = run(&simulation, &with(by_name)).await;
    assert!(report.servers.iter().all(|s| s.server.id.resource_group().eq_ignore_ascii_case("rg-shop-stage")));

    let by_group = Scope { management_groups: vec!["contoso-workloads".into()], ..Scope::default() };
    let report = run(&simulation, &with(by_group)).await;
    let names: Vec<&str> = report.subscriptions.iter().map(|s| &*s.name).collect();
    assert!(names.contains(&"Contoso Production") && !names.contains(&"Contoso Platform"), "{names:?}");

    let replica = Scope {
        servers: vec!["PG-ORDERS-PROD-REPLICA".into()],
        resource_groups: vec!["RG-shop-prod".into()],
        ..Scope::default()
    };
    let report = run(&simulation, &with(replica)).await;
    assert_eq!(report.summary.servers, 1);
    let parity = report.servers[0].findings.iter().find(|finding| finding.control == ControlId::ReplicaParity).unwrap();
    assert_eq!(parity.outcome, Outcome::Fail, "the primary is read though it is outside the scope");

    let staging = Scope { tags: vec!["Environment=stag*".into()], except: vec!["*-stage".into()], ..Scope::default() };
    let report = run(&simulation, &with(staging)).await;
    let names: Vec<&str> = report.servers.iter().map(|s| s.server.name()).collect();
    assert_eq!(names, ["pg-cart-review-812"]);
    let left_out = report.gaps.iter().filter(|gap| gap.unchecked.reason == Reason::Excepted).count();
    assert_eq!(left_out, 5, "{:?}", report.gaps);
}

/// In the demonstration a whole subscription cannot be listed: that hides no mistake.
#[tokio::test(start_paused = true)]
async fn a_selector_that_matches_nothing_is_an_error_with_the_nearest_name() {
    let simulation = Simulation::new(Scenario::named("demo").unwrap());
    let one = |text: &str| vec![text.to_owned()];
    for (scope, expected) in [
        (
            Scope { servers: one("pg-oders-prod"), ..Scope::default() },
            "--server pg-oders-prod matches no server in scope (did you mean pg-orders-prod?); ",
        ),
        (Scope { servers: one("mysql-*"), ..Scope::default() }, "--server mysql-* matches no server in scope; "),
        (
            Scope { except: one("pg-keycloack"), ..Scope::default() },
            "--except pg-keycloack matches no server in scope (did you mean pg-keycloak?); ",
        ),
        (
            Scope { tags: one("environment=stagin"), ..Scope::default() },
            "--tag environment=stagin matches no server in scope (did you mean environment=staging?); ",
        ),
        (
            Scope { resource_groups: one("rg-shp-prod"), ..Scope::default() },
            "--resource-group rg-shp-prod matches no resource group with a server in scope (did you mean rg-shop-prod?); ",
        ),
        (
            Scope { subscriptions: one("Contoso Stagin"), ..Scope::default() },
            "--subscription Contoso Stagin matches no subscription in scope (did you mean Contoso Staging?)",
        ),
        (
            Scope { subscriptions: one("Contoso-Prod"), ..Scope::default() },
            "--subscription Contoso-Prod matches no subscription in scope (did you mean Contoso Production?)",
        ),
        (
            Scope { subscriptions: one("producton"), ..Scope::default() },
            "--subscription producton matches no subscription in scope (did you mean Contoso Production?)",
        ),
        (
            Scope { subscriptions: one("20000000-0000-4000-8000-00000000002"), ..Scope::default() },
            "--subscription 20000000-0000-4000-8000-00000000002 matches no subscription in scope (did you mean 20000000-0000-4000-8000-000000000002?)",
        ),
        (
            Scope { servers: one("pg-oders-*"), ..Scope::default() },
            "--server pg-oders-* matches no server in scope (did you mean pg-orders-prod?); ",
        ),
        (
            Scope { management_groups: one("contoso-onlin"), ..Scope::default() },
            "--management-group contoso-onlin matches no management group (did you mean contoso-online?)",
        ),
        (
            Scope {
                servers: vec!["pg-grafana".into(), "pg-kc".into()],
                subscriptions: one("contoso plat*"),
                ..Scope::default()
            },
            "--server pg-kc matches no server in scope",
        ),
    ] {
        let error = try_run(&simulation, &AuditRequest { scope, ..everything() }).await.unwrap_err();
        assert!(error.to_string().starts_with(expected), "{error}");
    }
}

#[tokio::test(start_paused = true)]
async fn discovery_by_graph_finds_the_same_and_does_not_vouch_for_it() {
    let size = FleetSize { subscriptions_per_tenant: 700, servers: 2500, ..FleetSize::default() };
    let simulation = Simulation::new(Scenario::of(FleetSource::Generated(size)));
    let lists = run(&simulation, &everything()).await;
    let graph = run(&simulation, &AuditRequest { discovery: Discovery::Graph, ..everything() }).await;
    assert_eq!(lists.servers.len(), graph.servers.len(), "{:?}", graph.gaps.first());
    for (by_list, by_graph) in lists.servers.iter().zip(&graph.servers) {
        let what = |s: &hostssl_model::ServerReport| (s.server.id.clone(), s.server.kind, s.outcome);
        assert_eq!(what(by_list), what(by_graph));
    }
    // Stopped servers are unknown in both; only the graph is not vouched for.
    assert!(lists.gaps.iter().all(|gap| gap.unchecked.reason != Reason::EventuallyConsistent));
    assert!(graph.gaps.iter().any(|gap| gap.unchecked.reason == Reason::EventuallyConsistent));
}

#[tokio::test(start_paused = true)]
async fn an_older_cloud_is_asked_in_a_version_that_it_knows() {
    let mut older = two_servers();
    older.flexible_versions = Some(vec!["2021-06-01".into(), "2022-12-01".into()]);
    let report = run(&Simulation::new(older), &everything()).await;
    assert_eq!(report.summary.pass, 2, "{:?}", report.gaps);
    let mut unknown = two_servers();
    unknown.flexible_versions = Some(vec!["2030-01-01".into()]);
    let report = run(&Simulation::new(unknown), &everything()).await;
    assert!(!report.run.complete, "a version that nobody knows is a gap, not an absence");
}

#[tokio::test(start_paused = true)]
async fn every_tenant_is_looked_at_with_its_own_token() {
    let size = FleetSize { tenants: 2, subscriptions_per_tenant: 3, servers: 40, ..FleetSize::default() };
    let simulation = Simulation::new(Scenario::of(FleetSource::Generated(size)));
    let tenants: Vec<Tenant> = simulation
        .tenant_ids()
        .into_iter()
        .map(|id| {
            let credential = Arc::new(SimCredential::new(&simulation, &id));
            let transport = Transport::new(Arc::new(SimTransport::new(&simulation)));
            let stop = watch::channel(None).1;
            let arm = Arm::new(Cloud::named("AzureCloud").unwrap(), credential, transport, limits(), stop);
            Tenant { arm, principal: Principal { tenant: Some(id), ..Principal::default() } }
        })
        .collect();
    let clock = || "2026-11-24T00:00:00Z".parse().unwrap();
    for discovery in [Discovery::Lists, Discovery::Graph] {
        let context = RunContext::begin("run", &clock, "0");
        let request = AuditRequest { discovery, ..everything() };
        let report = audit(&tenants, &request, context, &mut |_| {}).await.unwrap();
        assert_eq!((report.subscriptions.len(), report.run.principals.len()), (6, 2), "{discovery:?}");
        assert_eq!(report.summary.servers, 40, "{discovery:?}");
        assert_eq!(simulation.requests().with_status(401), 0, "{discovery:?}: a token went to the wrong tenant");
    }
}

#[tokio::test(start_paused = true)]
async fn every_subscription_that_may_be_among_the_unlisted_is_a_gap() {
    let simulation = Simulation::new(two_servers());
    let rule =
        FaultRule::new(FaultScope::Everywhere, Fault::Html { status: 502 }).during([Operation::ListSubscriptions]);
    simulation.inject(rule).unwrap();
    let scope = Scope { subscriptions: vec!["first".into(), "second".into()], ..Scope::default() };
    let report = run(&simulation, &AuditRequest { scope, ..everything() }).await;
    assert!(!report.run.complete);
    let missing = report.gaps.iter().filter(|gap| gap.unchecked.reason == Reason::NoSubscription);
    let named: Vec<String> = missing.map(|gap| gap.scope.to_string()).collect();
    assert_eq!(named, ["/subscriptions/first", "/subscriptions/second"]);
}
