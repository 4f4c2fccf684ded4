//! Writes that were recorded against Azure, replayed exchange by exchange under the executor.
//!
//! The 2026 recording changes `lock_timeout`. hostssl changes only the parameters of encryption, so the recorded name and
//! values are put into those of `require_secure_transport`; everything else of the exchange stays as recorded.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test may stop at the first surprise")]
#![allow(unreachable_pub, missing_docs, reason = "a test binary is a crate of its own")]

use azure_core::http::headers::Headers;
use azure_core::http::request::{Body, Request};
use azure_core::http::{AsyncRawResponse, HttpClient, StatusCode, Transport};
use hostssl_azure::{ResourceType, read_server};
use hostssl_model::{Parameter, ParameterName, Posture, Principal, Reading, ResourceId, Scope};
use hostssl_ops::{Remediation, Tenant};
use hostssl_remediation::{
    Approved, ExecutionEvent, ExecutorOptions, Goal, PlanInputs, PlanOptions, PlanTarget, Report, RunId, StepStatus,
    plan,
};
use hostssl_test_support::clock::VirtualClock;
use hostssl_test_support::journal::MemoryJournal;
use hostssl_test_support::recordings::{self, RecordedExchange};
use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::sync::watch;

/// Answers one request after the other, each of which must be the one that was recorded. The recorded client read a value
/// once behind its write; a run looks a second time before it ends, and reads what was read last.
#[derive(Debug)]
struct Tape {
    left: Mutex<VecDeque<RecordedExchange>>,
    last: Mutex<Option<RecordedExchange>>,
    sent: Mutex<Vec<String>>,
}

#[async_trait::async_trait]
impl HttpClient for Tape {
    async fn execute_request(&self, request: &Request) -> azure_core::Result<AsyncRawResponse> {
        let path = request.url().path().to_lowercase();
        if path.ends_with("/permissions") {
            // The recorded client did not ask; an identity may not.
            return Ok(AsyncRawResponse::from_bytes(StatusCode::Forbidden, Headers::new(), ""));
        }
        let recorded = self.left.lock().unwrap().pop_front();
        let mut last = self.last.lock().unwrap();
        let exchange = recorded.or_else(|| last.clone()).expect("nothing was recorded");
        *last = Some(exchange.clone());
        assert_eq!((request.method().as_ref(), path), (exchange.method.as_str(), exchange.path()));
        if let Body::Bytes(bytes) = request.body()
            && !bytes.is_empty()
        {
            self.sent.lock().unwrap().push(String::from_utf8(bytes.to_vec()).unwrap());
        }
        let mut headers = Headers::new();
        for (name, value) in &exchange.headers {
            headers.insert(name.clone(), value.clone());
        }
        Ok(AsyncRawResponse::from_bytes(StatusCode::from(exchange.status), headers, exchange.body.clone()))
    }
}

/// A read, the write that followed it, its poll, and the read after it.
fn windows<'a>(recordings: &'a [RecordedExchange], source: &str, path: &str) -> Vec<&'a [RecordedExchange]> {
    let of_file = |window: &&[RecordedExchange]| window.iter().all(|exchange| exchange.source == source);
    let is_write = |window: &&[RecordedExchange]| {
        let methods: Vec<&str> = window.iter().map(|exchange| exchange.method.as_str()).collect();
        methods == ["GET", "PATCH", "GET", "GET"]
            && window[1].path().contains(path)
            && window[0].path() == window[1].path()
            && window[3].path() == window[1].path()
    };
    recordings.windows(4).filter(of_file).filter(is_write).collect()
}

