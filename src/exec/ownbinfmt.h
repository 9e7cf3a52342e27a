/* A user namespace with a binfmt_misc of its own (Linux 6.7), in which varve registers emulators
 * (emulator.h says what for). One for the process, made when it is first needed. Internal to this
 * room. */
#ifndef VARVE_EXEC_OWNBINFMT_H
#define VARVE_EXEC_OWNBINFMT_H

#include "exec/machine.h"

/* The namespace, with a copy of the static emulator source registered for programs of m. Not the
 * caller's; -1: this system cannot make it. Ids mean in it what they mean here. */
int ownbinfmt_namespace(const struct machine *m, int source);

#endif
