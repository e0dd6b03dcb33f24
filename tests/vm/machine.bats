#!/usr/bin/env bats
# The machine itself: accelerator, clock, kernel, version and info.
#
# shellcheck disable=SC2016,SC2030,SC2031,SC2154 # programs for the guest; what bats sets, in a process for each test

load ../lib/vm.bash

@test "version, info and help" {
  run --separate-stderr -0 mvm version
  has "$output" "0."
  run --separate-stderr -0 mvm info
  has "$output" "$MVM_HOME"
  run --separate-stderr -0 mvm help
  has "$output" run pull images rmi ps logs stop kill rm version info
  local command
  for command in run pull images rmi ps logs stop kill rm version info; do
    run --separate-stderr -0 mvm help "$command"
    has "$output" "mvm $command"
    same '' "$stderr"
    same "$output" "$(mvm "$command" --help)"
  done
}

# row CHECK: its status and its text.
row() { jq -r --arg check "$1" 'select(.Check == $check) | .Status + " " + .Detail' <<<"$output"; }

@test "doctor: what is there, what is wrong, and what to do" {
  local home=$BATS_TEST_TMPDIR/home
  export MVM_HOME=$home
  run --separate-stderr -0 mvm doctor --format json
  same '' "$stderr"
  has "$(row home)" "ok $home"
  has "$(row machines)" 'ok QEMU emulator version'
  has "$(row boot)" 'ok a VM has booted, seen a shared folder and ended'
  # Nothing of its VM is left.
  same '' "$(ls -A "$home")"
  same 0 "$(mvm ps -aq | wc -l)"
  # Two at once, and one after one that was killed.
  mvm doctor >"$BATS_TEST_TMPDIR/first" &
  mvm doctor >"$BATS_TEST_TMPDIR/second"
  wait $!
  has "$(cat "$BATS_TEST_TMPDIR/first")" 'a VM has booted'
  has "$(cat "$BATS_TEST_TMPDIR/second")" 'a VM has booted'
  mkdir -p "$home/doctor/containers/half"
  mvm doctor >/dev/null
  same 'ok' "$(mvm doctor --format '{{if eq .Check "boot"}}{{.Status}}{{end}}' | tr -d '\n')"

  # Without a server of shares containers run; without QEMU, a kernel, or one that boots, none.
  MVM_VIRTIOFSD=/none run --separate-stderr -0 mvm doctor --format json
  has "$(row shares)" 'warning cannot run /none, which MVM_VIRTIOFSD names'
  has "$(row boot)" 'warning a VM boots, but not with a shared folder: '
  MVM_QEMU=/none run --separate-stderr -1 mvm doctor --format json
  has "$(row machines)" 'error cannot run /none, which MVM_QEMU names'
  same '' "$(row boot)"
  MVM_QEMU=/bin/true run --separate-stderr -1 mvm doctor --format json
  has "$(row machines)" "error /bin/true is no QEMU: asked for its version it says 'true (GNU"
  head -c 5000 /dev/urandom >"$BATS_TEST_TMPDIR/kernel"
  MVM_KERNEL=$BATS_TEST_TMPDIR/kernel run --separate-stderr -1 mvm doctor --format json
  has "$(row boot)" 'error '
  mkdir "$BATS_TEST_TMPDIR/tmp" && touch "$BATS_TEST_TMPDIR/file"
  MVM_HOME=$BATS_TEST_TMPDIR/file/home run --separate-stderr -1 mvm doctor --format json
  has "$(row home)" 'error '
  run --separate-stderr -125 mvm doctor surplus
  error_says '"mvm doctor" accepts no arguments'
}

@test "every flag of run that help names is taken, and the issue's are named" {
  local help flag
  help=$(mvm help run)
  for flag in --interactive --tty --rm --detach --name --env --env-file --workdir --user --entrypoint --cpus --memory \
    --disk-size --hostname --platform --pull --kernel --read-only --init --label --cidfile --quiet; do
    has "$help" "$flag"
  done
}

@test "an accelerator that does not work: one notice, once" {
  [ -e /dev/kvm ] || skip "there is no /dev/kvm to be wrong about"
  local home=$BATS_TEST_TMPDIR
  export XDG_CACHE_HOME=$home/cache MVM_HOME=$home/home XDG_RUNTIME_DIR=$home/runtime
  mkdir -m 0700 "$XDG_RUNTIME_DIR"
  mvm pull -q "$IMAGE"
  run --separate-stderr -0 mvm run --rm "$IMAGE" echo ran
  same ran "$output"
  [ -n "$stderr" ] || skip "KVM works here"
  same 1 "${#stderr_lines[@]}"
  has "$stderr" /dev/kvm
  run --separate-stderr -0 mvm run --rm "$IMAGE" echo ran
  same ran "$output"
  same '' "$stderr"
}

@test "MVM_ACCEL=tcg says nothing and works" {
  MVM_ACCEL=tcg run --separate-stderr -0 mvm run --rm "$IMAGE" true
  same '' "$stderr"
  MVM_ACCEL=warp run --separate-stderr -125 mvm run --rm "$IMAGE" true
  error_says MVM_ACCEL warp
}

@test "the guest's clock: the host's time" {
  local guest host
  guest=$(mvm run --rm "$IMAGE" date +%s)
  host=$(date +%s)
  printf 'guest %s, host %s\n' "$guest" "$host"
  [ $((host - guest)) -le 3 ]
  [ $((guest - host)) -le 1 ]
}

@test "the guest's clock: within 1 % of the host's over 3 s" {
  # shellcheck source=tests/lib/clock.sh
  . "$BATS_TEST_DIRNAME/../lib/clock.sh"
  local drift
  drift=$(clock_drift "$MVM" "$IMAGE")
  echo "$drift %"
  awk -v drift="$drift" 'BEGIN { exit !(drift < 1 && drift > -1) }'
}

guest_is_ahead() {
  local ahead=$(($(mvm exec time date +%s) - $(date +%s)))
  printf 'ahead by %s s\n' "$ahead"
  [ "$ahead" -ge $(($1 - 5)) ] && [ "$ahead" -le $(($1 + 5)) ]
}

@test "the guest's clock: follows the host's when that jumps, forth and back" {
  local jump
  jump=$(dirname "$MVM")/tests/vm/clock/jump.so
  [ -e "$jump" ] || skip "there is no $jump"
  export JUMP_FILE=$BATS_TEST_TMPDIR/jump
  echo 0 >"$JUMP_FILE"
  LD_PRELOAD=$jump mvm run -d --name time "$IMAGE" sleep 1000
  guest_is_ahead 0
  # A host that slept for an hour.
  echo 3600 >"$JUMP_FILE"
  eventually guest_is_ahead 3600
  echo -86400 >"$JUMP_FILE"
  eventually guest_is_ahead -86400
  mvm rm -f time
}

@test "the kernel is ours, and another can be named" {
  local kernel
  kernel=$(dirname "$MVM")/initfs/vmlinux
  run -0 mvm run --rm "$IMAGE" uname -r
  same "$(sed -n 's/^# Linux\/[^ ]* \([0-9.]*\) .*/\1/p' "$(dirname "$(readlink -f "$kernel")")/config")" "$output"
  cp "$kernel" "$BATS_TEST_TMPDIR/another"
  run -0 mvm run --rm --kernel "$BATS_TEST_TMPDIR/another" "$IMAGE" true
}
