//! The present: what was seen of each kind stands until it is seen again, whoever saw it.

#![allow(clippy::unwrap_used, reason = "a test may stop at the first surprise")]

use hostssl_audit::{Profile, server_report};
use hostssl_model::{
    AuditReport, ControlId, Kind, Outcome, Parameter, ParameterName, Reading, Reason, Scope, Standing, Standings,
    Unchecked, WireTransport as Transport, Word, WorstListener,
};
use hostssl_remediation::{
    Direction, Journal as _, JournalEvent, JournalRecord, NewRun, RunId, SafeText, StepEvent, StepOutcome,
};
use hostssl_store::{
    AuditEntry, AuditStore, Page, ServerFilter, ServerReason, ServerRow, ServerSort, Store, StoreReader, server_key,
};
use hostssl_test_support::audited::AuditedFleet;
use hostssl_test_support::fleet::{PlannerKnowledge, flexible};

const ALL: Page = Page { number: 0, size: 1000 };
const REFUSES: Option<Transport> = Some(Transport::Enforced);
const ACCEPTS: Option<Transport> = Some(Transport::Optional);

fn wire() -> Profile {
    Profile::find_for("baseline", true).unwrap()
}

fn now(store: &AuditStore) -> AuditEntry {
    store.latest().unwrap().unwrap()
}

fn row(store: &AuditStore, name: &str) -> ServerRow {
    let rows = store.servers(&now(store), &ServerFilter::default(), ServerSort::Name, false, ALL).unwrap().rows;
    rows.into_iter().find(|row| row.name == name).unwrap()
}

fn opened() -> (tempfile::TempDir, AuditStore) {
    let directory = tempfile::tempdir().unwrap();
    let store = AuditStore::open(directory.path()).unwrap();
    (directory, store)
}

#[test]
fn an_audit_that_did_not_probe_erases_nothing() {
    let (_directory, store) = opened();
    let mut fleet = AuditedFleet::small();
    fleet.probe("orders", &[(5432, REFUSES), (6432, ACCEPTS)]);
    store.save(&fleet.report_by(1, &wire())).unwrap();
    let before = (now(&store).standings, row(&store, "orders").failing);
    fleet.probe("orders", &[]);
    store.save(&fleet.report(2)).unwrap();
    let orders = row(&store, "orders");
    let wire = orders.wire.as_ref().and_then(Word::known);
    assert_eq!((orders.standing, wire), (Standing::AcceptsPlaintext, Some(WorstListener::Optional)));
    assert_eq!((orders.outcome, orders.probed_ms.is_some()), (Outcome::Fail, true));
    assert_eq!((now(&store).standings, orders.failing), before);
    // The page of the server still has the listeners, and says which audit probed.
    let detail = store.server(&now(&store), &server_key(&fleet.id("orders"))).unwrap().unwrap();
    assert_eq!((detail.wire.len(), detail.probed_by), (2, Some(fleet.report(1).run.id)));
    // So have its exported report and the filter.
    let filter = ServerFilter { standings: vec![Standing::AcceptsPlaintext], ..ServerFilter::default() };
    let report = store.report(&now(&store), &filter).unwrap();
    assert_eq!(report.servers.iter().map(Standing::of).collect::<Vec<_>>(), [Standing::AcceptsPlaintext]);
    // What the audit itself saw is what its report counts, in the console as in `runs show`.
    let second = store.audit(&fleet.report(2).run.id).unwrap().unwrap();
    let seen = store.seen_standings(&second).unwrap();
    assert_eq!(seen, Standings::of(&fleet.report(2).servers));
    assert_ne!(seen, second.standings);
    // The audit alone is what it was.
    let alone = store.audit(&fleet.report(2).run.id).unwrap().unwrap();
    let alone = store.server(&alone, &server_key(&fleet.id("orders"))).unwrap().unwrap();
    assert!(alone.wire.is_empty());
}

