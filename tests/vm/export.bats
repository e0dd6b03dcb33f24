#!/usr/bin/env bats
# mvm export: the root file system of containers that run and of those that do not.
#
# shellcheck disable=SC2016,SC2154 # programs for the guest; variables that bats sets

load ../lib/vm.bash

# An image that hurts, in a registry of this file's own: the fixtures' is kept for all.
setup_file() {
  export HURT=$BATS_FILE_TMPDIR/hurt
  mkdir "$HURT"
  if [ "$(id -u)" != 0 ] || ! command -v umoci >/dev/null; then return; fi
  "$BATS_TEST_DIRNAME/hurt" make "$HURT" "$FIXTURES/layouts/busybox"
  # shellcheck source=tests/lib/registry.sh
  . "$BATS_TEST_DIRNAME/../lib/registry.sh"
  registry_start "$BATS_FILE_TMPDIR/registry"
  registry_push "$HURT/layout" test hurt
  "$MVM" pull -q "$registry_address/hurt"
  registry_stop
  export HURT_IMAGE=$registry_address/hurt
}

test_teardown() {
  [ -z "${small_disk:-}" ] || umount "$small_disk"
}

need_hurt() { [ -n "${HURT_IMAGE:-}" ] || HURT_IMAGE=$(cat "$BATS_FILE_TMPDIR/image" 2>/dev/null) || skip "needs root and umoci"; }

# process NAME: the id of the one process of that kind that works for this home.
process() { mvm_processes | sed -n "s/ $1\$//p"; }

disk_hash() { sha256sum <"$(disk_of "$1")"; }
disk_of() { echo "$MVM_HOME/containers/$(mvm ps -a --no-trunc --format json | jq -r --arg name "$1" 'select(.Names == $name) | .ID')"/root.*; }

@test "all that an image and a program can make, from a container that runs and after kill -9 of its QEMU" {
  need_hurt
  local tar=$BATS_TEST_TMPDIR/tar made=$BATS_TEST_TMPDIR/made round before
  mvm run -d --name hurt "$HURT_IMAGE" /bin/busybox sh -c '
    mkdir /made; cd /made; echo content >file; ln file hard; ln -s file soft; mkfifo fifo; : >empty
    mkdir sub; chown 12:34 sub; chmod 1710 sub; touch -d "1969-12-31 23:59:58" old; chown 3000000:4000000 old
    dd if=/dev/zero of=sparse bs=1 count=1 seek=1073741823 2>/dev/null
    i=0; p=/made/deep; while [ $i -lt 39 ]; do p=$p/0123456789; i=$((i + 1)); done; mkdir -p $p; echo deep >$p/leaf
    sync; echo ready; exec sleep 1000'
  eventually log_has hurt ready
  for round in runs killed; do
    if [ "$round" = killed ]; then
      kill -9 "$(process qemu)"
      eventually is_state hurt exited
      before=$(disk_hash hurt)
    fi
    MVM_LOG=debug mvm export -o "$tar" hurt 2>/dev/null
    run -0 "$BATS_TEST_DIRNAME/hurt" compare "$HURT" "$tar"
    rm -rf "$made"
    tar -C "$BATS_TEST_TMPDIR" -xf "$tar" made
    same "12:34 1710" "$(stat -c '%u:%g %a' "$made/sub")"
    same "3000000:4000000 1969" "$(stat -c '%u:%g %y' "$made/old" | cut -c1-20)"
    same "content 2 2" "$(cat "$made/file") $(stat -c %h "$made/file" "$made/hard" | tr '\n' ' ' | sed 's/ $//')"
    same "file fifo" "$(readlink "$made/soft") $(stat -c %F "$made/fifo")"
    same deep "$(cat "$made"/deep/*/*/*/*/*/*/*/*/*/*/*/*/*/*/*/*/*/*/*/*/*/*/*/*/*/*/*/*/*/*/*/*/*/*/*/*/*/*/*/leaf)"
    same 1073741824 "$(stat -c %s "$made/sparse")"
    [ "$(stat -c %s "$tar")" -lt 100000000 ]
    # What is mounted over them is not in them.
    same "" "$(tar -tf "$tar" | grep -E '^(proc|sys|dev)/.')"
    same 0 "$(tar -tvf "$tar" etc/hosts | awk '{print $3}')"
  done
  grep -q 'recovery complete' "$MVM_HOME"/containers/*/helper-boot.log
  same "$before" "$(disk_hash hurt)"
  is_state hurt exited
  same 255 "$(column hurt Status | sed 's/.*(\([0-9]*\)).*/\1/')"
  no_own_processes
  mvm rm hurt
}

@test "to a pipe; the container is free and as it was when the command returns" {
  local status_before hash
  mvm run --name box "$IMAGE" sh -c 'echo one >/one'
  hash=$(disk_hash box)
  status_before=$(cat "$MVM_HOME"/containers/*/state.json)
  same one "$(mvm export box | tar -xO one)"
  no_own_processes
  same "$status_before" "$(cat "$MVM_HOME"/containers/*/state.json)"
  same "$hash" "$(disk_hash box)"
  mvm rm box
}

