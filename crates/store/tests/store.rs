//! The store on a real disk: who may open it, what it refuses, what it keeps, and what survives a kill.

#![allow(clippy::unwrap_used, reason = "a test may stop at the first surprise")]

use hostssl_model::Kind;
use hostssl_remediation::{
    Approved, Direction, ExecuteError, ExecutionEvent, Executor, ExecutorOptions, Journal, JournalError, JournalEvent,
    JournalRecord, LoadedRun, NewRun, Plan, RequestId, RunId, RunOutcome, RunPhase, SafeText, StepEvent, StepOutcome,
};
use hostssl_store::{Store, StoreError, StoreReader};
use hostssl_test_support::clock::VirtualClock;
use hostssl_test_support::fleet::*;
use hostssl_test_support::harness::Harness;
use hostssl_test_support::world::{InjectedFault, SIGNATURE, World};
use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::{Command, Stdio};
use tempfile::TempDir;
use tokio::sync::watch;

fn directory() -> TempDir {
    tempfile::tempdir().unwrap()
}

fn sample_plan() -> Plan {
    PlannerKnowledge::new(vec![flexible("a", "off", "TLSv1.2"), flexible("b", "off", "TLSv1.2")]).plan()
}

fn run_id(name: &str) -> RunId {
    RunId::new(name).unwrap()
}

fn record(event: JournalEvent) -> JournalRecord {
    JournalRecord { at_ms: NOW_MS, event }
}

fn step(act: StepEvent) -> JournalRecord {
    record(JournalEvent::Step { step: 1, direction: Direction::Apply, act })
}

async fn begin(store: &Store, run: &RunId, plan: &Plan) -> Result<(), JournalError> {
    store
        .begin(&NewRun {
            id: run,
            plan,
            principal: plan.principal(),
            first: &record(JournalEvent::RunStarted { reason: None, pace: None }),
            approvals: None,
        })
        .await
}

/// All bytes of all files in a directory.
fn bytes(directory: &Path) -> Vec<u8> {
    let files = std::fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().path());
    files.flat_map(|path| std::fs::read(path).unwrap()).collect()
}

fn holds(haystack: &[u8], needle: &str) -> bool {
    haystack.windows(needle.len()).any(|window| window == needle.as_bytes())
}

#[test]
fn crashes_and_seeds_on_the_real_store() {
    for seed in 0..12_u64 {
        let directory = directory();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build().unwrap();
        let store = Store::open(directory.path()).unwrap();
        runtime.block_on(hostssl_test_support::seeded::survive(seed * 7919, &store));
        drop(store);
        let kept = bytes(directory.path());
        assert!(holds(&kept, "hostssl/plan/v1"));
        for secret in [SIGNATURE, "https://", "Bearer", "eyJ"] {
            assert!(!holds(&kept, secret), "{secret} was kept");
        }
    }
}

#[test]
fn a_crash_at_every_point_with_the_real_store() {
    let runtime = || tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build().unwrap();
    let plan = PlannerKnowledge::new(vec![flexible("a", "off", "TLSv1.2")]).plan();
    for fault in [InjectedFault::None, InjectedFault::LostAccepted] {
        for at in 1..=22 {
            let directory = directory();
            let store = Store::open(directory.path()).unwrap();
            runtime().block_on(async {
                let world = World::new(&[flexible("a", "off", "TLSv1.2")]);
                world.set_fault(&id(Kind::Flexible, "a"), fault);
                let clock = VirtualClock::new();
                let harness = Harness::new(&world, &store, &clock, &plan);
                let report = harness.apply(&[at]).await;
                assert_eq!(report.outcome, RunOutcome::Done, "{fault:?}, crash at {at}");
                harness.check(&report, |_| fault).await;
            });
        }
    }
}

