/*
 * URLs as servers name them in their answers: resolving, queries, origins. By libcurl, whose own requests then see them
 * the same way; it must have been loaded (curl.h).
 *
 * Pure text, no I/O; what comes from a server is untrusted.
 */
#ifndef MVM_IMAGE_URL_H
#define MVM_IMAGE_URL_H

#include <stdbool.h>

/* `location` as a server means it that was asked for `base` (RFC 3986 §5.2), without a fragment. NULL for what is
 * neither http nor https, or holds a name and a password. The caller owns it. */
char *mvm_url_resolve(const char *base, const char *location);

/* The URL with one more field in its query. NULL where it is no URL. The caller owns it. */
char *mvm_url_with_field(const char *url, const char *name, const char *value);

/* Same scheme, host and port (RFC 6454 §5): the same credentials are good for both. */
bool mvm_url_same_origin(const char *a, const char *b);

/* Same host, whatever scheme and port. */
bool mvm_url_same_host(const char *a, const char *b);

#endif
