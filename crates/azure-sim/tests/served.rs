//! The simulation over a socket, as real clients meet it: TLS, both HTTP versions, sign-in, the demonstration fleet.

#![expect(clippy::unwrap_used, reason = "helpers of tests; the lint only knows test functions")]

use std::collections::BTreeSet;

use hostssl_azure_sim::{
    CLIENT_ID, Fault, FaultRule, FaultScope, Operation, RunningServer, Scenario, ServeError, ServeOptions, Simulation,
    environment, serve, write_files,
};
use reqwest::{Certificate, Client, StatusCode};
use serde_json::Value;

const FLEXIBLE: &str = "providers/Microsoft.DBforPostgreSQL/flexibleServers";

async fn demo() -> RunningServer {
    let simulation = Simulation::new(Scenario::named("demo").unwrap());
    serve(simulation, ServeOptions::default()).await.unwrap()
}

fn client(server: &RunningServer) -> Client {
    let _ = rustls::crypto::ring::default_provider().install_default();
    Client::builder()
        .tls_certs_only([Certificate::from_pem(server.ca_pem.as_bytes()).unwrap()])
        .no_proxy()
        .build()
        .unwrap()
}

async fn token(client: &Client, server: &RunningServer, secret: &str) -> reqwest::Response {
    let tenant = &server.simulation().tenant_ids()[0];
    client
        .post(format!("{}/{tenant}/oauth2/v2.0/token", server.base_url))
        .header("content-type", "application/x-www-form-urlencoded")
        .body(format!(
            "client_id={CLIENT_ID}&grant_type=client_credentials&client_secret={secret}&scope=https%3A%2F%2Fmanagement.core.windows.net%2F%2F.default"
        ))
        .send()
        .await
        .unwrap()
}

async fn signed_in(client: &Client, server: &RunningServer) -> String {
    let reply = token(client, server, "simulated").await;
    let reply: Value = serde_json::from_slice(&reply.bytes().await.unwrap()).unwrap();
    reply["access_token"].as_str().unwrap().to_owned()
}

async fn get(client: &Client, bearer: &str, url: &str) -> (StatusCode, Value) {
    let reply = client.get(url).bearer_auth(bearer).send().await.unwrap();
    let status = reply.status();
    (status, serde_json::from_slice(&reply.bytes().await.unwrap()).unwrap())
}

#[tokio::test]
async fn a_client_signs_in_and_reads_the_fleet() {
    let server = demo().await;
    let client = client(&server);
    let bearer = signed_in(&client, &server).await;
    let base = &server.base_url;

    let (status, subscriptions) = get(&client, &bearer, &format!("{base}/subscriptions?api-version=2022-12-01")).await;
    assert_eq!(status, 200);
    let ids: Vec<&str> = subscriptions["value"]
        .as_array()
        .unwrap()
        .iter()
        .map(|subscription| subscription["id"].as_str().unwrap())
        .collect();
    assert_eq!(ids.len(), 4);

    let mut values = BTreeSet::new();
    for id in &ids {
        let (status, list) = get(&client, &bearer, &format!("{base}{id}/{FLEXIBLE}?api-version=2025-08-01")).await;
        if status == 403 {
            assert!(
                list["error"]["message"].as_str().unwrap().contains("Microsoft.DBforPostgreSQL/flexibleServers/read")
            );
            continue;
        }
        for listed in list["value"].as_array().unwrap() {
            let id = listed["id"].as_str().unwrap();
            let url = format!("{base}{id}/configurations/require_secure_transport?api-version=2025-08-01");
            let (status, parameter) = get(&client, &bearer, &url).await;
            match status.as_u16() {
                200 => values.insert(parameter["properties"]["value"].as_str().unwrap().to_owned()),
                _ => values.insert(parameter["error"]["code"].as_str().unwrap().to_owned()),
            };
        }
    }
    let expected =
        ["on", "ON", "off", "AuthorizationFailed", "InternalServerError", "ResourceNotFound", "ServerStoppedError"];
    assert_eq!(values, expected.map(ToOwned::to_owned).into());
    server.shutdown().await;
}

#[tokio::test]
async fn http_2_is_negotiated_and_http_1_works() {
    let server = demo().await;
    let url = format!("{}/metadata/endpoints?api-version=2022-09-01", server.base_url);
    let reply = client(&server).get(&url).send().await.unwrap();
    assert_eq!(reply.version(), reqwest::Version::HTTP_2);
    let old = Client::builder()
        .tls_certs_only([Certificate::from_pem(server.ca_pem.as_bytes()).unwrap()])
        .no_proxy()
        .http1_only()
        .build()
        .unwrap();
    let reply = old.get(&url).send().await.unwrap();
    assert_eq!(reply.version(), reqwest::Version::HTTP_11);
    assert_eq!(reply.status(), 200);
    assert!(reply.headers().contains_key("x-ms-request-id"));
}

#[tokio::test]
async fn a_wrong_secret_is_refused_in_the_authority_s_words() {
    let server = demo().await;
    let reply = token(&client(&server), &server, "wrong").await;
    assert_eq!(reply.status(), 401);
    let reply: Value = serde_json::from_slice(&reply.bytes().await.unwrap()).unwrap();
    assert_eq!(reply["error_codes"][0], 7_000_215);
}

#[tokio::test]
async fn a_reset_breaks_the_connection_and_not_the_server() {
    let server = demo().await;
    let client = client(&server);
    let bearer = signed_in(&client, &server).await;
    let url = format!("{}/subscriptions?api-version=2022-12-01", server.base_url);
    let reset =
        FaultRule::new(FaultScope::Everywhere, Fault::ConnectionReset).during([Operation::ListSubscriptions]).times(1);
    server.simulation().inject(reset).unwrap();
    assert!(client.get(&url).bearer_auth(&bearer).send().await.is_err());
    let (status, _) = get(&client, &bearer, &url).await;
    assert_eq!(status, 200);
    assert_eq!(server.simulation().requests().with_status(0), 1);
}

#[tokio::test]
async fn a_taken_port_is_named() {
    let server = demo().await;
    let again = ServeOptions { port: server.addr.port(), ..ServeOptions::default() };
    let error = serve(server.simulation().clone(), again).await.unwrap_err();
    assert!(matches!(error, ServeError::Bind { port, .. } if port == server.addr.port()));
    assert!(error.to_string().contains(&server.addr.port().to_string()));
}

#[tokio::test]
async fn shutdown_frees_the_port() {
    let server = demo().await;
    let (port, simulation) = (server.addr.port(), server.simulation().clone());
    server.shutdown().await;
    let options = ServeOptions { port, ..ServeOptions::default() };
    assert!(serve(simulation, options).await.is_ok());
}

#[tokio::test]
async fn the_environment_names_files_that_exist() {
    let server = demo().await;
    let directory = std::env::temp_dir().join(format!("hostssl-sim-{}", server.addr.port()));
    let files = write_files(&server, &directory).unwrap();
    let variables = environment(&server, &files);
    let value = |name: &str| {
        let found = variables.iter().find(|(known, _)| known == name);
        found.map(|(_, value)| value.clone()).unwrap()
    };
    assert_eq!(value("HOSTSSL_ARM_ENDPOINT"), server.base_url);
    assert_eq!(std::fs::read_to_string(value("SSL_CERT_FILE")).unwrap(), server.ca_pem);
    let clouds = std::path::Path::new(&value("AZURE_CONFIG_DIR")).join("clouds.config");
    assert!(std::fs::read_to_string(clouds).unwrap().contains(&server.base_url));
    std::fs::remove_dir_all(directory).unwrap();
}
