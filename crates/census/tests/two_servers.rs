//! Logs of two servers that are read as one: neither fills the gaps of the other.

#![allow(clippy::unwrap_used, reason = "a test may stop at the first surprise")]

mod common;

use common::census_of;
use hostssl_census::{CensusReport, CensusVerdict, MissingReason, Requirements};

const TLS: &str = " SSL enabled (protocol=TLSv1.3, cipher=TLS_AES_256_GCM_SHA384, bits=256)";
const HOUR: u64 = 3_600;
const DAYS: u64 = 8 * 24 * HOUR;

/// The time of so many seconds, within January 1970.
fn time(at: u64) -> String {
    let (day, hour, minute, second) = (at / 86_400 + 1, at / HOUR % 24, at / 60 % 60, at % 60);
    format!("1970-01-{day:02} {hour:02}:{minute:02}:{second:02} UTC")
}

#[derive(Clone, Copy)]
struct Server {
    name: &'static str,
    /// From one session to the next.
    interval: u64,
    first_pid: u64,
}

/// Times and processes of the sessions of an hour.
fn sessions(server: Server, hour: u64) -> impl Iterator<Item = (u64, u64)> {
    let of = move |at: u64| (at * server.interval + server.first_pid % 97, server.first_pid + at % 20_000);
    (0..DAYS / server.interval).map(of).filter(move |(at, _)| at / HOUR == hour)
}

const AUTHORIZED: &str = "connection authorized: user=app database=shop application_name=web";

/// The file of an hour, with a checkpoint every four minutes.
fn file(server: Server, hour: u64) -> (String, String) {
    let mut lines: Vec<(u64, String)> = sessions(server, hour)
        .map(|(at, pid)| {
            let head = format!("{} [{pid}] LOG:  ", time(at));
            (at, format!("{head}connection received: host=10.0.0.4 port=7\n{head}{AUTHORIZED}{TLS}\n"))
        })
        .collect();
    let checkpoints = (0..15).map(|number| hour * HOUR + number * 240 + 1);
    lines.extend(checkpoints.map(|at| (at, format!("{} [9] LOG:  checkpoint starting: time\n", time(at)))));
    lines.sort();
    let text = lines.into_iter().map(|(_, line)| line).collect();
    (format!("{}/postgresql-1970-01-{:02}_{:02}0000.log", server.name, hour / 24 + 1, hour % 24), text)
}

/// The same hour as csvlog.
fn records(server: Server, hour: u64) -> (String, String) {
    let record = |(at, pid): (u64, u64)| {
        let record = |user: &str, database: &str, message: &str| {
            format!(
                "{},{user},{database},{pid},\"10.0.0.4:7\",{at:x}.{pid:x},1,\"x\",{},3/1,0,LOG,00000,\"{message}\",,,,,,,,,\"\",\"client backend\",,0\n",
                time(at).replace(" UTC", ".123 UTC"),
                time(at)
            )
        };
        record("", "", "connection received: host=10.0.0.4 port=7")
            + &record("\"app\"", "\"shop\"", &format!("{AUTHORIZED}{TLS}"))
    };
    let (name, _) = file(server, hour);
    (name.replace(".log", ".csv"), sessions(server, hour).map(record).collect())
}

fn read(files: &[(String, String)]) -> CensusReport {
    census_of(files.iter().cloned()).finish(Requirements::default())
}

#[test]
fn the_log_of_one_server_fills_no_gap_of_another() {
    let first = Server { name: "first", interval: 300, first_pid: 1_000 };
    for (name, interval) in [("busy", 200), ("idle", 40 * HOUR)] {
        let second = Server { name, interval, first_pid: 3_017 };
        let of_first = (0..DAYS / HOUR).filter(|hour| *hour != 80).map(|hour| file(first, hour));
        let files: Vec<_> = of_first.chain((0..DAYS / HOUR).map(|hour| file(second, hour))).collect();
        let report = read(&files);
        assert_eq!(report.verdict, CensusVerdict::NeedsObservation, "{name}: {}", report.reason);
        let mut missing = report.sources.iter().flat_map(|source| &source.missing);
        assert!(missing.any(|one| one.reason == MissingReason::MixedServers), "{name}: {:#?}", report.sources);
    }
}

