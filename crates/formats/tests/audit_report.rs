//! One report with everything in it, in every format that people or programs read.
#![allow(clippy::unwrap_used, reason = "a test may stop at the first surprise")]

use hostssl_audit::{Profile, server_report};
use hostssl_formats::audit_csv::CsvWriter;
use hostssl_formats::{
    Palette, Text, Wrapping, audit_html, audit_json, audit_junit, audit_markdown, audit_ocsf, audit_sarif, audit_text,
};
use hostssl_model::{
    Acceptance, AuditAsked, AuditReport, AuditRun, ControlId, Finding, Gap, GapScope, Kind, Outcome, Overlay,
    Parameter, ParameterName as Name, Posture, Principal, Reading, Reason, ReplicationRole, ResourceId, Scope, Server,
    ServerState, Subscription, SubscriptionId, SubscriptionState, Summary, Tags, TlsVersion, Unchecked,
    WireCertificate, WireListener, WireObservation, WireTransport, WireVersion,
};
use hostssl_test_support::schema::Schema;
use serde_json::Value;
use std::sync::Arc;

const SUBSCRIPTIONS: [(&str, &str); 3] = [
    ("Payments", "11111111-1111-4111-8111-111111111111"),
    // A name from Azure may hold anything.
    ("Shop \u{1b}[31m\u{202e}", "22222222-2222-4222-8222-222222222222"),
    ("Locked away", "33333333-3333-4333-8333-333333333333"),
];

fn posture(
    subscription: usize,
    name: &str,
    kind: Kind,
    state: &str,
    readings: &[(Name, Reading<Parameter>)],
) -> Posture {
    let id = format!(
        "/subscriptions/{}/resourceGroups/Data-RG/providers/Microsoft.DBforPostgreSQL/flexibleServers/{name}",
        SUBSCRIPTIONS[subscription].1
    );
    Posture {
        server: Server {
            id: ResourceId::try_from(id.as_str()).unwrap(),
            kind,
            location: "westeurope".into(),
            state: Some(ServerState::new(state)),
            fqdn: Some(format!("{name}.postgres.database.azure.com").into()),
            role: ReplicationRole::None,
            primary: None,
            tags: Tags::default(),
            administrator: None,
            created_at: None,
            network: hostssl_model::NetworkAccess::default(),
        },
        readings: readings.to_vec(),
        wire: Vec::new(),
    }
}

fn values(require: &str, min: &str, max: &str) -> Vec<(Name, Reading<Parameter>)> {
    [(Name::RequireSecureTransport, require), (Name::SslMinProtocolVersion, min), (Name::SslMaxProtocolVersion, max)]
        .map(|(name, value)| (name, Reading::Known(Parameter::in_effect(name, value))))
        .to_vec()
}

fn unseen(unchecked: &Unchecked) -> Vec<(Name, Reading<Parameter>)> {
    [Name::RequireSecureTransport, Name::SslMinProtocolVersion, Name::SslMaxProtocolVersion]
        .map(|name| (name, Reading::Unknown(unchecked.clone())))
        .to_vec()
}

/// One listener that does as declared, and a pooler that does not.
fn looks() -> Vec<WireObservation> {
    let listener = |transport, why: &str, days_left| WireListener {
        transport,
        why: why.into(),
        versions: vec![
            (WireVersion::Ssl3, Acceptance::Refused),
            (WireVersion::Tls(TlsVersion::Tls1_2), Acceptance::Accepted),
            (WireVersion::Tls(TlsVersion::Tls1_3), Acceptance::Unknown),
        ],
        certificate: Some(WireCertificate {
            verify_full: Some(true),
            reason: None,
            not_after: Some("2026-12-24T09:00:00Z".into()),
            days_left: Some(days_left),
            root: Some("CN=A root".into()),
        }),
    };
    let look = |port, listener| WireObservation {
        port,
        address: Some("198.18.0.7".into()),
        observed_at: "2026-11-24T09:00:01Z".into(),
        listener,
        vantage: None,
    };
    vec![
        look(5432, Reading::Known(listener(WireTransport::Enforced, "all refused", 120))),
        look(6432, Reading::Known(listener(WireTransport::Optional, "accepted in plaintext: user \u{1b}[2J", 9))),
    ]
}

