//! Values of JSON of which as little as possible is kept.

use super::MAX_RESOURCES;
use hostssl_model::ParameterName;
use serde::de::value::MapAccessDeserializer;
use serde::de::{
    Deserialize, DeserializeSeed, Deserializer, Error, IgnoredAny, IntoDeserializer as _, MapAccess, SeqAccess, Visitor,
};
use std::collections::BTreeMap;
use std::fmt;
use std::marker::PhantomData;

/// How the error of a list with too many resources begins.
pub(crate) const TOO_MANY: &str = "too many resources";
/// Longer texts are not names, ids or expressions that are looked for.
const MAX_TEXT: usize = 2048;

/// A value that is not a list or object. It shows no text when it is printed for debugging, because the text may be a secret.
#[derive(Clone, Default, PartialEq, Eq)]
pub(crate) enum Scalar {
    /// It is not there.
    #[default]
    Absent,
    Null,
    Bool(bool),
    Text(Box<str>),
    /// A number, a list, an object, or a text that is too long.
    Other,
}

impl Scalar {
    pub(crate) fn text(&self) -> Option<&str> {
        match self {
            Self::Text(text) => Some(text),
            _ => None,
        }
    }

    pub(crate) fn is_true(&self) -> bool {
        *self == Self::Bool(true)
    }

    /// Whether there is nothing: not even a value of another type.
    pub(crate) fn is_nothing(&self) -> bool {
        matches!(self, Self::Absent | Self::Null)
    }
}

impl fmt::Debug for Scalar {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Absent => "absent",
            Self::Null => "null",
            Self::Bool(_) => "a bool",
            Self::Text(_) => "a text",
            Self::Other => "something else",
        })
    }
}

/// Reads any scalar, and of texts those of at most so many bytes.
struct AnyScalar {
    longest: usize,
}

impl<'de> Visitor<'de> for AnyScalar {
    type Value = Scalar;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("any value")
    }

    fn visit_unit<E>(self) -> Result<Scalar, E> {
        Ok(Scalar::Null)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Scalar, E> {
        Ok(Scalar::Bool(value))
    }

    fn visit_i64<E>(self, _: i64) -> Result<Scalar, E> {
        Ok(Scalar::Other)
    }

    fn visit_u64<E>(self, _: u64) -> Result<Scalar, E> {
        Ok(Scalar::Other)
    }

    fn visit_f64<E>(self, _: f64) -> Result<Scalar, E> {
        Ok(Scalar::Other)
    }

    fn visit_str<E>(self, text: &str) -> Result<Scalar, E> {
        Ok(if text.len() <= self.longest { Scalar::Text(text.into()) } else { Scalar::Other })
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Scalar, A::Error> {
        while items.next_element::<IgnoredAny>()?.is_some() {}
        Ok(Scalar::Other)
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Scalar, A::Error> {
        while members.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
        Ok(Scalar::Other)
    }
}

impl<'de> Deserialize<'de> for Scalar {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(AnyScalar { longest: MAX_TEXT })
    }
}

/// Reads a value whose text may have any length, and is not to be kept.
pub(crate) fn of_any_length<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Scalar, D::Error> {
    deserializer.deserialize_any(AnyScalar { longest: usize::MAX })
}

/// Reads the value of a setting: only a word that some setting takes is kept.
pub(crate) fn word<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Scalar, D::Error> {
    Ok(only(Scalar::deserialize(deserializer)?, is_word))
}

/// The same in a template, where it may be an expression.
pub(crate) fn word_or_expression<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Scalar, D::Error> {
    Ok(only(Scalar::deserialize(deserializer)?, |text| is_word(text) || text.starts_with('[')))
}

/// Reads a resource type of Azure, or a word that chooses how a server is made.
pub(crate) fn identifier<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Scalar, D::Error> {
    let known = |c: char| c.is_ascii_alphanumeric() || "./@-".contains(c);
    Ok(only(Scalar::deserialize(deserializer)?, |text| text.len() <= 120 && text.chars().all(known)))
}

/// Whether some setting takes this value.
pub(crate) fn is_word(text: &str) -> bool {
    ParameterName::ALL.iter().any(|name| name.meaning(text).is_some())
}

fn only(value: Scalar, keep: impl Fn(&str) -> bool) -> Scalar {
    match value {
        Scalar::Text(text) if !keep(&text) => Scalar::Other,
        value => value,
    }
}

/// Something of which most is dropped while a list of it is read.
pub(crate) trait Kept {
    fn is_kept(&self) -> bool;
}

/// A list of which only what is asked for is kept; null and absence are empty lists. In templates it may be an object, whose
/// members are the items.
#[derive(Debug)]
pub(crate) struct KeptList<T>(pub(crate) Vec<T>);

impl<T> Default for KeptList<T> {
    fn default() -> Self {
        Self(Vec::new())
    }
}

impl<T: Kept> KeptList<T> {
    fn push<E: Error>(&mut self, item: T) -> Result<(), E> {
        if item.is_kept() {
            if self.0.len() >= MAX_RESOURCES {
                return Err(E::custom(TOO_MANY));
            }
            self.0.push(item);
        }
        Ok(())
    }
}

impl<'de, T: Kept + Deserialize<'de>> Deserialize<'de> for KeptList<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Items<T>(PhantomData<T>);
        impl<'de, T: Kept + Deserialize<'de>> Visitor<'de> for Items<T> {
            type Value = KeptList<T>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a list")
            }

            fn visit_unit<E>(self) -> Result<Self::Value, E> {
                Ok(KeptList::default())
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Self::Value, A::Error> {
                let mut kept = KeptList::default();
                while let Some(item) = items.next_element()? {
                    kept.push(item)?;
                }
                Ok(kept)
            }

            fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Self::Value, A::Error> {
                let mut kept = KeptList::default();
                while let Some((_, item)) = members.next_entry::<IgnoredAny, T>()? {
                    kept.push(item)?;
                }
                Ok(kept)
            }
        }
        deserializer.deserialize_any(Items(PhantomData))
    }
}

