#!/usr/bin/env bats
# Kernels from a registry: docker-registry holds them, machines boot them, and what is no kernel is refused.
#
# shellcheck disable=SC2016,SC2030,SC2031,SC2153,SC2154 # programs for the guest; variables of one test, and that others set

load ../lib/vm.bash

K=application/vnd.mvm.kernel
# The host's processor and the other one, as mvm calls them.
case $(uname -m) in x86_64) OWN=amd64 OTHER=arm64 ;; *) OWN=arm64 OTHER=amd64 ;; esac

setup_file() {
  # shellcheck source=tests/lib/registry.sh
  . "$BATS_TEST_DIRNAME/../lib/registry.sh"
  registry_start "$BATS_FILE_TMPDIR/registry"
  export PLACE=$registry_address PLACE_PID=$registry_pid PLACE_FOLDER=$registry_folder
  MVM_HOME=$BATS_FILE_TMPDIR/home mvm kernel push --from "$(host_arch)" "$PLACE/k:own"
}

host_arch() { case $(uname -m) in x86_64) echo amd64 ;; *) echo arm64 ;; esac; }

teardown_file() {
  # shellcheck source=tests/lib/registry.sh
  . "$BATS_TEST_DIRNAME/../lib/registry.sh"
  # shellcheck disable=SC2034 # registry_stop reads them
  registry_pid=$PLACE_PID registry_folder=$PLACE_FOLDER
  registry_stop
}

# Each test has kernels of its own; images are the suite's where it boots something.
setup() { export SUITE_HOME=$MVM_HOME MVM_HOME=$BATS_TEST_TMPDIR/home; }

test_teardown() { ! mountpoint -q "$BATS_TEST_TMPDIR/small" || umount "$BATS_TEST_TMPDIR/small"; }

with_image() { mvm pull -q "$IMAGE" >/dev/null; }

# What is not part of any kernel that is listed.
no_leftovers() {
  same '' "$(ls "$MVM_HOME/kernels/ingest")"
  [ -n "$(mvm kernel ls -q)" ] || same '' "$(ls "$MVM_HOME/kernels/blobs/sha256")"
}

sha() { sha256sum "$1" | cut -d' ' -f1; }

# put_blob FILE: into the registry.
put_blob() {
  local location
  location=$(curl -sS -i -X POST "http://$PLACE/v2/k/blobs/uploads/" | sed -n 's/^[Ll]ocation: *\(.*\)\r$/\1/p')
  curl -sSf -o /dev/null -X PUT --data-binary @"$1" -H 'Content-Type: application/octet-stream' "$location&digest=sha256:$(sha "$1")"
}

# part TYPE FILE: puts the file there and prints its descriptor.
part() {
  put_blob "$2"
  printf '{"mediaType":"%s","digest":"sha256:%s","size":%d}' "$1" "$(sha "$2")" "$(wc -c <"$2")"
}

# put TAG JSON [TYPE]
put() {
  curl -sSf -o /dev/null -X PUT --data-binary "$2" -H "Content-Type: ${3:-application/vnd.oci.image.manifest.v1+json}" "http://$PLACE/v2/k/manifests/$1"
}

# manifest ARTIFACT-TYPE CONFIG LAYER...: of descriptors.
manifest() {
  local type=$1 config=$2
  shift 2
  jq -nc --arg type "$type" --argjson config "$config" --argjson layers "[$(IFS=, && echo "$*")]" \
    '{schemaVersion: 2, mediaType: "application/vnd.oci.image.manifest.v1+json", artifactType: $type, config: $config, layers: $layers}'
}

# files: in $BATS_TEST_TMPDIR what one may put together: config, kernel (one for arm64, small), initramfs.
files() {
  cd "$BATS_TEST_TMPDIR" || return
  printf '{"architecture":"arm64","os":"linux","version":"6.1.7"}' >config
  { head -c 56 /dev/zero; printf 'ARM\144'; head -c 5000000 /dev/zero; printf 'Linux version 6.1.7 (x)'; } >kernel
  printf '070701 and so on' >initramfs
}

