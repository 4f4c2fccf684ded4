//! The words of `hostssl/probe/v1`: frozen. Each set names its members as the prober does, and a member that one has and the
//! other lacks does not compile.

use super::domain;
#[cfg(feature = "schema")]
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// A set of words with the prober's type of the same name beside it.
macro_rules! words {
    ($(#[$meta:meta])* $name:ident { $($(#[$word:meta])* $member:ident,)+ }) => {
        #[derive(Clone, Copy, Debug, Serialize, Deserialize)]
        #[cfg_attr(feature = "schema", derive(JsonSchema))]
        $(#[$meta])*
        pub(super) enum $name { $($(#[$word])* $member,)+ }

        #[cfg(test)]
        impl $name {
            /// Every word.
            pub(super) const ALL: &[Self] = &[$(Self::$member,)+];
        }

        impl From<domain::$name> for $name {
            fn from(from: domain::$name) -> Self {
                match from { $(domain::$name::$member => Self::$member,)+ }
            }
        }

        impl From<$name> for domain::$name {
            fn from(from: $name) -> Self {
                match from { $($name::$member => Self::$member,)+ }
            }
        }
    };
}

words! {
    /// What an endpoint does with encryption.
    #[serde(rename_all = "kebab-case")]
    Verdict {
        /// Every probed startup in plaintext is refused; over TLS at least one reaches authentication.
        Enforced,
        /// At least one startup in plaintext reaches authentication, and TLS is offered.
        Optional,
        /// Startups in plaintext are accepted, and TLS is not offered.
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
}

words! {
    /// What came after `SSLRequest`.
    SslRequestOutcome {
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
}

words! {
    /// Whether a startup reached authentication over one transport.
    #[serde(rename_all = "kebab-case")]
    Outcome {
        /// It was turned away for its transport or address, before authentication.
        Refused,
        /// It reached authentication, or passed it.
        Allowed,
        /// The answer does not tell.
        Unknown,
    }
}

words! {
    /// Replication as a startup asks for it.
    #[serde(rename_all = "kebab-case")]
    ReplicationMode {
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
    Support {
        /// It did.
        Accepted,
        /// It did not.
        Refused,
        /// It was not asked, or its answer does not tell.
        Unknown,
    }
}

words! {
    /// Whether the server wants a certificate of the client, by TLS or by `pg_hba.conf`.
    #[serde(rename_all = "kebab-case")]
    ClientCertificate {
        /// It does not ask.
        NotRequested,
        /// It asks and goes on without.
        Requested,
        /// Nothing goes without.
        Required,
        /// No handshake went far enough.
        Unknown,
    }
}

words! {
    /// A fact that weakens the protection of the connection.
    #[serde(rename_all = "kebab-case")]
    Weakness {
        /// A startup in plaintext is accepted.
        PlaintextAccepted,
        /// A replication startup in plaintext is accepted.
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
        /// Plaintext bytes stand between `S` and the handshake (CVE-2021-23222 is the client's side of it).
        BytesBeforeHandshake,
        /// Bytes stuffed behind the `SSLRequest` count as if they had come over TLS (CVE-2021-23214).
        StartupStuffing,
    }
}

words! {
    /// Which way a message went.
    #[serde(rename_all = "kebab-case")]
    Direction {
        /// From us to the server.
        Sent,
        /// From the server to us.
        Received,
        /// No message: something that happened to the connection.
        Event,
    }
}
