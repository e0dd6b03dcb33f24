/*
 * Theory of operation: an exchange goes through its servers in order, as many times as resolv.conf says. A try ends by
 * an answer, by an error of the socket (a port that nobody listens on is known at once) or by its time. An answer that
 * is a refusal (SERVFAIL, NOTIMP, REFUSED) is kept, that server is not asked again, and the next is. An answer that is
 * truncated is the client's to repeat over TCP; for a client that asked over TCP it is repeated here.
 */
#include "dns_upstream.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "dns.h"
#include "dns_frames.h"
#include "runtime/base/io.h"
#include "runtime/base/loop.h"
#include "runtime/base/mem.h"
#include "runtime/base/text.h"

enum { LAME_COUNT = 16, LAME_MS = 30000, LARGEST_BY_UDP = 1232 };

static const uint64_t ms_ns = 1000000;

struct lame {
	struct mvm_resolv_server server;
	uint64_t until; /* on the monotonic clock */
};

struct dns_upstream {
	struct mvm_loop *loop;
	struct lame lame[LAME_COUNT];
	size_t next_lame;
	size_t turn; /* of `rotate` */
	struct mvm_dns_counters *counters;
	uint8_t buffer[DNS_MESSAGE_MAX];
};

struct dns_exchange {
	struct dns_upstream *upstream;
	struct mvm_resolv_server servers[MVM_RESOLV_SERVERS];
	size_t count;
	size_t at;	  /* the present one */
	unsigned refused; /* bits of those that did */
	unsigned attempts;
	uint64_t try_ms, deadline;
	struct dns_query query;
	uint16_t id;		/* of the present try */
	struct mvm_buf message; /* with the length that TCP wants before it */
	struct mvm_buf best;	/* an answer that is better than none */
	bool best_truncated;
	bool tcp;	 /* truncated ones are repeated */
	bool always_tcp; /* by wish, or since the query is too large for one packet */
	bool started;
	/* The present try. */
	int fd;
	struct mvm_watch *watch;
	struct mvm_timer *timer;
	size_t sent; /* over TCP */
	struct mvm_dns_frames frames;
	dns_exchange_fn done;
	void *arg;
};

struct dns_upstream *dns_upstream_create(struct mvm_loop *loop, struct mvm_dns_counters *counters)
{
	struct dns_upstream *upstream = mvm_alloc(sizeof(*upstream));

	upstream->loop = loop;
	upstream->counters = counters;
	return upstream;
}

void dns_upstream_destroy(struct dns_upstream *upstream)
{
	free(upstream);
}

static struct lame *find_lame(struct dns_upstream *upstream, const struct mvm_resolv_server *server)
{
	for (size_t i = 0; i < LAME_COUNT; i++)
		if (upstream->lame[i].until && mvm_resolv_server_equal(&upstream->lame[i].server, server))
			return &upstream->lame[i];
	return NULL;
}

static void mark_server(struct dns_upstream *upstream, const struct mvm_resolv_server *server, bool answers)
{
	struct lame *lame = find_lame(upstream, server);

	if (answers) {
		if (lame)
			lame->until = 0;
		return;
	}
	if (!lame)
		lame = &upstream->lame[upstream->next_lame++ % LAME_COUNT];
	*lame = (struct lame){.server = *server, .until = mvm_now_ns() + LAME_MS * ms_ns};
}

static const struct mvm_resolv_server *present_server(const struct dns_exchange *exchange)
{
	return &exchange->servers[exchange->at % exchange->count];
}

/* How long the present server is waited for. */
static uint64_t patience(const struct dns_exchange *exchange)
{
	uint64_t now = mvm_now_ns(), left, most = exchange->try_ms;
	const struct lame *lame = find_lame(exchange->upstream, present_server(exchange));

	left = now < exchange->deadline ? (exchange->deadline - now) / ms_ns + 1 : 0;
	/* Each has its turn, however many there are and whatever resolv.conf says. */
	if (exchange->at < exchange->count)
		left /= exchange->count - exchange->at;
	/* At the first round, and where there is another to ask. */
	if (lame && lame->until > now && exchange->at + 1 < exchange->count && most > DNS_LAME_TRY_MS)
		most = DNS_LAME_TRY_MS;
	return left < most ? left : most;
}

