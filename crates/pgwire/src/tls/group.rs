//! Groups for the key exchange.

use std::fmt;

/// A group by its number in IANA's registry "TLS Supported Groups".
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct NamedGroup(pub u16);

impl NamedGroup {
    /// P-256, the only curve that PostgreSQL up to 17 offers unless told otherwise (`ssl_ecdh_curve`).
    pub const SECP256R1: Self = Self(23);
    /// X25519, which PostgreSQL 18 prefers.
    pub const X25519: Self = Self(29);
    /// P-384.
    pub const SECP384R1: Self = Self(24);

    /// All groups that this crate can name, P-256 first: a server that knows no other then needs no second round.
    pub fn all() -> impl Iterator<Item = Self> {
        NAMES.iter().map(|&(code, _)| Self(code))
    }

    /// The groups that can be negotiated in `version`.
    pub fn of_version(version: super::ProtocolVersion) -> impl Iterator<Item = Self> {
        let tls13 = version == super::ProtocolVersion::Tls13;
        Self::all().filter(move |group| match group.0 {
            19 | 21 | 22 | 26..=28 => !tls13,
            23..=25 | 29 | 30 => true,
            256..=260 | 31..=33 | 0x0200..=0x0202 | 0x11eb..=0x11ed => tls13,
            _ => false,
        })
    }

    /// Whether the key exchange holds ML-KEM (FIPS 203), alone or beside a curve: recorded traffic then stays secret from who
    /// has a quantum computer later.
    #[must_use]
    pub fn is_post_quantum(self) -> bool {
        matches!(self.0, 0x11eb..=0x11ed | 0x0200..=0x0202)
    }

    /// The IANA name, if this crate knows it.
    #[must_use]
    pub fn name(self) -> Option<&'static str> {
        NAMES.iter().find(|&&(code, _)| code == self.0).map(|&(_, name)| name)
    }
}

impl fmt::Display for NamedGroup {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.name() {
            Some(name) => f.write_str(name),
            None => write!(f, "0x{:04x}", self.0),
        }
    }
}

const NAMES: &[(u16, &str)] = &[
    (23, "secp256r1"),
    (29, "x25519"),
    (24, "secp384r1"),
    (25, "secp521r1"),
    (30, "x448"),
    (0x11ec, "X25519MLKEM768"),
    (0x11eb, "SecP256r1MLKEM768"),
    (0x11ed, "SecP384r1MLKEM1024"),
    (0x0200, "MLKEM512"),
    (0x0201, "MLKEM768"),
    (0x0202, "MLKEM1024"),
    (256, "ffdhe2048"),
    (257, "ffdhe3072"),
    (258, "ffdhe4096"),
    (259, "ffdhe6144"),
    (260, "ffdhe8192"),
    (31, "brainpoolP256r1tls13"),
    (32, "brainpoolP384r1tls13"),
    (33, "brainpoolP512r1tls13"),
    (26, "brainpoolP256r1"),
    (27, "brainpoolP384r1"),
    (28, "brainpoolP512r1"),
    (22, "secp256k1"),
    (21, "secp224r1"),
    (19, "secp192r1"),
];

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tls::ProtocolVersion;

    #[test]
    fn p_256_comes_first_in_every_version() {
        for version in ProtocolVersion::ALL {
            assert_eq!(NamedGroup::of_version(version).next(), Some(NamedGroup::SECP256R1));
        }
        assert_eq!(NamedGroup(0x9999).to_string(), "0x9999");
        assert!(NamedGroup::of_version(ProtocolVersion::Tls12).all(|group| group.0 < 256));
    }
}
