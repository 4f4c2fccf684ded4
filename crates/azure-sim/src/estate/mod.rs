//! The fleet in the form in which it is served: compact records, sorted by id, found in constant time.

mod builder;

pub(crate) use builder::Builder;

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use jiff::Timestamp;
use tokio::time::Instant;

use crate::change::Change;
use crate::fleet::{
    FleetSource, GraphView, Kind, ManagementGroup, ProviderState, ServerState, SubscriptionState, WireQuirk, generate,
};
use crate::parameters::{self, Parameter, REQUIRE_SECURE_TRANSPORT};

/// Everything that is served.
#[derive(Debug)]
pub(crate) struct Estate {
    pub(crate) tenants: Vec<TenantRecord>,
    pub(crate) subscriptions: Vec<SubscriptionRecord>,
    /// Ordered by lower-case id, so Resource Graph pages and list pages are slices of it.
    pub(crate) servers: Vec<Record>,
    by_subscription: HashMap<Box<str>, u32>,
    by_id: HashMap<Box<str>, u32>,
}

/// A directory.
#[derive(Debug)]
pub(crate) struct TenantRecord {
    pub(crate) id: String,
    pub(crate) name: String,
    pub(crate) groups: Vec<ManagementGroup>,
    /// Indexes into the subscriptions, in listing order.
    pub(crate) subscriptions: Vec<u32>,
}

impl TenantRecord {
    /// The group called `name` and all below it, in their own spelling; `None` when there is none.
    pub(crate) fn group_names(&self, name: &str) -> Option<Vec<&str>> {
        let start = if self.id.eq_ignore_ascii_case(name) {
            self.id.as_str()
        } else {
            let found = self.groups.iter().find(|group| group.name.eq_ignore_ascii_case(name))?;
            found.name.as_str()
        };
        let mut names = vec![start];
        // Groups may be listed in any order: go on until a pass finds nothing new.
        loop {
            let before = names.len();
            for group in &self.groups {
                let parent = group.parent.as_deref().unwrap_or(&self.id);
                let below = names.iter().any(|name| name.eq_ignore_ascii_case(parent));
                if below && !names.contains(&group.name.as_str()) {
                    names.push(&group.name);
                }
            }
            if names.len() == before {
                return Some(names);
            }
        }
    }
}

/// A subscription.
#[derive(Debug)]
pub(crate) struct SubscriptionRecord {
    pub(crate) id: Box<str>,
    pub(crate) name: Box<str>,
    pub(crate) state: SubscriptionState,
    pub(crate) tenant: u32,
    pub(crate) management_group: Option<Box<str>>,
    pub(crate) postgres: ProviderState,
    pub(crate) horizon: ProviderState,
    /// Its servers: a range of the fleet's servers.
    pub(crate) servers: std::ops::Range<usize>,
    /// Its resource groups with a region each, ordered by name.
    pub(crate) groups: Vec<(Box<str>, Box<str>)>,
}

/// A server, with what never changes outside the lock and what does inside.
#[derive(Debug)]
pub(crate) struct Record {
    pub(crate) id: Box<str>,
    pub(crate) kind: Kind,
    pub(crate) subscription: u32,
    pub(crate) location: Box<str>,
    pub(crate) version: u8,
    pub(crate) nodes: u8,
    pub(crate) private: bool,
    pub(crate) graph: GraphView,
    pub(crate) quirks: Box<[WireQuirk]>,
    pub(crate) tags: Box<[(String, String)]>,
    pub(crate) replica_of: Option<Box<str>>,
    pub(crate) parameter_group: Option<Box<str>>,
    pub(crate) replicas: u8,
    name: u16,
    group: u16,
    mutable: Mutex<Mutable>,
}

/// What changes on a server.
#[derive(Debug)]
pub(crate) struct Mutable {
    pub(crate) state: ServerState,
    /// Counts the versions of a parameter group.
    pub(crate) revision: u32,
    /// How many servers of this id there were before.
    pub(crate) predecessors: u32,
    set: Vec<Setting>,
    /// When the switch was last written, in seconds since 1970.
    switched_at: Option<i64>,
    /// What it was in the scenario, once something that is kept has changed it.
    original: Option<Box<Original>>,
    /// A write that is on its way; it takes effect when its time has come and it is read.
    pending: Option<Pending>,
    /// What others do to the server later.
    undone: Option<Pending>,
}

