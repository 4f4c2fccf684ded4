//! What the page of zones shows, out of the rules, the looks and the servers. Pure.

use crate::view::{Ago, Badge, count, plural};
use crate::zones_cache::{Audited, BroughtFile, BroughtFiles};
use hostssl_formats::zones_text::condition;
use hostssl_model::{Reading, Server, Vantage, WireObservation, WorstListener, ZoneRule, zone_rule_of};
use hostssl_ops::Vantages;
use hostssl_store::{EndedLook, KnownFromZones};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// Servers of a zone that are named.
const NAMED: usize = 50;
/// Looks that ended, and endpoints of no server, that are named.
const FEW: usize = 20;

/// Everything that is known of zones.
#[derive(Default)]
pub(crate) struct ZoneListing {
    /// Whether there are rules at all.
    pub(crate) has_rules: bool,
    /// In the order of the rules.
    pub(crate) zones: Vec<ZoneCard>,
    /// Zones that no rule names, and that the state knows looks from.
    pub(crate) unnamed: Vec<(String, String)>,
    /// Files that no audit counts, because no rule names their zone.
    pub(crate) left_out: Vec<LeftOutFile>,
    /// Private servers that no rule matches.
    pub(crate) uncovered: Vec<UncoveredServer>,
    pub(crate) more_uncovered: usize,
    /// Endpoints that were brought and that no server has.
    pub(crate) strangers: Vec<String>,
    pub(crate) more_strangers: usize,
    /// Looks that count no more.
    pub(crate) ended: Vec<Ended>,
}

/// A file that no audit counts.
pub(crate) struct LeftOutFile {
    pub(crate) name: String,
    pub(crate) zone: String,
    pub(crate) looks: String,
    pub(crate) newest: Ago,
    /// Whether it was uploaded here, and can be removed here.
    pub(crate) is_uploaded: bool,
}

/// One zone.
pub(crate) struct ZoneCard {
    pub(crate) name: String,
    pub(crate) rules: Vec<RuleRow>,
    pub(crate) servers: String,
    /// How many of its servers were seen from there.
    pub(crate) seen: String,
    /// How many of those accept plaintext, if any do.
    pub(crate) open: Option<String>,
    /// When the newest look that counts was taken there.
    pub(crate) last: Option<Ago>,
    /// What was brought and no audit has taken in yet: looks, and when the newest was taken.
    pub(crate) waiting: Option<(String, Ago)>,
    /// The servers, those that were not reached first.
    pub(crate) rows: Vec<ZoneRow>,
    pub(crate) more: usize,
}

/// One rule of a zone, and the servers that are left for it.
pub(crate) struct RuleRow {
    pub(crate) line: u32,
    pub(crate) condition: String,
    pub(crate) servers: String,
    pub(crate) is_idle: bool,
}

/// One server of a zone.
pub(crate) struct ZoneRow {
    pub(crate) key: String,
    pub(crate) name: String,
    pub(crate) badge: Badge,
    /// Why nothing is known.
    pub(crate) why: String,
    pub(crate) at: Option<Ago>,
    rank: (u8, String),
}

/// A server, and where it is.
pub(crate) struct UncoveredServer {
    pub(crate) key: String,
    pub(crate) name: String,
    pub(crate) place: String,
}

/// A look that counts no more.
pub(crate) struct Ended {
    pub(crate) key: String,
    pub(crate) server: String,
    pub(crate) port: u16,
    pub(crate) address: Option<String>,
    pub(crate) zone: String,
    pub(crate) badge: Badge,
    pub(crate) at: Ago,
    pub(crate) why: &'static str,
}

