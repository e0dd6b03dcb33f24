/*
 * Theory of operation: a query is answered at once from the table of names, or waits in a list, newest first, while it
 * is asked of the host's servers (dns_upstream.h). One leaves the list by its answer, by being the oldest when there
 * are too many, or by its guest's leaving.
 */
#include "dns.h"

#include <string.h>

#include "dns_message.h"
#include "dns_names.h"
#include "dns_upstream.h"
#include "resolv_conf.h"
#include "runtime/base/error.h"
#include "runtime/base/io.h"
#include "runtime/base/log.h"
#include "runtime/base/mem.h"

enum { DNS_PORT = 53 };

static const char system_resolv[] = "/etc/resolv.conf";

/* Nobody else's, so not to be asked of others. */
static const char *const own_zones[] = {"docker.internal", "mvm.internal"};

struct waiting {
	struct waiting *next;
	struct mvm_dns *dns;
	char *guest;
	struct dns_query query;
	size_t limit; /* of the answer */
	struct dns_exchange *exchange;
	mvm_dns_answer_fn answer;
	void *arg;
};

struct mvm_dns {
	struct dns_names *names;
	struct dns_upstream *upstream;
	struct waiting *waiting;
	struct mvm_dns_counters counters;
	char *resolv;
	uint16_t port;
	bool internal;
	uint32_t subnet;
	unsigned prefix;
	struct in6_addr subnet6;
	unsigned prefix6;
	struct mvm_resolv_server own[2]; /* our own addresses as servers': asking them would never end */
};

struct mvm_dns *mvm_dns_create(struct mvm_loop *loop, const struct mvm_dns_config *config)
{
	struct mvm_dns *dns = mvm_alloc(sizeof(*dns));

	dns->names = dns_names_create(config->network);
	dns->upstream = dns_upstream_create(loop, &dns->counters);
	dns->resolv = mvm_strdup(config->resolv ? config->resolv : system_resolv);
	dns->port = config->port ? config->port : DNS_PORT;
	dns->internal = config->internal;
	dns->subnet = config->subnet;
	dns->prefix = config->prefix;
	dns->subnet6 = config->subnet6;
	dns->prefix6 = config->prefix6;
	dns->own[0].address.in = (struct sockaddr_in){
		.sin_family = AF_INET, .sin_port = htons(dns->port), .sin_addr.s_addr = htonl(config->gateway)};
	dns->own[1].address.in6 = (struct sockaddr_in6){
		.sin6_family = AF_INET6, .sin6_port = htons(dns->port), .sin6_addr = config->gateway6};
	for (size_t i = 0; i < config->fixed_count; i++)
		dns_names_set(dns->names, &config->fixed[i], true);
	return dns;
}

void mvm_dns_set(struct mvm_dns *dns, const struct mvm_dns_endpoint *endpoint)
{
	dns_names_set(dns->names, endpoint, false);
}

void mvm_dns_remove(struct mvm_dns *dns, const char *id)
{
	dns_names_remove(dns->names, id);
}

const struct mvm_dns_counters *mvm_dns_counters(const struct mvm_dns *dns)
{
	return &dns->counters;
}

static void unlink_waiting(struct waiting *waiting)
{
	struct waiting **at = &waiting->dns->waiting;

	while (*at != waiting)
		at = &(*at)->next;
	*at = waiting->next;
}

static void free_waiting(struct waiting *waiting)
{
	free(waiting->guest);
	free(waiting);
}

/* With `silent` its callback is not called. */
static void drop(struct waiting *waiting, bool silent)
{
	unlink_waiting(waiting);
	dns_exchange_cancel(waiting->exchange);
	waiting->dns->counters.dropped++;
	if (!silent)
		waiting->answer(waiting->arg, NULL, 0);
	free_waiting(waiting);
}

void mvm_dns_destroy(struct mvm_dns *dns)
{
	if (!dns)
		return;
	while (dns->waiting)
		drop(dns->waiting, false);
	dns_upstream_destroy(dns->upstream);
	dns_names_destroy(dns->names);
	free(dns->resolv);
	free(dns);
}

void mvm_dns_cancel(struct mvm_dns *dns, const void *arg)
{
	struct waiting *next;

	for (struct waiting *waiting = dns->waiting; waiting; waiting = next) {
		next = waiting->next;
		if (waiting->arg == arg)
			drop(waiting, true);
	}
}

/* The oldest query of the guest, or of all where it is NULL; *count is how many there are. */
static struct waiting *oldest(const struct mvm_dns *dns, const char *guest, size_t *count)
{
	struct waiting *found = NULL;

	*count = 0;
	for (struct waiting *waiting = dns->waiting; waiting; waiting = waiting->next) {
		if (guest && strcmp(waiting->guest, guest) != 0)
			continue;
		found = waiting;
		(*count)++;
	}
	return found;
}

void mvm_dns_cancel_guest(struct mvm_dns *dns, const char *id)
{
	struct waiting *waiting;
	size_t count;

	/* Anew each time: a callback may cancel others. */
	while ((waiting = oldest(dns, id, &count)))
		drop(waiting, false);
}

