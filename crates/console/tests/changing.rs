//! Changing servers over HTTP, against the simulated Azure: from *Save* to *Undo*, and everything that stands in between.

#![allow(clippy::unwrap_used, reason = "a test may stop at the first surprise")]

mod estate;

use estate::{
    OFF, OLD, allowed, apply, connector, ended, estate, field, first_wave, key, large_estate, save, with_shown,
};
use hostssl_azure_sim::{Fault, FaultRule, Operation};
use hostssl_console::{ConsoleOptions, Proxies};
use hostssl_remediation::RunId;
use hostssl_store::{AuditStore, OrderAct, Store, StoreReader};
use hostssl_test_support::served_console::{HttpAnswer, Served, gated, options, serve_over};
use std::time::Duration;

#[tokio::test]
async fn both_generations_are_saved_verified_and_undone() {
    let simulation = estate();
    let served = serve_over(allowed(), connector(&simulation)).await;
    let visitor = served.visitor().await;
    visitor.audit().await;
    for (server, id, parameter, on, off) in [
        ("pg-off", OFF, "require_secure_transport", "on", "off"),
        ("pg-old", OLD, "sslEnforcement", "Enabled", "Disabled"),
    ] {
        let key = key(&visitor, server).await;
        let tab = format!("/servers/{key}/connection-security");
        let page = visitor.get(&tab).await.body;
        assert!(page.contains("value=\"disabled\" checked") && page.contains(">Review change…<"), "{page}");
        let minimum = page.split("selected").next().unwrap().rsplit("value=\"").next().unwrap();
        let minimum = minimum.split('"').next().unwrap();
        let fields = format!("&enforcement=enabled&minimum={minimum}");
        let fields = with_shown(&visitor, &key, &fields).await;
        let asked = visitor.post(&format!("/servers/{key}/plan"), &fields).await;
        let plan = ended(&visitor, &asked).await;
        assert!(plan.1.body.contains("Apply: Enforce TLS on pg-o"), "{}", plan.1.body);
        assert!(plan.1.body.contains("What could break") && plan.1.body.contains(parameter), "{}", plan.1.body);
        assert_eq!(simulation.parameter(id, parameter).unwrap(), off, "planning wrote");
        let run = ended(&visitor, &apply(&visitor, &plan).await).await;
        assert!(run.1.body.contains("<h1>Verified"), "{}", run.1.body);
        assert!(run.1.body.contains("<th class=\"wide\">Read back</th>"), "{}", run.1.body);
        assert!(run.1.body.contains(&format!("<span class=\"line1\"><code>{on}</code> <time")), "{}", run.1.body);
        assert_eq!(simulation.parameter(id, parameter).unwrap(), on);
        // The server's page knows at once.
        assert!(visitor.get(&tab).await.body.contains("value=\"enabled\" checked"));
        let undo = visitor
            .post(&format!("{}/undo", run.0), &format!("&reason=test&seen={}", field(&run.1.body, "seen")))
            .await;
        let undone = ended(&visitor, &undo).await;
        assert!(undone.1.body.contains("<h1>Undone") && !undone.1.body.contains("Undo…"), "{}", undone.1.body);
        assert_eq!(simulation.parameter(id, parameter).unwrap(), off);
        assert!(visitor.get(&tab).await.body.contains("value=\"disabled\" checked"));
    }
}

#[tokio::test]
async fn the_minimum_tls_version_is_saved_alone() {
    let simulation = estate();
    let served = serve_over(allowed(), connector(&simulation)).await;
    let visitor = served.visitor().await;
    visitor.audit().await;
    let plan = save(&visitor, "pg-old", "&enforcement=disabled&minimum=TLS1_2").await;
    assert!(plan.1.body.contains("Apply: Set the minimum TLS version of pg-old"), "{}", plan.1.body);
    ended(&visitor, &apply(&visitor, &plan).await).await;
    assert_eq!(simulation.parameter(OLD, "minimalTlsVersion").unwrap(), "TLS1_2");
    assert_eq!(simulation.parameter(OLD, "sslEnforcement").unwrap(), "Disabled");
    // What is as it was saves nothing.
    let key = key(&visitor, "pg-old").await;
    let fields = with_shown(&visitor, &key, "&enforcement=disabled&minimum=TLS1_2").await;
    let asked = visitor.post(&format!("/servers/{key}/plan"), &fields).await;
    assert_eq!(asked.status, 409);
    assert!(asked.body.contains("Nothing to save"));
}

