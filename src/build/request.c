#include "build/request.h"

#include "base/boolean.h"

static void named_context_free(struct named_context *c)
{
    if (!c)
        return;
    g_free(c->name);
    g_free(c->value);
    g_free(c);
}

struct build_request *build_request_new(void)
{
    struct build_request *r = g_new0(struct build_request, 1);
    r->in_fd = r->out_fd = -1;
    r->platforms = g_array_new(FALSE, TRUE, sizeof(struct platform));
    g_array_set_size(r->platforms, 1);
    platform_host(&g_array_index(r->platforms, struct platform, 0));
    r->annotations = g_ptr_array_new_with_free_func((GDestroyNotify)annotation_free);
    r->tags = g_ptr_array_new_with_free_func(g_free);
    g_ptr_array_add(r->tags, NULL);
    r->build_args = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, g_free);
    r->given_args = g_ptr_array_new_with_free_func(g_free);
    r->contexts = g_ptr_array_new_with_free_func((GDestroyNotify)named_context_free);
    r->secrets =
        g_hash_table_new_full(g_str_hash, g_str_equal, g_free, (GDestroyNotify)g_bytes_unref);
    r->ssh = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, g_free);
    r->hosts = g_array_new(FALSE, TRUE, sizeof(struct host_ip));
    r->ulimits = g_array_new(FALSE, TRUE, sizeof(struct ulimit));
    r->owned = g_ptr_array_new_with_free_func(g_free);
    r->cache_from = g_ptr_array_new_with_free_func((GDestroyNotify)cache_spec_free);
    r->cache_to = g_ptr_array_new_with_free_func((GDestroyNotify)cache_spec_free);
    r->outputs = g_ptr_array_new_with_free_func((GDestroyNotify)output_free);
    return r;
}

static void free_words(struct build_request *r)
{
    g_free(r->context);
    g_free(r->context_dir);
    g_free(r->file);
    g_free(r->name);
    g_free(r->target);
    g_free(r->ssh_agent);
    g_free(r->cgroup_parent);
    g_free(r->ca_bundle);
    g_free(r->docker_host);
    g_strfreev(r->labels);
    g_strfreev(r->no_cache_filter);
}

void build_request_free(struct build_request *r)
{
    if (!r)
        return;
    free_words(r);
    g_array_unref(r->platforms);
    g_ptr_array_unref(r->annotations);
    g_ptr_array_unref(r->tags);
    g_hash_table_unref(r->build_args);
    g_ptr_array_unref(r->given_args);
    g_ptr_array_unref(r->contexts);
    g_hash_table_unref(r->secrets);
    g_hash_table_unref(r->ssh);
    g_array_unref(r->hosts);
    g_array_unref(r->ulimits);
    g_ptr_array_unref(r->owned);
    g_ptr_array_unref(r->cache_from);
    g_ptr_array_unref(r->cache_to);
    g_ptr_array_unref(r->outputs);
    g_clear_pointer(&r->dockerfile_inline, g_bytes_unref);
    resources_clear(&r->resources);
    g_free(r);
}

const struct platform *build_first_platform(const struct build_request *r)
{
    return &g_array_index(r->platforms, struct platform, 0);
}

gboolean build_makes_index(const struct build_request *r)
{
    const char *text = g_hash_table_lookup(r->build_args, "BUILDKIT_MULTI_PLATFORM");
    gboolean on = FALSE;
    return r->platforms->len > 1 || (text && boolean_parse(text, &on) && on);
}
