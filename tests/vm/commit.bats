#!/usr/bin/env bats
# mvm diff and mvm commit: what has changed in a container's disk, as a list and as an image.
#
# shellcheck disable=SC2016,SC2154 # programs for the guest; variables that bats sets

load ../lib/vm.bash
# shellcheck source=tests/lib/registry.sh
. "$BATS_TEST_DIRNAME/../lib/registry.sh"

# An image that hurts, in a registry of this file's own: the fixtures' is kept for all.
setup_file() {
  export HURT=$BATS_FILE_TMPDIR/hurt
  mkdir "$HURT"
  if [ "$(id -u)" != 0 ] || ! command -v umoci >/dev/null; then return; fi
  "$BATS_TEST_DIRNAME/hurt" make "$HURT" "$FIXTURES/layouts/busybox"
  registry_start "$BATS_FILE_TMPDIR/registry"
  registry_push "$HURT/layout" test hurt
  "$MVM" pull -q "$registry_address/hurt"
  registry_stop
  export HURT_IMAGE=$registry_address/hurt
}

need_hurt() { [ -n "${HURT_IMAGE:-}" ] || skip "needs root and umoci"; }

# Images that a test has made go with it.
test_teardown() {
  mvm rm -f box other >/dev/null 2>&1 || true
  mvm images --format '{{.Repository}}:{{.Tag}} {{.ID}}' | awk '/^(mine|<none>)/ { print $2 }' | sort -u |
    xargs -r "$MVM" rmi -f >/dev/null
}

stored() { (cd "$MVM_HOME" && find images/blobs images/ingest disks -mindepth 1 -maxdepth 2 | sort); }