/// An object of which another type is read, or something else, which reads as if it were empty.
#[derive(Debug, Default)]
pub(crate) struct Lenient<T>(pub(crate) T);

impl<'de, T: Default + Deserialize<'de>> Deserialize<'de> for Lenient<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Ok(Self(match MaybeObject::deserialize(deserializer)? {
            MaybeObject::Object(object) => object,
            MaybeObject::Nothing | MaybeObject::Bool(_) | MaybeObject::Other => T::default(),
        }))
    }
}

/// An object of which another type is read, its members in any letter case; or what stands in its place.
#[derive(Debug, Default)]
pub(crate) enum MaybeObject<T> {
    /// It is not there, or null.
    #[default]
    Nothing,
    Object(T),
    /// A mark that is for the whole of it.
    Bool(bool),
    /// A value of another type: in templates an expression, which says nothing before a deployment.
    Other,
}

impl<T> MaybeObject<T> {
    pub(crate) fn object(&self) -> Option<&T> {
        match self {
            Self::Object(object) => Some(object),
            Self::Nothing | Self::Bool(_) | Self::Other => None,
        }
    }
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for MaybeObject<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(ObjectVisitor { folds_case: true, of: PhantomData })
    }
}

/// Reads an object, and what stands in its place.
struct ObjectVisitor<T> {
    /// Whether the names of its members are read in any letter case.
    folds_case: bool,
    of: PhantomData<T>,
}

impl<'de, T: Deserialize<'de>> Visitor<'de> for ObjectVisitor<T> {
    type Value = MaybeObject<T>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_unit<E>(self) -> Result<Self::Value, E> {
        Ok(MaybeObject::Nothing)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Self::Value, E> {
        Ok(MaybeObject::Bool(value))
    }

    fn visit_i64<E>(self, _: i64) -> Result<Self::Value, E> {
        Ok(MaybeObject::Other)
    }

    fn visit_u64<E>(self, _: u64) -> Result<Self::Value, E> {
        Ok(MaybeObject::Other)
    }

    fn visit_f64<E>(self, _: f64) -> Result<Self::Value, E> {
        Ok(MaybeObject::Other)
    }

    fn visit_str<E>(self, _: &str) -> Result<Self::Value, E> {
        Ok(MaybeObject::Other)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Self::Value, A::Error> {
        while items.next_element::<IgnoredAny>()?.is_some() {}
        Ok(MaybeObject::Other)
    }

    fn visit_map<A: MapAccess<'de>>(self, members: A) -> Result<Self::Value, A::Error> {
        let object = match self.folds_case {
            true => T::deserialize(MapAccessDeserializer::new(LowerCaseKeys(members))),
            false => T::deserialize(MapAccessDeserializer::new(members)),
        };
        object.map(MaybeObject::Object)
    }
}

