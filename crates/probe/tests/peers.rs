//! The prober against peers that misbehave. Each peer is a listener on loopback; each expectation was written down from
//! the protocol notes (the states of a server's answer to its first bytes, and the traps met) before the probe ran.

#![expect(clippy::unwrap_used, reason = "a test that cannot be set up has failed")]

mod common;

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use common::{
    ClientCertificates, Peer, Script, error, first_packet, modern, probe, quick, refusal, scram, tls_server,
    wait_for_end,
};
use futures::future::BoxFuture;
use futures::{FutureExt as _, StreamExt as _};
use hostssl_pgwire::backend::Authentication;
use hostssl_pgwire::frontend::InitialPacket;
use hostssl_probe::dial::{Dial, Network, Stream};
use hostssl_probe::report::{
    ClientCertificate, ProtocolVersion, SslRequestOutcome as Ssl, StartupOutcome, Support, Weakness, WireVerdict,
};
use hostssl_probe::target::{ProbeTarget, SslNegotiation};
use hostssl_probe::{ProbeOptions, Prober, StartupNames, probe_many};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpSocket, TcpStream};

fn thorough() -> ProbeOptions {
    let quick = quick();
    ProbeOptions { direct_tls_without_alpn: true, gss_encryption: true, startup_stuffing: true, ..quick }
}

/// Closes with a reset in place of an end.
fn reset(stream: &TcpStream) {
    stream.set_zero_linger().unwrap();
}

#[tokio::test]
async fn an_open_port_that_closes_silently() {
    let peer = Peer::start(async |stream: TcpStream, _| drop_quietly(stream)).await;
    let report = probe(peer.address, quick()).await;
    assert_eq!((report.verdict, report.ssl_request), (WireVerdict::Inconclusive, Ssl::Closed));
    assert_eq!(report.plaintext.outcome, StartupOutcome::Unknown);
}

fn drop_quietly(_: TcpStream) -> std::io::Result<()> {
    Ok(())
}

#[tokio::test]
async fn an_open_port_that_resets_after_the_request() {
    let peer = Peer::start(async |mut stream: TcpStream, _| {
        stream.read_u8().await?;
        reset(&stream);
        Ok(())
    })
    .await;
    let report = probe(peer.address, quick()).await;
    assert_eq!((report.verdict, report.ssl_request), (WireVerdict::Inconclusive, Ssl::Reset));
}

#[tokio::test]
async fn a_tarpit_costs_its_time_out_and_few_connections() {
    let peer = Peer::start(async |mut stream: TcpStream, _| wait_for_end(&mut stream).await).await;
    let report = probe(peer.address, quick()).await;
    assert_eq!((report.verdict, report.ssl_request), (WireVerdict::Inconclusive, Ssl::Timeout));
    assert_eq!(peer.count(), 3, "SSLRequest, one startup in plaintext, one direct TLS");
}

#[tokio::test]
async fn a_closed_port() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    drop(listener);
    let report = probe(address, quick()).await;
    assert_eq!((report.verdict, report.ssl_request), (WireVerdict::Unreachable, Ssl::NotSent));
    assert!(report.reason.contains("refused"), "{}", report.reason);
}

#[tokio::test]
async fn a_black_hole() {
    // A listener whose queue is full drops further SYNs.
    let socket = TcpSocket::new_v4().unwrap();
    socket.bind(SocketAddr::from(([127, 0, 0, 1], 0))).unwrap();
    let listener = socket.listen(1).unwrap();
    let address = listener.local_addr().unwrap();
    let mut fill = Vec::new();
    for _ in 0..8 {
        fill.push(tokio::time::timeout(Duration::from_millis(100), TcpStream::connect(address)).await);
    }
    let report = probe(address, quick()).await;
    assert_eq!((report.verdict, report.ssl_request), (WireVerdict::Unreachable, Ssl::NotSent));
    assert!(report.reason.contains("deadline"), "{}", report.reason);
}

#[tokio::test]
async fn a_name_without_an_address() {
    let prober = Prober::new(quick()).unwrap();
    let reports = prober.probe(&ProbeTarget::new("does-not-exist.invalid", 5432)).await;
    assert_eq!(reports.len(), 1);
    assert_eq!((reports[0].verdict, reports[0].address.as_deref()), (WireVerdict::Unreachable, None));
}

