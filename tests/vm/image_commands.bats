#!/usr/bin/env bats
# The image commands on a store of their own, in docker's words. Only the last cases start VMs.
#
# shellcheck disable=SC2016,SC2154 # programs for the guest; variables that bats sets

load ../lib/vm.bash

setup() {
  export MVM_HOME=$BATS_TEST_TMPDIR/home
  mvm pull -q "$REGISTRY/entry"
}

# The registry's name without the port would be another one.
entry() { echo "$REGISTRY/entry"; }

# Digest of the image's manifest as the registry has it.
entry_digest() { jq -r '.manifests[0].digest' "$FIXTURES/layouts/entry/index.json"; }

inspect() { mvm image inspect "$1" | jq -r ".[0]$2"; }

@test "groups: names, help, and what was meant" {
  same "$(mvm images)" "$(mvm image ls)"
  same "$(mvm images)" "$(mvm image list)"
  same "$(mvm ps -a)" "$(mvm container ls -a)"
  same "$(mvm info)" "$(mvm system info)"
  run -0 mvm image --help
  has "$output" "Usage:  mvm image COMMAND" "  ls  " "  rm  " "  prune  " "  inspect  "
  run -0 mvm help image ls
  has "$output" "Usage:  mvm image ls [OPTIONS] [REPOSITORY[:TAG]]" "mvm image ls, mvm image list, mvm images"
  run --separate-stderr -125 mvm image lss
  same $'mvm: \'image lss\' is not a mvm command; did you mean \'image ls\'?\nSee \'mvm image --help\'' "$stderr"
  run --separate-stderr -125 mvm imagse
  same $'mvm: \'imagse\' is not a mvm command; did you mean \'images\'?\nSee \'mvm --help\'' "$stderr"
  run --separate-stderr -125 mvm container xyzzy
  same $'mvm: \'container xyzzy\' is not a mvm command.\nSee \'mvm container --help\'' "$stderr"
  run --separate-stderr -0 mvm container
  has "$stderr" "Usage:  mvm container COMMAND"
  same '' "$output"
}

@test "tag and images: rows, columns, filters" {
  mvm tag "$(entry)" mine:v1
  mvm tag mine:v1 other/mine
  run -0 mvm images
  same "REPOSITORY TAG IMAGE ID CREATED SIZE" "$(echo "${lines[0]}" | tr -s ' ')"
  same 4 "${#lines[@]}"
  run -0 mvm images mine
  same 2 "${#lines[@]}"
  has "${lines[1]}" "mine " "v1 "
  same "other/mine" "$(mvm images 'other/*' --format json | jq -r .Repository)"
  same '' "$(mvm images -q 'mine:v2')"
  # "*" stops at a slash.
  same 1 "$(mvm images -q 'm*' | wc -l)"
  same 3 "$(mvm images -q | wc -l)"
  same "$(inspect mine:v1 .Id)" "$(mvm images -q --no-trunc mine)"
  same "$(entry_digest)" "$(mvm images --digests --format json "$(entry)" | jq -r .Digest)"
  same "<none>" "$(mvm images --digests --format json mine | jq -r .Digest)"
  same 0 "$(mvm images -q -f dangling=true | wc -l)"
  same 3 "$(mvm images -q -f dangling=false | wc -l)"
  same 0 "$(mvm images -q -f before=mine:v1 | wc -l)"
  run --separate-stderr -125 mvm images -f colour=red
  error_says "invalid filter 'colour'"
  run --separate-stderr -1 mvm tag nosuch x
  error_says "no such image: nosuch"
  run --separate-stderr -1 mvm tag mine:v1 UPPER
  error_says '"UPPER" is not a valid repository/tag' lowercase
  run --separate-stderr -1 mvm tag mine:v1 "x@$(entry_digest)"
  error_says "refusing to create a tag with a digest reference"
}

@test "an image that was pulled by digest has a row without a tag" {
  mvm rmi "$(entry)"
  mvm pull -q "$(entry)@$(entry_digest)"
  run -0 mvm images
  has "${lines[1]}" "$(entry) " "<none> "
  same "[]" "$(mvm image inspect "$(entry)@$(entry_digest)" | jq -c '.[0].RepoTags')"
}

