//! The questions asked by our own ClientHello: versions, suites and groups, down to those that no TLS library will
//! speak.

use std::collections::BTreeMap;
use std::sync::LazyLock;
use std::time::Duration;

use hostssl_pgwire::tls::{Alert, CipherSuite, ClientHello, KeyShare, NamedGroup, ProtocolVersion, ServerFlight};

use crate::attempt::{Attempt, AttemptFailure};
use crate::endpoint::{Endpoint, Opening, attempt};
use crate::facts::Enumerated;
use crate::offer::Startup;
use crate::startup_jobs::{encrypted_by_tls12, wait};
use crate::tls_client::ALPN;

/// What is known of versions after a run of hellos.
#[derive(Debug, Default)]
pub(crate) struct VersionsSeen {
    pub(crate) versions: BTreeMap<ProtocolVersion, Attempt<bool>>,
    /// The certificates of the newest flight that held any.
    pub(crate) chain: Vec<Vec<u8>>,
    pub(crate) certificate_requested: bool,
    /// The suite of the newest version that the server chose.
    pub(crate) suite: Option<CipherSuite>,
    /// Whether direct TLS is available, where that was asked along the way.
    pub(crate) direct: Option<bool>,
}

/// What is waited for when a close is an answer. Before it, the server had not received the version.
const CLIENT_HELLO: &str = "waiting for the answer to a ClientHello";

/// Sends one ClientHello and reads the answer.
async fn hello(
    endpoint: &Endpoint<'_>,
    opening: Opening,
    version: ProtocolVersion,
    suites: &[CipherSuite],
    groups: &[NamedGroup],
) -> Result<ServerFlight, AttemptFailure> {
    let alpn: &[&[u8]] = if opening == (Opening::Direct { alpn: true }) { &[ALPN] } else { &[] };
    let bytes = ClientHello {
        version,
        suites,
        groups,
        // Version, suite and group are in a HelloRetryRequest as well, and it spares the server a key exchange.
        key_share: KeyShare::Empty,
        server_name: endpoint.sni(),
        alpn,
        random: endpoint.tls.random(),
    }
    .encode()
    .map_err(|error| AttemptFailure::Encode(error.to_string()))?;
    let mut wire = endpoint.connect_for_tls(opening, || format!("ClientHello {version}")).await?;
    wire.pen.sent("ClientHello", || format!("{version}, {} suites, {} groups", suites.len(), groups.len()));
    wire.send(&bytes, CLIENT_HELLO).await?;
    loop {
        match ServerFlight::decode(wire.buffer()) {
            Ok(Some(flight)) => {
                wire.pen.received("server flight", || describe(&flight));
                endpoint.note(|identity| identity.flight(version, &flight));
                wire.close().await;
                return Ok(flight);
            }
            Ok(None) => wire.receive(CLIENT_HELLO).await?,
            Err(error) => {
                wire.pen.received("other bytes", || hostssl_pgwire::text::safe(wire.buffer()));
                return Err(AttemptFailure::Protocol(error.to_string()));
            }
        }
    }
}

fn describe(flight: &ServerFlight) -> String {
    let mut parts = Vec::new();
    if let Some(hello) = &flight.hello {
        let kind = if hello.retry_request { "HelloRetryRequest" } else { "ServerHello" };
        let version =
            hello.tls_version().map_or_else(|| format!("0x{:04x}", hello.version), |version| version.to_string());
        parts.push(format!("{kind} {version} {}", hello.suite));
    }
    if let Some(group) = hello_group(flight) {
        parts.push(group.to_string());
    }
    if !flight.certificates.is_empty() {
        parts.push(format!("{} certificates", flight.certificates.len()));
    }
    if flight.certificate_requested {
        parts.push("client certificate requested".to_owned());
    }
    if let Some(alert) = flight.alert {
        parts.push(format!("alert {}", alert.name()));
    }
    parts.join(", ")
}

fn hello_group(flight: &ServerFlight) -> Option<NamedGroup> {
    flight.hello.as_ref().and_then(|hello| hello.group).or(flight.key_exchange_group)
}

/// All that can be offered in one version.
#[derive(Debug)]
struct Everything {
    suites: Vec<CipherSuite>,
    groups: Vec<NamedGroup>,
}

/// All suites and groups of `version`, put in order once.
fn all_of(version: ProtocolVersion) -> &'static Everything {
    static ALL: LazyLock<BTreeMap<ProtocolVersion, Everything>> =
        LazyLock::new(|| ProtocolVersion::ALL.into_iter().map(|version| (version, everything(version))).collect());
    static NOTHING: Everything = Everything { suites: Vec::new(), groups: Vec::new() };
    ALL.get(&version).unwrap_or(&NOTHING)
}

fn everything(version: ProtocolVersion) -> Everything {
    // Anonymous and empty suites come last: a server that prefers none of them must not be led to them.
    let mut suites: Vec<_> = CipherSuite::of_version(version).collect();
    suites.sort_by_cached_key(|suite| suite.weakness().is_some());
    Everything { suites, groups: NamedGroup::of_version(version).collect() }
}

