//! The first half of a SCRAM exchange, which shows the salt that a server has for a user (RFC 5802 section 5).
//!
//! It proves nothing about a password, and a client that leaves after it has not failed to log in: PostgreSQL takes the
//! end of the connection for a client that went to ask for one (auth_failed in auth.c, STATUS_EOF).

use crate::frame::frame;

/// The mechanism without channel binding. A server that offers any SCRAM offers it.
pub const SCRAM_SHA_256: &str = "SCRAM-SHA-256";

/// The longest salt that is taken, in base64. PostgreSQL's has 24 characters.
const MAX_SALT: usize = 1024;

/// What a server says of a user's secret before the client has proved anything.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ScramChallenge {
    /// The salt in base64, as it came.
    pub salt: String,
    /// How often the password is hashed.
    pub iterations: u32,
}

/// `SASLInitialResponse` for [`SCRAM_SHA_256`] by a client that cannot bind channels. `nonce` makes its own.
///
/// The name is left empty, as by libpq: PostgreSQL takes that of the startup.
#[must_use]
pub fn initial_response(nonce: [u8; 18]) -> Vec<u8> {
    let first = format!("n,,n=,r={}", nonce_text(nonce));
    let mut body = SCRAM_SHA_256.as_bytes().to_vec();
    body.push(0);
    body.extend(u32::try_from(first.len()).unwrap_or(u32::MAX).to_be_bytes());
    body.extend(first.as_bytes());
    frame(b'p', &body)
}

fn nonce_text(nonce: [u8; 18]) -> String {
    nonce.iter().map(|byte| format!("{byte:02x}")).collect()
}

impl ScramChallenge {
    /// Reads the server's first message, which answers that of `nonce`. `None` for anything else.
    #[must_use]
    pub fn decode(data: &[u8], nonce: [u8; 18]) -> Option<Self> {
        let text = std::str::from_utf8(data).ok()?;
        let mut parts = text.split(',');
        let theirs = parts.next()?.strip_prefix("r=")?;
        let salt = parts.next()?.strip_prefix("s=")?;
        let iterations = parts.next()?.strip_prefix("i=")?.parse().ok()?;
        let added = theirs.strip_prefix(nonce_text(nonce).as_str())?;
        let is_base64 = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'/' | b'=');
        let valid = !added.is_empty() && !salt.is_empty() && salt.len() <= MAX_SALT && salt.bytes().all(is_base64);
        valid.then(|| Self { salt: salt.to_owned(), iterations })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const NONCE: [u8; 18] = [0xab; 18];

    #[test]
    fn the_first_message_is_that_of_a_client_without_channel_binding() {
        let sent = initial_response(NONCE);
        let ours = "ab".repeat(18);
        assert_eq!(sent, format!("p\0\0\0\x42SCRAM-SHA-256\0\0\0\0\x2cn,,n=,r={ours}").into_bytes());
    }

    #[test]
    fn the_answer_has_a_salt() {
        let ours = "ab".repeat(18);
        let read = |text: &str| ScramChallenge::decode(text.as_bytes(), NONCE);
        let challenge = ScramChallenge { salt: "W22ZaJ0SNY7soEsUEjb6gQ==".into(), iterations: 4096 };
        assert_eq!(read(&format!("r={ours}xyz,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096")), Some(challenge));
        for other in [
            format!("r={ours},s=W22Z,i=4096"),
            "r=cdcdxyz,s=W22Z,i=4096".to_owned(),
            format!("r={ours}xyz,s=,i=4096"),
            format!("r={ours}xyz,s=W\u{1b}[31m,i=4096"),
            format!("r={ours}xyz,s=W22Z,i=-1"),
            format!("r={ours}xyz,s=W22Z"),
            format!("r={ours}xyz,s={},i=1", "A".repeat(2000)),
            "e=other-error".to_owned(),
        ] {
            assert_eq!(read(&other), None, "{other}");
        }
        assert_eq!(ScramChallenge::decode(b"\xff\xfe", NONCE), None);
    }

    proptest! {
        #[test]
        fn never_panics(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            let _ = ScramChallenge::decode(&bytes, NONCE);
        }
    }
}
