#!/usr/bin/env bats
# Folders and files of the host: -v and --mount, what the guest sees and what it cannot reach, and whose files are whose.
# shellcheck disable=SC2016,SC2030,SC2031,SC2154 # bats, and words for the guest's shell

load ../lib/vm
load ../lib/user

setup() {
  # Not in a folder of bats: other users are to reach it.
  HOST=$(mktemp -d "${TMPDIR:-/tmp}/mvm-shares-XXXXXX")
  chmod 755 "$HOST"
}

test_teardown() {
  if mountpoint -q "$HOST/small"; then umount "$HOST/small"; fi
  remove_user
  rm -rf "$HOST"
}

@test "folders, files, read-only ones, nested ones: both sides see what the other writes" {
  mkdir -p "$HOST/src/sub" "$HOST/nested"
  echo one >"$HOST/src/one"
  echo secret >"$HOST/src/secret"
  echo conf >"$HOST/nested/conf"
  cd "$HOST"
  mvm run -d --name box --read-only -v ./src:/data -v "$HOST/nested:/data/sub/deep:ro" -v "$HOST/src/one:/etc/app/one" \
    --mount "type=bind,src=$HOST/src,dst=/again,readonly" -v "$HOST/made/on/demand:/made" \
    --mount type=tmpfs,target=/data/memory,tmpfs-size=1m,tmpfs-mode=700 "$IMAGE" sleep 1000
  same one "$(mvm exec box cat /data/one)"
  same conf "$(mvm exec box cat /data/sub/deep/conf)"
  mvm exec box sh -c 'echo two >/data/two; echo more >>/etc/app/one; mkdir /data/dir; mv /data/two /data/dir; ln -s one /data/link'
  same two "$(cat src/dir/two)"
  same $'one\nmore' "$(cat src/one)"
  same one "$(readlink src/link)"
  echo from the host >src/late
  eventually mvm exec box grep -q host /data/late
  same one "$(mvm exec box ls /etc/app)"
  [ -d made/on/demand ]
  run ! mvm exec box touch /again/x
  has "$output" 'Read-only file system'
  run ! mvm exec box touch /data/sub/deep/x
  run ! mvm exec box touch /x
  has "$(mvm exec box mount)" ' on /data type virtiofs (rw' ' on /again type virtiofs (ro' ' on /etc/app/one type virtiofs (rw' \
    'tmpfs on /data/memory type tmpfs (rw,nosuid,nodev,noexec,relatime,size=1024k,mode=700'
  # Each is a file system of its own, with the numbers that the host has.
  same "$(stat -c %i src)" "$(mvm exec box stat -c %i /data)"
  [ "$(mvm exec box stat -c %d /data)" != "$(mvm exec box stat -c %d /data/sub/deep)" ]
  [ "$(mvm exec box stat -c %d /data)" != "$(mvm exec box stat -c %d /etc/app/one)" ]
  run mvm inspect -f '{{json .Mounts}} {{json .HostConfig.Binds}} {{json .HostConfig.Mounts}}' box
  has "$output" "{\"Type\":\"bind\",\"Source\":\"$HOST/src\",\"Destination\":\"/again\",\"Mode\":\"\",\"RW\":false,\"Propagation\":\"rprivate\"}" \
    "\"$HOST/src:/data\"" "\"$HOST/nested:/data/sub/deep:ro\"" '"Type":"tmpfs"' '"ReadOnly":true'
  # Not the socket by which mvm is told what to do, and no other of these.
  control=$(readlink "$MVM_HOME"/containers/*/control)
  for place in "$control" "${control%/*}" "${control%/*/*}"; do
    run --separate-stderr -125 mvm run --rm -v "$place:/x" "$IMAGE" true
    error_says "$place: mvm's own folder" 'have commands run by mvm'
  done
  # What is shared is not the container's: not in its tree, nor among its changes; the places are, as with docker.
  lacks "$(mvm export box | tar -t)" data/one
  lacks "$(mvm diff box)" /data/one
  has "$(mvm diff box)" 'A /again'
  mvm stop -t 0 box
  mvm start box
  same two "$(mvm exec box cat /data/dir/two)"
  mvm rm -f box
}

