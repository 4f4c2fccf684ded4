//! Searches in the few hundred bytes of one line. `memmem` prepares for large texts at each call, which costs more than
//! the whole search here.

use memchr::{memchr_iter, memrchr_iter};

/// Where `needle` is first.
pub(super) fn find(text: &[u8], needle: &[u8]) -> Option<usize> {
    let (first, rest) = needle.split_first()?;
    memchr_iter(*first, text).find(|at| text.get(at + 1..).is_some_and(|behind| behind.starts_with(rest)))
}

/// Where `needle` is last.
pub(super) fn rfind(text: &[u8], needle: &[u8]) -> Option<usize> {
    let (first, rest) = needle.split_first()?;
    memrchr_iter(*first, text).find(|at| text.get(at + 1..).is_some_and(|behind| behind.starts_with(rest)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use memchr::memmem;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn they_find_what_memmem_finds(text in "[ab ]{0,40}", needle in "[ab ]{1,4}") {
            let (text, needle) = (text.as_bytes(), needle.as_bytes());
            prop_assert_eq!(find(text, needle), memmem::find(text, needle));
            prop_assert_eq!(rfind(text, needle), memmem::rfind(text, needle));
        }
    }
}
