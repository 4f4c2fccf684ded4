//! Plan files on the disk.

use crate::error::CliError;
use crate::outputs::{folder_of, write_new};
use hostssl_remediation::{MAX_PLAN_BYTES, Plan};
use std::fs::{File, TryLockError};
use std::io::{self, ErrorKind, Read as _};
use std::path::{Path, PathBuf};

/// Digits of the hash in the name of a plan file that was given none.
const HASH_IN_NAME: usize = 12;

/// Reads a plan and holds it to everything that can be checked without asking anyone.
pub(crate) fn read(path: &Path) -> Result<Plan, CliError> {
    if is_stdin(path) {
        return read_from(io::stdin().lock(), path);
    }
    read_from(open(path)?, path)
}

/// The same, and keeps everyone else from applying that file until the lock is dropped.
pub(crate) fn read_and_lock(path: &Path) -> Result<(Plan, Option<File>), CliError> {
    if is_stdin(path) {
        return Ok((read(path)?, None));
    }
    let file = open(path)?;
    match file.try_lock() {
        Ok(()) => {}
        Err(TryLockError::WouldBlock) => {
            return Err(CliError::refused(
                format!("another hostssl is applying {}", path.display()),
                "wait until it has ended; `hostssl runs` lists the runs",
            ));
        }
        Err(TryLockError::Error(error)) => {
            return Err(CliError::failed(&error, "the plan file cannot be locked: copy it to a local disk"));
        }
    }
    Ok((read_from(&file, path)?, Some(file)))
}

/// Whether `-` stands for standard input. No other process can apply what only this one can read.
pub(crate) fn is_stdin(path: &Path) -> bool {
    path == Path::new("-")
}

fn open(path: &Path) -> Result<File, CliError> {
    File::open(path).map_err(|error| {
        CliError::usage(format!("{}: {error}", path.display()), "`hostssl plan` writes a plan file and prints its name")
    })
}

fn read_from(file: impl io::Read, path: &Path) -> Result<Plan, CliError> {
    let mut text = String::new();
    // One byte more than is accepted, so that too much is seen.
    let limit = u64::try_from(MAX_PLAN_BYTES).unwrap_or(u64::MAX).saturating_add(1);
    file.take(limit).read_to_string(&mut text).map_err(|error| {
        CliError::usage(format!("{}: {error}", path.display()), "a plan file is the JSON that `hostssl plan` writes")
    })?;
    Plan::parse(&text).map_err(|error| CliError::invalid_plan(path, &error))
}

/// Whether a plan could be written to this file: it is not there yet, and its folder is.
pub(crate) fn check_free(path: &Path) -> Result<(), CliError> {
    if path.try_exists().unwrap_or_default() {
        return Err(exists(path));
    }
    let folder = folder_of(path);
    if folder.is_dir() {
        return Ok(());
    }
    let (path, folder) = (path.display(), folder.display());
    Err(CliError::usage(
        format!("{path} cannot be written: there is no folder {folder}"),
        "name another file with --out",
    ))
}

fn exists(path: &Path) -> CliError {
    let message = format!("{} exists already, and a plan is never overwritten", path.display());
    CliError::usage(message, "name another file with --out")
}

/// Writes a plan to a file that is not there yet: a plan never changes, so its file does not either.
pub(crate) fn write(plan: &Plan, path: Option<&Path>) -> Result<PathBuf, CliError> {
    let hash = plan.hash().as_str();
    let named = || PathBuf::from(format!("hostssl-plan-{}.json", hash.get(..HASH_IN_NAME).unwrap_or(hash)));
    let path = path.map_or_else(named, Path::to_path_buf);
    match write_new(&path, plan.to_json().as_bytes()) {
        Ok(()) => Ok(path),
        Err(error) if error.kind() == ErrorKind::AlreadyExists => Err(exists(&path)),
        Err(error) => {
            let message = format!("{} cannot be written: {error}", path.display());
            Err(CliError::refused(message, "name another file with --out"))
        }
    }
}
