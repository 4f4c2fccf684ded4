//! Log files on disk: which of them, in what order, and their bytes.

use crate::args::TerminalArgs;
use crate::error::CliError;
use flate2::read::MultiGzDecoder;
use hostssl_census::{Census, LogEnd, LogReader, Prefix, SourceKind};
use hostssl_formats::safe;
use std::collections::HashSet;
use std::fs::{self, File};
use std::io::{self, Read};
use std::path::{Path, PathBuf};

/// Bytes that are read at once.
const PIECE: usize = 256 << 10;
/// What gzip begins with.
const GZIP: [u8; 2] = [0x1f, 0x8b];

/// Reads all the logs into `census`. Returns the name of the first too.
pub(super) fn read(
    places: &[PathBuf],
    prefix: Option<Prefix>,
    census: Census,
    terminal: &TerminalArgs,
) -> Result<(String, Census), CliError> {
    let files = files(places, terminal)?;
    let name = places.first().map(|place| name(place)).unwrap_or_default();
    let mut reader = LogReader::new(census, prefix);
    let mut piece = vec![0; PIECE];
    for file in &files {
        reader.begin(SourceKind::LogFile, self::name(file));
        let end = if file.as_os_str() == "-" {
            feed(&mut reader, io::stdin().lock(), &mut piece)
        } else {
            match File::open(file) {
                Ok(opened) => feed(&mut reader, opened, &mut piece),
                Err(error) => LogEnd::Broken(error.to_string()),
            }
        };
        reader.end(end);
    }
    Ok((name, reader.finish()))
}

fn name(place: &Path) -> String {
    if place.as_os_str() == "-" { "standard input".to_owned() } else { place.display().to_string() }
}

/// Hands over the bytes of one file, unpacked if they are packed.
fn feed(reader: &mut LogReader, mut input: impl Read, piece: &mut [u8]) -> LogEnd {
    let mut head = Vec::new();
    if let Err(error) = input.by_ref().take(2).read_to_end(&mut head) {
        return LogEnd::Broken(error.to_string());
    }
    let whole = io::Cursor::new(head.clone()).chain(input);
    if head == GZIP { feed_plain(reader, MultiGzDecoder::new(whole), piece) } else { feed_plain(reader, whole, piece) }
}

fn feed_plain(reader: &mut LogReader, mut input: impl Read, piece: &mut [u8]) -> LogEnd {
    loop {
        match input.read(piece) {
            Ok(0) => return LogEnd::Whole,
            Ok(count) => reader.feed(piece.get(..count).unwrap_or_default()),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return LogEnd::Broken(error.to_string()),
        }
    }
}

/// The files to read, each once: those with fields of their own for names first, because they say more about a session that
/// another file has too.
fn files(places: &[PathBuf], terminal: &TerminalArgs) -> Result<Vec<PathBuf>, CliError> {
    let mut files = Vec::new();
    for place in places {
        if place.as_os_str() == "-" {
            files.push(place.clone());
            continue;
        }
        let unreadable = |error: io::Error| {
            CliError::usage(format!("{}: {error}", place.display()), "--log-file takes a log, a folder of logs, or -")
        };
        if !fs::metadata(place).map_err(unreadable)?.is_dir() {
            File::open(place).map_err(unreadable)?;
            files.push(place.clone());
            continue;
        }
        let mut inside = Vec::new();
        for entry in fs::read_dir(place).map_err(unreadable)? {
            let path = entry.map_err(unreadable)?.path();
            if path.is_file() && is_named_like_a_log(&path) {
                inside.push(path);
            }
        }
        if inside.is_empty() {
            let message = format!("{}: no file in it is named like a log", place.display());
            return Err(CliError::usage(
                message,
                "logs have .log, .csv or .json in their names; name other files one by one",
            ));
        }
        inside.sort();
        files.append(&mut inside);
    }
    let mut known = HashSet::new();
    files.retain(|file| known.insert(fs::canonicalize(file).unwrap_or_else(|_| file.clone())));
    files.sort_by_key(|file| !has_fields(file));
    let twins: HashSet<PathBuf> = files.iter().filter(|file| has_fields(file)).map(|file| stem(file)).collect();
    files.retain(|file| {
        let is_twin = !has_fields(file) && is_named_like_a_log(file) && twins.contains(&stem(file));
        if is_twin && !terminal.quiet {
            stderr!("note: skipped: {}: the csv or json file of the same name has the same lines", safe(&name(file)));
        }
        !is_twin
    });
    Ok(files)
}

/// `postgresql.log`, `postgresql-Mon.csv`, `postgresql.json`, `postgresql-15-main.log.3.gz`
fn is_named_like_a_log(path: &Path) -> bool {
    let name = path.file_name().unwrap_or_default().to_string_lossy().to_ascii_lowercase();
    !name.starts_with('.') && [".log", ".csv", ".json"].iter().any(|mark| name.contains(mark))
}

/// Whether the name is that of csvlog or jsonlog.
fn has_fields(path: &Path) -> bool {
    let name = path.file_name().unwrap_or_default().to_string_lossy().to_ascii_lowercase();
    let name = name.trim_end_matches(".gz");
    name.ends_with(".csv") || name.ends_with(".json")
}

/// The path without what the server puts in place of `.log` for its other formats.
fn stem(path: &Path) -> PathBuf {
    let text = path.to_string_lossy();
    let text = text.strip_suffix(".gz").unwrap_or(&text);
    let stem = [".csv", ".json", ".log"].iter().find_map(|mark| text.strip_suffix(mark)).unwrap_or(text);
    PathBuf::from(stem)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn logs_are_told_by_their_names() {
        for log in ["postgresql.log", "postgresql-15-main.log.3.gz", "postgresql-Mon.csv", "x.json"] {
            assert!(is_named_like_a_log(Path::new(log)), "{log}");
        }
        for other in [".postgresql.log.swp", "current_logfiles", "PG_VERSION"] {
            assert!(!is_named_like_a_log(Path::new(other)), "{other}");
        }
        assert_eq!(stem(Path::new("a/x.json")), stem(Path::new("a/x.log.gz")));
        assert_ne!(stem(Path::new("a/x.json")), stem(Path::new("b/x.log")));
    }
}
