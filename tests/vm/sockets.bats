#!/usr/bin/env bats
# Unix sockets across the machine's boundary: --publish-socket, --ssh, and -v of a socket.
# shellcheck disable=SC2016,SC2030,SC2031,SC2154,SC2317 # bats, and words for the guest's shell

load ../lib/vm

setup() {
  # Short: a socket's path may have 103 bytes.
  DIR=$(mktemp -d /tmp/mvm-sock.XXXXXX)
  PEER=$(cat "$BATS_TEST_DIRNAME/sockets/peer.py")
  HELPERS=()
}

test_teardown() {
  local pid
  for pid in "${HELPERS[@]}"; do kill "$pid" 2>/dev/null || true; done
  rm -rf "$DIR"
}

peer() { timeout "${MVM_PATIENCE:-240}" python3 -c "$PEER" "$@"; }

# in_guest NAME OPTION... -- WHAT PATH ...
in_guest() {
  local name=$1 options=()
  shift
  while [ "$1" != -- ]; do options+=("$1") && shift; done
  shift
  MVM_PATIENCE=240 mvm exec "${options[@]}" "$name" sh -c 'exec python3 -c "$PEER" "$@"' sh "$@"
}

# host_server PATH [BACKLOG]: a peer that serves on the host.
host_server() {
  python3 -c "$PEER" serve "$@" >"$1.log" 2>&1 3>&- &
  HELPERS+=($!)
  eventually grep -q ready "$1.log"
}

# key_agent PATH KEYS: an ssh-agent with so many keys; it prints its process.
key_agent() {
  local i
  ssh-agent -a "$1" -D >/dev/null 2>&1 3>&- &
  HELPERS+=($!)
  eventually test -S "$1"
  for ((i = 0; i < $2; i++)); do
    [ -e "$DIR/key$i" ] || ssh-keygen -q -t ed25519 -N '' -f "$DIR/key$i"
    SSH_AUTH_SOCK=$1 ssh-add -q "$DIR/key$i"
  done
}

gone() { [ ! -e "$1" ]; }
fails() { ! "$@"; }

@test "a socket of the container's at one of the host: what passes, and what shows of it" {
  mvm run -d --name srv -e "PEER=$PEER" --network none --publish-socket "$DIR/echo.sock:/var/run/link.sock" \
    --publish-socket "$DIR/later.sock:/srv/later/x.sock" "$REGISTRY/deb" \
    sh -c 'ln -s /srv/peer.sock /run/link.sock; exec python3 -c "$PEER" serve /srv/peer.sock 5'
  same 600 "$(stat -c %a "$DIR/echo.sock")"
  eventually log_has srv ready

  peer half_close "$DIR/echo.sock"
  peer download "$DIR/echo.sock" $((64 << 20))
  peer upload "$DIR/echo.sock" $((64 << 20))
  peer stall "$DIR/echo.sock"
  # The service's backlog is 5.
  peer many "$DIR/echo.sock" 200
  peer leave "$DIR/echo.sock" /left 1000000
  left() { [ "$(mvm exec srv cat /left)" = 1000000 ]; }
  eventually left

  # A service may come later, and go.
  peer refused "$DIR/later.sock"
  mvm exec -d srv sh -c 'mkdir /srv/later; exec python3 -c "$PEER" serve /srv/later/x.sock'
  eventually peer half_close "$DIR/later.sock"
  mvm exec srv rm /srv/later/x.sock
  peer refused "$DIR/later.sock"

  same "[{\"HostPath\":\"$DIR/echo.sock\",\"Path\":\"/var/run/link.sock\"},{\"HostPath\":\"$DIR/later.sock\",\"Path\":\"/srv/later/x.sock\"}]" \
    "$(mvm inspect srv | jq -c '.[0].Machine.PublishedSockets')"
  # Neither may another container have it, nor does its try harm anything.
  run -125 --separate-stderr mvm run --rm --publish-socket "$DIR/echo.sock:/x" "$IMAGE" true
  error_says "Bind for $DIR/echo.sock failed" "another program listens there"
  peer half_close "$DIR/echo.sock"

  mvm stop -t 0 srv
  gone "$DIR/echo.sock"
  gone "$DIR/later.sock"
  mvm start srv
  eventually peer half_close "$DIR/echo.sock"
  mvm rm -f srv
  gone "$DIR/echo.sock"
}

@test "what cannot be bound costs no boot and says why" {
  local long
  run -125 --separate-stderr mvm run --publish-socket echo.sock "$IMAGE" true
  error_says "invalid socket 'echo.sock': expected HOST.sock:/GUEST.sock"
  run -125 --separate-stderr mvm run --publish-socket "$DIR/a:b" "$IMAGE" true
  error_says "invalid socket '$DIR/a:b'"
  long=$DIR/$(printf 'x%.0s' {1..100})
  run -125 --separate-stderr mvm run --publish-socket "$long:/x" "$IMAGE" true
  error_says "$long" "may be 103 bytes long"
  run -125 --separate-stderr mvm run --rm --publish-socket "$DIR/none/a.sock:/x" "$IMAGE" true
  error_says "there is no folder $DIR/none; make it first"
  echo precious >"$DIR/file"
  run -125 --separate-stderr mvm run --rm --publish-socket "$DIR/ok.sock:/x" --publish-socket "$DIR/file:/x" "$IMAGE" true
  error_says "Bind for $DIR/file failed: there is a file already"
  same precious "$(cat "$DIR/file")"
  gone "$DIR/ok.sock"
}

