#!/usr/bin/env bash
# Writes a bill of materials for each shipped binary, as CycloneDX 1.5 JSON: target/sbom/<name>.cdx.json, one for each
# Lambda and for the commands migrate and check. Build dependencies are listed too: OpenSSL is one of them, and is linked.
#
# The first run builds its tool, cargo-cyclonedx, pinned with its dependencies by its own lock file: two minutes.
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

# The tool writes beside the Cargo.toml of each package of the workspace.
clear_source() { find bench functions local migrations shared worker -name '*_bin.cdx.json' -delete; }
trap clear_source EXIT

rm -rf "$out"
mkdir -p "$out"
# Makes the documents reproducible. Without it, their timestamp and serial number would differ each time.
SOURCE_DATE_EPOCH="$(git log -1 --format=%ct 2>/dev/null || echo 0)"
export SOURCE_DATE_EPOCH
# The template's default architecture. The dependencies of the other one are the same.
"$tool/bin/cargo-cyclonedx" cyclonedx -qq --format json --spec-version 1.5 --describe binaries \
  --target aarch64-unknown-linux-gnu
for package in "${packages[@]}"; do
  for file in "$package"/*_bin.cdx.json; do
    name="$(basename "$file" _bin.cdx.json)"
    # Without the path of the machine that built it.
    sed "s#file://$BOXOFFICE_ROOT#file://.#g" "$file" >"$out/$name.cdx.json"
  done
done
python3 local/sbom_check.py "$out"
