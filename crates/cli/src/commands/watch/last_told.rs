//! Where each receiver of a watch continues: with the audit that the state says it was told of last, whichever audits were kept
//! since and however the watch before ended.

use super::WatchArgs;
use crate::error::CliError;
use crate::state_patience::StatePatience;
use hostssl_audit::LastKnown;
use hostssl_formats::safe;
use hostssl_model::{AuditReport, AuditRun};
use hostssl_store::{AuditEntry, AuditStore, Page, StoreReader};
use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::sync::Arc;

/// Audits that are read at most to know what was found before an outage.
const BEFORE_AN_OUTAGE: usize = 10;
/// How many kept audits are read at once to find the ones to compare with.
const AT_ONCE: u32 = 200;

/// A receiver, as the state knows it and as messages call it.
pub(super) struct ToldReceiver {
    pub(super) key: String,
    pub(super) name: String,
}

/// Where a receiver continues.
#[derive(Clone, Default)]
pub(super) struct Place {
    /// The audit that it was told of last, or one like it that is the next best.
    pub(super) before: Option<Arc<AuditReport>>,
    /// What that one and those before it found last.
    pub(super) known: LastKnown,
}

/// What the state says of a receiver.
#[derive(PartialEq, Eq)]
enum Told {
    /// This audit was told, and is kept.
    Kept(String),
    /// What was told is deleted.
    Deleted,
    /// Nothing.
    Unknown,
}

/// The places of receivers, in their order. Kept audits are alike that were asked for the same by the same rules.
pub(super) fn places(
    args: &WatchArgs,
    report: &AuditReport,
    receivers: &[ToldReceiver],
    patience: StatePatience,
) -> Result<Vec<Place>, CliError> {
    let nothing = vec![Place::default(); receivers.len()];
    let simulated = args.run.connect.simulate.is_some();
    if simulated && args.run.keep.state.state.is_none() {
        return Ok(nothing);
    }
    let Some(reader) = args.run.keep.state.read_before_keeping(simulated, patience)? else { return Ok(nothing) };
    // A watch that keeps nothing says nothing of where it was, either.
    let continues = args.run.keep.keeps(simulated);
    let told = receivers.iter().map(|one| if continues { last_told(&reader, report, one) } else { Ok(Told::Unknown) });
    let told: Vec<Told> = told.collect::<Result<_, _>>()?;
    let alike = alike(&reader, &report.run, &told)?;
    let mut read: BTreeMap<usize, Place> = BTreeMap::new();
    let mut places = Vec::new();
    let mut to_keep = Vec::new();
    for (receiver, told) in receivers.iter().zip(&told) {
        let begins = told.begins(&alike).and_then(|at| Some((at, alike.get(at)?)));
        let Some((at, entry)) = begins else {
            places.push(Place::default());
            continue;
        };
        if *told == Told::Deleted {
            warn_of_deleted(receiver, entry);
        }
        places.push(match read.entry(at) {
            Entry::Occupied(place) => place.get().clone(),
            Entry::Vacant(none) => none.insert(place(&reader, alike.get(at..).unwrap_or_default())?).clone(),
        });
        if continues && !matches!(told, Told::Kept(_)) {
            to_keep.push((&*receiver.key, &*entry.id));
        }
    }
    // Before anything else is kept that a watch without this could take for what it was told.
    keep(args, &report.run, &to_keep, patience);
    Ok(places)
}

impl Told {
    /// With which of the audits that are alike the receiver begins: what it was told, what is nearest to that, or the newest.
    fn begins(&self, alike: &[AuditEntry]) -> Option<usize> {
        match self {
            Self::Kept(id) => alike.iter().position(|audit| audit.id == *id),
            Self::Deleted => alike.len().checked_sub(1),
            Self::Unknown => Some(0),
        }
    }
}

fn warn_of_deleted(receiver: &ToldReceiver, oldest: &AuditEntry) {
    stderr!(
        "warning: the audit that {} was told of last is deleted, so that changes before {} cannot be told",
        receiver.name,
        safe(&oldest.finished_at)
    );
}

/// Keeps what receivers were told of: the key of each, and the id of an audit that is kept.
pub(super) fn keep(args: &WatchArgs, run: &AuditRun, told: &[(&str, &str)], patience: StatePatience) {
    let simulated = args.run.connect.simulate.is_some();
    if told.is_empty() || !args.run.keep.keeps(simulated) {
        return;
    }
    let kept = args.run.keep.state.directory(simulated).and_then(|directory| {
        Ok(AuditStore::open_within(&directory, patience.left()).and_then(|store| store.keep_told(run, told))?)
    });
    if let Err(error) = kept {
        stderr!(
            "warning: the state does not say what was told, so that it is told again when the watch begins again: {}",
            error.on_one_line()
        );
    }
}

fn last_told(reader: &StoreReader, report: &AuditReport, receiver: &ToldReceiver) -> Result<Told, CliError> {
    Ok(match reader.last_told(&report.run, &receiver.key)? {
        None => Told::Unknown,
        Some(id) if reader.audit(&id)?.is_some() => Told::Kept(id),
        Some(_) => Told::Deleted,
    })
}

/// The kept audits that are alike, the newest first, back to the last one that is needed to continue.
fn alike(reader: &StoreReader, run: &AuditRun, told: &[Told]) -> Result<Vec<AuditEntry>, CliError> {
    let is_alike = |audit: &AuditEntry| {
        let has_rules = audit.profile == run.profile && audit.asked == run.asked;
        !audit.stopped && audit.cloud == run.cloud && audit.scope == run.scope && has_rules
    };
    let mut alike: Vec<AuditEntry> = Vec::new();
    // Any number of audits of other scopes may have been kept since.
    for number in 0.. {
        let (audits, _) = reader.audits(Page { number, size: AT_ONCE })?;
        let was_last = audits.is_empty();
        alike.extend(audits.into_iter().filter(is_alike));
        let is_enough = |told: &Told| match told {
            Told::Kept(id) => {
                alike.iter().position(|audit| audit.id == *id).is_some_and(|at| reaches_far_enough(&alike, at))
            }
            Told::Deleted => false,
            Told::Unknown => reaches_far_enough(&alike, 0),
        };
        if was_last || told.iter().all(is_enough) {
            break;
        }
    }
    Ok(alike)
}

/// Whether from this audit on there are as many as are read, or one that could check everything.
fn reaches_far_enough(alike: &[AuditEntry], at: usize) -> bool {
    let behind = alike.get(at..).unwrap_or_default();
    behind.len() >= BEFORE_AN_OUTAGE || behind.iter().any(|audit| audit.complete)
}

/// The first of these audits, with what it and those behind it found last, back to one that could check everything.
fn place(reader: &StoreReader, alike: &[AuditEntry]) -> Result<Place, CliError> {
    let alike = alike.get(..BEFORE_AN_OUTAGE).unwrap_or(alike);
    let whole = alike.iter().position(|audit| audit.complete).map_or(alike.len(), |index| index + 1);
    let mut place = Place::default();
    for audit in alike.iter().take(whole).rev() {
        let report = reader.audit_report(audit)?;
        place.known.learn(&report);
        place.before = Some(Arc::new(report));
    }
    Ok(place)
}
