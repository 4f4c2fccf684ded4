//! Every harmful character of Unicode, in every text from outside, through every output: none comes out as it is.
#![allow(clippy::unwrap_used, reason = "a test may stop at the first surprise")]

mod authors;
mod changes;
mod clients;
mod probes;

use hostssl_audit::{ALL, Profile, diff};
use hostssl_formats::approval_json::PackedOrder;
use hostssl_formats::config_json::ConfigRow;
use hostssl_formats::evidence_json::{self, EvidenceSummary, MissingPart};
use hostssl_formats::fleet_metrics::{FleetAges, FleetFigures, FleetMetrics};
use hostssl_formats::iac_snippet::{NoSnippet, SnippetAim, SnippetLanguage};
use hostssl_formats::iac_words::IacOrigin;
use hostssl_formats::output::{Format, write_value};
use hostssl_formats::plan_review::PlanReview;
use hostssl_formats::policy::{ENFORCING, PolicyScope, REPORTING};
use hostssl_formats::probe_metrics::ProbeMetrics;
use hostssl_formats::probe_text::TableWriter;
use hostssl_formats::role_json::CustomRole;
use hostssl_formats::tool_json::ToolOutput;
use hostssl_formats::trend::AuditPoint;
use hostssl_formats::zones_json::ZoneCoverage;
use hostssl_formats::{
    Palette, Section, Shape, Text, apply_json, approval_json, audit_csv, audit_html, audit_json, audit_junit,
    audit_markdown, audit_ocsf, audit_sarif, audit_standards_csv, audit_text, clients_csv, clients_json, clients_sheet,
    clients_text, config_json, controls_json, diff_json, diff_text, doctor_json, doctor_text, evidence_text,
    explain_json, explain_text, fleet_metrics, gate_text, iac_csv, iac_html, iac_json, iac_junit, iac_markdown,
    iac_ocsf, iac_sarif, iac_snippet, iac_text, iac_words, lint_json, lint_text, markdown, plan_review, plan_text,
    policy, probe_json, probers_json, probers_text, run_refused, run_sessions, run_text, runs_json, runs_text,
    server_document, tool_json, trend, waiver_text, watch_message, write_json_line, write_list, zones_json, zones_text,
};
use hostssl_iac::{IacBaseline, IacReport, check, read};
use hostssl_model::untrusted::is_harmful;
use hostssl_model::{
    AuditReport, DoctorCheck, DoctorCheckId, DoctorReport, Gap, GapScope, Hint, Kind, Reason, ResourceId,
    SslEnforcement, Standings, TlsVersion, Unchecked,
};
use hostssl_test_support::hostile::{audit, changed_since, hostile, narrowed, waivers};
use jiff::Timestamp;
use serde_json::{Value, json};
use std::collections::HashMap;
use std::io::{self, Write};
use std::sync::LazyLock;

/// What each output made of the hostile text, by name.
struct Outputs(Vec<(String, Vec<u8>)>);

impl Outputs {
    fn add(&mut self, name: &str, write: impl FnOnce(&mut dyn Write) -> io::Result<()>) {
        let mut out = Vec::new();
        write(&mut out).unwrap();
        assert!(out.len() > 100, "{name} wrote nothing");
        self.0.push((name.to_owned(), out));
    }

    /// A value, in every format that a value has.
    fn add_value(&mut self, name: &str, value: &Value) {
        for (format, ending) in FORMATS {
            let palette = Palette::Plain;
            let mut out = Vec::new();
            write_value(&mut out, value, format, &[], palette).unwrap();
            // Tables have no column for what is a list or an object.
            let may_be_short = matches!(format, Format::Table | Format::Tsv);
            assert!(out.len() > 100 || may_be_short, "{name} {ending} wrote nothing");
            self.0.push((format!("{name} {ending}"), out));
        }
        self.add(&format!("{name} line"), |out| write_json_line(out, value));
    }
}

const FORMATS: [(Format, &str); 6] = [
    (Format::Json, "json"),
    (Format::Jsonc, "jsonc"),
    (Format::Yaml, "yaml"),
    (Format::Yamlc, "yamlc"),
    (Format::Table, "table"),
    (Format::Tsv, "tsv"),
];