async fn replay(window: &[RecordedExchange], posture: &Posture, enforcement: bool) -> (Report, Vec<String>) {
    let tape = Arc::new(Tape {
        left: Mutex::new(window.iter().cloned().collect()),
        last: Mutex::default(),
        sent: Mutex::default(),
    });
    let arm = recordings::client(Transport::new(tape.clone()));
    let tenant = Tenant { arm, principal: Principal::default() };
    let target = PlanTarget { posture, findings: &[] };
    let plan = plan(&PlanInputs {
        goal: Goal::Set { enforcement: Some(enforcement), minimum_tls: None },
        targets: &[target],
        subscriptions: &[],
        waived: &[],
        excepted: &BTreeMap::new(),
        open: &BTreeMap::new(),
        locks: &[],
        forbidden: &BTreeMap::new(),
        clients: &BTreeMap::new(),
        accepted: &[],
        options: PlanOptions::default(),
        order: &hostssl_remediation::WaveOrder::default(),
        reason: None,
        created_at: "2026-01-01T00:00:00Z",
        observed_at: "2026-01-01T00:00:00Z",
        principal: &tenant.principal,
        cloud: &tenant.arm.cloud().name,
        scope: &Scope::default(),
        profile: "baseline@1",
    })
    .unwrap();
    let approved = Approved::new(plan.clone(), plan.hash().as_str()).unwrap();
    let (_interrupt, stop) = watch::channel(None);
    let remediation = Remediation {
        tenant: &tenant,
        on_behalf: None,
        journal: &MemoryJournal::default(),
        clients: None,
        clock: &VirtualClock::new(),
        judge: None,
        events: &|_: &ExecutionEvent<'_>| {},
        on_untold: &|_| {},
        stop,
        options: ExecutorOptions::default(),
    };
    let report = remediation.apply(&approved, &RunId::new("run-1").unwrap(), Duration::MAX).await.unwrap();
    assert!(tape.left.lock().unwrap().is_empty(), "every recorded exchange was asked for");
    let sent = tape.sent.lock().unwrap().clone();
    (report, sent)
}

#[tokio::test(start_paused = true)]
async fn the_single_server_is_switched_off_and_on_as_recorded() {
    let Some(recordings) = recordings::recordings() else { return };
    let mut seen = Vec::new();
    for window in windows(&recordings, "test_postgres_server_mgmt.yaml", "/servers/") {
        let of =
            |exchange: &RecordedExchange| exchange.json()["properties"]["sslEnforcement"].as_str().unwrap().to_owned();
        let (before, after) = (of(&window[0]), of(&window[3]));
        if before == after {
            continue;
        }
        let posture = read_server(&window[0].body, ResourceType::Servers).unwrap().posture;
        let (report, sent) = replay(window, &posture, after == "Enabled").await;
        assert_eq!(report.steps[0].status, StepStatus::Applied, "{report:?}");
        assert_eq!((&report.steps[0].before, &report.steps[0].after), (&before, &after));
        assert_eq!(sent, [format!(r#"{{"properties":{{"sslEnforcement":"{after}"}}}}"#)]);
        seen.push(after);
    }
    seen.sort();
    seen.dedup();
    assert_eq!(seen, ["Disabled", "Enabled"]);
}

#[tokio::test(start_paused = true)]
async fn the_flexible_parameter_is_written_as_recorded() {
    let Some(recordings) = recordings::recordings() else { return };
    let windows = windows(&recordings, "parameter_mgmt_excerpt.yaml", "/configurations/lock_timeout");
    assert_eq!(windows.len(), 1);
    let (before, after) = {
        let of = |exchange: &RecordedExchange| exchange.json()["properties"]["value"].as_str().unwrap().to_owned();
        (of(&windows[0][0]), of(&windows[0][3]))
    };
    let ours = |text: &str| {
        let value = |number: &str| format!("\"value\":\"{number}\"");
        let compact =
            serde_json::from_str::<serde_json::Value>(text).map_or_else(|_| text.to_owned(), |v| v.to_string());
        compact
            .replace("lock_timeout", "require_secure_transport")
            .replace(&value(&before), &value("off"))
            .replace(&value(&after), &value("on"))
    };
    let window: Vec<RecordedExchange> = windows[0]
        .iter()
        .map(|exchange| RecordedExchange { url: ours(&exchange.url), body: ours(&exchange.body), ..exchange.clone() })
        .collect();
    let path = window[1].url.split("/configurations/").next().unwrap();
    let id = ResourceId::try_from(format!("/{}", path.splitn(4, '/').nth(3).unwrap()).as_str()).unwrap();
    let entry = serde_json::json!({"id": id.as_str(), "properties": {"state": "Ready"}}).to_string();
    let mut posture = read_server(&entry, ResourceType::FlexibleServers).unwrap().posture;
    posture.readings = vec![(
        ParameterName::RequireSecureTransport,
        Reading::Known(Parameter::in_effect(ParameterName::RequireSecureTransport, "off")),
    )];
    let (report, sent) = replay(&window, &posture, true).await;
    assert_eq!(report.steps[0].status, StepStatus::Applied, "{report:?}");
    let sent: serde_json::Value = serde_json::from_str(&sent[0]).unwrap();
    assert_eq!(sent, serde_json::json!({"properties": {"value": "on", "source": "user-override"}}));
}
