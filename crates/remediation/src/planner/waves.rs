//! Which servers, in which wave.

use super::decide::Change;
use crate::{Disposition, FixableControl, PlanOptions};
use hostssl_model::{Posture, ResourceId};
use std::collections::{BTreeMap, BTreeSet, HashMap};

/// The changes of one server.
#[derive(Debug)]
pub(super) struct Group<'a> {
    pub(super) posture: &'a Posture,
    pub(super) changes: Vec<Change>,
    /// The servers of its replica set that must be done before it.
    pub(super) after: Vec<&'a ResourceId>,
}

impl<'a> Group<'a> {
    pub(super) fn new(posture: &'a Posture) -> Self {
        Self { posture, changes: Vec::new(), after: Vec::new() }
    }

    fn risk(&self) -> Disposition {
        self.changes.iter().map(|change| change.disposition).max().unwrap_or(Disposition::OnlineSafe)
    }
}

/// Takes out what is more than `max` servers, and returns it. A replica set stays or goes as a whole, so a smaller one
/// may still fit after a larger one did not.
pub(super) fn limit<'a>(
    groups: &mut BTreeMap<&'a ResourceId, Group<'a>>,
    max: Option<u32>,
) -> Vec<(&'a ResourceId, FixableControl)> {
    let Some(max) = max.and_then(|max| usize::try_from(max).ok()) else {
        return Vec::new();
    };
    let mut sets: BTreeMap<&ResourceId, Vec<&ResourceId>> = BTreeMap::new();
    for id in groups.keys() {
        sets.entry(head(groups, id)).or_default().push(id);
    }
    let mut room = max;
    let mut removed = Vec::new();
    for set in sets.into_values() {
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
fn head<'a>(groups: &BTreeMap<&'a ResourceId, Group<'a>>, id: &'a ResourceId) -> &'a ResourceId {
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

/// Puts the servers into waves: the harmless before the others, then by id, and every replica set in its order.
pub(super) fn order<'a>(mut groups: BTreeMap<&'a ResourceId, Group<'a>>, options: &PlanOptions) -> Vec<Vec<Group<'a>>> {
    let loosens = groups.values().flat_map(|group| &group.changes).any(|change| change.loosens);
    let links: Vec<(&ResourceId, &ResourceId)> = groups
        .values()
        .filter_map(|group| Some((&group.posture.server.id, group.posture.server.primary.as_ref()?)))
        .filter(|(replica, primary)| replica != primary && groups.contains_key(primary))
        .map(|(replica, primary)| if loosens { (primary, replica) } else { (replica, primary) })
        .collect();
    let mut followers: HashMap<&ResourceId, Vec<&'a ResourceId>> = HashMap::new();
    for (first, second) in links {
        if let Some(group) = groups.get_mut(second) {
            group.after.push(first);
            followers.entry(first).or_default().push(second);
        }
    }
    let mut waiting: HashMap<&ResourceId, usize> = groups.iter().map(|(id, group)| (*id, group.after.len())).collect();
    let mut ready: BTreeSet<(Disposition, &ResourceId)> = groups
        .values()
        .filter(|group| group.after.is_empty())
        .map(|group| (group.risk(), &group.posture.server.id))
        .collect();
    // A canary that holds most of the fleet is none.
    let half = u32::try_from(groups.len() / 2).unwrap_or(u32::MAX).max(1);
    let mut waves = Vec::new();
    while !groups.is_empty() {
        if ready.is_empty() {
            // Only a loop of replicas is left, which Azure cannot have: its order is as good as any.
            for group in groups.values_mut() {
                group.after.clear();
                ready.insert((group.risk(), &group.posture.server.id));
            }
        }
        let size = if waves.is_empty() { options.canary_size.min(half) } else { options.wave_size };
        let mut wave = Vec::new();
        for _ in 0..size.max(1) {
            let Some((_, id)) = ready.pop_first() else { break };
            wave.extend(groups.remove(id));
        }
        for group in &wave {
            for follower in followers.get(&group.posture.server.id).into_iter().flatten() {
                let Some(left) = waiting.get_mut(follower) else { continue };
                *left = left.saturating_sub(1);
                if *left == 0
                    && let Some(next) = groups.get(follower)
                {
                    ready.insert((next.risk(), follower));
                }
            }
        }
        waves.push(wave);
    }
    waves
}
