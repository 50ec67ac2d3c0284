#!/usr/bin/env bash
# Creates a few shows through the API, if there are none.
set -euo pipefail
# shellcheck source=local/lib.sh
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

url="$(<"$BOXOFFICE_STATE/url")"
token=""

# create NAME DAYS-AHEAD SEATS
create() {
  local body
  body="$(printf '{"name":"%s","start_time":"%s","total_seats":%d}' "$1" "$(date -u -d "+$2 days 20:00" +%FT%TZ)" "$3")"
  curl --silent --show-error --fail --max-time 30 --output /dev/null --header 'Content-Type: application/json' \
    --header "Authorization: Bearer $token" \
    --data "$body" "$url/admin/shows" || die "the API could not create a show: see make logs"
}

shows="$(curl --silent --show-error --fail --max-time 30 "$url/shows?limit=1")" || die "the API could not list shows: see make logs"
[[ "$shows" == *'"shows":[]'* ]] || exit 0
say "creating demo shows"
token="$("$BOXOFFICE_ROOT/local/issuer.sh" token operator shows:write)"
create "Hamlet" 14 120
create "The Magic Flute" 21 800
create "Swan Lake" 30 2000
