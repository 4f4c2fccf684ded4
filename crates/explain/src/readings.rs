//! What the known messages mean, each meaning once.

use super::{Cause, Certainty};

/// How significant a message is beside others of the same text. The most significant decides.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Weight {
    /// What happened and not why: closed, timed out, busy. Also what is said before any rule is checked.
    Symptom,
    /// Who spoke, and not what: dropped when anything heavier is found.
    Hint,
    /// Plaintext was refused. Clients that try both TLS and plaintext show it beside the reason why TLS failed.
    PlaintextRefused,
    /// Something failed in TLS: the frame around a reason.
    TlsWrapper,
    /// A kind of failure of TLS, of which the text may hold the reason.
    TlsFailure,
    /// The chain of the certificate has errors, of which the text may hold the reason.
    ChainFailure,
    /// Why TLS failed.
    TlsReason,
    /// A rule refused the login although TLS was used.
    Refused,
    /// Authentication was reached: nothing before it can be the matter.
    Authenticated,
}

/// The meaning of a message.
pub(super) struct Interpretation {
    pub(super) cause: Cause,
    pub(super) weight: Weight,
    pub(super) confidence: Certainty,
    pub(super) meaning: &'static str,
    pub(super) advice: &'static str,
}

/// Defines readings, one a line of facts and two of sentences.
macro_rules! readings {
    ($($name:ident: $cause:ident, $weight:ident, $confidence:ident, $meaning:literal, $advice:literal;)*) => {
        $(pub(super) static $name: Interpretation = Interpretation {
            cause: Cause::$cause,
            weight: Weight::$weight,
            confidence: Certainty::$confidence,
            meaning: $meaning,
            advice: $advice,
        };)*
    };
}

// Plaintext is refused.
readings! {
    NO_ENTRY_PLAIN: TlsEnforced, PlaintextRefused, High,
        "No line of pg_hba.conf allows this login without TLS. A firewall rule can look the same in plaintext: only the same login over TLS tells them apart.",
        "Set sslmode=require, or better verify-full, in the client.";
    REJECT_PLAIN: TlsEnforced, PlaintextRefused, High,
        "A line of pg_hba.conf rejects connections without TLS from this address.",
        "Set sslmode=require, or better verify-full, in the client.";
    GATEWAY_PLAIN: TlsEnforced, PlaintextRefused, High,
        "The server, or the gateway before it, requires TLS, and the client connected without it.",
        "Set sslmode=require, or better verify-full, in the client.";
    POOLER_PLAIN: TlsEnforced, PlaintextRefused, High,
        "The pooler requires TLS, and the client connected without it.",
        "Set sslmode=require, or better verify-full, in the client.";
}

// A rule refused.
readings! {
    NO_ENTRY_TLS: AddressRule, Refused, High,
        "The client did use TLS. The server refuses this user, database or address: by a firewall, an allow list or pg_hba.conf.",
        "Add the client's address to the firewall rules of the server, or use the private network. TLS is not the problem.";
    REJECT_TLS: AddressRule, Refused, High,
        "A line of pg_hba.conf rejects this user, database or address although the client used TLS.",
        "Check the reject lines of pg_hba.conf. TLS is not the problem.";
    NO_ENTRY_GSS: AddressRule, Refused, High,
        "The client used GSSAPI encryption, for which the server has no rule.",
        "Set gssencmode=disable in the client, and use TLS.";
    NO_ENTRY: PgHba, Hint, Low,
        "No rule of pg_hba.conf, or of a firewall that answers like it, allows this login. The words that say whether TLS was used are missing.",
        "Get the whole line: it ends in \"no encryption\" (use TLS) or \"SSL encryption\" (the address or user is the problem).";
    INVALID_AUTHORIZATION: PgHba, Hint, Low,
        "The server refused the login: a rule of pg_hba.conf, most often, or a user that does not exist. The code is the same for TLS, address and user.",
        "Get the message beside the code, or see whether plaintext is refused: hostssl probe HOST.";
    POOLER_LINE: PgHba, Hint, Low,
        "PgBouncer has no line in its auth_hba_file for this user, database, address and transport: hostssl lines are for TLS alone.",
        "Connect with sslmode=require; if that is refused too, the user, database or address needs a line there.";
    POOLER_LOGIN: PgHba, Hint, Low,
        "The pooler refused the login. The line with the reason is missing: a rule of pool_hba.conf, TLS or the password.",
        "Get the line that begins with DETAIL, from the pooler's log if need be.";
    OTHER_METHOD: PgHba, Authenticated, High,
        "The matching line of pg_hba.conf requires an authentication method other than a password.",
        "Change the method of that line (scram-sha-256 for passwords), or connect as the user that it expects.";
}

