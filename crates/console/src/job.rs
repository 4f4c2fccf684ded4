//! Work that takes longer than a page may: on a thread and a runtime of its own, with progress that pages follow, a stop
//! that names who asked for it, and an end in every case.
//!
//! [`JobWork`] says what is done; the audits, plans and changes in [`jobs`](crate::jobs) are the three there are.

use crate::exchanges::Exchanges;
use crate::options::{Connect, ConsoleOptions};
use crate::prober_port::ProberDesk;
use crate::progress_notes::ProgressNotes;
use crate::readiness_cache::ReadinessCache;
use crate::trouble::Trouble;
use crate::view::{count, plural};
use hostssl_ops::RunContext;
use hostssl_ops::{Stop, StopSignal};
use hostssl_store::{AuditStore, WorkInProgress, WorkKind, this_process};
use jiff::Timestamp;
use serde::Serialize;
use std::convert::Infallible;
use std::sync::Arc;
use tokio::runtime::{Builder, Runtime};
use tokio::sync::watch;

/// What work may use: neither sessions nor pages nor other work.
pub(crate) struct JobContext {
    pub(crate) options: Arc<ConsoleOptions>,
    pub(crate) store: Arc<AuditStore>,
    /// Signs in to Azure.
    pub(crate) connect: Connect,
    pub(crate) exchanges: Arc<Exchanges>,
    pub(crate) readiness: ReadinessCache,
    /// The probers in zones.
    pub(crate) desk: ProberDesk,
}

/// One kind of work.
pub(crate) trait JobWork: Sized + Send + Sync + 'static {
    /// What people call it, such as `audit`.
    const NAME: &'static str;
    /// What to do when it ended by a defect.
    const AFTER_DEFECT: &'static str = "report it with what the console wrote to its terminal";
    /// As what other consoles of the state are told how far it is, if they are.
    const NOTED_AS: Option<WorkKind> = None;
    /// How far it is.
    type Progress: Clone + Send + Sync;
    /// What it leaves in memory.
    type Outcome: Clone + Send + Sync;

    /// How many servers are checked, of how many that were found so far: what other consoles are told.
    fn servers(_: &Self::Progress) -> (usize, usize) {
        (0, 0)
    }

    /// Does the work. The future stays on one thread, and pages never wait for it.
    fn run(&self, job: &Job<Self>, context: &JobContext) -> impl Future<Output = Result<Self::Outcome, Trouble>>;
}

/// Why work ends before it is done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum StopCause {
    /// Someone asked for it.
    Person(String),
    /// Its time ran out.
    Deadline,
    /// The console ends.
    Shutdown,
}

impl StopCause {
    /// How an end before the end is told, everywhere: who or what stopped it, and after how much.
    pub(crate) fn after(&self, done: usize, of: usize, noun: &str) -> String {
        let (done, of) = (count(done as u64), plural(of as u64, noun));
        match self {
            Self::Person(person) => format!("Stopped by {person} after {done} of {of}"),
            Self::Deadline => format!("Stopped by the deadline after {done} of {of}"),
            Self::Shutdown => format!("Stopped with the console after {done} of {of}"),
        }
    }
}

/// Where a job stands.
#[derive(Debug, Clone)]
pub(crate) struct JobStatus<P, O> {
    pub(crate) progress: P,
    /// Why it was told to stop, when it was.
    pub(crate) stop: Option<StopCause>,
    /// What came of it, once it has ended.
    pub(crate) end: Option<Result<O, Trouble>>,
}

/// What live pages receive.
#[derive(Serialize)]
struct LiveUpdate<'a, T> {
    #[serde(flatten)]
    progress: &'a T,
    stopping: bool,
}

impl<P, O> JobStatus<P, O> {
    pub(crate) fn is_stopping(&self) -> bool {
        self.stop.is_some()
    }

    /// The data of a server-sent event that shows this progress, and whether it is the last one.
    pub(crate) fn update<T: Serialize>(&self, progress: &T) -> (String, bool) {
        let update = LiveUpdate { progress, stopping: self.is_stopping() };
        (serde_json::to_string(&update).unwrap_or_default(), self.end.is_some())
    }
}

pub(crate) type StatusOf<W> = JobStatus<<W as JobWork>::Progress, <W as JobWork>::Outcome>;

/// A piece of work that was started here, in progress or ended.
pub(crate) struct Job<W: JobWork> {
    pub(crate) id: String,
    /// When it was started, in milliseconds since 1970-01-01T00:00:00Z.
    pub(crate) started_ms: i64,
    pub(crate) started_by: String,
    pub(crate) work: W,
    status: watch::Sender<StatusOf<W>>,
    stop: watch::Sender<Option<Stop>>,
}

