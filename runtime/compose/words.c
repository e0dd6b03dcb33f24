#include "words.h"

#include <string.h>

struct splitter {
	struct mvm_strv *words;
	struct mvm_buf word;
	bool has_word;
	bool in_single, in_double, in_back, in_dollar; /* '...', "...", `...`, $(...) */
};

static void end_word(struct splitter *splitter)
{
	char *word MVM_CLEAN_FREE = mvm_buf_steal(&splitter->word);

	if (splitter->has_word)
		mvm_strv_add(splitter->words, word);
	splitter->has_word = false;
}

static void add(struct splitter *splitter, char c)
{
	mvm_buf_add(&splitter->word, &c, 1);
	splitter->has_word = true;
}

static bool is_open(const struct splitter *splitter)
{
	return splitter->in_single || splitter->in_double || splitter->in_back || splitter->in_dollar;
}

/* Quotes that go away. */
static bool take_quote(struct splitter *splitter, char c)
{
	bool *state = c == '"' && !splitter->in_single	  ? &splitter->in_double
		      : c == '\'' && !splitter->in_double ? &splitter->in_single
							  : NULL;

	if (!state || splitter->in_dollar)
		return false;
	*state = !*state;
	splitter->has_word = true;
	return true;
}

/* What stays in the word, and holds blanks together. False where a bracket stands alone. */
static bool take_bracket(struct splitter *splitter, char c)
{
	bool quoted = splitter->in_single || splitter->in_double;

	if (c == '`' && !quoted && !splitter->in_dollar)
		splitter->in_back = !splitter->in_back;
	if (c == ')' && !quoted && !splitter->in_back)
		splitter->in_dollar = !splitter->in_dollar;
	if (c == '(' && !quoted && !splitter->in_back) {
		const struct mvm_buf *word = &splitter->word;

		if (splitter->in_dollar || !word->length || word->data[word->length - 1] != '$')
			return false;
		splitter->in_dollar = true;
	}
	return true;
}

static bool split(struct splitter *splitter, const char *at, const char **rest)
{
	for (; *at; at++) {
		if (*at == '\\' && !splitter->in_single) {
			if (!*++at)
				return false;
			add(splitter, (char)(*at == 't' ? '\t' : *at == 'n' ? '\n' : *at));
		} else if (strchr(" \t\r\n", *at) && !is_open(splitter)) {
			end_word(splitter);
		} else if (strchr(";&|<>", *at) && !is_open(splitter)) {
			*rest = at;
			break;
		} else if (!take_quote(splitter, *at)) {
			if (!take_bracket(splitter, *at))
				return false;
			add(splitter, *at);
		}
	}
	end_word(splitter);
	return !is_open(splitter);
}

bool split_words(const char *text, struct mvm_strv *words, const char **rest)
{
	struct splitter splitter = {.words = words};
	bool done;

	*rest = NULL;
	done = split(&splitter, text, rest);
	mvm_buf_finish(&splitter.word);
	return done;
}
