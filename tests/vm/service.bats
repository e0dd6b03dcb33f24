#!/usr/bin/env bats
# What the host's boot and shutdown mean to containers: system start, system stop, and the service that runs them.
#
# shellcheck disable=SC2016,SC2154 # programs for the guest; variables that bats sets

load ../lib/vm.bash

field() { mvm inspect -f "$2" "$1"; }

# crash CONTAINER...: as the power does it.
crash() {
  local name pid
  for name in "$@"; do
    pid=$(field "$name" '{{.State.Pid}}')
    kill -9 "$pid"
    eventually is_state "$name" exited
  done
}

sorted() { sort <<<"$1" | tr '\n' ' '; }

@test "after a crash of the host: what is to run again does, once, whoever starts it" {
  mvm create --name never --restart always "$IMAGE" true
  mvm run -d --name no "$IMAGE" sleep 1000
  mvm run -d --name always --restart always "$IMAGE" sleep 1000
  mvm run -d --name unless --restart unless-stopped "$IMAGE" sleep 1000
  mvm run -d --name failure --restart on-failure:3 "$IMAGE" sleep 1000
  mvm run -d --name stopped --restart unless-stopped "$IMAGE" sleep 1000
  mvm stop -t 0 stopped
  run -0 mvm run --name succeeded --restart on-failure "$IMAGE" true
  crash no always unless failure
  same 255 "$(field failure '{{.State.ExitCode}}')"
  # Several at once are as good as one.
  mvm system start >"$BATS_TEST_TMPDIR/first" 3>&- &
  local first=$!
  run -0 mvm system start
  wait "$first"
  same 'always failure unless ' "$(cat "$BATS_TEST_TMPDIR/first" - <<<"$output" | sed '/^$/d' | sort -u | tr '\n' ' ')"
  same 'always failure unless ' "$(sorted "$(mvm ps --format '{{.Names}}')")"
  same '' "$(mvm system start)"
  mvm rm -f never no always unless failure stopped succeeded
}

@test "a shutdown stops all in order and is nobody's wish; one that the user stopped before stays so" {
  local program='trap "echo in order; exit 0" TERM; echo ready; while :; do sleep 0.1; done'
  mvm run -d --name unless --restart unless-stopped "$IMAGE" sh -c "$program"
  mvm run -d --name plain "$IMAGE" sh -c "$program"
  mvm run -d --name loop --restart always "$IMAGE" sh -c 'exit 3'
  eventually log_has unless ready
  eventually log_has plain ready
  run -0 mvm system stop
  same 'loop plain unless ' "$(sorted "$output")"
  eventually no_own_processes
  has "$(mvm logs unless)" "in order"
  same '0 0' "$(field unless '{{.State.ExitCode}} {{.RestartCount}}')"
  same '' "$(mvm system stop)"
  run -0 mvm system start
  same 'loop unless ' "$(sorted "$output")"
  # As with docker, "always" is started after a boot even then.
  mvm stop loop unless
  run -0 mvm system start
  same loop "$output"
  mvm rm -f unless plain loop
}

@test "one that cannot be started does not keep the others from it" {
  mvm run -d --name broken --restart always "$IMAGE" sleep 1000
  mvm run -d --name whole --restart always "$IMAGE" sleep 1000
  mvm system stop
  rm "$MVM_HOME"/containers/"$(field broken '{{.Id}}')"/root.*
  run --separate-stderr -1 mvm system start
  same whole "$output"
  has "$stderr" "container broken: "
  mvm rm -f broken whole
}

@test "install-service: the unit, its link, twice, and away again; another home has another" {
  export HOME=$BATS_TEST_TMPDIR/user XDG_CONFIG_HOME=
  local units=$HOME/.config/systemd/user
  run --separate-stderr -0 env -u MVM_HOME -u MVM_CONFIG "$MVM" system install-service
  same "$units/mvm.service" "$output"
  has "$stderr" "loginctl enable-linger"
  grep -x "ExecStart=\"$(realpath "$MVM")\" system start" "$units/mvm.service"
  run -1 grep Environment "$units/mvm.service"
  same "$(realpath "$units/mvm.service")" "$(realpath "$units/default.target.wants/mvm.service")"
  env -u MVM_HOME -u MVM_CONFIG "$MVM" system install-service
  local other
  other=$(MVM_HOME="$BATS_TEST_TMPDIR/other home" MVM_CONFIG=$BATS_TEST_TMPDIR/other.json "$MVM" system install-service 2>/dev/null)
  [[ $other == "$units"/mvm-????????.service ]]
  grep -xF "Environment=\"MVM_HOME=$BATS_TEST_TMPDIR/other home\"" "$other"
  grep -xF "Environment=\"MVM_CONFIG=$BATS_TEST_TMPDIR/other.json\"" "$other"
  MVM_HOME="$BATS_TEST_TMPDIR/other home" "$MVM" system uninstall-service
  [ ! -e "$other" ]
  [ -e "$units/mvm.service" ]
  env -u MVM_HOME -u MVM_CONFIG "$MVM" system uninstall-service
  env -u MVM_HOME -u MVM_CONFIG "$MVM" system uninstall-service
  same '' "$(find "$HOME/.config" -type f -o -type l)"
}
