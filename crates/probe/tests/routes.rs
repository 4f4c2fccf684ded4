//! Servers that are reached through a proxy, or by another address than their own.

#![expect(clippy::unwrap_used, reason = "a test that cannot be set up has failed")]

mod common;

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use common::{Peer, Script, modern, quick, wait_for_end};
use hostssl_probe::connect_to::{ConnectTo, Rule};
use hostssl_probe::dial::{Dial, Network};
use hostssl_probe::report::{EndpointReport, Unreachable, WireVerdict};
use hostssl_probe::socks_proxy::Socks5;
use hostssl_probe::target::ProbeTarget;
use hostssl_probe::{ProbeOptions, Prober};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

/// A proxy that knows one name, and asks for a password.
async fn proxy(name: &'static str, server: SocketAddr, asked: Arc<Mutex<Vec<String>>>) -> Peer {
    Peer::start(move |mut stream: TcpStream, _| {
        let asked = asked.clone();
        async move {
            let count = stream.read_u16().await? & 0xff;
            let mut methods = vec![0; count.into()];
            stream.read_exact(&mut methods).await?;
            if !methods.contains(&2) {
                return stream.write_all(&[5, 0xff]).await;
            }
            stream.write_all(&[5, 2]).await?;
            assert_eq!(stream.read_u8().await?, 1);
            let mut login = Vec::new();
            for _ in 0..2 {
                let mut text = vec![0; stream.read_u8().await?.into()];
                stream.read_exact(&mut text).await?;
                login.push(String::from_utf8(text).unwrap());
            }
            if login != ["me", "p@ss"] {
                return stream.write_all(&[1, 1]).await;
            }
            stream.write_all(&[1, 0]).await?;
            let mut head = [0; 4];
            stream.read_exact(&mut head).await?;
            let host = match head {
                [5, 1, 0, 3] => {
                    let mut text = vec![0; stream.read_u8().await?.into()];
                    stream.read_exact(&mut text).await?;
                    String::from_utf8(text).unwrap()
                }
                [5, 1, 0, 1] => std::net::Ipv4Addr::from(stream.read_u32().await?).to_string(),
                other => panic!("{other:?}"),
            };
            let port = stream.read_u16().await?;
            asked.lock().unwrap().push(format!("{host}:{port}"));
            let code = match (host.as_str(), port) {
                (host, 5432) if host == name || host == "192.0.2.7" => 0,
                (_, 1) => 5,
                _ => 4,
            };
            stream.write_all(&[5, code, 0, 1, 0, 0, 0, 0, 0, 0]).await?;
            if code == 0 {
                let mut behind = TcpStream::connect(server).await?;
                tokio::io::copy_bidirectional(&mut stream, &mut behind).await?;
            }
            Ok(())
        }
    })
    .await
}

async fn read(stream: &mut TcpStream, count: usize) -> std::io::Result<()> {
    stream.read_exact(&mut vec![0; count]).await.map(|_| ())
}

async fn ask(dialer: impl Dial + 'static, target: &ProbeTarget) -> EndpointReport {
    let options = ProbeOptions { dialer: Arc::new(dialer), ..quick() };
    Prober::new(options).unwrap().probe(target).await.remove(0)
}

#[tokio::test]
async fn names_are_resolved_by_the_proxy() {
    let server = Script::enforcing(modern()).peer().await;
    let asked = Arc::default();
    let proxy = proxy("localhost", server.address, Arc::clone(&asked)).await;
    let through = |login: &str| Socks5::parse(&format!("socks5h://{login}{}", proxy.address)).unwrap();

    let report = ask(through("me:p%40ss@"), &ProbeTarget::new("localhost", 5432)).await;
    assert_eq!((report.verdict, report.address.as_deref()), (WireVerdict::Enforced, None), "{}", report.reason);
    assert_eq!(report.certificate.unwrap().host_ok, Some(true), "judged by the name");
    assert!(asked.lock().unwrap().iter().all(|place| place == "localhost:5432"), "{asked:?}");
    let report = ask(through("me:p%40ss@"), &ProbeTarget::new("192.0.2.7", 5432)).await;
    assert_eq!(
        (report.verdict, report.address.as_deref()),
        (WireVerdict::Enforced, Some("192.0.2.7")),
        "{}",
        report.reason
    );

    for (login, host, port, unreachable, said) in [
        ("me:p%40ss@", "localhost", 1, Unreachable::Refused, "refused"),
        ("me:p%40ss@", "other.internal", 5432, Unreachable::Network, "unreachable from the proxy"),
        ("me:wrong@", "localhost", 5432, Unreachable::Network, "refused the user or the password"),
        ("", "localhost", 5432, Unreachable::Network, "another authentication method"),
    ] {
        let report = ask(through(login), &ProbeTarget::new(host, port)).await;
        assert_eq!((report.verdict, report.unreachable), (WireVerdict::Unreachable, Some(unreachable)), "{said}");
        assert!(report.reason.contains(said) && !report.reason.contains("wrong"), "{}", report.reason);
    }
}

