#!/usr/bin/env bats
# mvm exec. One container serves nearly all cases; who ends it has one of its own.
#
# shellcheck disable=SC2016,SC2154 # programs for the guest; variables that bats sets

load ../lib/vm.bash

# Not removed after each test: the check for what a test leaves behind is not for this file.
setup_file() {
  export BOX=exec-box
  "$MVM" run -d --name "$BOX" -e FROM=container -e GONE=soon -w /tmp -u 1:1 "$IMAGE" sh -c 'trap "exit 0" TERM; while :; do sleep 0.1; done' >/dev/null
}
teardown_file() { "$MVM" rm -f "$BOX" >/dev/null; }
teardown() {
  local left
  if declare -F test_teardown >/dev/null; then test_teardown; fi
  left=$(mvm ps -a --format json | jq -r 'select(.Names != env.BOX) | .ID')
  # shellcheck disable=SC2086 # one id a word
  [ -z "$left" ] || { mvm rm -f $left >/dev/null; return 1; }
}

in_box() { mvm exec -u root "$BOX" "$@"; }
box_has() { in_box test -e "$1"; }

@test "the program's streams are kept apart and its exit code is ours" {
  run --separate-stderr -3 mvm exec "$BOX" sh -c 'echo out; echo err >&2; exit 3'
  same out "$output"
  same err "$stderr"
  run -0 mvm container exec "$BOX" true
}

@test "a signal's exit code is 128 and its number" {
  run -137 mvm exec "$BOX" sh -c 'kill -9 $$'
  run -143 mvm exec "$BOX" sh -c 'kill -TERM $$'
}

@test "127 for a program that is not there, 126 for one that cannot run" {
  run --separate-stderr -127 mvm exec "$BOX" nosuch
  error_says 'exec: "nosuch": executable file not found in $PATH'
  run --separate-stderr -127 mvm exec "$BOX" /no/such
  error_says '/no/such' 'no such file'
  run --separate-stderr -126 mvm exec "$BOX" /etc/passwd
  error_says '/etc/passwd'
  run --separate-stderr -126 mvm exec "$BOX" /etc
  error_says '/etc'
  run --separate-stderr -127 mvm exec -d "$BOX" nosuch
  error_says nosuch
}

@test "user, folder and environment are the container's" {
  run -0 mvm exec "$BOX" sh -c 'id -u; id -g; pwd; echo $FROM $GONE; hostname'
  same "1 1 /tmp container soon $(mvm ps --no-trunc -q | cut -c1-12)" "${lines[*]}"
}

@test "-u, -w and -e are the exec's own" {
  export PASSED=on
  run -0 mvm exec -u 1000:1001 -w /etc -e FROM=exec -e NEW='a b' -e PASSED -e GONE "$BOX" \
    sh -c 'id -u; id -g; pwd; echo $FROM "$NEW" $PASSED ${GONE-none}'
  same '1000 1001 /etc exec a b on none' "${lines[*]}"
  run -0 mvm exec -u root "$BOX" sh -c 'id -un; echo $HOME'
  same 'root /root' "${lines[*]}"
}

@test "--env-file, with -e over it" {
  printf '# variables\nONE=1\nTWO=2\n' >"$BATS_TEST_TMPDIR/env"
  run -0 mvm exec --env-file "$BATS_TEST_TMPDIR/env" -e TWO=zwei "$BOX" sh -c 'echo $ONE $TWO'
  same '1 zwei' "$output"
  run --separate-stderr -1 mvm exec --env-file "$BATS_TEST_TMPDIR/missing" "$BOX" true
  error_says missing
}

@test "a user or a folder that is not there" {
  run --separate-stderr -126 mvm exec -u nosuch "$BOX" true
  error_says 'unable to find user nosuch: no matching entries in passwd file'
  run --separate-stderr -126 mvm exec -w /no/such "$BOX" true
  error_says /no/such 'no such file or directory'
  run -1 box_has /no
  run --separate-stderr -126 mvm exec -w relative "$BOX" true
  error_says relative 'absolute'
}

@test "it is in the container: its processes, its mounts, its limits" {
  # Without more capabilities nobody sees another user's name spaces.
  run -0 mvm exec --privileged -u root "$BOX" sh -c 'tr "\0" " " </proc/1/cmdline; ulimit -n; cat /proc/self/cgroup; for n in pid mnt uts ipc cgroup; do [ "$(readlink /proc/1/ns/$n)" = "$(readlink /proc/self/ns/$n)" ] || echo differs $n; done'
  has "$output" 'while :' 1048576 0::/
  lacks "$output" differs
}

