//! Lines that are missing in the middle of a file, for less than an hour.

#![allow(clippy::unwrap_used, reason = "a test may stop at the first surprise")]

mod common;

use common::census_of_unnamed;
use hostssl_census::{CensusReport, CensusVerdict, KeptCensus, Requirements};

const TLS: &str = " SSL enabled (protocol=TLSv1.3, cipher=TLS_AES_256_GCM_SHA384, bits=256)";
const MINUTE: u64 = 60;
const HOUR: u64 = 60 * MINUTE;
const DAYS: u64 = 8 * 24 * HOUR;
/// When the lines are missing.
const CUT: u64 = 96 * HOUR;

/// A line of a log: when, of which process, and what.
type Line = (u64, u64, String);

fn time(at: u64) -> String {
    let (day, hour, minute, second) = (at / 86_400 + 1, at / HOUR % 24, at / MINUTE % 60, at % 60);
    format!("1970-01-{day:02} {hour:02}:{minute:02}:{second:02}")
}

/// A session every so many seconds, a little earlier or later.
fn sessions(step: u64) -> Vec<Line> {
    let session = |number: u64| {
        let at = number * step + number.wrapping_mul(2_654_435_761) % 997 * step / 1_000;
        let authorized = format!("connection authorized: user=app database=shop application_name=web{TLS}");
        let pid = 1_000 + number % 20_000;
        [(at, pid, "connection received: host=10.0.0.4 port=7".to_owned()), (at, pid, authorized)]
    };
    (0..DAYS / step).flat_map(session).collect()
}

/// A checkpoint every five minutes, which takes nearly as long.
fn checkpoints() -> Vec<Line> {
    let checkpoint = |number: u64| {
        let at = number * 300 + 40;
        let complete = "checkpoint complete: wrote 512 buffers (3.1%); 0 WAL file(s) added, 0 removed, 0 recycled; write=269.848 s, \
                        sync=0.010 s, total=269.970 s; sync files=60, longest=0.004 s, average=0.001 s; distance=2000 kB, \
                        estimate=3000 kB";
        [(at, 9, "checkpoint starting: time".to_owned()), (at + 270, 9, complete.to_owned())]
    };
    (0..DAYS / 300).flat_map(checkpoint).collect()
}

fn stderr(lines: &[Line]) -> String {
    lines.iter().map(|(at, pid, words)| format!("{} UTC [{pid}] LOG:  {words}\n", time(*at))).collect()
}

fn csvlog(lines: &[Line]) -> String {
    let record = |(at, pid, words): &Line| {
        let names = if *pid == 9 || words.contains("received") { "," } else { "\"app\",\"shop\"" };
        let host = if *pid == 9 { "" } else { "\"10.0.0.4:7\"" };
        format!(
            "{}.000 UTC,{names},{pid},{host},{:x}.{pid:x},1,\"\",{} UTC,3/1,0,LOG,00000,\"{words}\",,,,,,,,,\"\",\"client backend\",,0\n",
            time(*at),
            at / HOUR,
            time(*at)
        )
    };
    lines.iter().map(record).collect()
}

/// The reports of a log that is read at once, and that is kept twice.
fn reports(text: &str) -> [CensusReport; 2] {
    let census = census_of_unnamed([text]);
    let mut kept = census.keep(1);
    kept.merge(census.keep(2));
    let kept = KeptCensus::from_json(&kept.to_json()).unwrap();
    [census.finish(Requirements::default()), kept.judge(Requirements::default(), None)]
}

fn assert_both(name: &str, mut lines: Vec<Line>, cut: u64, expected: CensusVerdict) {
    lines.retain(|(at, ..)| !(CUT..CUT + cut).contains(at));
    lines.sort_by_key(|(at, ..)| *at);
    for (format, text) in [("stderr", stderr(&lines)), ("csvlog", csvlog(&lines))] {
        for report in reports(&text) {
            assert_eq!(report.verdict, expected, "{name}, {format}, {cut} s: {}", report.reason);
        }
    }
}

#[test]
fn a_silence_that_a_busy_log_never_has_is_no_observation() {
    for step in [30, 120] {
        assert_both("whole", sessions(step), 0, CensusVerdict::Safe);
        for cut in [20 * MINUTE, 50 * MINUTE] {
            assert_both("cut", sessions(step), cut, CensusVerdict::NeedsObservation);
        }
    }
    assert_both("a quiet log", sessions(15 * MINUTE), 25 * MINUTE, CensusVerdict::Safe);
}

#[test]
fn a_checkpoint_without_one_of_its_lines_shows_a_cut_of_minutes() {
    let lines = || [sessions(5 * MINUTE), checkpoints()].concat();
    assert_both("whole", lines(), 0, CensusVerdict::Safe);
    for cut in [6 * MINUTE, 10 * MINUTE, 50 * MINUTE] {
        assert_both("cut", lines(), cut, CensusVerdict::NeedsObservation);
    }
}

#[test]
fn a_checkpoint_that_a_crash_has_ended_lacks_nothing() {
    let mut lines = [sessions(5 * MINUTE), checkpoints()].concat();
    let (crash, up) = (CUT + 20, CUT + 25);
    lines.retain(|(at, ..)| !(crash..up + 300).contains(at));
    for (pid, words) in [
        (1, "starting PostgreSQL 17.2 on x86_64-pc-linux-gnu".to_owned()),
        (29, format!("database system was interrupted; last known up at {} UTC", time(CUT - 300))),
        (1, "database system is ready to accept connections".to_owned()),
    ] {
        lines.push((up, pid, words));
    }
    // The rest of that checkpoint belongs to the run before.
    let rest = lines.iter().position(|(at, _, words)| *at > up && words.starts_with("checkpoint complete"));
    let begin = lines.iter().position(|(at, _, words)| *at > up && words.starts_with("checkpoint starting"));
    if rest.zip(begin).is_some_and(|(rest, begin)| rest < begin) {
        lines.remove(rest.unwrap());
    }
    assert_both("crash", lines, 0, CensusVerdict::Safe);
}
