//! The page of zones, over the simulated Azure: a private server that is not reached from here, and what a zone saw of it.

#![allow(clippy::unwrap_used, reason = "a test may stop at the first surprise")]

use hostssl_audit::Profile;
use hostssl_azure_sim::{
    Fleet, FleetSource, Kind, Scenario, Server, Simulation, Subscription, Tenant as SimTenant, Wire,
};
use hostssl_console::{ConsoleOptions, LooksFile, Role, Trouble, WireLook, ZoneFiles, ZoneSource};
use hostssl_formats::probe_json;
use hostssl_model::{ControlId, Standing};
use hostssl_ops::{ListenerProbe, looks_of_zone, read_zones};
use hostssl_probe::report::EndpointReport;
use hostssl_probe::target::ProbeTarget;
use hostssl_store::{AuditStore, Enrolment, KeptAnswer, LookToKeep, NewProber, ServerFilter};
use hostssl_test_support::served_console::{HttpAnswer, Served, Visitor, connector, options, serve_over};
use hostssl_test_support::simulated_listeners::prober_of;
use jiff::{SignedDuration, Timestamp};
use serde_json::Value;
use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::path::Path;
use std::sync::{Arc, Mutex};

const RULES: &str = "[[rule]]\nzone = \"hub-weu\"\nvirtual-network = \"vnet-data\"\n";
const LEDGER: &str = "pg-ledger.contoso.postgres.database.azure.com.invalid";

/// A private server that does not enforce, another that no rule matches, and one that anyone reaches.
fn simulation() -> Simulation {
    let server = |name: &str| Server::new(Kind::Flexible, "rg-a", name);
    let off = Server { private: true, ..server("pg-ledger").with("require_secure_transport", "off") };
    let subscription = Subscription {
        id: "20000000-0000-4000-8000-000000000001".into(),
        name: "Alpha".into(),
        servers: vec![off, server("pg-open"), Server { private: true, ..server("pg-vault") }],
        ..Subscription::default()
    };
    let tenant = SimTenant {
        id: "10000000-0000-4000-8000-000000000001".into(),
        name: "Contoso".into(),
        groups: Vec::new(),
        subscriptions: vec![subscription],
    };
    Simulation::new(Scenario::of(FleetSource::Listed(Fleet { tenants: vec![tenant] })))
}

/// A console with rules that the test may change.
fn with_rules(simulation: &Simulation, rules: &Arc<Mutex<Option<String>>>) -> ConsoleOptions {
    let simulation = simulation.clone();
    let wire = WireLook {
        profile: Profile::find_for("baseline", true).unwrap(),
        probe: Arc::new(move |stop| {
            Ok(ListenerProbe::new(prober_of(Wire::new(&simulation).unwrap()), 8, stop, Timestamp::now))
        }),
        exchange: None,
    };
    let (rules, text) = (rules.clone(), rules.clone());
    let stamp = move |folder: &Path| {
        let files = folder.read_dir().into_iter().flatten();
        let mut names: Vec<_> = files.map(|entry| entry.unwrap().file_name()).collect();
        names.sort();
        let mut hasher = DefaultHasher::new();
        (names, text.lock().unwrap().clone()).hash(&mut hasher);
        Some(hasher.finish())
    };
    let read = move |folder: &Path| {
        let rules = rules.lock().unwrap().clone();
        let rules = rules.map(|text| read_zones(&text)).transpose().map_err(Trouble::from)?;
        let names = folder.read_dir().into_iter().flatten();
        let names = names.map(|entry| entry.unwrap().file_name().into_string().unwrap());
        let looks = names.filter(|name| name.ends_with(".json")).map(|name| {
            let read = probe_json::read_document(&*std::fs::read(folder.join(&name)).unwrap()).unwrap();
            let looks = looks_of_zone(read.zone.as_deref(), &read.endpoints, Timestamp::now()).unwrap();
            LooksFile { name, is_uploaded: true, looks }
        });
        Ok(ZoneFiles { rules, looks: looks.collect() })
    };
    let zones = ZoneSource {
        read: Arc::new(read),
        stamp: Arc::new(stamp),
        given: true,
        longest: SignedDuration::from_hours(24),
    };
    ConsoleOptions { wire: Some(wire), zones: Some(zones), ..options() }
}

