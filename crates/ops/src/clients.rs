//! The client census: who connects to each server in scope, from the logs that Resource Manager lists.

use crate::selection::mistake;
use crate::subscription::{read_more, servers_of_subscription};
use crate::{ScopeError, Tenant, resolve_scope};
use futures::StreamExt;
use futures::stream;
use hostssl_azure::permissions::READ_LOG_FILES;
use hostssl_azure::{Arm, ListedLogFile, download_log_file, list_log_files};
use hostssl_census::{Census, CensusLimits, KeptCensus, LogEnd, LogReader, Millis, MissingReason, Source, SourceKind};
use hostssl_model::{Gap, MOST_LOG_DAYS, Meaning, Parameter, ParameterName, Reading, Reason, Scope, Server};

/// The clients of one server, as one look has found them.
#[derive(Debug, Clone)]
pub struct ServerCensus {
    /// The server.
    pub server: Server,
    /// What the look has found, to be merged with what is kept and judged then.
    pub look: KeptCensus,
}

/// The clients of every server in scope, and what could not be seen.
#[derive(Debug, Default)]
pub struct ClientsCensus {
    /// In the order of the subscriptions' names and the servers' ids.
    pub servers: Vec<ServerCensus>,
    /// What of the scope could not be seen.
    pub gaps: Vec<Gap>,
}

/// Servers whose logs are downloaded at once. Each has one file in progress.
const SERVERS_AT_ONCE: usize = 10;
/// Subscriptions listed at once.
const SUBSCRIPTIONS_AT_ONCE: usize = 64;

/// Something beside the log files that shows who connects to a server.
#[async_trait::async_trait]
pub trait ClientSource: Send + Sync {
    /// Counts what it sees into `census`, and notes there what it cannot see.
    async fn observe(&self, tenant: &Tenant, server: &Server, census: Census) -> Census;
}

/// Servers whose other sources are asked at once.
const OBSERVED_AT_ONCE: usize = 500;

/// Observes the clients of every server in scope: at its log files, then through each of the other `sources`.
/// `looked_at` is the time of the look.
///
/// # Errors
///
/// [`ScopeError`] when the scope names what does not exist. Whatever cannot be seen is not an error but part of the census.
pub async fn take_census(
    tenants: &[Tenant],
    scope: &Scope,
    looked_at: Millis,
    sources: &[&dyn ClientSource],
) -> Result<ClientsCensus, ScopeError> {
    let visible = resolve_scope(tenants, scope).await?;
    let mut census = ClientsCensus { servers: Vec::new(), gaps: visible.gaps.clone() };
    let listed: Vec<_> = stream::iter(&visible.subscriptions)
        .map(|(subscription, tenant)| async move {
            let (servers, audit) = servers_of_subscription(&tenant.arm, subscription, scope).await;
            (tenant, servers, audit)
        })
        .buffered(SUBSCRIPTIONS_AT_ONCE)
        .collect()
        .await;
    let mut work = Vec::new();
    let mut excepted = Vec::new();
    for (tenant, mut servers, audit) in listed {
        servers.sort_by(|a, b| a.id.cmp(&b.id));
        work.extend(servers.into_iter().map(|server| (tenant, server)));
        excepted.extend(audit.excepted);
        census.gaps.extend(audit.gaps);
    }
    // A typing error must not look like a server without clients.
    let known: Vec<&Server> = work.iter().map(|(_, server)| server).chain(&excepted).collect();
    if let Some(no_match) = mistake(&visible, scope, &known, &census.gaps).await {
        return Err(no_match.into());
    }
    let from_logs = stream::iter(work)
        .map(|(tenant, server)| async move {
            let census = census_of(&tenant.arm, &server).await;
            (tenant, server, census)
        })
        .buffered(SERVERS_AT_ONCE);
    let from_logs: Vec<_> = from_logs.collect().await;
    census.servers = stream::iter(from_logs)
        .map(|(tenant, server, mut census)| async move {
            for source in sources {
                census = source.observe(tenant, &server, census).await;
            }
            ServerCensus { server, look: census.keep(looked_at) }
        })
        .buffered(OBSERVED_AT_ONCE)
        .collect()
        .await;
    Ok(census)
}

