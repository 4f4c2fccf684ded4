//! What the tests of several crates share: fleets, plans, a virtual clock, a journal in memory, crashes, an Azure of a few
//! lines, and the corpora of the fuzz targets. Only tests and benchmarks depend on this crate.

#![allow(missing_docs, reason = "support code of tests says what it is by its names")]
#![allow(clippy::new_without_default, clippy::should_implement_trait, reason = "no public interface")]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test may stop at the first surprise")]

pub mod audited;
pub mod clock;
pub mod corpus;
pub mod crash;
pub mod drivers;
pub mod fleet;
pub mod harness;
pub mod hostile;
pub mod journal;
#[cfg(feature = "wire")]
pub mod pki;
pub mod postgres;
#[cfg(feature = "login")]
pub mod real_login;
#[cfg(feature = "recordings")]
pub mod recordings;
#[cfg(feature = "wire")]
pub mod responder;
pub mod schema;
pub mod seeded;
#[cfg(feature = "console")]
pub mod served_console;
#[cfg(feature = "store")]
pub mod shared_log;
#[cfg(feature = "console")]
pub mod simulated_listeners;
#[cfg(feature = "wire")]
pub mod wire_servers;
pub mod world;
