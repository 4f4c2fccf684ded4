//! Ids of runs in completion scripts. clap's scripts complete closed lists. Only the state directory knows which runs
//! exist, so the scripts ask `hostssl runs`.

use crate::command_line::Cli;
use clap::{Arg, Command, CommandFactory as _};
use clap_complete::Shell;
use std::collections::BTreeSet;

/// The script with the ids of the runs that a command or an option takes: those that changed servers for `resume` and
/// `undo`, audits for `diff`, `evidence`, `trend`, `runs judge`, `audit --baseline` and `plan check --audit`, all of them
/// for `runs show`. Shells other than bash, fish and zsh complete only fixed words.
pub(super) fn with_runs(shell: Shell, script: &str) -> String {
    let complete = |part: &str| part.replace("FLAGS", &flags());
    match shell {
        Shell::Bash => format!("{script}{}", complete(BASH)),
        Shell::Fish => format!("{script}{FISH}"),
        // clap's function gets another name, and is called by one that adds the runs.
        Shell::Zsh => script.replacen("\n_hostssl() {", &format!("{}\n_hostssl_words() {{", complete(ZSH)), 1),
        _ => script.to_owned(),
    }
}

/// The options behind which no value need stand, as a pattern of a shell.
fn flags() -> String {
    fn look(command: &Command, found: &mut BTreeSet<String>) {
        let needs_value =
            |one: &Arg| one.get_num_args().map_or(one.get_action().takes_values(), |count| count.min_values() > 0);
        for one in command.get_arguments().filter(|one| !one.is_positional() && !needs_value(one)) {
            found.extend(one.get_long().map(|long| format!("--{long}")));
            found.extend(one.get_short().map(|short| format!("-{short}")));
        }
        command.get_subcommands().for_each(|one| look(one, found));
    }
    let mut all = Cli::command();
    all.build();
    let mut found = BTreeSet::new();
    look(&all, &mut found);
    found.into_iter().collect::<Vec<_>>().join("|")
}

/// Bash passes the command as it was typed. A word behind an option with a value is that value.
const BASH: &str = r#"
_hostssl_runs() {
    _hostssl "$@"
    local cur="${COMP_WORDS[COMP_CWORD]}" prev="${COMP_WORDS[COMP_CWORD-1]}" query where=() index
    [[ ${cur} == -* ]] && return 0
    case "${COMP_WORDS[1]} ${prev}" in
        "audit --baseline"|"plan --audit") query="[?kind=='audit'].run" ;;
        *) case "${prev}" in
            FLAGS|-vv|--simulate=*) ;;
            -*) return 0 ;;
        esac ;;
    esac
    [[ -n ${query} ]] || case "${COMP_WORDS[1]} ${COMP_WORDS[2]}" in
        "evidence verify") return 0 ;;
        "resume "*|"undo "*) query="[?kind=='apply'].run" ;;
        "diff "*|"evidence "*|"trend "*|"runs judge") query="[?kind=='audit'].run" ;;
        "runs show") query="[].run" ;;
        *) return 0 ;;
    esac
    for (( index = 2; index < COMP_CWORD; index++ )); do
        case "${COMP_WORDS[index]}" in
            --simulate*) where+=(--simulate) ;;
            --state) where+=(--state "${COMP_WORDS[index+1]}") ;;
        esac
    done
    COMPREPLY+=( $(compgen -W "$("$1" runs --all --quiet -o tsv --query "${query}" "${where[@]}" 2>/dev/null)" -- "${cur}") )
}

complete -F _hostssl_runs -o bashdefault -o default hostssl
"#;

/// Before clap's function, which it calls first.
const ZSH: &str = r#"
_hostssl() {
    local -a typed=("${words[@]}")
    local at=$CURRENT query index
    local -a where
    _hostssl_words "$@"
    local found=$?
    [[ ${typed[at]} == -* ]] && return found
    case "${typed[2]} ${typed[at-1]}" in
        "audit --baseline"|"plan --audit") query="[?kind=='audit'].run" ;;
        *) case "${typed[at-1]}" in
            FLAGS|-vv|--simulate=*) ;;
            -*) return found ;;
        esac ;;
    esac
    [[ -n $query ]] || case "${typed[2]} ${typed[3]}" in
        "evidence verify") return found ;;
        "resume "*|"undo "*) query="[?kind=='apply'].run" ;;
        "diff "*|"evidence "*|"trend "*|"runs judge") query="[?kind=='audit'].run" ;;
        "runs show") query="[].run" ;;
        *) return found ;;
    esac
    for (( index = 3; index < at; index++ )); do
        case "${typed[index]}" in
            --simulate*) where+=(--simulate) ;;
            --state) where+=(--state "${typed[index+1]}") ;;
        esac
    done
    compadd -- ${(f)"$("${typed[1]}" runs --all --quiet -o tsv --query "${query}" "${where[@]}" 2>/dev/null)"} && found=0
    return found
}
"#;

const FISH: &str = r#"
function __fish_hostssl_runs
    set -l where
    set -l typed (commandline -opc)
    string match --quiet -- '--simulate*' $typed; and set where --simulate
    if set -l at (contains --index -- --state $typed)
        set where $where --state $typed[(math $at + 1)]
    end
    hostssl runs --all --quiet -o tsv --query $argv[1] $where 2>/dev/null
end

complete -c hostssl -n "__fish_hostssl_using_subcommand resume" -f -a "(__fish_hostssl_runs \"[?kind=='apply'].run\")"
complete -c hostssl -n "__fish_hostssl_using_subcommand undo" -f -a "(__fish_hostssl_runs \"[?kind=='apply'].run\")"
complete -c hostssl -n "__fish_hostssl_using_subcommand diff" -f -a "(__fish_hostssl_runs \"[?kind=='audit'].run\")"
complete -c hostssl -n "__fish_hostssl_using_subcommand trend" -f -a "(__fish_hostssl_runs \"[?kind=='audit'].run\")"
complete -c hostssl -n "__fish_hostssl_using_subcommand audit" -l baseline -r -a "(__fish_hostssl_runs \"[?kind=='audit'].run\")"
complete -c hostssl -n "__fish_hostssl_using_subcommand plan; and __fish_seen_subcommand_from check" -l audit -r -f -a "(__fish_hostssl_runs \"[?kind=='audit'].run\")"
complete -c hostssl -n "__fish_hostssl_using_subcommand evidence; and not __fish_seen_subcommand_from verify" -f -a "(__fish_hostssl_runs \"[?kind=='audit'].run\")"
complete -c hostssl -n "__fish_hostssl_using_subcommand runs; and __fish_seen_subcommand_from judge" -f -a "(__fish_hostssl_runs \"[?kind=='audit'].run\")"
complete -c hostssl -n "__fish_hostssl_using_subcommand runs; and __fish_seen_subcommand_from show" -f -a "(__fish_hostssl_runs \"[].run\")"
"#;
