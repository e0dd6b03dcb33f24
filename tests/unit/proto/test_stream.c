/* The stream of UNPACK: what one side writes the other reads, in whatever pieces it comes. */
#include "tests/unit/unit.h"

#include "guest-agent/proto/proto.h"
#include "guest-agent/proto/stream.h"
#include "runtime/base/mem.h"

static struct mvm_stream_reader reader;
static struct mvm_buf stream, events;
static int fail_at; /* the number of the event that fails; 0: none */

static int event(void)
{
	return fail_at && --fail_at == 0 ? -1 : 0;
}

static int on_entry(void *arg, const struct mvm_stream_entry *entry)
{
	mvm_buf_addf(&events, "[%c %s>%s %o %u:%u %u/%u %lld.%u %llu", entry->type, entry->name,
		     entry->target ? entry->target : "", entry->mode, entry->uid, entry->gid, entry->major,
		     entry->minor, (long long)entry->mtime, entry->mtime_nsec, (unsigned long long)entry->size);
	for (size_t i = 0; i < entry->xattr_count; i++) {
		mvm_buf_addf(&events, " %s=", entry->xattrs[i].name);
		mvm_buf_add(&events, entry->xattrs[i].value, entry->xattrs[i].length);
	}
	return event();
}

static uint64_t expected;

static int on_data(void *arg, uint64_t offset, const void *data, size_t length)
{
	/* Pieces are put together again. */
	if (offset != expected)
		mvm_buf_addf(&events, " @%llu ", (unsigned long long)offset);
	mvm_buf_add(&events, data, length);
	expected = offset + length;
	return event();
}

static int on_end(void *arg)
{
	mvm_buf_add(&events, "]", 1);
	expected = UINT64_MAX;
	return event();
}

static const struct mvm_stream_ops ops = {.entry = on_entry, .data = on_data, .end = on_end};

static void put(const struct mvm_stream_entry *entry)
{
	static uint8_t frame[MVM_STREAM_ENTRY_MAX];
	size_t length;

	assert_int_equal(mvm_stream_put_entry(entry, frame, sizeof(frame), &length), 0);
	mvm_buf_add(&stream, frame, length);
}

static void put_data(uint64_t offset, const char *text)
{
	uint8_t header[MVM_STREAM_DATA_HEADER];

	mvm_stream_put_data(header, offset, strlen(text));
	mvm_buf_add(&stream, header, sizeof(header));
	mvm_buf_add(&stream, text, strlen(text));
}

static void put_end(void)
{
	uint8_t header[MVM_WIRE_HEADER_SIZE];

	mvm_stream_put_end(header);
	mvm_buf_add(&stream, header, sizeof(header));
}

/* Reads what has been put, `piece` bytes at a time. */
static int read_all(size_t piece)
{
	int rc = 0;

	events.length = 0;
	expected = UINT64_MAX;
	mvm_stream_reader_init(&reader, &ops, NULL);
	for (size_t at = 0; rc == 0 && at < stream.length; at += piece)
		rc = mvm_stream_feed(&reader, stream.data + at,
				     stream.length - at < piece ? stream.length - at : piece);
	return rc;
}

static int teardown(void **state)
{
	mvm_buf_finish(&stream);
	mvm_buf_finish(&events);
	fail_at = 0;
	return 0;
}

