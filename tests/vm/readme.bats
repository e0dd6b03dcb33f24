#!/usr/bin/env bats
# README.md keeps its word: every "console" block is run, command by command, and what follows a command
# there must be what it prints. "..." in the README stands for anything.
#
# shellcheck disable=SC2016,SC2154 # programs for the guest; variables that bats sets

load ../lib/vm.bash

# Prints the console blocks, without those of the sections that change the machine.
console_blocks() { awk '/^```console$/ { on = 1; next } /^```/ { on = 0 } on' "$BATS_TEST_DIRNAME/../../README.md"; }

# check COMMAND EXPECTED: runs it in the shell of all blocks.
check() {
  local output pattern
  echo "\$ $1"
  output=$(cd "$BATS_TEST_DIRNAME/../.." && eval "$1" 2>"$BATS_TEST_TMPDIR/stderr" </dev/null) || {
    printf 'failed: %s\n' "$output" "$(cat "$BATS_TEST_TMPDIR/stderr")" >&2
    return 1
  }
  [ -n "$2" ] || return 0
  pattern=$(printf '%s' "$2" | sed 's/[][\\*?]/\\&/g; s/\.\.\./*/g')
  # shellcheck disable=SC2254 # a pattern
  case $output in $pattern) ;; *) printf 'README says:\n%s\nbut it printed:\n%s\n' "$2" "$output" >&2; return 1 ;; esac
}

@test "every command of README.md does what it says" {
  local line command='' expected='' count=0
  printf '{"registries":{"docker.io":{"mirrors":["http://%s"]}}}' "$REGISTRY" >"$BATS_TEST_TMPDIR/config.json"
  export MVM_CONFIG=$BATS_TEST_TMPDIR/config.json
  # "./dev" commands are the build that has brought us here; mvm is the program just built.
  mkdir "$BATS_TEST_TMPDIR/bin"
  ln -s "$(realpath "$MVM")" "$BATS_TEST_TMPDIR/bin/mvm"
  PATH=$BATS_TEST_TMPDIR/bin:$PATH
  unset -f mvm
  while IFS= read -r line; do
    case $line in
      '$ '*)
        [ -z "$command" ] || { check "$command" "$expected"; count=$((count + 1)); }
        command=${line#'$ '} expected=
        case $command in ./dev*) command= ;; esac ;;
      *) expected=$expected${expected:+$'\n'}$line ;;
    esac
  done < <(console_blocks)
  [ -z "$command" ] || { check "$command" "$expected"; count=$((count + 1)); }
  echo "$count commands"
  [ "$count" -ge 8 ]
}
