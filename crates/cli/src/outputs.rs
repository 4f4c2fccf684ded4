//! Where results go: one format to standard output, and others to files, each replaced as a whole.

use crate::args::FormatTo;
use crate::error::CliError;
use std::ffi::OsStr;
use std::fs::{self, File, OpenOptions};
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};
use tempfile::NamedTempFile;

/// The places of a command's results.
#[derive(Debug)]
pub(crate) struct Outputs<F> {
    /// What goes to standard output, if anything does.
    pub(crate) stdout: Option<F>,
    files: Vec<(F, PathBuf)>,
}

impl<F: Copy> Outputs<F> {
    /// Takes what was asked for. A file that could not be written is told now, and not after an hour of work.
    pub(crate) fn of(asked: &[FormatTo<F>]) -> Result<Self, CliError> {
        let mut outputs = Self { stdout: None, files: Vec::new() };
        for FormatTo { format, file } in asked {
            match file {
                None if outputs.stdout.is_some() => {
                    return Err(CliError::usage(
                        "several formats go to standard output",
                        "give all but one of them a file, such as `-o sarif=audit.sarif`",
                    ));
                }
                None => outputs.stdout = Some(*format),
                Some(path) => outputs.files.push((*format, checked(path, &outputs.files)?)),
            }
        }
        Ok(outputs)
    }

    /// Every format, wherever it goes.
    pub(crate) fn formats(&self) -> impl Iterator<Item = F> {
        self.stdout.into_iter().chain(self.files.iter().map(|(format, _)| *format))
    }

    /// Writes every file. One that cannot be written is told, and the others are written all the same.
    pub(crate) fn write_files(
        &self,
        quiet: bool,
        how: impl Fn(&mut dyn Write, F) -> Result<(), CliError>,
    ) -> Result<(), CliError> {
        let mut result = Ok(());
        for (format, path) in &self.files {
            match replace(path, |out| how(out, *format)) {
                Ok(()) if quiet => {}
                Ok(()) => say!("written: {}", hostssl_formats::safe(&path.display().to_string())),
                Err(error) if result.is_ok() => result = Err(error),
                Err(error) => say!("error: {}", error.on_one_line()),
            }
        }
        result
    }
}

/// The file behind a path, if it can be written and nothing else is written to it.
fn checked<F>(path: &Path, others: &[(F, PathBuf)]) -> Result<PathBuf, CliError> {
    let shown = path.display();
    let folder = folder_of(path);
    if !folder.is_dir() {
        let what = format!("{shown} cannot be written: there is no folder {}", folder.display());
        return Err(CliError::usage(what, "make the folder first, or name another file"));
    }
    if path.is_dir() || path.file_name().is_none() {
        return Err(CliError::usage(format!("{shown} is a folder"), "name a file in it"));
    }
    // What a link leads to is written, and the link stays.
    let whole = fs::canonicalize(path)
        .or_else(|_| fs::canonicalize(folder).map(|folder| folder.join(path.file_name().unwrap_or_default())));
    let whole = whole.map_err(|error| cannot_write(path, &error))?;
    if others.iter().any(|(_, other)| *other == whole) {
        return Err(CliError::usage(format!("several formats go to {shown}"), "give each a file of its own"));
    }
    // The folder takes a new file, or the file takes bytes.
    if is_special(&whole) { OpenOptions::new().write(true).open(&whole).map(drop) } else { beside(&whole).map(drop) }
        .map_err(|error| cannot_write(path, &error))?;
    Ok(whole)
}

