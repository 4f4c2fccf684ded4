//! A name in a certificate, as its alternative names and name constraints have it.

use x509_parser::prelude::FromDer as _;
use x509_parser::x509::X509Name;

use crate::der;
use crate::distinguished_name::DistinguishedName;

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
