//! How much one side takes from the other.

/// The longest look that is taken, in bytes.
pub const MAX_LOOK: usize = 64 << 10;
/// The longest message that is taken, in bytes.
pub const MAX_BODY: usize = 8 << 20;
/// Targets in one message.
pub const MAX_ANSWERS: usize = 128;
/// Addresses of one target; the prober looks at 16, and names the others.
pub(super) const MAX_ADDRESSES: usize = 64;
/// Names of databases of one target: each is a connection. This console sends 8.
pub(super) const MAX_NAMES: usize = 16;
/// Members and elements in one message: a message of 128 targets with 16 addresses each has fewer than half.
const MAX_MEMBERS: usize = 500_000;
/// The same of what a console sends: 128 targets with 16 names each have a fraction. A reader of it keeps it as a tree.
const MAX_MEMBERS_OF_REPLY: usize = 20_000;
/// Characters of a reason.
pub(super) const LONGEST_WHY: usize = 300;
/// Objects and lists within one another.
const DEEPEST: usize = 32;

/// A message is more than is taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum BoundsError {
    /// It has too many bytes.
    #[error("it is larger than 8 MiB")]
    Body,
    /// A look has too many bytes.
    #[error("a look in it is larger than 64 KiB")]
    Look,
    /// It has too many targets.
    #[error("it has more than 128 targets")]
    Answers,
    /// It has too many members.
    #[error("it has more than {0} members and elements")]
    Members(usize),
    /// It is nested too deep.
    #[error("it is nested more than 32 levels deep")]
    Depth,
}

/// Whether the reply of a console can be read at all.
pub(super) fn check_reply(bytes: &[u8]) -> Result<(), BoundsError> {
    check_within(bytes, MAX_MEMBERS_OF_REPLY)
}

/// Whether the message of a prober can be read at all.
pub(super) fn check(bytes: &[u8]) -> Result<(), BoundsError> {
    check_within(bytes, MAX_MEMBERS)
}

/// Whether a message can be read at all. How deep it is must be known before a parser follows it down, and how much is in it
/// before memory is asked for each part.
fn check_within(bytes: &[u8], most: usize) -> Result<(), BoundsError> {
    if bytes.len() > MAX_BODY {
        return Err(BoundsError::Body);
    }
    let (mut depth, mut members, mut is_text, mut is_escaped) = (0_usize, 0_usize, false, false);
    for byte in bytes {
        match byte {
            _ if is_escaped => is_escaped = false,
            b'\\' if is_text => is_escaped = true,
            b'"' => is_text = !is_text,
            b'{' | b'[' if !is_text => {
                depth += 1;
                if depth > DEEPEST {
                    return Err(BoundsError::Depth);
                }
            }
            b',' if !is_text => {
                members += 1;
                if members > most {
                    return Err(BoundsError::Members(most));
                }
            }
            b'}' | b']' if !is_text => depth = depth.saturating_sub(1),
            _ => {}
        }
    }
    Ok(())
}

/// Whether a text is one line of what can be seen.
pub(super) fn is_line(text: &str, longest: usize) -> bool {
    (1..=longest).contains(&text.len()) && text.bytes().all(|byte| (0x20..0x7f).contains(&byte))
}
