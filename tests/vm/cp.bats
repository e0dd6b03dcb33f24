#!/usr/bin/env bats
# mvm cp: docker's table of cases both ways, in containers that run and in those that do not.
#
# shellcheck disable=SC2016,SC2154 # programs for the guest; variables that bats sets

load ../lib/vm.bash

# What docker's own tests copy: files, folders and links in $1.
content='
  for i in 1 2 3 4 5 6 7; do echo file$i >file$i; done
  mkdir dir1 dir2 dir5
  echo file1-1 >dir1/file1-1; echo file1-2 >dir1/file1-2; echo file2-1 >dir2/file2-1
  ln -s file1 symlinkToFile1; ln -s dir1 symlinkToDir1
  ln -s fileX brokenSymlinkToFileX; ln -s dirX brokenSymlinkToDirX; ln -s /root symlinkToAbsDir'

setup_file() {
  mvm run -d --name cp-box "$IMAGE" sh -c "mkdir /root /c; cd /root; $content; echo ready; exec sleep 100000" >/dev/null
  eventually log_has cp-box ready
}

teardown_file() { "$MVM" rm -f cp-box >/dev/null; }

setup() {
  work=$BATS_TEST_TMPDIR/work
  mkdir "$work"
  cd "$work" || return 1
  sh -c "$content"
}

# Only what a test has left itself is its fault.
teardown() {
  local left
  if declare -F test_teardown >/dev/null; then test_teardown; fi
  left=$("$MVM" ps -a --format '{{.Names}}' | grep -vx cp-box || true)
  [ -z "$left" ] || {
    printf 'left behind:\n%s\n' "$left" >&2
    # shellcheck disable=SC2086 # one name a word
    "$MVM" rm -f $left >/dev/null
    return 1
  }
}

# flat: the words that come, in one line.
flat() { tr '\n' ' ' | sed 's/ $//'; }

# cp ARGUMENT...: without a word.
cp_quietly() {
  run --separate-stderr -0 mvm cp "$@"
  same '' "$output" && same '' "$stderr"
}

# cp_fails PART... -- ARGUMENT...: with an error of one line.
cp_fails() {
  local parts=()
  while [ "$1" != -- ]; do parts+=("$1"); shift; done
  shift
  run --separate-stderr -1 mvm cp "$@"
  error_says "${parts[@]}"
}

# inside PROGRAM: its output, in the running container.
inside() { mvm exec cp-box sh -c "$1"; }

fresh() { inside "rm -rf /c; mkdir /c; cd /c; $content"; }

@test "from a container: docker's cases A to J" {
  cp_quietly cp-box:/root/file1 itWorks.txt
  same file1 "$(cat itWorks.txt)"
  cp_fails 'no such directory' -- cp-box:/root/file1 testDir/
  cp_quietly cp-box:/root/file1 file2
  same file1 "$(cat file2)"
  cp_quietly cp-box:/root/file2 dir2
  cp_quietly cp-box:/root/file3 dir2/
  same 'file2 file3' "$(cat dir2/file2 dir2/file3 | flat)"
  cp_quietly cp-box:/root/dir1 e1
  cp_quietly cp-box:/root/dir1 e2/
  same 'file1-1 file1-1' "$(cat e1/file1-1 e2/file1-1 | flat)"
  cp_fails 'cannot copy directory' -- cp-box:/root/dir1 file3
  cp_quietly cp-box:/root/dir1 dir2
  cp_quietly cp-box:/root/dir1/ dir5/
  same 'file1-1 file1-2' "$(cat dir2/dir1/file1-1 dir5/dir1/file1-2 | flat)"
  cp_quietly cp-box:/root/dir1/. h1
  cp_quietly cp-box:/root/dir1/. h2/
  same 'file1-1 file1-2' "$(cat h1/file1-1 h2/file1-2 | flat)"
  cp_fails 'cannot copy directory' -- cp-box:/root/dir1/. file3
  mkdir j
  cp_quietly cp-box:/root/dir1/. j
  same 'file1-1 file1-2' "$(cat j/* | flat)"
}

