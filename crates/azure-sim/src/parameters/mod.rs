//! The parameters that servers have: names, defaults, what they may be.
//!
//! A real flexible server lists several hundred. Only those about transport matter to hostssl; the others are here so
//! that a list looks like one, is worth paging, and offers dynamic, static and read-only parameters to write to.

mod tables;

pub(crate) use tables::{COSMOS, FLEXIBLE, HORIZON, SINGLE, SINGLE_PROPERTIES};

use crate::fleet::Kind;
use crate::path::Plane;

/// What is fixed about one parameter.
#[derive(Debug)]
pub(crate) struct Parameter {
    pub(crate) name: &'static str,
    pub(crate) description: &'static str,
    pub(crate) default: &'static str,
    /// `Boolean`, `Integer`, `Enumeration`, `String` or `Set`.
    pub(crate) data_type: &'static str,
    pub(crate) allowed: &'static str,
    /// False: a change waits for a restart.
    pub(crate) dynamic: bool,
    pub(crate) read_only: bool,
    pub(crate) unit: &'static str,
    /// The page of the PostgreSQL manual that describes it; empty for Azure's own.
    pub(crate) page: &'static str,
}

/// The name of the switch that this project is about.
pub(crate) const REQUIRE_SECURE_TRANSPORT: &str = "require_secure_transport";
/// The TLS floor.
pub(crate) const MIN_TLS: &str = "ssl_min_protocol_version";
/// The TLS cap.
pub(crate) const MAX_TLS: &str = "ssl_max_protocol_version";
/// Whether log files can be downloaded.
pub(crate) const LOG_DOWNLOAD: &str = "logfiles.download_enable";
/// How many days log files are kept.
pub(crate) const LOG_DAYS: &str = "logfiles.retention_days";
/// The read-only parameter that is on everywhere and says nothing about enforcement.
pub(crate) const SSL: &str = "ssl";

/// The parameter of `kind` called `name`, in any letter case.
pub(crate) fn find(kind: Kind, name: &str) -> Option<&'static Parameter> {
    let tables: &[&'static [Parameter]] = match kind {
        Kind::Flexible => &[FLEXIBLE],
        Kind::Single => &[SINGLE, SINGLE_PROPERTIES],
        Kind::Cosmos => &[COSMOS],
        Kind::ParameterGroup => &[HORIZON],
        Kind::Horizon => &[],
    };
    tables.iter().flat_map(|table| table.iter()).find(|parameter| parameter.name.eq_ignore_ascii_case(name))
}

/// A parameter of a role of a server group.
pub(crate) fn of_role(plane: Plane, name: &str) -> Option<&'static Parameter> {
    let prefix = if plane == Plane::Node { "node" } else { "coordinator" };
    find(Kind::Cosmos, &format!("{prefix}:{name}"))
}

/// A parameter that is addressed as one; a single server's properties are not.
pub(crate) fn plain(kind: Kind, name: &str) -> Option<&'static Parameter> {
    let parameter = find(kind, name)?;
    let property = SINGLE_PROPERTIES.iter().any(|property| std::ptr::eq(property, parameter));
    (!property).then_some(parameter)
}

impl Parameter {
    /// Whether `value` may be written, as far as the simulator judges it: switches and choices must be one of the
    /// allowed words, in any letter case; numbers must be numbers. Ranges are not checked.
    pub(crate) fn admits(&self, value: &str) -> bool {
        match self.data_type {
            "Boolean" | "Enumeration" => self.allowed.split(',').any(|word| word.eq_ignore_ascii_case(value)),
            "Integer" => value.parse::<i64>().is_ok(),
            _ => value.len() <= 8_192,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tables_are_ordered_and_defaults_are_admitted() {
        for (table, kind) in [
            (FLEXIBLE, Kind::Flexible),
            (COSMOS, Kind::Cosmos),
            (HORIZON, Kind::ParameterGroup),
            (SINGLE, Kind::Single),
        ] {
            assert!(table.is_sorted_by_key(|parameter| parameter.name));
            for parameter in table {
                assert!(parameter.admits(parameter.default), "{}", parameter.name);
                assert!(std::ptr::eq(find(kind, &parameter.name.to_uppercase()).unwrap(), parameter));
            }
        }
        assert!(FLEXIBLE.len() >= 24);
    }

    #[test]
    fn a_cap_may_be_empty_and_a_switch_may_not() {
        assert!(find(Kind::Flexible, MAX_TLS).unwrap().admits(""));
        assert!(!find(Kind::Flexible, MIN_TLS).unwrap().admits(""));
        assert!(find(Kind::Flexible, REQUIRE_SECURE_TRANSPORT).unwrap().admits("ON"));
        assert!(!find(Kind::Flexible, REQUIRE_SECURE_TRANSPORT).unwrap().admits("yes"));
    }
}
