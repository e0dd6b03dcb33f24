#include "reference.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "runtime/base/error.h"
#include "runtime/base/mem.h"

#define DEFAULT_DOMAIN "docker.io"
#define LEGACY_DOMAIN  "index.docker.io"
#define OFFICIAL       "library/"
#define MAX_PATH       255
#define MAX_TAG	       128
/* Longer than any domain, path, tag and digest together. */
#define MAX_TEXT 1024

#define LOWER  "abcdefghijklmnopqrstuvwxyz"
#define UPPER  "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
#define DIGITS "0123456789"

/* path-component := alphanumeric (separator alphanumeric)*; separator := [.] | _ | __ | -+ */
static const char *component_end(const char *at)
{
	for (;;) {
		size_t length = strspn(at, LOWER DIGITS);

		if (!length)
			return NULL;
		at += length;
		if (*at == '.')
			at++;
		else if (*at == '_')
			at += at[1] == '_' ? 2 : 1;
		else if (*at == '-')
			at += strspn(at, "-");
		else
			return at;
	}
}

static bool valid_path(const char *path)
{
	const char *at = path;

	while ((at = component_end(at)) && *at == '/')
		at++;
	return at && !*at;
}

/* One label of a host name: letters, digits and inner dashes. */
static const char *label_end(const char *at)
{
	const char *end = at + strspn(at, LOWER UPPER DIGITS "-");

	return end == at || *at == '-' || end[-1] == '-' ? NULL : end;
}

static const char *host_end(const char *at)
{
	if (*at == '[') {
		size_t length = strspn(at + 1, "abcdefABCDEF" DIGITS ":");

		return length && at[1 + length] == ']' ? at + length + 2 : NULL;
	}
	while ((at = label_end(at)) && *at == '.')
		at++;
	return at;
}

static bool valid_domain(const char *domain)
{
	const char *at = host_end(domain);

	if (!at)
		return false;
	if (*at == ':') {
		size_t length = strspn(at + 1, DIGITS);

		if (!length || length > 5 || atoi(at + 1) > 65535)
			return false;
		at += 1 + length;
	}
	return !*at;
}

static bool valid_tag(const char *tag)
{
	size_t length = strspn(tag, LOWER UPPER DIGITS "_.-");

	return length && length <= MAX_TAG && !tag[length] && *tag != '.' && *tag != '-';
}

/* "a/b" is on Docker Hub, "a.b/c", "a:1/c", "A/c" and "localhost/c" name a registry. */
static bool names_domain(const char *text, const char *slash)
{
	size_t length = (size_t)(slash - text);

	if (length == strlen("localhost") && !strncmp(text, "localhost", length))
		return true;
	return strcspn(text, ".:" UPPER) < length;
}

static void split_domain(const char *text, char **domain, char **rest)
{
	const char *slash = strchr(text, '/');
	char *named = slash && names_domain(text, slash) ? mvm_strndup(text, (size_t)(slash - text)) : NULL;
	const char *path = named ? slash + 1 : text;

	if (!named || !strcmp(named, LEGACY_DOMAIN)) {
		free(named);
		named = mvm_strdup(DEFAULT_DOMAIN);
	}
	*rest = mvm_format("%s%s", !strcmp(named, DEFAULT_DOMAIN) && !strchr(path, '/') ? OFFICIAL : "", path);
	*domain = named;
}

static int invalid(const char *text, struct mvm_error **err)
{
	return mvm_fail(err, MVM_ERR_INVALID,
			"invalid reference format: \"%.200s\"; an image is named like alpine, debian:12 or "
			"127.0.0.1:5000/deb:v1",
			text);
}

static int check_name(const struct mvm_reference *reference, const char *text, struct mvm_error **err)
{
	if (strpbrk(reference->path, UPPER))
		return mvm_fail(err, MVM_ERR_INVALID,
				"invalid reference format: repository name (%.200s) must be lowercase",
				reference->path);
	if (!valid_domain(reference->domain) || !valid_path(reference->path))
		return invalid(text, err);
	if (strlen(reference->path) > MAX_PATH)
		return mvm_fail(err, MVM_ERR_INVALID,
				"invalid reference format: repository name must not be more than %d characters",
				MAX_PATH);
	return 0;
}

