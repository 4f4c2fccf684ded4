//! The words of `hostssl/probe/v1`: frozen. Each set names its members as the prober does, and a member that one has and the
//! other lacks does not compile.

use super::domain;
#[cfg(feature = "schema")]
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// A set of words with the prober's type that it is of.
macro_rules! words {
    ($(#[$meta:meta])* $name:ident of $domain:ident { $($(#[$word:meta])* $member:ident,)+ }) => {
        #[derive(Clone, Copy, Debug, Serialize, Deserialize)]
        #[cfg_attr(feature = "schema", derive(JsonSchema))]
        $(#[$meta])*
        pub(super) enum $name { $($(#[$word])* $member,)+ }

        #[cfg(test)]
        impl $name {
            /// Every word.
            pub(super) const ALL: &[Self] = &[$(Self::$member,)+];
        }

        impl From<domain::$domain> for $name {
            fn from(from: domain::$domain) -> Self {
                match from { $(domain::$domain::$member => Self::$member,)+ }
            }
        }

        impl From<$name> for domain::$domain {
            fn from(from: $name) -> Self {
                match from { $($name::$member => Self::$member,)+ }
            }
        }
    };
}

words! {
    /// What an endpoint does with encryption.
    #[serde(rename_all = "kebab-case")]
    Verdict of WireVerdict {
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
}

words! {
    /// Why no connection could be made.
    #[serde(rename_all = "kebab-case")]
    Unreachable of Unreachable {
        /// The name has no address, as seen from there.
        Unresolved,
        /// Nothing listens on the port.
        Refused,
        /// No answer in time.
        Timeout,
        /// Another error of the network.
        Network,
    }
}

words! {
    /// The answer to `SSLRequest`.
    SslRequestOutcome of SslRequestOutcome {
        /// The server offers TLS.
        S,
        /// The server does not.
        N,
        /// An error message.
        E,
        /// The connection was closed without an answer.
        #[serde(rename = "closed")]
        Closed,
        /// The connection was reset.
        #[serde(rename = "reset")]
        Reset,
        /// Bytes that PostgreSQL does not send.
        #[serde(rename = "garbage")]
        Garbage,
        /// No answer before the deadline.
        #[serde(rename = "timeout")]
        Timeout,
        /// It was not sent: no connection, direct TLS, or a peer that talks first.
        #[serde(rename = "not-sent")]
        NotSent,
    }
}

words! {
    /// Whether a startup reached authentication over one transport.
    #[serde(rename_all = "kebab-case")]
    Outcome of StartupOutcome {
        /// It was turned away for its transport or address, before authentication.
        Refused,
        /// It reached authentication, or passed it.
        Allowed,
        /// The answer is not conclusive.
        Unknown,
    }
}

words! {
    /// Replication as a startup asks for it.
    #[serde(rename_all = "kebab-case")]
    ReplicationMode of ReplicationMode {
        /// An ordinary connection.
        None,
        /// Physical replication.
        Physical,
        /// Logical replication.
        Logical,
    }
}

words! {
    /// Whether a server accepted what it was asked about.
    #[serde(rename_all = "kebab-case")]
    Support of Support {
        /// It did.
        Accepted,
        /// It did not.
        Refused,
        /// It was not asked, or the answer is not conclusive.
        Unknown,
    }
}

words! {
    /// Whether the server wants a certificate of the client, by TLS or by `pg_hba.conf`.
    #[serde(rename_all = "kebab-case")]
    ClientCertificate of ClientCertificate {
        /// It requests none.
        NotRequested,
        /// It requests one and continues without it.
        Requested,
        /// It requires one.
        Required,
        /// No handshake got far enough to tell.
        Unknown,
    }
}

words! {
    /// A fact that weakens the protection of the connection.
    #[serde(rename_all = "kebab-case")]
    Weakness of Weakness {
        /// A startup in plaintext is accepted.
        PlaintextAccepted,
        /// A replication startup in plaintext is accepted.
        PlaintextReplicationAccepted,
        /// A plaintext connection needs no password.
        PlaintextTrust,
        /// The server asks for the cleartext password over a plaintext connection.
        PlaintextPassword,
        /// The server asks for an MD5 hash of the password over a plaintext connection.
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
        /// The certificate expires within the requested number of days.
        CertificateExpiresSoon,
        /// The certificate is not valid yet.
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
        /// Plaintext bytes stand between `S` and the handshake (CVE-2021-23222 is the client's side of it).
        BytesBeforeHandshake,
        /// Bytes sent after the `SSLRequest` in the same segment are accepted as if they had come over TLS (CVE-2021-23214).
        StartupStuffing,
    }
}

words! {
    /// The direction of a message.
    #[serde(rename_all = "kebab-case")]
    Direction of MessageDirection {
        /// From us to the server.
        Sent,
        /// From the server to us.
        Received,
        /// An event of the connection, not a message.
        Event,
    }
}
