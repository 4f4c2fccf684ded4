//! Checks a pack. Everything in it may be forged, so nothing that it says of itself counts, but what follows from its bytes
//! and from keys that the caller trusts.

use crate::archive::Archive;
use crate::file_names::is_safe;
use crate::manifest::{Hash, Manifest};
use crate::signature::{fingerprint, signed_by};
use crate::{AllowedSigners, InvalidPack, MANIFEST, PackProblem, SIGNATURE, STATEMENT};
use hostssl_formats::safe;
use hostssl_model::hex;
use serde_json::Value;
use sha2::{Digest as _, Sha256};
use std::collections::BTreeMap;
use std::io::{Read, Seek};

/// The longest manifest, signature or statement that is read.
const MAX_READ: usize = 64 << 20;

/// What a check found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PackCheck {
    /// How many files the manifest lists.
    pub files: usize,
    /// The SHA-256 of the manifest, in hexadecimal; empty without one.
    pub manifest: String,
    /// The audit, as the statement names it.
    pub audit: Option<String>,
    /// Whether the statement says that a part of what was kept is not in the pack.
    pub is_partial: bool,
    /// The signature.
    pub signature: PackSignature,
    /// What is wrong, in the order of the names. Empty for a pack that is as it was written.
    pub problems: Vec<PackProblem>,
}

/// What is known of the signature.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PackSignature {
    /// There is none.
    None,
    /// It is not valid; the problems say why.
    Invalid,
    /// It is valid.
    Valid {
        /// The fingerprint of the key.
        key: String,
        /// Whose key it is.
        signer: SignerCheck,
    },
}

/// Whether a key is one of those that the caller trusts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SignerCheck {
    /// The caller named none.
    NotChecked,
    /// It is not.
    Unknown,
    /// It is, under this name.
    Known(String),
}

/// The files of a pack that say what it is.
#[derive(Default)]
struct Own {
    manifest: Option<Vec<u8>>,
    signature: Option<Vec<u8>>,
    statement: Option<Vec<u8>>,
}

/// Checks that a pack is as it was written: every file, nothing missing, nothing added, no byte of the archive changed, and
/// the signature if there is one. With `allowed`, the pack must be signed by one of these keys.
///
/// # Errors
///
/// [`InvalidPack`] when the list of its files cannot be read.
pub fn verify(source: impl Read + Seek, allowed: Option<&AllowedSigners>) -> Result<PackCheck, InvalidPack> {
    let mut archive = Archive::open(source)?;
    let mut problems = Vec::new();
    if !archive.is_unchanged() {
        problems.push(PackProblem::Archive);
    }
    let (mut own, mut hashes) = (Own::default(), BTreeMap::new());
    for (index, raw) in archive.names().into_iter().enumerate() {
        let name = String::from_utf8_lossy(&raw).into_owned();
        let shown = safe(&name).into_owned();
        let wanted = if [MANIFEST, SIGNATURE, STATEMENT].contains(&name.as_str()) { MAX_READ } else { 0 };
        let content = match archive.content(index, wanted) {
            Ok(content) => content,
            Err(why) => {
                problems.push(PackProblem::Unreadable(shown.clone(), why));
                // It is there, and not what the manifest says.
                hashes.entry(name).or_insert(None);
                continue;
            }
        };
        if !content.as_declared {
            problems.push(PackProblem::Changed(shown.clone()));
        }
        if hashes.insert(name.clone(), Some(content.hash)).is_some() {
            problems.push(PackProblem::Repeated(shown));
        }
        match name.as_str() {
            MANIFEST => own.manifest = Some(content.bytes),
            SIGNATURE => own.signature = Some(content.bytes),
            STATEMENT => own.statement = Some(content.bytes),
            _ => {}
        }
    }
    let manifest = compare(own.manifest.as_deref(), hashes, &mut problems);
    let statement = read_statement(own.statement.as_deref(), &mut problems);
    let signature = check_signature(&own, &statement, allowed, &mut problems);
    if problems.is_empty() && !is_in_order(&archive.names()) {
        problems.push(PackProblem::Archive);
    }
    problems.sort();
    problems.dedup();
    Ok(PackCheck {
        files: manifest.hashes.len(),
        manifest: own.manifest.map(|bytes| hex(&Sha256::digest(bytes))).unwrap_or_default(),
        audit: statement.audit,
        is_partial: statement.is_partial,
        signature,
        problems,
    })
}

