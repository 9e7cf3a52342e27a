#include "store/images.h"

#include "store/blob.h"
#include "store/internal.h"

#include "base/error.h"
#include "base/platform.h"
#include "base/suggest.h"

#include <string.h>

#define IMAGE_COLUMNS "name, platform, manifest, target, config, origin, chain, created, size, base"
#define PREFIX_MIN 4

void image_row_free(struct image_row *r)
{
    if (!r)
        return;
    g_free(r->name);
    g_free(r->platform);
    g_free(r->origin);
    chain_free(r->chain);
    g_free(r);
}

static void free_image(gpointer r)
{
    image_row_free(r);
}

static struct image_row *image_from_row(sqlite3_stmt *q)
{
    struct image_row *r = g_new0(struct image_row, 1);
    r->name = db_col_text(q, 0);
    r->platform = db_col_text(q, 1);
    db_col_digest(q, 2, &r->manifest);
    db_col_digest(q, 3, &r->target);
    db_col_digest(q, 4, &r->config);
    r->origin = db_col_text(q, 5);
    r->chain = chain_from_text((const char *)sqlite3_column_text(q, 6));
    r->created = sqlite3_column_int64(q, 7);
    r->size = sqlite3_column_int64(q, 8);
    db_col_digest(q, 9, &r->base);
    return r;
}

/* Everything a name depends on must exist and be leased, or garbage collection could remove it
 * meanwhile. */
static gboolean hold_blob(struct store *s, const struct digest *d, const char *what, GError **err)
{
    gboolean has = digest_is_zero(d);
    if (!has && !store_blob_look(s, d, &has, NULL, err))
        return FALSE;
    if (has)
        return TRUE;
    g_autofree char *text = digest_text(d);
    return error_set(err, VARVE_ERROR_NOT_FOUND, "the image's %s %s is not in the store %s", what,
                     text, s->root);
}

gboolean image_row_in_index(const struct image_row *r)
{
    return !digest_is_zero(&r->target) && !digest_is_zero(&r->manifest) &&
           digest_cmp(&r->target, &r->manifest) != 0;
}

static gboolean was_pulled(const struct image_row *r)
{
    return g_strcmp0(r->origin, "pull") == 0;
}

gboolean image_group_is_index(const GPtrArray *group)
{
    const struct image_row *first = g_ptr_array_index(group, 0);
    return image_row_in_index(first) && (group->len > 1 || !was_pulled(first));
}

/* Takes the name from an index made here that r is no image of; from all else if r is of one. */
static gboolean leave_index(struct store *s, const struct image_row *r, GError **err)
{
    return !r->name || !*r->name ||
           db_exec(s->db, err,
                   "DELETE FROM images WHERE name=?1 AND target IS NOT ?2 AND (?3 OR "
                   "(origin != 'pull' AND manifest IS NOT NULL AND target != manifest))",
                   "sdi", r->name, &r->target, (gint64)(image_row_in_index(r) && !was_pulled(r)));
}

gboolean store_image_put(struct store *s, const struct image_row *r, GError **err)
{
    if (!hold_blob(s, &r->manifest, "manifest", err) || !hold_blob(s, &r->config, "config", err))
        return FALSE;
    store_blob_has(s, &r->base, NULL); /* leased; the image is complete without it */
    g_autofree char *ids = r->chain ? chain_text(r->chain) : NULL;
    DB_LOCK(s->db);
    return (!r->chain || chain_hold_gated(s, r->chain, "the image", err)) &&
           leave_index(s, r, err) &&
           db_exec(s->db, err,
                   "INSERT OR REPLACE INTO images(" IMAGE_COLUMNS ") VALUES(?,?,?,?,?,?,?,?,?,?)",
                   "ssdddssiid", r->name ? r->name : "", r->platform ? r->platform : "",
                   &r->manifest, &r->target, &r->config, r->origin ? r->origin : "build", ids,
                   r->created ? r->created : now_seconds(), r->size, &r->base);
}

static GPtrArray *load_all(struct store *s, const char *name)
{
    GPtrArray *all = g_ptr_array_new_with_free_func(free_image);
    db_auto sqlite3_stmt *q =
        db_query(s->db, NULL,
                 "SELECT " IMAGE_COLUMNS
                 " FROM images WHERE ?1 IS NULL OR name=?1 ORDER BY created DESC, rowid DESC",
                 "s", name);
    while (db_step(s->db, q, NULL))
        g_ptr_array_add(all, image_from_row(q));
    return all;
}