async fn census_of(arm: &Arm, server: &Server) -> Census {
    let mut census = Census::new(CensusLimits::default(), None);
    let mut missing = Source::new(SourceKind::ArmLogFile, server.name());
    if !server.kind.offering().has_log_files {
        missing.lacks(MissingReason::Disabled, "this kind of server offers no log files through Resource Manager");
        census.add_source(missing);
        return census;
    }
    let listing = list_log_files(arm, &server.id).await;
    if let Some(error) = &listing.error {
        let unchecked = error.unchecked(READ_LOG_FILES);
        let reason =
            if unchecked.reason == Reason::Permission { MissingReason::Privilege } else { MissingReason::Unreachable };
        missing.lacks(reason, format!("the log files could not be listed: {}", unchecked.why()));
        census.add_source(missing);
    } else {
        note_settings(
            &mut missing,
            &read_more(arm, server, server.kind.log_settings()).await,
            listing.items.is_empty(),
        );
        if !missing.missing.is_empty() {
            census.add_source(missing);
        }
    }
    let mut reader = LogReader::new(census, None);
    let mut files = listing.items.clone();
    let mut listings = 1;
    for at in 0..files.len() {
        let Some(file) = files.get(at).cloned() else { continue };
        reader.begin(SourceKind::ArmLogFile, file.name.clone());
        let mut taken = 0;
        let mut end = download(arm, &file, &mut taken, &mut reader).await;
        // A signed URL is valid for a limited time, and another one for as long again.
        while let LogEnd::Broken(_) = end
            && listings < MOST_LISTINGS
        {
            listings += 1;
            let fresh = list_log_files(arm, &server.id).await;
            if fresh.error.is_some() {
                break;
            }
            for file in &mut files {
                if let Some(new) = fresh.items.iter().find(|new| new.name == file.name) {
                    *file = new.clone();
                }
            }
            let Some(file) = fresh.items.iter().find(|new| new.name == file.name) else { break };
            end = download(arm, file, &mut taken, &mut reader).await;
        }
        reader.end(end);
    }
    reader.finish()
}

/// Notes what the settings of a server keep from its log files.
fn note_settings(source: &mut Source, settings: &[(ParameterName, Reading<Parameter>)], is_empty: bool) {
    let fix = "`hostssl plan --enable-log-download` plans to change that";
    let mut is_on = None;
    for (name, reading) in settings {
        match reading {
            Reading::Known(parameter) => match parameter.meaning() {
                Some(Meaning::LogDownload(false)) => {
                    is_on = Some(false);
                    source.lacks(MissingReason::Disabled, format!("{name} is off: {fix}"));
                }
                Some(Meaning::LogDownload(true)) => is_on = Some(true),
                Some(Meaning::LogDays(days)) if days < MOST_LOG_DAYS && is_on != Some(false) => {
                    let plural = if days == 1 { "day" } else { "days" };
                    let detail = format!("{name} is {days} {plural}, of {MOST_LOG_DAYS} at most: {fix}");
                    source.lacks(MissingReason::ShortRetention, detail);
                }
                _ => {}
            },
            // Of a log that was read, the rest says enough.
            Reading::Unknown(unchecked) if is_empty => {
                source.lacks(
                    MissingReason::Disabled,
                    format!("there is no log file, and {name} is not known: {}", unchecked.why()),
                );
            }
            Reading::Unknown(_) => {}
        }
    }
    if is_empty && is_on == Some(true) {
        source.lacks(MissingReason::Disabled, "there is no log file: nothing was uploaded yet");
    }
}

/// How often the log files of one server are listed, which gives fresh signed URLs.
const MOST_LISTINGS: usize = 3;

/// Downloads a file from its byte `taken` on: what comes before it was read from an earlier URL.
async fn download(arm: &Arm, file: &ListedLogFile, taken: &mut usize, reader: &mut LogReader) -> LogEnd {
    let Some(url) = &file.url else {
        return LogEnd::Broken("its URL is not a storage address of this cloud".to_owned());
    };
    let mut come = 0;
    let known = *taken;
    let mut take = |piece: &[u8]| {
        let news = piece.get(known.saturating_sub(come).min(piece.len())..).unwrap_or_default();
        reader.feed(news);
        come += piece.len();
        *taken = (*taken).max(come);
    };
    match download_log_file(arm, url, &mut take).await {
        Ok(()) if come < known => LogEnd::Broken("the file became shorter while it was read".to_owned()),
        Ok(()) => LogEnd::Whole,
        Err(error) => LogEnd::Broken(error.to_string()),
    }
}
