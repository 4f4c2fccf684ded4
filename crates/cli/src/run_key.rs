//! `--run-key`: an audit that is made once under its key, however often a schedule asks for it.

use crate::args::ConnectArgs;
use crate::disowned_probers::disowned_probers;
use crate::error::CliError;
use crate::keep::KeepArgs;
use crate::state::instant;
use clap::Args;
use hostssl_audit::Profile;
use hostssl_model::{AuditReport, Hint, Reason, Scope};
use hostssl_remediation::RunId;
use hostssl_store::{AuditKeyLock, AuditStore, KeptRun, Page, StoreReader};
use jiff::Timestamp;
use std::time::Duration;

#[derive(Debug, Args)]
pub(crate) struct RunKeyArgs {
    /// The id of this one audit, such as nightly-2026-11-29. If the audit is kept already, it is shown again, and Azure is not
    /// asked; while another process is making it, this one waits, up to --deadline.
    #[arg(long, value_name = "KEY", value_parser = run_key, conflicts_with = "no_save", help_heading = "State options")]
    run_key: Option<RunId>,
}

fn run_key(text: &str) -> Result<RunId, String> {
    if text == crate::state::LATEST {
        return Err("this word names the newest run".to_owned());
    }
    RunId::new(text).map_err(|error| error.to_string())
}

/// What is asked for under a key: another audit must not be shown for it.
pub(crate) struct AskedAudit<'a> {
    pub(crate) scope: &'a Scope,
    pub(crate) profile: &'a Profile,
    pub(crate) connect: &'a ConnectArgs,
    /// How long another process that makes it is waited for.
    pub(crate) patience: Duration,
    /// Whether it is to know which servers are probed from which zone.
    pub(crate) by_zones: bool,
}

/// A key that this process has, until the audit is kept.
pub(crate) struct RunKey {
    id: RunId,
    lock: AuditKeyLock,
}

/// What there is under a key.
pub(crate) enum AuditUnderKey {
    /// No key is given, or none is kept under it, which this process has until then.
    ToMake(Option<RunKey>),
    /// The audit that is kept.
    Kept(Box<AuditReport>),
}

impl RunKeyArgs {
    /// Looks for the audit that is kept under the key, once no other process makes it.
    ///
    /// # Errors
    ///
    /// When what is kept under it is something else, when another process makes it for too long, and when nothing can be
    /// kept.
    pub(crate) fn find(&self, keep: &KeepArgs, asked: &AskedAudit<'_>, quiet: bool) -> Result<AuditUnderKey, CliError> {
        let Some(key) = &self.run_key else { return Ok(AuditUnderKey::ToMake(None)) };
        let simulated = asked.connect.simulate.is_some();
        if !keep.keeps(simulated) {
            return Err(CliError::usage(
                "--run-key is for audits that are kept, and a simulated one is kept only with --state",
                "add --state DIR, or leave --run-key out",
            ));
        }
        let directory = keep.state.directory(simulated)?;
        // Whatever the lock waited for is kept in here.
        let store = AuditStore::open_within(&directory, asked.patience)?;
        let lock = store.lock_key(key, asked.patience, || {
            if !quiet {
                stderr!("note: another process is making the audit {key}; waiting for it");
            }
        })?;
        let reader = StoreReader::open(&directory)?;
        let Some(audit) = reader.audit(key.as_str())? else {
            let (runs, _) = reader.kept_runs(Page { number: 0, size: u32::MAX })?;
            if runs.iter().any(|run: &KeptRun| run.id() == key.as_str()) {
                lock.release();
                return Err(CliError::usage(format!("run {key} is not an audit"), "give this audit another --run-key"));
            }
            return Ok(AuditUnderKey::ToMake(Some(RunKey { id: key.clone(), lock })));
        };
        lock.release();
        let report = reader.audit_report(&audit)?;
        asked.refuse_other(key, &report)?;
        refuse_disowned(key, &disowned_probers(&report, || reader.probers())?)?;
        let at = report.run.finished_at.parse::<Timestamp>().map_or(0, Timestamp::as_millisecond);
        refuse_old(key, at, Timestamp::now().as_millisecond())?;
        // With --quiet too: what follows is not of now.
        stderr!("note: audit {key} is kept since {}; Azure was not asked again", instant(at));
        Ok(AuditUnderKey::Kept(Box::new(report)))
    }
}

