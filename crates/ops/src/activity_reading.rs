//! Reads the Activity Log of the subscriptions of some servers.

use crate::Tenant;
use futures::StreamExt;
use futures::stream;
use hostssl_audit::{ActivityRead, SubscriptionActivity};
use hostssl_azure::{ACTIVITY_KEPT, list_activity, permissions};
use hostssl_model::{Act, Activity, Reason, ResourceId, SubscriptionId, Unchecked};
use hostssl_store::ServerWrite;
use jiff::Timestamp;
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

/// Subscriptions that are asked at once.
const SUBSCRIPTIONS_AT_ONCE: usize = 16;
/// How long it may take in all: saying who made a change must not hold up saying that there is one.
const PATIENCE: Duration = Duration::from_secs(120);

/// The tenant of a subscription, by the id of the subscription in lower case, where it is known.
pub type SubscriptionOf = BTreeMap<String, String>;

/// The first moment of the time that Azure keeps operations for.
#[must_use]
pub fn activity_kept(until: Timestamp) -> Timestamp {
    until.checked_sub(ACTIVITY_KEPT).unwrap_or(Timestamp::MIN)
}

/// Reads who did what to these servers since a moment, in one list for each subscription and resource provider. What could not be
/// read is named in the result.
pub async fn read_activity(
    tenants: &[Tenant],
    tenant_of: &SubscriptionOf,
    servers: &[ResourceId],
    (since, until): (Timestamp, Timestamp),
) -> ActivityRead {
    let oldest = activity_kept(until);
    let mut wanted: BTreeMap<String, (SubscriptionId, BTreeSet<String>)> = BTreeMap::new();
    for server in servers {
        let subscription = server.subscription();
        let provider = server.arm_type().split('/').next().unwrap_or_default().to_owned();
        let entry = wanted.entry(subscription.as_str().to_ascii_lowercase());
        entry.or_insert_with(|| (subscription, BTreeSet::new())).1.insert(provider);
    }
    let ids: BTreeSet<String> = servers.iter().map(ResourceId::to_lowercase).collect();
    let ids = &ids;
    let asked = wanted.into_iter().map(|(key, (subscription, providers))| async move {
        let tenant = tenant_of.get(&key);
        let log = read_subscription(tenants, tenant, &subscription, &providers, (since.max(oldest), until));
        let mut log = tokio::time::timeout(PATIENCE, log).await.unwrap_or_else(|_| not_read(late()));
        log.is_cut = since < oldest;
        // What is of other servers is not kept in memory.
        log.found.retain(|activity| ids.contains(&activity.server.to_lowercase()));
        (key, log)
    });
    let asked: Vec<_> = asked.collect();
    ActivityRead { subscriptions: stream::iter(asked).buffer_unordered(SUBSCRIPTIONS_AT_ONCE).collect().await }
}

fn late() -> Unchecked {
    Unchecked::new(Reason::Deadline, format!("the Activity Log was not read within {} s", PATIENCE.as_secs()))
}

fn not_read(why: Unchecked) -> SubscriptionActivity {
    SubscriptionActivity { unread: Some(why), ..SubscriptionActivity::default() }
}

async fn read_subscription(
    tenants: &[Tenant],
    tenant: Option<&String>,
    subscription: &SubscriptionId,
    providers: &BTreeSet<String>,
    range: (Timestamp, Timestamp),
) -> SubscriptionActivity {
    let is_of_it = |one: &&Tenant| one.principal.tenant.as_ref().zip(tenant).is_some_and(|(of, tenant)| of == tenant);
    let known: Vec<&Tenant> = tenants.iter().filter(is_of_it).collect();
    // Whose subscription it is need not be known: then each tenant is asked until one can read it.
    let readers = if known.is_empty() { tenants.iter().collect() } else { known };
    let mut first = None;
    for reader in readers {
        let log = read_with(reader, subscription, providers, range).await;
        if log.unread.is_none() {
            return log;
        }
        first.get_or_insert(log);
    }
    first.unwrap_or_else(|| not_read(Unchecked::new(Reason::SignIn, "no tenant is signed in to")))
}

