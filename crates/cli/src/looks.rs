//! `--zones` and `--looks`: what was seen of the listeners from elsewhere.

use crate::args::{StateArgs, duration};
use crate::error::CliError;
use clap::Args;
use hostssl_formats::probe_json::{self, ZoneLooks};
use hostssl_model::{AuditReport, Vantage, WireObservation, ZoneRule, is_zone_name};
use hostssl_ops::{KnownSwitch, Looks, Vantages, carried_observation, read_zones};
use hostssl_probe::report::{EndpointReport, StartupOutcome, Weakness, WireVerdict};
use hostssl_store::{AuditStore, SwitchTimes};
use jiff::{SignedDuration, Timestamp};
use std::collections::BTreeSet;
use std::fs::File;
use std::io::{self, BufRead, BufReader, ErrorKind, Read as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

/// The default name of the file of zones.
pub(crate) const FILE: &str = "hostssl-zones.toml";

/// More rules than anybody could review, in bytes.
const LARGEST_ZONES: u64 = 4 << 20;
/// The looks of a hundred thousand servers, in bytes.
const LARGEST_LOOKS: u64 = 1 << 30;
/// How far the clock of a machine in a zone may be ahead of this one: two that are set by the network differ by seconds.
const CLOCK_SKEW: SignedDuration = SignedDuration::from_mins(5);

/// Where listeners were probed from that are not reached from here.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Wire options")]
pub(crate) struct VantageArgs {
    /// Count what `hostssl probe --targets LIST -o json` saw in a zone (repeatable). A server that is reached from several places
    /// is judged by all of them.
    #[arg(long, value_name = "FILE", requires = "probe")]
    looks: Vec<PathBuf>,
    /// Ignore looks that are older than this.
    #[arg(long, value_name = "TIME", default_value = "24h", value_parser = duration, requires = "looks")]
    looks_max_age: Duration,
    /// The file that says which servers are probed from which zone: one without an answer from there is unknown. See `hostssl
    /// zones --help`.
    #[arg(long, value_name = "FILE", env = "HOSTSSL_ZONES")]
    zones: Option<PathBuf>,
}

impl VantageArgs {
    /// Fails when the options are given to a command that does not probe: they would do nothing.
    pub(crate) fn refuse_without_probe(&self) -> Result<(), CliError> {
        // The variable alone is no mistake: it may be meant for other commands.
        let by_variable = std::env::var_os("HOSTSSL_ZONES").map(PathBuf::from);
        match &self.zones {
            Some(zones) if Some(zones) != by_variable.as_ref() => Err(CliError::usage(
                "--zones says from where listeners are probed, and without --probe none is",
                "add --probe, or leave --zones out",
            )),
            _ => Ok(()),
        }
    }

    /// What was seen from elsewhere, and what should have been; the state has the changes that were made since.
    pub(crate) fn vantages(&self, state: &StateArgs, simulated: bool) -> Result<Arc<Vantages>, CliError> {
        let rules = self.zones.as_deref().map(load_zones).transpose()?.unwrap_or_default();
        let now = Timestamp::now();
        let looks: Vec<Looks> = self.looks.iter().map(|path| load_looks(path, now)).collect::<Result<_, _>>()?;
        let longest = SignedDuration::try_from(self.looks_max_age).unwrap_or(SignedDuration::MAX);
        let known: BTreeSet<&str> = rules.iter().map(|rule| &*rule.zone).collect();
        for (path, looks) in self.looks.iter().zip(&looks) {
            if self.zones.is_some() && !known.contains(&*looks.zone) {
                let what = format!("{} is of zone {}, which no rule names", path.display(), looks.zone);
                return Err(CliError::usage(what, "correct the file of zones: `hostssl zones list` shows its rules"));
            }
        }
        let times = if looks.is_empty() {
            Vec::new()
        } else {
            let reader = state.read_before_keeping(simulated)?;
            if reader.is_some() {
                // What runs wrote since is taken in; a state that cannot be written says what it has.
                let _ = AuditStore::open(&state.directory(simulated)?).and_then(|store| store.latest());
            }
            reader.map_or_else(|| Ok(Vec::new()), |reader| reader.switch_times())?
        };
        let switches = times
            .into_iter()
            .map(|SwitchTimes { server, off_ms, changed_ms }| (server, KnownSwitch { off_ms, changed_ms }));
        Ok(Arc::new(Vantages::new(rules, looks, now, longest).with_switches(switches)))
    }

    /// Says how many listeners were probed in zones that no server in the audit has: their looks proved nothing.
    pub(crate) fn tell_of_strangers(&self, vantages: &Vantages, report: &AuditReport) {
        let strangers = vantages.strangers(report.servers.iter().map(|one| &one.server));
        if let [first, ..] = strangers.as_slice() {
            let (count, first) = (strangers.len(), hostssl_formats::safe(first));
            let those = if count == 1 { "1 endpoint" } else { &format!("{count} endpoints") };
            stderr!(
                "warning: --looks has {those} that no server in scope has, such as {first}: those looks were not used"
            );
        }
    }
}

/// Reads the rules of a file of zones.
pub(crate) fn load_zones(path: &Path) -> Result<Vec<ZoneRule>, CliError> {
    read_zones(&zones_text(path)?).map_err(|error| CliError::from(error).of_file(path))
}

/// The text of a file of zones.
pub(crate) fn zones_text(path: &Path) -> Result<String, CliError> {
    let unreadable = |error: io::Error| {
        let what = format!("the zones of {} cannot be read: {error}", path.display());
        CliError::usage(what, "name a file of zones, or make one as `hostssl zones add --help` shows")
    };
    let mut text = String::new();
    let file = File::open(path).map_err(unreadable)?;
    file.take(LARGEST_ZONES + 1).read_to_string(&mut text).map_err(unreadable)?;
    if text.len() as u64 > LARGEST_ZONES {
        return Err(unreadable(ErrorKind::FileTooLarge.into()));
    }
    Ok(text)
}

/// What stands behind the mark that editors and shells of Windows put at the beginning of a text.
pub(crate) fn utf8<R: BufRead>(mut text: R) -> Result<R, String> {
    let begin = text.fill_buf().map_err(|error| error.to_string())?;
    if begin.starts_with(&[0xff, 0xfe]) || begin.starts_with(&[0xfe, 0xff]) {
        return Err("it is UTF-16, as PowerShell writes with >".to_owned());
    }
    let mark = if begin.starts_with("\u{feff}".as_bytes()) { 3 } else { 0 };
    text.consume(mark);
    Ok(text)
}

/// Reads what a probe in a zone saw.
fn load_looks(path: &Path, now: Timestamp) -> Result<Looks, CliError> {
    let place = path.display();
    let again = "probe again in the zone with `hostssl probe --targets LIST -o json`, and copy its whole output";
    let refused = |why: &dyn std::fmt::Display, hint: &str| CliError::usage(format!("{place}: {why}"), hint);
    let file = File::open(path).map_err(|error| refused(&error, "--looks takes a file that `hostssl probe` wrote"))?;
    match file.metadata() {
        Ok(metadata) if metadata.is_dir() => return Err(refused(&"it is a folder", "name the files in it")),
        Ok(metadata) if metadata.len() > LARGEST_LOOKS => {
            return Err(refused(&"it is larger than 1 GiB", "probe the zone in several parts"));
        }
        _ => {}
    }
    let text = utf8(BufReader::new(file.take(LARGEST_LOOKS)))
        .map_err(|why| refused(&why, "write it with a shell that keeps bytes as they are, such as cmd or bash"))?;
    let read = probe_json::read_document(text).map_err(|error| refused(&error, again))?;
    let ZoneLooks { zone: Some(zone), endpoints } = read else {
        let hint = "probe a list that `hostssl zones targets ZONE` made: its looks have their zone and their time";
        return Err(refused(&"it was not probed for a zone", hint));
    };
    if !is_zone_name(&zone) {
        return Err(refused(&"its zone has a name that no zone can have", again));
    }
    let zone: Arc<str> = zone.into();
    let look = |report: &EndpointReport| {
        let taken = report.observed_ms.and_then(|ms| Timestamp::from_millisecond(ms).ok());
        let Some(taken) = taken else { return Err(refused(&"a look in it has no time", again)) };
        if taken.duration_since(now) > CLOCK_SKEW {
            let hint = "set the clock of the machine in the zone, or of this one, and probe again";
            return Err(refused(&format!("a look in it is from the future: {taken:.0}"), hint));
        }
        let holes = [Weakness::PlaintextAccepted, Weakness::PlaintextReplicationAccepted];
        let is_open = report.plaintext.outcome == StartupOutcome::Allowed
            || report.startups.iter().any(|startup| startup.plaintext.outcome == StartupOutcome::Allowed)
            || report.weaknesses.iter().any(|weakness| holes.contains(weakness));
        if report.verdict == WireVerdict::Enforced && is_open {
            return Err(refused(&"a look in it contradicts itself: enforced, and plaintext was accepted", again));
        }
        let vantage = Vantage { zone: Arc::clone(&zone), observed_ms: taken.as_millisecond() };
        let seen = WireObservation { vantage: Some(Box::new(vantage)), ..carried_observation(report, taken, now) };
        Ok((report.host.as_str().into(), seen))
    };
    let looks = endpoints.iter().map(look).collect::<Result<_, _>>()?;
    Ok(Looks { zone, looks })
}
