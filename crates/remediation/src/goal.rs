//! What a plan is for: the findings that it mends, or the values that somebody ordered.

use hostssl_model::{ControlId, Floor, TlsVersion};
use std::fmt;

/// A control that a write can fix.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum FixableControl {
    /// `require-secure-transport`: the switch.
    RequireSecureTransport,
    /// `minimum-tls-version`: the floor.
    MinimumTlsVersion,
}

impl FixableControl {
    /// Both, in the order in which one server's steps are made: the switch first, because without it the floor
    /// protects nobody who does not ask for TLS.
    pub const ALL: [Self; 2] = [Self::RequireSecureTransport, Self::MinimumTlsVersion];

    /// The control's id.
    #[must_use]
    pub const fn id(self) -> ControlId {
        match self {
            Self::RequireSecureTransport => ControlId::RequireSecureTransport,
            Self::MinimumTlsVersion => ControlId::MinimumTlsVersion,
        }
    }

    /// The control with this id, when a write can fix it.
    #[must_use]
    pub fn of(id: ControlId) -> Option<Self> {
        Self::ALL.into_iter().find(|control| control.id() == id)
    }

    /// The control with this id as text, when a write can fix it.
    #[must_use]
    pub fn from_id(id: &str) -> Option<Self> {
        ControlId::from_code(id).and_then(Self::of)
    }
}

impl fmt::Display for FixableControl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.id().fmt(f)
    }
}

/// What a plan is for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Goal {
    /// Mend every failed finding of these controls.
    Fix {
        /// The controls, each once, in the order of [`FixableControl::ALL`].
        controls: Vec<FixableControl>,
        /// The floor that mends `minimum-tls-version`. Servers that are stricter stay as they are.
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
        };
        FixableControl::ALL.into_iter().filter(|control| wanted(*control)).collect()
    }
}