#[tokio::test]
async fn a_console_that_only_reads_has_no_buttons_and_takes_no_change() {
    let simulation = estate();
    let served = serve_over(options(), connector(&simulation)).await;
    let visitor = served.visitor().await;
    visitor.audit().await;
    let key = key(&visitor, "pg-off").await;
    for path in ["/".to_owned(), "/resources".into(), "/plans".into(), format!("/servers/{key}/connection-security")] {
        let page = visitor.get(&path).await;
        assert_eq!(page.status, 200, "{path}");
        for button in [">Review change…<", "Plan to enforce", "name=\"server\"", "/plan\"", "action=\"/plans"] {
            assert!(!page.body.contains(button), "{path} has {button}");
        }
    }
    for path in [
        format!("/servers/{key}/plan"),
        "/plans".into(),
        "/plans/x/apply".into(),
        "/plans/x/again".into(),
        "/plans/x/stop".into(),
        "/applies/x/undo".into(),
        "/applies/x/resume".into(),
        "/applies/x/stop".into(),
    ] {
        let answer = visitor.post(&path, "&enforcement=enabled&all=1").await;
        assert_eq!(answer.status, 403, "{path}");
        assert!(answer.body.contains("--allow-changes"), "{path}");
    }
    assert_eq!(simulation.parameter(OFF, "require_secure_transport").unwrap(), "off");
}

#[tokio::test]
async fn no_change_without_the_token_of_the_session() {
    let simulation = estate();
    let served = serve_over(allowed(), connector(&simulation)).await;
    let visitor = served.visitor().await;
    visitor.audit().await;
    let plan = save(&visitor, "pg-off-2", "&enforcement=enabled").await;
    let origin = format!("http://{}", served.host());
    let hash = field(&plan.1.body, "hash");
    let address = format!("{}/apply", plan.0);
    for body in [format!("hash={hash}"), format!("csrf=x&hash={hash}")] {
        assert_eq!(visitor.post_as(&address, &origin, &body).await.status, 403);
    }
    let right = format!("csrf={}&hash={hash}", plan.1.csrf());
    assert_eq!(visitor.post_as(&address, "http://evil.example", &right).await.status, 403);
    assert!(StoreReader::open(served.directory.path()).unwrap().runs().unwrap().is_empty());
}

#[tokio::test]
async fn a_form_posted_twice_begins_one_run() {
    let simulation = estate();
    let served = serve_over(allowed(), connector(&simulation)).await;
    let visitor = served.visitor().await;
    visitor.audit().await;
    let plan = save(&visitor, "pg-off-2", "&enforcement=enabled").await;
    let (one, two) = tokio::join!(apply(&visitor, &plan), apply(&visitor, &plan));
    assert_eq!(one.header("location"), two.header("location"));
    let run = ended(&visitor, &one).await;
    // Also after its end, and so with undo.
    assert_eq!(apply(&visitor, &plan).await.header("location"), run.0);
    let seen = format!("&reason=test&seen={}", field(&run.1.body, "seen"));
    let undo = format!("{}/undo", run.0);
    let (one, _) = tokio::join!(visitor.post(&undo, &seen), visitor.post(&undo, &seen));
    ended(&visitor, &one).await;
    visitor.post(&undo, &seen).await;
    let reader = StoreReader::open(served.directory.path()).unwrap();
    let runs = reader.runs().unwrap();
    assert_eq!(runs.len(), 1);
    let stored = reader.load(&runs[0].id).unwrap();
    let undos = stored
        .records
        .iter()
        .filter(|one| matches!(one.event, hostssl_remediation::JournalEvent::UndoStarted { .. }))
        .count();
    assert_eq!(undos, 1);
    assert_eq!(reader.receipts(&runs[0].id).unwrap().len(), 2);
}

#[tokio::test]
async fn what_was_approved_is_what_was_shown_and_not_too_old() {
    let simulation = estate();
    let served = serve_over(allowed(), connector(&simulation)).await;
    let visitor = served.visitor().await;
    visitor.audit().await;
    let plan = save(&visitor, "pg-off-2", "&enforcement=enabled").await;
    for hash in ["", "x", &"0".repeat(64)] {
        let answer = visitor.post(&format!("{}/apply", plan.0), &format!("&hash={hash}")).await;
        assert_eq!(answer.status, 409, "{hash}");
        assert!(answer.body.contains("The form is of another plan"));
    }
    assert_eq!(visitor.post("/plans/none/apply", "&hash=x").await.status, 404);

    let old = ConsoleOptions { max_plan_age: Duration::ZERO, ..allowed() };
    let served = serve_over(old, connector(&simulation)).await;
    let visitor = served.visitor().await;
    visitor.audit().await;
    let asked = visitor.post("/plans", "&all=1&view=&accept=agreed").await;
    let plan = ended(&visitor, &asked).await;
    assert!(plan.1.body.contains("too old to be applied") && !plan.1.body.contains("name=\"hash\""), "{}", plan.1.body);
    let file = visitor.get(&format!("{}/file", plan.0)).await;
    let hash = file.body.split("\"hash\"").nth(1).unwrap().split('"').nth(1).unwrap().to_owned();
    let answer = visitor.post(&format!("{}/apply", plan.0), &format!("&hash={hash}")).await;
    assert_eq!(answer.status, 409, "{}", answer.body);
    assert!(answer.body.contains("This plan is too old") && answer.body.contains("Plan again"), "{}", answer.body);
    assert_eq!(simulation.parameter(OFF, "require_secure_transport").unwrap(), "off");
}

