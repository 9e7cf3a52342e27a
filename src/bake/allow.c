#include "bake/allow.h"

#include "bake/contextpath.h"
#include "base/error.h"
#include "base/path.h"
#include "base/suggest.h"

#include <stdlib.h>
#include <string.h>

#define MAX_STEPS 1000 /* of names and links that lead nowhere */

enum access { ACCESS_READ = 1, ACCESS_WRITE = 2 };

/* A path and what may be done below it. */
struct grant {
    char *path; /* real; NULL: any */
    guint access;
};

struct allowing {
    const char *dir;
    GHashTable *words; /* "network.host", "device=x": allowed as they are */
    GArray *grants;    /* struct grant */
    gboolean paths;
    gboolean remote; /* bake_plan.remote */
    GPtrArray *needs;
    GHashTable *known; /* flags in needs */
};

static void grant_clear(gpointer p)
{
    g_free(((struct grant *)p)->path);
}

static void need_free(gpointer p)
{
    struct bake_need *n = p;
    g_free(n->flag);
    g_free(n);
}

/* One step towards a path that exists: from a link that leads nowhere to where it leads, else to
 * the directory above, the name going before rest. */
static void step_up(char **full, char **rest)
{
    g_autofree char *parent = g_path_get_dirname(*full);
    g_autofree char *target = g_file_read_link(*full, NULL);
    char *next;
    if (target) {
        next = g_canonicalize_filename(target, parent);
    } else {
        g_autofree char *name = g_path_get_basename(*full);
        char *longer = path_join(name, *rest, NULL);
        g_free(*rest);
        *rest = longer;
        next = g_steal_pointer(&parent);
    }
    g_free(*full);
    *full = next;
}

/* The real path of what exists of it, the rest as it is: a link cannot lead outside unseen. */
static char *real_path(const char *dir, const char *path)
{
    char *full = g_canonicalize_filename(path, dir), *rest = g_strdup(""), *real = NULL;
    for (guint i = 0; i < MAX_STEPS && !(real = realpath(full, NULL)); i++)
        step_up(&full, &rest);
    char *joined = path_join(real ? real : "/", rest, NULL);
    free(real);
    g_free(full);
    g_free(rest);
    return joined;
}

static gboolean path_is_below(const char *path, const char *dir)
{
    gsize len = strlen(dir);
    return strcmp(dir, "/") == 0 ||
           (strncmp(path, dir, len) == 0 && (path[len] == 0 || path[len] == '/'));
}

static gboolean read_allowed(struct allowing *a, const char *text, GError **err)
{
    static const char *const words[] = {"network.host", "security.insecure", "ssh",      "device",
                                        "fs",           "fs.read",           "fs.write", NULL};
    g_auto(GStrv) parts = g_strsplit(text, "=", 2);
    const char *key = parts[0] ? parts[0] : "";
    gboolean path = g_str_has_prefix(key, "fs");
    if (!g_strv_contains(words, key))
        return suggest_choice("--allow ", key, words, err);
    if (path != (parts[1] != NULL) && strcmp(key, "device") != 0)
        return error_set(err, VARVE_ERROR_USAGE,
                         path ? "--allow %s: must be %s=PATH" : "--allow %s: %s takes no value",
                         text, key);
    if (!path) {
        g_hash_table_add(a->words, g_strdup(text));
        return TRUE;
    }
    struct grant g = {strcmp(parts[1], "*") == 0 ? NULL : real_path(a->dir, parts[1]),
                      strcmp(key, "fs.read") == 0    ? ACCESS_READ
                      : strcmp(key, "fs.write") == 0 ? ACCESS_WRITE
                                                     : ACCESS_READ | ACCESS_WRITE};
    g_array_append_val(a->grants, g);
    return TRUE;
}

/* Takes flag. */
static void add_need(struct allowing *a, const struct bake_target *t, char *flag)
{
    if (g_hash_table_contains(a->known, flag)) {
        g_free(flag);
        return;
    }
    struct bake_need *n = g_new0(struct bake_need, 1);
    n->target = t->name;
    n->flag = flag;
    g_ptr_array_add(a->needs, n);
    g_hash_table_add(a->known, flag);
}

static void want_word(struct allowing *a, const struct bake_target *t, const char *word)
{
    g_autofree char *kind = g_strndup(word, strcspn(word, "="));
    if (!g_hash_table_contains(a->words, word) && !g_hash_table_contains(a->words, kind))
        add_need(a, t, g_strdup(word));
}

