//! Selectors fail closed: one that matches nothing is a mistake, and never an empty set.

use crate::{Tenant, Visible};
use futures::future::join_all;
use futures::stream::{self, StreamExt};
use hostssl_azure::{ResourceType, list_servers};
use hostssl_model::{Gap, Reason, Scope, Server, Subscription, matches_pattern, matches_tag, nearest, selects};
use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::Arc;

/// What selects a part of the fleet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Selector {
    /// A management group.
    ManagementGroup,
    /// A subscription, by id, name or pattern.
    Subscription,
    /// A resource group, by name or pattern.
    ResourceGroup,
    /// A server, by name or pattern.
    Server,
    /// Servers with a tag.
    Tag,
    /// Servers that are left out.
    Except,
    /// The server that goes first.
    Canary,
    /// The tag whose values make waves.
    WaveBy,
    /// Servers whose clients may be refused.
    AcceptBreakage,
}

impl Selector {
    /// The option of the command line.
    #[must_use]
    pub fn option(self) -> &'static str {
        match self {
            Self::ManagementGroup => "--management-group",
            Self::Subscription => "--subscription",
            Self::ResourceGroup => "--resource-group",
            Self::Server => "--server",
            Self::Tag => "--tag",
            Self::Except => "--except",
            Self::Canary => "--canary",
            Self::WaveBy => "--wave-by",
            Self::AcceptBreakage => "--accept-breakage",
        }
    }

    fn matched(self) -> &'static str {
        match self {
            Self::ManagementGroup => "management group",
            Self::Subscription => "subscription in scope",
            Self::ResourceGroup => "resource group with a server in scope",
            Self::Server | Self::Tag | Self::Except | Self::Canary | Self::AcceptBreakage => "server in scope",
            Self::WaveBy => "tag of a server in scope",
        }
    }
}

/// A selector that matches nothing that the identity can see.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NoMatch {
    /// What was to be chosen.
    pub selector: Selector,
    /// The name, pattern or tag.
    pub value: String,
    /// Whether it matches a server alone, as do the others, and only no server all of them.
    pub alone: bool,
    /// The name that was probably meant.
    pub nearest: Option<String>,
    /// Names that it could be, where those are few enough to be listed: of management groups.
    pub known: Vec<String>,
    /// Parts of the scope that could not be checked.
    pub unseen: usize,
}

impl NoMatch {
    /// The selector as the option takes it. That of accepted breakage ends in a reason behind an equals sign, so its tags are marked.
    fn typed<'a>(&self, value: &'a str) -> Cow<'a, str> {
        let is_marked = self.selector == Selector::AcceptBreakage && value.contains('=');
        if is_marked { format!("tag:{value}").into() } else { value.into() }
    }
}

impl fmt::Display for NoMatch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {} matches no {}", self.selector.option(), self.typed(&self.value), self.selector.matched())?;
        if self.alone {
            write!(f, " that the other selectors match, too")?;
        }
        if let Some(nearest) = &self.nearest {
            write!(f, " (did you mean {}?)", self.typed(nearest))?;
        }
        match self.unseen {
            0 => Ok(()),
            1 => write!(f, "; 1 part of the scope could not be checked"),
            parts => write!(f, "; {parts} parts of the scope could not be checked"),
        }
    }
}

/// The first selector that none of these servers explains. `servers` are those in scope, with those that are left out.
pub(crate) fn unmatched(scope: &Scope, servers: &[&Server]) -> Option<(Selector, String)> {
    let missing = |values: &[String], selector, matches: fn(&str, &Server) -> bool| {
        let value = values.iter().find(|value| !servers.iter().any(|server| matches(value, server)))?;
        Some((selector, value.clone()))
    };
    missing(&scope.resource_groups, Selector::ResourceGroup, |group, server| {
        matches_pattern(group, server.id.resource_group())
    })
    .or_else(|| missing(&scope.servers, Selector::Server, |name, server| matches_pattern(name, server.name())))
    .or_else(|| missing(&scope.tags, Selector::Tag, matches_tag))
    .or_else(|| missing(&scope.except, Selector::Except, selects))
}

/// Whether the run was stopped: then what was not found may only not have been reached.
pub(crate) fn was_stopped(gaps: &[Gap]) -> bool {
    gaps.iter().any(|gap| matches!(gap.unchecked.reason, Reason::Interrupted | Reason::Deadline))
}

/// Parts of the scope that could not be checked.
pub(crate) fn unseen(gaps: &[Gap]) -> usize {
    gaps.iter().filter(|gap| gap.unchecked.reason.leaves_incomplete()).count()
}

/// Subscriptions listed at once to find the name that was meant.
const SUBSCRIPTIONS_AT_ONCE: usize = 64;

