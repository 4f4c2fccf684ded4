//! The controls, one file each.

mod certificate_expiry;
mod certificate_valid;
mod declared_matches_wire;
mod legacy_tls_refused;
mod maximum_tls_version;
mod minimum_tls_version;
mod pending_restart;
mod plaintext_refused;
mod replica_parity;
mod require_secure_transport;

use crate::Control;

/// Every control, in the order in which reports list them: what is declared, then what the wire shows.
pub const ALL: [&Control; 10] = [
    &require_secure_transport::CONTROL,
    &minimum_tls_version::CONTROL,
    &maximum_tls_version::CONTROL,
    &pending_restart::CONTROL,
    &replica_parity::CONTROL,
    &plaintext_refused::CONTROL,
    &legacy_tls_refused::CONTROL,
    &certificate_valid::CONTROL,
    &certificate_expiry::CONTROL,
    &declared_matches_wire::CONTROL,
];

/// How many of [`ALL`], from the front, need nothing but what Azure declares.
const DECLARED: usize = 5;

/// The control with this id.
#[must_use]
pub fn find(id: &str) -> Option<&'static Control> {
    ALL.into_iter().find(|control| control.id == id)
}

impl Control {
    /// Whether it judges what was seen on the wire.
    #[must_use]
    pub fn is_of_the_wire(&self) -> bool {
        ALL.iter().skip(DECLARED).any(|control| control.id == self.id)
    }
}