@test "capabilities are the container's, with --privileged all" {
  run -0 in_box grep CapEff /proc/self/status
  has "$output" 00000000a80425fb
  run -0 mvm exec --privileged -u root "$BOX" grep CapEff /proc/self/status
  has "$output" ffffffffff
}

@test "without -i the program reads nothing" {
  run -0 mvm exec "$BOX" sh -c 'cat; echo done' <<<"unread"
  same 'done' "$output"
}

@test "-i: stdin arrives, and so does its end, while output goes on" {
  run -0 mvm exec -i "$BOX" sh -c 'cat; sleep 0.2; echo after' <<<"through"
  same 'through after' "${lines[*]}"
}

@test "250 MiB out, with stderr beside it" {
  mvm exec "$BOX" sh -c 'dd if=/dev/zero bs=1M count=250 2>/dev/null; echo flood >&2' 2>"$BATS_TEST_TMPDIR/err" |
    cmp - <(head -c 262144000 /dev/zero)
  same flood "$(cat "$BATS_TEST_TMPDIR/err")"
}

@test "random bytes there and back" {
  head -c 20000000 /dev/urandom >"$BATS_TEST_TMPDIR/bytes"
  mvm exec -i "$BOX" cat <"$BATS_TEST_TMPDIR/bytes" >"$BATS_TEST_TMPDIR/back"
  cmp "$BATS_TEST_TMPDIR/bytes" "$BATS_TEST_TMPDIR/back"
}

@test "a program that does not read its input does not hold up its end" {
  run -0 bash -c 'yes | timeout 60 "$MVM" exec -i "$BOX" true'
}

@test "50 at once" {
  local i pids=() codes=''
  for i in {1..50}; do
    mvm exec "$BOX" sh -c "echo number $i; exit $i" >"$BATS_TEST_TMPDIR/out-$i" & pids+=($!)
  done
  for i in {1..50}; do
    wait "${pids[i - 1]}" || codes+=" $?"
    same "number $i" "$(cat "$BATS_TEST_TMPDIR/out-$i")"
  done
  same " $(echo {1..50})" "$codes"
}

@test "-d returns at once, says nothing, and the program goes on" {
  run --separate-stderr -0 mvm exec -d "$BOX" sh -c 'until [ -e /tmp/go ]; do sleep 0.1; done; yes | head -n 200000; touch /tmp/detached'
  same '' "$output$stderr"
  run -1 box_has /tmp/detached
  mvm exec "$BOX" touch /tmp/go
  eventually box_has /tmp/detached
}

@test "a killed client leaves the program running, and nothing stalls it" {
  local client
  # Nobody reads the pipe: what the program writes piles up in the client, until that is gone.
  mkfifo "$BATS_TEST_TMPDIR/pipe"
  exec 5<>"$BATS_TEST_TMPDIR/pipe"
  "$MVM" exec "$BOX" sh -c 'touch /tmp/writing; yes | head -c 3000000; yes | head -c 3000000 >&2; touch /tmp/written' >&5 2>&5 3>&- &
  client=$!
  eventually box_has /tmp/writing
  kill -9 "$client"
  eventually box_has /tmp/written
}

@test "a client without a terminal dies of SIGINT and SIGTERM, the program does not" {
  local signo client status
  for signo in 2 15; do
    # The shell that starts a job in the background has it ignore SIGINT.
    python3 -c 'import os, signal, sys; signal.signal(signal.SIGINT, signal.SIG_DFL); os.execvp(sys.argv[1], sys.argv[1:])' \
      "$MVM" exec "$BOX" sh -c "touch /tmp/up-$signo; until [ -e /tmp/end-$signo ]; do sleep 0.1; done; touch /tmp/over-$signo" 3>&- &
    client=$!
    eventually box_has "/tmp/up-$signo"
    kill -$signo "$client"
    status=0; wait "$client" || status=$?
    same $((128 + signo)) "$status"
    in_box touch "/tmp/end-$signo"
    eventually box_has "/tmp/over-$signo"
  done
}

