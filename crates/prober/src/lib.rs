//! Probers: machines in zones that probe by themselves and tell the console what they saw.
//!
//! Neither side believes the other more than it has to. Each knows the other by the hash of its key; the console says what
//! to probe, and the prober's own fence says what it probes. What both sides need of keys and TLS is here too.

mod console_line;
mod fence;
mod join_string;
mod pinned_tls;
mod private_files;
mod prober_key;
mod prober_memory;
mod prober_news;
mod prober_round;
mod prober_run;

pub use console_line::{ConsoleError, PROBER_PATH};
pub use fence::{AZURE_NAMES, AddressNet, DEFAULT_PORTS, FencedDial, InvalidNet, ProberFence};
pub use join_string::{InvalidJoin, JoinString, hash_of_secret};
pub use pinned_tls::{StrangerKey, client_config, pin_of_certificate, server_config};
pub use prober_key::{KeyError, KeyPin, ProberKey};
pub use prober_memory::MemoryError;
pub use prober_news::{ProberNews, RoundTally};
pub use prober_run::{ProberRunError, ProberRunOptions, run_prober};
