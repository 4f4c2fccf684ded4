//! A plan as it is reviewed: a summary, a diff by waves, what is left out, and what an independent check says.

use super::PlanQuery;
use super::affected::Affected;
use crate::jobs::plan_order::PlanToReview;
use crate::view::{Badge, brief, count, effect, plural};
use hostssl_census::CensusVerdict;
use hostssl_model::ResourceId;
use hostssl_remediation::{
    Clock as _, Disposition, FixableControl, Goal, LeftOutReason, Lint, LintContext, Plan, Step, SystemClock, lint,
};
use hostssl_store::{CensusEntry, server_key};
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

/// Steps that are shown at once; the file has all of them.
const SHOWN: usize = 100;
/// Steps of a plan that is shown whole.
const SMALL: usize = 40;
/// Servers that are named for each reason why they are left out.
const NAMED: usize = 20;

/// What the page shows of a plan.
pub(super) struct Review {
    pub(super) title: String,
    /// The words on the button: the effect.
    pub(super) effect: String,
    /// What is written where, in one line.
    pub(super) summary: String,
    /// What the reader searched for.
    pub(super) q: String,
    pub(super) waves: Vec<Wave>,
    pub(super) manual: Vec<Row>,
    pub(super) left_out: Vec<StepReason>,
    pub(super) complaints: Vec<(Badge, &'static str, String)>,
    /// What could break, in words.
    pub(super) risk: String,
    /// The clients that are refused by what is written, by server.
    pub(super) clients: Affected,
    /// Servers that are left out because what that means to their clients has not been accepted.
    pub(super) gated: usize,
    /// What the change exposes, when it loosens a server.
    pub(super) exposes: Option<&'static str>,
    /// Whether it may be applied: the independent check found nothing wrong.
    pub(super) sound: bool,
    pub(super) bulk: bool,
    pub(super) minimum: bool,
    pub(super) canary: u32,
    pub(super) wave: u32,
}

/// A wave. Without rows, it is one line that leads to them.
pub(super) struct Wave {
    pub(super) number: u32,
    pub(super) title: String,
    pub(super) rows: Vec<Row>,
    /// Steps that are not shown.
    pub(super) more: usize,
    pub(super) open: bool,
}

pub(super) struct Row {
    pub(super) key: String,
    pub(super) server: String,
    pub(super) group: String,
    pub(super) parameter: &'static str,
    pub(super) before: String,
    pub(super) after: String,
    pub(super) badge: Badge,
    pub(super) why: String,
}

pub(super) struct StepReason {
    pub(super) words: &'static str,
    pub(super) servers: String,
    /// Whether it is a reason why a server that is not as it should be is not in the plan.
    pub(super) explains: bool,
    pub(super) named: Vec<(String, String)>,
    pub(super) more: usize,
    /// The clients of servers that are left out because of them.
    pub(super) clients: Affected,
}

impl Review {
    pub(super) fn of(ready: &PlanToReview, max_age: Duration, query: &PlanQuery, censuses: &Censuses) -> Self {
        let plan = &ready.plan;
        let complaints = check(ready, max_age);
        let executable = plan.steps().iter().filter(|step| step.is_executable());
        let breaks = executable.clone().any(may_refuse);
        let clients = ClientCounts::of(plan, censuses);
        let restarts = executable.clone().any(|step| step.disposition == Disposition::NeedsRestart);
        let loosens = executable.clone().any(Step::loosens);
        let stops = executable.clone().any(|step| step.turns_off());
        let (bulk, minimum) = match plan.goal() {
            Goal::Fix { controls, .. } => (true, controls.contains(&FixableControl::MinimumTlsVersion)),
            Goal::Set { .. } => (false, false),
        };
        Self {
            title: effect(plan),
            effect: effect(plan),
            summary: summary(plan, &clients),
            q: query.q.clone(),
            waves: waves(plan, query, censuses),
            manual: plan
                .steps()
                .iter()
                .filter(|step| !step.is_executable())
                .take(SHOWN)
                .map(|step| row(step, censuses))
                .collect(),
            left_out: left_out(plan),
            sound: complaints.iter().all(|one| one.code.is_warning()),
            complaints: complaints.iter().take(SHOWN).map(|one| complaint(plan, one)).collect(),
            clients: Affected::of(executable.map(|step| (step.server.name(), step.clients.as_ref()))),
            gated: gated(plan),
            risk: match (breaks, restarts) {
                (true, _) => format!(
                    "Clients that connect without TLS, or with a version that is too old, will be refused from their next connection on. {}",
                    clients.sentence()
                ),
                (false, true) => {
                    "A value may not take effect before a restart. hostssl never restarts a server.".to_owned()
                }
                (false, false) => {
                    "Clients that connect today will still be able to connect, and nothing restarts.".to_owned()
                }
            },
            exposes: match (loosens, stops) {
                (true, true) => {
                    Some("Passwords and data of clients that do not use TLS can cross the network unencrypted.")
                }
                (true, false) => Some("Clients can use an older TLS version than today."),
                (false, _) => None,
            },
            bulk,
            minimum,
            canary: plan.options().canary_size,
            wave: plan.options().wave_size,
        }
    }
}

/// What the kept censuses say of each server, by key.
pub(super) type Censuses = BTreeMap<String, CensusEntry>;

/// What the census says of a step that requires TLS.
fn verdict_of(step: &Step, censuses: &Censuses) -> Option<CensusVerdict> {
    let entry = censuses.get(&server_key(&step.server));
    entry.filter(|_| step.control == FixableControl::RequireSecureTransport).map(|entry| entry.verdict)
}

/// Servers whose clients a plan may break, by what is known of the clients.
#[derive(Default)]
struct ClientCounts {
    breaks: u64,
    safe: u64,
    unknown: u64,
}

impl ClientCounts {
    fn of(plan: &Plan, censuses: &Censuses) -> Self {
        let mut servers: BTreeMap<&ResourceId, Option<CensusVerdict>> = BTreeMap::new();
        for step in plan.steps().iter().filter(|step| may_refuse(step)) {
            let verdict = verdict_of(step, censuses);
            // The worst of a server's steps: clients that break, then what is not known.
            let rank = |verdict: &Option<CensusVerdict>| match verdict {
                Some(CensusVerdict::Breaks) => 0,
                Some(CensusVerdict::NeedsObservation) | None => 1,
                Some(CensusVerdict::Safe) => 2,
            };
            let worst = servers.entry(&step.server).or_insert(verdict);
            if rank(&verdict) < rank(worst) {
                *worst = verdict;
            }
        }
        let mut counts = Self::default();
        for verdict in servers.into_values() {
            match verdict {
                Some(CensusVerdict::Breaks) => counts.breaks += 1,
                Some(CensusVerdict::Safe) => counts.safe += 1,
                Some(CensusVerdict::NeedsObservation) | None => counts.unknown += 1,
            }
        }
        counts
    }

