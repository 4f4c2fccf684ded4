//! How long an answer asks to wait (RFC 9110, section 10.2.3).

use azure_core::http::headers::{HeaderName, Headers, RETRY_AFTER};
use jiff::{SignedDuration, Timestamp};
use std::time::Duration;

/// No wait is shorter: what asks for none would be asked again at once.
const SHORTEST: Duration = Duration::from_secs(1);

/// The time that `Retry-After` asks for, in seconds or as a date. A date is one of the clock that answered, whose time is in `Date`;
/// without one, this machine's.
pub(crate) fn retry_after(headers: &Headers, now: Timestamp) -> Option<Duration> {
    let text = headers.get_optional_str(&RETRY_AFTER)?.trim();
    let wait = match text.parse() {
        Ok(seconds) => Duration::from_secs(seconds),
        Err(_) => {
            let answered = headers.get_optional_str(&HeaderName::from_static("date")).and_then(date);
            until(date(text)?, answered.unwrap_or(now))
        }
    };
    Some(wait.max(SHORTEST))
}

fn until(then: Timestamp, now: Timestamp) -> Duration {
    let left: SignedDuration = then.duration_since(now);
    Duration::try_from(left).unwrap_or_default()
}

/// A date of HTTP, which is one of RFC 2822 (RFC 9110, section 5.6.7).
pub(crate) fn date(text: &str) -> Option<Timestamp> {
    jiff::fmt::rfc2822::parse(text.trim()).ok().map(|date| date.timestamp())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asked(headers: &[(&'static str, &'static str)]) -> Option<u64> {
        let mut all = Headers::new();
        for (name, value) in headers {
            all.insert(*name, *value);
        }
        let now = "1994-11-06T08:49:37Z".parse().unwrap();
        retry_after(&all, now).map(|wait| wait.as_secs())
    }

    #[test]
    fn seconds_and_dates() {
        let at = |text| ("retry-after", text);
        assert_eq!(asked(&[at("7")]), Some(7));
        assert_eq!(asked(&[at(" 7 ")]), Some(7));
        assert_eq!(asked(&[at("0")]), Some(1));
        assert_eq!(asked(&[at("Sun, 06 Nov 1994 08:50:07 GMT")]), Some(30), "by the clock of this machine");
        let by = |date| asked(&[at("Sun, 06 Nov 1994 08:50:07 GMT"), ("date", date)]);
        assert_eq!(by("Sun, 06 Nov 1994 08:50:00 GMT"), Some(7), "by the clock that answered");
        assert_eq!(by("Sun, 06 Nov 1994 09:00:00 GMT"), Some(1), "it is over");
        assert_eq!(by("yesterday"), Some(30));
        for text in ["", "soon", "-3", "Sun, 06 Nov 1994"] {
            assert_eq!(asked(&[at(text)]), None, "{text}");
        }
        assert_eq!(asked(&[]), None);
    }
}
