//! Hints can be carried out as printed: every variant of every error that knows what to do is walked here, and every command
//! that any message, page or hint of the program names is given to the real parser of arguments.

mod walked;

use crate::command_line::Cli;
use clap::error::ErrorKind;
use clap::{Command, CommandFactory as _, Parser as _};
use hostssl_audit::InvalidWaivers;
use hostssl_azure::{InvalidCaFile, InvalidCloud, SignInError};
use hostssl_console::ServeError;
use hostssl_evidence::{AllowedSigners, InvalidKey, InvalidPack, TooLarge};
use hostssl_formats::audit_json::InvalidAuditJson;
use hostssl_formats::iac_baseline::InvalidIacJson;
use hostssl_iac::InvalidIac;
use hostssl_model::{Advice, FileMistake, Gap, Reason, ResourceId, Unchecked};
use hostssl_ops::{
    ClientsSeen, InvalidLooks, InvalidZones, NoMatch, NotPermitted, PlanError, RemediationError, ScopeError, Selector,
    ShowError,
};
use hostssl_prober::{ConsoleError, KeyError, KeyPin, MemoryError, ProberRunError};
use hostssl_remediation::{
    ContextMismatch, DamagedRun, ExecuteError, InvalidPlan, InvalidPlanHash, InvalidTransition, JournalError,
    LeftOutReason, NotApproved, PlanHash, RunId, SafeText,
};
use hostssl_store::StoreError;
use std::collections::BTreeSet;
use std::io;
use std::path::{Path, PathBuf};

/// What an error says and advises.
type Said = (String, String);

/// Samples of every variant of an error. It does not compile when a variant is missing.
macro_rules! every {
    ($($variant:pat => $sample:expr),+ $(,)?) => {{
        let samples = [$($sample),+];
        samples.iter().map(|error| {
            match error { $($variant => ()),+ }
            (error.to_string(), error.advice().to_string())
        }).collect::<Vec<Said>>()
    }};
}

mod store_errors;

fn denied() -> io::Error {
    io::Error::from(io::ErrorKind::PermissionDenied)
}

fn run() -> RunId {
    RunId::new("run-1").unwrap()
}

fn sign_in_errors() -> Vec<Said> {
    let mut said: Vec<Said> = Vec::new();
    for method in ["cli", "azd", "managed-identity", "workload-identity", "secret", "pipelines"] {
        let text = String::new;
        let samples = [
            SignInError::MissingVariables { method, variables: vec!["AZURE_CLIENT_ID", "AZURE_TENANT_ID"] },
            SignInError::MissingProgram { method, program: if method == "azd" { "azd" } else { "az" } },
            SignInError::Unreachable { method, address: text(), detail: text() },
            SignInError::Refused { method, detail: text() },
            SignInError::WrongTenant { actual: text(), wanted: text() },
            #[cfg(feature = "certificate")]
            SignInError::Certificate(text(), denied()),
        ];
        for error in &samples {
            match error {
                SignInError::MissingVariables { .. }
                | SignInError::MissingProgram { .. }
                | SignInError::Unreachable { .. }
                | SignInError::Refused { .. }
                | SignInError::WrongTenant { .. } => {}
                #[cfg(feature = "certificate")]
                SignInError::Certificate(..) => {}
            }
            said.push((error.to_string(), error.advice().to_string()));
        }
    }
    said
}

fn connection_errors() -> Vec<Said> {
    let text = || "x".to_owned();
    let clouds = every! {
        InvalidCloud::UnknownName(_) => InvalidCloud::UnknownName(text()),
        InvalidCloud::NotAUrl(_) => InvalidCloud::NotAUrl(text()),
        InvalidCloud::NotHttps(_) => InvalidCloud::NotHttps(text()),
    };
    let client = reqwest::Client::builder().user_agent("\n").build().unwrap_err();
    let files = every! {
        InvalidCaFile::Unreadable { .. } => InvalidCaFile::Unreadable { path: "ca.pem".into(), source: denied() },
        InvalidCaFile::NoCertificate(_) => InvalidCaFile::NoCertificate("ca.pem".into()),
        InvalidCaFile::Client(_) => InvalidCaFile::Client(client),
    };
    [clouds, files].concat()
}

fn no_match(selector: Selector) -> ScopeError {
    ScopeError::NoMatch(Box::new(NoMatch {
        selector,
        value: "x".into(),
        alone: false,
        nearest: None,
        known: vec!["mg-a".into()],
        unseen: 1,
    }))
}

