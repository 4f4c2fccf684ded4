//! The frame of a page: who looks, where they are, and what every page says.

use super::asset_path;
use crate::user_role::Role;
use axum::http::HeaderValue;

/// What the frame needs to know.
#[derive(Debug, Clone)]
pub(crate) struct Shell {
    /// The page's title.
    pub(crate) title: String,
    /// The entry of the navigation that the page belongs to.
    pub(crate) section: &'static str,
    /// Who looks; `None` on pages for those who have not signed in.
    pub(crate) person: Option<String>,
    /// What they may do; meaningless for those who have not signed in.
    pub(crate) role: Role,
    /// Whether a proxy signed them in, so that signing out here means nothing.
    pub(crate) by_proxy: bool,
    /// The token for forms.
    pub(crate) csrf: String,
    /// `light`, `dark`, or empty for the system's.
    pub(crate) theme: &'static str,
    /// The page's own address, for coming back.
    pub(crate) here: String,
    /// The scenario, when this is a simulation.
    pub(crate) simulated: Option<String>,
    /// The audit in progress, unless this is its page.
    pub(crate) running: Option<String>,
    /// Whether audits that are started here may look at the wire.
    pub(crate) can_probe: bool,
    /// Whether there is anything of zones that they can count.
    pub(crate) has_zones: bool,
    /// The run that changes servers now, unless this is its page.
    pub(crate) changing: Option<String>,
    /// Whether servers may be changed from here.
    pub(crate) allow_changes: bool,
    /// The version of the program.
    pub(crate) version: String,
}

impl Default for Shell {
    fn default() -> Self {
        Self {
            title: String::new(),
            section: "",
            person: None,
            role: Role::Viewer,
            by_proxy: false,
            csrf: String::new(),
            theme: "",
            here: String::new(),
            simulated: None,
            running: None,
            can_probe: false,
            has_zones: false,
            changing: None,
            allow_changes: false,
            version: String::new(),
        }
    }
}

impl Shell {
    /// The frame of a page that anyone may see.
    pub(crate) fn bare(title: String) -> Self {
        Self { title, ..Self::default() }
    }

    /// Whether the reader may start and stop audits and probes.
    pub(crate) fn may_audit(&self) -> bool {
        self.role >= Role::Planner
    }

    /// Whether the reader may make plans here, and stop what they began.
    pub(crate) fn may_plan(&self) -> bool {
        self.allow_changes && self.role >= Role::Planner
    }

    /// Whether the reader may write to servers from here.
    pub(crate) fn may_apply(&self) -> bool {
        self.allow_changes && self.role >= Role::Approver
    }

    /// Whether the reader may give others access.
    pub(crate) fn may_invite(&self) -> bool {
        self.role >= Role::Approver
    }

    /// The frame with the page's title and its place.
    pub(crate) fn titled(self, title: impl Into<String>, section: &'static str) -> Self {
        Self { title: title.into(), section, ..self }
    }

    /// The address of one of the console's files.
    pub(crate) fn file(&self, name: &str) -> String {
        asset_path(name)
    }

    /// Marks the entry of the navigation where the reader is.
    pub(crate) fn current(&self, section: &str) -> bool {
        self.section == section
    }
}

const THEME: &str = "hostssl-theme";

/// The cookie that remembers a theme; anything but light and dark forgets it.
pub(crate) fn theme_cookie(theme: &str) -> HeaderValue {
    let (value, age) = match theme {
        "dark" => ("dark", 31_536_000),
        "light" => ("light", 31_536_000),
        _ => ("", 0),
    };
    HeaderValue::from_str(&format!("{THEME}={value}; Path=/; Max-Age={age}; HttpOnly; SameSite=Strict"))
        .unwrap_or(HeaderValue::from_static(""))
}
