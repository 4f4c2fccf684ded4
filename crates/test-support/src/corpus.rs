//! Runs the corpora of the fuzz targets, and some thousands of mutations of them, always the same: what a fuzzer does, on a
//! stable compiler and in a moment.

use std::path::PathBuf;

/// The inputs of one fuzz target.
pub fn corpus(name: &str) -> Vec<Vec<u8>> {
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

/// Hands the corpus of one fuzz target, and so many mutations of it, to a decoder.
pub fn smoke(name: &str, mutations: usize, decode: impl Fn(&[u8])) {
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
