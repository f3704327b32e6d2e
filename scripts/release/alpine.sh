#!/bin/sh
# In a container of Alpine: docker run --rm -v "$PWD:/work" -w /work node:20-alpine sh scripts/release/alpine.sh
set -eu
apk add --no-cache bash g++ cmake make ninja git linux-headers python3 tar
git config --global --add safe.directory '*'
bash scripts/release/build.sh
