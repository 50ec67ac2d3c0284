#!/usr/bin/env bash
# MiniStack emulates API Gateway, Lambda, SQS, CloudFormation and more in memory, on a free port of loopback.
#
#   ministack.sh start   writes the endpoint to <state>/endpoint
#   ministack.sh stop    stops exactly this emulator and the function instances that it started
set -euo pipefail
# shellcheck source=local/lib.sh
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
# shellcheck source=local/process.sh
source "$BOXOFFICE_ROOT/local/process.sh"

# Functions inherit MiniStack's environment. It is a bare one, so that nothing leaks from the developer's shell into
# them. BOXOFFICE_CLOUD marks its processes.
launch() {
  local port="$1"
  env -i PATH=/usr/local/bin:/usr/bin:/bin LANG=C.UTF-8 HOME="$BOXOFFICE_STATE" TMPDIR="$BOXOFFICE_STATE/tmp" \
    BOXOFFICE_CLOUD="$BOXOFFICE_STATE" \
    BIND_HOST=127.0.0.1 GATEWAY_PORT="$port" AWS_ENDPOINT_URL="http://127.0.0.1:$port" \
    AWS_ACCESS_KEY_ID=test AWS_SECRET_ACCESS_KEY=test MINISTACK_REGION=us-east-1 AWS_DEFAULT_REGION=us-east-1 \
    LAMBDA_EXECUTOR=local LAMBDA_ACCOUNT_CONCURRENCY=100 LOG_LEVEL=WARNING \
    setsid "$BOXOFFICE_TOOLS/ministack/bin/ministack" </dev/null >"$BOXOFFICE_STATE/ministack.log" 2>&1 9>&- &
  process_record ministack $!
}

wait_ready() {
  local i
  for ((i = 0; i < 300; i++)); do
    curl --silent --fail --max-time 2 --output /dev/null "http://127.0.0.1:$1/_ministack/health" && return 0
    process_pid ministack >/dev/null || die "MiniStack exited: $(tail -n1 "$BOXOFFICE_STATE/ministack.log")"
    sleep 0.1
  done
  die "MiniStack did not answer within 30 s: see $BOXOFFICE_STATE/ministack.log"
}

start() {
  local port
  process_pid ministack >/dev/null && return 0
  stop
  mkdir -p "$BOXOFFICE_STATE/tmp"
  port="$(keep_port "$BOXOFFICE_STATE/ministack.port")"
  launch "$port"
  wait_ready "$port"
  printf 'http://127.0.0.1:%s\n' "$port" >"$BOXOFFICE_STATE/endpoint"
}

stop() {
  process_stop ministack TERM 10
  process_stop_marked "BOXOFFICE_CLOUD=$BOXOFFICE_STATE"
  # The deployment was in its memory.
  rm -rf "$BOXOFFICE_STATE"/{endpoint,outputs.json,url,deployed,tmp}
}

case "${1:-}" in
  start | stop) "$1" ;;
  *) die "usage: ministack.sh start|stop" ;;
esac
