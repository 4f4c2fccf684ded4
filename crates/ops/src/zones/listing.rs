//! The servers of each zone, as Azure lists them now.

use crate::listener_probe::databases;
use crate::selection::mistake;
use crate::subscription::servers_of_subscription;
use crate::{ScopeError, Tenant, resolve_scope};
use futures::StreamExt;
use futures::stream;
use hostssl_azure::Arm;
use hostssl_model::{Gap, Reason, Scope, Server, Subscription, Unchecked, ZoneRule, zone_rule_of};
use hostssl_probe::target::ProbeTarget;
use std::sync::Arc;

/// A server, and the zone that it is probed from.
#[derive(Debug, Clone)]
pub struct ZonedServer {
    /// The server.
    pub server: Server,
    /// Its subscription.
    pub subscription: Arc<Subscription>,
    /// The number of the rule that matches it, from 0; `None` when none does.
    pub rule: Option<usize>,
    /// The client that reads it.
    arm: Arm,
}

/// Every server in scope, and what could not be listed.
#[derive(Debug, Default)]
pub struct ZonedServers {
    /// In the order of the subscriptions' names, then of their ids.
    pub servers: Vec<ZonedServer>,
    /// Every subscription in scope.
    pub subscriptions: Vec<Arc<Subscription>>,
    /// What could not be checked.
    pub gaps: Vec<Gap>,
}

/// Subscriptions listed at once.
const SUBSCRIPTIONS_AT_ONCE: usize = 64;
/// Servers asked for their databases at once.
const SERVERS_AT_ONCE: usize = 64;

/// Lists every server in scope with the rule that matches it.
///
/// # Errors
///
/// [`ScopeError`] when the scope names what does not exist.
pub async fn list_zones(tenants: &[Tenant], scope: &Scope, rules: &[ZoneRule]) -> Result<ZonedServers, ScopeError> {
    let visible = resolve_scope(tenants, scope).await?;
    let mut all = ZonedServers {
        servers: Vec::new(),
        subscriptions: visible.subscriptions.iter().map(|(subscription, _)| Arc::clone(subscription)).collect(),
        gaps: visible.gaps.clone(),
    };
    let lists: Vec<_> = stream::iter(&visible.subscriptions)
        .map(|(subscription, tenant)| async move {
            (subscription, tenant, servers_of_subscription(&tenant.arm, subscription, scope).await)
        })
        .buffered(SUBSCRIPTIONS_AT_ONCE)
        .collect()
        .await;
    let mut excepted = Vec::new();
    for (subscription, tenant, (mut servers, audit)) in lists {
        all.gaps.extend(audit.gaps);
        excepted.extend(audit.excepted);
        servers.sort_by(|a, b| a.id.cmp(&b.id));
        all.servers.extend(servers.into_iter().map(|server| ZonedServer {
            rule: zone_rule_of(rules, &server, subscription).map(|(number, _)| number),
            subscription: Arc::clone(subscription),
            arm: tenant.arm.clone(),
            server,
        }));
    }
    let servers: Vec<&Server> = all.servers.iter().map(|one| &one.server).chain(&excepted).collect();
    match mistake(&visible, scope, &servers, &all.gaps).await {
        Some(no_match) => Err(no_match.into()),
        None => Ok(all),
    }
}

/// What has to be probed in a zone: each port of each of its servers, with the names that an audit would try, and no resource
/// id, subscription or setting, which no one there has to know; and what could not be found out for it.
pub async fn zone_targets(servers: &[&ZonedServer]) -> (Vec<ProbeTarget>, Vec<Gap>) {
    let asked: Vec<_> = stream::iter(servers)
        .map(|one| async move { (*one, databases(&one.arm, &one.server).await) })
        .buffered(SERVERS_AT_ONCE)
        .collect()
        .await;
    let (mut targets, mut gaps) = (Vec::new(), Vec::new());
    for (ZonedServer { server, .. }, (databases, unchecked)) in asked {
        gaps.extend(unchecked.map(|unchecked| Gap { scope: (&server.id).into(), unchecked }));
        let missing = |reason, why: &str| Gap { scope: (&server.id).into(), unchecked: Unchecked::new(reason, why) };
        let Some(host) = server.fqdn.as_deref() else {
            gaps.push(missing(Reason::NotReturned, "Azure did not return its host name, so it cannot be probed"));
            continue;
        };
        // One odd name must not spoil the list for the whole zone.
        if !matches!(ProbeTarget::parse(host).as_deref(), Ok([one]) if one.host == host) {
            gaps.push(missing(Reason::MalformedAnswer, "the name that Azure returned is not a host name"));
            continue;
        }
        targets.extend(server.kind.offering().ports.iter().map(|port| ProbeTarget {
            user: server.administrator.as_deref().map(str::to_owned),
            databases: databases.clone(),
            ..ProbeTarget::new(host, *port)
        }));
    }
    (targets, gaps)
}
