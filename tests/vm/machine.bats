#!/usr/bin/env bats
# The machine itself: accelerator, clock, kernel, version and info.
#
# shellcheck disable=SC2016,SC2154 # programs for the guest; variables that bats sets

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

@test "the guest's clock: the host's time, and as fast" {
  local before after host guest
  mkfifo "$BATS_TEST_TMPDIR/out"
  "$MVM" run --rm "$IMAGE" sh -c 'date +%s; cut -d" " -f1 /proc/uptime; sleep 3; cut -d" " -f1 /proc/uptime' \
    >"$BATS_TEST_TMPDIR/out" 3>&- &
  exec 4<"$BATS_TEST_TMPDIR/out"
  read -r -t 60 -u 4 guest
  host=$(date +%s)
  [ $((host - guest)) -le 2 ]
  [ $((guest - host)) -le 1 ]
  read -r -t 60 -u 4 before
  local start=${EPOCHREALTIME/./}
  read -r -t 60 -u 4 after
  local elapsed=$((${EPOCHREALTIME/./} - start))
  wait $!
  local told=$(((${after/./} - ${before/./}) * 10000))
  printf 'guest %s us, host %s us\n' "$told" "$elapsed"
  # Starting "sleep" and "cut" counts on both sides; a wrong clock is off by far more than 3 %.
  [ $((told - elapsed)) -lt 90000 ]
  [ $((elapsed - told)) -lt 90000 ]
}

@test "the kernel is ours, and another can be named" {
  local kernel
  kernel=$(dirname "$MVM")/initfs/vmlinux
  run -0 mvm run --rm "$IMAGE" uname -r
  same "$(sed -n 's/^# Linux\/[^ ]* \([0-9.]*\) .*/\1/p' "$(dirname "$(readlink -f "$kernel")")/config")" "$output"
  cp "$kernel" "$BATS_TEST_TMPDIR/another"
  run -0 mvm run --rm --kernel "$BATS_TEST_TMPDIR/another" "$IMAGE" true
}
