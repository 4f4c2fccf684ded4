//! From the connection options to signed-in clients.

use crate::args::{Auth, ConnectArgs, LimitArgs, ScopeArgs, SelectArgs, StateArgs, TerminalArgs};
use crate::error::CliError;
use crate::exit::Exit;
use crate::questions;
use crate::signals::Signals;
use crate::simulated::{cloud_of, kept_azure, tenants_of};
use crate::simulated_azure::{SimTransport, Simulation};
use azure_core::http::Transport;
use hostssl_azure::{Arm, AuthMethod, Cloud, RequestLimits, SignIn, SignedIn, StopSignal, https_transport};
use hostssl_model::{Scope, Stop};
use hostssl_ops::Tenant;
use std::path::PathBuf;
use std::sync::Arc;
use tokio::sync::watch;
use tokio::task::AbortHandle;

/// Runs a command's work on a runtime of its own.
pub(crate) fn block_on<T>(work: impl Future<Output = Result<T, CliError>>) -> Result<T, CliError> {
    let runtime =
        tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().map_err(|error| {
            CliError::failed(
                &error,
                "the operating system refused to start a thread: try again when the machine is less busy",
            )
        })?;
    let result = runtime.block_on(work);
    // A lookup of a name may hang in the system's resolver: do not wait for it.
    runtime.shutdown_background();
    result
}

/// What a command has to work with.
pub(crate) struct Connected {
    /// The tenants, signed in.
    pub(crate) tenants: Vec<Tenant>,
    /// Given when the run is to end.
    pub(crate) stop: StopSignal,
    /// What gives that signal. It goes on until the process ends, unless someone ends it.
    pub(crate) listener: AbortHandle,
    /// The simulated Azure in place of the real one, if there is one.
    pub(crate) simulation: Option<Simulation>,
}

/// Signs in to every requested tenant and prints the identity on stderr.
pub(crate) async fn connect(
    connect: &ConnectArgs,
    state: &StateArgs,
    tenants: &[String],
    limits: &LimitArgs,
    terminal: &TerminalArgs,
) -> Result<Vec<Tenant>, CliError> {
    connect.refuse_ca_file_with_simulation()?;
    Ok(connect_whole(connect, state, tenants, limits, terminal).await?.tenants)
}

/// As [`connect`], for a command that needs more than the clients.
pub(crate) async fn connect_whole(
    connect: &ConnectArgs,
    state: &StateArgs,
    tenants: &[String],
    limits: &LimitArgs,
    terminal: &TerminalArgs,
) -> Result<Connected, CliError> {
    connect.refuse_with_simulation()?;
    let (stop, listener) = stop_signal(limits);
    let simulation = kept_azure::open(connect, state, terminal)?;
    let signed_in = tenants_until(connect, simulation.as_ref(), tenants, &limits.of_requests(), &stop).await;
    let signed_in = signed_in.inspect_err(|_| listener.abort())?;
    if !terminal.quiet {
        for Tenant { arm, principal } in &signed_in {
            let tenant = principal.tenant.as_deref().unwrap_or("unknown");
            let (name, method, cloud) = (&principal.name, &principal.method, &arm.cloud().name);
            stderr!("signed in as {name} (--auth {method}), tenant {tenant}, cloud {cloud}");
        }
    }
    Ok(Connected { tenants: signed_in, stop, listener, simulation })
}

/// Signs in to every tenant of the real Azure that is asked for; the clients end when the signal is given.
pub(crate) async fn connect_until(
    connect: &ConnectArgs,
    tenants: &[String],
    limits: &LimitArgs,
    stop: &StopSignal,
) -> Result<Vec<Tenant>, CliError> {
    real_tenants(connect, tenants, &limits.of_requests(), stop).await
}

/// Signs in to every tenant that is asked for, of the simulated Azure where there is one.
pub(crate) async fn tenants_until(
    connect: &ConnectArgs,
    simulation: Option<&Simulation>,
    tenants: &[String],
    limits: &RequestLimits,
    stop: &StopSignal,
) -> Result<Vec<Tenant>, CliError> {
    match (simulation, &connect.simulate) {
        (Some(simulation), Some(scenario)) => {
            let transport = Transport::new(Arc::new(SimTransport::new(simulation)));
            tenants_of(simulation, transport, scenario, tenants, limits, stop).await
        }
        _ => real_tenants(connect, tenants, limits, stop).await,
    }
}

async fn real_tenants(
    connect: &ConnectArgs,
    tenants: &[String],
    limits: &RequestLimits,
    stop: &StopSignal,
) -> Result<Vec<Tenant>, CliError> {
    // Ignore the error: a provider is already installed.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let cloud = connect.real_cloud()?;
    let transport = https_transport(connect.ca_file.as_deref())?;
    let wanted: Vec<Option<&str>> =
        if tenants.is_empty() { vec![None] } else { tenants.iter().map(|tenant| Some(tenant.as_str())).collect() };
    let mut signed_in = Vec::new();
    for tenant in wanted {
        let sign_in = SignIn {
            method: connect.auth.unwrap_or(Auth::Cli).into(),
            cloud: &cloud,
            tenant,
            transport: &transport,
            environment: &|name| std::env::var(name).ok(),
        };
        let mut stopped = stop.clone();
        let SignedIn { credential, principal } = tokio::select! {
            signed_in = sign_in.sign_in() => signed_in?,
            // When every sender is gone, the signal never comes.
            Ok(_) = stopped.wait_for(Option::is_some) => return Err(CliError::stopped_while_signing_in()),
        };
        let arm = Arm::new(cloud.clone(), credential, transport.clone(), limits.clone(), stop.clone());
        signed_in.push(Tenant { arm, principal });
    }
    Ok(signed_in)
}

