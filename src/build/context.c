/* Contexts that are not a directory of the user's: from stdin, an archive, an URL, a git
 * repository. */
#include "build/building.h"

#include "base/error.h"
#include "base/fs.h"
#include "base/io.h"
#include "base/sniff.h"
#include "build/fetched.h"
#include "net/download.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <string.h>
#include <unistd.h>

/* The archive's temporary name, chosen so that no archive can contain a file of that name. */
#define ARCHIVE_NAME ".varve context archive"

static gboolean refuse_archive(const struct build *b, GError **err)
{
    error_set(err, VARVE_ERROR_INVALID, "the context %s is compressed but is not a tar archive",
              b->input.context_name);
    error_add_next(err, "use a tar archive, plain or compressed with gzip, bzip2, xz or zstd");
    return FALSE;
}

/* Unpacks dir/name into a temporary folder of the store, which becomes the context. It goes when
 * the store is closed. */
static gboolean unpack_context(struct build *b, const char *dir, const char *name, GError **err)
{
    b->input.context_dir =
        fetched_unpack(b->batch->store, b->ports.cancel, dir, name, b->input.context_name, err);
    if (!b->input.context_dir) {
        g_prefix_error(err, "cannot unpack the context %s: ", b->input.context_name);
        return FALSE;
    }
    b->input.context_archive = TRUE;
    g_autofree char *itself = g_build_filename(b->input.context_dir, name, NULL);
    return access(itself, F_OK) != 0 || refuse_archive(b, err);
}

/* A file that is the whole Dockerfile: there is no context. For one at a URL -f means nothing, as
 * in BuildKit. */
static gboolean take_dockerfile(struct build *b, int fd, GError **err)
{
    if (b->r->file && b->r->context_kind == BUILD_CONTEXT_HTTP) {
        event_note(b->ports.events, "%s is the Dockerfile itself; -f %s has no effect",
                   b->input.context_name, b->r->file);
    } else if (b->r->file) {
        error_set(err, VARVE_ERROR_USAGE,
                  "%s is a Dockerfile, not an archive, and -f %s names another one",
                  b->input.context_name, b->r->file);
        error_add_next(err, "leave out -f, or use a context that contains %s", b->r->file);
        return FALSE;
    }
    if (lseek(fd, 0, SEEK_SET) < 0)
        return error_set_errno(err, errno, "cannot read %s", b->input.context_name);
    b->input.dockerfile_text = fs_read_fd(fd, b->input.context_name, DOCKERFILE_MAX_BYTES, err);
    return b->input.dockerfile_text != NULL;
}

/* dir/name is an archive or a Dockerfile. */
static gboolean use_file(struct build *b, const char *dir, const char *name, GError **err)
{
    g_autofree char *path = g_build_filename(dir, name, NULL);
    gboolean archive;
    fd_auto int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return error_set_errno(err, errno, "cannot open the context %s", b->input.context_name);
    if (!fetched_is_archive(fd, "the context", &archive, err))
        return FALSE;
    return archive ? unpack_context(b, dir, name, err) : take_dockerfile(b, fd, err);
}

/* Copies the context on stdin, which may be a pipe, to an empty file. */
static gboolean copy_stdin(struct build *b, int from, int to, GError **err)
{
    char buffer[64 * 1024];
    guint64 total = 0;
    for (;;) {
        struct pollfd fds[] = {{from, POLLIN, 0}, {cancel_fd(b->ports.cancel), POLLIN, 0}};
        if (poll(fds, 2, -1) < 0 && errno != EINTR) /* a user who types a context may cancel it */
            return error_set_errno(err, errno, "cannot wait for the context on stdin");
        if (!cancel_check(b->ports.cancel, err))
            return FALSE;
        if (!fds[0].revents)
            continue;
        ssize_t n = read(from, buffer, sizeof buffer);
        if (n < 0 && errno != EINTR)
            return error_set_errno(err, errno, "cannot read the context from stdin");
        if (n == 0)
            return TRUE;
        total += MAX(n, 0);
        if (total > DOWNLOAD_MAX_BYTES)
            return error_set(err, VARVE_ERROR_INVALID,
                             "the context on stdin is larger than 64 GiB");
        if (n > 0 && !fs_write_all(to, buffer, n, err))
            return FALSE;
    }
}

