//! The state directory: private to the user, and one writer at a time.

use crate::shared_log::lease_of_audit;
use crate::{Lease, StateDirectory, StoreError};
use hostssl_remediation::RunId;
use std::fs::{File, OpenOptions, TryLockError};
use std::io::{self, Read as _, Write as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

/// The lock file's name.
const LOCK: &str = "hostssl.lock";
/// The database's name.
const DATABASE: &str = "hostssl.db";

/// Held while servers may be changed with this state directory. The system drops it with the process, however that
/// ends.
#[derive(Debug)]
pub(crate) struct ExclusiveLock {
    _file: File,
}

/// The path of the database in a state directory.
pub(crate) fn database_path(directory: &Path) -> PathBuf {
    directory.join(DATABASE)
}

/// Makes the directory when there is none, for this user only. One that others can write to is refused, and never
/// changed: it may be a directory that others need.
pub(crate) fn prepare(directory: &Path) -> Result<(), StoreError> {
    let fail = |source| StoreError::Directory { path: directory.into(), source: Arc::new(source) };
    if !directory.exists() {
        create_private(directory).map_err(fail)?;
    }
    check(directory)
}

/// Whether what is there is a directory that others cannot write to.
pub(crate) fn check(directory: &Path) -> Result<(), StoreError> {
    let fail = |source| StoreError::Directory { path: directory.into(), source: Arc::new(source) };
    let metadata = directory.metadata().map_err(fail)?;
    if !metadata.is_dir() {
        return Err(fail(io::Error::from(io::ErrorKind::NotADirectory)));
    }
    if others_may_write(&metadata) { Err(StoreError::Exposed(directory.into())) } else { Ok(()) }
}

/// Takes the lock, without waiting for it.
pub(crate) fn lock(directory: &Path) -> Result<ExclusiveLock, StoreError> {
    let path = directory.join(LOCK);
    let fail = |source| StoreError::Directory { path: path.clone(), source: Arc::new(source) };
    let mut file = open_private(&path).map_err(fail)?;
    match file.try_lock() {
        Ok(()) => {}
        Err(TryLockError::WouldBlock) => return Err(StoreError::LockedByAnother { pid: holder(&mut file) }),
        Err(TryLockError::Error(source)) => return Err(fail(source)),
    }
    // Only for the message of another process, so a failure is none of this one.
    let _ = file.set_len(0).and_then(|()| write!(file, "{}", std::process::id()));
    Ok(ExclusiveLock { _file: file })
}

/// Held while the audit of a key is made, so that no other process makes it too. The system drops it with the process.
#[derive(Debug)]
pub struct AuditKeyLock {
    file: File,
    path: PathBuf,
    /// The same for other machines.
    lease: Option<Box<dyn Lease>>,
}

impl AuditKeyLock {
    /// Lets go of a key whose audit is kept. A process that waited for it finds that audit.
    pub fn release(self) {
        // A file that stays is in no one's way.
        let _ = std::fs::remove_file(&self.path);
        drop(self.lease);
        drop(self.file);
    }
}

/// How often a lock that another process has is tried again. No call of the system waits for a lock and for the time.
const LOCK_TRIED_EVERY: Duration = Duration::from_millis(100);

/// Takes the lock of an audit's key. While another process has it, it waits up to `patience`; `waits` is called before.
pub(crate) fn lock_key(
    directory: &StateDirectory,
    key: &RunId,
    patience: Duration,
    waits: impl FnOnce(),
) -> Result<AuditKeyLock, StoreError> {
    let began = Instant::now();
    let mut waits = Some(waits);
    let path = directory.join(format!("audit-{key}.lock"));
    let fail = |source| StoreError::Directory { path: path.clone(), source: Arc::new(source) };
    let file = open_private(&path).map_err(fail)?;
    loop {
        match file.try_lock() {
            // The file is locked while it is waited for the other machines, whose processes have files of their own.
            Ok(()) => break,
            Err(TryLockError::WouldBlock) if began.elapsed() >= patience => {
                return Err(StoreError::KeyHeld(key.clone()));
            }
            Err(TryLockError::WouldBlock) => {
                if let Some(waits) = waits.take() {
                    waits();
                }
                std::thread::sleep(LOCK_TRIED_EVERY);
            }
            Err(TryLockError::Error(source)) => return Err(fail(source)),
        }
    }
    let Some(log) = directory.shared() else { return Ok(AuditKeyLock { file, path, lease: None }) };
    loop {
        match lease_of_audit(log, key)? {
            Some(lease) => return Ok(AuditKeyLock { file, path, lease: Some(lease) }),
            None if began.elapsed() >= patience => return Err(StoreError::KeyHeld(key.clone())),
            None => {
                if let Some(waits) = waits.take() {
                    waits();
                }
                std::thread::sleep(LEASE_TRIED_EVERY);
            }
        }
    }
}

/// How often a lease that a process of another machine has is tried again.
const LEASE_TRIED_EVERY: Duration = Duration::from_secs(1);

/// Who holds the lock, without making its file. To find out, it is taken for a moment, and shared, so that two who ask do not
/// keep each other from it.
pub(crate) fn locked(directory: &Path) -> io::Result<Option<Option<u32>>> {
    let mut file = match File::open(directory.join(LOCK)) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        opened => opened?,
    };
    match file.try_lock_shared() {
        Ok(()) => Ok(None),
        Err(TryLockError::WouldBlock) => Ok(Some(holder(&mut file))),
        Err(TryLockError::Error(error)) => Err(error),
    }
}

