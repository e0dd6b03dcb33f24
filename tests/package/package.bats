#!/usr/bin/env bats
# ./dev package: the package is made, well-formed, the same from any folder, and comes and goes on a clean root.
#
# shellcheck disable=SC2016,SC2154 # a program for another shell; variables that bats sets

bats_require_minimum_version 1.5.0

setup_file() {
  ROOT=$(cd "$BATS_TEST_DIRNAME/../.." && pwd)
  export ROOT
  local files
  files=$("$ROOT/docs/debian/build" 2>"$BATS_FILE_TMPDIR/log") || { cat "$BATS_FILE_TMPDIR/log" >&2; return 1; }
  { read -r DEB && read -r BILL; } <<<"$files"
  export DEB BILL
}

@test "the same sources make the same package and the same initramfs, whatever the folder" {
  local copy=$BATS_TEST_TMPDIR/elsewhere
  mkdir "$copy"
  (cd "$ROOT" && git ls-files -co --exclude-standard -z | tar --null --ignore-failed-read -cT - 2>/dev/null) | tar -xC "$copy"
  SOURCE_DATE_EPOCH=$(git -C "$ROOT" log -1 --format=%ct) TZ=Asia/Tokyo LC_ALL=C umask=077 "$copy/docs/debian/build" >"$BATS_TEST_TMPDIR/out"
  cmp "$ROOT/build-package/initfs/initramfs.cpio" "$copy/build-package/initfs/initramfs.cpio"
  cmp "$BILL" "$copy/build-package/${BILL##*/}"
  cmp "$DEB" "$copy/build-package/${DEB##*/}"
  # What is packed is what is built for tests.
  cmp "$ROOT/build/initfs/initramfs.cpio" "$copy/build-package/initfs/initramfs.cpio"
}

@test "lintian has nothing to say" {
  run -0 lintian --allow-root --fail-on error,warning "$DEB"
  [ -z "$output" ] || { echo "$output"; false; }
}

@test "the bill of materials names the kernel, the C libraries and each library that is depended on" {
  local name
  [ "$(jq -r '.spdxVersion, .packages[0].name' "$BILL" | paste -sd' ')" = "SPDX-2.3 mvm" ]
  dpkg-deb --fsys-tarfile "$DEB" | tar -xOf - ./usr/share/doc/mvm/mvm.spdx.json | cmp - "$BILL"
  [ "$(jq -r '.packages[] | select(.name == "linux") | .checksums[0].checksumValue' "$BILL")" = \
    "$(dpkg-deb --fsys-tarfile "$DEB" | tar -xOf - ./usr/lib/mvm/initfs/vmlinux | sha256sum | cut -d' ' -f1)" ]
  for name in musl-dev $(dpkg-deb -f "$DEB" Depends | tr ',' '\n' | sed 's/^ *//; s/ .*//' | grep '^lib'); do
    jq -e --arg name "$name" --arg version "$(dpkg-query -W -f '${Version}\n' "$name" | head -n 1)" \
      '.packages | any(.name == $name and .versionInfo == $version)' "$BILL" >/dev/null || { echo "$name is missing"; false; }
  done
  # Every relation is between things that are there.
  jq -e '([.packages[].SPDXID] + [.SPDXID]) as $ids | .relationships | all((.spdxElementId | IN($ids[])) and (.relatedSpdxElement | IN($ids[])))' "$BILL"
}

@test "on a clean root it is installed, used by a user, and removed, and nothing is left" {
  [ "$(id -u)" = 0 ] || skip "needs root, for a root of its own"
  local root=$BATS_TEST_TMPDIR/root wanted
  # shellcheck source=tests/lib/oci.sh
  . "$ROOT/tests/lib/oci.sh"
  # shellcheck source=tests/lib/busybox.sh
  . "$ROOT/tests/lib/busybox.sh"
  busybox_layout "$BATS_TEST_TMPDIR/layout"
  wanted=$(dpkg-deb -f "$DEB" Depends | sed 's/ *([^)]*)//g; s/ //g')
  # The machine's own package sources; they may name a mirror nearer than the default.
  local sources=()
  while IFS= read -r file; do sources+=("$file"); done < <(find /etc/apt/sources.list /etc/apt/sources.list.d -size +0 \
    \( -name sources.list -o -name debian.sources \) 2>/dev/null)
  mmdebstrap --quiet --mode=root --variant=apt --include="mount,$wanted" "$(. /etc/os-release && echo "$VERSION_CODENAME")" "$root" "${sources[@]}" </dev/null
  cp "$DEB" "$root/mvm.deb"
  cp "$BATS_TEST_DIRNAME/inside" "$root/inside"
  skopeo --insecure-policy copy --quiet "oci:$BATS_TEST_TMPDIR/layout:latest" "docker-archive:$root/image.tar:docker.io/library/busybox:latest"
  chmod 644 "$root/image.tar"
  # Not by chroot: what has only changed its root may make no user namespaces, which shared folders need.
  run -0 timeout 300 unshare --mount --pid --ipc --fork bash -c '
    set -e
    mount --bind "$1" "$1"
    cd "$1"
    mount -t proc proc proc
    mount --rbind /dev dev
    mount --rbind /sys sys
    pivot_root . mnt
    umount -l mnt
    exec env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin HOME=/root LANG=C.UTF-8 bash /inside' bash "$root" </dev/null 3>&-
}
