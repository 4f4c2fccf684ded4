//! Progress as server-sent events (WHATWG HTML, 9.2), for whatever goes on in a thread of its own.

use crate::guard::Session;
use crate::reply::Failure;
use crate::shared::Shared;
use axum::response::sse::{Event, KeepAlive, Sse};
use axum::response::{IntoResponse, Response};
use futures::stream;
use hostssl_model::untrusted::visible;
use std::convert::Infallible;
use std::time::Duration;
use tokio::sync::{OwnedSemaphorePermit, watch};
use tokio::time::{Interval, MissedTickBehavior};

/// Between two events of a live page. Progress is for eyes: a few times a second is enough for fifty of them.
const PACE: Duration = Duration::from_millis(200);
/// How often it is asked whether the session of a live page continues: what was asked for once is sent as long as it does.
const CHECKED_EVERY: Duration = Duration::from_secs(2);

/// Follows progress to its end, or to that of the session; `render` makes an event's data, and whether it is the last one.
///
/// # Errors
///
/// When as many live pages are open as the console can take.
pub(crate) fn follow<T: Clone + Send + Sync + 'static>(
    shared: &Shared,
    session: &Session,
    progress: watch::Receiver<T>,
    render: impl FnMut(&T) -> (String, bool) + Send + 'static,
) -> Result<Response, Failure> {
    let permit = shared.live_pages.clone().try_acquire_owned().map_err(|_| Failure::too_many())?;
    let mut checks = tokio::time::interval(CHECKED_EVERY);
    checks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let (shared, session) = (shared.clone(), session.clone());
    let page = LivePage { shared, session, checks, progress, render, is_new: true, has_ended: false, _permit: permit };
    let events = stream::unfold(page, async |mut page| {
        let event = page.next().await?;
        Some((Ok::<_, Infallible>(event), page))
    });
    Ok(Sse::new(events).keep_alive(KeepAlive::new().interval(Duration::from_secs(15))).into_response())
}

/// What a live page is sent, and to whom.
struct LivePage<T, R> {
    shared: Shared,
    session: Session,
    checks: Interval,
    progress: watch::Receiver<T>,
    render: R,
    /// Whether nothing was sent yet.
    is_new: bool,
    has_ended: bool,
    _permit: OwnedSemaphorePermit,
}

impl<T: Clone, R: FnMut(&T) -> (String, bool)> LivePage<T, R> {
    /// The next event, once there is something to tell; `None` after the last one.
    async fn next(&mut self) -> Option<Event> {
        while !self.has_ended {
            tokio::select! {
                biased;
                _ = self.checks.tick() => {
                    if is_signed_out(self.shared.clone(), self.session.clone()).await {
                        self.has_ended = true;
                        // The page loads itself again then, and says that the session has ended.
                        return Some(Event::default().event("end").data("{}"));
                    }
                }
                changed = self.progress.changed(), if !self.is_new => return self.progress_event(changed.is_ok()).await,
                () = std::future::ready(()), if self.is_new => return self.progress_event(true).await,
            }
        }
        None
    }

    async fn progress_event(&mut self, is_there: bool) -> Option<Event> {
        if !is_there {
            return None;
        }
        self.is_new = false;
        let now = self.progress.borrow_and_update().clone();
        let (data, ended) = (self.render)(&now);
        self.has_ended = ended;
        if !ended {
            tokio::time::sleep(PACE).await;
        }
        Some(Event::default().event(if ended { "end" } else { "progress" }).data(visible(&data)))
    }
}

async fn is_signed_out(shared: Shared, session: Session) -> bool {
    shared.ask_sessions(move |sessions| Ok(sessions.has_ended(&session))).await.unwrap_or(false)
}
