#!/usr/bin/env bats
# What containers use, what runs in them, and their limits changed: stats, update, port.
#
# shellcheck disable=SC2016,SC2154 # programs for the guest; variables that bats sets

load ../lib/vm.bash

# of CONTAINER FIELD [FLAG...]: one figure of `mvm stats`, by docker's names.
of() { mvm stats --no-stream --format "{{.$2}}" "${@:3}" "$1"; }

# bytes SIZE: of what stats prints
bytes() { numfmt --from=auto "$(sed 's/kB/K/; s/iB/i/; s/B$//' <<<"$1")"; }

# at_least CONTAINER FIELD BYTES: the second size of a pair where FIELD ends with ":2".
at_least() {
  local text
  text=$(of "$1" "${2%:2}")
  case $2 in *:2) text=${text#* / } ;; *) text=${text% / *} ;; esac
  [ "$(bytes "$text")" -ge "$3" ]
}

in_group() { mvm exec "$1" cat "/sys/fs/cgroup/$2"; }

@test "stats: docker's table, figures that are true, in JSON and templates" {
  mvm run -d --name idle -m 100m --network none "$IMAGE" sleep 1000
  mvm run -d --name busy --cpus 1 "$IMAGE" sh -c '
    dd if=/dev/zero of=/big bs=1M count=20 2>/dev/null; sync; dd if=/big of=/dev/shm/kept bs=1M count=16 2>/dev/null
    echo ready; while :; do :; done'
  eventually log_has busy ready
  mvm create --name made "$IMAGE" true
  run -0 mvm stats --no-stream
  [[ ${lines[0]} =~ ^"CONTAINER ID   NAME      CPU %     MEM USAGE / LIMIT"\ +"MEM %     NET I/O"\ +"BLOCK I/O"\ +"PIDS      HOST MEM"$ ]]
  same 3 "${#lines[@]}"
  # The newest first, as ps has it.
  [[ ${lines[1]} =~ ^[0-9a-f]{12}\ +busy\ +[0-9.]+%\ +[0-9.]+MiB\ /\ 1GiB\ +[0-9.]+%\ +[0-9.]+[kM]?B\ /\ [0-9.]+[kM]?B\ +[0-9.]+[kM]?B\ /\ [0-9.]+MB\ +1\ +[0-9.]+MiB$ ]]
  [[ ${lines[2]} =~ ^[0-9a-f]{12}\ +idle\ +[0-9.]+%\ +[0-9.]+KiB\ /\ 100MiB\  ]]
  # Half of a processor is too little for a loop that does nothing else, even here.
  run -0 of busy CPUPerc
  [ "${output%.*}" -ge 50 ] && [ "${output%.*}" -le 110 ]
  run -0 of idle CPUPerc
  [ "${output%.*}" -le 20 ]
  at_least busy MemUsage $((16 << 20))
  at_least busy BlockIO:2 20000000
  run -0 of busy HostMem
  [ "$(bytes "$output")" -gt $((40 << 20)) ]
  mvm exec -d idle sleep 1000
  eventually same 2 "$(of idle PIDs)"
  run -0 mvm container stats --no-stream --no-trunc --format json idle
  same "$(mvm inspect -f '{{.Id}}' idle) idle 0B / 0B" "$(jq -r '.ID + " " + .Container + " " + .NetIO' <<<"$output")"
  same BlockIO,CPUPerc,Container,HostMem,ID,MemPerc,MemUsage,Name,NetIO,PIDs "$(jq -r 'keys | join(",")' <<<"$output")"
  # One that does not run has nothing; docker shows zeros.
  same $'made 0.00% 0B / 0B\nbusy 0.00%\nidle 0.00%' \
    "$(mvm stats -a --no-stream --format '{{.Name}} {{if eq .Name "made"}}{{.CPUPerc}} {{.MemUsage}}{{else}}0.00%{{end}}')"
  run --separate-stderr -1 mvm stats --no-stream nosuch idle
  error_says "No such container: nosuch"
  # What stands still cannot be asked.
  mvm pause idle
  same "idle -- -- / -- -- -- -- --" \
    "$(mvm stats --no-stream --format '{{.Name}} {{.CPUPerc}} {{.MemUsage}} {{.MemPerc}} {{.NetIO}} {{.BlockIO}} {{.PIDs}}' idle)"
  mvm unpause idle
  mvm rm -f idle busy made
}

