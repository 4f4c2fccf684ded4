//! The little of DER (X.690) that is read without x509-parser: where its types drop what OpenSSL looks at.

/// One element: a tag of one byte, and what it holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Item<'a> {
    pub(crate) tag: u8,
    pub(crate) value: &'a [u8],
}

pub(crate) const SEQUENCE: u8 = 0x30;
const UTC_TIME: u8 = 0x17;
const GENERALIZED_TIME: u8 = 0x18;

/// The first element of `input` and what follows it. `None` for what is not DER, and for tags of several bytes, which no
/// certificate holds where this module looks.
pub(crate) fn first(input: &[u8]) -> Option<(Item<'_>, &[u8])> {
    let (&tag, rest) = input.split_first()?;
    let (&length, rest) = rest.split_first()?;
    let (length, rest) = match length {
        0..=0x7f => (usize::from(length), rest),
        0x81..=0x84 => {
            let (bytes, rest) = rest.split_at_checked(usize::from(length & 0x7f))?;
            let length = bytes.iter().fold(0usize, |length, &byte| length << 8 | usize::from(byte));
            // The shortest form is the only one of DER.
            (length >= 0x80 && bytes.first() != Some(&0)).then_some((length, rest))?
        }
        _ => return None,
    };
    let (value, rest) = rest.split_at_checked(length)?;
    (tag & 0x1f != 0x1f).then_some((Item { tag, value }, rest))
}

/// All elements of `input`, which holds nothing else.
pub(crate) fn all(mut input: &[u8]) -> Option<Vec<Item<'_>>> {
    let mut items = Vec::new();
    while !input.is_empty() {
        let (item, rest) = first(input)?;
        items.push(item);
        input = rest;
    }
    Some(items)
}

/// The elements of the SEQUENCE that `input` is, and nothing else.
pub(crate) fn sequence(input: &[u8]) -> Option<Vec<Item<'_>>> {
    match first(input)? {
        (Item { tag: SEQUENCE, value }, []) => all(value),
        _ => None,
    }
}

/// The fields of the part of a certificate that is signed, the version left out: serial number, algorithm, issuer, validity and so on.
fn signed_fields(der: &[u8]) -> Option<Vec<Item<'_>>> {
    let (tbs, _) = first(first(der)?.0.value)?;
    let mut fields = all(tbs.value)?;
    if fields.first()?.tag == 0xa0 {
        fields.remove(0);
    }
    Some(fields)
}

/// Whether the algorithm of the signature is, byte for byte, the one that was signed.
pub(crate) fn has_one_algorithm(der: &[u8]) -> bool {
    let outer = sequence(der).unwrap_or_default();
    let signed = signed_fields(der).unwrap_or_default();
    matches!((outer.get(1), signed.get(1)), (Some(outer), Some(signed)) if outer == signed)
}

/// Whether both times of the certificate in `der` are written as OpenSSL demands when it compares them (X509_cmp_time): to the
/// second, in UTC.
pub(crate) fn has_plain_times(der: &[u8]) -> bool {
    let plain = |time: &Item<'_>| {
        let digits = match time.tag {
            UTC_TIME => 12,
            GENERALIZED_TIME => 14,
            _ => return false,
        };
        let (head, tail) = time.value.split_at(digits.min(time.value.len()));
        head.len() == digits && head.iter().all(u8::is_ascii_digit) && tail == b"Z"
    };
    let validity = || all(signed_fields(der)?.get(3)?.value);
    validity().is_some_and(|times| times.len() == 2 && times.iter().all(plain))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn elements() {
        assert_eq!(first(&[4, 1, 7, 9]), Some((Item { tag: 4, value: &[7] }, &[9][..])));
        let long = [&[4, 0x81, 0x80][..], &[1; 0x80]].concat();
        assert_eq!(first(&long).map(|(item, rest)| (item.value.len(), rest.len())), Some((0x80, 0)));
        for bad in
            [&[][..], &[4], &[4, 2, 1], &[4, 0x80, 0, 0], &[4, 0x81, 1, 1], &[0x1f, 1, 1], &[4, 0x85, 0, 0, 0, 0, 0]]
        {
            assert_eq!(first(bad), None, "{bad:?}");
        }
        assert_eq!(sequence(&[0x30, 2, 5, 0]).map(|items| items.len()), Some(1));
        assert_eq!(sequence(&[0x30, 2, 5, 0, 0]), None);
    }
}
