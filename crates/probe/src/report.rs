//! The result of a probe.

pub use hostssl_certificate::{Judgement, RootCheck};
pub use hostssl_pgwire::tls::ProtocolVersion;

use crate::transcript::TranscriptLine;

/// What an endpoint does with encryption.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum WireVerdict {
    /// Every probed startup in plaintext is refused; over TLS at least one reaches authentication.
    Enforced,
    /// At least one startup in plaintext reaches authentication, and TLS is offered.
    Optional,
    /// Startups in plaintext are accepted, and TLS is not offered.
    PlaintextOnly,
    /// The server says that it speaks TLS, and then no handshake is possible, or none that is safe.
    BrokenTls,
    /// It is or may be PostgreSQL, and its answers are not conclusive.
    Inconclusive,
    /// It answers, but not as PostgreSQL does.
    NotPostgresql,
    /// No connection could be made.
    Unreachable,
}

impl WireVerdict {
    /// Every verdict, in the order of their declaration.
    pub const ALL: [Self; 7] = [
        Self::Enforced,
        Self::Optional,
        Self::PlaintextOnly,
        Self::BrokenTls,
        Self::Inconclusive,
        Self::NotPostgresql,
        Self::Unreachable,
    ];

    /// The word in text and in JSON.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Enforced => "enforced",
            Self::Optional => "optional",
            Self::PlaintextOnly => "plaintext-only",
            Self::BrokenTls => "broken-tls",
            Self::Inconclusive => "inconclusive",
            Self::NotPostgresql => "not-postgresql",
            Self::Unreachable => "unreachable",
        }
    }
}

/// Why an endpoint could not be reached.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Unreachable {
    /// The name has no address, as seen from here.
    Unresolved,
    /// Nothing listens on the port.
    Refused,
    /// No answer in time: a firewall that drops, a host that is down.
    Timeout,
    /// Another error of the network.
    Network,
}

/// The answer to `SSLRequest`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum SslRequestOutcome {
    /// The server offers TLS.
    S,
    /// The server does not.
    N,
    /// An error message.
    E,
    /// The connection was closed without an answer.
    Closed,
    /// The connection was reset.
    Reset,
    /// Bytes that PostgreSQL does not send.
    Garbage,
    /// No answer before the deadline.
    Timeout,
    /// It was not sent: no connection, direct TLS, or a peer that talks first.
    NotSent,
}

/// Whether a startup reached authentication over one transport.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum StartupOutcome {
    /// It was turned away for its transport or address, before authentication.
    Refused,
    /// It reached authentication, or passed it.
    Allowed,
    /// The answer is not conclusive.
    #[default]
    Unknown,
}

/// The answer to a startup over one transport.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TransportAnswer {
    /// Whether it reached authentication.
    pub outcome: StartupOutcome,
    /// The SQLSTATE of the error.
    pub sqlstate: Option<String>,
    /// The routine of the server that raised the error.
    pub routine: Option<String>,
    /// The authentication asked for: `trust`, `password`, `md5`, `gss`, `sspi` or SASL mechanisms joined by commas.
    pub authentication: Option<String>,
    /// What lies behind the outcome, in words: the escaped message of the server, or why there is none.
    pub note: Option<String>,
}

/// Replication as a startup asks for it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum ReplicationMode {
    /// An ordinary connection.
    #[default]
    None,
    /// Physical replication.
    Physical,
    /// Logical replication.
    Logical,
}

/// The two answers to one startup.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StartupResult {
    /// The user named.
    pub user: String,
    /// The database named; physical replication names none.
    pub database: Option<String>,
    /// Whether it asked for replication.
    pub replication: ReplicationMode,
    /// In plaintext.
    pub plaintext: TransportAnswer,
    /// Over TLS.
    pub encrypted: TransportAnswer,
}

/// Whether a server accepted what it was asked about.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Support {
    /// It did.
    Accepted,
    /// It did not.
    Refused,
    /// It was not asked, or the answer is not conclusive.
    #[default]
    Unknown,
}

