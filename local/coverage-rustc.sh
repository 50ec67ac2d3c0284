#!/usr/bin/env bash
# Wraps the compiler of the workspace's own crates (RUSTC_WORKSPACE_WRAPPER) for fuzzing: it adds the counters that
# libFuzzer follows. Dependencies are compiled without them, once for tests and fuzzing.
#
#   coverage-rustc.sh RUSTC ARGUMENT...
set -euo pipefail
exec "$@" -Cpasses=sancov-module -Ccodegen-units=1 \
  -Cllvm-args=-sanitizer-coverage-level=4 \
  -Cllvm-args=-sanitizer-coverage-inline-8bit-counters \
  -Cllvm-args=-sanitizer-coverage-pc-table \
  -Cllvm-args=-sanitizer-coverage-trace-compares
