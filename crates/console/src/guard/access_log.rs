//! What is worth a line in the log: signing in and out, every form, every export, and everything that was refused.

use super::{Peer, Session};
use axum::extract::Request;
use axum::http::{Method, StatusCode};
use axum::middleware::Next;
use axum::response::Response;

/// Writes the line of a request. Paths have no secrets: those stand behind the question mark, or in a form.
pub(crate) async fn log_access(request: Request, next: Next) -> Response {
    let method = request.method().clone();
    let path = request.uri().path().to_owned();
    let peer = request.extensions().get::<Peer>().map(|peer| peer.0.ip().to_string()).unwrap_or_default();
    let response = next.run(request).await;
    let status = response.status();
    let refused = matches!(status, StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN | StatusCode::MISDIRECTED_REQUEST);
    if refused || method == Method::POST || path.ends_with("/export") {
        let session = response.extensions().get::<Session>();
        let (person, role) = session.map_or(("nobody", "none"), |one| (one.person(), one.role().as_str()));
        let status = status.as_u16();
        tracing::info!(%method, path, status, person, role, peer, "{}", if refused { "refused" } else { "access" });
    }
    response
}
