//! The console's own files. Their addresses hold their hash, so that browsers keep them until they change.

use sha2::{Digest, Sha256};
use std::sync::LazyLock;

/// A file.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Asset {
    pub(crate) name: &'static str,
    pub(crate) kind: &'static str,
    pub(crate) body: &'static str,
}

/// Every file. htmx is Zero-Clause BSD; its licence is beside it.
static ASSETS: [Asset; 4] = [
    Asset { name: "console.css", kind: "text/css; charset=utf-8", body: include_str!("../../assets/console.css") },
    Asset { name: "console.js", kind: "text/javascript; charset=utf-8", body: include_str!("../../assets/console.js") },
    Asset {
        name: "htmx.js",
        kind: "text/javascript; charset=utf-8",
        body: include_str!("../../assets/htmx-4.0.1.min.js"),
    },
    Asset { name: "icon.svg", kind: "image/svg+xml", body: include_str!("../../assets/icon.svg") },
];

/// One hash of all.
static HASH: LazyLock<String> = LazyLock::new(|| {
    let mut hash = Sha256::new();
    ASSETS.iter().for_each(|asset| hash.update(asset.body));
    hostssl_model::hex(&hash.finalize()[..6])
});

/// The address of a file.
pub(crate) fn asset_path(name: &str) -> String {
    format!("/assets/{}/{name}", *HASH)
}

/// The file at an address. An old hash is answered with the file of today: a page that was open may ask for it.
pub(crate) fn find_asset(name: &str) -> Option<Asset> {
    ASSETS.iter().find(|asset| asset.name == name).copied()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_are_small() {
        let size = |name: &str| find_asset(name).unwrap().body.len();
        assert!(size("console.css") < 32_000, "{}", size("console.css"));
        assert!(size("console.js") < 8_000, "{}", size("console.js"));
        assert!(size("console.js") < 6_000, "{}", size("console.js"));
    }

    #[test]
    fn no_file_asks_another_host() {
        for name in ["console.css", "console.js", "icon.svg"] {
            let body = find_asset(name).unwrap().body.replace("http://www.w3.org/2000/svg", "");
            assert!(!body.contains("//") || name == "console.js" && !body.contains("://"), "{name}");
        }
    }
}
