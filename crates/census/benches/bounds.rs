//! What the largest inputs cost: one line of 10 GB, and the clients of a fleet.
//!
//! `cargo bench -p hostssl-census --bench bounds -- 10240 2000 50` reads a line of so many MiB from memory, then looks twice at so
//! many servers with so many clients each, as `hostssl clients` does: reads a week of logs, merges it into what is kept, writes
//! and reads the document, and judges. The peak of memory is that of the process so far, as Linux tells it.

#![allow(missing_docs, reason = "a program of its own")]
#![allow(clippy::unwrap_used, clippy::print_stdout, reason = "a benchmark may stop at the first surprise, and prints")]

use hostssl_census::{Census, CensusVerdict, KeptCensus, LogEnd, LogReader, MissingReason, Requirements, SourceKind};
use std::fmt::Write as _;
use std::time::Instant;

const LINE: &str = "2026-09-16 19:02:12 UTC-6aaae7b4.1-LOG:  ";

fn main() {
    let numbers: Vec<u64> = std::env::args().filter_map(|argument| argument.parse().ok()).collect();
    let [mib, servers, clients] = numbers[..] else { return sizes(1024, 2_000, 50) };
    sizes(mib, servers, clients);
}

fn sizes(mib: u64, servers: u64, clients: u64) {
    let start = Instant::now();
    long_line(mib);
    let seconds = start.elapsed().as_secs_f64();
    println!("one line of {mib} MiB: {seconds:.1} s, peak {} MiB", peak_mib());
    let start = Instant::now();
    let kept = fleet(servers, clients);
    let seconds = start.elapsed().as_secs_f64();
    let bytes: usize = kept.iter().map(String::len).sum();
    let mb = bytes as f64 / 1e6;
    println!(
        "{servers} servers x {clients} clients: {seconds:.1} s, {mb:.0} MB of documents held, peak {} MiB",
        peak_mib()
    );
}

/// A line that does not end: it is left out, and the lines around it count.
fn long_line(mib: u64) {
    let mut reader = LogReader::new(Census::default(), None);
    reader.begin(SourceKind::LogFile, "log");
    let session = |second: u32, pid: u32| {
        let head = format!("2026-09-16 19:02:{second:02} UTC-6aaae7b4.{pid:x}-LOG:  ");
        format!(
            "{head}connection received: host=10.0.0.4 port=5\n{head}connection authorized: user=u{pid} database=d\n"
        )
    };
    reader.feed(session(1, 1).as_bytes());
    reader.feed(format!("{LINE}statement: select '").as_bytes());
    let piece = vec![b'x'; 1 << 20];
    (0..mib).for_each(|_| reader.feed(&piece));
    reader.feed(b"'\n");
    reader.feed(session(2, 2).as_bytes());
    reader.end(LogEnd::Whole);
    let report = reader.finish().finish(Requirements::default());
    assert_eq!(report.clients.len(), 2);
    assert!(report.sources[0].missing.iter().any(|missing| missing.reason == MissingReason::LongLines));
}

/// Looks at every server twice, and returns the documents that are kept.
fn fleet(servers: u64, clients: u64) -> Vec<String> {
    let mut kept = Vec::new();
    for server in 0..servers {
        let mut census = look(server, clients);
        census.merge(look(server, clients));
        let document = census.to_json();
        let report = KeptCensus::from_json(&document).unwrap().judge(Requirements::default(), None);
        assert_eq!((report.verdict, report.clients.len() as u64), (CensusVerdict::Safe, clients));
        kept.push(document);
    }
    kept
}

/// Each client every six hours of eight days.
fn look(server: u64, clients: u64) -> KeptCensus {
    let mut log = String::new();
    for slot in 0..8 * 24 {
        let (day, hour) = (10 + slot / 24, slot % 24);
        for client in (0..clients).filter(|client| client % 6 == slot % 6) {
            let head =
                format!("2026-09-{day} {hour:02}:00:00 UTC-{:08x}.{client:x}-LOG:  ", 0x6aaa_0000 + slot * 3_600);
            let names = format!("user=user{client} database=db{} application_name=app{client}", server % 10);
            writeln!(log, "{head}connection received: host=10.0.{}.{} port=5", client / 250, client % 250).unwrap();
            let tls = "SSL enabled (protocol=TLSv1.3, cipher=TLS_AES_256_GCM_SHA384, bits=256)";
            writeln!(log, "{head}connection authorized: {names} {tls}").unwrap();
        }
    }
    let mut reader = LogReader::new(Census::default(), None);
    reader.begin(SourceKind::ArmLogFile, "log");
    reader.feed(log.as_bytes());
    reader.end(LogEnd::Whole);
    reader.finish().keep(1)
}

fn peak_mib() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find(|line| line.starts_with("VmHWM:")).unwrap_or_default();
    line.split_whitespace().nth(1).and_then(|kib| kib.parse::<u64>().ok()).unwrap_or_default() / 1_024
}
