#!/usr/bin/env bash
# The peers that bench_gateways.py measures beside us, and the load generator. Says what it prepares; what is there stays.
set -euo pipefail
cd "$(dirname "$0")/../.."
if ! command -v wrk >/dev/null; then
  echo "Installing Debian's wrk …"
  root=""; [ "$(id -u)" -eq 0 ] || root="sudo"
  $root apt-get update -qq
  DEBIAN_FRONTEND=noninteractive $root apt-get install -y -qq wrk >/dev/null
fi
.ci/peers
