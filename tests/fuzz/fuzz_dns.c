/*
 * DNS messages: whatever a guest sends, the answer fits, has its id, is one that we would take of a server, and the
 * same bytes read as a server's answer or as a TCP stream in pieces do no harm.
 */
#include "fuzz.h"

#include "net/dns_frames.h"
#include "net/dns_message.h"
#include "net/dns_names.h"

/* What a reply must be, whatever was asked. */
static void check_reply(struct dns_reply *reply, const struct dns_query *query, enum dns_rcode rcode, size_t limit)
{
	const uint8_t *message = (const uint8_t *)reply->message.data;
	size_t length = reply->message.length;
	struct dns_query again;
	struct dns_answer answer;
	uint8_t *turned;

	fuzz_check(length <= limit && length >= DNS_HEADER && dns_get16(message) == query->id);
	fuzz_check(dns_get16(message + 2) & DNS_QR);
	fuzz_check(memcmp(message + DNS_HEADER, query->question, query->question_length) == 0);
	if (query->question_length)
		fuzz_check(dns_answer_parse(message, length, query, query->id, &answer) &&
			   answer.rcode == (rcode & DNS_RCODE) && answer.truncated == reply->truncated);
	/* Its records are well-formed: turned into a query it has the same question. */
	turned = mvm_alloc(length);
	memcpy(turned, message, length);
	dns_put16(turned + 2, 0);
	if (query->question_length && rcode != DNS_BADVERS)
		fuzz_check(dns_query_parse(turned, length, &again) == 0 && again.edns == query->edns &&
			   dns_name_equal(&again.name, &query->name));
	free(turned);
	mvm_buf_finish(&reply->message);
}

static void answer_all_ways(const struct dns_query *query, int outcome)
{
	enum dns_rcode rcode = outcome > 0 ? (enum dns_rcode)outcome : DNS_NOERROR;
	struct dns_reply reply;

	dns_reply_begin(&reply, query, rcode, query->size);
	if (outcome == 0)
		for (int i = 0; i < 300; i++)
			dns_reply_add(&reply, DNS_TYPE_AAAA, "0123456789abcdef", 16);
	dns_reply_end(&reply, outcome == 0);
	check_reply(&reply, query, rcode, query->size);
	if (outcome != 0)
		return;
	for (int denied = 0; denied < 2; denied++) {
		rcode = denied ? DNS_NXDOMAIN : DNS_NOERROR;
		dns_reply_begin(&reply, query, rcode, DNS_UDP_SIZE);
		dns_reply_deny(&reply);
		dns_reply_end(&reply, true);
		check_reply(&reply, query, rcode, DNS_UDP_SIZE);
	}
	dns_reply_truncated(&reply, query, DNS_NOERROR);
	check_reply(&reply, query, DNS_NOERROR, DNS_UDP_SIZE);
}

/* The name is found under itself, and with the network's name behind it. */
static void look_up(const struct dns_query *query)
{
	static const char *const list[] = {"web", "a.b"};
	const struct mvm_dns_endpoint endpoint = {.id = "a", .names = list, .name_count = 2, .ipv4 = 1};
	struct dns_names *names = dns_names_create("net1");
	struct dns_addresses ipv4 = {0}, ipv6 = {0};
	struct dns_name name;
	struct in6_addr ipv6_address;
	uint32_t ipv4_address;
	int family;

	dns_names_set(names, &endpoint, false);
	fuzz_check(dns_names_find(names, &query->name, &ipv4, &ipv6) == (ipv4.count == 1) && ipv6.count == 0);
	family = dns_name_address(&query->name, &ipv4_address, &ipv6_address);
	if (family)
		fuzz_check(!dns_names_of(names, family, ipv4_address, &ipv6_address, &name) || name.length == 10);
	fuzz_check(dns_name_labels(&query->name) <= DNS_NAME_MAX / 2);
	mvm_buf_finish(&ipv4.bytes);
	dns_names_destroy(names);
}

/* The number of messages and of their bytes are the same whatever the pieces are. */
static void read_stream(const uint8_t *data, size_t size, size_t piece, size_t *count, size_t *bytes)
{
	struct mvm_dns_frames frames = {0};
	const uint8_t *message;
	size_t length;

	*count = *bytes = 0;
	for (size_t at = 0; at < size;) {
		at += mvm_dns_frames_feed(&frames, data + at, size - at < piece ? size - at : piece);
		while (mvm_dns_frames_next(&frames, &message, &length)) {
			*count += 1;
			for (size_t i = 0; i < length; i++)
				*bytes += message[i];
		}
		fuzz_check(frames.buf.length <= MVM_DNS_FRAMES_MAX);
	}
	mvm_dns_frames_finish(&frames);
}

bool fuzz_one(const uint8_t *data, size_t size)
{
	size_t count, bytes, other_count, other_bytes;
	struct dns_query query;
	struct dns_answer answer;
	int outcome = dns_query_parse(data, size, &query);

	if (outcome >= 0)
		answer_all_ways(&query, outcome);
	if (outcome == 0) {
		look_up(&query);
		fuzz_check(!dns_answer_parse(data, size, &query, query.id, &answer));
	}
	read_stream(data, size, 7, &count, &bytes);
	read_stream(data, size, SIZE_MAX / 2, &other_count, &other_bytes);
	fuzz_check(count == other_count && bytes == other_bytes);
	return outcome == 0;
}
