/* Exporting a cache mount. The directory is listed and read; if it is not the same when it is
 * listed again, what changed is read once more. Packs are made on the way: contents that are packed
 * but in the end not needed only waste a part of their pack. */
#include "cache/mountmanifest.h"
#include "cache/mountpack.h"
#include "cache/mountscan.h"

#include "base/error.h"
#include "store/blob.h"

#include <string.h>

#define EXPORT_ROUNDS 4
/* Compacting aims below CACHE_PACKS_MAX, so that not every export has to. */
#define PACKS_AFTER (CACHE_PACKS_MAX * 3 / 4)

struct exporter {
    const struct mount_dir *dir;
    const struct mount_manifest *previous; /* or NULL */
    guint64 max_bytes;                     /* of files */
    struct mount_manifest *m;              /* being made: first what previous has, by its numbers */
    GHashTable *places;                    /* struct digest, owned → number in contents + 1 */
    struct mount_scan *scan;               /* of this round */
    guint32 *leaders; /* by entry of the scan: the first name of the file, mostly itself */
    guint8 *skipped;  /* by entry: left out because of max_bytes */
    guint64 left_out; /* bytes of these */
};

/* A pack that there is, in one round. */
struct pack_use {
    guint64 used;     /* bytes of contents that the mount still has */
    gboolean pinned;  /* it has something that the directory has no more */
    gboolean rewrite; /* what it has is packed anew */
};

static void exporter_init(struct exporter *x, const struct mount_dir *d,
                          const struct mount_manifest *previous, guint64 max_bytes)
{
    *x = (struct exporter){.dir = d, .previous = previous};
    x->max_bytes = max_bytes && max_bytes < MOUNT_MAX_BYTES ? max_bytes : MOUNT_MAX_BYTES;
    x->m = mount_manifest_new();
    x->places = g_hash_table_new_full(digest_ghash, digest_gequal, g_free, NULL);
    if (!previous)
        return;
    g_array_append_vals(x->m->packs, previous->packs->data, previous->packs->len);
    g_array_append_vals(x->m->contents, previous->contents->data, previous->contents->len);
    for (guint i = 0; i < previous->contents->len; i++)
        g_hash_table_insert(
            x->places, g_memdup2(&mount_content_at(previous, i)->digest, sizeof(struct digest)),
            GUINT_TO_POINTER(i + 1));
}

static void exporter_clear(struct exporter *x)
{
    mount_manifest_free(x->m);
    g_hash_table_unref(x->places);
    mount_scan_free(x->scan);
    g_free(x->leaders);
    g_free(x->skipped);
}

static guint32 place_of(const struct exporter *x, const struct digest *d)
{
    return GPOINTER_TO_UINT(g_hash_table_lookup(x->places, d)) - 1; /* 0 - 1 is MOUNT_NONE */
}

static guint scan_len(const struct exporter *x)
{
    return entry_list_len(x->scan->walk.entries);
}

static gint64 last_use(const struct exporter *x, guint i)
{
    return MAX(mount_scan_stat(x->scan, i)->atime_ns, mount_scan_at(x->scan, i)->mtime_ns) /
           1000000000;
}

/* Whether entry i stands for a file: one of several names only the first. */
static gboolean is_leader(const struct exporter *x, guint i)
{
    return mount_scan_at(x->scan, i)->type == ENTRY_FILE && x->leaders[i] == i;
}

static gboolean is_taken(const struct exporter *x, guint i)
{
    return is_leader(x, i) && !x->skipped[i] && mount_scan_at(x->scan, i)->size > 0;
}

static void find_leaders(struct exporter *x)
{
    g_free(x->leaders);
    x->leaders = g_new(guint32, scan_len(x));
    for (guint i = 0; i < scan_len(x); i++) {
        const struct entry *e = mount_scan_at(x->scan, i);
        const struct entry *first =
            e->hardlink ? entry_list_find(x->scan->walk.entries, e->hardlink) : NULL;
        x->leaders[i] = first ? first - mount_scan_at(x->scan, 0) : i;
    }
}

struct file_use {
    gint64 used; /* seconds since the epoch */
    guint file;  /* its number */
};

static gint last_used_first(gconstpointer a, gconstpointer b)
{
    const struct file_use *p = a, *q = b;
    if (p->used != q->used)
        return p->used > q->used ? -1 : 1;
    return p->file < q->file ? -1 : 1;
}

