//! What to probe: targets of the command line, then those of a file, which is read as there is room for more.

use super::ProbeArgs;
use crate::azure_hosts::is_azure;
use crate::ca_files::roots_of_file;
use crate::error::CliError;
use crate::libpq;

use crate::system_roots::{SYSTEM, SystemRoots};
use futures::stream::{self, Stream, StreamExt};
use hostssl_console::utf8;
use hostssl_formats::targets_json::ZoneTargets;
use hostssl_model::POOLER_PORT;
use hostssl_probe::RootFiles;
use hostssl_probe::report::{EndpointReport, Unreachable};
use hostssl_probe::target::{Environment, ProbeTarget};
use std::collections::HashSet;
use std::fs::File;
use std::io::{self, BufRead, BufReader, Read};
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use tokio::sync::mpsc;

/// The longest line of a file of targets, in bytes: a file without line breaks is not read into memory.
const MAX_LINE: u64 = 8 << 10;
/// The largest list for a zone, in bytes: a hundred thousand servers take a third of it.
const LARGEST_LIST: u64 = 64 << 20;
/// Targets that are read ahead of the probing.
const READ_AHEAD: usize = 64;
/// Lines that are reported one by one.
const MOST_COMPLAINTS: u64 = 10;

const HINT: &str =
    "a target is host, host:port, host:port/db, postgresql://host/db, or a connection string of libpq, JDBC or ADO.NET";

/// Targets, of which those of a file are still to be read.
pub(super) struct Targets {
    named: Vec<ProbeTarget>,
    /// The zone that they were made for.
    zone: Option<String>,
    file: Option<Lines>,
    reading: Reading,
}

/// What the reading of targets leaves for others.
#[derive(Clone, Default)]
struct Reading {
    root_files: RootFiles,
    poolers: Poolers,
    environment: Arc<Environment>,
}

/// Counts the lines that could not be used.
#[derive(Clone, Default)]
pub(super) struct SkippedLines(Arc<AtomicU64>);

impl SkippedLines {
    /// Whether there were any, and says how many were not reported one by one.
    pub(super) fn any(&self) -> bool {
        let count = self.0.load(Ordering::Relaxed);
        if count > MOST_COMPLAINTS {
            stderr!("warning: {} more lines could not be used", count - MOST_COMPLAINTS);
        }
        count > 0
    }

    fn report(&self, place: &str, line: u64, why: &str) {
        if self.0.fetch_add(1, Ordering::Relaxed) < MOST_COMPLAINTS {
            stderr!("warning: not probed: {place}, line {line}: {why}");
        }
    }
}

/// The ports of poolers that were not named: those of Azure servers that were given by their bare names. A server without a
/// pooler refuses the connection, and that is not worth a line.
#[derive(Clone, Default)]
pub(super) struct Poolers(Arc<Mutex<HashSet<String>>>);

impl Poolers {
    /// The target of the pooler that may be beside `target`, if `text` is the bare name of an Azure server.
    fn beside(&self, text: &str, target: &ProbeTarget) -> Option<ProbeTarget> {
        let bare = text.trim() == target.host && target.address.is_none();
        if !bare || !is_azure(&target.host) {
            return None;
        }
        let pooler = ProbeTarget { port: POOLER_PORT, ..target.clone() };
        self.0.lock().unwrap_or_else(PoisonError::into_inner).insert(pooler.display());
        Some(pooler)
    }

    /// Whether the report is that of a pooler that was not named and does not exist.
    pub(super) fn is_absent(&self, report: &EndpointReport) -> bool {
        let supposed = self.0.lock().unwrap_or_else(PoisonError::into_inner).contains(&report.target);
        supposed && report.unreachable == Some(Unreachable::Refused)
    }
}

