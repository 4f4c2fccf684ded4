//! Scenarios: what a simulation holds and how it behaves, as plain data.

use std::time::Duration;

use crate::activity_log::Actor;
use crate::fault::{Fault, FaultRule, FaultScope};
use crate::fleet::{FleetSize, FleetSource, demo, demo_past, enforced, traps};
use crate::operation::Operation;
use crate::throttle::{GraphQuota, Throttle};

/// What the ids of the demonstration's subscriptions begin with.
const DEMO_SUBSCRIPTION: &str = "20000000-0000-4000-";

/// What a simulation holds and how it behaves.
#[derive(Debug, Clone, PartialEq)]
pub struct Scenario {
    /// Its name, for messages.
    pub name: String,
    /// The servers.
    pub fleet: FleetSource,
    /// What goes wrong.
    pub faults: Vec<FaultRule>,
    /// What the Activity Log has of the time before.
    pub past: Vec<PastWrite>,
    /// ARM's throttling; `None` never throttles and reports constant remainders.
    pub throttle: Option<Throttle>,
    /// Resource Graph's quota; `None` never refuses.
    pub graph_quota: Option<GraphQuota>,
    /// Every answer comes this much later.
    pub latency: Duration,
    /// Entries on a page of a list; `None` puts all on one, as production does.
    pub page_size: Option<usize>,
    /// How long tokens last.
    pub token_lifetime: Duration,
    /// How writes go.
    pub writes: Writes,
    /// The api-versions that flexible servers accept; `None` accepts any since 2020. A sovereign cloud has fewer.
    pub flexible_versions: Option<Vec<String>>,
    /// The client secret that signs in. It guards nothing.
    pub client_secret: String,
}

/// A write before the scenario began, as the Activity Log has it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PastWrite {
    /// The resource id of the server.
    pub server: String,
    /// The parameter; `None` for the server itself.
    pub parameter: Option<String>,
    /// How long before the simulation is made.
    pub age: Duration,
    /// Who wrote.
    pub by: Actor,
}

/// How long-running writes go when no fault says otherwise.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Writes {
    /// From acceptance to the end.
    pub duration: Duration,
    /// `Retry-After` of the acceptance and of the polls, in seconds; `None` leaves it out.
    pub retry_after: Option<u64>,
    /// The status of `ServerIsBusy`: 409 and 400 have both been seen.
    pub busy_status: u16,
}

impl Default for Writes {
    fn default() -> Self {
        Self { duration: Duration::from_millis(300), retry_after: Some(1), busy_status: 409 }
    }
}

impl Scenario {
    /// The names that [`Scenario::named`] knows, with what each is for.
    pub const NAMES: &'static [(&'static str, &'static str)] = &[
        (
            "demo",
            "a small company: four subscriptions, every kind of server, some not enforcing, some that cannot be read",
        ),
        ("enforced", "everything as it should be"),
        ("readonly", "the demo fleet, seen by an identity that may not write"),
        ("throttled", "200 servers behind small token buckets"),
        ("faults", "one server for each pitfall of Resource Manager; an audit takes about four minutes"),
        ("fleet", "20,000 generated servers in 1,000 subscriptions"),
    ];

    /// The scenario called `name`.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        let scenario = match name {
            "demo" => {
                let (fleet, faults) = demo();
                Self { faults, past: demo_past(), ..Self::of(FleetSource::Listed(fleet)) }
            }
            "enforced" => Self::of(FleetSource::Listed(enforced())).apart("4001"),
            "readonly" => {
                let (fleet, mut faults) = demo();
                faults.push(
                    FaultRule::new(FaultScope::Everywhere, Fault::Forbidden)
                        .during([Operation::UpdateServer, Operation::UpdateConfiguration]),
                );
                Self { faults, past: demo_past(), ..Self::of(FleetSource::Listed(fleet)) }.apart("4002")
            }
            "throttled" => Self {
                throttle: Some(Throttle::default()),
                graph_quota: Some(GraphQuota::default()),
                ..Self::of(FleetSource::Generated(FleetSize {
                    seed: 3,
                    subscriptions_per_tenant: 2,
                    servers: 200,
                    ..FleetSize::default()
                }))
            },
            "faults" => {
                let (fleet, faults) = traps();
                Self { faults, ..Self::of(FleetSource::Listed(fleet)) }
            }
            "fleet" => Self::of(FleetSource::Generated(FleetSize {
                seed: 2,
                subscriptions_per_tenant: 1_000,
                servers: 20_000,
                ..FleetSize::default()
            })),
            _ => return None,
        };
        Some(Self { name: name.to_owned(), ..scenario })
    }

    /// The servers of the demonstration in subscriptions of their own, whose ids have `group` in them. What is kept of a
    /// server is kept by its id, and what one scenario showed must not count in another.
    fn apart(mut self, group: &str) -> Self {
        let rename = |text: &mut String| *text = text.replace(DEMO_SUBSCRIPTION, &format!("20000000-0000-{group}-"));
        if let FleetSource::Listed(fleet) = &mut self.fleet {
            let subscriptions = fleet.tenants.iter_mut().flat_map(|tenant| &mut tenant.subscriptions);
            subscriptions.for_each(|subscription| rename(&mut subscription.id));
        }
        for rule in &mut self.faults {
            match &mut rule.scope {
                FaultScope::Everywhere => {}
                FaultScope::Subscription(id) | FaultScope::ResourceGroup(id) | FaultScope::Server(id) => rename(id),
            }
        }
        for write in &mut self.past {
            rename(&mut write.server);
            if let Actor::Policy(assignment) = &mut write.by {
                rename(assignment);
            }
        }
        self
    }

    /// The same servers, seen by an identity that may not read the same things, without what breaks, forbids writes, is
    /// throttled, or takes time.
    #[must_use]
    pub fn calm(&self) -> Self {
        let writes = Writes { duration: Duration::ZERO, retry_after: None, ..self.writes.clone() };
        let is_calm = |rule: &&FaultRule| {
            let writes = [Operation::UpdateServer, Operation::UpdateConfiguration];
            let of_writes = rule.operations.iter().flatten().any(|operation| writes.contains(operation));
            !of_writes && matches!(rule.fault, Fault::Forbidden | Fault::Vanished | Fault::ReadOnlyLock)
        };
        let faults = self.faults.iter().filter(is_calm).cloned().collect();
        let (throttle, graph_quota, latency) = (None, None, Duration::ZERO);
        Self { faults, throttle, graph_quota, latency, writes, ..self.clone() }
    }

    /// A scenario with these servers in which nothing goes wrong.
    #[must_use]
    pub fn of(fleet: FleetSource) -> Self {
        Self {
            name: "custom".to_owned(),
            fleet,
            faults: Vec::new(),
            past: Vec::new(),
            throttle: None,
            graph_quota: None,
            latency: Duration::ZERO,
            page_size: None,
            token_lifetime: Duration::from_secs(3_599),
            writes: Writes::default(),
            flexible_versions: None,
            client_secret: "simulated".to_owned(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::simulation::Simulation;
    use std::collections::HashMap;

    #[test]
    fn no_server_is_in_two_scenarios() {
        let mut seen: HashMap<String, &str> = HashMap::new();
        for (name, _) in Scenario::NAMES {
            let simulation = Simulation::new(Scenario::named(name).unwrap());
            for id in simulation.server_ids() {
                let other = seen.insert(id.to_ascii_lowercase(), name);
                assert_eq!(other, None, "{id} is in {name} as well");
            }
        }
    }
}
