//! Where runs are kept, and which of them are meant.

use super::scenarios;
use clap::Args;
use clap::builder::PossibleValuesParser;
use std::path::PathBuf;

/// Where runs are kept.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "State options")]
pub(crate) struct StateArgs {
    /// The state directory (default: hostssl's own below the user's state directory).
    #[arg(long, value_name = "DIR", env = "HOSTSSL_STATE")]
    pub(crate) state: Option<PathBuf>,

    /// The PostgreSQL database that several machines keep their state in, as a URL or a connection string without a password;
    /// the state directory becomes a copy of it.
    #[arg(long, value_name = "URL", env = "HOSTSSL_STORE", hide_env_values = true)]
    pub(crate) store: Option<String>,
}

/// Which runs are meant.
#[derive(Debug, Clone, Args)]
pub(crate) struct SimulatedArgs {
    /// Search the runs of simulations, which are kept apart from real ones.
    #[arg(long, alias = "simulated", value_name = "SCENARIO", num_args = 0..=1, default_missing_value = "demo", value_parser = PossibleValuesParser::new(scenarios()), hide_possible_values = true, help_heading = "State options")]
    simulate: Option<String>,
}

impl SimulatedArgs {
    /// Whether runs of simulations are meant.
    pub(crate) fn simulated(&self) -> bool {
        self.simulate.is_some()
    }
}
