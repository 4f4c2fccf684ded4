//! Two consoles of one state: what someone did in one, the other knows.

#![allow(clippy::unwrap_used, reason = "a test may stop at the first surprise")]

mod estate;

use estate::{OFF, allowed, apply, connector, ended, estate, field, key, large_estate, save, with_shown};
use hostssl_azure_sim::{Fault, FaultRule, FaultScope, Operation, Simulation};
use hostssl_console::{Connect, ConsoleOptions, Proxies, PublicUrl, Role};
use hostssl_store::{AuditStore, KeptPlan, StateDirectory, WorkInProgress, WorkKind};
use hostssl_store_postgres::PostgresLog;
use hostssl_test_support::postgres::{RealServer, USER, installed};
use hostssl_test_support::real_login::login_to;
use hostssl_test_support::served_console::{HttpAnswer, Served, Visitor, gated, serve_in, serve_over, serve_state};
use std::sync::Arc;
use std::time::Duration;

const PEOPLE: [(&str, Role); 4] =
    [("paul", Role::Planner), ("ada", Role::Approver), ("bob", Role::Approver), ("eve", Role::Approver)];

/// Behind one address, as two replicas are, with so many approvals.
fn team(approvals: u32) -> ConsoleOptions {
    let people = PEOPLE.map(|(name, role)| (name.to_owned(), role)).into();
    ConsoleOptions { people, approvals, hosts: vec!["console.example".into()], ..allowed() }
}

async fn two(simulation: &Simulation, approvals: u32) -> (Served, Served) {
    let one = serve_over(team(approvals), connector(simulation)).await;
    let two = serve_in(one.directory.clone(), team(approvals), connector(simulation)).await;
    (one, two)
}

async fn sign_in<'a>(served: &'a Served, name: &str) -> Visitor<'a> {
    let index = PEOPLE.iter().position(|(one, _)| *one == name).unwrap();
    let answer = served.press_sign_in(&served.links[index]).await;
    assert_eq!(answer.status, 303, "{}", answer.body);
    Visitor { served, cookie: answer.cookies() }
}

/// The same person at another console: the cookie has the port in its name.
fn at<'a>(visitor: &Visitor<'_>, served: &'a Served) -> Visitor<'a> {
    let secret = visitor.cookie.split_once('=').unwrap().1;
    Visitor { served, cookie: format!("hostssl-{}={secret}", served.port) }
}

async fn approve(visitor: &Visitor<'_>, plan: &(String, HttpAnswer)) -> HttpAnswer {
    let hash = hash_of(&plan.1.body);
    visitor.post(&format!("{}/approve", plan.0), &format!("&hash={hash}")).await
}

fn hash_of(page: &str) -> String {
    let behind = page.split_once("<dt>Hash</dt><dd class=\"mono break\">").unwrap().1;
    behind.split_whitespace().next().unwrap().to_owned()
}

#[tokio::test]
async fn a_session_and_its_forms_hold_at_both() {
    let simulation = estate();
    let (one, two) = two(&simulation, 1).await;
    let ada = sign_in(&one, "ada").await;
    let there = at(&ada, &two);
    assert_eq!(ada.get("/").await.csrf(), there.get("/").await.csrf());
    there.audit().await;
    // A link that was made at one is used at the other, once.
    let page = ada.post("/sessions", "&name=Zoe&role=viewer").await;
    let link = page.body.split("<code data-origin>").nth(1).unwrap().split('<').next().unwrap().to_owned();
    let zoe = Visitor { served: &two, cookie: two.press_sign_in(&link).await.cookies() };
    assert!(at(&zoe, &one).get("/").await.body.contains(">Zoe<"));
    assert_eq!(one.press_sign_in(&link).await.status, 401);
    let list = ada.get("/sessions").await.body;
    let end = list.split("<tr>").find(|row| row.contains("Zoe")).unwrap().split("action=\"").nth(1).unwrap();
    assert_eq!(ada.post(end.split('"').next().unwrap(), "").await.status, 303);
    assert_eq!(zoe.get("/").await.status, 401);
    assert_eq!(there.post("/sign-out", "").await.status, 303);
    assert_eq!(ada.get("/").await.status, 401);
}

