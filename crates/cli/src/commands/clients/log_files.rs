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
    let FoundFiles { files, skipped, .. } = files(places)?;
    let name = places.first().map(|place| name(place)).unwrap_or_default();
    let mut reader = LogReader::new(census, prefix);
    let mut piece = vec![0; PIECE];
    for file in &files {
        // A folder of logs may have a page of its owner in it, or the log of another program.
        if places.contains(file) {
            reader.begin(SourceKind::LogFile, self::name(file));
        } else {
            reader.begin_found(SourceKind::LogFile, self::name(file));
        }
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
#[derive(Default)]
struct FoundFiles {
    files: Vec<PathBuf>,
    skipped: Vec<(PathBuf, &'static str)>,
    /// The folders that were entered, without links: a link may lead back.
    folders: HashSet<PathBuf>,
}

impl FoundFiles {
    /// Enters a folder. All of it is read, hidden files and the folders inside too: anything in it may be a log of the server, and
    /// what is left out could have the client that matters. What is no log is said when it is read.
    fn enter(&mut self, folder: &Path) -> Result<(), CliError> {
        let unreadable = |error: io::Error| unreadable(folder, &error);
        if !self.folders.insert(fs::canonicalize(folder).map_err(unreadable)?) {
            return Ok(());
        }
        let mut entries = Vec::new();
        for entry in fs::read_dir(folder).map_err(unreadable)? {
            entries.push(entry.map_err(unreadable)?.path());
        }
        entries.sort();
        for path in entries {
            if path.is_dir() {
                self.enter(&path)?;
            } else if path.is_file() {
                self.files.push(path);
            } else {
                // Reading a pipe or a device may never end.
                self.skipped.push((path, "left out: not a regular file, or a link to nothing"));
            }
        }
        Ok(())
    }
}

fn unreadable(place: &Path, error: &io::Error) -> CliError {
    CliError::usage(format!("{}: {error}", place.display()), "--log-file takes a log, a folder of logs, or -")
}

/// The files to read, each once: those with fields of their own for names first, because they say more about a session that
/// another file has too.
fn files(places: &[PathBuf]) -> Result<FoundFiles, CliError> {
    let mut found = FoundFiles::default();
    for place in places {
        if place.as_os_str() == "-" {
            found.files.push(place.clone());
            continue;
        }
        let unreadable = |error: io::Error| unreadable(place, &error);
        if !fs::metadata(place).map_err(unreadable)?.is_dir() {
            File::open(place).map_err(unreadable)?;
            found.files.push(place.clone());
            continue;
        }
        let before = found.files.len();
        let is_new = !found.folders.contains(&fs::canonicalize(place).map_err(unreadable)?);
        found.enter(place)?;
        if is_new && found.files.len() == before {
            let message = format!("{}: there is no file in it that can be read as a log", place.display());
            return Err(CliError::usage(message, "name the folder that the server writes its logs to, or the files"));
        }
    }
    let mut known = HashSet::new();
    found.files.retain(|file| known.insert(fs::canonicalize(file).unwrap_or_else(|_| file.clone())));
    found.files.sort_by_key(|file| !has_fields(file));
    found.skipped.sort();
    Ok(found)
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

    #[cfg(unix)]
    #[test]
    fn a_file_of_any_name_and_depth_is_read_once_and_what_is_none_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let sub = folder.path().join("sub/deeper");
        fs::create_dir_all(&sub).unwrap();
        for name in [
            "postgresql-2026-11-26",
            "server.out",
            "pg.log",
            "pg.csv",
            ".hidden.log",
            "sub/pg.log.1",
            "sub/deeper/a.json",
        ] {
            fs::write(folder.path().join(name), "x").unwrap();
        }
        // A link back to the folder, to one of its files, and to nothing.
        std::os::unix::fs::symlink(folder.path(), sub.join("back")).unwrap();
        std::os::unix::fs::symlink(folder.path().join("pg.log"), sub.join("pg.log")).unwrap();
        std::os::unix::fs::symlink("nothing", sub.join("gone")).unwrap();
        let names = |paths: Vec<&PathBuf>| -> Vec<String> {
            paths.iter().map(|path| path.file_name().unwrap().to_string_lossy().into_owned()).collect()
        };
        for places in [vec![folder.path().to_owned()], vec![folder.path().to_owned(), sub.clone()]] {
            let found = files(&places).unwrap();
            assert_eq!(
                names(found.files.iter().collect()),
                ["pg.csv", "a.json", ".hidden.log", "pg.log", "postgresql-2026-11-26", "server.out", "pg.log.1"]
            );
            assert_eq!(names(found.skipped.iter().map(|(path, _)| path).collect()), ["gone"]);
        }
        let empty = tempfile::tempdir().unwrap();
        assert!(files(&[empty.path().to_owned()]).is_err());
    }
}