static void make_room(struct mvm_dns *dns, const char *guest)
{
	size_t count;
	struct waiting *waiting = oldest(dns, guest, &count);

	if (count < MVM_DNS_MAX_GUEST_QUERIES) {
		waiting = oldest(dns, NULL, &count);
		if (count < MVM_DNS_MAX_QUERIES)
			return;
	}
	drop(waiting, false);
}

/* Sends an answer of our own and frees it. */
static void send_reply(struct mvm_dns *dns, struct dns_reply *reply, mvm_dns_answer_fn answer, void *arg)
{
	if (reply->truncated)
		dns->counters.truncated++;
	answer(arg, reply->message.data, reply->message.length);
	mvm_buf_finish(&reply->message);
}

static void send_rcode(struct mvm_dns *dns, const struct dns_query *query, enum dns_rcode rcode,
		       mvm_dns_answer_fn answer, void *arg)
{
	struct dns_reply reply;

	dns_reply_begin(&reply, query, rcode, DNS_UDP_SIZE);
	dns_reply_end(&reply, false);
	send_reply(dns, &reply, answer, arg);
}

static bool is_own_zone(const struct dns_name *name)
{
	for (size_t i = 0; i < MVM_COUNT(own_zones); i++) {
		struct dns_name zone;

		if (dns_name_parse(own_zones[i], &zone) && dns_name_under(name, &zone, NULL))
			return true;
	}
	return false;
}

static bool in_subnet6(const struct mvm_dns *dns, const struct in6_addr *address)
{
	unsigned whole = dns->prefix6 / 8, bits = dns->prefix6 % 8;

	return dns->prefix6 && memcmp(address->s6_addr, dns->subnet6.s6_addr, whole) == 0 &&
	       (!bits || (address->s6_addr[whole] ^ dns->subnet6.s6_addr[whole]) >> (8 - bits) == 0);
}

static bool wants(const struct dns_query *query, enum dns_type type)
{
	return query->type == type || query->type == DNS_TYPE_ANY;
}

/* Whose address it is. False: somebody's outside. */
static bool reply_reverse(const struct mvm_dns *dns, const struct dns_query *query, int family, uint32_t ipv4,
			  const struct in6_addr *ipv6, size_t limit, struct dns_reply *reply)
{
	bool inside =
		family == 4 ? dns->prefix && (ipv4 ^ dns->subnet) >> (32 - dns->prefix) == 0 : in_subnet6(dns, ipv6);
	struct dns_name name;
	bool known = dns_names_of(dns->names, family, ipv4, ipv6, &name);

	if (!known && !inside)
		return false;
	dns_reply_begin(reply, query, known ? DNS_NOERROR : DNS_NXDOMAIN, limit);
	if (known && wants(query, DNS_TYPE_PTR))
		dns_reply_add(reply, DNS_TYPE_PTR, name.wire, name.length);
	return true;
}

static void add_addresses(struct dns_reply *reply, enum dns_type type, struct dns_addresses *addresses)
{
	dns_addresses_shuffle(addresses);
	for (size_t i = 0; i < addresses->count && wants(reply->query, type); i++)
		dns_reply_add(reply, type, addresses->bytes.data + i * addresses->size, addresses->size);
}

static bool reply_forward(const struct mvm_dns *dns, const struct dns_query *query, size_t limit,
			  struct dns_reply *reply)
{
	struct dns_addresses ipv4 = {0}, ipv6 = {0};
	bool known = dns_names_find(dns->names, &query->name, &ipv4, &ipv6), ours = known || is_own_zone(&query->name);

	if (ours)
		dns_reply_begin(reply, query, known ? DNS_NOERROR : DNS_NXDOMAIN, limit);
	if (known) {
		add_addresses(reply, DNS_TYPE_A, &ipv4);
		add_addresses(reply, DNS_TYPE_AAAA, &ipv6);
	}
	mvm_buf_finish(&ipv4.bytes);
	mvm_buf_finish(&ipv6.bytes);
	return ours;
}

/* False where it is not for us to answer. */
static bool reply_local(const struct mvm_dns *dns, const struct dns_query *query, size_t limit, struct dns_reply *reply)
{
	struct in6_addr ipv6;
	uint32_t ipv4 = 0;
	int family;

	if (query->class != DNS_CLASS_IN && query->class != DNS_CLASS_ANY)
		return false;
	family = dns_name_address(&query->name, &ipv4, &ipv6);
	if (family ? !reply_reverse(dns, query, family, ipv4, &ipv6, limit, reply)
		   : !reply_forward(dns, query, limit, reply))
		return false;
	if (!reply->answers && !reply->truncated)
		dns_reply_deny(reply);
	dns_reply_end(reply, true);
	return true;
}

