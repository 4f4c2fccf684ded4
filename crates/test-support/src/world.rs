//! An Azure of a few lines, in virtual time, with every trap.

use crate::crash::Crash;
use async_trait::async_trait;
use hostssl_model::{Origin, Parameter, ParameterName, Posture, Reading, Reason, ResourceId, Unchecked};
use hostssl_remediation::{
    Accepted, OperationProgress, ParameterRef, ParameterWriter, PollError, RequestId, SafeText, WriteError,
};
use std::collections::BTreeMap;
use std::sync::Mutex;
use std::time::Duration;
use tokio::time::Instant;

/// What a signed URL looks like. Nothing that is kept may hold its signature.
pub const SIGNATURE: &str = "SIGNATURE0123456789";

/// A trap on every write to, or read from, one server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum InjectedFault {
    None,
    /// The operation ends with status Failed, over HTTP 200.
    OperationFails,
    /// The operation succeeds and the value stays.
    SucceedsUnchanged,
    /// The operation takes three minutes.
    TakesLong,
    /// The operation outlasts every patience.
    NeverEnds,
    Locked,
    Policy,
    Forbidden,
    BusyTwice,
    BusyForEver,
    PollForbidden,
    PollGone,
    PollLost,
    /// Stopped between plan and apply: reads say so.
    Stopped,
    /// Stopped between the re-read and the write.
    StoppedAtWrite,
    /// Someone set a third value between plan and apply.
    Changed,
    /// Someone set the wanted value between plan and apply.
    AlreadyThere,
    /// The first three writes are throttled.
    Throttled,
    /// The answer to an accepted write is lost.
    LostAccepted,
    /// The same, and the operation outlasts the grace: the second write meets a busy server.
    LostAndLong,
    /// The first write is lost on the way there.
    LostOnTheWay,
    /// Every write is lost on the way there.
    LostAlways,
    /// The first two reads fail.
    ReadsFail,
    /// The token is refused for two minutes after the first write.
    SignInLost,
    /// The value appears 20 s after the operation succeeded.
    Late,
    /// The answer to the write is 200: no operation.
    Synchronous,
    /// The first two writes cannot be sent. Not among [`InjectedFault::ALL`].
    NotSentTwice,
    /// The value waits for a restart. Not among [`InjectedFault::ALL`].
    PendingRestart,
    /// Reads fail always after the first write. Not among [`InjectedFault::ALL`].
    Unseen,
}

impl InjectedFault {
    pub const ALL: [Self; 26] = [
        Self::None,
        Self::OperationFails,
        Self::SucceedsUnchanged,
        Self::TakesLong,
        Self::NeverEnds,
        Self::Locked,
        Self::Policy,
        Self::Forbidden,
        Self::BusyTwice,
        Self::BusyForEver,
        Self::PollForbidden,
        Self::PollGone,
        Self::PollLost,
        Self::Stopped,
        Self::StoppedAtWrite,
        Self::Changed,
        Self::AlreadyThere,
        Self::Throttled,
        Self::LostAccepted,
        Self::LostAndLong,
        Self::LostOnTheWay,
        Self::LostAlways,
        Self::ReadsFail,
        Self::SignInLost,
        Self::Late,
        Self::Synchronous,
    ];
}

type Place = (ResourceId, ParameterName);

/// One accepted write.
#[derive(Debug, Clone)]
pub struct Write {
    pub place: Place,
    pub value: String,
    /// Whether its operation changes, or will change, the value.
    pub effective: bool,
    /// Whether an earlier operation set the same value after the last look before this write: Azure compares nothing, so no one
    /// could have known.
    pub overtaken: bool,
}

/// The longest time from a look to the write that follows it: three requests.
const LOOK_TO_WRITE: Duration = Duration::from_millis(150);

#[derive(Debug)]
struct Operation {
    place: Place,
    value: String,
    /// When it ends, and when its value is to be seen.
    ends: Instant,
    seen: Instant,
    effective: bool,
}

