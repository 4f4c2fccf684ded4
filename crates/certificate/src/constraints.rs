//! Name constraints as OpenSSL keeps them (v3_ncons.c; check_name_constraints in x509_vfy.c).

use crate::certificate_names::common_names;
use crate::der::{self, Item};
use crate::distinguished_name::DistinguishedName;
use crate::general_name::{GeneralName, NameKind};
use crate::x509::Certificate;

/// The most comparisons of names with constraints that OpenSSL makes for one certificate; it refuses what needs more
/// (NAME_CHECK_MAX in v3_ncons.c).
const MOST_COMPARISONS: usize = 1 << 20;

/// Why a name is not allowed, or why that could not be decided.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Objection {
    /// An issuer's constraint forbids the name.
    Violation,
    /// OpenSSL refuses, or would look closer than this module does.
    Undecided,
}

/// The subtrees of one certificate.
#[derive(Debug)]
pub(crate) struct NameConstraints<'a> {
    permitted: Vec<GeneralName<'a>>,
    excluded: Vec<GeneralName<'a>>,
}

impl<'a> NameConstraints<'a> {
    /// `None` when they cannot be read. A subtree with a minimum or a maximum counts as such: OpenSSL refuses all but the
    /// minimum 0, which DER leaves out.
    pub(crate) fn read(value: &'a [u8]) -> Option<Self> {
        let mut found = Self { permitted: Vec::new(), excluded: Vec::new() };
        for Item { tag, value } in der::sequence(value)? {
            let subtrees = match tag {
                0xa0 => &mut found.permitted,
                0xa1 => &mut found.excluded,
                _ => return None,
            };
            for subtree in der::all(value)? {
                let fields = der::all(subtree.value).filter(|_| subtree.tag == der::SEQUENCE)?;
                let [base] = fields.as_slice() else { return None };
                subtrees.push(GeneralName::of(*base)?);
            }
        }
        Some(found)
    }

    /// Whether all names of `certificate` are allowed. The common names of a `leaf` without a DNS name among its alternative names
    /// count as DNS names if they look like some.
    pub(crate) fn check(&self, certificate: &Certificate<'_>, leaf: bool) -> Result<(), Objection> {
        let attributes = certificate.parsed.subject().iter_attributes().count();
        let names = attributes + certificate.alternative_names.len();
        if names.saturating_mul(self.all().count()) > MOST_COMPARISONS {
            return Err(Objection::Undecided);
        }
        self.check_subject(&certificate.subject)?;
        let has_address_in_subject = certificate.parsed.subject().iter_email().next().is_some();
        if has_address_in_subject && self.all().any(|base| base.kind == NameKind::Email) {
            return Err(Objection::Undecided);
        }
        for name in &certificate.alternative_names {
            self.check_name(*name)?;
        }
        if leaf && !certificate.alternative_names.iter().any(|name| name.kind == NameKind::Dns) {
            for name in common_names(certificate).ok_or(Objection::Undecided)? {
                match as_dns_name(&name) {
                    Ok(Some(name)) => self.check_name(GeneralName { kind: NameKind::Dns, value: name.as_bytes() })?,
                    Ok(None) => {}
                    Err(objection) => return Err(objection),
                }
            }
        }
        Ok(())
    }

    fn all(&self) -> impl Iterator<Item = &GeneralName<'a>> {
        self.permitted.iter().chain(&self.excluded)
    }

    fn check_subject(&self, subject: &DistinguishedName) -> Result<(), Objection> {
        if subject.is_empty() {
            return Ok(());
        }
        self.check_by(NameKind::Directory, |base| Ok(subject.is_below(&base.directory().ok_or(Objection::Undecided)?)))
    }

    fn check_name(&self, name: GeneralName<'_>) -> Result<(), Objection> {
        self.check_by(name.kind, |base| match name.kind {
            NameKind::Dns => Ok(dns_is_within(name.value, base.value)),
            NameKind::Address => address_is_within(name.value, base.value),
            NameKind::Uri => uri_is_within(name.value, base.value),
            NameKind::Directory => {
                let (name, base) = name.directory().zip(base.directory()).ok_or(Objection::Undecided)?;
                Ok(name.is_below(&base))
            }
            // Mail addresses have rules that differ between versions; OpenSSL refuses constraints of the other kinds.
            NameKind::Email | NameKind::Other | NameKind::Rare(_) => Err(Objection::Undecided),
        })
    }

    /// Of the permitted subtrees of the kind, if there are any, one must hold the name; none of the excluded may.
    fn check_by(
        &self,
        kind: NameKind,
        is_within: impl Fn(&GeneralName<'_>) -> Result<bool, Objection>,
    ) -> Result<(), Objection> {
        // An otherName may be an internationalised mail address, which constraints on mail addresses bind.
        if kind == NameKind::Other && self.all().any(|base| base.kind == NameKind::Email) {
            return Err(Objection::Undecided);
        }
        let mut permitted = None;
        for base in self.permitted.iter().filter(|base| base.kind == kind) {
            permitted = Some(permitted == Some(true) || is_within(base)?);
        }
        if permitted == Some(false) {
            return Err(Objection::Violation);
        }
        for base in self.excluded.iter().filter(|base| base.kind == kind) {
            if is_within(base)? {
                return Err(Objection::Violation);
            }
        }
        Ok(())
    }
}

