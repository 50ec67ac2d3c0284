#!/usr/bin/env bash
# The local issuer of access tokens, on a free port of loopback. Its key is created at the first start and kept.
#
#   issuer.sh start              writes its URL to <state>/issuer.url; the key is <state>/issuer.pem
#   issuer.sh stop               stops exactly this issuer
#   issuer.sh token SUB SCOPE    prints a token, valid for an hour
set -euo pipefail
# shellcheck source=local/lib.sh
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
# shellcheck source=local/process.sh
source "$BOXOFFICE_ROOT/local/process.sh"

key="$BOXOFFICE_STATE/issuer.pem"

make_key() {
  [[ ! -s "$key" ]] || return 0
  (umask 077 && openssl genpkey -quiet -algorithm RSA -pkeyopt rsa_keygen_bits:2048 -out "$key.new" 2>/dev/null) ||
    (umask 077 && openssl genrsa -out "$key.new" 2048 2>/dev/null) || die "openssl could not create a key"
  mv "$key.new" "$key"
}

wait_ready() {
  local i
  for ((i = 0; i < 100; i++)); do
    curl --silent --fail --max-time 2 --output /dev/null "$1/keys" && return 0
    process_pid issuer >/dev/null || die "the issuer exited: $(tail -n1 "$BOXOFFICE_STATE/issuer.log")"
    sleep 0.1
  done
  die "the issuer did not answer within 10 s: see $BOXOFFICE_STATE/issuer.log"
}

start() {
  local port
  process_pid issuer >/dev/null && return 0
  stop
  make_key
  port="$(keep_port "$BOXOFFICE_STATE/issuer.port")"
  setsid python3 -B "$BOXOFFICE_ROOT/local/issuer.py" serve "$key" "$port" </dev/null >"$BOXOFFICE_STATE/issuer.log" 2>&1 9>&- &
  process_record issuer $!
  wait_ready "http://127.0.0.1:$port"
  printf 'http://127.0.0.1:%s\n' "$port" >"$BOXOFFICE_STATE/issuer.url"
}

stop() {
  process_stop issuer TERM 5
  rm -f "$BOXOFFICE_STATE/issuer.url"
}

token() {
  [[ -s "$BOXOFFICE_STATE/issuer.url" ]] || die "the local cloud is not running: make up"
  python3 -B "$BOXOFFICE_ROOT/local/issuer.py" token "$key" "$(<"$BOXOFFICE_STATE/issuer.url")" "$1" "$2"
}

case "${1:-}" in
  start | stop) "$1" ;;
  token) token "${2:?a subject}" "${3?a scope, which may be empty}" ;;
  *) die "usage: issuer.sh start|stop|token SUB SCOPE" ;;
esac
