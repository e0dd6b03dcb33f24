#!/usr/bin/env bats
# mvm compose: projects that come up, change and go.
#
# shellcheck disable=SC2016,SC2154 # words for the guest's shell; variables that bats sets

load ../lib/vm.bash

setup() {
  mkdir -p "$BATS_TEST_TMPDIR/shop"
  cd "$BATS_TEST_TMPDIR/shop" || return 1
}

test_teardown() {
  mvm ps -aq | xargs -r "$MVM" rm -f >/dev/null
  mvm network prune -f >/dev/null
  mvm volume prune -af >/dev/null
}

compose() { run --separate-stderr mvm compose "$@"; }
label() { mvm inspect "$1" | jq -r --arg key "com.docker.compose.$2" '.[0].Config.Labels[$key]'; }
id() { mvm inspect -f '{{.Id}}' "$1"; }
nothing_is_left() {
  same '' "$(mvm ps -aq)"
  same '' "$(mvm network ls --format '{{.Name}}' | grep '^shop')"
  same '' "$(mvm volume ls -q)"
}

# Two services, of which one waits until the other is well.
two() {
  cat >compose.yaml <<'END_OF_FILE'
services:
  web:
    image: ${IMAGE}
    command: [sh, -c, "wget -qO- http://db/; exec sleep 1000"]
    depends_on:
      db: {condition: service_healthy}
    stop_grace_period: 0s
  db:
    image: ${IMAGE}
    command: [sh, -c, "mkdir /www; echo served >/www/index.html; exec httpd -f -p 80 -h /www"]
    healthcheck: {test: wget -qO- http://localhost/, interval: 300ms}
    volumes: [data:/data, /anonymous]
    stop_grace_period: 0s
volumes: {data: {}}
END_OF_FILE
}

@test "up -d starts in the order of what depends on what; only what changed is made again; down leaves nothing" {
  two
  compose up -d
  same 0 "$status"
  same '' "$output"
  same 'Network shop_default  Creating
 Network shop_default  Created
 Volume "shop_data"  Creating
 Volume "shop_data"  Created
 Container shop-db-1  Creating
 Container shop-db-1  Created
 Container shop-web-1  Creating
 Container shop-web-1  Created
 Container shop-db-1  Starting
 Container shop-db-1  Started
 Container shop-db-1  Waiting
 Container shop-db-1  Healthy
 Container shop-web-1  Starting
 Container shop-web-1  Started' "$stderr"
  eventually log_has shop-web-1 served
  same shop "$(label shop-web-1 project)"
  same web "$(label shop-web-1 service)"
  same 1 "$(label shop-web-1 container-number)"
  same False "$(label shop-web-1 oneoff)"
  same db:service_healthy:false "$(label shop-web-1 depends_on)"
  same "$PWD/compose.yaml" "$(label shop-web-1 project.config_files)"
  same "$PWD" "$(label shop-web-1 project.working_dir)"
  same "$(mvm compose config --hash web)" "web $(label shop-web-1 config-hash)"
  same "$(mvm image inspect -f '{{.Id}}' "$IMAGE")" "$(label shop-web-1 image)"
  same 'default shop' "$(mvm network inspect shop_default | jq -r '.[0].Labels | [.["com.docker.compose.network"], .["com.docker.compose.project"]] | join(" ")')"
  same 'data shop' "$(mvm volume inspect shop_data | jq -r '.[0].Labels | [.["com.docker.compose.volume"], .["com.docker.compose.project"]] | join(" ")')"

  # Nothing has changed.
  web=$(id shop-web-1) db=$(id shop-db-1)
  compose up -d
  has "$stderr" 'Container shop-db-1  Running' 'Container shop-web-1  Running'
  lacks "$stderr" Creat
  same "$web $db" "$(id shop-web-1) $(id shop-db-1)"

  # What is in its volumes stays, whether they have a name or not.
  mvm exec shop-db-1 sh -c 'echo kept >/anonymous/file; echo kept >/data/file'
  sed -i 's/interval: 300ms/interval: 400ms/' compose.yaml
  compose up -d
  same 0 "$status"
  has "$stderr" 'Container shop-db-1  Recreate' 'Container shop-db-1  Recreated' 'Container shop-web-1  Running'
  same "$web" "$(id shop-web-1)"
  [ "$db" != "$(id shop-db-1)" ]
  same $'kept\nkept' "$(mvm exec shop-db-1 cat /anonymous/file /data/file)"
  db=$(id shop-db-1)
  compose up -d --force-recreate db
  [ "$db" != "$(id shop-db-1)" ]
  same $'kept\nkept' "$(mvm exec shop-db-1 cat /anonymous/file /data/file)"

  compose down -v
  same 0 "$status"
  has "$stderr" $'Container shop-web-1  Removed\n Container shop-db-1  Stopping' 'Network shop_default  Removed' 'Volume shop_data  Removed'
  nothing_is_left
  compose down
  same 0 "$status"
  has "$stderr" 'WARNING: Warning: No resource found to remove for project "shop".'
}

# Two that run, of which one says what the other does not.
running() {
  cat >compose.yaml <<'END_OF_FILE'
services:
  one:
    image: ${IMAGE}
    command: [sh, -c, "echo from one; exec sleep 1000"]
    stop_grace_period: 0s
  two:
    image: ${IMAGE}
    command: [sh, -c, "trap 'echo asked; exit 5' TERM; echo from two; while :; do sleep 0.1; done"]
    depends_on: {one: {condition: service_started, restart: true}}
END_OF_FILE
}

states() { mvm ps -a --format '{{.Names}} {{.State}}' | sort | xargs; }
both_say() { grep -q 'from one' out && grep -q 'from two' out; }

@test "in the foreground: output, Ctrl-C, and the exit code of one" {
  running
  "$MVM" compose up >out 2>err 3>&- &
  eventually both_say || { cat out err >&2; mvm ps -a >&2; false; }
  same 'Attaching to one-1, two-1' "$(head -n 1 out)"
  kill -INT $!
  status=0; wait $! || status=$?
  same 130 "$status"
  has "$(cat out)" 'two-1  | asked' 'two-1 exited with code 5'
  has "$(cat err)" 'Gracefully Stopping... press Ctrl+C again to force' $'Container shop-two-1  Stopped\n Container shop-one-1  Stopping'
  same 'shop-one-1 exited shop-two-1 exited' "$(states)"

  sed -i "s/while :; do sleep 0.1; done/exit 7/" compose.yaml
  compose up --abort-on-container-exit
  same 7 "$status"
  has "$stderr" 'Container shop-two-1  Recreated' 'Aborting on container exit...' 'Container shop-one-1  Stopped'
  has "$output" 'two-1 exited with code 7'
  compose up --exit-code-from one --no-attach two --no-log-prefix two
  same 125 "$(mvm compose up -d --attach one >/dev/null 2>&1; echo $?)"
  compose down
  nothing_is_left
}

@test "start, stop, restart, pause, unpause, kill, rm, by files or by the project's name" {
  running
  compose up --no-start
  same 'shop-one-1 created shop-two-1 created' "$(states)"
  compose start one
  same 'shop-one-1 running shop-two-1 created' "$(states)"
  cd /
  compose -p shop start
  same 'shop-one-1 running shop-two-1 running' "$(states)"
  compose -p shop pause one
  same 'shop-one-1 paused shop-two-1 running' "$(states)"
  compose -p shop unpause
  has "$stderr" 'Container shop-one-1  Unpaused'
  lacks "$stderr" two
  compose -p shop restart -t 0 one
  same "$(printf '%s\n' Container\ shop-{one,two}-1\ \ {Restarting,Started} | sed 's/^/ /' | sed '1s/^ //')" "$stderr"
  compose -p shop restart --no-deps -t 0 one
  lacks "$stderr" two
  compose -p shop kill -s KILL two
  eventually is_state shop-two-1 exited
  compose -p shop stop
  has "$stderr" 'Container shop-one-1  Stopped'
  same 'shop-one-1 exited shop-two-1 exited' "$(states)"
  run --separate-stderr mvm compose -p shop rm <<<n
  has "$stderr" 'Going to remove shop-one-1, shop-two-1' 'Are you sure? [yN]'
  same 'shop-one-1 exited shop-two-1 exited' "$(states)"
  compose -p shop kill
  same 'no container to kill' "$stderr"
  compose -p shop rm -f two
  same 'shop-one-1 exited' "$(states)"
  compose -p shop rm -f
  compose -p shop rm -f
  same 'No stopped containers' "$stderr"
  compose -p shop down
  nothing_is_left
  compose -f "$BATS_TEST_TMPDIR/shop/compose.yaml" start
  same 1 "$status"
  error_says 'service "one" has no container to start'
}

@test "run: a container beside the service's, with secrets and configs from files, variables and text" {
  cat >compose.yaml <<'END_OF_FILE'
services:
  web:
    image: ${IMAGE}
    command: [echo, usual]
    environment: {A: one}
    depends_on: {db: {condition: service_healthy}}
    secrets: [file, {source: env, target: other, mode: 0400}]
    configs: [plain, {source: file, target: /etc/app.conf}]
    ports: ["80"]
  db:
    image: ${IMAGE}
    command: [sleep, "1000"]
    healthcheck: {test: "true", interval: 300ms}
    stop_grace_period: 0s
secrets: {file: {file: ./secret.txt}, env: {environment: SECRET}}
configs: {plain: {content: "it is $SECRET"}, file: {file: ./secret.txt}}
END_OF_FILE
  echo of-file >secret.txt
  compose config -q
  compose run --rm -e B=two web true
  same 1 "$status"
  has "$stderr" 'environment variable "SECRET" required by secret "env" is not set'
  no_containers
  export SECRET=sesame
  compose run --rm -T -e B=two web sh -c 'echo $A $B; cat /run/secrets/file /etc/app.conf /run/secrets/other /plain; stat -c " %a" /run/secrets/other; echo x >/plain; exit 4'
  same 4 "$status"
  same $'one two\nof-file\nof-file\nsesameit is sesame 400' "$output"
  has "$stderr" 'Container shop-db-1  Healthy' 'Container shop-web-run-' "can't create /plain: Read-only file system"
  same shop-db-1 "$(mvm ps -a --format '{{.Names}}')"
  same piped "$(echo piped | mvm compose run --rm -T --no-deps --entrypoint 'cat -' web 2>/dev/null)"
  compose run -d --name mine web sleep 1000
  same "$(id mine)" "$output"
  same True "$(label mine oneoff)"
  same '' "$(mvm port mine)"
  compose down --remove-orphans -t 0
  nothing_is_left
}

@test "what cannot be is refused before anything is made, with its place" {
  printf 'services:\n  a: {image: %s, ports: ["8080:80"]}\n  b:\n    image: %s\n    ports: ["127.0.0.1:8080:81"]\n' "$IMAGE" "$IMAGE" >compose.yaml
  compose up -d
  same 1 "$status"
  error_says "compose.yaml:5:13: services.b.ports: port 8080/tcp of the host is published by service a, too"
  compose up -d --scale a=2 a
  error_says '2 containers cannot all have port 8080/tcp'
  printf 'services:\n  a: {image: %s, network_mode: host}\n' "$IMAGE" >compose.yaml
  compose up -d
  error_says 'compose.yaml:2:' 'services.a.network_mode: "host" cannot be'
  printf 'services:\n  a:\n    image: %s\n    gpus: all\n' "$IMAGE" >compose.yaml
  compose up -d
  error_says 'compose.yaml:4:' 'services.a.gpus is not possible'
  printf 'services:\n  a:\n    image: %s\n    post_start: [{command: "true"}]\n' "$IMAGE" >compose.yaml
  compose up -d
  error_says 'compose.yaml:4:' 'services.a.post_start is not possible' 'compose exec'
  printf 'services:\n  a: {image: %s/missing}\n  b: {image: %s}\n' "$REGISTRY" "$IMAGE" >compose.yaml
  compose up -d
  same 1 "$status"
  has "$stderr" 'a Error' "mvm: service a: image $REGISTRY/missing: "
  compose up -d --pull never
  error_says 'compose.yaml:2:' "service a: No such image: $REGISTRY/missing"
  printf 'services:\n  a: {build: .}\n' >compose.yaml
  compose up -d
  error_says 'compose.yaml:2:' 'image shop-a is not here, and images cannot be built here yet' 'mvm load'
  printf 'services:\n  a: {image: %s, networks: [n]}\nnetworks: {n: {external: true}}\n' "$IMAGE" >compose.yaml
  compose up -d
  error_says 'compose.yaml:3:' 'network n declared as external, but could not be found'
  compose up -d --force-recreate --no-recreate
  same 125 "$status"
  nothing_is_left
}

@test "one that fails is told of, with what it said last; the others stay; up again goes on" {
  cat >compose.yaml <<'END_OF_FILE'
services:
  web: {image: "${IMAGE}", command: [sleep, "1000"], depends_on: {first: {condition: service_completed_successfully}}, stop_grace_period: 0s}
  first: {image: "${IMAGE}", command: [sh, -c, "echo no such table; exit ${CODE:-3}"], volumes: [data:/data]}
  other: {image: "${IMAGE}", command: [sleep, "1000"], stop_grace_period: 0s}
volumes: {data: {}}
END_OF_FILE
  compose up -d
  same 1 "$status"
  has "$stderr" 'mvm: service "first" didn'"'"'t complete successfully: exit 3; the last it said: no such table'
  same 'shop-first-1 exited shop-other-1 running shop-web-1 created' "$(states)"
  CODE=0 compose up -d --wait
  same 0 "$status"
  has "$stderr" 'Container shop-first-1  Exited' 'Container shop-other-1  Healthy'
  same 'shop-first-1 exited shop-other-1 running shop-web-1 running' "$(states)"
  # A health check that cannot even be run.
  printf 'services:\n  a: {image: %s, command: [sleep, "1000"], stop_grace_period: 0s, healthcheck: {test: [CMD, /no/shell], interval: 200ms, retries: 1}}\n' "$IMAGE" >compose.yaml
  compose up -d --wait
  same 1 "$status"
  has "$stderr" 'Found orphan containers ([shop-first-1 shop-other-1 shop-web-1]) for this project' 'mvm: container shop-a-1 is unhealthy'
  compose up -d --remove-orphans
  same 'shop-a-1 running' "$(states)"
  mkdir "$BATS_TEST_TMPDIR/elsewhere"
  cp compose.yaml "$BATS_TEST_TMPDIR/elsewhere"
  cd "$BATS_TEST_TMPDIR/elsewhere"
  compose -p shop down -v
  nothing_is_left
}

@test "an up that is killed in the middle, and two at once" {
  cat >compose.yaml <<'END_OF_FILE'
services:
  a: {image: "${IMAGE}", command: [sleep, "1000"], stop_grace_period: 0s, scale: 3}
END_OF_FILE
  for delay in 0.02 0.1 0.4; do
    "$MVM" compose up -d 2>/dev/null 3>&- &
    sleep "$delay"
    kill -KILL $! || true
    wait $! 2>/dev/null || true
  done
  compose up -d
  same 0 "$status"
  # Which of the three were there at the kill is chance, and new ones get the numbers after the highest, as docker has it.
  [[ $(states) =~ ^shop-a-[0-9]+\ running\ shop-a-[0-9]+\ running\ shop-a-[0-9]+\ running$ ]]
  compose down
  nothing_is_left
  "$MVM" compose up -d >out 2>&1 3>&- &
  compose up -d
  same 0 "$status"
  wait $!
  same 'shop-a-1 running shop-a-2 running shop-a-3 running' "$(states)"
  compose up -d --scale a=1
  same 'shop-a-1 running' "$(states)"
  compose down
  nothing_is_left
}
