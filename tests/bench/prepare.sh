#!/usr/bin/env bash
# The load generator, and (without the argument `wrk`) the peers that bench_gateways.py measures beside us. Says what it
# prepares; what is there stays.
set -euo pipefail
cd "$(dirname "$0")/../.."
if ! command -v wrk >/dev/null; then
  echo "Installing Debian's wrk …"
  root=""; [ "$(id -u)" -eq 0 ] || root="sudo"
  $root apt-get update -qq
  DEBIAN_FRONTEND=noninteractive $root apt-get install -y -qq wrk >/dev/null
fi
[ "${1:-}" = wrk ] || .ci/peers
