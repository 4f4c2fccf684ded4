//! Distinguished names as OpenSSL compares them (x509_name_canon in x_name.c): without regard to case, to the kind of string,
//! and to spaces beyond one.

use x509_parser::asn1_rs::{Any, Tag};
use x509_parser::x509::X509Name;

/// A name in its canonical form: one entry for each relative distinguished name.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct DistinguishedName(Vec<Vec<u8>>);

impl DistinguishedName {
    /// `None` when a string of the name cannot be read in its own encoding: OpenSSL cannot read such a certificate.
    pub(crate) fn of(name: &X509Name<'_>) -> Option<Self> {
        let mut entries = Vec::new();
        for set in name.iter_rdn() {
            let mut attributes = Vec::new();
            for attribute in set.iter() {
                let mut encoded = Vec::new();
                push(&mut encoded, attribute.attr_type().as_bytes());
                match text(attribute.attr_value())? {
                    Some(text) => push(&mut encoded, folded(&text).as_bytes()),
                    None => {
                        encoded.push(0xff);
                        encoded.extend(attribute.attr_value().tag().0.to_be_bytes());
                        push(&mut encoded, attribute.as_slice());
                    }
                }
                attributes.push(encoded);
            }
            // The order within a set means nothing.
            attributes.sort_unstable();
            entries.push(attributes.concat());
        }
        Some(Self(entries))
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether this name lies below `base`, or is it: what a name constraint asks (nc_dn in v3_ncons.c).
    pub(crate) fn is_below(&self, base: &Self) -> bool {
        self.0.starts_with(&base.0)
    }
}

/// Appends `bytes` with their length in front, so that no text can look like two.
fn push(out: &mut Vec<u8>, bytes: &[u8]) {
    out.push(0);
    out.extend(bytes.len().to_be_bytes());
    out.extend(bytes);
}

/// The text of an attribute in one of the string types that OpenSSL folds; `Some(None)` for any other type, which is compared
/// as it is.
pub(crate) fn text(value: &Any<'_>) -> Option<Option<String>> {
    let bytes = value.data;
    Some(Some(match value.tag() {
        Tag::Utf8String => std::str::from_utf8(bytes).ok()?.to_owned(),
        // OpenSSL reads all of these as Latin-1, whatever X.680 allows in them.
        Tag::PrintableString | Tag::Ia5String | Tag::T61String | Tag::VisibleString => {
            bytes.iter().map(|&byte| char::from(byte)).collect()
        }
        Tag::BmpString => {
            let (pairs, []) = bytes.as_chunks::<2>() else { return None };
            pairs.iter().map(|pair| char::from_u32(u16::from_be_bytes(*pair).into())).collect::<Option<String>>()?
        }
        Tag::UniversalString => {
            let (words, []) = bytes.as_chunks::<4>() else { return None };
            words.iter().map(|word| char::from_u32(u32::from_be_bytes(*word))).collect::<Option<String>>()?
        }
        _ => return Some(None),
    }))
}

/// Lower case, no space around, one space between (asn1_string_canon). Only ASCII counts.
fn folded(text: &str) -> String {
    let is_space = |c: char| c.is_ascii_whitespace() || c == '\u{b}';
    let words: Vec<_> = text.split(is_space).filter(|word| !word.is_empty()).collect();
    words.join(" ").to_ascii_lowercase()
}

#[cfg(test)]
mod tests {
    use super::*;
    use x509_parser::prelude::FromDer as _;

    /// A name of one common name, in a string type with so many bytes a character.
    fn name(tag: u8, bytes: &[u8]) -> Option<DistinguishedName> {
        let value = [&[tag, bytes.len() as u8][..], bytes].concat();
        let attribute = [&[6, 3, 0x55, 4, 3][..], &value].concat();
        let attribute = [&[0x30, attribute.len() as u8][..], &attribute].concat();
        let set = [&[0x31, attribute.len() as u8][..], &attribute].concat();
        let der = [&[0x30, set.len() as u8][..], &set].concat();
        DistinguishedName::of(&X509Name::from_der(&der).unwrap().1)
    }

    #[test]
    fn the_kind_of_string_case_and_spaces_do_not_count() {
        let utf8 = name(0x0c, b"My Root");
        assert!(utf8.is_some());
        for (tag, bytes) in [
            (0x13, &b" my  root "[..]),
            (0x16, b"MY\x0bROOT"),
            (0x14, b"my root"),
            (0x1a, b"my root"),
            (0x1e, b"\0M\0y\0 \0R\0o\0o\0t"),
            (0x1c, b"\0\0\0M\0\0\0y\0\0\0 \0\0\0R\0\0\0o\0\0\0o\0\0\0t"),
        ] {
            assert_eq!(name(tag, bytes), utf8, "{tag:#x}");
        }
        assert_ne!(name(0x12, b"My Root"), utf8, "a NumericString is compared as it is");
        assert_ne!(name(0x0c, b"My Roots"), utf8);
    }

    #[test]
    fn what_cannot_be_read() {
        assert_eq!(name(0x0c, b"\xff"), None);
        assert_eq!(name(0x1e, b"\0M\0"), None);
        assert_eq!(name(0x1e, b"\xd8\0"), None);
    }

    #[test]
    fn below() {
        let (root, empty) = (name(0x0c, b"root").unwrap(), DistinguishedName(Vec::new()));
        assert!(root.is_below(&empty) && root.is_below(&root) && !empty.is_below(&root));
    }
}
