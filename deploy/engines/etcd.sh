# etcd: the server and etcdctl of Debian's packages, unpacked and not installed. Sourced by `engines`.
# shellcheck shell=bash

readonly ETCD_HOME=$CACHE/etcd/$ETCD_SERIES
readonly ETCD_BIN=$ETCD_HOME/bin
# The usual ports.
readonly ETCD_CLIENT=2379 ETCD_PEER=2380

etcd_version_of() {
  case $1 in
    etcd) "$ETCD_BIN/etcd" --version ;;
    etcdctl) ETCDCTL_API=3 "$ETCD_BIN/etcdctl" version ;;
  esac 2>/dev/null | sed -n 's/^etcd\(ctl\)\{0,1\} [Vv]ersion: //p'
}

etcd_installed() {
  local command
  for command in etcd etcdctl; do
    [ -x "$ETCD_BIN/$command" ] && [[ $(etcd_version_of "$command") == "$ETCD_SERIES".* ]] || return 1
  done
}

# Unpacked by hand: no administrator is needed, and nothing starts a service, as installing the package would.
etcd_install() {
  need apt-get "fetch etcd (a Debian machine is expected)" apt
  need dpkg-deb "unpack etcd" dpkg
  local part package version
  for package in etcd-server etcd-client; do
    version=$(apt-cache policy "$package" 2>/dev/null | sed -n 's/^ *Candidate: //p')
    [ -n "${version#(none)}" ] ||
      die 69 "apt knows no package $package; run apt-get update first"
    [[ $version == "$ETCD_SERIES".* ]] ||
      die 69 "this release of Debian has $package $version; openbell is tested with $ETCD_SERIES (Debian 12)"
  done
  part=$(fresh_directory "$ETCD_HOME")
  mkdir "$part/bin" "$part/packages" "$part/unpacked"
  # The sandbox of apt is a user who may not write here.
  (cd "$part/packages" && apt-get download -qq -o APT::Sandbox::User="$(id -un)" etcd-server etcd-client) ||
    die 69 "etcd could not be downloaded; is the list of packages fresh? (apt-get update)"
  for package in "$part"/packages/*.deb; do dpkg-deb -x "$package" "$part/unpacked"; done
  mv "$part/unpacked/usr/bin/etcd" "$part/unpacked/usr/bin/etcdctl" "$part/bin/"
  rm -rf "$part/packages" "$part/unpacked"
  move_in "$ETCD_HOME"
}

etcd_ready() {
  ETCDCTL_API=3 "$ETCD_BIN/etcdctl" --endpoints "http://127.0.0.1:$ETCD_CLIENT" --command-timeout 2s \
    endpoint health >/dev/null 2>&1
}

etcd_start() {
  mkdir -p "$CACHE/data"
  launch etcd $ETCD_CLIENT etcd_ready -- "$ETCD_BIN/etcd" --name openbell --data-dir "$CACHE/data/etcd" \
    --listen-client-urls "http://127.0.0.1:$ETCD_CLIENT" --advertise-client-urls "http://127.0.0.1:$ETCD_CLIENT" \
    --listen-peer-urls "http://127.0.0.1:$ETCD_PEER" --initial-advertise-peer-urls "http://127.0.0.1:$ETCD_PEER" \
    --initial-cluster "openbell=http://127.0.0.1:$ETCD_PEER" \
    --auto-compaction-mode periodic --auto-compaction-retention 1h --logger zap
}

etcd_stop() { halt etcd; }

etcd_wipe() { rm -rf "$CACHE/data/etcd"; }

etcd_status() { state etcd $ETCD_CLIENT etcd_ready; }
