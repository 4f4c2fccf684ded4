//! Where runs are kept.

use crate::args::{StateArgs, TerminalArgs};
use crate::error::CliError;
use crate::shared_store;
use crate::simulated::scenario_of;
use crate::state_patience::StatePatience;
use crate::state_upgrade::bring_up_to_date;
use crate::user_directory::users_directory;
use hostssl_model::Hint;
use hostssl_ops::KeptEvidence;
use hostssl_remediation::{ExecuteError, LoadedRun, RunId};
use hostssl_store::{AuditEntry, AuditStore, KeptRun, Page, StateDirectory, Store, StoreError, StoreReader};
use jiff::Timestamp;
use std::path::PathBuf;
use std::sync::Arc;

/// The part of a state directory for runs of `--simulate`: what was simulated must not hold up what is real.
const SIMULATED: &str = "simulated";

impl StateArgs {
    /// The state directory. Runs of a simulation are kept apart from real ones, and out of a shared store.
    pub(crate) fn directory(&self, simulated: bool) -> Result<StateDirectory, CliError> {
        match &self.store {
            Some(store) if !simulated => shared_store::directory_of(store, self.state.as_deref()),
            _ => Ok(self.own_directory(simulated)?.into()),
        }
    }

    fn own_directory(&self, simulated: bool) -> Result<PathBuf, CliError> {
        if let Some(directory) = &self.state {
            return Ok(if simulated { directory.join(SIMULATED) } else { directory.clone() });
        }
        let own = users_directory()?;
        Ok(if simulated { own.join(SIMULATED) } else { own })
    }

    /// Opens it for changing servers.
    pub(crate) fn open(&self, simulated: bool) -> Result<Store, CliError> {
        Ok(Store::open(&self.directory(simulated)?)?)
    }

    /// The kept censuses of clients; none where nothing is kept yet, or what is kept cannot be read, which is reported:
    /// then it is unknown who would be refused.
    pub(crate) fn censuses(&self, simulated: bool, patience: StatePatience) -> Option<Arc<dyn KeptEvidence>> {
        self.read_censuses(simulated, patience).unwrap_or_else(|error| {
            stderr!("warning: the kept censuses of clients could not be read: {}", error.on_one_line());
            None
        })
    }

    fn read_censuses(
        &self,
        simulated: bool,
        patience: StatePatience,
    ) -> Result<Option<Arc<dyn KeptEvidence>>, CliError> {
        let directory = self.directory(simulated)?;
        match StoreReader::open(&directory) {
            Ok(reader) => Ok(Some(Arc::new(reader))),
            Err(StoreError::NoState(_)) => Ok(None),
            // A writer brings an older state up to date.
            Err(StoreError::OlderVersion { .. }) => Ok(Some(Arc::new(bring_up_to_date(&directory, patience)?))),
            Err(error) => Err(error.into()),
        }
    }

    /// Opens it for reading.
    pub(crate) fn read(&self, simulated: bool) -> Result<StoreReader, CliError> {
        Ok(StoreReader::open(&self.directory(simulated)?)?)
    }

    /// As [`read_if_any`](Self::read_if_any), for a caller that keeps something afterwards: the state of an older version is brought
    /// up to date.
    pub(crate) fn read_before_keeping(
        &self,
        simulated: bool,
        patience: StatePatience,
    ) -> Result<Option<StoreReader>, CliError> {
        let directory = self.directory(simulated)?;
        if matches!(StoreReader::open(&directory), Err(StoreError::OlderVersion { .. })) {
            drop(bring_up_to_date(&directory, patience)?);
        }
        self.read_if_any(simulated)
    }

    /// Opens it to keep something in it.
    pub(crate) fn open_to_keep(&self, simulated: bool) -> Result<AuditStore, CliError> {
        let directory = self.directory(simulated)?;
        // A copy of a shared store is brought up to date with what others have kept.
        let is_copy = self.store.is_some() && !simulated;
        if !is_copy && matches!(StoreReader::open(&directory), Err(StoreError::OlderVersion { .. })) {
            return bring_up_to_date(&directory, StatePatience::without_end());
        }
        Ok(AuditStore::open(&directory)?)
    }

    /// Opens it for reading; `None` where nothing is kept yet.
    pub(crate) fn read_if_any(&self, simulated: bool) -> Result<Option<StoreReader>, CliError> {
        match StoreReader::open(&self.directory(simulated)?) {
            Err(StoreError::NoState(_)) => Ok(None),
            opened => Ok(Some(opened?)),
        }
    }