#[derive(Default)]
struct State {
    values: BTreeMap<Place, String>,
    /// When an operation set a value last.
    set_at: BTreeMap<Place, Instant>,
    faults: BTreeMap<ResourceId, InjectedFault>,
    operations: Vec<Operation>,
    accepted: Vec<Write>,
    /// When each accepted write's operation ends, and the trap it fell into.
    history: Vec<(Instant, InjectedFault)>,
    attempts: BTreeMap<ResourceId, u32>,
    reads: BTreeMap<ResourceId, u32>,
    first_write: BTreeMap<ResourceId, Instant>,
    most_parallel: usize,
}

/// Where a poll asks; signed, as Azure's are.
pub struct PollUrl(String);

/// The servers.
pub struct World {
    state: Mutex<State>,
    pub crash: Crash,
    pub operation_takes: Duration,
    /// How long every request takes.
    pub latency: Duration,
    /// The wait that every answer about an operation names; without it, some name one and some do not.
    pub retry_after: Option<Duration>,
}

impl World {
    pub fn new(postures: &[Posture]) -> Self {
        let mut state = State::default();
        for posture in postures {
            for (name, reading) in &posture.readings {
                if let Reading::Known(parameter) = reading {
                    state.values.insert((posture.server.id.clone(), *name), parameter.value().to_owned());
                }
            }
        }
        Self {
            state: Mutex::new(state),
            crash: Crash::default(),
            operation_takes: Duration::from_secs(11),
            latency: Duration::from_millis(50),
            retry_after: None,
        }
    }

    pub fn set_fault(&self, server: &ResourceId, fault: InjectedFault) {
        self.state.lock().unwrap().faults.insert(server.clone(), fault);
    }

    pub fn clear_faults(&self) {
        let mut state = self.state.lock().unwrap();
        state.faults.clear();
        state.attempts.clear();
        state.reads.clear();
    }

    /// Someone else sets a value.
    pub fn set(&self, server: &ResourceId, name: ParameterName, value: &str) {
        self.state.lock().unwrap().values.insert((server.clone(), name), value.into());
    }

    pub fn value(&self, server: &ResourceId, name: ParameterName) -> String {
        let mut state = self.state.lock().unwrap();
        state.settle();
        state.values[&(server.clone(), name)].clone()
    }

    pub fn values(&self) -> BTreeMap<Place, String> {
        let mut state = self.state.lock().unwrap();
        state.settle();
        state.values.clone()
    }

    /// The servers as an audit would see them now.
    pub fn observe(&self, postures: &[Posture]) -> Vec<Posture> {
        let values = self.values();
        let mut seen = postures.to_vec();
        for posture in &mut seen {
            for (name, reading) in &mut posture.readings {
                if let Reading::Known(parameter) = reading {
                    *parameter = Parameter::in_effect(*name, &values[&(posture.server.id.clone(), *name)])
                        .waiting_for_restart(parameter.pending_restart);
                }
            }
        }
        seen
    }

    /// The writes that were accepted, in order.
    pub fn accepted(&self) -> Vec<Write> {
        self.state.lock().unwrap().accepted.clone()
    }

    /// How many operations ran at a time at most.
    pub fn most_parallel(&self) -> usize {
        self.state.lock().unwrap().most_parallel
    }
}

impl State {
    /// Lets the operations that have ended by now take effect.
    fn settle(&mut self) {
        let now = Instant::now();
        for operation in &self.operations {
            if operation.effective && operation.seen <= now {
                self.values.insert(operation.place.clone(), operation.value.clone());
                self.set_at.insert(operation.place.clone(), operation.seen);
            }
        }
        self.operations.retain(|operation| operation.seen > now || operation.ends > now);
    }

    fn fault(&self, server: &ResourceId) -> InjectedFault {
        self.faults.get(server).copied().unwrap_or(InjectedFault::None)
    }

