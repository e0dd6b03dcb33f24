#include "platform.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "runtime/base/error.h"
#include "runtime/base/mem.h"

#define FIELD_MAX     (sizeof(((struct mvm_platform *)NULL)->os) - 1)
#define FIELD_LETTERS "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_.-"

/* What processors and package managers call an architecture, and what Go does. */
static const struct alias {
	const char *name, *architecture, *variant;
} aliases[] = {
	{"x86_64", "amd64", NULL}, {"x86-64", "amd64", NULL}, {"aarch64", "arm64", NULL},
	{"i386", "386", ""},	   {"armhf", "arm", "v7"},    {"armel", "arm", "v6"},
};

/* A lone word is one of these, or the user has mistyped it. */
static const char *const systems[] = {"aix",	 "android", "darwin",  "dragonfly", "freebsd", "hurd",
				      "illumos", "ios",	    "js",      "linux",	    "nacl",    "netbsd",
				      "openbsd", "plan9",   "solaris", "windows",   "zos",     NULL};
static const char *const architectures[] = {
	"386",	   "amd64", "amd64p32", "arm",	  "armbe",    "arm64",	   "arm64be",	  "ppc64", "ppc64le",
	"loong64", "mips",  "mipsle",	"mips64", "mips64le", "mips64p32", "mips64p32le", "ppc",   "riscv",
	"riscv64", "s390",  "s390x",	"sparc",  "sparc64",  "wasm",	   NULL};

static bool listed(const char *const *list, const char *word)
{
	while (*list && strcmp(*list, word) != 0)
		list++;
	return *list;
}

static void set_field(char *field, const char *value)
{
	snprintf(field, FIELD_MAX + 1, "%s", value);
}

static void lower(char *field)
{
	for (; *field; field++)
		*field = (char)tolower((unsigned char)*field);
}

static bool is_arch(const struct mvm_platform *platform, const char *architecture)
{
	return !strcmp(platform->architecture, architecture);
}

static void normalise_variant(struct mvm_platform *platform)
{
	char *variant = platform->variant;

	if (is_arch(platform, "amd64") && !strcmp(variant, "v1"))
		*variant = '\0';
	if (is_arch(platform, "arm64") && (!strcmp(variant, "8") || !strcmp(variant, "v8")))
		*variant = '\0';
	if (!is_arch(platform, "arm"))
		return;
	if (!*variant)
		set_field(variant, "v7");
	else if (strchr("5678", *variant) && !variant[1])
		set_field(variant, (const char[]){'v', *variant, '\0'});
}

void mvm_platform_normalise(struct mvm_platform *platform)
{
	lower(platform->os);
	lower(platform->architecture);
	lower(platform->variant);
	if (!strcmp(platform->os, "macos"))
		set_field(platform->os, "darwin");
	for (size_t i = 0; i < MVM_COUNT(aliases); i++) {
		if (!is_arch(platform, aliases[i].name))
			continue;
		set_field(platform->architecture, aliases[i].architecture);
		if (aliases[i].variant)
			set_field(platform->variant, aliases[i].variant);
		break;
	}
	normalise_variant(platform);
}

static int copy_field(char *field, const char *value, const char *what, struct mvm_error **err)
{
	size_t length = value ? strlen(value) : 0;

	if (length > FIELD_MAX)
		return mvm_fail(err, MVM_ERR_INVALID, "%s \"%.40s\" is too long for a platform", what, value);
	if (value && strspn(value, FIELD_LETTERS) != length)
		return mvm_fail(err, MVM_ERR_INVALID, "%s \"%s\" holds a letter that no platform has", what, value);
	set_field(field, value ? value : "");
	return 0;
}

int mvm_platform_set(const char *os, const char *architecture, const char *variant, struct mvm_platform *out,
		     struct mvm_error **err)
{
	struct mvm_platform platform = {0};

	if (copy_field(platform.os, os, "operating system", err) < 0 ||
	    copy_field(platform.architecture, architecture, "architecture", err) < 0 ||
	    copy_field(platform.variant, variant, "variant", err) < 0)
		return -1;
	*out = platform;
	return 0;
}

void mvm_platform_default(struct mvm_platform *platform)
{
	*platform = (struct mvm_platform){.os = "linux"};
#if defined(__x86_64__)
	set_field(platform->architecture, "amd64");
#elif defined(__aarch64__)
	set_field(platform->architecture, "arm64");
#else
#error "mvm runs on x86-64 and arm64"
#endif
}

void mvm_platform_host(struct mvm_platform *platform)
{
	mvm_platform_default(platform);
#if defined(__x86_64__)
	/* The levels of the psABI, each by what came last to the processors that have it. */
	if (__builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512vl"))
		set_field(platform->variant, "v4");
	else if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("bmi2") && __builtin_cpu_supports("fma"))
		set_field(platform->variant, "v3");
	else if (__builtin_cpu_supports("sse4.2") && __builtin_cpu_supports("popcnt"))
		set_field(platform->variant, "v2");
#else
	set_field(platform->variant, "v8");
#endif
}

static int parse_word(const char *word, struct mvm_platform *platform, struct mvm_error **err)
{
	struct mvm_platform standard, parsed;

	mvm_platform_default(&standard);
	if (mvm_platform_set(word, standard.architecture, NULL, &parsed, err) < 0)
		return -1;
	mvm_platform_normalise(&parsed);
	if (!listed(systems, parsed.os)) {
		mvm_platform_set(standard.os, word, NULL, &parsed, NULL);
		mvm_platform_normalise(&parsed);
		if (!listed(architectures, parsed.architecture))
			return mvm_fail(err, MVM_ERR_INVALID, "unknown operating system or architecture");
	}
	*platform = parsed;
	return 0;
}