#[tokio::test]
async fn one_process_at_a_time_and_readers_beside_it() {
    let directory = directory();
    assert!(matches!(StoreReader::open(directory.path()), Err(StoreError::NoState(_))));
    let store = Store::open(directory.path()).unwrap();
    match Store::open(directory.path()) {
        Err(error @ StoreError::LockedByAnother { pid }) => {
            assert_eq!(pid, Some(std::process::id()));
            assert!(error.to_string().contains(&std::process::id().to_string()));
        }
        other => panic!("{:?}", other.err()),
    }
    let reader = StoreReader::open(directory.path()).unwrap();
    assert_eq!(reader.runs().unwrap(), []);
    let plan = sample_plan();
    begin(&store, &run_id("run-1"), &plan).await.unwrap();
    let runs = reader.runs().unwrap();
    assert_eq!((runs.len(), runs[0].phase, runs[0].steps), (1, RunPhase::Applying, 2));
    assert_eq!((&runs[0].plan, &runs[0].principal), (plan.hash(), plan.principal()));
    drop(store);
    Store::open(directory.path()).unwrap();
}

#[tokio::test]
async fn nothing_else_begins_while_a_run_has_not_ended() {
    let directory = directory();
    let store = Store::open(directory.path()).unwrap();
    let plan = sample_plan();
    let (first, second) = (run_id("run-1"), run_id("run-2"));
    begin(&store, &first, &plan).await.unwrap();
    assert!(matches!(begin(&store, &second, &plan).await, Err(JournalError::Unfinished(run)) if run == first));
    let finish = [
        step(StepEvent::Ended { ending: StepOutcome::Already { waits_for_restart: false } }),
        record(JournalEvent::Step {
            step: 2,
            direction: Direction::Apply,
            act: StepEvent::Ended { ending: StepOutcome::Already { waits_for_restart: false } },
        }),
        record(JournalEvent::RunFinished),
    ];
    store.append(&first, &finish).await.unwrap();
    assert!(matches!(begin(&store, &first, &plan).await, Err(JournalError::RunExists(_))));
    begin(&store, &second, &plan).await.unwrap();
    let undo = store.append(&first, &[record(JournalEvent::UndoStarted { reason: None })]).await;
    assert!(matches!(undo, Err(JournalError::Unfinished(run)) if run == second));
    assert_eq!(store.load(&first).await.unwrap().records.len(), 4);
    let nowhere = run_id("run-3");
    assert!(matches!(store.append(&nowhere, &finish).await, Err(JournalError::NoSuchRun(_))));
    assert!(matches!(store.load(&nowhere).await, Err(JournalError::NoSuchRun(_))));
}

#[tokio::test]
async fn receipts_prove_each_write() {
    let directory = directory();
    let store = Store::open(directory.path()).unwrap();
    let run = run_id("run-1");
    begin(&store, &run, &sample_plan()).await.unwrap();
    let found = |value: &str| SafeText::new(value);
    let at =
        |at_ms, act| JournalRecord { at_ms, event: JournalEvent::Step { step: 1, direction: Direction::Apply, act } };
    let records = [
        at(1, StepEvent::Intent { found: found("off"), was_default: false }),
        at(2, StepEvent::Rejected { detail: found("busy") }),
        at(3, StepEvent::Intent { found: found("OFF"), was_default: false }),
        at(4, StepEvent::Accepted { request_id: RequestId::new("r-7").ok() }),
        at(5, StepEvent::Observed { found: found("on"), pending_restart: false }),
        at(5, StepEvent::Ended { ending: StepOutcome::Reached { note: None, waits_for_restart: false } }),
    ];
    for record in &records {
        store.append(&run, std::slice::from_ref(record)).await.unwrap();
    }
    let receipts = store.reader().receipts(&run).unwrap();
    assert_eq!(receipts.len(), 1, "a rejected write has no receipt");
    let receipt = &receipts[0];
    assert_eq!((receipt.value_before.as_str(), receipt.value_after.as_deref()), ("OFF", Some("on")));
    assert_eq!((receipt.request_id.as_deref(), receipt.intended_at_ms), (Some("r-7"), 3));
    assert_eq!((receipt.accepted_at_ms, receipt.observed_at_ms), (Some(4), Some(5)));
    let stored = store.load(&run).await.unwrap();
    assert_eq!(stored.records[1..], records);
}

#[tokio::test]
async fn one_failed_append_does_not_take_others_with_it() {
    let directory = directory();
    let store = Store::open(directory.path()).unwrap();
    let run = run_id("run-1");
    begin(&store, &run, &sample_plan()).await.unwrap();
    let (good, missing) = ([record(JournalEvent::RunResumed)], run_id("nowhere"));
    let (a, b, c) = tokio::join!(store.append(&run, &good), store.append(&missing, &good), store.append(&run, &good));
    assert!(a.is_ok() && c.is_ok() && matches!(b, Err(JournalError::NoSuchRun(_))));
    assert_eq!(store.load(&run).await.unwrap().records.len(), 3);
}