#[tokio::test]
async fn peers_that_are_no_postgresql() {
    for (name, early, late, expected) in [
        ("SSH speaks first", &b"SSH-2.0-OpenSSH_9.2\r\n"[..], &b""[..], Ssl::NotSent),
        ("a slow SSH", b"", b"SSH-2.0-OpenSSH_9.2\r\n", Ssl::Garbage),
        ("HTTP", b"", b"HTTP/1.1 400 Bad Request\r\n\r\n", Ssl::Garbage),
        ("a byte N and more", b"", b"NNTP ready\r\n", Ssl::Garbage),
        ("a byte E and a lie", b"", b"E\0\0\0\x05\0\0\0\0", Ssl::Garbage),
        ("MySQL speaks first", b"J\0\0\0\x0a8.0.36\0", b"", Ssl::NotSent),
        ("a byte Y", b"", b"Y", Ssl::Garbage),
    ] {
        let peer = Peer::start(move |mut stream: TcpStream, _| async move {
            stream.write_all(early).await?;
            stream.read_u8().await?;
            stream.write_all(late).await?;
            wait_for_end(&mut stream).await
        })
        .await;
        let report = probe(peer.address, quick()).await;
        assert_eq!(
            (report.verdict, report.ssl_request),
            (WireVerdict::NotPostgresql, expected),
            "{name}: {}",
            report.reason
        );
        assert!(report.tls.is_none() && report.certificate.is_none(), "{name}");
    }
}

#[tokio::test]
async fn a_server_without_tls() {
    let peer = Script::without_tls(Authentication::CleartextPassword.encode()).peer().await;
    let report = probe(peer.address, quick()).await;
    assert_eq!((report.verdict, report.ssl_request), (WireVerdict::PlaintextOnly, Ssl::N));
    assert_eq!(
        report.weaknesses,
        [Weakness::PlaintextAccepted, Weakness::PlaintextReplicationAccepted, Weakness::PlaintextPassword]
    );
    assert_eq!(peer.count(), 4, "after N the first startup goes over the same connection");

    let peer = Script::without_tls(refusal()).peer().await;
    let report = probe(peer.address, quick()).await;
    assert_eq!(report.verdict, WireVerdict::Inconclusive, "{}", report.reason);
}

#[tokio::test]
async fn after_n_something_else_than_postgresql() {
    let peer = Script::without_tls(b"HTTP/1.1 200 OK\r\n\r\n".to_vec()).peer().await;
    assert_eq!(probe(peer.address, quick()).await.verdict, WireVerdict::NotPostgresql);
}

#[tokio::test]
async fn errors_in_answer_to_the_request() {
    for bytes in [
        error("53300", Some("InitProcess"), "sorry, too many clients already"),
        b"EFATAL:  sorry, too many clients already\n\0".to_vec(),
    ] {
        let script = Script { ssl: bytes.clone(), ..Script::without_tls(bytes) };
        let peer = script.peer().await;
        let report = probe(peer.address, quick()).await;
        assert_eq!((report.verdict, report.ssl_request), (WireVerdict::Inconclusive, Ssl::E));
        assert!(peer.count() >= 2, "asked once more");
    }
}

#[tokio::test]
async fn tls_that_is_announced_and_not_there() {
    for (name, after) in [
        ("closes", &b""[..]),
        ("garbage", b"this is no TLS at all"),
        ("an alert", &[21, 3, 3, 0, 2, 2, 40]),
        ("an endless record", &[22, 3, 3, 0xff, 0xff]),
    ] {
        let peer = Peer::start(move |mut stream: TcpStream, _| async move {
            match first_packet(&mut stream).await? {
                InitialPacket::SslRequest => {
                    stream.write_all(b"S").await?;
                    let mut hello = [0; 32];
                    stream.read_exact(&mut hello).await?;
                    stream.write_all(after).await
                }
                _ => {
                    stream.write_all(&refusal()).await?;
                    wait_for_end(&mut stream).await
                }
            }
        })
        .await;
        let report = probe(peer.address, quick()).await;
        assert_eq!((report.verdict, report.ssl_request), (WireVerdict::BrokenTls, Ssl::S), "{name}: {}", report.reason);
        assert_eq!(report.plaintext.outcome, StartupOutcome::Refused, "{name}");
    }
}

#[tokio::test]
async fn a_handshake_that_never_ends() {
    let script = Script { tls: None, ..Script::enforcing(modern()) };
    let peer = script.peer().await;
    let report = probe(peer.address, quick()).await;
    assert_eq!((report.verdict, report.ssl_request), (WireVerdict::Inconclusive, Ssl::S), "{}", report.reason);
    assert!(report.encrypted.note.is_some_and(|note| note.contains("deadline")));
}

