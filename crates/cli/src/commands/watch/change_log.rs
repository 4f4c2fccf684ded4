//! The file that changes are appended to: a line of JSON for each comparison.

use std::fs::{File, OpenOptions};
use std::io::{self, Read as _, Seek as _, SeekFrom, Write as _};
use std::path::Path;

/// Opens the file, and makes it where it does not exist yet.
pub(super) fn open(path: &Path) -> io::Result<File> {
    OpenOptions::new().read(true).append(true).create(true).open(path)
}

/// Appends a line, and waits until it is on the disk. A line that was cut short by an end of the process or of the disk is ended
/// first, so that the new one stands alone.
pub(super) fn append(path: &Path, line: &str) -> io::Result<()> {
    let mut file = open(path)?;
    let mut text = String::with_capacity(line.len() + 2);
    if is_cut_short(&mut file)? {
        text.push('\n');
    }
    text.push_str(line.trim_end_matches('\n'));
    text.push('\n');
    file.write_all(text.as_bytes())?;
    file.sync_all()
}

/// Whether the last line has no end. What is no regular file, such as a pipe, has no end to look at.
fn is_cut_short(file: &mut File) -> io::Result<bool> {
    let about = file.metadata()?;
    if !about.is_file() || about.len() == 0 {
        return Ok(false);
    }
    file.seek(SeekFrom::End(-1))?;
    let mut last = [0];
    file.read_exact(&mut last)?;
    Ok(last != *b"\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_that_was_cut_short_does_not_swallow_the_next() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("changes.jsonl");
        append(&path, "{\"a\":1}\n").unwrap();
        append(&path, "{\"b\":2}").unwrap();
        open(&path).unwrap().write_all(b"{\"c\":").unwrap();
        append(&path, "{\"d\":4}").unwrap();
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "{\"a\":1}\n{\"b\":2}\n{\"c\":\n{\"d\":4}\n");
    }
}
