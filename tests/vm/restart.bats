#!/usr/bin/env bats
# Restart policies: docker's words and rules, over real VMs.
#
# shellcheck disable=SC2016,SC2154 # programs for the guest; variables that bats sets

load ../lib/vm.bash

is_count() { [ "$(mvm inspect -f '{{.RestartCount}}' "$1")" -ge "$2" ]; }
field() { mvm inspect -f "$2" "$1"; }

# Counts its rounds on its own disk, and ends with that number.
counter='n=$(($(cat /n 2>/dev/null || echo 0) + 1)); echo $n >/n; echo round $n; exit $n'

@test "policies and what they cannot be together with, in docker's words" {
  run --separate-stderr -125 mvm run --rm --restart always "$IMAGE" true
  error_says "conflicting options: cannot specify both --restart and --rm"
  run --separate-stderr -125 mvm run --restart sometimes "$IMAGE" true
  error_says "invalid restart policy: unknown policy 'sometimes'; use one of 'no', 'always', 'on-failure', or 'unless-stopped'"
  run --separate-stderr -125 mvm run --restart always:3 "$IMAGE" true
  error_says "maximum retry count can only be used with 'on-failure'"
  mvm run --rm --restart no "$IMAGE" true
  mvm create --name policy --restart on-failure:4 "$IMAGE" true
  same 'on-failure 4' "$(field policy '{{.HostConfig.RestartPolicy.Name}} {{.HostConfig.RestartPolicy.MaximumRetryCount}}')"
  mvm rm policy
}

@test "on-failure: so often and no more, one disk and one log, and a run that was attached ends with the first end" {
  run -1 mvm run --name fails --restart on-failure:2 "$IMAGE" sh -c "$counter"
  same 'round 1' "$output"
  eventually is_state fails exited
  same 'exited 3 2 false' "$(field fails '{{.State.Status}} {{.State.ExitCode}} {{.RestartCount}} {{.State.Restarting}}')"
  same $'round 1\nround 2\nround 3' "$(mvm logs fails)"
  has "$(column fails Status)" "Exited (3)"
  # A start of the user's counts anew.
  mvm start fails
  eventually is_state fails exited
  same 2 "$(field fails '{{.RestartCount}}')"
  same 'round 6' "$(mvm logs -n 1 fails)"
  mvm rm fails
}

@test "on-failure: success is the end; always: it is not" {
  mvm run -d --name succeeds --restart on-failure "$IMAGE" true
  eventually is_state succeeds exited
  same 0 "$(field succeeds '{{.RestartCount}}')"
  mvm rm succeeds
  mvm run -d --name again --restart always "$IMAGE" true
  eventually is_count again 2
  mvm rm -f again
}

@test "between two runs: how it shows, what is refused, and what ends it" {
  mvm run -d --name waits --restart always "$IMAGE" sh -c 'echo here; exit 7'
  # Its waits have become long then.
  MVM_PATIENCE=120 eventually is_count waits 7
  eventually is_state waits restarting
  local id
  id=$(field waits '{{.Id}}')
  has "$(column waits Status)" "Restarting (7)" " ago"
  same 'true true 7 0' "$(field waits '{{.State.Restarting}} {{.State.Running}} {{.State.ExitCode}} {{.State.Pid}}')"
  same waits "$(mvm ps -f status=restarting --format '{{.Names}}')"
  run --separate-stderr -1 mvm exec waits true
  error_says "Container $id is restarting, wait until the container is running"
  run --separate-stderr -1 mvm pause waits
  error_says "Container $id is restarting, wait until the container is running"
  run --separate-stderr -1 mvm attach waits
  error_says "cannot attach to a restarting container, wait until it is running"
  run --separate-stderr -1 mvm rm waits
  error_says 'cannot remove container "/waits": container is restarting: stop the container before removing or force remove'
  # It is as good as started, its log is there and followed no further.
  mvm start waits
  has "$(mvm logs -f waits)" here
  mvm stop waits
  same 'exited 7 false' "$(field waits '{{.State.Status}} {{.State.ExitCode}} {{.State.Restarting}}')"
  eventually no_own_processes
  # So does kill, and rm -f.
  mvm start waits
  MVM_PATIENCE=120 eventually is_count waits 4
  eventually is_state waits restarting
  mvm kill waits
  eventually is_state waits exited
  mvm start waits
  eventually is_count waits 3
  mvm rm -f waits
  eventually no_own_processes
}

