//! A plan as it is reviewed: in words, as a diff by waves, with what is left out and what a second opinion says.

use crate::view::{Badge, plural};
use hostssl_model::ResourceId;
use hostssl_remediation::{
    Clock as _, Disposition, FixableControl, Goal, LeftOutReason, LintContext, Plan, Step, SystemClock, lint,
};
use hostssl_store::server_key;
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

/// Steps that are shown; the file has all of them.
const SHOWN: usize = 200;
/// Servers that are named for each reason why they are left out.
const NAMED: usize = 20;

/// What the page shows of a plan.
pub(super) struct Review {
    pub(super) title: String,
    /// The words on the button: the effect.
    pub(super) effect: String,
    pub(super) waves: Vec<Wave>,
    pub(super) more: usize,
    pub(super) by_hand: Vec<Row>,
    pub(super) left_out: Vec<Reason>,
    pub(super) complaints: Vec<(Badge, &'static str, String)>,
    /// What could break, in words.
    pub(super) risk: &'static str,
    /// Whether it may be applied: nobody's second opinion says that it is wrong.
    pub(super) sound: bool,
    pub(super) bulk: bool,
    pub(super) minimum: bool,
    pub(super) canary: u32,
    pub(super) wave: u32,
}

pub(super) struct Wave {
    pub(super) title: String,
    pub(super) rows: Vec<Row>,
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

pub(super) struct Reason {
    pub(super) words: &'static str,
    pub(super) servers: String,
    pub(super) named: Vec<(String, String)>,
    pub(super) more: usize,
}

impl Review {
    pub(super) fn of(plan: &Plan, max_age: Duration) -> Self {
        let complaints = lint(
            plan,
            &LintContext {
                now_ms: SystemClock::new().now_ms(),
                max_age,
                max_servers: None,
                cloud: None,
                subscriptions: &[],
                servers: None,
            },
        );
        let executable = plan.steps().iter().filter(|step| step.is_executable());
        let breaks = executable.clone().any(|step| step.disposition == Disposition::BreaksClients);
        let restarts = executable.clone().any(|step| step.disposition == Disposition::NeedsRestart);
        let mut room = SHOWN;
        let waves = plan.waves().map(|steps| wave(steps, &mut room)).filter(|wave| !wave.rows.is_empty()).collect();
        let (bulk, minimum) = match plan.goal() {
            Goal::Fix { controls, .. } => (true, controls.contains(&FixableControl::MinimumTlsVersion)),
            Goal::Set { .. } => (false, false),
        };
        Self {
            title: if plan.is_empty() { "Nothing to write".to_owned() } else { effect(plan) },
            effect: effect(plan),
            waves,
            more: executable.count().saturating_sub(SHOWN),
            by_hand: plan.steps().iter().filter(|step| !step.is_executable()).take(SHOWN).map(row).collect(),
            left_out: left_out(plan),
            sound: complaints.iter().all(|one| one.code.is_warning()),
            complaints: complaints.iter().take(SHOWN).map(|one| complaint(plan, one)).collect(),
            risk: match (breaks, restarts) {
                (true, _) => {
                    "Clients that cannot do what is asked for then are refused from their next connection on. Nobody has looked at the clients of these servers."
                }
                (false, true) => "A value may not take effect before a restart, which hostssl never does.",
                (false, false) => "No client is refused that connects today, and nothing restarts.",
            },
            bulk,
            minimum,
            canary: plan.options().canary_size,
            wave: plan.options().wave_size,
        }
    }
}

/// What a plan does, as it stands on the button.
pub(crate) fn effect(plan: &Plan) -> String {
    let off = |step: &&Step| step.control == FixableControl::RequireSecureTransport && !is_on(step.after.as_ref());
    if let Some(step) = plan.steps().iter().filter(|step| step.is_executable()).find(off) {
        return format!("Stop enforcing TLS on {}", step.server.name());
    }
    let mut steps = plan.steps().iter().filter(|step| step.is_executable());
    let only = steps.next().filter(|_| steps.next().is_none());
    let servers = plan.servers() as u64;
    match (plan.goal(), only) {
        (Goal::Set { .. }, Some(step)) if step.control == FixableControl::RequireSecureTransport => {
            format!("Enforce TLS on {}", step.server.name())
        }
        (Goal::Set { .. }, Some(step)) => format!("Set the minimum TLS version of {}", step.server.name()),
        (Goal::Fix { controls, .. }, _) if controls.as_slice() == [FixableControl::RequireSecureTransport] => {
            format!("Enforce on {}", plural(servers, "server"))
        }
        _ => format!("Change {}", plural(servers, "server")),
    }
}

fn is_on(value: &str) -> bool {
    ["on", "enabled"].iter().any(|word| value.eq_ignore_ascii_case(word))
}

fn wave(steps: &[Step], room: &mut usize) -> Wave {
    let number = steps.first().map_or(0, |step| step.wave);
    let servers = steps.iter().map(|step| &step.server).collect::<BTreeSet<_>>().len();
    let canary = if number == 1 { ", the canary" } else { "" };
    let rows: Vec<Row> = steps.iter().take(*room).map(row).collect();
    *room -= rows.len();
    Wave { title: format!("Wave {number}{canary}: {}", plural(servers as u64, "server")), rows }
}

fn row(step: &Step) -> Row {
    let stated = format!("{} is {}; ", step.parameter, step.before);
    let why = step.why.as_str();
    let badge = match step.disposition {
        Disposition::OnlineSafe
            if step.control == FixableControl::RequireSecureTransport && !is_on(step.after.as_ref()) =>
        {
            Badge { class: "no", shape: "!", word: "lets plaintext in" }
        }
        Disposition::OnlineSafe => Badge { class: "yes", shape: "✓", word: "online-safe" },
        Disposition::BreaksClients => Badge { class: "unknown", shape: "!", word: "may break clients" },
        Disposition::NeedsRestart => Badge { class: "unknown", shape: "↻", word: "needs a restart" },
        Disposition::Manual => Badge { class: "none", shape: "–", word: "by hand" },
    };
    Row {
        key: server_key(&step.server),
        server: step.server.name().to_owned(),
        group: step.server.resource_group().to_owned(),
        parameter: step.parameter.as_str(),
        before: step.before.to_string(),
        after: step.after.to_string(),
        badge,
        why: why.strip_prefix(&stated).unwrap_or(why).to_owned(),
    }
}

fn left_out(plan: &Plan) -> Vec<Reason> {
    let mut reasons: BTreeMap<LeftOutReason, BTreeMap<&ResourceId, &str>> = BTreeMap::new();
    for one in plan.left_out() {
        reasons.entry(one.reason).or_default().entry(&one.server).or_insert(one.detail.as_str());
    }
    let told = |(reason, servers): (LeftOutReason, BTreeMap<&ResourceId, &str>)| Reason {
        words: words(reason),
        servers: plural(servers.len() as u64, "server"),
        more: servers.len().saturating_sub(NAMED),
        named: servers.into_iter().take(NAMED).map(|(id, why)| (id.name().to_owned(), why.to_owned())).collect(),
    };
    reasons.into_iter().map(told).collect()
}

pub(crate) fn words(reason: LeftOutReason) -> &'static str {
    match reason {
        LeftOutReason::AlreadyRight => "right already",
        LeftOutReason::Stopped => "stopped",
        LeftOutReason::NotReady => "in a state in which Azure changes no setting",
        LeftOutReason::Locked => "locked",
        LeftOutReason::Unknown => "not known what it does today",
        LeftOutReason::Waived => "accepted as it is",
        LeftOutReason::NeedsRestart => "waiting for a restart, which hostssl never does",
        LeftOutReason::NotSupported => "no such setting or value there",
        LeftOutReason::OverLimit => "beyond the limit of servers",
        LeftOutReason::OtherTenant => "of another tenant",
        LeftOutReason::ListedTwice => "listed twice",
    }
}

fn complaint(plan: &Plan, one: &hostssl_remediation::Lint) -> (Badge, &'static str, String) {
    let badge = if one.code.is_warning() {
        Badge { class: "unknown", shape: "!", word: "look twice" }
    } else {
        Badge { class: "no", shape: "✕", word: "wrong" }
    };
    let server = one.step.and_then(|id| plan.step(id)).map(|step| format!("{}: ", step.server.name()));
    (badge, one.code.as_str(), format!("{}{}", server.unwrap_or_default(), one.message))
}
