# What the suites about networks share: a server of the host's, and programs for guests.
#
# shellcheck shell=bash disable=SC2034 # programs for guests, which those that load this run

setup_file() {
  export DEB=$REGISTRY/deb
  export HOST_PORT_FILE=$BATS_FILE_TMPDIR/port
  mkdir -p "$BATS_FILE_TMPDIR/www"
  echo "from the host" >"$BATS_FILE_TMPDIR/www/index.html"
  # A server of the host's, on its loopback, both families, at a port that the system chooses.
  python3 - "$HOST_PORT_FILE" "$BATS_FILE_TMPDIR/www" >/dev/null 2>&1 3>&- <<'END' &
import http.server, os, socket, sys, threading
os.chdir(sys.argv[2])
class V6(http.server.ThreadingHTTPServer):
    address_family = socket.AF_INET6
server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), http.server.SimpleHTTPRequestHandler)
port = server.server_address[1]
six = V6(("::1", port), http.server.SimpleHTTPRequestHandler)
threading.Thread(target=six.serve_forever, daemon=True).start()
open(sys.argv[1] + ".new", "w").write(str(port))
os.rename(sys.argv[1] + ".new", sys.argv[1])
server.serve_forever()
END
  export HOST_SERVER=$!
  eventually test -s "$HOST_PORT_FILE"
}

teardown_file() {
  kill "$HOST_SERVER"
  mvm network prune -f >/dev/null
}

# python CONTAINER PROGRAM [ARGUMENT...]: runs it inside.
python() { mvm exec "$1" python3 -c "${@:2}"; }

fetch='import sys, urllib.request
print(urllib.request.urlopen(sys.argv[1], timeout=20).read().decode(), end="")'
connect='import socket, sys
try: socket.create_connection((sys.argv[1], int(sys.argv[2])), timeout=3); print("connected")
except OSError as error: print("no:", error)'