/* What the host asks at this moment; a file that is missing or names nobody means the host itself, resolv.conf(5). */
static void read_resolv(const struct mvm_dns *dns, const struct mvm_dns_client *client, struct mvm_resolv_conf *conf)
{
	struct mvm_error *err MVM_CLEAN_ERROR = NULL;
	char *text MVM_CLEAN_FREE = NULL;
	size_t kept = 0;

	if (mvm_read_file(dns->resolv, MVM_RESOLV_CONF_SIZE, &text, NULL, &err) < 0)
		mvm_log(MVM_LOG_DEBUG, "dns: %s", mvm_error_message(err));
	mvm_resolv_conf_parse(text ? text : "", dns->port, conf);
	if (client->server_count)
		conf->server_count = 0;
	for (size_t i = 0; i < client->server_count && conf->server_count < MVM_RESOLV_SERVERS; i++)
		if (mvm_resolv_server_parse(client->servers[i], dns->port, &conf->servers[conf->server_count]))
			conf->server_count++;
	if (!conf->server_count && !client->server_count &&
	    mvm_resolv_server_parse("127.0.0.1", dns->port, &conf->servers[0]))
		conf->server_count = 1;
	for (size_t i = 0; i < conf->server_count; i++)
		if (!mvm_resolv_server_equal(&conf->servers[i], &dns->own[0]) &&
		    !mvm_resolv_server_equal(&conf->servers[i], &dns->own[1]))
			conf->servers[kept++] = conf->servers[i];
	conf->server_count = kept;
}

static void on_answer(void *arg, const uint8_t *message, size_t length, bool truncated)
{
	struct waiting *waiting = arg;
	struct mvm_dns *dns = waiting->dns;

	unlink_waiting(waiting);
	if (!message) {
		dns->counters.failed++;
		send_rcode(dns, &waiting->query, DNS_SERVFAIL, waiting->answer, waiting->arg);
	} else if (length > waiting->limit) {
		struct dns_reply reply;

		dns->counters.forwarded++;
		dns_reply_truncated(&reply, &waiting->query, dns_get16(message + 2) & DNS_RCODE);
		send_reply(dns, &reply, waiting->answer, waiting->arg);
	} else {
		dns->counters.forwarded++;
		if (truncated)
			dns->counters.truncated++;
		waiting->answer(waiting->arg, message, length);
	}
	free_waiting(waiting);
}

static void forward(struct mvm_dns *dns, const uint8_t *message, size_t length, const struct dns_query *query,
		    const struct mvm_dns_client *client, bool tcp, mvm_dns_answer_fn answer, void *arg)
{
	struct mvm_resolv_conf conf MVM_CLEAN_RESOLV_CONF = {0};
	struct waiting *waiting;

	make_room(dns, client->id);
	read_resolv(dns, client, &conf);
	waiting = mvm_alloc(sizeof(*waiting));
	*waiting = (struct waiting){
		.next = dns->waiting,
		.dns = dns,
		.guest = mvm_strdup(client->id),
		.query = *query,
		.limit = tcp ? DNS_MESSAGE_MAX : query->size,
		.answer = answer,
		.arg = arg,
	};
	waiting->exchange = dns_exchange_start(dns->upstream, &conf, message, length, query, tcp, on_answer, waiting);
	dns->waiting = waiting;
}

/* What is no query, or one that nobody here would answer. */
static void refuse(struct mvm_dns *dns, int outcome, const struct dns_query *query, mvm_dns_answer_fn answer, void *arg)
{
	if (outcome < 0) {
		dns->counters.ignored++;
		answer(arg, NULL, 0);
		return;
	}
	if (outcome == DNS_FORMERR)
		dns->counters.malformed++;
	else
		dns->counters.refused++;
	send_rcode(dns, query, (enum dns_rcode)outcome, answer, arg);
}

/* A name that the client will ask for again with a domain behind it. */
static bool is_short(const struct dns_query *query, const struct mvm_dns_client *client)
{
	return client->ndots && (query->type == DNS_TYPE_A || query->type == DNS_TYPE_AAAA) &&
	       dns_name_labels(&query->name) == 1;
}

void mvm_dns_query(struct mvm_dns *dns, const void *message, size_t length, const struct mvm_dns_client *client,
		   bool tcp, mvm_dns_answer_fn answer, void *arg)
{
	struct dns_query query;
	struct dns_reply reply;
	int outcome = dns_query_parse(message, length, &query);

	dns->counters.queries++;
	/* A zone comes in many messages; ours are not for copying (RFC 5936 §5). */
	if (outcome == 0 && (query.type == DNS_TYPE_AXFR || query.type == DNS_TYPE_IXFR))
		outcome = DNS_REFUSED;
	if (outcome != 0) {
		refuse(dns, outcome, &query, answer, arg);
	} else if (reply_local(dns, &query, tcp ? DNS_MESSAGE_MAX : query.size, &reply)) {
		dns->counters.local++;
		send_reply(dns, &reply, answer, arg);
	} else if (client->another || (dns->internal && !is_short(&query, client))) {
		dns->counters.kept++;
		send_rcode(dns, &query, DNS_SERVFAIL, answer, arg);
	} else if (is_short(&query, client)) {
		dns->counters.local++;
		send_rcode(dns, &query, DNS_NOERROR, answer, arg);
	} else {
		forward(dns, message, length, &query, client, tcp, answer, arg);
	}
}
