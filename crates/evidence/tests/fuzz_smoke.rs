//! Runs the corpus of the fuzz target of this crate, and some thousands of mutations of it, always the same.
#![allow(clippy::unwrap_used, reason = "a test may stop at the first surprise")]

use hostssl_evidence::verify;
use hostssl_test_support::corpus::{corpus, smoke};
use std::io::Cursor;

#[test]
fn evidence_pack() {
    let whole = corpus("evidence_pack");
    let is_intact = |bytes: &[u8]| verify(Cursor::new(bytes), None).is_ok_and(|check| check.problems.is_empty());
    let intact = whole.iter().filter(|bytes| is_intact(bytes)).count();
    assert!(intact > 0 && intact < whole.len(), "the corpus has packs as they are written, and others");
    smoke("evidence_pack", 20_000, |bytes| {
        // A change of one byte is found, wherever it is.
        assert!(!is_intact(bytes) || whole.iter().any(|one| one == bytes));
    });
}
