//! `hostssl serve`: the console in a browser.

use crate::args::{ConnectArgs, LimitArgs, ScopeArgs, SelectArgs, StateArgs, TerminalArgs, duration, listen_address};
use crate::commands::waivers;
use crate::connect::{block_on, connect_until};
use crate::error::CliError;
use crate::exit::Exit;
use crate::looks::ServedZonesArgs;
use crate::probing::{exchange_of, probe_of};
use crate::route::RouteArgs;
use crate::signals::Signals;
use crate::simulated::kept_azure::named_scenario;
use crate::simulated::{LiveSimulation, past};
use crate::simulated_azure::Scenario;
use clap::Args;
use futures::FutureExt as _;
use hostssl_audit::Profile;
use hostssl_azure::StopSignal;
use hostssl_console::{
    Connect, Console, ConsoleOptions, LinkMaker, Preparation, Proxies, PublicUrl, Role, RoleHeader, SignInLink,
    TlsFiles, Trouble, WireLook,
};
use hostssl_formats::safe;
use hostssl_model::{Hint, Stop};
use hostssl_ops::{list_server_documents, resolve_scope};
use std::collections::BTreeSet;
use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{oneshot, watch};

/// A plan on a page is reviewed and applied, or made again.
const MAX_PLAN_AGE: Duration = Duration::from_secs(3600);

#[derive(Debug, Clone, Args)]
pub(crate) struct ServeArgs {
    /// Where to listen; loopback by default. Everyone must sign in, wherever it listens.
    #[arg(long, value_name = "ADDR:PORT", default_value = "127.0.0.1:8443", value_parser = listen_address)]
    pub(crate) listen: SocketAddr,
    /// Also listen here for probers in zones, enrolled by `hostssl zones enrol`. TLS must end here, not in something in front.
    #[arg(long, value_name = "ADDR:PORT", value_parser = listen_address, requires = "zones")]
    pub(crate) prober_listen: Option<SocketAddr>,
    /// The private key of that port in PEM, for its owner alone (default: one that is made in the state directory). Consoles of one
    /// shared store that probers reach under one address need the same.
    #[arg(long, value_name = "FILE", requires = "prober_listen")]
    pub(crate) prober_key: Option<PathBuf>,
    /// Another name under which browsers reach the console, such as console.example; may be repeated.
    #[arg(long, value_name = "NAME", value_parser = host)]
    pub(crate) host: Vec<String>,
    /// The address that browsers use when a proxy is in front: scheme, name and, if it is not the default, port.
    #[arg(long, value_name = "URL")]
    pub(crate) public_url: Option<PublicUrl>,
    /// The certificate chain in PEM, the leaf first.
    #[arg(long, value_name = "FILE", requires = "tls_key")]
    pub(crate) tls_cert: Option<PathBuf>,
    /// The private key of the certificate in PEM.
    #[arg(long, value_name = "FILE", requires = "tls_cert")]
    pub(crate) tls_key: Option<PathBuf>,
    /// The header in which an authenticating proxy passes the user's name.
    #[arg(long, value_name = "NAME", requires = "trusted_proxy", value_parser = header)]
    pub(crate) trusted_user_header: Option<String>,
    /// The address of that proxy; may be repeated. The header is ignored from any other address.
    #[arg(long, value_name = "ADDR", requires = "trusted_user_header")]
    pub(crate) trusted_proxy: Vec<IpAddr>,
    /// The header in which that proxy lists the user's groups; the highest role of any of them applies. Without this
    /// option, everyone whom the proxy names is an approver.
    #[arg(long, value_name = "NAME", requires = "trusted_user_header", value_parser = header)]
    pub(crate) trusted_role_header: Option<String>,
    /// The role of a group in that header; may be repeated. Without it, the groups named viewer, planner and approver have
    /// the role of that name.
    #[arg(long, value_name = "GROUP=ROLE", requires = "trusted_role_header", value_parser = with_role)]
    pub(crate) grant: Vec<(String, Role)>,
    /// Print a sign-in link for this person, with the role viewer, planner or approver; may be repeated. Without it, one
    /// link is printed, without a name, with the role approver.
    #[arg(long, value_name = "NAME=ROLE", value_parser = with_role)]
    pub(crate) link: Vec<(String, Role)>,
    /// Allow changing servers from the console: plans by planners, applying and undoing by approvers. Otherwise the console
    /// is read-only.
    #[arg(long)]
    pub(crate) allow_changes: bool,
    /// Require the approval of this many people other than the author before a plan can be applied. With 1, applying a plan
    /// approves it.
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..), requires = "allow_changes")]
    pub(crate) approvals: u32,
    /// Answer /metrics for Prometheus, without signing in: numbers by status, control and reason, and no names.
    #[arg(long)]
    pub(crate) metrics: bool,
    /// Refuse plans that make a server less strict. Undoing a run stays possible.
    #[arg(long, requires = "allow_changes")]
    pub(crate) no_loosening: bool,
    /// The rules for audits that are started in the console, as name or name@version.
    #[arg(long, value_name = "NAME", default_value = "baseline")]
    pub(crate) profile: String,
    /// A file of waivers: failures that were accepted for a time. Pages and exports show them beside the failures; the file is
    /// read anew for each. See `hostssl waivers --help`.
    #[arg(long, value_name = "FILE", env = "HOSTSSL_WAIVERS")]
    pub(crate) waivers: Option<PathBuf>,
    /// Keep this many audits of the same scope and delete older ones (default: keep all).
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    pub(crate) retain: Option<u32>,
    /// Say on the overview when no audit has begun for so long: for a schedule that must not end without notice.
    #[arg(long, value_name = "TIME", value_parser = duration)]
    pub(crate) expect_audit_every: Option<Duration>,
    #[command(flatten)]
    pub(crate) state: StateArgs,
    #[command(flatten)]
    pub(crate) scope: ScopeArgs,
    #[command(flatten)]
    pub(crate) limits: LimitArgs,
    #[command(flatten)]
    pub(crate) zones: ServedZonesArgs,
    #[command(flatten)]
    pub(crate) route: RouteArgs,
    #[command(flatten)]
    pub(crate) connect: ConnectArgs,
}