GPtrArray *store_image_list(struct store *s)
{
    DB_LOCK(s->db);
    return load_all(s, NULL);
}

/* Leases what the image consists of. A chain with a missing part counts as not unpacked. */
static void image_hold(struct store *s, struct image_row *r)
{
    hold_blob(s, &r->manifest, "manifest", NULL);
    hold_blob(s, &r->config, "config", NULL);
    DB_LOCK(s->db);
    g_autoptr(GError) why = NULL;
    if (r->chain && !chain_hold_gated(s, r->chain, "the image", &why) &&
        g_error_matches(why, VARVE_ERROR, VARVE_ERROR_NOT_FOUND))
        g_clear_pointer(&r->chain, chain_free); /* otherwise its user gets the same error */
}

static struct image_row *take_at(GPtrArray *all, guint i)
{
    return g_ptr_array_steal_index(all, i);
}

/* How well the row suits this machine (platform_match()). */
static int host_match(const struct image_row *r)
{
    struct platform host, is;
    platform_host(&host);
    return platform_parse(&is, r->platform, NULL) ? platform_match(&host, &is) : 0;
}

static struct image_row *pick_platform(GPtrArray *all, const char *platform)
{
    guint best = 0;
    int match = 0;
    for (guint i = 0; i < all->len; i++) {
        const struct image_row *r = g_ptr_array_index(all, i);
        int m = platform && *platform ? strcmp(r->platform, platform) == 0 : host_match(r);
        if (m <= match)
            continue;
        best = i;
        match = m;
    }
    if (match || (!platform && all->len == 1))
        return take_at(all, best);
    return platform && !*platform && all->len > 0 ? take_at(all, all->len - 1) : NULL;
}

struct image_row *store_image_find(struct store *s, const char *name, const char *platform)
{
    if (!*name)
        return NULL;
    g_autoptr(GPtrArray) all = NULL;
    {
        DB_LOCK(s->db);
        all = load_all(s, name);
    }
    struct image_row *r = pick_platform(all, platform);
    if (r)
        image_hold(s, r);
    return r;
}

/* How long a canonical name is without its tag; 0: it has a digest. */
static gsize repository_len(const char *name)
{
    const char *slash = strrchr(name, '/'), *colon = strrchr(slash ? slash : name, ':');
    return strchr(name, '@') ? 0 : colon ? (gsize)(colon - name) : strlen(name);
}

/* The last part of a repository; newly allocated. */
static char *last_part(const char *name)
{
    const char *slash = strrchr(name, '/');
    gsize before = slash ? (gsize)(slash + 1 - name) : 0, len = repository_len(name);
    return g_strndup(name + before, len > before ? len - before : 0);
}

/* Of those below the same host and path as name. */
static char *mistyped(GPtrArray *all, const char *name)
{
    g_autoptr(GPtrArray) words = g_ptr_array_new_with_free_func(g_free);
    g_autoptr(GPtrArray) rows = g_ptr_array_new();
    const char *slash = strrchr(name, '/');
    gsize before = slash ? (gsize)(slash + 1 - name) : 0;
    for (guint i = 0; i < all->len; i++) {
        const struct image_row *r = g_ptr_array_index(all, i);
        if (strncmp(r->name, name, before) != 0 || strchr(r->name + before, '/') ||
            !repository_len(r->name) || g_str_equal(r->name, name))
            continue;
        g_ptr_array_add(words, last_part(r->name));
        g_ptr_array_add(rows, (gpointer)r);
    }
    g_autofree char *typed = last_part(name);
    const char *near = suggest_nearest(typed, (const char *const *)words->pdata, words->len);
    guint at;
    return near && g_ptr_array_find(words, near, &at)
               ? g_strdup(((const struct image_row *)g_ptr_array_index(rows, at))->name)
               : NULL;
}

char *store_image_near(struct store *s, const char *name)
{
    gsize len = repository_len(name);
    g_autoptr(GPtrArray) all = store_image_list(s);
    for (guint i = 0; len && i < all->len; i++) {
        const struct image_row *r = g_ptr_array_index(all, i);
        if (repository_len(r->name) == len && strncmp(r->name, name, len) == 0 &&
            strcmp(r->name, name) != 0)
            return g_strdup(r->name);
    }
    return len ? mistyped(all, name) : NULL;
}

static gboolean id_matches(const struct digest *d, const char *prefix)
{
    char hex[DIGEST_HEX_LEN + 1];
    return !digest_is_zero(d) && g_str_has_prefix(digest_hex(d, hex), prefix);
}

