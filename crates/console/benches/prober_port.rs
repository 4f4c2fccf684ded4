//! How many looks a second the port for probers takes in over one connection, and where the time goes. Run with
//! `cargo bench -p hostssl-console --bench prober_port`; `TMPDIR` is the disk that is measured.

#![allow(clippy::unwrap_used, clippy::print_stdout, reason = "a measurement stops at the first surprise and tells")]

use hostssl_azure_sim::Wire;
use hostssl_console::{Console, prober_port_key};
use hostssl_formats::prober_json::{MAX_ANSWERS, ProberAnswer, ProberReply, ProberRequest, TargetOutcome};
use hostssl_probe::report::EndpointReport;
use hostssl_probe::target::ProbeTarget;
use hostssl_prober::{PROBER_PATH, ProberKey, client_config};
use hostssl_store::{AuditStore, Enrolment, NewProber};
use hostssl_test_support::served_console::{connector, options, simulation};
use hostssl_test_support::simulated_listeners::prober_of;
use jiff::Timestamp;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

/// Messages of one round: 12,800 targets.
const MESSAGES: usize = 100;
/// Rounds: of the first, everything is new, and of the others everything takes the place of what was there.
const ROUNDS: usize = 5;
const PROBER: &str = "p-bench";

fn main() {
    tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap().block_on(measure());
}

async fn measure() {
    let directory = tempfile::tempdir().unwrap();
    let (key, pin) = (
        ProberKey::load_or_make(&directory.path().join("of-prober.pem")).unwrap(),
        prober_port_key(directory.path(), None).unwrap().pin(),
    );
    enrol(directory.path(), &key);
    let listener = Console::listen("127.0.0.1:0".parse().unwrap()).await.unwrap();
    let console = Console::new(options(), listener, directory.path(), connector(simulation(Duration::ZERO))).unwrap();
    let console = console.with_probers(TcpListener::bind("127.0.0.1:0").await.unwrap(), None).unwrap();
    let address = console.prober_address().unwrap();
    tokio::spawn(console.run(std::future::pending()));

    let (config, _) = client_config(&key, pin).unwrap();
    let stream = TcpStream::connect(address).await.unwrap();
    stream.set_nodelay(true).unwrap();
    let name = "console.example".try_into().unwrap();
    let mut stream = TlsConnector::from(Arc::new(config)).connect(name, stream).await.unwrap();
    for (what, host) in [("with a certificate", "pg-on"), ("of a name without an address", "nowhere")] {
        let seen = seen(host).await;
        println!("looks {what}:");
        measure_looks(&mut stream, &seen).await;
    }
}

async fn measure_looks(stream: &mut TlsStream<TcpStream>, seen: &EndpointReport) {
    for round in 0..ROUNDS {
        let messages: Vec<String> = (0..MESSAGES).map(|number| message(seen, number)).collect();
        let bytes: usize = messages.iter().map(String::len).sum();
        let (began, used) = (Instant::now(), processor_time());
        for message in &messages {
            send(stream, message).await;
        }
        let took = began.elapsed();
        let looks = MESSAGES * MAX_ANSWERS;
        println!(
            "round {round}: {looks} looks of {} bytes in {took:?}, {:.0} a second; {:.0} a second of one processor",
            bytes / looks,
            looks as f64 / took.as_secs_f64(),
            looks as f64 / (processor_time() - used).as_secs_f64()
        );
    }
}

/// What this process, console and prober, has used of processors, which tells more where others use them too.
fn processor_time() -> Duration {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap();
    let fields: Vec<&str> = stat.rsplit_once(')').unwrap().1.split_whitespace().collect();
    // proc(5): utime and stime, in hundredths of a second.
    Duration::from_millis(fields[11..13].iter().map(|ticks| ticks.parse::<u64>().unwrap() * 10).sum())
}

fn host(number: usize) -> String {
    format!("server-{number:05}.postgres.database.azure.com")
}

/// Makes the prober known, and asks it about every target.
fn enrol(directory: &Path, key: &ProberKey) {
    let store = AuditStore::open(directory).unwrap();
    let at_ms = Timestamp::now().as_millisecond();
    store.add_join_secret("secret", "hub-weu", at_ms + 3_600_000).unwrap();
    let new = NewProber { id: PROBER.into(), key_sha256: key.pin().to_string(), version: "0".into(), at_ms };
    assert_eq!(store.enrol_prober("secret", &new).unwrap(), Enrolment::Done("hub-weu".into()));
    let hosts: Vec<String> = (0..MESSAGES * MAX_ANSWERS).map(host).collect();
    let targets: Vec<(&str, u16)> = hosts.iter().map(|host| (host.as_str(), 5432)).collect();
    assert!(store.ask_prober(PROBER, &targets, at_ms).unwrap());
}

/// What a prober sees of a host.
async fn seen(host: &str) -> EndpointReport {
    let simulation = simulation(Duration::ZERO);
    let prober = prober_of(Wire::inside(&simulation).unwrap());
    let host = format!("{host}.postgres.database.azure.com.invalid");
    let mut reports = prober.probe(&ProbeTarget::new(&host, 5432)).await;
    reports.swap_remove(0)
}

/// A message of as many looks as one may have.
fn message(seen: &EndpointReport, number: usize) -> String {
    let answers = (0..MAX_ANSWERS).map(|place| {
        let host = host(number * MAX_ANSWERS + place);
        let taken = Timestamp::now().as_millisecond();
        let report = EndpointReport {
            target: format!("{host}:5432"),
            host: host.clone(),
            observed_ms: Some(taken),
            ..seen.clone()
        };
        ProberAnswer { host, port: 5432, outcome: TargetOutcome::Looks(vec![report]) }
    });
    ProberRequest::Looks { answers: answers.collect(), ended: None }.value().unwrap().to_string()
}

/// Sends a message and reads the answer, as a prober does before it sends the next one.
async fn send(stream: &mut TlsStream<TcpStream>, body: &str) {
    let head = format!("POST {PROBER_PATH} HTTP/1.1\r\nhost: c\r\ncontent-length: {}\r\n\r\n", body.len());
    stream.write_all(head.as_bytes()).await.unwrap();
    stream.write_all(body.as_bytes()).await.unwrap();
    stream.flush().await.unwrap();
    let (mut bytes, mut part) = (Vec::new(), [0; 16 << 10]);
    loop {
        let text = String::from_utf8_lossy(&bytes).into_owned();
        if let Some((head, body)) = text.split_once("\r\n\r\n") {
            assert!(head.starts_with("HTTP/1.1 200"), "{text}");
            let length = head.to_ascii_lowercase();
            let length = length.split("content-length: ").nth(1).unwrap().lines().next().unwrap().parse().unwrap();
            if body.len() >= length {
                return answered(body);
            }
        }
        let read = stream.read(&mut part).await.unwrap();
        assert!(read > 0, "the console closed the connection");
        bytes.extend_from_slice(&part[..read]);
    }
}

fn answered(body: &str) {
    match ProberReply::read(body.as_bytes()).unwrap() {
        ProberReply::Kept { answers, unkept } if unkept.is_empty() => assert_eq!(answers, MAX_ANSWERS as u64),
        other => panic!("{other:?}"),
    }
}
