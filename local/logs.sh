#!/usr/bin/env bash
# Follows the functions' logs in the local cloud: logs.sh [FUNCTION], for example logs.sh book. Without a name: all.
set -euo pipefail
# shellcheck source=local/lib.sh
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

"$BOXOFFICE_ROOT/local/is-up.sh" --or-say
unset AWS_PROFILE AWS_SESSION_TOKEN
AWS_ENDPOINT_URL="$(<"$BOXOFFICE_STATE/endpoint")"
export AWS_ENDPOINT_URL AWS_ACCESS_KEY_ID=test AWS_SECRET_ACCESS_KEY=test AWS_DEFAULT_REGION=us-east-1 \
  AWS_CONFIG_FILE=/dev/null AWS_SHARED_CREDENTIALS_FILE=/dev/null
exec "$BOXOFFICE_TOOLS/sam/bin/python" "$BOXOFFICE_ROOT/local/follow_logs.py" "/aws/lambda/boxoffice-local-${1:-}"
