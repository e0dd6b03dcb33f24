#!/usr/bin/env bats
# Volumes: made, filled from the image, kept, shared, refused, removed; both drivers.
# shellcheck disable=SC2016,SC2154 # words for the guest's shell; variables that bats sets

load ../lib/vm.bash

test_teardown() {
  local left
  left=$(mvm volume ls -q)
  # shellcheck disable=SC2086 # one name a word
  [ -z "$left" ] || { mvm ps -aq | xargs -r "$MVM" rm -f >/dev/null; mvm volume rm $left >/dev/null; }
}

@test "commands: create, ls, inspect, rm, and what they refuse" {
  same data "$(mvm volume create -o size=200m --label team=a data)"
  same data "$(mvm volume create data)"
  same web "$(mvm volume create -d shared --name web)"
  anonymous=$(mvm volume create)
  same 64 "${#anonymous}"
  same $'disk data\nshared web' "$(mvm volume ls -f name=a -f name=w --format '{{.Driver}} {{.Name}}' | grep -v "$anonymous")"
  same data "$(mvm volume ls -q -f label=team=a)"
  same web "$(mvm volume ls -q -f driver=shared)"
  run -0 mvm volume inspect data web
  same '"disk" "data" "200m" "a" "local"' "$(jq -r '.[0] | [.Driver, .Name, .Options.size, .Labels.team, .Scope] | map(@json) | join(" ")' <<<"$output")"
  same "$MVM_HOME/volumes/data/disk.ext4" "$(mvm volume inspect -f '{{.Mountpoint}}' data)"
  same data "$(mvm inspect -f '{{.Name}}' data)"
  same data "$(mvm inspect --type volume -f '{{.Name}}' data)"
  run --separate-stderr -1 mvm volume create -d shared data
  error_says data 'must be unique' disk
  run --separate-stderr -1 mvm volume create -d nfs other
  error_says nfs 'disk and shared'
  run --separate-stderr -125 mvm volume create -o size=1k other
  error_says 'size=1k' 128m
  run --separate-stderr -1 mvm volume create -o type=nfs -o device=:/x other
  error_says 'type=nfs'
  run --separate-stderr -125 mvm volume create a/b
  error_says 'invalid characters'
  run --separate-stderr -1 mvm volume rm data none web
  same $'data\nweb' "$output"
  has "$stderr" 'get none: no such volume'
  same none "$(mvm volume rm -f none)"
  mvm volume rm "$anonymous"
  same '' "$(mvm volume ls -q)"
}

# fills DRIVER: one container's worth of the driver's behaviour.
keeps() {
  local driver=$1
  mvm run --rm "$IMAGE" true
  mvm volume create -d "$driver" data
  # The image's files, with owners and modes, and the folder's own.
  mvm run --name first "$IMAGE" sh -c 'mkdir -p /made/sub && cd /made && echo content >file && chmod 640 file && chown 12:34 file &&
    ln file sub/other && ln -s file link && mkfifo pipe && chmod 1750 /made && chown 56:78 /made && truncate -s 5242880 sparse && echo end >>sparse'
  mvm commit -c 'VOLUME /declared' first "volumes:$driver" >/dev/null
  same '{"/declared":{}}' "$(mvm inspect -f '{{json .Config.Volumes}}' "$(mvm create --name declared "volumes:$driver")")"
  mvm rm -v declared
  mvm rm first
  mvm run --rm -v data:/made "volumes:$driver" sh -c 'cd /made; stat -c "%n %a %u:%g %s" . file; stat -c %h file; readlink link; [ -p pipe ] && cat sub/other
    stat -c %s sparse; tail -c 4 sparse; du -k sparse | cut -f 1; mount | grep " /declared " | cut -d " " -f 5' >"$BATS_TEST_TMPDIR/out"
  sed -i '/^\. /s/ [0-9]*$//' "$BATS_TEST_TMPDIR/out"
  same $'. 1750 56:78\nfile 640 12:34 8\n2\nfile\ncontent\n5242884\nend\n4\next4' "$(cat "$BATS_TEST_TMPDIR/out")"
  # What is there stays, in the same place or another, and the anonymous one has gone with its container.
  mvm run --rm -v data:/made "volumes:$driver" sh -c 'rm /made/file; echo kept >/made/new'
  mvm run --rm -v data:/made:ro "volumes:$driver" sh -c 'ls /made; cat /made/new; touch /made/x' >"$BATS_TEST_TMPDIR/out" 2>&1 || true
  has "$(cat "$BATS_TEST_TMPDIR/out")" 'new' 'Read-only file system'
  same $'link\nnew\npipe\nsparse\nsub' "$(sed -n '1,5p' "$BATS_TEST_TMPDIR/out" | grep -v ' ')"
  same kept "$(mvm run --rm --mount type=volume,src=data,dst=/elsewhere,readonly "$IMAGE" cat /elsewhere/new)"
  same data "$(mvm volume ls -q)"
  # A part of it, which may be a file; two of one volume; links out of it lead to its top.
  mvm run --rm -v data:/data "$IMAGE" sh -c 'mkdir -p /data/a/b; echo deep >/data/a/b/c; ln -s /a/b /data/out; ln -s ../../../../etc /data/up'
  same $'c\ndeep\nc\nread-only' "$(mvm run --rm --mount type=volume,src=data,dst=/x/y,volume-subpath=a/b \
    --mount type=volume,src=data,dst=/f,volume-subpath=a/b/c,ro --mount type=volume,src=data,dst=/z,volume-subpath=out "$IMAGE" \
    sh -c 'ls /x/y; cat /f; ls /z; echo x 2>/dev/null >/f || echo read-only')"
  run --separate-stderr -125 mvm run --rm --mount type=volume,src=data,dst=/x,volume-subpath=up "$IMAGE" true
  error_says 'cannot access up in the volume'
  mvm run --rm -v data:/data "$IMAGE" sh -c 'rm -r /data/a /data/out /data/up'
  # Nothing is copied where that is not wanted.
  same '' "$(mvm run --rm --mount "type=volume,dst=/made,volume-nocopy,volume-driver=$driver" "volumes:$driver" ls /made)"
  # Written and not synced, and then the container is removed by force.
  mvm run -d --name first -v data:/data "$IMAGE" sh -c 'echo late >/data/late; echo there; sleep 1000'
  eventually log_has first there
  mvm rm -f first
  same late "$(mvm run --rm -v data:/data "$IMAGE" cat /data/late)"
  mvm volume rm data
  mvm rmi "volumes:$driver"
}