#[test]
fn a_report_counts_as_the_console_will_before_it_is_kept_and_afterwards() {
    let (directory, store) = opened();
    let mut fleet = AuditedFleet::small();
    fleet.probe("orders", &[(5432, REFUSES), (6432, ACCEPTS)]);
    let probed = fleet.report_by(1, &wire());
    let reader_of = || StoreReader::open(directory.path()).unwrap();
    let mut first = probed.clone();
    reader_of().learn(&mut first).unwrap();
    assert!(first.servers.iter().all(|server| server.known.is_none()), "nothing is kept yet");
    store.save(&probed).unwrap();
    fleet.probe("orders", &[]);
    let mut second = fleet.report(2);
    let seen = Standings::of(&second.servers);
    reader_of().learn(&mut second).unwrap();
    let known = Standings::of(&second.servers);
    assert_ne!(known, seen);
    assert_eq!((known.accepts_plaintext, Standings::seen(&second.servers)), (1, seen));
    store.save(&second).unwrap();
    assert_eq!(known, now(&store).standings, "as the console counts");
    let kept = store.audit(&second.run.id).unwrap().unwrap();
    assert_eq!(kept.standings, known, "as the chart over time counts");
    let told = |report: &AuditReport| report.servers.iter().map(|server| server.known).collect::<Vec<_>>();
    let shown = reader_of().audit_report(&kept).unwrap();
    assert_eq!(told(&shown), told(&second), "with the age of the look");
    let started_ms = store.audit(&probed.run.id).unwrap().unwrap().started_ms;
    let ages = shown.servers.iter().filter_map(|server| server.known).map(|known| known.probed_ms);
    assert_eq!(ages.collect::<Vec<_>>(), [Some(started_ms)]);
}

#[test]
fn the_evidence_outlives_the_audit_that_gathered_it() {
    let (_directory, store) = opened();
    let mut fleet = AuditedFleet::small();
    fleet.probe("orders", &[(5432, ACCEPTS)]);
    store.save(&fleet.report_by(1, &wire())).unwrap();
    fleet.probe("orders", &[]);
    store.save(&fleet.report(2)).unwrap();
    store.prune(1).unwrap();
    assert_eq!(row(&store, "orders").standing, Standing::AcceptsPlaintext);
}

#[test]
fn the_order_in_which_audits_are_kept_does_not_matter() {
    let reports = || {
        let mut fleet = AuditedFleet::small();
        fleet.probe("orders", &[(5432, ACCEPTS)]);
        let first = fleet.report_by(1, &wire());
        fleet.probe("orders", &[]);
        fleet.set("catalog", "on");
        [first, fleet.report(2)]
    };
    let everything_kept = |store: &AuditStore| {
        let rows = store.servers(&now(store), &ServerFilter::default(), ServerSort::Name, false, ALL).unwrap().rows;
        rows.into_iter().map(|row| (row.name, row.standing, row.wire, row.seen_ms)).collect::<Vec<_>>()
    };
    let (_one, forwards) = opened();
    reports().iter().for_each(|report| drop(forwards.save(report).unwrap()));
    let (_other, backwards) = opened();
    reports().iter().rev().for_each(|report| drop(backwards.save(report).unwrap()));
    assert_eq!(everything_kept(&forwards), everything_kept(&backwards));
}

#[test]
fn a_newer_look_at_a_few_is_in_every_count() {
    let (_directory, store) = opened();
    let mut fleet = AuditedFleet::small();
    let whole = fleet.report(1);
    store.save(&whole).unwrap();
    let before = now(&store);
    fleet.set("catalog", "on");
    let mut narrow = fleet.report(2);
    narrow.servers.retain(|server| server.server.name() == "catalog");
    narrow.run.scope = Scope { servers: vec!["catalog".into()], ..Scope::default() };
    store.save(&narrow).unwrap();
    let after = now(&store);
    assert_eq!(after.id, before.id, "the overview is still of the audit of everything");
    assert_eq!((before.standings.not_enforced, after.standings.not_enforced), (2, 1));
    assert_eq!((before.tally.enforced, after.tally.enforced), (2, 3));
    let facets = store.facets(&after).unwrap();
    let flexible = facets.by_kind.iter().find(|(kind, _)| kind.known() == Some(Kind::Flexible));
    assert_eq!(flexible.map(|(_, standings)| standings.not_enforced), Some(1));
    // What the audit itself saw stays what it was.
    assert_eq!(store.audit(&after.id).unwrap().unwrap().standings, before.standings);
}

