//! The ZIP file. Its bytes are part of the format: every header is written in one way only, and read by writing it again,
//! so that nothing can hide between the files and no two programs see different files. Hence not a library, whose next
//! version may write other headers and make a pack of last year a changed one (design record 007).

mod read;
mod write;
mod zip_headers;

pub(crate) use read::Archive;
pub use write::{PackArchive, TooLarge};

/// The longest directory that is written and read: 64 MiB, the names of 400,000 servers.
const MAX_DIRECTORY: u32 = 64 << 20;
