//! An audit that was started here: under way in a thread of its own, followed by pages, stopped from a page.

use crate::planning::chain;
use crate::state::Shared;
use futures::future::LocalBoxFuture;
use hostssl_azure::{Stop, StopSignal};
use hostssl_model::{AuditReport, Outcome, Scope};
use hostssl_ops::{AuditRequest, Discovery, Event, Stamp, Tenant, audit_and_probe};
use jiff::Timestamp;
use serde::Serialize;
use std::sync::Arc;
use tokio::sync::watch;

/// Signs in, every time anew: a token that ran out in between is none of the pages' concern. Told to stop by the signal.
pub type Connect = Arc<dyn Fn(StopSignal) -> LocalBoxFuture<'static, Result<Vec<Tenant>, Trouble>> + Send + Sync>;

/// Something that keeps an audit from its work, for people.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Trouble {
    /// What happened.
    pub what: String,
    /// What to do.
    pub hint: String,
}

/// How far an audit is.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub(crate) struct Progress {
    /// Subscriptions that are done.
    pub(crate) subscriptions: usize,
    /// Of how many; unknown at first.
    pub(crate) of: Option<usize>,
    /// Servers found so far.
    pub(crate) found: usize,
    /// Servers looked at.
    pub(crate) looked: usize,
    /// Of those in subscriptions that are done: how many fail.
    pub(crate) failed: usize,
    /// And how many could not be judged.
    pub(crate) unknown: usize,
    /// Whether it was told to stop.
    pub(crate) stopping: bool,
    /// How it ended.
    #[serde(skip)]
    pub(crate) end: Option<End>,
}

/// How an audit ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum End {
    /// It is kept under its id.
    Kept,
    /// It is not there, and why.
    Lost(Trouble),
}

/// An audit that was started here.
pub(crate) struct Live {
    pub(crate) id: String,
    pub(crate) started_ms: i64,
    pub(crate) started_by: String,
    pub(crate) wanted: Wanted,
    progress: watch::Sender<Progress>,
    stop: watch::Sender<Option<Stop>>,
}

/// What an audit is to look at.
#[derive(Debug, Clone)]
pub(crate) struct Wanted {
    /// Where.
    pub(crate) scope: Scope,
    /// Whether at the wire too, if the console can.
    pub(crate) probe: bool,
    /// The one server, by key and name, that it is about.
    pub(crate) server: Option<(String, String)>,
}

impl Live {
    /// Starts an audit, or returns the one that is under way: a form that is posted twice starts one.
    pub(crate) fn start(shared: &Shared, by: &str, wanted: Wanted) -> Arc<Self> {
        let live = Arc::new(Self {
            id: uuid::Uuid::now_v7().to_string(),
            started_ms: Timestamp::now().as_millisecond(),
            started_by: by.to_owned(),
            wanted,
            progress: watch::Sender::new(Progress::default()),
            stop: watch::Sender::new(None),
        });
        let (live, new) = shared.put_live(live);
        if new {
            let (shared, started) = (shared.clone(), live.clone());
            // A thread of its own: the audit's future stays on one thread, and pages never wait for it.
            let spawned = std::thread::Builder::new().name("hostssl-audit".into()).spawn(move || started.run(&shared));
            if spawned.is_err() {
                live.end(End::Lost(Trouble {
                    what: "the system gives this process no thread".into(),
                    hint: "start the audit again when the machine has less to do".into(),
                }));
            }
        }
        live
    }

    pub(crate) fn is_running(&self) -> bool {
        self.progress.borrow().end.is_none()
    }

    /// How far it is.
    pub(crate) fn progress(&self) -> Progress {
        self.progress.borrow().clone()
    }

    /// Follows it.
    pub(crate) fn follow(&self) -> watch::Receiver<Progress> {
        self.progress.subscribe()
    }

    /// Tells it to stop; what was seen until then is kept.
    pub(crate) fn stop(&self) {
        self.stop.send_replace(Some(Stop::Interrupted));
        self.progress.send_modify(|progress| progress.stopping = true);
    }

