//! Enums whose variants have stable codes: the words that are used in JSON, in addresses and in the store.

/// A value of a closed set, each with a code that never changes its meaning.
pub trait Coded: Copy + 'static {
    /// The stable code.
    fn code(self) -> &'static str;

    /// The value with this code, spelled exactly so.
    fn of_code(code: &str) -> Option<Self>;
}

/// Declares an enum and the code of each variant, once: `ALL`, `as_str`, `from_code`, [`Coded`] and `Display` follow,
/// so that a variant cannot be missing from one of them.
#[macro_export]
macro_rules! coded {
    ($(#[$meta:meta])* $visible:vis enum $name:ident { $($(#[$of_variant:meta])* $variant:ident = $code:literal,)+ }) => {
        $(#[$meta])*
        $visible enum $name { $($(#[$of_variant])* $variant,)+ }

        impl $name {
            /// Every one, in the order of their declaration.
            $visible const ALL: [Self; [$($code),+].len()] = [$(Self::$variant),+];

            /// The stable code.
            #[must_use]
            $visible const fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $code,)+ }
            }

            /// The one with this code, spelled exactly as [`as_str`](Self::as_str) spells it.
            #[must_use]
            $visible fn from_code(code: &str) -> Option<Self> {
                match code { $($code => Some(Self::$variant),)+ _ => None }
            }
        }

        impl $crate::Coded for $name {
            fn code(self) -> &'static str {
                self.as_str()
            }

            fn of_code(code: &str) -> Option<Self> {
                Self::from_code(code)
            }
        }

        impl ::std::fmt::Display for $name {
            fn fmt(&self, f: &mut ::std::fmt::Formatter<'_>) -> ::std::fmt::Result {
                f.pad(self.as_str())
            }
        }
    };
}

/// A word that was kept by this version or by another one: what this version does not know stays as it is.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Word<T> {
    /// A word that this version knows.
    Known(T),
    /// A word of another version.
    Other(Box<str>),
}

impl<T: Coded> Word<T> {
    /// Reads a word as it was kept.
    #[must_use]
    pub fn read(word: &str) -> Self {
        T::of_code(word).map_or_else(|| Self::Other(word.into()), Self::Known)
    }

    /// The word as it is kept.
    #[must_use]
    pub fn as_str(&self) -> &str {
        match self {
            Self::Known(known) => known.code(),
            Self::Other(word) => word,
        }
    }
}

impl<T: Copy> Word<T> {
    /// What it says, when this version knows it.
    #[must_use]
    pub fn known(&self) -> Option<T> {
        match self {
            Self::Known(known) => Some(*known),
            Self::Other(_) => None,
        }
    }
}

impl<T: Coded> std::fmt::Display for Word<T> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.pad(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    coded! {
        /// Two fruits.
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        enum Fruit {
            /// A fruit.
            Pear = "pear",
            /// Another.
            BloodOrange = "blood-orange",
        }
    }

    #[test]
    fn a_code_is_read_back_and_nothing_else_is() {
        for fruit in Fruit::ALL {
            assert_eq!(Fruit::from_code(fruit.as_str()), Some(fruit));
        }
        assert_eq!(Fruit::from_code("Pear"), None);
        assert_eq!(format!("{:>6}", Fruit::Pear), "  pear");
    }

    #[test]
    fn a_word_of_another_version_stays_what_it_is() {
        let words = ["blood-orange", "kiwi", ""].map(Word::<Fruit>::read);
        assert_eq!(words[0].known(), Some(Fruit::BloodOrange));
        assert_eq!(words.each_ref().map(Word::as_str), ["blood-orange", "kiwi", ""]);
        assert_eq!(words[1], Word::Other("kiwi".into()));
    }
}
