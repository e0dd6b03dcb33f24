/* DNS messages: what is a query, what is not and how it is answered, answers that fit and those that do not. */
#include "dns_maker.h"

static int parse(const struct mvm_buf *buf, struct dns_query *query)
{
	uint8_t *exact MVM_CLEAN_FREE = mvm_alloc(buf->length);

	memcpy(exact, buf->data, buf->length);
	return dns_query_parse(exact, buf->length, query);
}

/* Parses and empties it for the next. */
static void assert_parse(struct mvm_buf *buf, int expected)
{
	struct dns_query query;

	assert_int_equal(parse(buf, &query), expected);
	buf->length = 0;
}

static void a_query(void **state)
{
	struct mvm_buf buf MVM_CLEAN_BUF = {0};
	struct dns_query query;

	make_query(&buf, 0x1234, "WeB.Example", DNS_TYPE_AAAA);
	query = parse_made(&buf);
	assert_int_equal(query.id, 0x1234);
	assert_int_equal(query.type, DNS_TYPE_AAAA);
	assert_int_equal(query.class, DNS_CLASS_IN);
	assert_int_equal(query.size, 512);
	assert_false(query.edns);
	assert_memory_equal(query.name.wire, "\3web\7example", 13);
	assert_int_equal(query.name.length, 13);
	assert_memory_equal(query.question, "\3WeB\7Example\0\0\34\0\1", 17);
	assert_int_equal(query.question_length, 17);
	buf.length = 0;
	make_query(&buf, 1, "", DNS_TYPE_ANY);
	assert_int_equal(parse_made(&buf).name.length, 1);
}

static void edns(void **state)
{
	static const unsigned sizes[][2] = {{0, 512}, {512, 512}, {1232, 1232}, {4096, 4096}, {65535, 4096}};
	struct mvm_buf buf MVM_CLEAN_BUF = {0};

	for (size_t i = 0; i < MVM_COUNT(sizes); i++) {
		make_edns_query(&buf, 1, "web", DNS_TYPE_A, sizes[i][0]);
		assert_true(parse_made(&buf).edns);
		assert_int_equal(parse_made(&buf).size, sizes[i][1]);
		buf.length = 0;
	}
	make_header(&buf, 1, 0, 1, 0, 0, 1);
	make_question(&buf, "web", DNS_TYPE_A);
	make_opt(&buf, 1232, 1, true);
	assert_parse(&buf, DNS_BADVERS);
	make_header(&buf, 1, 0, 1, 0, 0, 2);
	make_question(&buf, "web", DNS_TYPE_A);
	make_opt(&buf, 1232, 0, false);
	make_opt(&buf, 1232, 0, false);
	assert_parse(&buf, DNS_FORMERR);
}

static void no_queries(void **state)
{
	struct mvm_buf buf MVM_CLEAN_BUF = {0};

	mvm_buf_add(&buf, "", 0);
	make_u16(&buf, 7);
	assert_parse(&buf, -1);
	make_query(&buf, 1, "web", DNS_TYPE_A);
	dns_put16((uint8_t *)buf.data + 2, DNS_QR);
	assert_parse(&buf, -1);
	/* UPDATE, NOTIFY, STATUS */
	for (unsigned opcode = 1; opcode < 16; opcode++) {
		make_header(&buf, 1, opcode << 11, 1, 0, 0, 0);
		make_question(&buf, "web", DNS_TYPE_A);
		assert_parse(&buf, DNS_NOTIMP);
	}
}

static void wrong_numbers_of_questions(void **state)
{
	struct mvm_buf buf MVM_CLEAN_BUF = {0};

	make_header(&buf, 1, DNS_RD, 0, 0, 0, 0);
	assert_parse(&buf, DNS_FORMERR);
	make_header(&buf, 1, DNS_RD, 2, 0, 0, 0);
	make_question(&buf, "web", DNS_TYPE_A);
	make_question(&buf, "web", DNS_TYPE_AAAA);
	assert_parse(&buf, DNS_FORMERR);
	make_header(&buf, 1, DNS_RD, 65535, 0, 0, 0);
	make_question(&buf, "web", DNS_TYPE_A);
	assert_parse(&buf, DNS_FORMERR);
}