#[tokio::test]
async fn a_misspelled_filter_or_a_lost_view_plans_nothing() {
    let simulation = estate();
    let served = serve_over(allowed(), connector(&simulation)).await;
    let visitor = served.visitor().await;
    visitor.audit().await;
    for fields in ["&all=1&view=tagg%3Denv%253Dtest", "&all=1&veiw=q%3Dpg-o", "&all=1", "&all=0&view=q%3Dpg-o"] {
        let answer = visitor.post("/plans", fields).await;
        assert_eq!(answer.status, 400, "{fields}: {}", answer.body);
    }
}

#[tokio::test]
async fn someone_elses_change_is_left_alone() {
    let simulation = estate();
    let served = serve_over(allowed(), connector(&simulation)).await;
    let visitor = served.visitor().await;
    visitor.audit().await;
    let plan = save(&visitor, "pg-old", "&minimum=TLS1_2").await;
    simulation.set_parameter(OLD, "minimalTlsVersion", "TLS1_1").unwrap();
    let run = ended(&visitor, &apply(&visitor, &plan).await).await;
    assert!(run.1.body.contains("changed since the plan") && run.1.body.contains("incomplete"), "{}", run.1.body);
    assert_eq!(simulation.parameter(OLD, "minimalTlsVersion").unwrap(), "TLS1_1");
}

#[tokio::test]
async fn a_state_directory_in_use_is_told_and_the_plan_waits() {
    let simulation = estate();
    let served = serve_over(allowed(), connector(&simulation)).await;
    let visitor = served.visitor().await;
    visitor.audit().await;
    let plan = save(&visitor, "pg-off-2", "&enforcement=enabled").await;
    let other = Store::open(served.directory.path()).unwrap();
    let run = ended(&visitor, &apply(&visitor, &plan).await).await;
    assert_eq!(run.1.status, 409);
    assert!(run.1.body.contains("another hostssl") && run.1.body.contains("Wait until it has ended"), "{}", run.1.body);
    drop(other);
    let again = visitor.get(&plan.0).await;
    let run = ended(&visitor, &apply(&visitor, &(plan.0, again)).await).await;
    assert!(run.1.body.contains("<h1>Verified"), "{}", run.1.body);
}

#[tokio::test]
async fn many_servers_are_planned_by_waves_enforced_and_undone() {
    let simulation = estate();
    let served = serve_over(allowed(), connector(&simulation)).await;
    let visitor = served.visitor().await;
    visitor.audit().await;
    assert_eq!(visitor.post("/plans", "").await.status, 400);
    let overview = visitor.get("/").await.body;
    assert!(overview.contains("Plan to enforce all that are off"), "{overview}");
    // All that match, with a server that is right already.
    let asked = visitor.post("/plans", "&accept=agreed&all=1&view=q%3Dpg-o").await;
    let plan = ended(&visitor, &asked).await;
    for words in ["Enforce on 3 servers", "Wave 1, the canary: 1 server", "Wave 2: 2 servers", "already compliant"] {
        assert!(plan.1.body.contains(words), "{words}: {}", plan.1.body);
    }
    let again = visitor.post(&format!("{}/again", plan.0), "&canary=2&wave=1").await;
    assert_eq!(again.status, 400);
    let again = visitor.post(&format!("{}/again", plan.0), "&canary=1&wave=1").await;
    let plan = ended(&visitor, &again).await;
    assert!(plan.1.body.contains("Wave 3: 1 server"), "{}", plan.1.body);
    let file = visitor.get(&format!("{}/file", plan.0)).await;
    let hash = field(&plan.1.body, "hash");
    assert!(file.body.contains(&hash) && file.header("content-disposition").starts_with("attachment"));
    let run = ended(&visitor, &apply(&visitor, &plan).await).await;
    assert!(run.1.body.contains("<h1>Verified") && run.1.body.contains("Undo 3 steps"), "{}", run.1.body);
    assert!(run.1.body.contains("clients may be refused: accepted by"), "{}", run.1.body);
    assert_eq!(simulation.parameter(OLD, "sslEnforcement").unwrap(), "Enabled");
    let seen = field(&run.1.body, "seen");
    let undone = visitor.post(&format!("{}/undo", run.0), &format!("&reason=test&seen={seen}")).await;
    let undone = ended(&visitor, &undone).await;
    assert!(undone.1.body.contains("<h1>Undone"), "{}", undone.1.body);
    assert!(!undone.1.body.contains("clients may be refused"), "what was restored refuses no one: {}", undone.1.body);
    assert_eq!(simulation.parameter(OFF, "require_secure_transport").unwrap(), "off");
    assert_eq!(simulation.parameter(OLD, "sslEnforcement").unwrap(), "Disabled");
}

