//! From plain data to records.

use std::collections::HashMap;
use std::sync::Mutex;

use super::{Estate, Mutable, Record, Setting, SubscriptionRecord, TenantRecord, key};
use crate::fleet::{Fleet, Kind, ManagementGroup, Server, Subscription};
use crate::parameters;

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
            quirks: server.quirks.into(),
            tags: server.tags.into(),
            replica_of,
            parameter_group,
            replicas: 0,
            mutable: Mutex::new(Mutable {
                state: server.state,
                revision: 1,
                predecessors: 0,
                set,
                original: None,
                switched_at: None,
                pending: None,
                undone: None,
            }),
        });
    }

    /// The finished fleet.
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

/// Adds a fleet that was written out.
pub(super) fn listed(fleet: Fleet, builder: &mut Builder) {
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
