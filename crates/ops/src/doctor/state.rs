//! Verdicts on the state directory.

use hostssl_model::{Advice as _, DoctorCheck, DoctorCheckId, Hint, chain};
use hostssl_store::{StateFacts, StateLock, StatePresence, StoreError};

/// Less room than this is not enough for an audit of a large fleet, whose database grows by tens of megabytes.
const LITTLE: u64 = 512 << 20;
/// Less room than this is not enough for anything.
const NOTHING: u64 = 8 << 20;

/// What is wrong with a state directory.
#[must_use]
pub fn state_checks(facts: &StateFacts) -> Vec<DoctorCheck> {
    vec![directory(facts), space(facts), version(facts), lock(facts)]
}

fn directory(facts: &StateFacts) -> DoctorCheck {
    let id = DoctorCheckId::StateDirectory;
    let path = facts.directory.display();
    match &facts.presence {
        StatePresence::Present { is_writable: true } => {
            DoctorCheck::ok(id, format!("{path} can be written, and not by others"))
        }
        StatePresence::Absent { is_writable: true, .. } => {
            DoctorCheck::ok(id, format!("{path} does not exist yet and will be created"))
        }
        StatePresence::Present { is_writable: false } => {
            let fix = Hint::with("make {} writable for this user, or name another directory with --state", &[&path]);
            DoctorCheck::failed(id, format!("{path} cannot be written"), fix)
        }
        StatePresence::Absent { above, is_writable: false } => {
            let above = above.display();
            let fix = Hint::with("make {} writable for this user, or name another directory with --state", &[&above]);
            DoctorCheck::failed(id, format!("{path} does not exist and cannot be created in {above}"), fix)
        }
        StatePresence::Unusable(error) => failed(id, error),
    }
}

fn failed(id: DoctorCheckId, error: &StoreError) -> DoctorCheck {
    DoctorCheck::failed(id, chain(error), error.advice())
}

fn space(facts: &StateFacts) -> DoctorCheck {
    let id = DoctorCheckId::StateSpace;
    let Some(free) = facts.free_bytes else {
        return DoctorCheck::unknown(id, "the system does not say how much room is left", None);
    };
    let detail = format!("{} MiB can be written", free >> 20);
    let fix = "free some space, or name a directory on another file system with --state";
    match free {
        free if free < NOTHING => DoctorCheck::failed(id, detail, fix),
        free if free < LITTLE => DoctorCheck::warning(id, detail, fix),
        _ => DoctorCheck::ok(id, detail),
    }
}

fn version(facts: &StateFacts) -> DoctorCheck {
    let id = DoctorCheckId::StateVersion;
    match &facts.version {
        Ok(Some(version)) => DoctorCheck::ok(id, format!("version {version}, the one that this hostssl writes")),
        Ok(None) => DoctorCheck::not_applicable(id, "nothing is kept yet"),
        Err(error @ StoreError::OlderVersion { .. }) => DoctorCheck::warning(id, chain(error), error.advice()),
        Err(error) => failed(id, error),
    }
}

fn lock(facts: &StateFacts) -> DoctorCheck {
    let id = DoctorCheckId::StateLock;
    match &facts.lock {
        StateLock::Free => DoctorCheck::ok(id, "no hostssl is changing servers with this state directory"),
        StateLock::Held { pid } => {
            let error = StoreError::LockedByAnother { pid: *pid };
            DoctorCheck::warning(id, chain(&error), error.advice())
        }
        StateLock::Unknown(why) => {
            let fix = "make the files in the state directory readable for this user, or name another with --state";
            DoctorCheck::unknown(id, format!("the lock cannot be read: {why}"), Some(fix.into()))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use hostssl_model::DoctorStatus::{self, Failed, Ok as Fine, Skipped, Warning};

    fn good() -> StateFacts {
        StateFacts {
            directory: "/state".into(),
            presence: StatePresence::Present { is_writable: true },
            free_bytes: Some(1 << 40),
            version: Ok(Some(8)),
            lock: StateLock::Free,
        }
    }

    fn statuses(facts: &StateFacts) -> Vec<DoctorStatus> {
        state_checks(facts).into_iter().map(|check| check.status).collect()
    }

    #[test]
    fn each_fact_has_its_own_verdict() {
        assert_eq!(statuses(&good()), [Fine; 4]);
        let read_only = StateFacts { presence: StatePresence::Present { is_writable: false }, ..good() };
        assert_eq!(statuses(&read_only), [Failed, Fine, Fine, Fine]);
        let above = |is_writable| StatePresence::Absent { above: "/".into(), is_writable };
        let fresh = StateFacts { presence: above(true), version: Ok(None), ..good() };
        assert_eq!(statuses(&fresh), [Fine, Fine, Skipped, Fine]);
        assert!(!state_checks(&fresh)[2].is_unknown, "nothing kept is not a gap");
        assert_eq!(statuses(&StateFacts { presence: above(false), ..good() })[0], Failed);
        let exposed = StatePresence::Unusable(StoreError::Exposed("/state".into()));
        assert_eq!(statuses(&StateFacts { presence: exposed, ..good() })[0], Failed);
    }

    #[test]
    fn room_version_and_lock_have_degrees() {
        let space = |free_bytes| statuses(&StateFacts { free_bytes, ..good() })[1];
        assert_eq!([space(Some(LITTLE)), space(Some(LITTLE - 1)), space(Some(0))], [Fine, Warning, Failed]);
        let unknown = state_checks(&StateFacts { free_bytes: None, ..good() });
        assert!(unknown[1].is_unknown && unknown[1].status == Skipped);
        let version = |error| statuses(&StateFacts { version: Err(error), ..good() })[2];
        assert_eq!(version(StoreError::OlderVersion { found: 1, known: 8 }), Warning);
        assert_eq!(version(StoreError::NewerVersion { found: 9, known: 8 }), Failed);
        let held = state_checks(&StateFacts { lock: StateLock::Held { pid: Some(7) }, ..good() });
        assert_eq!(held[3].status, Warning);
        assert!(held[3].detail.contains("process 7"), "{}", held[3].detail);
    }
}