@test "into a container: docker's cases A to J" {
  fresh
  cp_quietly file1 cp-box:/c/itWorks.txt
  cp_fails 'no such directory' -- file1 cp-box:/c/testDir/
  cp_quietly file1 cp-box:/c/file2
  cp_quietly file2 cp-box:/c/dir2
  cp_quietly file3 cp-box:/c/dir2/
  cp_quietly dir1 cp-box:/c/e1
  cp_quietly dir1 cp-box:/c/e2/
  cp_fails 'cannot copy directory' -- dir1 cp-box:/c/file3
  cp_quietly dir1 cp-box:/c/dir2
  cp_quietly dir1/ cp-box:/c/dir5/
  cp_quietly dir1/. cp-box:/c/h1
  cp_quietly dir1/. cp-box:/c/h2/
  cp_fails 'cannot copy directory' -- dir1/. cp-box:/c/file3
  cp_quietly dir1/. cp-box:/c/dir1
  same 'file1 file1 file2 file3 file1-1 file1-1 file1-1 file1-2 file1-1 file1-2 file1-1' "$(inside '
    cd /c; echo $(cat itWorks.txt file2 dir2/file2 dir2/file3 e1/file1-1 e2/file1-1 dir2/dir1/file1-1 dir5/dir1/file1-2 \
      h1/file1-1 h2/file1-2 dir1/file1-1)')"
  inside '[ ! -e /c/testDir ] && [ ! -e /c/dir1/dir1 ]'
}

@test "links as a destination: what they lead to is meant, whether it is there or not" {
  fresh
  cp_quietly file2 cp-box:/c/symlinkToFile1
  cp_quietly file2 cp-box:/c/symlinkToDir1
  cp_quietly file3 cp-box:/c/brokenSymlinkToFileX
  cp_quietly dir2 cp-box:/c/symlinkToDir1
  cp_quietly dir2 cp-box:/c/brokenSymlinkToDirX
  same 'file2 file2 file3 file2-1 file2-1 file1 dir1 fileX dirX' "$(inside 'cd /c; echo $(cat file1 dir1/file2 fileX \
    dir1/dir2/file2-1 dirX/file2-1); for l in symlinkToFile1 symlinkToDir1 brokenSymlinkToFileX brokenSymlinkToDirX
    do readlink $l; done' | flat)"
  cp_quietly cp-box:/root/file2 symlinkToFile1
  cp_quietly cp-box:/root/file2 symlinkToDir1
  cp_quietly cp-box:/root/file2 brokenSymlinkToFileX
  cp_quietly cp-box:/root/dir2 symlinkToDir1
  cp_quietly cp-box:/root/dir2 brokenSymlinkToDirX
  same 'file2 file2 file2 file2-1 file2-1' \
    "$(cat file1 dir1/file2 fileX dir1/dir2/file2-1 dirX/file2-1 | flat)"
  same 'file1 dir1 fileX dirX' "$(readlink symlinkToFile1 symlinkToDir1 brokenSymlinkToFileX brokenSymlinkToDirX |
    tr '\n' ' ' | sed 's/ $//')"
}

