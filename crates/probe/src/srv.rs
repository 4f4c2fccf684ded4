//! The hosts behind the name of a service (SRV records, RFC 2782).
//!
//! PostgreSQL's own clients know no SRV records; clusters are announced by them all the same, as
//! `_postgresql._tcp.example.com`.

#[cfg(feature = "srv")]
mod records;

#[cfg(feature = "srv")]
pub(crate) use records::lookup;

/// Whether a host is the name of a service: its first two labels are `_service._tcp`.
pub(crate) fn is_service(host: &str) -> bool {
    let mut labels = host.split('.');
    let service = labels.next().is_some_and(|label| label.len() > 1 && label.starts_with('_'));
    service && labels.next().is_some_and(|label| label.eq_ignore_ascii_case("_tcp")) && labels.next().is_some()
}

/// Looks nothing up.
#[cfg(not(feature = "srv"))]
pub(crate) async fn lookup(_: &str) -> std::io::Result<Vec<(String, u16)>> {
    Err(std::io::Error::new(
        std::io::ErrorKind::Unsupported,
        "this build of hostssl looks up no SRV records: build it with --features srv, or name the hosts",
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn services_by_their_names() {
        for (host, expected) in [
            ("_postgresql._tcp.example.com", true),
            ("_pg._TCP.example", true),
            ("_postgresql._tcp", false),
            ("_postgresql._udp.example", false),
            ("_._tcp.example", false),
            ("db._tcp.example", false),
            ("db.example", false),
        ] {
            assert_eq!(is_service(host), expected, "{host}");
        }
    }
}
