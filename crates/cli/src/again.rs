//! Commands that are printed, so that they work as printed: with the options that lead to the same Azure and the same state.

use clap::parser::ValueSource;
use clap::{Arg, ArgMatches, Command};
use hostssl_model::{ControlId, Hint, Scope};
use hostssl_remediation::{FixableControl, Plan};
use std::ffi::OsString;
use std::sync::OnceLock;

/// The id of the option that names the configuration file.
pub(crate) const CONFIG: &str = "config";

/// Options that a next command needs as well, where it has them. What the environment says holds for it anyhow.
const CARRIED: [&str; 11] = [
    "tenant",
    "auth",
    "cloud",
    "arm_endpoint",
    "authority_host",
    "ca_file",
    "simulate",
    "zones_file",
    "state",
    "store",
    CONFIG,
];

/// Options that say which servers are meant: a plan after an audit is for the same ones.
const SCOPE: [&str; 6] = ["management_group", "subscription", "resource_group", "server", "tag", "except"];

/// Options that say by which rules they are judged, and how long their clients are observed.
const RULES: [&str; 4] = ["profile", "control", "waivers", "window"];

/// What a plan is made by without `--profile`.
const DEFAULT_PROFILE: &str = "baseline";

/// Servers that are named without an option, and the option that names them elsewhere.
const POSITIONAL: (&str, &str) = ("names", "server");

/// Options of a run that resuming or repeating it needs as well: without them the rest would be changed in another way.
const PACE: [&str; 5] = ["max_parallel", "max_failures", "soak", "probe", "connect_to"];

/// Options that say what of a scope is planned: without them another plan would be made.
const PLANNING: [&str; 9] = [
    "discovery",
    "enable_log_download",
    "include_waived",
    "canary_size",
    "canary",
    "wave_by",
    "wave_size",
    "max_servers",
    "accept_breakage",
];

/// Options without which the same command would do something else.
const SAME: [&str; 7] =
    ["probe", "connect_to", "max_age", "sessions", "terminate_plaintext_sessions", "user", "deadline"];

/// The options of this command that a command after it needs.
#[derive(Debug, Clone, Default)]
pub(crate) struct Again {
    /// The whole command line, to know which options another command has.
    root: Command,
    /// The command that was given, without its options.
    given: Vec<String>,
    options: Vec<(&'static str, Vec<String>)>,
}

/// What [`given`] answers.
static GIVEN: OnceLock<Again> = OnceLock::new();

/// The options of the command line of this process, for messages in the midst of its work: they have no command at hand to
/// ask. Nothing before [`Again::remember`], as in tests.
pub(crate) fn given() -> &'static Again {
    static NONE: OnceLock<Again> = OnceLock::new();
    GIVEN.get().unwrap_or_else(|| NONE.get_or_init(Again::default))
}

impl Again {
    /// Makes these the options of this process. There is one command line, so that only the first counts.
    pub(crate) fn remember(&self) {
        let _ = GIVEN.set(self.clone());
    }

    /// The options that were given on the command line.
    pub(crate) fn of(matches: &ArgMatches, root: Command) -> Self {
        let (mut leaf, mut path) = (matches, Vec::new());
        while let Some((name, inner)) = leaf.subcommand() {
            leaf = inner;
            path.push(name.to_owned());
        }
        let given = |id: &&str| {
            // Not every command has every option.
            leaf.try_contains_id(id).unwrap_or_default() && leaf.value_source(id) == Some(ValueSource::CommandLine)
        };
        let texts = |id: &str| -> Vec<String> {
            let raw = leaf.get_raw(id).into_iter().flatten();
            raw.map(|value| OsString::from(value).to_string_lossy().into_owned()).collect()
        };
        // `--simulate` without a name has no value of its own.
        let named = |id: &str| {
            if id == "simulate" { leaf.get_one::<String>(id).cloned().into_iter().collect() } else { texts(id) }
        };
        let (positional, option) = POSITIONAL;
        let servers = given(&positional).then(|| (option, texts(positional)));
        // What several lists have is printed once.
        let same = SAME.into_iter().filter(|id| !PACE.contains(id));
        let options =
            SCOPE.into_iter().chain(RULES).chain(PLANNING).chain(PACE).chain(same).chain(CARRIED).filter(given);
        Self { root, given: path, options: servers.into_iter().chain(options.map(|id| (id, named(id)))).collect() }
    }

