//! Sessions with the SDK's own client, over streams in memory, on answers that are made up.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test may stop at the first surprise")]

use async_trait::async_trait;
use hostssl_mcp::{
    AuditAsk, CallStop, ClientsAsk, KeptQuestion, PlanAsk, ToolAudit, ToolClients, ToolPlan, ToolServer, ToolSource,
    ToolTrouble,
};
use hostssl_model::untrusted::is_harmful;
use hostssl_model::{AuditReport, Stop};
use hostssl_test_support::fleet::{PlannerKnowledge, flexible};
use hostssl_test_support::hostile;
use rmcp::model::{CallToolRequestParams, CallToolResult, ClientRequest};
use rmcp::service::{PeerRequestOptions, RunningService, ServiceError};
use rmcp::{RoleClient, ServiceExt as _};
use serde_json::{Value, json};
use std::sync::{Arc, Mutex};
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

/// Answers with what it was given.
#[derive(Default)]
struct Made {
    audit: Mutex<Option<AuditReport>>,
    kept: Mutex<Option<AuditReport>>,
    plan: Option<ToolPlan>,
    /// An audit without a report waits until it is stopped, and says so here.
    began: Mutex<Option<oneshot::Sender<()>>>,
    stopped: Mutex<Option<oneshot::Sender<Option<Stop>>>>,
}

#[async_trait]
impl ToolSource for Made {
    fn scenario(&self, asked: Option<&str>) -> Option<String> {
        asked.map(ToOwned::to_owned)
    }

    async fn audit(&self, _: AuditAsk, mut stop: CallStop) -> Result<ToolAudit, ToolTrouble> {
        if let Some(report) = self.audit.lock().unwrap().clone() {
            return Ok(ToolAudit { report, kept: false, scenario: None });
        }
        let told = self.stopped.lock().unwrap().take().unwrap();
        // As the command does: what works is apart from the call, which may go away.
        tokio::spawn(async move {
            let given = stop.wait_for(Option::is_some).await.ok().and_then(|given| *given);
            told.send(given).unwrap();
        });
        self.began.lock().unwrap().take().unwrap().send(()).unwrap();
        std::future::pending().await
    }

    async fn kept_audit(&self, question: KeptQuestion) -> Result<Option<ToolAudit>, ToolTrouble> {
        let kept = self.kept.lock().unwrap().clone();
        let kept = kept.filter(|kept| question.newer_than.is_none_or(|known| kept.run.started_at > known));
        Ok(kept.map(|report| ToolAudit { report, kept: true, scenario: None }))
    }

    async fn clients(&self, _: ClientsAsk, _: CallStop) -> Result<ToolClients, ToolTrouble> {
        Err(ToolTrouble::new("password=hunter2 \u{202e}\nnext", "do `this`"))
    }

    async fn plan(&self, _: PlanAsk, _: CallStop) -> Result<ToolPlan, ToolTrouble> {
        self.plan.clone().ok_or_else(|| ToolTrouble::new("no plan", ""))
    }
}

type Client = RunningService<RoleClient, ()>;

/// A client of a server that answers so, and the server's end.
async fn session(source: Made) -> (Client, JoinHandle<()>) {
    let (ours, theirs) = tokio::io::duplex(1 << 20);
    let server = tokio::spawn(async move {
        let (input, output) = tokio::io::split(theirs);
        let served = ToolServer::new(Arc::new(source), true, "0").serve_on(input, output, std::future::pending());
        served.await.unwrap();
    });
    (().serve(ours).await.unwrap(), server)
}

fn request(tool: &str, arguments: Value) -> CallToolRequestParams {
    CallToolRequestParams::new(tool.to_owned()).with_arguments(arguments.as_object().unwrap().clone())
}

async fn call(client: &Client, tool: &str, arguments: Value) -> CallToolResult {
    client.call_tool(request(tool, arguments)).await.unwrap()
}

fn document(result: &CallToolResult) -> &Value {
    assert_ne!(result.is_error, Some(true), "{result:?}");
    result.structured_content.as_ref().unwrap()
}

fn text(result: &CallToolResult) -> &str {
    &result.content[0].as_text().unwrap().text
}

fn fleet(servers: usize) -> AuditReport {
    let postures = (0..servers).map(|number| flexible(&format!("pg-{number:05}"), "off", "TLSv1.2"));
    let mut report = PlannerKnowledge::new(postures.collect()).audit();
    report.servers.iter().for_each(|server| report.summary.count(server.outcome));
    report
}

