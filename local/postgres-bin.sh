# shellcheck shell=bash
# Where the Postgres server's programs are. Sourced.

# postgres_bin -> the directory of the newest initdb of version 15 or later; nothing when there is none.
postgres_bin() {
  local dir
  {
    printf '%s\n' /usr/lib/postgresql/*/bin /usr/pgsql-*/bin
    pg_config --bindir 2>/dev/null || true
    dirname "$(readlink -f "$(command -v initdb 2>/dev/null || echo /nonexistent/initdb)")"
  } | sort -rVu | while read -r dir; do
    [[ -x "$dir/initdb" && -x "$dir/postgres" && -x "$dir/pg_ctl" && -x "$dir/psql" ]] || continue
    [[ "$("$dir/postgres" --version | grep -oE '[0-9]+' | head -n1)" -ge 15 ]] || continue
    printf '%s\n' "$dir"
    break
  done
}
