/* What libcurl says went wrong, as a sentence that says on what and what to do. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "http_internal.h"
#include "runtime/base/error.h"

/* The proxy that was to lead to `host` and cannot be reached, "127.0.0.1 port 3128"; NULL where it is the host itself.
 * curl names whom it meant only in words. */
static char *lost_proxy(const struct mvm_http_transfer *transfer, const char *host)
{
	char peer[256], *url_host MVM_CLEAN_FREE = mvm_strdup(host);
	int port;

	url_host[strcspn(url_host, *url_host == '[' ? "]" : ":")] = '\0';
	if (sscanf(transfer->detail, "Failed to connect to %255s port %d", peer, &port) != 2 ||
	    !strcasecmp(peer, url_host + (*url_host == '[')))
		return NULL;
	return mvm_format("%s port %d", peer, port);
}

static int connect_failure(const struct mvm_http_transfer *transfer, const char *host, struct mvm_error **err)
{
	char *proxy MVM_CLEAN_FREE = lost_proxy(transfer, host);
	long errnum = 0;

	mvm_curl.easy_getinfo(transfer->curl, CURLINFO_OS_ERRNO, &errnum);
	if (proxy)
		return mvm_fail(
			err, MVM_ERR_NETWORK,
			"cannot connect to the proxy %s on the way to %s: %s; check https_proxy, http_proxy and "
			"no_proxy",
			proxy, host, errnum ? strerror((int)errnum) : transfer->detail);
	if (errnum == ECONNREFUSED)
		return mvm_fail(err, MVM_ERR_NETWORK, "connection refused by %s; is the registry running there?", host);
	return mvm_fail(err, MVM_ERR_NETWORK, "cannot connect to %s: %s; check the network and the proxy settings",
			host, errnum ? strerror((int)errnum) : transfer->detail);
}

static int timeout_failure(const struct mvm_http_transfer *transfer, const char *host, struct mvm_error **err)
{
	if (!mvm_http_is_connected(transfer))
		return mvm_fail(err, MVM_ERR_TIMEOUT, "%s did not answer within %ld s; check the network", host,
				transfer->limits->connect_seconds);
	return mvm_fail(err, MVM_ERR_TIMEOUT, "%s %s nothing for %ld s; the server hangs, try again later", host,
			transfer->last_up < transfer->request.body.length ? "took" : "sent",
			mvm_http_stall_seconds(transfer));
}

/* Only where it is the chain that lacks an end does another authority help. */
static bool lacks_authority(const struct mvm_http_transfer *transfer)
{
	/* OpenSSL's and LibreSSL's X509_V_ERR_*: no issuer (certificate), self-signed (leaf, chain), no issuer (local,
	 * leaf), untrusted. */
	static const long codes[] = {2, 18, 19, 20, 21, 27};
	long result = 0;

	mvm_curl.easy_getinfo(transfer->curl, CURLINFO_SSL_VERIFYRESULT, &result);
	for (size_t i = 0; i < MVM_COUNT(codes); i++)
		if (result == codes[i])
			return true;
	return false;
}

static int certificate_failure(const struct mvm_http_transfer *transfer, const char *host, const char *detail,
			       struct mvm_error **err)
{
	if (lacks_authority(transfer))
		return mvm_fail(
			err, MVM_ERR_NETWORK,
			"the certificate of %s is not trusted (%s); name the file with the certificate of its "
			"authority as {\"registries\": {\"%s\": {\"ca\": \"/path\"}}} in the config file, or in "
			"SSL_CERT_FILE",
			host, detail, host);
	return mvm_fail(err, MVM_ERR_NETWORK,
			"the certificate of %s is not valid (%s); the server needs another one, or your clock is wrong",
			host, detail);
}

/* With TLS 1.3 a server complains about the client's certificate when it is asked something, ... */
static bool wants_certificate(CURLcode code, const char *detail)
{
	return (code == CURLE_RECV_ERROR || code == CURLE_SEND_ERROR || code == CURLE_SSL_CONNECT_ERROR) &&
	       strstr(detail, "alert") && strstr(detail, "certificate");
}