#[tokio::test]
async fn bytes_between_s_and_the_handshake() {
    let script = Script { ssl: b"S and an injected message".to_vec(), ..Script::enforcing(modern()) };
    let report = probe(script.peer().await.address, quick()).await;
    assert_eq!((report.verdict, report.ssl_request), (WireVerdict::BrokenTls, Ssl::S), "{}", report.reason);
    assert_eq!(report.weaknesses, [Weakness::BytesBeforeHandshake]);
}

#[tokio::test]
async fn floods_and_drips_are_cut_off() {
    for (name, prefix) in
        [("from the start", &b""[..]), ("an endless old error", b"EFATAL: "), ("an endless banner", b"S")]
    {
        let peer = Peer::start(move |mut stream: TcpStream, _| async move {
            if !prefix.is_empty() {
                stream.read_u8().await?;
                stream.write_all(prefix).await?;
            }
            loop {
                stream.write_all(&[b'x'; 65536]).await?;
            }
        })
        .await;
        // The flood never ends: that the probe does shows that it was cut off.
        let report = probe(peer.address, quick()).await;
        assert_eq!(report.verdict, WireVerdict::NotPostgresql, "{name}: {}", report.reason);
    }

    let drip = Peer::start(async |mut stream: TcpStream, _| {
        stream.read_u8().await?;
        stream.write_all(b"EFATAL").await?;
        loop {
            stream.write_all(b"x").await?;
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    })
    .await;
    let report = probe(drip.address, quick()).await;
    assert_eq!(report.verdict, WireVerdict::Inconclusive, "{}", report.reason);
}

#[tokio::test]
async fn a_terminator_that_closes_plaintext_silently() {
    let script = Script { plaintext: Vec::new(), encrypted: scram(false), ..Script::enforcing(modern()) };
    let patient = ProbeOptions { endpoint_timeout: Duration::from_secs(60), ..quick() };
    let report = probe(script.peer().await.address, patient).await;
    assert_eq!(report.verdict, WireVerdict::Enforced, "{}", report.reason);
    assert_eq!(report.startups.len(), 11, "each name is asked for");
    assert_eq!(report.tls.unwrap().channel_binding, Some(false));
    assert!(report.weaknesses.contains(&Weakness::NoChannelBinding));
}

#[tokio::test]
async fn servers_by_the_code_of_their_refusal() {
    for (name, plaintext, expected) in [
        ("PostgreSQL", refusal(), WireVerdict::Enforced),
        ("pgbouncer", error("08P01", None, "SSL required"), WireVerdict::Enforced),
        ("a gateway", error("28000", None, "SSL connection is required."), WireVerdict::Enforced),
        ("md5", Authentication::Md5Password { salt: [1; 4] }.encode(), WireVerdict::Optional),
        ("a role that is not there", error("28000", Some("InitializeSessionUserId"), "role"), WireVerdict::Optional),
        ("a database that is not there", error("3D000", Some("InitPostgres"), "database"), WireVerdict::Optional),
        ("starting up", error("57P03", Some("ProcessStartupPacket"), "starting"), WireVerdict::Inconclusive),
        ("shutting down", error("57P01", Some("x"), "terminating"), WireVerdict::Inconclusive),
        ("an old protocol", error("0A000", Some("ProcessStartupPacket"), "unsupported"), WireVerdict::Inconclusive),
    ] {
        let script = Script { plaintext, ..Script::enforcing(modern()) };
        let report = probe(script.peer().await.address, quick()).await;
        assert_eq!(report.verdict, expected, "{name}: {}", report.reason);
    }
}

#[tokio::test]
async fn a_server_that_wakes_up_is_asked_again() {
    let script = Script::enforcing(modern());
    let peer = Peer::start(move |mut stream: TcpStream, index| {
        let script = script.clone();
        async move {
            // The first startup in plaintext finds the server starting.
            if index > 0 && index < 3 {
                let mut first = [0; 8];
                stream.peek(&mut first).await?;
                if first[..4] != [0, 0, 0, 8] && first[0] != 0x16 {
                    first_packet(&mut stream).await?;
                    return stream.write_all(&error("57P03", Some("ProcessStartupPacket"), "starting up")).await;
                }
            }
            script.serve(stream).await
        }
    })
    .await;
    let report = probe(peer.address, quick()).await;
    assert_eq!(report.verdict, WireVerdict::Enforced, "{}", report.reason);
}

#[tokio::test]
async fn client_certificates_demanded_by_tls() {
    for (name, versions) in [("TLS 1.3", &[&rustls::version::TLS13]), ("TLS 1.2", &[&rustls::version::TLS12])] {
        let tls = tls_server(versions, ClientCertificates::Required);
        let report = probe(Script::enforcing(tls).peer().await.address, quick()).await;
        assert_eq!(report.verdict, WireVerdict::Enforced, "{name}: {}", report.reason);
        assert_eq!(report.encrypted.authentication.as_deref(), Some("cert"), "{name}");
        let tls = report.tls.unwrap();
        assert_eq!(tls.client_certificate, ClientCertificate::Required, "{name}");
        assert!(report.certificate.is_some(), "{name}: the chain is shown all the same");
    }
}

#[tokio::test]
async fn versions_of_a_tls_1_2_and_a_tls_1_3_server() {
    for (versions, expected) in [
        (&[&rustls::version::TLS13][..], [Support::Refused, Support::Accepted]),
        (&[&rustls::version::TLS12], [Support::Accepted, Support::Refused]),
        (rustls::ALL_VERSIONS, [Support::Accepted, Support::Accepted]),
    ] {
        let tls = tls_server(versions, ClientCertificates::NotAsked);
        let report = probe(Script::enforcing(tls).peer().await.address, quick()).await;
        assert_eq!(report.verdict, WireVerdict::Enforced);
        let found: Vec<_> = report.tls.unwrap().versions.iter().map(|version| version.support).collect();
        assert_eq!(found[3..], expected);
        assert_eq!(found[..3], [Support::Refused; 3]);
    }
}

#[tokio::test]
async fn direct_tls() {
    for (direct, alpn_needed, with_alpn, without) in [
        (false, true, Support::Refused, Support::Unknown),
        (true, true, Support::Accepted, Support::Refused),
        (true, false, Support::Accepted, Support::Accepted),
    ] {
        let script = Script { direct, alpn_needed, ..Script::enforcing(modern()) };
        let report = probe(script.peer().await.address, thorough()).await;
        let tls = report.tls.unwrap();
        assert_eq!(tls.direct_tls, with_alpn);
        assert_eq!(tls.direct_tls_without_alpn.unwrap_or_default(), without);
        assert_eq!(report.weaknesses.contains(&Weakness::DirectTlsWithoutAlpn), !alpn_needed);
    }
}

#[tokio::test]
async fn direct_tls_where_the_request_finds_no_answer() {
    let script = Script { direct: true, ..Script::enforcing(modern()) };
    let peer = Peer::start(move |mut stream: TcpStream, _| {
        let script = script.clone();
        async move {
            let mut first = [0; 8];
            stream.peek(&mut first).await?;
            match first {
                [0, 0, 0, 8, ..] => stream.shutdown().await,
                _ => script.serve(stream).await,
            }
        }
    })
    .await;
    let report = probe(peer.address, quick()).await;
    assert_eq!((report.verdict, report.ssl_request), (WireVerdict::Enforced, Ssl::Closed), "{}", report.reason);
    assert_eq!(report.tls.unwrap().negotiated.unwrap().alpn.as_deref(), Some("postgresql"));

    let mut target = ProbeTarget::new("127.0.0.1", peer.address.port());
    target.negotiation = SslNegotiation::Direct;
    let report = Prober::new(quick()).unwrap().probe(&target).await.remove(0);
    assert_eq!((report.verdict, report.ssl_request), (WireVerdict::Enforced, Ssl::NotSent), "{}", report.reason);
}

#[tokio::test]
async fn a_target_that_asks_for_direct_tls_in_vain() {
    let peer = Script::enforcing(modern()).peer().await;
    let mut target = ProbeTarget::new("127.0.0.1", peer.address.port());
    target.negotiation = SslNegotiation::Direct;
    let report = Prober::new(quick()).unwrap().probe(&target).await.remove(0);
    assert_eq!((report.verdict, report.ssl_request), (WireVerdict::Enforced, Ssl::S));
    assert_eq!(report.tls.unwrap().direct_tls, Support::Refused);
}

#[tokio::test]
async fn a_server_that_takes_a_stuffed_startup() {
    let tls = modern();
    let script = Script::enforcing(tls.clone());
    let peer = Peer::start(move |mut stream: TcpStream, _| {
        let (script, tls) = (script.clone(), tls.clone());
        async move {
            // As before CVE-2021-23214 was mended: what came behind the request stays in the buffer and counts.
            let mut start = [0; 64];
            tokio::time::sleep(Duration::from_millis(5)).await;
            let count = stream.peek(&mut start).await?;
            if count > 8 && start[..8] == hostssl_pgwire::frontend::SSL_REQUEST {
                first_packet(&mut stream).await?;
                first_packet(&mut stream).await?;
                stream.write_all(b"S").await?;
                let mut stream = tokio_rustls::TlsAcceptor::from(tls).accept(stream).await?;
                stream.write_all(&scram(true)).await?;
                stream.flush().await?;
                return wait_for_end(&mut stream).await;
            }
            script.serve(stream).await
        }
    })
    .await;
    let report = probe(peer.address, thorough()).await;
    assert_eq!(report.tls.unwrap().startup_stuffing, Some(Support::Accepted));
    assert!(report.weaknesses.contains(&Weakness::StartupStuffing));

    let honest = Script::enforcing(modern()).peer().await;
    let report = probe(honest.address, thorough()).await;
    assert_eq!(report.tls.unwrap().startup_stuffing, Some(Support::Refused));
}

#[tokio::test]
async fn a_notice_and_a_negotiation_may_come_first() {
    let mut bytes = b"v\0\0\0\x0c\0\0\0\0\0\0\0\0".to_vec();
    bytes.extend(b"N\0\0\0\x0dMbeware\0\0");
    bytes.extend(scram(false));
    let script = Script { plaintext: bytes, ..Script::enforcing(modern()) };
    assert_eq!(probe(script.peer().await.address, quick()).await.verdict, WireVerdict::Optional);
}

#[tokio::test]
async fn trust_in_clear_is_left_at_once() {
    let script = Script { plaintext: Authentication::Ok.encode(), ..Script::enforcing(modern()) };
    let report = probe(script.peer().await.address, quick()).await;
    assert_eq!(report.verdict, WireVerdict::Optional);
    assert!(report.weaknesses.contains(&Weakness::PlaintextTrust));
    let lines = report.transcript.unwrap();
    assert!(lines.iter().any(|line| line.message == "Terminate"));
}

#[tokio::test]
async fn nothing_from_a_server_steers_a_terminal() {
    let evil = error("28\u{1b}00", Some("\u{202e}x"), "\u{1b}]0;owned\u{7}\u{1b}[2J");
    let script = Script { plaintext: evil.clone(), encrypted: evil, ..Script::enforcing(modern()) };
    let report = probe(script.peer().await.address, quick()).await;
    let said = format!("{report:?}{}", hostssl_formats::probe_json::to_text(&report).unwrap());
    let kept = report.startups.iter().flat_map(|startup| [&startup.plaintext, &startup.encrypted]);
    for answer in kept {
        for text in [&answer.sqlstate, &answer.routine, &answer.note].into_iter().flatten() {
            assert!(!text.contains(['\u{1b}', '\u{7}', '\u{202e}']), "{text:?}");
        }
    }
    for line in report.transcript.iter().flatten() {
        assert!(!line.text.contains(['\u{1b}', '\u{7}', '\u{202e}']), "{line:?}");
    }
    assert!(!report.reason.contains('\u{1b}') && !said.contains("\u{1b}"));
}

#[tokio::test]
async fn connections_to_one_server_are_few() {
    let peer = Script::enforcing(modern()).peer().await;
    let options = ProbeOptions { connections_per_server: 2, ..thorough() };
    let prober = Arc::new(Prober::new(options).unwrap());
    let targets = vec![ProbeTarget::new("127.0.0.1", peer.address.port()); 3];
    let reports: Vec<_> = probe_many(prober, targets, 3).collect().await;
    assert!(reports.iter().all(|report| report.verdict == WireVerdict::Enforced));
    assert!(peer.count() > 15);
    // The peer counts a connection until it has seen its end: one more may be on its way out for each.
    assert!(peer.at_once.load(Ordering::SeqCst) <= 4, "{:?}", peer.at_once);
}

#[tokio::test]
async fn a_look_is_as_old_as_its_beginning() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let target = ProbeTarget::new("127.0.0.1", listener.local_addr().unwrap().port());
    let prober = Arc::new(Prober::new(thorough()).unwrap());
    let mut stream = probe_many(prober, vec![target], 1);
    let (report, arrived_ms) = tokio::join!(stream.next(), async {
        let (connection, _) = listener.accept().await.unwrap();
        let arrived_ms = jiff::Timestamp::now().as_millisecond();
        // The probe goes on for longer than the clock needs to tell.
        tokio::time::sleep(Duration::from_millis(20)).await;
        drop((connection, listener));
        arrived_ms
    });
    assert!(report.unwrap().observed_ms.is_some_and(|begun_ms| begun_ms <= arrived_ms));
}

