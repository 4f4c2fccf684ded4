//! Progress as server-sent events (WHATWG HTML, 9.2), for whatever goes on in a thread of its own.

use crate::reply::Failure;
use crate::shared::Shared;
use axum::response::sse::{Event, KeepAlive, Sse};
use axum::response::{IntoResponse, Response};
use futures::stream;
use hostssl_model::untrusted::visible;
use std::convert::Infallible;
use std::time::Duration;
use tokio::sync::watch;

/// Between two events of a live page. Progress is for eyes: a few times a second is enough for fifty of them.
const PACE: Duration = Duration::from_millis(200);

/// Follows progress to its end; `render` makes an event's data, and whether it is the last one.
///
/// # Errors
///
/// When as many live pages are open as the console can take.
pub(crate) fn follow<T: Clone + Send + Sync + 'static>(
    shared: &Shared,
    progress: watch::Receiver<T>,
    render: impl FnMut(&T) -> (String, bool) + Send + 'static,
) -> Result<Response, Failure> {
    let permit = shared.live_pages.clone().try_acquire_owned().map_err(|_| Failure::too_many())?;
    let start = (progress, render, true, false, permit);
    let events = stream::unfold(start, |(mut progress, mut render, first, ended, permit)| async move {
        if ended || (!first && progress.changed().await.is_err()) {
            return None;
        }
        let now = progress.borrow_and_update().clone();
        let (data, ended) = render(&now);
        if !ended {
            tokio::time::sleep(PACE).await;
        }
        let event = Event::default().event(if ended { "end" } else { "progress" }).data(visible(&data));
        Some((Ok::<_, Infallible>(event), (progress, render, false, ended, permit)))
    });
    Ok(Sse::new(events).keep_alive(KeepAlive::new().interval(Duration::from_secs(15))).into_response())
}
