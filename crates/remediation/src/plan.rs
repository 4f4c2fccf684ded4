//! Plans: immutable, hashed, ordered lists of writes. A plan leaves no choices to be made when it is applied.

mod approved;
mod clients;
mod context;
mod exposure;
mod json;
mod named_subscriptions;
mod text;
mod validate;

pub use approved::{Approved, NotApproved};
pub(crate) use context::unix_ms;
pub use context::{ContextMismatch, PlanContext};
pub use exposure::Exposure;
#[cfg(feature = "schema")]
pub use json::plan_schema;
pub use json::{InvalidPlan, MAX_PLAN_BYTES};

use crate::{ClientImpact, Consent, Direction, FixableControl, Goal, SafeText};
use hostssl_model::{Hint, Kind, Meaning, ParameterName, Principal, ResourceId, Scope, SubscriptionId, coded};
use std::collections::{BTreeMap, HashSet};
use std::fmt;

coded! {
    /// What a step does to the clients of its server. Ordered from the most harmless on.
    #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
    pub enum Disposition {
        /// Evidence says that no client breaks and nothing restarts.
        OnlineSafe = "online-safe",
        /// The value may not take effect before a restart; hostssl never restarts a server.
        NeedsRestart = "needs-restart",
        /// Too little was seen of its clients to say whether any is refused.
        NeedsObservation = "needs-observation",
        /// Clients are refused.
        BreaksClients = "breaks-clients",
        /// hostssl does not write this; a person does it manually.
        Manual = "manual",
    }
}

/// One write: a setting of a server, from one value to another.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Step {
    /// 1 for the first step of the plan, 2 for the second, …
    pub id: u32,
    /// The wave that it belongs to, from 1; 0 exactly when the disposition is [`Disposition::Manual`].
    pub wave: u32,
    /// The server.
    pub server: ResourceId,
    /// What kind of server it is, because the kinds keep their settings in different places.
    pub kind: Kind,
    /// The primary, when the server is a replica and Azure says of which.
    pub replica_of: Option<ResourceId>,
    /// When Azure made the server, where it says so. One that was made at another time is another server, whatever its
    /// name, and is not written to.
    pub created_at: Option<Box<str>>,
    /// The control whose finding it fixes.
    pub control: FixableControl,
    /// The setting.
    pub parameter: ParameterName,
    /// The value that was observed, as Azure spelled it. Apply re-reads it and stops where it differs.
    pub before: Box<str>,
    /// The value to write.
    pub after: Box<str>,
    /// The value that undo writes.
    pub undo: Box<str>,
    /// What it does to clients.
    pub disposition: Disposition,
    /// Why this step, why this disposition, and what to know about its order.
    pub why: SafeText,
    /// The steps that must have ended well before this one may start; all are in earlier waves.
    pub needs: Vec<u32>,
    /// What the census says of its clients; `None` where the step refuses no client, and in plans of versions without a
    /// census.
    pub clients: Option<ClientImpact>,
    /// Who has accepted what it does to clients; `None` where that was not needed.
    pub accepted: Option<Consent>,
}

impl Step {
    /// What it does to how strict its server is.
    #[must_use]
    pub fn effect(&self) -> StepEffect {
        StepEffect::of(self.parameter, &self.before, &self.after)
    }

    /// The value that is there before, and the one that is wanted, in a direction.
    pub(crate) fn values(&self, direction: Direction) -> (&str, &str) {
        match direction {
            Direction::Apply => (&self.before, &self.after),
            Direction::Undo => (&self.after, &self.undo),
        }
    }

    /// What undoing it does to how strict its server is.
    #[must_use]
    pub fn effect_of_undo(&self) -> StepEffect {
        StepEffect::of(self.parameter, &self.after, &self.undo)
    }

    /// Whether it makes its server less strict.
    #[must_use]
    pub fn loosens(&self) -> bool {
        self.effect() == StepEffect::Looser
    }