#[tokio::test]
async fn what_a_run_wrote_and_read_back_counts_at_once() {
    let directory = tempfile::tempdir().unwrap();
    let plan = PlannerKnowledge::new(vec![flexible("a", "off", "TLSv1.2"), flexible("b", "off", "TLSv1.2")]).plan();
    let mut fleet = AuditedFleet::small();
    fleet.rename("catalog", &plan.steps()[0].server);
    fleet.probe("a", &[(5432, ACCEPTS)]);
    let store = AuditStore::open(directory.path()).unwrap();
    store.save(&fleet.report_by(1, &wire())).unwrap();
    assert_eq!(row(&store, "a").standing, Standing::NotEnforced);

    let journal = Store::open(directory.path()).unwrap();
    let run = RunId::new("run-1").unwrap();
    let at_ms = now(&store).started_ms + 1000;
    let first = JournalRecord { at_ms, event: JournalEvent::RunStarted { reason: None, pace: None } };
    journal
        .begin(&NewRun { id: &run, plan: &plan, principal: plan.principal(), first: &first, approvals: None })
        .await
        .unwrap();
    let step = |act| JournalRecord { at_ms, event: JournalEvent::Step { step: 1, direction: Direction::Apply, act } };
    let text = |text: &str| SafeText::new(text);
    let records = [
        step(StepEvent::Intent { found: text("off"), was_default: false }),
        step(StepEvent::Accepted { request_id: None }),
        step(StepEvent::Observed { found: text("on"), pending_restart: false }),
        step(StepEvent::Ended { ending: StepOutcome::Reached { note: None, waits_for_restart: false } }),
    ];
    journal.append(&run, &records).await.unwrap();
    let a = row(&store, "a");
    assert_eq!((a.standing, a.changed), (Standing::NotProbed, Some((at_ms, "run-1".to_owned()))));
    let settled = [ControlId::RequireSecureTransport, ControlId::PlaintextRefused];
    assert!(!a.failing.iter().filter_map(Word::known).any(|control| settled.contains(&control)));
    assert_eq!(now(&store).standings.not_enforced, 1, "the replica is left");
    let (changes, _) = store.changes(&now(&store), &store.audit(&now(&store).id).unwrap().unwrap(), 10).unwrap();
    assert_eq!(changes.len(), 1);
    // It is put back, and that counts too.
    let undo = |act| JournalRecord {
        at_ms: at_ms + 1,
        event: JournalEvent::Step { step: 1, direction: Direction::Undo, act },
    };
    let records = [
        JournalRecord { at_ms: at_ms + 1, event: JournalEvent::RunFinished },
        JournalRecord { at_ms: at_ms + 1, event: JournalEvent::UndoStarted { reason: None } },
        undo(StepEvent::Intent { found: text("on"), was_default: false }),
        undo(StepEvent::Observed { found: text("off"), pending_restart: false }),
    ];
    journal.append(&run, &records).await.unwrap();
    assert_eq!(row(&store, "a").standing, Standing::NotEnforced);
    // A value that was put back and did not stay is not restored.
    let restored = || StoreReader::open(directory.path()).unwrap().runs().unwrap()[0].restored;
    assert_eq!(restored(), 1);
    journal.append(&run, &[undo(StepEvent::Reverted { found: text("on") })]).await.unwrap();
    assert_eq!(restored(), 0);
}

#[test]
fn a_server_is_counted_by_its_own_reason() {
    let (_directory, store) = opened();
    let mut fleet = AuditedFleet::small();
    let stopped = || Reading::Unknown(Unchecked::new(Reason::Stopped, "the server is stopped"));
    for setting in [ParameterName::RequireSecureTransport, ParameterName::SslMinProtocolVersion] {
        fleet.read("orders", setting, stopped());
    }
    fleet.set("replica", "on");
    store.save(&fleet.report(1)).unwrap();
    let facets = store.facets(&now(&store)).unwrap();
    let count = |wanted| facets.reasons.iter().find(|(one, _)| one.known() == Some(wanted)).map(|(_, n)| *n);
    // The replica runs, and was read; only the comparison with its stopped primary was not possible.
    assert_eq!(count(ServerReason::Own(Reason::Stopped)), Some(1));
    assert_eq!(count(ServerReason::OfPrimary), Some(1));
    assert_eq!(facets.unknown.iter().map(|(_, n)| n).sum::<u64>(), now(&store).standings.unknown);
}

