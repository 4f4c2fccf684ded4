//! The words for what was found, each with a shape: colour never says anything alone.

use hostssl_model::{Floor, Kind, Outcome, Reason, Standing, TlsVersion, WireTransport, Word, WorstListener};
use hostssl_store::{AuditEntry, Enforcement};

/// A word with its shape and its class.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Badge {
    pub(crate) class: &'static str,
    pub(crate) shape: &'static str,
    pub(crate) word: &'static str,
}

impl From<Enforcement> for Badge {
    fn from(enforcement: Enforcement) -> Self {
        match enforcement {
            Enforcement::Enforced => Self { class: "yes", shape: "✓", word: "enforced" },
            Enforcement::NotEnforced => Self { class: "no", shape: "✕", word: "not enforced" },
            Enforcement::Unknown => Self { class: "unknown", shape: "?", word: "unknown" },
        }
    }
}

impl From<Standing> for Badge {
    fn from(standing: Standing) -> Self {
        let (class, shape) = match standing {
            Standing::AcceptsPlaintext => ("worst", "!"),
            Standing::NotEnforced => ("no", "✕"),
            Standing::Unknown => ("unknown", "?"),
            Standing::Unproven | Standing::NotProbed => ("half", "○"),
            Standing::Proven => ("yes", "✓"),
        };
        Self { class, shape, word: standing.words() }
    }
}

/// The word of an outcome; of one that this version does not know, that it is unknown.
pub(crate) fn outcome_badge(outcome: &str) -> Badge {
    Outcome::from_code(outcome).unwrap_or(Outcome::Unknown).into()
}

/// The word of what a listener does with clients without TLS, by its code. What is not known proves nothing.
pub(crate) fn transport_badge(transport: &str) -> Badge {
    WorstListener::from_code(transport).unwrap_or(WorstListener::Inconclusive).into()
}

/// Only a proof is green.
impl From<WorstListener> for Badge {
    fn from(listener: WorstListener) -> Self {
        match listener {
            WorstListener::Enforced => Self { class: "yes", shape: "✓", word: "refuses plaintext" },
            WorstListener::Optional => Self { class: "no", shape: "✕", word: "accepts plaintext" },
            WorstListener::PlaintextOnly => Self { class: "no", shape: "✕", word: "has no TLS" },
            WorstListener::BrokenTls => Self { class: "no", shape: "✕", word: "TLS is broken" },
            WorstListener::Unseen => Self { class: "unknown", shape: "?", word: "not reached" },
            WorstListener::Inconclusive => Self { class: "unknown", shape: "?", word: "inconclusive" },
        }
    }
}

impl From<WireTransport> for Badge {
    fn from(transport: WireTransport) -> Self {
        match transport {
            WireTransport::Enforced => WorstListener::Enforced,
            WireTransport::Optional => WorstListener::Optional,
            WireTransport::PlaintextOnly => WorstListener::PlaintextOnly,
            WireTransport::BrokenTls => WorstListener::BrokenTls,
            WireTransport::Inconclusive => WorstListener::Inconclusive,
        }
        .into()
    }
}

impl From<&Word<WorstListener>> for Badge {
    fn from(word: &Word<WorstListener>) -> Self {
        word.known().unwrap_or(WorstListener::Inconclusive).into()
    }
}

impl From<Outcome> for Badge {
    fn from(outcome: Outcome) -> Self {
        match outcome {
            Outcome::Pass => Self { class: "yes", shape: "✓", word: "pass" },
            Outcome::Fail => Self { class: "no", shape: "✕", word: "fail" },
            Outcome::NotApplicable => Self { class: "none", shape: "–", word: "not applicable" },
            Outcome::Unknown => Self { class: "unknown", shape: "?", word: "unknown" },
        }
    }
}

/// A kind of server in a table, by its code; a kind of another version stays what it is.
pub(crate) fn kind_word(kind: &str) -> &str {
    Kind::from_code(kind).map_or(kind, |kind| kind.offering().short_title)
}

/// A reason in words, by its code; a reason of another version stays what it is.
pub(crate) fn reason_words(reason: &str) -> &str {
    match Reason::from_code(reason) {
        Some(reason) => words_of_reason(reason),
        None if reason == "primary-unknown" => "the primary could not be read, so they cannot be compared",
        None => reason,
    }
}

/// Azure's word for a TLS version in the words of people.
pub(crate) fn tls_word(azure: &str) -> &str {
    match Floor::from_azure(azure) {
        Some(Floor::At(version)) => version.words(),
        Some(Floor::None) => "any version",
        None if azure == SSL3 => "SSL 3.0",
        None if azure.is_empty() => "unknown",
        None => azure,
    }
}