/// Whether one version of TLS can be negotiated.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VersionSupport {
    /// The version that was asked for.
    pub version: ProtocolVersion,
    /// What the server does when it is offered.
    pub support: Support,
}

/// The suites or groups that can be negotiated in one version, in the order in which the server chose them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Enumeration {
    /// The version.
    pub version: ProtocolVersion,
    /// IANA names.
    pub names: Vec<String>,
    /// Whether the list is complete: the server refused all other candidates, and no attempt failed.
    pub complete: bool,
}

/// What a handshake agreed on.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Negotiated {
    /// The version.
    pub version: Option<ProtocolVersion>,
    /// The cipher suite by its IANA name.
    pub cipher_suite: Option<String>,
    /// The group of the key exchange by its IANA name.
    pub group: Option<String>,
    /// The application protocol.
    pub alpn: Option<String>,
}

/// Whether the server wants a certificate of the client, by TLS or by `pg_hba.conf`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum ClientCertificate {
    /// It requests none.
    NotRequested,
    /// It requests one and continues without it.
    Requested,
    /// It requires one.
    Required,
    /// No handshake got far enough to tell.
    #[default]
    Unknown,
}

/// What is known of the server's TLS.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TlsReport {
    /// Each version from SSL 3.0 to TLS 1.3.
    pub versions: Vec<VersionSupport>,
    /// What a modern client gets.
    pub negotiated: Option<Negotiated>,
    /// Direct TLS with ALPN `postgresql`.
    pub direct_tls: Support,
    /// Whether a client certificate is wanted.
    pub client_certificate: ClientCertificate,
    /// Whether SCRAM bound to the channel is offered; `None` when no SASL was offered over TLS.
    pub channel_binding: Option<bool>,
    /// Direct TLS without ALPN, which PostgreSQL never accepts. `None` when it was not asked about.
    pub direct_tls_without_alpn: Option<Support>,
    /// Whether a `GSSENCRequest` is answered by `G`. `None` when it was not asked about.
    pub gss_encryption: Option<Support>,
    /// Whether a startup sent with the `SSLRequest` in one segment is answered as if it had come over TLS
    /// (CVE-2021-23214). `None` when it was not asked about.
    pub startup_stuffing: Option<Support>,
    /// Suites by version. `None` when they were not asked about.
    pub cipher_suites: Option<Vec<Enumeration>>,
    /// Groups by version. `None` when they were not asked about.
    pub groups: Option<Vec<Enumeration>>,
    /// Groups with ML-KEM, whose key exchange withstands a quantum computer: none when the list is empty and complete.
    /// `None` when they were not asked about.
    pub post_quantum: Option<Enumeration>,
}

/// Several servers that answer behind one address.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SeveralServers {
    /// The smallest number of servers that explains the differences.
    pub at_least: u32,
    /// The differences between their answers.
    pub differences: Vec<String>,
    /// The number of plaintext startups that got a decisive answer, over all servers.
    pub plaintext_answers: u32,
}

/// The server's certificate and its judgement.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CertificateReport {
    /// As libpq judges it with `sslmode=verify-full`.
    pub verify_full: Judgement,
    /// As RFC 9525 and RFC 5280 have it.
    pub rfc9525: Judgement,
    /// Whether a path to a given root exists, the dates of the server's own certificate left aside; `None` when no
    /// roots were given.
    pub chain_ok: Option<bool>,
    /// Whether the name matches, by libpq's rules.
    pub host_ok: Option<bool>,
    /// It has expired.
    pub expired: bool,
    /// Its validity has not begun.
    pub not_yet_valid: bool,
    /// It is signed with its own key.
    pub self_signed: bool,
    /// The first second of its validity, RFC 3339 in UTC.
    pub not_before: Option<String>,
    /// The last second of its validity, RFC 3339 in UTC.
    pub not_after: Option<String>,
    /// The last second of its validity, in seconds since 1970.
    pub expires_at: Option<i64>,
    /// `RSA`, `EC`, `Ed25519` and so on.
    pub key_type: Option<String>,
    /// The size of the key in bits.
    pub key_bits: Option<u32>,
    /// The algorithm of its signature, such as `sha256WithRSAEncryption`.
    pub signature_algorithm: Option<String>,
    /// Its subject, RFC 4514.
    pub subject: Option<String>,
    /// Its issuer, RFC 4514.
    pub issuer: Option<String>,
    /// The root in which the path ends, RFC 4514.
    pub root: Option<String>,
    /// Each store of roots on its own. Empty unless several were given.
    pub root_checks: Vec<RootCheck>,
    /// The chain as the server sent it, in DER.
    pub chain: Vec<Vec<u8>>,
}

