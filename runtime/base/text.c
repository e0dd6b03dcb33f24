#include "text.h"

#include <ctype.h>
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/random.h>

#include "io.h"
#include "mem.h"

bool mvm_parse_int(const char *text, int64_t min, int64_t max, int64_t *value)
{
	char *end;
	long long parsed;

	if (!isdigit((unsigned char)*text) && !(*text == '-' && isdigit((unsigned char)text[1])))
		return false;
	errno = 0;
	parsed = strtoll(text, &end, 10);
	if (*end || errno || parsed < min || parsed > max)
		return false;
	*value = parsed;
	return true;
}

/* C0 and DEL, and C1 in UTF-8, which begins with 0xc2. */
void mvm_mask_controls(char *text)
{
	for (unsigned char *at = (unsigned char *)text; *at; at++) {
		if (*at < ' ' || *at == 0x7f)
			*at = '?';
		else if (*at == 0xc2 && at[1] >= 0x80 && at[1] < 0xa0)
			at[0] = at[1] = '?';
	}
}

static bool parse_size(const char *text, double base, uint64_t *bytes)
{
	static const char units[] = "bkmgtp";
	double scale = 1, number;
	const char *unit;
	char *end;

	/* What strtod() takes beyond that is no size: signs, hexadecimal, infinity. */
	if (!isdigit((unsigned char)text[*text == '.']) || tolower((unsigned char)text[1]) == 'x')
		return false;
	number = strtod(text, &end);
	while (*end == ' ')
		end++;
	if (*end) {
		unit = strchr(units, tolower((unsigned char)*end));
		if (!unit)
			return false;
		scale = pow(base, (double)(unit - units));
		end++;
		if (unit != units && (!strcasecmp(end, "b") || !strcasecmp(end, "ib")))
			end += strlen(end);
	}
	if (*end || !isfinite(number) || number * scale >= 9.2e18)
		return false;
	*bytes = (uint64_t)(number * scale);
	return true;
}

bool mvm_parse_size(const char *text, uint64_t *bytes)
{
	return parse_size(text, 1024, bytes);
}

bool mvm_parse_decimal_size(const char *text, uint64_t *bytes)
{
	return parse_size(text, 1000, bytes);
}

/* The guest is Linux, whatever the host calls its signals (asm-generic/signal.h). */
static const char *const signal_names[] = {
	[1] = "HUP",   [2] = "INT",	[3] = "QUIT",  [4] = "ILL",    [5] = "TRAP",	[6] = "ABRT",  [7] = "BUS",
	[8] = "FPE",   [9] = "KILL",	[10] = "USR1", [11] = "SEGV",  [12] = "USR2",	[13] = "PIPE", [14] = "ALRM",
	[15] = "TERM", [16] = "STKFLT", [17] = "CHLD", [18] = "CONT",  [19] = "STOP",	[20] = "TSTP", [21] = "TTIN",
	[22] = "TTOU", [23] = "URG",	[24] = "XCPU", [25] = "XFSZ",  [26] = "VTALRM", [27] = "PROF", [28] = "WINCH",
	[29] = "IO",   [30] = "PWR",	[31] = "SYS",  [34] = "RTMIN", [64] = "RTMAX",
};

const char *mvm_signal_name(int signo)
{
	if (signo < 0 || (size_t)signo >= MVM_COUNT(signal_names))
		return NULL;
	return signal_names[signo];
}

bool mvm_parse_signal(const char *text, int *signo)
{
	int64_t number;

	if (mvm_parse_int(text, 1, 64, &number)) {
		*signo = (int)number;
		return true;
	}
	if (!strncasecmp(text, "SIG", 3))
		text += 3;
	for (size_t i = 1; i < MVM_COUNT(signal_names); i++) {
		if (signal_names[i] && !strcasecmp(text, signal_names[i])) {
			*signo = (int)i;
			return true;
		}
	}
	if (!strncasecmp(text, "RTMIN+", 6) && mvm_parse_int(text + 6, 0, 30, &number)) {
		*signo = 34 + (int)number;
		return true;
	}
	if (!strncasecmp(text, "RTMAX-", 6) && mvm_parse_int(text + 6, 0, 30, &number)) {
		*signo = 64 - (int)number;
		return true;
	}
	return false;
}

