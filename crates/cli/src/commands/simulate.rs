//! `hostssl simulate`: a simulated Azure on loopback.

#[cfg(feature = "simulate")]
mod loopback;

#[cfg(feature = "simulate")]
pub(crate) use loopback::run;

use crate::args::{StateArgs, Suggested, scenarios};
use clap::Args;
use std::path::PathBuf;

#[derive(Debug, Args)]
pub(crate) struct SimulateArgs {
    /// The scenario.
    #[arg(default_value = "demo", value_parser = Suggested(scenarios))]
    pub(crate) scenario: String,
    /// Discard what commands with --simulate changed in the scenario, then exit.
    #[arg(long, conflicts_with = "list")]
    pub(crate) reset: bool,
    #[command(flatten)]
    pub(crate) state: StateArgs,
    /// List the scenarios and exit.
    #[arg(long)]
    pub(crate) list: bool,
    /// The port on loopback; 0 picks a free one.
    #[arg(long, default_value_t = 0)]
    pub(crate) port: u16,
    /// Where to write the CA certificate and the Azure CLI's configuration (default: a new folder, removed at the end).
    #[arg(long, value_name = "DIR")]
    pub(crate) dir: Option<PathBuf>,
    /// Subscriptions of the fleet.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=100_000))]
    pub(crate) subscriptions: Option<u32>,
    /// Servers of the fleet, in all.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(0..=1_000_000))]
    pub(crate) servers: Option<u32>,
    /// Generate another fleet of the same size.
    #[arg(long, value_name = "N")]
    pub(crate) seed: Option<u64>,
    /// Time before each answer, in milliseconds.
    #[arg(long, value_name = "MS", value_parser = clap::value_parser!(u64).range(0..=600_000))]
    pub(crate) latency: Option<u64>,
    /// Time from the acceptance of each write to its end, in milliseconds.
    #[arg(long, value_name = "MS", value_parser = clap::value_parser!(u64).range(0..=86_400_000))]
    pub(crate) operation_time: Option<u64>,
    /// Throttle reads of each subscription: a burst of N, then PER_SECOND a second, such as 20:4.
    #[arg(long, value_name = "N:PER_SECOND", value_parser = throttle)]
    pub(crate) throttle: Option<(u32, f64)>,
}

fn throttle(text: &str) -> Result<(u32, f64), String> {
    let parsed = text.split_once(':').and_then(|(size, rate)| Some((size.parse().ok()?, rate.parse().ok()?)));
    match parsed {
        Some((size, rate)) if size > 0 && rate > 0.0 && f64::is_finite(rate) => Ok((size, rate)),
        _ => Err("expected two numbers above zero, such as 20:4".to_owned()),
    }
}

/// There is nothing to serve.
#[cfg(not(feature = "simulate"))]
pub(crate) fn run(
    _: &SimulateArgs,
    _: &crate::args::TerminalArgs,
) -> Result<crate::exit::Exit, crate::error::CliError> {
    Err(crate::simulated::kept_azure::not_built_in())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rates_are_read() {
        assert_eq!(throttle("20:4"), Ok((20, 4.0)));
        assert!(throttle("20").is_err() && throttle("0:1").is_err() && throttle("1:inf").is_err());
    }
}
