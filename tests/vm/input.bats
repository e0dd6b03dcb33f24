#!/usr/bin/env bats
# Bad input: one clear line, docker's exit code, nothing left behind.
#
# shellcheck disable=SC2016,SC2154 # programs for the guest; variables that bats sets

load ../lib/vm.bash

# Usage errors name the next step, as docker's do; the line after the reason may say so.
usage_says() {
  same '' "$output"
  has "$stderr" "mvm: " "$@" --help
}

@test "unknown command and unknown flag" {
  run --separate-stderr mvm nosuch
  [ "$status" -ne 0 ]
  usage_says nosuch
  run --separate-stderr -125 mvm run --nosuch "$IMAGE" true
  usage_says --nosuch
  run --separate-stderr -125 mvm run -Z "$IMAGE" true
  usage_says Z
  run --separate-stderr -125 mvm ps --nosuch
  usage_says --nosuch
}

@test "missing and surplus arguments" {
  run --separate-stderr -125 mvm run
  usage_says "run"
  run --separate-stderr -125 mvm run --name
  usage_says name
  run --separate-stderr -125 mvm pull
  usage_says pull
  run --separate-stderr -125 mvm stop
  usage_says stop
  run --separate-stderr -125 mvm version surplus
  usage_says version
}

@test "flags after the image belong to the program" {
  run -0 mvm run --rm "$IMAGE" echo --rm -it --nosuch
  same "--rm -it --nosuch" "$output"
}

@test "malformed values" {
  local flag
  for flag in --memory=much --memory=-1 --cpus=none --cpus=-1 --cpus=0.0001x --disk-size=big --platform=a/b/c/d \
    --name=a/b --name=.x --pull=sometimes --env==x --hostname=under_score/slash; do
    run --separate-stderr -125 mvm run --rm "$flag" "$IMAGE" true
    same '' "$output"
    has "$stderr" "mvm: "
    lacks "$stderr" "internal"
  done
}

@test "an image name that is none" {
  run --separate-stderr -125 mvm run --rm UPPER true
  error_says "UPPER" "lowercase"
  run --separate-stderr -125 mvm run --rm 'a b' true
  error_says "invalid reference format"
  run --separate-stderr -125 mvm run --rm "$REGISTRY/busybox@sha256:short" true
  error_says "invalid reference format"
}

@test "an image and a tag that the registry does not have" {
  run --separate-stderr -125 mvm run --rm "$REGISTRY/nosuch" true
  has "$stderr" "mvm: " "$REGISTRY/nosuch" "manifest unknown"
  run --separate-stderr -1 mvm pull -q "$IMAGE:nosuch"
  error_says "$IMAGE:nosuch" "manifest unknown"
  same '' "$(image_id "$REGISTRY/nosuch")"
}

@test "a registry that is down" {
  run --separate-stderr -125 mvm run --rm 127.0.0.1:1/image true
  has "$stderr" 127.0.0.1:1
  run --separate-stderr -1 mvm pull -q 127.0.0.1:1/image
  error_says 127.0.0.1:1
}

@test "a layer cut short, and one that is not what its digest says" {
  local before
  before=$(mvm images)
  run --separate-stderr -1 mvm pull -q "$REGISTRY/short"
  error_says "$REGISTRY/short"
  run --separate-stderr -1 mvm pull -q "$REGISTRY/lying"
  error_says "$REGISTRY/lying" "digest"
  run --separate-stderr -125 mvm run --rm --pull always "$REGISTRY/lying" true
  has "$stderr" "digest"
  same "$before" "$(mvm images)"
  # Not even a part of it: whoever lies today would be believed tomorrow.
  run ! find "$MVM_HOME" "${XDG_RUNTIME_DIR:-/nowhere}" -name '*.part*' -o -name '*.tmp*' -o -name '*.new*'
}

@test "an image for another architecture only" {
  run --separate-stderr -125 mvm run --rm --platform linux/s390x "$IMAGE" true
  has "$stderr" linux/s390x
}

@test "--pull never" {
  run --separate-stderr -125 mvm run --rm --pull never "$REGISTRY/nosuch" true
  error_says "$REGISTRY/nosuch"
}

@test "a name in use" {
  mvm run -d --name taken "$IMAGE" sleep 1000
  run --separate-stderr -125 mvm run --rm --name taken "$IMAGE" true
  error_says "/taken" "already in use"
  mvm rm -f taken
}

