/* Asking the host's servers: order, failover and patience, answers that are none, truncation and TCP; the servers are
 * ours, on loopback addresses, in the same loop. */
#include "dns_maker.h"

#include <arpa/inet.h>
#include <signal.h>
#include <sys/socket.h>

#include "net/dns.h"
#include "net/dns_frames.h"
#include "net/resolv_conf.h"
#include "runtime/base/loop.h"

enum manner {
	ANSWER,
	SILENT,
	FAIL,	      /* SERVFAIL */
	REFUSE,	      /* REFUSED, without a question */
	TRUNCATE,     /* over UDP; over TCP the whole */
	LARGE,	      /* more than a client without EDNS takes, without saying so */
	STRAYS_FIRST, /* then the answer */
	OTHER_LETTERS,
	HANG_UP, /* TCP: after the query; UDP says TRUNCATE */
	EMPTY,	 /* NXDOMAIN */
};

struct server {
	struct world *world;
	enum manner manner;
	uint8_t number; /* of the address that it answers with */
	int udp, tcp, peer;
	struct mvm_watch *watches[3];
	struct mvm_dns_frames frames;
	int asked, asked_by_tcp;
	uint16_t port, ports[8]; /* that queries came from */
	uint16_t ids[8];
	struct mvm_buf last; /* query */
};

struct world {
	char *folder, *resolv;
	struct mvm_loop *loop;
	struct mvm_timer *guard;
	struct mvm_dns *dns;
	struct server servers[3]; /* 127.0.0.1, 127.0.0.2, ::1 */
	uint16_t port;
	struct mvm_buf raw; /* the answer */
	char *text;
	int answers;
};

static const char *const addresses[] = {"127.0.0.1", "127.0.0.2", "::1"};

static void make_answer(const struct server *server, bool tcp, struct mvm_buf *buf)
{
	struct dns_query query = parse_made(&server->last);
	unsigned flags = DNS_QR | DNS_RD | DNS_RA, copies = 1;
	uint8_t address[4] = {192, 0, 2, server->number};

	if (server->manner == FAIL)
		flags |= DNS_SERVFAIL;
	if (server->manner == REFUSE)
		flags |= DNS_REFUSED;
	if (server->manner == EMPTY)
		flags |= DNS_NXDOMAIN;
	if ((server->manner == TRUNCATE || server->manner == HANG_UP) && !tcp)
		flags |= DNS_TC;
	if (server->manner == LARGE || (server->manner == TRUNCATE && tcp))
		copies = 100;
	if ((flags & (DNS_RCODE | DNS_TC)) != 0)
		copies = 0;
	make_header(buf, query.id, flags, server->manner == REFUSE ? 0 : 1, copies, 0, 0);
	if (server->manner == REFUSE)
		return;
	mvm_buf_add(buf, query.question, query.question_length);
	if (server->manner == OTHER_LETTERS)
		memcpy(buf->data + DNS_HEADER, query.name.wire, query.name.length);
	for (unsigned i = 0; i < copies; i++)
		make_record(buf, DNS_TYPE_A, address, sizeof(address));
}

static void note_query(struct server *server, const void *query, size_t length, uint16_t port)
{
	server->last.length = 0;
	mvm_buf_add(&server->last, query, length);
	if (server->asked < 8) {
		server->ports[server->asked] = port;
		server->ids[server->asked] = dns_get16(query);
	}
	server->asked++;
}

static void on_udp(void *arg, int fd, short revents)
{
	struct server *server = arg;
	struct sockaddr_storage from;
	socklen_t size = sizeof(from);
	struct mvm_buf answer MVM_CLEAN_BUF = {0};
	uint8_t query[4096];
	ssize_t n = recvfrom(fd, query, sizeof(query), 0, (struct sockaddr *)&from, &size);

	assert_true(n >= DNS_HEADER);
	note_query(server, query, (size_t)n, ((struct sockaddr_in *)&from)->sin_port);
	if (server->manner == SILENT)
		return;
	make_answer(server, false, &answer);
	if (server->manner == STRAYS_FIRST) {
		answer.data[0] ^= 1; /* another id, nothing, then another question */
		sendto(fd, answer.data, answer.length, 0, (struct sockaddr *)&from, size);
		sendto(fd, "", 0, 0, (struct sockaddr *)&from, size);
		answer.data[0] ^= 1;
		answer.data[DNS_HEADER + 1] ^= 1;
		sendto(fd, answer.data, answer.length, 0, (struct sockaddr *)&from, size);
		answer.data[DNS_HEADER + 1] ^= 1;
	}
	assert_int_equal(sendto(fd, answer.data, answer.length, 0, (struct sockaddr *)&from, size), answer.length);
}

