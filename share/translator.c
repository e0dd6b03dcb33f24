#include "translator.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "guest-agent/proto/proto.h"
#include "runtime/base/config.h"
#include "runtime/base/error.h"
#include "runtime/base/io.h"
#include "runtime/base/json.h"
#include "runtime/base/mem.h"

/* elf(5); macOS has no header for it. */
enum { CLASS_32 = 1, CLASS_64 = 2, LITTLE_ENDIAN_DATA = 1, BIG_ENDIAN_DATA = 2, CURRENT_VERSION = 1 };
enum { TYPE_PROGRAM = 2, TYPE_SHARED = 3, PART_INTERPRETER = 3 };
enum {
	MACHINE_386 = 3,
	MACHINE_MIPS = 8,
	MACHINE_PPC64 = 21,
	MACHINE_S390 = 22,
	MACHINE_ARM = 40,
	MACHINE_X86_64 = 62,
	MACHINE_AARCH64 = 183,
	MACHINE_RISCV = 243,
};
struct elf_header {
	unsigned char magic[4], class, data, version, abi, padding[8];
	uint16_t type, machine;
	uint32_t format;
	uint64_t entry, parts_offset, sections_offset;
	uint32_t flags;
	uint16_t size, part_size, part_count, section_size, section_count, names;
};
struct elf_part {
	uint32_t type, flags;
	uint64_t offset, virtual, physical, file_size, memory_size, alignment;
};
static_assert(sizeof(struct elf_header) == 64 && sizeof(struct elf_part) == 56, "as in the file");

/* What a VM has of itself, and what is asked of it most that it has not. */
static const struct {
	uint16_t machine;
	const char *usual, *natives[3];
} machines[] = {
	[MVM_ARCH_AMD64] = {MACHINE_X86_64, "arm64", {"amd64", "386", NULL}},
	[MVM_ARCH_ARM64] = {MACHINE_AARCH64, "amd64", {"arm64", NULL}},
};

/* By Go's name and QEMU's, and by what its programs begin with (elf(5)). */
static const struct architecture {
	const char *name, *qemu;
	unsigned char class, data, machine;
} architectures[] = {
	{"386", "i386", CLASS_32, LITTLE_ENDIAN_DATA, MACHINE_386},
	{"amd64", "x86_64", CLASS_64, LITTLE_ENDIAN_DATA, MACHINE_X86_64},
	{"arm", "arm", CLASS_32, LITTLE_ENDIAN_DATA, MACHINE_ARM},
	{"arm64", "aarch64", CLASS_64, LITTLE_ENDIAN_DATA, MACHINE_AARCH64},
	{"mips64le", "mips64el", CLASS_64, LITTLE_ENDIAN_DATA, MACHINE_MIPS},
	{"ppc64le", "ppc64le", CLASS_64, LITTLE_ENDIAN_DATA, MACHINE_PPC64},
	{"riscv64", "riscv64", CLASS_64, LITTLE_ENDIAN_DATA, MACHINE_RISCV},
	{"s390x", "s390x", CLASS_64, BIG_ENDIAN_DATA, MACHINE_S390},
};

#ifdef __APPLE__
enum { HAS_PACKAGES = false };
#else
enum { HAS_PACKAGES = true };
#endif

static const char *const folders[] = {"/usr/bin", "/usr/local/bin", "/opt/homebrew/bin"};

bool mvm_translator_native(enum mvm_arch vm, const char *name)
{
	for (const char *const *native = machines[vm].natives; *native; native++)
		if (!strcmp(*native, name))
			return true;
	return false;
}

const char *mvm_translator_usual(enum mvm_arch vm)
{
	return machines[vm].usual;
}

const char *const *mvm_translator_architectures(enum mvm_arch vm)
{
	static const char *list[MVM_COUNT(architectures) + 1];
	size_t count = 0;

	for (size_t i = 0; i < MVM_COUNT(architectures); i++)
		if (!mvm_translator_native(vm, architectures[i].name))
			list[count++] = architectures[i].name;
	list[count] = NULL;
	return list;
}

static const struct architecture *find_architecture(const char *name)
{
	for (size_t i = 0; i < MVM_COUNT(architectures); i++)
		if (!strcmp(architectures[i].name, name))
			return &architectures[i];
	return NULL;
}

/* What has an interpreter would look for it in the container. */
static bool is_static_program(enum mvm_arch vm, int fd)
{
	struct elf_header header;
	struct elf_part part;

	if (pread(fd, &header, sizeof(header), 0) != sizeof(header) || memcmp(header.magic, "\177ELF", 4) != 0 ||
	    header.class != CLASS_64 || header.data != LITTLE_ENDIAN_DATA || header.machine != machines[vm].machine ||
	    (header.type != TYPE_PROGRAM && header.type != TYPE_SHARED) || header.part_size != sizeof(part))
		return false;
	for (unsigned i = 0; i < header.part_count; i++)
		if (pread(fd, &part, sizeof(part), (off_t)(header.parts_offset + i * sizeof(part))) != sizeof(part) ||
		    part.type == PART_INTERPRETER)
			return false;
	return true;
}

