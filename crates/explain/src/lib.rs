//! What an error message of a client means: firewall, `pg_hba.conf`, TLS, password, trust store, name, address,
//! resources, or no refusal of a server at all.
//!
//! Pure: text in, explanations out. The texts are those of PostgreSQL, of its gateways on Azure, of its poolers, of
//! libpq and of the drivers with their TLS libraries; of PostgreSQL's own translations the few that decide. Only what
//! is outside quoted names counts, as users choose those. Nothing of a text is repeated in its explanation, so an
//! explanation can be shown on a terminal whatever the text holds.

/// How PgBouncer says that its `auth_hba_file` has no line for a client, or one that rejects it: up to 1.24, and from
/// 1.25 on.
pub const POOLER_LINE_REFUSALS: [&str; 2] = ["login rejected", "no authentication method is found"];

mod attempts;
#[cfg(test)]
mod corpus_tests;
mod matching;
mod pasted_text;
mod readings;
mod rules;
mod sqlstate;

use matching::Found;
use readings::Weight;

/// Who or what refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Cause {
    /// The server requires TLS, and the client connected without it.
    TlsEnforced,
    /// A rule on addresses, users or databases: a firewall, an allow list, `pg_hba.conf`. Not TLS.
    AddressRule,
    /// A rule of `pg_hba.conf`; the text does not say whether it is about TLS.
    PgHba,
    /// The password, or the token in its place.
    Password,
    /// Authentication was passed, and the user lacks a privilege.
    Permission,
    /// The client has no roots, or others than the server's chain ends in.
    TrustStore,
    /// The certificate names another host.
    HostName,
    /// A signature or key in the chain is too weak for the client's rules.
    WeakAlgorithm,
    /// The certificate's time is over or has not begun, or a clock is wrong.
    Expired,
    /// The server demands a certificate of the client.
    ClientCertificate,
    /// The client demands TLS and the server has none.
    NoTlsOnServer,
    /// No TLS version or suite in common.
    NoCommonTls,
    /// The peer broke off the handshake, or does not speak TLS or PostgreSQL there.
    Handshake,
    /// The client's own settings, files or build; no server refused.
    ClientSetup,
    /// The server has no slots or is not up yet.
    Busy,
    /// Someone ended the session on the server.
    SessionEnded,
    /// The user or database does not exist: authentication was reached.
    NoSuchRoleOrDatabase,
    /// No connection could be made at all: address, port, name or route.
    Unreachable,
    /// The connection was closed without a word of why.
    Closed,
    /// None that this program knows.
    Unknown,
}

impl Cause {
    /// Every cause, in the order of their declaration.
    pub const ALL: [Self; 20] = [
        Self::TlsEnforced,
        Self::AddressRule,
        Self::PgHba,
        Self::Password,
        Self::Permission,
        Self::TrustStore,
        Self::HostName,
        Self::WeakAlgorithm,
        Self::Expired,
        Self::ClientCertificate,
        Self::NoTlsOnServer,
        Self::NoCommonTls,
        Self::Handshake,
        Self::ClientSetup,
        Self::Busy,
        Self::SessionEnded,
        Self::NoSuchRoleOrDatabase,
        Self::Unreachable,
        Self::Closed,
        Self::Unknown,
    ];

    /// The word in text and in JSON.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::TlsEnforced => "tls-enforced",
            Self::AddressRule => "address-rule",
            Self::PgHba => "pg-hba",
            Self::Password => "password",
            Self::Permission => "permission",
            Self::TrustStore => "trust-store",
            Self::HostName => "host-name",
            Self::WeakAlgorithm => "weak-algorithm",
            Self::Expired => "expired",
            Self::ClientCertificate => "client-certificate",
            Self::NoTlsOnServer => "no-tls-on-server",
            Self::NoCommonTls => "no-common-tls",
            Self::Handshake => "handshake",
            Self::ClientSetup => "client-setup",
            Self::Busy => "busy",
            Self::SessionEnded => "session-ended",
            Self::NoSuchRoleOrDatabase => "no-such-role-or-database",
            Self::Unreachable => "unreachable",
            Self::Closed => "closed",
            Self::Unknown => "unknown",
        }
    }
}

