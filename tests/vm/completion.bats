#!/usr/bin/env bats
# Shell completion: what mvm answers, and the shells themselves, each in a terminal.
#
# shellcheck disable=SC2154,SC2088 # variables that bats sets; what is typed into a shell

load ../lib/vm.bash

test_teardown() {
  tmux kill-server 2>/dev/null || true
  mvm rm -f up still made >/dev/null 2>&1 || true
}

# offers WORD... -- EXPECTED...: the candidates for the words, in any order, and no others.
offers() {
  local words=()
  while [ "$1" != -- ]; do words+=("$1"); shift; done
  shift
  run --separate-stderr -0 mvm __complete "${words[@]}"
  same '' "$stderr"
  same "$(printf '%s\n' "$@" | sort)" "$(printf '%s\n' "$output" | sed '$d; s/\t.*//' | sort)"
}

@test "containers where they make sense, by their state; images and files" {
  mvm run -d --name up "$IMAGE" sleep 1000
  mvm run -d --name still "$IMAGE" sleep 1000
  mvm pause still
  mvm create --name made "$IMAGE" true
  offers stop '' -- up still
  offers kill -s KILL '' -- up still
  offers exec '' -- up
  offers container exec -it '' -- up
  offers exec up '' --
  offers attach u -- up
  offers pause '' -- up
  offers unpause '' -- still
  offers start '' -- made
  offers rm -f '' -- up still made
  offers rm -f made '' -- up still
  offers logs m -- made
  offers export '' -- up still made
  offers export made '' --
  offers rename made '' --
  # With a description.
  same "up	$IMAGE" "$(mvm __complete exec u | head -n 1)"
  has "$(mvm __complete run "$REGISTRY/bu")" "$IMAGE"
  has "$(mvm __complete rmi "$REGISTRY/bu")" "$IMAGE"
  offers run "$IMAGE" '' --
  same :0 "$(mvm __complete export -o '')"
  offers top '' -- up
  offers stats '' -- up still
  offers wait '' -- up still
  same $'made:\t'"$IMAGE"$'\n:2' "$(mvm __complete cp ma)"
  offers cp made:/x '' -- made: still: up:
  offers cp made:/e --
  # It has only looked.
  same "$(printf 'made Created\nstill Up\nup Up')" "$(mvm ps -a --format '{{.Names}} {{.Status}}' | cut -d' ' -f1,2 | sort)"
}

@test "nothing is said, and nothing made, whatever is wrong" {
  touch "$BATS_TEST_TMPDIR/file"
  MVM_HOME=$BATS_TEST_TMPDIR/file offers rm '' --
  MVM_HOME=$BATS_TEST_TMPDIR/none offers rm '' --
  MVM_HOME=$BATS_TEST_TMPDIR/none offers rmi '' --
  [ ! -e "$BATS_TEST_TMPDIR/none" ]
  MVM_CONFIG=$BATS_TEST_TMPDIR/none MVM_LOG=debug offers rm '' --
  offers run --nosuch=x --pull n -- never
  offers nosuch '' --
}

# Starts a shell that knows the completion: terminal COMMAND...
terminal() {
  mkdir "$BATS_TEST_TMPDIR/bin"
  ln -s "$(realpath "$MVM")" "$BATS_TEST_TMPDIR/bin/mvm"
  export TMUX_TMPDIR=$BATS_TEST_TMPDIR PATH=$BATS_TEST_TMPDIR/bin:$PATH HOME=$BATS_TEST_TMPDIR
  unset TMUX
  tmux -f /dev/null new-session -d -x 120 -y 30 -c "$BATS_TEST_TMPDIR" "$@" 3>&-
  eventually screen_has ready
}

screen_has() { tmux capture-pane -p -J | grep -qF -- "$1"; }

# completes TYPED SHOWN: a line and the tabulator, and what stands there then. The line is dropped.
completes() {
  tmux send-keys C-l
  tmux send-keys -l -- "$1"
  tmux send-keys Tab
  eventually screen_has "$2"
  tmux send-keys C-u
}

# The same lines in each of them.
check_shell() {
  mvm create --name made "$IMAGE" true
  touch "$BATS_TEST_TMPDIR/archive.tar"
  completes 'mvm comple' 'mvm completion'
  completes 'mvm container unp' 'mvm container unpause'
  # With its folder, and by another name.
  completes '~/bin/mvm comple' '~/bin/mvm completion'
  completes 'other comple' 'other completion'
  completes 'mvm run --priv' 'mvm run --privileged'
  completes 'mvm run --pull=al' 'mvm run --pull=always'
  completes 'mvm run --pull ne' 'mvm run --pull never'
  completes 'mvm run --cap-add net_a' 'mvm run --cap-add NET_ADMIN'
  completes 'mvm start ma' 'mvm start made'
  completes 'mvm rm -f "ma' 'mvm rm -f "made'
  completes "mvm rmi ${IMAGE%sybox}" "mvm rmi $IMAGE:latest"
  completes "mvm history $IMAGE:la" "mvm history $IMAGE:latest"
  completes 'mvm load -i arch' 'mvm load -i archive.tar'
  completes 'mvm load --input=arch' 'mvm load --input=archive.tar'
  # A path follows a container's name at once.
  completes 'mvm cp archi' 'mvm cp archive.tar'
  completes 'mvm cp archive.tar ma' 'mvm cp archive.tar made:'
  # No blank behind it: the value follows at once.
  completes 'mvm run --ulimit nof' 'mvm run --ulimit nofile='
  tmux send-keys -l -- 'mvm run --ulimit nof'
  tmux send-keys Tab
  tmux send-keys -l -- '42'
  eventually screen_has 'nofile=42'
}

@test "bash" {
  cat >"$BATS_TEST_TMPDIR/rc" <<'END'
. <(mvm completion bash)
alias other=mvm
complete -F _mvm other
echo ready
END
  terminal bash --noprofile --rcfile "$BATS_TEST_TMPDIR/rc" -i
  check_shell
}

@test "zsh" {
  command -v zsh >/dev/null || skip "zsh is not installed"
  cat >"$BATS_TEST_TMPDIR/.zshrc" <<'END'
autoload -Uz compinit && compinit -u -D
. <(mvm completion zsh)
compdef other=mvm
echo ready
END
  terminal env ZDOTDIR="$BATS_TEST_TMPDIR" zsh -i
  check_shell
}

@test "zsh, from a folder of fpath" {
  command -v zsh >/dev/null || skip "zsh is not installed"
  mkdir "$BATS_TEST_TMPDIR/functions"
  "$MVM" completion zsh >"$BATS_TEST_TMPDIR/functions/_mvm"
  cat >"$BATS_TEST_TMPDIR/.zshrc" <<'END'
fpath=(~/functions $fpath)
autoload -Uz compinit && compinit -u -D
echo ready
END
  terminal env ZDOTDIR="$BATS_TEST_TMPDIR" zsh -i
  completes 'mvm comple' 'mvm completion'
  completes 'mvm run --pull ne' 'mvm run --pull never'
}

@test "fish" {
  command -v fish >/dev/null || skip "fish is not installed"
  terminal fish --private --init-command 'mvm completion fish | source' --init-command 'complete -c other -w mvm' --init-command 'echo ready'
  check_shell
}

@test "a shell that is unknown" {
  run --separate-stderr -125 mvm completion tcsh
  error_says "no completion for 'tcsh': bash, fish or zsh"
}
