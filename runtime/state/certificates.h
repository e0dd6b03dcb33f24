/*
 * Authorities that programs in a container are to trust beside the image's: a file in the container's folder, written
 * before the container appears, and read at each of its starts.
 */
#ifndef MVM_STATE_CERTIFICATES_H
#define MVM_STATE_CERTIFICATES_H

#include <stddef.h>

struct mvm_buf;
struct mvm_error;

/* Of all together, and of the host's own bundle; the guest gets both in one message. */
enum { MVM_CERTIFICATES_MAX = 256 * 1024, MVM_CA_BUNDLE_MAX = 512 * 1024 };

/* Adds what a file of the user's holds in PEM, each certificate once and nothing else. INVALID where it is no such
 * file, or all would be too many; the message begins with the path. */
int mvm_certificates_read(const char *path, struct mvm_buf *pem, struct mvm_error **err);

/* Into the container's folder; nothing where there are none. */
int mvm_certificates_save(const char *folder, const struct mvm_buf *pem, struct mvm_error **err);
/* And back: the caller's text, or NULL where the container has none. */
int mvm_certificates_load(const char *folder, char **pem, struct mvm_error **err);

/* What the host itself trusts, for images that bring nothing: SSL_CERT_FILE, else where systems keep it. The caller's
 * text; NULL where there is none, or more than fits. */
char *mvm_host_ca_bundle(void);

#endif
