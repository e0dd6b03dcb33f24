#!/usr/bin/env bats
# What each process beside a container may do, as the kernel tells it, and who can read what mvm keeps. docs/security.md says
# the same in words.
#
# shellcheck disable=SC2016,SC2154 # programs for the guest; variables that bats sets

load ../lib/vm.bash

setup() { [ "$(uname -s)" = Linux ] || skip "looks into /proc"; }

# status PID FIELD
status() { sed -n "s/^$2:[[:space:]]*//p" "/proc/$1/status"; }

# children PID [NAME]: those of the process that have the name, by their ids.
children() { pgrep -P "$1" ${2:+-x "$2"} || true; }

namespace() { readlink "/proc/$1/ns/$2"; }

@test "no process that reads a guest's bytes may gain rights, and each is as narrow as it is said to be" {
  mkdir "$BATS_TEST_TMPDIR/shared"
  mvm run -d --name confined -v "$BATS_TEST_TMPDIR/shared:/s" "$IMAGE" sleep 1000
  local supervisor vsock qemu net server pid
  supervisor=$(mvm inspect -f '{{.State.Pid}}' confined)
  vsock=$(children "$supervisor" mvm-vsock)
  qemu=$(pgrep -P "$supervisor" -f '^[^ ]*qemu-system')
  net=$(mvm_processes | sed -n 's/ net$//p')
  # The one that serves is the child of the one that makes its namespace.
  server=$(children "$(children "$supervisor" virtiofsd)" virtiofsd)
  for pid in "$vsock" "$qemu" "$net" "$server"; do
    same 1 "$(status "$pid" NoNewPrivs)"
    same 2 "$(status "$pid" Seccomp)"
  done
  # No capability is left to whoever takes over the vsock device, even where root has started it; of the network's there is the
  # one to reach files of mvm (CAP_DAC_OVERRIDE, 2).
  same 0000000000000000 "$(status "$vsock" CapEff)"
  same 0000000000000000 "$(status "$vsock" CapPrm)"
  same 0 "$((0x$(status "$net" CapEff) & ~2))"
  same 0 "$((0x$(status "$net" CapPrm) & ~2))"
  # No core of either tells what a guest has sent.
  same 0 "$(awk '/core file/ { print $6 }' "/proc/$vsock/limits")"
  same 0 "$(awk '/core file/ { print $6 }' "/proc/$net/limits")"
  # The server of shares sees what is shared and nothing else, no network and no other process.
  local kind
  for kind in mnt net pid; do [ "$(namespace "$server" $kind)" != "$(namespace "$supervisor" $kind)" ]; done
  same 0 "$(ls "/proc/$server/root/")"
  # What is open in the device: sockets and what they wait by, never a file.
  same '' "$(readlink "/proc/$vsock/fd/"* | grep -v -e '^socket:' -e '^anon_inode:' -e '^/dev/null$' -e '^/memfd:mvm-memory' || true)"
  # QEMU has this container's files and none of another's.
  same '' "$(readlink "/proc/$qemu/fd/"* | grep "^$MVM_HOME" | grep -v -e "^$MVM_HOME/containers/$(mvm ps -q --no-trunc)/" -e "^$MVM_HOME/disks/.*/rootfs.ext4" || true)"
  mvm rm -f confined
}

@test "what mvm keeps is its user's alone, sockets too" {
  (umask 000 && mvm run -d --name kept -p 127.0.0.1::80 "$IMAGE" sleep 1000)
  local runtime=${XDG_RUNTIME_DIR:+$XDG_RUNTIME_DIR/mvm}
  runtime=${runtime:-/tmp/mvm-$(id -u)}
  same '' "$(find "$MVM_HOME" ! -type l ! -path '*/rootfs.ext4' -perm /077 -printf '%m %p\n')"
  same '' "$(find "$runtime" -perm /077 -printf '%m %p\n')"
  # What all containers of an image read is written once; the folder above is closed.
  same '' "$(find "$MVM_HOME/disks" -name rootfs.ext4 -perm /222 -printf '%m %p\n')"
  mvm rm -f kept
}

@test "secrets are in no process's arguments and in no log: a container's environment, a registry's password" {
  local name=S3CRET-$RANDOM-value password=p4ss-$RANDOM-word docker=$BATS_TEST_TMPDIR/docker
  MVM_LOG=debug mvm run -d --name secretive -e "TOKEN=$name" "$IMAGE" sh -c 'sleep 1000' 2>"$BATS_TEST_TMPDIR/log"
  MVM_LOG=debug mvm exec -e "OTHER=$name" secretive true 2>>"$BATS_TEST_TMPDIR/log"
  local pid
  for pid in $(mvm_background_processes | cut -d' ' -f1); do
    lacks "$(tr '\0' ' ' <"/proc/$pid/cmdline")" "$name"
  done
  # config.json has it, which inspect shows, as docker's does.
  same '' "$(grep -rl -- "$name" "$MVM_HOME/containers" "$MVM_HOME/networks" "$MVM_HOME/events" | grep -v '/config.json$' || true)"
  run ! grep -q -- "$name" "$BATS_TEST_TMPDIR/log"
  # A registry that nobody listens at is asked with the password all the same; nothing of it is said.
  mkdir "$docker"
  printf '{"auths": {"127.0.0.1:1": {"auth": "%s"}}}' "$(printf 'me:%s' "$password" | base64 -w0)" >"$docker/config.json"
  run ! env DOCKER_CONFIG="$docker" MVM_LOG=debug "$MVM" pull 127.0.0.1:1/x
  lacks "$output" "$password"
  printf '{"auths": {"%s": {"auth": "%s"}}}' "$REGISTRY" "$(printf 'me:%s' "$password" | base64 -w0)" >"$docker/config.json"
  run -0 env DOCKER_CONFIG="$docker" MVM_LOG=debug "$MVM" pull "$IMAGE"
  lacks "$output" "$password"
  lacks "$output" "$(printf 'me:%s' "$password" | base64 -w0)"
  mvm rm -f secretive
}
