#include "duration.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "mem.h"

#define LONGEST 9.2e18

/* One "1.5h". */
static bool take_span(const char **text, double *nanoseconds)
{
	static const struct {
		const char *name;
		double size;
	} units[] = {{"ns", 1},	  {"us", 1e3},	 {"\xc2\xb5s", 1e3}, {"\xce\xbcs", 1e3},
		     {"ms", 1e6}, {"h", 3.6e12}, {"m", 6e10},	     {"s", 1e9}};
	size_t digits = strspn(*text, "0123456789."), unit = 0;
	char *number MVM_CLEAN_FREE = mvm_strndup(*text, digits);
	char *end;
	double value = strtod(number, &end);

	if (end == number || *end)
		return false;
	*text += digits;
	while (unit < MVM_COUNT(units) && strncmp(*text, units[unit].name, strlen(units[unit].name)) != 0)
		unit++;
	if (unit == MVM_COUNT(units))
		return false;
	*text += strlen(units[unit].name);
	*nanoseconds += value * units[unit].size;
	return true;
}

bool mvm_parse_duration(const char *text, int64_t *nanoseconds)
{
	int sign = *text == '-' ? -1 : 1;
	double span = 0;

	text += *text == '-' || *text == '+';
	if (!*text)
		return false;
	/* The only one without a unit. */
	if (!strcmp(text, "0"))
		text++;
	while (*text)
		if (!take_span(&text, &span))
			return false;
	if (span > LONGEST)
		return false;
	*nanoseconds = sign * (int64_t)llround(span);
	return true;
}

char *mvm_format_duration(int64_t nanoseconds)
{
	const char *sign = nanoseconds < 0 ? "-" : "";
	uint64_t left = nanoseconds < 0 ? -(uint64_t)nanoseconds : (uint64_t)nanoseconds;
	uint64_t minutes = left / 60000000000u, hours = minutes / 60;
	double seconds = (double)(left % 60000000000u) / 1e9;

	if (left && left < 1000)
		return mvm_format("%s%lluns", sign, (unsigned long long)left);
	if (left && left < 1000000)
		return mvm_format("%s%.6g\xc2\xb5s", sign, (double)left / 1e3);
	if (left && left < 1000000000)
		return mvm_format("%s%.9gms", sign, (double)left / 1e6);
	if (hours)
		return mvm_format("%s%lluh%llum%.11gs", sign, (unsigned long long)hours,
				  (unsigned long long)(minutes % 60), seconds);
	if (minutes)
		return mvm_format("%s%llum%.11gs", sign, (unsigned long long)minutes, seconds);
	return mvm_format("%s%.11gs", sign, seconds);
}
