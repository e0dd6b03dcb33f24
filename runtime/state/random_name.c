#include "internal.h"

#include "runtime/base/text.h"

static const char *const adjectives[] = {
	"agile", "amber",  "brave",    "brisk",	 "calm",  "clever", "crisp",  "daring", "eager",   "early",  "fair",
	"fleet", "frosty", "gentle",   "glad",	 "grand", "happy",  "hardy",  "honest", "ivory",   "jolly",  "keen",
	"kind",	 "lively", "lucid",    "lucky",	 "merry", "mild",   "nimble", "noble",	"patient", "plain",  "proud",
	"quick", "quiet",  "ready",    "rustic", "sharp", "silent", "smart",  "solid",	"spry",	   "steady", "sunny",
	"swift", "tidy",   "tranquil", "vivid",	 "warm",  "wise",   "witty",  "young",	"zesty",
};

static const char *const nouns[] = {
	"acorn",   "anchor", "badger", "beacon", "birch",  "bison",   "brook",	 "canyon",  "cedar",   "comet",
	"coral",   "crane",  "delta",  "dune",	 "ember",  "falcon",  "fern",	 "finch",   "fjord",   "garnet",
	"glacier", "grove",  "harbor", "heron",	 "island", "juniper", "kestrel", "lagoon",  "lantern", "larch",
	"lynx",	   "maple",  "marten", "meadow", "mesa",   "nectar",  "orchid",	 "osprey",  "otter",   "pebble",
	"pine",	   "plover", "quartz", "raven",	 "reef",   "ridge",   "river",	 "sparrow", "summit",  "tarn",
	"thistle", "tundra", "walnut", "willow", "wren",
};

char *mvm_random_name(void)
{
	uint16_t dice[2];

	mvm_random(dice, sizeof(dice));
	return mvm_format("%s_%s", adjectives[dice[0] % MVM_COUNT(adjectives)], nouns[dice[1] % MVM_COUNT(nouns)]);
}