@test "stop and kill suppress it, a restart of the user's does not" {
  mvm run -d --name always --restart always "$IMAGE" sh -c 'trap "exit 5" TERM; echo ready; while :; do sleep 0.1; done'
  eventually log_has always ready
  mvm stop always
  same 'exited 5 0' "$(field always '{{.State.Status}} {{.State.ExitCode}} {{.RestartCount}}')"
  mvm restart always
  eventually is_state always running
  mvm kill always
  eventually is_state always exited
  same 137 "$(field always '{{.State.ExitCode}}')"
  # wait returns at each end; a follower leaves, too.
  mvm start always
  (mvm wait always >"$BATS_TEST_TMPDIR/code") 3>&- &
  local waiter=$!
  (mvm logs -f always >"$BATS_TEST_TMPDIR/followed") 3>&- &
  local follower=$!
  eventually test -s "$BATS_TEST_TMPDIR/followed"
  mvm exec always kill -TERM 1
  wait "$waiter" "$follower"
  same 5 "$(cat "$BATS_TEST_TMPDIR/code")"
  eventually is_count always 1
  eventually is_state always running
  mvm rm -f always
}

@test "a machine that dies is followed by another" {
  mvm run -d --name dies --restart on-failure "$IMAGE" sleep 1000
  local qemu
  qemu=$(pgrep -P "$(field dies '{{.State.Pid}}')" -f qemu-system)
  kill -9 "$qemu"
  eventually is_count dies 1
  eventually is_state dies running
  same '1 0' "$(field dies '{{.RestartCount}} {{.State.ExitCode}}')"
  mvm exec dies true
  mvm rm -f dies
}

@test "a program that is not there is not tried again" {
  run --separate-stderr -127 mvm run --name absent --restart always "$IMAGE" /no/such/program
  same created "$(column absent State)"
  eventually no_own_processes
  mvm rm absent
  # It takes itself away: the second start fails.
  mvm run -d --name vanishes --restart always "$IMAGE" sh -c 'rm /bin/sh; exit 9'
  eventually is_state vanishes exited
  same '9 1' "$(field vanishes '{{.State.ExitCode}} {{.RestartCount}}')"
  has "$(field vanishes '{{.State.Error}}')" sh
  mvm rm vanishes
}

@test "what events tell of it, and update --restart ends it" {
  local since=$EPOCHSECONDS
  mvm run -d --name told --restart always --health-cmd true --health-interval 100ms "$IMAGE" sh -c 'sleep 1; exit 4'
  eventually is_count told 2
  mvm update --restart no told
  eventually is_state told exited
  same 'no 4' "$(field told '{{.HostConfig.RestartPolicy.Name}} {{.State.ExitCode}}')"
  mvm events --since "$since" --until "$((EPOCHSECONDS + 1))" --filter container=told --format '{{.Action}}' >"$BATS_TEST_TMPDIR/events"
  local starts
  starts=$(grep -cx start "$BATS_TEST_TMPDIR/events")
  [ "$starts" -ge 3 ]
  # An end for each start, in turn.
  same "$starts" "$(grep -cx die "$BATS_TEST_TMPDIR/events")"
  grep -qx 'health_status: healthy' "$BATS_TEST_TMPDIR/events"
  mvm rm told
}

@test "a restart of one that waits for its next run, and copies from it" {
  mvm run -d --name waits --restart always "$IMAGE" sh -c 'echo here >/file; exit 1'
  MVM_PATIENCE=120 eventually is_count waits 6
  eventually is_state waits restarting
  run --separate-stderr -1 mvm export -o "$BATS_TEST_TMPDIR/out.tar" waits
  error_says "is restarting, wait until the container is running"
  mvm restart waits
  eventually is_count waits 1
  mvm stop waits
  mvm export waits | tar -xO file
  mvm rm waits
}

@test "a supervisor that is killed between two runs: the container has ended as it had" {
  mvm run -d --name lost --restart always "$IMAGE" sh -c 'exit 6'
  MVM_PATIENCE=120 eventually is_count lost 6
  eventually is_state lost restarting
  # Pid is that of a process of the container's, of which there is none: the supervisor stands in the file.
  kill -9 "$(jq .Pid "$MVM_HOME"/containers/"$(field lost '{{.Id}}')"/state.json)"
  eventually is_state lost exited
  same 6 "$(field lost '{{.State.ExitCode}}')"
  same lost "$(mvm system start)"
  eventually is_count lost 1
  mvm rm -f lost
}
