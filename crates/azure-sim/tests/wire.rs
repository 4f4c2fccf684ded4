//! The listeners of simulated servers, asked byte by byte, by rustls, and by psql and openssl where they are installed.

#![expect(clippy::unwrap_used, reason = "helpers of tests; the lint only knows test functions")]

mod common;

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::process::Command;
use std::sync::Arc;

use azure_core::credentials::TokenCredential as _;
use common::Arm;
use hostssl_azure_sim::{Scenario, ServerState, SimCredential, Simulation, Wire};
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _, DuplexStream};
use tokio_rustls::TlsConnector;

const SUFFIX: &str = "postgres.database.azure.com.invalid";
const SSL_REQUEST: [u8; 8] = [0, 0, 0, 8, 4, 0xd2, 0x16, 0x2f];
const CLIENT: IpAddr = IpAddr::V4(Ipv4Addr::new(203, 0, 113, 9));

fn demo() -> (Simulation, Wire) {
    let simulation = Simulation::new(Scenario::named("demo").unwrap());
    let wire = Wire::new(&simulation).unwrap();
    (simulation, wire)
}

fn open(wire: &Wire, host: &str, port: u16) -> std::io::Result<DuplexStream> {
    wire.connect(SocketAddr::new(wire.resolve(host).unwrap(), port), CLIENT)
}

fn startup(user: &str, database: &str) -> Vec<u8> {
    let body = format!("\0\x03\0\0user\0{user}\0database\0{database}\0\0");
    [&u32::try_from(body.len() + 4).unwrap().to_be_bytes()[..], body.as_bytes()].concat()
}

/// What a startup in plaintext is answered by, as text; the bytes of an error are fields of text.
async fn in_clear(wire: &Wire, server: &str, port: u16) -> String {
    let mut stream = open(wire, &format!("{server}.{SUFFIX}"), port).unwrap();
    ask(&mut stream).await
}

async fn ask<S: AsyncRead + AsyncWrite + Unpin>(stream: &mut S) -> String {
    stream.write_all(&startup("me", "shop")).await.unwrap();
    let mut answer = vec![0; 1024];
    let count = stream.read(&mut answer).await.unwrap();
    String::from_utf8_lossy(&answer[..count]).into_owned()
}

fn connector(wire: &Wire) -> TlsConnector {
    let mut roots = RootCertStore::empty();
    for root in wire.roots() {
        roots.add(CertificateDer::from(root.der.clone())).unwrap();
    }
    let config = ClientConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    TlsConnector::from(Arc::new(config))
}

/// What a startup over TLS is answered by, or why there is no TLS. The certificate is verified.
async fn over_tls(wire: &Wire, server: &str, port: u16) -> Result<String, String> {
    let host = format!("{server}.{SUFFIX}");
    let mut stream = open(wire, &host, port).unwrap();
    stream.write_all(&SSL_REQUEST).await.unwrap();
    assert_eq!(stream.read_u8().await.unwrap(), b'S');
    let name = ServerName::try_from(host).unwrap();
    let mut stream = connector(wire).connect(name, stream).await.map_err(|error| error.to_string())?;
    Ok(ask(&mut stream).await)
}

#[tokio::test]
async fn each_server_does_what_it_declares() {
    let (_, wire) = demo();
    let refused = in_clear(&wire, "pg-orders-prod", 5432).await;
    assert!(
        refused.contains(
            "C28000\0Mno pg_hba.conf entry for host \"203.0.113.9\", user \"me\", database \"shop\", no encryption\0"
        ) && refused.contains("RClientAuthentication\0"),
        "{refused}"
    );
    assert!(in_clear(&wire, "pg-orders-prod", 6432).await.contains("C08P01\0MSSL required\0"));
    assert!(in_clear(&wire, "pg-catalog-prod", 5432).await.starts_with('R'));
    let tls = over_tls(&wire, "pg-orders-prod", 5432).await.unwrap();
    assert!(tls.starts_with('R') && tls.contains("SCRAM-SHA-256-PLUS\0SCRAM-SHA-256\0"), "{tls:?}");
    let pooled = over_tls(&wire, "pg-orders-prod", 6432).await.unwrap();
    assert!(pooled.starts_with('R') && !pooled.contains("PLUS"), "{pooled:?}");
    // A single server, in the words of its gateway.
    let gateway = in_clear(&wire, "pg-audit-trail", 5432).await;
    assert!(gateway.contains("MSSL connection is required. Please specify SSL options and retry.\0"), "{gateway}");
    assert!(in_clear(&wire, "pg-archive-legacy", 5432).await.starts_with('R'));
}

/// A message with its length.
fn message(kind: u8, text: &str) -> Vec<u8> {
    [&[kind], &u32::try_from(text.len() + 5).unwrap().to_be_bytes()[..], text.as_bytes(), b"\0"].concat()
}