    /// The same after something was done with a plan: the plan says which servers are meant, and by which rules.
    pub(crate) fn of_plan(self, plan: &Plan) -> Self {
        self.of_scope(plan.scope(), plan.profile())
    }

    fn of_scope(mut self, scope: &Scope, profile: &str) -> Self {
        self.options.retain(|(id, _)| !SCOPE.contains(id) && !RULES.contains(id));
        let Scope { tenants: _, management_groups, subscriptions, resource_groups, servers, tags, except } = scope;
        let lists = [management_groups, subscriptions, resource_groups, servers, tags, except];
        let scope = SCOPE.into_iter().zip(lists.map(Clone::clone)).filter(|(_, values)| !values.is_empty());
        let is_default = profile.split('@').next() == Some(DEFAULT_PROFILE);
        let profile = (!is_default).then(|| ("profile", vec![profile.to_owned()]));
        self.options.splice(0..0, scope.chain(profile));
        self
    }

    /// The same for what was kept of this simulated Azure: only its scenario leads there, whichever one was searched for.
    /// Others are found as they are.
    pub(crate) fn in_simulation(mut self, scenario: Option<&str>) -> Self {
        if let Some(scenario) = scenario {
            let named = ("simulate", vec![scenario.to_owned()]);
            match self.options.iter_mut().find(|(id, _)| *id == "simulate") {
                Some(given) => *given = named,
                None => self.options.push(named),
            }
        }
        self
    }

    /// A command of this program, such as `hostssl undo RUN`, with what it needs of these options.
    pub(crate) fn command(&self, command: &str) -> String {
        let mut whole = command.to_owned();
        if self.options.is_empty() || command.contains(" --help") {
            return whole;
        }
        let (mut leaf, mut path) = (&self.root, Vec::new());
        for word in command.split_whitespace().skip(1) {
            let Some(next) = leaf.find_subcommand(word) else { break };
            leaf = next;
            path.push(next.get_name());
        }
        let is_needed = self.needed_by(&path);
        for (id, values) in self.options.iter().filter(|(id, _)| is_needed(id)) {
            let Some(option) = option(&self.root, leaf, id) else { continue };
            let Some(long) = option.get_long().filter(|long| !command.contains(&format!("--{long}"))) else { continue };
            // Not every control is one that hostssl can fix.
            let is_known = |value: &&String| {
                *id != "control"
                    || leaf.get_name() != "plan"
                    || ControlId::from_code(value).and_then(FixableControl::of).is_some()
            };
            match option.get_action().takes_values() {
                true => {
                    values.iter().filter(is_known).for_each(|value| whole += &format!(" --{long} {}", quoted(value)))
                }
                false => whole += &format!(" --{long}"),
            }
        }
        whole
    }

    /// Which of the options a command needs.
    fn needed_by(&self, path: &[&str]) -> impl Fn(&str) -> bool {
        let is_same = path == self.given;
        // What follows an audit is about the same servers, and what is resumed goes on in the same way.
        // `hostssl role audit` is about a role.
        let is_of_scope = matches!(path, ["audit" | "plan" | "enforce" | "clients"]);
        let makes_plan = matches!(path, ["plan" | "enforce"]);
        let changes = matches!(path, ["resume" | "apply" | "enforce"]);
        move |id| {
            CARRIED.contains(&id)
                || is_of_scope && (SCOPE.contains(&id) || RULES.contains(&id))
                || makes_plan && PLANNING.contains(&id)
                || changes && PACE.contains(&id)
                || is_same && SAME.contains(&id)
        }
    }

    /// A hint in which every command has what it needs.
    pub(crate) fn hint(&self, hint: Hint) -> Hint {
        hint.with_commands(|command| self.command(command))
    }
}

/// The option of a command that takes the values of `id`, be it its own or one of all commands.
fn option<'a>(root: &'a Command, command: &'a Command, id: &str) -> Option<&'a Arg> {
    let of_all = root.get_arguments().filter(|argument| argument.is_global_set());
    command.get_arguments().chain(of_all).find(|argument| argument.get_id() == id)
}