/// Asks about `version` alone.
async fn ask(
    endpoint: &Endpoint<'_>,
    opening: Opening,
    version: ProtocolVersion,
) -> Result<ServerFlight, AttemptFailure> {
    let all = all_of(version);
    let ask = || hello(endpoint, opening, version, &all.suites, &all.groups);
    let mut flight = ask().await;
    // A loss on the way, or a limit on connections, looks like the refusal of an old server. That one refuses every
    // time.
    for pause in [Duration::from_millis(100), Duration::from_millis(400)] {
        if !matches!(flight, Err(AttemptFailure::Closed(_) | AttemptFailure::Reset(_))) || !wait(endpoint, pause).await
        {
            break;
        }
        flight = ask().await;
    }
    flight
}

/// Asks about the versions in `wanted` one by one, the newest first.
///
/// A server asked for one version answers with the newest that it has up to that, or with the alert `protocol_version`
/// when it has only newer ones (RFC 5246 appendix E.1). So one such alert settles all versions below.
pub(crate) async fn versions(endpoint: &Endpoint<'_>, opening: Opening, wanted: &[ProtocolVersion]) -> VersionsSeen {
    continue_versions(endpoint, opening, wanted, VersionsSeen::default()).await
}

/// The same, with TLS 1.2 asked for by direct TLS, which settles whether that is available as well.
///
/// Up to TLS 1.2 a server names the protocol that it chose where everyone can read it. One that answers a direct
/// ClientHello with `postgresql` is a PostgreSQL with direct TLS (17 and later). Any other answer settles less, and is
/// asked for again.
pub(crate) async fn versions_and_direct(endpoint: &Endpoint<'_>, wanted: &[ProtocolVersion]) -> VersionsSeen {
    let mut seen = VersionsSeen::default();
    let all = all_of(ProtocolVersion::Tls12);
    let flight =
        hello(endpoint, Opening::Direct { alpn: true }, ProtocolVersion::Tls12, &all.suites, &all.groups).await;
    match flight {
        Ok(flight) => {
            if let Some(hello) = &flight.hello
                && hello.tls_version() == Some(ProtocolVersion::Tls12)
                && hello.alpn.as_deref() == Some(ALPN)
            {
                seen.direct = Some(true);
                seen.suite = Some(hello.suite);
                seen.versions.insert(ProtocolVersion::Tls12, Attempt::Completed(true));
                seen.chain = flight.certificates;
                seen.certificate_requested = flight.certificate_requested;
            }
        }
        // A server without it takes the ClientHello for a packet of impossible length.
        Err(AttemptFailure::Closed(CLIENT_HELLO) | AttemptFailure::Reset(CLIENT_HELLO)) => seen.direct = Some(false),
        Err(_) => {}
    }
    continue_versions(endpoint, Opening::SslRequest, wanted, seen).await
}

/// The same, with TLS 1.2 asked for by a login, which shows the salt of its user to compare with that of the first one.
/// Without a handshake it is asked for as the others are, because many a suite is beyond the TLS library.
pub(crate) async fn versions_by_login(
    endpoint: &Endpoint<'_>,
    startup: &Startup,
    login: Opening,
    others: Opening,
    wanted: &[ProtocolVersion],
) -> VersionsSeen {
    let run = encrypted_by_tls12(endpoint, startup, login).await;
    let mut seen = VersionsSeen::default();
    match run.handshake {
        Ok(handshake) => {
            seen.versions.insert(ProtocolVersion::Tls12, Attempt::Completed(true));
            seen.suite = Some(handshake.suite);
            seen.certificate_requested = handshake.certificate_requested;
            seen.direct = (login != others && handshake.alpn.as_deref() == Some(ALPN)).then_some(true);
            seen.chain = handshake.chain;
        }
        // An alert of that name settles the versions below as well.
        Err(fault) if fault.version_refused && login == others => {
            seen.versions.extend(wanted.iter().map(|version| (*version, Attempt::Completed(false))));
        }
        Err(fault) if !fault.version_refused && login != others => return versions_and_direct(endpoint, wanted).await,
        Err(_) => {}
    }
    continue_versions(endpoint, others, wanted, seen).await
}