/// Two servers in turn that are alike in everything but that one accepts plaintext: a single answer is a coin toss.
#[tokio::test]
async fn few_names_are_asked_again_before_enforcement_is_believed() {
    let strict = Script::enforcing(modern());
    let open = Script { plaintext: scram(false), ..strict.clone() };
    let count = Arc::new(AtomicUsize::new(0));
    let (one, asked) = (strict.clone(), count.clone());
    let balancer = Peer::start(move |stream, _| {
        let (one, open, asked) = (one.clone(), open.clone(), asked.clone());
        async move {
            let mut begin = [0; 8];
            // Version 3.0 of the protocol: a startup without TLS.
            let is_plaintext = stream.peek(&mut begin).await? == 8 && begin[4..] == [0, 3, 0, 0];
            let first = !is_plaintext || asked.fetch_add(1, Ordering::SeqCst) % 2 == 0;
            if first { one.serve(stream).await } else { open.serve(stream).await }
        }
    })
    .await;
    let only = || ProbeOptions {
        names: StartupNames::Given,
        users: vec!["app".to_owned()],
        replication: Vec::new(),
        ..ProbeOptions::default()
    };
    let report = probe(balancer.address, only()).await;
    assert_eq!((report.verdict, count.load(Ordering::SeqCst)), (WireVerdict::Optional, 2), "{}", report.reason);
    let alone = strict.peer().await;
    let report = probe(alone.address, only()).await;
    assert_eq!(report.verdict, WireVerdict::Enforced);
    assert!(report.reason.contains("(8 answers)"), "{}", report.reason);
}

