//! The result of checking a pack, as text.

use crate::MANIFEST;
use crate::verify::{PackCheck, PackSignature, SignerCheck};
use hostssl_formats::safe;
use std::io::{self, Write};

/// Writes what the check of a pack found.
///
/// # Errors
///
/// Whatever the writer returns.
pub fn write_check(out: &mut dyn Write, check: &PackCheck) -> io::Result<()> {
    writeln!(out, "audit      {}", safe(check.audit.as_deref().unwrap_or("not known")))?;
    writeln!(out, "files      {} listed in {MANIFEST}", check.files)?;
    let manifest = if check.manifest.is_empty() { "there is none" } else { &check.manifest };
    writeln!(out, "manifest   SHA-256 {manifest}")?;
    match &check.signature {
        PackSignature::None => writeln!(out, "signature  none: anyone who changes a pack can write a new manifest")?,
        PackSignature::Invalid => writeln!(out, "signature  not valid")?,
        PackSignature::Valid { key, signer } => {
            let who = match signer {
                SignerCheck::Known(name) => format!("valid, by {}", safe(name)),
                SignerCheck::Unknown => "valid, but not by an allowed signer".to_owned(),
                SignerCheck::NotChecked => "valid; who signed was not checked: add --allowed-signers FILE".to_owned(),
            };
            writeln!(out, "signature  {who} ({})", safe(key))?;
        }
    }
    if check.is_partial {
        writeln!(out, "complete   NO: a part of what was kept is damaged or lost; README.txt says which")?;
    }
    for problem in &check.problems {
        let (word, what) = problem.parts();
        writeln!(out, "{word:<11}{}", safe(&what))?;
    }
    match check.problems.len() {
        0 => writeln!(out, "result     intact"),
        1 => writeln!(out, "result     NOT intact: 1 problem"),
        count => writeln!(out, "result     NOT intact: {count} problems"),
    }
}
