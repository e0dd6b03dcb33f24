#!/usr/bin/env bats
# Rosetta, over the backend for macOS and its double: what it is there for, how it gets there, and what is said where it
# is not. A static qemu-user stands in for it, and the other architecture is that of this host's.
# shellcheck disable=SC2016,SC2030,SC2031,SC2154 # programs for the guest; variables of one test, and that bats sets

load ../lib/vm

setup_file() {
  export OTHER=arm64 OTHER_MACHINE=aarch64 FOREIGN=$REGISTRY/foreign
  [ "$(uname -m)" = x86_64 ] || export OTHER=amd64 OTHER_MACHINE=x86_64
  OTHER_QEMU=$(command -v "qemu-$OTHER_MACHINE-static") || return 0
  export OTHER_QEMU
  mvm pull -q "$FOREIGN"
}

setup() {
  [ -x "$(dirname "$MVM")/mvm-supervisor-vz" ] || skip 'this build has no double of Virtualization.framework (-Dvz_double=true)'
  [ -n "${OTHER_QEMU-}" ] || skip "there is no qemu-$OTHER_MACHINE-static here (qemu-user-static)"
  [ "$(id -u)" = 0 ] || skip "the double's server of Rosetta's share needs root"
  export MVM_BACKEND=vz MVM_VZ_DOUBLE_ROSETTA=$BATS_TEST_TMPDIR/stands-in-for-rosetta
  mkdir "$MVM_VZ_DOUBLE_ROSETTA"
  cp "$OTHER_QEMU" "$MVM_VZ_DOUBLE_ROSETTA/rosetta"
}

# asked ANSWER COMMAND...: on a terminal, where the answer is typed when the question is there.
asked() {
  python3 - "$@" <<'END'
import os, pty, sys
pid, terminal = pty.fork()
if pid == 0:
    os.execvp(sys.argv[2], sys.argv[2:])
said = b""
try:
    while data := os.read(terminal, 4096):
        said += data
        if b"[y/N] " in said and sys.argv[1]:
            os.write(terminal, sys.argv[1].encode() + b"\n")
            sys.argv[1] = ""
except OSError:
    pass
os.write(1, said.replace(b"\r\n", b"\n"))
sys.exit(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))
END
}

@test "an image for the other processor runs by Rosetta, and no other container has it" {
  run --separate-stderr -0 mvm run --rm --platform "linux/$OTHER" "$FOREIGN" sh -c 'uname -m; exit 7 & wait $!; echo $?'
  same "$OTHER_MACHINE"$'\n7' "$output"
  same '' "$stderr"
  mvm run -d --name box --platform "$OTHER" -v "$BATS_TEST_TMPDIR:/shared" "$FOREIGN" sleep 1000
  same "[\"$OTHER=rosetta\"]" "$(mvm inspect -f '{{json .Machine.Translators}}' box)"
  has "$(mvm exec box cat /proc/cmdline)" console
  mvm exec box sh -c 'uname -m >/shared/machine'
  same "$OTHER_MACHINE" "$(cat "$BATS_TEST_TMPDIR/machine")"
  # Nothing of it is to be seen inside.
  run ! mvm exec box ls -d /rosetta /dev/rosettad
  mvm stop -t 0 box
  mvm start box
  same "$OTHER_MACHINE" "$(mvm exec box uname -m)"
  mvm rm -f box
  mvm create --name plain "$IMAGE" true
  same '[]' "$(mvm inspect -f '{{json .Machine.Translators}}' plain)"
  mvm rm plain
}

