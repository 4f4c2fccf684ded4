//! Discovery and reads of the demonstration fleet, in process.

#![expect(clippy::unwrap_used, reason = "helpers of tests; the lint only knows test functions")]

mod common;

use azure_core::http::Method;
use common::{Arm, BASE, VERSION};
use hostssl_azure_sim::{
    Fleet, FleetSource, GraphQuota, Kind, Rate, Scenario, Server, Simulation, Subscription, Tenant, Throttle,
};
use serde_json::json;

const PRODUCTION: &str = "/subscriptions/20000000-0000-4000-8000-000000000001";
const PLATFORM: &str = "/subscriptions/20000000-0000-4000-8000-000000000003";

async fn demo() -> Arm {
    Arm::new(Simulation::new(Scenario::named("demo").unwrap())).await
}

#[tokio::test]
async fn every_named_scenario_strikes_something_it_has() {
    for (name, purpose) in Scenario::NAMES {
        let scenario = Scenario::named(name).unwrap();
        let faults = scenario.faults.clone();
        let simulation = Simulation::new(scenario);
        assert!(!purpose.is_empty() && !simulation.server_ids().is_empty(), "{name}");
        for fault in faults {
            simulation.inject(fault).unwrap();
        }
    }
    assert_eq!(Scenario::named("nothing"), None);
}

#[tokio::test]
async fn lists_page_and_links_lead_back_to_the_same_host() {
    let mut scenario = Scenario::named("demo").unwrap();
    scenario.page_size = Some(3);
    let arm = Arm::new(Simulation::new(scenario)).await;
    let mut next = Some(format!("{PRODUCTION}/providers/Microsoft.DBforPostgreSQL/flexibleServers?{VERSION}"));
    let (mut names, mut pages) = (Vec::new(), 0);
    while let Some(url) = next {
        let page = arm.get(&url).await.json();
        pages += 1;
        for server in page["value"].as_array().unwrap() {
            names.push(server["name"].as_str().unwrap().to_owned());
        }
        next = page["nextLink"].as_str().map(ToOwned::to_owned);
        assert!(next.as_ref().is_none_or(|link| link.starts_with(BASE) && link.contains(VERSION)));
    }
    assert_eq!((names.len(), pages), (9, 3));
    names.dedup();
    assert_eq!(names.len(), 9);
}

#[tokio::test]
async fn each_kind_is_listed_and_read_in_its_own_shape() {
    let arm = demo().await;
    let single = arm.get(&format!("{}?api-version=2017-12-01", arm.id("pg-archive-legacy"))).await.json();
    assert_eq!(single["properties"]["sslEnforcement"], "Disabled");
    assert_eq!(single["properties"]["minimalTlsVersion"], "TLSEnforcementDisabled");
    let elastic = arm.read(&arm.id("pg-events-prod")).await.json();
    assert_eq!(elastic["properties"]["cluster"]["clusterSize"], 4);
    let replica = arm.read(&arm.id("pg-orders-prod-replica")).await.json();
    assert_eq!(replica["properties"]["replicationRole"], "AsyncReplica");
    assert_eq!(replica["properties"]["sourceServerResourceId"], arm.id("pg-orders-prod"));
    let replicas = arm.read(&format!("{}/replicas", arm.id("pg-orders-prod"))).await.json();
    assert_eq!(replicas["value"][0]["name"], "pg-orders-prod-replica");
    let node = format!("{}/nodeConfigurations/ssl_min_protocol_version", arm.id("citus-metering"));
    assert_eq!(arm.read(&node).await.json()["properties"]["value"], "TLSv1.2");
    let both = format!("{}/configurations/ssl_min_protocol_version", arm.id("citus-metering"));
    let roles = &arm.read(&both).await.json()["properties"]["serverRoleGroupConfigurations"];
    assert_eq!((&roles[0]["value"], &roles[1]["value"]), (&json!("TLSv1.3"), &json!("TLSv1.2")));
    let preview = "api-version=2026-05-01-preview";
    let clusters = arm.get(&format!("{PLATFORM}/providers/Microsoft.HorizonDb/clusters?{preview}")).await.json();
    let group = clusters["value"][1]["properties"]["parameterGroup"]["id"].as_str().unwrap();
    let group = arm.get(&format!("{group}?{preview}")).await.json();
    let switch = group["properties"]["parameters"].as_array().unwrap();
    let switch = switch.iter().find(|parameter| parameter["name"] == "require_secure_transport");
    assert_eq!(switch.unwrap()["value"], "off");
}

