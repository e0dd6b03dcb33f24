/* The functions of templates: Go's own, and docker's. */
#include "internal.h"

#include <ctype.h>
#include <string.h>

bool value_is_true(const json_t *value)
{
	switch (json_typeof(value)) {
	case JSON_OBJECT:
		return json_object_size(value) > 0;
	case JSON_ARRAY:
		return json_array_size(value) > 0;
	case JSON_STRING:
		return json_string_length(value) > 0;
	case JSON_INTEGER:
		return json_integer_value(value) != 0;
	case JSON_REAL:
		return json_real_value(value) < 0 || json_real_value(value) > 0;
	case JSON_TRUE:
		return true;
	case JSON_FALSE:
	case JSON_NULL:
		break;
	}
	return false;
}

/* Any bytes: a text that was cut need not be UTF-8. */
static int give(json_t **result, struct mvm_buf *text)
{
	*result = json_stringn_nocheck(text->data ? text->data : "", text->length);
	return 0;
}

static int check_type(const json_t *value, json_type type, const char *expected, struct mvm_error **err)
{
	if (json_typeof(value) == type)
		return 0;
	return mvm_fail(err, MVM_ERR_INVALID, "wrong type for value; expected %s; got %s", expected, type_name(value));
}

static int check_string(const json_t *value, struct mvm_error **err)
{
	return check_type(value, JSON_STRING, "string", err);
}

static int check_number(const json_t *value, struct mvm_error **err)
{
	return check_type(value, JSON_INTEGER, "int", err);
}

static int run_not(const struct function_call *call, json_t **result, struct mvm_error **err)
{
	*result = json_boolean(!value_is_true(call->args[0]));
	return 0;
}

static bool is_plain(const json_t *value)
{
	return !json_is_object(value) && !json_is_array(value);
}

static bool same_type(const json_t *a, const json_t *b)
{
	return json_typeof(a) == json_typeof(b) || (json_is_boolean(a) && json_is_boolean(b));
}

/* 1: equal. Nothing is equal to nothing, and to no value. */
static int compare_equal(const json_t *a, const json_t *b, struct mvm_error **err)
{
	if (!is_plain(a) || !is_plain(b))
		return mvm_fail(err, MVM_ERR_INVALID, "non-comparable type %s", type_name(is_plain(a) ? b : a));
	if (!same_type(a, b) && !json_is_null(a) && !json_is_null(b))
		return mvm_fail(err, MVM_ERR_INVALID, "incompatible types for comparison");
	return json_equal(a, b);
}

static int run_eq(const struct function_call *call, json_t **result, struct mvm_error **err)
{
	int equal = 0;

	for (size_t i = 1; i < call->count && !equal; i++)
		if ((equal = compare_equal(call->args[0], call->args[i], err)) < 0)
			return -1;
	*result = json_boolean(equal);
	return 0;
}

static int run_ne(const struct function_call *call, json_t **result, struct mvm_error **err)
{
	int equal = compare_equal(call->args[0], call->args[1], err);

	*result = equal < 0 ? NULL : json_boolean(!equal);
	return equal < 0 ? -1 : 0;
}

static int compare_strings(const json_t *a, const json_t *b)
{
	size_t length = json_string_length(a), other = json_string_length(b);
	int order = memcmp(json_string_value(a), json_string_value(b), length < other ? length : other);

	return order ? order : (length > other) - (length < other);
}

/* *order is below, at or above zero. */
static int compare_order(const json_t *a, const json_t *b, int *order, struct mvm_error **err)
{
	if ((!json_is_number(a) && !json_is_string(a)) || (!json_is_number(b) && !json_is_string(b)))
		return mvm_fail(err, MVM_ERR_INVALID, "invalid type for comparison");
	if (!same_type(a, b))
		return mvm_fail(err, MVM_ERR_INVALID, "incompatible types for comparison");
	if (json_is_string(a))
		*order = compare_strings(a, b);
	else if (json_is_integer(a))
		*order = (json_integer_value(a) > json_integer_value(b)) -
			 (json_integer_value(a) < json_integer_value(b));
	else
		*order = (json_real_value(a) > json_real_value(b)) - (json_real_value(a) < json_real_value(b));
	return 0;
}

