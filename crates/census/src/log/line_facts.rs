//! What a line of a log says beside its message.

use super::message::ConnectionOrigin;
use super::prefix::SessionKey;
use crate::Millis;

/// What a line says beside its message.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct LineFacts<'a> {
    pub(super) at: Option<Millis>,
    pub(super) key: Option<SessionKey>,
    /// Where the session comes from, from the prefix or a field.
    pub(super) origin: Option<ConnectionOrigin<'a>>,
    /// The application name of now, from a field.
    pub(super) application: Option<&'a [u8]>,
    /// The line has another reading.
    pub(super) is_ambiguous: bool,
    /// The prefix holds the names that were asked for, as they were sent: with a line break in one, a line may be anyone's.
    pub(super) has_names: bool,
    /// The format has fields of their own for names.
    pub(super) has_fields: bool,
    /// The file, as a source of the census.
    pub(super) source: usize,
}
