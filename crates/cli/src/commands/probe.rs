//! `hostssl probe`: proves on the wire whether endpoints enforce TLS.

use crate::args::{ProbeArgs, Replication, TalkArgs, ValueFormat};
use crate::connect::block_on;
use crate::error::CliError;
use crate::exit::Exit;
use crate::stdout;
use futures::StreamExt;
use hostssl_model::Outcome;
use hostssl_probe::certificate::RootStore;
use hostssl_probe::report::{EndpointReport, Verdict};
use hostssl_probe::target::Target;
use hostssl_probe::{Options, Prober, probe_many};
use hostssl_report::{Column, Palette, safe, write_columns};
use serde_json::{Value, json};
use std::io::{self, BufRead, Write};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

/// The name and version of the JSON format.
const SCHEMA: &str = "hostssl/probe/v1";
/// Targets in one file or on standard input.
const MOST_TARGETS: usize = 1_000_000;

pub(crate) fn run(args: &ProbeArgs, talk: &TalkArgs) -> Result<Exit, CliError> {
    let query = stdout::query(args.value.query.as_deref())?;
    let targets = targets(args)?;
    let options = options(args)?;
    // An error means that another provider is the default already, which is as good.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let prober = Prober::new(options)
        .map_err(|error| CliError::failed(&error, "this is a defect of hostssl; please report it"))?;
    let mut reports: Vec<EndpointReport> =
        block_on(async { Ok(probe_many(Arc::new(prober), targets, args.parallel.into()).collect().await) })?;
    reports.sort_by_key(|report| (rank(report.verdict), report.target.clone(), report.address.clone()));
    let palette = stdout::palette(talk);
    if args.value.output == ValueFormat::Table && query.is_none() {
        stdout::write(|out| write_table(out, &reports, palette))?;
    } else {
        let value = json!({ "schema": SCHEMA, "endpoints": reports });
        stdout::write_value(&value, query.as_ref(), args.value.output.into(), palette)?;
    }
    Ok(exit(&reports))
}

/// 0 only when every endpoint is proven to enforce TLS.
fn exit(reports: &[EndpointReport]) -> Exit {
    let worst = reports.iter().map(|report| outcome(report.verdict)).max();
    match worst {
        Some(Outcome::Fail) => Exit::Findings,
        Some(Outcome::Pass) => Exit::AllPass,
        _ => Exit::Incomplete,
    }
}

fn outcome(verdict: Verdict) -> Outcome {
    match verdict {
        Verdict::Enforced => Outcome::Pass,
        Verdict::Optional | Verdict::PlaintextOnly | Verdict::BrokenTls => Outcome::Fail,
        Verdict::Inconclusive | Verdict::NotPostgresql | Verdict::Unreachable => Outcome::Unknown,
    }
}

/// Failures first, then what is not known.
fn rank(verdict: Verdict) -> u8 {
    match verdict {
        Verdict::PlaintextOnly => 0,
        Verdict::Optional => 1,
        Verdict::BrokenTls => 2,
        Verdict::Inconclusive => 3,
        Verdict::NotPostgresql => 4,
        Verdict::Unreachable => 5,
        Verdict::Enforced => 6,
    }
}

fn targets(args: &ProbeArgs) -> Result<Vec<Target>, CliError> {
    let mut lines: Vec<String> = args.targets.clone();
    if let Some(file) = &args.targets_file {
        let unreadable = |error: io::Error| {
            CliError::usage(format!("{}: {error}", file.display()), "--targets takes a file with a target a line, or -")
        };
        if file.as_os_str() == "-" {
            lines.extend(read_lines(io::stdin().lock()).map_err(unreadable)?);
        } else {
            let open = std::fs::File::open(file).map_err(unreadable)?;
            lines.extend(read_lines(io::BufReader::new(open)).map_err(unreadable)?);
        }
    }
    let mut targets = Vec::new();
    for line in &lines {
        let parsed = Target::parse(line).map_err(|error| {
            CliError::usage(error.to_string(), "targets look like host, host:port, postgresql://host/db")
        })?;
        targets.extend(parsed);
    }
    if targets.is_empty() {
        return Err(CliError::usage("no target was given", "name one, such as db.example:5432, or use --targets FILE"));
    }
    Ok(targets)
}

fn read_lines(reader: impl BufRead) -> io::Result<Vec<String>> {
    let kept = |line: &io::Result<String>| {
        line.as_ref().map_or(true, |line| !line.trim().is_empty() && !line.trim_start().starts_with('#'))
    };
    reader.lines().filter(kept).take(MOST_TARGETS).collect()
}