#[tokio::test]
async fn a_proxy_that_is_not_there_refuses_nothing_in_the_name_of_a_server() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let gone = listener.local_addr().unwrap();
    drop(listener);
    let report =
        ask(Socks5::parse(&format!("socks5h://{gone}")).unwrap(), &ProbeTarget::new("db.internal", 5432)).await;
    assert_eq!((report.verdict, report.unreachable), (WireVerdict::Unreachable, Some(Unreachable::Network)));
    assert!(report.reason.contains("the proxy 127.0.0.1:"), "{}", report.reason);
}

/// The server is not to blame for what its proxy does.
#[tokio::test]
async fn a_proxy_that_says_nothing_or_closes_is_named() {
    let silent = Peer::start(async |mut stream: TcpStream, _| wait_for_end(&mut stream).await).await;
    let shut = Peer::start(move |mut stream: TcpStream, _| async move { read(&mut stream, 3).await }).await;
    let ssh = Peer::start(move |mut stream: TcpStream, _| async move {
        read(&mut stream, 3).await?;
        stream.write_all(&[5, 0]).await?;
        // As it does where the connection cannot be made: the request is read, and not answered.
        read(&mut stream, 18).await
    })
    .await;
    let at = |peer: &Peer, said: &str| said.replace("PROXY", &format!("the proxy {}", peer.address));
    for (peer, said) in [
        (&silent, "PROXY did not answer"),
        (&shut, "PROXY closed the connection before it answered"),
        (&ssh, "ssh -D does so where nothing listens on that port, or the name does not resolve there"),
    ] {
        let proxy = Socks5::parse(&format!("socks5h://{}", peer.address)).unwrap();
        let report = ask(proxy, &ProbeTarget::new("db.internal", 5432)).await;
        assert_eq!((report.verdict, report.unreachable), (WireVerdict::Unreachable, Some(Unreachable::Network)));
        assert!(report.reason.contains(&at(peer, said)), "{}", report.reason);
    }
}

#[tokio::test]
async fn a_tunnel_leads_to_a_server_that_keeps_its_name() {
    let server = Script::enforcing(modern()).peer().await;
    let rule = format!("localhost:5432:127.0.0.1:{}", server.address.port());
    let tunnel = || ConnectTo::new(vec![Rule::parse(&rule).unwrap()], Arc::new(Network));
    let report = ask(tunnel(), &ProbeTarget::new("localhost", 5432)).await;
    assert_eq!(
        (report.verdict, report.target.as_str()),
        (WireVerdict::Enforced, "localhost:5432"),
        "{}",
        report.reason
    );
    assert_eq!(report.certificate.unwrap().host_ok, Some(true));
    // An address may be led elsewhere as well, and what no rule names is not.
    let rule = Rule::parse(&format!("192.0.2.7::127.0.0.1:{}", server.address.port())).unwrap();
    let report = ask(ConnectTo::new(vec![rule], Arc::new(Network)), &ProbeTarget::new("192.0.2.7", 1)).await;
    assert_eq!(report.verdict, WireVerdict::Enforced, "{}", report.reason);
    let other = ask(tunnel(), &ProbeTarget::new("127.0.0.1", 1)).await;
    assert_eq!(other.unreachable, Some(Unreachable::Refused), "{}", other.reason);
}

#[tokio::test]
async fn a_tunnel_may_lead_through_a_proxy() {
    let server = Script::enforcing(modern()).peer().await;
    let asked = Arc::default();
    let proxy = proxy("bastion.internal", server.address, Arc::clone(&asked)).await;
    let through = Socks5::parse(&format!("socks5h://me:p%40ss@{}", proxy.address)).unwrap();
    let rule = Rule::parse("localhost:6432:bastion.internal:5432").unwrap();
    let report = ask(ConnectTo::new(vec![rule], Arc::new(through)), &ProbeTarget::new("localhost", 6432)).await;
    assert_eq!(report.verdict, WireVerdict::Enforced, "{}", report.reason);
    assert!(asked.lock().unwrap().iter().all(|place| place == "bastion.internal:5432"));
}

#[tokio::test]
async fn a_rule_that_no_target_has_is_known() {
    let server = Script::enforcing(modern()).peer().await;
    let rules = [format!("localhost:5432:127.0.0.1:{}", server.address.port()), "db-typo:5432:127.0.0.1:1".to_owned()];
    let rules = rules.iter().map(|rule| Rule::parse(rule).unwrap()).collect();
    let tunnel = Arc::new(ConnectTo::new(rules, Arc::new(Network)));
    assert_eq!(tunnel.unused().collect::<Vec<_>>(), [0, 1]);
    let options = ProbeOptions { dialer: tunnel.clone(), ..quick() };
    Prober::new(options).unwrap().probe(&ProbeTarget::new("localhost", 5432)).await;
    assert_eq!(tunnel.unused().collect::<Vec<_>>(), [1]);
}
