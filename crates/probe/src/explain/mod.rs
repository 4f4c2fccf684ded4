//! What an error message of a client means: which of firewall, `pg_hba.conf`, TLS, password or trust store it is.
//!
//! Pure: text in, explanations out. The texts are those of PostgreSQL, of its gateways on Azure, of libpq and of the
//! drivers' TLS libraries, in English. They are matched loosely, as people paste them cut and wrapped.

mod rules;

use serde::Serialize;

use rules::RULES;

/// Who or what refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum Cause {
    /// The server demands TLS and the client came without.
    TlsEnforced,
    /// A rule on addresses, users or databases: a firewall, an allow list, `pg_hba.conf`. Not TLS.
    AddressRule,
    /// The password, or the token in its place.
    Password,
    /// The client has no roots, or others than the server's chain ends in.
    TrustStore,
    /// The certificate names another host.
    HostName,
    /// A signature or key in the chain is too weak for the client's rules.
    WeakAlgorithm,
    /// The certificate's time is over, or a clock is wrong.
    Expired,
    /// The server demands a certificate of the client.
    ClientCertificate,
    /// The client demands TLS and the server has none.
    NoTlsOnServer,
    /// No TLS version or suite in common.
    NoCommonTls,
    /// The peer broke off the handshake, or does not speak TLS or PostgreSQL there.
    Handshake,
    /// The server has no slots or is not up yet.
    Busy,
    /// The user or database does not exist: authentication was reached.
    NoSuchRoleOrDatabase,
    /// No connection could be made at all.
    Unreachable,
    /// None that this program knows.
    Unknown,
}

/// What an error message means.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Explanation {
    /// Who or what refused.
    pub cause: Cause,
    /// What happened, in a sentence.
    pub meaning: &'static str,
    /// What to do about it.
    pub advice: &'static str,
    /// The part of the text that tells.
    pub matched: &'static str,
    /// It is the companion of another error in the same text and not to be acted on.
    pub red_herring: bool,
}

/// Explains `text` by its most telling cause; [`Cause::Unknown`] when no message in it is known.
#[must_use]
pub fn explain(text: &str) -> Explanation {
    explain_all(text).into_iter().next().unwrap_or(UNKNOWN)
}

/// Explains all that `text` tells, the most telling cause first and red herrings last. Empty for an unknown text.
#[must_use]
pub fn explain_all(text: &str) -> Vec<Explanation> {
    // Wrapped lines must not part what belongs together. An error of megabytes is none.
    let head: String = text.chars().take(MAX_TEXT).collect();
    let text = head.split_whitespace().collect::<Vec<_>>().join(" ").to_lowercase();
    let mut found: Vec<Explanation> = Vec::new();
    for rule in RULES {
        let [first, ..] = rule.needles else { continue };
        let matches = rule.needles.iter().all(|needle| text.contains(needle));
        if matches && found.iter().all(|known| known.cause != rule.cause) {
            found.push(Explanation {
                cause: rule.cause,
                meaning: rule.meaning,
                advice: rule.advice,
                matched: first,
                red_herring: false,
            });
        }
    }
    mark_red_herrings(&mut found);
    found
}

const UNKNOWN: Explanation = Explanation {
    cause: Cause::Unknown,
    meaning: "The text matches no message that is known here.",
    advice: "Look for a SQLSTATE code in it, or probe the server to see what it does.",
    matched: "",
    red_herring: false,
};

/// The most characters of a text that are looked at.
const MAX_TEXT: usize = 20_000;

/// libpq with `sslmode=prefer` tries TLS, and after a failure of any kind once more in clear. The second error then says
/// that plaintext is refused, and is no sign of a client without TLS.
fn mark_red_herrings(found: &mut [Explanation]) {
    let real = |cause| {
        matches!(cause, Cause::Password | Cause::NoSuchRoleOrDatabase | Cause::ClientCertificate | Cause::AddressRule)
    };
    if found.iter().any(|explanation| real(explanation.cause)) {
        for explanation in found.iter_mut().filter(|explanation| explanation.cause == Cause::TlsEnforced) {
            explanation.red_herring = true;
            explanation.meaning = "With sslmode=prefer the client tried TLS, failed for another reason, and then tried without TLS, \
                 which the server refuses. The other error is the one that counts.";
            explanation.advice =
                "Mend the other error. Set sslmode=require or stricter, so that the second attempt is not made.";
        }
        found.sort_by_key(|explanation| explanation.red_herring);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn what_users_paste() {
        for (text, cause) in [
            ("FATAL: SSL connection is required. Please specify SSL options and retry.", Cause::TlsEnforced),
            (
                "psql: error: FATAL:  no pg_hba.conf entry for host \"1.2.3.4\", user \"u\", database \"d\", no encryption",
                Cause::TlsEnforced,
            ),
            ("no pg_hba.conf entry for host \"1.2.3.4\", user \"u\",\n  database \"d\", SSL off", Cause::TlsEnforced),
            ("no pg_hba.conf entry for host \"1.2.3.4\", user \"u\", database \"d\", SSL on", Cause::AddressRule),
            ("no pg_hba.conf entry for host \"h\", user \"u\", database \"d\", SSL encryption", Cause::AddressRule),
            (
                "pg_hba.conf rejects connection for host \"h\", user \"u\", database \"d\", no encryption",
                Cause::TlsEnforced,
            ),
            ("root certificate file \"/root/.postgresql/root.crt\" does not exist", Cause::TrustStore),
            ("SSL error: certificate verify failed", Cause::TrustStore),
            ("self signed certificate in certificate chain", Cause::TrustStore),
            ("rejected by the provided RemoteCertificateValidationCallback", Cause::TrustStore),
            ("Certificates do not conform to algorithm constraints", Cause::WeakAlgorithm),
            ("ERR_TLS_CERT_ALTNAME_INVALID", Cause::HostName),
            ("server certificate for \"x\" does not match host name \"y\"", Cause::HostName),
            ("FATAL: connection requires a valid client certificate", Cause::ClientCertificate),
            ("server does not support SSL, but SSL was required", Cause::NoTlsOnServer),
            ("ERROR: SSL required", Cause::TlsEnforced),
            ("FATAL: role \"x\" does not exist", Cause::NoSuchRoleOrDatabase),
            ("FATAL: sorry, too many clients already", Cause::Busy),
            ("tlsv1 alert protocol version", Cause::NoCommonTls),
            ("connect ECONNREFUSED: Connection refused", Cause::Unreachable),
            ("the moon is full", Cause::Unknown),
            ("", Cause::Unknown),
        ] {
            assert_eq!(explain(text).cause, cause, "{text}");
        }
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
        assert!(found[1].red_herring);
    }

    #[test]
    fn both_halves_of_a_firewall_refusal() {
        let entry = "no pg_hba.conf entry for host \"h\", user \"u\", database \"d\"";
        let found = explain_all(&format!("FATAL: {entry}, SSL encryption\nFATAL: {entry}, no encryption"));
        assert_eq!(found[0].cause, Cause::AddressRule);
        assert!(found[1].red_herring, "TLS was used and refused for the address");
    }

    #[test]
    fn every_rule_can_be_met() {
        for rule in RULES {
            let text = rule.needles.join(" ");
            assert!(rule.needles.iter().all(|needle| *needle == needle.to_lowercase()), "{:?}", rule.needles);
            let found = explain_all(&text);
            assert!(found.iter().any(|explanation| explanation.cause == rule.cause), "{text}");
        }
    }

    proptest! {
        #[test]
        fn never_panics(text in "\\PC{0,200}") {
            prop_assert!(!explain(&text).meaning.is_empty());
        }
    }
}
