//! Azure Policy that would turn enforcement on over clients in plaintext: its next remediation refuses them, and
//! asks no plan of hostssl.

use crate::{KeptEvidence, SubscriptionOf, Tenant};
use futures::StreamExt as _;
use futures::stream;
use hostssl_azure::{EnforcingPolicy, list_enforcing_policies, permissions};
use hostssl_census::{Requirements, SessionTls};
use hostssl_model::{
    AuditReport, Gap, GapScope, Reason, ResourceId, Server, SslEnforcement, SubscriptionId, Unchecked,
};
use hostssl_store::StoreError;
use jiff::Timestamp;
use std::collections::BTreeMap;
use std::time::Duration;

/// How long the assignments of a subscription are waited for.
const PATIENCE: Duration = Duration::from_secs(60);
/// Subscriptions that are asked at once.
const SUBSCRIPTIONS_AT_ONCE: usize = 8;

/// A server that does not enforce TLS, has clients in plaintext, and that policies would change.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PolicyOverPlaintext {
    /// The server.
    pub server: ResourceId,
    /// How many of its clients connect in plaintext, by the census that is kept.
    pub clients: u64,
    /// The policy assignments, by their names.
    pub policies: Vec<String>,
}

/// Reads which policies would turn enforcement on for servers of an audit whose kept clients connect in plaintext. Without such
/// a server, Azure is not asked. Where a census or the assignments could not be read, that is a gap.
pub async fn policies_over_plaintext(
    tenants: &[Tenant],
    audit: &AuditReport,
    evidence: Option<&dyn KeptEvidence>,
    requirements: Requirements,
) -> (Vec<PolicyOverPlaintext>, Vec<Gap>) {
    let Some(evidence) = evidence else { return (Vec::new(), Vec::new()) };
    let open = audit.servers.iter().filter(|report| report.ssl_enforcement == SslEnforcement::Disabled);
    let mut exposed: BTreeMap<SubscriptionId, Vec<(&Server, u64)>> = BTreeMap::new();
    let mut unread = Vec::new();
    for server in open.map(|report| &report.server) {
        match clients_in_plaintext(evidence, server, requirements) {
            Ok(0) => {}
            Ok(clients) => exposed.entry(server.subscription()).or_default().push((server, clients)),
            Err(error) => unread.push(census_gap(server, &error)),
        }
    }
    let tenant_of: SubscriptionOf =
        audit.subscriptions.iter().map(|one| (one.id.as_str().to_ascii_lowercase(), one.tenant.to_string())).collect();
    let read = exposed.into_iter().map(|(subscription, servers)| {
        let tenant = tenant_of.get(&subscription.as_str().to_ascii_lowercase());
        async move {
            let (policies, gap) = assignments(tenants, tenant, &subscription).await;
            let over = servers.into_iter().filter_map(|(server, clients)| over(server, clients, &policies));
            (over.collect::<Vec<_>>(), gap)
        }
    });
    let read: Vec<_> = stream::iter(read.collect::<Vec<_>>()).buffered(SUBSCRIPTIONS_AT_ONCE).collect().await;
    let (found, gaps): (Vec<_>, Vec<_>) = read.into_iter().unzip();
    unread.extend(gaps.into_iter().flatten());
    (found.into_iter().flatten().collect(), unread)
}

fn over(server: &Server, clients: u64, policies: &[EnforcingPolicy]) -> Option<PolicyOverPlaintext> {
    let covering = policies.iter().filter(|policy| policy.covers(&server.id));
    let policies: Vec<String> = covering.map(|policy| policy.name.clone()).collect();
    (!policies.is_empty()).then(|| PolicyOverPlaintext { server: server.id.clone(), clients, policies })
}

/// A census that cannot be read is not one without clients.
fn census_gap(server: &Server, error: &StoreError) -> Gap {
    let detail = format!("its kept clients cannot be read, so no policy over them is known: {error}");
    Gap { scope: GapScope::Server(server.id.clone()), unchecked: Unchecked::new(Reason::NotReturned, detail) }
}

/// The clients in plaintext of a server that is the one of the census: one that was made again has others.
fn clients_in_plaintext(
    evidence: &dyn KeptEvidence,
    server: &Server,
    requirements: Requirements,
) -> Result<u64, StoreError> {
    let since = server.created_at.as_deref().and_then(|at| at.parse().ok()).map(Timestamp::as_millisecond);
    let Some(kept) = evidence.census(&server.id)? else { return Ok(0) };
    let report = kept.judge(requirements, since);
    let clients = report.clients.iter().chain(&report.earlier);
    Ok(clients.filter(|client| client.tls == SessionTls::Plaintext).count() as u64)
}

/// The assignments of a subscription, by the tenant that it is of; by each of them where that is not known.
async fn assignments(
    tenants: &[Tenant],
    tenant: Option<&String>,
    subscription: &SubscriptionId,
) -> (Vec<EnforcingPolicy>, Option<Gap>) {
    let is_of_it = |one: &&Tenant| one.principal.tenant.as_ref().zip(tenant).is_some_and(|(of, tenant)| of == tenant);
    let reader = tenants.iter().find(is_of_it).or_else(|| tenants.first());
    let unread = |unchecked: Unchecked| {
        let detail = format!("its policy assignments cannot be listed: {}", unchecked.detail);
        Some(Gap { scope: subscription.into(), unchecked: Unchecked { detail: detail.into(), ..unchecked } })
    };
    let Some(reader) = reader else { return (Vec::new(), None) };
    match tokio::time::timeout(PATIENCE, list_enforcing_policies(&reader.arm, subscription)).await {
        Ok(listing) => {
            let gap = listing.error.and_then(|error| unread(error.unchecked(permissions::READ_POLICY_ASSIGNMENTS)));
            (listing.items, gap)
        }
        Err(_) => {
            let late = format!("no answer within {} s", PATIENCE.as_secs());
            (Vec::new(), unread(Unchecked::new(Reason::Deadline, late)))
        }
    }
}
