#include "registry/registry.h"

#include "base/error.h"
#include "registry/fetch.h"
#include "registry/origin.h"
#include "registry/upload.h"
#include "store/absent.h"
#include "store/blob.h"

#include <string.h>

#define PARALLEL_PUSHES 5
#define MAX_MOUNT_TRIES 2
#define MAX_NESTING 3

struct push {
    struct errand e;
    GPtrArray *manifests; /* struct digest*, children before the indexes that name them */
    GPtrArray *blobs;     /* struct descriptor*, each once */
    GHashTable *seen;     /* set of struct digest* that manifests or blobs own */
    GMutex lock;
    struct push_stats stats; /* guarded by lock */
};

static void push_clear(struct push *p)
{
    g_hash_table_unref(p->seen);
    g_ptr_array_unref(p->manifests);
    g_ptr_array_unref(p->blobs);
    g_mutex_clear(&p->lock);
}

static void push_init(struct push *p)
{
    g_mutex_init(&p->lock);
    p->manifests = g_ptr_array_new_with_free_func(g_free);
    p->blobs = g_ptr_array_new_with_free_func((GDestroyNotify)descriptor_free);
    p->seen = g_hash_table_new(digest_ghash, digest_gequal);
}

/* Layers that must be fetched from where they lie (Windows base images of old) are not pushed. */
static gboolean is_foreign(const struct descriptor *d)
{
    return d->urls && d->urls[0] && d->media_type &&
           (strstr(d->media_type, ".foreign.") || strstr(d->media_type, ".nondistributable."));
}

static void gather_blob(struct push *p, const struct descriptor *d)
{
    if (g_hash_table_contains(p->seen, &d->digest) || is_foreign(d))
        return;
    struct descriptor *copy = descriptor_copy(d);
    g_ptr_array_add(p->blobs, copy);
    g_hash_table_add(p->seen, &copy->digest);
}

static gboolean read_document(const struct push *p, const struct digest *d, guint depth,
                              struct document *doc, GError **err)
{
    GError *why = NULL;
    g_autofree char *text = digest_text(d);
    if (stored_document_read(p->e.r->store, d, doc, &why))
        return TRUE;
    if (!g_error_matches(why, VARVE_ERROR, VARVE_ERROR_NOT_FOUND)) {
        g_propagate_prefixed_error(err, why, "cannot %s: ", p->e.doing);
        return FALSE;
    }
    g_error_free(why);
    error_set(err, VARVE_ERROR_NOT_FOUND, "cannot %s: the store lacks %s %s", p->e.doing,
              depth ? "a manifest that the index names," : "the manifest", text);
    error_add_next(err, depth
                            ? "push the image of one platform, or pull or build all platforms first"
                            : "build or pull the image again");
    return FALSE;
}

/* Lists a document and everything below it. */
static gboolean gather(struct push *p, const struct digest *d, guint depth, GError **err)
{
    g_auto(document) doc = {0};
    if (g_hash_table_contains(p->seen, d))
        return TRUE;
    if (depth > MAX_NESTING)
        return error_set(err, VARVE_ERROR_INVALID, "cannot %s: its indexes are nested too deeply",
                         p->e.doing);
    if (!read_document(p, d, depth, &doc, err))
        return FALSE;
    if (!doc.manifest->is_index)
        gather_blob(p, &doc.manifest->config);
    for (guint i = 0; i < doc.manifest->items->len; i++) {
        const struct descriptor *item = g_ptr_array_index(doc.manifest->items, i);
        if (!doc.manifest->is_index)
            gather_blob(p, item);
        else if (!gather(p, &item->digest, depth + 1, err))
            return FALSE;
    }
    struct digest *copy = g_memdup2(d, sizeof *d);
    g_ptr_array_add(p->manifests, copy);
    g_hash_table_add(p->seen, copy);
    return TRUE;
}

gboolean blob_is_there(const struct errand *e, const char *digest, gboolean *there, GError **err)
{
    g_autofree char *target = g_strconcat("/v2/", e->route->repository, "/blobs/", digest, NULL);
    struct http_request rq = {.method = "HEAD"};
    g_auto(http_response) a;
    http_response_init(&a);
    if (!client_send(e, &rq, target, NULL, NULL, &a, err))
        return FALSE;
    *there = a.status == 200;
    return *there || a.status == 404 ? TRUE : client_refuse(e, &a, digest, err);
}

