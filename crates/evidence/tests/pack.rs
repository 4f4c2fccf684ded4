//! Packs: the same for the same state, and nothing in one can be changed, removed or added unnoticed.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test may stop at the first surprise")]

mod common;

use common::{AT, audit, contents, files, key, pack, seal, set, signed, touch};
use hostssl_evidence::{
    AllowedSigners, MANIFEST, Manifest, PackCheck, PackFile, PackInput, PackProblem, PackSignature, PackSigner,
    PackedProbe, PackedRun, SIGNATURE, STATEMENT, SignerCheck, pack_files, verify, write_check,
};
use hostssl_formats::apply_json::RunApproval;
use hostssl_model::Principal;
use hostssl_model::untrusted::is_harmful;
use hostssl_test_support::hostile::hostile;
use proptest::prelude::*;
use std::io::Cursor;

fn checked(archive: &[u8]) -> PackCheck {
    verify(Cursor::new(archive), None).unwrap()
}

fn problems(files: &[PackFile]) -> Vec<PackProblem> {
    checked(&common::archive(files, AT)).problems
}

/// Whether a check lets an archive pass.
fn passes(archive: &[u8]) -> bool {
    verify(Cursor::new(archive), None).is_ok_and(|check| check.problems.is_empty())
}

#[test]
fn the_same_state_gives_the_same_bytes_and_they_are_intact() {
    for signer in [None, Some(key(1))] {
        let archive = pack(signer.as_ref());
        assert_eq!(archive, pack(signer.as_ref()));
        let check = checked(&archive);
        assert_eq!(check.problems, []);
        let files = contents(signer.as_ref());
        assert_eq!(check.files, files.len() - 1 - usize::from(signer.is_some()));
        assert_eq!(check.audit.as_deref(), Some(audit().run.id.as_str()));
        let manifest = files.iter().find(|file| file.path == MANIFEST).unwrap();
        assert_eq!(check.manifest, manifest.sha256());
    }
}

#[test]
fn every_server_has_a_file_whose_name_is_harmless() {
    let files = contents(None);
    let servers: Vec<&str> =
        files.iter().map(|file| file.path.as_str()).filter(|path| path.starts_with("servers/")).collect();
    assert_eq!(servers.len(), audit().servers.len());
    for path in &servers {
        assert_eq!(*path, path.to_lowercase());
        assert!(path.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"/.-_".contains(&byte)), "{path}");
        assert_eq!(path.matches('/').count(), 1, "{path}");
    }
    let mut lower: Vec<String> = files.iter().map(|file| file.path.to_lowercase()).collect();
    lower.sort();
    lower.dedup();
    assert_eq!(lower.len(), files.len(), "two names are one on a disk that ignores case");
}

#[test]
fn no_harmful_character_is_in_a_pack_or_in_the_result_of_its_check() {
    let (text, report) = (hostile(), hostssl_test_support::hostile::audit());
    let run = PackedRun {
        id: "20261124-090000-aaaa".into(),
        plan: "{}\n".into(),
        approved: text.clone(),
        principal: Principal { name: text.clone(), ..Principal::default() },
        orders: vec![["2026-11-24T09:00:00Z", "apply", &text, &text].map(str::to_owned)],
        approvals: vec![RunApproval { person: text.clone(), at: text.clone() }],
        result: serde_json::json!({ text.as_str(): text }),
        journal: vec![serde_json::json!({ text.as_str(): text })],
    };
    let probe = PackedProbe {
        id: "01a2b3c4-d5e6-7000-8000-000000000002".into(),
        started_at: text.clone(),
        tool_version: text.clone(),
        endpoints: vec![serde_json::json!({ text.as_str(): text })],
    };
    let input = PackInput {
        report: &report,
        simulated: false,
        packed_with: &text,
        waivers: None,
        history: Vec::new(),
        clients: (Vec::new(), 0),
        runs: vec![run],
        transcripts: Vec::new(),
        probes: vec![probe],
        earlier: &[],
        earlier_transcripts: Vec::new(),
        missing: Vec::new(),
    };
    let files = pack_files(input, None).unwrap();
    assert!(files.len() > 8, "{files:?}");
    for file in files {
        let content = String::from_utf8(file.content().unwrap()).unwrap();
        assert!(!file.path.contains(is_harmful) && !content.contains(|c| c != '\n' && is_harmful(c)), "{}", file.path);
    }
    let check = PackCheck {
        is_partial: false,
        files: 1,
        manifest: "0".into(),
        audit: Some(text.clone()),
        signature: PackSignature::Valid { key: text.clone(), signer: SignerCheck::Known(text.clone()) },
        problems: vec![PackProblem::Changed(text.clone()), PackProblem::Unreadable(text, "damaged")],
    };
    let mut out = Vec::new();
    write_check(&mut out, &check).unwrap();
    let shown = String::from_utf8(out).unwrap();
    assert!(shown.contains("NOT intact") && !shown.contains(|c| c != '\n' && is_harmful(c)), "{shown}");
}

