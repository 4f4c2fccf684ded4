//! Writes: what is refused and what is accepted.

use axum::http::StatusCode;
use serde_json::Value;
use tokio::time::Instant;

use crate::call::Call;
use crate::change::Change;
use crate::estate::{Record, SubscriptionRecord};
use crate::fault::Fault;
use crate::fleet::{GraphView, Kind, ServerState, SubscriptionState};
use crate::journal::WriteRecord;
use crate::json::{put, quoted};
use crate::long_running::start;
use crate::parameters::{self, Parameter};
use crate::path::{Plane, ServerPart, SubscriptionPart, Target};
use crate::read;
use crate::render;
use crate::reply::{self, Content, Reply};
use crate::state::AzureState;
use crate::world::Turn;

/// Answers a write.
pub(crate) fn answer(call: &Call<'_>, simulation: &AzureState) -> Reply {
    let Target::Subscription(id, SubscriptionPart::Server(group, kind, name, part)) = call.target else {
        return reply::no_such_path();
    };
    let estate = &simulation.estate;
    let Some((subscription, owner)) = estate.subscription(id) else {
        return reply::subscription_not_found(id);
    };
    if let Some(refused) = read::unavailable(owner, kind) {
        return refused;
    }
    let record = match estate.server(subscription, group, kind, name) {
        Some((index, record)) if record.graph != GraphView::Stale => (index, record),
        _ => return reply::resource_not_found(kind, name, group),
    };
    // Before anything is judged by the state of the server, which another process may have changed.
    let turn = match &simulation.world {
        Some(world) => match world.turn(estate, &simulation.activity, simulation.clock.now()) {
            Ok(turn) => Some(turn),
            Err(error) => return reply::not_kept(&error),
        },
        None => None,
    };
    if let Some(refused) = refused(call, simulation, owner, record.1) {
        return refused;
    }
    let change = match change(call, record.1, part) {
        Ok(change) => change,
        Err(refused) => return refused,
    };
    accept(call, simulation, record, part, change, turn)
}

/// What stands in the way of any write to a server.
fn refused(call: &Call<'_>, simulation: &AzureState, owner: &SubscriptionRecord, record: &Record) -> Option<Reply> {
    if owner.state == SubscriptionState::Disabled {
        return Some(Reply::gateway(
            StatusCode::CONFLICT,
            "ReadOnlyDisabledSubscription",
            &format!("The subscription '{}' is disabled and therefore marked as read only.", owner.id),
        ));
    }
    let busy = simulation.scenario.writes.busy_status;
    for fault in &call.faults {
        match fault {
            Fault::ReadOnlyLock => {
                return Some(Reply::gateway(
                    StatusCode::CONFLICT,
                    "ScopeLocked",
                    &format!(
                        "The scope '{0}' cannot perform write operation because following scope(s) are locked: '{0}'. \
                         Please remove the lock and try again.",
                        record.id
                    ),
                ));
            }
            Fault::PolicyDenied => return Some(policy_denied(record)),
            Fault::Busy => return Some(reply::server_busy(busy, record.name())),
            _ => {}
        }
    }
    let mutable = record.lock();
    match mutable.state {
        ServerState::Ready if mutable.busy() => Some(reply::server_busy(busy, record.name())),
        ServerState::Ready => None,
        ServerState::Stopped | ServerState::Stopping => Some(reply::server_stopped(record.name())),
        ServerState::Provisioning => Some(reply::internal_error()),
        _ => Some(reply::server_busy(busy, record.name())),
    }
}

