//! Zones: the file of their rules, and the servers of each.

mod file;
mod listing;
mod vantages;

pub use file::{InvalidZones, read_zones, zone_rule_to_toml};
pub use listing::{ZonedServer, ZonedServers, list_zones, zone_targets};
pub use vantages::{KnownSwitch, Looks, Vantages};