@test "links as a source: themselves, but with a slash behind or -L" {
  mkdir to
  cp_quietly cp-box:/root/symlinkToDir1 to
  cp_quietly cp-box:/root/symlinkToFile1 to
  cp_quietly cp-box:/root/brokenSymlinkToFileX to
  same 'dir1 file1 fileX' "$(readlink to/symlinkToDir1 to/symlinkToFile1 to/brokenSymlinkToFileX | flat)"
  rm -r to; mkdir to
  cp_quietly cp-box:/root/symlinkToDir1/ to
  cp_quietly -L cp-box:/root/symlinkToFile1 to
  cp_quietly cp-box:/root/symlinkToDir1/. to
  same 'file1-1 file1-1 file1' "$(cat to/symlinkToDir1/file1-1 to/file1-1 to/symlinkToFile1 | flat)"
  [ ! -L to/symlinkToDir1 ] && [ ! -L to/symlinkToFile1 ]
  rm -r to; mkdir to
  cp_quietly -L cp-box:/root/symlinkToDir1 to
  cp_quietly -L cp-box:/root/symlinkToDir1 other
  same 'file1-1 file1-1' "$(cat to/symlinkToDir1/file1-1 other/file1-1 | flat)"
  # On the way links are always followed, and lead nowhere out of the container.
  cp_quietly cp-box:/root/symlinkToDir1/file1-2 way
  cp_quietly cp-box:/root/symlinkToAbsDir/file4 way2
  cp_quietly cp-box:../../../../../root/../root/file5 way3
  cp_quietly cp-box:root/file6 way4
  same 'file1-2 file4 file5 file6' "$(cat way way2 way3 way4 | flat)"
  fresh
  cp_quietly symlinkToDir1 cp-box:/c/dir5
  cp_quietly symlinkToDir1/ cp-box:/c/dir2
  cp_quietly -L symlinkToFile1 cp-box:/c/dir2
  same 'dir1 file1-1 file1' "$(inside 'cd /c; echo $(readlink dir5/symlinkToDir1) $(cat dir2/symlinkToDir1/file1-1 dir2/symlinkToFile1)')"
  inside '[ ! -L /c/dir2/symlinkToDir1 ] && [ ! -L /c/dir2/symlinkToFile1 ]'
}

@test "what is not there, and words that make no sense" {
  cp_fails "Could not find the file /dne in container cp-box" -- cp-box:/dne .
  cp_fails "Could not find the file /dne in container cp-box" -- -L cp-box:/dne .
  cp_fails "Could not find the file /dne/a in container cp-box" -- file1 cp-box:/dne/a/b
  cp_fails 'not a directory' -- cp-box:/root/file1/ .
  cp_fails 'not a directory' -- cp-box:/root/file1/. .
  cp_fails '/does/not/exist' 'No such file or directory' -- /does/not/exist cp-box:/root
  cp_fails 'ot a directory' -- file1/ cp-box:/root
  cp_fails "invalid output path: directory \"$work/missing\" does not exist" -- cp-box:/root/file1 missing/foo
  cp_fails '"/dev/null" must be a directory or a regular file' -- cp-box:/root/file1 /dev/null
  cp_fails 'No such container: nosuch' -- nosuch:/a .
  cp_fails 'No such container: nosuch' -- file1 nosuch:/a
  cp_fails 'copying between containers is not supported' -- a:/a b:/b
  cp_fails 'must specify at least one container source' -- foo bar
  cp_fails 'must specify at least one container source' -- - -
  cp_fails 'source can not be empty' -- '' cp-box:/
  cp_fails 'destination can not be empty' -- file1 ''
  cp_fails 'path cannot be empty' -- file1 cp-box:
  cp_fails 'file name too long' -- file1 "cp-box:/$(printf 'a/%.0s' {1..2500})"
  cp_fails 'ile name too long' -- "cp-box:/$(printf 'a%.0s' {1..300})" .
  cp_fails "destination \"cp-box:/root/file1\" must be a directory" -- - cp-box:/root/file1 </dev/null
  cp_fails "destination \"cp-box:/nowhere\" must be a directory" -- - cp-box:/nowhere </dev/null
  run --separate-stderr -125 mvm cp file1
  same "file1 file2" "$(inside 'cat /root/file1 /root/file2' | flat)"
}

@test "a folder takes no file's place, nor a file a folder's" {
  fresh
  mkdir -p clash other/file1
  echo x >clash/file1
  inside 'mkdir /c/in; mkdir /c/in/file1; echo y >/c/in/dir1; mkdir -p /c/from/file1'
  cp_fails 'cannot overwrite directory "file1" with non-directory' -- file1 cp-box:/c/in
  cp_fails 'cannot overwrite non-directory "dir1" with directory' -- dir1 cp-box:/c/in
  cp_fails 'cannot overwrite directory "file1" with non-directory' -- cp-box:/root/file1 other
  cp_fails 'cannot overwrite non-directory "file1" with directory' -- cp-box:/c/from/. clash
}