char *mvm_format_size(uint64_t bytes)
{
	static const char *const units[] = {"B", "kB", "MB", "GB", "TB", "PB", "EB"};
	double value = (double)bytes;
	size_t unit = 0;

	/* What three digits would round to 1000 is one of the next unit. */
	while (value >= 999.5 && unit + 1 < MVM_COUNT(units)) {
		value /= 1000;
		unit++;
	}
	return mvm_format(unit ? "%.3g%s" : "%.4g%s", value, units[unit]);
}

char *mvm_format_age(int64_t seconds)
{
	int64_t minutes = seconds / 60, hours = (minutes + 30) / 60;

	if (seconds < 1)
		return mvm_strdup("Less than a second");
	if (seconds == 1)
		return mvm_strdup("1 second");
	if (seconds < 60)
		return mvm_format("%lld seconds", (long long)seconds);
	if (minutes == 1)
		return mvm_strdup("About a minute");
	if (minutes < 60)
		return mvm_format("%lld minutes", (long long)minutes);
	if (hours == 1)
		return mvm_strdup("About an hour");
	if (hours < 48)
		return mvm_format("%lld hours", (long long)hours);
	if (hours < 24 * 7 * 2)
		return mvm_format("%lld days", (long long)(hours / 24));
	if (hours < 24 * 30 * 2)
		return mvm_format("%lld weeks", (long long)(hours / 24 / 7));
	if (hours < 24 * 365 * 2)
		return mvm_format("%lld months", (long long)(hours / 24 / 30));
	return mvm_format("%lld years", (long long)(hours / 24 / 365));
}

void mvm_format_time(const struct timespec *time, char *out)
{
	struct tm parts;
	size_t length;

	gmtime_r(&time->tv_sec, &parts);
	length = strftime(out, MVM_TIME_LENGTH + 1, "%Y-%m-%dT%H:%M:%S", &parts);
	snprintf(out + length, MVM_TIME_LENGTH + 1 - length, ".%09ldZ", time->tv_nsec);
}

bool mvm_parse_time(const char *text, struct timespec *time)
{
	struct tm parts = {0};
	const char *rest = strptime(text, "%Y-%m-%dT%H:%M:%S", &parts);
	int hours, minutes, used = 0;
	long nanoseconds = 0;
	time_t offset = 0;
	char sign;

	if (!rest)
		return false;
	if (*rest == '.') {
		long scale = 100000000;

		for (rest++; isdigit((unsigned char)*rest); rest++, scale /= 10)
			nanoseconds += (*rest - '0') * scale;
	}
	if (sscanf(rest, "%c%2d:%2d%n", &sign, &hours, &minutes, &used) == 3 && !rest[used] &&
	    (sign == '+' || sign == '-'))
		offset = (sign == '-' ? -1 : 1) * (hours * 3600 + minutes * 60);
	else if (strcmp(rest, "Z"))
		return false;
	time->tv_sec = timegm(&parts) - offset;
	time->tv_nsec = nanoseconds;
	return true;
}

void mvm_random(void *data, size_t length)
{
	enum { MOST = 256 }; /* that the call gives at once */
	unsigned char *at = data;

	/* Without a descriptor: whoever has none left still needs names and numbers that nobody guesses. */
	while (length > 0) {
		size_t piece = length < MOST ? length : MOST;

		if (getentropy(at, piece) < 0)
			abort();
		at += piece;
		length -= piece;
	}
}

void mvm_hex(const void *data, size_t length, char *out)
{
	static const char digits[] = "0123456789abcdef";
	const unsigned char *bytes = data;

	for (size_t i = 0; i < length; i++) {
		out[2 * i] = digits[bytes[i] >> 4];
		out[2 * i + 1] = digits[bytes[i] & 15];
	}
	out[2 * length] = '\0';
}

bool mvm_has_label(const struct mvm_strv *labels, const char *wanted)
{
	size_t length = strlen(wanted);

	for (size_t i = 0; i < labels->count; i++) {
		const char *label = labels->items[i];

		if (strchr(wanted, '=') ? !strcmp(label, wanted)
					: !strncmp(label, wanted, length) && label[length] == '=')
			return true;
	}
	return false;
}

bool mvm_is_within(const char *path, const char *folder)
{
	size_t length = strlen(folder);

	return !strncmp(path, folder, length) && (!path[length] || path[length] == '/' || !strcmp(folder, "/"));
}