fn reading_errors() -> Vec<Said> {
    let (name, group) = (|| "pg-a".to_owned(), || "rg-a".to_owned());
    let gap = Gap {
        scope: hostssl_model::GapScope::Name("x".into()),
        unchecked: Unchecked::new(Reason::Permission, "denied"),
    };
    let scopes = every! { ScopeError::NoMatch(_) => no_match(Selector::Server) };
    let shown = every! {
        ShowError::Scope(_) => ShowError::Scope(no_match(Selector::Subscription)),
        ShowError::NotFound { .. } => ShowError::NotFound { name: name(), group: group(), subscriptions: 2, nearest: None },
        ShowError::Ambiguous { .. } => ShowError::Ambiguous { name: name(), group: group(), ids: vec![name()] },
        ShowError::Unseen { .. } => ShowError::Unseen { name: name(), gap: Box::new(gap) },
    };
    [scopes, shown].concat()
}

fn plan_errors() -> Vec<Said> {
    let hash = |digit: &str| PlanHash::new(&digit.repeat(64)).unwrap();
    let json = serde_json::from_str::<u8>("x").unwrap_err();
    let plans = every! {
        InvalidPlan::TooLarge(_) => InvalidPlan::TooLarge(1),
        InvalidPlan::Malformed(_) => InvalidPlan::Malformed(json),
        InvalidPlan::OtherVersion(_) => InvalidPlan::OtherVersion(SafeText::new("v9")),
        InvalidPlan::BadText { .. } => InvalidPlan::BadText { place: "step", text: SafeText::new("x"), wanted: "an id" },
        InvalidPlan::NoHash(_) => InvalidPlan::NoHash(InvalidPlanHash),
        InvalidPlan::Edited { .. } => InvalidPlan::Edited { stated: hash("1"), computed: hash("2") },
        InvalidPlan::Inconsistent(_) => InvalidPlan::Inconsistent("x".into()),
        InvalidPlan::Canary(_) => InvalidPlan::Canary("x".into()),
    };
    let approvals = every! {
        NotApproved::NoHash(_) => NotApproved::NoHash(InvalidPlanHash),
        NotApproved::OtherPlan { .. } => NotApproved::OtherPlan { approved: hash("1"), plan: hash("2") },
        NotApproved::BreaksClients { .. } => NotApproved::BreaksClients { step: 1, server: SafeText::new("pg-orders") },
    };
    let made = every! {
        PlanError::Scope(_) => PlanError::Scope(no_match(Selector::ManagementGroup)),
        PlanError::Invalid(_) => PlanError::Invalid(InvalidPlan::Inconsistent("x".into())),
    };
    [plans, approvals, made].concat()
}

fn journal_errors() -> [JournalError; 10] {
    [
        JournalError::NoSuchRun(run()),
        JournalError::RunExists(run()),
        JournalError::Unfinished(run()),
        JournalError::Busy(denied().into()),
        JournalError::Full(denied().into()),
        JournalError::ReadOnly(denied().into()),
        JournalError::Corrupt(denied().into()),
        JournalError::RightLost(denied().into()),
        JournalError::NotApproved(denied().into()),
        JournalError::Other(denied().into()),
    ]
}

fn file_errors() -> Vec<Said> {
    let text = || "1".to_owned();
    let json = serde_json::from_str::<u8>("x").unwrap_err();
    let checks = every! {
        InvalidIacJson::Json(_) => InvalidIacJson::Json(json),
        InvalidIacJson::Schema(_) => InvalidIacJson::Schema(text()),
    };
    let files = every! {
        InvalidIac::Unreadable(_) => InvalidIac::Unreadable(denied()),
        InvalidIac::TooLarge => InvalidIac::TooLarge,
        InvalidIac::TooMany => InvalidIac::TooMany,
        InvalidIac::Empty => InvalidIac::Empty,
        InvalidIac::Utf16 => InvalidIac::Utf16,
        InvalidIac::SavedPlan => InvalidIac::SavedPlan,
        InvalidIac::NotJson(_) => InvalidIac::NotJson(text()),
        InvalidIac::Unexpected { .. } => InvalidIac::Unexpected { line: 1, column: 2, expected: "" },
        InvalidIac::Twice { .. } => InvalidIac::Twice { line: 1, column: 2, member: "name".into() },
        InvalidIac::Version(_) => InvalidIac::Version(text()),
        InvalidIac::StateFile => InvalidIac::StateFile,
        InvalidIac::Log => InvalidIac::Log,
        InvalidIac::ParameterFile => InvalidIac::ParameterFile,
        InvalidIac::Other => InvalidIac::Other,
    };
    [checks, files].concat()
}

