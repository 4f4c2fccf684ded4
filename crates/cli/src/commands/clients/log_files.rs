//! Log files on disk: which of them, in what order, and their bytes.

use crate::error::CliError;
use flate2::read::MultiGzDecoder;
use hostssl_census::{Census, LogEnd, LogReader, MissingReason, Prefix, Source, SourceKind};
use std::collections::HashSet;
use std::fs::{self, File};
use std::io::{self, Read};
use std::path::{Path, PathBuf};

/// Bytes that are read at once.
const PIECE: usize = 256 << 10;
/// What gzip begins with.
const GZIP: [u8; 2] = [0x1f, 0x8b];

/// Reads all the logs into `census`. Returns the name of the first too.
pub(super) fn read(places: &[PathBuf], prefix: Option<Prefix>, census: Census) -> Result<(String, Census), CliError> {
    let FoundFiles { files, skipped } = files(places)?;
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
    let mut census = reader.finish();
    for (path, why) in skipped {
        let mut source = Source::new(SourceKind::LogFile, self::name(&path));
        source.lacks(MissingReason::NotALog, why);
        census.add_source(source);
    }
    Ok((name, census))
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

/// The files to read, and what of the folders is left out, with the reason.
struct FoundFiles {
    files: Vec<PathBuf>,
    skipped: Vec<(PathBuf, &'static str)>,
}

/// The files to read, each once: those with fields of their own for names first, because they say more about a session that
/// another file has too. In a folder a file of any name can be a log; what is none is said when it is read.
fn files(places: &[PathBuf]) -> Result<FoundFiles, CliError> {
    let mut found = FoundFiles { files: Vec::new(), skipped: Vec::new() };
    for place in places {
        if place.as_os_str() == "-" {
            found.files.push(place.clone());
            continue;
        }
        let unreadable = |error: io::Error| {
            CliError::usage(format!("{}: {error}", place.display()), "--log-file takes a log, a folder of logs, or -")
        };
        if !fs::metadata(place).map_err(unreadable)?.is_dir() {
            File::open(place).map_err(unreadable)?;
            found.files.push(place.clone());
            continue;
        }
        let mut inside = Vec::new();
        for entry in fs::read_dir(place).map_err(unreadable)? {
            let path = entry.map_err(unreadable)?.path();
            match why_skipped(&path) {
                Some(why) => found.skipped.push((path, why)),
                None => inside.push(path),
            }
        }
        if inside.is_empty() {
            let message = format!("{}: there is no file in it that can be read as a log", place.display());
            return Err(CliError::usage(
                message,
                "folders inside of it, and hidden files, are not read; name them one by one",
            ));
        }
        inside.sort();
        found.files.append(&mut inside);
    }
    let mut known = HashSet::new();
    found.files.retain(|file| known.insert(fs::canonicalize(file).unwrap_or_else(|_| file.clone())));
    found.files.sort_by_key(|file| !has_fields(file));
    // One that is named by itself is not left out.
    found.skipped.retain(|(path, _)| fs::canonicalize(path).is_ok_and(|path| !known.contains(&path)));
    found.skipped.sort();
    Ok(found)
}

/// Why an entry of a folder is not read.
fn why_skipped(path: &Path) -> Option<&'static str> {
    if path.is_dir() {
        return Some("left out: a folder inside of the folder; name it with --log-file if it has logs of this server");
    }
    if path.file_name().unwrap_or_default().to_string_lossy().starts_with('.') {
        return Some("left out: a hidden file; name it with --log-file if it is a log of this server");
    }
    // Reading a pipe or a device may never end.
    (!path.is_file()).then_some("left out: not a regular file")
}

/// Whether the name is that of csvlog or jsonlog.
fn has_fields(path: &Path) -> bool {
    let name = path.file_name().unwrap_or_default().to_string_lossy().to_ascii_lowercase();
    let name = name.trim_end_matches(".gz");
    name.ends_with(".csv") || name.ends_with(".json")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_of_any_name_is_read_and_what_is_not_is_named() {
        let folder = tempfile::tempdir().unwrap();
        for name in ["postgresql-2026-11-26", "server.out", "pg.log", "pg.csv", ".pg.log.swp"] {
            fs::write(folder.path().join(name), "x").unwrap();
        }
        fs::create_dir(folder.path().join("sub")).unwrap();
        let found = files(&[folder.path().to_owned()]).unwrap();
        let names = |paths: Vec<&PathBuf>| -> Vec<String> {
            paths.iter().map(|path| path.file_name().unwrap().to_string_lossy().into_owned()).collect()
        };
        assert_eq!(names(found.files.iter().collect()), ["pg.csv", "pg.log", "postgresql-2026-11-26", "server.out"]);
        assert_eq!(names(found.skipped.iter().map(|(path, _)| path).collect()), [".pg.log.swp", "sub"]);
    }
}
