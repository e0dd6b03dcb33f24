/*
 * Which of the words that there are was meant by one that was misspelt.
 */
#include "guess.h"

#include <string.h>

/* The number of letters to add, drop, change or swap with their neighbour that make one word the other. */
static size_t distance(const char *a, const char *b)
{
	enum { LONGEST = 24 };
	size_t rows[3][LONGEST + 1], width = strlen(b), height = strlen(a);

	if (width > LONGEST || height > LONGEST)
		return LONGEST;
	for (size_t x = 0; x <= width; x++)
		rows[0][x] = x;
	for (size_t y = 1; y <= height; y++) {
		size_t *row = rows[y % 3];
		const size_t *above = rows[(y + 2) % 3], *before = rows[(y + 1) % 3];

		row[0] = y;
		for (size_t x = 1; x <= width; x++) {
			size_t best = above[x - 1] + (a[y - 1] != b[x - 1]);

			best = above[x] + 1 < best ? above[x] + 1 : best;
			best = row[x - 1] + 1 < best ? row[x - 1] + 1 : best;
			if (x > 1 && y > 1 && a[y - 1] == b[x - 2] && a[y - 2] == b[x - 1] && before[x - 2] + 1 < best)
				best = before[x - 2] + 1;
			row[x] = best;
		}
	}
	return rows[height % 3][width];
}

void cli_consider(struct cli_guess *guess, const char *name)
{
	size_t far = distance(guess->typed, name), length = strlen(guess->typed);
	/* Of a short word, less may be wrong. */
	size_t limit = length < 5 ? 1 : 2;

	if (length >= 3 && !strncmp(name, guess->typed, length))
		far = 1;
	if (far <= limit && (!guess->nearest || far < guess->distance)) {
		guess->nearest = name;
		guess->distance = far;
	}
}
