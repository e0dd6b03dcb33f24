#!/usr/bin/env bats
# Networks that a container gets and loses after it was made.
#
# shellcheck disable=SC2016,SC2154 # programs for the guest; variables that bats sets

load ../lib/vm.bash
load ../lib/network.bash

addresses='import socket, sys
print(*sorted({info[4][0] for info in socket.getaddrinfo(sys.argv[1], None, socket.AF_INET)}))'
routes='import os
print(sorted(os.listdir("/sys/class/net")), [line.split()[0] for line in open("/proc/net/route") if line.split()[1] == "00000000"])'

place() { mvm inspect -f "{{with index .NetworkSettings.Networks \"$2\"}}{{.$3}}{{end}}" "$1"; }
on() { mvm inspect -f '{{range $name, $place := .NetworkSettings.Networks}}{{$name}} {{end}}' "$1"; }
members() { mvm network inspect "$1" | jq -r '[.[0].Containers[].Name] | sort | join(" ")'; }

# One pair of machines for all that can be done to one that runs.
@test "connect and disconnect of a container that runs: at once, with its names, both ways, and it lasts" {
  mvm network create --subnet 10.61.0.0/24 front
  mvm network create --subnet 10.62.0.0/24 back
  mvm run -d --name web --network front "$DEB" sleep 600
  mvm run -d --name store --network back "$DEB" python3 -m http.server 8080 -d /etc
  mvm exec web sh -c 'echo "10.9.9.9 mine" >>/etc/hosts'
  eventually python store "$fetch" http://store:8080/hostname
  run python web "$addresses" store
  [ "$status" != 0 ]

  run -0 --separate-stderr mvm network connect --alias shop --ip 10.62.0.77 back web
  same '' "$output$stderr"
  same 10.62.0.2 "$(python web "$addresses" store)"
  same "10.62.0.77 10.62.0.77 10.62.0.77" "$(python store 'import socket
print(*map(socket.gethostbyname, ["web", "shop", "shop.back"]))')"
  python web "$fetch" http://store:8080/hostname
  same "['eth0', 'eth1', 'lo'] ['eth0']" "$(python web "$routes")"
  run -0 mvm exec web cat /etc/hosts /etc/resolv.conf
  has "$output" $'10.62.0.77\t' "10.9.9.9 mine" $'nameserver 10.62.0.1\nnameserver 10.61.0.1'
  same "back front " "$(on web)"
  same "10.62.0.77 24 10.62.0.1" "$(place web back IPAddress) $(place web back IPPrefixLen) $(place web back Gateway)"
  same "store web" "$(members back)"
  same "from the host" "$(python web "$fetch" "http://host.docker.internal:$(cat "$HOST_PORT_FILE")/")"

  run ! --separate-stderr mvm network connect back web
  error_says "endpoint with name web already exists in network back"
  run ! --separate-stderr mvm network rm back
  error_says back "has active endpoints"

  # It leaves what led out, and the other does.
  run -0 --separate-stderr mvm network disconnect front web
  same '' "$output$stderr"
  same "['eth1', 'lo'] ['eth1']" "$(python web "$routes")"
  same "from the host" "$(python web "$fetch" "http://host.docker.internal:$(cat "$HOST_PORT_FILE")/")"
  run -0 mvm exec web cat /etc/hosts /etc/resolv.conf
  has "$output" $'10.62.0.77\t' "10.9.9.9 mine" $'nameserver 10.62.0.1'
  lacks "$output" 10.61.0
  same "" "$(members front)"
  run ! --separate-stderr mvm network disconnect front web
  error_says "is not connected to network front"
  mvm network rm front

  # As it was left, it starts again.
  mvm restart -t 0 web
  same "back " "$(on web)"
  same 10.62.0.77 "$(place web back IPAddress)"
  same "['eth0', 'lo'] ['eth0']" "$(python web "$routes")"
  eventually python web "$fetch" http://store:8080/hostname

  # Off the last one, and on again, more often than there is room for new cards.
  for _ in 1 2 3 4 5 6; do
    mvm network disconnect back web
    same "['lo'] []" "$(python web "$routes")"
    mvm network connect back web
  done
  same 10.62.0.2 "$(python web "$addresses" store)"
  python web "$fetch" http://store:8080/hostname
  same "from the host" "$(python web "$fetch" "http://host.docker.internal:$(cat "$HOST_PORT_FILE")/")"
  mvm rm -f web store >/dev/null
  mvm network rm back
}

