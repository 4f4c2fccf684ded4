//! The bytes of PostgreSQL startup and of TLS negotiation.
//!
//! This crate encodes what a client says before it has authenticated (`SSLRequest`, `GSSENCRequest`, `CancelRequest`,
//! `StartupMessage`, a TLS ClientHello) and decodes what a server answers (the one-byte replies, authentication
//! requests, errors in both protocol versions, the clear part of a TLS server flight). It does no I/O, knows no clock
//! and no cryptography.
//!
//! Every byte it decodes may come from a hostile peer. A decoder returns `Ok(Some(..))` for a complete message,
//! `Ok(None)` when more bytes are needed, and an error when no number of further bytes can make sense of the input.
//! None of them panics and each has a cap on what it asks for.
//!
//! Sources: the PostgreSQL documentation, "Frontend/Backend Protocol"; the PostgreSQL sources named at each item; RFC
//! 5246, RFC 8446 and RFC 8422 for TLS.

pub mod backend;
mod cursor;
pub mod error_response;
mod frame;
pub mod frontend;
pub mod negotiation;
pub mod own_names;
pub mod scram;
pub mod text;
pub mod tls;

/// Why bytes from a peer cannot be what they should be. In every case it is the peer that breaks the protocol.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum DecodeError {
    /// The first byte is none that this place of the protocol allows.
    #[error("unexpected first byte 0x{0:02x}")]
    UnexpectedByte(u8),
    /// A length field lies outside what the protocol, or libpq, allows.
    #[error("{what} has length {length}, outside {min} to {max}")]
    Length {
        /// The structure whose length it is.
        what: &'static str,
        /// The length found.
        length: usize,
        /// The smallest length allowed.
        min: usize,
        /// The largest length allowed.
        max: usize,
    },
    /// A structure ends before its parts do, or has bytes left over.
    #[error("{0} is malformed")]
    Malformed(&'static str),
}

/// Why a message cannot be encoded. In every case it is the caller who asks for what the protocol has no bytes for.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum EncodeError {
    /// A name or value holds a NUL, which ends a string in this protocol.
    #[error("{0} contains a NUL byte")]
    Nul(&'static str),
    /// The message would be longer than the receiver accepts.
    #[error("{what} would be longer than {max} bytes")]
    TooLong {
        /// The message.
        what: &'static str,
        /// The most bytes that the receiver accepts.
        max: usize,
    },
}