impl CertificateReport {
    /// Whole days from `now`, in seconds since 1970, to the end of its validity; negative when that has passed.
    #[must_use]
    pub fn days_left(&self, now: i64) -> Option<i64> {
        Some(self.expires_at?.saturating_sub(now).div_euclid(86_400))
    }
}

/// A fact that weakens the protection of the connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Weakness {
    /// A startup in plaintext is accepted.
    PlaintextAccepted,
    /// A replication startup in plaintext is accepted.
    PlaintextReplicationAccepted,
    /// In plaintext, no password at all is asked for.
    PlaintextTrust,
    /// In plaintext, the password is asked for as it is.
    PlaintextPassword,
    /// In plaintext, an MD5 hash is asked for.
    PlaintextMd5,
    /// SSL 3.0 or TLS below 1.2 is accepted (RFC 7568, RFC 8996).
    DeprecatedTlsVersion,
    /// TLS 1.3 is not accepted.
    NoTls13,
    /// A suite without encryption or authentication, with a broken cipher or a small block is accepted.
    WeakCipherSuite,
    /// A suite without forward secrecy is accepted.
    NoForwardSecrecy,
    /// The certificate has expired.
    CertificateExpired,
    /// The certificate expires within the days that were asked about.
    CertificateExpiresSoon,
    /// The certificate's validity has not begun.
    CertificateNotYetValid,
    /// The certificate is signed with its own key.
    CertificateSelfSigned,
    /// No path to a given root exists.
    CertificateUntrusted,
    /// An issuer was neither sent nor given.
    CertificateChainIncomplete,
    /// The certificate does not name the host.
    CertificateHostMismatch,
    /// The names of the certificate fit only by libpq's older rules, not by RFC 9525.
    CertificateLegacyName,
    /// An RSA key below 2048 bits, an EC key below 224.
    CertificateWeakKey,
    /// A signature with MD5 or SHA-1.
    CertificateWeakSignature,
    /// The server did not prove in a way that could be checked that it holds the certificate's key.
    CertificateKeyUnproven,
    /// SCRAM without channel binding over TLS: something in front of the server ends TLS.
    NoChannelBinding,
    /// Direct TLS is accepted without ALPN, which opens it to cross-protocol attacks.
    DirectTlsWithoutAlpn,
    /// Bytes in plaintext stand between `S` and the handshake (CVE-2021-23222 is the client's side of it).
    BytesBeforeHandshake,
    /// Bytes sent after the `SSLRequest` in the same segment are accepted as if they had come over TLS
    /// (CVE-2021-23214).
    StartupStuffing,
}

impl Weakness {
    /// Every weakness, in the order of the report.
    pub const ALL: [Self; 24] = [
        Self::PlaintextAccepted,
        Self::PlaintextReplicationAccepted,
        Self::PlaintextTrust,
        Self::PlaintextPassword,
        Self::PlaintextMd5,
        Self::DeprecatedTlsVersion,
        Self::NoTls13,
        Self::WeakCipherSuite,
        Self::NoForwardSecrecy,
        Self::CertificateExpired,
        Self::CertificateExpiresSoon,
        Self::CertificateNotYetValid,
        Self::CertificateSelfSigned,
        Self::CertificateUntrusted,
        Self::CertificateChainIncomplete,
        Self::CertificateHostMismatch,
        Self::CertificateLegacyName,
        Self::CertificateWeakKey,
        Self::CertificateWeakSignature,
        Self::CertificateKeyUnproven,
        Self::NoChannelBinding,
        Self::DirectTlsWithoutAlpn,
        Self::BytesBeforeHandshake,
        Self::StartupStuffing,
    ];

