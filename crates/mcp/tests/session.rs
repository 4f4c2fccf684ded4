//! Sessions with the SDK's own client, over streams in memory, on answers that are made up.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test may stop at the first surprise")]

use async_trait::async_trait;
use hostssl_census::{Census, CensusLimits, CensusReport, LogEnd, LogReader, Requirements, SourceKind};
use hostssl_formats::clients::{ClientsReport, ServerClients};
use hostssl_mcp::{
    AuditAsk, CallStop, ClientsAsk, KeptQuestion, PlanAsk, ToolAudit, ToolClients, ToolPlan, ToolServer, ToolSource,
    ToolTrouble,
};
use hostssl_model::untrusted::is_harmful;
use hostssl_model::{AuditReport, Gap, GapScope, Reason, Stop, Unchecked};
use hostssl_test_support::fleet::{PlannerKnowledge, flexible};
use hostssl_test_support::hostile;
use jiff::Timestamp;
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
    /// The audit that it was kept after, whatever its clock said.
    kept_after: Option<&'static str>,
    plan: Option<ToolPlan>,
    clients: Option<(ClientsReport, Vec<Gap>)>,
    /// Whether the state can be read.
    is_broken: bool,
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
            return Ok(ToolAudit { report, kept: false, scenario: None, warnings: vec![hostile::hostile()] });
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
        if self.is_broken {
            return Err(ToolTrouble::new("the disk is broken", ""));
        }
        let began = |kept: &AuditReport| kept.run.started_at.parse::<Timestamp>().unwrap();
        let kept = kept.filter(|kept| {
            question
                .newer_than
                .as_ref()
                .is_none_or(|known| self.kept_after == Some(known.run.as_str()) || began(kept) > known.began)
        });
        Ok(kept.map(|report| ToolAudit { report, kept: true, scenario: None, warnings: Vec::new() }))
    }

    async fn clients(&self, _: ClientsAsk, _: CallStop) -> Result<ToolClients, ToolTrouble> {
        if let Some((report, gaps)) = self.clients.clone() {
            return Ok(ToolClients { report, gaps, kept: Some(false), warnings: vec![hostile::hostile()] });
        }
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
    assert!(marked(&answer) > 5);
    let refused = call(&client, "clients", json!({})).await;
    assert_eq!(refused.is_error, Some(true));
    assert_eq!(text(&refused), "error: password=[removed] \u{fffd} next\nhint: do `this`");
}

#[tokio::test]
async fn hostile_texts_of_clients_plans_and_explanations_are_named_too() {
    let postures = vec![flexible("pg-a", "off", "TLSv1.2")];
    // A plan refuses such a text itself.
    let plan = ToolPlan {
        plan: PlannerKnowledge::new(postures).plan(),
        gaps: vec![hostile_gap()],
        complete: true,
        production_first: vec![],
    };
    let clients = Some((clients_of(3, &hostile::hostile().replace('\n', "")), vec![hostile_gap()]));
    let (client, _server) = session(Made { plan: Some(plan), clients, ..Made::default() }).await;
    let seen = call(&client, "clients", json!({})).await;
    assert!(marked(&seen) > 10, "{}", marked(&seen));
    assert_eq!(marked(&call(&client, "plan", json!({})).await), 2, "the gap");
    let text = format!("FATAL: no pg_hba.conf entry for host \"{0}\", no encryption\n{0}", hostile::hostile());
    let explained = call(&client, "explain", json!({"text": text})).await;
    assert!(!format!("{}{}", document(&explained), self::text(&explained).replace('\n', "")).contains(is_harmful));
}

#[tokio::test]
async fn clients_that_were_not_observed_are_a_warning() {
    let mut report = clients_of(3, "");
    report.servers.truncate(2);
    report.servers.iter_mut().for_each(|server| server.census.sources.clear());
    let (client, _server) = session(Made { clients: Some((report, Vec::new())), ..Made::default() }).await;
    let answer = call(&client, "clients", json!({})).await;
    let (document, text) = (document(&answer), text(&answer));
    assert_eq!((&document["complete"], &document["gaps"]), (&json!(false), &json!([])));
    let said = "of 2 of 2 servers, no source has every connection of its period";
    let mut warnings = document["warnings"].as_array().unwrap().iter().filter_map(Value::as_str);
    assert!(warnings.any(|warning| warning.contains(said)), "{document}");
    assert!(text.contains(said), "{text}");
}

