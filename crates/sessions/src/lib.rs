//! Logs in to PostgreSQL servers and PgBouncers, and reads who is connected: `pg_stat_activity` with `pg_stat_ssl`, and
//! `SHOW CLIENTS`.
//!
//! The only crate that sends a password. It does so over TLS, to a server whose certificate libpq's `verify-full` would
//! accept ([`hostssl_probe::certificate`]), or to a loopback address; nothing else is asked for. What it reads it hands
//! over as sightings of [`hostssl_census`]; it judges nothing. The shared store logs in by it too ([`Login::connect`]). The one thing that it does to a server is to end the sessions that
//! it is told to ([`LeftoverSessions::end`]).

mod leftover;
mod login;
mod passwords;
mod pooler;
mod sampling;
mod server;
mod tls;

pub use leftover::{LeftoverSession, LeftoverSessions, MissingRights};
pub use login::{LoggedIn, Login, LoginError};
pub use passwords::{Password, PasswordSources};
pub use pooler::{PoolerConsole, PoolerLook};
pub use sampling::{Observer, Schedule};
pub use server::{ServerLook, ServerSessions};
