//! Writes down how far an audit or a plan is while it is made here, so that the other consoles of the state show it.

use hostssl_store::{AuditStore, WorkInProgress};
use std::convert::Infallible;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// How often it is looked whether there is more to tell. The pages of other consoles load themselves again as often, and a shared
/// store keeps every note in its log.
const EVERY: Duration = Duration::from_secs(5);
/// How often it is told at least.
const AT_LEAST: Duration = Duration::from_secs(15);
/// For how long nothing may be heard of work in progress: one note may be late, and the next one may fail.
pub(crate) const SILENT: Duration = AT_LEAST.saturating_mul(3);
/// After which time no one is told of what was heard last.
pub(crate) const FORGOTTEN: Duration = Duration::from_secs(3600);

/// What is noted of one piece of work, until this is dropped.
#[derive(Clone)]
pub(crate) struct ProgressNotes(Arc<Inner>);

struct Inner {
    store: Arc<AuditStore>,
    id: String,
    /// Locked while a note is written, so that none comes after the end.
    written: Mutex<NotesWritten>,
}

#[derive(Default)]
struct NotesWritten {
    any: bool,
    is_over: bool,
}

impl ProgressNotes {
    pub(crate) fn new(store: Arc<AuditStore>, id: &str) -> Self {
        Self(Arc::new(Inner { store, id: id.to_owned(), written: Mutex::default() }))
    }

    /// Notes how far work is, for as long as this is waited for.
    pub(crate) async fn follow(&self, now: impl Fn() -> WorkInProgress) -> Infallible {
        let mut last: Option<((u64, u64), Instant)> = None;
        loop {
            let work = now();
            let servers = (work.looked, work.found);
            if last.is_none_or(|(told, at)| told != servers || at.elapsed() >= AT_LEAST) {
                last = Some((servers, Instant::now()));
                let notes = self.clone();
                // A panic there is no matter of the work.
                let _ = tokio::task::spawn_blocking(move || notes.write(&work)).await;
            }
            tokio::time::sleep(EVERY).await;
        }
    }

    fn write(&self, work: &WorkInProgress) {
        let mut written = self.written();
        if written.is_over {
            return;
        }
        written.any = true;
        let forgotten = i64::try_from(FORGOTTEN.as_millis()).unwrap_or(i64::MAX);
        if let Err(error) = self.0.store.note_work(work, work.heard_ms.saturating_sub(forgotten)) {
            tracing::debug!(%error, id = work.id, "how far work is could not be noted for other consoles");
        }
    }

    /// Nothing more is noted, and nothing stays noted.
    pub(crate) fn end(&self) {
        let mut written = self.written();
        written.is_over = true;
        if written.any
            && let Err(error) = self.0.store.end_work(&self.0.id)
        {
            tracing::debug!(%error, id = self.0.id, "that work has ended could not be noted for other consoles");
        }
    }

    fn written(&self) -> MutexGuard<'_, NotesWritten> {
        self.0.written.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
