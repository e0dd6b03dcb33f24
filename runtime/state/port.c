#include "port.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "runtime/base/error.h"
#include "runtime/base/text.h"

static const char *const protocol_names[] = {[MVM_PORT_TCP] = "tcp", [MVM_PORT_UDP] = "udp"};

/* A piece of a text. */
struct piece {
	const char *at;
	size_t length;
};

#define PIECE(piece) (int)(piece).length, (piece).at

static bool parse_number(struct piece piece, uint16_t *port)
{
	char *text MVM_CLEAN_FREE = mvm_strndup(piece.at, piece.length);
	int64_t value;

	if (!mvm_parse_int(text, 0, UINT16_MAX, &value))
		return false;
	*port = (uint16_t)value;
	return true;
}

/* "80" or "80-90" */
static bool parse_range(struct piece piece, uint16_t *first, uint16_t *last)
{
	const char *dash = memchr(piece.at, '-', piece.length);
	size_t length = dash ? (size_t)(dash - piece.at) : piece.length;

	if (!parse_number((struct piece){piece.at, length}, first))
		return false;
	*last = *first;
	if (dash && !parse_number((struct piece){dash + 1, piece.length - length - 1}, last))
		return false;
	return *first <= *last;
}

/* Cuts "/proto" off. */
static int parse_protocol(struct piece *piece, enum mvm_port_protocol *protocol, struct mvm_error **err)
{
	const char *slash = memchr(piece->at, '/', piece->length);
	struct piece name = {"tcp", 3};

	if (slash) {
		size_t length = (size_t)(slash - piece->at);

		if (piece->length > length + 1)
			name = (struct piece){slash + 1, piece->length - length - 1};
		piece->length = length;
	}
	for (size_t i = 0; i < MVM_COUNT(protocol_names); i++)
		if (strlen(protocol_names[i]) == name.length && !strncasecmp(protocol_names[i], name.at, name.length)) {
			*protocol = (enum mvm_port_protocol)i;
			return 0;
		}
	if (name.length == 4 && !strncasecmp(name.at, "sctp", 4))
		return mvm_fail(err, MVM_ERR_UNSUPPORTED,
				"port %.*s/sctp: SCTP is not carried into virtual machines, tcp and udp are",
				PIECE(*piece));
	return mvm_fail(err, MVM_ERR_USAGE, "invalid proto: %.*s", PIECE(name));
}

static int parse_ip(struct piece piece, char ip[INET6_ADDRSTRLEN], struct mvm_error **err)
{
	unsigned char bytes[16];

	if (piece.length >= 2 && piece.at[0] == '[' && piece.at[piece.length - 1] == ']')
		piece = (struct piece){piece.at + 1, piece.length - 2};
	if (piece.length < INET6_ADDRSTRLEN) {
		memcpy(ip, piece.at, piece.length);
		ip[piece.length] = '\0';
		if (!*ip || inet_pton(AF_INET, ip, bytes) == 1 || inet_pton(AF_INET6, ip, bytes) == 1)
			return 0;
	}
	return mvm_fail(err, MVM_ERR_USAGE, "invalid IP address: %.*s", PIECE(piece));
}

/* The last piece behind a colon; what is before it stays in *rest, empty where there is nothing. */
static struct piece cut_last(struct piece *rest)
{
	size_t start = rest->length;
	struct piece last;

	while (start > 0 && rest->at[start - 1] != ':')
		start--;
	last = (struct piece){rest->at + start, rest->length - start};
	rest->length = start ? start - 1 : 0;
	return last;
}

/* A whole `-p`: `port` for the first of the container's ports, and the last of them. */
static int parse_short(const char *spec, struct mvm_port *port, uint16_t *guest_last, struct mvm_error **err)
{
	struct piece rest = {spec, strlen(spec)}, guest = cut_last(&rest), host = cut_last(&rest);

	*port = (struct mvm_port){.ip = ""};
	if (!guest.length || *guest.at == '/')
		return mvm_fail(err, MVM_ERR_USAGE, "no port specified: %s<empty>", spec);
	if (parse_protocol(&guest, &port->protocol, err) < 0 || parse_ip(rest, port->ip, err) < 0)
		return -1;
	if (!parse_range(guest, &port->guest, guest_last) || !port->guest)
		return mvm_fail(err, MVM_ERR_USAGE, "invalid containerPort: %.*s", PIECE(guest));
	if (host.length && !parse_range(host, &port->first, &port->last))
		return mvm_fail(err, MVM_ERR_USAGE, "invalid hostPort: %.*s", PIECE(host));
	if (host.length && *guest_last != port->guest && port->last - port->first != *guest_last - port->guest)
		return mvm_fail(err, MVM_ERR_USAGE,
				"invalid ranges specified for container and host Ports: %.*s and %.*s", PIECE(guest),
				PIECE(host));
	return 0;
}

