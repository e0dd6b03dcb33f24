/*
 * One HTTP request by libcurl, as the registry client needs it: bodies from memory and files, limits on time and size,
 * redirects that take no credential to another host, and errors that people can act on.
 *
 * Blocks, or runs inside a curl multi handle (fetch.c). The server is untrusted. Proxies come from the
 * environment (http_proxy, https_proxy, all_proxy, no_proxy, in capitals too), except for loopback; certificate
 * authorities from the system, or from SSL_CERT_FILE, and from tls.h.
 */
#ifndef MVM_IMAGE_HTTP_H
#define MVM_IMAGE_HTTP_H

#include <stdbool.h>
#include <stdint.h>

#include "curl.h"
#include "runtime/base/mem.h"
#include "tls.h"

struct mvm_error;

/* How long to wait, in seconds, and when to give up before. */
struct mvm_http_limits {
	long connect_seconds;
	long stall_seconds; /* without a byte, down or up */
	bool (*stopped)(void *arg);
	void *arg;
};

enum mvm_http_method { MVM_HTTP_GET, MVM_HTTP_HEAD, MVM_HTTP_POST, MVM_HTTP_PUT, MVM_HTTP_PATCH };

/* What goes up with POST, PUT and PATCH: `length` bytes at `data`, or where that is NULL those of a file. Borrowed, for
 * a redirect (307, 308) has them sent again. */
struct mvm_http_body {
	const char *type;  /* Content-Type; NULL: none */
	const char *range; /* Content-Range; NULL: none */
	const void *data;
	int fd;
	uint64_t offset; /* in the file */
	uint64_t length;
};

struct mvm_http_request {
	enum mvm_http_method method;
	const char *url;
	const char *accept;	   /* NULL: anything */
	const char *authorization; /* "Bearer ..." or "Basic ..."; NULL: none */
	const struct mvm_tls *tls; /* borrowed; NULL: as the system has it */
	bool stay;		   /* follow no redirect: the body is a secret */
	size_t max;		   /* of the body kept in the answer, in bytes */
	uint64_t from;		   /* asks for the bytes from this one on (RFC 9110 §14.2); 0: for all */
	/* Takes the body of a 200 or 206 instead of the answer; may be NULL. A failure ends the request with that
	 * error. */
	int (*sink)(void *arg, const void *data, size_t length, struct mvm_error **err);
	struct mvm_http_body body;
	/* Told how many bytes of the body have gone up; may fall back. May be NULL. */
	void (*sent)(void *arg, uint64_t bytes);
	/* How many seconds longer than the limit the server may be silent once it has the whole body, which it hashes
	 * and stores. */
	long digestion_seconds;
	void *arg;
};

struct mvm_http_answer {
	long status;
	char *content_type;  /* without parameters, "" where there is none */
	char *challenge;     /* WWW-Authenticate; NULL where there is none */
	char *digest;	     /* Docker-Content-Digest; NULL where there is none */
	char *location;	     /* Location, resolved; NULL where there is none that is a URL */
	char *range;	     /* Range; NULL where there is none */
	uint64_t chunk_min;  /* OCI-Chunk-Min-Length; 0 where it does not say */
	char *content_range; /* Content-Range; NULL where there is none */
	char *link;	     /* Link; NULL where there is none */
	long retry_after;    /* seconds; 0 where it does not say */
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
	uint64_t body_at;    /* how much of the request's body libcurl has read */
	uint64_t last_look;  /* mvm_now_ns() */
	uint64_t last_moved; /* bytes, down and up */
	uint64_t last_up;
	uint64_t idle; /* nanoseconds */
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
