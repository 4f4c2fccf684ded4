//! Runs the corpus of the fuzz target of this crate, and some thousands of mutations of it, always the same.

use hostssl_certificate::{CertificateEvidence, RootStore, judge};
use hostssl_test_support::corpus::smoke;

#[test]
fn certificate() {
    smoke("certificate", 3000, |bytes| {
        let chain = [bytes.to_vec(), bytes.to_vec()];
        let roots: Vec<_> = RootStore::from_der("fuzz", vec![bytes.to_vec()]).into_iter().collect();
        let evidence = CertificateEvidence {
            chain: &chain,
            host: "db.example",
            roots: &roots,
            now: 1_790_000_000,
            revocation_lists: false,
            key_proof: Ok(()),
        };
        assert!(judge(&evidence).is_some());
    });
}