fn of_audit(all: &mut Outputs, audit: &AuditReport, which: &str) {
    let name = |output: &str| match output.split_once(' ') {
        Some((module, format)) => format!("{module} {which} {format}"),
        None => format!("{output} {which}"),
    };
    all.add(&name("audit_text"), |out| audit_text::write(out, audit, &Text::plain()));
    all.add(&name("audit_csv"), |out| audit_csv::write(out, audit));
    all.add(&name("audit_csv tsv"), |out| audit_csv::write_tabs(out, audit));
    all.add(&name("audit_standards_csv"), |out| audit_standards_csv::write(out, audit, &[]));
    all.add(&name("audit_json"), |out| audit_json::write(out, audit));
    all.add_value(&name("audit_json"), &audit_json::value(audit).unwrap());
    all.add(&name("audit_sarif"), |out| audit_sarif::write(out, audit));
    all.add(&name("audit_junit"), |out| audit_junit::write(out, audit));
    all.add(&name("audit_ocsf"), |out| audit_ocsf::write(out, audit));
    all.add(&name("audit_html"), |out| audit_html::write(out, audit));
    all.add(&name("audit_markdown"), |out| audit_markdown::write(out, audit));
}

fn of_audits(all: &mut Outputs) {
    let (audit, text) = (audit(), Text::plain());
    of_audit(all, &audit, "whole");
    of_audit(all, &narrowed(), "narrowed");
    all.add("waiver_text", |out| waiver_text::write(out, &waivers(), &text));
    all.add_value("waiver_text", &waiver_text::value(&waivers()));
    all.add("gate_text", |out| {
        let lines = [
            gate_text::decided(&audit),
            gate_text::doubts(&audit),
            waiver_text::used(&audit),
            waiver_text::doubts(&audit),
        ];
        lines.concat().iter().try_for_each(|line| writeln!(out, "{line}"))
    });
    let later = changed_since();
    let compared = diff(&audit, &later);
    assert!(!compared.changes.is_empty(), "nothing is compared");
    all.add("diff_text", |out| diff_text::write(out, &audit, &later, &compared, &text));
    all.add("diff_json", |out| diff_json::write(out, &audit, &later, &compared));
    all.add("watch_message slack", |out| write!(out, "{}", watch_message::slack(&later, &compared)));
    all.add("watch_message teams", |out| write!(out, "{}", watch_message::teams(&later, &compared)));
    authors::of_authors(all, &audit, &later, compared);
    let damaged = [MissingPart { what: audit.run.cloud.clone(), why: audit.run.cloud.clone() }];
    let summary = EvidenceSummary {
        report: &audit,
        simulated: false,
        signer: Some(&audit.run.cloud),
        packed_with: &audit.run.cloud,
        clients: 0,
        runs: 0,
        probes: 0,
        transcripts: 1,
        earlier: 0,
        earlier_transcripts: 0,
        looked_at_otherwise: &std::collections::BTreeSet::new(),
        audits: 1,
        missing: &damaged,
    };
    all.add("evidence_text", |out| evidence_text::write(out, &summary));
    all.add_value("evidence_json", &evidence_json::value(&summary).unwrap());
    let principal = &audit.run.principals[0];
    let order = PackedOrder { at: &principal.name, act: "apply", person: &principal.name, plan: &principal.name };
    let approval =
        approval_json::value(&principal.name, &principal.name, principal, vec![order], &changes::approvals()).unwrap();
    all.add_value("approval_json", &approval);
    let head = approval_json::probe_head(&principal.name, &principal.name, &principal.name).unwrap();
    all.add_value("approval_json probe", &head);
    let row = ConfigRow { key: "tenant", value: principal.name.clone(), from: principal.name.clone() };
    all.add_value("config_json", &config_json::value(&[row]).unwrap());
    all.add_value("evidence_json server", &evidence_json::server_value(&audit, &audit.servers[0]).unwrap());
}