impl Targets {
    /// Reads the targets of the command line, and opens the file.
    pub(super) fn open(args: &ProbeArgs, root_files: &RootFiles) -> Result<Self, CliError> {
        let environment = Arc::new(libpq::environment(args.ca_file.as_deref())?);
        let reading = Reading { root_files: root_files.clone(), poolers: Poolers::default(), environment };
        let mut named = Vec::new();
        let stdin = args.targets.iter().any(|text| text == "-");
        if stdin && args.targets_file.is_some() {
            let what = "a target of - reads standard input, and --targets names a file: only one of them is read";
            return Err(CliError::usage(what, "put all targets into one of them"));
        }
        let file = if stdin { Some(Path::new("-")) } else { args.targets_file.as_deref() };
        if args.targets.len() > 1 && args.targets.first().is_some_and(|first| first == "psql") {
            return Err(CliError::usage(
                "psql is a command and no target",
                "leave out psql, and keep the quotes behind it",
            ));
        }
        for text in args.targets.iter().filter(|text| *text != "-") {
            named.extend(reading.parse(text).map_err(|why| CliError::usage(why, HINT))?);
        }
        if named.is_empty() && file.is_none() && reading.environment.names_host() {
            named = reading.parse("").map_err(|why| CliError::usage(format!("the environment: {why}"), HINT))?;
        }
        let mut file = file.map(Lines::open).transpose()?;
        if named.is_empty() && file.is_none() {
            return Err(none());
        }
        let mut zone = None;
        if let Some(list) = file.take_if(Lines::are_a_list_of_a_zone) {
            if !named.is_empty() {
                let hint = "probe the others by a command of their own";
                return Err(CliError::usage("a list for a zone stands alone: nothing else was taken from there", hint));
            }
            let list = list.list_of_zone()?;
            named = list.targets;
            zone = Some(list.zone);
        }
        if file.is_none() {
            args.route.refuse_unused(&named)?;
        }
        Ok(Self { named, zone, file, reading })
    }

    /// The zone that the targets were made for, if they were made for one.
    pub(super) fn zone(&self) -> Option<&str> {
        self.zone.as_deref()
    }

    /// The poolers that are supposed while the targets are read.
    pub(super) fn poolers(&self) -> Poolers {
        self.reading.poolers.clone()
    }

    /// The targets as they are read, and how many there are. A file is read by a thread of its own: standard input may keep it
    /// waiting.
    pub(super) fn stream(self) -> (impl Stream<Item = ProbeTarget> + Send + 'static, SkippedLines, TargetCount) {
        let unread = SkippedLines::default();
        let (sender, receiver) = mpsc::channel(READ_AHEAD);
        let mut count = TargetCount { named: self.named.len() as u64, file: FileCount::None };
        if let Some(lines) = self.file {
            let (unread, reading) = (unread.clone(), self.reading);
            let is_endless = !lines.is_file;
            let reader = std::thread::spawn(move || lines.send_all(&reading, &sender, &unread));
            count.file = if is_endless { FileCount::Unknown } else { FileCount::Reading(reader) };
        }
        let read = stream::unfold(receiver, |mut receiver| async {
            let target = receiver.recv().await?;
            Some((target, receiver))
        });
        (stream::iter(self.named).chain(read), unread, count)
    }
}

/// How many targets there are.
pub(super) struct TargetCount {
    named: u64,
    file: FileCount,
}

enum FileCount {
    None,
    Reading(std::thread::JoinHandle<u64>),
    /// Standard input or a pipe: no one knows how much is to come.
    Unknown,
}

impl TargetCount {
    /// How many, where that can be known. Called when no target is taken any more: the rest of a file is counted.
    fn total(self) -> Option<u64> {
        match self.file {
            FileCount::None => Some(self.named),
            FileCount::Reading(reader) => reader.join().ok().map(|read| self.named + read),
            FileCount::Unknown => None,
        }
    }

    /// How far a probe came that was interrupted.
    pub(super) fn when_interrupted(self, done: u64) -> String {
        match self.total() {
            Some(total) => {
                let plural = if total == 1 { "" } else { "s" };
                format!("interrupted: {done} of {total} target{plural} done, {} not probed", total.saturating_sub(done))
            }
            None => {
                let plural = if done == 1 { "" } else { "s" };
                format!("interrupted: {done} target{plural} done, the rest of the input not probed")
            }
        }
    }
}

