//! The client census: who connects to a PostgreSQL server, with TLS or in plaintext, and whether enforcement would
//! break them.
//!
//! Everything here is a function of values: [`LogReader`] takes the bytes of server logs, [`Census`] folds sightings
//! into clients, and [`Census::finish`] draws the verdict. Reading files, sockets and clocks is for the caller.
//!
//! Absence of evidence is never a pass. A source says what it cannot see, and `safe` needs a source that saw every
//! connection over the whole window that was asked for.

mod began_before;
mod census;
mod client;
mod client_key;
mod client_sightings;
mod fix;
mod kept;
mod log;
mod log_time;
mod observed_time;
mod refused;
mod sampling;
mod seed;
mod sessions;
mod sighting_source;
mod verdict;

pub use census::{Census, CensusLimits, CensusReport};
pub use client::{Backend, Client, Doubt, SessionTls, Sighting};
pub use fix::{ClientChange, Driver, Fix};
pub use hostssl_pgwire::own_names::OWN_APPLICATION;
pub use kept::{DayCount, EarlierClient, EarlierFate, InvalidKeptCensus, KeptCensus, Restriction};
pub use log::{CONNECTION_PIECES, InvalidPrefix, LogEnd, LogReader, Prefix};
pub use log_time::{Millis, parse_timestamp};
pub use observed_time::{Coverage, Interval};
pub use refused::RefusedClient;
pub use sampling::{SampledSession, Sampling};
pub use sessions::SessionId;
pub use sighting_source::{Missing, MissingReason, Source, SourceKind};
pub use verdict::{CensusVerdict, Requirements};