enum mounted { MOUNT_NO, MOUNT_DONE, MOUNT_UPLOAD };

/* Asks for the blob of another repository of the host. MOUNT_UPLOAD: it began an upload instead, at
 * *location. */
static enum mounted try_mount(const struct errand *to, const char *digest, const char *from,
                              struct url **location)
{
    g_autofree char *source = client_scope(from, "pull");
    g_autofree char *scopes = g_strconcat(to->scopes, " ", source, NULL);
    g_autofree char *from_text = g_uri_escape_string(from, NULL, FALSE);
    g_autofree char *target = g_strconcat(
        "/v2/", to->route->repository, "/blobs/uploads/?mount=", digest, "&from=", from_text, NULL);
    struct errand e = *to;
    struct http_request rq = {.method = "POST"};
    g_auto(http_response) a;
    http_response_init(&a);
    e.scopes = scopes;
    e.tries = 1;
    if (!client_send(&e, &rq, target, NULL, NULL, &a, NULL))
        return MOUNT_NO;
    if (a.status == 201)
        return MOUNT_DONE;
    *location = a.status == 202 ? upload_location(&e, &a, NULL) : NULL;
    return *location ? MOUNT_UPLOAD : MOUNT_NO;
}

static enum mounted mount_from_origins(const struct errand *e, const struct descriptor *d,
                                       const char *digest, struct url **location)
{
    g_autoptr(GPtrArray) origins = origin_list(e->r->store, &d->digest);
    guint tries = 0;
    for (guint i = 0; i < origins->len && tries < MAX_MOUNT_TRIES; i++) {
        const struct origin *o = g_ptr_array_index(origins, i);
        if (strcmp(o->host, e->route->name) != 0 ||
            strcmp(o->repository, e->route->repository) == 0)
            continue;
        tries++;
        enum mounted m = try_mount(e, digest, o->repository, location);
        if (m != MOUNT_NO)
            return m;
    }
    return MOUNT_NO;
}

/* The blob in the store; one that was pruned, or left at its registry or in a cache, is fetched
 * from where it was seen. */
static gboolean have_blob(const struct errand *e, const struct descriptor *d, const char *digest,
                          GError **err)
{
    struct registry *r = e->r;
    g_autoptr(GError) why = NULL;
    if (store_blob_has(r->store, &d->digest, NULL) || fetch_from_origins(r, d, NULL, &why) ||
        store_blob_need(r->store, &d->digest, d->size, d->media_type, NULL))
        return TRUE;
    if (!cancel_check(r->cancel, err))
        return FALSE;
    error_set(err, why->code, "cannot %s: its blob %s is not in the store: %s", e->doing, digest,
              why->message);
    error_copy_next(err, why);
    if (g_error_matches(why, VARVE_ERROR, VARVE_ERROR_NOT_FOUND))
        error_add_next(err, "build the image again with --push, or pull it again, then push");
    return FALSE;
}

gboolean push_blob(const struct errand *e, const struct descriptor *d, struct push_stats *stats,
                   GError **err)
{
    g_autofree char *digest = digest_text(&d->digest);
    struct store *s = e->r->store;
    gboolean there, has = FALSE;
    guint64 size;
    if (!blob_is_there(e, digest, &there, err))
        return FALSE;
    struct url *location = NULL;
    if (there || mount_from_origins(e, d, digest, &location) == MOUNT_DONE) {
        *(there ? &stats->blobs_there : &stats->blobs_mounted) += 1;
        origin_add(s, &d->digest, e->route->name, e->route->repository);
        return TRUE;
    }
    if (!have_blob(e, d, digest, err) || !store_blob_look(s, &d->digest, &has, &size, err) ||
        (!has &&
         !error_set(err, VARVE_ERROR_FAILED, "the blob %s vanished from the store", digest))) {
        url_free(location);
        return FALSE;
    }
    if (!upload_blob(e, &d->digest, size, location, err))
        return FALSE;
    stats->blobs_sent++;
    stats->bytes_sent += size;
    origin_add(s, &d->digest, e->route->name, e->route->repository);
    return TRUE;
}

