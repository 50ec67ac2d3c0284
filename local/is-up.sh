#!/usr/bin/env bash
# Exits 0 if the local cloud is running: is-up.sh [--or-say]. With --or-say it prints a message if it is not.
set -euo pipefail
# shellcheck source=local/lib.sh
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
# shellcheck source=local/process.sh
source "$BOXOFFICE_ROOT/local/process.sh"

if process_pid postgres >/dev/null && process_pid ministack >/dev/null && process_pid issuer >/dev/null && [[ -s "$BOXOFFICE_STATE/url" ]]; then exit 0; fi
[[ "${1:-}" != --or-say ]] || die "the local cloud is not running: make up"
exit 1
