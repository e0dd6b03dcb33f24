/*
 * From a service to what the engine makes a container of. Values go through the engine's own parsers, as those of
 * `mvm run` do; what one refuses gets the place in the file.
 */
#ifndef MVM_COMPOSE_REQUEST_H
#define MVM_COMPOSE_REQUEST_H

#include "internal.h"
#include "runtime/engine/engine.h"

/* All borrowed. */
struct service_wish {
	const char *service;	 /* its name in the project */
	const struct node *node; /* what it is to be, which `run` changes */
	const char *container;	 /* its name */
	const char *alias;	 /* by which it is found on its networks; NULL: its name */
	const char *image_id;	 /* of the image that is here */
	int64_t number;		 /* 0: it has none */
	bool oneoff;		 /* made by `run` */
	bool no_aliases;	 /* it does not answer to the service's name */
	bool stdin_once;	 /* with a client's end of input ends the container's */
	bool auto_remove;
	const struct mvm_strv *labels;	     /* some more, "key=value" */
	const struct mvm_strv *volumes_from; /* containers, where it mounts what others do */
	const struct mvm_container *inherit; /* whose anonymous volumes it takes over; NULL: nobody's */
	const struct mvm_state *state;	     /* where these are */
};

/* A request, and what it borrows. */
struct service_request {
	struct mvm_create_request request;
	struct mvm_strv entrypoint, command, env, labels, log_options, networks, publish, mounts, binds, ulimits,
		sysctls, annotations, cap_add, cap_drop, security_opt, group_add, tmpfs, dns, dns_search, dns_options,
		extra_hosts, expose;
	struct mvm_health_check health;
	struct mvm_file_request *files;
	struct mvm_strv file_texts; /* what these borrow */
	char *restart, *reference;
};

int service_request_make(struct mvm_compose *compose, const struct service_wish *wish, struct service_request *out,
			 struct mvm_error **err);
void service_request_finish(struct service_request *request);
#define CLEAN_REQUEST __attribute__((cleanup(service_request_finish)))

/* The image that a service's containers stand on: PROJECT-SERVICE where it is to be built. The caller's. */
char *service_image(const struct mvm_compose *compose, const char *service, const struct node *node);

/* Warns of keys that have no meaning here, once for each service; fails for those without which it would be another
 * service. */
int service_check_keys(struct mvm_compose *compose, const char *name, const struct node *service,
		       struct mvm_error **err);

/* request_mounts.c */
int request_mounts(struct mvm_compose *compose, const struct service_wish *wish, struct service_request *out,
		   struct mvm_error **err);
/* request_files.c: secrets and configs. */
int request_files(struct mvm_compose *compose, const struct service_wish *wish, struct service_request *out,
		  struct mvm_error **err);
/* request_network.c */
int request_networks(struct mvm_compose *compose, const struct service_wish *wish, struct service_request *out,
		     struct mvm_error **err);
int request_ports(const struct service_wish *wish, struct service_request *out, struct mvm_error **err);
/* request_limits.c */
int request_limits(const struct service_wish *wish, struct service_request *out, struct mvm_error **err);

#endif
