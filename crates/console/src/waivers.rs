//! The file of waivers that the console was started with, laid over what pages show. It is read anew for every page, and never
//! written: waivers are reviewed where the file is.

use crate::trouble::Trouble;
use hostssl_formats::waiver_text;
use hostssl_model::{Advice as _, AuditReport, ControlId, Waiver, WaiverFile};
use hostssl_ops::{PlanWaivers, Profile, WaiverLayer, apply_waivers, gate, read_waivers, rules_of};
use hostssl_store::{AuditEntry, AuditStore, StoreError};
use jiff::civil::Date;
use std::collections::{BTreeMap, HashMap};
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

/// Audits whose waivers are kept in memory.
const MAX_KEPT: usize = 4;

/// Reads the text of a file.
pub type ReadText = Arc<dyn Fn() -> Result<String, Trouble> + Send + Sync>;

/// Where the waivers are.
#[derive(Clone)]
pub struct WaiverSource {
    /// The name of the file, as it was given.
    pub name: String,
    /// Reads it.
    pub read: ReadText,
}

impl fmt::Debug for WaiverSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WaiverSource").field("name", &self.name).finish_non_exhaustive()
    }
}

impl WaiverSource {
    /// The waivers, as they hold today by the rules of an audit.
    fn waivers(&self, text: &str, profile: &str) -> Result<Vec<Waiver>, Trouble> {
        read_waivers(text, today(), rules_of(profile).settings.waiver_days).map_err(|error| {
            let what = format!("{}: {error}", self.name);
            Trouble { what, hint: error.advice() }
        })
    }

    /// What a plan leaves out, by the rules of a profile.
    pub(crate) fn of_plan(&self, profile: &Profile) -> Result<PlanWaivers, Trouble> {
        let waivers = (self.read)().and_then(|text| self.waivers(&text, &profile.to_string()));
        let unread = |Trouble { what, hint }| Trouble { what: format!("the waivers cannot be read: {what}"), hint };
        let waivers = waivers.map_err(unread)?;
        Ok(PlanWaivers { file: self.name.clone(), waivers, include: false })
    }

    /// Lays the waivers over a report.
    pub(crate) fn apply_to(&self, report: &mut AuditReport) -> Result<(), Trouble> {
        let waivers = self.waivers(&(self.read)()?, &report.run.profile)?;
        apply_waivers(report, &self.name, waivers);
        report.overlay.gate = Some(gate(report, &[], None));
        Ok(())
    }
}

/// Today in UTC: a waiver holds until the end of its last day there.
pub(crate) fn today() -> Date {
    jiff::tz::Offset::UTC.to_datetime(jiff::Timestamp::now()).date()
}

/// The waivers of an audit: none without a file of them, and why there is none where it cannot be read.
#[derive(Clone, Default)]
pub(crate) struct Waivers(Option<Result<Arc<LaidWaivers>, Trouble>>);

/// Waivers and the failures of an audit that they are for.
struct LaidWaivers {
    file: WaiverFile,
    /// By the keys of servers: the controls that fail there, each with its waiver.
    servers: HashMap<String, Vec<(ControlId, Arc<Waiver>)>>,
    /// How many failures of each control are waived.
    controls: BTreeMap<ControlId, u64>,
}

/// What a page says of the whole file.
pub(crate) struct WaiverNote {
    /// Why it cannot be read: then nothing is waived.
    pub(crate) trouble: Option<Trouble>,
    /// What it waives.
    pub(crate) used: String,
    /// Waivers that do not hold, and those that nothing needs, by line.
    pub(crate) doubts: Vec<String>,
}

/// What stands beside a failure.
pub(crate) struct WaiverLine {
    /// Until when it is waived and why, or why it is not.
    pub(crate) words: String,
    /// Who accepted it, whose server it is, and what protects it meanwhile.
    pub(crate) terms: String,
    /// File and line.
    pub(crate) place: String,
    pub(crate) is_in_effect: bool,
}

/// What waivers were laid over: the text of the file on a day, and an audit, or the present that began with it.
type Key = (String, Date, String, Option<i64>);

/// What was laid last.
#[derive(Default)]
pub(crate) struct WaiversCache(Mutex<Vec<(Key, Arc<LaidWaivers>)>>);

