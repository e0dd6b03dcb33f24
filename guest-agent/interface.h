/* The interfaces of a network, configured over netlink (rtnetlink(7)): nothing waits, no DHCP client is needed. */
#ifndef AGENT_INTERFACE_H
#define AGENT_INTERFACE_H

struct failure;

/* One that MACHINE or NETWORK describes: words "KEY=VALUE", separated by single spaces.
 *
 *   mac=52:54:00:12:34:56        which it is; comes first
 *   name=eth0                    what it is called from now on
 *   mtu=32000
 *   ip=192.168.127.2/24          or an IPv6 address; repeated
 *   via=192.168.127.1            the default route's gateway; repeated, one for each family
 *   off                          in place of a name: it is taken out of the machine
 *
 * One that the kernel has not seen yet is looked for on the bus. Without mac=, nothing is to be done; without name=, it
 * is there already, and only what else is said is new. */
int interface_configure(const char *text, struct failure *failure);

#endif
