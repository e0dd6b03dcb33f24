#!/usr/bin/env bats
# mvm run: exit codes, streams, and what the process finds around it.
#
# shellcheck disable=SC2016,SC2154 # programs for the guest; variables that bats sets

load ../lib/vm.bash

@test "the process's output and nothing else" {
  run --separate-stderr -0 mvm run --rm "$IMAGE" echo hello
  same hello "$output"
  same '' "$stderr"
}

@test "exit code 0 and 42" {
  run -0 mvm run --rm "$IMAGE" true
  run -42 mvm run --rm "$IMAGE" sh -c 'exit 42'
}

@test "exit code 127 for a program that is not there, 126 for one that cannot run" {
  run --separate-stderr -127 mvm run --rm "$IMAGE" nosuch
  error_says nosuch "not found"
  run --separate-stderr -127 mvm run --rm "$IMAGE" /bin/nosuch
  error_says /bin/nosuch
  run --separate-stderr -126 mvm run --rm "$IMAGE" /etc
  error_says /etc
  run --separate-stderr -126 mvm run --rm "$IMAGE" /etc/passwd
  error_says /etc/passwd "ermission denied"
}

@test "a script runs; one without an interpreter line is 126, one whose interpreter is lost 127" {
  run -0 mvm run --rm "$REGISTRY/layers" /programs/script
  same "script ran" "$output"
  run --separate-stderr -126 mvm run --rm "$REGISTRY/layers" /programs/text
  error_says /programs/text
  run --separate-stderr -127 mvm run --rm "$REGISTRY/layers" /programs/lost-interpreter
  error_says /programs/lost-interpreter
  run --separate-stderr -126 mvm run --rm "$REGISTRY/layers" /programs/not-executable
  error_says /programs/not-executable
}

@test "the program is looked up in the PATH of the container, not of the host" {
  run --separate-stderr -127 mvm run --rm "$REGISTRY/badpath"
  error_says true
  run -0 mvm run --rm -e PATH=/bin "$REGISTRY/badpath" true
}

@test "stdout and stderr are separate" {
  run --separate-stderr -3 mvm run --rm "$IMAGE" sh -c 'echo out; echo err >&2; exit 3'
  same out "$output"
  same err "$stderr"
}

@test "250 MiB on stdout and 250 MiB on stderr at once, byte for byte" {
  local folder=$BATS_TEST_TMPDIR side
  # Each stream repeats a random block of its own, so that a byte lost, doubled or in the wrong stream shows.
  MVM_PATIENCE=300 mvm run --rm "$IMAGE" sh -c '
    head -c 1048576 /dev/urandom >/tmp/1; head -c 1048576 /dev/urandom >/tmp/2
    (i=0; while [ $i -lt 250 ]; do cat /tmp/1; i=$((i + 1)); done) &
    (i=0; while [ $i -lt 250 ]; do cat /tmp/2; i=$((i + 1)); done) >&2 &
    wait' >"$folder/1" 2>"$folder/2"
  for side in 1 2; do
    same 262144000 "$(wc -c <"$folder/$side")"
    same "$(for _ in {1..250}; do head -c 1048576 "$folder/$side"; done | sha256sum)" "$(sha256sum <"$folder/$side")"
  done
  run ! cmp --silent --bytes=1048576 "$folder/1" "$folder/2"
}

@test "64 MiB of random stdin through cat, byte for byte" {
  local file=$BATS_TEST_TMPDIR/random
  head -c 67108864 /dev/urandom >"$file"
  same "$(sha256sum <"$file")" "$(MVM_PATIENCE=120 mvm run --rm -i "$IMAGE" cat <"$file" | sha256sum)"
}

@test "stdin ends where the input ends, and is closed without -i" {
  same "one two" "$(printf 'one two' | mvm run --rm -i "$IMAGE" cat)"
  same "0" "$(printf 'unseen' | mvm run --rm "$IMAGE" wc -c)"
}

@test "when our reader goes away mvm ends and says so; the container goes on, as docker's" {
  run --separate-stderr -0 bash -c 'timeout 60 "$MVM" run --rm --name heedless "$IMAGE" yes | head -n 2'
  same $'y\ny' "$output"
  has "$stderr" "mvm: cannot write to stdout"
  is_state heedless running
  mvm rm -f heedless
}

@test "the process reads its input while the output of another stream is not read" {
  # stdout is stuffed: nobody reads it until stdin has been taken in full.
  run -0 bash -c 'mkfifo "$BATS_TEST_TMPDIR/out"
    head -c 8388608 /dev/zero | timeout 60 "$MVM" run --rm -i "$IMAGE" sh -c "
      head -c 4194304 /dev/zero & cat | wc -c >&2; wait" >"$BATS_TEST_TMPDIR/out" 2>"$BATS_TEST_TMPDIR/err" &
    exec 4<"$BATS_TEST_TMPDIR/out"
    until [ -s "$BATS_TEST_TMPDIR/err" ]; do sleep 0.1; done
    cat "$BATS_TEST_TMPDIR/err"; wc -c <&4; wait'
  same $'8388608\n4194304' "$output"
}

