//! `hostssl ca-bundle`: the root certificates that clients need, and whether a file has them.

use crate::args::TerminalArgs;
use crate::azure_hosts::is_azure;
use crate::ca_files::{roots_of_file, roots_of_stdin};
use crate::connect::block_on;
use crate::error::CliError;
use crate::exit::Exit;
use crate::libpq;
use crate::plan_file::is_stdin;
use crate::probing::prober;
use crate::route::RouteArgs;
use crate::stdout;
use clap::{Args, Subcommand};
use hostssl_azure::Cloud;
use hostssl_formats::safe;
use hostssl_probe::ProbeOptions;
use hostssl_probe::certificate::{BundleContents, azure_bundle};
use hostssl_probe::report::{EndpointReport, Judgement};
use hostssl_probe::target::ProbeTarget;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

/// Shown below the help.
pub(crate) const HELP: &str = "Exit codes:
  0  printed; or every server verifies with the file, today and after the rotation that Azure has announced
  1  the tool failed
  2  wrong usage, or a file that libpq would refuse
  3  a server is refused with this file, today or after the rotation
  4  a server could not be checked

Examples:
  hostssl ca-bundle > azure-ca.pem
  psql 'host=pg.postgres.database.azure.com sslmode=verify-full sslrootcert=azure-ca.pem'
  hostssl ca-bundle check azure-ca.pem --server pg.postgres.database.azure.com";

#[derive(Debug, Args)]
pub(crate) struct CaBundleArgs {
    #[command(subcommand)]
    command: Option<CaBundleCommand>,
    /// The cloud: azure, or a name that --cloud of `hostssl audit` takes.
    #[arg(long, value_name = "NAME", default_value = "azure")]
    cloud: String,
}

#[derive(Debug, Subcommand)]
enum CaBundleCommand {
    /// Check whether a file of root certificates verifies servers today, and after the rotation that Azure has announced.
    #[command(after_help = HELP)]
    Check(CheckArgs),
}

#[derive(Debug, Args)]
struct CheckArgs {
    /// The file in PEM, as sslrootcert names it; - for standard input.
    file: PathBuf,
    /// A server, in any form that `hostssl probe` takes; may be repeated. Without one, only the file itself is checked.
    #[arg(long, value_name = "TARGET")]
    server: Vec<String>,
    #[command(flatten)]
    route: RouteArgs,
}

pub(crate) fn run(args: &CaBundleArgs, terminal: &TerminalArgs) -> Result<Exit, CliError> {
    if let Some(CaBundleCommand::Check(args)) = &args.command {
        return check(args);
    }
    let cloud = match args.cloud.as_str() {
        "azure" => "AzureCloud".to_owned(),
        name => Cloud::named(name)?.name,
    };
    stdout::write(|out| out.write_all(azure_bundle().as_bytes()))?;
    if !terminal.quiet && cloud == "AzureChinaCloud" {
        // AZURE documents that servers in China chained to it until 2026. It is not among the roots that Mozilla still trusts.
        stderr!(
            "note: a server in China that has not been moved yet may chain to DigiCert Global Root CA, which is not in this file"
        );
    }
    Ok(Exit::AllPass)
}

/// What is said of one server.
struct Checked {
    target: String,
    today: Judgement,
    /// Whether it will be accepted after the rotation; `None` if none is announced for it.
    after: Option<bool>,
}