/// A person has one role, whatever link they sign in with.
fn refuse_second_links(links: &[(String, Role)]) -> Result<(), CliError> {
    let mut seen = BTreeSet::new();
    match links.iter().find(|(person, _)| !seen.insert(person)) {
        None => Ok(()),
        Some((person, _)) => Err(CliError::usage(
            format!("--link names {} more than once", safe(person)),
            "give each person one role; a higher one includes the lower ones",
        )),
    }
}

/// Two sessions without a name may be one person.
fn refuse_unnamed_approvals(args: &ServeArgs) -> Result<(), CliError> {
    if args.approvals < 2 || args.trusted_user_header.is_some() || !args.link.is_empty() {
        return Ok(());
    }
    Err(CliError::usage(
        format!("--approvals {} needs to know who approves", args.approvals),
        "name people by --link NAME=ROLE, or let a proxy do so: --trusted-user-header",
    ))
}

pub(crate) fn run(args: &ServeArgs, terminal: &TerminalArgs) -> Result<Exit, CliError> {
    let profile = Profile::find(&args.profile).map_err(|error| {
        let known: Vec<String> = Profile::all().iter().map(ToString::to_string).collect();
        CliError::usage(error.to_string(), Hint::with("profiles are {}", &[&known.join(", ")]))
    })?;
    refuse_second_links(&args.link)?;
    refuse_unnamed_approvals(args)?;
    let scenario = args.connect.simulate.as_deref().map(named_scenario).transpose()?;
    args.route.dialer_unless(scenario.is_some())?;
    let zones = Some(args.zones.source()?);
    let waivers = args.waivers.as_deref().map(|file| waivers::served(file, &profile)).transpose()?;
    // A simulation's runs matter to no one: they go with the process, unless a directory is named.
    let temporary = match (&scenario, &args.state.state) {
        (Some(_), None) => {
            let made = tempfile::Builder::new().prefix("hostssl-serve-").tempdir();
            Some(made.map_err(|error| CliError::failed(&error, "name a directory with --state"))?)
        }
        _ => None,
    };
    let directory = match &temporary {
        Some(temporary) => temporary.path().into(),
        None => args.state.directory(scenario.is_some())?,
    };
    block_on(async {
        let (mut end, mut asked) = (Signals::of_an_end(), Signals::of_the_user());
        // The port first: everything else may take longer than to say that it is taken.
        let listener = Console::listen(args.listen).await?;
        let probers = match args.prober_listen {
            Some(address) => Some(Console::listen(address).await?),
            None => None,
        };
        let simulated =
            scenario.clone().map(|scenario| LiveSimulation::open(scenario, &directory)).transpose()?.map(Arc::new);
        check_scope(args, simulated.as_deref()).await?;
        let past = scenario.map(|scenario| PastMaker::start(scenario, directory.to_path_buf(), profile.clone()));
        let past = past.transpose()?;
        let wire = Some(wire_look(args, simulated.clone())?);
        let preparation = past.as_ref().map(|past| past.progress.subscribe());
        let options =
            ConsoleOptions { wire, zones, waivers, preparation, ..options(args, profile, simulated.as_deref()) };
        let plaintext = !options.is_secure() && !args.listen.ip().is_loopback();
        let console = Console::new(options, listener, &directory, connector(args.clone(), simulated))?;
        let console = match probers {
            Some(listener) => console.with_probers(listener, args.prober_key.as_deref())?,
            None => console,
        };
        announce(&console, &directory, args, terminal);
        if plaintext {
            stderr!(
                "warning: the link and the session cross the network in plaintext; --tls-cert and --tls-key encrypt them"
            );
        }
        if args.trusted_proxy.iter().any(|proxy| proxy.to_canonical().is_loopback()) {
            stderr!(
                "warning: any program on this machine can send the header of --trusted-user-header and impersonate anyone; listen on an address that only the proxy reaches"
            );
        }
        let links = console.link_maker();
        tokio::select! {
            () = console.run(end.next()) => {}
            () = print_links_on_signal(&mut asked, &links, args) => {}
        }
        if let Some(past) = past {
            past.end().await;
        }
        Ok(Exit::AllPass)
    })
}

