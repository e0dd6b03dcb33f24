#!/usr/bin/env bats
# The rest of a container's life: create, start, restart, pause, wait, rename, prune, and what ps shows of it all.
#
# shellcheck disable=SC2016,SC2154 # programs for the guest; variables that bats sets

load ../lib/vm.bash

@test "create: prints the id, nothing starts; start continues on the same disk, and logs go on" {
  run --separate-stderr -0 mvm create --name life "$IMAGE" sh -c 'echo line >>/kept; sync; wc -l </kept'
  [[ $output =~ ^[0-9a-f]{64}$ ]]
  no_own_processes
  same created "$(column life State)"
  same Created "$(column life Status)"
  run -0 mvm wait life
  same 0 "$output"
  run -0 mvm start life
  same life "$output"
  run -0 mvm wait life
  same 0 "$output"
  run --separate-stderr -0 mvm start -a life
  same 2 "$output"
  same $'1\n2' "$(mvm logs life)"
  run -0 mvm container start life
  run -0 mvm container wait life
  same $'1\n2\n3' "$(mvm logs life)"
  mvm rm life
}

@test "create takes the flags of run, but for -d; its errors are 1, wrong usage is 125" {
  run --separate-stderr -125 mvm create -d "$IMAGE" true
  error_says "unknown shorthand flag: 'd' in -d"
  run --separate-stderr -125 mvm create
  error_says 'requires at least 1 argument'
  run --separate-stderr -1 mvm create --pull never nosuch.example/image true
  error_says nosuch.example/image
  lacks "$(mvm create --help)" --detach
  mvm create --name flags --cidfile "$BATS_TEST_TMPDIR/cid" -e GREETING=hi -w /tmp -u 1000 -i "$IMAGE" \
    sh -c 'read x; echo $GREETING $(id -u) $(pwd) $x'
  same 64 "$(wc -c <"$BATS_TEST_TMPDIR/cid")"
  run --separate-stderr -1 mvm create --name flags "$IMAGE" true
  error_says 'The container name "/flags" is already in use by container'
  same "hi 1000 /tmp word" "$(echo word | mvm start -i flags)"
  mvm rm flags
}

@test "start: exit code with -a, one that runs is success, errors by name, several" {
  mvm create --name seven "$IMAGE" sh -c 'sleep 1; exit 7'
  mvm create --name brief "$IMAGE" true
  run --separate-stderr -1 mvm start -a seven brief
  error_says "you cannot start and attach multiple containers at once"
  run --separate-stderr -1 mvm start seven nosuch brief
  same $'seven\nbrief' "$output"
  same "mvm: No such container: nosuch" "$stderr"
  run --separate-stderr -0 mvm start seven
  same seven "$output"
  run -0 mvm wait seven brief
  same $'7\n0' "$output"
  run --separate-stderr -7 mvm start -a seven
  mvm rm seven brief
  mvm create --name missing "$IMAGE" /no/such/program
  run --separate-stderr -1 mvm start missing
  error_says "cannot start container missing" "/no/such/program"
  same created "$(column missing State)"
  run -0 mvm wait missing
  same 127 "$output"
  mvm rm missing
}

@test "start -a joins one that runs" {
  mvm run -d --name talks "$IMAGE" sh -c 'sleep 3; echo joined; exit 4'
  run --separate-stderr -4 mvm start -a talks
  same joined "$output"
  mvm rm talks
}

log_lines() { [ "$(mvm logs "$1" | wc -l)" = "$2" ]; }

@test "restart, of one that runs and of one that does not; --rm lets it live" {
  mvm run -d --rm --name again "$IMAGE" sh -c 'trap "exit 5" USR1; echo boot >>/boots; cat /boots; while :; do sleep 0.2; done'
  eventually log_has again boot
  run -0 mvm restart -s USR1 -t 20 again
  same again "$output"
  is_state again running
  eventually log_lines again 3
  run --separate-stderr -1 mvm restart nosuch
  error_says "No such container: nosuch"
  mvm stop -t 0 again
  no_containers
  mvm create --name again "$IMAGE" sleep 1000
  run -0 mvm container restart again
  is_state again running
  mvm rm -f again
}