#[test]
fn what_waits_for_a_restart_is_not_in_effect() {
    let (_directory, store) = opened();
    let mut fleet = AuditedFleet::small();
    for (server, setting, value) in [
        ("orders", ParameterName::SslMinProtocolVersion, "TLSv1.3"),
        ("catalog", ParameterName::RequireSecureTransport, "on"),
    ] {
        fleet.read(server, setting, Reading::Known(Parameter::in_effect(setting, value).waiting_for_restart(true)));
    }
    store.save(&fleet.report(1)).unwrap();
    assert_eq!(row(&store, "orders").pending, [Word::Known(ParameterName::SslMinProtocolVersion)]);
    assert_eq!((row(&store, "catalog").standing, row(&store, "catalog").pending.len()), (Standing::NotEnforced, 1));
}

/// A state of the version before this one has no present; it is made of the audits that are there.
#[test]
fn the_present_of_an_older_state_is_made_of_its_audits() {
    let (directory, store) = opened();
    let mut fleet = AuditedFleet::small();
    fleet.probe("orders", &[(5432, REFUSES), (6432, ACCEPTS)]);
    store.save(&fleet.report_by(1, &wire())).unwrap();
    fleet.probe("orders", &[]);
    fleet.set("catalog", "on");
    store.save(&fleet.report(2)).unwrap();
    let everything_kept = |store: &AuditStore| {
        let rows = store.servers(&now(store), &ServerFilter::default(), ServerSort::Name, false, ALL).unwrap().rows;
        let then = store.audit(&now(store).id).unwrap().unwrap().standings;
        (format!("{rows:#?}"), now(store).standings, then)
    };
    let before = everything_kept(&store);
    drop(store);
    let raw = rusqlite::Connection::open(directory.path().join("hostssl.db")).unwrap();
    raw.execute_batch(
        "DROP TABLE tags; DROP TABLE census; DROP TABLE current; DROP TABLE evidence; DROP TABLE present; DROP INDEX receipts_by_time;
         ALTER TABLE observations DROP COLUMN standing; ALTER TABLE observations DROP COLUMN pending;
         ALTER TABLE observations DROP COLUMN failing; ALTER TABLE audits DROP COLUMN standings;
         ALTER TABLE audits DROP COLUMN controls; ALTER TABLE audits DROP COLUMN expiry_days;
         ALTER TABLE audits DROP COLUMN by_graph;
         ALTER TABLE observations DROP COLUMN known_wire; ALTER TABLE observations DROP COLUMN probed_ms;
         DROP TABLE prober_targets; DROP TABLE prober_looks; DROP TABLE prober_refusals; DROP TABLE join_secrets; DROP TABLE probers; DROP TABLE copy_of; DROP TABLE kept_plans; DROP TABLE plan_approvals; DROP INDEX orders_of_plan; DROP TABLE sessions; DROP TABLE sign_in_links; DROP TABLE invited; DROP TABLE work_in_progress; DROP TABLE approval_changes; DROP TABLE required_approvals; DROP TABLE audit_transcripts; DROP TABLE folded_receipts; DROP TABLE run_approvals; DROP TABLE proxied_roles; DROP TABLE session_uses; DROP TABLE told_audits; DROP TABLE listed_roles; DROP TABLE unlisted; DROP TABLE searched;
         PRAGMA user_version = 4;",
    )
    .unwrap();
    drop(raw);
    assert_eq!(everything_kept(&AuditStore::open(directory.path()).unwrap()), before);
}

