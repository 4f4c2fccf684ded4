//! Judges what a file does, and what it does to the servers that are there.

use crate::audited_servers::{LiveMatch, LiveServers, live_meaning};
use crate::checked_file::{IacFile, ServerBlock, SettingBlock};
use crate::future::{Blocks, Future, Stray, future, written};
use crate::report::{ComparedAudit, IacFinding, IacReport, IacRule, IacServer, LiveDifference, LiveValue};
use crate::{IacEffect, IacReason, IacServerChange};
use hostssl_audit::{Control, ControlInput, ControlResult, Profile, Settings};
use hostssl_model::{
    AuditReport, ControlId, Kind, Meaning, Outcome, Parameter, ParameterName, Posture, Reading, ReplicationRole,
    ResourceId, Server, Tags,
};
use std::borrow::Cow;
use std::collections::{HashMap, HashSet};

/// The controls that one value of a file decides. The others need a server.
const CONTROLS: [ControlId; 3] =
    [ControlId::RequireSecureTransport, ControlId::MinimumTlsVersion, ControlId::MaximumTlsVersion];

/// Judges a file by the controls of a profile, and compares it with an audit where there is one. A value of a file passes only
/// if it is known; a server whose value the file does not decide is judged by what it has, if the audit could read it.
#[must_use]
pub fn check(file: &IacFile, profile: &Profile, live: Option<&AuditReport>) -> IacReport {
    let servers = live.map(LiveServers::of);
    let destroyed = file.servers.iter().filter_map(|server| server.destroys.as_ref()).collect();
    let judging = Judging { file, profile, live: servers.as_ref(), destroyed: &destroyed };
    let mut by_server: HashMap<usize, Vec<&SettingBlock>> = HashMap::new();
    for block in &file.settings {
        if let Some(server) = block.server {
            by_server.entry(server).or_default().push(block);
        }
    }
    let homeless: Vec<&SettingBlock> = file.settings.iter().filter(|block| block.server.is_none()).collect();
    // Each kind and setting once: whether there is one is asked of every server.
    let strays: HashSet<Stray> = homeless.iter().map(|block| (block.kind, block.name)).collect();
    let none = Vec::new();
    let known = file.servers.iter().enumerate().map(|(index, server)| {
        let blocks = by_server.get(&index).unwrap_or(&none);
        judging.server(server, blocks, &strays)
    });
    let alone = homeless.iter().map(|block| judging.homeless(block));
    IacReport {
        format: file.format,
        tool_version: file.tool_version.clone(),
        profile: profile.to_string(),
        live: live.map(|audit| ComparedAudit {
            run: audit.run.id.clone(),
            finished_at: audit.run.finished_at.clone(),
            complete: audit.run.complete,
        }),
        servers: known.chain(alone).collect(),
        gaps: file.gaps.clone(),
        fail_on: Vec::new(),
        waivers: None,
        baseline: None,
    }
}

struct Judging<'a> {
    file: &'a IacFile,
    profile: &'a Profile,
    live: Option<&'a LiveServers<'a>>,
    /// The ids of the servers that an apply destroys.
    destroyed: &'a HashSet<&'a ResourceId>,
}

/// What is live of one setting: nothing was compared, or what came of it.
type LiveComparison = Option<Result<Meaning, IacReason>>;