async fn read_with(
    reader: &Tenant,
    subscription: &SubscriptionId,
    providers: &BTreeSet<String>,
    range: (Timestamp, Timestamp),
) -> SubscriptionActivity {
    let mut log = SubscriptionActivity::default();
    for provider in providers {
        let listing = list_activity(&reader.arm, subscription, provider, range).await;
        log.found.extend(listing.items);
        if let Some(error) = listing.error {
            log.unread.get_or_insert(error.unchecked(permissions::READ_ACTIVITY_LOG));
        }
    }
    log.found.sort_by(|a, b| b.at.cmp(&a.at));
    log
}

/// How far the clocks of Azure and of this machine may be apart, in milliseconds.
const SKEW: i64 = 120_000;

/// The write of a run that an operation was, if it was one: by the id that Azure gave the request; where that was lost, by its
/// setting, its time and its identity.
#[must_use]
pub fn own_write<'a>(activity: &Activity, writes: &'a [ServerWrite]) -> Option<&'a ServerWrite> {
    let by_id = writes.iter().find(|write| write.request_id.as_ref().is_some_and(|id| activity.is_request(id)));
    by_id.or_else(|| writes.iter().find(|write| is_alike(activity, write)))
}

fn is_alike(activity: &Activity, write: &ServerWrite) -> bool {
    let Ok(at) = activity.at.parse::<Timestamp>() else { return false };
    let around = write.intended_ms - SKEW..=write.at_ms + SKEW;
    let is_setting = match &activity.act {
        Act::Setting(name) => write.setting.as_str().eq_ignore_ascii_case(name),
        Act::Write => write.setting.is_of_document(),
        Act::Delete | Act::Action(_) | Act::Part(_) => false,
    };
    let (caller, identity) = (activity.caller.object_id.as_deref(), write.identity.as_deref());
    let is_same = caller.zip(identity).is_some_and(|(caller, identity)| caller.eq_ignore_ascii_case(identity));
    is_setting && is_same && around.contains(&at.as_millisecond())
}

#[cfg(test)]
mod tests {
    use super::*;
    use hostssl_model::{ActivityEnd, Caller, CallerKind, ParameterName};

    fn operation(at: &str, object: &str, request: &str) -> Activity {
        let id = "/subscriptions/s/resourceGroups/g/providers/Microsoft.DBforPostgreSQL/flexibleServers/pg";
        Activity {
            server: ResourceId::try_from(id).unwrap(),
            at: at.into(),
            act: Act::Setting("require_secure_transport".into()),
            operation: "write".into(),
            end: ActivityEnd::Succeeded,
            caller: Caller {
                kind: CallerKind::Application,
                name: "app".into(),
                object_id: Some(object.into()),
                tool: None,
            },
            requests: vec![request.into()],
        }
    }

    #[test]
    fn a_write_is_recognized_by_its_request_or_by_setting_time_and_identity_together() {
        let at: Timestamp = "2026-11-01T12:00:00Z".parse().unwrap();
        let write = ServerWrite {
            run: "run-1".into(),
            by: "ada".into(),
            at_ms: at.as_millisecond() + 5_000,
            setting: ParameterName::RequireSecureTransport,
            before: "off".into(),
            after: "on".into(),
            undo: false,
            request_id: Some("r-1".into()),
            intended_ms: at.as_millisecond(),
            identity: Some("oid".into()),
        };
        let writes = [write];
        let found = |activity: &Activity| own_write(activity, &writes).is_some();
        assert!(found(&operation("2026-01-01T00:00:00.000000Z", "other", "R-1")));
        assert!(found(&operation("2026-11-01T12:00:01.000000Z", "OID", "lost")));
        // Another identity, or another time, is someone else's write.
        assert!(!found(&operation("2026-11-01T12:00:01.000000Z", "other", "lost")));
        assert!(!found(&operation("2026-11-01T13:00:01.000000Z", "oid", "lost")));
        let mut other = operation("2026-11-01T12:00:01.000000Z", "oid", "lost");
        other.act = Act::Setting("ssl_min_protocol_version".into());
        assert!(!found(&other));
    }
}
