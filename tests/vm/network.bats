#!/usr/bin/env bats
# Networks: a container's way out and to its neighbours, names, and what keeps networks apart.
#
# shellcheck disable=SC2016,SC2154 # programs for the guest; variables that bats sets

load ../lib/vm.bash
load ../lib/network.bash

@test "the default network: address, route, names, the gateway, and the host's loopback in both families" {
  local port
  port=$(cat "$HOST_PORT_FILE")
  mvm run -d --name out --hostname box "$DEB" sleep 600
  run -0 mvm exec out python3 -c '
import socket
print(socket.gethostbyname("box"), socket.gethostbyname("out"))
print(open("/etc/resolv.conf").read().split("\n")[0])
print([line for line in open("/etc/hosts") if "box" in line])'
  local ip
  ip=$(mvm inspect -f '{{.NetworkSettings.IPAddress}}' out)
  [[ $ip =~ ^192\.168\.[0-9]+\.[0-9]+$ ]]
  has "$output" "$ip $ip" "nameserver ${ip%.*}.1" "$ip\\tbox\\n"
  same default "$(mvm ps --filter name=out --format '{{.Networks}}')"
  same "from the host" "$(python out "$fetch" "http://host.docker.internal:$port/")"
  same "from the host" "$(python out "$fetch" "http://host.mvm.internal:$port/")"
  local six
  six=$(mvm inspect -f '{{.NetworkSettings.Networks.default.IPv6Gateway}}' out)
  same "from the host" "$(python out "$fetch" "http://[$six]:$port/")"
  run -0 mvm exec out ping -c 1 -W 10 "${ip%.*}.1"
  # Nobody listens there, and that is said at once.
  has "$(python out "$connect" host.docker.internal 1)" "refused"
  # A name that is nobody's, and one of ours that has no address of the family asked for.
  run -0 mvm exec out python3 -c '
import socket
for name, family in ("nosuch.docker.internal", socket.AF_INET), ("host.docker.internal", socket.AF_INET6):
    try: print(socket.getaddrinfo(name, 80, family))
    except socket.gaierror as error: print(error.errno)'
  same $'-2\n-5' "$output"
  mvm rm -f out
}

@test "neighbours: ping and iperf3 by name, alias and reverse; another network is far away" {
  mvm network create near
  mvm network create far
  mvm run -d --name server --network near --network-alias service "$DEB" sh -c 'iperf3 -s & exec python3 -m http.server 8080 -d /etc'
  mvm run -d --name client --network near "$DEB" sleep 600
  mvm run -d --name stranger --network far "$DEB" sleep 600
  run -0 mvm exec client ping -c 2 -W 10 server
  has "$output" "2 received"
  eventually python client "$fetch" http://service:8080/hostname
  run -0 mvm exec client python3 -c 'import socket; print(socket.gethostbyaddr(socket.gethostbyname("service"))[0], socket.gethostbyname("SERVER.near") == socket.gethostbyname("service"))'
  same "server.near True" "$output"
  run -0 mvm exec client iperf3 -c server -n 64M -J
  echo "$output" | jq -e '.end.sum_received.bytes > 60000000'
  # Seen from outside: who has which address, and who has talked to whom.
  run -0 mvm network inspect near
  local server_ip client_ip
  server_ip=$(jq -r '.[0].Containers[] | select(.Name == "server").IPv4Address' <<<"$output")
  client_ip=$(jq -r '.[0].Containers[] | select(.Name == "client").IPv4Address' <<<"$output")
  same "$(jq -c '[.[0].Containers | to_entries[] | [.key, .value.IPv4Address, true]] | sort' <<<"$output")" \
    "$(jq -c '[.[0].Leases[] | [.Container, .IPv4Address, .Live]] | sort' <<<"$output")"
  flow() { jq -e "[.[0].Flows[] | select(.Protocol == \"$1\" and (.Source | startswith(\"${client_ip%/*}:\")) and (.Destination | startswith(\"$2\")))] | $3" <<<"$output"; }
  flow tcp "${server_ip%/*}:5201" 'map(.BytesOut) | max > 60000000'
  flow tcp "${server_ip%/*}:8080" 'all(.State == "closed" and .BytesIn > 100)'
  flow icmp "${server_ip%/*}:" 'any(.FramesOut >= 2 and .FramesIn == .FramesOut and .State == "established")'
  flow udp "$(jq -r '.[0].IPAM.Config[0].Gateway' <<<"$output"):53" 'length > 0'
  jq -e '.[0].FlowCount == (.[0].Flows | length)' <<<"$output"
  local ip
  ip=$(mvm inspect -f '{{.NetworkSettings.Networks.near.IPAddress}}' server)
  # Whatever the host's own network makes of that address, it is not the server.
  run python stranger "$fetch" "http://$ip:8080/hostname"
  [ "$status" = 1 ]
  run mvm exec stranger python3 -c 'import socket; socket.gethostbyname("server")'
  [ "$status" = 1 ]
  # A network that is in use stays; the process of each ends with its last guest.
  run --separate-stderr -1 mvm network rm near
  error_says "network near has active endpoints"
  mvm rm -f server client stranger >/dev/null
  eventually no_own_processes
  run -0 mvm network rm near far
  same $'near\nfar' "$output"
}

