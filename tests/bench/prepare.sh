#!/usr/bin/env bash
# The peers that bench_gateways.py measures beside us, and the load generator. Says what it prepares; what is there stays.
set -euo pipefail
cache="${XDG_CACHE_HOME:-$HOME/.cache}/llm-canaries"

# $1 folder in the cache, $2 package at an exact version
npm_package() {
  [ -f "$cache/$1/ready" ] && return
  echo "Preparing $2 …"
  rm -rf "${cache:?}/$1"
  mkdir -p "$cache/$1"
  npm install --silent --no-audit --no-fund --prefix "$cache/$1" "$2"
  touch "$cache/$1/ready"
}

missing=()
for program in wrk npm; do command -v "$program" >/dev/null || missing+=("$program"); done
if [ "${#missing[@]}" -gt 0 ]; then
  echo "Installing Debian's ${missing[*]} …"
  root=""; [ "$(id -u)" -eq 0 ] || root="sudo"
  $root apt-get update -qq
  DEBIAN_FRONTEND=noninteractive $root apt-get install -y -qq "${missing[@]}" >/dev/null
fi
npm_package portkey-1.15.2 @portkey-ai/gateway@1.15.2
npm_package claude-code-router-2.0.0 @musistudio/claude-code-router@2.0.0

# the same venv that .ci/run prepares for the end-to-end tests
litellm="$cache/litellm-1.106.2"
if [ ! -f "$litellm/ready" ]; then
  echo "Preparing LiteLLM's proxy …"
  rm -rf "$litellm"
  python3 -m venv "$litellm"
  "$litellm/bin/python" -m pip --disable-pip-version-check --quiet install 'litellm[proxy]==1.106.2'
  touch "$litellm/ready"
fi
