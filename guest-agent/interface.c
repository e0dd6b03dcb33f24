#include "interface.h"

#include <arpa/inet.h>
#include <errno.h>
#include <net/if.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "failure.h"
#include "files.h"
#include "network.h"

/* musl has no kernel headers: netlink(7), rtnetlink(7). */
struct nlmsghdr {
	uint32_t nlmsg_len;
	uint16_t nlmsg_type, nlmsg_flags;
	uint32_t nlmsg_seq, nlmsg_pid;
};
struct nlmsgerr {
	int error;
	struct nlmsghdr msg;
};
struct ifinfomsg {
	unsigned char ifi_family, pad;
	unsigned short ifi_type;
	int ifi_index;
	unsigned ifi_flags, ifi_change;
};
struct ifaddrmsg {
	uint8_t ifa_family, ifa_prefixlen, ifa_flags, ifa_scope;
	uint32_t ifa_index;
};
struct rtmsg {
	unsigned char rtm_family, rtm_dst_len, rtm_src_len, rtm_tos, rtm_table, rtm_protocol, rtm_scope, rtm_type;
	unsigned rtm_flags;
};
struct rtattr {
	unsigned short rta_len, rta_type;
};

enum {
	NETLINK_ROUTE = 0,
	NLM_F_REQUEST = 1,
	NLM_F_ACK = 4,
	NLM_F_REPLACE = 0x100,
	NLM_F_CREATE = 0x400,
	NLMSG_ERROR = 2,
	RTM_NEWLINK = 16,
	RTM_NEWADDR = 20,
	RTM_NEWROUTE = 24,
	IFLA_IFNAME = 3,
	IFLA_MTU = 4,
	IFA_ADDRESS = 1,
	IFA_LOCAL = 2,
	IFA_BROADCAST = 4,
	IFA_F_NODAD = 2,
	RTA_OIF = 4,
	RTA_GATEWAY = 5,
	RT_TABLE_MAIN = 254,
	RTPROT_BOOT = 3,
	RT_SCOPE_UNIVERSE = 0,
	RTN_UNICAST = 1,
};

#define ALIGNED(length) (((length) + 3) & ~(size_t)3)

/* One request, and the address that is read from a word. */
struct request {
	struct nlmsghdr header;
	union {
		struct ifinfomsg link;
		struct ifaddrmsg address;
		struct rtmsg route;
	};
	char attributes[256];
};

struct address {
	int family;
	unsigned char bytes[16];
	size_t length;
	unsigned prefix;
};

static void begin(struct request *request, uint16_t type, uint16_t flags, size_t body)
{
	memset(request, 0, sizeof(*request));
	request->header.nlmsg_type = type;
	request->header.nlmsg_flags = (uint16_t)(NLM_F_REQUEST | NLM_F_ACK | flags);
	request->header.nlmsg_len = (uint32_t)(sizeof(struct nlmsghdr) + ALIGNED(body));
}

static void attach(struct request *request, uint16_t type, const void *data, size_t length)
{
	struct rtattr *attribute = (void *)((char *)request + ALIGNED(request->header.nlmsg_len));

	attribute->rta_type = type;
	attribute->rta_len = (uint16_t)(sizeof(*attribute) + length);
	memcpy(attribute + 1, data, length);
	request->header.nlmsg_len = (uint32_t)(ALIGNED(request->header.nlmsg_len) + attribute->rta_len);
}

/* -1 with errno set. */
static int carry_out(int fd, struct request *request)
{
	struct {
		struct nlmsghdr header;
		struct nlmsgerr error;
		char rest[512];
	} answer;
	ssize_t n;

	if (send(fd, request, request->header.nlmsg_len, 0) < 0)
		return -1;
	n = recv(fd, &answer, sizeof(answer), 0);
	if (n < (ssize_t)(sizeof(answer.header) + sizeof(answer.error.error)) ||
	    answer.header.nlmsg_type != NLMSG_ERROR) {
		errno = EPROTO;
		return -1;
	}
	errno = -answer.error.error;
	return errno ? -1 : 0;
}

/* "ADDRESS" or "ADDRESS/PREFIX" */
static int parse_address(const char *text, struct address *address)
{
	char plain[INET6_ADDRSTRLEN];
	const char *slash = strchr(text, '/');
	size_t length = slash ? (size_t)(slash - text) : strlen(text);

	if (length >= sizeof(plain))
		return -1;
	memcpy(plain, text, length);
	plain[length] = '\0';
	address->family = strchr(plain, ':') ? AF_INET6 : AF_INET;
	address->length = address->family == AF_INET6 ? 16 : 4;
	address->prefix = slash ? (unsigned)atoi(slash + 1) : (unsigned)address->length * 8;
	return inet_pton(address->family, plain, address->bytes) == 1 && address->prefix <= address->length * 8 ? 0
														: -1;
}

