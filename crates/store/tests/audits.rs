//! Kept audits: what goes in comes out, is found, and goes when it should.

#![allow(clippy::unwrap_used, reason = "a test may stop at the first surprise")]

use hostssl_model::{AuditReport, ControlId, Gap, GapScope, Kind, Outcome, Scope, Standing, Word};
use hostssl_store::{
    AuditStore, Enforcement, Page, ServerFilter, ServerSort, Store, StoreError, StoreReader, server_key,
};
use hostssl_test_support::audited::{AuditedFleet, SUBSCRIPTIONS, forbidden};
use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Arc;

const ALL: Page = Page { number: 0, size: 1000 };

fn save(store: &AuditStore, report: &AuditReport) -> hostssl_store::AuditEntry {
    store.audit(&store.save(report).unwrap()).unwrap().unwrap()
}

fn names(store: &AuditStore, audit: &hostssl_store::AuditEntry, filter: &ServerFilter) -> Vec<String> {
    let page = store.servers(audit, filter, ServerSort::Name, false, ALL).unwrap();
    assert_eq!(page.total, page.rows.len() as u64);
    page.rows.into_iter().map(|row| row.name).collect()
}

#[test]
fn what_goes_in_comes_out() {
    let directory = tempfile::tempdir().unwrap();
    let store = AuditStore::open(directory.path()).unwrap();
    let mut report = AuditedFleet::small().report(1);
    let audit = save(&store, &report);
    assert_eq!(audit.tally.servers(), report.summary.servers);
    assert_eq!((audit.summary, audit.complete, audit.whole, audit.stopped), (report.summary, false, true, false));
    let back = store.report(&audit, &ServerFilter::default()).unwrap();
    report.overlay.waived_then = Some(BTreeSet::new());
    // The order within a report is that of the subscriptions' names and the ids, which the fleet keeps.
    assert_eq!(format!("{back:#?}"), format!("{report:#?}"));
    assert!(matches!(store.save(&report), Err(StoreError::AuditExists(_))));
}

#[test]
fn servers_are_found_sorted_and_paged() {
    let directory = tempfile::tempdir().unwrap();
    let store = AuditStore::open(directory.path()).unwrap();
    let audit = save(&store, &AuditedFleet::small().report(1));
    let with = |change: fn(&mut ServerFilter)| {
        let mut filter = ServerFilter::default();
        change(&mut filter);
        names(&store, &audit, &filter)
    };
    assert_eq!(with(|f| f.enforcement = Some(Enforcement::NotEnforced)), ["catalog", "replica"]);
    assert_eq!(with(|f| f.enforcement = Some(Enforcement::Unknown)), ["payroll"]);
    assert_eq!(with(|f| f.reason = Some(Word::read("permission"))), ["payroll"]);
    assert_eq!(with(|f| f.kind = Some(Word::read("single"))), ["Legacy"]);
    assert_eq!(with(|f| f.outcome = Some(Outcome::Unknown)), ["payroll"]);
    assert_eq!(with(|f| f.search = "LEGA".into()), ["Legacy"]);
    assert_eq!(with(|f| f.search = "finance".into()), ["Legacy", "payroll"]);
    assert_eq!(with(|f| f.search = "%".into()), [""; 0]);
    assert_eq!(with(|f| f.search = "' OR 1=1 --".into()), [""; 0]);
    assert_eq!(with(|f| f.state = "Ready".into()).len(), 5);
    assert_eq!(with(|f| f.subscription = SUBSCRIPTIONS[1].1.into()), ["Legacy", "payroll"]);

    let page = |sort, descending, number, size| {
        store.servers(&audit, &ServerFilter::default(), sort, descending, Page { number, size }).unwrap()
    };
    let first = page(ServerSort::Urgency, false, 0, 2);
    assert_eq!((first.rows.len(), first.total), (2, 5));
    assert!(first.rows.iter().all(|row| row.enforcement == Enforcement::NotEnforced));
    assert_eq!(page(ServerSort::Urgency, true, 0, 1).rows[0].enforcement, Enforcement::Enforced);
    let mut seen: Vec<String> =
        (0..3).flat_map(|number| page(ServerSort::Tls, true, number, 2).rows).map(|row| row.name).collect();
    seen.sort();
    assert_eq!(seen, ["Legacy", "catalog", "orders", "payroll", "replica"]);
    for sort in [ServerSort::ResourceGroup, ServerSort::Subscription, ServerSort::Kind, ServerSort::State] {
        let key = |row: &hostssl_store::ServerRow| match sort {
            ServerSort::ResourceGroup => (None, row.resource_group.to_lowercase()),
            ServerSort::Subscription => (None, row.subscription.to_lowercase()),
            ServerSort::Kind => (row.kind.known(), String::new()),
            _ => (None, row.state.to_lowercase()),
        };
        let rows = page(sort, false, 0, 100).rows;
        assert!(rows.is_sorted_by_key(key), "{sort:?}");
    }
    let facets = store.facets(&audit).unwrap();
    assert_eq!(facets.kinds, [(Word::Known(Kind::Flexible), 4), (Word::Known(Kind::Single), 1)]);
    assert_eq!(facets.subscriptions.iter().map(|(_, _, count)| count).sum::<u64>(), 5);
}

