//! Files that are this user's alone, and are whole or not there.

use std::fs::{self, DirBuilder, File};
use std::io::{self, Write as _};
use std::path::Path;

/// Makes a directory for this user alone, if there is none.
pub(crate) fn private_directory(path: &Path) -> io::Result<()> {
    let mut builder = DirBuilder::new();
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.recursive(true).create(path)
}

/// Writes a file as a whole, for this user alone, in place of one that is there.
pub(crate) fn write_private(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let begun = path.with_extension(format!("new-{}", uuid::Uuid::new_v4()));
    let written = create_private(&begun, bytes).and_then(|()| fs::rename(&begun, path));
    written.inspect(|()| sync_directory_of(path)).inspect_err(|_| {
        let _ = fs::remove_file(&begun);
    })
}

/// Writes a new file for this user alone, whole or not at all. It is an error when one is there.
pub(crate) fn write_new_private(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let begun = path.with_extension(format!("new-{}", uuid::Uuid::new_v4()));
    let linked = create_private(&begun, bytes).and_then(|()| fs::hard_link(&begun, path));
    let _ = fs::remove_file(&begun);
    match linked {
        // File systems without links, such as shares: it may be left empty by a crash, which its reader says.
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => create_private(path, bytes)?,
        linked => linked?,
    }
    sync_directory_of(path);
    Ok(())
}

/// Puts the name of a file on the disk, where a file system can.
fn sync_directory_of(path: &Path) {
    #[cfg(unix)]
    if let Some(directory) = path.parent() {
        let directory = if directory.as_os_str().is_empty() { Path::new(".") } else { directory };
        // Not every file system knows this of a directory; the file itself is written.
        let _ = File::open(directory).and_then(|directory| directory.sync_all());
    }
    #[cfg(not(unix))]
    let _ = path;
}

/// Writes a new file for this user alone. What is in it is on the disk when this returns.
fn create_private(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut options = File::options();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let mut file = options.open(path)?;
    file.write_all(bytes)?;
    file.sync_all()
}

/// Whether others than this user may read or write a file. One of root's may be readable for its group, as libpq allows for
/// a client's key (PostgreSQL, "SSL Support"): a secret that Kubernetes mounts is.
#[cfg(unix)]
pub(crate) fn is_exposed(path: &Path) -> io::Result<bool> {
    use std::os::unix::fs::MetadataExt as _;
    let found = fs::metadata(path)?;
    Ok(is_open(found.mode(), found.uid() == 0 && !rustix::process::geteuid().is_root()))
}

#[cfg(unix)]
fn is_open(mode: u32, is_of_root: bool) -> bool {
    mode & if is_of_root { 0o037 } else { 0o077 } != 0
}

#[cfg(not(unix))]
pub(crate) fn is_exposed(_: &Path) -> io::Result<bool> {
    Ok(false)
}

#[cfg(all(test, unix))]
mod tests {
    use super::is_open;

    #[test]
    fn a_group_may_read_what_is_roots_alone() {
        let open = |mode| (is_open(mode, false), is_open(mode, true));
        assert_eq!(open(0o100_600), (false, false));
        assert_eq!(open(0o100_440), (true, false));
        for mode in [0o100_660, 0o100_644, 0o100_604, 0o100_610] {
            assert_eq!(open(mode), (true, true), "{mode:o}");
        }
    }
}