/// A server as the scenario has it.
#[derive(Debug)]
struct Original {
    state: ServerState,
    set: Vec<Setting>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Setting {
    name: &'static str,
    value: Box<str>,
    pending_restart: bool,
}

#[derive(Debug)]
struct Pending {
    due: Instant,
    change: Arc<Change>,
}

/// One parameter as it stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Current<'a> {
    pub(crate) value: &'a str,
    pub(crate) overridden: bool,
    pub(crate) pending_restart: bool,
}

impl Estate {
    /// Builds the records of a fleet.
    pub(crate) fn new(source: FleetSource) -> Self {
        let mut builder = Builder::default();
        match source {
            FleetSource::Listed(fleet) => builder::listed(fleet, &mut builder),
            FleetSource::Generated(size) => generate(&size, &mut builder),
        }
        builder.finish()
    }

    /// The tenant with this id.
    pub(crate) fn tenant(&self, id: &str) -> Option<(usize, &TenantRecord)> {
        self.tenants.iter().enumerate().find(|(_, tenant)| tenant.id.eq_ignore_ascii_case(id))
    }

    /// The subscription with this id, in any letter case.
    pub(crate) fn subscription(&self, id: &str) -> Option<(usize, &SubscriptionRecord)> {
        let index = match self.by_subscription.get(id) {
            Some(index) => *index,
            None => *self.by_subscription.get(id.to_ascii_lowercase().as_str())?,
        } as usize;
        Some((index, self.subscriptions.get(index)?))
    }

    /// The server with these coordinates, in any letter case.
    pub(crate) fn server(&self, subscription: usize, group: &str, kind: Kind, name: &str) -> Option<(usize, &Record)> {
        let key = key(u32::try_from(subscription).ok()?, group, kind, name);
        let index = *self.by_id.get(key.as_str())? as usize;
        Some((index, self.servers.get(index)?))
    }

    /// The server with this resource id, in any letter case.
    pub(crate) fn server_by_id(&self, id: &str) -> Option<(usize, &Record)> {
        use crate::path::{ServerPart, SubscriptionPart, Target, parse};
        match parse(id) {
            Target::Subscription(subscription, SubscriptionPart::Server(group, kind, name, ServerPart::Itself)) => {
                let (subscription, _) = self.subscription(subscription)?;
                self.server(subscription, group, kind, name)
            }
            _ => None,
        }
    }

    /// Puts every server back to what the scenario has.
    pub(crate) fn restore(&self) {
        self.servers.iter().for_each(|record| record.lock().restore());
    }

    /// How many servers are not as the scenario has them, because of changes that are kept.
    pub(crate) fn changed(&self) -> usize {
        self.servers.iter().filter(|record| record.lock().is_changed()).count()
    }

    /// The servers of a subscription.
    pub(crate) fn servers_of(&self, subscription: &SubscriptionRecord) -> impl Iterator<Item = (usize, &Record)> {
        let start = subscription.servers.start;
        self.servers
            .get(subscription.servers.clone())
            .unwrap_or_default()
            .iter()
            .enumerate()
            .map(move |(offset, record)| (start + offset, record))
    }
}

impl Record {
    /// Its name.
    pub(crate) fn name(&self) -> &str {
        self.id.get(usize::from(self.name)..).unwrap_or_default()
    }

    /// Its resource group.
    pub(crate) fn group(&self) -> &str {
        let tail = self.id.get(usize::from(self.group)..).unwrap_or_default();
        tail.split('/').next().unwrap_or_default()
    }

    /// What changes on it, with a write that has come due already done.
    pub(crate) fn lock(&self) -> MutexGuard<'_, Mutable> {
        let mut mutable = self.mutable.lock().unwrap_or_else(PoisonError::into_inner);
        mutable.settle(self.kind);
        mutable
    }

    /// Whether it is a read replica.
    pub(crate) fn is_replica(&self) -> bool {
        self.replica_of.is_some()
    }
}

impl Mutable {
    fn settle(&mut self, kind: Kind) {
        if self.pending.as_ref().is_some_and(|pending| pending.due <= Instant::now())
            && let Some(pending) = self.pending.take()
        {
            self.apply(kind, &pending.change);
        }
        if self.undone.as_ref().is_some_and(|undone| undone.due <= Instant::now())
            && let Some(undone) = self.undone.take()
        {
            self.apply(kind, &undone.change);
        }
    }

