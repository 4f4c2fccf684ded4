//! How a listener behaves, read from the server's parameters.

use crate::estate::{Estate, Mutable, Record};
use crate::fleet::{Kind, ServerState, WireQuirk};
use crate::parameters::{self, MAX_TLS, MIN_TLS, REQUIRE_SECURE_TRANSPORT};

use super::{POOLER, POSTGRES};

/// A version of TLS by its number on the wire: 0x0301 is TLS 1.0, 0x0304 TLS 1.3.
pub(super) type Version = u16;
pub(super) const TLS10: Version = 0x0301;
pub(super) const TLS12: Version = 0x0303;
pub(super) const TLS13: Version = 0x0304;

/// Who answers, which decides the words.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Server {
    /// PostgreSQL itself, of this major version.
    Postgres(u8),
    /// The gateway in front of a single server.
    SingleGateway,
    /// The built-in PgBouncer.
    Pooler,
}

/// How one listener behaves at one time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Policy {
    pub(super) server: Server,
    /// Whether clients in plaintext are turned away.
    pub(super) enforced: bool,
    /// The database that is open to them all the same.
    pub(super) open_database: Option<&'static str>,
    pub(super) floor: Version,
    pub(super) cap: Version,
    /// The name that clients connect to, which the certificate covers.
    pub(super) host: String,
    pub(super) certificate: Certificate,
    /// Which of the two roots the chain ends in.
    pub(super) root: usize,
}

/// What is wrong with a certificate, if anything.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Certificate {
    Good,
    ExpiresSoon,
    OtherName,
}

/// The behaviour of the listener on `port` of a server; `None` when nothing listens there.
pub(super) fn read(estate: &Estate, record: &Record, port: u16) -> Option<Policy> {
    let mutable = record.lock();
    // A server that is stopped or being made does not answer.
    if !matches!(mutable.state, ServerState::Ready | ServerState::Updating) {
        return None;
    }
    let (enforced, floor, cap) = transport(estate, record, &mutable)?;
    let has = |quirk| record.quirks.contains(&quirk);
    let (server, lies) = match port {
        POSTGRES if record.kind == Kind::Single => (Server::SingleGateway, has(WireQuirk::PlaintextAccepted)),
        POSTGRES => (Server::Postgres(record.version), has(WireQuirk::PlaintextAccepted)),
        // Whether Azure's pooler follows require_secure_transport is documented nowhere: here it does, unless told
        // otherwise.
        POOLER if has_pooler(record, &mutable) => (Server::Pooler, has(WireQuirk::PoolerPlaintextAccepted)),
        _ => return None,
    };
    let certificate = match (has(WireQuirk::CertificateExpiresSoon), has(WireQuirk::CertificateOfOtherName)) {
        (true, _) => Certificate::ExpiresSoon,
        (false, true) => Certificate::OtherName,
        (false, false) => Certificate::Good,
    };
    // Both roots are met, and one server keeps to one.
    let root = record.name().bytes().fold(0, |sum, byte| sum ^ usize::from(byte)) & 1;
    let host = crate::render::host_name(record);
    let hole = port == POSTGRES && has(WireQuirk::DatabasePlaintextAccepted);
    let open_database = hole.then_some(crate::read::OPEN_DATABASE);
    Some(Policy { server, enforced: enforced && !lies, open_database, floor, cap, host, certificate, root })
}

/// A cluster of Azure Cosmos DB for PostgreSQL always has one (Azure, "Connection pooling with managed PgBouncer").
/// What HorizonDB has is unknown; here it is the same.
fn has_pooler(record: &Record, mutable: &Mutable) -> bool {
    match record.kind {
        Kind::Flexible => is(&value(record, mutable, "pgbouncer.enabled"), "true"),
        Kind::Cosmos | Kind::Horizon => true,
        Kind::Single | Kind::ParameterGroup => false,
    }
}

/// Whether TLS is required, and from which version to which.
fn transport(estate: &Estate, record: &Record, mutable: &Mutable) -> Option<(bool, Version, Version)> {
    match record.kind {
        Kind::Flexible => Some(of_parameters(record, mutable)),
        Kind::Horizon => {
            let (_, group) = estate.server_by_id(record.parameter_group.as_deref()?)?;
            Some(of_parameters(group, &group.lock()))
        }
        Kind::Single => {
            let enforced = is(&value(record, mutable, "sslEnforcement"), "Enabled");
            let floor = match value(record, mutable, "minimalTlsVersion").as_str() {
                "TLS1_2" => TLS12,
                "TLS1_1" => TLS10 + 1,
                _ => TLS10,
            };
            // The versions that it can be told to ask for end at 1.2.
            Some((enforced, floor, TLS12))
        }
        // TLS cannot be turned off there.
        Kind::Cosmos => Some((true, version(&value(record, mutable, "coordinator:ssl_min_protocol_version")), TLS13)),
        Kind::ParameterGroup => None,
    }
}

fn of_parameters(record: &Record, mutable: &Mutable) -> (bool, Version, Version) {
    let cap = match value(record, mutable, MAX_TLS).trim() {
        "" => TLS13,
        text => version(text),
    };
    let enforced = is(&value(record, mutable, REQUIRE_SECURE_TRANSPORT), "on");
    (enforced, version(&value(record, mutable, MIN_TLS)), cap)
}

/// What is in effect: a value that waits for a restart is not, and the default stands in for the one before it.
fn value(record: &Record, mutable: &Mutable, name: &str) -> String {
    let Some(parameter) = parameters::find(record.kind, name) else {
        return String::new();
    };
    let current = mutable.current(parameter);
    if current.pending_restart { parameter.default.to_owned() } else { current.value.to_owned() }
}

fn is(value: &str, word: &str) -> bool {
    value.trim().eq_ignore_ascii_case(word)
}

fn version(text: &str) -> Version {
    if is(text, "TLSv1.3") { TLS13 } else { TLS12 }
}