/* Marks the least recently used files that max_bytes has no room for. */
static void skip_unused(struct exporter *x)
{
    g_autoptr(GArray) files = g_array_new(FALSE, FALSE, sizeof(struct file_use));
    guint64 left = x->max_bytes;
    x->left_out = 0;
    g_free(x->skipped);
    x->skipped = g_new0(guint8, scan_len(x));
    for (guint i = 0; i < scan_len(x); i++) {
        struct file_use f = {last_use(x, i), i};
        if (is_leader(x, i))
            g_array_append_val(files, f);
    }
    g_array_sort(files, last_used_first);
    for (guint k = 0; k < files->len; k++) {
        guint i = g_array_index(files, struct file_use, k).file;
        guint64 size = mount_scan_at(x->scan, i)->size;
        x->skipped[i] = size > left;
        left -= x->skipped[i] ? 0 : size;
        x->left_out += x->skipped[i] ? size : 0;
    }
    for (guint i = 0; i < scan_len(x); i++)
        x->skipped[i] = x->skipped[x->leaders[i]];
}

static gboolean hash_taken(struct exporter *x, GError **err)
{
    g_autoptr(GArray) numbers = g_array_new(FALSE, FALSE, sizeof(guint32));
    for (guint32 i = 0; i < scan_len(x); i++)
        if (is_taken(x, i) && !mount_scan_at(x->scan, i)->has_digest)
            g_array_append_val(numbers, i);
    return mount_scan_hash(x->scan, numbers, err);
}

/* The file did not hold still. */
static gboolean is_moving(const struct exporter *x, guint i)
{
    return x->scan->state[i] == SCAN_MOVING;
}

/* The entry that stands in for file i, which did not hold still; or NULL. */
static const struct mount_entry *former_entry(const struct exporter *x, guint i)
{
    const struct mount_entry *e =
        x->previous ? mount_manifest_entry(x->previous, mount_scan_at(x->scan, i)->path) : NULL;
    return e && e->type == ENTRY_FILE ? e : NULL;
}

/* Counts what is used of each pack. Returns the bytes that are in none. */
static guint64 count_uses(const struct exporter *x, struct pack_use *uses)
{
    guint64 missing = 0;
    g_autoptr(GHashTable) counted = g_hash_table_new(digest_ghash, digest_gequal);
    for (guint i = 0; i < scan_len(x); i++) {
        const struct entry *e = mount_scan_at(x->scan, i);
        const struct mount_entry *former =
            e->type == ENTRY_FILE && is_moving(x, x->leaders[i]) ? former_entry(x, i) : NULL;
        if (former && former->content != MOUNT_NONE)
            uses[mount_content_at(x->m, former->content)->pack].pinned = TRUE;
        if (!is_taken(x, i) || is_moving(x, i) || !g_hash_table_add(counted, (gpointer)&e->digest))
            continue;
        guint32 place = place_of(x, &e->digest);
        if (place == MOUNT_NONE)
            missing += e->size;
        else
            uses[mount_content_at(x->m, place)->pack].used += e->size;
    }
    return missing;
}

/* The least used pack that may be rewritten and is not to be yet, or MOUNT_NONE. */
static guint least_used(const struct exporter *x, const struct pack_use *uses)
{
    guint least = MOUNT_NONE;
    for (guint i = 0; i < x->m->packs->len; i++)
        if (uses[i].used && !uses[i].pinned && !uses[i].rewrite &&
            (least == MOUNT_NONE || uses[i].used < uses[least].used))
            least = i;
    return least;
}

/* Decides which packs are rewritten, beside making missing bytes of new ones. */
static void choose_rewrites(const struct exporter *x, struct pack_use *uses, guint64 missing)
{
    guint kept = 0;
    for (guint i = 0; i < x->m->packs->len; i++) {
        uses[i].rewrite = uses[i].used && !uses[i].pinned &&
                          uses[i].used < mount_pack_at(x->m, i)->raw - uses[i].used;
        missing += uses[i].rewrite ? uses[i].used : 0;
        kept += uses[i].pinned || (uses[i].used && !uses[i].rewrite);
    }
    if (kept + pack_estimate(missing) <= CACHE_PACKS_MAX)
        return;
    for (guint i;
         kept + pack_estimate(missing) > PACKS_AFTER && (i = least_used(x, uses)) != MOUNT_NONE;
         kept--) {
        uses[i].rewrite = TRUE;
        missing += uses[i].used;
    }
}

