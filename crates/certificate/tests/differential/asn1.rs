//! Writes certificates in DER, wrong ones included: no library for certificates would.

/// One element.
pub(crate) fn tlv(tag: u8, value: &[u8]) -> Vec<u8> {
    let mut out = vec![tag];
    match value.len() {
        short @ 0..0x80 => out.push(short as u8),
        middle @ 0x80..0x100 => out.extend([0x81, middle as u8]),
        long => out.extend([0x82, (long >> 8) as u8, long as u8]),
    }
    out.extend(value);
    out
}

/// Whether bytes follow the element.
pub(crate) fn has_trailing(der: &[u8]) -> bool {
    let (head, length) = match der[1] {
        0x81 => (3, usize::from(der[2])),
        0x82 => (4, usize::from(der[2]) << 8 | usize::from(der[3])),
        short => (2, usize::from(short)),
    };
    der.len() > head + length
}

pub(crate) fn sequence(parts: &[Vec<u8>]) -> Vec<u8> {
    tlv(0x30, &parts.concat())
}

/// An object identifier from its dotted form.
pub(crate) fn oid(dotted: &str) -> Vec<u8> {
    let arcs: Vec<u64> = dotted.split('.').map(|arc| arc.parse().unwrap()).collect();
    let mut value = Vec::new();
    for arc in std::iter::once(arcs[0] * 40 + arcs[1]).chain(arcs[2..].iter().copied()) {
        let mut septets = vec![(arc & 0x7f) as u8];
        let mut rest = arc >> 7;
        while rest > 0 {
            septets.push((rest & 0x7f) as u8 | 0x80);
            rest >>= 7;
        }
        value.extend(septets.iter().rev());
    }
    tlv(6, &value)
}

pub(crate) fn boolean(value: bool) -> Vec<u8> {
    tlv(1, &[if value { 0xff } else { 0 }])
}

pub(crate) fn integer(value: u64) -> Vec<u8> {
    let bytes = value.to_be_bytes();
    let spare = bytes.iter().take_while(|&&byte| byte == 0).count().min(7);
    let mut digits = bytes[spare..].to_vec();
    if digits[0] >= 0x80 {
        digits.insert(0, 0);
    }
    tlv(2, &digits)
}

pub(crate) fn bit_string(bytes: &[u8]) -> Vec<u8> {
    tlv(3, &[&[0], bytes].concat())
}

/// An extension.
pub(crate) fn extension(dotted: &str, critical: bool, value: &[u8]) -> Vec<u8> {
    let mut parts = vec![oid(dotted)];
    if critical {
        parts.push(boolean(true));
    }
    parts.push(tlv(4, value));
    sequence(&parts)
}

/// A name of one common name, in one of the string types.
pub(crate) fn name(text: &str, string_type: u8) -> Vec<u8> {
    let bytes: Vec<u8> = match string_type {
        0x1e => text.encode_utf16().flat_map(u16::to_be_bytes).collect(),
        0x1c => text.chars().flat_map(|c| u32::from(c).to_be_bytes()).collect(),
        _ => text.as_bytes().to_vec(),
    };
    let attribute = sequence(&[oid("2.5.4.3"), tlv(string_type, &bytes)]);
    sequence(&[tlv(0x31, &attribute)])
}

pub(crate) fn pem(der: &[u8]) -> String {
    const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut text = String::from("-----BEGIN CERTIFICATE-----\n");
    for line in der.chunks(48) {
        for group in line.chunks(3) {
            let bits = group.iter().fold(0u32, |bits, &byte| bits << 8 | u32::from(byte)) << (8 * (3 - group.len()));
            for place in 0..4 {
                let digit = bits >> (18 - 6 * place) & 63;
                text.push(if place <= group.len() { char::from(ALPHABET[digit as usize]) } else { '=' });
            }
        }
        text.push('\n');
    }
    text + "-----END CERTIFICATE-----\n"
}
