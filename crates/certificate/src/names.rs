//! The names in a certificate.

use x509_parser::prelude::FromDer as _;
use x509_parser::x509::X509Name;

use crate::der;
use crate::distinguished_name::{self, DistinguishedName};
use crate::name::CertificateName;
use crate::x509::Certificate;

/// A GeneralName (RFC 5280, section 4.2.1.6).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct GeneralName<'a> {
    pub(crate) kind: NameKind,
    pub(crate) value: &'a [u8],
}

/// The kinds of general names that are told apart here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum NameKind {
    Other,
    Email,
    Dns,
    Directory,
    Uri,
    Address,
    /// X.400 addresses, EDI party names and registered identifiers.
    Rare(u8),
}

impl<'a> GeneralName<'a> {
    pub(crate) fn of(item: der::Item<'a>) -> Option<Self> {
        // The class is context-specific; the kinds that are structures have the bit for it.
        let kind = match item.tag {
            0xa0 => NameKind::Other,
            0x81 => NameKind::Email,
            0x82 => NameKind::Dns,
            0xa4 => NameKind::Directory,
            0x86 => NameKind::Uri,
            0x87 => NameKind::Address,
            tag @ (0xa3 | 0xa5 | 0x88) => NameKind::Rare(tag),
            _ => return None,
        };
        Some(Self { kind, value: item.value })
    }

    /// The name of a directory name.
    pub(crate) fn directory(&self) -> Option<DistinguishedName> {
        let (rest, name) = X509Name::from_der(self.value).ok()?;
        DistinguishedName::of(&name).filter(|_| rest.is_empty())
    }
}

/// The names in the contents of a subject alternative name.
pub(crate) fn general_names(value: &[u8]) -> Option<Vec<GeneralName<'_>>> {
    der::sequence(value)?.into_iter().map(GeneralName::of).collect()
}

/// The alternative names that libpq looks at. None when the extension cannot be read, as in libpq.
pub(crate) fn alternative_names(certificate: &Certificate<'_>) -> Vec<CertificateName> {
    let looked_at = |name: &GeneralName<'_>| match name.kind {
        NameKind::Dns => Some(CertificateName::Dns(name.value.to_vec())),
        NameKind::Address => Some(CertificateName::Ip(name.value.to_vec())),
        _ => None,
    };
    certificate.alternative_names.iter().filter_map(looked_at).collect()
}

/// The common name that libpq looks at: the first (X509_NAME_get_index_by_NID), in the bytes of its own encoding.
pub(crate) fn first_common_name(certificate: &Certificate<'_>) -> Option<Vec<u8>> {
    certificate.parsed.subject().iter_common_name().next().map(|name| name.as_slice().to_vec())
}

/// All common names as text, for name constraints. `None` when one cannot be read.
pub(crate) fn common_names(certificate: &Certificate<'_>) -> Option<Vec<String>> {
    let text = |value| Some(distinguished_name::text(value)?.unwrap_or_default());
    certificate.parsed.subject().iter_common_name().map(|name| text(name.attr_value())).collect()
}
