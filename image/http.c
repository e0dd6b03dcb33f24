#include "http.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <time.h>
#include <unistd.h>

#include "http_internal.h"
#include "runtime/base/error.h"
#include "runtime/base/io.h"
#include "runtime/base/loop.h"
#include "url.h"

/* Error pages are read for their reason, which is short. */
#define MAX_ERROR_BODY	(64 << 10)
#define MAX_HEADER	8192
#define MAX_AUTHORITIES (16 << 20)
#define MAX_REDIRECTS	5L
#define MAX_RETRY_AFTER 86400
/* libcurl looks at least once a second, in nanoseconds. */
#define MAX_GAP 2000000000u

char *mvm_http_host(const char *url)
{
	const char *host = strstr(url, "://");

	host = host ? host + 3 : url;
	return mvm_strndup(host, strcspn(host, "/?#"));
}

static void answer_finish(struct mvm_http_answer *answer)
{
	free(answer->content_type);
	free(answer->challenge);
	free(answer->digest);
	free(answer->location);
	free(answer->range);
	free(answer->content_range);
	free(answer->link);
	mvm_buf_finish(&answer->body);
	*answer = (struct mvm_http_answer){0};
}

/* The value of header `name`, the caller's; NULL where the line is another. */
static char *header_value(const char *line, size_t length, const char *name)
{
	size_t skip = strlen(name);

	if (length <= skip || strncasecmp(line, name, skip) || line[skip] != ':')
		return NULL;
	for (skip++; skip < length && (line[skip] == ' ' || line[skip] == '\t'); skip++)
		;
	while (length > skip && strchr(" \t\r\n", line[length - 1]))
		length--;
	return mvm_strndup(line + skip, length - skip);
}

static void replace(char **field, char *value)
{
	free(*field);
	*field = value;
}

/* Retry-After (RFC 9110 §10.2.3): seconds, or the time of day. */
static long parse_delay(const char *value)
{
	bool is_number = *value && !value[strspn(value, "0123456789")];
	time_t date = is_number ? -1 : mvm_curl.getdate(value, NULL);
	long seconds = is_number ? strtol(value, NULL, 10) : date < 0 ? 0 : (long)(date - time(NULL));

	return seconds < 0 ? 0 : seconds < MAX_RETRY_AFTER ? seconds : MAX_RETRY_AFTER;
}

/* By the URL that gave the answer, which after a redirect is not the request's. */
static char *resolve_location(const struct mvm_http_transfer *transfer, const char *location)
{
	char *base = NULL;

	mvm_curl.easy_getinfo(transfer->curl, CURLINFO_EFFECTIVE_URL, &base);
	return mvm_url_resolve(base ? base : transfer->request.url, location);
}

static void take_header(struct mvm_http_transfer *transfer, const char *line, size_t length)
{
	struct mvm_http_answer *answer = &transfer->answer;
	char *value;

	if ((value = header_value(line, length, "content-type"))) {
		value[strcspn(value, "; ")] = '\0';
		replace(&answer->content_type, value);
	} else if ((value = header_value(line, length, "docker-content-digest"))) {
		replace(&answer->digest, value);
	} else if ((value = header_value(line, length, "range"))) {
		replace(&answer->range, value);
	} else if ((value = header_value(line, length, "location"))) {
		replace(&answer->location, resolve_location(transfer, value));
		free(value);
	} else if ((value = header_value(line, length, "oci-chunk-min-length"))) {
		answer->chunk_min = *value != '-' ? strtoull(value, NULL, 10) : 0;
		free(value);
	} else if ((value = header_value(line, length, "retry-after"))) {
		answer->retry_after = parse_delay(value);
		free(value);
	} else if ((value = header_value(line, length, "content-range"))) {
		replace(&answer->content_range, value);
	} else if ((value = header_value(line, length, "link"))) {
		replace(&answer->link, value);
	} else if ((value = header_value(line, length, "www-authenticate"))) {
		if (!answer->challenge)
			replace(&answer->challenge, mvm_strdup(value));
		else if (strlen(answer->challenge) < MAX_HEADER)
			replace(&answer->challenge, mvm_format("%s, %s", answer->challenge, value));
		free(value);
	}
}

static size_t on_header(char *line, size_t size, size_t count, void *arg)
{
	struct mvm_http_transfer *transfer = arg;
	size_t length = size * count;

	/* Each answer on the way, redirects among them, starts anew. */
	if (length >= 5 && !strncmp(line, "HTTP/", 5))
		answer_finish(&transfer->answer);
	else if (length <= MAX_HEADER)
		take_header(transfer, line, length);
	return length;
}