#[tokio::test]
async fn a_console_refuses_whom_it_does_not_list() {
    let simulation = estate();
    let one = serve_over(team(1), connector(&simulation)).await;
    let (ada, eve) = (sign_in(&one, "ada").await, sign_in(&one, "eve").await);
    let page = eve.post("/sessions", "&name=Zoe&role=planner").await;
    let link = page.body.split("<code data-origin>").nth(1).unwrap().split('<').next().unwrap().to_owned();
    let zoe = Visitor { served: &one, cookie: one.press_sign_in(&link).await.cookies() };
    // Started again without ada, and with less for bob, while the other one still runs.
    let people = vec![("bob".to_owned(), Role::Viewer), ("eve".to_owned(), Role::Approver)];
    let two = serve_in(one.directory.clone(), ConsoleOptions { people, ..team(1) }, connector(&simulation)).await;
    let bob = sign_in(&one, "bob").await;
    for (visitor, status) in [(&ada, 401), (&bob, 401), (&eve, 200), (&zoe, 200)] {
        assert_eq!(at(visitor, &two).get("/").await.status, status);
        assert_eq!(visitor.get("/").await.status, 200);
    }
    let list = at(&eve, &two).get("/sessions").await.body;
    let row = |name: &str| list.split("<tr>").find(|row| row.contains(&format!("<bdi>{name}</bdi>"))).unwrap();
    assert!(row("ada").contains("refused here") && row("bob").contains("refused here"), "{list}");
    assert!(!row("eve").contains("refused here") && !row("Zoe").contains("refused here"), "{list}");
}

#[tokio::test]
async fn a_plan_of_one_is_reviewed_and_applied_at_the_other_and_once() {
    let simulation = estate();
    let (one, two) = two(&simulation, 1).await;
    let (paul, ada) = (sign_in(&one, "paul").await, sign_in(&two, "ada").await);
    ada.audit().await;
    let plan = save(&paul, "pg-off", "&enforcement=enabled").await;
    let list = ada.get("/plans").await.body;
    assert!(list.contains(&plan.0) && list.contains("ready for review") && list.contains("paul"), "{list}");
    let there = (plan.0.clone(), ada.get(&plan.0).await);
    let without = |page: &str| page.split_once("<main").unwrap().1.split("Left out").next().unwrap().to_owned();
    assert!(without(&there.1.body).contains("Requested by <bdi>paul</bdi>"), "{}", there.1.body);
    assert_eq!(ada.get(&format!("{}/file", plan.0)).await.body, paul.get(&format!("{}/file", plan.0)).await.body);
    let run = ended(&ada, &apply(&ada, &there).await).await;
    assert!(run.1.body.contains("<h1>Verified"), "{}", run.1.body);
    assert_eq!(simulation.parameter(OFF, "require_secure_transport").unwrap(), "on");
    // Where it was made it is known to be applied, and the form of an open page leads to the run.
    let page = paul.get(&plan.0).await.body;
    assert!(page.contains("This plan was applied.") && page.contains(&run.0), "{page}");
    assert!(paul.get("/plans").await.body.contains(&run.0));
    let again = at(&ada, &one).post(&format!("{}/apply", plan.0), &format!("&hash={}", hash_of(&page))).await;
    assert_eq!((again.status, again.header("location")), (303, run.0.as_str()));
}

#[tokio::test]
async fn a_plan_outlives_the_console_and_can_be_made_again() {
    let simulation = estate();
    let (one, two) = two(&simulation, 1).await;
    let paul = sign_in(&one, "paul").await;
    paul.audit().await;
    let plan = save(&paul, "pg-off", "&enforcement=enabled").await;
    let (cookie, directory) = (paul.cookie.split_once('=').unwrap().1.to_owned(), one.directory.clone());
    drop((one, two));
    let started = serve_in(directory, team(1), connector(&simulation)).await;
    let paul = Visitor { cookie: format!("hostssl-{}={cookie}", started.port), served: &started };
    let page = paul.get(&plan.0).await;
    assert!(page.body.contains("Enforce TLS on pg-off"), "{}", page.body);
    let again = ended(&paul, &paul.post(&format!("{}/again", plan.0), "").await).await;
    assert!(again.1.body.contains("Enforce TLS on pg-off") && again.0 != plan.0, "{}", again.1.body);
}

