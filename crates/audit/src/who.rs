//! Who made a change between two audits, by what the Activity Log says: a decision over both alone.
//!
//! Only an operation that can have made the change, between the two audits, is taken for its cause. Where none is in the log,
//! or the log could not be read, the author is not known, and the reason is told: never that no one did it.

use crate::control::Control;
use crate::controls::{ALL, control};
use crate::{Change, Diff, Difference};
use hostssl_model::{Act, Activity, ActivityEnd, AuditReport, Reason, Unchecked};
use jiff::Timestamp;
use std::collections::BTreeMap;

/// Who made a change, as far as that is known.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Who {
    /// The operations between the audits that can have made it, the newest first; at least one.
    Known(Vec<Activity>),
    /// Why it is not known.
    NotKnown(WhoUnknown),
}

/// Why it is not known who made a change.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum WhoUnknown {
    /// The log could not be read, or not whole.
    Unread(Unchecked),
    /// The log was read, and has no operation that can have made it. It may be minutes late.
    NotInLog,
    /// The audits reach back further than Azure keeps the log, and what it keeps has no such operation.
    TooOld,
    /// Azure does not log changes of this sort: what only the wire shows, and what could not be checked.
    NotLogged,
}

/// What was read of the Activity Log.
#[derive(Debug, Clone, Default)]
pub struct ActivityRead {
    /// By the id of the subscription, in lower case.
    pub subscriptions: BTreeMap<String, SubscriptionActivity>,
}

/// What was read of the Activity Log of one subscription.
#[derive(Debug, Clone, Default)]
pub struct SubscriptionActivity {
    /// Operations on servers, the newest first.
    pub found: Vec<Activity>,
    /// Why there may be more.
    pub unread: Option<Unchecked>,
    /// Whether it was asked for a time before the first that Azure keeps.
    pub is_cut: bool,
}

/// Says of each change who made it.
pub fn name_authors(diff: &mut Diff<'_>, before: &AuditReport, after: &AuditReport, read: &ActivityRead) {
    // The clock of one of them was wrong where they overlap the wrong way round: then the widest time counts.
    let ends = [before, after].map(|audit| time(&audit.run.finished_at));
    let until = if ends.iter().all(Option::is_some) { ends.into_iter().max().flatten() } else { ends[1] };
    let between = (earliest_start(before, after), until);
    for change in &mut diff.changes {
        change.who = Some(author(change, between, read));
    }
}

/// When the audit of two began that says that it began first; `None` where the earlier one does not say when.
#[must_use]
pub fn earliest_start(before: &AuditReport, after: &AuditReport) -> Option<Timestamp> {
    let began = time(&before.run.started_at)?;
    Some(time(&after.run.started_at).map_or(began, |other| began.min(other)))
}

fn time(text: &str) -> Option<Timestamp> {
    text.parse().ok()
}

fn author(change: &Change<'_>, between: (Option<Timestamp>, Option<Timestamp>), read: &ActivityRead) -> Who {
    let Some(cause) = Cause::of(change) else { return Who::NotKnown(WhoUnknown::NotLogged) };
    let subscription = change.server.subscription().as_str().to_ascii_lowercase();
    let Some(log) = read.subscriptions.get(&subscription) else {
        let why = Unchecked::new(Reason::NotReturned, "the Activity Log of this subscription was not asked for");
        return Who::NotKnown(WhoUnknown::Unread(why));
    };
    let id = change.server.id.to_lowercase();
    let is_between = |activity: &Activity| {
        let at = time(&activity.at);
        let (since, until) = between;
        at.is_some_and(|at| since.is_none_or(|since| since <= at) && until.is_none_or(|until| at <= until))
    };
    let of_server = log.found.iter().filter(|one| one.end != ActivityEnd::Failed && one.server.to_lowercase() == id);
    let of_server: Vec<&Activity> = of_server.filter(|one| is_between(one)).collect();
    let mut found: Vec<Activity> =
        of_server.iter().filter(|one| cause.explains(&one.act)).map(|one| (*one).clone()).collect();
    // A server that was deleted and made again has other settings, which no one wrote.
    if found.is_empty() && of_server.iter().any(|one| one.act == Act::Delete) {
        let whole = of_server.iter().filter(|one| matches!(one.act, Act::Delete | Act::Write));
        found = whole.map(|one| (*one).clone()).collect();
    }
    match (found.is_empty(), &log.unread) {
        (false, _) => Who::Known(found),
        (true, Some(why)) => Who::NotKnown(WhoUnknown::Unread(why.clone())),
        (true, None) if log.is_cut => Who::NotKnown(WhoUnknown::TooOld),
        (true, None) => Who::NotKnown(WhoUnknown::NotInLog),
    }
}

/// What can have made a change.
struct Cause {
    /// Settings, by the names in resource ids, in lower case.
    settings: Vec<String>,
    /// Whether the server itself was made or written.
    write: bool,
    delete: bool,
    /// An action such as `stop`.
    actions: &'static [&'static str],
}

impl Cause {
    /// `None` where Azure logs nothing of it.
    fn of(change: &Change<'_>) -> Option<Self> {
        let nothing = Self { settings: Vec::new(), write: false, delete: false, actions: &[] };
        let stopped = |finding: Option<&hostssl_model::Finding>| {
            finding.and_then(|finding| finding.unchecked.as_ref()).is_some_and(|why| why.reason == Reason::Stopped)
        };
        match (change.difference, change.control()) {
            (Difference::Gone, _) => Some(Self { delete: true, ..nothing }),
            (Difference::Added, _) => Some(Self { write: true, ..nothing }),
            (Difference::NotVisible, _) if stopped(change.after) => Some(Self { actions: &["stop"], ..nothing }),
            (Difference::Visible, _) if stopped(change.before) => Some(Self { actions: &["start"], ..nothing }),
            (Difference::NotVisible | Difference::Visible, _) | (_, None) => None,
            (Difference::New | Difference::Changed | Difference::Fixed, Some(id)) => {
                let kind = change.server.kind;
                let judged = declared(control(id))?;
                let settings = (judged.needs)(kind, change.server.role);
                // A server that is new may have been restored.
                let write = change.before.is_none() || settings.iter().any(|name| name.is_of_document());
                let settings = settings.into_iter().map(|name| name.as_str().to_ascii_lowercase()).collect();
                let actions: &[&str] = if stopped(change.before) { &["start"] } else { &[] };
                Some(Self { settings, write, delete: false, actions })
            }
        }
    }

    fn explains(&self, act: &Act) -> bool {
        match act {
            Act::Setting(name) => self.settings.iter().any(|setting| setting.eq_ignore_ascii_case(name)),
            Act::Write => self.write,
            Act::Delete => self.delete,
            Act::Action(name) => self.actions.iter().any(|action| action.eq_ignore_ascii_case(name)),
            Act::Part(_) => false,
        }
    }
}

/// The control whose settings decide this one: itself, or the one that declares what this one sees on the wire.
fn declared(judged: &'static Control) -> Option<&'static Control> {
    if !judged.is_of_the_wire() {
        return Some(judged);
    }
    ALL.into_iter().find(|one| one.counterpart == Some(judged.id))
}
