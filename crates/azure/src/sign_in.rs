//! The ways to sign in. One is chosen, by name; none falls back to another.

use crate::Cloud;
use crate::error::one_line;
use azure_core::credentials::{AccessToken, TokenCredential, TokenRequestOptions};
use azure_core::http::{ClientOptions, ExponentialRetryOptions, RetryOptions, Transport};
use azure_identity::{
    AzureCliCredential, AzureCliCredentialOptions, AzureDeveloperCliCredential, AzureDeveloperCliCredentialOptions,
    AzurePipelinesCredential, AzurePipelinesCredentialOptions, ClientAssertionCredentialOptions,
    ClientSecretCredential, ClientSecretCredentialOptions, ManagedIdentityCredential, ManagedIdentityCredentialOptions,
    UserAssignedId, WorkloadIdentityCredential, WorkloadIdentityCredentialOptions,
};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use futures::FutureExt;
use hostssl_model::{Advice, Fault, Hint, Principal};
use serde::Deserialize;
use std::error::Error;
use std::panic::AssertUnwindSafe;
use std::sync::{Arc, Mutex, PoisonError};

/// A way to sign in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AuthMethod {
    /// The user signed in to the Azure CLI (`az login`).
    Cli,
    /// The user signed in to the Azure Developer CLI (`azd auth login`).
    Azd,
    /// The managed identity of the Azure resource that the program runs on.
    ManagedIdentity,
    /// A Kubernetes service account that is federated with an Entra application.
    WorkloadIdentity,
    /// An Entra application with a client secret.
    Secret,
    /// The service connection of an Azure Pipelines job.
    Pipelines,
    /// An Entra application with a client certificate.
    #[cfg(feature = "certificate")]
    Certificate,
}

impl AuthMethod {
    /// The name on the command line.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Cli => "cli",
            Self::Azd => "azd",
            Self::ManagedIdentity => "managed-identity",
            Self::WorkloadIdentity => "workload-identity",
            Self::Secret => "secret",
            Self::Pipelines => "pipelines",
            #[cfg(feature = "certificate")]
            Self::Certificate => "certificate",
        }
    }
}

/// What signing in takes.
pub struct SignIn<'a> {
    /// The way.
    pub method: AuthMethod,
    /// Where to.
    pub cloud: &'a Cloud,
    /// The tenant; `None` for the one that the way of signing in knows.
    pub tenant: Option<&'a str>,
    /// The connection to the authority.
    pub transport: &'a Transport,
    /// Looks up an environment variable.
    pub environment: &'a dyn Fn(&str) -> Option<String>,
}

/// A sign-in that worked: the credential, and who it turned out to be.
#[derive(Debug)]
pub struct SignedIn {
    /// Gives tokens; the first one is there already.
    pub credential: Arc<dyn TokenCredential>,
    /// Who it is.
    pub principal: Principal,
}

/// Signing in failed.
#[derive(Debug, thiserror::Error)]
pub enum SignInError {
    /// The chosen way needs environment variables.
    #[error("--auth {method} needs the environment variable{} {}", if variables.len() == 1 { "" } else { "s" }, variables.join(", "))]
    MissingVariables {
        /// The way.
        method: &'static str,
        /// Every variable that is missing.
        variables: Vec<&'static str>,
    },
    /// The chosen way asks a program that is not installed.
    #[error("--auth {method} needs the program `{program}`, which is not on the PATH")]
    MissingProgram {
        /// The way.
        method: &'static str,
        /// The program.
        program: &'static str,
    },
    /// The address for signing in does not answer.
    #[error("signing in with --auth {method} failed: {address} cannot be reached: {detail}")]
    Unreachable {
        /// The way.
        method: &'static str,
        /// The host and port, as far as they are known.
        address: String,
        /// What the system said.
        detail: String,
    },
    /// The credential or the authority refused.
    #[error("signing in with --auth {method} failed: {detail}")]
    Refused {
        /// The way.
        method: &'static str,
        /// What was said.
        detail: String,
    },
    /// The token belongs to another tenant than the one asked for.
    #[error("signed in to tenant {actual}, but tenant {wanted} was asked for")]
    WrongTenant {
        /// The tenant of the token.
        actual: String,
        /// The tenant that was asked for.
        wanted: String,
    },
    /// The credential's certificate cannot be read.
    #[cfg(feature = "certificate")]
    #[error("the certificate {0} cannot be read")]
    Certificate(String, #[source] std::io::Error),
}

/// The variable that names the tenant, for every way but one.
const TENANT: &str = "AZURE_TENANT_ID";

impl Advice for SignInError {
    fn advice(&self) -> Hint {
        Hint::from(match self {
            Self::MissingVariables { .. } => "set the missing variables, or choose another way to sign in with --auth",
            Self::MissingProgram { program: "az", .. } => {
                "install the Azure CLI and run `az login`, choose another way to sign in with --auth, or try it without an account: --simulate"
            }
            Self::MissingProgram { .. } => {
                "install the Azure Developer CLI and run `azd auth login`, or choose another way to sign in with --auth"
            }
            Self::Unreachable { method: "managed-identity", .. } => {
                "run hostssl on an Azure resource that has a managed identity, or choose another way to sign in with --auth"
            }
            Self::Unreachable { .. } => {
                "check the network, the proxy (HTTPS_PROXY) and --authority-host, or choose another way to sign in with --auth"
            }
            Self::WrongTenant { .. } => "omit --tenant, or sign in to that tenant",
            Self::Refused { .. } if self.names_no_tenant() => {
                "check --tenant and AZURE_TENANT_ID: a tenant is named by its id or domain"
            }
            Self::Refused { method: "cli", .. } => {
                "run `az login`, choose another way to sign in with --auth, or try it without an account: --simulate"
            }
            Self::Refused { method: "azd", .. } => "run `azd auth login`, or choose another way to sign in with --auth",
            Self::Refused { .. } => "check the identity and the tenant, or choose another way to sign in with --auth",
            #[cfg(feature = "certificate")]
            Self::Certificate(..) => "name a readable PKCS#12 file in AZURE_CLIENT_CERTIFICATE_PATH",
        })
    }