#[tokio::test]
async fn two_others_approve_before_a_plan_is_applied() {
    let simulation = estate();
    let (one, two) = two(&simulation, 2).await;
    let ada = sign_in(&one, "ada").await;
    ada.audit().await;
    // Whoever makes a plan, also as an approver, does not approve it.
    let plan = save(&ada, "pg-off", "&enforcement=enabled").await;
    assert!(plan.1.body.contains("0 of 2 approvals") && plan.1.body.contains("You made this plan"), "{}", plan.1.body);
    assert!(!plan.1.body.contains("/apply\""), "{}", plan.1.body);
    assert_eq!(approve(&ada, &plan).await.status, 403);
    let hash = hash_of(&plan.1.body);
    let forced = ada.post(&format!("{}/apply", plan.0), &format!("&hash={hash}")).await;
    assert!(forced.status == 409 && forced.body.contains("0 of 2 approvals"), "{}", forced.body);
    // Nor does she make the people who do.
    let invited = ada.post("/sessions", "&name=ghost&role=approver").await;
    assert!(invited.status == 403 && invited.body.contains("No link was made"), "{}", invited.body);
    assert_eq!(ada.post("/sessions", "&name=ghost&role=planner").await.status, 200);
    let bob = sign_in(&two, "bob").await;
    let page = bob.get(&plan.0).await.body;
    assert!(page.contains("Approve this plan") && field(&page, "hash") == hash, "{page}");
    let other = bob.post(&format!("{}/approve", plan.0), &format!("&hash={}", "0".repeat(64))).await;
    assert_eq!(other.status, 409, "{}", other.body);
    for _ in 0..2 {
        assert_eq!(approve(&bob, &plan).await.status, 303);
    }
    let page = bob.get(&plan.0).await.body;
    assert!(page.contains("1 of 2 approvals</b>: <bdi>bob</bdi>") && page.contains("You have approved"), "{page}");
    assert!(bob.get("/plans").await.body.contains("1 of 2 approvals"));
    assert_eq!(bob.post(&format!("{}/apply", plan.0), &format!("&hash={hash}")).await.status, 409);
    assert_eq!(simulation.parameter(OFF, "require_secure_transport").unwrap(), "off");
    let eve = sign_in(&one, "eve").await;
    assert_eq!(approve(&eve, &plan).await.status, 303);
    // Enough have approved: an approver applies it, at either console.
    let page = (plan.0.clone(), bob.get(&plan.0).await);
    let run = ended(&bob, &apply(&bob, &page).await).await;
    assert!(run.1.body.contains("<h1>Verified"), "{}", run.1.body);
    for words in [
        "<dt>Approved</dt><dd>by <bdi>bob</bdi>",
        "<dt>Approved</dt><dd>by <bdi>eve</bdi>",
        "<dt>Apply requested</dt><dd>by <bdi>bob</bdi>",
    ] {
        assert!(run.1.body.contains(words), "{words}: {}", run.1.body);
    }
    let late = approve(&eve, &plan).await;
    assert!(late.status == 409 && late.body.contains("A run of this plan has begun"), "{}", late.body);
    // To undo it needs no one else: it makes safe again.
    let seen = field(&run.1.body, "seen");
    let undone = ended(&eve, &eve.post(&format!("{}/undo", run.0), &format!("&reason=test&seen={seen}")).await).await;
    assert!(undone.1.body.contains("<h1>Undone"), "{}", undone.1.body);
}

