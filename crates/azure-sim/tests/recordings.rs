//! The simulator's bodies against recordings of production: every member that a recording has must be there with the
//! same JSON type, unless it is in the list of tolerated differences below.
//!
//! The recordings are not part of this repository. They are looked for in `HOSTSSL_RECORDINGS`, else beside the
//! workspace in `../shared/azure-recordings`. Without them the tests pass and say that they were skipped, except where
//! `CI` is set: there they fail.

#![expect(clippy::unwrap_used, clippy::print_stderr, reason = "helpers of tests; the lints only know test functions")]

mod common;

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::time::Duration;

use azure_core::http::Method;
use common::{Answer, Arm};
use hostssl_azure_sim::{Scenario, Simulation};
use serde_json::{Value, json};

/// Members that recordings have and the simulator has not, with the reason.
const TOLERATED: &[(&str, &str)] = &[
    ("properties.storageProfile.storageAutoGrow", "the spelling of 2019; 2021 has storageAutogrow"),
    ("properties.highAvailability.standbyAvailabilityZone", "no simulated server has a standby"),
];

/// Members of flexible servers that only the preview of 2020 had.
const PREVIEW_OF_2020: &[&str] = &[
    "sku.capacity",
    "properties.standbyCount",
    "properties.haEnabled",
    "properties.haState",
    "properties.logBackupStorageSku",
    "properties.storageProfile",
    "properties.earliestRestoreDate",
    "properties.byokEnforcement",
    "properties.delegatedSubnetArguments",
    "properties.publicNetworkAccess",
];

#[derive(Debug)]
struct Recorded {
    method: String,
    uri: String,
    status: u64,
    headers: BTreeSet<String>,
    body: Value,
}

/// Where the recordings are; `None` when they are not here and need not be.
fn folder() -> Option<PathBuf> {
    let beside = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/azure-recordings");
    let folder = std::env::var_os("HOSTSSL_RECORDINGS").map_or(beside, PathBuf::from);
    if folder.is_dir() {
        return Some(folder);
    }
    assert!(std::env::var_os("CI").is_none(), "the recordings are missing; HOSTSSL_RECORDINGS must name their folder");
    eprintln!("skipped: no recordings in {}", folder.display());
    None
}

fn read(folder: &Path, file: &str) -> Vec<Recorded> {
    let text = std::fs::read_to_string(folder.join(file)).unwrap();
    let cassette: Value = if file.ends_with(".json") {
        serde_json::from_str(&text).unwrap()
    } else {
        serde_saphyr::from_str(&text).unwrap()
    };
    let interactions = cassette["interactions"].as_array().unwrap();
    interactions
        .iter()
        .map(|interaction| {
            let (request, response) = (&interaction["request"], &interaction["response"]);
            let body = match response["body"]["string"].as_str() {
                Some(text) => serde_json::from_str(text).unwrap_or(Value::Null),
                None => response["body"]["data"].clone(),
            };
            Recorded {
                method: request["method"].as_str().unwrap().to_owned(),
                uri: request["uri"].as_str().unwrap().to_owned(),
                status: response["status"]["code"].as_u64().unwrap(),
                headers: response["headers"]
                    .as_object()
                    .unwrap()
                    .keys()
                    .map(|name| name.to_ascii_lowercase())
                    .collect(),
                body,
            }
        })
        .collect()
}

/// Reads several files and keeps what was a success on a path that `wanted` takes.
fn successes(folder: &Path, files: &[&str], wanted: impl Fn(&str) -> bool) -> Vec<Recorded> {
    let found: Vec<Recorded> = files
        .iter()
        .flat_map(|file| read(folder, file))
        .filter(|one| one.method == "GET" && one.status == 200)
        .filter(|one| wanted(one.uri.split('?').next().unwrap()))
        .collect();
    assert!(!found.is_empty(), "{files:?} hold nothing of the kind");
    found
}

/// The resources in a body: the body itself or the entries of a list.
fn resources(body: &Value) -> Vec<&Value> {
    match body["value"].as_array() {
        Some(entries) => entries.iter().collect(),
        None => vec![body],
    }
}

/// Names what `recorded` has and `ours` lacks or has in another type.
fn differences(path: &str, recorded: &Value, ours: &Value, tolerated: &[&str], out: &mut BTreeSet<String>) {
    let known = |path: &str| tolerated.contains(&path) || TOLERATED.iter().any(|(tolerated, _)| *tolerated == path);
    match (recorded, ours) {
        (Value::Object(members), Value::Object(own)) => {
            for (name, member) in members {
                // Tags and their like are the users' own words.
                if path == "tags" {
                    continue;
                }
                let below = if path.is_empty() { name.clone() } else { format!("{path}.{name}") };
                match own.get(name) {
                    _ if known(&below) => {}
                    Some(mine) => differences(&below, member, mine, tolerated, out),
                    None => {
                        out.insert(format!("{below} is missing"));
                    }
                }
            }
        }
        (Value::Array(entries), Value::Array(own)) => {
            for entry in entries {
                if let Some(mine) = own.first() {
                    differences(&format!("{path}[]"), entry, mine, tolerated, out);
                }
            }
        }
        (Value::Null, _) => {}
        _ if std::mem::discriminant(recorded) == std::mem::discriminant(ours) => {}
        _ => {
            out.insert(format!("{path} is {recorded} in a recording and {ours} here"));
        }
    }
}

