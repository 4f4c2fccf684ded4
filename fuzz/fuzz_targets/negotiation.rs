//! The one-byte replies, and text that is made safe.
#![no_main]

use hostssl_pgwire::negotiation::{GssReply, SslReply};
use hostssl_pgwire::text::safe;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let _ = SslReply::decode(bytes);
    let _ = GssReply::decode(bytes);
    assert!(!safe(bytes).contains(char::is_control));
});