@test "--translate beside programs of the machine's own, and what the configuration names goes first" {
  mvm create --name source --platform "$OTHER" "$FOREIGN"
  mvm cp source:/bin/busybox "$BATS_TEST_TMPDIR/busybox"
  mvm rm source
  mvm run -d --name both --translate "$IMAGE" sleep 1000
  mvm cp "$BATS_TEST_TMPDIR/busybox" both:/busybox
  same "$OTHER_MACHINE $(uname -m)" "$(mvm exec both sh -c 'echo $(/busybox uname -m) $(uname -m)')"
  mvm rm -f both
  export MVM_CONFIG=$BATS_TEST_TMPDIR/config.json
  printf '{"translators":{"%s":"%s"}}' "$OTHER" "$OTHER_QEMU" >"$MVM_CONFIG"
  mvm create --name named --platform "$OTHER" "$FOREIGN"
  same "[\"$OTHER=$OTHER_QEMU\"]" "$(mvm inspect -f '{{json .Machine.Translators}}' named)"
  mvm rm named
}

@test "the daemon beside it, which caches, is reached from the container" {
  command -v musl-gcc >/dev/null || skip 'there is no musl-gcc here (musl-tools)'
  musl-gcc -static -o "$MVM_VZ_DOUBLE_ROSETTA/rosettad" "$BATS_TEST_DIRNAME/rosetta/rosettad.c"
  mvm run -d --name box -m 256m --translate "$REGISTRY/deb" sleep 1000
  cached() {
    mvm exec -u 1000 box python3 -c '
import socket
s = socket.socket(socket.AF_UNIX)
s.connect("/dev/rosettad/rosetta.sock")
print(s.recv(10).decode().strip())'
  }
  eventually cached
  same cached "$(cached)"
  same 268435456 "$(mvm exec box cat /sys/fs/cgroup/memory.max)"
  mvm rm -f box
}

@test "not installed: nobody who has not said y gets it, and then it runs" {
  export MVM_VZ_DOUBLE_FAULT=rosetta-not-installed
  run --separate-stderr -125 mvm run --rm --platform "$OTHER" "$FOREIGN" true
  error_says "image $FOREIGN is for linux/$OTHER" 'Rosetta, which is not installed' 'softwareupdate --install-rosetta'
  has "$(mvm doctor || true)" 'rosetta' 'not installed'
  run -125 asked n "$MVM" run --rm --platform "$OTHER" "$FOREIGN" true
  has "$output" "$OTHER programs need Rosetta, which is not installed. Let macOS install it from Apple? [y/N] " \
    "mvm: image $FOREIGN is for linux/$OTHER: "
  [ ! -e "$MVM_VZ_DOUBLE_ROSETTA/.installed" ]
  run -0 asked y "$MVM" run --rm --platform "$OTHER" "$FOREIGN" uname -m
  has "$output" "$OTHER_MACHINE"
  [ -e "$MVM_VZ_DOUBLE_ROSETTA/.installed" ]
  # Nobody is asked again.
  same "$OTHER_MACHINE" "$(mvm run --rm --platform "$OTHER" "$FOREIGN" uname -m)"
}

@test "the installation is refused" {
  export MVM_VZ_DOUBLE_FAULT=rosetta-refused
  run -125 asked y "$MVM" run --rm --platform "$OTHER" "$FOREIGN" true
  has "$output" "mvm: image $FOREIGN is for linux/$OTHER: Rosetta is not installed: the installation was cancelled"
}

@test "not supported: another translator is looked for" {
  export MVM_VZ_DOUBLE_FAULT=rosetta-missing
  mvm create --name box --platform "$OTHER" "$FOREIGN"
  same "[\"$OTHER=$OTHER_QEMU\"]" "$(mvm inspect -f '{{json .Machine.Translators}}' box)"
  mvm rm box
}

@test "it has gone since, or the container has moved to another backend" {
  mvm create --name box --platform "$OTHER" "$FOREIGN" true
  MVM_VZ_DOUBLE_FAULT=rosetta-missing run --separate-stderr -1 mvm start -a box
  error_says "the container's programs need Rosetta, which is not to be had" 'Virtualization.framework'
  MVM_BACKEND=qemu run --separate-stderr -1 mvm start -a box
  error_says "need Rosetta, which is macOS's; make the container anew"
  mvm rm box
  eventually no_own_processes
}
