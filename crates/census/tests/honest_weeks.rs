//! Logs of many weeks as real servers write and rotate them: with all their files they are safe, and without a part of them never.

#![allow(clippy::unwrap_used, reason = "a test may stop at the first surprise")]
#![allow(
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "milliseconds of days"
)]

mod common;

use common::census_of;
use hostssl_census::{Census, CensusReport, CensusVerdict, KeptCensus, Requirements};
use std::fmt::Write as _;

const TLS: &str = " SSL enabled (protocol=TLSv1.3, cipher=TLS_AES_256_GCM_SHA384, bits=256)";
const SECOND: u64 = 1_000;
const MINUTE: u64 = 60 * SECOND;
const HOUR: u64 = 60 * MINUTE;
const DAY: u64 = 24 * HOUR;
const WEEK: u64 = 8 * DAY + 5 * HOUR;
/// The first day of November 2026.
const FIRST: u64 = 1_793_491_200;

#[derive(Debug, Clone, Copy, PartialEq)]
enum Rotation {
    Age(u64),
    Size(usize),
}

/// How a server is used, and how it writes.
#[derive(Debug, Clone, Copy)]
struct Usage {
    rotation: Rotation,
    /// From the beginning of one session to that of the next.
    interval: u64,
    /// Whether sessions begin at random, as many in a week.
    seed: Option<u64>,
    /// No session is in the two hours of each day that begin then.
    night: Option<u64>,
    /// When it is restarted.
    restart: Option<u64>,
    has_session: bool,
}

struct File {
    name: String,
    lines: Vec<(u64, String)>,
}

fn text(lines: &[(u64, String)]) -> String {
    lines.iter().map(|(_, line)| line.as_str()).collect()
}

fn has_connection(lines: &[(u64, String)]) -> bool {
    lines.iter().any(|(_, line)| line.contains("connection authorized"))
}

