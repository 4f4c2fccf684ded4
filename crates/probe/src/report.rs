//! The result of a probe, in the form that is serialised. Consumers rely on these names.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::transcript::Line;

/// What an endpoint does with encryption.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Verdict {
    /// In clear every probed startup is refused; over TLS at least one is let in to authentication.
    Enforced,
    /// At least one startup is let in to authentication in clear, and TLS is there for who asks.
    Optional,
    /// Startups are let in in clear and TLS is not to be had.
    PlaintextOnly,
    /// The server says that it speaks TLS, and then no handshake is possible, or none that is safe.
    BrokenTls,
    /// It is PostgreSQL, or may be, and what it said decides nothing.
    Inconclusive,
    /// It answers, and not as PostgreSQL does.
    NotPostgresql,
    /// No connection could be made.
    Unreachable,
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

/// What came after `SSLRequest`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
pub enum SslRequestOutcome {
    /// The server offers TLS.
    S,
    /// The server does not.
    N,
    /// An error message.
    E,
    /// The connection was closed without a byte.
    #[serde(rename = "closed")]
    Closed,
    /// The connection was reset.
    #[serde(rename = "reset")]
    Reset,
    /// Bytes that PostgreSQL does not send.
    #[serde(rename = "garbage")]
    Garbage,
    /// Nothing before the deadline.
    #[serde(rename = "timeout")]
    Timeout,
    /// It was not sent: no connection, direct TLS, or a peer that talks first.
    #[serde(rename = "not-sent")]
    NotSent,
}

/// Whether a startup was let in to authentication over one transport.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Outcome {
    /// It was turned away for its transport or address, before authentication.
    Refused,
    /// It reached authentication, or passed it.
    Allowed,
    /// The answer does not tell.
    #[default]
    Unknown,
}

/// The answer to a startup over one transport.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[schemars(deny_unknown_fields)]
pub struct TransportAnswer {
    /// Whether it was let in.
    pub outcome: Outcome,
    /// The SQLSTATE of the error that came.
    pub sqlstate: Option<String>,
    /// The routine of the server that raised the error.
    pub routine: Option<String>,
    /// The authentication asked for: `trust`, `password`, `md5`, `gss`, `sspi` or SASL mechanisms joined by commas.
    pub authentication: Option<String>,
    /// What lies behind the outcome, in words: the escaped message of the server, or why there is none. Not
    /// serialised.
    #[serde(skip)]
    pub note: Option<String>,
}

/// Replication as a startup asks for it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
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
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[schemars(deny_unknown_fields)]
pub struct StartupResult {
    /// The user named.
    pub user: String,
    /// The database named; physical replication names none.
    pub database: Option<String>,
    /// Whether it asked for replication.
    pub replication: ReplicationMode,
    /// In clear.
    pub plaintext: TransportAnswer,
    /// Over TLS.
    pub encrypted: TransportAnswer,
}

/// Whether a server accepted what it was asked about.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Support {
    /// It did.
    Accepted,
    /// It did not.
    Refused,
    /// It was not asked, or its answer does not tell.
    #[default]
    Unknown,
}

/// Whether one version of TLS can be negotiated.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[schemars(deny_unknown_fields)]
pub struct VersionSupport {
    /// `SSLv3`, `TLSv1`, `TLSv1.1`, `TLSv1.2` or `TLSv1.3`.
    pub version: String,
    /// What the server does when it is offered.
    pub support: Support,
}

/// The suites or groups that can be negotiated in one version, in the order in which the server chose them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[schemars(deny_unknown_fields)]
pub struct Enumeration {
    /// The version.
    pub version: String,
    /// IANA names.
    pub names: Vec<String>,
    /// Whether the list ends because the server refused what was left, and not because an attempt failed.
    pub complete: bool,
}

/// What a handshake agreed on.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(deny_unknown_fields)]
pub struct Negotiated {
    /// The version, such as `TLSv1.3`.
    pub version: Option<String>,
    /// The cipher suite by its IANA name.
    pub cipher_suite: Option<String>,
    /// The group of the key exchange by its IANA name.
    pub group: Option<String>,
    /// The application protocol.
    pub alpn: Option<String>,
}

/// Whether the server wants a certificate of the client, by TLS or by `pg_hba.conf`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum ClientCertificate {
    /// It does not ask.
    NotRequested,
    /// It asks and goes on without.
    Requested,
    /// Nothing goes without.
    Required,
    /// No handshake went far enough.
    #[default]
    Unknown,
}

/// What is known of the server's TLS.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(deny_unknown_fields)]
pub struct TlsReport {
    /// Each version from SSL 3.0 to TLS 1.3.
    pub versions: Vec<VersionSupport>,
    /// What a modern client gets.
    pub negotiated: Option<Negotiated>,
    /// Direct TLS with ALPN `postgresql`.
    pub direct_tls: Support,
    /// Whether a client certificate is wanted.
    pub client_certificate: ClientCertificate,
    /// Whether SCRAM bound to the channel is offered; null when no SASL was offered over TLS.
    pub channel_binding: Option<bool>,
    /// Direct TLS without ALPN, which PostgreSQL never accepts. Present when it was asked about.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub direct_tls_without_alpn: Option<Support>,
    /// Whether a `GSSENCRequest` is answered by `G`. Present when it was asked about.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub gss_encryption: Option<Support>,
    /// Whether a startup stuffed behind the `SSLRequest` is answered as if it had come over TLS (CVE-2021-23214).
    /// Present when it was asked about.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub startup_stuffing: Option<Support>,
    /// Suites by version. Present when they were asked about.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub cipher_suites: Option<Vec<Enumeration>>,
    /// Groups by version. Present when they were asked about.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub groups: Option<Vec<Enumeration>>,
    /// Groups with ML-KEM, whose key exchange withstands a quantum computer: none when the list is empty and complete.
    /// Present when they were asked about.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub post_quantum: Option<Enumeration>,
}