@test "a reader that has gone is an error of ours" {
  run bash -c '"$MVM" exec "$BOX" sh -c "yes | head -c 3000000; touch /tmp/unread" 2>&1 >/dev/full | cat; exit "${PIPESTATUS[0]}"'
  same 1 "$status"
  has "$output" 'cannot write to stdout' 'the program goes on'
  eventually box_has /tmp/unread
}

@test "what outlives the program with its output open does not hold us up, nor lose its output" {
  run -0 mvm exec "$BOX" sh -c 'sh -c "sleep 6; echo late; touch /tmp/late" & echo early'
  same early "$output"
  eventually box_has /tmp/late
}

@test "nothing of it is in the container's log" {
  mvm exec "$BOX" echo not-logged
  same '' "$(mvm logs "$BOX")"
}

@test "-t: a terminal, TERM and a carriage return; no stderr of its own" {
  run -0 --separate-stderr mvm exec -t "$BOX" sh -c 'tty; echo $TERM; test -t 2 && echo err >&2' </dev/null
  same $'/dev/pts/0\r xterm\r err\r' "${lines[*]}"
  same '' "$stderr"
  run -0 mvm exec -t -e TERM=vt100 "$BOX" sh -c 'echo $TERM' </dev/null
  same $'vt100\r' "$output"
  run -0 mvm exec "$BOX" sh -c 'echo ${TERM-none}'
  same none "$output"
}

@test "a container that is paused" {
  mvm pause "$BOX"
  run --separate-stderr -1 mvm exec "$BOX" true
  mvm unpause "$BOX"
  error_says 'is paused, unpause the container before exec'
  run -0 mvm exec "$BOX" true
}

@test "wrong use" {
  run --separate-stderr -1 mvm exec nosuch true
  error_says 'No such container: nosuch'
  run --separate-stderr -1 mvm exec -it "$BOX" true </dev/null
  error_says 'the input device is not a TTY'
  run --separate-stderr -1 mvm exec -it nosuch true </dev/null
  error_says 'No such container: nosuch'
  run -0 mvm exec -itd "$BOX" true </dev/null
  run --separate-stderr -125 mvm exec "$BOX"
  error_says 'requires at least 2 arguments'
  run --separate-stderr -125 mvm exec --nosuch "$BOX" true
  error_says nosuch
  run --separate-stderr -125 mvm exec "$BOX" $'\xff'
  error_says UTF-8
}

@test "arguments that are too long together" {
  local part i args=()
  part=$(printf 'x%.0s' {1..100000})
  for i in {1..11}; do args+=("$part"); done
  run --separate-stderr -126 mvm exec "$BOX" echo "${args[@]}"
  error_says 'larger than'
}

@test "execs that run when the container ends, end with 137; later ones hear that it does not run" {
  local id pids=() pid status
  id=$(mvm run -d --name ending "$IMAGE" sh -c 'until [ -e /go ]; do sleep 0.1; done')
  for pid in 1 2 3; do
    mvm exec ending sh -c "touch /ready-$pid; sleep 1000" 3>&- & pids+=($!)
  done
  eventually mvm exec ending test -e /ready-1 -a -e /ready-2 -a -e /ready-3
  mvm exec ending touch /go
  for pid in "${pids[@]}"; do
    status=0; wait "$pid" || status=$?
    same 137 "$status"
  done
  eventually is_state ending exited
  run --separate-stderr -1 mvm exec ending true
  error_says "container $id is not running"
  mvm rm ending
}

@test "rm -f ends execs" {
  local status=0 client
  mvm run -d --name gone "$IMAGE" sleep 1000
  "$MVM" exec gone sleep 1000 3>&- & client=$!
  eventually mvm exec gone pidof sleep
  mvm rm -f gone
  wait "$client" || status=$?
  same 137 "$status"
}

@test "into a container whose init has made cgroups of its own, as systemd does" {
  local box
  box=$(mvm run -d --privileged "$IMAGE" sh -c '
    cd /sys/fs/cgroup && mkdir init.scope other.slice && echo 1 >init.scope/cgroup.procs &&
    echo "+pids +memory" >cgroup.subtree_control && echo ready; while :; do sleep 1000 & wait; done')
  eventually log_has "$box" ready
  same 0::/init.scope "$(mvm exec "$box" cat /proc/self/cgroup)"
  mvm exec "$box" sh -c 'sleep 1000 & echo $! >/sys/fs/cgroup/other.slice/cgroup.procs'
  has "$(mvm top "$box")" 'sleep 1000'
  mvm rm -f "$box"
}
