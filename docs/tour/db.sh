#!/bin/sh
# PostgreSQL in the foreground. Debian's package has made the cluster, which the volume begins with; the shop's role and
# its database come at the first start.
set -eu
bin=$(echo /usr/lib/postgresql/*/bin)
data=$(echo /var/lib/postgresql/*/main)
config=$(echo /etc/postgresql/*/main/postgresql.conf)

if [ ! -e "$data/shop-is-made" ]; then
  password=$(cat "$DB_PASSWORD_FILE")
  printf "CREATE ROLE shop LOGIN PASSWORD '%s'\nCREATE DATABASE shop OWNER shop\n" "$password" |
    "$bin/postgres" --single -D "$data" -c config_file="$config" postgres >/dev/null
  touch "$data/shop-is-made"
fi
printf 'local all all trust\nhost all all all scram-sha-256\n' >"$data/hba.conf"
exec "$bin/postgres" -D "$data" -c config_file="$config" -c hba_file="$data/hba.conf" \
  -c listen_addresses='*' -c unix_socket_directories=/tmp -c external_pid_file='' -c ssl=off -c logging_collector=off
