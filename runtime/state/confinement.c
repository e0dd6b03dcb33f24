#include "confinement.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "runtime/base/error.h"
#include "runtime/base/mem.h"
#include "runtime/base/text.h"

/* By number, as the kernel has them (capabilities(7)). */
static const char *const capabilities[] = {
	"CAP_CHOWN",
	"CAP_DAC_OVERRIDE",
	"CAP_DAC_READ_SEARCH",
	"CAP_FOWNER",
	"CAP_FSETID",
	"CAP_KILL",
	"CAP_SETGID",
	"CAP_SETUID",
	"CAP_SETPCAP",
	"CAP_LINUX_IMMUTABLE",
	"CAP_NET_BIND_SERVICE",
	"CAP_NET_BROADCAST",
	"CAP_NET_ADMIN",
	"CAP_NET_RAW",
	"CAP_IPC_LOCK",
	"CAP_IPC_OWNER",
	"CAP_SYS_MODULE",
	"CAP_SYS_RAWIO",
	"CAP_SYS_CHROOT",
	"CAP_SYS_PTRACE",
	"CAP_SYS_PACCT",
	"CAP_SYS_ADMIN",
	"CAP_SYS_BOOT",
	"CAP_SYS_NICE",
	"CAP_SYS_RESOURCE",
	"CAP_SYS_TIME",
	"CAP_SYS_TTY_CONFIG",
	"CAP_MKNOD",
	"CAP_LEASE",
	"CAP_AUDIT_WRITE",
	"CAP_AUDIT_CONTROL",
	"CAP_SETFCAP",
	"CAP_MAC_OVERRIDE",
	"CAP_MAC_ADMIN",
	"CAP_SYSLOG",
	"CAP_WAKE_ALARM",
	"CAP_BLOCK_SUSPEND",
	"CAP_AUDIT_READ",
	"CAP_PERFMON",
	"CAP_BPF",
	"CAP_CHECKPOINT_RESTORE",
};

/* What docker gives without being asked. */
static const char *const default_capabilities[] = {
	"CAP_CHOWN",   "CAP_DAC_OVERRIDE", "CAP_FSETID",	   "CAP_FOWNER",
	"CAP_MKNOD",   "CAP_NET_RAW",	   "CAP_SETGID",	   "CAP_SETUID",
	"CAP_SETFCAP", "CAP_SETPCAP",	   "CAP_NET_BIND_SERVICE", "CAP_SYS_CHROOT",
	"CAP_KILL",    "CAP_AUDIT_WRITE",
};

static const char all[] = "ALL";

const char *mvm_capability_name(size_t number)
{
	return number < MVM_COUNT(capabilities) ? capabilities[number] : NULL;
}

static const char *capability_name(const char *text)
{
	if (!strcasecmp(text, all))
		return all;
	if (!strncasecmp(text, "CAP_", 4))
		text += 4;
	for (size_t i = 0; i < MVM_COUNT(capabilities); i++)
		if (!strcasecmp(text, capabilities[i] + 4))
			return capabilities[i];
	return NULL;
}

static bool contains(const struct mvm_strv *names, const char *name)
{
	for (size_t i = 0; i < names->count; i++)
		if (!strcmp(names->items[i], name))
			return true;
	return false;
}

