#!/usr/bin/env bats
# What of the host's network settings reaches the processes inside: authorities to trust, and proxies.
#
# shellcheck disable=SC2016,SC2030,SC2031,SC2154 # programs for the guest; each test has its own; variables that bats sets

load ../lib/vm.bash

test_teardown() { echo '{}' >"$MVM_CONFIG"; }

# authority NAME: NAME.pem and NAME.key, and of a server that it vouches for NAME-server.pem, certificate and key.
authority() {
  local at=$BATS_TEST_TMPDIR/$1
  openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 30 -subj "/CN=$1 authority" \
    -keyout "$at.key" -out "$at.pem" 2>/dev/null
  openssl req -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -subj /CN=localhost -keyout "$at-server.key" -out "$at.csr" 2>/dev/null
  printf 'subjectAltName=DNS:localhost\nbasicConstraints=CA:FALSE\n' >"$at.ext"
  openssl x509 -req -in "$at.csr" -CA "$at.pem" -CAkey "$at.key" -CAcreateserial -days 30 -extfile "$at.ext" 2>/dev/null |
    cat - "$at-server.key" >"$at-server.pem"
}

# serve CONTAINER NAME PORT: a TLS server inside, that has NAME's certificate.
serve() {
  mvm exec -i "$1" sh -c 'cat >"/tmp/$1.pem"' sh "$2" <"$BATS_TEST_TMPDIR/$2-server.pem"
  mvm exec -d "$1" openssl s_server -quiet -www -cert "/tmp/$2.pem" -accept "$3"
  eventually mvm exec "$1" openssl s_client -connect "localhost:$3" </dev/null >/dev/null 2>&1
}

# Programs that look for authorities, each its own way: URL is the argument.
checks() {
  cat <<'SH'
curl -sSf -o /dev/null "$1" || exit 1
openssl s_client -verify_return_error -connect "${1#https://}" </dev/null >/dev/null 2>&1 || exit 2
python3 -c 'import sys, urllib.request; urllib.request.urlopen(sys.argv[1]).read()' "$1" >/dev/null 2>&1 || exit 3
# There is no repository, but to learn that git has to talk to the server.
git ls-remote "$1/x" 2>&1 | grep -q 'not found\|not valid: is this a git' || { git ls-remote "$1/x"; exit 4; }
SH
}

@test "curl, openssl, python and git trust it, beside what the image trusts; nothing of it is on the disk" {
  authority house
  authority other
  mvm run -d --name web --ca-certificate "$BATS_TEST_TMPDIR/house.pem" "$REGISTRY/deb" sleep 1000
  serve web house 4433
  run -0 mvm exec web sh -c "$(checks)" sh https://localhost:4433
  # Of another one they say what they always say.
  serve web other 4434
  run -1 mvm exec web sh -c "$(checks)" sh https://localhost:4434
  has "$output" "certificate"
  # The image's own are still there, and ours are but one more.
  same 1 "$(mvm exec web sh -c 'grep -c BEGIN /dev/mvm/extra-ca-certificates.crt')"
  same 1 "$(mvm exec web sh -c 'echo $(($(grep -c BEGIN $SSL_CERT_FILE) - $(grep -c BEGIN /etc/ssl/certs/ca-certificates.crt)))')"
  # The image may change its own. All of it is many processes; a few certificates are as good.
  mvm exec web sh -c 'grep -v "^[#!]" /etc/ca-certificates.conf | head -n 2 >/tmp/conf; mv /tmp/conf /etc/ca-certificates.conf; update-ca-certificates' >/dev/null
  same 2 "$(mvm exec web grep -c BEGIN /etc/ssl/certs/ca-certificates.crt)"
  run -0 mvm exec web sh -c "$(checks)" sh https://localhost:4433
  # A user that is not root, an environment of its own, and a file of one's own.
  run -0 mvm exec -u 1000 web sh -c 'cat $NODE_EXTRA_CA_CERTS $CURL_CA_BUNDLE $REQUESTS_CA_BUNDLE $GIT_SSL_CAINFO >/dev/null'
  same /mine "$(mvm exec -e SSL_CERT_FILE=/mine web sh -c 'echo $SSL_CERT_FILE')"
  same /dev/mvm/ca-certificates.crt "$(mvm exec -e SSL_CERT_FILE=/etc/ssl/certs/ca-certificates.crt web sh -c 'echo $SSL_CERT_FILE')"
  mvm stop -t 0 web
  run ! grep -rq house "$MVM_HOME/containers/$(mvm ps -aq --no-trunc)/config.json"
  same '' "$(mvm export web | tar -tf - | grep -E 'mvm|extra-ca' || true)"
  # Again, and not twice.
  mvm start web
  same 1 "$(mvm exec web sh -c 'grep -c BEGIN /dev/mvm/extra-ca-certificates.crt')"
  mvm rm -f web
}

