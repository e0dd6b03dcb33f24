#include "dns_message.h"

#include <string.h>

enum { POINTER = 0xc0, POINTER_TO_QUESTION = POINTER << 8 | DNS_HEADER, RECORD_TAIL = 10, OPT_LENGTH = 11 };

static uint8_t small(uint8_t byte)
{
	return byte >= 'A' && byte <= 'Z' ? (uint8_t)(byte | 0x20) : byte;
}

bool dns_name_parse(const char *text, struct dns_name *name)
{
	size_t length = 0;

	while (*text) {
		size_t label = strcspn(text, ".");

		if (label == 0 || label > DNS_LABEL_MAX || length + 1 + label + 1 > DNS_NAME_MAX)
			return false;
		name->wire[length++] = (uint8_t)label;
		for (size_t i = 0; i < label; i++)
			name->wire[length++] = small((uint8_t)text[i]);
		text += label;
		if (*text)
			text++;
	}
	if (length == 0)
		return false;
	name->wire[length++] = 0;
	name->length = length;
	return true;
}

bool dns_name_equal(const struct dns_name *a, const struct dns_name *b)
{
	return a->length == b->length && memcmp(a->wire, b->wire, a->length) == 0;
}

size_t dns_name_labels(const struct dns_name *name)
{
	size_t count = 0;

	for (size_t at = 0; name->wire[at]; at += 1 + name->wire[at])
		count++;
	return count;
}

bool dns_name_under(const struct dns_name *name, const struct dns_name *end, struct dns_name *rest)
{
	size_t at = 0;

	while (name->length - at > end->length)
		at += 1 + name->wire[at];
	if (name->length - at != end->length || memcmp(name->wire + at, end->wire, end->length) != 0)
		return false;
	if (rest) {
		memcpy(rest->wire, name->wire, at);
		rest->wire[at] = 0;
		rest->length = at + 1;
	}
	return true;
}

/* A decimal number of up to three digits without leading zeros, below 256. */
static bool parse_octet(const uint8_t *label, uint32_t *value)
{
	*value = 0;
	if (label[0] < 1 || label[0] > 3 || (label[0] > 1 && label[1] == '0'))
		return false;
	for (size_t i = 1; i <= label[0]; i++) {
		if (label[i] < '0' || label[i] > '9')
			return false;
		*value = *value * 10 + label[i] - '0';
	}
	return *value < 256;
}

static bool parse_nibble(const uint8_t *label, uint8_t *value)
{
	static const char digits[] = "0123456789abcdef";
	const char *digit = label[0] == 1 && label[1] ? strchr(digits, label[1]) : NULL;

	if (!digit)
		return false;
	*value = (uint8_t)(digit - digits);
	return true;
}

int dns_name_address(const struct dns_name *name, uint32_t *ipv4, struct in6_addr *ipv6)
{
	static const struct dns_name zone4 = {.wire = "\7in-addr\4arpa", .length = 14};
	static const struct dns_name zone6 = {.wire = "\3ip6\4arpa", .length = 10};
	size_t labels = dns_name_labels(name), at = 0;
	uint32_t address = 0, octet;
	struct in6_addr address6;
	uint8_t low, high;

	if (labels == 6 && dns_name_under(name, &zone4, NULL)) {
		for (int i = 0; i < 4; i++, at += 1 + name->wire[at]) {
			if (!parse_octet(name->wire + at, &octet))
				return 0;
			address |= octet << (8 * i);
		}
		*ipv4 = address;
		return 4;
	}
	if (labels != 34 || !dns_name_under(name, &zone6, NULL))
		return 0;
	for (int i = 15; i >= 0; i--, at += 4) {
		if (!parse_nibble(name->wire + at, &low) || !parse_nibble(name->wire + at + 2, &high))
			return 0;
		address6.s6_addr[i] = (uint8_t)(high << 4 | low);
	}
	*ipv6 = address6;
	return 6;
}

/* The question's name and its length in the message; it is not compressed. */
static bool read_name(const uint8_t *message, size_t length, size_t at, struct dns_name *name)
{
	name->length = 0;
	for (;;) {
		size_t label;

		if (at >= length || message[at] > DNS_LABEL_MAX)
			return false;
		label = message[at];
		if (label + 1 > length - at || name->length + label + 1 > DNS_NAME_MAX)
			return false;
		name->wire[name->length++] = (uint8_t)label;
		for (size_t i = 1; i <= label; i++)
			name->wire[name->length++] = small(message[at + i]);
		at += label + 1;
		if (label == 0)
			return true;
	}
}

