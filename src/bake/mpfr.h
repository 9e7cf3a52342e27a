/* MPFR, loaded at its first use (base/lazylib.h): only bake files have numbers.
 *
 * Its functions are called by their own names, which stand for members of mpfr_api; a heap for
 * values loads it (heap_new()). */
#ifndef VARVE_BAKE_MPFR_H
#define VARVE_BAKE_MPFR_H

#include "base/lazylib.h"

#include <stdint.h>
#define MPFR_USE_INTMAX_T 1
#include <mpfr.h>

#define MPFR_API(X, api)                                                                           \
    X(api, mpfr_add, add)                                                                          \
    X(api, mpfr_add_ui, add_ui)                                                                    \
    X(api, mpfr_clear, clear)                                                                      \
    X(api, mpfr_cmp3, cmp3)                                                                        \
    X(api, mpfr_cmpabs, cmpabs)                                                                    \
    X(api, mpfr_div, div)                                                                          \
    X(api, mpfr_equal_p, equal_p)                                                                  \
    X(api, mpfr_fits_intmax_p, fits_intmax_p)                                                      \
    X(api, mpfr_free_str, free_str)                                                                \
    X(api, mpfr_get_d, get_d)                                                                      \
    X(api, mpfr_get_str, get_str)                                                                  \
    X(api, mpfr_greater_p, greater_p)                                                              \
    X(api, mpfr_greaterequal_p, greaterequal_p)                                                    \
    X(api, mpfr_init2, init2)                                                                      \
    X(api, mpfr_integer_p, integer_p)                                                              \
    X(api, mpfr_less_p, less_p)                                                                    \
    X(api, mpfr_lessequal_p, lessequal_p)                                                          \
    X(api, mpfr_min_prec, min_prec)                                                                \
    X(api, mpfr_mul, mul)                                                                          \
    X(api, mpfr_mul_si, mul_si)                                                                    \
    X(api, mpfr_neg, neg)                                                                          \
    X(api, mpfr_rint, rint)                                                                        \
    X(api, mpfr_set4, set4)                                                                        \
    X(api, mpfr_set_d, set_d)                                                                      \
    X(api, mpfr_set_erangeflag, set_erangeflag)                                                    \
    X(api, mpfr_set_inf, set_inf)                                                                  \
    X(api, mpfr_set_str, set_str)                                                                  \
    X(api, mpfr_set_ui_2exp, set_ui_2exp)                                                          \
    X(api, mpfr_set_zero, set_zero)                                                                \
    X(api, mpfr_sub, sub)                                                                          \
    X(api, __gmpfr_mpfr_get_sj, get_sj)                                                            \
    X(api, __gmpfr_set_sj, set_sj)

struct mpfr_api {
    MPFR_API(LAZYLIB_POINTER, )
};
extern struct mpfr_api mpfr_api;

/* Loads it at the first call; thread-safe. FALSE with VARVE_ERROR_FAILED when it is not installed.
 */
gboolean mpfr_api_load(GError **err);

/* MPFR's own macros call the rest of its functions by these names. */
#undef mpfr_add
#define mpfr_add mpfr_api.add
#undef mpfr_add_ui
#define mpfr_add_ui mpfr_api.add_ui
#undef mpfr_clear
#define mpfr_clear mpfr_api.clear
#undef mpfr_cmp3
#define mpfr_cmp3 mpfr_api.cmp3
#undef mpfr_cmpabs
#define mpfr_cmpabs mpfr_api.cmpabs
#undef mpfr_div
#define mpfr_div mpfr_api.div
#undef mpfr_equal_p
#define mpfr_equal_p mpfr_api.equal_p
#undef mpfr_fits_intmax_p
#define mpfr_fits_intmax_p mpfr_api.fits_intmax_p
#undef mpfr_free_str
#define mpfr_free_str mpfr_api.free_str
#undef mpfr_get_d
#define mpfr_get_d mpfr_api.get_d
#undef mpfr_get_str
#define mpfr_get_str mpfr_api.get_str
#undef mpfr_greater_p
#define mpfr_greater_p mpfr_api.greater_p
#undef mpfr_greaterequal_p
#define mpfr_greaterequal_p mpfr_api.greaterequal_p
#undef mpfr_init2
#define mpfr_init2 mpfr_api.init2
#undef mpfr_integer_p
#define mpfr_integer_p mpfr_api.integer_p
#undef mpfr_less_p
#define mpfr_less_p mpfr_api.less_p
#undef mpfr_lessequal_p
#define mpfr_lessequal_p mpfr_api.lessequal_p
#undef mpfr_min_prec
#define mpfr_min_prec mpfr_api.min_prec
#undef mpfr_mul
#define mpfr_mul mpfr_api.mul
#undef mpfr_mul_si
#define mpfr_mul_si mpfr_api.mul_si
#undef mpfr_neg
#define mpfr_neg mpfr_api.neg
#undef mpfr_rint
#define mpfr_rint mpfr_api.rint
#undef mpfr_set4
#define mpfr_set4 mpfr_api.set4
#undef mpfr_set_d
#define mpfr_set_d mpfr_api.set_d
#undef mpfr_set_erangeflag
#define mpfr_set_erangeflag mpfr_api.set_erangeflag
#undef mpfr_set_inf
#define mpfr_set_inf mpfr_api.set_inf
#undef mpfr_set_str
#define mpfr_set_str mpfr_api.set_str
#undef mpfr_set_ui_2exp
#define mpfr_set_ui_2exp mpfr_api.set_ui_2exp
#undef mpfr_set_zero
#define mpfr_set_zero mpfr_api.set_zero
#undef mpfr_sub
#define mpfr_sub mpfr_api.sub
#undef mpfr_get_sj
#define mpfr_get_sj mpfr_api.get_sj
#undef mpfr_set_sj
#define mpfr_set_sj mpfr_api.set_sj

#endif
