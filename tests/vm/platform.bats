#!/usr/bin/env bats
# Images for another processor, run by a translator.
#
# shellcheck disable=SC2016,SC2154 # programs for the guest; variables that bats sets

load ../lib/vm.bash

setup_file() {
  export OURS=amd64 OTHER=arm64 OTHER_MACHINE=aarch64
  [ "$(uname -m)" = x86_64 ] || export OURS=arm64 OTHER=amd64 OTHER_MACHINE=x86_64
  OTHER_QEMU=$(command -v "qemu-$OTHER_MACHINE-static") || return 0
  export OTHER_QEMU FOREIGN=$REGISTRY/foreign
  # One VM for all that only looks.
  mvm pull -q "$FOREIGN"
  mvm run -d --name platform --platform "$OTHER" -v "$BATS_FILE_TMPDIR:/shared" --health-cmd 'uname -m' --health-interval 1s \
    "$FOREIGN" sh -c 'trap "echo ended; exit 9" TERM; echo ready; while :; do sleep 0.2; done'
}

setup() { [ -n "${OTHER_QEMU-}" ] || skip "there is no qemu-$OTHER_MACHINE-static here (qemu-user-static)"; }

teardown_file() { [ -z "${OTHER_QEMU-}" ] || mvm rm -f platform >/dev/null 2>&1 || true; }

# The VM of the file stays.
teardown() { :; }

@test "an image of an index, and one that is for one platform" {
  run --separate-stderr -0 mvm run --rm -q --platform "linux/$OTHER" "$REGISTRY/multi" uname -m
  same "$OTHER_MACHINE" "$output"
  same '' "$stderr"
  run --separate-stderr -0 mvm run --rm --platform "$OTHER" "$FOREIGN" uname -m
  same "$OTHER_MACHINE" "$output"
  same '' "$stderr"
  mvm pull -q "$REGISTRY/multi"
}

@test "who did not ask for it is warned, and it runs" {
  run --separate-stderr -0 mvm run --rm "$FOREIGN" uname -m
  same "$OTHER_MACHINE" "$output"
  same 1 "${#stderr_lines[@]}"
  has "$stderr" "WARNING: The requested image's platform (linux/$OTHER) does not match the detected host platform (linux/$OURS" \
    "and no specific platform was requested"
}

@test "exit codes, arguments, input and output" {
  run -42 mvm exec platform sh -c 'exit 42'
  run -127 mvm exec platform /nowhere
  run -143 mvm exec platform sh -c 'kill -TERM $$'
  run -0 mvm exec platform sh -c 'echo "$0|$1|$2"' 'a b' '' '*'
  same 'a b||*' "$output"
  same 1000 "$(seq 1000 | mvm exec -i platform sh -c 'cat | sort -n | tail -n 1')"
  # The name that a program is called by.
  same "$OTHER_MACHINE" "$(mvm exec platform sh -c 'exec -a uname busybox -m')"
  same hello "$(mvm exec platform sh -c 'printf "#!/bin/sh\necho hello\n" >/tmp/script; chmod 755 /tmp/script; /tmp/script')"
}

@test "health checks, cp and shares" {
  healthy() { same healthy "$(mvm inspect -f '{{.State.Health.Status}}' platform)" 2>/dev/null; }
  eventually healthy
  has "$(mvm inspect -f '{{(index .State.Health.Log 0).Output}}' platform)" "$OTHER_MACHINE"
  echo there >"$BATS_FILE_TMPDIR/file"
  same there "$(mvm exec platform cat /shared/file)"
  mvm exec platform sh -c 'echo back >/shared/answer; echo kept >/kept'
  same back "$(cat "$BATS_FILE_TMPDIR/answer")"
  mvm cp platform:/kept "$BATS_FILE_TMPDIR/kept"
  same kept "$(cat "$BATS_FILE_TMPDIR/kept")"
}

