#include "internal.h"

#include <ctype.h>
#include <errno.h>
#include <math.h>
#include <stdarg.h>
#include <string.h>

bool is_blank(char c)
{
	return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

/* Letters of other alphabets are letters too. */
static bool is_word(char c)
{
	return isalnum((unsigned char)c) || c == '_' || (unsigned char)c >= 0x80;
}

int lexer_fail(const struct lexer *lexer, size_t at, struct mvm_error **err, const char *format, ...)
{
	char *message MVM_CLEAN_FREE = NULL;
	size_t line = 1;
	va_list args;

	for (size_t i = 0; i < at && i < lexer->length; i++)
		line += lexer->text[i] == '\n';
	va_start(args, format);
	message = mvm_vformat(format, args);
	va_end(args);
	return mvm_fail(err, MVM_ERR_INVALID, "template parsing error: template: :%zu: %s", line, message);
}

/* '\0' past the end. */
static char peek(const struct lexer *lexer, size_t ahead)
{
	return lexer->at + ahead < lexer->length ? lexer->text[lexer->at + ahead] : '\0';
}

static bool at_text(const struct lexer *lexer, const char *text)
{
	size_t length = strlen(text);

	return lexer->length - lexer->at >= length && !memcmp(lexer->text + lexer->at, text, length);
}

static void skip_word(struct lexer *lexer)
{
	while (is_word(peek(lexer, 0)))
		lexer->at++;
}

/* What may follow a field, a variable or a word. */
static int check_terminator(struct lexer *lexer, struct mvm_error **err)
{
	char c = peek(lexer, 0);

	if (lexer->at == lexer->length || is_blank(c) || strchr(".,|:=()", c) || at_text(lexer, "}}"))
		return 0;
	return lexer_fail(lexer, lexer->at, err, "bad character U+%04X '%c'", (unsigned)(unsigned char)c, c);
}

static int lex_quoted(struct lexer *lexer, char quote, struct mvm_error **err)
{
	const char *what = quote == '\'' ? "unterminated character constant" : "unterminated quoted string";
	size_t start = lexer->at++;

	for (; lexer->at < lexer->length; lexer->at++) {
		char c = lexer->text[lexer->at];

		if (c == '\n')
			break;
		if (c == '\\' && peek(lexer, 1) && peek(lexer, 1) != '\n')
			lexer->at++;
		else if (c == quote) {
			lexer->at++;
			return 0;
		}
	}
	return lexer_fail(lexer, start, err, "%s", what);
}

static int lex_raw(struct lexer *lexer, struct mvm_error **err)
{
	const char *from = lexer->text + lexer->at + 1;
	const char *end = memchr(from, '`', lexer->length - lexer->at - 1);

	if (!end)
		return lexer_fail(lexer, lexer->at, err, "unterminated raw quoted string");
	lexer->at = (size_t)(end + 1 - lexer->text);
	return 0;
}

static int lex_number(struct lexer *lexer, struct mvm_error **err)
{
	size_t start = lexer->at;
	char last = '\0';

	for (lexer->at++; is_word(peek(lexer, 0)) || peek(lexer, 0) == '.' ||
			  (strchr("+-", peek(lexer, 0)) && peek(lexer, 0) && strchr("eEpP", last) && last);
	     lexer->at++)
		last = peek(lexer, 0);
	if (check_terminator(lexer, NULL) < 0)
		return lexer_fail(lexer, start, err, "bad number syntax: \"%.*s\"", (int)(lexer->at + 1 - start),
				  lexer->text + start);
	return 0;
}

static int lex_space(struct lexer *lexer, struct token *token)
{
	size_t end = lexer->at;

	while (end < lexer->length && is_blank(lexer->text[end]))
		end++;
	if (lexer->length - end >= 3 && !memcmp(lexer->text + end, "-}}", 3)) {
		token->kind = TOKEN_CLOSE;
		token->trims = true;
		end += 3;
	} else {
		token->kind = TOKEN_SPACE;
	}
	lexer->at = end;
	return 0;
}

static int lex_name(struct lexer *lexer, struct token *token, enum token_kind kind, struct mvm_error **err)
{
	token->kind = kind;
	lexer->at++;
	skip_word(lexer);
	return check_terminator(lexer, err);
}

static int lex_mark(struct lexer *lexer, struct token *token, struct mvm_error **err)
{
	static const struct {
		char c;
		enum token_kind kind;
	} marks[] = {
		{'|', TOKEN_PIPE},  {'(', TOKEN_OPEN_PARENTHESIS}, {')', TOKEN_CLOSE_PARENTHESIS},
		{',', TOKEN_COMMA}, {'=', TOKEN_ASSIGN},
	};
	char c = lexer->text[lexer->at++];

	lexer->parentheses += (c == '(') - (c == ')');
	if (lexer->parentheses < 0)
		return lexer_fail(lexer, lexer->at, err, "unexpected right paren");
	token->kind = TOKEN_OTHER;
	for (size_t i = 0; i < MVM_COUNT(marks); i++)
		if (marks[i].c == c)
			token->kind = marks[i].kind;
	if (token->kind == TOKEN_OTHER && (c < ' ' || c == 127))
		return lexer_fail(lexer, lexer->at - 1, err, "unexpected bad character U+%04X in command",
				  (unsigned)(unsigned char)c);
	return 0;
}

static int lex(struct lexer *lexer, struct token *token, struct mvm_error **err)
{
	char c = peek(lexer, 0);

	if (lexer->at == lexer->length)
		return 0;
	if (at_text(lexer, "}}")) {
		token->kind = TOKEN_CLOSE;
		lexer->at += 2;
		return lexer->parentheses ? lexer_fail(lexer, token->span.at, err, "unclosed left paren") : 0;
	}
	if (is_blank(c))
		return lex_space(lexer, token);
	if (at_text(lexer, ":=")) {
		token->kind = TOKEN_DECLARE;
		lexer->at += 2;
		return 0;
	}
	if (c == '"' || c == '\'') {
		token->kind = c == '"' ? TOKEN_STRING : TOKEN_CHARACTER;
		return lex_quoted(lexer, c, err);
	}
	if (c == '`') {
		token->kind = TOKEN_STRING;
		return lex_raw(lexer, err);
	}
	if (c == '$')
		return lex_name(lexer, token, TOKEN_VARIABLE, err);
	if (isdigit((unsigned char)c) || (strchr("+-.", c) && isdigit((unsigned char)peek(lexer, 1)))) {
		token->kind = TOKEN_NUMBER;
		return lex_number(lexer, err);
	}
	if (c == '.')
		return lex_name(lexer, token, is_word(peek(lexer, 1)) ? TOKEN_FIELD : TOKEN_DOT, err);
	if (is_word(c))
		return lex_name(lexer, token, TOKEN_WORD, err);
	return lex_mark(lexer, token, err);
}

int lexer_next(struct lexer *lexer, struct token *token, struct mvm_error **err)
{
	struct token next = {.kind = TOKEN_END, .span = {lexer->at, lexer->at}};

	if (lex(lexer, &next, err) < 0)
		return -1;
	next.span.end = lexer->at;
	*token = next;
	return 0;
}

static void add_utf8(struct mvm_buf *out, uint32_t code)
{
	char bytes[4];
	size_t length = code < 0x80 ? 1 : code < 0x800 ? 2 : code < 0x10000 ? 3 : 4;
	static const unsigned char lead[] = {0, 0, 0xc0, 0xe0, 0xf0};

	for (size_t i = length; i-- > 1; code >>= 6)
		bytes[i] = (char)(0x80 | (code & 0x3f));
	bytes[0] = (char)(lead[length] | code);
	mvm_buf_add(out, bytes, length);
}

/* The number of digits that follow \x, \u, \U or start an octal escape, and their base. */
static int escape_digits(char c, int *base)
{
	*base = 16;
	switch (c) {
	case 'x':
		return 2;
	case 'u':
		return 4;
	case 'U':
		return 8;
	default:
		*base = 8;
		return c >= '0' && c <= '7' ? 3 : 0;
	}
}

/* One escape, after its backslash. False where there is no such. */
static bool unescape(const char **at, const char *end, char quote, struct mvm_buf *out)
{
	static const char letters[] = "abfnrtv\\", values[] = "\a\b\f\n\r\t\v\\";
	char c = *(*at)++, digits[9] = "", *stop;
	const char *letter = strchr(letters, c);
	int base, count = escape_digits(c, &base);
	uint32_t code;

	if (c == quote || letter) {
		mvm_buf_add(out, letter ? &values[letter - letters] : &c, 1);
		return true;
	}
	*at -= base == 8;
	if (!count || end - *at < count || !isxdigit((unsigned char)**at))
		return false;
	memcpy(digits, *at, (size_t)count);
	code = (uint32_t)strtoul(digits, &stop, base);
	if (stop != digits + count || (count < 4 && code > 0xff) || code > 0x10ffff ||
	    (code >= 0xd800 && code < 0xe000))
		return false;
	*at += count;
	if (count < 4)
		mvm_buf_add(out, &(char){(char)code}, 1);
	else
		add_utf8(out, code);
	return true;
}

int lexer_unquote(const struct lexer *lexer, struct span span, json_t **value, struct mvm_error **err)
{
	const char *at = lexer->text + span.at + 1, *end = lexer->text + span.end - 1;
	struct mvm_buf text MVM_CLEAN_BUF = {0};

	if (at[-1] == '`') {
		*value = json_stringn_nocheck(at, (size_t)(end - at));
		return 0;
	}
	while (at < end) {
		if (*at != '\\') {
			mvm_buf_add(&text, at++, 1);
			continue;
		}
		at++;
		if (!unescape(&at, end, '"', &text))
			return lexer_fail(lexer, span.at, err, "invalid syntax");
	}
	*value = json_stringn_nocheck(text.data ? text.data : "", text.length);
	return 0;
}

/* 'a' is a number. */
static bool character_value(const struct lexer *lexer, struct span span, json_int_t *number)
{
	const char *at = lexer->text + span.at + 1, *end = lexer->text + span.end - 1;
	struct mvm_buf text MVM_CLEAN_BUF = {0};
	uint32_t code;

	if (at == end)
		return false;
	if (*at == '\\') {
		at++;
		if (!unescape(&at, end, '\'', &text) || at != end)
			return false;
	} else {
		mvm_buf_add(&text, at, (size_t)(end - at));
	}
	code = (unsigned char)text.data[0];
	/* One character, in UTF-8. */
	if (text.length > 4 || (text.length > 1 && code < 0xc0))
		return false;
	if (text.length > 1)
		code &= 0x7fU >> text.length;
	for (size_t i = 1; i < text.length; i++)
		code = code << 6 | ((unsigned char)text.data[i] & 0x3f);
	*number = code;
	return true;
}

int lexer_number(const struct lexer *lexer, struct span span, json_t **value, struct mvm_error **err)
{
	char *text MVM_CLEAN_FREE = mvm_strndup(lexer->text + span.at, span.end - span.at), *end;
	json_int_t number;
	double real;

	if (*text == '\'') {
		if (!character_value(lexer, span, &number))
			return lexer_fail(lexer, span.at, err, "malformed character constant: %s", text);
		*value = json_integer(number);
		return 0;
	}
	errno = 0;
	number = strtoll(text, &end, 0);
	if (!*end && !errno) {
		*value = json_integer(number);
		return 0;
	}
	if (!*end)
		return lexer_fail(lexer, span.at, err, "integer overflow: \"%s\"", text);
	real = strtod(text, &end);
	if (*end || !isfinite(real))
		return lexer_fail(lexer, span.at, err, "bad number syntax: \"%s\"", text);
	/* As Go's: a number without a fraction fits where an integer is wanted. */
	*value = real == floor(real) && fabs(real) < 1e15 && !strchr(text, '.') ? json_integer((json_int_t)real)
										: json_real(real);
	return 0;
}