@test "an image that lost its name is dangling, and pruned" {
  mvm pull -q "$REGISTRY/nocmd"
  mvm tag "$(entry)" "$REGISTRY/nocmd"
  run -0 mvm images -f dangling=true
  has "${lines[1]}" "$REGISTRY/nocmd " "<none> "
  run --separate-stderr -1 mvm image prune </dev/null
  has "$stderr" "WARNING! This will remove all dangling images." "Are you sure you want to continue? [y/N]" cancelled
  run --separate-stderr -0 mvm image prune <<<y
  has "$output" "Deleted Images:" "untagged: $REGISTRY/nocmd@sha256:" "deleted: sha256:" "Total reclaimed space: "
  same "Total reclaimed space: 0B" "$(mvm image prune -f)"
  same "$(inspect "$(entry)" .Id)" "$(inspect "$REGISTRY/nocmd" .Id)"
}

@test "image inspect: docker's document, names in full" {
  mvm tag "$(entry)" mine:v1
  run -0 mvm image inspect mine:v1
  same "$(mvm images -q --no-trunc mine)" "$(jq -r '.[0].Id' <<<"$output")"
  has "$(jq -c '.[0].RepoTags' <<<"$output")" docker.io/library/mine:v1 "$(entry):latest"
  same "[\"$(entry)@$(entry_digest)\"]" "$(jq -c '.[0].RepoDigests' <<<"$output")"
  same linux "$(jq -r '.[0].Os' <<<"$output")"
  same "$(entry_digest)" "$(jq -r '.[0].Descriptor.digest' <<<"$output")"
  same "$(skopeo inspect --config "oci:$MVM_HOME/images:$(entry):latest" | jq -c .rootfs.diff_ids)" "$(jq -c '.[0].RootFS.Layers' <<<"$output")"
  same "$(skopeo inspect --config --raw "oci:$MVM_HOME/images:$(entry):latest" | jq -Sc .config)" "$(jq -Sc '.[0].Config' <<<"$output")"
  run --separate-stderr -1 mvm image inspect nosuch "$(entry)"
  same 1 "$(jq length <<<"$output")"
  has "$stderr" "no such image: nosuch"
  run --separate-stderr -1 mvm image inspect nosuch
  same "[]" "$output"
}

@test "sizes are those of the files" {
  local size
  size=$(skopeo copy -q "oci:$MVM_HOME/images:$(entry):latest" "dir:$BATS_TEST_TMPDIR/dir" &&
    jq -r '.layers[].digest[7:]' "$BATS_TEST_TMPDIR/dir/manifest.json" | while read -r blob; do
      tar -tvf "$BATS_TEST_TMPDIR/dir/$blob"
    done | awk '{ sum += $3 } END { print sum }')
  same "$size" "$(inspect "$(entry)" .Size)"
}

@test "history" {
  local layout=$BATS_TEST_TMPDIR/layout
  cp -r "$FIXTURES/layouts/entry" "$layout"
  local tag
  tag=$(jq -r '.manifests[0].annotations["org.opencontainers.image.ref.name"]' "$layout/index.json")
  umoci config --image "$layout:$tag" --history.created_by 'CMD ["first"]' --history.comment one --config.cmd first
  umoci config --image "$layout:$tag" --history.created_by "RUN $(printf 'x%.0s' {1..60})" --config.cmd second
  registry_address=$REGISTRY
  # shellcheck source=tests/lib/registry.sh
  . "$BATS_TEST_DIRNAME/../lib/registry.sh"
  registry_address=$REGISTRY registry_push "$layout" "$tag" steps
  mvm pull -q "$REGISTRY/steps"
  run -0 mvm history "$REGISTRY/steps"
  same "IMAGE CREATED CREATED BY SIZE COMMENT" "$(echo "${lines[0]}" | tr -s ' ' | sed 's/ $//')"
  has "${lines[1]}" "$(mvm images -q "$REGISTRY/steps") " "RUN xxx" "x… " "0B"
  has "${lines[2]}" "<missing> " 'CMD ["first"]' one
  same "$(mvm images -q --no-trunc "$REGISTRY/steps")" "$(mvm history -q --no-trunc "$REGISTRY/steps" | head -n 1)"
  run -0 mvm history -H=false --no-trunc "$REGISTRY/steps"
  has "${lines[0]}" "CREATED AT"
  has "$output" "$(printf 'x%.0s' {1..60})"
  same 'CMD ["first"]' "$(mvm history --format json "$REGISTRY/steps" | jq -r 'select(.Comment == "one").CreatedBy')"
}

@test "rmi: names, IDs and several repositories" {
  local id
  id=$(mvm images -q "$(entry)")
  mvm tag "$(entry)" mine:v1
  run --separate-stderr -1 mvm rmi "$id"
  same "mvm: conflict: unable to delete $id (must be forced) - image is referenced in multiple repositories" "$stderr"
  run --separate-stderr -1 mvm rmi nosuch "$(entry)" nosuch:2
  same "Untagged: $(entry):latest
Untagged: $(entry)@$(entry_digest)" "$output"
  has "$stderr" "no such image: nosuch" "no such image: nosuch:2"
  run -0 mvm image rm "$id"
  same "Untagged: mine:v1" "${lines[0]}"
  has "$output" "Deleted: sha256:$id"
  same '' "$(find "$MVM_HOME/images/blobs" "$MVM_HOME/disks" -type f)"
  run --separate-stderr -0 mvm rmi -f nosuch
  has "$stderr" "no such image: nosuch"
}

