//! Writes, long-running operations and what stands in their way, in process and under a paused clock.

#![expect(clippy::unwrap_used, reason = "helpers of tests; the lint only knows test functions")]

mod common;

use std::time::Duration;

use azure_core::http::Method;
use common::{Answer, Arm};
use hostssl_azure_sim::{Operation, Scenario, ServerState, Simulation};
use serde_json::json;

const SWITCH: &str = "require_secure_transport";

async fn arm(scenario: &str) -> Arm {
    Arm::new(Simulation::new(Scenario::named(scenario).unwrap())).await
}

/// Polls an accepted write to its end and returns the words it went through and the last answer.
async fn finish(arm: &Arm, accepted: &Answer) -> (Vec<String>, Answer) {
    assert_eq!(accepted.status, 202, "{}", accepted.text);
    let url = accepted.header("azure-asyncoperation").to_owned();
    let mut words = Vec::new();
    loop {
        let poll = arm.get(&url).await;
        if poll.status != 200 {
            return (words, poll);
        }
        let word = poll.json()["status"].as_str().map(ToOwned::to_owned);
        words.push(word.clone().unwrap_or_default());
        if matches!(word.as_deref(), Some("Succeeded" | "Failed")) {
            return (words, poll);
        }
        let wait = poll.header("retry-after").parse().map(Duration::from_secs);
        tokio::time::advance(wait.unwrap_or(Duration::from_secs(1))).await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_parameter_changes_when_its_operation_ends() {
    let arm = arm("demo").await;
    let id = arm.id("pg-catalog-prod");
    let accepted = arm.set(&id, SWITCH, "ON").await;
    assert_eq!(accepted.json()["operation"], "UpdateOrcasServerParameterManagementOperation");
    let url = accepted.header("azure-asyncoperation");
    assert!((3_000..4_096).contains(&url.len()), "{}", url.len());
    assert!(url.contains("/azureAsyncOperation/") && !url.contains("resourceGroups"));
    assert_eq!(arm.parameter(&id, SWITCH).await.json()["properties"]["value"], "off");
    let busy = arm.set(&id, SWITCH, "off").await;
    assert_eq!((busy.status, busy.code().as_str()), (409, "ServerIsBusy"));
    let result = arm.get(accepted.header("location")).await;
    assert!(result.status == 202 && result.text.is_empty());

    let (words, _) = finish(&arm, &accepted).await;
    assert_eq!(words, ["InProgress", "Succeeded"]);
    let after = arm.parameter(&id, SWITCH).await.json();
    assert_eq!(after["properties"]["value"], "on");
    assert_eq!(after["properties"]["source"], "user-override");
    let result = arm.get(accepted.header("location")).await;
    assert_eq!((result.status, &result.json()["name"]), (200, &json!(SWITCH)));
    assert_eq!(arm.simulation.parameter(&id, SWITCH).unwrap(), "on");
    let requests = arm.simulation.requests();
    let statuses: Vec<u16> = requests.writes_to(&id).map(|write| write.status).collect();
    assert_eq!(statuses, [202, 409]);
    assert_eq!(requests.writes[0].body["properties"]["value"], "ON");
    assert_eq!(requests.of(Operation::UpdateConfiguration), 2);
}

#[tokio::test(start_paused = true)]
async fn a_poll_must_use_the_url_it_was_given() {
    let arm = arm("demo").await;
    let accepted = arm.set(&arm.id("pg-catalog-prod"), SWITCH, "on").await;
    let url = accepted.header("azure-asyncoperation");
    let cut = url.split("&t=").next().unwrap();
    assert_eq!(arm.get(cut).await.status, 403);
    assert_eq!(arm.get(&url.replace("SIMULATED-HASH", "ALTERED-HASH")).await.status, 403);
    assert_eq!(arm.get(url).await.status, 200);
}

#[tokio::test(start_paused = true)]
async fn regions_are_spelled_both_ways() {
    let arm = arm("demo").await;
    let mut spaced = 0;
    for turn in 0..16 {
        let accepted = arm.set(&arm.id("pg-catalog-prod"), SWITCH, if turn % 2 == 0 { "on" } else { "off" }).await;
        spaced += usize::from(accepted.header("azure-asyncoperation").contains("/West%20Europe/"));
        finish(&arm, &accepted).await;
    }
    assert!((1..16).contains(&spaced), "{spaced}");
}

#[tokio::test(start_paused = true)]
async fn a_single_server_is_patched_as_the_azure_cli_does_it() {
    let arm = arm("demo").await;
    let id = arm.id("pg-archive-legacy");
    let body = json!({
        "properties": {
            "storageProfile": {"storageMB": 51_200, "backupRetentionDays": 7},
            "sslEnforcement": "Enabled",
            "minimalTlsVersion": "TLS1_2",
        },
        "tags": {"a": "b"},
    });
    let url = format!("{id}?api-version=2017-12-01");
    let accepted = arm.send(Method::Patch, &url, Some(body)).await.unwrap();
    assert_eq!(accepted.json()["operation"], "UpsertElasticServer");
    finish(&arm, &accepted).await;
    let properties = arm.get(&url).await.json()["properties"].clone();
    assert_eq!(properties["sslEnforcement"], "Enabled");
    assert_eq!(properties["minimalTlsVersion"], "TLS1_2");
    let wrong = json!({"properties": {"sslEnforcement": "Sometimes"}});
    assert_eq!(arm.send(Method::Patch, &url, Some(wrong)).await.unwrap().status, 400);
}

#[tokio::test(start_paused = true)]
async fn nodes_of_a_server_group_are_set_apart() {
    let arm = arm("demo").await;
    let id = arm.id("citus-telemetry");
    let url = |plane: &str| format!("{id}/{plane}/ssl_min_protocol_version?api-version=2022-11-08");
    let body = json!({"properties": {"value": "TLSv1.3", "source": "user-override"}});
    let accepted = arm.send(Method::Put, &url("nodeConfigurations"), Some(body.clone())).await.unwrap();
    finish(&arm, &accepted).await;
    assert_eq!(arm.get(&url("nodeConfigurations")).await.json()["properties"]["value"], "TLSv1.3");
    assert_eq!(arm.get(&url("coordinatorConfigurations")).await.json()["properties"]["value"], "TLSv1.2");
    assert_eq!(arm.send(Method::Put, &url("configurations"), Some(body)).await.unwrap().status, 405);
}

#[tokio::test(start_paused = true)]
async fn a_parameter_group_gets_a_new_version() {
    let arm = arm("demo").await;
    let url = format!("{}?api-version=2026-01-20-preview", arm.id("horizon-relaxed"));
    let before = arm.get(&url).await.json()["properties"]["version"].as_u64().unwrap();
    let body = json!({"properties": {"parameters": [{"name": SWITCH, "value": "on"}], "applyImmediately": true}});
    let accepted = arm.send(Method::Patch, &url, Some(body)).await.unwrap();
    assert!(accepted.header("location").contains("/providers/Microsoft.HorizonDb/"));
    finish(&arm, &accepted).await;
    assert_eq!(arm.get(&url).await.json()["properties"]["version"], before + 1);
    assert_eq!(arm.simulation.parameter(&arm.id("horizon-relaxed"), SWITCH).unwrap(), "on");
}

#[tokio::test(start_paused = true)]
async fn a_read_only_parameter_is_accepted_and_fails_without_a_reason() {
    let arm = arm("demo").await;
    let id = arm.id("pg-orders-prod");
    let (_, last) = finish(&arm, &arm.set(&id, "ssl", "off").await).await;
    assert_eq!(last.status, 200);
    assert_eq!(last.json()["error"], json!({"code": "OperationFailed", "message": "{0}"}));
    assert_eq!(arm.parameter(&id, "ssl").await.json()["properties"]["value"], "on");
}

#[tokio::test(start_paused = true)]
async fn a_static_parameter_waits_for_a_restart() {
    let arm = arm("demo").await;
    let id = arm.id("pg-orders-prod");
    finish(&arm, &arm.set(&id, "max_connections", "100").await).await;
    let parameter = arm.parameter(&id, "max_connections").await.json();
    assert_eq!(parameter["properties"]["isConfigPendingRestart"], true);
    assert_eq!(parameter["properties"]["isDynamicConfig"], false);
}

#[tokio::test(start_paused = true)]
async fn bad_bodies_are_refused_and_change_nothing() {
    let arm = arm("demo").await;
    let id = arm.id("pg-catalog-prod");
    let url = format!("{id}/configurations/{SWITCH}?{}", common::VERSION);
    for body in
        [json!({}), json!([]), json!({"properties": {"value": true}}), json!({"properties": {"value": "maybe"}})]
    {
        let refused = arm.send(Method::Patch, &url, Some(body)).await.unwrap();
        assert_eq!(refused.status, 400, "{}", refused.text);
    }
    let huge = json!({"properties": {"value": "x".repeat(2 << 20)}});
    assert_eq!(arm.send(Method::Patch, &url, Some(huge)).await.unwrap().status, 413);
    assert_eq!(arm.simulation.parameter(&id, SWITCH).unwrap(), "off");
}

#[tokio::test(start_paused = true)]
async fn things_change_behind_the_client_s_back() {
    let arm = arm("demo").await;
    let id = arm.id("pg-orders-prod");
    arm.simulation.set_parameter(&id.to_uppercase(), SWITCH, "off").unwrap();
    assert_eq!(arm.parameter(&id, SWITCH).await.json()["properties"]["value"], "off");
    arm.simulation.set_state(&id, ServerState::Stopped).unwrap();
    assert_eq!(arm.parameter(&id, SWITCH).await.code(), "ServerStoppedError");
    assert_eq!(arm.set(&id, SWITCH, "on").await.code(), "ServerStoppedError");
    assert!(arm.simulation.set_parameter(&id, "none", "x").is_err());
    assert!(arm.simulation.set_state("/subscriptions/none", ServerState::Ready).is_err());
}

#[tokio::test(start_paused = true)]
async fn readonly_identities_cannot_write() {
    let arm = arm("readonly").await;
    let refused = arm.set(&arm.id("pg-catalog-prod"), SWITCH, "on").await;
    assert_eq!(refused.code(), "AuthorizationFailed");
    assert!(refused.text.contains("'Microsoft.DBforPostgreSQL/flexibleServers/configurations/write'"));
    assert!(refused.text.contains("/flexibleServers/pg-catalog-prod'"));
    assert_eq!(refused.header("x-ms-failure-cause"), "gateway");
}

#[tokio::test(start_paused = true)]
async fn writes_meet_every_trap() {
    let arm = arm("faults").await;
    for (server, status, code) in [
        ("read-only-lock", 409, "ScopeLocked"),
        ("policy-denied", 403, "RequestDisallowedByPolicy"),
        ("write-forbidden", 403, "AuthorizationFailed"),
        ("busy-for-ever", 409, "ServerIsBusy"),
        ("write-throttled-once", 429, "SubscriptionRequestsThrottled"),
    ] {
        let refused = arm.set(&arm.id(server), SWITCH, "on").await;
        assert_eq!((refused.status, refused.code().as_str()), (status, code), "{server}");
        assert_eq!(arm.simulation.parameter(&arm.id(server), SWITCH).unwrap(), "off", "{server}");
    }
    for (server, words, code, value) in [
        ("delete-lock", &["InProgress", "Succeeded"][..], None, "on"),
        ("operation-fails", &["InProgress", "Failed"], Some("ServerIsNotReady"), "off"),
        ("operation-fails-opaquely", &["InProgress", "Failed"], Some("OperationFailed"), "off"),
        ("operation-ignored", &["InProgress", "Succeeded"], None, "off"),
        ("unknown-status", &["Restarting", "Succeeded"], None, "on"),
        ("stops-meanwhile", &["InProgress", "Failed"], Some("ServerIsNotReady"), "off"),
        ("poll-forbidden", &[], Some("AuthorizationFailed"), "on"),
        ("poll-not-found", &[], Some("ResourceNotFound"), "on"),
    ] {
        let id = arm.id(server);
        let accepted = arm.set(&id, SWITCH, "on").await;
        let (seen, last) = finish(&arm, &accepted).await;
        assert_eq!(seen, words, "{server}");
        assert_eq!(last.json()["error"]["code"].as_str(), code, "{server}");
        tokio::time::advance(Duration::from_secs(1)).await;
        assert_eq!(arm.simulation.parameter(&id, SWITCH).unwrap(), value, "{server}");
    }
    assert_eq!(arm.parameter(&arm.id("stops-meanwhile"), SWITCH).await.code(), "ServerStoppedError");
}

#[tokio::test(start_paused = true)]
async fn some_traps_let_go() {
    let arm = arm("faults").await;
    let busy = arm.id("busy-twice");
    let mut statuses = Vec::new();
    for _ in 0..3 {
        statuses.push(arm.set(&busy, SWITCH, "on").await.status);
    }
    assert_eq!(statuses, [409, 409, 202]);

    let immediate = arm.set(&arm.id("immediate"), SWITCH, "on").await;
    assert_eq!((immediate.status, &immediate.json()["properties"]["value"]), (200, &json!("on")));

    let slow = arm.id("operation-slow");
    let accepted = arm.set(&slow, SWITCH, "on").await;
    let (words, _) = finish(&arm, &accepted).await;
    assert_eq!(words.len(), 21, "a poll a second for 20 seconds and the last");

    let reset = arm.id("reset-after-accept");
    let url = format!("{reset}/configurations/{SWITCH}?{}", common::VERSION);
    let body = json!({"properties": {"value": "on"}});
    assert!(arm.send(Method::Patch, &url, Some(body)).await.is_err());
    tokio::time::advance(Duration::from_secs(1)).await;
    assert_eq!(arm.simulation.parameter(&reset, SWITCH).unwrap(), "on");
    assert_eq!(arm.simulation.requests().writes_to(&reset).next().unwrap().status, 0);
}

#[tokio::test]
async fn locks_and_policies_can_be_listed() {
    let arm = arm("faults").await;
    let list = async |scope: &str, kind: &str| {
        let url = format!("{scope}/providers/Microsoft.Authorization/{kind}?api-version=2016-09-01");
        arm.get(&url).await.json()["value"].as_array().unwrap().clone()
    };
    let subscription = arm.id("read-only-lock").split("/resourceGroups").next().unwrap().to_owned();
    assert_eq!(list(&subscription, "locks").await.len(), 2);
    let own = list(&arm.id("read-only-lock"), "locks").await;
    assert_eq!((own.len(), &own[0]["properties"]["level"]), (1, &json!("ReadOnly")));
    assert!(list(&arm.id("immediate"), "locks").await.is_empty());
    assert_eq!(list(&arm.id("policy-denied"), "policyAssignments").await.len(), 1);
}