int mvm_translator_check(enum mvm_arch vm, const char *path, struct mvm_error **err)
{
	int fd MVM_CLEAN_FD = open(path, O_RDONLY | O_CLOEXEC);

	struct stat status;

	if (fd < 0)
		return mvm_fail(err, errno == ENOENT ? MVM_ERR_NOT_FOUND : MVM_ERR_IO, "translator %s: %s", path,
				strerror(errno));
	if (fstat(fd, &status) == 0 && !(status.st_mode & 0111))
		return mvm_fail(err, MVM_ERR_INVALID, "translator %s: not executable", path);
	if (!is_static_program(vm, fd))
		return mvm_fail(err, MVM_ERR_INVALID,
				"translator %s: no static program for the machine's processor (%s)", path,
				mvm_arch_name(vm));
	return 0;
}

/* 1 where nothing is there that could be used. */
static int look_around(enum mvm_arch vm, const struct architecture *architecture, char **path)
{
	/* Newer Debians have static ones under the plain name. */
	static const char *const endings[] = {"-static", ""};

	for (size_t i = 0; i < MVM_COUNT(folders) * MVM_COUNT(endings); i++) {
		char *candidate = mvm_format("%s/qemu-%s%s", folders[i / MVM_COUNT(endings)], architecture->qemu,
					     endings[i % MVM_COUNT(endings)]);

		if (mvm_translator_check(vm, candidate, NULL) == 0) {
			*path = candidate;
			return 0;
		}
		free(candidate);
	}
	return 1;
}

bool mvm_translator_is_named(const struct mvm_config *config, const char *architecture)
{
	const json_t *section;

	/* What is no section is complained of by who takes the name. */
	return mvm_config_section(config, "translators", &section, NULL) < 0 ||
	       json_object_get(section, architecture) != NULL;
}

int mvm_translator_find(const struct mvm_config *config, enum mvm_arch vm, const char *name, char **path,
			struct mvm_error **err)
{
	const struct architecture *architecture = find_architecture(name);
	struct mvm_error *cause MVM_CLEAN_ERROR = NULL;
	const json_t *section;
	const char *given;

	if (!architecture)
		return mvm_fail(err, MVM_ERR_UNSUPPORTED, "there is no translator for %s programs", name);
	if (mvm_config_section(config, "translators", &section, err) < 0)
		return -1;
	if (mvm_json_get_string(section, name, NULL, &given, &cause) < 0 ||
	    (given && mvm_translator_check(vm, given, &cause) < 0))
		return mvm_config_fail(config, err, "\"translators\": %s", mvm_error_message(cause));
	if (given) {
		*path = mvm_strdup(given);
		return 0;
	}
	if (look_around(vm, architecture, path) == 0)
		return 0;
	/* The host's packages are for the host's processor, and on macOS not for Linux. */
	if (vm != MVM_ARCH_OWN || !HAS_PACKAGES)
		return mvm_fail(err, MVM_ERR_NOT_FOUND,
				"%s programs need a translator in a machine that is %s: name a static qemu-%s for it "
				"under \"translators\" in the configuration file",
				name, mvm_arch_name(vm), architecture->qemu);
	return mvm_fail(
		err, MVM_ERR_NOT_FOUND,
		"%s programs need a translator, qemu-%s-static, which is not here: `apt install qemu-user-static`, "
		"or name one under \"translators\" in the configuration file",
		name, architecture->qemu);
}

enum { MAGIC = 20, ABI = 7, TYPE = 16, MACHINE = 18 };

static void add_bytes(struct mvm_buf *rule, const unsigned char *bytes)
{
	mvm_buf_addf(rule, ":");
	for (size_t i = 0; i < MAGIC; i++)
		mvm_buf_addf(rule, "\\x%02x", bytes[i]);
}

/* Documentation/admin-guide/binfmt-misc.rst: the first bytes, but for the ABI, and with either type of program. */
static char *make_rule(const char *name, const char *path, const char *flags)
{
	const struct architecture *its = find_architecture(name);
	unsigned char magic[MAGIC] = {0x7f, 'E', 'L', 'F', its->class, its->data, CURRENT_VERSION}, mask[MAGIC];
	/* Where the lower byte of a 16-bit number is. */
	size_t low = its->data == LITTLE_ENDIAN_DATA ? 0 : 1;
	struct mvm_buf rule = {0};

	memset(mask, 0xff, sizeof(mask));
	mask[ABI] = 0;
	magic[TYPE + low] = TYPE_PROGRAM;
	mask[TYPE + low] = (unsigned char)~(TYPE_PROGRAM ^ TYPE_SHARED);
	magic[MACHINE + low] = its->machine;
	mvm_buf_addf(&rule, ":%s:M:", name);
	add_bytes(&rule, magic);
	add_bytes(&rule, mask);
	mvm_buf_addf(&rule, ":%s:%s", path, flags);
	return mvm_buf_steal(&rule);
}

/* O and C, so that unreadable and set-user-ID programs run as they would; P for argv[0]; F, for the name means nothing
 * in a container. */
char *mvm_translator_rule(const char *name, const char *path)
{
	return make_rule(name, path, "OCPF");
}

/* It does not take argv[0] as a word of its own: Apple's instructions say so. */
char *mvm_translator_rosetta_rule(const char *name)
{
	return make_rule(name, MVM_ROSETTA_ROOT "/rosetta", "OCF");
}