@test "two exports at once of one stopped container are the same, and share a machine" {
  local one=$BATS_TEST_TMPDIR/one two=$BATS_TEST_TMPDIR/two first
  mvm run --name box "$IMAGE" true
  mvm export -o "$one" box &
  first=$!
  mvm export -o "$two" box
  wait "$first"
  cmp "$one" "$two"
  eventually no_own_processes
  mvm rm box
}

# stalled CONTAINER: an export that nobody reads beyond the first MiB.
stalled() {
  mkfifo "$BATS_TEST_TMPDIR/fifo"
  (
    "$MVM" export "$1" >"$BATS_TEST_TMPDIR/fifo" 2>"$BATS_TEST_TMPDIR/stderr" 3>&- &
    wait "$!" && status=0 || status=$?
    echo "$status" >"$BATS_TEST_TMPDIR/status"
  ) 3>&- &
  exec 7<"$BATS_TEST_TMPDIR/fifo"
  head -c 1048576 <&7 >/dev/null
}

# ended: lets go of the stalled export; its exit status is in $status.
ended() {
  cat <&7 >/dev/null
  exec 7<&-
  wait
  status=$(cat "$BATS_TEST_TMPDIR/status")
  rm "$BATS_TEST_TMPDIR/fifo"
}

@test "kill -9 of any part in the middle leaves nothing but an error" {
  local victim
  mvm run --name box "$REGISTRY/deb" true
  for victim in qemu vsock supervisor cli; do
    stalled box
    is_state box exited
    kill -9 "$(process "$victim")"
    ended
    [ "$status" -ne 0 ]
    [ "$victim" = cli ] || has "$(cat "$BATS_TEST_TMPDIR/stderr")" "mvm: cannot export container box: "
    eventually no_own_processes
    is_state box exited
  done
  # And nothing stands in the way of the next, which fills the machine's memory.
  same "$(tar -tf "$FIXTURES/deb.tar" | sed 's,^[.]/,,' | grep . | grep -vx etc/hosts | sort | sha256sum)" \
    "$(MVM_PATIENCE=200 mvm export box | tar -t | grep -vx etc/hosts | sort | sha256sum)"
  mvm rm box
}

@test "a guest that dies, a signal and kill -9 leave no file" {
  local folder=$BATS_TEST_TMPDIR/out signal pid
  mkdir "$folder"
  echo old >"$folder/file"
  mvm run --name box "$REGISTRY/deb" true
  for signal in INT TERM KILL guest; do
    # Bash has what it runs beside itself ignore SIGINT.
    env --default-signal=INT "$MVM" export -o "$folder/file" box 3>&- 2>/dev/null &
    pid=$!
    eventually mid_file "$pid"
    if [ "$signal" = guest ]; then kill -9 "$(process qemu)"; else kill -"$signal" "$pid"; fi
    wait "$pid" && status=0 || status=$?
    [ "$status" -ne 0 ]
    same file "$(ls -A "$folder")"
    cmp <(echo old) "$folder/file"
    eventually no_own_processes
  done
  mvm rm box
}

# mid_file PID: it has written a part of a file that has no name.
mid_file() {
  local file
  for file in /proc/"$1"/fd/*; do
    case $(readlink "$file") in *'(deleted)') [ "$(stat -L -c %s "$file")" -lt 1000000 ] || return 0 ;; esac
  done
  return 1
}

@test "while it is exported a container is not removed, but by force" {
  mvm run --name box "$REGISTRY/deb" true
  stalled box
  run --separate-stderr -1 mvm rm box
  error_says "another command works with it"
  mvm rm -f box
  ended
  [ "$status" -ne 0 ]
  run --separate-stderr -1 mvm export box
  error_says "No such container: box"
}

@test "what cannot be written, and names that are not there" {
  mvm run --name box "$IMAGE" true
  run --separate-stderr -1 mvm export nosuch
  error_says "No such container: nosuch"
  run --separate-stderr -1 mvm export -o /nowhere/file box
  error_says 'invalid output path: directory "/nowhere" does not exist'
  run --separate-stderr -1 mvm export -o "$BATS_TEST_TMPDIR" box
  error_says "is a directory"
  run --separate-stderr -1 mvm export -o /dev/null box
  error_says '"/dev/null" must be a regular file'
  run --separate-stderr -125 mvm export
  run --separate-stderr -1 bash -c 'exec timeout 60 "$MVM" export box >/dev/full'
  has "$stderr" "cannot write the output: No space left on device"
  run script -qec "$MVM export box" /dev/null
  has "$output" "cowardly refusing to save to a terminal. Use the -o flag or redirect"
  eventually no_own_processes
  mvm rm box
}

@test "a full disk is an error that names the file" {
  local small=$BATS_TEST_TMPDIR/small
  mkdir "$small"
  mount -t tmpfs -o size=1m tmpfs "$small" 2>/dev/null || skip "may not mount a small file system"
  small_disk=$small
  mvm run --name box "$IMAGE" true
  run --separate-stderr -1 mvm export -o "$small/file" box
  same "" "$(ls -A "$small")"
  has "$stderr" "cannot write $small/file: No space left on device"
  mvm rm box
}

@test "a machine that cannot start says why" {
  mvm run --name box "$IMAGE" true
  run --separate-stderr -1 env MVM_QEMU=/nowhere/qemu timeout 60 "$MVM" export box
  error_says "cannot export container box" /nowhere/qemu
  is_state box exited
  mvm rm box
}
