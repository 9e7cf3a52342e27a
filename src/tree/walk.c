#include "tree/walk.h"

#include "base/error.h"
#include "base/fs.h"
#include "base/pool.h"
#include "tree/content.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <string.h>
#include <unistd.h>

/* The walk goes level by level: the directories of one level are read in parallel, each into a node
 * of its own, and the nodes are joined in path order at the end. */
struct node;
struct child {
    gsize name;       /* offset in the node's text */
    gsize target;     /* likewise, of a symlink's text; 0: none */
    struct node *dir; /* directories: their content; owned by the walker */
    struct stat st;
    gboolean ignored; /* a directory kept only for what below it is not ignored */
};
struct node {
    char *path;        /* relative, "" for the root */
    GString *text;     /* names and targets, each ended by NUL; offset 0 is unused */
    GArray *children;  /* struct child, sorted by name once read */
    guint64 skipped;   /* entries ignored here */
    gboolean vanished; /* it was gone before it was read */
    gboolean kept;     /* something below it is not ignored */
};
struct walker {
    int rootfd;
    const struct ignore *ignore; /* NULL: nothing */
    const char *where;
    struct cancel *cancel;
    GPtrArray *nodes;          /* all, parents first */
    guint level;               /* first node of the level being read */
    atomic_uint_fast64_t seen; /* entries so far */
};

static void node_free(gpointer p)
{
    struct node *n = p;
    g_free(n->path);
    g_string_free(n->text, TRUE);
    g_array_unref(n->children);
    g_free(n);
}

static struct node *node_new(char *path)
{
    struct node *n = g_new0(struct node, 1);
    n->path = path;
    n->text = g_string_new_len("", 1);
    n->children = g_array_new(FALSE, FALSE, sizeof(struct child));
    return n;
}

static gsize node_text(struct node *n, const char *s)
{
    gsize at = n->text->len;
    g_string_append_len(n->text, s, strlen(s) + 1);
    return at;
}

static char *join_walk_path(const char *dir, const char *name)
{
    return *dir ? g_strconcat(dir, "/", name, NULL) : g_strdup(name);
}

/* *gone: it is no symlink any more. */
static gboolean read_target(struct node *n, int fd, const char *name, struct child *c,
                            gboolean *gone, GError **err)
{
    char buf[WALK_MAX_PATH + 1];
    ssize_t len = readlinkat(fd, name, buf, sizeof buf);
    *gone = len < 0 && (errno == ENOENT || errno == EINVAL);
    if (*gone)
        return TRUE;
    if (len < 0 || len == sizeof buf)
        return error_set_errno(err, len < 0 ? errno : ENAMETOOLONG, "cannot read the symlink %s/%s",
                               n->path, name);
    buf[len] = '\0';
    c->st.st_size = len;
    c->target = node_text(n, buf);
    return TRUE;
}

static gboolean check_limits(struct walker *w, const char *path, GError **err)
{
    if (strlen(path) > WALK_MAX_PATH)
        return error_set(err, VARVE_ERROR_INVALID, "%s has a path of more than %d bytes: %.200s…",
                         w->where, WALK_MAX_PATH, path);
    if (atomic_fetch_add_explicit(&w->seen, 1, memory_order_relaxed) >= WALK_MAX_ENTRIES) {
        error_set(err, VARVE_ERROR_INVALID, "%s has more than %d entries", w->where,
                  WALK_MAX_ENTRIES);
        error_add_next(err,
                       "leave directories out in .dockerignore, or build from a smaller directory");
        return FALSE;
    }
    return TRUE;
}

/* Takes one directory entry into n, unless it is ignored or gone. */
static gboolean take_entry(struct walker *w, struct node *n, int fd, const struct dirent *d,
                           GError **err)
{
    struct child c = {0};
    g_autofree char *path = join_walk_path(n->path, d->d_name);
    if (!check_limits(w, path, err))
        return FALSE;
    c.ignored = w->ignore && ignore_match(w->ignore, path);
    if (c.ignored && d->d_type != DT_DIR && d->d_type != DT_UNKNOWN) {
        n->skipped++;
        return TRUE;
    }
    if (c.ignored && ignore_can_skip_dir(w->ignore, path)) {
        n->skipped++;
        return TRUE;
    }
    if (fstatat(fd, d->d_name, &c.st, AT_SYMLINK_NOFOLLOW) < 0)
        return errno == ENOENT ||
               error_set_errno(err, errno, "cannot stat %s in %s", path, w->where);
    if (c.ignored && !S_ISDIR(c.st.st_mode)) {
        n->skipped++;
        return TRUE;
    }
    gboolean gone = FALSE;
    if (S_ISLNK(c.st.st_mode) && !read_target(n, fd, d->d_name, &c, &gone, err))
        return FALSE;
    if (gone)
        return TRUE;
    c.name = node_text(n, d->d_name);
    if (S_ISDIR(c.st.st_mode))
        c.dir = node_new(g_steal_pointer(&path));
    g_array_append_val(n->children, c);
    return TRUE;
}

