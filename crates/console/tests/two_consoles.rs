//! Two consoles of one state: what someone did in one, the other knows.

#![allow(clippy::unwrap_used, reason = "a test may stop at the first surprise")]

mod estate;
mod team;

use estate::{OFF, allowed, apply, connector, ended, estate, key, large_estate, save, with_shown};
use hostssl_azure_sim::{Fault, FaultRule, FaultScope, Operation};
use hostssl_console::{Connect, ConsoleOptions, Proxies, PublicUrl, Role};
use hostssl_model::hex;
use hostssl_store::{
    AuditStore, KeptLink, KeptPlan, KeptSession, SignInLimits, StateDirectory, WorkInProgress, WorkKind,
};
use hostssl_store_postgres::PostgresLog;
use hostssl_test_support::postgres::{RealServer, USER, installed};
use hostssl_test_support::real_login::login_to;
use hostssl_test_support::served_console::{Served, Visitor, gated, serve_in, serve_over, serve_state};
use jiff::Timestamp;
use sha2::{Digest as _, Sha256};
use std::sync::Arc;
use std::time::Duration;
use team::{approve, at, hash_of, sign_in, team, two};

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

#[tokio::test(flavor = "multi_thread")]
async fn when_a_session_was_used_last_is_known_at_both() {
    let simulation = estate();
    let (one, two) = two(&simulation, 1).await;
    let ada = sign_in(&one, "ada").await;
    // Signed in two hours ago, and not used since.
    let bob = signed_in_before(&two, "bob", Timestamp::now().as_millisecond() - 7_200_000);
    let last_used = async || {
        let list = ada.get("/sessions").await.body;
        let row = list.split("<tr>").find(|row| row.contains("<bdi>bob</bdi>")).unwrap();
        row.split("</time>").nth(1).unwrap().rsplit('>').next().unwrap().to_owned()
    };
    assert_eq!(last_used().await, "2 hours ago");
    assert_eq!(bob.get("/").await.status, 200);
    while last_used().await == "2 hours ago" {
        tokio::task::yield_now().await;
    }
}

/// A session that an approver began then, which was not used since.
fn signed_in_before<'a>(served: &'a Served, person: &str, began_ms: i64) -> Visitor<'a> {
    let (secret, store) = ("0".repeat(64), AuditStore::open(served.directory.path()).unwrap());
    let limits = SignInLimits { began_after_ms: 0, made_after_ms: 0, sessions: 9, links: 9, links_of_one: 9 };
    let (person, role, is_invited) = (Some(person.to_owned()), "approver".to_owned(), false);
    let link = KeptLink { token: "link".into(), person, role, maker: None, made_ms: began_ms, is_invited };
    store.keep_link(&link, &limits).unwrap();
    let digest = hex(&Sha256::digest(&secret));
    let (person, role, used_ms) = (None, String::new(), None);
    let begun = KeptSession { secret: digest, id: "id".into(), person, role, began_ms, used_ms, is_invited };
    store.sign_in("link", begun, &limits).unwrap().unwrap();
    store.keep_session_use("id", began_ms).unwrap();
    Visitor { served, cookie: format!("hostssl-{}={secret}", served.port) }
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
    assert!(page.contains("no server found yet") && page.contains("last heard"), "{page}");
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
    assert!(page.contains("<h1>Audit without a report") && page.contains("Not heard from since <time"), "{page}");
    let last = "The last report came from process 7 on &#60;b&#62;elsewhere: 120 of 900 servers checked.";
    assert!(page.contains(last) && !page.contains("<progress") && !page.contains("in progress"), "{page}");
    let list = ada.get("/runs").await.body;
    let line = list.split("Audit of another console</b></a>: not heard from since <time datetime=\"").nth(1).unwrap();
    let since = line.split('"').next().unwrap().parse::<Timestamp>().unwrap();
    assert!((since.as_millisecond() - heard_ms).abs() < 60_000, "{since}");
    assert!(!list.contains("in progress"), "{list}");
    assert!(!ada.get("/").await.body.contains("another console"), "it is no work in progress");
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
