#!/usr/bin/env bats
# Commands that come to the wrong time, twice, or two at once: what docker takes for done is done, the rest is refused
# in its words. tests/chaos/race-pairs does it at random.
#
# shellcheck disable=SC2016,SC2154 # programs for the guest; variables that bats sets

load ../lib/vm.bash

@test "commands on one that is not in the state for them" {
  local id
  id=$(mvm create --name still "$IMAGE" sh -c 'trap "exit 3" TERM; echo ready; while :; do sleep 0.1; done')
  run -0 mvm stop still
  same still "$output"
  run --separate-stderr -1 mvm kill still
  error_says "cannot kill container: still: container $id is not running"
  run --separate-stderr -1 mvm pause still
  error_says "container $id is not running"
  run --separate-stderr -1 mvm unpause still
  error_says "Container $id is not paused"
  run --separate-stderr -1 mvm exec still true
  error_says "container $id is not running"
  run --separate-stderr -1 mvm attach still
  error_says "cannot attach to a stopped container, start it first"
  same 0 "$(mvm wait still)"
  run -0 mvm restart still
  same still "$output"
  is_state still running
  run -0 mvm start still
  eventually log_has still ready
  run --separate-stderr -1 mvm rm still
  error_says 'cannot remove container "/still": container is running: stop the container before removing or force remove'
  run --separate-stderr -1 mvm kill -s NOSUCH still
  error_says "invalid signal: NOSUCH"
  run --separate-stderr -1 mvm stop -s 99 still
  error_says "invalid signal: 99"
  run -0 mvm stop still
  run -0 mvm stop still
  has "$(column still Status)" "Exited (3)"
  same 3 "$(mvm wait still)"
  mvm rm still
  run --separate-stderr -1 mvm rm still
  error_says "No such container: still"
  # Docker takes that for done, and says it all the same.
  run --separate-stderr -0 mvm rm -f still
  error_says "No such container: still"
}

@test "kill returns when it has ended: what comes next finds it so" {
  mvm run -d --name victim "$IMAGE" sleep 1000
  run -0 mvm kill victim
  run -0 mvm rm victim
  mvm run -d --rm --name victim "$IMAGE" sleep 1000
  mvm kill victim
  no_containers
}

@test "several are stopped at the same time, and what they say comes in their order" {
  local start name
  for name in one two three; do
    mvm run -d --name "$name" "$IMAGE" sh -c 'trap "" TERM; echo ready; while :; do sleep 1; done'
    eventually log_has "$name" ready
  done
  start=$SECONDS
  run --separate-stderr -1 mvm stop -t 4 three nosuch one two
  [ $((SECONDS - start)) -lt 10 ]
  same $'three\none\ntwo' "$output"
  same "mvm: No such container: nosuch" "$stderr"
  for name in one two three; do has "$(column "$name" Status)" "Exited (137)"; done
  run --separate-stderr -1 mvm rm one nosuch three other two
  same $'one\nthree\ntwo' "$output"
  same $'mvm: No such container: nosuch\nmvm: No such container: other' "$stderr"
}

@test "stop, kill and rm while it ends by itself" {
  local i
  for i in 1 2 3; do
    mvm run -d --name brief "$IMAGE" sleep 0.$((i * 2))
    mvm stop -t 0 brief >"$BATS_TEST_TMPDIR/stop" 2>&1 3>&- &
    mvm kill brief >"$BATS_TEST_TMPDIR/kill" 2>&1 3>&- &
    mvm exec brief true >"$BATS_TEST_TMPDIR/exec" 2>&1 3>&- &
    mvm rm -f brief >"$BATS_TEST_TMPDIR/rm" 2>&1 3>&- &
    mvm stop brief >"$BATS_TEST_TMPDIR/again" 2>&1 3>&- &
    wait
    no_containers
    same brief "$(cat "$BATS_TEST_TMPDIR/rm")"
    same '' "$(grep -vhE '^brief$|^mvm: .*(No such container: brief|is not running)$' "$BATS_TEST_TMPDIR"/*)"
  done
  eventually no_own_processes
}
