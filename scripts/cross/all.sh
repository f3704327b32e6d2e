#!/usr/bin/env bash
# Every cross build that this machine has the tools for, or can install them for: what `CROSS=1 .ci/run` adds at its end.
set -euo pipefail
cd "$(dirname "$0")/../.."

# have COMMAND PACKAGE…: whether it is there, after an attempt to install it.
have() {
  local command=$1
  shift
  command -v "$command" >/dev/null && return
  { apt-get update -qq && apt-get install -y -qq "$@"; } >&2 || true
  command -v "$command" >/dev/null
}

# Its own environment: Debian's Python takes no packages beside its own.
have_zig() {
  local python=$PWD/.cache/cross/python
  have python3 python3 && python3 -m ziglang version >/dev/null 2>&1 && return
  { python3 -m venv "$python" && "$python/bin/pip" install --quiet ziglang; } >&2 || return
  PATH=$python/bin:$PATH
}

cross() {
  echo "cross:$1"
  npm run --silent "cross:$1" -- --strict
}

skip() {
  echo "cross:$1: skipped, its tools are not here and could not be installed: $2"
}

if have aarch64-linux-gnu-g++ g++-aarch64-linux-gnu && have qemu-aarch64 qemu-user; then
  cross arm64
else
  skip arm64 'g++-aarch64-linux-gnu, qemu-user'
fi
if have x86_64-w64-mingw32-g++-posix g++-mingw-w64-x86-64-posix && have wine wine wine64; then
  cross windows
else
  skip windows 'g++-mingw-w64-x86-64-posix, wine, wine64'
fi
if have_zig; then
  cross musl
else
  skip musl 'the Python package ziglang'
fi