#[test]
fn one_server_with_its_evidence_and_its_history() {
    let directory = tempfile::tempdir().unwrap();
    let store = AuditStore::open(directory.path()).unwrap();
    let mut fleet = AuditedFleet::small();
    let first = save(&store, &fleet.report(1));
    save(&store, &fleet.report(2));
    fleet.set("catalog", "on");
    let third = save(&store, &fleet.report(3));
    let key = server_key(&fleet.id("catalog"));
    let server = store.server(&third, &key).unwrap().unwrap();
    assert_eq!(server.row.name, "catalog");
    let reading = &server.readings[0];
    assert_eq!((reading.setting.as_str(), reading.value.as_deref()), ("require_secure_transport", Some("on")));
    assert!(reading.excerpt.as_ref().unwrap().contains("user-override"));
    assert_eq!(reading.excerpt_is_sound(), Some(true));
    let changed = hostssl_store::StoredReading { excerpt: Some("{}".into()), ..reading.clone() };
    assert_eq!(changed.excerpt_is_sound(), Some(false));
    let history = store.history(&key, 10).unwrap();
    let told: Vec<_> = history.iter().map(|entry| (entry.enforcement, entry.changes.clone())).collect();
    let (yes, no) = (Enforcement::Enforced, Enforcement::NotEnforced);
    assert_eq!(told, [(yes, vec!["require_secure_transport off → on".to_owned()]), (no, vec![]), (no, vec![])]);
    assert_eq!(store.last_audit_of(&key).unwrap().unwrap().id, third.id);
    // Since the first audit for what never changed, since the third for what did.
    let since = |name: &str| store.server(&third, &server_key(&fleet.id(name))).unwrap().unwrap().row.since_ms;
    assert_eq!((since("replica"), since("catalog")), (first.started_ms, third.started_ms));
    assert!(store.server(&third, "no such key").unwrap().is_none());

    let (changes, total) = store.changes(&third, &first, 10).unwrap();
    assert_eq!(total, 1);
    assert_eq!(
        (changes[0].row.name.as_str(), changes[0].before, changes[0].after),
        ("catalog", Some(Standing::NotEnforced), Some(Standing::NotProbed))
    );
    assert_eq!(store.previous(&third).unwrap().unwrap().started_ms, first.started_ms + 60_000);
    let trend: Vec<u64> = store.trend(&third, 30).unwrap().iter().map(|entry| entry.tally.enforced).collect();
    assert_eq!(trend, [2, 2, 3]);
}

