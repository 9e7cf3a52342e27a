/* Ops: what a vertex does, with exactly the meaning of BuildKit's LLB ops (solver/pb/ops.proto) so
 * that LLB can be fed in later. All memory belongs to the graph that holds the op; absent strings
 * are NULL unless said otherwise, absent lists are NULL with count 0. */
#ifndef VARVE_GRAPH_OP_H
#define VARVE_GRAPH_OP_H

#include "base/digest.h"
#include "base/mounttype.h"
#include "base/platform.h"

#include <sys/types.h>

enum op_type { OP_SOURCE, OP_EXEC, OP_FILE, OP_MERGE, OP_DIFF };

enum source_kind { SOURCE_IMAGE, SOURCE_LOCAL, SOURCE_HTTP, SOURCE_GIT, SOURCE_OCI_LAYOUT };
struct source_op {
    enum source_kind kind;
    const char
        *identifier;      /* image: canonical "name@sha256:…"; local: context name ("context", or a
                             named context's); oci-layout: "<path>@sha256:…"; http, git: the URL */
    const char *context;  /* local: which of the contexts of this name that one graph reads, a text
                             of lowering's caller; NULL: there is one. In no key: files are */
    struct digest digest; /* image, oci-layout: the platform's manifest (of an image built here:
                             its config); zero: not known */
    struct platform platform; /* image, oci-layout */
    gboolean has_checksum;    /* http: checksum is set */
    struct digest checksum;   /* http: what the file must be */
    const char *commit;       /* git: commit or prefix that ref must be */
    const char *filename;     /* http: name of the file in the result */
    guint32 mode;             /* http: permission bits, default 0600 */
    guint32 uid, gid;         /* http */
    gboolean keep_git_dir;    /* git */
    const char *ref, *subdir; /* git */
    gboolean submodules;      /* git: default TRUE */
    gboolean commit_times;    /* git: files have the time of the commit, not of the checkout */
    gboolean by_commit;       /* git: commit, a whole one, is got without asking what ref is */
};

struct exec_mount {
    enum mount_type type;
    int input;            /* index in the vertex's inputs, -1: none (scratch) */
    const char *selector; /* path that is mounted, in the input or, for a cache, in the cache (which
                             starts as a copy of the input); NULL: the root */
    const char *dest;     /* absolute; "/" for the root mount (always mounts[0], bind) */
    gboolean readonly;
    gboolean output;            /* this mount's changes are the vertex's result (the root mount) */
    const char *cache_id;       /* cache */
    enum cache_sharing sharing; /* cache */
    guint32 mode, uid, gid;     /* cache, secret, ssh: of the file or directory created */
    guint64 size;               /* tmpfs: bytes, 0 no limit */
    const char *id;             /* secret, ssh */
    /* secret: environment variable to set; dest NULL: do not mount it as a file as well */
    const char *env;
    gboolean optional;   /* secret, ssh: a missing one is skipped */
    const char *written; /* bind, cache: the source as the user wrote it, or NULL; not in keys */
    guint place;         /* number of the instruction's flag, from 1; 0: none; not in keys */
};

enum net_mode { NET_DEFAULT, NET_NONE, NET_HOST };
struct host_ip {
    const char *host; /* name */
    const char *ip;   /* literal address, or "host-gateway" */
};
struct ulimit {
    const char *name;  /* "nofile" */
    gint64 soft, hard; /* -1: unlimited */
};
struct exec_op {
    const char *const *args;  /* argv, NULL-terminated */
    const char *const *env;   /* "K=v", NULL-terminated, in order; proxies not included */
    const char *cwd;          /* absolute */
    const char *user;         /* as in USER, NULL: root */
    const char *hostname;     /* NULL: default */
    struct platform platform; /* whose programs it runs; in no key: its inputs tell */
    struct exec_mount *mounts; /* n_mounts, the root first */ /* the root comes first */
    guint n_mounts;
    enum net_mode network;       /* of the program */
    gboolean insecure;           /* --security=insecure */
    const struct host_ip *hosts; /* added to /etc/hosts */
    guint n_hosts;
    const struct ulimit *ulimits; /* n_ulimits */
    guint n_ulimits;
    guint64 shm_size;             /* bytes, 0: 64 MiB */
    const char *cgroup_parent;    /* or NULL; in no key */
    const char *const *proxy_env; /* "HTTP_PROXY=…" given to the process but kept out of keys */
    const char *stdin_text;       /* heredoc with a fd prefix is not supported; NULL */
};

enum file_action_type { FILE_COPY, FILE_MKFILE, FILE_MKDIR, FILE_RM, FILE_SYMLINK };
struct file_action {
    enum file_action_type type;
    int input;     /* what it changes: < n_inputs: a vertex input; >= n_inputs: the result of action
                      (input - n_inputs); -1: scratch */
    int secondary; /* copy: where sources come from, numbered like input; -1: none */
    gboolean output; /* its result is the vertex's result (the last action) */
    /* copy */
    const char *src;         /* path or wildcard in secondary, absolute or relative to its root */
    const char *dest;        /* all: absolute path; copy: trailing '/' kept (directory wanted) */
    const char *owner;       /* "uid:gid", "name", … as in chown, NULL: keep (0:0 from a context) */
    const char *mode_text;   /* chmod as written, octal or symbolic, NULL: keep; text/chmod.h */
    gboolean follow_symlink; /* follow a symlink named by src */
    gboolean dir_contents;   /* a directory src is copied as its contents */
    gboolean attempt_unpack; /* ADD: tar archives are extracted */
    gboolean create_dest_path; /* make missing parents */
    gboolean allow_wildcard;
    gboolean allow_empty_wildcard;
    gboolean parents;         /* --parents: keep the path of src (after a "/./" pivot) */
    gboolean required_single; /* the source must be exactly one (destination is not a directory) */
    const char *const *includes; /* ignore-style, NULL: all */
    const char *const *excludes; /* ignore-style, NULL: none */
    /* mkfile, mkdir, symlink, rm */
    const char *data; /* mkfile: data_len bytes */
    gsize data_len;
    guint32 mode;             /* mkfile, mkdir: permission bits */
    gboolean make_parents;    /* mkdir */
    const char *target;       /* symlink: link text */
    gboolean allow_not_found; /* rm */
    gint64 mtime_ns;          /* mkfile, mkdir: -1 the time of the build */
    const char *written;      /* copy: src as the user wrote it, or NULL; not in keys */
    guint place; /* copy: number of the instruction's word, from 1; 0: none; not in keys */
};
struct file_op {
    struct file_action *actions; /* n_actions, in order */
    guint n_actions;
    guint n_inputs; /* copy of the vertex's number of inputs, for the numbering above */
};

/* merge: the inputs' chains one after the other; a layer in several of them counts at its topmost
 * place. diff: the layers that the last input has above those of the first; with one input: all of
 * it. */
struct op {
    enum op_type type;
    union {
        struct source_op source;
        struct exec_op exec;
        struct file_op file;
    };
};

struct hasher;
/* Adds everything that defines the op to h: never proxies, secret values, cache contents, ssh
 * agents (DESIGN "Keys"). Local sources are hashed by name only, even if their contexts differ: the
 * solver adds the digest of what is selected. Image sources are hashed by digest. */
void op_hash(const struct op *op, struct hasher *h);

#endif
