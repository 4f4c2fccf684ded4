//! The questions in PostgreSQL's own protocol. Each is one connection (two where a busy server is asked again).

use std::time::Duration;

use hostssl_pgwire::backend::Authentication;
use hostssl_pgwire::frontend::{GSSENC_REQUEST, SSL_REQUEST};
use hostssl_pgwire::negotiation::{GssReply, SslReply};
use hostssl_pgwire::scram::SCRAM_SHA_256;
use tokio::time::Instant;

use crate::attempt::{Attempt, AttemptFailure};
use crate::connection::{Connection, Negotiation, connection_name};
use crate::dial::Stream;
use crate::endpoint::{Endpoint, Opening, attempt};
use crate::identity::Transport;
use crate::offer::{Handshake, Startup};
use crate::report::SslRequestOutcome;
use crate::startup_answer::StartupReply;
use crate::tls_client::{ALPN, HandshakeFault, OfferedVersions};

/// How long to wait for unsolicited bytes: about a round trip, as a peer that talks first sends at once.
const LISTEN: (Duration, Duration) = (Duration::from_millis(2), Duration::from_millis(250));

/// How long a server may take to answer a startup that was stuffed behind the request.
const STUFFING_TIMEOUT: Duration = Duration::from_secs(2);

/// What the first connection showed.
#[derive(Debug)]
pub(crate) enum First {
    /// The peer said something before it was asked.
    TalksFirst,
    /// The answer to `SSLRequest`, and where it was S or N what came of going on.
    Negotiated(Box<Negotiation>, Option<FirstStartup>),
}

/// The startup of the first connection.
#[derive(Debug)]
pub(crate) enum FirstStartup {
    /// After N: in plaintext on the same connection.
    Plaintext(Box<Attempt<StartupReply>>),
    /// After S: over TLS.
    Encrypted(Box<TlsRun>),
}

/// A startup over TLS.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct TlsRun {
    pub(crate) handshake: Result<Handshake, HandshakeFault>,
    pub(crate) reply: Attempt<StartupReply>,
}

/// Connects, listens, sends `SSLRequest`, and continues with `startup` as the answer allows.
pub(crate) async fn first(endpoint: &Endpoint<'_>, startup: &Startup) -> Result<First, AttemptFailure> {
    let mut run = first_once(endpoint, startup).await?;
    // A close or a reset may be a loss on the way.
    for _ in 0..2 {
        if !is_lost(&run) || !wait(endpoint, Duration::from_millis(200)).await {
            break;
        }
        run = first_once(endpoint, startup).await.unwrap_or(run);
    }
    let busy = match &run {
        First::Negotiated(_, Some(FirstStartup::Plaintext(reply))) => is_busy(reply),
        First::Negotiated(_, Some(FirstStartup::Encrypted(run))) => is_busy(&run.reply),
        // An error in place of S or N comes from a server that has no process to spare.
        First::Negotiated(negotiation, None) => negotiation.outcome == SslRequestOutcome::E,
        First::TalksFirst => false,
    };
    if !busy || !pause(endpoint).await {
        return Ok(run);
    }
    first_once(endpoint, startup).await.or(Ok(run))
}

fn is_lost(run: &First) -> bool {
    let outcome = match run {
        First::Negotiated(negotiation, None) => negotiation.outcome,
        _ => return false,
    };
    matches!(outcome, SslRequestOutcome::Closed | SslRequestOutcome::Reset)
}

async fn first_once(endpoint: &Endpoint<'_>, startup: &Startup) -> Result<First, AttemptFailure> {
    let (mut wire, round_trip) = endpoint.connect(|| connection_name("SSLRequest", startup)).await?;
    if wire.talks_first(round_trip.clamp(LISTEN.0, LISTEN.1)).await {
        wire.close().await;
        return Ok(First::TalksFirst);
    }
    let negotiation = wire.negotiate().await;
    endpoint.note(|identity| identity.ssl_request(negotiation.outcome));
    let next = match negotiation.outcome {
        SslRequestOutcome::S if !negotiation.bytes_after => {
            let mut run = over_tls(endpoint, wire, startup, Opening::SslRequest, OfferedVersions::All).await;
            if alpn_refused(endpoint, &run) {
                run = encrypted_once(endpoint, startup, Opening::SslRequest, OfferedVersions::All).await;
            }
            Some(FirstStartup::Encrypted(Box::new(run)))
        }
        SslRequestOutcome::N => {
            let reply = wire.startup(startup).await;
            note_reply(endpoint, Transport::Plaintext, startup, &reply);
            wire.close().await;
            Some(FirstStartup::Plaintext(Box::new(attempt(reply))))
        }
        _ => None,
    };
    Ok(First::Negotiated(Box::new(negotiation), next))
}