@test "nothing above or beside a share can be reached" {
  mkdir -p "$HOST/src/deep/deeper"
  echo secret >"$HOST/secret"
  echo mine >"$HOST/src/mine"
  ln -s ../secret "$HOST/src/up"
  ln -s /etc/hostname "$HOST/src/absolute"
  ln -s "$HOST/secret" "$HOST/src/full"
  # As root of all of the machine: the tree of all shares is to be had, and nothing above it.
  mvm run -d --name box --privileged --hostname inside -v "$HOST/src:/data" -v "$HOST/src/mine:/file" "$IMAGE" sleep 1000
  run ! mvm exec box cat /data/up
  run ! mvm exec box cat /data/full
  same inside "$(mvm exec box cat /data/absolute)"
  mvm exec box sh -c 'mkdir /raw && mount -t virtiofs mvm /raw'
  # Which of the file systems of the device this is, is the kernel's choice.
  case $(mvm exec box ls -A /raw) in $'0\n1' | file | $'absolute\ndeep\nfull\nmine\nup') ;; *) false ;; esac
  run ! mvm exec box sh -c 'cat /raw/../secret /raw/secret /raw/0/../secret /raw/0/deep/../../secret'
  # A folder that leaves the share while the guest is in it leads nowhere.
  mvm exec -d box sh -c 'cd /data/deep/deeper; until [ -e /data/go ]; do sleep 0.1; done; cat ../../secret ../secret >/data/found 2>&1; echo end >/data/done'
  mv "$HOST/src/deep" "$HOST/deep"
  touch "$HOST/src/go"
  eventually test -e "$HOST/src/done"
  lacks "$(cat "$HOST/src/found")" secret$'\n'
  mvm rm -f box
}

refused() { run --separate-stderr mvm "$@"; same 125 "$status"; }

@test "what cannot be shared is refused in one line, before a machine boots" {
  mkfifo "$HOST/fifo"
  ln -s loop "$HOST/loop"
  touch "$HOST/file"
  mkdir "$HOST/folder"
  refused run --rm -v "$HOST/fifo:/x" "$IMAGE" true
  error_says "$HOST/fifo is a FIFO"
  refused run --rm -v /dev/null:/x "$IMAGE" true
  error_says 'is a device'
  refused run --rm -v "$HOST/loop:/x" "$IMAGE" true
  error_says 'symbolic links'
  refused run --rm -v "$HOST/file/below:/x" "$IMAGE" true
  error_says "$HOST/file/below" 'Not a directory'
  refused run --rm -v "$MVM_HOME:/x" "$IMAGE" true
  error_says "mvm's own folder"
  refused run --rm -v "$MVM_HOME/images:/x" "$IMAGE" true
  error_says "mvm's own folder"
  refused run --rm --mount "type=bind,src=$HOST/none,dst=/x" "$IMAGE" true
  error_says 'invalid mount config for type "bind": bind source path does not exist: '"$HOST/none"
  refused run --rm -v "$HOST:/x" --mount "type=bind,src=$HOST,dst=/x/" "$IMAGE" true
  error_says 'Duplicate mount point: /x'
  refused run --rm -v "$HOST:/x" --tmpfs /x "$IMAGE" true
  error_says 'Duplicate mount point: /x'
  refused run --rm -v "$HOST:relative" "$IMAGE" true
  error_says "invalid mount path: 'relative' mount path must be absolute"
  refused run --rm -v "$HOST:/x:what" "$IMAGE" true
  error_says 'invalid mode: what'
  no_containers
  # Of what the image has only the guest knows.
  refused run --rm -v "$HOST/folder:/etc/passwd" "$IMAGE" true
  error_says 'cannot mount on /etc/passwd: not a directory: Are you trying to mount a directory onto a file (or vice-versa)?'
  refused run --rm -v "$HOST/file:/etc" "$IMAGE" true
  error_says 'Are you trying to mount a directory onto a file'
  MVM_VIRTIOFSD=$HOST/none refused run --rm -v "$HOST:/x" "$IMAGE" true
  error_says "$HOST/none, which MVM_VIRTIOFSD names"
  MVM_VIRTIOFSD=/bin/true refused run --rm -v "$HOST:/x" "$IMAGE" true
  error_says '/bin/true is no virtiofsd'
  # A source that goes between two starts.
  mvm create --name box --mount "type=bind,src=$HOST/folder,dst=/x" "$IMAGE" true
  rmdir "$HOST/folder"
  run --separate-stderr -1 mvm start box
  error_says "bind source path does not exist: $HOST/folder"
  mvm rm box
}

