//! Why a plan is not approved or applied.

use super::Failure;
use axum::http::StatusCode;
use hostssl_remediation::RunId;

impl Failure {
    pub(crate) fn empty_plan() -> Self {
        Self::new(
            StatusCode::CONFLICT,
            "Nothing to apply",
            "The plan changes no server, so nothing was written.",
            "Go back to the plan: it says why each server is left out.",
        )
    }

    pub(crate) fn no_loosening() -> Self {
        Self::new(
            StatusCode::FORBIDDEN,
            "Nothing was changed",
            "This plan makes a server less strict, and this console was started with --no-loosening.",
            "If it is intended, use hostssl server update --reason TEXT on the command line.",
        )
    }

    pub(crate) fn reason_needed() -> Self {
        Self::new(
            StatusCode::CONFLICT,
            "A reason is needed",
            "This plan makes a server less strict and gives no reason. Nothing was changed.",
            "Go back to the plan and give a reason there: the plan and the journal record it.",
        )
    }

    pub(crate) fn reason_needed_to_undo() -> Self {
        Self::new(
            StatusCode::CONFLICT,
            "A reason is needed",
            "Undoing this run makes a server less strict, and the form gives no reason. Nothing was changed.",
            "Go back to the run and give a reason there: the journal records it.",
        )
    }

    pub(crate) fn unsound_plan() -> Self {
        Self::new(
            StatusCode::CONFLICT,
            "The plan was refused",
            "The independent check found something in this plan that must not be applied. Nothing was changed.",
            "Go back to the plan: it says what is wrong, and how to plan again.",
        )
    }

    pub(crate) fn not_this_plan() -> Self {
        Self::new(
            StatusCode::CONFLICT,
            "The form is of another plan",
            "The hash that was sent is not the hash of this plan. Nothing was changed: no approval was given or withdrawn, and nothing was written.",
            "Load the plan again, review it, and continue from there.",
        )
    }

    pub(crate) fn stale_plan(most: std::time::Duration) -> Self {
        let what = format!(
            "The servers were checked more than {} ago and may have changed since. Nothing was changed.",
            crate::view::plural(most.as_secs() / 60, "minute")
        );
        Self::new(StatusCode::CONFLICT, "This plan is too old", what, "Go back to the plan and choose Plan again.")
    }

    pub(crate) fn approvers_are_named() -> Self {
        Self::new(
            StatusCode::FORBIDDEN,
            "Approvers cannot be invited here",
            "This console requires several approvals, so approvers cannot invite each other. No link was made.",
            "Restart the console with --link NAME=approver.",
        )
    }

    pub(crate) fn unreadable_plan() -> Self {
        Self::new(
            StatusCode::CONFLICT,
            "This plan cannot be read",
            "It was saved by another version of hostssl, or it is damaged. Nothing was changed.",
            "Plan again from the server or from All resources.",
        )
    }

    pub(crate) fn applied_already(run: &RunId) -> Self {
        let (title, what) =
            ("This plan was applied", "A run of this plan has begun. Nothing was approved or withdrawn.");
        Self::new(StatusCode::CONFLICT, title, what, "Look at its page.")
            .leading_to(format!("/applies/{run}"), "Show the run")
    }

    pub(crate) fn own_plan() -> Self {
        Self::new(
            StatusCode::FORBIDDEN,
            "You cannot approve this plan",
            "A plan has to be approved by someone with a name who did not make it. Nothing was approved.",
            "Send the address of the plan to an approver.",
        )
    }

    pub(crate) fn not_approved() -> Self {
        Self::new(
            StatusCode::CONFLICT,
            "Nothing was withdrawn",
            "You have not approved this plan, or you have withdrawn that already.",
            "Load the page of the plan again to see who has approved it.",
        )
    }

    pub(crate) fn approvals_missing(given: &str) -> Self {
        Self::new(
            StatusCode::CONFLICT,
            "Approvals are missing",
            format!("This plan has {given}. Nothing was changed."),
            "Send the address of the plan to an approver.",
        )
    }
}
