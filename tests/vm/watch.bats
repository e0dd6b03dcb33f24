#!/usr/bin/env bats
# What changes on the host in shares wakes inotify in the guest: --watch, and "watch" of -v and --mount.
# shellcheck disable=SC2030,SC2031,SC2154 # bats

load ../lib/vm
load ../lib/user

setup() {
  HOST=$(mktemp -d "${TMPDIR:-/tmp}/mvm-watch-XXXXXX")
  chmod 755 "$HOST"
  mkdir -p "$HOST/src/sub" "$HOST/tools"
  cp "$(dirname "$MVM")/tests/vm/watch/inotify" "$HOST/tools"
  TOOL=/tools/inotify
  DRIVE=$BATS_TEST_DIRNAME/watch/drive.py
  WATCHERS=()
  cd "$HOST" || return
}

test_teardown() {
  local pid
  for pid in "${WATCHERS[@]}"; do kill "$pid" 2>/dev/null || true; done
  remove_user
  rm -rf "$HOST"
}

# guest_watches NAME PATH...: what inotify says there is in $HOST/seen.
guest_watches() {
  local name=$1
  shift
  : >"$HOST/seen"
  "$MVM" exec "$name" "$TOOL" "$@" >>"$HOST/seen" 2>&1 3>&- &
  WATCHERS+=($!)
  eventually grep -q watching "$HOST/seen"
}

# sees EVENT...: each comes, a line "MASK PATH NAME"; and what came is forgotten.
sees() {
  local event
  for event in "$@"; do eventually grep -qx -- "$event" "$HOST/seen"; done || { cat "$HOST/seen" >&2; return 1; }
  : >"$HOST/seen"
}

# What a container of theirs is told of: a share, and one for reading only of what is root's.
check_user() {
  make_user "$1"
  chmod 755 src
  as_user mkdir "$HOST/home/src"
  as_user "$HOST/mvm/mvm" run -q -d --name theirs --watch -v "$HOST/home/src:/src" -v "$HOST/src:/root-src:ro" \
    -v "$HOST/tools:/tools:ro" "$IMAGE" sleep 1000
  as_user "$HOST/mvm/mvm" exec theirs "$TOOL" /src /root-src >>"$HOST/seen" 2>&1 3>&- &
  WATCHERS+=($!)
  eventually grep -q watching "$HOST/seen"
  as_user touch "$HOST/home/src/theirs"
  echo 1 >src/roots
  sees 'modify /src theirs' 'modify /root-src roots'
  as_user "$HOST/mvm/mvm" rm -f theirs
}