#define ORDER(name, condition)                                                                                         \
	static int run_##name(const struct function_call *call, json_t **result, struct mvm_error **err)               \
	{                                                                                                              \
		int order;                                                                                             \
                                                                                                                       \
		if (compare_order(call->args[0], call->args[1], &order, err) < 0)                                      \
			return -1;                                                                                     \
		*result = json_boolean(order condition 0);                                                             \
		return 0;                                                                                              \
	}

ORDER(lt, <)
ORDER(le, <=)
ORDER(gt, >)
ORDER(ge, >=)

static int check_index(const json_t *index, size_t length, bool end, struct mvm_error **err)
{
	json_int_t at = json_integer_value(index);

	if (!json_is_integer(index))
		return mvm_fail(err, MVM_ERR_INVALID, "cannot index slice/array with type %s", type_name(index));
	if (at < 0 || (size_t)at >= length + end)
		return mvm_fail(err, MVM_ERR_INVALID, "index out of range: %lld", (long long)at);
	return 0;
}

/* A key that is not there gives the empty value of what the others are: for labels "". */
static json_t *missing_value(const json_t *object)
{
	const char *key;
	json_t *value;

	json_object_foreach((json_t *)object, key, value)
	{
		if (!json_is_string(value))
			return json_null();
	}
	return json_string("");
}

static json_t *index_object(const json_t *object, const json_t *key)
{
	json_t *found = json_object_get(object, json_string_value(key));

	return found ? json_incref(found) : missing_value(object);
}

static int index_once(const json_t *value, const json_t *index, json_t **result, struct mvm_error **err)
{
	if (json_is_object(value)) {
		if (check_string(index, err) < 0)
			return -1;
		*result = index_object(value, index);
	} else if (json_is_array(value)) {
		if (check_index(index, json_array_size(value), false, err) < 0)
			return -1;
		*result = json_incref(json_array_get(value, (size_t)json_integer_value(index)));
	} else if (json_is_string(value)) {
		if (check_index(index, json_string_length(value), false, err) < 0)
			return -1;
		*result = json_integer((unsigned char)json_string_value(value)[json_integer_value(index)]);
	} else {
		return json_is_null(value)
			       ? mvm_fail(err, MVM_ERR_INVALID, "index of untyped nil")
			       : mvm_fail(err, MVM_ERR_INVALID, "can't index item of type %s", type_name(value));
	}
	return 0;
}

static int run_index(const struct function_call *call, json_t **result, struct mvm_error **err)
{
	json_t *value MVM_CLEAN_JSON = json_incref(call->args[0]);

	for (size_t i = 1; i < call->count; i++) {
		json_t *next = NULL;

		if (index_once(value, call->args[i], &next, err) < 0)
			return -1;
		json_decref(value);
		value = next;
	}
	*result = json_incref(value);
	return 0;
}

static size_t length_of(const json_t *value)
{
	if (json_is_object(value))
		return json_object_size(value);
	return json_is_array(value) ? json_array_size(value) : json_string_length(value);
}

static int run_len(const struct function_call *call, json_t **result, struct mvm_error **err)
{
	const json_t *value = call->args[0];

	if (is_plain(value) && !json_is_string(value))
		return json_is_null(value) ? mvm_fail(err, MVM_ERR_INVALID, "len of nil pointer")
					   : mvm_fail(err, MVM_ERR_INVALID, "len of type %s", type_name(value));
	*result = json_integer((json_int_t)length_of(value));
	return 0;
}

static int run_slice(const struct function_call *call, json_t **result, struct mvm_error **err)
{
	const json_t *value = call->args[0];
	size_t length = length_of(value), from = 0, to = length;

	if (!json_is_string(value) && !json_is_array(value))
		return mvm_fail(err, MVM_ERR_INVALID, "can't slice item of type %s", type_name(value));
	for (size_t i = 1; i < call->count; i++)
		if (check_index(call->args[i], length, true, err) < 0)
			return -1;
	if (call->count > 1)
		from = (size_t)json_integer_value(call->args[1]);
	if (call->count > 2)
		to = (size_t)json_integer_value(call->args[2]);
	if (from > to)
		return mvm_fail(err, MVM_ERR_INVALID, "invalid slice index: %zu > %zu", from, to);
	if (json_is_string(value)) {
		*result = json_stringn_nocheck(json_string_value(value) + from, to - from);
		return 0;
	}
	*result = json_array();
	for (size_t i = from; i < to; i++)
		json_array_append(*result, json_array_get(value, i));
	return 0;
}

