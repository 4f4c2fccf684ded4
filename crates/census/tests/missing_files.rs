//! Files of a log that are missing, empty or cannot be read: whoever connected meanwhile is unknown. A quiet log lacks nothing.

#![allow(clippy::unwrap_used, reason = "a test may stop at the first surprise")]

mod common;

use common::census_of_unnamed;
use hostssl_census::{Census, CensusVerdict, KeptCensus, Millis, Requirements};

const TLS: &str = " SSL enabled (protocol=TLSv1.3, cipher=TLS_AES_256_GCM_SHA384, bits=256)";
const MINUTE: u64 = 60;
const HOUR: u64 = 60 * MINUTE;
const DAYS: u64 = 8 * 24 * HOUR;

/// The time of so many seconds, within January 1970.
fn time(at: u64) -> String {
    let (day, hour, minute, second) = (at / 86_400 + 1, at / HOUR % 24, at / MINUTE % 60, at % 60);
    format!("1970-01-{day:02} {hour:02}:{minute:02}:{second:02} UTC")
}

fn session(at: u64) -> String {
    let head = format!("{}-{at:08x}.{:x}-LOG:  ", time(at), at % 30_000);
    format!(
        "{head}connection received: host=10.0.0.4 port=7\n{head}connection authorized: user=app database=shop application_name=web{TLS}\n"
    )
}

fn checkpoint(at: u64) -> String {
    format!("{}-00000001.1-LOG:  checkpoint starting: time\n", time(at))
}

/// What a log says at some times, in files of so many seconds.
fn files(step: u64, lines: impl Iterator<Item = (u64, String)>) -> Vec<String> {
    let mut lines: Vec<(u64, String)> = lines.filter(|(at, _)| *at < DAYS).collect();
    lines.sort_by_key(|(at, _)| *at);
    let mut files = vec![String::new(); usize::try_from(DAYS / step).unwrap()];
    for (at, line) in lines {
        files[usize::try_from(at / step).unwrap()].push_str(&line);
    }
    files
}

fn census<'a>(files: impl Iterator<Item = &'a [u8]>) -> Census {
    census_of_unnamed(files)
}

/// The verdict of files that are read at once, that are kept, that were read in another order before, and each by itself.
fn verdicts(files: &[&[u8]]) -> Vec<(CensusVerdict, String)> {
    let now = Millis::try_from(DAYS).unwrap() * 1_000;
    let requirements = Requirements { now: Some(now), ..Requirements::default() };
    let all = || census(files.iter().copied());
    let mut again = census(files.iter().rev().copied()).keep(now);
    again.merge(all().keep(now + 1));
    let (even, odd): (Vec<_>, Vec<_>) = files.iter().enumerate().partition(|(number, _)| number % 2 == 0);
    let mut halves = census(even.into_iter().map(|(_, file)| *file)).keep(now);
    halves.merge(census(odd.into_iter().map(|(_, file)| *file)).keep(now + 1));
    let kept = [all().keep(now), again, halves].map(|kept| KeptCensus::from_json(&kept.to_json()).unwrap());
    let kept = kept.iter().map(|kept| kept.judge(requirements, None));
    [all().finish(requirements)].into_iter().chain(kept).map(|report| (report.verdict, report.reason)).collect()
}

fn assert_all(name: &str, files: &[&[u8]], expected: CensusVerdict) {
    for (way, (verdict, reason)) in ["at once", "kept", "kept twice", "in halves"].iter().zip(verdicts(files)) {
        assert_eq!(verdict, expected, "{name}, {way}: {reason}");
    }
}

/// A session every ten minutes and a checkpoint every two.
fn busy(step: u64) -> Vec<String> {
    let sessions = (0..DAYS / 600).map(|at| (at * 600 + 5, session(at * 600 + 5)));
    files(step, sessions.chain((0..DAYS / 120).map(|at| (at * 120, checkpoint(at * 120)))))
}

#[test]
fn a_file_that_is_missing_or_unread_between_others_is_no_observation() {
    {
        let step = 20 * MINUTE;
        let files = busy(step);
        let all: Vec<&[u8]> = files.iter().map(|file| file.as_bytes()).collect();
        assert_all("whole", &all, CensusVerdict::Safe);
        let middle = all.len() / 2;
        let cut = &all[middle][..100];
        let off = format!(
            "{}-00000001.1-LOG:  parameter \"log_connections\" changed to \"off\"\n",
            time(middle as u64 * step)
        );
        let off = [off.as_bytes(), checkpoint(middle as u64 * step + 90).as_bytes()].concat();
        for (name, file) in [
            ("empty", Some(&b""[..])),
            ("missing", None),
            ("another program's", Some(&b"\xfd7zXZ no log\n"[..])),
            ("cut", Some(cut)),
            ("switched off", Some(&off)),
        ] {
            let mut files = all.clone();
            match file {
                Some(file) => files[middle] = file,
                None => drop(files.remove(middle)),
            }
            assert_all(&format!("{name}, {step} s"), &files, CensusVerdict::NeedsObservation);
        }
        // A file that nothing was written to yet takes nothing away where nothing is missing.
        assert_all("beside it", &[all.clone(), vec![b""]].concat(), CensusVerdict::Safe);
    }
}

