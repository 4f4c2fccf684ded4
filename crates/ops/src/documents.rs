//! Servers as Azure's own documents, with the two words of the portal beside them: `server list` and `server show`.

use crate::selection::{mistake, nearest_pair};
use crate::subscription::{listed_groups, read_settings};
use crate::{ScopeError, Tenant, resolve_scope};
use futures::StreamExt;
use futures::future::join_all;
use futures::stream;
use hostssl_audit::{minimal_tls_version, ssl_enforcement};
use hostssl_azure::{Arm, ArmError, ResourceType, get_document, list_documents, read_server};
use hostssl_model::{
    Advice, Fault, Floor, Gap, GapScope, Hint, Kind, ParameterName, Reading, Reason, Scope, Server, SslEnforcement,
    SubscriptionId, Unchecked,
};
use serde_json::Value;

/// One server.
#[derive(Debug, Clone)]
pub struct Document {
    /// Azure's document, as it came.
    pub raw: Value,
    /// Whether it enforces encryption in transit.
    pub ssl_enforcement: SslEnforcement,
    /// The lowest protocol version that it accepts.
    pub minimal_tls_version: Option<Floor>,
    /// The settings of these whose value waits for a restart, so that it is not in effect.
    pub waiting: Vec<ParameterName>,
}

/// Servers, and what could not be seen.
#[derive(Debug, Default)]
pub struct Documents {
    /// In the order of the subscriptions' names, and within one as Azure lists them.
    pub documents: Vec<Document>,
    /// What could not be checked.
    pub gaps: Vec<Gap>,
}

/// A server cannot be shown.
#[derive(Debug, thiserror::Error)]
pub enum ShowError {
    /// The scope names what does not exist.
    #[error(transparent)]
    Scope(#[from] ScopeError),
    /// No such server.
    #[error("there is no PostgreSQL server `{name}` in resource group `{group}` of {}{}",
        if *.subscriptions == 1 { "1 subscription".to_owned() } else { format!("{} subscriptions", .subscriptions) },
        .nearest.as_ref().map(|(group, name)| format!(" (did you mean `{name}` in `{group}`?)")).unwrap_or_default())]
    NotFound {
        /// The server.
        name: String,
        /// The resource group.
        group: String,
        /// How many subscriptions were searched.
        subscriptions: usize,
        /// The resource group and the server that were probably meant.
        nearest: Option<(String, String)>,
    },
    /// The same names exist more than once.
    #[error("`{name}` in resource group `{group}` exists more than once: {}", ids.join(", "))]
    Ambiguous {
        /// The server.
        name: String,
        /// The resource group.
        group: String,
        /// What was found.
        ids: Vec<String>,
    },
    /// It could not be searched for everywhere.
    #[error("`{name}` was not found, but not everything could be searched: {}", .gap.unchecked.detail)]
    Unseen {
        /// The server.
        name: String,
        /// The first place that could not be searched.
        gap: Box<Gap>,
    },
}

impl Advice for ShowError {
    fn advice(&self) -> Hint {
        Hint::from(match self {
            Self::Scope(error) => return error.advice(),
            Self::NotFound { .. } => "`hostssl server list -o table` shows the names and groups",
            Self::Ambiguous { .. } => "choose one with --subscription",
            Self::Unseen { .. } => {
                "narrow the search with --subscription, or ask for the role that `hostssl role audit` prints"
            }
        })
    }

    fn fault(&self) -> Fault {
        match self {
            Self::Scope(error) => error.fault(),
            Self::NotFound { .. } | Self::Ambiguous { .. } => Fault::Request,
            Self::Unseen { .. } => Fault::Coverage,
        }
    }
}

/// Subscriptions listed at once.
const SUBSCRIPTIONS_AT_ONCE: usize = 64;
/// Servers of one subscription read at once.
const SERVERS_AT_ONCE: usize = 64;

/// Lists the servers in scope.
///
/// # Errors
///
/// [`ScopeError`] when the scope names what does not exist.
pub async fn list_server_documents(tenants: &[Tenant], scope: &Scope) -> Result<Documents, ScopeError> {
    let visible = resolve_scope(tenants, scope).await?;
    let mut all = Documents { documents: Vec::new(), gaps: visible.gaps.clone() };
    let lists: Vec<(Documents, Vec<Server>)> = stream::iter(&visible.subscriptions)
        .map(|(subscription, tenant)| list_subscription(&tenant.arm, &subscription.id, scope))
        .buffered(SUBSCRIPTIONS_AT_ONCE)
        .collect()
        .await;
    let mut servers = Vec::new();
    for (list, in_scope) in lists {
        all.documents.extend(list.documents);
        all.gaps.extend(list.gaps);
        servers.extend(in_scope);
    }
    match mistake(&visible, scope, &servers.iter().collect::<Vec<_>>(), &all.gaps).await {
        Some(no_match) => Err(no_match.into()),
        None => Ok(all),
    }
}

