//! All resources: every server of an audit, filtered, sorted and paged by what stands in the address.

use super::overview::{Overtaken, changed_after};
use super::tag::tag_pair;
use super::{Asked, Paging, Row};
use crate::reply::{Failure, page, see_other};
use crate::shared::Shared;
use crate::view::{Ago, Badge, Bar, Shell, count, floor_word, kind_word, server_reason_words};
use askama::Template;
use axum::extract::{RawQuery, State};
use axum::http::{HeaderMap, HeaderValue};
use axum::response::Response;
use hostssl_model::{Coded, Outcome, Standing, Word};
use hostssl_store::{
    AuditEntry, AuditStore, Enforcement, Facets, Page, ServerFilter, ServerRow, ServerSort, StoreError,
};
use serde::Deserialize;
use std::sync::Arc;

/// Rows on a page.
const SIZE: u32 = 100;
/// The longest search that is taken.
const MAX_SEARCH: usize = 200;

/// The view, as it stands in the address. Whatever is not there is as if empty.
///
/// A parameter that is not one of these is refused: a filter whose name is misspelled must not choose every server for a change.
#[derive(Debug, Clone, Default, Deserialize, PartialEq, Eq)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct View {
    /// In the address of a file: which format it has. No part of the view.
    pub(crate) format: String,
    pub(crate) q: String,
    pub(crate) kind: String,
    pub(crate) subscription: String,
    pub(crate) enforcement: String,
    pub(crate) standing: String,
    /// A control that fails.
    pub(crate) failing: String,
    /// The lowest TLS version in Azure's words.
    pub(crate) floor: String,
    /// Certificates that expire within so many days (`30`), between two numbers of days (`30-90`, `365-`, `-0`), or `none` for
    /// servers of which no certificate is known.
    pub(crate) expires: String,
    /// A tag that it has, as `NAME=VALUE`.
    pub(crate) tag: String,
    /// The name of a tag that it does not have.
    pub(crate) untagged: String,
    pub(crate) outcome: String,
    pub(crate) state: String,
    pub(crate) reason: String,
    pub(crate) wire: String,
    pub(crate) sort: String,
    pub(crate) dir: String,
    pub(crate) run: String,
    pub(crate) page: u32,
}

/// A column that can be sorted by.
pub(crate) struct SortLink {
    title: &'static str,
    link: String,
    sorted: &'static str,
}

impl SortLink {
    /// The column in the style sheet.
    fn column(&self) -> &'static str {
        COLUMNS.iter().find(|(title, ..)| *title == self.title).map_or("name", |(_, word, _)| match *word {
            "" => "standing",
            word => word,
        })
    }
}

#[derive(Template)]
#[template(path = "resources.html")]
struct Resources {
    shell: Shell,
    view: View,
    found: Option<Found>,
}

struct Found {
    audit: AuditEntry,
    ago: Ago,
    facets: Arc<Facets>,
    rows: Vec<Row>,
    total: u64,
    figures: Vec<(Standing, Badge, String)>,
    bar: Bar,
    /// The filters that are set: what each is, and the address without it.
    active: Vec<(String, String)>,
    /// Servers that do not enforce, of those that match.
    open: u64,
    /// Which of the controls fail somewhere.
    controls: Vec<&'static str>,
    paging: Paging,
    headings: Vec<SortLink>,
    all: String,
    /// The run that changed servers after the latest audit, and when.
    changed: Option<Overtaken>,
}

pub(crate) async fn show(
    State(shared): State<Shared>,
    Asked(view): Asked<View>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
    shell: Shell,
) -> Result<Response, Failure> {
    if !view.is_understood() {
        return Err(Failure::bad_address());
    }
    let by_script = headers.contains_key("hx-request");
    let link = view.link();
    // A form sends its empty fields too; the address that is shared has none.
    if !by_script && query.is_some_and(|query| query.split('&').any(|pair| pair.is_empty() || pair.ends_with('='))) {
        return Ok(see_other(&link));
    }
    let asked = view.clone();
    let asker = shared.clone();
    let found = shared.ask(move |store| look(&asker, store, &asked)).await?;
    if found.is_none() && !view.run.is_empty() {
        return Err(Failure::no_such_run());
    }
    let mut response = page(&Resources { shell: shell.titled("All resources", "resources"), view, found })?;
    if let Some(link) = by_script.then(|| HeaderValue::from_str(&link).ok()).flatten() {
        response.headers_mut().insert("hx-replace-url", link);
    }
    Ok(response)
}

