/* What the commands that inspect share: documents for people, programs and templates. */
#ifndef MVM_CLI_INSPECT_H
#define MVM_CLI_INSPECT_H

#include "cli.h"

#define CLI_DOCUMENT_FORMAT_HELP "json (on one line), or a Go template: '{{.Id}}'"

/* inspect.c: a list of documents, indented; "json": on one line; else what a template makes of each. */
int cli_check_document_format(const char *format, struct mvm_error **err);
int cli_print_documents(const json_t *documents, const char *format, struct mvm_error **err);

/* Docker's documents, with names of images in full; the caller's. */
json_t *cli_describe_image(struct mvm_engine *engine, const struct mvm_image *image);
/* container_document.c */
json_t *cli_describe_container(struct mvm_engine *engine, const struct mvm_container *container, bool size);
/* document_ports.c: adds what is said of ports to the other parts. */
void cli_describe_ports(const struct mvm_container *container, json_t *document);
/* The same for what is mounted. */
void cli_describe_mounts(struct mvm_engine *engine, const struct mvm_container_config *config, json_t *document);

/* network_inspect.c: NULL with an error where its process does not answer. */
json_t *cli_describe_network(struct mvm_engine *engine, const struct mvm_network *network, struct mvm_error **err);

/* volume_inspect.c */
json_t *cli_describe_volume(struct mvm_engine *engine, const struct mvm_volume *volume);

#endif
