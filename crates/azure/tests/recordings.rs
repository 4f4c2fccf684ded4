//! Recorded traffic of Azure, replayed through the client.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::print_stdout, reason = "a test")]
#![allow(unreachable_pub, missing_docs, reason = "a module shared by tests")]

use azure_core::http::{Method, Url};
use hostssl_azure::{
    ArmError, OperationStatus, Quota, ResourceType, get_document, list_log_files, list_servers, list_subscriptions,
    poll, query_servers, read_parameters, read_server, subscriptions_of_management_group, write,
};
use hostssl_model::{Kind, ParameterName, Reading, Reason, ReplicationRole, ResourceId, SubscriptionId};
use hostssl_test_support::recordings::{Cassette, RecordedExchange, files, folder, recordings};
use serde_json::{Value, json};

/// The type that a path below `Microsoft.DBforPostgreSQL` names, and what follows it.
fn server_path(path: &str) -> Option<(ResourceType, Vec<&str>)> {
    let (_, rest) = path.split_once("/providers/microsoft.dbforpostgresql/")?;
    let mut segments = rest.split('/');
    let resource_type = match segments.next()? {
        "servers" => ResourceType::Servers,
        "flexibleservers" => ResourceType::FlexibleServers,
        _ => return None,
    };
    Some((resource_type, segments.collect()))
}

fn subscription(path: &str) -> SubscriptionId {
    SubscriptionId::new(path.split('/').nth(2).unwrap())
}

fn group(path: &str) -> Option<&str> {
    path.split_once("/resourcegroups/").map(|(_, rest)| rest.split('/').next().unwrap())
}

#[tokio::test]
async fn every_list_of_servers() {
    let Some(recordings) = recordings() else { return };
    let (mut lists, mut servers, mut disabled) = (0, 0, 0);
    for exchange in recordings.iter().filter(|e| e.method == "GET" && e.status == 200) {
        let path = exchange.path();
        let Some((resource_type, rest)) = server_path(&path) else { continue };
        if !rest.is_empty() {
            continue;
        }
        let arm = Cassette::of([exchange.clone()]);
        let listing = list_servers(&arm, &subscription(&path), group(&path), resource_type).await;
        assert!(listing.error.is_none(), "{}: {:?}", exchange.source, listing.error);
        let recorded = exchange.json()["value"].as_array().unwrap().clone();
        assert_eq!(listing.items.len(), recorded.len(), "{}", exchange.source);
        for (item, recorded) in listing.items.into_iter().zip(recorded) {
            let listed = item.unwrap_or_else(|odd| panic!("{}: {}", exchange.source, odd.0));
            check_server(&listed.posture, &recorded, resource_type);
            servers += 1;
            disabled += u32::from(recorded["properties"]["sslEnforcement"] == "Disabled");
        }
        lists += 1;
    }
    println!("{lists} lists, {servers} servers, {disabled} of them not enforced");
    assert!(lists >= 15 && servers >= 100 && disabled >= 1, "{lists} lists, {servers} servers, {disabled}");
}

#[tokio::test]
async fn every_read_of_a_server() {
    let Some(recordings) = recordings() else { return };
    let mut reads = 0;
    for exchange in recordings.iter().filter(|e| e.method == "GET" && e.status == 200) {
        let path = exchange.path();
        let Some((resource_type, rest)) = server_path(&path) else { continue };
        let [name] = rest.as_slice() else { continue };
        let arm = Cassette::of([exchange.clone()]);
        let document = get_document(&arm, &subscription(&path), group(&path).unwrap(), resource_type, name).await;
        let document = document.unwrap_or_else(|error| panic!("{}: {error}", exchange.source));
        assert_eq!(document, exchange.json());
        let listed = read_server(&document.to_string(), resource_type).unwrap();
        check_server(&listed.posture, &document, resource_type);
        reads += 1;
    }
    println!("{reads} reads");
    assert!(reads >= 80, "{reads}");
}

