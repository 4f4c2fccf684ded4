//! The simulated Azure, where this build has one. Without the feature `simulate` the same names are types that have no values,
//! so that what would use them is checked all the same and costs nothing.

#[cfg(feature = "simulate")]
pub(crate) use hostssl_azure_sim::{Actor, Scenario, SimCredential, SimTransport, Simulation, Wire, WireError};

#[cfg(not(feature = "simulate"))]
mod absent;
#[cfg(not(feature = "simulate"))]
pub(crate) use absent::{Actor, Scenario, SimCredential, SimTransport, Simulation, Wire, WireError};
