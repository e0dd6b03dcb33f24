/* Values as Go's fmt prints them. */
#include "internal.h"

#include <stdio.h>
#include <string.h>

void emit(struct mvm_buf *out, const void *data, size_t length)
{
	size_t room = MAX_OUTPUT - out->length;

	mvm_buf_add(out, data, length < room ? length : room);
}

void emit_text(struct mvm_buf *out, const char *text)
{
	emit(out, text, strlen(text));
}

static void emit_filling(struct mvm_buf *out, char c, size_t count)
{
	char filling[256];

	memset(filling, c, sizeof(filling));
	while (count && out->length < MAX_OUTPUT) {
		size_t piece = count < sizeof(filling) ? count : sizeof(filling);

		emit(out, filling, piece);
		count -= piece;
	}
}

const char *type_name(const json_t *value)
{
	switch (json_typeof(value)) {
	case JSON_OBJECT:
		return "map[string]interface {}";
	case JSON_ARRAY:
		return "[]interface {}";
	case JSON_STRING:
		return "string";
	case JSON_INTEGER:
		return "int";
	case JSON_REAL:
		return "float64";
	case JSON_TRUE:
	case JSON_FALSE:
		return "bool";
	case JSON_NULL:
		break;
	}
	return "<nil>";
}

static int by_text(const void *a, const void *b)
{
	return strcmp(*(const char *const *)a, *(const char *const *)b);
}

const char **sorted_keys(const json_t *object, size_t *count)
{
	size_t size = json_object_size(object), at = 0;
	const char **keys = mvm_alloc((size + 1) * sizeof(*keys)), *key;
	json_t *value;

	json_object_foreach((json_t *)object, key, value) keys[at++] = key;
	qsort(keys, at, sizeof(*keys), by_text);
	*count = at;
	return keys;
}

/* "%-08.3d": what stands between % and the letter. */
struct verb {
	bool minus, plus, sharp, space, zero;
	size_t width;
	int precision; /* -1: none */
	char letter;
};

static const struct verb plain = {.precision = -1, .letter = 'v'};

/* As many characters wide as asked for. */
static void emit_padded(struct mvm_buf *out, const struct verb *verb, const char *text, size_t length)
{
	size_t width = 0, filling;
	bool number = verb->zero && !verb->minus && length && strchr("+- ", *text);

	for (size_t i = 0; i < length; i++)
		width += ((unsigned char)text[i] & 0xc0) != 0x80;
	filling = verb->width > width ? verb->width - width : 0;
	if (!verb->minus && !verb->zero)
		emit_filling(out, ' ', filling);
	if (number)
		emit(out, text++, 1);
	if (!verb->minus && verb->zero)
		emit_filling(out, '0', filling);
	emit(out, text, length - number);
	if (verb->minus)
		emit_filling(out, ' ', filling);
}

static void emit_value_as(struct mvm_buf *out, const struct verb *verb, const json_t *value);

/* "%!d(string=x)": the letter does not fit the value. */
static void emit_misfit(struct mvm_buf *out, const struct verb *verb, const json_t *value)
{
	emit_text(out, "%!");
	emit(out, &verb->letter, 1);
	emit_text(out, "(");
	emit_text(out, type_name(value));
	if (!json_is_null(value)) {
		emit_text(out, "=");
		emit_value(out, value);
	}
	emit_text(out, ")");
}

static void quote(struct mvm_buf *out, const char *text, size_t length)
{
	static const char plain_ones[] = "\a\b\f\n\r\t\v\\\"", letters[] = "abfnrtv\\\"";

	mvm_buf_add(out, "\"", 1);
	for (size_t i = 0; i < length; i++) {
		const char *found = text[i] ? strchr(plain_ones, text[i]) : NULL;

		if (found)
			mvm_buf_addf(out, "\\%c", letters[found - plain_ones]);
		else if ((unsigned char)text[i] < ' ' || text[i] == 127)
			mvm_buf_addf(out, "\\x%02x", (unsigned)(unsigned char)text[i]);
		else
			mvm_buf_add(out, &text[i], 1);
	}
	mvm_buf_add(out, "\"", 1);
}