fn rules(text: &str) -> Arc<Mutex<Option<String>>> {
    Arc::new(Mutex::new(Some(text.to_owned())))
}

/// What a machine in the zone sees of these hosts.
async fn looks(simulation: &Simulation, hosts: &[&str]) -> Value {
    probe_json::value(&reports(simulation, hosts).await, Some("hub-weu"), None).unwrap()
}

async fn reports(simulation: &Simulation, hosts: &[&str]) -> Vec<EndpointReport> {
    let prober = prober_of(Wire::inside(simulation).unwrap());
    let mut reports = Vec::new();
    for host in hosts {
        reports.extend(prober.probe(&ProbeTarget::new(*host, 5432)).await);
    }
    for report in &mut reports {
        report.observed_ms = Some(Timestamp::now().as_millisecond());
    }
    reports
}

async fn bring(visitor: &Visitor<'_>, text: &str) -> HttpAnswer {
    let csrf = visitor.get("/zones").await.csrf();
    send(visitor, &csrf, text).await
}

async fn send(visitor: &Visitor<'_>, csrf: &str, text: &str) -> HttpAnswer {
    let part = |head: &str, value: &str| format!("--B0\r\nContent-Disposition: form-data; {head}\r\n\r\n{value}\r\n");
    let body = part("name=\"csrf\"", csrf)
        + &part("name=\"file\"; filename=\"looks.json\"\r\nContent-Type: application/json", text)
        + "--B0--\r\n";
    let origin = format!("http://{}", visitor.served.host());
    let lines = [
        ("cookie", visitor.cookie.as_str()),
        ("origin", origin.as_str()),
        ("content-type", "multipart/form-data; boundary=B0"),
    ];
    visitor.served.send("POST", "/zones/looks", &lines, &body).await
}

/// Audits with a probe, and with what zones saw if that is asked for. Returns the address of the run.
async fn audit(visitor: &Visitor<'_>, zones: bool) -> String {
    let fields = if zones { "&probe=yes&zones=yes" } else { "&probe=yes" };
    let started = visitor.post("/runs", fields).await;
    let address = started.header("location").to_owned();
    let events = visitor.get(&format!("{address}/events")).await;
    assert!(events.body.contains("event: end"), "{}", events.body);
    address
}

fn standing(served: &Served, name: &str) -> Standing {
    let store = AuditStore::open(served.directory.path()).unwrap();
    let audit = store.latest().unwrap().unwrap();
    let mut found = None;
    store
        .each_server(&audit, &ServerFilter::default(), &mut |one| {
            if one.server.name() == name {
                found = Some(Standing::of(&one));
            }
        })
        .unwrap();
    found.unwrap()
}

/// What the page has in its middle, with what differs from run to run made equal.
fn main_of(html: &str) -> String {
    let main = html.split_once("<main").unwrap().1.split_once("</main>").unwrap().0;
    let mut parts = main.split("<time");
    let mut out = parts.next().unwrap().to_owned();
    for part in parts {
        out.push_str("TIME");
        out.push_str(part.split_once("</time>").unwrap().1);
    }
    let csrf = html.split_once("name=\"csrf\" value=\"").map(|(_, rest)| rest.split('"').next().unwrap());
    csrf.map_or(out.clone(), |csrf| out.replace(csrf, "TOKEN"))
}

