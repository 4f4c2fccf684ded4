//! Clients that speak nothing newer than TLS 1.1.
//!
//! rustls has no such versions. A server that takes them answers here with the first flight of a handshake, which is as far
//! as anyone needs who asks what is accepted; the handshake itself cannot be completed, and a real client of that age
//! ends with an error of its own.

use std::io;

use tokio::io::{AsyncRead, AsyncReadExt as _};

use super::policy::{TLS10, TLS12, Version};

/// The most bytes of a record's payload (RFC 8446 section 5.1), some more for what is compressed.
const MAX_RECORD: usize = 18 << 10;
/// TLS_RSA_WITH_AES_128_CBC_SHA, which every client of that age offers.
const SUITE: [u8; 2] = [0x00, 0x2f];
/// The extension `supported_versions` (RFC 8446 section 4.2.1), which only newer clients send.
const SUPPORTED_VERSIONS: u16 = 43;

/// Reads one TLS record, of which `head` is known already.
pub(super) async fn read_record<S: AsyncRead + Unpin>(stream: &mut S, head: &[u8]) -> io::Result<Vec<u8>> {
    let mut record = head.to_vec();
    record.resize(5, 0);
    if let Some(rest) = record.get_mut(head.len()..) {
        stream.read_exact(rest).await?;
    }
    let length = record.iter().skip(3).fold(0, |length: usize, byte| length << 8 | usize::from(*byte));
    if length > MAX_RECORD {
        return Err(io::ErrorKind::InvalidData.into());
    }
    record.resize(5 + length, 0);
    if let Some(payload) = record.get_mut(5..) {
        stream.read_exact(payload).await?;
    }
    Ok(record)
}

/// The version that a ClientHello offers when that is below TLS 1.2; `None` for a newer one, and for what is no ClientHello.
pub(super) fn offered(record: &[u8]) -> Option<Version> {
    let hello = Hello::read(record)?;
    (hello.version < TLS12 && !hello.names_versions).then_some(hello.version)
}

struct Hello {
    version: Version,
    names_versions: bool,
}

impl Hello {
    /// Reads what is needed of a ClientHello (RFC 5246 section 7.4.1.2).
    fn read(record: &[u8]) -> Option<Self> {
        // Type and length of the message, then version, random, session id, suites and compression methods.
        let body = record.get(5..)?.strip_prefix(&[1])?.get(3..)?;
        let (version, rest) = body.split_first_chunk::<2>()?;
        let rest = skip(rest.get(32..)?, 1)?;
        let rest = skip(skip(rest, 2)?, 1)?;
        let mut hello = Self { version: u16::from_be_bytes(*version), names_versions: false };
        let mut extensions = rest.get(2..).unwrap_or_default();
        while let Some((kind, rest)) = extensions.split_first_chunk::<2>() {
            hello.names_versions |= u16::from_be_bytes(*kind) == SUPPORTED_VERSIONS;
            extensions = skip(rest, 2)?;
        }
        Some(hello)
    }
}

/// What follows a vector whose length stands in so many bytes.
fn skip(bytes: &[u8], width: usize) -> Option<&[u8]> {
    let (length, rest) = bytes.split_at_checked(width)?;
    rest.get(length.iter().fold(0, |length: usize, byte| length << 8 | usize::from(*byte))..)
}

/// The first flight of a server that takes `version`, or the alert of one that does not.
pub(super) fn answer(version: Version, floor: Version, chain: &[Vec<u8>]) -> Vec<u8> {
    if version < floor.max(TLS10) {
        // Fatal, protocol_version.
        return record(21, version.max(TLS10), &[2, 70]);
    }
    let mut hello = version.to_be_bytes().to_vec();
    // What is random elsewhere: nothing is ever derived from it, as the handshake goes no further.
    hello.extend([0x55; 32]);
    hello.push(0);
    hello.extend(SUITE);
    hello.push(0);
    let certificates: Vec<u8> = chain.iter().flat_map(|der| [&length24(der.len())[..], der].concat()).collect();
    let list = [&length24(certificates.len())[..], &certificates].concat();
    let flight = [message(2, &hello), message(11, &list), message(14, &[])].concat();
    record(22, version, &flight)
}

fn message(kind: u8, body: &[u8]) -> Vec<u8> {
    [&[kind], &length24(body.len())[..], body].concat()
}

fn record(kind: u8, version: Version, payload: &[u8]) -> Vec<u8> {
    let length = u16::try_from(payload.len()).unwrap_or(u16::MAX);
    [&[kind], &version.to_be_bytes()[..], &length.to_be_bytes(), payload].concat()
}

fn length24(length: usize) -> [u8; 3] {
    let [_, bytes @ ..] = u32::try_from(length).unwrap_or(u32::MAX).to_be_bytes();
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hello(version: Version, extensions: &[u8]) -> Vec<u8> {
        let mut body = version.to_be_bytes().to_vec();
        body.extend([7; 32]);
        body.extend([0, 0, 2, 0, 0x2f, 1, 0]);
        body.extend(u16::try_from(extensions.len()).unwrap().to_be_bytes());
        body.extend(extensions);
        record(22, TLS10, &message(1, &body))
    }

    #[test]
    fn only_old_hellos_are_old() {
        assert_eq!(offered(&hello(TLS10, &[])), Some(TLS10));
        assert_eq!(offered(&hello(TLS10 + 1, &[0, 0, 0, 0])), Some(TLS10 + 1));
        assert_eq!(offered(&hello(TLS12, &[])), None);
        assert_eq!(offered(&hello(TLS10, &[0, 43, 0, 0])), None);
        let whole = hello(TLS10, &[]);
        for end in 0..whole.len() - 2 {
            // Cut short, it is not a hello; nothing panics.
            assert_eq!(offered(&whole[..end]), None, "{end}");
        }
    }

    #[test]
    fn below_the_floor_there_is_an_alert() {
        assert_eq!(answer(TLS10, TLS12, &[]), [21, 3, 1, 0, 2, 2, 70]);
        let flight = answer(TLS10 + 1, TLS10, &[vec![1, 2, 3]]);
        assert_eq!(flight[..3], [22, 3, 2]);
        assert!(flight.ends_with(&[14, 0, 0, 0]));
    }
}
