//! A visitor of a console that runs in a process of its own.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;

/// Presses the button on the page of the link, once the simulation has its past; the cookie.
pub fn sign_in(host: &str, link: &str) -> String {
    while !get(host, "/readyz", "").starts_with("HTTP/1.1 200") {
        std::thread::sleep(std::time::Duration::from_millis(50));
    }
    let (path, body) = link.split_once('?').unwrap();
    let mut stream = TcpStream::connect(host).unwrap();
    write!(
        stream,
        "POST /{path} HTTP/1.1\r\nhost: {host}\r\norigin: http://{host}\r\nconnection: close\r\n\
         content-type: application/x-www-form-urlencoded\r\ncontent-length: {}\r\n\r\n{body}",
        body.len()
    )
    .unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    answer.split("set-cookie: ").nth(1).unwrap().split(';').next().unwrap().to_owned()
}

/// One answer of the console, whole.
pub fn get(host: &str, path: &str, cookie: &str) -> String {
    let mut stream = TcpStream::connect(host).unwrap();
    write!(stream, "GET {path} HTTP/1.1\r\nhost: {host}\r\ncookie: {cookie}\r\nconnection: close\r\n\r\n").unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    answer
}

/// One form sent to the console.
pub fn post(host: &str, path: &str, cookie: &str, body: &str) -> String {
    let mut stream = TcpStream::connect(host).unwrap();
    write!(
        stream,
        "POST {path} HTTP/1.1\r\nhost: {host}\r\ncookie: {cookie}\r\norigin: http://{host}\r\n\
         content-type: application/x-www-form-urlencoded\r\ncontent-length: {}\r\nconnection: close\r\n\r\n{body}",
        body.len()
    )
    .unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    answer
}
