//! Private keys in a file of roots. OpenSSL reads them, though no one asked for them, and refuses the file where it cannot.

use crate::der::{self, Item, SEQUENCE};

const INTEGER: u8 = 2;
const OCTET_STRING: u8 = 4;
const OBJECT_IDENTIFIER: u8 = 6;
/// The parameters of an EC key (RFC 5915).
const PARAMETERS: u8 = 0xa0;

/// What a key is for, as far as it is known here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum KeyType {
    Rsa,
    Dsa,
    Ec,
    /// A key that is a string of that many bytes (RFC 8410).
    Bytes(usize),
}

/// Whether sections of this label hold a private key for OpenSSL. An encrypted one of PKCS #8 it does not look into.
pub(super) fn is_key_label(label: &[u8]) -> bool {
    label.ends_with(b"PRIVATE KEY") && label != b"ENCRYPTED PRIVATE KEY"
}

/// Whether OpenSSL can read the key of a section. Types that are rare are taken for ones that it cannot.
pub(super) fn is_readable(label: &[u8], header: &[u8], der: &[u8]) -> bool {
    if !header.is_empty() {
        return header.starts_with(b"Proc-Type: 4,ENCRYPTED\nDEK-Info: ");
    }
    let found = key_type(der);
    match label {
        b"RSA PRIVATE KEY" => found == Some(KeyType::Rsa),
        b"DSA PRIVATE KEY" => found == Some(KeyType::Dsa),
        b"EC PRIVATE KEY" => found == Some(KeyType::Ec),
        _ => found.is_some(),
    }
}

fn key_type(der: &[u8]) -> Option<KeyType> {
    let items = first_sequence(der)?;
    let [Item { tag: INTEGER, .. }, algorithm @ Item { tag: SEQUENCE, .. }, key @ Item { tag: OCTET_STRING, .. }, ..] =
        items.as_slice()
    else {
        return plain_key_type(&items);
    };
    // PKCS #8 (RFC 5958).
    let algorithm = der::all(algorithm.value)?;
    match (algorithm.first()?.value, algorithm.get(1)) {
        // rsaEncryption
        (b"\x2a\x86\x48\x86\xf7\x0d\x01\x01\x01", Some(Item { tag: 5, .. })) => {
            plain_key_type(&first_sequence(key.value)?).filter(|found| *found == KeyType::Rsa)
        }
        // id-ecPublicKey
        (b"\x2a\x86\x48\xce\x3d\x02\x01", Some(curve)) if is_known_curve(curve) => {
            let tags: Vec<u8> = first_sequence(key.value)?.iter().map(|item| item.tag).collect();
            tags.starts_with(&[INTEGER, OCTET_STRING]).then_some(KeyType::Ec)
        }
        // X25519, X448, Ed25519, Ed448
        ([0x2b, 0x65, curve @ 0x6e..=0x71], None) => {
            let length = [32, 56, 32, 57].get(usize::from(curve - 0x6e)).copied()?;
            match der::first(key.value)? {
                (Item { tag: OCTET_STRING, value }, []) if value.len() == length => Some(KeyType::Bytes(length)),
                _ => None,
            }
        }
        _ => None,
    }
}

/// The type of a key in a form of its own (RFC 8017, appendix A.1.2; RFC 5915; OpenSSL's own for DSA).
fn plain_key_type(items: &[Item<'_>]) -> Option<KeyType> {
    let integers = items.iter().take_while(|item| item.tag == INTEGER && !item.value.is_empty()).count();
    match items {
        [Item { tag: INTEGER, .. }, Item { tag: OCTET_STRING, .. }, Item { tag: PARAMETERS, value }, ..] => {
            der::first(value).is_some_and(|(curve, _)| is_known_curve(&curve)).then_some(KeyType::Ec)
        }
        _ if integers != items.len() => None,
        _ => [(9, KeyType::Rsa), (6, KeyType::Dsa)].into_iter().find(|(count, _)| *count == integers).map(|of| of.1),
    }
}

/// P-256, P-384 and P-521.
fn is_known_curve(curve: &Item<'_>) -> bool {
    curve.tag == OBJECT_IDENTIFIER
        && matches!(curve.value, b"\x2a\x86\x48\xce\x3d\x03\x01\x07" | [0x2b, 0x81, 0x04, 0x00, 0x22 | 0x23])
}

fn first_sequence(der: &[u8]) -> Option<Vec<Item<'_>>> {
    let (item, _) = der::first(der)?;
    if item.tag == SEQUENCE { der::all(item.value) } else { None }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// One element.
    fn item(tag: u8, parts: &[&[u8]]) -> Vec<u8> {
        let value = parts.concat();
        [&[tag, u8::try_from(value.len()).unwrap()], value.as_slice()].concat()
    }

    #[test]
    fn keys_by_label() {
        let one: &[u8] = &[2, 1, 1];
        let curve = item(OBJECT_IDENTIFIER, &[b"\x2a\x86\x48\xce\x3d\x03\x01\x07"]);
        let bytes = item(OCTET_STRING, &[&[7; 32]]);
        let rsa = item(SEQUENCE, &[one; 9]);
        let dsa = item(SEQUENCE, &[one; 6]);
        let ec = item(SEQUENCE, &[one, &bytes, &item(PARAMETERS, &[&curve])]);
        let ed25519 = item(SEQUENCE, &[one, &item(SEQUENCE, &[&[6, 3, 0x2b, 0x65, 0x70]]), &item(4, &[&bytes])]);
        let rsa_in_8 = item(
            SEQUENCE,
            &[one, &item(SEQUENCE, &[b"\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x01\x01\x05\x00"]), &item(4, &[&rsa])],
        );
        for (der, labels) in [
            (rsa, ["RSA PRIVATE KEY", "PRIVATE KEY"].as_slice()),
            (rsa_in_8, &["RSA PRIVATE KEY", "PRIVATE KEY"]),
            (dsa, &["DSA PRIVATE KEY", "PRIVATE KEY"]),
            (ec, &["EC PRIVATE KEY", "PRIVATE KEY"]),
            (ed25519, &["PRIVATE KEY"]),
            (item(SEQUENCE, &[one; 7]), &[]),
            (bytes, &[]),
        ] {
            for label in ["RSA PRIVATE KEY", "DSA PRIVATE KEY", "EC PRIVATE KEY", "PRIVATE KEY"] {
                assert_eq!(is_readable(label.as_bytes(), b"", &der), labels.contains(&label), "{label} {der:?}");
            }
        }
        assert!(is_readable(b"EC PRIVATE KEY", b"Proc-Type: 4,ENCRYPTED\nDEK-Info: AES-128-CBC,00\n", b"?"));
        assert!(!is_readable(b"EC PRIVATE KEY", b"a: b\n", b"?"));
        assert!(is_key_label(b"FOO PRIVATE KEY") && !is_key_label(b"ENCRYPTED PRIVATE KEY"));
    }
}
