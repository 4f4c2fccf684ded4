//! Runs the corpus of the fuzz target of this crate, and some thousands of mutations of it, always the same.

use hostssl_probe::target::ProbeTarget;
use hostssl_test_support::corpus::smoke;

#[test]
fn target() {
    smoke("target", 5000, |bytes| {
        let text = String::from_utf8_lossy(bytes);
        for target in ProbeTarget::parse(&text).into_iter().flatten() {
            assert!(target.port != 0 && !target.host.is_empty());
        }
    });
}
