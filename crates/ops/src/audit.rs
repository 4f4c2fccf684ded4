//! The audit: every server in scope, what it declares, and what could not be seen.

use crate::selection::{Selector, explain, unmatched};
use crate::subscription::{SubscriptionAudit, SubscriptionWork, audit_subscription};
use crate::{AuditEvent, ListenerProbe, RunContext, ScopeError, Tenant, resolve_scope, rfc3339};
use futures::StreamExt;
use futures::stream;
use hostssl_audit::Profile;
use hostssl_azure::{GraphRow, ResourceType, permissions, query_servers};
use hostssl_model::{
    AuditAsked, AuditReport, AuditRun, Gap, GapScope, Overlay, Reason, Scope, Server, ServerReport, Subscription,
    SubscriptionId, Summary, Unchecked,
};
use std::cell::RefCell;
use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

/// How servers are found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Discovery {
    /// By the lists of each subscription, which are authoritative.
    Lists,
    /// By Azure Resource Graph: faster on very large fleets, but it cannot prove that no server is missing.
    Graph,
}

/// What to audit, and by which rules.
#[derive(Debug, Clone)]
pub struct AuditRequest {
    /// The scope of a run.
    pub scope: Scope,
    /// The rules.
    pub profile: Profile,
    /// How to find servers.
    pub discovery: Discovery,
}

/// Subscriptions read at once. A subscription that is throttled waits without holding back the others.
const SUBSCRIPTIONS_AT_ONCE: usize = 256;
/// Subscriptions a query to Resource Graph. Clients that pass more lose some of them.
const SUBSCRIPTIONS_A_QUERY: usize = 300;
/// Queries to Resource Graph at once; its quota is small.
const QUERIES_AT_ONCE: usize = 4;

