//! Files of root certificates that are named on the command line.

use hostssl_probe::certificate::RootStore;
use std::io::{self, Read as _};
use std::path::Path;

/// The largest file of certificates that is read, in bytes: the whole of Mozilla's roots is a fraction of it.
const LARGEST_CA_FILE: u64 = 16 << 20;

/// The roots in a file of PEM certificates, or why there are none.
pub(crate) fn roots_of_file(path: &Path) -> Result<RootStore, String> {
    let unreadable = |error: &dyn std::fmt::Display| format!("the CA file {} cannot be read: {error}", path.display());
    // A list of targets may name any file: nothing endless, and nothing that waits.
    match std::fs::metadata(path) {
        Ok(metadata) if !metadata.is_file() => return Err(unreadable(&"it is not a regular file")),
        Ok(metadata) if metadata.len() > LARGEST_CA_FILE => return Err(unreadable(&"it is larger than 16 MiB")),
        Ok(_) => {}
        Err(error) => return Err(unreadable(&error)),
    }
    let pem = std::fs::read(path).map_err(|error| unreadable(&error))?;
    RootStore::from_pem(path.display().to_string(), &pem).map_err(|error| error.to_string())
}

/// The root certificates that standard input has in PEM.
pub(crate) fn roots_of_stdin() -> Result<RootStore, String> {
    let mut pem = Vec::new();
    let read = io::stdin().lock().take(LARGEST_CA_FILE + 1).read_to_end(&mut pem);
    read.map_err(|error| format!("the certificates on standard input cannot be read: {error}"))?;
    if pem.len() as u64 > LARGEST_CA_FILE {
        return Err("the certificates on standard input are larger than 16 MiB".to_owned());
    }
    RootStore::from_pem("standard input".to_owned(), &pem).map_err(|error| error.to_string())
}
