#include "cli/images_filter.h"

#include "base/boolean.h"
#include "base/error.h"
#include "cli/show.h"
#include "image/config.h"
#include "output/image.h"
#include "text/reference.h"

#include <fnmatch.h>
#include <string.h>

enum { ANY = -1 };
struct images_filter {
    struct store *store;
    GPtrArray *all; /* borrowed */
    const char *name;
    GPtrArray *references, *labels; /* const char* */
    gboolean dangling;              /* or ANY */
    gint64 before, since;           /* places in all, or ANY */
};

void images_filter_free(struct images_filter *f)
{
    if (!f)
        return;
    g_ptr_array_unref(f->references);
    g_ptr_array_unref(f->labels);
    g_free(f);
}

static gboolean take_dangling(struct images_filter *f, const char *value, GError **err)
{
    gboolean on;
    if (!boolean_parse(value, &on))
        return error_set(err, VARVE_ERROR_USAGE, "--filter dangling=%s: neither true nor false",
                         value);
    f->dangling = on;
    return TRUE;
}

static gboolean take_place(struct images_filter *f, const char *image, gint64 *place, GError **err)
{
    g_autoptr(image_row) r = stored_image_any(f->store, image, NULL, err);
    if (!r) {
        g_prefix_error(err, "--filter: ");
        return FALSE;
    }
    for (guint i = 0; i < f->all->len; i++) {
        const struct image_row *other = g_ptr_array_index(f->all, i);
        if (digest_cmp(&other->config, &r->config) == 0 && g_str_equal(other->name, r->name))
            *place = i;
    }
    return TRUE;
}

static gboolean take_filter(struct images_filter *f, const char *filter, GError **err)
{
    const char *eq = strchr(filter, '=');
    const char *value = eq ? eq + 1 : "";
    if (g_str_has_prefix(filter, "reference="))
        g_ptr_array_add(f->references, (gpointer)value);
    else if (g_str_has_prefix(filter, "label=") && *value)
        g_ptr_array_add(f->labels, (gpointer)value);
    else if (g_str_has_prefix(filter, "dangling="))
        return take_dangling(f, value, err);
    else if (g_str_has_prefix(filter, "before="))
        return take_place(f, value, &f->before, err);
    else if (g_str_has_prefix(filter, "since="))
        return take_place(f, value, &f->since, err);
    else {
        error_set(err, VARVE_ERROR_USAGE,
                  "--filter %s: not reference=PATTERN, label=KEY[=VALUE], dangling=true, "
                  "before=IMAGE or since=IMAGE",
                  filter);
        error_add_next(err, "for example varve images --filter reference='team/*:1.*'");
        return FALSE;
    }
    return TRUE;
}

struct images_filter *images_filter_new(struct store *s, GPtrArray *all, const char *name,
                                        char **filters, GError **err)
{
    g_autoptr(images_filter) f = g_new0(struct images_filter, 1);
    *f = (struct images_filter){.store = s,
                                .all = all,
                                .name = name,
                                .references = g_ptr_array_new(),
                                .labels = g_ptr_array_new(),
                                .dangling = ANY,
                                .before = ANY,
                                .since = ANY};
    for (; filters && *filters; filters++)
        if (!take_filter(f, *filters, err))
            return NULL;
    return g_steal_pointer(&f);
}

/* A pattern against the name with and without its tag; a * stays within a part of the path. */
static gboolean matches_pattern(const struct image_row *r, const char *pattern)
{
    g_autofree char *full = shown_name(r->name);
    g_autofree char *repository = g_strdup(full);
    char *last = strrchr(repository, '/');
    char *colon = strpbrk(last ? last : repository, ":@");
    if (colon)
        *colon = '\0';
    return *r->name && (fnmatch(pattern, full, FNM_PATHNAME) == 0 ||
                        fnmatch(pattern, repository, FNM_PATHNAME) == 0);
}

/* A repository (all its tags), a name with its tag, or a pattern. */
static gboolean matches_name(const struct image_row *r, const char *wanted)
{
    if (strpbrk(wanted, "*?["))
        return matches_pattern(r, wanted);
    g_autoptr(reference) want = reference_parse(wanted, NULL);
    g_autoptr(reference) have = *r->name ? reference_parse(r->name, NULL) : NULL;
    if (!want || !have)
        return FALSE;
    g_autofree char *want_text = reference_text(want);
    g_autofree char *want_repo = reference_repository(want);
    g_autofree char *have_repo = reference_repository(have);
    const char *last = strrchr(wanted, '/');
    gboolean tagged = strpbrk(last ? last : wanted, ":@") != NULL;
    return g_str_equal(want_text, r->name) || (!tagged && g_str_equal(want_repo, have_repo));
}

/* "KEY" or "KEY=VALUE". */
static gboolean has_label(const struct image_conf *conf, const char *wanted)
{
    const char *eq = strchr(wanted, '=');
    g_autofree char *key = eq ? g_strndup(wanted, eq - wanted) : g_strdup(wanted);
    const char *value = g_tree_lookup(conf->labels, key);
    return value && (!eq || g_str_equal(value, eq + 1));
}

static gboolean has_labels(const struct images_filter *f, const struct image_row *r)
{
    if (f->labels->len == 0)
        return TRUE;
    g_autoptr(image_conf) conf = image_conf_load(f->store, &r->config, NULL);
    gboolean all = conf != NULL;
    for (guint i = 0; all && i < f->labels->len; i++)
        all = has_label(conf, g_ptr_array_index(f->labels, i));
    return all;
}

/* Whether the image at one place is newer than that at the other; another name of the same is not.
 */
static gboolean is_newer(const struct images_filter *f, gint64 a, gint64 b)
{
    const struct image_row *newer = g_ptr_array_index(f->all, a),
                           *older = g_ptr_array_index(f->all, b);
    return a < b && digest_cmp(&newer->config, &older->config) != 0;
}

gboolean images_filter_passes(const struct images_filter *f, guint at)
{
    const struct image_row *r = g_ptr_array_index(f->all, at);
    gboolean any = f->references->len == 0;
    for (guint i = 0; !any && i < f->references->len; i++)
        any = matches_name(r, g_ptr_array_index(f->references, i));
    return any && (!f->name || matches_name(r, f->name)) &&
           (f->dangling == ANY || f->dangling == !*r->name) &&
           (f->before == ANY || is_newer(f, f->before, at)) &&
           (f->since == ANY || is_newer(f, at, f->since)) && has_labels(f, r);
}
