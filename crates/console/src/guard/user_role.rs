//! What the role of the person who asks allows.

use super::Session;
use crate::reply::Failure;
use crate::user_role::Role;
use axum::extract::{Request, State};
use axum::middleware::Next;
use axum::response::Response;

/// In front of routes that need a role: nothing passes for those who have less.
pub(crate) async fn require_role(State(role): State<Role>, request: Request, next: Next) -> Result<Response, Failure> {
    let has = request.extensions().get::<Session>().map(Session::role);
    match has {
        Some(has) if has >= role => Ok(next.run(request).await),
        Some(has) => Err(Failure::role_needed(role, has)),
        None => Err(Failure::signed_out()),
    }
}
