/* The description that describe.m writes. */
#include <stdio.h>
#include <string.h>

#include "internal.h"
#include "runtime/base/error.h"
#include "runtime/base/mem.h"

static int descriptor_of(const json_t *object, const char *name)
{
	json_int_t number = json_integer_value(json_object_get(object, name));

	return number < 0 ? -1 : WIRE_FIRST_FD + (int)number;
}

static const char *text_of(const json_t *object, const char *name)
{
	return json_string_value(json_object_get(object, name));
}

static bool is_true(const json_t *object, const char *name)
{
	const json_t *value = json_object_get(object, name);

	return json_is_true(value) || json_integer_value(value) != 0;
}

static int read_disks(struct machine *machine, struct mvm_error **err)
{
	const json_t *list = json_object_get(machine->description, "disks");

	machine->spec.disks = machine->disks;
	if (json_array_size(list) > DISKS_MAX)
		return mvm_fail(err, MVM_ERR_UNSUPPORTED, "too many disks");
	for (size_t i = 0; i < json_array_size(list); i++) {
		const json_t *disk = json_array_get(list, i);
		const char *serial = text_of(disk, "serial");

		machine->disks[machine->spec.disk_count++] = (struct mvm_machine_disk){
			.path = text_of(disk, "path"),
			.format = MVM_DISK_RAW,
			.read_only = is_true(disk, "readOnly"),
			.scratch = is_true(disk, "unsynced"),
			.serial = serial && *serial ? serial : NULL,
		};
	}
	return 0;
}

/* A network without a descriptor is the system's NAT, which QEMU would have to do. */
static int read_networks(struct machine *machine, struct mvm_error **err)
{
	const json_t *list = json_object_get(machine->description, "networks");

	machine->spec.nics = machine->nics;
	if (json_array_size(list) > MVM_MACHINE_NICS_MAX)
		return mvm_fail(err, MVM_ERR_UNSUPPORTED, "too many networks");
	for (size_t i = 0; i < json_array_size(list); i++) {
		const json_t *network = json_array_get(list, i);
		struct mvm_machine_nic *nic = &machine->nics[machine->spec.nic_count++];
		const char *mac = text_of(network, "mac");

		nic->fd = descriptor_of(network, "fd");
		if (nic->fd < 0)
			return mvm_fail(err, MVM_ERR_UNSUPPORTED, "the double has no NAT");
		if (sscanf(mac ? mac : "", "%2hhx:%2hhx:%2hhx:%2hhx:%2hhx:%2hhx", &nic->mac[0], &nic->mac[1],
			   &nic->mac[2], &nic->mac[3], &nic->mac[4], &nic->mac[5]) != 6)
			return mvm_fail(err, MVM_ERR_INVALID, "'%s' is no MAC address", mac ? mac : "");
	}
	return 0;
}

/* mvm-share shows folders by their number: others than those of mvm's own tree the double cannot show. */
static int read_folders(struct machine *machine, const json_t *share, struct mvm_error **err)
{
	const json_t *folders = json_object_get(share, "folders");

	for (size_t i = 0; i < json_array_size(folders); i++) {
		const json_t *folder = json_array_get(folders, i);
		char *number MVM_CLEAN_FREE = mvm_format("%zu", i);

		if (strcmp(text_of(folder, "name"), number) != 0)
			return mvm_fail(err, MVM_ERR_UNSUPPORTED,
					"the double shows folders by the names 0, 1, 2, ... only, not by '%s'",
					text_of(folder, "name"));
		mvm_shares_add(&machine->shares, text_of(folder, "path"), MVM_SHARE_FOLDER,
			       is_true(folder, "readOnly"));
	}
	return 0;
}

static int read_shares(struct machine *machine, struct mvm_error **err)
{
	const json_t *list = json_object_get(machine->description, "shares");

	if (json_array_size(list) > SHARES_MAX)
		return mvm_fail(err, MVM_ERR_UNSUPPORTED, "the double has one directory sharing device");
	if (json_array_size(list) == 0)
		return 0;
	machine->spec.fs_tag = text_of(json_array_get(list, 0), "tag");
	return read_folders(machine, json_array_get(list, 0), err);
}

static void read_rosetta(struct machine *machine)
{
	const json_t *rosetta = json_object_get(machine->description, "rosetta");

	machine->rosetta_tag = text_of(rosetta, "tag");
	machine->rosetta_folder = text_of(rosetta, "folder");
}

int machine_read_spec(struct machine *machine, const char *text, struct mvm_error **err)
{
	const json_t *console;

	if (mvm_json_parse(text, strlen(text), "the machine's description", &machine->description, err) < 0)
		return -1;
	machine->spec = (struct mvm_machine_spec){
		.kernel = text_of(machine->description, "kernel"),
		.initrd = text_of(machine->description, "initrd"),
		.kernel_args = text_of(machine->description, "commandLine"),
		.cpus = (unsigned)json_integer_value(json_object_get(machine->description, "cpus")),
		.memory = (uint64_t)json_integer_value(json_object_get(machine->description, "memory")),
		.vsock_fd = -1,
		.fs_fd = -1,
	};
	read_rosetta(machine);
	console = json_object_get(machine->description, "console");
	machine->console_in = descriptor_of(console, "in");
	machine->console_out = descriptor_of(console, "out");
	return read_disks(machine, err) < 0 || read_networks(machine, err) < 0 || read_shares(machine, err) < 0 ? -1
														: 0;
}
