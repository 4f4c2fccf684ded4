//! The portal's page *Connection security*, for both generations: the switch, the floor, and where else they are set.

use super::Head;
use hostssl_model::{Meaning, ParameterName, Word};
use hostssl_store::{ServerDetail, StoredReading};

/// The portal's form for this kind of server.
pub(super) struct SaveForm {
    pub(super) floors: Vec<FloorChoice>,
    /// Whether the floor is none of these, or was not read.
    pub(super) other: bool,
    /// Azure's word for the floor; empty when it was not read.
    pub(super) now: String,
}

/// A floor that this kind of server offers.
pub(super) struct FloorChoice {
    /// Azure's word.
    pub(super) word: &'static str,
    pub(super) title: String,
    /// Whether it is what the server declares.
    pub(super) is_now: bool,
    /// Whether it is less strict than that.
    pub(super) is_looser: bool,
}

impl SaveForm {
    /// There is one where a switch can be turned and hostssl writes it, for the server as it was seen last.
    pub(super) fn of(head: &Head) -> Option<Self> {
        let kind = head.row.server.kind.known()?;
        let offering = kind.offering();
        if kind.switch().is_none() || offering.not_written.is_some() || !head.newest || head.gone {
            return None;
        }
        let now = head.row.server.minimal_tls.as_ref();
        let floors = offering.floor_values.iter().map(|floor| FloorChoice {
            word: floor.as_azure(),
            title: floor.to_string(),
            is_now: now.and_then(Word::known) == Some(*floor),
            is_looser: now.and_then(Word::known).is_some_and(|now| *floor < now),
        });
        let floors: Vec<FloorChoice> = floors.collect();
        let other = !floors.iter().any(|floor| floor.is_now);
        Some(Self { floors, other, now: now.map_or("", Word::as_str).to_owned() })
    }
}

/// The portal's page for both generations: what the switch is, what it really sets, and where to set it.
pub(super) struct SwitchPage {
    /// The setting that enforces; `None` where the platform does.
    pub(super) setting: Option<&'static str>,
    pub(super) floor: &'static str,
    pub(super) enforce: Option<StoredReading>,
    pub(super) minimum: Option<StoredReading>,
    pub(super) command: Option<String>,
    pub(super) portal: &'static str,
    /// Whether this version knows the kind of server.
    pub(super) known: bool,
}

impl SwitchPage {
    /// Whether the platform enforces TLS, so that there is no switch.
    pub(super) fn by_platform(&self) -> bool {
        self.known && self.setting.is_none()
    }

    /// Of a kind that this version does not know, nothing can be said.
    pub(super) fn of(detail: &ServerDetail) -> Self {
        let row = &detail.row;
        let Some(kind) = row.kind.known() else {
            return Self {
                setting: None,
                floor: "",
                enforce: None,
                minimum: None,
                command: None,
                portal: "",
                known: false,
            };
        };
        let offering = kind.offering();
        let (switch, floor) = (kind.switch(), kind.client_floor());
        let reading = |name: ParameterName| detail.readings.iter().find(|one| one.setting == name.key()).cloned();
        let on = switch.and_then(|name| Some((name, name.spell(Meaning::Enforced(true))?)));
        let command = offering.az_parameter_set.zip(on).map(|(command, (name, on))| {
            let (subscription, group, server) = (&row.subscription_id, &row.resource_group, &row.name);
            format!("{command} --subscription {subscription} -g {group} -s {server} -n {name} --value {on}")
        });
        Self {
            setting: switch.map(ParameterName::as_str),
            floor: floor.map_or("", ParameterName::as_str),
            enforce: switch.and_then(reading),
            minimum: floor.and_then(reading),
            command,
            portal: offering.portal,
            known: true,
        }
    }
}
