//! The servers of an audit, found for those of a file.

use crate::IacReason;
use crate::checked_file::ServerBlock;
use hostssl_model::{AuditReport, Floor, Meaning, ParameterName, Reading, ResourceId, ServerReport, SslEnforcement};
use std::collections::HashMap;

/// The servers of an audit by id and by name.
pub(crate) struct LiveServers<'a> {
    by_id: HashMap<&'a ResourceId, &'a ServerReport>,
    by_name: HashMap<String, Vec<&'a ServerReport>>,
}

/// What an audit says about a server of a file.
#[derive(Debug, Clone, Copy)]
pub(crate) enum LiveMatch<'a> {
    Found(&'a ServerReport),
    /// It has none of this id or name, or several.
    Missing,
}

impl<'a> LiveServers<'a> {
    pub(crate) fn of(audit: &'a AuditReport) -> Self {
        let mut by_name: HashMap<String, Vec<&ServerReport>> = HashMap::new();
        for report in &audit.servers {
            by_name.entry(report.server.name().to_ascii_lowercase()).or_default().push(report);
        }
        Self { by_id: audit.servers.iter().map(|report| (&report.server.id, report)).collect(), by_name }
    }

    /// Finds a server by its id; where that is not known, by its name and, as far as it is known, its resource group. Azure
    /// gives a name to one server of a kind only.
    pub(crate) fn find(&self, server: &ServerBlock) -> LiveMatch<'a> {
        if let Some(id) = &server.id {
            return self.by_id.get(id).map_or(LiveMatch::Missing, |report| LiveMatch::Found(report));
        }
        let Some(name) = &server.name else { return LiveMatch::Missing };
        let named = self.by_name.get(&name.to_ascii_lowercase()).into_iter().flatten();
        let of_type = named.filter(|report| {
            let offering = server.kind.offering();
            offering
                .arm_type
                .rsplit('/')
                .next()
                .is_some_and(|one| one.eq_ignore_ascii_case(report.server.id.resource_type()))
        });
        let in_group = |report: &&&ServerReport| {
            let group = server.resource_group.as_deref();
            group.is_none_or(|group| group.eq_ignore_ascii_case(report.server.id.resource_group()))
        };
        let found: Vec<_> = of_type.filter(in_group).collect();
        match found.as_slice() {
            [one] => LiveMatch::Found(one),
            _ => LiveMatch::Missing,
        }
    }
}

/// What a server has for a setting.
pub(crate) fn live_meaning(report: &ServerReport, name: ParameterName) -> Result<Meaning, IacReason> {
    let read = report.readings.iter().find(|(read, _)| *read == name);
    if let Some((_, Reading::Known(parameter))) = read {
        return parameter.meaning().ok_or(IacReason::LiveUnknown);
    }
    // An audit that was read from its JSON has no readings, only what they come to.
    let found = if name.is_switch() {
        match report.ssl_enforcement {
            SslEnforcement::Enabled => Some(Meaning::Enforced(true)),
            SslEnforcement::Disabled => Some(Meaning::Enforced(false)),
            SslEnforcement::Unknown => None,
        }
    } else if name.is_floor() {
        report.minimal_tls_version.map(|floor: Floor| Meaning::Floor(floor))
    } else {
        None
    };
    found.ok_or(IacReason::LiveUnknown)
}
