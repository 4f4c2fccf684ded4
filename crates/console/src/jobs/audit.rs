//! An audit that was started here: followed by pages, stopped from a page, kept when it ends.

use crate::job::{Job, JobContext, JobWork, run_context};
use crate::options::WireLook;
use crate::trouble::Trouble;
use hostssl_model::{AuditReport, Outcome, Scope};
use hostssl_ops::{AuditEvent, AuditRequest, Discovery, ListenerProbe, Tenant, audit_and_probe, take_census};
use hostssl_store::{StoreError, WorkKind};
use serde::Serialize;
use std::collections::HashSet;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

/// How long an audit waits for the new looks of probers.
const PROBERS_TIME: Duration = Duration::from_secs(90);

/// What to audit.
#[derive(Debug, Clone)]
pub(crate) struct AuditWork {
    /// Where.
    pub(crate) scope: Scope,
    /// Whether to probe the servers too, if the console can.
    pub(crate) probe: bool,
    /// Whether what was seen from zones counts too.
    pub(crate) zones: bool,
    /// Whether to look for the clients of the servers too.
    pub(crate) clients: bool,
    /// The one server, by key and name, that it is about.
    pub(crate) server: Option<(String, String)>,
}

/// How far an audit is.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub(crate) struct AuditProgress {
    /// Subscriptions that are done.
    pub(crate) subscriptions: usize,
    /// Of how many; unknown at first.
    pub(crate) of: Option<usize>,
    /// Servers found so far.
    pub(crate) found: usize,
    /// Servers checked.
    pub(crate) looked: usize,
    /// Of those in subscriptions that are done: how many fail.
    pub(crate) failed: usize,
    /// And how many could not be judged.
    pub(crate) unknown: usize,
    /// Files of looks that do not count, because no rule names their zone.
    #[serde(skip)]
    pub(crate) left_out: Vec<String>,
    /// Probers that were asked for new looks and did not send them in time.
    #[serde(skip)]
    pub(crate) silent: Vec<String>,
}

pub(crate) type AuditJob = Job<AuditWork>;

/// The audit that was started here last.
#[derive(Default)]
pub(crate) struct Audits(Mutex<Option<Arc<AuditJob>>>);

impl Audits {
    /// Starts an audit, or returns the one in progress: a form that is posted twice starts one.
    pub(crate) fn start(&self, context: &Arc<JobContext>, by: &str, audit: AuditWork) -> Arc<AuditJob> {
        let mut last = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(running) = last.as_ref().filter(|job| job.is_running()) {
            return running.clone();
        }
        let job = Job::new(uuid::Uuid::now_v7().to_string(), by, audit, AuditProgress::default());
        job.spawn(context);
        last.insert(job).clone()
    }

    /// The last one when it has this id, in progress or ended.
    pub(crate) fn find(&self, id: &str) -> Option<Arc<AuditJob>> {
        self.last().filter(|job| job.id == id)
    }

    pub(crate) fn running(&self) -> Option<Arc<AuditJob>> {
        self.last().filter(|job| job.is_running())
    }

    fn last(&self) -> Option<Arc<AuditJob>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl JobWork for AuditWork {
    const NAME: &'static str = "audit";
    const NOTED_AS: Option<WorkKind> = Some(WorkKind::Audit);
    type Progress = AuditProgress;
    /// It is kept under the job's id.
    type Outcome = ();

    fn servers(progress: &AuditProgress) -> (usize, usize) {
        (progress.looked, progress.found)
    }

    async fn run(&self, job: &AuditJob, context: &JobContext) -> Result<(), Trouble> {
        let tenants = (context.connect)(job.stop_signal()).await?;
        let wire = context.options.wire.as_ref().filter(|_| self.probe);
        let mut probe = wire.map(|wire| (wire.probe)(job.stop_signal())).transpose()?;
        // Without a probe, nothing of zones counts.
        if let Some(zones) = context.options.zones.as_ref().filter(|_| self.zones && probe.is_some()) {
            self.ask_probers(job, context).await;
            let (vantages, left_out) = zones.vantages(&context.store)?;
            for file in &left_out {
                tracing::warn!(file, "a file of looks was not counted: no rule names its zone");
            }
            job.note(|progress| progress.left_out = left_out);
            probe = probe.map(|probe| probe.with_vantages(Arc::new(vantages)));
        }
        let report = self.audit(job, context, &tenants, wire.zip(probe.as_ref())).await?;
        self.take_exchange(job, context, &report).await;
        keep(context, &report)?;
        if self.clients { self.look_for_clients(context, &tenants).await } else { Ok(()) }
    }
}

impl AuditWork {
    /// Waits for new looks of the probers that wait to be asked. What they do not send in time is as old as it is.
    async fn ask_probers(&self, job: &AuditJob, context: &JobContext) {
        let mut stop = job.stop_signal();
        let longest = PROBERS_TIME.min(context.options.deadline / 4);
        let Ok(known) = context.store.probers() else { return };
        let believed = known.probers.iter().filter(|one| one.revoked_ms.is_none() && !one.is_suspended());
        let believed: HashSet<&str> = believed.map(|one| one.id.as_str()).collect();
        let silent = tokio::select! {
            silent = context.desk.ask_waiting(longest, |id| believed.contains(id)) => silent,
            _ = stop.wait_for(Option::is_some) => return,
        };
        for prober in &silent {
            tracing::warn!(prober, "a prober did not send new looks in time");
        }
        job.note(|progress| progress.silent = silent);
    }