#[tokio::test]
async fn a_large_fleet_comes_in_parts_that_fit_together() {
    let report = fleet(1_000);
    let source = Made { audit: Mutex::new(Some(report)), ..Made::default() };
    let (client, _server) = session(source).await;
    let first = call(&client, "audit", json!({})).await;
    assert!(serde_json::to_string(&first).unwrap().len() < 100_000, "a result is bounded");
    assert!(text(&first).contains("Not in this result: "), "{}", text(&first));
    let run = document(&first)["result"]["run"]["id"].as_str().unwrap().to_owned();
    assert_eq!(document(&first)["result"]["summary"]["servers"], 1_000, "the figures are of the whole");
    let (mut names, mut offset) = (Vec::new(), Some(0));
    while let Some(from) = offset {
        let part = call(&client, "servers", json!({"run": run, "offset": from, "limit": 200})).await;
        let part = document(&part).clone();
        let servers = part["result"]["servers"].as_array().unwrap();
        assert_eq!(servers.len() as u64, part["page"]["returned"].as_u64().unwrap());
        names.extend(servers.iter().map(|server| server["name"].as_str().unwrap().to_owned()));
        offset = part["page"]["nextOffset"].as_u64();
    }
    let all: Vec<String> = (0..1_000).map(|number| format!("pg-{number:05}")).collect();
    assert_eq!(names, all, "every server once");
    let beyond = call(&client, "servers", json!({"offset": u32::MAX})).await;
    assert_eq!(document(&beyond)["page"]["returned"], 0);
    let left = document(&first)["leftOut"].as_array().unwrap();
    let decisive = left.iter().find(|one| one["what"] == "decisive-findings").unwrap();
    assert_eq!(decisive["count"].as_u64().unwrap() + 20, 1_000);
}

#[tokio::test]
async fn what_is_hostile_is_visible_and_every_text_from_outside_is_named() {
    let source = Made { audit: Mutex::new(Some(hostile::audit())), ..Made::default() };
    let (client, _server) = session(source).await;
    let answer = call(&client, "audit", json!({})).await;
    let whole = format!("{}{}", serde_json::to_string(document(&answer)).unwrap(), text(&answer).replace('\n', ""));
    assert!(!whole.contains(is_harmful) && whole.contains('\u{fffd}'));
    let untrusted: Vec<&str> =
        document(&answer)["untrusted"].as_array().unwrap().iter().map(|path| path.as_str().unwrap()).collect();
    let mut found = 0;
    texts(document(&answer), String::new(), &mut |path, text| {
        // The fixture's texts from outside all have replaced characters.
        if text.contains('\u{fffd}') {
            found += 1;
            assert!(untrusted.iter().any(|one| covers(one, path)), "{path} is not named");
        }
    });
    assert!(found > 5, "{found}");
    let refused = call(&client, "clients", json!({})).await;
    assert_eq!(refused.is_error, Some(true));
    assert_eq!(text(&refused), "error: password=[removed] \u{fffd} next\nhint: do `this`");
}

fn texts(value: &Value, path: String, see: &mut dyn FnMut(&str, &str)) {
    match value {
        Value::String(text) => see(&path, text),
        Value::Array(items) => items.iter().for_each(|item| texts(item, format!("{path}/*"), see)),
        Value::Object(members) => {
            members.iter().for_each(|(name, value)| texts(value, format!("{path}/{name}"), see));
        }
        _ => {}
    }
}

