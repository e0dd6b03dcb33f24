#!/usr/bin/env bats
# pull, images, rmi; mirrors, platforms and kinds of images.
#
# shellcheck disable=SC2016,SC2154 # programs for the guest; variables that bats sets

load ../lib/vm.bash

@test "pull, images, rmi" {
  run --separate-stderr -0 mvm pull "$IMAGE:v2"
  has "${lines[0]}" "Digest: sha256:"
  same "Status: Downloaded newer image for $IMAGE:v2" "${lines[1]}"
  same "$IMAGE:v2" "${lines[2]}"
  lacks "$stderr" $'\e'
  run -0 mvm images
  has "${lines[0]}" REPOSITORY TAG "IMAGE ID" CREATED SIZE
  has "$output" "$IMAGE"
  run --separate-stderr -0 mvm pull -q "$IMAGE:v2"
  [[ $output =~ ^sha256:[0-9a-f]{64}$ ]]
  has "$(mvm pull "$IMAGE@$output")" "Digest: $output" "Status: Image is up to date for $IMAGE@$output"
  [[ $(image_id "$IMAGE:v2") =~ ^[0-9a-f]{12}$ ]]
  run -0 mvm rmi "$IMAGE:v2"
  same "Untagged: $IMAGE:v2" "${lines[0]}"
  same '' "$(image_id "$IMAGE:v2")"
  run -0 mvm rmi "$REGISTRY/nocmd"
  has "$output" "Untagged: $REGISTRY/nocmd:latest" "Deleted: sha256:"
  # The layer that other images use is still there.
  run -0 mvm run --rm --pull never "$IMAGE" true
}

@test "images --format json" {
  same "$IMAGE latest" "$(mvm images --format json | jq -r --arg name "$IMAGE" 'select(.Repository == $name) | .Repository + " " + .Tag')"
}

@test "an image in use is not removed" {
  mvm run -d --name user "$REGISTRY/stopsignal"
  run --separate-stderr -1 mvm rmi "$REGISTRY/stopsignal"
  error_says "$REGISTRY/stopsignal"
  mvm rm -f user
  run -0 mvm rmi "$REGISTRY/stopsignal"
}

@test "by digest" {
  local digest
  digest=$(jq -r '.manifests[0].digest' "$FIXTURES/layouts/entry/index.json")
  run -0 mvm run --rm "$REGISTRY/entry@$digest"
  same "entry from cmd" "$output"
}

@test "docker.io is redirected to a mirror" {
  printf '{"registries":{"docker.io":{"mirrors":["http://%s"]}}}' "$REGISTRY" >"$BATS_TEST_TMPDIR/config.json"
  MVM_CONFIG=$BATS_TEST_TMPDIR/config.json run --separate-stderr -0 mvm run --rm alpine sh -c 'cat /etc/os-release'
  has "$output" ID=busybox
  has "$(mvm images)" alpine
  mvm rmi alpine
}

@test "the mirror that is down is passed over" {
  printf '{"registries":{"docker.io":{"mirrors":["http://127.0.0.1:1","http://%s"]}}}' "$REGISTRY" >"$BATS_TEST_TMPDIR/config.json"
  MVM_CONFIG=$BATS_TEST_TMPDIR/config.json run -0 mvm pull -q alpine
  mvm rmi alpine
}

@test "an index: the machine's own platform unless told" {
  local arch=amd64
  [ "$(uname -m)" = x86_64 ] || arch=arm64
  run -0 mvm run --rm -q "$REGISTRY/multi"
  same "$arch" "$output"
  run -0 mvm run --rm --platform "linux/$arch" "$REGISTRY/multi"
  same "$arch" "$output"
}

@test "a platform by flag, environment and configuration; the name goes over to it" {
  local arch=amd64 other=arm64 name=$REGISTRY/multi
  [ "$(uname -m)" = x86_64 ] || { arch=arm64; other=amd64; }
  architecture() { mvm image inspect -f '{{.Architecture}}' "$name"; }
  MVM_PLATFORM=$other run -0 mvm pull -q "$name"
  same "$other" "$(architecture)"
  run -0 mvm pull -q "$name"
  same "$arch" "$(architecture)"
  DOCKER_DEFAULT_PLATFORM=s390x run --separate-stderr -1 mvm pull -q "$name"
  error_says "no matching manifest for linux/s390x in the manifest list entries: there is linux/$other, linux/$arch"
  DOCKER_DEFAULT_PLATFORM=linux/$other run -0 mvm pull -q "$name"
  same "$other" "$(architecture)"
  MVM_PLATFORM=$arch DOCKER_DEFAULT_PLATFORM=linux/$other run -0 mvm pull -q "$name"
  same "$arch" "$(architecture)"
  printf '{"platform":"linux/%s"}' "$other" >"$BATS_TEST_TMPDIR/config.json"
  MVM_CONFIG=$BATS_TEST_TMPDIR/config.json run -0 mvm pull -q "$name"
  same "$other" "$(architecture)"
  MVM_CONFIG=$BATS_TEST_TMPDIR/config.json run -0 mvm pull -q --platform "" "$name"
  same "$arch" "$(architecture)"
  # What is here for another platform than asked for is fetched anew, or refused.
  run --separate-stderr -1 mvm create --pull never --platform "$other" "$name"
  error_says "image with reference $name was found but its platform (linux/$arch) does not match the specified platform (linux/$other)"
  MVM_PLATFORM=linux/ run --separate-stderr -1 mvm create "$name"
  error_says 'error parsing specified platform: MVM_PLATFORM: "linux/": cannot parse platform specifier'
}

@test "one image for one platform is pulled whichever was asked for, and not run" {
  run --separate-stderr -0 mvm pull --platform linux/s390x "$IMAGE"
  has "$stderr" "WARNING: image with reference $IMAGE:latest was found but its platform (linux/" "the specified platform (linux/s390x)"
  run --separate-stderr -125 mvm run --rm -q --platform linux/s390x "$IMAGE" true
  error_says "does not match the specified platform (linux/s390x)"
}

@test "Docker's manifests and zstd layers" {
  run -0 mvm run --rm -q "$REGISTRY/docker-v2" true
  run -0 mvm run --rm -q "$REGISTRY/zstd" cat /packed
  same "by zstd" "$output"
}

@test "--pull always asks the registry, missing does not" {
  run --separate-stderr -0 mvm run --rm --pull always "$REGISTRY/entry" again
  same "entry again" "$output"
  has "$stderr" "$REGISTRY/entry"
  run --separate-stderr -0 mvm run --rm --pull missing "$REGISTRY/entry" again
  same "entry again" "$output"
  same '' "$stderr"
}

@test "the store is an OCI layout that skopeo reads, byte for byte" {
  local store=$MVM_HOME/images
  same '{"imageLayoutVersion":"1.0.0"}' "$(jq -c . "$store/oci-layout")"
  (cd "$store/blobs/sha256" && for blob in *; do printf '%s  %s\n' "$blob" "$blob"; done | sha256sum --check --quiet)
}