/* Every shorter piece of a good query, and one byte more. */
static void cut_short_and_too_long(void **state)
{
	struct mvm_buf whole MVM_CLEAN_BUF = {0}, buf MVM_CLEAN_BUF = {0};

	make_edns_query(&whole, 1, "web.example", DNS_TYPE_A, 1232);
	for (size_t length = 0; length < whole.length; length++) {
		mvm_buf_add(&buf, whole.data, length);
		assert_parse(&buf, length < DNS_HEADER ? -1 : DNS_FORMERR);
	}
	mvm_buf_add(&buf, whole.data, whole.length);
	mvm_buf_add(&buf, "", 1);
	assert_parse(&buf, DNS_FORMERR);
}

static void names_that_never_end(void **state)
{
	struct mvm_buf buf MVM_CLEAN_BUF = {0};
	/* In the question: to itself, to the header, forward; a label of a kind that there is not. */
	static const unsigned words[] = {0xc00c, 0xc000, 0xc00e, 0x8061, 0x4061};

	for (size_t i = 0; i < MVM_COUNT(words); i++) {
		make_header(&buf, 1, DNS_RD, 1, 0, 0, 0);
		make_u16(&buf, words[i]);
		make_u16(&buf, DNS_TYPE_A);
		make_u16(&buf, DNS_CLASS_IN);
		assert_parse(&buf, DNS_FORMERR);
	}
	/* In a record behind it: to itself, into the header, past the end, a label and back to it. */
	for (unsigned target = 0; target < 80; target++) {
		make_header(&buf, 1, DNS_RD, 1, 0, 0, 1);
		make_question(&buf, "web", DNS_TYPE_A); /* bytes 12 to 20 */
		mvm_buf_add(&buf, "\1a", 2);
		make_u16(&buf, 0xc000 | target);
		make_u16(&buf, DNS_TYPE_A);
		make_u16(&buf, DNS_CLASS_IN);
		mvm_buf_add(&buf, "\0\0\0\0\0\0", 6);
		/* Fine are "web", its end, and the zeros behind it. */
		assert_parse(&buf, target == 12 || target == 16 || target == 17 || target == 19 ? 0 : DNS_FORMERR);
	}
}

/* A chain of pointers, each of which is fine, that doubles a name at each step. */
static void compression_bomb(void **state)
{
	struct mvm_buf buf MVM_CLEAN_BUF = {0};
	char label[64];
	size_t at;

	memset(label, 'x', sizeof(label));
	label[0] = 63;
	make_header(&buf, 1, DNS_RD, 1, 0, 0, 6);
	make_question(&buf, "web", DNS_TYPE_A);
	at = DNS_HEADER;
	for (int i = 0; i < 6; i++) {
		size_t start = buf.length;

		mvm_buf_add(&buf, label, sizeof(label));
		make_u16(&buf, 0xc000 | (unsigned)at);
		make_u16(&buf, DNS_TYPE_A);
		make_u16(&buf, DNS_CLASS_IN);
		mvm_buf_add(&buf, "\0\0\0\0\0\0", 6);
		at = start;
	}
	assert_parse(&buf, DNS_FORMERR);
}

static void longest_names(void **state)
{
	static const char label[] = "abcdefghijklmnopqrstuvwxyzabcdefghijklmnopqrstuvwxyz01234567890";
	char *longest MVM_CLEAN_FREE = mvm_format("%s.%s.%s.%.61s", label, label, label, label);
	char *longer MVM_CLEAN_FREE = mvm_format("%s.%s.%s.%.62s", label, label, label, label);
	struct mvm_buf buf MVM_CLEAN_BUF = {0};
	struct dns_name name;

	assert_true(dns_name_parse(longest, &name));
	assert_int_equal(name.length, 255);
	assert_false(dns_name_parse(longer, &name));
	make_query(&buf, 1, longest, DNS_TYPE_A);
	assert_parse(&buf, 0);
	make_query(&buf, 1, longer, DNS_TYPE_A);
	assert_parse(&buf, DNS_FORMERR);
}

