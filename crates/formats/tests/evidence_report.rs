//! What an evidence pack says, as auditors and programs read it.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test may stop at the first surprise")]

mod common;

use common::audit;
use hostssl_formats::evidence_json::{EvidenceSummary, schema, server_schema, server_value, value};
use hostssl_formats::evidence_text;
use hostssl_model::{
    AuditReport, Gap, GapScope, Outcome, Parameter, Principal, Reading, Reason, Unchecked, Vantage, WaiverFile,
    WireObservation,
};
use hostssl_test_support::schema::Schema;
use sha2::{Digest as _, Sha256};
use std::collections::BTreeSet;

fn report() -> AuditReport {
    let mut report =
        audit("01a2b3c4-d5e6-7000-8000-000000000001", &[("pg-a", "off", "TLSv1.2"), ("pg-b", "on", "TLSv1.3")]);
    let principal = |name: &str, tenant: &str| Principal {
        name: name.into(),
        object_id: Some("o".into()),
        tenant: Some(tenant.into()),
        method: "cli".into(),
    };
    report.run.principals = vec![principal("ann@example.com", "t"), principal("\u{202e}bob", "u")];
    let read = &mut report.servers[0].readings[0].1;
    if let Reading::Known(parameter) = read {
        *parameter = Parameter::clone(parameter).with_excerpt("{\"value\":\"off\"}");
    }
    let denied = || {
        let mut unchecked = Unchecked::new(Reason::Permission, "HTTP 403");
        unchecked.missing_permission = Some("Microsoft.DBforPostgreSQL/flexibleServers/configurations/read".into());
        unchecked
    };
    let server = &mut report.servers[1];
    server.readings[0].1 = Reading::Unknown(denied());
    server.findings[0].outcome = Outcome::Unknown;
    server.findings[0].unchecked = Some(denied());
    report.run.complete = false;
    let gap = |name: String| Gap { scope: GapScope::Name(name.as_str().into()), unchecked: denied() };
    report.gaps = (0..7).map(|number| gap(format!("place {number}"))).collect();
    report
}

static NONE: BTreeSet<String> = BTreeSet::new();

fn summary(report: &AuditReport) -> EvidenceSummary<'_> {
    EvidenceSummary {
        report,
        simulated: false,
        signer: None,
        packed_with: "0.1.0",
        clients: 1,
        runs: 0,
        probes: 0,
        transcripts: 0,
        earlier: 0,
        earlier_transcripts: 0,
        looked_at_otherwise: &NONE,
        audits: 3,
        missing: &[],
    }
}

fn look(zone: Option<&str>) -> WireObservation {
    let vantage = zone.map(|zone| Box::new(Vantage { zone: zone.into(), observed_ms: 0, prober: None }));
    WireObservation {
        port: 5432,
        address: None,
        observed_at: "2026-05-01T00:00:00Z".into(),
        listener: Reading::Unknown(Unchecked::new(Reason::Unreachable, "no answer")),
        vantage,
    }
}

fn page(summary: &EvidenceSummary<'_>) -> String {
    let mut out = Vec::new();
    evidence_text::write(&mut out, summary).unwrap();
    String::from_utf8(out).unwrap()
}

#[test]
fn an_auditor_reads_what_it_is_and_how_to_check_it() {
    let report = report();
    let text = page(&summary(&report));
    insta::assert_snapshot!(text);
    assert!(text.lines().all(|line| line.chars().count() <= 110), "{text}");
    assert!(!text.contains('\u{202e}'));
}