/* "published=8080,target=80,protocol=udp" in the short form; the caller's. */
static int shorten(const char *spec, char **out, struct mvm_error **err)
{
	char *published MVM_CLEAN_FREE = NULL, *target MVM_CLEAN_FREE = NULL, *protocol MVM_CLEAN_FREE = NULL;

	for (const char *at = spec; *at;) {
		size_t length = strcspn(at, ","), key = strcspn(at, "=");
		char **member = key == 9 && !strncmp(at, "published", 9)  ? &published
				: key == 6 && !strncmp(at, "target", 6)	  ? &target
				: key == 8 && !strncmp(at, "protocol", 8) ? &protocol
									  : NULL;

		if (key >= length || (!member && (key != 4 || strncmp(at, "mode", 4) != 0)))
			return mvm_fail(err, MVM_ERR_USAGE,
					"invalid publish opts format (should be name=value but got '%.*s')",
					(int)length, at);
		if (member) {
			free(*member);
			*member = mvm_strndup(at + key + 1, length - key - 1);
		}
		at += length + (at[length] == ',');
	}
	*out = mvm_format("%s:%s/%s", published ? published : "", target ? target : "", protocol ? protocol : "tcp");
	return 0;
}

int mvm_port_parse(const char *spec, struct mvm_strv *ports, struct mvm_error **err)
{
	char *shortened MVM_CLEAN_FREE = NULL;
	struct mvm_port port;
	uint16_t guest_last;

	if (strchr(spec, '=')) {
		if (shorten(spec, &shortened, err) < 0)
			return -1;
		spec = shortened;
	}
	if (parse_short(spec, &port, &guest_last, err) < 0)
		return -1;
	/* A range of the host is one of choice only for a single port. */
	if (guest_last != port.guest)
		port.last = port.first;
	for (;;) {
		mvm_strv_take(ports, mvm_port_format(&port));
		if (port.guest == guest_last)
			return 0;
		port.guest++;
		port.first += port.first != 0;
		port.last = port.first;
	}
}

int mvm_port_parse_exposed(const char *spec, struct mvm_strv *exposed, struct mvm_error **err)
{
	struct piece piece = {spec, strlen(spec)};
	enum mvm_port_protocol protocol;
	uint16_t first, last;

	if (strchr(spec, ':'))
		return mvm_fail(err, MVM_ERR_USAGE, "invalid port format for --expose: %s", spec);
	if (parse_protocol(&piece, &protocol, err) < 0)
		return -1;
	if (!parse_range(piece, &first, &last))
		return mvm_fail(err, MVM_ERR_USAGE, "invalid range format for --expose: %s", spec);
	for (unsigned port = first; port <= last; port++)
		mvm_strv_addf(exposed, "%u/%s", port, protocol_names[protocol]);
	return 0;
}

bool mvm_port_read(const char *text, struct mvm_port *port)
{
	uint16_t last;

	return parse_short(text, port, &last, NULL) == 0 && last == port->guest;
}

char *mvm_port_format(const struct mvm_port *port)
{
	bool ip6 = strchr(port->ip, ':');
	char range[16] = "";

	if (port->first && port->first != port->last)
		snprintf(range, sizeof(range), "%u-%u", port->first, port->last);
	else if (port->first)
		snprintf(range, sizeof(range), "%u", port->first);
	return mvm_format("%s%s%s:%s:%u/%s", ip6 ? "[" : "", port->ip, ip6 ? "]" : "", range, port->guest,
			  protocol_names[port->protocol]);
}

const char *mvm_port_protocol_name(enum mvm_port_protocol protocol)
{
	return protocol_names[protocol];
}

char *mvm_port_guest_text(const struct mvm_port *port)
{
	return mvm_format("%u/%s", port->guest, protocol_names[port->protocol]);
}

char *mvm_port_join(const char *ip, const char *port)
{
	return mvm_format(strchr(ip, ':') ? "[%s]:%s" : "%s:%s", ip, port);
}

static int by_number(const void *a, const void *b)
{
	const char *first = *(char *const *)a, *second = *(char *const *)b;
	long left = strtol(first, NULL, 10), right = strtol(second, NULL, 10);

	return left != right ? (left < right ? -1 : 1) : strcmp(first, second);
}

void mvm_port_sort_exposed(struct mvm_strv *exposed)
{
	size_t kept = 0;

	if (!exposed->count)
		return;
	qsort(exposed->items, exposed->count, sizeof(*exposed->items), by_number);
	for (size_t i = 1; i < exposed->count; i++) {
		if (strcmp(exposed->items[kept], exposed->items[i]) != 0) {
			exposed->items[++kept] = exposed->items[i];
			continue;
		}
		free(exposed->items[i]);
	}
	exposed->count = kept + 1;
	exposed->items[exposed->count] = NULL;
}