fn of_fleets(all: &mut Outputs) {
    let hostile = hostile();
    let point = |profile| AuditPoint {
        run: &hostile,
        started_at: hostile.clone(),
        profile,
        complete: false,
        standings: Standings::default(),
        fail: 0,
        unknown: 0,
        pass: 0,
    };
    let points = [point(&hostile), point("other")];
    all.add("trend", |out| trend::write(out, &points, None, &Text::plain()));
    all.add("trend csv", |out| trend::write_csv(out, &points));
    all.add_value("trend", &trend::value(&points, None).unwrap());
    let figures = FleetFigures {
        finished: Some(1),
        complete: false,
        standings: Standings::default(),
        controls: vec![(hostile.clone(), [1; 3])],
        gaps: vec![(hostile.clone(), [1; 2])],
        ages: FleetAges::default(),
        expiries: Vec::new(),
    };
    let metrics = FleetMetrics { version: hostile.clone(), audit: Some(figures), last_complete: None };
    all.add("fleet_metrics", |out| fleet_metrics::write(out, &metrics));
    let raw = json!({ "id": hostile, "name": hostile, hostile.as_str(): hostile, "properties": { "state": hostile } });
    let document = server_document::server_document(&raw, SslEnforcement::Unknown, None, &[]);
    all.add_value("server_document", &document);
    all.add("server_document list", |out| {
        let section =
            Section { title: Some("servers".into()), entries: vec![server_document::entry(&document, "AzureCloud")] };
        write_list(out, server_document::COLUMNS, vec![section], &Text::plain())
    });
}

fn of_clients(all: &mut Outputs) {
    let census = clients::clients();
    all.add("clients_text", |out| clients_text::write(out, &census, &Text::plain()));
    all.add("clients_csv", |out| clients_csv::write(out, &census));
    all.add("clients_sheet", |out| clients_sheet::write(out, &census));
    all.add_value("clients_json", &clients_json::value(&census).unwrap());
    all.add("run_sessions", |out| run_sessions::write(out, &clients::sessions(), Palette::Plain));
    all.add("run_refused", |out| run_refused::write(out, &clients::refused_since(), &Text::plain()));
}

fn of_probes(all: &mut Outputs) {
    let endpoint = probes::endpoint();
    all.add("probe_text", |out| {
        let mut writer = TableWriter::new(out, Palette::Plain, None, Shape::AS_IS);
        writer.write(endpoint.clone())?;
        writer.finish().map(drop)
    });
    all.add("probe_json", |out| {
        let mut writer = probe_json::ProbeWriter::new(out);
        writer.write(&endpoint)?;
        writer.finish(None).map(drop)
    });
    all.add_value("probe_json", &probe_json::endpoint(&endpoint).unwrap());
    let mut metrics = ProbeMetrics::default();
    metrics.add(&endpoint);
    all.add("probe_metrics", |out| metrics.write(out, 1, false));
    let (rules, server) = (probes::zone_rules(), &audit().servers[0].server);
    let gaps =
        [Gap { scope: GapScope::Name(hostile().into()), unchecked: Unchecked::new(Reason::AzureError, hostile()) }];
    let coverage = ZoneCoverage { servers: &[0], uncovered: &[server], gaps: &gaps };
    all.add("zones_text", |out| zones_text::write(out, &rules, Some(&coverage), &Text::plain()));
    all.add_value("zones_json", &zones_json::value(&rules, Some(&coverage)).unwrap());
    let (probers, refusals) = (probes::probers(), probes::refusals());
    all.add("probers_text", |out| probers_text::write(out, &probers, &refusals, &Text::plain()));
    all.add_value("probers_json", &probers_json::value(&probers, &refusals).unwrap());
    all.add_value("prober_json", &probes::prober_reply().value().unwrap());
    all.add_value("targets_json", &probes::zone_targets().value().unwrap());
}

fn of_changes(all: &mut Outputs) {
    let (plan, names, objections) = (changes::plan(), changes::names(), changes::objections());
    let (result, text) = (changes::result(), Text::plain());
    all.add("plan_text", |out| plan_text::write(out, &plan, &names, &text));
    all.add_value("the plan itself", &serde_json::from_str(&plan.to_json()).unwrap());
    let audited = audit();
    for audit in [None, Some(&audited)] {
        let review =
            PlanReview { plan: &plan, file: "plan.json", names: &names, now_ms: 0, audit, audit_is_kept: true };
        all.add("plan_review", |out| plan_review::write(out, &review, &text));
    }
    all.add("lint_text", |out| lint_text::write(out, &plan, &objections, &text));
    all.add_value("lint_json", &lint_json::value(&plan, &objections).unwrap());
    let approvals = changes::approvals();
    all.add("run_text", |out| run_text::write(out, &result, &names, &text));
    all.add("run_text approvals", |out| run_text::write_approvals(out, &approvals));
    let steps: Vec<_> = result.steps.iter().collect();
    all.add("run_text undo", |out| run_text::write_undo(out, &steps, &names, &text));
    all.add_value("apply_json", &apply_json::value(&result, &clients::sessions()).unwrap());
    let kept = apply_json::value_with_receipts(&result, &changes::receipts(), &clients::refused_since(), &approvals);
    all.add_value("apply_json kept", &kept.unwrap());
    let word = hostile();
    let runs = changes::runs(&word);
    all.add("runs_text", |out| runs_text::write(out, &runs, &text));
    all.add_value("runs_json", &runs_json::value(&runs).unwrap());
}