static void names_in_text(void **state)
{
	struct dns_name name, end, rest;

	assert_true(dns_name_parse("Web.", &name));
	assert_int_equal(name.length, 5);
	assert_false(dns_name_parse("", &name) || dns_name_parse(".", &name) || dns_name_parse("a..b", &name) ||
		     dns_name_parse(".a", &name));
	assert_false(dns_name_parse("0123456789012345678901234567890123456789012345678901234567890123", &name));
	assert_true(dns_name_parse("a.web.net1", &name) && dns_name_parse("NET1", &end));
	assert_int_equal(dns_name_labels(&name), 3);
	assert_true(dns_name_under(&name, &end, &rest));
	assert_true(dns_name_parse("a.web", &end) && dns_name_equal(&rest, &end));
	assert_false(dns_name_under(&end, &name, NULL));
	assert_true(dns_name_under(&end, &end, NULL));
	/* Ends with the same bytes, which are no labels of their own. */
	assert_true(dns_name_parse("xnet1", &name) && dns_name_parse("net1", &end));
	assert_false(dns_name_under(&name, &end, NULL));
}

static int address_of(const char *text, uint32_t *ipv4, struct in6_addr *ipv6)
{
	struct dns_name name;

	assert_true(dns_name_parse(text, &name));
	return dns_name_address(&name, ipv4, ipv6);
}

static void reverse_names(void **state)
{
	static const char zeros[] = "0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.";
	char *six MVM_CLEAN_FREE = mvm_format("A.1.%sd.f.IP6.ARPA", zeros);
	char *shorter MVM_CLEAN_FREE = mvm_format("1.%sd.f.ip6.arpa", zeros);
	char *wrong MVM_CLEAN_FREE = mvm_format("g.1.%sd.f.ip6.arpa", zeros);
	char *wide MVM_CLEAN_FREE = mvm_format("00.1.%sd.f.ip6.arpa", zeros);
	struct in6_addr ipv6;
	uint32_t ipv4;

	assert_int_equal(address_of("2.0.30.172.In-Addr.Arpa.", &ipv4, &ipv6), 4);
	assert_int_equal(ipv4, 0xac1e0002);
	assert_int_equal(address_of("255.255.255.255.in-addr.arpa", &ipv4, &ipv6), 4);
	assert_int_equal(address_of(six, &ipv4, &ipv6), 6);
	assert_int_equal(ipv6.s6_addr[0], 0xfd);
	assert_int_equal(ipv6.s6_addr[15], 0x1a);
	assert_int_equal(address_of("0.30.172.in-addr.arpa", &ipv4, &ipv6), 0);
	assert_int_equal(address_of("1.2.0.30.172.in-addr.arpa", &ipv4, &ipv6), 0);
	assert_int_equal(address_of("256.0.30.172.in-addr.arpa", &ipv4, &ipv6), 0);
	assert_int_equal(address_of("02.0.30.172.in-addr.arpa", &ipv4, &ipv6), 0);
	assert_int_equal(address_of("x.0.30.172.in-addr.arpa", &ipv4, &ipv6), 0);
	assert_int_equal(address_of("2.0.30.172.in-addr.example", &ipv4, &ipv6), 0);
	assert_int_equal(address_of(shorter, &ipv4, &ipv6), 0);
	assert_int_equal(address_of(wrong, &ipv4, &ipv6), 0);
	assert_int_equal(address_of(wide, &ipv4, &ipv6), 0);
}

