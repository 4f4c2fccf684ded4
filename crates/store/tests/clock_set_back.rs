//! A clock that is set back between two audits: the order is the one in which they were kept.

#![allow(clippy::unwrap_used, reason = "a test may stop at the first surprise")]

use hostssl_audit::Profile;
use hostssl_model::{AuditReport, Standing, WireTransport};
use hostssl_store::{AuditStore, Page, ServerFilter, ServerRow, ServerSort, StoreReader};
use hostssl_test_support::audited::AuditedFleet;
use jiff::{SignedDuration, Timestamp};

const ALL: Page = Page { number: 0, size: 1000 };

/// An audit of a clock that is so many minutes ahead of this one.
fn audited(fleet: &AuditedFleet, number: u64, ahead: i64, wire: bool) -> AuditReport {
    let profile = Profile::find_for("baseline", wire).unwrap();
    let mut report = fleet.report_by(number, &profile);
    let began = Timestamp::now() + SignedDuration::from_mins(ahead) - SignedDuration::from_secs(10);
    report.run.started_at = began.to_string();
    report.run.finished_at = (began + SignedDuration::from_secs(2)).to_string();
    report
}

fn row(store: &AuditStore, name: &str) -> ServerRow {
    let latest = store.latest().unwrap().unwrap();
    let rows = store.servers(&latest, &ServerFilter::default(), ServerSort::Name, false, ALL).unwrap().rows;
    rows.into_iter().find(|row| row.name == name).unwrap()
}

fn ids(store: &AuditStore) -> Vec<String> {
    store.audits(ALL).unwrap().0.into_iter().map(|audit| audit.id).collect()
}

#[test]
fn the_newest_audit_is_the_one_that_was_kept_last() {
    let directory = tempfile::tempdir().unwrap();
    let store = AuditStore::open(directory.path()).unwrap();
    let mut fleet = AuditedFleet::small();
    store.save(&audited(&fleet, 1, 60, false)).unwrap();
    fleet.set("catalog", "on");
    let second = audited(&fleet, 2, 0, false);
    store.save(&second).unwrap();
    assert_eq!(row(&store, "catalog").standing, Standing::NotProbed, "what was found last counts");
    fleet.set("catalog", "off");
    store.save(&audited(&fleet, 3, 0, false)).unwrap();
    assert_eq!(row(&store, "catalog").standing, Standing::NotEnforced);
    assert_eq!(ids(&store), [3, 2, 1].map(AuditedFleet::run_id));
    let (before, after) = StoreReader::open(directory.path()).unwrap().newest_pair().unwrap().unwrap();
    assert_eq!([before.id.clone(), after.id.clone()], [2, 3].map(AuditedFleet::run_id));
    assert!(before.is_before(&after) && !after.is_before(&before));
    // What an audit said of its time is what people are shown.
    let first = store.audit(&AuditedFleet::run_id(1)).unwrap().unwrap();
    assert!(first.told_ms() > Timestamp::now().as_millisecond() && first.is_before(&before));
    assert_eq!(store.prune(1).unwrap(), 2);
    assert_eq!(ids(&store), [AuditedFleet::run_id(3)]);
}

#[test]
fn evidence_of_a_clock_that_was_ahead_is_replaced_by_what_is_seen_next() {
    let directory = tempfile::tempdir().unwrap();
    let store = AuditStore::open(directory.path()).unwrap();
    let mut fleet = AuditedFleet::small();
    fleet.probe("orders", &[(5432, Some(WireTransport::Optional))]);
    store.save(&audited(&fleet, 1, 60, true)).unwrap();
    assert_eq!(row(&store, "orders").standing, Standing::AcceptsPlaintext);
    fleet.probe("orders", &[(5432, Some(WireTransport::Enforced))]);
    let mut second = audited(&fleet, 2, 0, true);
    StoreReader::open(directory.path()).unwrap().learn(&mut second).unwrap();
    let orders = second.servers.iter().find(|server| server.server.name() == "orders").unwrap();
    assert!(orders.known.is_none(), "nothing older stands beside it, before it is kept either");
    store.save(&second).unwrap();
    let orders = row(&store, "orders");
    assert_eq!(orders.standing, Standing::Proven);
    assert!(orders.probed_ms.unwrap() <= Timestamp::now().as_millisecond());
}

#[test]
fn a_server_that_only_the_clock_ahead_saw_is_gone() {
    let directory = tempfile::tempdir().unwrap();
    let store = AuditStore::open(directory.path()).unwrap();
    let fleet = AuditedFleet::small();
    store.save(&audited(&fleet, 1, 60, false)).unwrap();
    let mut second = audited(&fleet, 2, 0, false);
    second.servers.retain(|server| server.server.name() != "catalog");
    store.save(&second).unwrap();
    let latest = store.latest().unwrap().unwrap();
    let rows = store.servers(&latest, &ServerFilter::default(), ServerSort::Name, false, ALL).unwrap().rows;
    assert!(!rows.iter().any(|row| row.name == "catalog"));
    assert_eq!(rows.len(), second.servers.len());
}