/// How sure an explanation is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Certainty {
    /// The text fits, and others would fit as well.
    Low,
    /// The usual meaning of the text; another is possible.
    Medium,
    /// The text says it.
    High,
}

impl Certainty {
    /// The word in text and in JSON.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Low => "low",
            Self::Medium => "medium",
            Self::High => "high",
        }
    }
}

/// What an error message means.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Explanation {
    /// Who or what refused.
    pub cause: Cause,
    /// How sure that is.
    pub confidence: Certainty,
    /// What happened, in a sentence or two.
    pub meaning: &'static str,
    /// Why it is this, in a sentence: the deciding words.
    pub why: String,
    /// What to do about it.
    pub advice: &'static str,
    /// The words, in lower case, or the SQLSTATE code that tell. Never taken from the text.
    pub matched: String,
    /// It is the companion of another error in the same text and not to be acted on.
    pub red_herring: bool,
}

/// Explains `text` by its most telling cause; [`Cause::Unknown`] when no message in it is known.
#[must_use]
pub fn explain(text: &str) -> Explanation {
    explain_all(text).into_iter().next().unwrap_or_else(unknown)
}

/// Explains all messages of `text`, the most significant cause first and red herrings last. Empty for an unknown text.
#[must_use]
pub fn explain_all(text: &str) -> Vec<Explanation> {
    let text = pasted_text::comparable(text);
    let mut found = matching::all(&text);
    // The heavier decides; among equals the first in the text, as names that users chose come after the message.
    found.sort_by_key(|found| (std::cmp::Reverse(found.reading.weight), found.at));
    let mut distinct: Vec<Found> = Vec::new();
    for found in found {
        if distinct.iter().all(|known| known.reading.cause != found.reading.cause) {
            distinct.push(found);
        }
    }
    let Some(top) = distinct.first().map(|found| found.reading.weight) else { return Vec::new() };
    // What only wraps a reason says nothing beside it.
    let weighs = |distinct: &[Found], weight| distinct.iter().any(|found| found.reading.weight == weight);
    let [failure, chain, reason] =
        [Weight::TlsFailure, Weight::ChainFailure, Weight::TlsReason].map(|weight| weighs(&distinct, weight));
    // A wrong name is one thing, and a chain with errors another.
    let is_of_chain =
        |found: &Found| found.reading.weight == Weight::TlsReason && found.reading.cause != Cause::HostName;
    let reason_of_chain = distinct.iter().any(is_of_chain);
    // The end of a session is why its connection was closed.
    let ended = distinct.iter().any(|found| found.reading.cause == Cause::SessionEnded);
    distinct.retain(|found| match found.reading.weight {
        Weight::Hint => top == Weight::Hint,
        Weight::TlsWrapper => !reason && !chain && !failure,
        Weight::TlsFailure => !reason && !chain,
        Weight::ChainFailure => !reason_of_chain,
        _ => !ended || found.reading.cause != Cause::Closed,
    });
    let rivals = distinct.iter().filter(|found| found.reading.weight == top).count() > 1;
    let alone = distinct.len() == 1;
    let mut all: Vec<Explanation> = distinct.iter().map(|found| explanation(found, top)).collect();
    if let Some(first) = all.first_mut() {
        // Beside a failure without a reason, plaintext may have been the second try of a client with TLS.
        let doubtful = first.cause == Cause::TlsEnforced && !alone;
        if rivals || doubtful {
            first.confidence = first.confidence.min(Certainty::Medium);
        }
        if doubtful {
            first.advice = "Set sslmode=require, or better verify-full, in the client: then no attempt is made in plaintext, and the \
                            error that remains says why TLS fails.";
        }
    }
    // Whatever the known attempts tell, the one that is not known may be the one over TLS.
    if top <= Weight::PlaintextRefused && attempts::any_unknown(&text) {
        all.iter_mut().for_each(set_aside);
        all.insert(0, unknown_attempt());
    }
    all.sort_by_key(|explanation| explanation.red_herring);
    all
}

/// Whether the message of a server says that it demands TLS, and says nothing else.
#[must_use]
pub fn demands_tls(message: &str) -> bool {
    let found = explain_all(message);
    !found.is_empty() && found.iter().all(|explanation| explanation.cause == Cause::TlsEnforced)
}