/// A signal that is given when the deadline passes or the user interrupts; a second interrupt ends the process at once.
fn stop_signal(limits: &LimitArgs) -> (StopSignal, AbortHandle) {
    let (give, signal) = watch::channel(None);
    let deadline = limits.deadline;
    let mut signals = Signals::of_an_end();
    let listener = tokio::spawn(async move {
        tokio::select! {
            () = tokio::time::sleep(deadline) => {
                give.send_replace(Some(Stop::Deadline));
                if !questions::stop() {
                    stderr!("--deadline reached: settling what is in progress, then reporting");
                }
            }
            () = signals.next() => {
                give.send_replace(Some(Stop::Interrupted));
                if !questions::stop() {
                    stderr!("interrupted: settling what is in progress, then reporting; interrupt again to quit immediately");
                }
            }
        }
        signals.next().await;
        end_at_once();
    });
    (signal, listener.abort_handle())
}

/// The report is lost, as the user asked for twice.
#[expect(clippy::exit, reason = "the user asked for an end without an orderly way out")]
fn end_at_once() {
    std::process::exit(Exit::Interrupted.code().into());
}

impl ConnectArgs {
    /// Refuses a CA file that nothing would read, as nothing is connected to.
    pub(crate) fn refuse_ca_file_with_simulation(&self) -> Result<(), CliError> {
        let of_environment = std::env::var_os("HOSTSSL_CA_FILE").map(PathBuf::from);
        if self.simulate.is_none() || self.ca_file.is_none() || self.ca_file == of_environment {
            return Ok(());
        }
        let what = "--ca-file cannot be used with --simulate, which connects to nothing";
        Err(CliError::usage(what, "leave one of them out"))
    }

    /// The name of the cloud that is asked, simulated or not, as audits keep it.
    pub(crate) fn cloud_name(&self) -> Result<String, CliError> {
        match &self.simulate {
            Some(scenario) => Ok(cloud_of(scenario)),
            None => Ok(self.real_cloud()?.name),
        }
    }

    /// The cloud that is asked where none is simulated.
    pub(crate) fn real_cloud(&self) -> Result<Cloud, CliError> {
        let cloud = Cloud::named(self.cloud.as_deref().unwrap_or("AzureCloud"))?;
        Ok(cloud.with_endpoints(self.arm_endpoint.as_deref(), self.authority_host.as_deref())?)
    }

    /// Fails when options are given that a simulated Azure has no use for. A variable alone is not a mistake: it may be meant for
    /// other commands.
    pub(crate) fn refuse_with_simulation(&self) -> Result<(), CliError> {
        if self.simulate.is_none() {
            return Ok(());
        }
        let given = |value: Option<&str>, variable: &str| {
            value.is_some_and(|value| !std::env::var(variable).is_ok_and(|set| set.eq_ignore_ascii_case(value)))
        };
        let auth = self.auth.as_ref().and_then(clap::ValueEnum::to_possible_value);
        let auth = auth.map(|value| value.get_name().to_owned());
        let options = [
            ("--auth", given(auth.as_deref(), "HOSTSSL_AUTH")),
            ("--cloud", given(self.cloud.as_deref(), "HOSTSSL_CLOUD")),
            ("--arm-endpoint", given(self.arm_endpoint.as_deref(), "HOSTSSL_ARM_ENDPOINT")),
            ("--authority-host", given(self.authority_host.as_deref(), "HOSTSSL_AUTHORITY_HOST")),
        ];
        match options.into_iter().find(|(_, given)| *given) {
            None => Ok(()),
            Some((option, _)) => Err(CliError::usage(
                format!("{option} cannot be used with --simulate, which does not call Azure"),
                "leave one of them out",
            )),
        }
    }
}

impl ScopeArgs {
    /// The scope that the options ask for.
    pub(crate) fn scope(&self, select: &SelectArgs) -> Scope {
        Scope {
            tenants: self.tenant.clone(),
            management_groups: self.management_group.clone(),
            subscriptions: self.subscription.clone(),
            resource_groups: self.resource_group.clone(),
            servers: select.server.clone(),
            tags: select.tag.clone(),
            except: select.except.clone(),
        }
    }
}

impl From<Auth> for AuthMethod {
    fn from(auth: Auth) -> Self {
        match auth {
            Auth::Cli => Self::Cli,
            Auth::Azd => Self::Azd,
            Auth::ManagedIdentity => Self::ManagedIdentity,
            Auth::WorkloadIdentity => Self::WorkloadIdentity,
            Auth::Secret => Self::Secret,
            Auth::Pipelines => Self::Pipelines,
            #[cfg(feature = "certificate")]
            Auth::Certificate => Self::Certificate,
        }
    }
}