static void hang_up(struct server *server)
{
	mvm_watch_remove(server->watches[2]);
	server->watches[2] = NULL;
	mvm_close(&server->peer);
	mvm_dns_frames_finish(&server->frames);
}

static void on_peer(void *arg, int fd, short revents)
{
	struct server *server = arg;
	uint8_t piece[5]; /* small ones */
	ssize_t n = read(fd, piece, sizeof(piece));
	const uint8_t *query;
	size_t length;

	if (n <= 0) {
		hang_up(server);
		return;
	}
	assert_int_equal(mvm_dns_frames_feed(&server->frames, piece, (size_t)n), n);
	while (mvm_dns_frames_next(&server->frames, &query, &length)) {
		struct mvm_buf answer MVM_CLEAN_BUF = {0};
		uint8_t header[MVM_DNS_FRAME_HEADER];

		note_query(server, query, length, 0);
		server->asked_by_tcp++;
		if (server->manner == HANG_UP) {
			hang_up(server);
			return;
		}
		if (server->manner == SILENT)
			return;
		make_answer(server, true, &answer);
		mvm_dns_frame_header(answer.length, header);
		/* In pieces. */
		assert_int_equal(mvm_write_full(fd, header, 1), 1);
		assert_int_equal(mvm_write_full(fd, header + 1, 1), 1);
		assert_int_equal(mvm_write_full(fd, answer.data, answer.length), answer.length);
	}
}

static void on_accept(void *arg, int fd, short revents)
{
	struct server *server = arg;

	assert_int_equal(server->peer, -1);
	server->peer = accept(fd, NULL, NULL);
	assert_true(server->peer >= 0);
	server->watches[2] = mvm_loop_watch(server->world->loop, server->peer, POLLIN, on_peer, server);
}

/* -1 where the address or the port is not to be had. */
static int listen_at(const char *address, uint16_t *port, int type)
{
	struct mvm_resolv_server at;
	int fd, on = 1;

	assert_true(mvm_resolv_server_parse(address, *port, &at));
	fd = socket(at.address.any.sa_family, type, 0);
	if (fd < 0)
		return -1;
	if (type == SOCK_STREAM)
		setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
	if (bind(fd, &at.address.any, at.length) < 0 || (type == SOCK_STREAM && listen(fd, 8) < 0) ||
	    getsockname(fd, &at.address.any, &at.length) < 0) {
		close(fd);
		return -1;
	}
	*port = ntohs(at.address.in.sin_port);
	return fd;
}

static bool open_server(struct world *world, size_t i)
{
	struct server *server = &world->servers[i];

	server->udp = listen_at(addresses[i], &world->port, SOCK_DGRAM);
	server->tcp = server->udp < 0 ? -1 : listen_at(addresses[i], &world->port, SOCK_STREAM);
	if (server->tcp < 0) {
		mvm_close(&server->udp);
		return false;
	}
	server->watches[0] = mvm_loop_watch(world->loop, server->udp, POLLIN, on_udp, server);
	server->watches[1] = mvm_loop_watch(world->loop, server->tcp, POLLIN, on_accept, server);
	return true;
}

/* Nobody listens at its port any more. */
static void close_server(struct server *server)
{
	hang_up(server);
	for (int i = 0; i < 2; i++) {
		mvm_watch_remove(server->watches[i]);
		server->watches[i] = NULL;
	}
	mvm_close(&server->udp);
	mvm_close(&server->tcp);
}

static void on_guard(void *arg)
{
	fail_msg("no answer in 30 seconds");
}

static void write_resolv(struct world *world, const char *text)
{
	struct mvm_error *err = NULL;

	assert_ok(mvm_replace_file(world->resolv, text, strlen(text), 0600, &err));
}

