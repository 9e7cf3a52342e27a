/* Runs a fuzz target over its corpus, tests/fuzz/corpus/<target>, without libFuzzer: seeds and
 * everything that was ever found. The program's name says which target it is. */
#include "fuzz.h"

#include <string.h>

static void test_file(gconstpointer path)
{
    g_autofree char *bytes = NULL;
    gsize len;
    g_assert_true(g_file_get_contents(path, &bytes, &len, NULL));
    /* A copy of just the size: reading beyond it is seen. */
    g_autofree uint8_t *copy = g_memdup2(bytes, len);
    LLVMFuzzerTestOneInput(copy ? copy : (const uint8_t *)"", len);
}

static int by_name(gconstpointer a, gconstpointer b)
{
    return g_strcmp0(*(char *const *)a, *(char *const *)b);
}

int main(int argc, char **argv)
{
    g_autofree char *name = g_path_get_basename(argv[0]);
    const char *target = name + strlen("test-fuzz-");
    g_test_init(&argc, &argv, NULL);
    g_autofree char *dir =
        g_build_filename(g_getenv("G_TEST_SRCDIR"), "tests", "fuzz", "corpus", target, NULL);
    g_autoptr(GDir) d = g_dir_open(dir, 0, NULL);
    g_autoptr(GPtrArray) paths = g_ptr_array_new_with_free_func(g_free);
    g_assert_nonnull(d);
    for (const char *file; (file = g_dir_read_name(d));)
        g_ptr_array_add(paths, g_build_filename(dir, file, NULL));
    g_ptr_array_sort(paths, by_name);
    g_assert_cmpuint(paths->len, >, 0);
    for (guint i = 0; i < paths->len; i++) {
        g_autofree char *file = g_path_get_basename(paths->pdata[i]);
        g_autofree char *test = g_strdup_printf("/%s/%s", target, file);
        g_test_add_data_func(test, paths->pdata[i], test_file);
    }
    return g_test_run();
}