// Authentication was reached.
readings! {
    PASSWORD: Password, Authenticated, High,
        "The server accepted the connection and refused the password or token.",
        "Check the user name and the password; a Microsoft Entra token expires after about an hour.";
    TOKEN: Password, Authenticated, High,
        "The server accepted the connection and refused the access token that was sent as the password.",
        "Get a new token for the resource of open source databases, and pass it unchanged.";
    NO_PASSWORD: Password, Authenticated, High,
        "The server requested a password, and the client has none, or one that is not text.",
        "Give the client a password: check the variable or the connection string that should hold it.";
    USER_FORM: Password, Authenticated, Medium,
        "An Azure single server requires the user name followed by the server's name.",
        "Write the user as user@server, or check the user name.";
    PERMISSION: Permission, Authenticated, High,
        "The login was accepted, and the user lacks a privilege.",
        "Grant it, such as CONNECT on the database. TLS and the firewall are not the problem.";
    NO_SUCH_ROLE: NoSuchRoleOrDatabase, Authenticated, High,
        "Authentication was reached or passed; the user does not exist.",
        "Check the user name.";
    NO_SUCH_DATABASE: NoSuchRoleOrDatabase, Authenticated, High,
        "Authentication was reached or passed; the database does not exist.",
        "Check the database name.";
}

// Certificates.
readings! {
    CLIENT_CERTIFICATE: ClientCertificate, Refused, High,
        "The server requires a client certificate. Azure never does: this is another server, or a proxy.",
        "Give the client sslcert and sslkey.";
    NO_CLIENT_ROOTS: ClientCertificate, Refused, High,
        "The server requires a client certificate, but has no root certificates to verify it.",
        "Set ssl_ca_file in the server, or change the line of pg_hba.conf that requires the certificate.";
    CLIENT_CERTIFICATE_ALERT: ClientCertificate, TlsReason, High,
        "The server requires a client certificate in the TLS handshake. Azure never does: this is another server, or a proxy.",
        "Give the client sslcert and sslkey.";
    NO_ROOT_FILE: TrustStore, Symptom, High,
        "The client must verify the server's certificate (sslmode=verify-ca or verify-full), but has no root certificate file. No server refused.",
        "Set sslrootcert to a root certificate file, or use the system's with sslrootcert=system (libpq 16 and later).";
    UNTRUSTED: TrustStore, TlsReason, High,
        "The chain ends in a root that the client does not trust. Enforcement is not the problem.",
        "Give the client the root of the server's chain. Do not turn verification off.";
    UNVERIFIED: TrustStore, TlsFailure, Medium,
        "The client refuses the server's certificate, most often because it does not trust the root of the chain. Enforcement is not the problem.",
        "Give the client the root of the server's chain; check dates and names too: hostssl probe HOST. Do not turn verification off.";
    OTHER_SIDE_DISTRUSTS: TrustStore, TlsReason, Medium,
        "The side that sent this alert does not trust the certificate that it received: in a server's log it is the client that distrusts the server, in a client it is the server that refuses the client's certificate.",
        "Give the sender of the alert the root of the other's chain, or the client another sslcert.";
    CHAIN_ERRORS: TrustStore, ChainFailure, Medium,
        "The chain of the server's certificate has errors, most often because the client does not trust its root. Enforcement is not the problem.",
        "Give the client the root of the server's chain; check its dates too: hostssl probe HOST. Do not turn verification off.";
    HOST_NAME: HostName, TlsReason, High,
        "The certificate names a host other than the one connected to.",
        "Connect by the server's full name, not by its address or a privatelink name.";
    NO_SERVER_NAME: HostName, TlsReason, Medium,
        "The peer has no server with the name that the client requested.",
        "Connect by the server's full name; a proxy that chooses by name needs it in the TLS handshake (SNI).";
    EXPIRED: Expired, TlsReason, High,
        "A certificate of the chain has expired or is not valid yet, or the clock of the verifying side is wrong.",
        "Check the clock and the dates of the chain: hostssl probe HOST.";
    WEAK: WeakAlgorithm, TlsReason, High,
        "A certificate of the chain has a signature (often SHA-1) or key that the client's rules forbid.",
        "Renew the chain on the server's side; do not weaken the client's rules.";
}