#[tokio::test]
async fn two_processes_that_lost_the_lock_do_not_write_one_run() {
    let directory = directory();
    let (run, plan) = (run_id("run-1"), sample_plan());
    let first = Store::open(directory.path()).unwrap();
    begin(&first, &run, &plan).await.unwrap();
    // Someone takes the lock file for a left-over.
    std::fs::remove_file(directory.path().join("hostssl.lock")).unwrap();
    let second = Store::open(directory.path()).unwrap();
    second.load(&run).await.unwrap();
    second.append(&run, &[record(JournalEvent::RunResumed)]).await.unwrap();
    let refused = first.append(&run, &[record(JournalEvent::RunFinished)]).await.unwrap_err();
    assert!(format!("{refused:?}").contains("NotAlone"), "{refused:?}");
    // And the other way round: what was read is not the end any more.
    first.load(&run).await.unwrap();
    first.append(&run, &[record(JournalEvent::RunResumed)]).await.unwrap();
    let refused = second.append(&run, &[record(JournalEvent::RunFinished)]).await.unwrap_err();
    assert!(format!("{refused:?}").contains("NotAlone"), "{refused:?}");
    assert!(first.load(&run).await.unwrap().load().is_ok(), "the journal makes sense all the same");
}

#[cfg(unix)]
#[tokio::test]
async fn a_journal_that_was_removed_keeps_nothing_more() {
    let directory = directory();
    let (run, plan) = (run_id("run-1"), sample_plan());
    let store = Store::open(directory.path()).unwrap();
    begin(&store, &run, &plan).await.unwrap();
    std::fs::remove_file(directory.path().join("hostssl.db")).unwrap();
    let refused = store.append(&run, &[record(JournalEvent::RunFinished)]).await.unwrap_err();
    assert!(format!("{refused:?}").contains("Gone"), "{refused:?}");
}

#[tokio::test]
async fn that_a_run_began_stands_in_the_database_itself() {
    let directory = directory();
    let (run, plan) = (run_id("run-1"), sample_plan());
    let store = Store::open(directory.path()).unwrap();
    begin(&store, &run, &plan).await.unwrap();
    let mut kept = 1;
    for act in [
        StepEvent::Intent { found: SafeText::new("off"), was_default: false },
        StepEvent::Accepted { request_id: None },
        StepEvent::Observed { found: SafeText::new("on"), pending_restart: false },
        StepEvent::Ended { ending: StepOutcome::Reached { note: None, waits_for_restart: false } },
    ] {
        store.append(&run, &[step(act)]).await.unwrap();
        kept += 1;
        let copy = self::directory();
        std::fs::copy(directory.path().join("hostssl.db"), copy.path().join("hostssl.db")).unwrap();
        let copied = Store::open(copy.path()).unwrap();
        let runs = copied.reader().runs().unwrap();
        assert!(runs.iter().any(|entry| entry.id == run && entry.phase.is_unfinished()));
        assert_eq!(copied.load(&run).await.unwrap().records.len(), kept);
    }
}

#[tokio::test]
async fn a_database_that_was_cut_short_in_place_is_noticed_before_the_next_write() {
    let directory = directory();
    let run = run_id("run-1");
    let store = Store::open(directory.path()).unwrap();
    begin(&store, &run, &sample_plan()).await.unwrap();
    std::fs::OpenOptions::new().write(true).open(directory.path().join("hostssl.db")).unwrap().set_len(4096).unwrap();
    let intent = step(StepEvent::Intent { found: SafeText::new("off"), was_default: false });
    assert!(matches!(store.append(&run, &[intent]).await, Err(JournalError::Corrupt(_))));
}

fn raw(directory: &Path) -> rusqlite::Connection {
    rusqlite::Connection::open(directory.join("hostssl.db")).unwrap()
}