/// Several servers that answer behind one address.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(deny_unknown_fields)]
pub struct SeveralServers {
    /// How many there are, at least.
    pub at_least: u32,
    /// In what their answers differ.
    pub differences: Vec<String>,
    /// How many startups in plaintext were answered by a decision, over all of them.
    pub plaintext_answers: u32,
}

/// One rule's judgement of a certificate.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[schemars(deny_unknown_fields)]
pub struct Judgement {
    /// Whether the rule accepts it; null when it could not be judged.
    pub ok: Option<bool>,
    /// Why not, or what decided.
    pub reason: Option<String>,
}

/// Whether the chain verifies with one store of roots alone.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[schemars(deny_unknown_fields)]
pub struct RootCheck {
    /// The name that the caller gave to the store.
    pub store: String,
    /// Whether a path to one of its roots exists.
    pub verifies: bool,
}

/// The server's certificate and its judgement.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(deny_unknown_fields)]
pub struct CertificateReport {
    /// As libpq judges it with `sslmode=verify-full`.
    pub verify_full: Judgement,
    /// As RFC 9525 and RFC 5280 have it.
    pub rfc9525: Judgement,
    /// Whether a path to a given root exists, the dates of the server's own certificate left aside; null when no roots
    /// were given.
    pub chain_ok: Option<bool>,
    /// Whether the name matches, by libpq's rules.
    pub host_ok: Option<bool>,
    /// Its time is over.
    pub expired: bool,
    /// Its time has not come.
    pub not_yet_valid: bool,
    /// It is signed with its own key.
    pub self_signed: bool,
    /// The first second of its validity, RFC 3339 in UTC.
    pub not_before: Option<String>,
    /// The last second of its validity, RFC 3339 in UTC.
    pub not_after: Option<String>,
    /// The last second of its validity, in seconds since 1970. Not serialised: `not_after` says it.
    #[serde(skip)]
    pub expires_at: Option<i64>,
    /// `RSA`, `EC`, `Ed25519` and so on.
    pub key_type: Option<String>,
    /// The size of the key in bits.
    pub key_bits: Option<u32>,
    /// The algorithm of its signature, such as `sha256WithRSAEncryption`.
    pub signature_algorithm: Option<String>,
    /// Whom it names, RFC 4514.
    pub subject: Option<String>,
    /// Who issued it, RFC 4514.
    pub issuer: Option<String>,
    /// The root in which the path ends, RFC 4514.
    pub root: Option<String>,
    /// Each store of roots on its own. Present when several were given.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub root_checks: Vec<RootCheck>,
    /// The chain as the server sent it, in DER. Not serialised.
    #[serde(skip)]
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
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum Weakness {
    /// A startup is let in in clear.
    PlaintextAccepted,
    /// A replication startup is let in in clear.
    PlaintextReplicationAccepted,
    /// In clear, no password at all is asked for.
    PlaintextTrust,
    /// In clear, the password is asked for as it is.
    PlaintextPassword,
    /// In clear, an MD5 hash is asked for.
    PlaintextMd5,
    /// SSL 3.0 or TLS below 1.2 is accepted (RFC 7568, RFC 8996).
    DeprecatedTlsVersion,
    /// TLS 1.3 is not accepted.
    NoTls13,
    /// A suite without encryption or authentication, with a broken cipher or a small block is accepted.
    WeakCipherSuite,
    /// A suite without forward secrecy is accepted.
    NoForwardSecrecy,
    /// The certificate's time is over.
    CertificateExpired,
    /// The certificate's time is over within the days that were asked about.
    CertificateExpiresSoon,
    /// The certificate's time has not come.
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
    /// Bytes in clear stand between `S` and the handshake (CVE-2021-23222 is the client's side of it).
    BytesBeforeHandshake,
    /// Bytes stuffed behind the `SSLRequest` count as if they had come over TLS (CVE-2021-23214).
    StartupStuffing,
}

/// The result of probing one address of one target.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(deny_unknown_fields)]
pub struct EndpointReport {
    /// The target as `host:port`.
    pub target: String,
    /// The host as named by the caller.
    pub host: String,
    /// The port.
    pub port: u16,
    /// The address probed; null when the name has none, or was resolved by a proxy.
    pub address: Option<String>,
    /// The verdict. It covers the users and databases in `startups`, as seen from here, and no others.
    pub verdict: Verdict,
    /// Why no connection could be made, for whoever decides by it. Not serialised: `reason` says it.
    #[serde(skip)]
    pub unreachable: Option<Unreachable>,
    /// Why.
    pub reason: String,
    /// What came after `SSLRequest`.
    pub ssl_request: SslRequestOutcome,
    /// The worst answer in clear: allowed before unknown before refused.
    pub plaintext: TransportAnswer,
    /// The best answer over TLS: allowed before refused before unknown.
    pub encrypted: TransportAnswer,
    /// Each startup.
    pub startups: Vec<StartupResult>,
    /// TLS; null when none was seen.
    pub tls: Option<TlsReport>,
    /// The certificate; null when none was seen.
    pub certificate: Option<CertificateReport>,
    /// What weakens the protection.
    pub weaknesses: Vec<Weakness>,
    /// The servers behind the address, where the connections of the probe met more than one. Absent otherwise; servers that
    /// are alike cannot be told apart.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub several_servers: Option<SeveralServers>,
    /// What of it counts as a failure, and so decides the exit code: `not-enforced`, `verify-full`, or a weakness. Present
    /// where the endpoint was judged.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub failures: Option<Vec<String>>,
    /// The exchange, message by message. Present when it was asked for.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub transcript: Option<Vec<Line>>,
}