/* Walks a name that may be compressed, and all that it points at. *at becomes the first byte behind it. */
static bool skip_name(const uint8_t *message, size_t length, size_t *at)
{
	size_t position = *at, limit = *at, total = 0, jumps = 0;

	for (;;) {
		size_t label;

		if (position >= length)
			return false;
		label = message[position];
		if ((label & POINTER) == POINTER) {
			size_t target;

			if (position + 2 > length)
				return false;
			target = (size_t)dns_get16(message + position) & 0x3fff;
			if (jumps == 0)
				*at = position + 2;
			/* Each goes further back than the one before, and nobody needs more than a name has labels. */
			if (target < DNS_HEADER || target >= limit || ++jumps > DNS_NAME_MAX / 2)
				return false;
			position = limit = target;
			continue;
		}
		if (label > DNS_LABEL_MAX || label + 1 > length - position)
			return false;
		position += label + 1;
		total += label + 1;
		if (total > DNS_NAME_MAX)
			return false;
		if (label == 0)
			break;
	}
	if (jumps == 0)
		*at = position;
	return true;
}

static bool read_question(const uint8_t *message, size_t length, struct dns_query *query)
{
	struct dns_name name;

	if (!read_name(message, length, DNS_HEADER, &name) || length - DNS_HEADER - name.length < DNS_QUESTION_TAIL)
		return false;
	query->name = name;
	query->question_length = name.length + DNS_QUESTION_TAIL;
	memcpy(query->question, message + DNS_HEADER, query->question_length);
	query->type = dns_get16(query->question + name.length);
	query->class = dns_get16(query->question + name.length + 2);
	return true;
}

/* RFC 6891 §6.1: the root's name, the size in the class, version and flags in the TTL. */
static int read_opt(const uint8_t *tail, bool root, struct dns_query *query)
{
	if (query->edns || !root)
		return DNS_FORMERR;
	query->edns = true;
	query->dnssec_ok = (tail[6] & 0x80) != 0;
	if (dns_get16(tail + 2) > query->size)
		query->size = dns_get16(tail + 2) < DNS_UDP_MOST ? dns_get16(tail + 2) : DNS_UDP_MOST;
	return tail[5] == 0 ? 0 : DNS_BADVERS;
}

static int read_records(const uint8_t *message, size_t length, size_t at, struct dns_query *query)
{
	size_t additional = dns_get16(message + 10);
	size_t count = (size_t)dns_get16(message + 6) + dns_get16(message + 8) + additional;
	int badvers = 0;

	for (; count > 0; count--) {
		size_t start = at, size;

		if (!skip_name(message, length, &at) || length - at < RECORD_TAIL)
			return DNS_FORMERR;
		size = dns_get16(message + at + 8);
		if (size > length - at - RECORD_TAIL)
			return DNS_FORMERR;
		if (count <= additional && dns_get16(message + at) == DNS_TYPE_OPT) {
			int rcode = read_opt(message + at, message[start] == 0, query);

			if (rcode == DNS_FORMERR)
				return rcode;
			badvers = rcode;
		}
		at += RECORD_TAIL + size;
	}
	return at == length ? badvers : DNS_FORMERR;
}

int dns_query_parse(const uint8_t *message, size_t length, struct dns_query *query)
{
	*query = (struct dns_query){.size = DNS_UDP_SIZE};
	if (length < DNS_HEADER || length > DNS_MESSAGE_MAX)
		return -1;
	query->id = dns_get16(message);
	query->flags = dns_get16(message + 2);
	if (query->flags & DNS_QR)
		return -1;
	/* What else is in the message depends on the operation. */
	if (query->flags & DNS_OPCODE)
		return DNS_NOTIMP;
	if (dns_get16(message + 4) != 1 || !read_question(message, length, query))
		return DNS_FORMERR;
	return read_records(message, length, DNS_HEADER + query->question_length, query);
}

/* The case of letters may be changed on the way (RFC 4343 §3), type and class may not. */
static bool same_question(const uint8_t *bytes, const struct dns_query *query)
{
	const uint8_t *tail = query->question + query->name.length;

	for (size_t i = 0; i < query->name.length; i++)
		if (small(bytes[i]) != query->name.wire[i])
			return false;
	return memcmp(bytes + query->name.length, tail, DNS_QUESTION_TAIL) == 0;
}

bool dns_answer_parse(const uint8_t *message, size_t length, const struct dns_query *query, uint16_t id,
		      struct dns_answer *answer)
{
	uint16_t flags, questions;

