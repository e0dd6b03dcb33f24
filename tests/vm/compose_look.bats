#!/usr/bin/env bats
# What mvm compose shows of a project, by labels; containers of which are made by hand here.
#
# shellcheck disable=SC2016,SC2030,SC2154 # programs for the guest; variables that bats sets

load ../lib/vm.bash

setup() {
  cd "$BATS_TEST_TMPDIR" || return 1
  mkdir -p shop
  cd shop || return 1
  printf 'services:\n  web: {image: x}\n  db: {image: x}\n  quiet: {image: x, attach: false}\nvolumes: {data: }\n' >compose.yaml
}

# member SERVICE NUMBER ARG...: `mvm ARG...` of a container as `up` would make it.
member() {
  local service=$1 number=$2 verb=$3
  shift 3
  mvm "$verb" --name "shop-$service-$number" -l com.docker.compose.project=shop -l "com.docker.compose.service=$service" \
    -l "com.docker.compose.container-number=$number" -l com.docker.compose.oneoff=False -l com.docker.compose.config-hash=0 \
    -l "com.docker.compose.project.config_files=$PWD/compose.yaml" "$@"
}

compose() { run --separate-stderr mvm compose "$@"; }

@test "logs: prefixes, colours, what to choose by" {
  member web 2 run "$IMAGE" sh -c 'echo one; echo two; printf end' >out
  member db 1 run "$IMAGE" sh -c 'echo ready; echo' >out
  member quiet 1 run "$IMAGE" sh -c 'echo hush >&2' 2>out
  compose logs
  same 0 "$status"
  same $'db-1   | ready\ndb-1   | \nweb-2  | one\nweb-2  | two\nweb-2  | end' "$output"
  same '' "$stderr"
  compose logs quiet
  same 'quiet-1  | hush' "$output"
  # Without a file there is nothing to choose by.
  cd /
  compose -p shop logs -n 1
  has "$output" $'db-1     | ' $'quiet-1  | hush\n' 'web-2    | end'
  cd "$BATS_TEST_TMPDIR/shop"
  compose logs --no-log-prefix -n 2 web
  same $'two\nend' "$output"
  compose logs --index 2 --tail 1 web
  same 'web-2  | end' "$output"
  compose logs -t --index 2 -n 1 web
  [[ $output =~ ^web-2\ \ \|\ 20[0-9T:.-]{27}Z\ end$ ]]
  compose logs --until 1h web
  same '' "$output"
  compose --ansi always logs -n 1 db web
  same $'\e[36mdb-1   | \e[0m\n\e[33mweb-2  | \e[0mend' "$output"
  compose --ansi always logs -n 1 --no-color web
  same 'web-2  | end' "$output"
  NO_COLOR=1 compose --ansi always logs -n 1 web
  same 'web-2  | end' "$output"

  compose logs --index 3 web
  same 1 "$status"
  error_says 'service "web" is not running container #3'
  compose logs --index 1
  same 1 "$status"
  error_says '--index requires one service to be selected'
  compose logs nosuch
  same 1 "$status"
  error_says 'no such service: nosuch'
  compose --ansi sometimes logs
  same 125 "$status"
  error_says '--ansi'
  mvm rm shop-web-2 shop-db-1 shop-quiet-1
}

shown() { grep -qF -- "$1" shown; }

@test "logs -f: several at once, what starts later, who ends how" {
  mkfifo in
  member web 1 run -i "$IMAGE" sh -c 'while read x; do echo "$x"; done; exit 3' <in >out 3>&- &
  exec 4>in
  eventually is_state shop-web-1 running
  member quiet 1 create "$IMAGE" true
  member db 1 create "$IMAGE" sh -c 'echo up; exit 7'
  "$MVM" compose logs -f >shown 2>&1 3>&- 4>&- &
  local follower=$!
  echo hello >&4
  eventually shown 'web-1  | hello'
  mvm start shop-quiet-1 shop-db-1
  eventually shown 'db-1 exited with code 7'
  echo bye >&4
  exec 4>&-
  wait "$follower"
  same 'web-1  | hello
db-1   | up
db-1 exited with code 7
web-1  | bye
web-1 exited with code 3' "$(cat shown)"
  # None of them runs: nothing is to come.
  compose logs -f db
  same 'db-1  | up' "$output"
  mvm rm shop-web-1 shop-db-1 shop-quiet-1
}

