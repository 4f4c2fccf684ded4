//! The names in the serialised report, on which consumers rely.

#![expect(clippy::unwrap_used, reason = "a test that cannot be set up has failed")]

mod common;

use common::{Script, modern, probe, quick};
use hostssl_formats::probe_json;
use hostssl_probe::ProbeOptions;
use serde_json::Value;

fn names(value: &Value) -> Vec<&str> {
    let mut names: Vec<_> = value.as_object().unwrap().keys().map(String::as_str).collect();
    names.sort_unstable();
    names
}

fn sorted(text: &str) -> Vec<&str> {
    let mut names: Vec<_> = text.split_whitespace().collect();
    names.sort_unstable();
    names
}

#[tokio::test]
async fn the_names_are_as_frozen() {
    let peer = Script::enforcing(modern()).peer().await;
    let report = probe(peer.address, ProbeOptions { transcript: false, ..quick() }).await;
    let json = probe_json::endpoint(&report).unwrap();
    assert_eq!(
        names(&json),
        sorted(
            "target host port address verdict reason sslRequest plaintext encrypted startups tls certificate weaknesses"
        )
    );
    let answer = sorted("outcome sqlstate routine authentication");
    assert_eq!(names(&json["plaintext"]), answer);
    assert_eq!(names(&json["encrypted"]), answer);
    assert_eq!(names(&json["startups"][0]), sorted("user database replication plaintext encrypted"));
    assert_eq!(names(&json["tls"]), sorted("versions negotiated directTls clientCertificate channelBinding"));
    assert_eq!(names(&json["tls"]["negotiated"]), sorted("version cipherSuite group alpn"));
    assert_eq!(names(&json["tls"]["versions"][0]), sorted("version support"));
    assert_eq!(
        names(&json["certificate"]),
        sorted(
            "verifyFull rfc9525 chainOk hostOk expired notYetValid selfSigned notBefore notAfter keyType keyBits \
             signatureAlgorithm subject issuer root"
        )
    );
    assert_eq!(names(&json["certificate"]["verifyFull"]), sorted("ok reason"));
    assert_eq!(json["verdict"], "enforced");
    assert_eq!(json["sslRequest"], "S");
    assert_eq!(json["plaintext"]["outcome"], "refused");
    assert_eq!(json["tls"]["clientCertificate"], "not-requested");
    assert_eq!(json["startups"][2]["replication"], "physical");
    assert_eq!(json["weaknesses"], serde_json::json!(["certificate-self-signed"]));

    // It is read back as it was, but for what is not written.
    let text = probe_json::to_text(&report).unwrap();
    let read = probe_json::read(&text).unwrap();
    assert_eq!(probe_json::to_text(&read).unwrap(), text);
    let certificate = read.certificate.unwrap();
    assert_eq!(certificate.expires_at, report.certificate.unwrap().expires_at);
}

#[tokio::test]
async fn what_was_not_seen_is_null() {
    let peer = Script::without_tls(common::refusal()).peer().await;
    let report = probe(peer.address, ProbeOptions { transcript: false, ..quick() }).await;
    let json = probe_json::endpoint(&report).unwrap();
    assert!(json["tls"].is_null() && json["certificate"].is_null());
    assert_eq!(json["verdict"], "inconclusive");
    assert_eq!(json["sslRequest"], "N");
}
