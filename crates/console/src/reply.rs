//! What goes back: pages, failures that say what to do, and the files of the console itself.

mod plan_failures;

use crate::guard::SessionStoreError;
use crate::trouble::Trouble;
use crate::user_role::Role;
use crate::view::Shell;
use askama::Template;
use axum::extract::Request;
use axum::http::header::{CONTENT_TYPE, LOCATION};
use axum::http::{HeaderValue, StatusCode};
use axum::middleware::Next;
use axum::response::{Html, IntoResponse, Response};
use hostssl_model::Advice as _;
use hostssl_model::untrusted::visible_lines;
use hostssl_store::StoreError;
use std::borrow::Cow;
use std::fmt::Display;

/// A page from its template.
///
/// Names from Azure are anyone's: the template engine makes them text, and here whatever would turn the direction of
/// writing or move a cursor is made visible, in every page, because no page can leave it out.
///
/// # Errors
///
/// A defect of the console, as a page.
pub(crate) fn page(template: &impl Template) -> Result<Response, Failure> {
    let html = template.render().map_err(|error| {
        tracing::error!(%error, "a page could not be rendered");
        Failure::defect()
    })?;
    // Line feeds are the template's own.
    Ok(Html(visible_lines(&html).into_owned()).into_response())
}

/// Sends the browser to a page of this console with a GET (RFC 9110, 15.4.4).
pub(crate) fn see_other(path: &str) -> Response {
    match HeaderValue::from_str(path) {
        Ok(location) => (StatusCode::SEE_OTHER, [(LOCATION, location)]).into_response(),
        Err(_) => Failure::defect().into_response(),
    }
}

/// A file of the console's own.
pub(crate) fn asset(kind: &'static str, body: &'static str) -> Response {
    // Its address holds its hash, so that it may be kept indefinitely.
    let cache = (axum::http::header::CACHE_CONTROL, HeaderValue::from_static("public, max-age=31536000, immutable"));
    ([(CONTENT_TYPE, HeaderValue::from_static(kind)), cache], body).into_response()
}

/// A page that says what happened, what was not done, and what to do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Failure {
    status: StatusCode,
    title: Cow<'static, str>,
    what: Cow<'static, str>,
    todo: Cow<'static, str>,
    /// Where to go on, and the words for it.
    next: (Cow<'static, str>, &'static str),
}

#[derive(Template)]
#[template(path = "failure.html")]
struct FailurePage<'a> {
    shell: Shell,
    failure: &'a Failure,
}

impl Failure {
    fn new(
        status: StatusCode,
        title: impl Into<Cow<'static, str>>,
        what: impl Into<Cow<'static, str>>,
        todo: impl Into<Cow<'static, str>>,
    ) -> Self {
        let next = (Cow::Borrowed("/"), "Overview");
        Self { status, title: title.into(), what: what.into(), todo: todo.into(), next }
    }

    /// With another page to continue on.
    pub(crate) fn leading_to(self, address: impl Into<Cow<'static, str>>, words: &'static str) -> Self {
        Self { next: (address.into(), words), ..self }
    }

    pub(crate) fn not_found() -> Self {
        Self::new(
            StatusCode::NOT_FOUND,
            "Not found",
            "There is no such page.",
            "Check the address, or start from the overview.",
        )
    }

    /// Something of Azure's or of the past that is not kept here.
    pub(crate) fn nothing_kept(what: &'static str, todo: &'static str) -> Self {
        Self::new(StatusCode::NOT_FOUND, "Not found", what, todo)
    }

    pub(crate) fn no_such_run() -> Self {
        Self::nothing_kept(
            "There is no such run.",
            "It may have been deleted by --retain, or be in another state directory. Search all runs.",
        )
    }

    pub(crate) fn signed_out() -> Self {
        Self::new(
            StatusCode::UNAUTHORIZED,
            "Sign in",
            "Sign in to continue. Your session may have ended.",
            "Open the link that hostssl serve printed when it started. It works once. For a new one, ask an approver, or the person who runs hostssl serve: the signal USR1 makes it print another.",
        )
    }

