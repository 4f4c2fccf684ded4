//! Live pages: what they are sent ends with the session that asked for it.

#![allow(clippy::unwrap_used, reason = "a test may stop at the first surprise")]

use hostssl_console::{ConsoleOptions, Role};
use hostssl_test_support::served_console::{
    Served, Visitor, connector, gated, options, serve_in, serve_over, simulation,
};
use std::time::Duration;
use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader, Lines};
use tokio::net::TcpStream;

/// Events as they arrive, by their lines.
async fn open(visitor: &Visitor<'_>, path: &str) -> Lines<BufReader<TcpStream>> {
    let mut stream = TcpStream::connect(("127.0.0.1", visitor.served.port)).await.unwrap();
    let (host, cookie) = (visitor.served.host(), &visitor.cookie);
    let request = format!("GET {path} HTTP/1.1\r\nconnection: close\r\nhost: {host}\r\ncookie: {cookie}\r\n\r\n");
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut lines = BufReader::new(stream).lines();
    while lines.next_line().await.unwrap().unwrap() != "event: progress" {}
    lines
}

/// What is still sent, until the console ends it.
async fn rest(mut lines: Lines<BufReader<TcpStream>>) -> String {
    let mut text = String::new();
    while let Ok(Some(line)) = lines.next_line().await {
        // Sent where there is nothing to tell for a quarter of a minute.
        assert!(!line.starts_with(':'), "the events go on without a session: {text}");
        text.push_str(&line);
        text.push('\n');
    }
    text
}

async fn sign_in<'a>(served: &'a Served, link: &str) -> Visitor<'a> {
    Visitor { served, cookie: served.press_sign_in(link).await.cookies() }
}

#[tokio::test]
async fn a_live_page_ends_with_its_session() {
    let people = || ["ada", "bob"].map(|name| (name.to_owned(), Role::Approver)).into();
    let (gate, connect) = gated(connector(simulation(Duration::ZERO)));
    let one = serve_over(ConsoleOptions { people: people(), ..options() }, connect.clone()).await;
    let two = serve_in(one.directory.clone(), ConsoleOptions { people: people(), ..options() }, connect).await;
    let (ada, again) = (sign_in(&one, &one.links[0]).await, sign_in(&one, &two.links[0]).await);
    let bob = sign_in(&two, &two.links[1]).await;
    let address = ada.post("/runs", "").await.header("location").to_owned();
    let path = format!("{address}/events");
    let (signed_out, ended) = (open(&ada, &path).await, open(&again, &path).await);
    assert_eq!(ada.post("/sign-out", "").await.status, 303);
    // The audit does not end before its gate is opened: only the end of the session ends the events.
    assert!(rest(signed_out).await.contains("event: end\ndata: {}"));
    let list = bob.get("/sessions").await.body;
    let end = list.split("<tr>").find(|row| row.contains("<bdi>ada</bdi>")).unwrap();
    let end = end.split("action=\"").nth(1).unwrap().split('"').next().unwrap();
    assert_eq!(bob.post(end, "").await.status, 303);
    assert!(rest(ended).await.contains("event: end\ndata: {}"));
    assert_eq!(again.get(&path).await.status, 401);
    drop(gate);
}