@test "streams: a tar archive to stdout and from stdin, compressed too" {
  fresh
  mvm cp cp-box:/root/dir1 - >tar
  same 'dir1/ dir1/file1-1 dir1/file1-2' "$(tar -tf tar | sort | flat)"
  same './ ./file1-1 ./file1-2' "$(mvm cp cp-box:/root/dir1/. - | tar -t | sort | flat)"
  same file2 "$(mvm cp cp-box:/root/file2 - | tar -xO file2)"
  has "$(mvm cp cp-box:/ - | tar -tP)" /root/dir1/file1-1
  same 'file1 lrwxrwxrwx' "$(mvm cp -L cp-box:/root/symlinkToFile1 - | tar -t) $(mvm cp cp-box:/root/symlinkToFile1 - | tar -tv | cut -c1-10)"
  mvm cp - cp-box:/c/dir5 <tar
  tar -c dir2 | gzip | mvm cp - cp-box:/c/symlinkToDir1
  if command -v zstd >/dev/null; then tar -c file3 | zstd -q | mvm cp - cp-box:/c/dir1; fi
  mvm cp - cp-box:/c </dev/null
  # Docker reads no further than the end of the archive; who writes more is not to get a broken pipe.
  { cat tar; head -c 300000 /dev/zero; } | mvm cp - cp-box:/c
  same 'file1-1 file2-1 file1-2' "$(inside 'cd /c; echo $(cat dir5/dir1/file1-1 dir1/dir2/file2-1 dir1/file1-2)')"
  run --separate-stderr -1 mvm cp - cp-box:/c <file1
  error_says 'archive'
  run --separate-stderr -1 bash -c 'head -c 700 tar | timeout 60 "$MVM" cp - "cp-box:/c"'
  error_says 'cut short'
}

@test "archives that lead out are refused, at both ends" {
  fresh
  mkdir evil
  python3 - <<'PY'
import io, tarfile
def make(path, *entries):
    with tarfile.open(path, "w") as tar:
        for kind, name, value in entries:
            info = tarfile.TarInfo(name)
            info.type = kind
            if kind == tarfile.REGTYPE:
                info.size = len(value)
                tar.addfile(info, io.BytesIO(value))
            else:
                info.linkname = value
                tar.addfile(info)
R, S, H = tarfile.REGTYPE, tarfile.SYMTYPE, tarfile.LNKTYPE
make("evil/dots", (R, "../../../../evil-dots", b"x"))
make("evil/absolute", (R, "/evil-absolute", b"x"))
make("evil/link", (S, "l", "/"), (R, "l/evil-link", b"x"), (S, "m", "../../../.."), (R, "m/evil-up", b"x"))
make("evil/hard", (H, "h", "../../etc/passwd"))
PY
  run --separate-stderr -1 mvm cp - cp-box:/c/dir5 <evil/dots
  error_says 'invalid entry name'
  mvm cp - cp-box:/c/dir5 <evil/absolute
  mvm cp - cp-box:/c/dir5 <evil/link
  run --separate-stderr -1 mvm cp - cp-box:/c/dir5 <evil/hard
  error_says h
  same '/c/dir5/evil-absolute /evil-link /evil-up' "$(inside 'find / -xdev -name "evil-*" | sort' | flat)"
  [ ! -e /evil-link ] && [ ! -e /evil-up ]
  # A container may hold links that lead anywhere; what is copied through them stays where it was to go.
  inside 'cd /c; rm -rf trap; mkdir trap trap/a; ln -s /tmp trap/a/l; ln -s ../../../../../../../tmp trap/a/m; echo x >trap/a/z'
  mkdir -p out/trap/a
  cp_quietly cp-box:/c/trap out
  same '/tmp ../../../../../../../tmp x' "$({ readlink out/trap/a/l out/trap/a/m; cat out/trap/a/z; } | flat)"
}

