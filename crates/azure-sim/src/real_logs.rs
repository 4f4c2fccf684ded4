//! The log files of real PostgreSQL servers that stand behind simulated ones: what is on disk is what is listed and served.

use std::collections::HashMap;
use std::fs::{self, File};
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use axum::body::Body;
use bytes::Bytes;
use jiff::Timestamp;

/// Bytes of a log that are read at once, so that a log of any size is served in the same memory.
const PIECE: usize = 256 << 10;

/// The folders with the logs of real servers, by the name of the simulated server that each stands behind.
#[derive(Debug, Default)]
pub(crate) struct RealLogs(Mutex<HashMap<String, PathBuf>>);

impl RealLogs {
    /// Takes the logs of a server from a folder from now on.
    pub(crate) fn set(&self, server: &str, folder: PathBuf) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).insert(server.to_owned(), folder);
    }

    /// The folder with the logs of a server, if there is a real one behind it.
    pub(crate) fn of(&self, server: &str) -> Option<PathBuf> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).get(server).cloned()
    }
}

/// A log file.
#[derive(Debug)]
pub(crate) struct LogFile {
    pub(crate) name: String,
    pub(crate) bytes: u64,
    pub(crate) modified: Timestamp,
}

/// The logs in a folder, by name. What cannot be read is left out, as a server has not uploaded it yet.
pub(crate) fn files(folder: &Path) -> Vec<LogFile> {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    let mut files: Vec<LogFile> = entries
        .filter_map(|entry| {
            let name = entry.file_name().into_string().ok().filter(|name| name.ends_with(".log"))?;
            let metadata = entry.metadata().ok().filter(fs::Metadata::is_file)?;
            let modified = Timestamp::try_from(metadata.modified().ok()?).ok()?;
            Some(LogFile { name, bytes: metadata.len(), modified })
        })
        .collect();
    files.sort_by(|a, b| a.name.cmp(&b.name));
    files
}

/// The text of a log as long as it is now; `None` if there is no such file. The name comes from a URL, and leads nowhere
/// else: it must be one of those that are listed.
pub(crate) fn body(folder: &Path, name: &str) -> Option<Body> {
    let listed = files(folder).into_iter().find(|file| file.name == name)?;
    let file = File::open(folder.join(&listed.name)).ok()?.take(listed.bytes);
    Some(Body::from_stream(futures::stream::try_unfold(file, |file| async {
        tokio::task::spawn_blocking(move || piece(file)).await.map_err(io::Error::other)?
    })))
}

/// The next piece of a file; `None` at its end.
fn piece(mut file: io::Take<File>) -> io::Result<Option<(Bytes, io::Take<File>)>> {
    let mut piece = vec![0; PIECE];
    let count = file.read(&mut piece)?;
    piece.truncate(count);
    Ok((count > 0).then(|| (Bytes::from(piece), file)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn logs_on_disk_are_listed_and_served_and_nothing_else_is() {
        let folder = tempfile::tempdir().unwrap();
        let logs = folder.path().join("log");
        fs::create_dir(&logs).unwrap();
        fs::write(folder.path().join("outside.log"), "secret").unwrap();
        fs::write(logs.join("b.log"), vec![b'x'; 2 * PIECE + 7]).unwrap();
        fs::write(logs.join("a.log"), "a\n").unwrap();
        fs::write(logs.join("postgresql.csv"), "c\n").unwrap();
        let listed: Vec<(String, u64)> = files(&logs).into_iter().map(|file| (file.name, file.bytes)).collect();
        assert_eq!(listed, [("a.log".to_owned(), 2), ("b.log".to_owned(), 2 * PIECE as u64 + 7)]);
        let whole = axum::body::to_bytes(body(&logs, "b.log").unwrap(), usize::MAX).await.unwrap();
        assert!(whole.len() == 2 * PIECE + 7 && whole.iter().all(|byte| *byte == b'x'));
        for name in ["postgresql.csv", "../outside.log", "none.log", ""] {
            assert!(body(&logs, name).is_none(), "{name}");
        }
    }
}
