//! `hostssl zones`: from where servers are probed that are not reached from here.

mod zone_probers;

use crate::args::{
    ConnectArgs, LimitArgs, OrderArgs, ScopeArgs, SelectArgs, StateArgs, TableArgs, TerminalArgs, ZoneList,
};
use crate::connect::{block_on, connect};
use crate::error::CliError;
use crate::exit::Exit;
use crate::looks::{FILE, load_zones, zones_text};
use crate::outputs::{lock_folder_of, replace, with_entry};
use crate::stdout;
use clap::{Args, Subcommand};
use hostssl_formats::output::Format;
use hostssl_formats::targets_json::ZoneTargets;
use hostssl_formats::zones_json::{self, ZoneCoverage};
use hostssl_formats::{Shape, SubscriptionNames, safe, zones_text as zones_table};
use hostssl_model::{Gap, Scope, Server, ZoneRule, is_zone_name, nearest};
use hostssl_ops::{ZonedServer, ZonedServers, list_zones, read_zones, zone_rule_to_toml, zone_targets};
use std::path::PathBuf;
use zone_probers::{EnrolProberArgs, ListProbersArgs, RevokeProberArgs};

pub(crate) const HELP: &str = "A zone is a place from which servers are reached by name: a virtual network,
or a hub that others are linked to. A file says which servers are probed from
which zone; the first rule that matches a server decides:
  [[rule]]
  zone = \"hub-weu\"                 # lower-case letters, digits and -
  virtual-network = \"vnet-data-*\"  # the id or the name, or a pattern
  [[rule]]
  zone = \"hub-eus\"
  location = \"eastus\"              # every condition of a rule must hold
  private-dns-zone = \"contoso.postgres.database.azure.com\"
Other conditions are subnet, private-endpoint, subscription and server.

Make the list here, probe it on a machine in the zone, and count the result here:
  hostssl zones targets hub-weu > targets.json
  hostssl probe --targets targets.json -o json > looks.json
  hostssl audit --probe --zones hostssl-zones.toml --looks looks.json

Or let a machine in the zone do it by itself:
  hostssl serve --zones hostssl-zones.toml --prober-listen 0.0.0.0:8444
  hostssl zones enrol hub-weu --url https://console.example:8444
  HOSTSSL_JOIN=... hostssl prober --state DIR        # in the zone";

pub(crate) const CHECK_HELP: &str = "Exit codes:
  0  every rule matches a server, and every private server is in a zone
  1  the tool failed (no sign-in, no Azure)
  2  wrong usage, or a file that cannot be understood
  3  a rule matches nothing, or a private server is in no zone
  4  neither, but not everything could be listed";

#[derive(Debug, Subcommand)]
pub(crate) enum ZonesCommand {
    /// List the rules of a file of zones.
    #[command(after_help = crate::exit::LOCAL_HELP)]
    List(ListZonesArgs),
    /// Add a rule to the end of a file of zones.
    #[command(after_help = crate::exit::LOCAL_HELP)]
    Add(AddZoneArgs),
    /// Check the rules against the servers that Azure lists: which match nothing, and which private servers no rule matches.
    #[command(after_help = CHECK_HELP)]
    Check(Box<CheckZonesArgs>),
    /// Print what has to be probed in a zone, for `hostssl probe --targets` on a machine there.
    ///
    /// The list has the hosts, ports, administrators and databases of that zone, and nothing else: no resource id, no
    /// subscription, no setting, no server of another zone.
    #[command(after_help = crate::exit::READ_HELP)]
    Targets(Box<ZoneTargetsArgs>),
    /// Print, once, a join string with which one prober enrols in a zone within an hour.
    ///
    /// It has the address of the console that listens for probers, the SHA-256 of its key, and a secret.
    #[command(after_help = crate::exit::LOCAL_HELP)]
    Enrol(EnrolProberArgs),
    /// List the probers: their zones and keys, last contact, what they answered, and what was refused.
    #[command(after_help = crate::exit::LOCAL_HELP)]
    Probers(ListProbersArgs),
    /// Revoke a prober: its next request is refused, and nothing that it saw counts any more.
    #[command(after_help = crate::exit::LOCAL_HELP)]
    Revoke(RevokeProberArgs),
}

