//! Long-running operations: how they are accepted, where they are polled, how they end.

use std::sync::{Arc, LazyLock};
use std::time::Duration;

use axum::http::StatusCode;
use tokio::time::Instant;

use crate::call::Call;
use crate::change::Change;
use crate::clock;
use crate::estate::Record;
use crate::fault::Fault;
use crate::fleet::Kind;
use crate::json::{put, quoted};
use crate::operation::Operation;
use crate::operations::LongRunning;
use crate::path::{ServerPart, SubscriptionPart, Target};
use crate::render;
use crate::reply::{self, Content, Reply};
use crate::state::AzureState;
use crate::world::Turn;

/// The signed part of an operation's URL. Production's is a certificate, a signature and a hash of these lengths; a
/// client must carry the whole URL along and must not log it.
static SIGNATURE: LazyLock<String> = LazyLock::new(|| {
    let filled = |word: &str, length: usize| word.chars().cycle().take(length).collect::<String>();
    format!(
        "c={}&s={}&h={}",
        filled("SIMULATED-CERTIFICATE-", 2_651),
        filled("SIMULATED-SIGNATURE-", 342),
        filled("SIMULATED-HASH-", 43)
    )
});

/// Begins an operation on a server and answers 202 with the URLs to poll.
pub(crate) fn start(
    call: &Call<'_>,
    simulation: &AzureState,
    (index, record): (usize, &Record),
    change: Change,
    failure: Option<(String, String)>,
    duration: Duration,
    turn: Option<Turn<'_>>,
) -> Reply {
    let due = Instant::now() + duration;
    {
        // Looked at again under the lock: two writes may have passed the first look together.
        let mut mutable = record.lock();
        if mutable.busy() {
            return reply::server_busy(simulation.scenario.writes.busy_status, record.name());
        }
        if let Some(mut turn) = turn {
            mutable.remember();
            if let Err(error) = turn.keep(&record.id, simulation.clock.now() + duration, &change) {
                return reply::not_kept(&error);
            }
        }
        mutable.note_switch(&change, simulation.clock.now() + duration);
        mutable.begin(due, Arc::new(change));
    }
    let now = simulation.clock.now();
    let operation = {
        let mut operations = simulation.operations();
        let operation = Arc::new(LongRunning {
            name: operations.next_name(),
            server: index,
            parameter: match call.target {
                Target::Subscription(_, SubscriptionPart::Server(.., ServerPart::Configuration(plane, name))) => {
                    Some((plane, name.to_owned()))
                }
                _ => None,
            },
            started: clock::iso(now),
            // Ticks of 100 ns since the year 1, as .NET counts.
            ticks: now.as_microsecond().saturating_mul(10).saturating_add(621_355_968_000_000_000),
            due,
            failure,
        });
        operations.keep(Arc::clone(&operation));
        operation
    };
    let word = match (record.kind, call.operation) {
        (Kind::Flexible, Operation::UpdateConfiguration) => "UpdateOrcasServerParameterManagementOperation",
        (Kind::Flexible, _) => "UpsertServerManagementOperationV2",
        (Kind::Single, Operation::UpdateConfiguration) => "UpdateElasticServerConfig",
        (Kind::Single, _) => "UpsertElasticServer",
        // The words of the newer services are unknown.
        (Kind::Cosmos, _) => "UpdateServerGroupConfiguration",
        (Kind::Horizon | Kind::ParameterGroup, _) => "UpdateHorizonDbResource",
    };
    let body = format!(r#"{{"operation":"{word}","startTime":"{}"}}"#, operation.started);
    let reply = Reply::with(StatusCode::ACCEPTED, Content::Json(body))
        .header("azure-asyncoperation", &url(call, simulation, record, &operation, "azureAsyncOperation"))
        .header("location", &url(call, simulation, record, &operation, "operationResults"));
    wait(simulation, reply)
}

/// The signed URL of an operation, at subscription and location scope.
fn url(call: &Call<'_>, simulation: &AzureState, record: &Record, operation: &LongRunning, collection: &str) -> String {
    let subscription = simulation
        .estate
        .subscriptions
        .get(record.subscription as usize)
        .map(|subscription| &*subscription.id)
        .unwrap_or_default();
    let version = call.parameter("api-version");
    // Production spells the region both ways; here it depends on the operation, so a client meets both.
    let spaced = operation.name.ends_with(|c: char| "02468ace".contains(c));
    let location = match (&*record.location, spaced) {
        ("westeurope", true) => "West%20Europe",
        ("northeurope", true) => "North%20Europe",
        ("canadacentral", true) => "Canada%20Central",
        (location, _) => location,
    };
    format!(
        "{}/subscriptions/{subscription}/providers/{}/locations/{location}/{collection}/{}?api-version={}&t={}&{}",
        call.base,
        record.kind.provider(),
        operation.name,
        version.as_deref().unwrap_or_default(),
        operation.ticks,
        *SIGNATURE
    )
}

fn wait(simulation: &AzureState, reply: Reply) -> Reply {
    match simulation.scenario.writes.retry_after {
        Some(seconds) => reply.header("retry-after", &seconds.to_string()),
        None => reply,
    }
}

/// The operation that a poll is about. The URL must be the one that was given out.
fn polled(call: &Call<'_>, simulation: &AzureState, name: &str) -> Result<Arc<LongRunning>, Reply> {
    let found = simulation.operations().find(name);
    let operation = found.ok_or_else(|| {
        Reply::error(StatusCode::NOT_FOUND, "ResourceNotFound", "The requested operation was not found.")
    })?;
    let given = format!("&t={}&{}", operation.ticks, *SIGNATURE);
    if call.query.ends_with(&given) {
        Ok(operation)
    } else {
        Err(Reply::error(
            StatusCode::FORBIDDEN,
            "OperationUrlAltered",
            "The URL of the operation is not the one that was given out: the simulator wants it back unchanged.",
        ))
    }
}

/// Answers a poll of `Azure-AsyncOperation`. A failed operation has status 200 too.
pub(crate) fn poll(call: &Call<'_>, simulation: &AzureState, name: &str) -> Reply {
    let operation = match polled(call, simulation, name) {
        Ok(operation) => operation,
        Err(refused) => return refused,
    };
    let ended = Instant::now() >= operation.due;
    let status = match (ended, &operation.failure) {
        (false, _) => call
            .faults
            .iter()
            .find_map(|fault| match fault {
                Fault::UnknownStatus { word } => Some(word.as_str()),
                _ => None,
            })
            .unwrap_or("InProgress"),
        (true, None) => "Succeeded",
        (true, Some(_)) => "Failed",
    };
    let mut body = String::new();
    put!(&mut body, r#"{{"name":"{}","status":{},"startTime":"{}""#, operation.name, quoted(status), operation.started);
    if let (true, Some((code, message))) = (ended, &operation.failure) {
        put!(&mut body, r#","error":{{"code":{},"message":{}}}"#, quoted(code), quoted(message));
    }
    body.push('}');
    let reply = Reply::json(body);
    if ended { reply } else { wait(simulation, reply) }
}

/// Answers a poll of `Location`: 202 while the operation runs, then 200 and the resource that was
/// written, or the error.
pub(crate) fn result(call: &Call<'_>, simulation: &AzureState, name: &str) -> Reply {
    let operation = match polled(call, simulation, name) {
        Ok(operation) => operation,
        Err(refused) => return refused,
    };
    if Instant::now() < operation.due {
        let location = format!("{}{}?{}", call.base, call.path, call.query);
        let reply = Reply::with(StatusCode::ACCEPTED, Content::Empty).header("location", &location);
        return wait(simulation, reply);
    }
    if let Some((code, message)) = &operation.failure {
        return Reply::error(StatusCode::CONFLICT, code, message);
    }
    let written = simulation.estate.servers.get(operation.server);
    let body = written.and_then(|record| match &operation.parameter {
        Some((plane, name)) => render::configuration(record, *plane, name),
        None => {
            let mut body = String::new();
            render::server(&mut body, record);
            Some(body)
        }
    });
    body.map_or_else(|| Reply::with(StatusCode::NO_CONTENT, Content::Empty), Reply::json)
}