    fn end(&self, end: End) {
        self.progress.send_modify(|progress| progress.end = Some(end));
    }

    fn run(&self, shared: &Shared) {
        // If the work panics, pages must not show it under way for ever.
        let guard = EndsAnyway(self);
        let end = match self.look(shared).and_then(|report| keep(shared, &report)) {
            Ok(()) => End::Kept,
            Err(trouble) => End::Lost(trouble),
        };
        self.end(end);
        drop(guard);
    }

    fn look(&self, shared: &Shared) -> Result<AuditReport, Trouble> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(|error| Trouble {
            what: format!("the audit could not be started: {error}"),
            hint: "start it again when the machine has less to do".into(),
        })?;
        let report = runtime.block_on(async {
            let (stop, deadline) = (self.stop.clone(), shared.options.deadline);
            tokio::spawn(async move {
                tokio::time::sleep(deadline).await;
                stop.send_replace(Some(Stop::Deadline));
            });
            let tenants = (shared.connect)(self.stop.subscribe()).await?;
            let look = shared.options.wire.as_ref().filter(|_| self.wanted.probe);
            let probe = look.map(|look| (look.probe)(self.stop.subscribe())).transpose()?;
            let request = AuditRequest {
                scope: self.wanted.scope.clone(),
                profile: look.map_or(&shared.options.profile, |look| &look.profile).clone(),
                discovery: Discovery::Lists,
            };
            let stamp = Stamp {
                id: self.id.clone(),
                started_at: rfc3339(self.started_ms),
                now: &|| format!("{:.6}", Timestamp::now()),
                tool_version: &shared.options.version,
            };
            let done = audit_and_probe(&tenants, &request, probe.as_ref(), stamp, &mut |event| self.note(&event)).await;
            let report = done.map_err(|error| Trouble {
                what: error.to_string(),
                hint: "start the console with another scope".into(),
            })?;
            let exchange = look.and_then(|look| look.exchange.as_ref());
            if let Some((take, (key, _))) = exchange.zip(self.wanted.server.as_ref()) {
                let mut stopped = self.stop.subscribe();
                tokio::select! {
                    () = shared.exchanges.take(take, &report, key) => {}
                    _ = stopped.wait_for(Option::is_some) => {}
                }
            }
            Ok(report)
        });
        runtime.shutdown_background();
        report
    }

    fn note(&self, event: &Event<'_>) {
        self.progress.send_modify(|progress| match event {
            Event::Subscriptions(count) => progress.of = Some(*count),
            Event::Found(count) => progress.found += count,
            Event::Looked => progress.looked += 1,
            Event::Subscription(_, _, servers) => {
                let of = |outcome| servers.iter().filter(|server| server.outcome == outcome).count();
                progress.subscriptions += 1;
                progress.failed += of(Outcome::Fail);
                progress.unknown += of(Outcome::Unknown);
            }
        });
    }
}

struct EndsAnyway<'a>(&'a Live);

impl Drop for EndsAnyway<'_> {
    fn drop(&mut self) {
        if self.0.is_running() {
            self.0.end(End::Lost(Trouble {
                what: "the audit ended by a defect of hostssl".into(),
                hint: "please report it with what the console wrote to its terminal".into(),
            }));
        }
    }
}

fn keep(shared: &Shared, report: &AuditReport) -> Result<(), Trouble> {
    let lost = |error: hostssl_store::StoreError| Trouble {
        what: format!("the audit was done and could not be kept: {}", chain(&error)),
        hint: error.hint().to_owned(),
    };
    shared.store.save(report).map_err(lost)?;
    // The overview asks for it next.
    if let Ok(Some(latest)) = shared.store.latest() {
        shared.readiness(&latest);
    }
    if let Some(retain) = shared.options.retain
        && let Err(error) = shared.store.prune(retain)
    {
        tracing::warn!(%error, "old audits could not be deleted");
    }
    Ok(())
}

fn rfc3339(ms: i64) -> String {
    Timestamp::from_millisecond(ms).map(|time| format!("{time:.6}")).unwrap_or_default()
}