/// What the client reads is what the recording says.
fn check_server(posture: &hostssl_model::Posture, recorded: &Value, resource_type: ResourceType) {
    let (server, properties) = (&posture.server, &recorded["properties"]);
    assert_eq!(server.id.as_str(), recorded["id"].as_str().unwrap());
    assert_eq!(server.name(), recorded["name"].as_str().unwrap());
    assert_eq!(&*server.location, recorded["location"].as_str().unwrap());
    assert_eq!(server.fqdn.as_deref(), properties["fullyQualifiedDomainName"].as_str());
    let state = properties["state"].as_str().or(properties["userVisibleState"].as_str());
    assert_eq!(server.state.as_ref().map(|state| state.as_str()), state);
    let is_replica = properties["replicationRole"].as_str().is_some_and(|role| role.contains("Replica"));
    assert_eq!(server.role == ReplicationRole::Replica, is_replica);
    assert_eq!(server.primary.is_some(), is_replica, "{recorded}");
    if resource_type == ResourceType::Servers {
        assert_eq!(server.kind, Kind::Single);
        for name in [ParameterName::SslEnforcement, ParameterName::MinimalTlsVersion] {
            match (properties[name.as_str()].as_str(), posture.reading(name)) {
                (Some(value), Some(Reading::Known(parameter))) => assert_eq!(parameter.value(), value),
                (None, Some(Reading::Unknown(unchecked))) => assert_eq!(unchecked.reason, Reason::NotReturned),
                other => panic!("{other:?}"),
            }
        }
    }
}

#[tokio::test]
async fn every_read_of_a_parameter() {
    let Some(recordings) = recordings() else { return };
    let (mut reads, mut tls) = (0, 0);
    for exchange in recordings.iter().filter(|e| e.method == "GET" && e.status == 200) {
        let path = exchange.path();
        let Some((resource_type, rest)) = server_path(&path) else { continue };
        let entries: Vec<Value> = match rest.as_slice() {
            [_, "configurations", _] => vec![exchange.json()],
            [_, "configurations"] => exchange.json()["value"].as_array().unwrap().clone(),
            _ => continue,
        };
        for entry in entries {
            let url = format!("https://management.azure.com{}", entry["id"].as_str().unwrap());
            let arm = Cassette::of([RecordedExchange::made(&exchange.source, &url, &entry)]);
            let quota = Quota::Reads(subscription(&path));
            let read: Value = arm.get(Url::parse(&url).unwrap(), &quota).await.unwrap();
            assert_eq!(read["properties"]["value"], entry["properties"]["value"]);
            reads += 1;
            tls += check_tls_parameter(&arm, &entry, resource_type).await;
        }
    }
    println!("{reads} parameters, {tls} of them about TLS");
    assert!(reads >= 200 && tls >= 3, "{reads} {tls}");
}

/// Reads a TLS parameter of a flexible server by name, as the audit does.
async fn check_tls_parameter(arm: &hostssl_azure::Arm, entry: &Value, resource_type: ResourceType) -> u32 {
    let names = [
        ParameterName::RequireSecureTransport,
        ParameterName::SslMinProtocolVersion,
        ParameterName::SslMaxProtocolVersion,
    ];
    let Some(name) = names.into_iter().find(|name| entry["name"] == name.as_str()) else { return 0 };
    if resource_type != ResourceType::FlexibleServers {
        return 0;
    }
    let id = entry["id"].as_str().unwrap().split("/configurations/").next().unwrap();
    let server = read_server(&json!({ "id": id }).to_string(), resource_type).unwrap();
    let readings = read_parameters(arm, &server, &[name]).await;
    let Reading::Known(parameter) = &readings[0].1 else { panic!("{readings:?}") };
    assert_eq!(parameter.value(), entry["properties"]["value"].as_str().unwrap());
    assert_eq!(parameter.pending_restart, entry["properties"]["isConfigPendingRestart"] == true);
    1
}

