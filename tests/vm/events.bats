#!/usr/bin/env bats
# mvm events: what is told of containers and images, in docker's words and order.
#
# shellcheck disable=SC2016,SC2030,SC2031,SC2154 # programs for the guest; each test has its own; variables that bats sets

load ../lib/vm.bash

setup() { since=$(date +%s.%N); }

# What has happened in this test, one action a line: actions FILTER...
actions() {
  local filter filters=()
  for filter; do filters+=(-f "$filter"); done
  mvm events --since "$since" --until "$(date +%s.%N)" --format '{{.Action}}' "${filters[@]}"
}
actions_are() { [ "$(actions "${@:2}")" = "$1" ]; }

ready_times() { [ "$(mvm logs "$1" | grep -c ready)" = "$2" ]; }

lines() { printf '%s\n' "$@"; }

# What `docker events` prints of a container: line ACTION ID ATTRIBUTES...
event_line() { grep -qE "^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9:]{8}\.[0-9]{9}(Z|[+-][0-9]{2}:[0-9]{2}) container $1 $2 \($3\)$"; }

watching() { [ -n "$(ls "$MVM_HOME/events/watchers" 2>/dev/null)" ]; }

@test "the life of a container, as lines, as JSON and by a template" {
  local id out
  run -0 mvm run --name told --label role=web --label "odd=a, b" "$IMAGE" sh -c 'exit 3' || true
  id=$(mvm ps -aq --no-trunc -f name=told)
  mvm rm told
  out=$(TZ=UTC-3 mvm events --since "$since" --until 0s -f container=told)
  same "create attach start die destroy" "$(cut -d " " -f 3 <<<"$out" | paste -sd " ")"
  same 5 "$(grep -c '+03:00 container' <<<"$out")"
  event_line create "$id" "image=$IMAGE, name=told, odd=a, b, role=web" <<<"$out"
  event_line die "$id" "execDuration=[0-9]+, exitCode=3, image=$IMAGE, name=told, odd=a, b, role=web" <<<"$out"
  out=$(TZ=UTC mvm events --since "$since" --until 0s -f container=told -f event=start)
  [[ $out =~ ^2[0-9-]+T[0-9:]+\.[0-9]{9}Z\ container\ start ]]
  out=$(mvm events --since "$since" --until 0s -f event=die --format json)
  same "die $id $IMAGE container die $id 3 local" "$(jq -r '[.status, .id, .from, .Type, .Action, .Actor.ID, .Actor.Attributes.exitCode, .scope] | join(" ")' <<<"$out")"
  same "$(jq .time <<<"$out")" "$(jq '.timeNano / 1000000000 | floor' <<<"$out")"
  same '["status","id","from","Type","Action","Actor","scope","time","timeNano"]' "$(jq -c keys_unsorted <<<"$out")"
  same '["execDuration","exitCode","image","name","odd","role"]' "$(jq -c '.Actor.Attributes | keys_unsorted' <<<"$out")"
  same "$out" "$(mvm events --since "$since" --until 0s -f event=die --format '{{json .}}')"
  same "container/die/$id/$id/$IMAGE/3/<no value>/local" \
    "$(mvm events --since "$since" --until 0s -f event=die --format '{{.Type}}/{{.Action}}/{{.Actor.ID}}/{{.ID}}/{{.From}}/{{.Actor.Attributes.exitCode}}/{{.Actor.Attributes.none}}/{{.Scope}}')"
}