@test "one that does not run: in its configuration, seen by inspect, and so at its start" {
  local id since
  mvm network create --subnet 10.61.0.0/24 front
  mvm network create --subnet 10.62.0.0/24 back
  id=$(mvm create --name web "$DEB" sleep 600)
  run -0 --separate-stderr mvm network connect --alias shop --ip 10.62.0.9 --gw-priority 5 back web
  same '' "$output$stderr"
  mvm network connect "$(mvm network inspect -f '{{slice .Id 0 12}}' front)" "${id:0:12}"
  same "back default front " "$(on web)"
  same '["shop"] 5' "$(mvm inspect -f '{{with index .NetworkSettings.Networks "back"}}{{json .Aliases}} {{.GwPriority}}{{end}}' web)"
  # What docker does there, too: once more is in its place.
  mvm network connect back web
  same 0 "$(place web back GwPriority)"
  mvm network connect --alias shop --ip 10.62.0.9 --gw-priority 5 back web
  since=$(date +%s.%N)
  run -0 --separate-stderr mvm network disconnect bridge web
  same '' "$output$stderr"
  same "network disconnect $id default bridge" "$(mvm events --since "$since" --until 0s \
    --format '{{.Type}} {{.Action}} {{.Actor.Attributes.container}} {{.Actor.Attributes.name}} {{.Actor.Attributes.type}}')"
  run -1 --separate-stderr mvm network disconnect default web
  error_says "container $id is not connected to the network default"
  same "back front " "$(on web)"

  mvm start web
  same "['eth0', 'eth1', 'lo'] ['eth0']" "$(python web "$routes")"
  same "10.62.0.9 $(place web front IPAddress)" "$(python web 'import socket; print(*map(socket.gethostbyname, ["shop", "web.front"]))')"
  same web "$(members back)"
  mvm stop -t 0 web
  mvm network disconnect back web
  mvm network disconnect front web
  same '' "$(on web)"
  mvm start web
  same "['lo'] []" "$(python web "$routes")"
  run -1 --separate-stderr mvm network disconnect front web
  error_says "container $id is not connected to network front"
  mvm rm -f web >/dev/null

  # No network at all, and a removed one that it is to be on.
  mvm create --name web --network none "$DEB" sleep 600
  mvm network disconnect none web
  mvm network connect front web
  mvm network connect back web
  mvm network rm front
  run -1 --separate-stderr mvm start web
  error_says front
  mvm network disconnect front web
  mvm start web
  same "['eth0', 'lo'] ['eth0']" "$(python web "$routes")"
  mvm rm -f web >/dev/null
  mvm network rm back
}

