//! Whether a certificate names a host, as libpq judges it with `sslmode=verify-full`.
//!
//! The rules are those of PostgreSQL 15 and later (fe-secure-common.c: pq_verify_peer_name_matches_certificate_name and
//! pq_verify_peer_name_matches_certificate_ip; fe-secure-openssl.c: pgtls_verify_peer_name_matches_certificate_guts).
//! They are laxer than RFC 9525 in two ways that users meet: the common name still counts when no name of the host's
//! kind is among the alternative names, and a wildcard may stand before a top-level domain.

use std::net::{IpAddr, Ipv4Addr};

/// A name in a certificate.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CertificateName {
    /// A dNSName.
    Dns(Vec<u8>),
    /// An iPAddress: 4 or 16 bytes in an honest certificate.
    Ip(Vec<u8>),
}

/// How the names of a certificate fit a host.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NameMatch {
    /// An alternative name fits.
    AlternativeName,
    /// The common name fits, and libpq looks at it because no alternative name has the host's kind.
    CommonName,
    /// None fits.
    None,
    /// A name is malformed, and libpq stops there.
    Malformed(&'static str),
}

impl NameMatch {
    /// Whether libpq connects.
    #[must_use]
    pub fn is_match(&self) -> bool {
        matches!(self, Self::AlternativeName | Self::CommonName)
    }
}

/// Walks the names as libpq does: the first match or error ends the walk.
#[must_use]
pub fn match_host(host: &str, alternative: &[CertificateName], common_name: Option<&[u8]>) -> NameMatch {
    let address = libpq_address(host);
    let mut common_name_counts = true;
    for name in alternative {
        let same_kind = match name {
            CertificateName::Dns(_) => address.is_none(),
            CertificateName::Ip(_) => address.is_some(),
        };
        common_name_counts &= !same_kind;
        let fits = match name {
            CertificateName::Dns(name) => matches_text(name, host),
            CertificateName::Ip(bytes) => matches_address(bytes, address),
        };
        match fits {
            Ok(true) => return NameMatch::AlternativeName,
            Ok(false) => {}
            Err(fault) => return NameMatch::Malformed(fault),
        }
    }
    match common_name.filter(|_| common_name_counts).map(|name| matches_text(name, host)) {
        Some(Ok(true)) => NameMatch::CommonName,
        Some(Err(fault)) => NameMatch::Malformed(fault),
        Some(Ok(false)) | None => NameMatch::None,
    }
}

fn matches_address(bytes: &[u8], host: Option<IpAddr>) -> Result<bool, &'static str> {
    match (bytes.len(), host) {
        (4, Some(IpAddr::V4(address))) => Ok(address.octets() == *bytes),
        (16, Some(IpAddr::V6(address))) => Ok(address.octets() == *bytes),
        (4 | 16, _) => Ok(false),
        _ => Err("an address in the certificate has neither 4 nor 16 bytes"),
    }
}

fn matches_text(name: &[u8], host: &str) -> Result<bool, &'static str> {
    if name.contains(&0) {
        return Err("a name in the certificate contains a NUL");
    }
    Ok(name.eq_ignore_ascii_case(host.as_bytes()) || matches_wildcard(name, host.as_bytes()))
}

/// wildcard_certificate_match: `*.` at the start stands for exactly one label; the number of labels after it is free.
fn matches_wildcard(pattern: &[u8], host: &[u8]) -> bool {
    let Some(suffix) = pattern.strip_prefix(b"*").filter(|suffix| suffix.len() > 1 && suffix.starts_with(b".")) else {
        return false;
    };
    let Some((label, tail)) = host.split_at_checked(host.len().saturating_sub(suffix.len())) else {
        return false;
    };
    !label.is_empty() && !label.contains(&b'.') && tail.eq_ignore_ascii_case(suffix)
}

/// The host as an address, in every form that libpq takes for one: inet_aton (IPv4 with one to four parts, decimal,
/// octal or hexadecimal) or inet_pton (IPv6).
#[must_use]
pub fn libpq_address(host: &str) -> Option<IpAddr> {
    if let Ok(address) = host.parse() {
        return Some(IpAddr::V6(address));
    }
    let mut parts = Vec::with_capacity(4);
    for part in host.split('.') {
        if parts.len() == 4 {
            return None;
        }
        parts.push(c_number(part)?);
    }
    let (last, head) = parts.split_last()?;
    let mut value: u32 = 0;
    for part in head {
        value = value << 8 | u32::from(u8::try_from(*part).ok()?);
    }
    let free = 32 - 8 * u32::try_from(head.len()).ok()?;
    if u64::from(*last) >= 1 << free {
        return None;
    }
    // With no part before the last, the shift would be by the whole width.
    let value = value.checked_shl(free).unwrap_or(0) | *last;
    Some(IpAddr::V4(Ipv4Addr::from(value)))
}