impl<W: JobWork> Job<W> {
    /// A job that [`Job::spawn`] starts.
    pub(crate) fn new(id: String, by: &str, work: W, progress: W::Progress) -> Arc<Self> {
        Arc::new(Self {
            id,
            started_ms: Timestamp::now().as_millisecond(),
            started_by: by.to_owned(),
            work,
            status: watch::Sender::new(JobStatus { progress, stop: None, end: None }),
            stop: watch::Sender::new(None),
        })
    }

    /// A job that ended elsewhere with this outcome.
    pub(crate) fn ended(
        (id, started_ms, by): (String, i64, String),
        work: W,
        progress: W::Progress,
        outcome: W::Outcome,
    ) -> Arc<Self> {
        let status = JobStatus { progress, stop: None, end: Some(Ok(outcome)) };
        let (status, stop) = (watch::Sender::new(status), watch::Sender::new(None));
        Arc::new(Self { id, started_ms, started_by: by, work, status, stop })
    }

    /// Starts the work on a thread of its own.
    pub(crate) fn spawn(self: &Arc<Self>, context: &Arc<JobContext>) {
        let (job, context) = (self.clone(), context.clone());
        let work = move || {
            let ends = EndsAnyway(&job);
            let notes = EndsNotes(ProgressNotes::new(context.store.clone(), &job.id));
            let end = runtime().and_then(|runtime| {
                let end = runtime.block_on(job.work_until_deadline(&context, &notes.0));
                // A lookup of a name may hang in the system's resolver, and is not waited for.
                runtime.shutdown_background();
                end
            });
            drop(notes);
            job.end(end);
            drop(ends);
        };
        if let Err(error) = std::thread::Builder::new().name(format!("hostssl-{}", W::NAME)).spawn(work) {
            self.end(Err(not_started(&error)));
        }
    }

    async fn work_until_deadline(&self, context: &JobContext, notes: &ProgressNotes) -> Result<W::Outcome, Trouble> {
        let deadline = async {
            tokio::time::sleep(context.options.deadline).await;
            // The work sees the stop and ends by itself, with what it has.
            self.stop_for(StopCause::Deadline);
            std::future::pending::<Infallible>().await
        };
        let noted = async {
            match W::NOTED_AS {
                Some(kind) => notes.follow(|| self.noted_as(kind)).await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            end = self.work.run(self, context) => end,
            never = deadline => match never {},
            never = noted => match never {},
        }
    }

    /// What other consoles are told of it now.
    fn noted_as(&self, kind: WorkKind) -> WorkInProgress {
        let (looked, found) = W::servers(&self.status.borrow().progress);
        WorkInProgress {
            id: self.id.clone(),
            kind,
            console: this_process(),
            person: self.started_by.clone(),
            began_ms: self.started_ms,
            heard_ms: Timestamp::now().as_millisecond(),
            looked: looked as u64,
            found: found as u64,
        }
    }

    pub(crate) fn is_running(&self) -> bool {
        self.status.borrow().end.is_none()
    }

    pub(crate) fn status(&self) -> StatusOf<W> {
        self.status.borrow().clone()
    }

    pub(crate) fn follow(&self) -> watch::Receiver<StatusOf<W>> {
        self.status.subscribe()
    }

    /// Asks for an end. The first cause stays.
    pub(crate) fn stop_for(&self, cause: StopCause) {
        let stop = if cause == StopCause::Deadline { Stop::Deadline } else { Stop::Interrupted };
        self.status.send_if_modified(|status| {
            let first = status.stop.is_none() && status.end.is_none();
            if first {
                status.stop = Some(cause);
            }
            first
        });
        self.stop.send_if_modified(|given| given.is_none() && given.replace(stop).is_none());
    }

    /// Given when the work is to end.
    pub(crate) fn stop_signal(&self) -> StopSignal {
        self.stop.subscribe()
    }

    /// Moves the progress on.
    pub(crate) fn note(&self, change: impl FnOnce(&mut W::Progress)) {
        self.status.send_modify(|status| change(&mut status.progress));
    }

    fn end(&self, end: Result<W::Outcome, Trouble>) {
        self.status.send_modify(|status| status.end = Some(end));
    }

    /// When this work began, for the records of what it does.
    pub(crate) fn started_at(&self) -> Timestamp {
        Timestamp::from_millisecond(self.started_ms).unwrap_or_default()
    }
}

/// The context of an audit or a plan that a job makes.
pub(crate) fn run_context(id: String, started_at: Timestamp, options: &ConsoleOptions) -> RunContext<'_> {
    RunContext { id, started_at, clock: &Timestamp::now, tool_version: &options.version }
}

