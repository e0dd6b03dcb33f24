#include "certificates.h"

#include <openssl/err.h>
#include <openssl/pem.h>
#include <stdlib.h>
#include <string.h>

#include "runtime/base/error.h"
#include "runtime/base/io.h"
#include "runtime/base/log.h"
#include "runtime/base/mem.h"

#define FILE_NAME "ca-certificates.pem"

/* Written anew: without what may stand around it, a private key among that. */
static int add(X509 *certificate, const char *path, struct mvm_buf *pem, struct mvm_error **err)
{
	BIO *out = BIO_new(BIO_s_mem());
	char *text MVM_CLEAN_FREE = NULL;
	char *data;
	long length = 0;

	if (out && PEM_write_bio_X509(out, certificate))
		length = BIO_get_mem_data(out, &data);
	if (length > 0)
		text = mvm_strndup(data, (size_t)length);
	BIO_free(out);
	if (!text)
		return mvm_fail(err, MVM_ERR_INTERNAL, "%s: cannot write a certificate as PEM", path);
	if (pem->length && strstr(pem->data, text))
		return 0;
	if (pem->length + (size_t)length > MVM_CERTIFICATES_MAX)
		return mvm_fail(err, MVM_ERR_INVALID, "%s: with it there are more than %d KiB of certificates", path,
				MVM_CERTIFICATES_MAX / 1024);
	mvm_buf_add(pem, text, (size_t)length);
	return 0;
}

/* The error that ended the reading: the end, or a certificate that is none. */
static bool at_end(void)
{
	unsigned long error = ERR_peek_last_error();

	return ERR_GET_LIB(error) == ERR_LIB_PEM && ERR_GET_REASON(error) == PEM_R_NO_START_LINE;
}

static int add_all(BIO *in, const char *path, struct mvm_buf *pem, size_t *count, struct mvm_error **err)
{
	X509 *certificate;
	int result = 0;

	ERR_clear_error();
	while (result == 0 && (certificate = PEM_read_bio_X509(in, NULL, NULL, NULL))) {
		(*count)++;
		result = add(certificate, path, pem, err);
		X509_free(certificate);
	}
	if (result == 0 && !at_end())
		result = mvm_fail(err, MVM_ERR_INVALID, "%s: certificate %zu is damaged", path, *count + 1);
	ERR_clear_error();
	return result;
}

static int fail_none(const char *path, const char *text, struct mvm_error **err)
{
	if (strstr(text, "PRIVATE KEY-----"))
		return mvm_fail(err, MVM_ERR_INVALID,
				"%s: a private key, not a certificate; name the authority's certificate", path);
	return mvm_fail(err, MVM_ERR_INVALID,
			"%s: no certificate in PEM (-----BEGIN CERTIFICATE-----); 'openssl x509 -inform der' converts "
			"other ones",
			path);
}

int mvm_certificates_read(const char *path, struct mvm_buf *pem, struct mvm_error **err)
{
	char *text MVM_CLEAN_FREE = NULL;
	size_t length, count = 0;
	BIO *in;
	int result;

	if (mvm_read_file(path, (size_t)4 * MVM_CERTIFICATES_MAX, &text, &length, err) < 0)
		return -1;
	in = BIO_new_mem_buf(text, (int)length);
	if (!in)
		return mvm_fail(err, MVM_ERR_INTERNAL, "%s: no memory to read it", path);
	result = add_all(in, path, pem, &count, err);
	BIO_free(in);
	return result == 0 && !count ? fail_none(path, text, err) : result;
}

int mvm_certificates_save(const char *folder, const struct mvm_buf *pem, struct mvm_error **err)
{
	char *path MVM_CLEAN_FREE = mvm_format("%s/" FILE_NAME, folder);

	return pem->length ? mvm_replace_file(path, pem->data, pem->length, 0600, err) : 0;
}

int mvm_certificates_load(const char *folder, char **pem, struct mvm_error **err)
{
	char *path MVM_CLEAN_FREE = mvm_format("%s/" FILE_NAME, folder);
	struct mvm_error *cause MVM_CLEAN_ERROR = NULL;

	*pem = NULL;
	if (mvm_read_file(path, MVM_CERTIFICATES_MAX, pem, NULL, &cause) == 0 ||
	    mvm_error_code(cause) == MVM_ERR_NOT_FOUND)
		return 0;
	return mvm_error_move(err, &cause);
}

char *mvm_host_ca_bundle(void)
{
	const char *const places[] = {getenv("SSL_CERT_FILE"), "/etc/ssl/certs/ca-certificates.crt",
				      "/etc/pki/tls/certs/ca-bundle.crt", "/etc/ssl/ca-bundle.pem",
				      "/etc/ssl/cert.pem"};

	for (size_t i = 0; i < MVM_COUNT(places); i++) {
		struct mvm_error *err MVM_CLEAN_ERROR = NULL;
		char *text = NULL;
		size_t length;

		if (!places[i] || !*places[i])
			continue;
		if (mvm_read_file(places[i], MVM_CA_BUNDLE_MAX, &text, &length, &err) == 0 && strlen(text) == length)
			return text;
		free(text);
		if (mvm_error_code(err) != MVM_ERR_NOT_FOUND)
			mvm_log(MVM_LOG_WARN, "the host's certificates are not passed on: %s",
				err ? mvm_error_message(err) : places[i]);
	}
	return NULL;
}