#[test]
fn a_file_that_is_changed_missing_or_added_is_named() {
    let files = contents(None);
    for (at, file) in files.iter().enumerate().filter(|(_, file)| file.path != MANIFEST) {
        let mut changed = files.clone();
        touch(&mut changed[at], |bytes| bytes.push(b' '));
        assert_eq!(problems(&changed)[..1], [PackProblem::Changed(file.path.clone())]);
        let mut without = files.clone();
        without.remove(at);
        assert_eq!(problems(&without), [PackProblem::Missing(file.path.clone())]);
        let mut renamed = files.clone();
        renamed[at].path = format!("{}2", file.path);
        let expected = [PackProblem::Missing(file.path.clone()), PackProblem::Extra(format!("{}2", file.path))];
        assert_eq!(problems(&renamed), expected);
    }
    let mut more = files.clone();
    more.push(PackFile::new("servers/../../x", &[]).unwrap());
    assert_eq!(problems(&more), [PackProblem::Extra("\"servers/../../x\"".into())]);
    let without: Vec<PackFile> = files.iter().filter(|file| file.path != MANIFEST).cloned().collect();
    assert!(problems(&without).contains(&PackProblem::Missing(MANIFEST.into())));
}

#[test]
fn a_file_that_is_there_twice_is_reported_whichever_is_the_right_one() {
    let files = contents(None);
    let forged = PackFile::new("audit.json", b"{}").unwrap();
    for at in [0, files.len()] {
        let mut twice = files.clone();
        twice.insert(at, forged.clone());
        assert!(problems(&twice).contains(&PackProblem::Repeated("audit.json".into())));
    }
}

#[test]
fn a_pack_that_another_program_has_written_again_is_not_as_it_was_written() {
    let archive = pack(None);
    for touched in
        [[b"MZ", &archive[..]].concat(), [&archive[..], b"\0"].concat(), archive[..archive.len() - 1].to_vec()]
    {
        assert!(!passes(&touched));
    }
    let other_time = common::archive(&contents(None), AT.with().year(2027).build().unwrap());
    assert_ne!(other_time, archive);
    assert!(passes(&other_time), "the time is for people: every file says its own");
}

#[test]
fn files_in_another_order_are_not_as_they_were_written() {
    let mut files = contents(Some(&key(1)));
    assert_eq!(problems(&files), []);
    let last = files.len() - 1;
    for (one, other) in [(0, 1), (last - 1, last), (0, last)] {
        files.swap(one, other);
        assert_eq!(problems(&files), [PackProblem::Archive]);
        files.swap(one, other);
    }
}

