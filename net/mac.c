#include "mac.h"

#include <stdio.h>

#include "runtime/base/error.h"

int mvm_mac_parse(const char *text, uint8_t mac[MVM_MAC_SIZE], struct mvm_error **err)
{
	unsigned part[MVM_MAC_SIZE];
	int end = -1;

	if (sscanf(text, "%2x:%2x:%2x:%2x:%2x:%2x%n", &part[0], &part[1], &part[2], &part[3], &part[4], &part[5],
		   &end) != MVM_MAC_SIZE ||
	    end != MVM_MAC_TEXT - 1 || text[end])
		return mvm_fail(err, MVM_ERR_INVALID, "%s is not a valid mac address", text);
	if (part[0] & 1)
		return mvm_fail(err, MVM_ERR_INVALID, "%s is a multicast address; no interface can have it", text);
	for (int i = 0; i < MVM_MAC_SIZE; i++)
		mac[i] = (uint8_t)part[i];
	return 0;
}

void mvm_mac_format(const uint8_t mac[MVM_MAC_SIZE], char text[MVM_MAC_TEXT])
{
	snprintf(text, MVM_MAC_TEXT, "%02x:%02x:%02x:%02x:%02x:%02x", mac[0], mac[1], mac[2], mac[3], mac[4], mac[5]);
}
