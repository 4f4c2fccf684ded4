//! Who made a change, in words.

use crate::safe;
use hostssl_audit::{Who, WhoUnknown};
use hostssl_model::{Activity, ActivityEnd, Unchecked};

/// Who made a change and when; or that it is not known, and why.
#[must_use]
pub fn words(who: &Who) -> String {
    match who {
        Who::Known(found) => {
            let mut words = found.first().map(operation).unwrap_or_default();
            if found.len() > 1 {
                words +=
                    &format!(", and {} before it", crate::headline::plural(found.len() as u64 - 1, "such operation"));
            }
            words
        }
        Who::NotKnown(why) => format!("by whom is not known: {}", unknown(why)),
    }
}

/// One operation: by whom, when, and what it did.
#[must_use]
pub fn operation(activity: &Activity) -> String {
    let end = match activity.end {
        ActivityEnd::Succeeded => "",
        ActivityEnd::Failed => " (failed)",
        ActivityEnd::Unknown => " (its end is not in the log)",
    };
    let (caller, act) = (activity.caller.to_string(), activity.act.to_string());
    format!("by {}, {}, {}{end}", safe(&caller), to_the_second(&activity.at), safe(&act))
}

/// A time without its fraction.
#[must_use]
pub fn to_the_second(at: &str) -> String {
    match at.split_once('.') {
        Some((seconds, _)) => format!("{}Z", safe(seconds)),
        None => safe(at).into_owned(),
    }
}

/// Why it is not known who made a change.
#[must_use]
pub fn unknown(why: &WhoUnknown) -> String {
    match why {
        WhoUnknown::Unread(unchecked) => unread(unchecked),
        WhoUnknown::NotInLog => "the Activity Log has no such operation between the audits, or not yet".to_owned(),
        WhoUnknown::TooOld => "Azure keeps the Activity Log for 90 days".to_owned(),
        WhoUnknown::NotLogged => "the Activity Log does not record such a change".to_owned(),
    }
}

/// Why the log could not be read.
#[must_use]
pub fn unread(why: &Unchecked) -> String {
    match &why.missing_permission {
        Some(permission) => format!("reading the Activity Log needs {}", safe(permission)),
        None => format!("the Activity Log could not be read: {}: {}", why.reason, safe(&why.detail)),
    }
}
