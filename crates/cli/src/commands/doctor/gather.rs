//! The facts, each with a deadline of its own. What they mean is decided by `ops`.

use super::DoctorArgs;
use crate::args::{SelectArgs, TerminalArgs};
use crate::ca_files::roots_of_file;
use crate::connect::tenants_until;
use crate::error::CliError;
use crate::probing::probe_of;
use crate::shared_store;
use crate::simulated::kept_azure;
use crate::simulated_azure::Simulation;
use hostssl_azure::{Cloud, RequestLimits, StopSignal, ask_endpoint, ca_certificates, https_transport, proxy_route};
use hostssl_model::{Advice as _, DoctorCheck, DoctorCheckId as Id, DoctorReport, Hint, Reason, Scope, chain};
use hostssl_ops::{
    CaFileFacts, EndpointTrial, Obstacle, Tenant, ca_file_check, clock_check, endpoint_check, find_servers,
    listener_checks, name_check, proxy_check, read_rights, resolve_scope, rights_checks, sign_in_check, state_checks,
    subscriptions_check,
};
use hostssl_probe::certificate::BundleContents;
use hostssl_store::inspect;
use jiff::Timestamp;
use std::path::Path;
use std::time::Duration;
use tokio::sync::watch;
use tokio::time::timeout;

/// For a file system, which may be one of another machine.
const FILES: Duration = Duration::from_secs(10);
/// For an answer about a name.
const NAME: Duration = Duration::from_secs(10);
/// For one request without a token.
const REQUEST: Duration = Duration::from_secs(20);
/// For a token: the Azure CLI takes seconds, and an authority that does not answer is tried again.
const SIGN_IN: Duration = Duration::from_secs(90);
/// For what many requests tell: subscriptions, permissions, servers.
const READS: Duration = Duration::from_secs(120);
/// For the listeners of all servers.
const LISTENERS: Duration = Duration::from_secs(120);
/// Servers whose listeners are checked.
const MOST_SERVERS: usize = 8;
/// Requests to Azure in progress at once.
const CONCURRENCY: usize = 64;

/// What is not checked of an Azure inside this process.
const SIMULATED: &str = "the simulated Azure is in this process";

/// Why nothing is sent to Azure.
const UNTRUSTED: &str = "the file of --ca-file cannot be used";

/// Gathers the facts, and has them judged.
pub(super) async fn examine(args: &DoctorArgs, terminal: &TerminalArgs) -> Result<DoctorReport, CliError> {
    let mut checks = state(args).await?;
    if let Some(store) = args.state.store.as_ref().filter(|_| args.connect.simulate.is_none()) {
        checks.push(shared_store::check(store, args.state.directory(false)?).await?);
    }
    let ca_file = ca_file(args.connect.ca_file.as_deref());
    checks.push(ca_file_check(&ca_file));
    if let Some(name) = &args.connect.simulate {
        kept_azure::named_scenario(name)?;
    }
    let simulation = kept_azure::open(&args.connect, &args.state, terminal);
    let cloud = match &args.connect.simulate {
        Some(_) => None,
        None => Some(args.connect.real_cloud()?),
    };
    let is_trusted = !matches!(ca_file, CaFileFacts::Unusable(_));
    match &cloud {
        Some(cloud) => checks.extend(network(cloud, args.connect.ca_file.as_deref(), is_trusted).await),
        None => {
            let all = [Id::Proxy, Id::ManagementName, Id::ManagementEndpoint, Id::Clock];
            checks.extend(all.map(|id| DoctorCheck::not_applicable(id, SIMULATED)));
        }
    }
    // Held to the end: nothing is stopped by it.
    let (_give, stop) = watch::channel(None);
    let (tenants, simulation) = match simulation {
        // What is kept of it is in the state directory.
        Err(error) => {
            let (what, fix) = error.parts();
            checks.push(DoctorCheck::failed(Id::SignIn, what, fix));
            (None, None)
        }
        Ok(_) if !is_trusted => {
            checks.push(DoctorCheck::unknown(Id::SignIn, UNTRUSTED, None));
            (None, None)
        }
        Ok(simulation) => (sign_in(args, simulation.as_ref(), &stop, &mut checks).await, simulation),
    };
    let name = tenants.as_deref().and_then(|tenants| tenants.first()).map(|tenant| tenant.arm.cloud().name.clone());
    match &tenants {
        Some(tenants) => checks.extend(azure(args, simulation.as_ref(), tenants, stop).await?),
        None => checks.extend(without_sign_in(args)),
    }
    Ok(DoctorReport {
        checked_at: Timestamp::now().strftime("%Y-%m-%dT%H:%M:%SZ").to_string(),
        tool_version: env!("CARGO_PKG_VERSION").to_owned(),
        cloud: name.or_else(|| cloud.map(|cloud| cloud.name)).unwrap_or_default(),
        checks,
    })
}

