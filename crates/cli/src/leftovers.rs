//! After an apply: who is still connected in plaintext, and the end of those sessions where that was asked for.

use crate::again::quoted;
use crate::args::ConnectArgs;
use crate::error::CliError;
use crate::logins::Logins;
use crate::questions::{ask, can_ask};
use crate::route::RouteArgs;
use crate::run_change::SignedInTenant;
use clap::Args;
use futures::{StreamExt, stream};
use hostssl_azure::{ResourceType, StopSignal, get_document, read_server};
use hostssl_formats::run_sessions::{self, RunSession, RunSessions};
use hostssl_formats::{Text, safe};
use hostssl_model::{Hint, Kind, ResourceId};
use hostssl_ops::Tenant;
use hostssl_remediation::{
    Clock as _, ExecuteError, Journal as _, JournalError, JournalEvent, JournalRecord, Plan, Report, RunId, SafeText,
    Step, StepReport, StepStatus, SystemClock,
};
use hostssl_sessions::{LeftoverSession, LeftoverSessions};
use hostssl_store::Store;
use std::collections::BTreeSet;
use std::path::Path;

/// Servers that are logged in to at once.
const AT_ONCE: usize = 32;

/// What to do about sessions that were there before enforcement.
#[derive(Debug, Default, Args)]
#[command(next_help_heading = "Sessions in plaintext")]
pub(crate) struct LeftoverArgs {
    /// After the change, log in to each server that enforces TLS now and list the sessions that are still in plaintext:
    /// enforcement refuses new connections only. The server's certificate must pass verify-full. The password is PGPASSWORD, or
    /// an Entra token.
    #[arg(long)]
    sessions: bool,
    /// End those sessions, after they were listed and you have said yes. Before the first write, hostssl checks that the role
    /// may do so (pg_signal_backend). Replication and superusers' sessions are left alone.
    #[arg(long)]
    terminate_plaintext_sessions: bool,
    /// Do not ask before sessions are ended.
    #[arg(long)]
    yes: bool,
    /// Log in as this user, in place of PGUSER or the name that is signed in.
    #[arg(long, value_name = "NAME")]
    user: Option<String>,
}

impl LeftoverArgs {
    /// Refuses `--yes` where no session is to be ended: it does not approve the plan, which was read from this file.
    pub(crate) fn refuse_yes_alone(&self, plan: &Plan, path: &Path) -> Result<(), CliError> {
        if !self.yes || self.terminate_plaintext_sessions {
            return Ok(());
        }
        let hint = Hint::with(
            "review the plan with `hostssl plan show {}`, then approve it with --approve {} in place of --yes",
            &[&quoted(&path.display().to_string()), &plan.hash()],
        );
        Err(CliError::usage("--yes only confirms that sessions are ended, and does not approve a plan", hint))
    }

    /// Whether servers are logged in to.
    pub(crate) fn logs_in(&self) -> bool {
        self.sessions || self.terminate_plaintext_sessions
    }
}

/// Looks at the sessions of the servers of a run.
pub(crate) struct Leftovers<'a> {
    args: &'a LeftoverArgs,
    logins: Logins,
}

/// A server that a plan makes enforce TLS.
type Enforced<'a> = (&'a ResourceId, Kind);

/// What was found on one server, with the connection over which it was.
struct Found<'a> {
    server: &'a ResourceId,
    looked: Result<(LeftoverSessions, Vec<LeftoverSession>), String>,
    gone: Vec<bool>,
    /// Why some could not be ended.
    error: Option<String>,
}

impl<'a> Leftovers<'a> {
    /// Prepares; `None` if it was not asked for.
    pub(crate) fn new(
        args: &'a LeftoverArgs,
        connect: &ConnectArgs,
        route: &RouteArgs,
    ) -> Result<Option<Self>, CliError> {
        if !args.logs_in() {
            return Ok(None);
        }
        if connect.simulate.is_some() {
            let (what, option) = if args.terminate_plaintext_sessions {
                ("ended", "--terminate-plaintext-sessions")
            } else {
                ("listed", "--sessions")
            };
            let hint = Hint::with(
                "leave {} out; `hostssl clients` shows who connects, by the logs of the simulated servers",
                &[&option],
            );
            let what = format!("simulated servers take no logins, so their sessions cannot be {what}");
            return Err(CliError::usage(what, hint));
        }
        if args.terminate_plaintext_sessions && !args.yes && !can_ask() {
            let what = "there is no terminal to ask on before sessions are ended";
            return Err(CliError::usage(what, "add --yes"));
        }
        let logins = Logins::new(connect.ca_file.as_deref(), args.user.clone(), false, route)?;
        Ok(Some(Self { args, logins }))
    }

