//! What a server says after a startup.
#![no_main]

use hostssl_pgwire::backend::BackendMessage;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let _ = BackendMessage::decode(bytes);
    if let Ok(Some((_, used))) = BackendMessage::decode_startup_reply(bytes) {
        assert!(used <= bytes.len() && used > 0);
    }
});
