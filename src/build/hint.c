/* What a failed RUN's log and exit code say about the cause. */
#include "build/building.h"

#include <signal.h>
#include <string.h>

#define HINT_LINES 200 /* of a log, looked at for a cause */
#define END_LINES 20   /* for the name of what was not found */

/* A known cause of failure: how its log reads or how its program ended, and what to do. */
struct cause {
    const char *log; /* a part of the log; NULL: the exit code decides alone */
    int exit_code;   /* 0: any */
    const char *hint;
};
#define TLS_HINT                                                                                   \
    "this network intercepts TLS: --host-ca makes this host's certificates usable inside RUN."
#define FORMAT_HINT                                                                                \
    "the program was built for another platform, or a script lacks its #! line: use the right "    \
    "file, or build with --platform."

/* The first that fits is shown. */
static const struct cause causes[] = {
    {"SELF_SIGNED_CERT_IN_CHAIN", 0, TLS_HINT},
    {"UNABLE_TO_GET_ISSUER_CERT", 0, TLS_HINT},
    {"self-signed certificate in certificate chain", 0, TLS_HINT},
    {"unable to get local issuer certificate", 0, TLS_HINT},
    {"CERTIFICATE_VERIFY_FAILED", 0, TLS_HINT},
    {"No space left on device", 0,
     "a disk or a tmpfs is full: varve du shows what the store holds; varve prune makes room."},
    {"xec format error", 0, FORMAT_HINT},
    {NULL, 137,
     "it was killed, most often because memory ran out: raise --memory, or use a host with more."},
    {NULL, 132,
     "a program needs instructions that this CPU lacks: build it for a lower variant of the "
     "platform, or on a newer machine (varve platforms shows what this one has)."},
    {"ermission denied", 126, "the file is not executable: use COPY --chmod=755 or RUN chmod +x."},
};

/* How programs say that they could not look up a name or reach a network. */
static const char *const unreachable[] = {"bad address '",
                                          "ould not resolve host",
                                          "emporary failure in name resolution",
                                          "ame or service not known",
                                          "emporary failure resolving",
                                          "etwork is unreachable",
                                          "etwork unreachable",
                                          "EAI_AGAIN",
                                          "ENOTFOUND",
                                          "no such host",
                                          "ailure in name resolution"};

static const char *network_hint(const char *log, const struct vertex *v)
{
    gboolean found = FALSE;
    for (guint i = 0; i < G_N_ELEMENTS(unreachable) && !found; i++)
        found = strstr(log, unreachable[i]) != NULL;
    if (!found || v->op.type != OP_EXEC)
        return NULL;
    return v->op.exec.network == NET_NONE
               ? "this step has no network (--network=none): remove that option if it needs one."
               : "a name could not be resolved or the network could not be reached: check the name "
                 "and this machine's network; --build-arg HTTPS_PROXY=URL sets a proxy.";
}

static gboolean cause_fits(const struct cause *c, const char *log, int exit_code)
{
    return (c->exit_code == 0 || c->exit_code == exit_code) && (!c->log || strstr(log, c->log));
}

/* Of the table; "" for one that says nothing new. */
static const char *known_hint(const struct build *b, const char *log, int exit_code)
{
    for (guint i = 0; i < G_N_ELEMENTS(causes); i++)
        if (cause_fits(&causes[i], log, exit_code))
            return b->r->host_ca && g_str_equal(causes[i].hint, TLS_HINT) ? "" : causes[i].hint;
    return NULL;
}

/* A secret that the step mounts, nobody gave, and its command or log names. */
static char *secret_hint(const struct build *b, const struct vertex *v, const char *log)
{
    const struct exec_op *op = &v->op.exec;
    for (guint i = 0; i < op->n_mounts; i++) {
        const struct exec_mount *m = &op->mounts[i];
        if (m->type != MOUNT_SECRET || g_hash_table_contains(b->r->secrets, m->id))
            continue;
        if (!m->dest || strstr(log, m->dest) || strstr(v->meta.name, m->dest))
            return g_strdup_printf("the secret %s was not given: varve build --secret "
                                   "id=%s,src=FILE (or env=VARIABLE); required=true in the mount "
                                   "makes that an error.",
                                   m->id, m->id);
    }
    return NULL;
}

/* Docker's users forget that USER holds for the steps behind it. */
static char *rights_hint(const struct vertex *v, const char *log)
{
    const char *user = v->op.exec.user;
    gboolean root = !user || !*user || g_str_equal(user, "root") || g_str_equal(user, "0") ||
                    g_str_has_prefix(user, "root:") || g_str_has_prefix(user, "0:");
    if (root || !strstr(log, "ermission denied"))
        return NULL;
    return g_strdup_printf("this step runs as USER %s, who may not do that: do it before USER, or "
                           "give the place to that user (COPY --chown=%s, RUN chown).",
                           user, user);
}

/* Crashes of an emulated program, which may be the emulator's. */
static char *emulation_hint(const struct build_step *step, const char *log)
{
    int code = step->result->exit_code;
    if (!step->result->emulated)
        return NULL;
    const char *loader = strstr(log, "Could not open '/");
    if (loader && code == 255)
        return g_strdup_printf(
            "the loader that the program needs is not in this image (%.*s): it was built for "
            "another C library; build it for this image, or statically.",
            (int)MIN(strcspn(loader + strlen("Could not open '"), "'\n"), 200),
            loader + strlen("Could not open '"));
    gboolean crashed = code == 128 + SIGILL || code == 128 + SIGSEGV || code == 128 + SIGABRT ||
                       code == 128 + SIGBUS || strstr(log, "uncaught target signal");
    if (!crashed && !strstr(log, "nsupported syscall") && !strstr(log, "unction not implemented"))
        return NULL;
    return g_strdup_printf(
        "this step runs programs for %s in an emulator (QEMU), which can fail where the real "
        "machine does not: use a newer QEMU, or FROM --platform=$BUILDPLATFORM (man varve, "
        "Programs for another platform).",
        step->vertex->meta.platform ? step->vertex->meta.platform : "another machine");
}

char *build_hint(struct build *b, const struct build_step *step)
{
    const struct vertex *v = step->vertex;
    int exit_code = step->result->exit_code;
    char *json = v->op.type == OP_EXEC ? build_hint_json_form(b, v) : NULL;
    if (json)
        return json;
    g_autofree char *tail = build_log_tail(b, step, HINT_LINES);
    char *emulation = emulation_hint(step, tail);
    if (emulation)
        return emulation;
    const char *known = known_hint(b, tail, exit_code);
    if (!known)
        known = network_hint(tail, v);
    if (known)
        return *known ? g_strdup(known) : NULL;
    if (v->op.type != OP_EXEC)
        return NULL;
    g_autofree char *end = build_log_tail(b, step, END_LINES);
    char *hint = exit_code == 127 ? build_hint_not_found(b, v, end) : secret_hint(b, v, end);
    if (!hint)
        hint = rights_hint(v, end);
    return hint ? hint : build_hint_missing(b, v, end);
}
