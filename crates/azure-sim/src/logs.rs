//! The log files of servers: who connected, as PostgreSQL writes it with Azure's prefix.

use crate::call::Call;
use crate::estate::Record;
use crate::json::{put, quoted};
use crate::parameters::{self, LOG_DAYS, LOG_DOWNLOAD};
use crate::real_logs::{self, LogFile};
use crate::reply::{self, Content, Reply};
use crate::state::AzureState;
use axum::body::Body;
use axum::http::StatusCode;
use axum::http::header::AUTHORIZATION;
use jiff::{Span, Timestamp};
use std::collections::BTreeMap;
use std::fmt::Write as _;

/// The signature in the URLs of logs. It lets its holder read them.
const SIGNATURE: &str = "simulated-signature";
/// Days of which there are logs: `logfiles.retention_days` is seven at most.
const KEPT_DAYS: i64 = 7;

/// A client that connects every so many hours.
struct Traffic {
    user: &'static str,
    database: &'static str,
    application: &'static str,
    address: &'static str,
    is_tls: bool,
    every_hours: i64,
    /// The days on which it connects, counted back from now; a client that still does begins with 0.
    days_ago: std::ops::RangeInclusive<i64>,
}

const fn traffic(
    user: &'static str,
    database: &'static str,
    application: &'static str,
    address: &'static str,
    is_tls: bool,
    every_hours: i64,
) -> Traffic {
    Traffic { user, database, application, address, is_tls, every_hours, days_ago: 0..=i64::MAX }
}

/// A client that connects every night, and was last seen more than a week ago: one week of logs misses it.
const fn nightly(
    user: &'static str,
    database: &'static str,
    application: &'static str,
    address: &'static str,
) -> Traffic {
    Traffic { user, database, application, address, is_tls: false, every_hours: 24, days_ago: 8..=13 }
}

/// Who connects to the servers of the demonstration whose logs can be downloaded, and for how many days there are logs.
fn demo(server: &str) -> Option<(i64, &'static [Traffic])> {
    const ORDERS: &[Traffic] = &[traffic("orders_api", "orders", "PostgreSQL JDBC Driver", "10.20.1.14", true, 1)];
    const CATALOG: &[Traffic] = &[
        traffic("catalog_web", "catalog", "catalog-web", "10.20.1.21", true, 1),
        traffic("report", "catalog", "Metabase v0.50.3", "10.20.7.9", false, 6),
        // A weekly job, which a look at the sessions of now would not see.
        traffic("export", "catalog", "pg_dump", "10.20.9.2", false, 168),
    ];
    const LEDGER: &[Traffic] = &[
        traffic("ledger", "ledger", "PostgreSQL JDBC Driver", "10.30.0.5", true, 1),
        traffic("audit_ro", "ledger", "psql", "10.30.0.77", false, 24),
    ];
    const KEYCLOAK: &[Traffic] = &[
        traffic("keycloak", "keycloak", "PostgreSQL JDBC Driver", "10.40.2.3", true, 1),
        traffic("backup", "keycloak", "pg_dump", "10.40.2.8", true, 24),
        nightly("billing", "keycloak", "billing-run", "10.40.6.1"),
    ];
    const STAGE: &[Traffic] = &[traffic("orders_api", "orders", "PostgreSQL JDBC Driver", "10.21.1.14", true, 1)];
    match server {
        "pg-orders-prod" => Some((KEPT_DAYS, ORDERS)),
        "pg-catalog-prod" => Some((KEPT_DAYS, CATALOG)),
        "pg-ledger-prod" => Some((KEPT_DAYS, LEDGER)),
        "pg-keycloak" => Some((KEPT_DAYS, KEYCLOAK)),
        "pg-orders-stage" => Some((2, STAGE)),
        _ => None,
    }
}

/// A session that a server has now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Connected {
    pub(crate) pid: u32,
    /// When it began, in seconds since 1970.
    pub(crate) began: i64,
    pub(crate) user: &'static str,
    pub(crate) database: &'static str,
    pub(crate) application: &'static str,
    pub(crate) address: &'static str,
    pub(crate) is_tls: bool,
}

/// A client that connects so often keeps a session of its pool, which began before the oldest log.
const POOLED_HOURS: i64 = 6;
/// When those began: 2023-11-14.
const POOLED_SINCE: i64 = 1_700_000_000;

