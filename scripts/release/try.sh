#!/usr/bin/env bash
# The packed tarballs in a container that has nothing but a Node: README's two commands, offline but for our own registry.
#
#   scripts/release/try.sh IMAGE FOLDER      an image with a Node, or `glibc:IMAGE` for one that gets this machine's
set -euo pipefail
cd "$(dirname "$0")/../.."
image=$1 packages=$(realpath "$2")

mounts=(-v "$PWD:/work:ro" -v "$packages:/packages:ro")
command="node scripts/test-package.mjs --packages /packages --managers npm"
if [[ $image == glibc:* ]]; then
  image=${image#glibc:}
  mounts+=(-v "$(realpath "$(dirname "$(command -v node)")/.."):/node:ro")
  command="export PATH=/node/bin:\$PATH; $command"
fi
docker run --rm --network none "${mounts[@]}" -w /work "$image" sh -c "$command"
