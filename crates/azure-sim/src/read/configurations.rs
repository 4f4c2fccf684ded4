//! Parameters, one or all.

use axum::http::StatusCode;

use crate::call::Call;
use crate::estate::Record;
use crate::fleet::{Kind, ServerState};
use crate::parameters::{COSMOS, FLEXIBLE, SINGLE, of_role};
use crate::path::Plane;
use crate::render;
use crate::reply::{self, Reply};
use crate::state::AzureState;

/// Refuses to read parameters in a state in which the service has none to give.
pub(super) fn unreadable(record: &Record) -> Option<Reply> {
    if record.kind != Kind::Flexible {
        return None;
    }
    match record.lock().state {
        ServerState::Stopped | ServerState::Stopping | ServerState::Updating => {
            Some(reply::server_stopped(record.name()))
        }
        ServerState::Provisioning => Some(reply::internal_error()),
        _ => None,
    }
}

/// All parameters.
pub(super) fn configurations(call: &Call<'_>, simulation: &AzureState, record: &Record) -> Reply {
    if let Some(refused) = unreadable(record) {
        return refused;
    }
    let page_size = simulation.scenario.page_size;
    let mutable = record.lock();
    if record.kind == Kind::Cosmos {
        let pairs = COSMOS.iter().filter_map(|coordinator| {
            let name = coordinator.name.strip_prefix("coordinator:")?;
            Some((name, coordinator, of_role(Plane::Node, name)?))
        });
        return call.page(page_size, pairs, |out, (name, coordinator, node)| {
            render::cosmos_parameter(out, record, &mutable, name, coordinator, node);
        });
    }
    let table = if record.kind == Kind::Single { SINGLE } else { FLEXIBLE };
    call.page(page_size, table.iter(), |out, parameter| {
        render::parameter(out, record, &mutable, parameter);
    })
}

/// One parameter.
pub(super) fn configuration(record: &Record, plane: Plane, name: &str) -> Reply {
    if let Some(refused) = unreadable(record) {
        return refused;
    }
    match render::configuration(record, plane, name) {
        Some(body) => Reply::json(body),
        None => no_such_parameter(record, name),
    }
}

/// 404 for a parameter that the server does not have. What the real service says is unknown.
pub(crate) fn no_such_parameter(record: &Record, name: &str) -> Reply {
    Reply::error(
        StatusCode::NOT_FOUND,
        "ResourceNotFound",
        &format!(
            "The requested resource of type '{}/{}/configurations' with name '{name}' was not found.",
            record.kind.provider(),
            record.kind.type_segment()
        ),
    )
}
