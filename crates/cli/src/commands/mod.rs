//! The commands, one module each.

pub(crate) mod apply;
pub(crate) mod audit;
pub(crate) mod ca_bundle;
pub(crate) mod clients;
pub(crate) mod config;
pub(crate) mod controls;
pub(crate) mod diff;
pub(crate) mod doctor;
pub(crate) mod enforce;
pub(crate) mod evidence;
pub(crate) mod explain;
pub(crate) mod generate;
pub(crate) mod iac;
pub(crate) mod mcp;
pub(crate) mod plan;
pub(crate) mod policy;
pub(crate) mod probe;
pub(crate) mod role;
mod run_ids;
pub(crate) mod runs;
pub(crate) mod serve;
pub(crate) mod server;
pub(crate) mod simulate;
pub(crate) mod trend;
pub(crate) mod waivers;
pub(crate) mod watch;
pub(crate) mod zones;
