/* GNUstep's Foundation.h asks for this where blocks are on; Debian's libobjc does not have it. */
#include <Block.h>
