#!/usr/bin/env bats
# What goes wrong under a container: guests and supervisors that hang or die, memory and disks that are full, homes
# that cannot be used. Every command ends, with one line that says what happened.
#
# shellcheck disable=SC2016,SC2154 # programs for the guest; variables that bats sets

load ../lib/vm.bash

small=''

test_teardown() {
  mvm_background_processes | while read -r pid _; do kill -CONT "$pid" 2>/dev/null || true; done
  [ -z "$small" ] || {
    MVM_HOME=$small mvm ps -aq | MVM_HOME=$small xargs -r timeout 60 "$MVM" rm -f >/dev/null || true
    umount -l "$small"
  }
}

# process_of CONTAINER NAME: one of its processes, by what mvm_processes calls it.
process_of() {
  local supervisor
  supervisor=$(mvm inspect -f '{{.State.Pid}}' "$1")
  if [ "$2" = supervisor ]; then echo "$supervisor"; return; fi
  mvm_processes | while read -r pid name; do
    if [ "$name" = "$2" ] && [ "$(ps -o ppid= -p "$pid" | tr -d ' ')" = "$supervisor" ]; then echo "$pid"; fi
  done
}

said() { mvm inspect -f '{{.State.Status}} {{.State.ExitCode}} {{.State.OOMKilled}} {{.State.Error}}' "$1"; }

# try NAME COMMAND...: what it says and its exit code, in files of that name; in the background.
try() {
  local name=$BATS_TEST_TMPDIR/$1
  shift
  { timeout -k 5 300 "$MVM" "$@" >"$name.out" 2>"$name.err" && echo 0 >"$name.code" || echo $? >"$name.code"; } 3>&- &
}

