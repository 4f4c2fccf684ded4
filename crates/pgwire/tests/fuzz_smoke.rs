//! Runs the corpora of the fuzz targets of this crate, and some thousands of mutations of them, always the same: what a
//! fuzzer does, on a stable compiler and in a moment.

#![expect(clippy::unwrap_used, reason = "a corpus that cannot be read is a failed test")]

use std::path::PathBuf;

use hostssl_pgwire::backend::BackendMessage;
use hostssl_pgwire::frontend::InitialPacket;
use hostssl_pgwire::negotiation::{GssReply, SslReply};
use hostssl_pgwire::text::safe;
use hostssl_pgwire::tls::{Record, ServerFlight};

fn corpus(name: &str) -> Vec<Vec<u8>> {
    let place = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../fuzz/corpus").join(name);
    let mut files: Vec<_> = std::fs::read_dir(place).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    assert!(!files.is_empty());
    files.iter().map(|file| std::fs::read(file).unwrap()).collect()
}

/// xorshift64: the same mutations in every run.
fn next(state: &mut u64, bound: usize) -> usize {
    *state ^= *state << 13;
    *state ^= *state >> 7;
    *state ^= *state << 17;
    (*state % bound.max(1) as u64) as usize
}

fn smoke(name: &str, mutations: usize, decode: impl Fn(&[u8])) {
    let mut state = 0x9e37_79b9_7f4a_7c15;
    let corpus = corpus(name);
    for input in &corpus {
        decode(input);
    }
    for _ in 0..mutations {
        let mut input = corpus[next(&mut state, corpus.len())].clone();
        for _ in 0..=next(&mut state, 3) {
            let at = next(&mut state, input.len());
            match next(&mut state, 4) {
                0 => input.truncate(at),
                1 => input.insert(at.min(input.len()), next(&mut state, 256) as u8),
                _ if input.is_empty() => {}
                2 => input[at] = [0, 0xff, 0x7f, 0x80][next(&mut state, 4)],
                _ => input[at] ^= 1 << next(&mut state, 8),
            }
        }
        decode(&input);
    }
}

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
        if let Ok(Some((_, used))) = Record::decode(bytes) {
            assert!(used <= bytes.len() && used >= 5);
        }
        let _ = ServerFlight::decode(bytes);
    });
    let recorded = corpus("server_flight").into_iter();
    let whole = recorded.filter(|bytes| matches!(ServerFlight::decode(bytes), Ok(Some(_))));
    assert_eq!(whole.count(), 3, "the recorded flights and the alert decode");
}
