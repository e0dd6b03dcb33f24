/*
 * libcurl, loaded when it is first needed. With all that it brings along it costs a process about 7 ms at its start,
 * and most commands never pull.
 *
 * Call mvm_curl_load() before anything else here, on one thread; mvm_registry_open() does.
 */
#ifndef MVM_IMAGE_CURL_H
#define MVM_IMAGE_CURL_H

#include <curl/curl.h>

struct mvm_error;

#define MVM_CURL_FUNCTIONS(X)                                                                                          \
	X(global_init)                                                                                                 \
	X(easy_init)                                                                                                   \
	X(easy_setopt)                                                                                                 \
	X(easy_getinfo)                                                                                                \
	X(easy_perform)                                                                                                \
	X(easy_cleanup)                                                                                                \
	X(easy_strerror)                                                                                               \
	X(easy_escape)                                                                                                 \
	X(getdate)                                                                                                     \
	X(free)                                                                                                        \
	X(slist_append)                                                                                                \
	X(slist_free_all)                                                                                              \
	X(multi_init)                                                                                                  \
	X(multi_add_handle)                                                                                            \
	X(multi_remove_handle)                                                                                         \
	X(multi_perform)                                                                                               \
	X(multi_poll)                                                                                                  \
	X(multi_info_read)                                                                                             \
	X(multi_cleanup)                                                                                               \
	X(url)                                                                                                         \
	X(url_set)                                                                                                     \
	X(url_get)                                                                                                     \
	X(url_cleanup)

/* mvm_curl.easy_init() is curl_easy_init(), and so on. */
struct mvm_curl {
#define MVM_CURL_MEMBER(name) __typeof__(&curl_##name) name;
	MVM_CURL_FUNCTIONS(MVM_CURL_MEMBER)
#undef MVM_CURL_MEMBER
};
extern struct mvm_curl mvm_curl;

/* UNSUPPORTED says which library is missing. */
int mvm_curl_load(struct mvm_error **err);

#endif
