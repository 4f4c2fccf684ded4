//! What the pages do: audits that are followed and stopped, lists, and bad input.

#![allow(clippy::unwrap_used, reason = "a test may stop at the first surprise")]

use futures::FutureExt as _;
use hostssl_console::{Connect, Console, ConsoleOptions, ServeError, Trouble};
use hostssl_model::{ControlId, SslEnforcement, Word};
use hostssl_store::{AuditStore, Page, ServerFilter, StoreError};
use hostssl_test_support::served_console::{Served, connector, gated, options, serve, serve_over, simulation};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

const ALL: Page = Page { number: 0, size: 100 };

#[tokio::test]
async fn an_empty_console_says_what_fills_it() {
    let served = serve(options()).await;
    let visitor = served.visitor().await;
    for (path, words) in [
        ("/", "No audit yet"),
        ("/resources", "After an audit, this page"),
        ("/runs", "No run yet"),
        ("/controls", "not audited"),
    ] {
        let answer = visitor.get(path).await;
        assert_eq!(answer.status, 200, "{path}");
        assert!(answer.body.contains(words), "{path}");
    }
}

#[tokio::test]
async fn an_audit_is_followed_to_its_end_and_then_shown() {
    let (gate, connect) = gated(connector(simulation(Duration::ZERO)));
    let served = serve_over(options(), connect).await;
    let visitor = served.visitor().await;
    let started = visitor.post("/runs", "").await;
    let address = started.header("location").to_owned();
    let live = visitor.get(&address).await;
    assert!(live.body.contains("Audit in progress") && live.body.contains("data-live"), "{}", live.body);
    assert!(visitor.get("/").await.body.contains(&format!("class=\"running\" href=\"{address}\"")));
    let followed = format!("{address}/events");
    let (events, ()) = tokio::join!(visitor.get(&followed), async {
        gate.send_replace(true);
    });
    assert_eq!(events.header("content-type"), "text/event-stream");
    assert!(events.body.trim_end().contains(r#""looked":3"#) && events.body.contains("event: end"), "{}", events.body);
    let page = visitor.get(&address).await.body;
    assert!(page.contains("3 servers in 2 subscriptions"), "{page}");
    let overview = visitor.get("/").await.body;
    assert!(overview.contains("3 servers in 2 subscriptions") && overview.contains("pg-off"));
}

#[tokio::test]
async fn a_form_posted_twice_starts_one_audit() {
    let (gate, connect) = gated(connector(simulation(Duration::ZERO)));
    let served = serve_over(options(), connect).await;
    let visitor = served.visitor().await;
    let (one, two) = tokio::join!(visitor.post("/runs", ""), visitor.post("/runs", ""));
    assert_eq!(one.header("location"), two.header("location"));
    gate.send_replace(true);
    visitor.get(&format!("{}/events", one.header("location"))).await;
    let store = AuditStore::open(served.directory.path()).unwrap();
    assert_eq!(store.audits(ALL).unwrap().1, 1);
}

#[tokio::test]
async fn a_stopped_audit_keeps_what_was_seen_and_says_so() {
    let served = serve_over(options(), connector(simulation(Duration::from_secs(3)))).await;
    let visitor = served.visitor().await;
    let address = visitor.post("/runs", "").await.header("location").to_owned();
    assert_eq!(visitor.post(&format!("{address}/stop"), "").await.status, 303);
    let events = visitor.get(&format!("{address}/events")).await;
    assert!(events.body.contains("event: end"));
    let page = visitor.get(&address).await.body;
    assert!(page.contains("Stopped by local user after"), "{page}");
    // Stopping what has ended is not an error, and does nothing.
    assert_eq!(visitor.post(&format!("{address}/stop"), "").await.status, 303);
}

#[tokio::test]
async fn a_console_that_is_ended_keeps_what_its_audit_saw() {
    let directory = tempfile::tempdir().unwrap();
    let slow = connector(simulation(Duration::from_secs(20)));
    let console = console(options(), directory.path(), slow).await.unwrap();
    let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
    let (port, link) = (port_of(&console), console.links()[0].address.clone());
    let running = tokio::spawn(console.run(async {
        let _ = stopped.await;
    }));
    let served = Served::of(port, &link, directory, tokio::spawn(async {}));
    let visitor = served.visitor().await;
    visitor.post("/runs", "").await;
    stop.send(()).unwrap();
    running.await.unwrap();
    let store = AuditStore::open(served.directory.path()).unwrap();
    let (audits, _) = store.audits(ALL).unwrap();
    assert_eq!(audits.iter().map(|audit| audit.stopped).collect::<Vec<_>>(), [true]);
}

#[tokio::test]
async fn a_sign_in_that_fails_is_told_with_what_to_do() {
    let refuse: Connect =
        Arc::new(|_| async { Err(Trouble::new("the Azure CLI refused", "run `az login`")) }.boxed_local());
    let served = serve_over(options(), refuse).await;
    let visitor = served.visitor().await;
    let address = visitor.post("/runs", "").await.header("location").to_owned();
    visitor.get(&format!("{address}/events")).await;
    let page = visitor.get(&address).await;
    assert_eq!(page.status, 503);
    assert!(page.body.contains("The Azure CLI refused.") && page.body.contains("Run `az login`."), "{}", page.body);
    assert!(page.body.contains("aria-label=\"Main\""), "the frame is there");
    assert!(visitor.get("/runs").await.body.contains("Audit now"), "and it can be tried again");
}

#[tokio::test]
async fn a_state_that_is_gone_is_told_and_nothing_is_lost_silently() {
    let served = serve(options()).await;
    let visitor = served.visitor().await;
    visitor.audit().await;
    std::fs::write(served.directory.path().join("hostssl.db"), vec![b'x'; 65536]).unwrap();
    let _ = std::fs::remove_file(served.directory.path().join("hostssl.db-wal"));
    let page = visitor.get("/resources").await;
    // A connection that is open may still see what it has read; a page is either right or says what is wrong.
    assert!(
        page.status == 200 || (page.status == 503 && page.body.contains("The state directory cannot be read")),
        "{}",
        page.status
    );
}

#[tokio::test]
async fn what_cannot_be_served_is_told_at_the_start() {
    let directory = tempfile::tempdir().unwrap();
    let nobody = || connector(simulation(Duration::ZERO));
    let first = console(options(), directory.path(), nobody()).await.unwrap();
    let mut same = options();
    same.listen.set_port(port_of(&first));
    let taken = console(same, directory.path(), nobody()).await.err().unwrap();
    assert!(matches!(taken, ServeError::Bind { .. }), "{taken}");
    let newer = tempfile::tempdir().unwrap();
    drop(AuditStore::open(newer.path()).unwrap());
    let database = rusqlite_version(newer.path(), 99);
    assert!(database);
    let refused = console(options(), newer.path(), nobody()).await.err().unwrap();
    assert!(matches!(refused, ServeError::Store(StoreError::NewerVersion { found: 99, .. })), "{refused}");
}

/// Takes the port and opens the state.
async fn console(options: ConsoleOptions, directory: &Path, connect: Connect) -> Result<Console, ServeError> {
    let listener = Console::listen(options.listen).await?;
    Console::new(options, listener, directory, connect)
}

fn port_of(console: &Console) -> u16 {
    console.address().rsplit(':').next().unwrap().parse().unwrap()
}

/// Writes the version into the database's header, bytes 60 to 63, big-endian (SQLite, "Database File Format", 1.3).
fn rusqlite_version(directory: &Path, version: u32) -> bool {
    let path = directory.join("hostssl.db");
    let mut bytes = std::fs::read(&path).unwrap();
    bytes[60..64].copy_from_slice(&version.to_be_bytes());
    std::fs::write(path, bytes).is_ok()
}

/// The latest audit in YAML, as one value.
fn whole_yaml(served: &Served) -> String {
    let store = AuditStore::open(served.directory.path()).unwrap();
    let audit = store.latest().unwrap().unwrap();
    let report = store.report(&audit, &ServerFilter::default()).unwrap();
    let value = hostssl_formats::audit_json::value(&report).unwrap();
    let (mut out, format) = (Vec::new(), hostssl_formats::output::Format::Yaml);
    hostssl_formats::output::write_value(&mut out, &value, format, &[], hostssl_formats::Palette::Plain).unwrap();
    String::from_utf8(out).unwrap()
}

#[tokio::test]
async fn lists_are_filtered_sorted_and_paged_by_the_address() {
    let served = serve(options()).await;
    let visitor = served.visitor().await;
    visitor.audit().await;
    let names = |html: &str| -> Vec<String> {
        let rows = html.split("<bdi>").skip(1).map(|row| row.split("</bdi>").next().unwrap().to_owned());
        rows.filter(|name| name.starts_with("pg-")).collect()
    };
    let get = |path: &'static str| async { names(&visitor.get(path).await.body) };
    assert_eq!(get("/resources?sort=name").await, ["pg-off", "pg-on", "pg-other"]);
    assert_eq!(get("/resources?sort=name&dir=desc").await, ["pg-other", "pg-on", "pg-off"]);
    assert_eq!(get("/resources?enforcement=not-enforced").await, ["pg-off"]);
    assert_eq!(get("/resources?q=RG-B").await, ["pg-other"]);
    assert_eq!(get("/resources?page=1").await, [""; 0]);
    assert!(visitor.get("/resources?page=1").await.body.contains("No more servers"));
    assert!(visitor.get("/resources?q=nothing").await.body.contains("No server matches"));
    assert_eq!(visitor.get("/resources?page=x").await.status, 400);
    assert_eq!(visitor.get("/resources?page=4294967295").await.status, 200);
    assert_eq!(visitor.get("/resources?run=no-such-run").await.status, 404);
    assert_eq!(visitor.get("/resources/export?format=exe").await.status, 400);
    let yaml = visitor.get("/resources/export?format=yaml").await.body;
    assert_eq!(yaml, whole_yaml(&served), "in parts it is the document that the command line writes");
    let csv = visitor.get("/resources/export?format=csv&enforcement=not-enforced").await.body;
    assert!(csv.contains("pg-off") && !csv.contains("pg-on"), "{csv}");
}

#[tokio::test]
async fn a_server_has_its_evidence_and_another_profile_judges_the_same_facts() {
    let served = serve(options()).await;
    let visitor = served.visitor().await;
    let run = visitor.audit().await;
    let list = visitor.get("/resources?q=pg-off").await.body;
    let key = list.split("href=\"/servers/").nth(1).unwrap().split('"').next().unwrap().to_owned();
    let evidence = visitor.get(&format!("/servers/{key}/evidence")).await.body;
    assert!(
        evidence.contains("require_secure_transport = off") && evidence.contains("the excerpt matches its SHA-256"),
        "{evidence}"
    );
    assert!(visitor.get(&format!("/servers/{key}/connection-security")).await.body.contains("is-off set\">DISABLED"));
    assert_eq!(visitor.get(&format!("/servers/{key}/no-such-tab")).await.status, 404);
    assert_eq!(visitor.get("/servers/0123456789").await.status, 404);
    let judged = visitor.get(&format!("{run}/judged?profile=strict%401")).await.body;
    assert!(judged.contains("2 servers with another result"), "{judged}");
    assert_eq!(visitor.get(&format!("{run}/judged?profile=none")).await.status, 400);
    assert_eq!(visitor.get("/runs/none/judged?profile=strict").await.status, 404);
}

/// As `hostssl audit --control minimum-tls-version` keeps it beside the console.
fn keep_an_audit_of_one_control(served: &Served) {
    let store = AuditStore::open(served.directory.path()).unwrap();
    let latest = store.latest().unwrap().unwrap();
    let mut report = store.report(&latest, &ServerFilter::default()).unwrap();
    report.run.id = "01890000-0000-7000-8000-00000000000f".into();
    report.run.started_at.clone_from(&report.run.finished_at);
    report.run.asked.only = vec![Word::Known(ControlId::MinimumTlsVersion)];
    for server in &mut report.servers {
        server.ssl_enforcement = SslEnforcement::Unknown;
        server.readings.retain(|(name, _)| name.is_floor());
        server.findings.retain(|finding| finding.control == ControlId::MinimumTlsVersion);
        server.outcome = server.findings[0].outcome;
    }
    store.save(&report).unwrap();
}

#[tokio::test]
async fn an_audit_of_one_control_says_nothing_of_the_others() {
    let served = serve(options()).await;
    let visitor = served.visitor().await;
    visitor.audit().await;
    let figures =
        |page: &str| page.split("id=\"h-trend\"").next().unwrap().split("id=\"h-state\"").nth(1).unwrap().to_owned();
    let before = visitor.get("/").await.body;
    // It is the newest audit of the servers all the same.
    let is_age = |line: &&str| line.starts_with("hostssl_servers_audit_timestamp_seconds");
    let metrics = async || {
        let body = served.send("GET", "/metrics", &[], "").await.body;
        body.lines().filter(|line| !is_age(line)).map(ToOwned::to_owned).collect::<Vec<_>>()
    };
    let counted = metrics().await;
    keep_an_audit_of_one_control(&served);
    let after = visitor.get("/").await.body;
    assert_eq!(figures(&after), figures(&before));
    assert!(after.contains("only minimum-tls-version</span>") && !before.contains("minimum-tls-version"), "{after}");
    assert_eq!(metrics().await, counted);
    let run = visitor.get("/runs/01890000-0000-7000-8000-00000000000f").await.body;
    assert!(
        run.contains("Only minimum-tls-version was checked.") && run.contains("baseline@1, only minimum-tls-version")
    );
}

/// Any two audits side by side, the earlier one first, however they were chosen; and the list of runs by what they were for.
#[tokio::test]
async fn two_audits_are_compared_and_runs_are_filtered() {
    let simulation = simulation(Duration::ZERO);
    let served = serve_over(options(), connector(simulation)).await;
    let visitor = served.visitor().await;
    let (first, second) = (visitor.audit().await, visitor.audit().await);
    let id = |address: &str| address.rsplit('/').next().unwrap().to_owned();
    let list = visitor.get("/runs?kind=audit").await.body;
    assert!(list.contains("Compare two audits") && list.matches("name=\"run\"").count() == 2, "{list}");
    let none = visitor.get("/runs?kind=apply").await.body;
    assert!(none.contains("No run yet") && !none.contains("Compare two audits"), "{none}");
    assert_eq!(visitor.get("/runs?kind=x").await.status, 400);
    for (one, other) in [(&first, &second), (&second, &first)] {
        let page = visitor.get(&format!("/compare?run={}&run={}", id(one), id(other))).await;
        assert_eq!(page.status, 200, "{}", page.body);
        let (before, after) = (page.body.find("Before: ").unwrap(), page.body.find("After: ").unwrap());
        assert!(page.body.find(&first).unwrap() > before && page.body.find(&first).unwrap() < after, "{}", page.body);
        assert!(page.body.contains("No change"), "{}", page.body);
    }
    for wrong in ["/compare", &format!("/compare?run={}", id(&first))] {
        let page = visitor.get(wrong).await;
        assert!(page.status == 400 && page.body.contains("Choose two audits"), "{}", page.body);
    }
    assert_eq!(visitor.get(&format!("/compare?run={}&run=none", id(&first))).await.status, 404);
}

#[tokio::test]
async fn an_audit_that_does_not_come_is_missed() {
    let every = |seconds| ConsoleOptions { audit_every: Some(Duration::from_secs(seconds)), ..options() };
    let served = serve(every(3600)).await;
    let visitor = served.visitor().await;
    assert!(visitor.get("/").await.body.contains("<b>No audit is kept.</b> One is expected every 1h"));
    visitor.audit().await;
    assert!(!visitor.get("/").await.body.contains("is expected every"));
    let served = serve(every(0)).await;
    let visitor = served.visitor().await;
    visitor.audit().await;
    assert!(visitor.get("/").await.body.contains("<b>No audit has begun for "));
}