/* Cuts "@digest" and ":tag" off `rest`, which then is the path. */
static int take_tag_and_digest(char *rest, const char *text, struct mvm_reference *reference, struct mvm_error **err)
{
	char *at = strchr(rest, '@');
	char *colon;

	if (at) {
		*at = '\0';
		if (mvm_digest_parse(at + 1, &reference->digest, err) < 0)
			return mvm_error_wrap(err, "invalid reference format");
	}
	colon = strchr(rest, ':');
	if (colon) {
		*colon = '\0';
		if (!valid_tag(colon + 1))
			return invalid(text, err);
	}
	/* A digest says it all: a tag beside it is dropped, as docker does. */
	if (!at)
		reference->tag = mvm_strdup(colon ? colon + 1 : "latest");
	return 0;
}

int mvm_reference_parse(const char *text, struct mvm_reference *out, struct mvm_error **err)
{
	struct mvm_reference reference MVM_CLEAN_REFERENCE = {0};

	if (!*text || strlen(text) > MAX_TEXT)
		return invalid(text, err);
	if (strlen(text) == MVM_DIGEST_HEX && strspn(text, "0123456789abcdef") == MVM_DIGEST_HEX)
		return mvm_fail(err, MVM_ERR_INVALID,
				"invalid repository name (%s), cannot specify 64-byte hexadecimal strings", text);
	split_domain(text, &reference.domain, &reference.path);
	if (take_tag_and_digest(reference.path, text, &reference, err) < 0 || check_name(&reference, text, err) < 0)
		return -1;
	*out = reference;
	reference = (struct mvm_reference){0};
	return 0;
}

void mvm_reference_finish(struct mvm_reference *reference)
{
	free(reference->domain);
	free(reference->path);
	free(reference->tag);
	*reference = (struct mvm_reference){0};
}

static char *with_suffix(char *repository, const struct mvm_reference *reference)
{
	char *text = reference->tag ? mvm_format("%s:%s", repository, reference->tag)
				    : mvm_format("%s@%s", repository, reference->digest.text);

	free(repository);
	return text;
}

char *mvm_reference_repository(const struct mvm_reference *reference)
{
	return mvm_format("%s/%s", reference->domain, reference->path);
}

char *mvm_reference_familiar_repository(const struct mvm_reference *reference)
{
	const char *path = reference->path, *slash = strchr(path, '/');
	size_t official = strlen(OFFICIAL);

	/* "docker.io/a.b/c" is not "a.b/c", which names a registry. */
	if (strcmp(reference->domain, DEFAULT_DOMAIN) || (slash && names_domain(path, slash)))
		return mvm_reference_repository(reference);
	if (!strncmp(path, OFFICIAL, official) && !strchr(path + official, '/'))
		path += official;
	return mvm_strdup(path);
}

char *mvm_reference_full(const struct mvm_reference *reference)
{
	return with_suffix(mvm_reference_repository(reference), reference);
}

char *mvm_reference_familiar(const struct mvm_reference *reference)
{
	return with_suffix(mvm_reference_familiar_repository(reference), reference);
}

char *mvm_reference_shorten(const char *name)
{
	struct mvm_reference reference MVM_CLEAN_REFERENCE = {0};

	return mvm_reference_parse(name, &reference, NULL) < 0 ? mvm_strdup(name) : mvm_reference_familiar(&reference);
}

bool mvm_reference_is_loopback(const char *domain)
{
	size_t host = *domain == '[' ? strcspn(domain, "]") + 1 : strcspn(domain, ":");
	unsigned a, b, c, d;
	int used = 0;

	if (host == strlen("localhost") && !strncasecmp(domain, "localhost", host))
		return true;
	if (host == strlen("[::1]") && !strncmp(domain, "[::1]", host))
		return true;
	/* "127.example.com" is not an address. */
	return sscanf(domain, "%3u.%3u.%3u.%3u%n", &a, &b, &c, &d, &used) == 4 && (size_t)used == host && a == 127 &&
	       b < 256 && c < 256 && d < 256;
}
