#!/usr/bin/env bash
# Builds the guest kernel once and keeps it outside the tree, under a hash of
# what it was made from. A second call with the same source and options only
# prints where the kernel is.
#
#   initfs/build-kernel.sh x86_64|arm64                print the kernel's path on stdout; beside x86_64's vmlinux is a bzImage
#   initfs/build-kernel.sh --missing x86_64|arm64      print what is needed and not there
#   initfs/build-kernel.sh --packages x86_64|arm64     print the Debian packages with all that is needed
#
# Source: the tar ball of Debian's linux-source-* package, or the one named by
# MVM_KERNEL_SOURCE (any Linux >= 6.1). Progress goes to stderr.
set -euo pipefail

here=$(cd "$(dirname "$0")" && pwd)
query=
case ${1-} in --missing | --packages) query=$1; shift ;; esac
arch=${1:?usage: build-kernel.sh [--missing|--packages] x86_64|arm64}
jobs=$(getconf _NPROCESSORS_ONLN)

say() { printf '%s\n' "kernel: $*" >&2; }
die() { printf '%s\n' "kernel: $*" >&2; exit 1; }

case $arch in
  # bzImage is made of vmlinux; macOS boots it on Intel. `recipe`: to be raised when the steps below change what comes
  # out of the same options.
  x86_64) karch=x86_64; target=bzImage; product=vmlinux;               recipe=3; cross= ;;
  arm64)  karch=arm64;  target=Image;   product=arch/arm64/boot/Image; recipe=2; cross=aarch64-linux-gnu- ;;
  *) die "unknown architecture '$arch'; use x86_64 or arm64" ;;
esac
case $(uname -m) in
  "$arch") cross= ;;
  aarch64) [ "$arch" = arm64 ] && cross= || cross=x86_64-linux-gnu- ;;
esac

packages() {
  local list="make flex bison bc libelf-dev libc6-dev xz-utils cpio gcc"
  case $cross in '') ;; *) list="$list gcc-${cross%-}" ;; esac
  [ -n "${MVM_KERNEL_SOURCE:-}" ] || list="$list linux-source-6.1"
  printf '%s\n' "$list" | sed 's/x86_64/x86-64/'
}

missing() {
  local program
  for program in make flex bison bc xz awk flock gcc "${cross}gcc" "${cross}ld"; do
    command -v "$program" >/dev/null || printf '%s ' "$program"
  done
  [ -n "${MVM_KERNEL_SOURCE:-}" ] || [ -n "$(debian_source)" ] || printf 'linux-source '
}

debian_source() { find /usr/src -maxdepth 1 -name 'linux-source-*.tar.xz' 2>/dev/null | sort -V | tail -n 1; }

case $query in
  --missing) missing; exit 0 ;;
  --packages) packages; exit 0 ;;
esac

source_tarball() {
  if [ -n "${MVM_KERNEL_SOURCE:-}" ]; then printf '%s\n' "$MVM_KERNEL_SOURCE"; return; fi
  local newest
  newest=$(debian_source)
  [ -n "$newest" ] || die "no kernel source; install linux-source-6.1, or name a tar ball of Linux (MVM_KERNEL_SOURCE, mvm kernel build --source)"
  printf '%s\n' "$newest"
}

# The package's version names its content; hashing 130 MB each time would not.
source_version() {
  local package
  package=$(dpkg-query -S "$1" 2>/dev/null | head -n 1 | cut -d: -f1) || true
  if [ -n "$package" ]; then dpkg-query -W -f '${Package} ${Version}' "$package"
  else printf '%s %s' "$(basename "$1")" "$(wc -c <"$1")"; fi
}

sha() { if command -v sha256sum >/dev/null; then sha256sum; else shasum -a 256; fi; }

tarball=$(source_tarball)
version=$(source_version "$tarball")
options=("$here/kernel/common.config" "$here/kernel/$arch.config")
additions=()
[ "$arch" != x86_64 ] || additions=("$here/kernel/x86_64-apic.c")
key=$({ printf '%s\n' "$version" "$recipe"; cat "${options[@]}" "${additions[@]}"; } | sha | cut -c1-16)
if [ "$(uname -s)" = Darwin ]; then base=$HOME/Library/Caches; else base=${XDG_CACHE_HOME:-$HOME/.cache}; fi
cache=$base/mvm/kernel
out=$cache/$arch-$key
image=$out/$(basename "$product")

if [ -f "$image" ]; then printf '%s\n' "$image"; exit 0; fi

