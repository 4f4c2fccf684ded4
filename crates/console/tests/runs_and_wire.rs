//! What is kept beside audits: changes of servers, and what was seen on the wire.

#![allow(clippy::unwrap_used, reason = "a test may stop at the first surprise")]

use futures::future::FutureExt as _;
use hostssl_audit::Profile;
use hostssl_azure::StopSignal;
use hostssl_azure_sim::{Simulation, Wire};
use hostssl_console::{ConsoleOptions, Exchange, TranscriptMessage, WireLook};
use hostssl_model::Stop;
use hostssl_model::{Outcome, Scope};
use hostssl_ops::{
    AcceptBreakage, AuditRequest, Discovery, ListenerProbe, PlanRequest, RunContext, audit_and_probe, make_plan,
};
use hostssl_remediation::{
    FixableControl, Goal, Journal as _, JournalEvent, JournalRecord, NewRun, PlanOptions, RunId,
};
use hostssl_store::{AuditStore, KeptRun, NewProbe, Page, ProbedEndpoint, Store};
use hostssl_test_support::served_console::{Served, Visitor, connector, options, serve, serve_over, simulation};
use hostssl_test_support::simulated_listeners::prober_of;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::watch;

fn probe(simulation: &Simulation, stop: StopSignal) -> ListenerProbe {
    ListenerProbe::new(prober_of(Wire::new(simulation).unwrap()), 8, stop, jiff::Timestamp::now)
}

fn probing(simulation: &Simulation) -> ConsoleOptions {
    let simulation = simulation.clone();
    let look = WireLook {
        profile: Profile::find_for("baseline", true).unwrap(),
        probe: Arc::new(move |stop| Ok(probe(&simulation, stop))),
        exchange: Some(Arc::new(|host, port| std::future::ready(vec![said(&host, port)]).boxed())),
    };
    ConsoleOptions { wire: Some(look), ..options() }
}

/// An exchange with more than a page takes.
fn said(host: &str, port: u16) -> Exchange {
    let message = |number: u64| TranscriptMessage {
        micros: number * 1_500,
        connection: "tls, user \"postgres\"".into(),
        direction: "received",
        name: "ErrorResponse".into(),
        text: format!("<b>{host}</b> {number} {}", "x".repeat(2_000)),
    };
    Exchange { port, address: None, verdict: "refused".into(), messages: (0..1_000).map(message).collect() }
}

async fn key_of(visitor: &Visitor<'_>, name: &str) -> String {
    let list = visitor.get(&format!("/resources?q={name}")).await.body;
    list.split("href=\"/servers/").nth(1).unwrap().split(['"', '/', '?']).next().unwrap().to_owned()
}

/// Waits until the run at this address is kept.
async fn ended(visitor: &Visitor<'_>, address: &str) {
    let events = visitor.get(&format!("{address}/events")).await;
    assert!(events.body.contains("event: end"), "{}", events.body);
}

fn audits(served: &Served) -> Vec<hostssl_store::AuditEntry> {
    let store = AuditStore::open(served.directory.path()).unwrap();
    store.audits(Page { number: 0, size: 100 }).unwrap().0
}

/// The command line's `audit --probe`, kept in the directory of the console.
#[tokio::test]
async fn the_wire_tab_shows_what_an_audit_saw() {
    let simulation = simulation(Duration::ZERO);
    let served = serve_over(options(), connector(simulation.clone())).await;
    let (_never, stop) = watch::channel::<Option<Stop>>(None);
    let tenants = connector(simulation.clone())(stop.clone()).await.unwrap();
    let profile = Profile::find_for("baseline", true).unwrap();
    let request = AuditRequest { scope: Scope::default(), profile, discovery: Discovery::Lists };
    let context = RunContext::begin("probed", &jiff::Timestamp::now, "0");
    let wire = probe(&simulation, stop);
    let report = audit_and_probe(&tenants, &request, Some(&wire), context, &mut |_| ()).await.unwrap();
    AuditStore::open(served.directory.path()).unwrap().save(&report).unwrap();

    let visitor = served.visitor().await;
    let of = |name: &'static str| async {
        let key = key_of(&visitor, name).await;
        visitor.get(&format!("/servers/{key}/wire")).await.body
    };
    let (off, on) = (of("pg-off").await, of("pg-on").await);
    assert!(off.contains("Port 5432") && off.contains("accepts plaintext"), "{off}");
    assert!(on.contains("refuses plaintext") && !on.contains("accepts plaintext"), "{on}");
    for seen in ["</i>accepted</span>", "</i>refused</span>", "accepted by <code>verify-full</code>", "Valid until"] {
        assert!(on.contains(seen), "{seen}: {on}");
    }
    assert!(!on.contains("No probe") && !on.contains("Probe again"), "this console cannot probe");

    let names = |html: &str| html.matches("<th scope=\"row\" class=\"c-name\">").count();
    let optional = visitor.get("/resources?wire=optional").await.body;
    assert!(names(&optional) == 1 && optional.contains("pg-off") && optional.contains("accepts plaintext (1)"));
    let enforced = visitor.get("/resources?wire=enforced&sort=name").await.body;
    assert!(names(&enforced) == 2 && !enforced.contains("pg-off"), "{enforced}");
    assert_eq!(names(&visitor.get("/resources?wire=broken-tls").await.body), 0);
    let sorted = visitor.get("/resources?sort=wire").await.body;
    assert!(sorted.find("pg-off").unwrap() < sorted.find("pg-on").unwrap(), "the worst first");
    let csv = visitor.get("/resources/export?format=csv&wire=optional").await.body;
    assert!(csv.contains("pg-off") && !csv.contains("pg-on"));
}

