//! Plans that are made here, or were kept in the state by a console: the newest are in memory.

use super::change::ChangeJob;
use super::kept_plan::{kept_plan, restore};
use super::no_tenant;
use super::plan_order::{PlanOrder, PlanToReview};
use crate::job::{Job, JobContext, JobWork, run_context};
use crate::trouble::Trouble;
use hostssl_model::{Reason, ResourceId, chain};
use hostssl_ops::{
    AcceptBreakage, AuditEvent, Discovery, PlanError, PlanRequest, Planned, Tenant, failed_before, failed_last_time,
    make_plan,
};
use hostssl_remediation::{Goal, RunId, WaveOrder, failed_findings, production_canary, server_tags};
use hostssl_store::{KeptPlan, KeptPlanEntry, WorkKind};
use serde::Serialize;
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Plans kept at once; beyond, the oldest goes.
const MAX_PLANS: usize = 50;

/// How far the planning is.
#[derive(Debug, Clone, Default, Serialize)]
pub(crate) struct PlanProgress {
    pub(crate) found: usize,
    pub(crate) looked: usize,
    /// What is read after the servers, in words.
    pub(crate) note: String,
}

/// What earlier runs say, and why it is not known where they could not be read.
#[derive(Default)]
struct Earlier {
    failed: BTreeMap<ResourceId, RunId>,
    unread: Option<String>,
}

impl Earlier {
    fn read(context: &JobContext) -> Self {
        match failed_last_time(context.store.directory()) {
            Ok(failed) => Self { failed, unread: None },
            // That does not keep anyone from planning, and a reviewer knows it.
            Err(error) => {
                let unread = format!("earlier runs, so a server that failed may go first: {}", chain(&error));
                Self { failed: BTreeMap::new(), unread: Some(unread) }
            }
        }
    }
}

/// The making of a plan.
pub(crate) struct Planning {
    pub(crate) order: PlanOrder,
    /// Why the state could not take it.
    not_kept: Mutex<Option<String>>,
    /// The run that applies it. Locked while one is started, so that a form posted twice begins one.
    run: Mutex<Option<Arc<ChangeJob>>>,
}

pub(crate) type PlanJob = Job<Planning>;

/// The plans that this process knows.
#[derive(Default)]
pub(crate) struct Plans(Mutex<VecDeque<Arc<PlanJob>>>);

impl Plans {
    /// Starts planning.
    pub(crate) fn start(&self, context: &Arc<JobContext>, by: &str, order: PlanOrder) -> Arc<PlanJob> {
        let work = Planning { order, not_kept: Mutex::default(), run: Mutex::default() };
        let job = Job::new(uuid::Uuid::now_v7().to_string(), by, work, PlanProgress::default());
        let job = self.add(job);
        job.spawn(context);
        job
    }

    /// Remembers a plan; of one that is known, the one that is known.
    pub(crate) fn add(&self, job: Arc<PlanJob>) -> Arc<PlanJob> {
        let mut plans = lock(&self.0);
        if let Some(known) = plans.iter().find(|known| known.id == job.id) {
            return known.clone();
        }
        plans.push_back(job.clone());
        // The state has those that are made, and one that is being made stays.
        while plans.len() > MAX_PLANS
            && let Some(oldest) = plans.iter().position(|job| !job.is_running())
        {
            plans.remove(oldest);
        }
        job
    }

    pub(crate) fn find(&self, id: &str) -> Option<Arc<PlanJob>> {
        lock(&self.0).iter().find(|job| job.id == id).cloned()
    }

    /// Every plan, the newest first.
    pub(crate) fn all(&self) -> Vec<Arc<PlanJob>> {
        lock(&self.0).iter().rev().cloned().collect()
    }
}

impl PlanJob {
    /// A plan that another console made, or this one before it was started again; `None` where this version cannot read it.
    pub(crate) fn restored(kept: KeptPlan) -> Option<Arc<Self>> {
        let KeptPlanEntry { id, made_ms, made_by, .. } = kept.entry.clone();
        let (order, ready) = restore(&kept)?;
        let work = Planning { order, not_kept: Mutex::default(), run: Mutex::default() };
        Some(Job::ended((id, made_ms, made_by), work, PlanProgress::default(), Arc::new(ready)))
    }

    /// Why the state could not take it, if it could not.
    pub(crate) fn not_kept(&self) -> Option<String> {
        lock(&self.work.not_kept).clone()
    }

    /// The plan, once it is made.
    pub(crate) fn ready(&self) -> Option<Arc<PlanToReview>> {
        self.status().end.and_then(Result::ok)
    }

    /// The place of the run that applies it.
    pub(crate) fn run(&self) -> MutexGuard<'_, Option<Arc<ChangeJob>>> {
        lock(&self.work.run)
    }
}

impl JobWork for Planning {
    const NAME: &'static str = "plan";
    const NOTED_AS: Option<WorkKind> = Some(WorkKind::Plan);
    type Progress = PlanProgress;
    type Outcome = Arc<PlanToReview>;

    fn servers(progress: &PlanProgress) -> (usize, usize) {
        (progress.looked, progress.found)
    }

    async fn run(&self, job: &PlanJob, context: &JobContext) -> Result<Arc<PlanToReview>, Trouble> {
        let tenants = (context.connect)(job.stop_signal()).await?;
        let earlier = Earlier::read(context);
        let order = WaveOrder { last: earlier.failed.keys().cloned().collect(), ..self.order.waves.clone() };
        let planned = self.plan(job, context, &tenants, &order).await?;
        // A plan of half of the servers is not a plan for them.
        let status = job.status();
        if let Some(cause) = status.stop {
            let PlanProgress { found, looked, .. } = status.progress;
            return Err(Trouble::new(cause.after(looked, found, "server"), "plan again"));
        }
        let ready = self.ready(planned, earlier, &order, context.options.approvals).map(Arc::new)?;
        self.keep(job, context, &ready);
        Ok(ready)
    }
}

