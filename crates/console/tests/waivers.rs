//! Waivers in the console: laid over what pages and exports show, never hidden, and proposed by a form.

#![allow(clippy::unwrap_used, reason = "a test may stop at the first surprise")]

mod estate;

use estate::{OFF, connector, ended, estate, key, save};
use hostssl_console::{ConsoleOptions, Trouble, WaiverSource};
use hostssl_test_support::served_console::{options, serve_over};
use jiff::ToSpan as _;
use std::sync::{Arc, Mutex};

const NAME: &str = "team/waivers.toml";

fn day(from_today: i64) -> String {
    let today = jiff::tz::Offset::UTC.to_datetime(jiff::Timestamp::now()).date();
    today.checked_add(from_today.days()).unwrap().to_string()
}

fn entry(scope: &str, expires: &str, reason: &str) -> String {
    format!(
        "[[waiver]]\ncontrol = 'require-secure-transport'\nscope = '{scope}'\nowner = 'shop'\napprover = 'security'\n\
         expires = '{expires}'\nreason = '{reason}'\ncompensating-control = 'private <b>endpoint</b>'\n"
    )
}

/// A console with a file of waivers that can be changed.
fn with_file(text: &str) -> (Arc<Mutex<Result<String, Trouble>>>, ConsoleOptions) {
    let file = Arc::new(Mutex::new(Ok(text.to_owned())));
    let shared = Arc::clone(&file);
    let read = Arc::new(move || shared.lock().unwrap().clone());
    (file, ConsoleOptions { waivers: Some(WaiverSource { name: NAME.to_owned(), read }), ..options() })
}

#[tokio::test]
async fn a_waived_failure_stays_a_failure_on_every_page() {
    let other = "/subscriptions/20000000-0000-4000-8000-000000000009";
    let text = entry(OFF, &day(30), "the importer") + &entry(other, &day(30), "none");
    let (file, options) = with_file(&text);
    let served = serve_over(options, connector(&estate())).await;
    let visitor = served.visitor().await;
    let run = visitor.audit().await;
    let server = format!("/servers/{}", key(&visitor, "pg-off").await);

    let overview = visitor.get("/").await.body;
    assert!(overview.contains("Waivers: 1 failure waived; 1 waiver in effect in team/waivers.toml."), "{overview}");
    assert!(overview.contains("1 waiver needs attention."), "{overview}");
    assert!(overview.contains("team/waivers.toml:9: require-secure-transport on 20000000-0000-4000-8000-000000000009: unused: this audit has no server in its scope"), "{overview}");
    assert!(overview.contains("3 of 4 servers do not enforce TLS"), "a waiver hides nothing: {overview}");

    let page = visitor.get(&server).await.body;
    assert!(page.contains("fail, waived"), "{page}");
    assert!(page.contains(&format!("Waived until {}: the importer.", day(30))), "{page}");
    let terms = "Approved by security, owner shop; in the meantime: private &#60;b&#62;endpoint&#60;/b&#62; (<bdi>team/waivers.toml:1</bdi>)";
    assert!(page.contains(terms), "{page}");
    assert!(visitor.get("/resources").await.body.contains("1 waived"));
    for address in [run.clone(), "/controls".to_owned()] {
        let page = visitor.get(&address).await.body;
        assert!(page.contains("of which waived") && page.contains("1 failure waived"), "{address}: {page}");
    }
    let report = visitor.get(&format!("{run}/export?format=json")).await.body;
    assert!(
        report.contains("\"reason\": \"the importer\"") || report.contains("\"reason\":\"the importer\""),
        "{report}"
    );

    // The next page knows the next text: it expires, and fails again.
    *file.lock().unwrap() = Ok(entry(OFF, &day(-1), "the importer"));
    let page = visitor.get(&server).await.body;
    assert!(page.contains("Not waived: the waiver has expired; its last day was"), "{page}");
    assert!(!page.contains("fail, waived") && page.contains("Propose a waiver"), "{page}");
    let overview = visitor.get("/").await.body;
    assert!(overview.contains("it waives none of 1 failure") && overview.contains("0 failures waived"), "{overview}");

    // A file that cannot be understood waives nothing, and every page says so.
    *file.lock().unwrap() = Ok(entry(OFF, &day(30), "x").replace("owner", "ownr"));
    for address in ["/", server.as_str(), "/controls"] {
        let page = visitor.get(address).await.body;
        assert!(page.contains("The waivers cannot be read: team/waivers.toml: line 4, column 1"), "{address}: {page}");
        assert!(!page.contains("fail, waived"), "{page}");
    }
    let export = visitor.get(&format!("{run}/export?format=json")).await;
    assert!(export.status == 422 && export.body.contains("The waivers cannot be read"), "{}", export.body);
    *file.lock().unwrap() = Err(Trouble::new("the file is gone", "put it back"));
    assert!(visitor.get("/").await.body.contains("The waivers cannot be read: the file is gone.</b> Put it back."));
}