    /// A form of someone whose session has ended meanwhile.
    pub(crate) fn signed_out_of_form() -> Self {
        Self::new(
            StatusCode::UNAUTHORIZED,
            "Nothing was done",
            "Your session ended after the page was opened, so the form was not accepted.",
            "Sign in again with a new link from an approver, or from the person who runs hostssl serve. Then go back, reload the page, and send the form.",
        )
    }

    pub(crate) fn used_link() -> Self {
        Self::new(
            StatusCode::UNAUTHORIZED,
            "This link was used",
            "A sign-in link works once, for an hour.",
            "If you used it in this browser, continue to the overview. Otherwise ask an approver for a link, or the person who runs hostssl serve.",
        )
    }

    pub(crate) fn wrong_host() -> Self {
        Self::new(
            StatusCode::MISDIRECTED_REQUEST,
            "Wrong host name",
            "This console does not answer to the host name in the address.",
            "Use the address that hostssl serve printed. If people reach it under another name, start it with --host NAME.",
        )
    }

    pub(crate) fn wrong_origin() -> Self {
        Self::new(
            StatusCode::FORBIDDEN,
            "Nothing was done",
            "The form did not come from a page of this console.",
            "Open the page in this console and send it from there.",
        )
    }

    pub(crate) fn wrong_token() -> Self {
        Self::new(
            StatusCode::FORBIDDEN,
            "Nothing was done",
            "The form does not belong to your session. You may have signed in again since the page was opened.",
            "Go back, load the page again, and send the form again.",
        )
    }

    pub(crate) fn wrong_method() -> Self {
        Self::new(
            StatusCode::METHOD_NOT_ALLOWED,
            "Nothing was done",
            "This address does not accept that kind of request.",
            "Use the pages of the console.",
        )
    }

    pub(crate) fn bad_form() -> Self {
        Self::new(
            StatusCode::BAD_REQUEST,
            "Nothing was done",
            "The request is not a form of this console.",
            "Go back and send the form from its page.",
        )
    }

    pub(crate) fn bad_address() -> Self {
        Self::new(
            StatusCode::BAD_REQUEST,
            "The address cannot be read",
            "A parameter after the question mark is unknown or has an invalid value.",
            "Open the page without parameters, and choose the filters there.",
        )
    }

    pub(crate) fn too_large() -> Self {
        Self::new(
            StatusCode::PAYLOAD_TOO_LARGE,
            "Nothing was done",
            "The request is larger than any form of this console.",
            "Choose fewer items.",
        )
    }

    pub(crate) fn large_looks(most: usize) -> Self {
        let what = format!("The file is larger than {} MiB. Nothing of it was taken.", most >> 20);
        let todo = "Probe the zone in several parts, or put the file where hostssl serve --looks reads it.";
        Self::new(StatusCode::PAYLOAD_TOO_LARGE, "Nothing was taken", what, todo).leading_to("/zones", "Zones")
    }

    /// Looks, or a list of targets, that could not be had.
    pub(crate) fn of_zones(title: &'static str, trouble: &Trouble) -> Self {
        Self::new(StatusCode::UNPROCESSABLE_ENTITY, title, sentence(&trouble.what), sentence(&trouble.hint))
            .leading_to("/zones", "Zones")
    }

    pub(crate) fn two_audits() -> Self {
        Self::new(
            StatusCode::BAD_REQUEST,
            "Choose two audits",
            "A comparison is of two audits.",
            "Go back to the list of runs, and choose two audits there.",
        )
        .leading_to("/runs?kind=audit", "Audits")
    }

    /// A file of waivers that cannot be read, where a report would look as if there were none.
    pub(crate) fn of_waivers(trouble: &Trouble) -> Self {
        let title = "The waivers cannot be read";
        Self::new(StatusCode::UNPROCESSABLE_ENTITY, title, sentence(&trouble.what), sentence(&trouble.hint))
    }