/* id: the attribute that names path; one without a place was set by the user. */
static void want_path(struct allowing *a, const struct bake_target *t, enum bake_attr_id id,
                      const char *path, enum access access)
{
    if (!a->paths || !path || !*path || (id != BAKE_CONTEXTS && !t->where[id].diags))
        return;
    g_autofree char *real = real_path(a->dir, path);
    g_autofree char *home = real_path(a->dir, ".");
    if (path_is_below(real, home))
        return;
    for (guint i = 0; i < a->grants->len; i++) {
        const struct grant *g = &g_array_index(a->grants, struct grant, i);
        if ((g->access & access) && (!g->path || path_is_below(real, g->path)))
            return;
    }
    add_need(a, t, g_strconcat(access == ACCESS_READ ? "fs.read=" : "fs.write=", real, NULL));
}

static void want_contexts(struct allowing *a, const struct bake_target *t)
{
    static const char layout[] = "oci-layout://";
    GHashTableIter it;
    gpointer value;
    if (bake_context_is_path(t->context) && (!a->remote || t->cwd))
        want_path(a, t, BAKE_CONTEXT, t->context, ACCESS_READ);
    if (g_path_is_absolute(t->dockerfile))
        want_path(a, t, BAKE_DOCKERFILE, t->dockerfile, ACCESS_READ);
    if (!t->contexts)
        return;
    g_hash_table_iter_init(&it, t->contexts);
    while (g_hash_table_iter_next(&it, NULL, &value)) {
        const char *path = value;
        if (g_str_has_prefix(path, layout)) {
            g_autofree char *plain =
                g_strndup(path + strlen(layout), strcspn(path + strlen(layout), "@:"));
            want_path(a, t, BAKE_CONTEXTS, plain, ACCESS_READ);
        } else if (g_str_has_prefix(path, "cwd://")) {
            want_path(a, t, BAKE_CONTEXTS, path + strlen("cwd://"), ACCESS_READ);
        } else if (bake_context_is_path(path) && !a->remote) {
            want_path(a, t, BAKE_CONTEXTS, path, ACCESS_READ);
        }
    }
}

/* A key of entries that names a path; type NULL: of all types. */
static void want_entries(struct allowing *a, const struct bake_target *t, enum bake_attr_id id,
                         const GPtrArray *entries, const char *type, const char *key,
                         enum access access)
{
    for (guint i = 0; entries && i < entries->len; i++) {
        GHashTable *entry = entries->pdata[i];
        const char *path = g_hash_table_lookup(entry, key);
        if ((!type || g_strcmp0(g_hash_table_lookup(entry, "type"), type) == 0) && path &&
            strcmp(path, "-") != 0)
            want_path(a, t, id, path, access);
    }
}

static void want_all(struct allowing *a, const struct bake_target *t)
{
    for (guint i = 0; t->entitlements && i < t->entitlements->len; i++)
        want_word(a, t, t->entitlements->pdata[i]);
    if (t->ssh && t->ssh->len > 0 && t->where[BAKE_SSH].diags)
        want_word(a, t, "ssh");
    want_contexts(a, t);
    want_entries(a, t, BAKE_SECRET, t->secret, NULL, "src", ACCESS_READ);
    want_entries(a, t, BAKE_CACHE_FROM, t->cache_from, "local", "src", ACCESS_READ);
    want_entries(a, t, BAKE_CACHE_TO, t->cache_to, "local", "dest", ACCESS_WRITE);
    want_entries(a, t, BAKE_OUTPUT, t->output, NULL, "dest", ACCESS_WRITE);
}

GPtrArray *bake_needs(const struct bake_plan *p, const char *dir, char **allowed, gboolean paths,
                      GError **err)
{
    g_autoptr(GHashTable) words = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
    g_autoptr(GHashTable) known = g_hash_table_new(g_str_hash, g_str_equal);
    g_autoptr(GArray) grants = g_array_new(FALSE, FALSE, sizeof(struct grant));
    g_autoptr(GPtrArray) needs = g_ptr_array_new_with_free_func(need_free);
    struct allowing a = {dir, words, grants, paths, p->remote, needs, known};
    g_array_set_clear_func(grants, grant_clear);
    for (char **text = allowed; text && *text; text++)
        if (!read_allowed(&a, *text, err))
            return NULL;
    for (guint i = 0; i < p->targets->len; i++)
        want_all(&a, p->targets->pdata[i]);
    return g_steal_pointer(&needs);
}
