/* The DNS server: what it answers from its table, what it denies, what it keeps to itself, and what becomes of queries
 * that nobody answers. Servers of others are in test_dns_upstream.c. */
#include "dns_maker.h"

#include <arpa/inet.h>
#include <sys/resource.h>
#include <sys/socket.h>

#include "net/dns.h"
#include "runtime/base/loop.h"

struct world {
	char *folder;
	char *resolv;
	struct mvm_loop *loop;
	struct mvm_dns *dns;
	int silent; /* a server that never answers */
	uint16_t port;
};

static const struct mvm_dns_client guest = {.id = "guest"};

static struct mvm_dns_config config_of(const struct world *world)
{
	static const char *const host_names[] = {"host.docker.internal", "host.mvm.internal"};
	static const char *const gateway_names[] = {"gateway.docker.internal"};
	static const struct mvm_dns_endpoint fixed[] = {
		{.id = "host", .names = host_names, .name_count = 2, .ipv4 = 0xac1e00fe},
		{.id = "gateway", .names = gateway_names, .name_count = 1, .ipv4 = 0xac1e0001},
	};

	return (struct mvm_dns_config){
		.network = "net1",
		.resolv = world->resolv,
		.port = world->port,
		.subnet = 0xac1e0000,
		.prefix = 24,
		.gateway = 0xac1e0001,
		.subnet6 = {.s6_addr = {0xfd, 0, 0, 1}},
		.prefix6 = 64,
		.gateway6 = {.s6_addr = {0xfd, 0, 0, 1, [15] = 1}},
		.fixed = fixed,
		.fixed_count = MVM_COUNT(fixed),
	};
}

static void set_guest(struct mvm_dns *dns, const char *id, const char *name, const char *alias, uint32_t ipv4,
		      uint8_t ipv6)
{
	const char *names[] = {name, alias};
	struct mvm_dns_endpoint endpoint = {.id = id, .names = names, .name_count = 2, .ipv4 = ipv4};

	if (ipv6)
		endpoint.ipv6 = (struct in6_addr){.s6_addr = {0xfd, 0, 0, 1, [15] = ipv6}};
	mvm_dns_set(dns, &endpoint);
}

static int setup(void **state)
{
	struct world *world = mvm_alloc(sizeof(*world));
	struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t length = sizeof(address);
	static const char text[] = "nameserver 127.0.0.1\noptions timeout:1 attempts:1\n";
	struct mvm_dns_config config;
	struct mvm_error *err = NULL;

	world->folder = scratch_create();
	world->resolv = mvm_format("%s/resolv.conf", world->folder);
	assert_ok(mvm_replace_file(world->resolv, text, strlen(text), 0600, &err));
	world->silent = socket(AF_INET, SOCK_DGRAM, 0);
	assert_int_equal(bind(world->silent, (struct sockaddr *)&address, sizeof(address)), 0);
	assert_int_equal(getsockname(world->silent, (struct sockaddr *)&address, &length), 0);
	world->port = ntohs(address.sin_port);
	world->loop = mvm_loop_create();
	config = config_of(world);
	world->dns = mvm_dns_create(world->loop, &config);
	set_guest(world->dns, "a", "web", "www", 0xac1e0002, 2);
	set_guest(world->dns, "b", "db", "www", 0xac1e0003, 0);
	*state = world;
	return 0;
}

static int teardown(void **state)
{
	struct world *world = *state;

	mvm_dns_destroy(world->dns);
	mvm_loop_destroy(world->loop);
	close(world->silent);
	scratch_remove(world->folder);
	free(world->resolv);
	free(world);
	return 0;
}

/* What came back; `text` NULL with `calls` 1: nothing to send. */
struct answer {
	char *text;
	size_t length;
	int calls;
	struct mvm_loop *loop; /* stops it, where not NULL */
};

static void on_answer(void *arg, const void *message, size_t length)
{
	struct answer *answer = arg;

	answer->calls++;
	answer->length = length;
	if (message)
		answer->text = read_answer(message, length);
	if (answer->loop)
		mvm_loop_stop(answer->loop);
}