    /// The Activity Log could not be asked at all.
    pub(crate) fn unread_log(trouble: &Trouble) -> Self {
        let title = "The Activity Log could not be read";
        Self::new(StatusCode::UNPROCESSABLE_ENTITY, title, sentence(&trouble.what), sentence(&trouble.hint))
    }

    pub(crate) fn too_slow() -> Self {
        Self::new(
            StatusCode::SERVICE_UNAVAILABLE,
            "It took too long",
            "The console did not answer in time.",
            "Reload the page. If this happens again, the disk with the state directory may be slow or full.",
        )
    }

    pub(crate) fn too_many() -> Self {
        Self::new(
            StatusCode::SERVICE_UNAVAILABLE,
            "Too many at once",
            "Too many requests of this kind are in progress.",
            "Reload the page in a moment.",
        )
    }

    pub(crate) fn read_only() -> Self {
        Self::new(
            StatusCode::FORBIDDEN,
            "Nothing was changed",
            "This console is read-only.",
            "Start it with hostssl serve --allow-changes to change servers from here.",
        )
    }

    pub(crate) fn role_needed(needed: Role, has: Role) -> Self {
        Self::new(
            StatusCode::FORBIDDEN,
            "Your role does not allow this",
            format!("This needs the role {needed}, and you are signed in as {has}. Nothing was changed."),
            format!(
                "{} {}. Ask someone who has this role to do it, or an approver for a link with this role.",
                needed.who(),
                needed.may()
            ),
        )
    }

    pub(crate) fn bad_name() -> Self {
        Self::new(
            StatusCode::BAD_REQUEST,
            "This name cannot be used",
            "A name has up to 200 bytes and no invisible characters. No link was made.",
            "Go back and choose another name.",
        )
    }

    pub(crate) fn name_in_use(name: &str, role: Role) -> Self {
        Self::new(
            StatusCode::CONFLICT,
            "This name is in use",
            format!("{name} is signed in, or has a link, as {role}. No link was made."),
            "Choose another name, or end the sessions of this one first.",
        )
    }

    pub(crate) fn nothing_to_save() -> Self {
        Self::new(
            StatusCode::CONFLICT,
            "Nothing to save",
            "The server already has these values, as far as the newest audit knows. Nothing was changed.",
            "Go back and choose another value, or audit again.",
        )
    }

    pub(crate) fn nothing_chosen() -> Self {
        Self::new(
            StatusCode::BAD_REQUEST,
            "No server was chosen",
            "A plan needs at least one server. Nothing was changed.",
            "Go back to All resources and choose some.",
        )
        .leading_to("/resources", "All resources")
    }

    pub(crate) fn too_many_chosen(most: usize) -> Self {
        let what = format!("A plan that is made here has {most} servers at most. Nothing was changed.");
        Self::new(
            StatusCode::BAD_REQUEST,
            "Too many servers",
            what,
            "Narrow the list, and plan for one part at a time.",
        )
    }

    pub(crate) fn large_canary() -> Self {
        Self::new(
            StatusCode::BAD_REQUEST,
            "The canary is too large",
            "The canary is the small wave that goes first: it cannot be larger than the others. Nothing was changed.",
            "Go back and choose a smaller canary or larger waves.",
        )
    }

    pub(crate) fn change_in_progress(run: &hostssl_remediation::RunId) -> Self {
        let todo = "Wait until it has ended, or stop it on its page; then send the form again.";
        let what =
            "This console is already changing servers, and does so one run at a time. This form changed nothing.";
        let page = format!("/applies/{run}");
        Self::new(StatusCode::CONFLICT, "Another change is in progress", what, todo)
            .leading_to(page, "Show that change")
    }

    pub(crate) fn broken_off(trouble: &Trouble) -> Self {
        let todo = format!("Some values may already have been sent to Azure. {}", sentence(&trouble.hint));
        Self::new(StatusCode::SERVICE_UNAVAILABLE, "This run was interrupted", sentence(&trouble.what), todo)
    }

