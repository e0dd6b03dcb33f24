# The busybox image of tests and demo: Debian's static busybox with every
# applet, and the few files that programs expect. Sourced by bash after oci.sh.
#
# shellcheck shell=bash

# busybox_rootfs FOLDER [PROGRAM]: PROGRAM may be another architecture's, of the same version.
busybox_rootfs() {
  local root=$1 program=${2:-/bin/busybox} applet
  mkdir -p "$root"/{bin,dev,etc,home/user,proc,root,run,sys,tmp,usr/bin,var/tmp}
  chmod 1777 "$root/tmp" "$root/var/tmp"
  chmod 0700 "$root/root"
  cp "$program" "$root/bin/busybox"
  chmod 0755 "$root/bin/busybox"
  for applet in $(/bin/busybox --list); do
    [ "$applet" = busybox ] || ln -s busybox "$root/bin/$applet"
  done
  cat >"$root/etc/passwd" <<'END'
root:x:0:0:root:/root:/bin/sh
daemon:x:1:1:daemon:/usr/sbin:/bin/false
user:x:1000:1000:A user:/home/user:/bin/sh
nobody:x:65534:65534:nobody:/nonexistent:/bin/false
END
  cat >"$root/etc/group" <<'END'
root:x:0:
daemon:x:1:
adm:x:4:user
audio:x:29:user
staff:x:50:
user:x:1000:
nogroup:x:65534:
END
  cat >"$root/etc/os-release" <<'END'
PRETTY_NAME="BusyBox from Debian's busybox-static"
NAME="BusyBox"
ID=busybox
END
}

busybox_env='"Env":["PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"]'

# The architecture of this machine in OCI's words.
oci_arch() {
  case $(uname -m) in aarch64 | arm64) echo arm64 ;; x86_64) echo amd64 ;; *) uname -m ;; esac
}

# busybox_layout LAYOUT: an OCI layout with the image under the tag "latest".
busybox_layout() {
  local layout=$1 root layer
  root=$(mktemp -d "${TMPDIR:-/tmp}/mvm-busybox-XXXXXX")
  busybox_rootfs "$root/rootfs"
  oci_tar "$root/rootfs" "$root/layer.tar"
  layer=$(oci_layer "$layout" "$root/layer.tar")
  oci_tag "$layout" latest "$(oci_manifest "$layout" "$(oci_arch)" "$busybox_env,\"Cmd\":[\"sh\"]" "$layer")"
  rm -rf "$root"
}
