//! What goes wrong while someone looks: each has its page with the next step, and nothing is written twice or lost.

#![allow(clippy::unwrap_used, reason = "a test may stop at the first surprise")]

mod estate;

use estate::{OFF, OLD, TENANT, allowed, apply, connector, ended, estate, field, first_wave, key, large_estate, save};
use futures::FutureExt as _;
use hostssl_audit::Profile;
use hostssl_azure_sim::{Fault, FaultRule, Simulation};
use hostssl_console::{Connect, Trouble};
use hostssl_model::Scope;
use hostssl_ops::{AcceptBreakage, Discovery, PlanRequest, RunContext, make_plan};
use hostssl_remediation::{
    Direction, Goal, Journal as _, JournalEvent, JournalRecord, NewRun, PlanOptions, RunId, SafeText, StepEvent,
    StepOutcome,
};
use hostssl_store::{AuditStore, Order, OrderAct, Store, StoreReader};
use hostssl_test_support::served_console::{Served, gated, serve_over};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use tokio::sync::watch;

/// A sign-in that expires when it is told to.
fn expiring(connect: Connect) -> (Arc<AtomicBool>, Connect) {
    let expired = Arc::new(AtomicBool::new(false));
    let asked = expired.clone();
    let behind: Connect = Arc::new(move |stop| {
        let (connect, asked) = (connect.clone(), asked.clone());
        async move {
            if asked.load(Ordering::SeqCst) {
                return Err(Trouble::new("the sign-in has expired", "run `az login`, then do it again"));
            }
            connect(stop).await
        }
        .boxed_local()
    });
    (expired, behind)
}

#[tokio::test]
async fn a_sign_in_that_expires_stops_what_needs_azure_and_no_page() {
    let simulation = estate();
    let (expired, connect) = expiring(connector(&simulation));
    let served = serve_over(allowed(), connect).await;
    let visitor = served.visitor().await;
    visitor.audit().await;
    let plan = save(&visitor, "pg-off-2", "&enforcement=enabled").await;
    expired.store(true, Ordering::SeqCst);
    for path in ["/", "/resources", "/runs", "/plans"] {
        assert_eq!(visitor.get(path).await.status, 200, "{path} shows what is kept");
    }
    let audit = ended(&visitor, &visitor.post("/runs", "").await).await.1;
    assert!(audit.status == 503 && audit.body.contains("The sign-in has expired."), "{}", audit.body);
    let lost = save(&visitor, "pg-off", "&enforcement=enabled").await;
    for words in ["No plan was made", "The sign-in has expired.", "Run `az login`", "Nothing was written", "Plan again"]
    {
        assert!(lost.1.body.contains(words), "{words}: {}", lost.1.body);
    }
    let run = ended(&visitor, &apply(&visitor, &plan).await).await.1;
    assert_eq!(run.status, 409);
    for words in ["This run did not begin", "Run `az login`", "Back to the plan", &format!("href=\"{}\"", plan.0)] {
        assert!(run.body.contains(words), "{words}: {}", run.body);
    }
    assert!(StoreReader::open(served.directory.path()).unwrap().runs().unwrap().is_empty());
    assert_eq!(simulation.parameter(OFF, "require_secure_transport").unwrap(), "off");
    // Signed in again, the same plan goes on from where it was.
    expired.store(false, Ordering::SeqCst);
    let again = visitor.get(&plan.0).await;
    let run = ended(&visitor, &apply(&visitor, &(plan.0, again)).await).await;
    assert!(run.1.body.contains("<h1>Verified"), "{}", run.1.body);
}

