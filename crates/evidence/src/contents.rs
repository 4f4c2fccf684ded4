//! What goes into a pack: a function of what the state keeps.

use crate::file_names::readable;
use crate::{InvalidKey, MANIFEST, Manifest, PackFile, PackSigner, SIGNATURE, STATEMENT};
use hostssl_audit::{ALL, Profile};
use hostssl_formats::apply_json::RunApproval;
use hostssl_formats::approval_json::PackedOrder;
use hostssl_formats::clients::{ClientsReport, ServerClients};
use hostssl_formats::evidence_json::{EvidenceSummary, MissingPart};
use hostssl_formats::trend::AuditPoint;
use hostssl_formats::{
    approval_json, audit_csv, audit_json, audit_markdown, clients_json, controls_json, evidence_json, evidence_text,
    trend, write_json, write_json_line,
};
use hostssl_model::{AuditReport, Principal, ResourceId};
use serde::Serialize;
use serde_json::Value;
use std::collections::BTreeSet;
use std::io::{self, Write};

/// What the state keeps of an audit and its servers.
#[derive(Debug)]
pub struct PackInput<'a> {
    /// The audit, with the waivers that were applied to it.
    pub report: &'a AuditReport,
    /// Whether it was an audit of a simulated Azure.
    pub simulated: bool,
    /// The version of hostssl that makes the pack.
    pub packed_with: &'a str,
    /// The file of waivers, as it was given.
    pub waivers: Option<&'a str>,
    /// The audits of the same scope, oldest first.
    pub history: Vec<AuditPoint<'a>>,
    /// The clients of its servers, with the observation that `safe` needs in milliseconds.
    pub clients: (Vec<ServerClients>, i64),
    /// The runs that changed its servers.
    pub runs: Vec<PackedRun>,
    /// The probes of its servers.
    pub probes: Vec<PackedProbe>,
    /// What its own probes exchanged with its servers, as far as that was kept: a [`transcript_file`] each.
    pub transcripts: Vec<PackFile>,
    /// Audits before this one that probed servers which count by that, with those servers alone.
    pub earlier: &'a [AuditReport],
    /// What those exchanged with these servers, as far as that was kept: an [`earlier_transcript_file`] each.
    pub earlier_transcripts: Vec<PackFile>,
    /// What of all this could not be read whole.
    pub missing: Vec<MissingPart>,
}

/// A run that changed servers.
#[derive(Debug, Clone)]
pub struct PackedRun {
    /// Its id.
    pub id: String,
    /// The file form of its plan, as it was approved.
    pub plan: String,
    /// The hash that was approved.
    pub approved: String,
    /// Who began it.
    pub principal: Principal,
    /// Who approved its plan and who ordered what of it in a console, as it was kept: when in RFC 3339, what, who, and the hash of
    /// the plan.
    pub orders: Vec<[String; 4]>,
    /// The approvals that counted when it began.
    pub approvals: Vec<RunApproval>,
    /// Its result with its receipts, in the format `hostssl/apply/v1`.
    pub result: Value,
    /// Its journal, one record each.
    pub journal: Vec<Value>,
}

/// A probe that was run on its own.
#[derive(Debug, Clone)]
pub struct PackedProbe {
    /// Its id.
    pub id: String,
    /// When it began, in RFC 3339.
    pub started_at: String,
    /// The version of hostssl.
    pub tool_version: String,
    /// Its endpoints that are servers of the audit, in the format of the members of `hostssl/probe/v1`.
    pub endpoints: Vec<Value>,
}

/// The file with what an audit exchanged with the listeners of a server: one a line, in the format of the members of
/// `hostssl/probe/v1`.
///
/// # Errors
///
/// That of what writes.
pub fn transcript_file(
    server: &ResourceId,
    how: impl FnOnce(&mut dyn Write) -> io::Result<()>,
) -> io::Result<PackFile> {
    PackFile::write(format!("transcripts/{}-{}.jsonl", readable(server.name()), server.key()), how)
}

