//! Runs the corpora of the fuzz targets of this crate, and some thousands of mutations of them, always the same: what a
//! fuzzer does, on a stable compiler and in a moment.

use hostssl_pgwire::backend::BackendMessage;
use hostssl_pgwire::frontend::InitialPacket;
use hostssl_pgwire::negotiation::{GssReply, SslReply};
use hostssl_pgwire::text::safe;
use hostssl_pgwire::tls::{ServerFlight, TlsRecord};
use hostssl_test_support::corpus::{corpus, smoke};

#[test]
fn backend_message() {
    smoke("backend_message", 5000, |bytes| {
        let _ = BackendMessage::decode(bytes);
        if let Ok(Some((_, used))) = BackendMessage::decode_startup_reply(bytes) {
            assert!(used <= bytes.len() && used > 0);
        }
    });
}

#[test]
fn initial_packet() {
    smoke("initial_packet", 5000, |bytes| {
        if let Ok(Some((_, used))) = InitialPacket::decode(bytes) {
            assert!(used <= bytes.len());
        }
    });
}

#[test]
fn negotiation() {
    smoke("negotiation", 5000, |bytes| {
        let _ = SslReply::decode(bytes);
        let _ = GssReply::decode(bytes);
        assert!(!safe(bytes).contains(char::is_control));
    });
}

#[test]
fn server_flight() {
    smoke("server_flight", 5000, |bytes| {
        if let Ok(Some((_, used))) = TlsRecord::decode(bytes) {
            assert!(used <= bytes.len() && used >= 5);
        }
        let _ = ServerFlight::decode(bytes);
    });
    let recorded = corpus("server_flight").into_iter();
    let whole = recorded.filter(|bytes| matches!(ServerFlight::decode(bytes), Ok(Some(_))));
    assert_eq!(whole.count(), 3, "the recorded flights and the alert decode");
}
