//! Azure clouds and their endpoints.

use azure_core::cloud::{CloudConfiguration, CustomConfiguration};
use azure_core::http::Url;
use hostssl_model::{Advice, Fault, Hint};

/// One Azure cloud: where Resource Manager and the sign-in authority answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cloud {
    /// The Azure CLI's name, such as `AzureCloud`, or `custom`.
    pub name: String,
    /// Resource Manager, always https.
    pub arm_endpoint: Url,
    /// The sign-in authority, always https.
    pub authority_host: Url,
    /// What a token for Resource Manager is asked for.
    audience: String,
}

/// An endpoint or a cloud name that cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InvalidCloud {
    /// No cloud has this name.
    #[error("unknown cloud `{0}`; known clouds are AzureCloud, AzureUSGovernment, AzureChinaCloud and AzureBleuCloud")]
    UnknownName(String),
    /// The text is no URL of a host.
    #[error("`{0}` is not the URL of a host, such as https://management.azure.com")]
    NotAUrl(String),
    /// A token would cross the network in plaintext.
    #[error("`{0}` is not https; a token is only ever sent over TLS")]
    NotHttps(String),
}

impl Advice for InvalidCloud {
    fn advice(&self) -> Hint {
        Hint::from(match self {
            Self::UnknownName(_) => "name one of them with --cloud, or give --arm-endpoint and --authority-host",
            Self::NotAUrl(_) | Self::NotHttps(_) => {
                "give --arm-endpoint and --authority-host such as https://management.azure.com"
            }
        })
    }

    fn fault(&self) -> Fault {
        Fault::Request
    }
}

/// Name, other names, Resource Manager, authority and audience of the known clouds (Azure CLI, `az cloud list`).
type Known = (&'static str, &'static [&'static str], &'static str, &'static str, &'static str);
const KNOWN: [Known; 4] = [
    (
        "AzureCloud",
        &["public"],
        "https://management.azure.com",
        "https://login.microsoftonline.com",
        "https://management.core.windows.net/",
    ),
    (
        "AzureUSGovernment",
        &["usgovernment", "us-government"],
        "https://management.usgovcloudapi.net",
        "https://login.microsoftonline.us",
        "https://management.core.usgovcloudapi.net/",
    ),
    (
        "AzureChinaCloud",
        &["china"],
        "https://management.chinacloudapi.cn",
        "https://login.chinacloudapi.cn",
        "https://management.core.chinacloudapi.cn/",
    ),
    (
        "AzureBleuCloud",
        &["bleu"],
        "https://management.sovcloud-api.fr",
        "https://login.sovcloud-identity.fr",
        "https://management.sovcloud-api.fr/",
    ),
];

impl Cloud {
    /// The Azure CLI's names of the clouds.
    pub fn names() -> impl Iterator<Item = &'static str> {
        KNOWN.iter().map(|known| known.0)
    }

    /// Finds a cloud by the Azure CLI's name or by a short one (`public`, `usgovernment`, `china`, `bleu`).
    ///
    /// # Errors
    ///
    /// [`InvalidCloud::UnknownName`] when there is none.
    pub fn named(name: &str) -> Result<Self, InvalidCloud> {
        let matches =
            |known: &&Known| known.0.eq_ignore_ascii_case(name) || known.1.iter().any(|n| n.eq_ignore_ascii_case(name));
        let known = KNOWN.iter().find(matches).ok_or_else(|| InvalidCloud::UnknownName(name.to_owned()))?;
        Ok(Self {
            name: known.0.to_owned(),
            arm_endpoint: endpoint(known.2)?,
            authority_host: endpoint(known.3)?,
            audience: known.4.to_owned(),
        })
    }

    /// Replaces the endpoints that are given. With another Resource Manager the cloud is `custom`, and tokens are asked
    /// for that endpoint.
    ///
    /// # Errors
    ///
    /// [`InvalidCloud`] when an endpoint is not an https URL of a host.
    pub fn with_endpoints(mut self, arm: Option<&str>, authority: Option<&str>) -> Result<Self, InvalidCloud> {
        if let Some(arm) = arm {
            self.arm_endpoint = endpoint(arm)?;
            self.name = "custom".to_owned();
            self.audience = self.arm_endpoint.as_str().trim_end_matches('/').to_owned();
        }
        if let Some(authority) = authority {
            self.authority_host = endpoint(authority)?;
        }
        Ok(self)
    }

    /// The scope of a token for Resource Manager. The double slash of the built-in clouds is right: their audiences end
    /// in one.
    #[must_use]
    pub fn scope(&self) -> String {
        format!("{}/.default", self.audience)
    }

    /// The scope of a token that PostgreSQL servers take as a password (Azure CLI, `az cloud list`,
    /// `ossrdbmsResourceId`); `None` where it is not known.
    #[must_use]
    pub fn database_scope(&self) -> Option<String> {
        let resource = match self.arm_endpoint.host_str()? {
            "management.azure.com" => "https://ossrdbms-aad.database.windows.net",
            "management.usgovcloudapi.net" => "https://ossrdbms-aad.database.usgovcloudapi.net",
            "management.chinacloudapi.cn" => "https://ossrdbms-aad.database.chinacloudapi.cn",
            _ => return None,
        };
        Some(format!("{resource}/.default"))
    }

    /// The query API of Log Analytics, and the scope of its tokens (Azure CLI, `az cloud list`,
    /// `logAnalyticsResourceId`). A Resource Manager of one's own has it beside itself, as the simulated Azure does;
    /// `None` where it is not known.
    #[must_use]
    pub fn log_analytics(&self) -> Option<(Url, String)> {
        let resource = match self.arm_endpoint.host_str()? {
            "management.azure.com" => "https://api.loganalytics.io",
            "management.usgovcloudapi.net" => "https://api.loganalytics.us",
            "management.chinacloudapi.cn" => "https://api.loganalytics.azure.cn",
            _ if self.name == "custom" => return Some((self.arm_endpoint.clone(), self.scope())),
            _ => return None,
        };
        Some((Url::parse(resource).ok()?, format!("{resource}/.default")))
    }

    /// Whether a URL belongs to this cloud's Resource Manager, so that it may be sent the token.
    #[must_use]
    pub fn owns(&self, url: &Url) -> bool {
        url.origin() == self.arm_endpoint.origin() && url.username().is_empty() && url.password().is_none()
    }

    pub(crate) fn configuration(&self) -> CloudConfiguration {
        let mut configuration = CustomConfiguration::default();
        configuration.authority_host = self.authority_host.as_str().trim_end_matches('/').to_owned();
        configuration.into()
    }
}