refused() {
  run --separate-stderr -1 mvm kernel pull -q "$PLACE/k:$1"
  shift
  error_says "mvm: cannot pull kernel $PLACE/k:" "$@"
  same '' "$(mvm kernel ls -q)"
  no_leftovers
}

@test "push, pull, ls: docker's words, the same digest, and others can read it" {
  local digest
  run --separate-stderr -0 mvm kernel push --from "$OWN" "$PLACE/k:one"
  has "$stderr" "The push refers to repository [$PLACE/k]" ": Preparing" "already exists"
  has "$output" "one: digest: sha256:" " size: "
  digest=$(mvm kernel ls --no-trunc -q)
  has "$output" "$digest"
  same "$digest" "sha256:$(curl -s -H 'Accept: application/vnd.oci.image.manifest.v1+json' "http://$PLACE/v2/k/manifests/own" | sha256sum | cut -d' ' -f1)"
  mvm kernel rm "$PLACE/k:one"
  run --separate-stderr -0 mvm kernel pull "$PLACE/k:own"
  has "$stderr" "own: Pulling from k" ": Verifying Checksum" ": Download complete" ": Pull complete"
  has "$output" "Digest: $digest" "Status: Downloaded newer kernel for $PLACE/k:own"
  same "$PLACE/k:own" "${lines[-1]}"
  run --separate-stderr -0 mvm kernel pull "$PLACE/k:own"
  has "$stderr" ": Already exists"
  has "$output" "Status: Kernel is up to date for $PLACE/k:own"
  same "$digest" "$(mvm kernel pull -q "$PLACE/k@$digest")"
  same "$OWN" "$(mvm kernel ls --format json | jq -r --arg name "$PLACE/k:own" 'select(.Name == $name) | .Architecture')"
  has "$(mvm kernel ls --format '{{.Name}} {{.Version}} {{.Size}} {{.Used}}')" "$PLACE/k:own 6." "<own> 6." "MB *"
  # The blob is the file.
  same "$(sha "$(dirname "$MVM")/initfs/vmlinux")" "$(sha "$(find "$MVM_HOME/kernels/blobs" -size +4M)")"
  skopeo --insecure-policy copy --quiet --src-tls-verify=false "docker://$PLACE/k:own" "oci:$BATS_TEST_TMPDIR/copy:own"
  same "$digest" "$(jq -r '.manifests[0].digest' "$BATS_TEST_TMPDIR/copy/index.json")"
  run --separate-stderr -1 mvm pull "$PLACE/k:own"
  has "$stderr" "not a container image but a kernel; \`mvm kernel pull\` takes it"
}

@test "use: new containers boot it, those that are there keep theirs, and one that is booted stays" {
  local image
  with_image
  mvm kernel pull -q "$PLACE/k:own"
  mvm create --name before "$IMAGE" true
  mvm kernel use "$PLACE/k:own"
  same '*' "$(mvm kernel ls --format '{{.Name}}={{.Used}}' | sed -n "s|^$PLACE/k:own=||p")"
  same '' "$(mvm kernel ls --format '{{.Name}}={{.Architecture}}={{.Used}}' | sed -n "s|^<own>=$OWN=||p")"
  run -0 mvm run --name after "$IMAGE" uname -s
  same Linux "$output"
  image=$(mvm inspect -f '{{.Machine.Kernel}}' after)
  has "$image" "$MVM_HOME/kernels/blobs/sha256/"
  same "$image" "$(mvm info --format '{{.Kernel}}')"
  same null "$(mvm inspect -f '{{json .Machine.Kernel}}' before)"
  run --separate-stderr -1 mvm kernel rm "$PLACE/k:own"
  error_says "unable to remove kernel $PLACE/k:own: it is the one that $OWN machines boot; let \`mvm kernel use\`"
  same "$OWN" "$(mvm kernel use --own "$OWN")"
  run --separate-stderr -1 mvm kernel rm "$PLACE/k:own"
  error_says "unable to remove kernel $PLACE/k:own: container $(mvm ps -aq --filter name=after) boots it"
  mvm start -a after
  same "$image" "$(mvm inspect -f '{{.Machine.Kernel}}' after)"
  mvm rm before after
  run -0 mvm kernel rm "$PLACE/k:own"
  has "${lines[0]}" "Untagged: $PLACE/k:own"
  has "${lines[1]}" "Deleted: sha256:"
  no_leftovers
  run --separate-stderr -1 mvm kernel use "$PLACE/k:own"
  error_says "no such kernel: $PLACE/k:own; \`mvm kernel ls\`"
}

