//! How listeners are reached that are not reached directly: through a proxy, or by other addresses than their own.

use crate::error::CliError;
use clap::Args;
use hostssl_formats::safe;
use hostssl_model::{Hint, nearest};
use hostssl_probe::connect_to::{ConnectTo, Rule};
use hostssl_probe::dial::{Dial, Network};
use hostssl_probe::socks_proxy::Socks5;
use hostssl_probe::target::ProbeTarget;
use std::sync::{Arc, Mutex, PoisonError};

/// What gives the proxy where the option does not.
const PROXY_VARIABLE: &str = "HOSTSSL_PROXY";

/// The newest dialers that are asked which rules they used.
const MOST_DIALLED: usize = 4;

/// How the listeners of servers are reached.
#[derive(Debug, Clone, Default, Args)]
#[command(next_help_heading = "Network options")]
pub(crate) struct RouteArgs {
    /// Connect to PostgreSQL through this SOCKS5 proxy, socks5h://HOST:PORT, such as the one of ssh -D. The proxy resolves
    /// names, including those of private DNS zones. Give a password in the variable rather than on the command line.
    #[arg(long, value_name = "URL", env = PROXY_VARIABLE, hide_env_values = true)]
    proxy: Option<String>,
    /// Connect to another host and port instead of the target's, as in curl: NAME:PORT:HOST:PORT, where each part may be
    /// empty. The certificate is checked against the target's name. May be repeated; the first match counts.
    #[arg(long, value_name = "RULE")]
    connect_to: Vec<String>,
    /// What has dialled by these rules, and knows which of them no target had.
    #[arg(skip)]
    dialled: Arc<Mutex<Vec<Arc<ConnectTo>>>>,
}

impl RouteArgs {
    /// Fails when the options are given to a command that does not probe: they would do nothing. The variable alone is no
    /// mistake, since it may be meant for other commands.
    pub(crate) fn refuse_without_probe(&self) -> Result<(), CliError> {
        self.refuse_without("--probe")
    }

    /// The same for a command that connects to PostgreSQL with another option.
    pub(crate) fn refuse_without(&self, needed: &str) -> Result<(), CliError> {
        let variable = std::env::var(PROXY_VARIABLE).ok();
        let option = match &self.proxy {
            _ if !self.connect_to.is_empty() => "--connect-to",
            Some(proxy) if variable.as_ref() != Some(proxy) => "--proxy",
            _ => return Ok(()),
        };
        let what = format!("{option} is for connections to PostgreSQL, and without {needed} there are none");
        Err(CliError::usage(
            what,
            Hint::with("add {}, or leave {} out; HTTPS_PROXY is for connections to Azure", &[&needed, &option]),
        ))
    }

    /// The same for a command that may use a simulated Azure, whose listeners are in this process.
    pub(crate) fn dialer_unless(&self, simulated: bool) -> Result<Option<Arc<dyn Dial>>, CliError> {
        let dialer = self.dialer()?;
        if dialer.is_some() && simulated {
            let what = "--proxy and --connect-to cannot be used with --simulate, whose listeners are in this process";
            return Err(CliError::usage(what, Hint::with("leave one of them out, and unset {PROXY_VARIABLE}", &[])));
        }
        Ok(dialer)
    }

    /// What dials as the options say; `None` without any of them.
    pub(crate) fn dialer(&self) -> Result<Option<Arc<dyn Dial>>, CliError> {
        if self.proxy.is_none() && self.connect_to.is_empty() {
            return Ok(None);
        }
        // The text may hold a password: an error does not repeat it.
        let proxy = self.proxy.as_deref().map(Socks5::parse).transpose();
        let proxy = proxy.map_err(|error| {
            CliError::usage(
                format!("--proxy: {error}"),
                "with ssh -D 1080 BASTION running, it is socks5h://127.0.0.1:1080",
            )
        })?;
        let rules = self.rules()?;
        let direct: Arc<dyn Dial> = match proxy {
            Some(proxy) => Arc::new(proxy),
            None => Arc::new(Network),
        };
        if rules.is_empty() {
            return Ok(Some(direct));
        }
        let tunnels = Arc::new(ConnectTo::new(rules, direct));
        let mut dialled = self.dialled.lock().unwrap_or_else(PoisonError::into_inner);
        // A watch audits again and again.
        dialled.truncate(MOST_DIALLED - 1);
        dialled.insert(0, Arc::clone(&tunnels));
        Ok(Some(tunnels))
    }

    fn rules(&self) -> Result<Vec<Rule>, CliError> {
        let rules = self.connect_to.iter().map(|text| {
            Rule::parse(text).map_err(|error| {
                let hint = "such as db.example:5432:127.0.0.1:15432 for a tunnel to db.example";
                CliError::usage(format!("--connect-to: {error}"), hint)
            })
        });
        rules.collect()
    }

    /// Refuses a rule that is for none of these targets, where they are all: it would lead nowhere, and the target meant be probed by
    /// another way.
    pub(crate) fn refuse_unused(&self, targets: &[ProbeTarget]) -> Result<(), CliError> {
        // The hosts of a service are not known yet.
        if targets.iter().any(|target| target.host.starts_with('_')) {
            return Ok(());
        }
        let is_unused = |rule: &&Rule| !targets.iter().any(|target| rule.matches(&target.host, target.port));
        let rules = self.rules()?;
        let Some(unused) = rules.iter().find(is_unused) else { return Ok(()) };
        let known: Vec<String> = targets.iter().map(|target| format!("{}:{}", target.host, target.port)).collect();
        let wanted = unused.target();
        let what = format!("--connect-to {}: no target has this name and port", safe(&wanted));
        Err(CliError::usage(
            what,
            match nearest(&wanted, known.iter().map(String::as_str)) {
                Some(near) => Hint::with("did you mean {}?", &[&near]),
                None => "the rule begins with the name and the port of a target, as they are written there".into(),
            },
        ))
    }

    /// Warns of the rules that nothing was connected by.
    pub(crate) fn warn_of_unused(&self) {
        let dialled = self.dialled.lock().unwrap_or_else(PoisonError::into_inner);
        let unused = |index: usize| !dialled.is_empty() && dialled.iter().all(|one| one.unused().any(|at| at == index));
        for (_, rule) in self.connect_to.iter().enumerate().filter(|(index, _)| unused(*index)) {
            stderr!("warning: --connect-to {} was not used: nothing that was probed has its name and port", safe(rule));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rule_for_no_target_is_refused_with_the_nearest_one() {
        let args = |rule: &str| RouteArgs { connect_to: vec![rule.to_owned()], ..RouteArgs::default() };
        let targets = [ProbeTarget::new("pg-orders.internal", 5432), ProbeTarget::new("pg-orders.internal", 6432)];
        for rule in ["pg-orders.internal:5432:127.0.0.1:1", "::127.0.0.1:1", "PG-Orders.internal.::127.0.0.1:1"] {
            assert!(args(rule).refuse_unused(&targets).is_ok(), "{rule}");
        }
        let refused = args("pg-order.internal:5432:127.0.0.1:1").refuse_unused(&targets).unwrap_err();
        let said = refused.on_one_line().to_string();
        assert!(said.contains("--connect-to pg-order.internal:5432: no target has this name and port"), "{said}");
        assert!(said.contains("did you mean pg-orders.internal:5432?"), "{said}");
        assert!(args("pg-orders.internal:5433:127.0.0.1:1").refuse_unused(&targets).is_err());
        assert!(args("a:1:b:2").refuse_unused(&[ProbeTarget::new("_postgresql._tcp.example", 5432)]).is_ok());
    }
}