fn run_errors() -> Vec<Said> {
    let id = "/subscriptions/20000000-0000-4000-8000-000000000001/resourceGroups/rg/providers/Microsoft.DBforPostgreSQL/flexibleServers/pg";
    let server = ResourceId::try_from(id).unwrap();
    let other = || vec![ContextMismatch::Cloud { plan: "A".into(), here: "B".into() }];
    let remediation = every! {
        RemediationError::Mismatch(_) => RemediationError::Mismatch(other()),
        RemediationError::OtherPlace(_) => RemediationError::OtherPlace(other()),
        RemediationError::ClientsSeen(_) =>
            RemediationError::ClientsSeen(vec![ClientsSeen { server: server.clone(), clients: 1 }]),
        RemediationError::Stopped(_) => RemediationError::Stopped(hostssl_model::Stop::Interrupted),
        RemediationError::NotPermitted(_) => {
            RemediationError::NotPermitted(vec![NotPermitted { server: server.clone(), action: "write" }])
        },
        RemediationError::Execute(_) => RemediationError::Execute(ExecuteError::NotEnded(run())),
    };
    let executed = every! {
        ExecuteError::Journal { .. } => ExecuteError::Journal { source: JournalError::Unfinished(run()), partial: None },
        ExecuteError::NoSuchRun(_) => ExecuteError::NoSuchRun(run()),
        ExecuteError::Damaged(_) => ExecuteError::Damaged(DamagedRun::Empty),
        ExecuteError::NothingToResume(_) => ExecuteError::NothingToResume(run()),
        ExecuteError::NotEnded(_) => ExecuteError::NotEnded(run()),
        ExecuteError::Unfinished(_) => ExecuteError::Unfinished(run()),
        ExecuteError::NotApproved(_) => ExecuteError::NotApproved(denied().into()),
        ExecuteError::Defect(_) => ExecuteError::Defect(InvalidTransition::NoSuchStep(1)),
    };
    let [a, b, c, d, e, f, g, h, i, j] = journal_errors();
    let journals = every! {
        JournalError::NoSuchRun(_) => a,
        JournalError::RunExists(_) => b,
        JournalError::Unfinished(_) => c,
        JournalError::Busy(_) => d,
        JournalError::Full(_) => e,
        JournalError::ReadOnly(_) => f,
        JournalError::Corrupt(_) => g,
        JournalError::RightLost(_) => h,
        JournalError::NotApproved(_) => i,
        JournalError::Other(_) => j,
    };
    let left_out = LeftOutReason::ALL.map(|reason| (reason.as_str().to_owned(), reason.advice("pg-a").to_string()));
    [remediation, executed, journals, left_out.to_vec()].concat()
}

fn evidence_errors() -> Vec<Said> {
    let packs = every! {
        InvalidPack::NotAnArchive => InvalidPack::NotAnArchive,
        InvalidPack::Damaged(_) => InvalidPack::Damaged("x"),
        InvalidPack::Unreadable(_) => InvalidPack::Unreadable(denied()),
    };
    let keys = every! {
        InvalidKey::NotAKey => InvalidKey::NotAKey,
        InvalidKey::Encrypted => InvalidKey::Encrypted,
        InvalidKey::OtherKind(_) => InvalidKey::OtherKind("ssh-rsa".into()),
        InvalidKey::Damaged => InvalidKey::Damaged,
    };
    let signers = said(&AllowedSigners::read("nobody").unwrap_err());
    let large = every! {
        TooLarge::Files(_) => TooLarge::Files(1),
        TooLarge::Bytes(_) => TooLarge::Bytes(1),
    };
    [packs, keys, large, vec![signers]].concat()
}

/// What an error of one variant says and advises.
fn said(error: &(impl Advice + std::fmt::Display)) -> Said {
    (error.to_string(), error.advice().to_string())
}