static void end_try(struct dns_exchange *exchange)
{
	mvm_watch_remove(exchange->watch);
	exchange->watch = NULL;
	mvm_close(&exchange->fd);
	mvm_timer_stop(exchange->timer);
	mvm_dns_frames_finish(&exchange->frames);
	exchange->sent = 0;
}

void dns_exchange_cancel(struct dns_exchange *exchange)
{
	end_try(exchange);
	mvm_timer_remove(exchange->timer);
	mvm_buf_finish(&exchange->message);
	mvm_buf_finish(&exchange->best);
	free(exchange);
}

/* Gives the answer with the client's own id and letters. */
static void finish(struct dns_exchange *exchange, uint8_t *message, size_t length, bool truncated)
{
	const struct dns_query *query = &exchange->query;

	/* A callback may start another exchange, so ours is over before. */
	end_try(exchange);
	if (message) {
		dns_put16(message, query->id);
		if (dns_get16(message + 4) == 1)
			memcpy(message + DNS_HEADER, query->question, query->question_length);
	}
	exchange->done(exchange->arg, message, length, truncated);
	dns_exchange_cancel(exchange);
}

static bool open_try(struct dns_exchange *exchange, bool tcp);

/* Goes on to the next server that may still give an answer. */
static void next_try(struct dns_exchange *exchange)
{
	end_try(exchange);
	for (;;) {
		if (exchange->started)
			exchange->at++;
		exchange->started = true;
		if (exchange->at >= exchange->count * exchange->attempts || mvm_now_ns() >= exchange->deadline) {
			finish(exchange, exchange->best.length ? (uint8_t *)exchange->best.data : NULL,
			       exchange->best.length, exchange->best_truncated);
			return;
		}
		if (exchange->refused & 1u << (exchange->at % exchange->count))
			continue;
		if (exchange->at)
			exchange->upstream->counters->retries++;
		if (open_try(exchange, exchange->always_tcp))
			return;
	}
}

/* It gave no answer in its time, or there is none there. */
static void server_failed(struct dns_exchange *exchange)
{
	mark_server(exchange->upstream, present_server(exchange), false);
	next_try(exchange);
}

static bool is_refusal(unsigned rcode)
{
	return rcode == DNS_SERVFAIL || rcode == DNS_NOTIMP || rcode == DNS_REFUSED;
}

static void keep(struct dns_exchange *exchange, const uint8_t *message, size_t length, bool truncated)
{
	exchange->best.length = 0;
	mvm_buf_add(&exchange->best, message, length);
	exchange->best_truncated = truncated;
}

/* False where the message is not the answer. */
static bool take_answer(struct dns_exchange *exchange, uint8_t *message, size_t length, bool by_tcp)
{
	struct dns_answer answer;

	if (!dns_answer_parse(message, length, &exchange->query, exchange->id, &answer)) {
		exchange->upstream->counters->strays++;
		return false;
	}
	mark_server(exchange->upstream, present_server(exchange), true);
	if (is_refusal(answer.rcode)) {
		keep(exchange, message, length, answer.truncated);
		exchange->refused |= 1u << (exchange->at % exchange->count);
		next_try(exchange);
	} else if (answer.truncated && exchange->tcp && !by_tcp) {
		keep(exchange, message, length, true);
		end_try(exchange);
		if (!open_try(exchange, true))
			next_try(exchange);
	} else {
		finish(exchange, message, length, answer.truncated);
	}
	return true;
}

static void on_datagram(void *arg, int fd, short revents)
{
	struct dns_exchange *exchange = arg;
	uint8_t *buffer = exchange->upstream->buffer;
	ssize_t n = recv(fd, buffer, sizeof(exchange->upstream->buffer), 0);

	(void)revents;
	if (n >= 0)
		take_answer(exchange, buffer, (size_t)n, false);
	else if (errno != EAGAIN && errno != EINTR)
		server_failed(exchange); /* nobody listens there, or there is no way to it */
}

static void on_stream(void *arg, int fd, short revents);

static void send_stream(struct dns_exchange *exchange)
{
	const struct mvm_buf *message = &exchange->message;
	ssize_t n = write(exchange->fd, message->data + exchange->sent, message->length - exchange->sent);

	if (n >= 0)
		exchange->sent += (size_t)n;
	if (exchange->sent == message->length)
		mvm_watch_set(exchange->watch, POLLIN);
	else if (n < 0 && errno != EAGAIN && errno != EINTR)
		server_failed(exchange);
}