    pub(crate) fn not_begun(trouble: &Trouble) -> Self {
        let (what, todo) = (sentence(&trouble.what), sentence(&trouble.hint));
        Self::new(StatusCode::CONFLICT, "This run did not begin", what, todo)
    }

    pub(crate) fn defect() -> Self {
        Self::new(
            StatusCode::INTERNAL_SERVER_ERROR,
            "A bug in hostssl",
            "The page could not be rendered.",
            "Reload it. If it happens again, report it with what the console wrote to its terminal.",
        )
    }

    pub(crate) fn lost_audit(trouble: &Trouble) -> Self {
        let what = sentence(&trouble.what);
        Self::new(StatusCode::SERVICE_UNAVAILABLE, "This audit was not kept", what, sentence(&trouble.hint))
    }
}

/// A fragment as a sentence.
pub(crate) fn sentence(fragment: impl Display) -> String {
    let fragment = fragment.to_string();
    let mut chars = fragment.chars();
    let first = chars.next().map(|c| c.to_uppercase().to_string()).unwrap_or_default();
    let end = if fragment.ends_with(['.', '!', '?']) { "" } else { "." };
    format!("{first}{}{end}", chars.as_str())
}

impl From<SessionStoreError> for Failure {
    fn from(error: SessionStoreError) -> Self {
        match error {
            SessionStoreError::State(error) => error.into(),
            SessionStoreError::Random(_) => Self::defect(),
        }
    }
}

impl From<StoreError> for Failure {
    fn from(error: StoreError) -> Self {
        tracing::warn!(%error, "the state cannot be used");
        // The directory's path is this machine's, and no visitor's concern.
        let what = match &error {
            StoreError::NoState(_) | StoreError::Foreign(_) | StoreError::Exposed(_) | StoreError::Directory { .. } => {
                "the state directory cannot be used".to_owned()
            }
            StoreError::Gone(_) => {
                "the state directory was removed, moved or replaced while the console was using it".to_owned()
            }
            other => other.to_string(),
        };
        let title = match &error {
            StoreError::Shared { .. } => "The shared store cannot be used",
            _ => "The state directory cannot be read",
        };
        Self::new(
            StatusCode::SERVICE_UNAVAILABLE,
            title,
            sentence(&what),
            format!("Nothing was lost. {}", sentence(error.advice())),
        )
    }
}

impl Failure {
    /// The failure in the frame of the reader.
    pub(crate) fn framed(&self, shell: Shell) -> Response {
        let template = FailurePage { shell: shell.titled(self.title.to_string(), ""), failure: self };
        let html = template.render().unwrap_or_else(|_| "A bug in hostssl.".to_owned());
        (self.status, Html(visible_lines(&html).into_owned())).into_response()
    }
}

impl IntoResponse for Failure {
    fn into_response(self) -> Response {
        let mut response = self.framed(Shell::default());
        // For layers that know more of the frame.
        response.extensions_mut().insert(self);
        response
    }
}

/// Puts failures into the frame of the person who is signed in.
pub(crate) async fn frame_failures(shell: Shell, request: Request, next: Next) -> Response {
    let mut response = next.run(request).await;
    match response.extensions_mut().remove::<Failure>() {
        Some(failure) => failure.framed(shell),
        None => response,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use hostssl_model::untrusted::{HARMFUL, is_harmful};

    #[derive(Template)]
    #[template(source = "<p>\n{{ text }}</p>", ext = "html")]
    struct AnyPage {
        text: String,
    }

    #[tokio::test]
    async fn no_harmful_character_comes_out_of_a_page() {
        let text: String = HARMFUL.iter().flat_map(|&(first, last)| first..=last).collect();
        let page = page(&AnyPage { text: format!("Größe<{text}") }).unwrap();
        let body = axum::body::to_bytes(page.into_body(), usize::MAX).await.unwrap();
        let html = String::from_utf8(body.to_vec()).unwrap();
        assert!(html.starts_with("<p>\nGröße&#60;\u{fffd}"), "{}", html.get(..40).unwrap_or_default());
        assert!(!html.contains(|c| c != '\n' && is_harmful(c)));
    }
}