#[tokio::test]
async fn what_a_zone_saw_is_brought_counted_and_shown() {
    let simulation = simulation();
    let served = serve_over(with_rules(&simulation, &rules(RULES)), connector(simulation.clone())).await;
    let visitor = served.visitor().await;
    insta::assert_snapshot!("zones_not_audited", main_of(&visitor.get("/zones").await.body));
    audit(&visitor, true).await;
    let silent = visitor.get("/zones").await.body;
    assert!(silent.contains("Seen from there</dt><dd>0 of 2"), "{silent}");
    assert!(silent.contains("it is probed from zone hub-weu, and there is no answer from there"), "{silent}");

    let text = looks(&simulation, &[LEDGER]).await.to_string();
    let taken = bring(&visitor, &text).await;
    assert_eq!(taken.status, 200, "{}", taken.body);
    assert!(taken.body.contains("1 look from zone hub-weu was accepted"), "{}", taken.body);
    assert!(taken.body.contains("<dt>Waiting</dt><dd>1 look, the newest"), "{}", taken.body);
    assert_eq!(bring(&visitor, &text).await.status, 200, "the same again is the same");
    assert_eq!(served.directory.path().join("looks").read_dir().unwrap().count(), 1);

    audit(&visitor, true).await;
    let seen = visitor.get("/zones").await.body;
    assert!(seen.contains("Seen from there</dt><dd>1 of 2, <b class=\"bad\">1 accepts plaintext</b>"), "{seen}");
    assert!(!seen.contains("Waiting"), "{seen}");
    insta::assert_snapshot!("zones", main_of(&seen));

    // An audit that does not know of zones takes nothing from it, nor does one that does not probe.
    simulation_on(&simulation);
    audit(&visitor, false).await;
    assert_eq!(standing(&served, "pg-ledger"), Standing::Unproven, "the switch was turned since");
    let text = looks(&simulation, &[LEDGER]).await.to_string();
    assert_eq!(bring(&visitor, &text).await.status, 200);
    audit(&visitor, true).await;
    assert_eq!(standing(&served, "pg-ledger"), Standing::Proven);
    audit(&visitor, false).await;
    assert_eq!(standing(&served, "pg-ledger"), Standing::Proven);
    visitor.audit().await;
    assert_eq!(standing(&served, "pg-ledger"), Standing::Proven);
}

/// Someone requires TLS in the portal.
fn simulation_on(simulation: &Simulation) {
    let id = "/subscriptions/20000000-0000-4000-8000-000000000001/resourceGroups/rg-a/providers/Microsoft.DBforPostgreSQL/flexibleServers/pg-ledger";
    simulation.set_parameter(id, "require_secure_transport", "on").unwrap();
}

#[tokio::test]
async fn a_file_that_proves_nothing_is_refused_as_a_whole_and_says_why() {
    let simulation = simulation();
    let rules = rules(RULES);
    let served = serve_over(with_rules(&simulation, &rules), connector(simulation.clone())).await;
    let visitor = served.visitor().await;
    let good = looks(&simulation, &[LEDGER]).await;
    let changed = |change: &dyn Fn(&mut Value)| {
        let mut looks = good.clone();
        change(&mut looks);
        looks.to_string()
    };
    let timed = |time: &'static str| changed(&move |it| it["endpoints"][0]["observedAt"] = time.into());
    for (text, why) in [
        (String::new(), "EOF"),
        ("[]".to_owned(), "cannot be read"),
        (good.to_string()[..200].to_owned(), "cannot be read"),
        ("[".repeat(100_000), "cannot be read"),
        (timed("2026-01-01T00:00:00Z"), "is older than 24h"),
        (timed("2999-01-01T00:00:00Z"), "is from the future"),
        (changed(&|it| drop(it.as_object_mut().unwrap().remove("zone"))), "not probed for a zone"),
        (changed(&|it| it["zone"] = "hub-eus".into()), "of the zone hub-eus, which no rule"),
        (changed(&|it| it["zone"] = "<script>alert(1)</script>".into()), "a name that no zone can have"),
        (changed(&|it| it["endpoints"][0]["verdict"] = "enforced".into()), "contradicts itself"),
        (changed(&|it| it["endpoints"] = Value::Array(Vec::new())), "no look in it"),
    ] {
        let answer = bring(&visitor, &text).await;
        assert_eq!(answer.status, 422, "{why}: {}", answer.body);
        assert!(answer.body.contains("Nothing was taken") && answer.body.contains(why), "{why}: {}", answer.body);
        assert!(!answer.body.contains("<script>alert"), "{}", answer.body);
    }
    assert!(!served.directory.path().join("looks").exists(), "nothing was kept");
    assert_eq!(send(&visitor, "wrong", &good.to_string()).await.status, 403);
    assert_eq!(bring(&visitor, &"x".repeat((32 << 20) + 1)).await.status, 413);
    assert_eq!(visitor.post("/zones/looks", "").await.status, 400, "a form without a file");

    // A host with a name that does harm is text.
    let hostile = "<script>alert(1)</script>\u{202e}.example";
    let answer = bring(&visitor, &changed(&|it| it["endpoints"][0]["host"] = hostile.into())).await;
    visitor.audit().await;
    let page = visitor.get("/zones").await.body;
    assert!(!page.contains("<script>alert") && !page.contains('\u{202e}'), "{}: {page}", answer.status);

    // Rules that cannot be read are said, and count for nothing.
    *rules.lock().unwrap() = Some("[[rule]]\nzone = \"Hub\"\n".to_owned());
    let page = visitor.get("/zones").await.body;
    assert!(page.contains("The files of zones cannot be read: line 2, column 8"), "{page}");
    let failed = visitor.post("/runs", "&probe=yes&zones=yes").await;
    let address = failed.header("location").to_owned();
    visitor.get(&format!("{address}/events")).await;
    assert!(visitor.get(&address).await.body.contains("cannot be the name of a zone"));
}

