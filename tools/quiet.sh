#!/bin/sh
# Runs a command without its output, which is shown if the command fails: quiet.sh TITLE COMMAND...
# Tests that were skipped are always named. With V=1 everything is shown.
set -u
title=$1
shift
if [ -n "${V:-}" ]; then
    echo "== $title: $*"
    exec "$@"
fi
log=$(mktemp)
trap 'rm -f "$log"' EXIT
trap 'exit 130' INT TERM
start=$(date +%s)
printf '%s ... ' "$title"
"$@" >"$log" 2>&1
status=$?
seconds=$(($(date +%s) - start))
if [ $status -eq 0 ]; then
    echo "ok (${seconds} s)"
    grep '^SKIPPED' "$log"
    exit 0
fi
echo "FAILED with status $status after $seconds s: $*"
cat "$log"
echo "^^^ $title failed: $*"
exit $status
