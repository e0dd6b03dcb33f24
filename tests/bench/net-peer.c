/*
 * Both ends of the benchmark of networks:
 *
 *   net-peer serve PORT PORT PORT PORT
 *   net-peer ADDRESS PORT WHAT SECONDS [CONCURRENT]
 *
 * Run as init, of a machine that has nothing else, it serves ports 9001 to 9004, and for each line of the console,
 * which has the client's arguments, it is the client and then says "result NUMBER". eth0 is configured as QEMU's user
 * network wants it, or as the kernel's command line says: net_address=10.0.2.15 net_gateway=10.0.2.2.
 */
#include <arpa/inet.h>
#include <net/if.h>
#include <net/route.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "net-peer.h"

enum { ARGUMENTS = 6, LINE = 256 };

static void set_address(int fd, const char *name, int request, const char *address)
{
	struct ifreq change = {.ifr_name = ""};
	struct sockaddr_in *in = (struct sockaddr_in *)&change.ifr_addr;

	strcpy(change.ifr_name, name);
	in->sin_family = AF_INET;
	inet_pton(AF_INET, address, &in->sin_addr);
	ioctl(fd, (unsigned long)request, &change);
}

static void bring_up(int fd, const char *name)
{
	struct ifreq change = {.ifr_flags = IFF_UP | IFF_RUNNING};

	strcpy(change.ifr_name, name);
	ioctl(fd, SIOCSIFFLAGS, &change);
}

static void set_up_machine(void)
{
	const char *address = getenv("net_address"), *gateway = getenv("net_gateway");
	int fd = socket(AF_INET, SOCK_DGRAM, 0);
	struct rtentry route = {.rt_flags = RTF_UP | RTF_GATEWAY};
	struct sockaddr_in *in = (struct sockaddr_in *)&route.rt_gateway;

	bring_up(fd, "lo");
	set_address(fd, "eth0", SIOCSIFADDR, address ? address : "10.0.2.15");
	set_address(fd, "eth0", SIOCSIFNETMASK, "255.255.255.0");
	bring_up(fd, "eth0");
	route.rt_dst.sa_family = route.rt_genmask.sa_family = AF_INET;
	in->sin_family = AF_INET;
	inet_pton(AF_INET, gateway ? gateway : "10.0.2.2", &in->sin_addr);
	ioctl(fd, SIOCADDRT, &route);
	close(fd);
}

/* In a process of its own, whose failure is not the machine's. */
static void be_client(char *line)
{
	char *argv[ARGUMENTS] = {"net-peer"};
	int argc = 1;

	for (char *word = strtok(line, " \n"); word && argc < ARGUMENTS; word = strtok(NULL, " \n"))
		argv[argc++] = word;
	fputs("result ", stdout);
	fflush(stdout);
	if (fork() == 0)
		exit(net_client(argc, argv));
	wait(NULL);
}

static int be_init(void)
{
	static const int ports[4] = {9001, 9002, 9003, 9004};
	char line[LINE];

	set_up_machine();
	if (fork() == 0)
		net_server(ports);
	while (fgets(line, sizeof(line), stdin))
		be_client(line);
	return 1;
}

int main(int argc, char **argv)
{
	bool serves = argc == 6 && strcmp(argv[1], "serve") == 0;
	int ports[4];

	/* As a server it may be a container's first. */
	if (getpid() == 1 && !serves)
		return be_init();
	if (!serves)
		return net_client(argc, argv);
	for (int i = 0; i < 4; i++)
		ports[i] = atoi(argv[2 + i]);
	net_server(ports);
}
