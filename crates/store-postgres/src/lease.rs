//! How long a lease lasts, and by which clock.

use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// How long a lease lasts unless it is renewed: longer than a write may be on its way
/// ([`hostssl_remediation::LONGEST_WRITE`](https://docs.rs/hostssl-remediation)), and than the database takes to fail over.
pub(crate) const LASTS: Duration = Duration::from_mins(2);
/// How often it is renewed.
pub(crate) const RENEWED_EVERY: Duration = Duration::from_secs(15);

/// Until when a lease lasts for certain.
#[derive(Debug)]
pub(crate) struct LeaseTerm {
    name: String,
    token: i64,
    /// By [`since_boot`], in milliseconds; 0 when it is lost.
    ends: AtomicU64,
}

impl LeaseTerm {
    /// One that was asked for at `asked` by [`since_boot`], and given later.
    pub(crate) fn new(name: &str, token: i64, asked: Duration) -> Self {
        let term = Self { name: name.to_owned(), token, ends: AtomicU64::new(0) };
        term.renewed(asked);
        term
    }

    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    pub(crate) fn token(&self) -> i64 {
        self.token
    }

    /// How long it lasts still for certain.
    pub(crate) fn left(&self) -> Duration {
        Duration::from_millis(self.ends.load(Ordering::SeqCst)).saturating_sub(since_boot())
    }

    /// It was asked for again at `asked`.
    pub(crate) fn renewed(&self, asked: Duration) {
        self.ends.store(u64::try_from((asked + LASTS).as_millis()).unwrap_or(0), Ordering::SeqCst);
    }

    /// Another process has it.
    pub(crate) fn lost(&self) {
        self.ends.store(0, Ordering::SeqCst);
    }
}

/// A clock that goes on while the machine sleeps: a lease ends then too.
#[cfg(target_os = "linux")]
pub(crate) fn since_boot() -> Duration {
    let now = rustix::time::clock_gettime(rustix::time::ClockId::Boottime);
    Duration::new(u64::try_from(now.tv_sec).unwrap_or(0), u32::try_from(now.tv_nsec).unwrap_or(0))
}

/// Elsewhere the wall clock is the only one that goes on.
#[cfg(not(target_os = "linux"))]
pub(crate) fn since_boot() -> Duration {
    std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default()
}

/// A name of a state directory that no other one has: the running system, and the directory's place in it. A process that has its
/// lock knows that the one that had the lease with it before is gone.
#[cfg(target_os = "linux")]
pub(crate) fn identity_of(directory: &Path) -> Option<String> {
    use std::os::unix::fs::MetadataExt as _;
    let boot = std::fs::read_to_string("/proc/sys/kernel/random/boot_id").ok()?;
    let metadata = directory.metadata().ok()?;
    Some(format!("{} {}:{}", boot.trim(), metadata.dev(), metadata.ino()))
}

#[cfg(not(target_os = "linux"))]
pub(crate) fn identity_of(_: &Path) -> Option<String> {
    None
}