/// Fails when the scope names what does not exist: every audit that is started here would. Where signing in fails, the
/// console says so on its pages.
async fn check_scope(args: &ServeArgs, simulated: Option<&LiveSimulation>) -> Result<(), CliError> {
    let scope = args.scope.scope(&SelectArgs::default());
    let named = [&scope.management_groups, &scope.subscriptions, &scope.resource_groups];
    if named.iter().all(|names| names.is_empty()) {
        return Ok(());
    }
    let never = watch::channel(None).1;
    let tenants = match simulated {
        Some(simulated) => simulated.tenants(&args.limits, &never, false).await,
        None => connect_until(&args.connect, &args.scope.tenant, &args.limits, &never).await,
    };
    let tenants = match tenants {
        Ok(tenants) => tenants,
        Err(error) => {
            let (what, hint) = error.parts();
            stderr!("warning: whether the scope exists could not be checked: {what}; {hint}");
            return Ok(());
        }
    };
    if scope.resource_groups.is_empty() {
        resolve_scope(&tenants, &scope).await?;
    } else {
        // Whether a resource group holds a server, only the lists tell.
        list_server_documents(&tenants, &scope).await?;
    }
    Ok(())
}

/// The making of a simulation's past, on a thread of its own: the disk that it waits for holds up no page.
struct PastMaker {
    progress: past::PastProgress,
    stop: watch::Sender<Option<Stop>>,
    ended: oneshot::Receiver<()>,
}

/// How long the end of the console waits for it.
const PATIENCE: Duration = Duration::from_secs(5);

impl PastMaker {
    fn start(scenario: Scenario, directory: PathBuf, profile: Profile) -> Result<Self, CliError> {
        let first = Preparation { what: "Preparing the simulated history", done: 0, of: 1 };
        let (progress, stop) = (watch::Sender::new(Some(first)), watch::Sender::new(None));
        let (end, ended) = oneshot::channel();
        let (progress_of_thread, signal) = (progress.clone(), stop.subscribe());
        let make = move || {
            let made = block_on(past::make_past(&scenario, &directory, &profile, signal, &progress_of_thread));
            if let Err(error) = made {
                let (what, hint) = error.parts();
                stderr!("warning: the simulated history is missing: {what}; {hint}");
            }
            progress_of_thread.send_replace(None);
            // The console may be gone.
            let _ = end.send(());
        };
        std::thread::Builder::new().name("hostssl-past".into()).spawn(make).map_err(|error| {
            CliError::failed(
                &error,
                "the operating system refused to start a thread: try again when the machine is less busy",
            )
        })?;
        Ok(Self { progress, stop, ended })
    }

    /// Ends it, so that nothing writes to the directory any more.
    async fn end(self) {
        self.stop.send_replace(Some(Stop::Interrupted));
        let _ = tokio::time::timeout(PATIENCE, self.ended).await;
    }
}

fn options(args: &ServeArgs, profile: Profile, simulated: Option<&LiveSimulation>) -> ConsoleOptions {
    ConsoleOptions {
        listen: args.listen,
        hosts: args.host.clone(),
        tls: args.tls_cert.clone().zip(args.tls_key.clone()).map(|(certificate, key)| TlsFiles { certificate, key }),
        public: args.public_url.clone(),
        proxies: args.trusted_user_header.clone().map(|header| Proxies {
            header,
            addresses: args.trusted_proxy.clone(),
            roles: role_header(args),
        }),
        people: args.link.clone(),
        allow_changes: args.allow_changes,
        approvals: args.approvals,
        metrics: args.metrics,
        no_loosening: args.no_loosening,
        scope: args.scope.scope(&SelectArgs::default()),
        profile,
        wire: None,
        zones: None,
        waivers: None,
        preparation: None,
        deadline: args.limits.deadline,
        max_plan_age: MAX_PLAN_AGE,
        retain: args.retain,
        audit_every: args.expect_audit_every,
        simulated: simulated
            .map(|simulated| hostssl_console::ShownSimulation { scenario: simulated.scenario().to_owned() }),
        version: env!("CARGO_PKG_VERSION").to_owned(),
    }
}