#[test]
fn a_server_that_comes_and_one_that_goes_are_changes() {
    let directory = tempfile::tempdir().unwrap();
    let store = AuditStore::open(directory.path()).unwrap();
    let mut fleet = AuditedFleet::small();
    let first = save(&store, &fleet.report(1));
    fleet.remove("orders");
    fleet.add("fresh", "off");
    let second = save(&store, &fleet.report(2));
    let (changes, total) = store.changes(&second, &first, 1).unwrap();
    assert_eq!((changes.len(), total), (1, 2), "the count is of all");
    let (changes, _) = store.changes(&second, &first, 10).unwrap();
    let told: Vec<_> = changes.iter().map(|c| (c.row.name.as_str(), c.before, c.after)).collect();
    let (yes, no) = (Some(Standing::NotProbed), Some(Standing::NotEnforced));
    assert_eq!(told, [("fresh", None, no), ("orders", yes, None)]);
    assert_eq!(store.lost_sight(&second, &first).unwrap(), 0, "what is gone did enforce");
    fleet.remove("fresh");
    let third = save(&store, &fleet.report(3));
    assert_eq!(store.lost_sight(&third, &second).unwrap(), 1);
    assert_eq!(store.lost_sight(&store.latest().unwrap().unwrap(), &second).unwrap(), 1, "in the present, too");
}

#[test]
fn the_latest_is_one_that_says_something_about_everything() {
    let directory = tempfile::tempdir().unwrap();
    let store = AuditStore::open(directory.path()).unwrap();
    assert!(store.latest().unwrap().is_none());
    let fleet = AuditedFleet::small();
    let mut narrow = fleet.report(1);
    narrow.run.scope = Scope { servers: vec!["orders".into()], ..Scope::default() };
    let narrow = save(&store, &narrow);
    assert_eq!(store.latest().unwrap().unwrap().id, narrow.id, "better than nothing");
    let mut stopped = fleet.report(2);
    let unchecked = hostssl_model::Unchecked::new(hostssl_model::Reason::Interrupted, "stopped");
    stopped.gaps.push(Gap { scope: GapScope::AllSubscriptions, unchecked });
    let stopped = save(&store, &stopped);
    assert!(stopped.stopped);
    assert_eq!(store.latest().unwrap().unwrap().id, stopped.id);
    let whole = save(&store, &fleet.report(3));
    let mut later = fleet.report(4);
    later.gaps = stopped_gaps();
    save(&store, &later);
    assert_eq!(store.latest().unwrap().unwrap().id, whole.id);
    assert!(store.previous(&whole).unwrap().is_none(), "neither the narrow nor the stopped one is comparable");
}

#[test]
fn an_outage_deletes_nothing_that_was_known_before_it() {
    let directory = tempfile::tempdir().unwrap();
    let store = AuditStore::open(directory.path()).unwrap();
    let fleet = AuditedFleet::small();
    let kept = |minute: u64, how: &dyn Fn(&mut AuditReport)| {
        let mut report = fleet.report(minute);
        report.run.complete = true;
        how(&mut report);
        save(&store, &report).id
    };
    let whole = kept(1, &|_| {});
    let narrow = kept(2, &|report| report.run.asked.only = vec![Word::read("pending-restart")]);
    let stopped = kept(3, &|report| (report.run.complete, report.gaps) = (false, stopped_gaps()));
    let blind = [4, 5, 6].map(|minute| kept(minute, &|report| report.run.complete = false));
    assert_eq!(store.prune(1).unwrap(), 2);
    let (audits, _) = store.audits(Page { number: 0, size: 50 }).unwrap();
    let ids: Vec<_> = audits.into_iter().map(|audit| audit.id).collect();
    assert_eq!(ids, [blind[2].clone(), stopped, narrow, whole]);
}

#[test]
fn a_trend_does_not_end_with_an_audit_that_was_stopped() {
    let directory = tempfile::tempdir().unwrap();
    let store = AuditStore::open(directory.path()).unwrap();
    let fleet = AuditedFleet::small();
    save(&store, &fleet.report(1));
    let whole = save(&store, &fleet.report(2));
    let mut stopped = fleet.report(3);
    stopped.gaps = stopped_gaps();
    save(&store, &stopped);
    let reader = StoreReader::open(directory.path()).unwrap();
    assert_eq!(reader.newest_of_trend().unwrap().map(|audit| audit.id), Some(whole.id));
}

fn stopped_gaps() -> Vec<Gap> {
    let unchecked = hostssl_model::Unchecked::new(hostssl_model::Reason::Deadline, "time was up");
    vec![Gap { scope: GapScope::AllSubscriptions, unchecked }]
}