@test "what a killed container leaves is replaced, and cleared away" {
  local pid
  # Relative to where the user is.
  (cd "$DIR" && mvm run -d --name one --publish-socket s.sock:/x "$IMAGE" sleep 1000)
  test -S "$DIR/s.sock"
  pid=$(mvm inspect -f '{{.State.Pid}}' one)
  kill -9 "$pid"
  dead() { fails kill -0 "$pid" 2>/dev/null; }
  eventually dead
  test -S "$DIR/s.sock"
  # Another takes its place: nobody has noticed yet.
  mvm run -d --name two --publish-socket "$DIR/s.sock:/x" "$IMAGE" sleep 1000
  mvm rm -f one
  test -S "$DIR/s.sock"
  pid=$(mvm inspect -f '{{.State.Pid}}' two)
  kill -9 "$pid"
  eventually dead
  mvm ps -a >/dev/null
  gone "$DIR/s.sock"
  mvm rm -f two
  # One that must be killed to be removed leaves nothing.
  mvm run -d --name three --publish-socket "$DIR/s.sock:/x" "$IMAGE" sleep 1000
  pid=$(mvm inspect -f '{{.State.Pid}}' three)
  kill -STOP "$pid"
  mvm rm -f three
  gone "$DIR/s.sock"
}

@test "--ssh: the user's agent, for any user of the container, and as it is at each start" {
  key_agent "$DIR/agent" 2
  export SSH_AUTH_SOCK=$DIR/agent
  mvm run -d --name ssh --ssh --read-only --tmpfs /tmp -e "PEER=$PEER" "$REGISTRY/deb" sh -c 'echo $SSH_AUTH_SOCK; sleep 1000'
  eventually log_has ssh /run/host-services/ssh-auth.sock
  same /run/host-services/ssh-auth.sock "$(mvm exec ssh sh -c 'echo $SSH_AUTH_SOCK')"
  same 2 "$(in_guest ssh -- identities /run/host-services/ssh-auth.sock)"
  same 2 "$(in_guest ssh -u 1000:1000 -- identities /run/host-services/ssh-auth.sock)"
  same true "$(mvm inspect -f '{{.Machine.Ssh}}' ssh)"
  # An agent that comes back at its path is reached by who runs already.
  kill "${HELPERS[0]}" && eventually gone "$DIR/agent"
  in_guest ssh -- refused /run/host-services/ssh-auth.sock
  key_agent "$DIR/agent" 1
  same 1 "$(in_guest ssh -- identities /run/host-services/ssh-auth.sock)"
  # A new login has another path: it counts from the next start on. One without an agent takes the last.
  key_agent "$DIR/second" 2
  mvm stop -t 0 ssh
  SSH_AUTH_SOCK=$DIR/second mvm start ssh
  same 2 "$(in_guest ssh -- identities /run/host-services/ssh-auth.sock)"
  mvm stop -t 0 ssh
  env -u SSH_AUTH_SOCK "$MVM" start ssh
  same 1 "$(in_guest ssh -- identities /run/host-services/ssh-auth.sock)"
  mvm rm -f ssh

  unset SSH_AUTH_SOCK
  run -125 --separate-stderr mvm run --rm --ssh "$IMAGE" true
  error_says '--ssh: SSH_AUTH_SOCK is not set'
  SSH_AUTH_SOCK=$DIR/nothing run -125 --separate-stderr mvm run --rm --ssh "$IMAGE" true
  error_says "--ssh: SSH_AUTH_SOCK is $DIR/nothing, where no ssh-agent's socket is"
}

