//! Times and lengths. The page has UTC; the script puts the reader's zone in its place.

use askama::filters::HtmlSafe;
use jiff::Timestamp;
use std::fmt;

/// A moment, in milliseconds since 1970.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct When(pub(crate) i64);

impl When {
    fn time(self) -> Timestamp {
        Timestamp::from_millisecond(self.0).unwrap_or_default()
    }
}

impl When {
    /// The day and the hour, for places that hold text alone.
    pub(crate) fn text(self) -> String {
        self.time().strftime("%-d %b %Y %H:%M UTC").to_string()
    }

    /// The hour alone.
    pub(crate) fn hour(self) -> String {
        self.time().strftime("%H:%M UTC").to_string()
    }

    /// The day alone.
    pub(crate) fn day(self) -> String {
        self.time().strftime("%-d %b").to_string()
    }
}

impl fmt::Display for When {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let time = self.time();
        // A line may break between the day and the hour, and nowhere else.
        let shown = time.strftime("%-d\u{a0}%b\u{a0}%Y %H:%M\u{a0}UTC");
        write!(f, r#"<time datetime="{time:.0}" title="{}">{shown}</time>"#, time.strftime("%Y-%m-%d %H:%M:%S UTC"))
    }
}

// Only digits and the letters of months.
impl HtmlSafe for When {}

/// How long ago a moment is, in words.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Ago {
    at: i64,
    now: i64,
}

impl Ago {
    pub(crate) fn new(at: i64) -> Self {
        Self { at, now: Timestamp::now().as_millisecond() }
    }
}

impl fmt::Display for Ago {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let time = When(self.at).time();
        let words = ago((self.now - self.at) / 1000);
        write!(
            f,
            r#"<time datetime="{time:.0}" title="{}" data-keep>{words}</time>"#,
            time.strftime("%Y-%m-%d %H:%M:%S UTC")
        )
    }
}

impl HtmlSafe for Ago {}

fn ago(seconds: i64) -> String {
    let unit = |count: i64, word: &str| format!("{count} {word}{} ago", if count == 1 { "" } else { "s" });
    match seconds {
        ..60 => "just now".to_owned(),
        60..3600 => format!("{} min ago", seconds / 60),
        3600..86_400 => unit(seconds / 3600, "hour"),
        _ => unit(seconds / 86_400, "day"),
    }
}

/// Microseconds as milliseconds with one digit behind the point.
pub(crate) fn millis(micros: &u64) -> String {
    format!("{}.{}", micros / 1000, micros % 1000 / 100)
}

/// The time between two moments in RFC 3339, in words.
pub(crate) fn length(from: &str, to: &str) -> String {
    let ms = |text: &str| text.parse::<Timestamp>().map_or(0, Timestamp::as_millisecond);
    let ms = (ms(to) - ms(from)).max(0);
    match ms {
        ..1_000 => format!("{ms} ms"),
        1_000..60_000 => format!("{}.{} s", ms / 1000, ms % 1000 / 100),
        60_000..3_600_000 => format!("{} min {} s", ms / 60_000, ms / 1000 % 60),
        _ => format!("{} h {} min", ms / 3_600_000, ms / 60_000 % 60),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moments_and_lengths_in_words() {
        let told = When(1_763_974_800_000).to_string();
        assert_eq!(
            told,
            r#"<time datetime="2025-11-24T09:00:00Z" title="2025-11-24 09:00:00 UTC">24_Nov_2025 09:00_UTC</time>"#
                .replace('_', "\u{a0}")
        );
        assert_eq!(
            (ago(5), ago(240), ago(3600), ago(90_000 * 2)),
            ("just now".into(), "4 min ago".into(), "1 hour ago".into(), "2 days ago".into())
        );
        assert_eq!(length("2026-11-24T09:00:00Z", "2026-11-24T09:01:02.5Z"), "1 min 2 s");
        assert_eq!(length("2026-11-24T09:00:00Z", "2026-11-24T09:00:02.5Z"), "2.5 s");
        assert_eq!(length("never", "2026-11-24T09:00:00.0Z").split(' ').nth(1), Some("h"));
    }
}
