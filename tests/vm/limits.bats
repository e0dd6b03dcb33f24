#!/usr/bin/env bats
# Many and small: a thousand containers on disk, and how little memory one can have.
#
# shellcheck disable=SC2016,SC2154 # programs for the guest; variables that bats sets

load ../lib/vm.bash
# shellcheck source=tests/lib/copies.sh
. "$BATS_TEST_DIRNAME/../lib/copies.sh"

# within SECONDS COMMAND...: bounds that only what grows with the square of the number would break.
within() {
  local limit=$1 start=$SECONDS
  shift
  "$@"
  [ $((SECONDS - start)) -le "$limit" ] || { printf 'took %s s: %s\n' $((SECONDS - start)) "$*" >&2; return 1; }
}

@test "1,000 containers on disk: listed, looked up, named, removed and pruned" {
  local id ids
  id=$(mvm create --name seed "$IMAGE" true)
  copies "$id" 999
  ids=$(within 10 mvm ps -aq)
  same 1000 "$(wc -l <<<"$ids")"
  same '' "$(within 10 mvm ps -q)"
  same copy-500 "$(within 10 mvm ps -a -f name='^/copy-500$' --format '{{.Names}}')"
  # By name, by ID and by a part of it.
  same /copy-500 "$(within 5 mvm inspect -f '{{.Name}}' copy-500)"
  same /seed "$(within 5 mvm inspect -f '{{.Name}}' "$id")"
  same /seed "$(within 5 mvm inspect -f '{{.Name}}' "${id:0:12}")"
  run --separate-stderr -1 mvm create --name copy-7 "$IMAGE" true
  error_says '"/copy-7" is already in use'
  run --separate-stderr -1 mvm rename seed copy-7
  error_says '"/copy-7" is already in use'
  # shellcheck disable=SC2086 # one id a word
  same 1000 "$(within 60 mvm inspect -f x $ids | wc -l)"
  # shellcheck disable=SC2046 # one id a word
  same 100 "$(within 30 mvm rm $(seq -f 'copy-%g' 0 99) | wc -l)"
  within 60 mvm container prune -f | grep -c '^[0-9a-f]\{64\}$' | grep -qx 900
  no_containers
}

@test "little memory: a container of 6 MB runs, and one that is too small says so" {
  run -0 mvm run --rm -m 6m "$IMAGE" sh -c 'cat /sys/fs/cgroup/memory.max; echo $((40 + 2))'
  same $'6291456\n42' "$output"
  run --separate-stderr -125 mvm run --rm -m 5m "$IMAGE" true
  error_says "6MB"
}