#[tokio::test]
async fn chosen_servers_alone_are_planned() {
    let simulation = estate();
    let served = serve_over(allowed(), connector(&simulation)).await;
    let visitor = served.visitor().await;
    visitor.audit().await;
    let (one, two) = (key(&visitor, "pg-old").await, key(&visitor, "pg-off-2").await);
    let asked = visitor.post("/plans", &format!("&accept=agreed&server={one}&server={two}")).await;
    let plan = ended(&visitor, &asked).await;
    assert!(plan.1.body.contains("Enforce on 2 servers") && plan.1.body.contains("pg-off-2"), "{}", plan.1.body);
    let file = visitor.get(&format!("{}/file", plan.0)).await.body;
    assert!(!file.contains(&format!("{OFF}\"")), "{file}");
}

#[tokio::test]
async fn a_server_is_excluded_from_a_plan_by_its_button() {
    let simulation = estate();
    let served = serve_over(allowed(), connector(&simulation)).await;
    let visitor = served.visitor().await;
    visitor.audit().await;
    let asked = visitor.post("/plans", "&accept=agreed&all=1&view=enforcement%3Dnot-enforced").await;
    let plan = ended(&visitor, &asked).await;
    assert!(plan.1.body.contains("3 writes on 3 servers in 2 waves"), "{}", plan.1.body);
    let key = key(&visitor, "pg-off-2").await;
    let button = format!("form=\"exclude\" name=\"server\" value=\"{key}\"");
    assert!(plan.1.body.contains(&button), "{}", plan.1.body);
    let exclude = format!("{}/exclude", plan.0);
    assert_eq!(visitor.post(&exclude, "&server=0123").await.status, 400);
    let asked = visitor.post(&exclude, &format!("&server={key}")).await;
    let narrowed = ended(&visitor, &asked).await;
    assert!(narrowed.1.body.contains("2 writes on 2 servers") && !narrowed.1.body.contains("pg-off-2"));
    ended(&visitor, &apply(&visitor, &narrowed).await).await;
    assert_eq!(simulation.parameter(OFF, "require_secure_transport").unwrap(), "on");
    assert_eq!(simulation.parameter(&OFF.replace("pg-off", "pg-off-2"), "require_secure_transport").unwrap(), "off");
}

#[tokio::test]
async fn what_the_identity_may_not_change_is_left_out_when_it_is_planned() {
    let simulation = estate();
    let writes = [Operation::UpdateServer, Operation::UpdateConfiguration];
    simulation.inject(FaultRule::on_server(OFF, Fault::Forbidden).during(writes)).unwrap();
    let served = serve_over(allowed(), connector(&simulation)).await;
    let visitor = served.visitor().await;
    visitor.audit().await;
    let asked = visitor.post("/plans", "&accept=agreed&all=1&view=enforcement%3Dnot-enforced").await;
    let plan = ended(&visitor, &asked).await;
    for words in ["2 writes on 2 servers", "1 left out", "a permission is missing", "configurations/write"] {
        assert!(plan.1.body.contains(words), "{words}: {}", plan.1.body);
    }
    let run = ended(&visitor, &apply(&visitor, &plan).await).await;
    assert!(run.1.body.contains("<h1>Verified"), "{}", run.1.body);
}

#[tokio::test]
async fn a_plan_shows_what_is_searched_for_and_one_wave_when_it_is_large() {
    let simulation = large_estate(120);
    let served = serve_over(allowed(), connector(&simulation)).await;
    let visitor = served.visitor().await;
    visitor.audit().await;
    let asked = visitor.post("/plans", "&accept=agreed&all=1&view=enforcement%3Dnot-enforced").await;
    let plan = ended(&visitor, &asked).await;
    let rows = |page: &str| page.matches("form=\"exclude\"").count();
    assert!(plan.1.body.contains("120 writes on 120 servers"), "{}", plan.1.body);
    assert_eq!(rows(&plan.1.body), 1, "the canary alone is open");
    let approve = plan.1.body.find("id=\"h-approve\"").unwrap();
    assert!(approve < plan.1.body.find("id=\"h-what\"").unwrap(), "the summary comes first");
    let second = visitor.get(&format!("{}?wave=2", plan.0)).await.body;
    assert!(rows(&second) > 1 && second.contains("id=\"wave-2\""), "{second}");
    let found = visitor.get(&format!("{}?q=PG-077", plan.0)).await.body;
    assert_eq!(rows(&found), 1);
    assert!(found.contains("pg-077"), "{found}");
    assert!(visitor.get(&format!("{}?q=nothing", plan.0)).await.body.contains("No server of this plan matches."));
}