fn look(shared: &Shared, store: &AuditStore, view: &View) -> Result<Option<Found>, StoreError> {
    let Some(audit) = audit_of(store, &view.run)? else { return Ok(None) };
    let (sort, descending) = view.sort();
    let page = Page { number: view.page, size: SIZE };
    let servers = store.servers(&audit, &view.filter(), sort, descending, page)?;
    let standings = servers.standings;
    let waivers = shared.waivers(store, &audit)?;
    let row = |server: ServerRow| {
        let waived = waivers.of_server(&server.key);
        Row { waived, ..Row::from(server) }
    };
    Ok(Some(Found {
        ago: Ago::new(audit.started_ms),
        facets: store.facets(&audit)?,
        paging: Paging::new(view.page, SIZE, servers.total, |page| view.at_page(page)),
        total: servers.total,
        figures: Standing::ALL
            .into_iter()
            .filter(|one| standings.count(*one) > 0 || view.standing == one.as_str())
            .map(|one| (one, one.into(), count(standings.count(one))))
            .collect(),
        bar: Bar::of(&standings),
        active: view.active(&audit, store)?,
        open: servers.tally.not_enforced,
        controls: hostssl_ops::controls().iter().map(|control| control.id.as_str()).collect(),
        headings: view.headings(),
        all: count(audit.tally.servers()),
        changed: if view.run.is_empty() { changed_after(store, &audit)? } else { None },
        rows: servers.rows.into_iter().map(row).collect(),
        audit,
    }))
}

/// The audit of this id; without one, the latest.
pub(crate) fn audit_of(store: &AuditStore, id: &str) -> Result<Option<AuditEntry>, StoreError> {
    if id.is_empty() { store.latest() } else { store.audit(id) }
}

/// Columns, their names in addresses, and what they sort by.
const COLUMNS: [(&str, &str, ServerSort); 10] = [
    ("Name", "name", ServerSort::Name),
    ("TLS enforcement", "", ServerSort::Urgency),
    ("Probe", "wire", ServerSort::Wire),
    ("Min. TLS", "tls", ServerSort::Tls),
    ("Failing", "failing", ServerSort::Failing),
    ("Type", "kind", ServerSort::Kind),
    ("Resource group", "group", ServerSort::ResourceGroup),
    ("Subscription", "subscription", ServerSort::Subscription),
    ("State", "state", ServerSort::State),
    ("Unchanged since", "since", ServerSort::Since),
];

/// A word of an address; none where it is empty.
fn word<T: Coded>(text: &str) -> Option<Word<T>> {
    (!text.is_empty()).then(|| Word::read(text))
}

impl View {
    /// What the store is asked for. Words that are none ask for nothing.
    pub(crate) fn filter(&self) -> ServerFilter {
        let outcomes = [Outcome::Pass, Outcome::Fail, Outcome::Unknown];
        let expiry = Expiry::read(&self.expires).unwrap_or_default();
        ServerFilter {
            search: self.q.trim().chars().take(MAX_SEARCH).collect(),
            kind: word(&self.kind),
            subscription: self.subscription.to_ascii_lowercase(),
            outcome: outcomes.into_iter().find(|outcome| outcome.as_str() == self.outcome),
            enforcement: Enforcement::from_word(&self.enforcement),
            state: self.state.clone(),
            reason: word(&self.reason),
            wire: word(&self.wire),
            standings: Standing::from_word(&self.standing).into_iter().collect(),
            failing: word(&self.failing),
            floor: word(&self.floor),
            expires_from_ms: expiry.from.map(in_days),
            expires_before_ms: expiry.until.map(in_days),
            no_certificate: expiry.none,
            tag: tag_pair(&self.tag),
            untagged: self.untagged.clone(),
        }
    }

    /// Whether every word that is one of a few is one of them: a word that is not known must not choose servers for a change,
    /// and a shared address must not show others than it was made for.
    pub(crate) fn is_understood(&self) -> bool {
        let outcomes = [Outcome::Pass, Outcome::Fail, Outcome::Unknown];
        let outcome = self.outcome.is_empty() || outcomes.iter().any(|outcome| outcome.as_str() == self.outcome);
        let enforcement = self.enforcement.is_empty() || Enforcement::from_word(&self.enforcement).is_some();
        let standing = self.standing.is_empty() || Standing::from_word(&self.standing).is_some();
        let failing = self.failing.is_empty() || hostssl_ops::find_control(&self.failing).is_some();
        let expires = self.expires.is_empty() || Expiry::read(&self.expires).is_some();
        let tag = self.tag.is_empty() || self.tag.contains('=');
        let sort = COLUMNS.iter().any(|(_, word, _)| *word == self.sort);
        outcome
            && enforcement
            && standing
            && failing
            && expires
            && tag
            && sort
            && matches!(self.dir.as_str(), "" | "desc")
    }