/// The error of a command without a target.
pub(super) fn none() -> CliError {
    CliError::usage("no target was given", "name one, such as db.example:5432, use --targets FILE, or set PGHOST")
}

impl Reading {
    /// Reads a target, and the roots that it names. Errors never repeat the text, which may hold a password.
    fn parse(&self, text: &str) -> Result<Vec<ProbeTarget>, String> {
        let found = ProbeTarget::parse_in(text, &self.environment).map_err(|error| error.to_string())?;
        if found.sockets > 0 {
            stderr!("warning: skipped {} Unix-domain socket(s) in a list of hosts: they have no TLS", found.sockets);
        }
        if found.is_host_of_query {
            stderr!(
                "note: a URL names one host before its path and another in its query: that of the query is probed, as libpq connects to it"
            );
        }
        let mut targets = found.targets;
        for name in targets.iter().filter_map(|target| target.root_certificate.as_deref()) {
            if self.root_files.get(name).is_some() {
                continue;
            }
            let store = match name {
                SYSTEM => {
                    let system = SystemRoots::read();
                    let store = system.store()?;
                    for why in &system.faults {
                        stderr!("warning: OpenSSL trusts nothing of what cannot be read: {why}");
                    }
                    store
                }
                path => roots_of_file(Path::new(path)).map_err(|why| format!("sslrootcert: {why}"))?,
            };
            self.root_files.insert(name, Arc::from([store]));
        }
        let pooler = targets.first().and_then(|target| self.poolers.beside(text, target));
        targets.extend(pooler);
        Ok(targets)
    }
}

/// A file of targets, one a line. Empty lines and those that begin with # are none.
struct Lines {
    place: String,
    /// It has an end that is there already.
    is_file: bool,
    reader: Box<dyn BufRead + Send>,
}

impl Lines {
    fn open(path: &Path) -> Result<Self, CliError> {
        if path.as_os_str() == "-" {
            let place = "standard input".to_owned();
            return Ok(Self { place, is_file: false, reader: Box::new(BufReader::new(io::stdin())) });
        }
        let unreadable = |error: io::Error| {
            CliError::usage(format!("{}: {error}", path.display()), "--targets takes a file with a target a line, or -")
        };
        let file = File::open(path).map_err(unreadable)?;
        let kind = file.metadata().map_err(unreadable)?;
        if kind.is_dir() {
            return Err(unreadable(io::ErrorKind::IsADirectory.into()));
        }
        let reader = utf8(BufReader::new(file)).map_err(|why| unreadable(io::Error::other(why)))?;
        Ok(Self { place: path.display().to_string(), is_file: kind.is_file(), reader: Box::new(reader) })
    }

    /// Whether it begins as JSON does, and no target: an object.
    fn are_a_list_of_a_zone(&mut self) -> bool {
        // A reader that fails now fails again when its lines are read, and says so then.
        self.reader.fill_buf().is_ok_and(|begin| begin.iter().find(|byte| !byte.is_ascii_whitespace()) == Some(&b'{'))
    }

    /// The list that was made for a zone.
    fn list_of_zone(self) -> Result<ZoneTargets, CliError> {
        let hint = "make it again with `hostssl zones targets ZONE`, and copy the whole file";
        ZoneTargets::read(self.reader.take(LARGEST_LIST))
            .map_err(|error| CliError::usage(format!("{}: {error}", self.place), hint))
    }

    /// Sends every target, and says how many there are. When they are no longer taken, it counts the rest of a file, and ends where
    /// there may be no end.
    fn send_all(mut self, reading: &Reading, sender: &mpsc::Sender<ProbeTarget>, unread: &SkippedLines) -> u64 {
        let mut count = 0;
        for number in 1.. {
            let line = match self.next_line() {
                Ok(Some(line)) => line,
                Ok(None) => break,
                Err(error) => {
                    unread.report(&self.place, number, &error.to_string());
                    break;
                }
            };
            let targets = match line {
                Line::TooLong => Err("the line is too long".to_owned()),
                Line::Text(text) => {
                    // Editors of Windows begin a file with a byte order mark.
                    let text = text.strip_prefix('\u{feff}').unwrap_or(&text);
                    let is_no_target = text.trim().is_empty() || text.trim_start().starts_with('#');
                    if is_no_target { Ok(Vec::new()) } else { reading.parse(text) }
                }
            };
            match targets {
                Ok(targets) => {
                    for target in targets {
                        count += 1;
                        if sender.blocking_send(target).is_err() && !self.is_file {
                            return count;
                        }
                    }
                }
                Err(why) => unread.report(&self.place, number, &why),
            }
        }
        count
    }