#[tokio::test]
async fn a_change_under_way_is_shown_stopped_and_alone() {
    let simulation = estate();
    let (gate, connect) = gated(connector(&simulation));
    let served = serve_over(allowed(), connect).await;
    let visitor = served.visitor().await;
    gate.send_replace(true);
    visitor.audit().await;
    let plan = save(&visitor, "pg-off-2", "&enforcement=enabled").await;
    let other = save(&visitor, "pg-old", "&enforcement=enabled").await;
    gate.send_replace(false);
    let started = apply(&visitor, &plan).await;
    let address = started.header("location").to_owned();
    let live = visitor.get(&address).await.body;
    assert!(live.contains("Change in progress") && live.contains("data-live") && live.contains(">Stop<"), "{live}");
    assert!(live.contains("http-equiv=\"refresh\""), "without a script nobody would see the end");
    assert!(live.contains("hx-trigger=\"every 2s\""), "steps that are not on the page would not come");
    assert!(visitor.get("/").await.body.contains(&format!("class=\"running\" href=\"{address}\"")));
    let second = apply(&visitor, &other).await;
    assert_eq!(second.status, 409);
    assert!(second.body.contains("Another change is in progress"));
    let stopped = visitor.post(&format!("{address}/stop"), "").await;
    assert_eq!((stopped.status, stopped.header("location")), (303, &*address));
    let id = RunId::new(address.trim_start_matches("/applies/")).unwrap();
    let orders = StoreReader::open(served.directory.path()).unwrap().orders(&id).unwrap();
    assert_eq!(orders.iter().map(|order| order.act).collect::<Vec<_>>(), [OrderAct::Apply, OrderAct::Stop]);
    let run = ended(&visitor, &started).await;
    assert!(run.1.body.contains("This run did not begin"), "{}", run.1.body);
    assert_eq!(simulation.parameter(OFF, "require_secure_transport").unwrap(), "off");
    assert!(StoreReader::open(served.directory.path()).unwrap().runs().unwrap().is_empty());
}

#[tokio::test]
async fn what_azure_refuses_is_told_step_by_step() {
    let simulation = estate();
    let served = serve_over(allowed(), connector(&simulation)).await;
    let visitor = served.visitor().await;
    visitor.audit().await;
    let plan = save(&visitor, "pg-old", "&enforcement=enabled").await;
    simulation.inject(FaultRule::on_server(OLD, Fault::ReadOnlyLock)).unwrap();
    let run = ended(&visitor, &apply(&visitor, &plan).await).await;
    assert!(run.1.body.contains("refused") && run.1.body.contains("lock"), "{}", run.1.body);
    assert!(!run.1.body.contains("Undo…"), "there is nothing to undo");
}

#[tokio::test]
async fn the_journal_has_the_person_whom_a_proxy_names() {
    let simulation = estate();
    let proxies =
        Proxies { header: "x-forwarded-user".into(), addresses: vec!["127.0.0.1".parse().unwrap()], roles: None };
    let served = serve_over(ConsoleOptions { proxies: Some(proxies), ..allowed() }, connector(&simulation)).await;
    let ada = Person::new(&served, "ada@contoso.example").await;
    let events = ada.post("/runs", "").await.header("location").to_owned();
    ada.get(&format!("{events}/events")).await;
    let plan = ada.post("/plans", "&all=1&view=&accept=agreed").await.header("location").to_owned();
    ada.get(&format!("{plan}/events")).await;
    let page = ada.get(&plan).await;
    let hash = field(&page.body, "hash");
    let run = ada.post(&format!("{plan}/apply"), &format!("&hash={hash}")).await.header("location").to_owned();
    ada.get(&format!("{run}/events")).await;
    let page = ada.get(&run).await.body;
    assert!(page.contains("ada@contoso.example via reader@contoso.example"), "{page}");
    let runs = StoreReader::open(served.directory.path()).unwrap().runs().unwrap();
    assert_eq!(runs[0].principal.name, "ada@contoso.example via reader@contoso.example");
    // Whoever takes it back is another person, and that is kept too.
    let bob = Person::new(&served, "bob@contoso.example").await;
    let page = bob.get(&run).await;
    let undo = bob.post(&format!("{run}/undo"), &format!("&reason=test&seen={}", field(&page.body, "seen"))).await;
    assert_eq!(undo.status, 303);
    bob.get(&format!("{run}/events")).await;
    let page = bob.get(&run).await.body;
    assert!(page.contains("<h1>Undone"), "{page}");
    assert!(page.contains("by <bdi>ada@contoso.example</bdi>") && page.contains("by <bdi>bob@contoso.example</bdi>"));
    let orders = AuditStore::open(served.directory.path()).unwrap().orders(&runs[0].id).unwrap();
    let told: Vec<_> = orders.iter().map(|one| (one.act, one.person.as_str(), &one.plan)).collect();
    let plan = &runs[0].plan;
    assert_eq!(
        told,
        [(OrderAct::Apply, "ada@contoso.example", plan), (OrderAct::Undo, "bob@contoso.example", plan)],
        "what was approved, by whom"
    );
    // There is nothing left to resume or to undo, and an order that comes to nothing is not kept.
    let seen = runs_last(&served);
    for act in ["resume", "undo"] {
        let answer = bob.post(&format!("{run}/{act}"), &format!("&reason=test&seen={seen}")).await;
        assert_eq!((answer.status, answer.header("location")), (303, run.as_str()), "{act}");
    }
    assert_eq!(AuditStore::open(served.directory.path()).unwrap().orders(&runs[0].id).unwrap().len(), 2);
}