@test "what ends it: kill, stop, --rm, force, restart, pause, a crash" {
  mvm run -d --name ends "$REGISTRY/stopsignal"
  eventually ready_times ends 1
  mvm pause ends
  mvm unpause ends
  mvm kill ends
  eventually is_state ends exited
  mvm start ends
  eventually ready_times ends 2
  mvm restart ends
  eventually ready_times ends 3
  mvm stop ends
  mvm stop ends
  mvm rename ends renamed
  mvm rm renamed
  same "$(lines create start pause unpause kill:9 die:137 start kill:10 die:9 stop start restart kill:10 die:9 stop rename:/ends destroy)" \
    "$(mvm events --since "$since" --until 0s -f type=container --format '{{.Action}}{{range $name, $value := .Actor.Attributes}}{{if or (eq $name "signal") (eq $name "exitCode") (eq $name "oldName")}}:{{$value}}{{end}}{{end}}')"
  same renamed "$(mvm events --since "$since" --until 0s -f event=destroy --format '{{.Actor.Attributes.name}}')"
  since=$(date +%s.%N)
  mvm run --rm "$IMAGE" true
  same "$(lines create attach connect start die disconnect destroy)" "$(actions)"
  since=$(date +%s.%N)
  mvm run -d --name forced "$IMAGE" sleep 1000
  mvm rm -f forced
  same "$(lines create connect start kill die disconnect destroy)" "$(actions)"
  # One that does not get to run has no end either.
  since=$(date +%s.%N)
  run -127 mvm run --rm "$IMAGE" nothing
  same "$(lines create attach destroy)" "$(actions)"
  since=$(date +%s.%N)
  mvm run -d --name crashes "$IMAGE" sleep 1000
  kill -9 "$(jq .Pid "$MVM_HOME/containers/$(mvm ps -q --no-trunc -f name=crashes)/state.json")"
  eventually is_state crashes exited
  same 255 "$(mvm events --since "$since" --until 0s -f event=die --format '{{.Actor.Attributes.exitCode}}')"
  mvm rm crashes
}

@test "execs, a terminal's size, and leaving" {
  mvm run -d --name busy "$IMAGE" sleep 1000
  mvm exec busy sh -c 'exit 5' || true
  mvm exec busy true
  mvm exec busy nothing 2>/dev/null || true
  same "$(lines 'exec_create: sh -c exit 5' 'exec_start: sh -c exit 5' exec_die:5 'exec_create: true ' 'exec_start: true ' exec_die:0 \
    'exec_create: nothing ' 'exec_start: nothing ' exec_die:127)" \
    "$(mvm events --since "$since" --until 0s -f container=busy --format '{{.Action}}{{with .Actor.Attributes.exitCode}}:{{.}}{{end}}' | grep exec)"
  # Without what it is about, all of its kind.
  same 3 "$(actions event=exec_start | wc -l)"
  same 1 "$(actions 'event=exec_start: true ' | wc -l)"
  same 0 "$(actions 'event=exec_start: true' | wc -l)"
  same 3 "$(mvm events --since "$since" --until 0s -f event=exec_die -f event=exec_create --format '{{.Actor.Attributes.execID}}' | sort | uniq -c | grep -c ' 2 [0-9a-f]\{64\}$')"
  mvm export busy >"$BATS_TEST_TMPDIR/tar"
  same export "$(actions event=export)"
  mvm rm -f busy
  since=$(date +%s.%N)
  script -qec "stty rows 33 cols 77; '$MVM' run --rm -t $IMAGE true" /dev/null </dev/null >/dev/null
  same 33x77 "$(mvm events --since "$since" --until 0s -f event=resize --format '{{.Actor.Attributes.height}}x{{.Actor.Attributes.width}}')"
}

@test "images: pull, tag, untag, delete, save, load, import, prune" {
  local id=
  mvm pull -q "$REGISTRY/busybox:v2" >/dev/null
  id=$(mvm image inspect -f '{{.Id}}' "$REGISTRY/busybox:v2")
  mvm tag "$REGISTRY/busybox:v2" events/one:v1
  mvm save -o "$BATS_TEST_TMPDIR/tar" events/one
  mvm rmi events/one:v1
  mvm load -i "$BATS_TEST_TMPDIR/tar"
  mvm rmi events/one:v1
  same "$(lines "pull $REGISTRY/busybox:v2 $REGISTRY/busybox" "tag $id events/one:v1" "save $id $id" "untag $id $id" "load $id $id" "untag $id $id")" \
    "$(mvm events --since "$since" --until 0s -f type=image --format '{{.Action}} {{.Actor.ID}} {{.Actor.Attributes.name}}')"
  same "$(lines pull tag)" "$(actions "image=$REGISTRY/busybox" ; actions image=events/one:v1)"
  # Other files of tests want it not to be there.
  mvm rmi "$REGISTRY/busybox:v2" >/dev/null
  since=$(date +%s.%N)
  echo file >"$BATS_TEST_TMPDIR/file"
  id=$(tar -C "$BATS_TEST_TMPDIR" -cf - file | mvm import -c 'LABEL made=here' -)
  mvm image prune -f --filter label=made=here
  mvm container prune -f --filter label=made=here
  same "$(lines "image import $id" "image delete $id" "image prune " "container prune ")" \
    "$(mvm events --since "$since" --until 0s --format '{{.Type}} {{.Action}} {{.Actor.ID}}')"
  [[ $(mvm events --since "$since" --until 0s -f event=prune -f type=image) =~ "image prune  (reclaimed="[0-9]+")"$ ]]
  same 2 "$(actions label=made=here | wc -l)"
}

