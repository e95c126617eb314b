#!/usr/bin/env bash
# Installs the programs that some tests start for themselves: PostgreSQL, Redis, promtool, Chromium.
# Nothing is done where all are there, and no server is left running.
set -euo pipefail

has() {
    command -v "$1" >/dev/null || compgen -G "/usr/lib/postgresql/*/bin/$1" >/dev/null
}

missing=()
has initdb && has postgres || missing+=(postgresql)
has redis-server || has valkey-server || missing+=(redis-server)
has promtool || missing+=(prometheus)
has chromium || has chromium-browser || has google-chrome || missing+=(chromium)
if [[ ${#missing[@]} -eq 0 || ${LONGTALE_TEST_WITHOUT_SERVICES:-} == 1 ]]; then
    exit 0
fi

advice="install PostgreSQL, Redis, Prometheus and Chromium in your system's own way, or skip the \
tests that need them with LONGTALE_TEST_WITHOUT_SERVICES=1"
if ! command -v apt-get >/dev/null; then
    echo "services: missing ${missing[*]}, and this is no Debian; $advice" >&2
    exit 1
fi
root=()
if [[ $EUID -ne 0 ]]; then
    if ! command -v sudo >/dev/null; then
        echo "services: installing ${missing[*]} needs root or sudo; $advice" >&2
        exit 1
    fi
    root=(sudo)
fi

# Debian asks this file before it starts a server that was installed; 101 says: do not.
policy=/usr/sbin/policy-rc.d
if [[ ! -e $policy ]]; then
    trap '"${root[@]}" rm -f "$policy"' EXIT
    printf '#!/bin/sh\nexit 101\n' | "${root[@]}" tee "$policy" >/dev/null
    "${root[@]}" chmod +x "$policy"
fi

echo "services: installing ${missing[*]}"
apt=("${root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get -q -o DPkg::Lock::Timeout=300)
"${apt[@]}" update >/dev/null
"${apt[@]}" install -y --no-install-recommends "${missing[@]}" >/dev/null