    async fn audit(
        &self,
        job: &AuditJob,
        context: &JobContext,
        tenants: &[Tenant],
        wire: Option<(&WireLook, &ListenerProbe)>,
    ) -> Result<AuditReport, Trouble> {
        let request = AuditRequest {
            scope: self.scope.clone(),
            profile: wire.map_or(&context.options.profile, |(wire, _)| &wire.profile).clone(),
            discovery: Discovery::Lists,
        };
        let run = run_context(job.id.clone(), job.started_at(), &context.options);
        let mut note = |event: AuditEvent<'_>| job.note(|progress| progress.count(&event));
        let probe = wire.map(|(_, probe)| probe);
        let report = audit_and_probe(tenants, &request, probe, run, &mut note).await;
        report.map_err(|error| Trouble::new(error.to_string(), "start the console with another scope: --subscription"))
    }

    /// Reads the logs of the servers and adds what they say of clients to what is kept.
    async fn look_for_clients(&self, context: &JobContext, tenants: &[Tenant]) -> Result<(), Trouble> {
        let looked_at = jiff::Timestamp::now().as_millisecond();
        let seen = take_census(tenants, &self.scope, looked_at, &[]).await;
        let seen = seen.map_err(|error| Trouble::new(error.to_string(), "audit again, then find clients again"))?;
        let looks = seen.servers.into_iter().map(|one| (one.server.id, one.look)).collect();
        let kept = context.store.merge_censuses(looks);
        kept.map(|_| ()).map_err(|error| {
            let Trouble { what, hint } = error.into();
            Trouble { what: format!("the clients were found but could not be kept: {what}"), hint }
        })
    }

    /// Writes down what the listeners of the one server say.
    async fn take_exchange(&self, job: &AuditJob, context: &JobContext, report: &AuditReport) {
        let wire = context.options.wire.as_ref().filter(|_| self.probe);
        let Some((take, (key, _))) = wire.and_then(|wire| wire.exchange.as_ref()).zip(self.server.as_ref()) else {
            return;
        };
        let mut stopped = job.stop_signal();
        tokio::select! {
            () = context.exchanges.take(take, report, key) => {}
            _ = stopped.wait_for(Option::is_some) => {}
        }
    }
}

impl AuditProgress {
    fn count(&mut self, event: &AuditEvent<'_>) {
        match event {
            AuditEvent::Subscriptions(count) => self.of = Some(*count),
            AuditEvent::Found(count) => self.found += count,
            AuditEvent::Looked => self.looked += 1,
            // Only a plan reads more.
            AuditEvent::Reading(_) => {}
            AuditEvent::Subscription(_, _, servers) => {
                let of = |outcome| servers.iter().filter(|server| server.outcome == outcome).count();
                self.subscriptions += 1;
                self.failed += of(Outcome::Fail);
                self.unknown += of(Outcome::Unknown);
            }
        }
    }
}

fn keep(context: &JobContext, report: &AuditReport) -> Result<(), Trouble> {
    let lost = |error: StoreError| {
        let Trouble { what, hint } = error.into();
        Trouble { what: format!("the audit finished but could not be kept: {what}"), hint }
    };
    context.store.save(report).map_err(lost)?;
    // The overview asks for it next.
    if let Ok(Some(latest)) = context.store.latest() {
        context.readiness.of(&latest);
    }
    if let Some(retain) = context.options.retain
        && let Err(error) = context.store.prune(retain)
    {
        tracing::warn!(%error, "old audits could not be deleted");
    }
    Ok(())
}
