#include "moment.h"

#include <ctype.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "runtime/base/duration.h"
#include "runtime/base/error.h"
#include "runtime/base/mem.h"
#include "runtime/base/text.h"

#define SECOND	  1000000000LL
#define MAX_YEARS 9999

/* Exactly `count` digits. */
static bool take_number(const char **text, size_t count, int min, int max, int *value)
{
	*value = 0;
	for (size_t i = 0; i < count; i++) {
		if (!isdigit((unsigned char)(*text)[i]))
			return false;
		*value = *value * 10 + ((*text)[i] - '0');
	}
	*text += count;
	return *value >= min && *value <= max;
}

/* ".5", of which nine digits count. */
static bool take_fraction(const char **text, long *nanoseconds)
{
	long scale = SECOND / 10;

	*nanoseconds = 0;
	if (**text != '.')
		return true;
	if (!isdigit((unsigned char)*++*text))
		return false;
	for (; isdigit((unsigned char)**text); ++*text, scale /= 10)
		*nanoseconds += (**text - '0') * scale;
	return true;
}

static bool take_time_of_day(const char **text, struct tm *parts, long *nanoseconds)
{
	if (!take_number(text, 2, 0, 23, &parts->tm_hour))
		return false;
	if (**text != ':')
		return true;
	++*text;
	if (!take_number(text, 2, 0, 59, &parts->tm_min))
		return false;
	if (**text != ':')
		return true;
	++*text;
	return take_number(text, 2, 0, 59, &parts->tm_sec) && take_fraction(text, nanoseconds);
}

static bool take_date(const char **text, struct tm *parts)
{
	static const int days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
	int year, month, last;

	if (!take_number(text, 4, 1, MAX_YEARS, &year) || *(*text)++ != '-' || !take_number(text, 2, 1, 12, &month) ||
	    *(*text)++ != '-')
		return false;
	parts->tm_year = year - 1900;
	parts->tm_mon = month - 1;
	last = days[month - 1] + (month == 2 && year % 4 == 0 && (year % 100 != 0 || year % 400 == 0));
	return take_number(text, 2, 1, last, &parts->tm_mday);
}

/* What is left must be a zone, or nothing. */
static bool settle_zone(const char *text, struct tm *parts, time_t *seconds)
{
	int sign = *text == '-' ? -1 : 1, hours, minutes;

	if (!*text) {
		parts->tm_isdst = -1;
		*seconds = mktime(parts);
		return true;
	}
	*seconds = timegm(parts);
	if (!strcasecmp(text, "z"))
		return true;
	if (*text != '+' && *text != '-')
		return false;
	text++;
	if (!take_number(&text, 2, 0, 24, &hours) || *text++ != ':' || !take_number(&text, 2, 0, 60, &minutes) || *text)
		return false;
	*seconds -= (time_t)sign * (hours * 3600 + minutes * 60);
	return true;
}

static bool parse_date(const char *text, struct timespec *moment)
{
	struct tm parts = {0};
	long nanoseconds = 0;

	if (!take_date(&text, &parts))
		return false;
	if (*text == 'T') {
		text++;
		if (!take_time_of_day(&text, &parts, &nanoseconds))
			return false;
	}
	moment->tv_nsec = nanoseconds;
	return settle_zone(text, &parts, &moment->tv_sec);
}

static bool parse_seconds(const char *text, struct timespec *moment)
{
	size_t digits = strspn(text, "0123456789");
	char *whole MVM_CLEAN_FREE = mvm_strndup(text, digits);
	int64_t seconds;
	long nanoseconds;

	text += digits;
	if (!mvm_parse_int(whole, 0, INT64_MAX, &seconds) || !take_fraction(&text, &nanoseconds) || *text)
		return false;
	*moment = (struct timespec){(time_t)seconds, nanoseconds};
	return true;
}

static bool parse_past(const char *text, struct timespec *moment)
{
	int64_t ago, nanoseconds;

	if (!mvm_parse_duration(text, &ago))
		return false;
	clock_gettime(CLOCK_REALTIME, moment);
	nanoseconds = moment->tv_nsec - ago % SECOND;
	moment->tv_sec -= ago / SECOND;
	moment->tv_sec += nanoseconds < 0 ? -1 : nanoseconds / SECOND;
	moment->tv_nsec = (nanoseconds + SECOND) % SECOND;
	return true;
}

bool cli_parse_moment(const char *text, struct timespec *moment)
{
	return parse_seconds(text, moment) || parse_past(text, moment) || parse_date(text, moment);
}

int cli_parse_limit(const char *option, const char *text, struct timespec *moment, const struct timespec **limit,
		    struct mvm_error **err)
{
	if (!text || !*text)
		return 0;
	if (!cli_parse_moment(text, moment))
		return mvm_fail(err, MVM_ERR_USAGE,
				"invalid value for \"%s\": failed to parse value as time or duration: \"%s\"", option,
				text);
	*limit = moment;
	return 0;
}
