//! A simulated Azure: enough of Azure Resource Manager, of its authority and of Resource Graph to run hostssl, the
//! Azure CLI and the Azure SDKs without an account.
//!
//! It is the demonstration, the test double and the peer of benchmarks. A [`Scenario`] says what it holds and what
//! goes wrong; a [`Simulation`] is one such Azure, called in process through [`SimTransport`] or served on a loopback
//! port by [`serve`]. It knows nothing of the client that is tested against it, so that the two cannot share a mistake.
//!
//! What it imitates was taken from recordings of production and from public documentation; where neither was at hand
//! the comment at the place says so.

mod activity;
mod activity_log;
mod authority;
mod call;
mod change;
mod clock;
mod distort;
mod environment;
mod estate;
mod fault;
mod fleet;
mod graph;
mod headers;
mod journal;
mod json;
mod listeners;
mod log_analytics;
mod logs;
mod long_running;
mod operation;
mod operations;
mod parameters;
mod path;
mod pipeline;
mod random;
mod read;
mod real_logs;
mod refuse;
mod render;
mod reply;
mod scenario;
mod server;
mod simulation;
mod state;
mod throttle;
mod token;
mod transport;
mod world;
mod write;

pub use activity_log::Actor;
pub use environment::{ClientFiles, WriteError, environment, write_files, write_listeners};
pub use fault::{Fault, FaultRule, FaultScope};
pub use fleet::{
    Fleet, FleetSize, FleetSource, GraphView, Kind, ManagementGroup, Mix, ProviderState, Server, ServerState,
    Subscription, SubscriptionState, Tenant, WireQuirk,
};
pub use journal::{RequestKey, Requests, WriteRecord};
pub use listeners::{ListenError, Listener, Listening, Root, Wire, WireError};
pub use log_analytics::DEMO_WORKSPACE;
pub use operation::Operation;
pub use scenario::{PastWrite, Scenario, Writes};
pub use server::{RunningServer, ServeError, ServeOptions, serve};
pub use simulation::{Simulation, SimulationError};
pub use throttle::{GraphQuota, Rate, Throttle};
pub use token::CLIENT_ID;
pub use transport::{SimCredential, SimTransport};
