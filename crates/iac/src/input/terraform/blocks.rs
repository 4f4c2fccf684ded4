//! Settings of a plan or a state: blocks of parameters, and attributes of single servers.

use super::servers::Servers;
use super::{AZAPI_ACTION, AZAPI_UPDATE, Moment, Role, Seen};
use crate::checked_file::{BlockAct, SettingBlock, Stated};
use crate::input::attributes::TfAttributes;
use crate::input::scalar::Scalar;
use crate::{IacFile, IacGap, IacGapKind, IacReason, IacServerChange};
use hostssl_model::{Kind, Meaning, ParameterName};

/// Adds the settings of every resource.
pub(super) fn add<'a>(file: &mut IacFile, resources: &[Seen<'a>], servers: &mut Servers<'a>) {
    let mut server = 0;
    for resource in resources {
        // Terraform writes no resource without its values: the file is damaged, and what it had said is not known.
        let is_of_setting = matches!(resource.role, Role::Server(_) | Role::Parameter(_));
        if (resource.has_no_values() && resource.role != Role::Unread)
            || (is_of_setting && resource.has_unknown_action())
        {
            file.gaps.push(IacGap { kind: IacGapKind::NotUnderstood, address: Some(resource.address.into()) });
        }
        match resource.role {
            Role::Server(kind) => {
                let inline = inline(resource, kind);
                if let Some(block) = servers.get_mut(server) {
                    block.inline = inline;
                }
                server += 1;
            }
            Role::Parameter(kind) => parameter(file, resource, kind, servers),
            Role::Other if resource.is_azapi() && is_about_servers(resource) => {
                let address = Some(resource.address.into());
                file.gaps.push(IacGap { kind: IacGapKind::NotUnderstood, address });
            }
            // An action that is not done changes nothing. A template that is not deployed again still says what the servers have.
            Role::Unread if resource.resource_type != AZAPI_ACTION || !resource.has_action("no-op") => {
                file.gaps.push(IacGap { kind: IacGapKind::NotRead, address: Some(resource.address.into()) });
            }
            Role::Other | Role::Unread => {}
        }
    }
}

/// Whether a type of Azure that is neither a server nor its parameter may have some all the same.
fn is_about_servers(resource: &Seen<'_>) -> bool {
    let types = [resource.after, resource.before];
    let mut types = types.into_iter().flatten().filter_map(super::arm_type);
    // A cluster of Azure Cosmos DB for PostgreSQL is one whose TLS cannot be turned off.
    types.any(|one| one.matches('/').count() == 1 && Kind::of_arm_type(&one).is_none())
}

/// The settings that are attributes of the server.
fn inline(resource: &Seen<'_>, kind: Kind) -> Vec<SettingBlock> {
    // A flexible server has none: its settings are resources of their own.
    if kind.default_of(kind.switch().unwrap_or(ParameterName::SslEnforcement)).is_some() {
        return Vec::new();
    }
    let block = |name: ParameterName| SettingBlock {
        address: resource.address.into(),
        kind,
        server: None,
        name: Some(name),
        before: resource.stated(Moment::Before, name),
        after: resource.stated(Moment::After, name),
        act: inline_act(resource, name),
        changed_outside: outside(resource, name),
    };
    kind.settings().into_iter().map(block).collect()
}

fn inline_act(resource: &Seen<'_>, name: ParameterName) -> BlockAct {
    let is_new = resource.has_action("create");
    let changes = resource.stated(Moment::Before, name) != resource.stated(Moment::After, name);
    if resource.is_state {
        BlockAct::Record
    } else if is_new || (changes && resource.has_action("update")) {
        BlockAct::Write
    } else if resource.has_action("forget") {
        BlockAct::Release
    } else {
        BlockAct::Keep
    }
}

fn outside(resource: &Seen<'_>, name: ParameterName) -> Option<Meaning> {
    resource.outside.iter().find(|(one, _)| *one == name).map(|(_, meaning)| *meaning)
}

/// Which setting of which server a block is about.
type Spot = (Named, Option<usize>);

/// A block of one parameter. One that is replaced leaves what it was and becomes something else, which may be two settings.
fn parameter<'a>(file: &mut IacFile, resource: &Seen<'a>, kind: Kind, servers: &mut Servers<'a>) {
    let mut spot = |moment| (named(resource, kind, moment), servers.find(resource, kind, moment));
    let creates = resource.has_action("create");
    let before = resource.before.is_some().then(|| spot(Moment::Before));
    let is_left = resource.has_action("delete") || resource.has_action("forget") || resource.is_deposed;
    // What is written is there after an apply, also when nothing of it is known yet: it may be about any setting.
    let has_after = resource.after.is_some() || creates || resource.has_action("update");
    let after = (has_after && (creates || !is_left)).then(|| spot(Moment::After));
    // With the server goes everything that is set on it.
    let server = before.and_then(|(_, server)| servers.get(server?)).map(|server| server.change);
    let is_gone = matches!(server, Some(IacServerChange::Replaces | IacServerChange::Destroys));
    let same_spot = before.is_some() && before == after;
    // Created first and then deleted, so that the deletion has the last word.
    let is_left_last = resource.actions.first() == Some(&"create") && resource.has_action("delete") && !is_gone;
    if let Some(spot) = before.filter(|_| is_left && !is_gone && (!same_spot || is_left_last)) {
        file.settings.extend(leaves(resource, kind, spot));
    }
    if let Some(spot) = after.filter(|_| !(same_spot && is_left_last)) {
        let block = becomes(resource, kind, spot, same_spot);
        let owner = spot.1.and_then(|server| servers.get(server)).map(|server| server.change);
        // Of a server that is destroyed nothing is judged, and a plan that has a block of it afterwards has another one in mind.
        if owner == Some(IacServerChange::Destroys) && block.is_some() {
            let address = Some(resource.address.into());
            file.gaps.push(IacGap { kind: IacGapKind::NotUnderstood, address });
        }
        file.settings.extend(block);
    }
}

