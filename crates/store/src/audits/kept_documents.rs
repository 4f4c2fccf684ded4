//! Keeps each document once, under its hash.

use super::document::{ServerFacts, ServerJudgement};
use super::tags;
use crate::StoreError;
use hostssl_model::Tags;
use rusqlite::{OptionalExtension as _, Transaction, params};
use serde::Serialize;
use sha2::{Digest, Sha256};

/// The number of what was observed of a server.
pub(crate) fn keep_facts(transaction: &Transaction<'_>, facts: &ServerFacts) -> Result<i64, StoreError> {
    let (number, is_new) = keep_document(transaction, "facts", &json(facts)?)?;
    if is_new {
        let tags: Tags = facts.tags.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        tags::insert(transaction, number, &tags)?;
    }
    Ok(number)
}

/// The number of what the controls said of a server.
pub(crate) fn keep_judgement(transaction: &Transaction<'_>, judgement: &ServerJudgement) -> Result<i64, StoreError> {
    Ok(keep_document(transaction, "judgements", &json(judgement)?)?.0)
}

/// The number of a document that is kept under its hash, and whether it is new.
fn keep_document(transaction: &Transaction<'_>, table: &str, document: &str) -> Result<(i64, bool), StoreError> {
    let hash = Sha256::digest(document);
    let known = transaction
        .prepare_cached(&format!("SELECT num FROM {table} WHERE hash = ?1"))?
        .query_row([hash.as_slice()], |row| row.get(0))
        .optional()?;
    if let Some(num) = known {
        return Ok((num, false));
    }
    transaction
        .prepare_cached(&format!("INSERT INTO {table} (hash, document) VALUES (?1, ?2)"))?
        .execute(params![hash.as_slice(), document])?;
    Ok((transaction.last_insert_rowid(), true))
}

/// A document as it is kept.
pub(crate) fn json(value: &impl Serialize) -> Result<String, StoreError> {
    serde_json::to_string(value).map_err(|error| StoreError::Corrupt(format!("an audit cannot be written: {error}")))
}