fn of_files(all: &mut Outputs) {
    let (file, report) = (hostile(), infrastructure());
    all.add("iac_text", |out| iac_text::write(out, &report, &file, &Text::plain()));
    all.add("iac_json", |out| iac_json::write(out, &report, &file));
    all.add_value("iac_json", &iac_json::value(&report, &file).unwrap());
    all.add("iac_junit", |out| iac_junit::write(out, &report, &file));
    all.add("iac_markdown", |out| iac_markdown::write(out, &report, &file));
    let origin = IacOrigin { file: &file, tool_version: &file, checked_at: Timestamp::UNIX_EPOCH };
    let said = || iac_words::decided(&report).into_iter().chain(iac_words::doubts(&report));
    let gaps = || report.gaps.iter().map(iac_words::gap);
    all.add("iac_words", |out| said().chain(gaps()).try_for_each(|line| writeln!(out, "{line}")));
    all.add("iac_csv", |out| iac_csv::write(out, &report, &file));
    all.add("iac_ocsf", |out| iac_ocsf::write(out, &report, &origin));
    all.add("iac_html", |out| iac_html::write(out, &report, &origin));
    all.add("iac_sarif", |out| iac_sarif::write(out, &report, &file, &file));
    let id = format!("/subscriptions/s/resourceGroups/g/providers/{}/{file}", Kind::Flexible.offering().arm_type);
    if let Ok(id) = ResourceId::try_from(id.as_str()) {
        let (kind, aim) = (Kind::Flexible, SnippetAim { minimum: TlsVersion::Tls1_2, raises_maximum: true });
        for language in [SnippetLanguage::Terraform, SnippetLanguage::Bicep] {
            let written = iac_snippet::write(&mut Vec::new(), kind, &id, aim, language).unwrap();
            assert_eq!(written, Err(NoSnippet::Name), "a template would be written with it");
        }
    }
    // No name with such a character is one of a scope, and `--location` takes no such region.
    assert!(PolicyScope::read(&format!("/subscriptions/{file}")).is_err());
    let scope = PolicyScope::read("/subscriptions/00000000-0000-0000-0000-000000000001").unwrap();
    let policies: Vec<_> = REPORTING.into_iter().chain([ENFORCING]).collect();
    all.add_value("policy", &policy::value(&policies, &scope, &file));
    all.add("policy bicep", |out| policy::write_bicep(out, &policies, &scope, "westeurope"));
    all.add("policy terraform", |out| policy::write_terraform(out, &policies, &scope, "westeurope"));
    all.add_value("role_json", &CustomRole::new(&file, &file, &[&file], std::slice::from_ref(&file)).value().unwrap());
}

/// A Terraform plan with every text from outside, compared with an audit.
fn infrastructure() -> IacReport {
    let text = hostile();
    let server = json!({ "name": text, "resource_group_name": text, "ssl_enforcement_enabled": false });
    let change = json!({
        "address": text, "mode": "managed", "type": "azurerm_postgresql_server", "name": text,
        "change": { "actions": ["create"], "before": null, "after": server },
    });
    let plan = json!({
        "format_version": "1.2", "terraform_version": text, "complete": false, "resource_changes": [change],
    });
    let mut report =
        check(&read(plan.to_string().as_bytes()).unwrap(), &Profile::find("baseline").unwrap(), Some(&audit()));
    let (profile, format) = (text.clone(), text.clone());
    let baseline = IacBaseline { profile, format, is_compared: false, failures: HashMap::new() };
    report.compare_with(&text, &baseline);
    report.apply_waivers(&text, waivers());
    report
}

