#!/usr/bin/env bats
# Published ports: every form of -p, what shows of it, and what passes through.
# shellcheck disable=SC2016,SC2030,SC2031,SC2154 # bats, and words for the guest's shell

load ../lib/vm

# Ports of the host that nobody has when they are asked for.
free_ports() {
  python3 -c 'import socket, sys
socks = [socket.create_server(("", 0)) for _ in range(int(sys.argv[1]))]
print(*(s.getsockname()[1] for s in socks))' "$1"
}

# So many in a row.
free_range() {
  python3 -c 'import socket, sys
count = int(sys.argv[1])
def free(port):
    try:
        with socket.create_server(("", port)): return True
    except OSError: return False
print(next(p for p in range(21000, 32000, count) if all(free(p + i) for i in range(count))))' "$1"
}

client() { timeout "${MVM_PATIENCE:-240}" python3 "$BATS_TEST_DIRNAME/publish/client.py" "$@"; }

# port NAME GUEST[/udp]: the host's port, which is the same for IPv4 and IPv6.
port() { mvm port "$1" "$2" | sed -n '1s/.*://p'; }

# services NAME ARGUMENT...: a container with publish/server.py in it.
services() {
  local name=$1
  shift
  mvm run -d --name "$name" -e "SERVER=$(cat "$BATS_TEST_DIRNAME/publish/server.py")" "$@" "$REGISTRY/deb" \
    sh -c 'exec python3 -c "$SERVER" "$(hostname -i | cut -d" " -f1)"'
  eventually log_has "$name" ready
}

@test "what passes through: TCP, UDP, ends, resets, and what stands still" {
  services srv -p 7001 -p 7002 -p 7003 -p 7004 -p 7005 -p 7006 -p 7007 -p 7008 -p 7009 -p 7011/udp -p 7012/udp

  # The container's own address comes first, and its loopback only where nobody is there.
  same "$(mvm exec srv hostname -i | cut -d' ' -f1)" "$(client say "$(port srv 7007)")"
  same 127.0.0.1 "$(client say "$(port srv 7002)")"
  same ::1 "$(client say "$(port srv 7008)")"

  client half_close "$(port srv 7001)"
  HOST=::1 client half_close "$(port srv 7001)"
  client is_reset "$(port srv 7006)"
  client is_reset "$(port srv 7009)"

  client download "$(port srv 7003)" $((1 << 30))
  client upload "$(port srv 7004)" $((1 << 30))
  client download_among "$(port srv 7003)" $((4 << 20)) "$(port srv 7001)" 200
  client stall "$(port srv 7005)" "$(port srv 7001)"
  client abort "$(port srv 7001)" "$(port srv 7001)"
  client many_at_once "$(port srv 7001)" 1000
  client one_after_another "$(port srv 7001)" 10000

  client datagrams "$(port srv 7011/udp)" 20
  client datagrams "$(port srv 7012/udp)" 3
  HOST=::1 client datagrams "$(port srv 7011/udp)" 3
  # The answer comes from where it was asked, at any address of the host.
  HOST=127.0.0.77 client datagrams "$(port srv 7011/udp)" 2
  client half_close "$(port srv 7001)"
  mvm rm -f srv
}

@test "every form of -p, and what port, ps and inspect say" {
  local a b range
  read -r a b <<<"$(free_ports 2)"
  range=$(free_range 3)
  mvm run -d --name forms -p "$a:80" -p "127.0.0.1:$b:81/tcp" -p '[::1]::82' -p "127.0.0.1:$range-$((range + 2)):90-92/UDP" \
    -p 127.0.0.1::83 --expose 500 --expose 502-503/udp --expose 501 "$IMAGE" sleep 1000
  same "0.0.0.0:$a
[::]:$a" "$(mvm port forms 80)"
  same "127.0.0.1:$b" "$(mvm port forms 81/tcp)"
  has "$(mvm port forms 82)" '[::1]:'
  same "80/tcp -> 0.0.0.0:$a
80/tcp -> [::]:$a
81/tcp -> 127.0.0.1:$b" "$(mvm port forms | head -3)"
  same "90/udp -> 127.0.0.1:$range
91/udp -> 127.0.0.1:$((range + 1))
92/udp -> 127.0.0.1:$((range + 2))" "$(mvm port forms | tail -3)"
  run -1 --separate-stderr mvm port forms 91
  error_says "No public port '91' published for forms"
  run -1 --separate-stderr mvm port forms eighty
  error_says "invalid port 'eighty'"

  has "$(column forms Ports)" '500-501/tcp, ' '502-503/udp, ' "0.0.0.0:$a->80/tcp, [::]:$a->80/tcp" "127.0.0.1:$b->81/tcp" \
    "127.0.0.1:$((range + 1))->91/udp"
  same '{"80/tcp":[{"HostIp":"","HostPort":"'"$a"'"}],"82/tcp":[{"HostIp":"::1","HostPort":""}]}' \
    "$(mvm inspect forms | jq -c '.[0].HostConfig.PortBindings | {"80/tcp", "82/tcp"}')"
  same '{"80/tcp":[{"HostIp":"0.0.0.0","HostPort":"'"$a"'"},{"HostIp":"::","HostPort":"'"$a"'"}],"500/tcp":null}' \
    "$(mvm inspect forms | jq -c '.[0].NetworkSettings.Ports | {"80/tcp", "500/tcp"}')"
  same '{}' "$(mvm inspect forms | jq -c '.[0].Config.ExposedPorts["503/udp"]')"

  # A port is free again at once, and nothing is said of a container that does not run.
  mvm stop -t 0 forms
  same '' "$(column forms Ports)$(mvm port forms)"
  same '{}' "$(mvm inspect forms | jq -c '.[0].NetworkSettings.Ports')"
  mvm start forms
  same "0.0.0.0:$a" "$(mvm port forms 80 | head -1)"
  mvm rm -f forms
}