@test "stats: live, containers come and go, no escapes but on a terminal; one that hangs holds up none" {
  local pid out=$BATS_TEST_TMPDIR/out
  mvm run -d --name first "$IMAGE" sleep 1000
  "$MVM" stats --format '{{.Name}} {{.CPUPerc}}' >"$out" 3>&- &
  pid=$!
  eventually grep -q '^first [0-9]' "$out"
  mvm run -d --name second "$IMAGE" sleep 1000
  eventually grep -q '^second [0-9]' "$out"
  # The agent of the first one's machine says nothing any more, for its processor stands still.
  kill -STOP "$(mvm_processes | awk '$2 == "qemu" { print $1; exit }')"
  eventually grep -q -- ' --$' "$out"
  : >"$out"
  eventually grep -q '^second [0-9]\|^first [0-9]' "$out"
  kill -CONT "$(mvm_processes | awk '$2 == "qemu" { print $1; exit }')"
  mvm rm -f second
  : >"$out"
  eventually grep -q '^first [0-9]' "$out"
  run -1 grep -c second "$out"
  run -1 grep -q $'\033' "$out"
  kill "$pid"
  wait "$pid" || true
  # On a terminal each frame begins at the top, and its lines clear what was there.
  timeout 3 script -qec "$MVM stats first" /dev/null >"$out" </dev/null || true
  grep -q $'^\033\\[HCONTAINER ID .*HOST MEM\033\\[K' "$out"
  mvm rm -f first
}

