//! The audit of one subscription.

use crate::{AuditEvent, ListenerProbe, ServerProbe};
use futures::StreamExt;
use futures::future::{join, join_all};
use futures::stream;
use hostssl_audit::{Profile, needed_parameters, server_report};
use hostssl_azure::{Arm, GraphRow, Listed, ResourceType, list_servers, read_parameters};
use hostssl_model::{
    Gap, GapScope, Parameter, ParameterName, Posture, Reading, Reason, ReplicationRole, ResourceId, Scope, Server,
    ServerReport, Subscription, Unchecked,
};
use std::collections::{HashMap, HashSet};

/// What looking at one subscription takes.
pub(crate) struct SubscriptionWork<'a> {
    pub(crate) arm: &'a Arm,
    pub(crate) subscription: &'a Subscription,
    pub(crate) scope: &'a Scope,
    pub(crate) profile: &'a Profile,
    /// The servers, when they were found already.
    pub(crate) listed: Option<Vec<(ResourceType, GraphRow)>>,
    /// Probes the listeners of each server, if requested.
    pub(crate) wire: Option<&'a ListenerProbe>,
}

/// What was found in one subscription.
#[derive(Debug, Default)]
pub(crate) struct SubscriptionAudit {
    /// In the order of their ids.
    pub(crate) servers: Vec<ServerReport>,
    pub(crate) gaps: Vec<Gap>,
    /// In scope, and left out on request.
    pub(crate) excepted: Vec<Server>,
    /// The kinds whose provider is not registered there.
    pub(crate) not_offered: Vec<ResourceType>,
}

/// Servers of one subscription read at once. The client bounds the requests of all subscriptions together.
const SERVERS_AT_ONCE: usize = 256;