    /// Whether its server enforces TLS after it.
    #[must_use]
    pub fn turns_on(&self) -> bool {
        self.parameter.meaning(&self.after) == Some(Meaning::Enforced(true))
    }

    /// Whether its server stops enforcing TLS by it.
    #[must_use]
    pub fn turns_off(&self) -> bool {
        self.loosens() && self.parameter.meaning(&self.after) == Some(Meaning::Enforced(false))
    }

    /// Whether hostssl writes it.
    #[must_use]
    pub fn is_executable(&self) -> bool {
        self.disposition != Disposition::Manual
    }
}

/// What writing a value does to how strict a server is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum StepEffect {
    /// It refuses the same clients as before.
    Same,
    /// It refuses clients that it admitted.
    Stricter,
    /// A value is none that this program knows.
    Unknown,
    /// It admits clients that it refused.
    Looser,
}

impl StepEffect {
    /// The effect of writing one value of a setting in place of another.
    #[must_use]
    pub fn of(parameter: ParameterName, before: &str, after: &str) -> Self {
        match (parameter.meaning(before), parameter.meaning(after)) {
            // What is logged refuses and admits no one.
            (Some(Meaning::LogDownload(_) | Meaning::LogDays(_)), Some(_)) => Self::Same,
            (Some(before), Some(after)) if after.is_looser_than(before) => Self::Looser,
            (Some(before), Some(after)) if before.is_looser_than(after) => Self::Stricter,
            (Some(_), Some(_)) => Self::Same,
            _ => Self::Unknown,
        }
    }

    /// Whether clients may be admitted that were refused. A value that is not known may do that.
    #[must_use]
    pub fn may_loosen(self) -> bool {
        matches!(self, Self::Looser | Self::Unknown)
    }
}

/// The steps of a plan, those that hostssl writes and those that a person does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct StepCount {
    /// All of them.
    pub steps: usize,
    /// Of these, the ones that a person does.
    pub manual: usize,
}

impl fmt::Display for StepCount {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let plural = if self.steps == 1 { "" } else { "s" };
        write!(f, "{} step{plural}", self.steps)?;
        if self.manual > 0 { write!(f, " ({} manual)", self.manual) } else { Ok(()) }
    }
}

coded! {
    /// Why a server, or one control of it, is not in the plan.
    #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
    pub enum LeftOutReason {
        /// It is as it should be.
        AlreadyRight = "already-right",
        /// It is stopped, so that its settings can neither be read nor written.
        Stopped = "stopped",
        /// It is in another state in which Azure changes no setting.
        NotReady = "not-ready",
        /// A ReadOnly lock is on it.
        Locked = "locked",
        /// The identity may not change it.
        NotPermitted = "not-permitted",
        /// It is not known what it does today.
        Unknown = "unknown",
        /// The finding is waived.
        Waived = "waived",
        /// It was left out on request. Earlier versions called this waived.
        Excepted = "excepted",
        /// It has the value and waits for a restart; hostssl never restarts a server.
        NeedsRestart = "needs-restart",
        /// Azure has no such setting, or no such value, for this kind of server.
        NotSupported = "not-supported",
        /// It would be one server more than the plan may touch.
        OverLimit = "over-limit",
        /// The plan's identity belongs to another tenant than the server's subscription.
        OtherTenant = "other-tenant",
        /// It was listed twice; its first entry counts.
        ListedTwice = "listed-twice",
        /// Clients would be refused, and that was not accepted.
        BreaksClients = "breaks-clients",
        /// Too little was seen of its clients, and that was not accepted.
        NeedsObservation = "needs-observation",
    }
}