/* With blanks between two that are both no strings. */
static int run_print(const struct function_call *call, json_t **result, struct mvm_error **err)
{
	struct mvm_buf text MVM_CLEAN_BUF = {0};

	for (size_t i = 0; i < call->count; i++) {
		if (i && !json_is_string(call->args[i]) && !json_is_string(call->args[i - 1]))
			emit_text(&text, " ");
		emit_value(&text, call->args[i]);
	}
	return give(result, &text);
}

static int run_println(const struct function_call *call, json_t **result, struct mvm_error **err)
{
	struct mvm_buf text MVM_CLEAN_BUF = {0};

	for (size_t i = 0; i < call->count; i++) {
		emit_text(&text, i ? " " : "");
		emit_value(&text, call->args[i]);
	}
	emit_text(&text, "\n");
	return give(result, &text);
}

static int run_printf(const struct function_call *call, json_t **result, struct mvm_error **err)
{
	struct mvm_buf text MVM_CLEAN_BUF = {0};

	if (check_string(call->args[0], err) < 0)
		return -1;
	emit_formatted(&text, json_string_value(call->args[0]), json_string_length(call->args[0]), call->args + 1,
		       call->count - 1);
	return give(result, &text);
}

static int run_json(const struct function_call *call, json_t **result, struct mvm_error **err)
{
	const json_t *value = call->args[0];
	/* A text that was cut in the middle of a character. */
	json_t *clean MVM_CLEAN_JSON = json_is_string(value) ? mvm_json_message(json_string_value(value)) : NULL;
	char *text MVM_CLEAN_FREE = NULL;

	if (call->headings) {
		*result = json_incref(call->args[0]);
		return 0;
	}
	text = json_dumps(clean ? clean : value, JSON_COMPACT | JSON_ENCODE_ANY);
	if (!text)
		return mvm_fail(err, MVM_ERR_INVALID, "a text that is not UTF-8");
	*result = json_string(text);
	return 0;
}

static int run_join(const struct function_call *call, json_t **result, struct mvm_error **err)
{
	struct mvm_buf text MVM_CLEAN_BUF = {0};
	const json_t *list = call->args[0], *between = call->args[1];

	if ((!json_is_null(list) && check_type(list, JSON_ARRAY, "[]string", err) < 0) ||
	    check_string(between, err) < 0)
		return -1;
	for (size_t i = 0; i < json_array_size(list); i++) {
		const json_t *part = json_array_get(list, i);

		if (check_string(part, err) < 0)
			return -1;
		emit(&text, json_string_value(between), i ? json_string_length(between) : 0);
		emit(&text, json_string_value(part), json_string_length(part));
	}
	return give(result, &text);
}

/* The first byte of the next `between`; `end` where there is none. An empty one stands after each character. */
static const char *find_part_end(const char *at, const char *end, const json_t *between)
{
	size_t length = json_string_length(between);
	const char *found;

	if (!length) {
		for (at++; at < end && ((unsigned char)*at & 0xc0) == 0x80; at++)
			;
		return at;
	}
	found = memmem(at, (size_t)(end - at), json_string_value(between), length);
	return found ? found : end;
}

static int run_split(const struct function_call *call, json_t **result, struct mvm_error **err)
{
	json_t *parts MVM_CLEAN_JSON = json_array();
	const json_t *between = call->args[1];
	const char *at, *end;

	if (check_string(call->args[0], err) < 0 || check_string(between, err) < 0)
		return -1;
	at = json_string_value(call->args[0]);
	end = at + json_string_length(call->args[0]);
	if (at == end && !json_string_length(between))
		at = NULL;
	while (at) {
		const char *stop = find_part_end(at, end, between);

		if (json_array_size(parts) == MAX_PARTS)
			return mvm_fail(err, MVM_ERR_INVALID, "more than %d parts", MAX_PARTS);
		json_array_append_new(parts, json_stringn_nocheck(at, (size_t)(stop - at)));
		at = stop == end ? NULL : stop + json_string_length(between);
	}
	*result = json_incref(parts);
	return 0;
}

enum letters { LETTERS_LOWER, LETTERS_UPPER, LETTERS_TITLE };

static int change_letters(const struct function_call *call, enum letters letters, json_t **result,
			  struct mvm_error **err)
{
	struct mvm_buf text MVM_CLEAN_BUF = {0};
	bool in_word = false;