@test "wait: until the end, also where --rm takes it away" {
  mvm run -d --rm --name gone "$IMAGE" sh -c 'sleep 3; exit 9'
  run -0 mvm wait gone
  same 9 "$output"
  no_containers
  run --separate-stderr -1 mvm wait gone
  error_says "No such container: gone"
}

@test "rename: while it runs, to a name that is taken, to nothing, to itself" {
  mvm run -d --name before "$IMAGE" sleep 1000
  mvm create --name taken "$IMAGE" true
  run -0 mvm rename before after
  same '' "$output"
  same running "$(column after State)"
  run --separate-stderr -1 mvm rename after taken
  error_says 'cannot rename container after' 'The container name "/taken" is already in use by container'
  run --separate-stderr -125 mvm rename after ''
  error_says "Neither old nor new names may be empty"
  run --separate-stderr -125 mvm rename after after
  error_says "Renaming a container with the same name as its current name"
  run --separate-stderr -125 mvm rename after 'a b'
  error_says "Invalid container name (a b), only [a-zA-Z0-9][a-zA-Z0-9_.-] are allowed"
  run --separate-stderr -1 mvm rename nosuch other
  error_says "No such container: nosuch"
  mvm container rename after /slash
  mvm kill slash
  same 137 "$(mvm wait slash)"
  mvm rename slash before
  mvm rm before taken
}

@test "pause: the machine stands still, unpause: it goes on with the right time" {
  mvm run -d --name ticks "$IMAGE" sh -c 'trap "exit 3" TERM; while :; do date +%s; sleep 0.2; done'
  eventually log_has ticks 1
  run -0 mvm pause ticks
  same ticks "$output"
  same paused "$(column ticks State)"
  has "$(mvm ps)" "Up " "(Paused)"
  local id said before
  id=$(mvm ps -q --no-trunc)
  said=$(mvm logs ticks | wc -l)
  run --separate-stderr -1 mvm pause ticks
  error_says "Container $id is already paused"
  run --separate-stderr -1 mvm rm ticks
  error_says 'cannot remove container "/ticks": container is paused and must be unpaused first'
  run --separate-stderr -1 mvm start ticks
  error_says "cannot start a paused container, try unpause instead"
  run --separate-stderr -1 mvm export -o "$BATS_TEST_TMPDIR/tar" ticks
  error_says "is paused"
  sleep 3
  same "$said" "$(mvm logs ticks | wc -l)"
  before=$(date +%s)
  run -0 mvm container unpause ticks
  same ticks "$output"
  is_state ticks running
  sleep 1
  # Without a new clock it would be 3 s behind.
  [ "$(mvm logs ticks | tail -n 1)" -ge "$before" ]
  run --separate-stderr -1 mvm unpause ticks
  error_says "Container $id is not paused"
  mvm container pause ticks
  run -0 mvm stop -t 30 ticks
  has "$(column ticks Status)" "Exited (3)"
  run --separate-stderr -1 mvm pause ticks
  error_says "$id is not running"
  run --separate-stderr -1 mvm unpause ticks
  error_says "is not paused"
  mvm rm ticks
}

@test "a paused one is killed, removed by force, restarted" {
  mvm run -d --name still "$IMAGE" sleep 1000
  mvm pause still
  mvm kill still
  same 137 "$(mvm wait still)"
  mvm start still
  mvm pause still
  run -0 mvm restart -t 0 still
  is_state still running
  mvm pause still
  run -0 mvm rm -f still
  no_containers
  eventually no_own_processes
}

# shown FLAG...: the names that ps shows, newest first, in one line
shown() { mvm ps --format '{{.Names}}' "$@" | xargs; }