/// How many texts of a document have replaced characters, as those of the fixtures that come from outside have. Each is named.
fn marked(answer: &CallToolResult) -> usize {
    let whole = format!("{}{}", serde_json::to_string(document(answer)).unwrap(), text(answer).replace('\n', ""));
    assert!(!whole.contains(is_harmful) && whole.contains('\u{fffd}'), "{whole}");
    let untrusted: Vec<&str> =
        document(answer)["untrusted"].as_array().unwrap().iter().map(|path| path.as_str().unwrap()).collect();
    let mut found = 0;
    texts(document(answer), String::new(), &mut |path, text| {
        if text.contains('\u{fffd}') {
            found += 1;
            assert!(untrusted.iter().any(|one| covers(one, path)), "{path} is not named");
        }
    });
    found
}

fn hostile_gap() -> Gap {
    Gap {
        scope: GapScope::Name(hostile::hostile().into()),
        unchecked: Unchecked::new(Reason::Permission, hostile::hostile()),
    }
}

/// What a log with this many clients shows, each in plaintext and with a name of its own.
fn census(clients: usize, name: &str) -> CensusReport {
    let mut reader = LogReader::new(Census::new(CensusLimits::default(), None), None);
    reader.begin(SourceKind::LogFile, hostile::hostile());
    for number in 0..clients {
        let head = format!("2026-01-01 00:00:00 UTC-6aaae7b4.{number:x}-LOG:  ");
        let who = format!("user=u{number}{name} database=shop application_name=a");
        let lines = format!("{head}connection received: host=10.0.0.4 port=1\n{head}connection authorized: {who}\n");
        reader.feed(lines.as_bytes());
    }
    reader.end(LogEnd::Whole);
    reader.finish().finish(Requirements::default())
}

/// Two hundred servers with as many clients each.
fn clients_of(clients: usize, name: &str) -> ClientsReport {
    let census = census(clients, name);
    let server = |number: usize| ServerClients {
        id: None,
        name: format!("pg-{number:03}{}", "x".repeat(300)),
        owner: None,
        census: census.clone(),
        hidden: [0; 4],
    };
    ClientsReport {
        id: "c".to_owned(),
        started_at: "2026-01-01T00:00:00Z".to_owned(),
        finished_at: "2026-01-01T00:00:01Z".to_owned(),
        principal: Some(hostile::hostile()),
        cloud: None,
        window: 1,
        since: None,
        servers: (0..200).map(server).collect(),
    }
}

fn gaps(count: usize) -> Vec<Gap> {
    let gap = |number: usize| Gap {
        scope: GapScope::Subscription(format!("unread-{number}").into()),
        unchecked: Unchecked::new(Reason::Permission, "not allowed"),
    };
    let mut gaps: Vec<Gap> = (0..count).map(gap).collect();
    // Of what was left out on request, nothing is missing.
    gaps.push(Gap { scope: GapScope::AllSubscriptions, unchecked: Unchecked::new(Reason::Excepted, "as asked") });
    gaps
}

#[tokio::test]
async fn what_could_not_be_read_stands_in_every_document_and_before_every_list() {
    let mut report = fleet(300);
    (report.gaps, report.run.complete) = (gaps(25), false);
    let postures = (0..300).map(|number| flexible(&format!("pg-{number:03}-{}", "x".repeat(50)), "off", "TLSv1.2"));
    let plan = ToolPlan {
        plan: PlannerKnowledge::new(postures.collect()).plan(),
        gaps: gaps(25),
        complete: true,
        production_first: vec![],
    };
    let clients = Some((clients_of(0, ""), gaps(25)));
    let source = Made { audit: Mutex::new(Some(report)), plan: Some(plan), clients, ..Made::default() };
    let (client, _server) = session(source).await;
    for tool in ["audit", "servers", "findings", "plan", "clients"] {
        let answer = call(&client, tool, json!({"limit": 200})).await;
        let document = document(&answer);
        assert_eq!(document["complete"], false, "{tool}");
        let written = document["gaps"].as_array().unwrap();
        assert_eq!((written.len(), &written[0]["scope"]), (20, &json!("/subscriptions/unread-0")), "{tool}");
        let left = document["leftOut"].as_array().unwrap();
        assert!(left.iter().any(|one| one["what"] == "gaps" && one["count"].as_u64() >= Some(5)), "{tool}: {left:?}");
        let text = text(&answer);
        let at = |words: &str| text.find(words).unwrap_or_else(|| panic!("{tool}: no `{words}` in {text}"));
        let list = at("\n- ");
        let notes =
            ["NOT complete", "Could not be checked: /subscriptions/unread-4: not allowed", "checked: 20 more gaps"];
        for words in notes.into_iter().chain(["Left out: "]) {
            assert!(at(words) < list, "{tool}: `{words}` stands behind the list");
        }
        assert!(text.chars().count() < 12_200, "{tool}: {}", text.len());
        // The clients have the longest list.
        assert_eq!(text.contains("The text ends here"), tool == "clients", "{tool}: {}", text.len());
    }
}