@test "--kernel by name and by ID" {
  local id
  with_image
  mvm kernel pull -q "$PLACE/k:own"
  id=$(mvm kernel ls -q)
  mvm create --name named --kernel "$PLACE/k:own" "$IMAGE" true
  MVM_KERNEL=$id mvm create --name by-id "$IMAGE" true
  has "$(mvm inspect -f '{{.Machine.Kernel}}' named)" /kernels/blobs/
  same "$(mvm inspect -f '{{.Machine.Kernel}}' named)" "$(mvm inspect -f '{{.Machine.Kernel}}' by-id)"
  mvm rm named by-id
}

@test "without a kernel and an agent: the error says what to do, the pull is used, and its agent runs" {
  local bin=$BATS_TEST_TMPDIR/bin name
  mkdir "$bin"
  for name in "$(dirname "$MVM")"/mvm*; do [ ! -f "$name" ] || cp "$name" "$bin/"; done
  export MVM=$bin/mvm
  with_image
  run --separate-stderr -125 mvm run --rm "$IMAGE" true
  has "$stderr" "there is no kernel for $OWN machines here" '`mvm kernel pull NAME`' "\`mvm kernel build --arch $OWN\`"
  run --separate-stderr -125 mvm run --rm --kernel "$OTHER" "$IMAGE" true
  error_says "there is no kernel for $OTHER machines here" '`mvm kernel pull NAME`'
  same '' "$(mvm kernel ls --format '{{.Name}}')"
  run --separate-stderr -1 mvm kernel push --from "$OWN" "$PLACE/k:none"
  has "$stderr" "there is no kernel for $OWN machines here"
  run --separate-stderr -0 mvm kernel pull "$PLACE/k:own"
  has "$stderr" "It is used for $OWN machines from now on, which had no kernel"
  run -0 mvm run --name by-artifact "$IMAGE" sh -c 'echo written >/file; uname -s'
  same Linux "$output"
  # A helper boots the same.
  same written "$(mvm cp by-artifact:/file - | tar -xO)"
  mvm rm by-artifact
}