fn report() -> AuditReport {
    report_of_run(false)
}

fn report_of_run(probed: bool) -> AuditReport {
    let profile = Profile::find_for("baseline", probed).unwrap();
    let mut forbidden =
        Unchecked::new(Reason::Permission, "Azure answered HTTP 403 AuthorizationFailed: no authorization");
    forbidden.missing_permission = Some("Microsoft.DBforPostgreSQL/flexibleServers/configurations/read".into());
    let stopped = Unchecked::new(Reason::Stopped, "the server is stopped");
    let mut single = posture(1, "legacy", Kind::Single, "Ready", &[]);
    single.readings = vec![
        (Name::SslEnforcement, Reading::Known(Parameter::in_effect(Name::SslEnforcement, "Disabled"))),
        (
            Name::MinimalTlsVersion,
            Reading::Known(Parameter::in_effect(Name::MinimalTlsVersion, "TLSEnforcementDisabled")),
        ),
    ];
    let mut servers = [
        posture(0, "billing", Kind::Flexible, "Ready", &values("on", "TLSv1.2", "")),
        posture(0, "ledger", Kind::Flexible, "Stopped", &unseen(&stopped)),
        posture(0, "orders", Kind::Flexible, "Ready", &values("off", "TLSv1.2", "TLSv1.2")),
        posture(1, "hidden", Kind::ElasticCluster, "Ready", &unseen(&forbidden)),
        single,
    ];
    if probed {
        let unchecked = |reason, detail| {
            vec![WireObservation {
                port: 5432,
                address: None,
                observed_at: "2026-11-24T09:00:01Z".into(),
                listener: Reading::Unknown(Unchecked::new(reason, detail)),
                vantage: None,
            }]
        };
        servers[0].wire = looks();
        servers[1].wire = unchecked(Reason::Stopped, "the server is stopped; it has no listeners");
        servers[2].wire = looks().split_off(1);
        servers[2].wire[0].port = 5432;
        servers[3].wire = looks().drain(..1).collect();
        servers[4].wire = unchecked(Reason::Unreachable, "no answer before the deadline while connecting");
    }
    let servers: Vec<_> = servers.iter().map(|posture| server_report(posture, None, &profile)).collect();
    let mut summary = Summary::default();
    servers.iter().for_each(|server| summary.count(server.outcome));
    let subscription = |(name, id): &(&str, &str)| {
        Arc::new(Subscription {
            id: SubscriptionId::new(id),
            name: (*name).into(),
            tenant: "t".into(),
            state: SubscriptionState::Enabled,
        })
    };
    let mut unlisted = forbidden.clone();
    unlisted.missing_permission = Some("Microsoft.DBforPostgreSQL/flexibleServers/read".into());
    unlisted.detail = "the flexible servers cannot be listed: Azure answered HTTP 403".into();
    let gaps = vec![
        Gap { scope: (&servers[1].server.id).into(), unchecked: stopped },
        Gap { scope: (&servers[3].server.id).into(), unchecked: forbidden },
        Gap { scope: GapScope::Subscription(SUBSCRIPTIONS[2].1.into()), unchecked: unlisted },
        Gap {
            scope: GapScope::AllSubscriptions,
            unchecked: Unchecked::new(
                Reason::NotOffered,
                "the provider of HorizonDB clusters is not registered in 3 of 3 subscriptions",
            ),
        },
    ];
    let run = AuditRun {
        id: "01890000-0000-7000-8000-000000000000".into(),
        started_at: "2026-11-24T09:00:00Z".into(),
        finished_at: "2026-11-24T09:00:02Z".into(),
        principals: vec![Principal {
            name: "reader@contoso.example".into(),
            object_id: None,
            tenant: Some("t".into()),
            method: "cli".into(),
        }],
        cloud: "AzureCloud".into(),
        scope: Scope::default(),
        profile: profile.to_string(),
        asked: AuditAsked::default(),
        tool_version: "0.1.0".into(),
        complete: false,
    };
    AuditReport {
        run,
        summary,
        subscriptions: SUBSCRIPTIONS.iter().map(subscription).collect(),
        servers,
        gaps,
        overlay: Overlay::default(),
    }
}

