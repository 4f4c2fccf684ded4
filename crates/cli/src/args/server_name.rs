//! Servers as the Azure CLI names them.

use super::name;
use crate::error::CliError;
use clap::Args;
use hostssl_model::{Kind, ResourceId};

/// Which servers, as the Azure CLI names them.
#[derive(Debug, Args)]
pub(crate) struct ServerNameArgs {
    /// The server.
    #[arg(long, short = 'n', value_name = "NAME", value_parser = name, required_unless_present = "ids", requires = "resource_group")]
    name: Option<String>,
    /// Its resource group.
    #[arg(long, short = 'g', value_name = "NAME", value_parser = name, required_unless_present = "ids", requires = "name")]
    resource_group: Option<String>,
    /// Its subscription, by id or name (default: all of them are searched).
    #[arg(long, value_name = "ID|NAME", value_parser = name)]
    subscription: Vec<String>,
    /// One or more resource ids, instead of --name, --resource-group and --subscription.
    #[arg(long, value_name = "ID", num_args = 1.., conflicts_with_all = ["name", "resource_group", "subscription"])]
    ids: Vec<String>,
}

/// One server that the command line names.
#[derive(Debug, Clone)]
pub(crate) struct ServerName {
    pub(crate) name: String,
    pub(crate) resource_group: String,
    /// Its resource id and its kind, where it was named by that.
    pub(crate) id: Option<(ResourceId, Kind)>,
    /// Where to search for it; everywhere by default.
    pub(crate) subscriptions: Vec<String>,
}

impl ServerName {
    /// Its kind, where that is known by its id.
    pub(crate) fn kind(&self) -> Option<Kind> {
        self.id.as_ref().map(|(_, kind)| *kind)
    }

    /// Its resource group and its name.
    pub(crate) fn pair(&self) -> (&str, &str) {
        (&self.resource_group, &self.name)
    }
}

impl ServerNameArgs {
    /// The servers that are named.
    ///
    /// # Errors
    ///
    /// For an id that is not the id of a server.
    pub(crate) fn servers(&self) -> Result<Vec<ServerName>, CliError> {
        if let (Some(name), Some(resource_group)) = (&self.name, &self.resource_group) {
            let subscriptions = self.subscription.clone();
            return Ok(vec![ServerName {
                name: name.clone(),
                resource_group: resource_group.clone(),
                id: None,
                subscriptions,
            }]);
        }
        let named = self.ids.iter().map(|text| {
            let invalid = |what: String| {
                let hint = "`hostssl server list --query '[].id'` lists the ids of servers";
                CliError::usage(format!("--ids {text}: {what}"), hint)
            };
            let id = ResourceId::try_from(text.as_str()).map_err(|error| invalid(error.to_string()))?;
            // A database has a name too, and a server of PostgreSQL in its group may be called so.
            let kind = Kind::of_resource(&id);
            let kind = kind.ok_or_else(|| invalid("it is not the id of a PostgreSQL server".to_owned()))?;
            Ok(ServerName {
                name: id.name().to_owned(),
                resource_group: id.resource_group().to_owned(),
                subscriptions: vec![id.subscription().to_string()],
                id: Some((id, kind)),
            })
        });
        named.collect()
    }
}
