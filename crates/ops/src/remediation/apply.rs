//! Apply, resume and undo: what stands between an approved plan and the executor.

use super::census_gate::{ClientsSeen, KeptEvidence, seen_since};
use super::preflight::{NotPermitted, preflight};
use super::writer::ArmWriter;
use crate::Tenant;
use hostssl_model::{Advice, Fault, Hint, Principal, ResourceId, Stop, Unchecked};
use hostssl_remediation::{
    Approved, Clock, ContextMismatch, EventSink, ExecuteError, Executor, ExecutorOptions, Journal, Judge, LoadedRun,
    OnResume, Plan, PlanContext, Report, RunId, Step,
};
use std::time::Duration;

/// Everything that it takes to change servers.
pub struct Remediation<'a> {
    /// Where, and as whom. Its client must not be stopped by an interrupt: what is in progress is followed to its end.
    pub tenant: &'a Tenant,
    /// Who ordered it, when the identity acts for a person: the journal then has both.
    pub on_behalf: Option<&'a str>,
    /// Keeps the run.
    pub journal: &'a dyn Journal,
    /// Where the kept censuses are: an apply refuses no client that the census has found since its plan was made.
    pub clients: Option<&'a dyn KeptEvidence>,
    /// Gives the time.
    pub clock: &'a dyn Clock,
    /// Probes listeners, if requested.
    pub judge: Option<&'a dyn Judge>,
    /// Receives what happens.
    pub events: &'a dyn EventSink,
    /// Receives why Azure did not say what the identity may do, when it did not.
    pub on_untold: &'a (dyn Fn(&Unchecked) + Send + Sync),
    /// Given when the run is to end.
    pub stop: hostssl_azure::StopSignal,
    /// The pace and the patience.
    pub options: ExecutorOptions,
}

/// Nothing was written, or the journal refused.
#[derive(Debug, thiserror::Error)]
pub enum RemediationError {
    /// The plan is not for here and now.
    #[error("{}", all(.0))]
    Mismatch(Vec<ContextMismatch>),
    /// The run was made elsewhere.
    #[error("{}", all(.0))]
    OtherPlace(Vec<ContextMismatch>),
    /// The identity may not change some of the servers.
    #[error(
        "the identity may not change {} of the servers, so nothing was written: {}",
        .0.len(),
        first_few(.0)
    )]
    NotPermitted(Vec<NotPermitted>),
    /// The census has found clients since the plan was made that it would refuse.
    #[error("the census has found clients since the plan was made that it would refuse, so nothing was written: {}", named(.0))]
    ClientsSeen(Vec<ClientsSeen>),
    /// The run was stopped before the first write.
    #[error("{0} before anything was written")]
    Stopped(Stop),
    /// The run could not continue.
    #[error(transparent)]
    Execute(#[from] ExecuteError),
}

impl Advice for RemediationError {
    fn advice(&self) -> Hint {
        Hint::from(match self {
            Self::Mismatch(_) => "nothing was written; create the plan again here: `hostssl plan`",
            Self::OtherPlace(all) if all.iter().all(|one| matches!(one, ContextMismatch::FromTheFuture(_))) => {
                "correct this machine's clock: it is earlier than the start of the run"
            }
            Self::Stopped(_) => "nothing was written; start it again when you are ready",
            Self::OtherPlace(_) => {
                "sign in where the run was made, with --tenant and --cloud; a run of a simulation needs --simulate"
            }
            Self::NotPermitted(_) => {
                "ask for the role that `hostssl role remediate` prints, or leave these servers out: --except NAME, or Exclude on the plan's page"
            }
            Self::ClientsSeen(_) => {
                "`hostssl clients` lists them; then plan again: `hostssl plan`, which leaves these servers out unless --accept-breakage names them"
            }
            Self::Execute(error) => return error.advice(),
        })
    }

    fn fault(&self) -> Fault {
        match self {
            Self::Mismatch(_) | Self::OtherPlace(_) => Fault::Request,
            Self::NotPermitted(_) | Self::ClientsSeen(_) | Self::Stopped(_) => Fault::Environment,
            Self::Execute(error) => error.fault(),
        }
    }
}

fn all(mismatches: &[ContextMismatch]) -> String {
    mismatches.iter().map(ToString::to_string).collect::<Vec<_>>().join("; ")
}

/// What hostssl writes of a plan.
fn executable(plan: &Plan) -> Vec<&Step> {
    plan.steps().iter().filter(|step| step.is_executable()).collect()
}

/// The first few.
fn first_few(missing: &[impl ToString]) -> String {
    const TOLD: usize = 3;
    let mut text = missing.iter().take(TOLD).map(ToString::to_string).collect::<Vec<_>>().join(", ");
    if missing.len() > TOLD {
        text.push_str(", …");
    }
    text
}