#[tokio::test]
async fn a_lean_probe_comes_to_the_same_verdicts() {
    let connections = |options: ProbeOptions, script: Script| async move {
        let peer = script.peer().await;
        let report = probe(peer.address, options).await;
        (report.verdict, peer.count())
    };
    let lean = || ProbeOptions { transcript: false, ..ProbeOptions::lean() };
    let open = Script { plaintext: scram(false), ..Script::enforcing(modern()) };
    assert_eq!(connections(lean(), Script::enforcing(modern())).await, (WireVerdict::Enforced, 5));
    assert_eq!(connections(lean(), open.clone()).await, (WireVerdict::Optional, 5));
    // This peer does not end the question about old versions by an alert protocol_version, and chooses the protocol of direct
    // TLS without having it: three connections more than to a PostgreSQL.
    let fewest = || ProbeOptions { names: StartupNames::Fewest, ..quick() };
    assert_eq!(connections(fewest(), Script::enforcing(modern())).await, (WireVerdict::Enforced, 10));
    assert_eq!(connections(quick(), Script::enforcing(modern())).await, (WireVerdict::Enforced, 17));
    assert_eq!(connections(quick(), open).await, (WireVerdict::Optional, 10), "one hole is enough");
    // Where the first startup is refused over TLS, the others are tried.
    let shut = Script { encrypted: refusal(), ..Script::enforcing(modern()) };
    assert_eq!(connections(lean(), shut).await, (WireVerdict::Inconclusive, 8));
}