    fn fault(&self) -> Fault {
        if self.names_no_tenant() { Fault::Request } else { Fault::Environment }
    }
}

/// What Entra ID says of a tenant that does not exist, or whose name is not valid ("Microsoft Entra authentication and
/// authorization error codes").
const NO_SUCH_TENANT: [&str; 3] = ["AADSTS90002:", "AADSTS900021:", "AADSTS900023:"];

impl SignInError {
    /// Whether the tenant that was asked for does not exist.
    fn names_no_tenant(&self) -> bool {
        let Self::Refused { detail, .. } = self else { return false };
        NO_SUCH_TENANT.iter().any(|code| detail.contains(code))
    }
}

impl SignIn<'_> {
    /// Signs in: gets a first token and reads out of it who that is.
    ///
    /// # Errors
    ///
    /// [`SignInError`] when a variable is missing, or when no token is given.
    pub async fn sign_in(&self) -> Result<SignedIn, SignInError> {
        let credential = self.credential()?;
        let scope = self.cloud.scope();
        // The SDK panics on an answer whose times are out of range; the authority's mistake must not end the program.
        let token = AssertUnwindSafe(credential.get_token(&[&scope], None)).catch_unwind().await;
        let nonsense = |_| SignInError::Refused {
            method: self.method.as_str(),
            detail: "unexpected answer from the sign-in endpoint".to_owned(),
        };
        let token = token.map_err(nonsense)?.map_err(|error| self.refused(&error))?;
        let principal = principal_of(token.token.secret(), self.method.as_str());
        self.check_tenant(&principal)?;
        let first = Mutex::new(Some(token));
        Ok(SignedIn { credential: Arc::new(Primed { scope, first, then: credential }), principal })
    }

    fn credential(&self) -> Result<Arc<dyn TokenCredential>, SignInError> {
        let tenant = self.tenant.map(str::to_owned);
        let refused = |error: azure_core::Error| self.refused(&error);
        Ok(match self.method {
            AuthMethod::Cli => {
                let options = AzureCliCredentialOptions { tenant_id: tenant, ..AzureCliCredentialOptions::default() };
                AzureCliCredential::new(Some(options)).map_err(refused)?
            }
            AuthMethod::Azd => {
                let options = AzureDeveloperCliCredentialOptions {
                    tenant_id: tenant,
                    ..AzureDeveloperCliCredentialOptions::default()
                };
                AzureDeveloperCliCredential::new(Some(options)).map_err(refused)?
            }
            AuthMethod::ManagedIdentity => {
                let options = ManagedIdentityCredentialOptions {
                    user_assigned_id: self.variable("AZURE_CLIENT_ID").map(UserAssignedId::ClientId),
                    client_options: self.client_options(),
                };
                ManagedIdentityCredential::new(Some(options)).map_err(refused)?
            }
            AuthMethod::WorkloadIdentity => self.workload_identity()?,
            AuthMethod::Secret => {
                let options = ClientSecretCredentialOptions { client_options: self.client_options() };
                let [client, secret] = self.required(["AZURE_CLIENT_ID", "AZURE_CLIENT_SECRET"], TENANT)?;
                ClientSecretCredential::new(&self.tenant_or(TENANT)?, client, secret.into(), Some(options))
                    .map_err(refused)?
            }
            AuthMethod::Pipelines => self.pipelines()?,
            #[cfg(feature = "certificate")]
            AuthMethod::Certificate => {
                let [path, client] = self.required(["AZURE_CLIENT_CERTIFICATE_PATH", "AZURE_CLIENT_ID"], TENANT)?;
                let bytes = std::fs::read(&path).map_err(|error| SignInError::Certificate(path, error))?;
                let options = azure_identity::ClientCertificateCredentialOptions {
                    client_options: self.client_options(),
                    password: self.variable("AZURE_CLIENT_CERTIFICATE_PASSWORD").map(Into::into),
                };
                let tenant = self.tenant_or(TENANT)?;
                azure_identity::ClientCertificateCredential::new(tenant, client, bytes.into(), Some(options))
                    .map_err(refused)?
            }
        })
    }

