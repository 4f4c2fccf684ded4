//! One server for each trap, named after it.

use std::time::Duration;

use super::{Fleet, Kind, Server, ServerState, Subscription, Tenant};
use crate::fault::{Fault, FaultRule};
use crate::operation::Operation;

const TENANT: &str = "10000000-0000-4000-8000-000000000009";
const READS: &str = "30000000-0000-4000-8000-000000000001";
const WRITES: &str = "30000000-0000-4000-8000-000000000002";
const GROUP: &str = "rg-traps";

/// The fleet of traps and the faults that make them.
pub(crate) fn traps() -> (Fleet, Vec<FaultRule>) {
    let mut faults = Vec::new();
    let reads = read_traps();
    let writes = write_traps();
    let mut subscriptions = Vec::new();
    for (id, name, traps) in [(READS, "traps-reads", reads), (WRITES, "traps-writes", writes)] {
        let mut servers = Vec::new();
        for trap in traps {
            let server = format!(
                "/subscriptions/{id}/resourceGroups/{GROUP}/providers/{}/{}/{}",
                Kind::Flexible.provider(),
                Kind::Flexible.type_segment(),
                trap.name
            );
            for (fault, operations, times) in trap.faults {
                faults.push(FaultRule { operations, times, ..FaultRule::on_server(server.clone(), fault) });
            }
            servers.push(Server {
                state: trap.state,
                ..Server::new(Kind::Flexible, GROUP, trap.name).with("require_secure_transport", "off")
            });
        }
        subscriptions.push(Subscription {
            id: id.to_owned(),
            name: name.to_owned(),
            servers,
            ..Subscription::default()
        });
    }
    let fleet = Fleet {
        tenants: vec![Tenant { id: TENANT.to_owned(), name: "Traps".to_owned(), subscriptions, ..Tenant::default() }],
    };
    (fleet, faults)
}

type Aimed = (Fault, Option<Vec<Operation>>, Option<u32>);

struct Trap {
    name: &'static str,
    state: ServerState,
    faults: Vec<Aimed>,
}

fn trap(name: &'static str, fault: Fault) -> Trap {
    aimed(name, fault, None, None)
}

fn first(name: &'static str, times: u32, fault: Fault) -> Trap {
    aimed(name, fault, None, Some(times))
}

fn aimed(name: &'static str, fault: Fault, operations: Option<Vec<Operation>>, times: Option<u32>) -> Trap {
    Trap { name, state: ServerState::Ready, faults: vec![(fault, operations, times)] }
}

fn in_state(name: &'static str, state: ServerState) -> Trap {
    Trap { name, state, faults: Vec::new() }
}

fn read_traps() -> Vec<Trap> {
    vec![
        in_state("stopped", ServerState::Stopped),
        in_state("creating", ServerState::Provisioning),
        trap("stopped-but-ready", Fault::Stopped),
        trap("forbidden", Fault::Forbidden),
        trap("vanished", Fault::Vanished),
        trap("internal-error", Fault::InternalError),
        trap("throttled-for-ever", Fault::Throttled { retry_after: Some(1) }),
        first("throttled-once", 1, Fault::Throttled { retry_after: Some(1) }),
        first("throttled-without-retry-after", 1, Fault::Throttled { retry_after: None }),
        first("unavailable-twice", 2, Fault::Unavailable { status: 503 }),
        first("bad-gateway-once", 1, Fault::Unavailable { status: 502 }),
        trap("unavailable-for-ever", Fault::Unavailable { status: 503 }),
        first("reset-once", 1, Fault::ConnectionReset),
        trap("reset-for-ever", Fault::ConnectionReset),
        trap("truncated-body", Fault::TruncatedBody),
        trap("truncated-json", Fault::TruncatedJson),
        trap("html-200", Fault::Html { status: 200 }),
        first("html-502-once", 1, Fault::Html { status: 502 }),
        aimed("endless-next-link", Fault::EndlessNextLink, Some(vec![Operation::ListConfigurations]), None),
        aimed("next-link-loop", Fault::NextLinkLoop, Some(vec![Operation::ListConfigurations]), None),
        aimed(
            "next-link-elsewhere",
            Fault::NextLinkElsewhere { host: "elsewhere.invalid".to_owned() },
            Some(vec![Operation::ListConfigurations]),
            None,
        ),
        trap("huge-body", Fault::HugeBody { bytes: 64 << 20 }),
        trap("never-answers", Fault::NeverAnswer),
        trap("drips", Fault::Drip { pause: Duration::from_millis(500) }),
        trap("missing-value", Fault::MissingValue),
        trap("wrong-types", Fault::WrongTypes),
        trap("upper-case", Fault::UpperCaseValue),
        first("token-rejected-once", 1, Fault::TokenRejected),
        trap("token-rejected-for-ever", Fault::TokenRejected),
    ]
}

fn write_traps() -> Vec<Trap> {
    let writes = || Some(vec![Operation::UpdateConfiguration]);
    let polls = || Some(vec![Operation::PollOperation, Operation::GetOperationResult]);
    vec![
        trap("read-only-lock", Fault::ReadOnlyLock),
        trap("delete-lock", Fault::DeleteLock),
        trap("policy-denied", Fault::PolicyDenied),
        aimed("write-forbidden", Fault::Forbidden, writes(), None),
        first("busy-twice", 2, Fault::Busy),
        trap("busy-for-ever", Fault::Busy),
        trap(
            "operation-fails",
            Fault::OperationFails {
                code: "ServerIsNotReady".to_owned(),
                message: "The server is not ready for the operation.".to_owned(),
            },
        ),
        trap(
            "operation-fails-opaquely",
            Fault::OperationFails { code: "OperationFailed".to_owned(), message: "{0}".to_owned() },
        ),
        trap("operation-ignored", Fault::OperationIgnored),
        trap("operation-slow", Fault::OperationTakes { duration: Duration::from_secs(20) }),
        trap("operation-never-ends", Fault::OperationTakes { duration: Duration::from_secs(86_400) }),
        aimed("poll-forbidden", Fault::Forbidden, polls(), None),
        aimed("poll-not-found", Fault::Vanished, polls(), None),
        trap("unknown-status", Fault::UnknownStatus { word: "Restarting".to_owned() }),
        trap("stops-meanwhile", Fault::StopsMeanwhile),
        aimed("write-throttled-once", Fault::Throttled { retry_after: Some(1) }, writes(), Some(1)),
        first("reset-after-accept", 1, Fault::ResetAfterAccept),
        trap("immediate", Fault::Immediate),
    ]
}
