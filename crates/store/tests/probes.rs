//! Kept probes: what goes in comes out, a killed one leaves what it had, and the list of runs has all kinds.

#![allow(clippy::unwrap_used, reason = "a test may stop at the first surprise")]

use hostssl_model::Outcome;
use hostssl_store::{AuditStore, KeptRun, NewProbe, Page, ProbedEndpoint, StoreReader};

const ALL: Page = Page { number: 0, size: 1000 };

fn begun(store: &AuditStore, id: &str, started_ms: i64) {
    let asked = r#"{"users":["postgres"]}"#.to_owned();
    store.begin_probe(&NewProbe { id: id.into(), started_ms, tool_version: "0".into(), asked }).unwrap();
}

fn endpoints(from: usize, outcomes: &[Outcome]) -> Vec<ProbedEndpoint> {
    let numbered = (from..).zip(outcomes);
    numbered
        .map(|(number, outcome)| ProbedEndpoint {
            outcome: *outcome,
            document: format!("{{\"n\":{number}}}"),
            listener: None,
            at_ms: 0,
        })
        .collect()
}

#[test]
fn endpoints_are_kept_by_the_batch() {
    let directory = tempfile::tempdir().unwrap();
    let store = AuditStore::open(directory.path()).unwrap();
    begun(&store, "p1", 1_000);
    store.add_endpoints("p1", &endpoints(0, &[Outcome::Pass, Outcome::Fail])).unwrap();
    store.add_endpoints("p1", &endpoints(2, &[Outcome::Unknown])).unwrap();
    // Killed here, it would have all this.
    let reader = StoreReader::open(directory.path()).unwrap();
    let entry = reader.probe("p1").unwrap().unwrap();
    assert_eq!((entry.pass, entry.fail, entry.unknown, entry.endpoints()), (1, 1, 1, 3));
    assert_eq!((entry.finished_ms, entry.complete), (None, false));

    store.end_probe("p1", 2_000, true).unwrap();
    let entry = store.probe("p1").unwrap().unwrap();
    assert_eq!((entry.finished_ms, entry.complete), (Some(2_000), true));
    assert_eq!(reader.endpoints("p1", ALL).unwrap(), [r#"{"n":0}"#, r#"{"n":1}"#, r#"{"n":2}"#]);
    assert_eq!(reader.endpoints("p1", Page { number: 1, size: 2 }).unwrap(), [r#"{"n":2}"#]);
    assert!(store.probe("p2").unwrap().is_none());
    assert!(store.add_endpoints("p2", &endpoints(0, &[Outcome::Pass])).is_err(), "nothing is kept of what never began");
}

#[test]
fn probes_are_listed_and_go_when_they_should() {
    let directory = tempfile::tempdir().unwrap();
    let store = AuditStore::open(directory.path()).unwrap();
    for (id, at) in [("p1", 1), ("p2", 2), ("p3", 3)] {
        begun(&store, id, at);
        store.add_endpoints(id, &endpoints(0, &[Outcome::Pass])).unwrap();
    }
    assert_eq!(store.prune_probes(2).unwrap(), 1);
    let (runs, total) = store.runs(ALL).unwrap();
    let ids: Vec<_> = runs.iter().map(KeptRun::id).collect();
    assert_eq!((ids.as_slice(), total), (&["p3", "p2"][..], 2));
    assert!(matches!(runs[0], KeptRun::Probe(_)));
    assert!(store.endpoints("p1", ALL).unwrap().is_empty());
}