/// The same of an earlier audit, by its id.
///
/// # Errors
///
/// That of what writes.
pub fn earlier_transcript_file(
    audit: &str,
    server: &ResourceId,
    how: impl FnOnce(&mut dyn Write) -> io::Result<()>,
) -> io::Result<PackFile> {
    PackFile::write(format!("{}.jsonl", earlier_path(audit, server)), how)
}

/// Where an earlier audit of a server is, without the end of the name.
fn earlier_path(audit: &str, server: &ResourceId) -> String {
    format!("earlier/{}/{}-{}", readable(audit), readable(server.name()), server.key())
}

/// The ids, in lower case, of the servers that an earlier audit or a probe on its own looked at.
fn looked_at_otherwise(input: &PackInput<'_>) -> BTreeSet<String> {
    let endpoints = input.probes.iter().flat_map(|probe| &probe.endpoints);
    let hosts: BTreeSet<String> =
        endpoints.filter_map(|one| Some(one["host"].as_str()?.trim_end_matches('.').to_ascii_lowercase())).collect();
    let is_probed = |fqdn: &str| hosts.contains(&fqdn.to_ascii_lowercase());
    let probed = input.report.servers.iter().filter(|one| one.server.fqdn.as_deref().is_some_and(is_probed));
    let earlier = input.earlier.iter().flat_map(|audit| &audit.servers);
    probed.chain(earlier).map(|one| one.server.id.to_lowercase()).collect()
}

/// The files of a pack, in the order of their names and the manifest last: the same input gives the same files. With a key,
/// the manifest is signed.
///
/// # Errors
///
/// [`InvalidKey`] within an [`io::Error`] when the key cannot sign; nothing else, as all is written to memory.
pub fn pack_files(mut input: PackInput<'_>, signer: Option<&PackSigner>) -> io::Result<Vec<PackFile>> {
    let fingerprint = signer.map(PackSigner::fingerprint);
    let otherwise = looked_at_otherwise(&input);
    let summary = EvidenceSummary {
        report: input.report,
        simulated: input.simulated,
        signer: fingerprint.as_deref(),
        packed_with: input.packed_with,
        clients: input.clients.0.len(),
        runs: input.runs.len(),
        probes: input.probes.len(),
        transcripts: input.transcripts.len(),
        earlier: input.earlier.iter().map(|audit| audit.servers.len()).sum(),
        earlier_transcripts: input.earlier_transcripts.len(),
        looked_at_otherwise: &otherwise,
        audits: input.history.len(),
        missing: &input.missing,
    };
    let mut files = Files::default();
    files.add("README.txt", |out| evidence_text::write(out, &summary))?;
    files.json(STATEMENT, &evidence_json::value(&summary)?)?;
    files.0.append(&mut input.transcripts);
    files.0.append(&mut input.earlier_transcripts);
    add_audit(&mut files, &input)?;
    add_controls(&mut files, input.report)?;
    add_clients(&mut files, &input)?;
    input.runs.iter().try_for_each(|run| add_run(&mut files, run))?;
    input.probes.iter().try_for_each(|probe| add_probe(&mut files, probe))?;
    if let Some(waivers) = input.waivers {
        files.add("waivers.toml", |out| out.write_all(waivers.as_bytes()))?;
    }
    let mut files = files.0;
    files.sort_by(|a, b| a.path.cmp(&b.path));
    // Ids that differ in case alone are one server, and ids of runs are unique: this holds, and a pack rests on it.
    if let Some([first, _]) = files.array_windows().find(|[a, b]| a.path == b.path) {
        return Err(io::Error::other(format!("two files would be {}", first.path)));
    }
    let manifest = Manifest::of(&files).to_text();
    let signature = signer.map(|key| key.sign(manifest.as_bytes()));
    files.push(PackFile::new(MANIFEST, manifest.as_bytes())?);
    if let Some(signature) = signature.transpose().map_err(|error: InvalidKey| io::Error::other(error))? {
        files.push(PackFile::new(SIGNATURE, signature.as_bytes())?);
    }
    Ok(files)
}

