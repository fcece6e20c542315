#!/usr/bin/env bash
# Installs cargo-fuzz where there is a nightly Rust to use it with. Where there is none, or the installation
# fails, make fuzz-smoke runs the same properties on stable Rust, and says so.
set -euo pipefail

version=0.13.1
# Not `rustc +nightly`: some versions of rustup would install it then.
grep -q '^nightly-[a-z]' <<<"$(rustup toolchain list 2>/dev/null)" || exit 0
cargo +nightly fuzz --version >/dev/null 2>&1 && exit 0
echo "installing cargo-fuzz $version"
cargo install --quiet --locked cargo-fuzz --version "$version" || echo "cannot install cargo-fuzz $version" >&2
