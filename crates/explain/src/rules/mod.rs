//! The messages that are known. Tables only: a meaning, and the words by which it is met.

mod driver_errors;
mod network_errors;
mod server_errors;
mod tls_errors;
mod translated;

use super::readings::Interpretation;

/// A meaning and the phrases that have it. The parts of a phrase follow each other in one message. They are in lower case;
/// `""` stands for a quoted name; a part that ends in `*` may go on in the same word.
type Table = &'static [(&'static Interpretation, &'static [&'static [&'static str]])];

/// One phrase and its meaning.
#[derive(Clone, Copy)]
pub(super) struct PhraseRule {
    pub(super) reading: &'static Interpretation,
    pub(super) parts: &'static [&'static str],
}

/// All rules.
pub(super) fn rules() -> impl Iterator<Item = PhraseRule> {
    let tables: [Table; 5] =
        [server_errors::TABLE, tls_errors::TABLE, driver_errors::TABLE, network_errors::TABLE, translated::TABLE];
    tables
        .into_iter()
        .flatten()
        .flat_map(|(reading, phrases)| phrases.iter().map(move |parts| PhraseRule { reading, parts }))
}