@test "internal: neighbours and their names, but no way out; none: loopback alone" {
  local port
  port=$(cat "$HOST_PORT_FILE")
  mvm network create --internal inside
  mvm run -d --name one --network inside "$DEB" python3 -m http.server 8080 -d /etc
  mvm run -d --name two --network inside "$DEB" sleep 600
  eventually python two "$fetch" http://one:8080/hostname
  local gateway
  gateway=$(mvm network inspect -f '{{(index .IPAM.Config 0).Gateway}}' inside)
  has "$(python two "$connect" "$gateway" "$port")" no:
  has "$(python two "$connect" 203.0.113.1 80)" no:
  # Over TCP, too, DNS is there.
  run -0 mvm exec two python3 -c '
import socket, struct, sys
query = struct.pack(">HHHHHH", 7, 0x100, 1, 0, 0, 0) + b"\x03one\x00" + struct.pack(">HH", 1, 1)
with socket.create_connection((sys.argv[1], 53), timeout=20) as s:
    for part in (struct.pack(">H", len(query)), query[:5], query[5:]): s.sendall(part)
    size = struct.unpack(">H", s.recv(2, socket.MSG_WAITALL))[0]
    answer = s.recv(size, socket.MSG_WAITALL)
print(struct.unpack(">HHHH", answer[:8])[3], socket.inet_ntoa(answer[-4:]) == socket.gethostbyname("one"))' "$gateway"
  same "1 True" "$output"
  mvm rm -f one two >/dev/null
  mvm network rm inside
  run -0 mvm run --rm --network none "$DEB" python3 -c 'import os; print(os.listdir("/sys/class/net"))'
  same "['lo']" "$output"
}

@test "addresses, names and domains that were asked for" {
  mvm network create --subnet 10.213.7.0/24 --gateway 10.213.7.9 --subnet fd00:213:7::/64 --mtu 1400 --label use=test chosen
  mvm run -d --name fixed --network chosen --ip 10.213.7.77 --ip6 fd00:213:7::77 --mac-address 92:d0:c6:0a:29:33 \
    --add-host other:192.0.2.5 --add-host up:host-gateway --dns-search corp.example --dns-option timeout:3 "$DEB" sleep 600
  run -0 mvm exec fixed python3 -c '
import socket
for name in "/sys/class/net/eth0/address", "/sys/class/net/eth0/mtu": print(open(name).read().strip())
print(socket.gethostbyname("fixed"), socket.gethostbyname("other"), socket.gethostbyname("up"))
print([a[4][0] for a in socket.getaddrinfo("fixed.chosen", 80, socket.AF_INET6, socket.SOCK_STREAM)])
print(open("/etc/resolv.conf").read())'
  has "$output" 92:d0:c6:0a:29:33 $'\n1400\n' "10.213.7.77 192.0.2.5 10.213.7.9" "['fd00:213:7::77']" \
    "nameserver 10.213.7.9" "search corp.example" "timeout:3"
  same "10.213.7.77 24 10.213.7.9 92:d0:c6:0a:29:33 fd00:213:7::77" "$(mvm inspect -f '{{with .NetworkSettings.Networks.chosen}}{{.IPAddress}} {{.IPPrefixLen}} {{.Gateway}} {{.MacAddress}} {{.GlobalIPv6Address}}{{end}}' fixed)"
  same "fixed 10.213.7.77/24" "$(mvm network inspect -f '{{range .Containers}}{{.Name}} {{.IPv4Address}}{{end}}' chosen)"
  run --separate-stderr -125 mvm run --rm --network chosen --ip 10.213.7.77 "$IMAGE" true
  error_says "network chosen" "Address already in use"
  run --separate-stderr -125 mvm run --rm --network chosen --ip 10.9.9.9 "$IMAGE" true
  error_says "10.9.9.9" "10.213.7.0/24"
  run --separate-stderr -125 mvm run --rm --network chosen --mac-address 92:d0:c6:0a:29:33 "$IMAGE" true
  error_says "MAC address already in use"
  same chosen "$(mvm network ls --filter label=use=test --format '{{.Name}}')"
  mvm rm -f fixed
  mvm network rm chosen
}