#[derive(Default)]
struct Files(Vec<PackFile>);

impl Files {
    fn add(&mut self, path: &str, how: impl FnOnce(&mut dyn Write) -> io::Result<()>) -> io::Result<()> {
        self.0.push(PackFile::write(path, how)?);
        Ok(())
    }

    fn json(&mut self, path: &str, value: &impl Serialize) -> io::Result<()> {
        self.add(path, |out| {
            write_json(out, value)?;
            writeln!(out)
        })
    }

    fn lines<'a>(&mut self, path: &str, values: impl IntoIterator<Item = &'a Value>) -> io::Result<()> {
        self.add(path, |out| {
            values.into_iter().try_for_each(|value| {
                write_json_line(out, value)?;
                writeln!(out)
            })
        })
    }
}

fn add_audit(files: &mut Files, input: &PackInput<'_>) -> io::Result<()> {
    let report = input.report;
    files.add("audit.json", |out| audit_json::write(out, report))?;
    files.add("audit.csv", |out| audit_csv::write(out, report))?;
    files.add("audit.md", |out| audit_markdown::write(out, report))?;
    files.add("history.csv", |out| trend::write_csv(out, &input.history))?;
    for server in &report.servers {
        let id = &server.server.id;
        let path = format!("servers/{}-{}.json", readable(id.name()), id.key());
        files.json(&path, &evidence_json::server_value(report, server)?)?;
    }
    input.earlier.iter().try_for_each(|audit| add_earlier(files, audit))
}

/// What an earlier audit saw of servers that count by it.
fn add_earlier(files: &mut Files, audit: &AuditReport) -> io::Result<()> {
    audit.servers.iter().try_for_each(|server| {
        let path = earlier_path(&audit.run.id, &server.server.id);
        files.json(&format!("{path}.json"), &evidence_json::server_value(audit, server)?)
    })
}

/// The controls that the audit was asked for; all of them for a profile of another version of hostssl.
fn add_controls(files: &mut Files, report: &AuditReport) -> io::Result<()> {
    let controls = Profile::of_run(&report.run).map_or_else(|| ALL.to_vec(), |profile| profile.controls);
    files.json("controls.json", &controls_json::list(controls.iter().copied())?)?;
    controls.iter().try_for_each(|control| {
        let path = format!("controls/{}.md", control.id);
        files.add(&path, |out| out.write_all(control.documentation.as_bytes()))
    })
}

fn add_clients(files: &mut Files, input: &PackInput<'_>) -> io::Result<()> {
    let (servers, window) = &input.clients;
    if servers.is_empty() {
        return Ok(());
    }
    let run = &input.report.run;
    let report = ClientsReport {
        id: run.id.clone(),
        started_at: run.started_at.clone(),
        finished_at: run.finished_at.clone(),
        principal: None,
        cloud: Some(run.cloud.clone()),
        window: *window,
        since: None,
        servers: servers.clone(),
    };
    files.json("clients.json", &clients_json::value(&report)?)
}

fn add_run(files: &mut Files, run: &PackedRun) -> io::Result<()> {
    let path = |name: &str| format!("runs/{}/{name}", readable(&run.id));
    files.add(&path("plan.json"), |out| out.write_all(run.plan.as_bytes()))?;
    let orders = run.orders.iter().map(|[at, act, person, plan]| PackedOrder { at, act, person, plan });
    let approval = approval_json::value(&run.id, &run.approved, &run.principal, orders.collect(), &run.approvals)?;
    files.json(&path("approval.json"), &approval)?;
    files.json(&path("result.json"), &run.result)?;
    files.lines(&path("journal.jsonl"), &run.journal)
}

fn add_probe(files: &mut Files, probe: &PackedProbe) -> io::Result<()> {
    let head = approval_json::probe_head(&probe.id, &probe.started_at, &probe.tool_version)?;
    let path = format!("probes/{}.jsonl", readable(&probe.id));
    files.lines(&path, std::iter::once(&head).chain(&probe.endpoints))
}
