//! Probed endpoints in the formats that people and programs read.
#![allow(clippy::unwrap_used, reason = "a test may stop at the first surprise")]

use hostssl_formats::probe_json::{ProbeEnd, ProbeExit};
use hostssl_formats::probe_text::TableWriter;
use hostssl_formats::{Palette, Shape, probe_json};
use hostssl_probe::report::{
    CertificateReport, ClientCertificate, EndpointReport, Enumeration, Judgement, Negotiated, ProtocolVersion,
    ReplicationMode, RootCheck, SslRequestOutcome, StartupOutcome, StartupResult, Support, TlsReport, TransportAnswer,
    VersionSupport, Weakness, WireVerdict,
};
use hostssl_probe::transcript::{MessageDirection, TranscriptLine};
use hostssl_test_support::schema::Schema;
use serde_json::Value;

fn unreachable(host: &str) -> EndpointReport {
    EndpointReport {
        target: format!("{host}:5432"),
        host: host.to_owned(),
        port: 5432,
        address: None,
        verdict: WireVerdict::Unreachable,
        unreachable: None,
        reason: "the name does not resolve".to_owned(),
        ssl_request: SslRequestOutcome::NotSent,
        plaintext: TransportAnswer::default(),
        encrypted: TransportAnswer::default(),
        startups: Vec::new(),
        tls: None,
        certificate: None,
        weaknesses: Vec::new(),
        several_servers: None,
        failures: None,
        transcript: None,
        observed_ms: None,
    }
}

/// An endpoint with everything in it.
fn full(host: &str, verdict: WireVerdict) -> EndpointReport {
    let answer = |outcome, sqlstate: Option<&str>| TransportAnswer {
        outcome,
        sqlstate: sqlstate.map(ToOwned::to_owned),
        routine: sqlstate.map(|_| "ClientAuthentication".to_owned()),
        authentication: None,
        note: None,
    };
    let (clear, tls) = (answer(StartupOutcome::Refused, Some("28000")), answer(StartupOutcome::Allowed, None));
    let enumeration =
        || Some(vec![Enumeration { version: ProtocolVersion::Tls13, names: vec!["X".into()], complete: true }]);
    EndpointReport {
        address: Some("198.18.0.1".to_owned()),
        verdict,
        reason: "all of it \u{1b}[31m".to_owned(),
        ssl_request: SslRequestOutcome::S,
        plaintext: clear.clone(),
        encrypted: tls.clone(),
        startups: vec![StartupResult {
            user: "postgres".to_owned(),
            database: Some("postgres".to_owned()),
            replication: ReplicationMode::None,
            plaintext: clear,
            encrypted: tls,
        }],
        tls: Some(TlsReport {
            versions: vec![VersionSupport { version: ProtocolVersion::Tls13, support: Support::Accepted }],
            negotiated: Some(Negotiated { version: Some(ProtocolVersion::Tls13), ..Negotiated::default() }),
            direct_tls: Support::Refused,
            client_certificate: ClientCertificate::NotRequested,
            channel_binding: Some(true),
            direct_tls_without_alpn: Some(Support::Refused),
            gss_encryption: Some(Support::Refused),
            startup_stuffing: Some(Support::Refused),
            cipher_suites: enumeration(),
            groups: enumeration(),
            post_quantum: enumeration().map(|mut list| list.remove(0)),
        }),
        certificate: Some(CertificateReport {
            verify_full: Judgement { ok: Some(true), reason: None },
            root_checks: vec![
                RootCheck { store: "system".to_owned(), verifies: true },
                RootCheck { store: "DigiCert Global Root G2".to_owned(), verifies: true },
                RootCheck { store: "Microsoft RSA Root Certificate Authority 2017".to_owned(), verifies: false },
            ],
            ..CertificateReport::default()
        }),
        weaknesses: vec![Weakness::NoTls13, Weakness::CertificateExpiresSoon],
        transcript: Some(vec![TranscriptLine {
            micros: 1_500,
            connection: "SSLRequest postgres/postgres".to_owned(),
            direction: MessageDirection::Received,
            message: "S".to_owned(),
            text: String::new(),
        }]),
        ..unreachable(host)
    }
}

fn exit() -> ProbeExit {
    let findings = vec![("not-enforced".to_owned(), 1), ("verify-full".to_owned(), 2)];
    ProbeExit { end: ProbeEnd::Findings, findings, undecided: 3, complete: false }
}

fn json(reports: &[EndpointReport]) -> String {
    let mut out = Vec::new();
    let mut writer = probe_json::ProbeWriter::new(&mut out);
    for report in reports {
        writer.write(report).unwrap();
    }
    writer.finish(Some(&exit())).unwrap();
    String::from_utf8(out).unwrap()
}

