//! The first packet of a client.
#![no_main]

use hostssl_pgwire::frontend::InitialPacket;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    if let Ok(Some((_, used))) = InitialPacket::decode(bytes) {
        assert!(used <= bytes.len());
    }
});