/// Says what was found, in a text whose most telling message weighs `top`.
fn explanation(found: &Found, top: Weight) -> Explanation {
    let reading = found.reading;
    let mut explanation = Explanation {
        cause: reading.cause,
        confidence: reading.confidence,
        meaning: reading.meaning,
        why: format!("It says: {}.", found.matched),
        advice: reading.advice,
        matched: found.matched.clone(),
        red_herring: false,
    };
    if reading.weight < top && reading.weight <= Weight::PlaintextRefused {
        set_aside(&mut explanation);
    }
    explanation
}

/// Marks the companion of a better reason.
fn set_aside(explanation: &mut Explanation) {
    explanation.red_herring = true;
    explanation.why.push_str(" Another message in the text is more significant.");
    if explanation.cause == Cause::TlsEnforced {
        // libpq with `sslmode=prefer` tries TLS, and after a failure of any kind once more in plaintext; with `allow`
        // it does so the other way round. The refusal of plaintext is not a sign of a client without TLS then.
        explanation.meaning = "With sslmode=prefer or allow the client tries both TLS and plaintext. The server refuses plaintext; \
                               the cause is the other error, from the attempt over TLS.";
        explanation.advice =
            "Fix the other error. Set sslmode=require or stricter, so that no attempt is made in plaintext.";
    }
}

fn unknown_attempt() -> Explanation {
    Explanation {
        meaning: "The text reports several attempts. One failed with an unknown message, which is probably the \
                  cause.",
        why: "One attempt holds no known message, and those of the others do not say why it failed.".to_owned(),
        ..unknown()
    }
}

