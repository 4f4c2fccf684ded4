//! Plan, apply, resume and undo against the simulated Azure and everything that can go wrong in it.

#![allow(unreachable_pub, reason = "a test binary is a crate of its own")]
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test may stop at the first surprise")]

mod common;
mod remediation;