/// The mistake of a scope of which a selector matches none of these servers, which are those in scope, with those that are left
/// out. What could not be listed for lack of time or of any subscription is no mistake.
pub(crate) async fn mistake(visible: &Visible, scope: &Scope, servers: &[&Server], gaps: &[Gap]) -> Option<NoMatch> {
    let missing = unmatched(scope, servers)?;
    explain(&visible.subscriptions, scope, missing, gaps).await
}

/// The same of a selector that is known to match nothing in scope.
pub(crate) async fn explain(
    subscriptions: &[(Arc<Subscription>, Tenant)],
    scope: &Scope,
    missing: (Selector, String),
    gaps: &[Gap],
) -> Option<NoMatch> {
    if was_stopped(gaps) || subscriptions.is_empty() {
        return None;
    }
    Some(no_match(&every_server(subscriptions).await, scope, missing, unseen(gaps)))
}

/// What the mistake is, given every server that can be seen: the selector that matches none of them, if there is one.
fn no_match(servers: &[Server], scope: &Scope, missing: (Selector, String), unseen: usize) -> NoMatch {
    let everywhere = unmatched(scope, &servers.iter().collect::<Vec<_>>());
    let alone = everywhere.is_none();
    let (selector, value) = everywhere.unwrap_or(missing);
    let nearest = if alone { None } else { nearest_among(servers.iter(), selector, &value) };
    NoMatch { selector, value, alone, nearest, known: Vec::new(), unseen }
}

/// The name that was probably meant, among these servers: a resource group, a tag, or a server.
pub(crate) fn nearest_among<'a>(
    servers: impl Iterator<Item = &'a Server>,
    selector: Selector,
    value: &str,
) -> Option<String> {
    let mut known = BTreeSet::new();
    for server in servers {
        if selector == Selector::ResourceGroup {
            known.insert(server.id.resource_group().to_owned());
        } else if value.contains('=') {
            known.extend(server.tags.iter().map(|(name, value)| format!("{name}={value}")));
        } else {
            known.insert(server.name().to_owned());
        }
    }
    nearest(value, known.iter().map(String::as_str)).map(ToOwned::to_owned)
}

/// The resource group and the server that were probably meant: a server of this name elsewhere, or one of a near name.
pub(crate) async fn nearest_pair(
    subscriptions: &[(Arc<Subscription>, Tenant)],
    group: &str,
    name: &str,
) -> Option<(String, String)> {
    pair_meant(&every_server(subscriptions).await, group, name)
}

fn pair_meant(servers: &[Server], group: &str, name: &str) -> Option<(String, String)> {
    let same = servers.iter().find(|one| one.name().eq_ignore_ascii_case(name));
    let of_group = || {
        let here = || servers.iter().filter(|one| one.id.resource_group().eq_ignore_ascii_case(group));
        let near = nearest(name, here().map(Server::name))?;
        here().find(|one| one.name() == near)
    };
    let anywhere = || {
        let pair = |one: &Server| format!("{}/{}", one.id.resource_group(), one.name());
        let pairs: BTreeMap<String, &Server> = servers.iter().map(|one| (pair(one), one)).collect();
        let near = nearest(&format!("{group}/{name}"), pairs.keys().map(String::as_str))?;
        pairs.get(near).copied()
    };
    let meant = same.or_else(of_group).or_else(anywhere)?;
    Some((meant.id.resource_group().to_owned(), meant.name().to_owned()))
}