static gint compare_children(gconstpointer a, gconstpointer b, gpointer text)
{
    return strcmp((char *)text + ((const struct child *)a)->name,
                  (char *)text + ((const struct child *)b)->name);
}

static gboolean read_entries(struct walker *w, struct node *n, DIR *dir, GError **err)
{
    errno = 0;
    for (struct dirent *d; (d = readdir(dir)); errno = 0) {
        if (strcmp(d->d_name, ".") == 0 || strcmp(d->d_name, "..") == 0)
            continue;
        if (!take_entry(w, n, dirfd(dir), d, err))
            return FALSE;
    }
    if (errno && errno != ENOENT) /* a removed directory */
        return error_set_errno(err, errno, "cannot list %s in %s", *n->path ? n->path : ".",
                               w->where);
    g_array_sort_with_data(n->children, compare_children, n->text->str);
    return TRUE;
}

static gboolean read_node(gpointer ctx, gsize i, GError **err)
{
    struct walker *w = ctx;
    struct node *n = g_ptr_array_index(w->nodes, w->level + i);
    if (!cancel_check(w->cancel, err))
        return FALSE;
    fd_auto int fd = content_open_dir(w->rootfd, n->path);
    if (fd < 0 && (errno == ENOENT || errno == ENOTDIR || errno == ELOOP)) {
        n->vanished = TRUE;
        return TRUE;
    }
    if (fd < 0) {
        const char *path = *n->path ? n->path : ".";
        if (errno == EACCES)
            return error_set(err, VARVE_ERROR_DENIED,
                             "cannot open the directory %s in %s: permission denied", path,
                             w->where);
        return error_set_errno(err, errno, "cannot open the directory %s in %s", path, w->where);
    }
    DIR *dir = fdopendir(fd);
    if (!dir)
        return error_set_errno(err, errno, "cannot list %s in %s", n->path, w->where);
    fd_steal(&fd); /* dir has it now */
    gboolean ok = read_entries(w, n, dir, err);
    closedir(dir);
    return ok;
}

/* Moves the directories that nodes [from, to) hold into w->nodes, whose property they become, and
 * adds what was ignored. Done also after an error, so that nothing is lost. */
static void adopt_children(struct walker *w, guint from, guint to)
{
    for (guint i = from; i < to; i++) {
        struct node *n = g_ptr_array_index(w->nodes, i);
        for (guint k = 0; k < n->children->len; k++) {
            struct child *c = &g_array_index(n->children, struct child, k);
            if (c->dir)
                g_ptr_array_add(w->nodes, c->dir);
        }
    }
}

static gboolean read_levels(struct walker *w, GError **err)
{
    g_ptr_array_add(w->nodes, node_new(g_strdup("")));
    for (guint depth = 0; w->level < w->nodes->len; depth++) {
        guint end = w->nodes->len;
        if (depth > WALK_MAX_DEPTH) {
            struct node *n = g_ptr_array_index(w->nodes, w->level);
            return error_set(err, VARVE_ERROR_INVALID,
                             "%s is more than %d directories deep: %.200s…", w->where,
                             WALK_MAX_DEPTH, n->path);
        }
        gboolean ok = pool_for_each(end - w->level, read_node, w, err);
        adopt_children(w, w->level, end);
        if (!ok)
            return FALSE;
        w->level = end;
    }
    return TRUE;
}

static gboolean child_kept(const struct child *c)
{
    if (c->dir && c->dir->vanished)
        return FALSE;
    return !c->ignored || (c->dir && c->dir->kept);
}

/* Children come after their parents in w->nodes, so that one pass from the end is enough. */
static void mark_kept(struct walker *w)
{
    for (guint i = w->nodes->len; i-- > 0;) {
        struct node *n = g_ptr_array_index(w->nodes, i);
        for (guint k = 0; k < n->children->len && !n->kept; k++)
            n->kept = child_kept(&g_array_index(n->children, struct child, k));
    }
}