static void emit_string(struct mvm_buf *out, const struct verb *verb, const json_t *value)
{
	const char *text = json_string_value(value);
	size_t length = json_string_length(value), characters = 0;
	struct mvm_buf other MVM_CLEAN_BUF = {0};

	for (size_t i = 0; verb->precision >= 0 && i < length; i++) {
		characters += ((unsigned char)text[i] & 0xc0) != 0x80;
		if (characters > (size_t)verb->precision)
			length = i;
	}
	switch (verb->letter) {
	case 's':
	case 'v':
		if (verb->letter == 's' || !verb->sharp) {
			emit_padded(out, verb, text, length);
			return;
		}
		/* fallthrough */
	case 'q':
		quote(&other, text, length);
		break;
	case 'x':
	case 'X':
		for (size_t i = 0; i < length; i++)
			mvm_buf_addf(&other, verb->letter == 'x' ? "%02x" : "%02X", (unsigned)(unsigned char)text[i]);
		break;
	default:
		emit_misfit(out, verb, value);
		return;
	}
	emit_padded(out, verb, other.data ? other.data : "", other.length);
}

/* A number in C's notation for it. */
static void c_format(const struct verb *verb, const char *conversion, char *format, size_t size)
{
	char precision[16] = "";

	if (verb->precision >= 0)
		snprintf(precision, sizeof(precision), ".%d", verb->precision);
	snprintf(format, size, "%%%s%s%s%s%s", verb->plus ? "+" : "", verb->space ? " " : "", verb->sharp ? "#" : "",
		 precision, conversion);
}

static void emit_integer(struct mvm_buf *out, const struct verb *verb, const json_t *value)
{
	json_int_t number = json_integer_value(value);
	char format[40], text[256], conversion[] = "lld";

	switch (verb->letter) {
	case 'v':
	case 'd':
		break;
	case 'x':
	case 'X':
	case 'o':
		conversion[2] = verb->letter;
		break;
	case 'c':
		if (number > 0 && number < 128) {
			emit_padded(out, verb, &(char){(char)number}, 1);
			return;
		}
		/* fallthrough */
	default:
		emit_misfit(out, verb, value);
		return;
	}
	c_format(verb, conversion, format, sizeof(format));
	/* A sign is C's for decimals only. */
	if (verb->letter == 'x' || verb->letter == 'X' || verb->letter == 'o') {
		bool negative = number < 0;

		*text = '-';
		snprintf(text + negative, sizeof(text) - 1, format,
			 negative ? 0 - (unsigned long long)number : (unsigned long long)number);
	} else {
		snprintf(text, sizeof(text), format, (long long)number);
	}
	emit_padded(out, verb, text, strlen(text));
}

/* The fewest digits that read as the same number; with an exponent where it is below -4 or above 20. */
static void shortest(double number, char *text, size_t size)
{
	int digits = 0, exponent;

	do
		snprintf(text, size, "%.*e", digits, number);
	while (strtod(text, NULL) != number && ++digits < 17);
	if (!strchr(text, 'e'))
		return;
	exponent = atoi(strchr(text, 'e') + 1);
	if (exponent >= -4 && exponent < 21)
		snprintf(text, size, "%.*f", digits > exponent ? digits - exponent : 0, number);
}

static void emit_real(struct mvm_buf *out, const struct verb *verb, const json_t *value)
{
	char format[40], text[512], conversion[] = {verb->letter, '\0'};

	if (!strchr("vgGeEfF", verb->letter)) {
		emit_misfit(out, verb, value);
		return;
	}
	if (verb->precision < 0 && strchr("vgG", verb->letter)) {
		shortest(json_real_value(value), text, sizeof(text));
	} else {
		if (verb->letter == 'v')
			*conversion = 'g';
		c_format(verb, conversion, format, sizeof(format));
		snprintf(text, sizeof(text), format, json_real_value(value));
	}
	emit_padded(out, verb, text, strlen(text));
}