@test "a service answers, and its port stays the same when it is restarted by its policy" {
  local port
  mvm run -d --name web --restart always -p 127.0.0.1::80 "$IMAGE" \
    sh -c 'mkdir /www 2>/dev/null; echo hello >/www/index.html; httpd -h /www; while [ ! -e /die ]; do usleep 100000; done; rm /die'
  port=$(port web 80)
  eventually curl -sf -o /dev/null --max-time 20 "http://127.0.0.1:$port/"
  same hello "$(curl -sf --max-time 20 "http://127.0.0.1:$port/")"
  mvm exec web touch /die
  restarted() { [ "$(mvm inspect -f '{{.RestartCount}}' web)" -ge 1 ] && is_state web running; }
  eventually restarted
  same "$port" "$(port web 80)"
  eventually curl -sf -o /dev/null --max-time 20 "http://127.0.0.1:$port/"
  same hello "$(curl -sf --max-time 20 "http://127.0.0.1:$port/")"
  mvm rm -f web
  run -7 curl -s --max-time 5 "http://127.0.0.1:$port/"
}

@test "a port that is taken costs no machine, and the container can be started later" {
  local port
  port=$(free_ports 1)
  mvm run -d --name first -p "127.0.0.1:$port:80" "$IMAGE" sleep 1000
  run -125 --separate-stderr mvm run --name second -p "$port:80" "$IMAGE" true
  error_says "Bind for 0.0.0.0:$port failed: port is already allocated"
  same created "$(column second State)"
  run ! test -e "$MVM_HOME/containers/$(mvm inspect -f '{{.Id}}' second)/boot.log"
  run -125 --separate-stderr mvm run --rm -p "127.0.0.1:$port:80" -p 127.0.0.1::81 "$IMAGE" true
  error_says "Bind for 127.0.0.1:$port failed: port is already allocated"
  # Out of a range the first one that is free is taken.
  run -125 --separate-stderr mvm run --rm -p "127.0.0.1:$port-$port:80" "$IMAGE" true
  mvm rm -f first
  mvm start -a second
  mvm rm second
  run -125 --separate-stderr mvm run --rm -p 192.0.2.1:8080:80 "$IMAGE" true
  error_says 'Bind for 192.0.2.1:8080 failed: this is not an address of the host'
}

@test "-P publishes what is exposed, and a container without a way out publishes nothing" {
  mvm run -d --name all -P --expose 80 --expose 5353/udp "$IMAGE" sleep 1000
  has "$(mvm port all 80)" '0.0.0.0:' '[::]:'
  has "$(mvm port all 5353/udp)" '0.0.0.0:'
  same true "$(mvm inspect -f '{{.HostConfig.PublishAllPorts}}' all)"
  mvm rm -f all
  mvm run -d --name alone --network none -p 8080:80 "$IMAGE" sleep 1000
  same '' "$(mvm port alone)$(column alone Ports)"
  mvm rm -f alone
}

@test "what is no -p is refused in docker's words" {
  refused() {
    run -125 --separate-stderr mvm run "$1" "$2" no.such.registry.invalid/image true
    error_says "$3"
  }
  refused -p 80/sctp 'SCTP is not carried into virtual machines'
  refused -p 80/icmp 'invalid proto: icmp'
  refused -p 8080: 'no port specified: 8080:<empty>'
  refused -p 80:eighty 'invalid containerPort: eighty'
  refused -p 70000:80 'invalid hostPort: 70000'
  refused -p 8000-8010:80-85 'invalid ranges specified for container and host Ports: 80-85 and 8000-8010'
  refused -p 300.0.0.1:80:80 'invalid IP address: 300.0.0.1'
  refused --expose 80:80 'invalid port format for --expose: 80:80'
}