#[tokio::test]
async fn an_audit_probes_when_its_box_is_checked() {
    let simulation = simulation(Duration::ZERO);
    let served = serve_over(probing(&simulation), connector(simulation.clone())).await;
    let visitor = served.visitor().await;
    assert!(visitor.get("/runs").await.body.contains("name=\"probe\""));
    ended(&visitor, visitor.post("/runs", "").await.header("location")).await;
    let key = key_of(&visitor, "pg-off").await;
    let unseen = visitor.get(&format!("/servers/{key}/wire")).await.body;
    assert!(unseen.contains("No probe yet") && unseen.contains("Probe this server"), "{unseen}");
    assert!(visitor.get("/resources").await.body.contains("not probed"));

    ended(&visitor, visitor.post("/runs", "&probe=yes").await.header("location")).await;
    let profiles: Vec<_> = audits(&served).into_iter().map(|audit| audit.profile).collect();
    assert_eq!(profiles, ["baseline@2", "baseline@1"]);
    let seen = visitor.get(&format!("/servers/{key}/wire")).await.body;
    assert!(seen.contains("accepts plaintext") && seen.contains("Probe again"), "{seen}");

    // One server alone; the overview stays with the audit of everything.
    simulation.set_parameter(&pg_off(&simulation), "require_secure_transport", "on").unwrap();
    ended(&visitor, visitor.post(&format!("/servers/{key}/probe"), "").await.header("location")).await;
    let newest = audits(&served).remove(0);
    assert_eq!((newest.scope.servers, newest.tally.servers(), newest.whole), (vec!["pg-off".to_owned()], 1, false));
    let again = visitor.get(&format!("/servers/{key}/wire")).await.body;
    assert!(again.contains("refuses plaintext") && !again.contains("accepts plaintext"), "{again}");
    assert!(again.contains("message by message (200)") && again.contains("ErrorResponse"), "{again}");
    assert!(
        !again.contains("<b>pg-off") && !again.contains(&"x".repeat(200)),
        "whatever a listener says is text, and short"
    );
    assert!(again.len() < 100_000, "{}", again.len());
    assert!(!seen.contains("message by message (200)"), "an audit of everything writes nothing down");
    assert!(visitor.get("/").await.body.contains("3 servers in 2 subscriptions"));
    assert_eq!(visitor.post("/servers/0123456789/probe", "").await.status, 404);
}

fn pg_off(simulation: &Simulation) -> String {
    simulation.server_ids().into_iter().find(|id| id.ends_with("/pg-off")).unwrap()
}

#[tokio::test]
async fn a_console_that_cannot_probe_offers_none() {
    let served = serve(options()).await;
    let visitor = served.visitor().await;
    assert!(!visitor.get("/runs").await.body.contains("name=\"probe\""));
    // A form that was made up is an audit without a look at the wire.
    ended(&visitor, visitor.post("/runs", "&probe=yes").await.header("location")).await;
    assert_eq!(audits(&served)[0].profile, "baseline@1");
    let key = key_of(&visitor, "pg-off").await;
    assert_eq!(visitor.post(&format!("/servers/{key}/probe"), "").await.status, 404);
}

