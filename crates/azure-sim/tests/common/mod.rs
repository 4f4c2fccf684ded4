//! A small ARM caller over the in-process transport.

#![expect(clippy::unwrap_used, reason = "helpers of tests; the lint only knows test functions")]
#![allow(dead_code, reason = "each test program uses some of the helpers; `expect` would fail in those that use all")]

use std::collections::HashMap;

use azure_core::credentials::TokenCredential;
use azure_core::http::request::Request;
use azure_core::http::{HttpClient, Method, Url};
use hostssl_azure_sim::{SimCredential, SimTransport, Simulation};
use serde_json::Value;

pub(crate) const BASE: &str = "https://management.azure.com";
pub(crate) const VERSION: &str = "api-version=2025-08-01";

/// An answer.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) headers: HashMap<String, String>,
    pub(crate) text: String,
}

impl Answer {
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.text).unwrap()
    }

    pub(crate) fn code(&self) -> String {
        self.json()["error"]["code"].as_str().unwrap().to_owned()
    }

    pub(crate) fn header(&self, name: &str) -> &str {
        &self.headers[name]
    }
}

/// A caller with a token for one tenant.
pub(crate) struct Arm {
    pub(crate) simulation: Simulation,
    transport: SimTransport,
    token: Option<String>,
}

impl Arm {
    /// Signed in to the first tenant.
    pub(crate) async fn new(simulation: Simulation) -> Self {
        let tenant = simulation.tenant_ids()[0].clone();
        Self::in_tenant(simulation, &tenant).await
    }

    pub(crate) async fn in_tenant(simulation: Simulation, tenant: &str) -> Self {
        let credential = SimCredential::new(&simulation, tenant);
        let token = credential.get_token(&["https://management.azure.com/.default"], None).await.unwrap();
        Self { transport: SimTransport::new(&simulation), token: Some(token.token.secret().to_owned()), simulation }
    }

    pub(crate) fn signed_out(simulation: Simulation) -> Self {
        Self { transport: SimTransport::new(&simulation), token: None, simulation }
    }

    pub(crate) async fn send(&self, method: Method, url: &str, body: Option<Value>) -> azure_core::Result<Answer> {
        let url = if url.starts_with("https://") { url.to_owned() } else { format!("{BASE}{url}") };
        let mut request = Request::new(Url::parse(&url).unwrap(), method);
        if let Some(token) = &self.token {
            request.insert_header("authorization", format!("Bearer {token}"));
        }
        if let Some(body) = body {
            request.set_body(body.to_string());
        }
        let (status, headers, body) = self.transport.execute_request(&request).await?.deconstruct();
        Ok(Answer {
            status: u16::from(status),
            headers: headers
                .iter()
                .map(|(name, value)| (name.as_str().to_owned(), value.as_str().to_owned()))
                .collect(),
            text: String::from_utf8(body.collect().await?.to_vec()).unwrap(),
        })
    }

    pub(crate) async fn get(&self, url: &str) -> Answer {
        self.send(Method::Get, url, None).await.unwrap()
    }

    /// GET with the version of flexible servers.
    pub(crate) async fn read(&self, path: &str) -> Answer {
        self.get(&format!("{path}?{VERSION}")).await
    }

    /// One parameter of a server.
    pub(crate) async fn parameter(&self, server: &str, name: &str) -> Answer {
        self.read(&format!("{server}/configurations/{name}")).await
    }

    /// PATCH of one parameter of a server.
    pub(crate) async fn set(&self, server: &str, name: &str, value: &str) -> Answer {
        let url = format!("{server}/configurations/{name}?{VERSION}");
        let body = serde_json::json!({"properties": {"value": value, "source": "user-override"}});
        self.send(Method::Patch, &url, Some(body)).await.unwrap()
    }

    /// The id of the server called `name`.
    pub(crate) fn id(&self, name: &str) -> String {
        let end = format!("/{name}");
        let ids = self.simulation.server_ids();
        ids.into_iter().find(|id| id.ends_with(&end)).unwrap()
    }
}