static bool has_mac(int fd, struct ifreq *request, const unsigned char mac[6])
{
	return ioctl(fd, SIOCGIFHWADDR, request) == 0 && memcmp(request->ifr_hwaddr.sa_data, mac, 6) == 0;
}

/* Six bytes in hexadecimal with colons between. (sscanf() would be 10 KB of the agent.) */
static bool parse_mac(const char *text, unsigned char mac[6])
{
	char *end;

	for (size_t i = 0; i < 6; i++, text = end + 1) {
		mac[i] = (unsigned char)strtoul(text, &end, 16);
		if (end != text + 2 || *end != (i < 5 ? ':' : '\0'))
			return false;
	}
	return true;
}

/* 0: there is none. */
static unsigned find_by_mac(int fd, const char *text)
{
	struct if_nameindex *all = if_nameindex();
	unsigned char mac[6];
	unsigned found = 0;

	if (all && parse_mac(text, mac))
		for (struct if_nameindex *at = all; at->if_index && !found; at++) {
			struct ifreq request = {.ifr_flags = 0};

			memcpy(request.ifr_name, at->if_name, strnlen(at->if_name, IFNAMSIZ - 1));
			if (has_mac(fd, &request, mac))
				found = at->if_index;
		}
	if (all)
		if_freenameindex(all);
	return found;
}

static int set_link(int fd, unsigned index, const char *name, uint32_t mtu)
{
	struct request request;

	begin(&request, RTM_NEWLINK, 0, sizeof(request.link));
	request.link.ifi_index = (int)index;
	attach(&request, IFLA_IFNAME, name, strlen(name) + 1);
	if (mtu)
		attach(&request, IFLA_MTU, &mtu, sizeof(mtu));
	return carry_out(fd, &request);
}

static int bring_up(int fd, unsigned index)
{
	struct request request;

	begin(&request, RTM_NEWLINK, 0, sizeof(request.link));
	request.link.ifi_index = (int)index;
	request.link.ifi_flags = request.link.ifi_change = IFF_UP;
	return carry_out(fd, &request);
}

/* Nobody else can have it, so nobody is asked (IFA_F_NODAD), which takes a second. */
static int add_address(int fd, unsigned index, const struct address *address)
{
	struct request request;

	begin(&request, RTM_NEWADDR, NLM_F_CREATE | NLM_F_REPLACE, sizeof(request.address));
	request.address.ifa_family = (uint8_t)address->family;
	request.address.ifa_prefixlen = (uint8_t)address->prefix;
	request.address.ifa_flags = IFA_F_NODAD;
	request.address.ifa_index = index;
	attach(&request, IFA_LOCAL, address->bytes, address->length);
	attach(&request, IFA_ADDRESS, address->bytes, address->length);
	if (address->family == AF_INET) {
		uint32_t mask = address->prefix ? UINT32_MAX << (32 - address->prefix) : 0, broadcast;

		memcpy(&broadcast, address->bytes, 4);
		broadcast |= htonl(~mask);
		attach(&request, IFA_BROADCAST, &broadcast, 4);
	}
	return carry_out(fd, &request);
}

static int add_route(int fd, unsigned index, const struct address *gateway)
{
	struct request request;

	begin(&request, RTM_NEWROUTE, NLM_F_CREATE | NLM_F_REPLACE, sizeof(request.route));
	request.route = (struct rtmsg){
		.rtm_family = (uint8_t)gateway->family,
		.rtm_table = RT_TABLE_MAIN,
		.rtm_protocol = RTPROT_BOOT,
		.rtm_scope = RT_SCOPE_UNIVERSE,
		.rtm_type = RTN_UNICAST,
	};
	attach(&request, RTA_GATEWAY, gateway->bytes, gateway->length);
	attach(&request, RTA_OIF, &index, sizeof(index));
	return carry_out(fd, &request);
}

/* What the words say, and how to go on with each address once the interface is up. */
struct words {
	const char *mac, *name;
	uint32_t mtu;
	bool ipv6, off;
	char text[1024];
};