#[tokio::test]
async fn every_long_running_operation() {
    let Some(recordings) = recordings() else { return };
    let (mut writes, mut polls, mut pending, mut failed) = (0, 0, 0, 0);
    let status = |e: &&RecordedExchange| e.method == "GET" && e.path().contains("/azureasyncoperation/");
    let polled: Vec<&RecordedExchange> = recordings.iter().filter(status).collect();
    for exchange in recordings.iter().filter(|e| e.status == 202 && matches!(e.method.as_str(), "PATCH" | "PUT")) {
        let arm = Cassette::of([exchange.clone()]);
        let method = if exchange.method == "PATCH" { Method::Patch } else { Method::Put };
        let path = exchange.path();
        let url = Url::parse(&exchange.url).unwrap();
        let accepted = write(&arm, method, url, &json!({}), &subscription(&path), None).await.unwrap();
        assert!(accepted.operation.is_some(), "{}: {}", exchange.source, exchange.url);
        writes += 1;
    }
    for exchange in polled {
        // A write that is answered with the recorded address leads to the recorded poll.
        let start = RecordedExchange {
            method: "PATCH".into(),
            status: 202,
            headers: vec![("azure-asyncoperation".into(), exchange.url.clone())],
            ..RecordedExchange::made(&exchange.source, "https://management.azure.com/subscriptions/s", &json!({}))
        };
        let url = Url::parse(&start.url).unwrap();
        let arm = Cassette::of([start, exchange.clone()]);
        let accepted = write(&arm, Method::Patch, url, &json!({}), &SubscriptionId::new("s"), None).await.unwrap();
        let progress = poll(&arm, &accepted.operation.unwrap()).await.unwrap();
        let recorded = exchange.json();
        match recorded["status"].as_str().unwrap() {
            "Succeeded" => assert_eq!(progress, OperationStatus::Succeeded),
            "Failed" => {
                let OperationStatus::Failed { code, .. } = progress else { panic!("{progress:?}") };
                assert_eq!(code, recorded["error"]["code"].as_str().unwrap());
                failed += 1;
            }
            word => {
                assert_eq!(progress, OperationStatus::Pending(word.to_owned(), None));
                pending += 1;
            }
        }
        polls += 1;
    }
    println!("{writes} writes, {polls} polls: {pending} pending, {failed} failed");
    assert!(writes >= 20 && polls >= 200 && pending >= 50 && failed >= 1, "{writes} {polls} {pending} {failed}");
}

#[tokio::test]
async fn every_error() {
    let Some(recordings) = recordings() else { return };
    let mut reasons = std::collections::BTreeMap::new();
    for exchange in recordings.iter().filter(|e| e.status >= 400) {
        let get = RecordedExchange { method: "GET".into(), ..exchange.clone() };
        let arm = Cassette::of([get]);
        let quota = Quota::TenantReads;
        let answer = arm.get::<Value>(Url::parse(&exchange.url).unwrap(), &quota).await;
        let error = answer.expect_err(&exchange.url);
        let ArmError::Refused(refusal) = &error else { panic!("{error:?}") };
        let recorded = exchange.json();
        let code = recorded["error"]["code"].as_str().or(recorded["code"].as_str()).unwrap_or_default();
        assert_eq!((refusal.status, refusal.code.as_str()), (exchange.status, code));
        *reasons.entry(error.unchecked("assumed/read").reason.as_str()).or_insert(0) += 1;
    }
    println!("{reasons:?}");
    assert!(reasons.contains_key("permission") && reasons.contains_key("vanished"), "{reasons:?}");
}

