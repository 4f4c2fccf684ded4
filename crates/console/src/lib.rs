//! The web console: the second face of hostssl, for people who would rather look than type.
//!
//! It decides nothing about servers. Pages show what the store keeps, audits are those of `ops`, and exports are the
//! report's formats. What is its own: who may look (`guard`), how it looks (`view`), and how it is served.

mod connections;
mod exchanges;
mod follow;
mod frame;
mod guard;
mod job;
mod jobs;
mod options;
mod pages;
mod readiness_cache;
mod reply;
mod role;
mod routes;
mod server;
mod state;
mod trouble;
mod view;
mod zones;
mod zones_cache;

pub use guard::is_name;
pub use options::{
    Connect, ConsoleOptions, Exchange, Preparation, Proxies, PublicUrl, RoleHeader, ShownSimulation, TakeExchange,
    TlsFiles, TranscriptMessage, WireLook,
};
pub use role::Role;
pub use server::{Console, LinkMaker, ServeError, SignInLink};
pub use trouble::Trouble;
pub use zones::{LooksFile, ReadZones, StampZones, ZoneFiles, ZoneSource};
