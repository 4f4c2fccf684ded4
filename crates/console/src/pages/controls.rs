//! Controls with their documentation, and how they ended in the latest audit.

use crate::reply::{Failure, page};
use crate::shared::Shared;
use crate::view::Shell;
use crate::waivers::{WaiverNote, Waivers};
use askama::Template;
use askama::filters::HtmlSafe;
use axum::extract::{Path, State};
use axum::response::Response;
use hostssl_model::{ControlId, Word};
use hostssl_ops::{Control, Profile, controls, find_control};
use hostssl_store::ControlTally;
use pulldown_cmark::{Event, Options, Parser, html};
use std::fmt;

#[derive(Template)]
#[template(path = "controls.html")]
struct Controls {
    shell: Shell,
    controls: Vec<(&'static Control, Option<ControlTally>, u64)>,
    /// What the file of waivers waives, when there is one.
    waivers: Option<WaiverNote>,
    /// Whether failures that are waived are counted.
    has_waivers: bool,
    profiles: Vec<Profile>,
}

#[derive(Template)]
#[template(path = "control.html")]
struct ControlPage {
    shell: Shell,
    control: &'static Control,
    tally: Option<ControlTally>,
    profiles: Vec<String>,
    documentation: Documentation,
}

/// The documentation of a control as HTML.
struct Documentation(String);

impl fmt::Display for Documentation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

// Made from the program's own pages, with raw HTML taken as text.
impl HtmlSafe for Documentation {}

pub(crate) async fn list(State(shared): State<Shared>, shell: Shell) -> Result<Response, Failure> {
    let (tallies, laid) = tallies(&shared).await?;
    let controls =
        controls().iter().map(|control| (*control, find(&tallies, control.id), laid.of_control(Some(control.id))));
    page(&Controls {
        shell: shell.titled("Controls", "controls"),
        controls: controls.collect(),
        waivers: laid.note(),
        has_waivers: laid.are_laid(),
        profiles: Profile::all(),
    })
}

pub(crate) async fn show(
    State(shared): State<Shared>,
    Path(id): Path<String>,
    shell: Shell,
) -> Result<Response, Failure> {
    let control = find_control(&id).ok_or_else(Failure::not_found)?;
    let holds = |profile: &Profile| profile.controls.iter().any(|one| one.id == control.id);
    page(&ControlPage {
        shell: shell.titled(control.id.as_str(), "controls"),
        control,
        tally: find(&tallies(&shared).await?.0, control.id),
        profiles: Profile::all().iter().filter(|profile| holds(profile)).map(ToString::to_string).collect(),
        documentation: Documentation(to_html(control.documentation)),
    })
}

/// How the controls ended, and what of that is waived.
async fn tallies(shared: &Shared) -> Result<(Vec<(Word<ControlId>, ControlTally)>, Waivers), Failure> {
    let asker = shared.clone();
    shared
        .ask(move |store| match store.latest()? {
            Some(audit) => Ok((store.control_tallies(&audit)?, asker.waivers(store, &audit)?)),
            None => Ok((Vec::new(), Waivers::default())),
        })
        .await
}

fn find(tallies: &[(Word<ControlId>, ControlTally)], id: ControlId) -> Option<ControlTally> {
    tallies.iter().find(|(control, _)| control.known() == Some(id)).map(|(_, tally)| *tally)
}

/// Markdown as HTML. The page has its title already, so the first heading goes.
fn to_html(markdown: &str) -> String {
    let body = markdown.split_once('\n').map_or(markdown, |(_, body)| body);
    let events = Parser::new_ext(body, Options::ENABLE_TABLES).map(|event| match event {
        Event::Html(text) | Event::InlineHtml(text) => Event::Text(text),
        other => other,
    });
    let mut page = String::new();
    html::push_html(&mut page, events);
    // A wide table scrolls by itself, and can be reached by keyboard for that.
    page.replace("<table>", r#"<div class="scroll" tabindex="0" role="group" aria-label="Table"><table>"#)
        .replace("</table>", "</table></div>")
        .replace("<th></th>", "<td></td>")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn documentation_is_html_and_raw_html_is_text() {
        let page = to_html("# title\n\nA `b`.\n\n<script>x</script>\n\n| a | b |\n| - | - |\n| 1 | 2 |\n");
        assert!(!page.contains("<h1>") && !page.contains("<script>"), "{page}");
        assert!(page.contains("<code>b</code>") && page.contains("&lt;script&gt;") && page.contains("<td>1</td>"));
    }
}
