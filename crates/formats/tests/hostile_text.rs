//! Every harmful character of Unicode, in every text from outside, through every output: none comes out as it is.
#![allow(clippy::unwrap_used, reason = "a test may stop at the first surprise")]

use hostssl_audit::{Profile, diff, gate, lay_waivers, read_waivers, server_report};
use hostssl_census::{
    Backend, CensusReport, CensusVerdict, Client, Coverage, Interval, MissingReason, RefusedClient, SessionTls, Source,
    SourceKind,
};
use hostssl_formats::clients::{ClientsReport, ServerClients};
use hostssl_formats::output::{Format, write_value};
use hostssl_formats::probe_text::TableWriter;
use hostssl_formats::run_refused::RefusedSince;
use hostssl_formats::run_sessions::{RunSession, RunSessions};
use hostssl_formats::trend::AuditPoint;
use hostssl_formats::{
    Palette, Shape, Text, audit_csv, audit_html, audit_json, audit_junit, audit_markdown, audit_ocsf, audit_sarif,
    audit_text, clients_csv, clients_json, clients_sheet, clients_text, diff_json, diff_text, gate_text, probe_json,
    run_refused, run_sessions, trend, waiver_text,
};
use hostssl_model::untrusted::{HARMFUL, is_harmful};
use hostssl_model::{
    AuditAsked, AuditReport, AuditRun, Gap, Kind, Outcome, Overlay, Parameter, ParameterName as Name, Posture,
    Principal, Reading, Reason, ReplicationRole, ResourceId, Scope, Server, ServerState, Standings, Subscription,
    SubscriptionId, SubscriptionState, Summary, Unchecked, Waiver,
};
use hostssl_probe::report::{
    EndpointReport, SeveralServers, SslRequestOutcome, StartupOutcome, TransportAnswer, WireVerdict,
};
use hostssl_probe::transcript::{MessageDirection, TranscriptLine};
use jiff::civil::date;
use serde_json::json;
use std::io::Write as _;
use std::sync::Arc;

/// Every harmful character, each between letters.
fn hostile() -> String {
    let all = HARMFUL.iter().flat_map(|&(first, last)| first..=last);
    all.flat_map(|c| ['x', c]).chain(['x']).collect()
}

fn audit() -> AuditReport {
    let hostile = hostile();
    let id = "/subscriptions/s/resourceGroups/g/providers/Microsoft.DBforPostgreSQL/flexibleServers/orders";
    let unseen = Unchecked::new(Reason::AzureError, hostile.as_str());
    let posture = Posture {
        server: Server {
            id: ResourceId::try_from(id).unwrap(),
            kind: Kind::Flexible,
            location: hostile.as_str().into(),
            state: Some(ServerState::new(&hostile)),
            fqdn: Some(hostile.as_str().into()),
            role: ReplicationRole::None,
            primary: None,
            tags: [(hostile.as_str(), hostile.as_str())].into_iter().collect(),
            administrator: Some(hostile.as_str().into()),
            created_at: None,
        },
        readings: vec![
            (
                Name::RequireSecureTransport,
                Reading::Known(Parameter::in_effect(Name::RequireSecureTransport, &hostile)),
            ),
            (Name::SslMinProtocolVersion, Reading::Known(Parameter::in_effect(Name::SslMinProtocolVersion, &hostile))),
            (Name::SslMaxProtocolVersion, Reading::Unknown(unseen.clone())),
        ],
        wire: Vec::new(),
    };
    let servers = vec![server_report(&posture, None, &Profile::find_for("baseline", false).unwrap())];
    let mut summary = Summary::default();
    servers.iter().for_each(|server| summary.count(server.outcome));
    let principal = Principal {
        name: hostile.clone(),
        object_id: Some(hostile.clone()),
        tenant: Some(hostile.clone()),
        method: "cli".into(),
    };
    let mut report = AuditReport {
        run: AuditRun {
            id: "r".into(),
            started_at: "2026-01-01T00:00:00Z".into(),
            finished_at: "2026-01-01T00:00:01Z".into(),
            principals: vec![principal],
            cloud: hostile.clone(),
            scope: Scope { servers: vec![hostile.clone()], ..Scope::default() },
            profile: "baseline@1".into(),
            asked: AuditAsked::default(),
            tool_version: "0".into(),
            complete: false,
        },
        summary,
        subscriptions: vec![Arc::new(Subscription {
            id: SubscriptionId::new("s"),
            name: hostile.as_str().into(),
            tenant: hostile.as_str().into(),
            state: SubscriptionState::Enabled,
        })],
        servers,
        gaps: vec![Gap { scope: hostssl_model::GapScope::read(&hostile), blind: unseen }],
        overlay: Overlay::default(),
    };
    lay_waivers(&mut report, &hostile, waivers());
    let mut baseline = report.clone();
    (baseline.run.id, baseline.run.profile) = (hostile.clone(), hostile);
    report.overlay.gate = Some(gate(&report, &[], Some(&baseline)));
    report
}

