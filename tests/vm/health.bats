#!/usr/bin/env bats
# Health checks: docker's words and rules, over real VMs.
#
# shellcheck disable=SC2016,SC2154 # programs for the guest; variables that bats sets

load ../lib/vm.bash

field() { mvm inspect -f "$2" "$1"; }
is_health() { [ "$(field "$1" '{{.State.Health.Status}}')" = "$2" ]; }
last() { mvm inspect "$1" | jq -r ".[0].State.Health.Log[-1].$2"; }
# with_streak CONTAINER N
with_streak() { [ "$(field "$1" '{{.State.Health.FailingStreak}}')" -ge "$2" ]; }
probed_often() { mvm inspect "$1" | jq -e '.[0].State.Health.Log | length >= 3' >/dev/null; }
probed_after() { [ "$(last "$1" Start)" != "$2" ]; }
is_count() { [ "$(field "$1" '{{.RestartCount}}')" = "$2" ]; }

@test "flags that make no sense are refused in docker's words" {
  run --separate-stderr -125 mvm run --rm --no-healthcheck --health-cmd true "$IMAGE" true
  error_says "--no-healthcheck conflicts with --health-* options"
  run --separate-stderr -125 mvm run --rm --health-interval -3s "$IMAGE" true
  error_says "--health-interval cannot be negative"
  run --separate-stderr -125 mvm run --rm --health-timeout soon "$IMAGE" true
  has "$stderr" 'invalid argument "soon" for "--health-timeout" flag: time: invalid duration "soon"'
  run --separate-stderr -125 mvm run --rm --health-start-period 10us "$IMAGE" true
  error_says "StartPeriod in Healthcheck cannot be less than 1ms"
  run --separate-stderr -125 mvm run --rm --health-retries -1 "$IMAGE" true
  error_says "--health-retries cannot be negative"
  run --separate-stderr -125 mvm ps -f health=fine
  error_says "health=fine"
}

@test "starting, healthy, unhealthy and healthy again; ps, its filter, inspect, events; and no check after the end" {
  mvm run -d --name ill --health-cmd 'cat /tmp/ok; echo probed >&2; test -e /tmp/ok' --health-interval 300ms --health-retries 2 \
    "$IMAGE" sleep 1000
  is_health ill starting || is_health ill unhealthy
  eventually is_health ill unhealthy
  has "$(column ill Status)" "Up " "(unhealthy)"
  same ill "$(mvm ps -f health=unhealthy --format '{{.Names}}')"
  same '' "$(mvm ps -f health=healthy -q)"
  same 1 "$(last ill ExitCode)"
  has "$(last ill Output)" "No such file" probed
  eventually with_streak ill 5
  same 5 "$(mvm inspect ill | jq '.[0].State.Health.Log | length')"
  mvm exec ill sh -c 'echo fine >/tmp/ok'
  eventually is_health ill healthy
  has "$(column ill Status)" "(healthy)"
  same 0 "$(field ill '{{.State.Health.FailingStreak}}')"
  has "$(last ill Output)" fine probed
  same '["CMD-SHELL","cat /tmp/ok; echo probed >&2; test -e /tmp/ok"] 300000000 2' \
    "$(field ill '{{json .Config.Healthcheck.Test}} {{.Config.Healthcheck.Interval}} {{.Config.Healthcheck.Retries}}')"
  # What it does is nobody's output.
  same '' "$(mvm logs ill 2>&1)"
  mvm stop -t 0 ill
  # As docker, it is remembered as it was.
  is_health ill healthy
  lacks "$(column ill Status)" healthy
  mvm start ill
  lacks "$(column ill Status)" unhealthy
  eventually is_health ill healthy
  mvm rm -f ill
  eventually no_own_processes
}

@test "a check that takes too long is killed and has failed; much output is cut" {
  mvm run -d --name slow --health-cmd 'echo waiting; exec sleep 999' --health-interval 200ms --health-timeout 500ms --health-retries 1 \
    "$IMAGE" sleep 1000
  eventually is_health slow unhealthy
  same -1 "$(last slow ExitCode)"
  same $'Health check exceeded timeout (500ms): waiting' "$(last slow Output)"
  eventually with_streak slow 3
  # At most one is there, beside the container's own.
  [ "$(mvm exec slow sh -c 'grep -lx sleep /proc/[0-9]*/comm | wc -l')" -le 2 ]
  mvm rm -f slow
  mvm run -d --name loud --health-cmd 'yes | head -c 100000' --health-interval 300ms "$IMAGE" sleep 1000
  eventually is_health loud healthy
  same 4099 "$(last loud 'Output | length')"
  mvm rm -f loud
}

