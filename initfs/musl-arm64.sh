#!/usr/bin/env bash
# Brings Debian's musl for arm64, headers and static library, into the cache, and prints its folder: the agent of arm64
# machines is compiled with it on hosts of another processor. Nothing is installed.
set -euo pipefail

say() { printf 'musl: %s\n' "$*" >&2; }

release=$(. /etc/os-release && printf '%s' "$VERSION_CODENAME")
cache=${XDG_CACHE_HOME:-$HOME/.cache}/mvm/musl
out=$cache/arm64-$release
if [ -d "$out" ]; then printf '%s\n' "$out"; exit 0; fi

mkdir -p "$cache"
work=$(mktemp -d "$cache/.arm64-XXXXXX")
trap 'rm -rf "$work"' EXIT
trap 'exit 130' INT TERM
say "fetching Debian's musl-dev for arm64"
# The machine's own package sources; they may name a mirror nearer than the default.
sources=()
while IFS= read -r file; do sources+=("$file"); done < <(find /etc/apt/sources.list /etc/apt/sources.list.d -size +0 \
  \( -name sources.list -o -name debian.sources \) 2>/dev/null)
mmdebstrap --quiet --format=tar --variant=extract --architectures=arm64 --include=musl-dev "$release" "$work/musl.tar" \
  "${sources[@]}" </dev/null >&2
mkdir "$work/musl"
tar -xf "$work/musl.tar" -C "$work/musl" --strip-components=2 ./usr/include/aarch64-linux-musl ./usr/lib/aarch64-linux-musl
mv -T "$work/musl" "$out" 2>/dev/null || [ -d "$out" ]
printf '%s\n' "$out"