#[tokio::test]
async fn a_waiver_is_proposed_and_not_written() {
    let served = serve_over(options(), connector(&estate())).await;
    let visitor = served.visitor().await;
    visitor.audit().await;
    let key = key(&visitor, "pg-off").await;
    let page = visitor.get(&format!("/servers/{key}")).await.body;
    let address = format!("/servers/{key}/waiver/require-secure-transport");
    assert!(page.contains(&format!("href=\"{address}\"")), "{page}");
    let form = visitor.get(&address).await.body;
    assert!(form.contains(&format!("value=\"{}\" min=\"{}\"", day(90), day(0))), "{form}");

    let fields = |owner: &str, approver: &str, expires: &str| {
        format!(
            "&scope={OFF}&owner={owner}&approver={approver}&expires={expires}&reason=legacy+%22import%22&ticket=SEC-1"
        )
    };
    let asked = visitor.post(&address, &fields("shop", "security%2C+audit", &day(30))).await;
    assert_eq!(asked.status, 200);
    assert!(asked.body.contains("approver = [&#34;security&#34;, &#34;audit&#34;]"), "{}", asked.body);
    assert!(asked.body.contains("hostssl-waivers.toml") && asked.body.contains("nothing is waived yet"));
    let file = visitor.post(&address, &(fields("shop", "security", &day(30)) + "&download=1")).await;
    assert_eq!(file.header("content-disposition"), "attachment; filename=\"waiver.toml\"");
    let made = hostssl_audit::read_waivers(&file.body, "2026-01-01".parse().unwrap(), 3650).unwrap();
    assert!(made.len() == 1 && made[0].is_in_effect() && made[0].reason == "legacy \"import\"", "{made:?}");

    // The rules are those of the file, and a mistake keeps what was typed.
    for (fields, why) in [
        (fields("shop", "Shop", &day(30)), "Only its owner has approved the waiver"),
        (fields("shop", "", &day(30)), "A waiver needs an approver."),
        (fields("shop", "security", &day(-1)), "The waiver has expired"),
        (fields("shop", "security", &day(4000)), "lasts longer than the profile allows"),
        (fields("", "security", &day(30)), "Owner is not a line of words"),
        (fields("shop", "security", &day(30)).replace(OFF, "x"), "Scope is not the resource id"),
    ] {
        let refused = visitor.post(&address, &(fields + "&download=1")).await;
        assert!(refused.status == 422 && refused.body.contains(why), "{why}: {}", refused.body);
        assert!(refused.body.contains("value=\"legacy &#34;import&#34;\""), "{}", refused.body);
    }
    // There is nothing to waive where nothing fails, and no control of that name.
    let on = estate::key(&visitor, "pg-on").await;
    for (address, status) in [
        (format!("/servers/{on}/waiver/require-secure-transport"), 404),
        (format!("/servers/{key}/waiver/no-such-control"), 404),
        ("/servers/0000/waiver/require-secure-transport".to_owned(), 404),
    ] {
        assert_eq!(visitor.get(&address).await.status, status, "{address}");
    }
}

#[tokio::test]
async fn a_comparison_shows_the_waiver_of_a_new_failure() {
    let (file, options) = with_file(&entry(OFF, &day(30), "the importer"));
    let simulation = estate();
    let id = simulation.server_ids().into_iter().find(|id| id.ends_with("/pg-off")).unwrap();
    let served = serve_over(options, connector(&simulation)).await;
    let visitor = served.visitor().await;
    let mut runs = Vec::new();
    for value in ["on", "off"] {
        simulation.set_parameter(&id, "require_secure_transport", value).unwrap();
        runs.push(visitor.audit().await.trim_start_matches("/runs/").to_owned());
    }
    let compared = format!("/compare?run={}&run={}", runs[0], runs[1]);
    let page = visitor.get(&compared).await.body;
    assert!(
        page.contains("new failure") && page.contains(&format!("waived until {}: the importer", day(30))),
        "{page}"
    );
    // A file that cannot be read is no file without waivers.
    *file.lock().unwrap() = Ok("[[waiver]]\ncontrol = 1\n".to_owned());
    assert_eq!(visitor.get(&compared).await.status, 422);
}

#[tokio::test]
async fn a_plan_for_many_leaves_out_what_is_waived_and_one_for_a_server_does_not() {
    let (file, options) = with_file(&entry(OFF, &day(30), "the importer"));
    let options = ConsoleOptions { allow_changes: true, ..options };
    let served = serve_over(options, connector(&estate())).await;
    let visitor = served.visitor().await;
    visitor.audit().await;
    let plan = async || ended(&visitor, &visitor.post("/plans", "&all=1&view=&accept=agreed").await).await.1.body;
    let many = plan().await;
    assert!(many.contains("Enforce on 2 servers") && many.contains("waived"), "{many}");
    assert!(many.contains("the importer") && many.contains("team/waivers.toml:1"), "{many}");
    let one = save(&visitor, "pg-off", "&enforcement=enabled").await.1.body;
    assert!(one.contains("Apply: Enforce TLS on pg-off"), "{one}");
    // What cannot be read accepts nothing, and plans nothing either.
    *file.lock().unwrap() = Ok("[[waiver]]\nownr = 1\n".to_owned());
    let broken = plan().await;
    assert!(broken.contains("The waivers cannot be read: team/waivers.toml: line 2"), "{broken}");
}