static int by_name(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

static int unknown_capability(const char *text, const char *flag, struct mvm_error **err)
{
	char *upper MVM_CLEAN_FREE = mvm_strdup(text);

	for (char *at = upper; *at; at++)
		*at = (char)toupper((unsigned char)*at);
	return mvm_fail(err, MVM_ERR_USAGE, "invalid %s: unknown capability: \"%s%s\"", flag,
			strncmp(upper, "CAP_", 4) ? "CAP_" : "", upper);
}

int mvm_capabilities_normalize(const struct mvm_strv *given, const char *flag, struct mvm_strv *names,
			       struct mvm_error **err)
{
	for (size_t i = 0; given && i < given->count; i++) {
		const char *name = capability_name(given->items[i]);

		if (!name)
			return unknown_capability(given->items[i], flag, err);
		if (!contains(names, name))
			mvm_strv_add(names, name);
	}
	if (names->count)
		qsort(names->items, names->count, sizeof(char *), by_name);
	return 0;
}

static uint64_t bits_of(const char *const *names, size_t count)
{
	uint64_t bits = 0;

	for (size_t i = 0; i < count; i++)
		for (size_t bit = 0; bit < MVM_COUNT(capabilities); bit++)
			if (!strcmp(names[i], capabilities[bit]))
				bits |= UINT64_C(1) << bit;
	return bits;
}

/* Docker's rules: with all of them added, those that are dropped go; else what is added comes on top of what is left.
 */
uint64_t mvm_capabilities_of(bool privileged, const struct mvm_strv *add, const struct mvm_strv *drop)
{
	uint64_t added = bits_of((const char *const *)add->items, add->count);
	uint64_t dropped = bits_of((const char *const *)drop->items, drop->count);

	if (privileged)
		return UINT64_MAX;
	if (contains(add, all))
		return ~dropped;
	if (contains(drop, all))
		return added;
	return (bits_of(default_capabilities, MVM_COUNT(default_capabilities)) & ~dropped) | added;
}

/* Go's ParseBool */
static int parse_bool(const char *text, bool *value)
{
	static const char *const yes[] = {"1", "t", "T", "true", "TRUE", "True"};
	static const char *const no[] = {"0", "f", "F", "false", "FALSE", "False"};

	for (size_t i = 0; i < MVM_COUNT(yes); i++) {
		if (strcmp(text, yes[i]) && strcmp(text, no[i]))
			continue;
		*value = !strcmp(text, yes[i]);
		return 0;
	}
	return -1;
}

/* Guests have no such filter or policy of ours, so that to go without is all there is. */
static int check_unfiltered(const char *option, const char *value, const char *expected, struct mvm_error **err)
{
	if (!strcmp(value, expected))
		return 0;
	return mvm_fail(err, MVM_ERR_USAGE,
			"--security-opt %s is not supported: the boundary of a container is its virtual machine, which "
			"has no seccomp profile, AppArmor or SELinux",
			option);
}

static int parse_security(const char *option, struct mvm_security *security, struct mvm_error **err)
{
	const char *sign = strchr(option, '=') ? strchr(option, '=') : strchr(option, ':');
	char *key MVM_CLEAN_FREE = mvm_strndup(option, sign ? (size_t)(sign - option) : strlen(option));
	const char *value = sign ? sign + 1 : "";

	if (!strcmp(option, "no-new-privileges")) {
		security->no_new_privileges = true;
		return 0;
	}
	if (!*value)
		return mvm_fail(err, MVM_ERR_USAGE, "invalid --security-opt: \"%s\"", option);
	if (!strcmp(key, "no-new-privileges") && parse_bool(value, &security->no_new_privileges) == 0)
		return 0;
	if (!strcmp(key, "systempaths") && !strcmp(value, "unconfined")) {
		security->unmasked = true;
		return 0;
	}
	if (!strcmp(key, "seccomp") || !strcmp(key, "apparmor"))
		return check_unfiltered(option, value, "unconfined", err);
	if (!strcmp(key, "label"))
		return check_unfiltered(option, value, "disable", err);
	return mvm_fail(err, MVM_ERR_USAGE, "invalid --security-opt 2: \"%s\"", option);
}

int mvm_security_parse(const struct mvm_strv *options, struct mvm_security *security, struct mvm_error **err)
{
	*security = (struct mvm_security){0};
	for (size_t i = 0; options && i < options->count; i++)
		if (parse_security(options->items[i], security, err) < 0)
			return -1;
	return 0;
}

static int parse_limit(const char *text, int64_t *value, struct mvm_error **err)
{
	if (!mvm_parse_int(text, INT64_MIN, INT64_MAX, value))
		return mvm_fail(err, MVM_ERR_USAGE, "strconv.ParseInt: parsing \"%s\": invalid syntax", text);
	return 0;
}

static int parse_limits(const char *text, struct mvm_ulimit *limit, struct mvm_error **err)
{
	const char *colon = strchr(text, ':');
	char *soft MVM_CLEAN_FREE = mvm_strndup(text, strcspn(text, ":"));

	if (colon && strchr(colon + 1, ':'))
		return mvm_fail(err, MVM_ERR_USAGE,
				"too many limit value arguments - %s, can only have up to two, `soft[:hard]`", text);
	if (parse_limit(soft, &limit->soft, err) < 0 || parse_limit(colon ? colon + 1 : soft, &limit->hard, err) < 0)
		return -1;
	if (limit->hard != -1 && limit->soft == -1)
		return mvm_fail(err, MVM_ERR_USAGE,
				"ulimit soft limit must be less than or equal to hard limit: soft: -1 (unlimited), "
				"hard: %lld",
				(long long)limit->hard);
	if (limit->hard != -1 && limit->soft > limit->hard)
		return mvm_fail(err, MVM_ERR_USAGE,
				"ulimit soft limit must be less than or equal to hard limit: %lld > %lld",
				(long long)limit->soft, (long long)limit->hard);
	return 0;
}

int mvm_ulimit_parse(const char *text, struct mvm_ulimit *limit, struct mvm_error **err)
{
	/* By Linux's number; docker has no "as". */
	static const char *const names[] = {"cpu",	"fsize",  "data",    "stack", "core",  "rss",
					    "nproc",	"nofile", "memlock", NULL,    "locks", "sigpending",
					    "msgqueue", "nice",	  "rtprio",  "rttime"};
	size_t length = strcspn(text, "=");

	if (!text[length] || !text[length + 1])
		return mvm_fail(err, MVM_ERR_USAGE, "invalid ulimit argument: %s", text);
	for (unsigned i = 0; i < MVM_COUNT(names); i++) {
		if (!names[i] || strlen(names[i]) != length || strncmp(names[i], text, length))
			continue;
		limit->resource = i;
		return parse_limits(text + length + 1, limit, err);
	}
	return mvm_fail(err, MVM_ERR_USAGE, "invalid ulimit type: %.*s", (int)length, text);
}

int mvm_sysctl_check(const char *text, struct mvm_error **err)
{
	static const char *const names[] = {"kernel.msgmax", "kernel.msgmnb",	      "kernel.msgmni",
					    "kernel.sem",    "kernel.shmall",	      "kernel.shmmax",
					    "kernel.shmmni", "kernel.shm_rmid_forced"};
	static const char *const prefixes[] = {"net.", "fs.mqueue."};
	size_t length = strcspn(text, "=");

	for (size_t i = 0; text[length] && i < MVM_COUNT(names); i++)
		if (strlen(names[i]) == length && !strncmp(names[i], text, length))
			return 0;
	for (size_t i = 0; text[length] && i < MVM_COUNT(prefixes); i++)
		if (!strncmp(text, prefixes[i], strlen(prefixes[i])) && !memchr(text, '/', length))
			return 0;
	return mvm_fail(err, MVM_ERR_USAGE, "sysctl '%s' is not allowed", text);
}

static bool is_tmpfs_option(const char *word, size_t length)
{
	static const char *const flags[] = {"defaults",	  "ro",	      "rw",	    "suid",	   "nosuid",
					    "dev",	  "nodev",    "exec",	    "noexec",	   "sync",
					    "async",	  "dirsync",  "atime",	    "noatime",	   "diratime",
					    "nodiratime", "relatime", "norelatime", "strictatime", "nostrictatime"};
	static const char *const keys[] = {"size=", "mode=", "uid=", "gid=", "nr_inodes=", "nr_blocks=", "mpol="};

	for (size_t i = 0; i < MVM_COUNT(flags); i++)
		if (strlen(flags[i]) == length && !strncmp(word, flags[i], length))
			return true;
	for (size_t i = 0; i < MVM_COUNT(keys); i++)
		if (!strncmp(word, keys[i], strlen(keys[i])))
			return true;
	return false;
}

/* Whether the path means the root, by its words alone. */
static bool is_root(const char *path, size_t length)
{
	size_t depth = 0;

	for (const char *end = path + length; path < end;) {
		size_t name = strcspn(path, "/:");

		if (name == 2 && !strncmp(path, "..", 2))
			depth -= depth > 0;
		else if (name && !(name == 1 && *path == '.'))
			depth++;
		path += name + 1;
	}
	return depth == 0;
}

int mvm_tmpfs_check(const char *text, struct mvm_error **err)
{
	const char *word = text + strcspn(text, ":");

	if (*text != '/')
		return mvm_fail(err, MVM_ERR_USAGE, "invalid mount path: '%.*s' mount path must be absolute",
				(int)(word - text), text);
	if (is_root(text, (size_t)(word - text)))
		return mvm_fail(err, MVM_ERR_USAGE, "invalid specification: destination can't be '/'");
	while (*word) {
		size_t length = strcspn(++word, ",");

		if (length && !is_tmpfs_option(word, length))
			return mvm_fail(err, MVM_ERR_USAGE, "invalid tmpfs option \"%.*s\"", (int)length, word);
		word += length;
	}
	return 0;
}
