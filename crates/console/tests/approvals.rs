//! Who approves a plan, and whose approvals count.

#![allow(clippy::unwrap_used, reason = "a test may stop at the first surprise")]

mod estate;
mod team;

use estate::{OFF, allowed, apply, connector, ended, estate, field, save};
use hostssl_console::{ConsoleOptions, Proxies, Role, RoleHeader};
use hostssl_store::StoreReader;
use hostssl_test_support::served_console::{HttpAnswer, Served, Visitor, gated, serve_in, serve_over};
use team::{approve, at, hash_of, sign_in, team, two};

/// Ada, bob and eve, and a plan of ada's that the other two have approved.
async fn approved_by_two(console: &Served) -> ([Visitor<'_>; 3], (String, HttpAnswer)) {
    let [ada, bob, eve] = [sign_in(console, "ada").await, sign_in(console, "bob").await, sign_in(console, "eve").await];
    ada.audit().await;
    let plan = save(&ada, "pg-off", "&enforcement=enabled").await;
    assert_eq!((approve(&bob, &plan).await.status, approve(&eve, &plan).await.status), (303, 303));
    ([ada, bob, eve], plan)
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
    let other = withdraw(&bob, &"0".repeat(64)).await;
    assert!(other.status == 409 && other.body.contains("<h1>The form is of another plan"), "{}", other.body);
    assert!(other.body.contains("no approval was given or withdrawn"), "{}", other.body);
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
    // Those that counted, as they were given: eve's was there before bob gave his again.
    let by = |act: &str, person: &str| run.1.body.find(&format!("<dt>{act}</dt><dd>by <bdi>{person}</bdi>")).unwrap();
    assert!(by("Approved", "eve") < by("Approved", "bob") && by("Approved", "bob") < by("Apply requested", "ada"));
    assert_eq!(run.1.body.matches("<dt>Approved</dt>").count(), 2, "{}", run.1.body);
    assert!(!run.1.body.contains("withdrawn"), "{}", run.1.body);
    let late = withdraw(&bob, &hash).await;
    assert!(late.status == 409 && late.body.contains("A run of this plan has begun"), "{}", late.body);
}

#[tokio::test]
async fn an_approval_that_is_withdrawn_before_the_run_begins_does_not_count() {
    let simulation = estate();
    let (gate, connect) = gated(connector(&simulation));
    gate.send(true).unwrap();
    let one = serve_over(team(2), connect).await;
    let ([ada, bob, _], plan) = approved_by_two(&one).await;
    // While the run signs in.
    gate.send(false).unwrap();
    let begun = apply(&ada, &(plan.0.clone(), ada.get(&plan.0).await)).await;
    let hash = hash_of(&plan.1.body);
    assert_eq!(bob.post(&format!("{}/withdraw", plan.0), &format!("&hash={hash}")).await.status, 303);
    gate.send(true).unwrap();
    let failed = ended(&ada, &begun).await.1;
    let words = "the plan has 1 of 2 approvals, so no run of it has begun";
    assert!(failed.body.contains(words) && failed.body.contains("<p>Nothing was written: "), "{}", failed.body);
    assert_eq!(simulation.parameter(OFF, "require_secure_transport").unwrap(), "off");
    assert!(ada.get(&plan.0).await.body.contains("1 of 2 approvals"));
}

#[tokio::test]
async fn who_is_no_approver_any_more_does_not_count() {
    let simulation = estate();
    let (one, _) = two(&simulation, 2).await;
    let ([ada, _, _], plan) = approved_by_two(&one).await;
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

    // `hostssl apply` counts as this console does, also when one that requires no approvals was started since.
    serve_in(one.directory.clone(), team(1), connector(&simulation)).await;
    let known = StoreReader::open(one.directory.path()).unwrap().listed_approvers().unwrap();
    let eve = Some("--link of the console gives this name the role planner".to_owned());
    assert_eq!(known.named, [("ada".to_owned(), None), ("eve".to_owned(), eve)].into());
    assert_eq!(known.others.unwrap(), "--link of the console does not have this name");
}

#[tokio::test]
async fn who_had_approved_a_run_stays_whoever_is_an_approver_later() {
    let simulation = estate();
    let (one, _) = two(&simulation, 2).await;
    let ([ada, _, _], plan) = approved_by_two(&one).await;
    let run = ended(&ada, &apply(&ada, &(plan.0.clone(), ada.get(&plan.0).await)).await).await;
    assert!(run.1.body.contains("<h1>Verified"), "{}", run.1.body);
    let people = vec![("ada".to_owned(), Role::Approver), ("eve".to_owned(), Role::Planner)];
    let later = serve_in(one.directory.clone(), ConsoleOptions { people, ..team(3) }, connector(&simulation)).await;
    let there = at(&ada, &later);
    let page = there.get(&plan.0).await.body;
    assert!(page.contains("<b>Approved by</b> <bdi>bob</bdi> <time"), "{page}");
    assert!(page.contains(", <bdi>eve</bdi> <time"), "{page}");
    assert!(!page.contains("does not count") && !page.contains("approvals</b>"), "{page}");
    let page = there.get(&run.0).await.body;
    for person in ["bob", "eve"] {
        assert!(page.contains(&format!("<dt>Approved</dt><dd>by <bdi>{person}</bdi>")), "{person}: {page}");
    }
}

/// Someone whom a proxy signs in, with a group.
struct Member<'a> {
    served: &'a Served,
    lines: [(&'static str, &'static str); 2],
    cookie: String,
    csrf: String,
}