#[test]
fn gaps_are_told_by_reason() {
    let directory = tempfile::tempdir().unwrap();
    let store = AuditStore::open(directory.path()).unwrap();
    let audit = save(&store, &AuditedFleet::small().report(1));
    let groups = store.gap_groups(&audit).unwrap();
    assert_eq!(groups.len(), 1);
    assert_eq!((groups[0].reason.as_str(), groups[0].servers, groups[0].places), ("permission", 1, 0));
    assert_eq!(groups[0].permissions, [forbidden().missing_permission.unwrap().to_string()]);
    let (gaps, total) = store.gaps(&audit, ALL).unwrap();
    assert_eq!((gaps.len(), total), (1, 1));
    let tallies = store.control_tallies(&audit).unwrap();
    let (_, switch) =
        tallies.iter().find(|(control, _)| control.known() == Some(ControlId::RequireSecureTransport)).unwrap();
    assert_eq!((switch.pass, switch.fail, switch.unknown), (2, 2, 1));
}

#[test]
fn a_server_with_several_gaps_counts_once_and_its_permissions_stand_together() {
    let directory = tempfile::tempdir().unwrap();
    let store = AuditStore::open(directory.path()).unwrap();
    let mut report = AuditedFleet::small().report(1);
    let mut again = report.gaps[0].clone();
    assert!(again.scope.is_server());
    // Azure spells ids now like this, now like that.
    again.scope = GapScope::read(&again.scope.to_string().to_uppercase().replace("/SUBSCRIPTIONS", "/subscriptions"));
    again.unchecked.missing_permission = Some("Another/action".into());
    let place = Gap { scope: GapScope::Subscription(SUBSCRIPTIONS[1].1.into()), unchecked: again.unchecked.clone() };
    report.gaps.extend([again, place.clone(), place]);
    let audit = save(&store, &report);
    let groups = store.gap_groups(&audit).unwrap();
    assert_eq!(groups.len(), 1, "{groups:?}");
    assert_eq!((groups[0].servers, groups[0].places), (1, 1));
    let read = forbidden().missing_permission.unwrap().to_string();
    assert_eq!(groups[0].permissions, ["Another/action".to_owned(), read]);
}

#[test]
fn gaps_of_places_are_told_apart_and_those_of_servers_are_not_among_them() {
    let directory = tempfile::tempdir().unwrap();
    let store = AuditStore::open(directory.path()).unwrap();
    let mut report = AuditedFleet::small().report(1);
    let known = GapScope::Subscription(SUBSCRIPTIONS[1].1.into());
    // A management group whose name sorts before the subscription's, twice: its subscriptions and its descendants.
    let group = GapScope::ManagementGroup("Alpha platform".into());
    let places = [&group, &known, &group, &GapScope::Tenant("t".into()), &GapScope::AllSubscriptions];
    report.gaps.extend(places.map(|scope| Gap { scope: scope.clone(), unchecked: forbidden() }));
    let audit = save(&store, &report);
    let found = store.place_gaps(&audit, u32::MAX).unwrap();
    let of = |scope: &GapScope| found.iter().find(|gap| gap.scope == *scope).unwrap();
    assert_eq!(found.len(), 4, "the gap of a server is not one of a place: {found:?}");
    assert_eq!((of(&group).count, of(&group).name.as_deref()), (2, None));
    assert_eq!(found[0].scope, group, "what hides most comes first");
    assert_eq!((of(&known).count, of(&known).name.as_deref()), (1, Some(SUBSCRIPTIONS[1].0)));
    let permission = forbidden().missing_permission.unwrap();
    assert!(
        found.iter().all(|gap| gap.reason.as_str() == "permission" && *gap.permissions == [permission.to_string()])
    );
    assert_eq!(store.place_gaps(&audit, 1).unwrap().len(), 1);
}

