#!/bin/sh
# Runs pyright: on the package, the examples and tests/typing, and to see that the types of all public names are
# known. Where there is no npm it is skipped; in CI that is a failure.
set -eu
cd "$(dirname "$0")/.."
pyright=tests/node/node_modules/.bin/pyright
if [ ! -x "$pyright" ]; then
    echo "pyright is skipped: npm install --prefix tests/node did not bring it"
    [ -z "${CI:-}" ]
    exit
fi
tools/quiet.sh "pyright" "$pyright" --warnings
# Without the settings of this project, as in one that uses openline.
tools/quiet.sh "types of public names" env PYTHONPATH=python \
    "$pyright" -p /dev/null --pythonpath .venv/bin/python --verifytypes openline --ignoreexternal
