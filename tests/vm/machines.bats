#!/usr/bin/env bats
# mvm machine: the user's own account, home and folder inside, and the image's init.
# shellcheck disable=SC2016,SC2030,SC2031,SC2154 # bats, and words for the guest's shell

load ../lib/vm
load ../lib/user

setup() {
  HOST=$(mktemp -d "${TMPDIR:-/tmp}/mvm-machines-XXXXXX")
  chmod 755 "$HOST"
  mkdir "$HOST/root"
}

test_teardown() {
  local left
  left=$(mvm machine ls -q)
  # shellcheck disable=SC2086 # one name a word
  [ -z "$left" ] || mvm machine rm -f $left >/dev/null
  if [ -n "${USER_MADE:-}" ]; then
    left=$(as_user timeout 60 "$HOST/mvm/mvm" machine ls -q)
    # shellcheck disable=SC2086 # one name a word
    [ -z "$left" ] || as_user timeout 60 "$HOST/mvm/mvm" machine rm -f $left >/dev/null
  fi
  remove_user
  rm -rf "$HOST"
}

@test "a user's machine with systemd: account, home, services that stay" {
  make_user with
  local mvm=$HOST/mvm/mvm
  user_mvm() { (cd "$HOST/home/src" && as_user timeout "${MVM_PATIENCE:-60}" "$mvm" "$@"); }
  as_user mkdir -p "$HOST/home/src"
  same dev "$(user_mvm machine create -q --name dev --cpus 1 -m 1g "$REGISTRY/deb")"
  # It is started where it does not run.
  same "$USER_MADE $(id -u "$USER_MADE") $(id -g "$USER_MADE") $(id -gn "$USER_MADE") $HOST/home/src $HOST/home dev" \
    "$(user_mvm shell dev -- sh -c 'echo $(id -un) $(id -u) $(id -g) $(id -gn) $(pwd) $HOME $(hostname)' 2>/dev/null)"
  user_mvm shell dev -- sh -c 'touch made; sudo -n touch by-root; echo $SHELL'
  same "$(id -u "$USER_MADE"):$(id -g "$USER_MADE")" "$(stat -c %u:%g "$HOST/home/src/made")"
  # Root inside is nobody of the host.
  [ "$(stat -c %u "$HOST/home/src/by-root")" -ge 100000 ]
  same 0 "$(user_mvm shell -- stat -c %u by-root)"

  is_up() { same running "$(user_mvm shell -- systemctl is-system-running)"; }
  eventually is_up
  user_mvm shell -- sudo sh -c 'printf "[Service]\nType=oneshot\nExecStart=/bin/sh -c \"echo up >>/var/log/mine\"\n[Install]\nWantedBy=multi-user.target\n" \
    >/etc/systemd/system/mine.service && systemctl enable --now mine 2>/dev/null'
  same dev "$(user_mvm machine stop)"
  same Stopped "$(user_mvm machine ls --format '{{.Status}}')"
  same dev "$(user_mvm machine start)"
  ran_twice() { same $'up\nup' "$(user_mvm shell -- cat /var/log/mine)"; }
  eventually ran_twice

  # A shell's exit code, streams and input are a program's.
  same in "$(echo in | user_mvm shell -- cat)"
  run -3 user_mvm shell -- sh -c 'exit 3'
  run -127 user_mvm shell -- nosuch
  # No list of containers has it, and no cleaning-up takes it.
  same '' "$(user_mvm ps -aq)"
  user_mvm machine stop
  user_mvm system prune -af >/dev/null
  same dev "$(user_mvm machine ls -q)"
  same dev "$(user_mvm machine rm -f dev)"
  same '' "$(user_mvm machine ls -q)"
}

