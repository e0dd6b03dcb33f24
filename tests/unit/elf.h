/* Programs that are nothing but a head: what a translator is told by. */
#ifndef MVM_TESTS_UNIT_ELF_H
#define MVM_TESTS_UNIT_ELF_H

#include "unit.h"

#if defined(__x86_64__)
enum { ELF_OURS = 62, ELF_OTHER = 183 };
#else
enum { ELF_OURS = 183, ELF_OTHER = 62 };
#endif

/* One for a 64-bit processor with a single program header, of which 1 is a part to load and 3 an interpreter. */
static inline void elf_write(const char *path, unsigned char machine, unsigned char part)
{
	unsigned char bytes[64 + 56] = {
		0x7f, 'E', 'L', 'F', 2, 1, 1, [16] = 2, [18] = machine, [32] = 64, [54] = 56, [56] = 1};
	struct mvm_error *err = NULL;

	bytes[64] = part;
	assert_ok(mvm_replace_file(path, (const char *)bytes, sizeof(bytes), 0755, &err));
}

#endif