async fn continue_versions(
    endpoint: &Endpoint<'_>,
    opening: Opening,
    wanted: &[ProtocolVersion],
    mut seen: VersionsSeen,
) -> VersionsSeen {
    for &version in wanted.iter().rev() {
        if seen.versions.contains_key(&version) {
            continue;
        }
        let flight = ask(endpoint, opening, version).await;
        let chosen =
            flight.as_ref().ok().and_then(|flight| flight.hello.as_ref()).and_then(|hello| hello.tls_version());
        let settled = flight.as_ref().is_ok_and(|flight| {
            flight.hello.is_none() && flight.alert.is_some_and(|alert| alert.description == Alert::PROTOCOL_VERSION)
        });
        seen.versions.insert(version, accepted(&flight, version));
        if matches!(flight, Err(AttemptFailure::Timeout(_))) {
            // A server that keeps silent about one version would do so about all, at the price of a time-out each.
            for &other in wanted {
                let silent = Attempt::NotScheduled(AttemptFailure::Pointless("the server stopped answering"));
                seen.versions.entry(other).or_insert(silent);
            }
            break;
        }
        if let Ok(flight) = flight {
            seen.suite = seen.suite.or(flight.hello.as_ref().map(|hello| hello.suite));
            if seen.chain.is_empty() {
                seen.chain = flight.certificates;
            }
            seen.certificate_requested |= flight.certificate_requested;
        }
        if let Some(chosen) = chosen.filter(|chosen| *chosen < version) {
            // Those between were passed over by a server that would have preferred them.
            for &between in wanted.iter().filter(|between| **between > chosen && **between < version) {
                seen.versions.insert(between, Attempt::Completed(false));
            }
            seen.versions.insert(chosen, Attempt::Completed(true));
        }
        if settled && version < ProtocolVersion::Tls13 {
            for &below in wanted.iter().filter(|below| **below < version) {
                seen.versions.insert(below, Attempt::Completed(false));
            }
        }
    }
    seen
}

/// Whether the answer accepts `version`. Closing without an alert is a refusal that old servers know no better form of.
fn accepted(flight: &Result<ServerFlight, AttemptFailure>, version: ProtocolVersion) -> Attempt<bool> {
    match flight {
        Ok(flight) => match &flight.hello {
            Some(hello) if hello.tls_version() == Some(version) => Attempt::Completed(true),
            Some(hello) if hello.tls_version().is_some_and(|chosen| chosen < version) => Attempt::Completed(false),
            Some(_) => {
                Attempt::Failed(AttemptFailure::Protocol("the server chose a version that was not offered".to_owned()))
            }
            None => Attempt::Completed(false),
        },
        Err(AttemptFailure::Closed(CLIENT_HELLO) | AttemptFailure::Reset(CLIENT_HELLO)) => Attempt::Completed(false),
        Err(reason) => attempt(Err(reason.clone())),
    }
}

/// Finds the suites of `version` by offering all, then all but those chosen, until none is.
pub(crate) async fn suites(
    endpoint: &Endpoint<'_>,
    opening: Opening,
    version: ProtocolVersion,
) -> Enumerated<CipherSuite> {
    let all = all_of(version);
    let mut left = all.suites.clone();
    let mut found = Enumerated { version, chosen: Vec::new(), complete: false };
    while !left.is_empty() {
        let flight = hello(endpoint, opening, version, &left, &all.groups).await;
        let chosen = flight.as_ref().ok().and_then(|flight| flight.hello.as_ref());
        let chosen = chosen.filter(|hello| hello.tls_version() == Some(version)).map(|hello| hello.suite);
        match chosen.and_then(|suite| left.iter().position(|other| *other == suite)) {
            Some(index) => found.chosen.push(left.remove(index)),
            None => {
                found.complete = accepted(&flight, version) == Attempt::Completed(false);
                return found;
            }
        }
    }
    found.complete = true;
    found
}

/// Finds the groups of `version` in the same way.
pub(crate) async fn groups(
    endpoint: &Endpoint<'_>,
    opening: Opening,
    version: ProtocolVersion,
) -> Enumerated<NamedGroup> {
    groups_among(endpoint, opening, version, all_of(version).groups.clone()).await
}

/// Finds the groups that withstand a quantum computer. One connection where the server has none.
pub(crate) async fn post_quantum(endpoint: &Endpoint<'_>, opening: Opening) -> Enumerated<NamedGroup> {
    let version = ProtocolVersion::Tls13;
    let groups = NamedGroup::of_version(version).filter(|group| group.is_post_quantum()).collect();
    groups_among(endpoint, opening, version, groups).await
}

async fn groups_among(
    endpoint: &Endpoint<'_>,
    opening: Opening,
    version: ProtocolVersion,
    mut left: Vec<NamedGroup>,
) -> Enumerated<NamedGroup> {
    let all = all_of(version);
    // Only suites that need one of these groups: others would be chosen when the groups run out.
    let suites: Vec<_> = all
        .suites
        .iter()
        .copied()
        .filter(|suite| suite.is_tls13() || suite.name().is_some_and(|name| name.starts_with("TLS_ECDHE_")))
        .collect();
    let mut found = Enumerated { version, chosen: Vec::new(), complete: false };
    while !left.is_empty() {
        let flight = hello(endpoint, opening, version, &suites, &left).await;
        let chosen = flight.as_ref().ok().and_then(hello_group);
        match chosen.and_then(|group| left.iter().position(|other| *other == group)) {
            Some(index) => found.chosen.push(left.remove(index)),
            None => {
                found.complete = accepted(&flight, version) == Attempt::Completed(false);
                return found;
            }
        }
    }
    found.complete = true;
    found
}