/// Shows one server, which is searched for in every subscription in scope, and among the servers of one kind if that is known.
///
/// # Errors
///
/// [`ShowError`] when it is not found, found more than once, or not everything could be searched.
pub async fn show_server_document(
    tenants: &[Tenant],
    scope: &Scope,
    (group, name): (&str, &str),
    kind: Option<Kind>,
) -> Result<Documents, ShowError> {
    let visible = resolve_scope(tenants, scope).await?;
    let subscriptions = visible.subscriptions.len();
    let looks = visible.subscriptions.iter().flat_map(|(subscription, tenant)| {
        let wanted = move |one: &ResourceType| kind.is_none_or(|kind| *one == ResourceType::of(kind));
        ResourceType::ALL.into_iter().filter(wanted).map(move |resource_type| async move {
            let document = get_document(&tenant.arm, &subscription.id, group, resource_type, name).await;
            (resource_type, subscription, tenant, document)
        })
    });
    let looks: Vec<_> = stream::iter(looks).buffer_unordered(SUBSCRIPTIONS_AT_ONCE).collect().await;
    let mut found = Vec::new();
    let mut gaps = visible.gaps;
    for (resource_type, subscription, tenant, document) in looks {
        match document {
            Ok(document) => found.push((resource_type, tenant, document)),
            Err(error) => gaps.extend(search_gap(&error, &subscription.id, resource_type)),
        }
    }
    let ids = |found: &[(ResourceType, &Tenant, Value)]| {
        found.iter().map(|(_, _, d)| d["id"].as_str().unwrap_or("(no id)").to_owned()).collect::<Vec<_>>()
    };
    match found.as_slice() {
        [(resource_type, tenant, document)] => {
            let (document, gap) = derive(&tenant.arm, document.clone(), *resource_type).await;
            Ok(Documents { documents: vec![document], gaps: gap.into_iter().collect() })
        }
        [] => Err(match gaps.into_iter().next() {
            Some(gap) => ShowError::Unseen { name: name.to_owned(), gap: Box::new(gap) },
            None => ShowError::NotFound {
                name: name.to_owned(),
                group: group.to_owned(),
                subscriptions,
                nearest: nearest_pair(&visible.subscriptions, group, name).await,
            },
        }),
        several => Err(ShowError::Ambiguous { name: name.to_owned(), group: group.to_owned(), ids: ids(several) }),
    }
}

/// A server that is not there is no gap; anything else that keeps it from being found is one.
fn search_gap(error: &ArmError, subscription: &SubscriptionId, resource_type: ResourceType) -> Option<Gap> {
    let unchecked = error.unchecked(resource_type.read_action());
    let absent = matches!(unchecked.reason, Reason::Vanished | Reason::NotOffered);
    (!absent).then(|| Gap { scope: subscription.into(), unchecked })
}

/// The documents of a subscription, and the servers in scope, those among them that are left out.
async fn list_subscription(arm: &Arm, subscription: &SubscriptionId, scope: &Scope) -> (Documents, Vec<Server>) {
    let groups = listed_groups(scope);
    let lists = ResourceType::ALL.into_iter().flat_map(|resource_type| {
        groups.iter().map(move |group| async move {
            (resource_type, group.is_some(), list_documents(arm, subscription, *group, resource_type).await)
        })
    });
    let mut raw = Vec::new();
    let mut gaps = Vec::new();
    for (resource_type, in_group, listing) in join_all(lists).await {
        raw.extend(listing.items.into_iter().map(|document| (resource_type, document)));
        let Some(error) = listing.error else { continue };
        let unchecked = error.unchecked(resource_type.read_action());
        // A group may be in another subscription; a subscription's own list does not vanish.
        if unchecked.reason != Reason::NotOffered && !(in_group && unchecked.reason == Reason::Vanished) {
            gaps.push(Gap { scope: subscription.into(), unchecked });
        }
    }
    let mut in_scope = Vec::new();
    raw.retain(|(resource_type, document): &(ResourceType, Value)| {
        // What cannot be read as a server is told below.
        let Ok(listed) = read_server(&document.to_string(), *resource_type) else { return true };
        let server = listed.posture.server;
        let (admitted, excepted) = (scope.admits(&server), scope.excepts(&server).is_some());
        if admitted && scope.selects_servers() {
            in_scope.push(server);
        }
        admitted && !excepted
    });
    let derived: Vec<_> = stream::iter(raw)
        .map(|(resource_type, document)| derive(arm, document, resource_type))
        .buffered(SERVERS_AT_ONCE)
        .collect()
        .await;
    let (documents, not_read): (Vec<_>, Vec<_>) = derived.into_iter().unzip();
    gaps.extend(not_read.into_iter().flatten());
    (Documents { documents, gaps }, in_scope)
}

/// Reads the settings that Azure keeps apart from the server, and says the portal's two words.
async fn derive(arm: &Arm, raw: Value, resource_type: ResourceType) -> (Document, Option<Gap>) {
    let unknown = |raw| Document {
        raw,
        ssl_enforcement: SslEnforcement::Unknown,
        minimal_tls_version: None,
        waiting: Vec::new(),
    };
    let listed = match read_server(&raw.to_string(), resource_type) {
        Ok(listed) => listed,
        Err(odd) => {
            let unchecked = Unchecked::new(Reason::MalformedAnswer, odd.0);
            return (unknown(raw), Some(Gap { scope: GapScope::Name(resource_type.full_name().into()), unchecked }));
        }
    };
    let kind = listed.posture.server.kind;
    let wanted: Vec<ParameterName> = kind.switch().into_iter().chain(kind.offering().floors.iter().copied()).collect();
    // As an audit reads them: a server has one reason, in every command.
    let listed = read_settings(arm, listed, wanted).await;
    let gap = listed.posture.readings.iter().find_map(|(_, reading)| match reading {
        Reading::Unknown(unchecked) if unchecked.reason != Reason::NotReturned => {
            Some(Gap { scope: (&listed.posture.server.id).into(), unchecked: unchecked.clone() })
        }
        _ => None,
    });
    let document = Document {
        ssl_enforcement: ssl_enforcement(&listed.posture),
        minimal_tls_version: minimal_tls_version(&listed.posture),
        waiting: listed.posture.waiting().collect(),
        raw,
    };
    (document, gap)
}
