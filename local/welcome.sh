#!/usr/bin/env bash
# Prints where the local cloud is, and commands to try.
set -euo pipefail
# shellcheck source=local/lib.sh
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

cat <<TEXT

Boxoffice is up:  $(<"$BOXOFFICE_STATE/url")
Holds last ${BOXOFFICE_HOLD_SECONDS:-20} s here (make up BOXOFFICE_HOLD_SECONDS=120 for another length).

  API=\$(make --silent url)
  curl -s \$API/shows
  curl -s \$API/shows/1/bookings -H 'Content-Type: application/json' -d '{"user_name":"Ada","seats":2}'
  TOKEN=\$(make --silent token)                        (an operator's, valid for an hour; set SCOPE and SUB for another)
  curl -s -X POST \$API/bookings/<booking_id>/confirm -H "Authorization: Bearer \$TOKEN"
  python3 local/webhook.py events/webhook-stripe.json   (a payment provider's event, signed now)
  psql \$(make --silent dsn)

make demo tells the whole story. make logs follows the functions. make down stops everything.
TEXT
