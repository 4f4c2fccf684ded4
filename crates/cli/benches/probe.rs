//! How much memory `hostssl probe -o json` takes for a hundred targets and for a hundred thousand, from standard input. Run
//! `cargo bench -p hostssl --bench probe`; a number after `--` is another count of targets.
//!
//! The peer is a responder in a process of its own that speaks TLS and answers at once.
#![allow(clippy::unwrap_used, clippy::print_stdout, reason = "a benchmark, run by hand")]

use hostssl_test_support::responder::{self, Responder};
use std::error::Error;
use std::io::{BufWriter, Read, Write};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).filter(|argument| argument != "--bench").collect();
    if let [word, kind] = arguments.as_slice()
        && word == "respond"
    {
        return responder::run(kind);
    }
    let most = arguments.first().map_or(Ok(100_000), |count| count.parse())?;
    println!(
        "{:<10} {:<8} {:>9} {:>12} {:>9} {:>12} {:>9}",
        "peer", "output", "targets", "endpoints/s", "peak MB", "MB written", "MB kept"
    );
    for kind in ["plain", "tls"] {
        let responder = Responder::start(kind)?;
        for output in ["json", "table"] {
            for count in [100, most] {
                measure(kind, output, responder.port, count)?;
            }
        }
    }
    Ok(())
}

fn measure(kind: &str, output: &str, port: u16, count: u32) -> Result<(), Box<dyn Error>> {
    // What is probed is kept, as it is for everyone.
    let state = Path::new(env!("CARGO_TARGET_TMPDIR")).join("bench-probe-state");
    if state.exists() {
        std::fs::remove_dir_all(&state)?;
    }
    let begin = Instant::now();
    let mut child = Command::new(env!("CARGO_BIN_EXE_hostssl"))
        .args(["probe", "-q", "-o", output, "--targets", "-", "--state"])
        .arg(&state)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()?;
    let mut targets = BufWriter::new(child.stdin.take().ok_or("no standard input")?);
    let writing = std::thread::spawn(move || {
        for index in 0..count {
            let (high, low) = (index % 62_500 / 250, index % 250);
            writeln!(targets, "127.1.{high}.{}:{port}", low + 1)?;
        }
        targets.flush()
    });
    let mut document = child.stdout.take().ok_or("no standard output")?;
    let reading = std::thread::spawn(move || {
        let (mut bytes, mut chunk) = (0_u64, vec![0; 1 << 20]);
        while let Ok(count @ 1..) = document.read(&mut chunk) {
            bytes += count as u64;
        }
        bytes
    });
    let mut peak = 0.0;
    // The kernel's figures vanish with the process: the last look before the end counts.
    while child.try_wait()?.is_none() {
        let status = std::fs::read_to_string(format!("/proc/{}/status", child.id())).unwrap_or_default();
        peak = memory(&status).unwrap_or(peak);
        std::thread::sleep(Duration::from_millis(5));
    }
    let rate = f64::from(count) / begin.elapsed().as_secs_f64();
    writing.join().unwrap()?;
    let written = reading.join().unwrap() as f64 / 1e6;
    let kept = std::fs::metadata(state.join("hostssl.db")).map_or(0, |file| file.len()) as f64 / 1e6;
    println!("{kind:<10} {output:<8} {count:>9} {rate:>12.0} {peak:>9.1} {written:>12.1} {kept:>9.1}");
    std::fs::remove_dir_all(&state)?;
    Ok(())
}

fn memory(status: &str) -> Option<f64> {
    let line = status.lines().find(|line| line.starts_with("VmHWM:"))?;
    Some(line.split_whitespace().nth(1)?.parse::<f64>().ok()? / 1024.0)
}
