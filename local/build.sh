#!/usr/bin/env bash
# Builds the functions and the migrate command for this machine's architecture: target/lambda/<name>/bootstrap.
#
# `sam build` would build one function at a time and show no progress. This builds all at once, and `sam build` then reuses the
# result: both build the same packages with the same features. zig links, so that a newer glibc here than that of Amazon Linux 2023
# does no harm.
#
# Without link-time optimisation, which takes over half a minute a binary: BOXOFFICE_LTO=1 turns it on (see lib.sh).
set -euo pipefail
# shellcheck source=local/lib.sh
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

cd "$BOXOFFICE_ROOT"
# echo-function does nothing: the benchmark compares with it.
names=(authorize list-shows book bookings confirm admin expire-holds sweep-holds confirm-payments anonymise-bookings migrate echo-function)
bins=()
for name in "${names[@]}"; do bins+=(--bin "$name"); done
say "building the functions (the first time: some minutes; later: seconds)"
cargo lambda build --release "${bins[@]}" 9>&- >&2

# A binary that an earlier version built must not pass for one of this version.
for folder in "$BOXOFFICE_BIN_DIR"/*/; do
  [[ " ${names[*]} " == *" $(basename "$folder") "* ]] || rm -rf "$folder"
done