# tree_of FOLDER: what is below it, in words.
tree_of() { (cd "$1" && find . -mindepth 1 \( -type d -printf '%P d %m %T@\n' -o -printf '%P %y %m %s %l %T@\n' \) | sort); }

@test "modes, times, owners, hard links, holes, pipes, long and strange names" {
  local long=d name
  fresh
  mkdir -p t/sub
  echo x >t/suid; chmod 4751 t/suid; echo y >t/secret; chmod 0400 t/secret; chmod 1733 t/sub
  ln t/suid t/hard; ln -s nowhere t/dangling; mkfifo -m 622 t/fifo; : >t/empty
  truncate -s 1G t/sparse; printf end | dd of=t/sparse bs=1 seek=1073741821 conv=notrunc status=none
  touch -d '2001-02-03 04:05:06.123456789' t/secret; touch -h -d '1969-12-31 23:59:58' t/dangling
  name=$(printf 'odd \377\n"name')
  echo odd >"t/$name"
  for _ in 1 2 3 4 5; do long=$long/$(printf 'n%.0s' {1..200}); done
  mkdir -p "t/$long"; echo deep >"t/$long/leaf"
  touch -d '2001-02-03 04:05:06' t/sub
  if [ "$(id -u)" = 0 ]; then chown 1234:5678 t/secret; fi
  cp_quietly t cp-box:/c/t
  same "4751 400 1733 2 622 1073741824 $(stat -c %u:%g t/secret) 981173106 -2 981173106" "$(inside 'cd /c/t; echo $(stat -c %a suid secret sub) \
    $(stat -c %h hard) $(stat -c %a fifo) $(stat -c %s sparse) $(stat -c %u:%g secret) $(stat -c %Y secret dangling sub)')"
  inside 'cd /c/t; [ "$(tail -c 3 sparse)" = end ] && [ "$(du -k sparse | cut -f1)" -lt 1000 ] && [ -p fifo ] && cat */n*/n*/n*/n*/n*/leaf' | grep -qx deep
  same odd "$(inside 'cat /c/t/odd*name')"
  cp_quietly cp-box:/c/t back
  diff <(tree_of t) <(tree_of back)
  same 2 "$(stat -c %h back/hard)"
  [ "$(du -k back/sparse | cut -f1)" -lt 1000 ]
  cp_quietly "cp-box:/c/t/$name" "./a:b"
  cp_quietly "./a:b" "cp-box:/c/$name"
  same 'odd odd' "$({ cat a:b; inside 'cat /c/odd*name'; } | flat)"
  # Who copies owns what comes, unless it is to be kept.
  if [ "$(id -u)" = 0 ]; then
    cp_quietly -a cp-box:/c/t/secret kept
    same '0:0 1234:5678' "$(stat -c %u:%g back/secret) $(stat -c %u:%g kept)"
  fi
}

@test "-a into a container with a user: all is that user's" {
  mvm create --name owned -u 2375 "$IMAGE" sh -c 'stat -c %u:%g /f1 /f2 /f3' >/dev/null
  cp_quietly -a file1 owned:/f1
  cp_quietly file1 owned:/f2
  tar --owner=77 --group=88 --transform s/file1/f3/ -c file1 | mvm cp - owned:/
  same "2375:0 $(id -u):$(id -g) 77:88" "$(mvm start -a owned | flat)"
  mvm rm owned
}

@test "hosts, hostname and resolv.conf are the container's own; /proc is what the disk has" {
  mkdir to
  cp_quietly cp-box:/etc/hosts to
  cp_quietly cp-box:/etc/hostname to
  same "$(inside 'cat /etc/hosts /etc/hostname')" "$(cat to/hosts to/hostname)"
  cp_fails 'Could not find the file /proc/self/status' -- cp-box:/proc/self/status .
  cp_fails 'hosts' -- file1 cp-box:/etc/hosts
  has "$(inside 'cat /etc/hosts')" localhost
}

