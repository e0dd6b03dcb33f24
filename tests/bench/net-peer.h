/* Both ends of the benchmark of networks, one program. */
#ifndef BENCH_NET_PEER_H
#define BENCH_NET_PEER_H

/* Does not return. */
_Noreturn void net_server(const int ports[4]);
/* The arguments are those of the program; what it returns is, too. */
int net_client(int argc, char **argv);

#endif