static int parse_words(const char *text, struct words *words, struct failure *failure)
{
	char *save = NULL;

	*words = (struct words){.name = ""};
	if (strlen(text) >= sizeof(words->text))
		return failure_set(failure, MVM_PROTO_MALFORMED, "the description of an interface is too long");
	strcpy(words->text, text);
	for (char *word = strtok_r(words->text, " ", &save); word; word = strtok_r(NULL, " ", &save)) {
		if (strncmp(word, "mac=", 4) == 0)
			words->mac = word + 4;
		else if (strncmp(word, "name=", 5) == 0)
			words->name = word + 5;
		else if (strncmp(word, "mtu=", 4) == 0)
			words->mtu = (uint32_t)strtoul(word + 4, NULL, 10);
		else if (strncmp(word, "ip=", 3) == 0)
			words->ipv6 = words->ipv6 || strchr(word, ':');
		else if (strcmp(word, "off") == 0)
			words->off = true;
	}
	if (strlen(words->name) >= IFNAMSIZ || strchr(words->name, '/'))
		return failure_set(failure, MVM_PROTO_MALFORMED, "this is no name for an interface: %.200s", text);
	return 0;
}

/* Its link-local address is nobody else's either; and whoever says to be a router here is none. */
static int set_ipv6(const struct words *words, struct failure *failure)
{
	static const char *const settings[] = {"accept_dad=0", "accept_ra=0"};
	char setting[128];

	snprintf(setting, sizeof(setting), "net.ipv6.conf.%s.disable_ipv6=%d", words->name, !words->ipv6);
	if (sysctl_set(setting, failure))
		return -1;
	for (size_t i = 0; words->ipv6 && i < sizeof(settings) / sizeof(settings[0]); i++) {
		snprintf(setting, sizeof(setting), "net.ipv6.conf.%s.%s", words->name, settings[i]);
		if (sysctl_set(setting, failure))
			return -1;
	}
	return 0;
}

/* Addresses before the routes that need them. */
static int add_all(int fd, unsigned index, const char *text, const char *key, struct failure *failure)
{
	char copy[1024], *save = NULL;

	strcpy(copy, text);
	for (char *word = strtok_r(copy, " ", &save); word; word = strtok_r(NULL, " ", &save)) {
		struct address address;

		if (strncmp(word, key, strlen(key)) != 0)
			continue;
		if (parse_address(word + strlen(key), &address))
			return failure_set(failure, MVM_PROTO_MALFORMED, "%.100s is no address", word);
		if (*key == 'i' ? add_address(fd, index, &address) : add_route(fd, index, &address))
			return failure_set_errno(failure, MVM_PROTO_INTERNAL, "cannot configure the network: %.100s",
						 word);
	}
	return 0;
}

/* The kernel's word for devices that come and go; the bus has no hot plug that would tell it. */
static int set_bus(const char *path)
{
	mkdir("/sys", 0755);
	mount("sysfs", "/sys", "sysfs", 0, NULL);
	return file_set(path, "1");
}

static int take_away(unsigned index, struct failure *failure)
{
	char name[IFNAMSIZ], path[64];

	if (!index || !if_indextoname(index, name))
		return 0;
	snprintf(path, sizeof(path), "/sys/class/net/%s/device/../remove", name);
	return set_bus(path) ? failure_set_errno(failure, MVM_PROTO_INTERNAL, "cannot remove %s", name) : 0;
}

static int configure(int fd, const char *text, struct failure *failure)
{
	struct words words;
	unsigned index;

	if (parse_words(text, &words, failure))
		return -1;
	if (!words.mac)
		return 0;
	index = find_by_mac(fd, words.mac);
	if (words.off)
		return take_away(index, failure);
	if (!index) {
		set_bus("/sys/bus/pci/rescan");
		index = find_by_mac(fd, words.mac);
	}
	if (!index)
		return failure_set(failure, MVM_PROTO_INTERNAL, "there is no network interface %.20s", words.mac);
	if (*words.name &&
	    (set_link(fd, index, words.name, words.mtu) || set_ipv6(&words, failure) || bring_up(fd, index)))
		return failure_set_errno(failure, MVM_PROTO_INTERNAL, "cannot configure the interface %s", words.name);
	if (add_all(fd, index, text, "ip=", failure) || add_all(fd, index, text, "via=", failure))
		return -1;
	return 0;
}

int interface_configure(const char *text, struct failure *failure)
{
	int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE);
	int rc;

	if (fd < 0)
		return failure_set_errno(failure, MVM_PROTO_INTERNAL, "cannot speak netlink");
	rc = configure(fd, text, failure);
	close(fd);
	return rc;
}
