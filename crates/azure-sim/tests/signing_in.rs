//! The simulated authority, asked by the Azure SDK's own credentials and by hand.

#![expect(clippy::unwrap_used, reason = "helpers of tests; the lint only knows test functions")]

mod common;

use std::sync::Arc;

use azure_core::credentials::{Secret, TokenCredential};
use azure_core::http::request::Request;
use azure_core::http::{ClientOptions, HttpClient, Method, Transport, Url};
use azure_identity::{ClientSecretCredential, ClientSecretCredentialOptions};
use hostssl_azure_sim::{CLIENT_ID, SimTransport, Simulation};
use hostssl_azure_sim::{Fault, FaultRule, FaultScope, Operation, Scenario};
use serde_json::Value;

const SCOPE: &str = "https://management.core.windows.net//.default";
const LOGIN: &str = "https://login.microsoftonline.com";

fn demo() -> Simulation {
    Simulation::new(Scenario::named("demo").unwrap())
}

fn credential(simulation: &Simulation, tenant: &str, secret: &str) -> Arc<ClientSecretCredential> {
    let options = ClientSecretCredentialOptions {
        client_options: ClientOptions {
            transport: Some(Transport::new(Arc::new(SimTransport::new(simulation)))),
            ..ClientOptions::default()
        },
    };
    let secret = Secret::new(secret.to_owned());
    ClientSecretCredential::new(tenant, CLIENT_ID.to_owned(), secret, Some(options)).unwrap()
}

async fn call(
    simulation: &Simulation,
    method: Method,
    url: &str,
    headers: &[(&'static str, &str)],
    body: &str,
) -> (u16, Value) {
    let mut request = Request::new(Url::parse(url).unwrap(), method);
    for (name, value) in headers {
        request.insert_header(*name, (*value).to_owned());
    }
    request.set_body(body.to_owned());
    let transport = SimTransport::new(simulation);
    let (status, _, body) = transport.execute_request(&request).await.unwrap().deconstruct();
    let body = serde_json::from_slice(&body.collect().await.unwrap()).unwrap();
    (u16::from(status), body)
}

#[tokio::test]
async fn the_sdk_signs_in_with_a_secret() {
    let simulation = demo();
    let tenant = simulation.tenant_ids()[0].clone();
    let token = credential(&simulation, &tenant, "simulated").get_token(&[SCOPE], None).await.unwrap();
    let bearer = format!("Bearer {}", token.token.secret());
    let url = "https://management.azure.com/subscriptions?api-version=2022-12-01";
    let (status, body) = call(&simulation, Method::Get, url, &[("authorization", &bearer)], "").await;
    assert_eq!((status, body["value"].as_array().unwrap().len()), (200, 4));
    assert_eq!(simulation.requests().of(Operation::SignIn), 1);
}

#[tokio::test]
async fn the_sdk_understands_refusals() {
    let simulation = demo();
    let tenant = simulation.tenant_ids()[0].clone();
    for (tenant, secret, code) in [
        (tenant.as_str(), "wrong", "AADSTS7000215"),
        ("10000000-0000-4000-8000-00000000ffff", "simulated", "AADSTS90002"),
    ] {
        let error = credential(&simulation, tenant, secret).get_token(&[SCOPE], None).await.unwrap_err();
        let text = format!("{error:?} {error}");
        assert!(text.contains(code), "{text}");
    }
}

#[tokio::test]
async fn assertions_are_taken_and_nothing_is_not() {
    let simulation = demo();
    let url = format!("{LOGIN}/{}/oauth2/v2.0/token", simulation.tenant_ids()[0]);
    let form = format!("client_id={CLIENT_ID}&grant_type=client_credentials&scope={SCOPE}");
    let assertion = format!(
        "{form}&client_assertion_type=urn:ietf:params:oauth:client-assertion-type:jwt-bearer&client_assertion=a.b.c"
    );
    let (status, body) = call(&simulation, Method::Post, &url, &[], &assertion).await;
    assert_eq!((status, body["token_type"].as_str()), (200, Some("Bearer")));
    for (form, error) in [
        (form.as_str(), "invalid_client"),
        ("", "unsupported_grant_type"),
        ("grant_type=client_credentials", "invalid_request"),
        ("grant_type=client_credentials&client_id=c&client_secret=simulated", "invalid_scope"),
    ] {
        let (status, body) = call(&simulation, Method::Post, &url, &[], form).await;
        assert!((400..=401).contains(&status) && body["error"] == error, "{form}: {body}");
    }
}

#[tokio::test]
async fn identities_of_the_platform() {
    let simulation = demo();
    let url = "https://localhost:1/msi/token?api-version=2019-08-01&resource=https://management.azure.com";
    let (status, body) = call(&simulation, Method::Get, url, &[("x-identity-header", "h")], "").await;
    assert_eq!((status, body["resource"].as_str()), (200, Some("https://management.azure.com")));
    assert!(body["expires_on"].as_str().unwrap().parse::<i64>().is_ok());
    assert_eq!(call(&simulation, Method::Get, url, &[], "").await.0, 401);

    let url = "https://localhost:1/org/_apis/distributedtask/oidctoken?api-version=7.1";
    let (status, body) = call(&simulation, Method::Post, url, &[("authorization", "Bearer x")], "").await;
    assert!(status == 200 && body["oidcToken"].as_str().unwrap().split('.').count() == 3);
    assert_eq!(call(&simulation, Method::Post, url, &[], "").await.0, 401);
}

#[tokio::test]
async fn documents_name_the_host_that_was_asked() {
    let simulation = demo();
    let tenant = simulation.tenant_ids()[0].clone();
    for name in ["common", "organizations", &tenant] {
        let url = format!("https://localhost:7/{name}/v2.0/.well-known/openid-configuration");
        let (status, body) = call(&simulation, Method::Get, &url, &[], "").await;
        let endpoint = body["token_endpoint"].as_str().unwrap();
        assert!(status == 200 && endpoint.starts_with("https://localhost:7/"), "{endpoint}");
    }
    let (_, endpoints) =
        call(&simulation, Method::Get, "https://localhost:7/metadata/endpoints?api-version=2022-09-01", &[], "").await;
    assert_eq!(endpoints["authentication"]["loginEndpoint"], "https://localhost:7");
}

#[tokio::test]
async fn signing_in_is_struck_only_when_it_is_named() {
    let simulation = demo();
    let tenant = simulation.tenant_ids()[0].clone();
    let rule = FaultRule::new(FaultScope::Everywhere, Fault::Unavailable { status: 400 });
    simulation.inject(rule.clone()).unwrap();
    credential(&simulation, &tenant, "simulated").get_token(&[SCOPE], None).await.unwrap();
    simulation.inject(rule.during([Operation::SignIn])).unwrap();
    let refused = credential(&simulation, &tenant, "simulated").get_token(&[SCOPE], None).await;
    assert!(refused.is_err());
}