fn json() -> String {
    let mut out = Vec::new();
    audit_json::write(&mut out, &report()).unwrap();
    String::from_utf8(out).unwrap()
}

/// What a terminal of this width shows.
fn on_a_terminal(width: usize) -> String {
    let mut out = Vec::new();
    let mut wrapping = Wrapping::new(&mut out, width);
    audit_text::write(&mut wrapping, &report(), &Text { width: Some(width), ..Text::plain() }).unwrap();
    wrapping.finish().unwrap();
    String::from_utf8(out).unwrap()
}

#[test]
fn no_line_is_wider_than_its_terminal_and_no_word_is_broken() {
    let mut whole = Vec::new();
    audit_text::write(&mut whole, &report(), &Text::plain()).unwrap();
    let whole = String::from_utf8(whole).unwrap();
    for width in [80, 100, 120, 160] {
        let shown = on_a_terminal(width);
        for line in shown.lines() {
            assert!(line.chars().count() <= width, "{width}: {line}");
        }
        for word in shown.split_whitespace() {
            let known = whole.split_whitespace().any(|one| one == word);
            assert!(
                known || ["more", "columns:", "wide", "-o", "with"].contains(&word) || word.ends_with(','),
                "{width}: {word}"
            );
        }
    }
    insta::assert_snapshot!("text_at_80_columns", on_a_terminal(80));
}

#[test]
fn text() {
    let mut out = Vec::new();
    audit_text::write(&mut out, &report(), &Text::plain()).unwrap();
    let text = String::from_utf8(out).unwrap();
    assert!(!text.contains('\u{1b}') && !text.contains('\u{202e}'), "harmful characters reach the terminal");
    insta::assert_snapshot!(text);
}

#[test]
fn text_in_colour_is_the_same_text() {
    let mut plain = Vec::new();
    audit_text::write(&mut plain, &report(), &Text::plain()).unwrap();
    let mut colour = Vec::new();
    audit_text::write(&mut colour, &report(), &Text { palette: Palette::Colour, ..Text::plain() }).unwrap();
    let mut stripped = String::new();
    let mut inside = false;
    for c in String::from_utf8(colour).unwrap().chars() {
        match c {
            '\u{1b}' => inside = true,
            'm' if inside => inside = false,
            c if !inside => stripped.push(c),
            _ => {}
        }
    }
    assert_eq!(stripped, String::from_utf8(plain).unwrap());
}

#[test]
fn names_of_servers_lead_to_the_portal_and_take_no_room() {
    let linked = |cloud: &str| {
        let mut report = report();
        report.run.cloud = cloud.to_owned();
        let mut out = Vec::new();
        let mut wrapping = Wrapping::new(&mut out, 100);
        let text = Text { width: Some(100), links: true, palette: Palette::Colour, ..Text::plain() };
        audit_text::write(&mut wrapping, &report, &text).unwrap();
        wrapping.finish().unwrap();
        String::from_utf8(out).unwrap()
    };
    let public = linked("AzureCloud");
    let links: Vec<&str> = public.split("\u{1b}]8;;https://portal.azure.com/#@").skip(1).collect();
    assert_eq!(links.len(), report().servers.len(), "{public:?}");
    for link in links {
        let (address, rest) = link.split_once("\u{1b}\\").unwrap();
        let plain = |c: char| c.is_ascii_alphanumeric() || "/-_.()".contains(c);
        assert!(address.contains("/resource/subscriptions/") && address.chars().all(plain), "{address}");
        let name = address.rsplit('/').next().unwrap();
        assert!(rest.starts_with(&format!("{name}\u{1b}]8;;\u{1b}\\")), "{rest:?}");
    }
    // Where the portal is not known, nothing leads anywhere; and the text is the same.
    let simulated = linked("simulated:demo");
    assert!(!simulated.contains("\u{1b}]8"), "{simulated:?}");
    let mut stripped = String::new();
    let mut parts = public.split("\u{1b}]8;;");
    stripped.push_str(parts.next().unwrap());
    parts.for_each(|part| stripped.push_str(part.split_once("\u{1b}\\").unwrap().1));
    let same = |text: &str| text.lines().filter(|line| !line.contains("cloud")).map(str::to_owned).collect::<Vec<_>>();
    assert_eq!(same(&stripped), same(&simulated));
}