/// The age up to which an audit is shown again, in milliseconds: a day, in which a schedule has long retried. A key that never
/// changes would give the same all-clear indefinitely.
const SHOWN_AGAIN_MS: i64 = 24 * 3_600_000;

fn refuse_old(key: &RunId, at_ms: i64, now_ms: i64) -> Result<(), CliError> {
    if now_ms - at_ms <= SHOWN_AGAIN_MS {
        return Ok(());
    }
    let today = Timestamp::from_millisecond(now_ms).unwrap_or_default().strftime("%Y-%m-%d").to_string();
    Err(CliError::usage(
        format!("the audit that is kept as {key} is of {}, more than a day ago", instant(at_ms)),
        Hint::with("give each audit a key of its own, such as --run-key {}-{}", &[key, &today]),
    ))
}

/// Refuses an audit that counts what a prober saw that is not believed any more: its answer would be shown again.
fn refuse_disowned(key: &RunId, disowned: &[String]) -> Result<(), CliError> {
    let Some(prober) = disowned.first() else { return Ok(()) };
    Err(CliError::usage(
        format!("the audit that is kept as {key} counts what prober {prober} saw, which was revoked or suspended"),
        "give this audit another --run-key",
    ))
}

impl AskedAudit<'_> {
    /// Refuses an audit of another cloud, of another scope, or by other rules.
    fn refuse_other(&self, key: &RunId, report: &AuditReport) -> Result<(), CliError> {
        let asked = self.profile.asked();
        let run = &report.run;
        let same_rules = run.profile == self.profile.to_string()
            && (&run.asked.only, run.asked.expiry_days) == (&asked.only, asked.expiry_days);
        let other = if run.cloud != self.connect.cloud_name()? {
            "another cloud"
        } else if run.scope != *self.scope {
            "another scope"
        } else if !same_rules {
            "other rules"
        } else if run.asked.by_zones != self.by_zones {
            "other zones"
        } else {
            return Ok(());
        };
        Err(CliError::usage(
            format!("the audit that is kept as {key} was of {other}"),
            Hint::with("`hostssl runs show {}` shows it; give this audit another --run-key", &[key]),
        ))
    }
}

impl RunKey {
    /// The id of the audit to make.
    pub(crate) fn id(&self) -> &str {
        self.id.as_str()
    }

    /// Whether the audit may be kept under the key. One that was stopped is not: the next one with this key is to be whole.
    pub(crate) fn admits(&self, report: &AuditReport) -> bool {
        let stopped = |reason| matches!(reason, Reason::Deadline | Reason::Interrupted);
        let admits = !report.gaps.iter().any(|gap| stopped(gap.unchecked.reason));
        if !admits {
            stderr!("warning: this audit was stopped and is not kept, so that --run-key {} begins it again", self.id);
        }
        admits
    }

    /// Lets go of the key of an audit that is kept.
    pub(crate) fn release(self) {
        self.lock.release();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_audit_of_another_day_is_no_answer_of_today() {
        let key = RunId::new("nightly").unwrap();
        let now = 1_796_000_000_000;
        assert!(refuse_old(&key, now - SHOWN_AGAIN_MS, now).is_ok());
        let (what, hint) = refuse_old(&key, now - SHOWN_AGAIN_MS - 1, now).unwrap_err().parts();
        assert!(
            what.contains("more than a day ago") && hint.to_string().contains("--run-key nightly-20"),
            "{what} {hint}"
        );
    }
}