#[test]
fn a_header_cannot_be_changed_even_with_a_new_seal() {
    let chosen = |file: &PackFile| ["audit.csv", "pack.json"].contains(&file.path.as_str());
    let mut few: Vec<PackFile> = files().into_iter().filter(chosen).collect();
    few.push(PackFile::new(MANIFEST, Manifest::of(&few).to_text().as_bytes()).unwrap());
    let archive = common::archive(&few, AT);
    assert!(passes(&archive));
    let mut packed = Vec::new();
    for (offset, header, length) in common::local_headers(&archive) {
        packed.push(offset + header..offset + header + length);
    }
    let headers = (0..archive.len() - common::SEAL_LENGTH).filter(|at| !packed.iter().any(|range| range.contains(at)));
    let mut count = 0;
    for at in headers {
        let mut touched = archive.clone();
        touched[at] ^= 1 << (at % 8);
        assert!(!passes(&seal(touched)), "byte {at}");
        count += 1;
    }
    assert!(count > 250, "{count}");
}

#[test]
fn nothing_can_hide_between_the_directory_and_its_end() {
    let archive = pack(None);
    let end = archive.windows(4).rposition(|four| four == b"PK\x05\x06").unwrap();
    let mut touched = archive;
    touched.splice(end..end, *b"more");
    assert!(!passes(&seal(touched)));
}

#[test]
fn a_directory_that_lies_is_found() {
    let archive = pack(None);
    let directory = archive.windows(4).position(|four| four == b"PK\x01\x02").unwrap();
    let end = archive.windows(4).rposition(|four| four == b"PK\x05\x06").unwrap();
    // Another number of files; encrypted; an unknown compression; another length; a content elsewhere.
    let lies = [(end + 10, 1), (directory + 8, 1), (directory + 10, 4), (directory + 24, 1), (directory + 42, 1)];
    for (at, bits) in lies {
        let mut touched = archive.clone();
        touched[at] ^= bits;
        assert!(!passes(&seal(touched)), "byte {at}");
    }
    let mut encrypted = archive;
    encrypted[directory + 8] |= 1;
    let check = checked(&seal(encrypted));
    assert!(check.problems.contains(&PackProblem::Unreadable("README.txt".into(), "it is encrypted")), "{check:?}");
}

#[test]
fn content_that_unpacks_to_more_than_declared_is_not_unpacked() {
    let mut files = contents(None);
    // A gigabyte of zeros would take a second; 64 MiB that are declared as 16 bytes take none.
    files.push(PackFile::new("zeros", &vec![0; 64 << 20]).unwrap());
    let mut archive = common::archive(&files, AT);
    let name = archive.windows(5).rposition(|five| five == b"zeros").unwrap();
    archive[name - 46 + 24..name - 46 + 28].copy_from_slice(&16_u32.to_le_bytes());
    let check = checked(&seal(archive.clone()));
    assert!(check.problems.contains(&PackProblem::Changed("zeros".into())), "{:?}", check.problems);
    // Many that say to be huge are refused by what they say.
    let directory = archive.windows(4).position(|four| four == b"PK\x01\x02").unwrap();
    let mut at = directory;
    while archive[at..].starts_with(b"PK\x01\x02") {
        archive[at + 24..at + 28].copy_from_slice(&u32::MAX.to_le_bytes());
        at += 46 + usize::from(archive[at + 28]);
    }
    let check = checked(&seal(archive));
    let refused = |one: &PackProblem| matches!(one, PackProblem::Unreadable(_, why) if why.contains("16 GiB"));
    assert!(check.problems.iter().any(refused), "{:?}", check.problems);
}

#[test]
fn a_signature_says_whose_key_it_is_and_what_else_is_no_pass() {
    let (own, other) = (key(1), key(2));
    let archive = pack(Some(&own));
    let valid = |signer| PackSignature::Valid { key: own.fingerprint(), signer };
    assert_eq!(checked(&archive).signature, valid(SignerCheck::NotChecked));
    let allow = |key: &PackSigner| AllowedSigners::read(&format!("audit@example.com {}", common::public(key))).unwrap();
    let with = |archive: &[u8], key: &PackSigner| verify(Cursor::new(archive), Some(&allow(key))).unwrap();
    let known = with(&archive, &own);
    assert_eq!((known.signature, known.problems), (valid(SignerCheck::Known("audit@example.com".into())), vec![]));
    let unknown = with(&archive, &other);
    assert_eq!(unknown.signature, valid(SignerCheck::Unknown));
    assert_eq!(unknown.problems.len(), 1);
    assert_eq!(with(&pack(None), &own).problems, [PackProblem::Missing(SIGNATURE.into())]);
}