#[tokio::test]
async fn clients_come_in_parts_that_are_bounded_and_count_only_what_they_leave_out() {
    let mut report = clients_of(400, "");
    report.servers.truncate(3);
    report.servers[2].hidden = [7; 4];
    let (client, _server) = session(Made { clients: Some((report, Vec::new())), ..Made::default() }).await;
    let answer = call(&client, "clients", json!({"clientsOfEach": 500, "limit": 2})).await;
    let document = document(&answer);
    assert!(serde_json::to_string(document).unwrap().len() < 100_000);
    let servers = document["result"]["servers"].as_array().unwrap();
    let shown: usize = servers.iter().map(|server| server["clients"].as_array().unwrap().len()).sum();
    let left = document["leftOut"].as_array().unwrap().iter().find(|one| one["what"] == "clients").unwrap();
    let clients = census(400, "").clients.len();
    assert!(shown > 0 && clients > 50, "{shown} of {clients}");
    assert_eq!(left["count"], servers.len() * clients - shown, "those of the third server do not count");
}

#[tokio::test]
async fn an_older_audit_that_was_looked_at_does_not_become_the_newest() {
    let (mut here, mut kept) = (fleet(1), fleet(2));
    here.run.id = "here".into();
    // As text, this is smaller than the other.
    here.run.started_at = "2026-01-02T00:00:00.5Z".into();
    kept.run.id = "kept".into();
    kept.run.started_at = "2026-01-02T00:00:00Z".into();
    let source = Made { audit: Mutex::new(Some(here)), kept: Mutex::new(Some(kept)), ..Made::default() };
    let (client, _server) = session(source).await;
    call(&client, "audit", json!({})).await;
    let run = async |arguments: Value| {
        let servers = call(&client, "servers", arguments).await;
        document(&servers)["result"]["run"]["id"].as_str().unwrap().to_owned()
    };
    assert_eq!(run(json!({"run": "kept"})).await, "kept");
    assert_eq!(run(json!({})).await, "here");
}

#[tokio::test]
async fn a_state_that_cannot_be_read_is_told() {
    let source = Made { audit: Mutex::new(Some(fleet(1))), is_broken: true, ..Made::default() };
    let (client, _server) = session(source).await;
    call(&client, "audit", json!({})).await;
    for tool in ["servers", "findings"] {
        let answer = call(&client, tool, json!({})).await;
        let warnings = document(&answer)["warnings"].as_array().unwrap();
        assert!(
            warnings.iter().any(|one| one.as_str().unwrap().ends_with("is kept: the disk is broken")),
            "{warnings:?}"
        );
        assert!(text(&answer).contains("Warning: this is the newest audit of this session"), "{}", text(&answer));
    }
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
    let after = Some("here");
    let set_back = Made { audit: audit(), kept: newer("2026-01-01T00:00:00Z"), kept_after: after, ..Made::default() };
    assert_eq!(run(set_back, true).await, ("kept".to_owned(), json!(true)), "its clock was set back");
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
    let production_first = vec![plan.steps()[0].server.clone()];
    let source =
        Made { plan: Some(ToolPlan { plan, gaps: Vec::new(), complete: true, production_first }), ..Made::default() };
    let (client, _server) = session(source).await;
    let first = call(&client, "plan", json!({})).await;
    assert_eq!(document(&first)["page"]["nextOffset"], 20);
    assert!(text(&first).contains("Nothing was written."), "{}", text(&first));
    let warning = "pg-000 goes first and is a production server: the plan has no other that can go first";
    assert_eq!(document(&first)["warnings"], json!([warning]));
    assert!(text(&first).contains(warning), "{}", text(&first));
    let next = call(&client, "plan", json!({"hash": hash, "offset": 40, "limit": 50})).await;
    assert_eq!(
        (&document(&next)["page"]["returned"], &document(&next)["page"]["nextOffset"]),
        (&json!(20), &Value::Null)
    );
    assert_eq!(document(&next)["result"]["hash"], hash.as_str());
    assert_eq!((&document(&next)["complete"], &document(&next)["gaps"]), (&json!(true), &json!([])));
    let other = call(&client, "plan", json!({"hash": hash, "profile": "strict"})).await;
    assert!(text(&other).contains("with `hash`, give only"), "{}", text(&other));
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
