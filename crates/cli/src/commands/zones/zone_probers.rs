//! `hostssl zones enrol|probers|revoke`: the machines in zones that probe by themselves.

use super::ZoneFileArgs;
use crate::args::{ListArgs, ProberList, StateArgs, TableArgs, TerminalArgs, scenarios};
use crate::error::CliError;
use crate::exit::Exit;
use crate::looks::load_zones_in_force;
use crate::state::instant;
use crate::stdout;
use clap::Args;
use clap::builder::PossibleValuesParser;
use hostssl_console::{has_prober_port_key, prober_port_key};
use hostssl_formats::output::Format;
use hostssl_formats::probers_json::{self, ListedProber, ListedRefusal};
use hostssl_formats::probers_text;
use hostssl_model::nearest;
use hostssl_prober::JoinString;
use hostssl_store::{AuditStore, ProberEntry, ProberRefusal, ZoneProbers};
use jiff::Timestamp;
use std::path::PathBuf;
use std::time::Duration;

/// How long a join string can be used.
const JOIN_TIME: Duration = Duration::from_secs(3600);

/// The state of the console that probers talk to.
#[derive(Debug, Args)]
pub(crate) struct ConsoleStateArgs {
    #[command(flatten)]
    state: StateArgs,
    /// Use the state of a simulated Azure's console, which is kept apart from real ones.
    #[arg(
        long,
        alias = "simulated",
        value_name = "SCENARIO",
        num_args = 0..=1,
        default_missing_value = "demo",
        value_parser = PossibleValuesParser::new(scenarios()),
        hide_possible_values = true,
        help_heading = "State options"
    )]
    simulate: Option<String>,
}

impl ConsoleStateArgs {
    fn open(&self) -> Result<AuditStore, CliError> {
        self.state.open_to_keep(self.simulate.is_some())
    }

    /// Whether the state is a copy of a store that other machines have too.
    fn is_shared(&self) -> bool {
        self.simulate.is_none() && self.state.store.is_some()
    }
}

#[derive(Debug, Args)]
pub(crate) struct EnrolProberArgs {
    /// The zone that the prober is in.
    #[arg(value_name = "ZONE")]
    zone: String,
    /// The address of the console's port for probers, as machines in the zone reach it.
    #[arg(long, value_name = "URL")]
    url: String,
    /// The key of that port, where the console was started with --prober-key (default: the one in its state directory).
    #[arg(long, value_name = "FILE")]
    prober_key: Option<PathBuf>,
    #[command(flatten)]
    of: ZoneFileArgs,
    #[command(flatten)]
    state: ConsoleStateArgs,
}

#[derive(Debug, Args)]
pub(crate) struct ListProbersArgs {
    #[command(flatten)]
    state: ConsoleStateArgs,
    #[command(flatten)]
    value: TableArgs,
    #[command(flatten)]
    list: ListArgs<ProberList>,
}

#[derive(Debug, Args)]
pub(crate) struct RevokeProberArgs {
    /// The prober, by its id.
    #[arg(value_name = "PROBER")]
    prober: String,
    #[command(flatten)]
    state: ConsoleStateArgs,
}

