//! Plans that are made here: each in a thread of its own, then kept in memory until it is applied or too old.

use crate::changing::Change;
use crate::live::Trouble;
use crate::state::Shared;
use hostssl_azure::Stop;
use hostssl_model::{Reason, Scope};
use hostssl_ops::{Discovery, Event, PlanError, PlanRequest, Planned, Stamp, Tenant, make_plan};
use hostssl_remediation::{Goal, Plan, PlanOptions};
use jiff::Timestamp;
use serde::Serialize;
use std::collections::{BTreeSet, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::sync::watch;

/// Plans kept at once; beyond, the oldest goes.
const MAX_PLANS: usize = 50;

/// What to plan.
#[derive(Debug, Clone)]
pub(crate) struct Wanted {
    /// The ids of the servers in lower case; nothing else may be in the plan.
    pub(crate) servers: Arc<BTreeSet<String>>,
    pub(crate) scope: Scope,
    pub(crate) goal: Goal,
    pub(crate) options: PlanOptions,
    /// The page that it was asked for on.
    pub(crate) back: String,
    /// How many servers were chosen that the audit does not have.
    pub(crate) lost: usize,
}

/// How far the planning is.
#[derive(Debug, Clone, Default, Serialize)]
pub(crate) struct Progress {
    pub(crate) found: usize,
    pub(crate) looked: usize,
    pub(crate) stopping: bool,
    #[serde(skip)]
    pub(crate) end: Option<Made>,
}

/// What came of it.
#[derive(Debug, Clone)]
pub(crate) enum Made {
    Ready(Arc<Ready>),
    Lost(Trouble),
}

/// A plan to be reviewed.
#[derive(Debug)]
pub(crate) struct Ready {
    pub(crate) plan: Plan,
    /// What could not be considered, one line each.
    pub(crate) unseen: Vec<String>,
}

/// A plan that is being made, or was.
pub(crate) struct Planning {
    pub(crate) id: String,
    pub(crate) started_ms: i64,
    pub(crate) by: String,
    pub(crate) wanted: Wanted,
    progress: watch::Sender<Progress>,
    stop: watch::Sender<Option<Stop>>,
    /// The run that applies it. Locked while one is started, so that a form posted twice begins one.
    run: Mutex<Option<Arc<Change>>>,
}

/// The plans of this process.
#[derive(Default)]
pub(crate) struct Plans(Mutex<VecDeque<Arc<Planning>>>);

impl Plans {
    pub(crate) fn find(&self, id: &str) -> Option<Arc<Planning>> {
        lock(&self.0).iter().find(|planning| planning.id == id).cloned()
    }

    /// Every plan, the newest first.
    pub(crate) fn all(&self) -> Vec<Arc<Planning>> {
        lock(&self.0).iter().rev().cloned().collect()
    }

    fn add(&self, planning: Arc<Planning>) {
        let mut plans = lock(&self.0);
        plans.push_back(planning);
        while plans.len() > MAX_PLANS {
            // Nobody waits for it any more.
            if let Some(oldest) = plans.pop_front() {
                oldest.stop();
            }
        }
    }
}

impl Planning {
    /// Starts planning.
    pub(crate) fn start(shared: &Shared, by: &str, wanted: Wanted) -> Arc<Self> {
        let planning = Arc::new(Self {
            id: uuid::Uuid::now_v7().to_string(),
            started_ms: Timestamp::now().as_millisecond(),
            by: by.to_owned(),
            wanted,
            progress: watch::Sender::new(Progress::default()),
            stop: watch::Sender::new(None),
            run: Mutex::default(),
        });
        shared.plans.add(planning.clone());
        let (shared, started) = (shared.clone(), planning.clone());
        let spawned = std::thread::Builder::new().name("hostssl-plan".into()).spawn(move || {
            let guard = EndsAnyway(&started);
            let made = match started.work(&shared) {
                Ok(ready) => Made::Ready(Arc::new(ready)),
                Err(trouble) => Made::Lost(trouble),
            };
            started.end(made);
            drop(guard);
        });
        if spawned.is_err() {
            planning.end(Made::Lost(no_thread()));
        }
        planning
    }

    pub(crate) fn progress(&self) -> Progress {
        self.progress.borrow().clone()
    }

    pub(crate) fn follow(&self) -> watch::Receiver<Progress> {
        self.progress.subscribe()
    }

    /// The plan, once it is made.
    pub(crate) fn ready(&self) -> Option<Arc<Ready>> {
        match &self.progress.borrow().end {
            Some(Made::Ready(ready)) => Some(ready.clone()),
            _ => None,
        }
    }

    /// Gives up.
    pub(crate) fn stop(&self) {
        self.stop.send_replace(Some(Stop::Interrupted));
        self.progress.send_modify(|progress| progress.stopping = true);
    }

    /// The place of the run that applies it.
    pub(crate) fn run(&self) -> MutexGuard<'_, Option<Arc<Change>>> {
        lock(&self.run)
    }

    fn end(&self, made: Made) {
        self.progress.send_modify(|progress| progress.end = Some(made));
    }

    fn work(&self, shared: &Shared) -> Result<Ready, Trouble> {
        let runtime = runtime()?;
        let made = runtime.block_on(async {
            let (stop, deadline) = (self.stop.clone(), shared.options.deadline);
            tokio::spawn(async move {
                tokio::time::sleep(deadline).await;
                stop.send_replace(Some(Stop::Deadline));
            });
            let tenants = (shared.connect)(self.stop.subscribe()).await?;
            let planned = self.plan(shared, &tenants).await?;
            if self.stop.borrow().is_some() {
                return Err(Trouble {
                    what: "planning was stopped before everything was looked at".into(),
                    hint: "plan again".into(),
                });
            }
            self.ready_of(planned)
        });
        runtime.shutdown_background();
        made
    }

    /// A plan is for one tenant: the one that has the servers.
    async fn plan(&self, shared: &Shared, tenants: &[Tenant]) -> Result<Planned, Trouble> {
        let request = PlanRequest {
            scope: self.wanted.scope.clone(),
            except: Vec::new(),
            profile: shared.options.profile.clone(),
            goal: self.wanted.goal.clone(),
            options: self.wanted.options,
            discovery: Discovery::Lists,
        };
        let mut trouble = Trouble {
            what: "nobody is signed in to Azure".into(),
            hint: "start the console with a tenant that the identity can sign in to".into(),
        };
        for tenant in tenants {
            let stamp = Stamp {
                id: self.id.clone(),
                started_at: format!("{:.6}", Timestamp::now()),
                now: &|| format!("{:.6}", Timestamp::now()),
                tool_version: &shared.options.version,
            };
            match make_plan(tenant, &request, stamp, &mut |event| self.note(&event)).await {
                Ok(planned) => return Ok(planned),
                Err(PlanError::Scope(error)) => {
                    trouble = Trouble {
                        what: error.to_string(),
                        hint: "choose servers of one tenant that the identity sees, and audit again".into(),
                    };
                }
                Err(error @ PlanError::Invalid(_)) => {
                    return Err(Trouble { what: chain(&error), hint: "choose other bounds".into() });
                }
            }
        }
        Err(trouble)
    }

    fn ready_of(&self, planned: Planned) -> Result<Ready, Trouble> {
        let chosen = |id: &str| self.wanted.servers.contains(&id.to_ascii_lowercase());
        // The engine's scope has names, and a name may stand in another resource group too.
        if let Some(step) = planned.plan.steps().iter().find(|step| !chosen(step.server.as_str())) {
            return Err(Trouble {
                what: format!("another server has the name {} and would be changed too", step.server.name()),
                hint: "plan for one of the two at a time".into(),
            });
        }
        let seen: BTreeSet<String> =
            planned.audit.servers.iter().map(|one| one.server.id.as_str().to_ascii_lowercase()).collect();
        let missing = self.wanted.servers.iter().filter(|id| !seen.contains(*id));
        let missing = missing.map(|id| format!("{id}: Azure does not list it now"));
        let of_servers = |scope: &str| hostssl_model::ResourceId::try_from(scope).is_ok();
        let gaps = planned.audit.gaps.iter().filter(|gap| !of_servers(&gap.scope)).chain(&planned.unseen);
        // Where a kind of server is not offered, none was missed.
        let gaps = gaps.filter(|gap| gap.blind.reason != Reason::NotOffered);
        let lost = match self.wanted.lost {
            0 => None,
            1 => Some("1 chosen server: the newest audit does not have it".to_owned()),
            lost => Some(format!("{lost} chosen servers: the newest audit does not have them")),
        };
        let gaps = gaps.map(|gap| format!("{}: {}", gap.scope, gap.blind.detail));
        let unseen = gaps.chain(missing).chain(lost).collect();
        Ok(Ready { plan: planned.plan, unseen })
    }

    fn note(&self, event: &Event<'_>) {
        self.progress.send_modify(|progress| match event {
            Event::Found(count) => progress.found += count,
            Event::Looked => progress.looked += 1,
            Event::Subscriptions(_) | Event::Subscription(..) => {}
        });
    }
}

/// A runtime for a thread of its own.
pub(crate) fn runtime() -> Result<tokio::runtime::Runtime, Trouble> {
    tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(|error| Trouble {
        what: format!("it could not be started: {error}"),
        hint: "start it again when the machine has less to do".into(),
    })
}

pub(crate) fn no_thread() -> Trouble {
    Trouble {
        what: "the system gives this process no thread".into(),
        hint: "start it again when the machine has less to do".into(),
    }
}

/// An error with its causes, each said once.
pub(crate) fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        let part = error.to_string();
        if !text.contains(&part) {
            text = format!("{text}: {part}");
        }
        cause = error.source();
    }
    text
}

/// If the work panics, pages must not show it under way for ever.
struct EndsAnyway<'a>(&'a Planning);

impl Drop for EndsAnyway<'_> {
    fn drop(&mut self) {
        if self.0.progress.borrow().end.is_none() {
            self.0.end(Made::Lost(Trouble {
                what: "planning ended by a defect of hostssl".into(),
                hint: "please report it with what the console wrote to its terminal".into(),
            }));
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