fn table(reports: impl IntoIterator<Item = EndpointReport>) -> String {
    let mut out = Vec::new();
    let mut table = TableWriter::new(&mut out, Palette::Plain, None, Shape::AS_IS);
    for report in reports {
        table.write(report).unwrap();
    }
    table.finish().unwrap();
    String::from_utf8(out).unwrap()
}

#[test]
fn json_written_piece_by_piece_is_the_whole_document() {
    let reports = [full("a", WireVerdict::Enforced), unreachable("b"), full("c", WireVerdict::Optional)];
    for count in 0..=reports.len() {
        let written: Value = serde_json::from_str(&json(&reports[..count])).unwrap();
        assert_eq!(written, probe_json::value(&reports[..count], None, Some(&exit())).unwrap());
        assert_eq!(
            written["exit"],
            serde_json::json!({
                "code": 3,
                "reason": "findings",
                "decidedBy": [{"finding": "not-enforced", "endpoints": 1}, {"finding": "verify-full", "endpoints": 2}],
                "undecided": 3,
                "complete": false,
            })
        );
    }
}

#[test]
fn a_document_without_an_exit_is_as_it_was() {
    let mut out = Vec::new();
    probe_json::ProbeWriter::new(&mut out).finish(None).unwrap();
    let written: Value = serde_json::from_slice(&out).unwrap();
    assert_eq!(written, serde_json::json!({"schema": probe_json::SCHEMA, "endpoints": []}));
    Schema::generated("probe-v1", &probe_json::schema()).assert_accepts(&written);
    assert!(probe_json::read_document(json(&[]).as_bytes()).unwrap().endpoints.is_empty());
}

#[test]
fn the_schema_is_the_committed_one_and_endpoints_keep_to_it() {
    let schema = Schema::generated("probe-v1", &probe_json::schema());
    let report: Value = serde_json::from_str(&json(&[full("a", WireVerdict::Enforced), unreachable("b")])).unwrap();
    schema.assert_accepts(&report);
    schema.assert_refuses(&report, |wrong| wrong["endpoints"][0]["verdict"] = "fine".into());
    schema.assert_refuses(&report, |wrong| wrong["endpoints"][1]["extra"] = 1.into());
    schema.assert_refuses(&report, |wrong| {
        wrong["endpoints"][1].as_object_mut().unwrap().remove("sslRequest");
    });
}

#[test]
fn a_table_has_the_failures_first_and_the_details_below() {
    let text = table([full("a", WireVerdict::Enforced), unreachable("b"), full("c", WireVerdict::Optional)]);
    assert!(!text.contains('\u{1b}'), "harmful characters reach the terminal");
    insta::assert_snapshot!(text);
}

#[test]
fn the_text_says_whether_post_quantum_key_exchange_is_offered() {
    let told = |names: &[&str], complete| {
        let mut report = full("a.example", WireVerdict::Enforced);
        let names = names.iter().map(|name| (*name).to_owned()).collect();
        let tls = report.tls.as_mut().unwrap();
        tls.post_quantum = Some(Enumeration { version: ProtocolVersion::Tls13, names, complete });
        table([report])
    };
    assert!(told(&["X25519MLKEM768"], true).contains("post-quantum key exchange: X25519MLKEM768\n"));
    assert!(told(&[], true).contains("post-quantum key exchange: not offered\n"));
    // What was not answered is no proof that it is missing.
    assert!(told(&[], false).contains("post-quantum key exchange: unknown: "));
    let mut unasked = full("a.example", WireVerdict::Enforced);
    unasked.tls.as_mut().unwrap().post_quantum = None;
    assert!(!table([unasked]).contains("post-quantum"));
}

#[test]
fn of_many_endpoints_the_rest_follows_as_it_comes() {
    let many = (0..1_200).map(|number| {
        let verdict = if number % 7 == 0 { WireVerdict::Optional } else { WireVerdict::Enforced };
        full(&format!("db{number}"), verdict)
    });
    let text = table(many);
    let lines: Vec<&str> = text.lines().collect();
    assert_eq!(lines.len(), 1 + 1_200 + 4, "{}", lines[lines.len() - 4..].join("\n"));
    assert!(lines[1].starts_with("optional") && lines[1_001].starts_with("enforced"), "sorted");
    assert!(lines[1_200].contains("db1199:5432"), "{}", lines[1_200]);
    assert!(text.contains("1200 endpoints: 172 optional, 1028 enforced"), "{}", lines[1_202]);
    // The columns keep their places.
    assert_eq!(lines[1].find("198.18.0.1"), lines[1_200].find("198.18.0.1"));
}