#[tokio::test]
async fn the_identity_of_the_directory_logs_in_with_a_token_and_only_over_tls() {
    let (simulation, wire) = demo();
    let tenant = simulation.tenant_ids().into_iter().next().unwrap();
    let credential = SimCredential::new(&simulation, tenant);
    let mut answers = Vec::new();
    for scope in ["https://ossrdbms-aad.database.windows.net/.default", "https://management.azure.com/.default"] {
        let token = credential.get_token(&[scope], None).await.unwrap().token.secret().to_owned();
        let host = format!("pg-catalog-prod.{SUFFIX}");
        let mut stream = open(&wire, &host, 5432).unwrap();
        stream.write_all(&SSL_REQUEST).await.unwrap();
        assert_eq!(stream.read_u8().await.unwrap(), b'S');
        let mut stream = connector(&wire).connect(ServerName::try_from(host).unwrap(), stream).await.unwrap();
        stream.write_all(&startup("simulated-app", "postgres")).await.unwrap();
        let mut asked = [0; 9];
        stream.read_exact(&mut asked).await.unwrap();
        assert_eq!(asked, *b"R\0\0\0\x08\0\0\0\x03", "the password as it is");
        stream
            .write_all(&[message(b'p', &token), message(b'Q', "SELECT 1"), message(b'X', "")].concat())
            .await
            .unwrap();
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer).await.unwrap();
        answers.push(String::from_utf8_lossy(&answer).into_owned());
    }
    assert!(answers[0].starts_with("R\0\0\0\x08\0\0\0\0") && answers[0].contains("C0A000\0"), "{}", answers[0]);
    assert!(answers[1].contains("C28P01\0"), "a token for something else: {}", answers[1]);
    let mut plain = open(&wire, &format!("pg-catalog-prod.{SUFFIX}"), 5432).unwrap();
    plain.write_all(&startup("simulated-app", "postgres")).await.unwrap();
    let mut answer = [0; 64];
    let count = plain.read(&mut answer).await.unwrap();
    assert!(String::from_utf8_lossy(&answer[..count]).contains("SCRAM"), "no token is asked for in plaintext");
}

#[tokio::test]
async fn the_quirks_of_the_demonstration() {
    let (_, wire) = demo();
    assert!(in_clear(&wire, "pg-invoices-prod", 5432).await.starts_with('R'));
    assert!(in_clear(&wire, "pg-search-prod", 5432).await.starts_with('E'));
    assert!(in_clear(&wire, "pg-search-prod", 6432).await.starts_with('R'));
    let mismatch = over_tls(&wire, "pg-search-stage", 5432).await.unwrap_err();
    assert!(mismatch.contains("not valid for name"), "{mismatch}");
    assert!(over_tls(&wire, "pg-grafana", 5432).await.is_ok(), "nine days are left");
}

#[tokio::test]
async fn what_does_not_run_or_is_private_is_not_reached() {
    let (simulation, wire) = demo();
    let refused = |server: &str, port| {
        let error = open(&wire, &format!("{server}.{SUFFIX}"), port).unwrap_err();
        assert_eq!(error.kind(), std::io::ErrorKind::ConnectionRefused, "{server}");
    };
    refused("pg-catalog-stage", 5432);
    refused("pg-returns-stage", 5432);
    // No pooler, and another port.
    refused("pg-catalog-prod", 6432);
    refused("pg-orders-prod", 80);
    assert_eq!(wire.resolve(&format!("pg-ledger-prod.contoso.{SUFFIX}")), None);
    assert_eq!(wire.resolve("db.example"), None);
    assert!(wire.resolve(&format!("PG-ORDERS-PROD.{SUFFIX}").to_uppercase()).is_some());
    let id = simulation.server_ids().into_iter().find(|id| id.ends_with("/pg-orders-prod")).unwrap();
    simulation.set_state(&id, ServerState::Stopped).unwrap();
    refused("pg-orders-prod", 5432);
}

#[tokio::test]
async fn every_name_that_arm_tells_leads_to_a_listener() {
    let (simulation, wire) = demo();
    let arm = Arm::new(simulation).await;
    for server in ["pg-orders-prod", "pg-events-prod"] {
        let body = arm.read(&arm.id(server)).await.json();
        let name = body["properties"]["fullyQualifiedDomainName"].as_str().unwrap();
        assert!(wire.resolve(name).is_some(), "{name}");
    }
    assert!(wire.resolve("c-citus-telemetry.simulated.postgres.cosmos.azure.com.invalid").is_some());
    assert!(wire.resolve("horizon-insights.simulated.westeurope.horizondb.azure.com.invalid").is_some());
}

