#!/usr/bin/env bats
# The way out, into a world made of network namespaces: other addresses, an own DNS server, a narrow path, a peer that
# has IPv6 only. mvm runs in one of them as it would on a host there.
#
# shellcheck disable=SC2016,SC2154 # programs for the guest; variables that bats sets

load ../lib/vm.bash

# holder FLAG...: a process in new namespaces of its own, which live as long as it does.
holder() {
  unshare "$@" sleep 600 >/dev/null 2>&1 3>&- &
  echo $!
}

inside() { nsenter -t "$1" -n -m -- "${@:2}"; }
is_apart() { [ "$(readlink "/proc/$1/ns/net")" != "$(readlink /proc/self/ns/net)" ]; }

# link PID NAME MTU ADDRESS4 ADDRESS6  PID NAME ADDRESS4 ADDRESS6
link() {
  ip link add "$2" mtu "$3" netns "$1" type veth peer name "$7" mtu "$3" netns "$6" || return
  local side
  for side in "$1 $2 $4 $5" "$6 $7 $8 $9"; do
    # shellcheck disable=SC2086 # its words
    set -- $side
    inside "$1" ip addr add "$3" dev "$2"
    inside "$1" ip addr add "$4" dev "$2" nodad
    inside "$1" ip link set "$2" up
    inside "$1" ip link set lo up
  done
}

setup_file() {
  if ! command -v ip nsenter unshare >/dev/null || ! unshare -nm true 2>/dev/null; then
    skip "making network namespaces needs root, iproute2 and util-linux"
  fi
  export DEB=$REGISTRY/deb HOST ROUTER WORLD
  HOST=$(holder -n -m) ROUTER=$(holder -n -m) WORLD=$(holder -n -m)
  local pid
  for pid in $HOST $ROUTER $WORLD; do eventually is_apart "$pid"; done
  link "$HOST" up0 1500 10.88.0.2/24 fd88::2/64 "$ROUTER" down0 10.88.0.1/24 fd88::1/64
  link "$WORLD" here0 1280 203.0.113.2/24 2001:db8:1::2/64 "$ROUTER" there0 203.0.113.1/24 2001:db8:1::1/64
  inside "$WORLD" ip addr add 203.0.113.3/24 dev here0
  inside "$ROUTER" sh -c 'echo 1 >/proc/sys/net/ipv4/ip_forward; echo 1 >/proc/sys/net/ipv6/conf/all/forwarding'
  inside "$HOST" ip route add default via 10.88.0.1
  inside "$HOST" ip -6 route add default via fd88::1
  inside "$WORLD" ip route add default via 203.0.113.1
  inside "$WORLD" ip -6 route add default via 2001:db8:1::1
  # Ping sockets for everybody, as distributions have it.
  inside "$HOST" sh -c 'echo 0 2147483647 >/proc/sys/net/ipv4/ping_group_range'
  export RESOLV=$BATS_FILE_TMPDIR/resolv.conf
  echo "nameserver 203.0.113.2" >"$RESOLV"
  inside "$HOST" mount --bind "$RESOLV" /etc/resolv.conf
  nsenter -t "$WORLD" -n -m -- python3 "$BATS_TEST_DIRNAME/world.py" "$BATS_FILE_TMPDIR/ready" >"$BATS_FILE_TMPDIR/world.log" 2>&1 3>&- &
  export SERVERS=$!
  eventually test -e "$BATS_FILE_TMPDIR/ready"
  host network create --ipv6 outside >/dev/null
  host run -d --name traveller --network outside "$DEB" sleep 600 >/dev/null
}

teardown_file() {
  [ -n "${HOST:-}" ] || return 0
  host rm -f traveller >/dev/null
  host network rm outside >/dev/null
  kill "$SERVERS" "$HOST" "$ROUTER" "$WORLD"
}

# Every test leaves the container for the next.
teardown() { :; }

host() { inside "$HOST" timeout --foreground -k 5 60 "$MVM" "$@"; }
guest() { host exec traveller python3 -c "$@"; }

@test "TCP, UDP and ICMP to the world, by name, in both families" {
  run -0 guest 'import socket
print(socket.gethostbyname("both.example"), [a[4][0] for a in socket.getaddrinfo("six.example", 80, socket.AF_INET6, socket.SOCK_STREAM)])
for host in "both.example", "six.example":
    with socket.create_connection((host, 7), timeout=20) as s:
        s.sendall(b"there and back"); s.shutdown(socket.SHUT_WR)
        print(host, s.makefile("rb").read())
for family, host in (socket.AF_INET, "203.0.113.2"), (socket.AF_INET6, "2001:db8:1::2"):
    s = socket.socket(family, socket.SOCK_DGRAM); s.settimeout(3)
    for size in 10, 1200, 9000:
        # IPv6 learns how wide the path is by losing a datagram.
        for _ in range(5):
            s.sendto(b"x" * size, (host, 7))
            try: print(len(s.recv(65535))); break
            except TimeoutError: pass'
  same "203.0.113.2 ['2001:db8:1::2']
both.example b'there and back'
six.example b'there and back'
10
1200
9000
10
1200
9000" "$output"
  run -0 host exec traveller ping -c 2 -W 10 203.0.113.2
  has "$output" "2 received"
}

@test "64 MiB each way through the narrow path are what they were" {
  run -0 guest 'import hashlib, os, socket
data = os.urandom(1 << 20)
with socket.create_connection(("both.example", 9), timeout=60) as s:
    for _ in range(64): s.sendall(data)
    s.shutdown(socket.SHUT_WR)
    theirs = s.makefile("rb").read().decode()
own = hashlib.sha256()
for _ in range(64): own.update(data)
print(theirs == own.hexdigest())
with socket.create_connection(("both.example", 19), timeout=60) as s:
    stream, total, own = s.makefile("rb"), 0, hashlib.sha256()
    told = stream.readline().decode().strip()
    while piece := stream.read(1 << 16): own.update(piece); total += len(piece)
print(total == 64 << 20, told == own.hexdigest())'
  same $'True\nTrue True' "$output"
}

@test "the host's resolver changes while the guest runs; none that answers is an error in time" {
  run -0 guest 'import socket; print(socket.gethostbyname("where.example"))'
  same 192.0.2.2 "$output"
  echo "nameserver 203.0.113.3" >"$RESOLV"
  run -0 guest 'import socket; print(socket.gethostbyname("where.example"))'
  same 192.0.2.3 "$output"
  echo "nameserver 203.0.113.99" >"$RESOLV"
  run -0 guest 'import socket
try: print(socket.gethostbyname("where.example"))
except socket.gaierror as error: print("no", error.errno)'
  same "no -3" "$output"
  echo "nameserver 203.0.113.2" >"$RESOLV"
}

@test "who is not there is said to be so" {
  run -0 guest 'import socket
for host, port in ("both.example", 1), ("six.example", 1):
    try: socket.create_connection((host, port), timeout=20); print("connected")
    except ConnectionRefusedError: print("refused")'
  same $'refused\nrefused' "$output"
}
