//! The one redactor: tokens, signed URLs and passwords in text that is shown or kept.

use std::borrow::Cow;

/// What stands in for a secret.
pub const REMOVED: &str = "[removed]";

/// How the name of a member that holds a secret ends, in lower case and without `-` and `_`: OAuth 2.0's (RFC 6749),
/// those of connection strings (libpq, JDBC, ADO.NET), and the signatures and keys of Azure Storage and Service Bus.
const SECRET_NAMES: [&str; 17] = [
    "password",
    "passwd",
    "pwd",
    "passphrase",
    "secret",
    "accesstoken",
    "refreshtoken",
    "idtoken",
    "sastoken",
    "assertion",
    "sig",
    "signature",
    "accountkey",
    "sharedaccesskey",
    "sharedaccesssignature",
    "apikey",
    "authorization",
];
/// Parameters of a signed poll URL of Resource Manager: too short to be taken for secrets anywhere else than in a query.
const SIGNED_QUERY: [&str; 4] = ["s", "h", "c", "sig"];
/// Schemes of HTTP authentication whose credentials follow (RFC 9110, 11.4).
const CREDENTIAL_SCHEMES: [&str; 2] = ["bearer", "sharedaccesssignature"];
/// Words that follow `Bearer` in prose.
const NO_CREDENTIALS: [&str; 8] =
    ["token", "tokens", "authentication", "authorization", "scheme", "challenge", "realm", "is"];
/// The fewest characters behind `eyJ`, which is `{"` in base64url, that make a JSON Web Token (RFC 7519) of a word.
const TOKEN_LENGTH: usize = 12;
/// The longest part of a path that is kept. A name fits; a signature does not.
const MAX_SEGMENT: usize = 64;

/// The text without secrets.
///
/// Removed are: JSON Web Tokens; what follows `Bearer`; values of members whose names say that they are secret, as in
/// `password=…`, `"client_secret": "…"` and `sig=…`; of URLs, user, password, query and fragment. Text without secrets
/// stays as it is, and redacting twice changes nothing more.
#[must_use]
pub fn redact(text: &str) -> Cow<'_, str> {
    let mut out = String::new();
    let mut kept_to = 0;
    let mut at = 0;
    while let Some(rest) = text.get(at..).filter(|rest| !rest.is_empty()) {
        let before = text.get(..at).unwrap_or_default();
        if let Some((skip, length, put)) = secret_at(before, rest) {
            out.push_str(text.get(kept_to..at + skip).unwrap_or_default());
            out.push_str(&put);
            at += skip + length;
            kept_to = at;
        } else {
            at += rest.chars().next().map_or(1, char::len_utf8);
        }
    }
    if kept_to == 0 {
        return Cow::Borrowed(text);
    }
    out.push_str(text.get(kept_to..).unwrap_or_default());
    Cow::Owned(out)
}

/// What is secret in `rest`, if a secret begins there: how far on it stands, how long it is, and what to put there.
fn secret_at(before: &str, rest: &str) -> Option<(usize, usize, String)> {
    if let Some(length) = token(rest) {
        return Some((0, length, REMOVED.to_owned()));
    }
    let word_before = before.ends_with(|c: char| c.is_ascii_alphanumeric());
    if word_before || !rest.starts_with(|c: char| c.is_ascii_alphanumeric() || c == '_') {
        return None;
    }
    url(rest).or_else(|| credentials(rest)).or_else(|| member(before, rest))
}

/// The length of a JSON Web Token.
fn token(rest: &str) -> Option<usize> {
    let end = |c: char| !(c.is_ascii_alphanumeric() || "-_.".contains(c));
    let word = rest.strip_prefix("eyJ")?;
    let length = word.find(end).unwrap_or(word.len());
    (length >= TOKEN_LENGTH).then_some(length + 3)
}

/// A URL with something to hide: it is cut behind its host.
fn url(rest: &str) -> Option<(usize, usize, String)> {
    let scheme = rest.find(|c: char| !(c.is_ascii_alphanumeric() || "+.-".contains(c)))?;
    let behind = rest.get(scheme..)?.strip_prefix("://")?;
    let end = behind.find(|c: char| c.is_whitespace() || "\"'<>`|".contains(c)).unwrap_or(behind.len());
    let whole = behind.get(..end)?.trim_end_matches(['.', ',', ';', ')', ']', ':']);
    let authority = whole.split(['/', '?', '#']).next().unwrap_or_default();
    // A password may hold any character, an unencoded slash among them: then what seems to be a port is not a number.
    let port = authority.rsplit_once(':').map_or("", |(_, port)| port.trim_end_matches(']'));
    let odd_port = !authority.starts_with('[') && !port.bytes().all(|b| b.is_ascii_digit());
    let user = authority.contains('@') || (odd_port && whole.contains('@'));
    let after = match whole.matches('@').count() {
        _ if !user => whole,
        1 => whole.split_once('@')?.1,
        _ => "",
    };
    let host_end = after.find(['/', '?', '#']).unwrap_or(after.len());
    let (host, path) = after.split_at_checked(host_end)?;
    let long = path.split('/').any(|segment| segment.len() > MAX_SEGMENT || token_in(segment));
    if !user && !long && !path.contains(['?', '#']) {
        return None;
    }
    let host: String = host.chars().take_while(|c| c.is_ascii_alphanumeric() || ".-:[]".contains(*c)).collect();
    let put = if host.is_empty() { "…".to_owned() } else { format!("{host}/…") };
    Some((scheme + 3, whole.len(), put))
}

