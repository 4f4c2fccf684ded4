//! The list of what has to be probed in a zone: Azure is asked for it, as `hostssl zones targets` does.

use crate::job::JobContext;
use crate::trouble::Trouble;
use hostssl_formats::targets_json::ZoneTargets;
use hostssl_model::{Stop, ZoneRule};
use hostssl_ops::{ZonedServer, list_zones, zone_targets};
use jiff::Timestamp;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::watch;

/// How long Azure is asked for the servers of a zone.
const TARGETS_TIME: Duration = Duration::from_secs(25);

/// The list of a zone, and whether everything could be asked for it. The work has a thread of its own: no page waits for it.
pub(crate) async fn list_of_zone(
    context: Arc<JobContext>,
    rules: Vec<ZoneRule>,
    zone: String,
) -> Result<(ZoneTargets, bool), Trouble> {
    let made = tokio::task::spawn_blocking(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        let runtime =
            runtime.map_err(|error| Trouble::new(error.to_string(), "try again when the machine is less busy"))?;
        runtime.block_on(ask_azure(&context, &rules, &zone))
    });
    made.await.unwrap_or_else(|_| Err(Trouble::new("the list could not be made", "try again")))
}

async fn ask_azure(context: &JobContext, rules: &[ZoneRule], zone: &str) -> Result<(ZoneTargets, bool), Trouble> {
    let (stop, signal) = watch::channel(None);
    let asked = async {
        let tenants = (context.connect)(signal).await?;
        let found = list_zones(&tenants, &context.options.scope, rules).await;
        let mut found =
            found.map_err(|error| Trouble::new(error.to_string(), "start the console with another scope"))?;
        let is_of_zone = |one: &&ZonedServer| {
            let rule = one.rule.and_then(|number| rules.get(number));
            rule.is_some_and(|rule| *rule.zone == *zone)
        };
        let servers: Vec<&ZonedServer> = found.servers.iter().filter(is_of_zone).collect();
        let (targets, gaps) = zone_targets(&servers).await;
        found.gaps.extend(gaps);
        let is_whole = !found.gaps.iter().any(|gap| gap.unchecked.reason.leaves_incomplete());
        Ok((ZoneTargets { zone: zone.to_owned(), made_at: Timestamp::now(), targets }, is_whole))
    };
    let deadline = async {
        tokio::time::sleep(TARGETS_TIME).await;
        stop.send_replace(Some(Stop::Deadline));
        // What was asked ends by itself now.
        std::future::pending::<()>().await;
    };
    tokio::select! {
        asked = asked => asked,
        () = deadline => Err(Trouble::new("it took too long", "try again")),
    }
}

/// Why a list is empty.
pub(crate) fn nothing_in(zone: &str, is_whole: bool) -> Trouble {
    let hint =
        if is_whole { "correct its rules" } else { "not everything could be listed: see the gaps of the newest audit" };
    Trouble::new(format!("no server with a host name is known in the zone {zone}"), hint)
}