#[tokio::test]
async fn an_endpoint_has_a_deadline() {
    let script = Script::enforcing(modern());
    let peer = Peer::start(move |stream: TcpStream, _| {
        let script = script.clone();
        async move {
            tokio::time::sleep(Duration::from_millis(150)).await;
            script.serve(stream).await
        }
    })
    .await;
    let options = ProbeOptions { endpoint_timeout: Duration::from_millis(400), connections_per_server: 1, ..quick() };
    let report = probe(peer.address, options).await;
    assert!(peer.count() < 10, "not everything was asked: {}", peer.count());
    assert_eq!(
        report.verdict,
        WireVerdict::Inconclusive,
        "what was not asked is not taken for refused: {}",
        report.reason
    );
}

#[tokio::test]
async fn dropping_a_probe_closes_its_connections() {
    let (sender, mut receiver) = tokio::sync::mpsc::channel(8);
    let peer = Peer::start(move |mut stream: TcpStream, _| {
        let sender = sender.clone();
        async move {
            let end = wait_for_end(&mut stream).await;
            let _ = sender.send(()).await;
            end
        }
    })
    .await;
    let options = ProbeOptions { job_timeout: Duration::from_secs(30), ..quick() };
    let probing = tokio::time::timeout(Duration::from_millis(50), probe(peer.address, options));
    assert!(probing.await.is_err());
    let closed = tokio::time::timeout(Duration::from_secs(5), receiver.recv()).await;
    assert_eq!(closed, Ok(Some(())));
}

