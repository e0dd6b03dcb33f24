#!/usr/bin/env bats
# arm64 machines on an x86-64 host: emulated, with a kernel and an agent of their own (`./dev build arm64`).
#
# shellcheck disable=SC2016,SC2030,SC2031,SC2154 # programs for the guest; variables of one test, and that bats sets

load ../lib/vm.bash

why_not() {
  if [ "$(uname -m)" != x86_64 ]; then
    echo "this host's own machines are arm64"
  elif ! command -v qemu-system-aarch64 >/dev/null; then
    echo "there is no qemu-system-aarch64 here (qemu-system-arm)"
  elif [ ! -e "$(dirname "$MVM")/initfs/arm64/vmlinux" ] || [ ! -e "$(dirname "$MVM")/initfs/arm64/initramfs.cpio" ]; then
    echo "arm64 kernel and agent are not built; ./dev build arm64"
  fi
}

setup_file() {
  WHY_NOT=$(why_not)
  export WHY_NOT FOREIGN=$REGISTRY/foreign
  [ -z "$WHY_NOT" ] || return 0
  mvm pull -q --platform linux/arm64 "$FOREIGN"
  # One VM for all that only looks.
  mvm run -d --name arm --kernel arm64 --platform linux/arm64 --cpus 2 -m 256m -v "$BATS_FILE_TMPDIR:/shared" -p 127.0.0.1::80 \
    "$FOREIGN" sh -c 'trap "echo ended; exit 9" TERM; echo ready; while :; do sleep 0.2; done'
}

setup() { [ -z "$WHY_NOT" ] || skip "$WHY_NOT"; }

teardown_file() { [ -n "$WHY_NOT" ] || mvm rm -f arm >/dev/null 2>&1 || true; }

# The VM of the file stays.
teardown() { :; }

@test "its processor and its kernel are arm64, without a translator" {
  run --separate-stderr -0 mvm run --rm --kernel arm64 --platform linux/arm64 "$FOREIGN" uname -m
  same aarch64 "$output"
  same '' "$stderr"
  same aarch64 "$(mvm exec arm uname -m)"
  has "$(mvm exec arm cat /proc/cpuinfo)" "CPU architecture: 8"
  same 2 "$(mvm exec arm nproc)"
  same 268435456 "$(mvm exec arm cat /sys/fs/cgroup/memory.max)"
  same '[]' "$(mvm inspect -f '{{json (index .Machine.Translators)}}' arm)"
  has "$(mvm inspect -f '{{.Machine.Kernel}}' arm)" /initfs/arm64/vmlinux
}

@test "exit codes, streams, a terminal" {
  run -42 mvm exec arm sh -c 'exit 42'
  run -127 mvm exec arm /nowhere
  run -137 mvm exec arm sh -c 'kill -KILL $$'
  same 1000 "$(seq 1000 | mvm exec -i arm sh -c 'sort -n | tail -n 1')"
  head -c 3000000 /dev/urandom >"$BATS_TEST_TMPDIR/bytes"
  same "$(sha256sum <"$BATS_TEST_TMPDIR/bytes")" "$(mvm exec -i arm cat <"$BATS_TEST_TMPDIR/bytes" | sha256sum)"
}

