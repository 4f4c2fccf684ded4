//! Fleets and plans for the tests.

#![allow(unreachable_pub, reason = "every test binary is a crate of its own")]
#![allow(dead_code, reason = "every test binary uses its own part")]
#![allow(clippy::unwrap_used, reason = "a test may stop at the first surprise")]

pub mod clock;
pub mod crash;
pub mod fleet;
pub mod harness;
pub mod journal;
pub mod seeded;
pub mod world;
