//! The names under which this program connects, so that a census of clients can tell its own traces from clients.

/// The application name of a login.
pub const OWN_APPLICATION: &str = "hostssl";
/// The user and the database that every PostgreSQL has, unless someone removed them: a probe asks for both.
pub const WELL_KNOWN: &str = "postgres";
/// The usual users for replication, which a probe asks for: those of the documentation of PostgreSQL, Patroni, repmgr,
/// pg_auto_failover's and other how-tos. A line of `pg_hba.conf` for one of them meets no other user.
pub const REPLICATION_USERS: [&str; 5] = ["replicator", "repl", "replication", "repmgr", "standby"];
/// What the name of a user or database that cannot exist begins with.
const UNKNOWN: &str = "hostssl_";

/// A name that no server can know.
#[must_use]
pub fn unknown_name(random: [u8; 6]) -> String {
    random.iter().fold(UNKNOWN.to_owned(), |name, byte| format!("{name}{byte:02x}"))
}

/// Whether a name is such a one.
#[must_use]
pub fn is_unknown_name(name: &str) -> bool {
    let digits = name.strip_prefix(UNKNOWN);
    digits.is_some_and(|digits| digits.len() == 12 && digits.bytes().all(|digit| digit.is_ascii_hexdigit()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_made_up_name_is_known_again() {
        assert!(is_unknown_name(&unknown_name([0, 1, 2, 254, 255, 16])));
        for other in ["hostssl", "hostssl_", "hostssl_app", "hostssl_00", "postgres"] {
            assert!(!is_unknown_name(other), "{other}");
        }
    }
}