/* Asks for what must be answered at once. */
static void ask_as(struct world *world, const struct mvm_dns_client *client, const char *name, unsigned type,
		   const char *expected)
{
	struct mvm_buf query MVM_CLEAN_BUF = {0};
	struct answer answer = {0};

	make_query(&query, 1, name, type);
	mvm_dns_query(world->dns, query.data, query.length, client, false, on_answer, &answer);
	assert_int_equal(answer.calls, 1);
	assert_non_null(answer.text);
	assert_string_equal(answer.text, expected);
	free(answer.text);
}

static void ask(struct world *world, const char *name, unsigned type, const char *expected)
{
	ask_as(world, &guest, name, type, expected);
}

static void own_names(void **state)
{
	struct world *world = *state;

	ask(world, "web", DNS_TYPE_A, "NOERROR AA web. A 172.30.0.2");
	ask(world, "WeB", DNS_TYPE_A, "NOERROR AA WeB. A 172.30.0.2");
	ask(world, "Web.Net1", DNS_TYPE_A, "NOERROR AA Web.Net1. A 172.30.0.2");
	ask(world, "web", DNS_TYPE_AAAA, "NOERROR AA web. AAAA ..:2");
	ask(world, "web", DNS_TYPE_ANY, "NOERROR AA web. A 172.30.0.2 AAAA ..:2");
	assert_int_equal(mvm_dns_counters(world->dns)->local, 5);
}

static void no_data_is_not_no_name(void **state)
{
	struct world *world = *state;

	ask(world, "db", DNS_TYPE_AAAA, "NOERROR AA db. SOA db.");
	ask(world, "db.net1", DNS_TYPE_AAAA, "NOERROR AA db.net1. SOA db.net1.");
	/* MX, HTTPS */
	ask(world, "db", 15, "NOERROR AA db. SOA db.");
	ask(world, "db", 65, "NOERROR AA db. SOA db.");
}

static void names_that_go_are_forgotten(void **state)
{
	struct world *world = *state;
	const struct mvm_dns_client kept = {.id = "guest", .another = true};

	mvm_dns_remove(world->dns, "b");
	mvm_dns_remove(world->dns, "nobody");
	ask_as(world, &kept, "db", DNS_TYPE_A, "SERVFAIL db.");
	ask(world, "www", DNS_TYPE_A, "NOERROR AA www. A 172.30.0.2");
}

static void an_alias_of_two(void **state)
{
	struct world *world = *state;
	bool first[2] = {false, false};

	/* Both in either order; the pair of A and AAAA that resolvers ask for must not make it always the same. */
	for (int i = 0; i < 200 && !(first[0] && first[1]); i++) {
		struct mvm_buf query MVM_CLEAN_BUF = {0};
		struct answer answer = {0};

		make_query(&query, 1, "www", DNS_TYPE_A);
		mvm_dns_query(world->dns, query.data, query.length, &guest, false, on_answer, &answer);
		if (strcmp(answer.text, "NOERROR AA www. A 172.30.0.2 A 172.30.0.3") == 0)
			first[0] = true;
		else if (strcmp(answer.text, "NOERROR AA www. A 172.30.0.3 A 172.30.0.2") == 0)
			first[1] = true;
		else
			fail_msg("%s", answer.text);
		free(answer.text);
		ask(world, "www", DNS_TYPE_AAAA, "NOERROR AA www. AAAA ..:2");
	}
	assert_true(first[0] && first[1]);
}

static void names_of_the_host(void **state)
{
	struct world *world = *state;

	ask(world, "host.docker.internal", DNS_TYPE_A, "NOERROR AA host.docker.internal. A 172.30.0.254");
	ask(world, "host.mvm.internal", DNS_TYPE_A, "NOERROR AA host.mvm.internal. A 172.30.0.254");
	ask(world, "gateway.docker.internal", DNS_TYPE_A, "NOERROR AA gateway.docker.internal. A 172.30.0.1");
	ask(world, "host.docker.internal", DNS_TYPE_AAAA, "NOERROR AA host.docker.internal. SOA host.docker.internal.");
	ask(world, "db.mvm.internal", DNS_TYPE_A, "NXDOMAIN AA db.mvm.internal. SOA mvm.internal.");
	ask(world, "docker.internal", DNS_TYPE_A, "NXDOMAIN AA docker.internal. SOA internal.");
}

