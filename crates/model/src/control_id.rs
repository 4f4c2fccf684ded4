//! The names of the controls.

use crate::coded;

coded! {
    /// The stable kebab-case id of a control: in JSON, on the command line, and the name of its page. In the order of reports:
    /// what is declared, then what the wire shows.
    #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
    pub enum ControlId {
        /// Clients cannot connect without TLS.
        RequireSecureTransport = "require-secure-transport",
        /// Old protocol versions are refused.
        MinimumTlsVersion = "minimum-tls-version",
        /// No cap keeps clients below TLS 1.3.
        MaximumTlsVersion = "maximum-tls-version",
        /// No TLS parameter waits for a restart.
        PendingRestart = "pending-restart",
        /// A replica's TLS parameters equal its primary's.
        ReplicaParity = "replica-parity",
        /// On the wire, clients without TLS are refused.
        PlaintextRefused = "plaintext-refused",
        /// On the wire, old protocol versions are refused.
        LegacyTlsRefused = "legacy-tls-refused",
        /// On the wire, the certificate is as `verify-full` wants it.
        CertificateValid = "certificate-valid",
        /// On the wire, the certificate lasts.
        CertificateExpiry = "certificate-expiry",
        /// On the wire, the server does what Azure declares.
        DeclaredMatchesWire = "declared-matches-wire",
    }
}

impl ControlId {
    /// Whether the control judges what was seen on the wire.
    #[must_use]
    pub const fn is_of_the_wire(self) -> bool {
        match self {
            Self::RequireSecureTransport
            | Self::MinimumTlsVersion
            | Self::MaximumTlsVersion
            | Self::PendingRestart
            | Self::ReplicaParity => false,
            Self::PlaintextRefused
            | Self::LegacyTlsRefused
            | Self::CertificateValid
            | Self::CertificateExpiry
            | Self::DeclaredMatchesWire => true,
        }
    }
}
