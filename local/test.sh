#!/usr/bin/env bash
# Everything that must hold: form, then all tests, against a local cloud of their own beside the developer's.
# Its last lines are the test runner's, its exit status too.
#
# BOXOFFICE_SKIP_LINT=1   only the tests
set -euo pipefail
# The hold is short, so that tests can wait for its end.
export BOXOFFICE_HOLD_SECONDS=5
BOXOFFICE_STATE="$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd -P)/.local/test"
export BOXOFFICE_STATE
# shellcheck source=local/lib.sh
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
# shellcheck source=local/env.sh
source "$BOXOFFICE_ROOT/local/env.sh"
cd "$BOXOFFICE_ROOT"

# The test cloud leaves nothing: no process, no data. It says nothing either, for the runner has the last word.
tear_down() {
  local/down.sh >/dev/null 2>&1 || true
  local/postgres.sh remove >/dev/null 2>&1 || true
  # The functions' logs outlive a failure: they are what one wants to read then.
  [[ "$1" != 0 ]] || rm -rf "$BOXOFFICE_STATE"
}

local/prereqs.sh --install
[[ -n "${BOXOFFICE_SKIP_LINT:-}" ]] || local/lint.sh
local/tools.sh lambda ministack sam schemathesis

finish() {
  local status=$?
  trap - EXIT
  tear_down "$status"
  exit "$status"
}

tear_down 0
trap finish EXIT
trap 'exit 130' INT
trap 'exit 143' TERM
local/fuzz.sh
local/up.sh >/dev/null
export_cloud

say "building the tests"
cargo test --quiet --locked --workspace --no-run 2>&1 | { grep -v '^  *Executable' || true; } >&2
say "cargo test"
cargo test --locked --workspace --no-fail-fast
