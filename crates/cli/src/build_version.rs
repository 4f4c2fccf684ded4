//! What `--version` says, and with `--verbose` of what exactly the program was built.

use std::ffi::OsString;

/// The version, commit and build; the first line is what `--version` alone prints.
const DETAILS: &str = concat!(
    env!("CARGO_PKG_VERSION"),
    "\ncommit: ",
    env!("HOSTSSL_BUILD_COMMIT"),
    "\nfeatures: ",
    env!("HOSTSSL_BUILD_FEATURES"),
    "\ntarget: ",
    env!("HOSTSSL_BUILD_TARGET"),
    "\nrustc: ",
    env!("HOSTSSL_BUILD_RUSTC")
);

/// The version that the arguments ask for. clap prints it as soon as it reads `--version`, before any other option.
pub(crate) fn asked_for(arguments: &[OsString]) -> &'static str {
    let mut words = arguments.iter().skip(1).map(|word| word.to_string_lossy());
    let is_verbose = words.any(|word| match word.strip_prefix("--") {
        Some(long) => long == "verbose",
        None => word.starts_with('-') && word.contains('v'),
    });
    if is_verbose { DETAILS } else { env!("CARGO_PKG_VERSION") }
}
