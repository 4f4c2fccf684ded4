//! What csvlog and jsonlog say beside the message.

/// The names that csvlog and jsonlog have in fields of their own.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Columns<'a> {
    pub(crate) user: Option<&'a [u8]>,
    pub(crate) database: Option<&'a [u8]>,
}
