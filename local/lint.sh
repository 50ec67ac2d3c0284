#!/usr/bin/env bash
# Checks form: rustfmt, clippy, docs, the template, migrations, dependencies (licences, advisories), and these scripts.
set -euo pipefail
# shellcheck source=local/lib.sh
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
cd "$BOXOFFICE_ROOT"

# cargo-deny's advisories need a clone of the RustSec database. A published vulnerability is an error; an unreachable
# database is only reported.
check_advisories() {
  local output
  if output="$(cargo-deny --log-level error check advisories 2>&1)"; then
    say "advisories: ok"
  elif grep -q 'failed to fetch advisory database' <<<"$output"; then
    say "advisories: NOT CHECKED, the RustSec database cannot be reached from here"
  else
    printf '%s\n' "$output" >&2
    return 1
  fi
}

# What checkov asks for is in the template, or why not on the resource. It reads no merge keys, so it gets the template without them.
# Its word for a way to its maker's servers: none.
check_template() {
  local flat=target/template.yaml output
  mkdir -p target
  "$BOXOFFICE_TOOLS/sam/bin/python" local/flat_template.py template.yaml >"$flat"
  output="$(checkov --file "$flat" --framework cloudformation --compact --quiet --skip-download 2>&1)" || {
    printf '%s\n' "$output" >&2
    return 1
  }
  # "Passed checks: 95, Failed checks: 0, Skipped checks: 27". Without that line it checked nothing.
  grep -E '^Passed checks: [1-9][0-9]*, Failed checks: 0' <<<"$output" >&2
}

# Finds migrations that would stop sales while they run. The first seven are history: they ran before anybody sold with
# this schema, and a migration is never changed. .squawk.toml says which rules are off, and why.
check_migrations() {
  squawk --exclude-path 'migrations/V[1-7]__*.sql' 'migrations/V*.sql' >&2
}

local/tools.sh lambda ministack sam lint checkov

say "shellcheck"
shellcheck --external-sources local/*.sh .ci/run

say "the template: cfn-lint and sam validate"
cfn-lint template.yaml
SAM_CLI_TELEMETRY=0 AWS_DEFAULT_REGION=us-east-1 sam validate --lint --template template.yaml >/dev/null

say "the template: checkov"
check_template

say "migrations: squawk"
check_migrations

say "cargo-deny: licences, bans, sources, advisories"
cargo-deny --log-level error check licenses bans sources
check_advisories

say "rustfmt"
cargo fmt --all --check

say "clippy"
cargo clippy --quiet --locked --workspace --all-targets -- -D warnings

say "docs"
RUSTDOCFLAGS="-D warnings" cargo doc --quiet --locked --no-deps --workspace

say "lint: ok"