#[test]
fn old_audits_of_a_part_do_not_push_out_those_of_the_whole() {
    let directory = tempfile::tempdir().unwrap();
    let store = AuditStore::open(directory.path()).unwrap();
    let fleet = AuditedFleet::small();
    let whole = [save(&store, &fleet.report(1)), save(&store, &fleet.report(2))];
    let parts = [3, 4, 5].map(|minute| {
        let mut narrow = fleet.report(minute);
        narrow.run.scope = Scope { servers: vec!["orders".into()], ..Scope::default() };
        save(&store, &narrow)
    });
    assert_eq!(store.prune(2).unwrap(), 1);
    let (kept, _) = store.audits(Page { number: 0, size: 50 }).unwrap();
    let kept: Vec<_> = kept.iter().map(|audit| &audit.id).collect();
    assert_eq!(kept, [&parts[2].id, &parts[1].id, &whole[1].id, &whole[0].id]);
}

#[test]
fn old_audits_go_with_what_only_they_needed() {
    let directory = tempfile::tempdir().unwrap();
    let store = AuditStore::open(directory.path()).unwrap();
    let mut fleet = AuditedFleet::small();
    fleet.add("gone", "on");
    for minute in 1..=3 {
        save(&store, &fleet.report(minute));
    }
    fleet.remove("gone");
    let last = save(&store, &fleet.report(4));
    let count = |table: &str| {
        let path = directory.path().join("hostssl.db");
        let sql = format!("SELECT count(*) FROM {table}");
        rusqlite::Connection::open(path).unwrap().query_row(&sql, [], |row| row.get::<_, i64>(0)).unwrap()
    };
    assert_eq!((count("audits"), count("facts"), count("servers")), (4, 6, 6));
    assert_eq!(store.prune(1).unwrap(), 3);
    assert_eq!((count("audits"), count("facts"), count("servers"), count("observations")), (1, 5, 5, 5));
    assert_eq!(store.prune(1).unwrap(), 0);
    assert_eq!(store.latest().unwrap().unwrap().id, last.id);
    assert_eq!(store.report(&last, &ServerFilter::default()).unwrap().servers.len(), 5);
}

#[test]
fn audits_are_kept_while_another_process_changes_servers() {
    let directory = tempfile::tempdir().unwrap();
    let changing = Store::open(directory.path()).unwrap();
    let stores: Vec<_> = (0..4).map(|_| AuditStore::open(directory.path()).unwrap()).collect();
    std::thread::scope(|scope| {
        for (number, store) in stores.iter().enumerate() {
            scope.spawn(move || {
                for minute in 0..5 {
                    store.save(&AuditedFleet::small().report(number as u64 * 10 + minute)).unwrap();
                    store.latest().unwrap().unwrap();
                }
            });
        }
    });
    assert_eq!(stores[0].audits(ALL).unwrap().1, 20);
    assert!(changing.reader().runs().unwrap().is_empty());
}

#[test]
fn many_processes_may_make_a_directory_at_once() {
    let directory = tempfile::tempdir().unwrap();
    let path = Arc::new(directory.path().join("state"));
    let opened: Vec<_> = (0..8)
        .map(|_| {
            let path = path.clone();
            std::thread::spawn(move || AuditStore::open(path.as_path()).map(drop))
        })
        .map(|thread| thread.join().unwrap())
        .collect();
    assert!(opened.iter().all(Result::is_ok), "{opened:?}");
}

#[test]
fn a_state_of_version_1_is_brought_up_to_date_with_its_run() {
    let directory = tempfile::tempdir().unwrap();
    released(directory.path());
    assert!(matches!(StoreReader::open(directory.path()), Err(StoreError::OlderVersion { found: 1, known: 23 })));
    let store = AuditStore::open(directory.path()).unwrap();
    let audit = save(&store, &AuditedFleet::small().report(1));
    assert_eq!(store.latest().unwrap().unwrap().id, audit.id);
    let runs = StoreReader::open(directory.path()).unwrap().runs().unwrap();
    assert_eq!(runs.iter().map(|run| run.id.as_str()).collect::<Vec<_>>(), ["run-1"]);
}

fn released(directory: &Path) {
    let connection = rusqlite::Connection::open(directory.join("hostssl.db")).unwrap();
    connection.execute_batch(include_str!("fixtures/v1.sql")).unwrap();
}

