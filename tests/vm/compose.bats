#!/usr/bin/env bats
# mvm compose over files: no machine is started.
#
# shellcheck disable=SC2016,SC2154 # variables of compose files; variables that bats sets

load ../lib/vm.bash

setup() {
  cd "$BATS_TEST_TMPDIR" || return 1
  mkdir -p shop/deep
  cat >shop/compose.yaml <<'END'
services:
  web:
    image: nginx:${TAG:-1}
    ports: ["8080:80"]
    depends_on: [db]
    volumes: ["data:/data", "./conf:/conf:ro"]
  db:
    image: postgres
    environment: [PASSWORD]
    env_file: db.env
  debug:
    build: .
    profiles: [debug]
volumes:
  data:
  other:
END
  echo 'TAG=2' >shop/.env
  echo 'PORT=5432' >shop/db.env
}

config() { run --separate-stderr mvm compose "$@"; }

@test "a project is found from below, merged, and printed as one file" {
  cd shop/deep
  PASSWORD='a$b' config config
  same 0 "$status"
  same '' "$stderr"
  has "$output" 'name: shop' 'image: nginx:2' 'condition: service_started' "source: $BATS_TEST_TMPDIR/shop/conf" 'PASSWORD: a$$b' \
    'PORT: "5432"' 'name: shop_data' 'name: shop_default'
  lacks "$output" other
  lacks "$output" debug
  printf '%s\n' "$output" >"$BATS_TEST_TMPDIR/again.yaml"
  run -0 mvm compose -f "$BATS_TEST_TMPDIR/again.yaml" --project-directory "$BATS_TEST_TMPDIR/shop" config
  same "$(cat "$BATS_TEST_TMPDIR/again.yaml")" "$output"
}

@test "files by -f, stdin among them; override files; COMPOSE_FILE" {
  echo 'services: {web: {image: over, ports: !reset []}}' >shop/compose.override.yaml
  cd shop
  config config
  has "$output" 'image: over'
  lacks "$output" 8080
  config -f compose.yaml config web
  has "$output" 'image: nginx:2' 8080
  echo 'services: {web: {image: piped}}' | { config -f compose.yaml -f - -p other config; has "$output" 'name: other' 'image: piped'; }
  COMPOSE_FILE=compose.yaml COMPOSE_PROJECT_NAME=named config config
  has "$output" 'name: named' 'image: nginx:2'
  config -p Not.Good config
  same 125 "$status"
  error_says 'invalid project name "Not.Good"'
}

@test "lists, hashes, JSON, a file for the output, and silence" {
  cd shop
  config config --services
  same $'db\nweb' "$output"
  config --profile debug config --services
  same $'db\ndebug\nweb' "$output"
  config config --services debug
  same $'debug' "$output"
  config config --volumes
  same data "$output"
  config --all-resources config --volumes
  same $'data\nother' "$output"
  config config --networks
  same default "$output"
  config --profile '*' config --images
  same $'postgres\nshop-debug\nnginx:2' "$output"
  config config --profiles
  same debug "$output"
  config config --environment
  has "$output" 'TAG=2' 'COMPOSE_PROJECT_NAME=shop'
  config config --hash web,db
  same 'web db' "$(cut -d ' ' -f 1 <<<"$output" | xargs)"
  same 2 "$(grep -cE '^[a-z]+ [0-9a-f]{64}$' <<<"$output")"
  same 8080 "$(mvm compose config --format json | jq -r '.services.web.ports[0].published')"
  config config -q
  same 0 "$status"
  same '' "$output"
  config config -o out.yaml
  same '' "$output"
  has "$(cat out.yaml)" 'image: nginx:2'
  config config --no-interpolate
  has "$output" 'image: nginx:${TAG:-1}'
}

@test "mistakes have a place; what is missing is named" {
  cd shop
  printf 'services:\n  a:\n    image: i\n    ports: nope\n' >bad.yaml
  config -f bad.yaml config
  same 1 "$status"
  error_says 'bad.yaml:4:12: services.a.ports must be an array'
  printf 'services:\n  a: {image: i, depends_on: [b]}\n  b: {image: i, depends_on: [a]}\n' >bad.yaml
  config -f bad.yaml config
  error_says 'dependency cycle detected: a -> b -> a'
  printf 'services: {a: {image: i, imagine: x, labels: {l: $NOT_SET}}}' >odd.yaml
  config -f odd.yaml config
  same 0 "$status"
  has "$stderr" "WARNING: odd.yaml:1:26: services.a: additional properties 'imagine' not allowed" \
    'WARNING: The "NOT_SET" variable is not set. Defaulting to a blank string.'
  config -f nowhere.yaml config
  same 1 "$status"
  error_says nowhere.yaml 'No such file'
  rm db.env
  config config
  error_says compose.yaml:10:15: "env file $BATS_TEST_TMPDIR/shop/db.env not found"
  config config nobody
  error_says 'no such service: nobody'
  cd /
  config config
  error_says 'no configuration file provided: not found'
  config config --format xml
  same 125 "$status"
  error_says 'unsupported format "xml"'
  config --nope config
  same 125 "$status"
  error_says 'unknown flag: --nope'
  config confgi
  same 125 "$status"
  has "$stderr" "did you mean 'compose config'?"
}

@test "the group has options, help and completion" {
  run -0 mvm compose --help
  has "$output" 'Usage:  mvm compose [OPTIONS] COMMAND' '-f, --file' 'config'
  run -0 mvm compose -f x --help
  has "$output" '--project-name'
  cd shop
  has "$(mvm __complete compose '')" config
  has "$(mvm __complete compose -)" --file --profile
  has "$(mvm __complete compose -f compose.yaml '')" config
  has "$(mvm __complete compose -f compose.yaml config --)" --hash --quiet
  same $'db\nweb\n:4' "$(mvm __complete compose -f compose.yaml config '')"
  same $'web\n:4' "$(mvm __complete compose -f compose.yaml config db '')"
}

@test "variables with their defaults, and images with the digests that they have at their registry" {
  printf 'services:\n  web: {image: "$IMAGE", command: "${A:-one} ${B:?no} ${C+three}"}\n  pinned: {image: "x@sha256:%064d"}\n' 7 >c.yaml
  config -p p -f c.yaml config --variables
  same 'NAME                REQUIRED            DEFAULT VALUE       ALTERNATE VALUE' "${lines[0]}"
  same 'A                   false               one                 ' "${lines[1]}"
  same 'B                   true                                    ' "${lines[2]}"
  same 'C                   false                                   three' "${lines[3]}"
  same '{"Name":"B","Required":true,"DefaultValue":"","PresenceValue":""}' "$(mvm compose -p p -f c.yaml config --variables --format json | jq -c '.[1]')"

  local digest
  digest=$(mvm inspect --format '{{index .RepoDigests 0}}' "$IMAGE")
  B=x config -p p -f c.yaml config --lock-image-digests
  same 0 "$status"
  same "services:
  pinned:
    image: docker.io/library/x@sha256:$(printf %064d 7)
  web:
    image: $IMAGE:latest@${digest#*@}" "$output"
  B=x config -p p -f c.yaml config --resolve-image-digests
  has "$output" "image: $IMAGE:latest@${digest#*@}" 'name: p' '- x'
  B=x IMAGE=$REGISTRY/nosuch config -p p -f c.yaml config --resolve-image-digests
  same 1 "$status"
  error_says 'cannot resolve the image' nosuch
}
