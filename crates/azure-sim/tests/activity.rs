//! The Activity Log: writes that reached the simulator, and the past of a scenario.

#![expect(clippy::unwrap_used, reason = "helpers of tests; the lint only knows test functions")]

mod common;

use common::{Arm, BASE};
use hostssl_azure_sim::{Fault, FaultRule, FaultScope, Operation, Scenario, Simulation};
use serde_json::Value;

const PRODUCTION: &str = "/subscriptions/20000000-0000-4000-8000-000000000001";
const PLATFORM: &str = "/subscriptions/20000000-0000-4000-8000-000000000003";

fn url(subscription: &str, filter: &str) -> String {
    let filter = filter.replace(' ', "%20").replace('\'', "%27");
    format!(
        "{subscription}/providers/Microsoft.Insights/eventtypes/management/values?api-version=2015-04-01&%24filter={filter}"
    )
}

/// The events since `days` days ago.
async fn events(arm: &Arm, subscription: &str, days: i64) -> Vec<Value> {
    let since = jiff::Timestamp::now() - jiff::SignedDuration::from_hours(24 * days);
    let filter = format!("eventTimestamp ge '{since}' and resourceProvider eq 'microsoft.dbforpostgresql'");
    let (mut found, mut next) = (Vec::new(), Some(url(subscription, &filter)));
    while let Some(link) = next {
        let page = arm.get(&link).await.json();
        found.extend(page["value"].as_array().unwrap().clone());
        next = page["nextLink"].as_str().map(ToOwned::to_owned);
        assert!(next.as_ref().is_none_or(|link| link.starts_with(BASE)));
    }
    found
}

fn ends(events: &[Value]) -> Vec<(String, String, String)> {
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    let ended = events.iter().filter(|event| event["status"]["value"] != "Started");
    ended
        .map(|event| {
            let resource = text(&event["resourceId"]);
            let tail = resource.split("/Microsoft.DBforPostgreSQL/").nth(1).unwrap().to_owned();
            (tail, text(&event["status"]["value"]), text(&event["caller"]))
        })
        .collect()
}

#[tokio::test]
async fn every_write_that_reaches_a_server_is_an_event_with_its_caller() {
    let mut scenario = Scenario::named("demo").unwrap();
    scenario.page_size = Some(1);
    let arm = Arm::new(Simulation::new(scenario)).await;
    let server = arm.id("pg-keycloak");
    assert_eq!(events(&arm, PLATFORM, 1).await, Vec::<Value>::new());
    let answer = arm.set(&server, "require_secure_transport", "on").await;
    let refused = arm.set(&server, "require_secure_transport", "maybe").await;
    assert_eq!((answer.status, refused.status), (202, 409));
    let events = events(&arm, PLATFORM, 1).await;
    assert_eq!(events.len(), 4);
    let found = ends(&events);
    let setting = "flexibleServers/pg-keycloak/configurations/require_secure_transport";
    assert!(found.iter().all(|(resource, ..)| resource == setting));
    let (failed, succeeded) = (&found[0], &found[1]);
    assert_eq!((failed.1.as_str(), succeeded.1.as_str()), ("Failed", "Succeeded"));
    let by_request = |event: &&Value| event["properties"]["serviceRequestId"] == answer.header("x-ms-request-id");
    assert_eq!(events.iter().filter(by_request).count(), 2);
    let claims = &events[0]["claims"];
    assert_eq!((&claims["idtyp"], &claims["appid"]), (&"app".into(), &hostssl_azure_sim::CLIENT_ID.into()));
}

#[tokio::test]
async fn the_demonstration_has_a_past_of_people_a_pipeline_and_a_policy() {
    let arm = Arm::new(Simulation::new(Scenario::named("demo").unwrap())).await;
    let found = ends(&events(&arm, PRODUCTION, 89).await);
    assert!(found.iter().any(|(_, _, caller)| caller == "ann@contoso.example"));
    assert!(found.iter().any(|(resource, _, caller)| resource.contains("pg-search-prod") && !caller.contains('@')));
    // The newest first, and nothing before the time that was asked for.
    assert_eq!(found.last().unwrap().0, "flexibleServers/pg-search-prod");
    assert_eq!(ends(&events(&arm, PRODUCTION, 35).await).len(), 2);
}

#[tokio::test]
async fn what_is_not_allowed_is_refused() {
    let arm = Arm::new(Simulation::new(Scenario::named("demo").unwrap())).await;
    let old = jiff::Timestamp::now() - jiff::SignedDuration::from_hours(24 * 91);
    for filter in ["", "caller eq 'ann'", &format!("eventTimestamp ge '{old}'")] {
        assert_eq!(arm.get(&url(PRODUCTION, filter)).await.status, 400, "{filter}");
    }
    let rule = FaultRule::new(FaultScope::Everywhere, Fault::Forbidden).during([Operation::ListActivity]);
    arm.simulation.inject(rule).unwrap();
    let answer = arm.get(&url(PRODUCTION, "eventTimestamp ge '2026-01-01T00:00:00Z'")).await;
    assert_eq!(answer.status, 403);
    assert!(answer.text.contains("Microsoft.Insights/eventtypes/values/read"));
}

#[tokio::test]
async fn events_outlive_the_process_with_the_writes_and_a_reset_keeps_the_past_alone() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("demo.jsonl");
    let open = || Simulation::kept(Scenario::named("demo").unwrap(), path.clone()).unwrap();
    let first = Arm::new(open()).await;
    let server = first.id("pg-keycloak");
    first.set(&server, "require_secure_transport", "on").await;
    let ann = hostssl_azure_sim::Actor::Person("ann@contoso.example".to_owned());
    let yesterday = jiff::Timestamp::now() - jiff::SignedDuration::from_hours(20);
    first.simulation.log_past_write(&server, Some("require_secure_transport"), yesterday, ann).unwrap();
    let other = Arm::new(open()).await;
    for arm in [&first, &other] {
        assert_eq!(ends(&events(arm, PLATFORM, 1).await).len(), 2);
    }
    Simulation::forget_changes(&path).unwrap();
    let left = ends(&events(&other, PLATFORM, 1).await);
    assert_eq!((left.len(), left[0].2.as_str()), (1, "ann@contoso.example"));
}
