#!/usr/bin/env bash
# Installs a tool for cargo into target/tools, unless it is there: install_cargo_tool.sh NAME VERSION
set -euo pipefail
cd "$(dirname "$0")/.."

name=$1 version=$2
[ "$(cat "target/tools/$name.version" 2>/dev/null)" = "$version" ] && exit 0
cargo install --quiet --locked --root target/tools --target-dir target/tools/build "$name" --version "$version"
echo "$version" >"target/tools/$name.version"
