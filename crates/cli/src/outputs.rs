//! Where results go: one format to standard output, and others to files, each replaced as a whole.

mod place;

pub(crate) use place::{folder_of, write_new};

use crate::args::FormatTo;
use crate::error::CliError;
use place::{Place, cannot_write};
use std::fs::File;
use std::io::Write;
use std::path::{Path, PathBuf};

/// The places of a command's results.
#[derive(Debug)]
pub(crate) struct Outputs<F> {
    /// What goes to standard output, if anything does.
    pub(crate) stdout: Option<F>,
    files: Vec<Output<F>>,
}

/// A format that goes to a file.
#[derive(Debug)]
struct Output<F> {
    format: F,
    /// As it was given.
    path: PathBuf,
    place: Place,
}

impl<F: Copy> Outputs<F> {
    /// Takes what was asked for. A file that could not be written is told now, and not after an hour of work.
    pub(crate) fn of(asked: &[FormatTo<F>]) -> Result<Self, CliError> {
        let mut outputs = Self { stdout: None, files: Vec::new() };
        for FormatTo { format, file } in asked {
            let place = match file {
                None => Place::Stdout,
                Some(path) => checked(path, &outputs.files)?,
            };
            match (place, file) {
                (Place::Stdout, _) if outputs.stdout.is_some() => {
                    return Err(CliError::usage(
                        "several formats go to standard output",
                        "give all but one of them a file, such as `-o sarif=audit.sarif`",
                    ));
                }
                (Place::Stdout, _) | (_, None) => outputs.stdout = Some(*format),
                (place, Some(path)) => outputs.files.push(Output { format: *format, path: path.clone(), place }),
            }
        }
        Ok(outputs)
    }

    /// Refuses to replace a file that is read: what was in it would be lost.
    pub(crate) fn refuse_inputs<'a>(&self, inputs: impl IntoIterator<Item = &'a Path>) -> Result<(), CliError> {
        let places: Vec<Place> =
            inputs.into_iter().filter(|input| input.is_file()).filter_map(|input| Place::of(input).ok()).collect();
        let is_read = |output: &&Output<F>| {
            let is_file = matches!(output.place, Place::File(_));
            is_file && (places.contains(&output.place) || output.place.is_standard_input())
        };
        self.files.iter().find(is_read).map_or(Ok(()), |output| Err(is_input(&output.path)))
    }

    /// Every format, wherever it goes.
    pub(crate) fn formats(&self) -> impl Iterator<Item = F> {
        self.stdout.into_iter().chain(self.files.iter().map(|output| output.format))
    }

    /// Writes every file. One that cannot be written is told, and the others are written all the same.
    pub(crate) fn write_files(
        &self,
        quiet: bool,
        how: impl Fn(&mut dyn Write, F) -> Result<(), CliError>,
    ) -> Result<(), CliError> {
        let mut result = Ok(());
        for Output { format, path, place } in &self.files {
            match place.write(path, |out| how(out, *format)) {
                Ok(()) if quiet || *place == Place::Stderr => {}
                Ok(()) => stderr!("written: {}", hostssl_formats::safe(&path.display().to_string())),
                Err(error) if result.is_ok() => result = Err(error),
                Err(error) => stderr!("error: {}", error.on_one_line()),
            }
        }
        result
    }
}

/// Refuses a file that something is written to beside standard output, when it cannot be: it is a folder, or an input, or the
/// standard output that has something else already.
pub(crate) fn check_beside(path: &Path, inputs: &[&Path], is_stdout_free: bool) -> Result<(), CliError> {
    let shown = path.display();
    let place = checked::<()>(path, &[])?;
    if place == Place::Stdout && !is_stdout_free {
        return Err(CliError::usage(format!("something else goes to {shown}"), "name a file, or add -o none"));
    }
    if path == Path::new("-") {
        return Err(CliError::usage("- is not a file", "name a file, or /dev/stdout with -o none"));
    }
    if inputs.iter().any(|input| Place::of(input).is_ok_and(|input| input == place)) {
        return Err(is_input(path));
    }
    Ok(())
}

fn is_input(path: &Path) -> CliError {
    CliError::usage(format!("{} is read, so it cannot be written", path.display()), "name another file")
}