/* ... and may have closed the connection by then, so that the complaint is lost. */
static bool may_want_certificate(const struct mvm_http_transfer *transfer, CURLcode code)
{
	return code == CURLE_SEND_ERROR && !transfer->last_moved && !strncmp(transfer->request.url, "https://", 8);
}

int mvm_http_failure(const struct mvm_http_transfer *transfer, CURLcode code, struct mvm_error **err)
{
	char *host MVM_CLEAN_FREE = mvm_http_host(transfer->request.url);
	const char *detail = *transfer->detail ? transfer->detail : mvm_curl.easy_strerror(code);

	if (may_want_certificate(transfer, code))
		return mvm_fail(
			err, MVM_ERR_NETWORK,
			"%s closed the connection before it took a request; if it wants a client certificate that it "
			"knows, put NAME.cert and NAME.key into ~/.config/containers/certs.d/%s/",
			host, host);
	if (wants_certificate(code, detail))
		return mvm_fail(err, MVM_ERR_NETWORK,
				"%s does not take us without a client certificate that it knows (%s); put NAME.cert "
				"and NAME.key "
				"into ~/.config/containers/certs.d/%s/",
				host, detail, host);
	switch (code) {
	case CURLE_ABORTED_BY_CALLBACK:
		return mvm_fail(err, MVM_ERR_INTERRUPTED, "interrupted");
	case CURLE_COULDNT_RESOLVE_HOST:
		return mvm_fail(err, MVM_ERR_NETWORK, "cannot find the host %s; check the name and the network", host);
	case CURLE_COULDNT_RESOLVE_PROXY:
		return mvm_fail(err, MVM_ERR_NETWORK, "cannot find the proxy: %s; check https_proxy and http_proxy",
				detail);
	case CURLE_COULDNT_CONNECT:
		return connect_failure(transfer, host, err);
	case CURLE_OPERATION_TIMEDOUT:
		return timeout_failure(transfer, host, err);
	case CURLE_PEER_FAILED_VERIFICATION:
		return certificate_failure(transfer, host, detail, err);
	case CURLE_SSL_CACERT_BADFILE:
		return mvm_fail(err, MVM_ERR_NETWORK,
				"the certificate authorities cannot be read (%s); see SSL_CERT_FILE", detail);
	case CURLE_SSL_CERTPROBLEM:
		return mvm_fail(err, MVM_ERR_NETWORK, "cannot use the client certificate %s for %s (%s)",
				transfer->request.tls->certificate, host, detail);
	case CURLE_SSL_CONNECT_ERROR:
		return mvm_fail(err, MVM_ERR_NETWORK,
				"no TLS with %s (%s); if it serves plain HTTP, say so with {\"registries\": {\"%s\": "
				"{\"insecure\": true}}} in the config file",
				host, detail, host);
	case CURLE_UNSUPPORTED_PROTOCOL:
		return mvm_fail(err, MVM_ERR_NETWORK, "%s redirects to where only plain HTTP is spoken; refused", host);
	case CURLE_TOO_MANY_REDIRECTS:
		return mvm_fail(err, MVM_ERR_NETWORK, "%s redirects in circles", host);
	case CURLE_PARTIAL_FILE:
	case CURLE_GOT_NOTHING:
	case CURLE_RECV_ERROR:
	case CURLE_SEND_ERROR:
		return mvm_fail(
			err, MVM_ERR_NETWORK, "%s closed the connection early after %llu bytes; try again later", host,
			(unsigned long long)(transfer->request.body.length ? transfer->last_up : transfer->received));
	default:
		return mvm_fail(err, MVM_ERR_NETWORK, "%s: %s", host, detail);
	}
}

bool mvm_http_may_pass(const struct mvm_http_transfer *transfer, CURLcode code)
{
	if (wants_certificate(code, transfer->detail))
		return false;
	switch (code) {
	case CURLE_PARTIAL_FILE:
	case CURLE_GOT_NOTHING:
	case CURLE_RECV_ERROR:
	case CURLE_SEND_ERROR:
	case CURLE_HTTP2:
	case CURLE_HTTP2_STREAM:
		return true;
	case CURLE_OPERATION_TIMEDOUT:
		/* A server that has sent something may do so again; one that is silent from the start will not. */
		return transfer->last_moved > 0;
	default:
		return false;
	}
}