@test "ports that programs listen at are those of the host's loopback, as long as they do and they are free there" {
  export HOME=$HOST/root
  local port=$((20000 + RANDOM % 9000)) taken=$((30000 + RANDOM % 2000)) listener
  mvm machine create -q --name ports -p "$((port + 7)):7" "$REGISTRY/deb"
  python3 -m http.server --bind 127.0.0.1 --directory "$HOST" "$taken" >/dev/null 2>&1 3>&- &
  listener=$!
  serves() { curl -sf -m 10 "$1" 2>/dev/null | grep -qF "$2"; }
  eventually serves "http://127.0.0.1:$taken/" root
  mvm shell ports -- sh -c "
    for port in $port $taken 80; do
      setsid python3 -m http.server --bind 127.0.0.1 --directory /etc \$port </dev/null >/dev/null 2>&1 & echo \$! >/srv/\$port
    done
    setsid python3 -m http.server --bind :: --directory /usr $((port + 1)) </dev/null >/dev/null 2>&1 &
    sleep 0.1"
  # Those of localhost, and those of all addresses.
  eventually serves "http://127.0.0.1:$port/" passwd
  eventually serves "http://[::1]:$((port + 1))/" share
  # What the host has stays the host's.
  serves "http://127.0.0.1:$taken/" root
  kill "$listener"
  # One that ends is free at once, for another.
  mvm shell ports -- sh -c "kill \$(cat /srv/$port)"
  is_free() { ! curl -s -m 5 "http://127.0.0.1:$port/" >/dev/null; }
  eventually is_free
  eventually mvm run --rm -p "127.0.0.1:$port:80" "$IMAGE" true
  # So are all when the machine stops.
  mvm machine stop ports
  mvm run --rm -p "127.0.0.1:$((port + 1)):80" "$IMAGE" true
}

@test "ssh: by an sshd of the machine's for each connection, for who may start mvm, over no port" {
  make_user with
  user_mvm() { (cd "$HOST/home" && as_user timeout "${MVM_PATIENCE:-60}" "$HOST/mvm/mvm" "$@"); }
  user_mvm machine create -q --name box "$REGISTRY/deb"
  user_mvm machine ssh-config box >"$HOST/ssh.config"
  chmod 644 "$HOST/ssh.config"
  user_ssh() { as_user timeout "${MVM_PATIENCE:-60}" "$1" -F "$HOST/ssh.config" "${@:2}"; }
  # The connection starts it.
  same "$USER_MADE $(id -u "$USER_MADE") $HOST/home" "$(user_ssh ssh mvm-box 'echo $(id -un) $(id -u) $PWD' </dev/null 2>/dev/null)"
  run -3 --separate-stderr user_ssh ssh mvm-box 'cat; echo err >&2; exit 3' < <(echo in)
  same in "$output"
  same err "$stderr"
  head -c 3000000 /dev/urandom >"$HOST/home/big"
  user_ssh scp -q "$HOST/home/big" mvm-box:copy
  same "$(sha256sum <"$HOST/home/big")" "$(user_mvm shell -- sh -c 'sha256sum <copy')"
  # Two at once; another key does not do.
  user_ssh ssh mvm-box sleep 2 </dev/null &
  user_ssh ssh mvm-box true </dev/null
  wait $!
  as_user ssh-keygen -q -t ed25519 -N '' -f "$HOST/home/other"
  sed "s|IdentityFile.*|IdentityFile $HOST/home/other|" "$HOST/ssh.config" >"$HOST/ssh.other"
  chmod 644 "$HOST/ssh.other"
  run -255 as_user timeout 60 ssh -F "$HOST/ssh.other" -o BatchMode=yes mvm-box true
  user_mvm machine rm -f box
}

@test "ssh: a machine without an sshd says what to install" {
  export HOME=$HOST/root
  mvm machine create -q "$IMAGE"
  mvm machine start
  run -127 --separate-stderr mvm machine ssh-proxy
  error_says 'there is no sshd in this machine; install one, on Debian the package openssh-server'
  mvm machine rm -f default
}

