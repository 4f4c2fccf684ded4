//! The commands, one module each.

pub(crate) mod audit;
pub(crate) mod controls;
pub(crate) mod explain;
pub(crate) mod generate;
pub(crate) mod probe;
pub(crate) mod role;
pub(crate) mod serve;
pub(crate) mod server;
pub(crate) mod simulate;
