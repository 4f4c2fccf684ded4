//! Nothing that looks like a secret gets into the log, however much of it is asked for.

#![expect(clippy::unwrap_used, reason = "helpers of tests; the lint only knows test functions")]

mod common;

use std::io::Write;
use std::sync::{Arc, Mutex};

use azure_core::http::Method;
use common::Arm;
use hostssl_azure_sim::{Scenario, Simulation};
use serde_json::json;
use tracing_subscriber::fmt::MakeWriter;

#[derive(Clone, Default)]
struct Kept(Arc<Mutex<Vec<u8>>>);

impl Write for Kept {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

impl<'a> MakeWriter<'a> for Kept {
    type Writer = Self;

    fn make_writer(&'a self) -> Self {
        self.clone()
    }
}

#[tokio::test]
async fn nothing_secret_is_logged_or_shown() {
    let kept = Kept::default();
    let subscriber = tracing_subscriber::fmt().with_max_level(tracing::Level::TRACE).with_writer(kept.clone()).finish();
    let _guard = tracing::subscriber::set_default(subscriber);

    let arm = Arm::new(Simulation::new(Scenario::named("demo").unwrap())).await;
    let id = arm.id("pg-archive-legacy");
    let body = json!({"properties": {"sslEnforcement": "Enabled", "administratorLoginPassword": "tell-no-one"}});
    let url = format!("{id}?api-version=2017-12-01");
    let accepted = arm.send(Method::Patch, &url, Some(body)).await.unwrap();
    arm.get(accepted.header("azure-asyncoperation")).await;
    let tenant = arm.simulation.tenant_ids()[0].clone();
    let form =
        "grant_type=client_credentials&client_id=c&client_secret=hunter2&scope=https://management.azure.com/.default";
    let mut sign_in = azure_core::http::request::Request::new(
        format!("https://login.microsoftonline.com/{tenant}/oauth2/v2.0/token").parse().unwrap(),
        Method::Post,
    );
    sign_in.set_body(form);
    let transport = hostssl_azure_sim::SimTransport::new(&arm.simulation);
    let refused = azure_core::http::HttpClient::execute_request(&transport, &sign_in).await.unwrap();
    assert_eq!(u16::from(refused.status()), 401);

    let log = String::from_utf8(kept.0.lock().unwrap().clone()).unwrap();
    let journal = format!("{:?}", arm.simulation.requests());
    assert!(log.contains("UpdateServer") && log.contains("PollOperation"), "{log}");
    for secret in ["tell-no-one", "hunter2", "eyJ", "Bearer", "SIMULATED-SIGNATURE", "SIMULATED-CERTIFICATE"] {
        assert!(!log.contains(secret), "the log holds {secret}");
        assert!(!journal.contains(secret), "the journal holds {secret}");
    }
}