/// Prints a join string for a zone, once.
pub(super) fn enrol(args: &EnrolProberArgs, terminal: &TerminalArgs) -> Result<Exit, CliError> {
    let rules = load_zones_in_force(&args.of.file)?;
    let known = || rules.iter().map(|rule| &*rule.zone);
    if !known().any(|zone| zone == args.zone) {
        let meant = nearest(&args.zone, known()).map_or(String::new(), |near| format!(" (did you mean {near}?)"));
        let what = format!("no rule of {} names the zone {}{meant}", args.of.file.display(), args.zone);
        return Err(CliError::usage(what, "`hostssl zones list` shows the zones"));
    }
    let store = args.state.open()?;
    // One that is made here is not that of the console, where this may be another machine.
    if args.state.is_shared() && args.prober_key.is_none() && !has_prober_port_key(store.directory()) {
        return Err(CliError::usage(
            "the key of a port for probers is not shared, and this copy of the store has none",
            "give the key of the console with --prober-key, or use its machine and its --state",
        ));
    }
    let pin = prober_port_key(store.directory(), args.prober_key.as_deref())?.pin();
    let join = JoinString::new(&args.url, pin).map_err(|_| {
        let what = "--url is not the address of a port for probers";
        CliError::usage(what, "give scheme, host and port alone, such as https://console.example:8444")
    })?;
    let join = join.ok_or_else(|| {
        CliError::usage("the operating system provides no random bytes", "make the join string on another machine")
    })?;
    let expires = Timestamp::now().saturating_add(JOIN_TIME).map_err(|error| CliError::defect(&error))?;
    store.add_join_secret(&join.secret_sha256(), &args.zone, expires.as_millisecond())?;
    stdout::write(|out| writeln!(out, "{join}"))?;
    if !terminal.quiet {
        stderr!("it enrols one prober of zone {}, once, within an hour; on a machine there:", args.zone);
        stderr!("  HOSTSSL_JOIN=… hostssl prober --state DIR");
    }
    Ok(Exit::AllPass)
}

/// Lists the probers, and what was refused of them.
pub(super) fn list(args: &ListProbersArgs, terminal: &TerminalArgs) -> Result<Exit, CliError> {
    let shape = args.list.shape(args.value.is_table(), args.value.is_wide())?;
    let ZoneProbers { probers, refusals } = args.state.open()?.probers()?;
    let probers: Vec<ListedProber> = probers.into_iter().map(listed).collect();
    let refusal =
        |ProberRefusal { prober, at_ms, why }: ProberRefusal| ListedRefusal { prober, at: instant(at_ms), why };
    let refusals: Vec<ListedRefusal> = refusals.into_iter().map(refusal).collect();
    let (query, format) = (stdout::query(args.value.query.as_deref())?, Format::from(args.value.output));
    if format == Format::Table && query.is_none() {
        stdout::write_text(terminal, &shape, |out, text| probers_text::write(out, &probers, &refusals, text))?;
    } else {
        let value = probers_json::value(&probers, &refusals).map_err(|error| CliError::defect(&error))?;
        stdout::write_value(&value, query.as_ref(), format, stdout::palette(terminal))?;
    }
    if probers.is_empty() && !terminal.quiet {
        stderr!("note: no prober is enrolled; `hostssl zones enrol --help` shows how");
    }
    Ok(Exit::AllPass)
}

fn listed(prober: ProberEntry) -> ListedProber {
    let status = match prober.revoked_ms {
        Some(_) => "revoked",
        None if prober.is_suspended() => "suspended",
        None => "active",
    };
    ListedProber {
        status,
        id: prober.id,
        zone: prober.zone,
        key_sha256: prober.key_sha256,
        version: prober.version,
        enrolled_at: instant(prober.enrolled_ms),
        last_contact: instant(prober.seen_ms),
        asked: prober.asked,
        answered: prober.answered,
        without_look: prober.without_look,
        example: prober.example,
        violations: prober.violations,
    }
}

/// Revokes a prober: its next request is refused, and nothing that it saw counts any more.
pub(super) fn revoke(args: &RevokeProberArgs, terminal: &TerminalArgs) -> Result<Exit, CliError> {
    let store = args.state.open()?;
    let known = store.probers()?.probers;
    let Some(prober) = known.iter().find(|prober| prober.id == args.prober) else {
        let ids = known.iter().map(|prober| prober.id.as_str());
        let meant = nearest(&args.prober, ids).map_or(String::new(), |near| format!(" (did you mean {near}?)"));
        return Err(CliError::usage(
            format!("no prober has the id {}{meant}", args.prober),
            "`hostssl zones probers` lists them",
        ));
    };
    let is_revoked = store.revoke_prober(&prober.id, Timestamp::now().as_millisecond())?;
    if !terminal.quiet {
        let done = if is_revoked { "revoked" } else { "was revoked before" };
        stderr!(
            "{} of zone {} {done}; nothing that it saw counts any more, until its zone is seen anew",
            prober.id,
            prober.zone
        );
    }
    Ok(Exit::AllPass)
}