    /// A token of Kubernetes, exchanged for one of Entra.
    fn workload_identity(&self) -> Result<Arc<dyn TokenCredential>, SignInError> {
        let [client, file] = self.required(["AZURE_CLIENT_ID", "AZURE_FEDERATED_TOKEN_FILE"], TENANT)?;
        let tenant = self.tenant_or(TENANT)?;
        let options = WorkloadIdentityCredentialOptions {
            credential_options: ClientAssertionCredentialOptions { client_options: self.client_options() },
            client_id: Some(client),
            tenant_id: Some(tenant),
            token_file_path: Some(file.into()),
        };
        Ok(WorkloadIdentityCredential::new(Some(options)).map_err(|error| self.refused(&error))?)
    }

    /// A service connection of Azure Pipelines.
    fn pipelines(&self) -> Result<Arc<dyn TokenCredential>, SignInError> {
        let options = AzurePipelinesCredentialOptions {
            credential_options: ClientAssertionCredentialOptions { client_options: self.client_options() },
        };
        // The variables that the AzureCLI and AzurePowerShell tasks set for a service connection.
        let tenant = "AZURESUBSCRIPTION_TENANT_ID";
        let needed = ["AZURESUBSCRIPTION_CLIENT_ID", "AZURESUBSCRIPTION_SERVICE_CONNECTION_ID", "SYSTEM_ACCESSTOKEN"];
        let [client, connection, token] = self.required(needed, tenant)?;
        let tenant = self.tenant_or(tenant)?;
        Ok(AzurePipelinesCredential::new(tenant, client, &connection, token, Some(options))
            .map_err(|error| self.refused(&error))?)
    }

    fn client_options(&self) -> ClientOptions {
        ClientOptions {
            transport: Some(self.transport.clone()),
            cloud: Some(Arc::new(self.cloud.configuration())),
            // Someone waits for the sign-in: three more tries are over in seconds.
            retry: RetryOptions::exponential(ExponentialRetryOptions {
                max_retries: 3,
                ..ExponentialRetryOptions::default()
            }),
            ..ClientOptions::default()
        }
    }

    fn variable(&self, name: &str) -> Option<String> {
        (self.environment)(name).filter(|value| !value.is_empty())
    }

    /// The values of these variables; whatever is missing, that of the tenant among them, is named at once.
    fn required<const N: usize>(
        &self,
        names: [&'static str; N],
        tenant: &'static str,
    ) -> Result<[String; N], SignInError> {
        let values = names.map(|name| self.variable(name));
        let mut variables: Vec<_> =
            names.into_iter().zip(&values).filter(|(_, value)| value.is_none()).map(|(name, _)| name).collect();
        if self.tenant.is_none() && self.variable(tenant).is_none() {
            variables.push(tenant);
        }
        if variables.is_empty() {
            Ok(values.map(Option::unwrap_or_default))
        } else {
            Err(SignInError::MissingVariables { method: self.method.as_str(), variables })
        }
    }

    fn tenant_or(&self, variable: &'static str) -> Result<String, SignInError> {
        let named = self.tenant.map(str::to_owned).or_else(|| self.variable(variable));
        named.ok_or_else(|| SignInError::MissingVariables { method: self.method.as_str(), variables: vec![variable] })
    }

    /// The program that the chosen way asks for a token, when it is not there.
    fn missing_program(&self) -> Option<&'static str> {
        let program = match self.method {
            AuthMethod::Cli => "az",
            AuthMethod::Azd => "azd",
            _ => return None,
        };
        let path = self.variable("PATH").unwrap_or_default();
        let is_in = |folder: std::path::PathBuf| {
            ["", ".cmd", ".exe", ".bat"].iter().any(|end| folder.join(format!("{program}{end}")).is_file())
        };
        (!std::env::split_paths(&path).any(is_in)).then_some(program)
    }