#[test]
fn a_pack_says_that_it_is_signed_or_simulated_and_what_it_has() {
    let mut report = report();
    report.overlay.waivers = Some(WaiverFile { name: "w".into(), waivers: Vec::new() });
    let whole = EvidenceSummary {
        simulated: true,
        signer: Some("SHA256:k"),
        clients: 2,
        runs: 1,
        probes: 1,
        ..summary(&report)
    };
    let text = page(&whole);
    for said in ["SIMULATED", "the key SHA256:k", "ssh-keygen -Y verify", "runs/ ", "probes/ ", "waivers.toml"] {
        assert!(text.contains(said), "{said}");
    }
    assert!(!page(&summary(&report)).contains("ssh-keygen"));
    let words = |summary: &EvidenceSummary<'_>| summary.absent().into_iter().map(|(word, _)| word).collect::<Vec<_>>();
    assert_eq!(
        words(&whole),
        ["whole-responses", "transcripts", "certificates", "plans-not-applied", "other-changes", "probes"]
    );
    report.servers.iter_mut().for_each(|server| server.wire = vec![look(None)]);
    let kept = |transcripts| EvidenceSummary { transcripts, ..summary(&report) };
    let messages = |summary: EvidenceSummary<'_>| summary.absent().into_iter().find(|one| one.0 == "transcripts");
    assert!(messages(kept(0)).unwrap().1.contains("no transcript was kept"));
    assert!(messages(kept(1)).unwrap().1.starts_with("The messages of 1 of 2 servers that the audit probed:"));
    assert_eq!(messages(kept(2)), None);
    assert!(page(&kept(2)).contains("transcripts/"));
    report.servers[0].wire.push(look(Some("hub")));
    let zoned = EvidenceSummary { transcripts: 2, ..summary(&report) };
    assert!(messages(zoned).unwrap().1.contains("which observed 1 of 2 servers: zones keep no transcript."));
    // Without a transcript, the option is named where it would have kept one.
    let said = messages(EvidenceSummary { transcripts: 0, ..summary(&report) }).unwrap().1;
    assert!(said.contains("--transcript") && said.contains("zones keep no transcript"), "{said}");
    let here = report.servers.iter_mut().map(|server| std::mem::replace(&mut server.wire, vec![look(Some("hub"))]));
    let here: Vec<_> = here.collect();
    let said = messages(summary(&report)).unwrap().1;
    assert!(said.starts_with("The messages of looks from zones") && !said.contains("--transcript"), "{said}");
    report.servers.iter_mut().zip(here).for_each(|(server, wire)| server.wire = wire);
    report.servers.iter_mut().for_each(|server| server.wire.clear());
    report.overlay.waivers = None;
    // Earlier looks are proof too, and so are their messages.
    let all = report.servers.iter().map(|server| server.server.id.to_lowercase()).collect();
    let earlier = |earlier_transcripts| EvidenceSummary {
        earlier: 3,
        earlier_transcripts,
        looked_at_otherwise: &all,
        ..summary(&report)
    };
    assert!(!words(&earlier(3)).contains(&"probes") && messages(earlier(3)).is_none());
    assert!(messages(earlier(2)).unwrap().1.starts_with("The messages of 1 of 3 earlier looks:"));
    assert!(messages(earlier(0)).unwrap().1.contains("no transcript was kept"));
    let listed = page(&earlier(2)).split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(listed.contains("file for each look (3), with every message of 2 of"), "{listed}");
    assert_eq!(words(&summary(&report))[5..], ["probes", "clients", "runs", "waivers"]);
}

#[test]
fn the_schemas_are_the_committed_ones_and_packs_keep_to_them() {
    let report = report();
    let schema = Schema::generated("evidence-v1", &schema());
    let statement = value(&summary(&report)).unwrap();
    schema.assert_accepts(&statement);
    schema.assert_refuses(&statement, |wrong| wrong["coverage"]["servers"] = "many".into());
    assert_eq!(statement["coverage"]["settingsUnknown"], 1);
    assert_eq!(statement["coverage"]["gaps"].as_array().unwrap().len(), 7);
    let schema = Schema::generated("evidence-server-v1", &server_schema());
    for server in &report.servers {
        let written = server_value(&report, server).unwrap();
        schema.assert_accepts(&written);
        schema.assert_refuses(&written, |wrong| wrong["settings"][0]["value"] = 1.into());
        assert_eq!(written["explanations"].as_array().unwrap().len(), server.findings.len());
        // Of two identities, the one of the server's tenant.
        assert_eq!(written["identities"].as_array().unwrap().len(), 1);
        assert_eq!(written["identities"][0]["name"], "ann@example.com");
    }
}

#[test]
fn a_server_has_the_response_its_hash_and_the_reason_of_every_result() {
    let report = report();
    let failed = server_value(&report, &report.servers[0]).unwrap();
    let response = failed["settings"][0]["response"].as_str().unwrap();
    let hash: String = Sha256::digest(response).iter().map(|byte| format!("{byte:02x}")).collect();
    assert_eq!(failed["settings"][0]["responseSha256"], hash);
    assert_eq!(
        failed["explanations"][0]["why"],
        "require_secure_transport = off; expected: require_secure_transport = on"
    );
    let unknown = server_value(&report, &report.servers[1]).unwrap();
    assert_eq!(
        unknown["explanations"][0]["why"],
        "permission: HTTP 403; needs Microsoft.DBforPostgreSQL/flexibleServers/configurations/read"
    );
    assert_eq!(
        (&unknown["settings"][0]["value"], &unknown["settings"][0]["reason"]),
        (&().into(), &"permission".into())
    );
}
