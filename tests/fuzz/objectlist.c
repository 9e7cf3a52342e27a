/* A page of a list of objects, in S3's form and in Azure's. */
#include "fuzz.h"

#include "cache/objectlist.h"

static void read_list(const struct object_listing *l, const uint8_t *data, size_t size)
{
    g_autoptr(GPtrArray) out = g_ptr_array_new_with_free_func((GDestroyNotify)object_entry_free);
    g_autofree char *next = NULL;
    if (!objectlist_parse(l, (const char *)data, size, out, &next, NULL))
        g_assert_null(next);
    for (guint i = 0; i < out->len; i++)
        g_assert_nonnull(((struct object_entry *)out->pdata[i])->key);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const struct object_listing s3 = {"Contents", "Key", "Size", "LastModified",
                                             "NextContinuationToken"};
    static const struct object_listing azure = {"Blob", "Name", "Content-Length", "Last-Modified",
                                                "NextMarker"};
    read_list(&s3, data, size);
    read_list(&azure, data, size);
    return 0;
}
