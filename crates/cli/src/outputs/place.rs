//! Where a path leads: to a file that is replaced, to something that cannot be, or to a stream of this process.

use crate::error::CliError;
use std::ffi::OsStr;
use std::fs::{self, File, OpenOptions};
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};
use tempfile::NamedTempFile;

/// More links than this lead nowhere (Linux follows 40).
const MOST_LINKS: usize = 40;
/// How much is written at once.
const BUFFER: usize = 64 << 10;

/// Where something is written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Place {
    /// The standard output of this process.
    Stdout,
    /// Its standard error.
    Stderr,
    /// A file, there or not: it is replaced as a whole.
    File(PathBuf),
    /// A pipe with a name: its reader takes the end of every writer for the end of everything, so it is opened once.
    Pipe(PathBuf),
    /// A device, or what this process was given open: it takes bytes and stays what it is.
    Open(PathBuf),
}

impl Place {
    /// Where a path leads, through links, whether or not there is something at their end.
    ///
    /// # Errors
    ///
    /// When the links go in circles or cannot be read.
    pub(crate) fn of(path: &Path) -> io::Result<Self> {
        let mut path = path.to_path_buf();
        for _ in 0..MOST_LINKS {
            match stream::descriptor(&path) {
                Some(1) => return Ok(Self::Stdout),
                Some(2) => return Ok(Self::Stderr),
                Some(_) if is_pipe(&path) => return Ok(Self::Pipe(path)),
                Some(_) => return Ok(Self::Open(path)),
                None => {}
            }
            if !fs::symlink_metadata(&path).is_ok_and(|found| found.is_symlink()) {
                return Ok(Self::at_end(path));
            }
            path = folder_of(&path).join(fs::read_link(&path)?);
        }
        Err(io::Error::other("its links form a loop"))
    }

    /// Whether it is the file that the standard input of this process is read from.
    pub(crate) fn is_standard_input(&self) -> bool {
        matches!(self, Self::File(path) if stream::is_standard_input(path))
    }

    /// What no link stands for.
    fn at_end(path: PathBuf) -> Self {
        // The same place has the same name, however it was given.
        let whole = match (fs::canonicalize(folder_of(&path)), path.file_name()) {
            (Ok(folder), Some(name)) => folder.join(name),
            _ => path,
        };
        if let Some(stream) = stream::behind(&whole) {
            stream
        } else if is_pipe(&whole) {
            Self::Pipe(whole)
        } else if fs::metadata(&whole).is_ok_and(|found| !found.is_file()) {
            Self::Open(whole)
        } else {
            Self::File(whole)
        }
    }

    /// Whether it can be written, as far as that can be said without a trace.
    pub(crate) fn check(&self) -> io::Result<()> {
        match self {
            Self::File(path) => beside(path).map(drop),
            Self::Open(path) => open(path).map(drop),
            // The reader of a pipe would take the end of this for the end of everything.
            Self::Pipe(_) | Self::Stdout | Self::Stderr => Ok(()),
        }
    }

    /// Writes it whole. A file that is replaced is seen as it was before, or as it is afterwards.
    ///
    /// # Errors
    ///
    /// What `how` says, or that the place cannot be written; both name it.
    pub(crate) fn write(
        &self,
        shown: &Path,
        how: impl FnOnce(&mut dyn Write) -> Result<(), CliError>,
    ) -> Result<(), CliError> {
        let failed = |error: io::Error| cannot_write(shown, &error);
        let through = |out: &mut dyn Write| {
            let mut out = BufWriter::with_capacity(BUFFER, out);
            how(&mut out).map_err(|error| error.of_file(shown))?;
            out.flush().map_err(failed)
        };
        match self {
            Self::Stdout => through(&mut io::stdout().lock()),
            Self::Stderr => through(&mut io::stderr().lock()),
            Self::Pipe(path) => through(&mut stream::open_pipe(path).map_err(failed)?),
            Self::Open(path) => through(&mut open(path).map_err(failed)?),
            Self::File(path) => {
                let mut file = beside(path).map_err(failed)?;
                through(file.as_file_mut())?;
                file.as_file().sync_all().map_err(failed)?;
                file.persist(path).map_err(|error| failed(error.error))?;
                sync_folder_of(path).map_err(failed)
            }
        }
    }
}

/// Writes a file that must not be there yet: whole, or not at all.
///
/// # Errors
///
/// [`io::ErrorKind::AlreadyExists`] when it is there, and why it cannot be written.
pub(crate) fn write_new(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut file = beside(path)?;
    file.write_all(bytes)?;
    file.as_file().sync_all()?;
    file.persist_noclobber(path).map_err(|error| error.error)?;
    sync_folder_of(path)
}