@test "update: limits of one that runs, at once and for good; what its machine has not is refused" {
  mvm run -d --name limits -m 256m --cpus 1 "$IMAGE" sleep 1000
  run -0 mvm update -m 128m --memory-swap -1 --memory-reservation 64m --cpus 0.5 -c 512 --pids-limit 50 --restart on-failure:3 limits
  same limits "$output"
  same $'134217728\n67108864\n50000 100000\n20\n50' \
    "$(mvm exec limits sh -c 'cd /sys/fs/cgroup && cat memory.max memory.low cpu.max cpu.weight pids.max')"
  same '134217728 67108864 500000000 512 50 {on-failure 3}' "$(mvm inspect -f \
    '{{with .HostConfig}}{{.Memory}} {{.MemoryReservation}} {{.NanoCpus}} {{.CpuShares}} {{.PidsLimit}} {{"{"}}{{.RestartPolicy.Name}} {{.RestartPolicy.MaximumRetryCount}}}{{end}}' limits)"
  # Up again, as far as its machine goes; what was not named has stayed.
  mvm container update -m 256m --pids-limit -1 limits
  same $'268435456\nmax\n50000 100000' "$(mvm exec limits sh -c 'cd /sys/fs/cgroup && cat memory.max pids.max cpu.max')"
  run --separate-stderr -1 mvm update -m 257m limits
  error_says "cannot update container limits: its VM was started for a memory limit of at most 256 MiB: stop the container"
  run --separate-stderr -1 mvm update --cpus 2 limits
  error_says "its VM was started with 1 CPUs: stop the container, update it and start it again"
  run --separate-stderr -1 mvm update -m 32m limits
  error_says "Minimum memory limit can not be less than memory reservation limit"
  same 268435456 "$(in_group limits memory.max)"
  # Stopped, it can have more; and a running one is started with that the next time.
  mvm stop -t 0 limits
  mvm update -m 300m --cpus 2 limits
  mvm start limits
  same $'314572800\n200000 100000' "$(mvm exec limits sh -c 'cd /sys/fs/cgroup && cat memory.max cpu.max')"
  run -0 mvm events --since 10m --until 0s -f container=limits -f event=update --format '{{.Action}}'
  same $'update\nupdate\nupdate' "$output"
  # One that stands still has them when it goes on.
  mvm pause limits
  mvm update -m 200m limits
  mvm unpause limits
  same 209715200 "$(in_group limits memory.max)"
  mvm rm -f limits
}

@test "update: several, docker's errors, and none of it while a name changes is lost" {
  mvm create --name one "$IMAGE" sleep 1000
  mvm create --name two --rm "$IMAGE" sleep 1000
  run --separate-stderr -1 mvm update -m 64m one nosuch two
  same $'one\ntwo' "$output"
  same "mvm: No such container: nosuch" "$stderr"
  run --separate-stderr -1 mvm update one
  error_says "you must provide one or more flags when using this command"
  run --separate-stderr -1 mvm update -m 5m one
  error_says "Minimum memory limit allowed is 6MB"
  run --separate-stderr -125 mvm update -m much one
  run --separate-stderr -1 mvm update -m 64m --memory-swap 63m one
  error_says "Minimum memoryswap limit should be larger than memory limit"
  run --separate-stderr -1 mvm update --cpus 1000 one
  error_says "range of CPUs is from 0.01 to"
  run --separate-stderr -1 mvm update --cpuset-cpus 0 one
  error_says "--cpuset-cpus 0: a container's virtual machine has processors of its own"
  run --separate-stderr -1 mvm update --restart always two
  error_says "Restart policy cannot be updated because AutoRemove is enabled for the container"
  local i
  for ((i = 0; i < 20; i++)); do
    mvm rename "$(mvm ps -a --format '{{.Names}}' -f name=one)" "one$i" &
    mvm update -m "$((64 + i))m" two &
    mvm update -c "$((100 + i))" two &
    wait
  done
  same "one19 83886080" "$(mvm ps -a --format '{{.Names}}' -f name=one) $((80 << 20))"
  same '87031808 119' "$(mvm inspect -f '{{.HostConfig.Memory}} {{.HostConfig.CpuShares}}' two)"
  mvm rm one19 two
}

@test "top: docker's columns, of the container's own processes; ps's usual options; text of others is harmless" {
  mvm run -d --name top "$IMAGE" sh -c 'sleep 1000 & exec sleep 2000'
  mvm exec -d -u 1000 -t top sh -c 'exec sh -c "sleep 77; true"'
  eventually sh -c '"$MVM" top top | grep -q "sleep 77"'
  run -0 mvm top top
  [[ ${lines[0]} =~ ^"UID                 PID                 PPID                C                   STIME               TTY                 TIME                CMD"$ ]]
  [[ ${lines[1]} =~ ^root\ +1\ +0\ +[0-9]+\ +[0-9:]{5}\ +\?\ +00:00:0[0-9]\ +sleep\ 2000$ ]]
  same 5 "${#lines[@]}"
  # The numbers are those that the container itself has.
  same "$(mvm exec top ps -o pid,comm | awk '/sleep/ { print $1 }' | sort -n)" \
    "$(mvm container top top -eo pid,comm | awk '/sleep/ { print $1 }')"
  same '1 0 sleep root ? 1' "$(mvm top top -o pid,ppid,comm,user,tty,nlwp | awk 'NR == 2 { print $1, $2, $3, $4, $5, $6 }')"
  same 'pts/0 Ss+' "$(mvm top top aux | awk '/sh -c sleep 77/ { print $7, $8 }')"
  same user "$(mvm top top aux | awk '/sleep 77/ { print $1; exit }')"
  # What a terminal would obey.
  mvm exec -d top sh -c 'sleep 79; true' $'\033[31m\n\tred'
  eventually sh -c '"$MVM" top top | grep -q "sleep 79"'
  run -0 mvm top top -o pid,args
  has "$output" "sh -c sleep 79; true ?[31m??red"
  lacks "$output" $'\033'
  run --separate-stderr -1 mvm top top -eo comm
  error_says "Couldn't find PID field in ps output"
  run --separate-stderr -1 mvm top top --sort=pid
  error_says 'ps: option "--sort=pid" is not known to mvm'
  mvm pause top
  run --separate-stderr -1 mvm top top
  error_says "is paused, unpause the container first"
  mvm unpause top
  mvm stop -t 0 top
  run --separate-stderr -1 mvm top top
  error_says "is not running"
  run --separate-stderr -1 mvm top nosuch
  error_says "No such container: nosuch"
  mvm rm top
}

@test "top: many processes, and arguments that are long" {
  local words
  mvm run -d --name many -m 300m "$IMAGE" sh -c 'i=0; while [ $i -lt 300 ]; do sleep 1000 & i=$((i + 1)); done; echo all; wait'
  MVM_PATIENCE=60 eventually log_has many all
  words=$(printf 'word%.0s ' {1..5000})
  mvm exec -d many sh -c "sleep 1000; : $words"
  run -0 mvm top many -o pid,args
  [ "${#lines[@]}" -ge 303 ]
  [ "$(wc -L <<<"$output")" -ge 25000 ]
  mvm rm -f many
}

@test "port: nothing is published" {
  mvm create --name web "$IMAGE" true
  run --separate-stderr -0 mvm port web
  same '' "$output$stderr"
  run --separate-stderr -1 mvm container port web 80/tcp
  error_says "No public port '80/tcp' published for web"
  run --separate-stderr -1 mvm port web 80x
  error_says "invalid port '80x'"
  run --separate-stderr -1 mvm port nosuch
  error_says "No such container: nosuch"
  mvm rm web
}
