# The chores of hostssl. `just` lists them. Install: `cargo install just`, or `pipx install rust-just`.

# List the chores.
default:
    @just --list --unsorted

# Format everything.
fmt:
    cargo fmt --all

# What a review would complain about.
lint:
    cargo fmt --all --check
    cargo clippy --workspace --all-targets --locked -- -D warnings

# The quick loop: unit tests, properties and snapshots, no servers and no browser.
quick:
    scripts/quick

# Every test, on a machine that may be new. Installs what it needs.
test:
    scripts/test

# Accept new snapshots after reading them: `just snapshots -p hostssl-formats`.
snapshots *ARGS:
    INSTA_UPDATE=always cargo test {{ARGS}}
    git diff --stat -- '*.snap'

# Write the JSON Schemas of the frozen formats again.
schemas:
    UPDATE_SCHEMAS=1 cargo test --workspace --locked schema
    git diff --stat -- docs/schemas

# Write the manual page to target/man.
man:
    mkdir -p target/man
    cargo run --quiet -- man > target/man/hostssl.1

# Write the completions of every shell to target/completions.
completions:
    mkdir -p target/completions
    for shell in bash elvish fish powershell zsh; do \
        cargo run --quiet -- completion "$shell" > "target/completions/$shell" || exit 1; \
    done

# Build and pack what is shipped into target/dist-out: `just dist tarball`, or all that the platform has.
dist *ARGS:
    scripts/dist {{ARGS}}

# Pack the debug program and install every package.
packages:
    scripts/install-packaging-tools
    cargo build --locked
    tests/dist/run target/debug/hostssl

# Take the pictures of the documentation again (needs Chromium and npm).
screenshots:
    cargo build --locked
    npm install --prefix tests/browser --silent --no-fund --no-audit
    node tests/browser/screenshots.mjs target/debug/hostssl docs/images --docs

# Build the documentation site into target/website, strictly.
website:
    cargo build --locked
    tests/docs/run target/debug/hostssl

# Draw the picture of README.md again.
picture:
    cargo build --locked
    website/picture.py target/debug/hostssl docs/images

# Pin what the documentation site is built with, at its newest releases (needs uv).
website-requirements:
    echo "# Written by 'just website-requirements' out of requirements.in. Each file is installed with these bytes or not at all." \
        >website/requirements.txt
    uv pip compile --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-header --no-annotate --quiet \
        website/requirements.in >>website/requirements.txt

# Run the benchmarks with the profile that is shipped. Figures are ratios in one run.
bench *ARGS:
    cargo bench --profile dist --workspace {{ARGS}}

# Run every fuzz target for SECONDS each (needs a nightly compiler and cargo-fuzz).
fuzz-smoke SECONDS="60":
    for target in $(ls fuzz/fuzz_targets | sed 's/\.rs$//'); do \
        cargo +nightly fuzz run --fuzz-dir fuzz "$target" -- -max_total_time={{SECONDS}} || exit 1; \
    done

# Known vulnerabilities in dependencies. Needs the advisory database; scripts/test says when it could not fetch it.
advisories:
    cargo deny check advisories

# The shape of the code, in figures. `just metrics --build` times builds as well.
metrics *ARGS:
    scripts/metrics {{ARGS}}