/* What goes into new packs: struct pack_item. */
static GArray *list_items(const struct exporter *x, const struct pack_use *uses)
{
    GArray *items = g_array_new(FALSE, FALSE, sizeof(struct pack_item));
    g_autoptr(GHashTable) listed = g_hash_table_new(digest_ghash, digest_gequal);
    for (guint i = 0; i < scan_len(x); i++) {
        const struct entry *e = mount_scan_at(x->scan, i);
        if (!is_taken(x, i) || is_moving(x, i))
            continue;
        guint32 place = place_of(x, &e->digest);
        if (place != MOUNT_NONE && !uses[mount_content_at(x->m, place)->pack].rewrite)
            continue;
        struct pack_item item = {.file = i, .digest = e->digest, .length = e->size};
        if (g_hash_table_add(listed, (gpointer)&e->digest))
            g_array_append_val(items, item);
    }
    return items;
}

/* Takes what was packed into contents; what was in another pack before moves. */
static void take_items(struct exporter *x, const GArray *items, guint first_pack)
{
    for (guint i = 0; i < items->len; i++) {
        const struct pack_item *item = &g_array_index(items, struct pack_item, i);
        struct mount_content c = {item->digest, first_pack + item->group, item->offset,
                                  item->length};
        guint32 place = place_of(x, &item->digest);
        if (!item->packed)
            continue;
        if (place != MOUNT_NONE) {
            *mount_content_at(x->m, place) = c;
            continue;
        }
        g_array_append_val(x->m->contents, c);
        g_hash_table_insert(x->places, g_memdup2(&item->digest, sizeof item->digest),
                            GUINT_TO_POINTER(x->m->contents->len));
    }
}

static gboolean pack_missing(struct exporter *x, GError **err)
{
    g_autofree struct pack_use *uses = g_new0(struct pack_use, x->m->packs->len + 1);
    choose_rewrites(x, uses, count_uses(x, uses));
    g_autoptr(GArray) items = list_items(x, uses);
    g_autoptr(GArray) packs = g_array_new(FALSE, FALSE, sizeof(struct mount_pack));
    if (items->len == 0)
        return TRUE;
    if (!pack_items(x->scan, items, pack_group(items), packs, err))
        return FALSE;
    guint first = x->m->packs->len;
    g_array_append_vals(x->m->packs, packs->data, packs->len);
    take_items(x, items, first);
    return TRUE;
}

static gboolean any_moving(const struct exporter *x)
{
    return memchr(x->scan->state, SCAN_MOVING, scan_len(x)) != NULL;
}

static gboolean read_round(struct exporter *x, GError **err)
{
    find_leaders(x);
    skip_unused(x);
    return hash_taken(x, err) && pack_missing(x, err);
}

static gboolean read_until_quiet(struct exporter *x, GError **err)
{
    x->scan = mount_scan_new(x->dir, NULL, err);
    for (guint round = 1; x->scan; round++) {
        if (!read_round(x, err))
            return FALSE;
        struct mount_scan *now = mount_scan_new(x->dir, x->scan, err);
        if (!now)
            return FALSE;
        if (round == EXPORT_ROUNDS || (!any_moving(x) && mount_scan_same(x->scan, now))) {
            mount_scan_free(now);
            return TRUE;
        }
        mount_scan_free(x->scan);
        x->scan = now;
    }
    return FALSE;
}

/* Adds the entry; numbers tells which number each first name of a file got. */
static void take_scanned(struct exporter *x, guint i, guint32 *numbers)
{
    const struct entry *e = mount_scan_at(x->scan, i);
    struct mount_entry out = {.path = g_string_chunk_insert(x->m->text, e->path),
                              .type = e->type,
                              .mode = e->mode,
                              .uid = e->uid,
                              .gid = e->gid,
                              .content = MOUNT_NONE,
                              .leader = MOUNT_NONE,
                              .mtime_ns = e->mtime_ns,
                              .used = last_use(x, i)};
    if (e->target)
        out.target = g_string_chunk_insert(x->m->text, e->target);
    if (e->type == ENTRY_FILE && e->size > 0)
        out.content = place_of(x, &mount_scan_at(x->scan, x->leaders[i])->digest);
    if (x->leaders[i] != i)
        out.leader = numbers[x->leaders[i]];
    numbers[i] = x->m->entries->len;
    g_array_append_val(x->m->entries, out);
}