/// A newer version may have kept words that this one does not know: they stay what they are, and prove nothing.
#[test]
fn words_of_another_version_stay_what_they_are() {
    let (directory, store) = opened();
    store.save(&AuditedFleet::small().report(1)).unwrap();
    let raw = rusqlite::Connection::open(directory.path().join("hostssl.db")).unwrap();
    raw.execute_batch(
        "UPDATE servers SET kind = 'managed-instance' WHERE name = 'orders';
         UPDATE current SET tls = 'TLS1_4', reason = 'asleep', wire = 'quantum', accepts = 'TLS1_9',
           pending = 'ssl_ecdh_curve,ssl_min_protocol_version', failing = 'key-size' WHERE server =
           (SELECT num FROM servers WHERE name = 'orders');",
    )
    .unwrap();
    drop(raw);
    let orders = row(&store, "orders");
    assert_eq!(orders.kind, Word::Other("managed-instance".into()));
    assert_eq!(orders.minimal_tls.as_ref().map(Word::as_str), Some("TLS1_4"));
    assert_eq!(orders.reason.as_ref().map(Word::as_str), Some("asleep"));
    assert_eq!(orders.wire.as_ref().map(Word::as_str), Some("quantum"));
    assert_eq!(orders.accepts, Some(Word::Other("TLS1_9".into())));
    assert_eq!(orders.failing, [Word::Other("key-size".into())]);
    // What is known beside an unknown word still counts.
    assert_eq!(
        orders.pending.iter().map(Word::as_str).collect::<Vec<_>>(),
        ["ssl_ecdh_curve", "ssl_min_protocol_version"]
    );
    assert!(orders.floor_waits() && !orders.switch_waits());
}

/// Changes the documents of a server that are kept, as a newer version may have written them.
fn rewrite(directory: &tempfile::TempDir, server: &str, changes: &[(&str, &str, &str)]) {
    let raw = rusqlite::Connection::open(directory.path().join("hostssl.db")).unwrap();
    for (table, from, to) in changes {
        let column = table.trim_end_matches('s').replace("fact", "facts");
        let sql = format!(
            "UPDATE {table} SET document = replace(document, ?2, ?3) WHERE instr(document, ?2) AND num IN \
             (SELECT c.{column} FROM current c JOIN servers s ON s.num = c.server WHERE s.name = ?1)"
        );
        assert_eq!(raw.execute(&sql, [server, from, to]).unwrap(), 1, "{from}");
    }
}

/// What a newer version wrote in the documents of an audit is unknown to this one; the audit is not damaged by it, and it is
/// not complete either.
#[test]
fn documents_of_another_version_are_unknown_where_their_words_are() {
    let (directory, store) = opened();
    let mut fleet = AuditedFleet::small();
    fleet.probe("orders", &[(5432, REFUSES)]);
    store.save(&fleet.report_by(1, &wire())).unwrap();
    let audit = now(&store);
    let known = store.report(&audit, &ServerFilter::default()).unwrap();
    rewrite(
        &directory,
        "orders",
        &[
            ("facts", "\"setting\":\"ssl_min_protocol_version\"", "\"setting\":\"ssl_ecdh_curve\""),
            ("facts", "\"transport\":\"enforced\"", "\"transport\":\"quantum\""),
            ("judgements", "\"control\":\"minimum-tls-version\"", "\"control\":\"key-size\""),
        ],
    );
    rewrite(&directory, "catalog", &[("facts", "\"kind\":\"flexible\"", "\"kind\":\"managed-instance\"")]);
    let report = store.report(&audit, &ServerFilter::default()).unwrap();
    let server = |name: &str| report.servers.iter().find(|one| one.server.name() == name);
    let orders = server("orders").unwrap();
    assert!(orders.findings.iter().all(|finding| finding.control != ControlId::MinimumTlsVersion));
    assert!(orders.readings.iter().all(|(name, _)| *name != ParameterName::SslMinProtocolVersion));
    assert_eq!(
        orders.findings.len() + 1,
        known.servers.iter().find(|one| one.server.id == orders.server.id).unwrap().findings.len()
    );
    // Nothing can be said of a kind that is not known: the gap alone tells of that server.
    assert!(server("catalog").is_none());
    assert_eq!(report.summary.servers + 1, known.summary.servers);
    assert!(!report.run.complete);
    let newer: Vec<_> = report.gaps.iter().filter(|gap| gap.unchecked.detail.contains("newer hostssl")).collect();
    let [first, second] = newer.as_slice() else { panic!("{newer:?}") };
    assert!(
        first.scope.to_string().ends_with("/catalog") && first.unchecked.detail.contains("the kind `managed-instance`")
    );
    for word in ["the setting `ssl_ecdh_curve`", "of port 5432 the verdict `quantum`", "the control `key-size`"] {
        assert!(second.unchecked.detail.contains(word), "{word}: {}", second.unchecked.detail);
    }
    // Its page has everything that was kept, and says what is not known.
    let detail = store.server(&audit, &server_key(&fleet.id("orders"))).unwrap().unwrap();
    assert!(detail.readings.iter().any(|reading| reading.name() == Word::Other("ssl_ecdh_curve".into())));
    assert_eq!(detail.newer.len(), 3, "{:?}", detail.newer);
}