@test "what cannot be connected is refused, and all is as it was" {
  local id
  mvm network create --subnet 10.61.0.0/24 front
  mvm network create --subnet 10.62.0.0/29 back
  mvm network create --subnet 10.63.0.0/24 --ipv6=false four
  id=$(mvm run -d --name web --network front "$DEB" sleep 600)
  mvm run -d --name store --network back "$DEB" sleep 600
  mvm create --name idle "$DEB" sleep 600
  cases() {
    local status words
    while IFS='|' read -r status words args; do
      # shellcheck disable=SC2086 # arguments
      run "-$status" --separate-stderr mvm network $args
      error_says "$words"
    done
  }
  cases <<END
125|"mvm network connect" requires exactly 2 arguments|connect back
125|"mvm network connect" requires exactly 2 arguments|connect back web more
125|"mvm network disconnect" requires exactly 2 arguments|disconnect back
125|unknown flag: --wrong|connect --wrong back web
1|network nosuch not found|connect nosuch web
1|network nosuch not found|connect nosuch idle
1|No such container: nosuch|connect back nosuch
1|network nosuch not found|disconnect nosuch web
1|No such container: nosuch|disconnect back nosuch
1|endpoint with name web already exists in network front|connect front web
1|container $id is not connected to network back|disconnect back web
1|container $id is not connected to network back|disconnect -f back web
1|Address already in use: 10.62.0.2 is container|connect --ip 10.62.0.2 back web
1|10.99.0.2 is not one of the network's subnet|connect --ip 10.99.0.2 back web
1|address 10.62.0.1 is the network's gateway|connect --ip 10.62.0.1 back web
1|the network has no IPv6|connect --ip6 fd00::9 four web
1|10.62 is no IPv4 address|connect --ip 10.62 back web
1|10.62.0.3 is no IPv6 address|connect --ip6 10.62.0.3 back web
125|invalid gateway priority: high|connect --gw-priority high back web
125|invalid alias: "a,b"|connect --alias a,b back web
1|private (none) mode|connect none web
1|connected to host network|connect host web
1|--link other|connect --link other back web
1|--driver-opt a=b|connect --driver-opt a=b back web
1|--link-local-ip 169.254.1.1|connect --link-local-ip 169.254.1.1 back web
END
  mvm pause web >/dev/null
  run -1 --separate-stderr mvm network connect back web
  error_says paused unpause
  run -1 --separate-stderr mvm network disconnect front web
  error_says paused unpause
  mvm unpause web >/dev/null
  same "front " "$(on web)"
  same "['eth0', 'lo'] ['eth0']" "$(python web "$routes")"
  same store "$(members back)"
  # The address that was refused is free, once it is.
  mvm rm -f store >/dev/null
  mvm network connect --ip 10.62.0.2 back web
  same 10.62.0.2 "$(place web back IPAddress)"
  mvm rm -f web idle >/dev/null
  mvm network rm front back four
}

@test "many at once, and more than there is room for" {
  local i jobs=() failed=0
  for i in 1 2 3 4 5 6 7 8; do mvm network create "side$i"; done
  mvm run -d --name web "$DEB" sleep 600
  # Each one twice: one of the two is too late.
  for i in 1 2 3 4 1 2 3 4; do
    "$MVM" network connect "side$i" web 2>>"$BATS_TEST_TMPDIR/errors" 3>&- &
    jobs+=($!)
  done
  for i in "${jobs[@]}"; do wait "$i" || failed=$((failed + 1)); done
  same 4 "$failed"
  same 4 "$(grep -c "endpoint with name web already exists in network side" "$BATS_TEST_TMPDIR/errors")"
  same "default side1 side2 side3 side4 " "$(on web)"
  same "['eth0', 'eth1', 'eth2', 'eth3', 'eth4', 'lo'] ['eth0']" "$(python web "$routes")"
  run -1 --separate-stderr mvm network connect side5 web
  error_says "at most 4 networks can be added while it runs" restart
  mvm network disconnect side2 web
  mvm network connect side5 web
  # Two that contradict each other.
  for i in 1 2 3; do
    "$MVM" network disconnect side1 web 2>/dev/null 3>&- &
    "$MVM" network connect side1 web 2>/dev/null 3>&- &
    wait
    has "default side1 side3 side4 side5 default side3 side4 side5 " "$(on web)"
  done
  mvm network disconnect side1 web 2>/dev/null || true
  mvm restart -t 0 web
  for i in 1 2 6 7; do mvm network connect "side$i" web; done
  run -1 --separate-stderr mvm network connect default web
  error_says "already exists in network default"
  run -1 --separate-stderr mvm network connect side8 web
  error_says "at most 8 networks"
  mvm rm -f web >/dev/null
  mvm network rm side1 side2 side3 side4 side5 side6 side7 side8
}