#[test]
fn a_directory_of_a_newer_version_is_left_alone() {
    let directory = tempfile::tempdir().unwrap();
    AuditStore::open(directory.path()).unwrap();
    let connection = rusqlite::Connection::open(directory.path().join("hostssl.db")).unwrap();
    connection.pragma_update(None, "user_version", 99).unwrap();
    let error = AuditStore::open(directory.path()).unwrap_err();
    assert!(matches!(error, StoreError::NewerVersion { found: 99, .. }));
}

/// Run with `cargo test --release -p hostssl-store --test audits -- --ignored --nocapture`.
#[test]
#[ignore = "a measurement"]
fn the_cost_of_a_hundred_audits_of_ten_thousand_servers() {
    let directory = tempfile::tempdir().unwrap();
    let store = AuditStore::open(directory.path()).unwrap();
    let mut fleet = AuditedFleet::large(10_000);
    let began = std::time::Instant::now();
    for minute in 0..100 {
        // One in a hundred servers changes between two audits.
        fleet.flip(minute as usize, 100);
        store.save(&fleet.report(minute)).unwrap();
    }
    println!("one audit kept in {:?}", began.elapsed() / 100);
    let bytes = std::fs::metadata(directory.path().join("hostssl.db")).unwrap().len();
    println!("{} MB on disk", bytes >> 20);
    let audit = store.latest().unwrap().unwrap();
    let previous = store.previous(&audit).unwrap().unwrap();
    let time = |what: &str, work: &dyn Fn()| {
        work();
        let began = std::time::Instant::now();
        for _ in 0..10 {
            work();
        }
        println!("{what}: {:?}", began.elapsed() / 10);
    };
    let sorts = [ServerSort::Urgency, ServerSort::Name, ServerSort::Subscription, ServerSort::Since];
    for sort in sorts {
        let page = Page { number: 2, size: 100 };
        time(&format!("servers by {sort:?}"), &|| {
            store.servers(&audit, &ServerFilter::default(), sort, false, page).unwrap();
        });
    }
    let search = ServerFilter { search: "server-0099".into(), ..ServerFilter::default() };
    time("search", &|| {
        store.servers(&audit, &search, ServerSort::Name, false, ALL).unwrap();
    });
    time("facets", &|| drop(store.facets(&audit).unwrap()));
    time("latest", &|| drop(store.latest().unwrap()));
    time("trend", &|| drop(store.trend(&audit, 30).unwrap()));
    time("changes", &|| drop(store.changes(&audit, &previous, 20).unwrap()));
    time("controls", &|| drop(store.control_tallies(&audit).unwrap()));
    time("gap groups", &|| drop(store.gap_groups(&audit).unwrap()));
    let key = server_key(&fleet.id("server-00042"));
    time("history", &|| drop(store.history(&key, 100).unwrap()));
    time("server", &|| drop(store.server(&audit, &key).unwrap()));
    time("report", &|| drop(store.report(&audit, &ServerFilter::default()).unwrap()));
    let began = std::time::Instant::now();
    store.prune(50).unwrap();
    println!("50 of 100 pruned in {:?}", began.elapsed());
}

#[test]
fn orders_are_kept_with_the_person_and_never_changed() {
    use hostssl_remediation::{PlanHash, RunId};
    use hostssl_store::{Order, OrderAct};
    let directory = tempfile::tempdir().unwrap();
    let store = AuditStore::open(directory.path()).unwrap();
    let (run, other) = (RunId::new("one").unwrap(), RunId::new("two").unwrap());
    let plan = PlanHash::new(&"a".repeat(64)).unwrap();
    let order = |run: &RunId, at_ms, act, person: &str| Order {
        run: run.clone(),
        at_ms,
        act,
        person: person.to_owned(),
        plan: plan.clone(),
    };
    let mut given = vec![order(&run, 3, OrderAct::Resume, "o'; DROP TABLE orders")];
    given.extend(OrderAct::ALL.map(|act| order(&run, 9, act, "bob")));
    store.keep_order(&order(&other, 1, OrderAct::Apply, "eve")).unwrap();
    given.iter().for_each(|one| store.keep_order(one).unwrap());
    assert_eq!(store.orders(&run).unwrap(), given);
    let raw = rusqlite::Connection::open(directory.path().join("hostssl.db")).unwrap();
    for sql in ["DELETE FROM orders", "UPDATE orders SET person = 'mallory'"] {
        assert!(raw.execute(sql, []).unwrap_err().to_string().contains("append-only"), "{sql}");
    }
}