#[test]
fn the_reason_says_which_time_is_unknown() {
    let files = busy(20 * MINUTE);
    let mut all: Vec<&[u8]> = files.iter().map(|file| file.as_bytes()).collect();
    all.remove(all.len() / 2);
    let (_, reason) = verdicts(&all).remove(0);
    assert!(reason.contains("from 1970-01-04 23:58 to 1970-01-05 00:20 UTC"), "{reason}");
}

#[test]
fn a_log_that_is_quiet_lacks_nothing() {
    // Numbers that are not regular, and the same in every run.
    let jitter = |at: u64| at.wrapping_mul(2_654_435_761) % 997;
    let burst = (0..DAYS / HOUR).flat_map(|hour| (0..5).map(move |at| (hour * HOUR + at, session(hour * HOUR + at))));
    let long = (0..DAYS / HOUR)
        .flat_map(|hour| (0..18).map(move |at| (hour * HOUR + 100 * at, session(hour * HOUR + 100 * at))));
    let is_night = |at: &u64| at % (24 * HOUR) < 8 * HOUR;
    let by_day = (0..DAYS / 100).map(|at| at * 100).filter(|at| !is_night(at)).map(|at| (at, session(at)));
    let by_night = (0..DAYS / (25 * MINUTE)).map(|at| at * 25 * MINUTE + jitter(at) / 4).filter(is_night);
    let nights = by_day.chain(by_night.map(|at| (at, session(at))));
    let rare = (0..DAYS / (35 * MINUTE)).map(|at| (at * 35 * MINUTE, session(at * 35 * MINUTE)));
    for (name, lines) in [
        ("a job of some seconds", burst.collect::<Vec<_>>()),
        ("a job of half an hour", long.collect()),
        ("nights", nights.collect()),
        ("half-hours", rare.collect()),
    ] {
        let files = files(HOUR, lines.into_iter());
        let all: Vec<&[u8]> = files.iter().map(|file| file.as_bytes()).collect();
        assert_all(name, &all, CensusVerdict::Safe);
    }
}

#[test]
fn a_server_that_was_down_between_two_files_lacks_nothing() {
    let lines = (0..DAYS / 90).map(|at| at * 90);
    let (down, up) = (96 * HOUR + 5, 96 * HOUR + 20 * MINUTE);
    for (said, expected) in [
        (format!("database system was shut down at {}", time(down)), CensusVerdict::Safe),
        // It was killed, and may have served clients after it wrote to the disk last.
        (
            format!("database system was interrupted; last known up at {}", time(down - MINUTE)),
            CensusVerdict::NeedsObservation,
        ),
        // It was up since the file before, and what it wrote then is missing.
        (format!("database system was shut down at {}", time(up - 10)), CensusVerdict::NeedsObservation),
        ("database system is ready to accept connections".to_owned(), CensusVerdict::NeedsObservation),
    ] {
        let log = |range: std::ops::Range<u64>| -> String {
            lines.clone().filter(|at| range.contains(at)).map(session).collect()
        };
        let start = format!("{}-00000001.1-LOG:  starting PostgreSQL 17.2\n", time(up));
        let second = start + &format!("{}-00000002.2-LOG:  {said}\n", time(up)) + &log(up..DAYS);
        let stop = format!("{}-00000001.1-LOG:  database system is shut down\n", time(down));
        let first = log(0..down) + if expected == CensusVerdict::Safe { &stop } else { "" };
        assert_all(&said, &[first.as_bytes(), second.as_bytes()], expected);
        // The file with its last line is missing.
        let verdict = CensusVerdict::NeedsObservation;
        assert_all(&said, &[log(0..down - HOUR / 2).as_bytes(), second.as_bytes()], verdict);
        // What a client has logged, in a file that does not begin with the start of a server or in another severity.
        let of_a_client = second.replace("LOG:  starting PostgreSQL 17.2", "LOG:  another line");
        assert_all(&said, &[log(0..down).as_bytes(), of_a_client.as_bytes()], CensusVerdict::NeedsObservation);
        let raised = second.replace(&format!("LOG:  {said}"), &format!("WARNING:  {said}"));
        assert_all(&said, &[log(0..down).as_bytes(), raised.as_bytes()], CensusVerdict::NeedsObservation);
    }
}
