//! Whether servers may be changed from this console.

use crate::reply::Failure;
use crate::shared::Shared;
use axum::extract::{Request, State};
use axum::middleware::Next;
use axum::response::Response;

/// In front of every route that changes servers: nothing passes unless the console was started with `--allow-changes`.
pub(crate) async fn changes(State(shared): State<Shared>, request: Request, next: Next) -> Result<Response, Failure> {
    if shared.options.allow_changes { Ok(next.run(request).await) } else { Err(Failure::read_only()) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::options::ConsoleOptions;
    use axum::Router;
    use axum::body::Body;
    use axum::http::StatusCode;
    use axum::routing::post;
    use futures::FutureExt as _;
    use std::sync::Arc;
    use tower::ServiceExt as _;

    /// Routes that change servers come behind the layer; it lets nothing through unless that is allowed.
    #[tokio::test]
    async fn nothing_changes_servers_unless_it_is_allowed() {
        for (allow_changes, status) in [(false, StatusCode::FORBIDDEN), (true, StatusCode::OK)] {
            let directory = tempfile::tempdir().unwrap();
            let options = ConsoleOptions { allow_changes, ..ConsoleOptions::for_tests() };
            let store = hostssl_store::AuditStore::open(directory.path()).unwrap();
            let shared = Shared::new(options, 1, store, Arc::new(|_| async { Ok(Vec::new()) }.boxed_local()));
            let app = Router::new()
                .route("/change", post(|| async { "changed" }))
                .layer(axum::middleware::from_fn_with_state(shared.clone(), changes))
                .with_state(shared);
            let request = Request::post("/change").body(Body::empty()).unwrap();
            assert_eq!(app.oneshot(request).await.unwrap().status(), status);
        }
    }
}