@test "prune takes what killed pulls and builds have left, and says how much" {
  local before after
  truncate -s 0 "$MVM_HOME/images/ingest/$(printf '0%.0s' {1..64})"
  head -c 3000000 /dev/urandom >"$MVM_HOME/images/ingest/$(printf '1%.0s' {1..64})"
  mkdir "$MVM_HOME/disks/.build-x"
  head -c 2000000 /dev/urandom >"$MVM_HOME/disks/.build-x/rootfs.ext4"
  before=$(du -s --block-size=1 "$MVM_HOME" | cut -f 1)
  run -0 mvm system prune -f
  has "$output" "Total reclaimed space: 5"
  after=$(du -s --block-size=1 "$MVM_HOME" | cut -f 1)
  [ $((before - after)) -ge 5000000 ]
  [ -n "$(mvm images -q "$(entry)")" ]
}

@test "prune -a takes everything that nobody uses; filters keep" {
  run -0 mvm image prune -af --filter until=876000h
  same "Total reclaimed space: 0B" "$output"
  run -0 mvm image prune -af --filter label=nosuch
  same "Total reclaimed space: 0B" "$output"
  run --separate-stderr -125 mvm image prune -af --filter until=never
  error_says "invalid filter 'until=never'"
  run -0 mvm image prune -af
  has "$output" "untagged: $(entry):latest" "deleted: "
  same '' "$(mvm images -q)"
  same '' "$(find "$MVM_HOME/images/blobs" "$MVM_HOME/disks" -type f)"
}

@test "containers keep their images; system df and prune" {
  local id container
  mvm pull -q "$REGISTRY/nocmd"
  id=$(mvm images -q "$(entry)")
  mvm run --name stopped "$(entry)" x >/dev/null
  container=$(mvm ps -aq)
  run --separate-stderr -1 mvm rmi "$(entry)"
  same "mvm: conflict: unable to remove repository reference \"$(entry)\" (must force) - container $container is using its referenced image $id" "$stderr"
  run --separate-stderr -1 mvm rmi "$id"
  same "mvm: conflict: unable to delete $id (must be forced) - image is being used by stopped container $container" "$stderr"
  run -0 mvm system df
  same "TYPE TOTAL ACTIVE SIZE RECLAIMABLE" "$(echo "${lines[0]}" | tr -s ' ')"
  has "$(echo "${lines[1]}" | tr -s ' ')" "Images 2 1 "
  has "$(echo "${lines[2]}" | tr -s ' ')" "Containers 1 0 " "(100%)"
  same "Local Volumes 0 0 0B 0B" "$(echo "${lines[3]}" | tr -s ' ')"
  run -0 mvm system df -v
  has "$output" "Images space usage:" "SHARED SIZE" "Containers space usage:" "$container" "Build cache usage: 0B"
  same 1 "$(mvm system df -v --format json | jq -r --arg id "$id" '.Images[] | select(.ID == $id).Containers')"
  # Unused images go, the one that the container stands on stays.
  run -0 mvm image prune -af
  has "$output" "untagged: $REGISTRY/nocmd:latest"
  same "$id" "$(mvm images -q)"
  run -0 mvm system prune -af
  has "$output" "Deleted Containers:" "$container" "Deleted Images:" "untagged: $(entry):latest" "Total reclaimed space: "
  same '' "$(mvm images -q)$(mvm ps -aq)"
}

@test "a running container keeps its image whatever is forced" {
  local id container
  id=$(mvm images -q "$(entry)")
  container=$(mvm run -d --entrypoint sleep "$(entry)" 1000)
  run --separate-stderr -1 mvm rmi -f "$id"
  same "mvm: conflict: unable to delete $id (cannot be forced) - image is being used by running container ${container:0:12}" "$stderr"
  run -0 mvm rmi -f "$(entry)"
  has "$output" "Untagged: $(entry):latest"
  lacks "$output" Deleted
  run -0 mvm system prune -af
  same "Total reclaimed space: 0B" "$output"
  same "$id" "$(mvm images -q)"
  mvm rm -f "$container"
  run -0 mvm system prune -f
  has "$output" "deleted: sha256:$id"
}