@test "diff: what docker shows of what a program can do to files, of one that runs and when it has ended" {
  local want
  want="$(printf '%s\n' 'C /bin' 'C /bin/busybox' 'D /bin/tac' 'C /etc' 'C /etc/group' 'A /etc/new' 'C /etc/passwd' 'A /hard' 'C /home' \
    'D /home/user' 'A /home2' 'A /home2/in' 'A /made' 'A /made/?[31mcolour' 'A /made/dev' 'A /made/fifo' 'A /made/link' \
    'C /root' 'C /run' 'C /usr' 'D /usr/bin' 'C /var' 'C /var/tmp' 'A /var/tmp/x')"
  mvm run -d --name box "$IMAGE" /bin/busybox sh -c '
    mkdir /made /home2; : >/home2/in; mkfifo /made/fifo; mknod /made/dev c 1 3; ln -s gone /made/link; : >"/made/$(printf "\033[31mcolour")"
    chmod 700 /bin/busybox; rm /bin/tac; echo more >>/etc/group; echo new >/etc/new
    cp -p /etc/passwd /tmp/p; mv /tmp/p /etc/passwd; chown 1:2 /etc/passwd
    ln /etc/os-release /hard; chmod 711 /root; rmdir /run; ln -s /tmp /run; rmdir /home/user; rmdir /usr/bin
    rm -rf /var/tmp; mkdir -m 0700 /var/tmp; : >/var/tmp/x; : >/tmp/y; rm /tmp/y; cat /etc/os-release >/dev/null
    sync; echo ready; exec sleep 1000'
  eventually log_has box ready
  run -0 --separate-stderr mvm diff box
  same "$want" "$output"
  same "$output" "$(mvm container diff box)"
  mvm stop -t 0 box
  same "$output" "$(mvm diff box)"
  no_own_processes
}

@test "a container in which nothing has changed: no changes, and an image without a layer of its own" {
  local before
  mvm run -d --name box "$IMAGE" sleep 1000
  run -0 --separate-stderr mvm diff box
  same "" "$output$stderr"
  run -0 --separate-stderr mvm commit -m 'nothing at all' box mine:same
  same "sha256:$(jq -r '.[0].Id' <<<"$(mvm image inspect mine:same)" | sed s/sha256://)" "$output"
  same "$(mvm image inspect -f '{{json .RootFS.Layers}}' "$IMAGE")" "$(mvm image inspect -f '{{json .RootFS.Layers}}' mine:same)"
  has "$(mvm history --format '{{.CreatedBy}}|{{.Size}}|{{.Comment}}' mine:same | head -n 1)" "sleep 1000|0B|nothing at all"
  # A shell leaves no trace either, nor does the end.
  mvm exec box sh -c 'ls -lR / >/dev/null'
  mvm stop -t 0 box
  same "" "$(mvm diff box)"
  # Each commit is an image of its own, and none of them has taken a disk or left a blob.
  before=$(stored | wc -l)
  mvm commit box
  same $((before + 2)) "$(stored | wc -l)"
}

# What a program sees of all files, but those that the machine puts over the image's.
LIST_TREE='find / -xdev \( -path /etc/hosts -o -path /etc/hostname -o -path /etc/resolv.conf -o -path /proc -o -path /sys -o -path /dev \) -prune -o \
  -exec stat -c "%f %u %g %s %Y %t %T %N" {} + | grep -v " 4096 .*\x27/\x27$" | sort
  find / -xdev -type f -size -9999 ! -path /etc/hosts ! -path /etc/hostname ! -path /etc/resolv.conf -exec sha256sum {} + | sort'

@test "commit: the image holds what the container did, file by file, its links too, and only what changed" {
  mvm run -d --name box "$IMAGE" /bin/busybox sh -c '
    mkdir -p /made/a/b /home2; echo one >/made/a/b/one; ln /made/a/b/one /made/two; ln -s ../two /made/a/three; mkfifo -m 640 /made/fifo
    mknod /made/dev b 7 9; chmod 4755 /made/two; chown 1000:2000 /made/a; touch -d "1969-12-31 23:59:58" /made/old
    dd if=/dev/zero of=/made/holes bs=1 count=1 seek=100000000 2>/dev/null; nc -l -p 1 -s local:/made/socket 2>/dev/null
    rm /bin/tac; ln -sf busybox /bin/cat; echo more >>/etc/group; mv /etc/passwd /etc/users; ln /etc/os-release /made/hard
    rm -rf /home/user; echo file >/home/user; rmdir /usr/bin; ln -s /bin /usr/bin; rm -rf /var/tmp; mkdir /var/tmp; : >/var/tmp/x
    mv /root /home2/root; mkdir /root; chmod 711 /run; : >/tmp/again; rm /tmp/again; mkdir /tmp/again
    sync; echo ready; exec sleep 1000'
  eventually log_has box ready
  mvm commit box mine
  mvm exec box sh -c "$LIST_TREE" >"$BATS_TEST_TMPDIR/box"
  mvm run --rm mine sh -c "$LIST_TREE" >"$BATS_TEST_TMPDIR/mine"
  diff "$BATS_TEST_TMPDIR/box" "$BATS_TEST_TMPDIR/mine"
  grep -q "/made/a/b/one" "$BATS_TEST_TMPDIR/mine"
  # One layer more, in which is what has changed and nothing else.
  layer=$(jq -r '.layers[-1].digest' "$(manifest mine)")
  tar -tf "$MVM_HOME/images/blobs/${layer/://}" >"$BATS_TEST_TMPDIR/layer"
  run ! grep -E '^(bin/(ls|sh)|proc|sys|dev|etc/(hosts|hostname)|tmp/\.wh)' "$BATS_TEST_TMPDIR/layer"
  for name in bin/.wh.tac etc/.wh.passwd etc/users home/user usr/bin var/tmp/x made/two home2/root/ etc/os-release tmp/again/; do
    grep -qx "$name" "$BATS_TEST_TMPDIR/layer"
  done
  [ "$(stat -c %s "$MVM_HOME/images/blobs/${layer/://}")" -lt 1000000 ]
  # And once it has ended.
  mvm stop -t 0 box
  mvm commit box mine:later
  mvm run --rm mine:later sh -c "$LIST_TREE" >"$BATS_TEST_TMPDIR/later"
  diff "$BATS_TEST_TMPDIR/box" "$BATS_TEST_TMPDIR/later"
  # A container of it, committed, is one more layer.
  mvm run --name other mine:later sh -c 'rm -r /made; echo other >/etc/users'
  same "$(printf '%s\n' 'C /etc' 'C /etc/users' 'D /made')" "$(mvm diff other)"
  mvm commit other mine:more
  same "other" "$(mvm run --rm mine:more sh -c 'cat /etc/users; ls -d /made 2>/dev/null')"
}

# The manifest of an image, by its name.
manifest() {
  local digest
  digest=$(jq -r --arg name "docker.io/library/$1:latest" '.manifests[] | select(.annotations["org.opencontainers.image.ref.name"] == $name) | .digest' "$MVM_HOME/images/index.json")
  echo "$MVM_HOME/images/blobs/${digest/://}"
}

@test "commit of what hurts, read by skopeo and unpacked by umoci" {
  local again=$BATS_TEST_TMPDIR/again
  need_hurt
  mvm run --name box "$HURT_IMAGE" /bin/busybox sh -c '
    cd /; for folder in */; do [ ! -d "$folder" ] || touch "$folder/made-here"; done 2>/dev/null; rm -rf many/entry-1* /late
    chmod 600 names/* 2>/dev/null; mv types types2; ln types2/* / 2>/dev/null; mv xattr/* / 2>/dev/null; sync; true'
  mvm commit box mine
  mkdir "$again"
  skopeo copy -q "oci:$MVM_HOME/images:docker.io/library/mine:latest" "oci:$again/layout:test"
  umoci unpack --image "$again/layout:test" "$again/bundle" >/dev/null
  MVM_PATIENCE=300 mvm export -o "$again/tar" box
  cp "$HURT/implicit" "$again"
  "$BATS_TEST_DIRNAME/hurt" compare "$again" "$again/tar"
  # Through an archive.
  mvm save -o "$again/saved" mine
  mvm rmi -f mine >/dev/null
  mvm load -q -i "$again/saved"
  same "$(mvm export box | tar -t | sort | sha256sum)" "$(mvm run --name other mine true; mvm export other | tar -t | sort | sha256sum)"
}

@test "a pushed image comes back as it was" {
  local id
  registry_start "$BATS_TEST_TMPDIR/registry"
  mvm run --name box "$IMAGE" sh -c 'echo here >/here'
  id=$(mvm commit box "$registry_address/mine")
  mvm push -q "$registry_address/mine" || { registry_stop; return 1; }
  mvm rmi "$registry_address/mine" >/dev/null
  mvm pull -q "$registry_address/mine" || { registry_stop; return 1; }
  registry_stop
  same "$id" "$(mvm image inspect -f '{{.Id}}' "$registry_address/mine")"
  same here "$(mvm run --rm "$registry_address/mine" cat /here)"
  mvm rmi "$registry_address/mine" >/dev/null
}

@test "the image's configuration is the container's, with what --change says, and its history says who made it" {
  local config
  mvm create --name box -e ONE=1 -e TWO=2 -w /tmp -u 1000:1000 -l team=red --stop-signal INT --health-cmd true --health-retries 2 -h host --entrypoint echo -t "$IMAGE" one 'two words'
  mvm commit --author 'A. Uthor <a@example.org>' --message 'why it is' -c 'ENV TWO=zwei THREE=3' -c 'EXPOSE 80' -c 'VOLUME /data' --change 'LABEL role=web' box mine
  config=$(mvm image inspect mine | jq -Sc '.[0].Config | del(.Env)')
  same '{"Cmd":["one","two words"],"Entrypoint":["echo"],"ExposedPorts":{"80/tcp":{}},"Healthcheck":{"Retries":2,"Test":["CMD-SHELL","true"]},"Labels":{"role":"web","team":"red"},"StopSignal":"INT","User":"1000:1000","Volumes":{"/data":{}},"WorkingDir":"/tmp"}' "$config"
  same '["PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin","ONE=1","TWO=zwei","THREE=3"]' "$(mvm image inspect mine | jq -c '.[0].Config.Env')"
  same 'A. Uthor <a@example.org>' "$(mvm image inspect -f '{{.Author}}' mine)"
  same 'one two words|why it is' "$(mvm history --no-trunc --format '{{.CreatedBy}}|{{.Comment}}' mine | head -n 1)"
  same 'one two words' "$(mvm run --rm mine)"
  # An entrypoint takes the command away, and none leaves it.
  mvm commit -c 'ENTRYPOINT ["id"]' box mine
  same '[["id"],null]' "$(mvm image inspect mine | jq -c '.[0].Config | [.Entrypoint, .Cmd]')"
  mvm commit -c 'ENTRYPOINT []' box mine
  same '[[],["one","two words"]]' "$(mvm image inspect mine | jq -c '.[0].Config | [.Entrypoint, .Cmd]')"
}

# stopped_in_the_middle FLAG...: a commit of the container "box" that stands still when part of the layer has come; its id
# is in $commit.
stopped_in_the_middle() {
  "$MVM" commit "$@" box mine:never >/dev/null 2>&1 3>&- &
  commit=$!
  eventually mid_layer
  kill -STOP "$commit"
}
# Its own: one that was killed has left what it had.
mid_layer() {
  local file
  for file in /proc/"$commit"/fd/*; do
    case $(readlink "$file") in */ingest/new-*) [ "$(stat -L -c %s "$file")" -lt 65536 ] || return 0 ;; esac
  done
  return 1
}

lines() { mvm logs box | wc -l; }
quiet() {
  local before
  before=$(lines)
  sleep 0.5
  [ "$(lines)" = "$before" ]
}
more_than() { [ "$(lines)" -gt "$1" ]; }

@test "its processes stand still meanwhile unless told otherwise, and go on whatever becomes of the commit; kill -9 leaves nothing" {
  local before count
  mvm run -d --name box "$IMAGE" sh -c 'dd if=/dev/zero of=/zeros bs=1M count=256; while usleep 100000; do echo tick; done'
  eventually log_has box tick
  mvm image prune -f >/dev/null
  before=$(stored)
  stopped_in_the_middle --no-pause
  count=$(lines)
  eventually more_than "$((count + 3))"
  kill -9 "$commit"
  stopped_in_the_middle
  eventually quiet # what they have said before has come
  count=$(lines)
  sleep 1          # what would come has ten times the time
  same "$count" "$(lines)"
  # Beside a commit that holds them, one that does not changes nothing about it.
  mvm diff box >/dev/null
  same "$count" "$(lines)"
  kill -9 "$commit"
  eventually more_than "$count"
  # One that is killed while they stand still ends at once.
  stopped_in_the_middle
  mvm kill box
  eventually is_state box exited
  kill -9 "$commit"
  wait "$commit" || true
  mvm image prune -f >/dev/null
  same "$before" "$(stored)"
  same "" "$(image_id mine:never)"
}

@test "many names and deep folders" {
  mvm run -d --name box "$IMAGE" /bin/busybox sh -c '
    mkdir /many; cd /many; seq 1 20000 | xargs touch; i=0; p=/deep; while [ $i -lt 39 ]; do p=$p/0123456789; i=$((i + 1)); done
    mkdir -p $p; echo deep >$p/leaf; sync; echo ready; exec sleep 1000'
  MVM_PATIENCE=120 eventually log_has box ready
  same $((20000 + 1 + 41)) "$(mvm diff box | grep -c '^A ')"
  mvm commit box mine
  same 20000 "$(mvm run --name other mine sh -c 'ls /many | wc -l')"
  mvm start -a other >/dev/null
  mvm rm other >/dev/null
  mvm run --name other mine sh -c 'cd /many; seq 1 3 20000 | xargs rm; : >2; echo more >/deep/more'
  same "6667 D,1 C" "$(mvm diff other | grep -c '^D /many/') D,$(mvm diff other | grep -c '^C /many/') C"
  mvm commit other mine:less
  same 13333 "$(mvm run --rm mine:less sh -c 'ls /many | wc -l')"
}

@test "what cannot be committed, and names that are not there" {
  local before
  mvm run --name box "$IMAGE" sh -c 'mkdir /x; : >/x/.wh.file'
  mvm image prune -f >/dev/null
  before=$(stored)
  run --separate-stderr -1 mvm commit nosuch
  error_says "No such container: nosuch"
  run --separate-stderr -1 mvm diff nosuch
  error_says "No such container: nosuch"
  run --separate-stderr -1 mvm commit box Mine
  error_says "invalid reference format: repository name (library/Mine) must be lowercase"
  run --separate-stderr -1 mvm commit box "mine@sha256:$(printf '%064d' 7)"
  error_says "refusing to create a tag with a digest reference"
  run --separate-stderr -1 mvm commit -c 'RUN true' box mine
  error_says "RUN is not a valid change command"
  run --separate-stderr -1 mvm commit box mine
  error_says "x/.wh.file cannot be in an image: names that begin with .wh. stand for what was deleted"
  run --separate-stderr -1 env MVM_QEMU=/nowhere/qemu timeout 60 "$MVM" commit box mine
  error_says "cannot commit container box" /nowhere/qemu
  run --separate-stderr -125 mvm commit
  run --separate-stderr -125 mvm diff
  run --separate-stderr -125 mvm commit box mine -m late
  same "A /x,A /x/.wh.file" "$(mvm diff box | paste -sd,)"
  mvm image prune -f >/dev/null
  same "$before" "$(stored)"
  is_state box exited
  mvm rm box
  # One that stands still as a whole has nobody who could look.
  mvm run -d --name box "$IMAGE" sleep 1000
  mvm pause box
  run --separate-stderr -1 mvm commit box mine
  error_says "is paused, unpause the container first"
  run --separate-stderr -1 mvm diff box
  error_says "is paused, unpause the container first"
}

@test "when its image is gone a container can be compared, and a commit says what to do" {
  mvm tag "$IMAGE" mine:v1
  mvm run --name other mine:v1 sh -c 'echo one >/one'
  mvm commit other mine:v2
  mvm run --name box mine:v2 sh -c 'echo two >/two'
  mvm rm other
  mvm rmi -f mine:v2 >/dev/null
  same "A /two" "$(mvm diff box)"
  run --separate-stderr -1 mvm commit box mine
  error_says "its image mine:v2 (sha256:" ") has been removed" "mvm export box | mvm import -"
  same two "$(mvm export box | tar -xO two)"
}