/// Whether the files are in the order in which they are packed: by name, then the manifest, then its signature.
fn is_in_order(names: &[Vec<u8>]) -> bool {
    let place =
        |name: &[u8]| [MANIFEST, SIGNATURE].iter().position(|last| last.as_bytes() == name).map_or(0, |at| at + 1);
    names.is_sorted_by_key(|name| (place(name), name))
}

/// Compares the files with the manifest.
fn compare(
    manifest: Option<&[u8]>,
    mut found: BTreeMap<String, Option<Hash>>,
    problems: &mut Vec<PackProblem>,
) -> Manifest {
    found.remove(SIGNATURE);
    let Some(text) = manifest.filter(|_| matches!(found.remove(MANIFEST), Some(Some(_)))) else {
        problems.push(PackProblem::Missing(MANIFEST.to_owned()));
        return Manifest::default();
    };
    let (manifest, bad) = Manifest::read(text);
    problems.extend(bad.into_iter().map(PackProblem::Manifest));
    for (name, hash) in &manifest.hashes {
        match found.remove(name) {
            None => problems.push(PackProblem::Missing(name.clone())),
            Some(Some(actual)) if actual == *hash => {}
            Some(_) => problems.push(PackProblem::Changed(name.clone())),
        }
    }
    problems.extend(found.into_keys().map(|name| PackProblem::Extra(shown(&name))));
    manifest
}

/// A name that may be anything, so that it can be printed.
fn shown(name: &str) -> String {
    if is_safe(name) { name.to_owned() } else { format!("{:?}", safe(name)) }
}

/// What the statement says.
#[derive(Default)]
struct Statement {
    audit: Option<String>,
    signer: Option<String>,
    is_partial: bool,
}

fn read_statement(bytes: Option<&[u8]>, problems: &mut Vec<PackProblem>) -> Statement {
    let Some(bytes) = bytes else {
        // A manifest that does not list it makes no pack either.
        if !problems.iter().any(|one| matches!(one, PackProblem::Unreadable(name, _) if name == STATEMENT)) {
            problems.push(PackProblem::Missing(STATEMENT.to_owned()));
        }
        return Statement::default();
    };
    let value: Value = serde_json::from_slice(bytes).unwrap_or_default();
    if value["schema"] != hostssl_formats::evidence_json::SCHEMA {
        problems.push(PackProblem::Statement);
    }
    let text = |value: &Value| value.as_str().map(|text| safe(text).into_owned());
    Statement {
        audit: text(&value["audit"]["run"]),
        signer: text(&value["signer"]),
        // Packs of earlier versions do not say it: they were made of everything, or not at all.
        is_partial: value["complete"] == false,
    }
}

fn check_signature(
    own: &Own,
    statement: &Statement,
    allowed: Option<&AllowedSigners>,
    problems: &mut Vec<PackProblem>,
) -> PackSignature {
    let Some(text) = &own.signature else {
        // The statement is in the manifest, so a signature cannot be taken away unnoticed.
        if statement.signer.is_some() || allowed.is_some() {
            problems.push(PackProblem::Missing(SIGNATURE.to_owned()));
        }
        return PackSignature::None;
    };
    let key = match signed_by(text, own.manifest.as_deref().unwrap_or_default()) {
        Ok(key) => key,
        Err(why) => {
            problems.push(PackProblem::Signature(why));
            return PackSignature::Invalid;
        }
    };
    let print = fingerprint(&key);
    if statement.signer.as_ref() != Some(&print) {
        problems.push(PackProblem::Signature("it is of another key than pack.json names"));
    }
    let signer = match allowed.map(|allowed| allowed.name_of(&key)) {
        None => SignerCheck::NotChecked,
        Some(Some(name)) => SignerCheck::Known(name.to_owned()),
        Some(None) => {
            problems.push(PackProblem::Signature("its key is not among the allowed signers"));
            SignerCheck::Unknown
        }
    };
    PackSignature::Valid { key: print, signer }
}
