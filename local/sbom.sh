#!/usr/bin/env bash
# Writes what each shipped binary is made of, as CycloneDX 1.5 JSON: target/sbom/<name>.cdx.json, one for each Lambda and
# for the commands that migrate and check. Build dependencies are in it: OpenSSL comes as one, and is linked.
#
# The first time it builds its tool (cargo-cyclonedx, pinned with all it needs by its own lock file): two minutes.
set -euo pipefail
# shellcheck source=local/lib.sh
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
cd "$BOXOFFICE_ROOT"

version=0.5.9
tool="$BOXOFFICE_TOOLS/cyclonedx-$version"
out="${CARGO_TARGET_DIR:-target}/sbom"
packages=(functions worker migrations)

if [[ ! -x "$tool/bin/cargo-cyclonedx" ]]; then
  say "building cargo-cyclonedx $version (some two minutes, once)"
  cargo install --quiet --locked --root "$tool" "cargo-cyclonedx@$version"
fi

# It writes beside each package's Cargo.toml, and for all packages of the workspace.
clear_source() { find bench functions local migrations shared worker -name '*_bin.cdx.json' -delete; }
trap clear_source EXIT

rm -rf "$out"
mkdir -p "$out"
# The same source, the same document: without a time it would have another one, and another number, each time.
SOURCE_DATE_EPOCH="$(git log -1 --format=%ct 2>/dev/null || echo 0)"
export SOURCE_DATE_EPOCH
# The template's default architecture; on the other one the dependencies are the same.
"$tool/bin/cargo-cyclonedx" cyclonedx -qq --format json --spec-version 1.5 --describe binaries \
  --target aarch64-unknown-linux-gnu
for package in "${packages[@]}"; do
  for file in "$package"/*_bin.cdx.json; do
    name="$(basename "$file" _bin.cdx.json)"
    # Where it was built is nobody's business.
    sed "s#file://$BOXOFFICE_ROOT#file://.#g" "$file" >"$out/$name.cdx.json"
  done
done
python3 local/sbom_check.py "$out"