#[tokio::test]
async fn what_is_not_there_is_told_apart() {
    let arm = demo().await;
    let group = format!("{PRODUCTION}/resourceGroups/rg-shop-prod");
    let cases = [
        (format!("/subscriptions/40000000-0000-4000-8000-000000000000?{VERSION}"), 404, "SubscriptionNotFound"),
        (format!("{PRODUCTION}/resourceGroups/none?{VERSION}"), 404, "ResourceGroupNotFound"),
        (
            format!("{group}/providers/Microsoft.DBforPostgreSQL/flexibleServers/none?{VERSION}"),
            404,
            "ResourceNotFound",
        ),
        (format!("{}/configurations/none?{VERSION}", arm.id("pg-orders-prod")), 404, "ResourceNotFound"),
        (format!("{PRODUCTION}/providers/Microsoft.Compute/virtualMachines?{VERSION}"), 404, "NotFound"),
        (
            format!("{PRODUCTION}/providers/Microsoft.HorizonDb/clusters?api-version=2026-01-20-preview"),
            409,
            "MissingSubscriptionRegistration",
        ),
        (arm.id("pg-orders-prod"), 400, "MissingApiVersionParameter"),
        (format!("{}?api-version=2010-01-01", arm.id("pg-orders-prod")), 400, "NoRegisteredProviderFound"),
        (format!("{}/configurations?{VERSION}", arm.id("pg-catalog-stage")), 400, "ServerStoppedError"),
        (format!("{}/configurations?{VERSION}", arm.id("pg-returns-stage")), 500, "InternalServerError"),
    ];
    for (url, status, code) in cases {
        let answer = arm.get(&url).await;
        assert_eq!((answer.status, answer.code().as_str()), (status, code), "{url}");
    }
    let partners = PRODUCTION.replace("0001", "0004");
    let clusters = format!("{partners}/providers/Microsoft.HorizonDb/clusters?api-version=2026-01-20-preview");
    assert_eq!(arm.get(&clusters).await.code(), "AuthorizationFailed");
    arm.simulation.clear_faults();
    assert_eq!(arm.get(&clusters).await.code(), "InvalidResourceType");
    let wrong = arm.send(Method::Delete, &format!("{PRODUCTION}?{VERSION}"), None).await.unwrap();
    assert_eq!(wrong.status, 405);
}

#[tokio::test]
async fn tokens_are_asked_for_and_belong_to_a_tenant() {
    let tenant = |id: &str, subscription: &str| Tenant {
        id: id.to_owned(),
        subscriptions: vec![Subscription { id: subscription.to_owned(), ..Subscription::default() }],
        ..Tenant::default()
    };
    let fleet = Fleet { tenants: vec![tenant("t-one", "s-one"), tenant("t-two", "s-two")] };
    let mut scenario = Scenario::of(FleetSource::Listed(fleet));
    let simulation = Simulation::new(scenario.clone());
    let none = Arm::signed_out(simulation.clone()).read("/subscriptions").await;
    assert_eq!((none.status, none.code().as_str()), (401, "InvalidAuthenticationToken"));
    let one = Arm::in_tenant(simulation.clone(), "t-one").await;
    let listed = one.read("/subscriptions").await.json();
    assert_eq!(listed["value"].as_array().unwrap().len(), 1);
    assert_eq!(listed["value"][0]["subscriptionId"], "s-one");
    assert_eq!(one.read("/tenants").await.json()["value"].as_array().unwrap().len(), 2);
    let wrong = one.read("/subscriptions/s-two").await;
    assert_eq!((wrong.status, wrong.code().as_str()), (401, "InvalidAuthenticationTokenTenant"));
    assert!(wrong.header("www-authenticate").starts_with(&format!("Bearer authorization_uri=\"{BASE}/t-two\"")));

    scenario.token_lifetime = std::time::Duration::ZERO;
    let stale = Arm::new(Simulation::new(scenario)).await.read("/subscriptions").await;
    assert_eq!((stale.status, stale.code().as_str()), (401, "ExpiredAuthenticationToken"));
}

#[tokio::test]
async fn management_groups_hold_what_is_below_them() {
    let arm = demo().await;
    let root = "/providers/Microsoft.Management/managementGroups";
    assert_eq!(arm.read(root).await.json()["value"].as_array().unwrap().len(), 4);
    let below = arm.read(&format!("{root}/Contoso-Workloads/descendants")).await.json();
    let names: Vec<&str> =
        below["value"].as_array().unwrap().iter().map(|item| item["name"].as_str().unwrap()).collect();
    assert_eq!(names[0], "contoso-online");
    assert_eq!(names.len(), 4, "a group and three subscriptions: {names:?}");
    let direct = arm.read(&format!("{root}/contoso-workloads/subscriptions")).await.json();
    assert_eq!(direct["value"].as_array().unwrap().len(), 1);
    assert_eq!(arm.read(&format!("{root}/none/descendants")).await.status, 404);
}

