//! Evidence packs: whatever the bytes are, a check ends, and only what is as it was written has no problem.
#![no_main]

use hostssl_evidence::verify;
use libfuzzer_sys::fuzz_target;
use std::io::Cursor;

fuzz_target!(|bytes: &[u8]| {
    if let Ok(check) = verify(Cursor::new(bytes), None) {
        assert!(!check.problems.is_empty() || !check.manifest.is_empty());
    }
});