warned() { grep -qF -- "$1" "$MVM_HOME"/containers/*/supervisor.log; }

@test "changes, creations, deletions and renames on the host are events in the guest, and touch nothing" {
  local before
  echo 1 >src/file
  echo 1 >src/sub/deep
  echo 1 >single
  mvm run -d --name box --watch -v ./src:/src -v ./src:/again:ro -v "$HOST/single:/etc/single" -v ./tools:/tools:ro "$IMAGE" sleep 1000
  guest_watches box /src /src/file /src/sub /again/sub /etc/single
  echo 2 >>src/file
  before=$(stat -c '%y %z' src/file)
  sees 'modify /src file' 'modify /src/file '
  # The file itself has not been touched for it, so that nobody on the host is woken, mvm included.
  same "$before" "$(stat -c '%y %z' src/file)"
  same $'1\n2' "$(mvm exec box cat /src/file)"
  echo 2 >src/sub/deep
  sees 'modify /src/sub deep' 'modify /again/sub deep'
  echo 2 >single
  sees 'modify /etc/single '
  chmod 600 src/file
  sees 'modify /src file'
  # What is new is told of by its name, what has gone by its folder.
  echo 1 >src/new
  sees 'modify /src new'
  mv src/new src/sub/moved
  sees 'modify,isdir /src ' 'modify /src/sub moved'
  rm src/sub/moved
  sees 'modify,isdir /src/sub ' 'modify,isdir /src sub'
  same deep "$(mvm exec box ls /src/sub)"
  # An editor's way to save, which leaves whoever watches the old file alone.
  echo 3 >src/.file.swp
  mv src/.file.swp src/file
  sees 'modify /src file'
  same 3 "$(mvm exec box cat /src/file)"
  # Links are told of, and not what they lead to.
  ln -s ../single src/link
  sees 'modify /src link'
  # Nothing of all this went round in a circle.
  echo 4 >src/last
  sees 'modify /src last'
  echo 4 >src/sub/deep
  eventually grep -qx 'modify /src/sub deep' seen
  lacks "$(cat seen)" last
  run mvm inspect -f '{{json .HostConfig.Binds}} {{json .Mounts}}' box
  has "$output" "\"$HOST/src:/src:watch\"" "\"$HOST/src:/again:ro,watch\"" '"Mode":"ro,watch"'
  mvm rm -f box
}

@test "folders that come, go, and come again; what is mounted below; a pause and a second start" {
  mkdir nested
  mvm run -d --name box -v ./src:/src:watch -v ./nested:/src/nested --mount "type=bind,src=$HOST/nested,dst=/other,watch,readonly" \
    -v ./tools:/tools "$IMAGE" sleep 1000
  guest_watches box /src /src/sub /other
  mkdir -p src/a/b
  echo 1 >src/a/b/file
  sees 'modify,isdir /src a'
  guest_watches box /src /src/a/b
  echo 2 >src/a/b/file
  sees 'modify /src/a/b file'
  rm -r src/a
  sees 'modify,isdir /src '
  mkdir -p src/a/b
  sees 'modify,isdir /src a'
  guest_watches box /src/a/b
  echo 3 >src/a/b/file
  sees 'modify /src/a/b file'
  mv src/a src/z
  eventually mvm exec box test -e /src/z/b/file
  guest_watches box /src/z/b /other
  echo 4 >src/z/b/file
  sees 'modify /src/z/b file'
  # The place where another share is mounted is a folder of the first one's, which the guest does not see.
  echo hidden >src/nested/hidden
  echo 5 >nested/shown
  sees 'modify /other shown'
  same shown "$(mvm exec box ls /src/nested)"
  same hidden "$(ls src/nested)"
  # Not through a machine that stands still, but once it goes on.
  mvm pause box
  echo 6 >nested/paused
  mvm unpause box
  sees 'modify /other paused'
  mvm restart -t 0 box
  guest_watches box /other /src
  echo 7 >nested/again
  echo 7 >src/again
  sees 'modify /other again' 'modify /src again'
  # The container may mount something else there: that is not touched.
  mvm rm -f box
  mvm run -d --name box --privileged --watch -v ./src:/src -v ./nested:/other -v ./tools:/tools:ro "$IMAGE" \
    sh -c 'mount -t tmpfs tmpfs /src && echo kept >/src/again && exec sleep 1000'
  eventually mvm exec box grep -q kept /src/again
  guest_watches box /src /other
  echo 8 >src/again
  # One share's turn comes after the other's.
  for i in 1 2 3; do
    echo 8 >"nested/turn$i"
    eventually grep -qx "modify /other turn$i" seen
  done
  lacks "$(cat seen)" again
  run mvm exec box stat -c %y /src/again
  has "$output" "$(date +%Y)-"
  mvm rm -f box
}

@test "a write that comes while another is told of wins, a thousand files at once are all told of, and more than the kernel keeps" {
  echo 000000 >src/race
  mvm run -d --name box --watch -v ./src:/src -v ./tools:/tools "$IMAGE" sleep 1000
  run -0 python3 "$DRIVE" race 100 src/race "$MVM" exec box "$TOOL" -k /src/race
  has "$output" 'read the last of 100'
  run -0 python3 "$DRIVE" burst 1000 src "$MVM" exec box "$TOOL" /src
  has "$output" 'seen 1000 of 1000'
  # While the supervisor stands still the kernel's queue overflows; all of the folder is looked through after that.
  guest_watches box /src/sub
  supervisor=$(mvm inspect -f '{{.State.Pid}}' box)
  kill -STOP "$supervisor"
  python3 - "$(cat /proc/sys/fs/inotify/max_queued_events)" <<'P'
import os, sys
# As many processes, for the kernel puts together what one does with a file.
for i in range(int(sys.argv[1]) // 500 + 2):
    if os.fork() == 0:
        for name in range(500):
            os.close(os.open("src/sub/%d" % name, os.O_CREAT | os.O_WRONLY))
            os.utime("src/sub/%d" % name)
        os._exit(0)
    os.wait()
open("src/sub/lost", "w").write("x")
P
  kill -CONT "$supervisor"
  sees 'modify /src/sub lost'
  warned 'more changed in'
  echo 1 >src/sub/later
  sees 'modify /src/sub later'
  mvm rm -f box
}

@test "what the container changes itself is not told to it again, and what others change there is" {
  [ "$(id -u)" = 0 ] || skip 'only root learns whose a change is'
  echo 000000 >src/both
  mvm run -d --name box --watch -v ./src:/src -v ./tools:/tools:ro "$IMAGE" sleep 1000
  mvm run -d --name other -v ./src:/src "$IMAGE" sleep 1000
  # Watched, the last folder included.
  guest_watches box /src /src/sub
  echo 1 >src/sub/probe
  sees 'modify /src/sub probe'
  mvm exec box sh -c 'mkdir /src/made; chmod 600 /src/both; mv /src/both /src/sub/both; mv /src/sub/both /src/both; rm /src/sub/probe; echo 1 >>/src/both'
  echo 1 >src/last
  eventually grep -qx 'modify /src last' seen
  # The one that its own kernel has told of.
  same 'modify /src both' "$(grep modify seen | grep -vx 'modify /src last')"
  : >seen
  # The host's and another container's are told, of the same file as well.
  echo 000002 >src/both
  sees 'modify /src both'
  mvm exec other sh -c 'echo 000003 >/src/both'
  sees 'modify /src both'
  same 000003 "$(mvm exec box cat /src/both)"
  mvm rm -f box other
}

@test "a user's containers, with subordinate ids" { check_user with; }

@test "a user's containers, without subordinate ids" { check_user without; }

refused() { run --separate-stderr mvm "$@"; same 125 "$status"; }

@test "what cannot be watched is said" {
  refused run --rm --watch "$IMAGE" true
  error_says '--watch: nothing of the host is mounted'
  refused run --rm --watch --tmpfs /x -v volume:/y "$IMAGE" true
  error_says '--watch: nothing of the host is mounted'
  refused run --rm -v volume:/y:watch "$IMAGE" true
  error_says "only what is the host's can be watched"
  refused run --rm --mount type=tmpfs,dst=/y,watch "$IMAGE" true
  error_says "only what is the host's can be watched"
  refused run --rm -v "$HOST/src:/y:watch,watch" "$IMAGE" true
  error_says 'invalid mode: watch,watch'
  # A user name space may have a lower limit of its own.
  for i in $(seq 50); do mkdir "src/d$i"; done
  run unshare -Ur sh -c 'echo 10 >/proc/sys/user/max_inotify_watches && "$@"' sh \
    "$MVM" run --rm --name box --watch -v "$HOST/src:/y" "$IMAGE" sh -c 'sleep 2; echo still running'
  same 0 "$status"
  has "$output" 'still running' "not all of $HOST/src is watched" 'sysctl fs.inotify.max_user_watches'
  run mvm volume rm volume
}