    /// The word in text, in JSON and on the command line.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::PlaintextAccepted => "plaintext-accepted",
            Self::PlaintextReplicationAccepted => "plaintext-replication-accepted",
            Self::PlaintextTrust => "plaintext-trust",
            Self::PlaintextPassword => "plaintext-password",
            Self::PlaintextMd5 => "plaintext-md5",
            Self::DeprecatedTlsVersion => "deprecated-tls-version",
            Self::NoTls13 => "no-tls13",
            Self::WeakCipherSuite => "weak-cipher-suite",
            Self::NoForwardSecrecy => "no-forward-secrecy",
            Self::CertificateExpired => "certificate-expired",
            Self::CertificateExpiresSoon => "certificate-expires-soon",
            Self::CertificateNotYetValid => "certificate-not-yet-valid",
            Self::CertificateSelfSigned => "certificate-self-signed",
            Self::CertificateUntrusted => "certificate-untrusted",
            Self::CertificateChainIncomplete => "certificate-chain-incomplete",
            Self::CertificateHostMismatch => "certificate-host-mismatch",
            Self::CertificateLegacyName => "certificate-legacy-name",
            Self::CertificateWeakKey => "certificate-weak-key",
            Self::CertificateWeakSignature => "certificate-weak-signature",
            Self::CertificateKeyUnproven => "certificate-key-unproven",
            Self::NoChannelBinding => "no-channel-binding",
            Self::DirectTlsWithoutAlpn => "direct-tls-without-alpn",
            Self::BytesBeforeHandshake => "bytes-before-handshake",
            Self::StartupStuffing => "startup-stuffing",
        }
    }
}

/// The result of probing one address of one target.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EndpointReport {
    /// The target as `host:port`.
    pub target: String,
    /// The host as named by the caller.
    pub host: String,
    /// The port.
    pub port: u16,
    /// The address probed; `None` when the name has none, or was resolved by a proxy.
    pub address: Option<String>,
    /// The verdict. It covers the users and databases in `startups`, as seen from here, and no others.
    pub verdict: WireVerdict,
    /// Why no connection could be made, to decide by it.
    pub unreachable: Option<Unreachable>,
    /// Why.
    pub reason: String,
    /// The answer to `SSLRequest`.
    pub ssl_request: SslRequestOutcome,
    /// The worst answer in plaintext: allowed before unknown before refused.
    pub plaintext: TransportAnswer,
    /// The best answer over TLS: allowed before refused before unknown.
    pub encrypted: TransportAnswer,
    /// Each startup.
    pub startups: Vec<StartupResult>,
    /// TLS; `None` when none was seen.
    pub tls: Option<TlsReport>,
    /// The certificate; `None` when none was seen.
    pub certificate: Option<CertificateReport>,
    /// What weakens the protection of the connection.
    pub weaknesses: Vec<Weakness>,
    /// The servers behind the address, where the connections of the probe met more than one. Servers that are alike
    /// cannot be told apart.
    pub several_servers: Option<SeveralServers>,
    /// Its failures, which decide the exit code: `not-enforced`, `verify-full`, or a weakness. `None`
    /// where the endpoint was not judged.
    pub failures: Option<Vec<String>>,
    /// The exchange, message by message. `None` when it was not asked for.
    pub transcript: Option<Vec<TranscriptLine>>,
    /// When its probe began, in milliseconds since 1970; `None` where that was not noted.
    pub observed_ms: Option<i64>,
}
