//! The fleet in parts: by subscription, kind, lowest TLS version and certificate. Each bar filters the list.

use crate::pages::tag::tag_text;
use crate::view::{Bar, count, floor_word, is_weak, kind_word};
use hostssl_model::{Floor, Kind, Standings, Word};
use hostssl_store::{Facets, TagName};

/// Parts in each breakdown.
const PARTS: usize = 8;
const DAY_MS: i64 = 86_400_000;

/// A bar for each part of the fleet; each filters the list.
pub(super) struct Breakdown {
    pub(super) title: String,
    /// Other ways to break it down: words and address.
    pub(super) others: Vec<(String, String)>,
    pub(super) rows: Vec<PartRow>,
    pub(super) more: usize,
}

pub(super) struct PartRow {
    pub(super) words: String,
    pub(super) link: String,
    pub(super) bar: Bar,
    pub(super) servers: String,
    /// Those that do not enforce.
    pub(super) bad: u64,
}

/// Subscriptions, kinds, lowest TLS versions and certificates.
pub(super) fn breakdowns(
    facets: &Facets,
    tags: Option<Breakdown>,
    servers: u64,
    now_ms: i64,
    expiry_days: Option<u32>,
) -> Vec<Breakdown> {
    let rows = |field: &str, parts: Vec<(String, String, Standings)>| {
        let linked = parts.into_iter().map(|(value, words, standings)| (link(&[(field, &value)]), words, standings));
        worst_first(linked.collect())
    };
    let name = |id: &String| {
        let found = facets.subscriptions.iter().find(|(one, ..)| one == id);
        found.map_or_else(|| id.clone(), |(_, name, _)| name.clone())
    };
    let subscriptions =
        facets.by_subscription.iter().map(|(id, standings)| (id.clone(), name(id), *standings)).collect();
    let kind = |(kind, standings): &(Word<Kind>, Standings)| (kind.to_string(), kind_word(kind).to_owned(), *standings);
    let kinds = facets.by_kind.iter().map(kind).collect();
    let mut parts = vec![breakdown("By subscription", rows("subscription", subscriptions))];
    parts.extend(tags);
    parts.extend([
        breakdown("By type", rows("kind", kinds)),
        breakdown("Minimum TLS version, as declared", floors(facets)),
    ]);
    if !facets.expiries.is_empty() {
        parts.push(breakdown("Certificates by expiry", expiries(facets, servers, now_ms, expiry_days)));
    }
    parts
}

fn breakdown(title: impl Into<String>, mut rows: Vec<PartRow>) -> Breakdown {
    let more = rows.len().saturating_sub(PARTS);
    rows.truncate(PARTS);
    Breakdown { title: title.into(), others: Vec::new(), rows, more }
}

/// Bars of parts of the fleet: their addresses, words and standings.
fn worst_first(mut parts: Vec<(String, String, Standings)>) -> Vec<PartRow> {
    let most = parts.iter().map(|(.., standings)| standings.servers()).max().unwrap_or_default();
    let rank = |standings: &Standings| (standings.open(), standings.unknown, standings.servers());
    parts.sort_by_key(|(.., standings)| std::cmp::Reverse(rank(standings)));
    let row = |(link, words, standings): (String, String, Standings)| PartRow {
        link,
        words,
        bar: Bar::up_to(&standings, most),
        servers: count(standings.servers()),
        bad: standings.open(),
    };
    parts.into_iter().map(row).collect()
}

/// Servers by the values of one tag: of the one that was asked for, or of the one that most servers have. Those that do not have it
/// are a part of their own.
pub(super) fn by_tag(tags: &[TagName], asked: &str, all: &Standings) -> Option<Breakdown> {
    let chosen = tags.iter().find(|tag| tag.name.eq_ignore_ascii_case(asked)).or_else(|| tags.first())?;
    let mut rest = *all;
    let mut parts = Vec::new();
    for (value, standings) in &chosen.values {
        let words = if value.is_empty() { "(empty)" } else { value };
        parts.push((tag_link(&chosen.name, value), words.to_owned(), *standings));
        rest = rest.without(standings);
    }
    if rest.servers() > 0 {
        parts.push((link(&[("untagged", &chosen.name)]), "without this tag".to_owned(), rest));
    }
    let others = tags.iter().filter(|tag| tag.name != chosen.name).take(OTHER_TAGS);
    let address = |name: &str| {
        let query = form_urlencoded::Serializer::new(String::new()).append_pair("by", name).finish();
        format!("/?{query}#by-tag")
    };
    let others = others.map(|tag| (tag.name.clone(), address(&tag.name))).collect();
    Some(Breakdown { others, ..breakdown(format!("By tag {}", chosen.name), worst_first(parts)) })
}