#[tokio::test]
async fn resource_graph_pages_by_id_and_lags_behind() {
    let arm = demo().await;
    let url = "/providers/Microsoft.ResourceGraph/resources?api-version=2021-03-01";
    let (mut token, mut ids) = (None, Vec::new());
    loop {
        let mut options = json!({"$top": 4, "resultFormat": "objectArray"});
        if let Some(token) = &token {
            options["$skipToken"] = json!(token);
        }
        let query = "resources | where type =~ 'microsoft.dbforpostgresql/flexibleservers' | order by id asc";
        let page = arm.send(Method::Post, url, Some(json!({"query": query, "options": options}))).await.unwrap();
        assert_eq!(page.header("x-ms-user-quota-remaining"), "14");
        let page = page.json();
        for row in page["data"].as_array().unwrap() {
            assert_eq!(row["type"], "microsoft.dbforpostgresql/flexibleservers");
            assert!(row["properties"].get("configurations").is_none());
            ids.push(row["id"].as_str().unwrap().to_ascii_lowercase());
        }
        token = page["$skipToken"].as_str().map(ToOwned::to_owned);
        if token.is_none() {
            assert_eq!(page["totalRecords"], ids.len());
            break;
        }
    }
    assert!(ids.is_sorted());
    assert!(ids.iter().any(|id| id.ends_with("pg-cart-review-811")), "still there");
    assert!(!ids.iter().any(|id| id.ends_with("pg-returns-stage")), "not yet there");
    assert_eq!(arm.read(&arm.id("pg-cart-review-811")).await.status, 404);
    assert_eq!(arm.read(&arm.id("pg-returns-stage")).await.status, 200);
    let scoped = json!({"query": "resources", "subscriptions": ["20000000-0000-4000-8000-000000000004"]});
    let scoped = arm.send(Method::Post, url, Some(scoped)).await.unwrap().json();
    assert_eq!(scoped["count"], 1);
}

#[tokio::test(start_paused = true)]
async fn resource_graph_has_a_quota() {
    let mut scenario = Scenario::named("demo").unwrap();
    scenario.graph_quota = Some(GraphQuota::default());
    let arm = Arm::new(Simulation::new(scenario)).await;
    let query = async || {
        let url = "/providers/Microsoft.ResourceGraph/resources?api-version=2021-03-01";
        arm.send(Method::Post, url, Some(json!({"query": "resources"}))).await.unwrap()
    };
    for left in (0..15).rev() {
        assert_eq!(query().await.header("x-ms-user-quota-remaining"), left.to_string());
    }
    let refused = query().await;
    assert_eq!((refused.status, refused.header("retry-after")), (429, "5"));
    assert_eq!(refused.header("x-ms-user-quota-resets-after"), "00:00:05");
    tokio::time::advance(std::time::Duration::from_secs(5)).await;
    assert_eq!(query().await.status, 200);
}

#[tokio::test(start_paused = true)]
async fn buckets_empty_say_when_and_fill_again() {
    let server = Server::new(Kind::Flexible, "rg", "pg");
    let fleet = Fleet {
        tenants: vec![Tenant {
            id: "t".to_owned(),
            subscriptions: vec![Subscription { id: "s".to_owned(), servers: vec![server], ..Subscription::default() }],
            ..Tenant::default()
        }],
    };
    let mut scenario = Scenario::of(FleetSource::Listed(fleet));
    scenario.throttle = Some(Throttle { reads: Rate { capacity: 2, per_second: 0.5 }, ..Throttle::default() });
    let arm = Arm::new(Simulation::new(scenario.clone())).await;
    let left = "x-ms-ratelimit-remaining-subscription-reads";
    assert_eq!(arm.read("/subscriptions/s").await.header(left), "1");
    assert_eq!(arm.read("/subscriptions/s").await.header(left), "0");
    let refused = arm.read("/subscriptions/s").await;
    assert_eq!((refused.status, refused.code().as_str()), (429, "SubscriptionRequestsThrottled"));
    assert_eq!(refused.header("retry-after"), "2");
    assert_eq!(arm.read("/subscriptions").await.header("x-ms-ratelimit-remaining-tenant-reads"), "1");
    tokio::time::advance(std::time::Duration::from_secs(2)).await;
    assert_eq!(arm.read("/subscriptions/s").await.status, 200);

    if let Some(throttle) = &mut scenario.throttle {
        (throttle.headers, throttle.retry_after) = (false, false);
    }
    let arm = Arm::new(Simulation::new(scenario)).await;
    for _ in 0..2 {
        assert!(!arm.read("/subscriptions/s").await.headers.contains_key(left));
    }
    let refused = arm.read("/subscriptions/s").await;
    assert!(refused.status == 429 && !refused.headers.contains_key("retry-after"));
}

#[tokio::test]
async fn a_sovereign_cloud_has_fewer_versions() {
    let mut scenario = Scenario::named("demo").unwrap();
    scenario.flexible_versions = Some(vec!["2022-12-01".to_owned()]);
    let arm = Arm::new(Simulation::new(scenario)).await;
    let refused = arm.read(&arm.id("pg-orders-prod")).await;
    assert!(refused.status == 400 && refused.text.contains("'2022-12-01'"));
    let old = format!("{}?api-version=2022-12-01", arm.id("pg-orders-prod"));
    assert_eq!(arm.get(&old).await.status, 200);
    let provider = arm.read(&format!("{PRODUCTION}/providers/Microsoft.DBforPostgreSQL")).await.json();
    assert_eq!(provider["resourceTypes"][0]["apiVersions"], json!(["2022-12-01"]));
}
