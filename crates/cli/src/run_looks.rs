//! What a run with `--probe` saw of the listeners: evidence like that of any other probe, and kept as one.

use crate::args::StateArgs;
use crate::keep::{KeepArgs, ProbeKeeper};
use hostssl_formats::probe_json::ProbeAsked;
use hostssl_ops::TakeReports;
use hostssl_probe::ProbeOptions;
use hostssl_probe::report::EndpointReport;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

/// The newest look at each listener that a run has asked.
#[derive(Debug, Clone, Default)]
pub(crate) struct RunLooks(Arc<Mutex<BTreeMap<(String, u16), EndpointReport>>>);

impl RunLooks {
    /// Takes the reports of each server that the run asks, as often as it does.
    pub(crate) fn taker(&self) -> Arc<TakeReports> {
        let looks = Self::clone(self);
        Arc::new(move |_, reports| {
            let mut looks = looks.0.lock().unwrap_or_else(PoisonError::into_inner);
            looks.extend(reports.iter().map(|report| ((report.host.clone(), report.port), report.clone())));
        })
    }

    /// Keeps them, so that later audits count by them. What cannot be kept is told.
    pub(crate) fn keep(self, options: &ProbeOptions, state: &StateArgs, simulated: bool) {
        let looks = std::mem::take(&mut *self.0.lock().unwrap_or_else(PoisonError::into_inner));
        if looks.is_empty() {
            return;
        }
        let keep = KeepArgs { state: state.clone(), no_save: false, retain: None };
        let mut keeper = ProbeKeeper::begin(&keep, &ProbeAsked::from(options), simulated);
        looks.values().for_each(|report| keeper.add(report, report.observed_ms));
        keeper.end(true);
    }
}