/// When the journal of the newest run had its last entry.
fn runs_last(served: &Served) -> i64 {
    StoreReader::open(served.directory.path()).unwrap().runs().unwrap()[0].last_at_ms
}

/// Someone whom the proxy signs in.
struct Person<'a> {
    served: &'a Served,
    name: &'static str,
    cookie: String,
    csrf: String,
}

impl<'a> Person<'a> {
    async fn new(served: &'a Served, name: &'static str) -> Self {
        let first = served.send("GET", "/runs", &[("x-forwarded-user", name)], "").await;
        Self { served, name, cookie: first.cookies(), csrf: first.csrf() }
    }

    async fn get(&self, path: &str) -> HttpAnswer {
        let lines = [("x-forwarded-user", self.name), ("cookie", self.cookie.as_str())];
        self.served.send("GET", path, &lines, "").await
    }

    async fn post(&self, path: &str, fields: &str) -> HttpAnswer {
        let origin = format!("http://{}", self.served.host());
        let lines = [
            ("x-forwarded-user", self.name),
            ("cookie", self.cookie.as_str()),
            ("origin", origin.as_str()),
            ("content-type", "application/x-www-form-urlencoded"),
        ];
        self.served.send("POST", path, &lines, &format!("csrf={}{fields}", self.csrf)).await
    }
}

/// A page that shows DISABLED while a colleague enabled it: whoever saves only another version must not switch it off.
#[tokio::test]
async fn what_was_left_alone_on_a_stale_page_is_left_alone() {
    let simulation = estate();
    let served = serve_over(allowed(), connector(&simulation)).await;
    let visitor = served.visitor().await;
    visitor.audit().await;
    let key = key(&visitor, "pg-old").await;
    let stale = with_shown(&visitor, &key, "&enforcement=disabled&minimum=TLS1_2").await;
    let plan = save(&visitor, "pg-old", "&enforcement=enabled").await;
    ended(&visitor, &apply(&visitor, &plan).await).await;
    assert_eq!(simulation.parameter(OLD, "sslEnforcement").unwrap(), "Enabled");

    let asked = visitor.post(&format!("/servers/{key}/plan"), &stale).await;
    let plan = ended(&visitor, &asked).await;
    assert!(plan.1.body.contains("Apply: Set the minimum TLS version of pg-old"), "{}", plan.1.body);
    ended(&visitor, &apply(&visitor, &plan).await).await;
    assert_eq!(simulation.parameter(OLD, "sslEnforcement").unwrap(), "Enabled");

    // To switch it off is named as that, whatever else is set with it.
    let plan = save(&visitor, "pg-old", "&enforcement=disabled&minimum=TLS1_1&reason=migration").await;
    assert!(plan.1.body.contains("Apply: Stop enforcing TLS on pg-old"), "{}", plan.1.body);
}

