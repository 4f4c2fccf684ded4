//! Transcripts of an audit's probes: kept with the audit, whole, and gone with it.

#![allow(clippy::unwrap_used, reason = "a test may stop at the first surprise")]

use hostssl_store::{AuditStore, StoreError, StoreReader, TranscriptSpool};
use hostssl_test_support::audited::AuditedFleet;

#[test]
fn a_transcript_comes_back_as_it_was_and_goes_with_its_audit() {
    let directory = tempfile::tempdir().unwrap();
    let store = AuditStore::open(directory.path()).unwrap();
    let (first, second) = (AuditedFleet::small().report(1), AuditedFleet::small().report(2));
    let text = |server: &str| format!("{server}\n{}", "message ".repeat(1000));
    for report in [&first, &second] {
        let mut spool = TranscriptSpool::open(store.directory()).unwrap();
        for server in &report.servers[1..] {
            spool.add(&server.server.id, &text(server.server.name())).unwrap();
        }
        // Of an audit that is not kept, and then of one that is.
        assert_eq!(store.add_transcripts(&report.run.id, &mut spool).unwrap(), 0);
        store.save(report).unwrap();
        assert_eq!(store.add_transcripts(&report.run.id, &mut spool).unwrap(), report.servers.len() as u64 - 1);
        assert_eq!(store.add_transcripts(&report.run.id, &mut spool).unwrap(), 0, "each once");
    }
    let rows = || -> i64 {
        let raw = rusqlite::Connection::open(directory.path().join("hostssl.db")).unwrap();
        raw.query_row("SELECT count(*) FROM audit_transcripts", [], |row| row.get(0)).unwrap()
    };
    assert_eq!(rows(), 2 * (first.servers.len() as i64 - 1));
    let reader = StoreReader::open(directory.path()).unwrap();
    let audit = store.audit(&second.run.id).unwrap().unwrap();
    assert_eq!(reader.transcript(&audit, &second.servers[0].server.id.key()).unwrap(), None);
    for server in &second.servers[1..] {
        let kept = reader.transcript(&audit, &server.server.id.key()).unwrap();
        assert_eq!(kept.unwrap(), text(server.server.name()));
    }
    store.prune(1).unwrap();
    assert_eq!(rows(), first.servers.len() as i64 - 1, "those of the audit that is left");
    // One that was changed is damaged, and not empty.
    let raw = rusqlite::Connection::open(directory.path().join("hostssl.db")).unwrap();
    raw.execute("UPDATE audit_transcripts SET document = x'00'", []).unwrap();
    let damaged = reader.transcript(&audit, &second.servers[1].server.id.key());
    assert!(matches!(damaged, Err(StoreError::Corrupt(_))), "{damaged:?}");
}
