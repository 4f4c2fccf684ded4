//! Settings of a plan or a state: blocks of parameters, and attributes of single servers.

use super::servers::Servers;
use super::{AZAPI_UPDATE, Moment, Role, Seen};
use crate::file::{BlockAct, SettingBlock, Stated};
use crate::input::attributes::TfAttributes;
use crate::input::scalar::Scalar;
use crate::{IacFile, IacGap, IacGapKind, IacReason, IacServerChange};
use hostssl_model::{Kind, Meaning, ParameterName};

/// Adds the settings of every resource.
pub(super) fn add<'a>(file: &mut IacFile, resources: &[Seen<'a>], servers: &mut Servers<'a>) {
    let mut server = 0;
    for resource in resources {
        match resource.role {
            Role::Server(kind) => {
                let inline = inline(resource, kind);
                if let Some(block) = servers.get_mut(server) {
                    block.inline = inline;
                }
                server += 1;
            }
            Role::Parameter(kind) => parameter(file, resource, kind, resources, servers),
            Role::Other if resource.is_azapi() && is_about_servers(resource) => {
                let address = Some(resource.address.into());
                file.gaps.push(IacGap { kind: IacGapKind::NotUnderstood, address });
            }
            Role::Other => {}
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

/// A block of one parameter. One that is replaced leaves what it was and becomes something else, which may be two settings.
fn parameter<'a>(file: &mut IacFile, resource: &Seen<'a>, kind: Kind, all: &[Seen<'a>], servers: &mut Servers<'a>) {
    let mut place = |moment| (named(resource, kind, moment), servers.find(resource, kind, moment, all));
    let deletes = resource.has_action("delete") || resource.is_deposed;
    let forgets = resource.has_action("forget") && !resource.has_action("create");
    let stays = !(deletes || forgets) || resource.has_action("create");
    let before = resource.before.is_some().then(|| place(Moment::Before));
    let after = (stays && resource.after.is_some()).then(|| place(Moment::After));
    // A provider that cannot be asked for its defaults, or whose deletion does nothing.
    let deletion = match resource.resource_type {
        AZAPI_UPDATE => BlockAct::Release,
        _ if resource.is_azapi() => BlockAct::Delete,
        _ => BlockAct::Reset,
    };
    // With the server goes everything that is set on it.
    let is_gone = |index: Option<usize>| {
        let change = index.and_then(|index| servers.get(index)).map(|server| server.change);
        matches!(change, Some(IacServerChange::Replaces | IacServerChange::Destroys))
    };
    let deletes = deletes && !before.is_some_and(|(_, server)| is_gone(server));
    // Created first and then deleted, so that the deletion has the last word.
    let deletes_last = resource.actions.first() == Some(&"create") && deletes;
    let same_place = before.is_some() && before == after;
    let block = |(name, server): (Named, Option<usize>), after, act| SettingBlock {
        address: resource.address.into(),
        kind,
        server,
        name: name.setting(),
        before: name.setting().map_or(Stated::Absent, |one| resource.stated(Moment::Before, one)),
        after,
        act,
        changed_outside: name.setting().and_then(|one| outside(resource, one)),
    };
    let value_after = |name: Named| match name.setting() {
        Some(one) => resource.stated(Moment::After, one),
        None => Stated::Unclear(IacReason::UntilApply),
    };
    if let Some(place) = before.filter(|(name, _)| deletes && (!same_place || deletes_last) && *name != Named::Other) {
        file.settings.push(block(place, Stated::Absent, deletion));
    }
    if let Some(place) = before.filter(|(name, _)| forgets && *name != Named::Other) {
        let value = place
            .0
            .setting()
            .map_or(Stated::Unclear(IacReason::UntilApply), |one| resource.stated(Moment::Before, one));
        file.settings.push(block(place, value, BlockAct::Release));
    }
    let Some(place) = after.filter(|(name, _)| *name != Named::Other && !(same_place && deletes_last)) else { return };
    let act = if resource.is_state {
        BlockAct::Record
    } else if resource.has_action("create") || resource.has_action("update") {
        BlockAct::Write
    } else {
        BlockAct::Keep
    };
    let mut added = block(place, value_after(place.0), act);
    if !same_place {
        added.before = Stated::Absent;
    }
    file.settings.push(added);
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
        id.rsplit('/').next()
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