#[tokio::test]
async fn every_list_of_log_files() {
    let Some(recordings) = recordings() else { return };
    let (mut lists, mut files) = (0, 0);
    for exchange in recordings.iter().filter(|e| e.method == "GET" && e.status == 200) {
        // Both kinds of servers answer in the same form; those that were recorded are single servers.
        let path = exchange.url.split('?').next().unwrap().trim_start_matches("https://management.azure.com");
        let Some(server) = path.strip_suffix("/logFiles") else { continue };
        let arm = Cassette::of([exchange.clone()]);
        let listing = list_log_files(&arm, &ResourceId::try_from(server).unwrap()).await;
        assert!(listing.error.is_none(), "{}: {:?}", exchange.source, listing.error);
        let recorded = exchange.json()["value"].as_array().unwrap().clone();
        assert_eq!(listing.items.len(), recorded.len(), "{}", exchange.source);
        for (file, recorded) in listing.items.iter().zip(recorded) {
            assert_eq!(recorded["name"], *file.name);
            assert_eq!(recorded["properties"]["sizeInKB"].as_u64(), file.size_kib, "{recorded}");
            // Storage of this cloud, wherever it was signed; and its signature is not to be had from what is printed.
            assert!(file.url.is_some(), "{recorded}");
            assert!(!format!("{file:?}").contains("sig="));
            files += 1;
        }
        lists += 1;
    }
    println!("{lists} lists, {files} log files");
    assert!(lists >= 2 && files >= 2, "{lists} lists, {files} log files");
}

#[tokio::test]
async fn every_other_read() {
    let Some(recordings) = recordings() else { return };
    let mut reads = 0;
    for exchange in recordings.iter().filter(|e| e.method == "GET" && e.status == 200 && !e.body.is_empty()) {
        let arm = Cassette::of([exchange.clone()]);
        let read: Value = arm.get(Url::parse(&exchange.url).unwrap(), &Quota::TenantReads).await.unwrap();
        assert_eq!(read, exchange.json(), "{}: {}", exchange.source, exchange.url);
        reads += 1;
    }
    println!("{reads} reads");
    assert!(reads >= 800, "{reads}");
}

#[tokio::test]
async fn every_query_of_resource_graph() {
    let Some(recordings) = recordings() else { return };
    let mut rows = 0;
    for exchange in recordings.iter().filter(|e| e.path().ends_with("/microsoft.resourcegraph/resources")) {
        assert!(exchange.headers.iter().any(|(name, _)| name == "x-ms-user-quota-remaining"), "{:?}", exchange.headers);
        // They were recorded in the table form; the client asks for objects. The same rows, as objects:
        let recorded = exchange.json();
        let columns =
            recorded["data"]["columns"].as_array().unwrap().iter().map(|column| column["name"].as_str().unwrap());
        let object = |row: &Value| -> Value {
            columns
                .clone()
                .map(str::to_owned)
                .zip(row.as_array().unwrap().iter().cloned())
                .collect::<serde_json::Map<_, _>>()
                .into()
        };
        let objects: Vec<Value> = recorded["data"]["rows"].as_array().unwrap().iter().map(object).collect();
        let body = json!({ "data": objects, "totalRecords": recorded["totalRecords"], "count": recorded["count"] });
        let arm = Cassette::of([RecordedExchange { body: body.to_string(), ..exchange.clone() }]);
        let listing = query_servers(&arm, &[SubscriptionId::new("s")]).await;
        // They asked for other things than servers: each row is told, none is dropped.
        assert_eq!(listing.items.len(), objects.len());
        assert!(listing.items.iter().all(Result::is_err));
        // One recording was cut: it counts more rows than it holds.
        let missing = recorded["totalRecords"].as_u64().unwrap() > objects.len() as u64;
        assert_eq!(listing.error.is_some(), missing, "{:?}", listing.error);
        // An answer in the other form is an error, and not an empty estate.
        let listing = query_servers(&Cassette::of([exchange.clone()]), &[SubscriptionId::new("s")]).await;
        assert!(listing.error.is_some());
        rows += objects.len();
    }
    println!("{rows} rows");
    assert!(rows >= 1, "{rows}");
}

