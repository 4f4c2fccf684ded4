//! An audit, or a plan that is made, that another console of the state works on.

use crate::elsewhere::WorkElsewhere;
use crate::reply::{Failure, page};
use crate::view::Shell;
use askama::Template;
use axum::response::Response;
use hostssl_store::WorkKind;

#[derive(Template)]
#[template(path = "work_elsewhere.html")]
struct WorkPage {
    shell: Shell,
    title: &'static str,
    is_audit: bool,
    work: WorkElsewhere,
}

/// Shows how far it was when its console was heard last.
pub(super) fn show_elsewhere(shell: Shell, work: WorkElsewhere) -> Result<Response, Failure> {
    let (title, section) = match (work.kind, work.is_silent()) {
        (WorkKind::Audit, false) => ("Audit in progress", "runs"),
        (WorkKind::Audit, true) => ("Audit without a report", "runs"),
        (WorkKind::Plan, false) => ("Planning", "plans"),
        (WorkKind::Plan, true) => ("Plan without a report", "plans"),
    };
    page(&WorkPage { shell: shell.titled(title, section), title, is_audit: work.kind == WorkKind::Audit, work })
}
