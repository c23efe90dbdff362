# NSQ: built from its Go module. Sourced by `engines`.
# shellcheck shell=bash

readonly NSQ_COMMANDS=(nsqd nsqlookupd nsqadmin nsq_tail nsq_stat)
readonly NSQ_HOME=$CACHE/nsq/$NSQ_VERSION
readonly NSQ_BIN=$NSQ_HOME/bin
# The usual ports.
readonly NSQD_TCP=4150 NSQD_HTTP=4151 LOOKUPD_TCP=4160 LOOKUPD_HTTP=4161 NSQADMIN_HTTP=4171

nsq_version_of() {
  case $1 in
    nsq_tail | nsq_stat) "$NSQ_BIN/$1" -version 2>&1 | sed -n "s/^$1 v\([0-9.]*\).*/\1/p" ;;
    *) "$NSQ_BIN/$1" --version 2>&1 | sed -n "s/^$1 v\([0-9.]*\).*/\1/p" ;;
  esac
}

nsq_installed() {
  local command
  for command in "${NSQ_COMMANDS[@]}"; do
    [ -x "$NSQ_BIN/$command" ] && [ "$(nsq_version_of "$command")" = "$NSQ_VERSION" ] || return 1
  done
}

nsq_install() {
  need go "build NSQ" golang-go
  local part command packages=()
  part=$(fresh_directory "$NSQ_HOME")
  mkdir "$part/bin"
  for command in "${NSQ_COMMANDS[@]}"; do packages+=("github.com/nsqio/nsq/apps/$command"); done
  # A module of our own in $HERE/nsq, since NSQ's has a replacement that `go install PACKAGE@VERSION` refuses.
  (
    cd "$HERE/nsq"
    CGO_ENABLED=0 GOFLAGS='-mod=readonly -trimpath -buildvcs=false' GOWORK=off \
      go build -o "$part/bin/" "${packages[@]}"
  ) || die 69 "NSQ $NSQ_VERSION could not be built"
  move_in "$NSQ_HOME"
}

nsqd_ready() { answers_http $NSQD_HTTP /ping; }
nsqlookupd_ready() { answers_http $LOOKUPD_HTTP /ping; }
nsqadmin_ready() { answers_http $NSQADMIN_HTTP /ping; }

nsq_start() {
  mkdir -p "$CACHE/data/nsqd"
  launch nsqlookupd $LOOKUPD_TCP nsqlookupd_ready -- "$NSQ_BIN/nsqlookupd" \
    -tcp-address 127.0.0.1:$LOOKUPD_TCP -http-address 127.0.0.1:$LOOKUPD_HTTP -broadcast-address 127.0.0.1
  # -sync-every 1 would sync each message before it is acknowledged, and cost nine tenths of the throughput. It is not
  # needed: what has no outcome yet goes out again from the journal, whatever nsqd has lost.
  launch nsqd $NSQD_TCP nsqd_ready -- "$NSQ_BIN/nsqd" \
    -tcp-address 127.0.0.1:$NSQD_TCP -http-address 127.0.0.1:$NSQD_HTTP -broadcast-address 127.0.0.1 \
    -lookupd-tcp-address 127.0.0.1:$LOOKUPD_TCP -data-path "$CACHE/data/nsqd"
  launch nsqadmin $NSQADMIN_HTTP nsqadmin_ready -- "$NSQ_BIN/nsqadmin" \
    -http-address 127.0.0.1:$NSQADMIN_HTTP -lookupd-http-address 127.0.0.1:$LOOKUPD_HTTP
}

nsq_stop() {
  halt nsqadmin
  halt nsqd
  halt nsqlookupd
}

nsq_wipe() { rm -rf "$CACHE/data/nsqd"; }

nsq_status() {
  state nsqlookupd $LOOKUPD_TCP nsqlookupd_ready
  state nsqd $NSQD_TCP nsqd_ready
  state nsqadmin $NSQADMIN_HTTP nsqadmin_ready
}