/// One of Microsoft's examples, as the exchange that it describes.
fn example(file: &str, url: &str) -> Option<RecordedExchange> {
    let path = folder("azure-rest-examples")?.join(file);
    let document: Value = serde_json::from_str(&std::fs::read_to_string(&path).unwrap()).unwrap();
    let mut body = document["responses"]["200"]["body"].clone();
    // The pages that examples link to do not exist.
    body.as_object_mut().unwrap().remove("nextLink");
    Some(RecordedExchange::made(file, &format!("https://management.azure.com{url}"), &body))
}

#[tokio::test]
async fn examples_of_subscriptions_and_management_groups() {
    let Some(list) = example("subscriptions/2019-06-01_GetSubscriptions.json", "/subscriptions") else { return };
    let count = list.json()["value"].as_array().unwrap().len();
    let listing = list_subscriptions(&Cassette::of([list])).await;
    assert_eq!((listing.items.len(), listing.error.is_none()), (count, true));

    let url = "/providers/Microsoft.Management/managementGroups/group/descendants";
    let descendants = example("managementgroups-2020-05-01/GetDescendants.json", url).unwrap();
    let listing = subscriptions_of_management_group(&Cassette::of([descendants]), "group").await;
    assert!(listing.error.is_none() && !listing.items.is_empty(), "{listing:?}");
}

#[tokio::test]
async fn examples_of_clusters() {
    let subscription = SubscriptionId::new("ffffffff-ffff-ffff-ffff-ffffffffffff");
    let base = format!("/subscriptions/{subscription}/providers");
    let url = format!("{base}/Microsoft.DBforPostgreSQL/serverGroupsv2");
    let Some(groups) = example("postgresqlhsc-2020-10-05-privatepreview/ServerGroupList.json", &url) else { return };
    let listing = list_servers(&Cassette::of([groups]), &subscription, None, ResourceType::ServerGroups).await;
    let cluster = listing.items[0].as_ref().unwrap().posture.server.clone();
    assert_eq!(cluster.kind, Kind::CosmosCluster);
    assert_eq!(cluster.fqdn.as_deref(), Some("hsctestsg1-c.postgres.database.azure.com"));

    let url = format!("{base}/Microsoft.HorizonDb/clusters");
    let clusters = example("horizondb/Clusters_ListBySubscription.2026-05-01-preview.json", &url).unwrap();
    let listing = list_servers(&Cassette::of([clusters]), &subscription, None, ResourceType::HorizonClusters).await;
    let cluster = listing.items[0].as_ref().unwrap().posture.server.clone();
    assert_eq!((cluster.kind, cluster.name()), (Kind::Horizon, "examplecluster"));
}

#[tokio::test]
async fn every_example_of_a_server() {
    let Some(base) = folder("azure-rest-examples") else { return };
    let mut servers = 0;
    for file in files(&base) {
        let name = file.file_name().unwrap().to_string_lossy().into_owned();
        let resource_type = match file.parent().unwrap().file_name().unwrap().to_string_lossy().as_ref() {
            "postgresql-single-2017-12-01" => ResourceType::Servers,
            "postgresql-flexible-2021-06-01" => ResourceType::FlexibleServers,
            _ => continue,
        };
        if !name.starts_with("ServerList") && !name.starts_with("ServerGet") {
            continue;
        }
        let document: Value = serde_json::from_str(&std::fs::read_to_string(&file).unwrap()).unwrap();
        let body = &document["responses"]["200"]["body"];
        let entries = body["value"].as_array().cloned().unwrap_or_else(|| vec![body.clone()]);
        for entry in entries {
            let listed =
                read_server(&entry.to_string(), resource_type).unwrap_or_else(|odd| panic!("{name}: {}", odd.0));
            check_server(&listed.posture, &entry, resource_type);
            servers += 1;
        }
    }
    println!("{servers} servers");
    assert!(servers >= 6, "{servers}");
}
