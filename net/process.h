/*
 * The network process, mvm-net: one for each network that has running guests. It starts with the first of them and ends
 * with the last, and survives the death of any. Started by a supervisor as
 *
 *   mvm-net SOCKET LEASES    with descriptor 3 the lock on the network, and 4 listening on SOCKET
 *
 * SOCKET is where supervisors find it (runtime/base/control.h); sockets for its own use have names that begin with that
 * one's. In the file LEASES it keeps which container has which address, so that a successor gives none of them to
 * somebody else. When it dies, supervisors start it again and join with the addresses that they have. The last to leave
 * sees its connection end when nothing of the process is left.
 *
 * Requests carry "id" and "op"; the answer has the same "id" and "ok": true, or "error".
 *
 *   op      fields                       answered
 *   join    network: {name, subnet,      with ip ("192.168.127.2/24"), gateway, and where the network has IPv6 ip6 and
 *             gateway, subnet6,          gateway6; mtu. One descriptor comes along: the guest's end of the network, a
 *             gateway6, mtu, internal};  datagram socket, a frame each. The guest is on the network until the
 * connection container; names: list;      ends. CONFLICT where the address is another's, INVALID where it is not of the
 *           mac; ip, ip6 (or none: the   network. What the first guest says of the network counts.
 *             next that is free);
 *           dns: list of addresses;
 *           another, ndots: bool (dns.h)
 *   revise  another: bool                by who has joined, when its guest's resolv.conf has changed
 *   status                               with guests: [{container, mac, ip, ip6, counters}], and once somebody has
 * joined leases (leases.h), flows and flow_count (flows.h), and dns: counters
 */
#ifndef MVM_NET_PROCESS_H
#define MVM_NET_PROCESS_H

enum { MVM_NET_LOCK_FD = 3, MVM_NET_LISTEN_FD = 4 };

#endif