@test "a result on stderr, where there is a terminal or it is asked for" {
  run -0 script -qec "$MVM cp cp-box:/root/file1 out1" /dev/null
  has "$output" "Successfully copied 6B (transferred 2.05kB) to $work/out1"
  run -0 script -qec "$MVM cp file1 cp-box:/c" /dev/null
  has "$output" 'Successfully copied 6B (transferred 2.05kB) to 'cp-box:/c
  run -0 script -qec "$MVM cp -q file1 cp-box:/c" /dev/null
  same '' "$output"
  run --separate-stderr -0 mvm cp --quiet=false dir1 cp-box:/c/
  same '' "$output"
  same "Successfully copied 16B (transferred 3.58kB) to cp-box:/c/" "$stderr"
  run --separate-stderr -0 mvm container cp -q=false cp-box:/root/dir1 to
  same "Successfully copied 3.58kB to $work/to" "$stderr"
}

@test "a local file that cannot be read is one error, and so is a full disk" {
  fresh
  mkdir t; echo a >t/a; echo b >t/b
  if [ "$(id -u)" != 0 ]; then
    chmod 0 t/b
    cp_fails "cannot open $work/t/b: Permission denied" -- t cp-box:/c
  fi
  run --separate-stderr -1 bash -c 'exec timeout 60 "$MVM" cp "cp-box:/root/file1" - >/dev/full'
  has "$stderr" 'cannot write the output: No space left on device'
}