static void reverse_lookups(void **state)
{
	struct world *world = *state;
	static const char zeros[] = "0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.";
	char *name MVM_CLEAN_FREE = mvm_format("2.%s1.0.0.0.0.0.d.f.ip6.arpa", zeros);
	char *known MVM_CLEAN_FREE = mvm_format("NOERROR AA %s. PTR web.net1.", name);
	char *other MVM_CLEAN_FREE = mvm_format("9.%s1.0.0.0.0.0.d.f.ip6.arpa", zeros);
	char *unknown MVM_CLEAN_FREE = mvm_format("NXDOMAIN AA %s. SOA %s.", other, other + 2);

	ask(world, "2.0.30.172.in-addr.arpa", DNS_TYPE_PTR, "NOERROR AA 2.0.30.172.in-addr.arpa. PTR web.net1.");
	ask(world, "2.0.30.172.in-addr.arpa", DNS_TYPE_A,
	    "NOERROR AA 2.0.30.172.in-addr.arpa. SOA 2.0.30.172.in-addr.arpa.");
	ask(world, "1.0.30.172.in-addr.arpa", DNS_TYPE_PTR,
	    "NOERROR AA 1.0.30.172.in-addr.arpa. PTR gateway.docker.internal.");
	ask(world, "9.0.30.172.in-addr.arpa", DNS_TYPE_PTR,
	    "NXDOMAIN AA 9.0.30.172.in-addr.arpa. SOA 0.30.172.in-addr.arpa.");
	ask(world, name, DNS_TYPE_PTR, known);
	ask(world, other, DNS_TYPE_PTR, unknown);
}

static void what_is_kept_inside(void **state)
{
	struct world *world = *state;
	const struct mvm_dns_client more = {.id = "guest", .another = true, .ndots = true};
	const struct mvm_dns_client dots = {.id = "guest", .ndots = true};
	struct mvm_dns_config config = config_of(world);

	ask_as(world, &more, "nas", DNS_TYPE_A, "SERVFAIL nas.");
	ask_as(world, &more, "example.com", DNS_TYPE_A, "SERVFAIL example.com.");
	ask_as(world, &more, "web", DNS_TYPE_A, "NOERROR AA web. A 172.30.0.2");
	ask_as(world, &dots, "nas", DNS_TYPE_AAAA, "NOERROR nas.");
	assert_int_equal(mvm_dns_counters(world->dns)->kept, 2);
	mvm_dns_destroy(world->dns);
	config.internal = true;
	world->dns = mvm_dns_create(world->loop, &config);
	set_guest(world->dns, "a", "web", "www", 0xac1e0002, 2);
	ask(world, "example.com", DNS_TYPE_A, "SERVFAIL example.com.");
	ask(world, "8.8.8.8.in-addr.arpa", DNS_TYPE_PTR, "SERVFAIL 8.8.8.8.in-addr.arpa.");
	ask(world, "web", DNS_TYPE_A, "NOERROR AA web. A 172.30.0.2");
	assert_int_equal(mvm_dns_counters(world->dns)->kept, 2);
}

