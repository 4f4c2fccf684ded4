//! What an audit says of servers that it did not list.

use crate::{AuditReport, AuditRun, Gap, GapScope, Reason, ResourceId, Scope, Server, Subscription, matches_pattern};
use std::collections::BTreeSet;
use std::sync::Arc;

/// Where an audit looked, as far as that tells what became of a server that it did not list.
#[derive(Debug, Clone, Copy)]
pub struct AuditReach<'a> {
    run: &'a AuditRun,
    subscriptions: &'a [Arc<Subscription>],
    gaps: &'a [Gap],
}

/// What an audit says of a server that it did not list.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NotListed<'a> {
    /// Nothing: it was not asked for it.
    NotAsked,
    /// It was asked for it, and could not search where it was.
    Hidden(Hidden<'a>),
    /// Where it was is listed whole, and it was not there.
    Gone,
}

/// Why an audit could not search where a server was.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Hidden<'a> {
    /// The subscription is not among those that it saw.
    SubscriptionNotSeen,
    /// Something in the way of listing the server was in its coverage.
    Gap(&'a Gap),
}

/// Why two audits have nothing in common that could be compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Apart {
    /// They are of different clouds, one of which may be simulated. Not even a server of the same id is the same one.
    Clouds,
    /// They asked no tenant in common. A subscription may have moved from one to the other, so that servers of the same id are
    /// compared.
    Tenants,
}

impl AuditReport {
    /// Where it looked.
    #[must_use]
    pub fn reach(&self) -> AuditReach<'_> {
        AuditReach { run: &self.run, subscriptions: &self.subscriptions, gaps: &self.gaps }
    }
}

impl<'a> AuditReach<'a> {
    /// What it says of a server that it did not list, and that another audit listed.
    #[must_use]
    pub fn unlisted(&self, server: &Server, listed_by: AuditReach<'_>) -> NotListed<'a> {
        if !self.is_asked_for(server, listed_by) {
            return NotListed::NotAsked;
        }
        match self.hidden(&server.id) {
            Some(why) => NotListed::Hidden(why),
            // Tags come and go: a server that a scope by tags no longer lists may have lost them.
            None if !self.run.scope.tags.is_empty() => NotListed::NotAsked,
            None => NotListed::Gone,
        }
    }

    /// Whether it was asked for a server that another audit listed. Where that cannot be told, it was.
    #[must_use]
    pub fn is_asked_for(&self, server: &Server, listed_by: AuditReach<'_>) -> bool {
        let scope = &self.run.scope;
        let is_admitted = scope.admits(server) && scope.excepts(server).is_none() && !self.has_excepted(&server.id);
        is_admitted && self.asks_for_place(&server.id, listed_by)
    }

    /// The same of the place where a server is: whatever it is called and whichever tags it has.
    #[must_use]
    pub fn asks_for_place(&self, id: &ResourceId, listed_by: AuditReach<'_>) -> bool {
        if self.apart(listed_by).is_some() {
            return false;
        }
        let (own, other) = (place(&self.run.scope), place(&listed_by.run.scope));
        if covers(&own, &other) || self.has_seen(id) || self.gap(id).is_some() {
            return true;
        }
        // Which subscriptions a tenant or a management group has, only the audit itself knows, and this one is not among them.
        let subscription = id.subscription();
        let name = listed_by.subscriptions.iter().find(|one| one.id == subscription).map(|one| &*one.name);
        let is_named = |selector: &String| {
            selector.eq_ignore_ascii_case(subscription.as_str())
                || name.is_some_and(|name| matches_pattern(selector, name))
        };
        self.run.scope.subscriptions.iter().any(is_named)
    }

    /// Why it may not have listed a server of this id that is there.
    #[must_use]
    pub fn hidden(&self, id: &ResourceId) -> Option<Hidden<'a>> {
        let gap = self.gap(id).map(Hidden::Gap);
        gap.or_else(|| (!self.has_seen(id)).then_some(Hidden::SubscriptionNotSeen))
    }

    /// Whether it has nothing in common with another audit. A tenant counts where it was signed in to, or had a subscription.
    #[must_use]
    pub fn apart(&self, other: AuditReach<'_>) -> Option<Apart> {
        if self.run.cloud != other.run.cloud {
            return Some(Apart::Clouds);
        }
        let (own, others) = (self.tenants(), other.tenants());
        (!own.is_empty() && !others.is_empty() && own.is_disjoint(&others)).then_some(Apart::Tenants)
    }

    fn tenants(&self) -> BTreeSet<String> {
        let signed_in = self.run.principals.iter().filter_map(|one| one.tenant.as_deref());
        let listed = self.subscriptions.iter().map(|one| &*one.tenant);
        signed_in.chain(listed).map(str::to_lowercase).collect()
    }

    fn has_seen(&self, id: &ResourceId) -> bool {
        let subscription = id.subscription();
        self.subscriptions.iter().any(|one| one.id == subscription)
    }

    /// The gap that may be the reason that a server is not listed.
    fn gap(&self, id: &ResourceId) -> Option<&'a Gap> {
        self.gaps.iter().find(|gap| gap.unchecked.reason.leaves_incomplete() && gap.scope.hides(id))
    }

    /// Whether it says that it left a server out on request. The tags for which it did so are not those of another day.
    fn has_excepted(&self, id: &ResourceId) -> bool {
        self.gaps.iter().any(|gap| {
            gap.unchecked.reason == Reason::Excepted && matches!(&gap.scope, GapScope::Server(of) if is_same(of, id))
        })
    }
}

impl GapScope {
    /// Whether a gap of this scope may be the reason that a server is not listed. A tenant, a management group or a name may hold
    /// any server.
    fn hides(&self, server: &ResourceId) -> bool {
        match self {
            Self::AllSubscriptions | Self::Tenant(_) | Self::ManagementGroup(_) | Self::Name(_) => true,
            Self::Subscription(id) => id.eq_ignore_ascii_case(server.subscription().as_str()),
            Self::Server(id) => is_same(id, server),
        }
    }
}

fn is_same(one: &ResourceId, other: &ResourceId) -> bool {
    one.to_lowercase() == other.to_lowercase()
}

/// The places that a scope names. Names compare without case.
fn place(scope: &Scope) -> [Vec<String>; 3] {
    [&scope.tenants, &scope.management_groups, &scope.subscriptions]
        .map(|names| names.iter().map(|name| name.to_lowercase()).collect())
}

/// Whether an audit was asked for all places that the other one was asked for: each of the three narrows the others.
fn covers(own: &[Vec<String>; 3], other: &[Vec<String>; 3]) -> bool {
    own.iter()
        .zip(other)
        .all(|(own, other)| own.is_empty() || (!other.is_empty() && other.iter().all(|name| own.contains(name))))
}
