//! TLS as far as it is in plaintext: an encoder for ClientHello, decoders for records and for a server's first flight.
//!
//! It needs no cryptography, so it can ask about versions, suites and groups that no maintained TLS library will still
//! negotiate: SSL 3.0, TLS 1.0 and 1.1, export suites.

mod client_hello;
mod group;
mod record;
mod server_flight;
mod suite;
mod version;

pub use client_hello::{ClientHello, KeyShare};
pub use group::NamedGroup;
pub use record::{ContentType, MAX_RECORD_LENGTH, TlsRecord};
pub use server_flight::{Alert, MAX_FLIGHT, ServerFlight, ServerHello};
pub use suite::{CipherSuite, SuiteWeakness};
pub use version::ProtocolVersion;