/// The sessions that a server has now. Jobs are not there, and no client in plaintext since that is refused.
pub(crate) fn connected(record: &Record) -> Vec<Connected> {
    let refuses = record.lock().refuses_since(record.kind).is_some();
    let is_there = |client: &Traffic| {
        client.every_hours <= POOLED_HOURS && client.days_ago.contains(&0) && (client.is_tls || !refuses)
    };
    let clients = (0u32..).zip(clients(record.name()).1).filter(|(_, client)| is_there(client));
    let session = |(index, client): (u32, &Traffic)| {
        let Traffic { user, database, application, address, is_tls, .. } = *client;
        Connected {
            pid: 1_000 + index,
            began: POOLED_SINCE + i64::from(index),
            user,
            database,
            application,
            address,
            is_tls,
        }
    };
    clients.map(session).collect()
}

/// The same of any server. Turning downloads on makes the log of that day available.
fn clients(server: &str) -> (i64, &'static [Traffic]) {
    const OTHERS: &[Traffic] = &[traffic("app", "app", "psycopg", "10.50.0.4", true, 1)];
    demo(server).unwrap_or((0, OTHERS))
}

/// The time up to which there are logs, and the time that it is.
type Times = (Timestamp, Timestamp);

/// The days before today whose logs are kept; `None` where they cannot be downloaded.
fn retention(record: &Record) -> Option<i64> {
    let now = record.lock();
    let value = |name| parameters::find(record.kind, name).map(|parameter| now.current(parameter).value.to_owned());
    let is_on = value(LOG_DOWNLOAD)?.eq_ignore_ascii_case("on");
    is_on.then(|| value(LOG_DAYS)?.parse().ok()).flatten()
}

/// The start of each day of which a server has a log, in seconds since 1970.
fn days(server: &str, now: Timestamp) -> Vec<i64> {
    last_days(now, clients(server).0)
}

/// The starts of today and of `count` days before.
fn last_days(now: Timestamp, count: i64) -> Vec<i64> {
    let today = now.as_second().div_euclid(86_400) * 86_400;
    (0..=count).rev().map(|ago| today - ago * 86_400).collect()
}

fn file_name(day: i64) -> String {
    let at = Timestamp::from_second(day).unwrap_or_default();
    format!("postgresql-{}.log", at.strftime("%Y%m%d"))
}

/// The server whose log a signed address is of.
fn record_of<'a>(simulation: &'a AzureState, server: &str) -> Option<&'a Record> {
    simulation.estate.servers.iter().find(|record| record.name() == server)
}

/// The entries of the list of a server's log files.
pub(crate) fn entries(simulation: &AzureState, record: &Record, base: &str) -> Vec<String> {
    let times = simulation.log_times();
    // Storage has hosts of its own, but a simulation on loopback has only one.
    let host = if base.contains("localhost") || base.contains("127.0.0.1") {
        base
    } else {
        "https://simulated.file.core.windows.net"
    };
    let Some(kept) = retention(record) else { return Vec::new() };
    let oldest = last_days(times.0, kept).first().copied().unwrap_or(i64::MAX);
    let mut files = match simulation.real_logs.of(record.name()) {
        Some(folder) => real_logs::files(&folder),
        None => made_up(record, times),
    };
    files.retain(|file| file.modified.as_second() >= oldest);
    files.into_iter().map(|file| entry(record, host, &file)).collect()
}

/// The files of a server that is simulated to its logs.
fn made_up(record: &Record, times: Times) -> Vec<LogFile> {
    let (now, _) = times;
    let refuses = record.lock().refuses_since(record.kind);
    let file = |day| {
        let name = file_name(day);
        let bytes = content(record.name(), &name, times, refuses).map_or(0, |text| text.len() as u64);
        let modified = Timestamp::from_second(day + 86_399).unwrap_or_default().min(now);
        LogFile { name, bytes, modified }
    };
    days(record.name(), now).into_iter().map(file).collect()
}