static int setup(void **state)
{
	struct world *world = mvm_alloc(sizeof(*world));
	struct mvm_dns_config config = {.network = "net1"};
	bool open = false;

	signal(SIGPIPE, SIG_IGN);
	world->folder = scratch_create();
	world->resolv = mvm_format("%s/resolv.conf", world->folder);
	write_resolv(world, "nameserver 127.0.0.1\nnameserver 127.0.0.2\n");
	world->loop = mvm_loop_create();
	for (size_t i = 0; i < 3; i++)
		world->servers[i] =
			(struct server){.world = world, .number = (uint8_t)(i + 1), .udp = -1, .tcp = -1, .peer = -1};
	/* A port that all of them can have; ::1 may not be there at all. */
	while (!open) {
		world->port = 0;
		open = open_server(world, 0) && open_server(world, 1);
		if (!open)
			close_server(&world->servers[0]);
	}
	open_server(world, 2);
	world->guard = mvm_loop_timer(world->loop, on_guard, NULL);
	config.resolv = world->resolv;
	config.port = world->port;
	world->dns = mvm_dns_create(world->loop, &config);
	*state = world;
	return 0;
}

static int teardown(void **state)
{
	struct world *world = *state;

	mvm_dns_destroy(world->dns);
	for (size_t i = 0; i < 3; i++) {
		close_server(&world->servers[i]);
		mvm_buf_finish(&world->servers[i].last);
	}
	mvm_loop_destroy(world->loop);
	mvm_buf_finish(&world->raw);
	scratch_remove(world->folder);
	free(world->resolv);
	free(world->text);
	free(world);
	return 0;
}

static void on_answer(void *arg, const void *message, size_t length)
{
	struct world *world = arg;

	assert_non_null(message);
	world->raw.length = 0;
	mvm_buf_add(&world->raw, message, length);
	free(world->text);
	world->text = read_answer(message, length);
	world->answers++;
	mvm_loop_stop(world->loop);
}

static void ask_with(struct world *world, const struct mvm_buf *query, const struct mvm_dns_client *client, bool tcp,
		     const char *expected)
{
	struct mvm_error *err = NULL;

	mvm_timer_start(world->guard, 30000);
	mvm_dns_query(world->dns, query->data, query->length, client, tcp, on_answer, world);
	assert_ok(mvm_loop_run(world->loop, &err));
	assert_int_equal(dns_get16((uint8_t *)world->raw.data), dns_get16((uint8_t *)query->data));
	assert_string_equal(world->text, expected);
}

static void ask(struct world *world, bool tcp, const char *expected)
{
	static const struct mvm_dns_client guest = {.id = "guest"};
	struct mvm_buf query MVM_CLEAN_BUF = {0};

	make_query(&query, 0x1234, "Example.COM", DNS_TYPE_A);
	ask_with(world, &query, &guest, tcp, expected);
}

static void first_is_asked(void **state)
{
	struct world *world = *state;
	struct mvm_buf query MVM_CLEAN_BUF = {0};

	ask(world, false, "NOERROR Example.COM. A 192.0.2.1");
	ask(world, true, "NOERROR Example.COM. A 192.0.2.1");
	assert_int_equal(world->servers[0].asked, 2);
	assert_int_equal(world->servers[1].asked, 0);
	/* As it came, but for its id. */
	make_query(&query, world->servers[0].ids[1], "Example.COM", DNS_TYPE_A);
	assert_int_equal(world->servers[0].last.length, query.length);
	assert_memory_equal(world->servers[0].last.data, query.data, query.length);
	assert_int_equal(mvm_dns_counters(world->dns)->forwarded, 2);
}

static void ids_and_ports_are_fresh(void **state)
{
	struct world *world = *state;
	const struct server *server = &world->servers[0];
	int ids = 0, ports = 0;

	for (int i = 0; i < 8; i++)
		ask(world, false, "NOERROR Example.COM. A 192.0.2.1");
	for (int i = 1; i < 8; i++) {
		ids += server->ids[i] != server->ids[i - 1];
		ports += server->ports[i] != server->ports[i - 1];
	}
	assert_true(ids >= 6 && ports >= 6);
}

static void edns_is_passed_on(void **state)
{
	static const struct mvm_dns_client guest = {.id = "guest"};
	struct world *world = *state;
	struct mvm_buf query MVM_CLEAN_BUF = {0};

	make_edns_query(&query, 1, "example.com", DNS_TYPE_A, 4096);
	world->servers[0].manner = LARGE;
	mvm_timer_start(world->guard, 30000);
	mvm_dns_query(world->dns, query.data, query.length, &guest, false, on_answer, world);
	assert_int_equal(mvm_loop_run(world->loop, NULL), 0);
	assert_true(world->raw.length > 1600);
	assert_int_equal(world->servers[0].last.length, query.length);
	assert_memory_equal(world->servers[0].last.data + 2, query.data + 2, query.length - 2);
}

