//! What the name servers of this system know of a service.

use std::io;

use hickory_resolver::TokioResolver;
use hickory_resolver::proto::rr::{RData, RecordType};

/// The most hosts of one service that are probed.
const MAX_HOSTS: usize = 64;

/// The hosts and ports of a service, the preferred first, as the system's name servers tell.
pub(crate) async fn lookup(service: &str) -> io::Result<Vec<(String, u16)>> {
    let resolver = TokioResolver::builder_tokio().and_then(|builder| builder.build()).map_err(io::Error::other)?;
    ask(&resolver, service).await
}

async fn ask(resolver: &TokioResolver, service: &str) -> io::Result<Vec<(String, u16)>> {
    // With the dot at its end the name is taken as it is, and not tried in the domains of the system's configuration.
    let name = format!("{}.", service.trim_end_matches('.'));
    let found = match resolver.lookup(name, RecordType::SRV).await {
        Ok(found) => found,
        Err(error) if error.is_no_records_found() => return Ok(Vec::new()),
        Err(error) => return Err(io::Error::other(error)),
    };
    let mut hosts: Vec<_> = found
        .answers()
        .iter()
        .filter_map(|record| match &record.data {
            RData::SRV(srv) => Some((srv.priority, srv.target.to_ascii(), srv.port)),
            _ => None,
        })
        .map(|(priority, host, port)| (priority, host.trim_end_matches('.').to_owned(), port))
        // RFC 2782: the root as a host says that there is no such service. The names were chosen by the operator of the zone.
        .filter(|(_, host, port)| *port != 0 && is_host(host))
        .collect();
    hosts.sort_unstable();
    hosts.dedup();
    hosts.truncate(MAX_HOSTS);
    Ok(hosts.into_iter().map(|(_, host, port)| (host, port)).collect())
}

fn is_host(host: &str) -> bool {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-' | b'_');
    !host.is_empty() && host.bytes().all(plain)
}

#[cfg(test)]
mod tests {
    use super::*;
    use hickory_resolver::config::{ConnectionConfig, NameServerConfig, ResolverConfig};
    use hickory_resolver::net::runtime::TokioRuntimeProvider;
    use std::net::{IpAddr, Ipv4Addr};
    use tokio::net::UdpSocket;

    /// The answer to a question for SRV records: each priority, port and host.
    fn answer(query: &[u8], records: &[(u16, u16, &str)]) -> Vec<u8> {
        // The question ends after the root label, the type and the class.
        let end = 12 + query[12..].iter().position(|&byte| byte == 0).unwrap() + 5;
        let mut bytes = query[..end].to_vec();
        // A response that was recursed for, with as many answers and without additional records.
        bytes[2..4].copy_from_slice(&[0x81, 0x80]);
        bytes[6..12].copy_from_slice(&[0, u8::try_from(records.len()).unwrap(), 0, 0, 0, 0]);
        for (priority, port, host) in records {
            let mut target = Vec::new();
            for label in host.split('.').filter(|label| !label.is_empty()) {
                target.push(u8::try_from(label.len()).unwrap());
                target.extend(label.bytes());
            }
            target.push(0);
            // The name of the question, SRV, IN, a minute.
            bytes.extend([0xC0, 12, 0, 33, 0, 1, 0, 0, 0, 60]);
            bytes.extend(u16::try_from(6 + target.len()).unwrap().to_be_bytes());
            bytes.extend(priority.to_be_bytes());
            bytes.extend([0, 1]);
            bytes.extend(port.to_be_bytes());
            bytes.extend(target);
        }
        bytes
    }

    #[tokio::test]
    async fn hosts_of_a_service_in_their_order() {
        let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let mut connection = ConnectionConfig::udp();
        connection.port = socket.local_addr().unwrap().port();
        let server = NameServerConfig::new(IpAddr::V4(Ipv4Addr::LOCALHOST), true, vec![connection]);
        let config = ResolverConfig::from_parts(None, Vec::new(), vec![server]);
        let provider = TokioRuntimeProvider::default();
        let resolver = TokioResolver::builder_with_config(config, provider).build().unwrap();
        let serve = async {
            let mut query = [0; 512];
            loop {
                let (length, peer) = socket.recv_from(&mut query).await.unwrap();
                let records = [
                    (20, 5433, "b.example"),
                    (10, 5432, "a.example"),
                    (30, 1, ""),
                    (5, 0, "c.example"),
                    (5, 1, "d\u{7}.example"),
                ];
                socket.send_to(&answer(&query[..length], &records), peer).await.unwrap();
            }
        };
        let found = tokio::select! {
            found = ask(&resolver, "_postgresql._tcp.example") => found.unwrap(),
            () = serve => unreachable!(),
        };
        assert_eq!(found, [("a.example".to_owned(), 5432), ("b.example".to_owned(), 5433)]);
    }
}
