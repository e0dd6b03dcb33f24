#!/usr/bin/env bats
# Containers over their life: -d, ps, logs, stop, kill, rm.
#
# shellcheck disable=SC2016,SC2154 # programs for the guest; variables that bats sets

load ../lib/vm.bash

@test "-d prints the id; ps shows it running; stop and rm print what they were given" {
  run --separate-stderr -0 mvm run -d --name life "$IMAGE" sleep 1000
  [[ $output =~ ^[0-9a-f]{64}$ ]]
  local id=$output
  run -0 mvm ps
  has "${lines[0]}" "CONTAINER ID" IMAGE COMMAND CREATED STATUS PORTS NAMES
  has "${lines[1]}" "${id:0:12}" "$IMAGE" '"sleep 1000"' "Up " life
  same 2 "${#lines[@]}"
  run -0 mvm stop -t 1 life
  same life "$output"
  run -0 mvm ps
  same 1 "${#lines[@]}"
  run -0 mvm ps -a
  has "${lines[1]}" "Exited (137)" life
  run -0 mvm rm "${id:0:8}"
  same "${id:0:8}" "$output"
  run -0 mvm ps -aq
  same '' "$output"
}

@test "kill: 137, and by another signal" {
  mvm run -d --name victim "$IMAGE" sleep 1000
  run -0 mvm kill victim
  same victim "$output"
  eventually is_state victim exited
  has "$(mvm ps -a)" "Exited (137)"
  run --separate-stderr -1 mvm kill victim
  error_says victim "is not running"
  mvm rm victim
  mvm run -d --name victim "$IMAGE" sh -c 'trap "echo usr2; exit 3" USR2; echo ready; while :; do sleep 0.1; done'
  eventually log_has victim ready
  mvm kill -s USR2 victim
  eventually is_state victim exited
  has "$(mvm logs victim)" usr2
  has "$(mvm ps -a)" "Exited (3)"
  mvm rm victim
}

@test "a foreground run that is killed exits with 137" {
  mkfifo "$BATS_TEST_TMPDIR/out"
  "$MVM" run --name fore "$IMAGE" sh -c 'echo ready; sleep 1000' >"$BATS_TEST_TMPDIR/out" 3>&- &
  read -r -t 60 line <"$BATS_TEST_TMPDIR/out"
  same ready "$line"
  mvm kill fore
  local code=0
  wait $! || code=$?
  same 137 "$code"
  mvm rm fore
}

@test "stop: the image's signal, then the time given, then SIGKILL" {
  mvm run -d --name polite "$REGISTRY/stopsignal"
  eventually log_has polite ready
  mvm stop polite
  has "$(mvm logs polite)" usr1
  has "$(mvm ps -a)" "Exited (9)"
  run -0 mvm stop polite
  mvm rm polite
  mvm run -d --name deaf "$IMAGE" sh -c 'trap "" TERM; echo ready; while :; do sleep 1; done'
  eventually log_has deaf ready
  local start=$SECONDS
  mvm stop -t 2 deaf
  [ $((SECONDS - start)) -ge 2 ]
  [ $((SECONDS - start)) -lt 10 ]
  has "$(mvm ps -a)" "Exited (137)"
  mvm rm deaf
}

@test "rm refuses a running container, rm -f does not, and is silent about one that is gone" {
  mvm run -d --name busy "$IMAGE" sleep 1000
  run --separate-stderr -1 mvm rm busy
  error_says busy "running"
  run -0 mvm rm -f busy
  same busy "$output"
  run -0 mvm rm -f busy
  eventually no_own_processes
}

@test "several at once; what fails does not stop the rest" {
  mvm run -d --name one "$IMAGE" sleep 1000
  mvm run -d --name two "$IMAGE" sleep 1000
  run --separate-stderr -1 mvm kill one nosuch two
  same $'one\ntwo' "$output"
  has "$stderr" "No such container: nosuch"
  # With -f docker takes one that is not there for done.
  run --separate-stderr -0 mvm rm -f one nosuch two
  same $'one\ntwo' "$output"
  run --separate-stderr -1 mvm rm nosuch
  no_containers
}

@test "--rm -d: gone when it ends" {
  mvm run -d --rm --name brief "$IMAGE" true
  eventually no_containers
}

@test "logs: both streams apart, in order, after the end and while it runs" {
  mvm run -d --name talks "$IMAGE" sh -c 'echo out; echo err >&2; printf unfinished; read x; echo $x' </dev/null
  eventually is_state talks exited
  run --separate-stderr -0 mvm logs talks
  has "$output" out unfinished
  same err "$stderr"
  mvm rm talks
}

@test "logs -f ends with the container and misses nothing" {
  mvm run -d --name counts "$IMAGE" sh -c 'i=0; while [ $i -lt 2000 ]; do echo line $i; i=$((i + 1)); done; sleep 1; echo last'
  run -0 mvm logs -f counts
  same 2001 "${#lines[@]}"
  same "line 1999" "${lines[1999]}"
  same last "${lines[2000]}"
  mvm rm counts
}

@test "logs of a foreground container are kept too" {
  run -0 mvm run --name kept "$IMAGE" sh -c 'echo said'
  same said "$(mvm logs kept)"
  mvm rm kept
}

@test "--cidfile" {
  local id
  id=$(mvm run -d --cidfile "$BATS_TEST_TMPDIR/cid" "$IMAGE" sleep 1000)
  same "$id" "$(cat "$BATS_TEST_TMPDIR/cid")"
  mvm rm -f "$id"
}

@test "labels: the image's and those given, and ps in JSON" {
  mvm run -d --name blue -l colour=blue --label size --label of=flag "$REGISTRY/defaults" sleep 1000
  mvm run --name "done" --label colour=red "$IMAGE" true
  same colour=blue,of=flag,size= "$(column blue Labels)"
  same colour=red "$(column "done" Labels)"
  same running "$(column blue State)"
  same exited "$(column "done" State)"
  same "$IMAGE" "$(column "done" Image)"
  same 1 "$(mvm ps -q | wc -l)"
  same 2 "$(mvm ps -aq | wc -l)"
  [[ $(mvm ps -q --no-trunc) =~ ^[0-9a-f]{64}$ ]]
  mvm rm -f blue "done"
}

@test "a name is made up where none is given, and is usable" {
  mvm run -d "$IMAGE" sleep 1000
  local name
  name=$(mvm ps --format json | jq -r .Names)
  [[ $name =~ ^[a-z]+_[a-z]+[0-9]*$ ]]
  mvm rm -f "$name"
}

@test "killing the CLI of a -d container is nothing to it; nor is closing its terminal" {
  setsid -w "$MVM" run -d --name apart "$IMAGE" sleep 1000 </dev/null >/dev/null 3>&-
  is_state apart running
  mvm rm -f apart
}

@test "two containers at once, each its own machine" {
  mvm run -d --name first "$IMAGE" sh -c 'cat /proc/sys/kernel/random/boot_id; sleep 1000'
  mvm run -d --name second "$IMAGE" sh -c 'cat /proc/sys/kernel/random/boot_id; sleep 1000'
  eventually log_has first -
  eventually log_has second -
  [ "$(mvm logs first)" != "$(mvm logs second)" ]
  mvm rm -f first second
}

@test "when the machine dies the container says so: 255" {
  mvm run -d --name struck "$IMAGE" sleep 1000
  kill -9 "$(mvm_processes | awk '$2 == "qemu" { print $1 }')"
  eventually is_state struck exited
  has "$(mvm ps -a)" "Exited (255)"
  mvm rm struck
  eventually no_own_processes
}