#[test]
fn a_signature_cannot_be_removed_replaced_or_moved_to_other_files() {
    let (own, other) = (key(1), key(2));
    let files = contents(Some(&own));
    let without: Vec<PackFile> = files.iter().filter(|file| file.path != SIGNATURE).cloned().collect();
    assert_eq!(problems(&without), [PackProblem::Missing(SIGNATURE.into())]);
    let mut replaced = files.clone();
    let manifest = files.iter().find(|file| file.path == MANIFEST).unwrap().content().unwrap();
    set(replaced.last_mut().unwrap(), other.sign(&manifest).unwrap().as_bytes());
    assert_eq!(problems(&replaced), [PackProblem::Signature("it is of another key than pack.json names")]);
    // Whoever changes a file and writes a right manifest has no signature for it.
    let mut forged: Vec<PackFile> = files[..files.len() - 2].to_vec();
    touch(forged.iter_mut().find(|file| file.path == "audit.csv").unwrap(), |bytes| bytes.push(b'x'));
    let manifest = Manifest::of(&forged).to_text();
    forged.push(PackFile::new(MANIFEST, manifest.as_bytes()).unwrap());
    forged.push(files.last().unwrap().clone());
    assert_eq!(problems(&forged), [PackProblem::Signature("SHA256SUMS is not what was signed")]);
    let mut broken = files;
    set(broken.last_mut().unwrap(), b"-----BEGIN SSH SIGNATURE-----\n");
    assert_eq!(problems(&broken).len(), 1);
}

#[test]
fn a_key_that_cannot_sign_is_refused() {
    for text in ["", "-----BEGIN OPENSSH PRIVATE KEY-----\n", "ssh-ed25519 AAAA"] {
        assert!(PackSigner::read(text).is_err());
    }
    assert!(!format!("{:?}", key(1)).contains("private"), "a key is not printed");
}

#[test]
fn a_statement_of_another_format_is_none() {
    let mut files = contents(None);
    let statement = files.iter_mut().find(|file| file.path == STATEMENT).unwrap();
    set(statement, b"{\"schema\": \"hostssl/evidence/v2\"}");
    assert!(problems(&files).contains(&PackProblem::Statement));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn any_byte_of_a_pack_may_be_changed_and_it_is_found(at in any::<prop::sample::Index>(), bits in 1_u8..) {
        let mut archive = signed();
        let at = at.index(archive.len());
        archive[at] ^= bits;
        prop_assert!(!passes(&archive), "byte {}", at);
    }

    #[test]
    fn any_byte_of_any_file_may_be_changed_and_the_file_is_named(
        file in any::<prop::sample::Index>(), at in any::<prop::sample::Index>(), bits in 1_u8..,
    ) {
        let mut files = files();
        let file = file.index(files.len());
        touch(&mut files[file], |bytes| {
            let at = at.index(bytes.len());
            bytes[at] ^= bits;
        });
        let name = files[file].path.clone();
        // With a new seal: the archive around the files is right.
        let found = problems(&files);
        if name == MANIFEST {
            prop_assert!(!found.is_empty());
        } else {
            prop_assert!(found.contains(&PackProblem::Changed(name)), "{:?}", found);
        }
    }

    #[test]
    fn nothing_that_is_read_makes_it_panic(
        changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..40), cut in any::<prop::sample::Index>(),
    ) {
        let mut archive = signed();
        for (at, byte) in changes {
            let at = at.index(archive.len());
            archive[at] = byte;
        }
        let _ = verify(Cursor::new(seal(archive.clone())), None);
        archive.truncate(cut.index(archive.len()));
        prop_assert!(!passes(&archive));
    }

    #[test]
    fn bytes_that_are_no_archive_are_refused(bytes in prop::collection::vec(any::<u8>(), 0..600)) {
        prop_assert!(!passes(&bytes));
    }
}
