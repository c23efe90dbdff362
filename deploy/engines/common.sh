# What the scripts of all engines share; sourced by `engines` and by make-certs. Nothing here is specific to one engine.
# shellcheck shell=bash

# HERE and ROOT are set by whoever sources this.
# Everything that is downloaded, built or written stands in this one folder; git ignores the default.
CACHE=$(realpath -m "${ENGINES_CACHE:-$ROOT/.cache/engines}")
readonly CACHE
# Added to every usual port, for a second set of engines beside the first.
# shellcheck disable=SC2034 # the files of the engines use it
readonly PORT_OFFSET=${ENGINES_PORT_OFFSET:-0}
readonly READY_TIMEOUT_S=${OPENBELL_ENGINES_READY_S:-90} STOP_TIMEOUT_S=30
readonly POLL_S=0.1

say() { printf '%s\n' "$*"; }

# Why it can not go on, and an exit code of its own for each kind (sysexits): 69 something is missing, 75 not now.
die() {
  local code=$1
  shift
  printf 'engines: %s\n' "$*" >&2
  exit "$code"
}

have() { command -v "$1" >/dev/null 2>&1; }

# need COMMAND WHAT-FOR DEBIAN-PACKAGE
need() {
  have "$1" || die 69 "$1 is missing; it is needed to $2. On Debian: apt-get install $3"
}

# fresh_directory PATH: an empty directory beside PATH to build in, so that PATH is complete or absent. `move_in` it after.
fresh_directory() {
  rm -rf "$1.part"
  mkdir -p "$1.part"
  printf '%s.part\n' "$1"
}

move_in() {
  rm -rf "$1"
  mv "$1.part" "$1"
}

# When the process PID was started, in ticks since boot: with the pid it names one process for ever, as pids come again.
started_at() {
  local stat
  stat=$(cat "/proc/$1/stat" 2>/dev/null) || return 1
  stat=${stat##*) } # the command name before it may hold spaces
  # Field 22 of the line, the 20th after the name. A zombie (state Z) has ended.
  [ "${stat%% *}" != Z ] || return 1
  cut -d' ' -f20 <<<"$stat"
}

# our_pid NAME: the pid in NAME's pid file, if that very process still runs.
our_pid() {
  local pid started
  read -r pid started 2>/dev/null <"$CACHE/run/$1.pid" || return 1
  [ "$(started_at "$pid")" = "$started" ] || return 1
  printf '%s\n' "$pid"
}

# answers_tcp PORT
answers_tcp() { (exec 3<>"/dev/tcp/127.0.0.1/$1") 2>/dev/null; }

# answers_http PORT PATH: whether a GET is answered 200.
answers_http() {
  local line
  {
    line=$(
      exec 3<>"/dev/tcp/127.0.0.1/$1" || exit 1
      printf 'GET %s HTTP/1.0\r\nHost: 127.0.0.1\r\n\r\n' "$2" >&3
      IFS= read -r -t 2 status <&3 && printf '%s' "$status"
    )
  } 2>/dev/null
  [[ $line == *" 200 "* ]]
}

# launch NAME PORT READY-COMMAND -- COMMAND ...: starts COMMAND as a daemon unless it already runs, and waits until
# READY-COMMAND succeeds. PORT must be free: another process there would answer in place of ours.
launch() {
  local name=$1 port=$2 ready=$3 pid deadline log=$CACHE/log/$1.log
  shift 4
  if pid=$(our_pid "$name"); then
    $ready || die 75 "$name runs (pid $pid) but does not answer; see $log, or stop it first"
    say "$name runs already (pid $pid, port $port)"
    return
  fi
  ! answers_tcp "$port" || die 75 "port $port is taken by a process that is not ours; $name can not start"
  mkdir -p "$CACHE/run" "$CACHE/log"
  [ ! -e "$log" ] || mv "$log" "$log.1"
  # 9 is the lock of this script: a daemon must not hold it.
  setsid "$@" </dev/null >"$log" 2>&1 9>&- &
  pid=$!
  printf '%s %s\n' "$pid" "$(started_at "$pid")" >"$CACHE/run/$name.pid"
  deadline=$((SECONDS + READY_TIMEOUT_S))
  until $ready; do
    if ! our_pid "$name" >/dev/null; then
      tail -n 20 "$log" >&2
      rm -f "$CACHE/run/$name.pid"
      die 75 "$name has ended before it was ready; its log: $log"
    fi
    if ((SECONDS >= deadline)); then
      tail -n 20 "$log" >&2
      halt "$name"
      die 75 "$name was not ready within $READY_TIMEOUT_S s; its log: $log"
    fi
    sleep "$POLL_S"
  done
  say "$name is ready (pid $pid, port $port)"
}

# halt NAME: ends the process that we started, by SIGTERM, and by SIGKILL if it does not hear.
halt() {
  local name=$1 pid deadline
  if ! pid=$(our_pid "$name"); then
    rm -f "$CACHE/run/$name.pid"
    say "$name does not run"
    return
  fi
  kill -TERM "$pid" 2>/dev/null || true
  kill -CONT "$pid" 2>/dev/null || true # a paused one would never hear
  deadline=$((SECONDS + STOP_TIMEOUT_S))
  while our_pid "$name" >/dev/null; do
    if ((SECONDS >= deadline)); then
      say "$name did not stop within $STOP_TIMEOUT_S s: killed"
      kill -KILL "$pid" 2>/dev/null || true
      deadline=$((SECONDS + STOP_TIMEOUT_S))
    fi
    sleep "$POLL_S"
  done
  rm -f "$CACHE/run/$name.pid"
  say "$name is stopped"
}

# state NAME PORT READY-COMMAND: one line about a process.
state() {
  local pid
  if ! pid=$(our_pid "$1"); then
    printf '  %-12s stopped\n' "$1"
  elif $3; then
    printf '  %-12s ready, pid %s, port %s\n' "$1" "$pid" "$2"
  else
    printf '  %-12s does not answer, pid %s, port %s\n' "$1" "$pid" "$2"
  fi
}