fn entry(record: &Record, host: &str, file: &LogFile) -> String {
    let LogFile { name, bytes, modified } = file;
    let size = bytes.div_ceil(1_024);
    let url =
        format!("{host}/simulated-logs/{}/serverlogs/{name}?sv=2024-11-04&sr=f&sp=r&sig={SIGNATURE}", record.name());
    let mut entry = String::new();
    put!(
        &mut entry,
        r#"{{"properties":{{"createdTime":"0001-01-01T00:00:00+00:00","lastModifiedTime":{},"sizeInKb":{size},"type":"ServerLogs","url":{}}},"id":{},"name":{},"type":"Microsoft.DBforPostgreSQL/flexibleServers/logFiles"}}"#,
        quoted(&crate::clock::iso(*modified)),
        quoted(&url),
        quoted(&format!("{}/logFiles/{name}", record.id)),
        quoted(name)
    );
    entry
}

/// Whether a query holds the signature.
fn is_signed(query: &str) -> bool {
    query.split('&').any(|pair| pair.strip_prefix("sig=") == Some(SIGNATURE))
}

/// Answers a download, as storage does: the signature is what counts, and a token beside it is a mistake of the client.
pub(crate) fn download(call: &Call<'_>, simulation: &AzureState, server: &str, file: &str) -> Reply {
    if call.headers.contains_key(AUTHORIZATION) {
        return reply::bad_request("A token was sent to storage.");
    }
    if !is_signed(call.query) {
        return Reply::error(StatusCode::FORBIDDEN, "AuthenticationFailed", "The signature is missing or not right.");
    }
    if let Some(folder) = simulation.real_logs.of(server) {
        let body = real_logs::body(&folder, file);
        return body.map_or_else(reply::no_such_path, |body| Reply::with(StatusCode::OK, Content::Stream(body)));
    }
    let refuses = record_of(simulation, server).and_then(|record| record.lock().refuses_since(record.kind));
    match content(server, file, simulation.log_times(), refuses) {
        Some(text) => Reply::with(StatusCode::OK, Content::Stream(Body::from(text))),
        None => reply::no_such_path(),
    }
}

/// The text of a log; `None` if there is no such file. From `refuses` on, in seconds since 1970, clients without TLS are refused.
pub(crate) fn content(server: &str, file: &str, times: Times, refuses: Option<i64>) -> Option<String> {
    let (_, clients) = clients(server);
    let day = days(server, times.0).into_iter().find(|day| file_name(*day) == file)?;
    Some(of_day(day, clients, times, refuses))
}

/// What a server wrote in the last `count` days; `None` if it writes nothing.
pub(crate) fn kept(record: &Record, now: Timestamp, count: i64) -> Option<String> {
    let (_, clients) = demo(record.name())?;
    let refuses = record.lock().refuses_since(record.kind);
    Some(last_days(now, count).into_iter().map(|day| of_day(day, clients, (now, now), refuses)).collect())
}

/// What is written on one day, until then.
fn of_day(day: i64, clients: &[Traffic], (now, today): Times, refuses: Option<i64>) -> String {
    let hours = (0..24).map(|hour| day + hour * 3_600);
    let retries: Vec<i64> = refuses.into_iter().flat_map(retries).collect();
    let in_day = |at: &i64| (day..day + 86_400).contains(at);
    let mut attempts = BTreeMap::new();
    for (index, client) in (0u32..).zip(clients) {
        let is_there = |at: i64| client.days_ago.contains(&(today.as_second() - at).div_euclid(86_400));
        let regular = hours.clone().filter(|at| at / 3_600 % client.every_hours == 0);
        let again = retries.iter().copied().filter(|at| !client.is_tls && in_day(at));
        // Only what was regular has a place in the hour, so that clients do not come all at once.
        let regular = regular.map(|at| (at, at + i64::from(index)));
        for (due, at) in regular.chain(again.map(|at| (at, at))) {
            if due <= now.as_second() && is_there(due) {
                attempts.insert((at, index), client);
            }
        }
    }
    let mut log = String::new();
    for ((at, index), client) in attempts {
        let is_refused = !client.is_tls && refuses.is_some_and(|since| at >= since);
        let write = if is_refused { write_refusal } else { write_session };
        write(&mut log, at, index + 100, client);
    }
    log
}

/// When a client that is refused from `since` on tries again, beside its regular times: less and less often, for an hour. All
/// of them try at once, so that a demonstration need not wait for the job of next week.
fn retries(since: i64) -> impl Iterator<Item = i64> {
    let pauses = std::iter::successors(Some(5), |pause| Some(pause * 2)).take_while(|pause| *pause <= 3_600);
    std::iter::once(since).chain(pauses.map(move |pause| since + pause))
}