@test "networks: create, destroy, prune, and who comes and goes" {
  local one two container
  one=$(mvm network create one)
  two=$(mvm network create two)
  container=$(mvm run -d --name comes --network one "$IMAGE" sleep 1000)
  mvm network connect two comes
  mvm network disconnect one comes
  mvm rm -f comes
  mvm network rm one
  mvm network prune -f >/dev/null
  same "$(lines "create $one" "create $two" "connect $one $container" "connect $two $container" "disconnect $one $container" \
    "disconnect $two $container" "destroy $one" "destroy $two" "prune ")" \
    "$(mvm events --since "$since" --until 0s -f type=network --format '{{.Action}} {{.Actor.ID}}{{with .Actor.Attributes.container}} {{.}}{{end}}')"
  same "$(lines create connect disconnect destroy)" "$(actions network=one)"
}

@test "filters: one of a kind, all kinds, all labels" {
  local one two
  one=$(mvm create --name first --label a=1 --label b=2 "$IMAGE")
  two=$(mvm create --name second --label a=1 "$REGISTRY/entry")
  mvm rm first second
  same "$(lines create create destroy destroy)" "$(actions)"
  same "$(lines create destroy)" "$(actions container=first)"
  same "$(lines create destroy)" "$(actions "container=${one:0:12}")"
  same "$(lines create create destroy destroy)" "$(actions container=first "container=$two")"
  same "$(lines create create)" "$(actions event=create event=start)"
  same create "$(actions event=create container=second)"
  same "$(lines create destroy)" "$(actions label=a=1 label=b)"
  same "$(lines create create destroy destroy)" "$(actions label=a)"
  same '' "$(actions label=a=2)"
  same "$(lines create destroy)" "$(actions "image=$REGISTRY/entry")"
  same "$(lines create destroy)" "$(actions "image=$REGISTRY/entry" "image=$IMAGE" container=first)"
  same '' "$(actions type=image)"
  same '' "$(actions type=plugin scope=local)"
  same '' "$(actions daemon=other)"
  run --separate-stderr -125 mvm events -f color=red
  error_says "invalid filter 'color'"
  run --separate-stderr -125 mvm events --since yesterday
  error_says 'invalid value for "since": failed to parse value as time or duration: "yesterday"'
  run --separate-stderr -1 mvm events --since 10 --until 5
  error_says '`since` time (10.000000000) cannot be after `until` time (5.000000000)'
  run --separate-stderr -1 mvm events --format '{{.Nothing}}'
  error_says "can't evaluate field Nothing in type events.Message"
  run --separate-stderr -125 mvm system events more
  error_says 'accepts no arguments'
}

@test "a stream: each event as it comes, by several, from another login, until a time or a signal" {
  local out=$BATS_TEST_TMPDIR/out watcher
  # Nothing of before, and no end.
  mvm create --name before "$IMAGE"
  mvm rm before
  "$MVM" events -f type=container --format '{{.Action}} {{.Actor.Attributes.name}}' >"$out" 3>&- &
  watcher=$!
  eventually watching
  XDG_RUNTIME_DIR=$BATS_TEST_TMPDIR mvm create --name seen "$IMAGE"
  eventually grep -q '^create seen$' "$out"
  mvm start seen
  eventually grep -q '^start seen$' "$out"
  mvm rm -f seen
  eventually grep -q '^destroy seen$' "$out"
  same "create seen" "$(head -n 1 "$out")"
  kill "$watcher"
  wait "$watcher" || true
  # Until a time in the future it is a stream as well, and then over.
  "$MVM" events --since "$since" --until -2s -f event=create --format '{{.Actor.Attributes.name}}' >"$out" 3>&- &
  watcher=$!
  eventually grep -q '^seen$' "$out"
  mvm create --name late "$IMAGE"
  mvm rm late
  wait "$watcher"
  same "$(lines before seen late)" "$(cat "$out")"
  # A reader that has seen enough.
  "$MVM" events --since "$since" 3>&- | head -n 1 >"$out" &
  watcher=$!
  eventually test -s "$out"
  mvm create --name last "$IMAGE"
  mvm rm last
  wait "$watcher"
}