    /// Does what a write does when it ends.
    pub(crate) fn apply(&mut self, kind: Kind, change: &Change) {
        for (parameter, value) in &change.parameters {
            if change.reset {
                self.reset(parameter);
                continue;
            }
            // A single server has no notion of it, and HorizonDB applies at once when asked to.
            let waits = kind == Kind::Flexible && !parameter.dynamic;
            self.set(parameter, value, waits);
        }
        if let Some(state) = change.state {
            self.state = state;
        }
        if kind == Kind::ParameterGroup && !change.parameters.is_empty() {
            self.revision = self.revision.saturating_add(1);
        }
    }

    /// Keeps what the scenario has, before the first change that outlives the process.
    pub(crate) fn remember(&mut self) {
        if self.original.is_none() {
            self.original = Some(Box::new(Original { state: self.state, set: self.set.clone() }));
        }
    }

    /// Takes back every change since [`Self::remember`].
    fn restore(&mut self) {
        if let Some(original) = self.original.take() {
            self.state = original.state;
            self.set = original.set;
            self.switched_at = None;
            self.pending = None;
            self.revision = self.revision.saturating_add(1);
        }
    }

    /// Whether something is not as it was at [`Self::remember`].
    fn is_changed(&self) -> bool {
        let differs = |original: &Original| {
            let has = |list: &[Setting], one: &Setting| {
                list.iter().any(|other| other.name == one.name && other.value == one.value)
            };
            original.state != self.state
                || original.set.iter().any(|one| !has(&self.set, one))
                || self.set.iter().any(|one| !has(&original.set, one))
        };
        self.original.as_deref().is_some_and(differs)
    }

    /// Notes when a write of the switch takes effect: the log of that time on has who is refused.
    pub(crate) fn note_switch(&mut self, change: &Change, due: Timestamp) {
        if change.parameters.iter().any(|(parameter, _)| parameter.name == REQUIRE_SECURE_TRANSPORT) {
            self.switched_at = Some(due.as_second());
        }
    }

    /// Since when clients in plaintext are refused, if someone has turned that on.
    pub(crate) fn refuses_since(&self, kind: Kind) -> Option<i64> {
        let switch = parameters::find(kind, REQUIRE_SECURE_TRANSPORT)?;
        self.switched_at.filter(|_| self.current(switch).value.eq_ignore_ascii_case("on"))
    }

    /// Whether a write is on its way.
    pub(crate) fn busy(&self) -> bool {
        self.pending.is_some()
    }

    /// Takes on a write that takes effect at `due`.
    pub(crate) fn begin(&mut self, due: Instant, change: Arc<Change>) {
        self.pending = Some(Pending { due, change });
    }

    /// At `due`, others reset these parameters to their present values.
    pub(crate) fn goes_back(&mut self, due: Instant, change: &Change) {
        let now = |parameter: &'static Parameter| (parameter, self.current(parameter).value.to_owned());
        let parameters = change.parameters.iter().map(|(parameter, _)| now(parameter)).collect();
        self.undone = Some(Pending { due, change: Arc::new(Change { parameters, ..Change::default() }) });
    }

    /// Another server takes the place of this one, under its name and with the default of every parameter.
    pub(crate) fn replace(&mut self) {
        self.predecessors = self.predecessors.saturating_add(1);
        self.set.clear();
        (self.pending, self.undone) = (None, None);
    }

    /// A parameter as it stands.
    pub(crate) fn current(&self, parameter: &Parameter) -> Current<'_> {
        self.set
            .iter()
            .find(|setting| setting.name == parameter.name)
            .map_or(Current { value: parameter.default, overridden: false, pending_restart: false }, |setting| {
                Current { value: &setting.value, overridden: true, pending_restart: setting.pending_restart }
            })
    }

    /// Puts a parameter back to its default.
    pub(crate) fn reset(&mut self, parameter: &'static Parameter) {
        self.set.retain(|setting| setting.name != parameter.name);
    }

    /// Sets a parameter.
    pub(crate) fn set(&mut self, parameter: &'static Parameter, value: &str, pending_restart: bool) {
        let name = parameter.name;
        let value = value.into();
        match self.set.iter_mut().find(|setting| setting.name == name) {
            Some(setting) => {
                setting.value = value;
                setting.pending_restart = pending_restart;
            }
            None => self.set.push(Setting { name, value, pending_restart }),
        }
    }
}

fn key(subscription: u32, group: &str, kind: Kind, name: &str) -> String {
    let mut key = format!("{subscription}/{group}/{}/{name}", kind as u8);
    key.make_ascii_lowercase();
    key
}