struct inode {
    guint64 dev, ino; /* identity of a file with several names */
    guint first;      /* entry of its first name */
};

static guint inode_hash(gconstpointer p)
{
    const struct inode *i = p;
    return (guint)(i->ino * 2654435761u ^ i->dev);
}

static gboolean inode_equal(gconstpointer a, gconstpointer b)
{
    const struct inode *x = a, *y = b;
    return x->ino == y->ino && x->dev == y->dev;
}

/* The joined result being written. */
struct joiner {
    struct walk *out;
    GHashTable *inodes; /* struct inode of files with several names */
};

static void join_entry(struct joiner *j, const struct node *n, const struct child *c,
                       const char *path)
{
    struct entry e = {.path = path, .target = c->target ? n->text->str + c->target : NULL};
    entry_from_stat(&e, &c->st);
    if (S_ISREG(c->st.st_mode) && c->st.st_nlink > 1) {
        struct inode key = {c->st.st_dev, c->st.st_ino, entry_list_len(j->out->entries)};
        struct inode *seen = g_hash_table_lookup(j->inodes, &key);
        if (seen)
            e.hardlink = entry_list_at(j->out->entries, seen->first)->path;
        else
            g_hash_table_add(j->inodes, g_memdup2(&key, sizeof key));
    }
    entry_list_add(j->out->entries, &e);
    struct walk_stat s = {(gint64)c->st.st_ctim.tv_sec * 1000000000 + c->st.st_ctim.tv_nsec,
                          c->st.st_dev, c->st.st_ino,
                          (gint64)c->st.st_atim.tv_sec * 1000000000 + c->st.st_atim.tv_nsec};
    g_array_append_val(j->out->stats, s);
}

/* A directory whose children are being joined. */
struct frame {
    const struct node *node;
    guint next; /* first child not joined yet */
};

/* Depth first, children by name: that is path order, since '/' sorts before every other byte. */
static void join_nodes(struct walker *w, struct joiner *j)
{
    g_autoptr(GArray) stack = g_array_new(FALSE, FALSE, sizeof(struct frame));
    g_autoptr(GString) path = g_string_new(NULL);
    struct frame root = {g_ptr_array_index(w->nodes, 0), 0};
    g_array_append_val(stack, root);
    while (stack->len > 0) {
        struct frame *f = &g_array_index(stack, struct frame, stack->len - 1);
        if (f->next == f->node->children->len) {
            g_array_set_size(stack, stack->len - 1);
            continue;
        }
        const struct node *n = f->node;
        const struct child *c = &g_array_index(n->children, struct child, f->next++);
        if (!child_kept(c))
            continue;
        g_string_assign(path, n->path);
        if (path->len)
            g_string_append_c(path, '/');
        g_string_append(path, n->text->str + c->name);
        join_entry(j, n, c, path->str);
        struct frame below = {c->dir, 0};
        if (c->dir)
            g_array_append_val(stack, below);
    }
}

static gboolean join_all(struct walker *w, struct walk *out, GError **err)
{
    struct child root = {0};
    if (fstat(w->rootfd, &root.st) < 0)
        return error_set_errno(err, errno, "cannot stat %s", w->where);
    mark_kept(w);
    g_autoptr(GHashTable) inodes = g_hash_table_new_full(inode_hash, inode_equal, g_free, NULL);
    struct joiner j = {out, inodes};
    join_entry(&j, g_ptr_array_index(w->nodes, 0), &root, "");
    join_nodes(w, &j);
    for (guint i = 0; i < w->nodes->len; i++)
        out->ignored += ((struct node *)g_ptr_array_index(w->nodes, i))->skipped;
    return TRUE;
}

gboolean walk_dir(int rootfd, const struct ignore *ig, const char *where, struct cancel *c,
                  struct walk *out, GError **err)
{
    g_autoptr(GPtrArray) nodes = g_ptr_array_new_with_free_func(node_free);
    struct walker w = {.rootfd = rootfd, .where = where, .cancel = c, .nodes = nodes};
    w.ignore = ig && !ignore_is_empty(ig) ? ig : NULL;
    *out = (struct walk){entry_list_new(), g_array_new(FALSE, FALSE, sizeof(struct walk_stat)), 0};
    if (read_levels(&w, err) && join_all(&w, out, err))
        return TRUE;
    walk_clear(out);
    return FALSE;
}

void walk_clear(struct walk *w)
{
    entry_list_free(g_steal_pointer(&w->entries));
    if (w->stats)
        g_array_unref(g_steal_pointer(&w->stats));
}
