//! A waiver for a failure: the form, and the entry for the file. The console writes no file of waivers: the entry is reviewed
//! where the file is, and counts once it stands there.

use crate::guard::Fields;
use crate::reply::{Failure, page, sentence};
use crate::shared::Shared;
use crate::view::Shell;
use crate::waivers::today;
use askama::Template;
use axum::Extension;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::http::header::{CONTENT_DISPOSITION, CONTENT_TYPE};
use axum::response::{IntoResponse, Response};
use hostssl_formats::waiver_text;
use hostssl_model::{ControlId, Outcome, ResourceId};
use hostssl_ops::{NewWaiver, rules_of};
use hostssl_store::{ServerDetail, StoredFinding};
use jiff::ToSpan as _;
use jiff::civil::Date;

/// The default name of the file.
const FILE: &str = "hostssl-waivers.toml";
/// How long a waiver lasts unless the person chooses otherwise, where the rules allow that.
const USUAL_DAYS: u32 = 90;
/// The longest text of a field, in characters.
const MAX_TEXT: usize = 500;

#[derive(Template)]
#[template(path = "waiver.html")]
struct WaiverPage {
    shell: Shell,
    key: String,
    name: String,
    failure: Failed,
    form: WaiverForm,
    /// What a waiver may be for: the id, and what it is.
    scopes: [(String, &'static str); 3],
    /// The first and the last day on which it may end.
    days: (Date, Date),
    /// The file that it is for.
    file: String,
    /// Why it would waive nothing.
    refused: Option<String>,
    /// The entry, once it would be in effect.
    entry: Option<String>,
}

/// The failure that is to be waived.
struct Failed {
    control: ControlId,
    finding: StoredFinding,
    longest_days: u32,
}

/// The fields of the form, as they were sent.
#[derive(Default)]
struct WaiverForm {
    scope: String,
    owner: String,
    approver: String,
    expires: String,
    reason: String,
    compensating_control: String,
    ticket: String,
}

impl WaiverForm {
    fn of(fields: &Fields) -> Self {
        let text = |name: &str| fields.value(name).trim().chars().take(MAX_TEXT).collect();
        Self {
            scope: text("scope"),
            owner: text("owner"),
            approver: text("approver"),
            expires: text("expires"),
            reason: text("reason"),
            compensating_control: text("compensating-control"),
            ticket: text("ticket"),
        }
    }

    /// The fields with their values, to send them again.
    fn fields(&self) -> [(&'static str, &str); 7] {
        [
            ("scope", &self.scope),
            ("owner", &self.owner),
            ("approver", &self.approver),
            ("expires", &self.expires),
            ("reason", &self.reason),
            ("compensating-control", &self.compensating_control),
            ("ticket", &self.ticket),
        ]
    }

    /// The entry of the file, or why it would waive nothing.
    fn entry(&self, failure: &Failed) -> Result<String, String> {
        let approvers: Vec<String> =
            self.approver.split(',').map(|name| name.trim().to_owned()).filter(|name| !name.is_empty()).collect();
        if approvers.is_empty() {
            return Err("a waiver needs an approver".to_owned());
        }
        let optional = |text: &'_ String| (!text.is_empty()).then(|| text.clone());
        let (compensating_control, ticket) = (optional(&self.compensating_control), optional(&self.ticket));
        let waiver = NewWaiver {
            control: failure.control.as_str(),
            scope: &self.scope,
            owner: &self.owner,
            reason: &self.reason,
            approvers: &approvers,
            expires: &self.expires,
            compensating_control: compensating_control.as_deref(),
            ticket: ticket.as_deref(),
        };
        waiver.to_toml_in_effect(today(), failure.longest_days).map_err(|why| waiver_text::refused(&why))
    }
}

/// The form.
pub(crate) async fn show(
    State(shared): State<Shared>,
    Path(place): Path<(String, String)>,
    shell: Shell,
) -> Result<Response, Failure> {
    let (detail, failure) = failed(&shared, &place).await?;
    let usual = failure.longest_days.min(USUAL_DAYS);
    let expires = in_days(usual).to_string();
    let form = WaiverForm { scope: detail.row.id.clone(), expires, ..WaiverForm::default() };
    page(&WaiverPage::new(&shared, shell, place.0, &detail, failure, form)?)
}

/// The entry for the file, on the page or as a file.
pub(crate) async fn propose(
    State(shared): State<Shared>,
    Path(place): Path<(String, String)>,
    Extension(fields): Extension<Fields>,
    shell: Shell,
) -> Result<Response, Failure> {
    let (detail, failure) = failed(&shared, &place).await?;
    let form = WaiverForm::of(&fields);
    let made = form.entry(&failure);
    if let (Ok(entry), true) = (&made, fields.has("download")) {
        let name = "attachment; filename=\"waiver.toml\"";
        let headers = [(CONTENT_TYPE, "application/toml"), (CONTENT_DISPOSITION, name)];
        return Ok((headers, entry.clone()).into_response());
    }
    let shown = WaiverPage::new(&shared, shell, place.0, &detail, failure, form)?;
    match made {
        Ok(entry) => page(&WaiverPage { entry: Some(entry), ..shown }),
        Err(why) => {
            let mut answer = page(&WaiverPage { refused: Some(sentence(&why)), ..shown })?;
            *answer.status_mut() = StatusCode::UNPROCESSABLE_ENTITY;
            Ok(answer)
        }
    }
}

impl WaiverPage {
    fn new(
        shared: &Shared,
        shell: Shell,
        key: String,
        detail: &ServerDetail,
        failure: Failed,
        form: WaiverForm,
    ) -> Result<Self, Failure> {
        let id = ResourceId::try_from(detail.row.id.as_str()).map_err(|_| Failure::defect())?;
        let subscription = format!("/subscriptions/{}", id.subscription());
        let group = format!("{subscription}/resourceGroups/{}", id.resource_group());
        Ok(Self {
            shell: shell.titled(format!("Waiver for {}", detail.row.name), "resources"),
            key,
            name: detail.row.name.clone(),
            scopes: [
                (detail.row.id.clone(), "this server"),
                (group, "every server of the resource group"),
                (subscription, "every server of the subscription"),
            ],
            days: (today(), in_days(failure.longest_days)),
            file: shared.options.waivers.as_ref().map_or_else(|| FILE.to_owned(), |source| source.name.clone()),
            failure,
            form,
            refused: None,
            entry: None,
        })
    }
}

fn in_days(days: u32) -> Date {
    today().checked_add(i64::from(days).days()).unwrap_or(Date::MAX)
}

/// The server, and the control that fails there by the newest evidence.
async fn failed(shared: &Shared, (key, control): &(String, String)) -> Result<(ServerDetail, Failed), Failure> {
    let control = ControlId::from_code(control).ok_or_else(Failure::not_found)?;
    let key = key.clone();
    let found = shared
        .ask(move |store| {
            let Some(audit) = store.last_audit_of(&key)? else { return Ok(None) };
            Ok(store.server(&audit, &key)?.map(|detail| (audit.profile, detail)))
        })
        .await?;
    let (profile, detail) = found.ok_or_else(Failure::not_found)?;
    let fails = |one: &&StoredFinding| one.control().known() == Some(control) && one.outcome() == Outcome::Fail;
    let finding = detail.findings.iter().find(fails).cloned().ok_or_else(|| {
        Failure::nothing_kept(
            "This control does not fail on this server.",
            "A waiver is for a failure: there is nothing to waive. Load the page of the server again.",
        )
    })?;
    let longest_days = rules_of(&profile).settings.waiver_days;
    Ok((detail, Failed { control, finding, longest_days }))
}
