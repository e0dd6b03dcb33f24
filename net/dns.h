/*
 * The DNS server of a network: knows the names of its containers and asks the host's servers for all others. Runs in
 * the network process, on its loop; whoever has the packets (the switch, libslirp's side) hands it messages and sends
 * its answers.
 *
 * Names: letters' case is of no matter (RFC 4343), and an answer repeats the question as it was asked. A name of ours
 * is answered from here for every type, with no data where there is none of that type, so that a missing AAAA does not
 * hide an A (RFC 4074 §4.2) and no container's name gets out while the container lives. Several containers may have one
 * alias: all their addresses are given, in random order. Names below docker.internal and mvm.internal, and addresses of
 * this network, belong to nobody else: unknown ones are denied here. All else is asked of the host's servers, single
 * labels too, as docker does, with a fresh random id and source port; their answers are passed on as they are.
 *
 * What guests and servers send is untrusted. What is not answered as asked is counted. Nothing here blocks; a query
 * that nobody answers gets SERVFAIL after 10 seconds at most, and of too many queries at once the oldest is dropped.
 */
#ifndef MVM_NET_DNS_H
#define MVM_NET_DNS_H

#include <netinet/in.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct mvm_dns;
struct mvm_loop;

/* At once, in all and of one guest; each has a descriptor. */
enum { MVM_DNS_MAX_QUERIES = 512, MVM_DNS_MAX_GUEST_QUERIES = 256 };

/* IPv4 addresses are numbers in the host's byte order, IPv6 ones struct in6_addr; all zeros is none. */
struct mvm_dns_endpoint {
	const char *id;
	const char *const *names; /* the first is what a reverse lookup says */
	size_t name_count;
	uint32_t ipv4;
	struct in6_addr ipv6;
};

/* Everything is borrowed for the call of mvm_dns_create() only. */
struct mvm_dns_config {
	const char *network; /* its name: everybody is called NAME.NETWORK, too */
	const char *resolv;  /* NULL: /etc/resolv.conf. Read anew for each query that it is needed for */
	uint16_t port;	     /* of the servers; 0: 53. Tests have their own */
	bool internal;	     /* nothing is asked of others: SERVFAIL, as docker says */
	uint32_t subnet, gateway;
	unsigned prefix;
	struct in6_addr subnet6, gateway6;
	unsigned prefix6;
	/* Names of the host, given whole ("host.docker.internal"); `id` is anything, each its own. */
	const struct mvm_dns_endpoint *fixed;
	size_t fixed_count;
};

/* Since the process began. */
struct mvm_dns_counters {
	uint64_t queries;   /* messages that came in; each is one of the next eight in the end, or still waits */
	uint64_t local;	    /* answered from the table */
	uint64_t forwarded; /* a server's answer was passed on */
	uint64_t failed;    /* no server answered: SERVFAIL */
	uint64_t kept; /* not to be asked of others, since the network is internal or the client has another server:
			  SERVFAIL */
	uint64_t malformed; /* FORMERR */
	uint64_t refused;   /* another operation, version or a transfer of a zone: NOTIMP, BADVERS, REFUSED */
	uint64_t ignored;   /* shorter than a header, or a response */
	uint64_t dropped;   /* too many at once, or the guest has gone */
	uint64_t truncated; /* of the answers: did not fit */
	uint64_t retries;   /* a server was slow, gone or refused: the next was asked */
	uint64_t strays;    /* what servers' addresses sent and was not the answer */
};

struct mvm_dns *mvm_dns_create(struct mvm_loop *loop, const struct mvm_dns_config *config);
/* NULL is fine. Queries that wait are dropped. */
void mvm_dns_destroy(struct mvm_dns *dns);

/* In the place of what was known of this id. */
void mvm_dns_set(struct mvm_dns *dns, const struct mvm_dns_endpoint *endpoint);
void mvm_dns_remove(struct mvm_dns *dns, const char *id);

/* Who asks; borrowed for the call. */
struct mvm_dns_client {
	const char *id;
	const char *const *servers; /* of --dns, in the place of the host's */
	size_t server_count;
	/* Its resolv.conf has `ndots` above 0, by wish: unknown single labels get an empty answer, as docker does,
	 * since the client will ask again with a domain behind them. */
	bool ndots;
	/* Its resolv.conf has another server after this one, which may know more: that of its next network, or one that
	 * --dns gave and that is inside. Nothing is asked of others here: SERVFAIL makes resolvers go on to the next.
	 */
	bool another;
};

/* Called once for each query, perhaps before mvm_dns_query() returns. `message` is valid for the call; NULL: there is
 * nothing to send, the query was no query or was dropped. The callback may ask, cancel and set. */
typedef void (*mvm_dns_answer_fn)(void *arg, const void *message, size_t length);

/* A message that came in from a guest; over UDP (`tcp` false), the answer is as large as the client takes and says by
 * TC that there is more (RFC 1035 §4.2.1, RFC 6891 §6.2.5), but never larger than 4096 bytes. Over TCP messages come
 * and go without their lengths (dns_frames.h). */
void mvm_dns_query(struct mvm_dns *dns, const void *message, size_t length, const struct mvm_dns_client *client,
		   bool tcp, mvm_dns_answer_fn answer, void *arg);

/* Forgets what waits with this arg (a connection that is closed): its callback is not called any more. */
void mvm_dns_cancel(struct mvm_dns *dns, const void *arg);
/* Drops what waits for a guest that has gone: each callback gets NULL. */
void mvm_dns_cancel_guest(struct mvm_dns *dns, const char *id);

/* Borrowed. */
const struct mvm_dns_counters *mvm_dns_counters(const struct mvm_dns *dns);

#endif
