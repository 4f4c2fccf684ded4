//! What probers and the console say to each other: neither believes the other.
#![no_main]

use hostssl_formats::prober_json::{MAX_ANSWERS, ProberReply, ProberRequest};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    if let Ok(ProberRequest::Looks { answers, .. }) = ProberRequest::read(bytes) {
        assert!(answers.len() <= MAX_ANSWERS);
    }
    if let Ok(ProberReply::Targets(batch)) = ProberReply::read(bytes) {
        assert!(batch.targets.iter().all(|(target, _)| !target.host.is_empty()));
    }
});