@test "an index: the host's architecture, or --arch" {
  local own other
  files
  other=$(manifest "$K.v1" "$(part "$K.config.v1+json" config)" "$(part "$K.image.v1" kernel)" "$(part "$K.initramfs.v1.cpio" initramfs)")
  put other "$other"
  own=$(curl -s -H 'Accept: application/vnd.oci.image.manifest.v1+json' "http://$PLACE/v2/k/manifests/own")
  [ "$OWN" = amd64 ] || skip "the small kernel is one for arm64"
  put both "$(jq -nc --arg a "$(printf %s "$own" | sha256sum | cut -d' ' -f1)" --argjson size_a "$(printf %s "$own" | wc -c)" \
    --arg b "$(printf %s "$other" | sha256sum | cut -d' ' -f1)" --argjson size_b "$(printf %s "$other" | wc -c)" \
    '{schemaVersion: 2, mediaType: "application/vnd.oci.image.index.v1+json", manifests: [
      {mediaType: "application/vnd.oci.image.manifest.v1+json", digest: ("sha256:" + $b), size: $size_b, platform: {os: "linux", architecture: "arm64"}},
      {mediaType: "application/vnd.oci.image.manifest.v1+json", digest: ("sha256:" + $a), size: $size_a, platform: {os: "linux", architecture: "amd64"}}]}')" \
    application/vnd.oci.image.index.v1+json
  mvm kernel pull -q "$PLACE/k:both"
  same "amd64" "$(mvm kernel ls --format '{{.Name}} {{.Architecture}}' | sed -n "s|^$PLACE/k:both ||p")"
  mvm kernel pull -q --arch arm64 "$PLACE/k:both"
  same "arm64 6.1.7" "$(mvm kernel ls --format '{{.Name}} {{.Architecture}} {{.Version}}' | sed -n "s|^$PLACE/k:both ||p")"
  # A name that stands for one alone gives that, unless another was asked for.
  mvm kernel pull -q "$PLACE/k:other"
  run --separate-stderr -1 mvm kernel pull -q --arch arm64 "$PLACE/k:own"
  error_says "it is a kernel for amd64, not for arm64"
  put third "$(jq -nc '{schemaVersion: 2, mediaType: "application/vnd.oci.image.index.v1+json", manifests: []}')" application/vnd.oci.image.index.v1+json
  run --separate-stderr -1 mvm kernel pull -q "$PLACE/k:third"
  error_says "it has no kernel for amd64; --arch asks for another"
}

@test "several under one name" {
  files
  [ "$OWN" = amd64 ] || skip "the small kernel is one for arm64"
  mvm kernel push -q --from ./kernel --initramfs ./initramfs "$PLACE/k:small"
  # A policy of signatures is for kernels, too.
  jq -n --arg scope "$PLACE/k" '{signaturePolicy: {default: [{type: "insecureAcceptAnything"}], transports: {docker: {($scope): [{type: "reject"}]}}}}' >policy.json
  MVM_CONFIG=$PWD/policy.json run --separate-stderr -1 mvm kernel pull -q "$PLACE/k:small"
  error_says "cannot pull kernel $PLACE/k:small: \"signaturePolicy\" rejects images of that name"
  run --separate-stderr -0 mvm kernel push --from amd64 --from "$PLACE/k:small" "$PLACE/k:several"
  has "$output" "several: digest: sha256:"
  same amd64 "$(mvm kernel ls --format '{{.Name}} {{.Architecture}}' | sed -n "s|^$PLACE/k:several ||p")"
  run --separate-stderr -1 mvm kernel push --from amd64 --from amd64 "$PLACE/k:twice"
  has "$stderr" "two kernels for amd64: under one name there can be one for each architecture"
  run --separate-stderr -125 mvm kernel push --from amd64 --from arm64 --initramfs ./initramfs "$PLACE/k:several"
  error_says "--initramfs needs one --from"
  MVM_HOME=$BATS_TEST_TMPDIR/other
  mvm kernel pull -q "$PLACE/k:several"
  same "amd64" "$(mvm kernel ls --format '{{.Name}} {{.Architecture}}' | sed -n "s|^$PLACE/k:several ||p")"
  mvm kernel pull -q --arch arm64 "$PLACE/k:several"
  same "arm64" "$(mvm kernel ls --format '{{.Name}} {{.Architecture}}' | sed -n "s|^$PLACE/k:several ||p")"
  same 2 "$(skopeo --insecure-policy inspect --raw --tls-verify=false "docker://$PLACE/k:several" | jq '.manifests | length')"
}

