//! The drill: real servers behind the simulated Azure, and real clients of five drivers that connect all the time, some of
//! them in plaintext. The census through Resource Manager names them, each change of the fix-it sheet is applied, a plan turns
//! enforcement on, the wire proves it, and no client sees an error that the census had not named.
//!
//! `scripts/drill` runs it with more servers: HOSTSSL_DRILL_SERVERS, three otherwise.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test may stop at the first surprise")]
#![allow(unreachable_pub, missing_docs, dead_code, reason = "a module of this test, shared with others")]

mod clientele;
mod common;
mod real_azure;

use clientele::{Worker, change, wait_for_rounds};
use hostssl_test_support::drivers::{WireDriver, WireDrivers, drivers};
use hostssl_test_support::postgres::{PASSWORD, RealServer, installed};
use real_azure::{RealAzure, server_name};
use serde_json::Value;
use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// The client that nobody fixes, although the census names it.
const STUBBORN: &str = "stubborn";

/// As Azure writes them, and lists them by day.
const LOGS: &[(&str, &str)] =
    &[("log_line_prefix", "%t-%c-"), ("log_destination", "stderr"), ("log_filename", "postgresql-%Y%m%d.log")];

/// One server with its clients, and the roles of those that connect in plaintext.
struct Site {
    server: Arc<RealServer>,
    workers: Vec<Worker>,
    plaintext: BTreeSet<&'static str>,
}

fn site(place: usize, server: RealServer, drivers: &WireDrivers, pause: Duration) -> Site {
    let server = Arc::new(server);
    let mut clients = vec![
        (WireDriver::Psql, "nightly", "psql nightly", place.is_multiple_of(2)),
        (WireDriver::Psycopg, "billing", "psycopg billing", place.is_multiple_of(3)),
        (WireDriver::Asyncpg, "search", "asyncpg search", place % 3 == 1),
        (WireDriver::NodePostgres, "shop", "node-postgres shop", place % 2 == 1),
        (WireDriver::Jdbc, "orders", "jdbc orders", place % 3 == 2),
    ];
    if place == 0 {
        clients.push((WireDriver::Psql, STUBBORN, "psql stubborn", true));
    }
    let roles = clients.iter().map(|(_, user, ..)| format!("create role {user} login password '{PASSWORD}';"));
    server.psql("sslmode=require application_name=azure", &roles.collect::<String>());
    let plaintext = clients.iter().filter(|(.., is_plain)| *is_plain).map(|(_, user, ..)| *user).collect();
    let start = |(driver, user, application, is_plain): (WireDriver, _, _, bool)| {
        Worker::start(driver, user, application, drivers.start(driver, &server, user), !is_plain, pause)
    };
    let workers = clients.into_iter().map(start).collect();
    Site { server, workers, plaintext }
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}

fn of_server(report: &Value, place: usize) -> &Value {
    let servers = report["servers"].as_array().unwrap();
    servers.iter().find(|server| server["name"] == server_name(place)).unwrap()
}

/// The clients that the census finds in plaintext, with the change that it has for each.
fn named(server: &Value) -> Vec<(&str, &Value)> {
    let clients = server["clients"].as_array().unwrap().iter();
    clients
        .filter(|client| client["tls"] == "plaintext")
        .map(|client| (text(&client["user"]), &client["fix"]))
        .collect()
}

fn workers(sites: &[Site]) -> impl Iterator<Item = &Worker> {
    sites.iter().flat_map(|site| &site.workers)
}

/// Fixes what the sheet says, as it says, except for the stubborn client. Returns how many were fixed.
fn fix(sites: &[Site], census: &Value, sheet: &str) -> usize {
    let mut fixed = 0;
    for (place, site) in sites.iter().enumerate() {
        let named = named(of_server(census, place));
        let names: BTreeSet<&str> = named.iter().map(|(user, _)| *user).collect();
        assert_eq!(names, site.plaintext, "the census names exactly those that the drill started in plaintext");
        for worker in site.workers.iter().filter(|worker| names.contains(worker.user)) {
            assert!(sheet.contains(worker.user), "{}: {sheet}", worker.user);
            let is_told =
                named.iter().any(|(user, fix)| *user == worker.user && fix.to_string().contains(change(worker.driver)));
            assert!(is_told, "the change for {:?}: {named:?}", worker.driver);
            if worker.user != STUBBORN {
                worker.fix();
                fixed += 1;
            }
        }
    }
    fixed
}

