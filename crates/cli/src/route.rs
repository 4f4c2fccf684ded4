//! How listeners are reached that are not reached directly: through a proxy, or by other addresses than their own.

use crate::error::CliError;
use clap::Args;
use hostssl_model::Hint;
use hostssl_probe::connect_to::{ConnectTo, Rule};
use hostssl_probe::dial::{Dial, Network};
use hostssl_probe::socks_proxy::Socks5;
use std::sync::Arc;

/// What gives the proxy where the option does not.
const PROXY_VARIABLE: &str = "HOSTSSL_PROXY";

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
        let rules: Result<Vec<Rule>, _> = self
            .connect_to
            .iter()
            .map(|text| {
                Rule::parse(text).map_err(|error| {
                    let hint = "such as db.example:5432:127.0.0.1:15432 for a tunnel to db.example";
                    CliError::usage(format!("--connect-to: {error}"), hint)
                })
            })
            .collect();
        let direct: Arc<dyn Dial> = match proxy {
            Some(proxy) => Arc::new(proxy),
            None => Arc::new(Network),
        };
        Ok(Some(match rules? {
            rules if rules.is_empty() => direct,
            rules => Arc::new(ConnectTo::new(rules, direct)),
        }))
    }
}