static void take_former(struct exporter *x, const struct mount_entry *former)
{
    struct mount_entry e = *former;
    e.path = g_string_chunk_insert(x->m->text, former->path);
    e.leader = MOUNT_NONE;
    g_array_append_val(x->m->entries, e);
}

/* Fills the manifest's entries. Returns how many files did not hold still. */
static guint take_entries(struct exporter *x)
{
    guint changing = 0;
    g_autofree guint32 *numbers = g_new0(guint32, scan_len(x) + 1);
    for (guint i = 0; i < scan_len(x); i++) {
        const struct entry *e = mount_scan_at(x->scan, i);
        if (e->type != ENTRY_FILE && e->type != ENTRY_DIR && e->type != ENTRY_SYMLINK)
            continue;
        if (x->skipped[i])
            continue;
        if (!is_moving(x, x->leaders[i])) {
            take_scanned(x, i, numbers);
            continue;
        }
        const struct mount_entry *former = former_entry(x, i);
        changing++;
        if (former)
            take_former(x, former);
    }
    return changing;
}

static void list_packs(const struct exporter *x, struct mount_export *out)
{
    g_autoptr(GHashTable) there = g_hash_table_new(digest_ghash, digest_gequal);
    for (guint i = 0; x->previous && i < x->previous->packs->len; i++)
        g_hash_table_add(there, &mount_pack_at(x->previous, i)->digest);
    out->packs = mount_manifest_packs(x->m);
    out->new_packs = g_ptr_array_new();
    for (guint i = 0; i < out->packs->len; i++) {
        struct descriptor *d = g_ptr_array_index(out->packs, i);
        if (!g_hash_table_contains(there, &d->digest))
            g_ptr_array_add(out->new_packs, d);
    }
}

static gboolean finish_export(struct exporter *x, struct mount_export *out, GError **err)
{
    out->changing = take_entries(x);
    out->left_out = x->left_out;
    if (x->m->entries->len > MOUNT_MAX_ENTRIES)
        return error_set(err, VARVE_ERROR_INVALID, "it has more than %d entries",
                         MOUNT_MAX_ENTRIES);
    mount_manifest_seal(x->m);
    out->unchanged = x->previous && mount_manifest_same(x->m, x->previous);
    if (!out->unchanged)
        mount_manifest_write(x->m);
    GBytes *bytes = out->unchanged ? x->previous->bytes : x->m->bytes;
    if (g_bytes_get_size(bytes) > MOUNT_MAX_MANIFEST)
        return error_set(err, VARVE_ERROR_INVALID, "its list of files has more than %d bytes",
                         MOUNT_MAX_MANIFEST);
    out->files = mount_manifest_files(x->m, &out->bytes);
    out->manifest.media_type = g_strdup(CACHE_MOUNT_TYPE);
    out->manifest.size = g_bytes_get_size(bytes);
    list_packs(x, out);
    return store_blob_put(x->dir->store, g_bytes_get_data(bytes, NULL), out->manifest.size,
                          &out->manifest.digest, err);
}

gboolean mount_export(const struct mount_dir *d, const struct mount_manifest *previous,
                      guint64 max_bytes, struct mount_export *out, GError **err)
{
    struct exporter x;
    *out = (struct mount_export){0};
    exporter_init(&x, d, previous, max_bytes);
    gboolean ok = read_until_quiet(&x, err);
    if (ok) {
        mount_scan_save(x.scan);
        ok = finish_export(&x, out, err);
    }
    exporter_clear(&x);
    if (ok)
        return TRUE;
    mount_export_clear(out);
    g_prefix_error(err, "cannot export the cache mount: ");
    return FALSE;
}

void mount_export_clear(struct mount_export *e)
{
    g_free(e->manifest.media_type);
    if (e->new_packs)
        g_ptr_array_unref(e->new_packs);
    if (e->packs)
        g_ptr_array_unref(e->packs);
    *e = (struct mount_export){0};
}