static void on_stream(void *arg, int fd, short revents)
{
	struct dns_exchange *exchange = arg;
	uint8_t *buffer = exchange->upstream->buffer;
	const uint8_t *message;
	size_t length;
	ssize_t n;

	(void)revents;
	if (exchange->sent < exchange->message.length) {
		send_stream(exchange);
		return;
	}
	n = read(fd, buffer, sizeof(exchange->upstream->buffer));
	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n <= 0) {
		server_failed(exchange);
		return;
	}
	for (size_t at = 0; at < (size_t)n;) {
		at += mvm_dns_frames_feed(&exchange->frames, buffer + at, (size_t)n - at);
		while (mvm_dns_frames_next(&exchange->frames, &message, &length)) {
			/* The answer outlives the frames that it came in. */
			uint8_t *copy MVM_CLEAN_FREE = mvm_alloc(length + 1);

			memcpy(copy, message, length);
			if (take_answer(exchange, copy, length, true))
				return;
		}
	}
}

static void on_time(void *arg)
{
	struct dns_exchange *exchange = arg;

	if (exchange->started)
		server_failed(exchange);
	else
		next_try(exchange);
}

/* A descriptor that is connected, or on the way to it, to the present server; -1 where there is no way. */
static int open_socket(const struct mvm_resolv_server *server, bool tcp)
{
	int fd MVM_CLEAN_FD = socket(server->address.any.sa_family, tcp ? SOCK_STREAM : SOCK_DGRAM, 0), result;

	if (fd < 0 || mvm_set_cloexec(fd, true) < 0 || mvm_set_nonblock(fd, true) < 0)
		return -1;
	if (connect(fd, &server->address.any, server->length) < 0 && errno != EINPROGRESS)
		return -1;
	result = fd;
	fd = -1;
	return result;
}

/* False where the server cannot even be asked. */
static bool open_try(struct dns_exchange *exchange, bool tcp)
{
	const struct mvm_buf *message = &exchange->message;
	size_t body = message->length - MVM_DNS_FRAME_HEADER;

	exchange->fd = open_socket(present_server(exchange), tcp);
	if (exchange->fd >= 0) {
		mvm_random(&exchange->id, sizeof(exchange->id));
		dns_put16((uint8_t *)message->data + MVM_DNS_FRAME_HEADER, exchange->id);
	}
	if (exchange->fd < 0 || (!tcp && send(exchange->fd, message->data + MVM_DNS_FRAME_HEADER, body, 0) < 0)) {
		mvm_close(&exchange->fd);
		mark_server(exchange->upstream, present_server(exchange), false);
		return false;
	}
	exchange->watch = tcp ? mvm_loop_watch(exchange->upstream->loop, exchange->fd, POLLOUT, on_stream, exchange)
			      : mvm_loop_watch(exchange->upstream->loop, exchange->fd, POLLIN, on_datagram, exchange);
	mvm_timer_start(exchange->timer, patience(exchange));
	return true;
}

struct dns_exchange *dns_exchange_start(struct dns_upstream *upstream, const struct mvm_resolv_conf *conf,
					const uint8_t *message, size_t length, const struct dns_query *query, bool tcp,
					dns_exchange_fn done, void *arg)
{
	struct dns_exchange *exchange = mvm_alloc(sizeof(*exchange));
	uint8_t header[MVM_DNS_FRAME_HEADER];
	size_t first = conf->rotate ? upstream->turn++ : 0;

	*exchange = (struct dns_exchange){
		.upstream = upstream,
		.attempts = conf->attempts,
		.try_ms = conf->timeout ? conf->timeout * 1000u : DNS_TRY_MS,
		.deadline = mvm_now_ns() + DNS_TOTAL_MS * ms_ns,
		.query = *query,
		.tcp = tcp,
		.always_tcp = conf->tcp || length > LARGEST_BY_UDP,
		.fd = -1,
		.done = done,
		.arg = arg,
	};
	exchange->count = conf->server_count;
	for (size_t i = 0; i < conf->server_count; i++)
		exchange->servers[i] = conf->servers[(first + i) % conf->server_count];
	mvm_dns_frame_header(length, header);
	mvm_buf_add(&exchange->message, header, sizeof(header));
	mvm_buf_add(&exchange->message, message, length);
	exchange->timer = mvm_loop_timer(upstream->loop, on_time, exchange);
	mvm_timer_start(exchange->timer, 0);
	return exchange;
}