#[test]
fn a_log_in_two_formats_and_its_copies_are_of_one_server() {
    let server = Server { name: "one", interval: 300, first_pid: 1_000 };
    let hours = || 0..DAYS / HOUR;
    let stderr = || hours().map(|hour| file(server, hour));
    let copies = stderr().map(|(name, text)| (format!("copy/{name}"), text)).filter(|(name, _)| name.contains("_0"));
    let whole = ("whole.log".to_owned(), stderr().map(|(_, text)| text).collect::<String>());
    for (name, others) in [
        ("csvlog", hours().map(|hour| records(server, hour)).collect::<Vec<_>>()),
        ("copies", copies.collect()),
        ("another file", vec![whole]),
    ] {
        for files in [stderr().chain(others.clone()).collect::<Vec<_>>(), others.into_iter().chain(stderr()).collect()]
        {
            let report = read(&files);
            assert_eq!(report.verdict, CensusVerdict::Safe, "{name}: {}", report.reason);
        }
    }
}

#[test]
fn more_files_of_the_same_time_than_are_compared_are_not_believed() {
    let server = Server { name: "one", interval: 300, first_pid: 1_000 };
    let (_, text) = file(server, 80);
    let copies = |count: usize| (0..count).map(|number| (format!("{number}.log"), text.clone())).collect::<Vec<_>>();
    let is_mixed = |files: &[(String, String)]| {
        let report = read(files);
        let reasons =
            report.sources.iter().map(|source| source.missing.iter().map(|one| one.reason).collect::<Vec<_>>());
        reasons.map(|reasons| reasons.contains(&MissingReason::MixedServers)).collect::<Vec<_>>()
    };
    assert!(!is_mixed(&copies(10)).contains(&true));
    let many = is_mixed(&copies(460));
    assert!(many.len() == 460 && !many.contains(&false), "{many:?}");
}

#[test]
fn a_file_of_another_server_between_those_of_a_log_fills_no_gap() {
    let server = Server { name: "one", interval: 300, first_pid: 1_000 };
    let day = |day: u64| (24 * day..24 * day + 24).map(|hour| file(server, hour).1).collect::<String>();
    let log = |place: &dyn Fn(u64) -> String| (0..8).map(|number| (place(number), day(number))).collect::<Vec<_>>();
    let date = |number: u64| format!("1970-01-{:02}", number + 1);
    let version = |number: u64, other: u64| if number == other { 17 } else { 15 };
    for (name, place, expected) in [
        (
            "one log",
            &(|number| format!("postgresql-15-{}.log", date(number))) as &dyn Fn(u64) -> String,
            CensusVerdict::Safe,
        ),
        (
            "an upgrade",
            &|number| format!("postgresql-{}-{}.log", if number < 4 { 15 } else { 17 }, date(number)),
            CensusVerdict::Safe,
        ),
        (
            "another version",
            &|number| format!("postgresql-{}-{}.log", version(number, 4), date(number)),
            CensusVerdict::NeedsObservation,
        ),
        (
            "another folder",
            &|number| format!("{}/{}.log", if number == 4 { "b" } else { "a" }, date(number)),
            CensusVerdict::NeedsObservation,
        ),
        (
            "names of each their own",
            &|number| format!("{}.log", ["red", "blue", "green"][number as usize % 3].repeat(number as usize + 1)),
            CensusVerdict::Safe,
        ),
        (
            "days of the week",
            &|number| {
                format!(
                    "postgresql-{}.log",
                    ["Thu", "Fri", "Sat", "Sun", "Mon", "Tue", "Wed", "Thu.old"][number as usize]
                )
            },
            CensusVerdict::Safe,
        ),
    ] {
        let report = read(&log(place));
        assert_eq!(report.verdict, expected, "{name}: {}", report.reason);
    }
    // Names that tell nothing, where the sessions were accepted by the rules of two servers.
    for (other, expected) in [(8, CensusVerdict::Safe), (4, CensusVerdict::NeedsObservation)] {
        let mut files = log(&|number| format!("file {number}"));
        for (number, (_, text)) in files.iter_mut().enumerate() {
            let version = version(number as u64, other);
            let words =
                format!("LOG:  connection authenticated: identity=\"app\" method=md5 (/etc/{version}/pg_hba.conf:7)\n");
            let lines = text.lines().map(|line| match line.split_once("LOG:  connection authorized") {
                Some((head, _)) => format!("{head}{words}{line}\n"),
                None => format!("{line}\n"),
            });
            *text = lines.collect();
        }
        let report = read(&files);
        assert_eq!(report.verdict, expected, "{other}: {}", report.reason);
    }
}
