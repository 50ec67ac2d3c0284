#!/usr/bin/env bash
# Brings the local cloud up, or up to date: what runs and is unchanged is left alone. Ends with what to try.
#
# BOXOFFICE_STATE          where it lives (default .local); another value gives another cloud beside it
# BOXOFFICE_HOLD_SECONDS   how long an unpaid booking keeps its seats (default here: 20)
set -euo pipefail
# shellcheck source=local/lib.sh
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
cd "$BOXOFFICE_ROOT"

# Not two at once on one state. Nothing that outlives this script may inherit the descriptor.
lock() {
  mkdir -p "$BOXOFFICE_STATE"
  exec 9>"$BOXOFFICE_STATE/lock"
  flock --nonblock 9 || die "another make up or make down is at work on $BOXOFFICE_STATE"
}

# As the owner; and it gives the functions' role its password.
migrate() {
  DATABASE_URL="$(<"$BOXOFFICE_STATE/dsn")" APP_DATABASE_URL="$(<"$BOXOFFICE_STATE/dsn.app")" "$BOXOFFICE_BIN_DIR/migrate/bootstrap" >"$BOXOFFICE_STATE/migrate.log" 2>&1 ||
    { cat "$BOXOFFICE_STATE/migrate.log" >&2; die "the migrations failed; the lines above say why"; }
}

local/prereqs.sh
lock
local/tools.sh lambda ministack sam
local/postgres.sh start
local/build.sh
say "migrations"
migrate
local/issuer.sh start
local/ministack.sh start
local/deploy.sh
local/demo-shows.sh
local/welcome.sh