@test "shares, cp, the network and published ports" {
  echo there >"$BATS_FILE_TMPDIR/file"
  same there "$(mvm exec arm cat /shared/file)"
  mvm exec arm sh -c 'echo back >/shared/answer; echo kept >/kept'
  same back "$(cat "$BATS_FILE_TMPDIR/answer")"
  mvm cp arm:/kept "$BATS_TEST_TMPDIR/kept"
  same kept "$(cat "$BATS_TEST_TMPDIR/kept")"
  has "$(mvm exec arm ip -4 addr show eth0)" "$(mvm inspect -f '{{.NetworkSettings.IPAddress}}' arm)/24"
  mvm exec -d arm sh -c 'mkdir /www; echo served >/www/index.html; exec httpd -f -p 80 -h /www'
  served() { [ "$(curl -s "http://$(mvm port arm 80)/")" = served ]; }
  eventually served
  mvm network create --subnet 10.61.0.0/24 side
  mvm network connect --ip 10.61.0.9 side arm
  has "$(mvm exec arm ip -4 addr show eth1)" 10.61.0.9/24
  mvm exec arm ping -c 1 -W 10 10.61.0.1
  mvm network disconnect side arm
  run -1 mvm exec arm ip addr show eth1
  mvm network connect side arm
  mvm exec arm ping -c 1 -W 10 10.61.0.1
  mvm network disconnect side arm
  mvm network rm side
}

@test "pause, stop, start" {
  mvm pause arm
  is_state arm paused
  mvm unpause arm
  same kept "$(mvm exec arm cat /kept)"
  mvm stop -t 20 arm
  same 9 "$(mvm inspect -f '{{.State.ExitCode}}' arm)"
  same kept "$(mvm cp arm:/kept - | tar -xO)"
  mvm start arm
  same "kept aarch64" "$(mvm exec arm sh -c 'echo $(cat /kept) $(uname -m)')"
}

@test "a panic of its kernel ends it, and the error says so" {
  run --separate-stderr -255 mvm run --name panics --privileged --kernel arm64 --platform linux/arm64 "$FOREIGN" sh -c '
    mount -o remount,errors=panic / && echo x >/sys/fs/ext4/vda/trigger_fs_error; sleep 1000'
  error_says "the VM's kernel panicked" "panic forced after error" "its boot log ends: "
  mvm rm panics
}

# Rosetta is registered in the same way: a share with the program, and a rule of binfmt_misc.
@test "an x86-64 image in an arm64 machine, by a translator" {
  export MVM_CONFIG=$BATS_TEST_TMPDIR/config.json
  local translator
  translator=$("$BATS_TEST_DIRNAME/../lib/arm64-translator") || skip "Debian's qemu-user-static for arm64 cannot be had"
  printf '{"translators":{"amd64":"%s"}}' "$translator" >"$MVM_CONFIG"
  run --separate-stderr -0 mvm run --rm --kernel arm64 --platform linux/amd64 "$IMAGE" sh -c 'uname -m; exit 7 & wait $!; echo $?'
  same $'x86_64\n7' "$output"
  mvm run -d --name both --kernel arm64 --platform linux/arm64 --translate "$FOREIGN" sleep 1000
  mvm cp "$(readlink -f /bin/busybox)" both:/busybox
  same "x86_64 aarch64" "$(mvm exec both sh -c 'echo $(/busybox uname -m) $(uname -m)')"
  has "$(mvm inspect -f '{{json .Machine.Translators}}' both)" "amd64=$translator"
  mvm rm -f both
}

@test "what cannot be" {
  run --separate-stderr -125 mvm run --rm --kernel arm64 --platform linux/amd64 "$IMAGE" true
  error_says "image $IMAGE is for linux/amd64" "amd64 programs need a translator in a machine that is arm64" '"translators"'
  run --separate-stderr -125 mvm run --rm --kernel arm64 --platform linux/arm64 --translate=arm64 "$FOREIGN" true
  error_says "the machine runs arm64 programs itself"
  export MVM_CONFIG=$BATS_TEST_TMPDIR/config.json
  printf '{"translators":{"amd64":"%s"}}' "$(command -v qemu-x86_64-static || echo /bin/busybox)" >"$MVM_CONFIG"
  run --separate-stderr -125 mvm run --rm --kernel arm64 --platform linux/amd64 "$IMAGE" true
  error_says "no static program for the machine's processor (arm64)"
  MVM_ACCEL=kvm run --separate-stderr -125 mvm run --rm --kernel arm64 --platform linux/arm64 "$FOREIGN" true
  error_says "the machine's processor (arm64) is not the host's"
  same '' "$(mvm run --rm --kernel amd64 "$IMAGE" true)"
}
