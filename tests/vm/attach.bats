#!/usr/bin/env bats
# mvm attach: several clients at once, and leaving without an end.
#
# shellcheck disable=SC2016,SC2154 # programs for the guest; variables that bats sets

load ../lib/vm.bash

setup() {
  export TMUX_TMPDIR=$BATS_TEST_TMPDIR
  unset TMUX
}

test_teardown() { tmux kill-server 2>/dev/null || true; }

terminal() {
  tmux -f /dev/null new-session -d -x 100 -y 30 -e PS1='host> ' "bash --norc --noprofile" 3>&-
  type_in 'echo at-the-prompt'
  eventually screen_has at-the-prompt
}
type_in() { tmux send-keys -R && tmux send-keys -l "$1" && tmux send-keys Enter; }
stay_has() { [ "$(mvm exec stay cat /tmp/x 2>/dev/null)" = "$1" ]; }
screen_has() { tmux capture-pane -p -J | grep -qE -- "$1"; }

# The shell prints its prompt anew when the size of its terminal changes, which attach sees to as docker does: by two
# changes, which on a busy host it may take for none. Then a line of input makes it do so.
at_its_prompt() { screen_has '/ # *$' || { tmux send-keys Enter; return 1; }; }

@test "leaving an exec by its keys; the program goes on" {
  mvm run -d --name stay "$IMAGE" sleep 1000
  terminal
  type_in "'$MVM' exec -it stay sh -c 'echo there >/tmp/x; until [ -e /tmp/go ]; do sleep 0.1; done; echo on >/tmp/x'; echo code-\$?"
  eventually stay_has there
  tmux send-keys C-p C-q
  eventually screen_has '^code-1$'
  screen_has 'read escape sequence'
  mvm exec stay touch /tmp/go
  eventually stay_has on
  type_in "'$MVM' exec --detach-keys ctrl-x,y -it stay sh; echo left-\$?"
  eventually screen_has '/ # *$'
  tmux send-keys C-x y
  eventually screen_has '^left-1$'
  run --separate-stderr -125 mvm exec --detach-keys ctrl-P stay true
  error_says 'invalid detach keys (ctrl-P)'
  mvm rm -fv stay
}

@test "leaving by ctrl-p ctrl-q and by other keys; the container goes on" {
  terminal
  type_in "'$MVM' run --name stay -it $IMAGE sh; echo code-\$?"
  eventually screen_has '^/ # *$'
  type_in 'echo in-$((3 * 3))'
  eventually screen_has '^in-9'
  # Half of the keys is a key like any other when something else follows.
  tmux send-keys C-p C-q
  eventually screen_has '^code-0$'
  screen_has 'read escape sequence'
  is_state stay running
  type_in "'$MVM' attach --detach-keys ctrl-x,y stay; echo left-\$?"
  eventually at_its_prompt
  type_in 'echo again-$((4 * 4))'
  eventually screen_has '^again-16'
  tmux send-keys C-x y
  eventually screen_has '^left-1$'
  is_state stay running
  # The shell's own end is ours.
  type_in "'$MVM' attach stay; echo left-\$?"
  eventually at_its_prompt
  type_in 'exit 7'
  eventually screen_has '^left-7$'
  run --separate-stderr -1 mvm attach stay
  error_says "cannot attach to a stopped container, start it first"
  run --separate-stderr -125 mvm attach --detach-keys ctrl-P stay
  error_says "invalid detach keys (ctrl-P) provided"
  run --separate-stderr -1 mvm attach nobody
  error_says "No such container: nobody"
  mvm rm stay
}

@test "two clients see the same, one says it, and a signal is passed on or not" {
  mvm run -d -i --name both "$IMAGE" sh -c 'trap "exit 9" USR1; echo started; while read x; do echo "out $x"; echo "err $x" >&2; done; echo unread'
  eventually log_has both started
  mkfifo "$BATS_TEST_TMPDIR/in"
  "$MVM" attach both <"$BATS_TEST_TMPDIR/in" >"$BATS_TEST_TMPDIR/first" 2>"$BATS_TEST_TMPDIR/first.err" 3>&- &
  local first=$!
  exec 4>"$BATS_TEST_TMPDIR/in"
  "$MVM" attach --no-stdin --sig-proxy=false both </dev/null >"$BATS_TEST_TMPDIR/second" 2>&1 3>&- 4>&- &
  local second=$! code=0
  # Until both are there what is said is not for both.
  said() { echo word >&4; grep -q 'out word' "$BATS_TEST_TMPDIR/first" && grep -q 'out word' "$BATS_TEST_TMPDIR/second"; }
  eventually said
  eventually grep -q 'err word' "$BATS_TEST_TMPDIR/first.err"
  kill "$second"
  wait "$second" || code=$?
  same 143 "$code"
  is_state both running
  kill -USR1 "$first"
  echo last >&4
  code=0
  wait "$first" || code=$?
  same 9 "$code"
  exec 4>&-
  mvm rm both
}

@test "run --sig-proxy=false keeps a signal for itself, and the container goes on; else it is the container's" {
  "$MVM" run --name kept --sig-proxy=false "$IMAGE" sh -c 'trap "exit 9" TERM; echo ready; while :; do sleep 0.1; done' >/dev/null 3>&- &
  local client=$! code=0
  eventually log_has kept ready
  kill "$client"
  wait "$client" || code=$?
  same 143 "$code"
  is_state kept running
  mvm rm -f kept
  "$MVM" run --name passed "$IMAGE" sh -c 'trap "exit 9" TERM; echo ready; while :; do sleep 0.1; done' >/dev/null 3>&- &
  client=$! code=0
  eventually log_has passed ready
  kill "$client"
  wait "$client" || code=$?
  same 9 "$code"
  mvm rm passed
}
