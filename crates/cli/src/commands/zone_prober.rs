//! `hostssl prober`: a machine in a zone that probes by itself and tells the console what it saw.

use crate::args::{Suggested, TerminalArgs, duration, scenarios};
use crate::connect::block_on;
use crate::error::CliError;
use crate::exit::Exit;
use crate::files::endpoints_at_once;
use crate::probing::{prober, roots, simulated_listeners};
use crate::signals::Signals;
use crate::simulated::kept_azure::named_scenario;
use crate::simulated_azure::{Simulation, Wire};
use clap::Args;
use hostssl_formats::safe;
use hostssl_probe::ProbeOptions;
use hostssl_probe::connect_to::{ConnectTo, Rule};
use hostssl_probe::dial::{Dial, Network};
use hostssl_prober::{
    AZURE_NAMES, AddressNet, DEFAULT_PORTS, FencedDial, JoinString, ProberFence, ProberNews, ProberRunOptions,
    RoundTally, run_prober,
};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

pub(crate) const HELP: &str = "The console says what to probe, and this prober's own options say what it may:
a port, a name or an address outside them is answered with a reason, and stays
unknown. Loopback, link-local and the cloud's own addresses are left out unless
--allow-net names one of their own networks. It sends no password, accepts no
connection, and needs no credential of Azure or of a database.

  hostssl zones enrol hub-weu --url https://console.example:8444   # at the console
  HOSTSSL_JOIN='https://…' hostssl prober --state /var/lib/hostssl-prober

Exit codes:
  0  it was ended; with --once, every target was probed, and everything was sent
  1  the console cannot be reached, or refuses
  2  wrong usage, or a state that cannot be used
  4  with --once: some targets were not probed, or some looks were not sent";

/// How long one round tries to reach the console.
const PATIENCE: Duration = Duration::from_secs(120);
/// Reasons for targets without a look that are printed for a round.
const SHOWN: usize = 5;

#[derive(Debug, Args)]
pub(crate) struct ProberArgs {
    /// The join string that `hostssl zones enrol ZONE --url URL` prints; needed once. Give it in the variable rather than on the command
    /// line, where other users see it.
    #[arg(long, value_name = "STRING", env = "HOSTSSL_JOIN", hide_env_values = true)]
    join: Option<String>,
    /// Where the prober keeps its key, how far it is, and what it could not send yet. For this prober alone.
    #[arg(long = "state", value_name = "DIR")]
    directory: PathBuf,
    /// Probe every target once, send what was seen, and end: for jobs.
    #[arg(long, conflicts_with = "every")]
    once: bool,
    /// Begin a round this often. A console that wants new looks is answered at once.
    #[arg(long, value_name = "TIME", default_value = "15m", value_parser = duration)]
    every: Duration,
    /// Probe these ports alone.
    #[arg(long, value_name = "PORT,…", value_delimiter = ',', default_values_t = DEFAULT_PORTS, help_heading = "Fence options")]
    allow_ports: Vec<u16>,
    /// Probe hosts with names like these alone (default: those that Azure gives to servers, in each of its clouds).
    #[arg(long, hide_default_value = true, value_name = "PATTERN,…", value_delimiter = ',', default_values = AZURE_NAMES, help_heading = "Fence options")]
    allow_names: Vec<String>,
    /// Connect to addresses in these networks alone (default: all but loopback, link-local and the cloud's own).
    #[arg(long, value_name = "NET,…", value_delimiter = ',', help_heading = "Fence options")]
    allow_net: Vec<AddressNet>,
    /// Connect to another host and port instead of the target's: NAME:PORT:HOST:PORT, where each part may be empty. The address
    /// must be allowed all the same. May be repeated; the first match counts.
    #[arg(long, value_name = "RULE", help_heading = "Network options")]
    connect_to: Vec<String>,
    /// Trust the certificates in this PEM file in addition to the system's and Azure's roots.
    #[arg(long, value_name = "FILE", env = "HOSTSSL_CA_FILE")]
    ca_file: Option<PathBuf>,
    /// Endpoints probed at once.
    #[arg(long, value_name = "N", default_value_t = 32, value_parser = clap::value_parser!(u16).range(1..=1024))]
    parallel: u16,
    /// Probe the servers of a simulated Azure, as a machine in their virtual networks.
    #[arg(
        long,
        value_name = "SCENARIO",
        num_args = 0..=1,
        default_missing_value = "demo",
        value_parser = Suggested(scenarios),
        hide_possible_values = true,
        conflicts_with = "connect_to",
        help_heading = "Connection options"
    )]
    simulate: Option<String>,
}

