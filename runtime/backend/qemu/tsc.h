/*
 * The rate of the host's time stamp counter.
 *
 * Under emulation the x86-64 guest reads the host's counter. Left to calibrate it
 * against an emulated timer that comes late, some boots hang and the others keep
 * wrong time; told the rate, it keeps the counter as its clock, and time is as exact
 * as what it was told.
 */
#ifndef MVM_BACKEND_QEMU_TSC_H
#define MVM_BACKEND_QEMU_TSC_H

#include <stdbool.h>
#include <stdint.h>

/* Ticks and nanoseconds of two moments make a rate in kHz; 0 where they make none. */
uint32_t tsc_rate(uint64_t ticks, uint64_t nanoseconds);

/* Takes about 10 ms. False where the processor has no counter of constant rate. */
bool tsc_measure(uint32_t *khz);

#endif