static void next_where_nobody_listens(void **state)
{
	struct world *world = *state;

	close_server(&world->servers[0]);
	ask(world, false, "NOERROR Example.COM. A 192.0.2.2");
	assert_int_equal(mvm_dns_counters(world->dns)->retries, 1);
}

static void next_where_one_is_slow(void **state)
{
	struct world *world = *state;

	write_resolv(world, "nameserver 127.0.0.1\nnameserver 127.0.0.2\noptions timeout:1\n");
	world->servers[0].manner = SILENT;
	ask(world, false, "NOERROR Example.COM. A 192.0.2.2");
	assert_int_equal(world->servers[0].asked, 1);
}

/* One that lately gave no answer stays the first, but is not waited for as long. */
static void the_lame_get_less_time(void **state)
{
	struct world *world = *state;
	uint64_t start;

	write_resolv(world, "nameserver 127.0.0.1\nnameserver 127.0.0.2\noptions timeout:8\n");
	close_server(&world->servers[0]);
	ask(world, false, "NOERROR Example.COM. A 192.0.2.2");
	assert_true(open_server(world, 0));
	world->servers[0].manner = SILENT;
	start = mvm_now_ns();
	ask(world, false, "NOERROR Example.COM. A 192.0.2.2");
	assert_int_equal(world->servers[0].asked, 1);
	assert_true(mvm_now_ns() - start < 7000000000u);
	world->servers[0].manner = ANSWER;
	ask(world, false, "NOERROR Example.COM. A 192.0.2.1");
}

static void again_where_a_packet_is_lost(void **state)
{
	struct world *world = *state;

	write_resolv(world, "nameserver 127.0.0.1\noptions timeout:1 attempts:2\n");
	world->servers[0].manner = SILENT;
	ask(world, false, "SERVFAIL Example.COM.");
	assert_int_equal(world->servers[0].asked, 2);
	assert_true(world->servers[0].ids[0] != world->servers[0].ids[1] ||
		    world->servers[0].ports[0] != world->servers[0].ports[1]);
}

/* Whatever resolv.conf says: here it would be five minutes. */
static void never_long(void **state)
{
	struct world *world = *state;
	uint64_t start = mvm_now_ns();

	write_resolv(world, "nameserver 127.0.0.1\nnameserver 127.0.0.2\noptions timeout:30 attempts:5\n");
	world->servers[0].manner = world->servers[1].manner = SILENT;
	ask(world, false, "SERVFAIL Example.COM.");
	assert_true(mvm_now_ns() - start >= 10000000000u);
	assert_int_equal(world->servers[0].asked, 1);
	assert_int_equal(world->servers[1].asked, 1);
}

static void next_where_one_refuses(void **state)
{
	struct world *world = *state;

	world->servers[0].manner = FAIL;
	ask(world, false, "NOERROR Example.COM. A 192.0.2.2");
	world->servers[0].manner = REFUSE;
	ask(world, false, "NOERROR Example.COM. A 192.0.2.2");
	/* All of them: the last one's word, and nobody is asked twice. */
	world->servers[1].manner = FAIL;
	ask(world, false, "SERVFAIL Example.COM.");
	assert_int_equal(world->servers[0].asked, 3);
	assert_int_equal(world->servers[1].asked, 3);
	world->servers[1].manner = REFUSE;
	ask(world, false, "REFUSED");
}

static void no_such_name_is_an_answer(void **state)
{
	struct world *world = *state;

	world->servers[0].manner = EMPTY;
	ask(world, false, "NXDOMAIN Example.COM.");
	assert_int_equal(world->servers[1].asked, 0);
}

static void strays_are_passed_over(void **state)
{
	struct world *world = *state;

	world->servers[0].manner = STRAYS_FIRST;
	ask(world, false, "NOERROR Example.COM. A 192.0.2.1");
	assert_int_equal(mvm_dns_counters(world->dns)->strays, 3);
	assert_int_equal(world->servers[0].asked, 1);
	world->servers[0].manner = OTHER_LETTERS;
	ask(world, false, "NOERROR Example.COM. A 192.0.2.1");
}