static void whatever_the_pieces(void **state)
{
	const struct mvm_stream_xattr xattrs[] = {{"user.a", "1\n2", 3}, {"user.empty", NULL, 0}};
	const struct mvm_stream_entry file = {.type = MVM_STREAM_FILE,
					      .name = "a/\xff",
					      .mode = 04755,
					      .uid = UINT32_MAX,
					      .gid = 7,
					      .mtime = -1,
					      .mtime_nsec = 999999999,
					      .size = 1ull << 40,
					      .xattrs = xattrs,
					      .xattr_count = 2};
	static const size_t pieces[] = {1, 2, 7, 13, 4096};

	put(&(struct mvm_stream_entry){.type = MVM_STREAM_FOLDER, .name = "a/", .mode = 0755});
	put(&file);
	put_data(0, "one");
	put_data(3, "two");
	put_data((1ull << 40) - 3, "end");
	put(&(struct mvm_stream_entry){.type = MVM_STREAM_SYMLINK, .name = "l", .target = "/t", .mode = 0777});
	put(&(struct mvm_stream_entry){.type = MVM_STREAM_CHAR, .name = "c", .major = 1, .minor = 300});
	put_end();
	for (size_t i = 0; i < MVM_COUNT(pieces); i++) {
		assert_int_equal(read_all(pieces[i]), 0);
		assert_true(mvm_stream_ended(&reader));
		mvm_buf_add(&events, "", 1);
		assert_string_equal(
			events.data,
			"[5 a/> 755 0:0 0/0 0.0 0]"
			"[0 a/\xff> 4755 4294967295:7 0/0 -1.999999999 1099511627776 user.a=1\n2 user.empty= @0 "
			"onetwo @1099511627773 end]"
			"[2 l>/t 777 0:0 0/0 0.0 0][3 c> 0 0:0 1/300 0.0 0]");
	}
}

static void before_its_end_it_has_not_ended(void **state)
{
	put(&(struct mvm_stream_entry){.type = MVM_STREAM_FILE, .name = "f", .size = 2});
	assert_int_equal(read_all(5), 0);
	assert_false(mvm_stream_ended(&reader));
}

static void an_op_that_fails_ends_it(void **state)
{
	put(&(struct mvm_stream_entry){.type = MVM_STREAM_FILE, .name = "f", .size = 2});
	put_data(0, "ab");
	put_end();
	for (int at = 1; at <= 3; at++) {
		fail_at = at;
		assert_int_equal(read_all(4096), -1);
		assert_null(reader.reason);
	}
}

static void content_stays_within_its_file(void **state)
{
	static const struct {
		uint64_t first, second;
		const char *text;
	} cases[] = {
		{0, 3, "ab"}, /* past the end */
		{0, UINT64_MAX, "ab"},
		{2, 1, "a"}, /* back */
		{5, 5, "a"},
	};

	for (size_t i = 0; i < MVM_COUNT(cases); i++) {
		stream.length = 0;
		put(&(struct mvm_stream_entry){.type = MVM_STREAM_FILE, .name = "f", .size = 4});
		put_data(cases[i].first, "a");
		put_data(cases[i].second, cases[i].text);
		assert_int_equal(read_all(4096), -1);
		assert_string_equal(reader.reason, "content is not within its file");
	}
	stream.length = 0;
	put(&(struct mvm_stream_entry){.type = MVM_STREAM_FOLDER, .name = "d", .size = 4});
	put_data(0, "a");
	assert_int_equal(read_all(4096), -1);
	assert_string_equal(reader.reason, "content is not within its file");
}

static void frames_come_in_order(void **state)
{
	put_data(0, "a");
	assert_int_equal(read_all(4096), -1);
	assert_string_equal(reader.reason, "content is not where it may be");
	stream.length = 0;
	put_end();
	put_end();
	assert_int_equal(read_all(4096), -1);
	assert_string_equal(reader.reason, "something follows the end");
}