@test "what is no kernel is refused, and leaves nothing" {
  local config kernel initramfs blob
  files
  config=$(part "$K.config.v1+json" config) kernel=$(part "$K.image.v1" kernel) initramfs=$(part "$K.initramfs.v1.cpio" initramfs)
  run --separate-stderr -1 mvm kernel pull -q "$IMAGE"
  error_says "not a kernel but a container image; \`mvm pull\` takes it"
  refused nothing "manifest unknown"
  run --separate-stderr -1 mvm kernel pull -q "$PLACE/k@sha256:$(printf '0%.0s' {1..64})"
  error_says "manifest unknown"
  put sbom "$(manifest application/spdx+json "$config" "$kernel" "$initramfs")"
  refused sbom 'not a kernel but an artifact of type "application/spdx+json"'
  put modules "$(manifest "$K.v1" "$config" "$kernel" "$initramfs" "$(part "$K.modules.v1" initramfs)")"
  refused modules "a layer is of the unknown type \"$K.modules.v1\"; a newer mvm may know it"
  put half "$(manifest "$K.v1" "$config" "$kernel")"
  refused half "a kernel without initramfs"
  echo '#!/bin/sh' >script
  put script "$(manifest "$K.v1" "$config" "$(part "$K.image.v1" script)" "$initramfs")"
  refused script "what it has as its kernel is no kernel that a machine boots"
  put cpio "$(manifest "$K.v1" "$config" "$kernel" "$(part "$K.initramfs.v1.cpio" script)")"
  refused cpio "what it has as its initramfs is no initramfs"
  printf '{"architecture":"amd64","os":"linux","version":"6.1.7"}' >wrong
  put wrong "$(manifest "$K.v1" "$(part "$K.config.v1+json" wrong)" "$kernel" "$initramfs")"
  refused wrong "its config says amd64, and its kernel is one for arm64"
  printf '{"architecture":"riscv64","os":"linux"}' >riscv
  put riscv "$(manifest "$K.v1" "$(part "$K.config.v1+json" riscv)" "$kernel" "$initramfs")"
  refused riscv "a kernel for linux/riscv64; machines are linux/amd64 or linux/arm64"
  printf '{"architecture":"arm64","os":"linux","version":"9.9.9"}' >version
  put version "$(manifest "$K.v1" "$(part "$K.config.v1+json" version)" "$kernel" "$initramfs")"
  refused version 'its config says version "9.9.9", and its kernel is 6.1.7'
  # Bytes that are not those of the digest: as the registry's disk has them.
  put damaged "$(manifest "$K.v1" "$config" "$kernel" "$initramfs")"
  blob=$(find "$BATS_FILE_TMPDIR/registry" -path "*/$(sha kernel)/data")
  printf x | dd of="$blob" bs=1 seek=100000 conv=notrunc status=none
  refused damaged "does not have its digest" "sends damaged data"
  printf '\0' | dd of="$blob" bs=1 seek=100000 conv=notrunc status=none
  truncate -s -1 "$blob"
  refused damaged "whose manifest says"
}

@test "files that are no kernels are not pushed" {
  files
  run --separate-stderr -1 mvm kernel push --from ./initramfs "$PLACE/k:bad"
  has "$stderr" "is no kernel that a machine boots: for amd64 that is an uncompressed vmlinux or a bzImage, for arm64 an uncompressed Image"
  run --separate-stderr -1 mvm kernel push --from ./kernel --initramfs ./kernel "$PLACE/k:bad"
  has "$stderr" "./kernel is no initramfs: it must be an uncompressed cpio archive"
  run --separate-stderr -1 mvm kernel push "$PLACE/k:bad"
  has "$stderr" "A kernel does not exist locally with the tag: $PLACE/k:bad; --from says"
  run --separate-stderr -1 mvm kernel push --from nothing-here "$PLACE/k:bad"
  has "$stderr" "no such kernel: nothing-here"
  run --separate-stderr -125 mvm kernel push --initramfs ./initramfs "$PLACE/k:bad"
  error_says "--initramfs needs one --from"
  run --separate-stderr -125 mvm kernel pull --arch sparc "$PLACE/k:own"
  error_says 'invalid argument "sparc" for --arch: must be amd64 or arm64'
  run --separate-stderr -1 mvm kernel rm nothing-here
  error_says "no such kernel: nothing-here"
  same '' "$(mvm kernel ls -q)"
  no_leftovers
  mvm kernel push -q --from ./kernel --initramfs ./initramfs "$PLACE/k:mine"
  same "arm64 6.1.7" "$(mvm kernel ls --format '{{.Name}} {{.Architecture}} {{.Version}}' | sed -n "s|^$PLACE/k:mine ||p")"
}