fn covers(untrusted: &str, path: &str) -> bool {
    path.strip_prefix(untrusted).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

#[tokio::test]
async fn a_cancelled_call_stops_what_works_for_it() {
    let (began, has_begun) = oneshot::channel();
    let (stopped, was_stopped) = oneshot::channel();
    let source = Made { began: Mutex::new(Some(began)), stopped: Mutex::new(Some(stopped)), ..Made::default() };
    let (client, _server) = session(source).await;
    let call = ClientRequest::CallToolRequest(rmcp::model::CallToolRequest::new(request("audit", json!({}))));
    let handle = client.send_cancellable_request(call, PeerRequestOptions::no_options()).await.unwrap();
    has_begun.await.unwrap();
    handle.cancel(Some("enough".to_owned())).await.unwrap();
    assert_eq!(was_stopped.await.unwrap(), Some(Stop::Interrupted));
    let tools = client.list_all_tools().await.unwrap();
    assert_eq!(tools.len(), 6, "the session continues");
}

#[tokio::test(start_paused = true)]
async fn the_end_of_the_input_stops_what_is_in_progress_and_ends_the_server() {
    let (began, has_begun) = oneshot::channel();
    let (stopped, was_stopped) = oneshot::channel();
    let source = Made { began: Mutex::new(Some(began)), stopped: Mutex::new(Some(stopped)), ..Made::default() };
    let (client, server) = session(source).await;
    let peer = client.peer().clone();
    let call = tokio::spawn(async move { peer.call_tool(request("audit", json!({}))).await });
    has_begun.await.unwrap();
    client.cancel().await.unwrap();
    assert_eq!(was_stopped.await.unwrap(), Some(Stop::Interrupted));
    server.await.unwrap();
    assert!(call.await.unwrap().is_err());
}

#[tokio::test]
async fn the_newest_audit_is_the_newest_of_what_was_made_here_and_what_is_kept() {
    let (mut here, mut kept) = (fleet(1), fleet(2));
    here.run.id = "here".into();
    here.run.started_at = "2026-01-02T00:00:00Z".into();
    kept.run.id = "kept".into();
    kept.run.started_at = "2026-01-01T00:00:00Z".into();
    let newer = |at: &str| {
        let mut report = kept.clone();
        report.run.started_at = at.into();
        Mutex::new(Some(report))
    };
    let run = async |source: Made, audits: bool| {
        let (client, _server) = session(source).await;
        if audits {
            call(&client, "audit", json!({})).await;
        }
        let servers = call(&client, "servers", json!({})).await;
        let kept = document(&servers)["kept"].clone();
        (document(&servers)["result"]["run"]["id"].as_str().unwrap().to_owned(), kept)
    };
    let audit = || Mutex::new(Some(here.clone()));
    let older = Made { audit: audit(), kept: newer("2026-01-01T00:00:00Z"), ..Made::default() };
    assert_eq!(run(older, true).await, ("here".to_owned(), json!(false)));
    let newest = Made { audit: audit(), kept: newer("2026-01-03T00:00:00Z"), ..Made::default() };
    assert_eq!(run(newest, true).await, ("kept".to_owned(), json!(true)));
    let alone = Made { kept: newer("2026-01-01T00:00:00Z"), ..Made::default() };
    assert_eq!(run(alone, false).await, ("kept".to_owned(), json!(true)));
    let (client, _server) = session(Made::default()).await;
    let nothing = call(&client, "findings", json!({})).await;
    assert!(text(&nothing).contains("no audit is kept"), "{}", text(&nothing));
}

#[tokio::test]
async fn a_plan_is_read_on_by_its_hash() {
    let postures = (0..60).map(|number| flexible(&format!("pg-{number:03}"), "off", "TLSv1.2"));
    let plan = PlannerKnowledge::new(postures.collect()).plan();
    let hash = plan.hash().as_str().to_owned();
    let source = Made { plan: Some(ToolPlan { plan, gaps: Vec::new() }), ..Made::default() };
    let (client, _server) = session(source).await;
    let first = call(&client, "plan", json!({})).await;
    assert_eq!(document(&first)["page"]["nextOffset"], 20);
    assert!(text(&first).contains("Nothing was written."), "{}", text(&first));
    let next = call(&client, "plan", json!({"hash": hash, "offset": 40, "limit": 50})).await;
    assert_eq!(
        (&document(&next)["page"]["returned"], &document(&next)["page"]["nextOffset"]),
        (&json!(20), &Value::Null)
    );
    assert_eq!(document(&next)["result"]["hash"], hash.as_str());
    let unknown = call(&client, "plan", json!({"hash": "x"})).await;
    assert!(text(&unknown).contains("no plan `x` was made here"), "{}", text(&unknown));
}

#[tokio::test]
async fn wrong_calls_are_told_apart() {
    let source = Made { audit: Mutex::new(Some(fleet(3))), ..Made::default() };
    let (client, _server) = session(source).await;
    let unknown = client.call_tool(request("apply", json!({}))).await.unwrap_err();
    let ServiceError::McpError(error) = unknown else { panic!("{unknown}") };
    assert!(error.message.contains("no such tool; tools are audit, servers"), "{error:?}");
    call(&client, "audit", json!({})).await;
    for (tool, arguments, told) in [
        ("audit", json!({"limit": 0}), "`limit` is 0"),
        ("audit", json!({"probe": "yes"}), "invalid type: string \"yes\", expected a boolean"),
        ("servers", json!({"standings": ["good"]}), "`standings` has no value `good`"),
        ("servers", json!({"offset": -1}), "invalid value: integer `-1`"),
        ("servers", json!({"offset": 1e30}), "invalid type"),
        ("findings", json!({"servers": ["pg-none"]}), "has no server `pg-none`"),
        ("findings", json!({"controls": ["no"]}), "`controls` has no value `no`"),
        ("explain", json!({}), "missing field `text`"),
        ("explain", json!({"text": " "}), "there is no text to explain"),
    ] {
        let wrong = call(&client, tool, arguments.clone()).await;
        assert_eq!(wrong.is_error, Some(true), "{tool} {arguments}");
        assert!(text(&wrong).contains(told) && text(&wrong).contains("\nhint: "), "{tool}: {}", text(&wrong));
    }
    let some = call(&client, "findings", json!({"servers": ["PG-00001"]})).await;
    assert_eq!(document(&some)["page"]["matched"], 1);
    let none = call(&client, "servers", json!({"search": "nothing"})).await;
    assert_eq!(document(&none)["page"]["matched"], 0);
}