/// The gate: without acceptance nothing is planned; with it, each step names the clients of the census.
fn enforce(azure: &RealAzure, sites: &[Site]) {
    let control = ["--control", "require-secure-transport"];
    let done = azure.run(&[&["plan", "-o", "json"][..], &control].concat());
    let refused: Value = serde_json::from_str(&done.stdout).unwrap_or_else(|_| panic!("{}", done.stderr));
    assert_eq!((done.code, refused["steps"].as_array().unwrap().len()), (4, 0), "{}", done.stderr);
    let left_out = refused["leftOut"].as_array().unwrap();
    assert_eq!(left_out.iter().filter(|one| one["reason"] == "breaks-clients").count(), sites.len(), "{refused:#}");
    let reason = "*=the clients of the sheet were changed, and the owner of stubborn was told";
    let plan = azure.plan_and_apply("enforce", &[&control[..], &["--accept-breakage", reason]].concat());
    let steps = plan["steps"].as_array().unwrap();
    assert_eq!(steps.len(), sites.len());
    for (place, site) in sites.iter().enumerate() {
        let step = steps.iter().find(|step| text(&step["server"]).ends_with(&server_name(place))).unwrap();
        let listed = step["clients"]["listed"].as_array().unwrap().iter();
        assert_eq!(listed.map(|client| text(&client["user"])).collect::<BTreeSet<_>>(), site.plaintext);
        assert_eq!(step["disposition"], "breaks-clients");
    }
}

/// Who was fixed makes a server safe: judged by what came after, every one is, but that of the client that nobody fixed. The week that
/// the census asks for otherwise is more than a drill has.
fn assert_safe_once_fixed(azure: &RealAzure, sites: &[Site]) {
    // The lines of the log have whole seconds, and before this one the last attempts in plaintext were over.
    let since = jiff::Timestamp::from_second(jiff::Timestamp::now().as_second() + 1).unwrap().to_string();
    wait_for_rounds(workers(sites));
    wait_for_rounds(workers(sites));
    let done = azure.run(&["clients", "-o", "json", "--since", &since, "--window", "1s"]);
    let report: Value = serde_json::from_str(&done.stdout).unwrap_or_else(|_| panic!("{}", done.stderr));
    for (place, site) in sites.iter().enumerate() {
        let server = of_server(&report, place);
        let expected = if site.plaintext.contains(STUBBORN) { "breaks" } else { "safe" };
        assert_eq!(server["verdict"], expected, "{server:#}");
    }
    // By the usual window, not one is: too little was observed.
    assert!(azure.census()["servers"].as_array().unwrap().iter().all(|server| server["verdict"] != "safe"));
}

/// Turns the download of logs on. Before, nothing is known of any server, and nothing is claimed.
fn make_logs_available(azure: &RealAzure, servers: usize) {
    let done = azure.run(&["clients", "-o", "json"]);
    let report: Value = serde_json::from_str(&done.stdout).unwrap_or_else(|_| panic!("{}", done.stderr));
    assert_eq!((done.code, azure.counts()), (4, (0, 0)), "{}", done.stderr);
    for place in 0..servers {
        let server = of_server(&report, place);
        assert_eq!(server["verdict"], "needs-observation");
        assert!(server.to_string().contains("logfiles.download_enable is off"), "{server:#}");
    }
    assert_eq!(
        azure.plan_and_apply("logs", &["--enable-log-download"])["steps"].as_array().unwrap().len(),
        2 * servers
    );
}