impl LeftOutReason {
    /// What to do so that this server is left out no more.
    #[must_use]
    pub fn advice(self, server: &str) -> Hint {
        let words = match self {
            Self::AlreadyRight => "no action needed",
            Self::Stopped => "start the server, then run this again",
            Self::NotReady => "wait until Azure reports the server as Ready, then run this again",
            Self::Locked => "remove the lock, or ask who set it, then run this again",
            Self::NotPermitted => "ask for the role that `hostssl role remediate` prints, then run this again",
            Self::Unknown => {
                return Hint::with("`hostssl audit --server {}` shows what could not be checked", &[&server]);
            }
            Self::Waived => "no action needed until the waiver ends; --include-waived plans for it anyway",
            Self::Excepted => "leave out the option that excludes the server, such as --except",
            Self::NeedsRestart => "restart the server when its clients can tolerate it: the value takes effect then",
            Self::NotSupported => "choose a value that this kind of server offers",
            Self::OverLimit => "apply this plan first, then plan again; or raise --max-servers",
            Self::OtherTenant => "sign in to the server's tenant with --tenant, then run this again",
            Self::ListedTwice => "no action needed: its first entry is used",
            Self::BreaksClients => {
                let template = "`hostssl clients --server {}` shows what each client must change; --accept-breakage {}=REASON plans it anyway";
                return Hint::with(template, &[&server, &server]);
            }
            Self::NeedsObservation => {
                let template =
                    "`hostssl clients --server {}` observes its clients; --accept-breakage {}=REASON plans it anyway";
                return Hint::with(template, &[&server, &server]);
            }
        };
        words.into()
    }
}

/// A server, or one control of it, that the plan does not touch.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LeftOut {
    /// The server.
    pub server: ResourceId,
    /// The control that is not fixed there.
    pub control: FixableControl,
    /// Why.
    pub reason: LeftOutReason,
    /// One line of text.
    pub detail: SafeText,
    /// What the census says of its clients, where that is the reason.
    pub clients: Option<ClientImpact>,
}

/// How much a plan may touch, and at what pace.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PlanOptions {
    /// How many servers the first wave holds, at least 1 and at most `wave_size`.
    pub canary_size: u32,
    /// How many servers a later wave holds.
    pub wave_size: u32,
    /// How many servers the plan may touch; `None` for no limit.
    pub max_servers: Option<u32>,
}

impl Default for PlanOptions {
    fn default() -> Self {
        Self { canary_size: 1, wave_size: 100, max_servers: None }
    }
}

/// The SHA-256 of a plan's canonical form, in lower-case hexadecimal digits.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct PlanHash(Box<str>);

/// The text is not the hash of a plan.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the hash of a plan is 64 hexadecimal digits")]
pub struct InvalidPlanHash;

impl PlanHash {
    /// Takes 64 hexadecimal digits in any case.
    ///
    /// # Errors
    ///
    /// [`InvalidPlanHash`] for anything else; the beginning of a hash is not enough.
    pub fn new(text: &str) -> Result<Self, InvalidPlanHash> {
        let text = text.trim();
        let fits = text.len() == 64 && text.bytes().all(|b| b.is_ascii_hexdigit());
        if fits { Ok(Self(text.to_ascii_lowercase().into())) } else { Err(InvalidPlanHash) }
    }

    /// The digits.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for PlanHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

/// Everything that a plan says, before it is sealed with its hash.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Draft {
    pub(crate) created_at: String,
    pub(crate) observed_at: String,
    pub(crate) cloud: String,
    pub(crate) scope: Scope,
    pub(crate) principal: Principal,
    pub(crate) subscriptions: BTreeMap<SubscriptionId, SafeText>,
    pub(crate) profile: String,
    pub(crate) goal: Goal,
    pub(crate) options: PlanOptions,
    pub(crate) steps: Vec<Step>,
    pub(crate) left_out: Vec<LeftOut>,
}

/// An immutable plan. It can only be made by [`plan`](crate::plan()) or read back by [`Plan::parse`], and both hold it
/// to the same rules.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Plan {
    hash: PlanHash,
    draft: Draft,
}

impl Plan {
    /// The hash that an approval names.
    #[must_use]
    pub fn hash(&self) -> &PlanHash {
        &self.hash
    }