/// A waiver with a last day that is any text; the reader refuses the harmful in all others.
fn waivers() -> Vec<Waiver> {
    let entry = "[[waiver]]\ncontrol = 'require-secure-transport'\nowner = 'a'\nreason = 'b'\napprover = 'c'\n\
                 scope = '/subscriptions/11111111-2222-4333-8444-555555555555'\nexpires = ";
    let expires: String = hostile().chars().map(|c| format!("\\U{:08X}", u32::from(c))).collect();
    let mut waivers = read_waivers(&format!("{entry}\"{expires}\"\n"), date(2026, 1, 1), 365).unwrap();
    assert_eq!(waivers[0].expires, hostile());
    waivers[0].scope = "/subscriptions/s".into();
    waivers[0].ticket = Some(hostile());
    waivers[0].compensating_control = Some(hostile());
    waivers
}

fn endpoint() -> EndpointReport {
    let hostile = hostile();
    let answer = TransportAnswer {
        outcome: StartupOutcome::Refused,
        sqlstate: Some(hostile.clone()),
        routine: Some(hostile.clone()),
        note: Some(hostile.clone()),
        ..TransportAnswer::default()
    };
    EndpointReport {
        target: hostile.clone(),
        host: hostile.clone(),
        port: 5432,
        address: Some(hostile.clone()),
        verdict: WireVerdict::Optional,
        unreachable: None,
        reason: hostile.clone(),
        ssl_request: SslRequestOutcome::NotSent,
        plaintext: answer.clone(),
        encrypted: answer,
        startups: Vec::new(),
        tls: None,
        certificate: None,
        weaknesses: Vec::new(),
        several_servers: Some(SeveralServers { at_least: 2, differences: vec![hostile.clone()], plaintext_answers: 1 }),
        failures: Some(vec![hostile.clone()]),
        transcript: Some(vec![TranscriptLine {
            micros: 1,
            connection: hostile.clone(),
            direction: MessageDirection::Received,
            message: hostile.clone(),
            text: hostile,
        }]),
    }
}

/// The same servers with another value and another name of the profile: a failure that is compared.
fn changed_since() -> AuditReport {
    let mut later = audit();
    later.overlay = Overlay::default();
    for finding in later.servers.iter_mut().flat_map(|server| &mut server.findings) {
        finding.outcome = Outcome::Fail;
        finding.observed = Some(format!("{}y", hostile()).into());
        finding.expected = Some(hostile().into());
        finding.blind = None;
    }
    (later.run.id, later.run.profile, later.run.tool_version) = (hostile(), hostile(), hostile());
    later
}

fn refused_client() -> RefusedClient {
    let word = || Some(hostile());
    RefusedClient {
        user: word(),
        database: word(),
        address: word(),
        backend: Backend::Client,
        first_seen: None,
        last_seen: None,
        attempts: 1,
        is_estimate: false,
        has_connected_since: false,
    }
}

fn clients() -> ClientsReport {
    let word = || Some(hostile());
    let client = |tls| Client {
        user: word(),
        database: word(),
        application: word(),
        address: word(),
        backend: Backend::Client,
        tls,
        protocol: word(),
        cipher: word(),
        lowest_protocol: word(),
        first_seen: Some(0),
        last_seen: Some(1),
        sightings: 1,
        is_estimate: false,
        sources: vec![0],
        doubt: None,
    };
    let mut source = Source::new(SourceKind::LogFile, hostile());
    source.format = hostile();
    source.coverage = Coverage::default();
    source.coverage.add(Interval { from: 0, to: 1 });
    source.lacks(MissingReason::Damaged, hostile());
    let census = CensusReport {
        verdict: CensusVerdict::Breaks,
        reason: hostile(),
        window: Some(Interval { from: 0, to: 1 }),
        observed: 1,
        sources: vec![source],
        clients: SessionTls::ALL.map(client).into(),
        earlier: vec![client(SessionTls::Plaintext)],
        unlisted: [1; 4],
        refused: vec![refused_client()],
        refused_unlisted: 1,
    };
    let server = ServerClients { id: word(), name: hostile(), owner: word(), census, hidden: [1; 4] };
    ClientsReport {
        id: hostile(),
        started_at: hostile(),
        finished_at: hostile(),
        principal: word(),
        window: 1,
        since: None,
        servers: vec![server],
    }
}