static size_t on_body(char *data, size_t size, size_t count, void *arg)
{
	struct mvm_http_transfer *transfer = arg;
	struct mvm_buf *body = &transfer->answer.body;
	size_t length = size * count;
	size_t max = transfer->request.max;
	long status = 0;

	transfer->received += length;
	mvm_curl.easy_getinfo(transfer->curl, CURLINFO_RESPONSE_CODE, &status);
	transfer->answer.status = status;
	if ((status == 200 || status == 206) && transfer->request.sink)
		return transfer->request.sink(transfer->request.arg, data, length, &transfer->failure) < 0 ? 0 : length;
	if (status == 200 && length > max - body->length) {
		mvm_fail(&transfer->failure, MVM_ERR_INVALID, "the answer is larger than %zu bytes", max);
		return 0;
	}
	if (status != 200 && length > MAX_ERROR_BODY - body->length)
		return length;
	mvm_buf_add(body, data, length);
	return length;
}

static size_t on_read(char *buffer, size_t size, size_t count, void *arg)
{
	struct mvm_http_transfer *transfer = arg;
	const struct mvm_http_body *body = &transfer->request.body;
	uint64_t left = body->length - transfer->body_at;
	size_t length = size * count < left ? size * count : (size_t)left;
	ssize_t got = (ssize_t)length;

	if (body->data && length)
		memcpy(buffer, (const char *)body->data + transfer->body_at, length);
	else if (length)
		got = pread(body->fd, buffer, length, (off_t)(body->offset + transfer->body_at));
	if (length && got <= 0) {
		if (got < 0)
			mvm_fail_errno(&transfer->failure, errno, "cannot read what is to be sent");
		else
			mvm_fail(&transfer->failure, MVM_ERR_CORRUPT, "what is to be sent has become shorter");
		return CURL_READFUNC_ABORT;
	}
	transfer->body_at += (uint64_t)got;
	return (size_t)got;
}

static int on_seek(void *arg, curl_off_t offset, int origin)
{
	struct mvm_http_transfer *transfer = arg;

	if (origin != SEEK_SET || offset < 0 || (uint64_t)offset > transfer->request.body.length)
		return CURL_SEEKFUNC_FAIL;
	transfer->body_at = (uint64_t)offset;
	return CURL_SEEKFUNC_OK;
}

long mvm_http_stall_seconds(const struct mvm_http_transfer *transfer)
{
	const struct mvm_http_request *request = &transfer->request;
	bool all_sent = transfer->last_up >= request->body.length;

	return transfer->limits->stall_seconds + (all_sent ? request->digestion_seconds : 0);
}

/* Curl knows no time of connecting for a connection that is used again. */
bool mvm_http_is_connected(const struct mvm_http_transfer *transfer)
{
	curl_off_t ready = 0;

	mvm_curl.easy_getinfo(transfer->curl, CURLINFO_PRETRANSFER_TIME_T, &ready);
	return ready > 0;
}

/* Counts the time in which nothing moved. What we spent elsewhere between two calls, on a slow disk say, is not the
 * server's. (libcurl's own limit averages over seconds and so notices late.) */
static bool has_stalled(struct mvm_http_transfer *transfer, uint64_t moved)
{
	uint64_t now = mvm_now_ns();
	uint64_t gap = now - transfer->last_look;

	if (!mvm_http_is_connected(transfer) || moved != transfer->last_moved)
		transfer->idle = 0;
	else
		transfer->idle += gap < MAX_GAP ? gap : MAX_GAP;
	transfer->last_look = now;
	transfer->last_moved = moved;
	return transfer->idle > (uint64_t)mvm_http_stall_seconds(transfer) * 1000000000u;
}

static int on_progress(void *arg, curl_off_t down_total, curl_off_t down, curl_off_t up_total, curl_off_t up)
{
	struct mvm_http_transfer *transfer = arg;
	const struct mvm_http_limits *limits = transfer->limits;

	if (limits->stopped && limits->stopped(limits->arg))
		return 1;
	if (transfer->request.sent && transfer->last_up != (uint64_t)up)
		transfer->request.sent(transfer->request.arg, (uint64_t)up);
	transfer->last_up = (uint64_t)up;
	transfer->stalled = has_stalled(transfer, (uint64_t)down + (uint64_t)up);
	return transfer->stalled;
}

static void set_limits(CURL *curl, struct mvm_http_transfer *transfer)
{
	const struct mvm_http_limits *limits = transfer->limits;

	mvm_curl.easy_setopt(curl, CURLOPT_CONNECTTIMEOUT, limits->connect_seconds);
	mvm_curl.easy_setopt(curl, CURLOPT_NOPROGRESS, 0L);
	mvm_curl.easy_setopt(curl, CURLOPT_XFERINFOFUNCTION, on_progress);
	mvm_curl.easy_setopt(curl, CURLOPT_XFERINFODATA, transfer);
	/* Threads and signal handlers do not mix. */
	mvm_curl.easy_setopt(curl, CURLOPT_NOSIGNAL, 1L);
}

