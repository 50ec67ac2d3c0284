#!/usr/bin/env bash
# Starts the local cloud, or brings it up to date. What runs and is unchanged is left alone. Ends with commands to try.
#
# BOXOFFICE_STATE          its folder (default .local); another folder is another cloud beside it
# BOXOFFICE_HOLD_SECONDS   how long an unpaid booking keeps its seats (default here: 20)
set -euo pipefail
# shellcheck source=local/lib.sh
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
cd "$BOXOFFICE_ROOT"

# Only one run at a time for each folder. Nothing that outlives this script may inherit the descriptor.
lock() {
  mkdir -p "$BOXOFFICE_STATE"
  exec 9>"$BOXOFFICE_STATE/lock"
  flock --nonblock 9 || die "another make up or make down is running on $BOXOFFICE_STATE"
}

# Runs as the owner, and sets the password of the functions' role.
migrate() {
  DATABASE_URL="$(<"$BOXOFFICE_STATE/dsn")" APP_DATABASE_URL="$(<"$BOXOFFICE_STATE/dsn.app")" "$BOXOFFICE_BIN_DIR/migrate/bootstrap" >"$BOXOFFICE_STATE/migrate.log" 2>&1 ||
    { cat "$BOXOFFICE_STATE/migrate.log" >&2; die "the migrations failed: see the lines above"; }
}

local/prereqs.sh
lock
local/tools.sh lambda ministack sam
local/postgres.sh start
local/build.sh
say "migrating the database"
migrate
local/issuer.sh start
local/ministack.sh start
local/deploy.sh
local/demo-shows.sh
local/welcome.sh
