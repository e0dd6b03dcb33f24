#!/usr/bin/env bats
# What mvm compose shows of a project, by labels; containers of which are made by hand here.
#
# shellcheck disable=SC2016,SC2154 # programs for the guest; variables that bats sets

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
  member web 2 run "$IMAGE" sh -c 'echo one; echo two >&2; printf end' >out 2>err
  member db 1 run "$IMAGE" sh -c 'echo ready; echo' >out
  member quiet 1 run "$IMAGE" echo hush >out
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
