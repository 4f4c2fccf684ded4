//! What the server writes when it ends a session right after it authorized it, before the client can do anything
//! (`InitPostgres`): in English as Azure's servers have it. In another language the session counts as a client.
//!
//! Only what can never succeed as it is asked for. A limit passes (`too many connections for role`, `remaining connection
//! slots are reserved`, `not currently accepting connections`): that client comes back, and in plaintext.

/// The severity of these messages. Lines with it are looked at.
pub(super) const SEVERITY: &str = "FATAL";

/// A session that never began. What the message names must be what was authorized.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum StartupFailure<'a> {
    Database(&'a [u8]),
    User(&'a [u8]),
    Unnamed,
}

/// What stands around the name of a database, and of a user.
const OF_DATABASE: [(&str, &str); 2] =
    [("database \"", "\" does not exist"), ("permission denied for database \"", "\"")];
const OF_USER: [(&str, &str); 2] = [("role \"", "\" does not exist"), ("role \"", "\" is not permitted to log in")];
/// What names neither begins so: since PostgreSQL 16, and before.
const UNNAMED: [&str; 2] =
    ["permission denied to start WAL sender", "must be superuser or replication role to start walsender"];

/// Reads a message of this severity; `None` if it is about something else.
pub(super) fn startup_failure(message: &[u8]) -> Option<StartupFailure<'_>> {
    let between = |(head, tail): &(&str, &str)| {
        message.strip_prefix(head.as_bytes()).and_then(|rest| rest.strip_suffix(tail.as_bytes()))
    };
    let database = OF_DATABASE.iter().find_map(between).map(StartupFailure::Database);
    let user = || OF_USER.iter().find_map(between).map(StartupFailure::User);
    let unnamed = || UNNAMED.iter().any(|head| message.starts_with(head.as_bytes())).then_some(StartupFailure::Unnamed);
    database.or_else(user).or_else(unnamed)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_ends_a_session_before_it_began_is_one() {
        let read = |message: &'static str| startup_failure(message.as_bytes());
        let database = Some(StartupFailure::Database(b"a\"b"));
        assert_eq!(read("database \"a\"b\" does not exist"), database);
        assert_eq!(read("permission denied for database \"a\"b\""), database);
        assert_eq!(read("role \"x\" is not permitted to log in"), Some(StartupFailure::User(b"x")));
        for unnamed in
            ["permission denied to start WAL sender", "must be superuser or replication role to start walsender"]
        {
            assert_eq!(read(unnamed), Some(StartupFailure::Unnamed), "{unnamed}");
        }
        for other in [
            "database \"x\" is not currently accepting connections",
            "too many connections for database \"x\"",
            "too many connections for role \"x\"",
            "remaining connection slots are reserved for roles with the SUPERUSER attribute",
            "terminating connection due to administrator command",
            "password authentication failed for user \"x\"",
            "database \"x\"",
            "",
        ] {
            assert_eq!(read(other), None, "{other}");
        }
    }
}