static const char *hex_of(const char *id)
{
    return g_str_has_prefix(id, "sha256:") ? id + strlen("sha256:") : id;
}

gboolean image_row_index_matches(const struct image_row *r, const char *id)
{
    return image_row_in_index(r) && id_matches(&r->target, hex_of(id));
}

/* What the row is known by when its id begins with prefix: its index, or itself. NULL: it is not.
 */
static const struct digest *known_by(const struct image_row *r, const char *prefix)
{
    if (image_row_index_matches(r, prefix))
        return &r->target;
    return id_matches(&r->config, prefix) || id_matches(&r->manifest, prefix) ? &r->config : NULL;
}

/* The rows of all that prefix names; NULL if these are several images. */
static GPtrArray *rows_by_id(GPtrArray *all, const char *prefix, GError **err)
{
    g_autoptr(GPtrArray) found = g_ptr_array_new_with_free_func(free_image);
    const struct digest *first = NULL;
    for (guint i = 0; i < all->len;) {
        const struct digest *by = known_by(g_ptr_array_index(all, i), prefix);
        if (by && first && digest_cmp(first, by) != 0) {
            error_set(err, VARVE_ERROR_USAGE,
                      "image id %s is ambiguous: several images begin with it", prefix);
            error_add_next(err, "give more of its digits (varve images shows them)");
            return NULL;
        }
        first = by ? by : first;
        if (by)
            g_ptr_array_add(found, take_at(all, i));
        i += !by;
    }
    return g_steal_pointer(&found);
}

struct image_row *store_image_find_id(struct store *s, const char *prefix, const char *platform,
                                      GError **err)
{
    prefix = hex_of(prefix);
    if (strlen(prefix) < PREFIX_MIN || strspn(prefix, "0123456789abcdef") != strlen(prefix))
        return NULL;
    g_autoptr(GPtrArray) all = store_image_list(s);
    g_autoptr(GPtrArray) rows = rows_by_id(all, prefix, err);
    if (!rows || rows->len == 0)
        return NULL;
    const struct image_row *first = g_ptr_array_index(rows, 0);
    struct image_row *r =
        image_row_index_matches(first, prefix) ? pick_platform(rows, platform) : take_at(rows, 0);
    if (r)
        image_hold(s, r);
    return r;
}

char *store_image_platforms(struct store *s, const char *name)
{
    g_autoptr(GPtrArray) all = NULL;
    {
        DB_LOCK(s->db);
        all = load_all(s, name);
    }
    GString *out = g_string_new(NULL);
    for (guint i = all->len; i-- > 0;) /* as they were put */
        g_string_append_printf(out, "%s%s", out->len ? ", " : "",
                               ((const struct image_row *)g_ptr_array_index(all, i))->platform);
    return g_string_free(out, all->len == 0);
}

static struct image_row *image_row_copy(const struct image_row *r)
{
    struct image_row *copy = g_memdup2(r, sizeof *r);
    copy->name = g_strdup(r->name);
    copy->platform = g_strdup(r->platform);
    copy->origin = g_strdup(r->origin);
    copy->chain = r->chain ? chain_copy(r->chain) : NULL;
    return copy;
}

GPtrArray *store_image_group(struct store *s, const struct image_row *r)
{
    GPtrArray *group = g_ptr_array_new_with_free_func(free_image);
    g_autoptr(GPtrArray) all = image_row_in_index(r) ? store_image_list(s) : NULL;
    for (guint i = all ? all->len : 0; i-- > 0;) {
        struct image_row *other = g_ptr_array_index(all, i);
        if (!g_str_equal(other->name, r->name) || digest_cmp(&other->target, &r->target) != 0)
            continue;
        other = take_at(all, i);
        image_hold(s, other);
        g_ptr_array_add(group, other);
    }
    if (group->len == 0)
        g_ptr_array_add(group, image_row_copy(r));
    return group;
}

gboolean store_image_remove(struct store *s, const char *name, const char *platform, GError **err)
{
    DB_LOCK(s->db);
    if (!db_exec(s->db, err, "DELETE FROM images WHERE name=?1 AND (?2 IS NULL OR platform=?2)",
                 "ss", name, platform))
        return FALSE;
    if (db_changes(s->db) > 0)
        return TRUE;
    error_set(err, VARVE_ERROR_NOT_FOUND, "no such image: \"%s\"%s%s (store %s)", name,
              platform ? " for " : "", platform ? platform : "", s->root);
    error_add_next(err, "varve images lists the images of this store");
    return FALSE;
}