fn runtime() -> Result<Runtime, Trouble> {
    Builder::new_current_thread().enable_all().build().map_err(|error| not_started(&error))
}

fn not_started(error: &std::io::Error) -> Trouble {
    Trouble::new(
        format!("the operating system refused to start a thread: {error}"),
        "start it again when the machine is less busy",
    )
}

/// However the work ends, other consoles must not show it in progress.
struct EndsNotes(ProgressNotes);

impl Drop for EndsNotes {
    fn drop(&mut self) {
        self.0.end();
    }
}

/// If the work panics, pages must not show it in progress indefinitely.
struct EndsAnyway<'a, W: JobWork>(&'a Job<W>);

impl<W: JobWork> Drop for EndsAnyway<'_, W> {
    fn drop(&mut self) {
        if self.0.is_running() {
            let what = format!("the {} ended because of a bug in hostssl", W::NAME);
            self.0.end(Err(Trouble::new(what, W::AFTER_DEFECT)));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures::FutureExt as _;
    use std::time::Duration;

    /// Does what its name says.
    enum Test {
        WaitForStop,
        Panic,
    }

    impl JobWork for Test {
        const NAME: &'static str = "test";
        type Progress = u32;
        type Outcome = Stop;

        async fn run(&self, job: &Job<Self>, _: &JobContext) -> Result<Stop, Trouble> {
            job.note(|steps| *steps += 1);
            match self {
                Self::Panic => panic!("on purpose"),
                Self::WaitForStop => {
                    let mut stop = job.stop_signal();
                    let given = stop.wait_for(Option::is_some).await.map(|given| *given);
                    given.ok().flatten().ok_or_else(|| Trouble::new("no stop", "none"))
                }
            }
        }
    }

    fn context(directory: &std::path::Path, deadline: Duration) -> Arc<JobContext> {
        let store = Arc::new(AuditStore::open(directory).unwrap());
        Arc::new(JobContext {
            options: Arc::new(ConsoleOptions { deadline, ..ConsoleOptions::for_tests() }),
            store: store.clone(),
            connect: Arc::new(|_| async { Ok(Vec::new()) }.boxed_local()),
            exchanges: Arc::default(),
            desk: ProberDesk::default(),
            readiness: ReadinessCache::new(store),
        })
    }

    async fn end_of(job: &Job<Test>) -> StatusOf<Test> {
        job.follow().wait_for(|status| status.end.is_some()).await.unwrap().clone()
    }

    #[tokio::test]
    async fn who_stops_first_is_named() {
        let directory = tempfile::tempdir().unwrap();
        let job = Job::new("1".into(), "ada", Test::WaitForStop, 0);
        job.spawn(&context(directory.path(), Duration::from_secs(600)));
        job.follow().wait_for(|status| status.progress == 1).await.unwrap();
        assert!(job.is_running() && !job.status().is_stopping());
        job.stop_for(StopCause::Person("grace".into()));
        job.stop_for(StopCause::Shutdown);
        let status = end_of(&job).await;
        assert_eq!(status.stop, Some(StopCause::Person("grace".into())));
        assert_eq!(status.end, Some(Ok(Stop::Interrupted)));
    }

    #[tokio::test]
    async fn the_deadline_stops_work_and_says_so() {
        let directory = tempfile::tempdir().unwrap();
        let job = Job::new("1".into(), "ada", Test::WaitForStop, 0);
        job.spawn(&context(directory.path(), Duration::ZERO));
        let status = end_of(&job).await;
        assert_eq!((status.stop, status.end), (Some(StopCause::Deadline), Some(Ok(Stop::Deadline))));
    }

    #[tokio::test]
    async fn work_that_panics_has_ended() {
        let directory = tempfile::tempdir().unwrap();
        let job = Job::new("1".into(), "ada", Test::Panic, 0);
        job.spawn(&context(directory.path(), Duration::from_secs(600)));
        let trouble = end_of(&job).await.end.unwrap().unwrap_err();
        assert!(trouble.what.contains("bug in hostssl") && trouble.hint.to_string().contains("report"), "{trouble:?}");
        assert!(!job.is_running());
    }
}