#[tokio::test]
async fn an_approval_is_withdrawn_and_given_again() {
    let simulation = estate();
    let (one, two) = two(&simulation, 2).await;
    let (ada, bob, eve) = (sign_in(&one, "ada").await, sign_in(&two, "bob").await, sign_in(&one, "eve").await);
    ada.audit().await;
    let plan = save(&ada, "pg-off", "&enforcement=enabled").await;
    let hash = hash_of(&plan.1.body);
    let withdraw = async |visitor: &Visitor<'_>, hash: &str| {
        visitor.post(&format!("{}/withdraw", plan.0), &format!("&hash={hash}")).await
    };
    assert!(!bob.get(&plan.0).await.body.contains("Withdraw my approval"));
    let early = withdraw(&bob, &hash).await;
    assert!(early.status == 409 && early.body.contains("You have not approved this plan"), "{}", early.body);
    assert_eq!((approve(&bob, &plan).await.status, approve(&eve, &plan).await.status), (303, 303));
    let page = bob.get(&plan.0).await.body;
    assert!(page.contains("2 of 2 approvals") && page.contains("Withdraw my approval"), "{page}");
    // Who did not approve has nothing to withdraw, and a form of another version does nothing.
    assert!(!ada.get(&plan.0).await.body.contains("Withdraw my approval"));
    assert_eq!(withdraw(&bob, &"0".repeat(64)).await.status, 409);
    let (path, origin) = (format!("{}/withdraw", plan.0), format!("http://{}", two.host()));
    let no_token = bob.post_as(&path, &origin, &format!("hash={hash}")).await;
    assert_eq!(no_token.status, 403);
    assert_eq!(withdraw(&at(&bob, &one), &hash).await.status, 303);
    let page = bob.get(&plan.0).await.body;
    assert!(page.contains("1 of 2 approvals") && page.contains("<bdi>bob</bdi> withdrew an approval"), "{page}");
    assert!(page.contains("Approve this plan") && !page.contains("Withdraw my approval"), "{page}");
    let forced = ada.post(&format!("{}/apply", plan.0), &format!("&hash={hash}")).await;
    assert!(forced.status == 409 && forced.body.contains("1 of 2 approvals"), "{}", forced.body);
    assert_eq!(approve(&bob, &plan).await.status, 303);
    let page = bob.get(&plan.0).await.body;
    assert!(page.contains("2 of 2 approvals") && !page.contains("withdrew an approval"), "{page}");
    let run = ended(&ada, &apply(&ada, &(plan.0.clone(), ada.get(&plan.0).await)).await).await;
    for words in ["<dt>Approval withdrawn</dt><dd>by <bdi>bob</bdi>", "<dt>Apply requested</dt><dd>by <bdi>ada</bdi>"] {
        assert!(run.1.body.contains(words), "{words}: {}", run.1.body);
    }
    assert_eq!(run.1.body.matches("<dt>Approved</dt><dd>by <bdi>bob</bdi>").count(), 2, "{}", run.1.body);
    let late = withdraw(&bob, &hash).await;
    assert!(late.status == 409 && late.body.contains("A run of this plan has begun"), "{}", late.body);
}

#[tokio::test]
async fn who_is_no_approver_any_more_does_not_count() {
    let simulation = estate();
    let (one, _) = two(&simulation, 2).await;
    let (ada, bob, eve) = (sign_in(&one, "ada").await, sign_in(&one, "bob").await, sign_in(&one, "eve").await);
    ada.audit().await;
    let plan = save(&ada, "pg-off", "&enforcement=enabled").await;
    assert_eq!((approve(&bob, &plan).await.status, approve(&eve, &plan).await.status), (303, 303));
    // Started again without bob, and with another role for eve.
    let people = vec![("ada".to_owned(), Role::Approver), ("eve".to_owned(), Role::Planner)];
    let later = serve_in(one.directory.clone(), ConsoleOptions { people, ..team(2) }, connector(&simulation)).await;
    let there = at(&ada, &later);
    let page = there.get(&plan.0).await.body;
    assert!(page.contains("0 of 2 approvals") && !page.contains("/apply\""), "{page}");
    for words in
        ["does not count: --link of this console does not have this name.", "gives this name the role planner."]
    {
        assert!(page.contains(words), "{words}: {page}");
    }
    let forced = there.post(&format!("{}/apply", plan.0), &format!("&hash={}", hash_of(&page))).await;
    assert!(forced.status == 409 && forced.body.contains("0 of 2 approvals"), "{}", forced.body);
    assert!(there.get("/plans").await.body.contains("0 of 2 approvals"));
}

