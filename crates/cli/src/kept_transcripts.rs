//! `--transcript`: what an audit's probes exchange with each server, kept with the audit for `hostssl evidence`.

use crate::error::CliError;
use hostssl_formats::{probe_json, safe};
use hostssl_model::{ResourceId, chain};
use hostssl_ops::TakeReports;
use hostssl_probe::report::EndpointReport;
use hostssl_store::{AuditStore, StateDirectory, StoreError, TranscriptSpool};
use std::io;
use std::sync::{Arc, Mutex, PoisonError};

/// The transcripts of an audit that is in progress. They wait on the disk until the audit is kept.
#[derive(Debug, Clone)]
pub(crate) struct Transcripts(Arc<Mutex<Taken>>);

#[derive(Debug)]
struct Taken {
    spool: TranscriptSpool,
    lost: u64,
    why: Option<io::Error>,
}

impl Transcripts {
    /// None yet, in a file beside the state. An audit whose transcripts cannot be kept is made all the same, and the failure reported.
    pub(crate) fn begin(directory: Result<StateDirectory, CliError>) -> Option<Self> {
        match directory.and_then(|directory| Ok(TranscriptSpool::open(&directory)?)) {
            Ok(spool) => Some(Self(Arc::new(Mutex::new(Taken { spool, lost: 0, why: None })))),
            Err(error) => {
                stderr!("warning: no transcript is kept: {}", error.on_one_line());
                None
            }
        }
    }

    /// What takes them from the probe.
    pub(crate) fn taker(&self) -> Arc<TakeReports> {
        let taken = Arc::clone(&self.0);
        Arc::new(move |server, reports| {
            let mut taken = taken.lock().unwrap_or_else(PoisonError::into_inner);
            if let Err(error) = taken.add(&server.id, reports) {
                taken.lost += 1;
                taken.why = Some(error);
            }
        })
    }

    /// Keeps them with an audit that is kept, and reports those that are lost.
    pub(crate) fn keep(self, store: &AuditStore, audit: &str) -> Result<(), StoreError> {
        let mut taken = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(why) = &taken.why {
            let (lost, why) = (taken.lost, safe(&chain(why)).into_owned());
            stderr!(
                "warning: the transcripts of {lost} server{} are not kept: {why}",
                if lost == 1 { "" } else { "s" }
            );
        }
        store.add_transcripts(audit, &mut taken.spool).map(drop)
    }
}

impl Taken {
    fn add(&mut self, server: &ResourceId, reports: &[EndpointReport]) -> io::Result<()> {
        // Without a connection there are no messages: the observation says why.
        if reports.iter().all(|report| report.transcript.as_ref().is_none_or(Vec::is_empty)) {
            return Ok(());
        }
        let lines = reports.iter().map(probe_json::to_text).collect::<Result<Vec<_>, _>>()?;
        self.spool.add(server, &lines.join("\n"))
    }
}
