//! The Activity Log: who asked for which write, when, and how that ended.
//!
//! Shapes are those of the documented API ("Activity Logs - List", 2015-04-01, and "Azure Activity Log event schema"); there is
//! no recording of it. Production shows an event some minutes late; this one shows it at once.

mod filter;

use axum::http::StatusCode;

use crate::activity_log::{Actor, LoggedWrite};
use crate::call::Call;
use crate::estate::SubscriptionRecord;
use crate::fault::Fault;
use crate::parameters;
use crate::path::{Plane, ServerPart, SubscriptionPart, Target};
use crate::random::Guid;
use crate::reply::{self, Reply};
use crate::state::AzureState;

use filter::{Filter, FilterFault};

/// Answers a list of events, the newest first.
pub(crate) fn list(call: &Call<'_>, simulation: &AzureState, subscription: &SubscriptionRecord) -> Reply {
    if call.parameter("api-version").as_deref() != Some("2015-04-01") {
        return reply::bad_request("The api-version of the Activity Log is 2015-04-01.");
    }
    let filter = match Filter::parse(call.parameter("$filter").as_deref().unwrap_or_default(), simulation.clock.now()) {
        Ok(filter) => filter,
        Err(FilterFault::Syntax) => {
            return reply::bad_request("The $filter is missing, or is not of a form that is allowed.");
        }
        Err(FilterFault::TooOld) => {
            return reply::bad_request("The start time cannot be more than 90 days in the past.");
        }
    };
    let root = format!("/subscriptions/{}/", subscription.id).to_ascii_lowercase();
    let mut found: Vec<LoggedWrite> = simulation.activity.all();
    found.retain(|write| write.resource.to_ascii_lowercase().starts_with(&root) && filter.admits(write));
    // Of writes in one millisecond, the later is the newer.
    found.reverse();
    found.sort_by_key(|write| std::cmp::Reverse(write.at_ms));
    let tenant = &call.principal.tenant;
    // Each write is two events: that it ended, and before that, that it began.
    let events = found.iter().flat_map(|write| [(write, true), (write, false)]);
    call.page(simulation.scenario.page_size, events, |out, (write, ended)| write.render(out, tenant, ended))
}

/// Logs a write that reached a server, with how it ends.
pub(crate) fn record(call: &Call<'_>, simulation: &AzureState, answer: &Reply) {
    let Target::Subscription(_, SubscriptionPart::Server(_, kind, _, part)) = call.target else { return };
    let Some(record) = call.place.server.and_then(|index| simulation.estate.servers.get(index)) else { return };
    let resource_type = format!("{}/{}", kind.provider(), kind.type_segment());
    let (resource, operation, is_read_only) = match part {
        ServerPart::Configuration(plane, name) => {
            let collection = match plane {
                Plane::Server => "configurations",
                Plane::Coordinator => "coordinatorConfigurations",
                Plane::Node => "nodeConfigurations",
            };
            (
                format!("{}/{collection}/{name}", record.id),
                format!("{resource_type}/{collection}/write"),
                parameters::plain(kind, name).is_some_and(|parameter| parameter.read_only),
            )
        }
        _ => (record.id.to_string(), format!("{resource_type}/write"), false),
    };
    let fails = |fault: &Fault| matches!(fault, Fault::OperationFails { .. } | Fault::StopsMeanwhile);
    let failed = !answer.status.is_success() || is_read_only || call.faults.iter().any(fails);
    let write = LoggedWrite {
        at_ms: simulation.clock.now().as_millisecond(),
        resource,
        operation,
        status: if failed && answer.status.is_success() { StatusCode::CONFLICT } else { answer.status }.as_u16(),
        actor: Actor::Application { app: call.principal.app.clone(), object: call.principal.object.clone() },
        request: Guid::numbered(0x5eed, call.sequence).to_string(),
        correlation: Guid::numbered(0xc0de, call.sequence).to_string(),
        is_past: false,
    };
    if let Err(error) = keep(simulation, write) {
        tracing::warn!(%error, "an event of the simulated Activity Log is not kept");
    }
}

/// Adds a write, and keeps it for other processes where they share the world.
pub(crate) fn keep(simulation: &AzureState, write: LoggedWrite) -> std::io::Result<()> {
    match &simulation.world {
        Some(world) => {
            let now = simulation.clock.now();
            world.turn(&simulation.estate, &simulation.activity, now)?.log(&write)?;
            simulation.activity.add(write);
        }
        None => simulation.activity.add(write),
    }
    Ok(())
}
