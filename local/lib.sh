# shellcheck shell=bash
# Shared by every script here: where things are, and how to print messages. Sourced, never run.

BOXOFFICE_ROOT="$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd -P)"
# The folder for everything that a running local cloud writes. Another folder is another cloud.
BOXOFFICE_STATE="${BOXOFFICE_STATE:-$BOXOFFICE_ROOT/.local}"
case "$BOXOFFICE_STATE" in /*) ;; *) BOXOFFICE_STATE="$BOXOFFICE_ROOT/$BOXOFFICE_STATE" ;; esac
BOXOFFICE_TOOLS="$BOXOFFICE_ROOT/.tools"
# Where cargo-lambda leaves <name>/bootstrap.
BOXOFFICE_BIN_DIR="${CARGO_TARGET_DIR:-$BOXOFFICE_ROOT/target}/lambda"
export BOXOFFICE_ROOT BOXOFFICE_STATE BOXOFFICE_TOOLS BOXOFFICE_BIN_DIR
export PATH="$BOXOFFICE_TOOLS/bin:$PATH"

# The local cloud's binaries are built for a quick rebuild. What is deployed to AWS, and what is measured, has the release profile of
# Cargo.toml: BOXOFFICE_LTO=1. One place for both builds: build.sh and `sam build` of deploy.sh must not compile everything twice.
if [[ -z "${BOXOFFICE_LTO:-}" ]]; then
  export CARGO_PROFILE_RELEASE_LTO=off CARGO_PROFILE_RELEASE_CODEGEN_UNITS=16
fi

say() { printf '\033[1m==>\033[0m %s\n' "$*" >&2; }
die() { printf 'boxoffice: %s\n' "$*" >&2; exit 1; }

# A port on loopback that is free now.
free_port() {
  python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])'
}

# port_is_free PORT
port_is_free() {
  python3 -c 'import socket, sys
s = socket.socket(); s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1); s.bind(("127.0.0.1", int(sys.argv[1])))' "$1" 2>/dev/null
}

# The port saved in FILE if it is still free, otherwise a new one, saved there: a cloud keeps its address.
keep_port() {
  local file="$1" port=""
  [[ -r "$file" ]] && port="$(<"$file")"
  if [[ -z "$port" ]] || ! port_is_free "$port"; then
    port="$(free_port)"
    printf '%s\n' "$port" >"$file"
  fi
  printf '%s\n' "$port"
}
