//! Servers being changed, so many at a time; one that only waits gives its place to another.

use super::Abort;
use futures::StreamExt;
use futures::future::LocalBoxFuture;
use futures::stream::FuturesUnordered;
use std::sync::atomic::{AtomicUsize, Ordering};
use tokio::sync::{Notify, Semaphore};

/// The places of a run.
#[derive(Debug)]
pub(super) struct Places {
    free: Semaphore,
    /// How many are at work, or wait for a place: everyone who has not ended and does not only wait.
    active: AtomicUsize,
    moved: Notify,
}

impl Places {
    pub(super) fn new(most: usize) -> Self {
        let most = most.clamp(1, Semaphore::MAX_PERMITS);
        Self { free: Semaphore::new(most), active: AtomicUsize::new(0), moved: Notify::new() }
    }

    /// Does something that only waits, without a place meanwhile. Only for a future that has one.
    pub(super) async fn aside<T>(&self, waiting: impl Future<Output = T>) -> T {
        self.free.add_permits(1);
        self.leave();
        let done = waiting.await;
        self.active.fetch_add(1, Ordering::SeqCst);
        self.take().await;
        done
    }

    /// The semaphore is never closed.
    async fn take(&self) {
        if let Ok(place) = self.free.acquire().await {
            place.forget();
        }
    }

    fn leave(&self) {
        self.active.fetch_sub(1, Ordering::SeqCst);
        self.moved.notify_one();
    }
}

/// What is done in the places.
pub(super) struct Pool<'a> {
    places: &'a Places,
    work: FuturesUnordered<LocalBoxFuture<'a, Result<(), Abort>>>,
}

impl<'a> Pool<'a> {
    pub(super) fn new(places: &'a Places) -> Self {
        Self { places, work: FuturesUnordered::new() }
    }

    /// Adds something to do.
    pub(super) fn push(&mut self, work: impl Future<Output = Result<(), Abort>> + 'a) {
        let places = self.places;
        places.active.fetch_add(1, Ordering::SeqCst);
        self.work.push(Box::pin(async move {
            places.take().await;
            let done = work.await;
            places.free.add_permits(1);
            places.leave();
            done
        }));
    }

    /// Until everything has ended, or only waits.
    ///
    /// # Errors
    ///
    /// The first that halts: without the journal nothing may continue.
    pub(super) async fn until_idle(&mut self) -> Result<(), Abort> {
        while self.places.active.load(Ordering::SeqCst) > 0 {
            tokio::select! {
                biased;
                Some(done) = self.work.next() => done?,
                () = self.places.moved.notified() => {}
            }
        }
        Ok(())
    }

    /// Until one more has ended; whether there was one.
    ///
    /// # Errors
    ///
    /// As for [`Pool::until_idle`].
    pub(super) async fn until_next(&mut self) -> Result<bool, Abort> {
        self.work.next().await.transpose().map(|done| done.is_some())
    }

    /// Until everything has ended.
    ///
    /// # Errors
    ///
    /// As for [`Pool::until_idle`].
    pub(super) async fn until_done(&mut self) -> Result<(), Abort> {
        while self.until_next().await? {}
        Ok(())
    }
}