static void reply_repeats_the_question(void **state)
{
	struct mvm_buf buf MVM_CLEAN_BUF = {0};
	char *text MVM_CLEAN_FREE = NULL;
	struct dns_query query;
	struct dns_reply reply;

	make_edns_query(&buf, 0xabcd, "WeB", DNS_TYPE_A, 1232);
	query = parse_made(&buf);
	dns_reply_begin(&reply, &query, DNS_NOERROR, query.size);
	dns_reply_add(&reply, DNS_TYPE_A, "\12\0\0\2", 4);
	dns_reply_end(&reply, true);
	text = read_answer(reply.message.data, reply.message.length);
	assert_string_equal(text, "NOERROR AA WeB. A 10.0.0.2 OPT");
	assert_int_equal(dns_get16((uint8_t *)reply.message.data), 0xabcd);
	assert_int_equal(dns_get16((uint8_t *)reply.message.data + 2), DNS_QR | DNS_AA | DNS_RD | DNS_RA);
	mvm_buf_finish(&reply.message);
}

static void errors_as_replies(void **state)
{
	struct mvm_buf buf MVM_CLEAN_BUF = {0};
	struct dns_query query;
	struct dns_reply reply;
	char *text;

	/* A question that cannot be read is not repeated. */
	make_header(&buf, 9, DNS_RD | DNS_CD, 1, 0, 0, 0);
	assert_int_equal(parse(&buf, &query), DNS_FORMERR);
	dns_reply_begin(&reply, &query, DNS_FORMERR, query.size);
	dns_reply_end(&reply, false);
	text = read_answer(reply.message.data, reply.message.length);
	assert_string_equal(text, "FORMERR");
	assert_int_equal(dns_get16((uint8_t *)reply.message.data + 2), DNS_QR | DNS_RD | DNS_RA | DNS_CD | DNS_FORMERR);
	free(text);
	mvm_buf_finish(&reply.message);
	buf.length = 0;

	make_header(&buf, 1, 0, 1, 0, 0, 1);
	make_question(&buf, "web", DNS_TYPE_A);
	make_opt(&buf, 1232, 1, true);
	assert_int_equal(parse(&buf, &query), DNS_BADVERS);
	dns_reply_begin(&reply, &query, DNS_BADVERS, query.size);
	dns_reply_end(&reply, false);
	text = read_answer(reply.message.data, reply.message.length);
	assert_string_equal(text, "NOERROR web. OPT extended 1");
	free(text);
	mvm_buf_finish(&reply.message);
}

static void denials(void **state)
{
	struct mvm_buf buf MVM_CLEAN_BUF = {0};
	struct dns_query query;
	struct dns_reply reply;
	char *text;

	make_query(&buf, 1, "web.lab", DNS_TYPE_AAAA);
	query = parse_made(&buf);
	dns_reply_begin(&reply, &query, DNS_NOERROR, query.size);
	dns_reply_deny(&reply);
	dns_reply_end(&reply, true);
	text = read_answer(reply.message.data, reply.message.length);
	assert_string_equal(text, "NOERROR AA web.lab. SOA web.lab.");
	free(text);
	mvm_buf_finish(&reply.message);
	dns_reply_begin(&reply, &query, DNS_NXDOMAIN, query.size);
	dns_reply_deny(&reply);
	dns_reply_end(&reply, true);
	text = read_answer(reply.message.data, reply.message.length);
	assert_string_equal(text, "NXDOMAIN AA web.lab. SOA lab.");
	free(text);
	mvm_buf_finish(&reply.message);
}

static void truncation(void **state)
{
	static const size_t limits[] = {512, 513, 528, 1232, 4096};

	for (size_t i = 0; i < MVM_COUNT(limits); i++)
		for (int edns_on = 0; edns_on < 2; edns_on++) {
			struct mvm_buf buf MVM_CLEAN_BUF = {0};
			size_t fixed = DNS_HEADER + 9 + (edns_on ? 11 : 0), fit = (limits[i] - fixed) / 16;
			struct dns_query query;
			struct dns_reply reply;

			if (edns_on)
				make_edns_query(&buf, 1, "web", DNS_TYPE_A, 4096);
			else
				make_query(&buf, 1, "web", DNS_TYPE_A);
			query = parse_made(&buf);
			for (size_t count = fit; count < fit + 3; count++) {
				dns_reply_begin(&reply, &query, DNS_NOERROR, limits[i]);
				for (size_t j = 0; j < count; j++)
					dns_reply_add(&reply, DNS_TYPE_A, "\12\0\0\2", 4);
				dns_reply_end(&reply, true);
				assert_int_equal(reply.message.length, fixed + 16 * fit);
				assert_int_equal(reply.truncated, count > fit);
				assert_int_equal(dns_get16((uint8_t *)reply.message.data + 2) & DNS_TC,
						 count > fit ? DNS_TC : 0);
				assert_int_equal(dns_get16((uint8_t *)reply.message.data + 6), fit);
				mvm_buf_finish(&reply.message);
			}
		}
}