@test "disk: filled from the image once, kept, read-only, in any place" { keeps disk; }

@test "shared: the same" { keeps shared; }

@test "a disk is of one container at a time; a shared volume is of several, who see each other's changes" {
  mvm run -d --name one -v disk:/data "$IMAGE" sleep 1000
  mvm volume create -d shared both
  run --separate-stderr -125 mvm run --name two -v disk:/data "$IMAGE" true
  same 1 "${#stderr_lines[@]}"
  has "$stderr" disk 'container one' 'mvm volume create --driver shared'
  # As with a port that is taken, the container is there, and starts when the other has ended.
  is_state two created
  run --separate-stderr -1 mvm volume rm disk
  error_says 'remove disk: volume is in use - [' "$(mvm inspect -f '{{.Id}}' one)"
  same $'one disk\ntwo disk' "$(mvm ps -a --filter volume=disk --format '{{.Names}} {{.Mounts}}' | sort)"
  same '' "$(mvm ps -aq --filter volume=other)"
  mvm rm -f one
  mvm start two
  eventually is_state two exited
  mvm rm two
  mvm run -d --name one -v both:/data "$IMAGE" sleep 1000
  mvm run -d --name two --volumes-from one:ro -v extra:/extra "$IMAGE" sleep 1000
  mvm exec one sh -c 'echo hello >/data/file'
  eventually mvm exec two grep -q hello /data/file
  run ! mvm exec two touch /data/x
  has "$output" 'Read-only file system'
  run -0 mvm inspect -f '{{range .Mounts}}{{.Type}} {{.Name}} {{.Destination}} {{.Driver}} {{.RW}};{{end}}' two
  same 'volume both /data shared false;volume extra /extra disk true;' "$output"
  mvm rm -f one two
}

@test "several VMs write to one shared volume at once, and nothing is lost" {
  local i pids=()
  mvm volume create -d shared log
  for i in 1 2 3 4 5 6; do
    # Each waits for the others, so that they do meet. The file is there by then: QEMU's virtiofsd aborts where two VMs
    # make one at the same moment, and no line crosses a page, where others' may come between its parts (design.md).
    mvm run -m 128m --name "w$i" -v log:/log "$IMAGE" sh -c '[ '"$i"' != 1 ] || : >/log/all; touch /log/ready-'"$i"'; until [ "$(ls /log | grep -c ready)" = 6 ]; do usleep 50000; done
      n=0; while [ $n -lt 200 ]; do n=$((n + 1)); printf "%d %05d\n" '"$i"' $n >>/log/all; echo $n >/log/'"$i"'-$n; done' &
    pids+=($!)
  done
  for i in "${pids[@]}"; do wait "$i"; done
  mvm rm w1 w2 w3 w4 w5 w6
  run -0 mvm run --rm -v log:/log "$IMAGE" sh -c 'cat /log/all | sort | md5sum; cat /log/[1-6]-* | sort | md5sum; ls /log | wc -l'
  same "$(for i in 1 2 3 4 5 6; do seq -f "$i %05.0f" 200; done | LC_ALL=C sort | md5sum)
$(for i in 1 2 3 4 5 6; do seq 200; done | LC_ALL=C sort | md5sum)
1207" "$output"
}

