//! Certificates: the first in `bytes`, with the whole as a second of the chain and as a root.
#![no_main]

use hostssl_certificate::{CertificateEvidence, RootStore, judge};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let chain = [bytes.to_vec(), bytes.to_vec()];
    let roots: Vec<_> = RootStore::from_der("fuzz", vec![bytes.to_vec()]).into_iter().collect();
    let evidence = CertificateEvidence {
        chain: &chain,
        host: "db.example",
        roots: &roots,
        now: 1_790_000_000,
        revocation_lists: false, key_proof: Ok(()),
    };
    assert!(judge(&evidence).is_some());
});