static void bad_queries_are_counted(void **state)
{
	struct world *world = *state;
	const struct mvm_dns_counters *counters = mvm_dns_counters(world->dns);
	struct mvm_buf query MVM_CLEAN_BUF = {0};
	struct answer answer = {0};

	ask(world, "example.com", DNS_TYPE_AXFR, "REFUSED example.com.");
	make_header(&query, 1, DNS_QR, 1, 0, 0, 0);
	make_question(&query, "web", DNS_TYPE_A);
	mvm_dns_query(world->dns, query.data, query.length, &guest, false, on_answer, &answer);
	mvm_dns_query(world->dns, query.data, 5, &guest, true, on_answer, &answer);
	assert_int_equal(answer.calls, 2);
	assert_null(answer.text);
	query.length = 0;
	make_header(&query, 1, 0x2800, 0, 0, 0, 0);
	mvm_dns_query(world->dns, query.data, query.length, &guest, false, on_answer, &answer);
	assert_string_equal(answer.text, "NOTIMP");
	free(answer.text);
	query.length = 0;
	make_header(&query, 1, 0, 3, 0, 0, 0);
	mvm_dns_query(world->dns, query.data, query.length, &guest, false, on_answer, &answer);
	assert_string_equal(answer.text, "FORMERR");
	free(answer.text);
	assert_int_equal(counters->refused, 2);
	assert_int_equal(counters->ignored, 2);
	assert_int_equal(counters->malformed, 1);
	assert_int_equal(counters->queries, 5);
}

/* 100 containers of one alias: 1,600 bytes of addresses. */
static void as_much_as_fits(void **state)
{
	static const struct {
		unsigned size;
		bool tcp;
		bool fits;
		size_t least;
	} cases[] = {
		{0, false, false, 490}, {1232, false, false, 1210}, {4096, false, true, 1600}, {0, true, true, 1600}};
	struct world *world = *state;

	for (uint32_t i = 0; i < 100; i++) {
		char *id MVM_CLEAN_FREE = mvm_format("many%u", i);

		set_guest(world->dns, id, "x", "many", 0xac1e0010 + i, 0);
	}
	for (size_t i = 0; i < MVM_COUNT(cases); i++) {
		struct mvm_buf query MVM_CLEAN_BUF = {0};
		struct answer answer = {0};

		if (cases[i].size)
			make_edns_query(&query, 1, "many", DNS_TYPE_A, cases[i].size);
		else
			make_query(&query, 1, "many", DNS_TYPE_A);
		mvm_dns_query(world->dns, query.data, query.length, &guest, cases[i].tcp, on_answer, &answer);
		assert_int_equal(strncmp(answer.text, "NOERROR AA TC", 13) == 0, !cases[i].fits);
		assert_true(answer.length >= cases[i].least);
		if (!cases[i].tcp)
			assert_true(answer.length <= (cases[i].size ? cases[i].size : 512));
		free(answer.text);
	}
	assert_int_equal(mvm_dns_counters(world->dns)->truncated, 2);
}

static void wait_for_answer(struct world *world, const struct mvm_dns_client *client, const char *expected)
{
	struct mvm_buf query MVM_CLEAN_BUF = {0};
	struct answer answer = {.loop = world->loop};
	struct mvm_error *err = NULL;

	make_query(&query, 1, "example.com", DNS_TYPE_A);
	mvm_dns_query(world->dns, query.data, query.length, client, false, on_answer, &answer);
	assert_int_equal(answer.calls, 0);
	assert_ok(mvm_loop_run(world->loop, &err));
	assert_string_equal(answer.text, expected);
	free(answer.text);
}

static void nobody_answers(void **state)
{
	struct world *world = *state;
	static const char *const ours[] = {"172.30.0.1", "fd00:1::1", "not an address"};
	const struct mvm_dns_client loop = {.id = "guest", .servers = ours, .server_count = MVM_COUNT(ours)};
	static const char text[] = "nameserver 172.30.0.1\n";
	struct mvm_error *err = NULL;

	wait_for_answer(world, &guest, "SERVFAIL example.com.");
	/* Ourselves we do not ask, whoever says so: at once there is nobody. */
	wait_for_answer(world, &loop, "SERVFAIL example.com.");
	assert_ok(mvm_replace_file(world->resolv, text, strlen(text), 0600, &err));
	wait_for_answer(world, &guest, "SERVFAIL example.com.");
	assert_int_equal(mvm_dns_counters(world->dns)->failed, 3);
	assert_int_equal(mvm_dns_counters(world->dns)->retries, 0);
}

static void ask_silent(struct world *world, const char *id, struct answer *answer)
{
	const struct mvm_dns_client client = {.id = id};
	struct mvm_buf query MVM_CLEAN_BUF = {0};

	make_query(&query, 1, "example.com", DNS_TYPE_A);
	mvm_dns_query(world->dns, query.data, query.length, &client, false, on_answer, answer);
}

