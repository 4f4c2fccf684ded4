//! Error messages as people paste them.
#![no_main]

use hostssl_explain::explain;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| {
    assert!(!explain(text).meaning.is_empty());
});
