/*
 * Tar archives, as a writer without I/O: entries in, bytes out. The other direction of tar.h, with the same entries.
 *
 * Writes POSIX.1-1988 (ustar), and a POSIX.1-2001 (pax) extended header before an entry where that has no room for
 * something: long names, large files and numbers, times with fractions or before 1970, extended attributes
 * (SCHILY.xattr). Names are bytes. The same entries give the same bytes. A file's holes are written as zeros.
 *
 *   mvm_tar_write_entry(), the file's bytes, mvm_tar_write_padding(), ..., mvm_tar_write_end()
 */
#ifndef MVM_IMAGE_TAR_WRITE_H
#define MVM_IMAGE_TAR_WRITE_H

#include "runtime/base/mem.h"
#include "tar.h"

/* Appends the headers of an entry. The name of a folder gets its slash. UNSUPPORTED, naming the entry, where tar has no
 * way to say it, and then nothing is appended. */
int mvm_tar_write_entry(struct mvm_buf *tar, const struct mvm_tar_entry *entry, struct mvm_error **err);
/* What follows the content of a file of that size. */
void mvm_tar_write_padding(struct mvm_buf *tar, uint64_t size);
/* The end of the archive. */
void mvm_tar_write_end(struct mvm_buf *tar);

#endif