@test "what the process finds around it" {
  run -0 mvm run --rm "$IMAGE" sh -c '
    echo "pid $$"; echo "user $(id -u):$(id -g)"; echo "pwd $(pwd)"; echo "home $HOME"; echo "path $PATH"
    echo "host ${#HOSTNAME} $([ "$HOSTNAME" = "$(hostname)" ] && echo same)"; echo "term ${TERM-unset}"
    echo "nofile $(ulimit -n) $(ulimit -Hn)"
    echo "shm $(df -k /dev/shm | tail -n 1 | tr -s " " | cut -d" " -f2)"
    echo "root $(mount | grep -c " / type ext4 (rw")"
    echo "links $(readlink /proc/self/fd/0) $(ls -d /dev/fd /dev/stdin /dev/ptmx /dev/urandom | wc -l)"
    echo "interfaces $(ls /sys/class/net | tr "\n" " ")"
    echo "hosts $(grep -c localhost /etc/hosts)"
    echo "port $(cat /proc/sys/net/ipv4/ip_unprivileged_port_start)"
    echo "processes $(ps | grep -vc "PID\|ps\|grep\|sh -c")"'
  has "$output" "pid 1" "user 0:0" "pwd /" "home /root" \
    "path /usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin" "host 12 same" "term unset" \
    "nofile 1048576 1048576" "shm 65536" "root 1" "links /dev/null 4" "interfaces eth0 lo" "port 0" "processes 0"
  lacks "$output" "hosts 0"
}

@test "the image's defaults hold, and flags override them" {
  run -0 mvm run --rm "$REGISTRY/defaults"
  same $'user\n/made/by/image\nyes image' "$output"
  run -0 mvm run --rm -u root -w /tmp -e CHANGED=flag "$REGISTRY/defaults"
  same $'root\n/tmp\nyes flag' "$output"
}

@test "entrypoint and command as docker combines them" {
  run -0 mvm run --rm "$REGISTRY/entry"
  same "entry from cmd" "$output"
  run -0 mvm run --rm "$REGISTRY/entry" given
  same "entry given" "$output"
  # The image's command belongs to its entrypoint and goes with it.
  run -0 mvm run --rm --entrypoint /bin/echo "$REGISTRY/entry"
  same "" "$output"
  run -0 mvm run --rm --entrypoint hostname --hostname box "$REGISTRY/entry"
  same box "$output"
  run -0 mvm run --rm --entrypoint '' "$REGISTRY/entry" echo plain
  same plain "$output"
}

@test "no command anywhere" {
  run --separate-stderr -125 mvm run -q --rm "$REGISTRY/nocmd"
  error_says "no command specified"
}

@test "environment: -e, from ours, env files, and who wins" {
  printf '# comment\n\nFILE=from file\nBOTH=file\nOURS\n  LED=by blanks\nEMPTY=\nGONE_TOO\nQUOTED="kept"\n' >"$BATS_TEST_TMPDIR/env"
  OURS=ours run -0 mvm run --rm --env-file "$BATS_TEST_TMPDIR/env" -e BOTH=flag -e OURS -e GONE -e 'SPACES=a  b=c' \
    "$IMAGE" env
  has "$output" "FILE=from file" "BOTH=flag" "OURS=ours" "LED=by blanks" "EMPTY=" 'QUOTED="kept"' "SPACES=a  b=c"
  lacks "$output" GONE
  run -0 mvm run --rm --env-file <(printf 'PIPED=yes\n') "$IMAGE" sh -c 'echo $PIPED'
  same yes "$output"
}

@test "users: by name, by number, with a group, with the groups of the group file" {
  same "1000 1000 1000 4 29 /home/user" "$(mvm run --rm -u user "$IMAGE" sh -c 'echo $(id -u) $(id -G | cut -d" " -f1) $(id -G) $HOME')"
  same "1000 50 50" "$(mvm run --rm -u user:staff "$IMAGE" sh -c 'echo $(id -u) $(id -g) $(id -G)')"
  same "4242 4243 4243 /" "$(mvm run --rm -u 4242:4243 "$IMAGE" sh -c 'echo $(id -u) $(id -g) $(id -G) $HOME')"
  same "4242 0" "$(mvm run --rm -u 4242 "$IMAGE" sh -c 'echo $(id -u) $(id -g)')"
}

@test "an unknown user or group name is refused" {
  run --separate-stderr -125 mvm run --rm -u nosuch "$IMAGE" true
  error_says "unable to find user nosuch"
  run --separate-stderr -125 mvm run --rm -u root:nosuch "$IMAGE" true
  error_says "unable to find group nosuch"
}

@test "the working folder is made when missing, and must be absolute" {
  same /a/new/folder "$(mvm run --rm -w /a/new/folder "$IMAGE" pwd)"
  run --separate-stderr -125 mvm run --rm -w relative "$IMAGE" pwd
  error_says relative absolute
}

@test "host name" {
  same "box box" "$(mvm run --rm --hostname box "$IMAGE" sh -c 'echo $(hostname) $HOSTNAME')"
  same box "$(mvm run --rm -h box "$IMAGE" hostname)"
}

@test "CPUs and memory are what was asked for" {
  run -0 mvm run --rm --cpus 1.5 -m 256m "$IMAGE" sh -c '
    nproc; cat /sys/fs/cgroup/cpu.max; cat /sys/fs/cgroup/memory.max; grep MemTotal /proc/meminfo | tr -dc 0-9'
  same "2" "${lines[0]}"
  same "150000 100000" "${lines[1]}"
  same "268435456" "${lines[2]}"
  [ "${lines[3]}" -ge 262144 ]
  [ "${lines[3]}" -lt 524288 ]
}

@test "without -m the limit is 1 GiB" {
  same 1073741824 "$(mvm run --rm "$IMAGE" cat /sys/fs/cgroup/memory.max)"
}

@test "a process that takes too much memory is killed: 137, and the VM lives to tell" {
  run -137 mvm run --rm -m 64m "$IMAGE" sh -c 'x=xxxxxxxxxxxxxxxx; while :; do x=$x$x; done'
}

@test "disk size" {
  local small large
  small=$(mvm run --rm --disk-size 1g "$IMAGE" sh -c 'df -k / | tail -n 1 | tr -s " " | cut -d" " -f2')
  [ "$small" -gt 900000 ]
  [ "$small" -le 1048576 ]
  large=$(mvm run --rm --disk-size 100g "$IMAGE" sh -c 'df -k / | tail -n 1 | tr -s " " | cut -d" " -f2')
  [ "$large" -gt 95000000 ]
}

@test "--read-only: the root refuses, what must be written can be" {
  run -0 mvm run --rm --read-only --hostname box "$IMAGE" sh -c '
    if touch /file 2>/dev/null; then echo written; fi
    mount | grep -q " / type ext4 (ro" && echo ro
    grep -q localhost /etc/hosts && grep -q box /etc/hostname && echo names
    touch /dev/shm/file && echo shm; hostname'
  same $'ro\nnames\nshm\nbox' "$output"
}

@test "--init: a reaper before the program, signals and exit codes pass through" {
  run -0 mvm run --rm --init "$IMAGE" sh -c '[ $$ != 1 ] && echo child
    (sleep 0 & exec sleep 0.5) & wait
    ps -o stat,comm | grep -c "^Z"; true'
  same $'child\n0' "$output"
  run -143 mvm run --rm --init "$IMAGE" sh -c 'kill -TERM $$'
  run -7 mvm run --rm --init "$IMAGE" sh -c 'exit 7'
}

@test "without --init the program is PID 1 and does not die of its own TERM" {
  run -5 mvm run --rm "$IMAGE" sh -c 'kill -TERM $$; exit 5'
}

@test "TERM, INT and HUP to mvm reach the process" {
  local name line code
  for name in TERM INT HUP; do
    mkfifo "$BATS_TEST_TMPDIR/$name"
    "$MVM" run --rm "$IMAGE" sh -c "trap 'echo got $name; exit 6' $name; echo ready; while :; do sleep 0.1; done" \
      >"$BATS_TEST_TMPDIR/$name" 3>&- &
    exec 4<"$BATS_TEST_TMPDIR/$name"
    read -r -t 60 -u 4 line
    same ready "$line"
    kill -s "$name" $!
    read -r -t 60 -u 4 line
    same "got $name" "$line"
    code=0
    wait $! || code=$?
    same 6 "$code"
    exec 4<&-
  done
}

@test "everything the process leaves running ends with it" {
  run -0 mvm run --rm "$IMAGE" sh -c 'sleep 1000 & sleep 1000 </dev/null >/dev/null 2>&1 & echo done'
  same "done" "$output"
  eventually no_own_processes
}

@test "layers: removed, replaced and covered files are, hard links are links" {
  run -0 mvm run --rm "$REGISTRY/layers" sh -c '
    ls -A /kept /opaque; cat /kept/replaced /opaque/shown; [ /first -ef /second ] && echo linked; stat -c %h /first'
  same $'/kept:\nreplaced\n\n/opaque:\nshown\nabove\nabove\nlinked\n2' "$output"
}

@test "changes stay in the container that made them" {
  run -0 mvm run --rm "$IMAGE" sh -c 'echo mine >/file; rm /etc/passwd; sync'
  run -0 mvm run --rm "$IMAGE" sh -c 'test ! -e /file && test -s /etc/passwd'
}

@test "a real system from Debian's packages" {
  run --separate-stderr -0 mvm run --rm "$REGISTRY/deb" python3 -c 'print(6*7)'
  same 42 "$output"
  run -0 mvm run --rm -w /root "$REGISTRY/deb" sh -ec '
    git init -q repo && cd repo && echo "int twice(int x) { return 2 * x; }" >a.c && git add a.c
    git -c user.name=me -c user.email=me@localhost commit -q -m first && git log --format=%s
    gcc -c a.c && readelf -h a.o | grep -c "REL (Relocatable"; su nobody -s /bin/sh -c "id -un"'
  same $'first\n1\nnobody' "$output"
}