fn options(args: &ProbeArgs) -> Result<Options, CliError> {
    let base = if args.ciphers {
        Options { cipher_suites: true, groups: true, ..Options::default() }
    } else {
        Options::default()
    };
    let mut options = Options {
        transcript: args.transcript,
        connections_per_server: args.connections.into(),
        endpoint_timeout: args.timeout,
        job_timeout: args.timeout.min(Duration::from_secs(10)),
        connect_timeout: args.timeout.min(Duration::from_secs(5)),
        roots: roots(args.ca_file.as_deref())?.into(),
        ..base
    };
    if !args.user.is_empty() {
        options.users.clone_from(&args.user);
    }
    if !args.database.is_empty() {
        options.databases.clone_from(&args.database);
    }
    if !args.replication.is_empty() {
        options.replication = args.replication.iter().map(|replication| (*replication).into()).collect();
    }
    Ok(options)
}

/// The system's roots and those of `--ca-file`, each judged on its own too. None of the system is no error: then nothing
/// is said about the chain.
fn roots(ca_file: Option<&Path>) -> Result<Vec<RootStore>, CliError> {
    let system = rustls_native_certs::load_native_certs().certs.into_iter().map(|der| der.to_vec()).collect();
    let mut roots: Vec<RootStore> = RootStore::from_der("system", system).into_iter().collect();
    if let Some(path) = ca_file {
        let hint = "--ca-file takes a file of PEM certificates, as `-----BEGIN CERTIFICATE-----` begins";
        let pem = std::fs::read(path).map_err(|error| {
            CliError::usage(format!("the CA file {} cannot be read: {error}", path.display()), hint)
        })?;
        let store = RootStore::from_pem(path.display().to_string(), &pem)
            .map_err(|error| CliError::usage(error.to_string(), hint))?;
        roots.push(store);
    }
    Ok(roots)
}

fn write_table(out: &mut dyn Write, reports: &[EndpointReport], palette: Palette) -> io::Result<()> {
    let headings = ["VERDICT", "TARGET", "ADDRESS", "TLS", "CERTIFICATE", "WHY"];
    let mut rows = vec![headings.map(|h| Column::painted(h, palette.faint(h))).to_vec()];
    rows.extend(reports.iter().map(|report| row(report, palette)));
    write_columns(out, "", &rows)?;
    for report in reports {
        write_details(out, report, palette)?;
    }
    let count = |wanted| reports.iter().filter(|report| outcome(report.verdict) == wanted).count();
    let (fail, unknown, pass) = (count(Outcome::Fail), count(Outcome::Unknown), count(Outcome::Pass));
    writeln!(out, "\n{} endpoints: {fail} not enforced, {unknown} unknown, {pass} enforced", reports.len())?;
    writeln!(
        out,
        "the proof covers the users and databases that were named, as seen from this machine; no password was sent"
    )
}

fn row(report: &EndpointReport, palette: Palette) -> Vec<Column> {
    let verdict = word(report.verdict);
    let tls = report.tls.as_ref().and_then(|tls| tls.negotiated.as_ref()).and_then(|n| n.version.as_deref());
    let certificate = report.certificate.as_ref().map_or("-", |certificate| match certificate.verify_full.ok {
        Some(true) => "verify-full",
        Some(false) => "not valid",
        None => "not judged",
    });
    vec![
        Column::painted(verdict.clone(), palette.outcome(outcome(report.verdict), &verdict)),
        Column::plain(safe(&report.target)),
        Column::plain(report.address.as_deref().unwrap_or("-")),
        Column::plain(tls.unwrap_or("-")),
        Column::plain(certificate),
        Column::plain(safe(&report.reason)),
    ]
}

/// What weakens an endpoint, and the transcript where it was asked for.
fn write_details(out: &mut dyn Write, report: &EndpointReport, palette: Palette) -> io::Result<()> {
    let transcript = report.transcript.iter().flatten();
    if report.weaknesses.is_empty() && report.transcript.is_none() {
        return Ok(());
    }
    writeln!(out, "\n{}", palette.bold(&safe(&report.target)))?;
    if let Some(reason) = report.certificate.as_ref().and_then(|c| c.verify_full.reason.as_deref()) {
        writeln!(out, "  certificate: {}", safe(reason))?;
    }
    for weakness in &report.weaknesses {
        writeln!(out, "  weakness: {}", word(weakness))?;
    }
    let rows: Vec<Vec<Column>> = transcript
        .map(|line| {
            vec![
                Column::plain(format!(
                    "{:>9.3} ms",
                    f64::from(u32::try_from(line.micros).unwrap_or(u32::MAX)) / 1000.0
                )),
                Column::plain(safe(&line.connection)),
                Column::plain(word(line.direction)),
                Column::plain(safe(&line.message)),
                Column::plain(safe(&line.text)),
            ]
        })
        .collect();
    write_columns(out, "  ", &rows)
}

/// The word that JSON has for it.
fn word(value: impl serde::Serialize) -> String {
    match serde_json::to_value(value) {
        Ok(Value::String(word)) => word,
        _ => String::new(),
    }
}

impl From<Replication> for hostssl_probe::Replication {
    fn from(replication: Replication) -> Self {
        match replication {
            Replication::None => Self::None,
            Replication::Physical => Self::Physical,
            Replication::Logical => Self::Logical,
        }
    }
}