    fn read(&mut self, at: ParameterRef<'_>) -> Result<Parameter, Unchecked> {
        self.settle();
        let reads = self.reads.entry(at.server.clone()).or_default();
        *reads += 1;
        let count = *reads;
        match self.fault(at.server) {
            InjectedFault::Stopped => return Err(Unchecked::new(Reason::Stopped, "ServerStoppedError")),
            InjectedFault::ReadsFail if count <= 2 => return Err(Unchecked::new(Reason::Network, "connection reset")),
            InjectedFault::SignInLost => {
                let lost = self.first_write.get(at.server).is_some_and(|at| at.elapsed() < Duration::from_mins(2));
                if lost {
                    return Err(Unchecked::new(Reason::SignIn, "the token was refused"));
                }
            }
            InjectedFault::Unseen if self.first_write.contains_key(at.server) => {
                return Err(Unchecked::new(Reason::SignIn, "the token was refused"));
            }
            _ => {}
        }
        let pending_restart = self.fault(at.server) == InjectedFault::PendingRestart;
        let parameter = Parameter::in_effect(at.parameter, &self.values[&(at.server.clone(), at.parameter)]);
        Ok(parameter.waiting_for_restart(pending_restart))
    }

    /// Refuses, accepts, or accepts and loses the answer.
    fn write(&mut self, at: ParameterRef<'_>, value: &str, takes: Duration) -> Result<Accepted<PollUrl>, WriteError> {
        self.settle();
        let now = Instant::now();
        let text = SafeText::new;
        let attempts = self.attempts.entry(at.server.clone()).or_default();
        *attempts += 1;
        let count = *attempts;
        let fault = self.fault(at.server);
        match fault {
            InjectedFault::Locked => {
                return Err(WriteError::Locked { by: text("freeze"), detail: text("ScopeLocked") });
            }
            InjectedFault::Policy => {
                return Err(WriteError::Policy {
                    assignment: text("deny-tls"),
                    detail: text("RequestDisallowedByPolicy"),
                });
            }
            InjectedFault::Forbidden => {
                let action = text("configurations/write");
                return Err(WriteError::Permission { action, detail: text("AuthorizationFailed") });
            }
            InjectedFault::StoppedAtWrite => return Err(WriteError::Stopped { detail: text("ServerStoppedError") }),
            InjectedFault::BusyTwice if count <= 2 => return Err(WriteError::Busy),
            InjectedFault::BusyForEver => return Err(WriteError::Busy),
            InjectedFault::Throttled if count <= 3 => {
                return Err(WriteError::Throttled { after: Some(Duration::from_secs(7)) });
            }
            InjectedFault::NotSentTwice if count <= 2 => {
                return Err(WriteError::NotSent { detail: text("connection refused") });
            }
            InjectedFault::LostOnTheWay if count == 1 => {
                return Err(WriteError::Lost { detail: text("connection reset") });
            }
            InjectedFault::LostAlways => return Err(WriteError::Lost { detail: text("connection reset") }),
            _ => {}
        }
        if self.operations.iter().any(|operation| operation.place.0 == *at.server && operation.ends > now) {
            return Err(WriteError::Busy);
        }
        let takes = match fault {
            InjectedFault::TakesLong => Duration::from_mins(3),
            InjectedFault::LostAndLong => Duration::from_mins(7),
            InjectedFault::NeverEnds => Duration::from_hours(24),
            InjectedFault::Synchronous => Duration::ZERO,
            _ => takes,
        };
        let late = if fault == InjectedFault::Late { Duration::from_secs(20) } else { Duration::ZERO };
        let effective = !matches!(fault, InjectedFault::OperationFails | InjectedFault::SucceedsUnchanged);
        let place = (at.server.clone(), at.parameter);
        self.first_write.entry(at.server.clone()).or_insert(now);
        let just_set = self.set_at.get(&place).is_some_and(|at| now.duration_since(*at) <= LOOK_TO_WRITE);
        let overtaken = just_set && self.values.get(&place).is_some_and(|now| now == value);
        self.accepted.push(Write { place: place.clone(), value: value.into(), effective, overtaken });
        let number = self.accepted.len();
        self.operations.push(Operation {
            place,
            value: value.into(),
            ends: now + takes,
            seen: now + takes + late,
            effective,
        });
        self.history.push((now + takes, fault));
        self.most_parallel = self.most_parallel.max(self.operations.len());
        self.settle();
        if matches!(fault, InjectedFault::LostAccepted | InjectedFault::LostAndLong) && count == 1 {
            return Err(WriteError::Lost { detail: text("connection reset") });
        }
        let handle = PollUrl(format!("https://arm.example/operations/{number}?s={SIGNATURE}"));
        Ok(Accepted {
            request_id: RequestId::new(&format!("request-{number}")).ok(),
            operation: (fault != InjectedFault::Synchronous).then_some(handle),
            retry_after: number.is_multiple_of(2).then_some(Duration::from_secs(5)),
        })
    }