    /// The same, once what runs have changed is taken in. A state that cannot be written is read as it is, and that is said.
    pub(crate) fn read_with_changes(
        &self,
        simulated: bool,
        patience: StatePatience,
    ) -> Result<Option<StoreReader>, CliError> {
        let Some(reader) = self.read_if_any(simulated)? else { return Ok(None) };
        if reader.has_changes()? {
            let store = AuditStore::open_within(&self.directory(simulated)?, patience.left());
            let taken = store.and_then(|store| store.fold_changes());
            if let Err(error) = taken.map_err(CliError::from) {
                stderr!("warning: the figures leave out what runs have changed: {}", error.on_one_line());
            }
        }
        Ok(Some(reader))
    }
}

/// Milliseconds since 1970 in RFC 3339, to the second.
pub(crate) fn instant(ms: i64) -> String {
    Timestamp::from_millisecond(ms).map_or_else(|_| "-".to_owned(), |at| at.strftime("%Y-%m-%dT%H:%M:%SZ").to_string())
}

/// A name for a new run: when it began, and four digits against two in one second. Names grow with time.
pub(crate) fn new_run() -> Result<RunId, CliError> {
    let unique = uuid::Uuid::now_v7().simple().to_string();
    let tail = unique.get(unique.len() - 4..).unwrap_or_default();
    run_id(&format!("{}-{tail}", Timestamp::now().strftime("%Y%m%d-%H%M%S")))
}

/// Names the newest run.
pub(crate) const LATEST: &str = "latest";

/// The fewest characters of a run's id that name it.
const SHORTEST_PREFIX: usize = 4;

/// Finds a run that is kept: by its id, the beginning of it, or `latest`. Runs of simulations are found without
/// `--simulated` too, as an id is of one run only.
pub(crate) fn find_run(state: &StateArgs, simulated: bool, text: &str) -> Result<(StoreReader, RunId), CliError> {
    let places: &[bool] = if simulated { &[true] } else { &[false, true] };
    let mut first_error = None;
    for simulated in places {
        let reader = match StoreReader::open(&state.directory(*simulated)?) {
            Ok(reader) => reader,
            Err(error) => {
                first_error.get_or_insert(error);
                continue;
            }
        };
        let (runs, _) = reader.kept_runs(Page { number: 0, size: u32::MAX })?;
        let ids: Vec<&str> = runs.iter().map(KeptRun::id).collect();
        if let Some(id) = named(&ids, text)? {
            return Ok((reader, run_id(id)?));
        }
    }
    match first_error {
        // There is no state at all, or it cannot be read.
        Some(error) if !matches!(error, StoreError::NoState(_)) => Err(error.into()),
        _ => Err(CliError::usage(format!("there is no run {text}"), "`hostssl runs` lists the runs")),
    }
}

/// Finds a run that changes servers, to continue it: by its id, the beginning of it, or `latest`. Audits and probes are not
/// searched, and neither are runs of simulations unless `store` is theirs.
pub(crate) fn find_change(state: &StateArgs, simulated: bool, store: &Store, text: &str) -> Result<RunId, CliError> {
    match change_named(store.reader(), text)? {
        Some(id) => Ok(id),
        None if !simulated && let Some((id, scenario)) = simulated_change(state, text)? => Err(CliError::usage(
            format!("run {id} changed the simulated Azure `{scenario}`"),
            Hint::with("add --simulate {}", &[&scenario]),
        )),
        None if text == LATEST => Err(CliError::usage("no run has changed servers", "`hostssl runs` lists the runs")),
        None => match kept_otherwise(store.reader(), text)? {
            Some(other) => {
                Err(CliError::usage(other, "`hostssl runs --only apply` lists the runs that changed servers"))
            }
            None => Err(StoreError::NoSuchRun(run_id(text)?).into()),
        },
    }
}

/// Finds a run to undo. `latest` is the newest run that has something left to undo, or has not ended.
pub(crate) fn find_undoable(state: &StateArgs, simulated: bool, store: &Store, text: &str) -> Result<RunId, CliError> {
    if text != LATEST {
        return find_change(state, simulated, store, text);
    }
    let mut last = None;
    for run in newest_changes(store.reader())? {
        let loaded = store.reader().load(&run)?.load().map_err(ExecuteError::Damaged)?;
        if !is_undone(&loaded) {
            return Ok(run);
        }
        if loaded.state.steps().iter().any(|step| step.apply.touched) {
            last.get_or_insert(run);
        }
    }
    match last {
        None => find_change(state, simulated, store, LATEST).and_then(|run| Err(nothing_to_undo(&run))),
        Some(last) => Err(CliError::usage(
            format!("nothing is left to undo; the last run that changed servers was {last}"),
            Hint::with("`hostssl runs show {}` shows it", &[&last]),
        )),
    }
}

