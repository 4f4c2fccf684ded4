//! The words for what was found, each with a shape: colour never says anything alone.

use hostssl_model::{Outcome, Standing};
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
            Standing::Unproven | Standing::NotProbed => ("half", "✓"),
            Standing::Proven => ("yes", "✓"),
        };
        Self { class, shape, word: standing.words() }
    }
}

/// The word of an outcome.
pub(crate) fn outcome_badge(outcome: &str) -> Badge {
    match outcome {
        "pass" => Badge { class: "yes", shape: "✓", word: "pass" },
        "fail" => Badge { class: "no", shape: "✕", word: "fail" },
        "not-applicable" => Badge { class: "none", shape: "–", word: "not applicable" },
        _ => Badge { class: "unknown", shape: "?", word: "unknown" },
    }
}

/// The word of what a listener does with clients without TLS. Only a proof is green.
pub(crate) fn transport_badge(transport: &str) -> Badge {
    match transport {
        "enforced" => Badge { class: "yes", shape: "✓", word: "refuses plaintext" },
        "optional" => Badge { class: "no", shape: "✕", word: "accepts plaintext" },
        "plaintext-only" => Badge { class: "no", shape: "✕", word: "has no TLS" },
        "broken-tls" => Badge { class: "no", shape: "✕", word: "TLS is broken" },
        "unseen" => Badge { class: "unknown", shape: "?", word: "not reached" },
        _ => Badge { class: "unknown", shape: "?", word: "inconclusive" },
    }
}

impl From<Outcome> for Badge {
    fn from(outcome: Outcome) -> Self {
        outcome_badge(outcome.as_str())
    }
}

/// A kind of server as the portal calls it.
pub(crate) fn kind_words(kind: &str) -> &str {
    match kind {
        "flexible" => "Azure Database for PostgreSQL flexible server",
        "elastic-cluster" => "Azure Database for PostgreSQL elastic cluster",
        "single" => "Azure Database for PostgreSQL single server",
        "cosmos-cluster" => "Azure Cosmos DB for PostgreSQL cluster",
        "horizon" => "Azure HorizonDB cluster",
        other => other,
    }
}

/// A kind of server in a table.
pub(crate) fn kind_word(kind: &str) -> &str {
    match kind {
        "flexible" => "Flexible server",
        "elastic-cluster" => "Elastic cluster",
        "single" => "Single server",
        "cosmos-cluster" => "Cosmos DB cluster",
        "horizon" => "HorizonDB cluster",
        other => other,
    }
}

/// Azure's word for a TLS version in the words of people.
pub(crate) fn tls_word(azure: &str) -> &str {
    match azure {
        "TLS1_0" => "TLS 1.0",
        "TLS1_1" => "TLS 1.1",
        "TLS1_2" => "TLS 1.2",
        "TLS1_3" => "TLS 1.3",
        "TLSEnforcementDisabled" => "any",
        "" => "unknown",
        other => other,
    }
}

/// A reason in words.
pub(crate) fn reason_words(reason: &str) -> &str {
    match reason {
        "stopped" => "stopped servers, whose parameters Azure does not tell",
        "permission" => "missing permission",
        "vanished" => "gone between list and look",
        "creating" => "still being created",
        "busy" => "busy with another operation",
        "throttled" => "Azure went on refusing",
        "deadline" => "time was up",
        "interrupted" => "the audit was stopped",
        "network" => "no connection to Azure",
        "sign-in" => "the sign-in was refused",
        "azure-error" => "Azure answered with an error",
        "malformed-answer" => "Azure's answer could not be understood",
        "not-returned" => "Azure left the value out",
        "not-offered" => "the provider is not registered there: nothing was missed",
        "eventually-consistent" => "found by Resource Graph, which cannot vouch for completeness",
        "not-probed" => "the wire was not looked at",
        "unresolved" => "the host name leads nowhere from here",
        "unreachable" => "no connection to the server from here",
        "inconclusive" => "the server’s answers prove nothing",
        "no-subscription" => "no subscription can be seen",
        other => other,
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
        for reason in hostssl_model::Reason::ALL {
            assert!(reason_words(reason.as_str()).contains(' '), "{reason}");
        }
    }
}