static int parse_parts(char *const *parts, size_t count, struct mvm_platform *platform, struct mvm_error **err)
{
	if (count == 1)
		return parse_word(parts[0], platform, err);
	if (mvm_platform_set(parts[0], parts[1], parts[2], platform, err) < 0)
		return -1;
	mvm_platform_normalise(platform);
	/* Who says v8 gets to see it. */
	if (count == 3 && is_arch(platform, "arm64") && !*platform->variant)
		set_field(platform->variant, "v8");
	return 0;
}

int mvm_platform_parse(const char *text, struct mvm_platform *platform, struct mvm_error **err)
{
	struct mvm_strv parts MVM_CLEAN_STRV = {0};
	struct mvm_error *cause MVM_CLEAN_ERROR = NULL;
	struct mvm_platform parsed;
	bool empty = false;

	for (const char *at = text; at; at = strchr(at, '/') ? strchr(at, '/') + 1 : NULL) {
		mvm_strv_take(&parts, mvm_strndup(at, strcspn(at, "/")));
		empty |= !parts.items[parts.count - 1][0];
	}
	if (empty || parts.count > 3)
		mvm_fail(&cause, MVM_ERR_INVALID, "cannot parse platform specifier");
	else
		parse_parts(parts.items, parts.count, &parsed, &cause);
	if (cause)
		return mvm_fail(err, MVM_ERR_INVALID, "\"%.60s\": %s; write it as linux/amd64 or linux/arm64/v8", text,
				mvm_error_message(cause));
	/* The usual one goes without saying. */
	if (parts.count < 3 && is_arch(&parsed, "arm") && !strcmp(parsed.variant, "v7"))
		*parsed.variant = '\0';
	*platform = parsed;
	return 0;
}

char *mvm_platform_format(const struct mvm_platform *platform)
{
	return mvm_format("%s/%s%s%s", platform->os, platform->architecture, *platform->variant ? "/" : "",
			  platform->variant);
}

/* How two variants of an architecture are told apart: the number before the dot times a hundred, and that after it. */
enum { GENERATION = 100, SAME = 1000000, OLDER = 10000 };

/* "v8.2" is 802, and no variant what it is short for. -1 for what is no version. */
static int variant_number(const struct mvm_platform *platform)
{
	unsigned major = 0, minor = 0;
	int used = 0;

	if (!*platform->variant)
		return (is_arch(platform, "arm64") ? 8 : 1) * GENERATION;
	if (sscanf(platform->variant, "v%2u%n.%2u%n", &major, &used, &minor, &used) < 1 || platform->variant[used])
		return -1;
	return (int)(major * GENERATION + minor);
}

static bool runs_older(const struct mvm_platform *wanted, int have, int need)
{
	int oldest = (is_arch(wanted, "arm64") ? 8 : is_arch(wanted, "arm") ? 5 : 1) * GENERATION;

	if (have < 0 || need < oldest || need > have)
		return false;
	/* Of the generation before, ARMv9.n has all up to ARMv8.(n+5), which ends with .9. */
	if (is_arch(wanted, "arm64") && have / GENERATION != need / GENERATION)
		return have / GENERATION == 9 && need <= have - 900 + 805 && need <= 809;
	/* The others count in whole generations; no processor of one is a half of another. */
	return is_arch(wanted, "arm64") || need % GENERATION == 0;
}

/* A 64-bit processor's 32-bit programs. */
static int match_sibling(const struct mvm_platform *wanted, const struct mvm_platform *offered)
{
	int need = variant_number(offered);

	if (is_arch(wanted, "amd64") && is_arch(offered, "386") && !*offered->variant)
		return 1;
	if (is_arch(wanted, "arm64") && is_arch(offered, "arm") && variant_number(wanted) >= 800 && need <= 800 &&
	    need >= 500 && need % GENERATION == 0)
		return need;
	return 0;
}

int mvm_platform_match(const struct mvm_platform *given, const struct mvm_platform *image)
{
	struct mvm_platform wanted = *given, offered = *image;

	mvm_platform_normalise(&wanted);
	mvm_platform_normalise(&offered);
	if (strcmp(wanted.os, offered.os) != 0)
		return 0;
	if (!is_arch(&wanted, offered.architecture))
		return match_sibling(&wanted, &offered);
	if (!strcmp(wanted.variant, offered.variant))
		return SAME;
	/* Of other architectures nobody says which variant is older. */
	if (!is_arch(&wanted, "amd64") && !is_arch(&wanted, "arm") && !is_arch(&wanted, "arm64"))
		return 0;
	if (!runs_older(&wanted, variant_number(&wanted), variant_number(&offered)))
		return 0;
	return OLDER + variant_number(&offered);
}

bool mvm_platform_suits(const struct mvm_platform *given, const struct mvm_platform *image)
{
	struct mvm_platform wanted = *given, offered = *image;

	if (mvm_platform_match(given, image))
		return true;
	if (*image->variant)
		return false;
	mvm_platform_normalise(&wanted);
	mvm_platform_normalise(&offered);
	return !strcmp(wanted.os, offered.os) && is_arch(&wanted, offered.architecture);
}

bool mvm_platform_same(const struct mvm_platform *a, const struct mvm_platform *b)
{
	return mvm_platform_match(a, b) == SAME;
}
