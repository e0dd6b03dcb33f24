/*
 * One HTTP request by libcurl, as the registry client needs it: limits on time and size, redirects that take no
 * token to another host, and errors that people can act on.
 *
 * Blocks, or runs inside a curl multi handle (fetch.c). The server is untrusted. Proxies come from the
 * environment (http_proxy, https_proxy, no_proxy), except for loopback; certificate authorities from the system, or
 * from SSL_CERT_FILE.
 */
#ifndef MVM_IMAGE_HTTP_H
#define MVM_IMAGE_HTTP_H

#include <stdbool.h>
#include <stdint.h>

#include "curl.h"
#include "runtime/base/mem.h"

struct mvm_error;

/* How long to wait, in seconds, and when to give up before. */
struct mvm_http_limits {
	long connect_seconds;
	long stall_seconds; /* without a byte */
	bool (*stopped)(void *arg);
	void *arg;
};

struct mvm_http_request {
	const char *url;
	bool head;
	const char *accept; /* NULL: anything */
	const char *token;  /* NULL: none */
	size_t max;	    /* of the body kept in the answer, in bytes */
	/* Takes the body of a 200 instead of the answer; may be NULL. A failure ends the request with that error. */
	int (*sink)(void *arg, const void *data, size_t length, struct mvm_error **err);
	void *arg;
};

struct mvm_http_answer {
	long status;
	char *content_type; /* without parameters, "" where there is none */
	char *challenge;    /* WWW-Authenticate; NULL where there is none */
	char *digest;	    /* Docker-Content-Digest; NULL where there is none */
	long retry_after;   /* seconds; 0 where it does not say */
	struct mvm_buf body;
};

struct mvm_http_transfer {
	struct mvm_http_request request; /* the strings are copies */
	const struct mvm_http_limits *limits;
	struct mvm_http_answer answer;
	CURL *curl;
	bool transient; /* a failure that another try may mend */
	/* private */
	struct curl_slist *headers;
	struct mvm_error *failure;
	uint64_t received;
	uint64_t last_look; /* mvm_now_ns() */
	uint64_t last_down; /* bytes */
	uint64_t idle;	    /* nanoseconds */
	bool stalled;
	char detail[CURL_ERROR_SIZE];
};

/* `limits` must outlive the transfer. libcurl must have been loaded (curl.h). */
struct mvm_http_transfer *mvm_http_create(const struct mvm_http_request *request, const struct mvm_http_limits *limits);
void mvm_http_destroy(struct mvm_http_transfer *transfer);
/* Blocks. 0 where the server answered, with whatever status. */
int mvm_http_perform(struct mvm_http_transfer *transfer, struct mvm_error **err);
/* The same for a transfer that a multi handle has ended with `code`. */
int mvm_http_result(struct mvm_http_transfer *transfer, CURLcode code, struct mvm_error **err);

/* "127.0.0.1:5000" of a URL; the caller's. */
char *mvm_http_host(const char *url);

#endif