@test "a blob that has decayed on the disk is fetched again" {
  local blob
  mvm kernel pull -q "$PLACE/k:own"
  blob=$(find "$MVM_HOME/kernels/blobs" -size +4M)
  printf x | dd of="$blob" bs=1 seek=100000 conv=notrunc status=none
  [ "$(sha "$blob")" != "$(basename "$blob")" ]
  mvm kernel pull -q "$PLACE/k:own"
  same "$(basename "$blob")" "$(sha "$blob")"
}

@test "several at once, and kill -9 at any moment" {
  local pids=() pid i failed=0
  for i in 1 2 3; do
    mvm kernel pull -q "$PLACE/k:own" >/dev/null 3>&- &
    pids+=($!)
  done
  for pid in "${pids[@]}"; do wait "$pid" || failed=1; done
  same 0 "$failed"
  same 1 "$(mvm kernel ls -q | wc -l)"
  mvm kernel rm "$PLACE/k:own"
  for i in 1 2 4 8 16 32 64 128 256; do
    timeout -s KILL "0.$(printf '%03d' "$i")" "$MVM" kernel pull -q "$PLACE/k:own" >/dev/null 2>&1 3>&- || true
    if [ -n "$(mvm kernel ls -q)" ]; then mvm kernel rm "$PLACE/k:own" >/dev/null; fi
  done
  mvm kernel pull -q "$PLACE/k:own"
  no_leftovers
  same 4 "$(find "$MVM_HOME/kernels/blobs" -type f | wc -l)"
}

@test "a full disk" {
  [ "$(id -u)" = 0 ] || skip "only root may mount"
  mkdir "$BATS_TEST_TMPDIR/small"
  mount -t tmpfs -o size=4m tmpfs "$BATS_TEST_TMPDIR/small" 2>/dev/null || skip "cannot mount a tmpfs here"
  export MVM_HOME=$BATS_TEST_TMPDIR/small/home
  run --separate-stderr -1 mvm kernel pull -q "$PLACE/k:own"
  error_says "No space left on device" "free some space, or let MVM_HOME name a folder on another disk"
  same '' "$(mvm kernel ls -q)"
  no_leftovers
  run --separate-stderr -1 mvm kernel push -q --from "$OWN" "$PLACE/k:full"
  error_says "No space left on device"
  no_leftovers
}

@test "shells complete names" {
  mvm kernel pull -q "$PLACE/k:own"
  has "$(mvm __complete kernel use '')" "$PLACE/k:own"
  has "$(mvm __complete run --kernel '')" "$PLACE/k:own" arm64
  has "$(mvm __complete kernel '')" pull push ls use rm
}

# tiny_linux [RECIPE]: a source of Linux that a build is done with at once: as much of its Makefile as build-kernel.sh
# asks for, and for a kernel a program with a banner.
tiny_linux() {
  local tree=$BATS_TEST_TMPDIR/linux-tiny
  mkdir -p "$tree/arch/x86/kernel/apic"
  : >"$tree/arch/x86/kernel/apic/apic.c"
  echo 'const char banner[] = "Linux version 6.1.7-tiny (x)"; void _start(void) { for (;;); }' >"$tree/kernel.c"
  printf 'tinyconfig:\n\t: >.config\n\t: >System.map\nolddefconfig:\n\t@:\nvmlinux:\n\t%s\nbzImage: vmlinux\n\tmkdir arch/x86/boot\n\tcp vmlinux arch/x86/boot/bzImage\n' \
    "${1:-\$(CROSS_COMPILE)gcc -nostdlib -static -o vmlinux kernel.c}" >"$tree/Makefile"
  tar -C "$BATS_TEST_TMPDIR" -cf "$BATS_TEST_TMPDIR/linux-tiny.tar" linux-tiny
  export XDG_CACHE_HOME=$BATS_TEST_TMPDIR/cache
}

