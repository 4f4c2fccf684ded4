//! What `hostssl/probe/v1` has of an endpoint: frozen.

use super::frozen_words::{
    ClientCertificate, Direction, Outcome, ReplicationMode, SslRequestOutcome, Support, Unreachable, Verdict, Weakness,
};
use super::version::Version;
#[cfg(feature = "schema")]
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The answer to a startup over one transport.
#[derive(Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(JsonSchema), schemars(deny_unknown_fields))]
pub(super) struct TransportAnswer {
    /// Whether it reached authentication.
    pub(super) outcome: Outcome,
    /// The SQLSTATE of the error.
    pub(super) sqlstate: Option<String>,
    /// The routine of the server that raised the error.
    pub(super) routine: Option<String>,
    /// The authentication asked for: `trust`, `password`, `md5`, `gss`, `sspi` or SASL mechanisms joined by commas.
    pub(super) authentication: Option<String>,
}

/// The two answers to one startup.
#[derive(Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(JsonSchema), schemars(deny_unknown_fields))]
pub(super) struct StartupResult {
    /// The user named.
    pub(super) user: String,
    /// The database named; physical replication names none.
    pub(super) database: Option<String>,
    /// Whether it asked for replication.
    pub(super) replication: ReplicationMode,
    /// Over a plaintext connection.
    pub(super) plaintext: TransportAnswer,
    /// Over TLS.
    pub(super) encrypted: TransportAnswer,
}

/// Whether one version of TLS can be negotiated.
#[derive(Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(JsonSchema), schemars(deny_unknown_fields))]
pub(super) struct VersionSupport {
    /// `SSLv3`, `TLSv1`, `TLSv1.1`, `TLSv1.2` or `TLSv1.3`.
    #[cfg_attr(feature = "schema", schemars(with = "String"))]
    pub(super) version: Version,
    /// What the server does when it is offered.
    pub(super) support: Support,
}

/// The suites or groups that can be negotiated in one version, in the order in which the server chose them.
#[derive(Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(JsonSchema), schemars(deny_unknown_fields))]
pub(super) struct Enumeration {
    /// The version.
    #[cfg_attr(feature = "schema", schemars(with = "String"))]
    pub(super) version: Version,
    /// IANA names.
    pub(super) names: Vec<String>,
    /// Whether the list is complete: the server refused all other candidates, and no attempt failed.
    pub(super) complete: bool,
}

/// What a handshake agreed on.
#[derive(Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(JsonSchema), schemars(deny_unknown_fields))]
#[serde(rename_all = "camelCase")]
pub(super) struct Negotiated {
    /// The version, such as `TLSv1.3`.
    #[cfg_attr(feature = "schema", schemars(with = "Option<String>"))]
    pub(super) version: Option<Version>,
    /// The cipher suite by its IANA name.
    pub(super) cipher_suite: Option<String>,
    /// The group of the key exchange by its IANA name.
    pub(super) group: Option<String>,
    /// The application protocol.
    pub(super) alpn: Option<String>,
}

/// What is known of the server's TLS.
#[derive(Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(JsonSchema), schemars(deny_unknown_fields))]
#[serde(rename_all = "camelCase")]
pub(super) struct TlsReport {
    /// Each version from SSL 3.0 to TLS 1.3.
    pub(super) versions: Vec<VersionSupport>,
    /// What a modern client gets.
    pub(super) negotiated: Option<Negotiated>,
    /// Direct TLS with ALPN `postgresql`.
    pub(super) direct_tls: Support,
    /// Whether a client certificate is wanted.
    pub(super) client_certificate: ClientCertificate,
    /// Whether SCRAM bound to the channel is offered; null when no SASL was offered over TLS.
    pub(super) channel_binding: Option<bool>,
    /// Direct TLS without ALPN, which PostgreSQL never accepts. Present when it was asked about.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub(super) direct_tls_without_alpn: Option<Support>,
    /// Whether a `GSSENCRequest` is answered by `G`. Present when it was asked about.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub(super) gss_encryption: Option<Support>,
    /// Whether a startup sent with the `SSLRequest` in one segment is answered as if it had come over TLS (CVE-2021-23214).
    /// Present when it was asked about.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub(super) startup_stuffing: Option<Support>,
    /// Suites by version. Present when they were asked about.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub(super) cipher_suites: Option<Vec<Enumeration>>,
    /// Groups by version. Present when they were asked about.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub(super) groups: Option<Vec<Enumeration>>,
    /// Groups with ML-KEM, whose key exchange withstands a quantum computer: none when the list is empty and complete.
    /// Present when they were asked about.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub(super) post_quantum: Option<Enumeration>,
}

/// Several servers that answer behind one address.
#[derive(Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(JsonSchema), schemars(deny_unknown_fields))]
#[serde(rename_all = "camelCase")]
pub(super) struct SeveralServers {
    /// The smallest number of servers that explains the differences.
    pub(super) at_least: u32,
    /// The differences between their answers.
    pub(super) differences: Vec<String>,
    /// The number of plaintext startups that got a decisive answer, over all servers.
    pub(super) plaintext_answers: u32,
}