/// Refuses a run that has ended and has nothing to restore: its undo would do nothing, and say that something was undone.
pub(crate) fn refuse_undone(loaded: &LoadedRun) -> Result<(), CliError> {
    if is_undone(loaded) { Err(nothing_to_undo(&loaded.id)) } else { Ok(()) }
}

fn is_undone(loaded: &LoadedRun) -> bool {
    !loaded.state.phase().is_unfinished() && loaded.undoable().next().is_none()
}

fn nothing_to_undo(run: &RunId) -> CliError {
    CliError::usage(
        format!("nothing is left to undo of run {run}"),
        Hint::with("`hostssl runs show {}` shows it", &[run]),
    )
}

/// What a text names among the runs that changed nothing, in words.
fn kept_otherwise(reader: &StoreReader, text: &str) -> Result<Option<String>, CliError> {
    let (runs, _) = reader.kept_runs(Page { number: 0, size: u32::MAX })?;
    let ids: Vec<&str> = runs.iter().map(KeptRun::id).collect();
    let found = named(&ids, text)?.and_then(|id| runs.iter().find(|run| run.id() == id));
    Ok(found.and_then(|run| match run {
        KeptRun::Audit(_) => Some(format!("run {} is an audit, which changed nothing", run.id())),
        KeptRun::Probe(_) => Some(format!("run {} is a probe, which changed nothing", run.id())),
        KeptRun::Apply(_) => None,
    }))
}

/// The run that changed servers and that a text names.
fn change_named(reader: &StoreReader, text: &str) -> Result<Option<RunId>, CliError> {
    let runs = newest_changes(reader)?;
    let ids: Vec<&str> = runs.iter().map(RunId::as_str).collect();
    named(&ids, text)?.map(run_id).transpose()
}

/// The runs that changed servers, the newest first.
fn newest_changes(reader: &StoreReader) -> Result<Vec<RunId>, CliError> {
    let mut runs = reader.runs()?;
    runs.sort_by(|a, b| (b.started_at_ms, &b.id).cmp(&(a.started_at_ms, &a.id)));
    Ok(runs.into_iter().map(|run| run.id).collect())
}

/// The run that a text names among those of simulations, and its scenario.
fn simulated_change(state: &StateArgs, text: &str) -> Result<Option<(RunId, String)>, CliError> {
    let Some(reader) = state.read_if_any(true)? else { return Ok(None) };
    let Some(id) = change_named(&reader, text)? else { return Ok(None) };
    // Where its plan cannot be read, the scenario is not known.
    let loaded = reader.load(&id).ok().and_then(|stored| stored.load().ok());
    Ok(loaded.and_then(|loaded| Some((id, scenario_of(loaded.plan.cloud())?.to_owned()))))
}

/// Finds an audit that is kept: by its id, the beginning of it, or `latest`, which is the newest audit whatever was run since.
pub(crate) fn find_audit(reader: &StoreReader, text: &str) -> Result<AuditEntry, CliError> {
    let (runs, _) = reader.kept_runs(Page { number: 0, size: u32::MAX })?;
    let of_audit = |run: KeptRun| match run {
        KeptRun::Audit(audit) => Some(audit),
        KeptRun::Probe(_) | KeptRun::Apply(_) => None,
    };
    let mut audits: Vec<Box<AuditEntry>> = runs.into_iter().filter_map(of_audit).collect();
    let ids: Vec<&str> = audits.iter().map(|audit| audit.id.as_str()).collect();
    match named(&ids, text)?.and_then(|id| ids.iter().position(|one| *one == id)) {
        Some(index) => Ok(*audits.swap_remove(index)),
        None if text == LATEST => Err(CliError::usage("no audit is kept", "run `hostssl audit` first")),
        None => Err(CliError::usage(format!("there is no audit {text}"), "`hostssl runs` lists the runs")),
    }
}