/// Who the census says was refused: the stubborn client, and no other.
fn assert_refused(azure: &RealAzure, sites: &[Site]) {
    let census = azure.census();
    for (place, site) in sites.iter().enumerate() {
        let refused = of_server(&census, place)["refused"].as_array().cloned().unwrap_or_default();
        let refused: Vec<(&str, &str)> =
            refused.iter().map(|one| (text(&one["user"]), text(&one["address"]))).collect();
        let expected = site.plaintext.contains(STUBBORN).then_some((STUBBORN, "127.0.0.1"));
        assert_eq!(refused, expected.into_iter().collect::<Vec<_>>());
    }
    // The run that enforced it shows the same.
    let done = azure.run(&["runs", "show", "latest", "-o", "json"]);
    let run: Value = serde_json::from_str(&done.stdout).unwrap_or_else(|_| panic!("{}", done.stderr));
    let since = run["refused"].as_array().unwrap();
    assert_eq!((since.len(), text(&since[0]["clients"][0]["user"])), (1, STUBBORN), "{run:#}");
}

#[test]
fn nobody_sees_an_error_that_the_census_had_not_named() {
    let began = Instant::now();
    let count: usize = std::env::var("HOSTSSL_DRILL_SERVERS").ok().and_then(|n| n.parse().ok()).unwrap_or(3);
    let Some(drivers) = drivers() else { return };
    // A login costs a process and a handshake: some ten a second in all leave the machine room for the rest.
    let pause = Duration::from_millis(400 * count as u64);
    let mut sites = Vec::new();
    for (place, version) in [15, 17, 18].into_iter().cycle().take(count).enumerate() {
        let Some(bin) = installed(version) else { return };
        sites.push(site(place, RealServer::start(version, bin, LOGS), &drivers, pause));
    }
    let servers: Vec<_> = sites.iter().map(|site| Arc::clone(&site.server)).collect();
    let azure = RealAzure::start(&servers);
    make_logs_available(&azure, count);
    wait_for_rounds(workers(&sites));
    for worker in workers(&sites) {
        assert_eq!(worker.errors(), Vec::<String>::new(), "{}", worker.user);
    }
    assert!(!azure.verdicts().contains(&"enforced".to_owned()), "it is not enforced yet");
    let sheet = azure.run(&["clients", "-o", "markdown"]).stdout;
    let fixed = fix(&sites, &azure.census(), &sheet);
    // Whoever was fixed has connected with TLS before plaintext is refused.
    wait_for_rounds(workers(&sites));
    assert_safe_once_fixed(&azure, &sites);
    enforce(&azure, &sites);
    azure.wait_until_enforced();
    wait_for_rounds(workers(&sites));
    workers(&sites).find(|worker| worker.user == STUBBORN).unwrap().wait_for_an_error();
    // The prober, which comes after, tries in plaintext too.
    assert_refused(&azure, &sites);
    assert_eq!(azure.verdicts(), vec!["enforced"; count], "plaintext is refused on the wire");
    let (mut rounds, mut clients, mut plaintext, mut refused) = (0, 0, 0, BTreeSet::new());
    let mut names = BTreeSet::new();
    workers(&sites).for_each(Worker::end);
    for site in &mut sites {
        plaintext += site.plaintext.len();
        for worker in &mut site.workers {
            rounds += worker.stop();
            clients += 1;
            names.insert(format!("{:?}", worker.driver));
            let errors = worker.errors();
            if worker.user == STUBBORN {
                for error in &errors {
                    assert!(error.contains("no pg_hba.conf entry") && error.contains("no encryption"), "{error}");
                }
                refused.insert((worker.user, errors.len()));
            } else {
                assert_eq!(errors, Vec::<String>::new(), "{}", worker.user);
            }
        }
    }
    let (downloads, writes) = azure.counts();
    assert!(downloads >= 2 * count as u64 && writes == 3 * count, "{downloads} downloads, {writes} writes");
    let drivers = names.len();
    let summary = format!(
        "drill: {count} servers, {clients} clients of {drivers} drivers, {plaintext} in plaintext, {fixed} fixed as the sheet says; \
         {downloads} logs downloaded and {writes} writes accepted by the simulated Azure; {rounds} connections; refused after \
         enforcement: {}; {} s\n",
        refused.iter().map(|(user, times)| format!("{user} ({times} times)")).collect::<Vec<_>>().join(", "),
        began.elapsed().as_secs()
    );
    let _ = std::io::Write::write_all(&mut std::io::stderr(), summary.as_bytes());
}
