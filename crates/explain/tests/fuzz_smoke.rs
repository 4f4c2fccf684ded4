//! Runs the corpus of the fuzz target of this crate, and some thousands of mutations of it, always the same.

use hostssl_explain::explain;
use hostssl_test_support::corpus::smoke;

#[test]
fn explanation() {
    smoke("explain", 3000, |bytes| assert!(!explain(&String::from_utf8_lossy(bytes)).meaning.is_empty()));
}
