//! What outlives a process: the accepted writes of a simulated Azure, a line each, in a file that several processes share.
//!
//! Lines are only ever appended, under a lock, and a line counts once its end is there. A process that is killed in the middle
//! of one leaves a piece that the next writer closes and every reader skips. Each process applies the lines that it has not
//! applied yet before it answers a request, so that all of them see one world.

use std::fs::{File, OpenOptions};
use std::io::{self, ErrorKind, Read as _, Seek as _, SeekFrom, Write as _};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use tokio::time::Instant;

use crate::activity_log::{ActivityLog, LoggedWrite};
use crate::change::Change;
use crate::estate::Estate;
use crate::fleet::ServerState;
use crate::parameters;

/// A line of the file.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
enum Line {
    /// A write was accepted.
    Write(Write),
    /// A write reached a server, accepted or not.
    Event(LoggedWrite),
    /// Everything before is forgotten.
    Reset,
}

/// A write that was accepted.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Write {
    /// The resource id of the server.
    server: String,
    /// When it takes effect, in milliseconds since 1970.
    due_ms: i64,
    /// Parameters and their new values.
    #[serde(default)]
    parameters: Vec<(String, String)>,
    /// Whether the parameters go back to their defaults instead.
    #[serde(default)]
    to_default: bool,
    /// A new state of the server.
    #[serde(default)]
    state: Option<String>,
}

/// The file of a world, and how far this process has followed it.
#[derive(Debug)]
pub(crate) struct World {
    path: PathBuf,
    followed: Mutex<u64>,
}

/// The right to write: no other process accepts a write meanwhile.
#[derive(Debug)]
pub(crate) struct Turn<'a> {
    file: File,
    followed: MutexGuard<'a, u64>,
}

impl World {
    /// The world that is kept in `path`. The file need not be there: nothing has changed then.
    pub(crate) fn new(path: PathBuf) -> Self {
        Self { path, followed: Mutex::new(0) }
    }

    /// Applies what was written since this process looked last.
    ///
    /// # Errors
    ///
    /// When the file is there and cannot be read.
    pub(crate) fn follow(&self, estate: &Estate, activity: &ActivityLog, now: Timestamp) -> io::Result<()> {
        let mut followed = self.followed.lock().unwrap_or_else(PoisonError::into_inner);
        match std::fs::metadata(&self.path) {
            Ok(metadata) if metadata.len() > *followed => {
                let mut file = File::open(&self.path)?;
                *followed = apply_from(&mut file, *followed, estate, activity, now)?;
                Ok(())
            }
            Ok(_) => Ok(()),
            // Without the file, or without the folder that a first write makes, nothing has changed.
            Err(error) if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) => Ok(()),
            Err(error) => Err(error),
        }
    }

    /// Waits for the turn to write, and applies what others wrote before it.
    ///
    /// # Errors
    ///
    /// When the file cannot be made, locked or read.
    pub(crate) fn turn(&self, estate: &Estate, activity: &ActivityLog, now: Timestamp) -> io::Result<Turn<'_>> {
        let mut followed = self.followed.lock().unwrap_or_else(PoisonError::into_inner);
        let mut file = open_and_lock(&self.path)?;
        *followed = apply_from(&mut file, *followed, estate, activity, now)?;
        Ok(Turn { file, followed })
    }
}

impl Turn<'_> {
    /// Keeps an accepted write that takes effect at `due`.
    ///
    /// # Errors
    ///
    /// When it cannot be written. The write must not be accepted then.
    pub(crate) fn keep(&mut self, server: &str, due: Timestamp, change: &Change) -> io::Result<()> {
        let line = Line::Write(Write {
            server: server.to_owned(),
            due_ms: due.as_millisecond(),
            parameters: change.parameters.iter().map(|(one, value)| (one.name.to_owned(), value.clone())).collect(),
            to_default: change.reset,
            state: change.state.map(|state| state.as_str().to_owned()),
        });
        *self.followed = append(&mut self.file, &line)?;
        Ok(())
    }

    /// Keeps an event of the Activity Log.
    ///
    /// # Errors
    ///
    /// When it cannot be written.
    pub(crate) fn log(&mut self, event: &LoggedWrite) -> io::Result<()> {
        *self.followed = append(&mut self.file, &Line::Event(event.clone()))?;
        Ok(())
    }
}