agree() {
  local inside outside
  inside=$(python web 'import os; print(len(os.listdir("/sys/class/net")) - 1)')
  outside=$(on web | wc -w)
  [ "$inside" = "$outside" ] && [ "$(mvm inspect web | jq '[.[0].NetworkSettings.Networks[] | select(.IPAddress != "")] | length')" = "$inside" ] &&
    [ "$(mvm network inspect side | jq '.[0].Containers | length')" = $((outside - 1)) ]
}
killed_network_process() {
  local pid
  pid=$(mvm_processes | sed -n 's/ net$//p' | tail -n 1)
  [ -n "$pid" ] && kill -9 "$pid"
}

@test "killed in the middle: the command, the network's process, the supervisor" {
  local i pid
  mvm network create side
  mvm run -d --name web "$DEB" sleep 600
  for i in 1 2 3 4 5 6; do
    "$MVM" network "$([ $((i % 2)) = 1 ] && echo connect || echo disconnect)" side web 3>&- &
    pid=$!
    sleep "0.0$((i * 13 % 10))"
    kill -9 "$pid" 2>/dev/null || true
    wait "$pid" || true
    eventually agree
    # Whichever way that went.
    mvm network connect side web 2>/dev/null || true
    [ $((i % 2)) = 1 ] || mvm network disconnect side web
    eventually agree
  done
  mvm network connect side web 2>/dev/null || true
  for i in 1 2 3; do
    mvm network disconnect side web
    "$MVM" network connect side web 3>&- &
    pid=$!
    sleep "0.0$i"
    killed_network_process || true
    wait "$pid"
    eventually agree
  done
  "$MVM" network disconnect side web 3>&- &
  pid=$!
  kill -9 "$(mvm_processes | sed -n 's/ supervisor$//p')"
  wait "$pid" || true
  eventually no_own_processes
  # Whoever came first: one that does not run any more can be changed, too.
  has "default side default " "$(on web)"
  mvm network connect side web
  mvm start web
  eventually agree
  mvm rm -f web >/dev/null
  mvm network rm side
}

@test "one that is started again and again is changed when it runs" {
  mvm network create side
  mvm run -d --name web --restart always "$DEB" sh -c 'sleep 1; exit 1'
  mvm network connect side web
  same "default side " "$(on web)"
  mvm stop web
  same "default side " "$(on web)"
  mvm network disconnect side web
  mvm start web
  mvm network connect side web &
  mvm stop web
  wait
  same "default side " "$(on web)"
  mvm rm -f web >/dev/null
  mvm network rm side
}

@test "the greatest gw-priority leads out, now and after a restart; IPv6 comes along" {
  local six
  mvm network create side
  six=$(mvm network inspect -f '{{(index .IPAM.Config 1).Gateway}}' "$(mvm network create --ipv6 six)")
  mvm run -d --name web --network side "$DEB" sleep 600
  mvm run -d --name store --network six "$DEB" sleep 600
  mvm network connect --ip6 "${six%1}77" --gw-priority 2 six web
  leads_out() {
    same "['eth0', 'eth1', 'lo'] ['eth1']" "$(python web "$routes")"
    same "${six%1}77 64 $six" "$(place web six GlobalIPv6Address) $(place web six GlobalIPv6PrefixLen) $(place web six IPv6Gateway)"
    eventually mvm exec store ping -6 -c 1 -W 5 web
    mvm exec web ping -6 -c 1 -W 5 store
    mvm exec web ping -6 -c 1 -W 5 "$six"
    same "from the host" "$(python web "$fetch" "http://host.docker.internal:$(cat "$HOST_PORT_FILE")/")"
  }
  leads_out
  mvm restart -t 0 web
  leads_out
  mvm network disconnect six web
  same "['eth0', 'lo'] ['eth0']" "$(python web "$routes")"
  same "" "$(mvm exec web sh -c "grep -v lo /proc/net/if_inet6" || true)"
  mvm rm -f web store >/dev/null
  mvm network rm side six
}