@test "of the configuration, with a read-only root, and in an image without any" {
  authority house
  authority more
  printf '{"caCertificates": ["%s"]}' "$BATS_TEST_TMPDIR/house.pem" >"$MVM_CONFIG"
  mvm run -d --name locked --read-only --tmpfs /tmp --ca-certificate "$BATS_TEST_TMPDIR/more.pem" --ca-certificate "$BATS_TEST_TMPDIR/house.pem" "$REGISTRY/deb" sleep 1000
  serve locked house 4433
  run -0 mvm exec locked sh -c "$(checks)" sh https://localhost:4433
  serve locked more 4434
  run -0 mvm exec locked sh -c "$(checks)" sh https://localhost:4434
  same 2 "$(mvm exec locked grep -c BEGIN /dev/mvm/extra-ca-certificates.crt)"
  run -0 mvm diff locked
  same '' "$output"
  mvm rm -f locked
  # What the host trusts comes along.
  run -0 --separate-stderr mvm run --rm "$IMAGE" sh -c 'grep -c BEGIN $SSL_CERT_FILE; ! ls /etc/ssl'
  same "$(($(grep -c BEGIN "${SSL_CERT_FILE:-/etc/ssl/certs/ca-certificates.crt}") + 1))" "$output"
  # Without any there is nothing of all this.
  echo '{}' >"$MVM_CONFIG"
  run -0 mvm run --rm "$IMAGE" sh -c 'env; ls /dev'
  lacks "$output" CERT
  lacks "$output" mvm
}

@test "what is no certificate is refused before anything starts" {
  authority house
  cd "$BATS_TEST_TMPDIR"
  openssl x509 -in house.pem -outform der -out house.der
  echo text >text
  sed '3s/^..../AAAA/' house.pem >damaged.pem
  cat house.pem damaged.pem >second.pem
  local file message
  while IFS='|' read -r file message; do
    run --separate-stderr -125 mvm run --rm --ca-certificate "$file" nowhere.invalid/image true
    error_says "--ca-certificate: $file" "$message"
    run --separate-stderr -1 mvm create --ca-certificate "$file" nowhere.invalid/image true
    error_says "--ca-certificate: $file" "$message"
  done <<'CASES'
missing.pem|No such file or directory
house.key|a private key, not a certificate
house.der|no certificate in PEM
text|no certificate in PEM
second.pem|certificate 2 is damaged
CASES
  echo '{"caCertificates": ["/nowhere/ca.pem"]}' >"$MVM_CONFIG"
  run --separate-stderr -125 mvm run --rm "$IMAGE" true
  error_says "config file" '"caCertificates": /nowhere/ca.pem: No such file or directory'
  echo '{"caCertificates": "/ca.pem"}' >"$MVM_CONFIG"
  run --separate-stderr -1 mvm create "$IMAGE" true
  error_says '"caCertificates" is not a list of texts'
  no_containers
}

@test "proxies: docker's configuration, else ours; exec has them as well" {
  export DOCKER_CONFIG=$BATS_TEST_TMPDIR/docker
  local all='env | grep -i _proxy | sort'
  mkdir "$DOCKER_CONFIG"
  export HTTPS_PROXY=http://ours.invalid:3128 no_proxy=local
  run -0 mvm run --rm "$IMAGE" sh -c "$all"
  same $'HTTPS_PROXY=http://ours.invalid:3128\nNO_PROXY=local\nhttps_proxy=http://ours.invalid:3128\nno_proxy=local' "$output"
  run --separate-stderr -1 env HTTPS_PROXY=http://localhost:3128 "$MVM" run --rm "$IMAGE" sh -c "$all | grep ."
  same '' "$output$stderr"
  echo '{"proxies": {"default": {"httpProxy": "http://docker.invalid:3128", "noProxy": "a,b"}}}' >"$DOCKER_CONFIG/config.json"
  mvm run -d --name proxied -e no_proxy=mine "$IMAGE" sleep 1000
  run -0 mvm exec proxied sh -c "$all"
  same $'HTTP_PROXY=http://docker.invalid:3128\nNO_PROXY=a,b\nhttp_proxy=http://docker.invalid:3128\nno_proxy=mine' "$output"
  has "$(mvm inspect -f '{{json .Config.Env}}' proxied)" '"http_proxy=http://docker.invalid:3128"'
  mvm rm -f proxied
}

@test "build says how to bring an image over" {
  run --separate-stderr -1 mvm build -t name --build-arg A=b .
  error_says "docker build -t NAME . && docker save NAME | mvm load"
  run --separate-stderr -1 mvm image build .
  error_says "mvm load"
}