static void truncated_answers(void **state)
{
	static const struct mvm_dns_client guest = {.id = "guest"};
	struct world *world = *state;
	struct mvm_buf query MVM_CLEAN_BUF = {0};

	world->servers[0].manner = TRUNCATE;
	ask(world, false, "NOERROR TC Example.COM.");
	assert_int_equal(world->servers[0].asked_by_tcp, 0);
	make_query(&query, 1, "example.com", DNS_TYPE_A);
	mvm_timer_start(world->guard, 30000);
	mvm_dns_query(world->dns, query.data, query.length, &guest, true, on_answer, world);
	assert_int_equal(mvm_loop_run(world->loop, NULL), 0);
	assert_int_equal(world->servers[0].asked_by_tcp, 1);
	assert_int_equal(dns_get16((uint8_t *)world->raw.data + 6), 100);
	/* One that says nothing of it is cut here. */
	world->servers[0].manner = LARGE;
	ask(world, false, "NOERROR TC Example.COM.");
	assert_int_equal(mvm_dns_counters(world->dns)->truncated, 2);
}

static void tcp_that_fails(void **state)
{
	struct world *world = *state;

	world->servers[0].manner = HANG_UP;
	ask(world, true, "NOERROR Example.COM. A 192.0.2.2");
	assert_int_equal(world->servers[0].asked_by_tcp, 1);
	/* Better than nothing is what there was over UDP. */
	world->servers[1].manner = HANG_UP;
	ask(world, true, "NOERROR TC Example.COM.");
}

static void always_tcp(void **state)
{
	struct world *world = *state;

	write_resolv(world, "nameserver 127.0.0.1\noptions use-vc\n");
	ask(world, false, "NOERROR Example.COM. A 192.0.2.1");
	assert_int_equal(world->servers[0].asked_by_tcp, 1);
	close_server(&world->servers[0]);
	ask(world, false, "SERVFAIL Example.COM.");
}

static void file_that_changes(void **state)
{
	struct world *world = *state;

	ask(world, false, "NOERROR Example.COM. A 192.0.2.1");
	write_resolv(world, "nameserver 127.0.0.2\n");
	ask(world, false, "NOERROR Example.COM. A 192.0.2.2");
	/* Nobody named and no file at all mean the host itself. */
	write_resolv(world, "# empty\n");
	ask(world, false, "NOERROR Example.COM. A 192.0.2.1");
	assert_int_equal(unlink(world->resolv), 0);
	ask(world, false, "NOERROR Example.COM. A 192.0.2.1");
}

static void servers_take_turns(void **state)
{
	struct world *world = *state;

	write_resolv(world, "nameserver 127.0.0.1\nnameserver 127.0.0.2\noptions rotate\n");
	for (int i = 0; i < 4; i++)
		ask(world, false, i % 2 ? "NOERROR Example.COM. A 192.0.2.2" : "NOERROR Example.COM. A 192.0.2.1");
}

static void a_guests_own_servers(void **state)
{
	static const char *const own[] = {"127.0.0.2"};
	static const struct mvm_dns_client guest = {.id = "guest", .servers = own, .server_count = 1};
	struct world *world = *state;
	struct mvm_buf query MVM_CLEAN_BUF = {0};

	make_query(&query, 9, "example.com", DNS_TYPE_A);
	ask_with(world, &query, &guest, false, "NOERROR example.com. A 192.0.2.2");
	assert_int_equal(world->servers[0].asked, 0);
}

static void a_server_with_ipv6(void **state)
{
	struct world *world = *state;

	if (world->servers[2].udp < 0)
		skip(); /* no ::1 on this machine */
	write_resolv(world, "nameserver ::1\n");
	ask(world, false, "NOERROR Example.COM. A 192.0.2.3");
	world->servers[2].manner = TRUNCATE;
	ask(world, false, "NOERROR TC Example.COM.");
}

#define on_world(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		on_world(first_is_asked),
		on_world(ids_and_ports_are_fresh),
		on_world(edns_is_passed_on),
		on_world(next_where_nobody_listens),
		on_world(next_where_one_is_slow),
		on_world(the_lame_get_less_time),
		on_world(again_where_a_packet_is_lost),
		on_world(never_long),
		on_world(next_where_one_refuses),
		on_world(no_such_name_is_an_answer),
		on_world(strays_are_passed_over),
		on_world(truncated_answers),
		on_world(tcp_that_fails),
		on_world(always_tcp),
		on_world(file_that_changes),
		on_world(servers_take_turns),
		on_world(a_guests_own_servers),
		on_world(a_server_with_ipv6),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
