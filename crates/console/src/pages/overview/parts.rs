//! The fleet in parts: by subscription, kind, lowest TLS version and certificate. Each bar filters the list.

use crate::view::{Bar, Tls, count, kind_word, tls_word};
use hostssl_model::{Floor, Standings};
use hostssl_store::Facets;

/// Parts in each breakdown.
const PARTS: usize = 8;
const DAY_MS: i64 = 86_400_000;

/// A bar for each part of the fleet; each filters the list.
pub(super) struct Breakdown {
    pub(super) title: &'static str,
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
pub(super) fn breakdowns(facets: &Facets, now_ms: i64) -> Vec<Breakdown> {
    let bad = |standings: &Standings| standings.accepts_plaintext + standings.not_enforced;
    let row = |words: String, field: &str, value: &str, standings: &Standings, most: u64| PartRow {
        link: link(&[(field, value)]),
        words,
        bar: Bar::up_to(standings, most),
        servers: count(standings.servers()),
        bad: bad(standings),
    };
    let rows = |field: &str, parts: Vec<(String, String, Standings)>| {
        let most = parts.iter().map(|(.., standings)| standings.servers()).max().unwrap_or_default();
        let mut parts = parts;
        parts
            .sort_by_key(|(.., standings)| std::cmp::Reverse((bad(standings), standings.unknown, standings.servers())));
        parts.iter().map(|(value, words, standings)| row(words.clone(), field, value, standings, most)).collect()
    };
    let name = |id: &String| {
        let found = facets.subscriptions.iter().find(|(one, ..)| one == id);
        found.map_or_else(|| id.clone(), |(_, name, _)| name.clone())
    };
    let subscriptions =
        facets.by_subscription.iter().map(|(id, standings)| (id.clone(), name(id), *standings)).collect();
    let kinds =
        facets.by_kind.iter().map(|(kind, standings)| (kind.clone(), kind_word(kind).to_owned(), *standings)).collect();
    let breakdown = |title, mut rows: Vec<PartRow>| {
        let more = rows.len().saturating_sub(PARTS);
        rows.truncate(PARTS);
        Breakdown { title, rows, more }
    };
    let mut parts = vec![
        breakdown("By subscription", rows("subscription", subscriptions)),
        breakdown("By type", rows("kind", kinds)),
        breakdown("Minimum TLS version, as declared", floors(facets)),
    ];
    if !facets.expiries.is_empty() {
        parts.push(breakdown("Certificates by expiry", expiries(&facets.expiries, now_ms)));
    }
    parts
}

/// The lowest TLS versions that servers declare, the weakest first.
fn floors(facets: &Facets) -> Vec<PartRow> {
    let mut floors = facets.floors.clone();
    floors.sort_by_key(|(floor, _)| Floor::from_azure(floor).map_or((true, Floor::None), |floor| (false, floor)));
    let most = floors.iter().map(|(_, servers)| *servers).max().unwrap_or_default();
    let row = |(floor, servers): &(String, u64)| {
        let weak = Tls::new(floor, false, "").class == "bad";
        PartRow {
            words: tls_word(floor).to_owned(),
            link: link(&[("floor", floor)]),
            bar: plain(*servers, most, weak),
            servers: count(*servers),
            bad: if weak { *servers } else { 0 },
        }
    };
    floors.iter().map(row).collect()
}

/// Certificates by the days that are left of them. Each bar has those that the bars before it have not.
fn expiries(expiries: &[i64], now_ms: i64) -> Vec<PartRow> {
    let before = |days: i64| expiries.iter().filter(|end| **end < now_ms + days * DAY_MS).count() as u64;
    let mut rows = Vec::new();
    let mut counted = 0;
    let steps = [(0, "expired"), (14, "within 14 days"), (30, "within 30 days"), (90, "within 90 days")];
    let most = expiries.len() as u64;
    for (days, words) in steps {
        let servers = before(days) - counted;
        counted += servers;
        if servers > 0 {
            let bad = if days <= 30 { servers } else { 0 };
            let (words, days) = (words.to_owned(), days.to_string());
            let (link, bar) = (link(&[("expires", &days)]), plain(servers, most, bad > 0));
            rows.push(PartRow { words, link, bar, servers: count(servers), bad });
        }
    }
    if most > counted {
        let link = "/resources".to_owned();
        let servers = most - counted;
        let words = "later".to_owned();
        rows.push(PartRow { words, link, bar: plain(servers, most, false), servers: count(servers), bad: 0 });
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