/// The same for a command whose hint names the state directory where that is needed.
pub(crate) fn find_audit_in(
    (state, simulated): (&StateArgs, bool),
    reader: &StoreReader,
    text: &str,
) -> Result<AuditEntry, CliError> {
    if text == LATEST && reader.newest_audit()?.is_none() {
        return Err(nothing_kept(state, simulated));
    }
    find_audit(reader, text)
}

/// The newest two audits of one scope, the earlier one first. Says which newer one is left out, if any.
pub(crate) fn newest_pair(
    reader: &StoreReader,
    terminal: &TerminalArgs,
) -> Result<Option<(AuditEntry, AuditEntry)>, CliError> {
    let Some((before, after)) = reader.newest_pair()? else { return Ok(None) };
    note_left_out(reader, &after, terminal)?;
    Ok(Some((before, after)))
}

/// The audit that ends a trend. Says which newer one is left out, if any.
pub(crate) fn newest_of_trend(reader: &StoreReader, terminal: &TerminalArgs) -> Result<Option<AuditEntry>, CliError> {
    let Some(newest) = reader.newest_of_trend()? else { return Ok(None) };
    note_left_out(reader, &newest, terminal)?;
    Ok(Some(newest))
}

fn note_left_out(reader: &StoreReader, after: &AuditEntry, terminal: &TerminalArgs) -> Result<(), CliError> {
    if let Some(newest) = reader.newest_audit()?.filter(|newest| newest.id != after.id && !terminal.quiet) {
        let why = if newest.asked.is_narrowed() {
            format!("it checked only {}", newest.asked.only_words())
        } else if newest.stopped && newest.scope == after.scope {
            "it was stopped".to_owned()
        } else {
            "no other audit has its scope".to_owned()
        };
        stderr!("note: left out {}, which is newer: {why}", newest.id);
    }
    Ok(())
}

/// The error of a command that needs an audit. A simulation is kept only where a state directory is named.
pub(crate) fn nothing_kept(state: &StateArgs, simulated: bool) -> CliError {
    if simulated && state.state.is_none() {
        let hint = "a simulation is kept with --state alone: run `hostssl audit --state DIR` first, and add the same --state here";
        return CliError::usage("no audit is kept", hint);
    }
    CliError::usage("no audit is kept", "run `hostssl audit` first")
}

/// The id that a text names among these, the newest first.
fn named<'a>(ids: &[&'a str], text: &str) -> Result<Option<&'a str>, CliError> {
    if text == LATEST {
        return Ok(ids.first().copied());
    }
    let found = ids.iter().copied().filter(|id| id.starts_with(text) && text.len() >= SHORTEST_PREFIX);
    let found: Vec<&str> = found.collect();
    match (ids.iter().find(|id| **id == text), found.as_slice()) {
        (Some(id), _) => Ok(Some(id)),
        (None, [first, second, rest @ ..]) => {
            let several = match rest.len() {
                0 => format!("{first} and {second}"),
                more => format!("{first}, {second} and {more} more"),
            };
            Err(CliError::usage(
                format!("several runs begin with {text}: {several}"),
                "use more characters of the id; `hostssl runs` lists the runs",
            ))
        }
        (None, one) => Ok(one.first().copied()),
    }
}

/// The run that the user names.
pub(crate) fn run_id(text: &str) -> Result<RunId, CliError> {
    RunId::new(text).map_err(|error| CliError::usage(format!("`{text}`: {error}"), "`hostssl runs` lists the runs"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_run_is_named_by_its_id_its_beginning_or_as_the_latest() {
        let ids = ["20260102-000000-aaaa", "20260101-000000-bbbb", "20260101-000000-bbbbc"];
        assert_eq!(named(&ids, "latest").unwrap(), Some(ids[0]));
        assert_eq!(named(&ids, "20260102").unwrap(), Some(ids[0]));
        assert_eq!(named(&ids, "20260101-000000-bbbb").unwrap(), Some(ids[1]));
        assert_eq!(named(&ids, "202").unwrap(), None);
        assert_eq!(named(&[], "latest").unwrap(), None);
        let several = |ids: &[&str]| named(ids, "20260101").unwrap_err().parts().0;
        let all = ["20260101-3", "20260101-2", "20260101-1", "20260101-0"];
        assert_eq!(several(&ids), format!("several runs begin with 20260101: {} and {}", ids[1], ids[2]));
        assert_eq!(several(&all), "several runs begin with 20260101: 20260101-3, 20260101-2 and 2 more");
    }
}