#[tokio::test]
async fn azure_that_cannot_be_reached_makes_unknowns_and_no_lie() {
    let simulation = estate();
    let served = serve_over(allowed(), connector(&simulation)).await;
    let visitor = served.visitor().await;
    visitor.audit().await;
    assert!(visitor.get("/").await.body.contains("4 servers in 1 subscription"));
    simulation.inject(FaultRule::on_server(OFF, Fault::ConnectionReset)).unwrap();
    let run = visitor.audit().await;
    let page = visitor.get(&run).await.body;
    assert!(page.contains("incomplete") && page.contains("What could not be checked"), "{page}");
    // Every setting of the server failed: it is one server all the same, by its name, on both pages.
    let gaps = page.split_once("id=\"gaps\"").unwrap().1;
    assert!(gaps.contains("<span class=\"n\">1</span>") && gaps.contains("1 server"), "{gaps}");
    assert!(gaps.contains("<bdi>pg-off</bdi>") && !gaps.contains("<td class=\"mono"), "{gaps}");
    let overview = visitor.get("/").await.body;
    assert!(overview.contains("incomplete: 1 server could not be checked"), "{overview}");
    // What was off when it was read last is not forgiven because it could not be read now.
    assert!(overview.contains(">incomplete") && overview.contains("3 of 4 servers"), "{overview}");
    // A server that was not seen is in no plan, and the plan says so.
    let asked = visitor.post("/plans", "&all=1&view=&accept=agreed").await;
    let plan = ended(&visitor, &asked).await.1.body;
    assert!(plan.contains("current value unknown"), "{plan}");
}

#[tokio::test]
async fn a_form_after_the_session_has_ended_does_nothing_and_says_so() {
    let simulation = estate();
    let served = serve_over(allowed(), connector(&simulation)).await;
    let visitor = served.visitor().await;
    visitor.audit().await;
    let plan = save(&visitor, "pg-off-2", "&enforcement=enabled").await;
    let (csrf, hash) = (plan.1.csrf(), field(&plan.1.body, "hash"));
    visitor.post("/sign-out", "").await;
    let origin = format!("http://{}", served.host());
    let late = visitor.post_as(&format!("{}/apply", plan.0), &origin, &format!("csrf={csrf}&hash={hash}")).await;
    assert_eq!(late.status, 401);
    for words in ["Nothing was done", "Your session ended", "Sign in again"] {
        assert!(late.body.contains(words), "{words}: {}", late.body);
    }
    assert!(StoreReader::open(served.directory.path()).unwrap().runs().unwrap().is_empty());
}

#[tokio::test]
async fn the_audit_that_a_change_has_overtaken_says_so() {
    let simulation = estate();
    let served = serve_over(allowed(), connector(&simulation)).await;
    let visitor = served.visitor().await;
    visitor.audit().await;
    assert!(visitor.get("/").await.body.contains("Plan to enforce all that are off<"));
    let plan = save(&visitor, "pg-off-2", "&enforcement=enabled").await;
    let run = ended(&visitor, &apply(&visitor, &plan).await).await;
    for path in ["/", "/resources"] {
        let page = visitor.get(path).await.body;
        assert!(page.contains(&format!("href=\"{}\">changed by a run", run.0)), "{path}: {page}");
    }
    // What it changed is in the figures at once, and no longer offered.
    let overview = visitor.get("/").await.body;
    assert!(
        overview.contains("2 of 4 servers") && overview.contains("Plan to enforce all that are off<"),
        "{overview}"
    );
    visitor.audit().await;
    for path in ["/", "/resources"] {
        assert!(!visitor.get(path).await.body.contains(">changed by a run"), "{path}");
    }
}