    fn sort(&self) -> (ServerSort, bool) {
        let sort = COLUMNS.into_iter().find(|(_, word, _)| *word == self.sort).map(|(_, _, sort)| sort);
        (sort.unwrap_or_default(), self.dir == "desc")
    }

    fn headings(&self) -> Vec<SortLink> {
        let (sort, descending) = self.sort();
        let heading = |(title, word, by): (&'static str, &str, ServerSort)| {
            let here = by == sort;
            let dir = if here && !descending { "desc" } else { "" };
            let next = Self { sort: word.to_owned(), dir: dir.to_owned(), page: 0, ..self.clone() };
            let sorted = match (here, descending) {
                (false, _) => "",
                (true, false) => "ascending",
                (true, true) => "descending",
            };
            SortLink { title, link: next.link(), sorted }
        };
        COLUMNS.into_iter().map(heading).collect()
    }

    /// The filters that are set: what each is, and the address without it.
    fn active(&self, audit: &AuditEntry, store: &AuditStore) -> Result<Vec<(String, String)>, StoreError> {
        let mut active = Vec::new();
        let mut add = |words: String, without: fn(&mut Self)| {
            let mut view = Self { page: 0, ..self.clone() };
            without(&mut view);
            active.push((words, view.link()));
        };
        if !self.q.is_empty() {
            add(format!("“{}”", self.q), |view| view.q.clear());
        }
        if !self.kind.is_empty() {
            add(kind_word(&Word::read(&self.kind)).to_owned(), |view| view.kind.clear());
        }
        if let Some(standing) = Standing::from_word(&self.standing) {
            add(standing.words().to_owned(), |view| view.standing.clear());
        }
        if !self.enforcement.is_empty() {
            add(format!("declared {}", self.enforcement.replace('-', " ")), |view| view.enforcement.clear());
        }
        if !self.wire.is_empty() {
            add(format!("probe: {}", Badge::from(&Word::read(&self.wire)).word), |view| view.wire.clear());
        }
        if !self.outcome.is_empty() {
            add(format!("controls: {}", self.outcome), |view| view.outcome.clear());
        }
        if !self.failing.is_empty() {
            add(format!("fails {}", self.failing), |view| view.failing.clear());
        }
        if !self.floor.is_empty() {
            add(format!("minimum {}", floor_word(Some(&Word::read(&self.floor)))), |view| view.floor.clear());
        }
        if !self.expires.is_empty() {
            add(Expiry::read(&self.expires).unwrap_or_default().words(), |view| view.expires.clear());
        }
        if let Some((name, value)) = tag_pair(&self.tag) {
            add(format!("{name}: {value}"), |view| view.tag.clear());
        }
        if !self.untagged.is_empty() {
            add(format!("without the tag {}", self.untagged), |view| view.untagged.clear());
        }
        if !self.subscription.is_empty() {
            let facets = store.facets(audit)?;
            let name = facets.subscriptions.iter().find(|(id, ..)| id.eq_ignore_ascii_case(&self.subscription));
            add(name.map_or_else(|| self.subscription.clone(), |(_, name, _)| name.clone()), |view| {
                view.subscription.clear();
            });
        }
        if !self.state.is_empty() {
            add(self.state.clone(), |view| view.state.clear());
        }
        if !self.reason.is_empty() {
            add(server_reason_words(&Word::read(&self.reason)).to_owned(), |view| view.reason.clear());
        }
        Ok(active)
    }

    /// Whether anything narrows the list.
    pub(crate) fn is_narrowed(&self) -> bool {
        self.filter() != ServerFilter::default()
    }

    /// The fields that are set, as they stand behind a question mark.
    pub(crate) fn query(&self) -> String {
        let page = if self.page == 0 { String::new() } else { self.page.to_string() };
        let fields = [
            ("q", self.q.as_str()),
            ("kind", &self.kind),
            ("subscription", &self.subscription),
            ("enforcement", &self.enforcement),
            ("standing", &self.standing),
            ("failing", &self.failing),
            ("floor", &self.floor),
            ("expires", &self.expires),
            ("tag", &self.tag),
            ("untagged", &self.untagged),
            ("outcome", &self.outcome),
            ("state", &self.state),
            ("reason", &self.reason),
            ("wire", &self.wire),
            ("sort", &self.sort),
            ("dir", &self.dir),
            ("run", &self.run),
            ("page", &page),
        ];
        let mut query = form_urlencoded::Serializer::new(String::new());
        query.extend_pairs(fields.into_iter().filter(|(_, value)| !value.is_empty()));
        query.finish()
    }

