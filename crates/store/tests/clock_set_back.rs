//! A clock that is set back between two audits: the order is the one in which they were kept.

#![allow(clippy::unwrap_used, reason = "a test may stop at the first surprise")]

use hostssl_audit::Profile;
use hostssl_model::{AuditReport, Outcome, Standing, WireTransport};
use hostssl_remediation::{Direction, Journal as _, JournalEvent, JournalRecord, NewRun, RunId, SafeText, StepEvent};
use hostssl_store::{
    AuditStore, NewProbe, Page, ProbedEndpoint, ServerFilter, ServerRow, ServerSort, Store, StoreReader,
};
use hostssl_test_support::audited::AuditedFleet;
use hostssl_test_support::fleet::{PlannerKnowledge, flexible};
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

/// A stand-alone probe of a server, of a clock that is so many minutes ahead of this one.
fn probed(store: &AuditStore, fleet: &AuditedFleet, id: &str, ahead: i64) {
    let at_ms = (Timestamp::now() + SignedDuration::from_mins(ahead)).as_second() * 1000;
    let report = fleet.report_by(9, &Profile::find_for("baseline", true).unwrap());
    let orders = report.servers.iter().find(|server| server.server.name() == "orders").unwrap();
    let listener = Some((orders.server.fqdn.as_deref().unwrap().to_owned(), orders.wire[0].clone()));
    let probe = NewProbe { id: id.into(), started_ms: at_ms, tool_version: "0".into(), asked: "{}".into() };
    store.begin_probe(&probe).unwrap();
    let endpoint = ProbedEndpoint { outcome: Outcome::Fail, document: "{}".into(), listener, at_ms };
    store.add_endpoints(id, &[endpoint]).unwrap();
}

#[test]
fn the_newest_probe_is_the_one_that_was_kept_last() {
    let directory = tempfile::tempdir().unwrap();
    let store = AuditStore::open(directory.path()).unwrap();
    let mut fleet = AuditedFleet::small();
    fleet.set("orders", "on");
    store.save(&audited(&fleet, 1, 0, false)).unwrap();
    fleet.probe("orders", &[(5432, Some(WireTransport::Enforced))]);
    probed(&store, &fleet, "ahead", 60);
    assert_eq!(row(&store, "orders").standing, Standing::Proven);
    fleet.probe("orders", &[(5432, Some(WireTransport::Optional))]);
    probed(&store, &fleet, "now", 0);
    let orders = row(&store, "orders");
    assert_eq!(orders.standing, Standing::AcceptsPlaintext, "it is not hidden by a time to come");
    assert!(orders.probed_ms.unwrap() <= Timestamp::now().as_millisecond());
    // The same where it was an audit that the clock ahead made.
    fleet.probe("orders", &[(5432, Some(WireTransport::Enforced))]);
    store.save(&audited(&fleet, 2, 60, true)).unwrap();
    assert_eq!(row(&store, "orders").standing, Standing::Proven);
    fleet.probe("orders", &[(5432, Some(WireTransport::Optional))]);
    probed(&store, &fleet, "later", 0);
    assert_eq!(row(&store, "orders").standing, Standing::AcceptsPlaintext);
}

#[tokio::test]
async fn what_was_read_back_last_counts_whatever_the_clock_said() {
    let directory = tempfile::tempdir().unwrap();
    let plan = PlannerKnowledge::new(vec![flexible("a", "off", "TLSv1.2")]).plan();
    let mut fleet = AuditedFleet::small();
    fleet.rename("catalog", &plan.steps()[0].server);
    let store = AuditStore::open(directory.path()).unwrap();
    store.save(&audited(&fleet, 1, 60, false)).unwrap();
    assert_eq!(row(&store, "a").standing, Standing::NotEnforced);
    let journal = Store::open(directory.path()).unwrap();
    let text = |text: &str| SafeText::new(text);
    for (id, ahead, found, becomes) in
        [("run-1", 90, "off", "on"), ("run-2", 0, "on", "off"), ("run-3", 0, "off", "on")]
    {
        let at_ms = (Timestamp::now() + SignedDuration::from_mins(ahead)).as_millisecond() - 1;
        let run = RunId::new(id).unwrap();
        let first = JournalRecord { at_ms, event: JournalEvent::RunStarted { reason: None, pace: None } };
        journal
            .begin(&NewRun { id: &run, plan: &plan, principal: plan.principal(), first: &first, approvals: None })
            .await
            .unwrap();
        let step =
            |act| JournalRecord { at_ms, event: JournalEvent::Step { step: 1, direction: Direction::Apply, act } };
        let records = [
            step(StepEvent::Intent { found: text(found), was_default: false }),
            step(StepEvent::Accepted { request_id: None }),
            step(StepEvent::Observed { found: text(becomes), pending_restart: false }),
        ];
        journal.append(&run, &records).await.unwrap();
        journal.append(&run, &[JournalRecord { at_ms, event: JournalEvent::RunFinished }]).await.unwrap();
        let standing = if becomes == "on" { Standing::NotProbed } else { Standing::NotEnforced };
        let a = row(&store, "a");
        assert_eq!((a.standing, a.changed.map(|(_, run)| run)), (standing, Some(id.to_owned())), "{id}");
        assert!(!StoreReader::open(directory.path()).unwrap().has_changes().unwrap(), "{id}");
    }
}
