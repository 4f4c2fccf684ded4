//! What a write changes.

use crate::fleet::ServerState;
use crate::parameters::Parameter;

/// What a write does to a server when it ends.
#[derive(Debug, Default)]
pub(crate) struct Change {
    /// Parameters and their new values.
    pub(crate) parameters: Vec<(&'static Parameter, String)>,
    /// Whether the parameters go back to their defaults instead (`source` is `system-default`).
    pub(crate) reset: bool,
    /// A new state.
    pub(crate) state: Option<ServerState>,
}
