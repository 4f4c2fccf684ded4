//! What columns hold in place of types: frozen numbers and words.

use super::document;
use crate::StoreError;
use hostssl_model::{Coded, Enforcement, Outcome, Standing, Standings, Word};
use rusqlite::Row;
use std::collections::BTreeMap;

/// What is kept of an [`Enforcement`]: frozen numbers.
pub(crate) trait Code: Sized {
    fn code(self) -> i64;
    fn from_code(code: i64) -> Self;
}

impl Code for Enforcement {
    fn code(self) -> i64 {
        match self {
            Self::Enforced => 0,
            Self::Unknown => 1,
            Self::NotEnforced => 2,
        }
    }

    fn from_code(code: i64) -> Self {
        match code {
            0 => Self::Enforced,
            2 => Self::NotEnforced,
            _ => Self::Unknown,
        }
    }
}

impl Code for Standing {
    fn code(self) -> i64 {
        match self {
            Self::Proven => 0,
            Self::NotProbed => 1,
            Self::Unproven => 2,
            Self::Unknown => 3,
            Self::NotEnforced => 4,
            Self::AcceptsPlaintext => 5,
        }
    }

    fn from_code(code: i64) -> Self {
        Self::ALL.into_iter().find(|one| one.code() == code).unwrap_or(Self::Unknown)
    }
}

pub(crate) fn outcome_code(outcome: Outcome) -> i64 {
    match outcome {
        Outcome::NotApplicable => 0,
        Outcome::Pass => 1,
        Outcome::Unknown => 2,
        Outcome::Fail => 3,
    }
}

pub(crate) fn outcome_from(code: i64) -> Outcome {
    match code {
        0 => Outcome::NotApplicable,
        1 => Outcome::Pass,
        3 => Outcome::Fail,
        _ => Outcome::Unknown,
    }
}

pub(crate) fn unsigned(count: i64) -> u64 {
    u64::try_from(count).unwrap_or_default()
}

/// A word that is empty where there is none.
pub(crate) fn word<T: Coded>(row: &Row<'_>, index: usize) -> Result<Option<Word<T>>, rusqlite::Error> {
    let text = row.get_ref(index)?.as_str()?;
    Ok((!text.is_empty()).then(|| Word::read(text)))
}

/// The words of a list that was kept with commas between them.
pub(crate) fn listed(text: &str) -> impl Iterator<Item = &str> {
    text.split(',').filter(|word| !word.is_empty())
}

/// Counts as they are kept.
pub(crate) fn write_standings(standings: &Standings) -> Result<String, StoreError> {
    let counts: BTreeMap<&str, u64> =
        Standing::ALL.into_iter().map(|standing| (standing.as_str(), standings.count(standing))).collect();
    serde_json::to_string(&counts).map_err(|error| StoreError::Corrupt(error.to_string()))
}

/// Reads counts that were kept.
pub(crate) fn read_standings(text: &str) -> Result<Standings, StoreError> {
    let mut standings = Standings::default();
    if text.is_empty() {
        return Ok(standings);
    }
    let counts: BTreeMap<String, u64> = document::read(text)?;
    for (word, servers) in counts {
        standings.add(Standing::from_word(&word).unwrap_or(Standing::Unknown), servers);
    }
    Ok(standings)
}