impl Judging<'_> {
    fn server(&self, server: &ServerBlock, blocks: &[&SettingBlock], strays: &HashSet<Stray>) -> IacServer {
        let matched = self.live.map(|live| live.find(server));
        let id = match (&server.id, matched) {
            _ if server.hides_id => None,
            (None, Some(LiveMatch::Found(report))) => Some(report.server.id.clone()),
            (id, _) => id.clone(),
        };
        let group = server.resource_group.clone().or_else(|| id.as_ref().map(|id| id.resource_group().into()));
        let mut found = IacServer {
            address: server.address.clone(),
            kind: server.kind,
            id,
            name: server.name.clone(),
            resource_group: group,
            change: server.change,
            findings: Vec::new(),
        };
        // A server that is there already: Azure refuses to make it again, and nothing is written to it.
        let is_made = matches!(server.change, IacServerChange::Creates | IacServerChange::Replaces);
        let is_refused =
            is_made && matches!(matched, Some(LiveMatch::Found(report)) if !self.destroyed.contains(&report.server.id));
        if server.change != IacServerChange::Destroys {
            for (control, name) in self.judged(server.kind) {
                let blocks = of_setting(server, blocks, strays, name);
                if is_asked(control, &blocks) {
                    let mut future = future(self.file, server, name, &blocks);
                    if is_refused {
                        future.is_written = false;
                        future.effect = IacEffect::Unknown;
                    }
                    let live = matched.map(|matched| live_of(matched, name));
                    found.findings.extend(self.findings(server, control, name, future, live));
                }
            }
        }
        found
    }

    /// A block whose server is not known until an apply.
    fn homeless(&self, block: &SettingBlock) -> IacServer {
        let server = ServerBlock {
            address: block.address.clone(),
            kind: block.kind,
            id: None,
            name: None,
            resource_group: None,
            hides_id: false,
            change: IacServerChange::Elsewhere,
            destroys: None,
            is_copy: false,
            inline: Vec::new(),
        };
        // What is live of a server that is not known was not compared.
        let mut found = Judging { live: None, ..*self }.server(&server, &[block], &HashSet::new());
        if self.live.is_some() && block.name.is_some() {
            found.findings.iter_mut().filter(|one| one.outcome == Outcome::Pass).for_each(|one| {
                one.outcome = Outcome::Unknown;
                one.reason = Some(IacReason::NotInAudit);
            });
        }
        found
    }

    /// The controls that are judged, each with its setting.
    fn judged(&self, kind: Kind) -> Vec<(&'static Control, ParameterName)> {
        let asked = self.profile.controls.iter().copied().filter(|control| CONTROLS.contains(&control.id));
        let each = |control: &'static Control| {
            (control.needs)(kind, ReplicationRole::None).into_iter().map(move |name| (control, name))
        };
        asked.flat_map(each).collect()
    }

    fn findings(
        &self,
        server: &ServerBlock,
        control: &'static Control,
        name: ParameterName,
        future: Future,
        live: LiveComparison,
    ) -> Vec<IacFinding> {
        let judge = |meaning| judge(control, &self.profile.settings, server.kind, name, meaning);
        let outcome = outcome(server, name, &future, live, &judge);
        let mut finding = IacFinding {
            rule: IacRule::Control(control.id),
            outcome: outcome.outcome,
            setting: name,
            effect: future.effect,
            address: future.address.clone(),
            before: future.before,
            after: outcome.after,
            changed_outside: future.changed_outside,
            live: outcome.live,
            expected: outcome.expected,
            reason: outcome.reason,
            waiver: None,
            is_known: false,
        };
        // What the server has says more than what the file believes.
        if let (Some(Ok(live)), true, Ok(after)) = (live, future.is_written, future.after)
            && future.effect != IacEffect::ResetsToDefault
            && future.effect != IacEffect::LeavesDefault
        {
            finding.effect = written(Some(live), after);
        }
        let refused = refused(&finding, &future, live);
        std::iter::once(finding).chain(refused).collect()
    }
}

/// The blocks of one setting of a server.
fn of_setting<'a>(
    server: &'a ServerBlock,
    blocks: &[&'a SettingBlock],
    strays: &'a HashSet<Stray>,
    name: ParameterName,
) -> Blocks<'a> {
    let inline = server.inline.iter().filter(|block| block.name == Some(name));
    Blocks {
        of_setting: blocks.iter().copied().filter(|block| block.name == Some(name)).chain(inline).collect(),
        nameless: blocks.iter().copied().filter(|block| block.name.is_none()).collect(),
        strays,
    }
}

/// Whether a control is judged: of a cap, only what the file sets. Every other one is, also of a server of which the file has only
/// another setting: what a file does not set may have any value, and no server of a file passes without one.
fn is_asked(control: &Control, blocks: &Blocks<'_>) -> bool {
    let is_set = !blocks.of_setting.is_empty() || !blocks.nameless.is_empty();
    is_set || control.id != ControlId::MaximumTlsVersion
}

fn live_of(matched: LiveMatch<'_>, name: ParameterName) -> Result<Meaning, IacReason> {
    match matched {
        LiveMatch::Found(report) => live_meaning(report, name),
        LiveMatch::Missing => Err(IacReason::NotInAudit),
    }
}

/// How a control judges one value.
struct Judged {
    passes: bool,
    expected: Option<Cow<'static, str>>,
}

/// What a control comes to.
struct Decided {
    outcome: Outcome,
    after: Option<Meaning>,
    live: Option<LiveValue>,
    expected: Option<Cow<'static, str>>,
    reason: Option<IacReason>,
}