#[derive(Debug, Args)]
pub(crate) struct ZoneFileArgs {
    /// The file of zones.
    // An id of its own: commands that are printed take it along, and not the file with which an audit probes.
    #[arg(id = "zones_file", long = "zones", value_name = "FILE", default_value = FILE, env = "HOSTSSL_ZONES")]
    file: PathBuf,
}

#[derive(Debug, Args)]
pub(crate) struct ListZonesArgs {
    #[command(flatten)]
    of: ZoneFileArgs,
    #[command(flatten)]
    value: TableArgs,
    #[command(flatten)]
    list: OrderArgs<ZoneList>,
}

#[derive(Debug, Args)]
pub(crate) struct AddZoneArgs {
    /// The zone.
    #[arg(value_name = "ZONE")]
    zone: String,
    #[command(flatten)]
    of: ZoneFileArgs,
    /// Servers in this subnet, by its id or name.
    #[arg(long, value_name = "PATTERN")]
    subnet: Option<String>,
    /// Servers in this virtual network, by its id or name.
    #[arg(long, value_name = "PATTERN")]
    virtual_network: Option<String>,
    /// Servers whose name is in this private DNS zone, by its id or name.
    #[arg(long, value_name = "PATTERN")]
    private_dns_zone: Option<String>,
    /// Servers behind this private endpoint, by its id or name.
    #[arg(long, value_name = "PATTERN")]
    private_endpoint: Option<String>,
    /// Servers of this subscription, by its id or name.
    #[arg(long, value_name = "PATTERN")]
    subscription: Option<String>,
    /// Servers in this location.
    #[arg(long, value_name = "PATTERN")]
    location: Option<String>,
    /// Servers of this name.
    #[arg(long, value_name = "PATTERN")]
    server: Option<String>,
}

/// What reads the servers from Azure.
#[derive(Debug, Args)]
pub(crate) struct ZoneReadArgs {
    #[command(flatten)]
    of: ZoneFileArgs,
    #[command(flatten)]
    scope: ScopeArgs,
    #[command(flatten)]
    select: SelectArgs,
    #[command(flatten)]
    limits: LimitArgs,
    #[command(flatten)]
    state: StateArgs,
    #[command(flatten)]
    connect: ConnectArgs,
}

#[derive(Debug, Args)]
pub(crate) struct CheckZonesArgs {
    #[command(flatten)]
    read: ZoneReadArgs,
    #[command(flatten)]
    value: TableArgs,
}

#[derive(Debug, Args)]
pub(crate) struct ZoneTargetsArgs {
    /// The zone.
    #[arg(value_name = "ZONE")]
    zone: String,
    #[command(flatten)]
    read: ZoneReadArgs,
}

pub(crate) fn run(command: &ZonesCommand, terminal: &TerminalArgs) -> Result<Exit, CliError> {
    match command {
        ZonesCommand::List(args) => list(args, terminal),
        ZonesCommand::Add(args) => add(args, terminal),
        ZonesCommand::Check(args) => check(args, terminal),
        ZonesCommand::Targets(args) => targets(args, terminal),
        ZonesCommand::Enrol(args) => zone_probers::enrol(args, terminal),
        ZonesCommand::Probers(args) => zone_probers::list(args, terminal),
        ZonesCommand::Revoke(args) => zone_probers::revoke(args, terminal),
    }
}

fn list(args: &ListZonesArgs, terminal: &TerminalArgs) -> Result<Exit, CliError> {
    let shape = args.list.shape(args.value.is_table(), args.value.is_wide())?;
    let rules = load_zones(&args.of.file)?;
    show(&args.value, &shape, &rules, None, terminal)?;
    Ok(Exit::AllPass)
}

