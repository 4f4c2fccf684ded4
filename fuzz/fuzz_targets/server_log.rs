//! Logs of a server, in any format.
#![no_main]

use hostssl_census::{Census, LogEnd, LogReader, Requirements, SourceKind, CensusVerdict};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let read = |piece: usize| {
        let mut reader = LogReader::new(Census::default(), None);
        reader.begin(SourceKind::LogFile, "log");
        bytes.chunks(piece.max(1)).for_each(|piece| reader.feed(piece));
        reader.end(LogEnd::Whole);
        reader.finish().finish(Requirements::default())
    };
    let whole = read(bytes.len());
    assert!(whole.verdict != CensusVerdict::Safe || whole.observed > 0);
    // The size of the pieces does not matter.
    assert_eq!(whole.clients, read(7).clients);
});