#[tokio::test]
async fn a_console_that_asks_for_less_does_not_apply_what_another_made() {
    let simulation = estate();
    let strict = serve_over(team(2), connector(&simulation)).await;
    let lax = serve_in(strict.directory.clone(), team(1), connector(&simulation)).await;
    let ada = sign_in(&strict, "ada").await;
    ada.audit().await;
    let plan = save(&ada, "pg-off", "&enforcement=enabled").await;
    let there = at(&ada, &lax);
    let page = there.get(&plan.0).await.body;
    assert!(page.contains("0 of 2 approvals"), "{page}");
    let forced = there.post(&format!("{}/apply", plan.0), &format!("&hash={}", hash_of(&page))).await;
    assert!(forced.status == 409 && forced.body.contains("0 of 2 approvals"), "{}", forced.body);
}

#[tokio::test]
async fn who_has_no_name_does_not_approve() {
    let simulation = estate();
    let unnamed = ConsoleOptions { people: Vec::new(), ..team(2) };
    let served = serve_over(team(2), connector(&simulation)).await;
    let ada = sign_in(&served, "ada").await;
    ada.audit().await;
    let plan = save(&ada, "pg-off", "&enforcement=enabled").await;
    let other = serve_in(served.directory.clone(), unnamed, connector(&simulation)).await;
    let local = other.visitor().await;
    let page = local.get(&plan.0).await.body;
    assert!(page.contains("You are signed in without a name"), "{page}");
    assert_eq!(approve(&local, &plan).await.status, 403);
}

#[tokio::test]
async fn a_plan_that_is_damaged_says_so_and_hides_no_other() {
    let simulation = estate();
    let (one, two) = two(&simulation, 1).await;
    let paul = sign_in(&one, "paul").await;
    paul.audit().await;
    let plan = save(&paul, "pg-off", "&enforcement=enabled").await;
    let other = save(&paul, "pg-off-2", "&enforcement=enabled").await;
    let store = AuditStore::open(one.directory.path()).unwrap();
    let id = plan.0.rsplit('/').next().unwrap();
    let kept = store.kept_plan(id).unwrap().unwrap();
    store.keep_plan(&KeptPlan { review: "{}".into(), ..kept }).unwrap();
    let there = at(&paul, &two);
    let page = there.get(&plan.0).await;
    assert!(page.status == 409 && page.body.contains("This plan cannot be read"), "{}", page.body);
    assert!(there.get("/plans").await.body.contains(&other.0));
    assert_eq!(there.get(&other.0).await.status, 200);
}

#[tokio::test]
async fn a_run_is_stopped_from_the_other_console() {
    let simulation = large_estate(12);
    let (one, two) = two(&simulation, 1).await;
    let (ada, paul) = (sign_in(&one, "ada").await, sign_in(&two, "paul").await);
    ada.audit().await;
    let made = ended(&ada, &ada.post("/plans", "&all=1&view=&accept=agreed").await).await;
    // Each write takes longer than it takes to stop.
    let slow = FaultRule::new(FaultScope::Everywhere, Fault::Delay { delay: Duration::from_secs(3) });
    simulation.inject(slow.during([Operation::UpdateConfiguration])).unwrap();
    let started = apply(&ada, &made).await;
    let address = started.header("location").to_owned();
    loop {
        let live = ada.get(&address).await.body;
        assert!(live.contains("Change in progress"), "it ended before it was seen: {live}");
        if live.contains(">writing<") {
            break;
        }
    }
    let page = paul.get(&address).await.body;
    assert!(page.contains(&format!("{address}/stop")) && page.contains("http-equiv=\"refresh\""), "{page}");
    assert_eq!(paul.post(&format!("{address}/stop"), "").await.status, 303);
    assert!(paul.get(&address).await.body.contains("<dt>Stop requested</dt><dd>by <bdi>paul</bdi>"));
    let stopped = ended(&ada, &started).await.1.body;
    assert!(stopped.contains("Stopped by paul after 1 of 12 steps"), "{stopped}");
}

