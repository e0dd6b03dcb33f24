#!/bin/sh
# Builds the guest kernel inside a container: what `mvm kernel build --in-vm` runs there.
#
#   build-in-vm.sh x86_64|arm64 OUTPUT     leaves the kernel as the file OUTPUT
#
# What build-kernel.sh beside it needs and the image lacks is installed by apt-get, as root.
set -eu

here=$(cd "$(dirname "$0")" && pwd)
arch=$1 output=$2

# That of bash first: the list comes from a bash script.
missing() {
  command -v bash >/dev/null || { echo bash; return; }
  bash "$here/build-kernel.sh" --missing "$arch"
}

# One line a package is progress enough.
install() {
  apt-get -qq -o Dpkg::Use-Pty=0 install -y --no-install-recommends "$@" 2>&1 | sed -n 's/^\(Setting up [^ ]*\) .*/kernel:   \1/p; s/^E: /kernel: /p' >&2
}

if [ -n "$(missing)" ]; then
  command -v apt-get >/dev/null || {
    echo "kernel: the image has neither what a build needs ($(missing)) nor apt-get; choose one like debian:bookworm" >&2
    exit 1
  }
  export DEBIAN_FRONTEND=noninteractive
  echo "kernel: installing what the build needs" >&2
  apt-get -qq update >&2
  command -v bash >/dev/null || install bash
  # shellcheck disable=SC2046 # one word a package
  install $(bash "$here/build-kernel.sh" --packages "$arch")
  [ -z "$(missing)" ] || { echo "kernel: apt-get has not brought $(missing)" >&2; exit 1; }
fi
kernel=$(bash "$here/build-kernel.sh" "$arch")
cp "$kernel" "$output.new"
mv "$output.new" "$output"
