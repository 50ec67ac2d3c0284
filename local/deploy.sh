#!/usr/bin/env bash
# Deploys template.yaml to the local cloud with SAM, as to AWS. Does nothing if the deployment is up to date. Writes
# <state>/outputs.json and <state>/url.
#
# BOXOFFICE_HOLD_SECONDS            how long a hold lasts (default 20: short enough to watch one expire)
# BOXOFFICE_STRIPE_WEBHOOK_SECRET   one more secret for Stripe's webhooks, such as the one of `stripe listen`
set -euo pipefail
# shellcheck source=local/lib.sh
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

hold_seconds="${BOXOFFICE_HOLD_SECONDS:-20}"
# local/webhook.py signs with the first of each.
stripe_secrets="whsec_boxoffice_local${BOXOFFICE_STRIPE_WEBHOOK_SECRET:+,$BOXOFFICE_STRIPE_WEBHOOK_SECRET}"
standard_secrets="whsec_Ym94b2ZmaWNlLWxvY2Fs"
python="$BOXOFFICE_TOOLS/sam/bin/python"

# MiniStack accepts any credentials. Those in the developer's shell or home must neither matter nor be sent.
unset AWS_PROFILE AWS_SESSION_TOKEN
AWS_ENDPOINT_URL="$(<"$BOXOFFICE_STATE/endpoint")"
export AWS_ENDPOINT_URL AWS_ACCESS_KEY_ID=test AWS_SECRET_ACCESS_KEY=test AWS_REGION=us-east-1 AWS_DEFAULT_REGION=us-east-1 \
  AWS_CONFIG_FILE=/dev/null AWS_SHARED_CREDENTIALS_FILE=/dev/null SAM_CLI_TELEMETRY=0

architecture() {
  case "$(uname -m)" in
    x86_64) echo x86_64 ;;
    aarch64 | arm64) echo arm64 ;;
    *) die "Lambda supports x86_64 and arm64; this machine is $(uname -m)" ;;
  esac
}

# A hash of everything that the deployment is made from.
fingerprint() {
  { cat template.yaml samconfig.toml local/deploy.sh local/*.py "$BOXOFFICE_STATE/dsn.app" "$BOXOFFICE_STATE/endpoint" "$BOXOFFICE_STATE/issuer.url"
    sha256sum "$BOXOFFICE_BIN_DIR"/*/bootstrap
    printf '%s\n' "$hold_seconds" "$stripe_secrets"; } | sha256sum
}

build() {
  sam build --config-file "$BOXOFFICE_ROOT/samconfig.toml" --config-env local --build-dir "$BOXOFFICE_STATE/sam" \
    --parameter-overrides "ParameterKey=Architecture,ParameterValue=$(architecture)"
}

deploy() {
  sam deploy --config-file "$BOXOFFICE_ROOT/samconfig.toml" --config-env local --template-file "$BOXOFFICE_STATE/sam/template.yaml" --parameter-overrides \
    "ParameterKey=Architecture,ParameterValue=$(architecture)" \
    "ParameterKey=HoldSeconds,ParameterValue=$hold_seconds" \
    "ParameterKey=LogRetentionDays,ParameterValue=1" \
    "ParameterKey=OidcIssuer,ParameterValue=$(<"$BOXOFFICE_STATE/issuer.url")" \
    "ParameterKey=OidcAudience,ParameterValue=boxoffice-local" \
    "ParameterKey=StripeMode,ParameterValue=test" \
    "ParameterKey=StripeWebhookSecrets,ParameterValue=\"$stripe_secrets\"" \
    "ParameterKey=StandardWebhookSecrets,ParameterValue=$standard_secrets" \
    "ParameterKey=DatabaseUrl,ParameterValue=$(<"$BOXOFFICE_STATE/dsn.app")"
}

# Quiet unless it fails: SAM prints more than anyone reads.
quietly() {
  local log="$BOXOFFICE_STATE/$1.log"
  "$1" >"$log" 2>&1 9>&- || { cat "$log" >&2; die "sam $1 failed: see the lines above"; }
}

cd "$BOXOFFICE_ROOT"
now="$(fingerprint)"
if [[ -r "$BOXOFFICE_STATE/deployed" && "$(<"$BOXOFFICE_STATE/deployed")" == "$now" && -s "$BOXOFFICE_STATE/url" ]]; then
  exit 0
fi
say "sam build"
quietly build
say "sam deploy"
quietly deploy
"$python" local/stack_outputs.py boxoffice-local >"$BOXOFFICE_STATE/outputs.json"
"$python" local/gateway_responses.py boxoffice-local v1
"$python" local/event_sources.py boxoffice-local
"$python" -c 'import json, sys; print(sys.argv[2] + "/restapis/" + json.load(open(sys.argv[1]))["ApiId"] + "/v1/_user_request_")' \
  "$BOXOFFICE_STATE/outputs.json" "$AWS_ENDPOINT_URL" >"$BOXOFFICE_STATE/url"
printf '%s\n' "$now" >"$BOXOFFICE_STATE/deployed"