@test "-v and --mount of a socket of the host: what passes, and what a guest cannot reach" {
  local path=/run/app/host.sock
  mkdir "$DIR/folder"
  host_server "$DIR/host.sock" 5
  host_server "$DIR/two.sock"
  mvm run -d --name out -v "$DIR/host.sock:$path" --mount "type=bind,src=$DIR/two.sock,dst=/data/two.sock,readonly" \
    -v "$DIR/folder:/data" -e "PEER=$PEER" "$REGISTRY/deb" sleep 1000
  same "$(id -u)" "$(in_guest out -u 1000 -- say $path uid)"
  in_guest out -- half_close $path
  in_guest out -- download $path $((64 << 20))
  in_guest out -- upload $path $((64 << 20))
  in_guest out -- stall $path
  in_guest out -- many $path 200
  in_guest out -- leave $path "$DIR/left" 1000000
  left() { [ "$(cat "$DIR/left")" = 1000000 ]; }
  eventually left
  in_guest out -- half_close /data/two.sock
  has "$(mvm inspect -f '{{json .Mounts}}' out)" "\"Source\":\"$DIR/host.sock\",\"Destination\":\"$path\""

  # Root in the guest gets these by their ports, and nothing else.
  same $'512\n513' "$(in_guest out -- vsock - 500 1100)"
  same '' "$(in_guest out -- vsock - 4000 4200)"
  in_guest out -- half_close $path

  # Its program may have gone when the container starts, which makes no folder of it, and come back.
  mvm stop -t 0 out
  kill "${HELPERS[@]}"
  rm -f "$DIR/host.sock"
  mvm start out
  in_guest out -- refused $path
  gone "$DIR/host.sock"
  host_server "$DIR/host.sock"
  in_guest out -- half_close $path
  mvm rm -f out

  SSH_AUTH_SOCK=$DIR/host.sock run -125 --separate-stderr mvm run --rm --ssh \
    -v "$DIR/host.sock:/run/host-services/ssh-auth.sock" "$IMAGE" true
  error_says 'Duplicate mount point: /run/host-services/ssh-auth.sock'
}

@test "links that a guest makes in a shared folder lead to no socket, folder or file outside of it" {
  mkdir -p "$DIR/w/sub" "$DIR/other"
  echo secret >"$DIR/other/file"
  echo own >"$DIR/w/file"
  host_server "$DIR/w/app.sock"
  host_server "$DIR/other/private.sock"
  mvm run -d --name link -v "$DIR/w:/w" -v "$DIR/w/app.sock:/app.sock" -e "PEER=$PEER" "$REGISTRY/deb" sleep 1000
  in_guest link -- half_close /app.sock
  mvm exec link sh -c 'mv /w/app.sock /w/kept.sock && ln -s ../other/private.sock /w/app.sock'
  peer half_close "$DIR/w/app.sock"
  in_guest link -- refused /app.sock
  has "$(cat "$MVM_HOME"/containers/*/supervisor.log)" "$DIR/w/app.sock: a link leads out of a shared folder"
  # One that stays inside is the user's affair.
  mvm exec link ln -sf kept.sock /w/app.sock
  in_guest link -- half_close /app.sock
  mvm rm -f link

  mvm run -d --name link -v "$DIR/w:/w" -v "$DIR/w/sub:/sub" -v "$DIR/w/new/folder:/new" -v "$DIR/w/file:/file" \
    --publish-socket "$DIR/w/pub/x.sock:/x.sock" "$IMAGE" sleep 1000 && return 1
  mkdir "$DIR/w/pub"
  mvm start link
  same own "$(mvm exec link cat /file)"
  restart_says() {
    mvm stop -t 0 link
    run -1 --separate-stderr mvm start link
    error_says "$1: a link leads out of a shared folder that the container can write"
  }
  mvm exec link sh -c 'mv /w/sub /w/was && ln -s ../other /w/sub'
  restart_says "$DIR/w/sub"
  rm "$DIR/w/sub" && mv "$DIR/w/was" "$DIR/w/sub"
  mvm start link
  mvm exec link sh -c 'rmdir /w/new/folder /w/new && ln -s ../other /w/new'
  restart_says "$DIR/w/new/folder"
  gone "$DIR/other/folder"
  rm "$DIR/w/new"
  mvm start link
  mvm exec link sh -c 'mv /w/file /w/was && ln -s ../other/file /w/file'
  restart_says "$DIR/w/file"
  mv "$DIR/w/was" "$DIR/w/file"
  mvm start link
  mvm exec link sh -c 'mv /w/pub /w/was && ln -s ../other /w/pub'
  restart_says "$DIR/w/pub/x.sock"
  gone "$DIR/other/x.sock"
  mvm rm -f link
  # What the container can only read it cannot have made.
  mvm run --rm -v "$DIR/w:/w:ro" -v "$DIR/w/pub:/other" "$IMAGE" cat /other/file
}

@test "a socket of the host's that its policy's next round needs, and more than there is room for" {
  local i options=()
  host_server "$DIR/host.sock"
  mvm run -d --name again --restart always -v "$DIR/host.sock:/h.sock" -e "PEER=$PEER" "$REGISTRY/deb" \
    sh -c 'while [ ! -e /die ]; do sleep 0.1; done; rm /die'
  mvm exec again touch /die
  restarted() { [ "$(mvm inspect -f '{{.RestartCount}}' again)" -ge 1 ] && is_state again running; }
  eventually restarted
  in_guest again -- half_close /h.sock
  mvm rm -f again
  for ((i = 0; i < 64; i++)); do options+=(-v "$DIR/host.sock:/run/many/$i"); done
  mvm run --rm "${options[@]}" "$IMAGE" test -S /run/many/63
  run -125 --separate-stderr mvm run --rm "${options[@]}" -v "$DIR/host.sock:/more" "$IMAGE" true
  error_says 'more than 64 sockets of the host cannot be mounted'
}