/// A run of which the journal has the beginning: its process was killed.
async fn broken_off(served: &Served, simulation: &Simulation, id: &str) -> RunId {
    let tenant = connector(simulation)(watch::channel(None).1).await.unwrap().remove(0);
    let request = PlanRequest {
        scope: Scope { servers: vec!["pg-off".into()], ..Scope::default() },
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
    let context = RunContext::begin("look", &jiff::Timestamp::now, "0");
    let plan = make_plan(&tenant, &request, context, &mut |_| ()).await.unwrap().plan;
    assert_eq!(plan.principal().tenant.as_deref(), Some(TENANT));
    let run = RunId::new(id).unwrap();
    let first = JournalRecord {
        at_ms: jiff::Timestamp::now().as_millisecond(),
        event: JournalEvent::RunStarted { reason: None, pace: None },
    };
    let store = Store::open(served.directory.path()).unwrap();
    store
        .begin(&NewRun { id: &run, plan: &plan, principal: plan.principal(), first: &first, approvals: None })
        .await
        .unwrap();
    run
}

#[tokio::test]
async fn a_run_that_was_broken_off_is_resumed_once() {
    let simulation = estate();
    let served = serve_over(allowed(), connector(&simulation)).await;
    let visitor = served.visitor().await;
    visitor.audit().await;
    let run = broken_off(&served, &simulation, "broken-off").await;
    let address = format!("/applies/{run}");
    let page = visitor.get(&address).await.body;
    assert!(page.contains(">Resume<") && page.contains("not ended") && !page.contains("Undo…"), "{page}");
    // While another process works on it, neither an order to stop it from before nor *Resume* is true.
    let (store, audits) =
        (Store::open(served.directory.path()).unwrap(), AuditStore::open(served.directory.path()).unwrap());
    let plan = audits.unfinished().unwrap().unwrap().plan;
    let stop = Order { run: run.clone(), at_ms: 1, act: OrderAct::Stop, person: "ada".into(), plan };
    audits.keep_order(&stop).unwrap();
    let elsewhere = visitor.get(&address).await.body;
    assert!(elsewhere.contains("Another process is working on this run."), "{elsewhere}");
    assert!(!elsewhere.contains(">Resume<") && !elsewhere.contains("Stopped by"), "{elsewhere}");
    drop(store);
    let free = visitor.get(&address).await.body;
    assert!(free.contains(">Resume<") && free.contains("Stop requested by ada"), "{free}");
    // Nothing else begins before, and the page says what to do first.
    let other = save(&visitor, "pg-off-2", "&enforcement=enabled").await;
    let refused = ended(&visitor, &apply(&visitor, &other).await).await.1.body;
    assert!(
        refused.contains("Run `hostssl resume broken-off` first") && refused.contains(&format!("href=\"{address}\"")),
        "{refused}"
    );
    for path in ["/", "/resources"] {
        let page = visitor.get(path).await.body;
        assert!(page.contains("has not ended") && page.contains(&format!("href=\"{address}\"")), "{path}: {page}");
    }
    let seen = format!("&reason=test&seen={}", field(&page, "seen"));
    let resume = format!("{address}/resume");
    let (one, two) = tokio::join!(visitor.post(&resume, &seen), visitor.post(&resume, &seen));
    assert_eq!((one.status, two.status), (303, 303));
    let done = ended(&visitor, &one).await.1.body;
    assert!(done.contains("<h1>Verified") && !done.contains(">Resume<"), "{done}");
    assert_eq!(simulation.parameter(OFF, "require_secure_transport").unwrap(), "on");
    visitor.post(&resume, &seen).await;
    let reader = StoreReader::open(served.directory.path()).unwrap();
    let records = reader.load(&run).unwrap().records;
    assert_eq!(records.iter().filter(|one| one.event == JournalEvent::RunResumed).count(), 1);
    assert_eq!(reader.receipts(&run).unwrap().len(), 1, "nothing is written twice");
}

#[tokio::test]
async fn a_plan_that_went_stale_on_the_screen_leads_back_to_planning_again() {
    let simulation = estate();
    let served = serve_over(allowed(), connector(&simulation)).await;
    let visitor = served.visitor().await;
    visitor.audit().await;
    let plan = save(&visitor, "pg-off-2", "&enforcement=enabled").await;
    let wrong = visitor.post(&format!("{}/apply", plan.0), "&hash=0").await;
    assert!(wrong.status == 409 && wrong.body.contains(&format!("href=\"{}\"", plan.0)), "{}", wrong.body);
    // What is kept of a server has changed under the page: Save from an old page is for what differs now.
    ended(&visitor, &apply(&visitor, &plan).await).await;
    let key = key(&visitor, "pg-off-2").await;
    let fields = "&enforcement=enabled&shown-enforcement=not-enforced";
    let late = visitor.post(&format!("/servers/{key}/plan"), fields).await;
    assert!(late.status == 409 && late.body.contains("Nothing to save"), "{}", late.body);
}

#[tokio::test]
async fn undo_from_a_page_of_before_does_nothing() {
    let simulation = estate();
    let served = serve_over(allowed(), connector(&simulation)).await;
    let visitor = served.visitor().await;
    visitor.audit().await;
    let plan = save(&visitor, "pg-off", "&enforcement=enabled").await;
    let run = ended(&visitor, &apply(&visitor, &plan).await).await;
    let answer = visitor.post(&format!("{}/undo", run.0), "&seen=1").await;
    assert_eq!((answer.status, answer.header("location")), (303, run.0.as_str()));
    assert_eq!(simulation.parameter(OFF, "require_secure_transport").unwrap(), "on");
}

/// As after `kill -9` in the middle of an undo: the journal has its beginning.
#[tokio::test]
async fn an_undo_that_was_broken_off_is_called_one_and_resumed() {
    let simulation = estate();
    let served = serve_over(allowed(), connector(&simulation)).await;
    let visitor = served.visitor().await;
    visitor.audit().await;
    let plan = save(&visitor, "pg-off", "&enforcement=enabled").await;
    let address = ended(&visitor, &apply(&visitor, &plan).await).await.0;
    let run = RunId::new(address.rsplit('/').next().unwrap()).unwrap();
    {
        let store = Store::open(served.directory.path()).unwrap();
        store.load(&run).await.unwrap();
        let record = JournalRecord {
            at_ms: jiff::Timestamp::now().as_millisecond(),
            event: JournalEvent::UndoStarted { reason: None },
        };
        store.append(&run, std::slice::from_ref(&record)).await.unwrap();
    }
    let page = visitor.get(&address).await.body;
    for words in
        ["<h1>Undo ", "undo not ended", ">Resume the undo<", "has not been restored yet", "<dt>applied</dt><dd>1</dd>"]
    {
        assert!(page.contains(words), "{words}: {page}");
    }
    assert!(page.contains("from </span>on</del> <ins><span class=\"hid\">to </span>off"), "{page}");
    let seen = format!("&reason=test&seen={}", field(&page, "seen"));
    let done = ended(&visitor, &visitor.post(&format!("{address}/resume"), &seen).await).await.1.body;
    assert!(done.contains("<h1>Undone"), "{done}");
    assert_eq!(simulation.parameter(OFF, "require_secure_transport").unwrap(), "off");
}

/// Whoever resumes sees at once what had ended before, and which way it goes.
#[tokio::test]
async fn a_resumed_undo_is_followed_as_one_from_where_it_stood() {
    let simulation = estate();
    let (gate, connect) = gated(connector(&simulation));
    gate.send_replace(true);
    let served = serve_over(allowed(), connect).await;
    let visitor = served.visitor().await;
    visitor.audit().await;
    let plan =
        ended(&visitor, &visitor.post("/plans", "&accept=agreed&view=enforcement%3Dnot-enforced&all=1").await).await;
    let address = ended(&visitor, &apply(&visitor, &plan).await).await.0;
    let run = RunId::new(address.rsplit('/').next().unwrap()).unwrap();
    let step = {
        let store = Store::open(served.directory.path()).unwrap();
        let step = store.load(&run).await.unwrap().load().unwrap().plan.steps()[0].clone();
        let text = || SafeText::new("on");
        let of_step = |act| JournalEvent::Step { step: 1, direction: Direction::Undo, act };
        let events = [
            JournalEvent::UndoStarted { reason: None },
            of_step(StepEvent::Intent { found: text(), was_default: false }),
            of_step(StepEvent::Accepted { request_id: None }),
            of_step(StepEvent::Observed { found: text(), pending_restart: false }),
            of_step(StepEvent::Ended { ending: StepOutcome::Reached { note: None, waits_for_restart: false } }),
        ];
        let at_ms = jiff::Timestamp::now().as_millisecond();
        store.append(&run, &events.map(|event| JournalRecord { at_ms, event })).await.unwrap();
        step
    };
    // The journal above says so, and a resume looks again.
    simulation.set_parameter(step.server.as_str(), step.parameter.key(), &step.undo).unwrap();
    gate.send_replace(false);
    let page = visitor.get(&address).await.body;
    let resumed =
        visitor.post(&format!("{address}/resume"), &format!("&reason=test&seen={}", field(&page, "seen"))).await;
    let live = visitor.get(&address).await.body;
    for words in ["Undo in progress", "data-p=\"looked\">1<", "data-p=\"found\">3<", ">restored<", "to </span>off"] {
        assert!(live.contains(words), "{words}: {live}");
    }
    assert!(!live.contains("to </span>on"), "{live}");
    gate.send_replace(true);
    assert!(ended(&visitor, &resumed).await.1.body.contains("<h1>Undone"));
}

/// A value that was not read again is no green run, and a resume reads it.
#[tokio::test]
async fn a_value_that_could_not_be_read_again_is_shown_until_it_is() {
    let simulation = estate();
    let served = serve_over(allowed(), connector(&simulation)).await;
    let visitor = served.visitor().await;
    visitor.audit().await;
    let plan = save(&visitor, "pg-off", "&enforcement=enabled").await;
    let (address, page) = ended(&visitor, &apply(&visitor, &plan).await).await;
    assert!(page.body.contains("<h1>Verified") && !page.body.contains("/resume"), "{}", page.body);
    let run = RunId::new(address.rsplit('/').next().unwrap()).unwrap();
    {
        let store = Store::open(served.directory.path()).unwrap();
        store.load(&run).await.unwrap();
        let act = StepEvent::NotReadAgain { why: SafeText::new("HTTP 403") };
        let event = JournalEvent::Step { step: 1, direction: Direction::Apply, act };
        let at_ms = jiff::Timestamp::now().as_millisecond();
        store.append(&run, &[JournalRecord { at_ms, event }]).await.unwrap();
    }
    let page = visitor.get(&address).await.body;
    for words in ["<h1>Run", "not read again: HTTP 403", "whether they stayed is not known", "/resume", "/undo"] {
        assert!(page.contains(words), "{words}: {page}");
    }
    let resumed = visitor.post(&format!("{address}/resume"), &format!("&seen={}", field(&page, "seen"))).await;
    let page = ended(&visitor, &resumed).await.1.body;
    assert!(page.contains("<h1>Verified") && !page.contains("not read again"), "{page}");
}

#[tokio::test]
async fn an_attempt_that_was_refused_is_not_told_once_the_run_went_on() {
    let simulation = estate();
    let served = serve_over(allowed(), connector(&simulation)).await;
    let visitor = served.visitor().await;
    visitor.audit().await;
    let plan = save(&visitor, "pg-off", "&enforcement=enabled").await;
    let (address, page) = ended(&visitor, &apply(&visitor, &plan).await).await;
    let run = RunId::new(address.rsplit('/').next().unwrap()).unwrap();
    let other = Store::open(served.directory.path()).unwrap();
    let undo =
        visitor.post(&format!("{address}/undo"), &format!("&reason=test&seen={}", field(&page.body, "seen"))).await;
    assert!(ended(&visitor, &undo).await.1.body.contains("Nothing was written: another hostssl"));
    // The other one goes on.
    other.load(&run).await.unwrap();
    let at_ms = jiff::Timestamp::now().as_millisecond() + 1;
    other.append(&run, &[JournalRecord { at_ms, event: JournalEvent::UndoStarted { reason: None } }]).await.unwrap();
    assert!(!visitor.get(&address).await.body.contains("another hostssl"));
}

#[tokio::test]
async fn chosen_servers_that_are_not_there_any_more_are_named_in_the_plan() {
    let simulation = estate();
    let served = serve_over(allowed(), connector(&simulation)).await;
    let visitor = served.visitor().await;
    visitor.audit().await;
    let key = key(&visitor, "pg-off").await;
    let asked = visitor.post("/plans", &format!("&accept=agreed&server=0123456789abcdef0123&server={key}")).await;
    let plan = ended(&visitor, &asked).await.1.body;
    assert!(plan.contains("Some things could not be checked") && plan.contains("1 chosen server"), "{plan}");
}

#[tokio::test]
async fn a_state_directory_that_was_moved_away_is_told_and_no_other_is_made() {
    let simulation = estate();
    let served = serve_over(allowed(), connector(&simulation)).await;
    let visitor = served.visitor().await;
    visitor.audit().await;
    let plan = save(&visitor, "pg-off", "&enforcement=enabled").await;
    let applied = visitor.get(&plan.0).await;
    let elsewhere = tempfile::tempdir().unwrap();
    let (here, there) = (served.directory.path(), elsewhere.path().join("moved"));
    std::fs::rename(here, &there).unwrap();
    for path in ["/", "/resources", "/runs", &plan.0, &format!("{}/file", plan.0)] {
        let page = visitor.get(path).await;
        assert!(page.status == 503 && page.body.contains("removed, moved or replaced"), "{path}: {}", page.body);
    }
    // The form of a page that was open before.
    let origin = format!("http://{}", served.host());
    let fields = format!("csrf={}&hash={}", applied.csrf(), field(&applied.body, "hash"));
    let asked = visitor.post_as(&format!("{}/apply", plan.0), &origin, &fields).await;
    assert!(asked.status == 503 && asked.body.contains("removed, moved or replaced"), "{}", asked.body);
    assert!(!here.exists(), "another state was made");
    assert_eq!(simulation.parameter(OFF, "require_secure_transport").unwrap(), "off");
    // Put back, it goes on.
    std::fs::rename(&there, here).unwrap();
    assert_eq!(visitor.get("/resources").await.status, 200);
}

#[tokio::test]
async fn a_run_that_loses_its_state_on_the_way_is_broken_off_and_not_one_that_did_not_begin() {
    let simulation = estate();
    let served = serve_over(allowed(), connector(&simulation)).await;
    let visitor = served.visitor().await;
    visitor.audit().await;
    let plan = save(&visitor, "pg-old", "&enforcement=enabled").await;
    let started = apply(&visitor, &plan).await;
    let address = started.header("location").to_owned();
    loop {
        let live = visitor.get(&address).await.body;
        assert!(live.contains("Change in progress"), "it ended before it was seen: {live}");
        if live.contains("accepted, in progress") {
            break;
        }
    }
    let elsewhere = tempfile::tempdir().unwrap();
    let (here, there) = (served.directory.path(), elsewhere.path().join("moved"));
    std::fs::rename(here, &there).unwrap();
    let page = ended(&visitor, &started).await.1;
    assert!(page.body.contains("This run was interrupted"), "{}", page.body);
    assert!(page.body.contains("Some values may already have been sent"), "{}", page.body);
    // Put back, it stands as what it is, and is resumed.
    std::fs::rename(&there, here).unwrap();
    let page = visitor.get(&address).await.body;
    assert!(page.contains("not ended") && page.contains("not settled") && page.contains(">Resume<"), "{page}");
    let resume =
        visitor.post(&format!("{address}/resume"), &format!("&reason=test&seen={}", field(&page, "seen"))).await;
    assert!(ended(&visitor, &resume).await.1.body.contains("<h1>Verified"));
    assert_eq!(simulation.parameter(OLD, "sslEnforcement").unwrap(), "Enabled");
}

#[tokio::test]
async fn a_server_that_failed_is_not_the_canary_of_the_next_plan() {
    let simulation = large_estate(2);
    let served = serve_over(allowed(), connector(&simulation)).await;
    let visitor = served.visitor().await;
    visitor.audit().await;
    let asked = visitor.post("/plans", "&accept=agreed&all=1&view=enforcement%3Dnot-enforced").await;
    let plan = ended(&visitor, &asked).await;
    assert!(first_wave(&plan.1.body).contains(">pg-000<"), "{}", plan.1.body);
    assert!(!plan.1.body.contains("did not succeed"), "nothing was tried yet");
    let refused = OFF.replace("pg-off", "pg-000");
    simulation.inject(FaultRule::on_server(&refused, Fault::PolicyDenied)).unwrap();
    let run = ended(&visitor, &apply(&visitor, &plan).await).await;
    assert!(run.1.body.contains("refused"), "{}", run.1.body);

    // The other one goes first, and the page says why and leads to the run.
    let next = ended(&visitor, &visitor.post(&format!("{}/again", plan.0), "").await).await;
    assert!(first_wave(&next.1.body).contains(">pg-001<"), "{}", next.1.body);
    let told = format!("<a href=\"{}\"><bdi>pg-000</bdi></a> goes last", run.0);
    assert!(next.1.body.contains(&told), "{}", next.1.body);

    // Where no other one can go first, that is said. A canary that a person chose is not news to that person.
    let (failed, other) = (key(&visitor, "pg-000").await, key(&visitor, "pg-001").await);
    let alone = ended(&visitor, &visitor.post(&format!("{}/exclude", next.0), &format!("&server={other}")).await).await;
    assert!(alone.1.body.contains("<bdi>pg-000</bdi></a> goes first, because no other server can"), "{}", alone.1.body);
    let chosen =
        ended(&visitor, &visitor.post(&format!("{}/canary", next.0), &format!("&server={failed}")).await).await;
    assert!(first_wave(&chosen.1.body).contains(">pg-000<"), "{}", chosen.1.body);
    assert!(!chosen.1.body.contains("did not succeed"), "{}", chosen.1.body);
}