/// SQLite's locks are those of the process: whoever opens and closes the file beside it takes them away, and the next
/// reader of another process deletes the log in use.
#[cfg(target_os = "linux")]
#[test]
fn opening_it_again_leaves_the_locks_alone() {
    use std::os::unix::fs::MetadataExt as _;
    let directory = tempfile::tempdir().unwrap();
    let store = AuditStore::open(directory.path()).unwrap();
    save(&store, &AuditedFleet::small().report(1));
    let inode = std::fs::metadata(directory.path().join("hostssl.db")).unwrap().ino();
    // The kernel's list is read in pieces, and misses a line when other processes lock and unlock meanwhile.
    let is_locked = || {
        (0..100).any(|_| {
            let held = std::fs::read_to_string("/proc/locks").unwrap();
            held.lines().any(|line| line.contains(&format!(":{inode} ")))
        })
    };
    assert!(is_locked(), "a connection in WAL mode holds a lock on the file");
    drop(Store::open(directory.path()).unwrap());
    drop(AuditStore::open(directory.path()).unwrap());
    assert!(is_locked(), "it still holds it");
}

#[test]
fn tags_are_counted_and_chosen_by_and_a_state_from_before_has_them_too() {
    let directory = tempfile::tempdir().unwrap();
    let store = AuditStore::open(directory.path()).unwrap();
    let mut report = AuditedFleet::small().report(1);
    let all = report.servers.len() as u64;
    report.servers[0].server.tags = [("ENVIRONMENT", "staging"), ("owner", "Shop")].into_iter().collect();
    report.servers[1].server.tags = hostssl_model::Tags::default();
    let audit = save(&store, &report);
    let standings_kept = |store: &AuditStore, audit: &hostssl_store::AuditEntry| -> Vec<(String, u64, Vec<String>)> {
        let tags = store.tags(audit).unwrap();
        let values = |tag: &hostssl_store::TagName| -> Vec<String> {
            tag.values.iter().map(|(value, standings)| format!("{value} {}", standings.servers())).collect()
        };
        tags.iter().map(|tag| (tag.name.to_lowercase(), tag.servers, values(tag))).collect()
    };
    let expected = vec![
        ("environment".to_owned(), all - 1, vec![format!("production {}", all - 2), "staging 1".to_owned()]),
        ("owner".to_owned(), 1, vec!["Shop 1".to_owned()]),
    ];
    assert_eq!(standings_kept(&store, &audit), expected);
    let found = |store: &AuditStore, audit: &hostssl_store::AuditEntry, filter: ServerFilter| {
        let page = store.servers(audit, &filter, ServerSort::Name, false, Page { number: 0, size: 100 }).unwrap();
        assert_eq!(page.rows.len() as u64, page.total);
        page.total
    };
    let tagged =
        |name: &str, value: &str| ServerFilter { tag: Some((name.into(), value.into())), ..ServerFilter::default() };
    let untagged = |name: &str| ServerFilter { untagged: name.into(), ..ServerFilter::default() };
    assert_eq!(found(&store, &audit, tagged("Environment", "staging")), 1);
    assert_eq!(found(&store, &audit, tagged("environment", "Staging")), 0, "Azure compares values with case");
    assert_eq!(found(&store, &audit, untagged("environment")), 1);
    let latest = store.latest().unwrap().unwrap();
    assert_eq!(found(&store, &latest, tagged("environment", "production")), all - 2);
    assert_eq!(
        store.server(&latest, &latest_key(&store, &latest)).unwrap().unwrap().tags.get("owner").unwrap(),
        "Shop"
    );
    drop(store);

    // Version 6 had the documents alone.
    let database = rusqlite::Connection::open(directory.path().join("hostssl.db")).unwrap();
    database
        .execute_batch(
            "DROP TABLE tags; ALTER TABLE audits DROP COLUMN controls; ALTER TABLE audits DROP COLUMN expiry_days; \
             ALTER TABLE audits DROP COLUMN by_graph; \
             ALTER TABLE observations DROP COLUMN known_wire; ALTER TABLE observations DROP COLUMN probed_ms; \
             DROP TABLE prober_targets; DROP TABLE prober_looks; DROP TABLE prober_refusals; DROP TABLE join_secrets; DROP TABLE probers; DROP TABLE copy_of; DROP TABLE kept_plans; DROP TABLE plan_approvals; DROP INDEX orders_of_plan; DROP TABLE sessions; DROP TABLE sign_in_links; DROP TABLE invited; DROP TABLE work_in_progress; DROP TABLE approval_changes; DROP TABLE required_approvals; DROP TABLE audit_transcripts; DROP TABLE folded_receipts; DROP TABLE run_approvals; DROP TABLE proxied_roles; DROP TABLE session_uses; DROP TABLE told_audits; DROP TABLE listed_roles; DROP TABLE unlisted; DROP TABLE searched; PRAGMA user_version = 6;",
        )
        .unwrap();
    drop(database);
    let store = AuditStore::open(directory.path()).unwrap();
    assert_eq!(standings_kept(&store, &audit), expected);
    // What is deleted leaves no tags behind.
    store.save(&AuditedFleet::small().report(2)).unwrap();
    store.prune(1).unwrap();
    let database = rusqlite::Connection::open(directory.path().join("hostssl.db")).unwrap();
    let left: i64 = database
        .query_row("SELECT count(*) FROM tags WHERE facts NOT IN (SELECT num FROM facts)", [], |row| row.get(0))
        .unwrap();
    let kept: i64 = database.query_row("SELECT count(*) FROM tags", [], |row| row.get(0)).unwrap();
    assert_eq!((left, kept), (0, all as i64));
}

