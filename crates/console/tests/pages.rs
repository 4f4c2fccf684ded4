//! What people see, page by page, as snapshots: `INSTA_UPDATE=always cargo test -p hostssl-console --test pages` accepts what
//! has changed.

#![allow(clippy::unwrap_used, reason = "a test may stop at the first surprise")]

mod estate;

use estate::{allowed, apply, connector, ended, estate};
use hostssl_console::{ConsoleOptions, Preparation};
use hostssl_model::Outcome;
use hostssl_store::{AuditStore, NewProbe, ProbedEndpoint};
use hostssl_test_support::served_console::{options, serve, serve_over};

/// The text with `with` for everything from each `start` to the `end` behind it.
fn replaced(text: &str, start: &str, end: &str, with: &str) -> String {
    let mut parts = text.split(start);
    let mut out = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        out.push_str(with);
        out.push_str(part.split_once(end).map_or("", |(_, rest)| rest));
    }
    out
}

/// What the page has in its middle, with what differs from run to run made equal.
fn main_of(html: &str) -> String {
    let main = html.split_once("<main").unwrap().1.split_once("</main>").unwrap().0;
    let text = replaced(main, "<time", "</time>", "TIME");
    // Charts have dates for axes.
    let text = replaced(&text, "<svg", "</svg>", "CHART");
    // How long an audit took.
    let text = [" ms<", " s<"].into_iter().fold(text, |text, unit| {
        let parts: Vec<&str> = text.split(unit).collect();
        let (last, before) = parts.split_last().unwrap();
        let number = |c: char| c.is_ascii_digit() || c == '.';
        before.iter().map(|part| format!("{}TIME<", part.trim_end_matches(number))).collect::<String>() + last
    });
    let is_part = |c: char| c.is_ascii_hexdigit() || c == '-';
    let mut shown = String::new();
    let mut rest = text.as_str();
    while let Some(start) = rest.find(is_part) {
        let (before, at) = rest.split_at(start);
        let end = at.find(|c: char| !is_part(c)).unwrap_or(at.len());
        let (word, after) = at.split_at(end);
        shown.push_str(before);
        let random = word.len() >= 16 && word.chars().any(|c| c.is_ascii_digit()) && !word.starts_with("20000000");
        shown.push_str(if random { "RANDOM" } else { word });
        rest = after;
    }
    shown.push_str(rest);
    let milliseconds = |line: &str| match line.split_once("name=\"seen\" value=\"") {
        Some((before, after)) => {
            format!("{before}name=\"seen\" value=\"MS{}", after.trim_start_matches(|c: char| c.is_ascii_digit()))
        }
        None => line.to_owned(),
    };
    shown.lines().map(milliseconds).collect::<Vec<_>>().join("\n")
}

#[tokio::test]
async fn the_way_in() {
    let preparation = Preparation { what: "Making a past", done: 3, of: 14 };
    let state = tokio::sync::watch::Sender::new(Some(preparation));
    let served = serve(ConsoleOptions { preparation: Some(state.subscribe()), ..allowed() }).await;
    let sign_in = served.send("GET", &served.link, &[], "").await;
    insta::assert_snapshot!("sign_in", main_of(&sign_in.body));
    insta::assert_snapshot!("signed_out", main_of(&served.send("GET", "/", &[], "").await.body));
    let visitor = served.visitor().await;
    insta::assert_snapshot!("preparing", main_of(&visitor.get("/").await.body));
    let used = served.send("GET", &served.link, &[], "").await;
    insta::assert_snapshot!("used_link", main_of(&used.body));
}