	if (length < DNS_HEADER || length > DNS_MESSAGE_MAX || dns_get16(message) != id)
		return false;
	flags = dns_get16(message + 2);
	questions = dns_get16(message + 4);
	if (!(flags & DNS_QR) || (flags & DNS_OPCODE))
		return false;
	*answer = (struct dns_answer){.rcode = flags & DNS_RCODE, .truncated = (flags & DNS_TC) != 0};
	if (questions == 0)
		return answer->rcode != DNS_NOERROR && answer->rcode != DNS_NXDOMAIN;
	return questions == 1 && length - DNS_HEADER >= query->question_length &&
	       same_question(message + DNS_HEADER, query);
}

void dns_reply_begin(struct dns_reply *reply, const struct dns_query *query, enum dns_rcode rcode, size_t limit)
{
	static const uint8_t header[DNS_HEADER];

	*reply = (struct dns_reply){.query = query, .rcode = rcode, .limit = limit};
	if (query->edns)
		reply->limit -= OPT_LENGTH;
	mvm_buf_add(&reply->message, header, sizeof(header));
	mvm_buf_add(&reply->message, query->question, query->question_length);
}

/* A record whose owner is the name at `owner` in the message. */
static bool add_record(struct dns_reply *reply, size_t owner, enum dns_type type, const void *data, size_t length)
{
	uint8_t head[2 + RECORD_TAIL] = {0};

	if (reply->message.length + sizeof(head) + length > reply->limit)
		return false;
	dns_put16(head, POINTER << 8 | (unsigned)owner);
	dns_put16(head + 2, type);
	dns_put16(head + 4, DNS_CLASS_IN);
	dns_put16(head + 8, DNS_TTL);
	dns_put16(head + 10, (unsigned)length);
	mvm_buf_add(&reply->message, head, sizeof(head));
	mvm_buf_add(&reply->message, data, length);
	return true;
}

void dns_reply_add(struct dns_reply *reply, enum dns_type type, const void *data, size_t length)
{
	if (!reply->truncated && add_record(reply, DNS_HEADER, type, data, length))
		reply->answers++;
	else
		reply->truncated = true;
}

void dns_reply_deny(struct dns_reply *reply)
{
	/* Names of server and keeper are the root, which is nobody; then serial, refresh, retry, expire, minimum. */
	static const uint8_t soa[22] = {
		[5] = 1, [9] = DNS_TTL, [13] = DNS_TTL, [17] = DNS_TTL, [21] = DNS_TTL,
	};
	size_t owner = DNS_HEADER;

	/* Of a name that does not exist, the zone is the one above. */
	if (reply->rcode == DNS_NXDOMAIN && reply->query->question[0])
		owner += 1 + reply->query->question[0];
	if (add_record(reply, owner, DNS_TYPE_SOA, soa, sizeof(soa)))
		reply->authorities++;
}

static void add_opt(struct dns_reply *reply)
{
	uint8_t opt[OPT_LENGTH] = {0};

	dns_put16(opt + 1, DNS_TYPE_OPT);
	dns_put16(opt + 3, DNS_EDNS_SIZE);
	opt[5] = (uint8_t)(reply->rcode >> 4);
	opt[7] = reply->query->dnssec_ok ? 0x80 : 0; /* copied, RFC 3225 §3 */
	mvm_buf_add(&reply->message, opt, sizeof(opt));
}

void dns_reply_end(struct dns_reply *reply, bool authoritative)
{
	const struct dns_query *query = reply->query;
	unsigned flags = DNS_QR | DNS_RA | (query->flags & (DNS_OPCODE | DNS_RD | DNS_CD)) | (reply->rcode & DNS_RCODE);
	uint8_t *header;

	if (query->edns)
		add_opt(reply);
	if (authoritative)
		flags |= DNS_AA;
	if (reply->truncated)
		flags |= DNS_TC;
	header = (uint8_t *)reply->message.data;
	dns_put16(header, query->id);
	dns_put16(header + 2, flags);
	dns_put16(header + 4, query->question_length ? 1 : 0);
	dns_put16(header + 6, reply->answers);
	dns_put16(header + 8, reply->authorities);
	dns_put16(header + 10, query->edns ? 1 : 0);
}

void dns_reply_truncated(struct dns_reply *reply, const struct dns_query *query, enum dns_rcode rcode)
{
	dns_reply_begin(reply, query, rcode, DNS_UDP_SIZE);
	reply->truncated = true;
	dns_reply_end(reply, false);
}
