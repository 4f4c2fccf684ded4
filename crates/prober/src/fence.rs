//! The prober's own fence: what it probes, whatever it is asked. It is set when the prober starts, and nothing from outside widens it.

use futures::future::{BoxFuture, FutureExt as _};
use hostssl_model::matches_pattern;
use hostssl_probe::dial::{Dial, Stream};
use std::fmt;
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::str::FromStr;
use std::sync::Arc;

/// PostgreSQL, PgBouncer, and the pooler of Azure's elastic clusters.
pub const DEFAULT_PORTS: [u16; 3] = [5432, 6432, 8432];

/// The names of Azure's servers, in all its clouds.
pub const AZURE_NAMES: [&str; 5] = [
    "*.postgres.database.azure.com",
    "*.postgres.database.usgovcloudapi.net",
    "*.postgres.database.chinacloudapi.cn",
    "*.postgres.database.sovcloud-api.fr",
    "*.postgres.cosmos.azure.com",
];

/// Addresses that are this machine, its link, or what a cloud tells its machines: where a server never is, and where a request
/// does harm. Azure has 168.63.129.16 for its own (Microsoft, "What is IP address 168.63.129.16?"), 169.254.169.254 for metadata.
const SPECIAL: [&str; 13] = [
    "0.0.0.0/8",
    "127.0.0.0/8",
    "169.254.0.0/16",
    "168.63.129.16/32",
    "224.0.0.0/4",
    "240.0.0.0/4",
    "::/128",
    "::1/128",
    "fe80::/10",
    "ff00::/8",
    "fd00:ec2::254/128",
    "64:ff9b::/96",
    "64:ff9b:1::/48",
];

/// Addresses that share their first bits, such as `10.1.0.0/16`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AddressNet {
    bits: u128,
    length: u32,
    is_v4: bool,
}

/// A text names no network.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("expected an address or a network, such as 10.1.0.0/16 or fd00::/8")]
pub struct InvalidNet;

impl AddressNet {
    fn bits_of(address: IpAddr) -> (u128, bool) {
        match address.to_canonical() {
            IpAddr::V4(v4) => (u128::from(v4.to_bits()) << 96, true),
            IpAddr::V6(v6) => (v6.to_bits(), false),
        }
    }

    fn mask(length: u32) -> u128 {
        u128::MAX.checked_shl(128 - length.min(128)).unwrap_or(0)
    }

    /// Whether it has an address. An IPv4 address counts as such however it is written.
    #[must_use]
    pub fn contains(&self, address: IpAddr) -> bool {
        let (bits, is_v4) = Self::bits_of(address);
        is_v4 == self.is_v4 && bits & Self::mask(self.length) == self.bits
    }

    /// Whether every address of it is in `other` too.
    fn is_within(&self, other: &Self) -> bool {
        let is_same = self.bits & Self::mask(other.length) == other.bits;
        self.is_v4 == other.is_v4 && self.length >= other.length && is_same
    }
}

impl FromStr for AddressNet {
    type Err = InvalidNet;

    fn from_str(text: &str) -> Result<Self, InvalidNet> {
        let (address, length) = match text.split_once('/') {
            Some((address, length)) => (address, Some(length.parse::<u32>().map_err(|_| InvalidNet)?)),
            None => (text, None),
        };
        let address: IpAddr = address.parse().map_err(|_| InvalidNet)?;
        let (bits, is_v4) = Self::bits_of(address);
        let longest = if is_v4 { 32 } else { 128 };
        let length = length.unwrap_or(longest);
        // A network with bits behind its length is most likely a mistake.
        if length > longest || bits & !Self::mask(length) != 0 {
            return Err(InvalidNet);
        }
        Ok(Self { bits, length, is_v4 })
    }
}

impl fmt::Display for AddressNet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let address = if self.is_v4 {
            IpAddr::V4(Ipv4Addr::from_bits(u32::try_from(self.bits >> 96).unwrap_or_default()))
        } else {
            IpAddr::V6(Ipv6Addr::from_bits(self.bits))
        };
        write!(f, "{address}/{}", self.length)
    }
}

/// What a prober probes, whatever it is asked.
#[derive(Debug, Clone)]
pub struct ProberFence {
    ports: Vec<u16>,
    names: Vec<String>,
    nets: Vec<AddressNet>,
    special: Vec<AddressNet>,
}

impl ProberFence {
    /// Hosts with a name like one of `names`, on one of `ports`, at an address in one of `nets`, or at any where no net is named.
    /// Addresses of this machine, of its link and of the cloud's own services are left out, unless a net within those is named.
    #[must_use]
    pub fn new(ports: Vec<u16>, names: Vec<String>, nets: Vec<AddressNet>) -> Self {
        let special = SPECIAL.iter().filter_map(|net| net.parse().ok()).collect();
        Self { ports, names, nets, special }
    }

    /// Why a host and port are not probed, before anything is looked up for it.
    #[must_use]
    pub fn refuses_target(&self, host: &str, port: u16) -> Option<String> {
        if !self.ports.contains(&port) {
            return Some(format!("port {port} is not among its --allow-ports"));
        }
        let name = host.trim_end_matches('.');
        if self.names.iter().any(|pattern| matches_pattern(pattern, name)) {
            return None;
        }
        Some("the name is not among its --allow-names".to_owned())
    }

