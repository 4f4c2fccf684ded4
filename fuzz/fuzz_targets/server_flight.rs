//! What a TLS server sends in clear.
#![no_main]

use hostssl_pgwire::tls::{TlsRecord, ServerFlight};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    if let Ok(Some((_, used))) = TlsRecord::decode(bytes) {
        assert!(used <= bytes.len() && used >= 5);
    }
    let _ = ServerFlight::decode(bytes);
});