/// Whether this user may make files in a directory.
#[cfg(unix)]
pub(crate) fn is_writable(directory: &Path) -> bool {
    use rustix::fs::{Access, access};
    access(directory, Access::WRITE_OK | Access::EXEC_OK).is_ok()
}

/// Elsewhere the permissions are not only the file's own: only a write would tell.
#[cfg(not(unix))]
pub(crate) fn is_writable(directory: &Path) -> bool {
    directory.metadata().is_ok_and(|metadata| !metadata.permissions().readonly())
}

/// Whether a directory can be made in another one. Only making one tells: the permissions of `/proc` and the like allow it to the
/// administrator, and the system does not. It is removed at once.
pub(crate) fn can_hold_directory(directory: &Path) -> bool {
    let trial = directory.join(format!(".hostssl-{}", std::process::id()));
    is_writable(directory) && std::fs::create_dir(&trial).and_then(|()| std::fs::remove_dir(&trial)).is_ok()
}

/// The bytes that this user may still write to the file system of a directory.
#[cfg(unix)]
pub(crate) fn free_bytes(directory: &Path) -> Option<u64> {
    let stat = rustix::fs::statvfs(directory).ok()?;
    Some(stat.f_bavail.saturating_mul(stat.f_frsize))
}

#[cfg(not(unix))]
pub(crate) fn free_bytes(_: &Path) -> Option<u64> {
    None
}

/// The database's file as it was opened, to be told from another one of its name.
#[derive(Debug)]
pub(crate) struct DatabaseFile {
    path: PathBuf,
    identity: Option<(u64, u64)>,
    /// How long it was when it was last checked, in bytes. hostssl never makes it shorter.
    length: u64,
}

impl DatabaseFile {
    /// The file that is there now.
    pub(crate) fn of(directory: &Path) -> Self {
        let path = database_path(directory);
        Self { identity: identity(&path), length: length(&path), path }
    }

    /// Remembers how long it is now.
    pub(crate) fn grown(&mut self) {
        self.length = self.length.max(length(&self.path));
    }

    /// Whether it is still there.
    pub(crate) fn check(&self) -> Result<(), StoreError> {
        if identity(&self.path) != self.identity {
            return Err(StoreError::Gone(self.path.clone()));
        }
        let length = length(&self.path);
        if length < self.length {
            let lost = self.length - length;
            return Err(StoreError::Corrupt(format!("{} lost its last {lost} bytes", self.path.display())));
        }
        Ok(())
    }
}

fn length(path: &Path) -> u64 {
    path.metadata().map_or(0, |metadata| metadata.len())
}

#[cfg(unix)]
fn identity(path: &Path) -> Option<(u64, u64)> {
    use std::os::unix::fs::MetadataExt as _;
    path.metadata().ok().map(|metadata| (metadata.dev(), metadata.ino()))
}

/// Elsewhere an open file cannot be removed.
#[cfg(not(unix))]
fn identity(path: &Path) -> Option<(u64, u64)> {
    path.exists().then_some((0, 0))
}

/// Makes the database's file before SQLite does, so that it is private from the first moment; SQLite gives its
/// companions the same permissions.
pub(crate) fn prepare_database(path: &Path) -> Result<(), StoreError> {
    // A file that is there is never opened here: to close any descriptor of a file drops all locks that this process
    // has on it (fcntl(2), "Traditional record locks"), SQLite's among them, and then another process may delete the
    // log in use.
    let made = match private(OpenOptions::new().write(true).create_new(true)).open(path) {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => make_private(path),
        made => made.map(drop),
    };
    made.map_err(|source| StoreError::Directory { path: path.into(), source: Arc::new(source) })
}

fn holder(file: &mut File) -> Option<u32> {
    let mut text = String::new();
    file.take(16).read_to_string(&mut text).ok()?;
    text.trim().parse().ok()
}

/// For this user alone, if the file is made.
fn private(options: &mut OpenOptions) -> &mut OpenOptions {
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(options, 0o600);
    options
}

fn open_private(path: &Path) -> io::Result<File> {
    private(OpenOptions::new().read(true).write(true).create(true).truncate(false)).open(path)
}

#[cfg(unix)]
fn make_private(path: &Path) -> io::Result<()> {
    use std::os::unix::fs::PermissionsExt as _;
    if std::fs::metadata(path)?.permissions().mode() & 0o077 == 0 {
        return Ok(());
    }
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o600))
}

#[cfg(not(unix))]
fn make_private(_: &Path) -> io::Result<()> {
    Ok(())
}

#[cfg(unix)]
fn create_private(directory: &Path) -> io::Result<()> {
    use std::os::unix::fs::DirBuilderExt as _;
    std::fs::DirBuilder::new().recursive(true).mode(0o700).create(directory)
}

#[cfg(not(unix))]
fn create_private(directory: &Path) -> io::Result<()> {
    std::fs::create_dir_all(directory)
}

#[cfg(unix)]
fn others_may_write(metadata: &std::fs::Metadata) -> bool {
    use std::os::unix::fs::PermissionsExt as _;
    metadata.permissions().mode() & 0o022 != 0
}

#[cfg(not(unix))]
fn others_may_write(_: &std::fs::Metadata) -> bool {
    false
}