impl ZoneListing {
    /// Looks that were taken before `oldest_ms` count no more.
    pub(crate) fn of(brought: &BroughtFiles, servers: &[Audited], known: &[KnownFromZones], oldest_ms: i64) -> Self {
        let rules = brought.rules.as_deref().unwrap_or_default();
        let mut matched = vec![(!servers.is_empty()).then_some(0_u64); rules.len()];
        let mut by_zone: BTreeMap<&str, Vec<&Audited>> = BTreeMap::new();
        let mut uncovered: Vec<UncoveredServer> = Vec::new();
        for one in servers {
            match zone_rule_of(rules, &one.server, &one.subscription) {
                Some((number, rule)) => {
                    if let Some(Some(count)) = matched.get_mut(number) {
                        *count += 1;
                    }
                    by_zone.entry(&rule.zone).or_default().push(one);
                }
                None if one.server.network.is_private() => uncovered.push(UncoveredServer::of(&one.server)),
                None => {}
            }
        }
        let mut names: Vec<&Arc<str>> = Vec::new();
        for rule in rules {
            if !names.contains(&&rule.zone) {
                names.push(&rule.zone);
            }
        }
        let card = |zone: &&Arc<str>| {
            let own = by_zone.get(&***zone).map(Vec::as_slice).unwrap_or_default();
            ZoneCard::of(zone, rules, &matched, own, &brought.files, oldest_ms)
        };
        let mut strangers = strangers(&brought.vantages, servers);
        Self {
            has_rules: brought.rules.is_some(),
            zones: names.iter().map(card).collect(),
            unnamed: unnamed(&names, known),
            left_out: brought.files.iter().filter(|file| !file.is_named).map(LeftOutFile::of).collect(),
            more_uncovered: uncovered.len().saturating_sub(NAMED),
            uncovered: {
                uncovered.truncate(NAMED);
                uncovered
            },
            more_strangers: strangers.len().saturating_sub(FEW),
            strangers: {
                strangers.truncate(FEW);
                strangers
            },
            ended: ended(known),
        }
    }
}

impl ZoneCard {
    fn of(
        zone: &Arc<str>,
        rules: &[ZoneRule],
        matched: &[Option<u64>],
        servers: &[&Audited],
        files: &[BroughtFile],
        oldest_ms: i64,
    ) -> Self {
        let own_rules = rules.iter().zip(matched).filter(|(rule, _)| rule.zone == *zone);
        let rules = own_rules.map(|(rule, count)| RuleRow::of(rule, *count)).collect();
        let mut rows: Vec<ZoneRow> = servers.iter().map(|one| ZoneRow::of(one, zone, oldest_ms)).collect();
        rows.sort_by(|a, b| a.rank.cmp(&b.rank));
        let last = servers.iter().flat_map(|one| own_looks(one, zone)).filter(|(look, _)| is_known(look));
        let last = last.map(|(_, vantage)| vantage.observed_ms).max();
        let is_new = |taken: i64| taken >= oldest_ms && last.is_none_or(|last| taken > last);
        let new: Vec<&BroughtFile> = files.iter().filter(|file| file.zone == *zone && is_new(file.newest_ms)).collect();
        let brought: usize = new.iter().map(|file| file.looks).sum();
        let number = |wanted: fn(u8) -> bool| rows.iter().filter(|row| wanted(row.rank.0)).count() as u64;
        let newest = new.iter().map(|file| file.newest_ms).max();
        Self {
            name: zone.to_string(),
            rules,
            seen: format!("{} of {}", count(number(|rank| rank != MISSING)), count(rows.len() as u64)),
            open: match number(|rank| rank == OPEN) {
                0 => None,
                1 => Some("1 accepts plaintext".to_owned()),
                open => Some(format!("{} accept plaintext", count(open))),
            },
            servers: count(rows.len() as u64),
            last: last.map(Ago::new),
            waiting: newest.map(|newest| (plural(brought as u64, "look"), Ago::new(newest))),
            more: rows.len().saturating_sub(NAMED),
            rows: {
                rows.truncate(NAMED);
                rows
            },
        }
    }
}

impl LeftOutFile {
    fn of(file: &BroughtFile) -> Self {
        Self {
            name: file.name.clone(),
            zone: file.zone.to_string(),
            looks: plural(file.looks as u64, "look"),
            newest: Ago::new(file.newest_ms),
            is_uploaded: file.is_uploaded,
        }
    }
}

impl RuleRow {
    /// How many servers there are is not known before the first audit.
    fn of(rule: &ZoneRule, count: Option<u64>) -> Self {
        let servers = match count {
            None => String::new(),
            Some(0) => ", no server is left for it".to_owned(),
            Some(count) => format!(", {}", plural(count, "server")),
        };
        Self { line: rule.line, condition: condition(rule), servers, is_idle: count == Some(0) }
    }
}