async fn state(args: &DoctorArgs) -> Result<Vec<DoctorCheck>, CliError> {
    let directory = args.state.directory(args.connect.simulate.is_some())?;
    let shown = directory.display().to_string();
    let inspected = timeout(FILES, tokio::task::spawn_blocking(move || inspect(&directory))).await;
    Ok(match inspected {
        Ok(Ok(facts)) => state_checks(&facts),
        _ => {
            let why = format!("{shown} did not answer in {} s", FILES.as_secs());
            let fix = "name a directory on another file system with --state".into();
            vec![DoctorCheck::unknown(Id::StateDirectory, why, Some(fix))]
        }
    })
}

fn ca_file(path: Option<&Path>) -> CaFileFacts {
    let Some(path) = path else { return CaFileFacts::NotNamed };
    // What requests to Azure trust is read by other code than what connections to PostgreSQL do.
    if let Err(error) = ca_certificates(path) {
        return CaFileFacts::Unusable(Obstacle { what: chain(&error), fix: error.advice() });
    }
    match roots_of_file(path) {
        Err(what) => {
            let fix = "name a file of certificates in PEM form with --ca-file".into();
            CaFileFacts::Unusable(Obstacle { what, fix })
        }
        Ok(roots) => CaFileFacts::Read {
            path: path.display().to_string(),
            certificates: roots.count(),
            expired: BundleContents::of(&roots, Timestamp::now().as_second()).expired,
        },
    }
}

/// Proxy, name, endpoint and clock.
async fn network(cloud: &Cloud, ca_file: Option<&Path>, is_trusted: bool) -> Vec<DoctorCheck> {
    let url = &cloud.arm_endpoint;
    let route = proxy_route(url, &|name| std::env::var(name).ok());
    let port = url.port_or_known_default().unwrap_or(443);
    let found = timeout(NAME, tokio::net::lookup_host((route.host.trim_matches(['[', ']']), port))).await;
    let found = found.ok().map(|found| match found {
        Ok(addresses) => Ok(addresses.map(|address| address.ip()).collect()),
        Err(error) => Err(error.to_string()),
    });
    let mut checks = vec![proxy_check(&route), name_check(&route, found.as_ref())];
    // Ignore the error: a provider is already installed.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let transport = match https_transport(ca_file) {
        Ok(transport) if is_trusted => transport,
        Ok(_) => return with_unknown(checks, UNTRUSTED),
        Err(error) => return with_unknown(checks, &chain(&error)),
    };
    let sent = Timestamp::now();
    let answer = timeout(REQUEST, ask_endpoint(&transport, cloud)).await.ok();
    let endpoint = url.as_str().trim_end_matches('/').to_owned();
    let proxy = EndpointTrial::proxy_of(&route);
    let facts = EndpointTrial { endpoint, proxy, answer, sent, received: Timestamp::now() };
    checks.extend([endpoint_check(&facts), clock_check(&facts)]);
    checks
}

fn with_unknown(mut checks: Vec<DoctorCheck>, why: &str) -> Vec<DoctorCheck> {
    checks.extend([Id::ManagementEndpoint, Id::Clock].map(|id| DoctorCheck::unknown(id, why, None)));
    checks
}

async fn sign_in(
    args: &DoctorArgs,
    simulation: Option<&Simulation>,
    stop: &StopSignal,
    checks: &mut Vec<DoctorCheck>,
) -> Option<Vec<Tenant>> {
    // Throttling is told at once, not waited out.
    let limits = RequestLimits { concurrency: CONCURRENCY, refusals: 0, ..RequestLimits::default() };
    let signed_in = timeout(SIGN_IN, tenants_until(&args.connect, simulation, &args.scope.tenant, &limits, stop)).await;
    let signed_in = signed_in.ok().map(|signed_in| {
        signed_in.map_err(|error| {
            let (what, fix) = error.parts();
            Obstacle { what, fix }
        })
    });
    let principals = signed_in.as_ref().map(|signed_in| match signed_in {
        Ok(tenants) => Ok(tenants.iter().map(|tenant| &tenant.principal).collect()),
        Err(obstacle) => Err(obstacle.clone()),
    });
    checks.push(sign_in_check(principals.as_ref()));
    signed_in?.ok()
}