static void set_protocols(CURL *curl, const char *url)
{
	bool plain = !strncmp(url, "http://", 7);

	/* What began under TLS does not go on without. */
#if CURL_AT_LEAST_VERSION(7, 85, 0)
	mvm_curl.easy_setopt(curl, CURLOPT_PROTOCOLS_STR, plain ? "http" : "https");
	mvm_curl.easy_setopt(curl, CURLOPT_REDIR_PROTOCOLS_STR, plain ? "http,https" : "https");
#else
	mvm_curl.easy_setopt(curl, CURLOPT_PROTOCOLS, (long)(plain ? CURLPROTO_HTTP : CURLPROTO_HTTPS));
	mvm_curl.easy_setopt(curl, CURLOPT_REDIR_PROTOCOLS, (long)(CURLPROTO_HTTPS | (plain ? CURLPROTO_HTTP : 0)));
#endif
	mvm_curl.easy_setopt(curl, CURLOPT_MAXREDIRS, MAX_REDIRECTS);
}

/* The proxies themselves libcurl finds in the environment. A redirect may lead to loopback or away from it, so that is
 * said in the list of hosts without a proxy. */
static void set_proxy(CURL *curl)
{
	const char *lower = getenv("no_proxy"), *upper = getenv("NO_PROXY");
	const char *given = lower && *lower ? lower : upper ? upper : "";
	char *list MVM_CLEAN_FREE = mvm_format("localhost,127.0.0.0/8,::1%s%s", *given ? "," : "", given);

	/* The star counts only where it stands alone. */
	mvm_curl.easy_setopt(curl, CURLOPT_NOPROXY, strcmp(given, "*") ? list : given);
}

/* The authorities of the registry are added to those of the system. */
static void set_authorities(CURL *curl, const struct mvm_tls *tls)
{
	const char *system = getenv("SSL_CERT_FILE");
	struct mvm_buf all MVM_CLEAN_BUF = {0};
	struct curl_blob blob;
	char *text = NULL;

	if (system && *system)
		mvm_curl.easy_setopt(curl, CURLOPT_CAINFO, system);
	if (!tls || !tls->authorities.length)
		return;
#if CURL_AT_LEAST_VERSION(7, 84, 0)
	if (!system || !*system)
		mvm_curl.easy_getinfo(curl, CURLINFO_CAINFO, &system);
#endif
	if (system && *system && mvm_read_file(system, MAX_AUTHORITIES, &text, NULL, NULL) == 0)
		mvm_buf_addf(&all, "%s\n", text);
	free(text);
	mvm_buf_add(&all, tls->authorities.data, tls->authorities.length);
	blob = (struct curl_blob){.data = all.data, .len = all.length, .flags = CURL_BLOB_COPY};
	mvm_curl.easy_setopt(curl, CURLOPT_CAINFO_BLOB, &blob);
}

static void set_tls(CURL *curl, const struct mvm_tls *tls)
{
	set_authorities(curl, tls);
	if (!tls)
		return;
	if (tls->insecure) {
		mvm_curl.easy_setopt(curl, CURLOPT_SSL_VERIFYPEER, 0L);
		mvm_curl.easy_setopt(curl, CURLOPT_SSL_VERIFYHOST, 0L);
	}
	if (tls->certificate) {
		mvm_curl.easy_setopt(curl, CURLOPT_SSLCERT, tls->certificate);
		mvm_curl.easy_setopt(curl, CURLOPT_SSLKEY, tls->key);
	}
}

static void add_header(struct mvm_http_transfer *transfer, const char *name, const char *value)
{
	char *line MVM_CLEAN_FREE = mvm_format("%s: %s", name, value ? value : "");

	if (value)
		transfer->headers = mvm_curl.slist_append(transfer->headers, line);
}

static void set_method(CURL *curl, struct mvm_http_transfer *transfer)
{
	static const char *const names[] = {
		[MVM_HTTP_POST] = "POST", [MVM_HTTP_PUT] = "PUT", [MVM_HTTP_PATCH] = "PATCH"};
	const struct mvm_http_request *request = &transfer->request;

	mvm_curl.easy_setopt(curl, CURLOPT_NOBODY, request->method == MVM_HTTP_HEAD ? 1L : 0L);
	if (request->method < MVM_HTTP_POST)
		return;
	mvm_curl.easy_setopt(curl, CURLOPT_UPLOAD, 1L);
	mvm_curl.easy_setopt(curl, CURLOPT_CUSTOMREQUEST, names[request->method]);
	mvm_curl.easy_setopt(curl, CURLOPT_INFILESIZE_LARGE, (curl_off_t)request->body.length);
	mvm_curl.easy_setopt(curl, CURLOPT_READFUNCTION, on_read);
	mvm_curl.easy_setopt(curl, CURLOPT_READDATA, transfer);
	mvm_curl.easy_setopt(curl, CURLOPT_SEEKFUNCTION, on_seek);
	mvm_curl.easy_setopt(curl, CURLOPT_SEEKDATA, transfer);
	mvm_curl.easy_setopt(curl, CURLOPT_UPLOAD_BUFFERSIZE, 512L * 1024);
	add_header(transfer, "Content-Type", request->body.type);
	add_header(transfer, "Content-Range", request->body.range);
}