/// Sends `startup` in plaintext.
pub(crate) async fn plaintext(endpoint: &Endpoint<'_>, startup: &Startup) -> Attempt<StartupReply> {
    let reply = plaintext_once(endpoint, startup).await;
    if is_busy(&reply) && pause(endpoint).await {
        return plaintext_once(endpoint, startup).await;
    }
    reply
}

/// Sends a startup in plaintext that was closed without a word again and again, the pauses longer each time, while no
/// other connection to the server is open. A terminator closes every time; a bad network or a limit on connections does
/// not, and one answer is worth more than any number of silences.
pub(crate) async fn plaintext_again(
    endpoint: &Endpoint<'_>,
    startup: &Startup,
    pauses: &[Duration],
) -> Attempt<StartupReply> {
    let mut reply = Attempt::NotScheduled(AttemptFailure::EndpointDeadline);
    for pause in pauses {
        if !wait(endpoint, *pause).await {
            break;
        }
        reply = plaintext_once(endpoint, startup).await;
        if !is_silent(&reply) {
            break;
        }
    }
    reply
}

/// The pauses before a startup in plaintext that was closed without an answer is sent again.
pub(crate) const SILENCES: [Duration; 5] = [
    Duration::from_millis(50),
    Duration::from_millis(100),
    Duration::from_millis(200),
    Duration::from_millis(400),
    Duration::from_millis(800),
];

/// The same for startups after one that was closed every time.
pub(crate) const LATER_SILENCES: [Duration; 2] = [Duration::from_millis(50), Duration::from_millis(400)];

/// The same for the startups of the second round where none of the first was answered in plaintext.
pub(crate) const ONE_MORE_SILENCE: [Duration; 1] = [Duration::from_millis(50)];

pub(crate) fn is_silent(reply: &Attempt<StartupReply>) -> bool {
    matches!(reply, Attempt::Failed(AttemptFailure::Closed(_) | AttemptFailure::Reset(_)))
}

async fn plaintext_once(endpoint: &Endpoint<'_>, startup: &Startup) -> Attempt<StartupReply> {
    let (mut wire, _) = match endpoint.connect(|| connection_name("plaintext", startup)).await {
        Ok(connected) => connected,
        Err(reason) => return attempt(Err(reason)),
    };
    let reply = wire.startup(startup).await;
    note_reply(endpoint, Transport::Plaintext, startup, &reply);
    wire.close().await;
    attempt(reply)
}

fn note_reply(
    endpoint: &Endpoint<'_>,
    transport: Transport,
    startup: &Startup,
    reply: &Result<StartupReply, AttemptFailure>,
) {
    if let Ok(reply) = reply {
        endpoint.note(|identity| identity.reply(transport, startup, reply));
    }
}

/// Whether a terminator with other protocols of its own turned ours down. From then on none is offered, as by libpq up
/// to 16.
fn alpn_refused(endpoint: &Endpoint<'_>, run: &TlsRun) -> bool {
    let refused = run.handshake.as_ref().is_err_and(|fault| fault.alpn_refused);
    if refused {
        endpoint.stop_offering_alpn();
    }
    refused
}

/// Sends `startup` over TLS.
pub(crate) async fn encrypted(endpoint: &Endpoint<'_>, startup: &Startup, opening: Opening) -> TlsRun {
    let once = async || encrypted_once(endpoint, startup, opening, OfferedVersions::All).await;
    let mut run = once().await;
    if opening == Opening::SslRequest && alpn_refused(endpoint, &run) {
        run = once().await;
    }
    if is_busy(&run.reply) && pause(endpoint).await {
        return once().await;
    }
    run
}

/// Shakes hands once more as the first connection did, to meet other servers. Whether they can prove their keys.
pub(crate) async fn handshake_again(endpoint: &Endpoint<'_>, startup: &Startup, opening: Opening) -> bool {
    match encrypted_once(endpoint, startup, opening, OfferedVersions::All).await.handshake {
        Err(HandshakeFault { reason: AttemptFailure::FalseSignature, .. }) => false,
        Err(HandshakeFault { reason: AttemptFailure::Handshake(_), chain, .. }) => {
            endpoint.note(|known| known.failed_handshake(&chain));
            true
        }
        _ => true,
    }
}

/// Sends `startup` over TLS 1.2, as a client that has nothing newer.
pub(crate) async fn encrypted_by_tls12(endpoint: &Endpoint<'_>, startup: &Startup, opening: Opening) -> TlsRun {
    encrypted_once(endpoint, startup, opening, OfferedVersions::OnlyTls12).await
}