    /// The address of this view.
    pub(crate) fn link(&self) -> String {
        let query = self.query();
        if query.is_empty() { "/resources".to_owned() } else { format!("/resources?{query}") }
    }

    /// The address of another page of it.
    pub(crate) fn at_page(&self, page: u32) -> String {
        Self { page, ..self.clone() }.link()
    }

    /// The address of the file with what is shown, in this format.
    pub(crate) fn export(&self, format: &str) -> String {
        let query = Self { page: 0, sort: String::new(), dir: String::new(), ..self.clone() }.query();
        format!("/resources/export?format={format}{}{query}", if query.is_empty() { "" } else { "&" })
    }

    fn with_standing(&self, standing: &Standing) -> String {
        let word = if self.standing == standing.as_str() { "" } else { standing.as_str() };
        Self { standing: word.to_owned(), page: 0, ..self.clone() }.link()
    }
}

/// When certificates expire, in days from now.
#[derive(Debug, Default, PartialEq, Eq)]
struct Expiry {
    from: Option<u16>,
    until: Option<u16>,
    /// Servers of which no certificate is known.
    none: bool,
}

impl Expiry {
    /// `30`, `30-90`, `365-`, `-0` or `none`; `None` for what is nothing of that.
    fn read(text: &str) -> Option<Self> {
        let days = |text: &str| if text.is_empty() { Some(None) } else { text.parse().ok().map(Some) };
        match text.split_once('-') {
            _ if text == "none" => Some(Self { none: true, ..Self::default() }),
            None => Some(Self { until: Some(text.parse().ok()?), ..Self::default() }),
            Some(("", "")) => None,
            Some((from, until)) => Some(Self { from: days(from)?, until: days(until)?, none: false }),
        }
    }

    fn words(&self) -> String {
        match (self.from, self.until) {
            _ if self.none => "no certificate is known".to_owned(),
            (None, Some(0)) => "certificate expired".to_owned(),
            (None, Some(until)) => format!("certificate expires within {until} days"),
            (Some(from), Some(until)) => format!("certificate expires in {from} to {until} days"),
            (Some(from), None) => format!("certificate expires in more than {from} days"),
            (None, None) => String::new(),
        }
    }
}

/// The moment so many days from now, in milliseconds since 1970-01-01T00:00:00Z.
fn in_days(days: u16) -> i64 {
    jiff::Timestamp::now().as_millisecond() + i64::from(days) * 86_400_000
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_view_is_its_address() {
        let view = View { q: "a&b=c".into(), sort: "name".into(), page: 2, ..View::default() };
        assert_eq!(view.link(), "/resources?q=a%26b%3Dc&sort=name&page=2");
        assert_eq!(view.export("csv"), "/resources/export?format=csv&q=a%26b%3Dc");
        assert_eq!(View::default().link(), "/resources");
        let uri = view.link().parse().unwrap();
        assert_eq!(axum::extract::Query::<View>::try_from_uri(&uri).unwrap().0, view);
    }

    #[test]
    fn expiries_are_read_as_they_are_written() {
        let filter_words = |text| Expiry::read(text).map(|expiry| expiry.words());
        assert_eq!(filter_words("30").as_deref(), Some("certificate expires within 30 days"));
        assert_eq!(filter_words("30-90").as_deref(), Some("certificate expires in 30 to 90 days"));
        assert_eq!(filter_words("365-").as_deref(), Some("certificate expires in more than 365 days"));
        assert_eq!(filter_words("-0").as_deref(), Some("certificate expired"));
        assert_eq!(filter_words("none").as_deref(), Some("no certificate is known"));
        for text in ["", "-", "x", "1-x", "1-2-3", "-1-"] {
            assert_eq!(filter_words(text), None, "{text}");
        }
    }

    #[test]
    fn the_sorted_column_turns_round() {
        let view = View { sort: "name".into(), ..View::default() };
        let headings = view.headings();
        assert_eq!((headings[0].sorted, headings[0].link.as_str()), ("ascending", "/resources?sort=name&dir=desc"));
        assert_eq!((headings[1].sorted, headings[1].link.as_str()), ("", "/resources"));
    }
}