lacking=$(missing)
[ -z "$lacking" ] || die "a build needs programs that are not here: ${lacking% }; on Debian: apt-get install $(packages)"

mkdir -p "$cache"
# One build at a time; whoever waited finds the result there.
exec 9>"$cache/.$arch-$key.lock"
if ! flock -n 9; then say "another build is under way, waiting for it"; flock 9; fi
if [ -f "$image" ]; then printf '%s\n' "$image"; exit 0; fi

work=$(mktemp -d "$cache/.build-$arch-XXXXXX")
make_pid=
cleanup() {
  [ -z "$make_pid" ] || kill -- "-$make_pid" 2>/dev/null || true
  rm -rf "$work"
}
trap cleanup EXIT
trap 'exit 130' INT TERM

say "building $arch from $version; about $((10 / jobs + 1)) min on $jobs cores, once"
say "unpacking the source"
tar -C "$work" --strip-components=1 -xf "$tarball"
[ "$arch" != x86_64 ] || cat "${additions[@]}" >>"$work/arch/x86/kernel/apic/apic.c"
# Each share is a submount of one virtiofs, and does not inherit that its server takes care of set-user-ID bits and
# capabilities: the kernel would ask for security.capability at every write.
fuse=$work/fs/fuse/inode.c
[ ! -f "$fuse" ] || sed -i 's/^\tsb->s_xattr = parent_sb->s_xattr;$/&\n\tsb->s_flags |= parent_sb->s_flags \& SB_NOSEC;/' "$fuse"
grep -qs 'parent_sb->s_flags & SB_NOSEC' "$fuse" ||
  say "this source's fs/fuse/inode.c is another one: writes to shares may take twice the time"

make_kernel() { make -s -C "$work" ARCH="$karch" CROSS_COMPILE="$cross" "$@" 9>&-; }

make_kernel tinyconfig >"$work/build.log" 2>&1 || die "tinyconfig failed: $(tail -n 3 "$work/build.log")"
cat "${options[@]}" >>"$work/.config"
make_kernel olddefconfig >>"$work/build.log" 2>&1 || die "olddefconfig failed: $(tail -n 3 "$work/build.log")"

# An option that a newer kernel renamed would be dropped silently. Of several lines about one the last counts. (What
# another option selects cannot be switched off; that costs space, not function.)
missing=$(awk -F= '/^CONFIG_[A-Z0-9_]+=/ { line[$1] = $0 } END { for (name in line) print line[name] }' "${options[@]}" |
  grep -v '=n$' | sort | while IFS= read -r line; do
  grep -qxF "$line" "$work/.config" || printf '%s ' "$line"
done)
[ -z "$missing" ] || die "this source does not take: $missing"

start=$SECONDS
# Under -s make prints nothing; V=0 without -s prints one line a file to count. A process group of its own: make ends with
# its children, but not with theirs.
set -m
make -C "$work" ARCH="$karch" CROSS_COMPILE="$cross" -j "$jobs" \
  KBUILD_BUILD_USER=mvm KBUILD_BUILD_HOST=mvm KBUILD_BUILD_TIMESTAMP='1970-01-01' "$target" >>"$work/build.log" 2>&1 9>&- &
make_pid=$!
set +m
shown=0
while kill -0 "$make_pid" 2>/dev/null; do
  sleep 1
  elapsed=$((SECONDS - start))
  [ $((elapsed - shown)) -ge 10 ] || continue
  shown=$elapsed
  say "$(grep -cE '^  (CC|AS) ' "$work/build.log" || true) files compiled, $((elapsed / 60)) min $((elapsed % 60)) s"
done
if ! wait "$make_pid"; then
  make_pid=
  cp "$work/build.log" "$cache/failed-$arch.log"
  die "build failed: $(grep -m 1 -E 'error|Error' "$work/build.log"); the whole log is $cache/failed-$arch.log"
fi
make_pid=

# Symbols are a third of the file that the machine loads at each start.
staged=$(mktemp -d "$cache/.staged-$arch-XXXXXX")
if [ "$product" = vmlinux ]; then
  "${cross}strip" -o "$staged/vmlinux" "$work/vmlinux"
  cp "$work/arch/x86/boot/bzImage" "$staged/"
else cp "$work/$product" "$staged/"; fi
cp "$work/.config" "$staged/config"
cp "$work/System.map" "$staged/System.map"
printf '%s\n' "$version" >"$staged/version"
mv -T "$staged" "$out" 2>/dev/null || mv "$staged" "$out"
say "done in $(((SECONDS - start) / 60)) min $(((SECONDS - start) % 60)) s: $image"
printf '%s\n' "$image"