@test "ps: filters, -l, -n, -s, and commands cut between characters" {
  local id
  id=$(mvm create --name first-one -l colour=blue "$IMAGE" true)
  mvm create --name second-one -l colour=red -l size=big "$REGISTRY/defaults" true
  mvm run --name third "$IMAGE" sh -c 'exit 3' || true
  mvm run -d --name fourth "$IMAGE" sh -c 'sleep 99; : ääääääääää'
  same fourth "$(shown)"
  same "second-one first-one" "$(shown -a -f name=one)"
  same "second-one" "$(shown -a -f name='^/second')"
  same first-one "$(shown -a -f id="${id:0:12}")"
  same "second-one first-one" "$(shown -f status=created)"
  same "fourth third" "$(shown -f status=exited -f status=running)"
  same first-one "$(shown -a -f label=colour=blue)"
  same second-one "$(shown -a -f label=colour -f label=size=big)"
  same third "$(shown -a -f exited=3)"
  same '' "$(shown -a -f exited=4)"
  same second-one "$(shown -a -f ancestor="$REGISTRY/defaults")"
  same '' "$(shown -a -f ancestor=nosuch)"
  same "second-one first-one" "$(shown -a -f before=third)"
  same "fourth" "$(shown -f since="third")"
  same fourth "$(shown -l)"
  same "fourth third second-one" "$(shown -n 3)"
  has "$(mvm ps -s)" SIZE "(virtual "
  has "$(mvm ps --no-trunc)" 'ääääääääää"'
  mvm ps | iconv -f UTF-8 -t UTF-8 >/dev/null
  has "$(mvm ps)" '"sh -c sleep 99; : ä…"'
  run --separate-stderr -125 mvm ps -f status=asleep
  error_says "invalid filter 'status=asleep'"
  run --separate-stderr -125 mvm ps -f colour=blue
  error_says "invalid filter 'colour'"
  run --separate-stderr -1 mvm ps -f before=nosuch
  error_says "No such container: nosuch"
  run --separate-stderr -0 mvm container prune -f --filter label=colour=blue
  has "$output" "Deleted Containers:" "$id" "Total reclaimed space: "
  run --separate-stderr -1 mvm container prune <<<n
  has "$stderr" "WARNING! This will remove all stopped containers." "container prune has been cancelled"
  mvm rm -f fourth
  run -0 mvm container prune -f
  no_containers
}

@test "a damaged container: ps warns and goes on, rm -f gets rid of it" {
  local id
  id=$(mvm create --name hurt "$IMAGE" true)
  mvm create --name sound "$IMAGE" true
  echo '{' >"$MVM_HOME/containers/$id/config.json"
  run --separate-stderr -0 mvm ps -a --format '{{.Names}}'
  same sound "$output"
  same 1 "${#stderr_lines[@]}"
  has "$stderr" "container ${id:0:12} cannot be read" "'mvm rm -f ${id:0:12}' removes it"
  run --separate-stderr -1 mvm rm "$id"
  error_says "'mvm rm -f ${id:0:12}' removes it"
  mvm rename sound hale
  run --separate-stderr -0 mvm rm -f "${id:0:12}" hale
  same "${id:0:12}"$'\n'hale "$output"
  no_containers
}

@test "two commands at once end in one of the two orders" {
  local i
  mvm create --name race "$IMAGE" sleep 1000
  for i in 1 2 3; do
    mvm start race >/dev/null 2>"$BATS_TEST_TMPDIR/first" 3>&- &
    mvm start race >/dev/null 2>"$BATS_TEST_TMPDIR/second" 3>&- &
    mvm rename race "race$i" 2>/dev/null 3>&- &
    wait
    mvm rename "race$i" race 2>/dev/null || true
    # Both come too late where the name went first.
    is_state race running || {
      has "$(cat "$BATS_TEST_TMPDIR/first")" "No such container: race"
      has "$(cat "$BATS_TEST_TMPDIR/second")" "No such container: race"
      mvm start race
    }
    mvm stop -t 0 race >/dev/null 3>&- &
    mvm start race >/dev/null 2>&1 3>&- &
    wait
    case $(column race State) in running | exited) ;; *) false ;; esac
    mvm stop -t 0 race
  done
  mvm start race 2>"$BATS_TEST_TMPDIR/start" 3>&- &
  mvm rm -f race
  wait $! || has "$(cat "$BATS_TEST_TMPDIR/start")" "mvm: "
  no_containers
  eventually no_own_processes
}
