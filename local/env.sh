# shellcheck shell=bash
# Exports what tests need to know about a running local cloud. Sourced after lib.sh.

# output_of KEY -> the value of an output of the deployed stack
output_of() {
  python3 -c 'import json, sys; print(json.load(open(sys.argv[1]))[sys.argv[2]])' "$BOXOFFICE_STATE/outputs.json" "$1"
}

export_cloud() {
  BOXOFFICE_URL="$(<"$BOXOFFICE_STATE/url")"
  BOXOFFICE_DSN="$(<"$BOXOFFICE_STATE/dsn")"
  BOXOFFICE_AWS_ENDPOINT="$(<"$BOXOFFICE_STATE/endpoint")"
  BOXOFFICE_HOLD_QUEUE_URL="$(output_of HoldQueueUrl)"
  BOXOFFICE_DEAD_LETTER_QUEUE_URL="$(output_of DeadLetterQueueUrl)"
  BOXOFFICE_PAYMENTS_QUEUE_URL="$(output_of PaymentsQueueUrl)"
  # The usage plan that a partner's API key is added to.
  BOXOFFICE_USAGE_PLAN_ID="$(output_of UsagePlanId)"
  export BOXOFFICE_PAYMENTS_QUEUE_URL BOXOFFICE_USAGE_PLAN_ID
  # The key can sign tokens for any subject, with any scope.
  BOXOFFICE_ISSUER="$(<"$BOXOFFICE_STATE/issuer.url")"
  BOXOFFICE_ISSUER_KEY="$BOXOFFICE_STATE/issuer.pem"
  BOXOFFICE_ISSUER_KEY_ID="$(python3 -B "$BOXOFFICE_ROOT/local/issuer.py" id "$BOXOFFICE_ISSUER_KEY")"
  export BOXOFFICE_ISSUER BOXOFFICE_ISSUER_KEY BOXOFFICE_ISSUER_KEY_ID
  export BOXOFFICE_URL BOXOFFICE_DSN BOXOFFICE_AWS_ENDPOINT BOXOFFICE_HOLD_QUEUE_URL BOXOFFICE_DEAD_LETTER_QUEUE_URL
}
