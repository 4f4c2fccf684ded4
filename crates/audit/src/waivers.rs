//! Waivers: read from a reviewed file, and applied to failures.
//!
//! A waiver never changes an outcome. A file that cannot be understood waives nothing; neither does a waiver that has
//! expired, that lasts longer than the profile allows, or that only the owner of the server has approved.

mod new_waiver;
mod person;
mod waived_scope;
mod waiver_layer;

pub use new_waiver::{NewWaiver, RefusedWaiver};
pub use waiver_layer::{WaiverLayer, apply_waivers};

use hostssl_model::untrusted::is_harmful;
use hostssl_model::{Advice, ControlId, Fault, FileMistake, Hint, Waiver, WaiverState, line_and_column, nearest};
use jiff::ToSpan as _;
use jiff::civil::Date;
use serde::Deserialize;
use std::ops::Range;
use toml::{Spanned, Value};

/// What is wrong with a file of waivers, and where.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(transparent)]
pub struct InvalidWaivers(#[from] pub FileMistake);

impl Advice for InvalidWaivers {
    fn advice(&self) -> Hint {
        "correct the file; until then nothing in it is waived. `hostssl waivers --help` shows how one is written".into()
    }

    fn fault(&self) -> Fault {
        Fault::Request
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    #[serde(default)]
    waiver: Vec<Spanned<Entry>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
struct Entry {
    control: Spanned<String>,
    scope: Spanned<String>,
    owner: Spanned<String>,
    reason: Spanned<String>,
    approver: Spanned<Value>,
    // Missing or malformed, it counts as expired.
    expires: Option<Value>,
    compensating_control: Option<Spanned<String>>,
    ticket: Option<Spanned<String>>,
}

/// Reads a file of waivers. `today` is the day in UTC; a waiver holds on its last day, too, and `longest_days` is how far
/// away that may be.
///
/// # Errors
///
/// [`InvalidWaivers`] for the first thing that cannot be understood: then nothing is waived.
pub fn read_waivers(text: &str, today: Date, longest_days: u32) -> Result<Vec<Waiver>, InvalidWaivers> {
    let file: File = toml::from_str(text).map_err(|error| {
        InvalidWaivers(FileMistake::of_toml(text, error.span().unwrap_or_default(), error.message()))
    })?;
    file.waiver.into_iter().map(|entry| waiver(text, entry, today, longest_days)).collect()
}

fn waiver(text: &str, entry: Spanned<Entry>, today: Date, longest_days: u32) -> Result<Waiver, InvalidWaivers> {
    let (line, _) = line_and_column(text, entry.span().start);
    let entry = entry.into_inner();
    let control = ControlId::from_code(entry.control.get_ref()).ok_or_else(|| {
        let known = ControlId::ALL.map(ControlId::as_str);
        let meant = nearest(entry.control.get_ref(), known).map_or(String::new(), |near| format!("; is it `{near}`?"));
        invalid(text, &entry.control.span(), format!("there is no control `{}`{meant}", entry.control.get_ref()))
    })?;
    if let Some(what) = waived_scope::objection(entry.scope.get_ref()) {
        return Err(invalid(text, &entry.scope.span(), what));
    }
    let approvers = approvers(&entry.approver).ok_or_else(|| {
        let what = "approver is not a name or a list of names";
        invalid(text, &entry.approver.span(), what.to_owned())
    })?;
    let said = |name: &str, value: Spanned<String>| {
        let words = value.get_ref().trim();
        if words.is_empty() || words.contains(is_harmful) {
            return Err(invalid(text, &value.span(), format!("{name} is not a line of words")));
        }
        Ok(words.to_owned())
    };
    let owner = said("owner", entry.owner)?;
    let expires = match &entry.expires {
        Some(Value::String(text)) => text.clone(),
        Some(Value::Datetime(moment)) => moment.to_string(),
        Some(other) => other.to_string(),
        None => String::new(),
    };
    Ok(Waiver {
        control,
        state: state(&expires, &owner, &approvers, today, longest_days),
        scope: entry.scope.into_inner(),
        reason: said("reason", entry.reason)?,
        compensating_control: entry.compensating_control.map(|it| said("compensating-control", it)).transpose()?,
        ticket: entry.ticket.map(|it| said("ticket", it)).transpose()?,
        owner,
        approvers,
        expires,
        line,
    })
}

fn state(expires: &str, owner: &str, approvers: &[String], today: Date, longest_days: u32) -> WaiverState {
    // A day, and nothing behind it: a moment would leave open whose day it is.
    let Some(last) = expires.parse::<Date>().ok().filter(|date| date.to_string() == expires) else {
        return WaiverState::Expired;
    };
    let furthest = today.checked_add(i64::from(longest_days).days()).unwrap_or(Date::MAX);
    if last < today {
        WaiverState::Expired
    } else if last > furthest {
        WaiverState::TooLong
    } else if approvers.iter().all(|approver| person::may_be_same(approver, owner)) {
        WaiverState::OwnerOnly
    } else {
        WaiverState::InEffect
    }
}

/// One name, or several; none of them empty.
fn approvers(value: &Spanned<Value>) -> Option<Vec<String>> {
    let name = |value: &Value| {
        let name = value.as_str()?.trim();
        (!name.is_empty() && !name.contains(is_harmful)).then(|| name.to_owned())
    };
    match value.get_ref() {
        Value::Array(names) if !names.is_empty() => names.iter().map(name).collect(),
        one => Some(vec![name(one)?]),
    }
}

fn invalid(text: &str, span: &Range<usize>, what: String) -> InvalidWaivers {
    FileMistake::at(text, span.start, what).into()
}