#[tokio::test]
async fn plans_and_runs() {
    let simulation = estate();
    let served = serve_over(allowed(), connector(&simulation)).await;
    let visitor = served.visitor().await;
    insta::assert_snapshot!("plans_none", main_of(&visitor.get("/plans").await.body));
    insta::assert_snapshot!("link", main_of(&visitor.post("/links", "").await.body));
    visitor.audit().await;
    let asked = visitor.post("/plans", "&accept=agreed&all=1&view=q%3Dpg-o").await;
    let plan = ended(&visitor, &asked).await;
    insta::assert_snapshot!("plan", main_of(&plan.1.body));
    let run = ended(&visitor, &apply(&visitor, &plan).await).await;
    insta::assert_snapshot!("run_verified", main_of(&run.1.body));
    let loosened = estate::save(&visitor, "pg-off", "&enforcement=disabled").await;
    insta::assert_snapshot!("plan_loosens", main_of(&loosened.1.body));
    insta::assert_snapshot!("plans", main_of(&visitor.get("/plans").await.body));
}

#[tokio::test]
async fn what_audits_found() {
    let simulation = estate();
    let served = serve_over(allowed(), connector(&simulation)).await;
    let visitor = served.visitor().await;
    insta::assert_snapshot!("overview_none", main_of(&visitor.get("/").await.body));
    let run = visitor.audit().await;
    insta::assert_snapshot!("overview", main_of(&visitor.get("/").await.body));
    insta::assert_snapshot!("resources", main_of(&visitor.get("/resources").await.body));
    let key = estate::key(&visitor, "pg-off").await;
    insta::assert_snapshot!("server", main_of(&visitor.get(&format!("/servers/{key}")).await.body));
    for tab in ["connection-security", "clients", "wire", "evidence", "history"] {
        insta::assert_snapshot!(
            format!("server_{tab}"),
            main_of(&visitor.get(&format!("/servers/{key}/{tab}")).await.body)
        );
    }
    insta::assert_snapshot!("sessions", main_of(&visitor.get("/sessions").await.body));
    insta::assert_snapshot!("controls", main_of(&visitor.get("/controls").await.body));
    insta::assert_snapshot!("control", main_of(&visitor.get("/controls/require-secure-transport").await.body));
    insta::assert_snapshot!("runs", main_of(&visitor.get("/runs").await.body));
    insta::assert_snapshot!("run", main_of(&visitor.get(&run).await.body));
}

#[tokio::test]
async fn what_the_command_line_probed() {
    let served = serve(options()).await;
    let store = AuditStore::open(served.directory.path()).unwrap();
    let asked = r#"{"users":["app"],"databases":["postgres","shop"],"replication":["physical"]}"#.to_owned();
    store.begin_probe(&NewProbe { id: "probed".into(), started_ms: 0, tool_version: "0".into(), asked }).unwrap();
    let certificate = r#"{"verifyFull":{"ok":false,"reason":"expired"},"notAfter":"2026-01-31T00:00:00Z"}"#;
    let endpoints = [
        (
            Outcome::Pass,
            r#"{"target":"a.example","address":"192.0.2.1:5432","verdict":"enforced","reason":"refused"}"#.into(),
        ),
        (
            Outcome::Fail,
            format!(r#"{{"target":"b.example","verdict":"optional","reason":"accepted","certificate":{certificate}}}"#),
        ),
        (Outcome::Unknown, r#"{"target":"c.example","verdict":"of-a-later-version","reason":"?"}"#.into()),
    ];
    let endpoints = endpoints.map(|(outcome, document)| ProbedEndpoint { outcome, document, listener: None, at_ms: 0 });
    store.add_endpoints("probed", &endpoints).unwrap();
    insta::assert_snapshot!("probe", main_of(&served.visitor().await.get("/probes/probed").await.body));
}

#[tokio::test]
async fn what_is_refused() {
    let served = serve(options()).await;
    let visitor = served.visitor().await;
    insta::assert_snapshot!("not_found", main_of(&visitor.get("/nothing").await.body));
    insta::assert_snapshot!("read_only", main_of(&visitor.post("/plans", "").await.body));
    insta::assert_snapshot!("no_such_run", main_of(&visitor.get("/applies/x").await.body));
    insta::assert_snapshot!("bad_address", main_of(&visitor.get("/resources?sort=x").await.body));
}
