//! Who changed a server, by the Activity Log of a simulated Azure: read, forbidden, broken, late.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test may stop at the first surprise")]

mod common;

use common::{SUBSCRIPTION, limits, scenario, tenant};
use hostssl_audit::{ActivityRead, Profile, Who, WhoUnknown, diff, name_authors};
use hostssl_azure_sim::{Actor, Fault, FaultRule, FaultScope, Kind, Operation, Server, Simulation};
use hostssl_model::{AuditReport, Reason, ResourceId, Scope};
use hostssl_ops::{AuditRequest, Discovery, RunContext, SubscriptionOf, Tenant, audit, read_activity};
use jiff::{SignedDuration, Timestamp};
use tokio::sync::watch;

const SWITCH: &str = "require_secure_transport";

async fn audited(tenant: &Tenant, id: &str) -> AuditReport {
    let request = AuditRequest {
        scope: Scope::default(),
        profile: Profile::find("baseline").unwrap(),
        discovery: Discovery::Lists,
    };
    let context = RunContext::begin(id, &Timestamp::now, "0.1.0");
    audit(std::slice::from_ref(tenant), &request, context, &mut |_| ()).await.unwrap()
}

/// Two servers, of which one was turned off between two audits, by ann as far as the log says.
async fn changed(logged: bool) -> (Simulation, Tenant, AuditReport, AuditReport) {
    let servers = ["pg-a", "pg-b"].map(|name| Server::new(Kind::Flexible, "rg", name));
    let simulation = Simulation::new(scenario(servers.into()));
    let tenant = tenant(&simulation, limits(), watch::channel(None).1);
    let before = audited(&tenant, "before").await;
    let id = simulation.server_ids().remove(0);
    simulation.set_parameter(&id, SWITCH, "off").unwrap();
    if logged {
        let ann = Actor::Person("ann@contoso.example".into());
        simulation.log_past_write(&id, Some(SWITCH), Timestamp::now(), ann).unwrap();
    }
    let after = audited(&tenant, "after").await;
    (simulation, tenant, before, after)
}

async fn log(tenant: &Tenant, before: &AuditReport, after: &AuditReport) -> ActivityRead {
    let servers: Vec<ResourceId> = diff(before, after).changes.iter().map(|change| change.server.id.clone()).collect();
    let since = before.run.started_at.parse().unwrap();
    read_activity(std::slice::from_ref(tenant), &SubscriptionOf::new(), &servers, (since, Timestamp::now())).await
}

/// Who made the one change.
fn who(before: &AuditReport, after: &AuditReport, log: &ActivityRead) -> Who {
    let mut compared = diff(before, after);
    name_authors(&mut compared, before, after, log);
    assert_eq!(compared.changes.len(), 1);
    compared.changes.remove(0).who.unwrap()
}

#[tokio::test]
async fn a_change_has_its_author_and_no_other_servers() {
    let (simulation, tenant, before, after) = changed(true).await;
    let (ids, bob) = (simulation.server_ids(), || Actor::Person("bob@contoso.example".into()));
    // Neither what was done to another server, nor to another setting, nor before the first audit explains it.
    simulation.log_past_write(&ids[1], Some(SWITCH), Timestamp::now(), bob()).unwrap();
    simulation.log_past_write(&ids[0], Some("max_connections"), Timestamp::now(), bob()).unwrap();
    simulation.log_past_write(&ids[0], None, Timestamp::now(), bob()).unwrap();
    let earlier = Timestamp::now() - SignedDuration::from_hours(1);
    simulation.log_past_write(&ids[0], Some(SWITCH), earlier, bob()).unwrap();
    let read = log(&tenant, &before, &after).await;
    let Who::Known(found) = who(&before, &after, &read) else { panic!("{read:?}") };
    assert_eq!(found.len(), 1);
    assert_eq!(found[0].caller.to_string(), "ann@contoso.example (Azure portal)");
    // One request for the one subscription.
    assert_eq!(simulation.requests().of(Operation::ListActivity), 1);
}

#[tokio::test]
async fn what_is_not_in_the_log_is_not_known_and_never_no_one() {
    let (_simulation, tenant, before, after) = changed(false).await;
    let read = log(&tenant, &before, &after).await;
    assert_eq!(who(&before, &after, &read), Who::NotKnown(WhoUnknown::NotInLog));
    assert!(matches!(who(&before, &after, &ActivityRead::default()), Who::NotKnown(WhoUnknown::Unread(_))));
}

#[tokio::test]
async fn a_log_that_cannot_be_read_is_a_named_reason() {
    let faults = [
        (Fault::Forbidden, Reason::Permission),
        (Fault::Unavailable { status: 503 }, Reason::AzureError),
        (Fault::Throttled { retry_after: Some(1) }, Reason::Throttled),
        (Fault::TruncatedJson, Reason::MalformedAnswer),
        (Fault::EndlessNextLink, Reason::MalformedAnswer),
        (Fault::Html { status: 200 }, Reason::MalformedAnswer),
    ];
    for (fault, reason) in faults {
        let (simulation, tenant, before, after) = changed(false).await;
        simulation
            .inject(FaultRule::new(FaultScope::Everywhere, fault.clone()).during([Operation::ListActivity]))
            .unwrap();
        let read = log(&tenant, &before, &after).await;
        let Who::NotKnown(WhoUnknown::Unread(why)) = who(&before, &after, &read) else { panic!("{fault:?}: {read:?}") };
        assert_eq!(why.reason, reason, "{fault:?}: {}", why.detail);
        let missing = why.missing_permission.as_deref();
        assert_eq!(missing.is_some(), fault == Fault::Forbidden);
        assert!(missing.is_none_or(|action| action == "Microsoft.Insights/eventtypes/values/read"));
    }
}

#[tokio::test]
async fn audits_from_before_the_log_are_told_apart_from_changes_that_it_does_not_have() {
    let (_simulation, tenant, mut before, after) = changed(false).await;
    before.run.started_at = (Timestamp::now() - SignedDuration::from_hours(24 * 100)).to_string();
    let read = log(&tenant, &before, &after).await;
    assert!(read.subscriptions.values().all(|log| log.unread.is_none()), "a start that is too old is not asked for");
    assert_eq!(who(&before, &after, &read), Who::NotKnown(WhoUnknown::TooOld));
    assert!(read.subscriptions.contains_key(SUBSCRIPTION));
}