/// Compares every recorded resource with ours.
fn compare<'a>(recorded: impl IntoIterator<Item = &'a Recorded>, ours: &Value, tolerated: &[&str]) {
    let mut found = BTreeSet::new();
    let mut count = 0;
    for one in recorded {
        for resource in resources(&one.body) {
            count += 1;
            differences("", resource, ours, tolerated, &mut found);
        }
    }
    assert!(count > 0 && found.is_empty(), "of {count} resources: {found:#?}");
}

async fn demo() -> Arm {
    Arm::new(Simulation::new(Scenario::named("demo").unwrap())).await
}

fn server_path(path: &str, kind: &str) -> bool {
    let Some((_, tail)) = path.split_once("/providers/") else {
        return false;
    };
    let parts: Vec<&str> = tail.split('/').collect();
    (2..=3).contains(&parts.len()) && parts[1].eq_ignore_ascii_case(kind)
}

#[tokio::test]
async fn single_servers() {
    let Some(folder) = folder() else { return };
    let files = [
        "azure-cli-2021-single-server/test_postgres_server_mgmt.yaml",
        "azure-cli-2021-single-server/test_postgrsql_basic_replica_mgmt.yaml",
        "azure-cli-2019-single-server/test_postgres_server_mgmt.yaml",
    ];
    let recorded = successes(&folder, &files, |path| server_path(path, "servers"));
    let arm = demo().await;
    let mut ours = arm.get(&format!("{}?api-version=2017-12-01", arm.id("pg-archive-legacy"))).await.json();
    ours["tags"] = json!({});
    compare(&recorded, &ours, &[]);
}

#[tokio::test]
async fn single_server_parameters() {
    let Some(folder) = folder() else { return };
    let files = [
        "azure-cli-2021-single-server/test_postgres_proxy_resources_mgmt.yaml",
        "azure-cli-2019-single-server/test_postgres_proxy_resources_mgmt.yaml",
        "cloud-custodian/PostgresqlConfigurationParameterFilterTest.test_server_configuration_parameter.json",
    ];
    let recorded = successes(&folder, &files, |path| path.contains("/configurations"));
    let arm = demo().await;
    let url = format!("{}/configurations/log_connections?api-version=2017-12-01", arm.id("pg-directory"));
    compare(&recorded, &arm.get(&url).await.json(), &[]);
}

#[tokio::test]
async fn flexible_servers() {
    let Some(folder) = folder() else { return };
    let arm = demo().await;
    // Of our servers the private one has the most members.
    let ours = arm.read(&arm.id("pg-ledger-prod")).await.json();
    let newer = ["cloud-custodian/PostgreSQLFlexibleServerTest.test_find_by_name.json"];
    compare(&successes(&folder, &newer, |path| server_path(path, "flexibleServers")), &ours, &[]);
    let older = [
        "azure-cli-2021-flexible-server/test_postgres_flexible_server_mgmt.yaml",
        "azure-cli-2021-flexible-server/test_postgres_flexible_server_vnet_mgmt_supplied_subnetid.yaml",
    ];
    compare(&successes(&folder, &older, |path| server_path(path, "flexibleServers")), &ours, PREVIEW_OF_2020);
}