    fn next_line(&mut self) -> io::Result<Option<Line>> {
        let mut line = Vec::new();
        if self.reader.by_ref().take(MAX_LINE).read_until(b'\n', &mut line)? == 0 {
            return Ok(None);
        }
        if line.ends_with(b"\n") || u64::try_from(line.len()).is_ok_and(|length| length < MAX_LINE) {
            return Ok(Some(Line::Text(String::from_utf8_lossy(&line).into_owned())));
        }
        loop {
            line.clear();
            let read = self.reader.by_ref().take(MAX_LINE).read_until(b'\n', &mut line)?;
            if read == 0 || line.ends_with(b"\n") {
                return Ok(Some(Line::TooLong));
            }
        }
    }
}

enum Line {
    Text(String),
    TooLong,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_read_one_by_one_and_long_ones_skipped() {
        let long = "x".repeat(20_000);
        let text =
            format!("\u{feff}first\n# a comment\n\n db.example:6432 \n{long}\nhost=/tmp password=hunter2\na,b\nlast");
        let lines = Lines { place: "list".into(), is_file: true, reader: Box::new(io::Cursor::new(text)) };
        let (sender, mut receiver) = mpsc::channel(8);
        let unread = SkippedLines::default();
        assert_eq!(lines.send_all(&Reading::default(), &sender, &unread), 5);
        drop(sender);
        let mut targets = Vec::new();
        while let Some(target) = receiver.blocking_recv() {
            targets.push(target.display());
        }
        assert_eq!(targets, ["first:5432", "db.example:6432", "a:5432", "b:5432", "last:5432"]);
        assert!(unread.any());
        assert_eq!(unread.0.load(Ordering::Relaxed), 2);
    }

    #[test]
    fn what_is_left_of_a_file_is_counted_and_of_a_pipe_is_not() {
        for (is_file, expected) in [(true, 4), (false, 1)] {
            let reader = Box::new(io::Cursor::new("a\nb,c\n\n# no target\nd"));
            let (sender, receiver) = mpsc::channel(8);
            drop(receiver);
            let lines = Lines { place: "list".into(), is_file, reader };
            assert_eq!(lines.send_all(&Reading::default(), &sender, &SkippedLines::default()), expected);
        }
        let count = |file| TargetCount { named: 300, file }.when_interrupted(3);
        assert_eq!(count(FileCount::None), "interrupted: 3 of 300 targets done, 297 not probed");
        assert_eq!(count(FileCount::Unknown), "interrupted: 3 targets done, the rest of the input not probed");
        let more = FileCount::Reading(std::thread::spawn(|| 100));
        assert_eq!(count(more), "interrupted: 3 of 400 targets done, 397 not probed");
    }

    #[test]
    fn a_bare_azure_name_stands_for_both_ports() {
        let displayed = |text: &str| -> Vec<String> {
            Reading::default().parse(text).unwrap().iter().map(ProbeTarget::display).collect()
        };
        let host = "pg-orders.postgres.database.azure.com";
        assert_eq!(displayed(host), [format!("{host}:5432"), format!("{host}:6432")]);
        let simulated = format!("{host}.invalid");
        assert_eq!(displayed(&simulated), [format!("{simulated}:5432"), format!("{simulated}:6432")]);
        assert_eq!(displayed("db.example.invalid"), ["db.example.invalid:5432"]);
        assert_eq!(displayed(&format!("{host}:5432")), [format!("{host}:5432")]);
        assert_eq!(displayed(&format!("postgresql://{host}/shop")), [format!("{host}:5432")]);
        assert_eq!(displayed("db.example"), ["db.example:5432"]);
    }
}
