//! Live sessions: which servers and poolers to ask, as whom, and whom to trust.

use super::ClientsArgs;
use crate::error::CliError;
use crate::logins::{DATABASE, Logins};
use crate::signals::EndSignal;
use crate::simulated_azure::Simulation;
use clap::Args;
use hostssl_census::{Census, MissingReason, Source, SourceKind};
use hostssl_model::{POOLER_PORT, Server};
use hostssl_ops::{ClientSource, Tenant};
use hostssl_probe::target::ProbeTarget;
use hostssl_sessions::{Login, Observer, PoolerConsole, Schedule, ServerSessions};
use std::time::Duration;

/// Sessions of now, beside the logs.
#[derive(Debug, Args)]
#[command(next_help_heading = "Live sessions")]
pub(crate) struct LiveArgs {
    /// Log in to this server and read its sessions: in any form that `hostssl probe` takes; may be repeated. The
    /// certificate must pass verify-full. The password comes from PGPASSWORD, PGPASSFILE or the service file, never from
    /// the command line. Without TARGET: every server in scope, with an Entra token unless PGPASSWORD is set. A snapshot
    /// misses clients that are not connected at that moment, so it never makes a server safe by itself.
    #[arg(long, value_name = "TARGET", num_args = 0..=1, default_missing_value = "")]
    pub(crate) sessions: Vec<String>,
    /// Read the clients of this PgBouncer from its admin console too, as a user in its admin_users or stats_users; may be
    /// repeated. The server itself shows only the pooler's own sessions.
    #[arg(long, value_name = "TARGET")]
    pub(crate) pgbouncer: Vec<String>,
    /// Log in as this user where TARGET and PGUSER name none. For servers in scope: instead of the signed-in identity.
    #[arg(long, value_name = "NAME")]
    pub(crate) user: Option<String>,
    /// Repeat until interrupted, or for this time, such as 1h.
    #[arg(long, value_name = "TIME", num_args = 0..=1, default_missing_value = "", value_parser = watch)]
    pub(crate) watch: Option<Watch>,
    /// The pause between two reads. It grows when the server is slow or unreachable.
    #[arg(long, value_name = "TIME", default_value = "10s", value_parser = crate::args::duration, requires = "watch")]
    pub(crate) interval: Duration,
    /// Log in to a loopback address without TLS if its server offers no TLS that verify-full accepts. Not for tunnels: they
    /// lead to another machine.
    #[arg(long)]
    pub(crate) loopback_plaintext: bool,
    #[command(flatten)]
    pub(crate) route: crate::route::RouteArgs,
}

/// How long to continue.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Watch {
    UntilInterrupted,
    For(Duration),
}

fn watch(text: &str) -> Result<Watch, String> {
    if text.is_empty() { Ok(Watch::UntilInterrupted) } else { crate::args::duration(text).map(Watch::For) }
}

impl LiveArgs {
    /// Whether the servers in scope are to be logged in to.
    pub(super) fn is_of_scope(&self) -> bool {
        self.sessions.iter().any(String::is_empty)
    }

    /// Whether servers or poolers are named.
    pub(super) fn names_targets(&self) -> bool {
        !self.pgbouncer.is_empty() || self.sessions.iter().any(|target| !target.is_empty())
    }

    fn schedule(&self) -> Schedule {
        Schedule { interval: self.watch.map(|_| self.interval), now: || jiff::Timestamp::now().as_millisecond() }
    }

    /// Done when reading is to end.
    async fn stopped(&self, end: &EndSignal) {
        match self.watch {
            Some(Watch::For(time)) => {
                tokio::select! {
                    () = tokio::time::sleep(time) => {}
                    () = end.given() => {}
                }
            }
            Some(Watch::UntilInterrupted) | None => end.given().await,
        }
    }
}

/// The error of `--watch` without anything that changes.
pub(super) fn nothing_to_watch() -> CliError {
    CliError::usage("--watch is for live sessions", "add --sessions, or leave --watch out")
}

/// One server that was named: its name, and what reads its sessions.
pub(super) struct NamedServer {
    pub(super) name: String,
    observer: Observer,
}

