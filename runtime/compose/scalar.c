/*
 * Scalars: YAML 1.2's core schema (https://yaml.org/spec/1.2.2/#103-core-schema), with what Go's YAML reader, and so
 * docker compose, takes besides: numbers with "_" between digits, 017 and 0b11.
 */
#include "node.h"

#include <ctype.h>
#include <errno.h>
#include <float.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

static bool is_one_of(const char *text, const char *const *words)
{
	for (; *words; words++)
		if (!strcmp(text, *words))
			return true;
	return false;
}

#define WORDS(...)                                                                                                     \
	(const char *const[])                                                                                          \
	{                                                                                                              \
		__VA_ARGS__, NULL                                                                                      \
	}

/* Whole text in that base, where digits follow the prefix. */
static bool read_digits(const char *text, int base, bool negative, int64_t *value)
{
	uint64_t limit = negative ? (uint64_t)INT64_MAX + 1 : INT64_MAX, sum;
	char *end;

	if (!isalnum((unsigned char)*text))
		return false;
	errno = 0;
	sum = strtoull(text, &end, base);
	if (errno || *end || sum > limit)
		return false;
	*value = negative ? (int64_t)(0 - sum) : (int64_t)sum;
	return true;
}

static bool read_int(const char *text, int64_t *value)
{
	bool negative = *text == '-';
	int base = 10;

	if (*text == '-' || *text == '+')
		text++;
	if (!isdigit((unsigned char)*text))
		return false;
	if (*text == '0' && text[1]) {
		char letter = (char)tolower((unsigned char)text[1]);

		base = letter == 'x' ? 16 : letter == 'b' ? 2 : 8;
		text += letter == 'x' || letter == 'b' || letter == 'o' ? 2 : 1;
	}
	return read_digits(text, base, negative, value);
}

static const char *skip_digits(const char *text)
{
	while (isdigit((unsigned char)*text))
		text++;
	return text;
}

/* [-+]? ( \. [0-9]+ | [0-9]+ ( \. [0-9]* )? ) ( [eE] [-+]? [0-9]+ )? */
static bool looks_real(const char *text)
{
	const char *at = text + (*text == '-' || *text == '+'), *end;

	end = skip_digits(at);
	if (*end == '.') {
		const char *fraction = skip_digits(end + 1);

		if (end == at && fraction == end + 1)
			return false;
		end = fraction;
	} else if (end == at) {
		return false;
	}
	if (*end == 'e' || *end == 'E') {
		at = end + 1 + (end[1] == '-' || end[1] == '+');
		end = skip_digits(at);
		if (end == at)
			return false;
	}
	return !*end;
}

static bool read_real(const char *text, double *value)
{
	if (is_one_of(text, WORDS(".inf", ".Inf", ".INF", "+.inf", "+.Inf", "+.INF")))
		*value = INFINITY;
	else if (is_one_of(text, WORDS("-.inf", "-.Inf", "-.INF")))
		*value = -INFINITY;
	else if (is_one_of(text, WORDS(".nan", ".NaN", ".NAN")))
		*value = NAN;
	else if (looks_real(text))
		*value = strtod(text, NULL);
	else
		return false;
	return true;
}

static bool read_number(struct node *node, const char *text)
{
	char *plain MVM_CLEAN_FREE = mvm_strdup(text), *to = plain;

	for (const char *from = text; *from; from++)
		if (*from != '_')
			*to++ = *from;
	*to = '\0';
	if (read_int(plain, &node->integer))
		node->kind = NODE_INT;
	else if (read_real(plain, &node->real))
		node->kind = NODE_FLOAT;
	else
		return false;
	return true;
}

void node_resolve(struct node *node, const char *text)
{
	node->kind = NODE_STRING;
	if (is_one_of(text, WORDS("", "~", "null", "Null", "NULL"))) {
		node->kind = NODE_NULL;
	} else if (is_one_of(text, WORDS("true", "True", "TRUE", "false", "False", "FALSE"))) {
		node->kind = NODE_BOOL;
		node->truth = tolower((unsigned char)*text) == 't';
	} else if (isdigit((unsigned char)*text) || (*text && strchr("+-.", *text))) {
		(void)read_number(node, text);
	}
}

