//! Text from outside that is going to be kept: made safe before it enters a plan, a journal or a report.

use hostssl_model::untrusted::{self, REMOVED, redact};
use serde::{Deserialize, Serialize};
use std::fmt;

/// The longest text that is kept, in characters: as much as is kept of a message of Azure, and the words around it.
const MAX_TEXT: usize = 8_400;
/// The longest word that is kept, in characters. A resource id fits; a signature or a certificate does not.
const MAX_WORD: usize = 256;
/// The longest request id that is kept. Azure's are GUIDs of 36 characters.
const MAX_REQUEST_ID: usize = 128;

/// One line of text from something that Azure or the network said.
///
/// Making one removes harmful characters and secrets ([`untrusted`]), removes words that are too long to be names, and
/// cuts what is longer than any message of Azure. So nothing that holds a `SafeText` can keep a secret.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(from = "String", into = "String")]
pub struct SafeText(Box<str>);

impl SafeText {
    /// Makes text safe to keep.
    #[must_use]
    pub fn new(text: &str) -> Self {
        let clean = untrusted::one_line(text);
        let mut line = String::new();
        let mut length = 0;
        for word in clean.split(' ') {
            let kept = if word.chars().count() > MAX_WORD { REMOVED } else { word };
            let gap = usize::from(length > 0);
            let width = kept.chars().count() + gap;
            // Cut between words, so that making safe text of safe text changes nothing. Room for " …" stays.
            if length + width > MAX_TEXT - 2 {
                line.push_str(" …");
                break;
            }
            if gap == 1 {
                line.push(' ');
            }
            line.push_str(kept);
            length += width;
        }
        Self(line.into())
    }

    /// The text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl From<String> for SafeText {
    fn from(text: String) -> Self {
        Self::new(&text)
    }
}

impl From<SafeText> for String {
    fn from(text: SafeText) -> Self {
        text.0.into()
    }
}

impl fmt::Display for SafeText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for SafeText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.0, f)
    }
}

/// The id under which Azure knows a request (`x-ms-request-id`): what Microsoft's support asks for.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct RequestId(Box<str>);

/// The text is not a request id.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a request id is 1 to 128 letters, digits, hyphens and underscores")]
pub struct InvalidRequestId;

impl RequestId {
    /// Takes a request id. No URL and no token passes, because neither fits the letters that are allowed.
    ///
    /// # Errors
    ///
    /// [`InvalidRequestId`] when the text is none.
    pub fn new(text: &str) -> Result<Self, InvalidRequestId> {
        let fits = (1..=MAX_REQUEST_ID).contains(&text.len())
            && text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_')
            && redact(text) == text;
        if fits { Ok(Self(text.into())) } else { Err(InvalidRequestId) }
    }

    /// The id.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl TryFrom<String> for RequestId {
    type Error = InvalidRequestId;

    fn try_from(text: String) -> Result<Self, InvalidRequestId> {
        Self::new(&text)
    }
}

impl From<RequestId> for String {
    fn from(id: RequestId) -> Self {
        id.0.into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn urls_lose_what_follows_the_host_and_tokens_go() {
        let text =
            SafeText::new("see 'https://arm.example/x/y?t=1&s=abc' with Bearer abc.def and eyJhbGciOiJub25lIn0.e30.x");
        assert_eq!(text.as_str(), "see 'https://arm.example/…' with Bearer [removed] and [removed]");
        assert_eq!(SafeText::new("client_secret=hunter2 x").as_str(), "client_secret=[removed] x");
        assert_eq!(SafeText::new("Authorization: Bearer: abc").as_str(), "Authorization: Bearer: [removed]");
    }

    #[test]
    fn plain_words_pass() {
        for text in ["TLSv1.2", "ON", "The scope '/subscriptions/s/resourceGroups/g' is locked by 'no-change'."] {
            assert_eq!(SafeText::new(text).as_str(), text);
        }
    }

    #[test]
    fn no_harmful_character_is_kept() {
        let ranges = untrusted::HARMFUL.iter();
        for text in ranges.flat_map(|&(first, last)| first..=last).map(|c| format!("a{c}b")) {
            assert!(!SafeText::new(&text).as_str().contains(untrusted::is_harmful), "{text:?}");
        }
    }

    #[test]
    fn a_request_id_is_no_url() {
        assert!(RequestId::new("0d5a3c3e-0000-4000-8000-000000000001").is_ok());
        for text in ["", "https://x/y", "a b", "a?b", &"a".repeat(129), "eyJhbGciOiJub25lIn0"] {
            assert_eq!(RequestId::new(text), Err(InvalidRequestId), "{text}");
        }
    }

    proptest! {
        #[test]
        fn safe_text_is_one_bounded_line_and_stays_as_it_is(text in ".{0,300}", times in 1..60_usize) {
            let text = text.repeat(times);
            let safe = SafeText::new(&text);
            prop_assert!(!safe.as_str().contains(untrusted::is_harmful));
            prop_assert!(safe.as_str().chars().count() <= MAX_TEXT);
            prop_assert_eq!(SafeText::new(safe.as_str()), safe.clone());
        }
    }
}