    /// Before the first write: where sessions are to be ended, the role must be able to.
    pub(crate) async fn check(&self, tenant: &Tenant, plan: &Plan) -> Result<(), CliError> {
        if !self.args.terminate_plaintext_sessions {
            return Ok(());
        }
        let asked = stream::iter(enforced(plan)).map(|server| async move {
            let connected = self.connect(tenant, server).await;
            let missing = connected.map(|sessions| {
                let missing = sessions.missing().clone();
                missing.to_see.into_iter().chain(missing.to_end).collect::<Vec<_>>()
            });
            (server.0, missing)
        });
        let answers: Vec<_> = asked.buffered(AT_ONCE).collect().await;
        let refused = answers.into_iter().filter_map(|(server, missing)| match missing {
            Ok(missing) if missing.is_empty() => None,
            Ok(missing) => Some(format!("{}: the role lacks: {}", server.name(), missing.join(" "))),
            Err(why) => Some(format!("{}: {why}", server.name())),
        });
        let refused: Vec<String> = refused.collect();
        if refused.is_empty() {
            return Ok(());
        }
        for one in &refused {
            stderr!("{}", safe(one));
        }
        let what = format!("sessions cannot be ended on {} of the servers, so nothing was written", refused.len());
        Err(CliError::refused(what, "grant what is missing, name another user with --user, or leave the option out"))
    }

    /// After the run: lists the sessions, and ends what was asked for. Once the run is told to stop, no other server is logged
    /// in to, and no other session is ended.
    pub(crate) async fn settle(
        &self,
        site: &SignedInTenant,
        store: &Store,
        run: &RunId,
        plan: &Plan,
        report: &Report,
    ) -> Result<Vec<RunSessions>, CliError> {
        let looks = stream::iter(enforced_now(plan, report)).map(|server| async move {
            let looked = async {
                check_not_stopped(&site.stop)?;
                let sessions = self.connect(&site.changing, server).await?;
                let found = sessions.look().await.map_err(|error| error.to_string())?;
                Ok((sessions, found))
            };
            Found { server: server.0, looked: looked.await, gone: Vec::new(), error: None }
        });
        let mut found: Vec<Found<'_>> = looks.buffered(AT_ONCE).collect().await;
        // After a stop no server is asked any more: each server says why its sessions were left.
        if self.args.terminate_plaintext_sessions
            && (check_not_stopped(&site.stop).is_err() || self.is_confirmed(&found)?)
        {
            for one in &mut found {
                one.end(store, run, &site.stop).await?;
            }
        }
        Ok(found.iter().map(Found::shown).collect())
    }

    /// Whether someone said yes to the end of what was found.
    fn is_confirmed(&self, found: &[Found<'_>]) -> Result<bool, CliError> {
        let count: usize = found.iter().map(|one| one.to_end().len()).sum();
        if count == 0 || self.args.yes {
            return Ok(count > 0);
        }
        let mut text = Vec::new();
        let listed: Vec<RunSessions> = found.iter().map(Found::shown).collect();
        let _ = run_sessions::write(&mut text, &listed, Text::plain().palette);
        stderr!("{}", String::from_utf8_lossy(&text));
        let plural = if count == 1 { "session" } else { "sessions" };
        ask(&format!("This ends {count} {plural} in plaintext."), "add --yes")
    }

    async fn connect(&self, tenant: &Tenant, (server, kind): Enforced<'_>) -> Result<LeftoverSessions, String> {
        let resource_type = ResourceType::of(kind);
        let (subscription, group) = (server.subscription(), server.resource_group());
        let document = get_document(&tenant.arm, &subscription, group, resource_type, server.name()).await;
        let document = document.map_err(|error| error.to_string())?;
        let listed = read_server(&document.to_string(), resource_type).map_err(|odd| odd.0)?;
        let login = self.logins.of_server(tenant, listed.posture.server.fqdn.as_deref()).await?;
        LeftoverSessions::connect(&login).await.map_err(|error| error.to_string())
    }
}

/// Whether something new may begin; otherwise why not.
fn check_not_stopped(stop: &StopSignal) -> Result<(), String> {
    (*stop.borrow()).map_or(Ok(()), |stop| Err(format!("the run was stopped: {}", stop.as_str())))
}

/// The servers that a plan makes enforce TLS, each once.
fn enforced(plan: &Plan) -> Vec<Enforced<'_>> {
    servers_of(plan, |_| true)
}

/// Those that enforce TLS now, by the report. That another setting of a server was changed does not count: as long as it does
/// not enforce, its clients in plaintext do nothing that is refused, and come back at once.
fn enforced_now<'a>(plan: &'a Plan, report: &Report) -> Vec<Enforced<'a>> {
    let has_value = |told: &&StepReport| matches!(told.status, StepStatus::Applied | StepStatus::Already);
    let done: BTreeSet<u32> = report.steps.iter().filter(has_value).map(|told| told.id).collect();
    servers_of(plan, |step| done.contains(&step.id))
}