# tried NAME CODE PART...: how that ended.
tried() {
  local name=$BATS_TEST_TMPDIR/$1
  same "$2" "$(cat "$name.code")"
  shift 2
  [ $# = 0 ] || has "$(cat "$name.err")" "$@"
}

@test "a guest or a supervisor that hangs: commands end and say so, ps tells, stop and rm -f work" {
  mvm run -d --name guest "$IMAGE" sh -c 'echo ready; sleep 1000'
  mvm run -d --name warden "$IMAGE" sh -c 'echo ready; sleep 1000'
  eventually log_has guest ready
  eventually log_has warden ready
  kill -STOP "$(process_of guest qemu)" "$(process_of warden supervisor)"
  local name
  for name in guest warden; do
    try "kill-$name" kill -s USR1 "$name"
    try "exec-$name" exec "$name" true
    try "export-$name" export -o "$BATS_TEST_TMPDIR/$name.tar" "$name"
  done
  try stop-warden stop -t 1 warden
  # What only looks at files does not wait.
  is_state guest running
  is_state warden running
  same ready "$(mvm logs warden)"
  mvm rename warden guard
  wait
  tried kill-guest 1 "cannot kill container: guest: the VM hangs"
  tried exec-guest 126 "the VM hangs"
  tried export-guest 1 "the VM hangs"
  tried kill-warden 1 "cannot kill container: warden: the supervisor of the container does not answer; 'mvm rm -f' ends it"
  tried exec-warden 1 "does not answer"
  tried export-warden 1 "does not answer"
  tried stop-warden 1 "cannot stop container: warden" "does not answer"
  [ ! -e "$BATS_TEST_TMPDIR/guest.tar" ]
  try pause-guest pause guest
  run -0 mvm rm -f guard
  wait
  tried pause-guest 1 "the VM does not take the order"
  run -0 mvm stop -t 0 guest
  has "$(said guest)" "exited 137"
  mvm start guest
  kill -STOP "$(process_of guest qemu)"
  run -0 mvm rm -f guest
  eventually no_own_processes
}

@test "out of memory: 137 and OOMKilled, also where a child was killed, an exec, or the whole machine is full" {
  local hog='x=xxxxxxxxxxxxxxxx; while :; do x=$x$x; done'
  run -137 mvm run --name itself -m 64m "$IMAGE" sh -c "$hog"
  same "exited 137 true " "$(said itself)"
  run -5 mvm run --name child -m 64m "$IMAGE" sh -c "sh -c '$hog'; exit 5"
  same "exited 5 true " "$(said child)"
  mvm run -d --name beside -m 64m "$IMAGE" sleep 1000
  run -137 mvm exec beside sh -c "$hog"
  is_state beside running
  mvm stop -t 0 beside
  same "exited 137 true " "$(said beside)"
  # Without its own limit it meets that of the machine.
  run -137 mvm run --name all --privileged -m 64m "$IMAGE" sh -c "echo max >/sys/fs/cgroup/memory.max; $hog"
  same "exited 137 true " "$(said all)"
  # The next run begins anew.
  mvm create --name once -m 64m "$IMAGE" sh -c "[ -e /again ] && exit 3; touch /again; sync; $hog"
  mvm start once
  same 137 "$(mvm wait once)"
  same "exited 137 true " "$(said once)"
  mvm start once
  same 3 "$(mvm wait once)"
  same "exited 3 false " "$(said once)"
  mvm rm itself child beside all once
}

@test "a kernel that panics, a machine that goes: 255, the reason, and the end of the boot log" {
  run --separate-stderr -255 mvm run --name panics --privileged "$IMAGE" sh -c '
    mount -o remount,errors=panic / && echo x >/sys/fs/ext4/vda/trigger_fs_error; sleep 1000'
  error_says "the VM's kernel panicked" "panic forced after error" "its boot log ends: "
  has "$(said panics)" "exited 255 false the VM's kernel panicked"
  has "$(mvm logs --boot panics)" "Kernel panic"
  run -0 mvm start panics
  mvm rm -f panics
  mvm run -d --name parts "$IMAGE" sleep 1000
  kill -9 "$(process_of parts vsock)"
  eventually is_state parts exited
  has "$(said parts)" "exited 255 false the vsock process has died"
  mvm start parts
  kill -9 "$(process_of parts qemu)"
  eventually is_state parts exited
  has "$(said parts)" "exited 255 false the VM died: QEMU was ended by signal 9"
  mvm start parts
  # Whoever comes at once finds one that is about to go.
  kill -9 "$(process_of parts supervisor)"
  run -0 mvm start parts
  is_state parts running
  run -0 mvm exec parts echo works
  same works "$output"
  kill -9 "$(process_of parts supervisor)"
  eventually is_state parts exited
  same "exited 255 false the supervisor of the VM was killed" "$(said parts)"
  mvm rm parts
  eventually no_own_processes
}

# small_home MIB: a home on a file system of that size, with the image in it.
small_home() {
  [ "$(id -u)" = 0 ] || skip "mounting a small file system needs root"
  mkdir "$BATS_TEST_TMPDIR/small"
  mount -t tmpfs -o "size=$1m" tmpfs "$BATS_TEST_TMPDIR/small" || skip "cannot mount a tmpfs here"
  small=$BATS_TEST_TMPDIR/small
  export MVM_HOME=$small
  mvm pull -q "$IMAGE"
}

fill() { dd if=/dev/zero of="$MVM_HOME/fill" bs=4k "$@" 2>/dev/null || true; }

@test "the host's disk is full: the machine stands still and goes on without a loss; ends and deaths are told" {
  small_home 60
  # 48 MiB for a file of 40 beside one of 30.
  fill count=7680
  mvm run --name writes "$IMAGE" sh -c '
    i=0; while [ $i -lt 40 ]; do head -c 1048576 /dev/zero | tr "\0" "$((i % 10))"; i=$((i + 1)); done >/file
    sync; md5sum </file; exit 4' >"$BATS_TEST_TMPDIR/out" 2>"$BATS_TEST_TMPDIR/err" 3>&- &
  eventually grep -q "the host's disk is full" "$BATS_TEST_TMPDIR/err"
  is_state writes running
  rm "$MVM_HOME/fill"
  local code=0
  wait $! || code=$?
  same 4 "$code"
  same "$(for i in {0..39}; do head -c 1048576 /dev/zero | tr '\0' $((i % 10)); done | md5sum)" "$(cat "$BATS_TEST_TMPDIR/out")"
  same 1 "$(wc -l <"$BATS_TEST_TMPDIR/err")"
  mvm rm writes
  mvm run -d --name ends "$IMAGE" sh -c 'trap "exit 7" TERM; echo ready; while :; do sleep 0.1; done'
  mvm run -d --name dies "$IMAGE" sleep 1000
  eventually log_has ends ready
  mvm create --name waits "$IMAGE" true
  fill
  run -0 mvm stop ends
  kill -9 "$(process_of dies supervisor)"
  eventually is_state dies exited
  has "$(said ends)" "exited 7"
  run --separate-stderr -125 mvm run --name new "$IMAGE" true
  error_says "No space left on device"
  run --separate-stderr -1 mvm create "$IMAGE" true
  error_says "No space left on device"
  run --separate-stderr -1 mvm start waits
  has "$stderr" "cannot start container waits" "No space left on device"
  run -0 mvm rm ends dies waits
  no_containers
  rm "$MVM_HOME/fill"
  run -0 mvm run --rm "$IMAGE" echo again
  same again "$output"
}

@test "a home that is read-only, files that are damaged, sockets that are stale" {
  small_home 40
  local id file
  id=$(mvm create --name kept "$IMAGE" echo kept)
  mvm run --name ended "$IMAGE" echo said
  # The supervisor ends a moment after it has told of the end.
  eventually mount -o remount,ro "$MVM_HOME"
  same "kept ended" "$(mvm ps -a --format '{{.Names}}' | sort -r | paste -sd ' ')"
  same said "$(mvm logs ended)"
  same 0 "$(mvm wait ended)"
  local command
  for command in "run --rm $IMAGE true" "create $IMAGE true" "start kept" "rm kept" "rm -f kept" "rename kept other"; do
    # shellcheck disable=SC2086 # words
    run --separate-stderr mvm $command
    [ "$status" -ne 0 ]
    error_says "Read-only file system"
  done
  mount -o remount,rw "$MVM_HOME"
  # One that was killed leaves its socket behind; it is in nobody's way.
  mvm start -a kept
  ln -sfn "$BATS_TEST_TMPDIR/nowhere" "$MVM_HOME/containers/$id/control"
  run -0 mvm start -a kept
  same kept "$output"
  for file in state.json config.json; do
    for text in '' '{' '[]' null '{"status": 5, "id": 7}'; do
      printf '%s' "$text" >"$MVM_HOME/containers/$id/$file"
      run --separate-stderr -0 mvm ps -aq
      same 1 "${#lines[@]}"
      has "$stderr" "container ${id:0:12} cannot be read" "'mvm rm -f ${id:0:12}' removes it"
      run --separate-stderr -1 mvm start "$id"
      error_says "cannot be read"
    done
  done
  run -0 mvm rm -f "$id" ended
  no_containers
}

@test "runtime folders that are missing, files, or too deep for a socket" {
  local deep
  deep=$BATS_TEST_TMPDIR/$(printf 'x%.0s' {1..100})
  mkdir -m 0700 "$deep"
  touch "$BATS_TEST_TMPDIR/file"
  XDG_RUNTIME_DIR=$deep run --separate-stderr -125 mvm run --rm "$IMAGE" true
  error_says "too long for a socket; set XDG_RUNTIME_DIR to a shorter folder"
  XDG_RUNTIME_DIR=/nowhere mvm run -d --name box "$IMAGE" sleep 1000
  # Another login, with another runtime folder.
  XDG_RUNTIME_DIR=$BATS_TEST_TMPDIR/file run -0 mvm exec box echo works
  same works "$output"
  mvm rm -f box
}
