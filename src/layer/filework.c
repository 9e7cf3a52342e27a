#include "layer/filework.h"

struct entry filework_made(const struct filework *w, enum entry_type type, guint32 mode)
{
    struct entry e = {.path = "", .type = type, .mode = mode, .mtime_ns = w->env->now_ns};
    if ((w->a->type == FILE_MKFILE || w->a->type == FILE_MKDIR) && w->a->mtime_ns >= 0)
        e.mtime_ns = w->a->mtime_ns;
    filework_adjust(w, &e);
    if (type == ENTRY_DIR && !w->chmod.octal)
        e.mode = mode; /* a symbolic mode changes what is copied only */
    return e;
}

void filework_adjust(const struct filework *w, struct entry *e)
{
    if (w->has_owner) {
        e->uid = w->uid;
        e->gid = w->gid;
    }
    if (w->has_mode && e->type != ENTRY_SYMLINK)
        e->mode = chmod_apply(&w->chmod, e->mode, e->type == ENTRY_DIR);
}

struct dest_made filework_missing(const struct filework *w)
{
    struct dest_made made = {.e = filework_made(w, ENTRY_DIR, 0755), .owner_given = w->has_owner};
    made.e.mode &=
        0755; /* --chmod=777 is the files': the Docker engine makes these with its umask */
    return made;
}

char *filework_make_dirs(struct filework *w, const char *text, GError **err)
{
    g_autofree char *clean = dest_resolve(w->dest, "", text, TRUE, NULL, NULL, err);
    struct dest_made made = filework_missing(w);
    if (!clean || !dest_make_dirs(w->dest, clean, &made, err))
        return NULL;
    return g_steal_pointer(&clean);
}