@test "a compiler, and what it has made, with threads and signals" {
  local tar
  tar=$("$BATS_TEST_DIRNAME/../lib/foreign-compiler" "$OTHER") || skip "Debian's tcc for $OTHER cannot be had"
  mvm import --platform "linux/$OTHER" "$tar" compiler
  run --separate-stderr -0 mvm run --rm --platform "$OTHER" -v "$BATS_TEST_DIRNAME/platform:/src:ro" compiler \
    /bin/busybox sh -c 'tcc -o /tmp/threads /src/threads.c -lpthread && /tmp/threads'
  same "$OTHER_MACHINE 40000 3" "$output"
  mvm rmi compiler
}

@test "nothing of the translator is in the container, and inspect names it" {
  run ! mvm exec platform ls -d /share
  lacks "$(mvm exec platform cat /proc/mounts)" binfmt
  has "$(mvm inspect platform | jq -c '.[0].Machine.Translators')" "$OTHER=$OTHER_QEMU"
  has "$(mvm info -f '{{json .Translators}}')" "\"$OTHER\""
}

@test "programs of the machine's own processor run as they are" {
  mvm cp "$(readlink -f /bin/busybox)" platform:/busybox
  run -0 mvm exec platform /busybox cat /proc/self/cmdline
  lacks "$output" file
  same "$(uname -m)" "$(mvm exec platform /busybox uname -m)"
}

@test "a signal ends it; it starts again" {
  mvm stop -t 20 platform
  same 9 "$(mvm inspect -f '{{.State.ExitCode}}' platform)"
  eventually log_has platform ended
  mvm start platform
  same "$OTHER_MACHINE" "$(mvm exec platform uname -m)"
}

@test "--translate beside programs of the machine's own" {
  mvm create --name source --platform "$OTHER" "$FOREIGN"
  mvm cp source:/bin/busybox "$BATS_TEST_TMPDIR/busybox"
  mvm rm source
  mvm run -d --name both --translate "$IMAGE" sleep 1000
  mvm cp "$BATS_TEST_TMPDIR/busybox" both:/busybox
  same "$OTHER_MACHINE" "$(mvm exec both /busybox uname -m)"
  same "$(uname -m)" "$(mvm exec both uname -m)"
  mvm rm -f both
  mvm run -d --name plain "$IMAGE" sleep 1000
  mvm cp "$BATS_TEST_TMPDIR/busybox" plain:/busybox
  run -126 mvm exec plain /busybox uname -m
  has "$output" "exec format error"
  mvm rm -f plain
}

@test "a translator that is missing, is none, or has gone" {
  export MVM_CONFIG=$BATS_TEST_TMPDIR/config.json
  local program=$BATS_TEST_TMPDIR/own
  printf '{"translators":{"%s":"%s"}}' "$OTHER" "$program" >"$MVM_CONFIG"
  run --separate-stderr -125 mvm run --rm --platform "$OTHER" "$FOREIGN" true
  error_says "image $FOREIGN is for linux/$OTHER" '"translators"' "$program: No such file or directory" "$MVM_CONFIG"
  echo none >"$program"
  chmod 755 "$program"
  run --separate-stderr -125 mvm run --rm --translate="$OTHER" "$IMAGE" true
  error_says '"translators"' "$program: no static program for the machine's processor"
  cp "$OTHER_QEMU" "$program"
  run --separate-stderr -0 mvm run --name own --platform "$OTHER" "$FOREIGN" uname -m
  same "$OTHER_MACHINE" "$output"
  rm "$program"
  run --separate-stderr -1 mvm start -a own
  error_says "translator $program: No such file or directory; put it there again, or make the container anew"
  mvm rm own
}

@test "what nothing translates, and what needs no translator" {
  run --separate-stderr -125 mvm run --rm --translate=loong64 "$IMAGE" true
  error_says "there is no translator for loong64 programs"
  run --separate-stderr -125 mvm run --rm --translate="$OURS" "$IMAGE" true
  error_says "the machine runs $OURS programs itself"
  run --separate-stderr -125 mvm run --rm --translate=nosuch "$IMAGE" true
  error_says "invalid argument for --translate" nosuch
  [ "$OURS" = arm64 ] || { run --separate-stderr -125 mvm run --rm --rosetta "$IMAGE" true; error_says "the machine runs amd64 programs itself"; }
}
