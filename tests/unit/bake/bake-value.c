/* Values and rows of functions, where no expression is needed to see them. */
#include "bake/function.h"

#include "base/error.h"

#include <string.h>

static void check_number(const struct value *v, const char *text)
{
    g_autofree char *got = number_text(v, NULL);
    g_assert_cmpstr(got, ==, text);
}

/* Fewest digits that give the number again at its own precision. */
static void test_precision(void)
{
    g_autoptr(heap) h = heap_new();
    check_number(value_double(h, 0.1), "0.1");
    check_number(value_double(h, 4611686018427387904.0), "4611686018427388000");
    check_number(value_double(h, 1.5e22), "15000000000000000000000");
    check_number(value_int(h, G_MININT64), "-9223372036854775808");
    check_number(value_number_parse(h, TEXT("0.1")), "0.1");
    check_number(number_binary(h, '+', value_double(h, 0.1), value_double(h, 0.2), NULL),
                 "0.30000000000000004");
    g_assert_null(value_number_parse(h, TEXT("1e")));
    g_assert_null(value_number_parse(h, TEXT("1\0")));
}

static void test_order(void)
{
    g_autoptr(heap) h = heap_new();
    const struct value *a = value_cstring(h, "a"), *b = value_string(h, "a\0b", 3);
    const struct value *two[] = {b, a}, *twice[] = {a, a};
    g_assert_cmpint(value_compare(a, b), <, 0);
    g_assert_cmpint(value_compare(value_int(h, 9), value_int(h, 10)), <, 0);
    g_assert_cmpint(value_compare(&value_false, &value_true), <, 0);
    g_assert_cmpint(value_compare(value_tuple(h, two, 2), value_tuple(h, two, 2)), ==, 0);
    g_assert_cmpint(value_compare(value_tuple(h, two, 2), value_tuple(h, twice, 2)), !=, 0);
    g_assert_cmpuint(value_set(h, &type_string, two, 2)->n, ==, 2);
    g_assert_true(value_set(h, &type_string, two, 2)->items[0] == a);
    g_assert_cmpuint(value_set(h, &type_string, twice, 2)->n, ==, 1);
}

/* "sum" wants a whole number from 0 to 10, then any texts. */
static const struct value *call_sum(struct call *c, const struct value *const *args, guint n,
                                    GError **err)
{
    gint64 sum;
    if (!call_int(c, args, 0, 0, 10, &sum, err))
        return NULL;
    if (sum == 9)
        return call_fail(err, "nine is not wanted");
    for (guint i = 1; i < n; i++) {
        if (args[i]->text.len == 0)
            return call_bad_arg(c, (int)i, err, "must not be empty");
        sum += (gint64)args[i]->text.len;
    }
    return value_int(c->heap, sum);
}

static const struct param FIRST[] = {{"first", &type_number, FALSE}};
static const struct param REST = {"rest", &type_string, FALSE};
static const struct function SUM = FUNCTION("sum", FIRST, &REST, call_sum);

static void check_call(struct heap *h, const struct value *const *args, guint n, int bad,
                       const char *what)
{
    g_autoptr(GError) err = NULL;
    int about;
    g_assert_null(function_call(h, &SUM, 0, args, n, &about, &err));
    g_assert_cmpint(about, ==, bad);
    g_assert_cmpstr(err->message, ==, what);
}

static void test_call(void)
{
    g_autoptr(heap) h = heap_new();
    g_autoptr(GError) err = NULL;
    gint64 sum = 0;
    const struct value *good[] = {value_cstring(h, "3"), value_int(h, 12), &value_true};
    const struct value *v = function_call(h, &SUM, 0, good, 3, NULL, &err);
    g_assert_no_error(err);
    g_assert_true(value_fits_int(v, &sum));
    g_assert_cmpint(sum, ==, 9);
    const struct value *bad[] = {value_int(h, 1), value_cstring(h, "x"), value_cstring(h, "")};
    check_call(h, bad, 3, 2, "sum: argument \"rest\": must not be empty");
    check_call(h, bad, 0, -1, "sum() needs at least 1 argument, not 0");
    bad[0] = value_double(h, 1.5);
    check_call(h, bad, 1, 0, "sum: argument \"first\": a whole number is needed");
    bad[0] = value_int(h, 11);
    check_call(h, bad, 1, 0, "sum: argument \"first\": must not be greater than 10");
    bad[0] = &value_null;
    check_call(h, bad, 1, 0, "sum: argument \"first\": must not be null");
    bad[0] = value_int(h, 9);
    check_call(h, bad, 1, -1, "sum: nine is not wanted");
    bad[0] = value_tuple(h, good, 1);
    check_call(h, bad, 1, 0, "sum: argument \"first\": number required, not tuple");
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/bake/value/precision", test_precision);
    g_test_add_func("/bake/value/order", test_order);
    g_test_add_func("/bake/value/call", test_call);
    return g_test_run();
}