/// nc_dns: labels may be added on the left.
fn dns_is_within(name: &[u8], base: &[u8]) -> bool {
    if base.is_empty() {
        return true;
    }
    let Some((head, tail)) = name.len().checked_sub(base.len()).and_then(|at| name.split_at_checked(at)) else {
        return false;
    };
    tail.eq_ignore_ascii_case(base) && (base.starts_with(b".") || head.last().is_none_or(|&byte| byte == b'.'))
}

/// nc_ip: the base is an address and a mask.
fn address_is_within(address: &[u8], base: &[u8]) -> Result<bool, Objection> {
    if !matches!(address.len(), 4 | 16) || !matches!(base.len(), 8 | 32) {
        return Err(Objection::Violation);
    }
    if address.len() * 2 != base.len() {
        return Ok(false);
    }
    let (net, mask) = base.split_at(address.len());
    Ok(address.iter().zip(net).zip(mask).all(|((address, net), mask)| address & mask == net & mask))
}

/// nc_uri: the host of the URI is the base, or lies below a base that begins with a dot.
fn uri_is_within(uri: &[u8], base: &[u8]) -> Result<bool, Objection> {
    let after_scheme = uri.iter().position(|&byte| byte == b':').and_then(|at| uri.get(at + 1..));
    let rest = after_scheme.and_then(|rest| rest.strip_prefix(b"//")).ok_or(Objection::Violation)?;
    // OpenSSL looks for a port first, and for the end of the host only then.
    let end = |byte| rest.iter().position(|&found| found == byte);
    let host = rest.get(..end(b':').or_else(|| end(b'/')).unwrap_or(rest.len())).unwrap_or_default();
    if host.is_empty() {
        return Err(Objection::Violation);
    }
    if base.starts_with(b".") {
        let tail = host.len().checked_sub(base.len()).filter(|&at| at > 0).and_then(|at| host.get(at..));
        return Ok(tail.is_some_and(|tail| tail.eq_ignore_ascii_case(base)));
    }
    Ok(host.eq_ignore_ascii_case(base))
}

/// A common name that could be a DNS name of two labels or more (cn2dnsid).
fn as_dns_name(name: &str) -> Result<Option<&str>, Objection> {
    let name = name.trim_end_matches('\0');
    if name.contains('\0') {
        return Err(Objection::Violation);
    }
    let bytes = name.as_bytes();
    let mut has_dot = false;
    for (at, &byte) in bytes.iter().enumerate() {
        if byte.is_ascii_alphanumeric() || byte == b'_' {
            continue;
        }
        let (Some(before), Some(after)) = (at.checked_sub(1).and_then(|at| bytes.get(at)), bytes.get(at + 1)) else {
            return Ok(None);
        };
        match byte {
            b'-' => {}
            b'.' if *after != b'.' && *after != b'-' && *before != b'-' => has_dot = true,
            _ => return Ok(None),
        }
    }
    Ok(has_dot.then_some(name))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dns_names() {
        for (name, base, within) in [
            ("db.example", "example", true),
            ("DB.Example", "eXample", true),
            ("example", "example", true),
            ("dbexample", "example", false),
            ("db.example", ".example", true),
            ("example", ".example", false),
            ("db.example", "", true),
            ("e", "example", false),
            ("*.example", "db.example", false),
        ] {
            assert_eq!(dns_is_within(name.as_bytes(), base.as_bytes()), within, "{name} {base}");
        }
    }

    #[test]
    fn addresses_and_uris() {
        let net = [192, 0, 2, 0, 255, 255, 255, 0];
        assert_eq!(address_is_within(&[192, 0, 2, 9], &net), Ok(true));
        assert_eq!(address_is_within(&[192, 0, 3, 9], &net), Ok(false));
        assert_eq!(address_is_within(&[0; 16], &net), Ok(false));
        assert!(address_is_within(&[1, 2, 3], &net).is_err() && address_is_within(&[0; 4], &[0; 9]).is_err());
        for (uri, base, within) in [
            ("http://a.example/x", "a.example", Ok(true)),
            ("http://a.example:80/x", ".example", Ok(true)),
            ("http://a.example", "example", Ok(false)),
            ("http://.example", ".example", Ok(false)),
            ("urn:x", "example", Err(Objection::Violation)),
            ("http:///x", "example", Err(Objection::Violation)),
        ] {
            assert_eq!(uri_is_within(uri.as_bytes(), base.as_bytes()), within, "{uri} {base}");
        }
    }

    #[test]
    fn common_names_that_look_like_hosts() {
        for (name, expected) in [
            ("db.example", Ok(Some("db.example"))),
            ("db_1.example\0", Ok(Some("db_1.example"))),
            ("db", Ok(None)),
            ("My Server", Ok(None)),
            ("*.example", Ok(None)),
            ("a..b", Ok(None)),
            ("a-.b", Ok(None)),
            (".a.b", Ok(None)),
            ("a\0b.example", Err(Objection::Violation)),
        ] {
            assert_eq!(as_dns_name(name), expected, "{name:?}");
        }
    }
}
