/*
 * What a container exposes and publishes, from the image and what the user asked for.
 */
#include "internal.h"

#include <string.h>

#include "runtime/base/error.h"
#include "runtime/state/port.h"

/* Sockets, of which the supervisor and the vsock device have each one for IPv4 and IPv6. */
enum { MAX_PORTS = 2048 };

static void expose_bound(const struct mvm_strv *bindings, struct mvm_strv *exposed)
{
	for (size_t i = 0; i < bindings->count; i++) {
		struct mvm_port port;

		if (mvm_port_read(bindings->items[i], &port))
			mvm_strv_take(exposed, mvm_port_guest_text(&port));
	}
}

/* Docker drops what it cannot read in an image, too. */
static void expose_images(const struct mvm_strv *ports, struct mvm_strv *exposed)
{
	for (size_t i = 0; i < ports->count; i++)
		mvm_port_parse_exposed(ports->items[i], exposed, NULL);
}

int engine_set_ports(const struct mvm_create_request *request, const struct mvm_image_config *image,
		     struct mvm_container_config *config, struct mvm_error **err)
{
	for (size_t i = 0; request->publish && i < request->publish->count; i++)
		if (mvm_port_parse(request->publish->items[i], &config->port_bindings, err) < 0)
			return -1;
	for (size_t i = 0; request->expose && i < request->expose->count; i++)
		if (mvm_port_parse_exposed(request->expose->items[i], &config->exposed_ports, err) < 0)
			return -1;
	expose_images(&image->exposed_ports, &config->exposed_ports);
	expose_bound(&config->port_bindings, &config->exposed_ports);
	mvm_port_sort_exposed(&config->exposed_ports);
	config->publish_all = request->publish_all;
	if (config->port_bindings.count > MAX_PORTS || (config->publish_all && config->exposed_ports.count > MAX_PORTS))
		return mvm_fail(err, MVM_ERR_USAGE, "more than %d ports cannot be published; name fewer by -p",
				MAX_PORTS);
	return 0;
}