fn policy_denied(record: &Record) -> Reply {
    let scope = record.id.split("/resourceGroups/").next().unwrap_or_default();
    let assignment = format!("{scope}/providers/Microsoft.Authorization/policyAssignments/simulated-deny");
    let definition = "/providers/Microsoft.Authorization/policyDefinitions/simulated-deny";
    let message = format!(
        "Resource '{}' was disallowed by policy. Policy identifiers: '[{{\"policyAssignment\":{{\"name\":\"Simulated deny \
         policy\",\"id\":\"{assignment}\"}},\"policyDefinition\":{{\"name\":\"Simulated deny \
         policy\",\"id\":\"{definition}\"}}}}]'.",
        record.name()
    );
    let mut body = String::new();
    put!(
        &mut body,
        r#"{{"error":{{"code":"RequestDisallowedByPolicy","target":{},"message":{},"additionalInfo":[{{"type":"PolicyViolation","info":{{"policyDefinitionDisplayName":"Simulated deny policy","policyDefinitionId":{definition},"policyDefinitionName":"simulated-deny","policyDefinitionEffect":"deny","policyAssignmentId":{},"policyAssignmentName":"simulated-deny","policyAssignmentDisplayName":"Simulated deny policy","policyAssignmentScope":{}}}}}]}}}}"#,
        quoted(record.name()),
        quoted(&message),
        quoted(&assignment),
        quoted(scope),
        definition = quoted(definition),
    );
    Reply::with(StatusCode::FORBIDDEN, Content::Json(body)).header("x-ms-failure-cause", "gateway")
}

/// What the body asks for.
fn change(call: &Call<'_>, record: &Record, part: ServerPart<'_>) -> Result<Change, Reply> {
    let body: Value =
        serde_json::from_slice(call.body).map_err(|_| reply::bad_request("The request content is not valid JSON."))?;
    let properties = body.get("properties");
    match part {
        ServerPart::Configuration(plane, name) => {
            let parameter = match (record.kind, plane) {
                (Kind::Cosmos, plane) => parameters::of_role(plane, name),
                (kind, _) => parameters::plain(kind, name),
            };
            let parameter = parameter.ok_or_else(|| read::no_such_parameter(record, name))?;
            let value = properties
                .and_then(|properties| properties.get("value"))
                .and_then(Value::as_str)
                .ok_or_else(|| reply::bad_request("The member 'properties.value' is missing or is not a string."))?;
            let source = properties.and_then(|properties| properties.get("source")).and_then(Value::as_str);
            let reset = source == Some("system-default");
            Ok(Change { parameters: vec![admitted(parameter, value)?], reset, state: None })
        }
        _ => match record.kind {
            Kind::Single => single_change(properties),
            Kind::ParameterGroup => group_change(properties),
            // Nothing about transport is in these objects; other members are taken and change nothing.
            Kind::Flexible | Kind::Cosmos | Kind::Horizon => Ok(Change::default()),
        },
    }
}

fn single_change(properties: Option<&Value>) -> Result<Change, Reply> {
    let mut change = Change::default();
    for parameter in parameters::SINGLE_PROPERTIES {
        if let Some(value) = properties.and_then(|properties| properties.get(parameter.name)) {
            let value = value.as_str().ok_or_else(|| reply::bad_request("A property has the wrong type."))?;
            change.parameters.push(admitted(parameter, value)?);
        }
    }
    Ok(change)
}

fn group_change(properties: Option<&Value>) -> Result<Change, Reply> {
    let mut change = Change::default();
    let listed = properties
        .and_then(|properties| properties.get("parameters"))
        .and_then(Value::as_array)
        .ok_or_else(|| reply::bad_request("The member 'properties.parameters' is missing or is not a list."))?;
    for item in listed {
        let text = |name: &str| item.get(name).and_then(Value::as_str);
        let (Some(name), Some(value)) = (text("name"), text("value")) else {
            return Err(reply::bad_request("A parameter has no name or no value."));
        };
        let parameter = parameters::find(Kind::ParameterGroup, name)
            .ok_or_else(|| reply::bad_request("A parameter is not known."))?;
        change.parameters.push(admitted(parameter, value)?);
    }
    Ok(change)
}