static void an_entry_must_have_its_fields(void **state)
{
	static const struct {
		uint16_t tag;
		uint64_t value;
	} cases[] = {
		{MVM_FIELD_TYPE, '7'},	      {MVM_FIELD_TYPE, 0},
		{MVM_FIELD_MODE, 010000},     {MVM_FIELD_MTIME_NSEC, 1000000000},
		{MVM_FIELD_SIZE, 1ull << 63}, {MVM_FIELD_UID, 1ull << 32},
	};
	uint8_t frame[256];
	struct mvm_wire_writer writer;
	size_t length;

	for (size_t i = 0; i < MVM_COUNT(cases); i++) {
		mvm_wire_begin(&writer, frame, sizeof(frame), MVM_PROTO_ENTRY, 0);
		mvm_wire_put_u64(&writer, MVM_FIELD_TYPE, '0');
		mvm_wire_put_text(&writer, MVM_FIELD_NAME, "f");
		mvm_wire_put_u64(&writer, cases[i].tag, cases[i].value);
		assert_int_equal(mvm_wire_end(&writer, &length), 0);
		stream.length = 0;
		mvm_buf_add(&stream, frame, length);
		assert_int_equal(read_all(4096), -1);
		assert_string_equal(reader.reason, "a field of an entry is out of range");
	}
	mvm_wire_begin(&writer, frame, sizeof(frame), MVM_PROTO_ENTRY, 0);
	mvm_wire_put_u64(&writer, MVM_FIELD_TYPE, '2');
	mvm_wire_put_text(&writer, MVM_FIELD_NAME, "link without a target");
	assert_int_equal(mvm_wire_end(&writer, &length), 0);
	stream.length = 0;
	mvm_buf_add(&stream, frame, length);
	assert_int_equal(read_all(4096), -1);
	assert_string_equal(reader.reason, "an entry lacks a field");
}

static void what_is_too_long_is_the_senders_error(void **state)
{
	static uint8_t frame[MVM_STREAM_ENTRY_MAX];
	char name[MVM_STREAM_TEXT_MAX + 2];
	struct mvm_stream_entry entry = {.type = MVM_STREAM_FILE, .name = name};
	static char value[MVM_STREAM_ENTRY_MAX];
	const struct mvm_stream_xattr large = {"user.large", value, sizeof(value)};
	size_t length;

	memset(name, 'n', sizeof(name) - 1);
	name[sizeof(name) - 1] = '\0';
	assert_int_equal(mvm_stream_put_entry(&entry, frame, sizeof(frame), &length), -1);
	name[sizeof(name) - 2] = '\0';
	assert_int_equal(mvm_stream_put_entry(&entry, frame, sizeof(frame), &length), 0);
	entry.xattrs = &large;
	entry.xattr_count = 1;
	assert_int_equal(mvm_stream_put_entry(&entry, frame, sizeof(frame), &length), -1);
}

static void names_are_cleaned(void **state)
{
	static const struct {
		const char *name, *clean; /* NULL: refused */
	} cases[] = {
		{"a", "a"},	{"a/", "a"},	{"/a//b/", "a/b"}, {"./a/./b", "a/b"},	   {"", ""},
		{".", ""},	{"/", ""},	{"a/..", ""},	   {"a/../b", "b"},	   {"a/b/../../c", "c"},
		{"..", NULL},	{"../a", NULL}, {"a/../..", NULL}, {"/../a", NULL},	   {"a/../../b", NULL},
		{"..a", "..a"}, {"a..", "a.."}, {"...", "..."},	   {"a/.../b", "a/.../b"}, {"\xff/ ", "\xff/ "},
	};
	char clean[MVM_STREAM_TEXT_MAX + 1];
	char *longest MVM_CLEAN_FREE = mvm_alloc(2 * MVM_STREAM_TEXT_MAX);

	for (size_t i = 0; i < MVM_COUNT(cases); i++) {
		int rc = mvm_stream_clean_name(cases[i].name, clean);

		assert_int_equal(rc, cases[i].clean ? 0 : -1);
		if (cases[i].clean)
			assert_string_equal(clean, cases[i].clean);
	}
	memset(longest, 'n', MVM_STREAM_TEXT_MAX + 1);
	assert_int_equal(mvm_stream_clean_name(longest, clean), -1);
	longest[MVM_STREAM_TEXT_MAX] = '\0';
	assert_int_equal(mvm_stream_clean_name(longest, clean), 0);
}

#define STREAM_TEST(name) cmocka_unit_test_teardown(name, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		STREAM_TEST(whatever_the_pieces),
		STREAM_TEST(before_its_end_it_has_not_ended),
		STREAM_TEST(an_op_that_fails_ends_it),
		STREAM_TEST(content_stays_within_its_file),
		STREAM_TEST(frames_come_in_order),
		STREAM_TEST(an_entry_must_have_its_fields),
		STREAM_TEST(what_is_too_long_is_the_senders_error),
		STREAM_TEST(names_are_cleaned),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