/// At the end of what is there already.
fn open(path: &Path) -> io::Result<File> {
    OpenOptions::new().append(true).open(path)
}

/// A new file in the folder of another, and with its permissions: that folder is on the same disk.
fn beside(path: &Path) -> io::Result<NamedTempFile> {
    let mut builder = tempfile::Builder::new();
    let mut prefix = path.file_name().unwrap_or(OsStr::new("hostssl")).to_os_string();
    prefix.push(".");
    builder.prefix(&prefix).suffix(".tmp");
    if let Some(permissions) = fs::metadata(path).map(|found| found.permissions()).ok().or_else(usual_permissions) {
        builder.permissions(permissions);
    }
    builder.tempfile_in(folder_of(path))
}

/// Those of any new file, less what the umask takes away: a report is for all who may read the folder.
#[cfg(unix)]
fn usual_permissions() -> Option<fs::Permissions> {
    use std::os::unix::fs::PermissionsExt as _;
    Some(fs::Permissions::from_mode(0o666))
}

#[cfg(not(unix))]
fn usual_permissions() -> Option<fs::Permissions> {
    None
}

/// The new name is on the disk when its folder is; where a folder cannot be opened, as on Windows, the system sees to it.
fn sync_folder_of(path: &Path) -> io::Result<()> {
    File::open(folder_of(path)).map_or(Ok(()), |folder| folder.sync_all())
}