fn c_number(text: &str) -> Option<u32> {
    let (digits, radix) = match text.strip_prefix("0x").or_else(|| text.strip_prefix("0X")) {
        Some(digits) => (digits, 16),
        None if text.len() > 1 && text.starts_with('0') => (text, 8),
        None => (text, 10),
    };
    if digits.starts_with('+') {
        return None;
    }
    u32::from_str_radix(digits, radix).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn dns(names: &[&str]) -> Vec<CertificateName> {
        names.iter().map(|name| CertificateName::Dns(name.as_bytes().to_vec())).collect()
    }

    fn ip(text: &str) -> CertificateName {
        CertificateName::Ip(match text.parse().unwrap() {
            IpAddr::V4(address) => address.octets().to_vec(),
            IpAddr::V6(address) => address.octets().to_vec(),
        })
    }

    #[test]
    fn host_names() {
        for (pattern, host, fits) in [
            ("db.example", "db.example", true),
            ("DB.Example", "db.eXample", true),
            ("db.example", "db.example.", false),
            ("*.example", "db.example", true),
            ("*.example", "a.b.example", false),
            ("*.example", ".example", false),
            ("*.example", "example", false),
            ("*.com", "example.com", true),
            ("w*.example", "www.example", false),
            ("a.*.example", "a.b.example", false),
            ("*.*.example", "a.b.example", false),
            ("*", "db", false),
            ("*.", "db.", false),
        ] {
            let found = match_host(host, &dns(&[pattern]), None).is_match();
            assert_eq!(found, fits, "{pattern} {host}");
        }
    }

    #[test]
    fn the_common_name_counts_only_without_a_name_of_the_hosts_kind() {
        let cn = Some(&b"db.example"[..]);
        assert_eq!(match_host("db.example", &[], cn), NameMatch::CommonName);
        assert_eq!(match_host("db.example", &[ip("192.0.2.1")], cn), NameMatch::CommonName);
        assert_eq!(match_host("db.example", &dns(&["other.example"]), cn), NameMatch::None);
        let cn = Some(&b"192.0.2.1"[..]);
        assert_eq!(match_host("192.0.2.1", &dns(&["db.example"]), cn), NameMatch::CommonName);
        assert_eq!(match_host("192.0.2.1", &[ip("192.0.2.2")], cn), NameMatch::None);
    }

    #[test]
    fn addresses() {
        let v4 = [ip("192.0.2.1")];
        let v6 = [ip("2001:db8::1")];
        assert_eq!(match_host("192.0.2.1", &v4, None), NameMatch::AlternativeName);
        assert_eq!(match_host("2001:db8:0::1", &v6, None), NameMatch::AlternativeName);
        assert_eq!(match_host("192.0.2.2", &v4, None), NameMatch::None);
        // A dNSName is compared with an address too, as text.
        assert_eq!(match_host("192.0.2.1", &dns(&["192.0.2.1"]), None), NameMatch::AlternativeName);
    }

    #[test]
    fn malformed_names_end_the_walk() {
        let nul = CertificateName::Dns(b"db.example\0.evil".to_vec());
        let good = dns(&["db.example"]).remove(0);
        assert!(matches!(match_host("db.example", &[nul.clone(), good.clone()], None), NameMatch::Malformed(_)));
        assert_eq!(match_host("db.example", &[good, nul], None), NameMatch::AlternativeName);
        let short = CertificateName::Ip(vec![1, 2, 3]);
        assert!(matches!(match_host("192.0.2.1", &[short], None), NameMatch::Malformed(_)));
    }

    #[test]
    fn what_libpq_takes_for_an_address() {
        for (text, expected) in [
            ("127.0.0.1", Some("127.0.0.1")),
            ("127.1", Some("127.0.0.1")),
            ("2130706433", Some("127.0.0.1")),
            ("0x7f.0.0.1", Some("127.0.0.1")),
            ("0177.1", Some("127.0.0.1")),
            ("1.2.3", Some("1.2.0.3")),
            ("4294967295", Some("255.255.255.255")),
            ("::1", Some("::1")),
            ("256.1", None),
            ("1.16777216", None),
            ("4294967296", None),
            ("1.2.3.4.5", None),
            ("09.1", None),
            ("+1", None),
            ("", None),
            ("1.", None),
            ("db.example", None),
        ] {
            assert_eq!(libpq_address(text), expected.map(|text| text.parse().unwrap()), "{text}");
        }
    }

    proptest! {
        #[test]
        fn never_panics(host in "\\PC{0,30}", name in proptest::collection::vec(any::<u8>(), 0..30)) {
            let names = [CertificateName::Dns(name.clone()), CertificateName::Ip(name.clone())];
            let _ = match_host(&host, &names, Some(&name));
        }

        #[test]
        fn usual_addresses_agree(bytes in any::<[u8; 4]>()) {
            let address = IpAddr::from(bytes);
            prop_assert_eq!(libpq_address(&address.to_string()), Some(address));
        }
    }
}