    fn poll(&self, handle: &PollUrl) -> Result<OperationProgress, PollError> {
        let path = handle.0.split('?').next().unwrap();
        let number: usize = path.rsplit('/').next().unwrap().parse().unwrap();
        let (ends, fault) = self.history[number - 1];
        match fault {
            InjectedFault::PollForbidden => return Err(PollError::Forbidden),
            InjectedFault::PollGone => return Err(PollError::Gone),
            InjectedFault::PollLost => return Err(PollError::Lost { detail: SafeText::new("HTTP 503"), after: None }),
            _ => {}
        }
        if ends > Instant::now() {
            return Ok(OperationProgress::Pending {
                retry_after: number.is_multiple_of(3).then_some(Duration::from_secs(3)),
            });
        }
        if fault == InjectedFault::OperationFails {
            return Ok(OperationProgress::Failed { detail: SafeText::new("OperationFailed: {0}") });
        }
        Ok(OperationProgress::Succeeded)
    }
}

#[async_trait]
impl ParameterWriter for World {
    type Operation = PollUrl;

    async fn read(&self, at: ParameterRef<'_>) -> Result<Parameter, Unchecked> {
        self.crash.point().await;
        tokio::time::sleep(self.latency).await;
        let read = self.state.lock().unwrap().read(at);
        self.crash.point().await;
        read
    }

    async fn created_at(&self, _: ParameterRef<'_>) -> Result<Option<String>, Unchecked> {
        Ok(None)
    }

    async fn whereabouts(&self, _: ParameterRef<'_>) -> Option<ResourceId> {
        None
    }

    async fn await_turn(&self, _: ParameterRef<'_>) {}

    async fn is_ready(&self, at: ParameterRef<'_>) -> Option<bool> {
        if !at.kind.offering().tells_busy {
            return None;
        }
        let now = Instant::now();
        let state = self.state.lock().unwrap();
        Some(!state.operations.iter().any(|operation| operation.place.0 == *at.server && operation.ends > now))
    }

    async fn write(&self, at: ParameterRef<'_>, value: &str, _: Origin) -> Result<Accepted<PollUrl>, WriteError> {
        self.crash.point().await;
        tokio::time::sleep(self.latency).await;
        let mut written = self.state.lock().unwrap().write(at, value, self.operation_takes);
        if let (Ok(accepted), Some(_)) = (&mut written, self.retry_after) {
            accepted.retry_after = self.retry_after;
        }
        self.crash.point().await;
        written
    }

    async fn poll(&self, operation: &PollUrl) -> Result<OperationProgress, PollError> {
        self.crash.point().await;
        tokio::time::sleep(self.latency).await;
        let mut polled = self.state.lock().unwrap().poll(operation);
        if let (Ok(OperationProgress::Pending { retry_after }), Some(_)) = (&mut polled, self.retry_after) {
            *retry_after = self.retry_after;
        }
        self.crash.point().await;
        polled
    }
}