static void answers_of_servers(void **state)
{
	struct mvm_buf asked MVM_CLEAN_BUF = {0}, buf MVM_CLEAN_BUF = {0};
	struct dns_answer answer;
	struct dns_query query;
	uint8_t *bytes;

	make_query(&asked, 1, "WeB.example", DNS_TYPE_A);
	query = parse_made(&asked);
	make_header(&buf, 77, DNS_QR | DNS_TC | DNS_NXDOMAIN, 1, 0, 0, 0);
	make_question(&buf, "wEb.EXAMPLE", DNS_TYPE_A);
	bytes = (uint8_t *)buf.data;
	assert_true(dns_answer_parse(bytes, buf.length, &query, 77, &answer));
	assert_int_equal(answer.rcode, DNS_NXDOMAIN);
	assert_true(answer.truncated);
	/* Another id, cut short, a query, another operation, two questions. */
	assert_false(dns_answer_parse(bytes, buf.length, &query, 78, &answer));
	for (size_t length = 0; length < buf.length; length++)
		assert_false(dns_answer_parse(bytes, length, &query, 77, &answer));
	dns_put16(bytes + 2, DNS_NXDOMAIN);
	assert_false(dns_answer_parse(bytes, buf.length, &query, 77, &answer));
	dns_put16(bytes + 2, DNS_QR | 0x2000);
	assert_false(dns_answer_parse(bytes, buf.length, &query, 77, &answer));
	dns_put16(bytes + 2, DNS_QR);
	dns_put16(bytes + 4, 2);
	assert_false(dns_answer_parse(bytes, buf.length, &query, 77, &answer));
	/* Without a question only where it is an error. */
	dns_put16(bytes + 4, 0);
	assert_false(dns_answer_parse(bytes, buf.length, &query, 77, &answer));
	dns_put16(bytes + 2, DNS_QR | DNS_FORMERR);
	assert_true(dns_answer_parse(bytes, DNS_HEADER, &query, 77, &answer));
	/* Another type, another name. */
	dns_put16(bytes + 2, DNS_QR);
	dns_put16(bytes + 4, 1);
	assert_true(dns_answer_parse(bytes, buf.length, &query, 77, &answer));
	bytes[buf.length - 3] = DNS_TYPE_AAAA;
	assert_false(dns_answer_parse(bytes, buf.length, &query, 77, &answer));
	bytes[buf.length - 3] = DNS_TYPE_A;
	bytes[DNS_HEADER + 2] = 'a';
	assert_false(dns_answer_parse(bytes, buf.length, &query, 77, &answer));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_query),
		cmocka_unit_test(edns),
		cmocka_unit_test(no_queries),
		cmocka_unit_test(wrong_numbers_of_questions),
		cmocka_unit_test(cut_short_and_too_long),
		cmocka_unit_test(names_that_never_end),
		cmocka_unit_test(compression_bomb),
		cmocka_unit_test(longest_names),
		cmocka_unit_test(names_in_text),
		cmocka_unit_test(reverse_names),
		cmocka_unit_test(reply_repeats_the_question),
		cmocka_unit_test(errors_as_replies),
		cmocka_unit_test(denials),
		cmocka_unit_test(truncation),
		cmocka_unit_test(answers_of_servers),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