fn named(seen: &[ClientsSeen]) -> String {
    let text = |one: &ClientsSeen| {
        let plural = if one.clients == 1 { "client" } else { "clients" };
        format!("{} ({} {plural})", one.server.name(), one.clients)
    };
    first_few(&seen.iter().map(text).collect::<Vec<_>>())
}

impl Remediation<'_> {
    /// Applies an approved plan as a new run, when it is for here and now and the identity may write.
    ///
    /// # Errors
    ///
    /// [`RemediationError`]. A step that does not end well is not an error: the report says so.
    pub async fn apply(
        &self,
        approved: &Approved<Plan>,
        run: &RunId,
        max_age: Duration,
    ) -> Result<Report, RemediationError> {
        let plan = approved.plan();
        let principal = &self.tenant.principal;
        let id = principal.object_id.as_deref().unwrap_or(&principal.name);
        self.check_context(plan, Some(id), max_age)?;
        let seen = self.clients.map(|clients| seen_since(clients, plan)).unwrap_or_default();
        if !seen.is_empty() {
            return Err(RemediationError::ClientsSeen(seen));
        }
        self.check_permissions(&executable(plan)).await?;
        let by = match self.on_behalf {
            Some(person) => Principal { name: format!("{person} via {}", principal.name), ..principal.clone() },
            None => principal.clone(),
        };
        Ok(self.executor(&self.writer()).apply(approved, run, &by).await?)
    }

    /// Continues a run that was stopped, as it was loaded from this journal. The servers to forget are not checked:
    /// their steps end as they are.
    ///
    /// # Errors
    ///
    /// [`RemediationError`], [`ExecuteError::NothingToResume`] among them.
    pub async fn resume(
        &self,
        run: LoadedRun,
        rest: OnResume,
        forgotten: &[ResourceId],
    ) -> Result<Report, RemediationError> {
        self.check_place(&run)?;
        Ok(self.executor(&self.writer()).resume(run, rest, forgotten).await?)
    }

    /// Undoes exactly what a run changed, as it was loaded from this journal, but for the servers to forget. The reason
    /// is kept in the journal.
    ///
    /// # Errors
    ///
    /// [`RemediationError`], [`ExecuteError::NotEnded`] among them.
    pub async fn undo(
        &self,
        run: LoadedRun,
        forgotten: &[ResourceId],
        reason: Option<&str>,
    ) -> Result<Report, RemediationError> {
        self.check_place(&run)?;
        let mut steps = executable(&run.plan);
        steps.retain(|step| !forgotten.contains(&step.server));
        self.check_permissions(&steps).await?;
        Ok(self.executor(&self.writer()).undo(run, forgotten, reason).await?)
    }

    fn writer(&self) -> ArmWriter {
        ArmWriter::new(self.tenant.arm.clone())
    }

    fn executor<'a>(&'a self, writer: &'a ArmWriter) -> Executor<'a, ArmWriter> {
        Executor {
            writer,
            journal: self.journal,
            clock: self.clock,
            judge: self.judge,
            events: self.events,
            stop: self.stop.clone(),
            options: self.options,
        }
    }

    /// Another person may continue or undo a run much later, but must be in the same place.
    fn check_place(&self, run: &LoadedRun) -> Result<(), RemediationError> {
        self.check_context(&run.plan, None, Duration::MAX).map_err(|error| match error {
            RemediationError::Mismatch(mismatches) => RemediationError::OtherPlace(mismatches),
            error => error,
        })
    }

    fn check_context(&self, plan: &Plan, principal: Option<&str>, max_age: Duration) -> Result<(), RemediationError> {
        let context = PlanContext {
            cloud: &self.tenant.arm.cloud().name,
            tenant: self.tenant.principal.tenant.as_deref(),
            principal,
            now_ms: self.clock.now_ms(),
            max_age,
        };
        plan.check_context(&context).map_err(RemediationError::Mismatch)
    }

    async fn check_permissions(&self, steps: &[&Step]) -> Result<(), RemediationError> {
        let mut stop = self.stop.clone();
        // Nothing was begun yet, so nothing needs to be settled: a stop ends it at once, whatever Azure asks to wait.
        let asked = tokio::select! {
            asked = preflight(&self.tenant.arm, steps) => asked,
            stop = hostssl_azure::stopped(&mut stop) => return Err(RemediationError::Stopped(stop)),
        };
        if let Some(unchecked) = &asked.untold {
            (self.on_untold)(unchecked);
        }
        if asked.missing.is_empty() { Ok(()) } else { Err(RemediationError::NotPermitted(asked.missing)) }
    }
}