#[tokio::test]
async fn many_targets_come_as_a_stream() {
    let peer = Script::without_tls(refusal()).peer().await;
    let prober = Arc::new(Prober::new(quick()).unwrap());
    let port = peer.address.port();
    let targets = (0..200u8).map(move |last| ProbeTarget::new(format!("127.0.0.{}", last % 5 + 1), port));
    let mut drawn = 0;
    let mut stream = probe_many(prober, targets.inspect(|_| {}), 8);
    while let Some(report) = stream.next().await {
        assert_eq!(report.port, port);
        drawn += 1;
    }
    assert_eq!(drawn, 200);
}

/// The network, with one service and one name of many addresses.
#[derive(Debug)]
struct Announced {
    hosts: Vec<(String, u16)>,
    addresses: Vec<SocketAddr>,
}

impl Dial for Announced {
    fn resolve<'a>(&'a self, _: &'a str, port: u16) -> BoxFuture<'a, std::io::Result<Vec<SocketAddr>>> {
        let at = |address: &SocketAddr| SocketAddr::new(address.ip(), port);
        std::future::ready(Ok(self.addresses.iter().map(at).collect())).boxed()
    }

    fn services<'a>(&'a self, _: &'a str) -> BoxFuture<'a, std::io::Result<Vec<(String, u16)>>> {
        std::future::ready(Ok(self.hosts.clone())).boxed()
    }

    fn connect<'a>(&'a self, host: &'a str, address: SocketAddr) -> BoxFuture<'a, std::io::Result<Stream>> {
        Network.connect(host, address)
    }
}

#[tokio::test]
async fn every_host_of_a_service() {
    let peer = Script::enforcing(modern()).peer().await;
    let port = peer.address.port();
    let hosts = vec![("a.example".to_owned(), port), ("b.example".to_owned(), port)];
    let dialer = Arc::new(Announced { hosts, addresses: vec![peer.address] });
    let prober = Prober::new(ProbeOptions { dialer, ..quick() }).unwrap();
    let reports = prober.probe(&ProbeTarget::new("_postgresql._tcp.example", 5432)).await;
    let found: Vec<_> = reports.iter().map(|report| (report.host.as_str(), report.verdict)).collect();
    assert_eq!(found, [("a.example", WireVerdict::Enforced), ("b.example", WireVerdict::Enforced)]);

    let nowhere = Arc::new(Announced { hosts: Vec::new(), addresses: Vec::new() });
    let prober = Prober::new(ProbeOptions { dialer: nowhere, ..quick() }).unwrap();
    let reports = prober.probe(&ProbeTarget::new("_postgresql._tcp.example", 5432)).await;
    assert_eq!((reports.len(), reports[0].verdict), (1, WireVerdict::Unreachable));
    assert_eq!(reports[0].target, "_postgresql._tcp.example");
}

#[tokio::test]
async fn addresses_beyond_the_first_are_told() {
    // Nothing listens on the port of any.
    let addresses = (1..=18).map(|last| SocketAddr::from(([127, 0, 0, last], 1))).collect();
    let dialer = Arc::new(Announced { hosts: Vec::new(), addresses });
    let prober = Prober::new(ProbeOptions { dialer, ..quick() }).unwrap();
    let reports = prober.probe(&ProbeTarget::new("many.example", 1)).await;
    let unprobed: Vec<_> = reports.iter().filter(|report| report.verdict == WireVerdict::Inconclusive).collect();
    assert_eq!((reports.len(), unprobed.len()), (18, 2));
    assert_eq!(unprobed[0].address.as_deref(), Some("127.0.0.17"));
}

/// Closes startups in plaintext without a word for a moment after each TLS connection, as a limit on connections does.
#[tokio::test]
async fn plaintext_that_is_closed_only_while_others_are_connected() {
    let script = Script { plaintext: scram(false), ..Script::enforcing(modern()) };
    let busy_until = Arc::new(std::sync::Mutex::new(Instant::now()));
    let peer = Peer::start(move |stream, _| {
        let (script, busy_until) = (script.clone(), busy_until.clone());
        async move {
            let mut head = [0; 8];
            while stream.peek(&mut head).await? < 8 {}
            let asks_for_tls = head == [0, 0, 0, 8, 4, 0xd2, 0x16, 0x2f];
            if asks_for_tls {
                *busy_until.lock().unwrap() = Instant::now() + Duration::from_millis(300);
            } else if Instant::now() < *busy_until.lock().unwrap() {
                return Ok(());
            }
            script.serve(stream).await
        }
    })
    .await;
    let report = probe(peer.address, quick()).await;
    assert_eq!(report.verdict, WireVerdict::Optional, "{}", report.reason);
}

