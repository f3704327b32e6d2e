#!/usr/bin/env bash
# A prebuild of this machine's platform, and the tests on it: what each runner of the release does.
set -euo pipefail
cd "$(dirname "$0")/../.."

npm ci --ignore-scripts
npm run build:ts
npm run prebuild
# What a release must not get wrong: vectors, scores, closing, processes of their own.
tests=(test/20 test/30 test/40 test/62)
# Signals are POSIX's.
[[ ${OS:-} == Windows_NT ]] || tests+=(test/49)
npm run test:prebuild -- "${tests[@]}"