tiny() { echo "$BATS_TEST_TMPDIR/linux-tiny.tar"; }

@test "build on the host" {
  local digest
  # The one that the tests boot was built by this script.
  digest=$(mvm kernel build -q)
  same "$(sha "$(dirname "$MVM")/initfs/vmlinux")" "$(sha "$(find "$MVM_HOME/kernels/blobs" -size +4M)")"
  same "$digest" "$(mvm kernel ls -q --no-trunc)"
  [ "$OWN" = amd64 ] || skip "the tiny kernel is one for amd64"
  tiny_linux
  run --separate-stderr -0 mvm kernel build --source "$(tiny)" -t mine
  has "$stderr" "kernel: building x86_64 from linux-tiny.tar"
  same "Successfully built $(mvm kernel ls --format '{{.Name}} {{.ID}}' | sed -n 's/^mine:latest //p')" "${lines[0]}"
  same "Successfully tagged mine:latest" "${lines[1]}"
  same "amd64 6.1.7-tiny" "$(mvm kernel ls --format '{{.Name}} {{.Architecture}} {{.Version}}' | sed -n 's/^mine:latest //p')"
  # From the cache, and the same.
  run --separate-stderr -0 mvm kernel build --source "$(tiny)" -q
  same '' "$stderr"
  same "$output" "$(mvm kernel ls --no-trunc --format '{{.Name}} {{.ID}}' | sed -n 's/^mine:latest //p')"
}

@test "a mvm that was installed without a kernel builds one, and boots it" {
  meson install -C "$(dirname "$MVM")" --no-rebuild --quiet --destdir "$BATS_TEST_TMPDIR/root"
  find "$BATS_TEST_TMPDIR/root" '(' -name vmlinux -o -name bzImage ')' -delete
  MVM=$(echo "$BATS_TEST_TMPDIR"/root/*/*/bin/mvm)
  export MVM
  with_image
  run --separate-stderr -125 mvm run --rm "$IMAGE" true
  has "$stderr" "there is no kernel for $OWN machines here" "\`mvm kernel build --arch $OWN\`"
  run --separate-stderr -0 mvm kernel build -t built
  has "$stderr" "It is used for $OWN machines from now on, which had no kernel"
  same '*' "$(mvm kernel ls --format '{{.Name}}={{.Used}}' | sed -n 's/^built:latest=//p')"
  same Linux "$(mvm run --rm "$IMAGE" uname -s)"
}