fn token_in(text: &str) -> bool {
    text.match_indices("eyJ").any(|(at, _)| text.get(at..).and_then(token).is_some())
}

/// What follows the name of a scheme of HTTP authentication.
fn credentials(rest: &str) -> Option<(usize, usize, String)> {
    let scheme = rest.find(|c: char| !c.is_ascii_alphanumeric())?;
    let name = rest.get(..scheme)?.to_ascii_lowercase();
    if !CREDENTIAL_SCHEMES.contains(&name.as_str()) {
        return None;
    }
    let behind = rest.get(scheme..)?;
    let gap = behind.find(|c: char| !(c.is_whitespace() || c == ':'))?;
    if gap == 0 {
        return None;
    }
    let value = behind.get(gap..)?;
    let length = value.find(|c: char| c.is_whitespace() || "\"',;)".contains(c)).unwrap_or(value.len());
    let word = value.get(..length)?;
    let prose = NO_CREDENTIALS.iter().any(|known| word.trim_end_matches('.').eq_ignore_ascii_case(known));
    (!word.is_empty() && !prose && !word.starts_with("realm=")).then(|| (scheme + gap, length, REMOVED.to_owned()))
}

/// The value of a member whose name says that it is secret: `name=value`, `name: value`, `"name":"value"`.
fn member(before: &str, rest: &str) -> Option<(usize, usize, String)> {
    let name_end = rest.find(|c: char| !(c.is_ascii_alphanumeric() || "_-".contains(c)))?;
    let name: String = rest.get(..name_end)?.chars().filter(|c| c.is_ascii_alphanumeric()).collect();
    let name = name.to_ascii_lowercase();
    let in_query = before.ends_with(['?', '&']) && SIGNED_QUERY.contains(&name.as_str());
    if !in_query && !SECRET_NAMES.iter().any(|secret| name.ends_with(secret)) {
        return None;
    }
    let behind = rest.get(name_end..)?;
    let separator = behind.trim_start_matches(['"', '\'', '\\']).trim_start();
    let value = match separator.strip_prefix(':') {
        // So is one behind the name of a file: `/etc/passwd: it is not a ZIP file`.
        Some(value) if value.starts_with(' ') && is_path(before) => return None,
        // A colon behind a signature is prose: `bad signature: …`.
        Some(_) if name.ends_with("sig") || name.ends_with("signature") => return None,
        Some(value) => value,
        None => separator.strip_prefix('=')?,
    };
    let value = value.trim_start();
    let value = if name.ends_with("authorization") { behind_scheme(value) } else { value };
    let (opened, length) = extent(value);
    let secret = value.get(opened..opened + length)?;
    let skip = rest.len() - value.len() + opened;
    (!secret.is_empty() && secret != REMOVED).then(|| (skip, length, REMOVED.to_owned()))
}

/// Whether a text ends within the last part of a path that begins at a root, at home, or here.
fn is_path(before: &str) -> bool {
    let begin = before.rfind(|c: char| c.is_whitespace() || "\"'`(=,;".contains(c)).map_or(0, |at| at + 1);
    let path = before.get(begin..).unwrap_or_default();
    let is_name = |name: &str| name.chars().all(|c| c.is_alphanumeric() || "-_.".contains(c));
    let ends_in_name = path.rsplit_once('/').is_some_and(|(_, name)| is_name(name));
    ends_in_name && path.starts_with(['/', '~', '.']) && !path.contains(['?', '&'])
}

/// The value of an Authorization header behind the name of its scheme.
fn behind_scheme(value: &str) -> &str {
    let scheme_end = value.find(' ').unwrap_or(value.len());
    let scheme = value.get(..scheme_end).unwrap_or_default().trim_start_matches(['"', '\'', '\\']);
    let named = !scheme.is_empty() && scheme.chars().all(|c| c.is_ascii_alphanumeric() || c == ':');
    if named { value.get(scheme_end..).unwrap_or_default().trim_start() } else { value }
}