#[tokio::test]
async fn the_journal_is_append_only_and_damage_is_told() {
    let directory = directory();
    let run = run_id("run-1");
    let store = Store::open(directory.path()).unwrap();
    begin(&store, &run, &sample_plan()).await.unwrap();
    drop(store);
    let connection = raw(directory.path());
    for statement in ["UPDATE journal SET at_ms = 0", "DELETE FROM journal"] {
        assert!(connection.execute(statement, []).unwrap_err().to_string().contains("append-only"));
    }
    connection.execute_batch("DROP TRIGGER journal_is_not_changed; UPDATE journal SET record = '{'").unwrap();
    drop(connection);
    let store = Store::open(directory.path()).unwrap();
    assert!(matches!(store.load(&run).await, Err(JournalError::Corrupt(_))));
}

#[tokio::test]
async fn a_plan_that_was_changed_in_the_store_is_refused() {
    let directory = directory();
    let (run, plan) = (run_id("run-1"), sample_plan());
    let store = Store::open(directory.path()).unwrap();
    begin(&store, &run, &plan).await.unwrap();
    raw(directory.path()).execute("UPDATE plans SET document = replace(document, '\"off\"', '\"OFF\"')", []).unwrap();
    // Without a loaded run, no executor can resume or undo it.
    assert!(matches!(LoadedRun::read(&store, &run).await, Err(ExecuteError::Damaged(_))));
}

#[test]
fn what_is_not_ours_or_not_sound_is_refused_with_what_to_do() {
    let refusal = |prepare: &dyn Fn(&Path)| {
        let directory = directory();
        prepare(directory.path());
        let error = Store::open(directory.path()).err().unwrap();
        assert!(!hostssl_model::Advice::advice(&error).to_string().is_empty());
        error
    };
    let made = |directory: &Path| drop(Store::open(directory).unwrap());
    let newer = refusal(&|directory| {
        made(directory);
        raw(directory).pragma_update(None, "user_version", 99).unwrap();
    });
    assert!(matches!(newer, StoreError::NewerVersion { found: 99, known: 23 }), "{newer:?}");
    let foreign = refusal(&|directory| raw(directory).execute_batch("CREATE TABLE theirs (x)").unwrap());
    assert!(matches!(foreign, StoreError::Foreign(_)), "{foreign:?}");
    let noise = refusal(&|directory| {
        std::fs::write(directory.join("hostssl.db"), [b'x'; 8192]).unwrap();
    });
    assert!(matches!(noise, StoreError::Corrupt(_)), "{noise:?}");
    let damaged = refusal(&|directory| {
        made(directory);
        let path = directory.join("hostssl.db");
        let mut content = std::fs::read(&path).unwrap();
        let length = content.len();
        content[4096..length.min(12_288)].fill(0xa5);
        std::fs::write(&path, content).unwrap();
    });
    assert!(matches!(damaged, StoreError::Corrupt(_)), "{damaged:?}");
    let directory = directory();
    let file = directory.path().join("file");
    std::fs::write(&file, "").unwrap();
    assert!(matches!(Store::open(&file), Err(StoreError::Directory { .. })));
}

#[cfg(unix)]
#[tokio::test]
async fn nobody_else_may_read_or_write() {
    use std::os::unix::fs::PermissionsExt as _;
    let outer = directory();
    let state = outer.path().join("deep/state");
    let store = Store::open(&state).unwrap();
    begin(&store, &run_id("run-1"), &sample_plan()).await.unwrap();
    let mode = |path: &Path| path.metadata().unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(&state), 0o700);
    let files: Vec<_> = std::fs::read_dir(&state).unwrap().map(|entry| entry.unwrap().path()).collect();
    assert!(files.len() >= 4, "{files:?}");
    for file in files {
        assert_eq!(mode(&file), 0o600, "{}", file.display());
    }
    drop(store);
    std::fs::set_permissions(&state, std::fs::Permissions::from_mode(0o770)).unwrap();
    assert!(matches!(Store::open(&state), Err(StoreError::Exposed(_))));
    assert_eq!(mode(&state), 0o770, "a directory of someone's is left as it is");
}