fn check(args: &CheckArgs) -> Result<Exit, CliError> {
    let hint = "name a file of PEM certificates; `hostssl ca-bundle > azure-ca.pem` writes one";
    let store = if is_stdin(&args.file) { roots_of_stdin() } else { roots_of_file(&args.file) };
    let store = store.map_err(|why| CliError::usage(why, hint))?;
    let contents = BundleContents::of(&store, jiff::Timestamp::now().as_second());
    // The file alone counts: what else this machine trusts is not what the client trusts.
    let environment = libpq::environment(Some(&args.file))?;
    let mut targets = Vec::new();
    for text in &args.server {
        let named = ProbeTarget::parse_in(text, &environment)
            .map_err(|error| CliError::usage(format!("--server: {error}"), "such as db.example or db.example:6432"))?;
        targets.extend(named.targets.into_iter().map(|target| ProbeTarget { root_certificate: None, ..target }));
    }
    let mut options = ProbeOptions { roots: vec![store].into(), ..ProbeOptions::quick() };
    if let Some(dialer) = args.route.dialer()? {
        options.dialer = dialer;
    }
    let prober = prober(options)?;
    let mut checked = Vec::new();
    block_on(async {
        for target in &targets {
            let reports = prober.probe(target).await;
            checked.extend(reports.into_iter().map(|report| of_server(report, &target.host, &contents)));
        }
        Ok(())
    })?;
    stdout::write(|out| write(out, &args.file, &contents, &checked))?;
    Ok(exit(&contents, &checked))
}

fn of_server(report: EndpointReport, host: &str, contents: &BundleContents) -> Checked {
    let target = report.address.map_or(report.target.clone(), |address| format!("{} ({address})", report.target));
    let unknown = || Judgement { ok: None, reason: Some(report.reason.clone()) };
    let today = report.certificate.map_or_else(unknown, |certificate| certificate.verify_full);
    Checked { target, today, after: is_azure(host).then(|| contents.has_all_azure_roots()) }
}

fn exit(contents: &BundleContents, checked: &[Checked]) -> Exit {
    if checked.is_empty() {
        return if contents.has_all_azure_roots() { Exit::AllPass } else { Exit::Findings };
    }
    if checked.iter().any(|one| one.today.ok == Some(false) || one.after == Some(false)) {
        Exit::Findings
    } else if checked.iter().any(|one| one.today.ok.is_none()) {
        Exit::Incomplete
    } else {
        Exit::AllPass
    }
}

fn write(out: &mut dyn Write, file: &Path, contents: &BundleContents, checked: &[Checked]) -> io::Result<()> {
    let name = if is_stdin(file) { "standard input".to_owned() } else { file.display().to_string() };
    writeln!(out, "{}", safe(&name))?;
    for (name, is_present) in &contents.azure_roots {
        writeln!(out, "  {}: {name}", if *is_present { "present" } else { "missing" })?;
    }
    for subject in &contents.not_roots {
        writeln!(out, "  not a root, and may be replaced without notice: {}", safe(subject))?;
    }
    for subject in &contents.expired {
        writeln!(out, "  expired: {}", safe(subject))?;
    }
    for Checked { target, today, after } in checked {
        writeln!(out, "{}", safe(target))?;
        let reason = today.reason.as_deref().map(|reason| format!(": {}", safe(reason))).unwrap_or_default();
        let verdict = match today.ok {
            Some(true) => "accepted",
            Some(false) => "refused",
            None => "could not be checked",
        };
        writeln!(out, "  today: {verdict}{reason}")?;
        let after = match after {
            Some(true) => "accepted: the file has every root that Azure moves servers to",
            Some(false) => "refused once its chain ends in a root that is listed as missing above",
            None => "no rotation is announced for servers outside Azure",
        };
        writeln!(out, "  after the rotation: {after}")?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_worst_answer_counts() {
        let contents =
            |has: bool| BundleContents { azure_roots: vec![("a", has)], not_roots: Vec::new(), expired: Vec::new() };
        let one = |ok, after| Checked { target: String::new(), today: Judgement { ok, reason: None }, after };
        assert_eq!(exit(&contents(true), &[]), Exit::AllPass);
        assert_eq!(exit(&contents(false), &[]), Exit::Findings);
        assert_eq!(exit(&contents(true), &[one(Some(true), Some(true)), one(None, None)]), Exit::Incomplete);
        assert_eq!(exit(&contents(true), &[one(None, None), one(Some(false), None)]), Exit::Findings);
        assert_eq!(exit(&contents(false), &[one(Some(true), Some(false))]), Exit::Findings);
        assert_eq!(exit(&contents(false), &[one(Some(true), None)]), Exit::AllPass);
    }
}
