#include "trust.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stddef.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "failure.h"
#include "files.h"
#include "program.h"
#include "shared.h"
#include "sys.h"

#define FOLDER "/dev/mvm"
#define BUNDLE FOLDER "/ca-certificates.crt"
#define ADDED  FOLDER "/extra-ca-certificates.crt"

enum { OURS, FALLBACK };

/* Where distributions keep theirs: Debian, Alpine and Arch; Fedora and Amazon; RHEL; SUSE, twice; Alpine and the BSDs.
 */
static const char *const bundles[] = {
	"/etc/ssl/certs/ca-certificates.crt",
	"/etc/pki/tls/certs/ca-bundle.crt",
	"/etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem",
	"/etc/ssl/ca-bundle.pem",
	"/var/lib/ca-certificates/ca-bundle.pem",
	"/etc/ssl/cert.pem",
};

/* OpenSSL and what is built on it, Go, Python; curl; Python's requests; git; Node, which has a bundle built in. */
static const char *const variables[][2] = {
	{"SSL_CERT_FILE", BUNDLE},  {"CURL_CA_BUNDLE", BUNDLE},	    {"REQUESTS_CA_BUNDLE", BUNDLE},
	{"GIT_SSL_CAINFO", BUNDLE}, {"NODE_EXTRA_CA_CERTS", ADDED},
};

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

int trust_keep(const struct mvm_proto_machine *order, struct failure *failure)
{
	const char *fallback = order->ca_bundle ? order->ca_bundle : "";

	shared->has_trust = order->ca_certificates != NULL;
	if (!shared->has_trust)
		return 0;
	if (file_write(TRUST_ADDED, order->ca_certificates, strlen(order->ca_certificates)) ||
	    file_write(TRUST_FALLBACK, fallback, strlen(fallback)))
		return failure_set_errno(failure, MVM_PROTO_INTERNAL, "cannot keep the certificates");
	return 0;
}

int trust_open(int fds[2], struct failure *failure)
{
	fds[OURS] = fds[FALLBACK] = -1;
	if (!shared->has_trust)
		return 0;
	fds[OURS] = open(TRUST_ADDED, O_RDONLY | O_CLOEXEC);
	fds[FALLBACK] = open(TRUST_FALLBACK, O_RDONLY | O_CLOEXEC);
	if (fds[OURS] < 0 || fds[FALLBACK] < 0)
		return failure_set_errno(failure, MVM_PROTO_INTERNAL, "cannot open the certificates");
	return 0;
}

static struct text image_bundle(void)
{
	struct text text = {0};

	for (size_t i = 0; i < COUNT(bundles) && !text.length; i++)
		text = file_text(bundles[i]);
	return text;
}

static int write_texts(const char *path, struct text first, struct text second)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
	int rc;

	if (fd < 0)
		return -1;
	rc = file_append(fd, first.data, first.length);
	/* The last line of theirs may lack its end. */
	if (rc == 0 && first.length)
		rc = file_append(fd, "\n", 1);
	if (rc == 0)
		rc = file_append(fd, second.data, second.length);
	close(fd);
	return rc;
}

int trust_make(const int fds[2], struct failure *failure)
{
	struct text base, ours;

	if (fds[OURS] < 0)
		return 0;
	ours = file_text_of(fds[OURS]);
	base = image_bundle();
	if (!base.length)
		base = file_text_of(fds[FALLBACK]);
	close(fds[OURS]);
	close(fds[FALLBACK]);
	if (mkdir(FOLDER, 0755) || write_texts(ADDED, (struct text){0}, ours) || write_texts(BUNDLE, base, ours))
		return failure_set_errno(failure, MVM_PROTO_RESOURCE, "cannot write the certificates to %s", FOLDER);
	return 0;
}

static bool is_systems(const char *value)
{
	for (size_t i = 0; i < COUNT(bundles); i++)
		if (strcmp(value, bundles[i]) == 0)
			return true;
	return !*value;
}

static bool is_variable(const char *setting, const char *name)
{
	size_t length = strlen(name);

	return strncmp(setting, name, length) == 0 && setting[length] == '=';
}

/* What the variable is to be, or NULL where it stays. */
static char *setting_of(char *const *env, size_t i)
{
	const char *value = env_get(env, variables[i][0]);
	char *setting;

	if (value && !is_systems(value))
		return NULL;
	setting = sys_allocate(strlen(variables[i][0]) + strlen(variables[i][1]) + 2);
	if (setting)
		stpcpy(stpcpy(stpcpy(setting, variables[i][0]), "="), variables[i][1]);
	return setting;
}

char *const *trust_env(char *const *env)
{
	size_t count = 0, kept = 0;
	char **all;

	while (env && env[count])
		count++;
	all = shared->has_trust ? sys_allocate((count + COUNT(variables) + 1) * sizeof(*all)) : NULL;
	if (!all)
		return env;
	for (size_t i = 0; i < count; i++)
		all[kept++] = env[i];
	for (size_t i = 0; i < COUNT(variables); i++) {
		char *setting = setting_of(env, i);
		size_t left = 0;

		if (!setting)
			continue;
		for (size_t old = 0; old < kept; old++)
			if (!is_variable(all[old], variables[i][0]))
				all[left++] = all[old];
		kept = left;
		all[kept++] = setting;
	}
	all[kept] = NULL;
	return all;
}