/// Other tags to break the fleet down by.
const OTHER_TAGS: usize = 8;

/// The servers that have a tag.
pub(crate) fn tag_link(name: &str, value: &str) -> String {
    link(&[("tag", &tag_text(name, value))])
}

/// The lowest TLS versions that servers declare, the weakest first.
fn floors(facets: &Facets) -> Vec<PartRow> {
    let mut floors = facets.floors.clone();
    floors.sort_by_key(|(floor, _)| (floor.known().is_none(), floor.known()));
    let most = floors.iter().map(|(_, servers)| *servers).max().unwrap_or_default();
    let row = |(floor, servers): &(Word<Floor>, u64)| {
        let weak = floor.known().is_some_and(is_weak);
        PartRow {
            words: floor_word(Some(floor)).to_owned(),
            link: link(&[("floor", floor.as_str())]),
            bar: plain(*servers, most, weak),
            servers: count(*servers),
            bad: if weak { *servers } else { 0 },
        }
    };
    floors.iter().map(row).collect()
}

/// The days from which on a bar begins, and what it says.
const EXPIRIES: [(u16, &str); 6] = [
    (0, "within 14 days"),
    (14, "in 14 to 30 days"),
    (30, "in 30 to 90 days"),
    (90, "in 90 to 180 days"),
    (180, "in 180 days to a year"),
    (365, "in more than a year"),
];

/// Certificates by the days that are left of them: of each server the first to expire. A bar is bad if a certificate
/// in it may fail the audit. The last bar is the servers of which no
/// certificate is known.
fn expiries(facets: &Facets, servers: u64, now_ms: i64, expiry_days: Option<u32>) -> Vec<PartRow> {
    let at = |days: u16| now_ms + i64::from(days) * DAY_MS;
    let within =
        |from: i64, until: i64| facets.expiries.iter().filter(|end| (from..until).contains(*end)).count() as u64;
    let ends: Vec<Option<u16>> = EXPIRIES.iter().skip(1).map(|(from, ..)| Some(*from)).chain([None]).collect();
    let mut bars = vec![("expired".to_owned(), "-0".to_owned(), within(i64::MIN, at(0)), true)];
    for ((from, words), until) in EXPIRIES.into_iter().zip(ends) {
        let bad = expiry_days.is_some_and(|enough| u32::from(from) < enough);
        let range = format!("{from}-{}", until.map_or_else(String::new, |days| days.to_string()));
        bars.push((words.to_owned(), range, within(at(from), until.map_or(i64::MAX, at)), bad));
    }
    let unknown = servers.saturating_sub(facets.expiries.len() as u64);
    let most = bars.iter().map(|(.., servers, _)| *servers).max().unwrap_or_default().max(unknown);
    let row = |(words, range, servers, is_bad): (String, String, u64, bool)| PartRow {
        words,
        link: link(&[("expires", &range)]),
        bar: plain(servers, most, is_bad),
        servers: count(servers),
        bad: if is_bad { servers } else { 0 },
    };
    let mut rows: Vec<PartRow> = bars.into_iter().filter(|(.., servers, _)| *servers > 0).map(row).collect();
    if unknown > 0 {
        let standings = Standings { unknown, ..Standings::default() };
        rows.push(PartRow {
            words: "no certificate is known".to_owned(),
            link: link(&[("expires", "none")]),
            bar: Bar::up_to(&standings, most),
            servers: count(unknown),
            bad: 0,
        });
    }
    rows
}

/// A bar of one colour.
fn plain(servers: u64, most: u64, weak: bool) -> Bar {
    let standings = match weak {
        true => Standings { not_enforced: servers, ..Standings::default() },
        false => Standings { proven: servers, ..Standings::default() },
    };
    Bar::up_to(&standings, most)
}

pub(super) fn link(fields: &[(&str, &str)]) -> String {
    let mut query = form_urlencoded::Serializer::new(String::new());
    query.extend_pairs(fields);
    format!("/resources?{}", query.finish())
}
