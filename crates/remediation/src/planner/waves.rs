//! Which servers, in which wave.

use super::decide::SettingChange;
use super::priority::{WaveOrder, is_canary};
use crate::purpose::Tier;
use crate::{Disposition, FixableControl, PlanOptions};
use hostssl_model::{Posture, ResourceId};
use std::collections::{BTreeMap, BTreeSet, HashMap};

/// The changes of one server.
#[derive(Debug)]
pub(super) struct Group<'a> {
    pub(super) posture: &'a Posture,
    pub(super) changes: Vec<SettingChange>,
    /// The servers of its replica set that must be done before it.
    pub(super) after: Vec<&'a ResourceId>,
    /// Whether a server of its replica set must be done after it.
    awaited: bool,
    /// How much depends on it.
    pub(super) tier: Tier,
    /// Whether another operation ran on it when it was checked.
    pub(super) busy: bool,
}

/// What comes first: a canary that a person chose; then what did not fail in the last run and is not busy, by group, least
/// important and least risky first, with the fewest changes and the fewest clients, what others wait for, and by id.
///
/// The number of changes stands there for the time: a server takes one write at a time, and a wave lasts as long as its
/// slowest server. A few with two changes in every wave would double the time of a run. And what waits for a replica whose
/// turn is last would be in a small wave of its own.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Turn<'a> {
    not_chosen: bool,
    failed_last: bool,
    busy: bool,
    group: (Tier, String),
    tier: Tier,
    risk: Disposition,
    changes: usize,
    clients: u64,
    not_awaited: bool,
    id: &'a ResourceId,
}

impl Turn<'_> {
    fn is_production(&self) -> bool {
        self.tier == Tier::Production
    }

    fn may_be_production(&self) -> bool {
        self.tier >= Tier::PerhapsProduction
    }
}

impl<'a> Group<'a> {
    pub(super) fn new(posture: &'a Posture, tier: Tier, busy: bool) -> Self {
        Self { posture, changes: Vec::new(), after: Vec::new(), awaited: false, tier, busy }
    }

    fn turn(&self, order: &WaveOrder, buckets: &BTreeMap<String, Tier>) -> Turn<'a> {
        let server = &self.posture.server;
        let bucket = order.by.as_ref().map(|by| by.group(server)).unwrap_or_default();
        let rank = buckets.get(&bucket).copied().unwrap_or(Tier::Unknown);
        Turn {
            not_chosen: !self.is_chosen(order),
            failed_last: order.last.contains(&server.id),
            busy: self.busy,
            group: (rank, bucket),
            tier: self.tier,
            risk: self.risk(),
            changes: self.changes.len(),
            clients: order.clients.get(&server.id).copied().unwrap_or(u64::MAX),
            not_awaited: !self.awaited,
            id: &server.id,
        }
    }

    /// Whether a person chose it for the first wave.
    pub(super) fn is_chosen(&self, order: &WaveOrder) -> bool {
        let server = &self.posture.server;
        order.canary.iter().any(|selector| is_canary(selector, server))
    }

    fn risk(&self) -> Disposition {
        self.changes.iter().map(|change| change.disposition).max().unwrap_or(Disposition::OnlineSafe)
    }
}

/// Takes out what is more than `max` servers, and returns it: production and what would have its turn last goes first, so
/// that a limit does not make production the canary. A replica set stays or goes as a whole, so a smaller one may still fit after a larger one did not.
pub(super) fn cap_servers<'a>(
    groups: &mut BTreeMap<&'a ResourceId, Group<'a>>,
    max: Option<u32>,
    order: &WaveOrder,
) -> Vec<(&'a ResourceId, FixableControl)> {
    let Some(max) = max.and_then(|max| usize::try_from(max).ok()) else {
        return Vec::new();
    };
    let mut sets: BTreeMap<&ResourceId, Vec<&ResourceId>> = BTreeMap::new();
    for id in groups.keys() {
        sets.entry(root_primary(groups, id)).or_default().push(id);
    }
    let ranks = buckets(groups, order);
    let turn = |set: &Vec<&ResourceId>| {
        let turns = set.iter().filter_map(|id| Some(groups.get(id)?.turn(order, &ranks)));
        turns.map(|turn| (turn.not_chosen, turn.is_production(), turn.may_be_production(), turn)).min()
    };
    let mut sets: Vec<Vec<&ResourceId>> = sets.into_values().collect();
    sets.sort_by_cached_key(turn);
    let mut room = max;
    let mut removed = Vec::new();
    for set in sets {
        if set.len() <= room {
            room -= set.len();
            continue;
        }
        for id in set {
            if let Some(group) = groups.remove(id) {
                let controls: BTreeSet<FixableControl> = group.changes.iter().map(|change| change.control).collect();
                removed.extend(controls.into_iter().map(|control| (id, control)));
            }
        }
    }
    removed
}

/// The primary of the primary of … a server, as far as the plan goes. Azure lets a replica have replicas.
fn root_primary<'a>(groups: &BTreeMap<&'a ResourceId, Group<'a>>, id: &'a ResourceId) -> &'a ResourceId {
    let mut head = id;
    // No chain of real replicas is as long as this; one that is has a loop.
    for _ in 0..16 {
        match groups.get(head).and_then(|group| group.posture.server.primary.as_ref()) {
            Some(primary) if groups.contains_key(primary) => head = primary,
            _ => return head,
        }
    }
    id
}