/// Errors of files that people write, or carry from one machine to another.
fn carried_file_errors() -> Vec<Said> {
    let looks = every! {
        InvalidLooks::NoZone => InvalidLooks::NoZone,
        InvalidLooks::ZoneName => InvalidLooks::ZoneName,
        InvalidLooks::NoTime => InvalidLooks::NoTime,
        InvalidLooks::Future(_) => InvalidLooks::Future(jiff::Timestamp::UNIX_EPOCH),
        InvalidLooks::Contradiction => InvalidLooks::Contradiction,
    };
    let audits = every! {
        InvalidAuditJson::Json(_) => InvalidAuditJson::Json(serde_json::from_str::<u8>("x").unwrap_err()),
        InvalidAuditJson::Schema(_) => InvalidAuditJson::Schema("x".into()),
        InvalidAuditJson::Id(_) => InvalidAuditJson::Id(ResourceId::try_from("x").unwrap_err()),
    };
    let mistake = |what: &str| FileMistake { line: 1, column: 1, what: what.to_owned() };
    let (waivers, zones) = (said(&InvalidWaivers(mistake("x"))), said(&InvalidZones(mistake("x"))));
    [looks, audits, vec![waivers, zones]].concat()
}

fn serve_errors() -> Vec<Said> {
    every! {
        ServeError::Store(_) => ServeError::Store(StoreError::Closed),
        ServeError::Bind { .. } => ServeError::Bind { address: ([127, 0, 0, 1], 1).into(), source: denied() },
        ServeError::Pem { .. } => ServeError::Pem { path: "x".into(), source: rustls_pki_types::pem::Error::NoItemsFound },
        ServeError::Tls(_) => ServeError::Tls(rustls::Error::DecryptError),
        ServeError::ProberKey(_) => ServeError::ProberKey(KeyError::Exposed("key.pem".into())),
        ServeError::Random(_) => ServeError::Random(getrandom::Error::UNSUPPORTED),
    }
}

fn prober_errors() -> Vec<Said> {
    let (path, text) = (|| PathBuf::from("state"), || "x".to_owned());
    let keys = every! {
        KeyError::File { .. } => KeyError::File { path: path(), source: denied() },
        KeyError::Missing(_) => KeyError::Missing(path()),
        KeyError::Exposed(_) => KeyError::Exposed(path()),
        KeyError::Content { .. } => KeyError::Content { path: path(), source: rcgen::Error::CouldNotParseKeyPair },
    };
    let memories = every! {
        MemoryError::Io { .. } => MemoryError::Io { path: path(), source: denied() },
        MemoryError::Exposed(_) => MemoryError::Exposed(path()),
        MemoryError::Taken(_) => MemoryError::Taken(path()),
        MemoryError::Damaged(..) => MemoryError::Damaged(path(), text()),
        MemoryError::Key(_) => MemoryError::Key(KeyError::Exposed(path())),
    };
    let url = || "https://console.example:8444/".into();
    let (pin, hint) = (KeyPin::of(b"key"), text);
    let consoles = every! {
        ConsoleError::Stranger { .. } => ConsoleError::Stranger { url: url(), found: pin, pin },
        ConsoleError::OtherTls(..) => ConsoleError::OtherTls(url(), text()),
        ConsoleError::Unreachable(..) => ConsoleError::Unreachable(url(), text()),
        ConsoleError::UnreachableByProxy(..) => ConsoleError::UnreachableByProxy(url(), text()),
        ConsoleError::Refused { .. } => ConsoleError::Refused { status: 403, what: text(), hint: hint() },
        ConsoleError::Odd(_) => ConsoleError::Odd(text()),
    };
    let runs = every! {
        ProberRunError::Memory(_) => ProberRunError::Memory(MemoryError::Taken(path())),
        ProberRunError::Console(_) => ProberRunError::Console(ConsoleError::Odd(text())),
        ProberRunError::NotEnrolled => ProberRunError::NotEnrolled,
        ProberRunError::OtherConsole(_) => ProberRunError::OtherConsole(text()),
        ProberRunError::Message(_) => ProberRunError::Message(serde_json::from_str::<u8>("x").unwrap_err()),
    };
    [keys, memories, consoles, runs].concat()
}

fn all_errors() -> Vec<Said> {
    [
        store_errors::of_a_directory(),
        store_errors::of_a_shared_store(),
        sign_in_errors(),
        connection_errors(),
        reading_errors(),
        plan_errors(),
        run_errors(),
        evidence_errors(),
        file_errors(),
        carried_file_errors(),
        serve_errors(),
        prober_errors(),
    ]
    .concat()
}

/// The commands of this program in a text: between backquotes, or as code on a page.
fn commands(text: &str) -> Vec<String> {
    let between = |open: &'static str, close: &'static str| {
        let parts = text.split(open).skip(1).map(move |rest| rest.split(close).next().unwrap_or_default());
        parts.filter(|part| part.starts_with("hostssl ")).map(str::to_owned).collect::<Vec<_>>()
    };
    let mut found = between("`", "`");
    found.extend(between("<code>", "</code>"));
    found.extend(between("<code data-origin>", "</code>"));
    found
}