@test "containers that do not run: created, exited, --rm, read-only; the disk is clean when cp returns" {
  mvm create --name made "$IMAGE" cat /made/file1 /dir/file1-1 >/dev/null
  mkdir made; cp file1 made
  cp_quietly made made:/
  cp_quietly dir1 made:/dir
  no_machines
  same 'file1 file1-1' "$(mvm start -a made | flat)"
  # A copy that fails leaves it as free as one that does not.
  cp_fails 'Could not find the file' -- made:/nothing .
  no_machines
  cp_fails 'cannot copy directory' -- dir1 made:/made/file1
  no_machines
  cp_quietly file2 made:/made/file1
  cp_quietly made:/made/file1 back
  same file2 "$(cat back)"
  same 'file2 file1-1' "$(mvm start -a made | flat)"
  run ! grep -q 'recovery complete' "$MVM_HOME"/containers/*/helper-boot.log
  mvm rm made
  mvm create --name once --rm "$IMAGE" cat /once >/dev/null
  cp_quietly file3 once:/once
  same file3 "$(mvm start -a once)"
  eventually no_container once
  mvm create --name sealed --read-only "$IMAGE" true >/dev/null
  cp_fails 'container rootfs is marked read-only' -- file1 sealed:/
  cp_quietly sealed:/bin/busybox .
  mvm rm sealed
}

# No machine but that of the container that runs for all.
no_machines() { [ "$(mvm_processes | grep -c ' qemu$')" -le 1 ]; }
no_container() { ! mvm ps -a --format '{{.Names}}' | grep -qx "$1"; }

@test "a container that is paused is left alone" {
  mvm pause cp-box
  cp_fails 'is paused, unpause the container first' -- cp-box:/root/file1 .
  cp_fails 'is paused, unpause the container first' -- file1 cp-box:/
  mvm unpause cp-box
}

# writer CONTAINER: a copy into it that waits for more, at descriptor 7.
writer() {
  mkfifo "$BATS_TEST_TMPDIR/fifo"
  (
    "$MVM" cp - "$1:/" <"$BATS_TEST_TMPDIR/fifo" 2>"$BATS_TEST_TMPDIR/stderr" 3>&- &
    wait "$!" && status=0 || status=$?
    echo "$status" >"$BATS_TEST_TMPDIR/status"
  ) 3>&- 7>&- &
  exec 7>"$BATS_TEST_TMPDIR/fifo"
  tar -c file1 dir1 >"$BATS_TEST_TMPDIR/begin"
  # All but the end of it.
  head -c 1536 "$BATS_TEST_TMPDIR/begin" >&7
}

end_writer() {
  tail -c +1537 "$BATS_TEST_TMPDIR/begin" >&7 2>/dev/null || true
  exec 7>&-
  wait
  status=$(cat "$BATS_TEST_TMPDIR/status")
  rm "$BATS_TEST_TMPDIR/fifo"
}

# process_of CONTAINER KIND: of the processes of that kind the one that works for the container.
process_of() {
  local id pid
  id=$("$MVM" inspect -f '{{.Id}}' "$1")
  for pid in $(mvm_processes | sed -n "s/ $2\$//p"); do
    case $(tr '\0' ' ' <"/proc/$pid/cmdline") in *"$id"* | *" cp "*" $1:"*) echo "$pid" ;; esac
  done
}

runs_for() { [ -n "$(process_of "$@")" ]; }

@test "while a container that does not run is copied into: a second copy, start, rm, rm -f" {
  mvm create --name busy "$IMAGE" cat /file1 /file2 >/dev/null
  writer busy
  eventually runs_for busy qemu
  cp_quietly file2 busy:/
  cp_quietly busy:/file2 second
  same file2 "$(cat second)"
  run --separate-stderr -1 mvm start busy
  has "$stderr" 'another command works on its disk'
  run --separate-stderr -1 mvm rm busy
  error_says 'another command works with it'
  end_writer
  same 0 "$status"
  same 'file1 file2' "$(mvm start -a busy | flat)"
  writer busy
  eventually runs_for busy qemu
  mvm rm -f busy
  end_writer
  [ "$status" -ne 0 ]
  eventually no_machines
}

@test "a copy into it waits until the disk is not read any more" {
  mvm create --name read "$IMAGE" cat /file1 >/dev/null
  mkfifo pipe
  "$MVM" export read >pipe 3>&- 7>&- &
  exec 7<pipe
  head -c 1024 <&7 >/dev/null
  "$MVM" cp file1 read:/ 3>&- 7>&- 2>copied &
  eventually runs_for read cli
  # Only the reader is there, and there it stays.
  same 1 "$(process_of read supervisor | wc -l)"
  cat <&7 >/dev/null
  exec 7<&-
  wait
  same '' "$(cat copied)"
  same file1 "$(mvm start -a read)"
  mvm rm read
}

@test "kill -9 of any part in the middle leaves an intact disk" {
  local victim
  mvm create --name hurt "$IMAGE" sh -c 'cat /file4' >/dev/null
  cp_quietly file4 hurt:/
  head -c 30000000 /dev/urandom >big
  for victim in qemu supervisor cli; do
    mkfifo pipe
    "$MVM" cp - hurt:/ <pipe 2>/dev/null 3>&- 7>&- &
    exec 7>pipe
    tar -c big | head -c 20000000 >&7
    eventually runs_for hurt "$victim"
    kill -9 "$(process_of hurt "$victim")"
    exec 7>&-
    wait || true
    rm pipe
    eventually no_machines
    same file4 "$(mvm start -a hurt)"
  done
  cp_quietly big hurt:/big
  mvm cp hurt:/big back
  cmp big back
  mvm rm hurt
}

@test "cp while it starts, and while it ends" {
  local i
  mvm create --name quick "$IMAGE" sh -c 'cat /file5; exit 0' >/dev/null
  cp_quietly file5 quick:/
  for i in 1 2 3; do
    mvm start quick >/dev/null
    mvm cp quick:/file5 "got$i" || mvm cp quick:/file5 "got$i"
    same file5 "$(cat "got$i")"
  done
  mvm rm -f quick
}

@test "1 MiB at a time or 200 MB: all of it arrives, both ways" {
  head -c 200000000 /dev/urandom >large
  cp_quietly large cp-box:/c/large
  same "$(sha256sum <large)" "$(inside 'sha256sum </c/large')"
  cp_quietly cp-box:/c/large back
  cmp large back
  inside 'rm /c/large'
  mkdir many
  for i in {1..2000}; do echo "$i" >"many/f$i"; done
  cp_quietly many cp-box:/c/many
  same 2000 "$(inside 'ls /c/many | wc -l')"
  cp_quietly cp-box:/c/many back2
  diff -r many back2
}