/// Loses connections before it reads a byte: that says nothing about versions, and nothing about TLS.
#[tokio::test]
async fn lost_connections_are_no_refusals() {
    for lost in [[0, 100].as_slice(), &[3, 4, 7], &[1, 2, 5, 6], &[4, 5, 6, 7, 8, 9, 10, 11, 12, 13]] {
        let script = Script { plaintext: scram(false), ..Script::enforcing(modern()) };
        let peer = Peer::start(move |stream, index| {
            let script = script.clone();
            async move { if lost.contains(&index) { drop_quietly(stream) } else { script.serve(stream).await } }
        })
        .await;
        let report = probe(peer.address, quick()).await;
        assert_eq!(report.verdict, WireVerdict::Optional, "{lost:?}: {}", report.reason);
        let versions = report.tls.unwrap().versions;
        for version in versions.iter().filter(|version| version.version >= ProtocolVersion::Tls12) {
            assert_ne!(version.support, Support::Refused, "{lost:?}: {}", version.version);
        }
    }
}

/// Connects to port 1 in vain, and that only when a hundred do so.
#[derive(Debug)]
struct Together {
    barrier: tokio::sync::Barrier,
    server: SocketAddr,
}

impl Dial for Together {
    fn resolve<'a>(&'a self, _: &'a str, _: u16) -> BoxFuture<'a, std::io::Result<Vec<SocketAddr>>> {
        std::future::ready(Err(std::io::ErrorKind::NotFound.into())).boxed()
    }

    fn connect<'a>(&'a self, host: &'a str, address: SocketAddr) -> BoxFuture<'a, std::io::Result<Stream>> {
        async move {
            if address.port() == 1 {
                self.barrier.wait().await;
                return Err(std::io::ErrorKind::TimedOut.into());
            }
            Network.connect(host, self.server).await
        }
        .boxed()
    }
}

#[tokio::test]
async fn hosts_that_do_not_answer_take_no_place_of_a_conversation() {
    let peer = Script::enforcing(modern()).peer().await;
    let dialer = Together { barrier: tokio::sync::Barrier::new(100), server: peer.address };
    // The hundred come together only if one place does not keep them apart; the others find it free all the same.
    let options = ProbeOptions {
        conversations: 1,
        connect_timeout: Duration::from_secs(60),
        dialer: Arc::new(dialer),
        names: StartupNames::Fewest,
        ..ProbeOptions::default()
    };
    let targets: Vec<_> =
        (0..103_u8).map(|last| ProbeTarget::new(format!("127.0.1.{last}"), if last < 100 { 1 } else { 2 })).collect();
    let reports: Vec<_> = probe_many(Arc::new(Prober::new(options).unwrap()), targets, 200).collect().await;
    let count = |verdict| reports.iter().filter(|report| report.verdict == verdict).count();
    assert_eq!((count(WireVerdict::Unreachable), count(WireVerdict::Enforced)), (100, 3));
    assert!(peer.at_once.load(Ordering::SeqCst) <= 8, "one after the other: {:?}", peer.at_once);
}

/// With more targets of one server than conversations, those that waited for a place held the connections for which those
/// with a place waited.
#[tokio::test]
async fn many_targets_of_one_server_do_not_keep_each_other_from_it() {
    let peer = Script::enforcing(modern()).peer().await;
    for (conversations, connections_per_server) in [(1, 4), (1, 1), (3, 2)] {
        let options = ProbeOptions {
            conversations,
            connections_per_server,
            names: StartupNames::Fewest,
            ..ProbeOptions::default()
        };
        let targets: Vec<_> = (0..20).map(|_| ProbeTarget::new("127.0.0.1", peer.address.port())).collect();
        let reports: Vec<_> = probe_many(Arc::new(Prober::new(options).unwrap()), targets, 200).collect().await;
        let enforced = reports.iter().filter(|report| report.verdict == WireVerdict::Enforced).count();
        assert_eq!(enforced, 20, "{conversations} conversations, {connections_per_server} connections");
    }
    // The peer counts a connection until it has seen its end: one more may be on its way out for each.
    assert!(peer.at_once.load(Ordering::SeqCst) <= 8, "{:?}", peer.at_once);
}