/// What only someone who is signed in can check.
async fn azure(
    args: &DoctorArgs,
    simulation: Option<&Simulation>,
    tenants: &[Tenant],
    stop: StopSignal,
) -> Result<Vec<DoctorCheck>, CliError> {
    let select = SelectArgs { server: args.server.iter().cloned().collect(), ..SelectArgs::default() };
    let scope = args.scope.scope(&select);
    let mut checks = Vec::new();
    let Ok(visible) = timeout(READS, resolve_scope(tenants, &scope)).await else {
        let why = format!("no list of the subscriptions in {} s", READS.as_secs());
        checks.push(DoctorCheck::unknown(Id::Subscriptions, why, Some(narrower())));
        checks.extend(skipped(args, "the subscriptions are not known"));
        return Ok(checks);
    };
    let visible = visible?;
    checks.push(subscriptions_check(visible.subscriptions.len(), &visible.gaps));
    match timeout(READS, read_rights(&visible, &scope)).await {
        Ok(rights) => checks.extend(rights_checks(&rights)),
        Err(_) => {
            let why = format!("Azure did not say in {} s what is granted", READS.as_secs());
            checks.extend(RIGHTS.map(|id| DoctorCheck::unknown(id, why.clone(), Some(narrower()))));
        }
    }
    checks.extend(listeners(args, simulation, &visible, &scope, stop).await?);
    Ok(checks)
}

const RIGHTS: [Id; 4] = [Id::RightsAudit, Id::RightsPlan, Id::RightsApply, Id::RightsClients];

fn narrower() -> Hint {
    "narrow the scope with --subscription, or retry".into()
}

fn without_sign_in(args: &DoctorArgs) -> Vec<DoctorCheck> {
    let why = "there is no sign-in";
    let mut checks = vec![DoctorCheck::unknown(Id::Subscriptions, why, None)];
    checks.extend(skipped(args, why));
    checks
}

fn skipped(args: &DoctorArgs, why: &str) -> Vec<DoctorCheck> {
    let mut checks = RIGHTS.map(|id| DoctorCheck::unknown(id, why, None)).to_vec();
    checks.push(match &args.server {
        Some(_) => DoctorCheck::unknown(Id::Listener, why, None),
        None => no_server(),
    });
    checks
}

fn no_server() -> DoctorCheck {
    DoctorCheck::not_applicable(Id::Listener, "no --server: no listener was connected to")
}

async fn listeners(
    args: &DoctorArgs,
    simulation: Option<&Simulation>,
    visible: &hostssl_ops::Visible,
    scope: &Scope,
    stop: StopSignal,
) -> Result<Vec<DoctorCheck>, CliError> {
    let Some(name) = &args.server else { return Ok(vec![no_server()]) };
    let unknown = |why: String| vec![DoctorCheck::unknown(Id::Listener, why, Some(narrower()))];
    let Ok(found) = timeout(READS, find_servers(visible, scope)).await else {
        return Ok(unknown(format!("{name} was not found in {} s", READS.as_secs())));
    };
    let found = found?;
    if found.servers.len() > MOST_SERVERS {
        let what = format!("--server {name} matches {} servers, and {MOST_SERVERS} are checked", found.servers.len());
        return Err(CliError::usage(what, "name one server; `hostssl audit --probe` connects to all"));
    }
    if found.servers.is_empty() {
        let gap = found.gaps.first();
        let why = gap.map_or("nothing could be searched", |gap| &gap.unchecked.detail);
        let fix = match gap.map(|gap| gap.unchecked.reason) {
            Some(Reason::Throttled) => "retry after that time".into(),
            _ => narrower(),
        };
        return Ok(vec![DoctorCheck::unknown(Id::Listener, format!("{name} was not found: {why}"), Some(fix))]);
    }
    let probe = probe_of(simulation, stop, args.connect.ca_file.as_deref(), &args.route)?;
    let looks = found.servers.iter().map(|(server, tenant)| async {
        let look = timeout(LISTENERS, probe.look_from_here(&tenant.arm, server)).await;
        match look {
            Ok(look) => listener_checks(server, &look.observations),
            Err(_) => unknown(format!("{} did not answer in {} s", server.name(), LISTENERS.as_secs())),
        }
    });
    Ok(futures::future::join_all(looks).await.concat())
}