/// Why a command that is printed cannot be carried out; names in capitals and placeholders stand for something that can be.
fn objection(command: &str) -> Option<String> {
    let mut words: Vec<String> = Vec::new();
    let mut depth = 0_u32;
    let mut plain = String::new();
    for c in command.chars() {
        match c {
            '{' => {
                if depth == 0 {
                    plain.push_str("00000000-0000-4000-8000-000000000000");
                }
                depth += 1;
            }
            '}' => depth = depth.saturating_sub(1),
            c if depth == 0 => plain.push(c),
            _ => {}
        }
    }
    // What stands behind is for the shell.
    words.extend(plain.split_whitespace().take_while(|word| !word.starts_with('>')).map(str::to_owned));
    match Cli::try_parse_from(&words) {
        Ok(_) => None,
        Err(error) if matches!(error.kind(), ErrorKind::DisplayHelp | ErrorKind::DisplayVersion) => None,
        Err(error) => Some(format!("`{command}`: {}", error.render().to_string().lines().next().unwrap_or_default())),
    }
}

/// Every long option of every command.
fn options() -> BTreeSet<String> {
    fn add(command: &Command, options: &mut BTreeSet<String>) {
        options.extend(command.get_arguments().filter_map(|one| one.get_long()).map(|long| format!("--{long}")));
        command.get_subcommands().for_each(|one| add(one, options));
    }
    let mut command = Cli::command();
    command.build();
    let mut options = BTreeSet::from(["--help".to_owned(), "--version".to_owned()]);
    add(&command, &mut options);
    options
}

fn named_options(text: &str) -> Vec<String> {
    let end = |c: char| !(c.is_ascii_lowercase() || c == '-');
    let words = text.split_whitespace().map(|word| word.trim_start_matches(['(', '`', '"']));
    let options = words.filter(|word| word.starts_with("--") && word.len() > 2);
    options.map(|word| word.split(end).next().unwrap_or_default().to_owned()).collect()
}

#[test]
fn every_error_has_advice_that_can_be_followed() {
    let options = options();
    for (message, advice) in all_errors() {
        assert!(!advice.is_empty() && !advice.ends_with('.'), "{message}: {advice}");
        assert!(advice.chars().next().is_some_and(|c| !c.is_uppercase()), "{message}: {advice}");
        for word in ["look at", "nobody", "somebody"] {
            assert!(!advice.contains(word), "{message}: {advice}");
        }
        let wrong: Vec<String> = commands(&advice).iter().filter_map(|command| objection(command)).collect();
        assert!(wrong.is_empty(), "{message}: {wrong:?}");
        // An option of another program stands behind that program's name.
        let ours = advice.replace("`az account list -o table`", "").replace("`azd auth login`", "");
        for option in named_options(&ours) {
            assert!(options.contains(&option), "{message}: {advice}: there is no {option}");
        }
    }
}

#[test]
fn every_command_that_the_program_names_exists() {
    let crates = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
    let mut files = Vec::new();
    for folder in std::fs::read_dir(crates).unwrap() {
        for inside in ["src", "templates"] {
            collect(&folder.as_ref().unwrap().path().join(inside), &mut files);
        }
    }
    let (mut seen, mut wrong) = (0, Vec::new());
    for file in files {
        let text = std::fs::read_to_string(&file).unwrap();
        let code: String =
            text.lines().filter(|line| !line.trim_start().starts_with("//")).collect::<Vec<_>>().join("\n");
        for command in commands(&code) {
            seen += 1;
            // Prose may mention a command without what it needs.
            let is_mentioned =
                command.split(' ').count() == 2 && command.chars().all(|c| c.is_ascii_lowercase() || c == ' ');
            let command = if is_mentioned { format!("{command} --help") } else { command };
            wrong.extend(objection(&command).map(|why| format!("{}: {why}", file.display())));
        }
    }
    assert!(seen > 20, "only {seen} commands were found: the search is broken");
    assert!(wrong.is_empty(), "{wrong:#?}");
}

fn collect(folder: &Path, files: &mut Vec<PathBuf>) {
    let Ok(entries) = std::fs::read_dir(folder) else { return };
    for entry in entries.map(|entry| entry.unwrap().path()) {
        if entry.is_dir() {
            collect(&entry, files);
        } else if entry.extension().is_some_and(|end| end == "rs" || end == "html") {
            files.push(entry);
        }
    }
}
