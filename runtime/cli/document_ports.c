/*
 * What docker's document of a container says of its ports.
 */
#include "inspect.h"

#include "runtime/state/port.h"

/* A list of an object's, which is made where there is none. */
static json_t *list_in(json_t *object, const char *key)
{
	if (!json_is_array(json_object_get(object, key)))
		json_object_set_new(object, key, json_array());
	return json_object_get(object, key);
}

/* {"80/tcp": [{"HostIp": "", "HostPort": "8080"}]} */
static json_t *ports_json(const struct mvm_strv *ports)
{
	json_t *object = json_object();

	for (size_t i = 0; i < ports->count; i++) {
		char *guest MVM_CLEAN_FREE = NULL, *host MVM_CLEAN_FREE = NULL;
		struct mvm_port port;

		if (!mvm_port_read(ports->items[i], &port))
			continue;
		guest = mvm_port_guest_text(&port);
		host = !port.first		 ? mvm_strdup("")
		       : port.first == port.last ? mvm_format("%u", port.first)
						 : mvm_format("%u-%u", port.first, port.last);
		json_array_append_new(list_in(object, guest),
				      json_pack("{s:s, s:s}", "HostIp", port.ip, "HostPort", host));
	}
	return object;
}

/* What is exposed only is null, and there is nothing of a container that does not run or is on no network. */
static json_t *published_json(const struct mvm_container *container)
{
	const struct mvm_strv *exposed = &container->config.exposed_ports;
	json_t *object;

	if (!mvm_status_alive(container->state.status) || !container->config.networks.count)
		return json_object();
	object = ports_json(&container->state.ports);
	for (size_t i = 0; i < exposed->count; i++)
		if (!json_object_get(object, exposed->items[i]))
			json_object_set_new(object, exposed->items[i], json_null());
	return object;
}

static json_t *exposed_json(const struct mvm_strv *exposed)
{
	json_t *object = json_object();

	for (size_t i = 0; i < exposed->count; i++)
		json_object_set_new(object, exposed->items[i], json_object());
	return object;
}

void cli_describe_ports(const struct mvm_container *container, json_t *document)
{
	const struct mvm_container_config *config = &container->config;
	json_t *host = json_object_get(document, "HostConfig");

	json_object_set_new(host, "PortBindings", ports_json(&config->port_bindings));
	json_object_set_new(host, "PublishAllPorts", json_boolean(config->publish_all));
	if (config->exposed_ports.count)
		json_object_set_new(json_object_get(document, "Config"), "ExposedPorts",
				    exposed_json(&config->exposed_ports));
	json_object_set_new(json_object_get(document, "NetworkSettings"), "Ports", published_json(container));
}