impl Planning {
    /// Keeps it, so that every console of the state shows it. This one has it in any case.
    fn keep(&self, job: &PlanJob, context: &JobContext, ready: &PlanToReview) {
        let by = (job.id.as_str(), job.started_ms, job.started_by.as_str());
        let why = match kept_plan(by, &self.order, ready) {
            Ok(kept) => context.store.keep_plan(&kept).map_err(|error| chain(&error)).err(),
            Err(error) => Some(error.to_string()),
        };
        if let Some(error) = why {
            tracing::warn!(error, plan = job.id, "a plan could not be kept, so no other console shows it");
            *lock(&self.not_kept) = Some(error);
        }
    }

    /// A plan is for one tenant: the one that has the servers.
    async fn plan(
        &self,
        job: &PlanJob,
        context: &JobContext,
        tenants: &[Tenant],
        order: &WaveOrder,
    ) -> Result<Planned, Trouble> {
        // Who sets a value on a server's page means that server, waived or not.
        let waivers = match (&context.options.waivers, &self.order.goal) {
            (Some(source), Goal::Fix { .. }) => Some(source.of_plan(&context.options.profile)?),
            _ => None,
        };
        let request = PlanRequest {
            scope: self.order.scope.clone(),
            except: Vec::new(),
            waivers,
            profile: context.options.profile.clone(),
            goal: self.order.goal.clone(),
            options: self.order.options,
            order: order.clone(),
            reason: self.order.reason.clone(),
            discovery: Discovery::Lists,
            clients: Some(context.store.clone()),
            accepted: self.order.accepted.iter().map(accept_all).collect(),
        };
        let mut trouble = no_tenant();
        for tenant in tenants {
            let run = run_context(job.id.clone(), jiff::Timestamp::now(), &context.options);
            let mut note = |event: AuditEvent<'_>| job.note(|progress| progress.count(&event));
            match make_plan(tenant, &request, run, &mut note).await {
                Ok(planned) => return Ok(planned),
                Err(PlanError::Scope(error)) => {
                    let hint = "choose servers of one tenant that the identity sees, and audit again";
                    trouble = Trouble::new(error.to_string(), hint);
                }
                Err(error @ PlanError::Invalid(_)) => return Err(error.into()),
            }
        }
        Err(trouble)
    }

    fn ready(
        &self,
        planned: Planned,
        earlier: Earlier,
        order: &WaveOrder,
        approvals: u32,
    ) -> Result<PlanToReview, Trouble> {
        let chosen = |id: &str| self.order.servers.contains(&id.to_ascii_lowercase());
        // A scope has names, and a name may stand in another resource group too.
        if let Some(step) = planned.plan.steps().iter().find(|step| !chosen(step.server.as_str())) {
            return Err(Trouble::new(
                format!("another server has the name {} and would be changed too", step.server.name()),
                "plan for the two separately",
            ));
        }
        let mut unchecked = self.unchecked(&planned);
        unchecked.extend(earlier.unread);
        let failed_before = failed_before(&planned.plan, &earlier.failed, order);
        let failed = failed_findings(&planned.audit.servers);
        let tags = server_tags(&planned.audit.servers);
        let subscriptions = planned.audit.subscriptions;
        let mut production_first = Vec::new();
        // Who chose the canary knows what it is.
        if order.canary.is_empty() {
            production_first.extend(production_canary(&planned.plan, &subscriptions, &tags).into_iter().cloned());
        }
        let plan = planned.plan;
        Ok(PlanToReview { plan, subscriptions, failed, tags, unchecked, failed_before, production_first, approvals })
    }

    /// What the plan could not consider, one line each.
    fn unchecked(&self, planned: &Planned) -> Vec<String> {
        let listed: BTreeSet<String> =
            planned.audit.servers.iter().map(|one| one.server.id.as_str().to_ascii_lowercase()).collect();
        let missing = self.order.servers.iter().filter(|id| !listed.contains(*id));
        let missing = missing.map(|id| format!("{id}: Azure does not list it now"));
        let gaps = planned.audit.gaps.iter().filter(|gap| !gap.scope.is_server()).chain(&planned.unseen);
        // Where a kind of server is not offered, none was missed.
        let gaps = gaps.filter(|gap| gap.unchecked.reason != Reason::NotOffered);
        let gaps = gaps.map(|gap| format!("{}: {}", gap.scope, gap.unchecked.detail));
        let lost = match self.order.lost {
            0 => None,
            1 => Some("1 chosen server: the newest audit does not have it".to_owned()),
            lost => Some(format!("{lost} chosen servers: the newest audit does not have them")),
        };
        let permissions = planned.permissions.as_ref();
        let permissions = permissions.map(|why| format!("what the identity may change: {}", why.detail));
        gaps.chain(missing).chain(lost).chain(permissions).collect()
    }
}

/// The word of a person holds for every server of the order: what stands in the plan is what was reviewed.
fn accept_all((reason, by): &(String, String)) -> AcceptBreakage {
    AcceptBreakage { selector: "*".to_owned(), reason: reason.clone(), by: Some(by.clone()) }
}

impl PlanProgress {
    fn count(&mut self, event: &AuditEvent<'_>) {
        match event {
            AuditEvent::Found(count) => self.found += count,
            AuditEvent::Looked => self.looked += 1,
            AuditEvent::Reading(what) => self.note = format!("; {what}"),
            AuditEvent::Subscriptions(_) | AuditEvent::Subscription(..) => {}
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