impl WaiversCache {
    /// The waivers of an audit.
    pub(crate) fn of(
        &self,
        source: Option<&WaiverSource>,
        store: &AuditStore,
        audit: &AuditEntry,
    ) -> Result<Waivers, StoreError> {
        let Some(source) = source else { return Ok(Waivers(None)) };
        let text = match (source.read)() {
            Ok(text) => text,
            Err(trouble) => return Ok(Waivers(Some(Err(trouble)))),
        };
        let key = (text, today(), audit.id.clone(), audit.present);
        if let Some((_, laid)) = self.lock().iter().find(|(known, _)| *known == key) {
            return Ok(Waivers(Some(Ok(Arc::clone(laid)))));
        }
        let waivers = match source.waivers(&key.0, &audit.profile) {
            Ok(waivers) => waivers,
            Err(trouble) => return Ok(Waivers(Some(Err(trouble)))),
        };
        let laid = Arc::new(LaidWaivers::over(store, audit, WaiverLayer::new(&source.name, waivers))?);
        let mut kept = self.lock();
        kept.insert(0, (key, Arc::clone(&laid)));
        kept.truncate(MAX_KEPT);
        Ok(Waivers(Some(Ok(laid))))
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Vec<(Key, Arc<LaidWaivers>)>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl LaidWaivers {
    fn over(store: &AuditStore, audit: &AuditEntry, mut layer: WaiverLayer) -> Result<Self, StoreError> {
        let (mut servers, mut controls) = (HashMap::new(), BTreeMap::new());
        store.each_outcome(audit, &mut |server| {
            let laid = layer.apply_to(&server.id, server.outcomes.iter().copied());
            let laid = server.outcomes.iter().zip(laid).filter_map(|((control, _), waiver)| Some((*control, waiver?)));
            let laid: Vec<(ControlId, Arc<Waiver>)> = laid.collect();
            for (control, _) in laid.iter().filter(|(_, waiver)| waiver.is_in_effect()) {
                *controls.entry(*control).or_default() += 1;
            }
            if !laid.is_empty() {
                servers.insert(server.key, laid);
            }
        })?;
        Ok(Self { file: layer.into_file(), servers, controls })
    }
}

impl Waivers {
    fn laid(&self) -> Option<&LaidWaivers> {
        self.0.as_ref()?.as_ref().ok().map(AsRef::as_ref)
    }

    /// Whether there is a file that can be read.
    pub(crate) fn are_laid(&self) -> bool {
        self.laid().is_some()
    }

    /// What stands beside the failure of a control on a server.
    pub(crate) fn beside(&self, key: &str, control: ControlId) -> Option<WaiverLine> {
        let laid = self.laid()?;
        let (_, waiver) = laid.servers.get(key)?.iter().find(|(one, _)| *one == control)?;
        Some(WaiverLine {
            words: waiver_text::beside(waiver),
            terms: waiver_text::terms(waiver),
            place: waiver_text::place(&laid.file.name, waiver),
            is_in_effect: waiver.is_in_effect(),
        })
    }

    /// How many failures of a server are waived.
    pub(crate) fn of_server(&self, key: &str) -> usize {
        let found = self.laid().and_then(|laid| laid.servers.get(key));
        found.map_or(0, |found| found.iter().filter(|(_, waiver)| waiver.is_in_effect()).count())
    }

    /// How many failures of a control are waived.
    pub(crate) fn of_control(&self, control: Option<ControlId>) -> u64 {
        self.laid().zip(control).and_then(|(laid, control)| laid.controls.get(&control)).copied().unwrap_or(0)
    }

    /// What is to be said of the whole file; nothing without one.
    pub(crate) fn note(&self) -> Option<WaiverNote> {
        Some(match self.0.as_ref()? {
            Err(trouble) => WaiverNote { trouble: Some(trouble.clone()), used: String::new(), doubts: Vec::new() },
            Ok(laid) => WaiverNote {
                trouble: None,
                used: crate::reply::sentence(waiver_text::used_of(&laid.file)),
                doubts: waiver_text::doubts_of(&laid.file),
            },
        })
    }
}