/* Likewise a file. */
static gboolean copy_file(struct build *b, int from, int to, GError **err)
{
    return fs_copy_fd(from, to, b->input.context_name, err);
}

typedef gboolean (*copy_fn)(struct build *b, int from, int to, GError **err);
typedef gboolean (*use_fn)(struct build *b, const char *dir, const char *name, GError **err);

static gboolean copy_into(struct build *b, int from, copy_fn copy, const char *dir, GError **err)
{
    g_autofree char *path = g_build_filename(dir, ARCHIVE_NAME, NULL);
    fd_auto int to = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (to < 0)
        return error_set_errno(err, errno, "cannot make %s", path);
    return copy(b, from, to, err);
}

/* Uses a copy of from, which is in a folder of its own for that time. */
static gboolean use_copy(struct build *b, int from, copy_fn copy, use_fn use, GError **err)
{
    g_autofree char *tmp = store_tmp_dir(b->batch->store, err);
    if (!tmp)
        return FALSE;
    g_autofree char *dir = g_build_filename(store_root(b->batch->store), tmp, NULL);
    gboolean ok = copy_into(b, from, copy, dir, err) && use(b, dir, ARCHIVE_NAME, err);
    store_tmp_discard(b->batch->store, tmp);
    return ok;
}

static gboolean open_stdin(struct build *b, GError **err)
{
    return use_copy(b, b->r->in_fd, copy_stdin, use_file, err);
}

/* An archive of the user's. */
static gboolean open_archive(struct build *b, GError **err)
{
    g_autofree char *path = g_canonicalize_filename(b->r->context, NULL);
    gboolean archive;
    fd_auto int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0)
        return error_set_errno(err, errno, "cannot open the context %s", b->input.context_name);
    if (!fetched_is_archive(fd, "the context", &archive, err))
        return FALSE;
    if (archive)
        return use_copy(b, fd, copy_file, unpack_context, err);
    error_set(err, VARVE_ERROR_USAGE, "the context %s is neither a directory nor a tar archive",
              path);
    error_add_next(err, "varve build . builds the directory you are in; -f names the Dockerfile");
    return FALSE;
}

/* Keeps op, which came from this command line, with its content when it was fetched: its time is
 * that of the context, whatever is there later. */
static void pin(struct build *b, const struct source_op *op, const char *holds)
{
    struct source_op *s = b->input.context_source = g_new0(struct source_op, 1);
    *s = *op;
    s->identifier = g_strdup(op->identifier);
    s->filename = g_strdup(op->filename);
    s->subdir = g_strdup(op->subdir);
    s->ref = op->kind == SOURCE_GIT ? g_strdup(holds) : NULL;
    s->commit = NULL;
    s->has_checksum = op->kind == SOURCE_HTTP;
    if (s->has_checksum && !digest_parse(&s->checksum, holds, NULL))
        g_assert_not_reached(); /* source/remote_http.c made the text of it */
}

void build_free_context_source(struct build *b)
{
    struct source_op *s = b->input.context_source;
    if (!s || b->input.context_of)
        return;
    g_free((char *)s->identifier);
    g_free((char *)s->filename);
    g_free((char *)s->subdir);
    g_free((char *)s->ref);
    g_clear_pointer(&b->input.context_source, g_free);
}