#[test]
fn json_version_1() {
    insta::assert_snapshot!(json());
}

#[test]
fn declared_and_wire_side_by_side() {
    let report = report_of_run(true);
    let mut out = Vec::new();
    audit_text::write(&mut out, &report, &Text::plain()).unwrap();
    let text = String::from_utf8(out).unwrap();
    assert!(!text.contains('\u{1b}'), "harmful characters reach the terminal");
    insta::assert_snapshot!("text_of_a_probed_run", text);
    let mut out = Vec::new();
    audit_json::write(&mut out, &report).unwrap();
    let json: Value = serde_json::from_slice(&out).unwrap();
    insta::assert_json_snapshot!("json_of_a_probed_server", json["servers"][0]);
    assert!(json["servers"][1]["wire"][0]["verdict"].is_null());
    assert_eq!(json["servers"][1]["wire"][0]["reason"], "stopped");
}

fn written(write: impl Fn(&mut dyn std::io::Write, &AuditReport) -> std::io::Result<()>, probed: bool) -> String {
    let mut out = Vec::new();
    write(&mut out, &report_of_run(probed)).unwrap();
    String::from_utf8(out).unwrap()
}

#[test]
fn sarif() {
    let mut log: Value = serde_json::from_str(&written(audit_sarif::write, true)).unwrap();
    let run = &log["runs"][0];
    let results = run["results"].as_array().unwrap();
    for result in results {
        let rule = &run["tool"]["driver"]["rules"][result["ruleIndex"].as_u64().unwrap() as usize];
        assert_eq!(rule["id"], result["ruleId"]);
        assert_eq!(result["kind"] == "fail", result["level"] != "none", "{result}");
    }
    // What an audit finds and what it could not judge are all there, once.
    let of = |outcome| {
        let findings = report_of_run(true).servers.into_iter().flat_map(|server| server.findings);
        findings.filter(|finding| finding.outcome == outcome).count()
    };
    let count = |kind: &str| results.iter().filter(|result| result["kind"] == kind).count();
    assert_eq!((count("fail"), count("open")), (of(Outcome::Fail), of(Outcome::Unknown)));
    assert_eq!(run["invocations"][0]["executionSuccessful"], false);
    // The documentation of the rules is in docs/controls.
    for rule in log["runs"][0]["tool"]["driver"]["rules"].as_array_mut().unwrap() {
        rule["help"] = "the page of the control".into();
    }
    insta::assert_json_snapshot!(log);
}

#[test]
fn ocsf() {
    let events: Vec<Value> = serde_json::from_str(&written(audit_ocsf::write, true)).unwrap();
    let report = report_of_run(true);
    let findings = report.servers.iter().flat_map(|server| &server.findings);
    let of = |outcome| findings.clone().filter(|finding| finding.outcome == outcome).count();
    let places =
        report.gaps.iter().filter(|gap| gap.unchecked.reason.leaves_incomplete() && !gap.scope.is_server()).count();
    let status = |status: &str| events.iter().filter(|event| event["compliance"]["status"] == status).count();
    // What could not be checked has a status of its own, also of what could not even be listed.
    assert_eq!((status("Pass"), status("Fail")), (of(Outcome::Pass), of(Outcome::Fail)));
    assert_eq!((status("Warning"), places > 0), (of(Outcome::Unknown) + places, true));
    assert_eq!(events.len(), findings.clone().count() + places);
    let failed = events.iter().find(|event| event["compliance"]["status"] == "Fail").unwrap();
    insta::assert_json_snapshot!(failed);
    insta::assert_json_snapshot!(events.last().unwrap());
}

#[test]
fn junit() {
    insta::assert_snapshot!(written(audit_junit::write, true));
}

#[test]
fn markdown() {
    insta::assert_snapshot!(written(audit_markdown::write, true));
}

