//! Faults of reads: each trap of the scenario `faults` springs as its name says.

#![expect(clippy::unwrap_used, reason = "helpers of tests; the lint only knows test functions")]

mod common;

use std::time::Duration;

use azure_core::error::ErrorKind;
use azure_core::http::Method;
use common::{Arm, BASE, VERSION};
use hostssl_azure_sim::{Fault, FaultRule, FaultScope, Operation, Scenario, Simulation};

const SWITCH: &str = "require_secure_transport";

async fn traps() -> Arm {
    Arm::new(Simulation::new(Scenario::named("faults").unwrap())).await
}

#[tokio::test]
async fn refusals_have_their_status_and_code() {
    let arm = traps().await;
    for (server, status, code) in [
        ("stopped", 400, "ServerStoppedError"),
        ("stopped-but-ready", 400, "ServerStoppedError"),
        ("creating", 500, "InternalServerError"),
        ("internal-error", 500, "InternalServerError"),
        ("forbidden", 403, "AuthorizationFailed"),
        ("vanished", 404, "ResourceNotFound"),
        ("throttled-for-ever", 429, "SubscriptionRequestsThrottled"),
        ("unavailable-for-ever", 503, "ServiceUnavailable"),
        ("token-rejected-for-ever", 401, "ExpiredAuthenticationToken"),
    ] {
        for _ in 0..3 {
            let refused = arm.parameter(&arm.id(server), SWITCH).await;
            assert_eq!((refused.status, refused.code().as_str()), (status, code), "{server}");
        }
    }
    let action = arm.parameter(&arm.id("forbidden"), SWITCH).await.text;
    assert!(action.contains("'Microsoft.DBforPostgreSQL/flexibleServers/configurations/read'"));
    let listed = arm.read(arm.id("vanished").rsplit_once('/').unwrap().0).await;
    assert!(listed.text.contains("\"vanished\""), "a vanished server is still listed");
}

#[tokio::test]
async fn passing_troubles_pass() {
    let arm = traps().await;
    for (server, statuses) in [
        ("throttled-once", &[429, 200][..]),
        ("throttled-without-retry-after", &[429, 200]),
        ("unavailable-twice", &[503, 503, 200]),
        ("bad-gateway-once", &[502, 200]),
        ("html-502-once", &[502, 200]),
        ("token-rejected-once", &[401, 200]),
    ] {
        for status in statuses {
            let answer = arm.parameter(&arm.id(server), SWITCH).await;
            assert_eq!(answer.status, *status, "{server}");
            if server == "throttled-once" && *status == 429 {
                assert_eq!(answer.header("retry-after"), "1");
            }
            if server == "throttled-without-retry-after" {
                assert!(!answer.headers.contains_key("retry-after"));
            }
        }
    }
}

#[tokio::test]
async fn broken_connections_are_errors_of_the_transport() {
    let arm = traps().await;
    let url = |server: &str| format!("{}/configurations/{SWITCH}?{VERSION}", arm.id(server));
    for server in ["reset-once", "reset-for-ever", "truncated-body"] {
        let error = arm.send(Method::Get, &url(server), None).await.unwrap_err();
        assert!(matches!(error.kind(), ErrorKind::Io), "{server}: {error:?}");
    }
    assert_eq!(arm.get(&url("reset-once")).await.status, 200);
}

#[tokio::test]
async fn bodies_are_wrong_in_the_way_they_say() {
    let arm = traps().await;
    let read = async |server: &str| arm.parameter(&arm.id(server), SWITCH).await;
    let half = read("truncated-json").await;
    assert!(half.status == 200 && serde_json::from_str::<serde_json::Value>(&half.text).is_err());
    let page = read("html-200").await;
    assert!(page.status == 200 && page.header("content-type").starts_with("text/html"));
    let missing = read("missing-value").await.json();
    assert!(missing["properties"].get("value").is_none() && missing["properties"].get("source").is_some());
    assert_eq!(read("wrong-types").await.json()["properties"]["isDynamicConfig"], "True");
    assert_eq!(read("upper-case").await.json()["properties"]["value"], "OFF");
    let huge = read("huge-body").await;
    assert!(huge.text.len() > 64 << 20);
    assert_eq!(huge.json()["properties"]["value"], "off");
}

#[tokio::test]
async fn links_lead_astray() {
    let arm = traps().await;
    let list = async |url: &str| arm.get(url).await.json();
    let first = |server: &str| format!("{BASE}{}/configurations?{VERSION}", arm.id(server));
    let mut url = first("endless-next-link");
    let mut seen = std::collections::HashSet::new();
    for _ in 0..20 {
        let page = list(&url).await;
        assert!(!page["value"].as_array().unwrap().is_empty());
        url = page["nextLink"].as_str().unwrap().to_owned();
        assert!(seen.insert(url.clone()), "every link is new");
    }
    let url = first("next-link-loop");
    assert_eq!(list(&url).await["nextLink"], url);
    let elsewhere = list(&first("next-link-elsewhere")).await;
    assert!(elsewhere["nextLink"].as_str().unwrap().starts_with("https://elsewhere.invalid/"));
}

#[tokio::test(start_paused = true)]
async fn slow_answers_are_slow() {
    let arm = traps().await;
    let read = async |server: &str| arm.parameter(&arm.id(server), SWITCH).await;
    let patience = Duration::from_secs(600);
    assert!(tokio::time::timeout(patience, read("never-answers")).await.is_err());
    let start = tokio::time::Instant::now();
    let dripped = read("drips").await;
    assert_eq!(dripped.json()["properties"]["value"], "off");
    let length = u32::try_from(dripped.text.len()).unwrap();
    assert!(start.elapsed() >= Duration::from_millis(500) * length);
}

#[tokio::test(start_paused = true)]
async fn latency_and_delays_add_up() {
    let mut scenario = Scenario::named("demo").unwrap();
    scenario.latency = Duration::from_millis(50);
    let arm = Arm::new(Simulation::new(scenario)).await;
    let start = tokio::time::Instant::now();
    arm.read("/subscriptions").await;
    assert_eq!(start.elapsed().as_millis() / 10, 5);
    let delay = Fault::Delay { delay: Duration::from_secs(1) };
    arm.simulation.inject(FaultRule::new(FaultScope::Everywhere, delay)).unwrap();
    arm.read("/subscriptions").await;
    assert_eq!(start.elapsed().as_millis() / 10, 110);
    arm.simulation.clear_faults();
    arm.read("/subscriptions").await;
    assert_eq!(start.elapsed().as_millis() / 10, 115);
}

#[tokio::test]
async fn a_fault_for_nothing_is_refused() {
    let arm = traps().await;
    for scope in [
        FaultScope::Server("/subscriptions/x".to_owned()),
        FaultScope::Subscription("x".to_owned()),
        FaultScope::ResourceGroup("rg".to_owned()),
    ] {
        let rule = FaultRule::new(scope, Fault::Busy);
        let error = arm.simulation.inject(rule).unwrap_err();
        assert!(error.to_string().contains("has no resource"), "{error}");
    }
    let group = arm.id("immediate").split("/providers/").next().unwrap().to_owned();
    let rule =
        FaultRule::new(FaultScope::ResourceGroup(group.to_uppercase()), Fault::Vanished).during([Operation::GetServer]);
    arm.simulation.inject(rule).unwrap();
    assert_eq!(arm.read(&arm.id("immediate")).await.status, 404);
}
