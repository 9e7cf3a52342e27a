/* Merging two manifests. What is taken keeps the place of its content; packs and contents are
 * numbered anew. */
#include "cache/mountmanifest.h"

#include <string.h>

struct merge_side {
    const struct mount_manifest *m;
    guint at;          /* next entry to be looked at */
    guint32 *packs;    /* its packs' numbers in the merged one */
    guint32 *contents; /* its contents' numbers there */
    guint32 *names;    /* by entry: the first of its names that was taken, there; or MOUNT_NONE */
};

static void side_init(struct merge_side *s, const struct mount_manifest *m)
{
    *s = (struct merge_side){.m = m};
    s->packs = g_new0(guint32, m->packs->len + 1);
    s->contents = g_new0(guint32, m->contents->len + 1);
    s->names = g_new(guint32, m->entries->len + 1);
    memset(s->names, 0xff, sizeof(guint32) * (m->entries->len + 1));
}

static void side_clear(struct merge_side *s)
{
    g_free(s->packs);
    g_free(s->contents);
    g_free(s->names);
}

static gboolean same_pack(const struct mount_pack *a, const struct mount_pack *b)
{
    return digest_cmp(&a->digest, &b->digest) == 0 && a->size == b->size && a->raw == b->raw;
}

static void merge_packs(struct mount_manifest *out, struct merge_side *s)
{
    guint before = out->packs->len;
    for (guint i = 0; i < s->m->packs->len; i++) {
        const struct mount_pack *p = mount_pack_at(s->m, i);
        guint k = 0;
        while (k < before && !same_pack(mount_pack_at(out, k), p))
            k++;
        s->packs[i] = k < before ? k : out->packs->len;
        if (k == before)
            g_array_append_val(out->packs, *p);
    }
}

/* before (NULL: none) was merged already. FALSE: the sides say different things of one content. */
static gboolean merge_contents(struct mount_manifest *out, const struct mount_manifest *before,
                               struct merge_side *s)
{
    for (guint i = 0; i < s->m->contents->len; i++) {
        struct mount_content c = *mount_content_at(s->m, i);
        guint32 known = before ? mount_manifest_find(before, &c.digest) : MOUNT_NONE;
        s->contents[i] = known == MOUNT_NONE ? out->contents->len : known;
        c.pack = s->packs[c.pack];
        if (known == MOUNT_NONE)
            g_array_append_val(out->contents, c);
        else if (mount_content_at(before, known)->length != c.length)
            return FALSE;
    }
    return TRUE;
}

static const struct digest *content_digest(const struct merge_side *s, const struct mount_entry *e)
{
    static const struct digest none;
    return e->content == MOUNT_NONE ? &none : &mount_content_at(s->m, e->content)->digest;
}

/* Above 0: f, of side t, is to be taken instead of e, of side s. */
static int newer_entry(const struct merge_side *s, const struct mount_entry *e,
                       const struct merge_side *t, const struct mount_entry *f)
{
    if ((e->type == ENTRY_DIR) != (f->type == ENTRY_DIR))
        return f->type == ENTRY_DIR ? 1 : -1;
    if (e->mtime_ns != f->mtime_ns)
        return f->mtime_ns > e->mtime_ns ? 1 : -1;
    return digest_cmp(content_digest(t, f), content_digest(s, e));
}

static void take_merged(struct mount_manifest *out, struct merge_side *s, gint64 used)
{
    guint i = s->at;
    struct mount_entry e = *mount_entry_at(s->m, i);
    guint32 number = out->entries->len, *first = &s->names[e.leader == MOUNT_NONE ? i : e.leader];
    e.path = g_string_chunk_insert(out->text, e.path);
    e.target = e.target ? g_string_chunk_insert(out->text, e.target) : NULL;
    e.used = MAX(e.used, used);
    if (e.content != MOUNT_NONE)
        e.content = s->contents[e.content];
    e.leader = *first;
    if (*first == MOUNT_NONE)
        *first = number;
    g_array_append_val(out->entries, e);
}

static const struct mount_entry *side_next(const struct merge_side *s)
{
    return s->at < s->m->entries->len ? mount_entry_at(s->m, s->at) : NULL;
}

static void merge_entries(struct mount_manifest *out, struct merge_side *s, struct merge_side *t)
{
    for (;;) {
        const struct mount_entry *e = side_next(s), *f = side_next(t);
        if (!e && !f)
            return;
        int c = !e ? 1 : !f ? -1 : entry_path_cmp(e->path, f->path);
        gint64 used = c == 0 ? MAX(e->used, f->used) : G_MININT64;
        take_merged(out, c > 0 || (c == 0 && newer_entry(s, e, t, f) > 0) ? t : s, used);
        s->at += c <= 0;
        t->at += c >= 0;
    }
}

/* What a pack holds at one place is one thing: of sides that say different things one is wrong. */
static gboolean has_overlap(const struct mount_manifest *m)
{
    for (guint i = 1; i < m->contents->len; i++) {
        const struct mount_content *a = mount_content_at(m, i - 1), *b = mount_content_at(m, i);
        if (a->pack == b->pack && a->offset + a->length > b->offset)
            return TRUE;
    }
    return FALSE;
}

static GBytes *merge_sides(struct merge_side *s, struct merge_side *t)
{
    g_autoptr(mount_manifest) out = mount_manifest_new();
    merge_packs(out, s);
    merge_packs(out, t);
    if (!merge_contents(out, NULL, s) || !merge_contents(out, s->m, t))
        return g_bytes_ref(s->m->bytes);
    merge_entries(out, s, t);
    mount_manifest_seal(out);
    if (has_overlap(out))
        return g_bytes_ref(s->m->bytes);
    mount_manifest_write(out);
    return g_bytes_ref(out->bytes);
}

GBytes *mount_manifest_merge(const struct mount_manifest *a, const struct mount_manifest *b)
{
    /* In an order that does not depend on the caller's. */
    if (g_bytes_compare(a->bytes, b->bytes) > 0) {
        const struct mount_manifest *first = b;
        b = a;
        a = first;
    }
    struct merge_side s, t;
    side_init(&s, a);
    side_init(&t, b);
    GBytes *bytes = merge_sides(&s, &t);
    side_clear(&s);
    side_clear(&t);
    return bytes;
}
