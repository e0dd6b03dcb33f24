/*
 * What the real framework answers with an illegal instruction or a deadlock: here a line on stderr and abort().
 */
#ifndef VZ_DOUBLE_TRAP_H
#define VZ_DOUBLE_TRAP_H

void vz_double_trap(const char *format, ...) __attribute__((noreturn, format(printf, 1, 2)));

#endif