    fn refused(&self, error: &azure_core::Error) -> SignInError {
        let method = self.method.as_str();
        if let Some(program) = self.missing_program() {
            return SignInError::MissingProgram { method, program };
        }
        if let Some((address, detail)) = unreachable(error) {
            return SignInError::Unreachable { method, address, detail };
        }
        let mut detail = entra_message(&error.to_string()).to_owned();
        for secret in ["AZURE_CLIENT_SECRET", "SYSTEM_ACCESSTOKEN", "AZURE_CLIENT_CERTIFICATE_PASSWORD"] {
            if let Some(value) = self.variable(secret) {
                // An authority may echo what it was sent.
                detail = detail.replace(&value, "(redacted)");
            }
        }
        SignInError::Refused { method: self.method.as_str(), detail: one_line(&detail) }
    }

    /// A managed identity lives in one tenant and ignores the one that is asked for.
    fn check_tenant(&self, principal: &Principal) -> Result<(), SignInError> {
        match (self.tenant, &principal.tenant) {
            // A tenant may also be asked for by one of its domain names, which a token does not hold.
            (Some(wanted), Some(actual)) if !wanted.contains('.') && !wanted.eq_ignore_ascii_case(actual) => {
                Err(SignInError::WrongTenant { actual: actual.clone(), wanted: wanted.to_owned() })
            }
            _ => Ok(()),
        }
    }
}

