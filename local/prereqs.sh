#!/usr/bin/env bash
# Prints what this machine lacks, one line each, with the command that installs it. Silent if nothing is missing.
#
#   prereqs.sh             checks what the local cloud needs
#   prereqs.sh --install   checks what the tests need as well, and installs what apt-get can (Debian and similar, as root or with sudo)
set -euo pipefail
# shellcheck source=local/lib.sh
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
# shellcheck source=local/postgres-bin.sh
source "$BOXOFFICE_ROOT/local/postgres-bin.sh"

has() { command -v "$1" >/dev/null 2>&1; }
has_venv() { python3 -c 'import ensurepip, sys, venv; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; }

has_c() { has cc && echo '#include <stdio.h>' | cc -E -x c - >/dev/null 2>&1; }

# Whether Rust is here, and as new as Cargo.toml requires.
has_rust() {
  has cargo && has rustc || return 1
  local least have
  least="$(sed -n 's/^rust-version = "\(.*\)"/\1/p' "$BOXOFFICE_ROOT/Cargo.toml")"
  have="$(cd "$BOXOFFICE_ROOT" && rustc --version | cut -d' ' -f2)"
  [[ "$(printf '%s\n%s\n' "$least" "$have" | sort -V | head -n1)" == "$least" ]]
}

# Debian packages that are missing, as lines of "package what-for". With --install: for the tests as well.
missing_packages() {
  has_venv || echo "python3-venv Python 3.11 or later with venv (the pinned tools)"
  has_c && has make || echo "build-essential a C compiler and make (OpenSSL is built with them)"
  has perl && perl -MFindBin -MIPC::Cmd -MFile::Compare -e1 2>/dev/null || echo "perl Perl with its modules (it configures OpenSSL)"
  has curl || echo "curl curl (it calls the API)"
  [[ "${1:-}" != --install ]] || has jq || echo "jq jq (the commands in the documents use it)"
  has setsid && has flock || echo "util-linux setsid and flock"
  [[ -n "$(postgres_bin)" ]] || echo "postgresql the Postgres server, 15 or later (it need not be running)"
  has openssl || echo "openssl openssl (it signs the local issuer's access tokens)"
}

missing_rust() {
  if ! has_rust; then
    echo "missing: Rust $(sed -n 's/^rust-version = "\(.*\)"/\1/p' "$BOXOFFICE_ROOT/Cargo.toml") or later   install: curl --proto '=https' --tlsv1.2 -sSf https://sh.rustup.rs | sh -s -- -y && . ~/.cargo/env"
  elif [[ "${1:-}" == --install ]]; then
    # Only the tests need these two.
    (cd "$BOXOFFICE_ROOT" && cargo fmt --version && cargo clippy --version) >/dev/null 2>&1 ||
      echo "missing: rustfmt and clippy   install: rustup component add rustfmt clippy"
  fi
}

apt_install() {
  local sudo=()
  [[ "$(id -u)" == 0 ]] || sudo=(sudo -n)
  has apt-get || return 0
  [[ ${#sudo[@]} -eq 0 ]] || { has sudo && sudo -n true 2>/dev/null; } || return 0
  say "installing: $*"
  # Boxoffice starts its own Postgres, so do not create a system-wide cluster.
  "${sudo[@]}" mkdir -p /etc/postgresql-common
  [[ -e /etc/postgresql-common/createcluster.conf ]] ||
    echo 'create_main_cluster = false' | "${sudo[@]}" tee /etc/postgresql-common/createcluster.conf >/dev/null
  { "${sudo[@]}" apt-get update -qq && "${sudo[@]}" env DEBIAN_FRONTEND=noninteractive \
    apt-get install -y -qq --no-install-recommends "$@"; } >&2 || true
}

main() {
  local package what lines=""
  if [[ "${1:-}" == --install ]]; then
    mapfile -t packages < <(missing_packages --install | cut -d' ' -f1)
    [[ ${#packages[@]} -eq 0 ]] || apt_install "${packages[@]}"
    hash -r
  fi
  while read -r package what; do
    lines+="missing: $what   install: sudo apt-get install -y $package"$'\n'
  done < <(missing_packages "${1:-}")
  lines+="$(missing_rust "${1:-}")"
  [[ -z "${lines//$'\n'/}" ]] || { printf '%s\n' "${lines%$'\n'}" >&2; exit 1; }
}

main "$@"