#[test]
fn html() {
    let page = written(audit_html::write, true);
    // The style and the script are files of their own.
    let (before, rest) = page.split_once("<style>").unwrap();
    let (_, body) = rest.split_once("</style>").unwrap();
    let (body, after) = body.split_once("<script>").unwrap();
    assert!(!before.contains('\u{202e}') && after.trim_end().ends_with("</html>"));
    insta::assert_snapshot!(format!("{before}{body}").replace("\n\n", "\n"));
}

#[test]
fn an_audit_of_nothing_looks_like_nothing() {
    let headline = |complete, servers: &[usize]| {
        let mut report = report_of_run(true);
        report.run.complete = complete;
        report.servers = servers.iter().map(|&index| report.servers[index].clone()).collect();
        let mut out = Vec::new();
        audit_markdown::write(&mut out, &report).unwrap();
        let markdown = String::from_utf8(out).unwrap();
        assert_eq!(markdown.contains("This audit is incomplete"), !complete);
        markdown.lines().next().unwrap().to_owned()
    };
    assert_eq!(headline(true, &[]), "# No PostgreSQL server in scope");
    assert_eq!(headline(false, &[]), "# No PostgreSQL server was found, but not everything could be checked");
    assert_eq!(headline(false, &[1]), "# The one server could not be checked");
    assert_eq!(headline(true, &[0]), "# The one server does not enforce TLS");
    assert_eq!(headline(true, &[3]), "# The one server could not be checked");
}

/// Every requirement has a row for each server that its control judges, and the rows of a standard stand together.
#[test]
fn csv_by_standard() {
    let report = report();
    let mut out = Vec::new();
    hostssl_formats::audit_standards_csv::write(&mut out, &report, &[]).unwrap();
    let text = String::from_utf8(out).unwrap();
    let mut rows = csv::Reader::from_reader(text.as_bytes());
    let rows: Vec<csv::StringRecord> = rows.records().map(Result::unwrap).collect();
    let judged = report.servers.iter().filter(|server| {
        let judges = |one: &&Finding| one.control == ControlId::RequireSecureTransport;
        server.findings.iter().find(judges).is_some_and(|one| one.outcome != Outcome::NotApplicable)
    });
    let of_cis = rows.iter().filter(|row| row[0].starts_with("CIS ") && &row[1] == "3.0.0" && &row[2] == "5.2.1");
    assert_eq!(of_cis.count(), judged.count(), "{text}");
    let mut standards: Vec<(&str, &str)> = rows.iter().map(|row| (&row[0], &row[1])).collect();
    standards.dedup();
    let all = standards.len();
    standards.sort_unstable();
    standards.dedup();
    assert_eq!(standards.len(), all, "each stands in one place: {standards:?}");
    let mut of_one = Vec::new();
    hostssl_formats::audit_standards_csv::write(&mut of_one, &report, &["SOC 2"]).unwrap();
    let of_one = String::from_utf8(of_one).unwrap();
    let own: Vec<&str> = text.lines().filter(|line| line.starts_with("SOC 2,")).collect();
    assert!(!own.is_empty() && own == of_one.lines().skip(1).collect::<Vec<_>>(), "{of_one}");
}

#[test]
fn csv() {
    let report = report();
    let mut out = Vec::new();
    let (mut writer, written) = CsvWriter::new(&mut out);
    written.unwrap();
    for subscription in &report.subscriptions {
        let servers: Vec<_> =
            report.servers.iter().filter(|server| server.server.subscription() == subscription.id).cloned().collect();
        writer.write(subscription, &servers).unwrap();
    }
    drop(writer);
    insta::assert_snapshot!(String::from_utf8(out).unwrap());
}

#[test]
fn the_schema_is_the_committed_one_and_reports_keep_to_it() {
    let schema = Schema::generated("audit-v1", &audit_json::schema());
    let report: Value = serde_json::from_str(&json()).unwrap();
    for report in [&report, &audit_json::value(&report_of_run(true)).unwrap()] {
        schema.assert_accepts(report);
    }
    schema.assert_refuses(&report, |wrong| wrong["servers"][0]["outcome"] = "fine".into());
    schema.assert_refuses(&report, |wrong| wrong["extra"] = 1.into());
}
