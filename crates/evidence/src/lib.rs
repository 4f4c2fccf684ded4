//! Evidence packs: one ZIP file with what is kept of an audit, for someone who does not have hostssl.
//!
//! What goes into a pack is a function of values ([`pack_files`]), and so are the bytes of the archive
//! ([`PackArchive`]): the same state gives the same pack. [`verify`] trusts nothing in the file that it reads. The
//! caller reads the state and the disk.

mod archive;
mod check_text;
mod contents;
mod file_names;
mod manifest;
mod pack_file;
mod problem;
mod signature;
mod signers;
mod verify;

pub use archive::{PackArchive, TooLarge};
pub use check_text::write_check;
pub use contents::{PackInput, PackedProbe, PackedRun, earlier_transcript_file, pack_files, transcript_file};
pub use manifest::Manifest;
pub use pack_file::PackFile;
pub use problem::{InvalidPack, PackProblem};
pub use signature::{InvalidKey, PackSigner};
pub use signers::{AllowedSigners, InvalidSigners};
pub use verify::{PackCheck, PackSignature, SignerCheck, verify};

/// The file with the SHA-256 of every other file, as `sha256sum` reads it.
pub const MANIFEST: &str = "SHA256SUMS";
/// The signature of the manifest, as `ssh-keygen -Y verify` reads it.
pub const SIGNATURE: &str = "SHA256SUMS.sig";
/// What the pack is: format, run, coverage, and the key that signed it.
pub const STATEMENT: &str = "pack.json";
/// The namespace of the signature: what `ssh-keygen` recommends for files.
pub const NAMESPACE: &str = "file";