/// A value as it will be kept: switches and choices in the spelling of the service, whatever the request's.
fn admitted(parameter: &'static Parameter, value: &str) -> Result<(&'static Parameter, String), Reply> {
    if !parameter.admits(value) {
        // The real service's code for it is unknown.
        return Err(Reply::error(
            StatusCode::BAD_REQUEST,
            "InvalidParameterValue",
            &format!("The value is not one of those allowed for '{}'.", parameter.name),
        ));
    }
    let kept = match parameter.data_type {
        "Boolean" | "Enumeration" => {
            parameter.allowed.split(',').find(|word| word.eq_ignore_ascii_case(value)).unwrap_or(value)
        }
        _ => value,
    };
    Ok((parameter, kept.to_owned()))
}

/// Takes a write on: at once if a fault says so, else as a long-running operation.
fn accept(
    call: &Call<'_>,
    simulation: &AzureState,
    (index, record): (usize, &Record),
    part: ServerPart<'_>,
    change: Change,
    mut turn: Option<Turn<'_>>,
) -> Reply {
    if call.faults.contains(&Fault::Immediate) {
        let mut mutable = record.lock();
        if let Some(turn) = &mut turn {
            mutable.remember();
            if let Err(error) = turn.keep(&record.id, simulation.clock.now(), &change) {
                return reply::not_kept(&error);
            }
        }
        mutable.note_switch(&change, simulation.clock.now());
        mutable.apply(record.kind, &change);
        drop(mutable);
        return done(record, part).unwrap_or_else(reply::internal_error);
    }
    let mut duration = simulation.scenario.writes.duration;
    let mut effective = change;
    // A read-only parameter is accepted and refused only in the end, with nothing said about why.
    let read_only = effective.parameters.iter().any(|(parameter, _)| parameter.read_only);
    let mut failure = read_only.then(|| ("OperationFailed".to_owned(), "{0}".to_owned()));
    let mut ignored = read_only;
    for fault in &call.faults {
        match fault {
            Fault::OperationTakes { duration: longer } => duration = *longer,
            Fault::OperationIgnored => ignored = true,
            Fault::OperationFails { code, message } => {
                failure = Some((code.clone(), message.clone()));
                ignored = true;
            }
            Fault::StopsMeanwhile => {
                failure = Some((
                    "ServerIsNotReady".to_owned(),
                    format!("Server '{}' is not ready for the operation.", record.name()),
                ));
                effective = Change { state: Some(ServerState::Stopped), ..Change::default() };
            }
            _ => {}
        }
    }
    if ignored {
        effective = Change::default();
    }
    let back = call.faults.iter().find_map(|fault| match fault {
        Fault::GoesBack { after } => Some(*after),
        _ => None,
    });
    if let Some(after) = back {
        record.lock().goes_back(Instant::now() + duration + after, &effective);
    }
    start(call, simulation, (index, record), effective, failure, duration, turn)
}

/// The resource after a write that was done at once.
fn done(record: &Record, part: ServerPart<'_>) -> Option<Reply> {
    match part {
        ServerPart::Configuration(plane, name) => render::configuration(record, plane, name).map(Reply::json),
        _ => {
            let mut body = String::new();
            render::server(&mut body, record);
            Some(Reply::json(body))
        }
    }
}

/// Logs a write with the status of its answer.
pub(crate) fn journal(call: &Call<'_>, simulation: &AzureState, reply: &Reply) {
    let reset = matches!(reply.content, Content::Reset | Content::Refused)
        || (reply.status.is_success() && call.faults.contains(&Fault::ResetAfterAccept));
    let record = call.place.server.and_then(|index| simulation.estate.servers.get(index));
    let parameter = match call.target {
        Target::Subscription(_, SubscriptionPart::Server(.., ServerPart::Configuration(plane, name))) => {
            Some(match plane {
                Plane::Server => name.to_owned(),
                Plane::Coordinator => format!("coordinator:{name}"),
                Plane::Node => format!("node:{name}"),
            })
        }
        _ => None,
    };
    simulation.journal.write(WriteRecord {
        method: call.method.as_str().to_owned(),
        resource_id: record.map_or_else(|| call.path.to_owned(), |record| record.id.to_string()),
        parameter,
        body: serde_json::from_slice(call.body).unwrap_or(Value::Null),
        status: if reset { 0 } else { reply.status.as_u16() },
        after: simulation.clock.elapsed(),
    });
}
