//! The web console: the second face of hostssl, for people who would rather look than type.
//!
//! It decides nothing about servers. Pages show what the store keeps, audits are those of `ops`, and exports are the
//! report's formats. What is its own: who may look (`guard`), how it looks (`view`), and how it is served.

mod activity_cache;
mod connections;
mod elsewhere;
mod endings;
mod exchanges;
mod follow;
mod followed_times;
mod guard;
mod heard_of;
mod http_server;
mod job;
mod jobs;
mod known_approvers;
mod metrics_port;
mod options;
mod page_frame;
mod pages;
mod prober_port;
mod progress_notes;
mod readiness_cache;
mod reply;
mod routes;
mod shared;
mod shared_store;
mod trouble;
mod user_role;
mod view;
mod waivers;
mod zone_list;
mod zones;
mod zones_cache;

pub use guard::is_name;
pub use http_server::{Console, LinkMaker, ServeError, SignInLink};
pub use metrics_port::MetricsPort;
pub use options::{
    Connect, ConsoleOptions, Exchange, Preparation, Proxies, PublicUrl, RoleHeader, ShownSimulation, TakeExchange,
    TlsFiles, TranscriptMessage, WireLook,
};
pub use pages::fleet_figures;
pub use prober_port::{has_prober_port_key, looks_of_probers, prober_port_key};
pub use trouble::Trouble;
pub use user_role::Role;
pub use waivers::{ReadText, WaiverSource};
pub use zones::{LooksFile, ReadZones, StampZones, ZoneFiles, ZoneSource, read_looks, utf8};
