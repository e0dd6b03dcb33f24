# Which processes work for a home. Sourced by bash.
#
# shellcheck shell=bash

# mvm_processes: those that inherited MVM_HOME as it is now, as "PID NAME" lines, NAME being qemu, vsock,
# supervisor or net, or cli for a client that runs the program $MVM.
mvm_processes() {
  local file pid files=(/proc/[0-9]*/environ)
  # A process that ends meanwhile makes grep fail.
  { grep -lzxF "MVM_HOME=$MVM_HOME" "${files[@]}" 2>/dev/null || true; } | while IFS= read -r file; do
    pid=${file#/proc/}
    pid=${pid%/environ}
    case $(tr '\0' ' ' 2>/dev/null <"/proc/$pid/cmdline") in
      *qemu-system*) printf '%s qemu\n' "$pid" ;;
      *mvm-vsock*) printf '%s vsock\n' "$pid" ;;
      *mvm-supervisor*) printf '%s supervisor\n' "$pid" ;;
      *mvm-net\ *) printf '%s net\n' "$pid" ;;
      "$MVM "*) printf '%s cli\n' "$pid" ;;
    esac
  done 2>/dev/null
}

# Without the clients, of which there may be one waiting.
mvm_background_processes() { mvm_processes | grep -v ' cli$' || true; }
