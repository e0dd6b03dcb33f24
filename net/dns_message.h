/*
 * DNS messages (RFC 1035 §4): queries of guests are parsed, answers to them built, answers of servers checked. Pure, no
 * I/O. All bytes that are parsed are untrusted.
 *
 * A query is answered by nothing (it is no query, or not even a header), by an error that names the query's id
 * (FORMERR, NOTIMP, BADVERS), or it is one that has exactly one question (RFC 9619) whose name is not compressed: there
 * is nothing before it that a pointer could point at. All further records are walked, so that a message that is cut
 * short or has bytes left over is found, and a pointer may only point before the name that it stands in, so that no
 * name has an end that is never reached (RFC 1035 §4.1.4).
 */
#ifndef MVM_NET_DNS_MESSAGE_H
#define MVM_NET_DNS_MESSAGE_H

#include <netinet/in.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "runtime/base/mem.h"

enum {
	DNS_HEADER = 12,
	DNS_NAME_MAX = 255, /* as it is in a message, with the lengths of its labels (RFC 1035 §2.3.4) */
	DNS_LABEL_MAX = 63,
	DNS_MESSAGE_MAX = 65535,
	DNS_UDP_SIZE = 512,    /* what a client takes that says nothing (RFC 1035 §2.3.4) */
	DNS_UDP_MOST = 4096,   /* however much it takes */
	DNS_EDNS_SIZE = 1232,  /* what we say that we take: it passes every path in one packet */
	DNS_TTL = 5,	       /* of our own names, in seconds: containers come and go */
	DNS_QUESTION_TAIL = 4, /* type and class behind a question's name */
};

enum dns_rcode {
	DNS_NOERROR = 0,
	DNS_FORMERR = 1,
	DNS_SERVFAIL = 2,
	DNS_NXDOMAIN = 3,
	DNS_NOTIMP = 4,
	DNS_REFUSED = 5,
	DNS_BADVERS = 16, /* RFC 6891 §9 */
};

enum dns_type {
	DNS_TYPE_A = 1,
	DNS_TYPE_SOA = 6,
	DNS_TYPE_PTR = 12,
	DNS_TYPE_AAAA = 28, /* RFC 3596 */
	DNS_TYPE_OPT = 41,
	DNS_TYPE_IXFR = 251,
	DNS_TYPE_AXFR = 252,
	DNS_TYPE_ANY = 255,
};

enum { DNS_CLASS_IN = 1, DNS_CLASS_ANY = 255 };

/* Bits of the header's second word (RFC 1035 §4.1.1, RFC 2535 §6.1). */
enum {
	DNS_QR = 0x8000,
	DNS_OPCODE = 0x7800,
	DNS_AA = 0x0400,
	DNS_TC = 0x0200,
	DNS_RD = 0x0100,
	DNS_RA = 0x0080,
	DNS_CD = 0x0010,
	DNS_RCODE = 0x000f,
};

static inline uint16_t dns_get16(const uint8_t *at)
{
	return (uint16_t)(at[0] << 8 | at[1]);
}

static inline void dns_put16(uint8_t *at, unsigned value)
{
	at[0] = (uint8_t)(value >> 8);
	at[1] = (uint8_t)value;
}

/* A name as messages have it: labels with their lengths, the root's last; letters are small ones. */
struct dns_name {
	uint8_t wire[DNS_NAME_MAX];
	size_t length;
};

/* "web.example" with or without a dot at its end. False where it cannot be one: empty, or a label that is empty or
 * longer than 63 bytes, or too long in all. */
bool dns_name_parse(const char *text, struct dns_name *name);
bool dns_name_equal(const struct dns_name *a, const struct dns_name *b);
/* The number of labels, without the root's. */
size_t dns_name_labels(const struct dns_name *name);
/* Whether `name` ends with `end`'s labels; then *rest, where not NULL, is what stands before them. */
bool dns_name_under(const struct dns_name *name, const struct dns_name *end, struct dns_name *rest);

/* A name below in-addr.arpa or ip6.arpa that stands for one address (RFC 1035 §3.5, RFC 3596 §2.5): 4 or 6, else 0.
 * `ipv4` is in the host's byte order. */
int dns_name_address(const struct dns_name *name, uint32_t *ipv4, struct in6_addr *ipv6);

struct dns_query {
	uint16_t id;
	uint16_t flags;	      /* the header's second word */
	struct dns_name name; /* in small letters */
	uint16_t type;
	uint16_t class;
	uint8_t question[DNS_NAME_MAX + DNS_QUESTION_TAIL]; /* as asked */
	size_t question_length;				    /* 0: it could not be read */
	bool edns;					    /* RFC 6891 */
	bool dnssec_ok;
	uint16_t size; /* of the answer over UDP that the client takes: 512 to 4096 */
};

/* 0: a query. Positive: the rcode to answer with; of *query, what was read is set. -1: nothing to answer. */
int dns_query_parse(const uint8_t *message, size_t length, struct dns_query *query);

/* What an answer of a server is. */
struct dns_answer {
	unsigned rcode;
	bool truncated;
};

/* Whether it is the answer to this query, which went out with `id`: a response to its question, whatever the case of
 * its letters, or an error without a question (some servers leave it out). What follows the question is the client's to
 * read.
 */
bool dns_answer_parse(const uint8_t *message, size_t length, const struct dns_query *query, uint16_t id,
		      struct dns_answer *answer);

/* An answer of our own, of at most `limit` bytes: begin, add records, end. */
struct dns_reply {
	struct mvm_buf message;
	size_t limit;
	const struct dns_query *query;
	unsigned rcode;
	unsigned answers;
	unsigned authorities;
	bool truncated;
};

/* `query` is borrowed until the end. */
void dns_reply_begin(struct dns_reply *reply, const struct dns_query *query, enum dns_rcode rcode, size_t limit);
/* A record for the name that was asked. Where it does not fit, the answer says so by TC (RFC 2181 §9). */
void dns_reply_add(struct dns_reply *reply, enum dns_type type, const void *data, size_t length);
/* The SOA that makes NODATA and NXDOMAIN short-lived knowledge (RFC 2308 §3). */
void dns_reply_deny(struct dns_reply *reply);
/* `authoritative`: for names that we know all about. The bytes are reply->message, which the caller finishes. */
void dns_reply_end(struct dns_reply *reply, bool authoritative);

/* The answer that says only that the whole does not fit, as an upstream answer that is larger than `limit` becomes. */
void dns_reply_truncated(struct dns_reply *reply, const struct dns_query *query, enum dns_rcode rcode);

#endif