/// What every output makes of the hostile text, by name.
fn outputs() -> Vec<(&'static str, Vec<u8>)> {
    let (audit, endpoint, text) = (audit(), endpoint(), hostile());
    let value = json!([{ text.as_str(): text, "list": [text], "inner": { text.as_str(): text } }]);
    let mut all = Vec::new();
    let mut add = |name, write: &mut dyn FnMut(&mut Vec<u8>)| {
        let mut out = Vec::new();
        write(&mut out);
        assert!(out.len() > 100, "{name} wrote nothing");
        all.push((name, out));
    };
    add("audit text", &mut |out| audit_text::write(out, &audit, &Text::plain()).unwrap());
    add("audit csv", &mut |out| audit_csv::write(out, &audit).unwrap());
    add("audit json", &mut |out| audit_json::write(out, &audit).unwrap());
    add("audit sarif", &mut |out| audit_sarif::write(out, &audit).unwrap());
    add("audit junit", &mut |out| audit_junit::write(out, &audit).unwrap());
    add("audit ocsf", &mut |out| audit_ocsf::write(out, &audit).unwrap());
    add("waivers", &mut |out| waiver_text::write(out, &waivers(), &Text::plain()).unwrap());
    let word = || Some(text.clone());
    let session = RunSession {
        user: word(),
        database: word(),
        application: word(),
        address: word(),
        replication: false,
        ended: false,
    };
    let on_server = |sessions: &[RunSession]| RunSessions {
        server: text.clone(),
        name: text.clone(),
        sessions: sessions.to_vec(),
        reason: word(),
    };
    let found = [on_server(&[session]), on_server(&[])];
    add("sessions", &mut |out| run_sessions::write(out, &found, Palette::Plain).unwrap());
    let since = [RefusedSince { server: text.clone(), name: text.clone(), clients: vec![refused_client()] }];
    add("refused", &mut |out| run_refused::write(out, &since, &Text::plain()).unwrap());
    let point = |profile| AuditPoint {
        run: &text,
        started_at: text.clone(),
        profile,
        complete: false,
        standings: Standings::default(),
        fail: 0,
        unknown: 0,
        pass: 0,
    };
    let points = [point(&text), point("other")];
    add("trend", &mut |out| trend::write(out, &points, &Text::plain()).unwrap());
    add("trend csv", &mut |out| trend::write_csv(out, &points).unwrap());
    let (before, later) = (audit.clone(), changed_since());
    let compared = diff(&before, &later);
    assert!(!compared.changes.is_empty(), "nothing is compared");
    add("diff text", &mut |out| diff_text::write(out, &before, &later, &compared, &Text::plain()).unwrap());
    add("diff json", &mut |out| diff_json::write(out, &before, &later, &compared).unwrap());
    add("gate", &mut |out| {
        let lines = [
            gate_text::decided(&audit),
            gate_text::doubts(&audit),
            waiver_text::used(&audit),
            waiver_text::doubts(&audit),
        ];
        lines.concat().iter().for_each(|line| writeln!(out, "{line}").unwrap());
    });
    let census = clients();
    add("clients text", &mut |out| clients_text::write(out, &census, &Text::plain()).unwrap());
    add("clients csv", &mut |out| clients_csv::write(out, &census).unwrap());
    add("clients sheet", &mut |out| clients_sheet::write(out, &census).unwrap());
    let in_json = clients_json::value(&census).unwrap();
    add("clients json", &mut |out| write_value(out, &in_json, Format::Json, &[], Palette::Plain).unwrap());
    add("audit html", &mut |out| audit_html::write(out, &audit).unwrap());
    add("audit markdown", &mut |out| audit_markdown::write(out, &audit).unwrap());
    for (name, format) in [
        ("json", Format::Json),
        ("jsonc", Format::Jsonc),
        ("yaml", Format::Yaml),
        ("yamlc", Format::Yamlc),
        ("table", Format::Table),
        ("tsv", Format::Tsv),
    ] {
        add(name, &mut |out| write_value(out, &value, format, &[], Palette::Plain).unwrap());
    }
    add("probe text", &mut |out| {
        let mut writer = TableWriter::new(out, Palette::Plain, None, Shape::AS_IS);
        writer.write(endpoint.clone()).unwrap();
        writer.finish().unwrap();
    });
    add("probe json", &mut |out| {
        let mut writer = probe_json::ProbeWriter::new(out);
        writer.write(&endpoint).unwrap();
        writer.finish().unwrap();
    });
    all
}

#[test]
fn no_harmful_character_comes_out_of_any_output() {
    for (name, bytes) in outputs() {
        let text = String::from_utf8(bytes).unwrap();
        let own = |c: char| c == '\n' || (name == "tsv" && c == '\t');
        let harmful = text.chars().find(|&c| is_harmful(c) && !own(c));
        assert_eq!(harmful.map(|c| format!("U+{:04X}", u32::from(c))), None, "{name}");
        let (lines, fields) = (text.lines().count(), text.lines().next().unwrap_or_default().split('\t').count());
        assert!(
            name != "tsv" || (lines, fields) == (1, 3),
            "a text made rows or columns of its own: {lines}, {fields}"
        );
    }
}
