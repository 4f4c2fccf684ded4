//! The messages that are known, and what each means.

use super::Cause;

/// A message and its meaning.
pub(super) struct Rule {
    /// All of these must occur, in any letter case.
    pub(super) needles: &'static [&'static str],
    pub(super) cause: Cause,
    pub(super) meaning: &'static str,
    pub(super) advice: &'static str,
}

/// In order: where two match with the same cause, the first explains.
pub(super) const RULES: &[Rule] = &[
    Rule {
        needles: &["ssl connection is required"],
        cause: Cause::TlsEnforced,
        meaning: "An Azure single server, or its gateway, demands TLS and the client came without.",
        advice: "Set sslmode=require, or better verify-full, in the client.",
    },
    Rule {
        needles: &["password authentication failed"],
        cause: Cause::Password,
        meaning: "The server let the connection in and refused the password or token.",
        advice: "Check the user name and the password; a token of Microsoft Entra ends after about an hour.",
    },
    Rule {
        needles: &["sqlstate 28p01"],
        cause: Cause::Password,
        meaning: "The server let the connection in and refused the password or token.",
        advice: "Check the user name and the password.",
    },
    Rule {
        needles: &["pg_hba.conf rejects connection", "no encryption"],
        cause: Cause::TlsEnforced,
        meaning: "A line of pg_hba.conf rejects connections without TLS from this address.",
        advice: "Set sslmode=require, or better verify-full, in the client.",
    },
    Rule {
        needles: &["pg_hba.conf rejects connection", "ssl off"],
        cause: Cause::TlsEnforced,
        meaning: "A line of pg_hba.conf rejects connections without TLS from this address.",
        advice: "Set sslmode=require, or better verify-full, in the client.",
    },
    Rule {
        needles: &["no pg_hba.conf entry", "no encryption"],
        cause: Cause::TlsEnforced,
        meaning: "The server refuses this login without TLS. A firewall rule can look the same in clear: only the same login \
             over TLS tells them apart.",
        advice: "Set sslmode=require, or better verify-full, in the client.",
    },
    Rule {
        needles: &["no pg_hba.conf entry", "ssl off"],
        cause: Cause::TlsEnforced,
        meaning: "The server (PostgreSQL 13 or older) refuses this login without TLS.",
        advice: "Set sslmode=require, or better verify-full, in the client.",
    },
    Rule {
        needles: &["no pool_hba.conf entry", "ssl off"],
        cause: Cause::TlsEnforced,
        meaning: "pgpool refuses this login without TLS.",
        advice: "Set sslmode=require, or better verify-full, in the client.",
    },
    Rule {
        needles: &["no pg_hba.conf entry", "ssl encryption"],
        cause: Cause::AddressRule,
        meaning: "The client did use TLS. The server lets no such user, database and address in: a firewall or allow list.",
        advice: "Add the client's address to the firewall rules of the server, or use the private network. TLS is not the matter.",
    },
    Rule {
        needles: &["no pg_hba.conf entry", "ssl on"],
        cause: Cause::AddressRule,
        meaning: "The client did use TLS. The server lets no such user, database and address in: a firewall or allow list.",
        advice: "Add the client's address to the firewall rules of the server, or use the private network. TLS is not the matter.",
    },
    Rule {
        needles: &["no pg_hba.conf entry", "gss encryption"],
        cause: Cause::AddressRule,
        meaning: "The client came with GSSAPI encryption, for which the server has no rule.",
        advice: "Set gssencmode=disable in the client, and use TLS.",
    },
    Rule {
        needles: &["pg_hba.conf rejects connection", "ssl encryption"],
        cause: Cause::AddressRule,
        meaning: "A line of pg_hba.conf rejects this user, database or address although the client used TLS.",
        advice: "Look at the reject lines of pg_hba.conf. TLS is not the matter.",
    },
    Rule {
        needles: &["requires a valid client certificate"],
        cause: Cause::ClientCertificate,
        meaning: "The server demands a certificate of the client. Azure never does: this is another server, or a proxy.",
        advice: "Give the client sslcert and sslkey.",
    },
    Rule {
        needles: &["certificate_required"],
        cause: Cause::ClientCertificate,
        meaning: "The server demands a certificate of the client in the TLS handshake.",
        advice: "Give the client sslcert and sslkey.",
    },
    Rule {
        needles: &["alert certificate required"],
        cause: Cause::ClientCertificate,
        meaning: "The server demands a certificate of the client in the TLS handshake.",
        advice: "Give the client sslcert and sslkey.",
    },
    Rule {
        needles: &["root certificate file", "does not exist"],
        cause: Cause::TrustStore,
        meaning: "sslmode=verify-ca or verify-full is set, and the client has no file of roots.",
        advice: "Name a file of roots by sslrootcert, or the system's by sslrootcert=system (libpq 16 and later).",
    },
    Rule {
        needles: &["certificate has expired"],
        cause: Cause::Expired,
        meaning: "A certificate of the chain has expired, or the clock of the client is wrong.",
        advice: "Check the clock of the client and the dates of the chain.",
    },
    Rule {
        needles: &["certificate verify failed", "expired"],
        cause: Cause::Expired,
        meaning: "A certificate of the chain has expired, or the clock of the client is wrong.",
        advice: "Check the clock of the client and the dates of the chain.",
    },
    Rule {
        needles: &["algorithm constraints"],
        cause: Cause::WeakAlgorithm,
        meaning: "A certificate of the chain is signed by an algorithm, often SHA-1, that the Java runtime forbids.",
        advice: "Renew the chain on the server's side; do not weaken jdk.certpath.disabledAlgorithms.",
    },
    Rule {
        needles: &["md too weak"],
        cause: Cause::WeakAlgorithm,
        meaning: "A certificate of the chain is signed by an algorithm that OpenSSL's security level forbids.",
        advice: "Renew the chain on the server's side.",
    },
    Rule {
        needles: &["key too small"],
        cause: Cause::WeakAlgorithm,
        meaning: "A key of the chain is too short for OpenSSL's security level.",
        advice: "Renew the certificate with a longer key.",
    },
    Rule {
        needles: &["altname_invalid"],
        cause: Cause::HostName,
        meaning: "The certificate names another host than the one connected to.",
        advice: "Connect by the server's full name, not by its address or a privatelink name.",
    },
    Rule {
        needles: &["does not match host name"],
        cause: Cause::HostName,
        meaning: "The certificate names another host than the one connected to.",
        advice: "Connect by the server's full name, not by its address or a privatelink name.",
    },
    Rule {
        needles: &["hostname mismatch"],
        cause: Cause::HostName,
        meaning: "The certificate names another host than the one connected to.",
        advice: "Connect by the server's full name, not by its address or a privatelink name.",
    },
    Rule {
        needles: &["hostname/ip does not match"],
        cause: Cause::HostName,
        meaning: "The certificate names another host than the one connected to.",
        advice: "Connect by the server's full name, not by its address or a privatelink name.",
    },
    Rule {
        needles: &["self signed certificate"],
        cause: Cause::TrustStore,
        meaning: "The chain ends in a root that the client does not trust. Enforcement is not the matter.",
        advice: "Give the client the root of the server's chain. Do not turn verification off.",
    },
    Rule {
        needles: &["self-signed certificate"],
        cause: Cause::TrustStore,
        meaning: "The chain ends in a root that the client does not trust. Enforcement is not the matter.",
        advice: "Give the client the root of the server's chain. Do not turn verification off.",
    },
    Rule {
        needles: &["remotecertificatevalidationcallback"],
        cause: Cause::TrustStore,
        meaning: ".NET does not trust the server's chain. Enforcement is not the matter.",
        advice: "Give the client the root of the server's chain. Do not set Trust Server Certificate.",
    },
    Rule {
        needles: &["unable to get local issuer certificate"],
        cause: Cause::TrustStore,
        meaning: "The client knows no issuer of the server's certificate.",
        advice: "Give the client the root of the server's chain.",
    },
    Rule {
        needles: &["pkix path building failed"],
        cause: Cause::TrustStore,
        meaning: "The Java trust store holds no root of the server's chain.",
        advice: "Add the root to the trust store, or name it by sslrootcert.",
    },
    Rule {
        needles: &["certificate verify failed"],
        cause: Cause::TrustStore,
        meaning: "The client does not trust the server's chain. Enforcement is not the matter.",
        advice: "Give the client the root of the server's chain. Do not turn verification off.",
    },
    Rule {
        needles: &["certificate_verify_failed"],
        cause: Cause::TrustStore,
        meaning: "The client does not trust the server's chain. Enforcement is not the matter.",
        advice: "Give the client the root of the server's chain. Do not turn verification off.",
    },
    Rule {
        needles: &["unknownissuer"],
        cause: Cause::TrustStore,
        meaning: "The client knows no issuer of the server's certificate.",
        advice: "Give the client the root of the server's chain.",
    },
    Rule {
        needles: &["server does not support ssl"],
        cause: Cause::NoTlsOnServer,
        meaning: "The client demands TLS and the server answered that it has none.",
        advice: "Turn ssl on in the server. A proxy or pooler in between may be what answered.",
    },
    Rule {
        needles: &["ssl required"],
        cause: Cause::TlsEnforced,
        meaning: "pgbouncer demands TLS and the client came without.",
        advice: "Set sslmode=require, or better verify-full, in the client.",
    },
    Rule {
        needles: &["unsupported protocol"],
        cause: Cause::NoCommonTls,
        meaning: "Client and server have no version of TLS in common.",
        advice: "Update the client's TLS library: servers that matter speak TLS 1.2 or 1.3 only.",
    },
    Rule {
        needles: &["alert protocol version"],
        cause: Cause::NoCommonTls,
        meaning: "Client and server have no version of TLS in common.",
        advice: "Update the client's TLS library: servers that matter speak TLS 1.2 or 1.3 only.",
    },
    Rule {
        needles: &["no shared cipher"],
        cause: Cause::NoCommonTls,
        meaning: "Client and server have no cipher suite in common.",
        advice: "Update the client's TLS library, or look at ssl_ciphers of the server.",
    },
    Rule {
        needles: &["wrong version number"],
        cause: Cause::Handshake,
        meaning: "What answered does not speak TLS where TLS was expected.",
        advice: "Check the port, and whether the client begins with TLS at once (sslnegotiation=direct) at a server that has it not.",
    },
    Rule {
        needles: &["received invalid response to ssl negotiation"],
        cause: Cause::Handshake,
        meaning: "What answered is no PostgreSQL.",
        advice: "Check host and port.",
    },
    Rule {
        needles: &["ssl syscall error: eof detected"],
        cause: Cause::Handshake,
        meaning: "The peer, or something in between, broke off the handshake.",
        advice: "Look for a proxy, a firewall that inspects TLS, or a server without direct TLS.",
    },
    Rule {
        needles: &["too many clients already"],
        cause: Cause::Busy,
        meaning: "The server has no slot left. It says so before it looks at any rule.",
        advice: "Try again later; think of a pooler.",
    },
    Rule {
        needles: &["remaining connection slots are reserved"],
        cause: Cause::Busy,
        meaning: "The server has no slot left for ordinary users.",
        advice: "Try again later; think of a pooler.",
    },
    Rule {
        needles: &["the database system is"],
        cause: Cause::Busy,
        meaning: "The server is starting, stopping or recovering.",
        advice: "Try again later.",
    },
    Rule {
        needles: &["role \"", "does not exist"],
        cause: Cause::NoSuchRoleOrDatabase,
        meaning: "Authentication was reached or passed; the user does not exist.",
        advice: "Check the user name.",
    },
    Rule {
        needles: &["database \"", "does not exist"],
        cause: Cause::NoSuchRoleOrDatabase,
        meaning: "Authentication was passed; the database does not exist.",
        advice: "Check the database name.",
    },
    Rule {
        needles: &["connection refused"],
        cause: Cause::Unreachable,
        meaning: "Nothing listens on that port, or a firewall says so.",
        advice: "Check host and port, and whether the server runs.",
    },
    Rule {
        needles: &["timed out"],
        cause: Cause::Unreachable,
        meaning: "No answer: a firewall that drops, a server on a private network, or a stopped one.",
        advice: "Check the firewall rules of the server and the route to it.",
    },
    Rule {
        needles: &["timeout expired"],
        cause: Cause::Unreachable,
        meaning: "No answer: a firewall that drops, a server on a private network, or a stopped one.",
        advice: "Check the firewall rules of the server and the route to it.",
    },
    Rule {
        needles: &["could not translate host name"],
        cause: Cause::Unreachable,
        meaning: "The name has no address here. Private servers have one only on their own network.",
        advice: "Check the name, and the private DNS zone where the client runs.",
    },
];