fn add(args: &AddZoneArgs, terminal: &TerminalArgs) -> Result<Exit, CliError> {
    let file = &args.of.file;
    let rule = ZoneRule {
        zone: args.zone.as_str().into(),
        subnet: args.subnet.clone(),
        virtual_network: args.virtual_network.clone(),
        private_dns_zone: args.private_dns_zone.clone(),
        private_endpoint: args.private_endpoint.clone(),
        subscription: args.subscription.clone(),
        location: args.location.clone(),
        server: args.server.clone(),
        line: 0,
    };
    let entry = zone_rule_to_toml(&rule);
    read_zones(&entry)
        .map_err(|error| CliError::usage(error.0.what, "`hostssl zones --help` shows rules; nothing was written"))?;
    // Held until the file is written: of two that add to it at once, the second reads what the first has written.
    let _lock = lock_folder_of(file);
    let before = if file.try_exists().unwrap_or(true) { zones_text(file)? } else { String::new() };
    // A file that is damaged already is neither made worse nor repaired.
    let known = read_zones(&before).map_err(|error| CliError::from(error).of_file(file))?.len();
    let after = with_entry(&before, &entry);
    if read_zones(&after).map_err(|error| CliError::from(error).of_file(file))?.len() != known + 1 {
        let what = format!("a rule cannot be added to the end of {}", file.display());
        return Err(CliError::usage(what, "add it with an editor; `hostssl zones --help` shows how one is written"));
    }
    replace(file, |out| out.write_all(after.as_bytes()).map_err(|error| CliError::failed(&error, "free some space")))?;
    if !terminal.quiet {
        let check = terminal.again.command("hostssl zones check");
        stderr!("added to {}; `{check}` shows what it matches", file.display());
    }
    Ok(Exit::AllPass)
}

fn check(args: &CheckZonesArgs, terminal: &TerminalArgs) -> Result<Exit, CliError> {
    let file = &args.read.of.file;
    // Before there are rules, it says which are needed.
    let rules = if file.try_exists().unwrap_or(true) {
        load_zones(file)?
    } else {
        stderr!("note: there is no {} yet", file.display());
        Vec::new()
    };
    let found = read(&args.read, &rules, terminal)?;
    let mut servers = vec![0; rules.len()];
    for rule in found.servers.iter().filter_map(|one| one.rule) {
        if let Some(count) = servers.get_mut(rule) {
            *count += 1;
        }
    }
    let uncovered: Vec<&Server> = found
        .servers
        .iter()
        .filter(|one| one.rule.is_none() && one.server.network.is_private())
        .map(|one| &one.server)
        .collect();
    let coverage = ZoneCoverage { servers: &servers, uncovered: &uncovered, gaps: &found.gaps };
    let shape = Shape { wide: args.value.is_wide(), ..Shape::AS_IS };
    show(&args.value, &shape, &rules, Some(&coverage), terminal)?;
    print_gaps(&found, terminal);
    let is_incomplete = found.gaps.iter().any(|gap: &Gap| gap.unchecked.reason.leaves_incomplete());
    // In a part of the scope, or with a list missing, a rule may match a server that is not in the list.
    let is_whole = !is_incomplete && args.read.scope.scope(&args.read.select) == Scope::default();
    let idle = rules.iter().zip(&servers).filter(|(_, count)| is_whole && **count == 0);
    for (rule, _) in idle.clone() {
        let place = format!("{}:{}", file.display(), rule.line);
        stderr!(
            "warning: {place}: no server is left for the rule of zone {}: {}",
            rule.zone,
            safe(&zones_table::condition(rule))
        );
    }
    if let [first, ..] = uncovered.as_slice()
        && !terminal.quiet
    {
        stderr!("hint: {}", add_hint(first, terminal));
    }
    Ok(match idle.count() + uncovered.len() {
        0 if is_incomplete => Exit::Incomplete,
        0 => Exit::AllPass,
        _ => Exit::Findings,
    })
}

/// A command that puts a private server into a zone.
fn add_hint(server: &Server, terminal: &TerminalArgs) -> String {
    let condition = match (server.network.virtual_network(), server.network.endpoints()) {
        (Some(network), _) => format!("--virtual-network {}", crate::again::quoted(network)),
        (None, [endpoint, ..]) => format!("--private-endpoint {}", crate::again::quoted(endpoint)),
        (None, []) => format!("--server {}", crate::again::quoted(server.name())),
    };
    let command = terminal.again.command(&format!("hostssl zones add ZONE {condition}"));
    format!("`{command}` puts {} into a zone", safe(server.name()))
}

