//! The log files of a flexible server: listed by Resource Manager, downloaded from a file share by signed URLs.
//!
//! A signed URL is a bearer secret: it lets its holder read the log. It is never printed or kept, only https to the
//! cloud's own storage is followed, and no token is sent there.

use crate::paging::{Listing, list};
use crate::{Arm, ArmError, Cloud, Quota, ResourceType};
use azure_core::http::Url;
use hostssl_model::ResourceId;
use serde_json::Value;
use std::fmt;

/// A log file that Resource Manager lists.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ListedLogFile {
    /// Its name, such as `postgresql-20250315.log`.
    pub name: String,
    /// Its size as Azure says, in KiB.
    pub size_kib: Option<u64>,
    /// Where it can be downloaded, if that is a place to follow.
    pub url: Option<SignedUrl>,
}

/// A URL whose query is a secret. It shows nothing of itself.
#[derive(Clone, PartialEq, Eq)]
pub struct SignedUrl(Url);

impl fmt::Debug for SignedUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SignedUrl(…)")
    }
}

impl SignedUrl {
    /// The URL for the one request that needs it.
    pub(crate) fn reveal(&self) -> &Url {
        &self.0
    }

    /// A URL that a cloud may be asked for a log with: https, of its own storage, without a user. The simulated Azure
    /// and other clouds with an endpoint of their own serve logs beside Resource Manager.
    fn trusted(text: &str, cloud: &Cloud) -> Option<Self> {
        let url = Url::parse(text).ok()?;
        let is_bare = url.username().is_empty() && url.password().is_none() && url.port().is_none();
        let is_storage = url.scheme() == "https"
            && is_bare
            && url.host_str().zip(storage_suffix(cloud)).is_some_and(|(host, suffix)| {
                host.strip_suffix(suffix).is_some_and(|account| account.len() > 1 && account.ends_with('.'))
            });
        let is_beside = storage_suffix(cloud).is_none() && cloud.owns(&url);
        (is_storage || is_beside).then_some(Self(url))
    }
}

/// How the hosts of a cloud's storage end (Azure CLI, `az cloud list`, `storageEndpoint`); `None` where it is not
/// known.
fn storage_suffix(cloud: &Cloud) -> Option<&'static str> {
    match cloud.arm_endpoint.host_str()? {
        "management.azure.com" => Some("core.windows.net"),
        "management.usgovcloudapi.net" => Some("core.usgovcloudapi.net"),
        "management.chinacloudapi.cn" => Some("core.chinacloudapi.cn"),
        _ => None,
    }
}

/// Lists the log files of a flexible server. It needs no more than to read the server.
pub async fn list_log_files(arm: &Arm, server: &ResourceId) -> Listing<ListedLogFile> {
    let quota = Quota::Reads(server.subscription());
    let resource_type = ResourceType::FlexibleServers;
    let cloud = arm.cloud().clone();
    // From 2025-08-01 on the operation is documented as captured logs; the path of logFiles is that of 2024-08-01.
    let path = || server.as_str().split('/').skip(1).chain(["logFiles"]);
    let url = arm.url(path(), LOG_FILES_VERSION);
    let read = |entry: &str| read_entry(entry, &cloud);
    let listing = list(arm, url, &quota, read).await;
    let Some(older) =
        listing.error.as_ref().and_then(|error| arm.versions().after(error, resource_type, LOG_FILES_VERSION))
    else {
        return listing;
    };
    list(arm, arm.url(path(), older), &quota, read).await
}

/// The version whose specification has `LogFilesListByServer`.
const LOG_FILES_VERSION: &str = "2024-08-01";

fn read_entry(entry: &str, cloud: &Cloud) -> ListedLogFile {
    let entry: Value = serde_json::from_str(entry).unwrap_or(Value::Null);
    let properties = &entry["properties"];
    ListedLogFile {
        name: entry["name"].as_str().unwrap_or_default().to_owned(),
        // Single servers spelled it with a capital B.
        size_kib: properties["sizeInKb"].as_u64().or(properties["sizeInKB"].as_u64()),
        url: properties["url"].as_str().and_then(|url| SignedUrl::trusted(url, cloud)),
    }
}

/// Downloads a log file, piece by piece.
///
/// # Errors
///
/// [`ArmError`] when it could not be had to its end. What came before was handed over.
pub async fn download_log_file(arm: &Arm, url: &SignedUrl, take: &mut dyn FnMut(&[u8])) -> Result<(), ArmError> {
    arm.download(url.reveal(), take).await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_storage_of_the_cloud_is_followed() {
        let cloud = Cloud::named("AzureCloud").unwrap();
        let trusted = |url: &str| SignedUrl::trusted(url, &cloud).is_some();
        assert!(trusted("https://acct.file.core.windows.net/id/serverlogs/x.log?sig=secret"));
        for url in [
            "http://acct.file.core.windows.net/x?sig=s",
            "https://acct.file.core.windows.net.evil.example/x",
            "https://evilcore.windows.net/x",
            "https://core.windows.net/x",
            "https://a@acct.file.core.windows.net/x",
            "https://acct.file.core.windows.net:8443/x",
            "https://acct.file.core.usgovcloudapi.net/x",
            "https://management.azure.com/x",
            "file:///etc/passwd",
            "",
        ] {
            assert!(!trusted(url), "{url}");
        }
        let government = Cloud::named("AzureUSGovernment").unwrap();
        assert!(SignedUrl::trusted("https://acct.file.core.usgovcloudapi.net/x", &government).is_some());
        let own = cloud.clone().with_endpoints(Some("https://localhost:8443"), None).unwrap();
        assert!(SignedUrl::trusted("https://localhost:8443/logs/x?sig=s", &own).is_some());
        assert!(SignedUrl::trusted("https://localhost:9/logs/x?sig=s", &own).is_none());
    }

    #[test]
    fn a_signature_is_never_shown() {
        let cloud = Cloud::named("AzureCloud").unwrap();
        let entry =
            r#"{"name":"a.log","properties":{"sizeInKb":3,"url":"https://a.file.core.windows.net/x?sig=secret"}}"#;
        let file = read_entry(entry, &cloud);
        assert!(file.url.is_some());
        assert!(!format!("{file:?}").contains("secret"));
        assert_eq!(read_entry("3", &cloud).name, "");
    }
}