/// The folder that a path names something in.
pub(crate) fn folder_of(path: &Path) -> &Path {
    path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

/// Why something cannot be written.
pub(crate) fn cannot_write(path: &Path, error: &io::Error) -> CliError {
    CliError::refused(
        format!("{} cannot be written: {error}", path.display()),
        "name another file, or free some space; nothing else is lost",
    )
}

fn is_pipe(path: &Path) -> bool {
    stream::is_pipe(path)
}

#[cfg(unix)]
mod stream {
    use super::Place;
    use rustix::fs::OFlags;
    use rustix::io::Errno;
    use std::fs::{self, File, OpenOptions};
    use std::io;
    use std::os::fd::AsFd;
    use std::os::unix::fs::{FileTypeExt as _, MetadataExt as _, OpenOptionsExt as _};
    use std::path::Path;
    use std::time::{Duration, Instant};

    /// How long a program may take to open a pipe for reading: it may be started after this one.
    const READER_COMES_WITHIN: Duration = Duration::from_secs(10);
    /// No event says that a pipe has a reader.
    const ASK_AGAIN_AFTER: Duration = Duration::from_millis(50);

    pub(super) fn is_pipe(path: &Path) -> bool {
        fs::metadata(path).is_ok_and(|found| found.file_type().is_fifo())
    }

    /// The stream of this process that goes to the same file or pipe as a path: replacing that file would lose what the
    /// stream says. Devices take both.
    pub(super) fn behind(path: &Path) -> Option<Place> {
        let is_device = |found: &fs::Metadata| !found.is_file() && !found.file_type().is_fifo();
        let found = fs::metadata(path).ok().filter(|found| !is_device(found))?;
        let is_behind = |stream: io::Result<fs::Metadata>| {
            stream.is_ok_and(|stream| (stream.dev(), stream.ino()) == (found.dev(), found.ino()))
        };
        if is_behind(metadata(&io::stdout())) {
            Some(Place::Stdout)
        } else if is_behind(metadata(&io::stderr())) {
            Some(Place::Stderr)
        } else {
            None
        }
    }

    /// Whether the standard input of this process is this file.
    pub(super) fn is_standard_input(path: &Path) -> bool {
        let same = |stdin: &fs::Metadata, found: &fs::Metadata| {
            found.is_file() && (stdin.dev(), stdin.ino()) == (found.dev(), found.ino())
        };
        metadata(&io::stdin()).is_ok_and(|stdin| fs::metadata(path).is_ok_and(|found| same(&stdin, &found)))
    }

    fn metadata(stream: &impl AsFd) -> io::Result<fs::Metadata> {
        File::from(stream.as_fd().try_clone_to_owned()?).metadata()
    }

    /// The number of an open file of this process that a path stands for.
    pub(super) fn descriptor(path: &Path) -> Option<u32> {
        let text = path.to_str()?;
        match text {
            "/dev/stdin" => return Some(0),
            "/dev/stdout" => return Some(1),
            "/dev/stderr" => return Some(2),
            _ => {}
        }
        let own = format!("/proc/{}/fd/", std::process::id());
        let folders = ["/dev/fd/", "/proc/self/fd/", "/proc/thread-self/fd/", &own];
        folders.iter().find_map(|folder| text.strip_prefix(folder))?.parse().ok()
    }

    /// Opens a pipe once it has a reader, and waits for one no longer than that takes.
    pub(super) fn open_pipe(path: &Path) -> io::Result<File> {
        let flags = i32::try_from(OFlags::NONBLOCK.bits()).map_err(io::Error::other)?;
        let until = Instant::now() + READER_COMES_WITHIN;
        let has_no_reader = |error: &io::Error| error.raw_os_error() == Some(Errno::NXIO.raw_os_error());
        loop {
            match OpenOptions::new().write(true).custom_flags(flags).open(path) {
                Err(error) if has_no_reader(&error) && Instant::now() < until => std::thread::sleep(ASK_AGAIN_AFTER),
                Err(error) if has_no_reader(&error) => {
                    return Err(io::Error::other("it is a pipe, and no program reads from it"));
                }
                Err(error) => return Err(error),
                Ok(pipe) => {
                    // From here on a write waits for the reader.
                    let flags = rustix::fs::fcntl_getfl(&pipe)?;
                    rustix::fs::fcntl_setfl(&pipe, flags - OFlags::NONBLOCK)?;
                    return Ok(pipe);
                }
            }
        }
    }
}

#[cfg(not(unix))]
mod stream {
    use super::Place;
    use std::fs::File;
    use std::io;
    use std::path::Path;

    pub(super) fn is_pipe(_: &Path) -> bool {
        false
    }

    pub(super) fn behind(_: &Path) -> Option<Place> {
        None
    }

    pub(super) fn is_standard_input(_: &Path) -> bool {
        false
    }

    pub(super) fn descriptor(_: &Path) -> Option<u32> {
        None
    }

    pub(super) fn open_pipe(path: &Path) -> io::Result<File> {
        super::open(path)
    }
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;
    use std::io::Read as _;
    use std::os::unix::fs::symlink;

    fn text(text: &'static str) -> impl FnOnce(&mut dyn Write) -> Result<(), CliError> {
        move |out| out.write_all(text.as_bytes()).map_err(|error| CliError::failed(&error, ""))
    }

    #[test]
    fn a_pipe_is_opened_once_and_its_reader_gets_everything() {
        let folder = tempfile::tempdir().unwrap();
        let pipe = folder.path().join("pipe");
        assert!(std::process::Command::new("mkfifo").arg(&pipe).status().unwrap().success());
        let place = Place::of(&pipe).unwrap();
        assert!(matches!(place, Place::Pipe(_)), "{place:?}");
        let reader = std::thread::spawn({
            let pipe = pipe.clone();
            move || {
                let mut read = String::new();
                File::open(pipe).unwrap().read_to_string(&mut read).map(|_| read)
            }
        });
        // A check that opened it would end the reader, and the write would find none.
        place.check().unwrap();
        place.write(&pipe, text("whole")).unwrap();
        assert_eq!(reader.join().unwrap().unwrap(), "whole");
    }

    #[test]
    fn what_is_open_already_is_not_replaced() {
        for (path, place) in
            [("/dev/stdout", Place::Stdout), ("/dev/fd/1", Place::Stdout), ("/dev/stderr", Place::Stderr)]
        {
            assert_eq!(Place::of(Path::new(path)).unwrap(), place);
        }
        let folder = tempfile::tempdir().unwrap();
        let link = folder.path().join("link");
        symlink("/dev/stderr", &link).unwrap();
        assert_eq!(Place::of(&link).unwrap(), Place::Stderr);
        assert!(matches!(Place::of(Path::new("/dev/null")).unwrap(), Place::Open(_)));
    }

    #[test]
    fn a_link_leads_where_it_says_even_if_nothing_is_there() {
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join(name);
        symlink("target", path("a")).unwrap();
        symlink(path("target"), path("b")).unwrap();
        symlink("a", path("c")).unwrap();
        let places = ["a", "b", "c", "target"].map(|name| Place::of(&path(name)).unwrap());
        assert!(places.iter().all(|place| *place == places[0]), "{places:?}");
        places[0].write(&path("a"), text("new")).unwrap();
        assert!(fs::symlink_metadata(path("a")).unwrap().is_symlink(), "the link stays");
        assert_eq!(fs::read_to_string(path("target")).unwrap(), "new");
        symlink("around", path("around")).unwrap();
        assert!(Place::of(&path("around")).is_err());
    }

    #[test]
    fn a_new_file_is_whole_and_never_in_place_of_another() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("plan.json");
        write_new(&file, b"one").unwrap();
        assert_eq!(write_new(&file, b"two").unwrap_err().kind(), io::ErrorKind::AlreadyExists);
        assert_eq!(fs::read_to_string(&file).unwrap(), "one");
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1, "nothing is left beside it");
    }
}
