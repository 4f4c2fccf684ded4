//! The commands that most likely follow a probe.

use crate::azure_hosts::is_azure;
use hostssl_model::Outcome;
use hostssl_probe::report::{EndpointReport, WireVerdict};
use hostssl_probe::target::ProbeTarget;
use std::collections::HashSet;
use std::sync::{Arc, Mutex, PoisonError};

/// What the commands rest on, collected as endpoints are done: the worst of them, the first of several.
#[derive(Debug)]
pub(super) struct NextProbes {
    /// Whether the exchange, or every test, was asked for already.
    transcript: bool,
    thorough: bool,
    worst: Option<(Outcome, String)>,
    /// The name of an Azure server that fails.
    azure: Option<String>,
    /// The targets with an address of their own: their names alone may lead elsewhere, or nowhere.
    addressed: Arc<Mutex<HashSet<(String, u16)>>>,
}

impl NextProbes {
    pub(super) fn new(transcript: bool, thorough: bool) -> Self {
        Self { transcript, thorough, worst: None, azure: None, addressed: Arc::default() }
    }

    /// What notes each target that is about to be probed.
    pub(super) fn noting(&self) -> impl Fn(&ProbeTarget) + use<> {
        let addressed = self.addressed.clone();
        move |target| {
            if target.address.is_some() {
                let mut addressed = addressed.lock().unwrap_or_else(PoisonError::into_inner);
                addressed.insert((target.host.clone(), target.port));
            }
        }
    }

    fn is_addressed(&self, report: &EndpointReport) -> bool {
        let addressed = self.addressed.lock().unwrap_or_else(PoisonError::into_inner);
        !addressed.is_empty() && addressed.contains(&(report.host.clone(), report.port))
    }

    /// Takes an endpoint and what it counts as. One that no connection reached has nothing to show.
    pub(super) fn consider(&mut self, report: &EndpointReport, found: Outcome) {
        let spelt = report.target.bytes().all(|byte| byte.is_ascii_alphanumeric() || b".-_:[]".contains(&byte));
        if report.verdict == WireVerdict::Unreachable || !spelt || report.target.starts_with('-') {
            return;
        }
        if self.worst.as_ref().is_none_or(|(worst, _)| found > *worst) && !self.is_addressed(report) {
            self.worst = Some((found, report.target.clone()));
        }
        if found == Outcome::Fail && self.azure.is_none() && is_azure(&report.host) {
            self.azure = report.host.split('.').next().map(str::to_owned);
        }
    }

    /// The commands, each with what it is for.
    pub(super) fn commands(&self) -> Vec<(String, &'static str)> {
        let mut commands = Vec::new();
        let Some((worst, target)) = &self.worst else { return commands };
        // Names with brackets are patterns to a shell.
        let target = if target.contains('[') { format!("'{target}'") } else { target.clone() };
        if *worst != Outcome::Pass && !self.transcript {
            commands.push((format!("hostssl probe {target} --transcript"), "shows the exchange, message by message"));
        }
        if let Some(name) = &self.azure {
            commands.push((format!("hostssl audit --server {name} --probe"), "compares it with what Azure declares"));
        }
        if *worst == Outcome::Pass && !self.thorough {
            commands.push((format!("hostssl probe {target} --thorough"), "runs every test, cipher suites included"));
        }
        commands
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::commands::probe::exit_rules::tests::report;

    fn commands(of: &[(&str, Outcome)]) -> Vec<String> {
        let mut next = NextProbes::new(false, false);
        for (host, found) in of {
            let verdict = if *found == Outcome::Pass { WireVerdict::Enforced } else { WireVerdict::Optional };
            let report = EndpointReport {
                host: (*host).to_owned(),
                target: format!("{host}:5432"),
                ..report(verdict, None, &[])
            };
            next.consider(&report, *found);
        }
        next.commands().into_iter().map(|(command, _)| command).collect()
    }

    #[test]
    fn a_target_with_an_address_is_not_named_without_it() {
        let mut next = NextProbes::new(false, false);
        let target = ProbeTarget::parse("host=db port=5432 hostaddr=192.0.2.1").unwrap().remove(0);
        next.noting()(&target);
        let of = |host: &str| EndpointReport {
            host: host.to_owned(),
            target: format!("{host}:5432"),
            ..report(WireVerdict::Optional, None, &[])
        };
        next.consider(&of("db"), Outcome::Fail);
        assert!(next.commands().is_empty(), "{:?}", next.commands());
        next.consider(&of("other"), Outcome::Fail);
        assert_eq!(next.commands().len(), 1);
    }

    #[test]
    fn the_worst_endpoint_decides_what_comes_next() {
        assert_eq!(commands(&[("a", Outcome::Pass)]), ["hostssl probe a:5432 --thorough"]);
        assert_eq!(commands(&[("a", Outcome::Pass), ("b", Outcome::Fail)]), ["hostssl probe b:5432 --transcript"]);
        assert_eq!(
            commands(&[("pg-a.postgres.database.azure.com", Outcome::Fail)]),
            ["hostssl probe pg-a.postgres.database.azure.com:5432 --transcript", "hostssl audit --server pg-a --probe"]
        );
        assert!(commands(&[("a; rm -rf", Outcome::Fail), ("-o", Outcome::Fail)]).is_empty(), "no shell reads a host");
    }
}