#[tokio::test]
async fn audits_and_applies_are_one_list() {
    let simulation = simulation(Duration::ZERO);
    let served = serve_over(options(), connector(simulation.clone())).await;
    let visitor = served.visitor().await;
    let first = visitor.audit().await;
    let (_never, stop) = watch::channel::<Option<Stop>>(None);
    let mut tenant = connector(simulation)(stop).await.unwrap().remove(0);
    // No plan holds the name that the console's audits have here.
    tenant.principal.name = "alice <b>".into();
    let context = RunContext::begin("look", &jiff::Timestamp::now, "0");
    let request = PlanRequest {
        scope: Scope::default(),
        except: Vec::new(),
        waivers: None,
        profile: Profile::find("baseline").unwrap(),
        goal: Goal::Set { enforcement: Some(true), minimum_tls: None },
        options: PlanOptions::default(),
        order: hostssl_remediation::WaveOrder::default(),
        reason: None,
        discovery: Discovery::Lists,
        clients: None,
        accepted: vec![AcceptBreakage { selector: "*".to_owned(), reason: "a test".to_owned(), by: None }],
    };
    assert_eq!(request.goal.controls(), [FixableControl::RequireSecureTransport]);
    let plan = make_plan(&tenant, &request, context, &mut |_| ()).await.unwrap().plan;
    let record = JournalRecord {
        at_ms: jiff::Timestamp::now().as_millisecond(),
        event: JournalEvent::RunStarted { reason: None, pace: None },
    };
    let run = RunId::new("20261125-050000-abcd").unwrap();
    let store = Store::open(served.directory.path()).unwrap();
    store
        .begin(&NewRun { id: &run, plan: &plan, principal: plan.principal(), first: &record, approvals: None })
        .await
        .unwrap();
    let second = visitor.audit().await;

    let page = visitor.get("/runs").await.body;
    let at = |address: &str| page.find(&format!("href=\"{address}\"")).unwrap();
    assert!(at(&second) < at("/applies/20261125-050000-abcd"), "the newest first");
    assert!(at("/applies/20261125-050000-abcd") < at(&first));
    assert!(page.contains("1 step: 0 written") && page.contains("not ended"), "{page}");
    // In the word of the command line.
    assert!(page.contains("applying</span>"), "{page}");
    assert!(page.contains("alice &#60;b&#62;"), "names are text: {page}");
    let shown = visitor.get("/applies/20261125-050000-abcd").await;
    assert!(shown.status == 200 && shown.body.contains("pg-off"), "{}", shown.body);
    assert_eq!(visitor.get("/applies/no-such-run").await.status, 404);
    let (kept, total) = store.reader().kept_runs(Page { number: 1, size: 1 }).unwrap();
    assert!(matches!(kept.as_slice(), [KeptRun::Apply(_)]) && total == 3, "{kept:?}");
}

/// What `hostssl probe` kept in the directory of the console.
#[tokio::test]
async fn a_kept_probe_has_a_page() {
    let served = serve_over(options(), connector(simulation(Duration::ZERO))).await;
    let store = AuditStore::open(served.directory.path()).unwrap();
    let asked = r#"{"users":["<b>me</b>"],"databases":["postgres"],"replication":["physical"]}"#.to_owned();
    store.begin_probe(&NewProbe { id: "probed".into(), started_ms: 0, tool_version: "0".into(), asked }).unwrap();
    let document = |number: u64| {
        let reason = "accepted in plaintext: <script>";
        format!(r#"{{"target":"db{number}.example:5432","verdict":"optional","reason":"{reason}","more":[]}}"#)
    };
    let endpoint =
        |number| ProbedEndpoint { outcome: Outcome::Fail, document: document(number), listener: None, at_ms: 0 };
    store.add_endpoints("probed", &(0..60).map(endpoint).collect::<Vec<_>>()).unwrap();

    let visitor = served.visitor().await;
    let list = visitor.get("/runs").await.body;
    assert!(list.contains("/probes/probed") && list.contains("60 endpoints"), "{list}");
    let page = visitor.get("/probes/probed").await.body;
    assert!(page.contains("db49.example") && !page.contains("db50.example"), "a page holds 50");
    assert!(page.contains("it has not ended") && page.contains("accepts plaintext"), "{page}");
    assert!(!page.contains("<script>") && !page.contains("<b>me</b>"), "what others named is text");
    assert!(visitor.get("/probes/probed?page=1").await.body.contains("db59.example"));
    assert_eq!(visitor.get("/probes/none").await.status, 404);
}
