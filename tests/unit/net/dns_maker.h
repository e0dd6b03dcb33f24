/*
 * DNS messages for tests: made piece by piece, also such as nobody should send, and read as a client would.
 */
#ifndef MVM_TESTS_DNS_MAKER_H
#define MVM_TESTS_DNS_MAKER_H

#include "tests/unit/unit.h"

#include <stdbool.h>

#include "net/dns_message.h"

static inline void make_u16(struct mvm_buf *buf, unsigned value)
{
	uint8_t bytes[2];

	dns_put16(bytes, value);
	mvm_buf_add(buf, bytes, sizeof(bytes));
}

static inline void make_header(struct mvm_buf *buf, unsigned id, unsigned flags, unsigned questions, unsigned answers,
			       unsigned authorities, unsigned additional)
{
	make_u16(buf, id);
	make_u16(buf, flags);
	make_u16(buf, questions);
	make_u16(buf, answers);
	make_u16(buf, authorities);
	make_u16(buf, additional);
}

/* "" is the root. The case stays. */
static inline void make_name(struct mvm_buf *buf, const char *text)
{
	while (*text) {
		uint8_t length = (uint8_t)strcspn(text, ".");

		mvm_buf_add(buf, &length, 1);
		mvm_buf_add(buf, text, length);
		text += length;
		if (*text)
			text++;
	}
	mvm_buf_add(buf, "", 1);
}

static inline void make_question(struct mvm_buf *buf, const char *name, unsigned type)
{
	make_name(buf, name);
	make_u16(buf, type);
	make_u16(buf, DNS_CLASS_IN);
}

static inline void make_opt(struct mvm_buf *buf, unsigned size, unsigned version, bool dnssec_ok)
{
	make_name(buf, "");
	make_u16(buf, DNS_TYPE_OPT);
	make_u16(buf, size);
	make_u16(buf, version);
	make_u16(buf, dnssec_ok ? 0x8000 : 0);
	make_u16(buf, 0);
}

static inline void make_query(struct mvm_buf *buf, unsigned id, const char *name, unsigned type)
{
	make_header(buf, id, DNS_RD, 1, 0, 0, 0);
	make_question(buf, name, type);
}

static inline void make_edns_query(struct mvm_buf *buf, unsigned id, const char *name, unsigned type, unsigned size)
{
	make_header(buf, id, DNS_RD, 1, 0, 0, 1);
	make_question(buf, name, type);
	make_opt(buf, size, 0, false);
}

/* A record for the name of the question. */
static inline void make_record(struct mvm_buf *buf, unsigned type, const void *data, size_t length)
{
	make_u16(buf, 0xc000 | DNS_HEADER);
	make_u16(buf, type);
	make_u16(buf, DNS_CLASS_IN);
	make_u16(buf, 0);
	make_u16(buf, 60);
	make_u16(buf, (unsigned)length);
	mvm_buf_add(buf, data, length);
}

static inline struct dns_query parse_made(const struct mvm_buf *buf)
{
	struct dns_query query;

	assert_int_equal(dns_query_parse((const uint8_t *)buf->data, buf->length, &query), 0);
	return query;
}

/* Answers, as text: "NOERROR web.  A 10.0.0.2  A 10.0.0.3", with "TC", "AA" and "SOA" where they are. */
static inline char *read_name_text(const uint8_t *message, size_t length, size_t at)
{
	struct mvm_buf text = {0};

	while (at < length && message[at]) {
		if (message[at] >= 0xc0) {
			assert_true(at + 1 < length && (size_t)(dns_get16(message + at) & 0x3fff) < at);
			at = dns_get16(message + at) & 0x3fff;
			continue;
		}
		assert_true(at + message[at] < length);
		mvm_buf_add(&text, message + at + 1, message[at]);
		mvm_buf_add(&text, ".", 1);
		at += 1u + message[at];
	}
	return mvm_buf_steal(&text);
}

static inline size_t skip_name_made(const uint8_t *message, size_t at)
{
	while (message[at] && message[at] < 0xc0)
		at += 1u + message[at];
	return at + (message[at] ? 2 : 1);
}

static inline char *read_answer(const void *bytes, size_t length)
{
	static const char *const codes[] = {"NOERROR", "FORMERR", "SERVFAIL", "NXDOMAIN", "NOTIMP", "REFUSED"};
	const uint8_t *message = bytes;
	struct mvm_buf text = {0};
	unsigned flags, records;
	size_t at = DNS_HEADER;

	assert_true(length >= DNS_HEADER);
	flags = dns_get16(message + 2);
	assert_true(flags & DNS_QR);
	mvm_buf_addf(&text, "%s", codes[flags & DNS_RCODE]);
	if (flags & DNS_AA)
		mvm_buf_addf(&text, " AA");
	if (flags & DNS_TC)
		mvm_buf_addf(&text, " TC");
	if (dns_get16(message + 4)) {
		char *name MVM_CLEAN_FREE = read_name_text(message, length, at);

		mvm_buf_addf(&text, " %s", *name ? name : ".");
		at = skip_name_made(message, at) + 4;
	}
	records = dns_get16(message + 6) + dns_get16(message + 8) + dns_get16(message + 10);
	while (records-- > 0) {
		size_t start = at, size;
		unsigned type;

		at = skip_name_made(message, at);
		assert_true(at + 10 <= length);
		type = dns_get16(message + at);
		size = dns_get16(message + at + 8);
		at += 10;
		assert_true(at + size <= length);
		if (type == DNS_TYPE_A) {
			mvm_buf_addf(&text, " A %u.%u.%u.%u", message[at], message[at + 1], message[at + 2],
				     message[at + 3]);
		} else if (type == DNS_TYPE_AAAA) {
			mvm_buf_addf(&text, " AAAA ..:%x", dns_get16(message + at + 14));
		} else if (type == DNS_TYPE_PTR) {
			char *name MVM_CLEAN_FREE = read_name_text(message, length, at);

			mvm_buf_addf(&text, " PTR %s", name);
		} else if (type == DNS_TYPE_SOA) {
			char *name MVM_CLEAN_FREE = read_name_text(message, length, start);

			mvm_buf_addf(&text, " SOA %s", *name ? name : ".");
		} else if (type == DNS_TYPE_OPT) {
			mvm_buf_addf(&text, " OPT");
			if (message[at - 6])
				mvm_buf_addf(&text, " extended %u", message[at - 6]);
		} else {
			mvm_buf_addf(&text, " type %u", type);
		}
		at += size;
	}
	assert_int_equal(at, length);
	return mvm_buf_steal(&text);
}

#endif
