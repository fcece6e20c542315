#!/usr/bin/env bash
# Installs the proxies, servers and the browser of others that the tests talk to, from Debian's packages; those that
# are there already are left alone. None of them is started: the tests do that.
set -euo pipefail

declare -A packages=(
    [chromium]=chromium
    [curl]=curl
    [danted]=dante-server
    [haproxy]=haproxy
    [microsocks]=microsocks
    [nginx]=nginx-light
    [openssl]=openssl
    [redis-server]=redis-server
    [squid]=squid-openssl
    [stunnel4]=stunnel4
    [systemd-analyze]=systemd
    [tinyproxy]=tinyproxy
)
missing=()
for program in "${!packages[@]}"; do
    PATH="$PATH:/usr/sbin" command -v "$program" >/dev/null || missing+=("${packages[$program]}")
done
[ ${#missing[@]} -eq 0 ] && exit 0

sudo=()
[ "$(id -u)" -eq 0 ] || sudo=(sudo)
# Packages of servers start them, unless this says no.
policy=/usr/sbin/policy-rc.d
if [ ! -e "$policy" ]; then
    printf '#!/bin/sh\nexit 101\n' | "${sudo[@]}" tee "$policy" >/dev/null
    "${sudo[@]}" chmod +x "$policy"
    trap '"${sudo[@]}" rm -f "$policy"' EXIT
fi
export DEBIAN_FRONTEND=noninteractive
for attempt in 1 2 3; do
    if "${sudo[@]}" apt-get update -q && "${sudo[@]}" apt-get install -q -y --no-install-recommends "${missing[@]}"
    then
        exit 0
    fi
    sleep $((5 * attempt))
done >&2
echo "cannot install ${missing[*]}" >&2
exit 1
