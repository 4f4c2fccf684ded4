//! `hostssl clients forget`: removes what is kept of the clients of a server.

use crate::args::{SimulatedArgs, StateArgs, TerminalArgs, name};
use crate::error::CliError;
use crate::exit::Exit;
use crate::questions::ask;
use crate::state::instant;
use crate::state_patience::StatePatience;
use clap::Args;
use hostssl_formats::safe;
use hostssl_model::{ResourceId, nearest};
use hostssl_store::{AuditStore, KeptCensusOf};

#[derive(Debug, Args)]
pub(crate) struct ForgetArgs {
    /// The server, by name or resource id; or, for clients that were kept under a name of your own, that name, or named:NAME where a
    /// server has it too.
    #[arg(value_name = "SERVER", value_parser = name)]
    pub(crate) server: String,
    /// Do not ask.
    #[arg(long)]
    pub(crate) yes: bool,
    #[command(flatten)]
    pub(crate) state: StateArgs,
    #[command(flatten)]
    pub(crate) of: SimulatedArgs,
}

pub(super) fn run(args: &ForgetArgs, terminal: &TerminalArgs) -> Result<Exit, CliError> {
    let directory = args.state.directory(args.of.simulated())?;
    // A state that is not there is not made for this.
    if args.state.read_before_keeping(args.of.simulated(), StatePatience::without_end())?.is_none() {
        let message = "nothing is kept of the clients of any server";
        return Err(CliError::usage(message, "`hostssl clients` observes and keeps them"));
    }
    let store = AuditStore::open(&directory)?;
    let kept = store.kept_censuses()?;
    let found = find(&kept, &args.server)?;
    let what = words(found);
    let instead = "without a terminal: add --yes";
    if !args.yes && !ask(&format!("This removes {what}. Until they are observed again, no plan knows them."), instead)?
    {
        if !terminal.quiet {
            stderr!("nothing was removed");
        }
        return Ok(Exit::AllPass);
    }
    if !store.forget_census(&found.key)? {
        return Err(CliError::usage(
            format!("what was kept of {} is gone already", safe(&found.server)),
            "`hostssl clients` observes it again",
        ));
    }
    if !terminal.quiet {
        stderr!("removed {what}");
    }
    Ok(Exit::AllPass)
}

/// What is removed, for the one who is asked.
fn words(found: &KeptCensusOf) -> String {
    let clients = if found.clients == 1 { "1 client".to_owned() } else { format!("{} clients", found.clients) };
    let of = if found.is_named { "kept under the name" } else { "of the server" };
    format!("{clients} {of} {}, last observed {}", safe(&found.server), instant(found.looked_ms))
}

/// The one census that is meant.
fn find<'a>(kept: &'a [KeptCensusOf], wanted: &str) -> Result<&'a KeptCensusOf, CliError> {
    let names = |one: &KeptCensusOf| -> Vec<String> {
        let own = ResourceId::try_from(one.server.as_str()).ok().filter(|_| !one.is_named);
        let short = own.map(|id| id.name().to_owned());
        let named = one.is_named.then(|| format!("named:{}", one.server));
        short.into_iter().chain(named).chain([one.server.clone()]).collect()
    };
    let is_meant = |one: &&KeptCensusOf| names(one).iter().any(|name| name.eq_ignore_ascii_case(wanted));
    let meant: Vec<&KeptCensusOf> = kept.iter().filter(is_meant).collect();
    match meant.as_slice() {
        [one] => Ok(one),
        [] => {
            let all: Vec<String> = kept.iter().flat_map(names).collect();
            let near = nearest(wanted, all.iter().map(String::as_str));
            let near = near.map(|name| format!("; did you mean {}?", safe(name))).unwrap_or_default();
            let message = format!("nothing is kept of the clients of {}{near}", safe(wanted));
            Err(CliError::usage(
                message,
                "name a server whose clients were observed, or the name that they were kept under",
            ))
        }
        several => {
            let all: Vec<String> = several.iter().map(|one| safe(&one.server).into_owned()).collect();
            let message = format!("{} means several: {}", safe(wanted), all.join(", "));
            Err(CliError::usage(
                message,
                "give the resource id of the server, or named:NAME for what was kept under a name",
            ))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kept(server: &str, is_named: bool) -> KeptCensusOf {
        KeptCensusOf { key: server.to_owned(), server: server.to_owned(), is_named, looked_ms: 0, clients: 2 }
    }

    #[test]
    fn one_census_is_meant_or_none_is_removed() {
        let id = |group: &str| {
            format!(
                "/subscriptions/6c5b1d2e-0000-4000-8000-000000000001/resourceGroups/{group}/providers/\
                 Microsoft.DBforPostgreSQL/flexibleServers/orders"
            )
        };
        let all = [kept(&id("a"), false), kept(&id("b"), false), kept("shop-db", true)];
        assert_eq!(find(&all, "SHOP-DB").unwrap().key, "shop-db");
        assert_eq!(find(&all, &id("b").to_uppercase()).unwrap().key, id("b"));
        assert_eq!(find(&all[1..], "orders").unwrap().key, id("b"));
        assert!(find(&all, "orders").unwrap_err().on_one_line().contains("means several"));
        let both = [kept(&id("a"), false), kept("Orders", true)];
        assert!(find(&both, "orders").is_err());
        assert_eq!(find(&both, "named:orders").unwrap().key, "Orders");
        assert!(find(&all, "shop-bd").unwrap_err().on_one_line().contains("did you mean shop-db?"));
    }
}
