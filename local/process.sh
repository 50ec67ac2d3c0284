# shellcheck shell=bash
# Processes that outlive the script that started them, and how to stop exactly those processes. Sourced after lib.sh.
#
# A process is identified by pid, start time and boot: the pid alone may belong to another process by now.

# process_mark PID -> "pid starttime boot"; fails if there is no such process.
process_mark() {
  local stat
  stat="$(cat "/proc/$1/stat" 2>/dev/null)" || return 1
  # The command's name is in parentheses and may hold spaces: count fields after the last ")".
  # shellcheck disable=SC2086
  set -- "$1" ${stat##*) }
  # A zombie counts as gone.
  [[ "$2" != Z ]] || return 1
  printf '%s %s %s\n' "$1" "${21}" "$(</proc/sys/kernel/random/boot_id)"
}

process_record() { process_mark "$2" >"$BOXOFFICE_STATE/$1.process"; }

# process_pid NAME -> its pid, if the recorded process is still running.
process_pid() {
  local file="$BOXOFFICE_STATE/$1.process" recorded
  [[ -r "$file" ]] || return 1
  recorded="$(<"$file")"
  [[ -n "$recorded" && "$(process_mark "${recorded%% *}")" == "$recorded" ]] || return 1
  printf '%s\n' "${recorded%% *}"
}

# process_wait_end NAME SECONDS
process_wait_end() {
  local i
  for ((i = 0; i < $2 * 10; i++)); do
    process_pid "$1" >/dev/null || return 0
    sleep 0.1
  done
  return 1
}

# process_stop NAME SIGNAL SECONDS: sends the signal, waits, then kills. Harmless if it is not running.
process_stop() {
  local pid
  if pid="$(process_pid "$1")"; then
    kill "-$2" "$pid" 2>/dev/null || true
    process_wait_end "$1" "$3" || kill -KILL "$pid" 2>/dev/null || true
    process_wait_end "$1" 5 || die "process $pid ($1) does not exit"
  fi
  rm -f "$BOXOFFICE_STATE/$1.process"
}

# Kills what a killed parent left behind: only processes that carry our mark in their environment.
# process_stop_marked NAME=VALUE
process_stop_marked() {
  local environ pid
  for environ in /proc/[0-9]*/environ; do
    if grep -qzxF "$1" "$environ" 2>/dev/null; then
      pid="${environ#/proc/}"
      kill -KILL "${pid%/environ}" 2>/dev/null || true
    fi
  done
}