#[tokio::test]
async fn the_targets_of_a_zone_are_what_the_command_line_writes() {
    let simulation = simulation();
    let people = vec![("Ada".to_owned(), Role::Planner), ("Bo".to_owned(), Role::Viewer)];
    let options = ConsoleOptions { people, ..with_rules(&simulation, &rules(RULES)) };
    let served = serve_over(options, connector(simulation.clone())).await;
    let visitor = served.visitor().await;
    let answer = visitor.post("/zones/hub-weu/targets", "").await;
    assert_eq!(answer.status, 200, "{}", answer.body);
    assert_eq!(answer.header("content-disposition"), "attachment; filename=\"hub-weu.json\"");
    let list: Value = serde_json::from_str(&answer.body).unwrap();
    assert_eq!(list["schema"], "hostssl/targets/v1");
    let hosts: Vec<&str> =
        list["targets"].as_array().unwrap().iter().map(|one| one["host"].as_str().unwrap()).collect();
    assert!(hosts.len() == 4 && hosts.iter().all(|host| !host.contains("pg-open")), "{hosts:?}");
    assert!(!answer.body.contains("/subscriptions/"), "{}", answer.body);
    assert_eq!(visitor.post("/zones/hub-eus/targets", "").await.status, 404);
    assert_eq!(visitor.post("/zones/%3Cb%3E/targets", "").await.status, 404);

    // A viewer sees the page, brings nothing, and asks Azure nothing.
    let link = served.press_sign_in(&served.links[1]).await;
    let viewer = Visitor { served: &served, cookie: link.cookies() };
    let page = viewer.get("/zones").await.body;
    assert!(
        page.contains("hub-weu") && !page.contains(">Upload</button>") && !page.contains("Download targets"),
        "{page}"
    );
    let csrf = page.split_once("name=\"csrf\" value=\"").unwrap().1.split('"').next().unwrap().to_owned();
    let text = looks(&simulation, &[LEDGER]).await.to_string();
    assert_eq!(send(&viewer, &csrf, &text).await.status, 403);
    assert!(!served.directory.path().join("looks").exists());
}

#[tokio::test]
async fn private_servers_without_a_vantage_are_named_with_their_network() {
    let simulation = simulation();
    let some = "[[rule]]\nzone = \"lab\"\nserver = \"no-such\"\n[[rule]]\nzone = \"hub-weu\"\nserver = \"pg-ledger\"\n";
    let rules = rules(some);
    let served = serve_over(with_rules(&simulation, &rules), connector(simulation.clone())).await;
    let visitor = served.visitor().await;
    audit(&visitor, true).await;
    let page = visitor.get("/zones").await.body;
    let uncovered = page.split_once("Without a vantage").unwrap().1;
    assert!(
        uncovered.contains("pg-vault") && uncovered.contains("vnet-data") && !uncovered.contains("pg-open"),
        "{page}"
    );
    assert!(page.contains("line 1, no server is left for it") && page.contains("line 4, 1 server"), "{page}");

    // What a zone saw that has another name now is told until the new one has looked.
    assert_eq!(bring(&visitor, &looks(&simulation, &[LEDGER]).await.to_string()).await.status, 200);
    audit(&visitor, true).await;
    std::fs::remove_dir_all(served.directory.path().join("looks")).unwrap();
    *rules.lock().unwrap() = Some("[[rule]]\nzone = \"hub-eus\"\nserver = \"pg-ledger\"\n".to_owned());
    let page = visitor.get("/zones").await.body;
    assert!(page.contains("No rule names these zones") && page.contains("<dt>hub-weu</dt><dd>1 server</dd>"), "{page}");
    let mut renamed = looks(&simulation, &[LEDGER]).await;
    renamed["zone"] = "hub-eus".into();
    assert_eq!(bring(&visitor, &renamed.to_string()).await.status, 200);
    audit(&visitor, true).await;
    let page = visitor.get("/zones").await.body;
    let ended = page.split_once("Looks that count no more").unwrap().1;
    assert!(
        ended.contains("hub-weu") && ended.contains("no longer in that zone") && !page.contains("Other zones"),
        "{page}"
    );
}