@test "a run that fails frees its name and leaves nothing" {
  run -127 mvm run --rm --name again "$IMAGE" nosuch
  run -125 mvm run --rm --name again -u nosuch "$IMAGE" true
  run -0 mvm run --rm --name again "$IMAGE" true
}

@test "without --rm a program that is not there leaves a container that says why" {
  run -127 mvm run --name why "$IMAGE" nosuch
  is_state why created || is_state why exited
  mvm rm why
}

@test "too little memory" {
  run --separate-stderr -125 mvm run --rm -m 1m "$IMAGE" true
  error_says "6MB"
}

@test "a kernel that is not there, and one that is none" {
  run --separate-stderr -125 mvm run --rm --kernel /nowhere/vmlinux "$IMAGE" true
  error_says /nowhere/vmlinux
  MVM_KERNEL=/nowhere/vmlinux run --separate-stderr -125 mvm run --rm "$IMAGE" true
  error_says /nowhere/vmlinux
  run --separate-stderr -125 mvm run --rm --kernel /etc/passwd "$IMAGE" true
  has "$stderr" "mvm: "
}

@test "QEMU that is not installed" {
  local tool
  mkdir "$BATS_TEST_TMPDIR/bin"
  for tool in timeout sh; do ln -s "$(command -v "$tool")" "$BATS_TEST_TMPDIR/bin/$tool"; done
  run --separate-stderr -125 env PATH="$BATS_TEST_TMPDIR/bin" timeout 60 "$MVM" run --rm "$IMAGE" true
  error_says qemu-system install
}

@test "a broken configuration file" {
  local broken=$BATS_TEST_TMPDIR/config.json
  echo '{"registries": ' >"$broken"
  MVM_CONFIG=$broken run --separate-stderr -1 mvm pull "$IMAGE"
  error_says "$broken"
  MVM_CONFIG=$broken run --separate-stderr -125 mvm run --rm --pull always "$IMAGE" true
  error_says "$broken"
  echo '{"registries": []}' >"$broken"
  MVM_CONFIG=$broken run --separate-stderr -1 mvm pull "$IMAGE:latest"
  error_says "$broken" registries
}

@test "environment files: missing, and with a name that has blanks" {
  run --separate-stderr -125 mvm run --rm --env-file /nowhere/env "$IMAGE" true
  error_says /nowhere/env
  printf 'A B=c\n' >"$BATS_TEST_TMPDIR/env"
  run --separate-stderr -125 mvm run --rm --env-file "$BATS_TEST_TMPDIR/env" "$IMAGE" true
  error_says "A B" "contains whitespaces"
}

@test "a cidfile that exists" {
  touch "$BATS_TEST_TMPDIR/cid"
  run --separate-stderr -125 mvm run --rm --cidfile "$BATS_TEST_TMPDIR/cid" "$IMAGE" true
  error_says "$BATS_TEST_TMPDIR/cid"
}

@test "-t without a terminal" {
  # Docker's exit code for this one is 1.
  run --separate-stderr -1 mvm run --rm -it "$IMAGE" true </dev/null
  error_says "not a TTY"
}

@test "-d together with --rm is fine, -d with a container that cannot start is not" {
  run --separate-stderr -127 mvm run -d --rm "$IMAGE" nosuch
  has "$stderr" nosuch
}

@test "a container that is not there" {
  local command
  for command in stop kill rm logs; do
    run --separate-stderr -1 mvm "$command" nosuch
    error_says "No such container: nosuch"
  done
  run --separate-stderr -1 mvm rmi nosuch
  error_says "o such image: nosuch"
}

@test "a home that cannot be written" {
  touch "$BATS_TEST_TMPDIR/file"
  MVM_HOME=$BATS_TEST_TMPDIR/file/home run --separate-stderr -125 mvm run --rm "$IMAGE" true
  error_says "$BATS_TEST_TMPDIR/file"
}

@test "no disk space: one line that says so, and no half image" {
  # A small file system of its own needs root and a loop device or tmpfs.
  [ "$(id -u)" = 0 ] || skip "mounting a small file system needs root"
  local small=$BATS_TEST_TMPDIR/small
  mkdir "$small"
  mount -t tmpfs -o size=24m tmpfs "$small" || skip "cannot mount a tmpfs here"
  MVM_HOME=$small run --separate-stderr -1 mvm pull -q "$REGISTRY/deb"
  local used
  used=$(du -sm "$small" | cut -f1)
  umount "$small"
  error_says "$REGISTRY/deb" "pace"
  [ "$used" -lt 4 ]
}
