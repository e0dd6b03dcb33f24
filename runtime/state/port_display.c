/*
 * The PORTS column of `ps`, by docker's rules: neighbours that are published under their own number, or only exposed,
 * are merged into a range; all others stand for themselves behind them.
 */
#include "port.h"

#include <stdio.h>
#include <string.h>

/* A port to be shown, and a range of them: of one address and protocol, or only exposed, and then without an address.
 */
struct range {
	const char *ip;
	enum mvm_port_protocol protocol;
	uint16_t first, last;
};

static int compare(const void *a, const void *b)
{
	const struct mvm_port *left = a, *right = b;
	int ips = strcmp(left->ip, right->ip);

	if (left->guest != right->guest)
		return left->guest < right->guest ? -1 : 1;
	if (ips)
		return ips;
	if (left->first != right->first)
		return left->first < right->first ? -1 : 1;
	return (int)left->protocol - (int)right->protocol;
}

static bool is_among(const struct mvm_port *port, const struct mvm_port *list, size_t count)
{
	for (size_t i = 0; i < count; i++)
		if (list[i].guest == port->guest && list[i].protocol == port->protocol)
			return true;
	return false;
}

/* Sorted; the caller's. */
static struct mvm_port *collect(const struct mvm_strv *ports, const struct mvm_strv *exposed, size_t *count)
{
	struct mvm_port *list = mvm_alloc((ports->count + exposed->count + 1) * sizeof(*list));
	size_t published;

	*count = 0;
	for (size_t i = 0; i < ports->count; i++)
		*count += mvm_port_read(ports->items[i], &list[*count]);
	published = *count;
	for (size_t i = 0; i < exposed->count; i++)
		*count += mvm_port_read(exposed->items[i], &list[*count]) && !is_among(&list[*count], list, published);
	qsort(list, *count, sizeof(*list), compare);
	return list;
}

static void add_range(struct mvm_buf *text, const struct range *range)
{
	char ports[16];
	char *host MVM_CLEAN_FREE = NULL;

	snprintf(ports, sizeof(ports), range->first == range->last ? "%u" : "%u-%u", range->first, range->last);
	host = mvm_port_join(range->ip, ports);
	mvm_buf_addf(text, "%s%s%s%s/%s", text->length ? ", " : "", *range->ip ? host : "", *range->ip ? "->" : "",
		     ports, mvm_port_protocol_name(range->protocol));
}

/* Adds a port to the range of its kind, or begins a new one; one that is interrupted is written. */
static void merge(struct range *ranges, size_t *count, const struct mvm_port *port, struct mvm_buf *text)
{
	for (size_t i = 0; i < *count; i++) {
		struct range *range = &ranges[i];

		if (strcmp(range->ip, port->ip) != 0 || range->protocol != port->protocol)
			continue;
		if (port->guest != range->last + 1) {
			add_range(text, range);
			range->first = port->guest;
		}
		range->last = port->guest;
		return;
	}
	ranges[(*count)++] = (struct range){port->ip, port->protocol, port->guest, port->guest};
}

static void add_single(struct mvm_buf *text, const struct mvm_port *port)
{
	char number[8];
	char *host MVM_CLEAN_FREE = NULL;

	snprintf(number, sizeof(number), "%u", port->first);
	host = mvm_port_join(port->ip, number);
	mvm_buf_addf(text, "%s%s->%u/%s", text->length ? ", " : "", host, port->guest,
		     mvm_port_protocol_name(port->protocol));
}

char *mvm_port_display(const struct mvm_strv *ports, const struct mvm_strv *exposed)
{
	struct mvm_buf text = {0}, singles MVM_CLEAN_BUF = {0};
	size_t count, range_count = 0;
	struct mvm_port *list MVM_CLEAN_FREE = collect(ports, exposed, &count);
	struct range *ranges MVM_CLEAN_FREE = mvm_alloc((count + 1) * sizeof(*ranges));

	for (size_t i = 0; i < count; i++) {
		if (*list[i].ip && list[i].first != list[i].guest)
			add_single(&singles, &list[i]);
		else
			merge(ranges, &range_count, &list[i], &text);
	}
	for (size_t i = 0; i < range_count; i++)
		add_range(&text, &ranges[i]);
	if (singles.length)
		mvm_buf_addf(&text, "%s%s", text.length ? ", " : "", singles.data);
	return mvm_buf_steal(&text);
}