fn endpoint(text: &str) -> Result<Url, InvalidCloud> {
    let shown = || text.chars().take(200).collect::<String>();
    let url = Url::parse(text).map_err(|_| InvalidCloud::NotAUrl(shown()))?;
    if url.scheme() != "https" {
        return Err(if url.has_host() { InvalidCloud::NotHttps(shown()) } else { InvalidCloud::NotAUrl(shown()) });
    }
    let bare = url.username().is_empty() && url.password().is_none() && url.query().is_none();
    if url.has_host() && bare { Ok(url) } else { Err(InvalidCloud::NotAUrl(shown())) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn clouds_are_found_by_either_name() {
        assert_eq!(Cloud::named("azureusgovernment").unwrap(), Cloud::named("usgovernment").unwrap());
        assert_eq!(Cloud::named("public").unwrap().scope(), "https://management.core.windows.net//.default");
        assert!(Cloud::named("germany").is_err());
    }

    #[test]
    fn an_endpoint_must_be_the_https_url_of_a_host() {
        let cloud = || Cloud::named("public").unwrap();
        let custom = cloud().with_endpoints(Some("https://localhost:8443"), None).unwrap();
        assert_eq!((custom.name.as_str(), custom.scope().as_str()), ("custom", "https://localhost:8443/.default"));
        assert!(matches!(cloud().with_endpoints(Some("http://localhost"), None), Err(InvalidCloud::NotHttps(_))));
        for text in ["localhost:8443", "https://", "", "https://u:p@localhost", "https://localhost/?a=b"] {
            assert!(matches!(cloud().with_endpoints(Some(text), None), Err(InvalidCloud::NotAUrl(_))), "{text}");
        }
    }

    #[test]
    fn only_the_same_origin_is_owned() {
        let cloud = Cloud::named("public").unwrap();
        let owns = |text| cloud.owns(&Url::parse(text).unwrap());
        assert!(owns("https://management.azure.com/subscriptions?x=1"));
        for text in [
            "https://management.azure.com.evil.example/subscriptions",
            "http://management.azure.com/subscriptions",
            "https://management.azure.com:8443/subscriptions",
            "https://management.azure.com@evil.example/",
            "https://user@management.azure.com/",
        ] {
            assert!(!owns(text), "{text}");
        }
    }
}