/// The address that did not answer and what the system said of it, when an error is about a connection.
fn unreachable(error: &(dyn Error + 'static)) -> Option<(String, String)> {
    let causes = || std::iter::successors(Some(error), |error| (*error).source());
    let http = causes().find_map(|cause| cause.downcast_ref::<reqwest::Error>())?;
    if !http.is_connect() && !http.is_timeout() {
        return None;
    }
    let address = http.url().and_then(|url| {
        let host = url.host_str()?;
        Some(url.port().map_or_else(|| host.to_owned(), |port| format!("{host}:{port}")))
    });
    let detail = causes().last().map(ToString::to_string).unwrap_or_default();
    Some((address.unwrap_or_else(|| "the sign-in endpoint".to_owned()), one_line(&detail)))
}

/// Entra's own message out of what the SDK made of it: where the SDK cannot read the answer, it quotes the message
/// inside a parser's error, and it ends every error with a link.
fn entra_message(text: &str) -> &str {
    let text = text.split("To troubleshoot, visit").next().unwrap_or(text);
    match text.find("AADSTS") {
        Some(start) => {
            let message = text.get(start..).unwrap_or(text);
            message.split("\", expected").next().unwrap_or(message)
        }
        None => text,
    }
}

/// Hands out the token of the sign-in first, so that the Azure CLI is not started twice. It is for one audience only.
#[derive(Debug)]
struct Primed {
    scope: String,
    first: Mutex<Option<AccessToken>>,
    then: Arc<dyn TokenCredential>,
}

#[async_trait::async_trait]
impl TokenCredential for Primed {
    async fn get_token(
        &self,
        scopes: &[&str],
        options: Option<TokenRequestOptions<'_>>,
    ) -> azure_core::Result<AccessToken> {
        let is_for_it = scopes == [self.scope.as_str()];
        let first = is_for_it.then(|| self.first.lock().unwrap_or_else(PoisonError::into_inner).take()).flatten();
        match first {
            Some(token) => Ok(token),
            None => self.then.get_token(scopes, options).await,
        }
    }
}

/// Reads out of a token who it was issued to. The signature is not checked: Azure does that, and nothing is decided by
/// this name.
#[must_use]
pub fn principal_of(token: &str, method: &str) -> Principal {
    #[derive(Deserialize, Default)]
    #[serde(default)]
    struct Claims {
        upn: Option<String>,
        unique_name: Option<String>,
        preferred_username: Option<String>,
        app_displayname: Option<String>,
        xms_mirid: Option<String>,
        appid: Option<String>,
        azp: Option<String>,
        oid: Option<String>,
        tid: Option<String>,
    }
    let payload = token.split('.').nth(1).map(|part| part.trim_end_matches('=')).unwrap_or_default();
    let bytes = URL_SAFE_NO_PAD.decode(payload).unwrap_or_default();
    let claims: Claims = serde_json::from_slice(&bytes).unwrap_or_default();
    // A managed identity's token has the identity as a resource of Azure.
    let managed = claims.xms_mirid.as_deref().and_then(|id| id.rsplit('/').next()).map(str::to_owned);
    let names = [claims.upn, claims.unique_name, claims.preferred_username, claims.app_displayname, managed];
    let name =
        names.into_iter().chain([claims.appid, claims.azp, claims.oid.clone()]).flatten().find(|n| !n.is_empty());
    Principal {
        name: name.map_or_else(|| "unknown (the token does not say)".to_owned(), |name| one_line(&name)),
        object_id: claims.oid.map(|id| one_line(&id)),
        tenant: claims.tid.map(|id| one_line(&id)),
        method: method.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn the_principal_is_read_out_of_the_token() {
        let token = |claims: &str| format!("e30.{}.", URL_SAFE_NO_PAD.encode(claims));
        let user = principal_of(&token(r#"{"upn":"reader@contoso.example","oid":"o","tid":"t"}"#), "cli");
        assert_eq!((user.name.as_str(), user.tenant.as_deref()), ("reader@contoso.example", Some("t")));
        assert_eq!(principal_of(&token(r#"{"appid":"a","oid":"o"}"#), "secret").name, "a");
        let managed = token(
            r#"{"appid":"a","xms_mirid":"/subscriptions/s/resourceGroups/g/providers/Microsoft.ManagedIdentity/userAssignedIdentities/auditor"}"#,
        );
        assert_eq!(principal_of(&managed, "managed-identity").name, "auditor");
        assert_eq!(principal_of("opaque", "cli").name, "unknown (the token does not say)");
    }

    proptest! {
        #[test]
        fn no_token_panics_or_is_shown(token in ".{0,200}") {
            let principal = principal_of(&token, "cli");
            prop_assert!(!principal.name.chars().any(char::is_control));
        }
    }

    #[derive(Debug)]
    struct ByScope;

    #[async_trait::async_trait]
    impl TokenCredential for ByScope {
        async fn get_token(
            &self,
            scopes: &[&str],
            _: Option<TokenRequestOptions<'_>>,
        ) -> azure_core::Result<AccessToken> {
            Ok(AccessToken { token: scopes.join(" ").into(), expires_on: azure_core::time::OffsetDateTime::now_utc() })
        }
    }

    #[tokio::test]
    async fn the_first_token_is_for_its_own_audience_only() {
        let expires_on = azure_core::time::OffsetDateTime::now_utc();
        let first = Mutex::new(Some(AccessToken { token: "first".into(), expires_on }));
        let primed = Primed { scope: "arm/.default".into(), first, then: Arc::new(ByScope) };
        for (scope, token) in
            [("logs/.default", "logs/.default"), ("arm/.default", "first"), ("arm/.default", "arm/.default")]
        {
            assert_eq!(primed.get_token(&[scope], None).await.unwrap().token.secret(), token);
        }
    }

    #[test]
    fn entras_own_message_is_told() {
        let sdk = r#"failed. invalid type: string "AADSTS7000215: Invalid client secret.\r\nTrace", expected a borrowed string at line 1 To troubleshoot, visit https://aka.ms/x"#;
        assert_eq!(entra_message(sdk), r"AADSTS7000215: Invalid client secret.\r\nTrace");
        assert_eq!(entra_message("no token\nTo troubleshoot, visit x"), "no token\n");
    }

    #[tokio::test]
    async fn a_missing_variable_is_named() {
        let transport = Transport::new(Arc::new(Nowhere));
        let cloud = Cloud::named("public").unwrap();
        let sign_in = SignIn {
            method: AuthMethod::Secret,
            cloud: &cloud,
            tenant: Some("t"),
            transport: &transport,
            environment: &|name| (name == "AZURE_CLIENT_SECRET").then(|| "simulated".to_owned()),
        };
        let error = sign_in.sign_in().await.unwrap_err();
        assert_eq!(error.to_string(), "--auth secret needs the environment variable AZURE_CLIENT_ID");
    }

    #[derive(Debug)]
    struct Nowhere;

    #[async_trait::async_trait]
    impl azure_core::http::HttpClient for Nowhere {
        async fn execute_request(
            &self,
            _: &azure_core::http::Request,
        ) -> azure_core::Result<azure_core::http::AsyncRawResponse> {
            Err(azure_core::Error::with_message(azure_core::error::ErrorKind::Connection, "nowhere"))
        }
    }
}