/// As [`Lenient`], but for names that differ by their letter case: those of Terraform.
#[derive(Debug, Default)]
pub(crate) struct CaseSensitive<T>(pub(crate) T);

impl<'de, T: Default + Deserialize<'de>> Deserialize<'de> for CaseSensitive<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let read = deserializer.deserialize_any(ObjectVisitor { folds_case: false, of: PhantomData })?;
        Ok(Self(match read {
            MaybeObject::Object(object) => object,
            MaybeObject::Nothing | MaybeObject::Bool(_) | MaybeObject::Other => T::default(),
        }))
    }
}

/// The members of an object, their names in lower case: Resource Manager takes any.
struct LowerCaseKeys<A>(A);

impl<'de, A: MapAccess<'de>> MapAccess<'de> for LowerCaseKeys<A> {
    type Error = A::Error;

    fn next_key_seed<K: DeserializeSeed<'de>>(&mut self, seed: K) -> Result<Option<K::Value>, A::Error> {
        let Some(mut key) = self.0.next_key::<String>()? else { return Ok(None) };
        key.make_ascii_lowercase();
        seed.deserialize(key.into_deserializer()).map(Some)
    }

    fn next_value_seed<V: DeserializeSeed<'de>>(&mut self, seed: V) -> Result<V::Value, A::Error> {
        self.0.next_value_seed(seed)
    }
}

/// An object whose members are read in any letter case, and nothing else.
#[derive(Debug, Default)]
pub(crate) struct AnyCase<T>(pub(crate) T);

impl<T: Kept> Kept for AnyCase<T> {
    fn is_kept(&self) -> bool {
        self.0.is_kept()
    }
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for AnyCase<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        match MaybeObject::deserialize(deserializer)? {
            MaybeObject::Object(object) => Ok(Self(object)),
            MaybeObject::Nothing | MaybeObject::Bool(_) | MaybeObject::Other => Err(D::Error::custom("not an object")),
        }
    }
}

/// An object by the names of its members in lower case, or nothing where it is something else. Resource Manager takes names
/// in any letter case, so two that differ in nothing else have no value that can be told.
#[derive(Debug, Default)]
pub(crate) struct NamedMembers<T>(pub(crate) BTreeMap<Box<str>, T>);

impl<'de, T: Default + Deserialize<'de>> Deserialize<'de> for NamedMembers<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let Lenient(Members(members)) = Lenient::<Members<T>>::deserialize(deserializer)?;
        Ok(Self(members))
    }
}

/// The members of an object by their names.
#[derive(Debug)]
pub(crate) struct Members<T>(pub(crate) BTreeMap<Box<str>, T>);

impl<T> Default for Members<T> {
    fn default() -> Self {
        Self(BTreeMap::new())
    }
}

impl<'de, T: Default + Deserialize<'de>> Deserialize<'de> for Members<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Each<T>(PhantomData<T>);
        impl<'de, T: Default + Deserialize<'de>> Visitor<'de> for Each<T> {
            type Value = Members<T>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Self::Value, A::Error> {
                let mut each = BTreeMap::new();
                while let Some((name, value)) = members.next_entry::<Box<str>, T>()? {
                    let value = if each.contains_key(&name) { T::default() } else { value };
                    each.insert(name, value);
                }
                Ok(Members(each))
            }
        }
        deserializer.deserialize_map(Each(PhantomData))
    }
}

/// The texts of a list; other items are left out.
#[derive(Debug, Default)]
pub(crate) struct TextList(pub(crate) Vec<Box<str>>);

impl<'de> Deserialize<'de> for TextList {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct AnyItem(Scalar);
        impl Kept for AnyItem {
            fn is_kept(&self) -> bool {
                self.0.text().is_some()
            }
        }
        impl<'de> Deserialize<'de> for AnyItem {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                Scalar::deserialize(deserializer).map(Self)
            }
        }
        let KeptList(items) = KeptList::<AnyItem>::deserialize(deserializer)?;
        let texts = items.into_iter().filter_map(|item| match item.0 {
            Scalar::Text(text) => Some(text),
            _ => None,
        });
        Ok(Self(texts.collect()))
    }
}