pub(crate) fn run(args: &ProberArgs, terminal: &TerminalArgs) -> Result<Exit, CliError> {
    let join: Option<JoinString> =
        args.join.as_deref().filter(|text| !text.trim().is_empty()).map(str::parse).transpose().map_err(|error| {
            // The text may hold a secret: an error does not repeat it.
            let what = format!("--join: {error}");
            CliError::usage(what, "copy the whole line that it printed, in quotation marks")
        })?;
    let options = options(args, join)?;
    let (quiet, mut shown) = (terminal.quiet, 0);
    block_on(async {
        let mut end = Signals::of_an_end();
        let mut tell = |news: ProberNews| print(&news, quiet, &mut shown);
        tokio::select! {
            done = run_prober(&options, &mut tell) => Ok(exit(done?)),
            // All that must not be lost is in its state.
            () = end.next() => Ok(if args.once { Exit::Incomplete } else { Exit::AllPass }),
        }
    })
}

fn exit(tally: RoundTally) -> Exit {
    if tally.without_look + tally.lost == 0 { Exit::AllPass } else { Exit::Incomplete }
}

fn options(args: &ProberArgs, join: Option<JoinString>) -> Result<ProberRunOptions, CliError> {
    let mut roots = roots(args.ca_file.as_deref())?;
    let dialer: Arc<dyn Dial> = match &args.simulate {
        Some(scenario) => simulated_listeners(Wire::inside(&Simulation::new(named_scenario(scenario)?)), &mut roots)?,
        None if args.connect_to.is_empty() => Arc::new(Network),
        None => {
            let rules: Result<Vec<Rule>, _> = args.connect_to.iter().map(|text| Rule::parse(text)).collect();
            let rules = rules.map_err(|error| {
                let hint = "such as db.example:5432:10.1.0.4:5432";
                CliError::usage(format!("--connect-to: {error}"), hint)
            })?;
            Arc::new(ConnectTo::new(rules, Arc::new(Network)))
        }
    };
    let fence = ProberFence::new(args.allow_ports.clone(), args.allow_names.clone(), args.allow_net.clone());
    let fence = Arc::new(FencedDial::new(fence, dialer));
    // What an audit asks: Azure writes pg_hba.conf, and has no lines for the names of replication users.
    let asked = ProbeOptions::quick();
    let at_once = endpoints_at_once(args.parallel.into(), asked.connections_per_server);
    let dialer: Arc<dyn Dial> = fence.clone();
    let prober = prober(ProbeOptions { conversations: at_once, roots: roots.into(), dialer, ..asked })?;
    Ok(ProberRunOptions {
        join,
        state: args.directory.clone(),
        every: (!args.once).then_some(args.every),
        patience: PATIENCE,
        prober: Arc::new(prober),
        fence,
        at_once,
        version: env!("CARGO_PKG_VERSION").to_owned(),
    })
}

/// Says what a person who runs it has to know; of targets without a look the first few of each round.
fn print(news: &ProberNews, quiet: bool, shown: &mut usize) {
    match news {
        ProberNews::Enrolled { prober, zone } if !quiet => {
            stderr!("enrolled as {} in zone {}", safe(prober), safe(zone));
        }
        ProberNews::Moved { from } if !quiet => {
            stderr!("note: the console was at {from}; from now on it is asked where the join string says");
        }
        ProberNews::AlreadyEnrolled if !quiet => {
            stderr!("note: it is enrolled already; the join string was not used");
        }
        ProberNews::Enrolled { .. } | ProberNews::AlreadyEnrolled | ProberNews::Moved { .. } => {}
        ProberNews::WithoutLook { target, why } => {
            *shown += 1;
            if *shown <= SHOWN {
                stderr!("warning: {} stays unknown: {}", safe(target), safe(why));
            }
        }
        ProberNews::NotKept { target, why } => {
            stderr!("warning: the console does not believe what was seen of {}: {}", safe(target), safe(why));
        }
        ProberNews::Dropped(count) => {
            stderr!(
                "warning: 64 MiB wait to be sent: the oldest {count} messages were dropped, and their targets stay unknown"
            );
        }
        ProberNews::GivenUp { why } => stderr!("warning: looks are lost: {}", safe(why)),
        ProberNews::Retrying { why, hint, after } => {
            stderr!("warning: {}; it is tried again in {:.0} s", safe(why), after.as_secs_f64());
            stderr!("hint: {}", safe(hint));
        }
        ProberNews::RoundEnded(tally) => {
            if *shown > SHOWN {
                stderr!("warning: {} more targets stay unknown", *shown - SHOWN);
            }
            *shown = 0;
            if !quiet {
                let RoundTally { looked, without_look, lost } = tally;
                let s = |count: &u64| if *count == 1 { "" } else { "s" };
                stderr!(
                    "round done: {looked} target{} probed, {without_look} without a look, {lost} message{} lost",
                    s(looked),
                    s(lost)
                );
            }
        }
    }
}