    /// Why an address is not connected to.
    #[must_use]
    pub fn refuses_address(&self, address: IpAddr) -> Option<String> {
        let own = self.special.iter().find(|net| net.contains(address));
        let named = self.nets.iter().filter(|net| net.contains(address));
        let is_named = match own {
            // A wide net, such as 0.0.0.0/0, does not mean these.
            Some(special) => named.clone().any(|net| net.is_within(special)),
            None => self.nets.is_empty() || named.clone().next().is_some(),
        };
        match own {
            _ if is_named => None,
            Some(special) => Some(format!("{address} is in {special}, which none of its --allow-net names")),
            None => Some(format!("{address} is in none of its --allow-net")),
        }
    }
}

/// Reaches only what the fence allows, whatever a name leads to.
#[derive(Debug)]
pub struct FencedDial {
    fence: ProberFence,
    inner: Arc<dyn Dial>,
}

impl FencedDial {
    /// Puts a fence before `inner`.
    pub fn new(fence: ProberFence, inner: Arc<dyn Dial>) -> Self {
        Self { fence, inner }
    }

    /// Why a target is not probed. Its name is looked up; one that has no address is for the probe to report.
    pub async fn refuses(&self, host: &str, port: u16) -> Option<String> {
        if let Some(why) = self.fence.refuses_target(host, port) {
            return Some(why);
        }
        let (host, port) = self.inner.instead_of(host, port).unwrap_or_else(|| (host.to_owned(), port));
        let found = match host.parse::<IpAddr>() {
            Ok(ip) => vec![SocketAddr::new(ip, port)],
            Err(_) => self.inner.resolve(&host, port).await.unwrap_or_default(),
        };
        found.iter().find_map(|address| self.fence.refuses_address(address.ip()))
    }
}

impl Dial for FencedDial {
    fn instead_of(&self, host: &str, port: u16) -> Option<(String, u16)> {
        self.inner.instead_of(host, port)
    }

    fn resolve<'a>(&'a self, host: &'a str, port: u16) -> BoxFuture<'a, io::Result<Vec<SocketAddr>>> {
        self.inner.resolve(host, port)
    }

    /// Asked again here: a name may lead elsewhere the second time that it is looked up.
    fn connect<'a>(&'a self, host: &'a str, address: SocketAddr) -> BoxFuture<'a, io::Result<Stream>> {
        match self.fence.refuses_address(address.ip()) {
            Some(why) => futures::future::ready(Err(io::Error::new(io::ErrorKind::PermissionDenied, why))).boxed(),
            None => self.inner.connect(host, address),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fence(nets: &[&str]) -> ProberFence {
        let names = AZURE_NAMES.iter().map(|name| (*name).to_owned()).collect();
        let nets = nets.iter().map(|net| net.parse().unwrap()).collect();
        ProberFence::new(DEFAULT_PORTS.to_vec(), names, nets)
    }

    fn allows(nets: &[&str], address: &str) -> bool {
        fence(nets).refuses_address(address.parse().unwrap()).is_none()
    }

    #[test]
    fn names_and_ports_that_are_not_of_servers_are_refused() {
        let refuses = |host: &str, port| fence(&[]).refuses_target(host, port);
        assert_eq!(refuses("PG-A.contoso.postgres.database.azure.com.", 5432), None);
        assert!(refuses("pg-a.postgres.database.azure.com", 22).unwrap().contains("port 22"));
        for host in ["db.example", "postgres.database.azure.com.evil.example", "169.254.169.254", "", "localhost"] {
            assert!(refuses(host, 5432).unwrap().contains("--allow-names"), "{host}");
        }
    }

    #[test]
    fn special_addresses_are_refused_unless_they_are_named_themselves() {
        let special = [
            "127.0.0.1",
            "127.9.9.9",
            "0.0.0.0",
            "169.254.169.254",
            "168.63.129.16",
            "224.0.0.1",
            "255.255.255.255",
            "::",
            "::1",
            "fe80::1",
            "ff02::1",
            "::ffff:127.0.0.1",
            "::ffff:169.254.169.254",
            "64:ff9b::a9fe:a9fe",
        ];
        for address in special {
            assert!(!allows(&[], address), "{address}");
            assert!(!allows(&["0.0.0.0/0", "::/0", "128.0.0.0/1"], address), "{address}");
            let own = if address.contains("ffff:") { address.rsplit(':').next().unwrap() } else { address };
            assert!(allows(&[own], address), "{address}");
        }
        assert!(allows(&["127.0.0.0/8"], "127.0.0.1") && !allows(&["127.0.0.2/32"], "127.0.0.1"));
    }

    #[test]
    fn a_net_that_is_named_leaves_out_the_others() {
        assert!(allows(&[], "10.1.2.3") && allows(&[], "fd12::1") && allows(&[], "20.1.1.1"));
        assert!(allows(&["10.1.0.0/16"], "10.1.2.3") && !allows(&["10.1.0.0/16"], "10.2.0.1"));
        assert!(allows(&["fd12::/16"], "fd12::1") && !allows(&["10.0.0.0/8"], "fd12::1"));
    }

    #[test]
    fn networks_are_read_as_they_are_written() {
        for text in ["10.0.0.0/8", "fd00::/8", "0.0.0.0/0", "::1/128", "10.1.2.3/32"] {
            assert_eq!(text.parse::<AddressNet>().unwrap().to_string(), text);
        }
        for text in ["", "10", "10.0.0.1/8", "10.0.0.0/33", "::/129", "10.0.0.0/-1", "a/8", "10.0.0.0/8/8"] {
            assert_eq!(text.parse::<AddressNet>(), Err(InvalidNet), "{text}");
        }
    }
}