/// Whether two paths lead to the same place.
pub(crate) fn is_same_place(one: &Path, other: &Path) -> bool {
    Place::of(one).is_ok_and(|one| Place::of(other).is_ok_and(|other| one == other))
}

/// The place behind a path, if it can be written and nothing else is written to it.
fn checked<F>(path: &Path, others: &[Output<F>]) -> Result<Place, CliError> {
    let shown = path.display();
    if names_a_folder(path) {
        return Err(CliError::usage(format!("{shown} is a folder"), "name a file in it"));
    }
    let place = Place::of(path).map_err(|error| cannot_write(path, &error))?;
    if let Place::File(whole) = &place {
        let folder = folder_of(whole);
        if !folder.is_dir() {
            let what = format!("{shown} cannot be written: there is no folder {}", folder.display());
            return Err(CliError::usage(what, "make the folder first, or name another file"));
        }
    }
    if others.iter().any(|other| other.place == place) {
        return Err(CliError::usage(format!("several formats go to {shown}"), "give each a file of its own"));
    }
    place.check().map_err(|error| cannot_write(path, &error))?;
    Ok(place)
}

/// Whether a path is that of a folder, or is written as only one of a folder is.
fn names_a_folder(path: &Path) -> bool {
    let text = path.as_os_str().to_string_lossy();
    let last = text.rsplit(std::path::is_separator).next().unwrap_or_default();
    matches!(last, "" | "." | "..") || path.is_dir()
}

/// Replaces a file as a whole: who reads it meanwhile sees the old one, and one that could not be written whole is not there.
pub(crate) fn replace(path: &Path, how: impl FnOnce(&mut dyn Write) -> Result<(), CliError>) -> Result<(), CliError> {
    Place::of(path).map_err(|error| cannot_write(path, &error))?.write(path, how)
}

/// A text with one more entry at its end, and an empty line before that.
pub(crate) fn with_entry(before: &str, entry: &str) -> String {
    let gap = match before {
        "" => "",
        text if text.ends_with("\n\n") => "",
        text if text.ends_with('\n') => "\n",
        _ => "\n\n",
    };
    format!("{before}{gap}{entry}")
}

/// Keeps others that would add to a file out of its folder until it is dropped. The file itself is replaced, so a lock on it
/// would be one on what it was. Nothing where folders cannot be locked, as on Windows.
pub(crate) fn lock_folder_of(file: &Path) -> Option<File> {
    let folder = File::open(folder_of(file)).ok()?;
    folder.lock().ok()?;
    Some(folder)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    fn to(format: u8, file: Option<&Path>) -> FormatTo<u8> {
        FormatTo { format, file: file.map(Path::to_path_buf) }
    }

    #[test]
    fn what_cannot_be_written_is_told_before_anything_is_done() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("a");
        let refusal_of = |asked: &[FormatTo<u8>]| Outputs::of(asked).unwrap_err().on_one_line();
        assert!(refusal_of(&[to(1, None), to(2, None)]).contains("several formats go to standard output"));
        assert!(refusal_of(&[to(1, Some(&folder.path().join("b/c")))]).contains("there is no folder"));
        assert!(refusal_of(&[to(1, Some(folder.path()))]).contains("is a folder"));
        for written_so in ["b/", "a/.", "b/.."] {
            assert!(
                refusal_of(&[to(1, Some(&folder.path().join(written_so)))]).contains("is a folder"),
                "{written_so}"
            );
        }
        assert!(
            refusal_of(&[to(1, Some(&file)), to(2, Some(&folder.path().join("./a")))])
                .contains("several formats go to")
        );
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
        let error = outputs.write_files(true, half).unwrap_err().on_one_line();
        assert!(error.contains("no more") && error.contains(&file.display().to_string()), "it names the file: {error}");
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
    }

    #[cfg(unix)]
    #[test]
    fn the_name_of_a_stream_is_that_stream() {
        let stdout = Some(Path::new("/dev/stdout"));
        assert_eq!(Outputs::of(&[to(1, stdout)]).unwrap().stdout, Some(1));
        let both = Outputs::of(&[to(1, None), to(2, stdout)]).unwrap_err().on_one_line();
        assert!(both.contains("several formats go to standard output"), "{both}");
    }
}