fn unknown() -> Explanation {
    Explanation {
        cause: Cause::Unknown,
        confidence: Certainty::Low,
        meaning: "The text matches no known message.",
        why: "None of the known messages and codes is in it, outside of quoted names.".to_owned(),
        advice: "Paste the whole message with its SQLSTATE code, untranslated (lc_messages=C in the server, LC_ALL=C in the \
                 client), or see what the server does: hostssl probe HOST.",
        matched: String::new(),
        red_herring: false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use corpus_tests::{CLIENTS, NAMES, PAIRS, SERVER, TRANSLATED, WRAPPED};
    use proptest::prelude::*;
    use rules::rules;

    /// Compares each text with its cause, and tells all that differ at once.
    fn check(texts: impl IntoIterator<Item = (String, Cause)>) {
        let wrong: Vec<String> = texts
            .into_iter()
            .filter(|(text, cause)| explain(text).cause != *cause)
            .map(|(text, cause)| format!("{cause:?}, not {:?}: {text}", explain(&text).cause))
            .collect();
        assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    }

    fn owned(table: &[(&str, Cause)]) -> Vec<(String, Cause)> {
        table.iter().map(|(text, cause)| ((*text).to_owned(), *cause)).collect()
    }

    #[test]
    fn texts_of_servers_and_poolers() {
        check(owned(SERVER));
    }

    #[test]
    fn texts_of_drivers_and_tls_libraries() {
        check(owned(CLIENTS));
    }

    #[test]
    fn translations_and_codes() {
        check(owned(TRANSLATED));
    }

    #[test]
    fn names_that_users_chose_do_not_count() {
        check(owned(NAMES));
    }

    #[test]
    fn prefixes_escapes_and_encodings_do_not_matter() {
        check(owned(WRAPPED));
    }

    #[test]
    fn the_decisive_line_decides_in_both_orders() {
        let prefix = "connection to server at \"db\" (1.2.3.4), port 5432 failed: ";
        check(PAIRS.iter().flat_map(|(one, other, cause)| {
            [
                (format!("{one}\n{other}"), *cause),
                (format!("{other}\n{one}"), *cause),
                (format!("psql: error: {prefix}{one}\n{prefix}{other}"), *cause),
                (format!("psql: error: {prefix}{other}\n{prefix}{one}"), *cause),
            ]
        }));
    }

    #[test]
    fn every_known_text_keeps_its_cause_in_a_log_line() {
        let known = SERVER.iter().chain(CLIENTS).chain(TRANSLATED).filter(|(_, cause)| *cause != Cause::Unknown);
        check(known.flat_map(|(text, cause)| {
            [
                (
                    format!(
                        "2026-11-25T09:09:55Z \u{1b}[31mERROR\u{1b}[0m [main] a.b.C - {text}\n    at a.b(C.java:1)\n"
                    ),
                    *cause,
                ),
                (serde_json::json!({ "time": 1, "message": text, "pid": 2 }).to_string(), *cause),
            ]
        }));
    }

    #[test]
    fn the_second_error_of_prefer_is_a_red_herring() {
        let text = "connection to server at \"db\" (1.2.3.4), port 5432 failed: FATAL:  password authentication failed for \
                    user \"u\"\nconnection to server at \"db\" (1.2.3.4), port 5432 failed: FATAL:  no pg_hba.conf entry for \
                    host \"5.6.7.8\", user \"u\", database \"d\", no encryption";
        let found = explain_all(text);
        assert_eq!(found[0].cause, Cause::Password);
        assert!(!found[0].red_herring);
        assert_eq!(found[1].cause, Cause::TlsEnforced);
        assert!(found[1].red_herring && found[1].meaning.contains("prefer"));
    }

    #[test]
    fn both_errors_of_a_certificate_of_dotnet_are_told() {
        let text = "The remote certificate is invalid according to the validation procedure: ";
        let found = |flags: &str| {
            let found = explain_all(&format!("{text}{flags}"));
            found.iter().map(|one| (one.cause, one.red_herring)).collect::<Vec<_>>()
        };
        let (name, chain) = ("RemoteCertificateNameMismatch", "RemoteCertificateChainErrors");
        let both = [(Cause::HostName, false), (Cause::TrustStore, false)];
        assert_eq!(found(&format!("{name}, {chain}")), both);
        assert_eq!(found(&format!("{chain}, {name}")), both);
        assert_eq!(found(name), both[..1]);
        assert_eq!(found(chain), both[1..]);
        // What is wrong with the chain stands in the text.
        assert_eq!(found(&format!("{chain}, NotTimeValid")), [(Cause::Expired, false)]);
        let all = found(&format!("{name}, {chain}, NotTimeValid"));
        assert_eq!(all, [(Cause::HostName, false), (Cause::Expired, false)]);
    }

    #[test]
    fn the_end_of_a_session_explains_why_its_connection_was_closed() {
        let ended = "FATAL:  terminating connection due to administrator command";
        let closed =
            "server closed the connection unexpectedly\n\tThis probably means the server terminated abnormally";
        for text in [format!("{ended}\n{closed}"), format!("{closed}\n{ended}"), ended.to_owned()] {
            let found = explain_all(&text);
            let causes: Vec<_> = found.iter().map(|one| (one.cause, one.confidence)).collect();
            assert_eq!(causes, [(Cause::SessionEnded, Certainty::Medium)], "{text}");
        }
        // What came of the reconnection says more.
        let refused = "FATAL:  no pg_hba.conf entry for host \"h\", user \"u\", database \"d\", no encryption";
        assert_eq!(explain(&format!("{ended}\n{refused}")).cause, Cause::TlsEnforced);
    }

    #[test]
    fn both_halves_of_a_firewall_refusal() {
        let entry = "no pg_hba.conf entry for host \"h\", user \"u\", database \"d\"";
        let found = explain_all(&format!("FATAL: {entry}, SSL encryption\nFATAL: {entry}, no encryption"));
        assert_eq!(found[0].cause, Cause::AddressRule);
        assert!(found[1].red_herring, "TLS was used and refused for the address");
    }

    #[test]
    fn an_attempt_that_is_not_known_counts_more_than_a_refusal_of_plaintext() {
        let frame = "connection to server at \"db\" (1.2.3.4), port 5432 failed: ";
        let plain = "FATAL:  no pg_hba.conf entry for host \"h\", user \"u\", database \"d\", no encryption";
        let odd = "FATAL:  nobody has heard of this";
        for text in [format!("{frame}{odd}\n{frame}{plain}"), format!("psql: error: {frame}{plain}\n{frame}{odd}")] {
            let found = explain_all(&text);
            assert_eq!((found[0].cause, found[1].cause), (Cause::Unknown, Cause::TlsEnforced), "{text}");
            assert!(!found[0].red_herring && found[1].red_herring);
        }
        assert_eq!(explain(&format!("{frame}{plain}\n{frame}{plain}")).cause, Cause::TlsEnforced, "two addresses");
        assert_eq!(explain(&format!("{odd}\n{plain}")).cause, Cause::TlsEnforced, "no attempts, a log");
        let refused = format!("{frame}Connection refused\n{frame}{odd}");
        assert_eq!(explain(&refused).cause, Cause::Unknown);
    }

    #[test]
    fn two_reasons_of_one_weight_lower_the_confidence() {
        let one = "FATAL: password authentication failed for user \"u\"";
        let two = format!("{one}\nFATAL: database \"d\" does not exist");
        assert_eq!(explain(one).confidence, Certainty::High);
        assert_eq!(explain("connection timed out").confidence, Certainty::High);
        assert_eq!(explain("request timed out after 30000ms").confidence, Certainty::Low, "it may be a pool");
        assert_eq!(explain(&two).confidence, Certainty::Medium);
        assert!(explain_all(&two).iter().all(|explanation| !explanation.red_herring));
    }

    /// A text of a rule's own words.
    fn phrase(parts: &[&str]) -> String {
        parts.iter().map(|part| part.trim_end_matches('*')).collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn every_rule_can_be_met() {
        for rule in rules() {
            let text = phrase(rule.parts);
            assert_eq!(text, text.to_lowercase(), "rules are compared in lower case");
            let all = matching::all(&pasted_text::comparable(&text));
            assert!(all.iter().any(|found| std::ptr::eq(found.reading, rule.reading)), "{text}");
        }
    }

    #[test]
    fn every_explanation_says_what_why_and_what_next() {
        for (text, _) in SERVER.iter().chain(CLIENTS).chain(TRANSLATED).chain(NAMES).chain(WRAPPED) {
            for explanation in explain_all(text).into_iter().chain([explain(text)]) {
                for part in [explanation.meaning, &explanation.why, explanation.advice] {
                    assert!(part.ends_with('.') && part.len() > 10 && !part.contains("  "), "{part}");
                }
                assert_eq!(explanation.cause == Cause::Unknown, explanation.matched.is_empty());
            }
        }
    }

    #[test]
    fn a_quoted_phrase_of_a_rule_is_a_name() {
        for rule in rules() {
            // What is in these quotes closes them.
            let phrase = phrase(rule.parts).replace('"', "");
            for text in [format!("\"{phrase}\""), format!("user \"{phrase}\", x"), format!("Benutzer »{phrase}« y")] {
                assert_eq!(explain_all(&text), [], "{text}");
            }
        }
    }

    proptest! {
        #[test]
        fn never_panics(text in any::<String>()) {
            prop_assert!(!explain(&text).meaning.is_empty());
        }

        #[test]
        fn never_panics_on_what_looks_like_messages(
            pieces in prop::collection::vec(
                prop_oneof![
                    Just("\"".to_owned()), Just("\\\"".to_owned()), Just("»".to_owned()), Just("«".to_owned()),
                    Just("`".to_owned()), Just("'".to_owned()), Just("\n".to_owned()), Just("\u{1b}[".to_owned()),
                    Just("message: ".to_owned()), Just("sqlstate ".to_owned()), Just("28000".to_owned()),
                    Just(", 用户\"".to_owned()), prop::sample::select(rules().map(|rule| phrase(rule.parts)).collect::<Vec<_>>()),
                    any::<String>(),
                ],
                0..24,
            )
        ) {
            let all = explain_all(&pieces.concat());
            prop_assert!(all.is_sorted_by_key(|explanation| explanation.red_herring));
            prop_assert!(all.first().is_none_or(|explanation| !explanation.red_herring));
        }

        #[test]
        fn a_name_never_decides(index in 0..1000_usize, before in "[a-z ]{0,20}", after in "[a-z ]{0,20}") {
            let count = rules().count();
            let phrase = rules().nth(index % count).map(|rule| phrase(rule.parts).replace('"', "")).unwrap_or_default();
            for entry in [
                format!("FATAL:  database \"{before}{phrase}{after}\" does not exist"),
                format!("FATAL:  role \"{before} {phrase} {after}\" does not exist"),
            ] {
                prop_assert_eq!(explain_all(&entry).len(), 1, "{}", entry);
                prop_assert_eq!(explain(&entry).cause, Cause::NoSuchRoleOrDatabase);
            }
        }
    }
}