#[tokio::test]
async fn a_file_of_a_zone_that_no_rule_names_any_more_is_left_out_and_can_be_removed() {
    let simulation = simulation();
    let rules = rules(RULES);
    let people = vec![("Ada".to_owned(), Role::Planner), ("Bo".to_owned(), Role::Viewer)];
    let options = ConsoleOptions { people, ..with_rules(&simulation, &rules) };
    let served = serve_over(options, connector(simulation.clone())).await;
    let visitor = served.visitor().await;
    assert_eq!(bring(&visitor, &looks(&simulation, &[LEDGER]).await.to_string()).await.status, 200);
    let folder = served.directory.path().join("looks");
    let file = folder.read_dir().unwrap().next().unwrap().unwrap().file_name().into_string().unwrap();
    let remove = format!("&file={file}");
    let counted = visitor.post("/zones/looks/remove", &remove).await;
    assert!(
        counted.status == 422 && counted.body.contains("Audits count what the zone hub-weu saw"),
        "{}",
        counted.body
    );

    *rules.lock().unwrap() = Some("[[rule]]\nzone = \"hub-eus\"\nserver = \"pg-ledger\"\n".to_owned());
    let address = audit(&visitor, true).await;
    let run = visitor.get(&address).await.body;
    assert!(run.contains("No rule names the zones of these files") && run.contains(&file), "{run}");
    assert_ne!(standing(&served, "pg-ledger"), Standing::AcceptsPlaintext, "it was not counted");
    let page = visitor.get("/zones").await.body;
    let left_out = page.split_once("Files that are not counted").unwrap().1;
    assert!(left_out.contains(&file) && left_out.contains(">Remove<"), "{page}");

    // Who uploads nothing removes nothing, and nothing else can be named.
    let link = served.press_sign_in(&served.links[1]).await;
    let viewer = Visitor { served: &served, cookie: link.cookies() };
    let page = viewer.get("/zones").await.body;
    assert!(page.contains(&file) && !page.contains(">Remove<"), "{page}");
    assert_eq!(viewer.post("/zones/looks/remove", &remove).await.status, 403);
    for other in ["", "&file=", "&file=../state.db", "&file=looks%2Fa.json", "&file=."] {
        assert_eq!(visitor.post("/zones/looks/remove", other).await.status, 422, "{other}");
    }
    assert_eq!(folder.read_dir().unwrap().count(), 1);
    let removed = visitor.post("/zones/looks/remove", &remove).await;
    assert_eq!((removed.status, removed.header("location")), (303, "/zones"));
    assert_eq!(folder.read_dir().unwrap().count(), 0);
    assert!(!visitor.get("/zones").await.body.contains("Files that are not counted"));
    let address = audit(&visitor, true).await;
    assert!(!visitor.get(&address).await.body.contains("No rule names the zones"));
}

