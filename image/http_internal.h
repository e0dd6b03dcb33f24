/* What http.c and http_failure.c share. */
#ifndef MVM_IMAGE_HTTP_INTERNAL_H
#define MVM_IMAGE_HTTP_INTERNAL_H

#include "http.h"

bool mvm_http_is_connected(const struct mvm_http_transfer *transfer);
/* How long the server may be silent now. */
long mvm_http_stall_seconds(const struct mvm_http_transfer *transfer);

/* Fails with what `code` means for people. */
int mvm_http_failure(const struct mvm_http_transfer *transfer, CURLcode code, struct mvm_error **err);
/* A failure that another try may mend. */
bool mvm_http_may_pass(const struct mvm_http_transfer *transfer, CURLcode code);

#endif
