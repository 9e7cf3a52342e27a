#include "graph/op.h"

static void hash_platform(const struct platform *p, struct hasher *h)
{
    hasher_add_str(h, p->os);
    hasher_add_str(h, p->arch);
    hasher_add_str(h, p->variant);
}

static void hash_digest_text(const struct digest *d, struct hasher *h)
{
    g_autofree char *text = digest_text(d);
    hasher_add_str(h, text);
}

static void hash_source(const struct source_op *s, struct hasher *h)
{
    hasher_add_u64(h, s->kind);
    if (!digest_is_zero(&s->digest)) { /* that names its content, wherever it came from */
        hash_digest_text(&s->digest, h);
        return;
    }
    hasher_add_str(h, s->identifier);
    hash_platform(&s->platform, h);
    if (s->has_checksum)
        hash_digest_text(&s->checksum, h);
    else
        hasher_add_str(h, s->commit);
    hasher_add_str(h, s->filename);
    hasher_add_u64(h, (guint64)s->uid << 32 | s->gid);
    hasher_add_u64(h, (guint64)s->mode << 2 | (s->keep_git_dir ? 2 : 0) | (s->submodules ? 1 : 0));
    hasher_add_str(h, s->ref);
    hasher_add_str(h, s->subdir);
    if (s->commit_times || s->by_commit)
        hasher_add_u64(h, (s->commit_times ? 2 : 0) | (s->by_commit ? 1 : 0));
}

static void hash_mount(const struct exec_mount *m, struct hasher *h)
{
    hasher_add_u64(h, m->type);
    hasher_add_u64(h, (guint64)(gint64)m->input);
    hasher_add_str(h, m->selector);
    hasher_add_str(h, m->dest);
    hasher_add_u64(h, (m->readonly ? 4 : 0) | (m->output ? 2 : 0) | (m->optional ? 1 : 0));
    hasher_add_str(h, m->cache_id);
    hasher_add_u64(h, (guint64)m->sharing << 32 | m->mode);
    hasher_add_u64(h, (guint64)m->uid << 32 | m->gid);
    hasher_add_u64(h, m->size);
    hasher_add_str(h, m->id);
    hasher_add_str(h, m->env);
}

/* The program can see them, so its output may depend on them. */
static void hash_limits(const struct exec_op *e, struct hasher *h)
{
    hasher_add_u64(h, e->n_ulimits);
    for (guint i = 0; i < e->n_ulimits; i++) {
        hasher_add_str(h, e->ulimits[i].name);
        hasher_add_u64(h, e->ulimits[i].soft);
        hasher_add_u64(h, e->ulimits[i].hard);
    }
    hasher_add_u64(h, e->shm_size);
    hasher_add_str(h, e->cgroup_parent);
}

static void hash_exec(const struct exec_op *e, struct hasher *h)
{
    hasher_add_strv(h, e->args);
    hasher_add_strv(h, e->env);
    hasher_add_str(h, e->cwd);
    hasher_add_str(h, e->user);
    hasher_add_str(h, e->hostname);
    hasher_add_u64(h, e->n_mounts);
    for (guint i = 0; i < e->n_mounts; i++)
        hash_mount(&e->mounts[i], h);
    hasher_add_u64(h, (guint64)e->network << 1 | (e->insecure ? 1 : 0));
    hasher_add_u64(h, e->n_hosts);
    for (guint i = 0; i < e->n_hosts; i++) {
        hasher_add_str(h, e->hosts[i].host);
        hasher_add_str(h, e->hosts[i].ip);
    }
    hasher_add_str(h, e->stdin_text);
    hash_limits(e, h);
}

static void hash_action(const struct file_action *a, struct hasher *h)
{
    hasher_add_u64(h, a->type);
    hasher_add_u64(h, (guint64)(guint32)a->input << 32 | (guint32)a->secondary);
    hasher_add_str(h, a->src);
    hasher_add_str(h, a->dest);
    hasher_add_str(h, a->owner);
    hasher_add_str(h, a->mode_text);
    guint64 flags = 0;
    const gboolean bits[] = {
        a->output,           a->follow_symlink, a->dir_contents,         a->attempt_unpack,
        a->create_dest_path, a->allow_wildcard, a->allow_empty_wildcard, a->parents,
        a->required_single,  a->make_parents,   a->allow_not_found};
    for (guint i = 0; i < G_N_ELEMENTS(bits); i++)
        flags |= (guint64)(bits[i] != FALSE) << i;
    hasher_add_u64(h, flags);
    hasher_add_strv(h, a->includes);
    hasher_add_strv(h, a->excludes);
    hasher_add_bytes(h, a->data ? a->data : "", a->data_len);
    hasher_add_u64(h, a->mode);
    hasher_add_str(h, a->target);
    hasher_add_u64(h, a->mtime_ns);
}

static void hash_file(const struct file_op *f, struct hasher *h)
{
    hasher_add_u64(h, f->n_inputs);
    hasher_add_u64(h, f->n_actions);
    for (guint i = 0; i < f->n_actions; i++)
        hash_action(&f->actions[i], h);
}

void op_hash(const struct op *op, struct hasher *h)
{
    hasher_add_u64(h, op->type);
    switch (op->type) {
    case OP_SOURCE:
        hash_source(&op->source, h);
        return;
    case OP_EXEC:
        hash_exec(&op->exec, h);
        return;
    case OP_FILE:
        hash_file(&op->file, h);
        return;
    case OP_MERGE:
    case OP_DIFF:
        return;
    }
}