static gboolean push_one(gpointer ctx, gsize i, GError **err)
{
    struct push *p = ctx;
    struct push_stats mine = {0};
    if (!push_blob(&p->e, g_ptr_array_index(p->blobs, i), &mine, err))
        return FALSE;
    g_mutex_lock(&p->lock);
    p->stats.bytes_sent += mine.bytes_sent;
    p->stats.blobs_sent += mine.blobs_sent;
    p->stats.blobs_mounted += mine.blobs_mounted;
    p->stats.blobs_there += mine.blobs_there;
    g_mutex_unlock(&p->lock);
    return TRUE;
}

static gboolean check_put(struct push *p, const struct http_response *a, const char *name,
                          const struct digest *d, GError **err)
{
    struct digest said;
    if (a->status != 201 && a->status != 200 && a->status != 202)
        return client_refuse(&p->e, a, name, err);
    if (!answer_digest(a, &said) || digest_cmp(&said, d) == 0)
        return TRUE;
    g_autofree char *want = digest_text(d), *got = digest_text(&said);
    return error_set(err, VARVE_ERROR_INVALID, "cannot %s: registry %s stored %s where %s was sent",
                     p->e.doing, p->e.route->name, got, want);
}

static gboolean put_manifest(struct push *p, const struct digest *d, const char *name, GError **err)
{
    g_auto(document) doc = {0};
    g_autoptr(GBytes) bytes = store_blob_read(p->e.r->store, d, MAX_DOCUMENT, err);
    if (!bytes || !read_document(p, d, 0, &doc, err))
        return FALSE;
    g_autofree char *target =
        g_strconcat("/v2/", p->e.route->repository, "/manifests/", name, NULL);
    struct http_request rq = {.method = "PUT", .content_type = doc.manifest->media_type};
    g_auto(http_response) a;
    http_response_init(&a);
    rq.body = g_bytes_get_data(bytes, &rq.body_len);
    return client_send(&p->e, &rq, target, NULL, NULL, &a, err) && check_put(p, &a, name, d, err);
}

/* Whether name is this manifest already; then the registry has everything it needs. */
static gboolean manifest_is_there(struct push *p, const char *name, const struct digest *d,
                                  gboolean *there, GError **err)
{
    struct digest now;
    if (!fetch_digest(&p->e, name, &now, there, err))
        return FALSE;
    *there = *there && digest_cmp(&now, d) == 0;
    return TRUE;
}

static gboolean put_manifests(struct push *p, const char *name, GError **err)
{
    for (guint i = 0; i < p->manifests->len; i++) {
        const struct digest *d = g_ptr_array_index(p->manifests, i);
        g_autofree char *digest = digest_text(d);
        gboolean last = i == p->manifests->len - 1;
        if (!put_manifest(p, d, last ? name : digest, err))
            return FALSE;
    }
    return TRUE;
}

static gboolean run_push(struct push *p, const struct digest *manifest, const char *name,
                         GError **err)
{
    gboolean there;
    if (!gather(p, manifest, 0, err) || !manifest_is_there(p, name, manifest, &there, err))
        return FALSE;
    if (there) {
        p->stats.blobs_there = p->blobs->len;
        return TRUE;
    }
    return client_fan_out(p->blobs->len, PARALLEL_PUSHES, push_one, p, err) &&
           put_manifests(p, name, err);
}

gboolean registry_push(struct registry *r, const struct digest *manifest,
                       const struct reference *ref, gboolean by_digest, struct push_stats *stats,
                       GError **err)
{
    g_autoptr(GPtrArray) routes = client_routes(r, ref->domain, ref->path, by_digest, TRUE, err);
    if (!routes)
        return FALSE;
    const struct route *route = g_ptr_array_index(routes, 0);
    g_autofree char *shown = reference_familiar(ref);
    g_autofree char *doing = g_strconcat("push ", shown, NULL);
    g_autofree char *scope = client_scope(route->repository, "pull,push");
    g_autofree char *digest = digest_text(manifest);
    struct push p = {.e = {.r = r, .route = route, .doing = doing, .scopes = scope}};
    push_init(&p);
    gboolean ok = run_push(&p, manifest, by_digest || !ref->tag ? digest : ref->tag, err);
    if (stats)
        *stats = p.stats;
    push_clear(&p);
    return ok;
}