/* YAML 1.1's numbers to the base of 60: "22:30", [-+]?[0-9][0-9_]*(:[0-5]?[0-9])+(\.[0-9_]*)? */
static bool is_sexagesimal(const char *text)
{
	if (*text == '-' || *text == '+')
		text++;
	if (!isdigit((unsigned char)*text))
		return false;
	text += strspn(text, "0123456789_");
	if (*text != ':')
		return false;
	while (*text == ':') {
		const char *end = skip_digits(++text);

		if (end == text || end - text > 2 || (end - text == 2 && *text > '5'))
			return false;
		text = end;
	}
	if (*text == '.')
		text += 1 + strspn(text + 1, "0123456789_");
	return !*text;
}

/* YAML's timestamps begin with a date; a string that does is quoted. */
static bool is_date(const char *text)
{
	const char *end = skip_digits(text), *month = end + 1, *day;

	if (end - text != 4 || *end != '-')
		return false;
	end = skip_digits(month);
	day = end + 1;
	if (end == month || end - month > 2 || *end != '-')
		return false;
	end = skip_digits(day);
	return end > day && end - day <= 2 && (!*end || *end == 'T' || *end == 't' || *end == ' ');
}

bool text_is_ambiguous(const char *text)
{
	struct node node = {0};

	node_resolve(&node, text);
	return node.kind != NODE_STRING || is_sexagesimal(text) || is_date(text) || !strcmp(text, "<<") ||
	       is_one_of(text, WORDS("y", "Y", "yes", "Yes", "YES", "on", "On", "ON", "n", "N", "no", "No", "NO", "off",
				     "Off", "OFF"));
}

/* Digits and exponent of %e as Go's 'g' writes them: plain from 1e-4 to 1e21. */
static char *lay_out(const char *scientific)
{
	struct mvm_buf out = {0};
	const char *mark = strchr(scientific, 'e'), *at = scientific;
	long exponent = strtol(mark + 1, NULL, 10);
	char digits[40] = "0";
	size_t count = 0;

	if (*at == '-')
		mvm_buf_add(&out, at++, 1);
	for (; at < mark; at++)
		if (*at != '.')
			digits[count++] = *at;
	while (count > 1 && digits[count - 1] == '0')
		count--;
	if (exponent < -4 || exponent >= 21) {
		mvm_buf_addf(&out, "%c%s%.*se%c%02ld", *digits, count > 1 ? "." : "", (int)count - 1, digits + 1,
			     exponent < 0 ? '-' : '+', labs(exponent));
		return mvm_buf_steal(&out);
	}
	if (exponent < 0)
		mvm_buf_addf(&out, "0.%0*d", (int)-exponent - 1, 0);
	if (exponent == -1)
		out.data[--out.length] = '\0';
	for (long i = 0; i < (long)count || i <= exponent; i++) {
		if (i == exponent + 1 && exponent >= 0)
			mvm_buf_add(&out, ".", 1);
		mvm_buf_add(&out, i < (long)count ? &digits[i] : "0", 1);
	}
	return mvm_buf_steal(&out);
}

char *format_real(double value, bool single)
{
	char text[40];

	if (isnan(value))
		return mvm_strdup("NaN");
	if (isinf(value))
		return mvm_strdup(value < 0 ? "-Inf" : "+Inf");
	if (value == 0)
		return mvm_strdup("0");
	for (int precision = 0; precision < DBL_DECIMAL_DIG; precision++) {
		snprintf(text, sizeof(text), "%.*e", precision, value);
		if (single ? strtof(text, NULL) == (float)value : strtod(text, NULL) == value)
			break;
	}
	return lay_out(text);
}

char *node_to_text(const struct node *node)
{
	switch (node->kind) {
	case NODE_BOOL:
		return mvm_strdup(node->truth ? "true" : "false");
	case NODE_INT:
		return mvm_format("%lld", (long long)node->integer);
	case NODE_FLOAT:
		return format_real(node->real, node->single);
	case NODE_STRING:
		return mvm_strdup(node->text);
	case NODE_NULL:
	case NODE_LIST:
	case NODE_MAP:
		break;
	}
	return mvm_strdup("");
}
