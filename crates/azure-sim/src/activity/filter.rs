//! The `$filter` of the Activity Log: a time range and at most one other condition. Azure documents that no other syntax is
//! allowed.

use jiff::{SignedDuration, Timestamp};

use crate::activity_log::LoggedWrite;

/// How long events are kept: 90 days.
const KEPT: SignedDuration = SignedDuration::from_hours(90 * 24);

/// What events are asked for.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Filter {
    since_ms: i64,
    until_ms: i64,
    only: Option<Only>,
}

#[derive(Debug, PartialEq, Eq)]
enum Only {
    Resource(String),
    Group(String),
    Provider(String),
    Correlation(String),
}

/// Why a filter is refused.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum FilterFault {
    Syntax,
    TooOld,
}

impl Filter {
    pub(super) fn parse(text: &str, now: Timestamp) -> Result<Self, FilterFault> {
        let conditions: Vec<(&str, &str, &str)> =
            text.split(" and ").map(condition).collect::<Option<_>>().ok_or(FilterFault::Syntax)?;
        let time = |text: &str| text.parse::<Timestamp>().map_err(|_| FilterFault::Syntax);
        let (since, rest) = match conditions.split_first() {
            Some((("eventTimestamp", "ge", at), rest)) => (time(at)?, rest),
            _ => return Err(FilterFault::Syntax),
        };
        let (until, rest) = match rest.split_first() {
            Some((("eventTimestamp", "le", at), rest)) => (time(at)?, rest),
            _ => (now, rest),
        };
        let only = match rest {
            [] => None,
            [(name, "eq", value)] => {
                let value = (*value).to_owned();
                Some(match *name {
                    "resourceUri" => Only::Resource(value),
                    "resourceGroupName" => Only::Group(value),
                    "resourceProvider" => Only::Provider(value),
                    "correlationId" => Only::Correlation(value),
                    _ => return Err(FilterFault::Syntax),
                })
            }
            _ => return Err(FilterFault::Syntax),
        };
        if now.duration_since(since) > KEPT {
            return Err(FilterFault::TooOld);
        }
        Ok(Self { since_ms: since.as_millisecond(), until_ms: until.as_millisecond(), only })
    }

    pub(super) fn admits(&self, write: &LoggedWrite) -> bool {
        let part = |index: usize| write.resource.split('/').nth(index).unwrap_or_default();
        let is_of_it = self.only.as_ref().is_none_or(|only| match only {
            // Whether production also returns what is below a resource is unknown; a client must not rely on it.
            Only::Resource(id) => id.eq_ignore_ascii_case(&write.resource),
            Only::Group(name) => name.eq_ignore_ascii_case(part(4)),
            Only::Provider(name) => name.eq_ignore_ascii_case(part(6)),
            Only::Correlation(id) => id.eq_ignore_ascii_case(&write.correlation),
        });
        is_of_it && (self.since_ms..=self.until_ms).contains(&write.at_ms)
    }
}

/// `name operator 'value'`.
fn condition(text: &str) -> Option<(&str, &str, &str)> {
    let (name, rest) = text.trim().split_once(' ')?;
    let (operator, value) = rest.trim().split_once(' ')?;
    let value = value.trim().strip_prefix('\'')?.strip_suffix('\'')?;
    Some((name, operator, value))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_documented_forms_are_taken() {
        let now: Timestamp = "2026-04-01T00:00:00Z".parse().unwrap();
        let range = "eventTimestamp ge '2026-03-01T00:00:00Z' and eventTimestamp le '2026-03-02T00:00:00Z'";
        for good in [range, "eventTimestamp ge '2026-03-01T00:00:00Z'", &format!("{range} and resourceProvider eq 'x'")]
        {
            assert!(Filter::parse(good, now).is_ok(), "{good}");
        }
        for bad in [
            "",
            "eventTimestamp le '2026-03-02T00:00:00Z'",
            "eventTimestamp ge 2026-03-01T00:00:00Z",
            &format!("{range} and caller eq 'x'"),
            &format!("{range} and resourceProvider eq 'x' and resourceUri eq 'y'"),
        ] {
            assert_eq!(Filter::parse(bad, now), Err(FilterFault::Syntax), "{bad}");
        }
        assert_eq!(Filter::parse("eventTimestamp ge '2025-12-31T00:00:00Z'", now), Err(FilterFault::TooOld));
    }
}
