#!/usr/bin/env bash
# Stops exactly what up.sh started. The database's data is kept for the next start (`make clean` deletes it).
set -euo pipefail
# shellcheck source=local/lib.sh
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

[[ -d "$BOXOFFICE_STATE" ]] || exit 0
exec 9>"$BOXOFFICE_STATE/lock"
flock --timeout 60 9 || die "another make up or make down is running on $BOXOFFICE_STATE"
"$BOXOFFICE_ROOT/local/ministack.sh" stop
"$BOXOFFICE_ROOT/local/issuer.sh" stop
"$BOXOFFICE_ROOT/local/postgres.sh" stop
