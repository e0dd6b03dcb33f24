# What the suites over real VMs share. Loaded by each .bats file of tests/vm.
#
# shellcheck shell=bash

bats_require_minimum_version 1.5.0

# shellcheck source=tests/lib/processes.sh
. "$BATS_TEST_DIRNAME/../lib/processes.sh"

# Nothing here takes a minute unless it hangs.
mvm() { timeout --foreground -k 5 "${MVM_PATIENCE:-60}" "$MVM" "$@"; }

# eventually COMMAND...: until it succeeds, at most MVM_PATIENCE (30) seconds.
eventually() {
  local end=$((SECONDS + ${MVM_PATIENCE:-30}))
  until "$@"; do
    [ "$SECONDS" -lt "$end" ] || { printf 'never came true: %s\n' "$*" >&2; return 1; }
    sleep 0.1
  done
}

# same EXPECTED ACTUAL
same() {
  [ "$1" = "$2" ] || { printf 'expected: %.1000s\n but got: %.1000s\n' "$1" "$2" >&2; return 1; }
}

# has TEXT PART...: every part stands in the text.
has() {
  local text=$1 part
  shift
  for part in "$@"; do
    case $text in *"$part"*) ;; *) printf 'missing: %s\n     in: %s\n' "$part" "$text" >&2; return 1 ;; esac
  done
}

lacks() {
  case $1 in *"$2"*) printf 'unwanted: %s\n      in: %s\n' "$2" "$1" >&2; return 1 ;; esac
}

# An error is one line, "mvm: ...", on stderr, and stdout is empty (after run --separate-stderr). Wrong usage has docker's
# second one.
# error_says PART...
# shellcheck disable=SC2154 # bats sets them
error_says() {
  case ${stderr_lines[1]-} in "See 'mvm "*"--help'"*) unset 'stderr_lines[1]' ;; esac
  same '' "$output" && same 1 "${#stderr_lines[@]}" && has "$stderr" "mvm: " "$@"
}

# column CONTAINER COLUMN: what `mvm ps` says of it, by docker's names: State, Status, Labels, ...
column() { mvm ps -a --format json | jq -r --arg name "$1" --arg column "$2" 'select(.Names == $name) | .[$column]'; }

is_state() { [ "$(column "$1" State)" = "$2" ]; }

# image_id NAME[:TAG]: the short id of an image in the store; nothing where it is not there.
image_id() {
  local tag=latest name=$1
  case ${1##*/} in *:*) tag=${1##*:} name=${1%:*} ;; esac
  mvm images --format json | jq -r --arg name "$name" --arg tag "$tag" 'select(.Repository == $name and .Tag == $tag) | .ID'
}

no_containers() { [ -z "$(mvm ps -aq)" ]; }

log_has() { mvm logs "$1" 2>&1 | grep -qF -- "$2"; }

no_own_processes() { [ -z "$(mvm_background_processes)" ]; }

# A test must clean up after itself; what it left is removed here, and the test fails.
teardown() {
  local left
  if declare -F test_teardown >/dev/null; then test_teardown; fi
  left=$(mvm ps -aq)
  [ -z "$left" ] || {
    printf 'left behind:\n%s\n' "$(mvm ps -a)" >&2
    # shellcheck disable=SC2086 # one id a word
    mvm rm -f $left >/dev/null
    return 1
  }
}
