//! The controls, one file each.

mod maximum_tls_version;
mod minimum_tls_version;
mod pending_restart;
mod replica_parity;
mod require_secure_transport;

use crate::Control;

/// Every control, in the order in which reports list them.
pub const ALL: [&Control; 5] = [
    &require_secure_transport::CONTROL,
    &minimum_tls_version::CONTROL,
    &maximum_tls_version::CONTROL,
    &pending_restart::CONTROL,
    &replica_parity::CONTROL,
];

/// The control with this id.
#[must_use]
pub fn find(id: &str) -> Option<&'static Control> {
    ALL.into_iter().find(|control| control.id == id)
}
