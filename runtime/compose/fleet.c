#include "fleet.h"

#include <stdlib.h>
#include <string.h>

#include "runtime/base/text.h"

const char *mvm_label_value(const struct mvm_strv *labels, const char *key)
{
	size_t length = strlen(key);

	for (size_t i = 0; i < labels->count; i++)
		if (!strncmp(labels->items[i], key, length) && labels->items[i][length] == '=')
			return labels->items[i] + length + 1;
	return NULL;
}

static const char *label(const struct mvm_container *container, const char *key)
{
	return mvm_label_value(&container->config.labels, key);
}

static bool is(const char *text, const char *wanted)
{
	return text && !strcmp(text, wanted);
}

const char *mvm_fleet_service(const struct mvm_container *container)
{
	const char *service = label(container, MVM_LABEL_SERVICE);

	return service ? service : "";
}

int64_t mvm_fleet_number(const struct mvm_container *container)
{
	const char *text = label(container, MVM_LABEL_NUMBER);
	int64_t number;

	return text && mvm_parse_int(text, 0, INT64_MAX, &number) ? number : 0;
}

bool mvm_fleet_is_oneoff(const struct mvm_container *container)
{
	return is(label(container, MVM_LABEL_ONEOFF), "True");
}

const char *mvm_fleet_short_name(const struct mvm_container *container)
{
	const char *project = label(container, MVM_LABEL_PROJECT), *number = label(container, MVM_LABEL_NUMBER);
	char *usual MVM_CLEAN_FREE = NULL;

	if (!project)
		return container->config.name;
	usual = mvm_format("%s-%s-%s", project, mvm_fleet_service(container), number ? number : "");
	return container->config.name + (strcmp(container->config.name, usual) ? 0 : strlen(project) + 1);
}

bool mvm_fleet_runs(const struct mvm_container *container)
{
	return mvm_status_alive(container->state.status) && container->state.status != MVM_STATUS_STARTING;
}

static bool is_among(const char *service, char *const *services)
{
	if (!services || !*services)
		return true;
	for (; *services; services++)
		if (!strcmp(*services, service))
			return true;
	return false;
}

/* Docker compose knows its own by two labels: people write the first one, too. */
static bool takes(const struct mvm_fleet_request *request, const struct mvm_container *container)
{
	const char *project = label(container, MVM_LABEL_PROJECT), *oneoff = label(container, MVM_LABEL_ONEOFF);

	if (!project || !label(container, MVM_LABEL_CONFIG_HASH) ||
	    (request->project && strcmp(project, request->project) != 0))
		return false;
	if (request->oneoff != MVM_ONEOFF_INCLUDE && !is(oneoff, request->oneoff == MVM_ONEOFF_ONLY ? "True" : "False"))
		return false;
	return (request->all || mvm_fleet_runs(container)) && is_among(mvm_fleet_service(container), request->services);
}

static int by_name(const void *a, const void *b)
{
	const struct mvm_container *left = *(struct mvm_container *const *)a,
				   *right = *(struct mvm_container *const *)b;

	return strcmp(left->config.name, right->config.name);
}

int mvm_fleet_load(struct mvm_state *state, const struct mvm_fleet_request *request, struct mvm_fleet *fleet,
		   struct mvm_error **err)
{
	*fleet = (struct mvm_fleet){0};
	if (mvm_state_list_readable(state, &fleet->all, &fleet->all_count, &fleet->damaged, err) < 0)
		return -1;
	fleet->items = mvm_alloc((fleet->all_count + 1) * sizeof(struct mvm_container *));
	for (size_t i = 0; i < fleet->all_count; i++)
		if (takes(request, fleet->all[i]))
			fleet->items[fleet->count++] = fleet->all[i];
	qsort(fleet->items, fleet->count, sizeof(struct mvm_container *), by_name);
	return 0;
}

void mvm_fleet_finish(struct mvm_fleet *fleet)
{
	if (fleet->all)
		mvm_container_list_free(fleet->all, fleet->all_count);
	free(fleet->items);
	mvm_strv_finish(&fleet->damaged);
	*fleet = (struct mvm_fleet){0};
}

static bool comes_before(const struct mvm_container *left, const struct mvm_container *right)
{
	bool left_oneoff = mvm_fleet_is_oneoff(left), right_oneoff = mvm_fleet_is_oneoff(right);

	if (left_oneoff || right_oneoff)
		return !left_oneoff;
	return mvm_fleet_number(left) < mvm_fleet_number(right);
}

/* Takes it out of the fleet, so that the caller may keep it. */
static struct mvm_container *steal(struct mvm_fleet *fleet, const struct mvm_container *wanted)
{
	size_t i = 0;
	struct mvm_container *stolen;

	while (fleet->all[i] != wanted)
		i++;
	stolen = fleet->all[i];
	fleet->all[i] = fleet->all[--fleet->all_count];
	return stolen;
}

int mvm_fleet_pick(struct mvm_state *state, const struct mvm_fleet_request *request, int64_t index,
		   struct mvm_container **container, struct mvm_error **err)
{
	struct mvm_fleet fleet MVM_CLEAN_FLEET = {0};
	const struct mvm_container *picked = NULL;

	if (mvm_fleet_load(state, request, &fleet, err) < 0)
		return -1;
	for (size_t i = 0; i < fleet.count; i++)
		if ((index <= 0 || mvm_fleet_number(fleet.items[i]) == index) &&
		    (!picked || comes_before(fleet.items[i], picked)))
			picked = fleet.items[i];
	if (!picked && index > 0)
		return mvm_fail(err, MVM_ERR_NOT_FOUND, "service \"%s\" is not running container #%lld",
				request->services[0], (long long)index);
	if (!picked)
		return mvm_fail(err, MVM_ERR_NOT_FOUND, "service \"%s\" is not running", request->services[0]);
	*container = steal(&fleet, picked);
	return 0;
}

int mvm_fleet_networks(const struct mvm_state *state, const char *project, struct mvm_network ***list, size_t *count,
		       struct mvm_error **err)
{
	size_t kept = 0, all;

	if (mvm_network_list(state, list, &all, err) < 0)
		return -1;
	for (size_t i = 0; i < all; i++) {
		struct mvm_network *network = (*list)[i];

		if (is(mvm_label_value(&network->labels, MVM_LABEL_PROJECT), project))
			(*list)[kept++] = network;
		else
			mvm_network_free(network);
	}
	*count = kept;
	return 0;
}

int mvm_fleet_volumes(const struct mvm_state *state, const char *project, struct mvm_volume ***list, size_t *count,
		      struct mvm_error **err)
{
	size_t kept = 0, all;

	if (mvm_volume_list(state, list, &all, err) < 0)
		return -1;
	for (size_t i = 0; i < all; i++) {
		struct mvm_volume *volume = (*list)[i];

		if (is(mvm_label_value(&volume->labels, MVM_LABEL_PROJECT), project))
			(*list)[kept++] = volume;
		else
			mvm_volume_free(volume);
	}
	*count = kept;
	return 0;
}