fn targets(args: &ZoneTargetsArgs, terminal: &TerminalArgs) -> Result<Exit, CliError> {
    let rules = load_zones(&args.read.of.file)?;
    let known = || rules.iter().map(|rule| &*rule.zone);
    if !is_zone_name(&args.zone) || !known().any(|zone| zone == args.zone) {
        let meant = nearest(&args.zone, known()).map_or(String::new(), |near| format!(" (did you mean {near}?)"));
        let what = format!("no rule of {} names the zone {}{meant}", args.read.of.file.display(), args.zone);
        return Err(CliError::usage(what, "`hostssl zones list` shows the zones"));
    }
    let of_zone = |one: &&ZonedServer| {
        let rule = one.rule.and_then(|number| rules.get(number));
        rule.is_some_and(|rule| *rule.zone == *args.zone)
    };
    let (mut found, targets) = block_on(async {
        let found = list_servers(&args.read, &rules, terminal).await?;
        let servers: Vec<&ZonedServer> = found.servers.iter().filter(of_zone).collect();
        let asked = zone_targets(&servers).await;
        Ok((found, asked))
    })?;
    let (targets, gaps) = targets;
    found.gaps.extend(gaps);
    if targets.is_empty() {
        if print_gaps(&found, terminal) == Exit::Incomplete {
            stderr!("warning: nothing is known to probe in the zone {}, and not everything could be listed", args.zone);
            return Ok(Exit::Incomplete);
        }
        let what = format!("no server with a host name is in the zone {}", args.zone);
        return Err(CliError::usage(what, "`hostssl zones check` shows what the rules match"));
    }
    let count = targets.len();
    let list = ZoneTargets { zone: args.zone.clone(), made_at: jiff::Timestamp::now(), targets };
    stdout::write(|out| list.write(out))?;
    let exit = print_gaps(&found, terminal);
    if !terminal.quiet {
        // The machine in the zone has a state and Azure of its own; only a simulated one is in each process.
        let command = if args.read.connect.simulate.is_some() {
            "hostssl probe --simulate --targets FILE -o json"
        } else {
            "hostssl probe --targets FILE -o json"
        };
        stderr!("{count} endpoints; on a machine in the zone, `{command}` prints what it sees");
    }
    Ok(exit)
}

fn read(args: &ZoneReadArgs, rules: &[ZoneRule], terminal: &TerminalArgs) -> Result<ZonedServers, CliError> {
    block_on(list_servers(args, rules, terminal))
}

async fn list_servers(
    args: &ZoneReadArgs,
    rules: &[ZoneRule],
    terminal: &TerminalArgs,
) -> Result<ZonedServers, CliError> {
    let tenants = connect(&args.connect, &args.state, &args.scope.tenant, &args.limits, terminal).await?;
    Ok(list_zones(&tenants, &args.scope.scope(&args.select), rules).await?)
}

/// Says what could not be listed, and how the command ends.
fn print_gaps(found: &ZonedServers, terminal: &TerminalArgs) -> Exit {
    let names = found.subscriptions.iter().map(|one| (one.id.as_str(), &*one.name));
    let all = "hostssl zones check -o json";
    stdout::warn_of_gaps(&found.gaps, &SubscriptionNames::new(names), Some(all), terminal);
    if found.gaps.iter().any(|gap| gap.unchecked.reason.leaves_incomplete()) { Exit::Incomplete } else { Exit::AllPass }
}

fn show(
    args: &TableArgs,
    shape: &Shape,
    rules: &[ZoneRule],
    coverage: Option<&ZoneCoverage<'_>>,
    terminal: &TerminalArgs,
) -> Result<(), CliError> {
    let query = stdout::query(args.query.as_deref())?;
    let format = Format::from(args.output);
    if format == Format::Table && query.is_none() {
        return stdout::write_text(terminal, shape, |out, text| zones_table::write(out, rules, coverage, text));
    }
    let value = zones_json::value(rules, coverage).map_err(|error| CliError::defect(&error))?;
    stdout::write_value(&value, query.as_ref(), format, stdout::palette(terminal))
}