/// Forgets every change that is kept in `path`, for this process and for those that share the file.
///
/// # Errors
///
/// When the file is there and cannot be written.
pub(crate) fn reset(path: &Path) -> io::Result<()> {
    if path.try_exists()? { append(&mut open_and_lock(path)?, &Line::Reset).map(|_| ()) } else { Ok(()) }
}

fn open_and_lock(path: &Path) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.read(true).append(true).create(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let file = options.open(path)?;
    // It is given back when the file is closed, also by a kill.
    file.lock()?;
    Ok(file)
}

/// Appends a line, behind the end of whatever a killed process left, and returns the new length of the file.
fn append(file: &mut File, line: &Line) -> io::Result<u64> {
    let length = file.seek(SeekFrom::End(0))?;
    let mut text = String::new();
    if length > 0 {
        let mut last = [0];
        file.seek(SeekFrom::Start(length - 1))?;
        file.read_exact(&mut last)?;
        if last != *b"\n" {
            text.push('\n');
        }
    }
    text.push_str(&serde_json::to_string(line)?);
    text.push('\n');
    file.write_all(text.as_bytes())?;
    file.seek(SeekFrom::End(0))
}

/// Applies the whole lines behind `from` and returns where they end.
fn apply_from(file: &mut File, from: u64, estate: &Estate, activity: &ActivityLog, now: Timestamp) -> io::Result<u64> {
    let mut bytes = Vec::new();
    file.seek(SeekFrom::Start(from))?;
    file.read_to_end(&mut bytes)?;
    let whole = bytes.iter().rposition(|byte| *byte == b'\n').map_or(0, |last| last + 1);
    for line in bytes.get(..whole).unwrap_or_default().split(|byte| *byte == b'\n').filter(|line| !line.is_empty()) {
        match serde_json::from_slice(line) {
            Ok(Line::Write(write)) => apply(write, estate, now),
            Ok(Line::Event(event)) => activity.add(event),
            Ok(Line::Reset) => {
                estate.restore();
                activity.restore();
            }
            // The piece of a line that a killed process left.
            Err(error) => tracing::warn!(%error, "a line of the simulated world is skipped"),
        }
    }
    Ok(from + whole as u64)
}

