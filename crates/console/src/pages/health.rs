//! Whether the console lives and can be used, for whatever watches over it; and the page while it cannot be used yet.

use crate::options::Preparation;
use crate::reply::{Failure, page};
use crate::shared::Shared;
use crate::view::Shell;
use askama::Template;
use axum::extract::{Request, State};
use axum::http::header::RETRY_AFTER;
use axum::http::{HeaderValue, StatusCode};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};

#[derive(Template)]
#[template(path = "preparing.html")]
struct PreparingPage {
    shell: Shell,
    what: &'static str,
    done: usize,
    of: usize,
}

/// `/healthz`: the process answers.
pub(crate) async fn alive() -> &'static str {
    "ok\n"
}

/// `/readyz`: pages can be shown. The log says what is wrong when they cannot.
pub(crate) async fn ready(State(shared): State<Shared>) -> Response {
    if preparation(&shared).is_some() {
        return (StatusCode::SERVICE_UNAVAILABLE, "preparing\n").into_response();
    }
    match shared.ask(|store| store.check()).await {
        Ok(()) => "ready\n".into_response(),
        Err(_) => (StatusCode::SERVICE_UNAVAILABLE, "the state directory cannot be used\n").into_response(),
    }
}

/// Shows how far the preparation is until it is done: pages before would show half of it, and forms would disturb it.
pub(crate) async fn when_prepared(
    State(shared): State<Shared>,
    shell: Shell,
    request: Request,
    next: Next,
) -> Response {
    let Some(Preparation { what, done, of }) = preparation(&shared) else { return next.run(request).await };
    let shown = page(&PreparingPage { shell: shell.titled("Preparing", ""), what, done, of });
    let mut response = shown.unwrap_or_else(Failure::into_response);
    *response.status_mut() = StatusCode::SERVICE_UNAVAILABLE;
    response.headers_mut().insert(RETRY_AFTER, HeaderValue::from_static("1"));
    response
}

/// Whether what is kept is still being made.
pub(super) fn is_preparing(shared: &Shared) -> bool {
    preparation(shared).is_some()
}

fn preparation(shared: &Shared) -> Option<Preparation> {
    shared.options.preparation.as_ref().and_then(|preparation| preparation.borrow().clone())
}