#[tokio::test]
async fn an_undo_that_loosens_takes_a_reason_and_the_journal_keeps_it() {
    let simulation = estate();
    let served = serve_over(allowed(), connector(&simulation)).await;
    let visitor = served.visitor().await;
    visitor.audit().await;
    let plan = save(&visitor, "pg-off-2", "&enforcement=enabled").await;
    let run = ended(&visitor, &apply(&visitor, &plan).await).await;
    assert!(run.1.body.contains("Servers become less strict"), "{}", run.1.body);
    let seen = field(&run.1.body, "seen");
    for reason in ["", "&reason=", "&reason=++"] {
        let refused = visitor.post(&format!("{}/undo", run.0), &format!("&seen={seen}{reason}")).await;
        assert_eq!(refused.status, 409, "{reason}");
        assert!(refused.body.contains("A reason is needed"), "{}", refused.body);
    }
    assert_eq!(simulation.parameter(&OFF.replace("pg-off", "pg-off-2"), "require_secure_transport").unwrap(), "on");
    let undo = visitor.post(&format!("{}/undo", run.0), &format!("&seen={seen}&reason=payroll+cannot+connect")).await;
    let undone = ended(&visitor, &undo).await;
    assert!(undone.1.body.contains("<bdi>payroll cannot connect</bdi>"), "{}", undone.1.body);
    // What tightens on its way back takes none.
    let plan = save(&visitor, "pg-on", "&enforcement=disabled&reason=test").await;
    let run = ended(&visitor, &apply(&visitor, &plan).await).await;
    let undo = visitor.post(&format!("{}/undo", run.0), &format!("&seen={}", field(&run.1.body, "seen"))).await;
    assert!(ended(&visitor, &undo).await.1.body.contains("<h1>Undone"));
}

/// What makes a server less strict is red, says what it exposes, and is not applied without a reason.
#[tokio::test]
async fn nothing_is_loosened_without_a_reason() {
    let simulation = estate();
    let served = serve_over(allowed(), connector(&simulation)).await;
    let visitor = served.visitor().await;
    visitor.audit().await;
    let stricter = save(&visitor, "pg-on", "&minimum=TLS1_3").await;
    assert!(!stricter.1.body.contains("name=\"reason\""), "{}", stricter.1.body);
    ended(&visitor, &apply(&visitor, &stricter).await).await;
    for (fields, exposes) in [
        ("&minimum=TLS1_2", "Clients can use an older TLS version"),
        ("&enforcement=disabled", "can cross the network unencrypted"),
    ] {
        let asked = save(&visitor, "pg-on", fields).await;
        assert!(asked.1.body.contains(exposes) && asked.1.body.contains("card sticky danger"), "{}", asked.1.body);
        assert!(
            asked.1.body.contains("name=\"reason\"") && !asked.1.body.contains("name=\"hash\""),
            "{}",
            asked.1.body
        );
        let file = visitor.get(&format!("{}/file", asked.0)).await.body;
        let hash = file.split("\"hash\"").nth(1).unwrap().split('"').nth(1).unwrap().to_owned();
        let refused = visitor.post(&format!("{}/apply", asked.0), &format!("&hash={hash}")).await;
        assert_eq!(refused.status, 409);
        assert!(refused.body.contains("A reason is needed"), "{}", refused.body);
        // The reason is given on the plan, and is in the plan that is approved.
        let again = visitor.post(&format!("{}/again", asked.0), "&reason=vendor+appliance+until+May").await;
        let plan = ended(&visitor, &again).await;
        assert!(plan.1.body.contains("Reason: <bdi>vendor appliance until May</bdi>"), "{}", plan.1.body);
        let file = visitor.get(&format!("{}/file", plan.0)).await.body;
        assert!(file.contains("reason: vendor appliance until May"), "{file}");
        let run = ended(&visitor, &apply(&visitor, &plan).await).await;
        assert!(run.1.body.contains("<h1>Verified"), "{}", run.1.body);
    }
}

#[tokio::test]
async fn a_console_that_loosens_nothing_still_undoes() {
    let simulation = estate();
    let served = serve_over(ConsoleOptions { no_loosening: true, ..allowed() }, connector(&simulation)).await;
    let visitor = served.visitor().await;
    visitor.audit().await;
    let plan = save(&visitor, "pg-on", "&enforcement=disabled&reason=x").await;
    assert!(plan.1.body.contains("--no-loosening") && !plan.1.body.contains("name=\"hash\""), "{}", plan.1.body);
    let file = visitor.get(&format!("{}/file", plan.0)).await.body;
    let hash = file.split("\"hash\"").nth(1).unwrap().split('"').nth(1).unwrap().to_owned();
    let refused = visitor.post(&format!("{}/apply", plan.0), &format!("&hash={hash}")).await;
    assert_eq!(refused.status, 403);
    let plan = save(&visitor, "pg-off-2", "&enforcement=enabled").await;
    let run = ended(&visitor, &apply(&visitor, &plan).await).await;
    let undo =
        visitor.post(&format!("{}/undo", run.0), &format!("&reason=test&seen={}", field(&run.1.body, "seen"))).await;
    assert!(ended(&visitor, &undo).await.1.body.contains("<h1>Undone"));
}

