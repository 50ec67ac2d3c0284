#!/usr/bin/env bash
# Fuzzes every parser of untrusted input (local/fuzz) with libFuzzer, on the stable toolchain. A finding makes it fail, is
# shown with its input, and stays in target/fuzz/findings/<target>/.
#
#   fuzz.sh                  the same inputs each time: from the seeds, a fixed number of runs, at most 30 s a target
#   FUZZ_SECONDS=N fuzz.sh   N seconds a target, from another random seed, on top of the inputs kept from earlier runs
#   fuzz.sh TARGET [FILE...] one target, or one target with these inputs
set -euo pipefail
# shellcheck source=local/lib.sh
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
cd "$BOXOFFICE_ROOT"

target_dir="${CARGO_TARGET_DIR:-target}"
work="$target_dir/fuzz"
targets=(stripe-signature standard-signature payment-events cursors booking-id bodies events)

# Some 10 s each on one core of a small machine. The time limit is for a machine that is busy.
seconds=30
runs_of() {
  case "$1" in
    payment-events | events) echo 20000 ;; # each input is written and read four times
    *) echo 50000 ;;
  esac
}

# Builds for the whole workspace, so that dependencies have the same features as in the tests and are built once.
build() {
  local bins=() target
  for target in "${targets[@]}"; do bins+=(--bin "fuzz-$target"); done
  say "building the fuzz targets"
  RUSTC_WORKSPACE_WRAPPER="$BOXOFFICE_ROOT/local/coverage-rustc.sh" \
    cargo build --quiet --locked --workspace "${bins[@]}" 9>&-
}

# The limits for libFuzzer: inputs up to 4 KiB (a body has 16 KiB, headers less), 1 GiB of memory, 10 s for one input.
run() {
  local target="$1" corpus findings="$work/findings/$1" log="$work/$1.log" amount
  if [[ -n "${FUZZ_SECONDS:-}" ]]; then
    corpus="$work/corpus/$target"
    amount=("-max_total_time=$FUZZ_SECONDS")
  else
    corpus="$work/once/$target"
    rm -rf "$corpus"
    amount=(-seed=1 "-runs=$(runs_of "$target")" "-max_total_time=$seconds")
  fi
  mkdir -p "$corpus" "$findings"
  # libFuzzer's output is long; it is shown only on a failure.
  if RUST_BACKTRACE=0 "$target_dir/debug/fuzz-$target" "${amount[@]}" -max_len=4096 -timeout=10 -rss_limit_mb=1024 -dict=local/fuzz/words.dict \
    "-artifact_prefix=$findings/" "$corpus" "local/fuzz/seeds/$target" >"$log" 2>&1; then
    say "fuzz $target: $(summary "$log")"
  else
    show "$target" "$log"
    return 1
  fi
}

# "50000 runs, coverage 684 -> 701": counters reached by the seeds, and by all inputs.
summary() {
  sed -nE 's/^#[0-9]+\tINITED cov: ([0-9]+).*/\1/p; s/^#([0-9]+)\tDONE   cov: ([0-9]+).*/\1 \2/p' "$1" |
    tr '\n' ' ' | awk '{ printf "%s runs, coverage %s -> %s\n", $2, $1, $3 }'
}

# Prints the failure and the input that caused it.
show() {
  local input
  say "fuzz $1: A FINDING"
  grep -vE '^(#|INFO|WARNING|NOTE|\s*NEW_FUNC|0x|Base64)|DEDUP|dictionary|# Uses' "$2" >&2 || true
  input="$(sed -nE 's/.*Test unit written to (.*)/\1/p' "$2" | tail -1)"
  [[ -n "$input" ]] || return 0
  say "its input, $input:"
  od -A d -c "$input" >&2
  say "again: local/fuzz.sh $1 $input"
}

main() {
  local target running=0 failed=0
  build
  if [[ $# -gt 1 ]]; then
    exec "$target_dir/debug/fuzz-$1" "${@:2}"
  fi
  [[ $# -eq 0 ]] || targets=("$1")
  # Two at a time: continuous integration has two cores.
  for target in "${targets[@]}"; do
    [[ $running -lt 2 ]] || { wait -n || failed=1; running=$((running - 1)); }
    run "$target" &
    running=$((running + 1))
  done
  while [[ $running -gt 0 ]]; do
    wait -n || failed=1
    running=$((running - 1))
  done
  return "$failed"
}

main "$@"