/// The groups that the waves keep together, each as important as the most important server in it.
fn buckets(groups: &BTreeMap<&ResourceId, Group<'_>>, wanted: &WaveOrder) -> BTreeMap<String, Tier> {
    let mut buckets: BTreeMap<String, Tier> = BTreeMap::new();
    if let Some(by) = &wanted.by {
        for group in groups.values() {
            let tier = buckets.entry(by.group(&group.posture.server)).or_insert(group.tier);
            *tier = group.tier.max(*tier);
        }
    }
    buckets
}

/// Notes in each group which servers of its replica set come before it, and returns who comes after whom: replicas first
/// where servers become stricter, and their primaries first where they are loosened.
fn order_replicas<'a>(
    groups: &mut BTreeMap<&'a ResourceId, Group<'a>>,
) -> HashMap<&'a ResourceId, Vec<&'a ResourceId>> {
    let loosens = groups.values().flat_map(|group| &group.changes).any(|change| change.loosens);
    let links: Vec<(&'a ResourceId, &'a ResourceId)> = groups
        .values()
        .filter_map(|group| Some((&group.posture.server.id, group.posture.server.primary.as_ref()?)))
        .filter(|(replica, primary)| replica != primary && groups.contains_key(primary))
        .map(|(replica, primary)| if loosens { (primary, replica) } else { (replica, primary) })
        .collect();
    let mut followers: HashMap<&ResourceId, Vec<&ResourceId>> = HashMap::new();
    for (first, second) in links {
        if let Some(group) = groups.get_mut(second) {
            group.after.push(first);
            followers.entry(first).or_default().push(second);
        }
        if let Some(group) = groups.get_mut(first) {
            group.awaited = true;
        }
    }
    followers
}

/// Whose turn is next. A wave holds servers of one group.
fn next_turns<'t, 'a: 't>(ready: impl Iterator<Item = &'t Turn<'a>>, size: usize) -> Vec<Turn<'a>> {
    let mut ready = ready.peekable();
    let Some(group) = ready.peek().map(|turn| turn.group.1.clone()) else { return Vec::new() };
    ready.take_while(|turn| turn.group.1 == group).take(size).cloned().collect()
}

/// The canary that no one chose. Production is none while there is another server, even if that one is busy, so that apply
/// waits for it, or failed in the last run; and what is known not to be production comes before what is not known, in
/// whatever group. What may be production is one only where everything is. The time that a
/// server takes does not choose it.
fn canary_turns<'a>(ready: &BTreeSet<Turn<'a>>, size: usize) -> Vec<Turn<'a>> {
    let mut others: Vec<&Turn<'a>> = ready.iter().filter(|turn| !turn.is_production()).collect();
    if others.is_empty() {
        return next_turns(ready.iter(), size);
    }
    if others.iter().any(|turn| !turn.may_be_production()) {
        others.retain(|turn| !turn.may_be_production());
    }
    let order = |turn: &Turn<'a>| (turn.failed_last, turn.busy, turn.tier);
    let alike = |turn: &Turn<'a>| (turn.risk, turn.clients, turn.id);
    others.sort_by(|a, b| order(a).cmp(&order(b)).then_with(|| a.group.cmp(&b.group)).then(alike(a).cmp(&alike(b))));
    next_turns(others.into_iter(), size)
}

/// Puts the servers into waves: what a person chose, then the least important and harmless before the others, then those
/// with the fewest changes, then those with the fewest clients, then by id, and every replica set in its order.
pub(super) fn schedule<'a>(
    mut groups: BTreeMap<&'a ResourceId, Group<'a>>,
    options: &PlanOptions,
    wanted: &WaveOrder,
) -> Vec<Vec<Group<'a>>> {
    let buckets = buckets(&groups, wanted);
    let followers = order_replicas(&mut groups);
    let mut waiting: HashMap<&ResourceId, usize> = groups.iter().map(|(id, group)| (*id, group.after.len())).collect();
    let mut ready: BTreeSet<Turn<'_>> =
        groups.values().filter(|group| group.after.is_empty()).map(|group| group.turn(wanted, &buckets)).collect();
    // A canary that holds most of the fleet is none.
    let half = u32::try_from(groups.len() / 2).unwrap_or(u32::MAX).max(1);
    let mut waves = Vec::new();
    while !groups.is_empty() {
        if ready.is_empty() {
            // Only a loop of replicas is left, which Azure cannot have: its order is as good as any.
            for group in groups.values_mut() {
                group.after.clear();
                ready.insert(group.turn(wanted, &buckets));
            }
        }
        let chosen = !wanted.canary.is_empty();
        let size = match waves.is_empty() {
            true if chosen => options.canary_size,
            true => options.canary_size.min(half),
            false => options.wave_size,
        };
        let size = usize::try_from(size.max(1)).unwrap_or(usize::MAX);
        let first: Vec<Turn<'_>> = match waves.is_empty() {
            true if chosen => next_turns(ready.iter().filter(|turn| !turn.not_chosen), size),
            true => canary_turns(&ready, size),
            false => next_turns(ready.iter(), size),
        };
        // A replica that is loosened cannot come before its primary, even one that a person chose.
        let turns = if first.is_empty() { canary_turns(&ready, 1) } else { first };
        let mut wave: Vec<Group<'a>> = Vec::new();
        for turn in turns {
            ready.remove(&turn);
            wave.extend(groups.remove(turn.id));
        }
        for group in &wave {
            for follower in followers.get(&group.posture.server.id).into_iter().flatten() {
                let Some(left) = waiting.get_mut(follower) else { continue };
                *left = left.saturating_sub(1);
                if *left == 0
                    && let Some(next) = groups.get(follower)
                {
                    ready.insert(next.turn(wanted, &buckets));
                }
            }
        }
        waves.push(wave);
    }
    waves
}