/// The word of the store for a version that no setting of Azure can name.
const SSL3: &str = "SSL3";

/// A TLS version in a table: its words, and how good it is.
pub(crate) struct TlsCell {
    pub(crate) class: &'static str,
    pub(crate) words: String,
    /// What else to know: that it waits for a restart, and what is in effect until then, as far as a probe saw it.
    pub(crate) note: String,
}

impl TlsCell {
    /// The lowest version that is declared, in Azure's words; whether it waits for a restart; and the lowest that a probe
    /// saw accepted. What waits is never shown as in effect.
    pub(crate) fn new(declared: &str, waits: bool, accepts: &str) -> Self {
        let deprecated = |floor| floor < Floor::At(TlsVersion::Tls1_2);
        let weak = |version: &str| Floor::from_azure(version).map_or(version == SSL3, deprecated);
        let words = tls_word(declared).to_owned();
        if waits {
            let now = if accepts.is_empty() { String::new() } else { format!(", now {}", tls_word(accepts)) };
            return Self { class: "waits", words, note: format!("after a restart{now}") };
        }
        let below = !accepts.is_empty() && Floor::from_azure(accepts) < Floor::from_azure(declared) && !weak(declared);
        match (weak(declared), below) {
            (true, _) => Self { class: "bad", words, note: String::new() },
            (false, true) => Self { class: "bad", words, note: format!("accepts {}", tls_word(accepts)) },
            (false, false) if declared.is_empty() => Self { class: "muted", words, note: String::new() },
            (false, false) => Self { class: "", words, note: String::new() },
        }
    }
}

/// A region as Azure's own lists spell it: some answers say `West Europe`, others `westeurope`.
pub(crate) fn location_word(location: &str) -> String {
    location.chars().filter(|letter| !letter.is_whitespace()).collect::<String>().to_lowercase()
}

/// A reason in words.
pub(crate) fn words_of_reason(reason: Reason) -> &'static str {
    match reason {
        Reason::Stopped => "stopped: Azure does not return the settings",
        Reason::Permission => "missing permission",
        Reason::Vanished => "deleted during the audit",
        Reason::Creating => "still being created",
        Reason::Busy => "busy with another operation",
        Reason::Throttled => "Azure kept throttling",
        Reason::Deadline => "deadline reached",
        Reason::Interrupted => "the audit was stopped",
        Reason::Network => "no connection to Azure",
        Reason::SignIn => "the sign-in was refused",
        Reason::AzureError => "Azure answered with an error",
        Reason::MalformedAnswer => "unexpected answer from Azure",
        Reason::NotReturned => "Azure left the value out",
        Reason::NotOffered => "the provider is not registered there, so there is nothing to check",
        Reason::EventuallyConsistent => "found by Resource Graph, which does not guarantee completeness",
        Reason::NotProbed => "the listeners were not probed",
        Reason::Unresolved => "the host name does not resolve from here",
        Reason::Unreachable => "no connection to the server from here",
        Reason::Inconclusive => "the server’s answers are inconclusive",
        Reason::NoSubscription => "no subscription is visible",
        Reason::Excepted => "excluded by request",
    }
}

/// What an audit could see, in one phrase.
pub(crate) fn coverage_of(audit: &AuditEntry) -> &'static str {
    match (audit.complete, audit.stopped) {
        (true, _) => "complete",
        (false, true) => "stopped early",
        (false, false) => "incomplete",
    }
}

/// A number with thin spaces between thousands.
pub(crate) fn count(count: u64) -> String {
    let digits = count.to_string();
    let mut shown = String::with_capacity(digits.len() + 4);
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            shown.push('\u{202f}');
        }
        shown.push(digit);
    }
    shown
}

/// A number with its noun.
pub(crate) fn plural(number: u64, noun: &str) -> String {
    format!("{} {noun}{}", count(number), if number == 1 { "" } else { "s" })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_grouped() {
        let shown = [0, 999, 1000, 1_234_567].map(count);
        assert_eq!(shown, ["0", "999", "1\u{202f}000", "1\u{202f}234\u{202f}567"]);
        assert_eq!((plural(1, "server"), plural(2, "server")), ("1 server".into(), "2 servers".into()));
    }

    #[test]
    fn every_reason_has_words() {
        for reason in Reason::ALL {
            assert!(reason_words(reason.as_str()).contains(' '), "{reason}");
        }
    }
}
