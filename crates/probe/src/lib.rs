//! Proves on the wire, without credentials, whether a PostgreSQL endpoint enforces TLS.
//!
//! The proof is a difference: the same `StartupMessage` is sent in plaintext and over TLS, for several users, databases and
//! kinds of replication, and what the server says before authentication decides. No password and no token is ever sent;
//! none can be held by any type here.
//!
//! A [`Prober`] runs the questions within bounds of time, bytes and connections, and folds the answers, by pure functions,
//! into one [`report::EndpointReport`] for each address. What it says covers the users and databases that were probed, as
//! seen from where it ran.
//!
//! ```no_run
//! use hostssl_probe::{ProbeOptions, Prober, target::ProbeTarget};
//!
//! # async fn example() -> Result<(), Box<dyn std::error::Error>> {
//! let prober = Prober::new(ProbeOptions::default())?;
//! for target in ProbeTarget::parse("postgresql://db.example/shop")? {
//!     for report in prober.probe(&target).await {
//!         assert_ne!(report.verdict, hostssl_probe::report::WireVerdict::PlaintextOnly, "{}", report.reason);
//!     }
//! }
//! # Ok(())
//! # }
//! ```
//!
//! Sources of the rules: the PostgreSQL documentation, "Frontend/Backend Protocol" and "The pg_hba.conf File"; the
//! PostgreSQL sources, RFCs and measurements named at each item.

mod assemble;
pub mod attempt;
mod certificate_report;
pub mod connect_to;
mod connection;
mod connection_limiter;
pub mod dial;
mod endpoint;
mod facts;
mod hello_jobs;
mod identity;
mod offer;
mod options;
mod prober;
pub mod report;
mod root_files;
mod rounds;
pub mod socks_proxy;
mod srv;
mod startup_answer;
mod startup_jobs;
pub mod target;
mod tls_client;
pub mod transcript;
mod verdict;

pub use hostssl_certificate as certificate;
pub use hostssl_pgwire::frontend::Replication;
pub use options::{ProbeOptions, StartupNames};
pub use prober::{Prober, ProberError, probe_many, probe_stream};
pub use root_files::RootFiles;
