/*
 * Fuzz targets: one parser of foreign bytes each. libFuzzer drives them (./dev fuzz TARGET SECONDS), and replay.c runs
 * them over tests/corpus/<target>/ in every test run, whatever the compiler.
 */
#ifndef MVM_TESTS_FUZZ_H
#define MVM_TESTS_FUZZ_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* True where the parser takes the bytes. What must hold for any input is checked with fuzz_check(). */
bool fuzz_one(const uint8_t *data, size_t size);

#define fuzz_check(condition)                                                                                          \
	do {                                                                                                           \
		if (!(condition)) {                                                                                    \
			fprintf(stderr, "%s:%d: %s does not hold\n", __FILE__, __LINE__, #condition);                  \
			abort();                                                                                       \
		}                                                                                                      \
	} while (0)

#endif