@test "time to start in; what stands still is not checked" {
  mvm run -d --name begins --health-cmd 'test -e /tmp/ok' --health-interval 300ms --health-start-period 1h --health-start-interval 200ms \
    --health-retries 1 "$IMAGE" sleep 1000
  eventually probed_often begins
  is_health begins starting
  has "$(column begins Status)" "(health: starting)"
  same 0 "$(field begins '{{.State.Health.FailingStreak}}')"
  mvm exec begins touch /tmp/ok
  eventually is_health begins healthy
  mvm pause begins
  has "$(column begins Status)" "(Paused)"
  local before
  before=$(last begins Start)
  # Others are checked meanwhile, this one is not.
  mvm run -d --name other --health-cmd true --health-interval 300ms "$IMAGE" sleep 1000
  eventually is_health other healthy
  same "$before" "$(last begins Start)"
  mvm unpause begins
  eventually probed_after begins "$before"
  is_health begins healthy
  mvm rm -f begins other
}

@test "the image's check, parts of it replaced, and none; an image without a shell says so" {
  mvm create --name base "$IMAGE" true
  mvm export -o "$BATS_TEST_TMPDIR/rootfs.tar" base
  mvm rm base
  mvm import -c 'HEALTHCHECK --interval=200ms --retries=1 CMD ["test", "-e", "/etc/passwd"]' -c 'CMD ["sleep", "1000"]' \
    "$BATS_TEST_TMPDIR/rootfs.tar" checked
  mvm run -d --name image checked
  eventually is_health image healthy
  mvm run -d --name parts --health-cmd 'exit 3' checked
  eventually is_health parts unhealthy
  same '3 1' "$(last parts ExitCode) $(field parts '{{.Config.Healthcheck.Retries}}')"
  mvm run -d --name none --no-healthcheck checked
  same 'null ["NONE"]' "$(mvm inspect none | jq -c '.[0].State.Health') $(mvm inspect none | jq -c '.[0].Config.Healthcheck.Test')"
  same none "$(mvm ps -f health=none --format '{{.Names}}')"
  mvm rm -f image parts none
  mkdir -p "$BATS_TEST_TMPDIR/root/bin"
  cp /bin/busybox "$BATS_TEST_TMPDIR/root/bin/sleep"
  tar -C "$BATS_TEST_TMPDIR/root" -cf "$BATS_TEST_TMPDIR/shellless.tar" .
  mvm import -c 'HEALTHCHECK --interval=200ms --retries=1 CMD true' -c 'CMD ["sleep", "1000"]' \
    "$BATS_TEST_TMPDIR/shellless.tar" shellless
  mvm run -d --name shellless shellless
  eventually is_health shellless unhealthy
  has "$(last shellless Output)" /bin/sh "which the image lacks"
  mvm rm -f shellless
  mvm rmi shellless checked
}

@test "a guest that hangs becomes unhealthy, and rm -f works" {
  mvm run -d --name hangs --health-cmd true --health-interval 300ms --health-timeout 300ms --health-retries 2 "$IMAGE" sleep 1000
  eventually is_health hangs healthy
  local qemu
  qemu=$(pgrep -P "$(field hangs '{{.State.Pid}}')" -f qemu-system)
  kill -STOP "$qemu"
  MVM_PATIENCE=90 eventually is_health hangs unhealthy
  mvm rm -f hangs
  eventually no_own_processes
}

@test "each round of a restart policy begins with its health" {
  mvm run -d --name rounds --restart always --health-cmd true --health-interval 200ms "$IMAGE" sleep 1000
  eventually is_health rounds healthy
  kill -9 "$(pgrep -P "$(field rounds '{{.State.Pid}}')" -f qemu-system)"
  eventually is_count rounds 1
  eventually is_state rounds running
  eventually is_health rounds healthy
  mvm rm -f rounds
}