/// The order of rows: what no other page shows comes first.
const MISSING: u8 = 0;
const OPEN: u8 = 1;
const SEEN: u8 = 2;

impl ZoneRow {
    fn of(one: &Audited, zone: &Arc<str>, oldest_ms: i64) -> Self {
        let looks: Vec<(&WireObservation, &Vantage)> = own_looks(one, zone).collect();
        let seen: Vec<&WireObservation> = looks.iter().map(|(look, _)| *look).filter(|look| is_known(look)).collect();
        let worst = seen.iter().map(|look| WorstListener::from(&look.listener)).max();
        let at_ms = looks.iter().filter(|(look, _)| is_known(look)).map(|(_, vantage)| vantage.observed_ms).min();
        let failed = looks.iter().find_map(|(look, _)| match &look.listener {
            Reading::Unknown(unchecked) => Some(unchecked.detail.to_string()),
            Reading::Known(_) => None,
        });
        let is_old = at_ms.is_some_and(|at| at < oldest_ms);
        let why = match (worst, failed) {
            (_, Some(failed)) => failed,
            (None, None) => "no look from there yet".to_owned(),
            (Some(_), None) if is_old => "too old to count in an audit".to_owned(),
            (Some(_), None) => String::new(),
        };
        let rank = match worst {
            Some(worst) if worst.accepts_plaintext() => OPEN,
            Some(_) if why.is_empty() => SEEN,
            _ => MISSING,
        };
        let name = one.server.name().to_owned();
        Self {
            key: one.server.id.key(),
            badge: worst.unwrap_or(WorstListener::Unseen).into(),
            why,
            at: at_ms.map(Ago::new),
            rank: (rank, name.to_lowercase()),
            name,
        }
    }
}

impl UncoveredServer {
    fn of(server: &Server) -> Self {
        Self { key: server.id.key(), name: server.name().to_owned(), place: server.network.place() }
    }
}

fn own_looks<'a>(one: &'a Audited, zone: &Arc<str>) -> impl Iterator<Item = (&'a WireObservation, &'a Vantage)> {
    let zone = Arc::clone(zone);
    let looks = one.wire.iter().filter_map(|look| Some((look, look.vantage.as_deref()?)));
    looks.filter(move |(_, vantage)| vantage.zone == zone)
}

fn is_known(look: &WireObservation) -> bool {
    matches!(look.listener, Reading::Known(_))
}

fn unnamed(names: &[&Arc<str>], known: &[KnownFromZones]) -> Vec<(String, String)> {
    let mut servers: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
    for one in known {
        for vantage in one.looks.iter().filter_map(|look| look.vantage.as_ref()) {
            if !names.contains(&&vantage.zone) {
                servers.entry(&vantage.zone).or_default().insert(&one.server);
            }
        }
    }
    servers.into_iter().map(|(zone, servers)| (zone.to_owned(), plural(servers.len() as u64, "server"))).collect()
}

/// The listeners that were probed and that no server has.
fn strangers(brought: &Vantages, servers: &[Audited]) -> Vec<String> {
    if servers.is_empty() {
        return Vec::new();
    }
    brought.strangers(servers.iter().map(|one| &one.server))
}

/// The newest first.
fn ended(known: &[KnownFromZones]) -> Vec<Ended> {
    let of_server = |one: &KnownFromZones| {
        let (key, server) = (one.server.clone(), one.name.clone());
        let own: Vec<(String, String, EndedLook)> =
            one.ended.iter().map(|look| (key.clone(), server.clone(), look.clone())).collect();
        own
    };
    let mut all: Vec<(String, String, EndedLook)> = known.iter().flat_map(of_server).collect();
    all.sort_by_key(|(_, name, one)| (std::cmp::Reverse(one.at_ms), name.to_lowercase()));
    all.truncate(FEW);
    let shown = |(key, server, EndedLook { look, end, .. }): (String, String, EndedLook)| {
        let vantage = look.vantage.as_ref()?;
        Some(Ended {
            key,
            server,
            port: look.port,
            address: look.address.as_deref().map(str::to_owned),
            zone: vantage.zone.to_string(),
            badge: WorstListener::from(&look.listener).into(),
            at: Ago::new(vantage.observed_ms),
            why: end.words(),
        })
    };
    all.into_iter().filter_map(shown).collect()
}