@test "a hundred shares at once, the whole host, and the source tree" {
  local i flags=()
  for i in $(seq 100); do
    mkdir "$HOST/$i"
    echo "$i" >"$HOST/$i/number"
    flags+=(-v "$HOST/$i:/shares/$i")
  done
  run mvm run --rm "${flags[@]}" -v /:/host:ro "$IMAGE" sh -c 'cat /shares/*/number | sort -n | md5sum; ls -d /host/usr /host/proc; grep -c virtiofs /proc/mounts; touch /host/x 2>&1'
  has "$output" "$(seq 100 | md5sum)" /host/usr 'Read-only file system'
}

@test "more files than the server may have open" {
  mkdir "$HOST/src"
  # Each is known to the guest's kernel from its making on. One in a hundred stays open.
  run -0 bash -c 'ulimit -n 800 && exec timeout 120 "$@"' - "$MVM" run --rm -v "$HOST/src:/data" "$IMAGE" sh -c '
    i=0; while [ $i -lt 1200 ]; do i=$((i + 1)); echo $i >/data/$i || exit 1; [ $((i % 100)) -gt 0 ] || sleep 10000 </data/$i & done; cat /data/* | sort -n | md5sum'
  has "$output" "$(seq 1200 | md5sum)"
}

has_lines() { [ "$(wc -l <"$2")" = "$1" ]; }

# A stand-in for the server in Rust, which Debian 12 has not: called as that one is, it serves by the one in C.
@test "the server in Rust has a command line of its own" {
  mkdir "$HOST/src"
  echo there >"$HOST/src/file"
  [ -x /usr/lib/qemu/virtiofsd ] || skip "QEMU's virtiofsd is not here"
  cat >"$HOST/virtiofsd" <<END
#!/bin/bash
[ "\$1" != --version ] || { echo 'virtiofsd 1.13.2'; exit; }
printf '%s\n' "\$@" >&2
[ "\$*" = "--fd=3 --rlimit-nofile=0 \$3 --sandbox=namespace --cache=auto --xattr --announce-submounts" ] || exit 64
exec /usr/lib/qemu/virtiofsd --fd=3 --rlimit-nofile=0 -o "source=\${3#--shared-dir=},xattr,announce_submounts"
END
  chmod 755 "$HOST/virtiofsd"
  same there "$(MVM_VIRTIOFSD=$HOST/virtiofsd mvm run --rm -v "$HOST/src:/data" "$IMAGE" cat /data/file)"
}

server_of() { pgrep -P "$(mvm inspect -f '{{.State.Pid}}' "$1")" virtiofsd; }

@test "a server that dies takes the machine along, and a restart policy brings a new one" {
  mkdir "$HOST/src"
  mvm run -d --name box --restart on-failure:3 -v "$HOST/src:/data" "$IMAGE" sh -c 'echo up >>/data/up; sleep 1000'
  eventually test -s "$HOST/src/up"
  pkill -9 -P "$(server_of box)" virtiofsd
  eventually has_lines 2 "$HOST/src/up"
  mvm rm -f box
  # In the middle of writes, which hang from then on.
  mvm run -d --name box -v "$HOST/src:/data" "$IMAGE" sh -c 'while :; do dd if=/dev/zero of=/data/big bs=64k count=64 conv=fsync 2>/dev/null; echo round >>/data/rounds; done'
  eventually test -s "$HOST/src/rounds"
  kill -9 "$(server_of box)"
  eventually is_state box exited
  has "$(mvm inspect -f '{{.State.ExitCode}} {{.State.Error}}' box)" '255 the server of the shared folders has died: virtiofsd was ended by signal 9'
  mvm rm box
  # And with its container nothing stays.
  mvm run --rm -v "$HOST/src:/data" "$IMAGE" true
  eventually no_own_processes
  run ! pgrep -f "virtiofsd.*$MVM_HOME"
}

@test "a share that is removed while it is in use, and one whose disk is full" {
  [ "$(id -u)" = 0 ] || skip 'only root can mount a small disk'
  mkdir "$HOST/src" "$HOST/small"
  echo one >"$HOST/src/one"
  mount -t tmpfs -o size=1m,mode=755 small "$HOST/small"
  mvm run -d --name box -v "$HOST/src:/data" -v "$HOST/small:/small" --mount "type=bind,src=$HOST/src,dst=/again" "$IMAGE" sleep 1000
  run ! mvm exec box dd if=/dev/zero of=/small/big bs=64k count=32 conv=fsync
  has "$output" 'No space left on device'
  mvm exec box sh -c 'rm /small/big; echo fits >/small/fits'
  same fits "$(cat "$HOST/small/fits")"
  rm -r "$HOST/src"
  # It is what a removed folder is on the host: empty, and nothing can be made in it. All else goes on.
  eventually mvm exec box sh -c '! ls /data/one 2>/dev/null'
  run ! mvm exec box touch /data/new
  has "$output" 'No such file or directory'
  same fits "$(mvm exec box cat /small/fits)"
  mvm stop -t 0 box
  run --separate-stderr -1 mvm start box
  error_says "$HOST/src"
  mvm rm box
}

# wrote FOLDER MACHINES ROUNDS: nothing of what they wrote is lost, torn or there twice.
wrote() {
  local total=$(($2 * 2 * $3)) i
  same "$total" "$(wc -l <"$1/log")"
  same "$total" "$(grep -cE '^m[0-9]+\.[01]\.[0-9]+$' "$1/log")"
  same "$total" "$(sort -u "$1/log" | wc -l)"
  same "$(printf '%08d' "$total")" "$(cat "$1/all")"
  for i in $(seq "$2"); do same "$(printf '%08d %08d' $((2 * $3)) $((2 * $3)))" "$(cat "$1/flock-m$i") $(cat "$1/fcntl-m$i")"; done
  [ ! -e "$1/lock" ]
}

# MVM_WRITERS=20 has more of them.
@test "machines that write into one folder and one volume at once" {
  local count=${MVM_WRITERS:-4} rounds=5 i
  export MVM_PATIENCE=$((60 + 30 * count))
  mkdir "$HOST/src"
  mvm volume create -d shared together
  for i in $(seq "$count"); do
    mvm run -d --name "m$i" -m 128m -v "$HOST/src:/src" -v together:/together -v "$(dirname "$MVM")/tests/vm/shares:/tools:ro" \
      "$IMAGE" sh -c "until [ -e /src/go ]; do sleep 0.2; done; /tools/writers /src m$i $rounds && /tools/writers /together m$i $rounds"
  done
  touch "$HOST/src/go"
  for i in $(seq "$count"); do same 0 "$(mvm wait "m$i")" || { mvm logs "m$i"; false; }; done
  wrote "$HOST/src" "$count" "$rounds"
  wrote "$MVM_HOME/volumes/together/files/data" "$count" "$rounds"
  seq -f 'm%g' "$count" | xargs "$MVM" rm >/dev/null
  mvm volume rm together
}

WRITE_AS_ALL='id -u; echo x >/data/root; chown 70:71 /data/given; chmod 1777 /data/open; stat -c "%u:%g %n" /data/given'

@test "owners: root's ids pass through" {
  [ "$(id -u)" = 0 ] || skip 'the host is not run by root'
  mkdir -p "$HOST/src/open"
  touch "$HOST/src/given"
  chown 12345:54321 "$HOST/src"
  run mvm run --rm -v "$HOST/src:/data" "$IMAGE" sh -c 'stat -c %u:%g /data; '"$WRITE_AS_ALL"
  same $'12345:54321\n0\n70:71 /data/given' "$output"
  mvm run --rm -u 70:71 -v "$HOST/src:/data" "$IMAGE" touch /data/open/new
  same '70:71 0:0 70:71' "$(stat -c %u:%g "$HOST/src/given" "$HOST/src/root" "$HOST/src/open/new" | paste -sd' ')"
}

@test "a program that another user writes to loses its set-user-ID bit, each time" {
  [ "$(id -u)" = 0 ] || skip "needs ids that pass through"
  echo old >"$HOST/program"
  chmod 4777 "$HOST/program"
  mvm run -d --name box -v "$HOST:/data" "$IMAGE" sleep 1000
  write() { mvm exec -u 1000:1000 box sh -c "echo $1 >>/data/program; stat -c %a /data/program"; }
  same 777 "$(write first)"
  same 777 "$(write second)"
  mvm exec box chmod 4777 /data/program
  same 4777 "$(stat -c %a "$HOST/program")"
  same 777 "$(write third)"
  same 777 "$(stat -c %a "$HOST/program")"
  mvm rm -f box
  same $'old\nfirst\nsecond\nthird' "$(cat "$HOST/program")"
}

@test "owners: with subordinate ids, root is the user and others are theirs" {
  make_user with
  local first
  first=$(sed -n "s/^$USER_MADE:\([0-9]*\):.*/\1/p" /etc/subuid)
  as_user mkdir -p "$HOST/home/src/open"
  as_user touch "$HOST/home/src/given"
  run --separate-stderr as_user timeout 60 "$HOST/mvm/mvm" run -q --rm -v "$HOST/home/src:/data" "$IMAGE" sh -c "$WRITE_AS_ALL"
  same $'0\n70:71 /data/given' "$output"
  as_user timeout 60 "$HOST/mvm/mvm" run --rm -u 70:71 -v "$HOST/home/src:/data" "$IMAGE" touch /data/open/new
  same "$((first + 69)) $(id -u "$USER_MADE") $((first + 69))" \
    "$(stat -c %u "$HOST/home/src/given" "$HOST/home/src/root" "$HOST/home/src/open/new" | paste -sd' ')"
  # A folder that a service has closed to the user is shared again at the next start, and goes with its volume.
  as_user "$HOST/mvm/mvm" volume create -d shared kept
  as_user "$HOST/mvm/mvm" run -d --name box -v "$HOST/home/src:/data" -v kept:/kept "$IMAGE" \
    sh -c 'mkdir -p /kept/in; head -c 3500k /dev/urandom >/kept/in/file; chown -R 70:71 /data /kept; chmod 700 /data /kept /kept/in; echo up >>/data/up; sleep 1000'
  eventually has_lines 1 "$HOST/home/src/up"
  as_user "$HOST/mvm/mvm" kill box
  run ! as_user ls "$HOST/home/src"
  as_user "$HOST/mvm/mvm" start box
  eventually has_lines 2 "$HOST/home/src/up"
  as_user "$HOST/mvm/mvm" rm -f box
  # What is closed to the user is counted, too.
  has "$(as_user "$HOST/mvm/mvm" system df -v | awk '$1 == "kept" { print $3 }')" 3.5
  as_user "$HOST/mvm/mvm" volume rm kept
  same '.lock' "$(ls -A "$HOST/home/.mvm/volumes")"
  # The guest's root is the user, so a chown of its gives all back.
  as_user timeout 60 "$HOST/mvm/mvm" run --rm -v "$HOST/home/src:/data" "$IMAGE" chown -R 0:0 /data
  same "$(id -u "$USER_MADE")" "$(find "$HOST/home/src" -printf '%U\n' | sort -u)"
}

@test "owners: without subordinate ids all is the user's, and chown succeeds" {
  make_user without
  as_user mkdir -p "$HOST/home/src/open"
  as_user touch "$HOST/home/src/given"
  run --separate-stderr as_user timeout 60 "$HOST/mvm/mvm" run -q --rm -v "$HOST/home/src:/data" "$IMAGE" sh -c "$WRITE_AS_ALL"
  same $'0\n0:0 /data/given' "$output"
  as_user timeout 60 "$HOST/mvm/mvm" run --rm -u 70:71 -v "$HOST/home/src:/data" "$IMAGE" touch /data/open/new
  same "$(id -u "$USER_MADE")" "$(stat -c %u "$HOST/home/src/given" "$HOST/home/src/root" "$HOST/home/src/open/new" | sort -u)"
  # What the user may not read is no share, nor a place where a folder is made.
  install -d -m 700 "$HOST/closed" "$HOST/closed/in"
  for place in closed closed/in closed/none; do
    run --separate-stderr -125 as_user "$HOST/mvm/mvm" run --rm -v "$HOST/$place:/data" "$IMAGE" true
    error_says "$HOST/$place" 'Permission denied'
  done
}
