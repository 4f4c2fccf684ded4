//! What the server writes when it refuses a client that does not use TLS (`ClientAuthentication` in auth.c), in English as
//! Azure's servers have it. In another language of `lc_messages`, no client is listed as refused.
//!
//! The names are the client's to choose, and it need not be anyone: host and encryption are the server's.

use super::record_fields::Columns;
use super::short::find;
use super::startup_failure;

/// Where a message of these begins, and whether it is about replication.
pub(super) const HEADS: [(&str, bool); 4] = [
    ("no pg_hba.conf entry for host \"", false),
    ("no pg_hba.conf entry for replication connection from host \"", true),
    ("pg_hba.conf rejects connection for host \"", false),
    ("pg_hba.conf rejects replication connection for host \"", true),
];
/// How it ends where the client does not use TLS: since PostgreSQL 14, and before.
const TAILS: [&str; 2] = [", no encryption", ", SSL off"];
const USER: &str = "\", user \"";
const DATABASE: &str = "\", database \"";

/// What all of them have.
pub(super) const NEEDLES: [&str; 2] = ["pg_hba.conf entry for ", "pg_hba.conf rejects "];
/// The severity of these messages.
pub(super) const SEVERITY: &[u8] = startup_failure::SEVERITY.as_bytes();

/// A client that was refused.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct RefusedLine<'a> {
    pub(crate) host: &'a [u8],
    /// `None` if the names have two readings.
    pub(crate) user: Option<&'a [u8]>,
    pub(crate) database: Option<&'a [u8]>,
    pub(crate) is_replication: bool,
}

/// Reads a message; `None` if it is about something else, or about a client with TLS.
pub(super) fn refusal<'a>(message: &'a [u8], columns: Columns<'_>) -> Option<RefusedLine<'a>> {
    let rest = TAILS.iter().find_map(|tail| message.strip_suffix(tail.as_bytes()))?;
    let rest = rest.strip_suffix(b"\"")?;
    let (is_replication, rest) =
        HEADS.iter().find_map(|(head, is_replication)| Some((*is_replication, rest.strip_prefix(head.as_bytes())?)))?;
    let at = find(rest, USER.as_bytes())?;
    let (host, names) = (rest.get(..at)?, rest.get(at + USER.len()..)?);
    // A socket of the server's own machine, which enforcement does not concern.
    if host == b"[local]" {
        return None;
    }
    let (user, database) = if is_replication {
        (Some(names), None)
    } else {
        split_by_columns(names, columns).unwrap_or_else(|| split(names))
    };
    Some(RefusedLine { host, user, database, is_replication })
}

type Names<'a> = (Option<&'a [u8]>, Option<&'a [u8]>);

/// Splits where the fields of csvlog and jsonlog say.
fn split_by_columns<'a>(names: &'a [u8], columns: Columns<'_>) -> Option<Names<'a>> {
    let user = columns.user?;
    let database = names.strip_prefix(user)?.strip_prefix(DATABASE.as_bytes())?;
    (Some(database) == columns.database).then_some((names.get(..user.len()), Some(database)))
}

/// Splits where there is one place only.
fn split(names: &[u8]) -> Names<'_> {
    let Some(at) = find(names, DATABASE.as_bytes()) else { return (None, None) };
    let (user, database) = (names.get(..at), names.get(at + DATABASE.len()..));
    let is_ambiguous = database.is_some_and(|rest| find(rest, DATABASE.as_bytes()).is_some());
    if is_ambiguous { (None, None) } else { (user, database) }
}

#[cfg(test)]
mod tests {
    use super::*;

    type Parts = (String, Option<String>, Option<String>, bool);

    fn read(message: &str, columns: Columns<'_>) -> Option<Parts> {
        let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
        let RefusedLine { host, user, database, is_replication } = refusal(message.as_bytes(), columns)?;
        Some((text(host), user.map(text), database.map(text), is_replication))
    }

    #[test]
    fn only_a_client_without_tls_is_refused_for_that() {
        let some = |text: &str| Some(text.to_owned());
        let app = || Some(("10.0.0.4".to_owned(), some("app"), some("shop"), false));
        let entry = r#"no pg_hba.conf entry for host "10.0.0.4", user "app", database "shop""#;
        for tail in TAILS {
            assert_eq!(read(&format!("{entry}{tail}"), Columns::default()), app());
        }
        for other in ["", ", SSL encryption", ", GSS encryption", ", SSL on", ", no encryption\" or so"] {
            assert_eq!(read(&format!("{entry}{other}"), Columns::default()), None, "{other}");
        }
        let rejects =
            r#"pg_hba.conf rejects connection for host "10.0.0.4", user "app", database "shop", no encryption"#;
        assert_eq!(read(rejects, Columns::default()), app());
        let replication =
            r#"no pg_hba.conf entry for replication connection from host "10.0.0.4", user "rep", no encryption"#;
        assert_eq!(read(replication, Columns::default()), Some(("10.0.0.4".to_owned(), some("rep"), None, true)));
        let local = r#"no pg_hba.conf entry for host "[local]", user "app", database "shop", no encryption"#;
        assert_eq!(read(local, Columns::default()), None);
    }

    #[test]
    fn names_that_imitate_the_message_are_not_believed() {
        let user = r#"x", database "prod", SSL encryption"#;
        let message =
            format!(r#"no pg_hba.conf entry for host "10.0.0.4", user "{user}", database "d", no encryption"#);
        let (host, ..) = read(&message, Columns::default()).unwrap();
        assert_eq!(host, "10.0.0.4");
        assert_eq!(read(&message, Columns::default()).unwrap().1, None, "it can be read in two ways");
        let columns = Columns { user: Some(user.as_bytes()), database: Some(b"d") };
        assert_eq!(read(&message, columns).unwrap().1.as_deref(), Some(user));
        // Over TLS, with a database whose name imitates the end.
        let tls = r#"no pg_hba.conf entry for host "10.0.0.4", user "u", database "d", no encryption", SSL encryption"#;
        assert_eq!(read(tls, Columns::default()), None);
    }
}