/* Of too many the oldest goes: first the guest's own, then anybody's. */
static void too_many_at_once(void **state)
{
	struct world *world = *state;
	struct answer *answers MVM_CLEAN_FREE = mvm_alloc(600 * sizeof(*answers));
	size_t next = 0;

	for (int i = 0; i < MVM_DNS_MAX_GUEST_QUERIES; i++)
		ask_silent(world, "one", &answers[next++]);
	assert_int_equal(mvm_dns_counters(world->dns)->dropped, 0);
	ask_silent(world, "one", &answers[next++]);
	assert_int_equal(answers[0].calls, 1);
	assert_int_equal(answers[1].calls, 0);
	for (int i = 0; i < MVM_DNS_MAX_QUERIES - MVM_DNS_MAX_GUEST_QUERIES; i++)
		ask_silent(world, "two", &answers[next++]);
	assert_int_equal(mvm_dns_counters(world->dns)->dropped, 1);
	ask_silent(world, "three", &answers[next++]);
	assert_int_equal(answers[1].calls, 1);
	assert_int_equal(mvm_dns_counters(world->dns)->dropped, 2);
	mvm_dns_cancel_guest(world->dns, "two");
	assert_int_equal(answers[300].calls, 1);
	assert_int_equal(answers[2].calls, 0);
	mvm_dns_cancel(world->dns, &answers[2]);
	mvm_dns_cancel(world->dns, &answers[2]);
	assert_int_equal(answers[2].calls, 0);
	assert_int_equal(mvm_dns_counters(world->dns)->dropped, 3 + MVM_DNS_MAX_QUERIES - MVM_DNS_MAX_GUEST_QUERIES);
	mvm_dns_destroy(world->dns);
	world->dns = NULL;
	for (size_t i = 0; i < next; i++) {
		assert_int_equal(answers[i].calls, i == 2 ? 0 : 1);
		assert_null(answers[i].text);
	}
}

/* The guests' connections may have taken them all: names still are answered, and what needs one fails. */
static void no_descriptor_is_left(void **state)
{
	struct world *world = *state;
	struct rlimit limit, none;
	int next = dup(world->silent);

	close(next);
	assert_int_equal(getrlimit(RLIMIT_NOFILE, &limit), 0);
	none = (struct rlimit){.rlim_cur = (rlim_t)next, .rlim_max = limit.rlim_max};
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &none), 0);
	ask(world, "www", DNS_TYPE_AAAA, "NOERROR AA www. AAAA ..:2");
	ask(world, "9.0.30.172.in-addr.arpa", DNS_TYPE_PTR,
	    "NXDOMAIN AA 9.0.30.172.in-addr.arpa. SOA 0.30.172.in-addr.arpa.");
	wait_for_answer(world, &guest, "SERVFAIL example.com.");
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &limit), 0);
	assert_int_equal(mvm_dns_counters(world->dns)->failed, 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(own_names, setup, teardown),
		cmocka_unit_test_setup_teardown(no_data_is_not_no_name, setup, teardown),
		cmocka_unit_test_setup_teardown(names_that_go_are_forgotten, setup, teardown),
		cmocka_unit_test_setup_teardown(an_alias_of_two, setup, teardown),
		cmocka_unit_test_setup_teardown(names_of_the_host, setup, teardown),
		cmocka_unit_test_setup_teardown(reverse_lookups, setup, teardown),
		cmocka_unit_test_setup_teardown(what_is_kept_inside, setup, teardown),
		cmocka_unit_test_setup_teardown(bad_queries_are_counted, setup, teardown),
		cmocka_unit_test_setup_teardown(as_much_as_fits, setup, teardown),
		cmocka_unit_test_setup_teardown(nobody_answers, setup, teardown),
		cmocka_unit_test_setup_teardown(too_many_at_once, setup, teardown),
		cmocka_unit_test_setup_teardown(no_descriptor_is_left, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