/// What probes for audits that are to probe. Its rules are those of the audits, in the version that judges the wire.
fn wire_look(args: &ServeArgs, simulated: Option<Arc<LiveSimulation>>) -> Result<WireLook, CliError> {
    let ca_file = args.connect.ca_file.clone();
    let profile =
        Profile::find_for(&args.profile, true).map_err(|error| CliError::failed(&error, "name another one"))?;
    let route = args.route.clone();
    let exchange = exchange_of(simulated.as_ref().map(|simulated| simulated.simulation()), ca_file.as_deref(), &route)?;
    let probe = move |stop: StopSignal| {
        let simulation = simulated.as_ref().map(|simulated| simulated.simulation());
        probe_of(simulation, stop, ca_file.as_deref(), &route).map_err(|error| {
            let (what, hint) = error.parts();
            Trouble::new(what, hint)
        })
    };
    Ok(WireLook { profile, probe: Arc::new(probe), exchange: Some(exchange) })
}

/// What signs in for each audit that is started from a page.
fn connector(args: ServeArgs, simulated: Option<Arc<LiveSimulation>>) -> Connect {
    let shared = Arc::new((args, simulated));
    Arc::new(move |stop: StopSignal| {
        let shared = shared.clone();
        async move {
            let (args, simulated) = &*shared;
            let tenants = match simulated {
                Some(simulated) => simulated.tenants(&args.limits, &stop, true).await,
                None => connect_until(&args.connect, &args.scope.tenant, &args.limits, &stop).await,
            };
            tenants.map_err(|error| {
                let (what, hint) = error.parts();
                Trouble::new(what, hint)
            })
        }
        .boxed_local()
    })
}

fn announce(console: &Console, directory: &std::path::Path, args: &ServeArgs, terminal: &TerminalArgs) {
    if !terminal.quiet {
        stderr!("console on {}, state in {}; Ctrl-C ends it", console.address(), directory.display());
    }
    if let Some(address) = console.prober_address().filter(|_| !terminal.quiet) {
        let command = terminal.again.command("hostssl zones enrol ZONE --url https://…");
        stderr!("listening for probers on {address}; `{command}` enrols one");
    }
    // Without the link no one can sign in, so `--quiet` does not hide it.
    console.links().iter().for_each(|link| print_link(link, args));
}

fn print_link(link: &SignInLink, args: &ServeArgs) {
    let SignInLink { person, role, address } = link;
    if args.link.is_empty() {
        stderr!("sign in, once, within an hour: {address}");
    } else {
        stderr!("sign-in link for {person} ({role}), once, within an hour: {address}");
    }
}

/// Prints new links whenever the process receives SIGUSR1: a process that may send it could as well start the console
/// again.
async fn print_links_on_signal(asked: &mut Signals, links: &LinkMaker, args: &ServeArgs) {
    loop {
        asked.next().await;
        match links.links() {
            Ok(links) => links.iter().for_each(|link| print_link(link, args)),
            Err(error) => stderr!("warning: no new link: {error}"),
        }
    }
}

fn role_header(args: &ServeArgs) -> Option<RoleHeader> {
    args.trusted_role_header.clone().map(|header| RoleHeader { header, grants: args.grant.clone() })
}

/// A person or a group with its role. A name may have `=` in it; a role has none.
fn with_role(text: &str) -> Result<(String, Role), String> {
    let (name, role) = text.rsplit_once('=').ok_or("a name, =, and a role: viewer, planner or approver")?;
    if !hostssl_console::is_name(name) {
        return Err("a name has up to 200 bytes and no invisible characters".to_owned());
    }
    Ok((name.trim().to_owned(), role.parse::<Role>()?))
}

fn host(name: &str) -> Result<String, String> {
    let is_name = !name.contains('/') && format!("http://{name}").parse::<PublicUrl>().is_ok();
    if is_name { Ok(name.to_owned()) } else { Err("a name, perhaps with a port, such as console.example".to_owned()) }
}

fn header(name: &str) -> Result<String, String> {
    let token = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
    if name.is_empty() || name.len() > 100 || !name.chars().all(token) {
        return Err("a header's name has letters, digits and hyphens".to_owned());
    }
    Ok(name.to_ascii_lowercase())
}
