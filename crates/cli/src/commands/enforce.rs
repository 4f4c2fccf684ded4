//! `hostssl enforce`: plan, review and apply in one conversation.

use super::apply::approve;
use super::plan::MakePlanArgs;
use super::plan::{failed_earlier, names_of, plan_for, print_canary, print_failed_earlier, print_unchecked};
use crate::args::{JudgeArgs, PaceArgs, StateArgs, TableArgs, TerminalArgs};
use crate::connect::block_on;
use crate::error::CliError;
use crate::exit::Exit;
use crate::run_change::{change, connect_tenant, write_report};
use crate::state::new_run;
use crate::state_patience::StatePatience;
use crate::stdout;
use clap::Args;
use hostssl_formats::Shape;

#[derive(Debug, Args)]
pub(crate) struct EnforceArgs {
    #[command(flatten)]
    pub(crate) make: MakePlanArgs,
    #[command(flatten)]
    pub(crate) pace: PaceArgs,
    #[command(flatten)]
    pub(crate) judge: JudgeArgs,
    #[command(flatten)]
    pub(crate) state: StateArgs,
    #[command(flatten)]
    pub(crate) value: TableArgs,
}

pub(crate) fn run(args: &EnforceArgs, terminal: &TerminalArgs) -> Result<Exit, CliError> {
    let mut request = args.make.request(&args.state, StatePatience::from_now(args.pace.deadline))?;
    let route = args.judge.route(&args.make.connect)?;
    let failed = failed_earlier(&args.state, args.make.connect.simulate.is_some())?;
    request.order.last = failed.keys().cloned().collect();
    stdout::query(args.value.query.as_deref())?;
    let done = block_on(async {
        let store = args.state.open(args.make.connect.simulate.is_some())?;
        let site =
            connect_tenant(&args.make.connect, &args.state, &args.make.scope.tenant, &args.pace.limits(), terminal)
                .await?;
        let planned = plan_for(&site.reading, &request, terminal).await?;
        let seen = print_unchecked(&planned, terminal);
        print_failed_earlier(&planned.plan, &failed, &request.order, terminal);
        print_canary(&planned, &request.order, terminal);
        let names = names_of(&planned);
        if planned.plan.is_empty() {
            let shape = Shape { wide: args.value.is_wide(), ..Shape::AS_IS };
            super::plan::write(&planned.plan, &names, &args.value, &shape, terminal)?;
            return Ok((None, seen, names));
        }
        let instead = "without a terminal: `hostssl plan`, review, `hostssl apply PLAN --approve HASH`";
        let approved =
            approve(&planned.plan, &names, None, instead, "run `hostssl enforce` again when you are ready", terminal)?;
        let run = new_run()?;
        let work = async |remediation: &hostssl_ops::Remediation<'_>| {
            // What was just planned is fresh, however long the review took: every value is re-read.
            remediation.apply(&approved, &run, std::time::Duration::MAX).await
        };
        let report = change(&site, &store, &args.pace, route, &planned.plan, terminal, work).await?;
        Ok((Some(report), seen, names))
    })?;
    let shape = Shape { wide: args.value.is_wide(), ..Shape::AS_IS };
    match done {
        (None, seen, _) => Ok(seen),
        (Some(report), seen, names) => match write_report(&report, &names, &args.value, &shape, terminal)? {
            Exit::AllPass => Ok(seen),
            other => Ok(other),
        },
    }
}