/// The key of the server that has an owner.
fn latest_key(store: &AuditStore, audit: &hostssl_store::AuditEntry) -> String {
    let filter = ServerFilter { tag: Some(("owner".into(), "Shop".into())), ..ServerFilter::default() };
    let page = store.servers(audit, &filter, ServerSort::Name, false, Page { number: 0, size: 1 }).unwrap();
    page.rows[0].key.clone()
}

/// An audit as it was kept, and its database to damage.
fn intact() -> (tempfile::TempDir, hostssl_store::AuditEntry, StoreReader, rusqlite::Connection) {
    let directory = tempfile::tempdir().unwrap();
    let store = AuditStore::open(directory.path()).unwrap();
    let audit = save(&store, &AuditedFleet::small().report(1));
    let reader = StoreReader::open(directory.path()).unwrap();
    reader.check_documents(&audit).unwrap();
    let database = rusqlite::Connection::open(directory.path().join("hostssl.db")).unwrap();
    (directory, audit, reader, database)
}

#[test]
fn what_was_changed_in_the_database_no_longer_has_its_hash() {
    for (table, old, new) in [("facts", "\"off\"", "\"on\""), ("judgements", "\"fail\"", "\"pass\"")] {
        let (_directory, audit, reader, database) = intact();
        let change = format!("UPDATE {table} SET document = replace(document, ?1, ?2) WHERE instr(document, ?1)");
        assert!(database.execute(&change, [old, new]).unwrap() > 0, "{table}");
        let found = reader.check_documents(&audit).unwrap_err().to_string();
        assert!(found.contains("its SHA-256 differs"), "{found}");
    }
}

#[test]
fn a_server_that_is_lost_from_an_audit_is_missed() {
    let (_directory, audit, reader, database) = intact();
    let one = "DELETE FROM observations WHERE server = (SELECT min(server) FROM observations)";
    assert_eq!(database.execute(one, []).unwrap(), 1);
    let found = reader.check_documents(&audit).unwrap_err().to_string();
    assert!(found.contains("servers of the audit are kept"), "{found}");
}