@test "what cannot be is refused before anything is made" {
  mvm network create --subnet 10.214.0.0/24 taken
  run --separate-stderr -1 mvm network create --subnet 10.214.0.128/25 second
  error_says "Pool overlaps" taken
  run --separate-stderr -1 mvm network create --subnet 10.214.0.0/30 second
  error_says "8 to 29"
  run --separate-stderr -1 mvm network create --subnet 10.215.0.0/24 --gateway 10.214.0.1 second
  error_says "no matching subnet for gateway 10.214.0.1"
  run --separate-stderr -1 mvm network create --subnet 127.0.0.0/16 second
  error_says "127.0.0.0/16" "cannot have such addresses"
  run --separate-stderr -1 mvm network create --gateway fd00:214::1 second
  error_says "no matching subnet for gateway fd00:214::1"
  mvm network create --subnet fd00:214::/64 taken6
  run --separate-stderr -1 mvm network create --subnet fd00:214::/64 second
  error_says "Pool overlaps" taken6
  mvm network rm taken6
  run --separate-stderr -1 mvm network create taken
  error_says "network with name taken already exists"
  same "[] [] 0" "$(mvm network inspect -f "{{json .Leases}} {{json .Flows}} {{.FlowCount}}" taken)"
  run --separate-stderr -1 mvm network create no/name
  error_says "no/name"
  run --separate-stderr -1 mvm network create -d overlay second
  error_says overlay
  run --separate-stderr -1 mvm network rm nosuch
  error_says "network nosuch not found"
  run --separate-stderr -1 mvm network rm default
  error_says "pre-defined network"
  same $'default\ntaken' "$(mvm network ls --format '{{.Name}}')"
  run --separate-stderr -125 mvm run --rm --network nosuch "$IMAGE" true
  error_says "network nosuch not found"
  run --separate-stderr -125 mvm run --rm --network host "$IMAGE" true
  error_says "host.docker.internal" "-p"
  run --separate-stderr -125 mvm run --rm --add-host nonsense "$IMAGE" true
  error_says "bad format for add-host"
  run --separate-stderr -125 mvm run --rm --mac-address 01:00:00:00:00:00 "$IMAGE" true
  error_says multicast
  run --separate-stderr -125 mvm run --rm --mac-address nonsense "$IMAGE" true
  error_says "not a valid mac address"
  no_containers
  mvm create --name holder --network taken "$IMAGE" true >/dev/null
  same '' "$(mvm network prune -f)"
  mvm rm holder >/dev/null
  has "$(mvm network prune -f)" taken
}

@test "two networks in one container; the first leads out" {
  mvm network create left
  mvm network create right
  mvm run -d --name middle --network left --network right "$DEB" sleep 600
  mvm run -d --name rightmost --network right "$DEB" python3 -m http.server 8080 -d /etc
  eventually python middle "$fetch" http://rightmost:8080/hostname
  same "left,right" "$(mvm ps --filter name=middle --format '{{.Networks}}')"
  run -0 mvm exec middle python3 -c '
import os
print(sorted(os.listdir("/sys/class/net")))
print([line.split()[0] for line in open("/proc/net/route") if line.split()[1] == "00000000"])'
  same $'[\'eth0\', \'eth1\', \'lo\']\n[\'eth0\']' "$output"
  same "from the host" "$(python middle "$fetch" "http://host.docker.internal:$(cat "$HOST_PORT_FILE")/")"
  mvm rm -f middle rightmost >/dev/null
  mvm network rm left right
}