    fn parts(&self) -> Vec<String> {
        let parts = [
            (self.breaks, "with clients in plaintext"),
            (self.unknown, "with clients unknown"),
            (self.safe, "with no client in plaintext"),
        ];
        parts
            .into_iter()
            .filter(|(servers, _)| *servers > 0)
            .map(|(n, words)| format!("{} {words}", count(n)))
            .collect()
    }

    fn sentence(&self) -> String {
        match (self.breaks, self.unknown) {
            (0, 0) => "No plaintext client was observed on these servers.".to_owned(),
            (0, unknown) => {
                format!("The clients of {} were not observed enough to say which.", plural(unknown, "server"))
            }
            (breaks, 0) => format!("{} such clients: the page of each server lists them.", have(breaks)),
            (breaks, unknown) => format!(
                "{} such clients: the page of each server lists them. The clients of {} were not observed enough.",
                have(breaks),
                plural(unknown, "server")
            ),
        }
    }
}

fn have(servers: u64) -> String {
    format!("{} {}", plural(servers, "server"), if servers == 1 { "has" } else { "have" })
}

/// Whether clients of the step's server are refused, or may be.
fn may_refuse(step: &Step) -> bool {
    matches!(step.disposition, Disposition::BreaksClients | Disposition::NeedsObservation)
}

fn gated(plan: &Plan) -> usize {
    let gates = |reason| matches!(reason, LeftOutReason::BreaksClients | LeftOutReason::NeedsObservation);
    plan.left_out().iter().filter(|one| gates(one.reason)).map(|one| &one.server).collect::<BTreeSet<_>>().len()
}

/// What an independent check, which shares no code with the planner, says of a plan.
fn check(ready: &PlanToReview, max_age: Duration) -> Vec<Lint> {
    let context = LintContext {
        now_ms: SystemClock::new().now_ms(),
        max_age,
        max_servers: None,
        cloud: None,
        subscriptions: &ready.subscriptions,
        failed: Some(&ready.failed),
        tags: Some(&ready.tags),
    };
    lint(&ready.plan, &context)
}

/// Whether a plan may be applied.
pub(super) fn is_sound(ready: &PlanToReview, max_age: Duration) -> bool {
    check(ready, max_age).iter().all(|one| one.code.is_warning())
}

/// `5 writes on 5 servers in 2 waves · 1 manual · 1 left out · 2 with clients in plaintext · 3 with clients unknown`
fn summary(plan: &Plan, clients: &ClientCounts) -> String {
    let number = |count: usize| count as u64;
    let writes = number(plan.steps().iter().filter(|step| step.is_executable()).count());
    let servers = number(plan.servers());
    let waves = number(plan.waves().filter(|steps| steps.iter().any(Step::is_executable)).count());
    let (writes_word, servers) = (plural(writes, "write"), plural(servers, "server"));
    let mut parts = vec![format!("{writes_word} on {servers} in {}", plural(waves, "wave"))];
    let manual: BTreeSet<_> =
        plan.steps().iter().filter(|step| !step.is_executable()).map(|step| &step.server).collect();
    let left_out: BTreeSet<_> =
        plan.left_out().iter().filter(|one| one.reason != LeftOutReason::AlreadyRight).map(|one| &one.server).collect();
    for (servers, word) in [(manual.len(), "manual"), (left_out.len(), "left out")] {
        if servers > 0 {
            parts.push(format!("{} {word}", count(number(servers))));
        }
    }
    parts.extend(clients.parts());
    parts.join(" · ")
}

/// The waves. A small plan is shown whole; of a large one, one wave at a time,
/// so that the page stays small whatever the plan is.
fn waves(plan: &Plan, query: &PlanQuery, censuses: &Censuses) -> Vec<Wave> {
    let wanted = query.q.trim().to_lowercase();
    let fits = |step: &&Step| {
        let names = [step.server.name(), step.server.resource_group()];
        wanted.is_empty() || names.iter().any(|name| name.to_lowercase().contains(&wanted))
    };
    let all = || plan.waves().map(|steps| steps.iter().filter(|step| step.is_executable()).collect::<Vec<_>>());
    let small = all().map(|steps| steps.len()).sum::<usize>() <= SMALL;
    let waves = all().filter(|steps| !steps.is_empty()).count();
    let mut room = SHOWN;
    let mut shown = Vec::new();
    for steps in all().filter(|steps| !steps.is_empty()) {
        let number = steps.first().map_or(0, |step| step.wave);
        let is_asked = number == query.wave.max(1);
        let open = small || !wanted.is_empty() || is_asked;
        let fitting: Vec<&Step> = steps.iter().copied().filter(fits).collect();
        if fitting.is_empty() {
            continue;
        }
        let rows: Vec<Row> =
            if open { fitting.iter().take(room).map(|step| row(step, censuses)).collect() } else { Vec::new() };
        room -= rows.len();
        let more = if open { fitting.len() - rows.len() } else { 0 };
        shown.push(Wave { number, title: title(number, waves, &steps), rows, more, open });
    }
    shown
}

fn title(number: u32, waves: usize, steps: &[&Step]) -> String {
    let servers = steps.iter().map(|step| &step.server).collect::<BTreeSet<_>>().len();
    let canary = if number == 1 && waves > 1 { ", the canary" } else { "" };
    format!("Wave {number}{canary}: {}", plural(servers as u64, "server"))
}

fn row(step: &Step, censuses: &Censuses) -> Row {
    let badge = match step.disposition {
        Disposition::OnlineSafe if step.turns_off() => Badge { class: "no", shape: "!", word: "accepts plaintext" },
        Disposition::OnlineSafe if step.loosens() => Badge { class: "no", shape: "!", word: "less strict" },
        Disposition::OnlineSafe => Badge { class: "yes", shape: "✓", word: "no interruption" },
        Disposition::BreaksClients => Badge { class: "no", shape: "✕", word: "breaks clients" },
        Disposition::NeedsObservation => match verdict_of(step, censuses) {
            Some(CensusVerdict::Breaks) => Badge { class: "no", shape: "✕", word: "breaks clients" },
            Some(CensusVerdict::Safe | CensusVerdict::NeedsObservation) | None => {
                Badge { class: "unknown", shape: "!", word: "may break clients" }
            }
        },
        Disposition::NeedsRestart => Badge { class: "unknown", shape: "↻", word: "needs a restart" },
        Disposition::Manual => Badge { class: "none", shape: "–", word: "manual" },
    };
    Row {
        key: server_key(&step.server),
        server: step.server.name().to_owned(),
        group: step.server.resource_group().to_owned(),
        parameter: step.parameter.as_str(),
        before: step.before.to_string(),
        after: step.after.to_string(),
        badge,
        why: step.why.to_string(),
    }
}

fn left_out(plan: &Plan) -> Vec<StepReason> {
    let mut reasons: BTreeMap<LeftOutReason, BTreeMap<&ResourceId, &str>> = BTreeMap::new();
    for one in plan.left_out() {
        reasons.entry(one.reason).or_default().entry(&one.server).or_insert(one.detail.as_str());
    }
    let clients = |reason| plan.left_out().iter().filter(move |one| one.reason == reason);
    let told = |(reason, servers): (LeftOutReason, BTreeMap<&ResourceId, &str>)| StepReason {
        words: words(reason),
        // What is as it should be explains nothing.
        explains: reason != LeftOutReason::AlreadyRight,
        clients: Affected::of(clients(reason).map(|one| (one.server.name(), one.clients.as_ref()))),
        servers: plural(servers.len() as u64, "server"),
        more: servers.len().saturating_sub(NAMED),
        named: servers.into_iter().take(NAMED).map(|(id, why)| (id.name().to_owned(), brief(why, id))).collect(),
    };
    reasons.into_iter().map(told).collect()
}

pub(crate) fn words(reason: LeftOutReason) -> &'static str {
    match reason {
        LeftOutReason::AlreadyRight => "already compliant",
        LeftOutReason::Stopped => "stopped",
        LeftOutReason::NotReady => "in a state in which Azure does not change settings",
        LeftOutReason::Locked => "locked",
        LeftOutReason::NotPermitted => "not permitted: a permission is missing",
        LeftOutReason::Unknown => "current value unknown",
        LeftOutReason::Waived => "waived",
        LeftOutReason::Excepted => "left out on request",
        LeftOutReason::NeedsRestart => "waiting for a restart: hostssl never restarts a server",
        LeftOutReason::NotSupported => "without this setting or value",
        LeftOutReason::OverLimit => "beyond the limit of servers",
        LeftOutReason::OtherTenant => "in another tenant",
        LeftOutReason::ListedTwice => "listed twice",
        LeftOutReason::BreaksClients => "with clients that would be refused",
        LeftOutReason::NeedsObservation => "whose clients were not observed long enough",
    }
}

fn complaint(plan: &Plan, one: &Lint) -> (Badge, &'static str, String) {
    let badge = if one.code.is_warning() {
        Badge { class: "unknown", shape: "!", word: "warning" }
    } else {
        Badge { class: "no", shape: "✕", word: "error" }
    };
    let server = one.step.and_then(|id| plan.step(id)).map(|step| format!("{}: ", step.server.name()));
    (badge, one.code.as_str(), format!("{}{}", server.unwrap_or_default(), one.message))
}
