/* The probes of the doctor, each of which adds findings. Internal to this room. */
#ifndef VARVE_DOCTOR_PROBES_H
#define VARVE_DOCTOR_PROBES_H

#include "doctor/doctor.h"

/* Adds one; found and remedy are taken. */
void finding_add(GPtrArray *to, struct finding f);
/* The same with the text of an error, its next move as the remedy unless there is a better one
 * (taken); clears *why. */
void finding_add_error(GPtrArray *to, struct finding f, char *remedy, GError **why);

/* machine.c: kernel and container; programs, certificates, emulators, clock. */
void probe_kernel(GPtrArray *to);
void probe_programs(GPtrArray *to, const char *ca_file);
/* idmap.c: enters the user namespace of a build. FALSE: there is none, and nothing below works. */
gboolean probe_user_namespace(GPtrArray *to);
/* storage.c: the store's folder, and overlayfs in it. mounts: mounts can be tried. */
void probe_storage(GPtrArray *to, const char *root, gboolean mounts);
/* trial.c: sandboxes, with limits, with a network. */
void probe_sandboxes(GPtrArray *to);

#endif
