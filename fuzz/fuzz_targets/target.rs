//! Targets as people write them.
#![no_main]

use hostssl_probe::target::ProbeTarget;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| {
    for target in ProbeTarget::parse(text).into_iter().flatten() {
        assert!(target.port != 0 && !target.host.is_empty());
    }
});
