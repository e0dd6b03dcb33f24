# What the benches share: a home of their own with the busybox image in it, and
# small statistics. Sourced by bash.
#
# shellcheck shell=bash

bench_root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
MVM=${MVM:-$bench_root/build/mvm}

# shellcheck source=tests/lib/registry.sh
. "$bench_root/tests/lib/registry.sh"
# shellcheck source=tests/lib/oci.sh
. "$bench_root/tests/lib/oci.sh"
# shellcheck source=tests/lib/busybox.sh
. "$bench_root/tests/lib/busybox.sh"

# shellcheck source=tests/lib/processes.sh
. "$bench_root/tests/lib/processes.sh"

# bench_open: sets bench_folder and image; MVM_HOME holds the image and the accelerator is settled.
bench_open() {
  bench_folder=$(mktemp -d "${TMPDIR:-/tmp}/mvm-bench-XXXXXX")
  trap bench_close EXIT
  trap 'exit 130' INT TERM
  export MVM_HOME=$bench_folder/home
  busybox_layout "$bench_folder/layout"
  registry_start "$bench_folder/registry"
  registry_push "$bench_folder/layout" latest busybox
  # shellcheck disable=SC2034 # for the bench
  image=$registry_address/busybox
  "$MVM" run --rm -q "$image" true
  registry_stop
}

bench_close() {
  local left
  left=$("$MVM" ps -aq 2>/dev/null) || true
  # shellcheck disable=SC2086 # one id a word
  [ -z "$left" ] || "$MVM" rm -f $left >/dev/null || true
  registry_stop
  rm -rf "$bench_folder"
}

# now_us: microseconds.
now_us() { printf '%s\n' "${EPOCHREALTIME/./}"; }

# elapsed_ms COMMAND...: how long it took; the command must succeed.
elapsed_ms() {
  local start
  start=$(now_us)
  "$@" >&2 || { printf 'bench: failed: %s\n' "$*" >&2; return 1; }
  printf '%s\n' $((($(now_us) - start) / 1000))
}

# summary FORMAT: median, lowest and highest of the numbers on stdin.
summary() {
  sort -n | awk -v format="$1" '
    { value[NR] = $1 }
    END {
      middle = NR % 2 ? value[(NR + 1) / 2] : (value[NR / 2] + value[NR / 2 + 1]) / 2
      printf format "\n", middle, value[1], value[NR]
    }'
}