    /// When it was made, in RFC 3339.
    #[must_use]
    pub fn created_at(&self) -> &str {
        &self.draft.created_at
    }

    /// When the servers were checked, in RFC 3339.
    #[must_use]
    pub fn observed_at(&self) -> &str {
        &self.draft.observed_at
    }

    /// The cloud, under the Azure CLI's name.
    #[must_use]
    pub fn cloud(&self) -> &str {
        &self.draft.cloud
    }

    /// The scope that was read.
    #[must_use]
    pub fn scope(&self) -> &Scope {
        &self.draft.scope
    }

    /// Who made it.
    #[must_use]
    pub fn principal(&self) -> &Principal {
        &self.draft.principal
    }

    /// The names of the subscriptions of its servers when it was made. Plans of earlier versions have none.
    pub fn subscription_names(&self) -> impl Iterator<Item = (&SubscriptionId, &SafeText)> {
        self.draft.subscriptions.iter()
    }

    /// Which rules judged, such as `baseline@1`.
    #[must_use]
    pub fn profile(&self) -> &str {
        &self.draft.profile
    }

    /// What it is for.
    #[must_use]
    pub fn goal(&self) -> &Goal {
        &self.draft.goal
    }

    /// Its bounds.
    #[must_use]
    pub fn options(&self) -> &PlanOptions {
        &self.draft.options
    }

    /// The steps in order: wave by wave, and those for people last.
    #[must_use]
    pub fn steps(&self) -> &[Step] {
        &self.draft.steps
    }

    /// The step with this id.
    #[must_use]
    pub fn step(&self, id: u32) -> Option<&Step> {
        self.draft.steps.get(usize::try_from(id.checked_sub(1)?).ok()?)
    }

    /// The steps of each wave, in order. Steps for people are in none.
    pub fn waves(&self) -> impl DoubleEndedIterator<Item = &[Step]> {
        self.draft.steps.chunk_by(|a, b| a.wave == b.wave).filter(|wave| wave.first().is_some_and(|step| step.wave > 0))
    }

    /// What it does not touch, and why.
    #[must_use]
    pub fn left_out(&self) -> &[LeftOut] {
        &self.draft.left_out
    }

    /// How many servers it writes to.
    #[must_use]
    pub fn servers(&self) -> usize {
        self.draft
            .steps
            .iter()
            .filter(|step| step.is_executable())
            .map(|step| &step.server)
            .collect::<HashSet<_>>()
            .len()
    }

    /// How many steps it has: what everyone says who counts them.
    #[must_use]
    pub fn count(&self) -> StepCount {
        let steps = &self.draft.steps;
        StepCount { steps: steps.len(), manual: steps.iter().filter(|step| !step.is_executable()).count() }
    }

    /// Whether there is nothing to write.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        !self.draft.steps.iter().any(Step::is_executable)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_effect_is_what_clients_meet() {
        use ParameterName::{LogDownloadEnable, MinimalTlsVersion, RequireSecureTransport};
        let of = |name, before, after| StepEffect::of(name, before, after);
        assert_eq!(of(RequireSecureTransport, "off", "ON"), StepEffect::Stricter);
        assert_eq!(of(RequireSecureTransport, "on", "off"), StepEffect::Looser);
        assert_eq!(of(RequireSecureTransport, "on", "ON"), StepEffect::Same);
        assert_eq!(of(RequireSecureTransport, "on", "maybe"), StepEffect::Unknown);
        assert_eq!(of(MinimalTlsVersion, "TLS1_2", "TLS1_0"), StepEffect::Looser);
        assert_eq!(of(LogDownloadEnable, "on", "off"), StepEffect::Same);
        let may: Vec<StepEffect> = [StepEffect::Same, StepEffect::Stricter, StepEffect::Unknown, StepEffect::Looser]
            .into_iter()
            .filter(|effect| effect.may_loosen())
            .collect();
        assert_eq!(may, [StepEffect::Unknown, StepEffect::Looser], "what is not known may be the worst");
    }
}