#[test]
fn floors_are_sorted_by_what_they_accept() {
    let (_directory, store) = opened();
    let mut fleet = AuditedFleet::small();
    let floor = |value| Reading::Known(Parameter::in_effect(ParameterName::SslMinProtocolVersion, value));
    for (server, value) in [("catalog", "TLSv1.3"), ("orders", "TLSv1"), ("replica", "TLSv1.2")] {
        fleet.read(server, ParameterName::SslMinProtocolVersion, floor(value));
    }
    fleet.read(
        "Legacy",
        ParameterName::MinimalTlsVersion,
        Reading::Known(Parameter::in_effect(ParameterName::MinimalTlsVersion, "TLSEnforcementDisabled")),
    );
    store.save(&fleet.report(1)).unwrap();
    let page = store.servers(&now(&store), &ServerFilter::default(), ServerSort::Tls, false, ALL).unwrap();
    let names: Vec<String> = page.rows.into_iter().map(|row| row.name).collect();
    assert_eq!(names, ["Legacy", "orders", "replica", "catalog", "payroll"], "the loosest first, unknown last");
}

/// The report of an audit of some controls alone: it read what those need, and nothing else.
fn of_some(fleet: &AuditedFleet, minute: u64, controls: &[ControlId]) -> AuditReport {
    let ids: Vec<String> = controls.iter().map(ToString::to_string).collect();
    let profile = Profile::find("baseline").unwrap().narrowed(&ids).unwrap();
    let mut report = fleet.report_by(minute, &profile);
    let settings: Vec<_> = ParameterName::ALL
        .into_iter()
        .filter(|name| name.is_switch() == controls.contains(&ControlId::RequireSecureTransport))
        .collect();
    for server in &mut report.servers {
        let mut posture = server.posture();
        posture.readings.retain(|(name, _)| settings.contains(name));
        *server = server_report(&posture, server.primary.as_deref(), &profile);
    }
    report.run.asked = profile.asked();
    report
}

fn tallies(store: &AuditStore) -> Vec<(String, u64, u64)> {
    let found = store.control_tallies(&now(store)).unwrap();
    found.into_iter().map(|(control, tally)| (control.to_string(), tally.fail, tally.pass)).collect()
}