/* Fetches op; returns the directory of its layer. The context is pinned. */
static char *fetch(struct build *b, const struct source_op *op, gboolean context, GError **err)
{
    const char *agent = g_hash_table_lookup(b->r->ssh, "default");
    struct remotes_options ro = {.store = b->batch->store,
                                 .registry = b->batch->config->registry,
                                 .env = session_env(b->batch->session),
                                 .events = b->ports.events,
                                 .cancel = b->ports.cancel,
                                 .secrets = b->r->secrets,
                                 .ssh_agent = agent ? agent : b->r->ssh_agent};
    g_autofree char *holds = NULL;
    char *dir = fetched_dir(&ro, op, &holds, err);
    if (dir && context)
        pin(b, op, holds);
    return dir;
}

static gboolean open_http(struct build *b, GError **err)
{
    struct source_op op = {
        .kind = SOURCE_HTTP, .identifier = b->r->context, .filename = ARCHIVE_NAME, .mode = 0600};
    g_autofree char *dir = fetch(b, &op, TRUE, err);
    return dir && use_file(b, dir, ARCHIVE_NAME, err);
}

static gboolean open_git(struct build *b, GError **err)
{
    g_autoptr(giturl) git = NULL;
    if (giturl_parse(b->r->context, &git, err) != GITURL_OK)
        return FALSE;
    const char *keep = g_hash_table_lookup(b->r->build_args, "BUILDKIT_CONTEXT_KEEP_GIT_DIR");
    const char *epoch = g_hash_table_lookup(b->r->build_args, "SOURCE_DATE_EPOCH");
    struct source_op op = fetched_git_op(git);
    if (git->keep_git_dir == GIT_UNSET)
        op.keep_git_dir = keep && *keep && !g_str_equal(keep, "0") && !g_str_equal(keep, "false");
    if (git->commit_times == GIT_UNSET)
        op.commit_times = epoch && *epoch;
    b->input.context_dir = fetch(b, &op, TRUE, err);
    return b->input.context_dir != NULL;
}

gboolean build_fetch_dockerfile(struct build *b, GError **err)
{
    struct source_op op = {
        .kind = SOURCE_HTTP, .identifier = b->r->file, .filename = "Dockerfile", .mode = 0600};
    g_autofree char *dir = fetch(b, &op, FALSE, err);
    if (!dir)
        return FALSE;
    g_autofree char *path = g_build_filename(dir, op.filename, NULL);
    g_clear_pointer(&b->input.dockerfile_text, g_bytes_unref);
    b->input.dockerfile_text = fs_read(AT_FDCWD, path, DOCKERFILE_MAX_BYTES, err);
    return b->input.dockerfile_text != NULL;
}

gboolean build_open_context(struct build *b, GError **err)
{
    switch (b->r->context_kind) {
    case BUILD_CONTEXT_DIR:
        return TRUE;
    case BUILD_CONTEXT_STDIN:
        return open_stdin(b, err);
    case BUILD_CONTEXT_ARCHIVE:
        return open_archive(b, err);
    case BUILD_CONTEXT_HTTP:
        return open_http(b, err);
    case BUILD_CONTEXT_GIT:
        return open_git(b, err);
    }
    return FALSE;
}

/* For people: an URL without its password. */
static char *full_name(const struct build_request *r)
{
    if (r->context_kind == BUILD_CONTEXT_DIR)
        return g_strdup(r->context_dir);
    return r->context_kind == BUILD_CONTEXT_STDIN ? g_strdup("stdin") : url_shown(r->context);
}

static char *short_name(const struct build_request *r, const char *full)
{
    g_autoptr(giturl) git = NULL;
    if (r->context_kind == BUILD_CONTEXT_GIT && giturl_parse(r->context, &git, NULL) == GITURL_OK)
        return g_strdup(git->name);
    g_autofree char *plain = g_strndup(full, strcspn(full, "?#"));
    return g_path_get_basename(r->context_kind == BUILD_CONTEXT_DIR ? full : plain);
}

void build_name_context(struct build *b)
{
    b->input.context_name = full_name(b->r);
    b->input.context_label = short_name(b->r, b->input.context_name);
    b->input.context_dir = g_strdup(b->r->context_dir);
}

char *build_context_label(const struct build_request *r)
{
    g_autofree char *full = full_name(r);
    return short_name(r, full);
}
