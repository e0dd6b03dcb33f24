/* machine-boot.sh as a C string, which the build makes. */
#ifndef MVM_ENGINE_MACHINE_BOOT_H
#define MVM_ENGINE_MACHINE_BOOT_H

extern const char machine_boot[];

#endif