#[tokio::test]
async fn the_reviewer_chooses_the_canary() {
    let simulation = estate();
    let served = serve_over(allowed(), connector(&simulation)).await;
    let visitor = served.visitor().await;
    visitor.audit().await;
    let asked = visitor.post("/plans", "&accept=agreed&all=1&view=enforcement%3Dnot-enforced").await;
    let mut plan = ended(&visitor, &asked).await;
    for name in ["pg-old", "pg-off-2"] {
        let key = key(&visitor, name).await;
        assert!(!first_wave(&plan.1.body).contains(&format!(">{name}<")), "{}", plan.1.body);
        let button = format!("form=\"canary\" name=\"server\" value=\"{key}\"");
        assert!(plan.1.body.contains(&button), "{}", plan.1.body);
        let asked = visitor.post(&format!("{}/canary", plan.0), &format!("&server={key}")).await;
        plan = ended(&visitor, &asked).await;
        assert!(first_wave(&plan.1.body).contains(&format!(">{name}<")), "{}", plan.1.body);
        assert!(plan.1.body.contains("Wave 1, the canary: 1 server"), "{}", plan.1.body);
        assert!(plan.1.body.contains("3 writes on 3 servers in 2 waves"), "{}", plan.1.body);
    }
    assert_eq!(visitor.post(&format!("{}/canary", plan.0), "&server=0123").await.status, 400);
    // A canary that is excluded leaves its place to another.
    let asked =
        visitor.post(&format!("{}/exclude", plan.0), &format!("&server={}", key(&visitor, "pg-off-2").await)).await;
    let plan = ended(&visitor, &asked).await;
    assert!(plan.1.body.contains("2 writes on 2 servers in 2 waves"), "{}", plan.1.body);
}

#[tokio::test]
async fn a_run_that_failures_stop_says_so() {
    let simulation = large_estate(30);
    let served = serve_over(allowed(), connector(&simulation)).await;
    let visitor = served.visitor().await;
    visitor.audit().await;
    let asked = visitor.post("/plans", "&accept=agreed&all=1&view=enforcement%3Dnot-enforced").await;
    let plan = ended(&visitor, &asked).await;
    let canary = first_wave(&plan.1.body).split("<bdi>pg-").nth(1).unwrap().split('<').next().unwrap().to_owned();
    let id = format!("{}{canary}", OFF.trim_end_matches("off"));
    simulation.inject(FaultRule::on_server(&id, Fault::ReadOnlyLock)).unwrap();
    let run = ended(&visitor, &apply(&visitor, &plan).await).await;
    assert!(run.1.body.contains("Stopped by 1 failure after 1 of 30 steps."), "{}", run.1.body);
    // What failed comes first, with its reason in a column of its own.
    let first = run.1.body.split("<tbody>").nth(1).unwrap().split("</tr>").next().unwrap();
    assert!(first.contains(&canary) && first.contains("refused") && first.contains("lock"), "{first}");
}

#[tokio::test]
async fn words_that_nobody_understands_choose_no_servers() {
    let simulation = estate();
    let served = serve_over(allowed(), connector(&simulation)).await;
    let visitor = served.visitor().await;
    visitor.audit().await;
    for view in ["enforcement%3Dzzz", "outcome%3Dzzz"] {
        assert_eq!(visitor.post("/plans", &format!("&all=1&view={view}")).await.status, 400, "{view}");
    }
}

#[tokio::test]
async fn servers_whose_clients_nobody_has_counted_are_left_out_until_someone_accepts_it() {
    let simulation = estate();
    let served = serve_over(allowed(), connector(&simulation)).await;
    let visitor = served.visitor().await;
    visitor.audit().await;
    let asked = visitor.post("/plans", "&all=1&view=enforcement%3Dnot-enforced").await;
    let plan = ended(&visitor, &asked).await;
    for words in
        ["Nothing to write", "whose clients were not observed long enough", "name=\"accept\"", "hostssl clients"]
    {
        assert!(plan.1.body.contains(words), "{words}: {}", plan.1.body);
    }
    let list = visitor.get("/plans").await.body;
    assert!(list.contains("Nothing to write") && !list.contains("0 servers"), "{list}");
    let again = format!("{}/again", plan.0);
    assert_eq!(visitor.post(&again, &format!("&accept={}", "x".repeat(501))).await.status, 400);
    let accepted = ended(&visitor, &visitor.post(&again, "&accept=agreed+with+%3Cthe+shop%3E").await).await;
    assert!(accepted.1.body.contains("3 writes on 3 servers"), "{}", accepted.1.body);
    assert!(accepted.1.body.contains("agreed with &#60;the shop&#62;"), "{}", accepted.1.body);
    let file = visitor.get(&format!("{}/file", accepted.0)).await.body;
    assert!(file.contains("\"reason\": \"agreed with <the shop>\""), "{file}");
    let run = ended(&visitor, &apply(&visitor, &accepted).await).await;
    assert!(run.1.body.contains("clients may be refused: accepted by "), "{}", run.1.body);
    assert_eq!(simulation.parameter(OFF, "require_secure_transport").unwrap(), "on");
}
