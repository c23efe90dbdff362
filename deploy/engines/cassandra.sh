# Cassandra: its jars by Maven, run on a JDK 17. Sourced by `engines`.
# shellcheck shell=bash

readonly CASSANDRA_HOME=$CACHE/cassandra/$CASSANDRA_VERSION
readonly CASSANDRA_LIB=$CASSANDRA_HOME/lib
readonly JAVA=${JAVA_HOME:+$JAVA_HOME/bin/}java
# The usual ports.
readonly CASSANDRA_NATIVE=9042

# Java 17 and no other: 5.0 supports 11 and 17, and jvm17.options are for 17.
need_java() {
  need "$JAVA" "run Cassandra (version 17)" openjdk-17-jdk-headless
  local major
  major=$("$JAVA" -version 2>&1 | sed -n 's/^[a-z]* version "\([0-9]*\).*/\1/p' | head -n 1)
  [ "$major" = 17 ] || die 69 "$JAVA is Java ${major:-of an unknown version}; Cassandra $CASSANDRA_VERSION needs 17: set JAVA_HOME"
}

cassandra_installed() {
  [ -e "$CASSANDRA_LIB/cassandra-all-$CASSANDRA_VERSION.jar" ] &&
    (cd "$CASSANDRA_LIB" && sha256sum --check --quiet --strict "$HERE/cassandra/jars.sha256") >/dev/null 2>&1
}

cassandra_install() {
  need_java
  need mvn "fetch Cassandra" maven
  local part output
  part=$(fresh_directory "$CASSANDRA_HOME")
  output=$(mvn -q -B -C -f "$HERE/cassandra/pom.xml" dependency:copy-dependencies \
    -DincludeScope=runtime "-DoutputDirectory=$part/lib" </dev/null 2>&1) || {
    printf '%s\n' "$output" >&2
    die 69 "Cassandra $CASSANDRA_VERSION could not be fetched"
  }
  (cd "$part/lib" && sha256sum --check --quiet --strict "$HERE/cassandra/jars.sha256") ||
    die 69 "the jars of Cassandra $CASSANDRA_VERSION are not those of jars.sha256"
  move_in "$CASSANDRA_HOME"
}

# The native protocol's OPTIONS, which every server answers with a frame of its own, 0x84 for version 4.
cassandra_ready() {
  local byte
  {
    byte=$(
      exec 3<>"/dev/tcp/127.0.0.1/$CASSANDRA_NATIVE" || exit 1
      printf '\4\0\0\0\5\0\0\0\0' >&3
      timeout 2 head -c 1 <&3 | od -An -tx1
    )
  } 2>/dev/null
  [ "$byte" = " 84" ]
}

cassandra_start() {
  need_java
  launch cassandra $CASSANDRA_NATIVE cassandra_ready -- \
    env CASSANDRA_HOST=127.0.0.1 CASSANDRA_PORT=$CASSANDRA_NATIVE \
    "$HERE/cassandra/run" "$CASSANDRA_LIB" "$CACHE/data/cassandra"
}

cassandra_stop() { halt cassandra; }

cassandra_wipe() { rm -rf "$CACHE/data/cassandra"; }

cassandra_status() { state cassandra $CASSANDRA_NATIVE cassandra_ready; }