# One set of containers serves all that looks at them.
@test "ps, ls, exec, port, top, cp, images, events, stats, export, volumes, version" {
  mkdir -p "$BATS_TEST_TMPDIR/other"
  mvm volume create --label com.docker.compose.project=shop shop_data >/dev/null
  mvm volume create --label com.docker.compose.project=shop shop_spare >/dev/null
  local start=$EPOCHREALTIME
  member web 1 run -d -p 127.0.0.1::80 -v shop_data:/data "$IMAGE" sh -c 'sleep 1000 & wait' >/dev/null
  member db 1 run "$IMAGE" false || true
  member old 1 create "$IMAGE" true >/dev/null
  mvm create --name shop-web-run-1 -l com.docker.compose.project=shop -l com.docker.compose.service=web -l com.docker.compose.oneoff=True \
    -l com.docker.compose.container-number=1 -l com.docker.compose.config-hash=0 "$IMAGE" true >/dev/null
  local web
  web=$(mvm ps -q --no-trunc)

  compose ps
  same 0 "$status"
  [[ ${lines[0]} =~ ^NAME\ +IMAGE\ +COMMAND\ +SERVICE\ +CREATED\ +STATUS\ +PORTS$ ]]
  [[ ${lines[1]} =~ ^shop-web-1\ +127.*/busybox\ +\"sh\ -c\ .*…\"\ +web\ +.*\ ago\ +Up\ .*127.0.0.1:[0-9]+-\>80/tcp$ ]]
  same 2 "${#lines[@]}"
  compose ps -a --format '{{.Name}} {{.State}} {{.ExitCode}} {{.Project}} {{.Label "com.docker.compose.oneoff"}}'
  same 'shop-db-1 exited 1 shop False
shop-old-1 created 0 shop False
shop-web-1 running 0 shop False
shop-web-run-1 created 0 shop True' "$output"
  compose ps -q
  same "$web" "$output"
  compose ps -a --services
  same $'db\nold\nweb' "$output"
  compose ps -a --orphans=false --services
  same $'db\nweb' "$output"
  compose ps --status exited --services
  same db "$output"
  compose ps --filter status=created --format '{{.Name}}'
  same $'shop-old-1\nshop-web-run-1' "$output"
  compose ps web --format json
  same 'web running 80 tcp true 0' "$(jq -r '[.Service, .State, .Publishers[0].TargetPort, .Publishers[0].Protocol, (.Publishers[0].PublishedPort > 0), .ExitCode] | join(" ")' <<<"$output")"
  compose ps --filter nothing
  same 1 "$status"
  error_says 'arguments to --filter should be in form KEY=VAL'
  compose ps nosuch
  same 1 "$status"
  error_says 'no such service: nosuch'

  compose ls
  [[ ${lines[0]} =~ ^NAME\ {16}STATUS\ {14}CONFIG\ FILES$ ]]
  [[ ${lines[1]} =~ ^shop\ {16}running\(1\)\ {10}/.*/shop/compose.yaml$ ]]
  compose ls -a --filter name=^sh --format json
  same "[{\"Name\":\"shop\",\"Status\":\"created(2), exited(1), running(1)\",\"ConfigFiles\":\"N/A\"}]" "$output"
  compose ls -q --filter name=other
  same '' "$output"
  compose ls --filter label=x
  same 125 "$status"

  compose exec -T -e A=b -w /data web sh -c 'echo $A $PWD; echo err >&2; exit 5' </dev/null
  same 5 "$status"
  same 'b /data' "$output"
  same err "$stderr"
  same in "$(echo in | mvm compose exec web cat)"
  compose exec -d web touch /tmp/made
  same 0 "$status"
  eventually mvm compose exec web test -e /tmp/made
  run -127 mvm compose exec web nosuchprogram
  compose exec db true
  same 1 "$status"
  error_says 'service "db" is not running'
  compose exec --index 2 web true
  error_says 'service "web" is not running container #2'

  compose port web 80
  same "$(mvm port shop-web-1 80)" "$output"
  compose port --protocol udp web 80
  same 1 "$status"
  error_says 'no port 80/udp for container shop-web-1: 80/tcp'

  compose top
  [[ ${lines[0]} =~ ^SERVICE\ +\#\ +UID\ +PID\ +PPID\ +C\ +STIME\ +TTY\ +TIME\ +CMD$ ]]
  [[ ${lines[1]} =~ ^web\ +1\ +root\ .*sh\ -c ]]
  compose top db
  same 0 "$status"
  same '' "$output"

  echo local >file
  compose cp file web:/tmp/
  same 0 "$status"
  has "$stderr" 'Copied'
  same local "$(mvm compose exec web cat /tmp/file)"
  compose cp web:/tmp/file "$BATS_TEST_TMPDIR/other/back"
  same local "$(cat "$BATS_TEST_TMPDIR/other/back")"
  same local "$(mvm compose cp web:/tmp/file - 2>/dev/null | tar xO)"
  compose cp --index 1 file db:/tmp/file
  same 0 "$status"
  compose cp file web
  error_says 'unknown copy direction'
  compose cp file nosuch:/x
  same 1 "$status"
  error_says 'no container found for service "nosuch"'

  compose images
  [[ ${lines[0]} =~ ^CONTAINER\ +REPOSITORY\ +TAG\ +PLATFORM\ +IMAGE\ ID\ +SIZE\ +CREATED$ ]]
  [[ ${lines[1]} =~ ^shop-db-1\ +127.*/busybox\ +latest\ +linux/amd64\ +[0-9a-f]{12}\ +[0-9.]+MB\ +.*ago$ ]]
  same "$(mvm inspect --format '{{.Image}}' shop-web-1)" "sha256:$(mvm compose images -q)"
  same "shop-web-1 latest true" "$(mvm compose images web --format json | jq -r '.[0] | [.ContainerName, .Tag, (.Size > 0)] | join(" ")')"

  compose events --since "$start" --until "$EPOCHREALTIME" db
  has "$output" 'container create ' 'container start ' 'container die ' 'exitCode=1' 'name=shop-db-1'
  lacks "$output" com.docker.compose
  compose events --json --since "$start" --until "$EPOCHREALTIME" web
  same 'create web container shop-web-1' "$(head -n 1 <<<"$output" | jq -r '[.action, .service, .type, .attributes.name] | join(" ")')"

  compose stats --no-stream --format '{{.Name}}'
  same shop-web-1 "$output"
  compose stats --no-stream --format '{{.Name}}' db
  same '' "$output"

  same yes "$(mvm compose export web | tar tf - | grep -qx bin/busybox && echo yes)"
  compose export -o out.tar web
  same 0 "$status"
  [ -s out.tar ]

  compose volumes -q
  same $'shop_data\nshop_spare' "$output"
  compose volumes web --format '{{.Name}} {{.Driver}}'
  same 'shop_data disk' "$output"

  compose version --short
  same "$(mvm version --format '{{.Client.Version}}')" "$output"
  same "$output" "$(mvm compose version -f json | jq -r .version)"

  mvm rm -f shop-web-1 shop-db-1 shop-old-1 shop-web-run-1
  mvm volume rm shop_data shop_spare
}

attached_twice() { [ "$(mvm events --since "$1" --until "$EPOCHREALTIME" -f event=attach -f container=shop-web-1 | wc -l)" = 2 ]; }

has_child() { pgrep -P "$1" >/dev/null; }

@test "wait and attach" {
  local start=$EPOCHREALTIME
  mkfifo in
  member web 1 run -i "$IMAGE" sh -c 'read x; echo "got $x"; exit 4' <in >out 3>&- &
  exec 4>in
  eventually is_state shop-web-1 running
  local id
  id=$(mvm ps -q --no-trunc)
  "$MVM" compose wait web >waited 3>&- 4>&- &
  local waiter=$!
  eventually has_child "$waiter"
  "$MVM" compose attach --no-stdin web >attached 2>&1 3>&- 4>&- &
  local attached=$!
  eventually attached_twice "$start"
  echo word >&4
  exec 4>&-
  status=0
  wait "$waiter" || status=$?
  same 4 "$status"
  same "container \"$id\" exited with status code 4" "$(cat waited)"
  status=0
  wait "$attached" || status=$?
  same 4 "$status"
  compose wait web
  same 1 "$status"
  error_says 'no containers for project "shop"'
  compose attach web
  same 1 "$status"
  error_says 'service "web" is not running'
  mvm rm shop-web-1
}
