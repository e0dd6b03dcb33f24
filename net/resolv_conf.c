#include "resolv_conf.h"

#include <netdb.h>
#include <stdio.h>
#include <string.h>

#include "runtime/base/text.h"

enum { LARGEST_TIMEOUT = 30, LARGEST_ATTEMPTS = 5, DEFAULT_ATTEMPTS = 2, LARGEST_NDOTS = 1 << 30 };

static const char blanks[] = " \t\r\v\f";

bool mvm_resolv_server_parse(const char *text, uint16_t port, struct mvm_resolv_server *server)
{
	struct addrinfo hints = {.ai_flags = AI_NUMERICHOST | AI_NUMERICSERV, .ai_socktype = SOCK_DGRAM}, *found;
	char service[8];
	bool fits;

	snprintf(service, sizeof(service), "%u", port);
	if (getaddrinfo(text, service, &hints, &found) != 0)
		return false;
	fits = found->ai_addrlen <= sizeof(server->address);
	if (fits) {
		*server = (struct mvm_resolv_server){.length = found->ai_addrlen};
		memcpy(&server->address, found->ai_addr, found->ai_addrlen);
	}
	freeaddrinfo(found);
	return fits;
}

bool mvm_resolv_server_equal(const struct mvm_resolv_server *a, const struct mvm_resolv_server *b)
{
	if (a->address.any.sa_family != b->address.any.sa_family)
		return false;
	if (a->address.any.sa_family == AF_INET)
		return a->address.in.sin_addr.s_addr == b->address.in.sin_addr.s_addr &&
		       a->address.in.sin_port == b->address.in.sin_port;
	return IN6_ARE_ADDR_EQUAL(&a->address.in6.sin6_addr, &b->address.in6.sin6_addr) &&
	       a->address.in6.sin6_port == b->address.in6.sin6_port &&
	       a->address.in6.sin6_scope_id == b->address.in6.sin6_scope_id;
}

/* The number behind "name:" where `option` is that; at most `max`, at least 1. */
static bool option_number(const char *option, const char *name, int64_t max, unsigned *value)
{
	size_t length = strlen(name);
	int64_t number;

	if (strncmp(option, name, length) != 0 || !mvm_parse_int(option + length, 0, INT32_MAX, &number))
		return false;
	*value = (unsigned)(number < 1 ? 1 : number > max ? max : number);
	return true;
}

static void read_option(const char *option, struct mvm_resolv_conf *conf)
{
	if (option_number(option, "timeout:", LARGEST_TIMEOUT, &conf->timeout) ||
	    option_number(option, "attempts:", LARGEST_ATTEMPTS, &conf->attempts))
		return;
	if (strcmp(option, "rotate") == 0)
		conf->rotate = true;
	else if (strcmp(option, "use-vc") == 0)
		conf->tcp = true;
}

static void read_line(char *line, uint16_t port, struct mvm_resolv_conf *conf)
{
	char *whole MVM_CLEAN_FREE = mvm_strdup(line), *rest = NULL;
	char *key = strtok_r(line, blanks, &rest), *word = NULL;
	bool domains;

	if (!key || *key == '#' || *key == ';')
		return;
	/* "domain" is what "search" was called. */
	domains = strcmp(key, "search") == 0 || strcmp(key, "domain") == 0;
	if (!domains && strcmp(key, "options") != 0 && strcmp(key, "nameserver") != 0) {
		mvm_strv_add(&conf->others, whole);
		return;
	}
	word = strtok_r(NULL, blanks, &rest);
	if (*key == 'n') {
		if (word && conf->server_count < MVM_RESOLV_SERVERS &&
		    mvm_resolv_server_parse(word, port, &conf->servers[conf->server_count]))
			conf->server_count++;
		return;
	}
	/* Of several lines with domains the last counts, of options all. */
	if (word && domains)
		mvm_strv_finish(&conf->search);
	for (; word; word = strtok_r(NULL, blanks, &rest)) {
		mvm_strv_add(domains ? &conf->search : &conf->options, word);
		if (!domains)
			read_option(word, conf);
	}
}

void mvm_resolv_conf_parse(const char *text, uint16_t port, struct mvm_resolv_conf *conf)
{
	char *copy MVM_CLEAN_FREE = mvm_strdup(text), *rest = NULL;

	conf->attempts = DEFAULT_ATTEMPTS;
	for (char *line = strtok_r(copy, "\n", &rest); line; line = strtok_r(NULL, "\n", &rest))
		read_line(line, port, conf);
}

void mvm_resolv_conf_finish(struct mvm_resolv_conf *conf)
{
	mvm_strv_finish(&conf->search);
	mvm_strv_finish(&conf->options);
	mvm_strv_finish(&conf->others);
	*conf = (struct mvm_resolv_conf){0};
}

static void add_words(struct mvm_buf *text, const char *key, const struct mvm_strv *words, const char *except)
{
	bool any = false;

	for (size_t i = 0; i < words->count; i++) {
		if (strcmp(words->items[i], except) == 0)
			continue;
		mvm_buf_addf(text, "%s %s", any ? "" : key, words->items[i]);
		any = true;
	}
	if (any)
		mvm_buf_add(text, "\n", 1);
}

/* Of the options with a number of dots the last counts; those that are no number are left out. */
static void choose_options(const struct mvm_strv *options, struct mvm_strv *chosen, bool *ndots)
{
	static const char key[] = "ndots:";
	bool set = false;

	*ndots = false;
	for (size_t i = 0; i < options->count; i++) {
		const char *option = options->items[i];
		int64_t dots;

		if (strncmp(option, key, sizeof(key) - 1) == 0) {
			if (!mvm_parse_int(option + sizeof(key) - 1, 0, LARGEST_NDOTS, &dots))
				continue;
			set = true;
			*ndots = dots > 0;
		}
		mvm_strv_add(chosen, option);
	}
	if (!set)
		mvm_strv_add(chosen, "ndots:0");
}

char *mvm_resolv_conf_guest(const struct mvm_resolv_conf *host, const struct mvm_resolv_guest *guest, bool *ndots)
{
	bool own_search = guest->search && guest->search->count, own_options = guest->options && guest->options->count;
	struct mvm_strv options MVM_CLEAN_STRV = {0};
	struct mvm_buf text = {0};

	for (size_t i = 0; i < guest->server_count; i++)
		mvm_buf_addf(&text, "nameserver %s\n", guest->servers[i]);
	/* Only a wish can say that there shall be none. */
	add_words(&text, "search", own_search ? guest->search : &host->search, own_search ? "." : "");
	choose_options(own_options ? guest->options : &host->options, &options, ndots);
	add_words(&text, "options", &options, "");
	for (size_t i = 0; i < host->others.count; i++)
		mvm_buf_addf(&text, "%s\n", host->others.items[i]);
	return mvm_buf_steal(&text);
}