/// The servers that the options name. With `is_one`, all of it must be one server.
pub(super) fn named_servers(args: &ClientsArgs, is_one: bool) -> Result<Vec<NamedServer>, CliError> {
    if args.live.is_of_scope() {
        let what = "--sessions without TARGET is for the servers in scope, but other options name a server";
        return Err(CliError::usage(what, "name the server: --sessions TARGET"));
    }
    let logins = logins(args)?;
    let mut poolers = Vec::new();
    for text in &args.live.pgbouncer {
        poolers.extend(logins.of(text, "pgbouncer")?.into_iter().map(PoolerConsole::new));
    }
    let mut servers = Vec::new();
    for text in &args.live.sessions {
        servers.extend(logins.of(text, DATABASE)?.into_iter().map(ServerSessions::new));
    }
    if servers.len() > 1 && (is_one || !poolers.is_empty()) {
        let what = "several servers are named, but --log-file and --pgbouncer are for one";
        return Err(CliError::usage(what, "run hostssl for each server"));
    }
    if servers.is_empty() {
        let name = poolers.first().map(PoolerConsole::name).unwrap_or_default();
        return Ok(vec![NamedServer { name, observer: Observer { server: None, poolers } }]);
    }
    let mut poolers = Some(poolers);
    let with_poolers = |server: ServerSessions| NamedServer {
        name: server.name(),
        // There is only one server if there is a pooler.
        observer: Observer { server: Some(server), poolers: poolers.take().unwrap_or_default() },
    };
    Ok(servers.into_iter().map(with_poolers).collect())
}

impl NamedServer {
    /// Reads until it is enough.
    pub(super) async fn observe(self, args: &ClientsArgs, census: Census, end: &EndSignal) -> Census {
        self.observer.observe(census, args.live.schedule(), args.live.stopped(end)).await
    }
}

/// Logs in to the servers of Azure, and to their built-in poolers.
pub(super) struct AzureSessions<'a> {
    logins: Logins,
    args: &'a ClientsArgs,
    end: EndSignal,
}

fn logins(args: &ClientsArgs) -> Result<Logins, CliError> {
    let live = &args.live;
    Logins::new(args.connect.ca_file.as_deref(), live.user.clone(), live.loopback_plaintext, &live.route)
}

impl<'a> AzureSessions<'a> {
    pub(super) fn new(args: &'a ClientsArgs, end: EndSignal) -> Result<Self, CliError> {
        Ok(Self { logins: logins(args)?, args, end })
    }

    /// Those of a simulated Azure.
    pub(super) fn of_simulation(
        args: &'a ClientsArgs,
        simulation: &Simulation,
        end: EndSignal,
    ) -> Result<Self, CliError> {
        args.live.route.dialer_unless(true)?;
        Ok(Self { logins: Logins::of_simulation(simulation, args.live.user.clone())?, args, end })
    }
}

#[async_trait::async_trait]
impl ClientSource for AzureSessions<'_> {
    async fn observe(&self, tenant: &Tenant, server: &Server, mut census: Census) -> Census {
        let login = match self.logins.of_server(tenant, server.fqdn.as_deref()).await {
            Ok(login) => login,
            Err(why) => {
                let mut source = Source::new(SourceKind::Sessions, server.name());
                source.lacks(MissingReason::Unreachable, format!("no login: {why}"));
                census.add_source(source);
                return census;
            }
        };
        let mut poolers = Vec::new();
        // A server whose parameter cannot be read is asked too: what is not there is no harm, what is missed would be.
        let has_pooler = server.kind.offering().has_log_files
            && hostssl_azure::read_pooler_enabled(&tenant.arm, &server.id).await.unwrap_or(true);
        if has_pooler {
            let target = ProbeTarget { port: POOLER_PORT, ..login.target.clone() };
            poolers.push(PoolerConsole::new(Login { target, ..login.clone() }));
        }
        let observer = Observer { server: Some(ServerSessions::new(login)), poolers };
        let live = &self.args.live;
        observer.observe(census, live.schedule(), live.stopped(&self.end)).await
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_watch_has_an_end_or_none() {
        assert_eq!(watch(""), Ok(Watch::UntilInterrupted));
        assert_eq!(watch("1h"), Ok(Watch::For(Duration::from_secs(3_600))));
        assert!(watch("soon").is_err());
    }
}
