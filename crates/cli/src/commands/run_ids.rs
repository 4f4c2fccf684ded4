//! Ids of runs in completion scripts. clap's scripts complete closed lists. Only the state directory knows which runs
//! exist, so the scripts ask `hostssl runs`.

use clap_complete::Shell;

/// The script with the ids of the runs that a command takes: those that changed servers for `resume` and `undo`, audits
/// for `diff`, `evidence` and `runs judge`, all of them for `runs show`. Shells other than bash, fish and zsh complete only
/// fixed words.
pub(super) fn with_runs(shell: Shell, script: &str) -> String {
    match shell {
        Shell::Bash => format!("{script}{BASH}"),
        Shell::Fish => format!("{script}{FISH}"),
        // clap's function gets another name, and is called by one that adds the runs.
        Shell::Zsh => script.replacen("\n_hostssl() {", &format!("{ZSH}\n_hostssl_words() {{"), 1),
        _ => script.to_owned(),
    }
}

/// Bash passes the command as it was typed. A word behind an option with a value is that value.
const BASH: &str = r#"
_hostssl_runs() {
    _hostssl "$@"
    local cur="${COMP_WORDS[COMP_CWORD]}" prev="${COMP_WORDS[COMP_CWORD-1]}" query where=() index
    case "${COMP_WORDS[1]} ${COMP_WORDS[2]}" in
        "evidence verify") return 0 ;;
        "resume "*|"undo "*) query="[?kind=='apply'].run" ;;
        "diff "*|"evidence "*|"runs judge") query="[?kind=='audit'].run" ;;
        "runs show") query="[].run" ;;
        *) return 0 ;;
    esac
    [[ ${cur} == -* ]] && return 0
    case "${prev}" in
        -y|--yes|-q|--quiet|-v|-vv|--verbose|--simulate|--simulate=*|--settle-only|--no-color) ;;
        -*) return 0 ;;
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
    case "${typed[2]} ${typed[3]}" in
        "evidence verify") return found ;;
        "resume "*|"undo "*) query="[?kind=='apply'].run" ;;
        "diff "*|"evidence "*|"runs judge") query="[?kind=='audit'].run" ;;
        "runs show") query="[].run" ;;
        *) return found ;;
    esac
    [[ ${typed[at]} == -* ]] && return found
    case "${typed[at-1]}" in
        -y|--yes|-q|--quiet|-v|-vv|--verbose|--simulate|--simulate=*|--settle-only|--no-color) ;;
        -*) return found ;;
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
    string match --quiet -- '--simulate*' (commandline -opc); and set where --simulate
    hostssl runs --all --quiet -o tsv --query $argv[1] $where 2>/dev/null
end

complete -c hostssl -n "__fish_hostssl_using_subcommand resume" -f -a "(__fish_hostssl_runs \"[?kind=='apply'].run\")"
complete -c hostssl -n "__fish_hostssl_using_subcommand undo" -f -a "(__fish_hostssl_runs \"[?kind=='apply'].run\")"
complete -c hostssl -n "__fish_hostssl_using_subcommand diff" -f -a "(__fish_hostssl_runs \"[?kind=='audit'].run\")"
complete -c hostssl -n "__fish_hostssl_using_subcommand evidence; and not __fish_seen_subcommand_from verify" -f -a "(__fish_hostssl_runs \"[?kind=='audit'].run\")"
complete -c hostssl -n "__fish_hostssl_using_subcommand runs; and __fish_seen_subcommand_from judge" -f -a "(__fish_hostssl_runs \"[?kind=='audit'].run\")"
complete -c hostssl -n "__fish_hostssl_using_subcommand runs; and __fish_seen_subcommand_from show" -f -a "(__fish_hostssl_runs \"[].run\")"
"#;
