//! The audits and plans that other consoles of the state work on, and when they were heard last.

use crate::progress_notes::{FORGOTTEN, SILENT};
use crate::reply::Failure;
use crate::shared::Shared;
use crate::view::{When, count};
use hostssl_store::{WorkInProgress, WorkKind};
use jiff::Timestamp;
use std::time::Duration;

/// What another console works on.
pub(crate) struct WorkElsewhere {
    pub(crate) id: String,
    pub(crate) kind: WorkKind,
    pub(crate) console: String,
    pub(crate) person: String,
    pub(crate) began: When,
    pub(crate) looked: u64,
    pub(crate) found: u64,
    /// For how long nothing was heard of it.
    heard: Duration,
}

impl WorkElsewhere {
    /// Whether its console may have died.
    pub(crate) fn is_silent(&self) -> bool {
        self.heard > SILENT
    }

    /// Its page.
    pub(crate) fn address(&self) -> String {
        match self.kind {
            WorkKind::Audit => format!("/runs/{}", self.id),
            WorkKind::Plan => format!("/plans/{}", self.id),
        }
    }

    /// What it is, as a line of a list.
    pub(crate) fn headline(&self) -> &'static str {
        match (self.kind, self.is_silent()) {
            (WorkKind::Audit, false) => "Audit in progress in another console",
            (WorkKind::Audit, true) => "Audit of another console",
            (WorkKind::Plan, false) => "Plan being made in another console",
            (WorkKind::Plan, true) => "Plan of another console",
        }
    }

    /// `12 of 900 servers checked`
    pub(crate) fn progress(&self) -> String {
        match self.found {
            0 => "no server found yet".to_owned(),
            found => format!("{} of {} servers checked", count(self.looked), count(found)),
        }
    }

    /// When it was heard last, by the clock of this machine.
    pub(crate) fn heard_at(&self) -> When {
        let heard = i64::try_from(self.heard.as_millis()).unwrap_or(i64::MAX);
        When(Timestamp::now().as_millisecond().saturating_sub(heard))
    }

    /// `last heard 3 s ago from process 7 on host`
    pub(crate) fn last_heard(&self) -> String {
        let seconds = self.heard.as_secs();
        let ago = if seconds < 120 { format!("{seconds} s") } else { format!("{} min", seconds / 60) };
        format!("last heard {ago} ago from {}", self.console)
    }
}

/// What other consoles work on, the newest first. What was not heard of for long is left out.
pub(crate) async fn work_elsewhere(shared: &Shared) -> Result<Vec<WorkElsewhere>, Failure> {
    let all = shared.ask(|store| store.work_in_progress()).await?;
    let ages = shared.heard.ages(&all);
    let is_here = |id: &str| shared.audits.find(id).is_some() || shared.plans.find(id).is_some();
    let others = all.into_iter().zip(ages).filter(|(one, age)| *age < FORGOTTEN && !is_here(&one.id));
    Ok(others
        .map(|(WorkInProgress { id, kind, console, person, began_ms, looked, found, .. }, heard)| WorkElsewhere {
            id,
            kind,
            console,
            person,
            began: When(began_ms),
            looked,
            found,
            heard,
        })
        .collect())
}

/// The audit or the plan of this id, if another console works on it.
pub(crate) async fn find_elsewhere(
    shared: &Shared,
    kind: WorkKind,
    id: &str,
) -> Result<Option<WorkElsewhere>, Failure> {
    Ok(work_elsewhere(shared).await?.into_iter().find(|one| one.kind == kind && one.id == id))
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    #[test]
    fn who_is_not_heard_for_long_may_have_died() {
        let of = |heard| WorkElsewhere {
            id: "1".into(),
            kind: WorkKind::Audit,
            console: "process 7 on host".into(),
            person: "ada".into(),
            began: When(0),
            looked: 12,
            found: 900,
            heard,
        };
        let (fresh, old) = (of(3 * SECOND), of(46 * SECOND));
        assert!(!fresh.is_silent() && old.is_silent());
        assert_eq!(fresh.last_heard(), "last heard 3 s ago from process 7 on host");
        assert_eq!(of(600 * SECOND).last_heard(), "last heard 10 min ago from process 7 on host");
        assert_eq!(WorkElsewhere { found: 0, looked: 0, ..of(SECOND) }.progress(), "no server found yet");
        assert_eq!((fresh.progress().as_str(), fresh.address().as_str()), ("12 of 900 servers checked", "/runs/1"));
    }
}
