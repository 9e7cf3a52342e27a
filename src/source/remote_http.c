/* Files over http(s). The stat cache keeps, under the digest of the URL, what the server said last:
 *   etag NEWLINE last-modified NEWLINE sha256:digest NEWLINE
 * Empty lines stand for missing values. */
#include "source/remotework.h"

#include "base/error.h"
#include "base/fs.h"
#include "layer/attrs.h"
#include "layer/chainview.h"
#include "layer/index.h"
#include "net/download.h"
#include "tree/scan.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

/* What the server last said about a URL. */
struct said {
    char *etag, *last_modified; /* NULL: nothing */
    char *digest;               /* as text */
};

static void said_clear(struct said *s)
{
    g_free(s->etag);
    g_free(s->last_modified);
    g_free(s->digest);
}

static void cache_key(const struct source_op *op, struct digest *key)
{
    g_autoptr(hasher) h = hasher_new();
    hasher_add_str(h, "http");
    hasher_add_str(h, op->identifier);
    hasher_final(h, key);
}

static char *text_or_null(const char *text)
{
    return *text ? g_strdup(text) : NULL;
}

static gboolean load_said(struct remotes *r, const struct source_op *op, struct said *out)
{
    struct digest key, parsed;
    cache_key(op, &key);
    g_autoptr(GBytes) bytes = store_statcache_load(r->o.store, &key);
    if (!bytes)
        return FALSE;
    g_autofree char *text = g_strndup(g_bytes_get_data(bytes, NULL), g_bytes_get_size(bytes));
    g_auto(GStrv) lines = g_strsplit(text, "\n", 4);
    if (g_strv_length(lines) != 4 || !digest_parse(&parsed, lines[2], NULL))
        return FALSE;
    *out = (struct said){text_or_null(lines[0]), text_or_null(lines[1]), g_strdup(lines[2])};
    return TRUE;
}

static void save_said(struct remotes *r, const struct source_op *op, const struct download_info *i)
{
    struct digest key;
    cache_key(op, &key);
    g_autofree char *digest = digest_text(&i->digest);
    g_autofree char *text = g_strdup_printf("%s\n%s\n%s\n", i->etag ? i->etag : "",
                                            i->last_modified ? i->last_modified : "", digest);
    store_statcache_save(r->o.store, &key, text, strlen(text));
}

void remote_http_key(const struct source_op *op, const char *holds, struct digest *key)
{
    g_autoptr(hasher) h = hasher_new();
    hasher_add_str(h, "http file");
    hasher_add_str(h, holds);
    hasher_add_str(h, op->filename);
    hasher_add_u64(h, op->mode);
    hasher_add_u64(h, (guint64)op->uid << 32 | op->gid);
    hasher_final(h, key);
}

/* A download on its way into a layer directory. */
struct fetch {
    struct remotes *r;
    const struct source_op *op;
    char *tmp; /* the layer directory */
    int dirfd; /* it */
    int fd;    /* fs/<name> in it */
    struct download_info info;
};

static void fetch_clear(struct fetch *d)
{
    fd_cleanup(&d->fd);
    fd_cleanup(&d->dirfd);
    download_info_clear(&d->info);
    if (d->tmp)
        store_tmp_discard(d->r->o.store, d->tmp);
    g_free(d->tmp);
}

