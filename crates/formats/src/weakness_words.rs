//! What each weakness of an endpoint means, beside its code.

use hostssl_probe::report::{EndpointReport, ProtocolVersion, Support, Weakness};

/// What was observed of an endpoint, in one line.
pub(crate) fn weakness_words(report: &EndpointReport, weakness: Weakness) -> String {
    match weakness {
        Weakness::DeprecatedTlsVersion => old_versions(report).unwrap_or_else(|| words(weakness).to_owned()),
        other => words(other).to_owned(),
    }
}

/// Which old versions are accepted, as far as the report says: `TLS 1.0 and TLS 1.1 are accepted`.
fn old_versions(report: &EndpointReport) -> Option<String> {
    let versions = report.tls.as_ref()?.versions.iter().filter(|one| one.support == Support::Accepted);
    let names: Vec<&str> = versions
        .filter_map(|one| match one.version {
            ProtocolVersion::Ssl3 => Some("SSL 3.0"),
            ProtocolVersion::Tls10 => Some("TLS 1.0"),
            ProtocolVersion::Tls11 => Some("TLS 1.1"),
            ProtocolVersion::Tls12 | ProtocolVersion::Tls13 => None,
        })
        .collect();
    let (last, others) = names.split_last()?;
    Some(match others {
        [] => format!("{last} is accepted (RFC 7568, RFC 8996)"),
        others => format!("{} and {last} are accepted (RFC 7568, RFC 8996)", others.join(", ")),
    })
}

/// The same where nothing more is known than the weakness.
fn words(weakness: Weakness) -> &'static str {
    match weakness {
        Weakness::PlaintextAccepted => "a startup without TLS is accepted",
        Weakness::PlaintextReplicationAccepted => "a replication startup without TLS is accepted",
        Weakness::PlaintextTrust => "without TLS, no password is asked for",
        Weakness::PlaintextPassword => "without TLS, the password is asked for as it is",
        Weakness::PlaintextMd5 => "without TLS, an MD5 hash of the password is asked for",
        Weakness::DeprecatedTlsVersion => "SSL 3.0 or TLS below 1.2 is accepted (RFC 7568, RFC 8996)",
        Weakness::NoTls13 => "TLS 1.3 is not accepted",
        Weakness::WeakCipherSuite => {
            "a suite without encryption or authentication, with a broken cipher or a small block is accepted"
        }
        Weakness::NoForwardSecrecy => "a suite without forward secrecy is accepted",
        Weakness::CertificateExpired => "the certificate has expired",
        Weakness::CertificateExpiresSoon => "the certificate expires within --expiry-days",
        Weakness::CertificateNotYetValid => "the certificate is not valid yet",
        Weakness::CertificateSelfSigned => "the certificate is signed with its own key",
        Weakness::CertificateUntrusted => "the certificate's chain ends in no trusted root",
        Weakness::CertificateChainIncomplete => "an issuer of the certificate is neither sent nor known",
        Weakness::CertificateHostMismatch => "the certificate does not name the host",
        Weakness::CertificateLegacyName => "the certificate's names fit by libpq's older rules only, not by RFC 9525",
        Weakness::CertificateWeakKey => "the certificate's key is RSA below 2048 bits or EC below 224",
        Weakness::CertificateWeakSignature => "the certificate is signed with MD5 or SHA-1",
        Weakness::CertificateKeyUnproven => "the server did not prove that it holds the certificate's key",
        Weakness::NoChannelBinding => "SCRAM without channel binding: something in front of the server may end TLS",
        Weakness::DirectTlsWithoutAlpn => "direct TLS is accepted without ALPN, which cross-protocol attacks use",
        Weakness::BytesBeforeHandshake => "bytes in plaintext stand before the handshake (CVE-2021-23222)",
        Weakness::StartupStuffing => {
            "bytes sent before the handshake count as if they had come over TLS (CVE-2021-23214)"
        }
    }
}
