//! A reader over a byte slice that cannot run past its end.

/// Reads big-endian values from the front of a slice. Each method returns `None`, and takes nothing, when the slice is
/// too short.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Cursor<'a> {
    rest: &'a [u8],
}

impl<'a> Cursor<'a> {
    pub(crate) fn new(bytes: &'a [u8]) -> Self {
        Self { rest: bytes }
    }

    pub(crate) fn take(&mut self, count: usize) -> Option<&'a [u8]> {
        let (head, tail) = self.rest.split_at_checked(count)?;
        self.rest = tail;
        Some(head)
    }

    fn array<const N: usize>(&mut self) -> Option<[u8; N]> {
        let (head, tail) = self.rest.split_first_chunk::<N>()?;
        self.rest = tail;
        Some(*head)
    }

    pub(crate) fn u8(&mut self) -> Option<u8> {
        self.array::<1>().map(|[byte]| byte)
    }

    pub(crate) fn u16(&mut self) -> Option<u16> {
        self.array().map(u16::from_be_bytes)
    }

    pub(crate) fn u24(&mut self) -> Option<usize> {
        self.array::<3>().map(|[a, b, c]| usize::from(a) << 16 | usize::from(b) << 8 | usize::from(c))
    }

    pub(crate) fn u32(&mut self) -> Option<u32> {
        self.array().map(u32::from_be_bytes)
    }

    /// A vector with a one-byte length, as TLS has them (RFC 8446 section 3.4).
    pub(crate) fn vec8(&mut self) -> Option<&'a [u8]> {
        let mut ahead = *self;
        let length = ahead.u8()?;
        let bytes = ahead.take(usize::from(length))?;
        *self = ahead;
        Some(bytes)
    }

    /// A vector with a two-byte length.
    pub(crate) fn vec16(&mut self) -> Option<&'a [u8]> {
        let mut ahead = *self;
        let length = ahead.u16()?;
        let bytes = ahead.take(usize::from(length))?;
        *self = ahead;
        Some(bytes)
    }

    /// A vector with a three-byte length.
    pub(crate) fn vec24(&mut self) -> Option<&'a [u8]> {
        let mut ahead = *self;
        let length = ahead.u24()?;
        let bytes = ahead.take(length)?;
        *self = ahead;
        Some(bytes)
    }

    /// The bytes up to the next NUL; the NUL is taken and not returned.
    pub(crate) fn c_string(&mut self) -> Option<&'a [u8]> {
        let end = self.rest.iter().position(|&byte| byte == 0)?;
        let text = self.take(end)?;
        self.take(1)?;
        Some(text)
    }

    pub(crate) fn rest(&self) -> &'a [u8] {
        self.rest
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.rest.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_short_read_takes_nothing() {
        let mut cursor = Cursor::new(&[0, 5, 1]);
        assert_eq!(cursor.vec16(), None);
        assert_eq!(cursor.u32(), None);
        assert_eq!(cursor.u24(), Some(0x0501));
        assert!(cursor.is_empty());
    }

    #[test]
    fn a_c_string_needs_its_nul() {
        let mut cursor = Cursor::new(b"ab\0c");
        assert_eq!(cursor.c_string(), Some(&b"ab"[..]));
        assert_eq!(cursor.c_string(), None);
        assert_eq!(cursor.rest(), b"c");
    }
}
