//! Runs the corpora of the fuzz targets of this crate, and some thousands of mutations of them, always the same.

#![expect(clippy::unwrap_used, reason = "a corpus that cannot be read is a failed test")]

use hostssl_probe::certificate::{Evidence, RootStore, judge};
use hostssl_probe::target::Target;
use hostssl_test_support::corpus::smoke;

#[test]
fn target() {
    smoke("target", 5000, |bytes| {
        let text = String::from_utf8_lossy(bytes);
        for target in Target::parse(&text).into_iter().flatten() {
            assert!(target.port != 0 && !target.host.is_empty());
        }
    });
}

#[test]
fn certificate() {
    smoke("certificate", 3000, |bytes| {
        let chain = [bytes.to_vec(), bytes.to_vec()];
        let roots: Vec<_> = RootStore::from_der("fuzz", vec![bytes.to_vec()]).into_iter().collect();
        let evidence =
            Evidence { chain: &chain, host: "db.example", roots: &roots, now: 1_790_000_000, key_proof: Ok(()) };
        assert!(judge(&evidence).is_some());
    });
}