	if (check_string(call->args[0], err) < 0)
		return -1;
	emit(&text, json_string_value(call->args[0]), json_string_length(call->args[0]));
	for (size_t i = 0; i < text.length && !call->headings; i++) {
		unsigned char c = (unsigned char)text.data[i];

		if (letters == LETTERS_LOWER && c < 0x80)
			text.data[i] = (char)tolower(c);
		else if (c < 0x80 && (letters == LETTERS_UPPER || !in_word))
			text.data[i] = (char)toupper(c);
		in_word = isalnum(c) || c == '_' || c >= 0x80;
	}
	return give(result, &text);
}

static int run_lower(const struct function_call *call, json_t **result, struct mvm_error **err)
{
	return change_letters(call, LETTERS_LOWER, result, err);
}

static int run_upper(const struct function_call *call, json_t **result, struct mvm_error **err)
{
	return change_letters(call, LETTERS_UPPER, result, err);
}

static int run_title(const struct function_call *call, json_t **result, struct mvm_error **err)
{
	return change_letters(call, LETTERS_TITLE, result, err);
}

/* pad TEXT BEFORE AFTER: so many blanks; none around nothing. */
static int run_pad(const struct function_call *call, json_t **result, struct mvm_error **err)
{
	struct mvm_buf text MVM_CLEAN_BUF = {0};

	if (check_string(call->args[0], err) < 0 || check_number(call->args[1], err) < 0 ||
	    check_number(call->args[2], err) < 0)
		return -1;
	for (int i = 1; i < 3; i++)
		if (json_integer_value(call->args[i]) < 0 || json_integer_value(call->args[i]) > MAX_OUTPUT)
			return mvm_fail(err, MVM_ERR_INVALID, "cannot pad with %lld blanks",
					(long long)json_integer_value(call->args[i]));
	if (!json_string_length(call->args[0]))
		return give(result, &text);
	for (json_int_t i = json_integer_value(call->args[1]); i > 0; i--)
		emit_text(&text, " ");
	emit(&text, json_string_value(call->args[0]), json_string_length(call->args[0]));
	for (json_int_t i = json_integer_value(call->args[2]); i > 0; i--)
		emit_text(&text, " ");
	return give(result, &text);
}

/* truncate TEXT LENGTH: bytes, as docker counts. */
static int run_truncate(const struct function_call *call, json_t **result, struct mvm_error **err)
{
	size_t length;

	if (check_string(call->args[0], err) < 0 || check_number(call->args[1], err) < 0)
		return -1;
	if (json_integer_value(call->args[1]) < 0)
		return mvm_fail(err, MVM_ERR_INVALID, "slice bounds out of range [:%lld]",
				(long long)json_integer_value(call->args[1]));
	length = json_string_length(call->args[0]);
	if (!call->headings && (size_t)json_integer_value(call->args[1]) < length)
		length = (size_t)json_integer_value(call->args[1]);
	*result = json_stringn_nocheck(json_string_value(call->args[0]), length);
	return 0;
}

static const struct function functions[] = {
	{"and", 1, SIZE_MAX, NULL},
	{"or", 1, SIZE_MAX, NULL},
	{"not", 1, 1, run_not},
	{"eq", 2, SIZE_MAX, run_eq},
	{"ne", 2, 2, run_ne},
	{"lt", 2, 2, run_lt},
	{"le", 2, 2, run_le},
	{"gt", 2, 2, run_gt},
	{"ge", 2, 2, run_ge},
	{"index", 1, SIZE_MAX, run_index},
	{"slice", 1, 3, run_slice},
	{"len", 1, 1, run_len},
	{"print", 0, SIZE_MAX, run_print},
	{"printf", 1, SIZE_MAX, run_printf},
	{"println", 0, SIZE_MAX, run_println},
	{"json", 1, 1, run_json},
	{"join", 2, 2, run_join},
	{"split", 2, 2, run_split},
	{"lower", 1, 1, run_lower},
	{"upper", 1, 1, run_upper},
	{"title", 1, 1, run_title},
	{"pad", 3, 3, run_pad},
	{"truncate", 2, 2, run_truncate},
};

const struct function *function_find(const char *name)
{
	for (size_t i = 0; i < MVM_COUNT(functions); i++)
		if (!strcmp(functions[i].name, name))
			return &functions[i];
	return NULL;
}