network_process() { mvm_processes | sed -n 's/ net$//p'; }
has_other_network_process() { local pid; pid=$(network_process); [ -n "$pid" ] && [ "$pid" != "$1" ]; }

@test "a network process that is killed is started again: same addresses, same wire" {
  mvm run -d --name first "$DEB" python3 -m http.server 8080 -d /etc
  mvm run -d --name second "$DEB" sleep 600
  eventually python second "$fetch" http://first:8080/hostname
  local old ip
  ip=$(mvm inspect -f '{{.NetworkSettings.IPAddress}}' first)
  old=$(network_process)
  # Whoever runs it, it has no raw sockets (CAP_NET_RAW is bit 13).
  same 0 $((0x$(sed -n 's/^CapEff:\t//p' "/proc/$old/status") >> 13 & 1))
  kill -9 "$old"
  eventually has_other_network_process "$old"
  eventually python second "$fetch" http://first:8080/hostname
  same "$ip" "$(mvm exec second python3 -c 'import socket; print(socket.gethostbyname("first"))')"
  mvm rm -f first second >/dev/null
  eventually no_own_processes
}

@test "a network process that is killed together with the last machine leaves no socket" {
  mvm run -d --name last "$DEB" sleep 600
  local supervisor socket
  supervisor=$(mvm_processes | sed -n 's/ supervisor$//p')
  socket=$(tr '\0' '\n' <"/proc/$(network_process)/cmdline" | sed -n 2p)
  [ -S "$socket" ]
  kill -STOP "$supervisor"
  kill -9 "$(network_process)" "$(mvm_processes | sed -n 's/ qemu$//p')"
  kill -CONT "$supervisor"
  eventually no_own_processes
  same "" "$(find "${socket%/*}" -name "${socket##*/}*")"
  mvm rm last >/dev/null
}

@test "a guest that takes another's addresses is not heard, and it is counted" {
  mvm network create wild
  mvm run -d --name victim --network wild "$DEB" python3 -m http.server 8080 -d /etc
  mvm run -d --name liar --network wild --privileged "$DEB" sleep 600
  eventually python liar "$fetch" http://victim:8080/hostname
  local victim gateway
  victim=$(mvm inspect -f '{{.NetworkSettings.Networks.wild.IPAddress}}' victim)
  gateway=$(mvm network inspect -f '{{(index .IPAM.Config 0).Gateway}}' wild)
  run -0 mvm exec liar python3 -c '
import socket, struct, sys
s = socket.socket(socket.AF_PACKET, socket.SOCK_RAW)
s.bind(("eth0", 0))
mac = bytes.fromhex(open("/sys/class/net/eth0/address").read().strip().replace(":", ""))
def arp(claimed, by): return b"\xff" * 6 + mac + struct.pack(">HHHBBH", 0x0806, 1, 0x0800, 6, 4, 2) + by + socket.inet_aton(claimed) + b"\xff" * 6 + socket.inet_aton(claimed)
for claimed in sys.argv[1:]: s.send(arp(claimed, mac))
s.send(b"\xff" * 6 + b"\x02" * 6 + struct.pack(">H", 0x0800) + b"\0" * 40)
s.send(b"\xff" * 6 + mac + struct.pack(">H", 0x8100) + b"\0" * 40)
s.send(b"\xff" * 6 + mac + struct.pack(">H", 0x0800) + b"\x4f" * 10)
print("sent")' "$victim" "$gateway"
  same sent "$output"
  same 5 "$(mvm network inspect wild | jq '[.[0].Containers[] | select(.Name == "liar")][0].Counters.Refused')"
  run -0 mvm exec victim python3 -c 'print(open("/proc/net/arp").read())'
  same "$(mvm network inspect wild | jq -r '[.[0].Containers[] | select(.Name == "liar")][0].MacAddress')" \
    "$(mvm exec victim python3 -c 'import socket, sys
ip = socket.gethostbyname("liar")
print([line.split()[3] for line in open("/proc/net/arp") if line.split()[0] == ip][0])')"
  mvm rm -f victim liar >/dev/null
  mvm network rm wild
}