fn of_words(all: &mut Outputs) {
    let text = hostile();
    let message = format!("FATAL: no pg_hba.conf entry for host \"{text}\", user \"{text}\", no encryption {text}");
    let mut explanations = hostssl_explain::explain_all(&message);
    explanations.push(hostssl_explain::explain(&text));
    assert!(explanations.len() > 1, "the message is not known");
    all.add("explain_text", |out| explain_text::write(out, &explanations, Palette::Plain));
    all.add_value("explain_json", &explain_json::value(&explanations).unwrap());
    all.add_value("controls_json", &controls_json::list(ALL.iter().copied()).unwrap());
    all.add("markdown", |out| markdown::write(out, ALL[0].documentation, &Text::plain()));
    let check = DoctorCheck::failed(DoctorCheckId::SignIn, &text, Hint::text(&text));
    let (checked_at, tool_version, cloud) = (text.clone(), text.clone(), text.clone());
    let doctor = DoctorReport { checked_at, tool_version, cloud, checks: vec![check] };
    all.add("doctor_text", |out| doctor_text::write(out, &doctor, &Text::plain()));
    let result = audit_json::value(&audit()).unwrap();
    let (left_out, untrusted) = (Vec::new(), &[][..]);
    let gaps =
        vec![Gap { scope: GapScope::Name(hostile().into()), unchecked: Unchecked::new(Reason::AzureError, hostile()) }];
    let tool = ToolOutput {
        tool: "servers",
        simulated: Some(&text),
        kept: None,
        complete: Some(false),
        gaps,
        warnings: vec![text.clone()],
        page: None,
        left_out,
        untrusted,
        result,
    };
    let tool = tool_json::value(tool).unwrap();
    // Not even with an escape: its reader takes the text as it is.
    assert!(!tool.to_string().contains(is_harmful), "{tool}");
    all.add_value("tool_json", &tool);
    all.add_value("doctor_json", &doctor_json::value(&doctor).unwrap());
    let value = json!([{ text.as_str(): text, "list": [text], "inner": { text.as_str(): text } }]);
    all.add_value("output", &value);
}

static OUTPUTS: LazyLock<Vec<(String, Vec<u8>)>> = LazyLock::new(|| {
    let mut all = Outputs(Vec::new());
    of_audits(&mut all);
    of_fleets(&mut all);
    of_clients(&mut all);
    of_probes(&mut all);
    of_changes(&mut all);
    of_files(&mut all);
    of_words(&mut all);
    all.0
});

#[test]
fn no_harmful_character_comes_out_of_any_output() {
    for (name, bytes) in OUTPUTS.iter() {
        let text = std::str::from_utf8(bytes).unwrap();
        let own = |c: char| c == '\n' || (name.ends_with("tsv") && c == '\t');
        let harmful = text.chars().find(|&c| is_harmful(c) && !own(c));
        assert_eq!(harmful.map(|c| format!("U+{:04X}", u32::from(c))), None, "{name}");
        let (lines, fields) = (text.lines().count(), text.lines().next().unwrap_or_default().split('\t').count());
        assert!(
            name != "output tsv" || (lines, fields) == (1, 3),
            "a text made rows or columns of its own: {lines}, {fields}"
        );
    }
}

/// Modules that write no text of their own: what is written by others, how it is written, and the plain data.
const WITHOUT_OUTPUT: [&str; 3] = ["clients", "iac_baseline", "table"];
/// It refuses such names, which is asserted where its other files are tried.
const REFUSES: &str = "iac_snippet";

#[test]
fn every_output_is_tried() {
    let source = include_str!("../../src/lib.rs");
    let modules: Vec<&str> =
        source.lines().filter_map(|line| line.strip_prefix("pub mod ")?.strip_suffix(';')).collect();
    assert!(modules.len() > 40, "{modules:?}");
    let is_tried = |module: &str| OUTPUTS.iter().any(|(name, _)| name.split(' ').next() == Some(module));
    let missing: Vec<_> = modules
        .iter()
        .filter(|module| !is_tried(module) && !WITHOUT_OUTPUT.contains(module) && **module != REFUSES)
        .collect();
    assert!(missing.is_empty(), "these outputs are not fed the hostile text: {missing:?}");
}