/// Audits everything in scope.
///
/// A run that is stopped, through the signal that the tenants' clients were made with, ends at once with a report of
/// what was seen until then; the rest is in its gaps.
///
/// # Errors
///
/// [`ScopeError`] when the scope names what does not exist. Whatever cannot be seen is not an error but part of the report.
pub async fn audit(
    tenants: &[Tenant],
    request: &AuditRequest,
    context: RunContext<'_>,
    on_event: &mut dyn FnMut(AuditEvent<'_>),
) -> Result<AuditReport, ScopeError> {
    audit_and_probe(tenants, request, None, context, on_event).await
}

/// Audits everything in scope, and probes the listeners of each server where `wire` is given.
///
/// # Errors
///
/// As [`audit`].
pub async fn audit_and_probe(
    tenants: &[Tenant],
    request: &AuditRequest,
    wire: Option<&ListenerProbe>,
    context: RunContext<'_>,
    on_event: &mut dyn FnMut(AuditEvent<'_>),
) -> Result<AuditReport, ScopeError> {
    let visible = resolve_scope(tenants, &request.scope).await?;
    let mut gaps = visible.gaps;
    on_event(AuditEvent::Subscriptions(visible.subscriptions.len()));
    let mut found = match request.discovery {
        Discovery::Lists => None,
        Discovery::Graph => Some(discover_by_graph(&visible.subscriptions, &mut gaps).await),
    };

    let events = RefCell::new(on_event);
    let events = &events;
    let looks = visible.subscriptions.iter().enumerate().map(|(index, (subscription, tenant))| {
        let listed = found.as_mut().map(|found| found.remove(&subscription.id).unwrap_or_default());
        let work = SubscriptionWork {
            arm: &tenant.arm,
            subscription,
            scope: &request.scope,
            profile: &request.profile,
            listed,
            wire,
        };
        async move {
            let done = audit_subscription(work, &|event| (events.borrow_mut())(event)).await;
            (events.borrow_mut())(AuditEvent::Subscription(index, subscription, &done.servers));
            (index, done)
        }
    });
    let audits: Vec<(usize, SubscriptionAudit)> =
        stream::iter(looks).buffer_unordered(SUBSCRIPTIONS_AT_ONCE).collect().await;

    let missing = missing_selector(&audits, &request.scope);
    let (servers, summary) = gather(audits, &mut gaps);
    if let Some((selector, value)) = missing {
        if let Some(no_match) = explain(&visible.subscriptions, &request.scope, (selector, value.clone()), &gaps).await
        {
            return Err(no_match.into());
        }
        let detail = format!("{} {value} matched nothing that could be listed", selector.option());
        gaps.push(Gap { scope: GapScope::Name(value.into()), unchecked: Unchecked::new(Reason::Vanished, detail) });
    }
    let subscriptions: Vec<Arc<Subscription>> = visible.subscriptions.into_iter().map(|(s, _)| s).collect();
    let complete = !gaps.iter().any(|gap| gap.unchecked.reason.leaves_incomplete());
    let run = AuditRun {
        id: context.id,
        started_at: rfc3339(context.started_at),
        finished_at: rfc3339((context.clock)()),
        principals: tenants.iter().map(|tenant| tenant.principal.clone()).collect(),
        cloud: tenants.first().map(|tenant| tenant.arm.cloud().name.clone()).unwrap_or_default(),
        scope: request.scope.clone(),
        profile: request.profile.to_string(),
        asked: AuditAsked {
            by_graph: request.discovery == Discovery::Graph,
            by_zones: wire.is_some_and(ListenerProbe::knows_zones),
            ..request.profile.asked()
        },
        tool_version: context.tool_version.to_owned(),
        complete,
    };
    Ok(AuditReport { run, summary, subscriptions, servers, gaps, overlay: Overlay::default() })
}

/// Puts the subscriptions' results in order and sums up.
fn gather(mut audits: Vec<(usize, SubscriptionAudit)>, gaps: &mut Vec<Gap>) -> (Vec<ServerReport>, Summary) {
    audits.sort_by_key(|(index, _)| *index);
    let looked_at = audits.len();
    let mut servers = Vec::with_capacity(audits.iter().map(|(_, audit)| audit.servers.len()).sum());
    let mut not_offered: BTreeMap<&'static str, usize> = BTreeMap::new();
    for (_, audit) in audits {
        servers.extend(audit.servers);
        gaps.extend(audit.gaps);
        for resource_type in audit.not_offered {
            *not_offered.entry(resource_type.plural()).or_default() += 1;
        }
    }
    // One note for each kind: a note for each subscription would bury the gaps that matter.
    gaps.extend(not_offered.into_iter().map(|(plural, count)| {
        let noun = if looked_at == 1 { "subscription" } else { "subscriptions" };
        let detail = format!("the provider of {plural} is not registered in {count} of {looked_at} {noun}");
        Gap { scope: GapScope::AllSubscriptions, unchecked: Unchecked::new(Reason::NotOffered, detail) }
    }));
    let mut summary = Summary::default();
    for server in &servers {
        summary.count(server.outcome);
    }
    (servers, summary)
}

/// The first selector that no server explains, among those that are audited and those that are left out.
fn missing_selector(audits: &[(usize, SubscriptionAudit)], scope: &Scope) -> Option<(Selector, String)> {
    if !scope.selects_servers() {
        return None;
    }
    let audited = audits.iter().flat_map(|(_, audit)| audit.servers.iter().map(|report| &report.server));
    let excepted = audits.iter().flat_map(|(_, audit)| &audit.excepted);
    unmatched(scope, &audited.chain(excepted).collect::<Vec<&Server>>())
}

type Found = HashMap<SubscriptionId, Vec<(ResourceType, GraphRow)>>;

async fn discover_by_graph(subscriptions: &[(Arc<Subscription>, Tenant)], gaps: &mut Vec<Gap>) -> Found {
    let mut by_tenant: Vec<(Tenant, Vec<SubscriptionId>)> = Vec::new();
    for (subscription, tenant) in subscriptions {
        match by_tenant.iter_mut().find(|(known, _)| known.principal == tenant.principal) {
            Some((_, ids)) => ids.push(subscription.id.clone()),
            None => by_tenant.push((tenant.clone(), vec![subscription.id.clone()])),
        }
    }
    let batches =
        by_tenant.iter().flat_map(|(tenant, ids)| ids.chunks(SUBSCRIPTIONS_A_QUERY).map(move |chunk| (tenant, chunk)));
    let answers: Vec<_> = stream::iter(batches)
        .map(|(tenant, ids)| async move { (ids, query_servers(&tenant.arm, ids).await) })
        .buffered(QUERIES_AT_ONCE)
        .collect()
        .await;
    let mut found = Found::new();
    for (ids, listing) in answers {
        if let Some(error) = listing.error {
            let unchecked = error.unchecked(permissions::QUERY_RESOURCE_GRAPH);
            gaps.extend(ids.iter().map(|id| Gap { scope: id.into(), unchecked: unchecked.clone() }));
        }
        for row in listing.items {
            place(row, &mut found, gaps);
        }
    }
    let detail = "servers were listed by Resource Graph, a copy that lags behind and omits what the identity may not read: \
                  it cannot prove that no server is missing";
    gaps.push(Gap {
        scope: GapScope::AllSubscriptions,
        unchecked: Unchecked::new(Reason::EventuallyConsistent, detail),
    });
    found
}

fn place(row: GraphRow, found: &mut Found, gaps: &mut Vec<Gap>) {
    match &row {
        Ok(listed) => {
            let id = listed.posture.server.subscription();
            let name = listed.posture.server.id.resource_type();
            let resource_type = ResourceType::ALL.into_iter().find(|t| t.name().eq_ignore_ascii_case(name));
            if let Some(resource_type) = resource_type {
                found.entry(id).or_default().push((resource_type, row));
            }
        }
        Err(odd) => gaps.push(Gap {
            scope: GapScope::AllSubscriptions,
            unchecked: Unchecked::new(Reason::MalformedAnswer, odd.0.as_str()),
        }),
    }
}
