//! The speed of the log reader, as a ratio against `grep -c 'connection authorized'` over the same file.
//!
//! `cargo bench -p hostssl-census --bench reader -- 1024` makes a log of so many MiB (256 otherwise), in which two of three
//! lines are statements, as in a busy server with `log_min_duration_statement`, and one of only connections. A word after the number, such
//! as `connections`, chooses one of the two.

#![allow(missing_docs, reason = "a program of its own")]
#![allow(clippy::unwrap_used, clippy::print_stdout, reason = "a benchmark may stop at the first surprise, and prints")]

use hostssl_census::{Census, LogEnd, LogReader, Requirements, SourceKind};
use std::fmt::Write as _;
use std::fs::File;
use std::io::{BufWriter, Read, Write};
use std::path::Path;
use std::process::Command;
use std::time::Instant;

fn main() {
    let words = || std::env::args().skip(1).filter(|argument| !argument.starts_with('-'));
    let mib: u64 = words().filter_map(|word| word.parse().ok()).next().unwrap_or(256);
    let wanted = words().find(|word| word.parse::<u64>().is_err()).unwrap_or_default();
    for (name, statements) in [("mixed", 6), ("connections", 0)].into_iter().filter(|(name, _)| name.contains(&wanted))
    {
        let path = std::env::temp_dir().join(format!("hostssl-census-bench-{}.log", std::process::id()));
        let bytes = generate(&path, mib << 20, statements);
        let speed = |seconds: f64| bytes as f64 / 1e6 / seconds;
        let mut best_reader = f64::MAX;
        let mut best_grep = f64::MAX;
        for _ in 0..3 {
            let start = Instant::now();
            let clients = read(&path);
            best_reader = best_reader.min(start.elapsed().as_secs_f64());
            assert_eq!(clients, 200);
            let start = Instant::now();
            let grep =
                Command::new("grep").args(["-c", "connection authorized"]).arg(&path).env("LC_ALL", "C").output();
            best_grep = best_grep.min(start.elapsed().as_secs_f64());
            assert!(grep.unwrap().status.success());
        }
        std::fs::remove_file(&path).unwrap();
        println!(
            "{name}: {} MB, reader {:.0} MB/s, grep -c {:.0} MB/s, ratio {:.2}",
            bytes / 1_000_000,
            speed(best_reader),
            speed(best_grep),
            best_grep / best_reader
        );
    }
}

fn read(path: &Path) -> usize {
    let mut reader = LogReader::new(Census::default(), None);
    reader.begin(SourceKind::LogFile, "log");
    let mut file = File::open(path).unwrap();
    let mut piece = vec![0; 256 << 10];
    loop {
        let count = file.read(&mut piece).unwrap();
        if count == 0 {
            break;
        }
        reader.feed(&piece[..count]);
    }
    reader.end(LogEnd::Whole);
    reader.finish().finish(Requirements::default()).clients.len()
}

/// Writes a log of about so many bytes, with so many statements in each session.
fn generate(path: &Path, size: u64, statements: u32) -> u64 {
    let mut out = BufWriter::with_capacity(1 << 20, File::create(path).unwrap());
    let mut written = 0;
    let mut line = String::new();
    for session in 0u64.. {
        let second = session / 50;
        let time = format!(
            "2026-09-{:02} {:02}:{:02}:{:02} UTC",
            1 + second / 86_400,
            second / 3_600 % 24,
            second / 60 % 60,
            second % 60
        );
        let head = format!("{time}-{:08x}.{:x}-LOG:  ", 0x6aaa_0000 + second, session % 30_000);
        let (user, host) = (session % 20, session % 10);
        let tls =
            if user == 3 { "" } else { " SSL enabled (protocol=TLSv1.3, cipher=TLS_AES_256_GCM_SHA384, bits=256)" };
        line.clear();
        writeln!(line, "{head}connection received: host=10.0.0.{host} port=5").unwrap();
        writeln!(
            line,
            "{head}connection authenticated: identity=\"user{user}\" method=scram-sha-256 (/data/pg_hba.conf:7)"
        )
        .unwrap();
        writeln!(
            line,
            "{head}connection authorized: user=user{user} database=db{} application_name=web{tls}",
            session / 20 % 10
        )
        .unwrap();
        for number in 0..statements {
            writeln!(line, "{head}duration: {number}.123 ms  statement: SELECT id, name, price, created_at FROM products WHERE category = 'abc' AND price > 10 ORDER BY created_at DESC LIMIT 50").unwrap();
        }
        writeln!(
            line,
            "{head}disconnection: session time: 0:00:01.000 user=user{user} database=db{} host=10.0.0.{host} port=5",
            session / 20 % 10
        )
        .unwrap();
        out.write_all(line.as_bytes()).unwrap();
        written += line.len() as u64;
        if written >= size {
            break;
        }
    }
    out.flush().unwrap();
    written
}
