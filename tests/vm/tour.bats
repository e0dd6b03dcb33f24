#!/usr/bin/env bats
# docs/tour.md: a stack of PostgreSQL, an API, a worker and nginx, from an image of Debian's packages.
#
# shellcheck disable=SC2154 # variables that bats sets

load ../lib/vm.bash

tour=$BATS_TEST_DIRNAME/../../docs/tour

# Made once, under a hash of what it is made from.
image_tar() {
  local cache=${XDG_CACHE_HOME:-$HOME/.cache}/mvm/test-images key tar sources
  key=$(sha256sum "$tour/image" | cut -c 1-16)
  tar=$cache/tour-$key.tar
  if [ ! -e "$tar" ]; then
    # The machine's own package sources; they may name a mirror nearer than the default.
    mapfile -t sources < <(find /etc/apt/sources.list /etc/apt/sources.list.d \( -name '*.list' -o -name '*.sources' \) -size +0 2>/dev/null |
      grep -E '/(sources\.list|debian\.sources)$')
    mkdir -p "$cache"
    "$tour/image" "$tar.new" "${sources[@]}" >&2
    mv "$tar.new" "$tar"
  fi
  printf '%s\n' "$tar"
}

setup_file() {
  command -v mmdebstrap >/dev/null || skip "needs mmdebstrap"
  "$MVM" import "$(image_tar)" tour >/dev/null
}

test_teardown() { (cd "$tour" && mvm compose down -v -t 0 >/dev/null 2>&1) || true; }

shop() { curl -sf -m 10 "$@"; }
orders_are() { same "$1" "$(shop "$url/orders")" 2>/dev/null; }
restarted() { [ "$(mvm inspect -f '{{.RestartCount}}' tour-api-1)" -ge 1 ]; }

@test "up --wait, orders through nginx, a service that is killed and comes back, down" {
  export TOUR_PORT=$((20000 + RANDOM % 10000)) MVM_PATIENCE=280
  local url=http://127.0.0.1:$TOUR_PORT
  cd "$tour"
  mvm compose up -d --wait
  same 'api running healthy
db running healthy
web running healthy
worker running ' "$(mvm compose ps --format '{{.Service}} {{.State}} {{.Health}}')"
  same 'Orders are taken at /orders.' "$(shop "$url/")"
  same 1 "$(shop -d tea "$url/orders")"
  eventually orders_are '1 tea sent'
  same 'worker-1  | sent 1' "$(mvm compose logs worker)"
  has "$(mvm compose logs api)" 'took 1 tea'

  # What runs beside the program ends with it.
  mvm compose exec -T api pkill -9 python3 || same 137 "$?"
  eventually restarted
  eventually orders_are '1 tea sent'
  same 2 "$(shop -d milk "$url/orders")"
  eventually orders_are $'1 tea sent\n2 milk sent'
  same 2 "$(mvm compose exec -T db psql -h /tmp -U shop -At -c 'SELECT count(*) FROM orders')"
  # One's own wish is no failure.
  mvm kill tour-worker-1
  same 'worker exited' "$(mvm compose ps -a worker --format '{{.Service}} {{.State}}')"

  # Orders outlive a down without -v.
  mvm compose down -t 1
  same '' "$(mvm ps -aq)"
  mvm compose up -d --wait
  eventually orders_are $'1 tea sent\n2 milk sent'

  mvm compose down -v -t 1
  same '' "$(mvm ps -aq)$(mvm volume ls -q)"
  lacks "$(mvm network ls --format '{{.Name}}')" tour
}