#[tokio::test]
async fn flexible_server_parameters() {
    let Some(folder) = folder() else { return };
    let arm = demo().await;
    let id = arm.id("pg-orders-prod");
    let ours = arm.parameter(&id, "lock_timeout").await.json();
    let newest = ["azure-cli-2026-flexible-parameter/parameter_mgmt_excerpt.yaml"];
    let recorded = successes(&folder, &newest, |path| path.contains("/configurations"));
    compare(&recorded, &ours, &[]);
    let older = ["azure-cli-2021-flexible-server/test_postgres_flexible_server_proxy_resource.yaml"];
    compare(&successes(&folder, &older, |path| path.contains("/configurations")), &ours, &[]);

    // What production says of the TLS parameters is what we say of them, but for the descriptions and Azure's own link.
    for resource in recorded.iter().flat_map(|one| resources(&one.body)) {
        let name = resource["name"].as_str().unwrap();
        if !["require_secure_transport", "ssl", "ssl_min_protocol_version", "ssl_max_protocol_version"].contains(&name)
        {
            continue;
        }
        let ours = arm.parameter(&id, name).await.json();
        for member in ["value", "defaultValue", "dataType", "allowedValues", "source", "isDynamicConfig", "isReadOnly"]
        {
            assert_eq!(ours["properties"][member], resource["properties"][member], "{name} {member}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn long_running_operations() {
    let Some(folder) = folder() else { return };
    let arm = demo().await;
    let accepted = arm.set(&arm.id("pg-catalog-prod"), "require_secure_transport", "on").await;
    let ended = async |accepted: &Answer| {
        tokio::time::advance(Duration::from_secs(1)).await;
        arm.get(accepted.header("azure-asyncoperation")).await
    };
    let succeeded = ended(&accepted).await;
    let failing = arm.set(&arm.id("pg-catalog-prod"), "ssl", "off").await;
    let failed = ended(&failing).await;

    let recorded = read(&folder, "azure-cli-2026-flexible-parameter/parameter_mgmt_excerpt.yaml");
    let writes = recorded.iter().filter(|one| one.method == "PATCH");
    let mut missing = BTreeSet::new();
    for one in writes {
        assert_eq!(u64::from(accepted.status), one.status);
        differences("", &one.body, &accepted.json(), &[], &mut missing);
        missing.extend(absent(one, &accepted));
    }
    let polls = |one: &&Recorded| one.uri.contains("/azureAsyncOperation/");
    for one in recorded.iter().filter(polls) {
        differences("", &one.body, &succeeded.json(), &[], &mut missing);
        missing.extend(absent(one, &succeeded));
    }
    let single = read(&folder, "azure-cli-2021-single-server/test_postgres_server_mgmt.yaml");
    let (bad, good): (Vec<_>, Vec<_>) = single.iter().filter(polls).partition(|one| one.body["status"] == "Failed");
    assert!(!bad.is_empty() && !good.is_empty());
    for one in bad {
        assert_eq!(one.status, 200, "a failed operation is a success of HTTP");
        differences("", &one.body, &failed.json(), &[], &mut missing);
    }
    for one in good {
        differences("", &one.body, &succeeded.json(), &[], &mut missing);
    }
    assert!(missing.is_empty(), "{missing:#?}");
}

/// Recorded headers that our answer lacks, but for those that the server adds or that belong to a cache on the way.
fn absent(recorded: &Recorded, ours: &Answer) -> Vec<String> {
    let added = ["content-length", "date", "x-cache", "x-msedge-ref", "server", "vary", "transfer-encoding"];
    recorded
        .headers
        .iter()
        .filter(|name| !added.contains(&name.as_str()))
        .filter(|name| !ours.headers.contains_key(*name))
        .map(|name| format!("header {name} of {} {}", recorded.method, recorded.status))
        .collect()
}

#[tokio::test]
async fn errors() {
    let Some(folder) = folder() else { return };
    let arm = demo().await;
    let forbidden = arm.parameter(&arm.id("pg-payroll-prod"), "ssl").await;
    let subscription = arm.id("pg-payroll-prod").split("/resourceGroups/").next().unwrap().to_owned();
    let no_group = arm.read(&format!("{subscription}/resourceGroups/none")).await;
    let no_server = arm.read(&format!("{}-none", arm.id("pg-payroll-prod"))).await;
    let mut seen = BTreeSet::new();
    for file in [
        "azure-cli-2021-arm-general/arm_error_excerpt.yaml",
        "azure-cli-2021-arm-general/test_resource_group_no_wait.yaml",
        "azure-cli-2021-arm-general/test_storage_account_show_exit_codes.yaml",
    ] {
        for one in read(&folder, file) {
            let Some(code) = one.body["error"]["code"].as_str() else {
                continue;
            };
            let ours = match code {
                "AuthorizationFailed" => &forbidden,
                "ResourceGroupNotFound" => &no_group,
                "ResourceNotFound" => &no_server,
                _ => continue,
            };
            assert_eq!((u64::from(ours.status), ours.code().as_str()), (one.status, code));
            let mut missing = BTreeSet::new();
            differences("", &one.body, &ours.json(), &[], &mut missing);
            let cause = one.headers.contains("x-ms-failure-cause");
            assert!(
                missing.is_empty() && (!cause || ours.headers.contains_key("x-ms-failure-cause")),
                "{code} {missing:#?}"
            );
            seen.insert(code.to_owned());
        }
    }
    assert_eq!(seen.len(), 3, "{seen:?}");
}

#[tokio::test]
async fn locks_and_resource_graph() {
    let Some(folder) = folder() else { return };
    let arm = demo().await;
    let id = arm.id("pg-ledger-prod");
    let locks = arm.get(&format!("{id}/providers/Microsoft.Authorization/locks?api-version=2016-09-01")).await.json();
    let file = ["azure-cli-2021-arm-general/test_list_locks.yaml"];
    let recorded = successes(&folder, &file, |path| path.ends_with("/locks"));
    compare(&recorded, &locks["value"][0], &[]);

    let file = "cloud-custodian/ResourceGraphSource.test_resource_graph_and_arm_sources_vm_are_equivalent.json";
    let url = "/providers/Microsoft.ResourceGraph/resources?api-version=2021-03-01";
    let ours = arm.send(Method::Post, url, Some(json!({"query": "resources"}))).await.unwrap();
    let recorded = read(&folder, file);
    let query = recorded.iter().find(|one| one.method == "POST").unwrap();
    let mut missing = BTreeSet::new();
    // Version 2019-04-01 answered with a table, later ones answer with objects.
    differences("", &query.body, &ours.json(), &["data"], &mut missing);
    missing.extend(absent(query, &ours));
    assert!(missing.is_empty(), "{missing:#?}");
}
