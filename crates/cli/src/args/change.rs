//! How servers are changed: how fast, and who has the last word.

use super::{ConnectArgs, duration};
use crate::error::CliError;
use crate::route::RouteArgs;
use clap::Args;
use std::time::Duration;

/// How to go through a plan.
#[derive(Debug, Args)]
#[command(next_help_heading = "Pace")]
pub(crate) struct PaceArgs {
    /// Servers of a wave changed at once; never more than one write at a time on a server.
    #[arg(long, value_name = "N", default_value_t = 100, value_parser = clap::value_parser!(u16).range(1..=1000))]
    pub(crate) max_parallel: u16,
    /// Start nothing new after this many steps were refused, failed or timed out.
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..))]
    pub(crate) max_failures: u32,
    /// Wait this long after each wave, such as 10m, then read its values again: clients reconnect before more servers are
    /// changed, and a value that something else resets is noticed.
    #[arg(long, value_name = "TIME", value_parser = duration)]
    pub(crate) soak: Option<Duration>,
    /// Start nothing new after this time, such as 30m or 8h; changes in progress get 30 s to finish.
    #[arg(long, value_name = "TIME", default_value = "24h", value_parser = duration)]
    pub(crate) deadline: Duration,
}

/// Who has the last word.
#[derive(Debug, Args)]
#[command(next_help_heading = "Wire options")]
pub(crate) struct JudgeArgs {
    /// Probe after each change; a step that the probe contradicts fails, and one that cannot be probed ends the run with 4.
    #[arg(long)]
    pub(crate) probe: bool,
    #[command(flatten)]
    route: RouteArgs,
}

impl JudgeArgs {
    /// How the listeners are reached, if they are to be asked. Errors in it are reported before anything else happens.
    pub(crate) fn route(&self, connect: &ConnectArgs) -> Result<Option<&RouteArgs>, CliError> {
        self.route_with(connect, false)
    }

    /// The same where the servers are logged in to as well, so that a way to them is needed without --probe.
    pub(crate) fn route_with(&self, connect: &ConnectArgs, logs_in: bool) -> Result<Option<&RouteArgs>, CliError> {
        if self.probe || logs_in {
            self.route.dialer_unless(connect.simulate.is_some())?;
        } else {
            self.route.refuse_without_probe()?;
        }
        Ok(self.probe.then_some(&self.route))
    }

    /// The way to the servers, whatever it is for.
    pub(crate) fn way(&self) -> &RouteArgs {
        &self.route
    }
}