#[test]
fn an_audit_of_some_controls_says_nothing_of_the_others() {
    let (_directory, store) = opened();
    let mut fleet = AuditedFleet::small();
    let whole = fleet.report(1);
    store.save(&whole).unwrap();
    let (before, counted) = (now(&store), tallies(&store));
    let rows = |store: &AuditStore| {
        let page = store.servers(&now(store), &ServerFilter::default(), ServerSort::Name, false, ALL).unwrap();
        let told = page.rows.into_iter().map(|row| (row.name, row.standing, row.outcome, row.failing, row.minimal_tls));
        told.collect::<Vec<_>>()
    };
    let known = rows(&store);
    let narrowed = of_some(&fleet, 2, &[ControlId::MinimumTlsVersion]);
    let seen = Standings::of(&narrowed.servers);
    assert!(seen.unknown > before.standings.unknown, "alone, it does not know who enforces: {seen:?}");
    store.save(&narrowed).unwrap();
    let after = now(&store);
    assert_eq!(
        (after.id.clone(), after.standings, after.summary),
        (whole.run.id.clone(), before.standings, before.summary)
    );
    assert_eq!((tallies(&store), rows(&store)), (counted.clone(), known));
    assert_eq!(store.audit(&narrowed.run.id).unwrap().unwrap().asked.only_words(), "minimum-tls-version");

    // What it was asked for is the newest evidence.
    let fails = |store: &AuditStore, name: &str| {
        row(store, name).failing.contains(&Word::Known(ControlId::RequireSecureTransport))
    };
    assert!(fails(&store, "catalog"));
    fleet.set("catalog", "on");
    store.save(&of_some(&fleet, 3, &[ControlId::RequireSecureTransport])).unwrap();
    assert!(!fails(&store, "catalog"));
    assert_eq!(now(&store).standings.not_enforced, before.standings.not_enforced - 1);
    let of_switch =
        |tallies: Vec<(String, u64, u64)>| tallies.into_iter().find(|one| one.0 == "require-secure-transport");
    assert_eq!(of_switch(tallies(&store)).unwrap().1, of_switch(counted).unwrap().1 - 1);

    // It is compared with one of the same controls, and what is kept for the present outlives it.
    store.save(&of_some(&fleet, 4, &[ControlId::MinimumTlsVersion])).unwrap();
    let newest = store.audit(&fleet.report(4).run.id).unwrap().unwrap();
    assert_eq!(store.previous(&newest).unwrap().map(|one| one.id), Some(narrowed.run.id));
    assert_eq!(store.previous(&now(&store)).unwrap().map(|one| one.id), None);
    let known = rows(&store);
    store.prune(1).unwrap();
    assert_eq!(rows(&store), known);
}

const MINUTES_A_DAY: u64 = 1440;

/// The report of an audit on a day, whose certificate ends on the 30th.
fn on_day(fleet: &AuditedFleet, day: u64) -> AuditReport {
    let mut report = fleet.report((day - 1) * MINUTES_A_DAY);
    for look in report.servers.iter_mut().flat_map(|server| &mut server.wire) {
        look.observed_at = report.run.started_at.as_str().into();
        if let Reading::Known(listener) = &mut look.listener {
            listener.certificate = Some(hostssl_model::WireCertificate {
                verify_full: Some(true),
                reason: None,
                not_after: Some("2026-11-30T00:00:00Z".into()),
                days_left: Some(30 - i64::try_from(day).unwrap()),
                root: None,
            });
        }
    }
    report
}

fn probed_fleet() -> AuditedFleet {
    let mut fleet = AuditedFleet::small();
    let name = fleet.report(0).servers[0].server.name().to_owned();
    fleet.probe(&name, &[(5432, Some(Transport::Enforced))]);
    fleet
}

#[test]
fn a_server_that_does_not_change_is_kept_once_though_its_certificate_ages() {
    let (directory, store) = opened();
    let fleet = probed_fleet();
    let database = rusqlite::Connection::open(directory.path().join("hostssl.db")).unwrap();
    let facts = || database.query_row("SELECT count(*) FROM facts", [], |row| row.get::<_, i64>(0)).unwrap();
    store.save(&on_day(&fleet, 1)).unwrap();
    let first = facts();
    for day in 2..=9 {
        let report = on_day(&fleet, day);
        let audit = store.audit(&store.save(&report).unwrap()).unwrap().unwrap();
        let read = store.report(&audit, &ServerFilter::default()).unwrap();
        assert_eq!(read.servers[0].wire, report.servers[0].wire, "the days are those of day {day}");
    }
    assert_eq!(facts(), first);
}