/// A value as a POSIX shell takes it.
pub(crate) fn quoted(value: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_./:@%+=,".contains(c);
    if !value.is_empty() && value.chars().all(plain) {
        value.to_owned()
    } else {
        format!("'{}'", value.replace('\'', r"'\''"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::command_line::Cli;
    use clap::CommandFactory as _;

    fn after(arguments: &[&str]) -> Again {
        let all = std::iter::once("hostssl").chain(arguments.iter().copied());
        Again::of(&Cli::command().get_matches_from(all), Cli::command())
    }

    #[test]
    fn what_is_resumed_goes_on_in_the_same_way() {
        let again = after(&["apply", "p.json", "--soak", "10m", "--probe", "--max-failures", "3", "--simulate"]);
        assert_eq!(
            again.command("hostssl resume one"),
            "hostssl resume one --max-failures 3 --soak 10m --probe --simulate demo"
        );
        assert_eq!(again.command("hostssl undo one"), "hostssl undo one --simulate demo");
        let again = after(&["audit", "--probe", "--server", "a b"]);
        assert_eq!(again.command("hostssl plan"), "hostssl plan --server 'a b'");
        assert_eq!(again.command("hostssl audit -o json"), "hostssl audit -o json --server 'a b' --probe");
        let again = after(&["apply", "p.json", "--max-age", "2h", "--soak", "1m"]);
        assert_eq!(again.command("hostssl apply p.json"), "hostssl apply p.json --soak 1m --max-age 2h");
    }

    #[test]
    fn a_plan_that_is_made_again_is_the_same_plan() {
        let asked = "--subscription X --server Y --canary Y --accept-breakage Y=agreed --max-failures 2";
        let again = after(&[&["enforce", "--simulate"][..], &asked.split(' ').collect::<Vec<_>>()].concat());
        assert_eq!(
            again.command("hostssl enforce"),
            "hostssl enforce --subscription X --server Y --canary Y --accept-breakage Y=agreed --max-failures 2 --simulate demo"
        );
        assert_eq!(
            again.command("hostssl plan"),
            "hostssl plan --subscription X --server Y --canary Y --accept-breakage Y=agreed --simulate demo"
        );
        assert_eq!(again.command("hostssl undo one"), "hostssl undo one --simulate demo");
    }

    #[test]
    fn what_follows_is_about_the_same_servers_by_the_same_rules() {
        let rules = ["--profile", "strict", "--control", "minimum-tls-version", "--control", "replica-parity"];
        let again = after(&[&["audit", "--waivers", "w.toml"][..], &rules].concat());
        assert_eq!(
            again.command("hostssl plan"),
            "hostssl plan --profile strict --control minimum-tls-version --waivers w.toml"
        );
        let again = after(&["clients", "pg-a", "--window", "14d"]);
        assert_eq!(again.command("hostssl plan"), "hostssl plan --server pg-a");
        assert_eq!(
            again.command("hostssl clients -o markdown"),
            "hostssl clients -o markdown --server pg-a --window 14d"
        );
        let again = after(&["audit", "--subscription", "Contoso P*"]);
        assert_eq!(again.command("hostssl audit --probe"), "hostssl audit --probe --subscription 'Contoso P*'");
        assert_eq!(again.command("hostssl role audit"), "hostssl role audit");
        let again = after(&["zones", "check", "--zones", "z.toml"]);
        assert_eq!(again.command("hostssl zones add ZONE"), "hostssl zones add ZONE --zones z.toml");
    }

    #[test]
    fn after_a_plan_is_used_its_own_scope_counts() {
        let names = |name: &str| vec![name.to_owned()];
        let scope = Scope { subscriptions: names("Contoso P*"), except: names("pg-keycloak"), ..Scope::default() };
        let again = after(&["apply", "p.json", "--simulate"]);
        assert_eq!(
            again.clone().of_scope(&scope, "strict@1").command("hostssl plan"),
            "hostssl plan --subscription 'Contoso P*' --except pg-keycloak --profile strict@1 --simulate demo"
        );
        let whole = again.of_scope(&Scope::default(), "baseline@1");
        assert_eq!(whole.command("hostssl plan"), "hostssl plan --simulate demo");
    }
}