static gboolean fetch_open(struct fetch *d, GError **err)
{
    d->tmp = store_tmp_dir(d->r->o.store, err);
    if (!d->tmp)
        return FALSE;
    d->dirfd = fs_open_dir(store_fd(d->r->o.store), d->tmp, err);
    g_autofree char *path = g_build_filename("fs", d->op->filename, NULL);
    if (d->dirfd < 0 || !fs_mkdir_p(d->dirfd, "fs", 0755, err))
        return FALSE;
    d->fd = openat(d->dirfd, path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
    return d->fd >= 0 || error_set_errno(err, errno, "cannot make the file %s", d->op->filename);
}

/* The URL's host without its port: what the secrets are named after. */
static char *bare_host(const char *url)
{
    g_autofree char *host = url_host_of(url);
    if (*host == '[')
        return g_strndup(host + 1, strcspn(host + 1, "]"));
    return g_strndup(host, strcspn(host, ":"));
}

/* A header's value from the secrets for the URL's host; *auth stays NULL when there is none. */
static gboolean find_auth(const struct remotes *r, const char *url, char **auth, GError **err)
{
    g_autofree char *host = bare_host(url);
    g_autofree char *token_id = g_strconcat("HTTP_AUTH_TOKEN_", host, NULL);
    g_autofree char *header_id = g_strconcat("HTTP_AUTH_HEADER_", host, NULL);
    g_autofree char *token = remote_secret(r, token_id), *header = remote_secret(r, header_id);
    if (!token && !header)
        return TRUE;
    *auth = token ? g_strconcat("Bearer ", token, NULL) : g_strdup(header);
    for (const char *p = *auth; *p; p++)
        if (g_ascii_iscntrl(*p))
            return error_set(err, VARVE_ERROR_INVALID,
                             "the secret %s contains a line break or another control character",
                             token ? token_id : header_id);
    return TRUE;
}

/* What to do about an answer of 401 or 403. */
static void hint_login(const char *url, gboolean sent, GError **err)
{
    g_autofree char *host = bare_host(url);
    if (sent)
        error_add_next(err, "check that the secret for %s is right and has not expired", host);
    else
        error_add_next(err, "give a token for it: --secret id=HTTP_AUTH_TOKEN_%s,src=FILE", host);
}

static gboolean fetch_run(struct fetch *d, const struct said *said, GError **err)
{
    const struct remotes_options *o = &d->r->o;
    g_autofree char *auth = NULL;
    if (!find_auth(d->r, d->op->identifier, &auth, err))
        return FALSE;
    struct download_options how = {.client = d->r->http,
                                   .url = d->op->identifier,
                                   .auth = auth,
                                   .etag = said ? said->etag : NULL,
                                   .last_modified = said ? said->last_modified : NULL,
                                   .events = o->events,
                                   .cancel = o->cancel};
    gboolean ok = download(&how, d->fd, &d->info, err);
    if (!ok && err && g_error_matches(*err, VARVE_ERROR, VARVE_ERROR_DENIED))
        hint_login(d->op->identifier, auth != NULL, err);
    return ok;
}

/* The file that came becomes a layer. */
static struct chain *fetch_keep(struct fetch *d, GError **err)
{
    g_autofree char *holds = digest_text(&d->info.digest);
    struct entry e = {.path = d->op->filename,
                      .type = ENTRY_FILE,
                      .mode = d->op->mode,
                      .uid = d->op->uid,
                      .gid = d->op->gid,
                      .size = d->info.size,
                      .mtime_ns = d->info.mtime_s * 1000000000,
                      .digest = d->info.digest,
                      .has_digest = TRUE};
    g_autoptr(entry_list) list = entry_list_new();
    entry_list_add(list, &e);
    struct layer_info info = {0};
    struct digest key;
    if (!attrs_apply_fd(d->fd, &e, err) || !layer_index_write(d->dirfd, list, &info, err))
        return NULL;
    remote_http_key(d->op, holds, &key);
    g_autofree char *tmp = g_steal_pointer(&d->tmp);
    return remote_keep(d->r, &key, tmp, &info, err);
}

/* Asks for the file; when it is another one than said, it is in the store then. */
static char *ask_now(struct remotes *r, const struct source_op *op, const struct said *said,
                     GError **err)
{
    struct fetch d = {.r = r, .op = op, .dirfd = -1, .fd = -1};
    char *holds = NULL;
    if (fetch_open(&d, err) && fetch_run(&d, said, err)) {
        if (d.info.unchanged) {
            holds = g_strdup(said->digest);
        } else {
            g_autoptr(chain) c = fetch_keep(&d, err);
            holds = c ? digest_text(&d.info.digest) : NULL;
            if (holds)
                save_said(r, op, &d.info);
        }
    }
    fetch_clear(&d);
    return holds;
}

/* Whether the last download is still in the store: otherwise "unchanged" would be useless. */
static gboolean still_here(struct remotes *r, const struct source_op *op, const struct said *said)
{
    struct digest key;
    remote_http_key(op, said->digest, &key);
    g_autoptr(chain) c = remote_find(r, &key);
    return c != NULL;
}

char *remote_http_ask(struct remotes *r, const struct source_op *op, GError **err)
{
    struct digest key;
    char name[DIGEST_HEX_LEN + 1];
    if (op->has_checksum)
        return digest_text(&op->checksum);
    cache_key(op, &key);
    g_autoptr(store_lock) lock =
        store_lock_take(r->o.store, digest_hex(&key, name), r->o.cancel, NULL, err);
    if (!lock)
        return NULL;
    struct said said = {0};
    gboolean known = load_said(r, op, &said) && still_here(r, op, &said);
    char *holds = ask_now(r, op, known ? &said : NULL, err);
    said_clear(&said);
    return holds;
}

static gboolean check_digest(const struct source_op *op, const struct download_info *i,
                             const char *holds, GError **err)
{
    g_autofree char *got = digest_text(&i->digest);
    g_autofree char *shown = url_shown(op->identifier);
    if (g_str_equal(got, holds))
        return TRUE;
    if (!op->has_checksum)
        return error_set(err, VARVE_ERROR_OUTSIDE, "%s changed while this build was running",
                         shown);
    error_set(err, VARVE_ERROR_INVALID, "checksum mismatch: %s is\n%s, but --checksum wants\n%s",
              shown, got, holds);
    error_add_next(err, "find out why it changed; if you want the new one, write --checksum=%s",
                   got);
    return FALSE;
}

struct chain *remote_http_get(struct remotes *r, const struct source_op *op, const char *holds,
                              GError **err)
{
    struct fetch d = {.r = r, .op = op, .dirfd = -1, .fd = -1};
    struct chain *c = NULL;
    if (fetch_open(&d, err) && fetch_run(&d, NULL, err) && check_digest(op, &d.info, holds, err)) {
        save_said(r, op, &d.info);
        c = fetch_keep(&d, err);
    }
    fetch_clear(&d);
    return c;
}

/* The youngest file of t; -1: it is not an archive's content, but the file called name itself. */
static gint64 youngest(const struct tree *t, const char *name)
{
    gint64 ns = -1;
    for (guint i = 0; i < entry_list_len(t->entries); i++) {
        const struct entry *e = entry_list_at(t->entries, i);
        if (e->type == ENTRY_FILE && strcmp(e->path, name) != 0)
            ns = MAX(ns, e->mtime_ns);
    }
    return ns < 0 ? -1 : ns / 1000000000;
}

/* Unpacks the file of t for a moment. */
static gboolean archive_time(struct remotes *r, const struct source_op *op, struct tree *t,
                             gint64 *seconds, GError **err)
{
    struct layer_info info = {0};
    g_autofree char *tmp = store_tmp_dir(r->o.store, err);
    if (!tmp)
        return FALSE;
    g_autofree char *dir = g_build_filename(store_root(r->o.store), tmp, "fs", NULL);
    g_autoptr(tree) content = NULL;
    if (remote_fill(r->o.store, r->o.cancel, t, op->filename, TRUE, NULL, tmp, &info, err))
        content = scan_unpacked(dir, NULL, op->filename, r->o.cancel, err);
    if (content)
        *seconds = youngest(content, op->filename);
    store_tmp_discard(r->o.store, tmp);
    return content != NULL;
}

gboolean remote_http_time(struct remotes *r, const struct source_op *op, gint64 *seconds,
                          GError **err)
{
    struct entry file;
    g_autoptr(chain) c = remotes_chain(r, op, err);
    g_autoptr(chainview) view = c ? chainview_new(r->o.store, c, r->o.cancel, err) : NULL;
    g_autoptr(tree) t = view ? chainview_tree(view, op->filename, err) : NULL;
    if (!t)
        return FALSE;
    gboolean dated = chainview_lookup(view, op->filename, &file) && file.mtime_ns > 0;
    if (!dated)
        return archive_time(r, op, t, seconds, err);
    *seconds = file.mtime_ns / 1000000000;
    return TRUE;
}
