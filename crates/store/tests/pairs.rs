//! Which two audits are compared where none is named.

#![allow(clippy::unwrap_used, reason = "a test may stop at the first surprise")]

use hostssl_model::{ControlId, Gap, GapScope, Reason, Scope, Unchecked, Word};
use hostssl_store::{AuditStore, StoreReader};
use hostssl_test_support::audited::AuditedFleet;
use proptest::prelude::*;

/// An audit: the number of its scope, whether it was stopped, and whether it checked one control alone.
type Audit = (u8, bool, bool);

fn kept(audits: &[Audit]) -> tempfile::TempDir {
    let directory = tempfile::tempdir().unwrap();
    let store = AuditStore::open(directory.path()).unwrap();
    let mut fleet = AuditedFleet::large(1);
    fleet.set("server-00000", "on");
    for (minute, (scope, stopped, narrowed)) in (0..).zip(audits) {
        let mut report = fleet.report(minute);
        report.run.scope = Scope { subscriptions: vec![format!("subscription {scope}")], ..Scope::default() };
        if *stopped {
            let unchecked = Unchecked::new(Reason::Interrupted, "interrupted");
            report.gaps.push(Gap { scope: GapScope::AllSubscriptions, unchecked });
        }
        if *narrowed {
            report.run.asked.only = vec![Word::Known(ControlId::RequireSecureTransport)];
        }
        store.save(&report).unwrap();
    }
    directory
}

/// The newest one that has one before it of its scope that was not stopped; those of some controls alone come last.
fn expected(audits: &[Audit]) -> Option<(usize, usize)> {
    let pair = |counts: &dyn Fn(&Audit) -> bool| {
        (0..audits.len()).rev().filter(|after| counts(&audits[*after])).find_map(|after| {
            let is_before =
                |before: &usize| audits[*before].0 == audits[after].0 && !audits[*before].1 && counts(&audits[*before]);
            (0..after).rev().find(is_before).map(|before| (before, after))
        })
    };
    pair(&|audit| !audit.2).or_else(|| pair(&|_| true))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn the_newest_pair_of_one_scope_is_found(audits in prop::collection::vec((0..3u8, any::<bool>(), any::<bool>()), 0..7)) {
        let directory = kept(&audits);
        let found = StoreReader::open(directory.path()).unwrap().newest_pair().unwrap();
        let minute = |id: String| (0..).zip(&audits).map(|(minute, _)| AuditedFleet::run_id(minute)).position(|one| one == id);
        prop_assert_eq!(found.map(|(before, after)| (minute(before.id).unwrap(), minute(after.id).unwrap())), expected(&audits));
    }
}
