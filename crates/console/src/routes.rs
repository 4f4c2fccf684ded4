//! Every address of the console, and the layers in front of it.

use crate::guard::{self, check_form, check_host, log_access, require_role, require_session, set_headers};
use crate::pages::{
    account, apply, compare, controls, export, health, metrics, overview, plan, probe, resources, run, runs, server,
    sign_ins, waiver_form, zones,
};
use crate::reply::{Failure, asset, frame_failures};
use crate::shared::Shared;
use crate::user_role::Role;
use crate::view::find_asset;
use axum::Router;
use axum::extract::{Path, Request, State};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use std::time::Duration;
use tower_http::CompressionLevel;
use tower_http::compression::CompressionLayer;

/// How long a page may take. Exports and judging again read a whole audit.
const PAGE_TIME: Duration = Duration::from_secs(30);

/// The console as a service.
pub(crate) fn router(shared: Shared) -> Router {
    let pages = for_viewers()
        .merge(for_planners(&shared))
        .merge(for_approvers(&shared))
        .fallback(not_found)
        .method_not_allowed_fallback(wrong_method)
        .layer(middleware::from_fn(check_form))
        .layer(middleware::from_fn_with_state(shared.clone(), health::when_prepared))
        .layer(middleware::from_fn_with_state(shared.clone(), frame_failures))
        .layer(middleware::from_fn_with_state(shared.clone(), require_session));
    // BREACH guesses a secret of a page from the size of many answers to requests that another site makes in its reader's
    // name. Cookies here are SameSite=Strict, so that no such request is answered with a page of anyone's session.
    let compression = CompressionLayer::new().quality(CompressionLevel::Fastest);
    let measured =
        if shared.options.metrics { Router::new().route("/metrics", get(metrics::show)) } else { Router::new() };
    Router::new()
        .merge(measured)
        .route("/sign-in", get(account::ask_to_sign_in).post(account::sign_in))
        .route("/assets/{hash}/{name}", get(file))
        .merge(pages)
        .layer(compression)
        .layer(middleware::from_fn(in_time))
        .layer(middleware::from_fn_with_state(shared.clone(), check_host))
        .layer(middleware::from_fn(log_access))
        // A check of health knows no name of this console, has no session, and is told nothing of what it shows.
        .route("/healthz", get(health::alive))
        .route("/readyz", get(health::ready))
        .layer(middleware::from_fn_with_state(shared.clone(), with_headers))
        .with_state(shared)
}

/// What everyone who is signed in may do: look, and see to their own session.
fn for_viewers() -> Router<Shared> {
    Router::new()
        .route("/", get(overview::show))
        .route("/resources", get(resources::show))
        .route("/resources/export", get(export::resources))
        .route("/servers/{key}", get(server::show))
        .route("/servers/{key}/{tab}", get(server::tab))
        .route("/servers/{key}/waiver/{control}", get(waiver_form::show).post(waiver_form::propose))
        .route("/runs", get(runs::list))
        .route("/compare", get(compare::show))
        .route("/runs/{id}", get(run::show))
        .route("/runs/{id}/events", get(run::events))
        .route("/runs/{id}/export", get(export::run))
        .route("/runs/{id}/judged", get(run::judged))
        .route("/probes/{id}", get(probe::show))
        .route("/plans", get(plan::list))
        .route("/plans/{id}", get(plan::show))
        .route("/plans/{id}/events", get(plan::events))
        .route("/plans/{id}/file", get(plan::file))
        .route("/applies/{run}", get(apply::show))
        .route("/applies/{run}/events", get(apply::events))
        .route("/zones", get(zones::show))
        .route("/controls", get(controls::list))
        .route("/controls/{id}", get(controls::show))
        .route("/links", post(account::link))
        .route("/theme", post(account::theme))
        .route("/sign-out", post(account::sign_out))
}

/// What starts work that writes nothing, and what stops work.
fn for_planners(shared: &Shared) -> Router<Shared> {
    let reading = Router::new()
        .route("/servers/{key}/probe", post(server::probe))
        .route("/servers/{key}/look-for-clients", post(server::look_for_clients))
        .route("/servers/{key}/who", post(server::read_who))
        .route("/zones/looks", post(zones::take))
        .route("/zones/looks/remove", post(zones::remove))
        .route("/zones/{key}/targets", post(zones::targets))
        .route("/runs", post(runs::start))
        .route("/runs/{id}/stop", post(run::stop));
    let planning = Router::new()
        .route("/servers/{key}/plan", post(plan::for_one))
        .route("/plans", post(plan::for_many))
        .route("/plans/{id}/stop", post(plan::stop))
        .route("/plans/{id}/again", post(plan::check_again))
        .route("/plans/{id}/exclude", post(plan::exclude))
        .route("/plans/{id}/canary", post(plan::canary))
        // Also of someone who is no longer an approver: other consoles may count it still.
        .route("/plans/{id}/withdraw", post(plan::withdraw))
        .route("/applies/{run}/stop", post(apply::stop))
        .layer(middleware::from_fn_with_state(shared.clone(), guard::changes));
    reading.merge(planning).layer(middleware::from_fn_with_state(Role::Planner, require_role))
}

/// What writes to servers, and what gives others access.
fn for_approvers(shared: &Shared) -> Router<Shared> {
    let sessions = Router::new()
        .route("/sessions", get(sign_ins::list).post(sign_ins::invite))
        .route("/sessions/{id}/end", post(sign_ins::end));
    let writing = Router::new()
        .route("/plans/{id}/approve", post(plan::approve))
        .route("/plans/{id}/apply", post(plan::apply))
        .route("/applies/{run}/undo", post(apply::undo))
        .route("/applies/{run}/resume", post(apply::resume))
        .layer(middleware::from_fn_with_state(shared.clone(), guard::changes));
    sessions.merge(writing).layer(middleware::from_fn_with_state(Role::Approver, require_role))
}

async fn not_found() -> Failure {
    Failure::not_found()
}

async fn wrong_method() -> Failure {
    Failure::wrong_method()
}

async fn file(Path((_, name)): Path<(String, String)>) -> Response {
    match find_asset(&name) {
        Some(found) => asset(found.kind, found.body),
        None => Failure::not_found().into_response(),
    }
}

async fn in_time(request: Request, next: Next) -> Result<Response, Failure> {
    tokio::time::timeout(PAGE_TIME, next.run(request)).await.map_err(|_| Failure::too_slow())
}

async fn with_headers(State(shared): State<Shared>, request: Request, next: Next) -> Response {
    let mut response = next.run(request).await;
    let options = &shared.options;
    // A browser would hold every other port of `localhost` to it too (RFC 6797, 8.1.1 leaves out addresses alone).
    let named = options.public.is_some() || !options.hosts.is_empty();
    set_headers(response.headers_mut(), options.is_secure() && named);
    response
}