static void set_request(CURL *curl, struct mvm_http_transfer *transfer)
{
	const struct mvm_http_request *request = &transfer->request;

	mvm_curl.easy_setopt(curl, CURLOPT_URL, request->url);
	mvm_curl.easy_setopt(curl, CURLOPT_USERAGENT, "mvm/" MVM_VERSION);
	set_method(curl, transfer);
	add_header(transfer, "Accept", request->accept);
	/* curl sends this one to no other host, port or scheme that it is redirected to. */
	add_header(transfer, "Authorization", request->authorization);
	mvm_curl.easy_setopt(curl, CURLOPT_HTTPHEADER, transfer->headers);
	mvm_curl.easy_setopt(curl, CURLOPT_FOLLOWLOCATION, request->stay ? 0L : 1L);
	if (request->from) {
		char *range MVM_CLEAN_FREE = mvm_format("%llu-", (unsigned long long)request->from);

		mvm_curl.easy_setopt(curl, CURLOPT_RANGE, range);
	}
	mvm_curl.easy_setopt(curl, CURLOPT_BUFFERSIZE, 512L * 1024);
	mvm_curl.easy_setopt(curl, CURLOPT_HEADERFUNCTION, on_header);
	mvm_curl.easy_setopt(curl, CURLOPT_HEADERDATA, transfer);
	mvm_curl.easy_setopt(curl, CURLOPT_WRITEFUNCTION, on_body);
	mvm_curl.easy_setopt(curl, CURLOPT_WRITEDATA, transfer);
	mvm_curl.easy_setopt(curl, CURLOPT_ERRORBUFFER, transfer->detail);
	mvm_curl.easy_setopt(curl, CURLOPT_PRIVATE, transfer);
}

struct mvm_http_transfer *mvm_http_create(const struct mvm_http_request *request, const struct mvm_http_limits *limits)
{
	struct mvm_http_transfer *transfer = mvm_alloc(sizeof(*transfer));

	transfer->request = *request;
	transfer->request.url = mvm_strdup(request->url);
	transfer->request.accept = mvm_strdup(request->accept);
	transfer->request.authorization = mvm_strdup(request->authorization);
	transfer->limits = limits;
	transfer->last_look = mvm_now_ns();
	transfer->curl = mvm_curl.easy_init();
	if (!transfer->curl)
		abort(); /* only memory can be missing */
	set_limits(transfer->curl, transfer);
	set_protocols(transfer->curl, request->url);
	set_proxy(transfer->curl);
	set_tls(transfer->curl, request->tls);
	set_request(transfer->curl, transfer);
	return transfer;
}

void mvm_http_destroy(struct mvm_http_transfer *transfer)
{
	if (!transfer)
		return;
	mvm_curl.easy_cleanup(transfer->curl);
	mvm_curl.slist_free_all(transfer->headers);
	answer_finish(&transfer->answer);
	mvm_error_free(transfer->failure);
	free((char *)transfer->request.url);
	free((char *)transfer->request.accept);
	free((char *)transfer->request.authorization);
	free(transfer);
}

int mvm_http_result(struct mvm_http_transfer *transfer, CURLcode code, struct mvm_error **err)
{
	long status = 0;

	if (transfer->failure)
		return mvm_error_move(err, &transfer->failure);
	if (code == CURLE_ABORTED_BY_CALLBACK && transfer->stalled)
		code = CURLE_OPERATION_TIMEDOUT;
	transfer->transient = mvm_http_may_pass(transfer, code);
	if (code != CURLE_OK)
		return mvm_http_failure(transfer, code, err);
	mvm_curl.easy_getinfo(transfer->curl, CURLINFO_RESPONSE_CODE, &status);
	transfer->answer.status = status;
	transfer->transient = status == 408 || status == 429 || (status >= 500 && status != 501);
	if (!transfer->answer.content_type)
		transfer->answer.content_type = mvm_strdup("");
	return 0;
}

int mvm_http_perform(struct mvm_http_transfer *transfer, struct mvm_error **err)
{
	return mvm_http_result(transfer, mvm_curl.easy_perform(transfer->curl), err);
}