#[tokio::test]
async fn a_write_through_arm_changes_what_the_next_client_gets() {
    let (simulation, wire) = demo();
    let arm = Arm::new(simulation.clone()).await;
    let id = arm.id("pg-catalog-prod");
    assert!(in_clear(&wire, "pg-catalog-prod", 5432).await.starts_with('R'));
    let accepted = arm.set(&id, "require_secure_transport", "on").await;
    assert_eq!(accepted.status, 202);
    let url = accepted.header("azure-asyncoperation").to_owned();
    while arm.get(&url).await.json()["status"] == "InProgress" {
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
    assert!(in_clear(&wire, "pg-catalog-prod", 5432).await.starts_with('E'));
    // The pooler's switch is a parameter as well.
    assert!(open(&wire, &format!("pg-catalog-prod.{SUFFIX}"), 6432).is_err());
    simulation.set_parameter(&id, "pgbouncer.enabled", "TRUE").unwrap();
    assert!(in_clear(&wire, "pg-catalog-prod", 6432).await.contains("SSL required"));
}

#[tokio::test]
async fn hostile_and_odd_openings_end_the_connection_and_nothing_else() {
    let (_, wire) = demo();
    let host = format!("pg-orders-prod.{SUFFIX}");
    for bytes in [
        &b"GET / HTTP/1.1\r\n\r\n"[..],
        &[0, 0, 0, 4],
        &[0, 0, 0, 9, 0, 3, 0, 0, b'u'],
        &[0, 0, 0, 16, 4, 0xd2, 0x16, 0x2e, 0, 0, 0, 1, 0, 0, 0, 2],
        &[0x16, 3, 1, 0xff, 0xff],
    ] {
        let mut stream = open(&wire, &host, 5432).unwrap();
        stream.write_all(bytes).await.unwrap();
        let mut rest = Vec::new();
        assert_eq!(stream.read_to_end(&mut rest).await.unwrap(), 0, "{bytes:?}: {rest:?}");
    }
    let mut stream = open(&wire, &host, 5432).unwrap();
    stream.write_all(&[0, 0, 0, 8, 4, 0xd2, 0x16, 0x30]).await.unwrap();
    assert_eq!(stream.read_u8().await.unwrap(), b'N', "no GSSAPI");
    stream.write_all(&[0, 0, 0, 8, 0, 2, 0, 0]).await.unwrap();
    let mut rest = Vec::new();
    stream.read_to_end(&mut rest).await.unwrap();
    assert!(String::from_utf8_lossy(&rest).contains("C0A000\0"));
}

fn installed(program: &str) -> bool {
    let there = Command::new(program).arg("--version").output().is_ok();
    assert!(there || std::env::var_os("CI").is_none(), "{program} is not installed: run scripts/install-wire-servers");
    there
}

#[tokio::test(flavor = "multi_thread")]
async fn psql_and_openssl_on_loopback() {
    let (_, wire) = demo();
    let listening = wire.listen().await.unwrap();
    let bundle: String = wire.roots().iter().map(|root| root.pem.as_str()).collect();
    let ca = std::env::temp_dir().join(format!("hostssl-sim-wire-{}.pem", std::process::id()));
    std::fs::write(&ca, bundle).unwrap();
    let listener = |server: &str, port| {
        let named = |host: &str| host.split('.').next().is_some_and(|first| first == server);
        listening.listeners.iter().find(|one| named(&one.host) && one.port == port).unwrap().clone()
    };
    if installed("psql") {
        let psql = |server, port, mode: &str| {
            let ca = ca.display();
            let target = listener(server, port).connection_string();
            let target = format!("{target} user=me dbname=shop password=x sslmode={mode} sslrootcert={ca}");
            let done = Command::new("psql").args(["-w", "-c", "select 1", &target]).output().unwrap();
            String::from_utf8(done.stderr).unwrap()
        };
        assert!(psql("pg-orders-prod", 5432, "disable").contains("no encryption"));
        assert!(psql("pg-orders-prod", 5432, "verify-full").contains("password authentication failed for user \"me\""));
        assert!(psql("pg-orders-prod", 6432, "disable").contains("SSL required"));
        assert!(psql("pg-catalog-prod", 5432, "disable").contains("password authentication failed"));
        assert!(psql("pg-search-stage", 5432, "verify-full").contains("does not match host name"));
        assert!(psql("c-citus-telemetry", 5432, "disable").contains("no encryption"));
    }
    if installed("openssl") {
        let listener = listener("pg-search-prod", 5432);
        let mut command = Command::new("openssl");
        command.args(["s_client", "-starttls", "postgres", "-brief", "-verify_return_error", "-CAfile"]).arg(&ca);
        command.args(["-verify_hostname", &listener.host, "-connect", &listener.address.to_string()]);
        let done = command.stdin(std::process::Stdio::null()).output().unwrap();
        let said = String::from_utf8(done.stderr).unwrap();
        assert!(said.contains("TLSv1.3") && said.contains("Verification: OK"), "{said}");
    }
    std::fs::remove_file(&ca).unwrap();
}
