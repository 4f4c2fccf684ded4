//! `hostssl doctor`: verdicts on what hostssl needs. Each is a function of facts, which the caller gathers, and which are values.

mod azure_connection;
mod listeners;
mod rights;
mod shared_store;
mod state;

/// What to do where Azure throttles.
const THROTTLED: &str = "retry after that time; other jobs under the same identity use up its requests, too";

pub use azure_connection::{
    CaFileFacts, EndpointTrial, Obstacle, ca_file_check, clock_check, endpoint_check, name_check, proxy_check,
    sign_in_check,
};
pub use listeners::{FoundServers, find_servers, listener_checks};
pub use rights::{ScopeRights, read_rights, rights_checks, subscriptions_check};
pub use shared_store::store_check;
pub use state::state_checks;
