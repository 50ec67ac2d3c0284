#!/usr/bin/env bash
# A private Postgres: its own cluster, on a free port of loopback, with a password, and without a socket.
#
#   postgres.sh start   creates the cluster the first time; writes the owner's DSN to <state>/dsn, the functions' to <state>/dsn.app
#   postgres.sh stop    stops exactly this server; the data stays
#   postgres.sh remove  stops it and deletes the data
set -euo pipefail
# shellcheck source=local/lib.sh
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
# shellcheck source=local/process.sh
source "$BOXOFFICE_ROOT/local/process.sh"
# shellcheck source=local/postgres-bin.sh
source "$BOXOFFICE_ROOT/local/postgres-bin.sh"

# Postgres refuses to run as root. Then it runs as `postgres`, or as `nobody` if that user does not exist.
server_user() {
  if [[ "$(id -u)" != 0 ]]; then id -un; elif id postgres >/dev/null 2>&1; then echo postgres; else echo nobody; fi
}

as_server() {
  if [[ "$(id -u)" == 0 ]]; then
    setpriv --reuid="$(server_user)" --regid="$(id -g "$(server_user)")" --clear-groups "$@"
  else
    "$@"
  fi
}

# The cluster's directory: in the state, or in /var/tmp if the server's user cannot reach it (a checkout in root's home).
data_dir() { cat "$BOXOFFICE_STATE/postgres.dir" 2>/dev/null; }

choose_data_dir() {
  local dir="$BOXOFFICE_STATE/postgres"
  mkdir -p "$dir"
  if [[ "$(id -u)" == 0 ]]; then
    chown "$(server_user)" "$dir"
    as_server test -x "$dir" || { rmdir "$dir"; dir="$(mktemp -d /var/tmp/boxoffice-postgres.XXXXXX)"; chown "$(server_user)" "$dir"; }
  fi
  chmod 700 "$dir"
  printf '%s\n' "$dir" >"$BOXOFFICE_STATE/postgres.dir"
}

random_password() { od -An -N16 -tx1 /dev/urandom | tr -d ' \n'; }

create_cluster() {
  local dir
  choose_data_dir
  dir="$(data_dir)"
  (umask 077 && random_password >"$BOXOFFICE_STATE/postgres.password")
  rm -f "$BOXOFFICE_STATE/postgres.app-password"
  (umask 077 && as_server tee "$dir/password" <"$BOXOFFICE_STATE/postgres.password" >/dev/null)
  (cd / && as_server "$(postgres_bin)/initdb" --pgdata="$dir/data" --username=boxoffice_admin --auth=scram-sha-256 \
    --pwfile="$dir/password" --encoding=UTF8 --locale=C.UTF-8) >"$BOXOFFICE_STATE/initdb.log" 2>&1 ||
    die "initdb failed: $(tail -n1 "$BOXOFFICE_STATE/initdb.log")"
  rm -f "$dir/password"
  as_server tee -a "$dir/data/postgresql.conf" >/dev/null <<'CONF'
listen_addresses = '127.0.0.1'
unix_socket_directories = ''
# Every warm instance of a function has a connection of its own.
max_connections = 200
shared_buffers = 128MB
# Durable, as in production: a 201 is a row that survives a crash.
fsync = on
synchronous_commit = on
log_min_duration_statement = 1000
log_line_prefix = '%m [%p] %a '
timezone = 'UTC'
CONF
}

# Runs the SQL of standard input as the cluster's administrator.
admin_sql() {
  PGPASSWORD="$(<"$BOXOFFICE_STATE/postgres.password")" "$(postgres_bin)/psql" --quiet --no-psqlrc --set=ON_ERROR_STOP=1 \
    --host=127.0.0.1 --port="$(<"$BOXOFFICE_STATE/postgres.port")" --username=boxoffice_admin --dbname=postgres
}

# Creates the role that owns the database. The migrations, run by it, create the other roles.
create_database() {
  local password
  password="$(<"$BOXOFFICE_STATE/postgres.password")"
  admin_sql <<SQL
CREATE ROLE boxoffice LOGIN CREATEROLE PASSWORD '$password';
CREATE DATABASE boxoffice OWNER boxoffice;
SQL
}

# dsn_of ROLE PASSWORD-FILE
dsn_of() {
  printf 'postgres://%s:%s@127.0.0.1:%s/boxoffice?sslmode=disable\n' "$1" "$(<"$2")" "$(<"$BOXOFFICE_STATE/postgres.port")"
}

# The migrations set the password of boxoffice_app to the one in its DSN.
write_dsns() (
  umask 077
  [[ -s "$BOXOFFICE_STATE/postgres.app-password" ]] || random_password >"$BOXOFFICE_STATE/postgres.app-password"
  dsn_of boxoffice "$BOXOFFICE_STATE/postgres.password" >"$BOXOFFICE_STATE/dsn"
  dsn_of boxoffice_app "$BOXOFFICE_STATE/postgres.app-password" >"$BOXOFFICE_STATE/dsn.app"
)

start_server() {
  local dir fresh=no
  if [[ -z "$(data_dir)" || ! -e "$BOXOFFICE_STATE/postgres.ready" ]]; then
    remove
    create_cluster
    fresh=yes
  fi
  dir="$(data_dir)"
  keep_port "$BOXOFFICE_STATE/postgres.port" >/dev/null
  # From another directory: the server's user may not be allowed into this one. The server must not inherit the
  # descriptor of the lock that up.sh holds (9).
  (cd / && as_server "$(postgres_bin)/pg_ctl" start --wait --timeout=30 --silent --pgdata="$dir/data" --log="$dir/server.log" \
    --options="-p $(<"$BOXOFFICE_STATE/postgres.port")" 9>&- >/dev/null) ||
    die "Postgres did not start: $(as_server tail -n1 "$dir/server.log")"
  process_record postgres "$(as_server head -n1 "$dir/data/postmaster.pid")"
  if [[ "$fresh" == yes ]]; then
    create_database
    touch "$BOXOFFICE_STATE/postgres.ready"
  fi
}

start() {
  mkdir -p "$BOXOFFICE_STATE"
  process_pid postgres >/dev/null || start_server
  # For a cluster that was created before the migrations created roles.
  admin_sql <<<'ALTER ROLE boxoffice CREATEROLE'
  write_dsns
}

# SIGINT is its fast shutdown: sessions end, data is safe.
stop() {
  process_stop postgres INT 30
  rm -f "$BOXOFFICE_STATE"/dsn{,.app}
}

remove() {
  stop
  local dir
  dir="$(data_dir)" || true
  case "$dir" in
    "$BOXOFFICE_STATE"/postgres | /var/tmp/boxoffice-postgres.*) rm -rf "$dir" ;;
  esac
  rm -f "$BOXOFFICE_STATE"/postgres.{dir,ready,password,app-password} "$BOXOFFICE_STATE/initdb.log"
}

case "${1:-}" in
  start | stop | remove) "$1" ;;
  *) die "usage: postgres.sh start|stop|remove" ;;
esac
