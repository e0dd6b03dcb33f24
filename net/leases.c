#include "leases.h"

#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <stdio.h>
#include <string.h>

#include "runtime/base/error.h"
#include "runtime/base/io.h"
#include "runtime/base/json.h"
#include "runtime/base/log.h"
#include "runtime/base/mem.h"

enum { FILE_MAX = 16 << 20 };

struct lease {
	struct lease *next;
	char *holder;
	uint32_t address;
	bool inherited;
};

struct mvm_leases {
	char *path;
	struct mvm_subnet subnet;
	uint32_t gateway;
	struct lease *first;
};

static struct lease *by_address(const struct mvm_leases *leases, uint32_t address)
{
	struct lease *lease = leases->first;

	while (lease && lease->address != address)
		lease = lease->next;
	return lease;
}

static struct lease *by_holder(const struct mvm_leases *leases, const char *holder)
{
	struct lease *lease = leases->first;

	while (lease && strcmp(lease->holder, holder) != 0)
		lease = lease->next;
	return lease;
}

static void add(struct mvm_leases *leases, const char *holder, uint32_t address, bool inherited)
{
	struct lease *lease = mvm_alloc(sizeof(*lease));

	*lease = (struct lease){
		.next = leases->first, .holder = mvm_strdup(holder), .address = address, .inherited = inherited};
	leases->first = lease;
}

static void drop(struct mvm_leases *leases, struct lease *lease)
{
	struct lease **at = &leases->first;

	while (*at != lease)
		at = &(*at)->next;
	*at = lease->next;
	free(lease->holder);
	free(lease);
}

/* Renamed into place, but not waited for to be on the disk: frames would wait, too. It is of use after this process's
 * end, not after the host's. */
static int replace(const char *path, const char *text)
{
	char *temporary MVM_CLEAN_FREE = mvm_format("%s.new", path);
	int fd MVM_CLEAN_FD = open(temporary, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

	if (fd < 0 || mvm_write_full(fd, text, strlen(text)) < 0)
		return -1;
	return rename(temporary, path);
}

static void save(const struct mvm_leases *leases)
{
	json_t *file MVM_CLEAN_JSON = json_object();
	char *text MVM_CLEAN_FREE = NULL;

	for (const struct lease *lease = leases->first; lease; lease = lease->next) {
		char address[MVM_SUBNET_TEXT];

		mvm_address_format(lease->address, address);
		json_object_set_new(file, lease->holder, json_string(address));
	}
	text = json_dumps(file, JSON_INDENT(2));
	if (!text || replace(leases->path, text) < 0)
		mvm_log(MVM_LOG_WARN, "cannot write %s: %s", leases->path, strerror(errno));
}

struct mvm_leases *mvm_leases_open(const char *path, const struct mvm_subnet *subnet, uint32_t gateway)
{
	struct mvm_leases *leases = mvm_alloc(sizeof(*leases));
	json_t *file MVM_CLEAN_JSON = NULL;
	const char *holder;
	json_t *value;

	*leases = (struct mvm_leases){.path = mvm_strdup(path), .subnet = *subnet, .gateway = gateway};
	if (mvm_json_load(path, FILE_MAX, &file, NULL) < 0)
		return leases;
	json_object_foreach(file, holder, value)
	{
		uint32_t address;

		if (json_is_string(value) && mvm_address_parse(json_string_value(value), &address, NULL) == 0 &&
		    mvm_subnet_is_host(subnet, address) && !by_address(leases, address))
			add(leases, holder, address, true);
	}
	return leases;
}

void mvm_leases_close(struct mvm_leases *leases)
{
	if (!leases)
		return;
	while (leases->first)
		drop(leases, leases->first);
	free(leases->path);
	free(leases);
}

static int find_free(const struct mvm_leases *leases, uint32_t *address, struct mvm_error **err)
{
	char text[MVM_SUBNET_TEXT];

	for (uint32_t at = leases->subnet.address + 1; mvm_subnet_is_host(&leases->subnet, at); at++)
		if (at != leases->gateway && !by_address(leases, at)) {
			*address = at;
			return 0;
		}
	mvm_subnet_format(&leases->subnet, text);
	return mvm_fail(err, MVM_ERR_CONFLICT, "no available IPv4 addresses on this network's address pools: %s", text);
}

static int check_wanted(const struct mvm_leases *leases, const char *holder, uint32_t wanted, struct mvm_error **err)
{
	const struct lease *other = by_address(leases, wanted);
	char text[MVM_SUBNET_TEXT], subnet[MVM_SUBNET_TEXT];

	mvm_address_format(wanted, text);
	mvm_subnet_format(&leases->subnet, subnet);
	if (!mvm_subnet_is_host(&leases->subnet, wanted))
		return mvm_fail(err, MVM_ERR_INVALID, "address %s is not one of the network's subnet %s", text, subnet);
	if (wanted == leases->gateway)
		return mvm_fail(err, MVM_ERR_CONFLICT, "address %s is the network's gateway", text);
	if (other && strcmp(other->holder, holder) != 0)
		return mvm_fail(err, MVM_ERR_CONFLICT, "Address already in use: %s is container %.12s's", text,
				other->holder);
	return 0;
}

int mvm_leases_take(struct mvm_leases *leases, const char *holder, uint32_t wanted, uint32_t *address,
		    struct mvm_error **err)
{
	struct lease *own = by_holder(leases, holder);

	if (wanted && check_wanted(leases, holder, wanted, err) < 0)
		return -1;
	if (!wanted && own)
		wanted = own->address;
	if (!wanted && find_free(leases, &wanted, err) < 0)
		return -1;
	if (own)
		drop(leases, own);
	add(leases, holder, wanted, false);
	*address = wanted;
	save(leases);
	return 0;
}

void mvm_leases_release(struct mvm_leases *leases, const char *holder)
{
	struct lease *own = by_holder(leases, holder);

	if (!own)
		return;
	drop(leases, own);
	save(leases);
}

void mvm_leases_expire(struct mvm_leases *leases)
{
	for (struct lease *lease = leases->first, *next; lease; lease = next) {
		next = lease->next;
		if (lease->inherited)
			drop(leases, lease);
	}
}

json_t *mvm_leases_status(const struct mvm_leases *leases)
{
	json_t *list = json_array();

	for (const struct lease *lease = leases->first; lease; lease = lease->next) {
		char address[MVM_SUBNET_TEXT];

		mvm_address_format(lease->address, address);
		json_array_append_new(list, json_pack("{ss, ss, sb}", "ip", address, "container", lease->holder, "live",
						      (int)!lease->inherited));
	}
	return list;
}
