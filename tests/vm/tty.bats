#!/usr/bin/env bats
# mvm run -it in a real terminal, by tmux.
#
# shellcheck disable=SC2016,SC2154 # programs for the guest; variables that bats sets

load ../lib/vm.bash

setup() {
  export TMUX_TMPDIR=$BATS_TEST_TMPDIR
  unset TMUX
  tmux -f /dev/null new-session -d -x 100 -y 30 -e PS1='host> ' "bash --norc --noprofile" 3>&-
  type_in 'stty -a >before; echo at-the-prompt'
  eventually screen_has at-the-prompt
}

test_teardown() { tmux kill-server || true; }

# A line typed at the terminal; in the test's own folder. What was on the screen before is gone when it returns.
type_in() { tmux send-keys -R && tmux send-keys -l "cd '$BATS_TEST_TMPDIR'; $1" && tmux send-keys Enter; }
press() { tmux send-keys "$@"; }
screen() { tmux capture-pane -p -J; }
screen_has() { screen | grep -qE -- "$1"; }

# The window's new size reaches the host's terminal when it does.
host_size_is() { [ "$(stty size <"$(tmux display-message -p '#{pane_tty}')")" = "$1" ]; }

# The shell is back and the terminal is as it was.
sane_again() {
  type_in 'stty -a >after; echo back-$((40 + 2))'
  eventually screen_has '^back-42'
  diff "$BATS_TEST_TMPDIR/before" "$BATS_TEST_TMPDIR/after"
}

@test "size, TERM and a resize" {
  type_in "'$MVM' run --rm -it $IMAGE sh -c 'trap \"stty size\" WINCH; stty size; tty; echo term \$TERM; while :; do read -t 1 x && exit 4; done'; echo code-\$?"
  eventually screen_has '^30 100$'
  eventually screen_has '^term xterm$'
  screen_has '^/dev/pts/0$'
  tmux resize-window -x 91 -y 23
  eventually screen_has '^23 91$'
  press Enter
  eventually screen_has '^code-4$'
  tmux resize-window -x 100 -y 30
  eventually host_size_is '30 100'
  sane_again
}

@test "Ctrl-C interrupts the program and not mvm" {
  type_in "'$MVM' run --rm -it $IMAGE sh -c 'trap \"echo got-int; exit 7\" INT; echo ready; while :; do sleep 0.1; done'; echo code-\$?"
  eventually screen_has '^ready$'
  press C-c
  eventually screen_has 'got-int'
  eventually screen_has '^code-7$'
  sane_again
}

@test "Ctrl-C in a shell ends the command and the shell goes on; Ctrl-D leaves" {
  type_in "'$MVM' run --rm -it $IMAGE sh; echo code-\$?"
  eventually screen_has '^/ # *$'
  # The word comes from the program itself: by then it is the one that the terminal interrupts.
  press -l 'sh -c "echo asleep; exec sleep 1000"'
  press Enter
  eventually screen_has '^asleep$'
  press C-c
  press -l 'echo still-$((3 * 3)) $-'
  press Enter
  eventually screen_has '^still-9 .*m?i'
  press -l 'exit 3'
  press Enter
  eventually screen_has '^code-3$'
  sane_again
  type_in "'$MVM' run --rm -it $IMAGE sh; echo code-\$?"
  eventually screen_has '^/ # *$'
  press C-d
  eventually screen_has '^code-0$'
  sane_again
}

@test "stdout and stderr are one terminal, in order, with what a terminal does to a newline" {
  type_in "'$MVM' run --rm -t $IMAGE sh -c 'test -t 1 && test -t 2 && echo both; echo a; echo b >&2; echo c' >out; echo code-\$?"
  eventually screen_has '^code-0$'
  same $'both\r\na\r\nb\r\nc\r' "$(cat "$BATS_TEST_TMPDIR/out")"
  sane_again
}

@test "the terminal is sane after mvm is ended by a signal, or the machine by kill -9" {
  type_in "'$MVM' run --name tty --rm -it $IMAGE sh -c 'trap \"exit 5\" TERM; echo ready; while :; do sleep 0.1; done'; echo code-\$?"
  eventually screen_has '^ready$'
  mvm kill -s TERM tty
  eventually screen_has '^code-5$'
  sane_again
  type_in "'$MVM' run --name tty --rm -it $IMAGE sh -c 'echo ready; sleep 1000'; echo code-\$?"
  eventually screen_has '^ready$'
  mvm kill tty
  eventually screen_has '^code-137$'
  sane_again
}

@test "a closed terminal ends the CLI, not the sanity of the rest" {
  type_in "'$MVM' run --name tty -it $IMAGE sh -c 'echo ready; sleep 1000'"
  eventually screen_has '^ready$'
  tmux kill-server
  run -0 mvm rm -f tty
  eventually no_own_processes
}

@test "exec: its own terminal, sizes and Ctrl-C; the container's program hears nothing of it" {
  mvm run -d --name tty "$IMAGE" sh -c 'trap "echo hit" INT WINCH; while :; do sleep 0.1; done'
  type_in "'$MVM' exec -it tty sh -c 'trap \"stty size\" WINCH; trap \"echo got-int; exit 7\" INT; stty size; tty; while :; do sleep 0.1; done'; echo code-\$?"
  eventually screen_has '^30 100$'
  eventually screen_has '^/dev/pts/0$'
  tmux resize-window -x 91 -y 23
  eventually screen_has '^23 91$'
  press C-c
  eventually screen_has 'got-int'
  eventually screen_has '^code-7$'
  tmux resize-window -x 100 -y 30
  eventually host_size_is '30 100'
  sane_again
  type_in "'$MVM' exec -it tty sh -c 'echo asleep; exec sleep 1000'; echo code-\$?"
  eventually screen_has '^asleep$'
  kill "$(pgrep -P "$(tmux display-message -p '#{pane_pid}')")"
  eventually screen_has '^code-143$'
  sane_again
  same '' "$(mvm logs tty)"
  mvm rm -f tty
}
