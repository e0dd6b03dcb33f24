/* Ethernet addresses as text: "92:d0:c6:0a:29:33". Pure. */
#ifndef MVM_NET_MAC_H
#define MVM_NET_MAC_H

#include <stdint.h>

struct mvm_error;

enum { MVM_MAC_SIZE = 6, MVM_MAC_TEXT = 18 };

/* INVALID where it is none that an interface can have. */
int mvm_mac_parse(const char *text, uint8_t mac[MVM_MAC_SIZE], struct mvm_error **err);
void mvm_mac_format(const uint8_t mac[MVM_MAC_SIZE], char text[MVM_MAC_TEXT]);

#endif