fn write_session(log: &mut String, at: i64, pid: u32, client: &Traffic) {
    let Traffic { user, database, application, address, is_tls, .. } = client;
    let time = Timestamp::from_second(at).unwrap_or_default();
    let end = time.checked_add(Span::new().seconds(40)).unwrap_or(time);
    let head = |time: Timestamp| format!("{}-{at:08x}.{pid:x}-LOG:  ", time.strftime("%Y-%m-%d %H:%M:%S UTC"));
    let port = 40_000 + pid;
    let tls = if *is_tls { " SSL enabled (protocol=TLSv1.3, cipher=TLS_AES_256_GCM_SHA384, bits=256)" } else { "" };
    // Writing to a string cannot fail.
    let _ = writeln!(log, "{}connection received: host={address} port={port}", head(time));
    let _ = writeln!(
        log,
        "{}connection authenticated: identity=\"{user}\" method=scram-sha-256 (/datadrive/pg/data/pg_hba.conf:7)",
        head(time)
    );
    let _ = writeln!(
        log,
        "{}connection authorized: user={user} database={database} application_name={application}{tls}",
        head(time)
    );
    let _ = writeln!(
        log,
        "{}disconnection: session time: 0:00:40.000 user={user} database={database} host={address} port={port}",
        head(end)
    );
}

fn write_refusal(log: &mut String, at: i64, pid: u32, client: &Traffic) {
    let Traffic { user, database, address, .. } = client;
    let time = Timestamp::from_second(at).unwrap_or_default();
    let head = format!("{}-{at:08x}.{pid:x}-", time.strftime("%Y-%m-%d %H:%M:%S UTC"));
    let port = 40_000 + pid;
    // Writing to a string cannot fail.
    let _ = writeln!(log, "{head}LOG:  connection received: host={address} port={port}");
    let _ = writeln!(
        log,
        "{head}FATAL:  no pg_hba.conf entry for host \"{address}\", user \"{user}\", database \"{database}\", no encryption"
    );
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_weekly_job_is_in_a_week_of_logs() {
        let now = Timestamp::from_second(1_790_000_000).unwrap();
        let all: String = days("pg-catalog-prod", now)
            .into_iter()
            .filter_map(|day| content("pg-catalog-prod", &file_name(day), (now, now), None))
            .collect();
        assert!(all.contains("user=export database=catalog application_name=pg_dump\n"));
        assert!(content("pg-catalog-prod", "postgresql-19700101.log", (now, now), None).is_none());
        assert_eq!(days("pg-payroll-prod", now).len(), 1);
        // The nightly job is in the logs of last week, and not in those of this week.
        let week_of = |at: Timestamp| -> String {
            let days = days("pg-keycloak", at).into_iter();
            days.filter_map(|day| content("pg-keycloak", &file_name(day), (at, now), None)).collect()
        };
        assert!(!week_of(now).contains("billing-run"));
        assert!(week_of(now - jiff::SignedDuration::from_hours(7 * 24)).contains("billing-run"));
        // Since it was enforced, no client comes in without TLS, and each that tries is refused.
        let file = file_name(now.as_second().div_euclid(86_400) * 86_400);
        let today = |refuses| content("pg-catalog-prod", &file, (now, now), refuses).unwrap();
        let plain = |log: &str| log.matches("user=report database=catalog application_name=Metabase v0.50.3\n").count();
        assert!(plain(&today(None)) > 0);
        let enforced = today(Some(0));
        assert_eq!((plain(&enforced), enforced.matches(", no encryption\n").count()), (0, plain(&today(None))));
        // Right after the switch, exactly those that came in without TLS try in vain, and try again.
        let switch = now.as_second() - 7;
        let refused = |user: &str| {
            let name = format!("user \"{user}\", database \"catalog\", no encryption\n");
            today(Some(switch)).matches(&name).count()
        };
        assert_eq!(["report", "export", "catalog_web"].map(refused), [2, 2, 0]);
        assert_eq!(plain(&today(Some(switch))), plain(&today(None)), "what was before stays");
        assert!(is_signed("a=b&sig=simulated-signature") && !is_signed("sig=other"));
    }
}