/// One rule's judgement of a certificate.
#[derive(Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(JsonSchema), schemars(deny_unknown_fields))]
pub(super) struct Judgement {
    /// Whether the rule accepts it; null when it could not be judged.
    pub(super) ok: Option<bool>,
    /// Why not, or what decided.
    pub(super) reason: Option<String>,
}

/// Whether the chain verifies with one store of roots alone.
#[derive(Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(JsonSchema), schemars(deny_unknown_fields))]
pub(super) struct RootCheck {
    /// The name that the caller gave to the store.
    pub(super) store: String,
    /// Whether a path to one of its roots exists.
    pub(super) verifies: bool,
}

/// The server's certificate and its judgement.
#[derive(Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(JsonSchema), schemars(deny_unknown_fields))]
#[serde(rename_all = "camelCase")]
pub(super) struct CertificateReport {
    /// As libpq judges it with `sslmode=verify-full`.
    pub(super) verify_full: Judgement,
    /// As RFC 9525 and RFC 5280 have it.
    pub(super) rfc9525: Judgement,
    /// Whether a path to a given root exists, ignoring the dates of the server's own certificate; null if no roots
    /// were given.
    pub(super) chain_ok: Option<bool>,
    /// Whether the name matches, by libpq's rules.
    pub(super) host_ok: Option<bool>,
    /// It has expired.
    pub(super) expired: bool,
    /// It is not valid yet.
    pub(super) not_yet_valid: bool,
    /// It is signed with its own key.
    pub(super) self_signed: bool,
    /// The first second of its validity, RFC 3339 in UTC.
    pub(super) not_before: Option<String>,
    /// The last second of its validity, RFC 3339 in UTC.
    pub(super) not_after: Option<String>,
    /// `RSA`, `EC`, `Ed25519` and so on.
    pub(super) key_type: Option<String>,
    /// The size of the key in bits.
    pub(super) key_bits: Option<u32>,
    /// The algorithm of its signature, such as `sha256WithRSAEncryption`.
    pub(super) signature_algorithm: Option<String>,
    /// Its subject, RFC 4514.
    pub(super) subject: Option<String>,
    /// Its issuer, RFC 4514.
    pub(super) issuer: Option<String>,
    /// The root in which the path ends, RFC 4514.
    pub(super) root: Option<String>,
    /// Each store of roots on its own. Present when several were given.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub(super) root_checks: Vec<RootCheck>,
}

/// The result of probing one address of one target.
#[derive(Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(JsonSchema), schemars(deny_unknown_fields))]
#[serde(rename_all = "camelCase")]
pub(super) struct EndpointReport {
    /// The target as `host:port`.
    pub(super) target: String,
    /// The host as named by the caller.
    pub(super) host: String,
    /// The port.
    pub(super) port: u16,
    /// The address probed; null when the name has none, or was resolved by a proxy.
    pub(super) address: Option<String>,
    /// The verdict. It covers the users and databases in `startups`, as seen from here, and no others.
    pub(super) verdict: Verdict,
    /// Why.
    pub(super) reason: String,
    /// The answer to `SSLRequest`.
    pub(super) ssl_request: SslRequestOutcome,
    /// The worst answer in plaintext: allowed before unknown before refused.
    pub(super) plaintext: TransportAnswer,
    /// The best answer over TLS: allowed before refused before unknown.
    pub(super) encrypted: TransportAnswer,
    /// Each startup.
    pub(super) startups: Vec<StartupResult>,
    /// TLS; null if no handshake began.
    pub(super) tls: Option<TlsReport>,
    /// The certificate; null if none was received.
    pub(super) certificate: Option<CertificateReport>,
    /// What weakens the protection of the connection.
    pub(super) weaknesses: Vec<Weakness>,
    /// Set if the connections of the probe reached more than one server behind the address. Identical servers
    /// cannot be distinguished.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub(super) several_servers: Option<SeveralServers>,
    /// Its failures, which decide the exit code: `not-enforced`, `verify-full`, or a weakness. Present
    /// where the endpoint was judged.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub(super) failures: Option<Vec<String>>,
    /// The exchange, message by message. Present when it was asked for.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub(super) transcript: Option<Vec<Line>>,
    /// Why no connection could be made. Present when the verdict is `unreachable`.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub(super) unreachable: Option<Unreachable>,
    /// When it was probed, RFC 3339 in UTC. Present when it was probed for a zone.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub(super) observed_at: Option<String>,
}

/// One line of a transcript.
#[derive(Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(JsonSchema), schemars(deny_unknown_fields))]
#[serde(rename_all = "camelCase")]
pub(super) struct Line {
    /// Microseconds since the probe of the endpoint began.
    pub(super) micros: u64,
    /// The connection it belongs to, named by the question that it asks.
    pub(super) connection: String,
    /// The direction of the message.
    pub(super) direction: Direction,
    /// The message by its name in the protocol.
    pub(super) message: String,
    /// The content of the message, escaped.
    pub(super) text: String,
}
