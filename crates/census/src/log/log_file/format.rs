//! Formats in which each line is a record: csvlog, jsonlog, and what is a log only once it is unpacked.

use super::super::csv;
use super::super::json_record;
use super::super::short::find;
use super::LogFormat;
use crate::log_time::stamp;

/// Lines at the beginning of which one that is a record decides. The first may be the rest of one.
const FIRST_LINES: usize = 4;

/// csvlog or jsonlog.
pub(super) fn of_records(sample: &[u8]) -> Option<LogFormat> {
    if let Some(format) = lines(sample).take(FIRST_LINES).find_map(of_record) {
        return Some(format);
    }
    // A record may have many lines. Among them are no others that begin with a time.
    let stamped = lines(sample).filter(|line| line.starts_with(b"{") || stamp(line).is_some());
    let (mut csv, mut json, mut others) = (0, 0, 0);
    for line in stamped {
        match of_record(line) {
            Some(LogFormat::Json) => json += 1,
            Some(_) => csv += 1,
            None => others += 1,
        }
    }
    match csv.max(json) {
        records if records <= others => None,
        records if records == csv => Some(LogFormat::Csv),
        _ => Some(LogFormat::Json),
    }
}

fn of_record(line: &[u8]) -> Option<LogFormat> {
    if line.starts_with(b"{") {
        let is_timed = json_record::with_record(line, |record| stamp(record.timestamp.as_bytes()).is_some());
        return (is_timed == Some(true)).then_some(LogFormat::Json);
    }
    stamp(line)?;
    csv::record(line).is_some().then_some(LogFormat::Csv)
}

/// How to unpack lines that are inside of JSON, as the runtimes of containers and the journal write them.
pub(super) fn wrapper(sample: &[u8]) -> Option<&'static str> {
    let is_object = |line: &&[u8]| {
        let line = line.strip_prefix(b"\x1e").unwrap_or(line);
        line.starts_with(b"{") && line.ends_with(b"}")
    };
    let (objects, others): (Vec<&[u8]>, Vec<&[u8]>) = lines(sample).partition(is_object);
    // The last line of the sample may be cut.
    if objects.len() < others.len().max(1) {
        return None;
    }
    let first = objects.first()?;
    let has = |name: &[u8]| find(first, name).is_some();
    Some(if has(b"\"MESSAGE\"") {
        ", with `journalctl -o cat` or `jq -r .MESSAGE`"
    } else if has(b"\"log\"") {
        ", with `jq -r .log`"
    } else {
        ""
    })
}

fn lines(sample: &[u8]) -> impl Iterator<Item = &[u8]> {
    let lines = sample.split(|byte| *byte == b'\n').map(|line| line.strip_suffix(b"\r").unwrap_or(line));
    lines.filter(|line| !line.is_empty())
}
