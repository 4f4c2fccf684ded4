//! The attributes of a resource in Terraform that are read, and no others.

use super::arm;
use super::scalar::{Lenient, MaybeObject, Scalar, identifier, of_any_length, word};
use serde::Deserialize;
use serde::de::{Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};
use std::fmt;

/// The few attributes of the resources of `azurerm` and `azapi` that say what becomes of encryption in transit.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct TfAttributes {
    pub(crate) id: Scalar,
    pub(crate) name: Scalar,
    pub(crate) resource_group_name: Scalar,
    /// Of a configuration: its server.
    pub(crate) server_id: Scalar,
    /// Of a configuration: its value.
    #[serde(deserialize_with = "word")]
    pub(crate) value: Scalar,
    /// Of a single server, from version 2 of the provider on.
    pub(crate) ssl_enforcement_enabled: Scalar,
    /// Of a single server, before.
    #[serde(deserialize_with = "word")]
    pub(crate) ssl_enforcement: Scalar,
    #[serde(deserialize_with = "word")]
    pub(crate) ssl_minimal_tls_version_enforced: Scalar,
    #[serde(deserialize_with = "identifier")]
    pub(crate) create_mode: Scalar,
    /// Of `azapi`: the type in Azure with its version, such as `Microsoft.DBforPostgreSQL/flexibleServers@2024-08-01`.
    #[serde(rename = "type", deserialize_with = "identifier")]
    pub(crate) arm_type: Scalar,
    /// Of `azapi`: the resource above.
    pub(crate) parent_id: Scalar,
    /// Of `azapi_update_resource`: the resource itself.
    pub(crate) resource_id: Scalar,
    /// Of `azapi`: what is sent to Azure.
    pub(crate) body: AzapiBody,
    /// Of a deployment of a template: true where it may be about PostgreSQL, or links to what is not in the file.
    #[serde(deserialize_with = "may_have_servers")]
    pub(crate) template_content: Scalar,
    /// The same before version 3 of the provider.
    #[serde(deserialize_with = "may_have_servers")]
    pub(crate) template_body: Scalar,
    /// Of one: the template is elsewhere.
    #[serde(deserialize_with = "is_there")]
    pub(crate) template_spec_version_id: Scalar,
}

/// Reads the text of a template, of which nothing is kept but whether servers may be in it.
fn may_have_servers<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Scalar, D::Error> {
    Ok(match of_any_length(deserializer)? {
        Scalar::Text(text) if text.trim().is_empty() => Scalar::Bool(false),
        Scalar::Text(text) => Scalar::Bool(arm::may_have_servers(&text)),
        value => value,
    })
}

/// Reads an attribute of which only matters whether it has a value.
fn is_there<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Scalar, D::Error> {
    Ok(match Scalar::deserialize(deserializer)? {
        Scalar::Text(text) => Scalar::Bool(!text.is_empty()),
        value => value,
    })
}

/// The body of an `azapi` resource: an object, or in version 1 of the provider a text with JSON.
#[derive(Debug, Default)]
pub(crate) struct AzapiBody(pub(crate) AzapiProperties);

/// What is read of the properties in a body.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct AzapiProperties {
    #[serde(deserialize_with = "word")]
    pub(crate) value: Scalar,
    #[serde(rename = "sslenforcement", deserialize_with = "word")]
    pub(crate) ssl_enforcement: Scalar,
    #[serde(rename = "minimaltlsversion", deserialize_with = "word")]
    pub(crate) minimal_tls_version: Scalar,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct BodyObject {
    properties: BodyProperties,
}

/// The properties of a body, or a mark that is for all of them.
#[derive(Debug, Default)]
struct BodyProperties(AzapiProperties);

impl AzapiProperties {
    fn all(mark: bool) -> Self {
        let mark = || Scalar::Bool(mark);
        Self { value: mark(), ssl_enforcement: mark(), minimal_tls_version: mark() }
    }
}

impl<'de> Deserialize<'de> for BodyProperties {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Ok(Self(match MaybeObject::deserialize(deserializer)? {
            MaybeObject::Object(properties) => properties,
            MaybeObject::Bool(all) => AzapiProperties::all(all),
            MaybeObject::Nothing | MaybeObject::Other => AzapiProperties::default(),
        }))
    }
}

impl<'de> Deserialize<'de> for AzapiBody {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Body;
        impl<'de> Visitor<'de> for Body {
            type Value = AzapiBody;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a body")
            }

            fn visit_unit<E>(self) -> Result<AzapiBody, E> {
                Ok(AzapiBody::default())
            }

            fn visit_bool<E>(self, all: bool) -> Result<AzapiBody, E> {
                // Of marks: the whole body is.
                Ok(AzapiBody(AzapiProperties::all(all)))
            }

            fn visit_i64<E>(self, _: i64) -> Result<AzapiBody, E> {
                Ok(AzapiBody::default())
            }

            fn visit_u64<E>(self, _: u64) -> Result<AzapiBody, E> {
                Ok(AzapiBody::default())
            }

            fn visit_f64<E>(self, _: f64) -> Result<AzapiBody, E> {
                Ok(AzapiBody::default())
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<AzapiBody, A::Error> {
                // The body of a resource of another provider.
                while items.next_element::<IgnoredAny>()?.is_some() {}
                Ok(AzapiBody::default())
            }

            fn visit_str<E>(self, text: &str) -> Result<AzapiBody, E> {
                // What is no JSON says nothing, and its error would show what it is.
                let object = serde_json::from_str::<Lenient<BodyObject>>(text).unwrap_or_default();
                Ok(AzapiBody(object.0.properties.0))
            }

            fn visit_map<A: MapAccess<'de>>(self, members: A) -> Result<AzapiBody, A::Error> {
                let Lenient(object) =
                    Lenient::<BodyObject>::deserialize(serde::de::value::MapAccessDeserializer::new(members))?;
                Ok(AzapiBody(object.properties.0))
            }
        }
        deserializer.deserialize_any(Body)
    }
}

/// Which attributes are marked as unknown or sensitive: all or none, or each by itself.
#[derive(Debug)]
pub(crate) enum TfMarks {
    All(bool),
    Each(Box<TfAttributes>),
}

impl Default for TfMarks {
    fn default() -> Self {
        Self::All(false)
    }
}

impl TfMarks {
    pub(crate) fn has(&self, attribute: impl Fn(&TfAttributes) -> &Scalar) -> bool {
        match self {
            Self::All(all) => *all,
            Self::Each(marks) => attribute(marks).is_true(),
        }
    }
}

impl<'de> Deserialize<'de> for TfMarks {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Marks;
        impl<'de> Visitor<'de> for Marks {
            type Value = TfMarks;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("marks")
            }

            fn visit_unit<E>(self) -> Result<TfMarks, E> {
                Ok(TfMarks::default())
            }

            fn visit_bool<E>(self, all: bool) -> Result<TfMarks, E> {
                Ok(TfMarks::All(all))
            }

            fn visit_map<A: MapAccess<'de>>(self, members: A) -> Result<TfMarks, A::Error> {
                let marks = TfAttributes::deserialize(serde::de::value::MapAccessDeserializer::new(members))?;
                Ok(TfMarks::Each(Box::new(marks)))
            }
        }
        deserializer.deserialize_any(Marks)
    }
}