/// Every server that the subscriptions hold. Asks Azure: only a mistake pays for it.
async fn every_server(subscriptions: &[(Arc<Subscription>, Tenant)]) -> Vec<Server> {
    let lists = subscriptions.iter().map(|(subscription, tenant)| async move {
        let lists = ResourceType::ALL.map(|kind| list_servers(&tenant.arm, &subscription.id, None, kind));
        join_all(lists).await
    });
    let lists: Vec<_> = stream::iter(lists).buffer_unordered(SUBSCRIPTIONS_AT_ONCE).collect().await;
    let listed = lists.into_iter().flatten().flat_map(|listing| listing.items).flatten();
    listed.map(|listed| listed.posture.server).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use hostssl_model::{Kind, ReplicationRole, ResourceId};

    fn server(name: &str, tag: Option<(&str, &str)>) -> Server {
        let id = format!("/subscriptions/s/resourceGroups/Shop/providers/Microsoft.DBforPostgreSQL/servers/{name}");
        Server {
            id: ResourceId::try_from(id.as_str()).unwrap(),
            kind: Kind::Single,
            location: "x".into(),
            state: None,
            fqdn: None,
            role: ReplicationRole::None,
            primary: None,
            tags: tag.into_iter().collect(),
            administrator: None,
            created_at: None,
            network: hostssl_model::NetworkAccess::default(),
        }
    }

    #[test]
    fn a_selector_that_matches_nothing_is_named() {
        let servers = [server("orders", Some(("env", "Staging"))), server("billing", None)];
        let servers: Vec<&Server> = servers.iter().collect();
        let of = |scope: Scope| unmatched(&scope, &servers).map(|(selector, value)| (selector.option(), value));
        let some = |text: &str| vec![text.to_owned()];
        assert_eq!(of(Scope { servers: some("ord*"), tags: some("ENV=stag*"), ..Scope::default() }), None);
        assert_eq!(of(Scope { servers: some("oders"), ..Scope::default() }), Some(("--server", "oders".into())));
        assert_eq!(of(Scope { except: some("env=prod"), ..Scope::default() }), Some(("--except", "env=prod".into())));
        assert_eq!(of(Scope { except: some("BILL*"), ..Scope::default() }), None);
        assert_eq!(of(Scope { tags: some("team=a"), ..Scope::default() }), Some(("--tag", "team=a".into())));
        let groups = Scope { resource_groups: some("shp"), ..Scope::default() };
        assert_eq!(of(groups), Some(("--resource-group", "shp".into())));
    }

    #[test]
    fn the_mistake_is_the_selector_that_matches_nothing_anywhere() {
        let servers = [server("orders", Some(("env", "prod"))), server("billing", Some(("team", "finance")))];
        let some = |texts: &[&str]| texts.iter().map(|text| (*text).to_owned()).collect::<Vec<_>>();
        let said = |scope: Scope, selector, value: &str| {
            no_match(&servers, &scope, (selector, value.to_owned()), 0).to_string()
        };
        let typo = Scope { tags: some(&["env=prod", "team=finanse"]), ..Scope::default() };
        let expected = "--tag team=finanse matches no server in scope (did you mean team=finance?)";
        assert_eq!(said(typo, Selector::Tag, "env=prod"), expected);
        let both = Scope { servers: some(&["billing"]), tags: some(&["env=prod"]), ..Scope::default() };
        let expected = "--server billing matches no server in scope that the other selectors match, too";
        assert_eq!(said(both, Selector::Server, "billing"), expected);
    }

    #[test]
    fn a_tag_whose_breakage_is_accepted_is_named_as_it_is_typed() {
        let servers = [server("orders", Some(("environment", "staging")))];
        let (selector, value) = (Selector::AcceptBreakage, "env=staging".to_owned());
        let nearest = nearest_among(servers.iter(), selector, &value);
        let said = NoMatch { known: Vec::new(), selector, value, alone: false, nearest, unseen: 0 }.to_string();
        let expected =
            "--accept-breakage tag:env=staging matches no server in scope (did you mean tag:environment=staging?)";
        assert_eq!(said, expected);
    }

    #[test]
    fn the_nearest_of_each_kind_of_selector_is_of_that_kind() {
        let servers = [server("orders", Some(("env", "staging"))), server("billing", None)];
        let near = |selector, value| nearest_among(servers.iter(), selector, value);
        assert_eq!(near(Selector::Except, "oders").as_deref(), Some("orders"));
        assert_eq!(near(Selector::Except, "env=stagign").as_deref(), Some("env=staging"));
        assert_eq!(near(Selector::ResourceGroup, "shp").as_deref(), Some("Shop"));
        assert_eq!(near(Selector::Server, "unlike"), None);
        let meant = |group, name| pair_meant(&servers, group, name).map(|(group, name)| format!("{group}/{name}"));
        for (group, name) in [("shop", "oders"), ("payments", "ORDERS"), ("shp", "orders"), ("shp", "oders")] {
            assert_eq!(meant(group, name).as_deref(), Some("Shop/orders"), "{group}/{name}");
        }
        assert_eq!(meant("payments", "unlike"), None);
    }

    #[test]
    fn the_message_says_what_was_meant_and_what_was_not_seen() {
        let mut no_match = NoMatch {
            alone: false,
            selector: Selector::Except,
            value: "pg-keycloack".into(),
            nearest: Some("pg-keycloak".into()),
            known: Vec::new(),
            unseen: 0,
        };
        assert_eq!(
            no_match.to_string(),
            "--except pg-keycloack matches no server in scope (did you mean pg-keycloak?)"
        );
        no_match.unseen = 2;
        no_match.nearest = None;
        let expected = "--except pg-keycloack matches no server in scope; 2 parts of the scope could not be checked";
        assert_eq!(no_match.to_string(), expected);
    }
}
