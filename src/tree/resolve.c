#include "tree/resolve.h"

#include "base/error.h"

#include <string.h>

/* Appends one component. */
static void push_component(GString *path, const char *name, gsize len)
{
    if (path->len > 0)
        g_string_append_c(path, '/');
    g_string_append_len(path, name, len);
}

/* Removes the last component, but nothing of the first keep bytes. */
static void pop(GString *path, gsize keep)
{
    if (path->len <= keep)
        return;
    const char *slash = strrchr(path->str, '/');
    g_string_truncate(path, MAX(slash ? (gsize)(slash - path->str) : 0, keep));
}

static gboolean is_dots(const char *name, gsize len, const char *dots)
{
    return len == strlen(dots) && memcmp(name, dots, len) == 0;
}

char *resolve_clean(const char *path)
{
    GString *out = g_string_new(NULL);
    while (*path) {
        gsize len = strcspn(path, "/");
        if (is_dots(path, len, ".."))
            pop(out, 0);
        else if (len > 0 && !is_dots(path, len, "."))
            push_component(out, path, len);
        path += len + (path[len] == '/');
    }
    return g_string_free(out, FALSE);
}

/* A resolution under way. */
struct walk_state {
    resolve_lookup_fn lookup;
    gpointer ctx;
    gsize root;      /* length of the root's path in done */
    GString *done;   /* clean and resolved so far */
    GString *rest;   /* still to go */
    guint links;     /* symlinks passed through */
    gboolean exists; /* done exists */
    struct entry e;  /* it, when it exists and something was looked up */
    gboolean known;  /* e is set */
};

/* Puts a symlink's text before what is left, and goes back to where it is relative to. */
static gboolean enter_link(struct walk_state *s, const char *original, GError **err)
{
    if (++s->links > RESOLVE_MAX_LINKS)
        return error_set(err, VARVE_ERROR_INVALID,
                         "%s passes through more than %d symlinks (a loop?)", original,
                         RESOLVE_MAX_LINKS);
    if (s->e.target[0] == '/')
        g_string_truncate(s->done, s->root);
    else
        pop(s->done, s->root);
    if (s->rest->len > 0)
        g_string_prepend_c(s->rest, '/');
    g_string_prepend(s->rest, s->e.target);
    s->known = FALSE;
    if (s->rest->len > 2 * RESOLVE_MAX_PATH)
        return error_set(err, VARVE_ERROR_INVALID, "%s: its symlinks make the path too long",
                         original);
    return TRUE;
}

/* Takes one component off rest; name points into *holder. */
static char *next_component(struct walk_state *s)
{
    gsize len = strcspn(s->rest->str, "/");
    char *name = g_strndup(s->rest->str, len);
    gsize skip = len + strspn(s->rest->str + len, "/");
    g_string_erase(s->rest, 0, skip);
    return name;
}

static gboolean resolve_component(struct walk_state *s, const char *original, gboolean follow,
                                  GError **err)
{
    g_autofree char *name = next_component(s);
    if (*name == '\0' || strcmp(name, ".") == 0)
        return TRUE;
    if (strcmp(name, "..") == 0) {
        pop(s->done, s->root);
        s->known = FALSE;
        s->exists = TRUE; /* looked up again by the caller when it is the last */
        return TRUE;
    }
    if (s->exists && s->known && s->e.type != ENTRY_DIR)
        return error_set(err, VARVE_ERROR_INVALID, "%s: /%s is not a directory", original,
                         s->done->str);
    push_component(s->done, name, strlen(name));
    if (s->done->len > RESOLVE_MAX_PATH)
        return error_set(err, VARVE_ERROR_INVALID, "%.100s… is longer than %d bytes", original,
                         RESOLVE_MAX_PATH);
    s->exists = s->exists && s->lookup(s->ctx, s->done->str, &s->e);
    s->known = s->exists;
    if (s->exists && s->e.type == ENTRY_SYMLINK && (follow || s->rest->len > 0))
        return enter_link(s, original, err);
    return TRUE;
}

char *resolve_path(resolve_lookup_fn lookup, gpointer ctx, const char *root, const char *path,
                   gboolean follow, gboolean *exists, struct entry *out, GError **err)
{
    g_autoptr(GString) rest = g_string_new(path + strspn(path, "/"));
    g_autoptr(GString) done = g_string_new(root);
    struct walk_state s = {lookup, ctx, strlen(root), done, rest, 0, TRUE, {0}, FALSE};
    while (rest->len > 0)
        if (!resolve_component(&s, path, follow, err))
            return NULL;
    if (!s.known)
        s.exists = s.exists && lookup(ctx, done->str, &s.e);
    if (exists)
        *exists = s.exists;
    if (s.exists && out)
        *out = s.e;
    return g_strdup(done->str);
}