/// The first version as it was released, with a run in it, whatever the migrations say today.
#[tokio::test]
async fn a_state_of_version_1_is_read_for_ever() {
    let directory = directory();
    raw(directory.path()).execute_batch(include_str!("fixtures/v1.sql")).unwrap();
    let store = Store::open(directory.path()).unwrap();
    let runs = store.reader().runs().unwrap();
    assert_eq!(runs.len(), 1);
    let loaded = store.load(&runs[0].id).await.unwrap().load().unwrap();
    let report = loaded.report();
    assert_eq!((report.outcome, report.summary.applied, report.summary.steps), (RunOutcome::Done, 2, 2));
    assert_eq!(store.reader().receipts(&runs[0].id).unwrap().len(), 2);
}

/// What a fresh state of version 1 looks like is what the fixture says: a released script never changes.
#[test]
fn the_script_of_version_1_is_the_released_one() {
    let schema = |connection: &rusqlite::Connection| -> Vec<String> {
        let mut statement =
            connection.prepare("SELECT sql FROM sqlite_schema WHERE sql NOT NULL ORDER BY name").unwrap();
        let rows = statement.query_map([], |row| row.get(0)).unwrap();
        rows.map(Result::unwrap).collect()
    };
    let (released, fresh) = (directory(), directory());
    raw(released.path()).execute_batch(include_str!("fixtures/v1.sql")).unwrap();
    raw(fresh.path()).execute_batch(include_str!("../src/migrations/1.sql")).unwrap();
    assert_eq!(schema(&raw(released.path())), schema(&raw(fresh.path())));
    // Whether made at once or brought up to date, the newest version is the same.
    let made = directory();
    drop(Store::open(made.path()).unwrap());
    drop(Store::open(released.path()).unwrap());
    assert_eq!(schema(&raw(released.path())), schema(&raw(made.path())));
}

/// Appends for ever and says after each append that it returned.
#[test]
#[ignore = "a process that the next test starts and kills"]
fn appends_until_it_is_killed() {
    let directory = std::env::var("HOSTSSL_TEST_STATE").unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    runtime.block_on(async {
        let store = Store::open(Path::new(&directory)).unwrap();
        let run = run_id("run-1");
        begin(&store, &run, &sample_plan()).await.unwrap();
        for number in 1.. {
            store.append(&run, &[record(JournalEvent::RunResumed)]).await.unwrap();
            println!("kept {number}");
        }
    });
}

#[tokio::test]
async fn what_was_kept_survives_a_kill_at_any_moment() {
    for round in 0..3_u32 {
        let directory = directory();
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["--ignored", "--exact", "--nocapture", "appends_until_it_is_killed"])
            .env("HOSTSSL_TEST_STATE", directory.path())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let kept = |line: std::io::Result<String>| line.unwrap().rsplit_once("kept ").and_then(|(_, n)| n.parse().ok());
        let last: usize = lines.filter_map(kept).nth(20 + 13 * round as usize).unwrap();
        // SIGKILL: no destructor runs, and the lock goes with the process.
        child.kill().unwrap();
        child.wait().unwrap();
        let store = Store::open(directory.path()).unwrap();
        let stored = store.load(&run_id("run-1")).await.unwrap();
        assert!(stored.records.len() > last, "{} records, {last} were said to be kept", stored.records.len());
        assert!(stored.load().is_ok());
    }
}

#[tokio::test]
async fn an_approved_plan_is_applied_and_kept_in_real_time() {
    let directory = directory();
    let store = Store::open(directory.path()).unwrap();
    let known = PlannerKnowledge::new(vec![flexible("a", "off", "TLSv1.2")]);
    let plan = known.plan();
    let world = World::new(&known.postures);
    world.set_fault(&known.postures[0].server.id, InjectedFault::Synchronous);
    let (_interrupt, stop) = watch::channel(None);
    let executor = Executor {
        writer: &world,
        journal: &store,
        clock: &hostssl_remediation::SystemClock::new(),
        judge: None,
        events: &|_: &ExecutionEvent<'_>| {},
        stop,
        options: ExecutorOptions::default(),
    };
    let approved = Approved::new(plan.clone(), plan.hash().as_str()).unwrap();
    let report = executor.apply(&approved, &run_id("run-1"), plan.principal()).await.unwrap();
    assert_eq!(report.outcome, RunOutcome::Done);
    assert_eq!(store.reader().runs().unwrap()[0].phase, RunPhase::Finished);
}
