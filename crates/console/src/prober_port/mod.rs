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

/// The console's own key on its port for probers, in its state.
const OWN_KEY: &str = "prober-port-key.pem";

/// The console's key on its port for probers: that of a file, or one of its own, which is made once and kept in the state.
///
/// # Errors
///
/// [`KeyError`] when it can be neither read nor made.
pub fn prober_port_key(state: &Path, file: Option<&Path>) -> Result<ProberKey, KeyError> {
    match file {
        Some(file) => ProberKey::load(file),
        None => ProberKey::load_or_make(&state.join(OWN_KEY)),
    }
}

/// Whether a state has a key of its own for that port.
#[must_use]
pub fn has_prober_port_key(state: &Path) -> bool {
    state.join(OWN_KEY).exists()
}