/// What a block leaves behind that is deleted or no longer managed.
fn leaves(resource: &Seen<'_>, kind: Kind, spot: Spot) -> Option<SettingBlock> {
    let deletes = resource.has_action("delete") || resource.is_deposed;
    let act = match resource.resource_type {
        _ if !deletes => BlockAct::Release,
        // Its deletion does nothing.
        AZAPI_UPDATE => BlockAct::Release,
        // What Azure answers to the deletion of a parameter is not known.
        _ if resource.is_azapi() => BlockAct::Delete,
        _ => BlockAct::Reset,
    };
    let before = value(resource, Moment::Before, spot);
    let after = if act == BlockAct::Release { before } else { Stated::Absent };
    block(resource, kind, spot, (before, after), act)
}

/// What a block sets that is there after an apply.
fn becomes(resource: &Seen<'_>, kind: Kind, spot: Spot, same_spot: bool) -> Option<SettingBlock> {
    let act = if resource.is_state {
        BlockAct::Record
    } else if resource.has_action("create") || resource.has_action("update") {
        BlockAct::Write
    } else {
        BlockAct::Keep
    };
    let before = if same_spot { value(resource, Moment::Before, spot) } else { Stated::Absent };
    block(resource, kind, spot, (before, value(resource, Moment::After, spot)), act)
}

fn value(resource: &Seen<'_>, moment: Moment, (name, _): Spot) -> Stated {
    name.setting().map_or(Stated::Unclear(IacReason::UntilApply), |name| resource.stated(moment, name))
}

/// The block at a spot; none for a parameter that has nothing to do with TLS.
fn block(
    resource: &Seen<'_>,
    kind: Kind,
    (name, server): Spot,
    (before, after): (Stated, Stated),
    act: BlockAct,
) -> Option<SettingBlock> {
    (name != Named::Other).then(|| SettingBlock {
        address: resource.address.into(),
        kind,
        server,
        name: name.setting(),
        before,
        after,
        act,
        changed_outside: name.setting().and_then(|one| outside(resource, one)),
    })
}

/// Which setting a block is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Named {
    One(ParameterName),
    /// A parameter that has nothing to do with TLS.
    Other,
    /// Its name is not known.
    Unknown,
}

impl Named {
    fn setting(self) -> Option<ParameterName> {
        match self {
            Self::One(name) => Some(name),
            Self::Other | Self::Unknown => None,
        }
    }
}

fn named(resource: &Seen<'_>, kind: Kind, moment: Moment) -> Named {
    let of_id = || {
        let id = resource.text(moment, |one| &one.resource_id)?;
        // A slash at the end ends the id and begins no name, and the word for the list of parameters is none.
        let name = id.trim_end_matches('/').rsplit('/').next()?;
        (!name.is_empty() && !name.to_ascii_lowercase().ends_with("configurations")).then_some(name)
    };
    match resource.text(moment, |one| &one.name).or_else(of_id) {
        Some(name) => kind.setting_named(name).map_or(Named::Other, Named::One),
        None => Named::Unknown,
    }
}

impl Seen<'_> {
    /// What the resource says about a setting.
    pub(super) fn stated(&self, moment: Moment, name: ParameterName) -> Stated {
        let values = if moment == Moment::Before { self.before } else { self.after };
        let Some(values) = values else { return Stated::Absent };
        let of = |attribute: fn(&TfAttributes) -> &Scalar| match self.hidden(moment, attribute) {
            Some(reason) => Stated::Unclear(reason),
            None => stated(attribute(values), name),
        };
        let of_flag =
            |attribute: fn(&TfAttributes) -> &Scalar| match (self.hidden(moment, attribute), attribute(values)) {
                (None, Scalar::Bool(on)) => Stated::Value(Meaning::Enforced(*on)),
                _ => of(attribute),
            };
        match (self.role, self.is_azapi()) {
            (Role::Parameter(_), true) => of(|one| &one.body.0.value),
            (Role::Parameter(_), false) => of(|one| &one.value),
            (Role::Server(_), true) if name.is_switch() => of(|one| &one.body.0.ssl_enforcement),
            (Role::Server(_), true) if name.is_floor() => of(|one| &one.body.0.minimal_tls_version),
            (Role::Server(_), false) if name.is_switch() => {
                let current = of_flag(|one| &one.ssl_enforcement_enabled);
                // Before version 2 of the provider it was a word.
                let missing = current == Stated::Unclear(IacReason::MissingAttribute);
                if missing { of(|one| &one.ssl_enforcement) } else { current }
            }
            (Role::Server(_), false) if name.is_floor() => of(|one| &one.ssl_minimal_tls_version_enforced),
            _ => Stated::Absent,
        }
    }
}

fn stated(value: &Scalar, name: ParameterName) -> Stated {
    match value {
        Scalar::Absent | Scalar::Null => Stated::Unclear(IacReason::MissingAttribute),
        Scalar::Text(text) => name.meaning(text).map_or(Stated::Unclear(IacReason::OtherValue), Stated::Value),
        Scalar::Bool(_) | Scalar::Other => Stated::Unclear(IacReason::OtherValue),
    }
}