@test "any image: an account without a tool of the image's, and nobody's init" {
  export HOME=$HOST/root
  mvm machine create -q --name one -v "$HOST:/host" "$IMAGE"
  cd "$HOST/root"
  same "root $HOST/root" "$(mvm shell one -- sh -c 'echo $(id -un) $(pwd)')"
  same "$(ls "$HOST")" "$(mvm shell -- ls /host)"
  # What it has of the host, from its next start on.
  mvm machine stop one
  same one "$(mvm machine set --cpus 1 -m 600m one)"
  same 1 "$(mvm shell -- nproc)"
  same '1 629MB' "$(mvm machine ls --format '{{.CPUs}} {{.Memory}}')"
  run -125 --separate-stderr mvm machine set one
  error_says 'nothing to set; give --cpus, --memory or both'
  # The default: the only one, one that was chosen, or the one of that name.
  same one "$(mvm machine default)"
  mvm machine create -q --name two --default "$IMAGE"
  same two "$(mvm machine default)"
  mvm machine create -q "$IMAGE"
  same one "$(mvm machine default one)"
  same $'default\ntwo\none' "$(mvm machine ls -q)"
  same '*' "$(mvm machine ls --format '{{if eq .Name "one"}}{{.Default}}{{end}}' | tr -d '\n')"
  mvm cp one:/etc/passwd "$HOST/passwd"
  has "$(cat "$HOST/passwd")" root:x:0:0
  same one "$(mvm machine inspect -f '{{.Name}}' one | tr -d /)"
  # Nothing in it holds up a stop.
  local start=$SECONDS
  mvm machine stop one
  [ $((SECONDS - start)) -lt 8 ]
  mvm machine rm one
  same default "$(mvm machine default)"
}

@test "an account where the image has the user's name or number already" {
  make_user with
  local mvm=$HOST/mvm/mvm tree=$HOST/tree uid
  uid=$(id -u "$USER_MADE")
  mkdir -p "$tree/etc" "$tree/bin"
  cp /bin/busybox "$tree/bin/"
  ln -s busybox "$tree/bin/sh"
  ln -s busybox "$tree/bin/sleep"
  ln -s busybox "$tree/bin/id"
  ln -s busybox "$tree/bin/cat"
  printf 'root:x:0:0::/root:/bin/sh\nother:x:%s:7::/:/bin/false\n%s:x:7:7::/:/bin/false\nlast:x:9:9::/:/bin/sh' "$uid" "$USER_MADE" >"$tree/etc/passwd"
  printf 'root:x:0:\nstaff:x:%s:last' "$(id -g "$USER_MADE")" >"$tree/etc/group"
  printf 'root:*::0:::::\n%s:!::0:::::\n' "$USER_MADE" >"$tree/etc/shadow"
  tar -C "$tree" -cf "$HOST/image.tar" .
  cd "$HOST/home"
  as_user timeout 60 "$mvm" import "$HOST/image.tar" full >/dev/null
  as_user timeout 60 "$mvm" machine create full >/dev/null
  run --separate-stderr as_user timeout 60 "$mvm" shell -- sh -c 'id -un; id -u; id -Gn; cat /etc/passwd /etc/group'
  same "$USER_MADE
$uid
staff
root:x:0:0::/root:/bin/sh
last:x:9:9::/:/bin/sh
$USER_MADE:x:$uid:$(id -g "$USER_MADE")::$HOST/home:/bin/sh
root:x:0:
staff:x:$(id -g "$USER_MADE"):last,$USER_MADE" "$output"
  # Once more changes nothing.
  as_user timeout 60 "$mvm" machine stop >/dev/null
  same "$(printf '%s\n' "${lines[@]:3}")" "$(as_user timeout 60 "$mvm" shell -- cat /etc/passwd /etc/group)"
  as_user timeout 60 "$mvm" machine rm -f default
}

@test "what is no machine, and what is none yet" {
  export HOME=$HOST/root
  run -1 --separate-stderr mvm shell
  error_says "there is no machine; make one by 'mvm machine create IMAGE'"
  run -1 --separate-stderr mvm machine start nosuch
  error_says 'No such machine: nosuch'
  mvm create --name box "$IMAGE" >/dev/null
  run -1 --separate-stderr mvm machine rm -f box
  error_says "box is a container and no machine"
  mvm rm box
  mvm machine create -q --name twin "$IMAGE"
  run -1 --separate-stderr mvm machine create -q --name twin "$IMAGE"
  error_says twin 'already in use'
  mvm machine create -q --name other "$IMAGE"
  run -1 --separate-stderr mvm shell
  error_says 'there are several machines, and none is the default'
  run -125 --separate-stderr mvm machine create
  error_says '"mvm machine create" requires exactly 1 argument'
  HOME=/nowhere run -1 --separate-stderr mvm machine create -q "$IMAGE"
  error_says 'cannot share the home folder /nowhere'
}