#[test]
fn a_look_that_was_carried_keeps_its_place_and_is_as_old_as_it_is() {
    let (_directory, store) = opened();
    let mut report = on_day(&probed_fleet(), 5);
    let taken: jiff::Timestamp = "2026-11-04T12:00:00Z".parse().unwrap();
    let look = &mut report.servers[0].wire[0];
    let vantage = hostssl_model::Vantage { zone: "hub-weu".into(), observed_ms: taken.as_millisecond(), prober: None };
    (look.vantage, look.observed_at) = (Some(Box::new(vantage)), "2026-11-04T12:00:00Z".into());
    if let Reading::Known(listener) = &mut look.listener {
        listener.certificate.as_mut().unwrap().days_left = Some(25);
    }
    let audit = store.audit(&store.save(&report).unwrap()).unwrap().unwrap();
    let read = store.report(&audit, &ServerFilter::default()).unwrap();
    assert_eq!(read.servers[0].wire, report.servers[0].wire);

    let latest = store.latest().unwrap().unwrap();
    let key = server_key(&report.servers[0].server.id);
    let evidence = store.server(&latest, &key).unwrap().unwrap().evidence.unwrap();
    assert_eq!(evidence.zones.seen[&(5432, "hub-weu".into())].at_ms, taken.as_millisecond());
}

/// One rule for every figure of the present: what a zone saw and no later look from there ended fails the control that is about
/// it, wherever the newest audit looked from.
#[test]
fn what_a_zone_saw_fails_its_control_until_the_zone_says_otherwise() {
    let (_directory, store) = opened();
    let mut fleet = AuditedFleet::small();
    let key = server_key(&fleet.id("orders"));
    fleet.probe("orders", &[(5432, ACCEPTS)]);
    let mut seen = fleet.report_by(1, &wire());
    let vantage = hostssl_model::Vantage { zone: "hub-weu".into(), observed_ms: now_ms(&seen), prober: None };
    for look in seen.servers.iter_mut().flat_map(|server| &mut server.wire) {
        look.vantage = Some(Box::new(vantage.clone()));
    }
    store.save(&seen).unwrap();
    fleet.probe("orders", &[(5432, REFUSES)]);
    let from_here = store.save(&fleet.report_by(2, &wire())).unwrap();

    let refused = ControlId::PlaintextRefused;
    let orders = row(&store, "orders");
    assert_eq!(orders.standing, Standing::AcceptsPlaintext);
    assert!(orders.failing.iter().any(|control| control.known() == Some(refused)), "{:?}", orders.failing);
    let finding = |detail: hostssl_store::ServerDetail| {
        detail.findings.into_iter().find(|one| one.control().known() == Some(refused)).unwrap()
    };
    let present = finding(store.server(&now(&store), &key).unwrap().unwrap());
    assert_eq!(present.outcome(), Outcome::Fail);
    assert!(present.observed.as_ref().unwrap().contains("port 5432 from zone hub-weu"), "{present:?}");
    let failing = |audit: &AuditEntry| {
        let tallies = store.control_tallies(audit).unwrap();
        tallies.into_iter().find(|(control, _)| control.known() == Some(refused)).unwrap().1.fail
    };
    let in_report = |audit: &AuditEntry| {
        let report = store.report(audit, &ServerFilter::default()).unwrap();
        let server = report.servers.into_iter().find(|one| one.server.name() == "orders").unwrap();
        server.findings.into_iter().find(|one| one.control == refused).unwrap().outcome
    };
    let mut outcomes = Vec::new();
    store.each_outcome(&now(&store), &mut |one| outcomes.push(one)).unwrap();
    let of_orders = outcomes.iter().find(|one| one.key == key).unwrap();
    assert!(of_orders.outcomes.contains(&(refused, Outcome::Fail)), "{of_orders:?}");
    assert_eq!((failing(&now(&store)), in_report(&now(&store))), (1, Outcome::Fail));
    // The audit itself stays what it was.
    let then = store.audit(&from_here).unwrap().unwrap();
    assert_eq!((failing(&then), in_report(&then)), (0, Outcome::Pass));
    assert_eq!(finding(store.server(&then, &key).unwrap().unwrap()).outcome(), Outcome::Pass);
}

fn now_ms(report: &AuditReport) -> i64 {
    report.run.started_at.parse::<jiff::Timestamp>().unwrap().as_millisecond()
}
