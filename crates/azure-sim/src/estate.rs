//! The fleet in the form in which it is served: compact records, sorted by id, found in constant time.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::time::Instant;

use crate::fleet::{
    Fleet, FleetSource, GraphView, Kind, ManagementGroup, ProviderState, Server, ServerState, Subscription,
    SubscriptionState, generate,
};
use crate::operation::Change;
use crate::parameters::{self, Parameter};

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
    /// Its servers: a range of the estate's servers.
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
    set: Vec<Setting>,
    /// A write that is on its way; it takes effect when its time has come and somebody looks.
    pending: Option<Pending>,
}

#[derive(Debug)]
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
            FleetSource::Listed(fleet) => listed(fleet, &mut builder),
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
            pending.change.apply(kind, self);
        }
    }

    /// Whether a write is on its way.
    pub(crate) fn busy(&self) -> bool {
        self.pending.is_some()
    }

    /// Takes on a write that takes effect at `due`.
    pub(crate) fn begin(&mut self, due: Instant, change: Arc<Change>) {
        self.pending = Some(Pending { due, change });
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

/// Collects a fleet, server by server.
#[derive(Debug, Default)]
pub(crate) struct Builder {
    tenants: Vec<TenantRecord>,
    subscriptions: Vec<SubscriptionRecord>,
    servers: Vec<Record>,
}

impl Builder {
    /// Adds a tenant; what follows is in it.
    pub(crate) fn tenant(&mut self, id: String, name: String, groups: Vec<ManagementGroup>) {
        self.tenants.push(TenantRecord { id, name, groups, subscriptions: Vec::new() });
    }

    /// Adds a subscription without its servers; the servers that follow are in it.
    pub(crate) fn subscription(&mut self, subscription: Subscription) {
        let Some(tenant) = self.tenants.last_mut() else {
            return;
        };
        let index = u32::try_from(self.subscriptions.len()).unwrap_or(u32::MAX);
        tenant.subscriptions.push(index);
        self.subscriptions.push(SubscriptionRecord {
            id: subscription.id.into(),
            name: subscription.name.into(),
            state: subscription.state,
            tenant: u32::try_from(self.tenants.len() - 1).unwrap_or(u32::MAX),
            management_group: subscription.management_group.map(Into::into),
            postgres: subscription.postgres,
            horizon: subscription.horizon,
            servers: 0..0,
            groups: Vec::new(),
        });
    }

    /// Adds a server. Parameters that the kind does not have are left out.
    pub(crate) fn server(&mut self, server: Server) {
        let Some(subscription) = self.subscriptions.last() else {
            return;
        };
        let head = format!("/subscriptions/{}/resourceGroups/", subscription.id);
        let middle = format!("{}/providers/{}/{}/", server.group, server.kind.provider(), server.kind.type_segment());
        let set = server
            .parameters
            .iter()
            .filter_map(|(name, value)| {
                let parameter = parameters::find(server.kind, name)?;
                Some(Setting {
                    name: parameter.name,
                    value: value.as_str().into(),
                    pending_restart: server.pending_restart.iter().any(|pending| pending.eq_ignore_ascii_case(name)),
                })
            })
            .collect();
        let sibling = |name: String, kind: Kind| -> Box<str> {
            format!("{head}{}/providers/{}/{}/{name}", server.group, kind.provider(), kind.type_segment()).into()
        };
        let replica_of = server.replica_of.map(|name| sibling(name, server.kind));
        let parameter_group = server.parameter_group.map(|name| sibling(name, Kind::ParameterGroup));
        self.servers.push(Record {
            name: u16::try_from(head.len() + middle.len()).unwrap_or(u16::MAX),
            group: u16::try_from(head.len()).unwrap_or(u16::MAX),
            id: format!("{head}{middle}{}", server.name).into(),
            kind: server.kind,
            subscription: u32::try_from(self.subscriptions.len() - 1).unwrap_or(u32::MAX),
            location: server.location.into(),
            version: server.version,
            nodes: server.nodes,
            private: server.private,
            graph: server.graph,
            tags: server.tags.into(),
            replica_of,
            parameter_group,
            replicas: 0,
            mutable: Mutex::new(Mutable { state: server.state, revision: 1, set, pending: None }),
        });
    }

    /// The finished estate.
    pub(crate) fn finish(mut self) -> Estate {
        self.servers.sort_by_cached_key(|record| record.id.to_ascii_lowercase().into_boxed_str());
        let mut by_id = HashMap::with_capacity(self.servers.len());
        for (index, record) in self.servers.iter().enumerate() {
            by_id.insert(
                key(record.subscription, record.group(), record.kind, record.name()).into_boxed_str(),
                u32::try_from(index).unwrap_or(u32::MAX),
            );
            let Some(subscription) = self.subscriptions.get_mut(record.subscription as usize) else {
                continue;
            };
            if subscription.servers.is_empty() {
                subscription.servers = index..index + 1;
            } else {
                subscription.servers.end = index + 1;
            }
            let group = record.group();
            if !subscription.groups.iter().any(|(known, _)| known.eq_ignore_ascii_case(group)) {
                subscription.groups.push((group.into(), record.location.clone()));
            }
        }
        let by_subscription = self
            .subscriptions
            .iter()
            .enumerate()
            .map(|(index, subscription)| {
                (subscription.id.to_ascii_lowercase().into_boxed_str(), u32::try_from(index).unwrap_or(u32::MAX))
            })
            .collect();
        let mut estate = Estate {
            tenants: self.tenants,
            subscriptions: self.subscriptions,
            servers: self.servers,
            by_subscription,
            by_id,
        };
        estate.count_replicas();
        estate
    }
}

impl Estate {
    fn count_replicas(&mut self) {
        let sources: Vec<usize> = self
            .servers
            .iter()
            .filter_map(|record| record.replica_of.as_deref())
            .filter_map(|id| self.server_by_id(id).map(|(index, _)| index))
            .collect();
        for index in sources {
            if let Some(record) = self.servers.get_mut(index) {
                record.replicas = record.replicas.saturating_add(1);
            }
        }
    }
}

fn listed(fleet: Fleet, builder: &mut Builder) {
    for tenant in fleet.tenants {
        builder.tenant(tenant.id, tenant.name, tenant.groups);
        for mut subscription in tenant.subscriptions {
            let servers = std::mem::take(&mut subscription.servers);
            builder.subscription(subscription);
            for server in servers {
                builder.server(server);
            }
        }
    }
}

fn key(subscription: u32, group: &str, kind: Kind, name: &str) -> String {
    let mut key = format!("{subscription}/{group}/{}/{name}", kind as u8);
    key.make_ascii_lowercase();
    key
}
