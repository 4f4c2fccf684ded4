//! Recorded HTTP traffic of Azure, and a transport that answers from it.
//!
//! The recordings are not part of this repository. They are found by `HOSTSSL_RECORDINGS`, or in `../shared` beside the
//! checkout; where they are not, tests that need them pass and say so, except in CI.

use azure_core::credentials::{AccessToken, TokenCredential, TokenRequestOptions};
use azure_core::http::headers::Headers;
use azure_core::http::{AsyncRawResponse, HttpClient, Request, StatusCode, Transport};
use azure_core::time::{Duration, OffsetDateTime};
use hostssl_azure::{Arm, Cloud, RequestLimits};
use serde_json::Value;
use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use tokio::sync::watch;

/// One recorded exchange.
#[derive(Debug, Clone)]
pub struct RecordedExchange {
    /// The file that it comes from.
    pub source: String,
    pub method: String,
    pub url: String,
    pub status: u16,
    pub headers: Vec<(String, String)>,
    pub body: String,
}

impl RecordedExchange {
    /// An answer that was not recorded as such, but taken out of something that was.
    pub fn made(source: &str, url: &str, body: &Value) -> Self {
        let (source, url) = (source.to_owned(), url.to_owned());
        Self { source, method: "GET".into(), url, status: 200, headers: Vec::new(), body: body.to_string() }
    }

    /// The body as JSON; null when it is none.
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_default()
    }

    /// The path without its query, in lower case.
    pub fn path(&self) -> String {
        let path = self.url.split('?').next().unwrap().to_lowercase();
        path.splitn(4, '/').nth(3).map(|rest| format!("/{rest}")).unwrap_or_default()
    }
}

/// The folder of the recordings, or `None` where there is none.
pub fn folder(name: &str) -> Option<PathBuf> {
    let beside = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared");
    let base = std::env::var_os("HOSTSSL_RECORDINGS").map_or(beside, PathBuf::from);
    // The variable may name the folder of the recordings itself.
    let candidates = [base.join(name), base.parent().map(|parent| parent.join(name)).unwrap_or_default()];
    let found = candidates.into_iter().find(|candidate| candidate.is_dir());
    if found.is_none() {
        assert!(std::env::var_os("CI").is_none(), "CI needs the recordings: set HOSTSSL_RECORDINGS");
        crate::postgres::note(&format!("skipped: no {name} here; HOSTSSL_RECORDINGS names the folder that holds them"));
    }
    found
}

/// Every recorded exchange with Resource Manager.
pub fn recordings() -> Option<Vec<RecordedExchange>> {
    let mut exchanges = Vec::new();
    for file in files(&folder("azure-recordings")?) {
        let text = std::fs::read_to_string(&file).unwrap();
        let source = file.file_name().unwrap().to_string_lossy().into_owned();
        let document: Value = match file.extension().and_then(|e| e.to_str()) {
            Some("yaml") => serde_saphyr::from_str(&text).unwrap_or_else(|error| panic!("{source}: {error}")),
            Some("json") => serde_json::from_str(&text).unwrap(),
            _ => continue,
        };
        let interactions = document["interactions"].as_array().expect("a cassette");
        exchanges.extend(interactions.iter().map(|interaction| read(&source, interaction)));
    }
    exchanges.retain(|exchange| exchange.url.starts_with("https://management.azure.com"));
    Some(exchanges)
}

/// Reads both forms of cassettes.
fn read(source: &str, interaction: &Value) -> RecordedExchange {
    let (request, response) = (&interaction["request"], &interaction["response"]);
    let body = match &response["body"] {
        Value::Object(body) => match body.get("string").or(body.get("data")) {
            Some(Value::String(text)) => text.clone(),
            Some(Value::Null) | None => String::new(),
            Some(other) => other.to_string(),
        },
        Value::String(text) => text.clone(),
        _ => String::new(),
    };
    let first = |value: &Value| match value {
        Value::Array(values) => values.first().and_then(Value::as_str).unwrap_or_default().to_owned(),
        other => other.as_str().unwrap_or_default().to_owned(),
    };
    let headers = response["headers"].as_object().into_iter().flatten();
    RecordedExchange {
        source: source.to_owned(),
        method: request["method"].as_str().unwrap_or("GET").to_owned(),
        url: request["uri"].as_str().unwrap_or_default().to_owned(),
        status: u16::try_from(response["status"]["code"].as_u64().unwrap_or_default()).unwrap(),
        headers: headers.map(|(name, value)| (name.to_lowercase(), first(value))).collect(),
        body,
    }
}

/// The files below a folder, in a fixed order.
pub fn files(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() { found.extend(files(&path)) } else { found.push(path) }
    }
    found.sort();
    found
}

/// Answers each request from the exchanges with its method and path, whatever the api-version; 404 otherwise.
#[derive(Debug)]
pub struct Cassette(HashMap<(String, String), RecordedExchange>);

impl Cassette {
    pub fn of(exchanges: impl IntoIterator<Item = RecordedExchange>) -> Arm {
        let by_request = exchanges.into_iter().map(|e| ((e.method.clone(), e.path()), e)).collect();
        client(Transport::new(Arc::new(Self(by_request))))
    }
}

#[async_trait::async_trait]
impl HttpClient for Cassette {
    async fn execute_request(&self, request: &Request) -> azure_core::Result<AsyncRawResponse> {
        let method = request.method().as_ref().to_owned();
        let key = (method, request.url().path().to_lowercase());
        let mut headers = Headers::new();
        let Some(exchange) = self.0.get(&key) else {
            return Ok(AsyncRawResponse::from_bytes(StatusCode::NotFound, headers, "not recorded"));
        };
        for (name, value) in &exchange.headers {
            headers.insert(name.clone(), value.clone());
        }
        Ok(AsyncRawResponse::from_bytes(StatusCode::from(exchange.status), headers, exchange.body.clone()))
    }
}

/// A client of the public cloud behind this transport, with a token that says nothing.
pub fn client(transport: Transport) -> Arm {
    #[derive(Debug)]
    struct Nobody;

    #[async_trait::async_trait]
    impl TokenCredential for Nobody {
        async fn get_token(&self, _: &[&str], _: Option<TokenRequestOptions<'_>>) -> azure_core::Result<AccessToken> {
            Ok(AccessToken::new("simulated", OffsetDateTime::now_utc() + Duration::hours(1)))
        }
    }

    let limits = RequestLimits { retries: 0, ..RequestLimits::default() };
    let stop = watch::channel(None).1;
    Arm::new(Cloud::named("AzureCloud").unwrap(), Arc::new(Nobody), transport, limits, stop)
}