impl<'a> Member<'a> {
    async fn new(served: &'a Served, name: &'static str, group: &'static str) -> Self {
        let lines = [("x-user", name), ("x-groups", group)];
        let first = served.send("GET", "/runs", &lines, "").await;
        Self { served, lines, cookie: first.cookies(), csrf: first.csrf() }
    }

    async fn get(&self, path: &str) -> HttpAnswer {
        let lines = [self.lines[0], self.lines[1], ("cookie", self.cookie.as_str())];
        self.served.send("GET", path, &lines, "").await
    }

    async fn post(&self, path: &str, fields: &str) -> HttpAnswer {
        let origin = format!("http://{}", self.served.host());
        let sent = [("origin", origin.as_str()), ("content-type", "application/x-www-form-urlencoded")];
        let lines = [self.lines[0], self.lines[1], ("cookie", self.cookie.as_str()), sent[0], sent[1]];
        self.served.send("POST", path, &lines, &format!("csrf={}{fields}", self.csrf)).await
    }

    /// Where a form leads, when that has ended.
    async fn ended(&self, path: &str, fields: &str) -> String {
        let answer = self.post(path, fields).await;
        assert_eq!(answer.status, 303, "{path}: {}", answer.body);
        let address = answer.header("location").to_owned();
        self.get(&format!("{address}/events")).await;
        address
    }
}

/// Behind a proxy that gives roles, and approvals of two people.
async fn proxied() -> Served {
    let roles = Some(RoleHeader { header: "x-groups".into(), grants: Vec::new() });
    let addresses = vec!["127.0.0.1".parse().unwrap()];
    let proxies = Some(Proxies { header: "x-user".into(), addresses, roles });
    serve_over(ConsoleOptions { proxies, approvals: 2, ..allowed() }, connector(&estate())).await
}

#[tokio::test]
async fn who_lost_the_role_at_the_proxy_does_not_count_when_the_session_is_ended() {
    let served = proxied().await;
    let ada = Member::new(&served, "ada", "approver").await;
    ada.ended("/runs", "").await;
    let plan = ada.ended("/plans", "&all=1&view=&accept=agreed").await;
    let hash = format!("&hash={}", hash_of(&ada.get(&plan).await.body));
    for name in ["bob", "eve"] {
        let approver = Member::new(&served, name, "approver").await;
        assert_eq!(approver.post(&format!("{plan}/approve"), &hash).await.status, 303, "{name}");
    }
    assert!(ada.get(&plan).await.body.contains("2 of 2 approvals"));
    Member::new(&served, "eve", "viewer").await;
    let uncounted = "does not count: the proxy gave this name the role viewer last.";
    for _ in 0..2 {
        let page = ada.get(&plan).await.body;
        assert!(page.contains("1 of 2 approvals") && page.contains(uncounted), "{page}");
        let forced = ada.post(&format!("{plan}/apply"), &hash).await;
        assert!(forced.status == 409 && forced.body.contains("1 of 2 approvals"), "{}", forced.body);
        // All her sessions end, and what is known of her does not.
        let list = ada.get("/sessions").await.body;
        for row in list.split("<tr>").filter(|row| row.contains("<bdi>eve</bdi>")) {
            let end = row.split("action=\"").nth(1).unwrap().split('"').next().unwrap();
            assert_eq!(ada.post(end, "").await.status, 303);
        }
    }
    Member::new(&served, "eve", "approver").await;
    assert!(ada.get(&plan).await.body.contains("2 of 2 approvals"));
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