/// A number that is not regular, and the same in every run.
fn noise(seed: u64) -> u64 {
    let mut value = seed.wrapping_add(0x9e37_79b9_7f4a_7c15);
    value = (value ^ (value >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    value = (value ^ (value >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    value ^ (value >> 31)
}

fn time(at: u64) -> String {
    let seconds = at / SECOND;
    let (day, hour, minute) = (1 + seconds / 86_400, seconds / 3_600 % 24, seconds / 60 % 60);
    format!("2026-11-{day:02} {hour:02}:{minute:02}:{:02}", seconds % 60)
}

fn name(at: u64) -> String {
    format!("pg_log/postgresql-{}.log", time(at).replace(' ', "_").replace(':', ""))
}

impl Usage {
    fn line(&self, at: u64, began: u64, pid: u64, message: &str) -> (u64, String) {
        let head = if self.has_session {
            format!("{} UTC-{:08x}.{pid:x}-", time(at), FIRST + began / SECOND)
        } else {
            format!("{}.{:03} UTC [{pid}] ", time(at), at % SECOND)
        };
        (at, format!("{head}LOG:  {message}\n"))
    }

    /// A time until the next session that has this mean, of sessions that know nothing of each other.
    fn random(&self, noise: u64) -> u64 {
        let unit = (noise % 1_000_000 + 1) as f64 / 1_000_001.0;
        (-unit.ln() * self.interval as f64) as u64 + 1
    }

    /// The lines of all sessions, of which some are short and some lie across files.
    fn lines(&self) -> Vec<(u64, String)> {
        let mut lines = Vec::new();
        let mut began = self.interval / 2;
        for number in 0u64.. {
            let mut at = began;
            began += match self.seed {
                None => self.interval * 9 / 10 + noise(number) % (self.interval / 5),
                Some(seed) => self.random(noise(number + (seed << 32))),
            };
            if let Some(restart) = self.restart.filter(|restart| (*restart..restart + MINUTE).contains(&at)) {
                at = restart + MINUTE;
            }
            if at > WEEK {
                break;
            }
            if self.night.is_some_and(|night| (at + DAY - night) % DAY < 3 * HOUR) {
                continue;
            }
            let pid = 2_000 + number % 30_000;
            let length = if number % 3 == 0 { self.interval * 3 / 2 } else { 1 + noise(number) % 2_000 };
            let ends_by = self.restart.filter(|restart| at < *restart).unwrap_or(u64::MAX);
            let end = (at + length).min(ends_by);
            let clock = end - at;
            let clock =
                format!("{}:{:02}:{:02}.{:03}", clock / HOUR, clock / MINUTE % 60, clock / SECOND % 60, clock % SECOND);
            let host = format!("host=10.0.0.4 port={}", 30_000 + pid);
            lines.push(self.line(at, at, pid, &format!("connection received: {host}")));
            lines.push(self.line(
                at + 3,
                at,
                pid,
                "connection authenticated: identity=\"app\" method=scram-sha-256 (/data/pg_hba.conf:7)",
            ));
            lines.push(self.line(
                at + 4,
                at,
                pid,
                &format!("connection authorized: user=app database=shop application_name=web{TLS}"),
            ));
            if end <= WEEK {
                lines.push(self.line(
                    end.max(at + 5),
                    at,
                    pid,
                    &format!("disconnection: session time: {clock} user=app database=shop {host}"),
                ));
            }
        }
        lines.extend(self.restart.into_iter().flat_map(|at| {
            [
                self.line(at, 0, 10, "received fast shutdown request"),
                self.line(at + 20, 0, 12, "shutting down"),
                self.line(at + 300, 0, 10, "database system is shut down"),
            ]
        }));
        lines.sort_by_key(|(at, _)| *at);
        lines.into_iter().filter(|(at, _)| *at <= WEEK).collect()
    }

    /// What a server says when it starts.
    fn start(&self, at: u64, ended: u64) -> Vec<(u64, String)> {
        let line = |pid, message: &str| self.line(at, at, pid, message);
        vec![
            line(1_010, "starting PostgreSQL 17.2 on x86_64-pc-linux-gnu, compiled by gcc (GCC) 13.2.0, 64-bit"),
            line(1_010, "listening on IPv4 address \"0.0.0.0\", port 5432"),
            line(1_010, "listening on Unix socket \"/run/postgresql/.s.PGSQL.5432\""),
            line(1_013, &format!("database system was shut down at {} UTC", time(ended))),
            line(1_010, "database system is ready to accept connections"),
        ]
    }

    fn files(&self) -> Vec<File> {
        let begin = |at: u64, lines: Vec<(u64, String)>| File { name: name(at), lines };
        let mut files = vec![begin(0, self.start(0, 0))];
        let mut restart = self.restart;
        let mut next = match self.rotation {
            Rotation::Age(age) => age,
            Rotation::Size(_) => u64::MAX,
        };
        let mut length = 0;
        for (at, line) in self.lines() {
            if let Some(ended) = restart.filter(|ended| at > ended + SECOND) {
                restart = None;
                let up = ended + 20 * SECOND;
                files.push(begin(up, self.start(up, ended)));
            }
            while let Rotation::Age(age) = self.rotation
                && at >= next
            {
                files.push(begin(next, Vec::new()));
                next += age;
            }
            length += line.len();
            files.last_mut().unwrap().lines.push((at, line));
            if let Rotation::Size(size) = self.rotation
                && length >= size
            {
                length = 0;
                files.push(begin(at, Vec::new()));
            }
        }
        // What it writes next is not in it yet.
        if matches!(self.rotation, Rotation::Size(_)) && files.last().is_some_and(|file| file.lines.is_empty()) {
            files.pop();
        }
        files
    }
}

fn read(files: &[(&str, &[u8])]) -> Census {
    census_of(files.iter().copied())
}

/// The reports of files that are read at once, and that are kept twice.
fn reports(files: &[(&str, &[u8])]) -> [CensusReport; 2] {
    let census = read(files);
    let now = i64::try_from(FIRST * SECOND + WEEK).unwrap();
    let mut kept = census.keep(now);
    kept.merge(census.keep(now + 1));
    let kept = KeptCensus::from_json(&kept.to_json()).unwrap();
    [census.finish(Requirements::default()), kept.judge(Requirements::default(), None)]
}

fn usages() -> Vec<Usage> {
    let rotations = [Rotation::Age(10 * MINUTE), Rotation::Age(HOUR), Rotation::Age(DAY), Rotation::Size(20_000)];
    let intervals = [MINUTE, 7 * MINUTE, 40 * MINUTE, 2 * HOUR, 6 * HOUR];
    let mut usages = Vec::new();
    for (at, rotation) in rotations.into_iter().enumerate() {
        for (number, interval) in intervals.into_iter().enumerate() {
            // A log of megabytes takes its time.
            if interval == MINUTE && rotation != Rotation::Age(HOUR) {
                continue;
            }
            let restart = (number % 2 == 1).then_some(3 * DAY + 7 * HOUR + 21 * MINUTE);
            usages.push(Usage {
                rotation,
                interval,
                seed: None,
                night: None,
                restart,
                has_session: (at + number) % 2 == 0,
            });
        }
    }
    usages
}

/// What is wrong with weeks that are whole.
fn unsafe_weeks(usages: impl Iterator<Item = Usage>) -> String {
    let mut wrong = String::new();
    for usage in usages {
        let files: Vec<(String, String)> =
            usage.files().iter().map(|file| (file.name.clone(), text(&file.lines))).collect();
        let files: Vec<(&str, &[u8])> = files.iter().map(|(name, text)| (name.as_str(), text.as_bytes())).collect();
        for report in reports(&files).iter().filter(|report| report.verdict != CensusVerdict::Safe) {
            let _ = writeln!(wrong, "{usage:?}, {} files: {}", files.len(), report.reason);
        }
    }
    wrong
}

#[test]
fn weeks_with_all_their_files_are_safe() {
    assert_eq!(unsafe_weeks(usages().into_iter()), "");
}

#[test]
fn weeks_of_irregular_sessions_are_safe() {
    let seeds = (0..2).flat_map(|seed| {
        [
            (Rotation::Age(HOUR), 4 * MINUTE),
            (Rotation::Age(10 * MINUTE), MINUTE),
            (Rotation::Age(DAY), 20 * MINUTE),
            (Rotation::Age(DAY), 3 * HOUR),
            (Rotation::Size(20_000), 7 * MINUTE),
        ]
        .map(|(rotation, interval)| (seed, rotation, interval))
    });
    let usages = seeds.map(|(seed, rotation, interval)| Usage {
        rotation,
        interval,
        seed: Some(seed),
        night: None,
        restart: None,
        has_session: seed % 2 == 0,
    });
    assert_eq!(unsafe_weeks(usages), "");
}

#[test]
fn weeks_of_quiet_nights_are_safe() {
    let nights = [(Rotation::Age(DAY), 7), (Rotation::Age(DAY), 40), (Rotation::Size(20_000), 7)];
    let usages = nights.into_iter().map(|(rotation, minutes)| Usage {
        rotation,
        interval: minutes * MINUTE,
        seed: None,
        night: Some(22 * HOUR + 40 * MINUTE),
        restart: None,
        has_session: true,
    });
    assert_eq!(unsafe_weeks(usages), "");
}

#[test]
fn weeks_without_a_part_are_not_safe() {
    let mut wrong = Vec::new();
    for usage in usages() {
        let whole = usage.files();
        let texts: Vec<String> = whole.iter().map(|file| text(&file.lines)).collect();
        let all: Vec<(&str, &[u8])> =
            whole.iter().zip(&texts).map(|(file, text)| (file.name.as_str(), text.as_bytes())).collect();
        // In the middle, and on both sides of the restart.
        let near = |at: u64| whole.iter().position(|file| file.name >= name(at)).unwrap_or(whole.len() / 2);
        let restart = near(3 * DAY + 7 * HOUR + 21 * MINUTE);
        let with_connection = (whole.len() / 2..whole.len()).find(|at| has_connection(&whole[*at].lines));
        let mut chosen = vec![near(5 * DAY)];
        if usage.restart.is_some() {
            chosen.extend([restart, restart + 1, restart.saturating_sub(1)]);
        }
        chosen.extend(with_connection);
        chosen.retain(|at| *at > 0 && at + 1 < whole.len());
        chosen.dedup();
        for at in chosen {
            let mut without = all.clone();
            without.remove(at);
            let mut check = |what: &str, files: &[(&str, &[u8])]| {
                let report = read(files).finish(Requirements::default());
                if report.verdict == CensusVerdict::Safe {
                    wrong.push(format!("{usage:?}, {what} {}: {}", all[at].0, report.reason));
                }
            };
            check("without", &without);
            if has_connection(&whole[at].lines) {
                let mut emptied = all.clone();
                emptied[at].1 = b"";
                check("with an empty", &emptied);
            }
            // A shorter silence is nothing unusual within a file.
            let (lines, third) = (&whole[at].lines, whole[at].lines.len() / 3);
            let cut = lines.get(third..2 * third).unwrap_or_default();
            let length = cut.first().zip(cut.last()).map_or(0, |(first, last)| last.0 - first.0);
            if length > HOUR.max(4 * usage.interval) && has_connection(cut) {
                let rest = text(&[&lines[..third], &lines[2 * third..]].concat());
                let mut files = all.clone();
                files[at].1 = rest.as_bytes();
                check("with a cut", &files);
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