static void emit_list(struct mvm_buf *out, const struct verb *verb, const json_t *value)
{
	for (size_t i = 0; i < json_array_size(value); i++) {
		emit_text(out, i ? " " : "[");
		emit_value_as(out, verb, json_array_get(value, i));
	}
	emit_text(out, json_array_size(value) ? "]" : "[]");
}

static void emit_object(struct mvm_buf *out, const struct verb *verb, const json_t *value)
{
	size_t count;
	const char **keys MVM_CLEAN_FREE = sorted_keys(value, &count);

	emit_text(out, "map[");
	for (size_t i = 0; i < count; i++) {
		json_t *key MVM_CLEAN_JSON = json_string(keys[i]);

		emit_text(out, i ? " " : "");
		emit_value_as(out, verb, key);
		emit_text(out, ":");
		emit_value_as(out, verb, json_object_get(value, keys[i]));
	}
	emit_text(out, "]");
}

static void emit_value_as(struct mvm_buf *out, const struct verb *verb, const json_t *value)
{
	const char *text = json_is_true(value) ? "true" : "false";

	switch (json_typeof(value)) {
	case JSON_OBJECT:
		emit_object(out, verb, value);
		return;
	case JSON_ARRAY:
		emit_list(out, verb, value);
		return;
	case JSON_STRING:
		emit_string(out, verb, value);
		return;
	case JSON_INTEGER:
		emit_integer(out, verb, value);
		return;
	case JSON_REAL:
		emit_real(out, verb, value);
		return;
	case JSON_NULL:
		text = "<nil>";
		/* fallthrough */
	case JSON_TRUE:
	case JSON_FALSE:
		if (verb->letter == 'v' || (verb->letter == 't' && !json_is_null(value)))
			emit_padded(out, verb, text, strlen(text));
		else
			emit_misfit(out, verb, value);
	}
}

void emit_value(struct mvm_buf *out, const json_t *value)
{
	emit_value_as(out, &plain, value);
}

/* Decimal digits, up to Go's largest. */
static size_t read_number(const char **at, const char *end)
{
	size_t number = 0;

	for (; *at < end && **at >= '0' && **at <= '9'; ++*at)
		number = number < 1000000 ? number * 10 + (size_t)(**at - '0') : number;
	return number > 1000000 ? 0 : number;
}

/* Past the %; false where no letter comes. */
static bool read_verb(const char **at, const char *end, struct verb *verb)
{
	*verb = plain;
	for (; *at < end && **at && strchr("-+# 0", **at); ++*at) {
		verb->minus |= **at == '-';
		verb->plus |= **at == '+';
		verb->sharp |= **at == '#';
		verb->space |= **at == ' ';
		verb->zero |= **at == '0';
	}
	verb->width = read_number(at, end);
	if (*at < end && **at == '.') {
		size_t precision;

		++*at;
		precision = read_number(at, end);
		/* Of numbers, no more digits than fit what they are written into. */
		verb->precision = precision < 100 ? (int)precision : 100;
	}
	if (*at == end)
		return false;
	verb->letter = *(*at)++;
	return true;
}

void emit_formatted(struct mvm_buf *out, const char *format, size_t length, json_t *const *args, size_t count)
{
	const char *at = format, *end = format + length;
	size_t used = 0;

	while (at < end) {
		const char *percent = memchr(at, '%', (size_t)(end - at));
		struct verb verb;

		emit(out, at, (size_t)((percent ? percent : end) - at));
		if (!percent)
			break;
		at = percent + 1;
		if (!read_verb(&at, end, &verb))
			emit_text(out, "%!(NOVERB)");
		else if (verb.letter == '%')
			emit_text(out, "%");
		else if (used < count)
			emit_value_as(out, &verb, args[used++]);
		else {
			emit_text(out, "%!");
			emit(out, &verb.letter, 1);
			emit_text(out, "(MISSING)");
		}
	}
	for (size_t i = used; i < count; i++) {
		emit_text(out, i == used ? "%!(EXTRA " : ", ");
		emit_text(out, type_name(args[i]));
		if (!json_is_null(args[i])) {
			emit_text(out, "=");
			emit_value(out, args[i]);
		}
		emit_text(out, i + 1 == count ? ")" : "");
	}
}
