#!/usr/bin/env bats
# mvm logs: which part, rotated files, what a disk without room does to it.
#
# shellcheck disable=SC2016,SC2154 # programs for the guest; variables that bats sets

load ../lib/vm.bash

# It has asked to be told and waits.
follows() { [ "$(cut -d ' ' -f 3 "/proc/$1/stat")" = S ] && [ -n "$(find "/proc/$1/fd" -lname '*container.log')" ]; }

# One container's log serves many cases.
@test "tail, times, details, since and until, by docker's words" {
  mvm run --name talks "$IMAGE" sh -c 'echo one; echo two >&2; sleep 1; echo three; sleep 1; printf "%040000d\n" 4; printf end'
  run --separate-stderr -0 mvm logs -n 3 talks
  same "three" "${lines[0]}"
  same 40000 "${#lines[1]}"
  same "end" "${lines[2]}"
  run --separate-stderr -0 mvm container logs --tail=1 talks
  same "end" "$output"
  run --separate-stderr -0 mvm logs -n 0 talks
  same "" "$output$stderr"
  run --separate-stderr -0 mvm logs --tail all --details talks
  same " one" "${lines[0]}"
  same " two" "$(mvm logs --details talks 2>&1 >/dev/null)"
  run --separate-stderr -0 mvm logs -t talks
  [[ ${lines[0]} =~ ^20[0-9]{2}(-[0-9]{2}){2}T[0-9]{2}(:[0-9]{2}){2}\.[0-9]{9}Z\ one$ ]]
  local third=${lines[1]%% *}
  same "$third three" "${lines[1]}"
  # A line in parts has one time.
  same 1 "$(grep -o 'T..:..:' <<<"${lines[2]}" | wc -l)"
  run --separate-stderr -0 mvm logs --since "$third" talks
  same three "${lines[0]}"
  same "" "$stderr"
  run --separate-stderr -0 mvm logs --until "${third%Z}+00:00" talks
  same $'one\nthree' "$output"
  run --separate-stderr -0 mvm logs --since 1h -f talks
  same one "${lines[0]}"
  run --separate-stderr -0 mvm logs --until 1h talks
  same "" "$output"
  run --separate-stderr -125 mvm logs --since yesterday talks
  error_says 'invalid value for "since": failed to parse value as time or duration: "yesterday"'
  run --separate-stderr -125 mvm logs --boot -f talks
  error_says --boot
  mvm rm talks
}

@test "rotation: what is kept, and following over it without a loss" {
  # It goes on when the follower has what there is: one that is slower than two files are filled misses what they held.
  mkfifo "$BATS_TEST_TMPDIR/in"
  mvm run -i --name turns --log-opt max-size=2k --log-opt max-file=3 "$IMAGE" \
    sh -c 'i=0; while [ $i -lt 300 ]; do [ $((i % 20)) != 0 ] || read x; echo line $i; i=$((i + 1)); done' <"$BATS_TEST_TMPDIR/in" >"$BATS_TEST_TMPDIR/all" 3>&- &
  local run=$!
  exec 4>"$BATS_TEST_TMPDIR/in"
  eventually is_state turns running
  "$MVM" logs -f turns >"$BATS_TEST_TMPDIR/followed" 3>&- 4>&- &
  local follower=$!
  eventually follows "$follower"
  local i
  for i in {19..299..20}; do
    echo go >&4
    eventually grep -qx "line $i" "$BATS_TEST_TMPDIR/followed"
  done
  exec 4>&-
  wait "$run"
  wait "$follower"
  diff "$BATS_TEST_TMPDIR/all" "$BATS_TEST_TMPDIR/followed"
  same 300 "$(wc -l <"$BATS_TEST_TMPDIR/all")"
  same 3 "$(find "$MVM_HOME"/containers -name 'container.log*' | wc -l)"
  same '{"Type":"json-file","Config":{"max-size":"2k","max-file":"3"}}' \
    "$(mvm inspect -f '{{json .HostConfig.LogConfig}}' turns | jq -c '{Type, Config: {"max-size": .Config["max-size"], "max-file": .Config["max-file"]}}')"
  local kept
  kept=$(mvm logs turns | wc -l)
  [ "$kept" -gt 80 ] && [ "$kept" -lt 200 ]
  same "$(tail -n "$kept" "$BATS_TEST_TMPDIR/all")" "$(mvm logs turns)"
  same "$(tail -n 70 "$BATS_TEST_TMPDIR/all")" "$(mvm logs -n 70 turns)"
  mvm rm turns
}

@test "log drivers: none keeps nothing and says so; what is not there is refused" {
  run --separate-stderr -0 env MVM_LOG=debug "$MVM" run --name mute --log-driver none "$IMAGE" echo heard
  same heard "$output"
  run --separate-stderr -1 mvm logs mute
  error_says "configured logging driver does not support reading"
  # The machine's own words are kept all the same.
  run --separate-stderr -0 mvm logs --boot mute
  has "$output" "Run /init as init process"
  same "$(cat "$MVM_HOME"/containers/*/boot.log | cksum)" "$(mvm logs --boot mute | cksum)"
  same '' "$(find "$MVM_HOME"/containers -name 'container.log*')"
  mvm rm mute
  run --separate-stderr -125 mvm run --log-driver syslog "$IMAGE" true
  error_says "no log driver named 'syslog' is registered"
  run --separate-stderr -125 mvm run --log-opt max-size=0 "$IMAGE" true
  error_says "max-size must be a positive number"
  run --separate-stderr -125 mvm run --log-opt colour=red "$IMAGE" true
  error_says "unknown log opt 'colour' for json-file log driver"
}
