//! Whether a plan, right in itself, may be applied here and now.

use super::Plan;
use jiff::Timestamp;
use std::fmt;
use std::time::Duration;

/// How far ahead of the local clock a plan's own time may be: two machines' clocks differ.
const CLOCK_SKEW: Duration = Duration::from_mins(5);

/// Where and when a plan is about to be applied, and by whom. `None` is not compared.
#[derive(Debug, Clone)]
pub struct PlanContext<'a> {
    /// The cloud, under the Azure CLI's name.
    pub cloud: &'a str,
    /// The tenant that issued the token.
    pub tenant: Option<&'a str>,
    /// The object id of the identity; its name when the token does not say the object id.
    pub principal: Option<&'a str>,
    /// Now, in milliseconds since 1970-01-01T00:00:00Z.
    pub now_ms: i64,
    /// The greatest age that is accepted.
    pub max_age: Duration,
}

/// Why a plan may not be applied here and now.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ContextMismatch {
    /// It is for another cloud.
    #[error("the plan is for {plan}, this is {here}")]
    Cloud {
        /// The plan's.
        plan: String,
        /// The one signed in to.
        here: String,
    },
    /// It is for another tenant.
    #[error("the plan is for tenant {plan}, the sign-in is to tenant {here}")]
    Tenant {
        /// The plan's.
        plan: String,
        /// The one signed in to.
        here: String,
    },
    /// Another identity made it.
    #[error("the plan was made by {plan}, the sign-in is as {here}")]
    Principal {
        /// Who made the plan.
        plan: String,
        /// Who is signed in.
        here: String,
    },
    /// It was made too long ago.
    #[error("the servers were checked {} ago, and a plan may be no older than {}: plan again", Span(*age), Span(*max_age))]
    TooOld {
        /// How old what it rests on is.
        age: Duration,
        /// What is accepted.
        max_age: Duration,
    },
    /// Its time lies in the future: one of two clocks is wrong.
    #[error("the plan's time {0} is in the future: a clock is wrong")]
    FromTheFuture(String),
    /// Its time cannot be understood.
    #[error("`{0}` is not a time in RFC 3339")]
    NoTime(String),
}

/// A length of time in the largest units that say enough of it.
struct Span(Duration);

impl fmt::Display for Span {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let seconds = self.0.as_secs();
        match (seconds / 3600, seconds / 60 % 60, seconds % 60) {
            (0, 0, seconds) => write!(f, "{seconds} s"),
            (0, minutes, 0) => write!(f, "{minutes} min"),
            (0, minutes @ 0..10, seconds) => write!(f, "{minutes} min {seconds} s"),
            (0, minutes, _) => write!(f, "{minutes} min"),
            (hours, 0, _) => write!(f, "{hours} h"),
            (hours, minutes, _) => write!(f, "{hours} h {minutes} min"),
        }
    }
}

impl Plan {
    /// Compares a plan with where, when and by whom it is about to be applied. The age counts from when the servers
    /// were checked, because that is what the plan is based on.
    ///
    /// # Errors
    ///
    /// Everything that does not fit, not only the first.
    pub fn check_context(&self, context: &PlanContext<'_>) -> Result<(), Vec<ContextMismatch>> {
        let mut mismatches = Vec::new();
        let differs = |plan: &str, here: &str| !plan.eq_ignore_ascii_case(here);
        if differs(self.cloud(), context.cloud) {
            mismatches.push(ContextMismatch::Cloud { plan: self.cloud().into(), here: context.cloud.into() });
        }
        let principal = self.principal();
        if let Some(here) = context.tenant {
            let plan = principal.tenant.as_deref().unwrap_or("(not recorded)");
            if differs(plan, here) {
                mismatches.push(ContextMismatch::Tenant { plan: plan.into(), here: here.into() });
            }
        }
        if let Some(here) = context.principal {
            let plan = principal.object_id.as_deref().unwrap_or(&principal.name);
            if differs(plan, here) {
                mismatches.push(ContextMismatch::Principal { plan: plan.into(), here: here.into() });
            }
        }
        mismatches.extend(age_mismatch(self.observed_at(), context));
        if mismatches.is_empty() { Ok(()) } else { Err(mismatches) }
    }
}

fn age_mismatch(observed_at: &str, context: &PlanContext<'_>) -> Option<ContextMismatch> {
    let Some(observed) = unix_ms(observed_at) else {
        return Some(ContextMismatch::NoTime(observed_at.into()));
    };
    let age = context.now_ms.saturating_sub(observed);
    match u64::try_from(age) {
        Ok(age) if Duration::from_millis(age) > context.max_age => {
            Some(ContextMismatch::TooOld { age: Duration::from_millis(age), max_age: context.max_age })
        }
        Ok(_) => None,
        Err(_) if Duration::from_millis(age.unsigned_abs()) > CLOCK_SKEW => {
            Some(ContextMismatch::FromTheFuture(observed_at.into()))
        }
        Err(_) => None,
    }
}

/// A time in RFC 3339 as milliseconds since 1970.
pub(crate) fn unix_ms(text: &str) -> Option<i64> {
    text.parse::<Timestamp>().ok().map(Timestamp::as_millisecond)
}
