#include "platform.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "runtime/base/error.h"
#include "runtime/base/mem.h"

#define FIELD_MAX     (sizeof(((struct mvm_platform *)NULL)->os) - 1)
#define FIELD_LETTERS "abcdefghijklmnopqrstuvwxyz0123456789_.-"

/* What processors and package managers call an architecture, and what Go does. */
static const struct alias {
	const char *name, *architecture, *variant;
} aliases[] = {
	{"x86_64", "amd64", NULL}, {"x86-64", "amd64", NULL}, {"aarch64", "arm64", NULL},
	{"i386", "386", ""},	   {"armhf", "arm", "v7"},    {"armel", "arm", "v6"},
};

static void set_field(char *field, const char *value)
{
	snprintf(field, FIELD_MAX + 1, "%s", value);
}

static void normalise(struct mvm_platform *platform)
{
	char *variant = platform->variant;

	if (!strcmp(platform->os, "macos"))
		set_field(platform->os, "darwin");
	for (size_t i = 0; i < MVM_COUNT(aliases); i++)
		if (!strcmp(platform->architecture, aliases[i].name)) {
			set_field(platform->architecture, aliases[i].architecture);
			if (aliases[i].variant)
				set_field(variant, aliases[i].variant);
			break;
		}
	if (isdigit((unsigned char)*variant) && strlen(variant) < FIELD_MAX) {
		memmove(variant + 1, variant, strlen(variant) + 1);
		*variant = 'v';
	}
	if ((!strcmp(platform->architecture, "arm64") && !strcmp(variant, "v8")) ||
	    (!strcmp(platform->architecture, "amd64") && !strcmp(variant, "v1")))
		*variant = '\0';
	if (!strcmp(platform->architecture, "arm") && !*variant)
		set_field(variant, "v7");
}

static int copy_field(char *field, const char *value, const char *what, struct mvm_error **err)
{
	size_t length = value ? strlen(value) : 0;

	if (length > FIELD_MAX)
		return mvm_fail(err, MVM_ERR_INVALID, "%s \"%.40s\" is too long for a platform", what, value);
	for (size_t i = 0; i < length; i++)
		field[i] = (char)tolower((unsigned char)value[i]);
	field[length] = '\0';
	if (strspn(field, FIELD_LETTERS) != length)
		return mvm_fail(err, MVM_ERR_INVALID, "%s \"%s\" holds a letter that no platform has", what, value);
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
	normalise(&platform);
	*out = platform;
	return 0;
}

void mvm_platform_default(struct mvm_platform *platform)
{
	*platform = (struct mvm_platform){0};
	set_field(platform->os, "linux");
#if defined(__x86_64__)
	set_field(platform->architecture, "amd64");
#elif defined(__aarch64__)
	set_field(platform->architecture, "arm64");
#else
#error "mvm runs on x86-64 and arm64"
#endif
}

static int parse_parts(char *const *parts, size_t count, struct mvm_platform *platform, struct mvm_error **err)
{
	struct mvm_platform standard;

	mvm_platform_default(&standard);
	if (count == 1 && !strcasecmp(parts[0], "linux")) {
		*platform = standard;
		return 0;
	}
	if (count == 1)
		return mvm_platform_set("linux", parts[0], NULL, platform, err);
	return mvm_platform_set(parts[0], parts[1], count == 3 ? parts[2] : NULL, platform, err);
}

int mvm_platform_parse(const char *text, struct mvm_platform *platform, struct mvm_error **err)
{
	struct mvm_strv parts MVM_CLEAN_STRV = {0};
	bool empty = false;

	for (const char *at = text; at; at = strchr(at, '/') ? strchr(at, '/') + 1 : NULL) {
		mvm_strv_take(&parts, mvm_strndup(at, strcspn(at, "/")));
		empty |= !parts.items[parts.count - 1][0];
	}
	if (empty || parts.count > 3)
		return mvm_fail(err, MVM_ERR_INVALID,
				"invalid platform \"%.60s\"; write it as linux/amd64 or linux/arm64/v8", text);
	if (parse_parts(parts.items, parts.count, platform, err) < 0)
		return mvm_error_wrap(err, "invalid platform \"%.60s\"", text);
	return 0;
}

char *mvm_platform_format(const struct mvm_platform *platform)
{
	return mvm_format("%s/%s%s%s", platform->os, platform->architecture, *platform->variant ? "/" : "",
			  platform->variant);
}

/* "v8.2" is 802, no variant the architecture's oldest. -1 for what is no version. */
static int variant_number(const struct mvm_platform *platform)
{
	unsigned major = 0, minor = 0;
	int used = 0;

	if (!*platform->variant)
		return !strcmp(platform->architecture, "arm64") ? 800 : 100;
	if (sscanf(platform->variant, "v%2u%n.%2u%n", &major, &used, &minor, &used) < 1 || platform->variant[used])
		return -1;
	return (int)(major * 100 + minor);
}

/* ARMv9.n holds all of ARMv8.(n+5), and no more of ARMv8. */
static bool runs_older(const struct mvm_platform *wanted, int have, int need)
{
	if (!strcmp(wanted->architecture, "arm64") && have >= 900 && need < 900)
		return need <= have - 900 + 805;
	return need <= have;
}

int mvm_platform_match(const struct mvm_platform *wanted, const struct mvm_platform *offered)
{
	int have = variant_number(wanted), need = variant_number(offered);

	if (strcmp(wanted->os, offered->os) || strcmp(wanted->architecture, offered->architecture))
		return 0;
	if (!strcmp(wanted->variant, offered->variant))
		return 100000;
	if (have < 0 || need < 0 || !runs_older(wanted, have, need))
		return 0;
	return 1 + need;
}
