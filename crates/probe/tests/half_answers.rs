//! Servers that say half of something in plaintext, or nothing to the first names.

#![expect(clippy::unwrap_used, reason = "a test that cannot be set up has failed")]

mod common;

use std::time::Duration;

use common::{Peer, Script, error, first_packet, modern, probe, quick, scram, wait_for_end};
use hostssl_pgwire::frontend::InitialPacket;
use hostssl_probe::ProbeOptions;
use hostssl_probe::report::{EndpointReport, StartupOutcome, WireVerdict};
use tokio::io::AsyncWriteExt as _;
use tokio::net::TcpStream;

/// What a server does after what it said to a startup in plaintext.
#[derive(Clone, Copy, Debug)]
enum End {
    Close,
    Wait,
}

/// Enforces TLS, but says `said` to startups in plaintext.
async fn probe_one_that_says(said: Vec<u8>, end: End) -> EndpointReport {
    let script = Script::enforcing(modern());
    let peer = Peer::start(move |mut stream: TcpStream, _| {
        let (script, said) = (script.clone(), said.clone());
        async move {
            let mut head = [0; 8];
            while stream.peek(&mut head).await? < 8 {}
            if head[4..] != [0, 3, 0, 0] {
                return script.serve(stream).await;
            }
            first_packet(&mut stream).await?;
            stream.write_all(&said).await?;
            match end {
                End::Close => stream.shutdown().await,
                End::Wait => wait_for_end(&mut stream).await,
            }
        }
    })
    .await;
    let patient = ProbeOptions { endpoint_timeout: Duration::from_secs(60), ..quick() };
    probe(peer.address, patient).await
}

#[tokio::test]
async fn the_beginning_of_a_request_for_a_password_is_acceptance() {
    for count in [1, 5, 9] {
        for end in [End::Close, End::Wait] {
            let said = scram(false)[..count].to_vec();
            let report = probe_one_that_says(said, end).await;
            assert_eq!(report.verdict, WireVerdict::Optional, "{count} {end:?}: {}", report.reason);
            let note = report.plaintext.note.as_deref().unwrap();
            assert!(note.contains("within a request for authentication"), "{note}");
        }
    }
}

#[tokio::test]
async fn half_an_answer_is_no_refusal() {
    let refusal = error("28000", Some("ClientAuthentication"), "no pg_hba.conf entry");
    let notice = b"N\0\0\0\x0dMbeware\0\0".to_vec();
    let negotiation = b"v\0\0\0\x0c\0\0\0\0\0\0\0\0".to_vec();
    let cases = [
        ("half an error", refusal[..20].to_vec()),
        ("one byte of an error", refusal[..1].to_vec()),
        ("half a notice", notice[..7].to_vec()),
        ("a notice", notice.clone()),
        ("a negotiation", negotiation.clone()),
        ("half a negotiation", negotiation[..6].to_vec()),
        ("both", [notice, negotiation].concat()),
    ];
    for (name, said) in cases {
        let report = probe_one_that_says(said, End::Close).await;
        assert_eq!(report.verdict, WireVerdict::Inconclusive, "{name}: {}", report.reason);
        assert_eq!(report.plaintext.outcome, StartupOutcome::Unknown, "{name}");
        assert!(report.reason.contains("closed within a message"), "{name}: {}", report.reason);
        let lines = report.transcript.unwrap();
        let mut plaintext = lines.iter().filter(|line| line.connection.starts_with("plaintext"));
        assert!(plaintext.any(|line| line.direction.as_str() == "received"), "{name}");
    }
}

/// Says nothing to the names of the first round, and accepts every other in plaintext.
#[tokio::test]
async fn a_server_that_is_silent_to_the_first_names_only() {
    let script = Script::enforcing(modern());
    let peer = Peer::start(move |mut stream: TcpStream, _| {
        let script = script.clone();
        async move {
            let mut head = [0; 8];
            while stream.peek(&mut head).await? < 8 {}
            if head[4..] != [0, 3, 0, 0] {
                return script.serve(stream).await;
            }
            let InitialPacket::Startup(startup) = first_packet(&mut stream).await? else { return Ok(()) };
            let of = |name: &str| startup.get(name).map(str::to_owned);
            if of("user").as_deref() == Some("standby") {
                stream.write_all(&scram(false)).await?;
                return wait_for_end(&mut stream).await;
            }
            stream.shutdown().await
        }
    })
    .await;
    let patient = ProbeOptions { endpoint_timeout: Duration::from_secs(60), ..quick() };
    let report = probe(peer.address, patient).await;
    assert_eq!(report.verdict, WireVerdict::Optional, "{}", report.reason);
    assert!(report.reason.contains("standby"), "{}", report.reason);
}
