//! Zones: the file of their rules, and the servers of each.

mod listing;
mod looks;
mod rules_file;
mod vantages;

pub use listing::{ZonedServer, ZonedServers, list_zones, zone_targets};
pub use looks::{InvalidLooks, PROBE_AGAIN, looks_of_zone};
pub use rules_file::{InvalidZones, read_zones, zone_rule_to_toml};
pub use vantages::{KnownServer, KnownSwitch, Looks, Vantages};