/// Looks at a page again until it has these words.
async fn until(visitor: &Visitor<'_>, path: &str, words: &str) -> String {
    loop {
        let page = visitor.get(path).await.body;
        if page.contains(words) {
            return page;
        }
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn how_far_an_audit_and_a_plan_are_is_seen_at_the_other() {
    let simulation = estate();
    let (gate, connect) = gated(connector(&simulation));
    let one = serve_over(team(1), connect.clone()).await;
    let two = serve_in(one.directory.clone(), team(1), connect).await;
    let (paul, bob) = (sign_in(&one, "paul").await, sign_in(&two, "bob").await);
    let audit = paul.post("/runs", "").await;
    let address = audit.header("location").to_owned();
    let page = until(&bob, &address, "in another console").await;
    assert!(page.contains("<h1>Audit in progress") && page.contains("http-equiv=\"refresh\""), "{page}");
    assert!(page.contains("0 of 0 servers checked") && page.contains("last heard"), "{page}");
    for path in ["/", "/runs"] {
        let page = bob.get(path).await.body;
        assert!(page.contains("Audit in progress in another console") && page.contains("<bdi>paul</bdi>"), "{page}");
    }
    let own = paul.get("/").await.body;
    assert!(!own.contains("another console") && own.contains("Show the audit in progress"), "{own}");
    gate.send(true).unwrap();
    ended(&paul, &audit).await;
    assert!(bob.get(&address).await.body.contains("<h1>Audit"));
    assert!(!bob.get("/").await.body.contains("another console"));
    // A plan that comes to nothing leaves nothing behind.
    gate.send(false).unwrap();
    let key = key(&paul, "pg-off").await;
    let fields = with_shown(&paul, &key, "&enforcement=enabled").await;
    let plan = paul.post(&format!("/servers/{key}/plan"), &fields).await;
    let address = plan.header("location").to_owned();
    let page = until(&bob, &address, "in another console").await;
    assert!(page.contains("<h1>Planning") && page.contains("Only that console can stop it"), "{page}");
    assert!(bob.get("/plans").await.body.contains("Plan being made in another console"));
    assert_eq!(paul.post(&format!("{address}/stop"), "").await.status, 303);
    gate.send(true).unwrap();
    ended(&paul, &plan).await;
    assert!(!bob.get("/plans").await.body.contains("another console"));
    assert_eq!(bob.get(&address).await.status, 404);
}

#[tokio::test]
async fn a_console_that_died_is_not_said_to_work() {
    let served = serve_over(team(1), connector(&estate())).await;
    let ada = sign_in(&served, "ada").await;
    let store = AuditStore::open(served.directory.path()).unwrap();
    let now_ms = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_millis();
    let heard_ms = i64::try_from(now_ms).unwrap() - 300_000;
    let work = WorkInProgress {
        id: "lost".into(),
        kind: WorkKind::Audit,
        console: "process 7 on <b>elsewhere".into(),
        person: "paul".into(),
        began_ms: heard_ms - 1_000,
        heard_ms,
        looked: 120,
        found: 900,
    };
    store.note_work(&work, 0).unwrap();
    let page = ada.get("/runs/lost").await.body;
    assert!(page.contains("<h1>The audit is no longer reported"), "{page}");
    assert!(page.contains("last heard 5 min ago from process 7 on &#60;b&#62;elsewhere"), "{page}");
    let list = ada.get("/runs").await.body;
    assert!(list.contains("An audit of another console is no longer reported"), "{list}");
    assert!(list.contains("120 of 900 servers checked") && !list.contains("in progress"), "{list}");
    // After an hour no one is told of it.
    store.end_work("lost").unwrap();
    store.note_work(&WorkInProgress { id: "older".into(), heard_ms: heard_ms - 3_600_000, ..work }, 0).unwrap();
    assert!(!ada.get("/runs").await.body.contains("another console"));
}

#[tokio::test]
async fn behind_a_proxy_a_browser_has_one_session_at_both() {
    let proxied = || ConsoleOptions {
        public: Some("https://console.example".parse::<PublicUrl>().unwrap()),
        proxies: Some(Proxies { header: "x-user".into(), addresses: vec!["127.0.0.1".parse().unwrap()], roles: None }),
        ..allowed()
    };
    let simulation = estate();
    let one = serve_over(proxied(), connector(&simulation)).await;
    let two = serve_in(one.directory.clone(), proxied(), connector(&simulation)).await;
    let lines = |cookie| [("host", "console.example"), ("x-user", "ada"), ("cookie", cookie)];
    let first = one.send("GET", "/", &lines(""), "").await;
    let cookie = first.cookies();
    assert!(first.status == 200 && cookie.starts_with("__Host-hostssl-443="), "{cookie}");
    let there = two.send("GET", "/", &lines(&cookie), "").await;
    assert_eq!((there.cookies(), there.csrf()), (String::new(), first.csrf()));
    let origin = [("origin", "https://console.example"), ("content-type", "application/x-www-form-urlencoded")];
    let head = [lines(&cookie).as_slice(), &origin].concat();
    let posted = two.send("POST", "/theme", &head, &format!("csrf={}&theme=dark&here=/", first.csrf())).await;
    assert_eq!(posted.status, 303, "{}", posted.body);
    // Who is someone else at the proxy is someone else here.
    let other = [("host", "console.example"), ("x-user", "eve"), ("cookie", cookie.as_str())];
    let other = two.send("GET", "/", &other, "").await;
    assert!(!other.cookies().is_empty() && other.csrf() != first.csrf());
}

/// A console on a machine of its own, with its copy of a store.
async fn on_a_machine(server: &RealServer, connect: Connect) -> Served {
    let directory = Arc::new(tempfile::tempdir().unwrap());
    let state = directory.path().to_owned();
    let log = Arc::new(PostgresLog::new(vec![login_to(server, "postgres", USER)], &state));
    serve_state(StateDirectory::copy_of(state, log), directory, team(2), connect).await
}

#[tokio::test(flavor = "multi_thread")]
async fn two_machines_with_one_store_are_one_console() {
    let Some(binaries) = installed(15) else { return };
    let server = RealServer::start(15, binaries, &[("fsync", "on"), ("log_statement", "none")]);
    let simulation = estate();
    let (gate, connect) = gated(connector(&simulation));
    let (one, two) = (on_a_machine(&server, connect.clone()).await, on_a_machine(&server, connect).await);
    // A balancer may lead each request to the other one.
    let ada = sign_in(&one, "ada").await;
    assert_eq!(at(&ada, &two).get("/").await.status, 200);
    let bob = sign_in(&two, "bob").await;
    // What one of them works on, the other one shows.
    let audit = ada.post("/runs", "").await;
    until(&bob, audit.header("location"), "in another console").await;
    gate.send(true).unwrap();
    ended(&ada, &audit).await;
    until(&bob, audit.header("location"), "<h1>Audit").await;
    let plan = save(&ada, "pg-off", "&enforcement=enabled").await;
    let page = loop {
        let page = bob.get(&plan.0).await;
        if page.status == 200 {
            break page;
        }
    };
    let plan = (plan.0, page);
    assert_eq!(approve(&bob, &plan).await.status, 303);
    let eve = sign_in(&one, "eve").await;
    assert_eq!(approve(&eve, &plan).await.status, 303);
    // What counts is what the store holds: the page of the other machine may be a second old.
    let run = loop {
        let hash = hash_of(&plan.1.body);
        let asked = bob.post(&format!("{}/apply", plan.0), &format!("&hash={hash}")).await;
        if asked.status == 303 {
            break ended(&bob, &asked).await;
        }
        assert!(asked.body.contains("1 of 2 approvals"), "{}", asked.body);
    };
    assert!(run.1.body.contains("<h1>Verified"), "{}", run.1.body);
    assert_eq!(simulation.parameter(OFF, "require_secure_transport").unwrap(), "on");
    assert_eq!(bob.post("/sign-out", "").await.status, 303);
    assert_eq!(ada.get("/").await.status, 200);
}