/// Applies a write now, or when it is due. One for a server or a parameter that this scenario has no more is left out.
fn apply(write: Write, estate: &Estate, now: Timestamp) {
    let Some((_, record)) = estate.server_by_id(&write.server) else { return };
    let parameters = write.parameters.into_iter();
    let change = Change {
        parameters: parameters
            .filter_map(|(name, value)| Some((parameters::find(record.kind, &name)?, value)))
            .collect(),
        reset: write.to_default,
        state: write.state.as_deref().and_then(ServerState::named),
    };
    let left = Duration::from_millis(u64::try_from(write.due_ms - now.as_millisecond()).unwrap_or_default());
    let mut mutable = record.lock();
    mutable.remember();
    mutable.note_switch(&change, Timestamp::from_millisecond(write.due_ms).unwrap_or(now));
    if left.is_zero() {
        mutable.apply(record.kind, &change);
    } else {
        mutable.begin(Instant::now() + left, Arc::new(change));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scenario::Scenario;
    use crate::simulation::Simulation;

    const NAME: &str = "require_secure_transport";

    fn keycloak(simulation: &Simulation) -> String {
        simulation.server_ids().into_iter().find(|id| id.ends_with("pg-keycloak")).unwrap()
    }

    fn demo(path: &Path) -> Simulation {
        Simulation::kept(Scenario::named("demo").unwrap(), path.to_owned()).unwrap()
    }

    fn keep(simulation: &Simulation, value: &str, after: Duration) {
        let inner = simulation.inner();
        let (_, record) = inner.estate.server_by_id(&keycloak(simulation)).unwrap();
        let parameter = parameters::find(record.kind, NAME).unwrap();
        let change = Change { parameters: vec![(parameter, value.to_owned())], ..Change::default() };
        let now = Timestamp::now();
        let world = inner.world.as_ref().unwrap();
        let mut turn = world.turn(&inner.estate, &inner.activity, now).unwrap();
        turn.keep(&record.id, now + after, &change).unwrap();
        drop(turn);
        let mut mutable = record.lock();
        mutable.remember();
        mutable.apply(record.kind, &change);
    }

    fn value(simulation: &Simulation) -> String {
        simulation.inner().follow_world().unwrap();
        simulation.parameter(&keycloak(simulation), NAME).unwrap()
    }

    #[tokio::test]
    async fn a_change_outlives_the_process_and_reaches_those_that_run() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("demo.jsonl");
        let (first, other) = (demo(&path), demo(&path));
        assert_eq!((value(&first), first.changed()), ("off".to_owned(), 0));
        assert!(!path.exists(), "a world that was not changed needs no file");
        keep(&first, "on", Duration::ZERO);
        let later = demo(&path);
        assert_eq!((value(&other), value(&later), later.changed()), ("on".to_owned(), "on".to_owned(), 1));
        keep(&later, "off", Duration::ZERO);
        assert_eq!((value(&first), demo(&path).changed()), ("off".to_owned(), 0));
        keep(&later, "on", Duration::ZERO);
        Simulation::forget_changes(&path).unwrap();
        assert_eq!((value(&first), value(&demo(&path))), ("off".to_owned(), "off".to_owned()));
    }

    #[tokio::test]
    async fn a_write_that_a_killed_process_had_accepted_takes_effect_when_it_is_due() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("demo.jsonl");
        keep(&demo(&path), "on", Duration::from_secs(3600));
        let later = demo(&path);
        assert_eq!(value(&later), "off");
        let (_, record) = later.inner().estate.server_by_id(&keycloak(&later)).unwrap();
        assert!(record.lock().busy());
    }

    #[tokio::test]
    async fn a_line_that_was_cut_off_harms_no_other() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("demo.jsonl");
        keep(&demo(&path), "on", Duration::ZERO);
        let mut text = std::fs::read_to_string(&path).unwrap();
        text.push_str(r#"{"write":{"server":"/subs"#);
        std::fs::write(&path, &text).unwrap();
        let later = demo(&path);
        assert_eq!(value(&later), "on");
        keep(&later, "off", Duration::ZERO);
        assert_eq!(value(&demo(&path)), "off");
    }

    #[tokio::test]
    async fn writers_at_the_same_time_lose_no_line() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("demo.jsonl");
        std::thread::scope(|scope| {
            for value in ["on", "off"] {
                let path = &path;
                scope.spawn(move || {
                    let simulation = demo(path);
                    (0..50).for_each(|_| keep(&simulation, value, Duration::ZERO));
                });
            }
        });
        let text = std::fs::read_to_string(&path).unwrap();
        assert!(text.lines().all(|line| serde_json::from_str::<Line>(line).is_ok()));
        assert_eq!(text.lines().count(), 100);
    }

    #[test]
    fn a_world_that_cannot_be_read_is_an_error() {
        let folder = tempfile::tempdir().unwrap();
        let scenario = Scenario::named("demo").unwrap();
        std::fs::create_dir(folder.path().join("demo.jsonl")).unwrap();
        let path = folder.path().join("demo.jsonl");
        assert!(Simulation::kept(scenario, path).is_err());
    }
}