pub(crate) async fn audit_subscription(
    work: SubscriptionWork<'_>,
    on_event: &dyn Fn(AuditEvent<'_>),
) -> SubscriptionAudit {
    let mut audit = SubscriptionAudit::default();
    let entries = match work.listed {
        Some(entries) => entries,
        None => list_everything(work.arm, work.subscription, work.scope, &mut audit).await,
    };
    let servers = keep_servers(entries, work.subscription, work.scope, &mut audit);
    on_event(AuditEvent::Found(servers.len()));

    let primaries = wanted_of_primaries(&servers, work.profile);
    let profile = work.profile;
    let primaries_ref = &primaries;
    let looked: Vec<(Listed, Option<Gap>)> = stream::iter(servers)
        .map(|listed| async move {
            let mut names = needed_parameters(profile, listed.posture.server.kind, listed.posture.server.role);
            names.extend(primaries_ref.get(&listed.posture.server.id).into_iter().flatten());
            let probed = work.wire.map(|wire| (wire, listed.posture.server.clone()));
            let look = async {
                match &probed {
                    // Boxed, because all servers of a scope may wait at once, most often without a look at the wire.
                    Some((wire, server)) => Box::pin(wire.look(work.arm, server, work.subscription)).await,
                    None => ServerProbe::default(),
                }
            };
            let (mut listed, look) = join(read_settings(work.arm, listed, names), look).await;
            listed.posture.wire = look.observations;
            on_event(AuditEvent::Looked);
            let server = &listed.posture.server.id;
            let gap = look.databases.map(|unchecked| Gap { scope: GapScope::Server(server.clone()), unchecked });
            (listed, gap)
        })
        .buffer_unordered(SERVERS_AT_ONCE)
        .collect()
        .await;
    let (looked, gaps): (Vec<Listed>, Vec<Option<Gap>>) = looked.into_iter().unzip();
    let mut gaps: Vec<Gap> = gaps.into_iter().flatten().collect();
    // They come in the order in which they were done.
    gaps.sort_by_cached_key(|gap| gap.scope.to_string());
    audit.gaps.extend(gaps);

    let elsewhere = read_primaries_elsewhere(work.arm, &looked, primaries).await;
    let known: HashMap<&ResourceId, &Posture> = looked.iter().map(|l| (&l.posture.server.id, &l.posture)).collect();
    audit.servers = looked
        .iter()
        .map(|listed| {
            let primary = listed.posture.server.primary.as_ref().and_then(|id| match known.get(id) {
                Some(posture) => Some(Reading::Known((*posture).clone())),
                None => elsewhere.get(id).cloned(),
            });
            server_report(&listed.posture, primary.as_ref(), work.profile)
        })
        .collect();
    audit.servers.sort_by(|a, b| a.server.id.cmp(&b.server.id));
    for server in &audit.servers {
        audit.gaps.extend(gaps_of_server(server));
    }
    audit
}

/// The resource groups to list one by one; a pattern needs the whole subscription.
pub(crate) fn listed_groups(scope: &Scope) -> Vec<Option<&str>> {
    match scope.resource_groups.as_slice() {
        [] => vec![None],
        groups if groups.iter().any(|group| group.contains(['*', '?'])) => vec![None],
        groups => groups.iter().map(|group| Some(group.as_str())).collect(),
    }
}

/// The servers of one subscription that are in scope, with the gaps and the servers that are left out.
pub(crate) async fn servers_of_subscription(
    arm: &Arm,
    subscription: &Subscription,
    scope: &Scope,
) -> (Vec<Server>, SubscriptionAudit) {
    let mut audit = SubscriptionAudit::default();
    let entries = list_everything(arm, subscription, scope, &mut audit).await;
    let servers = keep_servers(entries, subscription, scope, &mut audit);
    (servers.into_iter().map(|listed| listed.posture.server).collect(), audit)
}

async fn list_everything(
    arm: &Arm,
    subscription: &Subscription,
    scope: &Scope,
    audit: &mut SubscriptionAudit,
) -> Vec<(ResourceType, GraphRow)> {
    let groups = listed_groups(scope);
    let lists = ResourceType::ALL.into_iter().flat_map(|resource_type| {
        groups.iter().map(move |group| async move {
            (resource_type, group.is_some(), list_servers(arm, &subscription.id, *group, resource_type).await)
        })
    });
    let mut entries = Vec::new();
    let mut gaps = Vec::new();
    for (resource_type, in_group, listing) in join_all(lists).await {
        entries.extend(listing.items.into_iter().map(|item| (resource_type, item)));
        let Some(error) = listing.error else { continue };
        let mut unchecked = error.unchecked(resource_type.read_action());
        if unchecked.reason == Reason::NotOffered {
            audit.not_offered.push(resource_type);
        } else if in_group && unchecked.reason == Reason::Vanished {
            // The group is in another subscription. That it is nowhere is found out when all were looked at.
        } else {
            unchecked.detail = format!("the {} cannot be listed: {}", resource_type.plural(), unchecked.detail).into();
            gaps.push(Gap { scope: (&subscription.id).into(), unchecked });
        }
    }
    audit.gaps.extend(merge_listing_gaps(gaps));
    entries
}

/// All lists of a subscription fail alike when the subscription cannot be reached. That is one gap, unless different
/// permissions are missing.
fn merge_listing_gaps(mut gaps: Vec<Gap>) -> Vec<Gap> {
    let alike = gaps.windows(2).all(|pair| pair[0].unchecked.reason == pair[1].unchecked.reason);
    let permission = gaps.first().is_some_and(|gap| gap.unchecked.reason == Reason::Permission);
    if alike && !permission {
        gaps.truncate(1);
    }
    gaps
}

/// Keeps the servers in scope, each once, and reports entries that are not servers.
fn keep_servers(
    entries: Vec<(ResourceType, GraphRow)>,
    subscription: &Subscription,
    scope: &Scope,
    audit: &mut SubscriptionAudit,
) -> Vec<Listed> {
    let mut seen = HashSet::new();
    let mut servers = Vec::with_capacity(entries.len());
    for (_, entry) in entries {
        match entry {
            Ok(listed) => {
                let server = &listed.posture.server;
                if !scope.admits(server) || !seen.insert(server.id.clone()) {
                    continue;
                }
                match scope.excepts(server) {
                    None => servers.push(listed),
                    Some(selector) => {
                        let detail = format!("left out on request: {selector}");
                        let unchecked = Unchecked::new(Reason::Excepted, detail);
                        audit.gaps.push(Gap { scope: GapScope::Server(server.id.clone()), unchecked });
                        audit.excepted.push(listed.posture.server);
                    }
                }
            }
            Err(odd) => audit.gaps.push(Gap {
                scope: (&subscription.id).into(),
                unchecked: Unchecked::new(Reason::MalformedAnswer, odd.0),
            }),
        }
    }
    servers
}

/// The settings of primaries that their replicas' controls need.
fn wanted_of_primaries(servers: &[Listed], profile: &Profile) -> HashMap<ResourceId, Vec<ParameterName>> {
    let mut wanted: HashMap<ResourceId, Vec<ParameterName>> = HashMap::new();
    for control in profile.controls.iter().filter(|control| control.needs_primary) {
        for server in servers.iter().map(|listed| &listed.posture.server) {
            if let (ReplicationRole::Replica, Some(primary)) = (server.role, &server.primary) {
                wanted.entry(primary.clone()).or_default().extend((control.needs)(server.kind, server.role));
            }
        }
    }
    wanted
}

/// Reads settings of a server that was listed. They may not be those of a HorizonDB cluster, which are in its parameter group.
pub(crate) async fn read_more(
    arm: &Arm,
    server: &Server,
    names: &[ParameterName],
) -> Vec<(ParameterName, Reading<Parameter>)> {
    let posture = Posture { server: server.clone(), readings: Vec::new(), wire: Vec::new() };
    read_settings(arm, Listed { posture, parameter_group: None }, names.to_vec()).await.posture.readings
}

/// Reads what is not known yet. A server that is stopped or being created has nothing to read, so it is not asked.
pub(crate) async fn read_settings(arm: &Arm, mut listed: Listed, mut names: Vec<ParameterName>) -> Listed {
    names.sort_unstable();
    names.dedup();
    names.retain(|name| listed.posture.reading(*name).is_none());
    let readings = match not_readable(&listed.posture.server) {
        Some(unchecked) => names.into_iter().map(|name| (name, Reading::Unknown(unchecked.clone()))).collect(),
        None => read_parameters(arm, &listed, &names).await,
    };
    listed.posture.readings.extend(readings);
    listed
}

fn not_readable(server: &Server) -> Option<Unchecked> {
    let state = server.state.as_ref()?;
    if state.is_stopped() {
        let detail = "the server is stopped; Azure does not return the parameters of a stopped server";
        return Some(Unchecked::new(Reason::Stopped, detail));
    }
    let detail = "the server is being created and has no parameters yet";
    state.is_being_created().then(|| Unchecked::new(Reason::Creating, detail))
}

/// Reads the primaries that are in another subscription, or outside the scope.
async fn read_primaries_elsewhere(
    arm: &Arm,
    looked: &[Listed],
    mut primaries: HashMap<ResourceId, Vec<ParameterName>>,
) -> HashMap<ResourceId, Reading<Posture>> {
    for listed in looked {
        primaries.remove(&listed.posture.server.id);
    }
    let replicas = looked.iter().map(|listed| &listed.posture.server);
    let reads = primaries.into_iter().map(|(id, names)| {
        let replica = replicas.clone().find(|server| server.primary.as_ref() == Some(&id));
        async move {
            // A primary is of its replica's kind. Its state is not known; Azure will say if it cannot be read.
            let replica = replica?;
            let server = Server {
                id: id.clone(),
                state: None,
                fqdn: None,
                role: ReplicationRole::Primary,
                primary: None,
                ..replica.clone()
            };
            let listed =
                Listed { posture: Posture { server, readings: Vec::new(), wire: Vec::new() }, parameter_group: None };
            Some((id, Reading::Known(read_settings(arm, listed, names).await.posture)))
        }
    });
    join_all(reads).await.into_iter().flatten().collect()
}

/// What of a server could not be checked: one gap for each reason.
fn gaps_of_server(report: &ServerReport) -> Vec<Gap> {
    let mut gaps: Vec<Gap> = Vec::new();
    for unchecked in report.findings.iter().filter_map(|finding| finding.unchecked.as_ref()) {
        let known = |gap: &Gap| {
            gap.unchecked.reason == unchecked.reason && gap.unchecked.missing_permission == unchecked.missing_permission
        };
        if !gaps.iter().any(known) {
            gaps.push(Gap { scope: (&report.server.id).into(), unchecked: unchecked.clone() });
        }
    }
    gaps
}

#[cfg(test)]
mod tests {
    use super::*;
    use hostssl_model::GapScope;

    #[test]
    fn equal_failures_of_all_lists_are_one_gap() {
        let gap = |reason| Gap { scope: GapScope::Subscription("s".into()), unchecked: Unchecked::new(reason, "why") };
        assert_eq!(merge_listing_gaps(vec![gap(Reason::Network); 4]).len(), 1);
        assert_eq!(merge_listing_gaps(vec![gap(Reason::Permission); 4]).len(), 4);
        assert_eq!(merge_listing_gaps(vec![gap(Reason::Network), gap(Reason::Throttled)]).len(), 2);
    }
}
