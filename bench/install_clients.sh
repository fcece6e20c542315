#!/usr/bin/env bash
# Installs the clients that openline is measured against into .venv. One that cannot be installed here is named and
# left out: the suite reports it as not installed.
set -uo pipefail
cd "$(dirname "$0")/.."

python=.venv/bin/python
install=("$python" -m pip install --quiet --no-deps)
# websocket-rs has wheels for Python 3.12 and later, but builds for 3.11 too, with maturin, which .venv has.
if "$python" -c 'import sys; sys.exit(sys.version_info >= (3, 12))'; then
    export MATURIN_PEP517_ARGS="--features pyo3/abi3-py311"
    export PATH="$PWD/.venv/bin:$PATH"
    install+=(--ignore-requires-python --no-build-isolation)
fi
"${install[@]}" --requirement requirements-bench.txt 2>/dev/null && exit 0
grep --only-matching '^[^# ]*' requirements-bench.txt | while read -r package; do
    "${install[@]}" "$package" >/dev/null 2>&1 || echo "cannot install $package here"
done