// The TLS handshake.
readings! {
    NO_TLS: NoTlsOnServer, TlsReason, High,
        "The client requires TLS, and the server does not support it.",
        "Turn ssl on in the server. A proxy or pooler in between may have answered.";
    NO_COMMON_TLS: NoCommonTls, TlsReason, High,
        "Client and server have no TLS version or no cipher suite in common.",
        "Update the client's TLS library: current servers accept TLS 1.2 and 1.3 only. Check ssl_ciphers of the server too.";
    MAYBE_NO_COMMON_TLS: NoCommonTls, Symptom, Medium,
        "If this is about TLS, client and server have no TLS version in common.",
        "Update the client's TLS library: current servers accept TLS 1.2 and 1.3 only.";
    HANDSHAKE_FAILURE: NoCommonTls, TlsReason, Medium,
        "The peer found nothing acceptable in the client's offer: versions, cipher suites, groups, or a client certificate that is missing.",
        "See what the server accepts (hostssl probe HOST), and update the client's TLS library.";
    NOT_TLS: Handshake, TlsReason, High,
        "The peer does not speak TLS or PostgreSQL where that was expected.",
        "Check host and port, and whether the client uses direct TLS (sslnegotiation=direct) with a server that does not support it.";
    NO_ALPN: Handshake, TlsReason, High,
        "The peer accepts direct TLS, but is not a PostgreSQL that supports it (it chose no ALPN protocol).",
        "Remove sslnegotiation=direct, or check what is between client and server.";
    BROKEN_OFF: Handshake, TlsFailure, Medium,
        "The peer, or something in between, aborted the TLS connection.",
        "Look for a proxy, a firewall that inspects TLS, or a server without direct TLS; see hostssl probe HOST --transcript.";
    TLS_FAILED: Handshake, TlsWrapper, Low,
        "TLS failed, for a reason that is unknown or not in the text.",
        "Look for the cause in the lines below it, or see what the server does: hostssl probe HOST --transcript.";
    STUFFED: Handshake, TlsReason, Medium,
        "Plaintext followed the request for TLS or GSSAPI encryption: a defect of the client or a proxy, or an attacker in between.",
        "Look for a proxy in between, and update the client.";
    INJECTED: Handshake, TlsReason, High,
        "Plaintext arrived between the server's answer and the handshake of TLS or GSSAPI encryption. libpq stops, because an attacker between client and server can forge answers of the server that way (CVE-2021-23222).",
        "Assume an attack until you find another cause: do not connect without TLS. Look for a proxy in between, and compare from another network: hostssl probe HOST.";
    CHANNEL_BINDING: ClientSetup, TlsReason, Medium,
        "The client requires channel binding (channel_binding=require), and the peer does not offer it: a pooler or proxy terminates TLS before the server, or the password is not stored for SCRAM.",
        "Connect to the server without the proxy, or store the password with password_encryption=scram-sha-256. An attacker in between looks the same.";
    OTHER_PROTOCOL: Handshake, Symptom, Low,
        "The server does not support what the client requested first (GSSAPI encryption or a newer protocol). Clients continue without it.",
        "Check the other errors. Set gssencmode=disable if it is the only one.";
    CLIENT_SETUP: ClientSetup, TlsReason, High,
        "The problem is in the client's own settings, files or build. No server refused.",
        "Correct the setting that the message names. sslmode is one of disable, allow, prefer, require, verify-ca, verify-full.";
    OLD_CLIENT: ClientSetup, Refused, High,
        "The client does not support an authentication method or a setting of the server.",
        "Update the driver, or remove the setting that is named.";
}

// No slot, no route, no word.
readings! {
    TOO_MANY: Busy, Symptom, High,
        "The server or pooler has no slot left. A server says so before it checks any rule on TLS.",
        "Retry later; consider a pooler.";
    NOT_UP: Busy, Symptom, High,
        "The server is starting, stopping or recovering.",
        "Retry later.";
    SESSION_ENDED: SessionEnded, Symptom, Medium,
        "An administrator ended the session: pg_terminate_backend, a restart, a failover, or hostssl, which ends sessions in plaintext once TLS is enforced.",
        "Reconnect, with TLS: set sslmode=require, or better verify-full, in the client.";
    BACKEND_DOWN: Busy, Symptom, Medium,
        "The pooler could not get a connection to the server behind it in time.",
        "Check the pooler's log for the server's message.";
    CONNECTION_REFUSED: Unreachable, Symptom, High,
        "Nothing listens on that address and port, or a firewall rejects the connection. The answer does not come from PostgreSQL.",
        "Check host and port, and whether the server is running.";
    NO_ANSWER: Unreachable, Symptom, High,
        "No answer: a firewall that drops packets, a server on a private network, or a stopped one.",
        "Check the firewall rules of the server and the route to it.";
    MAYBE_NO_ANSWER: Unreachable, Symptom, Low,
        "Something took too long: most often there is no answer, because of a firewall that drops packets or a server on a private network. An exhausted connection pool reports the same.",
        "Check the firewall rules of the server and the route to it, then the size of the pool.";
    NO_ADDRESS: Unreachable, Symptom, High,
        "The name does not resolve here. The names of private servers resolve only on their own network.",
        "Check the name, and the private DNS zone where the client runs.";
    NO_SOCKET: Unreachable, Symptom, High,
        "The client tried a server on its own machine, and none has a socket there.",
        "Set the host of the server; without one the client uses its own machine.";
    CLOSED: Closed, Symptom, Low,
        "The connection was closed without a reason: a server that crashed or stopped, a time limit, a proxy or a firewall.",
        "Check the server's log at that time, and see what the server does: hostssl probe HOST.";
}
