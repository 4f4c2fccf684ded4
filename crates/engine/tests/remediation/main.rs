//! Plan, apply, resume and undo against the simulated Azure and everything that can go wrong in it.

#![allow(unreachable_pub, reason = "a test binary is a crate of its own")]
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test may stop at the first surprise")]

#[path = "../../../remedy/tests/common/clock.rs"]
#[allow(dead_code, reason = "shared with the tests of the executor")]
mod clock;
#[path = "../common/mod.rs"]
mod common;
#[path = "../../../remedy/tests/common/crash.rs"]
#[allow(dead_code, reason = "shared with the tests of the executor")]
mod crash;
#[path = "../../../remedy/tests/common/journal.rs"]
#[allow(dead_code, reason = "shared with the tests of the executor")]
mod journal;

mod case;
mod crashes;
mod refusals;
mod traps;
mod whole;
