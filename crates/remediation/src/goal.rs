//! What a plan is for: the findings that it fixes, the logs that it turns on, or the values that were requested.

use hostssl_model::{ControlId, Floor, TlsVersion};
use std::fmt;

/// What a write can fix: a control, or logs that cannot be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum FixableControl {
    /// `require-secure-transport`: the switch.
    RequireSecureTransport,
    /// `minimum-tls-version`: the floor.
    MinimumTlsVersion,
    /// `log-download`: whether the server's log files can be downloaded, and for how long. No audit judges it; the census of
    /// clients needs it.
    LogDownload,
}

impl FixableControl {
    /// All of them, in the order in which one server's steps are made: the switch before the floor, because without it the
    /// floor protects no client that does not request TLS.
    pub const ALL: [Self; 3] = [Self::RequireSecureTransport, Self::MinimumTlsVersion, Self::LogDownload];
    /// Those that an audit judges.
    pub const AUDITED: [Self; 2] = [Self::RequireSecureTransport, Self::MinimumTlsVersion];

    /// The control that an audit judges; `None` where no audit does.
    #[must_use]
    pub const fn id(self) -> Option<ControlId> {
        match self {
            Self::RequireSecureTransport => Some(ControlId::RequireSecureTransport),
            Self::MinimumTlsVersion => Some(ControlId::MinimumTlsVersion),
            Self::LogDownload => None,
        }
    }

    /// The word in plans.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        self.id().map_or("log-download", ControlId::as_str)
    }

    /// The control with this id, when a write can fix it.
    #[must_use]
    pub fn of(id: ControlId) -> Option<Self> {
        Self::AUDITED.into_iter().find(|control| control.id() == Some(id))
    }

    /// What has this word in plans.
    #[must_use]
    pub fn from_id(id: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|control| control.as_str() == id)
    }
}

impl fmt::Display for FixableControl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// What a plan is for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Goal {
    /// Fix every failed finding of these controls, and logs that cannot be downloaded if that is among them.
    Fix {
        /// The controls, each once, in the order of [`FixableControl::ALL`].
        controls: Vec<FixableControl>,
        /// The floor that fixes `minimum-tls-version`. Servers that are stricter stay as they are.
        minimum_tls: TlsVersion,
    },
    /// Set exactly this, whatever the findings say: what `hostssl server update` orders. It may loosen.
    Set {
        /// Whether clients must use TLS; `None` leaves it alone.
        enforcement: Option<bool>,
        /// The floor; `None` leaves it alone.
        minimum_tls: Option<Floor>,
    },
}

impl Goal {
    /// The controls that it touches, in the order of [`FixableControl::ALL`].
    #[must_use]
    pub fn controls(&self) -> Vec<FixableControl> {
        let wanted = |control| match (self, control) {
            (Self::Fix { controls, .. }, control) => controls.contains(&control),
            (Self::Set { enforcement, .. }, FixableControl::RequireSecureTransport) => enforcement.is_some(),
            (Self::Set { minimum_tls, .. }, FixableControl::MinimumTlsVersion) => minimum_tls.is_some(),
            (Self::Set { .. }, FixableControl::LogDownload) => false,
        };
        FixableControl::ALL.into_iter().filter(|control| wanted(*control)).collect()
    }
}
