/*
 * Numbers as docker's flags take them.
 */
#include "cli.h"

#include <ctype.h>
#include <math.h>
#include <string.h>

#include "runtime/base/text.h"

int cli_parse_cpus(const char *text, int64_t *nano_cpus, struct mvm_error **err)
{
	char *end;
	double cpus;

	if (!text)
		return 0;
	cpus = strtod(text, &end);
	/* strtod() takes more than numbers as people write them. */
	if (!isdigit((unsigned char)text[*text == '.']) || strpbrk(text, "xX") || *end || cpus > 1e6)
		return mvm_fail(err, MVM_ERR_USAGE, "invalid argument \"%s\" for --cpus: not a number", text);
	*nano_cpus = (int64_t)llround(cpus * 1e9);
	return 0;
}

int cli_parse_bytes(const char *flag, const char *text, uint64_t *bytes, struct mvm_error **err)
{
	if (!text)
		return 0;
	if (!mvm_parse_size(text, bytes))
		return mvm_fail(err, MVM_ERR_USAGE, "invalid argument \"%s\" for --%s: a size such as 512m or 2g", text,
				flag);
	return 0;
}

int cli_parse_number(const char *flag, const char *text, int64_t *value, struct mvm_error **err)
{
	if (text && !mvm_parse_int(text, INT64_MIN, INT64_MAX, value))
		return mvm_fail(err, MVM_ERR_USAGE,
				"invalid argument \"%s\" for \"--%s\" flag: strconv.ParseInt: parsing \"%s\": "
				"invalid syntax",
				text, flag, text);
	return 0;
}