#[tokio::test]
async fn uploads_have_a_budget_and_what_a_crash_left_is_not_in_it() {
    let simulation = simulation();
    let served = serve_over(with_rules(&simulation, &rules(RULES)), connector(simulation.clone())).await;
    let visitor = served.visitor().await;
    let text = looks(&simulation, &[LEDGER]).await.to_string();
    let folder = served.directory.path().join("looks");
    std::fs::create_dir(&folder).unwrap();
    let sized = |name: &str, size: u64| std::fs::File::create(folder.join(name)).unwrap().set_len(size).unwrap();
    let budget = 128_u64 << 20;
    sized("other", budget - text.len() as u64 + 1);
    let refused = bring(&visitor, &text).await;
    assert!(refused.status == 422 && refused.body.contains("128 MiB together"), "{}", refused.body);
    assert_eq!(folder.read_dir().unwrap().count(), 1, "nothing was kept");
    sized("other", budget - text.len() as u64);
    let begun = "hub-weu-0011223344556677.json.6f2d9a52-2c50-4a3a-9d0a-0f4f5d3b1c11";
    sized(begun, budget);
    assert_eq!(bring(&visitor, &text).await.status, 200);
    assert!(!folder.join(begun).exists() && folder.join("other").exists());
    assert_eq!(bring(&visitor, &text).await.status, 200, "the same again takes no more room");
}

#[tokio::test]
async fn what_a_revoked_prober_saw_counts_no_more() {
    let simulation = simulation();
    simulation_on(&simulation);
    let served = serve_over(with_rules(&simulation, &rules(RULES)), connector(simulation.clone())).await;
    let visitor = served.visitor().await;
    let store = AuditStore::open(served.directory.path()).unwrap();
    let now_ms = Timestamp::now().as_millisecond();
    for (id, at_ms) in [("p-1", now_ms), ("p-2", now_ms - 48 * 3_600_000)] {
        store.add_join_secret(id, "hub-weu", now_ms + 3_600_000).unwrap();
        let new = NewProber { id: id.into(), key_sha256: format!("{id:0>64}"), version: "0.1.0".into(), at_ms };
        assert_eq!(store.enrol_prober(id, &new).unwrap(), Enrolment::Done("hub-weu".into()));
    }
    assert!(store.ask_prober("p-1", &[(LEDGER, 5432)], now_ms).unwrap());
    let seen = reports(&simulation, &[LEDGER]).await;
    let looks = seen.iter().map(|report| LookToKeep {
        address: report.address.clone().unwrap_or_default(),
        weight: 2,
        taken_ms: report.observed_ms.unwrap(),
        document: probe_json::to_text(report).unwrap(),
    });
    let answer = KeptAnswer { host: LEDGER.into(), port: 5432, missing: String::new(), looks: looks.collect() };
    assert!(store.keep_answers("p-1", &[answer], now_ms).unwrap().is_empty());
    audit(&visitor, true).await;
    assert_eq!(standing(&served, "pg-ledger"), Standing::Proven);
    let page = visitor.get("/zones").await.body;
    let probers = page.split_once("h-probers").unwrap().1;
    assert!(probers.contains("1 of 1") && probers.contains("active") && probers.contains("silent"), "{probers}");

    let counted = store.report(&store.latest().unwrap().unwrap(), &ServerFilter::default()).unwrap();
    assert!(store.revoke_prober("p-1", now_ms + 1).unwrap());
    assert_eq!(standing(&served, "pg-ledger"), Standing::Unproven);
    let page = visitor.get("/zones").await.body;
    let ended = page.split_once("Looks that count no more").unwrap().1;
    assert!(ended.contains("pg-ledger") && ended.contains("was revoked or suspended"), "{ended}");
    audit(&visitor, true).await;
    assert_eq!(standing(&served, "pg-ledger"), Standing::Unproven, "no one else has looked");

    // An audit that took its looks in before, and is kept after.
    let mut late = counted;
    late.run.id = "late".to_owned();
    (late.run.started_at, late.run.finished_at) = (Timestamp::now().to_string(), Timestamp::now().to_string());
    store.save(&late).unwrap();
    assert_eq!(standing(&served, "pg-ledger"), Standing::Unproven);
    let refused = ControlId::PlaintextRefused;
    let tallies = store.control_tallies(&store.latest().unwrap().unwrap()).unwrap();
    let tally = tallies.into_iter().find(|(control, _)| control.known() == Some(refused)).unwrap().1;
    assert_eq!(tally.pass, 1, "of pg-open, which is seen from here");
}
