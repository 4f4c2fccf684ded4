//! Machines in zones that probe by themselves: a port of their own, and what is done with what they say.

mod door_places;
mod prober_desk;
mod prober_door;
mod prober_talk;
mod taken_answers;

pub(crate) use prober_desk::ProberDesk;
pub(crate) use prober_door::ProberDoor;
pub use taken_answers::looks_of_probers;

use hostssl_prober::{KeyError, ProberKey};
use std::path::Path;

/// The console's key on its port for probers: made once, and kept in the state.
///
/// # Errors
///
/// [`KeyError`] when it can be neither read nor made.
pub fn prober_port_key(state: &Path) -> Result<ProberKey, KeyError> {
    ProberKey::load_or_make(&state.join("prober-port-key.pem"))
}