/// Replaces a file as a whole: who reads it meanwhile sees the old one, and one that could not be written whole is not there.
pub(crate) fn replace(path: &Path, how: impl FnOnce(&mut dyn Write) -> Result<(), CliError>) -> Result<(), CliError> {
    // What a link leads to is replaced, and the link stays.
    let path = &fs::canonicalize(path).unwrap_or_else(|_| path.to_path_buf());
    let failed = |error: io::Error| cannot_write(path, &error);
    if is_special(path) {
        let mut out = BufWriter::new(OpenOptions::new().write(true).open(path).map_err(failed)?);
        how(&mut out)?;
        return out.flush().map_err(failed);
    }
    let mut file = beside(path).map_err(failed)?;
    let mut out = BufWriter::with_capacity(64 << 10, file.as_file_mut());
    how(&mut out)?;
    out.flush().map_err(failed)?;
    drop(out);
    file.as_file().sync_all().map_err(failed)?;
    file.persist(path).map_err(|error| failed(error.error))?;
    // The new name is on the disk when its folder is; where a folder cannot be opened, as on Windows, the system sees to it.
    if let Ok(folder) = File::open(folder_of(path)) {
        folder.sync_all().map_err(failed)?;
    }
    Ok(())
}

/// Whether it is a device or a pipe, which cannot be replaced.
fn is_special(path: &Path) -> bool {
    fs::metadata(path).is_ok_and(|found| !found.is_file())
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

/// Those of any new file, less what the umask takes away: a report is for whoever may read the folder.
#[cfg(unix)]
fn usual_permissions() -> Option<fs::Permissions> {
    use std::os::unix::fs::PermissionsExt as _;
    Some(fs::Permissions::from_mode(0o666))
}

#[cfg(not(unix))]
fn usual_permissions() -> Option<fs::Permissions> {
    None
}

fn folder_of(path: &Path) -> &Path {
    path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

fn cannot_write(path: &Path, error: &io::Error) -> CliError {
    CliError::refused(
        format!("{} cannot be written: {error}", path.display()),
        "name another file, or free some space; nothing else is lost",
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn to(format: u8, file: Option<&Path>) -> FormatTo<u8> {
        FormatTo { format, file: file.map(Path::to_path_buf) }
    }

    #[test]
    fn what_cannot_be_written_is_told_before_anything_is_done() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("a");
        let told = |asked: &[FormatTo<u8>]| Outputs::of(asked).unwrap_err().on_one_line();
        assert!(told(&[to(1, None), to(2, None)]).contains("several formats go to standard output"));
        assert!(told(&[to(1, Some(&folder.path().join("b/c")))]).contains("there is no folder"));
        assert!(told(&[to(1, Some(folder.path()))]).contains("is a folder"));
        assert!(told(&[to(1, Some(&file)), to(2, Some(&folder.path().join("./a")))]).contains("several formats go to"));
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0, "a check leaves nothing");
    }

    #[test]
    fn a_file_is_replaced_as_a_whole_or_stays() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("a");
        fs::write(&file, "old").unwrap();
        let outputs = Outputs::of(&[to(1, Some(&file))]).unwrap();
        let half = |out: &mut dyn Write, _| {
            out.write_all(b"half").map_err(|error| cannot_write(&file, &error))?;
            Err(CliError::usage("no more", ""))
        };
        outputs.write_files(true, half).unwrap_err();
        assert_eq!(fs::read_to_string(&file).unwrap(), "old");
        let whole = |out: &mut dyn Write, _| out.write_all(b"new").map_err(|error| cannot_write(&file, &error));
        outputs.write_files(true, whole).unwrap();
        assert_eq!(fs::read_to_string(&file).unwrap(), "new");
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1, "nothing is left beside it");
    }

    #[cfg(unix)]
    #[test]
    fn a_device_is_written_to_and_a_link_stays() {
        use std::os::unix::fs::symlink;
        let folder = tempfile::tempdir().unwrap();
        let (file, link) = (folder.path().join("file"), folder.path().join("link"));
        fs::write(&file, "old").unwrap();
        symlink(&file, &link).unwrap();
        let outputs = Outputs::of(&[to(1, Some(&link)), to(2, Some(Path::new("/dev/null")))]).unwrap();
        outputs.write_files(true, |out, _| out.write_all(b"new").map_err(|e| cannot_write(&link, &e))).unwrap();
        assert_eq!(fs::read_to_string(&file).unwrap(), "new");
        assert!(fs::symlink_metadata(&link).unwrap().is_symlink());
        assert!(is_special(Path::new("/dev/null")));
    }
}
