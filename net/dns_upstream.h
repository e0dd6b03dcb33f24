/*
 * Asking the host's servers: one query to one server after another, as a stub resolver does (RFC 1035 §7.2, RFC 5452).
 * Runs on the network process's loop, never blocks, calls back from the loop only.
 *
 * Each try has a socket of its own, connected, so that its port is random and only that server's packets come in, and a
 * random id. A server that is slow, gone or refuses is followed by the next. The order stays as it is, since the first
 * may know names that the others do not (a VPN's); but for half a minute one that gave no answer gets less time before
 * the next is asked. What servers send is untrusted. The process ignores SIGPIPE.
 */
#ifndef MVM_NET_DNS_UPSTREAM_H
#define MVM_NET_DNS_UPSTREAM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "dns_message.h"
#include "resolv_conf.h"

struct dns_upstream;
struct dns_exchange;
struct mvm_dns_counters;
struct mvm_loop;

enum {
	DNS_TRY_MS = 2000, /* for one server, where resolv.conf says nothing: two that are dead still leave time
			      before a guest's resolver gives up, mostly after 5 seconds */
	DNS_LAME_TRY_MS = 300,
	DNS_TOTAL_MS = 10000, /* whatever resolv.conf says */
};

/* Counts retries and strays. `counters` is borrowed. */
struct dns_upstream *dns_upstream_create(struct mvm_loop *loop, struct mvm_dns_counters *counters);
/* No exchange may be left. */
void dns_upstream_destroy(struct dns_upstream *upstream);

/* `message` is the answer with the query's own id and question, valid for the call; NULL: nobody gave one. Where every
 * server refused, it is the last one's refusal. */
typedef void (*dns_exchange_fn)(void *arg, const uint8_t *message, size_t length, bool truncated);

/* `message` is what `query` was parsed from; both are copied, the servers and the ways to ask them are taken from
 * `conf`. With `tcp` an answer that is truncated is asked for again over TCP. The exchange is over when `done` is
 * called. */
struct dns_exchange *dns_exchange_start(struct dns_upstream *upstream, const struct mvm_resolv_conf *conf,
					const uint8_t *message, size_t length, const struct dns_query *query, bool tcp,
					dns_exchange_fn done, void *arg);
/* `done` is not called any more. */
void dns_exchange_cancel(struct dns_exchange *exchange);

#endif
