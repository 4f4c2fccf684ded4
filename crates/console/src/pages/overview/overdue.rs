//! An audit that was expected and did not come. Pure.

use jiff::SignedDuration;
use std::time::Duration;

/// What to say of an audit that is overdue; nothing where none is.
pub(super) struct Overdue {
    /// What is missing.
    pub(super) what: String,
    /// How often one is expected.
    pub(super) every: String,
}

impl Overdue {
    /// The newest audit began at `newest_ms`, and one is expected `every` so often.
    pub(super) fn of(newest_ms: Option<i64>, now_ms: i64, every: Option<Duration>) -> Option<Self> {
        let every = SignedDuration::try_from(every?).ok()?;
        let what = match newest_ms {
            None => "No audit is kept".to_owned(),
            Some(newest_ms) => {
                let age = SignedDuration::from_millis(now_ms.saturating_sub(newest_ms));
                if age <= every {
                    return None;
                }
                format!("No audit has begun for {}", in_words(age))
            }
        };
        Some(Self { what, every: in_words(every) })
    }
}

/// A length of time in its two largest units.
fn in_words(length: SignedDuration) -> String {
    let seconds = if length.as_hours() >= 1 { length.as_secs() / 60 * 60 } else { length.as_secs() };
    format!("{:#}", SignedDuration::from_secs(seconds))
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOUR: i64 = 3_600_000;

    fn said(newest_ms: Option<i64>, now_ms: i64, every: Option<u64>) -> Option<String> {
        Overdue::of(newest_ms, now_ms, every.map(|hours| Duration::from_secs(hours * 3600))).map(|one| one.what)
    }

    #[test]
    fn an_audit_is_overdue_once_it_is_older_than_expected() {
        assert_eq!(said(Some(0), 25 * HOUR, None), None, "no one relies on it");
        assert_eq!(said(Some(0), 24 * HOUR, Some(24)), None);
        let late = 24 * HOUR + 90_000;
        assert_eq!(said(Some(0), late, Some(24)).as_deref(), Some("No audit has begun for 24h 1m"));
        assert_eq!(said(None, 0, Some(24)).as_deref(), Some("No audit is kept"));
        assert_eq!(said(Some(HOUR), 0, Some(1)), None, "a clock that was set back");
    }
}