async fn encrypted_once(
    endpoint: &Endpoint<'_>,
    startup: &Startup,
    opening: Opening,
    versions: OfferedVersions,
) -> TlsRun {
    let transport = match (opening, versions) {
        (Opening::SslRequest, OfferedVersions::All) => "TLS",
        (Opening::SslRequest, OfferedVersions::OnlyTls12) => "TLS 1.2",
        (Opening::Direct { alpn: true }, OfferedVersions::All) => "direct TLS",
        (Opening::Direct { .. }, OfferedVersions::OnlyTls12) => "direct TLS 1.2",
        (Opening::Direct { alpn: false }, OfferedVersions::All) => "direct TLS without ALPN",
    };
    match endpoint.connect_for_tls(opening, || connection_name(transport, startup)).await {
        Ok(wire) => over_tls(endpoint, wire, startup, opening, versions).await,
        Err(reason) => {
            let fault = HandshakeFault {
                reason: reason.clone(),
                alpn_refused: false,
                version_refused: false,
                chain: Vec::new(),
            };
            TlsRun { handshake: Err(fault), reply: attempt(Err(reason)) }
        }
    }
}

/// Shakes hands and sends `startup`. The answer is the one read that must follow a handshake: in TLS 1.3 a server's
/// demand for a client certificate comes only there.
async fn over_tls(
    endpoint: &Endpoint<'_>,
    wire: Connection<Stream>,
    startup: &Startup,
    opening: Opening,
    versions: OfferedVersions,
) -> TlsRun {
    match shake_hands(endpoint, wire, opening, versions).await {
        Ok((mut wire, handshake)) => {
            let reply = wire.startup(startup).await;
            if versions == OfferedVersions::All {
                endpoint.note(|known| known.chosen_version(handshake.version));
            }
            // What is agreed on depends on how it was asked for.
            match (versions, opening) {
                (OfferedVersions::All, Opening::SslRequest) => endpoint.note(|known| known.handshake("", &handshake)),
                (OfferedVersions::All, Opening::Direct { .. }) => {
                    endpoint.note(|known| known.certificates_of(&handshake))
                }
                (OfferedVersions::OnlyTls12, _) => endpoint.note(|known| known.handshake("TLS 1.2", &handshake)),
            }
            note_reply(endpoint, Transport::Tls, startup, &reply);
            note_salt(endpoint, &mut wire, startup, &reply).await;
            wire.close().await;
            TlsRun { handshake: Ok(handshake), reply: attempt(reply) }
        }
        Err(fault) => TlsRun { reply: attempt(Err(fault.reason.clone())), handshake: Err(fault) },
    }
}

/// Asks for the salt of the user where another connection will show one to compare it with.
async fn note_salt(
    endpoint: &Endpoint<'_>,
    wire: &mut TlsWire,
    startup: &Startup,
    reply: &Result<StartupReply, AttemptFailure>,
) {
    let Ok(StartupReply::Authentication(Authentication::Sasl { mechanisms })) = reply else { return };
    if !endpoint.options.versions || !mechanisms.iter().any(|name| name == SCRAM_SHA_256) {
        return;
    }
    if let Some(challenge) = wire.salt(endpoint.tls.random()).await {
        endpoint.note(|known| known.salt(&startup.user, &challenge));
    }
}

type TlsWire = Connection<tokio_rustls::client::TlsStream<Stream>>;

async fn shake_hands(
    endpoint: &Endpoint<'_>,
    wire: Connection<Stream>,
    opening: Opening,
    versions: OfferedVersions,
) -> Result<(TlsWire, Handshake), HandshakeFault> {
    // libpq offers the protocol since version 17 in every handshake. A server that chooses it has direct TLS.
    let alpn = match opening {
        Opening::SslRequest => endpoint.offers_alpn(),
        Opening::Direct { alpn } => alpn,
    };
    wire.pen.sent("ClientHello", || {
        let offer = if alpn { format!(", ALPN {}", hostssl_pgwire::text::safe(ALPN)) } else { String::new() };
        let newest = if versions == OfferedVersions::All { "TLSv1.3, " } else { "" };
        format!("{newest}TLSv1.2{offer}")
    });
    let host = endpoint.server_name();
    match wire.layer(|stream| endpoint.tls.connect(host, versions, alpn, stream)).await {
        Ok((wire, handshake)) => {
            wire.pen.event("TLS established", || {
                let asked = if handshake.certificate_requested { ", client certificate requested" } else { "" };
                format!("{} {}{asked}", handshake.version, handshake.suite)
            });
            Ok((wire, handshake))
        }
        Err((Some(fault), pen)) => {
            pen.event("handshake failed", || fault.reason.to_string());
            Err(fault)
        }
        Err((None, pen)) => {
            pen.event("handshake failed", || "deadline reached".to_owned());
            let reason = AttemptFailure::Timeout("completing the TLS handshake");
            Err(HandshakeFault { reason, alpn_refused: false, version_refused: false, chain: Vec::new() })
        }
    }
}