@test "anonymous volumes go with their container; prune, df and events" {
  mvm run --name one -v /a -v named:/b "$IMAGE" true
  same '{"/a":{}}' "$(mvm inspect -f '{{json .Config.Volumes}}' one)"
  mvm run --rm --volumes-from one "$IMAGE" true
  same 2 "$(mvm volume ls -q | wc -l)"
  mvm rm one
  same 2 "$(mvm volume ls -q | wc -l)"
  same 2 "$(mvm system df --format '{{.Type}} {{.TotalCount}} {{.Active}}' | sed -n 's/^Local Volumes \(.*\) 0$/\1/p')"
  has "$(mvm system df -v)" named
  has "$(mvm volume prune -f)" 'Deleted Volumes:' 'Total reclaimed space:'
  same named "$(mvm volume ls -q)"
  mvm run --name one -v /a "$IMAGE" true
  mvm rm -v one
  same named "$(mvm volume ls -q)"
  same named "$(mvm volume ls -q -f dangling=true)"
  has "$(mvm volume prune -f)" 'Total reclaimed space: 0B'
  has "$(mvm volume prune -af)" named
  run -0 mvm events --since 1h --until 0s -f volume=named --format '{{.Action}} {{.Actor.Attributes.driver}}'
  same $'create disk\nmount disk\nunmount disk\nmount disk\nunmount disk\ndestroy disk' "$output"
}

@test "a VM that is killed loses nothing that was synced, and gives the disk back" {
  mvm run -d --name db -v disk:/data "$IMAGE" sh -c 'i=0; while :; do i=$((i + 1)); echo $i >/data/$i; sync /data/$i /data; echo "synced $i"; done'
  eventually log_has db 'synced 40'
  kill -9 "$(mvm_processes | sed -n 's/ qemu$//p')"
  eventually is_state db exited
  last=$(mvm logs db | tail -n 1 | cut -d ' ' -f 2)
  mvm run --rm -v disk:/data -e "last=$last" "$IMAGE" sh -c 'for i in $(seq "$last"); do [ "$(cat /data/$i)" = $i ] || exit 1; done'
  mvm rm db
}

@test "a volume that was being filled when its VM was killed is filled by the next one" {
  mvm volume create -d shared half
  # What a kill leaves: some of the files, and the mark beside them.
  mkdir "$MVM_HOME/volumes/half/files/data"
  echo gar >"$MVM_HOME/volumes/half/files/data/passwd"
  touch "$MVM_HOME/volumes/half/files/filling"
  same "$(mvm run --rm "$IMAGE" cat /etc/passwd /etc/group)" "$(mvm run --rm -v half:/etc "$IMAGE" cat /etc/passwd /etc/group)"
  same data "$(ls "$MVM_HOME/volumes/half/files")"
  # And what is whole is left alone, whatever is missing.
  rm "$MVM_HOME/volumes/half/files/data/group"
  run ! mvm run --rm -v half:/etc "$IMAGE" cat /etc/group
}

@test "deleting in a disk volume gives space back to the host" {
  mvm run -d --name one -v disk:/data "$IMAGE" sleep 1000
  mvm exec one sh -c 'dd if=/dev/urandom of=/data/big bs=1M count=40 2>/dev/null && sync'
  [ "$(du -m "$MVM_HOME/volumes/disk/disk.ext4" | cut -f 1)" -ge 40 ]
  mvm exec one sh -c 'rm /data/big && sync'
  small() { [ "$(du -m "$MVM_HOME/volumes/disk/disk.ext4" | cut -f 1)" -lt 10 ]; }
  eventually small
  mvm rm -f one
}

@test "wrong usage" {
  local many=()
  for i in $(seq 16); do many+=(-v "v$i:/v$i"); done
  run --separate-stderr -125 mvm create "${many[@]}" "$IMAGE" true
  error_says 'room for 15' shared
  mvm volume ls -q | xargs "$MVM" volume rm
  run --separate-stderr -125 mvm create -v a:/x "$IMAGE" true
  error_says 'volume name is too short'
  run --separate-stderr -1 mvm create --volumes-from none "$IMAGE" true
  error_says 'No such container: none'
  run --separate-stderr -125 mvm create --mount type=volume,src=data,dst=/x,volume-subpath=../y "$IMAGE" true
  error_says 'subpath must be a relative path within the volume'
  run --separate-stderr -125 mvm run --rm --mount type=volume,src=data,dst=/x,volume-subpath=y "$IMAGE" true
  error_says 'cannot access y in the volume' 'no such file or directory'
  mvm volume rm data
  run --separate-stderr -125 mvm run --rm -v data:/etc/passwd "$IMAGE" true
  error_says 'cannot mount on /etc/passwd: not a directory'
  mvm volume rm data
  run --separate-stderr -125 mvm create -v data:/ "$IMAGE" true
  error_says "destination can't be '/'"
  run --separate-stderr -125 mvm create -v data:/x -v other:/x "$IMAGE" true
  error_says 'Duplicate mount point: /x'
  same '' "$(mvm volume ls -q)"
}

@test "15 disks in one machine" {
  local many=()
  for i in $(seq 15); do many+=(-v "v$i:/v$i"); done
  same 15 "$(mvm run --rm "${many[@]}" "$IMAGE" sh -c 'mount | grep -c "/v[0-9]* type ext4"')"
}
