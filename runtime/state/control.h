/* clang-format off */
/*
 * The control socket: how clients (the engine, on behalf of the CLI) talk to the
 * supervisor of a running container. One unix stream socket per container in the
 * runtime folder; the client that starts a supervisor holds its first connection.
 *
 * Messages are those of runtime/base/control.h.
 *
 * Who looks into the disk of a container that does not run, or changes it, talks to a helper in the same way; it knows
 * archive, changes, unpack, stat, update, connect, disconnect, release and destroy, and refuses start.
 *
 * Requests carry "id" and "op"; the answer has the same "id" and either "ok": true or "error":
 * {"code", "message"}. Answers may come in any order. Without being asked the supervisor sends
 * "event"s.
 *
 *   op        fields                       answered
 *   start                                  when the container's process runs, or cannot. INTERRUPTED: it was just
 *                                          ending, and has; another supervisor can be started. One that its policy
 *                                          restarts is started already
 *   attach    stdin, stdout, stderr: bool  at once, with one stream descriptor for each that is
 *                                          true, in this order. What the process writes from now
 *                                          on is delivered without loss: a client that does not read stalls it.
 *                                          Writing side of stdin shut down = end of input.
 *   detach    process                      at once: the user leaves by the keys for that, and the container, or the
 *                                          exec `process`, goes on
 *   follow                                 at once; then event "log" when the log file has grown
 *   signal    signo                        when the guest has delivered it; SIGKILL: when the container has exited
 *   stop      signo, timeout (seconds, -1  when the container has exited; `keep`: not to be removed then, whatever
 *             for ever), keep, system: bool  was asked for when it was made. `system`: the host goes down, which is no wish
 *                                          of the user's
 *   pause                                  when the machine stands still
 *   unpause                                when it goes on
 *   resize    rows, cols, process          when the guest has done it; `process` is that of an exec, without it the
 *                                          container's
 *   exec      args, env, cwd, user, tty,   when the process runs, or cannot, with its number as "process" and with one
 *             privileged, rows, cols;      descriptor for each stream that is true, in this order: the guest's own
 *             stdin, stdout, stderr: bool  connections. Event "exit" comes later, unless stdout was not asked for. The
 *                                          process outlives its client; what it then writes is dropped.
 *   archive   path, name                   when the guest has sent all of it: the tree at `path` of the
 *                                          container's disk as a tar stream, its top called `name`; "": the content
 *                                          of a folder alone. Event "stream" comes before, with the descriptor.
 *                                          `mounted`: /etc/hosts and its like are those that the container sees
 *   changes   layer, pause: bool           as archive, and with the same event: what differs from the image's disk,
 *                                          as a layer or as a list of names. The client has to write into the stream
 *                                          what that disk holds (guest-agent/proto/listing.h). `pause`: the
 *                                          container's processes stand still meanwhile
 *   unpack    path, user                   when the guest has made all of it in the folder `path` of the container's
 *                                          disk: what is written to the descriptor of event "stream"
 *                                          (guest-agent/proto/stream.h). `user`: whose all of it is to be
 *   stat      path                         with what is there: mode (Linux's), size, mtime, mtime_nsec, link_target:
 *                                          where a link leads in the end
 *   stats                                  when the guest has said: object "stats" of numbers, which are those of
 *                                          struct mvm_stats (engine.h)
 *   processes                              as archive, and with the same event: what runs in the container, as lines of
 *                                          text (guest-agent/proto/PROTOCOL.md)
 *   update    as update.h has them         when the guest has the new limits, and config.json as well
 *   connect   endpoint                     when the container is on the network that the text names (net_endpoint.h), in
 *                                          config.json as well. INTERRUPTED: it has just ended
 *   disconnect network, force: bool        when it is not any more, by name. `force`: even where the guest does not obey
 *   release                                at once; by a helper without other clients when the container is free
 *   wait                                   when the container has exited: exit_code, error
 *   ping                                   at once: whether somebody is there
 *   destroy                                when the machine is gone, whatever the guest says
 *
 * A container with a restart policy may end more than once under one supervisor. Each end is announced, and ends what
 * clients attached, followed and waited for. Between an end and the next run attach, follow, exec, pause and archive
 * are refused; stop, signal and destroy are obeyed at once.
 *
 * Where these are about the disk (archive, unpack, stat), texts are bytes: mvm_json_octets(). INTERRUPTED is the answer
 * where the container is just ending, or a helper that only reads is at work: it is to be tried again.
 *
 *   event     fields                       sent
 *   notice    text                         to the starting client: a line for the user
 *   log                                    to followers
 *   stream    id, one descriptor           to who asked for the archive, changes or unpack `id`
 *   exit      exit_code, error             to attached clients, after their streams have ended, and to followers
 *   exit      id, exit_code, error         to who asked for the exec `id`; its streams may still hold something
 */
/* clang-format on */
#ifndef MVM_STATE_CONTROL_H
#define MVM_STATE_CONTROL_H

#include "runtime/base/control.h"

#endif