fn servers_of(plan: &Plan, counts: impl Fn(&Step) -> bool) -> Vec<Enforced<'_>> {
    let enforces = |step: &&Step| step.turns_on() && step.is_executable() && counts(step);
    let mut servers: Vec<Enforced<'_>> =
        plan.steps().iter().filter(enforces).map(|step| (&step.server, step.kind)).collect();
    servers.sort();
    servers.dedup();
    servers
}

impl Found<'_> {
    /// The sessions that may be ended.
    fn to_end(&self) -> Vec<&LeftoverSession> {
        let sessions = self.looked.as_ref().map(|(_, sessions)| sessions.as_slice()).unwrap_or_default();
        sessions.iter().filter(|one| one.may_be_ended && !one.is_replication).collect()
    }

    /// Ends them unless the run was told to stop, and journals that before and after.
    async fn end(&mut self, store: &Store, run: &RunId, stop: &StopSignal) -> Result<(), CliError> {
        let count = u32::try_from(self.to_end().len()).unwrap_or(u32::MAX);
        let Ok((connection, sessions)) = &self.looked else { return Ok(()) };
        if count == 0 {
            return Ok(());
        }
        if let Err(why) = check_not_stopped(stop) {
            self.error = Some(why);
            return Ok(());
        }
        let server = SafeText::new(self.server.as_str());
        journal(store, run, JournalEvent::SessionsEnding { server: server.clone(), sessions: count }).await?;
        let ended = connection.end(sessions).await;
        let (gone, error) = match ended {
            Ok(gone) => (gone, None),
            Err(error) => (Vec::new(), Some(error.to_string())),
        };
        let ended = u32::try_from(gone.iter().filter(|gone| **gone).count()).unwrap_or(u32::MAX);
        let told = error.as_deref().map(SafeText::new);
        journal(store, run, JournalEvent::SessionsEnded { server, ended, error: told }).await?;
        (self.gone, self.error) = (gone, error);
        Ok(())
    }

    fn shown(&self) -> RunSessions {
        let (sessions, reason) = match &self.looked {
            Ok((_, sessions)) => (sessions.as_slice(), self.error.clone()),
            Err(why) => (&[][..], Some(why.clone())),
        };
        let sessions = sessions.iter().enumerate().map(|(at, one)| RunSession {
            user: one.user.clone(),
            database: one.database.clone(),
            application: one.application.clone(),
            address: one.address.clone(),
            replication: one.is_replication,
            ended: self.gone.get(at).copied().unwrap_or_default(),
        });
        RunSessions {
            server: self.server.as_str().to_owned(),
            name: self.server.name().to_owned(),
            sessions: sessions.collect(),
            reason,
        }
    }
}

/// How often a record is tried again while another process writes. The store waits some seconds each time.
const TRIES_WHILE_BUSY: usize = 10;

async fn journal(store: &Store, run: &RunId, event: JournalEvent) -> Result<(), CliError> {
    let record = JournalRecord { at_ms: SystemClock::new().now_ms(), event };
    let mut kept = store.append(run, std::slice::from_ref(&record)).await;
    for _ in 0..TRIES_WHILE_BUSY {
        if !matches!(kept, Err(JournalError::Busy(_))) {
            break;
        }
        kept = store.append(run, std::slice::from_ref(&record)).await;
    }
    kept.map_err(|source| ExecuteError::Journal { source, partial: None }.into())
}

#[cfg(test)]
mod tests {
    use super::*;
    use hostssl_remediation::{RunOutcome, RunSummary};
    use hostssl_test_support::fleet::{PlannerKnowledge, flexible};

    #[test]
    fn only_a_server_that_enforces_now_has_sessions_to_end() {
        let plan = PlannerKnowledge::new(vec![flexible("a", "off", "TLSv1")]).plan();
        let step_report = |step: &Step, status| StepReport {
            id: step.id,
            server: step.server.to_string(),
            parameter: step.parameter,
            before: step.before.to_string(),
            after: step.after.to_string(),
            status,
            reason: None,
            request_id: None,
            undoing: false,
            open: false,
            not_read_again: false,
            vanished: false,
            manual: false,
            accepted: None,
        };
        let now = |switch, others| {
            let steps =
                plan.steps().iter().map(|step| step_report(step, if step.turns_on() { switch } else { others }));
            let report = Report {
                run: "run".into(),
                plan: plan.hash().to_string(),
                summary: RunSummary::default(),
                steps: steps.collect(),
                outcome: RunOutcome::Done,
                reason: None,
                undo_reason: None,
            };
            enforced_now(&plan, &report).len()
        };
        assert_eq!(plan.steps().len(), 2);
        assert_eq!(now(StepStatus::Applied, StepStatus::Failed), 1);
        assert_eq!(now(StepStatus::Already, StepStatus::Applied), 1);
        assert_eq!(now(StepStatus::Failed, StepStatus::Applied), 0);
        assert_eq!(now(StepStatus::NotStarted, StepStatus::Already), 0);
    }
}