/// Where a value begins behind its opening quote, and how long it is.
fn extent(value: &str) -> (usize, usize) {
    // A JSON text in a string of another one has its quotes escaped.
    if let Some(text) = value.strip_prefix("\\\"") {
        return (2, text.find("\\\"").unwrap_or(text.len()));
    }
    if let Some(quote) = value.chars().next().filter(|c| ['"', '\''].contains(c)) {
        let text = value.get(1..).unwrap_or_default();
        let mut characters = text.char_indices();
        while let Some((at, c)) = characters.next() {
            match c {
                '\\' => drop(characters.next()),
                c if c == quote => return (1, at),
                _ => {}
            }
        }
        return (1, text.len());
    }
    (0, value.find(|c: char| c.is_whitespace() || "&;,\"'<>)}".contains(c)).unwrap_or(value.len()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const JWT: &str = "eyJhbGciOiJub25lIn0.eyJhIjoxfQ.c2ln";

    #[test]
    fn secrets_go_and_what_is_around_them_stays() {
        for (text, expected) in [
            ("Bearer abc.def and more", "Bearer [removed] and more"),
            ("Authorization: Bearer: abc", "Authorization: Bearer: [removed]"),
            ("authorization: Basic dXNlcjpwdw== x", "authorization: Basic [removed] x"),
            ("client_secret=hunter2 x", "client_secret=[removed] x"),
            ("Server=h;User Id=u;Password=p w", "Server=h;User Id=u;Password=[removed] w"),
            ("host=h password='p \\' w' user=u", "host=h password='[removed]' user=u"),
            (r#"{"access_token": "abc", "b": 1}"#, r#"{"access_token": "[removed]", "b": 1}"#),
            (r#"{\"password\":\"a b\",\"b\":1}"#, r#"{\"password\":\"[removed]\",\"b\":1}"#),
            ("AccountKey=abc+/==;EndpointSuffix=x", "AccountKey=[removed];EndpointSuffix=x"),
            ("?sv=2022&sig=a%2Bb&se=1", "?sv=2022&sig=[removed]&se=1"),
            ("at /x?t=1&s=abc&h=def", "at /x?t=1&s=[removed]&h=[removed]"),
            ("see https://arm.example/x/y?t=1&s=abc.", "see https://arm.example/…."),
            ("'postgresql://user:p@ss/w@db.example:5432/x'", "'postgresql://…'"),
            ("jdbc:postgresql://u:p@db.example/x", "jdbc:postgresql://db.example/…"),
            ("postgres://u:a/b@db.example:5432/x", "postgres://db.example:5432/…"),
            ("SharedAccessSignature sr=x&sig=y", "SharedAccessSignature [removed]"),
            ("user/password: hunter2", "user/password: [removed]"),
            ("/etc/passwd=x and /a?/password: y", "/etc/passwd=[removed] and /a?/password: [removed]"),
        ] {
            assert_eq!(redact(text), expected, "{text}");
            assert_eq!(redact(expected), expected);
        }
        assert_eq!(redact(&format!("'{JWT}' x{JWT}")), "'[removed]' x[removed]");
    }

    #[test]
    fn plain_text_stays() {
        for text in [
            "FATAL: password authentication failed for user \"postgres\"",
            "the Bearer token is expired; Bearer authentication",
            "the client secret has expired (AADSTS7000222)",
            "invalid peer certificate: bad signature: x",
            "https://learn.microsoft.com/azure/postgresql/flexible-server/concepts-networking-ssl-tls",
            "https://aka.ms/azsdk/identity. Next",
            "https://example.org/@name/x",
            "The scope '/subscriptions/s/resourceGroups/g' is locked by 'no-change'.",
            "eyJab",
            "TLSv1.2 s=1 c=2 h=3",
            "/etc/passwd: it is not a ZIP file",
            "cannot read '../run/client-secret: No such file'",
        ] {
            assert!(matches!(redact(text), Cow::Borrowed(same) if same == text), "{text} -> {}", redact(text));
        }
    }

    proptest! {
        #[test]
        fn redacting_twice_changes_nothing(text in "[ -~é…]{0,60}", secret in "[a-zA-Z0-9]{16,40}") {
            let once = redact(&text).into_owned();
            prop_assert_eq!(redact(&once), once.as_str());
            for form in [
                format!("{text} password={secret}"),
                format!("{text} Bearer {secret}"),
                format!("{text} https://h.example/p?sig={secret}"),
                format!("{text} postgresql://u:{secret}@h/"),
                format!("{text} eyJ{secret}"),
            ] {
                let kept = redact(&form);
                prop_assert!(!kept.contains(&secret), "{}", kept);
            }
        }
    }
}
