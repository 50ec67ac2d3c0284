#!/usr/bin/env bash
# Runs the tests: test.sh [unit|db|e2e|all]. Ends with the test runner's own closing lines and its exit status.
#
#   unit   unit and documentation tests. Needs no database: seconds
#   db     database tests, all on one Postgres server of their own
#   e2e    fuzz seeds, then end-to-end, contract and benchmark tests, against a local cloud of their own beside the developer's
#   all    lint, then everything (the default)
#
# POSTGRES_BIN=DIR   db: the server programs to test with (initdb, pg_ctl, postgres). Default: the newest that is installed
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

times=()

# timed NAME COMMAND... runs the command and remembers how long it took.
timed() {
  local name="$1" begun=$SECONDS
  shift
  "$@"
  times+=("$(printf '%-28s %4d s' "$name" $((SECONDS - begun)))")
}

# The tests that follow print their own time.
print_times() {
  say "where the time went"
  printf '      %s\n' "${times[@]}" >&2
}

# Many database tests wait for a lock, a clock or another process, and not for a core. More than two a core only makes those late
# that measure a deadline.
threads() { echo $(($(nproc) * 2)); }

# compile ARGUMENT... builds the tests that `cargo test ARGUMENT...` runs.
compile() {
  cargo test --quiet --locked "$@" --no-run 2>&1 | { grep -v '^  *Executable' || true; } >&2
}

# Always of the whole workspace: another selection of packages may need other features, and compile dependencies anew.
unit_tests() {
  # Not --bins: a fuzz target is a binary that never ends.
  cargo test --locked --workspace --no-fail-fast --lib --bin boxoffice-bench
  cargo test --locked --workspace --no-fail-fast --doc
}

build_db_tests() {
  compile --workspace --test it
  cargo build --quiet --locked --workspace --bin with-postgres
}

db_tests() {
  RUST_TEST_THREADS="${RUST_TEST_THREADS:-$(threads)}" "${CARGO_TARGET_DIR:-target}/debug/with-postgres" \
    cargo test --locked --workspace --no-fail-fast --test it
}

e2e_tests() {
  cargo test --locked --workspace --no-fail-fast --test e2e --test quick
}

# The test cloud leaves nothing behind: no process, no data. It prints nothing either, so the test runner's lines come last.
tear_down() {
  local/down.sh >/dev/null 2>&1 || true
  local/postgres.sh remove >/dev/null 2>&1 || true
  # After a failure the functions' logs are kept to read.
  [[ "$1" != 0 ]] || rm -rf "$BOXOFFICE_STATE"
}

finish() {
  local status=$?
  trap - EXIT
  tear_down "$status"
  exit "$status"
}

# Brings the test cloud up, and takes it down when this script ends, however it ends.
start_cloud() {
  tear_down 0
  trap finish EXIT
  trap 'exit 130' INT
  trap 'exit 143' TERM
  local/up.sh >/dev/null
  export_cloud
}

rung="${1:-all}"
case "$rung" in
  unit)
    local/prereqs.sh --install
    unit_tests
    ;;
  db)
    local/prereqs.sh --install
    local/tools.sh ministack
    timed "build the database tests" build_db_tests
    print_times
    db_tests
    ;;
  e2e)
    local/prereqs.sh --install
    local/tools.sh lambda ministack sam schemathesis
    timed "fuzz the seeds" local/fuzz.sh
    timed "start the local cloud" start_cloud
    timed "build the end-to-end tests" compile --workspace --test e2e --test quick
    print_times
    e2e_tests
    ;;
  all)
    local/prereqs.sh --install
    timed "lint" local/lint.sh
    timed "tools" local/tools.sh lambda ministack sam schemathesis
    say "building the tests"
    timed "build the tests" compile --workspace
    timed "unit tests" unit_tests
    timed "build the database tests" build_db_tests
    timed "database tests" db_tests
    timed "fuzz the seeds" local/fuzz.sh
    timed "start the local cloud" start_cloud
    print_times
    e2e_tests
    ;;
  *) die "usage: test.sh [unit|db|e2e|all]" ;;
esac