/// Whether direct TLS leads to PostgreSQL. Closing, a reset or an alert is a refusal: a server without it takes the
/// ClientHello for a packet of impossible length, and one that misses the ALPN closes after the handshake.
pub(crate) fn direct_answer(run: &TlsRun) -> Attempt<bool> {
    match &run.reply {
        Attempt::Completed(_) | Attempt::Failed(AttemptFailure::ClientCertificate) => Attempt::Completed(true),
        Attempt::Failed(
            AttemptFailure::Closed(_)
            | AttemptFailure::ClosedWithin(_)
            | AttemptFailure::Reset(_)
            | AttemptFailure::Handshake(_)
            | AttemptFailure::FalseSignature
            | AttemptFailure::Protocol(_),
        ) => Attempt::Completed(false),
        Attempt::Failed(reason) => Attempt::Failed(reason.clone()),
        Attempt::NotScheduled(reason) => Attempt::NotScheduled(reason.clone()),
    }
}

/// Whether `GSSENCRequest` is answered by G.
pub(crate) async fn gss_encryption(endpoint: &Endpoint<'_>) -> Attempt<bool> {
    const WHAT: &str = "waiting for the answer to GSSENCRequest";
    let ask = async {
        let (mut wire, _) = endpoint.connect(|| "GSSENCRequest".to_owned()).await?;
        wire.pen.sent("GSSENCRequest", String::new);
        wire.send(&GSSENC_REQUEST, WHAT).await?;
        loop {
            match GssReply::decode(wire.buffer()) {
                Ok(Some(reply)) => {
                    wire.pen.received(if reply == GssReply::Accepted { "G" } else { "N or E" }, String::new);
                    wire.close().await;
                    return Ok(reply == GssReply::Accepted);
                }
                Ok(None) => wire.receive(WHAT).await?,
                Err(error) => return Err(AttemptFailure::Protocol(error.to_string())),
            }
        }
    };
    attempt(ask.await)
}

/// Whether a startup in the same segment as the `SSLRequest`, in plaintext, is answered over TLS (CVE-2021-23214).
///
/// A fixed server says so over TLS (08P01) or closes the connection; one that never saw the bytes stays silent.
pub(crate) async fn startup_stuffing(endpoint: &Endpoint<'_>, startup: &Startup) -> Attempt<bool> {
    const WHAT: &str = "waiting for the answer to a stuffed SSLRequest";
    let ask = async {
        let message = startup.message().encode().map_err(|error| AttemptFailure::Encode(error.to_string()))?;
        let (mut wire, _) = endpoint.connect(|| connection_name("stuffed SSLRequest", startup)).await?;
        wire.pen.sent("SSLRequest followed by a StartupMessage", || startup.describe());
        wire.send(&[&SSL_REQUEST[..], &message].concat(), WHAT).await?;
        loop {
            match SslReply::decode(wire.buffer()) {
                Ok(Some(SslReply::Accepted)) if wire.buffer().len() == 1 => break,
                Ok(Some(_)) | Err(_) => return Ok(false),
                Ok(None) => match wire.receive(WHAT).await {
                    Ok(()) => {}
                    Err(AttemptFailure::Closed(_) | AttemptFailure::Reset(_)) => return Ok(false),
                    Err(reason) => return Err(reason),
                },
            }
        }
        let (mut wire, _) = match shake_hands(endpoint, wire, Opening::SslRequest, OfferedVersions::All).await {
            Ok(shaken) => shaken,
            Err(HandshakeFault { reason: AttemptFailure::Timeout(what), .. }) => {
                return Err(AttemptFailure::Timeout(what));
            }
            Err(_) => return Ok(false),
        };
        wire.deadline = wire.deadline.min(Instant::now() + STUFFING_TIMEOUT);
        let answered = match wire.startup_reply().await {
            Ok(StartupReply::Authentication(_) | StartupReply::AuthenticationBegun) => true,
            Ok(StartupReply::Error(error)) => !error.protocol_2 && error.code.as_deref() != Some("08P01"),
            Err(AttemptFailure::Closed(_) | AttemptFailure::ClosedWithin(_) | AttemptFailure::Reset(_)) => false,
            // Silence may be slowness.
            Err(reason) => {
                wire.close().await;
                return Err(reason);
            }
        };
        wire.close().await;
        Ok(answered)
    };
    attempt(ask.await)
}

fn is_busy(reply: &Attempt<StartupReply>) -> bool {
    reply.completed().is_some_and(StartupReply::is_busy)
}

/// Waits before a retry; false when the endpoint's time does not allow it.
async fn pause(endpoint: &Endpoint<'_>) -> bool {
    wait(endpoint, endpoint.options.retry_delay).await
}

pub(crate) async fn wait(endpoint: &Endpoint<'_>, pause: Duration) -> bool {
    let wake = Instant::now() + pause;
    if wake >= endpoint.turn.deadline() {
        return false;
    }
    tokio::time::sleep_until(wake).await;
    true
}
