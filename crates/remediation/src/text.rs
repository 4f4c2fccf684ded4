//! Text from outside that is going to be kept: made safe before it enters a plan, a journal or a report.

use serde::{Deserialize, Serialize};
use std::fmt;

/// The longest text that is kept, in characters.
const MAX_TEXT: usize = 400;
/// The longest word that is kept, in characters. A resource id fits; a signature or a certificate does not.
const MAX_WORD: usize = 256;
/// What stands in for what was removed.
const REMOVED: &str = "[removed]";
/// The longest request id that is kept. Azure's are GUIDs of 36 characters.
const MAX_REQUEST_ID: usize = 128;

/// One line for people out of something that Azure or the network said.
///
/// Making one removes control characters, cuts every URL behind its host, because poll URLs are signed, removes what
/// looks like a token or a password, and cuts to 400 characters. So nothing that holds a `SafeText` can keep a secret.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(from = "String", into = "String")]
pub struct SafeText(Box<str>);

impl SafeText {
    /// Makes text safe to keep.
    #[must_use]
    pub fn new(text: &str) -> Self {
        let clean: String = text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
        let mut line = String::new();
        let mut length = 0;
        let mut after_bearer = false;
        for word in clean.split_whitespace() {
            let kept = if after_bearer { REMOVED.to_owned() } else { safe_word(word) };
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
            line.push_str(&kept);
            length += width;
            after_bearer = word.trim_matches(|c: char| !c.is_alphanumeric()).eq_ignore_ascii_case("bearer");
        }
        Self(line.into())
    }

    /// The text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

fn safe_word(word: &str) -> String {
    const SECRETS: [&str; 9] =
        ["sig=", "&s=", "&h=", "&c=", "access_token", "refresh_token", "secret=", "password=", "assertion="];
    let lower = word.to_ascii_lowercase();
    if let Some((scheme, rest)) = word.split_once("://") {
        let scheme: Vec<char> = scheme.chars().rev().take_while(char::is_ascii_alphanumeric).take(16).collect();
        let host = rest.chars().take_while(|c| c.is_ascii_alphanumeric() || ".-:".contains(*c)).take(128);
        scheme.into_iter().rev().chain("://".chars()).chain(host).chain("/…".chars()).collect()
    } else if SECRETS.iter().any(|secret| lower.contains(secret))
        || holds_token(word)
        || word.chars().count() > MAX_WORD
    {
        REMOVED.to_owned()
    } else {
        word.to_owned()
    }
}

/// Whether a word holds a JSON Web Token: base64url of `{"` is `eyJ` (RFC 7519).
fn holds_token(word: &str) -> bool {
    word.split("eyJ")
        .skip(1)
        .any(|rest| rest.chars().take_while(|c| c.is_ascii_alphanumeric() || "-_.".contains(*c)).count() >= 12)
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
            && !holds_token(text);
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
        assert_eq!(text.as_str(), "see https://arm.example/… with Bearer [removed] and [removed]");
        assert_eq!(SafeText::new("client_secret=hunter2 x").as_str(), "[removed] x");
        assert_eq!(SafeText::new("Authorization: Bearer: abc").as_str(), "Authorization: Bearer: [removed]");
    }

    #[test]
    fn plain_words_pass() {
        for text in ["TLSv1.2", "ON", "The scope '/subscriptions/s/resourceGroups/g' is locked by 'no-change'."] {
            assert_eq!(SafeText::new(text).as_str(), text);
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
        fn safe_text_is_one_short_line_and_stays_as_it_is(text in ".{0,600}") {
            let safe = SafeText::new(&text);
            prop_assert!(!safe.as_str().chars().any(char::is_control));
            prop_assert!(safe.as_str().chars().count() <= MAX_TEXT);
            prop_assert_eq!(SafeText::new(safe.as_str()), safe.clone());
        }
    }
}
