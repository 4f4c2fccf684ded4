//! The words for what was found, each with a shape: colour never says anything alone.

use hostssl_model::{
    Floor, Kind, Outcome, Principal, Reason, ResourceId, Standing, TlsVersion, WireTransport, WireVersion, Word,
    WorstListener,
};
use hostssl_remediation::{FixableControl, Goal, Plan};
use hostssl_store::{AuditEntry, Enforcement, ServerReason, StoredUnchecked};

/// A word with its shape and its class.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Badge {
    pub(crate) class: &'static str,
    pub(crate) shape: &'static str,
    pub(crate) word: &'static str,
}

impl Badge {
    /// A failure that was accepted for a time: it stays a failure.
    pub(crate) const FAIL_WAIVED: Self = Self { class: "none", shape: "✕", word: "fail, waived" };
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

/// Only a proof is green.
impl From<WorstListener> for Badge {
    fn from(listener: WorstListener) -> Self {
        let (class, shape) = match listener {
            WorstListener::Enforced => ("yes", "✓"),
            WorstListener::Optional | WorstListener::PlaintextOnly | WorstListener::BrokenTls => ("no", "✕"),
            WorstListener::Unseen | WorstListener::Inconclusive => ("unknown", "?"),
        };
        Self { class, shape, word: listener.words() }
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

/// What is not known proves nothing.
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

/// A kind of server in a table; a kind of another version stays what it is.
pub(crate) fn kind_word(kind: &Word<Kind>) -> &str {
    match kind {
        Word::Known(kind) => kind.offering().short_title,
        Word::Other(word) => word,
    }
}

/// A reason in words; a reason of another version stays what it is.
pub(crate) fn reason_words(reason: &Word<Reason>) -> &str {
    match reason {
        Word::Known(reason) => words_of_reason(*reason),
        Word::Other(word) => word,
    }
}

/// Why something about a server could not be checked, in words; a reason of another version stays what it is.
pub(crate) fn server_reason_words(reason: &Word<ServerReason>) -> &str {
    match reason {
        Word::Known(ServerReason::Own(reason)) => words_of_reason(*reason),
        Word::Known(ServerReason::OfPrimary) => "the primary could not be read, so they cannot be compared",
        Word::Other(word) => word,
    }
}

/// The lowest version that is declared, in words; a word of another version stays what it is.
pub(crate) fn floor_word(floor: Option<&Word<Floor>>) -> &str {
    match floor {
        None => "unknown",
        Some(Word::Known(Floor::None)) => "any version",
        Some(Word::Known(Floor::At(version))) => version.words(),
        Some(Word::Other(word)) => word,
    }
}

/// A version that a listener accepted, in words; a word of another version stays what it is.
pub(crate) fn version_word(version: &Word<WireVersion>) -> &str {
    match version {
        Word::Known(version) => version.words(),
        Word::Other(word) => word,
    }
}

/// A TLS version in a table: its words, and how good it is.
pub(crate) struct TlsCell {
    pub(crate) class: &'static str,
    pub(crate) words: String,
    /// What else to know: that it waits for a restart, and what is in effect until then, as far as a probe saw it.
    pub(crate) note: String,
}

impl TlsCell {
    /// The lowest version that is declared; whether it waits for a restart; and the lowest that a probe saw accepted. What
    /// waits is never shown as in effect.
    pub(crate) fn new(declared: Option<&Word<Floor>>, waits: bool, accepts: Option<&Word<WireVersion>>) -> Self {
        let words = floor_word(declared).to_owned();
        if waits {
            let now = accepts.map_or_else(String::new, |version| format!(", now {}", version_word(version)));
            return Self { class: "waits", words, note: format!("after a restart{now}") };
        }
        let floor = declared.and_then(Word::known);
        let (class, note) = match accepts.filter(|version| is_below(version, floor)) {
            _ if floor.is_some_and(is_weak) => ("bad", String::new()),
            Some(version) => ("bad", format!("accepts {}", version_word(version))),
            None if declared.is_none() => ("muted", String::new()),
            None => ("", String::new()),
        };
        Self { class, words, note }
    }
}

/// Whether a floor admits versions that are deprecated (RFC 8996).
pub(crate) fn is_weak(floor: Floor) -> bool {
    floor < Floor::At(TlsVersion::Tls1_2)
}

/// Whether a version that was accepted is below the floor that is declared. Of a word of another version that is not known.
pub(crate) fn is_below(accepts: &Word<WireVersion>, floor: Option<Floor>) -> bool {
    floor.zip(accepts.known()).is_some_and(|(floor, version)| floor.refuses(version))
}

/// A region as Azure's own lists spell it: some answers say `West Europe`, others `westeurope`.
pub(crate) fn location_word(location: &str) -> String {
    hostssl_formats::server_document::location_name(location)
}

/// Everything that is known of identities, where a list has room for their names alone.
pub(crate) fn identity_words(identities: &[Principal]) -> String {
    let words = |one: &Principal| {
        let object = one.object_id.as_deref().map(|id| format!(", object id {id}")).unwrap_or_default();
        let tenant = one.tenant.as_deref().map(|id| format!(", tenant {id}")).unwrap_or_default();
        format!("{} (--auth {}{object}{tenant})", one.name, one.method)
    };
    identities.iter().map(words).collect::<Vec<_>>().join("; ")
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
        Reason::NoVantage => "no zone reaches its private network",
        Reason::ProberSilent => "its zone has no recent answer",
        Reason::Inconclusive => "the server’s answers are inconclusive",
        Reason::NoSubscription => "no subscription is visible",
        Reason::Excepted => "excluded by request",
    }
}

/// Prose of Azure about a server, with names where it has the ids of the server and of what the server is in, and without the
/// full stop: the sentence that it becomes a part of has its own.
pub(crate) fn brief(prose: &str, server: &ResourceId) -> String {
    let id = server.as_str();
    let part = |number: usize| id.split('/').take(number).collect::<Vec<_>>().join("/");
    let group = format!("the resource group {}", server.resource_group());
    let subscription = format!("the subscription {}", id.split('/').nth(2).unwrap_or_default());
    let mut brief = prose.trim_end().trim_end_matches('.').to_owned();
    // The longest first, because each is the beginning of the one before.
    for (long, short) in [(id, server.name()), (&part(5), &group), (&part(3), &subscription)] {
        brief = replaced(&brief, long, short);
    }
    brief
}

/// Why something of a server could not be read, in prose. Azure's own sentence about a permission has ids and little else;
/// which one is missing stands beside it, and the sentence on the server's evidence.
pub(crate) fn why_unread(unchecked: &StoredUnchecked, server: &str) -> String {
    match ResourceId::try_from(server) {
        _ if unchecked.missing_permission.is_some() => "the identity lacks a permission".to_owned(),
        Ok(server) => brief(&unchecked.detail, &server),
        Err(_) => unchecked.detail.trim_end_matches('.').to_owned(),
    }
}

/// The text with a name in place of an id that ends there: what has more behind a slash is another id.
fn replaced(text: &str, id: &str, name: &str) -> String {
    let lower = text.to_ascii_lowercase();
    let mut shown = String::with_capacity(text.len());
    let mut rest = 0;
    for (at, found) in lower.match_indices(&id.to_ascii_lowercase()) {
        let end = at + found.len();
        let is_more = |c: char| c.is_alphanumeric() || matches!(c, '/' | '-' | '_');
        let goes_on = text.get(end..).is_some_and(|behind| behind.starts_with(is_more));
        if !goes_on {
            shown.push_str(text.get(rest..at).unwrap_or_default());
            shown.push_str(name);
            rest = end;
        }
    }
    shown.push_str(text.get(rest..).unwrap_or_default());
    shown
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

/// What a plan does, as it stands on the button.
pub(crate) fn effect(plan: &Plan) -> String {
    if let Some(step) = plan.steps().iter().filter(|step| step.is_executable()).find(|step| step.turns_off()) {
        return format!("Stop enforcing TLS on {}", step.server.name());
    }
    let mut steps = plan.steps().iter().filter(|step| step.is_executable());
    let only = steps.next().filter(|_| steps.next().is_none());
    let servers = plan.servers() as u64;
    match (plan.goal(), only) {
        _ if plan.is_empty() => "Nothing to write".to_owned(),
        (Goal::Set { .. }, Some(step)) if step.control == FixableControl::RequireSecureTransport => {
            format!("Enforce TLS on {}", step.server.name())
        }
        (Goal::Set { .. }, Some(step)) => format!("Set the minimum TLS version of {}", step.server.name()),
        (Goal::Fix { controls, .. }, _) if controls.as_slice() == [FixableControl::RequireSecureTransport] => {
            format!("Enforce on {}", plural(servers, "server"))
        }
        _ => format!("Change {}", plural(servers, "server")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// How the console calls a kind. The match has no other arm on purpose: a new kind does not compile here before someone
    /// has read how its pages call it.
    fn called(kind: Kind) -> &'static str {
        match kind {
            Kind::Flexible => "Flexible server",
            Kind::ElasticCluster => "Elastic cluster",
            Kind::Single => "Single server",
            Kind::CosmosCluster => "Cosmos DB cluster",
            Kind::Horizon => "HorizonDB cluster",
        }
    }

    #[test]
    fn every_kind_has_words() {
        for kind in Kind::ALL {
            assert_eq!(kind_word(&Word::Known(kind)), called(kind));
        }
        assert_eq!(kind_word(&Word::read("a-later-kind")), "a-later-kind");
    }

    #[test]
    fn numbers_are_grouped() {
        let shown = [0, 999, 1000, 1_234_567].map(count);
        assert_eq!(shown, ["0", "999", "1\u{202f}000", "1\u{202f}234\u{202f}567"]);
        assert_eq!((plural(1, "server"), plural(2, "server")), ("1 server".into(), "2 servers".into()));
    }

    #[test]
    fn prose_has_names_where_azure_has_ids_and_one_full_stop() {
        let group = "/subscriptions/20000000-0000-4000-8000-000000000001/resourceGroups/rg-a";
        let id = format!("{group}/providers/Microsoft.DBforPostgreSQL/flexibleServers/pg-a");
        let server = ResourceId::try_from(id.as_str()).unwrap();
        let of = |prose: &str| brief(prose, &server);
        assert_eq!(of("The server was not found."), "The server was not found");
        assert_eq!(of(&format!("ReadOnly lock on {id}")), "ReadOnly lock on pg-a");
        assert_eq!(of(&format!("lock on {}", group.to_uppercase())), "lock on the resource group rg-a");
        let subscription = "/subscriptions/20000000-0000-4000-8000-000000000001";
        assert_eq!(
            of(&format!("over '{subscription}'")),
            "over 'the subscription 20000000-0000-4000-8000-000000000001'"
        );
        // What only begins like these is something else.
        for other in [format!("{id}-2"), format!("{id}/databases/d"), format!("{group}b"), "Größe İ".to_owned()] {
            assert_eq!(of(&other), other);
        }
    }

    #[test]
    fn every_reason_has_words() {
        for reason in Reason::ALL {
            assert!(reason_words(&Word::Known(reason)).contains(' '), "{reason}");
        }
        assert_eq!(reason_words(&Word::Other("asleep".into())), "asleep");
    }

    #[test]
    fn a_version_below_the_floor_is_bad_and_one_that_is_not_known_is_not_compared() {
        let badge_parts = |declared: &str, waits, accepts: &str| {
            let declared = (!declared.is_empty()).then(|| Word::read(declared));
            let accepts = (!accepts.is_empty()).then(|| Word::read(accepts));
            let cell = TlsCell::new(declared.as_ref(), waits, accepts.as_ref());
            (cell.class, cell.words, cell.note)
        };
        let cases = [
            ("", false, "SSL3", ("muted", "unknown", "")),
            ("TLS1_2", false, "", ("", "TLS 1.2", "")),
            ("TLS1_2", false, "TLS1_2", ("", "TLS 1.2", "")),
            ("TLS1_2", false, "TLS1_1", ("bad", "TLS 1.2", "accepts TLS 1.1")),
            ("TLS1_2", false, "SSL3", ("bad", "TLS 1.2", "accepts SSL 3.0")),
            ("TLS1_1", false, "SSL3", ("bad", "TLS 1.1", "")),
            ("TLSEnforcementDisabled", false, "TLS1_2", ("bad", "any version", "")),
            ("TLS1_3", true, "TLS1_2", ("waits", "TLS 1.3", "after a restart, now TLS 1.2")),
            // Words of another version.
            ("TLS1_2", false, "TLS1_4", ("", "TLS 1.2", "")),
            ("TLS1_4", false, "TLS1_2", ("", "TLS1_4", "")),
        ];
        for (declared, waits, accepts, (class, words, note)) in cases {
            assert_eq!(
                badge_parts(declared, waits, accepts),
                (class, words.into(), note.into()),
                "{declared} {accepts}"
            );
        }
    }
}