@test "build: what is missing or wrong is named, and nothing is left" {
  [ "$OWN" = amd64 ] || skip "the tiny kernel is one for amd64"
  mkdir "$BATS_TEST_TMPDIR/path"
  ln -s /usr/bin/* /bin/* "$BATS_TEST_TMPDIR/path/" 2>/dev/null || true
  rm "$BATS_TEST_TMPDIR/path/flex" "$BATS_TEST_TMPDIR/path/bc"
  tiny_linux
  PATH=$BATS_TEST_TMPDIR/path run --separate-stderr -1 mvm kernel build --source "$(tiny)"
  has "$stderr" "kernel: a build needs programs that are not here: flex bc; on Debian: apt-get install make flex bison bc" \
    "mvm: cannot build a kernel for amd64: the reason stands above"
  tiny_linux '@echo fatal error: no such luck; exit 1'
  run --separate-stderr -1 mvm kernel build --source "$(tiny)"
  has "$stderr" "kernel: build failed: fatal error: no such luck; the whole log is $XDG_CACHE_HOME/mvm/kernel/failed-x86_64.log"
  run --separate-stderr -1 mvm kernel build --source "$(tiny)" -q
  error_says "cannot build a kernel for amd64: without --quiet it says why"
  same '' "$(find "$XDG_CACHE_HOME/mvm/kernel" -name '.build*' -o -name '.staged*')"
  run --separate-stderr -1 mvm kernel build --source /nowhere/linux.tar
  error_says "cannot read /nowhere/linux.tar: No such file or directory"
  run --separate-stderr -125 mvm kernel build --image "$IMAGE"
  error_says "--image needs --in-vm"
  run --separate-stderr -125 mvm kernel build -t "x@sha256:$(printf '0%.0s' {1..64})"
  error_says "a digest is no tag"
  run --separate-stderr -1 mvm kernel build --source "$(tiny)" --initramfs /nowhere/initramfs
  error_says "cannot read /nowhere/initramfs"
  same '' "$(mvm kernel ls -q)"
}

@test "build: a signal ends it, and nothing is left" {
  local pid code=0
  [ "$OWN" = amd64 ] || skip "the tiny kernel is one for amd64"
  tiny_linux ": >\$(CURDIR)/../begun; sleep 1000.$$"
  "$MVM" kernel build --source "$(tiny)" >/dev/null 2>"$BATS_TEST_TMPDIR/said" 3>&- &
  pid=$!
  eventually test -e "$XDG_CACHE_HOME/mvm/kernel/begun"
  kill -TERM "$pid"
  wait "$pid" || code=$?
  same 1 "$code"
  has "$(cat "$BATS_TEST_TMPDIR/said")" "interrupted"
  same '' "$(find "$XDG_CACHE_HOME/mvm/kernel" -name '.build*' -o -name '.staged*')"
  # Nor does what make has started.
  left() { pgrep -f "^sleep 1000.$$" || true; }
  gone() { [ -z "$(left)" ]; }
  eventually gone
}

@test "build --in-vm" {
  local program pid code=0
  [ "$OWN" = amd64 ] || skip "the tiny kernel is one for amd64"
  mvm pull -q "$REGISTRY/deb" >/dev/null
  # With all that a build needs the image installs nothing.
  mvm create --name tools "$REGISTRY/deb" true
  for program in make flex bison bc xz; do mvm cp -L "$(command -v "$program")" "tools:/usr/bin/$program"; done
  mvm commit tools tools:latest
  mvm rm tools
  tiny_linux
  run --separate-stderr -0 mvm kernel build --in-vm --image tools --source "$(tiny)" -t mine
  has "$stderr" "kernel: building x86_64 from source"
  has "$output" "Successfully built " "Successfully tagged mine:latest"
  same 6.1.7-tiny "$(mvm kernel ls --format '{{.Name}} {{.Version}}' | sed -n 's/^mine:latest //p')"
  no_containers
  # An image without them, and without apt-get.
  mvm pull -q "$IMAGE" >/dev/null
  run --separate-stderr -1 mvm kernel build --in-vm --image "$IMAGE" --source "$(tiny)"
  has "$stderr" "kernel: the image has neither what a build needs (bash) nor apt-get; choose one like debian:bookworm" \
    "cannot build a kernel for amd64: the reason stands above"
  tiny_linux 'sleep 1000'
  "$MVM" kernel build --in-vm --image tools --source "$(tiny)" >/dev/null 2>"$BATS_TEST_TMPDIR/said" 3>&- &
  pid=$!
  eventually grep -q "unpacking the source" "$BATS_TEST_TMPDIR/said"
  kill -TERM "$pid"
  wait "$pid" || code=$?
  same 1 "$code"
  has "$(cat "$BATS_TEST_TMPDIR/said")" "interrupted"
  no_containers
  same '' "$(find "${TMPDIR:-/tmp}" -maxdepth 1 -name 'mvm-kernel-??????' -user "$(id -u)")"
}