/// Judges the value after an apply. What the file does not write is what the server has: where both are known and differ, both
/// must pass, because the next plan writes the value of the file.
fn outcome(
    server: &ServerBlock,
    name: ParameterName,
    future: &Future,
    live: LiveComparison,
    judge: &impl Fn(Meaning) -> Judged,
) -> Decided {
    // What the audit could not find of a server that is made is no gap; a value of one that it has is.
    let is_new = matches!(server.change, IacServerChange::Creates | IacServerChange::Replaces)
        && (future.is_written || live != Some(Err(IacReason::LiveUnknown)));
    let found = live.and_then(Result::ok);
    let difference = match (found, future.after, future.before) {
        (Some(live), Ok(after), _) if live == after => None,
        (Some(live), Ok(_), before) if future.is_written => {
            (before != Some(live)).then_some(LiveDifference::Overwritten)
        }
        (Some(_), Ok(_), _) => Some(LiveDifference::Unnoticed),
        _ => None,
    };
    let live_value = found.map(|meaning| LiveValue { meaning, difference });
    let values: Result<Vec<Meaning>, IacReason> = match (future.after, live) {
        (Ok(after), _) if future.is_written => Ok(vec![after]),
        (Ok(after), Some(Ok(live))) => Ok(vec![after, live]),
        (Ok(_), Some(Err(reason))) if !is_new => Err(reason),
        (Ok(after), _) => Ok(vec![after]),
        // The file leaves it, so that it stays what it is.
        (Err(IacReason::NotManaged), Some(Ok(live))) => Ok(vec![live]),
        (Err(IacReason::NotManaged), Some(Err(reason))) if !is_new => Err(reason),
        (Err(reason), _) => Err(reason),
    };
    let decided = |outcome, after, expected, reason| Decided { outcome, after, live: live_value, expected, reason };
    match values {
        Ok(values) => {
            let after = future.after.ok().or(found);
            let failed = values.into_iter().map(judge).find(|judged| !judged.passes);
            match failed {
                Some(judged) => decided(Outcome::Fail, after, judged.expected, None),
                None => decided(Outcome::Pass, after, None, None),
            }
        }
        // Whatever the value is, Azure offers none that fails.
        Err(reason) if reason != IacReason::OtherValue && every_floor_passes(server.kind, name, judge) => {
            decided(Outcome::Pass, future.after.ok(), None, None)
        }
        Err(reason) => decided(Outcome::Unknown, future.after.ok(), None, Some(reason)),
    }
}

fn every_floor_passes(kind: Kind, name: ParameterName, judge: &impl Fn(Meaning) -> Judged) -> bool {
    let floors = kind.offering().floor_values;
    name.is_floor() && !floors.is_empty() && floors.iter().all(|floor| judge(Meaning::Floor(*floor)).passes)
}

/// That a deleted block makes the server refuse clients, or may do so.
fn refused(finding: &IacFinding, future: &Future, live: LiveComparison) -> Option<IacFinding> {
    let after = future.after.ok().filter(|_| future.effect == IacEffect::ResetsToDefault)?;
    let now = match live {
        // What the plan believes is not what the server has.
        Some(Err(reason)) => Err(reason),
        Some(Ok(now)) => Ok(now),
        None => future.before.ok_or(IacReason::OtherValue),
    };
    let (outcome, reason) = match now {
        Ok(now) if now.is_looser_than(after) => (Outcome::Fail, None),
        Ok(_) => return None,
        Err(reason) => (Outcome::Unknown, Some(reason)),
    };
    Some(IacFinding { rule: IacRule::ResetRefusesClients, outcome, reason, expected: None, ..finding.clone() })
}

/// Asks the control itself, with a server that has this value.
fn judge(control: &Control, settings: &Settings, kind: Kind, name: ParameterName, meaning: Meaning) -> Judged {
    let Some(value) = name.spell(meaning) else { return Judged { passes: false, expected: None } };
    let Some(server) = stand_in(kind) else { return Judged { passes: false, expected: None } };
    let readings = vec![(name, Reading::Known(Parameter::in_effect(name, value)))];
    let posture = Posture { server, readings, wire: Vec::new() };
    match (control.judge)(&ControlInput { posture: &posture, primary: None }, settings) {
        ControlResult::Pass { .. } => Judged { passes: true, expected: None },
        ControlResult::Fail { expected, .. } => Judged { passes: false, expected: Some(expected) },
        ControlResult::Unknown(_) | ControlResult::NotApplicable => Judged { passes: false, expected: None },
    }
}

/// A server of a kind, of which a control asks nothing but the kind and its settings.
fn stand_in(kind: Kind) -> Option<Server> {
    let id = format!("/subscriptions/-/resourceGroups/-/providers/{}/-", kind.offering().arm_type);
    Some(Server {
        id: ResourceId::try_from(id.as_str()).ok()?,
        kind,
        location: "".into(),
        state: None,
        fqdn: None,
        role: ReplicationRole::None,
        primary: None,
        tags: Tags::default(),
        administrator: None,
        created_at: None,
        network: hostssl_model::NetworkAccess::default(),
    })
}
